//! A journal row: deterministic CBOR (one array, fixed order), chained by SHA-256, signed by the device that wrote it.
//!
//! Every scan is a row, refusals included, and so is what staff decide at the lane. A row carries the code as it was read, so that anyone who receives the row can
//! check code and row again. What was no ticket of ours is kept as hash and length only: it may be anybody's private data.

use sha2::{Digest as _, Sha256};
use ticket_signer::{ClassId, DeviceId, EventId, LaneId, PublicKey, SecretKey, Serial, TicketId, domain};

use crate::chain::{ChainHead, row_hash};
use crate::decide::{Detail, Outcome};
use crate::passage::{Direction, Passage};
use crate::reason::Reason;

/// Bits of [`RowBody::marks`].
pub mod marks {
    /// The list did not have this ticket or this issue of it.
    pub const UNLISTED: u8 = 1;
    /// Admitted while cut off under the open rule.
    pub const FLAGGED: u8 = 2;
    /// The gate was in doubt about the time.
    pub const CLOCK_IN_DOUBT: u8 = 4;
    /// Staff were asked to check an entitlement by eye.
    pub const CHECK_ENTITLEMENT: u8 = 8;
    /// The lane heard nobody: what others did was not known.
    pub const ALONE: u8 = 16;
}

/// What a row records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Act {
    /// A code was read and decided about.
    Scan,
    /// More guests of a group whose ticket was admitted by the row `of`.
    More,
    /// A supervisor let guests in whom the row `of` did not, or who have no code.
    Override,
    /// A supervisor set the clock; `note` says from what to what.
    ClockReset,
    /// Staff unlocked the handheld with their PIN, or tried to (`outcome` refuse).
    Unlock,
    /// This device owned a home group under the strict rule and has stopped; `note` is the group and the epoch.
    Released,
}

impl Act {
    const ALL: [Act; 6] = [Act::Scan, Act::More, Act::Override, Act::ClockReset, Act::Unlock, Act::Released];

    pub fn to_byte(self) -> u8 {
        match self {
            Act::Scan => 1,
            Act::More => 2,
            Act::Override => 3,
            Act::ClockReset => 4,
            Act::Unlock => 5,
            Act::Released => 6,
        }
    }

    pub fn from_byte(byte: u8) -> Option<Self> {
        Act::ALL.into_iter().find(|act| act.to_byte() == byte)
    }

    /// Whether guests may pass by it.
    pub fn moves_guests(self) -> bool {
        matches!(self, Act::Scan | Act::More | Act::Override)
    }
}

/// What a row says.
#[derive(Debug, Clone, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
#[cbor(array)]
pub struct RowBody {
    #[n(0)]
    pub format: u8,
    #[n(1)]
    pub device: DeviceId,
    /// See [`crate::chain::ChainHead`].
    #[n(2)]
    pub epoch: u64,
    /// Counts from 1 without gaps.
    #[n(3)]
    pub seq: u64,
    /// Hash of the row before; zeros for the first.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub prev: [u8; 32],
    #[n(5)]
    pub event: EventId,
    #[n(6)]
    pub lane: LaneId,
    /// Unix milliseconds by the gate's clock.
    #[n(7)]
    pub at_ms: i64,
    #[n(8)]
    pub uncertainty_ms: u32,
    /// Gate's clock minus the device's system clock, in milliseconds.
    #[n(9)]
    pub offset_ms: i64,
    /// The code as read, where it was one of ours.
    #[n(10)]
    pub code: Option<String>,
    /// SHA-256 of the text as read.
    #[cbor(n(11), with = "minicbor::bytes")]
    pub code_hash: [u8; 32],
    /// Length of the text as read, in bytes.
    #[n(12)]
    pub code_length: u32,
    #[n(13)]
    pub outcome: u8,
    #[n(14)]
    pub reason: String,
    #[n(15)]
    pub detail: Option<Detail>,
    #[n(16)]
    pub ticket: Option<TicketId>,
    #[n(17)]
    pub serial: Option<Serial>,
    #[n(18)]
    pub class: Option<ClassId>,
    /// See [`marks`].
    #[n(19)]
    pub marks: u8,
    /// Version of the list that was live; 0 for none.
    #[n(20)]
    pub list_version: u64,
    /// Version of the policy that was live; 0 for none.
    #[n(21)]
    pub policy_version: u64,
    /// See [`Act`].
    #[n(22)]
    pub act: u8,
    /// See [`Direction`].
    #[n(23)]
    pub direction: u8,
    /// How many guests it is about; 0 where it is about none.
    #[n(24)]
    pub guests: u8,
    /// The row of the same journal that this one follows.
    #[n(25)]
    pub of: Option<u64>,
    /// Who decided it, where a member of staff did.
    #[n(26)]
    pub staff: Option<u16>,
    /// The owner's signed grant that it used.
    #[cbor(n(27), with = "minicbor::bytes")]
    pub grant: Option<Vec<u8>>,
    /// What staff wrote, or what the act needs to say; at most [`RowBody::MAX_NOTE`] bytes.
    #[n(28)]
    pub note: Option<String>,
}

/// Why a row was not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    #[error("the row is not written as this version expects")]
    Encoding,
    #[error("the row's signature is not its device's")]
    Signature,
}

/// A row as it travels and is kept: bytes, and the device's signature over them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRow {
    pub bytes: Vec<u8>,
    pub signature: [u8; 64],
}

impl RowBody {
    pub const FORMAT: u8 = 1;
    /// The most bytes that a row has; what is larger is no row.
    pub const MAX_LENGTH: usize = 1024;
    pub const MAX_NOTE: usize = 160;

    /// The row that follows `head`, before more is said of it: one guest on the way in, refused, at no time.
    pub fn after(head: ChainHead, device: DeviceId, event: EventId, lane: LaneId) -> Self {
        RowBody {
            format: Self::FORMAT,
            device,
            epoch: head.epoch,
            seq: head.seq + 1,
            prev: head.hash,
            event,
            lane,
            at_ms: 0,
            uncertainty_ms: 0,
            offset_ms: 0,
            code: None,
            code_hash: [0; 32],
            code_length: 0,
            outcome: Outcome::Refuse.to_byte(),
            reason: String::new(),
            detail: None,
            ticket: None,
            serial: None,
            class: None,
            marks: 0,
            list_version: 0,
            policy_version: 0,
            act: Act::Scan.to_byte(),
            direction: Direction::In.to_byte(),
            guests: 1,
            of: None,
            staff: None,
            grant: None,
            note: None,
        }
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        minicbor::to_vec(self).unwrap_or_else(|never: minicbor::encode::Error<std::convert::Infallible>| {
            unreachable!("writing to memory does not fail: {never}")
        })
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RowError> {
        if bytes.len() > Self::MAX_LENGTH {
            return Err(RowError::Encoding);
        }
        let mut decoder = minicbor::Decoder::new(bytes);
        let body: RowBody = decoder.decode().map_err(|_| RowError::Encoding)?;
        let sound = body.format == Self::FORMAT
            && decoder.position() == bytes.len()
            && body.outcome().is_some()
            && body.act().is_some()
            && Direction::from_byte(body.direction).is_some()
            && (body.guests > 0) == body.act().is_some_and(Act::moves_guests)
            && body.note.as_ref().is_none_or(|note| note.len() <= Self::MAX_NOTE)
            && body.seq > 0
            && body.seq <= i64::MAX as u64;
        // One spelling: what does not write back to the same bytes was not written by a gate.
        if sound && body.to_bytes() == bytes { Ok(body) } else { Err(RowError::Encoding) }
    }

    pub fn outcome(&self) -> Option<Outcome> {
        Outcome::from_byte(self.outcome)
    }

    /// `None` for a reason that only a newer version knows.
    pub fn reason(&self) -> Option<Reason> {
        Reason::from_code(&self.reason)
    }

    pub fn act(&self) -> Option<Act> {
        Act::from_byte(self.act)
    }

    /// The ticket, where its code was verified; without a serial it is merely claimed.
    pub fn verified_ticket(&self) -> Option<TicketId> {
        self.ticket.filter(|_| self.serial.is_some())
    }

    /// The guests who passed on a verified ticket by this row, if any did.
    pub fn passage(&self) -> Option<(TicketId, Passage)> {
        let passed = self.outcome() == Some(Outcome::Admit) && self.act().is_some_and(Act::moves_guests);
        let ticket = self.verified_ticket().filter(|_| passed)?;
        let passage = Passage {
            at_ms: self.at_ms,
            uncertainty_ms: self.uncertainty_ms,
            device: self.device,
            lane: self.lane,
            epoch: self.epoch,
            seq: self.seq,
            direction: Direction::from_byte(self.direction)?,
            guests: self.guests,
        };
        Some((ticket, passage))
    }

    pub fn sign(&self, key: &SecretKey) -> SignedRow {
        let bytes = self.to_bytes();
        let signature = key.sign(domain::ROW, &bytes);
        SignedRow { bytes, signature }
    }
}

impl SignedRow {
    pub fn hash(&self) -> [u8; 32] {
        row_hash(&self.bytes)
    }

    /// Checks the signature, then reads the row.
    pub fn open(&self, key: &PublicKey) -> Result<RowBody, RowError> {
        key.verify(domain::ROW, &self.bytes, &self.signature).map_err(|_| RowError::Signature)?;
        RowBody::from_bytes(&self.bytes)
    }
}

/// SHA-256 of a text as read.
pub fn text_hash(text: &[u8]) -> [u8; 32] {
    Sha256::digest(text).into()
}
