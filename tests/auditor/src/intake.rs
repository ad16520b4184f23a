//! From exported rows to journals: each row once, readable, and signed by a device that was certified for its event.

use std::collections::BTreeMap;

use crate::export::{Export, Origin, RowLine, Source};
use crate::finding::{Finding, Findings, Kind};
use crate::ids::{DeviceId, EventId};
use crate::keys::SIGNATURE;
use crate::material::{Lease, Material, place};
use crate::row::{Row, chain_hash, signed_by};

/// How many signatures may be tried against other devices' keys, to say whose they are.
const TRIES: u32 = 20_000;
/// The most different signatures that are looked at for the bytes of one row.
const MOST_SIGNATURES: usize = 8;

/// Whose copies there are of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Copies {
    pub(crate) cloud: bool,
    pub(crate) edge: bool,
    pub(crate) device: bool,
}

/// A row that its device wrote.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) row: Row,
    pub(crate) hash: [u8; 32],
    pub(crate) copies: Copies,
    pub(crate) lease: Lease,
}

/// One journal: rows by number. More than one row at a number is a fork.
pub(crate) type Journal = BTreeMap<u64, Vec<Entry>>;

/// Every journal that has a believed row, and what else was counted.
#[derive(Debug, Default)]
pub(crate) struct Journals {
    pub(crate) by_chain: BTreeMap<(DeviceId, u64), Journal>,
    /// Different rows, believed or not.
    pub(crate) rows: u64,
    /// Any row was the cloud's: then what it has can be compared.
    pub(crate) cloud_given: bool,
}

impl Journals {
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.by_chain.values().flat_map(BTreeMap::values).flatten()
    }
}

/// The bytes of one row, with everything that was exported of it.
#[derive(Default)]
struct Seen<'a> {
    copies: Copies,
    signatures: Vec<(&'a [u8; SIGNATURE], Origin)>,
    /// In which files it stands, and as whose copy.
    stands: Vec<(usize, Source)>,
    doubled: Option<Origin>,
}

impl<'a> Seen<'a> {
    fn add(&mut self, line: &'a RowLine) {
        match line.source {
            Source::Cloud => self.copies.cloud = true,
            Source::Edge => self.copies.edge = true,
            Source::Device => self.copies.device = true,
        }
        let stands = (line.origin.file, line.source);
        if self.stands.contains(&stands) {
            self.doubled.get_or_insert(line.origin);
        } else {
            self.stands.push(stands);
        }
        let known = self.signatures.iter().any(|(signature, _)| **signature == line.signature);
        if !known && self.signatures.len() < MOST_SIGNATURES {
            self.signatures.push((&line.signature, line.origin));
        }
    }
}

/// Takes every row in.
pub(crate) fn journals(export: &Export, material: &Material, findings: &mut Findings) -> Journals {
    let mut rows: BTreeMap<&[u8], Seen<'_>> = BTreeMap::new();
    for line in &export.rows {
        rows.entry(&line.bytes).or_default().add(line);
    }
    let mut intake = Intake { export, material, tries: TRIES, uncertified: BTreeMap::new(), findings };
    let mut journals = Journals {
        rows: rows.len() as u64,
        cloud_given: export.rows.iter().any(|line| line.source == Source::Cloud),
        ..Journals::default()
    };
    for (bytes, seen) in rows {
        if let Some(entry) = intake.entry(bytes, &seen) {
            let id = entry.row.id;
            let journal = journals.by_chain.entry((id.device, id.epoch)).or_default();
            journal.entry(id.seq).or_default().push(entry);
        }
    }
    intake.tell_uncertified();
    journals
}

struct Intake<'a> {
    export: &'a Export,
    material: &'a Material,
    tries: u32,
    /// Rows of devices that have no certificate for the row's event.
    uncertified: BTreeMap<(DeviceId, EventId), u64>,
    findings: &'a mut Findings,
}

impl Intake<'_> {
    fn entry(&mut self, bytes: &[u8], seen: &Seen<'_>) -> Option<Entry> {
        let (_, first) = seen.signatures.first()?;
        let row = match Row::read(bytes) {
            Ok(row) => row,
            Err(fault) => {
                let says = format!("The row at {} counts for nothing: {fault}.", place(self.export, *first));
                self.findings.add(Finding::new(Kind::RowUnreadable, says).from(*first));
                return None;
            }
        };
        if let Some(origin) = seen.doubled {
            let says = format!("it stands twice in one export, the second time at {}.", place(self.export, origin));
            self.findings.add(Finding::at(Kind::RowDoubled, &row, says).from(origin));
        }
        let Some(keys) = self.material.devices.get(&(row.id.device, row.event)) else {
            *self.uncertified.entry((row.id.device, row.event)).or_default() += 1;
            return None;
        };
        let mut lease: Option<Lease> = None;
        for (signature, origin) in &seen.signatures {
            match keys.iter().find(|known| signed_by(&known.key, bytes, signature)) {
                Some(known) => {
                    let stands = known.lease(&row);
                    lease = Some(lease.map_or(stands, |other| other.min(stands)));
                }
                None => self.tell_forged(&row, bytes, signature, *origin),
            }
        }
        let hash = chain_hash(bytes);
        lease.map(|lease| Entry { row, hash, copies: seen.copies, lease })
    }

    fn tell_forged(&mut self, row: &Row, bytes: &[u8], signature: &[u8; SIGNATURE], origin: Origin) {
        let others = self.material.devices.iter().filter(|((device, _), _)| *device != row.id.device);
        let mut signer = None;
        for ((device, _), known) in others.flat_map(|(whose, keys)| keys.iter().map(move |known| (whose, known))) {
            if self.tries == 0 || signer.is_some() {
                break;
            }
            self.tries -= 1;
            signer = signed_by(&known.key, bytes, signature).then_some(*device);
        }
        let at = place(self.export, origin);
        let finding = match signer {
            Some(device) => {
                let says = format!("device {device} signed it, in another's name ({at}).");
                Finding::at(Kind::RowOfOtherDevice, row, says)
            }
            None => {
                let says =
                    format!("its signature is not its device's ({at}): it was changed, or somebody else made it.");
                Finding::at(Kind::RowForged, row, says)
            }
        };
        self.findings.add(finding.from(origin));
    }

    fn tell_uncertified(&mut self) {
        for ((device, event), rows) in &self.uncertified {
            let says = format!(
                "Device {device} has no certificate for event {event} that is to be believed, so its rows there ({rows}) \
                 count for nothing."
            );
            self.findings.add(Finding::new(Kind::DeviceUnknown, says).by(*device));
        }
    }
}
