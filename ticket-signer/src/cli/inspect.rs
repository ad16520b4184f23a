//! `inspect`: says what a file or a text is. It checks nobody's signature, and says so.

use std::path::Path;

use clap::Args;
use serde_json::{Map, Value, json};
use ticket_signer::code::{self, decode_base45};
use ticket_signer::{
    Certificate, Credential, DeviceCertificate, HolderAlgorithm, HolderKey, KeyRevocation, ListManifest, Purpose,
    TimeStep, UntrustedCode, keyfile,
};

use super::failure::{Failure, Result};
use super::lists::{manifest_json, manifest_rows};
use super::output::{Output, table};
use super::policy::cbor_to_json;
use super::{files, parse};

#[derive(Debug, Args)]
pub struct Inspect {
    /// A file, or a text: a code, an enrolment code, anything of ours in base64url; `-` for standard input
    #[arg(allow_hyphen_values = true)]
    what: String,
}

/// What a thing is, for people and for programs.
struct Finding {
    what: &'static str,
    rows: Vec<(&'static str, String)>,
    fields: Value,
}

impl Inspect {
    pub fn run(self, output: &Output) -> Result<()> {
        let path = Path::new(&self.what);
        let bytes =
            if self.what == "-" || path.is_file() { files::read(path)? } else { self.what.clone().into_bytes() };
        let bytes = zeroize::Zeroizing::new(bytes);
        let finding = look(&bytes).ok_or_else(|| {
            Failure::refused(
                "unknown_artefact",
                "this is nothing of ours, or it is damaged; `verify` says why a code is refused",
            )
        })?;
        let mut rows = vec![
            ("what", finding.what.to_owned()),
            ("UNVERIFIED", "nobody's signature was checked; anybody could have written this".to_owned()),
        ];
        rows.extend(finding.rows);
        let mut value = Map::new();
        value.insert("what".into(), finding.what.into());
        value.insert("verified".into(), false.into());
        value.extend(finding.fields.as_object().cloned().unwrap_or_default());
        output.say(&table(&rows), &Value::Object(value))
    }
}

fn look(bytes: &[u8]) -> Option<Finding> {
    // Bytes first: a binary artefact may happen to be text.
    let text = || std::str::from_utf8(bytes).ok().map(|text| text.trim_end_matches(['\r', '\n']));
    binary(bytes)
        .or_else(|| text().and_then(key_file))
        .or_else(|| text().and_then(|text| code::parse(text).ok()).map(|parsed| code_finding(&parsed)))
        .or_else(|| text().and_then(enrolment))
        .or_else(|| text().and_then(parse::base64url).and_then(|bytes| binary(&bytes)))
}

fn binary(bytes: &[u8]) -> Option<Finding> {
    let certificate = || Certificate::from_bytes(bytes).ok().map(|found| certificate_finding(&found));
    let credential = || Credential::from_bytes(bytes).ok().map(|found| credential_finding("credential", &found));
    let device = || DeviceCertificate::from_bytes(bytes).ok().map(|found| device_finding(&found));
    let revocation = || KeyRevocation::from_bytes(bytes).ok().map(|found| revocation_finding(&found));
    certificate().or_else(credential).or_else(device).or_else(revocation).or_else(|| sealed(bytes))
}

fn key_file(text: &str) -> Option<Finding> {
    let public = |what, key: &HolderKey| {
        let name = key.algorithm().name();
        let mut rows = vec![("algorithm", name.to_owned()), ("public key", parse::show_holder_key(key))];
        let mut fields = json!({ "algorithm": name, "public_key": parse::show_holder_key(key) });
        if let HolderKey::Ed25519(key) = key {
            rows.push(("key id", key.key_id().to_string()));
            rows.push(("fingerprint", key.spoken_fingerprint()));
            fields["key_id"] = key.key_id().to_string().into();
            fields["fingerprint"] = key.spoken_fingerprint().into();
        }
        Finding { what, rows, fields }
    };
    let secret = || keyfile::read_holder_secret(text).ok().map(|key| public("private key (not shown)", &key.public()));
    secret().or_else(|| keyfile::read_holder_public(text).ok().map(|key| public("public key", &key)))
}

fn code_finding(parsed: &UntrustedCode) -> Finding {
    let presented = |finding: &mut Finding, step: TimeStep, challenge: u16| {
        finding.rows.push(("shown at", parse::show_moment(step.starts_at_s())));
        finding.rows.push(("challenge", challenge.to_string()));
        finding.fields["step"] = step.0.into();
        finding.fields["challenge"] = challenge.into();
    };
    match parsed {
        UntrustedCode::Short(short) => {
            let mut finding = Finding {
                what: "short code",
                rows: vec![("ticket", format!("{} serial {}", short.ticket, short.serial))],
                fields: json!({ "ticket": short.ticket.to_string(), "serial": short.serial.get() }),
            };
            presented(&mut finding, short.presentation.step, short.presentation.challenge.get());
            finding
        }
        UntrustedCode::Full { credential, presentation } => {
            let mut finding = credential_finding("full code", credential);
            presented(&mut finding, presentation.step, presentation.challenge.get());
            finding
        }
        UntrustedCode::Printed { credential } => credential_finding("printed code", credential),
    }
}

fn credential_finding(what: &'static str, credential: &Credential) -> Finding {
    let fields = credential.fields();
    let algorithm = fields.holder.as_ref().map_or(HolderAlgorithm::None, HolderKey::algorithm).name();
    let mut rows = vec![
        ("event", fields.event.to_string()),
        ("ticket", format!("{} serial {}", fields.ticket, fields.serial)),
        ("class", fields.class.to_string()),
        ("flags", format!("{:08b}", fields.flags)),
        ("valid from", parse::show_moment(fields.valid_from_s.into())),
        ("valid until", parse::show_moment(fields.valid_until_s.into())),
        ("issuer", credential.issuer().to_string()),
        ("holder", algorithm.to_owned()),
    ];
    rows.extend(fields.holder.as_ref().map(|key| ("holder key", parse::show_holder_key(key))));
    let fields = json!({
        "event": fields.event.0,
        "ticket": fields.ticket.to_string(),
        "serial": fields.serial.get(),
        "class": fields.class.0,
        "flags": fields.flags,
        "valid_from_s": fields.valid_from_s,
        "valid_until_s": fields.valid_until_s,
        "issuer": credential.issuer().to_string(),
        "algorithm": algorithm,
        "holder_key": fields.holder.as_ref().map(parse::show_holder_key),
    });
    Finding { what, rows, fields }
}

fn certificate_finding(certificate: &Certificate) -> Finding {
    let fields = certificate.fields();
    Finding {
        what: "certificate of an authority's key",
        rows: vec![
            ("role", fields.role.name().to_owned()),
            ("key id", fields.key.key_id().to_string()),
            ("fingerprint", fields.key.spoken_fingerprint()),
            ("organiser", fields.organiser.clone()),
            ("events", parse::show_events(&fields.events)),
            ("valid from", parse::show_moment(fields.not_before_s.into())),
            ("valid until", parse::show_moment(fields.not_after_s.into())),
        ],
        fields: json!({
            "role": fields.role.name(),
            "key_id": fields.key.key_id().to_string(),
            "organiser": fields.organiser,
            "events": parse::show_events(&fields.events),
            "not_before_s": fields.not_before_s,
            "not_after_s": fields.not_after_s,
        }),
    }
}

fn device_finding(certificate: &DeviceCertificate) -> Finding {
    let fields = certificate.fields();
    Finding {
        what: "certificate of a handheld",
        rows: vec![
            ("device", fields.device.to_string()),
            ("fingerprint", fields.key.spoken_fingerprint()),
            ("event", fields.event.to_string()),
            ("valid from", parse::show_moment(fields.not_before_s.into())),
            ("lease ends", parse::show_moment(fields.not_after_s.into())),
            ("signed by", certificate.authority().to_string()),
        ],
        fields: json!({
            "device": fields.device.to_string(),
            "fingerprint": fields.key.spoken_fingerprint(),
            "event": fields.event.0,
            "not_before_s": fields.not_before_s,
            "not_after_s": fields.not_after_s,
            "authority": certificate.authority().to_string(),
        }),
    }
}

fn revocation_finding(revocation: &KeyRevocation) -> Finding {
    Finding {
        what: "revocation of a key",
        rows: vec![
            ("key id", revocation.key().to_string()),
            ("revoked at", parse::show_moment(revocation.revoked_at_s().into())),
        ],
        fields: json!({ "key_id": revocation.key().to_string(), "revoked_at_s": revocation.revoked_at_s() }),
    }
}

/// An envelope's payload, without asking who sealed it.
pub fn unverified_payload(purpose: Purpose, bytes: &[u8]) -> Option<&[u8]> {
    let (header, payload) = bytes.split_at_checked(74)?;
    (header[0] == 1 && header[1] == purpose.role().to_byte()).then_some(payload)
}

fn sealed(bytes: &[u8]) -> Option<Finding> {
    let signer = parse::hex(bytes.get(2..10)?);
    let payload = |purpose| unverified_payload(purpose, bytes);
    if let Some(manifest) = payload(Purpose::List).and_then(|payload| ListManifest::from_bytes(payload).ok()) {
        let mut rows = vec![("signed by", signer.clone())];
        rows.extend(manifest_rows(&manifest));
        let mut fields = manifest_json(&manifest, None);
        fields["signer"] = signer.into();
        return Some(Finding { what: "signed list's manifest", rows, fields });
    }
    let others =
        [(Purpose::Policy, "signed policy"), (Purpose::Time, "signed time"), (Purpose::Receipt, "signed receipt")];
    let (what, payload) = others.into_iter().find_map(|(purpose, what)| Some((what, payload(purpose)?)))?;
    let content = cbor_to_json(payload)?;
    Some(Finding {
        what,
        rows: vec![("signed by", signer.clone()), ("content", content.to_string())],
        fields: json!({ "signer": signer, "content": content }),
    })
}

/// The text of an enrolment code: format 1, one-time code 16, TLS pin 32, root's fingerprint 32, address.
fn enrolment(text: &str) -> Option<Finding> {
    let bytes = decode_base45(text.strip_prefix("T1E")?).ok()?;
    let address = std::str::from_utf8(bytes.get(81..)?).ok()?;
    // Unverified, and on its way to a terminal: nothing but what an address is made of.
    let plain =
        address.starts_with("https://") && address.len() <= 200 && address.bytes().all(|b| b.is_ascii_graphic());
    if bytes[0] != 1 || !plain {
        return None;
    }
    let (pin, root) = (parse::hex(&bytes[17..49]), parse::hex(&bytes[49..81]));
    Some(Finding {
        what: "enrolment code of a handheld",
        rows: vec![
            ("server", address.to_owned()),
            ("TLS key pin", pin.clone()),
            ("root fingerprint", root.clone()),
            ("one-time code", "not shown".to_owned()),
        ],
        fields: json!({ "server": address, "tls_key_sha256": pin, "root_fingerprint": root }),
    })
}
