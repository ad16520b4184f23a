//! Sets of lanes: which ones still let everybody in, which lane to copy where more are needed, and how many.

use super::model::{ClassSet, Lane, NEVER_MS, Plan};

/// The most lanes that are added to an entrance: with more missing, lanes are not what is wrong.
pub(super) const MOST_MORE: u32 = 64;

/// All classes that some lane of the entrance takes.
pub(super) fn taken_at(lanes: &[Lane], entrance: usize) -> ClassSet {
    let here = lanes.iter().filter(|lane| lane.entrance == entrance);
    here.flat_map(|lane| lane.takes.iter()).fold(ClassSet::NONE, ClassSet::with)
}

/// Whether every entrance takes at least what it takes in the plan, so that nobody is turned away from where they go.
pub(super) fn keep_all(plan: &Plan, lanes: &[Lane]) -> bool {
    (0..plan.entrances.len()).all(|entrance| taken_at(&plan.lanes, entrance).is_within(taken_at(lanes, entrance)))
}

/// The lane to have more of for the guests of a class: the one that takes the most besides.
pub(super) fn relief(lanes: &[Lane], entrance: usize, class: usize) -> Option<usize> {
    let taking = lanes.iter().enumerate().filter(|(_, lane)| lane.entrance == entrance && lane.takes.has(class));
    // Of equals, the first.
    taking.max_by_key(|(at, lane)| (lane.takes.count(), std::cmp::Reverse(*at))).map(|(at, _)| at)
}

/// From when a lane is open that is open for the whole evening: as early as the first of its entrance, and with the
/// doors at the latest.
pub(super) fn whole_evening_from_ms(lanes: &[Lane], entrance: usize) -> i64 {
    lanes.iter().filter(|lane| lane.entrance == entrance).map(|lane| lane.open_ms).min().unwrap_or(0).min(0)
}

/// `count` lanes that take what this one takes, from `open_ms` on.
pub(super) fn more_like(lane: &Lane, count: u32, open_ms: i64) -> impl Iterator<Item = Lane> {
    let copy = Lane { id: None, open_ms, close_ms: NEVER_MS, ..lane.clone() };
    (0..count).map(move |_| copy.clone())
}

/// The smallest count up to `most` that is enough, where more is never less: doubles, then halves.
pub(super) fn fewest(most: u32, mut enough: impl FnMut(u32) -> bool) -> Option<u32> {
    let (mut too_few, mut tried) = (None, 0);
    while !enough(tried) {
        if tried == most {
            return None;
        }
        too_few = Some(tried);
        tried = (tried * 2).clamp(1, most);
    }
    let mut from = too_few.map_or(0, |count| count + 1);
    while from < tried {
        let middle = from.midpoint(tried);
        if enough(middle) { tried = middle } else { from = middle + 1 }
    }
    Some(tried)
}
