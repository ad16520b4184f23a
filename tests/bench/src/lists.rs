//! Lists: what 100,000 tickets weigh on the wire, what a delta weighs, and what both cost a server and a handheld.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use gate_core::wire::to_cbor;
use gate_core::wire::v1::ListAnswer;
use scanner_app::shell::journal::Use;
use ticket_signer::{HolderAlgorithm, ListedTicket};
use turnstone_tests::painter::Random;

use crate::handheld::{self, Packed};
use crate::machine;
use crate::report::{Samples, Section, Unit};
use crate::site::{self, Guest};

const FULL_BYTES_MAX: f64 = 5_000_000.0;
const FULL_TIME_MAX: Duration = Duration::from_secs(2);
const DELTA_BYTES_MAX: f64 = 60_000.0;
/// Tickets in a delta: half of them new, half bound again.
const DELTA: usize = 1_000;
/// How often each whole-list step is measured.
const ROUNDS: usize = 5;

pub fn run(guests: &[Guest]) -> Result<Section> {
    let mut section =
        Section::new(format!("Lists of {} tickets, distinct random keys, half Ed25519 and half P-256", site::LISTED));
    let trust = site::trust()?;
    let tickets: Vec<ListedTicket> = guests.iter().map(|guest| guest.listed.clone()).collect();

    let full = Packed::make(1, 0, &tickets, tickets.len())?;
    section.figure(
        "full list on the wire: answer and chunks",
        bytes_on_wire(&full)? as f64,
        "bytes",
        Some(FULL_BYTES_MAX),
    );
    let plain: u64 = full.chunks.iter().map(|chunk| u64::from(chunk.named.unpacked)).sum();
    section.figure("  before compression", plain as f64, "bytes", None);
    let changes = delta(&tickets)?;
    let known: std::collections::BTreeSet<_> = tickets.iter().map(|ticket| ticket.ticket).collect();
    let new = changes.iter().filter(|ticket| !known.contains(&ticket.ticket)).count();
    ensure!(changes.len() == DELTA && new == DELTA / 2, "the delta is not what it says");
    let delta = Packed::make(2, 1, &changes, tickets.len() + new)?;
    section.figure(
        format!("delta of {DELTA} tickets on the wire"),
        bytes_on_wire(&delta)? as f64,
        "bytes",
        Some(DELTA_BYTES_MAX),
    );

    let mut built = Samples::default();
    let mut opened = Samples::default();
    for round in 0..=ROUNDS {
        let began = Instant::now();
        let packed = black_box(Packed::make(1, 0, black_box(&tickets), tickets.len())?);
        let build = began.elapsed();
        let began = Instant::now();
        let (_, read) = black_box(packed.open(&trust)?);
        let open = began.elapsed();
        ensure!(read == tickets, "what was opened is not what was packed");
        if round > 0 {
            built.push(build);
            opened.push(open);
        }
    }
    section.spread("full list from tickets in memory: pack and sign", Unit::Milliseconds, &built, Some(FULL_TIME_MAX));
    section.spread("handheld: check and unpack the full list, each key too", Unit::Milliseconds, &opened, None);

    let (mut first, mut changed, mut size) = (Samples::default(), Samples::default(), 0);
    for _ in 0..ROUNDS.min(3) {
        let database = handheld::database(&machine::data_folder("lists")?)?;
        let mut journal = database.connect(Use::Background)?;
        let began = Instant::now();
        let state = handheld::take_list(&mut journal, &full, &trust)?;
        first.push(began.elapsed());
        ensure!(state.tickets == tickets.len() as u64, "the list that is live is not the one that was taken");
        let began = Instant::now();
        let state = handheld::take_list(&mut journal, &delta, &trust)?;
        changed.push(began.elapsed());
        ensure!(state.version == 2, "the delta is not live");
        handheld::sweep(&mut journal)?;
        journal.checkpoint()?;
        size = database.size_bytes();
    }
    section.spread("handheld: check, unpack, store and show the full list", Unit::Milliseconds, &first, None);
    section.spread(format!("handheld: the same for the delta of {DELTA}"), Unit::Milliseconds, &changed, None);
    section.figure("handheld's database with its log, afterwards", size as f64, "bytes", None);
    section.note(
        "Bytes are the CBOR answer with the signed manifest and class table, and the zstd chunks; no HTTP, no TLS.",
    );
    section.note("No printed ticket is among them: each has a key, which is what weighs most.");
    Ok(section)
}

fn bytes_on_wire(packed: &Packed) -> Result<usize> {
    let answer = to_cbor(&ListAnswer::Manifest(packed.envelope.clone().into()))?;
    Ok(answer.len() + packed.chunks.iter().map(|chunk| chunk.bytes.len()).sum::<usize>())
}

/// Half tickets that are new, half known ones that were bound to another phone; ascending by id.
fn delta(tickets: &[ListedTicket]) -> Result<Vec<ListedTicket>> {
    let mut random = Random(3);
    let mut changes = Vec::with_capacity(DELTA);
    let step = tickets.len() / (DELTA / 2);
    for at in 0..DELTA {
        let algorithm = if at % 4 < 2 { HolderAlgorithm::Ed25519 } else { HolderAlgorithm::P256 };
        if at % 2 == 0 {
            let id = random.next_u64();
            changes.push(Guest::draw(id, algorithm, &mut random)?.listed);
        } else {
            let known = &tickets[at / 2 * step];
            let bound_again = Guest::draw(known.ticket.0, algorithm, &mut random)?.listed;
            let serial = known.serial.next().unwrap_or(known.serial);
            changes.push(ListedTicket { serial, class: known.class, ..bound_again });
        }
    }
    changes.sort_by_key(|ticket| ticket.ticket);
    Ok(changes)
}
