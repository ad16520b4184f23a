//! The only way from a code to a verdict: decide, append and commit in one transaction.
//!
//! [`Recorded`] has no public constructor. A screen that takes one cannot show green for what is not on disk.

use ticket_signer::{DeviceId, EventId, LaneId, Rejection, SecretKey, Serial, TicketId, VerifiedCode};

use crate::chain::{ChainHead, row_hash};
use crate::clock::ClockReading;
use crate::conflict::Admission;
use crate::decide::{Decision, Outcome, decide};
use crate::policy::Policy;
use crate::reason::Reason;
use crate::row::{RowBody, SignedRow, marks, text_hash};
use crate::view::{GateView, Reach, TicketView};

/// One transaction of a gate's journal, begun and not yet committed; dropping it rolls back. The handheld's is SQLite's
/// `BEGIN IMMEDIATE`; tests and the simulator have their own.
pub trait JournalTx {
    type Error;
    fn ticket(&mut self, ticket: TicketId) -> Result<TicketView, Self::Error>;
    fn gate(&mut self) -> Result<GateView, Self::Error>;
    fn head(&mut self) -> Result<ChainHead, Self::Error>;
    /// The newest row, if there is one.
    fn last_row(&mut self) -> Result<Option<SignedRow>, Self::Error>;
    fn append(&mut self, row: &NewRow) -> Result<(), Self::Error>;
    /// Returns after the rows are durable: a power cut loses nothing that this has acknowledged.
    fn commit(self) -> Result<(), Self::Error>;
}

/// A row and what the journal's tables must remember with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRow {
    pub row: SignedRow,
    pub body: RowBody,
    pub hash: [u8; 32],
    pub admission: Option<(TicketId, Admission)>,
    pub raise_floor: Option<(TicketId, Serial)>,
}

/// A code as it was read, and what verification said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    pub text: Vec<u8>,
    pub verified: Result<VerifiedCode, Rejection>,
}

/// Where and when the scan happens.
#[derive(Debug, Clone, Copy)]
pub struct Station<'a> {
    pub device: DeviceId,
    pub key: &'a SecretKey,
    pub event: EventId,
    pub lane: LaneId,
    pub policy: Option<&'a Policy>,
    pub reach: Reach,
    pub now: ClockReading,
}

/// A decision that is on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    decision: Decision,
    seq: u64,
    at_ms: i64,
    recalled: bool,
}

impl Recorded {
    pub fn decision(&self) -> &Decision {
        &self.decision
    }
    /// The row's number in this device's journal.
    pub fn seq(&self) -> u64 {
        self.seq
    }
    /// Unix milliseconds by the gate's clock.
    pub fn at_ms(&self) -> i64 {
        self.at_ms
    }
    /// Read back after a restart, since nobody may have seen it.
    pub fn is_recalled(&self) -> bool {
        self.recalled
    }
}

/// Decides about one scan and commits the decision. On an error nothing was recorded, and nobody is admitted.
pub fn record<T: JournalTx>(mut tx: T, scan: &Scan, station: &Station<'_>) -> Result<Recorded, T::Error> {
    let view = match &scan.verified {
        Ok(code) => tx.ticket(code.ticket())?,
        Err(_) => TicketView::default(),
    };
    let gate = tx.gate()?;
    let head = tx.head()?;
    let now = station.now;
    let decision = decide(scan.verified.as_ref(), &view, &gate, station.lane, station.policy, station.reach, &now);
    let ours = !matches!(scan.verified, Err(Rejection::Unreadable(_)));
    let mark = |set: bool, bit: u8| if set { bit } else { 0 };
    let body = RowBody {
        format: RowBody::FORMAT,
        device: station.device,
        epoch: head.epoch,
        seq: head.seq + 1,
        prev: head.hash,
        event: station.event,
        lane: station.lane,
        at_ms: now.now_ms,
        uncertainty_ms: now.uncertainty_ms,
        offset_ms: now.offset_ms,
        code: ours.then(|| String::from_utf8_lossy(&scan.text).into_owned()),
        code_hash: text_hash(&scan.text),
        code_length: u32::try_from(scan.text.len()).unwrap_or(u32::MAX),
        outcome: decision.outcome.to_byte(),
        reason: decision.reason.code().to_owned(),
        detail: decision.detail,
        ticket: decision.ticket,
        serial: decision.serial,
        class: decision.class,
        marks: mark(decision.unlisted, marks::UNLISTED)
            | mark(decision.flagged, marks::FLAGGED)
            | mark(now.in_doubt, marks::CLOCK_IN_DOUBT)
            | mark(decision.check_entitlement, marks::CHECK_ENTITLEMENT),
        list_version: gate.list_version.unwrap_or(0),
        policy_version: station.policy.map_or(0, |policy| policy.version),
    };
    let row = body.sign(station.key);
    let new = NewRow {
        hash: row_hash(&row.bytes),
        admission: body.admission(),
        raise_floor: decision.ticket.zip(decision.raise_floor),
        row,
        body,
    };
    tx.append(&new)?;
    tx.commit()?;
    Ok(Recorded { decision, seq: new.body.seq, at_ms: now.now_ms, recalled: false })
}

/// Reads the newest row back: for the verdict that a crash kept from the screen. `None` where there is no row, or one whose
/// reason this version does not know.
pub fn recall<T: JournalTx>(tx: &mut T) -> Result<Option<Recorded>, T::Error> {
    let body = tx.last_row()?.and_then(|row| RowBody::from_bytes(&row.bytes).ok());
    Ok(body.and_then(|body| {
        let outcome: Outcome = body.outcome()?;
        let reason: Reason = body.reason()?;
        let marked = |bit: u8| body.marks & bit != 0;
        let decision = Decision {
            outcome,
            reason,
            detail: body.detail,
            ticket: body.ticket,
            serial: body.serial,
            class: body.class,
            unlisted: marked(marks::UNLISTED),
            flagged: marked(marks::FLAGGED),
            check_entitlement: marked(marks::CHECK_ENTITLEMENT),
            raise_floor: None,
        };
        Some(Recorded { decision, seq: body.seq, at_ms: body.at_ms, recalled: true })
    }))
}

#[cfg(test)]
mod tests;
