//! The audit: from an export to a report, one question after the other.

use std::collections::{BTreeMap, BTreeSet};

use crate::acts::{self, Override};
use crate::admission::{self, Conflict, Counted};
use crate::chain::{self, Compared};
use crate::codes::{self, Checked};
use crate::export::{Export, ExportError};
use crate::finding::{Finding, Findings};
use crate::ids::DeviceId;
use crate::intake::{Journals, journals};
use crate::material::Material;
use crate::row::{Act, Outcome};
use crate::rules::{self, Unruled};

/// What was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Different rows in the export.
    pub rows: u64,
    /// Those that a certified device signed: all that follows is of these.
    pub believed: u64,
    pub devices: u64,
    pub journals: u64,
    pub scans: u64,
    pub admitted: u64,
    pub refused: u64,
    pub reviews: u64,
    pub tickets: u64,
    /// Guests on verified tickets, those of overrides too.
    pub guests_in: u64,
    pub guests_out: u64,
    pub overrides: u64,
    /// Guests whom supervisors let through, those without a ticket too.
    pub override_guests: u64,
    pub codes_verified: u64,
    pub codes_not_checkable: u64,
    pub receipts: u64,
    /// Rows that the cloud has neither got nor signed for yet.
    pub waiting: u64,
    pub differences: u64,
    pub conflicts: u64,
}

/// Something that the reader must know and that is no difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The stable name.
    pub name: &'static str,
    pub count: u64,
    pub sentence: String,
}

/// What an audit says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub organiser: String,
    /// Of the root that was believed, as people compare it.
    pub root_fingerprint: String,
    pub files: Vec<String>,
    pub totals: Totals,
    /// By kind, then as they stand in the journals. At most 100,000; `totals.differences` counts all.
    pub differences: Vec<Finding>,
    pub conflicts: Vec<Conflict>,
    pub overrides: Vec<Override>,
    pub notes: Vec<Note>,
}

impl Report {
    /// Nothing differs from what it must be. Conflicts and overrides are no differences.
    pub fn is_sound(&self) -> bool {
        self.totals.differences == 0
    }
}

/// Audits an export. `root_fingerprint` is the one that the caller knows from elsewhere: without it, an export made whole
/// cloth under another root would pass.
pub fn audit(export: &Export, root_fingerprint: Option<&str>) -> Result<Report, ExportError> {
    let (organiser, root) = export.root(root_fingerprint)?;
    let mut findings = Findings::default();
    let material = Material::gather(export, organiser, root, &mut findings);
    let journals = journals(export, &material, &mut findings);
    let compared = chain::check(export, &material, &journals, &mut findings);
    let overrides = acts::check(&journals, &mut findings);
    let checked = codes::check(&journals, &material, &mut findings);
    let unruled = rules::check(&journals, &material, &mut findings);
    let counted = admission::count(&journals, &material, &mut findings);

    let notes = notes(export, &material, &journals, compared, checked, unruled, &counted);
    let mut totals = totals(&journals);
    totals.tickets = counted.tickets;
    (totals.guests_in, totals.guests_out) = (counted.guests_in, counted.guests_out);
    (totals.codes_verified, totals.codes_not_checkable) = (checked.codes, checked.not_checkable);
    (totals.receipts, totals.waiting) = (compared.receipts, compared.waiting);
    totals.differences = (findings.list.len() as u64).saturating_add(findings.beyond);
    totals.conflicts = counted.conflicts.len() as u64;
    let mut differences = findings.list;
    differences.sort_by_key(|finding| finding.kind);
    Ok(Report {
        organiser: organiser.clone(),
        root_fingerprint: root.spoken_fingerprint(),
        files: export.files.clone(),
        totals,
        differences,
        conflicts: counted.conflicts,
        overrides,
        notes,
    })
}

fn totals(journals: &Journals) -> Totals {
    let devices: BTreeSet<DeviceId> = journals.by_chain.keys().map(|(device, _)| *device).collect();
    let mut totals = Totals {
        rows: journals.rows,
        devices: devices.len() as u64,
        journals: journals.by_chain.len() as u64,
        ..Totals::default()
    };
    for entry in journals.entries() {
        totals.believed += 1;
        match (entry.row.act, entry.row.outcome) {
            (Act::Override, _) => {
                totals.overrides += 1;
                totals.override_guests += u64::from(entry.row.guests);
            }
            (Act::Scan | Act::More, Outcome::Admit) => totals.admitted += 1,
            (Act::Scan | Act::More, Outcome::Refuse) => totals.refused += 1,
            (Act::Scan | Act::More, Outcome::Review) => totals.reviews += 1,
            _ => {}
        }
        totals.scans += u64::from(entry.row.act == Act::Scan);
    }
    totals
}

fn notes(
    export: &Export,
    material: &Material,
    journals: &Journals,
    compared: Compared,
    checked: Checked,
    unruled: Unruled,
    counted: &Counted,
) -> Vec<Note> {
    let mut notes = Vec::new();
    let mut note = |name, count: u64, sentence: &str| {
        if count > 0 {
            notes.push(Note { name, count, sentence: sentence.replace("{}", &count.to_string()) });
        }
    };
    note(
        "codes_not_checkable",
        checked.not_checkable,
        "{} short codes were not checkable: no `listed` line and no full code tells their phone's key.",
    );
    let no_cloud = u64::from(!journals.cloud_given && journals.rows > 0);
    note("no_cloud", no_cloud, "No row is the cloud's, so nothing was compared with what it has.");
    note(
        "rows_only_receipted",
        compared.only_receipted,
        "{} rows that receipts cover stand in no export; the cloud's export should have them.",
    );
    note("rows_waiting", compared.waiting, "{} rows are not the cloud's yet, and it has not signed for them.");
    note(
        "policy_missing",
        unruled.without_policy.max(checked.without_policy),
        "{} rows name a policy that no export has: lane, time and partition rule were not checked for them.",
    );
    note(
        "class_missing",
        counted.unknown_class,
        "{} tickets are of a class that no export describes, and were not counted.",
    );
    note("tickets_too_busy", counted.too_busy, "{} tickets have more than 2,000 passages: only their sum was checked.");
    note(
        "exits_without_entry",
        counted.exits_without_entry,
        "{} exits let out guests whose entry no export has; they give nothing back.",
    );
    note("rows_after_lease", unruled.after_lease, "{} rows outside a lease let nobody through, as it must be.");
    note(
        "class_changed",
        material.changed_classes() as u64,
        "{} classes had more than one state; the most generous one was applied.",
    );
    let mut by_device: BTreeMap<DeviceId, u64> = BTreeMap::new();
    for (device, _) in journals.by_chain.keys() {
        *by_device.entry(*device).or_default() += 1;
    }
    let again = by_device.values().filter(|journals| **journals > 1).count() as u64;
    note("journals_begun_again", again, "{} devices have more than one journal: they lost one, or began anew.");
    let unsigned = u64::from(material.knows_classes() || !export.listed.is_empty());
    note(
        "exporters_word",
        unsigned,
        "Classes and lists' entries are the exporter's word: nothing in the export signs for them.",
    );
    notes
}
