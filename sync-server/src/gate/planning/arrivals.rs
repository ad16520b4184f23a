//! Who comes when: arrival curves, and the crowd of an evening drawn from them.
//!
//! An evening has exactly the expected number of guests, each coming at a moment of their own along the curve. That is
//! what a Poisson process with this curve is once its number is known; and the number is known, since tickets are sold.
//! A number that varied too would ask for lanes against guests who don't exist.

use super::chance::Chance;
use super::model::{Plan, minutes_to_ms};

/// A straight piece of a curve. Weights are per minute and scaled so that the whole curve holds 1.
#[derive(Debug, Clone, PartialEq)]
struct Piece {
    from_min: f64,
    length_min: f64,
    weight: f64,
    slope: f64,
    /// The share that has come before this piece.
    before: f64,
}

/// When the guests of a class come.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Curve(Vec<Piece>);

impl Curve {
    /// From checked points: two or more, minutes ascending, weights not all 0.
    pub(super) fn density(points: &[(f64, f64)]) -> Self {
        Self::of(points.windows(2).map(|pair| (pair[0].0, pair[1].0 - pair[0].0, pair[0].1, pair[1].1)))
    }

    /// From checked points: two or more, minutes ascending, shares from 0 to 1 and never falling.
    pub(super) fn arrived(points: &[(f64, f64)]) -> Self {
        Self::of(points.windows(2).map(|pair| {
            let length_min = pair[1].0 - pair[0].0;
            let weight = (pair[1].1 - pair[0].1) / length_min;
            (pair[0].0, length_min, weight, weight)
        }))
    }

    fn of(pieces: impl Iterator<Item = (f64, f64, f64, f64)> + Clone) -> Self {
        let total: f64 = pieces.clone().map(|(_, length_min, left, right)| length_min * (left + right) / 2.0).sum();
        let mut before = 0.0;
        let scaled = pieces.map(|(from_min, length_min, left, right)| {
            let slope = (right - left) / length_min / total;
            let piece = Piece { from_min, length_min, weight: left / total, slope, before };
            before += length_min * (left + right) / 2.0 / total;
            piece
        });
        Self(scaled.collect())
    }

    /// The minute by which this share has come.
    pub(super) fn minute(&self, share: f64) -> f64 {
        let at = self.0.partition_point(|piece| piece.before <= share).saturating_sub(1);
        let Some(piece) = self.0.get(at) else { return 0.0 };
        let inside = share - piece.before;
        if inside <= 0.0 {
            return piece.from_min;
        }
        // The root of `weight * x + slope * x² / 2 = inside`, in the form that loses no digits where the slope is
        // small.
        let root = (piece.weight * piece.weight + 2.0 * piece.slope * inside).max(0.0).sqrt();
        piece.from_min + (2.0 * inside / (piece.weight + root)).min(piece.length_min)
    }

    pub(super) fn first_minute(&self) -> f64 {
        self.0.first().map_or(0.0, |piece| piece.from_min)
    }
}

/// One guest of one evening. What is drawn belongs to the guest, whatever lanes there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Guest {
    pub at_ms: i32,
    /// How long a lane will be busy with this guest.
    pub service_ms: u32,
    /// What decides the entrance: see [`Routes`](super::routes::Routes).
    pub choice: u32,
    /// An index.
    pub class: u8,
}

/// The guests of one evening, in the order in which they come.
pub(super) fn evening(plan: &Plan, seed: u64, evening: u32) -> Vec<Guest> {
    let mut guests = Vec::with_capacity(plan.guests() as usize);
    for (index, class) in (0_u8..).zip(&plan.classes) {
        let mut chance = Chance::of(&[seed, u64::from(evening), u64::from(class.id)]);
        guests.extend((0..class.guests).map(|_| {
            let at_ms = minutes_to_ms(class.curve.minute(chance.unit()));
            Guest {
                at_ms: i32::try_from(at_ms).unwrap_or(i32::MAX),
                choice: chance.half(),
                service_ms: plan.service.draw_ms(&mut chance),
                class: index,
            }
        }));
    }
    guests.sort_by_key(|guest| guest.at_ms);
    guests
}

/// The first `evenings` evenings of a seed.
pub(super) fn evenings(plan: &Plan, seed: u64, evenings: u32) -> Vec<Vec<Guest>> {
    (0..evenings).map(|number| evening(plan, seed, number)).collect()
}
