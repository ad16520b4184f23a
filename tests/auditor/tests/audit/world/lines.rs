//! Lines of an export, and audits of them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gate_core::SignedRow;
use gate_core::wire::v1::ReceiptPayload;
use serde_json::{Value, json};
use ticket_signer::{DeviceId, HolderAlgorithm, ListedTicket, Role};
use turnstone_auditor::{Export, Kind, Report, audit};

use super::{EVENT, authority};

pub fn receipt(device: DeviceId, epoch: u64, seq: u64, hash: [u8; 32], at_ms: i64) -> Vec<u8> {
    let payload = ReceiptPayload { device: device.0, event: EVENT.0, epoch, seq, hash: hash.into(), at_ms };
    payload.seal(&authority(Role::Receipt)).unwrap().0.to_vec()
}

pub fn row_line(row: &SignedRow, source: &str) -> Value {
    json!({ "kind": "row", "bytes": b64(&row.bytes), "signature": b64(&row.signature), "source": source })
}

pub fn listed_line(entry: &ListedTicket) -> Value {
    let (algorithm, holder) = match &entry.holder {
        None => ("none", Value::Null),
        Some(key) => {
            let slot = key.to_slot();
            let public = if key.algorithm() == HolderAlgorithm::P256 { &slot[..] } else { &slot[1..] };
            (key.algorithm().name(), json!(b64(public)))
        }
    };
    json!({
        "kind": "listed", "event": EVENT.0, "ticket": entry.ticket.to_string(), "serial": entry.serial.get(),
        "class": entry.class.0, "algorithm": algorithm, "holder": holder,
    })
}

pub fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub fn unb64(value: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(value.as_str().unwrap()).unwrap()
}

pub fn to_lines(lines: &[Value]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Audits lines as one file.
pub fn audited(lines: &[Value]) -> Report {
    let mut export = Export::default();
    export.read("export.jsonl", to_lines(lines).as_bytes()).unwrap();
    audit(&export, None).unwrap()
}

/// The kinds of differences, each once.
pub fn kinds(report: &Report) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = report.differences.iter().map(|finding| finding.kind).collect();
    kinds.dedup();
    kinds
}
