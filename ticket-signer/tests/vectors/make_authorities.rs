//! Makes the group `certificates`: certificates, device certificates, key revocations, and who may do what.

use serde_json::{Value, json};
use ticket_signer::certificate::{Certificate, CertificateFields, DeviceCertificateFields};
use ticket_signer::{DeviceCertificate, DeviceId, EventId, KeyRevocation, Role, SecretKey, domain};

use crate::world::*;

pub fn certificates() -> Vec<Value> {
    let mut cases = root_signed();
    cases.extend(malformed());
    cases.extend(devices());
    cases.extend(revocations());
    cases.extend(rights());
    cases
}

fn taken_in(name: &str, about: &str, bytes: &[u8], expect: Value) -> Value {
    let input = json!({
        "certificate": hex(bytes),
        "root": hex(&authority("root").public().to_bytes()),
        "organiser": ORGANISER,
    });
    case(&format!("certificate_{name}"), about, "certificate", input, expect)
}

fn issuer() -> CertificateFields {
    certificate_fields(Role::Issue, &authority("issuer"))
}

fn certificate_json(fields: &CertificateFields) -> Value {
    json!({
        "role": fields.role.name(),
        "key": hex(&fields.key.to_bytes()),
        "key_id": fields.key.key_id().to_string(),
        "organiser": fields.organiser,
        "events": fields.events.iter().map(|range| [range.first.0, range.last.0]).collect::<Vec<_>>(),
        "not_before_s": fields.not_before_s,
        "not_after_s": fields.not_after_s,
    })
}

fn root_signed() -> Vec<Value> {
    let good = |name: &str, about: &str, fields: CertificateFields| {
        let expect = accept(certificate_json(&fields));
        taken_in(name, about, &certify(fields), expect)
    };
    let mut cases: Vec<Value> = Role::ALL
        .into_iter()
        .map(|role| {
            let fields = certificate_fields(role, &authority(role.name()));
            good(role.name(), "A certificate of each role.", fields)
        })
        .collect();
    let many = (0..16).map(|at| range(at * 10, at * 10 + 5)).collect();
    cases.extend([
        good(
            "all_events",
            "One range over every id.",
            CertificateFields { events: vec![range(0, u32::MAX)], ..issuer() },
        ),
        good("sixteen_ranges", "As many ranges as there may be.", CertificateFields { events: many, ..issuer() }),
        good("one_event", "One event.", CertificateFields { events: vec![range(7, 7)], ..issuer() }),
    ]);
    let other_root = Certificate::issue(issuer(), &authority("other root")).unwrap().to_bytes();
    let elsewhere = certify(CertificateFields { organiser: "Another Hall".into(), ..issuer() });
    let bytes = certify(issuer());
    let signed = bytes.len() - 64;
    let resigned = |signature: [u8; 64]| [&bytes[..signed], &signature].concat();
    let borrowed = resigned(authority("other root").sign(domain::CERTIFICATE, &bytes[..signed]));
    let domain = resigned(authority("root").sign(domain::KEY_REVOCATION, &bytes[..signed]));
    let forged = resigned(small_order_r("root", domain::CERTIFICATE, &bytes[..signed]));
    cases.extend([
        taken_in("other_root", "Another root's.", &other_root, reject("not_from_root")),
        taken_in("borrowed_root", "Names our root, signed by another.", &borrowed, reject("not_from_root")),
        taken_in("wrong_domain", "Signed as a key revocation.", &domain, reject("not_from_root")),
        taken_in("small_order_r", "Fits the lax equation only.", &forged, reject("not_from_root")),
        taken_in("bit_flip_role", "Role 1 became 3.", &flip(&bytes, 8 + 6), reject("not_from_root")),
        taken_in("bit_flip_signature", "One bit.", &flip(&bytes, bytes.len() * 8 - 300), reject("not_from_root")),
        taken_in("other_organiser", "Our root's, for another organiser.", &elsewhere, reject("other_organiser")),
    ]);
    cases
}

/// The bytes of a certificate as the document lays them out, signed by the root whatever they say.
fn laid_out(role: u8, key: [u8; 32], organiser: &[u8], events: &[(u32, u32)], validity: (u32, u32)) -> Vec<u8> {
    let mut bytes = vec![1, role];
    bytes.extend(authority("root").public().key_id().0);
    bytes.extend(key);
    bytes.extend(validity.0.to_be_bytes());
    bytes.extend(validity.1.to_be_bytes());
    bytes.push(organiser.len() as u8);
    bytes.extend(organiser);
    bytes.push(events.len() as u8);
    for (first, last) in events {
        bytes.extend(first.to_be_bytes());
        bytes.extend(last.to_be_bytes());
    }
    sealed(bytes)
}

fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let signature = authority("root").sign(domain::CERTIFICATE, &bytes);
    bytes.extend(signature);
    bytes
}

fn malformed() -> Vec<Value> {
    let key = authority("issuer").public().to_bytes();
    let valid = (VALID_FROM_S, VALID_UNTIL_S);
    let name = ORGANISER.as_bytes();
    let bad = |name: &str, about: &str, bytes: Vec<u8>, reason: &str| taken_in(name, about, &bytes, reject(reason));
    let events = |events: &[(u32, u32)]| laid_out(1, key, name, events, valid);
    let named = |organiser: &[u8]| laid_out(1, key, organiser, &[(7, 8)], valid);
    let good = events(&[(7, 8)]);
    assert_eq!(good, certify(issuer()), "the layout written twice is one layout");
    let mut format = good[..good.len() - 64].to_vec();
    format[0] = 2;
    let seventeen: Vec<(u32, u32)> = (0..17).map(|at| (at * 10, at * 10 + 5)).collect();
    let mut claims_more = good[..good.len() - 64].to_vec();
    claims_more[50 + 1 + name.len()] = 2;
    vec![
        bad("empty", "No bytes.", Vec::new(), "wrong_length"),
        bad("cut", "The last byte is missing.", good[..good.len() - 1].to_vec(), "wrong_length"),
        bad("byte_follows", "A byte follows.", [&good[..], &[0]].concat(), "wrong_length"),
        bad("very_long", "Longer than any certificate.", vec![1; 4096], "wrong_length"),
        bad("claims_more_ranges", "Says two ranges, holds one.", sealed(claims_more), "wrong_length"),
        bad("format_2", "A format of the future.", sealed(format), "unknown_format"),
        bad("role_0", "There is no role 0.", laid_out(0, key, name, &[(7, 8)], valid), "unknown_role"),
        bad("role_7", "A role of the future.", laid_out(7, key, name, &[(7, 8)], valid), "unknown_role"),
        bad(
            "small_order_key",
            "A key anybody signs for.",
            laid_out(1, [0; 32], name, &[(7, 8)], valid),
            "small_order_key",
        ),
        bad(
            "non_canonical_key",
            "y = p + 3.",
            laid_out(1, second_encoding(3), name, &[(7, 8)], valid),
            "not_canonical",
        ),
        bad(
            "validity_inverted",
            "Ends before it begins.",
            laid_out(1, key, name, &[(7, 8)], (9, 8)),
            "validity_inverted",
        ),
        bad("validity_empty", "Ends as it begins.", laid_out(1, key, name, &[(7, 8)], (8, 8)), "validity_inverted"),
        bad("no_events", "No range.", events(&[]), "event_ranges_invalid"),
        bad("too_many_ranges", "17 ranges.", events(&seventeen), "event_ranges_invalid"),
        bad("range_inverted", "8 to 7.", events(&[(8, 7)]), "event_ranges_invalid"),
        bad("ranges_overlap", "1-5 and 5-9.", events(&[(1, 5), (5, 9)]), "event_ranges_invalid"),
        bad(
            "ranges_touch",
            "1-5 and 6-9 are 1-9 in another spelling.",
            events(&[(1, 5), (6, 9)]),
            "event_ranges_invalid",
        ),
        bad("ranges_descend", "7-9 and 1-5.", events(&[(7, 9), (1, 5)]), "event_ranges_invalid"),
        bad("ranges_after_the_last", "All, and 0 again.", events(&[(0, u32::MAX), (0, 0)]), "event_ranges_invalid"),
        bad("organiser_empty", "No name.", named(b""), "organiser_invalid"),
        bad("organiser_long", "65 bytes.", named(&[b'a'; 65]), "organiser_invalid"),
        bad("organiser_control", "A line end in the name.", named(b"Hall\n"), "organiser_invalid"),
        bad("organiser_not_utf8", "Bytes that are no text.", named(&[0xff, 0xfe]), "organiser_invalid"),
    ]
}

fn device_fields() -> DeviceCertificateFields {
    DeviceCertificateFields {
        device: DeviceId(0x0102_0304_0506_0708),
        key: authority("handheld").public(),
        event: EventId(EVENT),
        not_before_s: NOW_S as u32 - 3600,
        not_after_s: NOW_S as u32 + 3600,
    }
}

fn devices() -> Vec<Value> {
    let trusted = [
        certify(certificate_fields(Role::Device, &authority("device"))),
        certify(certificate_fields(Role::Policy, &authority("policy"))),
    ];
    let checked = |name: &str, about: &str, bytes: &[u8], expect: Value| {
        let trust = json!({
            "root": hex(&authority("root").public().to_bytes()),
            "organiser": ORGANISER,
            "certificates": trusted.iter().map(|bytes| hex(bytes)).collect::<Vec<_>>(),
            "revocations": [],
        });
        let input = json!({ "certificate": hex(bytes), "trust": trust });
        case(&format!("device_{name}"), about, "device_certificate", input, expect)
    };
    let by = |name: &str, fields: DeviceCertificateFields| {
        DeviceCertificate::issue(fields, &authority(name)).unwrap().to_bytes().to_vec()
    };
    let good = by("device", device_fields());
    let patched = |at: usize, with: &[u8]| {
        let mut bytes = good.clone();
        bytes[at..at + with.len()].copy_from_slice(with);
        let signature = authority("device").sign(domain::DEVICE_CERTIFICATE, &bytes[..61]);
        bytes[61..].copy_from_slice(&signature);
        bytes
    };
    let fields = device_fields();
    let expect = accept(json!({
        "authority": authority("device").public().key_id().to_string(),
        "device": fields.device.to_string(),
        "key": hex(&fields.key.to_bytes()),
        "event": EVENT,
        "not_before_s": fields.not_before_s,
        "not_after_s": fields.not_after_s,
    }));
    let elsewhere = DeviceCertificateFields { event: EventId(9), ..device_fields() };
    let key = |secret: &SecretKey| secret.public().key_id().0;
    vec![
        checked("accept", "A handheld's certificate for two hours.", &good, expect),
        checked("cut", "The last byte is missing.", &good[..124], reject("wrong_length")),
        checked("byte_follows", "A byte follows.", &[&good[..], &[0]].concat(), reject("wrong_length")),
        checked("format_2", "A format of the future.", &patched(0, &[2]), reject("unknown_format")),
        checked("small_order_key", "A key anybody signs for.", &patched(17, &[0; 32]), reject("small_order_key")),
        checked("validity", "Ends before it begins.", &patched(57, &[0; 4]), reject("validity_inverted")),
        checked(
            "wrong_role",
            "Signed by a policy key.",
            &by("policy", device_fields()),
            reject("authority_wrong_role"),
        ),
        checked(
            "stranger",
            "Signed by a key without certificate.",
            &by("stranger", device_fields()),
            reject("authority_unknown"),
        ),
        checked(
            "other_event",
            "For an event the authority is not certified for.",
            &by("device", elsewhere),
            reject("authority_wrong_event"),
        ),
        checked(
            "names_policy_key",
            "Names a key of another role.",
            &patched(1, &key(&authority("policy"))),
            reject("authority_wrong_role"),
        ),
        checked("bit_flip", "One bit of the device's id.", &flip(&good, 16 * 8 + 7), reject("authority_unknown")),
    ]
}

fn revocations() -> Vec<Value> {
    let checked = |name: &str, about: &str, bytes: &[u8], expect: Value| {
        let input = json!({ "revocation": hex(bytes), "root": hex(&authority("root").public().to_bytes()), "organiser": ORGANISER });
        case(&format!("revocation_{name}"), about, "key_revocation", input, expect)
    };
    let key = authority("issuer").public().key_id();
    let good = KeyRevocation::issue(key, NOW_S as u32, &authority("root")).to_bytes();
    let other = KeyRevocation::issue(key, NOW_S as u32, &authority("other root")).to_bytes();
    let mut format = good;
    format[0] = 2;
    let domain = [&good[..21], &authority("root").sign(domain::CERTIFICATE, &good[..21])[..]].concat();
    vec![
        checked(
            "accept",
            "The root takes a key back.",
            &good,
            accept(json!({ "key": key.to_string(), "revoked_at_s": NOW_S })),
        ),
        checked("cut", "The last byte is missing.", &good[..84], reject("wrong_length")),
        checked("byte_follows", "A byte follows.", &[&good[..], &[0]].concat(), reject("wrong_length")),
        checked("format_2", "A format of the future.", &format, reject("unknown_format")),
        checked("other_root", "Another root's.", &other, reject("not_from_root")),
        checked("bit_flip", "Another key.", &flip(&good, 16 * 8 + 7), reject("not_from_root")),
        checked("wrong_domain", "Signed as a certificate.", &domain, reject("not_from_root")),
    ]
}

fn rights() -> Vec<Value> {
    let asked = |name: &str, about: &str, key: &str, change: Value, expect: Value| {
        let mut input = json!({
            "trust": trust(),
            "key": authority(key).public().key_id().to_string(),
            "role": "issue",
            "event": EVENT,
            "now_s": NOW_S,
        });
        input.as_object_mut().unwrap().extend(change.as_object().cloned().unwrap());
        case(&format!("authority_{name}"), about, "authority", input, expect)
    };
    let yes = |key: &str| accept(json!({ "public_key": hex(&authority(key).public().to_bytes()) }));
    let from = i64::from(VALID_FROM_S);
    let until = i64::from(VALID_UNTIL_S);
    let mut cases = vec![
        asked("issue", "An issuer issues.", "issuer", json!({}), yes("issuer")),
        asked("first_second", "not_before is inclusive.", "issuer", json!({ "now_s": from }), yes("issuer")),
        asked("last_second", "not_after is exclusive.", "issuer", json!({ "now_s": until - 1 }), yes("issuer")),
        asked(
            "too_early",
            "A second before.",
            "issuer",
            json!({ "now_s": from - 1 }),
            reject("authority_not_yet_valid"),
        ),
        asked("too_late", "A second after.", "issuer", json!({ "now_s": until }), reject("authority_expired")),
        asked("last_event", "The range's end is inclusive.", "issuer", json!({ "event": 8 }), yes("issuer")),
        asked("event_after", "Past the range.", "issuer", json!({ "event": 9 }), reject("authority_wrong_event")),
        asked("event_before", "Before the range.", "issuer", json!({ "event": 6 }), reject("authority_wrong_event")),
        asked("unknown", "No certificate names the key.", "stranger", json!({}), reject("authority_unknown")),
        asked("revoked", "Taken back.", "revoked issuer", json!({}), reject("authority_revoked")),
        asked("revoked_then", "For any time.", "revoked issuer", json!({ "now_s": from }), reject("authority_revoked")),
    ];
    for role in Role::ALL {
        let (key, wrong) = if role == Role::Issue { ("list", "list") } else { ("issuer", role.name()) };
        let name = format!("not_for_{}", role.name());
        let about =
            format!("A key certified otherwise does not serve as `{}`.", if key == "list" { "issue" } else { wrong });
        cases.push(asked(&name, &about, key, json!({ "role": role.name() }), reject("authority_wrong_role")));
    }
    cases
}
