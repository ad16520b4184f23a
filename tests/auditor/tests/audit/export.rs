//! Exports that cannot be read: the error names file, line, what is wrong, and what to do.

use serde_json::json;
use turnstone_auditor::{Export, audit};

use crate::world::*;

fn error(text: &str) -> String {
    let mut export = Export::default();
    let read = export.read("lane-1.jsonl", text.as_bytes());
    read.and_then(|()| audit(&export, None).map(drop)).expect_err("it cannot be read").to_string()
}

#[test]
fn every_fault_of_a_line_is_named() {
    let key = b64(&root().public().to_bytes());
    let row = |source: &str, signature: &str| json!({ "kind": "row", "bytes": "AA", "signature": signature, "source": source });
    let table = [
        ("{".to_owned(), "this is not one JSON object"),
        ("[]".to_owned(), "this is not one JSON object"),
        ("{}".to_owned(), "the field `kind` is missing"),
        (json!({ "kind": 5 }).to_string(), "the field `kind` must be a text"),
        (json!({ "kind": "seat" }).to_string(), "the kind `seat` is not known to this version"),
        (json!({ "kind": "certificate" }).to_string(), "the field `bytes` is missing"),
        (json!({ "kind": "certificate", "bytes": "AA==" }).to_string(), "must be bytes in base64url without padding"),
        (json!({ "kind": "certificate", "bytes": "AB" }).to_string(), "must be bytes in base64url without padding"),
        (json!({ "kind": "policy", "bytes": "AA", "note": 1 }).to_string(), "the field `note` does not belong"),
        (
            json!({ "kind": "root", "organiser": "x", "key": "AA" }).to_string(),
            "the field `key` must be a key of 32 bytes",
        ),
        (json!({ "kind": "root", "organiser": "x", "key": b64(&[0; 32]) }).to_string(), "in its one form"),
        (row("cloud", "AA").to_string(), "the field `signature` must be a signature of 64 bytes"),
        (row("server", &b64(&[0; 64])).to_string(), "the field `source` must be `cloud`, `edge` or `device`"),
        (json!({ "kind": "class", "event": -1 }).to_string(), "the field `event` must be a number"),
        (json!({ "kind": "listed", "event": 1, "ticket": "FF" }).to_string(), "must be 16 lower-case hex digits"),
    ];
    for (line, expected) in table {
        let first = json!({ "kind": "root", "organiser": ORGANISER, "key": key });
        let found = error(&format!("{first}\n\n{line}\n"));
        assert!(found.starts_with("lane-1.jsonl, line 3: ") && found.contains(expected), "{line}: {found}");
        assert!(found.ends_with('.'), "{found}");
    }
}

#[test]
fn listed_keys_are_keys_of_their_algorithm() {
    let line = |algorithm: &str, serial: u32, holder: Option<Vec<u8>>| {
        let holder = holder.map(|bytes| b64(&bytes));
        let ticket = "0000000000000001";
        let line = json!({
            "kind": "listed", "event": 7, "ticket": ticket, "serial": serial, "class": 3, "algorithm": algorithm,
            "holder": holder,
        });
        let mut export = Export::default();
        export.read("x", line.to_string().as_bytes()).map(drop).map_err(|error| error.to_string())
    };
    let ed25519 = root().public().to_bytes().to_vec();
    assert_eq!(line("ed25519", 1, Some(ed25519.clone())), Ok(()));
    assert_eq!(line("none", 1, None), Ok(()));
    for (algorithm, serial, holder) in [
        ("none", 1, Some(ed25519.clone())),
        ("ed25519", 1, None),
        ("p256", 1, Some(ed25519.clone())),
        ("ed25519", 1, Some(vec![0; 32])),
        ("rsa", 1, Some(ed25519.clone())),
        ("ed25519", 0, Some(ed25519.clone())),
        ("ed25519", 255, Some(ed25519)),
    ] {
        assert!(line(algorithm, serial, holder).is_err(), "{algorithm} {serial}");
    }
}

#[test]
fn there_is_one_root() {
    assert!(error("").contains("no file has a line of kind `root`"));
    let line = |seed: u8| json!({ "kind": "root", "organiser": ORGANISER, "key": b64(&key(seed).public().to_bytes()) });
    let found = error(&format!("{}\n{}\n{}\n", line(1), line(1), line(2)));
    assert!(found.starts_with("lane-1.jsonl, line 3: it names another root"), "{found}");
    let mut export = Export::default();
    export.read("x", line(1).to_string().as_bytes()).unwrap();
    let known = root().public();
    let hex: String = known.fingerprint().iter().map(|byte| format!("{byte:02x}")).collect();
    for wanted in [known.spoken_fingerprint(), known.spoken_fingerprint().to_lowercase(), hex] {
        assert!(audit(&export, Some(&wanted)).is_ok(), "{wanted}");
    }
    let found = audit(&export, Some(&key(2).public().spoken_fingerprint())).unwrap_err().to_string();
    assert!(found.contains("and you asked for"), "{found}");
    assert!(audit(&export, Some("")).is_err());
}

#[test]
fn a_line_without_end_is_not_kept() {
    let endless = "x".repeat(5 * 1024 * 1024);
    assert!(error(&endless).contains("longer than 4 MiB"));
    let mut export = Export::default();
    assert!(export.read("x", [0xff, 0xfe, b'\n'].as_slice()).unwrap_err().to_string().contains("UTF-8"));
}
