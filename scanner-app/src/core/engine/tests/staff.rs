//! Staff at the lane: what a PIN opens, what a wrong one costs, and that no scan is lost or mis-shown meanwhile.

use gate_core::record::{StaffAct, record_act};
use gate_core::row::{Act, RowBody};
use gate_core::staff::Role;

use super::*;
use crate::core::engine::staff::{Digit, LOCK_AFTER_MS, PAGE_STAYS_MS};
use crate::core::present::staff::{Action, Ground, Say, StaffPage, StaffView};

/// The PIN of everybody in these tests.
const PIN: &str = "482915";
const SUPERVISOR: &str = "7";
const STEWARD: &str = "3";

impl Lane {
    fn with_staff(tickets: &[u64]) -> Self {
        let mut lane = Lane::new(tickets);
        let members = vec![(3, Role::Steward), (7, Role::Supervisor)];
        lane.give(Input::Staff(StaffInput::Known { members, failures: 0 }));
        lane
    }

    /// What the shell does for staff.
    pub(super) fn serve_staff(&mut self, effect: &StaffEffect) -> Option<Input> {
        match effect {
            StaffEffect::Check { attempt, pin, .. } => {
                let fits = *pin == gate_core::staff::Pin::parse(PIN).unwrap();
                Some(Input::Staff(StaffInput::Checked { attempt: *attempt, fits }))
            }
            StaffEffect::Ask { question, .. } if self.strict => {
                assert_eq!(self.engine.question, *question);
                None
            }
            StaffEffect::Ask { question, .. } => Some(Input::Granted { question: *question, grant: None }),
            StaffEffect::Record { act, reach, .. } => Some(Input::Staff(self.act(act, *reach))),
            StaffEffect::SetClock { staff, to_ms, reach } => {
                let act = StaffAct::ClockReset { staff: *staff, from_ms: self.at().now_ms, to_ms: *to_ms };
                let StaffInput::Recorded { recorded: Some(recorded) } = self.act(&act, *reach) else { return None };
                Some(Input::Staff(StaffInput::ClockSet { seq: (*to_ms >= NOW_MS).then(|| recorded.seq()) }))
            }
        }
    }

    fn act(&mut self, act: &StaffAct, reach: Reach) -> StaffInput {
        let policy = self.organiser.policy(1);
        let key = SecretKey::from_bytes(&[9; 32]);
        let now = ClockReading { now_ms: self.at().now_ms, uncertainty_ms: 1, in_doubt: false, offset_ms: 0 };
        let here = Station { device: DEVICE, key: &key, event: EVENT, lane: LANE, policy: Some(&policy), reach, now };
        match record_act(&mut self.memory, act, None, &here) {
            Ok(recorded) => StaffInput::Recorded { recorded: recorded.map(Box::new) },
            Err(Full) => StaffInput::NotRecorded { message: "The storage is full. Free it".to_owned() },
        }
    }

    fn tap(&mut self, input: StaffInput) {
        self.steady_ms += 100;
        self.give(Input::Staff(input));
    }

    fn enter(&mut self, digits: &str) {
        for digit in digits.bytes() {
            self.tap(StaffInput::Key(Digit::new(digit - b'0').unwrap()));
        }
        self.tap(StaffInput::Enter);
    }

    fn unlock(&mut self, number: &str, pin: &str) {
        self.tap(StaffInput::Open);
        self.enter(number);
        self.enter(pin);
    }

    fn desk(&self) -> Option<StaffView> {
        match self.engine.view(self.at()).page {
            Page::Staff(view) => Some(*view),
            _ => None,
        }
    }

    fn actions(&self) -> Vec<Action> {
        match self.desk().map(|view| view.page) {
            Some(StaffPage::Menu { actions }) => actions,
            page => panic!("no menu but {page:?}"),
        }
    }

    fn say(&self) -> Say {
        self.desk().unwrap().say
    }

    fn acts(&self) -> Vec<(Act, u8, Option<u16>)> {
        let bodies = self.memory.rows.iter().map(|row| RowBody::from_bytes(&row.bytes).unwrap());
        bodies
            .map(|body| (body.act().unwrap(), body.outcome, body.staff))
            .filter(|(act, ..)| *act != Act::Scan)
            .collect()
    }

    fn wait(&mut self, ms: i64) {
        self.steady_ms += ms;
        self.give(Input::Tick);
    }
}

#[test]
fn a_supervisor_lets_a_refused_guest_in_and_the_ticket_is_not_refused_behind_it() {
    let mut lane = Lane::with_staff(&[1]);
    lane.see(100, &short(1, 2, NOW_S - 300));
    assert_eq!(lane.verdicts(), ["stale"]);
    lane.unlock(SUPERVISOR, PIN);
    assert_eq!(lane.actions(), [Action::LetIn, Action::SendAway, Action::WithoutCode, Action::Clock]);
    assert!(lane.desk().unwrap().subject.ends_with("Old code"), "{:?}", lane.desk());
    lane.tap(StaffInput::Choose(Action::LetIn));
    lane.tap(StaffInput::Because(Ground::BookingSeen));
    assert_eq!(lane.verdicts(), ["stale", "overridden"]);
    let row = RowBody::from_bytes(&lane.memory.rows[2].bytes).unwrap();
    assert_eq!((row.of, row.note.as_deref(), row.staff), (Some(1), Some("booking_seen"), Some(7)));
    assert!(matches!(lane.engine.view(lane.at()).page, Page::Verdict(_)), "green, from its row");
    assert_eq!(lane.acts(), [(Act::Unlock, 1, Some(7)), (Act::Override, 1, Some(7))]);
}

#[test]
fn a_ticket_that_was_overridden_is_held_off_while_the_guest_still_shows_it() {
    let mut lane = Lane::with_staff(&[1]);
    lane.see(100, &short(1, 2, NOW_S));
    lane.wait(6_000);
    lane.see(0, &short(1, 2, lane.now_s()));
    assert_eq!(lane.verdicts(), ["admitted", "used"]);
    lane.unlock(SUPERVISOR, PIN);
    lane.tap(StaffInput::Choose(Action::LetIn));
    lane.tap(StaffInput::Because(Ground::ScannedBefore));
    lane.see(300, &short(1, 2, lane.now_s() + 15));
    assert_eq!(lane.verdicts(), ["admitted", "used", "overridden"], "no red behind the green");
}

#[test]
fn a_steward_lets_the_rest_of_a_group_in_by_one_row_and_nothing_else() {
    let mut lane = Lane::with_staff(&[1]);
    lane.memory.admissions = 4;
    lane.see(100, &short(1, 2, NOW_S));
    assert_eq!(lane.engine.view(lane.at()).group_left, 3);
    lane.unlock(STEWARD, PIN);
    assert_eq!(lane.actions(), [Action::More]);
    lane.tap(StaffInput::Choose(Action::WithoutCode));
    lane.tap(StaffInput::Choose(Action::More));
    let StaffPage::Guests { guests, most, of_group } = lane.desk().unwrap().page else { panic!("{:?}", lane.desk()) };
    assert_eq!((guests, most, of_group), (3, 3, true), "all of them, until somebody says otherwise");
    for _ in 0..5 {
        lane.tap(StaffInput::Guests(1));
    }
    lane.tap(StaffInput::Guests(-1));
    lane.tap(StaffInput::Enter);
    assert_eq!(lane.memory.passages.iter().map(|(_, one)| one.guests).collect::<Vec<_>>(), [1, 2]);
    // Still unlocked, and one is left.
    lane.tap(StaffInput::Open);
    assert_eq!(lane.actions(), [Action::More]);
    lane.tap(StaffInput::Choose(Action::More));
    lane.tap(StaffInput::Enter);
    assert_eq!(lane.acts().iter().filter(|(act, ..)| *act == Act::More).count(), 2);
    lane.tap(StaffInput::Open);
    assert_eq!(lane.actions(), [], "nobody is left");
}

#[test]
fn guests_without_a_code_are_a_supervisors_word_counted_apart() {
    let mut lane = Lane::with_staff(&[1]);
    lane.unlock(SUPERVISOR, PIN);
    assert_eq!(lane.actions(), [Action::WithoutCode, Action::Clock], "there is no verdict to decide about");
    lane.tap(StaffInput::Choose(Action::WithoutCode));
    lane.tap(StaffInput::Guests(1));
    lane.tap(StaffInput::Enter);
    assert_eq!(lane.desk().unwrap().page, StaffPage::Reasons { guests: 2 });
    lane.tap(StaffInput::Because(Ground::Safety));
    assert_eq!(lane.verdicts(), ["overridden"]);
    assert!(lane.memory.passages.is_empty(), "they are on no ticket");
}

#[test]
fn five_wrong_pins_cost_a_wait_that_doubles_and_a_restart_does_not_end() {
    let mut lane = Lane::with_staff(&[1]);
    lane.tap(StaffInput::Open);
    for tries in (0..5).rev() {
        lane.enter(SUPERVISOR);
        lane.enter("000000");
        let expected = if tries > 0 { Say::Wrong { tries } } else { Say::Wait { s: 30 } };
        assert_eq!(lane.say(), expected);
    }
    lane.enter("7");
    lane.enter(PIN);
    assert_eq!(lane.acts().len(), 5, "the right PIN is not even looked at");
    let mut again = Lane::with_staff(&[1]);
    again.give(Input::Staff(StaffInput::Known { members: vec![(7, Role::Supervisor)], failures: 5 }));
    again.tap(StaffInput::Open);
    assert_eq!(again.say(), Say::Wait { s: 30 });
    again.wait(30_000);
    again.unlock(SUPERVISOR, "000000");
    assert_eq!(again.say(), Say::Wait { s: 60 });
    again.wait(60_000);
    again.unlock(SUPERVISOR, PIN);
    again.actions();
    again.tap(StaffInput::Lock);
    again.unlock(SUPERVISOR, "000000");
    assert_eq!(again.say(), Say::Wrong { tries: 4 }, "a right PIN makes them forgotten");
}

#[test]
fn what_is_no_pin_costs_nothing_and_nobodys_number_is_a_wrong_one() {
    let mut lane = Lane::with_staff(&[1]);
    lane.tap(StaffInput::Open);
    lane.tap(StaffInput::Enter);
    assert_eq!(lane.say(), Say::NoNumber);
    lane.enter("7");
    lane.enter("1234");
    assert_eq!((lane.say(), lane.acts().len()), (Say::PinLength, 0));
    lane.tap(StaffInput::Back);
    lane.enter("99");
    lane.enter(PIN);
    assert_eq!((lane.say(), lane.acts()), (Say::Wrong { tries: 4 }, vec![(Act::Unlock, 2, Some(99))]));
    assert!(!format!("{:?}", lane.engine).contains("4829") && !format!("{:?}", lane.said).contains("4829"));
}

#[test]
fn nobody_decides_after_the_lock_or_without_the_row_of_their_pin() {
    let mut lane = Lane::with_staff(&[1]);
    lane.unlock(SUPERVISOR, PIN);
    lane.tap(StaffInput::Close);
    lane.wait(LOCK_AFTER_MS - 1_000);
    lane.tap(StaffInput::Open);
    lane.actions();
    lane.tap(StaffInput::Close);
    lane.wait(LOCK_AFTER_MS);
    lane.tap(StaffInput::Open);
    assert!(matches!(lane.desk().unwrap().page, StaffPage::Number { .. }), "locked by itself");
    lane.tap(StaffInput::Close);
    lane.memory.full = true;
    lane.unlock(SUPERVISOR, PIN);
    assert!(matches!(lane.engine.view(lane.at()).page, Page::Fault { .. }), "right or wrong look the same");
    lane.memory.full = false;
    lane.give(Input::Dismiss);
    lane.tap(StaffInput::Open);
    assert!(matches!(lane.desk().unwrap().page, StaffPage::Number { .. }));
}

#[test]
fn who_is_taken_off_the_list_is_locked_out_at_once() {
    let mut lane = Lane::with_staff(&[1]);
    lane.unlock(SUPERVISOR, PIN);
    // A steward from now on.
    lane.give(Input::Staff(StaffInput::Known { members: vec![(7, Role::Steward)], failures: 0 }));
    assert_eq!(lane.desk(), None);
    lane.give(Input::Staff(StaffInput::Known { members: vec![], failures: 0 }));
    lane.tap(StaffInput::Open);
    assert_eq!((lane.desk(), lane.engine.view(lane.at()).staff_offered), (None, false));
    assert!(lane.reports().iter().any(|line| line.contains("locked")));
}

#[test]
fn a_code_in_view_waits_for_the_page_and_is_taken_when_it_closes() {
    let mut lane = Lane::with_staff(&[1, 2]);
    lane.see(100, &short(1, 2, NOW_S - 300));
    lane.tap(StaffInput::Open);
    for _ in 0..8 {
        lane.see(500, &short(2, 2, NOW_S));
    }
    assert_eq!((lane.verdicts().len(), lane.desk().is_some()), (1, true), "not taken, and the page stands");
    lane.tap(StaffInput::Close);
    lane.see(100, &short(2, 2, NOW_S));
    assert_eq!(lane.verdicts(), ["stale", "admitted"], "not lost either");
    // An imager says it once.
    lane.give(Input::Source(SourceNews::Imager));
    lane.tap(StaffInput::Open);
    lane.see(100, &short(1, 2, lane.now_s()));
    lane.tap(StaffInput::Close);
    assert_eq!(lane.verdicts(), ["stale", "admitted", "admitted"]);
}

#[test]
fn a_page_that_nobody_touches_closes_and_the_refusal_is_still_there() {
    let mut lane = Lane::with_staff(&[1]);
    lane.see(100, &short(1, 2, NOW_S - 300));
    lane.tap(StaffInput::Open);
    lane.wait(PAGE_STAYS_MS - 100);
    assert!(lane.desk().is_some());
    lane.wait(100);
    assert!(matches!(lane.engine.view(lane.at()).page, Page::Verdict(_)), "the lane goes on");
}

#[test]
fn a_supervisor_sets_the_clock_but_not_before_the_servers_time() {
    let mut lane = Lane::with_staff(&[1]);
    lane.unlock(SUPERVISOR, PIN);
    lane.tap(StaffInput::Choose(Action::Clock));
    lane.enter("99");
    assert_eq!(lane.say(), Say::NoTime);
    // 12:00 UTC is 17:30 in Kolkata.
    lane.enter("1700");
    assert_eq!(lane.say(), Say::TimeTooEarly);
    lane.tap(StaffInput::Day(1));
    lane.enter("1700");
    assert_eq!(lane.say(), Say::ClockSet);
    let row = RowBody::from_bytes(&lane.memory.rows.last().unwrap().bytes).unwrap();
    let expected = NOW_MS + 86_400_000 - 30 * 60_000;
    assert_eq!((row.act(), row.staff), (Some(Act::ClockReset), Some(7)));
    assert!(row.note.unwrap().ends_with(&expected.to_string()));
}

#[test]
fn under_the_strict_rule_a_group_waits_for_its_owners_word_and_not_for_ever() {
    let mut lane = Lane::with_staff(&[1]);
    lane.memory.admissions = 4;
    lane.see(100, &short(1, 2, NOW_S));
    lane.unlock(STEWARD, PIN);
    lane.strict = true;
    lane.tap(StaffInput::Choose(Action::More));
    lane.tap(StaffInput::Enter);
    assert!(lane.desk().unwrap().busy);
    lane.tap(StaffInput::Close);
    assert!(lane.desk().is_some(), "a row is on its way");
    lane.wait(ASK_MS);
    assert_eq!(lane.acts().last().map(|(act, ..)| *act), Some(Act::More), "decided without it");
}

proptest! {
    /// Whatever is tapped and seen: only who is unlocked decides, and every green has its row.
    #[test]
    fn no_tapping_gets_past_the_pin(taps in proptest::collection::vec((0u8..14, 0u8..10, 0i64..9_000), 1..120)) {
        let mut lane = Lane::with_staff(&[1]);
        lane.memory.admissions = 3;
        for (tap, digit, after_ms) in taps {
            lane.steady_ms += after_ms;
            let input = match tap {
                0 => StaffInput::Open,
                // Never the right PIN: it has a 4.
                1 | 2 => StaffInput::Key(Digit::new(if digit == 4 { 5 } else { digit }).unwrap()),
                3 => StaffInput::Enter,
                4 => StaffInput::Erase,
                5 => StaffInput::Choose(Action::LetIn),
                6 => StaffInput::Choose(Action::WithoutCode),
                7 => StaffInput::Choose(Action::More),
                8 => StaffInput::Because(Ground::Safety),
                9 => StaffInput::Back,
                10 => StaffInput::Checked { attempt: u64::from(digit), fits: true },
                11 => StaffInput::Choose(Action::Clock),
                12 => { lane.give(Input::Tick); continue }
                _ => { let now_s = lane.now_s(); lane.see(0, &short(1, 2, now_s)); continue }
            };
            // An answer that nobody asked for is no answer; the shell itself answers at once in these tests.
            lane.give(Input::Staff(input));
        }
        prop_assert!(lane.acts().iter().all(|(act, outcome, _)| *act == Act::Unlock && *outcome == 2), "{:?}", lane.acts());
        let shown = lane.said.iter().filter(|effect| matches!(effect, Effect::Show { .. })).count();
        prop_assert_eq!(shown + lane.acts().len(), lane.memory.rows.len());
    }
}
