//! The frozen fixtures of rows and signed things (`gate-core/fixtures/v1`), by the auditor's own reader.

use std::path::Path;

use serde_json::{Value, json};
use turnstone_auditor::certificate::{DeviceCertificate, Role};
use turnstone_auditor::envelope::{Envelope, Purpose};
use turnstone_auditor::grant::Grant;
use turnstone_auditor::ids::EventId;
use turnstone_auditor::keys::PublicKey;
use turnstone_auditor::policy::Policy;
use turnstone_auditor::receipt::Receipt;
use turnstone_auditor::row::{Row, chain_hash, signed_by};
use turnstone_auditor::trust::Trust;

const EVENT: EventId = 1;
const NOW_S: i64 = 1_790_000_000;

fn cases(group: &str) -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sync-server/gate-core/fixtures/v1");
    let text =
        std::fs::read_to_string(folder.join(format!("{group}.json"))).expect("the fixtures are beside the rules");
    let file: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(file["format"], "turnstone-wire-v1");
    file["cases"].as_array().unwrap().clone()
}

fn unhex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap_or_else(|| panic!("no hex: {value}"));
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn trust() -> Trust {
    let cases = cases("trust");
    let first = &cases[0];
    let root = PublicKey::from_bytes(&unhex(&first["root"]).try_into().unwrap()).unwrap();
    let mut trust = Trust::new(root, first["organiser"].as_str().unwrap());
    for case in &cases {
        match case["type"].as_str().unwrap() {
            "Certificate" => drop(trust.add_certificate(&unhex(&case["bytes"])).unwrap()),
            "KeyRevocation" => drop(trust.add_revocation(&unhex(&case["bytes"])).unwrap()),
            _ => {}
        }
    }
    trust
}

/// The key of a device of the fixtures, from its certificate.
fn device_key(device: &Value) -> PublicKey {
    let case = cases("trust").into_iter().find(|case| case["device"] == *device).unwrap();
    let certificate = DeviceCertificate::read(&unhex(&case["bytes"])).unwrap();
    trust().device(&certificate).unwrap();
    certificate.key
}

#[test]
fn each_row_is_read_signed_and_chained() {
    let mut last: Option<(u64, [u8; 32])> = None;
    for case in cases("rows") {
        let (bytes, name) = (unhex(&case["bytes"]), &case["name"]);
        let row = Row::read(&bytes).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        let signature: [u8; 64] = unhex(&case["signature"]).try_into().unwrap();
        assert!(signed_by(&device_key(&case["device"]), &bytes, &signature), "{name}");
        assert_eq!(hex(&chain_hash(&bytes)), case["hash"].as_str().unwrap(), "{name}");
        if let Some((_, hash)) = last.filter(|(seq, _)| row.id.seq == seq + 1) {
            assert_eq!(row.prev, hash, "{name} does not follow");
        }
        last = Some((row.id.seq, chain_hash(&bytes)));
        let value = case["value"].as_array().unwrap();
        let text = |at: usize| value.get(at).and_then(Value::as_str).map(str::to_owned);
        let number = |at: usize| value.get(at).and_then(Value::as_u64);
        assert_eq!(json!([row.id.device.0, row.id.epoch, row.id.seq]), json!(value[1..4]), "{name}");
        assert_eq!((row.at_ms, row.uncertainty_ms), (value[7].as_i64().unwrap(), number(8).unwrap() as u32), "{name}");
        assert_eq!(
            (row.code.clone(), Some(row.reason.clone()), row.note.clone()),
            (text(10), text(14), text(28)),
            "{name}"
        );
        assert_eq!((row.ticket.map(|ticket| ticket.0), row.of), (number(16), number(25)), "{name}");
        assert_eq!((u64::from(row.guests), row.staff.map(u64::from)), (number(24).unwrap(), number(26)), "{name}");
        let grant = value.get(27).and_then(|grant| grant["hex"].as_str()).map(str::to_owned);
        assert_eq!(row.grant.as_deref().map(hex), grant, "{name}");
    }
}

#[test]
fn what_is_signed_is_believed_and_says_what_it_says() {
    let trust = trust();
    for case in cases("signed").into_iter().chain(cases("versions")) {
        let (bytes, name, value) = (unhex(&case["bytes"]), &case["name"], &case["value"]);
        match case["type"].as_str().unwrap() {
            "Policy" => {
                let policy = Policy::open(&bytes, &trust).unwrap_or_else(|fault| panic!("{name}: {fault}"));
                assert_eq!(policy.event, EVENT, "{name}");
                if !value.is_null() {
                    assert_eq!(json!(policy.version), value["version"], "{name}");
                    assert_eq!(
                        u64::from(policy.freshness_steps),
                        value["freshness_steps"].as_u64().unwrap_or(2),
                        "{name}"
                    );
                }
            }
            "Receipt" => {
                let receipt = Receipt::open(&bytes, &trust).unwrap_or_else(|fault| panic!("{name}: {fault}"));
                if !value.is_null() {
                    assert_eq!(json!(receipt.row.seq), value["seq"], "{name}");
                    assert_eq!(json!(hex(&receipt.hash)), value["hash"]["hex"], "{name}");
                }
            }
            "Grant" => {
                let grant = Grant::open(&bytes, &trust, EVENT, NOW_S).unwrap_or_else(|fault| panic!("{name}: {fault}"));
                assert_eq!(json!(grant.row.seq), value[4], "{name}");
            }
            _ => {}
        }
    }
    let receipts = cases("signed").into_iter().filter(|case| case["type"] == "Receipt");
    for case in receipts {
        let bytes = unhex(&case["bytes"]);
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            assert!(Receipt::open(&flipped, &trust).is_err(), "byte {at}");
        }
        let envelope = Envelope::read(Purpose::Receipt, &bytes).unwrap();
        assert_eq!(hex(envelope.payload), case["payload"].as_str().unwrap());
    }
    assert_eq!(Role::from_name("receipt"), Some(Role::Receipt));
}
