//! Which classes to give to which lanes: a bounded search by single swaps, the same every time.
//!
//! It starts from the plan and from lanes that take all they may (pooling is usually best: a lane that may not take the
//! next guest stands idle beside a queue), gives or withdraws one class at one lane while that is worth it, keeps the
//! better of the two, and takes back every change that the result does not need. A lane never gets a class that it may
//! not take, and an entrance never loses one.

use super::arrivals::{Guest, evenings};
use super::lanes::keep_all;
use super::model::{Lane, Plan};
use super::score::Score;

/// The search plays evenings of its own, so that a change has to prove itself on the plan's.
const SEARCH: u64 = 0xA1_10CA7E;
/// Guests in all evenings of one trial.
const TRIAL_GUESTS: u32 = 60_000;
/// The most trials from one start, and to take changes back.
const MOST_TRIALS: u32 = 150;

/// The plan's lanes, with other classes where that is worth it.
pub(super) fn arrange(plan: &Plan, seed: u64) -> Vec<Lane> {
    let pooled = pooled(&plan.lanes);
    if pooled == plan.lanes && plan.classes.len() == 1 {
        return pooled;
    }
    let played = (TRIAL_GUESTS / plan.guests().max(1)).clamp(2, plan.evenings.max(2));
    let crowd = evenings(plan, seed ^ SEARCH, played);
    let (planned, planned_score) = climb(plan, plan.lanes.clone(), &crowd);
    if pooled == plan.lanes {
        return prune(plan, planned, planned_score, &crowd);
    }
    let (pooled, pooled_score) = climb(plan, pooled, &crowd);
    if pooled_score.is_worth_more_than(&planned_score) {
        prune(plan, pooled, pooled_score, &crowd)
    } else {
        prune(plan, planned, planned_score, &crowd)
    }
}

/// Every lane takes all that it may.
pub(super) fn pooled(lanes: &[Lane]) -> Vec<Lane> {
    lanes.iter().map(|lane| Lane { takes: lane.may_take, ..lane.clone() }).collect()
}

/// Swaps while one is worth it.
fn climb(plan: &Plan, mut lanes: Vec<Lane>, crowd: &[Vec<Guest>]) -> (Vec<Lane>, Score) {
    let mut score = Score::of(plan, &lanes, crowd);
    let mut trials = MOST_TRIALS;
    'swapped: loop {
        for (lane, class) in swaps(&lanes) {
            if trials == 0 {
                break 'swapped;
            }
            let trial = swapped(&lanes, lane, class);
            if !allowed(plan, &trial) {
                continue;
            }
            trials -= 1;
            let trial_score = Score::of(plan, &trial, crowd);
            if trial_score.is_worth_more_than(&score) {
                (lanes, score) = (trial, trial_score);
                continue 'swapped;
            }
        }
        break;
    }
    (lanes, score)
}

/// Every lane with every class that it may take. Of lanes that are alike, only the first is swapped.
fn swaps(lanes: &[Lane]) -> Vec<(usize, usize)> {
    let alike = |one: &Lane, other: &Lane| Lane { id: None, ..one.clone() } == Lane { id: None, ..other.clone() };
    let first = |at: &usize| !lanes[..*at].iter().any(|earlier| alike(earlier, &lanes[*at]));
    (0..lanes.len()).filter(first).flat_map(|at| lanes[at].may_take.iter().map(move |class| (at, class))).collect()
}

/// Whether every lane and every entrance is left something to do.
fn allowed(plan: &Plan, lanes: &[Lane]) -> bool {
    lanes.iter().all(|lane| !lane.takes.is_empty()) && keep_all(plan, lanes)
}

/// Gives the class to the lane, or withdraws it.
fn swapped(lanes: &[Lane], lane: usize, class: usize) -> Vec<Lane> {
    let mut lanes = lanes.to_vec();
    let takes = lanes[lane].takes;
    lanes[lane].takes = if takes.has(class) { takes.without(class) } else { takes.with(class) };
    lanes
}

/// Takes back what is not worth its change.
fn prune(plan: &Plan, mut lanes: Vec<Lane>, mut score: Score, crowd: &[Vec<Guest>]) -> Vec<Lane> {
    let mut trials = MOST_TRIALS;
    for (at, planned) in plan.lanes.iter().enumerate() {
        for class in 0..plan.classes.len() {
            if lanes[at].takes.has(class) == planned.takes.has(class) || trials == 0 {
                continue;
            }
            let trial = swapped(&lanes, at, class);
            if !allowed(plan, &trial) {
                continue;
            }
            trials -= 1;
            let trial_score = Score::of(plan, &trial, crowd);
            if !score.is_worth_more_than(&trial_score) {
                (lanes, score) = (trial, trial_score);
            }
        }
    }
    lanes
}
