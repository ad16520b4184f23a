//! Every frozen case of `ticket-signer/vectors`: accepted where it must be, refused for its reason where not.

use std::path::Path;

use serde_json::{Value, json};
use turnstone_auditor::Fault;
use turnstone_auditor::certificate::{DeviceCertificate, Role};
use turnstone_auditor::code::{Code, Listed, Moment, base45, fresh, step_at};
use turnstone_auditor::credential::Credential;
use turnstone_auditor::ids::{KeyId, TicketId, id_from_text};
use turnstone_auditor::keys::{Algorithm, HolderKey, PublicKey};
use turnstone_auditor::trust::Trust;

type Answer = Result<Value, Fault>;

fn cases(group: &str) -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ticket-signer/vectors");
    let text =
        std::fs::read_to_string(folder.join(format!("{group}.json"))).expect("the vectors are beside the signer");
    let file: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(file["format"], "turnstone-vectors-v1");
    file["cases"].as_array().unwrap().clone()
}

/// Runs a group; `None` for what an auditor does not do.
fn run(group: &str, answer: impl Fn(&Value) -> Option<Answer>) -> usize {
    let (mut run, mut wrong) = (0, Vec::new());
    for case in cases(group) {
        let Some(answer) = answer(&case) else { continue };
        run += 1;
        let right = match (&answer, &case["expect"]) {
            (Ok(found), expect) => expect.get("accept").is_some_and(|accept| agrees(found, accept)),
            (Err(fault), expect) => expect.get("reject").is_some_and(|reason| reason == fault.name()),
        };
        if !right {
            wrong.push(format!("{}: {answer:?}, expected {}", case["name"], case["expect"]));
        }
    }
    assert!(wrong.is_empty(), "{group}:\n{}", wrong.join("\n"));
    run
}

/// What was found is all that is expected, but for what only a signer makes.
fn agrees(found: &Value, accept: &Value) -> bool {
    let mut accept = accept.as_object().unwrap().clone();
    accept.retain(|name, _| !["signature", "short_code", "full_code"].contains(&name.as_str()));
    found.as_object() == Some(&accept)
}

fn text<'a>(case: &'a Value, name: &str) -> &'a str {
    case[name].as_str().unwrap_or_else(|| panic!("{name} in {case}"))
}

fn number<T: TryFrom<i64>>(case: &Value, name: &str) -> T {
    T::try_from(case[name].as_i64().unwrap()).unwrap_or_else(|_| panic!("{name} in {case}"))
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(case: &Value, name: &str) -> Vec<u8> {
    unhex(text(case, name))
}

fn array<const N: usize>(case: &Value, name: &str) -> [u8; N] {
    bytes(case, name).try_into().unwrap()
}

fn ticket(case: &Value) -> TicketId {
    TicketId(id_from_text(text(case, "ticket")).unwrap())
}

fn algorithm(case: &Value) -> Algorithm {
    Algorithm::from_name(text(case, "algorithm")).unwrap()
}

fn holder_json(holder: Option<&HolderKey>) -> (Value, Value) {
    holder.map_or((json!("none"), Value::Null), |key| (json!(key.algorithm().name()), json!(hex(&key.to_public()))))
}

fn trust(of: &Value) -> Trust {
    let mut trust = Trust::new(PublicKey::from_bytes(&array(of, "root")).unwrap(), text(of, "organiser"));
    for certificate in of["certificates"].as_array().unwrap() {
        trust.add_certificate(&unhex(certificate.as_str().unwrap())).unwrap();
    }
    for revocation in of["revocations"].as_array().unwrap() {
        trust.add_revocation(&unhex(revocation.as_str().unwrap())).unwrap();
    }
    trust
}

#[test]
fn keys() {
    let run = run("keys", |case| {
        Some(match text(case, "op") {
            "authority_key" => {
                let secret = ed25519_dalek::SigningKey::from_bytes(&array(case, "secret"));
                PublicKey::from_bytes(secret.verifying_key().as_bytes()).map(|key| {
                    json!({
                        "public_key": hex(&key.to_bytes()),
                        "key_id": key.id().to_string(),
                        "fingerprint": hex(&key.fingerprint()),
                        "spoken_fingerprint": key.spoken_fingerprint(),
                    })
                })
            }
            "public_key" => HolderKey::from_public(algorithm(case), &bytes(case, "public_key")).map(|key| {
                let public = key.to_public();
                json!({ "slot": format!("{}{}", "00".repeat(33 - public.len()), hex(&public)) })
            }),
            "key_slot" => {
                let slot = array(case, "slot");
                let algorithm = Algorithm::from_byte(number(case, "algorithm_byte"));
                algorithm.and_then(|algorithm| HolderKey::from_slot(algorithm, &slot)).map(|key| {
                    let (algorithm, public_key) = holder_json(key.as_ref());
                    json!({ "algorithm": algorithm, "public_key": public_key })
                })
            }
            "ticket_id" => id_from_text(text(case, "text")).map(|id| json!({ "bytes": hex(&id.to_be_bytes()) })),
            "time_step" => Ok(json!({ "step": step_at(case["unix_s"].as_i64().unwrap()) })),
            "base45" => base45(text(case, "text")).map(|bytes| json!({ "bytes": hex(&bytes) })),
            // An auditor has no secrets.
            "holder_secret" => return None,
            other => panic!("an operation that this test does not know: {other}"),
        })
    });
    assert!(run >= 57, "{run}");
}

#[test]
fn binding_proofs() {
    let run = run("binding", |case| {
        assert_eq!(text(case, "op"), "binding");
        let algorithm = algorithm(case);
        let key = HolderKey::from_public(algorithm, &bytes(case, "public_key")).unwrap();
        let public = key.to_public();
        let secret = <sha2::Sha256 as sha2::Digest>::digest(bytes(case, "link_secret"));
        let message = [
            number::<u32>(case, "event").to_be_bytes().as_slice(),
            &ticket(case).0.to_be_bytes(),
            &[if algorithm == Algorithm::Ed25519 { 1 } else { 2 }],
            &vec![0; 33 - public.len()],
            &public,
            &secret,
        ]
        .concat();
        Some(key.verify(b"turnstone.binding.v1\0", &message, &array(case, "proof")).map(|()| json!({})))
    });
    assert!(run >= 16, "{run}");
}

#[test]
fn credentials() {
    let run = run("credentials", |case| {
        assert_eq!(text(case, "op"), "credential");
        let issuer = PublicKey::from_bytes(&array(case, "issuer_key")).unwrap();
        Some(Credential::read(&bytes(case, "credential")).and_then(|credential| {
            credential.verify(&issuer)?;
            let (algorithm, holder_key) = holder_json(credential.holder.as_ref());
            Ok(json!({
                "algorithm": algorithm,
                "class": credential.class,
                "event": credential.event,
                "flags": credential.flags,
                "holder_key": holder_key,
                "issuer": credential.issuer.to_string(),
                "serial": credential.serial,
                "ticket": credential.ticket.to_string(),
                "valid_from_s": credential.valid_from_s,
                "valid_until_s": credential.valid_until_s,
            }))
        }))
    });
    assert!(run >= 30, "{run}");
}

#[test]
fn presentations() {
    let run = run("presentations", |case| {
        Some(match text(case, "op") {
            "presentation" => {
                let key = HolderKey::from_public(algorithm(case), &bytes(case, "public_key")).unwrap();
                let moment = Moment::new(number(case, "step"), number(case, "challenge"), array(case, "signature"));
                moment.verify(number(case, "event"), ticket(case), number(case, "serial"), &key).map(|()| json!({}))
            }
            "present" => made(case),
            other => panic!("an operation that this test does not know: {other}"),
        })
    });
    assert!(run >= 39, "{run}");
}

/// What a phone made must read as what it was made of; the auditor itself makes nothing.
fn made(case: &Value) -> Answer {
    let accept = &case["expect"]["accept"];
    let credential = Credential::read(&bytes(case, "credential"))?;
    let (event, ticket, serial) = (credential.event, credential.ticket, credential.serial);
    let moment = Moment::new(number(case, "step"), number(case, "challenge"), array(accept, "signature"));
    moment.verify(event, ticket, serial, credential.holder.as_ref().unwrap())?;
    let short = Code::Short { ticket, serial, moment: moment.clone() };
    assert_eq!(Code::parse(text(accept, "short_code")), Ok(short), "{}", case["name"]);
    let full = Code::Full { credential: Box::new(credential), moment: moment.clone() };
    assert_eq!(Code::parse(text(accept, "full_code")), Ok(full), "{}", case["name"]);
    Ok(json!({
        "message": hex(&moment.message(event, ticket, serial)),
        "event": event,
        "ticket": ticket.to_string(),
        "serial": serial,
    }))
}

#[test]
fn codes() {
    let run = run("codes", |case| {
        assert_eq!(text(case, "op"), "code");
        let gate = &case["gate"];
        let (event, now_s) = (number(gate, "event"), number(gate, "now_s"));
        let entry = gate.get("entry").filter(|entry| !entry.is_null()).map(|entry| Listed {
            ticket: ticket(entry),
            serial: number(entry, "serial"),
            class: number(entry, "class"),
            holder: match algorithm(entry) {
                Algorithm::None => None,
                known => Some(HolderKey::from_public(known, &bytes(entry, "holder_key")).unwrap()),
            },
        });
        Some(Code::parse(text(case, "code")).and_then(|code| {
            let vouched = code.verify(event, &trust(&gate["trust"]), now_s, entry.as_ref())?;
            if let Some(moment) = code.moment() {
                fresh(moment.step, now_s, now_s, number(gate, "freshness_steps"))?;
            }
            let (algorithm, holder_key) = holder_json(vouched.holder.as_ref());
            let credential = code.credential();
            let kind = match code {
                Code::Short { .. } => "S",
                Code::Full { .. } => "F",
                Code::Printed { .. } => "P",
            };
            Ok(json!({
                "kind": kind,
                "algorithm": algorithm,
                "holder_key": holder_key,
                "event": event,
                "ticket": code.ticket().to_string(),
                "serial": code.serial(),
                "class": vouched.class,
                "step": code.moment().map(|moment| moment.step),
                "challenge": code.moment().map(|moment| moment.challenge),
                "issuer": credential.map(|credential| credential.issuer.to_string()),
                "flags": credential.map(|credential| credential.flags),
                "valid_from_s": credential.map(|credential| credential.valid_from_s),
                "valid_until_s": credential.map(|credential| credential.valid_until_s),
            }))
        }))
    });
    assert!(run >= 125, "{run}");
}

#[test]
fn certificates() {
    let pinned =
        |case: &Value| Trust::new(PublicKey::from_bytes(&array(case, "root")).unwrap(), text(case, "organiser"));
    let run = run("certificates", |case| {
        Some(match text(case, "op") {
            "certificate" => pinned(case).add_certificate(&bytes(case, "certificate")).map(|certificate| {
                json!({
                    "role": certificate.role.name(),
                    "key": hex(&certificate.key.to_bytes()),
                    "key_id": certificate.key.id().to_string(),
                    "organiser": certificate.organiser,
                    "events": certificate.events,
                    "not_before_s": certificate.not_before_s,
                    "not_after_s": certificate.not_after_s,
                })
            }),
            "key_revocation" => pinned(case).add_revocation(&bytes(case, "revocation")).map(
                |revocation| json!({ "key": revocation.key.to_string(), "revoked_at_s": revocation.revoked_at_s }),
            ),
            "device_certificate" => device(case),
            "authority" => {
                let id = KeyId(array(case, "key"));
                let role = Role::from_name(text(case, "role")).unwrap();
                let trust = trust(&case["trust"]);
                let found = trust.authority(id, role, number(case, "event"), Some(number(case, "now_s")));
                found.map(|key| json!({ "public_key": hex(&key.to_bytes()) }))
            }
            other => panic!("an operation that this test does not know: {other}"),
        })
    });
    assert!(run >= 70, "{run}");
}

fn device(case: &Value) -> Answer {
    let certificate = DeviceCertificate::read(&bytes(case, "certificate"))?;
    let believed = trust(&case["trust"]).device(&certificate);
    // The vectors' reason for a signature that does not fit is that of a key that nobody knows.
    believed.map_err(|fault| if fault == Fault::BadSignature { Fault::AuthorityUnknown } else { fault })?;
    Ok(json!({
        "authority": certificate.authority.to_string(),
        "device": certificate.device.to_string(),
        "key": hex(&certificate.key.to_bytes()),
        "event": certificate.event,
        "not_before_s": certificate.not_before_s,
        "not_after_s": certificate.not_after_s,
    }))
}
