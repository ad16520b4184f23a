//! `verify`: a code as a gate would check it, without the gate's memory of who has entered.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};
use ticket_signer::{
    Credential, EventId, HolderAlgorithm, HolderKey, ListManifest, ListedTicket, Purpose, Rejection, Role, TicketId,
    TicketStatus, TrustStore, UntrustedCode, VerifiedCode, VerifyContext, code, envelope, verify,
};

use super::failure::{Failure, Result};
use super::files;
use super::lists::{listed, read_chunk};
use super::output::{Output, table};
use super::parse::{self, Moment};

#[derive(Debug, Args)]
pub struct Verify {
    /// The code's text; `-` reads it from standard input
    #[arg(allow_hyphen_values = true)]
    code: String,
    #[command(flatten)]
    trust: Trust,
    /// The event that the gate admits to
    #[arg(long, value_name = "ID", env = "TURNSTONE_EVENT")]
    event: u32,
    /// The ticket's credential, which a short code needs in place of a list
    #[arg(long, value_name = "FILE", env = "TURNSTONE_CREDENTIAL")]
    credential: Option<PathBuf>,
    /// The signed list's manifest, which a short code needs in place of a credential
    #[arg(long, value_name = "MANIFEST", conflicts_with = "credential", requires = "chunks")]
    list: Option<PathBuf>,
    /// The folder with the list's chunks
    #[arg(long, value_name = "DIR", requires = "list")]
    chunks: Option<PathBuf>,
    /// The moment of the check [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse::moment)]
    at: Option<Moment>,
    /// How many steps of 15 seconds a code may be older or newer
    #[arg(long, value_name = "N", default_value_t = 2, env = "TURNSTONE_FRESHNESS")]
    freshness: u32,
}

/// Whom to believe.
#[derive(Debug, Args)]
struct Trust {
    /// The root's public key
    #[arg(long, value_name = "FILE.pub", env = "TURNSTONE_ROOT")]
    root: PathBuf,
    /// A certificate that the root signed; give the option once for each
    #[arg(long = "certificate", value_name = "FILE", required = true)]
    certificates: Vec<PathBuf>,
    /// A key revocation that the root signed; give the option once for each
    #[arg(long = "revocation", value_name = "FILE")]
    revocations: Vec<PathBuf>,
    /// Whose certificates to take [default: the first certificate's organiser]
    #[arg(long, value_name = "NAME", env = "TURNSTONE_ORGANISER")]
    organiser: Option<String>,
}

impl Trust {
    fn store(&self) -> Result<TrustStore> {
        let root = files::public_key(&self.root)?;
        let certificates = self
            .certificates
            .iter()
            .map(|path| Ok((path, files::read(path)?)))
            .collect::<Result<Vec<(&PathBuf, Vec<u8>)>>>()?;
        let organiser = match &self.organiser {
            Some(name) => name.clone(),
            None => certificates
                .iter()
                .find_map(|(_, bytes)| ticket_signer::Certificate::from_bytes(bytes).ok())
                .map(|certificate| certificate.fields().organiser.clone())
                .unwrap_or_default(),
        };
        let mut trust = TrustStore::new(root, organiser);
        let refused = |path: &Path, error: ticket_signer::trust::TrustError| {
            Failure::refused(error.reason(), format!("{}: {error}", path.display()))
        };
        for (path, bytes) in certificates {
            trust.add_certificate(&bytes).map_err(|error| refused(path, error))?;
        }
        for path in &self.revocations {
            trust.add_revocation(&files::read(path)?).map_err(|error| refused(path, error))?;
        }
        Ok(trust)
    }
}

impl Verify {
    pub fn run(self, output: &Output) -> Result<()> {
        let text = if self.code == "-" {
            files::read_text(Path::new("-"))?.trim_end_matches(['\r', '\n']).to_owned()
        } else {
            self.code.clone()
        };
        let trust = self.trust.store()?;
        let now_s = self.at.map_or_else(files::now_s, Moment::seconds);
        let code = code::parse(&text).map_err(|error| Failure::rejected(&error.into()))?;
        let entry = self.entry(&code, &trust, now_s)?;
        let context = VerifyContext {
            event: EventId(self.event),
            trust: &trust,
            entry: entry.as_ref(),
            now_s,
            freshness_steps: self.freshness,
        };
        let verified = verify(&code, &context).map_err(|rejection| Failure::rejected(&rejection))?;
        if let Some(entry) = &entry {
            check_status(entry, &verified)?;
        }
        output.say(&accepted_text(&verified), &accepted(&verified))
    }

    /// What the list says of the code's ticket; for a short code there must be something to ask.
    fn entry(&self, code: &UntrustedCode, trust: &TrustStore, now_s: i64) -> Result<Option<ListedTicket>> {
        if let Some(path) = &self.list {
            let folder = self.chunks.as_deref().unwrap_or(Path::new("."));
            return find_listed(path, folder, trust, EventId(self.event), now_s, code.ticket());
        }
        let UntrustedCode::Short(_) = code else { return Ok(None) };
        let Some(path) = &self.credential else {
            return Err(Failure::Usage(
                "a short code says only which ticket it is for; give the ticket's --credential, or a --list with its \
                 --chunks"
                    .to_owned(),
            ));
        };
        let credential = files::credential(path)?;
        believed(&credential, trust, EventId(self.event), now_s)
            .map_err(|rejection| Failure::refused(rejection.reason(), format!("{}: {rejection}", path.display())))?;
        Ok(Some(listed(&credential)))
    }
}

/// A credential stands in for a list only if its issuer may issue for this event, and did.
fn believed(credential: &Credential, trust: &TrustStore, event: EventId, now_s: i64) -> Result<(), Rejection> {
    let fields = credential.fields();
    let ticket = fields.ticket;
    let issuer = trust
        .authority(credential.issuer(), Role::Issue, fields.event, now_s)
        .map_err(|error| Rejection::Issuer { ticket, error })?;
    if fields.event != event {
        return Err(Rejection::WrongEvent { ticket, event: fields.event });
    }
    credential.verify(issuer).map_err(|_| Rejection::Signature { ticket })
}

fn find_listed(
    manifest: &Path,
    folder: &Path,
    trust: &TrustStore,
    event: EventId,
    now_s: i64,
    ticket: TicketId,
) -> Result<Option<ListedTicket>> {
    let refused =
        |reason: &'static str, what: String| Failure::refused(reason, format!("{}: {what}", manifest.display()));
    let bytes = files::read(manifest)?;
    let payload = envelope::open(Purpose::List, &bytes, trust, event, now_s)
        .map_err(|error| refused(error.reason(), error.to_string()))?;
    let list = ListManifest::from_bytes(payload).map_err(|error| refused(error.reason(), error.to_string()))?;
    if list.event != event {
        return Err(refused("wrong_event", format!("the list is for event {}", list.event)));
    }
    if now_s >= i64::from(list.expires_at_s) {
        let when = parse::show_moment(list.expires_at_s.into());
        return Err(refused("list_expired", format!("the list expired at {when}; fetch a newer one")));
    }
    for named in &list.chunks {
        // Ids ascend within a chunk.
        let chunk = read_chunk(folder, named)?;
        if let Ok(at) = chunk.tickets.binary_search_by_key(&ticket, |listed| listed.ticket) {
            return Ok(chunk.tickets.into_iter().nth(at));
        }
    }
    Ok(None)
}

fn check_status(entry: &ListedTicket, verified: &VerifiedCode) -> Result<()> {
    if entry.status == TicketStatus::Revoked && verified.serial() <= entry.serial {
        return Err(Failure::refused("revoked", "the ticket was revoked"));
    }
    if verified.serial() < entry.serial {
        let (ticket, listed, shown) = (entry.ticket, entry.serial, verified.serial());
        return Err(Failure::rejected(&Rejection::Retired { ticket, listed, shown }));
    }
    Ok(())
}

fn accepted(code: &VerifiedCode) -> Value {
    json!({
        "result": "accepted",
        "kind": code.kind().letter(),
        "event": code.event().0,
        "ticket": code.ticket().to_string(),
        "serial": code.serial().get(),
        "class": code.class().0,
        "algorithm": code.holder().map_or(HolderAlgorithm::None, HolderKey::algorithm).name(),
        "issuer": code.issuer().map(|issuer| issuer.to_string()),
        "flags": code.flags(),
        "valid_from_s": code.validity_s().map(|validity| validity.0),
        "valid_until_s": code.validity_s().map(|validity| validity.1),
        "step": code.step().map(|step| step.0),
        "challenge": code.step().map(|_| code.challenge().get()),
    })
}

fn accepted_text(code: &VerifiedCode) -> String {
    let mut rows = vec![
        ("good", format!("a {} code whose signatures fit", kind_name(code))),
        ("event", code.event().to_string()),
        ("ticket", format!("{} serial {}", code.ticket(), code.serial())),
        ("class", code.class().to_string()),
    ];
    if let Some((from, until)) = code.validity_s() {
        rows.push(("valid from", parse::show_moment(from.into())));
        rows.push(("valid until", parse::show_moment(until.into())));
    }
    if let Some(step) = code.step() {
        rows.push(("shown at", parse::show_moment(step.starts_at_s())));
        rows.push(("challenge", code.challenge().get().to_string()));
    }
    rows.push(("note", "class times, policy and earlier admissions are the gate's to judge".to_owned()));
    table(&rows)
}

fn kind_name(code: &VerifiedCode) -> &'static str {
    match code.kind() {
        ticket_signer::CodeKind::Short => "short",
        ticket_signer::CodeKind::Full => "full",
        ticket_signer::CodeKind::Printed => "printed",
    }
}
