//! The only way from a code to a verdict: decide, append and commit in one transaction.
//!
//! [`Recorded`] has no public constructor. A screen that takes one cannot show green for what is not on disk.

use ticket_signer::{DeviceId, EventId, LaneId, Rejection, SecretKey, Serial, TicketId, VerifiedCode};

use crate::chain::{ChainHead, row_hash};
use crate::clock::ClockReading;
use crate::decide::{Asked, Decision, Outcome, decide, decide_more};
use crate::grant::Grant;
use crate::mutant::{Mutant, planted};
use crate::passage::{Direction, Passage};
use crate::policy::Policy;
use crate::reason::Reason;
use crate::row::{Act, RowBody, SignedRow, marks, text_hash};
use crate::view::{GateView, Reach, TicketView};

/// One transaction of a gate's journal, begun and not yet committed; dropping it rolls back. The handheld's is SQLite's
/// `BEGIN IMMEDIATE`; tests and the simulator have their own.
pub trait JournalTx {
    type Error;
    fn ticket(&mut self, ticket: TicketId) -> Result<TicketView, Self::Error>;
    fn gate(&mut self) -> Result<GateView, Self::Error>;
    fn head(&mut self) -> Result<ChainHead, Self::Error>;
    /// A row of the present journal.
    fn row(&mut self, seq: u64) -> Result<Option<SignedRow>, Self::Error>;
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
    pub passage: Option<(TicketId, Passage)>,
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

/// What a member of staff decides at the lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StaffAct {
    /// So many more guests come in on the group's ticket that the row `of` admitted.
    More { of: u64, guests: u8 },
    /// A supervisor lets guests in: those of the row `of`, or guests who have no code at all.
    Override { of: Option<u64>, guests: u8, staff: u16, note: String },
    /// A supervisor set the clock, from and to unix milliseconds.
    ClockReset { staff: u16, from_ms: i64, to_ms: i64 },
    /// Somebody unlocked the handheld as this member of staff, or could not.
    Unlock { staff: u16, unlocked: bool },
    /// This device has stopped to own a home group.
    Released { group: u16, epoch: u64 },
}

/// A decision that is on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    decision: Decision,
    seq: u64,
    at_ms: i64,
    recalled: bool,
    act: Act,
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
    pub fn act(&self) -> Act {
        self.act
    }
    /// Read back after a restart, since nobody may have seen it.
    pub fn is_recalled(&self) -> bool {
        self.recalled
    }
}

/// Decides about one scan and commits the decision. `grant` is the owner's word, where the strict rule asked for it. On an
/// error nothing was recorded, and nobody is admitted.
pub fn record<T: JournalTx>(
    mut tx: T,
    scan: &Scan,
    grant: Option<(&Grant, &[u8])>,
    station: &Station<'_>,
) -> Result<Recorded, T::Error> {
    let view = match &scan.verified {
        Ok(code) => tx.ticket(code.ticket())?,
        Err(_) => TicketView::default(),
    };
    let gate = tx.gate()?;
    let head = tx.head()?;
    let policy = station.policy.map(|policy| policy.at(station.now.now_ms));
    let asked = station.asks(policy.as_deref(), head, grant.map(|(grant, _)| grant), 1);
    let decision = decide(scan.verified.as_ref(), &view, &gate, &asked, &station.now);
    let ours = !matches!(scan.verified, Err(Rejection::Unreadable(_)));
    let used = used_grant(grant, &decision, head);
    let body = RowBody {
        code: ours.then(|| String::from_utf8_lossy(&scan.text).into_owned()),
        code_hash: text_hash(&scan.text),
        code_length: u32::try_from(scan.text.len()).unwrap_or(u32::MAX),
        grant: used.map(|(_, bytes)| bytes.to_vec()),
        ..station.body(head, &gate, &decision, Act::Scan)
    };
    write(tx, body, decision, station)
}

/// Commits what a member of staff decided. `None` where the row that it follows is not in this journal, or is not one that
/// can be followed so: then nothing was recorded.
pub fn record_act<T: JournalTx>(
    mut tx: T,
    act: &StaffAct,
    grant: Option<(&Grant, &[u8])>,
    station: &Station<'_>,
) -> Result<Option<Recorded>, T::Error> {
    let gate = tx.gate()?;
    let head = tx.head()?;
    let policy = station.policy.map(|policy| policy.at(station.now.now_ms));
    let mut body = |of: Option<u64>| -> Result<Option<RowBody>, T::Error> {
        let row = of.map(|of| tx.row(of)).transpose()?.flatten();
        Ok(row.and_then(|row| RowBody::from_bytes(&row.bytes).ok()))
    };
    let (decision, kind, of, staff, note) = match act {
        StaffAct::More { of, guests } => {
            let followed = body(Some(*of))?.filter(|row| row.outcome() == Some(Outcome::Admit));
            let Some(followed) = followed else { return Ok(None) };
            let (Some(ticket), Some(serial), Some(class)) =
                (followed.verified_ticket(), followed.serial, followed.class)
            else {
                return Ok(None);
            };
            let view = tx.ticket(ticket)?;
            let asked = station.asks(policy.as_deref(), head, grant.map(|(grant, _)| grant), *guests);
            let decision = decide_more((ticket, serial, class), &view, &gate, &asked, &station.now);
            (decision, Act::More, Some(*of), None, None)
        }
        StaffAct::Override { of, guests, staff, note } => {
            let followed = body(*of)?;
            if of.is_some() && followed.as_ref().is_none_or(|row| row.outcome() == Some(Outcome::Admit)) {
                return Ok(None);
            }
            // A supervisor's word ends with the handheld's lease, as everything does.
            let mut decision = overridden(followed.as_ref(), *guests);
            if station.now.now_ms >= gate.lease_until_ms {
                (decision.outcome, decision.reason) = (Outcome::Refuse, Reason::LeaseExpired);
            }
            (decision, Act::Override, *of, Some(*staff), Some(clip(note)))
        }
        StaffAct::ClockReset { staff, from_ms, to_ms } => {
            let note = format!("{from_ms} {to_ms}");
            (Decision::plain(Outcome::Admit, Reason::Noted), Act::ClockReset, None, Some(*staff), Some(note))
        }
        StaffAct::Unlock { staff, unlocked } => {
            let outcome = if *unlocked { Outcome::Admit } else { Outcome::Refuse };
            (Decision::plain(outcome, Reason::Noted), Act::Unlock, None, Some(*staff), None)
        }
        StaffAct::Released { group, epoch } => {
            let note = format!("{group} {epoch}");
            (Decision::plain(Outcome::Admit, Reason::Noted), Act::Released, None, None, Some(note))
        }
    };
    let used = used_grant(grant, &decision, head).filter(|_| kind == Act::More);
    let body = RowBody {
        of,
        staff,
        note,
        grant: used.map(|(_, bytes)| bytes.to_vec()),
        ..station.body(head, &gate, &decision, kind)
    };
    write(tx, body, decision, station).map(Some)
}

/// A supervisor's word: it counts for the ticket of the row that it follows where that ticket was verified, and for no
/// ticket otherwise.
fn overridden(followed: Option<&RowBody>, guests: u8) -> Decision {
    let verified = followed.filter(|row| row.serial.is_some());
    Decision {
        ticket: verified.and_then(|row| row.ticket),
        serial: verified.and_then(|row| row.serial),
        class: verified.and_then(|row| row.class),
        direction: followed.and_then(|row| Direction::from_byte(row.direction)).unwrap_or_default(),
        guests: guests.max(1),
        ..Decision::plain(Outcome::Admit, Reason::Overridden)
    }
}

/// The grant, where it is for this ticket and this row, and the guests came in.
fn used_grant<'g>(
    grant: Option<(&'g Grant, &'g [u8])>,
    decision: &Decision,
    head: ChainHead,
) -> Option<(&'g Grant, &'g [u8])> {
    let ours =
        |grant: &Grant| decision.ticket == Some(grant.ticket) && (grant.chain, grant.seq) == (head.epoch, head.seq + 1);
    grant.filter(|(grant, _)| decision.outcome == Outcome::Admit && ours(grant))
}

fn clip(note: &str) -> String {
    let end = (0..=RowBody::MAX_NOTE.min(note.len())).rev().find(|end| note.is_char_boundary(*end));
    note[..end.unwrap_or(0)].to_owned()
}

fn write<T: JournalTx>(
    mut tx: T,
    body: RowBody,
    decision: Decision,
    station: &Station<'_>,
) -> Result<Recorded, T::Error> {
    let row = body.sign(station.key);
    let act = body.act().unwrap_or(Act::Scan);
    let new = NewRow {
        hash: row_hash(&row.bytes),
        passage: body.passage(),
        raise_floor: decision.ticket.zip(decision.raise_floor).filter(|_| !planted(Mutant::FloorNotDurable)),
        row,
        body,
    };
    tx.append(&new)?;
    match tx.commit() {
        Err(_) if planted(Mutant::GreenBeforeCommit) => {}
        committed => committed?,
    }
    Ok(Recorded { decision, seq: new.body.seq, at_ms: new.body.at_ms, recalled: false, act })
}

impl<'a> Station<'a> {
    fn asks(&self, policy: Option<&'a Policy>, head: ChainHead, grant: Option<&'a Grant>, guests: u8) -> Asked<'a> {
        Asked { device: self.device, lane: self.lane, policy, reach: self.reach, head, grant, guests }
    }

    /// A row of this decision, about no code.
    fn body(&self, head: ChainHead, gate: &GateView, decision: &Decision, act: Act) -> RowBody {
        let mark = |set: bool, bit: u8| if set { bit } else { 0 };
        let now = self.now;
        RowBody {
            at_ms: now.now_ms,
            uncertainty_ms: now.uncertainty_ms,
            offset_ms: now.offset_ms,
            outcome: decision.outcome.to_byte(),
            reason: decision.reason.code().to_owned(),
            detail: decision.detail,
            ticket: decision.ticket,
            serial: decision.serial,
            class: decision.class,
            marks: mark(decision.unlisted, marks::UNLISTED)
                | mark(decision.flagged, marks::FLAGGED)
                | mark(now.in_doubt, marks::CLOCK_IN_DOUBT)
                | mark(self.reach == Reach::Alone, marks::ALONE)
                | mark(decision.check_entitlement, marks::CHECK_ENTITLEMENT),
            list_version: gate.list_version.unwrap_or(0),
            policy_version: self.policy.map_or(0, |policy| policy.version),
            act: act.to_byte(),
            direction: decision.direction.to_byte(),
            guests: if act.moves_guests() { decision.guests } else { 0 },
            ..RowBody::after(head, self.device, self.event, self.lane)
        }
    }
}

/// Reads the newest row back: for the verdict that a crash kept from the screen. `None` where there is no row, or one whose
/// reason this version does not know, or one that no screen shows.
pub fn recall<T: JournalTx>(tx: &mut T) -> Result<Option<Recorded>, T::Error> {
    let seq = tx.head()?.seq;
    let body = tx.row(seq)?.and_then(|row| RowBody::from_bytes(&row.bytes).ok());
    Ok(body.and_then(|body| {
        let outcome: Outcome = body.outcome()?;
        let reason: Reason = body.reason()?;
        let act = body.act().filter(|act| act.moves_guests())?;
        let marked = |bit: u8| body.marks & bit != 0;
        let decision = Decision {
            detail: body.detail,
            ticket: body.ticket,
            serial: body.serial,
            class: body.class,
            unlisted: marked(marks::UNLISTED),
            direction: Direction::from_byte(body.direction)?,
            guests: body.guests,
            flagged: marked(marks::FLAGGED),
            check_entitlement: marked(marks::CHECK_ENTITLEMENT),
            ..Decision::plain(outcome, reason)
        };
        Some(Recorded { decision, seq: body.seq, at_ms: body.at_ms, recalled: true, act })
    }))
}

#[cfg(test)]
mod tests;
