//! The frozen vectors: what they are made of, and their replay.
//!
//! `vectors/*.json` are read by this crate, the server, the handheld and the web page. They are frozen: a case may be added,
//! none may be changed. `cargo test -p ticket-signer --test vectors -- --ignored` writes the files, and refuses to change a
//! case that is there already.

#![allow(clippy::unwrap_used, reason = "a panic in a test is its report")]

mod make_authorities;
mod make_codes;
mod make_keys;
mod make_tickets;
mod replay;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::{Value, json};

const FORMAT: &str = "turnstone-vectors-v1";

fn groups() -> [(&'static str, Vec<Value>); 6] {
    [
        ("keys", make_keys::keys()),
        ("binding", make_keys::binding()),
        ("credentials", make_tickets::credentials()),
        ("presentations", make_tickets::presentations()),
        ("codes", make_codes::codes()),
        ("certificates", make_authorities::certificates()),
    ]
}

fn file(group: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors").join(format!("{group}.json"))
}

fn committed(group: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(file(group)).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["format"], FORMAT);
    assert_eq!(document["group"], group);
    document["cases"].as_array().unwrap().clone()
}

fn by_name(cases: &[Value]) -> BTreeMap<&str, &Value> {
    let named: BTreeMap<&str, &Value> = cases.iter().map(|case| (case["name"].as_str().unwrap(), case)).collect();
    assert_eq!(named.len(), cases.len(), "two cases have one name");
    named
}

#[test]
fn every_case_gives_what_it_says() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for (group, _) in groups() {
        for case in committed(group) {
            count += 1;
            let outcome = replay::replay(&case);
            if outcome != case["expect"] {
                wrong.push(format!("{group}/{}: expected {}, got {outcome}", case["name"], case["expect"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {count} cases:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= 60, "only {count} cases");
}

/// Signing gives the same bytes for ever: what is made of the same keys and fields is what was committed.
#[test]
fn the_signer_still_makes_the_same_bytes() {
    for (group, made) in groups() {
        let committed = committed(group);
        let (made, committed) = (by_name(&made), by_name(&committed));
        assert_eq!(made.keys().collect::<Vec<_>>(), committed.keys().collect::<Vec<_>>(), "{group}");
        for (name, case) in committed {
            assert_eq!(made[name], case, "{group}/{name}");
        }
    }
}

/// Every reason that this crate can give for a frozen thing occurs, so that no check can go unnoticed.
#[test]
fn every_reason_has_its_case() {
    let seen: BTreeSet<String> = groups()
        .iter()
        .flat_map(|(group, _)| committed(group))
        .filter_map(|case| case["expect"]["reject"].as_str().map(str::to_owned))
        .collect();
    let reasons = [
        "authority_expired",
        "authority_not_yet_valid",
        "authority_revoked",
        "authority_unknown",
        "authority_wrong_event",
        "authority_wrong_role",
        "bad_signature",
        "challenge_out_of_range",
        "early",
        "event_ranges_invalid",
        "newer_than_list",
        "not_a_key",
        "not_a_secret",
        "not_a_ticket",
        "not_an_id",
        "not_base45",
        "not_bound",
        "not_canonical",
        "not_from_root",
        "organiser_invalid",
        "other_organiser",
        "presentation_missing",
        "reserved_flag",
        "retired",
        "serial_out_of_range",
        "small_order_key",
        "stale",
        "unknown",
        "unknown_algorithm",
        "unknown_format",
        "unknown_role",
        "validity_inverted",
        "wrong_event",
        "wrong_length",
    ];
    assert_eq!(seen.iter().map(String::as_str).collect::<Vec<_>>(), reasons);
}

/// The document's worked example is the vector's, and it names each domain string.
#[test]
fn the_document_says_what_the_vectors_say() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/ticket-format.md");
    let document = std::fs::read_to_string(path).unwrap();
    let cases = committed("presentations");
    let example = by_name(&cases)["present_ed25519_plain"];
    assert!(document.contains(example["expect"]["accept"]["short_code"].as_str().unwrap()));
    let digits: String = document.lines().flat_map(|line| line[..line.len().min(41)].split_whitespace()).collect();
    assert!(digits.contains(&example["credential"].as_str().unwrap()[4..]), "the credential, taken apart");
    use ticket_signer::domain::*;
    for domain in [
        CREDENTIAL,
        PRESENTATION,
        BINDING,
        CERTIFICATE,
        KEY_REVOCATION,
        DEVICE_CERTIFICATE,
        LIST,
        POLICY,
        TIME,
        RECEIPT,
        KEY_ID,
        FINGERPRINT,
    ] {
        let name = std::str::from_utf8(domain).unwrap().replace('\0', "\\0");
        assert!(document.contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
#[ignore = "writes vectors/*.json; run it by hand after adding a case"]
fn write_the_vectors() {
    for (group, made) in groups() {
        if file(group).exists() {
            let before = committed(group);
            let (before, made) = (by_name(&before), by_name(&made));
            for (name, case) in before {
                assert_eq!(made.get(name), Some(&case), "{group}/{name} is frozen: give a changed case another name");
            }
        }
        let document = json!({ "format": FORMAT, "group": group, "cases": made });
        let text = serde_json::to_string_pretty(&document).unwrap() + "\n";
        std::fs::write(file(group), text).unwrap();
    }
}
