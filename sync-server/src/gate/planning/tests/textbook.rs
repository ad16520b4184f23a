//! Against queues that can be calculated: the figures of a long, level evening are those of the textbook.

use super::super::arrivals::evening;
use super::super::chance::Chance;
use super::super::model::{length, ms_to_minutes};
use super::super::service::Service;
use super::super::stage::Stage;
use super::*;

/// Guests of an evening, which fill a day and a half. Many, since an evening begins with empty lanes.
const GUESTS: i64 = 200_000;
const MINUTES: f64 = 2_160.0;

/// Gaps whose distribution is exponential, but for its last ten-thousandth.
fn exponential(mean_s: f64) -> ServiceInput {
    let gaps_s = (0..20_000).map(|rank| -mean_s * (1.0 - (f64::from(rank) + 0.5) / 20_000.0).ln());
    ServiceInput::Measured { gaps_s: gaps_s.collect() }
}

/// Guests at an even rate to one entrance whose lanes are busy for `load` of the time.
fn level(
    how: Discipline,
    lanes: u32,
    load: f64,
    evenings: i64,
    service: impl Fn(f64) -> ServiceInput,
) -> (PlanInput, f64) {
    let mean_s = MINUTES * 60.0 / GUESTS as f64 * load * f64::from(lanes);
    let input = PlanInput {
        classes: vec![class(1, GUESTS, &[(-720.0, 1.0), (1_440.0, 1.0)])],
        lanes: issue(&[lanes]).lanes.into_iter().map(|lane| LaneInput { open_from_min: -720.0, ..lane }).collect(),
        service: service(mean_s),
        discipline: how,
        evenings,
        ..issue(&[lanes])
    };
    (input, mean_s)
}

/// The mean wait of all guests of all evenings.
fn mean_wait_s(input: &PlanInput, seed: u64) -> f64 {
    let plan = plan(input);
    let stage = Stage::new(&plan, &plan.lanes);
    let waits_s = |number| -> f64 {
        stage.play(&evening(&plan, seed, number)).concat().iter().map(|visit| f64::from(visit.wait_ms) / 1_000.0).sum()
    };
    (0..plan.evenings).map(waits_s).sum::<f64>() / (GUESTS * input.evenings) as f64
}

/// Erlang's C: the mean wait in one queue before `lanes` lanes, Poisson arrivals, exponential service.
fn erlang_c_wait_s(lanes: u32, load: f64, mean_s: f64) -> f64 {
    let offered = f64::from(lanes) * load;
    // Erlang's B, from which C follows.
    let blocked = (1..=lanes).fold(1.0, |blocked, lane| offered * blocked / (f64::from(lane) + offered * blocked));
    let must_wait = blocked / (1.0 - load * (1.0 - blocked));
    must_wait * mean_s / (f64::from(lanes) * (1.0 - load))
}

#[test]
fn one_queue_before_many_lanes_waits_as_erlang_says() {
    for (lanes, load, evenings) in [(1, 0.5, 4), (2, 0.7, 8), (3, 0.8, 14), (5, 0.6, 8), (10, 0.7, 14)] {
        let (input, mean_s) = level(Discipline::SharedQueue, lanes, load, evenings, exponential);
        let (found, expected) = (mean_wait_s(&input, 1), erlang_c_wait_s(lanes, load, mean_s));
        close(found, expected, 0.02);
    }
}

#[test]
fn one_lane_waits_as_pollaczek_and_khinchine_say() {
    for load in [0.5, 0.8] {
        let (input, mean_s) = level(Discipline::LaneQueues, 1, load, 5, exponential);
        close(mean_wait_s(&input, 2), erlang_c_wait_s(1, load, mean_s), 0.02);

        let p95_s = |mean_s: f64| mean_s * 14.0 / 6.0;
        let lognormal = |mean_s| ServiceInput::Lognormal { mean_s, p95_s: p95_s(mean_s) };
        let (input, mean_s) = level(Discipline::LaneQueues, 1, load, 5, lognormal);
        let Service::Lognormal { deviation, .. } = Service::lognormal(mean_s, p95_s(mean_s)) else { unreachable!() };
        let variation = (deviation * deviation).exp() - 1.0;
        close(mean_wait_s(&input, 3), load * mean_s * (1.0 + variation) / 2.0 / (1.0 - load), 0.02);
    }
}

/// Joining the shortest queue is a little worse than one queue, and far better than queues chosen blindly.
#[test]
fn the_shortest_of_many_queues_lies_between_one_queue_and_blind_choice() {
    for (lanes, load) in [(2, 0.8), (5, 0.9)] {
        let (input, mean_s) = level(Discipline::LaneQueues, lanes, load, 3, exponential);
        let found = mean_wait_s(&input, 4);
        assert!(found > erlang_c_wait_s(lanes, load, mean_s) * 1.02, "{found}");
        assert!(found < erlang_c_wait_s(1, load, mean_s) / 1.5, "{found}");
    }
}

#[test]
fn service_times_have_the_mean_and_the_percentile_asked_for() {
    let mut chance = Chance::of(&[1]);
    for (mean_s, p95_s) in [(6.0, 14.0), (6.0, 6.0), (2.5, 4.0), (10.0, 38.0)] {
        let service = Service::lognormal(mean_s, p95_s);
        let mut drawn_s: Vec<f64> = (0..200_000).map(|_| f64::from(service.draw_ms(&mut chance)) / 1_000.0).collect();
        drawn_s.sort_unstable_by(f64::total_cmp);
        close(drawn_s.iter().sum::<f64>() / 200_000.0, mean_s, 0.01);
        close(drawn_s[190_000], p95_s, 0.02);
        close(service.mean_s(), mean_s, 1e-9);
    }
    let measured = Service::measured(&[2.0, 4.0, 4.0, 10.0]);
    let drawn: Vec<u32> = (0..40_000).map(|_| measured.draw_ms(&mut chance)).collect();
    for (gap_ms, share) in [(2_000, 0.25), (4_000, 0.5), (10_000, 0.25)] {
        close(length(drawn.iter().filter(|ms| **ms == gap_ms).count()) / 40_000.0, share, 0.03);
    }
    close(measured.mean_s(), 5.0, 1e-9);
}

/// The curve is the organiser's: the share that has come by a minute is the area below it.
#[test]
fn guests_come_along_their_curve() {
    let arrived = ArrivalsInput::Arrived(vec![(-60.0, 0.0), (-15.0, 0.3), (0.0, 0.3), (30.0, 1.0)]);
    let level_then_none = class(3, 40_000, &[(-10.0, 5.0), (0.0, 5.0), (10.0, 0.0), (20.0, 0.0), (30.0, 10.0)]);
    let input = PlanInput {
        classes: vec![
            class(1, 40_000, &[(0.0, 0.0), (45.0, 2.0), (90.0, 0.0)]),
            ClassInput { arrivals: arrived, ..class(2, 40_000, &[]) },
            level_then_none,
        ],
        ..issue(&[1])
    };
    let guests = evening(&plan(&input), 9, 0);
    let share = |class: u8, until_min: f64| {
        let come = guests.iter().filter(|guest| guest.class == class && ms_to_minutes(guest.at_ms.into()) < until_min);
        length(come.count()) / 40_000.0
    };
    let expected: [(u8, &[(f64, f64)]); 3] = [
        (0, &[(22.5, 0.125), (45.0, 0.5), (67.5, 0.875), (90.01, 1.0)]),
        (1, &[(-37.5, 0.15), (-15.0, 0.3), (-0.01, 0.3), (15.0, 0.65), (30.01, 1.0)]),
        // Areas: 50, 25, 0 and 50.
        (2, &[(-5.0, 0.2), (0.0, 0.4), (5.0, 0.55), (10.0, 0.6), (19.9, 0.6), (25.0, 0.7), (30.01, 1.0)]),
    ];
    for (class, points) in expected {
        for &(minute, come) in points {
            assert!(
                (share(class, minute) - come).abs() < 0.01,
                "class {class}, minute {minute}: {}",
                share(class, minute)
            );
        }
    }
    assert!(guests.is_sorted_by_key(|guest| guest.at_ms));
    assert_eq!(guests.len(), 120_000);
}
