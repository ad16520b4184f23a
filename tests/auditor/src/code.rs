//! A ticket's code as text, in its three kinds, and what stands behind each: `S`, `F` and `P`.

use crate::bytes::Cursor;
use crate::certificate::Role;
use crate::credential::{Credential, serial};
use crate::fault::Fault;
use crate::ids::{ClassId, EventId, Serial, TicketId};
use crate::keys::{HolderKey, SIGNATURE};
use crate::trust::Trust;

/// Characters of the longest code, an `F`.
const LONGEST: usize = 305;
const SHORT: usize = 79;
const FULL: usize = Credential::LENGTH + 70;
const PRESENTATION: &[u8] = b"turnstone.presentation.v1\0";
const ALPHABET: &[u8; 45] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";
/// Seconds of a time step.
pub const STEP_S: i64 = 15;

/// The moment that a phone signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    pub step: u32,
    pub challenge: u16,
    signature: [u8; SIGNATURE],
}

/// A code that was read; nothing in it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    Short { ticket: TicketId, serial: Serial, moment: Moment },
    Full { credential: Box<Credential>, moment: Moment },
    Printed { credential: Box<Credential> },
}

/// What a list says of a ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub ticket: TicketId,
    pub serial: Serial,
    pub class: ClassId,
    pub holder: Option<HolderKey>,
}

/// What the signatures of a code vouch for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vouched {
    pub class: ClassId,
    pub holder: Option<HolderKey>,
}

impl Moment {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, Fault> {
        let (step, challenge) = (cursor.u32()?, cursor.u16()?);
        if challenge > 9999 {
            return Err(Fault::ChallengeOutOfRange);
        }
        Ok(Moment { step, challenge, signature: cursor.array()? })
    }

    /// The moment as it is sent, for those who check one that came without a code.
    pub fn new(step: u32, challenge: u16, signature: [u8; SIGNATURE]) -> Self {
        Moment { step, challenge, signature }
    }

    /// What a phone signs, domain string first.
    pub fn message(&self, event: EventId, ticket: TicketId, serial: Serial) -> Vec<u8> {
        [
            PRESENTATION,
            &event.to_be_bytes(),
            &ticket.0.to_be_bytes(),
            &[serial],
            &self.step.to_be_bytes(),
            &self.challenge.to_be_bytes(),
        ]
        .concat()
    }

    pub fn verify(&self, event: EventId, ticket: TicketId, serial: Serial, key: &HolderKey) -> Result<(), Fault> {
        key.verify(&[], &self.message(event, ticket, serial), &self.signature)
    }
}

impl Code {
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let body = text.strip_prefix("T1").ok_or(Fault::NotATicket)?;
        let (length, body) = if let Some(body) = body.strip_prefix('S') {
            (SHORT, body)
        } else if let Some(body) = body.strip_prefix('F') {
            (FULL, body)
        } else if let Some(body) = body.strip_prefix('P') {
            (Credential::LENGTH, body)
        } else {
            return Err(Fault::NotATicket);
        };
        if text.len() > LONGEST {
            return Err(Fault::WrongLength);
        }
        let bytes = base45(body)?;
        if bytes.len() != length {
            return Err(Fault::WrongLength);
        }
        let mut cursor = Cursor::new(&bytes);
        let code = match length {
            SHORT => {
                let ticket = TicketId(cursor.u64()?);
                let serial = serial(cursor.u8()?)?;
                Code::Short { ticket, serial, moment: Moment::read(&mut cursor)? }
            }
            FULL => {
                let credential = Box::new(Credential::read(cursor.slice(Credential::LENGTH)?)?);
                Code::Full { credential, moment: Moment::read(&mut cursor)? }
            }
            _ => Code::Printed { credential: Box::new(Credential::read(cursor.slice(Credential::LENGTH)?)?) },
        };
        cursor.end()?;
        Ok(code)
    }

    pub fn ticket(&self) -> TicketId {
        match self {
            Code::Short { ticket, .. } => *ticket,
            Code::Full { credential, .. } | Code::Printed { credential } => credential.ticket,
        }
    }

    pub fn serial(&self) -> Serial {
        match self {
            Code::Short { serial, .. } => *serial,
            Code::Full { credential, .. } | Code::Printed { credential } => credential.serial,
        }
    }

    pub fn credential(&self) -> Option<&Credential> {
        match self {
            Code::Short { .. } => None,
            Code::Full { credential, .. } | Code::Printed { credential } => Some(credential),
        }
    }

    pub fn moment(&self) -> Option<&Moment> {
        match self {
            Code::Short { moment, .. } | Code::Full { moment, .. } => Some(moment),
            Code::Printed { .. } => None,
        }
    }

    /// Checks every signature for a gate of `event` at `at_s`; whether the moment was fresh is [`fresh`]'s to say.
    pub fn verify(&self, event: EventId, trust: &Trust, at_s: i64, listed: Option<&Listed>) -> Result<Vouched, Fault> {
        match self {
            Code::Short { ticket, serial, moment } => {
                let listed = listed.filter(|listed| listed.ticket == *ticket).ok_or(Fault::Unknown)?;
                if *serial < listed.serial {
                    return Err(Fault::Retired);
                }
                if *serial > listed.serial {
                    return Err(Fault::NewerThanList);
                }
                let holder = listed.holder.as_ref().ok_or(Fault::NotBound)?;
                moment.verify(event, *ticket, *serial, holder)?;
                Ok(Vouched { class: listed.class, holder: Some(holder.clone()) })
            }
            Code::Full { credential, moment } => {
                issued(credential, event, trust, at_s)?;
                let holder = credential.holder.as_ref().ok_or(Fault::NotBound)?;
                moment.verify(event, credential.ticket, credential.serial, holder)?;
                Ok(Vouched { class: credential.class, holder: Some(holder.clone()) })
            }
            Code::Printed { credential } => {
                issued(credential, event, trust, at_s)?;
                if credential.holder.is_some() {
                    return Err(Fault::PresentationMissing);
                }
                Ok(Vouched { class: credential.class, holder: None })
            }
        }
    }
}

/// Whether an issuer that might do so issued this credential for `event`.
pub fn issued(credential: &Credential, event: EventId, trust: &Trust, at_s: i64) -> Result<(), Fault> {
    let issuer = trust.authority(credential.issuer, Role::Issue, credential.event, Some(at_s))?;
    if credential.event != event {
        return Err(Fault::WrongEvent);
    }
    credential.verify(issuer)
}

/// Whether a signed step is at most `steps` away from a step of the time between `earliest_s` and `latest_s`.
pub fn fresh(step: u32, earliest_s: i64, latest_s: i64, steps: u32) -> Result<(), Fault> {
    let (signed, steps) = (i64::from(step), i64::from(steps));
    if signed.saturating_add(steps) < step_at(earliest_s) {
        Err(Fault::Stale)
    } else if signed.saturating_sub(steps) > step_at(latest_s) {
        Err(Fault::Early)
    } else {
        Ok(())
    }
}

/// The step that a unix second lies in, within what a code can say.
pub fn step_at(at_s: i64) -> i64 {
    at_s.div_euclid(STEP_S).clamp(0, i64::from(u32::MAX))
}

/// Strict base45: each group is looked at before it is decoded, so that a second spelling of some bytes does not pass.
pub fn base45(text: &str) -> Result<Vec<u8>, Fault> {
    let mut digits = Vec::with_capacity(text.len().min(LONGEST));
    for byte in text.bytes() {
        let digit = ALPHABET.iter().position(|known| *known == byte).ok_or(Fault::NotBase45)?;
        digits.push(digit);
    }
    let sound = digits.chunks(3).all(|group| match group {
        [c, d, e] => c + 45 * d + 2025 * e <= 0xffff,
        [c, d] => c + 45 * d <= 0xff,
        _ => false,
    });
    if !sound {
        return Err(Fault::NotBase45);
    }
    base45::decode(text).map_err(|_| Fault::NotBase45)
}
