//! The report for programs: one JSON object. Ids are texts, since a number of 64 bits does not survive every reader.

use serde_json::{Value, json};

use crate::acts::Override;
use crate::admission::Conflict;
use crate::audit::{Report, Totals};
use crate::finding::{Finding, Place};
use crate::passage::Passage;
use crate::row::Direction;

/// The whole report.
pub fn to_json(report: &Report) -> Value {
    let files = &report.files;
    json!({
        "format": "turnstone-audit-v1",
        "sound": report.is_sound(),
        "organiser": report.organiser,
        "root_fingerprint": report.root_fingerprint,
        "files": files,
        "totals": totals(&report.totals),
        "differences": report.differences.iter().map(|finding| difference(finding, files)).collect::<Vec<_>>(),
        "conflicts": report.conflicts.iter().map(conflict).collect::<Vec<_>>(),
        "overrides": report.overrides.iter().map(overridden).collect::<Vec<_>>(),
        "notes": report.notes.iter().map(|note| json!({
            "name": note.name, "count": note.count, "sentence": note.sentence,
        })).collect::<Vec<_>>(),
    })
}

fn totals(totals: &Totals) -> Value {
    json!({
        "rows": totals.rows,
        "believed": totals.believed,
        "devices": totals.devices,
        "journals": totals.journals,
        "scans": totals.scans,
        "admitted": totals.admitted,
        "refused": totals.refused,
        "reviews": totals.reviews,
        "tickets": totals.tickets,
        "guests_in": totals.guests_in,
        "guests_out": totals.guests_out,
        "overrides": totals.overrides,
        "override_guests": totals.override_guests,
        "codes_verified": totals.codes_verified,
        "codes_not_checkable": totals.codes_not_checkable,
        "receipts": totals.receipts,
        "waiting": totals.waiting,
        "differences": totals.differences,
        "conflicts": totals.conflicts,
    })
}

fn difference(finding: &Finding, files: &[String]) -> Value {
    json!({
        "kind": finding.kind.name(),
        "sentence": finding.sentence,
        "row": finding.place.as_ref().map(place),
        "device": finding.device.map(|device| device.to_string()),
        "ticket": finding.ticket.map(|ticket| ticket.to_string()),
        "file": finding.origin.and_then(|origin| files.get(origin.file)),
        "line": finding.origin.map(|origin| origin.line),
    })
}

fn place(place: &Place) -> Value {
    json!({
        "device": place.row.device.to_string(),
        "journal": format!("{:016x}", place.row.epoch),
        "seq": place.row.seq,
        "event": place.event,
        "lane": place.lane,
        "at_ms": place.at_ms,
        "uncertainty_ms": place.uncertainty_ms,
    })
}

fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::In => "in",
        Direction::Out => "out",
    }
}

fn conflict(conflict: &Conflict) -> Value {
    let passage = |passage: &Passage| {
        json!({
            "device": passage.row.device.to_string(),
            "journal": format!("{:016x}", passage.row.epoch),
            "seq": passage.row.seq,
            "lane": passage.lane,
            "at_ms": passage.at_ms,
            "uncertainty_ms": passage.uncertainty_ms,
            "direction": direction(passage.direction),
            "guests": passage.guests,
            "by_override": passage.by_override,
        })
    };
    json!({
        "event": conflict.event,
        "ticket": conflict.ticket.to_string(),
        "allowed": conflict.allowed,
        "most_inside": conflict.most_inside,
        "most_inside_without_overrides": conflict.most_inside_without_overrides,
        "certain": conflict.certain,
        "passages": conflict.passages.iter().map(passage).collect::<Vec<_>>(),
    })
}

fn overridden(own: &Override) -> Value {
    json!({
        "row": place(&own.place),
        "ticket": own.ticket.map(|ticket| ticket.to_string()),
        "guests": own.guests,
        "direction": direction(own.direction),
        "staff": own.staff,
        "note": own.note,
        "refused_as": own.refused_as,
    })
}
