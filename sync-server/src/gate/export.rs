//! The journal of an event as an auditor reads it: JSON Lines, which `turnstone-auditor` checks without this code.
//!
//! Its fields are in the auditor's documentation. Rows of revoked devices stay apart here too. The file holds codes of
//! printed tickets, which stay good: it is for one reader.

use serde_json::{Value, json};
use ticket_signer::HolderAlgorithm;

use super::model::GateError;
use super::{Result, lists, store};
use crate::platform::Tx;
use crate::platform::ids::base64url;
use crate::platform::keys::KeyRing;
use crate::{catalog, tickets};

/// Rows taken from the store at a time.
const BATCH: u32 = 2_000;

/// Gives `each` every line; the number of rows among them.
pub async fn export(
    tx: &mut Tx,
    keys: &KeyRing,
    event_id: u32,
    each: &mut (dyn FnMut(Value) -> std::io::Result<()> + Send),
) -> Result<u64> {
    let mut say = |line: Value| each(line).map_err(|error| GateError::Fault(format!("the export: {error}")));
    catalog::event(tx, event_id).await?;
    let missing = |role| GateError::KeyMissing { role, event: event_id };
    let organiser = keys.organiser().ok_or_else(|| missing("issue"))?;
    let root = keys.root().ok_or_else(|| missing("root"))?;
    say(json!({ "kind": "root", "organiser": organiser, "key": base64url(&root.to_bytes()) }))?;
    for certificate in keys.certificates() {
        say(json!({ "kind": "certificate", "bytes": base64url(&certificate.to_bytes()) }))?;
    }
    for revocation in keys.revocations() {
        say(json!({ "kind": "key_revocation", "bytes": base64url(&revocation.to_bytes()) }))?;
    }
    for class in catalog::classes(tx, event_id).await? {
        let class = lists::class_entry(&class);
        say(json!({
            "kind": "class", "event": event_id, "class": class.class.0, "name": class.name,
            "valid_from_s": class.valid_from_s, "valid_until_s": class.valid_until_s,
            "admissions": class.admissions, "flags": class.flags,
        }))?;
    }
    for bytes in store::policies(tx, event_id).await? {
        say(json!({ "kind": "policy", "bytes": base64url(&bytes) }))?;
    }
    for row in tickets::changed_since(tx, event_id, 0).await? {
        let line = lists::line(&row)?;
        let mut listed = json!({
            "kind": "listed", "event": event_id, "ticket": line.ticket.to_string(), "serial": line.serial.get(),
            "class": line.class.0, "algorithm": "none",
        });
        // A key of 32 bytes stands at the end of its 33.
        match line.algorithm {
            HolderAlgorithm::None => {}
            HolderAlgorithm::Ed25519 => {
                (listed["algorithm"], listed["holder"]) = (json!("ed25519"), json!(base64url(&line.slot[1..])));
            }
            HolderAlgorithm::P256 => {
                (listed["algorithm"], listed["holder"]) = (json!("p256"), json!(base64url(&line.slot)));
            }
        }
        say(listed)?;
    }
    for device in store::devices(tx, event_id).await? {
        if let Some(certificate) = device.certificate {
            say(json!({ "kind": "device_certificate", "bytes": base64url(&certificate) }))?;
        }
    }
    let (mut merged, mut rows) = (0, 0);
    loop {
        let batch = store::rows_after(tx, event_id, merged, BATCH).await?;
        let Some((last, ..)) = batch.last() else { return Ok(rows) };
        merged = *last;
        for (_, bytes, signature) in &batch {
            say(json!({
                "kind": "row", "source": "cloud", "bytes": base64url(bytes), "signature": base64url(signature),
            }))?;
        }
        rows += batch.len() as u64;
    }
}
