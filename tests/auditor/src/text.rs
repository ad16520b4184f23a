//! The report for people: totals, then one sentence a finding.

use std::fmt::Write as _;

use crate::admission::Conflict;
use crate::audit::{Report, Totals};
use crate::finding::Finding;
use crate::moment::utc;
use crate::passage::Passage;
use crate::row::Direction;

/// How many of one kind are shown; `--json` has them all.
const SHOWN: usize = 20;

/// The whole report.
pub fn to_text(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a text does not fail.
    let _ = write(&mut text, report);
    text
}

fn write(text: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(text, "{}", verdict(report))?;
    writeln!(
        text,
        "Organiser: {}. Root: {}; compare it with the one you know.",
        shown(&report.organiser),
        report.root_fingerprint
    )?;
    writeln!(text)?;
    totals(text, &report.totals)?;
    for group in report.differences.chunk_by(|one, other| one.kind == other.kind) {
        differences(text, group)?;
    }
    let beyond = report.totals.differences.saturating_sub(report.differences.len() as u64);
    if beyond > 0 {
        writeln!(text, "\n{beyond} more differences were counted and are not listed.")?;
    }
    conflicts(text, &report.conflicts)?;
    overrides(text, report)?;
    if !report.notes.is_empty() {
        writeln!(text, "\nTo know:")?;
        report.notes.iter().try_for_each(|note| writeln!(text, "  - {}", note.sentence))?;
    }
    Ok(())
}

fn verdict(report: &Report) -> String {
    match report.totals.differences {
        0 => "No difference was found.".to_owned(),
        1 => "One difference was found.".to_owned(),
        count => format!("{count} differences were found."),
    }
}

fn totals(text: &mut String, totals: &Totals) -> std::fmt::Result {
    let Totals { rows, believed, devices, journals, scans, admitted, refused, reviews, .. } = totals;
    writeln!(text, "Rows          {rows}, of them {believed} signed by a certified device")?;
    writeln!(text, "Devices       {devices}, with {journals} journals")?;
    writeln!(text, "Scans         {scans}")?;
    writeln!(text, "Decisions     {admitted} let through, {refused} refused, {reviews} for a supervisor")?;
    writeln!(text, "Overrides     {}, for {} guests", totals.overrides, totals.override_guests)?;
    writeln!(text, "Guests        {} in, {} out, on {} tickets", totals.guests_in, totals.guests_out, totals.tickets)?;
    writeln!(text, "Codes         {} verified, {} not checkable", totals.codes_verified, totals.codes_not_checkable)?;
    writeln!(text, "Receipts      {} that fit their row", totals.receipts)?;
    writeln!(text, "Conflicts     {}", totals.conflicts)
}

fn differences(text: &mut String, group: &[Finding]) -> std::fmt::Result {
    let Some(first) = group.first() else { return Ok(()) };
    writeln!(text, "\n{} ({}):", first.kind.title(), group.len())?;
    group.iter().take(SHOWN).try_for_each(|finding| writeln!(text, "  - {}", shown(&finding.sentence)))?;
    more(text, group.len())
}

fn more(text: &mut String, count: usize) -> std::fmt::Result {
    match count.checked_sub(SHOWN) {
        None | Some(0) => Ok(()),
        Some(more) => writeln!(text, "  and {more} more; --json lists them all."),
    }
}

fn conflicts(text: &mut String, conflicts: &[Conflict]) -> std::fmt::Result {
    if conflicts.is_empty() {
        return Ok(());
    }
    writeln!(
        text,
        "\nTickets with more guests inside than they allow ({}), which are conflicts and no differences:",
        conflicts.len()
    )?;
    for conflict in conflicts.iter().take(SHOWN) {
        let Conflict { event, ticket, allowed, most_inside, .. } = conflict;
        let how = if conflict.most_inside_without_overrides <= i64::from(*allowed) {
            ", by a supervisor's override"
        } else if conflict.certain {
            ""
        } else {
            ", unless a clock was off"
        };
        writeln!(text, "  - Ticket {ticket} of event {event} allows {allowed}, and {most_inside} were inside{how}:")?;
        conflict.passages.iter().take(SHOWN).try_for_each(|passage| writeln!(text, "      {}", step(passage)))?;
    }
    more(text, conflicts.len())
}

fn step(passage: &Passage) -> String {
    let way = if passage.direction == Direction::In { "in" } else { "out" };
    let by = if passage.by_override { ", by override" } else { "" };
    format!(
        "{} (+- {} ms), lane {}, device {}, row {}: {} {way}{by}",
        utc(passage.at_ms),
        passage.uncertainty_ms,
        passage.lane,
        passage.row.device,
        passage.row.seq,
        passage.guests
    )
}

fn overrides(text: &mut String, report: &Report) -> std::fmt::Result {
    if report.overrides.is_empty() {
        return Ok(());
    }
    writeln!(text, "\nOverrides ({}), which count apart:", report.overrides.len())?;
    for own in report.overrides.iter().take(SHOWN) {
        let staff = own.staff.map_or("nobody".to_owned(), |staff| format!("staff {staff}"));
        let ticket = own.ticket.map_or("no ticket".to_owned(), |ticket| format!("ticket {ticket}"));
        let why = own.refused_as.as_ref().map_or(String::new(), |reason| format!(", refused as `{}`", shown(reason)));
        let note = own
            .note
            .as_ref()
            .filter(|note| !note.is_empty())
            .map_or(String::new(), |note| format!(": \u{201c}{}\u{201d}", shown(note)));
        let guests = if own.guests == 1 { "1 guest".to_owned() } else { format!("{} guests", own.guests) };
        let lane = own.lane;
        writeln!(text, "  - {}, lane {lane}: {staff} for {guests}, {ticket}{why}{note}", utc(own.place.at_ms))?;
    }
    more(text, report.overrides.len())
}

/// A text from a row or a file, without what would steer a terminal.
fn shown(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}
