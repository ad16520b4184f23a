//! Each fault of what rows say, and of their copies, one at a time: an otherwise sound evening in which it is found, named, and nothing else with it.

use gate_core::RowBody;
use gate_core::row::text_hash;
use serde_json::{Value, json};
use ticket_signer::{ClassId, LaneId, Role, TicketId};
use turnstone_auditor::{Kind, to_text};

use crate::sound::evening;
use crate::world::*;

/// A fault: what is done to the evening, and the kinds that must be found.
pub type Fault = (&'static str, fn() -> Vec<Value>, &'static [Kind]);

/// Runs each and says which went wrong.
pub fn find_all(faults: &[Fault]) {
    let mut wrong = Vec::new();
    for (name, plant, expected) in faults {
        let report = audited(&plant());
        if kinds(&report) != *expected {
            wrong.push(format!("{name}: expected {expected:?}\n{}", to_text(&report)));
        }
        assert_eq!(report.is_sound(), expected.is_empty(), "{name}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Rows of lane 1 in [`evening`], from 0: two unlocks, three admissions, one of them used, then the group.
pub const FIRST: usize = 2;
pub const USED: usize = 5;
const MORE: usize = 7;

/// The evening with a row of lane `nth` written anew.
pub fn rewritten(nth: usize, at: usize, change: impl FnOnce(&mut RowBody)) -> Vec<Value> {
    let mut world = evening();
    world.devices[nth - 1].rewrite(at, change);
    world.export()
}

fn at(world: &World, nth: usize, reason: &str) -> usize {
    world.devices[nth - 1].rows.iter().position(|row| row.body.reason == reason).unwrap()
}

/// Changes the lines of one row; `sources` says which copies.
fn with_row(world: &World, nth: usize, at: usize, sources: &[&str], change: impl Fn(&mut Value)) -> Vec<Value> {
    let bytes = b64(&world.devices[nth - 1].rows[at].row.bytes);
    let mut lines = world.export();
    for line in &mut lines {
        if line["bytes"] == bytes.as_str() && sources.iter().any(|source| line["source"] == *source) {
            change(line);
        }
    }
    lines.retain(|line| !line.is_null());
    lines
}

const BOTH: &[&str] = &["cloud", "device"];
const CLOUD: &[&str] = &["cloud"];

fn drop_row(line: &mut Value) {
    *line = Value::Null;
}

fn set_code(body: &mut RowBody, code: String) {
    body.code_hash = text_hash(code.as_bytes());
    body.code_length = code.len() as u32;
    body.code = Some(code);
}

pub const COPIES: &[Fault] = &[
    ("nothing", || evening().export(), &[]),
    ("dropped everywhere", || with_row(&evening(), 1, USED, BOTH, drop_row), &[Kind::RowMissing]),
    ("dropped by the cloud", || with_row(&evening(), 1, USED, CLOUD, drop_row), &[Kind::RowLost]),
    ("forgotten by the device with a receipt", || with_row(&evening(), 1, USED, &["device"], drop_row), &[]),
    (
        "forgotten by the device without a receipt",
        || {
            let mut lines = with_row(&evening(), 1, USED, &["device"], drop_row);
            lines.retain(|line| line["kind"] != "receipt");
            lines
        },
        &[Kind::RowGoneFromDevice],
    ),
    (
        "the last one dropped",
        || {
            let world = evening();
            let last = world.devices[0].rows.len() - 1;
            with_row(&world, 1, last, BOTH, drop_row)
        },
        &[Kind::RowMissing, Kind::ReceiptWithoutRow],
    ),
    (
        "doubled",
        || {
            let world = evening();
            let mut lines = world.export();
            lines.push(row_line(&world.devices[0].rows[USED].row, "cloud"));
            lines
        },
        &[Kind::RowDoubled],
    ),
    (
        "a flipped byte in the cloud's copy",
        || {
            with_row(&evening(), 1, USED, CLOUD, |line| {
                let mut bytes = unb64(&line["bytes"]);
                let lane = bytes.len() / 2;
                bytes[lane] ^= 1;
                line["bytes"] = json!(b64(&bytes));
            })
        },
        &[Kind::RowForged, Kind::RowLost],
    ),
    (
        "a byte behind every copy",
        || {
            with_row(&evening(), 1, USED, BOTH, |line| {
                let mut bytes = unb64(&line["bytes"]);
                bytes.push(0);
                line["bytes"] = json!(b64(&bytes));
            })
        },
        &[Kind::RowUnreadable, Kind::RowMissing],
    ),
    (
        "a forged signature on one copy",
        || with_row(&evening(), 1, USED, CLOUD, |line| line["signature"] = json!(b64(&[7; 64]))),
        &[Kind::RowForged],
    ),
    (
        "a forged signature on every copy",
        || with_row(&evening(), 1, USED, BOTH, |line| line["signature"] = json!(b64(&[7; 64]))),
        &[Kind::RowForged, Kind::RowMissing],
    ),
    (
        "signed by another device",
        || {
            let world = evening();
            let signature = world.devices[0].rows[USED].body.sign(&world.devices[1].key()).signature;
            with_row(&world, 1, USED, BOTH, |line| line["signature"] = json!(b64(&signature)))
        },
        &[Kind::RowOfOtherDevice, Kind::RowMissing],
    ),
];

pub const CODES: &[Fault] = &[
    (
        "the code of another ticket",
        || {
            let code = World::new().short(9);
            rewritten(1, FIRST, |body| set_code(body, code))
        },
        &[Kind::CodeOfOtherTicket],
    ),
    (
        "another ticket than the code's",
        || rewritten(1, FIRST, |body| body.ticket = Some(TicketId(77))),
        &[Kind::CodeOfOtherTicket],
    ),
    (
        "another class than the code's",
        || rewritten(1, FIRST, |body| body.class = Some(FOUR)),
        &[Kind::CodeOfOtherTicket],
    ),
    (
        "a text that is no code",
        || rewritten(1, FIRST, |body| set_code(body, "T1SABC".to_owned())),
        &[Kind::CodeDoesNotVerify],
    ),
    ("a code without its hash", || rewritten(1, FIRST, |body| body.code_hash = [0; 32]), &[Kind::RowContradictsItself]),
    (
        "an admission without a code",
        || {
            rewritten(1, FIRST, |body| {
                body.code = None;
                body.ticket = None;
            })
        },
        &[Kind::RowContradictsItself, Kind::CodeDoesNotVerify],
    ),
    (
        "a ticket that nobody may issue",
        || {
            let credential = World::credential(30, PAPER, false, &authority(Role::Receipt));
            let code = ticket_signer::UntrustedCode::Printed { credential }.to_text();
            let world = evening();
            rewritten(2, at_printed(&world), |body| set_code(body, code))
        },
        &[Kind::CodeDoesNotVerify],
    ),
    (
        "a copy of a phone's ticket on paper",
        || {
            let credential = World::credential(30, PAPER, true, &authority(Role::Issue));
            let code = ticket_signer::UntrustedCode::Printed { credential }.to_text();
            let world = evening();
            rewritten(2, at_printed(&world), |body| {
                body.serial = ticket_signer::Serial::new(2);
                set_code(body, code);
            })
        },
        &[Kind::CodeDoesNotVerify],
    ),
    (
        "an old code",
        || {
            let mut world = World::new();
            world.wait_s(-60);
            let code = world.short(1);
            rewritten(1, FIRST, |body| set_code(body, code))
        },
        &[Kind::CodeDoesNotVerify],
    ),
    (
        "sound codes refused as forged",
        || {
            let world = evening();
            let at = at(&world, 2, "stale");
            let code = World { now_ms: world.devices[1].rows[at].body.at_ms, ..World::new() }.short(4);
            rewritten(2, at, |body| {
                body.reason = "bad_signature".to_owned();
                set_code(body, code);
            })
        },
        &[Kind::RefusedInError],
    ),
    (
        "an issue that was replaced",
        || {
            let mut world = evening();
            let at = at_printed(&world);
            let device = &mut world.devices[1];
            // Its second issue, on a phone, was read before.
            let mut moved = device.rows[at - 1].clone();
            assert_eq!(moved.body.reason, "unknown");
            let credential = World::credential(30, PAPER, true, &authority(Role::Issue));
            let step = ticket_signer::TimeStep::at(moved.body.at_ms / 1000);
            let (ticket, serial) = (TicketId(30), credential.fields().serial);
            let none = ticket_signer::Challenge::NONE;
            let presentation =
                ticket_signer::presentation::Presentation::sign(EVENT, ticket, serial, step, none, &World::holder(30));
            set_code(&mut moved.body, ticket_signer::UntrustedCode::Full { credential, presentation }.to_text());
            let (class, serial) = (Some(PAPER), Some(serial));
            device.rewrite(at - 1, |body| {
                *body = RowBody { reason: "wrong_lane".to_owned(), ticket: Some(ticket), serial, class, ..moved.body };
            });
            world.export()
        },
        &[Kind::RetiredAdmitted],
    ),
    (
        "two credentials for one issue",
        || {
            let world = evening();
            let at = world.devices[1].rows.iter().position(|row| row.body.ticket == Some(TicketId(5))).unwrap();
            let code = World { now_ms: world.devices[1].rows[at].body.at_ms, ..World::new() }.full(5, FOUR);
            rewritten(2, at, |body| {
                body.class = Some(FOUR);
                set_code(body, code);
            })
        },
        &[Kind::CredentialTwice],
    ),
];

fn at_printed(world: &World) -> usize {
    world.devices[1].rows.iter().position(|row| row.body.class == Some(PAPER)).unwrap()
}

pub const ACTS: &[Fault] = &[
    (
        "an override that nobody answers for",
        || {
            rewritten(1, override_at(), |body| {
                assert_eq!((body.act, body.staff), (3, Some(5)));
                body.staff = None;
            })
        },
        &[Kind::OverrideWithoutStaff],
    ),
    ("an override of an admission", || rewritten(1, override_at(), |body| body.of = Some(3)), &[Kind::FollowsWrongRow]),
    (
        "an override for another ticket",
        || rewritten(1, override_at(), |body| body.ticket = Some(TicketId(1))),
        &[Kind::FollowsWrongRow],
    ),
    ("more guests by a later row", || rewritten(1, MORE, |body| body.of = Some(99)), &[Kind::FollowsWrongRow]),
    (
        "more guests by a refusal",
        || rewritten(1, MORE, |body| body.of = Some(USED as u64 + 1)),
        &[Kind::FollowsWrongRow],
    ),
    (
        "a refusal that says welcome",
        || rewritten(1, USED, |body| body.reason = "admitted".to_owned()),
        &[Kind::RowContradictsItself],
    ),
    ("an unlock by nobody", || rewritten(1, 1, |body| body.staff = None), &[Kind::RowContradictsItself]),
    (
        "a second admission on one device",
        || {
            rewritten(1, USED, |body| {
                body.outcome = 1;
                body.reason = "admitted".to_owned();
                body.detail = None;
            })
        },
        &[Kind::AdmittedAgain],
    ),
    ("a group beyond its number", || rewritten(1, MORE, |body| body.guests = 4), &[Kind::AdmittedAgain]),
];

fn override_at() -> usize {
    evening().devices[0].rows.iter().position(|row| row.body.act == 3).unwrap()
}

#[test]
fn copies_of_rows() {
    find_all(COPIES);
}

#[test]
fn codes_in_rows() {
    find_all(CODES);
}

#[test]
fn acts_and_admissions() {
    find_all(ACTS);
}

/// Whatever byte of a row is changed, the row counts for nothing, and the cloud is told to lack it.
#[test]
fn no_byte_of_a_row_can_be_changed() {
    let mut world = evening();
    world.devices.truncate(1);
    let length = world.devices[0].rows[FIRST].row.bytes.len();
    for at in (0..length).step_by(5) {
        let lines = with_row(&world, 1, FIRST, CLOUD, |line| {
            let mut bytes = unb64(&line["bytes"]);
            bytes[at] ^= 1 << (at % 8);
            line["bytes"] = json!(b64(&bytes));
        });
        let found = kinds(&audited(&lines));
        let named = [Kind::RowUnreadable, Kind::RowForged, Kind::DeviceUnknown].iter().any(|kind| found.contains(kind));
        assert!(named && found.contains(&Kind::RowLost), "byte {at}: {found:?}");
    }
}

#[test]
fn a_finding_says_where() {
    let report = audited(&rewritten(1, FIRST, |body| body.ticket = Some(TicketId(77))));
    let finding = &report.differences[0];
    let place = finding.place.unwrap();
    assert_eq!((place.row.seq, place.lane, place.event), (FIRST as u64 + 1, LaneId(1).0, EVENT.0));
    assert_eq!(
        finding.sentence,
        "Row 3 of device 00000000000000d1 (journal 000000150000002a, lane 1, 2027-01-15 08:00:00 UTC): its code is of ticket \
         0000000000000001."
    );
    assert!(to_text(&report).starts_with("One difference was found.\n"));
    assert_eq!(ClassId(3), ONE);
}
