//! Rows go against their receipt and by policy, and what is left is a chain.

use gate_core::wire::v1::{Receipt, ReceiptPayload};
use gate_core::{ClockReading, Policy};

use super::*;
use crate::core::retention::Retention;
use crate::shell::places::{self, Standing};

/// The receipt up to `seq`.
pub(super) fn receipt(world: &mut World, seq: u64) {
    let epoch = world.journal.head().unwrap().epoch;
    let hash = world.journal.row_hash(epoch, seq).unwrap().unwrap();
    let payload = ReceiptPayload { device: DEVICE.0, event: EVENT.0, epoch, seq, hash: hash.into(), at_ms: NOW_MS };
    let receipt: Receipt = payload.seal(&world.organiser.key(Role::Receipt)).unwrap();
    world.journal.keep_receipt(&payload, &receipt).unwrap();
}

/// What may be forgotten so long after the event's end, where a minute is kept.
fn retention(world: &World, after_ms: i64, in_doubt: bool) -> Option<Retention> {
    let Standing::Placed(_, station) = places::load(&world.journal).unwrap() else { panic!("no place") };
    let mut station = (*station).clone();
    station.policy = Some(Policy { keep_rows_s: 60, ..world.organiser.policy(2) });
    let now_ms = station.event.ends_at_ms + after_ms;
    Retention::of(&station, ClockReading { now_ms, uncertainty_ms: 0, in_doubt, offset_ms: 0 })
}

fn kept(world: &World) -> Vec<u64> {
    let mut kept = Vec::new();
    let audit = world.journal.audit(&world.key.public(), |body, _| kept.push(body.seq)).unwrap();
    assert_eq!(audit, Ok(world.journal.head().unwrap().seq), "what is left is a chain");
    kept
}

fn forget(world: &mut World, after_ms: i64) {
    let retention = retention(world, after_ms, false).unwrap();
    while world.journal.forget(&retention).unwrap() {}
}

#[test]
fn only_receipted_rows_go_and_the_head_stays() {
    let mut world = world(&[active(1), active(2), active(3)]);
    world.reasons(&[1, 2, 3, 1, 2].map(|ticket| short(ticket, 2, NOW_S)));
    forget(&mut world, 90_000);
    assert_eq!(kept(&world), [1, 2, 3, 4, 5], "no receipt");
    receipt(&mut world, 3);
    forget(&mut world, 59_999);
    assert_eq!(kept(&world), [1, 2, 3, 4, 5], "not yet by the policy");
    assert!(retention(&world, 90_000, true).is_none(), "not by a clock in doubt");
    forget(&mut world, 60_000);
    assert_eq!(kept(&world), [4, 5]);
    assert_eq!(world.journal.base().unwrap().seq, 3);
    assert_eq!(world.journal.admitted_here(DEVICE).unwrap(), 3, "passages stay");
    assert_eq!(world.reasons(&[short(3, 2, NOW_S)]), [Reason::Used], "and the chain goes on");
    receipt(&mut world, 6);
    forget(&mut world, 90_000);
    assert_eq!(kept(&world), [6], "the head stays for ever");
    world.database = Database::open(world.folder.path(), None, 88).unwrap();
    world.journal = world.database.connect(Use::Gate).unwrap();
    assert_eq!(kept(&world), [6]);
    let progress = world.journal.progress().unwrap();
    assert_eq!((progress.head.seq, progress.receipted_seq), (6, 6));
}

#[test]
fn a_journal_that_begins_later_is_exported_and_inspected() {
    let mut world = world(&[active(1), active(2)]);
    world.key = crate::shell::keystore::read_or_make(world.folder.path()).unwrap();
    world.reasons(&[1, 2, 1, 2].map(|ticket| short(ticket, 2, NOW_S)));
    receipt(&mut world, 4);
    forget(&mut world, 60_000);
    assert_eq!(kept(&world), [4]);
    let file = world.folder.path().join("export.jsonl");
    assert_eq!(crate::shell::export::export(world.folder.path(), &file).unwrap(), 1);
    let exported = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<serde_json::Value> = exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.iter().filter(|line| line["kind"] == "row").count(), 1);
    assert_eq!(lines.iter().filter(|line| line["kind"] == "receipt").count(), 1, "which let the others go");
    let mut out = Vec::new();
    assert!(crate::shell::inspect::check(world.folder.path(), true, &mut out).unwrap());
    let found: serde_json::Value = serde_json::from_slice(&out).unwrap();
    let journal = &found["journal"];
    assert_eq!((&journal["rows"], &journal["forgotten"], &journal["chain"]), (&1.into(), &3.into(), &"whole".into()));
}
