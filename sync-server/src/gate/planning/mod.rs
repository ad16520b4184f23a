//! Planning an event's gates: how long guests will wait, how many lanes that takes, and on the night whether it still
//! holds.
//!
//! Owns no table and calls nobody: what the organiser expects goes in, figures come out. Means cannot answer the
//! question, since a queue comes from the minutes in which more guests come than lanes can take; so evenings are played
//! guest by guest, many of them, and the figures are taken from all.
//!
//! Architecture invariants: no clock, no I/O, and no chance but from the seed; the same plan and seed give the same
//! answer. Nothing below [`check`] looks for mistakes. A recommendation is never worse than the plan it was asked
//! about.

mod allocate;
mod arrange;
mod arrivals;
mod chance;
mod check;
mod course;
mod error;
mod input;
mod lanes;
mod model;
mod queue;
mod report;
mod routes;
mod score;
mod service;
mod spare;
mod stage;
mod tally;
mod tonight;

#[cfg(test)]
mod tests;

pub use allocate::recommend;
pub use check::check;
pub use error::{FactsError, PlanError};
pub use input::{
    ArrivalsInput, ClassInput, Discipline, EntranceInput, EntranceShareInput, LaneInput, PlanInput, ServiceInput,
};
pub use model::Plan;
pub use report::{
    Change, ClassOutlook, Comparison, EntranceNeed, EntranceOutlook, EntranceTimeline, Forecast, LaneTimeline, Minute,
    Outlook, Pace, Recommendation, ServiceUsed, Spread, Standing, Waits, Warning,
};
pub use tonight::{EntranceFacts, Facts, compare};

/// Plays the plan's evenings and tells their course, minute by minute.
#[must_use]
pub fn simulate(plan: &Plan, seed: u64) -> Forecast {
    let stage = stage::Stage::new(plan, &plan.lanes);
    let mut tally = tally::Tally::new(plan);
    let mut courses = course::Courses::new(plan);
    for number in 0..plan.evenings {
        let visits = stage.play(&arrivals::evening(plan, seed, number));
        tally.add(&visits);
        courses.add(&visits);
    }
    let (entrances, lanes) = courses.timelines();
    Forecast { outlook: tally.outlook(), entrances, lanes }
}
