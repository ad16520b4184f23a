//! Journals that gates wrote as they must: nothing differs, and everything is counted.

use gate_core::record::StaffAct;
use serde_json::json;
use ticket_signer::TicketId;
use turnstone_auditor::{Export, audit, to_json, to_text};

use crate::world::*;

/// An evening with a bit of everything.
pub fn evening() -> World {
    let mut world = World::new();
    for ticket in 1..=6 {
        world.list(ticket, ONE);
    }
    world.list(10, FOUR);
    world.list(20, STRICT);
    world.list_printed(30);

    assert_eq!(world.act(1, StaffAct::Unlock { staff: 5, unlocked: false }), "noted");
    assert_eq!(world.act(1, StaffAct::Unlock { staff: 5, unlocked: true }), "noted");
    for ticket in 1..=3 {
        assert_eq!(world.scan(1, &world.short(ticket)), "admitted");
        world.wait_s(4);
    }
    assert_eq!(world.scan(1, &world.short(1)), "used");
    let old = world.short(4);
    world.wait_s(90);
    assert_eq!(world.scan(2, &old), "stale");
    assert_eq!(world.scan(2, &world.short(4)), "admitted");
    assert_eq!(world.scan(2, &world.full(5, ONE)), "admitted");
    assert_eq!(world.scan(2, &world.full(41, ONE)), "admitted");
    assert_eq!(world.scan(2, &world.short(40)), "unknown");
    assert_eq!(world.scan(2, &world.printed(30)), "admitted");
    assert_eq!(world.scan(2, "https://restaurant.example/menu"), "not_a_ticket");
    assert_eq!(world.scan(2, "T1SABC"), "damaged");

    // A group, of which two come later, and one too many.
    assert_eq!(world.scan(1, &world.short(10)), "admitted");
    let seq = world.devices[0].head().seq;
    assert_eq!(world.act(1, StaffAct::More { of: seq, guests: 2 }), "admitted");
    assert_eq!(world.act(1, StaffAct::More { of: seq, guests: 2 }), "too_many_guests");

    // Out by lane 3 and in again by lane 2.
    world.share();
    world.wait_s(60);
    assert_eq!(world.scan(3, &world.short(2)), "exited");
    assert_eq!(world.scan(3, &world.short(6)), "not_inside");
    world.wait_s(60);
    world.share();
    assert_eq!(world.scan(1, &world.short(2)), "admitted");

    // With the owner's word, and without.
    assert_eq!(world.scan(2, &world.short(20)), "no_grant");
    let (grant, bytes) = world.grant(2, 20);
    assert_eq!(world.scan_with(2, &world.short(20), Some((&grant, &bytes))), "admitted");

    // Staff.
    assert_eq!(world.scan(1, &world.short(3)), "used");
    let of = Some(world.devices[0].head().seq);
    let note = "came out for a smoke".to_owned();
    assert_eq!(world.act(1, StaffAct::Override { of, guests: 1, staff: 5, note }), "overridden");
    let note = String::new();
    assert_eq!(world.act(2, StaffAct::Override { of: None, guests: 3, staff: 6, note }), "overridden");
    world.act(2, StaffAct::ClockReset { staff: 6, from_ms: 1, to_ms: 2 });
    world.act(2, StaffAct::Released { group: 0, epoch: 3 });
    world
}

#[test]
fn a_supervisors_word_that_came_after_the_lease_is_refused_and_no_difference() {
    let mut world = World::new();
    world.devices[0].lease_until_s = (NOW_MS / 1000 + 60) as u32;
    world.wait_s(60);
    let note = String::new();
    assert_eq!(world.act(1, StaffAct::Override { of: None, guests: 1, staff: 5, note }), "lease_expired");
    let report = audited(&world.export());
    assert_eq!(kinds(&report), [], "{}", to_text(&report));
}

#[test]
fn a_sound_evening_has_no_difference() {
    let world = evening();
    let report = audited(&world.export());
    assert_eq!(kinds(&report), [], "{}", to_text(&report));
    assert!(report.is_sound());
    let totals = report.totals;
    let rows: usize = world.devices.iter().map(|device| device.rows.len()).sum();
    assert_eq!((totals.rows, totals.believed), (rows as u64, rows as u64));
    assert_eq!((totals.devices, totals.journals, totals.receipts, totals.waiting), (3, 3, 3, 0));
    assert_eq!((totals.overrides, totals.override_guests, totals.codes_not_checkable), (2, 4, 0));
    // Ten scans, and the group's 2; the override of ticket 3.
    assert_eq!((totals.guests_in, totals.guests_out), (13, 1));
    assert_eq!(report.overrides[0].staff, Some(5));
    assert_eq!(report.overrides[0].note.as_deref(), Some("came out for a smoke"));
    assert_eq!(report.overrides[0].refused_as.as_deref(), Some("used"));
    // By the override ticket 3 has two inside.
    let conflict = &report.conflicts[..];
    assert_eq!(conflict.len(), 1);
    assert_eq!((conflict[0].ticket.0, conflict[0].most_inside, conflict[0].most_inside_without_overrides), (3, 2, 1));
}

#[test]
fn a_code_without_its_key_is_not_checkable_and_no_difference() {
    let mut world = evening();
    world.list.remove(&1);
    let report = audited(&world.export());
    assert!(report.is_sound(), "{}", to_text(&report));
    assert_eq!(report.totals.codes_not_checkable, 2, "its admission, and the refusal as used");
    assert!(report.notes.iter().any(|note| note.name == "codes_not_checkable" && note.count == 2));
}

#[test]
fn a_full_code_tells_the_key_of_short_ones() {
    let mut world = World::new();
    world.list(1, ONE);
    world.scan(1, &world.full(1, ONE));
    world.scan(1, &world.short(1));
    world.list.clear();
    let report = audited(&world.export());
    assert!(report.is_sound(), "{}", to_text(&report));
    assert_eq!((report.totals.codes_verified, report.totals.codes_not_checkable), (2, 0));
}

#[test]
fn a_ticket_at_two_lanes_that_hear_nobody_is_a_conflict_and_no_difference() {
    let mut world = World::new();
    world.list(1, ONE);
    for device in &mut world.devices {
        device.reach = gate_core::Reach::Alone;
    }
    assert_eq!(world.scan(1, &world.short(1)), "admitted");
    world.wait_s(30);
    assert_eq!(world.scan(2, &world.short(1)), "admitted");
    let report = audited(&world.export());
    assert!(report.is_sound(), "{}", to_text(&report));
    let [conflict] = &report.conflicts[..] else { panic!("{}", to_text(&report)) };
    assert_eq!((conflict.allowed, conflict.most_inside, conflict.certain), (1, 2, true));
    let lanes: Vec<u32> = conflict.passages.iter().map(|passage| passage.lane).collect();
    assert_eq!(lanes, [1, 2]);
    assert!(to_text(&report).contains("2027-01-15 08:00:30 UTC (+- 20 ms), lane 2"), "{}", to_text(&report));
}

#[test]
fn a_conflict_that_clocks_may_explain_says_so() {
    let mut world = World::new();
    world.list(1, ONE);
    world.uncertainty_ms = 5_000;
    assert_eq!(world.scan(1, &world.short(1)), "admitted");
    world.wait_s(60);
    world.share();
    assert_eq!(world.scan(3, &world.short(1)), "exited");
    world.wait_s(3);
    world.share();
    assert_eq!(world.scan(2, &world.short(1)), "admitted");
    let report = audited(&world.export());
    assert!(report.is_sound(), "{}", to_text(&report));
    assert_eq!(report.conflicts.len(), 1, "gates count so too");
    assert!(!report.conflicts[0].certain);
}

#[test]
fn a_cut_off_lanes_rows_wait_and_are_not_lost() {
    let world = evening();
    let mut lines = world.export();
    let last = world.devices[2].rows.len();
    lines.retain(|line| line["kind"] != "receipt");
    let bytes = b64(&world.devices[2].rows[last - 1].row.bytes);
    lines.retain(|line| line["source"] != "cloud" || line["bytes"] != bytes.as_str());
    let report = audited(&lines);
    assert!(report.is_sound(), "{}", to_text(&report));
    assert_eq!(report.totals.waiting, 1);
}

#[test]
fn several_files_are_one_export() {
    let world = evening();
    let lines = world.export();
    let mut export = Export::default();
    let cloud: Vec<_> = lines.iter().filter(|line| line["source"] != "device").cloned().collect();
    let devices: Vec<_> = lines.iter().filter(|line| line["source"] != "cloud").cloned().collect();
    export.read("cloud.jsonl", to_lines(&cloud).as_bytes()).unwrap();
    export.read("devices.jsonl", to_lines(&devices).as_bytes()).unwrap();
    export.read("cloud-again.jsonl", to_lines(&cloud).as_bytes()).unwrap();
    let report = audit(&export, Some(&root().public().spoken_fingerprint())).unwrap();
    assert!(report.is_sound(), "{}", to_text(&report));
    let one = audited(&lines);
    assert_eq!(report.totals, one.totals);
}

#[test]
fn the_report_for_programs_says_the_same() {
    let report = audited(&evening().export());
    let json = to_json(&report);
    assert_eq!(json["format"], "turnstone-audit-v1");
    assert_eq!(json["sound"], true);
    assert_eq!(json["totals"]["rows"], report.totals.rows);
    assert_eq!(json["conflicts"][0]["ticket"], TicketId(3).to_string());
    assert_eq!(json["overrides"][0]["staff"], 5);
    assert_eq!(json["differences"], json!([]));
}

#[test]
fn what_would_steer_a_terminal_is_not_printed() {
    let mut world = World::new();
    let note = "\u{1b}[31mred\u{7}".to_owned();
    world.act(1, StaffAct::Override { of: None, guests: 1, staff: 5, note });
    let report = audited(&world.export());
    assert!(report.is_sound());
    assert!(!to_text(&report).contains('\u{1b}'));
}
