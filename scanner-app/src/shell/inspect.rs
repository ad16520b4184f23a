//! What a data folder holds, for people and programs: `scanner-app journal`, `check` and `recorder`.
//!
//! Codes as they were read are not printed: a printed ticket's code stays good. Their hashes tell them apart.

use std::io::Write;
use std::path::Path;

use gate_core::row::{RowBody, SignedRow, marks};
use gate_core::{Detail, Outcome};
use serde_json::{Value, json};
use ticket_signer::PublicKey;

use super::clock::{Clock, random_u64, system_ms};
use super::journal::{Database, FILE, Journal, JournalError, Use};
use super::keystore::{self, KeyStoreError};
use super::places::{self, Standing};
use super::recorder::{self, Ask, RingError};

/// Why nothing could be inspected.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    #[error("There is no handheld's database in {0}. Give the folder that the handheld was started with after --data")]
    Nothing(String),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Key(#[from] KeyStoreError),
    #[error(transparent)]
    Recorder(#[from] RingError),
    #[error("There is no device key in {0}, so the journal's signatures cannot be checked")]
    NoKey(String),
    #[error("The output cannot be written: {0}")]
    Output(#[from] std::io::Error),
}

pub(super) fn open(folder: &Path) -> Result<(Database, Journal), InspectError> {
    if !folder.join(FILE).exists() {
        return Err(InspectError::Nothing(folder.display().to_string()));
    }
    let database = Database::open(folder, None, random_u64())?;
    let journal = database.connect(Use::Background)?;
    Ok((database, journal))
}

/// Prints every row in order. False if the chain does not stand.
pub fn journal(folder: &Path, as_json: bool, out: &mut dyn Write) -> Result<bool, InspectError> {
    let (_, journal) = open(folder)?;
    let key = device_key(folder)?;
    let progress = journal.progress()?;
    let forgotten = journal.base()?.seq;
    let mut failed = None;
    let audit = journal.audit(&key, |body, row| {
        let line = if as_json { row_json(body, row, progress.receipted_seq).to_string() } else { row_text(body) };
        if let Err(error) = writeln!(out, "{line}") {
            failed.get_or_insert(error);
        }
    })?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    let sound = audit.is_ok();
    match audit {
        Ok(last) if as_json => {
            let summary = json!({
                "rows": last - forgotten, "forgotten": forgotten, "chain": "whole", "shown_seq": progress.shown_seq,
                "receipted_seq": progress.receipted_seq,
            });
            writeln!(out, "{}", json!({ "summary": summary }))?;
        }
        Ok(last) => writeln!(
            out,
            "{} rows{}; chain and signatures are whole; receipted up to {}, shown up to {}",
            last - forgotten,
            if forgotten > 0 { format!(" ({forgotten} before them were forgotten by policy)") } else { String::new() },
            progress.receipted_seq,
            progress.shown_seq
        )?,
        Err(fault) if as_json => writeln!(out, "{}", json!({ "summary": { "chain": fault.to_string() } }))?,
        Err(fault) => writeln!(out, "The chain does not stand: {fault}. Take the handheld out of use and keep it.")?,
    }
    Ok(sound)
}

fn device_key(folder: &Path) -> Result<PublicKey, InspectError> {
    let key = keystore::read(folder)?.ok_or_else(|| InspectError::NoKey(folder.display().to_string()))?;
    Ok(key.public())
}

fn row_json(body: &RowBody, row: &SignedRow, receipted_seq: u64) -> Value {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let marked = |bit: u8| body.marks & bit != 0;
    json!({
        "seq": body.seq,
        "epoch": format!("{:016x}", body.epoch),
        "hash": hex(&row.hash()),
        "device": body.device.to_string(),
        "event_id": body.event.0,
        "lane_id": body.lane.0,
        "at_ms": body.at_ms,
        "uncertainty_ms": body.uncertainty_ms,
        "offset_ms": body.offset_ms,
        "outcome": body.outcome().map(Outcome::name),
        "reason": body.reason,
        "detail": body.detail.map(detail_json),
        "ticket": body.ticket.map(|ticket| ticket.to_string()),
        "serial": body.serial.map(|serial| serial.get()),
        "class": body.class.map(|class| class.0),
        "unlisted": marked(marks::UNLISTED),
        "flagged": marked(marks::FLAGGED),
        "clock_in_doubt": marked(marks::CLOCK_IN_DOUBT),
        "check_entitlement": marked(marks::CHECK_ENTITLEMENT),
        "code_sha256": hex(&body.code_hash),
        "code_length": body.code_length,
        "list_version": body.list_version,
        "policy_version": body.policy_version,
        "receipted": body.seq <= receipted_seq,
    })
}

fn detail_json(detail: Detail) -> Value {
    match detail {
        Detail::UsedAt { at_ms, lane } => json!({ "at_ms": at_ms, "lane_id": lane.0 }),
        Detail::OtherEvent { event } => json!({ "event_id": event.0 }),
        Detail::Window { edge_s } => json!({ "edge_ms": i64::from(edge_s) * 1000 }),
        Detail::GoTo { lane } => json!({ "lane_id": lane.0 }),
        Detail::Skew { seconds } => json!({ "skew_s": seconds }),
        Detail::Count { nth, of } => json!({ "nth": nth, "of": of }),
        Detail::Left { guests } => json!({ "guests_left": guests }),
    }
}

fn row_text(body: &RowBody) -> String {
    let at = jiff::Timestamp::from_millisecond(body.at_ms).map_or_else(|_| "?".to_owned(), |at| at.to_string());
    let ticket = body.ticket.map_or_else(|| "-".to_owned(), |ticket| ticket.to_string());
    let outcome = body.outcome().map_or("?", Outcome::name);
    format!("{:>6}  {at}  {outcome:<6}  {:<22}  {ticket}", body.seq, body.reason)
}

/// Says how the data folder stands. False if something is wrong.
pub fn check(folder: &Path, as_json: bool, out: &mut dyn Write) -> Result<bool, InspectError> {
    let (database, journal) = open(folder)?;
    let settings = journal.settings()?;
    let progress = journal.progress()?;
    let forgotten = journal.base()?.seq;
    let clock = Clock::new(journal.anchor()?).read();
    let key = keystore::read(folder)?;
    let (place, list) = match places::load(&journal)? {
        Standing::Nowhere => (json!(if journal.wiped()?.is_some() { "wiped" } else { "none" }), Value::Null),
        Standing::Pending(record) => (json!({ "server": record.server, "state": "pending" }), Value::Null),
        Standing::Wiped(record, _) => (json!({ "server": record.server, "state": "wiped" }), Value::Null),
        Standing::Placed(record, station) => {
            let list = journal.live_list(station.event_id())?;
            let place = json!({
                "server": record.server, "state": "confirmed", "device": record.device.to_string(),
                "event": station.event.name, "lane": station.lane_name(station.lane),
                "lease_until_ms": station.lease_until_ms, "policy_version": station.policy_version(),
            });
            let list = list.map(|list| {
                json!({
                    "version": list.version, "tickets": list.tickets, "revoked": list.revoked,
                    "issued_at_ms": list.issued_at_s * 1000, "expires_at_ms": list.expires_at_s * 1000,
                })
            });
            (place, list.unwrap_or(Value::Null))
        }
    };
    let chain = match &key {
        Some(key) => match journal.audit(&key.public(), |_, _| {})? {
            Ok(_) => "whole".to_owned(),
            Err(fault) => fault.to_string(),
        },
        None if progress.head.seq == 0 => "empty".to_owned(),
        None => "the device's key is missing".to_owned(),
    };
    let sound = matches!(chain.as_str(), "whole" | "empty");
    let [journal_mode, synchronous, foreign_keys] = settings;
    let found = json!({
        "database": { "bytes": database.size_bytes(), "journal_mode": journal_mode, "synchronous": synchronous, "foreign_keys": foreign_keys },
        "journal": { "rows": progress.head.seq - forgotten, "forgotten": forgotten, "chain": chain, "receipted_seq": progress.receipted_seq, "shown_seq": progress.shown_seq },
        "replay": database.is_replay()?,
        "fingerprint": key.map(|key| key.public().spoken_fingerprint()),
        "place": place,
        "list": list,
        "clock": { "now_ms": clock.now_ms, "uncertainty_ms": clock.uncertainty_ms, "in_doubt": clock.in_doubt },
    });
    if as_json {
        writeln!(out, "{found}")?;
    } else {
        writeln!(out, "{found:#}")?;
        writeln!(
            out,
            "{}",
            if sound { "All is well." } else { "Something is wrong; see \"chain\". Keep this handheld." }
        )?;
    }
    Ok(sound)
}

/// Passes a request on to the recorder of a data folder, and says how its recordings stand.
pub fn recorder(
    folder: &Path,
    ask: Ask,
    options: recorder::Options,
    as_json: bool,
    out: &mut dyn Write,
) -> Result<(), InspectError> {
    let (_, journal) = open(folder)?;
    let now_ms = Clock::new(journal.anchor()?).read().now_ms;
    let (asked, kept) = recorder::ask(folder, ask, options, now_ms, system_ms())?;
    let frames = asked.map_or(0, |asked| asked.frames);
    if as_json {
        let found = json!({
            "state": if frames > 0 { "on" } else { "off" },
            "frames_max": (frames > 0).then_some(frames),
            "frames": kept.frames,
            "bytes": kept.bytes,
            "oldest_ms": kept.oldest_ms,
            "newest_ms": kept.newest_ms,
            "kept_hours": options.kept_hours,
        });
        writeln!(out, "{found}")?;
        return Ok(());
    }
    match frames {
        0 => writeln!(out, "Recording is off, but for a handheld that was started with --record.")?,
        frames => writeln!(out, "Recording is on: the last {frames} pictures in which no code is read.")?,
    }
    let time =
        |at_ms: i64| jiff::Timestamp::from_millisecond(at_ms).map_or_else(|_| "?".to_owned(), |at| at.to_string());
    match (kept.oldest_ms, kept.newest_ms) {
        (Some(oldest), Some(newest)) => writeln!(
            out,
            "{} pictures are kept, {} KiB, taken from {} to {}. Each goes {} hours after it was taken.",
            kept.frames,
            kept.bytes.div_ceil(1024),
            time(oldest),
            time(newest),
            options.kept_hours,
        )?,
        _ => writeln!(out, "No picture is kept.")?,
    }
    Ok(())
}
