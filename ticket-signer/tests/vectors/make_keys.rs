//! Makes the groups `keys` (keys, ids, base45) and `binding`.

use serde_json::{Value, json};
use ticket_signer::presentation::prove_binding;
use ticket_signer::{EventId, HolderAlgorithm, HolderSecret, SecretKey, TicketId, domain};

use crate::world::*;

pub fn keys() -> Vec<Value> {
    let mut cases = authority_keys();
    cases.extend(holder_keys());
    cases.extend(slots());
    cases.extend(ids());
    cases.extend(base45_texts());
    cases
}

fn authority_keys() -> Vec<Value> {
    let accepted = |name: &str, about: &str, secret: [u8; 32]| {
        let public = SecretKey::from_bytes(&secret).public();
        let expect = json!({
            "public_key": hex(&public.to_bytes()),
            "key_id": public.key_id().to_string(),
            "fingerprint": hex(&public.fingerprint()),
            "spoken_fingerprint": public.spoken_fingerprint(),
        });
        case(name, about, "authority_key", json!({ "secret": hex(&secret) }), accept(expect))
    };
    let rfc = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
    vec![
        accepted("authority_root", "The test hall's root key.", seed("root")),
        accepted("authority_issuer", "The test hall's issuer.", seed("issuer")),
        accepted("authority_rfc8032", "The first test key of RFC 8032, 7.1.", unhex(rfc).try_into().unwrap()),
    ]
}

fn holder_keys() -> Vec<Value> {
    let from_secret = |name: &str, about: &str, algorithm: HolderAlgorithm, secret: &[u8], expect: Value| {
        let input = json!({ "algorithm": algorithm.name(), "secret": hex(secret) });
        case(name, about, "holder_secret", input, expect)
    };
    let public = |secret: &HolderSecret| accept(json!({ "public_key": hex(&public_bytes(&secret.public())) }));
    let key = |name: &str, about: &str, algorithm: &str, bytes: &[u8], expect: Value| {
        case(name, about, "public_key", json!({ "algorithm": algorithm, "public_key": hex(bytes) }), expect)
    };
    let kept = |secret: HolderSecret| accept(json!({ "slot": hex(&secret.public().to_slot()) }));
    let order = unhex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
    let small = |text: &str| unhex(text);
    let ed_key = public_bytes(&ed25519().public());
    let p_key = public_bytes(&p256().public());
    let uncompressed = {
        let HolderSecret::P256(key) = p256() else { unreachable!() };
        key.verifying_key().to_sec1_point(false).as_bytes().to_vec()
    };
    let mut other_prefix = p_key.clone();
    other_prefix[0] = 5;
    // No point of the curve has x = 3.
    let mut off_curve = vec![0; 33];
    (off_curve[0], off_curve[32]) = (2, 3);
    let mut above_field = vec![2];
    above_field.extend(unhex("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff"));
    let mut ed_off_curve = vec![0; 32];
    ed_off_curve[0] = 2;
    let mut cases = vec![
        from_secret(
            "holder_secret_ed25519",
            "An Ed25519 phone.",
            HolderAlgorithm::Ed25519,
            &seed("holder ed25519"),
            public(&ed25519()),
        ),
        from_secret(
            "holder_secret_p256",
            "A P-256 phone.",
            HolderAlgorithm::P256,
            &seed("holder p256"),
            public(&p256()),
        ),
        from_secret(
            "holder_secret_p256_zero",
            "Zero is no private key of P-256.",
            HolderAlgorithm::P256,
            &[0; 32],
            reject("not_a_secret"),
        ),
        from_secret(
            "holder_secret_p256_order",
            "Nor is the group's order.",
            HolderAlgorithm::P256,
            &order,
            reject("not_a_secret"),
        ),
        key("public_ed25519", "32 bytes.", "ed25519", &ed_key, kept(ed25519())),
        key("public_p256", "A compressed point (SEC 1, 2.3.3).", "p256", &p_key, kept(p256())),
        key("public_ed25519_31_bytes", "Cut off.", "ed25519", &ed_key[..31], reject("not_a_key")),
        key("public_ed25519_33_bytes", "One too many.", "ed25519", &[&ed_key[..], &[0]].concat(), reject("not_a_key")),
        key("public_ed25519_off_curve", "y = 2 has no x.", "ed25519", &ed_off_curve, reject("not_a_key")),
        key(
            "public_ed25519_non_canonical",
            "y = p + 3: a second encoding of an ordinary point.",
            "ed25519",
            &second_encoding(3),
            reject("not_canonical"),
        ),
        key("public_p256_32_bytes", "x without its prefix.", "p256", &p_key[1..], reject("not_a_key")),
        key("public_p256_34_bytes", "One too many.", "p256", &[&p_key[..], &[0]].concat(), reject("not_a_key")),
        key("public_p256_uncompressed", "A valid point, written long.", "p256", &uncompressed, reject("not_a_key")),
        key("public_p256_prefix", "The prefix is 05 (compact).", "p256", &other_prefix, reject("not_a_key")),
        key("public_p256_infinity", "00: the point at infinity.", "p256", &[0], reject("not_a_key")),
        key("public_p256_off_curve", "No y for this x.", "p256", &off_curve, reject("not_a_key")),
        key("public_p256_above_field", "x is the field's prime.", "p256", &above_field, reject("not_a_key")),
        key("public_none", "Algorithm none has no key.", "none", &[], reject("not_a_key")),
    ];
    let weak = [
        ("order_1", "0100000000000000000000000000000000000000000000000000000000000000"),
        ("order_2", "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
        ("order_4", "0000000000000000000000000000000000000000000000000000000000000000"),
        ("order_8", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
        ("order_8_other", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    ];
    for (name, bytes) in weak {
        let about = "A key for which anybody can make a signature that fits.";
        let name = format!("public_ed25519_small_{name}");
        cases.push(key(&name, about, "ed25519", &small(bytes), reject("small_order_key")));
    }
    cases
}

fn slots() -> Vec<Value> {
    let slot = |name: &str, about: &str, algorithm: u8, slot: &[u8], expect: Value| {
        case(name, about, "key_slot", json!({ "algorithm_byte": algorithm, "slot": hex(slot) }), expect)
    };
    let ed = ed25519().public().to_slot();
    let p = p256().public().to_slot();
    let mut ed_prefixed = ed;
    ed_prefixed[0] = 2;
    let named = |algorithm: &str, key: Option<Vec<u8>>| {
        accept(json!({ "algorithm": algorithm, "public_key": key.map(|bytes| hex(&bytes)) }))
    };
    vec![
        slot("slot_none", "Printed: zeros.", 0, &[0; 33], named("none", None)),
        slot("slot_ed25519", "00 and the key.", 1, &ed, named("ed25519", Some(ed[1..].to_vec()))),
        slot("slot_p256", "The compressed point.", 2, &p, named("p256", Some(p.to_vec()))),
        slot("slot_none_with_key", "Printed, and yet a key.", 0, &ed, reject("not_canonical")),
        slot("slot_ed25519_prefix", "The first byte is not 00.", 1, &ed_prefixed, reject("not_canonical")),
        slot("slot_ed25519_holds_p256", "Algorithm and slot do not match.", 1, &p, reject("not_canonical")),
        slot("slot_p256_holds_ed25519", "Algorithm and slot do not match.", 2, &ed, reject("not_a_key")),
        slot("slot_ed25519_zeros", "Zeros are a point of order 4.", 1, &[0; 33], reject("small_order_key")),
        slot("slot_unknown_algorithm", "There is no algorithm 3.", 3, &ed, reject("unknown_algorithm")),
        slot("slot_algorithm_255", "Nor 255.", 255, &ed, reject("unknown_algorithm")),
    ]
}

fn ids() -> Vec<Value> {
    let ticket = |name: &str, text: &str, expect: Value| {
        case(name, "A ticket id is 16 lower-case hex digits.", "ticket_id", json!({ "text": text }), expect)
    };
    let step = |name: &str, unix_s: i64, expect: u32| {
        let about = "A step is unix seconds / 15, rounded down.";
        case(name, about, "time_step", json!({ "unix_s": unix_s }), accept(json!({ "step": expect })))
    };
    vec![
        ticket("ticket_id", "00000000000000ff", accept(json!({ "bytes": "00000000000000ff" }))),
        ticket("ticket_id_short", "ff", reject("not_an_id")),
        ticket("ticket_id_upper_case", "00000000000000FF", reject("not_an_id")),
        ticket("ticket_id_sign", "+0000000000000ff", reject("not_an_id")),
        ticket("ticket_id_long", "000000000000000ff", reject("not_an_id")),
        step("time_step_epoch", 0, 0),
        step("time_step_last_second", 14, 0),
        step("time_step_next", 15, 1),
        step("time_step_now", NOW_S, 119_333_333),
    ]
}

fn base45_texts() -> Vec<Value> {
    let text = |name: &str, about: &str, text: &str, expect: Value| {
        case(name, about, "base45", json!({ "text": text }), expect)
    };
    let bytes = |bytes: &[u8]| accept(json!({ "bytes": hex(bytes) }));
    let rfc = "An example of RFC 9285, 4.3 and 4.4.";
    vec![
        text("base45_ab", rfc, "BB8", bytes(b"AB")),
        text("base45_hello", rfc, "%69 VD92EX0", bytes(b"Hello!!")),
        text("base45_base_45", rfc, "UJCLQE7W581", bytes(b"base-45")),
        text("base45_ietf", rfc, "QED8WEX0", bytes(b"ietf!")),
        text("base45_empty", "Nothing is nothing.", "", bytes(b"")),
        text("base45_ffff", "The highest value of three characters.", "FGW", bytes(&[0xff, 0xff])),
        text("base45_above_ffff", "65536 in three characters (RFC 9285, 6).", "GGW", reject("not_base45")),
        text("base45_top", "91124 in three characters.", ":::", reject("not_base45")),
        text("base45_ff", "The highest value of a last pair.", "U5", bytes(&[0xff])),
        text("base45_pair_above_ff", "256 in a last pair.", "V5", reject("not_base45")),
        text("base45_pair_top", "2024 in a last pair.", "::", reject("not_base45")),
        text("base45_one_left", "One character cannot be a byte.", "BB8B", reject("not_base45")),
        text("base45_lower_case", "Lower case is not in the alphabet.", "bb8", reject("not_base45")),
        text("base45_foreign_character", "Nor is an underscore.", "B_8", reject("not_base45")),
        text("base45_line_end", "Nor is a line end after the text.", "BB8\n", reject("not_base45")),
        text("base45_unicode", "Nor is anything outside ASCII.", "BBé", reject("not_base45")),
    ]
}

pub fn binding() -> Vec<Value> {
    let secret = &seed("link secret")[..16];
    let fields = ticket();
    let mut cases = Vec::new();
    for phone in [ed25519(), p256()] {
        let algorithm = phone.public().algorithm().name();
        let proof = prove_binding(fields.event, fields.ticket, secret, &phone);
        let make = |name: &str, about: &str, change: Value, expect: Value| {
            let mut input = json!({
                "event": EVENT,
                "ticket": fields.ticket.to_string(),
                "link_secret": hex(secret),
                "algorithm": algorithm,
                "public_key": hex(&public_bytes(&phone.public())),
                "proof": hex(&proof),
            });
            input.as_object_mut().unwrap().extend(change.as_object().cloned().unwrap());
            case(&format!("binding_{algorithm}_{name}"), about, "binding", input, expect)
        };
        let bad = || reject("bad_signature");
        let mut message = fields.event.0.to_be_bytes().to_vec();
        message.extend(fields.ticket.0.to_be_bytes());
        message.push(phone.public().algorithm().to_byte());
        message.extend(phone.public().to_slot());
        message.extend(<sha2::Sha256 as sha2::Digest>::digest(secret));
        let full_message = [domain::BINDING, &message].concat();
        let seed = hex(&phone.to_bytes()[..]);
        cases.extend([
            make(
                "accept",
                "The proof that a phone sends when it binds.",
                json!({ "holder_secret": seed, "message": hex(&full_message) }),
                accept(json!({})),
            ),
            make("other_event", "Made for event 7, shown for 8.", json!({ "event": 8 }), bad()),
            make("other_ticket", "Another ticket's.", json!({ "ticket": TicketId(1).to_string() }), bad()),
            make("other_secret", "Another link's secret.", json!({ "link_secret": hex(&[0; 16]) }), bad()),
            make("bit_flip", "One bit of the proof.", json!({ "proof": hex(&flip(&proof, 300)) }), bad()),
            make(
                "wrong_domain",
                "The same message, signed as a presentation.",
                json!({ "proof": hex(&phone.sign(domain::PRESENTATION, &message)) }),
                bad(),
            ),
        ]);
        let other = HolderSecret::from_bytes(phone.public().algorithm(), &[0x55; 32]).unwrap();
        let stolen = prove_binding(EventId(EVENT), fields.ticket, secret, &other);
        cases.push(make("other_key", "Proved with another key.", json!({ "proof": hex(&stolen) }), bad()));
        let twisted = if algorithm == "p256" { high_s(&proof) } else { s_plus_l(&proof) };
        cases.push(make("malleable", "S was exchanged for its twin.", json!({ "proof": hex(&twisted) }), bad()));
    }
    cases
}
