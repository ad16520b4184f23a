//! Staff with a real database and a real PIN: from the sealed list on the disk to the row of the override.

use gate_core::staff::{PinVerifier, Role, SealedStaff};
use ticket_signer::Role as Signs;

use super::super::tests::{Lines, placed, verdicts};
use super::super::{Front, Options, Output, SourceSpec, recorder};
use super::*;
use crate::core::engine::staff::Digit;
use crate::core::present::staff::{Action, Ground};
use crate::shell::camera::Torch;
use crate::shell::journal::{Database, Use};
use crate::shell::keystore;
use crate::shell::sync::Message;
use crate::testkit::{DEVICE, EVENT, Organiser, short};

/// A handheld with supervisor 7 on its list.
fn with_staff(folder: &std::path::Path) {
    placed(folder);
    let verifier = PinVerifier::new(&Pin::parse("482915").unwrap(), [1; 16]).unwrap();
    let members = [Member { number: 7, role: Role::Supervisor, verifier }];
    let key = keystore::read_or_make(folder).unwrap().public();
    let signer = Organiser::default().key(Signs::Policy);
    let bytes = SealedStaff::seal(&members, (EVENT, DEVICE, 1), &key, &[2; 32], &signer).unwrap();
    let database = Database::open(folder, None, 3).unwrap();
    database.connect(Use::Background).unwrap().keep_staff(&bytes).unwrap();
}

fn open(folder: &std::path::Path, lines: &Lines) -> Gate {
    let typed = folder.join("typed");
    std::fs::write(&typed, "").unwrap();
    let options = Options {
        folder: folder.to_owned(),
        source: SourceSpec::Wedge(Some(typed)),
        name: "Handheld 1".to_owned(),
        server: None,
        recorder: recorder::Options::default(),
        torch: Torch::Auto,
    };
    Gate::open(options, Output::to(Box::new(lines.clone())), |_| Front::default()).unwrap()
}

fn tap(gate: &mut Gate, input: StaffInput) {
    gate.give(Input::Staff(input));
}

fn unlock(gate: &mut Gate, number: &str, pin: &str) {
    tap(gate, StaffInput::Open);
    for part in [number, pin] {
        for digit in part.bytes() {
            tap(gate, StaffInput::Key(Digit::new(digit - b'0').unwrap()));
        }
        tap(gate, StaffInput::Enter);
    }
    // The thread's answer; whatever the sync threads say meanwhile is given as well.
    for _ in 0..50 {
        let Ok(Message::Input(input)) = gate.inbox.recv_timeout(std::time::Duration::from_secs(30)) else { continue };
        let answered = matches!(*input, Input::Staff(StaffInput::Checked { .. }));
        gate.give(*input);
        if answered {
            return;
        }
    }
    panic!("no PIN was checked");
}

fn events(lines: &Lines, event: &str) -> Vec<serde_json::Value> {
    lines.read().into_iter().filter(|line| line["event"] == event).collect()
}

#[test]
fn a_pin_opens_the_handheld_and_an_override_is_a_row() {
    let folder = tempfile::tempdir().unwrap();
    with_staff(folder.path());
    let lines = Lines::default();
    let mut gate = open(folder.path(), &lines);
    let code = short(1, 2, gate.clock.read().now_s() - 600).to_text().into_bytes();
    gate.give(Input::Seen(vec![code]));
    unlock(&mut gate, "7", "482916");
    assert_eq!(gate.journal.unlock_failures().unwrap(), 1);
    unlock(&mut gate, "8", "482915");
    assert_eq!(gate.journal.unlock_failures().unwrap(), 2, "somebody else's PIN");
    unlock(&mut gate, "7", "482915");
    assert_eq!(gate.journal.unlock_failures().unwrap(), 0);
    tap(&mut gate, StaffInput::Choose(Action::LetIn));
    tap(&mut gate, StaffInput::Because(Ground::CodeUnreadable));
    let reasons: Vec<String> = verdicts(&lines.read()).into_iter().map(|(_, reason)| reason).collect();
    assert_eq!(reasons, ["stale", "overridden"]);
    let unlocked: Vec<bool> = events(&lines, "unlock").iter().map(|line| line["unlocked"].as_bool().unwrap()).collect();
    assert_eq!(unlocked, [false, false, true]);
    assert_eq!(gate.journal.head().unwrap().seq, 5, "each of them is a row");
}

#[test]
fn wrong_pins_and_a_clock_set_by_hand_outlive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    with_staff(folder.path());
    let lines = Lines::default();
    let mut gate = open(folder.path(), &lines);
    unlock(&mut gate, "7", "482915");
    let now_ms = gate.clock.read().now_ms;
    let set = |to_ms| StaffEffect::SetClock { staff: 7, to_ms, reach: Reach::Alone };
    let early = gate.serve_staff(set(now_ms - 3_600_000));
    assert!(matches!(early, Some(Input::Staff(StaffInput::ClockSet { seq: None }))), "before the server's time");
    let done = gate.serve_staff(set(now_ms + 7_200_000));
    assert!(matches!(done, Some(Input::Staff(StaffInput::ClockSet { seq: Some(2) }))), "{done:?}");
    tap(&mut gate, StaffInput::Lock);
    unlock(&mut gate, "7", "999999");
    drop(gate);
    let gate = open(folder.path(), &lines);
    let ahead_ms = gate.clock.read().now_ms - now_ms;
    assert!((7_200_000..7_260_000).contains(&ahead_ms), "{ahead_ms}");
    assert_eq!((gate.journal.unlock_failures().unwrap(), gate.staff.members.len()), (1, 1));
}
