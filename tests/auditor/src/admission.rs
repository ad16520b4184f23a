//! Admissions counted again, per ticket: what a device let in beyond its own earlier rows, and what all lanes let in together.

use std::collections::BTreeMap;

use crate::finding::{Finding, Findings, Kind};
use crate::ids::{EventId, TicketId};
use crate::intake::{Entry, Journals};
use crate::material::Material;
use crate::passage::{Passage, in_order, inside, possibly_inside, surely_inside};
use crate::policy::Partition;
use crate::row::{Act, Direction, Row};

/// The most passages of one ticket that are held against each device; the count over all lanes has no such bound.
const MOST_PASSAGES: usize = 2_000;

/// A ticket admitted more often than it allows, over all lanes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    pub event: EventId,
    pub ticket: TicketId,
    pub allowed: u8,
    /// The most guests inside at a time, as gates count.
    pub most_inside: i64,
    /// The same without those whom a supervisor let in.
    pub most_inside_without_overrides: i64,
    /// However the clocks were off, more were inside than is allowed.
    pub certain: bool,
    /// In the walk's order.
    pub passages: Vec<Passage>,
}

/// What the count came to.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    pub(crate) conflicts: Vec<Conflict>,
    pub(crate) tickets: u64,
    pub(crate) guests_in: u64,
    pub(crate) guests_out: u64,
    /// Tickets whose class the export does not describe.
    pub(crate) unknown_class: u64,
    /// Tickets with too many passages to hold each device against its own.
    pub(crate) too_busy: u64,
    /// Exits that no entry in the export precedes.
    pub(crate) exits_without_entry: u64,
}

/// Counts every ticket.
pub(crate) fn count(journals: &Journals, material: &Material, findings: &mut Findings) -> Counted {
    let mut tickets: BTreeMap<(EventId, TicketId), Vec<(Passage, &Row)>> = BTreeMap::new();
    for Entry { row, .. } in journals.entries() {
        if let Some((ticket, passage)) = Passage::of(row) {
            tickets.entry(ticket).or_default().push((passage, row));
        }
    }
    let mut counted = Counted { tickets: tickets.len() as u64, ..Counted::default() };
    for ((event, ticket), passages) in tickets {
        for (passage, _) in &passages {
            match passage.direction {
                Direction::In => counted.guests_in += u64::from(passage.guests),
                Direction::Out => counted.guests_out += u64::from(passage.guests),
            }
        }
        one((event, ticket), &passages, material, &mut counted, findings);
    }
    counted
}

fn one(
    (event, ticket): (EventId, TicketId),
    passages: &[(Passage, &Row)],
    material: &Material,
    counted: &mut Counted,
    findings: &mut Findings,
) {
    let classes = passages.iter().filter_map(|(_, row)| row.class);
    let Some(allowed) = classes.filter_map(|class| material.admissions(event, class)).max() else {
        counted.unknown_class += 1;
        return;
    };
    let mut ordered: Vec<Passage> = passages.iter().map(|(passage, _)| *passage).collect();
    in_order(&mut ordered);
    if ordered.len() > MOST_PASSAGES {
        counted.too_busy += 1;
    } else {
        for (passage, row) in passages {
            by_its_own_rows(passage, row, &ordered, material, findings);
            counted.exits_without_entry += u64::from(is_exit_of_nobody(passage, &ordered));
        }
    }
    let most_inside = possibly_inside(&ordered).1;
    if most_inside <= i64::from(allowed) {
        return;
    }
    let own = |passage: &&Passage| !passage.by_override || passage.direction == Direction::Out;
    let most_inside_without_overrides = possibly_inside(ordered.iter().filter(own)).1;
    let certainly = surely_inside(ordered.iter().filter(own));
    if certainly > i64::from(allowed) && passages.iter().all(|(_, row)| was_strict(row, material)) {
        let says = format!(
            "Ticket {ticket} of event {event} had {certainly} guests inside without a supervisor's word and allows \
             {allowed}, though every lane followed the strict rule, under which that never happens."
        );
        findings.add(Finding::new(Kind::StrictBoundBroken, says).about(ticket));
    }
    counted.conflicts.push(Conflict {
        event,
        ticket,
        allowed,
        most_inside,
        most_inside_without_overrides,
        certain: surely_inside(&ordered) > i64::from(allowed),
        passages: ordered,
    });
}

/// A gate lets nobody in whom its own earlier rows use up. Other lanes' entries it may not have heard of, and other lanes'
/// exits it may have: so every exit that may have been before counts in its favour, and no foreign entry against it.
fn by_its_own_rows(passage: &Passage, row: &Row, ordered: &[Passage], material: &Material, findings: &mut Findings) {
    let decided = passage.direction == Direction::In && matches!(row.act, Act::Scan | Act::More);
    let class = row.class.and_then(|class| material.admissions(row.event, class));
    let Some(allowed) = class.filter(|_| decided) else { return };
    let latest = row.span_ms().1;
    let known = ordered.iter().filter(|other| {
        if is_earlier_row(other, passage) {
            return true;
        }
        let own_later = (other.row.device, other.row.epoch) == (passage.row.device, passage.row.epoch);
        other.direction == Direction::Out && !own_later && other.span_ms().0 <= latest
    });
    let (before, _) = inside(known);
    let with = before.saturating_add(i64::from(passage.guests));
    if with > i64::from(allowed) {
        let says = format!(
            "it let {} in on a ticket that allows {allowed}, and by this device's own earlier rows {before} {} inside.",
            if passage.guests == 1 { "a guest".to_owned() } else { format!("{} guests", passage.guests) },
            if before == 1 { "was" } else { "were" },
        );
        findings.add(Finding::at(Kind::AdmittedAgain, row, says));
    }
}

fn is_earlier_row(other: &Passage, than: &Passage) -> bool {
    (other.row.device, other.row.epoch) == (than.row.device, than.row.epoch) && other.row.seq < than.row.seq
}

/// An exit is admitted only where somebody is known to be inside: by its own rows, or by any entry that may have been before.
fn is_exit_of_nobody(passage: &Passage, ordered: &[Passage]) -> bool {
    if passage.direction == Direction::In || passage.by_override {
        return false;
    }
    let latest = passage.span_ms().1;
    let known = ordered.iter().filter(|other| {
        is_earlier_row(other, passage) || (other.direction == Direction::In && other.span_ms().0 <= latest)
    });
    inside(known).0 < i64::from(passage.guests)
}

/// Whether this row was decided under the strict rule, or cannot have broken it.
fn was_strict(row: &Row, material: &Material) -> bool {
    if row.act == Act::Override || row.direction == Direction::Out {
        return true;
    }
    let policy = material.policies.get(&(row.event, row.policy_version));
    let class = row.class;
    policy.zip(class).is_some_and(|(policy, class)| policy.at(row.at_ms).partition_of(class) == Partition::Strict)
}
