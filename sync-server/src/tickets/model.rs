//! Types of tickets.

use ticket_signer::{Credential, EventId, HolderAlgorithm, HolderKey, Serial, TicketId};

use crate::catalog::{CatalogError, Class, Event};
use crate::platform::StoreError;

/// A ticket as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    pub id: TicketId,
    pub event: EventId,
    pub class: u16,
    pub serial: Serial,
    /// Cancelled up to and including this serial.
    pub revoked_to: Option<Serial>,
    /// `None` is the printed class.
    pub holder: Option<HolderKey>,
    /// Counts the links that were given out, from 1; the last one counts.
    pub link_number: u32,
    /// The back end's own name for it.
    pub reference: Option<String>,
}

impl Ticket {
    #[must_use]
    pub fn is_revoked(&self) -> bool {
        self.revoked_to.is_some_and(|revoked| self.serial <= revoked)
    }

    /// `unbound`, `bound` or `revoked`.
    #[must_use]
    pub fn state(&self) -> &'static str {
        match (self.is_revoked(), &self.holder) {
            (true, _) => "revoked",
            (false, Some(_)) => "bound",
            (false, None) => "unbound",
        }
    }
}

/// A ticket to be issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTicket {
    pub class: u16,
    /// At most 200 characters.
    pub reference: Option<String>,
}

/// What a back end gets for a ticket.
#[derive(Clone, PartialEq, Eq)]
pub struct Issued {
    pub ticket: TicketId,
    pub serial: Serial,
    pub class: u16,
    pub reference: Option<String>,
    pub link_number: u32,
    /// The link's single-use secret.
    pub secret: [u8; 16],
    pub printed_code: String,
}

/// What the holder of a link gets: the ticket, what it is for, and its credential.
#[derive(Debug, Clone)]
pub struct HolderTicket {
    pub ticket: Ticket,
    pub event: Event,
    pub class: Class,
    pub credential: Credential,
}

/// A phone's wish to have a ticket.
#[derive(Clone)]
pub struct BindRequest {
    pub ticket: TicketId,
    pub secret: Vec<u8>,
    pub algorithm: HolderAlgorithm,
    /// 32 bytes for Ed25519, 33 (compressed) for P-256.
    pub public_key: Vec<u8>,
    pub proof: Vec<u8>,
}

/// One ticket of a list. The key stays as it is stored: making a point of it for each of 100,000 would take seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListRow {
    pub ticket: TicketId,
    pub serial: u8,
    pub class: u16,
    pub revoked: bool,
    pub algorithm: u8,
    pub slot: Option<Vec<u8>>,
}

/// An event's list as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListState {
    pub version: u64,
    pub tickets: u64,
}

/// What can go wrong with tickets.
#[derive(Debug, thiserror::Error)]
pub enum TicketError {
    #[error("{0}")]
    Batch(String),
    /// `at` counts from 0, as the field's path does; people count from 1.
    #[error("The reference of ticket {} of the call is longer than {most} characters or has control characters.", at + 1)]
    Reference { at: usize, most: usize },
    #[error("Ticket {} of the call names the class {class}, which this event does not have.", at + 1)]
    UnknownClass { at: usize, class: u16 },
    #[error("There is no ticket {ticket} here.")]
    NotFound { ticket: TicketId },
    #[error("The ticket {ticket} was issued 254 times, which is as often as one can be; issue another ticket.")]
    SerialsUsedUp { ticket: TicketId },
    #[error(
        "The server has no key that may issue tickets for event {event} now; its operator checks `sync-server key list`."
    )]
    NoIssueKey { event: u32 },
    #[error("This link is not valid. Open the newest link that you were sent, complete and unchanged.")]
    LinkInvalid,
    #[error("A newer link was sent for this ticket; this one no longer works.")]
    LinkSuperseded,
    #[error("This ticket is on another phone already. If that is not yours, ask the seller for a new link.")]
    LinkUsed,
    #[error("This ticket was cancelled. Ask the seller.")]
    Revoked,
    #[error("The phone's key was not accepted: {reason}.")]
    KeyRefused { reason: String },
    #[error("This ticket was put on phones too often in a short time; try again later.")]
    BindingRate { retry_after_ms: i64 },
    #[error("The ticket cannot be signed: {0}.")]
    Format(#[from] ticket_signer::FormatError),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Store(#[from] StoreError),
}
