//! The plan as the rest of planning works with it: checked, in indices and whole milliseconds.
//!
//! Only [`check`](super::check) makes a [`Plan`] from what an organiser wrote, so nothing below it looks for mistakes.
//! Times count from the doors' opening and are whole milliseconds: they sort without surprises, and a last digit in
//! which two machines' mathematics differ is gone before it can change who comes first.

use super::arrivals::Curve;
use super::input::Discipline;
use super::service::Service;

pub(super) const MINUTE_MS: i64 = 60_000;
/// The closing time of a lane that stays open.
pub(super) const NEVER_MS: i64 = i64::MAX;

/// A set of classes, by their index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct ClassSet(u64);

impl ClassSet {
    /// The most classes of a plan.
    pub(super) const MOST: usize = 64;
    pub(super) const NONE: Self = Self(0);

    pub(super) fn first(count: usize) -> Self {
        (0..count).fold(Self::NONE, Self::with)
    }

    pub(super) fn has(self, class: usize) -> bool {
        self.0 >> class & 1 == 1
    }

    pub(super) fn with(self, class: usize) -> Self {
        Self(self.0 | 1 << class)
    }

    pub(super) fn without(self, class: usize) -> Self {
        Self(self.0 & !(1 << class))
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn is_within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    pub(super) fn count(self) -> u32 {
        self.0.count_ones()
    }

    /// Ascending.
    pub(super) fn iter(self) -> impl Iterator<Item = usize> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let class = rest.trailing_zeros();
            rest &= rest.wrapping_sub(1);
            (class < 64).then_some(class as usize)
        })
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Class {
    pub id: u16,
    pub guests: u32,
    pub curve: Curve,
    /// How the guests divide over the entrances, by index, adding up to 1; none where they follow the lanes.
    pub shares: Option<Vec<f64>>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Lane {
    /// None for a lane that only a recommendation has.
    pub id: Option<u32>,
    pub entrance: usize,
    /// What the lane can be given at all.
    pub may_take: ClassSet,
    /// What it is given: within `may_take`.
    pub takes: ClassSet,
    pub open_ms: i64,
    pub close_ms: i64,
}

/// A checked plan of an event's gates.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub(super) classes: Vec<Class>,
    /// The entrances' ids.
    pub(super) entrances: Vec<u32>,
    pub(super) lanes: Vec<Lane>,
    pub(super) service: Service,
    pub(super) discipline: Discipline,
    pub(super) wanted_ms: u32,
    pub(super) evenings: u32,
}

impl Plan {
    pub(super) fn guests(&self) -> u32 {
        self.classes.iter().map(|class| class.guests).sum()
    }

    /// The same event with other lanes.
    pub(super) fn with_lanes(&self, lanes: &[Lane]) -> Self {
        Self { lanes: lanes.to_vec(), ..self.clone() }
    }
}

/// The nearest whole number. The values of a checked plan are far from the ends.
#[expect(clippy::cast_possible_truncation, reason = "`as` keeps to the ends, and nothing here is near them")]
pub(super) fn whole(value: f64) -> i64 {
    value.round() as i64
}

/// A count as a number to calculate with.
#[expect(clippy::cast_precision_loss, reason = "counts and sums here are far below 2^53")]
pub(super) fn number(count: u64) -> f64 {
    count as f64
}

/// A length as a number to calculate with.
pub(super) fn length(count: usize) -> f64 {
    number(u64::try_from(count).unwrap_or(u64::MAX))
}

pub(super) fn minutes_to_ms(minutes: f64) -> i64 {
    whole(minutes * 60_000.0)
}

#[expect(clippy::cast_precision_loss, reason = "times here are far below 2^53")]
pub(super) fn ms_to_minutes(at_ms: i64) -> f64 {
    at_ms as f64 / 60_000.0
}

/// The minute that a moment lies in.
pub(super) fn minute_of(at_ms: i64) -> i64 {
    at_ms.div_euclid(MINUTE_MS)
}
