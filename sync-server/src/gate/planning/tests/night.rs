//! On the night: what is said of the gates, and when it warns.

use super::super::{Comparison, EntranceFacts, Facts, Pace, compare};
use super::*;

/// What a planned evening of its own seed looks like from minute `now` on back: admitted by minute, and waiting.
fn as_planned(input: &PlanInput, now: i64) -> Facts {
    let forecast = simulate(&plan(input), 77);
    let entrances = forecast.entrances.iter().map(|entrance| {
        let past = || entrance.minutes.iter().filter(|minute| minute.minute < now);
        // Rounded so that the sum is kept.
        let (mut sum, mut said) = (0.0, 0);
        let admitted = past().map(|minute| {
            sum += minute.admitted;
            let guests = sum.round() as u32 - said;
            said += guests;
            (minute.minute, guests)
        });
        let admitted = admitted.collect();
        let waiting = past().next_back().map(|minute| minute.waiting.round() as u32);
        EntranceFacts { entrance_id: entrance.entrance_id, admitted, waiting }
    });
    Facts { now_min: now as f64, entrances: entrances.collect(), gaps_s: Vec::new(), lanes_down: Vec::new() }
}

/// The same count in each minute from the doors on.
fn steady(now: i64, per_minute: &[u32], waiting: &[Option<u32>]) -> Facts {
    let entrances = (1..).zip(per_minute.iter().zip(waiting)).map(|(entrance_id, (guests, waiting))| EntranceFacts {
        entrance_id,
        admitted: (0..now).map(|minute| (minute, *guests)).collect(),
        waiting: *waiting,
    });
    Facts { now_min: now as f64, entrances: entrances.collect(), gaps_s: Vec::new(), lanes_down: Vec::new() }
}

fn told(input: &PlanInput, facts: &Facts) -> Comparison {
    compare(&plan(input), facts, 5).expect("facts without mistakes")
}

fn paces(comparison: &Comparison) -> Vec<Pace> {
    comparison.entrances.iter().map(|standing| standing.pace).collect()
}

#[test]
fn an_evening_as_planned_stands_as_planned_at_any_minute() {
    let input = issue(&[5, 5]);
    for now in [-10, 1, 45, 85] {
        let comparison = told(&input, &as_planned(&input, now));
        assert_eq!(paces(&comparison), [Pace::AsPlanned; 2], "at minute {now}");
        assert_eq!(comparison.warnings, [], "at minute {now}");
        assert!(!comparison.service.measured);
        for standing in &comparison.entrances {
            assert!((standing.arrived - standing.arrived_planned).abs() < 100.0, "{standing:?}");
            assert!((standing.admitted - standing.admitted_planned).abs() < 60.0, "{standing:?}");
            assert!((standing.last_in_min.unwrap() - 90.0).abs() < 4.0, "{standing:?}");
        }
    }
    // From the doors on the forecast is the plan's own.
    let expected = told(&input, &as_planned(&input, 0)).entrances[0].expected_waits.unwrap().p95_s.unwrap();
    close(expected, p95_s(&input), 0.1);
}

#[test]
fn a_plan_that_is_too_small_warns_before_the_doors_and_says_what_helps() {
    let input = issue(&[3, 5]);
    let mut shared = input.clone();
    shared.classes[0].entrance_shares =
        [1, 2].map(|entrance_id| super::super::EntranceShareInput { entrance_id, share: 0.5 }).to_vec();
    let comparison = told(&shared, &as_planned(&shared, 0));
    let [warning] = &comparison.warnings[..] else { panic!("{:?}", comparison.warnings) };
    assert_eq!((warning.entrance_id, warning.like_lane_id), (1, Some(101)));
    assert!(warning.expected_p95_wait_s.unwrap() > 600.0);
    // It is not late yet: the queue builds from minute 20 on, and is too long half an hour later.
    assert!((25..60).contains(&warning.at_minute), "{warning:?}");
    let more = warning.lanes_more.unwrap();
    let with = |more: u32| {
        let mut helped = shared.clone();
        helped.lanes.extend((0..more).map(|at| LaneInput { open_from_min: 5.0, ..lane(900 + at, 1) }));
        told(&helped, &as_planned(&helped, 0)).warnings
    };
    assert_eq!(with(more), []);
    assert_ne!(with(more - 1), []);
}

#[test]
fn measured_times_count_once_there_are_enough_of_them() {
    let input = issue(&[5, 5]);
    let slow: Vec<f64> = (0..40).map(|at| 6.0 + f64::from(at % 8)).collect();
    let mut facts = as_planned(&input, 20);
    facts.gaps_s = slow[..29].to_vec();
    let comparison = told(&input, &facts);
    assert_eq!((comparison.service.measured, comparison.warnings.len()), (false, 0));
    close(comparison.service.mean_s, 6.0, 1e-9);
    facts.gaps_s = slow;
    let comparison = told(&input, &facts);
    assert!(comparison.service.measured);
    close(comparison.service.mean_s, 9.5, 1e-9);
    close(comparison.service.planned_mean_s, 6.0, 1e-9);
    assert_eq!(comparison.warnings.len(), 2);
    for warning in &comparison.warnings {
        assert!(warning.expected_p95_wait_s.unwrap() > 600.0 && warning.at_minute > 20, "{warning:?}");
        assert!((1..6).contains(&warning.lanes_more.unwrap()), "{warning:?}");
    }
}

#[test]
fn who_is_missing_comes_later_and_all_at_once() {
    let input = issue(&[5, 5]);
    // By minute 45 half should be there; a fifth is, and nobody waits.
    let comparison = told(&input, &steady(45, &[13, 13], &[Some(0), Some(0)]));
    assert_eq!(paces(&comparison), [Pace::Behind; 2]);
    assert_eq!(comparison.warnings.len(), 2, "{:?}", comparison.entrances);
    assert!(comparison.warnings.iter().all(|warning| warning.at_minute > 45), "{:?}", comparison.warnings);
    // More than planned came early, and were let in: fewer are left, and all is well.
    let comparison = told(&input, &steady(45, &[48, 48], &[Some(0), Some(0)]));
    assert_eq!(paces(&comparison), [Pace::Ahead; 2]);
    assert_eq!(comparison.warnings, []);
}

#[test]
fn guests_who_shift_to_one_entrance_are_expected_there() {
    let input = issue(&[5, 5]);
    // Lanes keep up with 50 a minute; by minute 45, 1,500 were to come to each.
    let comparison = told(&input, &steady(45, &[50, 16], &[Some(60), Some(0)]));
    assert_eq!(paces(&comparison), [Pace::Ahead, Pace::Behind]);
    let [crowded, empty] = &comparison.entrances[..] else { panic!("{comparison:?}") };
    assert!(crowded.expected_waits.unwrap().p95_s.unwrap() > 4.0 * empty.expected_waits.unwrap().p95_s.unwrap());
    assert_eq!(comparison.warnings.iter().map(|warning| warning.entrance_id).collect::<Vec<_>>(), [1]);
}

#[test]
fn a_queue_that_nobody_counted_is_inferred_from_busy_lanes() {
    let input = issue(&[5, 5]);
    // Both should have 1,500 by minute 45. The first admits what its lanes can, the second has idle lanes.
    let mut facts = steady(45, &[26, 26], &[None, None]);
    facts.entrances[0].admitted.iter_mut().rev().take(10).for_each(|(_, guests)| *guests = 49);
    let comparison = told(&input, &facts);
    let [busy, idle] = &comparison.entrances[..] else { panic!("{comparison:?}") };
    assert!(!busy.waiting_seen && !idle.waiting_seen);
    assert!((busy.waiting - 100.0).abs() < 40.0, "{busy:?}");
    assert_eq!((busy.pace, idle.pace), (Pace::AsPlanned, Pace::Behind));
    assert_eq!(idle.waiting, 0.0);
    let counted = told(&input, &steady(45, &[26, 26], &[Some(7), Some(330)]));
    assert_eq!(
        counted.entrances.iter().map(|at| (at.waiting, at.waiting_seen)).collect::<Vec<_>>(),
        [(7.0, true), (330.0, true)]
    );
}

#[test]
fn lanes_that_are_down_are_missed() {
    let input = issue(&[5, 5]);
    let mut facts = as_planned(&input, 10);
    facts.lanes_down = vec![201, 202, 203];
    let comparison = told(&input, &facts);
    let [warning] = &comparison.warnings[..] else { panic!("{:?}", comparison.warnings) };
    assert_eq!(warning.entrance_id, 2);
    assert_eq!(warning.like_lane_id, Some(201));
    assert!(matches!(warning.lanes_more, Some(2 | 3)), "{warning:?}");
    facts.lanes_down = (201..=205).collect();
    let comparison = told(&input, &facts);
    assert_eq!(comparison.warnings[0].expected_p95_wait_s, None);
    assert!(comparison.warnings[0].left_outside > 2_000.0);
    // Lanes that close with the last few still coming warn of those, though hardly anybody waits.
    let mut closing = input.clone();
    closing.lanes.iter_mut().for_each(|lane| lane.open_until_min = Some(85.0));
    let warning = &told(&closing, &as_planned(&closing, 60)).warnings[0];
    assert!(warning.left_outside > 5.0 && warning.at_minute >= 80, "{warning:?}");
    assert!(comparison.warnings[0].lanes_more.is_some_and(|more| more >= 4));
}

#[test]
fn more_lanes_are_counted_on_from_when_they_can_be_there() {
    let input = issue(&[5]);
    // A crowd within three minutes: five lanes need a quarter of an hour and more.
    let facts = steady(3, &[40], &[Some(900)]);
    let more = told(&input, &facts).warnings[0].lanes_more.unwrap();
    let warns_with = |more: u32, from_min: f64| {
        let mut helped = input.clone();
        helped.lanes.extend((0..more).map(|at| LaneInput { open_from_min: from_min, ..lane(900 + at, 1) }));
        !told(&helped, &facts).warnings.is_empty()
    };
    assert!(!warns_with(more, 8.0) && warns_with(more - 1, 8.0));
    // If they could be there at once, fewer would do.
    assert!(!warns_with(more - 1, 3.0));
}

/// The later it is seen, the more lanes it takes; in the end none help.
#[test]
fn a_warning_is_worth_more_early() {
    let mut input = issue(&[2]);
    input.classes[0].guests = 3_000;
    let more = |now: i64| {
        let comparison = told(&input, &as_planned(&input, now));
        comparison.warnings.first().expect("a warning").lanes_more
    };
    let (early, later, late) = (more(0).unwrap(), more(40).unwrap_or(99), more(80));
    assert!(early <= later && early <= 3, "{early} and {later}");
    assert_eq!(late, None);
}

#[test]
fn guests_seen_waiting_are_let_in_first_and_their_time_counts() {
    let input = PlanInput { discipline: Discipline::SharedQueue, ..issue(&[5]) };
    // The curve is over: who waits is all that is left, at 50 a minute.
    let facts = steady(95, &[50], &[Some(500)]);
    let comparison = told(&input, &facts);
    let standing = &comparison.entrances[0];
    close(standing.last_in_min.unwrap(), 105.0, 0.01);
    // Everybody waits as long as it takes to admit 500.
    let waits = standing.expected_waits.unwrap();
    close(waits.p50_s.unwrap(), 600.0, 0.05);
    close(waits.max_s.unwrap(), 600.0, 0.12);
    let nobody = told(&input, &steady(95, &[50], &[Some(0)]));
    assert_eq!((nobody.entrances[0].expected_waits, nobody.entrances[0].last_in_min), (None, None));
    assert_eq!(nobody.warnings, []);
}

#[test]
fn the_same_facts_are_told_the_same_way() {
    let input: PlanInput = serde_json::from_str(include_str!("stadium.json")).unwrap();
    let mut facts = as_planned(&input, 30);
    facts.entrances[1].waiting = None;
    facts.gaps_s = (0..100).map(|at| 4.0 + f64::from(at % 7)).collect();
    assert_eq!(told(&input, &facts), told(&input, &facts));
    let read: Facts = serde_json::from_str(&serde_json::to_string(&facts).unwrap()).unwrap();
    assert_eq!(told(&input, &read), told(&input, &facts));
    assert!(serde_json::from_str::<Facts>(r#"{ "now_min": 1, "entrances": [], "weather": "rain" }"#).is_err());
}
