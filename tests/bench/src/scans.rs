//! Merging: 100,000 journal rows of ten handhelds, through the server's own handler and group-commit writer.
//!
//! Uploads are made and signed beforehand, so that only the server's work is measured. Each device sends its uploads one
//! after the other, as a handheld does; the ten send at the same time.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use bytes::Bytes;
use gate_core::chain::ChainHead;
use gate_core::decide::Detail;
use gate_core::merge;
use gate_core::row::{RowBody, text_hash};
use gate_core::wire::v1::{ScanAnswer, ScanUpload};
use gate_core::wire::{from_cbor, to_cbor};
use gate_core::{Outcome, Reason};
use http::Request;
use http_body_util::Full;
use ticket_signer::LaneId;

use crate::machine;
use crate::report::{Samples, Section, Unit};
use crate::server::{Device, NOW_MS, Server};
use crate::site::{self, EVENT, Guest, NOW_S};

const ROWS: usize = 100_000;
const ROWS_IN_UPLOAD: usize = 500;
const TIME_MAX_S: f64 = 5.0;
/// Every tenth row is a refusal, every hundredth an admission of a ticket that another lane admitted: a conflict.
const REFUSED_EVERY: usize = 10;
const REPEATED_EVERY: usize = 100;

/// One device's uploads, ready to be sent.
struct Uploads {
    requests: Vec<Request<Full<Bytes>>>,
    bodies: Vec<Vec<u8>>,
}

/// What ten devices got for all of their uploads.
struct Taken {
    wall: Duration,
    answers: Samples,
    stored: u64,
}

pub async fn run(server: Arc<Server>, guests: &[Guest]) -> Result<Section> {
    let mut section = Section::new(format!(
        "Merging {ROWS} scans: {} devices at once, {ROWS_IN_UPLOAD} rows an upload, every signature checked",
        server.devices.len()
    ));
    let mut all = Vec::new();
    for at in 0..server.devices.len() {
        all.push(uploads(&server, at, guests)?);
    }
    let bodies: Vec<Vec<Vec<u8>>> = all.iter().map(|uploads| uploads.bodies.clone()).collect();
    let again = all.first().and_then(|first| first.requests.first()).context("nothing to send")?.clone();

    let before = server.meter.read();
    let used = machine::process_time();
    let taken = send_all(&server, all).await?;
    let used = machine::process_time() - used;
    let store = server.meter.read().since(&before);
    ensure!(taken.stored == ROWS as u64, "{} of {ROWS} rows were stored", taken.stored);
    let (status, bytes) = server.send(again).await?;
    let repeated: ScanAnswer = from_cbor(&bytes)?;
    ensure!(
        status.is_success() && repeated.stored == 0 && repeated.duplicates as usize == ROWS_IN_UPLOAD,
        "the same upload again was not recognised: {repeated:?}"
    );

    let wall = taken.wall.as_secs_f64();
    section.figure(format!("{ROWS} scans merged, first request to last answer"), wall, "s", Some(TIME_MAX_S));
    section.figure("  scans a second", ROWS as f64 / wall, "", None);
    section.spread(
        format!("an upload of {ROWS_IN_UPLOAD}, request to receipt"),
        Unit::Milliseconds,
        &taken.answers,
        None,
    );
    let (decoding, checking) = alone(&server, &bodies)?;
    let seconds = |time: Duration| time.as_secs_f64();
    section.figure("  processor time, all threads", seconds(used), "s", None);
    section.figure("  processor time: signatures and rows (measured apart)", seconds(checking), "s", None);
    section.figure("  processor time: reading CBOR (measured apart)", seconds(decoding), "s", None);
    section.figure("  processor time: SQL statements", seconds(store.statements_processor), "s", None);
    section.figure("  processor time: commits", seconds(store.commit_processor), "s", None);
    section.figure("  elapsed: SQL statements, one writer", seconds(store.statements), "s", None);
    section.figure(format!("  elapsed: {} commits, each synced", store.commits), seconds(store.commit), "s", None);
    let share = |part: Duration| 100.0 * part.as_secs_f64() / used.as_secs_f64().max(1e-9);
    section.note(format!(
        "Shares of the processor time: signatures and rows {:.0} %, SQLite {:.0} %. The elapsed times include waiting for the disk and for a free core. Signatures are checked on all cores; the database has one writer.",
        share(checking),
        share(store.statements_processor + store.commit_processor)
    ));
    section.note(format!(
        "One row in {REFUSED_EVERY} is a refusal, one in {REPEATED_EVERY} admits a ticket that another lane admitted. Sent again, an upload changed nothing (checked)."
    ));
    Ok(section)
}

/// Rows of one device as it would have journalled them: its own tenth of the queue.
fn uploads(server: &Server, at: usize, guests: &[Guest]) -> Result<Uploads> {
    let device = &server.devices[at];
    let queue = site::queue(guests, 7);
    let rows_of_one = ROWS / server.devices.len();
    let mut head = ChainHead::start(0xE0 + at as u64);
    let (mut requests, mut bodies, mut rows) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..rows_of_one {
        // The neighbour's guest at the same place was admitted there too.
        let whose = if number % REPEATED_EVERY == 1 { (at + 1) % server.devices.len() } else { at };
        let guest = queue[(whose * rows_of_one + number) % queue.len()];
        let row = row(device, guest, head, number)?.sign(&device.key);
        head = ChainHead { seq: head.seq + 1, hash: row.hash(), ..head };
        rows.push(row.into());
        if rows.len() == ROWS_IN_UPLOAD {
            let upload = ScanUpload { event: EVENT.0, rows: std::mem::take(&mut rows) };
            let body = to_cbor(&upload)?;
            requests.push(device.request("POST", "/gate/v1/scans", body.clone())?);
            bodies.push(body);
        }
    }
    ensure!(rows.is_empty(), "the rows do not fill whole uploads");
    Ok(Uploads { requests, bodies })
}

/// One scan: an admission, or every so often a refusal. Four scans a second at each lane.
fn row(device: &Device, guest: &Guest, head: ChainHead, number: usize) -> Result<RowBody> {
    let text = guest.short(NOW_S)?.to_text();
    let at_ms = NOW_MS - 3_600_000 + number as i64 * 250;
    let refused = number.is_multiple_of(REFUSED_EVERY);
    let (outcome, reason) = if refused { (Outcome::Refuse, Reason::Used) } else { (Outcome::Admit, Reason::Admitted) };
    Ok(RowBody {
        at_ms,
        uncertainty_ms: 20,
        offset_ms: 5,
        code_hash: text_hash(text.as_bytes()),
        code_length: u32::try_from(text.len())?,
        code: Some(text),
        outcome: outcome.to_byte(),
        reason: reason.code().to_owned(),
        detail: refused.then_some(Detail::UsedAt { at_ms: at_ms - 60_000, lane: LaneId(device.lane) }),
        ticket: Some(guest.listed.ticket),
        serial: Some(guest.listed.serial),
        class: Some(guest.listed.class),
        list_version: 1,
        policy_version: 1,
        ..RowBody::after(head, device.id, EVENT, LaneId(device.lane))
    })
}

async fn send_all(server: &Arc<Server>, all: Vec<Uploads>) -> Result<Taken> {
    let began = Instant::now();
    let lanes: Vec<_> = all
        .into_iter()
        .map(|uploads| {
            let server = server.clone();
            tokio::spawn(async move { send(&server, uploads.requests).await })
        })
        .collect();
    let mut taken = Taken { wall: Duration::ZERO, answers: Samples::default(), stored: 0 };
    for lane in lanes {
        let (answers, stored) = lane.await.map_err(|error| anyhow!("a device's task ended: {error}"))??;
        taken.answers.extend(&answers);
        taken.stored += stored;
    }
    taken.wall = began.elapsed();
    Ok(taken)
}

async fn send(server: &Server, requests: Vec<Request<Full<Bytes>>>) -> Result<(Samples, u64)> {
    let (mut answers, mut stored) = (Samples::default(), 0);
    for request in requests {
        let began = Instant::now();
        let (status, bytes) = server.send(request).await?;
        answers.push(began.elapsed());
        ensure!(status.is_success(), "an upload: {status} {}", String::from_utf8_lossy(&bytes));
        let answer: ScanAnswer = from_cbor(&bytes)?;
        ensure!(answer.incidents.is_empty() && answer.receipts.len() == 1, "an upload was not clean: {answer:?}");
        stored += u64::from(answer.stored);
    }
    Ok((answers, stored))
}

/// What reading the uploads and checking their rows take by themselves, on one thread.
fn alone(server: &Server, bodies: &[Vec<Vec<u8>>]) -> Result<(Duration, Duration)> {
    let (mut decoding, mut checking) = (Duration::ZERO, Duration::ZERO);
    for (device, bodies) in server.devices.iter().zip(bodies) {
        let public = device.key.public();
        for body in bodies {
            let began = machine::thread_time();
            let upload: ScanUpload = from_cbor(black_box(body))?;
            let read = machine::thread_time();
            let rows = upload.rows.into_iter().map(Into::into).collect();
            let checked = black_box(merge::check(device.id, EVENT, &public, rows));
            checking += machine::thread_time() - read;
            decoding += read - began;
            ensure!(checked.incidents.is_empty(), "a row of the bench's own is not sound");
        }
    }
    Ok((decoding, checking))
}
