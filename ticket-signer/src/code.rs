//! A ticket's code as text: `T1`, a kind letter, and base45 (RFC 9285). What a QR reader in alphanumeric mode returns.
//!
//! Exact lengths and one accepted spelling: a text is accepted only if writing what was read gives the same text.

use crate::bytes::Reader;
use crate::credential::{Credential, FormatError};
use crate::ids::{Challenge, Serial, TicketId, TimeStep};
use crate::presentation::Presentation;

/// Every code begins with this; the kind letter follows.
pub const PREFIX: &str = "T1";
/// The longest text that can be a code (a full code); whatever is longer is refused before it is looked at.
pub const MAX_TEXT_LENGTH: usize = 305;
const SHORT_LENGTH: usize = 79;
const FULL_LENGTH: usize = Credential::LENGTH + 70;

/// Which of the three kinds a code is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CodeKind {
    /// `S`: ticket id and signed moment; the gate's list knows the rest.
    Short,
    /// `F`: credential and signed moment; for a ticket the gate may not have heard of.
    Full,
    /// `P`: the credential alone, on paper.
    Printed,
}

impl CodeKind {
    pub fn letter(self) -> char {
        match self {
            CodeKind::Short => 'S',
            CodeKind::Full => 'F',
            CodeKind::Printed => 'P',
        }
    }
}

/// Why a text is not a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    #[error("this is not a Turnstone ticket: it does not begin with T1S, T1F or T1P")]
    Foreign,
    #[error("the ticket code is too long, too short or cut off")]
    Length,
    #[error("the ticket code has characters that do not belong there")]
    Encoding,
    #[error("the ticket code is damaged: {0}")]
    Format(#[from] FormatError),
}

/// `S`: everything but the ticket's id comes from the gate's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShortCode {
    pub ticket: TicketId,
    pub serial: Serial,
    pub presentation: Presentation,
}

/// A code that parsed. Nothing in it is to be believed yet: only [`crate::verify::verify`] makes a `VerifiedCode` of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UntrustedCode {
    Short(ShortCode),
    Full { credential: Box<Credential>, presentation: Presentation },
    Printed { credential: Box<Credential> },
}

impl UntrustedCode {
    pub fn kind(&self) -> CodeKind {
        match self {
            UntrustedCode::Short(_) => CodeKind::Short,
            UntrustedCode::Full { .. } => CodeKind::Full,
            UntrustedCode::Printed { .. } => CodeKind::Printed,
        }
    }

    /// The ticket that the code claims to be: what the list is asked for.
    pub fn ticket(&self) -> TicketId {
        match self {
            UntrustedCode::Short(short) => short.ticket,
            UntrustedCode::Full { credential, .. } | UntrustedCode::Printed { credential } => {
                credential.fields().ticket
            }
        }
    }

    pub fn serial(&self) -> Serial {
        match self {
            UntrustedCode::Short(short) => short.serial,
            UntrustedCode::Full { credential, .. } | UntrustedCode::Printed { credential } => {
                credential.fields().serial
            }
        }
    }

    /// The code as text, ready for a QR symbol in alphanumeric mode.
    pub fn to_text(&self) -> String {
        let mut bytes = Vec::with_capacity(FULL_LENGTH);
        match self {
            UntrustedCode::Short(short) => {
                bytes.extend_from_slice(&short.ticket.0.to_be_bytes());
                bytes.push(short.serial.get());
                write_presentation(&mut bytes, &short.presentation);
            }
            UntrustedCode::Full { credential, presentation } => {
                bytes.extend_from_slice(&credential.to_bytes());
                write_presentation(&mut bytes, presentation);
            }
            UntrustedCode::Printed { credential } => bytes.extend_from_slice(&credential.to_bytes()),
        }
        format!("{PREFIX}{}{}", self.kind().letter(), encode_base45(&bytes))
    }
}

/// Reads a code's text. Never panics and does a bounded amount of work, whatever a camera hands over.
pub fn parse(text: &str) -> Result<UntrustedCode, ParseError> {
    let body = text.strip_prefix(PREFIX).ok_or(ParseError::Foreign)?;
    let (kind, length) = match body.as_bytes().first() {
        Some(b'S') => (CodeKind::Short, SHORT_LENGTH),
        Some(b'F') => (CodeKind::Full, FULL_LENGTH),
        Some(b'P') => (CodeKind::Printed, Credential::LENGTH),
        _ => return Err(ParseError::Foreign),
    };
    if text.len() > MAX_TEXT_LENGTH {
        return Err(ParseError::Length);
    }
    let bytes = decode_base45(&body[1..])?;
    if bytes.len() != length {
        return Err(ParseError::Length);
    }
    let code = match kind {
        CodeKind::Short => {
            let mut reader = Reader::new(&bytes);
            let ticket = TicketId(reader.u64().map_err(FormatError::from)?);
            let serial = reader.u8().map_err(FormatError::from)?;
            let serial = Serial::new(serial).ok_or(FormatError::Serial(serial))?;
            UntrustedCode::Short(ShortCode { ticket, serial, presentation: read_presentation(&mut reader)? })
        }
        CodeKind::Full => {
            let (credential, rest) = bytes.split_at(Credential::LENGTH);
            let credential = Box::new(Credential::from_bytes(credential)?);
            UntrustedCode::Full { credential, presentation: read_presentation(&mut Reader::new(rest))? }
        }
        CodeKind::Printed => UntrustedCode::Printed { credential: Box::new(Credential::from_bytes(&bytes)?) },
    };
    Ok(code)
}

/// Strict base45: upper case only, no value above 65535 (or 255 in the last pair), and the one spelling of each byte string.
pub fn decode_base45(text: &str) -> Result<Vec<u8>, ParseError> {
    let bytes = base45::decode(text).map_err(|_| ParseError::Encoding)?;
    if encode_base45(&bytes) != text {
        return Err(ParseError::Encoding);
    }
    Ok(bytes)
}

/// Base45 (RFC 9285), the one spelling.
pub fn encode_base45(bytes: &[u8]) -> String {
    base45::encode(bytes)
}

fn write_presentation(bytes: &mut Vec<u8>, presentation: &Presentation) {
    bytes.extend_from_slice(&presentation.step.0.to_be_bytes());
    bytes.extend_from_slice(&presentation.challenge.get().to_be_bytes());
    bytes.extend_from_slice(&presentation.signature);
}

fn read_presentation(reader: &mut Reader<'_>) -> Result<Presentation, FormatError> {
    let step = TimeStep(reader.u32()?);
    let challenge = reader.u16()?;
    let challenge = Challenge::new(challenge).ok_or(FormatError::Challenge(challenge))?;
    Ok(Presentation { step, challenge, signature: reader.array()? })
}
