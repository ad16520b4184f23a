//! The one way from an [`UntrustedCode`] to a [`VerifiedCode`]: a change of type, so that unverified data cannot be admitted.
//!
//! The order of checks is the order of what staff are told: an unknown ticket before a bad signature, another event before
//! a stale code. What depends on a gate's state (retired serials seen by scans, admissions, lanes) is `gate-core`'s.

use crate::certificate::Role;
use crate::code::{CodeKind, ParseError, UntrustedCode};
use crate::credential::Credential;
use crate::ids::{Challenge, ClassId, EventId, KeyId, Serial, TicketId, TimeStep};
use crate::keys::HolderKey;
use crate::list::ListedTicket;
use crate::presentation::Presentation;
use crate::trust::{AuthorityError, TrustStore};

/// What a code is checked against.
#[derive(Debug, Clone, Copy)]
pub struct VerifyContext<'a> {
    /// The event that this gate admits to.
    pub event: EventId,
    pub trust: &'a TrustStore,
    /// The gate's list entry for the code's ticket id; a short code cannot be checked without it.
    pub entry: Option<&'a ListedTicket>,
    /// Unix seconds.
    pub now_s: i64,
    /// How many steps a code may be older or newer than now.
    pub freshness_steps: u32,
}

/// Why a code was not verified. Each has one stable reason code at the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("{0}")]
    Unreadable(#[from] ParseError),
    #[error("the ticket is not on this list")]
    Unknown { ticket: TicketId },
    #[error("the list has an older issue of this ticket (serial {listed}) than the code (serial {shown})")]
    NewerThanList { ticket: TicketId, listed: Serial, shown: Serial },
    #[error("the list has a newer issue of this ticket (serial {listed}) than the code (serial {shown})")]
    Retired { ticket: TicketId, listed: Serial, shown: Serial },
    #[error("the ticket's issuer is not trusted: {error}")]
    Issuer { ticket: TicketId, error: AuthorityError },
    #[error("the ticket is for event {event}")]
    WrongEvent { ticket: TicketId, event: EventId },
    #[error("the signature does not fit")]
    Signature { ticket: TicketId },
    #[error("the ticket is bound to a phone, and this code lacks the phone's signature")]
    PresentationMissing { ticket: TicketId },
    #[error("the ticket is not bound to a phone, so no phone can sign for it")]
    NotBound { ticket: TicketId },
    #[error("the code is for step {shown:?}, now is step {now:?}")]
    Stale { ticket: TicketId, shown: TimeStep, now: TimeStep },
}

impl Rejection {
    /// The ticket that the code claimed to be, where it said one. Not verified.
    pub fn claimed_ticket(&self) -> Option<TicketId> {
        match self {
            Rejection::Unreadable(_) => None,
            Rejection::Unknown { ticket }
            | Rejection::NewerThanList { ticket, .. }
            | Rejection::Retired { ticket, .. }
            | Rejection::Issuer { ticket, .. }
            | Rejection::WrongEvent { ticket, .. }
            | Rejection::Signature { ticket }
            | Rejection::PresentationMissing { ticket }
            | Rejection::NotBound { ticket }
            | Rejection::Stale { ticket, .. } => Some(*ticket),
        }
    }
}

/// A code whose signatures were checked and whose moment is fresh. Made by [`verify`] alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedCode {
    kind: CodeKind,
    event: EventId,
    ticket: TicketId,
    serial: Serial,
    class: ClassId,
    holder: Option<HolderKey>,
    issuer: Option<KeyId>,
    validity_s: Option<(u32, u32)>,
    flags: Option<u8>,
    moment: Option<(TimeStep, Challenge)>,
}

impl VerifiedCode {
    pub fn kind(&self) -> CodeKind {
        self.kind
    }
    pub fn event(&self) -> EventId {
        self.event
    }
    pub fn ticket(&self) -> TicketId {
        self.ticket
    }
    /// The serial that the signatures were checked for.
    pub fn serial(&self) -> Serial {
        self.serial
    }
    pub fn class(&self) -> ClassId {
        self.class
    }
    /// The key that the moment's signature was checked with; `None` for a printed ticket.
    pub fn holder(&self) -> Option<&HolderKey> {
        self.holder.as_ref()
    }
    /// The issuer that vouched in the code itself; `None` for a short code, which the signed list vouches for.
    pub fn issuer(&self) -> Option<KeyId> {
        self.issuer
    }
    /// Unix seconds from and until, as the credential says; `None` for a short code. A gate's class table wins over it.
    pub fn validity_s(&self) -> Option<(u32, u32)> {
        self.validity_s
    }
    /// The credential's flags; `None` for a short code. A gate's class table wins over it.
    pub fn flags(&self) -> Option<u8> {
        self.flags
    }
    /// The signed step; `None` for a printed ticket.
    pub fn step(&self) -> Option<TimeStep> {
        self.moment.map(|(step, _)| step)
    }
    /// The signed answer to the lane's challenge; `Challenge::NONE` where none was signed.
    pub fn challenge(&self) -> Challenge {
        self.moment.map_or(Challenge::NONE, |(_, challenge)| challenge)
    }
}

/// Checks `code`. The order is: listed (short codes), issuer, event, signatures, holder rules, freshness.
pub fn verify(code: &UntrustedCode, context: &VerifyContext<'_>) -> Result<VerifiedCode, Rejection> {
    match code {
        UntrustedCode::Short(short) => {
            let ticket = short.ticket;
            let entry = context.entry.filter(|entry| entry.ticket == ticket).ok_or(Rejection::Unknown { ticket })?;
            let (listed, shown) = (entry.serial, short.serial);
            match shown.cmp(&listed) {
                std::cmp::Ordering::Less => return Err(Rejection::Retired { ticket, listed, shown }),
                std::cmp::Ordering::Greater => return Err(Rejection::NewerThanList { ticket, listed, shown }),
                std::cmp::Ordering::Equal => {}
            }
            let holder = entry.holder.as_ref().ok_or(Rejection::NotBound { ticket })?;
            check_moment(&short.presentation, ticket, shown, holder, context)?;
            Ok(VerifiedCode {
                kind: CodeKind::Short,
                event: context.event,
                ticket,
                serial: shown,
                class: entry.class,
                holder: Some(holder.clone()),
                issuer: None,
                validity_s: None,
                flags: None,
                moment: Some((short.presentation.step, short.presentation.challenge)),
            })
        }
        UntrustedCode::Full { credential, presentation } => {
            check_credential(credential, context)?;
            let fields = credential.fields();
            let holder = fields.holder.as_ref().ok_or(Rejection::NotBound { ticket: fields.ticket })?;
            check_moment(presentation, fields.ticket, fields.serial, holder, context)?;
            Ok(vouched(CodeKind::Full, credential, Some((presentation.step, presentation.challenge))))
        }
        UntrustedCode::Printed { credential } => {
            check_credential(credential, context)?;
            let fields = credential.fields();
            if fields.holder.is_some() {
                return Err(Rejection::PresentationMissing { ticket: fields.ticket });
            }
            Ok(vouched(CodeKind::Printed, credential, None))
        }
    }
}

fn vouched(kind: CodeKind, credential: &Credential, moment: Option<(TimeStep, Challenge)>) -> VerifiedCode {
    let fields = credential.fields();
    VerifiedCode {
        kind,
        event: fields.event,
        ticket: fields.ticket,
        serial: fields.serial,
        class: fields.class,
        holder: fields.holder.clone(),
        issuer: Some(credential.issuer()),
        validity_s: Some((fields.valid_from_s, fields.valid_until_s)),
        flags: Some(fields.flags),
        moment,
    }
}

fn check_credential(credential: &Credential, context: &VerifyContext<'_>) -> Result<(), Rejection> {
    let fields = credential.fields();
    let ticket = fields.ticket;
    let issuer = context
        .trust
        .authority(credential.issuer(), Role::Issue, fields.event, context.now_s)
        .map_err(|error| Rejection::Issuer { ticket, error })?;
    if fields.event != context.event {
        return Err(Rejection::WrongEvent { ticket, event: fields.event });
    }
    credential.verify(issuer).map_err(|_| Rejection::Signature { ticket })
}

fn check_moment(
    presentation: &Presentation,
    ticket: TicketId,
    serial: Serial,
    holder: &HolderKey,
    context: &VerifyContext<'_>,
) -> Result<(), Rejection> {
    presentation.verify(context.event, ticket, serial, holder).map_err(|_| Rejection::Signature { ticket })?;
    let now = TimeStep::at(context.now_s);
    if presentation.step.0.abs_diff(now.0) > context.freshness_steps {
        return Err(Rejection::Stale { ticket, shown: presentation.step, now });
    }
    Ok(())
}
