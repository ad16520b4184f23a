//! `issue` and `present`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};
use ticket_signer::code::ShortCode;
use ticket_signer::credential::FLAG_CHECK_ENTITLEMENT;
use ticket_signer::presentation::Presentation;
use ticket_signer::{
    Challenge, ClassId, Credential, CredentialFields, EventId, HolderAlgorithm, HolderKey, Serial, TicketId, TimeStep,
    UntrustedCode,
};

use super::failure::{Failure, Result};
use super::files;
use super::output::{Output, table};
use super::parse::{self, Moment};

#[derive(Debug, Args)]
pub struct Issue {
    /// The private key of an authority that is certified to issue
    #[arg(long, value_name = "FILE", env = "TURNSTONE_ISSUE_KEY")]
    key: PathBuf,
    #[command(flatten)]
    fields: Fields,
    /// The public key of the phone that the ticket is bound to; without it the ticket is a printed one
    #[arg(long, value_name = "FILE.pub", conflicts_with = "input")]
    holder: Option<PathBuf>,
    /// JSON lines, one ticket each, `-` for standard input. Names: event, ticket, serial, class, valid_from, valid_until,
    /// check_entitlement, algorithm (ed25519 or p256), holder_key (base64url). What a line leaves out, the options say
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// File for the credential (131 bytes), or for the JSON lines that --input leads to
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Fields {
    /// Event id
    #[arg(long, value_name = "ID", env = "TURNSTONE_EVENT")]
    event: Option<u32>,
    /// Ticket id, 16 hex digits [default: random]
    #[arg(long, value_name = "ID", value_parser = parse::ticket_id)]
    ticket: Option<TicketId>,
    /// 1 for a new ticket; re-issue and binding raise it, up to 254
    #[arg(long, default_value_t = 1)]
    serial: u8,
    /// Class id
    #[arg(long, value_name = "ID")]
    class: Option<u16>,
    /// First moment of validity
    #[arg(long, value_name = "TIME", value_parser = parse::moment)]
    valid_from: Option<Moment>,
    /// First moment after its validity
    #[arg(long, value_name = "TIME", value_parser = parse::moment)]
    valid_until: Option<Moment>,
    /// Ask staff to check an entitlement (a child's, a concession's) by eye
    #[arg(long)]
    check_entitlement: bool,
}

/// A ticket as a JSON line names it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    event: Option<u32>,
    ticket: Option<String>,
    serial: Option<u8>,
    class: Option<u16>,
    valid_from: Option<Moment>,
    valid_until: Option<Moment>,
    check_entitlement: Option<bool>,
    algorithm: Option<String>,
    holder_key: Option<String>,
}

impl Issue {
    pub fn run(self, output: &Output) -> Result<()> {
        let key = files::secret_key(&self.key, output)?;
        let sign = |fields: CredentialFields| {
            Credential::issue(fields, &key).map_err(|error| Failure::refused(error.reason(), error.to_string()))
        };
        let Some(input) = &self.input else {
            let holder = self.holder.as_deref().map(files::holder_key).transpose()?;
            let credential = sign(self.fields.with(&Line::default(), holder)?)?;
            if let Some(out) = &self.out {
                files::write_new(out, &credential.to_bytes())?;
            }
            return output.say(&issued_text(&credential), &issued(&credential));
        };
        let mut seen = BTreeSet::new();
        let mut lines = String::new();
        for (at, line) in files::read_text(input)?.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let at = at + 1;
            let told = |error: &dyn std::fmt::Display| Failure::content(input, format!("line {at}: {error}"));
            let line: Line = serde_json::from_str(line).map_err(|error| told(&error))?;
            let holder = line.holder().map_err(|error| told(&error))?;
            let credential =
                self.fields.with(&line, holder).and_then(sign).map_err(|failure| failure.at_line(input, at))?;
            let fields = credential.fields();
            if !seen.insert((fields.ticket, fields.serial)) {
                let what = format!(
                    "ticket {} serial {} was named before; it has one credential",
                    fields.ticket, fields.serial
                );
                return Err(told(&what));
            }
            lines.push_str(&issued(&credential).to_string());
            lines.push('\n');
        }
        match &self.out {
            Some(out) => {
                files::write_new(out, lines.as_bytes())?;
                let text = format!("{} credentials signed: {}", seen.len(), out.display());
                output.say(&text, &json!({ "credentials": seen.len(), "file": out }))
            }
            None if lines.is_empty() => Ok(()),
            None => output.line(lines.trim_end()),
        }
    }
}

impl Fields {
    /// The options' fields, with a line's in their place where it has some.
    fn with(&self, line: &Line, holder: Option<HolderKey>) -> Result<CredentialFields> {
        let missing = |what: &str| {
            Failure::Usage(format!("say {what} (--{}, or `{what}` in the JSON line)", what.replace('_', "-")))
        };
        let ticket = match (&line.ticket, self.ticket) {
            (Some(text), _) => parse::ticket_id(text).map_err(Failure::Usage)?,
            (None, Some(ticket)) => ticket,
            (None, None) => TicketId(u64::from_be_bytes(*files::random::<8>()?)),
        };
        let serial = line.serial.unwrap_or(self.serial);
        Ok(CredentialFields {
            event: EventId(line.event.or(self.event).ok_or_else(|| missing("event"))?),
            ticket,
            serial: Serial::new(serial).ok_or_else(|| {
                Failure::refused("serial_out_of_range", format!("serial {serial} is outside 1 to 254"))
            })?,
            flags: if line.check_entitlement.unwrap_or(self.check_entitlement) { FLAG_CHECK_ENTITLEMENT } else { 0 },
            class: ClassId(line.class.or(self.class).ok_or_else(|| missing("class"))?),
            valid_from_s: line.valid_from.or(self.valid_from).ok_or_else(|| missing("valid_from"))?.0,
            valid_until_s: line.valid_until.or(self.valid_until).ok_or_else(|| missing("valid_until"))?.0,
            holder,
        })
    }
}

impl Line {
    fn holder(&self) -> Result<Option<HolderKey>, String> {
        parse::holder(self.algorithm.as_deref(), self.holder_key.as_deref())
    }
}

fn printed_code(credential: &Credential) -> Option<String> {
    let printed = credential.fields().holder.is_none();
    printed.then(|| UntrustedCode::Printed { credential: Box::new(credential.clone()) }.to_text())
}

fn issued(credential: &Credential) -> Value {
    let fields = credential.fields();
    json!({
        "ticket": fields.ticket.to_string(),
        "serial": fields.serial.get(),
        "event": fields.event.0,
        "class": fields.class.0,
        "algorithm": fields.holder.as_ref().map_or(HolderAlgorithm::None, HolderKey::algorithm).name(),
        "credential": parse::to_base64url(&credential.to_bytes()),
        "printed_code": printed_code(credential),
    })
}

fn issued_text(credential: &Credential) -> String {
    let fields = credential.fields();
    let mut rows = vec![
        ("ticket", format!("{} serial {}", fields.ticket, fields.serial)),
        ("credential", parse::to_base64url(&credential.to_bytes())),
    ];
    rows.extend(printed_code(credential).map(|code| ("printed code", code)));
    table(&rows)
}

#[derive(Debug, Args)]
pub struct Present {
    /// The phone's private key; a printed ticket needs none
    #[arg(long, value_name = "FILE", env = "TURNSTONE_HOLDER_KEY")]
    key: Option<PathBuf>,
    /// The ticket's credential: 131 bytes, or their base64url
    #[arg(long, value_name = "FILE", env = "TURNSTONE_CREDENTIAL")]
    credential: PathBuf,
    /// The full code (F), for a gate whose list may not have the ticket
    #[arg(long)]
    full: bool,
    /// The moment of the code [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse::moment)]
    at: Option<Moment>,
    /// The digits that the lane asks for, 1 to 9999
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=i64::from(Challenge::MAX)))]
    challenge: u16,
}

impl Present {
    pub fn run(self, output: &Output) -> Result<()> {
        let credential = files::credential(&self.credential)?;
        let fields = credential.fields().clone();
        let (code, step) = match (&fields.holder, &self.key) {
            (None, _) if self.full || self.challenge != 0 => {
                return Err(Failure::Usage(
                    "this ticket is a printed one: it has no full code and answers no challenge".to_owned(),
                ));
            }
            (None, _) => (UntrustedCode::Printed { credential: Box::new(credential) }, None),
            (Some(_), None) => {
                return Err(Failure::Usage(
                    "this ticket is bound to a phone; give its private key with --key".to_owned(),
                ));
            }
            (Some(holder), Some(path)) => {
                let secret = files::holder_secret(path, output)?;
                if secret.public() != *holder {
                    let message = format!("the ticket is bound to another key than {}", path.display());
                    return Err(Failure::refused("other_key", message));
                }
                let challenge = Challenge::new(self.challenge).unwrap_or(Challenge::NONE);
                let step = TimeStep::at(self.at.map_or_else(files::now_s, Moment::seconds));
                let presentation =
                    Presentation::sign(fields.event, fields.ticket, fields.serial, step, challenge, &secret);
                let code = if self.full {
                    UntrustedCode::Full { credential: Box::new(credential), presentation }
                } else {
                    UntrustedCode::Short(ShortCode { ticket: fields.ticket, serial: fields.serial, presentation })
                };
                (code, Some(step))
            }
        };
        let text = code.to_text();
        let value = json!({
            "code": text,
            "kind": code.kind().letter(),
            "event": fields.event.0,
            "ticket": fields.ticket.to_string(),
            "serial": fields.serial.get(),
            "step": step.map(|step| step.0),
            "step_begins_s": step.map(TimeStep::starts_at_s),
            "challenge": step.map(|_| self.challenge),
        });
        output.say(&text, &value)
    }
}
