//! How long a lane is busy with one guest.

use super::chance::Chance;
use super::model::{length, number, whole};

/// The 95th percentile of the normal distribution.
const Z95: f64 = 1.644_853_626_951_472_7;
/// A lognormal's 95th percentile lies at most this many times above its mean, however wide it is.
pub(super) const LOGNORMAL_P95_PER_MEAN: f64 = 3.86;
/// Nobody blocks a lane for longer: a supervisor takes the guest aside.
const LONGEST_MS: i64 = 3_600_000;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Service {
    /// Of the logarithm of seconds.
    Lognormal { mean: f64, deviation: f64 },
    /// Any of these is as likely as the others.
    Measured { gaps_ms: Vec<u32> },
}

impl Service {
    /// The narrower of the two lognormals that fit. `p95_s` is between the mean and [`LOGNORMAL_P95_PER_MEAN`] times
    /// it.
    pub(super) fn lognormal(mean_s: f64, p95_s: f64) -> Self {
        let deviation = Z95 - (Z95 * Z95 - 2.0 * (p95_s / mean_s).ln()).max(0.0).sqrt();
        Self::Lognormal { mean: mean_s.ln() - deviation * deviation / 2.0, deviation }
    }

    /// `gaps_s` is not empty.
    pub(super) fn measured(gaps_s: &[f64]) -> Self {
        Self::Measured { gaps_ms: gaps_s.iter().map(|gap_s| bounded(gap_s * 1_000.0)).collect() }
    }

    pub(super) fn draw_ms(&self, chance: &mut Chance) -> u32 {
        match self {
            Self::Lognormal { mean, deviation } => bounded((mean + deviation * chance.normal()).exp() * 1_000.0),
            Self::Measured { gaps_ms } => gaps_ms.get(chance.index(gaps_ms.len())).copied().unwrap_or(1),
        }
    }

    pub(super) fn mean_s(&self) -> f64 {
        match self {
            Self::Lognormal { mean, deviation } => (mean + deviation * deviation / 2.0).exp(),
            Self::Measured { gaps_ms } => {
                let sum_ms: u64 = gaps_ms.iter().map(|&gap_ms| u64::from(gap_ms)).sum();
                number(sum_ms) / length(gaps_ms.len()) / 1_000.0
            }
        }
    }
}

fn bounded(ms: f64) -> u32 {
    u32::try_from(whole(ms).clamp(1, LONGEST_MS)).unwrap_or(1)
}
