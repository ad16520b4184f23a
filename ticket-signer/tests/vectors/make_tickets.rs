//! Makes the groups `credentials` and `presentations`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use ticket_signer::{
    ClassId, Credential, CredentialFields, EventId, HolderAlgorithm, HolderKey, HolderSecret, Serial, TicketId,
    TimeStep, domain,
};

use crate::world::*;

/// A credential's fields as the cases write them.
pub fn fields_json(credential: &Credential) -> Value {
    let fields = credential.fields();
    let holder = fields.holder.as_ref();
    json!({
        "issuer": credential.issuer().to_string(),
        "event": fields.event.0,
        "ticket": fields.ticket.to_string(),
        "serial": fields.serial.get(),
        "flags": fields.flags,
        "class": fields.class.0,
        "valid_from_s": fields.valid_from_s,
        "valid_until_s": fields.valid_until_s,
        "algorithm": holder.map_or("none", |key| key.algorithm().name()),
        "holder_key": holder.map(|key| hex(&public_bytes(key))),
    })
}

pub fn credentials() -> Vec<Value> {
    let issuer = hex(&authority("issuer").public().to_bytes());
    let checked = |name: &str, about: &str, bytes: &[u8], expect: Value| {
        let input = json!({ "credential": hex(bytes), "issuer_key": issuer });
        case(&format!("credential_{name}"), about, "credential", input, expect)
    };
    let good = |name: &str, about: &str, fields: CredentialFields| {
        let credential = issue(fields);
        let mut made = checked(name, about, &credential.to_bytes(), accept(fields_json(&credential)));
        made["issuer_secret"] = hex(&seed("issuer")).into();
        made
    };
    let bad = |name: &str, about: &str, at: usize, with: &[u8], reason: &str| {
        checked(name, about, &patched(ticket(), at, with), reject(reason))
    };
    let ends = CredentialFields {
        event: EventId(u32::MAX),
        ticket: TicketId(u64::MAX),
        serial: Serial::LAST,
        flags: 1,
        class: ClassId(u16::MAX),
        valid_from_s: u32::MAX - 1,
        valid_until_s: u32::MAX,
        holder: None,
    };
    let zeros = CredentialFields {
        event: EventId(0),
        ticket: TicketId(0),
        serial: Serial::FIRST,
        class: ClassId(0),
        valid_from_s: 0,
        valid_until_s: 1,
        ..ends.clone()
    };
    let bytes = issue(ticket()).to_bytes();
    let p256_slot = p256().public().to_slot();
    let flipped = |at: usize| flip(&bytes, at * 8 + 7);
    let mut cases = vec![
        good("ed25519", "Bound to an Ed25519 phone.", ticket()),
        good("p256", "Bound to a P-256 phone.", bound_to(&p256())),
        good("printed", "Bound to nobody.", printed()),
        good("flag", "Staff are to check an entitlement.", CredentialFields { flags: 1, ..ticket() }),
        good("largest", "Every number at its end.", ends),
        good("smallest", "Every number at its beginning.", zeros),
        checked("empty", "No bytes.", &[], reject("wrong_length")),
        checked("short", "The last byte is missing.", &bytes[..130], reject("wrong_length")),
        checked("long", "A byte follows.", &[&bytes[..], &[0]].concat(), reject("wrong_length")),
        bad("format_0", "There is no format 0.", 0, &[0], "unknown_format"),
        bad("format_2", "A format of the future.", 0, &[2], "unknown_format"),
        bad("algorithm_3", "There is no algorithm 3.", 1, &[3], "unknown_algorithm"),
        bad("none_with_key", "Printed, and yet a key.", 1, &[0], "not_canonical"),
        bad("p256_holds_ed25519", "Says P-256, holds an Ed25519 key.", 1, &[2], "not_a_key"),
        bad("ed25519_holds_p256", "Says Ed25519, holds a P-256 point.", 34, &p256_slot, "not_canonical"),
        bad("serial_0", "Serials begin at 1.", 22, &[0], "serial_out_of_range"),
        bad("serial_255", "255 ends a ticket; nothing carries it.", 22, &[255], "serial_out_of_range"),
        bad("flag_2", "A reserved flag.", 23, &[2], "reserved_flag"),
        bad("flag_128", "Another.", 23, &[0x81], "reserved_flag"),
        bad("validity_inverted", "Ends before it begins.", 30, &(VALID_FROM_S - 1).to_be_bytes(), "validity_inverted"),
        bad("validity_empty", "Ends as it begins.", 30, &VALID_FROM_S.to_be_bytes(), "validity_inverted"),
        bad("small_order_key", "A holder key anybody signs for.", 34, &[0; 33], "small_order_key"),
        bad("non_canonical_key", "y = p + 3.", 35, &second_encoding(3), "not_canonical"),
    ];
    let parts = [("event", 13), ("ticket", 21), ("class", 25), ("valid_until", 33), ("key", 40), ("r", 70), ("s", 110)];
    for (part, at) in parts {
        // A flipped key byte may be no point: then the key is the reason, which is as well.
        if let Ok(changed) = Credential::from_bytes(&flipped(at)) {
            assert!(changed.verify(&authority("issuer").public()).is_err());
            let about = "One bit was changed after signing.";
            cases.push(checked(&format!("bit_flip_{part}"), about, &flipped(at), reject("bad_signature")));
        }
    }
    let resigned = |signature: [u8; 64]| [&bytes[..67], &signature].concat();
    let signature: [u8; 64] = bytes[67..].try_into().unwrap();
    let other_domain = authority("issuer").sign(domain::CERTIFICATE, &bytes[..67]);
    let forged = small_order_r("issuer", domain::CREDENTIAL, &bytes[..67]);
    let other = Credential::issue(ticket(), &authority("stranger")).unwrap().to_bytes();
    let renamed = authority("stranger").sign(domain::CREDENTIAL, &bytes[..67]);
    cases.extend([
        checked("wrong_domain", "Signed as a certificate.", &resigned(other_domain), reject("bad_signature")),
        checked("s_plus_l", "S + L for S.", &resigned(s_plus_l(&signature)), reject("bad_signature")),
        checked("small_order_r", "Fits the lax equation only.", &resigned(forged), reject("bad_signature")),
        checked("zero_signature", "64 zeros.", &resigned([0; 64]), reject("bad_signature")),
        checked("other_issuer", "Names and is signed by another key.", &other, reject("bad_signature")),
        checked("borrowed_name", "Names our issuer, signed by another.", &resigned(renamed), reject("bad_signature")),
    ]);
    cases
}

/// A private key as WebCrypto imports it.
fn jwk(secret: &HolderSecret) -> Value {
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let d = text(&secret.to_bytes()[..]);
    match secret {
        HolderSecret::Ed25519(key) => {
            json!({ "kty": "OKP", "crv": "Ed25519", "d": d, "x": text(&key.public().to_bytes()) })
        }
        HolderSecret::P256(key) => {
            let point = key.verifying_key().to_sec1_point(false);
            let point = point.as_bytes();
            json!({ "kty": "EC", "crv": "P-256", "d": d, "x": text(&point[1..33]), "y": text(&point[33..]) })
        }
    }
}

pub fn presentations() -> Vec<Value> {
    let mut cases = Vec::new();
    for secret in [ed25519(), p256()] {
        made_presentations(&secret, &mut cases);
        checked_presentations(&secret, &mut cases);
    }
    cases
}

/// Presentations with their private key: whoever signs must come to the same codes (with Ed25519 to the byte).
fn made_presentations(secret: &HolderSecret, cases: &mut Vec<Value>) {
    let algorithm = secret.public().algorithm();
    let now = TimeStep::at(NOW_S);
    let last = CredentialFields { serial: Serial::LAST, event: EventId(u32::MAX), ..bound_to(secret) };
    let variants = [
        ("plain", "Now, nothing asked.", bound_to(secret), now, 0),
        ("challenge", "With the lane's challenge.", bound_to(secret), now, 4711),
        ("challenge_max", "With the largest challenge.", bound_to(secret), now, 9999),
        ("step_0", "The first step of all.", bound_to(secret), TimeStep(0), 1),
        ("step_max", "The last step of all.", bound_to(secret), TimeStep(u32::MAX), 0),
        ("ends", "The last serial, the largest event id.", last, now, 0),
    ];
    for (name, about, fields, step, challenge) in variants {
        let credential = issue(fields.clone());
        let presentation = present(&fields, step, challenge, secret);
        let input = json!({
            "algorithm": algorithm.name(),
            "holder_secret": hex(&secret.to_bytes()[..]),
            "holder_jwk": jwk(secret),
            "deterministic": algorithm == HolderAlgorithm::Ed25519,
            "credential": hex(&credential.to_bytes()),
            "step": step.0,
            "challenge": challenge,
        });
        let expect = accept(json!({
            "event": fields.event.0,
            "ticket": fields.ticket.to_string(),
            "serial": fields.serial.get(),
            "message": hex(&presentation_message(&fields, step.0, challenge)),
            "signature": hex(&presentation.signature),
            "short_code": short(&fields, presentation),
            "full_code": full(&credential, presentation),
        }));
        cases.push(case(&format!("present_{}_{name}", algorithm.name()), about, "present", input, expect));
    }
}

fn checked_presentations(secret: &HolderSecret, cases: &mut Vec<Value>) {
    let algorithm = secret.public().algorithm().name();
    let fields = bound_to(secret);
    let step = TimeStep::at(NOW_S);
    let good = present(&fields, step, 0, secret).signature;
    let message = presentation_message(&fields, step.0, 0)[domain::PRESENTATION.len()..].to_vec();
    let mut add = |name: &str, about: &str, change: Value, expect: Value| {
        let mut input = json!({
            "algorithm": algorithm,
            "public_key": hex(&public_bytes(&secret.public())),
            "event": EVENT,
            "ticket": fields.ticket.to_string(),
            "serial": fields.serial.get(),
            "step": step.0,
            "challenge": 0,
            "signature": hex(&good),
        });
        input.as_object_mut().unwrap().extend(change.as_object().cloned().unwrap());
        let name = format!("presentation_{algorithm}_{name}");
        cases.push(case(&name, about, "presentation", input, expect));
    };
    let bad = || reject("bad_signature");
    let signed = |signature: &[u8]| json!({ "signature": hex(signature) });
    add("accept", "As it was signed.", json!({}), accept(json!({})));
    add("other_event", "Signed for event 7.", json!({ "event": 8 }), bad());
    add("other_ticket", "Signed for another ticket.", json!({ "ticket": TicketId(1).to_string() }), bad());
    add("other_serial", "Signed for serial 2.", json!({ "serial": 3 }), bad());
    add("other_step", "Signed for the step before.", json!({ "step": step.0 + 1 }), bad());
    add("other_challenge", "Signed without a challenge.", json!({ "challenge": 1 }), bad());
    add("bit_flip_first", "The first bit.", signed(&flip(&good, 0)), bad());
    add("bit_flip_last", "The last bit.", signed(&flip(&good, 511)), bad());
    add("wrong_domain", "Signed as a binding.", signed(&secret.sign(domain::BINDING, &message)), bad());
    add("no_domain", "Signed without a domain string's text.", signed(&secret.sign(b"\0", &message)), bad());
    add("zeros", "64 zeros.", signed(&[0; 64]), bad());
    let HolderSecret::Ed25519(_) = secret else {
        // Signed by a peer that neither normalises nor is deterministic; the value is as valid.
        let flipped = high_s(&good);
        add("high_s", "n - s for s.", signed(&flipped), bad());
        let mut no_r = good;
        no_r[..32].fill(0);
        add("zero_r", "r = 0.", signed(&no_r), bad());
        let mut no_s = good;
        no_s[32..].fill(0);
        add("zero_s", "s = 0.", signed(&no_s), bad());
        let HolderKey::P256(_) = secret.public() else { unreachable!() };
        return;
    };
    add("s_plus_l", "S + L for S.", signed(&s_plus_l(&good)), bad());
    let forged = small_order_r("holder ed25519", domain::PRESENTATION, &message);
    add("small_order_r", "Fits the lax equation only.", signed(&forged), bad());
}
