//! Each fault of journals, receipts and leases, one at a time.

use gate_core::RowBody;
use gate_core::record::StaffAct;
use serde_json::json;
use turnstone_auditor::Kind;

use crate::faults::{FIRST, Fault, USED, find_all, rewritten};
use crate::sound::evening;
use crate::world::*;

pub const CHAINS: &[Fault] = &[
    (
        "two rows swapped",
        || {
            let mut world = evening();
            let device = &mut world.devices[0];
            let key = device.key();
            for (at, seq) in [(FIRST, FIRST + 2), (FIRST + 1, FIRST + 1)] {
                device.rows[at].body.seq = seq as u64;
                device.rows[at].row = device.rows[at].body.sign(&key);
            }
            world.export()
        },
        &[Kind::ChainBroken],
    ),
    ("a first row that names one before", || rewritten(2, 0, |body| body.prev = [1; 32]), &[Kind::ChainBroken]),
    (
        "a fork",
        || {
            let world = evening();
            let device = &world.devices[0];
            let other = RowBody { at_ms: device.rows[USED].body.at_ms + 1, ..device.rows[USED].body.clone() };
            let mut lines = world.export();
            lines.push(row_line(&other.sign(&device.key()), "device"));
            lines
        },
        // The cloud signed for a row with that number, and has the other one alone.
        &[Kind::RowForked, Kind::RowLost],
    ),
    (
        "a receipt for another row",
        || {
            let world = evening();
            let device = &world.devices[0];
            let bytes = receipt(device.id, device.epoch(), 4, device.rows[4].hash, world.now_ms);
            let mut lines = world.export();
            lines.push(json!({ "kind": "receipt", "bytes": b64(&bytes) }));
            lines
        },
        &[Kind::ReceiptForOtherRow],
    ),
    (
        "a receipt for a row that is nowhere",
        || {
            let world = evening();
            let device = &world.devices[0];
            let seq = device.rows.len() as u64 + 3;
            let mut lines = world.export();
            let bytes = receipt(device.id, device.epoch(), seq, [9; 32], world.now_ms);
            lines.push(json!({ "kind": "receipt", "bytes": b64(&bytes) }));
            lines
        },
        &[Kind::RowMissing, Kind::ReceiptWithoutRow],
    ),
    (
        "a row after the lease",
        || {
            let mut world = World::new();
            world.list(1, ONE);
            world.devices[0].lease_until_s = (NOW_MS / 1000 + 60) as u32;
            world.scan(1, &world.short(1));
            world.wait_s(60);
            assert_eq!(world.scan(1, &world.short(1)), "lease_expired");
            world.devices[0].rewrite(0, |body| body.at_ms += 60_000);
            world.export()
        },
        // Its code was of a minute before.
        &[Kind::LeaseOver, Kind::CodeDoesNotVerify],
    ),
    (
        "an override after the lease",
        || {
            let mut world = World::new();
            world.devices[0].lease_until_s = (NOW_MS / 1000 + 60) as u32;
            world.wait_s(60);
            world.act(1, StaffAct::Override { of: None, guests: 1, staff: 5, note: String::new() });
            world.devices[0].rewrite(0, |body| (body.outcome, body.reason) = (1, "overridden".to_owned()));
            world.export()
        },
        &[Kind::LeaseOver],
    ),
    (
        "a row before the lease",
        || {
            let mut world = World::new();
            world.list(1, ONE);
            world.wait_s(-61);
            world.scan(1, &world.short(1));
            world.export()
        },
        &[Kind::LeaseNotBegun],
    ),
];

#[test]
fn journals_and_receipts() {
    find_all(CHAINS);
}
