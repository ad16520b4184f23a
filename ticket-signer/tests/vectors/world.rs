//! The keys, times and helpers of which the cases are made. Everything is a function of names: nothing is random.

use p256::ecdsa::Signature;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256, Sha512};
use ticket_signer::certificate::{Certificate, CertificateFields};
use ticket_signer::code::ShortCode;
use ticket_signer::presentation::Presentation;
use ticket_signer::{
    Challenge, ClassId, Credential, CredentialFields, EventId, EventRange, HolderAlgorithm, HolderKey, HolderSecret,
    KeyRevocation, Role, SecretKey, Serial, TicketId, TimeStep, UntrustedCode, domain,
};

/// Unix seconds; not the first second of its step.
pub const NOW_S: i64 = 1_790_000_000;
pub const EVENT: u32 = 7;
pub const ORGANISER: &str = "Turnstone Test Hall";
pub const VALID_FROM_S: u32 = 1_789_900_000;
pub const VALID_UNTIL_S: u32 = 1_790_100_000;

/// A test's private key: SHA-256 of `turnstone test key: NAME`. Never to be used for anything else.
pub fn seed(name: &str) -> [u8; 32] {
    Sha256::digest(format!("turnstone test key: {name}")).into()
}

pub fn authority(name: &str) -> SecretKey {
    SecretKey::from_bytes(&seed(name))
}

pub fn phone(algorithm: HolderAlgorithm) -> HolderSecret {
    HolderSecret::from_bytes(algorithm, &seed(&format!("holder {}", algorithm.name()))).unwrap()
}

pub fn ed25519() -> HolderSecret {
    phone(HolderAlgorithm::Ed25519)
}

pub fn p256() -> HolderSecret {
    phone(HolderAlgorithm::P256)
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "{text}");
    (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect()
}

/// The public key as a phone sends it: 32 bytes for Ed25519, 33 for P-256.
pub fn public_bytes(key: &HolderKey) -> Vec<u8> {
    let slot = key.to_slot();
    if key.algorithm() == HolderAlgorithm::Ed25519 { slot[1..].to_vec() } else { slot.to_vec() }
}

/// One case: an operation, its inputs, and what must come of it.
pub fn case(name: &str, about: &str, op: &str, input: Value, expect: Value) -> Value {
    let mut all = Map::new();
    all.insert("name".into(), name.into());
    all.insert("about".into(), about.into());
    all.insert("op".into(), op.into());
    all.extend(input.as_object().cloned().unwrap());
    all.insert("expect".into(), expect);
    Value::Object(all)
}

pub fn accept(value: Value) -> Value {
    json!({ "accept": value })
}

pub fn reject(reason: &str) -> Value {
    json!({ "reject": reason })
}

pub fn range(first: u32, last: u32) -> EventRange {
    EventRange { first: EventId(first), last: EventId(last) }
}

/// A certificate of the root for events 7 and 8, valid around now.
pub fn certificate_fields(role: Role, key: &SecretKey) -> CertificateFields {
    CertificateFields {
        role,
        key: key.public(),
        organiser: ORGANISER.into(),
        events: vec![range(7, 8)],
        not_before_s: VALID_FROM_S,
        not_after_s: VALID_UNTIL_S,
    }
}

pub fn certify(fields: CertificateFields) -> Vec<u8> {
    Certificate::issue(fields, &authority("root")).unwrap().to_bytes()
}

/// What a gate of the test hall believes: an issuer, and authorities with each thing that can be wrong with one.
pub fn trust() -> Value {
    let issue = |name: &str| certificate_fields(Role::Issue, &authority(name));
    let certificates = [
        certify(issue("issuer")),
        certify(certificate_fields(Role::List, &authority("list"))),
        certify(CertificateFields { not_after_s: NOW_S as u32, ..issue("expired issuer") }),
        certify(CertificateFields { not_before_s: NOW_S as u32 + 1, ..issue("early issuer") }),
        certify(issue("revoked issuer")),
    ];
    let revocation =
        KeyRevocation::issue(authority("revoked issuer").public().key_id(), NOW_S as u32 - 60, &authority("root"));
    json!({
        "root": hex(&authority("root").public().to_bytes()),
        "organiser": ORGANISER,
        "certificates": certificates.iter().map(|bytes| hex(bytes)).collect::<Vec<_>>(),
        "revocations": [hex(&revocation.to_bytes())],
    })
}

/// The ticket that most cases are about.
pub fn ticket() -> CredentialFields {
    CredentialFields {
        event: EventId(EVENT),
        ticket: TicketId(0x1122_3344_5566_7788),
        serial: Serial::new(2).unwrap(),
        flags: 0,
        class: ClassId(3),
        valid_from_s: VALID_FROM_S,
        valid_until_s: VALID_UNTIL_S,
        holder: Some(ed25519().public()),
    }
}

pub fn bound_to(secret: &HolderSecret) -> CredentialFields {
    CredentialFields { holder: Some(secret.public()), ..ticket() }
}

pub fn printed() -> CredentialFields {
    CredentialFields { serial: Serial::FIRST, holder: None, ..ticket() }
}

pub fn issue(fields: CredentialFields) -> Credential {
    Credential::issue(fields, &authority("issuer")).unwrap()
}

/// A credential's bytes changed at `at` and signed again by the issuer: wrong only in what was changed.
pub fn patched(fields: CredentialFields, at: usize, with: &[u8]) -> Vec<u8> {
    let mut bytes = issue(fields).to_bytes().to_vec();
    bytes[at..at + with.len()].copy_from_slice(with);
    let signature = authority("issuer").sign(domain::CREDENTIAL, &bytes[..67]);
    bytes[67..].copy_from_slice(&signature);
    bytes
}

pub fn present(fields: &CredentialFields, step: TimeStep, challenge: u16, secret: &HolderSecret) -> Presentation {
    let challenge = Challenge::new(challenge).unwrap();
    Presentation::sign(fields.event, fields.ticket, fields.serial, step, challenge, secret)
}

pub fn short(fields: &CredentialFields, presentation: Presentation) -> String {
    UntrustedCode::Short(ShortCode { ticket: fields.ticket, serial: fields.serial, presentation }).to_text()
}

pub fn full(credential: &Credential, presentation: Presentation) -> String {
    UntrustedCode::Full { credential: Box::new(credential.clone()), presentation }.to_text()
}

pub fn printed_code(credential: &Credential) -> String {
    UntrustedCode::Printed { credential: Box::new(credential.clone()) }.to_text()
}

/// A code's text from bytes that may be no code at all.
pub fn raw(kind: char, bytes: &[u8]) -> String {
    format!("T1{kind}{}", base45::encode(bytes))
}

pub fn unraw(text: &str) -> Vec<u8> {
    base45::decode(&text[3..]).unwrap()
}

pub fn flip(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[bit / 8] ^= 0x80 >> (bit % 8);
    bytes
}

/// The same P-256 signature with n - s for s: as valid to ECDSA, and not accepted here.
pub fn high_s(signature: &[u8; 64]) -> [u8; 64] {
    let (r, s) = Signature::from_slice(signature).unwrap().split_scalars();
    Signature::from_scalars(r.to_bytes(), (-*s).to_bytes()).unwrap().to_bytes().into()
}

/// The same Ed25519 signature with S + L for S: what a check that does not bound S would take.
pub fn s_plus_l(signature: &[u8; 64]) -> [u8; 64] {
    let mut order = [0u8; 32];
    order[..16].copy_from_slice(&27_742_317_777_372_353_535_851_937_790_883_648_493_u128.to_le_bytes());
    order[31] = 0x10;
    let mut changed = *signature;
    let mut carry = 0u16;
    for (byte, add) in changed[32..].iter_mut().zip(order) {
        carry += u16::from(*byte) + u16::from(add);
        *byte = carry as u8;
        carry >>= 8;
    }
    changed
}

/// A signature whose R is the identity: it satisfies the equation of RFC 8032, and a strict check refuses it.
pub fn small_order_r(name: &str, domain: &[u8], message: &[u8]) -> [u8; 64] {
    let key = ed25519_dalek::SigningKey::from_bytes(&seed(name));
    let mut signature = [0; 64];
    signature[0] = 1;
    let hash = Sha512::new()
        .chain_update(&signature[..32])
        .chain_update(key.verifying_key().as_bytes())
        .chain_update(domain)
        .chain_update(message);
    let k = curve25519_dalek::Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
    signature[32..].copy_from_slice((k * key.to_scalar()).as_bytes());
    signature
}

/// y = p + `above`: a second encoding of a point that has y = `above`.
pub fn second_encoding(above: u8) -> [u8; 32] {
    let mut bytes = [0xff; 32];
    bytes[0] = 0xed + above;
    bytes[31] = 0x7f;
    bytes
}

/// The message that a presentation signs, its domain string first.
pub fn presentation_message(fields: &CredentialFields, step: u32, challenge: u16) -> Vec<u8> {
    [
        domain::PRESENTATION,
        &fields.event.0.to_be_bytes(),
        &fields.ticket.0.to_be_bytes(),
        &[fields.serial.get()],
        &step.to_be_bytes(),
        &challenge.to_be_bytes(),
    ]
    .concat()
}
