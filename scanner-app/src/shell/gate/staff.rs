//! Staff at the lane, as far as it is I/O: their list opened with the device's key, PINs checked on a thread of their own,
//! their acts committed.
//!
//! Invariants: the opened list is in memory alone; a scan never waits for a PIN's slow hash; the clock is set only after the
//! row that says so is on the disk.

use crossbeam_channel::{Receiver, Sender, bounded};
use gate_core::record::{StaffAct, Station as Here, record_act};
use gate_core::row::RowBody;
use gate_core::staff::{Member, Pin, PinVerifier};
use gate_core::wire::v1::GrantRequest;
use gate_core::{JournalTx as _, Reach, Recorded, decide};

use super::{Gate, GateError, NO_PLACE};
use crate::core::engine::staff::{StaffEffect, StaffInput};
use crate::core::engine::{Input, SignedGrant};
use crate::shell::sync::Outlet;

/// A PIN to be checked, and whether the number that was typed is anybody's.
struct Question {
    attempt: u64,
    pin: Pin,
    verifier: PinVerifier,
    known: bool,
}

/// The event's staff, opened, and the way to the thread that checks their PINs.
pub(super) struct Staff {
    members: Vec<Member>,
    questions: Sender<Question>,
}

impl Staff {
    pub(super) fn start(outlet: Outlet) -> Result<Self, GateError> {
        let (questions, asked) = bounded(1);
        let spawned = std::thread::Builder::new().name("pin".to_owned()).spawn(move || check_all(&asked, &outlet));
        spawned.map_err(GateError::Thread)?;
        Ok(Staff { members: Vec::new(), questions })
    }

    /// Has a PIN checked. A number that nobody has takes as long as one that somebody has.
    fn check(&self, attempt: u64, number: u16, pin: Pin) {
        let found = self.members.iter().find(|member| member.number == number);
        let Some(member) = found.or(self.members.first()) else { return };
        let question = Question { attempt, pin, verifier: member.verifier.clone(), known: found.is_some() };
        if self.questions.try_send(question).is_err() {
            tracing::warn!("a PIN is still being checked; this one is not");
        }
    }
}

fn check_all(asked: &Receiver<Question>, outlet: &Outlet) {
    while let Ok(Question { attempt, pin, verifier, known }) = asked.recv() {
        let fits = verifier.fits(&pin).unwrap_or_else(|error| {
            tracing::warn!(%error, "a PIN was not checked");
            false
        });
        outlet.input(Input::Staff(StaffInput::Checked { attempt, fits: fits && known }));
    }
}

impl Gate {
    /// Opens the list of staff that the station has, and tells the engine who there is.
    pub(super) fn load_staff(&mut self) -> Result<(), GateError> {
        let Some((station, key)) = &self.standing else { return Ok(()) };
        self.staff.members = match station.staff.as_ref().map(|staff| staff.unseal(key)) {
            None => Vec::new(),
            Some(Ok(members)) => members,
            Some(Err(error)) => {
                tracing::error!(%error, "the list of staff cannot be opened");
                Vec::new()
            }
        };
        let members = self.staff.members.iter().map(|member| (member.number, member.role)).collect();
        let failures = self.journal.unlock_failures()?;
        self.give(Input::Staff(StaffInput::Known { members, failures }));
        Ok(())
    }

    pub(super) fn serve_staff(&mut self, effect: StaffEffect) -> Option<Input> {
        match effect {
            StaffEffect::Check { attempt, number, pin } => {
                self.staff.check(attempt, number, pin);
                None
            }
            StaffEffect::Ask { question, of, guests } => self.ask_for_more(question, of, guests),
            StaffEffect::Record { act, reach, grant } => {
                Some(Input::Staff(match self.act_of_staff(&act, reach, grant) {
                    Ok(recorded) => StaffInput::Recorded { recorded: recorded.map(Box::new) },
                    Err(error) => not_recorded(&error),
                }))
            }
            StaffEffect::SetClock { staff, to_ms, reach } => {
                Some(Input::Staff(self.set_clock(staff, to_ms, reach).unwrap_or_else(|error| not_recorded(&error))))
            }
        }
    }

    fn act_of_staff(
        &mut self,
        act: &StaffAct,
        reach: Reach,
        grant: Option<Box<SignedGrant>>,
    ) -> Result<Option<Recorded>, GateError> {
        let now = self.clock.read();
        let (station, key) = self.standing.as_ref().ok_or(GateError::Device(NO_PLACE))?;
        let here = Here {
            device: station.device,
            key,
            event: station.event_id(),
            lane: station.lane,
            policy: station.policy.as_ref(),
            reach,
            now,
        };
        let grant = grant.as_ref().map(|signed| (&signed.grant, &signed.bytes[..]));
        let tx = self.journal.begin(station.event_id())?;
        Ok(record_act(tx, act, grant, &here)?)
    }

    /// Under the strict rule the rest of a group needs its owner's word as well. Where nobody must or can be asked, that is
    /// the answer.
    fn ask_for_more(&mut self, question: u64, of: u64, guests: u8) -> Option<Input> {
        let asked = self.grant_for_more(of, guests).is_some_and(|request| self.sync.ask(question, request));
        (!asked).then_some(Input::Granted { question, grant: None })
    }

    fn grant_for_more(&mut self, of: u64, guests: u8) -> Option<GrantRequest> {
        let now = self.clock.read();
        let (station, _) = self.standing.as_ref()?;
        let policy = station.policy.as_ref()?.at(now.now_ms);
        let mut tx = self.journal.begin(station.event_id()).ok()?;
        let row = tx.row(of).ok()??;
        let head = tx.head().ok()?;
        let body = RowBody::from_bytes(&row.bytes).ok()?;
        let (ticket, serial, class) = (body.verified_ticket()?, body.serial?, body.class?);
        let must = decide::must_ask(ticket, class, station.device, &policy, &now);
        must.then(|| GrantRequest {
            ticket: ticket.0,
            serial: serial.get(),
            chain: head.epoch,
            seq: head.seq + 1,
            guests,
        })
    }

    fn set_clock(&mut self, staff: u16, to_ms: i64, reach: Reach) -> Result<StaffInput, GateError> {
        let Some(hand) = self.clock.by_hand(to_ms) else { return Ok(StaffInput::ClockSet { seq: None }) };
        let act = StaffAct::ClockReset { staff, from_ms: self.clock.read().now_ms, to_ms };
        let recorded = self.act_of_staff(&act, reach, None)?;
        self.journal.keep_clock_by_hand(&hand)?;
        self.clock.restore_by_hand(Some(hand));
        Ok(StaffInput::ClockSet { seq: recorded.map(|recorded| recorded.seq()) })
    }
}

fn not_recorded(error: &GateError) -> StaffInput {
    tracing::error!(%error, "an act of staff could not be recorded");
    StaffInput::NotRecorded { message: error.to_string() }
}

#[cfg(test)]
#[path = "staff_tests.rs"]
mod tests;
