//! Chance from a seed: one seed plays the same evenings every time.
//!
//! Every evening and class has a stream of its own, and every guest takes the same count of numbers from it. So two
//! plans are compared on the same guests (common random numbers), and what differs between them is the plan.

/// A stream of random numbers (`SplitMix64`'s recurrence).
#[derive(Debug, Clone)]
pub(super) struct Chance(u64);

impl Chance {
    /// The stream that belongs to these labels, unlike that of any others.
    pub(super) fn of(labels: &[u64]) -> Self {
        let mut stream = Self(0x5EED_0F6A_7EF1_2A3B);
        for label in labels {
            stream = Self(stream.number() ^ Self(*label).number());
        }
        stream
    }

    pub(super) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// The upper half of a number.
    pub(super) fn half(&mut self) -> u32 {
        u32::try_from(self.number() >> 32).unwrap_or(u32::MAX)
    }

    /// Even in `0..1`, never 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
    pub(super) fn unit(&mut self) -> f64 {
        (self.number() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// One of `0..count`; 0 where `count` is 0.
    pub(super) fn index(&mut self, count: usize) -> usize {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        let scaled = (u128::from(self.number()) * u128::from(count)) >> 64;
        usize::try_from(scaled).unwrap_or(0)
    }

    /// Normal: mean 0, deviation 1 (Box and Muller). Always two numbers of the stream's `unit`.
    pub(super) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }
}
