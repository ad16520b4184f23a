//! This handheld's journal as an auditor reads it: JSON Lines, which `turnstone-auditor` checks without this code.
//!
//! Its fields are in the auditor's documentation. The file holds codes of printed tickets, which stay good: it is readable for
//! its owner alone.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::inspect::{self, InspectError};
use super::journal::{Journal, JournalError};

/// Rows taken from the journal at a time.
const BATCH: usize = 1_000;

/// Why nothing was exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error(transparent)]
    Inspect(#[from] InspectError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("This handheld has not been confirmed yet, so it has journalled nothing")]
    Nowhere,
    #[error("{file} cannot be made: {error}. Name a new file")]
    New { file: String, error: std::io::Error },
    #[error("{file} cannot be written: {error}")]
    Write { file: String, error: std::io::Error },
}

/// Writes the journal in `folder` to a new file; the number of rows.
pub fn export(folder: &Path, file: &Path) -> Result<u64, ExportError> {
    let (_, journal) = inspect::open(folder)?;
    let station = journal.station()?.and_then(|station| station.confirmed).ok_or(ExportError::Nowhere)?;
    let name = || file.display().to_string();
    let mut lines = vec![json!({ "kind": "root", "organiser": station.organiser, "key": spell(&station.root) })];
    let mut say = |kind: &str, bytes: &[u8]| lines.push(json!({ "kind": kind, "bytes": spell(bytes) }));
    station.certificates.iter().for_each(|bytes| say("certificate", bytes));
    station.revocations.iter().for_each(|bytes| say("key_revocation", bytes));
    say("device_certificate", &station.device_certificate);
    station.policy.iter().for_each(|bytes| say("policy", bytes));
    journal.receipts()?.iter().for_each(|bytes| say("receipt", bytes));
    let event = station.event.id;
    lines.extend(journal.classes(ticket_signer::EventId(event))?.into_iter().map(|class| {
        json!({
            "kind": "class", "event": event, "class": class.class.0, "name": class.name,
            "valid_from_s": class.valid_from_s, "valid_until_s": class.valid_until_s,
            "admissions": class.admissions, "flags": class.flags,
        })
    }));
    let new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    let mut out = BufWriter::new(new.map_err(|error| ExportError::New { file: name(), error })?);
    let written = write(&mut out, &lines).map_err(|error| ExportError::Write { file: name(), error });
    let rows = written.and_then(|()| write_rows(&journal, &mut out, &name()));
    if rows.is_err() {
        // Half an export would pass for a whole one.
        let _ = fs::remove_file(file);
    }
    rows
}

fn write_rows(journal: &Journal, out: &mut BufWriter<File>, file: &str) -> Result<u64, ExportError> {
    let failed = |error| ExportError::Write { file: file.to_owned(), error };
    let base = journal.base()?.seq;
    let mut seq = base;
    loop {
        let rows = journal.rows_after(seq, BATCH)?;
        if rows.is_empty() {
            out.flush().and_then(|()| out.get_ref().sync_all()).map_err(failed)?;
            return Ok(seq - base);
        }
        seq += rows.len() as u64;
        let lines: Vec<Value> = rows
            .iter()
            .map(|row| {
                json!({
                    "kind": "row", "source": "device", "bytes": spell(&row.bytes), "signature": spell(&row.signature),
                })
            })
            .collect();
        write(out, &lines).map_err(failed)?;
    }
}

fn write(out: &mut BufWriter<File>, lines: &[Value]) -> std::io::Result<()> {
    lines.iter().try_for_each(|line| writeln!(out, "{line}"))
}

fn spell(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
