//! Every mistake in a plan or in facts has a name and a sentence that says what to do.

use super::super::{EntranceFacts, EntranceShareInput, Facts, FactsError, PlanError, compare};
use super::*;

/// A plan that has been spoilt.
fn spoilt(spoil: impl FnOnce(&mut PlanInput)) -> PlanError {
    let mut input = issue(&[2, 2]);
    input.classes.push(class(2, 10, &[(0.0, 1.0), (10.0, 1.0)]));
    check(&input).expect("not spoilt yet");
    spoil(&mut input);
    check(&input).expect_err("a mistake that nobody found")
}

fn with_arrivals(arrivals: ArrivalsInput) -> PlanError {
    spoilt(|input| input.classes[0].arrivals = arrivals)
}

fn with_shares(shares: &[(u32, f64)]) -> PlanError {
    let share = |&(entrance_id, share)| EntranceShareInput { entrance_id, share };
    spoilt(|input| input.classes[0].entrance_shares = shares.iter().map(share).collect())
}

fn with_service(service: ServiceInput) -> PlanError {
    spoilt(|input| input.service = service)
}

/// The mistake is `$error`, and it reads like advice.
macro_rules! names {
    ($found:expr, $error:pat) => {
        let found = $found;
        assert!(matches!(found, $error), "{found:?}");
        let sentence = found.to_string();
        assert!(sentence.ends_with('.') && sentence.matches([' ']).count() > 6, "{sentence}");
    };
}

#[test]
fn what_is_missing_too_much_or_twice() {
    names!(spoilt(|input| input.classes.clear()), PlanError::Nothing("classes"));
    names!(spoilt(|input| input.entrances.clear()), PlanError::Nothing("entrances"));
    names!(spoilt(|input| input.lanes.clear()), PlanError::Nothing("lanes"));
    let classes =
        |input: &mut PlanInput| input.classes = (0..65).map(|id| class(id, 1, &[(0.0, 1.0), (1.0, 1.0)])).collect();
    names!(spoilt(classes), PlanError::TooMany { what: "classes", found: 65, most: 64 });
    let lanes = |input: &mut PlanInput| input.lanes = (0..1_025).map(|id| lane(id, 1)).collect();
    names!(spoilt(lanes), PlanError::TooMany { what: "lanes", found: 1_025, most: 1_024 });
    let entrance = |at| EntranceInput { entrance_id: at, name: "E".to_owned() };
    let entrances = |input: &mut PlanInput| input.entrances = (0..257).map(entrance).collect();
    names!(spoilt(entrances), PlanError::TooMany { what: "entrances", found: 257, most: 256 });
    names!(spoilt(|input| input.classes[1].class = 1), PlanError::Twice { what: "class", id: 1 });
    names!(spoilt(|input| input.entrances[1].entrance_id = 1), PlanError::Twice { what: "entrance", id: 1 });
    names!(spoilt(|input| input.lanes[3].lane_id = 101), PlanError::Twice { what: "lane", id: 101 });
    names!(spoilt(|input| input.lanes[0].name = " ".to_owned()), PlanError::Name { what: "lane", id: 101 });
    names!(spoilt(|input| input.classes[0].name = "x".repeat(101)), PlanError::Name { what: "class", id: 1 });
    names!(spoilt(|input| input.entrances[1].name.clear()), PlanError::Name { what: "entrance", id: 2 });
}

#[test]
fn guests_and_figures_out_of_range() {
    names!(spoilt(|input| input.classes[0].guests = -1), PlanError::Guests { guests: -1, .. });
    names!(spoilt(|input| input.classes[0].guests = 200_001), PlanError::Guests { guests: 200_001, .. });
    names!(spoilt(|input| input.classes[0].guests = 199_991), PlanError::TooManyGuests { found: 200_001 });
    names!(spoilt(|input| input.classes.iter_mut().for_each(|class| class.guests = 0)), PlanError::NoGuests);
    for wait_s in [0.0, -5.0, f64::NAN, f64::INFINITY] {
        names!(spoilt(|input| input.p95_wait_s = wait_s), PlanError::Wait { .. });
    }
    names!(spoilt(|input| input.evenings = 0), PlanError::Evenings { evenings: 0, most: 200 });
    names!(spoilt(|input| input.evenings = 201), PlanError::Evenings { evenings: 201, most: 200 });
    let many = |input: &mut PlanInput| (input.classes[0].guests, input.evenings) = (199_990, 21);
    names!(spoilt(many), PlanError::Evenings { evenings: 21, most: 20 });
}

#[test]
fn curves_that_no_crowd_follows() {
    use ArrivalsInput::{Arrived, Density};
    let level = |count: i32| (0..count).map(|minute| (f64::from(minute), 1.0)).collect::<Vec<_>>();
    names!(with_arrivals(Density(Vec::new())), PlanError::CurveShort { .. });
    names!(with_arrivals(Arrived(vec![(0.0, 1.0)])), PlanError::CurveShort { .. });
    names!(with_arrivals(Density(level(1_001))), PlanError::CurveLong { found: 1_001, .. });
    names!(with_arrivals(Density(vec![(f64::NAN, 1.0), (1.0, 1.0)])), PlanError::CurveMinute { .. });
    names!(with_arrivals(Density(vec![(0.0, 1.0), (1_441.0, 1.0)])), PlanError::CurveMinute { .. });
    names!(with_arrivals(Density(vec![(5.0, 1.0), (5.0, 2.0)])), PlanError::CurveOrder { minute: 5.0, .. });
    names!(with_arrivals(Arrived(vec![(5.0, 0.0), (4.0, 1.0)])), PlanError::CurveOrder { minute: 4.0, .. });
    names!(with_arrivals(Density(vec![(0.0, 1.0), (1.0, -1.0)])), PlanError::CurveWeight { weight: -1.0, .. });
    names!(with_arrivals(Density(vec![(0.0, f64::NAN), (1.0, 1.0)])), PlanError::CurveWeight { .. });
    names!(with_arrivals(Density(vec![(0.0, f64::INFINITY), (1.0, 1.0)])), PlanError::CurveWeight { .. });
    names!(with_arrivals(Density(vec![(0.0, 0.0), (1.0, 0.0)])), PlanError::CurveFlat { .. });
    names!(with_arrivals(Arrived(vec![(0.0, 0.0), (1.0, 1.5)])), PlanError::CurveShare { share: 1.5, .. });
    names!(with_arrivals(Arrived(vec![(0.0, f64::NAN), (1.0, 1.0)])), PlanError::CurveShare { .. });
    names!(with_arrivals(Arrived(vec![(0.0, 0.0), (1.0, 0.8), (2.0, 0.7), (3.0, 1.0)])), PlanError::CurveFalls { .. });
    names!(with_arrivals(Arrived(vec![(0.0, 0.1), (1.0, 1.0)])), PlanError::CurveEnds { first: 0.1, .. });
    names!(with_arrivals(Arrived(vec![(0.0, 0.0), (1.0, 0.9)])), PlanError::CurveEnds { last: 0.9, .. });
}

#[test]
fn shares_and_lanes_that_do_not_fit() {
    names!(with_shares(&[(9, 1.0)]), PlanError::ShareEntrance { entrance_id: 9, .. });
    names!(with_shares(&[(1, 0.5), (1, 0.5)]), PlanError::ShareTwice { entrance_id: 1, .. });
    names!(with_shares(&[(1, -0.5), (2, 1.5)]), PlanError::Share { share: -0.5, .. });
    names!(with_shares(&[(1, f64::NAN)]), PlanError::Share { .. });
    names!(with_shares(&[(1, 0.5), (2, 0.4)]), PlanError::SharesSum { .. });
    names!(spoilt(|input| input.lanes[0].entrance_id = 9), PlanError::LaneEntrance { entrance_id: 9, .. });
    names!(spoilt(|input| input.lanes[0].takes = vec![9]), PlanError::LaneClass { class: 9, .. });
    names!(spoilt(|input| input.lanes[0].may_take = vec![8]), PlanError::LaneClass { class: 8, .. });
    let may_not = |input: &mut PlanInput| {
        input.lanes[0].takes = vec![1, 2];
        input.lanes[0].may_take = vec![1];
    };
    names!(spoilt(may_not), PlanError::LaneMayNot { class: 2, .. });
    names!(spoilt(|input| input.lanes[0].open_from_min = f64::NAN), PlanError::LaneMinute { .. });
    names!(
        spoilt(|input| input.lanes[0].open_until_min = Some(2_000.0)),
        PlanError::LaneMinute { minute: 2_000.0, .. }
    );
    names!(spoilt(|input| input.lanes[0].open_until_min = Some(0.0)), PlanError::LaneHours { until_min: 0.0, .. });
    names!(spoilt(|input| input.lanes.iter_mut().for_each(|lane| lane.takes = vec![1])), PlanError::NoLaneTakes { .. });
    let bare = |input: &mut PlanInput| {
        input.lanes[2].takes = vec![1];
        input.lanes[3].takes = vec![1];
        let halves = [1, 2].map(|entrance_id| EntranceShareInput { entrance_id, share: 0.5 });
        input.classes[1].entrance_shares = halves.to_vec();
    };
    names!(spoilt(bare), PlanError::NoLaneAtEntrance { .. });
}

#[test]
fn service_times_that_no_lane_has() {
    let lognormal = |mean_s, p95_s| with_service(ServiceInput::Lognormal { mean_s, p95_s });
    let measured = |gaps_s| with_service(ServiceInput::Measured { gaps_s });
    for mean_s in [0.0, -6.0, 601.0, f64::NAN] {
        names!(lognormal(mean_s, 14.0), PlanError::ServiceMean { .. });
    }
    for p95_s in [5.9, 24.0, -1.0, f64::NAN, f64::INFINITY] {
        names!(lognormal(6.0, p95_s), PlanError::ServiceP95 { .. });
    }
    names!(measured(Vec::new()), PlanError::Gaps { found: 0 });
    names!(measured(vec![1.0; 100_001]), PlanError::Gaps { found: 100_001 });
    for gap_s in [0.0, -1.0, 601.0, f64::NAN] {
        names!(measured(vec![5.0, gap_s]), PlanError::Gap { .. });
    }
}

#[test]
fn facts_that_cannot_be() {
    let plan = plan(&issue(&[2, 2]));
    let entrance = |entrance_id| EntranceFacts { entrance_id, admitted: vec![(0, 3), (9, 4)], waiting: Some(1) };
    let facts =
        Facts { now_min: 10.0, entrances: vec![entrance(1), entrance(2)], gaps_s: vec![5.0], lanes_down: vec![101] };
    compare(&plan, &facts, 1).expect("facts that can be");
    let spoilt = |spoil: &dyn Fn(&mut Facts)| {
        let mut spoilt = facts.clone();
        spoil(&mut spoilt);
        compare(&plan, &spoilt, 1).expect_err("a mistake that nobody found")
    };
    names!(spoilt(&|facts| facts.now_min = f64::NAN), FactsError::Now { .. });
    names!(spoilt(&|facts| facts.entrances[0].entrance_id = 9), FactsError::EntranceUnknown { entrance_id: 9 });
    names!(spoilt(&|facts| facts.entrances[1].entrance_id = 1), FactsError::EntranceTwice { entrance_id: 1 });
    names!(spoilt(&|facts| facts.entrances.truncate(1)), FactsError::EntranceMissing { entrance_id: 2 });
    names!(spoilt(&|facts| facts.entrances[0].admitted[1].0 = 0), FactsError::Order { minute: 0, .. });
    names!(spoilt(&|facts| facts.entrances[0].admitted[1].0 = 11), FactsError::Future { minute: 11, .. });
    names!(spoilt(&|facts| facts.entrances[0].waiting = Some(200_000)), FactsError::Crowd { found: 200_015 });
    names!(spoilt(&|facts| facts.lanes_down.push(9)), FactsError::LaneUnknown { lane_id: 9 });
    names!(spoilt(&|facts| facts.gaps_s = vec![1.0; 100_001]), FactsError::TooManyGaps { found: 100_001 });
    names!(spoilt(&|facts| facts.gaps_s.push(f64::NAN)), FactsError::Gap { .. });
}

#[test]
fn json_is_read_strictly_and_with_defaults() {
    let written = r#"{
        "classes": [{ "class": 1, "name": "Stand", "guests": 600,
                      "arrivals": { "density": [[-30, 0], [0, 1], [30, 0]] } }],
        "entrances": [{ "entrance_id": 1, "name": "Main" }],
        "lanes": [{ "lane_id": 7, "name": "Main 1", "entrance_id": 1 }],
        "service": { "lognormal": { "mean_s": 6, "p95_s": 14 } }
    }"#;
    let read = |text: &str| serde_json::from_str::<PlanInput>(text);
    let input = read(written).unwrap();
    assert_eq!((input.p95_wait_s, input.evenings, input.discipline), (600.0, 20, Discipline::LaneQueues));
    let plan = plan(&input);
    assert!(plan.lanes[0].takes.has(0) && plan.lanes[0].may_take.has(0));
    for (from, to) in [
        ("\"service\"", "\"speed\": 1, \"service\""),
        ("\"lane_id\"", "\"gate\": 1, \"lane_id\""),
        ("\"mean_s\"", "\"median_s\": 1, \"mean_s\""),
        ("\"density\"", "\"curve\""),
    ] {
        assert!(read(&written.replace(from, to)).is_err(), "{to}");
    }
    let stadium = include_str!("stadium.json");
    assert!(check(&read(stadium).unwrap()).is_ok());
}
