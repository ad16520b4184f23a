//! From what happened to each guest to an outlook: percentiles over the guests of all evenings.

use super::model::{Plan, length, ms_to_minutes, number};
use super::report::{ClassOutlook, EntranceOutlook, Outlook, Spread, Waits};
use super::stage::{NEVER_IN_MS, Visit};

/// The wait that this share of them doesn't exceed (nearest rank); reorders them. None of none.
pub(super) fn percentile_ms(waits_ms: &mut [u32], percent: usize) -> Option<u32> {
    let rank = (waits_ms.len() * percent).div_ceil(100).max(1) - 1;
    (rank < waits_ms.len()).then(|| *waits_ms.select_nth_unstable(rank).1)
}

pub(super) fn seconds(wait_ms: u32) -> Option<f64> {
    (wait_ms != NEVER_IN_MS).then(|| f64::from(wait_ms) / 1_000.0)
}

/// None of none.
pub(super) fn waits(waits_ms: &mut [u32]) -> Option<Waits> {
    let mut percentile = |percent| percentile_ms(waits_ms, percent).map(seconds);
    Some(Waits { p50_s: percentile(50)?, p95_s: percentile(95)?, max_s: percentile(100)? })
}

/// What is kept of an entrance, evening by evening.
#[derive(Debug, Clone, Default)]
struct Kept {
    waits_ms: Vec<u32>,
    left_outside: u64,
    longest_queue: Vec<f64>,
    last_in_min: Vec<f64>,
}

impl Kept {
    fn add(&mut self, visits: &[Visit]) {
        self.waits_ms.extend(visits.iter().map(|visit| visit.wait_ms));
        let outside = visits.iter().filter(|visit| visit.passage.is_none()).count();
        self.left_outside += u64::try_from(outside).unwrap_or(0);
        self.longest_queue.push(length(longest_queue(visits)));
        let last_ms = visits.iter().filter_map(|visit| visit.passage).map(|(_, _, end_ms)| end_ms).max();
        self.last_in_min.extend(last_ms.map(ms_to_minutes));
    }
}

/// The most who waited at one moment. `visits` are in the order in which guests came.
fn longest_queue(visits: &[Visit]) -> usize {
    let mut starts: Vec<i64> =
        visits.iter().filter_map(|visit| visit.passage).map(|(_, start_ms, _)| start_ms).collect();
    starts.sort_unstable();
    let mut begun = 0;
    let waiting = visits.iter().enumerate().map(|(before, visit)| {
        while starts.get(begun).is_some_and(|start_ms| *start_ms <= visit.at_ms) {
            begun += 1;
        }
        (before + 1).saturating_sub(begun)
    });
    waiting.max().unwrap_or(0)
}

fn spread(figures: &mut [f64]) -> Spread {
    figures.sort_unstable_by(f64::total_cmp);
    let at = |rank: Option<usize>| rank.and_then(|rank| figures.get(rank)).copied().unwrap_or(0.0);
    let median = figures.len().div_ceil(2).checked_sub(1);
    Spread { typical: at(median), worst: at(figures.len().checked_sub(1)) }
}

/// Collects evenings.
#[derive(Debug)]
pub(super) struct Tally<'a> {
    plan: &'a Plan,
    evenings: u32,
    evenings_kept: u32,
    entrances: Vec<Kept>,
    class_waits_ms: Vec<Vec<u32>>,
    longest_queue: Vec<f64>,
    last_in_min: Vec<f64>,
}

impl<'a> Tally<'a> {
    pub(super) fn new(plan: &'a Plan) -> Self {
        Self {
            plan,
            evenings: 0,
            evenings_kept: 0,
            entrances: vec![Kept::default(); plan.entrances.len()],
            class_waits_ms: vec![Vec::new(); plan.classes.len()],
            longest_queue: Vec::new(),
            last_in_min: Vec::new(),
        }
    }

    /// `evening` has the visits by entrance.
    pub(super) fn add(&mut self, evening: &[Vec<Visit>]) {
        self.evenings += 1;
        let mut waits_ms: Vec<u32> = evening.iter().flatten().map(|visit| visit.wait_ms).collect();
        if percentile_ms(&mut waits_ms, 95).is_some_and(|p95_ms| p95_ms <= self.plan.wanted_ms) {
            self.evenings_kept += 1;
        }
        for (kept, visits) in self.entrances.iter_mut().zip(evening) {
            kept.add(visits);
        }
        let longest = self.entrances.iter().filter_map(|kept| kept.longest_queue.last().copied());
        self.longest_queue.push(longest.fold(0.0, f64::max));
        let ends = evening.iter().flatten().filter_map(|visit| visit.passage).map(|(_, _, end_ms)| end_ms);
        self.last_in_min.extend(ends.max().map(ms_to_minutes));
        for visit in evening.iter().flatten() {
            self.class_waits_ms[visit.class].push(visit.wait_ms);
        }
    }

    pub(super) fn outlook(mut self) -> Outlook {
        let evenings = f64::from(self.evenings.max(1));
        let left_outside: u64 = self.entrances.iter().map(|kept| kept.left_outside).sum();
        let mut all: Vec<u32> = self.entrances.iter().flat_map(|kept| &kept.waits_ms).copied().collect();
        let entrances =
            self.plan.entrances.iter().zip(&mut self.entrances).map(|(&entrance_id, kept)| EntranceOutlook {
                entrance_id,
                guests: length(kept.waits_ms.len()) / evenings,
                waits: waits(&mut kept.waits_ms),
                longest_queue: spread(&mut kept.longest_queue),
                last_in_min: spread(&mut kept.last_in_min),
                left_outside: number(kept.left_outside) / evenings,
            });
        let entrances = entrances.collect();
        let classes = self.plan.classes.iter().zip(&mut self.class_waits_ms).map(|(class, waits_ms)| ClassOutlook {
            class: class.id,
            guests: class.guests,
            waits: waits(waits_ms),
        });
        Outlook {
            waits: waits(&mut all).unwrap_or(Waits { p50_s: None, p95_s: None, max_s: None }),
            longest_queue: spread(&mut self.longest_queue),
            last_in_min: spread(&mut self.last_in_min),
            left_outside: number(left_outside) / evenings,
            evenings_kept: self.evenings_kept,
            evenings: self.evenings,
            entrances,
            classes: classes.collect(),
        }
    }
}
