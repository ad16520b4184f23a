//! What a decision may look at: the ticket as the transaction sees it, and the gate's own state.

use ticket_signer::{ClassEntry, ListedTicket, Serial};

use crate::passage::Passage;

/// A ticket as one transaction of the gate's database sees it. Everything here is durable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TicketView {
    /// The live list's entry.
    pub entry: Option<ListedTicket>,
    /// The lowest serial that is still good: raised by the list, by re-issues seen in valid codes, never lowered.
    pub floor: Option<Serial>,
    /// Revoked up to and including this serial.
    pub revoked_to: Option<Serial>,
    /// Every entry and exit that this device recorded or has received, over all serials.
    pub passages: Vec<Passage>,
}

/// The gate's own state at the time of the scan, as the same transaction sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GateView {
    /// Version of the live list; `None` before the first one.
    pub list_version: Option<u64>,
    /// Unix seconds after which the list is too old to decide alone.
    pub list_expires_at_s: i64,
    /// Unix milliseconds at which this device's lease ends.
    pub lease_until_ms: i64,
    /// The feed's cursor: what other lanes did up to there is durable here.
    pub cursor: u64,
    /// The event's table of classes.
    pub classes: Vec<ClassEntry>,
}

/// Whom this lane can hear right now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reach {
    /// In contact with the server (or the venue's edge): other lanes' admissions arrive.
    Server,
    /// Cut off.
    #[default]
    Alone,
}
