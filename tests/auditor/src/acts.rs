//! Whether a row says what a gate can say: its parts agree, staff answer for what staff do, and it follows a row it may follow.

use crate::finding::{Finding, Findings, Kind};
use crate::ids::{EventId, LaneId, TicketId};
use crate::intake::{Entry, Journal, Journals};
use crate::row::{Act, Direction, Outcome, Row, text_hash};

/// Guests whom a supervisor let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    pub place: crate::finding::Place,
    pub event: EventId,
    pub lane: LaneId,
    /// `None` where it was no verified ticket's.
    pub ticket: Option<TicketId>,
    pub guests: u8,
    pub direction: Direction,
    pub staff: Option<u16>,
    pub note: Option<String>,
    /// Why the gate had not let them in, where the override follows a row.
    pub refused_as: Option<String>,
}

/// Checks every row, and gathers the overrides.
pub(crate) fn check(journals: &Journals, findings: &mut Findings) -> Vec<Override> {
    let mut overrides = Vec::new();
    for journal in journals.by_chain.values() {
        for Entry { row, .. } in journal.values().flatten() {
            if let Some(says) = contradiction(row) {
                findings.add(Finding::at(Kind::RowContradictsItself, row, says));
            }
            if row.act == Act::Override && row.staff.is_none() {
                let says = "it let guests through as an override and names no member of staff.";
                findings.add(Finding::at(Kind::OverrideWithoutStaff, row, says));
            }
            let followed = row.of.and_then(|of| journal.get(&of)).map_or(&[][..], Vec::as_slice);
            if let Some(says) = follows_wrongly(row, followed, journal) {
                findings.add(Finding::at(Kind::FollowsWrongRow, row, says));
            }
            if row.act == Act::Override {
                overrides.push(overridden(row, followed));
            }
        }
    }
    overrides
}

fn overridden(row: &Row, followed: &[Entry]) -> Override {
    Override {
        place: crate::finding::Place::of(row),
        event: row.event,
        lane: row.lane,
        ticket: row.verified_ticket(),
        guests: row.guests,
        direction: row.direction,
        staff: row.staff,
        note: row.note.clone(),
        refused_as: followed.first().map(|entry| entry.row.reason.clone()),
    }
}

/// What in a row no gate would write, if there is something.
fn contradiction(row: &Row) -> Option<&'static str> {
    code_contradiction(row).or_else(|| match row.act {
        Act::Scan | Act::More => decision_contradiction(row),
        Act::Override | Act::ClockReset | Act::Unlock | Act::Released => staff_contradiction(row),
    })
}

fn code_contradiction(row: &Row) -> Option<&'static str> {
    match (&row.code, row.act) {
        (Some(_), Act::More | Act::Override | Act::ClockReset | Act::Unlock | Act::Released) => {
            Some("it carries a code, and no code was read for it.")
        }
        (Some(code), Act::Scan)
            if u64::from(row.code_length) != code.len() as u64 || text_hash(code) != row.code_hash =>
        {
            Some("its code is not the text that its hash and length are of.")
        }
        (None, Act::Scan) if row.ticket.is_some() => Some("it names a ticket, and has no code that says so."),
        _ => None,
    }
}

/// Of a row that the gate decided itself.
fn decision_contradiction(row: &Row) -> Option<&'static str> {
    let admits = match row.direction {
        Direction::In => "admitted",
        Direction::Out => "exited",
    };
    let of_an_admission = matches!(row.reason.as_str(), "admitted" | "exited" | "overridden" | "noted");
    match row.outcome {
        Outcome::Admit if row.reason != admits => Some("it let guests through, and its reason says otherwise."),
        Outcome::Refuse | Outcome::Review if of_an_admission => {
            Some("it let nobody through, and its reason says otherwise.")
        }
        Outcome::Admit if row.serial.is_none() || row.class.is_none() || row.ticket.is_none() => {
            Some("it let guests through on no verified ticket.")
        }
        Outcome::Refuse | Outcome::Review if row.grant.is_some() => Some("it used a grant, and let nobody through."),
        _ if row.staff.is_some() => Some("it names a member of staff, and the gate decides such rows itself."),
        _ if row.act == Act::Scan && row.of.is_some() => Some("it is a scan, and says that it follows another row."),
        _ if row.act == Act::More && row.of.is_none() => Some("it lets more guests in, and follows no row."),
        _ if row.act == Act::Scan && row.guests != 1 => Some("one scan is about more than one guest."),
        _ => None,
    }
}

/// Of a row that says what staff, or the device itself, did.
fn staff_contradiction(row: &Row) -> Option<&'static str> {
    let may_refuse = matches!(row.act, Act::Unlock | Act::Override);
    let reason = match (row.act, row.outcome) {
        // A supervisor's word ends with the gate's lease.
        (Act::Override, Outcome::Refuse) => "lease_expired",
        (Act::Override, _) => "overridden",
        _ => "noted",
    };
    match row.act {
        _ if row.reason != reason => Some("its reason is not that of its act."),
        _ if row.outcome == Outcome::Review || (row.outcome == Outcome::Refuse && !may_refuse) => {
            Some("its outcome is not one that its act can have.")
        }
        _ if row.grant.is_some() => Some("it used a grant, and its act needs none."),
        Act::ClockReset | Act::Unlock if row.staff.is_none() => Some("it names no member of staff."),
        Act::ClockReset | Act::Unlock | Act::Released if row.of.is_some() || row.ticket.is_some() => {
            Some("it is about a ticket or a row, and its act is about none.")
        }
        Act::Override if row.of.is_none() && row.ticket.is_some() => {
            Some("it names a ticket, and follows no row that has its code.")
        }
        _ => None,
    }
}

/// Whether a row follows one that it cannot follow. A followed row that is in no export is told as missing.
fn follows_wrongly(row: &Row, followed: &[Entry], journal: &Journal) -> Option<&'static str> {
    let of = row.of?;
    if of == 0 || of >= row.id.seq {
        return Some("it follows a row that was not there yet.");
    }
    if !journal.contains_key(&of) {
        return None;
    }
    let same = |before: &Row| {
        let verified = before.serial.is_some();
        (row.ticket, row.serial, row.class)
            == if verified { (before.ticket, before.serial, before.class) } else { (None, None, None) }
    };
    let fits = |before: &Row| match row.act {
        Act::More => before.outcome == Outcome::Admit && same(before),
        Act::Override => before.outcome != Outcome::Admit && same(before),
        Act::Scan | Act::ClockReset | Act::Unlock | Act::Released => true,
    };
    if followed.iter().any(|entry| fits(&entry.row)) {
        return None;
    }
    Some(match row.act {
        Act::More => "it lets more guests in on a ticket that the row it follows did not let in.",
        _ => "it overrides a row that needed no override, or takes another ticket than that row's.",
    })
}
