//! Recommendations: they help, they ask for no more than is needed, and they respect what a lane cannot take.

use proptest::prelude::*;

use super::super::arrivals::evenings;
use super::super::score::Score;
use super::super::{Change, EntranceShareInput, Outlook, Recommendation, recommend};
use super::*;

fn advised(input: &PlanInput) -> Recommendation {
    let plan = plan(input);
    let advice = recommend(&plan, 1);
    // What is promised is what the plan with the changes plays.
    assert_eq!(advice.before, simulate(&plan, 1).outlook);
    assert_eq!(advice.after, simulate(&advice.plan, 1).outlook);
    advice
}

/// Two entrances with shares of their own, so that lanes at one do not draw guests from the other.
fn apart(lanes: &[u32], shares: [f64; 2]) -> PlanInput {
    let mut input = PlanInput { evenings: 5, ..issue(lanes) };
    let share = |(entrance_id, share)| EntranceShareInput { entrance_id, share };
    input.classes[0].entrance_shares = (1..).zip(shares).map(share).collect();
    input
}

#[test]
fn an_entrance_gets_the_lanes_that_it_needs_and_no_more() {
    let advice = advised(&apart(&[3, 3], [0.7, 0.3]));
    let needed = advice.needs[0].lanes_needed.unwrap();
    let from_min = 0.0;
    let more = Change::OpenLane { entrance_id: 1, lanes: needed - 3, like_lane_id: 101, from_min };
    assert_eq!(advice.changes, [more]);
    assert!(advice.after.entrances.iter().all(|entrance| entrance.waits.unwrap().p95_s.unwrap() <= 600.0));
    let waits_s = |lanes| {
        let outlook = simulate(&plan(&apart(&[lanes, 3], [0.7, 0.3])), 1).outlook;
        outlook.entrances[0].waits.unwrap().p95_s.unwrap()
    };
    assert!(waits_s(needed) <= 600.0 && waits_s(needed - 1) > 600.0, "{needed}");
    // A third of the guests: two lanes would keep them too long.
    assert_eq!((advice.needs[1].lanes_planned, advice.needs[1].lanes_needed), (3, Some(3)));
}

#[test]
fn lanes_to_spare_can_all_stay_shut_together() {
    for input in [issue(&[9, 7]), apart(&[9, 7], [0.5, 0.5])] {
        let input = PlanInput { evenings: 5, ..input };
        let advice = advised(&input);
        let spare: Vec<u32> = advice.needs.iter().flat_map(|need| need.spare_lane_ids.clone()).collect();
        assert!(advice.changes.is_empty() && spare.len() > 4, "{advice:?}");
        let needed: u32 = advice.needs.iter().map(|need| need.lanes_needed.unwrap()).sum();
        assert_eq!(needed as usize, 16 - spare.len());
        let kept = |shut: &[u32]| {
            let mut left = input.clone();
            left.lanes.retain(|lane| !shut.contains(&lane.lane_id));
            let outlook = simulate(&plan(&left), 1).outlook;
            outlook.entrances.iter().all(|entrance| entrance.waits.unwrap().p95_s.unwrap() <= 600.0)
        };
        assert!(kept(&spare));
        for need in advice.needs {
            let first = input.lanes.iter().find(|lane| lane.entrance_id == need.entrance_id).unwrap().lane_id;
            assert!(!kept(&[&spare[..], &[first]].concat()), "one more at {}", need.entrance_id);
        }
    }
}

#[test]
fn lanes_kept_for_few_guests_are_shared() {
    let mut input = PlanInput { evenings: 5, ..issue(&[5, 5]) };
    input.classes[0].guests = 5_700;
    input.classes.push(class(2, 300, &[(0.0, 1.0), (90.0, 1.0)]));
    for (at, lane) in input.lanes.iter_mut().enumerate() {
        lane.takes = if at % 5 < 2 { vec![2] } else { vec![1] };
    }
    let advice = advised(&input);
    assert!(advice.before.waits.p95_s.unwrap() > 600.0 && advice.after.waits.p95_s.unwrap() < 600.0);
    assert!(!advice.changes.is_empty());
    for change in &advice.changes {
        assert!(matches!(change, Change::GiveClass { class: 1, lane_id: 101 | 102 | 201 | 202 }), "{change:?}");
    }
    // Pooling is as good here, and asks for more changes.
    assert!(advice.pooled.waits.p95_s.unwrap() < 600.0);
    // Where the lanes may not take them, more lanes are the answer.
    for lane in &mut input.lanes {
        lane.may_take = lane.takes.clone();
    }
    let advice = advised(&input);
    for change in &advice.changes {
        assert!(matches!(change, Change::OpenLane { like_lane_id: 103 | 203, .. }), "{change:?}");
    }
    assert!(advice.after.waits.p95_s.unwrap() <= 600.0 && !advice.changes.is_empty());
}

/// Few guests who depend on one lane must not be lost in the many who could go elsewhere.
#[test]
fn a_lane_that_some_depend_on_is_kept_free_for_them() {
    let mut input = PlanInput { evenings: 5, p95_wait_s: 190.0, ..issue(&[10]) };
    // A train brings 380 guests in a minute; a few who need the wide lane come behind them.
    let train = [(0.0, 1.0), (90.0, 1.0), (90.01, 6.7), (90.99, 6.7), (91.0, 1.0), (180.0, 1.0)];
    input.classes = vec![class(1, 12_400, &train), class(2, 20, &[(91.0, 1.0), (92.0, 1.0)])];
    input.lanes[1..].iter_mut().for_each(|lane| lane.may_take = vec![1]);
    let advice = advised(&input);
    let kept =
        |outlook: &Outlook| [0, 1].map(|class: usize| outlook.classes[class].waits.unwrap().p95_s.unwrap() <= 190.0);
    assert_eq!(kept(&advice.before), [true, false], "{:?}", advice.before.classes);
    assert_eq!(advice.changes, [Change::WithdrawClass { class: 1, lane_id: 101 }], "{:?}", advice.after.classes);
    assert_eq!(kept(&advice.after), [true, true], "{:?}", advice.after.classes);
    assert_eq!(advice.pooled, advice.before);
}

#[test]
fn lanes_that_stand_there_are_opened_longer_before_lanes_are_added() {
    let mut input = PlanInput { evenings: 5, ..issue(&[5, 5]) };
    for lane in input.lanes.iter_mut().filter(|lane| lane.lane_id % 100 > 2) {
        (lane.open_from_min, lane.open_until_min) = (60.0, Some(80.0));
    }
    let advice = advised(&input);
    assert!(!advice.changes.is_empty());
    for change in &advice.changes {
        assert!(matches!(change, Change::OpenLonger { lane_id: 103..=105 | 203..=205, from_min: 0.0 }), "{change:?}");
    }
    assert!(advice.after.waits.p95_s.unwrap() <= 600.0);
    // All lanes close while guests come: some are left outside, and that counts before any wait.
    input.lanes.iter_mut().for_each(|lane| (lane.open_from_min, lane.open_until_min) = (0.0, Some(60.0)));
    let advice = advised(&input);
    assert!(advice.before.left_outside > 500.0);
    assert_eq!(advice.after.left_outside, 0.0);
}

/// The first of the two helps a little, and is asked for no longer once the second helps a lot.
#[test]
fn hours_that_others_make_needless_are_taken_back() {
    let mut input = PlanInput { evenings: 5, ..issue(&[5]) };
    input.classes[0].guests = 3_000;
    input.lanes[1].open_until_min = Some(60.0);
    (input.lanes[4].open_from_min, input.lanes[4].open_until_min) = (60.0, Some(80.0));
    let advice = advised(&input);
    assert_eq!(advice.changes, [Change::OpenLonger { lane_id: 105, from_min: 0.0 }]);
}

/// One class cannot be helped by any number of lanes; that is no reason to help the other less.
#[test]
fn a_hopeless_class_does_not_keep_lanes_from_the_others() {
    let mut input = PlanInput { evenings: 2, p95_wait_s: 60.0, ..issue(&[5]) };
    input.classes[0].guests = 2_000;
    input.classes.push(class(2, 2_500, &[(-60.0, 1.0), (-1.0, 1.0)]));
    for (at, lane) in input.lanes.iter_mut().enumerate() {
        lane.may_take = if at < 2 { vec![1] } else { vec![2] };
    }
    let advice = advised(&input);
    let [Change::OpenLane { like_lane_id: 101, .. }] = advice.changes[..] else { panic!("{:?}", advice.changes) };
    assert!(advice.after.classes[0].waits.unwrap().p95_s.unwrap() <= 60.0);
    assert_eq!(advice.needs[0].lanes_needed, None);
}

#[test]
fn no_number_of_lanes_is_said_to_be_enough_when_none_is() {
    let mut input = PlanInput { evenings: 3, p95_wait_s: 5.0, ..issue(&[4]) };
    input.classes[0] = class(1, 3_000, &[(-60.0, 1.0), (-1.0, 1.0)]);
    let advice = advised(&input);
    assert_eq!(advice.needs[0].lanes_needed, None);
    assert_eq!((advice.changes.len(), advice.after), (0, advice.before));
}

#[test]
fn the_stadium_is_advised_the_same_way_twice() {
    let input: PlanInput = serde_json::from_str(include_str!("stadium.json")).unwrap();
    let input = PlanInput { evenings: 5, ..input };
    assert_eq!(advised(&input), advised(&input));
}

/// Entrance, bits of the classes that it takes and may take, hours.
fn any_lane() -> impl Strategy<Value = (u32, u8, u8, (f64, Option<f64>))> {
    (1_u32..3, 0_u8..4, 0_u8..4, (-10.0..40.0_f64, proptest::option::of(50.0..100.0_f64)))
}

proptest! {
    /// Whatever the plan: no guest more is left outside, no promise is missed by more, no lane takes what it may not,
    /// and no entrance loses a class.
    #[test]
    fn advice_is_never_worse_and_never_forbidden(
        lanes in proptest::collection::vec(any_lane(), 1..5),
        guests in (50_i64..400, 0_i64..60),
        wanted_s in 20.0..400.0_f64,
        seed in 0_u64..1_000,
        shared in any::<bool>(),
    ) {
        let classes = |bits: u8| (1..3_u16).filter(|class| bits >> (class - 1) & 1 == 1).collect::<Vec<_>>();
        let mut input = PlanInput { evenings: 2, p95_wait_s: wanted_s, ..issue(&[1, 1]) };
        let (falling, rising) = ([(-5.0, 1.0), (60.0, 0.0)], [(0.0, 0.0), (90.0, 1.0)]);
        input.classes = vec![class(1, guests.0, &falling), class(2, guests.1, &rising)];
        input.discipline = if shared { Discipline::SharedQueue } else { Discipline::LaneQueues };
        input.lanes.extend((500..).zip(lanes).map(|(id, (entrance_id, takes, may_take, hours))| {
            let (open_from_min, open_until_min) = hours;
            let (takes, may_take) = (classes(takes & may_take), classes(may_take));
            LaneInput { takes, may_take, open_from_min, open_until_min, ..lane(id, entrance_id) }
        }));
        let plan = plan(&input);
        let advice = recommend(&plan, seed);
        let crowd = evenings(&plan, seed, plan.evenings);
        let (before, after) = (Score::of(&plan, &plan.lanes, &crowd), Score::of(&plan, &advice.plan.lanes, &crowd));
        prop_assert!(!after.is_worse_than(&before));
        prop_assert!(advice.after.left_outside <= advice.before.left_outside);
        prop_assert!(advice.changes.is_empty() || advice.plan.lanes != plan.lanes);
        for lane in &advice.plan.lanes {
            prop_assert!(lane.takes.is_within(lane.may_take) && !lane.takes.is_empty());
        }
        for need in &advice.needs {
            let spare = need.spare_lane_ids.len();
            prop_assert!(need.lanes_needed.is_none_or(|needed| needed > 0) && spare < need.lanes_planned as usize);
        }
    }
}
