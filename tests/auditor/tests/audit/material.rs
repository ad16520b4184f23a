//! Each fault of what rows are held against: certificates, policies, grants, classes and lists, one at a time.

use std::collections::BTreeSet;

use gate_core::policy::{Change, Temporary};
use gate_core::{Direction, Grant};
use serde_json::{Value, json};
use ticket_signer::{Certificate, KeyRevocation, Role, TicketId};
use turnstone_auditor::Kind;

use crate::faults::{ACTS, CODES, COPIES, Fault, find_all};
use crate::journals::CHAINS;
use crate::sound::evening;
use crate::world::*;

fn evening_with(kind: &str, bytes: &[u8]) -> Vec<Value> {
    let mut lines = evening().export();
    lines.push(json!({ "kind": kind, "bytes": b64(bytes) }));
    lines
}

fn without(kind: &str, bytes: &[u8]) -> Vec<Value> {
    let mut lines = evening().export();
    let bytes = b64(bytes);
    lines.retain(|line| line["kind"] != kind || line["bytes"] != bytes.as_str());
    lines
}

const TRUST: &[Fault] = &[
    (
        "a certificate of another root",
        || {
            let mut fields = Certificate::from_bytes(&certificate(Role::Issue, &key(60))).unwrap().fields().clone();
            fields.not_after_s -= 1;
            evening_with("certificate", &Certificate::issue(fields, &key(61)).unwrap().to_bytes())
        },
        &[Kind::CertificateRefused],
    ),
    (
        "a certificate of another organiser",
        || {
            let mut fields = Certificate::from_bytes(&certificate(Role::Issue, &key(60))).unwrap().fields().clone();
            fields.organiser = "Other Hall".to_owned();
            evening_with("certificate", &Certificate::issue(fields, &root()).unwrap().to_bytes())
        },
        &[Kind::CertificateRefused],
    ),
    (
        "a revocation of another root",
        || {
            evening_with(
                "key_revocation",
                &KeyRevocation::issue(authority(Role::Issue).public().key_id(), 1, &key(61)).to_bytes(),
            )
        },
        &[Kind::RevocationRefused],
    ),
    (
        "the issuer taken back",
        || {
            evening_with(
                "key_revocation",
                &KeyRevocation::issue(authority(Role::Issue).public().key_id(), 1, &root()).to_bytes(),
            )
        },
        &[Kind::CodeDoesNotVerify],
    ),
    (
        "no issuer's certificate",
        || without("certificate", &certificate(Role::Issue, &authority(Role::Issue))),
        &[Kind::CodeDoesNotVerify],
    ),
    (
        "a device certificate that nobody may sign",
        || {
            let world = evening();
            let device = &world.devices[0];
            evening_with("device_certificate", &device.certificate(1, 2_000_000_000, &authority(Role::Policy)))
        },
        &[Kind::DeviceCertificateRefused],
    ),
    (
        "no certificate of a device",
        || {
            let world = evening();
            let (from, device) = ((NOW_MS / 1000 - 60) as u32, &world.devices[2]);
            without("device_certificate", &device.certificate(from, device.lease_until_s, &authority(Role::Device)))
        },
        // Its exit counts for nothing either, so the guest who came in again was inside already, and the receipt is for nothing.
        &[Kind::DeviceUnknown, Kind::ReceiptWithoutRow, Kind::AdmittedAgain],
    ),
    (
        "a receipt that nobody may sign",
        || {
            let world = evening();
            let device = &world.devices[0];
            let payload = gate_core::wire::v1::ReceiptPayload {
                device: device.id.0,
                event: EVENT.0,
                epoch: device.epoch(),
                seq: 1,
                hash: device.rows[0].hash.into(),
                at_ms: world.now_ms,
            };
            evening_with("receipt", &payload.seal(&authority(Role::Policy)).unwrap().0)
        },
        &[Kind::ReceiptRefused],
    ),
    (
        "a policy that nobody may sign",
        || evening_with("policy", &evening().policy.seal(&authority(Role::Receipt)).unwrap()),
        &[Kind::PolicyRefused],
    ),
    (
        "two policies with one version",
        || {
            let mut world = evening();
            world.policy.freshness_steps = 9;
            evening_with("policy", &world.policy.seal(&authority(Role::Policy)).unwrap())
        },
        &[Kind::PolicyTwice],
    ),
    (
        "two entries for one issue",
        || {
            let mut world = World::new();
            world.list(1, FOUR);
            let mut lines = evening().export();
            lines.push(listed_line(&world.list[&1]));
            lines
        },
        &[Kind::ListedTwice],
    ),
    (
        "a class's state of a row's time",
        || {
            let mut lines = evening().export();
            let mut moved =
                lines.iter().find(|line| line["class"] == ONE.0 && line["kind"] == "class").cloned().unwrap();
            moved["valid_from_s"] = json!(1);
            moved["valid_until_s"] = json!(2);
            lines.push(moved);
            lines
        },
        &[],
    ),
    (
        "a class that was not valid",
        || {
            let mut lines = evening().export();
            let class = lines.iter_mut().find(|line| line["class"] == FOUR.0 && line["kind"] == "class").unwrap();
            class["valid_from_s"] = json!(1);
            class["valid_until_s"] = json!(2);
            lines
        },
        &[Kind::OutsideClassTimes],
    ),
    (
        "an entitlement that nobody was asked to check",
        || {
            let mut lines = evening().export();
            lines.iter_mut().find(|line| line["class"] == FOUR.0 && line["kind"] == "class").unwrap()["flags"] =
                json!(1);
            lines
        },
        &[Kind::AgainstPolicy],
    ),
];

/// The evening, exported with another policy than the lanes had.
fn by_policy(change: impl FnOnce(&mut gate_core::Policy)) -> Vec<Value> {
    let mut world = evening();
    change(&mut world.policy);
    world.export()
}

/// A ticket under the strict rule, admitted with what `grant` gives.
fn strict(grant: impl FnOnce(&World, Grant) -> Option<Vec<u8>>) -> Vec<Value> {
    let mut world = World::new();
    world.list(20, STRICT);
    let (good, bytes) = world.grant(1, 20);
    assert_eq!(world.scan_with(1, &world.short(20), Some((&good, &bytes))), "admitted");
    let used = grant(&world, good);
    world.devices[0].rewrite(0, |body| body.grant = used);
    world.export()
}

fn sealed(grant: Grant) -> Option<Vec<u8>> {
    Some(grant.seal(&authority(Role::Policy)))
}

const RULES: &[Fault] = &[
    ("the owner's word", || strict(|_, grant| sealed(grant)), &[]),
    ("no word of the owner", || strict(|_, _| None), &[Kind::StrictWithoutRight]),
    (
        "a grant for another row",
        || strict(|_, grant| sealed(Grant { seq: 2, ..grant })),
        &[Kind::GrantForOtherRow, Kind::StrictWithoutRight],
    ),
    (
        "a grant for another device",
        || strict(|world, grant| sealed(Grant { device: world.devices[1].id, ..grant })),
        &[Kind::GrantForOtherRow, Kind::StrictWithoutRight],
    ),
    (
        "a grant for another ticket",
        || strict(|_, grant| sealed(Grant { ticket: TicketId(21), ..grant })),
        &[Kind::GrantForOtherRow, Kind::StrictWithoutRight],
    ),
    (
        "a grant that had run out",
        || strict(|_, grant| sealed(Grant { until_ms: NOW_MS, ..grant })),
        &[Kind::GrantForOtherRow, Kind::StrictWithoutRight],
    ),
    (
        "a grant of another ownership",
        || strict(|_, grant| sealed(Grant { epoch: 5, ..grant })),
        &[Kind::StrictWithoutRight],
    ),
    (
        "a grant that nobody may give",
        || strict(|_, grant| Some(grant.seal(&authority(Role::Issue)))),
        &[Kind::GrantRefused, Kind::StrictWithoutRight],
    ),
    (
        "an owner that grants twice",
        || {
            let mut world = World::new();
            world.list(20, STRICT);
            for nth in [1, 2] {
                let (grant, bytes) = world.grant(nth, 20);
                assert_eq!(world.scan_with(nth, &world.short(20), Some((&grant, &bytes))), "admitted");
                world.wait_s(2);
            }
            world.export()
        },
        &[Kind::StrictBoundBroken],
    ),
    ("a closed lane", || by_policy(|policy| policy.lanes[1].closed = true), &[Kind::AgainstPolicy]),
    ("a lane of other classes", || by_policy(|policy| policy.lanes[0].classes = vec![9]), &[Kind::AgainstPolicy]),
    ("a lane the other way", || by_policy(|policy| policy.lanes[2].direction = Direction::In), &[Kind::AgainstPolicy]),
    ("a lane that is not named", || by_policy(|policy| drop(policy.lanes.remove(1))), &[Kind::AgainstPolicy]),
    ("no paper", || by_policy(|policy| policy.printed_classes.clear()), &[Kind::AgainstPolicy]),
    (
        "a lane closed for a while",
        || {
            by_policy(|policy| {
                let change = Change::LaneClosed { lane: 2, closed: true };
                policy.temporary.push(Temporary { from_ms: NOW_MS, until_ms: NOW_MS + 600_000, change });
            })
        },
        &[Kind::AgainstPolicy],
    ),
    (
        "changes that held at another time",
        || {
            by_policy(|policy| {
                let change = Change::LaneClosed { lane: 2, closed: true };
                policy.temporary.push(Temporary { from_ms: 1, until_ms: 2, change });
            })
        },
        &[],
    ),
    (
        "fresher codes wanted for a while",
        || {
            let mut world = World::new();
            world.list(1, ONE);
            let code = world.short(1);
            world.wait_s(40);
            assert_eq!(world.scan(1, &code), "admitted");
            let change = Change::FreshnessSteps { freshness_steps: 1 };
            world.policy.temporary.push(Temporary { from_ms: NOW_MS, until_ms: NOW_MS + 600_000, change });
            world.export()
        },
        &[Kind::CodeDoesNotVerify],
    ),
    (
        "policies that are in no export",
        || {
            let mut lines = evening().export();
            lines.retain(|line| line["kind"] != "policy");
            lines
        },
        &[],
    ),
];

#[test]
fn certificates_policies_and_lists() {
    find_all(TRUST);
}

#[test]
fn rules_and_grants() {
    find_all(RULES);
}

#[test]
fn every_kind_of_difference_was_planted() {
    let tables = [COPIES, CHAINS, CODES, ACTS, TRUST, RULES];
    let planted: BTreeSet<Kind> =
        tables.iter().flat_map(|table| table.iter()).flat_map(|fault| fault.2).copied().collect();
    let never: Vec<_> = Kind::ALL.iter().filter(|kind| !planted.contains(kind)).collect();
    assert!(never.is_empty(), "{never:?}");
}

#[test]
fn every_kind_has_a_name_of_its_own_and_a_title() {
    let names: BTreeSet<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
    assert_eq!(names.len(), Kind::ALL.len());
    assert!(Kind::ALL.iter().all(|kind| !kind.title().is_empty()));
}
