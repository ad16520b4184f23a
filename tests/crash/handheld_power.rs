//! The handheld's journal under power cuts: every acknowledged scan is found again, whole, in its place.

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use gate_core::record::{JournalTx as _, record};
use gate_core::row::{RowBody, text_hash};
use gate_core::{Outcome, Reason, Recorded};
use scanner_app::shell::journal::{Database, Journal, Use};
use ticket_signer::{Serial, TicketId};
use turnstone_test_vfs::{Chance, Disk, Failure, Fault, Loss, Op};

use crate::world::{EVENT, NOW_S, TICKETS, World};

const FOLDER: &str = "/handheld";

/// A ticket, and the serial below which it is retired.
type Floor = (TicketId, Serial);

/// A scan as it was acknowledged.
#[derive(Debug, Clone)]
struct Told {
    seq: u64,
    text: [u8; 32],
    outcome: Outcome,
    reason: Reason,
    ticket: Option<TicketId>,
    floor: Option<Floor>,
}

impl Told {
    fn new(recorded: &Recorded, text: [u8; 32]) -> Self {
        let decision = recorded.decision();
        Told {
            seq: recorded.seq(),
            text,
            outcome: decision.outcome,
            reason: decision.reason,
            ticket: decision.ticket,
            floor: decision.ticket.zip(decision.raise_floor),
        }
    }
}

/// What the handheld was told is durable, and what it was in the middle of.
#[derive(Default)]
struct Promised {
    epoch: Option<u64>,
    scans: Vec<Told>,
    /// The scan that was being recorded when the power went: its text, and the floor that it would raise.
    in_flight: Option<([u8; 32], Option<Floor>)>,
    list_version: u64,
    shown_seq: u64,
    placed: bool,
}

/// A handheld that works until an error: scans, mostly, and what its other thread does meanwhile.
struct Shift<'a> {
    world: &'a World,
    gate: Journal,
    background: Journal,
    at_s: i64,
}

impl<'a> Shift<'a> {
    fn begin(world: &'a World, disk: &Disk, chance: &mut Chance, promised: &mut Promised) -> Result<Self> {
        let database = Database::open(Path::new(FOLDER), Some(disk.vfs()), chance.number())?;
        let (gate, mut background) = (database.connect(Use::Gate)?, database.connect(Use::Background)?);
        promised.epoch = Some(gate.head()?.epoch);
        world.place(&mut background)?;
        promised.placed = true;
        let version = background.live_list(EVENT)?.map_or(0, |list| list.version);
        if version == 0 {
            world.list(&mut background, 1)?;
        }
        promised.list_version = version.max(1);
        Ok(Shift { world, gate, background, at_s: NOW_S })
    }

    fn step(&mut self, chance: &mut Chance, promised: &mut Promised) -> Result<()> {
        match chance.below(20) {
            0..15 => self.scan(chance, promised)?,
            15 | 16 => {
                let head = self.gate.head()?;
                if head.seq > 0 {
                    self.gate.mark_shown(head.epoch, head.seq)?;
                    promised.shown_seq = head.seq;
                }
            }
            17 => {
                self.world.list(&mut self.background, promised.list_version + 1)?;
                promised.list_version += 1;
            }
            18 => {
                self.background.sweep()?;
            }
            _ => self.background.checkpoint()?,
        }
        Ok(())
    }

    fn scan(&mut self, chance: &mut Chance, promised: &mut Promised) -> Result<()> {
        self.at_s += 1;
        let ticket = self.world.ticket(chance.below(TICKETS));
        let text = match chance.below(10) {
            0 => "https://example.com/menu".to_owned(),
            1 => self.world.full(ticket, 2 + chance.below(40) as u8, self.at_s)?,
            2 => self.world.short(ticket, self.at_s - 600)?,
            _ => self.world.short(ticket, self.at_s)?,
        };
        let scan = self.world.scan(&self.gate, &text, self.at_s)?;
        let raises = scan.verified.as_ref().ok().filter(|code| code.issuer().is_some());
        let known = match raises {
            Some(code) => self.gate.begin(EVENT)?.ticket(code.ticket())?.floor,
            None => None,
        };
        let raises = raises.filter(|code| known.is_none_or(|known| code.serial() > known));
        promised.in_flight = Some((text_hash(text.as_bytes()), raises.map(|code| (code.ticket(), code.serial()))));
        let recorded = record(self.gate.begin(EVENT)?, &scan, None, &self.world.station(self.at_s))?;
        promised.scans.push(Told::new(&recorded, text_hash(text.as_bytes())));
        promised.in_flight = None;
        Ok(())
    }
}

/// Opens the journal after a cut and holds it against what was promised; from then on what is found is promised. Returns
/// how many rows there are.
fn examine(world: &World, disk: &Disk, promised: &mut Promised) -> Result<usize> {
    let database = Database::open(Path::new(FOLDER), Some(disk.vfs()), u64::MAX)?;
    let mut journal = database.connect(Use::Background)?;
    ensure!(journal.settings()? == ["wal", "2", "1"], "a connection's settings: {:?}", journal.settings()?);
    let epoch = journal.head()?.epoch;
    ensure!(promised.epoch.is_none_or(|promised| promised == epoch), "the chain has another epoch");
    promised.epoch = Some(epoch);
    let mut rows: Vec<RowBody> = Vec::new();
    journal
        .audit(&world.device_key.public(), |body, _| rows.push(body.clone()))?
        .context("the chain does not stand")?;
    let kept = promised.scans.len();
    ensure!(rows.len() >= kept, "{} of {kept} acknowledged scans", rows.len());
    match (&rows[kept..], promised.in_flight.take()) {
        ([], _) => {}
        // It was committed and the power went before anybody heard of it.
        ([row], Some((text, floor))) => {
            let (outcome, reason) = (row.outcome().context("an outcome")?, row.reason().context("a reason")?);
            promised.scans.push(Told { seq: row.seq, text, outcome, reason, ticket: row.ticket, floor });
        }
        (others, _) => bail!("{} rows that nobody recorded", others.len()),
    }
    for (told, row) in promised.scans.iter().zip(&rows) {
        let same = told.seq == row.seq
            && row.outcome() == Some(told.outcome)
            && row.reason() == Some(told.reason)
            && row.ticket == told.ticket
            && row.code_hash == told.text;
        ensure!(same, "row {} is not what was acknowledged", row.seq);
    }
    examine_tickets(world, &mut journal, promised)?;
    let progress = journal.progress()?;
    ensure!((promised.shown_seq..=progress.head.seq).contains(&progress.shown_seq), "the mark of what was shown");
    promised.shown_seq = progress.shown_seq;
    ensure!(!promised.placed || journal.station()?.is_some_and(|station| station.confirmed.is_some()), "its place");
    Ok(rows.len())
}

/// A row's admission and floor, and a list's revocations, came in the commit that they belong to.
fn examine_tickets(world: &World, journal: &mut Journal, promised: &mut Promised) -> Result<()> {
    let list = journal.live_list(EVENT)?.map_or(0, |list| list.version);
    let known = promised.list_version;
    ensure!((known..=known + 1).contains(&list), "list {list} after {known}");
    promised.list_version = list;
    let mut tx = journal.begin(EVENT)?;
    for version in 2..=list {
        let revoked = tx.ticket(world.ticket(version))?.revoked_to;
        ensure!(revoked.is_some(), "list {list} is live without the revocation of version {version}");
    }
    for at in 0..TICKETS {
        let ticket = world.ticket(at);
        let view = tx.ticket(ticket)?;
        let of_it = |told: &&Told| told.ticket == Some(ticket);
        let admitted = promised.scans.iter().filter(of_it).filter(|told| told.outcome == Outcome::Admit).count();
        ensure!(view.passages.len() == admitted, "{ticket}: {} of {admitted} admissions", view.passages.len());
        let floors = promised.scans.iter().filter_map(|told| told.floor).filter(|(of, _)| *of == ticket);
        let floor = floors.map(|(_, serial)| serial).max();
        ensure!(view.floor == floor, "{ticket}: floor {:?} instead of {floor:?}", view.floor);
    }
    Ok(())
}

/// Rows found over all disks, and how many of them nobody had heard of.
#[derive(Default)]
struct Tally {
    rows: usize,
    unheard: usize,
    cuts: usize,
}

/// One disk: work and cuts in turn, so that recovery is cut as well.
fn run(world: &World, seed: u64, tally: &mut Tally) -> Result<()> {
    let disk = Disk::new();
    let mut chance = Chance::new(seed);
    let mut promised = Promised::default();
    for round in 0..4 {
        let loss = if chance.once_in(3) { Loss::Everything } else { Loss::Torn(chance.number()) };
        // The first operations make the database; most cuts come while codes are scanned.
        disk.cut_after(if chance.once_in(4) { chance.below(60) } else { chance.below(700) }, loss);
        let worked = (|| {
            let mut shift = Shift::begin(world, &disk, &mut chance, &mut promised)?;
            for _ in 0..400 {
                shift.step(&mut chance, &mut promised)?;
            }
            anyhow::Ok(())
        })();
        if let Err(error) = worked
            && disk.is_on()
        {
            return Err(error.context(format!("round {round}, with the power on")));
        }
        disk.power_cut(loss);
        disk.power_on();
        let acknowledged = promised.scans.len();
        let rows = examine(world, &disk, &mut promised).with_context(|| format!("after cut {round} ({loss:?})"))?;
        tally.unheard += rows - acknowledged;
        tally.cuts += 1;
    }
    tally.rows += promised.scans.len();
    Ok(())
}

#[test]
fn a_power_cut_loses_no_acknowledged_scan() -> Result<()> {
    let world = World::new(NOW_S)?;
    let mut tally = Tally::default();
    for seed in 0..crate::scaled(120, 2_000) {
        run(&world, seed, &mut tally).with_context(|| format!("seed {seed}"))?;
    }
    let Tally { rows, unheard, cuts } = tally;
    println!("handheld: {cuts} power cuts, {rows} acknowledged scans, 0 lost; {unheard} landed unheard");
    ensure!(rows > cuts * 10 && unheard > 0, "the cuts did not fall where they tell something: {rows}, {unheard}");
    Ok(())
}

#[test]
fn a_write_or_sync_that_fails_records_nothing_and_the_next_scan_is_recorded() -> Result<()> {
    let world = World::new(NOW_S)?;
    let faults = [(Op::Write, Failure::Full), (Op::Write, Failure::Io), (Op::Sync, Failure::Io)];
    for (at, (op, failure)) in faults.iter().cycle().take(45).enumerate() {
        let (op, failure) = (*op, *failure);
        let disk = Disk::new();
        let mut chance = Chance::new(at as u64);
        let mut promised = Promised::default();
        let mut shift = Shift::begin(&world, &disk, &mut chance, &mut promised)?;
        shift.scan(&mut chance, &mut promised)?;
        disk.fail(Fault { op, after: chance.below(6), failure, lasting: true });
        let error = loop {
            if let Err(error) = shift.scan(&mut chance, &mut promised) {
                break error.to_string();
            }
        };
        let word = if failure == Failure::Full { "full" } else { "fault" };
        ensure!(error.contains(word), "{op:?} {failure:?}: {error}");
        // Nobody was admitted, and nothing of it is there.
        promised.in_flight = None;
        let head = shift.gate.head()?.seq;
        ensure!(head == promised.scans.len() as u64, "{op:?} {failure:?}: row {head} was not acknowledged");
        ensure!(shift.scan(&mut chance, &mut promised).is_err(), "it still fails");
        promised.in_flight = None;
        disk.mend();
        for _ in 0..5 {
            shift.scan(&mut chance, &mut promised).context("there is room again")?;
        }
        disk.power_cut(Loss::Torn(at as u64));
        disk.power_on();
        examine(&world, &disk, &mut promised).with_context(|| format!("{op:?} {failure:?} {at}"))?;
    }
    Ok(())
}
