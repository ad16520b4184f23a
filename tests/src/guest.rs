//! A guest without a browser: the signer's holder binds a ticket from its link and draws codes.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use ticket_signer::code::ShortCode;
use ticket_signer::presentation::{Presentation, prove_binding};
use ticket_signer::{
    Challenge, Credential, EventId, HolderAlgorithm, HolderKey, HolderSecret, TicketId, TimeStep, UntrustedCode,
};

use crate::api::{Answer, Client};

/// A ticket as the back end got it from the server.
#[derive(Debug, Clone, PartialEq)]
pub struct Issued {
    pub ticket: TicketId,
    pub link: String,
    pub printed: String,
}

impl Issued {
    /// Reads one element of a `tickets:batch` answer, or the answer of a re-issue.
    pub fn read(value: &Value) -> Result<Self> {
        let text =
            |name: &str| value[name].as_str().map(str::to_owned).with_context(|| format!("no {name} in {value}"));
        Ok(Issued { ticket: text("ticket_id")?.parse()?, link: text("link")?, printed: text("printed_code")? })
    }

    /// The secret in the link's fragment.
    pub fn secret(&self) -> Result<&str> {
        let fragment = self.link.split_once('#').context("the link has no fragment")?.1;
        Ok(fragment.split_once('.').context("the link's fragment has no secret")?.1)
    }
}

/// A phone: a private key, and the credential that binding gave it.
pub struct Guest {
    key: HolderSecret,
    credential: Credential,
}

/// Now, in unix seconds.
#[expect(clippy::disallowed_methods, reason = "a guest's phone has a clock")]
pub fn now_s() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}

/// Random bytes for keys.
pub fn random() -> Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

impl Guest {
    /// Opens the link and binds its ticket to a fresh key.
    pub fn bind(client: &Client, event: EventId, issued: &Issued, algorithm: HolderAlgorithm) -> Result<Self> {
        let key = HolderSecret::from_bytes(algorithm, &random()?)?;
        let answer = Self::ask(client, event, issued, &key)?.ok()?;
        let bytes = URL_SAFE_NO_PAD.decode(answer["credential"].as_str().context("no credential in the answer")?)?;
        Ok(Guest { key, credential: Credential::from_bytes(&bytes)? })
    }

    /// Sends the binding, and returns the answer as it is.
    pub fn ask(client: &Client, event: EventId, issued: &Issued, key: &HolderSecret) -> Result<Answer> {
        let secret = URL_SAFE_NO_PAD.decode(issued.secret()?)?;
        let public = key.public();
        let slot = public.to_slot();
        let raw = if matches!(public, HolderKey::Ed25519(_)) { &slot[1..] } else { &slot[..] };
        let proof = prove_binding(event, issued.ticket, &secret, key);
        let body = json!({
            "ticket_id": issued.ticket.to_string(),
            "secret": issued.secret()?,
            "algorithm": public.algorithm().name(),
            "public_key": URL_SAFE_NO_PAD.encode(raw),
            "proof": URL_SAFE_NO_PAD.encode(proof),
        });
        client.post("/api/v1/holder/binding", "bind", &body)
    }

    pub fn ticket(&self) -> TicketId {
        self.credential.fields().ticket
    }

    /// The short code of the moment `at_s`, in unix seconds.
    pub fn short_at(&self, at_s: i64) -> UntrustedCode {
        let fields = self.credential.fields();
        let presentation = self.present(at_s);
        UntrustedCode::Short(ShortCode { ticket: fields.ticket, serial: fields.serial, presentation })
    }

    pub fn full_at(&self, at_s: i64) -> UntrustedCode {
        UntrustedCode::Full { credential: Box::new(self.credential.clone()), presentation: self.present(at_s) }
    }

    /// A full code without its presentation: what a photograph could be cut down to.
    pub fn stripped(&self) -> UntrustedCode {
        UntrustedCode::Printed { credential: Box::new(self.credential.clone()) }
    }

    pub fn short(&self) -> String {
        self.short_at(now_s()).to_text()
    }

    pub fn full(&self) -> String {
        self.full_at(now_s()).to_text()
    }

    fn present(&self, at_s: i64) -> Presentation {
        let fields = self.credential.fields();
        let step = TimeStep::at(at_s);
        Presentation::sign(fields.event, fields.ticket, fields.serial, step, Challenge::NONE, &self.key)
    }
}
