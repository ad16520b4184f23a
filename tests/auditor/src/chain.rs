//! Whether a device's journal is whole: numbers from 1 without gaps, each row naming the hash of the one before, one row a
//! number; and whether everybody has the rows that they must have.

use std::collections::BTreeMap;

use crate::export::{Export, Origin};
use crate::finding::{Finding, Findings, Kind};
use crate::ids::{DeviceId, RowId};
use crate::intake::{Entry, Journal, Journals};
use crate::material::{Material, place};
use crate::receipt::Receipt;

/// What the comparison came to, beside findings.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Compared {
    /// Rows that the cloud does not have and has not signed for.
    pub(crate) waiting: u64,
    /// Rows that receipts cover, that no export has, and of which the cloud's export was not given.
    pub(crate) only_receipted: u64,
    /// Receipts that fit their row.
    pub(crate) receipts: u64,
}

/// Checks every journal, and every receipt against it.
pub(crate) fn check(export: &Export, material: &Material, journals: &Journals, findings: &mut Findings) -> Compared {
    let mut compared = Compared::default();
    let mut covered: BTreeMap<(DeviceId, u64), u64> = BTreeMap::new();
    for (receipt, origin) in &material.receipts {
        let RowId { device, epoch, seq } = receipt.row;
        let upto = covered.entry((device, epoch)).or_default();
        *upto = seq.max(*upto);
        match fits(receipt, journals) {
            Ok(()) => compared.receipts += 1,
            Err(misfit) => findings.add(tell(receipt, misfit, export, *origin)),
        }
    }
    for (chain, journal) in &journals.by_chain {
        let covered = covered.get(chain).copied().unwrap_or(0);
        numbers(*chain, journal, covered, journals.cloud_given, &mut compared, findings);
        links(journal, findings);
        if journals.cloud_given {
            compare(journal, covered, &mut compared, findings);
        }
    }
    compared
}

enum Misfit {
    Nowhere,
    OtherHash,
    OtherEvent,
}

fn fits(receipt: &Receipt, journals: &Journals) -> Result<(), Misfit> {
    let RowId { device, epoch, seq } = receipt.row;
    let rows = journals.by_chain.get(&(device, epoch)).and_then(|journal| journal.get(&seq));
    let rows = rows.ok_or(Misfit::Nowhere)?;
    let row = rows.iter().find(|entry| entry.hash == receipt.hash).ok_or(Misfit::OtherHash)?;
    if row.row.event == receipt.event { Ok(()) } else { Err(Misfit::OtherEvent) }
}

fn tell(receipt: &Receipt, misfit: Misfit, export: &Export, origin: Origin) -> Finding {
    let RowId { device, epoch, seq } = receipt.row;
    let (kind, says) = match misfit {
        Misfit::Nowhere => (Kind::ReceiptWithoutRow, "and no export has that row"),
        Misfit::OtherHash => (Kind::ReceiptForOtherRow, "and the row with that number is another one"),
        Misfit::OtherEvent => (Kind::ReceiptForOtherRow, "and the row is another event's"),
    };
    let says = format!(
        "A receipt ({}) says that the cloud keeps row {seq} of device {device}, journal {epoch:016x}, {says}.",
        place(export, origin)
    );
    Finding::new(kind, says).by(device).from(origin)
}

/// Gaps, also before the first row and up to what receipts cover; and forks.
fn numbers(
    (device, epoch): (DeviceId, u64),
    journal: &Journal,
    covered: u64,
    cloud_given: bool,
    compared: &mut Compared,
    findings: &mut Findings,
) {
    let mut gap = |from: u64, upto: u64| {
        if !cloud_given && upto <= covered {
            compared.only_receipted = compared.only_receipted.saturating_add(upto - from + 1);
            return;
        }
        let which = if from == upto { format!("Row {from}") } else { format!("Rows {from} to {upto}") };
        let signed = if from <= covered { ", though the cloud has signed a receipt for it" } else { "" };
        let says = format!("{which} of device {device}, journal {epoch:016x}, stands in no export{signed}.");
        findings.add(Finding::new(Kind::RowMissing, says).by(device));
    };
    let mut last = 0u64;
    for seq in journal.keys() {
        if *seq > last + 1 {
            gap(last + 1, *seq - 1);
        }
        last = *seq;
    }
    if covered > last {
        gap(last + 1, covered);
    }
    for (seq, rows) in journal.iter().filter(|(_, rows)| rows.len() > 1) {
        let says = format!(
            "Device {device} signed {} different rows with number {seq} in journal {epoch:016x}: two pasts of one device.",
            rows.len()
        );
        findings.add(Finding::new(Kind::RowForked, says).by(device));
    }
}

/// Each row names the hash of one before it; the first names nothing.
fn links(journal: &Journal, findings: &mut Findings) {
    let mut before: Option<(u64, &[Entry])> = None;
    for (seq, rows) in journal {
        for entry in rows {
            let sound = match before {
                _ if *seq == 1 => entry.row.prev == [0; 32],
                Some((last, rows)) if last + 1 == *seq => rows.iter().any(|row| row.hash == entry.row.prev),
                // Across a gap nothing can be said; the gap is told.
                _ => true,
            };
            if !sound {
                let says = match *seq {
                    1 => "it is the first of its journal, and names a row before it.",
                    _ => "it does not follow the row before it, whose hash is another.",
                };
                findings.add(Finding::at(Kind::ChainBroken, &entry.row, says));
            }
        }
        before = Some((*seq, rows));
    }
}

/// What the cloud has against what devices and edges have.
fn compare(journal: &Journal, covered: u64, compared: &mut Compared, findings: &mut Findings) {
    let on_device = |rows: &Vec<Entry>| rows.iter().any(|entry| entry.copies.device);
    let device_end = journal.iter().rev().find(|(_, rows)| on_device(rows)).map_or(0, |(seq, _)| *seq);
    for (seq, rows) in journal {
        for entry in rows {
            let copies = entry.copies;
            if !copies.cloud && *seq <= covered {
                let says = "the cloud has signed for it and does not have it.";
                findings.add(Finding::at(Kind::RowLost, &entry.row, says));
            } else if !copies.cloud {
                compared.waiting += 1;
            } else if !copies.device && *seq < device_end && *seq > covered {
                let says = "the device's own export lacks it, and no receipt let the device forget it.";
                findings.add(Finding::at(Kind::RowGoneFromDevice, &entry.row, says));
            }
        }
    }
}
