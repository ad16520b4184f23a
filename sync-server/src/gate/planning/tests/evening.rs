//! What an evening looks like: the issue's case against arithmetic, its course against itself, and hours and early
//! guests.

use super::super::model::length;
use super::super::{EntranceShareInput, Forecast};
use super::*;

/// A queue without chance: guests and lanes are flows. Returns the largest queue and the 95th percentile of the waits.
fn fluid(lanes: f64, p95_of: usize) -> (f64, f64) {
    let per_s = lanes / 6.0;
    let (mut came, mut let_in, mut longest) = (0.0_f64, 0.0_f64, 0.0_f64);
    let mut waits_s = Vec::new();
    for second in 0..90 * 60 {
        let rate = 6_000.0 / 2_700.0 * (1.0 - (f64::from(second) - 2_700.0).abs() / 2_700.0);
        came += rate;
        let_in = (let_in + per_s).min(came);
        longest = longest.max(came - let_in);
        // As many as come in this second wait as long as what stands before them takes.
        waits_s.extend(std::iter::repeat_n((came - let_in) / per_s, (rate * 100.0).round() as usize));
    }
    waits_s.sort_unstable_by(f64::total_cmp);
    (longest, waits_s[waits_s.len() * p95_of / 100])
}

#[test]
fn the_issues_case_is_what_arithmetic_says() {
    let forecast = simulate(&plan(&issue(&[5, 5])), 1);
    let outlook = &forecast.outlook;
    let (longest, p95_s) = fluid(10.0, 95);
    // Chance adds to what the flows say; it does not change its size.
    let queues: f64 = outlook.entrances.iter().map(|entrance| entrance.longest_queue.typical).sum();
    assert!(queues > longest && queues < longest * 1.4, "{queues} for {longest}");
    let found = outlook.waits.p95_s.unwrap();
    assert!(found > p95_s && found < p95_s * 1.4, "{found} for {p95_s}");
    assert!((88.0..92.0).contains(&outlook.last_in_min.typical));
    assert_eq!((outlook.evenings_kept, outlook.evenings), (20, 20));
    // Too few lanes: the flows decide nearly alone.
    let outlook = simulate(&plan(&issue(&[3, 3])), 1).outlook;
    let (longest, p95_s) = fluid(6.0, 95);
    close(outlook.waits.p95_s.unwrap(), p95_s, 0.05);
    close(outlook.entrances.iter().map(|entrance| entrance.longest_queue.typical).sum(), longest, 0.08);
    close(outlook.last_in_min.typical, 6_000.0 * 6.0 / 6.0 / 60.0 + 9.6, 0.05);
    assert_eq!(outlook.evenings_kept, 0);
}

#[test]
fn one_lane_more_never_makes_the_wait_clearly_longer() {
    for discipline in [Discipline::LaneQueues, Discipline::SharedQueue] {
        for seed in 1..3 {
            let p95_s = |lanes: u32| {
                let input = PlanInput { discipline, evenings: 4, ..issue(&[lanes]) };
                simulate(&plan(&input), seed).outlook.waits.p95_s.unwrap()
            };
            let waits_s: Vec<f64> = (7..15).map(p95_s).collect();
            for pair in waits_s.windows(2) {
                assert!(pair[1] <= pair[0] * 1.01 + 0.5, "{waits_s:?}");
            }
            assert!(waits_s[7] < waits_s[0] / 50.0);
        }
    }
}

#[test]
fn a_seed_tells_the_same_evening_and_another_seed_another() {
    let input: PlanInput = serde_json::from_str(include_str!("stadium.json")).unwrap();
    let plan = plan(&PlanInput { evenings: 3, ..input });
    let told = |seed| serde_json::to_string(&simulate(&plan, seed)).unwrap();
    assert_eq!(told(7), told(7));
    assert_ne!(told(7), told(8));
}

/// Guests that a change of the plan does not touch come at the same time and need as long.
#[test]
fn plans_are_compared_on_the_same_guests() {
    use super::super::arrivals::evening;
    let one = evening(&plan(&issue(&[5, 5])), 3, 2);
    assert_eq!(one, evening(&plan(&issue(&[2, 9])), 3, 2));
    let mut more = issue(&[5, 5]);
    more.classes.insert(0, class(2, 500, &[(0.0, 1.0), (90.0, 1.0)]));
    let more = evening(&plan(&more), 3, 2);
    let same: Vec<_> =
        more.iter().filter(|guest| guest.class == 1).map(|guest| (guest.at_ms, guest.service_ms)).collect();
    assert_eq!(same, one.iter().map(|guest| (guest.at_ms, guest.service_ms)).collect::<Vec<_>>());
    assert_ne!(one, evening(&plan(&issue(&[5, 5])), 3, 1));
}

/// Sums of the minutes are the evening, for entrances and for lanes, and nobody is counted twice.
fn adds_up(forecast: &Forecast, guests: f64, outside: f64) {
    let sum =
        |minutes: &[super::super::Minute], of: fn(&super::super::Minute) -> f64| minutes.iter().map(of).sum::<f64>();
    let entrances = |of| forecast.entrances.iter().map(|entrance| sum(&entrance.minutes, of)).sum::<f64>();
    let lanes = |of| forecast.lanes.iter().map(|lane| sum(&lane.minutes, of)).sum::<f64>();
    close(entrances(|minute| minute.arrived), guests, 1e-9);
    close(entrances(|minute| minute.admitted), guests - outside, 1e-9);
    close(lanes(|minute| minute.arrived), guests - outside, 1e-9);
    close(lanes(|minute| minute.admitted), guests - outside, 1e-9);
    let left: f64 =
        forecast.entrances.iter().filter_map(|entrance| entrance.minutes.last()).map(|minute| minute.waiting).sum();
    assert!((left - outside).abs() < 1e-9, "{left} wait at the end");
    for entrance in &forecast.entrances {
        let first = entrance.minutes[0].minute;
        assert!(entrance.minutes.iter().zip(first..).all(|(minute, at)| minute.minute == at));
        let (mut came, mut begun_at_most) = (0.0, 0.0);
        for minute in &entrance.minutes {
            came += minute.arrived;
            begun_at_most += minute.admitted;
            assert!(minute.waiting <= came - begun_at_most + 1e-6);
            assert!(f64::from(minute.waiting_worst) >= minute.waiting - 1e-9);
            assert_eq!(minute.waits.is_some(), minute.arrived > 0.0);
        }
    }
}

#[test]
fn the_course_adds_up() {
    let forecast = simulate(&plan(&issue(&[5, 5])), 1);
    adds_up(&forecast, 6_000.0, 0.0);
    // The worst minutes are those after the peak, and the figures of a minute lie within those of the evening.
    let minutes = &forecast.entrances[0].minutes;
    let longest = minutes.iter().max_by(|one, other| one.waiting.total_cmp(&other.waiting)).unwrap();
    assert!((50..64).contains(&longest.minute), "{}", longest.minute);
    let worst = minutes.iter().filter_map(|minute| minute.waits?.max_s).fold(0.0, f64::max);
    assert_eq!(Some(worst), forecast.outlook.entrances[0].waits.unwrap().max_s);
    let deepest = minutes.iter().map(|minute| f64::from(minute.waiting_worst)).fold(0.0, f64::max);
    close(deepest, forecast.outlook.entrances[0].longest_queue.worst, 0.05);
    let busiest = minutes.iter().map(|minute| minute.admitted).fold(0.0, f64::max);
    close(busiest, 50.0, 0.1);
}

#[test]
fn whoever_finds_no_lane_any_more_is_left_outside_and_counted() {
    let mut input = issue(&[3, 3]);
    input.lanes.iter_mut().for_each(|lane| lane.open_until_min = Some(90.0));
    let forecast = simulate(&plan(&input), 1);
    let outside = forecast.outlook.left_outside;
    close(outside, 6_000.0 - fluid_admitted(), 0.05);
    adds_up(&forecast, 6_000.0, outside);
    // Who never gets in has no wait, and 95 % of the guests have no longest one.
    assert!(forecast.outlook.waits.p50_s.is_some());
    assert_eq!((forecast.outlook.waits.p95_s, forecast.outlook.waits.max_s), (None, None));
    assert_eq!(forecast.outlook.evenings_kept, 0);
}

/// Evenings that end at different times: who is outside waits until the last of them ends.
#[test]
fn who_waits_when_a_short_evening_ends_waits_on() {
    let mut input = issue(&[1]);
    input.classes[0] = class(1, 3, &[(20.0, 1.0), (200.0, 1.0)]);
    input.lanes[0].open_until_min = Some(10.0);
    let forecast = simulate(&plan(&input), 1);
    adds_up(&forecast, 3.0, 3.0);
    assert_eq!(forecast.entrances[0].minutes.last().map(|minute| minute.waiting_worst), Some(3));
    assert_eq!(forecast.outlook.waits.p50_s, None);
}

#[test]
fn nobody_waits_who_is_served_at_once() {
    let mut input = issue(&[3]);
    input.classes[0].guests = 4;
    input.service = ServiceInput::Measured { gaps_s: vec![0.001] };
    let outlook = simulate(&plan(&input), 1).outlook;
    assert_eq!((outlook.longest_queue.worst, outlook.waits.max_s), (0.0, Some(0.0)));
}

/// What six lanes admit until minute 90: all who come while they keep up, then one every 6 s each.
fn fluid_admitted() -> f64 {
    let keep_up_min = 45.0 * 60.0 / (6_000.0 / 45.0);
    let until_then = 60.0 * keep_up_min / 2.0;
    until_then + (90.0 - keep_up_min) * 60.0
}

#[test]
fn early_guests_wait_from_the_doors_on_and_a_late_lane_lets_waits_count() {
    let early = |open_from_min: f64| {
        let mut input = PlanInput { discipline: Discipline::SharedQueue, ..issue(&[10]) };
        input.classes[0] = class(1, 600, &[(-60.0, 1.0), (-30.0, 1.0)]);
        input.lanes.iter_mut().for_each(|lane| lane.open_from_min = open_from_min);
        simulate(&plan(&input), 1).outlook
    };
    // Ten lanes need six minutes for 600 guests who stand there when the doors open.
    let with_the_doors = early(0.0);
    close(with_the_doors.waits.max_s.unwrap(), 360.0, 0.1);
    close(with_the_doors.waits.p50_s.unwrap(), 180.0, 0.1);
    assert!((5.5..7.0).contains(&with_the_doors.last_in_min.typical));
    assert_eq!(with_the_doors.longest_queue.worst, 600.0);
    // Lanes that open ten minutes late keep everybody ten minutes longer.
    close(early(10.0).waits.p50_s.unwrap(), 780.0, 0.05);
    // Lanes that open before the doors take who is there.
    let before = early(-70.0);
    assert!(before.waits.p95_s.unwrap() < 15.0 && before.last_in_min.worst < -29.0);
}

#[test]
fn a_lane_that_opens_takes_its_part_of_the_queue_and_one_that_closes_sends_it_on() {
    let mut input = issue(&[4]);
    input.classes[0] = class(1, 400, &[(0.0, 1.0), (1.0, 1.0)]);
    input.lanes[2].open_from_min = 3.0;
    input.lanes[3].open_from_min = 3.0;
    let helped = simulate(&plan(&input), 1).outlook;
    // Two lanes for 3 minutes, then four: 400 guests at 10 a minute and lane.
    close(helped.last_in_min.typical, 3.0 + (400.0 - 60.0) / 40.0, 0.06);
    input.lanes[2].open_until_min = Some(6.0);
    input.lanes[3].open_until_min = Some(6.0);
    let helped_for_a_while = simulate(&plan(&input), 1).outlook;
    close(helped_for_a_while.last_in_min.typical, 6.0 + (400.0 - 60.0 - 120.0) / 20.0, 0.06);
    assert_eq!(helped_for_a_while.left_outside, 0.0);
}

#[test]
fn guests_divide_by_shares_or_by_open_lanes() {
    let came = |input: &PlanInput| -> Vec<f64> {
        simulate(&plan(input), 1).outlook.entrances.iter().map(|entrance| entrance.guests).collect()
    };
    let following = came(&issue(&[2, 6]));
    close(following[0], 1_500.0, 0.03);
    let mut shared = issue(&[2, 6]);
    shared.classes[0].entrance_shares =
        [(1, 0.8), (2, 0.2)].map(|(entrance_id, share)| EntranceShareInput { entrance_id, share }).to_vec();
    close(came(&shared)[0], 4_800.0, 0.02);
    // Half of the guests come after minute 45: before that the second entrance draws nobody.
    let mut late = issue(&[4, 4]);
    late.lanes.iter_mut().filter(|lane| lane.entrance_id == 2).for_each(|lane| lane.open_from_min = 45.0);
    close(came(&late)[1], 1_500.0, 0.04);
    // Lanes that close draw nobody; while none is open, guests walk to where the next will open.
    let mut early = issue(&[4, 4]);
    for lane in &mut early.lanes {
        (lane.open_from_min, lane.open_until_min) =
            if lane.entrance_id == 1 { (0.0, Some(45.0)) } else { (67.5, None) };
    }
    close(came(&early)[1], 3_000.0, 0.03);
    // Only lanes that take the class draw its guests.
    let mut classes = issue(&[2, 2]);
    classes.classes.push(class(2, 600, &[(0.0, 1.0), (90.0, 1.0)]));
    classes.lanes[0].takes = vec![1];
    classes.lanes[1].takes = vec![1];
    let at_first = came(&classes)[0];
    close(at_first, 3_000.0, 0.03);
}

#[test]
fn a_shared_queue_serves_each_class_where_it_may_go() {
    let mut input = PlanInput { discipline: Discipline::SharedQueue, ..issue(&[2]) };
    input.classes = vec![class(1, 600, &[(0.0, 1.0), (60.0, 1.0)]), class(2, 100, &[(0.0, 1.0), (60.0, 1.0)])];
    input.lanes[0].takes = vec![1];
    let forecast = simulate(&plan(&input), 1);
    adds_up(&forecast, 700.0, 0.0);
    let lane = |at: usize| forecast.lanes[at].minutes.iter().map(|minute| minute.admitted).sum::<f64>();
    assert!(lane(0) > 300.0 && lane(1) > 200.0, "{} and {}", lane(0), lane(1));
    assert_eq!(length(forecast.lanes.len()), 2.0);
}
