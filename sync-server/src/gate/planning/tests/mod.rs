//! Plans for tests, and what all tests say in the same words.

mod advice;
mod evening;
mod mistakes;
mod night;
mod properties;
mod scenes;
mod textbook;

use super::{
    ArrivalsInput, ClassInput, Discipline, EntranceInput, LaneInput, Plan, PlanInput, ServiceInput, check, simulate,
};

fn class(class: u16, guests: i64, density: &[(f64, f64)]) -> ClassInput {
    ClassInput {
        class,
        name: format!("Class {class}"),
        guests,
        arrivals: ArrivalsInput::Density(density.to_vec()),
        entrance_shares: Vec::new(),
    }
}

fn lane(lane_id: u32, entrance_id: u32) -> LaneInput {
    LaneInput {
        lane_id,
        name: format!("Lane {lane_id}"),
        entrance_id,
        takes: Vec::new(),
        may_take: Vec::new(),
        open_from_min: 0.0,
        open_until_min: None,
    }
}

/// The issue's case with any number of lanes at each of its entrances: 6,000 guests in 90 minutes, at the peak twice as
/// many as on average, a lane busy for 6 s on average and for 14 s with one in twenty.
fn issue(lanes: &[u32]) -> PlanInput {
    let entrances = 1_u32..;
    let lanes =
        entrances.zip(lanes).flat_map(|(at, count)| (1..=*count).map(move |number| lane(at * 100 + number, at)));
    let lanes: Vec<LaneInput> = lanes.collect();
    let entrance = |at: u32| EntranceInput { entrance_id: at, name: format!("Entrance {at}") };
    PlanInput {
        classes: vec![class(1, 6_000, &[(0.0, 0.0), (45.0, 2.0), (90.0, 0.0)])],
        entrances: (1..=lanes.last().map_or(1, |lane| lane.entrance_id)).map(entrance).collect(),
        lanes,
        service: ServiceInput::Lognormal { mean_s: 6.0, p95_s: 14.0 },
        discipline: Discipline::LaneQueues,
        p95_wait_s: 600.0,
        evenings: 20,
    }
}

fn plan(input: &PlanInput) -> Plan {
    check(input).expect("a plan without mistakes")
}

fn p95_s(input: &PlanInput) -> f64 {
    simulate(&plan(input), 1).outlook.waits.p95_s.expect("everybody gets in")
}

/// `found` is within this share of `expected`.
#[track_caller]
fn close(found: f64, expected: f64, share: f64) {
    assert!((found - expected).abs() <= share * expected, "{found} is not within {share} of {expected}");
}
