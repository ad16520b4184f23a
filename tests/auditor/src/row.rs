//! A journal row as a gate wrote it: one CBOR array in one spelling, hashed into a chain.
//!
//! The array has 29 places; those at its end that hold nothing are left out. A row is read and written again, and stands
//! only if the same bytes come out.

mod spelling;

use sha2::{Digest as _, Sha256};

use crate::fault::Fault;
use crate::ids::{ClassId, EventId, LaneId, RowId, Serial, TicketId};
use crate::keys::{PublicKey, SIGNATURE};

const ROW: &[u8] = b"turnstone.row.v1\0";
const ROW_CHAIN: &[u8] = b"turnstone.row-chain.v1\0";
/// The most bytes that a row has.
pub const MAX_LENGTH: usize = 1024;
const MAX_NOTE: usize = 160;

/// Bits of [`Row::marks`].
pub mod marks {
    /// The list did not have this ticket or this issue of it.
    pub const UNLISTED: u8 = 1;
    /// Admitted while cut off, under the open rule.
    pub const FLAGGED: u8 = 2;
    /// The gate was in doubt about the time.
    pub const CLOCK_IN_DOUBT: u8 = 4;
    /// Staff were asked to check an entitlement.
    pub const CHECK_ENTITLEMENT: u8 = 8;
}

/// What the gate decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    Admit,
    Refuse,
    /// A supervisor decides.
    Review,
}

/// What the row records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Act {
    Scan,
    /// More guests of a group that was let in by another row.
    More,
    Override,
    ClockReset,
    Unlock,
    /// The device stopped to own a home group.
    Released,
}

/// Which way guests went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    In,
    Out,
}

/// The fact behind a reason: its number and its one or two integers. The auditor keeps it as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Detail {
    pub kind: u8,
    pub first: i64,
    pub second: Option<i64>,
}

/// Everything that a row says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub id: RowId,
    pub prev: [u8; 32],
    pub event: EventId,
    pub lane: LaneId,
    /// Unix milliseconds by the gate's clock.
    pub at_ms: i64,
    pub uncertainty_ms: u32,
    pub offset_ms: i64,
    pub code: Option<String>,
    pub code_hash: [u8; 32],
    pub code_length: u32,
    pub outcome: Outcome,
    pub reason: String,
    pub detail: Option<Detail>,
    pub ticket: Option<TicketId>,
    pub serial: Option<Serial>,
    pub class: Option<ClassId>,
    pub marks: u8,
    pub list_version: u64,
    pub policy_version: u64,
    pub act: Act,
    pub direction: Direction,
    pub guests: u8,
    /// The row of the same journal that this one follows.
    pub of: Option<u64>,
    pub staff: Option<u16>,
    pub grant: Option<Vec<u8>>,
    pub note: Option<String>,
}

impl Outcome {
    fn from_byte(byte: u8) -> Option<Self> {
        [Outcome::Admit, Outcome::Refuse, Outcome::Review].into_iter().find(|outcome| outcome.to_byte() == byte)
    }

    fn to_byte(self) -> u8 {
        match self {
            Outcome::Admit => 1,
            Outcome::Refuse => 2,
            Outcome::Review => 3,
        }
    }
}

impl Act {
    const ALL: [Act; 6] = [Act::Scan, Act::More, Act::Override, Act::ClockReset, Act::Unlock, Act::Released];

    fn from_byte(byte: u8) -> Option<Self> {
        Act::ALL.into_iter().find(|act| act.to_byte() == byte)
    }

    fn to_byte(self) -> u8 {
        match self {
            Act::Scan => 1,
            Act::More => 2,
            Act::Override => 3,
            Act::ClockReset => 4,
            Act::Unlock => 5,
            Act::Released => 6,
        }
    }

    /// Whether guests may pass by it.
    pub fn moves_guests(self) -> bool {
        matches!(self, Act::Scan | Act::More | Act::Override)
    }
}

impl Direction {
    fn from_byte(byte: u8) -> Option<Self> {
        [Direction::In, Direction::Out].into_iter().find(|direction| direction.to_byte() == byte)
    }

    fn to_byte(self) -> u8 {
        match self {
            Direction::In => 1,
            Direction::Out => 2,
        }
    }
}

impl Row {
    /// Reads a row; whose it is, [`signed_by`] says.
    pub fn read(bytes: &[u8]) -> Result<Self, Fault> {
        if bytes.len() > MAX_LENGTH {
            return Err(Fault::WrongLength);
        }
        let row = spelling::read(bytes)?;
        let sound = row.id.seq > 0
            && row.id.seq <= i64::MAX.unsigned_abs()
            && (row.guests > 0) == row.act.moves_guests()
            && row.note.as_ref().is_none_or(|note| note.len() <= MAX_NOTE);
        if !sound {
            return Err(Fault::Payload);
        }
        if row.serial.is_some_and(|serial| !(1..=254).contains(&serial)) {
            return Err(Fault::SerialOutOfRange);
        }
        if spelling::write(&row) == bytes { Ok(row) } else { Err(Fault::NotCanonical) }
    }

    /// The ticket, where its code was verified; without a serial the code merely claimed it.
    pub fn verified_ticket(&self) -> Option<TicketId> {
        self.ticket.filter(|_| self.serial.is_some())
    }

    /// Whether guests went through by this row.
    pub fn passed(&self) -> bool {
        self.outcome == Outcome::Admit && self.act.moves_guests()
    }

    pub fn marked(&self, mark: u8) -> bool {
        self.marks & mark != 0
    }

    pub fn at_s(&self) -> i64 {
        self.at_ms.div_euclid(1000)
    }

    /// The earliest and the latest moment that `at_ms` may have been.
    pub fn span_ms(&self) -> (i64, i64) {
        let unsure = i64::from(self.uncertainty_ms);
        (self.at_ms.saturating_sub(unsure), self.at_ms.saturating_add(unsure))
    }
}

/// The hash that the next row names.
pub fn chain_hash(bytes: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(ROW_CHAIN).chain_update(bytes).finalize().into()
}

/// Whether this device's key signed these bytes as a row.
pub fn signed_by(key: &PublicKey, bytes: &[u8], signature: &[u8; SIGNATURE]) -> bool {
    key.verify(ROW, bytes, signature).is_ok()
}

/// SHA-256 of a code as it was read.
pub fn text_hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}
