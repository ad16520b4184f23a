//! A set of lanes on which evenings are played: guests walk to their entrances, and each entrance plays its queues.
//!
//! It also says from when a wait counts. Guests who come before the doors open have chosen to stand there, and no
//! number of lanes would let them in: their wait counts from the doors, or from when the first lane that takes them
//! opens, if that is earlier. A lane that opens after the doors lets everybody's wait count.

use super::arrivals::Guest;
use super::model::{Lane, Plan};
use super::queue::{Gate, Passage, play};
use super::routes::{Routes, divide};

/// The wait of a guest who never gets in.
pub(super) const NEVER_IN_MS: u32 = u32::MAX;

/// What happened to one guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Visit {
    /// An index.
    pub class: usize,
    pub at_ms: i64,
    /// [`NEVER_IN_MS`] without a passage.
    pub wait_ms: u32,
    /// The lane's index in the plan, when service began, and when it ended.
    pub passage: Option<(usize, i64, i64)>,
}

/// One entrance with its lanes.
#[derive(Debug, Clone)]
pub(super) struct Post {
    gates: Vec<Gate>,
    /// The gates' indices in the plan.
    lanes: Vec<usize>,
    /// By class.
    counts_from_ms: Vec<i64>,
}

impl Post {
    pub(super) fn new(plan: &Plan, lanes: &[Lane], entrance: usize) -> Self {
        let here = || lanes.iter().enumerate().filter(move |(_, lane)| lane.entrance == entrance);
        let counts_from_ms = (0..plan.classes.len()).map(|class| {
            let opens = here().filter(|(_, lane)| lane.takes.has(class)).map(|(_, lane)| lane.open_ms);
            opens.min().unwrap_or(0).min(0)
        });
        Self {
            gates: here().map(|(_, lane)| Gate::of(lane)).collect(),
            lanes: here().map(|(at, _)| at).collect(),
            counts_from_ms: counts_from_ms.collect(),
        }
    }

    /// The gates from `now_ms` on, for a queue that stands there already. What waits count from stays.
    pub(super) fn from(mut self, now_ms: i64) -> Self {
        for gate in &mut self.gates {
            gate.open_ms = gate.open_ms.max(now_ms);
            gate.close_ms = gate.close_ms.max(now_ms);
        }
        self
    }

    /// `guests` are sorted by when they come.
    pub(super) fn play(&self, plan: &Plan, guests: &[Guest]) -> Vec<Visit> {
        let passages = play(plan.discipline, &self.gates, guests);
        guests.iter().zip(passages).map(|(guest, passage)| self.visit(guest, passage)).collect()
    }

    fn visit(&self, guest: &Guest, passage: Option<Passage>) -> Visit {
        let (class, at_ms) = (usize::from(guest.class), i64::from(guest.at_ms));
        let wait_ms = passage.map_or(NEVER_IN_MS, |passage| {
            let wait_ms = (passage.start_ms - at_ms.max(self.counts_from_ms[class])).max(0);
            u32::try_from(wait_ms).unwrap_or(NEVER_IN_MS - 1).min(NEVER_IN_MS - 1)
        });
        let passage = passage.map(|passage| (self.lanes[passage.gate], passage.start_ms, passage.end_ms));
        Visit { class, at_ms, wait_ms, passage }
    }
}

/// All entrances.
#[derive(Debug, Clone)]
pub(super) struct Stage<'a> {
    plan: &'a Plan,
    routes: Routes,
    posts: Vec<Post>,
}

impl<'a> Stage<'a> {
    pub(super) fn new(plan: &'a Plan, lanes: &[Lane]) -> Self {
        let posts = (0..plan.entrances.len()).map(|entrance| Post::new(plan, lanes, entrance));
        Self { plan, routes: Routes::new(plan, lanes), posts: posts.collect() }
    }

    /// The evening's visits, by entrance.
    pub(super) fn play(&self, evening: &[Guest]) -> Vec<Vec<Visit>> {
        let divided = divide(&self.routes, self.posts.len(), evening);
        self.posts.iter().zip(&divided).map(|(post, guests)| post.play(self.plan, guests)).collect()
    }
}
