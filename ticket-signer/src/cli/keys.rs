//! `keygen`, `certify`, `revoke-key`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::json;
use ticket_signer::certificate::CertificateFields;
use ticket_signer::{Certificate, HolderAlgorithm, HolderKey, HolderSecret, KeyId, KeyRevocation, Role};

use super::failure::{Failure, Result};
use super::files;
use super::output::{Output, table};
use super::parse::{self, Events, Moment};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Certifies all others; keep it off every server
    Root,
    /// Signs tickets, lists, policies, times, receipts or devices, once the root has certified it
    Authority,
    /// Stands in for a guest's phone, in tests and demos
    Holder,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Algorithm {
    Ed25519,
    P256,
}

#[derive(Debug, Args)]
pub struct Keygen {
    /// What the key is for
    kind: Kind,
    /// `p256` for holders alone
    #[arg(long, value_enum, default_value_t = Algorithm::Ed25519)]
    algorithm: Algorithm,
    /// File of the private key; the public one goes to FILE.pub
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl Keygen {
    pub fn run(self, output: &Output) -> Result<()> {
        if self.algorithm == Algorithm::P256 && self.kind != Kind::Holder {
            return Err(Failure::Usage(
                "roots and authorities have Ed25519 keys; leave out --algorithm, or make a `holder` key".to_owned(),
            ));
        }
        let algorithm = match self.algorithm {
            Algorithm::Ed25519 => HolderAlgorithm::Ed25519,
            Algorithm::P256 => HolderAlgorithm::P256,
        };
        let secret = fresh_secret(algorithm)?;
        files::write_pair(&self.out, &secret)?;
        let public_file = files::public_path(&self.out);
        let mut rows = vec![
            ("private key", format!("{} (mode 0600; keep it secret)", self.out.display())),
            ("public key", public_file.display().to_string()),
        ];
        let mut value = json!({
            "algorithm": algorithm.name(),
            "private_file": self.out,
            "public_file": public_file,
            "public_key": parse::show_holder_key(&secret.public()),
        });
        if let HolderKey::Ed25519(key) = secret.public() {
            value["key_id"] = key.key_id().to_string().into();
            value["fingerprint"] = key.spoken_fingerprint().into();
            rows.push(("key id", key.key_id().to_string()));
            rows.push(("fingerprint", key.spoken_fingerprint()));
        }
        output.say(&table(&rows), &value)
    }
}

fn fresh_secret(algorithm: HolderAlgorithm) -> Result<HolderSecret> {
    // Of 2^32 seeds about one is no key of P-256; four in a row are a broken random source.
    for _ in 0..4 {
        if let Ok(secret) = HolderSecret::from_bytes(algorithm, &*files::random::<32>()?) {
            return Ok(secret);
        }
    }
    Err(Failure::refused(
        "not_a_secret",
        "the random source keeps giving bytes that are no key; do not use this machine",
    ))
}

#[derive(Debug, Args)]
pub struct Certify {
    /// The root's private key
    #[arg(long, value_name = "FILE", env = "TURNSTONE_ROOT_KEY")]
    root: PathBuf,
    /// The authority's public key
    #[arg(long, value_name = "FILE.pub")]
    key: PathBuf,
    /// What the key may sign: issue, list, policy, time, receipt or device
    #[arg(long, value_parser = role)]
    role: Role,
    /// Whose events they are; the same in every certificate
    #[arg(long, value_name = "NAME", env = "TURNSTONE_ORGANISER")]
    organiser: String,
    /// Event ids, as in 1-10,15
    #[arg(long, value_parser = parse::event_ranges)]
    events: Events,
    /// First moment of validity [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse::moment)]
    not_before: Option<Moment>,
    /// First moment after its validity
    #[arg(long, value_name = "TIME", value_parser = parse::moment, required_unless_present = "days")]
    not_after: Option<Moment>,
    /// How many days it is valid, instead of --not-after
    #[arg(long, value_name = "N", conflicts_with = "not_after", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: Option<u32>,
    /// File for the certificate
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

fn role(name: &str) -> Result<Role, String> {
    Role::from_name(name).ok_or_else(|| {
        let names = Role::ALL.map(Role::name).join(", ");
        format!("there is no such role; the roles are {names}")
    })
}

impl Certify {
    pub fn run(self, output: &Output) -> Result<()> {
        let root = files::secret_key(&self.root, output)?;
        let key = files::public_key(&self.key)?;
        if key == root.public() {
            return Err(Failure::Usage(
                "this is the root's own key; certify an authority's (ticket-signer keygen authority)".to_owned(),
            ));
        }
        let not_before = match self.not_before {
            Some(moment) => moment.seconds(),
            None => files::now_s(),
        };
        let not_after = match (self.not_after, self.days) {
            (Some(moment), _) => moment.seconds(),
            (None, days) => not_before + i64::from(days.unwrap_or_default()) * 86_400,
        };
        let second = |seconds: i64| {
            u32::try_from(seconds).map_err(|_| Failure::Usage("a certificate's times lie before 2106".to_owned()))
        };
        let fields = CertificateFields {
            role: self.role,
            key,
            organiser: self.organiser,
            events: self.events.0,
            not_before_s: second(not_before)?,
            not_after_s: second(not_after)?,
        };
        let certificate =
            Certificate::issue(fields, &root).map_err(|error| Failure::refused(error.reason(), error.to_string()))?;
        files::write_new(&self.out, &certificate.to_bytes())?;
        let fields = certificate.fields();
        let rows = [
            ("certificate", self.out.display().to_string()),
            ("role", fields.role.name().to_owned()),
            ("key id", fields.key.key_id().to_string()),
            ("organiser", fields.organiser.clone()),
            ("events", parse::show_events(&fields.events)),
            ("valid from", parse::show_moment(not_before)),
            ("valid until", parse::show_moment(not_after)),
        ];
        let value = json!({
            "certificate_file": self.out,
            "role": fields.role.name(),
            "key_id": fields.key.key_id().to_string(),
            "organiser": fields.organiser,
            "events": parse::show_events(&fields.events),
            "not_before_s": fields.not_before_s,
            "not_after_s": fields.not_after_s,
        });
        output.say(&table(&rows), &value)
    }
}

#[derive(Debug, Args)]
pub struct RevokeKey {
    /// The root's private key
    #[arg(long, value_name = "FILE", env = "TURNSTONE_ROOT_KEY")]
    root: PathBuf,
    /// The public key that is taken back
    #[arg(long, value_name = "FILE.pub", required_unless_present = "key_id")]
    key: Option<PathBuf>,
    /// Its id, where the file is lost: 16 hex digits
    #[arg(long, value_name = "ID", conflicts_with = "key")]
    key_id: Option<KeyId>,
    /// The moment that the revocation names; it counts for all times all the same [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse::moment)]
    at: Option<Moment>,
    /// File for the revocation
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl RevokeKey {
    pub fn run(self, output: &Output) -> Result<()> {
        let root = files::secret_key(&self.root, output)?;
        let key = match (&self.key, self.key_id) {
            (Some(path), _) => files::public_key(path)?.key_id(),
            (None, Some(id)) => id,
            (None, None) => return Err(Failure::Usage("name the key with --key or --key-id".to_owned())),
        };
        let at_s = self.at.map_or_else(|| u32::try_from(files::now_s()).unwrap_or(u32::MAX), |moment| moment.0);
        let revocation = KeyRevocation::issue(key, at_s, &root);
        files::write_new(&self.out, &revocation.to_bytes())?;
        let text = format!(
            "The key {key} is taken back, for good. Now import {} into every server (sync-server key import), from where \
             gates fetch it.",
            self.out.display()
        );
        output.say(&text, &json!({ "revocation_file": self.out, "key_id": key.to_string(), "revoked_at_s": at_s }))
    }
}
