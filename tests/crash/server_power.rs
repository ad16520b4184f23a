//! The server under power cuts and failing writes: rows that it acknowledged to a handheld are found again, whole, once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use gate_core::chain::ChainHead;
use gate_core::merge;
use gate_core::row::{RowBody, SignedRow};
use gate_core::{Outcome, Reason};
use sync_server::gate::{self, ScanBatch, ScanOp};
use sync_server::platform::store::{SqliteEngine, Store, StoreError, params};
use sync_server::platform::writer::{GroupWriter, Limits, WriteError};
use ticket_signer::{DeviceId, SecretKey, Serial};
use turnstone_test_vfs::{Chance, Disk, Failure, Fault, Loss, Op};

use crate::world::{CLASS, EVENT, LANE, NOW_S, World};

const FILE: &str = "/server/turnstone.db";
/// How many handhelds send rows, and how many rows each has.
const DEVICES: u64 = 3;
const ROWS: u64 = 300;

/// A handheld's rows, ready to be sent.
struct Sender {
    device: DeviceId,
    key: SecretKey,
    rows: Vec<SignedRow>,
    /// The next row that was never sent.
    next: usize,
    /// Sequence numbers that the server has acknowledged.
    acknowledged: BTreeSet<u64>,
    /// What the server was storing when the power went.
    in_flight: BTreeSet<u64>,
}

impl Sender {
    fn new(number: u64, world: &World) -> Result<Self> {
        let (device, key) = (DeviceId(0xD0 + number), SecretKey::from_bytes(&[40 + number as u8; 32]));
        let mut head = ChainHead::start(number + 1);
        let mut rows = Vec::new();
        for seq in 1..=ROWS {
            let admitted = seq % 3 > 0;
            let ticket = world.ticket(seq);
            let body = RowBody {
                at_ms: (NOW_S + seq as i64 * 7) * 1000,
                uncertainty_ms: 30,
                code_hash: [number as u8; 32],
                code_length: 12,
                outcome: if admitted { Outcome::Admit } else { Outcome::Refuse }.to_byte(),
                reason: if admitted { Reason::Admitted } else { Reason::Used }.code().to_owned(),
                ticket: Some(ticket),
                serial: Serial::new(1),
                class: Some(CLASS),
                list_version: 1,
                policy_version: 1,
                ..RowBody::after(head, device, EVENT, LANE)
            };
            let row = body.sign(&key);
            head = ChainHead { seq, hash: row.hash(), ..head };
            rows.push(row);
        }
        Ok(Sender { device, key, rows, next: 0, acknowledged: BTreeSet::new(), in_flight: BTreeSet::new() })
    }

    /// The next upload: new rows, and at times old ones again, or with a hole that the next upload fills.
    fn upload(&mut self, chance: &mut Chance) -> ScanOp {
        let again = if chance.once_in(3) { chance.below(6) as usize } else { 0 };
        let from = self.next.saturating_sub(again);
        let to = (self.next + 1 + chance.below(8) as usize).min(self.rows.len());
        let mut rows = self.rows[from..to].to_vec();
        if chance.once_in(4) && rows.len() > 2 {
            rows.remove(rows.len() / 2);
            self.next = from + rows.len() / 2;
        } else {
            self.next = to;
        }
        let upload = merge::check(self.device, EVENT, &self.key.public(), rows);
        self.in_flight = upload.chains.values().flatten().map(|row| row.body.seq).collect();
        ScanOp {
            is_contact: true,
            counted_upstream: false,
            device: self.device,
            event_id: EVENT.0,
            chains: upload.chains,
            incidents: upload.incidents,
            now_ms: NOW_S * 1000,
        }
    }
}

async fn open(disk: &Disk) -> Result<Store, StoreError> {
    let store = Store::new(SqliteEngine::open_on(Path::new(FILE), Some(disk.vfs()))?);
    store.migrate(NOW_S * 1000).await?;
    Ok(store)
}

type Failed = WriteError<gate::GateError>;

/// Sends one upload, and notes what was acknowledged.
async fn send(writer: &GroupWriter<ScanBatch>, sender: &mut Sender, chance: &mut Chance) -> Result<(), Failed> {
    let upload = sender.upload(chance);
    writer.submit(u64::from(EVENT.0), upload).await?;
    let stored = std::mem::take(&mut sender.in_flight);
    sender.acknowledged.extend(stored);
    Ok(())
}

/// What the store has of each handheld, held against what it acknowledged; from then on what is found is acknowledged.
async fn examine(disk: &Disk, senders: &mut [Sender]) -> Result<usize> {
    let store = open(disk).await?;
    let mut tx = store.read().await?;
    for (pragma, wanted) in [("synchronous", "2"), ("journal_mode", "wal")] {
        let sql = format!("SELECT CAST({pragma} AS TEXT) FROM pragma_{pragma}");
        let (found,): (String,) = tx.query_one(&sql, params![]).await?;
        ensure!(found == wanted, "{pragma} is {found}");
    }
    let findings = gate::check(&mut tx).await?;
    ensure!(findings.is_empty(), "{findings:?}");
    let mut total = 0;
    for sender in senders {
        let device = sender.device;
        let sql = "SELECT seq, bytes, signature FROM scans WHERE device_id = $1 ORDER BY seq";
        let found: Vec<(u64, Vec<u8>, Vec<u8>)> = tx.query(sql, params![device.0]).await?;
        let found: BTreeMap<u64, _> =
            found.into_iter().map(|(seq, bytes, signature)| (seq, (bytes, signature))).collect();
        for (seq, (bytes, signature)) in &found {
            let sent = &sender.rows[*seq as usize - 1];
            ensure!(
                *bytes == sent.bytes && *signature == sent.signature,
                "row {seq} of {device} is not as it was sent"
            );
        }
        let lost: Vec<_> = sender.acknowledged.iter().filter(|seq| !found.contains_key(seq)).collect();
        ensure!(lost.is_empty(), "acknowledged rows of {device} are lost: {lost:?}");
        let news: Vec<_> = found.keys().filter(|seq| !sender.acknowledged.contains(seq)).collect();
        let landed = sender.in_flight.iter().filter(|seq| !sender.acknowledged.contains(seq)).count();
        ensure!(news.is_empty() || news.len() == landed, "half an upload of {device}: {news:?} of {landed}");
        sender.acknowledged = found.keys().copied().collect();
        sender.in_flight.clear();
        sender.next = (1..).find(|seq| !found.contains_key(seq)).map_or(0, |seq| seq as usize - 1);
        total += found.len();
    }
    Ok(total)
}

async fn run(world: &World, seed: u64) -> Result<(usize, usize)> {
    let disk = Disk::new();
    let mut chance = Chance::new(seed);
    let mut senders = (0..DEVICES).map(|number| Sender::new(number, world)).collect::<Result<Vec<_>>>()?;
    let (mut total, mut cuts) = (0, 0);
    for round in 0..3 {
        let loss = if chance.once_in(3) { Loss::Everything } else { Loss::Torn(chance.number()) };
        disk.cut_after(chance.below(if round == 0 { 500 } else { 300 }), loss);
        let worked: Result<()> = async {
            let store = open(&disk).await?;
            let writer = GroupWriter::new(store, ScanBatch, Limits::default());
            for _ in 0..60 {
                let sender = &mut senders[chance.below(DEVICES) as usize];
                send(&writer, sender, &mut chance).await?;
            }
            Ok(())
        }
        .await;
        if let Err(error) = worked
            && disk.is_on()
        {
            return Err(error.context("with the power on"));
        }
        disk.power_cut(loss);
        disk.power_on();
        total = examine(&disk, &mut senders).await.with_context(|| format!("after cut {round} ({loss:?})"))?;
        cuts += 1;
    }
    Ok((total, cuts))
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_time().build()?)
}

#[test]
fn a_power_cut_loses_no_row_that_the_server_acknowledged() -> Result<()> {
    let (runtime, world) = (runtime()?, World::new(NOW_S)?);
    let (mut rows, mut cuts) = (0, 0);
    for seed in 0..crate::scaled(60, 1_000) {
        let (found, cut) = runtime.block_on(run(&world, seed)).with_context(|| format!("seed {seed}"))?;
        rows += found;
        cuts += cut;
    }
    println!("server: {cuts} power cuts, {rows} acknowledged rows, 0 lost");
    ensure!(rows > cuts * 10, "the cuts left little to find: {rows}");
    Ok(())
}

#[test]
fn a_write_or_sync_that_fails_acknowledges_nothing_and_the_next_upload_goes_through() -> Result<()> {
    let world = World::new(NOW_S)?;
    runtime()?.block_on(async {
        for (op, failure) in [(Op::Write, Failure::Full), (Op::Write, Failure::Io), (Op::Sync, Failure::Io)] {
            for after in 0..6 {
                let disk = Disk::new();
                let mut chance = Chance::new(after);
                let mut senders = [Sender::new(0, &world)?];
                let writer = GroupWriter::new(open(&disk).await?, ScanBatch, Limits::default());
                send(&writer, &mut senders[0], &mut chance).await?;
                disk.fail(Fault { op, after, failure, lasting: true });
                let error = loop {
                    if let Err(error) = send(&writer, &mut senders[0], &mut chance).await {
                        break error;
                    }
                };
                let right = match failure {
                    Failure::Full => matches!(error, WriteError::Store(StoreError::DiskFull)),
                    Failure::Io => matches!(error, WriteError::Store(StoreError::Io { .. })),
                };
                ensure!(right, "{op:?} {failure:?}: {error}");
                // Of the upload that failed nothing is there.
                senders[0].in_flight.clear();
                disk.mend();
                examine(&disk, &mut senders).await.with_context(|| format!("{op:?} {failure:?} {after}"))?;
                send(&writer, &mut senders[0], &mut chance).await.context("there is room again")?;
                drop(writer);
                disk.power_cut(Loss::Torn(after));
                disk.power_on();
                examine(&disk, &mut senders).await.with_context(|| format!("{op:?} {failure:?} {after}"))?;
            }
        }
        Ok(())
    })
}
