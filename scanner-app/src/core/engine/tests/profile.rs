//! What a lane asks of every guest, and what is left of a lane that was wiped.

use super::*;

fn asking(questions: &[&str]) -> Place {
    let mut policy = Organiser::default().policy(2);
    policy.lanes[0].questions = questions.iter().map(|question| (*question).to_owned()).collect();
    policy.lanes[1].questions = vec!["Another lane's".to_owned()];
    Place { policy: Some(policy), ..place() }
}

#[test]
fn a_lane_asks_while_it_waits_and_when_a_guest_is_let_in_and_nobody_else() {
    let mut lane = Lane::new(&[1]);
    let asked = |lane: &Lane| lane.engine.view(lane.at()).questions;
    assert_eq!(asked(&lane), [""; 0]);
    lane.give(Input::Place(PlaceNews::Confirmed(Box::new(asking(&["Check the photo ID", "No glass"])))));
    assert_eq!(asked(&lane), ["Check the photo ID", "No glass"], "while the lane waits");
    lane.see(100, &short(1, 2, NOW_S));
    assert_eq!(lane.verdicts(), ["admitted"]);
    assert_eq!(asked(&lane), ["Check the photo ID", "No glass"], "with the admission");
    lane.see(100, &short(7, 2, lane.now_s()));
    assert_eq!((lane.verdicts(), asked(&lane)), (vec!["admitted", "unknown"], Vec::new()), "not of one who stays out");
    lane.give(Input::Dismiss);
    lane.give(Input::Open(Overlay::About));
    assert_eq!(asked(&lane), [""; 0]);
}

#[test]
fn a_wiped_handheld_decides_nothing_hands_in_and_can_be_enrolled_again() {
    let mut lane = Lane::new(&[1]);
    let page = |lane: &Lane| lane.engine.view(lane.at()).page;
    lane.give(Input::Sync(SyncNews::Trouble { kind: Trouble::Server, message: "Gone".to_owned() }));
    lane.give(Input::Place(PlaceNews::Wiped { waiting: 2 }));
    assert!(matches!(page(&lane), Page::Wiped { text } if text.contains("2 scans wait")));
    lane.see(100, &short(1, 2, NOW_S));
    assert_eq!(lane.verdicts(), [""; 0]);
    assert!(lane.engine.view(lane.at()).notices.is_empty());
    lane.give(Input::Place(PlaceNews::Wiped { waiting: 1 }));
    lane.give(Input::Place(PlaceNews::Wiped { waiting: 0 }));
    lane.give(Input::Place(PlaceNews::Wiped { waiting: 0 }));
    assert!(matches!(page(&lane), Page::Enrol { error, .. } if error.contains("wiped")));
    let told: Vec<_> = lane.reports().into_iter().filter(|line| line.contains("wiped")).collect();
    assert_eq!(told.len(), 3, "each once: {told:?}");
    assert!(lane.reports().iter().any(|line| line.contains("enrol_wanted")));

    lane.give(Input::Place(PlaceNews::Confirmed(Box::new(Place { list: None, ..place() }))));
    assert!(matches!(page(&lane), Page::Starting { .. }), "ready only with a list again");
    lane.give(Input::Place(PlaceNews::Confirmed(Box::new(place()))));
    lane.give(Input::Tick);
    lane.see(100, &short(1, 2, lane.now_s()));
    assert_eq!(lane.verdicts(), ["admitted"]);
}
