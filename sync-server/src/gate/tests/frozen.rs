//! A server that knows the handheld of the frozen fixtures (`gate-core/fixtures/v1`), and what its tables say.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::types::Value as Cell;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::gate::model::{Device, DeviceKind, DeviceState};
use crate::gate::store;

/// One frozen case.
pub(super) fn case(group: &str, name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("gate-core/fixtures/v1/{group}.json"));
    let document: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let cases = document["cases"].as_array().unwrap();
    cases.iter().find(|case| case["name"] == name).unwrap_or_else(|| panic!("no fixture {group}/{name}")).clone()
}

pub(super) fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

pub(super) fn bytes(group: &str, name: &str) -> Vec<u8> {
    unhex(case(group, name)["bytes"].as_str().unwrap())
}

pub(super) fn message(name: &str) -> Vec<u8> {
    bytes("messages", name)
}

/// The handheld of the fixtures, with its journal; `other` is another lane's.
pub(super) fn handheld(other: bool) -> Handheld {
    let device = case("trust", if other { "other_device" } else { "device" });
    let secret: [u8; 32] = unhex(device["secret"].as_str().unwrap()).try_into().unwrap();
    let upload: ScanUpload = from_cbor(&message("scan_upload")).unwrap();
    let rows = if other { Vec::new() } else { upload.rows.into_iter().map(SignedRow::from).collect() };
    Handheld { key: SecretKey::from_bytes(&secret), id: device["device"].as_str().unwrap().parse().unwrap(), rows }
}

/// Puts a device of the fixtures into the server's tables.
pub(super) async fn install(server: &Server, handheld: &Handheld, kind: DeviceKind, state: DeviceState) {
    let device = Device {
        id: handheld.id,
        kind,
        edge: None,
        event_id: 1,
        lane_id: 1,
        name: "Frozen".to_owned(),
        version: "0.4.0".to_owned(),
        key: handheld.key.public(),
        state,
        enrolled_at_ms: NOW_MS,
        last_contact_ms: Some(NOW_MS),
        list_version: None,
        list_sent_at_ms: None,
        lease_until_ms: None,
        certificate: None,
        wiped_at_ms: None,
        wipe_sent_at_ms: None,
    };
    let mut tx = server.site.platform.store.write().await.unwrap();
    store::insert_device(&mut tx, &device).await.unwrap();
    tx.commit().await.unwrap();
}

/// The enrolment code of the fixtures, as if a supervisor had asked for it.
pub(super) async fn offer_code(server: &Server) {
    let request: EnrolRequest = from_cbor(&message("enrol_request")).unwrap();
    let hash: [u8; 32] = Sha256::digest(*request.code).into();
    let mut tx = server.site.platform.store.write().await.unwrap();
    let place = (DeviceKind::Lane, 1, 1);
    store::insert_enrolment(&mut tx, 9_001, &hash, place, "anna", NOW_MS + 120_000).await.unwrap();
    tx.commit().await.unwrap();
}

/// A server with the fixtures' handheld at lane 1.
pub(super) async fn server() -> (Server, Handheld) {
    let (server, handheld) = (Server::with_event().await, handheld(false));
    install(&server, &handheld, DeviceKind::Lane, DeviceState::Confirmed).await;
    (server, handheld)
}

pub(super) type Dump = BTreeMap<String, Vec<String>>;

/// All that the server's tables say, but when somebody was heard last and in which order rows were merged.
pub(super) fn dump(server: &Server) -> Dump {
    let path = server.site.directory.path().join("t.db");
    let connection = rusqlite::Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut names = connection.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").unwrap();
    let names: Vec<String> = names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert!(names.len() > 20, "{names:?}");
    let table = |name: String| {
        let mut all = connection.prepare(&format!("SELECT * FROM {name}")).unwrap();
        let columns: Vec<String> = all.column_names().map(str::to_owned).collect();
        let line = |row: &rusqlite::Row<'_>| {
            let cells =
                columns.iter().enumerate().filter(|(_, name)| !["last_contact_ms", "merged"].contains(&name.as_str()));
            Ok(cells.map(|(at, name)| format!("{name}={:?} ", row.get::<_, Cell>(at).unwrap())).collect::<String>())
        };
        let mut lines: Vec<String> = all.query_map([], line).unwrap().map(Result::unwrap).collect();
        lines.sort();
        (name, lines)
    };
    names.into_iter().map(table).collect()
}

/// The tables that say something else.
pub(super) fn changed(before: &Dump, after: &Dump) -> Vec<String> {
    let differs = |(name, lines): &(&String, &Vec<String>)| before.get(*name) != Some(*lines);
    after.iter().filter(differs).map(|(name, _)| name.clone()).collect()
}

/// A seeded sample: positions below `length`, and what to flip there.
pub(super) fn flips(length: usize, count: usize) -> impl Iterator<Item = (usize, u8)> {
    let mut state = 0x5eed_u64;
    let mut next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    (0..count).map(move |_| (next() % length, 1 << (next() % 8)))
}

/// What was answered: the status, and the problem's code where there is one.
pub(super) fn told((status, body): &(StatusCode, Vec<u8>)) -> (u16, String) {
    let problem: Option<Value> = serde_json::from_slice(body).ok();
    let code = problem.and_then(|problem| problem["code"].as_str().map(str::to_owned));
    (status.as_u16(), code.unwrap_or_default())
}
