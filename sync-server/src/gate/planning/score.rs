//! How good a set of lanes is, and when another set is better.
//!
//! The wanted wait is a promise to every class at every entrance: 95 % of its guests wait no longer. A figure over all
//! guests would forget the few wheelchair users at the one lane that is wide enough. So the first thing that counts is
//! guests left outside; the second, guests who wait too long beyond the 5 % who may; the third, the 95th percentile of
//! all.

use super::arrivals::Guest;
use super::model::{ClassSet, Lane, Plan, number};
use super::stage::{NEVER_IN_MS, Stage, Visit};
use super::tally::percentile_ms;

/// A change that helps fewer guests an evening isn't worth asking for.
const GAIN_GUESTS: f64 = 1.0;
/// Of the guests who wait too long, the share that a change must help.
const GAIN_SHARE: f64 = 0.02;
/// Where nobody gains the promise, the 95th percentile must fall by as much, and by as large a share of it.
const GAIN_P95_MS: f64 = 15_000.0;
const GAIN_P95_SHARE: f64 = 0.1;

/// One class at one entrance, over all evenings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Cell {
    pub guests: u64,
    /// Who waited longer than wanted, those left outside among them.
    pub late: u64,
    pub outside: u64,
}

impl Cell {
    pub(super) fn add(&mut self, visit: &Visit, wanted_ms: u32) {
        self.guests += 1;
        self.late += u64::from(visit.wait_ms > wanted_ms);
        self.outside += u64::from(visit.wait_ms == NEVER_IN_MS);
    }

    /// 95 % waited no longer than wanted, and everybody got in.
    pub(super) fn is_met(self) -> bool {
        self.late * 20 <= self.guests && self.outside == 0
    }

    fn beyond(self) -> f64 {
        (number(self.late) - number(self.guests) / 20.0).max(0.0)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Score {
    /// By entrance, then by class.
    cells: Vec<Vec<Cell>>,
    /// Guests of an evening.
    outside: f64,
    beyond: f64,
    p95_ms: u32,
}

impl Score {
    /// Plays all evenings on these lanes.
    pub(super) fn of(plan: &Plan, lanes: &[Lane], evenings: &[Vec<Guest>]) -> Self {
        let stage = Stage::new(plan, lanes);
        let mut cells = vec![vec![Cell::default(); plan.classes.len()]; plan.entrances.len()];
        let mut waits_ms = Vec::with_capacity(evenings.iter().map(Vec::len).sum());
        for evening in evenings {
            for (visits, cells) in stage.play(evening).iter().zip(&mut cells) {
                for visit in visits {
                    cells[visit.class].add(visit, plan.wanted_ms);
                    waits_ms.push(visit.wait_ms);
                }
            }
        }
        let an_evening = 1.0 / number(evenings.len().max(1) as u64);
        let outside: u64 = cells.iter().flatten().map(|cell| cell.outside).sum();
        let beyond: f64 = cells.iter().flatten().map(|cell| cell.beyond()).sum();
        let p95_ms = percentile_ms(&mut waits_ms, 95).unwrap_or(0);
        Self { cells, outside: number(outside) * an_evening, beyond: beyond * an_evening, p95_ms }
    }

    pub(super) fn entrances(&self) -> usize {
        self.cells.len()
    }

    pub(super) fn is_met(&self) -> bool {
        (0..self.entrances()).all(|entrance| self.is_met_at(entrance))
    }

    pub(super) fn is_met_at(&self, entrance: usize) -> bool {
        self.cells[entrance].iter().all(|cell| cell.is_met())
    }

    pub(super) fn is_met_for(&self, entrance: usize, class: usize) -> bool {
        self.cells[entrance][class].is_met()
    }

    /// Of the classes whose promise is missed, the one with the most guests who wait too long.
    pub(super) fn worst_class(&self, entrance: usize, except: ClassSet) -> Option<usize> {
        let cells = self.cells[entrance].iter().enumerate();
        let missed = cells.filter(|(class, cell)| !cell.is_met() && !except.has(*class));
        missed.max_by_key(|(class, cell)| (cell.late, std::cmp::Reverse(*class))).map(|(class, _)| class)
    }

    /// Keeps the promise to more guests, by enough to ask for lanes or hours.
    pub(super) fn keeps_more_than(&self, other: &Self) -> bool {
        if (self.outside - other.outside).abs() >= GAIN_GUESTS {
            return self.outside < other.outside;
        }
        self.outside <= other.outside && other.beyond - self.beyond >= GAIN_GUESTS.max(other.beyond * GAIN_SHARE)
    }

    /// Keeps more, or keeps as much and lets everybody wait less, by enough to ask for what costs nothing.
    pub(super) fn is_worth_more_than(&self, other: &Self) -> bool {
        let gain_ms = f64::from(other.p95_ms) - f64::from(self.p95_ms);
        let keeps_as_much = self.outside <= other.outside && self.beyond <= other.beyond;
        self.keeps_more_than(other)
            || keeps_as_much && gain_ms >= GAIN_P95_MS.max(f64::from(other.p95_ms) * GAIN_P95_SHARE)
    }

    /// Worse at all, by the first of the three that differs.
    pub(super) fn is_worse_than(&self, other: &Self) -> bool {
        let order = self.outside.total_cmp(&other.outside).then(self.beyond.total_cmp(&other.beyond));
        order.then(self.p95_ms.cmp(&other.p95_ms)).is_gt()
    }
}
