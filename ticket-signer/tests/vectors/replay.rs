//! Replays a case from its JSON alone, and says what came of it in the case's own words.

use serde_json::{Value, json};
use ticket_signer::certificate::{Certificate, CertificateFields};
use ticket_signer::code::{ShortCode, decode_base45};
use ticket_signer::presentation::{Presentation, verify_binding};
use ticket_signer::{
    Challenge, ClassId, Credential, DeviceCertificate, EventId, HolderAlgorithm, HolderKey, HolderSecret, KeyId,
    ListedTicket, PublicKey, Rejection, Role, SecretKey, Serial, TicketId, TicketStatus, TimeStep, TrustStore,
    UntrustedCode, VerifyContext, code, verify,
};

use crate::make_tickets::fields_json;
use crate::world::{hex, presentation_message, public_bytes, reject, unhex};

type Outcome = Result<Value, &'static str>;

pub fn replay(case: &Value) -> Value {
    let op = case["op"].as_str().unwrap();
    let outcome = match op {
        "authority_key" => authority_key(case),
        "holder_secret" => holder_secret(case),
        "public_key" => public_key(case),
        "key_slot" => key_slot(case),
        "ticket_id" => ticket_id(case),
        "time_step" => Ok(json!({ "step": TimeStep::at(case["unix_s"].as_i64().unwrap()).0 })),
        "base45" => base45(case),
        "binding" => binding(case),
        "credential" => credential(case),
        "present" => present(case),
        "presentation" => presentation(case),
        "code" => code_at_gate(case),
        "certificate" => certificate(case),
        "device_certificate" => device_certificate(case),
        "key_revocation" => key_revocation(case),
        "authority" => authority(case),
        other => panic!("no operation {other}"),
    };
    match outcome {
        Ok(value) => json!({ "accept": value }),
        Err(reason) => reject(reason),
    }
}

fn text<'a>(case: &'a Value, name: &str) -> &'a str {
    case[name].as_str().unwrap_or_else(|| panic!("no text `{name}` in {case}"))
}

fn bytes(case: &Value, name: &str) -> Vec<u8> {
    unhex(text(case, name))
}

fn array<const N: usize>(case: &Value, name: &str) -> [u8; N] {
    bytes(case, name).try_into().unwrap()
}

fn number<T: TryFrom<u64>>(case: &Value, name: &str) -> T {
    let number = case[name].as_u64().unwrap_or_else(|| panic!("no number `{name}` in {case}"));
    T::try_from(number).ok().unwrap()
}

fn algorithm(name: &str) -> HolderAlgorithm {
    let all = [HolderAlgorithm::None, HolderAlgorithm::Ed25519, HolderAlgorithm::P256];
    all.into_iter().find(|algorithm| algorithm.name() == name).unwrap()
}

fn holder(case: &Value) -> HolderKey {
    HolderKey::from_public_bytes(algorithm(text(case, "algorithm")), &bytes(case, "public_key")).unwrap()
}

fn authority_key(case: &Value) -> Outcome {
    let public = SecretKey::from_bytes(&array(case, "secret")).public();
    Ok(json!({
        "public_key": hex(&public.to_bytes()),
        "key_id": public.key_id().to_string(),
        "fingerprint": hex(&public.fingerprint()),
        "spoken_fingerprint": public.spoken_fingerprint(),
    }))
}

fn holder_secret(case: &Value) -> Outcome {
    let secret = HolderSecret::from_bytes(algorithm(text(case, "algorithm")), &array(case, "secret"));
    let secret = secret.map_err(|error| error.reason())?;
    Ok(json!({ "public_key": hex(&public_bytes(&secret.public())) }))
}

fn public_key(case: &Value) -> Outcome {
    let key = HolderKey::from_public_bytes(algorithm(text(case, "algorithm")), &bytes(case, "public_key"));
    Ok(json!({ "slot": hex(&key.map_err(|error| error.reason())?.to_slot()) }))
}

fn key_slot(case: &Value) -> Outcome {
    let algorithm = HolderAlgorithm::from_byte(number(case, "algorithm_byte")).map_err(|error| error.reason())?;
    let key = HolderKey::from_slot(algorithm, &array(case, "slot")).map_err(|error| error.reason())?;
    Ok(json!({ "algorithm": algorithm.name(), "public_key": key.map(|key| hex(&public_bytes(&key))) }))
}

fn ticket_id(case: &Value) -> Outcome {
    let id: TicketId = text(case, "text").parse().map_err(|error: ticket_signer::ids::IdError| error.reason())?;
    Ok(json!({ "bytes": hex(&id.0.to_be_bytes()) }))
}

fn base45(case: &Value) -> Outcome {
    let bytes = decode_base45(text(case, "text")).map_err(|error| error.reason())?;
    Ok(json!({ "bytes": hex(&bytes) }))
}

fn binding(case: &Value) -> Outcome {
    let ticket = text(case, "ticket").parse().unwrap();
    let proof = array(case, "proof");
    let secret = bytes(case, "link_secret");
    verify_binding(EventId(number(case, "event")), ticket, &secret, &holder(case), &proof)
        .map_err(|error| error.reason())?;
    if case.get("holder_secret").is_some() {
        let phone = HolderSecret::from_bytes(holder(case).algorithm(), &array(case, "holder_secret")).unwrap();
        let made = ticket_signer::presentation::prove_binding(EventId(number(case, "event")), ticket, &secret, &phone);
        assert_eq!(made, proof);
        // The domain string leads, and the secret itself is not in the message.
        let message = bytes(case, "message");
        assert!(message.starts_with(b"turnstone.binding.v1\0"));
        assert_eq!(phone.sign(b"turnstone.binding.v1\0", &message[21..]), proof);
    }
    Ok(json!({}))
}

fn credential(case: &Value) -> Outcome {
    let bytes = bytes(case, "credential");
    let credential = Credential::from_bytes(&bytes).map_err(|error| error.reason())?;
    assert_eq!(credential.to_bytes()[..], bytes);
    let issuer = PublicKey::from_bytes(&array(case, "issuer_key")).unwrap();
    credential.verify(&issuer).map_err(|error| error.reason())?;
    if case.get("issuer_secret").is_some() {
        let secret = SecretKey::from_bytes(&array(case, "issuer_secret"));
        assert_eq!(Credential::issue(credential.fields().clone(), &secret).unwrap(), credential);
    }
    Ok(fields_json(&credential))
}

fn present(case: &Value) -> Outcome {
    let credential = Credential::from_bytes(&bytes(case, "credential")).unwrap();
    let fields = credential.fields();
    let secret = HolderSecret::from_bytes(algorithm(text(case, "algorithm")), &array(case, "holder_secret")).unwrap();
    assert_eq!(Some(secret.public()), fields.holder);
    let step = TimeStep(number(case, "step"));
    let challenge = Challenge::new(number(case, "challenge")).unwrap();
    let presentation = Presentation::sign(fields.event, fields.ticket, fields.serial, step, challenge, &secret);
    let short = ShortCode { ticket: fields.ticket, serial: fields.serial, presentation };
    Ok(json!({
        "event": fields.event.0,
        "ticket": fields.ticket.to_string(),
        "serial": fields.serial.get(),
        "message": hex(&presentation_message(fields, step.0, challenge.get())),
        "signature": hex(&presentation.signature),
        "short_code": UntrustedCode::Short(short).to_text(),
        "full_code": UntrustedCode::Full { credential: Box::new(credential.clone()), presentation }.to_text(),
    }))
}

fn presentation(case: &Value) -> Outcome {
    let presentation = Presentation {
        step: TimeStep(number(case, "step")),
        challenge: Challenge::new(number(case, "challenge")).unwrap(),
        signature: array(case, "signature"),
    };
    let ticket = text(case, "ticket").parse().unwrap();
    let serial = Serial::new(number(case, "serial")).unwrap();
    presentation
        .verify(EventId(number(case, "event")), ticket, serial, &holder(case))
        .map_err(|error| error.reason())?;
    Ok(json!({}))
}

fn trust(case: &Value) -> TrustStore {
    let root = PublicKey::from_bytes(&array(case, "root")).unwrap();
    let mut trust = TrustStore::new(root, text(case, "organiser"));
    for certificate in case["certificates"].as_array().into_iter().flatten() {
        trust.add_certificate(&unhex(certificate.as_str().unwrap())).unwrap();
    }
    for revocation in case["revocations"].as_array().into_iter().flatten() {
        trust.add_revocation(&unhex(revocation.as_str().unwrap())).unwrap();
    }
    trust
}

fn entry(entry: &Value) -> Option<ListedTicket> {
    entry.as_object()?;
    let algorithm = algorithm(text(entry, "algorithm"));
    let holder = (algorithm != HolderAlgorithm::None)
        .then(|| HolderKey::from_public_bytes(algorithm, &bytes(entry, "holder_key")).unwrap());
    assert_eq!(entry["status"], "active", "the gate's rules judge the status, this crate does not");
    Some(ListedTicket {
        ticket: text(entry, "ticket").parse().unwrap(),
        serial: Serial::new(number(entry, "serial")).unwrap(),
        class: ClassId(number(entry, "class")),
        status: TicketStatus::Active,
        holder,
    })
}

fn code_at_gate(case: &Value) -> Outcome {
    let gate = &case["gate"];
    let trust = trust(&gate["trust"]);
    let entry = entry(&gate["entry"]);
    let parsed = code::parse(text(case, "code"));
    if let Ok(code) = &parsed {
        assert_eq!(code.to_text(), text(case, "code"));
    }
    let context = VerifyContext {
        event: EventId(number(gate, "event")),
        trust: &trust,
        entry: entry.as_ref(),
        now_s: gate["now_s"].as_i64().unwrap(),
        freshness_steps: number(gate, "freshness_steps"),
    };
    let verified = parsed.map_err(Rejection::from).and_then(|code| verify(&code, &context));
    let code = verified.map_err(|rejection| rejection.reason())?;
    let holder = code.holder();
    Ok(json!({
        "kind": code.kind().letter(),
        "event": code.event().0,
        "ticket": code.ticket().to_string(),
        "serial": code.serial().get(),
        "class": code.class().0,
        "algorithm": holder.map_or("none", |key| key.algorithm().name()),
        "holder_key": holder.map(|key| hex(&public_bytes(key))),
        "issuer": code.issuer().map(|issuer| issuer.to_string()),
        "flags": code.flags(),
        "valid_from_s": code.validity_s().map(|validity| validity.0),
        "valid_until_s": code.validity_s().map(|validity| validity.1),
        "step": code.step().map(|step| step.0),
        "challenge": code.step().map(|_| code.challenge().get()),
    }))
}

fn certificate(case: &Value) -> Outcome {
    let bytes = bytes(case, "certificate");
    let certificate = trust(case).add_certificate(&bytes).map_err(|error| error.reason())?;
    assert_eq!(certificate.to_bytes(), bytes);
    let CertificateFields { role, key, organiser, events, not_before_s, not_after_s } = certificate.fields();
    assert_eq!(Certificate::from_bytes(&bytes).as_ref(), Ok(&certificate));
    Ok(json!({
        "role": role.name(),
        "key": hex(&key.to_bytes()),
        "key_id": key.key_id().to_string(),
        "organiser": organiser,
        "events": events.iter().map(|range| [range.first.0, range.last.0]).collect::<Vec<_>>(),
        "not_before_s": not_before_s,
        "not_after_s": not_after_s,
    }))
}

fn device_certificate(case: &Value) -> Outcome {
    let bytes = bytes(case, "certificate");
    let certificate = DeviceCertificate::from_bytes(&bytes).map_err(|error| error.reason())?;
    assert_eq!(certificate.to_bytes()[..], bytes);
    trust(&case["trust"]).device(&certificate).map_err(|error| error.reason())?;
    let fields = certificate.fields();
    Ok(json!({
        "authority": certificate.authority().to_string(),
        "device": fields.device.to_string(),
        "key": hex(&fields.key.to_bytes()),
        "event": fields.event.0,
        "not_before_s": fields.not_before_s,
        "not_after_s": fields.not_after_s,
    }))
}

fn key_revocation(case: &Value) -> Outcome {
    let bytes = bytes(case, "revocation");
    let mut trust = trust(case);
    let revocation = trust.add_revocation(&bytes).map_err(|error| error.reason())?;
    assert_eq!(revocation.to_bytes()[..], bytes);
    assert!(trust.is_revoked(revocation.key()));
    Ok(json!({ "key": revocation.key().to_string(), "revoked_at_s": revocation.revoked_at_s() }))
}

fn authority(case: &Value) -> Outcome {
    let key: KeyId = text(case, "key").parse().unwrap();
    let role = Role::from_name(text(case, "role")).unwrap();
    let trust = trust(&case["trust"]);
    let authority = trust.authority(key, role, EventId(number(case, "event")), case["now_s"].as_i64().unwrap());
    Ok(json!({ "public_key": hex(&authority.map_err(|error| error.reason())?.to_bytes()) }))
}
