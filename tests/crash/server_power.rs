//! The server's store under power cuts and failing writes: what a transaction acknowledged is found again, whole.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use sync_server::platform::store::{SqliteEngine, Store, StoreError, params};
use turnstone_test_vfs::{Chance, Disk, Failure, Fault, Loss, Op};

use crate::world::NOW_S;

const FILE: &str = "/server/turnstone.db";
/// Rows in a transaction: an upload of a handheld.
const ROWS: i64 = 5;

async fn open(disk: &Disk) -> Result<Store, StoreError> {
    let store = Store::new(SqliteEngine::open_on(Path::new(FILE), Some(disk.vfs()))?);
    store.migrate(NOW_S * 1000).await?;
    let mut tx = store.write().await?;
    for sql in [
        "CREATE TABLE IF NOT EXISTS merged (device BIGINT, seq BIGINT, bytes BLOB NOT NULL, PRIMARY KEY (device, seq))",
        "CREATE TABLE IF NOT EXISTS heads (device BIGINT PRIMARY KEY, seq BIGINT NOT NULL)",
    ] {
        tx.execute(sql, params![]).await?;
    }
    tx.commit().await?;
    Ok(store)
}

fn bytes(device: i64, seq: i64) -> Vec<u8> {
    let mut chance = Chance::new((device as u64) << 32 | seq as u64);
    (0..200 + chance.below(200)).map(|_| chance.number() as u8).collect()
}

/// Merges the next rows of a device: rows and head in one transaction, each row idempotently.
async fn merge(store: &Store, device: i64, acknowledged: &mut i64) -> Result<(), StoreError> {
    let mut tx = store.write().await?;
    let head: Option<(i64,)> =
        tx.query_optional("SELECT seq FROM heads WHERE device = $1 /*LOCK*/", params![device]).await?;
    let head = head.map_or(0, |(seq,)| seq);
    let sets: Vec<_> = (head + 1..=head + ROWS).map(|seq| params![device, seq, bytes(device, seq)].to_vec()).collect();
    tx.execute_each("INSERT INTO merged (device, seq, bytes) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", &sets)
        .await?;
    let sql = "INSERT INTO heads (device, seq) VALUES ($1, $2) ON CONFLICT (device) DO UPDATE SET seq = excluded.seq";
    tx.execute(sql, params![device, head + ROWS]).await?;
    tx.commit().await?;
    *acknowledged = head + ROWS;
    Ok(())
}

/// What the store has of each device, held against what it acknowledged.
async fn examine(disk: &Disk, acknowledged: &mut [i64; 3]) -> Result<i64> {
    let store = open(disk).await?;
    let mut tx = store.read().await?;
    for (pragma, wanted) in [("synchronous", "2"), ("journal_mode", "wal")] {
        let (found,): (String,) =
            tx.query_one(&format!("SELECT CAST({pragma} AS TEXT) FROM pragma_{pragma}"), params![]).await?;
        ensure!(found == wanted, "{pragma} is {found}");
    }
    let mut total = 0;
    for (device, acknowledged) in acknowledged.iter_mut().enumerate() {
        let device = device as i64;
        let rows: Vec<(i64, Vec<u8>)> =
            tx.query("SELECT seq, bytes FROM merged WHERE device = $1 ORDER BY seq", params![device]).await?;
        let head: Option<(i64,)> =
            tx.query_optional("SELECT seq FROM heads WHERE device = $1", params![device]).await?;
        let head = head.map_or(0, |(seq,)| seq);
        let whole =
            rows.iter().enumerate().all(|(at, (seq, found))| *seq == at as i64 + 1 && *found == bytes(device, *seq));
        ensure!(whole && rows.len() as i64 == head, "device {device}: head {head}, {} rows", rows.len());
        let kept = *acknowledged;
        ensure!(head == kept || head == kept + ROWS, "device {device}: {head} of {kept} acknowledged");
        *acknowledged = head;
        total += head;
    }
    drop(tx);
    Ok(total)
}

async fn run(seed: u64) -> Result<(i64, i64)> {
    let disk = Disk::new();
    let mut chance = Chance::new(seed);
    let (mut acknowledged, mut total, mut cuts) = ([0; 3], 0, 0);
    for round in 0..3 {
        let loss = if chance.once_in(3) { Loss::Everything } else { Loss::Torn(chance.number()) };
        disk.cut_after(chance.below(if round == 0 { 400 } else { 200 }), loss);
        let worked: Result<(), StoreError> = async {
            let store = open(&disk).await?;
            for _ in 0..100 {
                let device = chance.below(3) as usize;
                merge(&store, device as i64, &mut acknowledged[device]).await?;
            }
            Ok(())
        }
        .await;
        if let Err(error) = worked
            && disk.is_on()
        {
            return Err(error).context("with the power on");
        }
        disk.power_cut(loss);
        disk.power_on();
        total = examine(&disk, &mut acknowledged).await.with_context(|| format!("after cut {round} ({loss:?})"))?;
        cuts += 1;
    }
    Ok((total, cuts))
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_time().build()?)
}

#[test]
fn a_power_cut_loses_no_acknowledged_transaction_of_the_server() -> Result<()> {
    let runtime = runtime()?;
    let (mut rows, mut cuts) = (0, 0);
    for seed in 0..crate::scaled(120, 2_000) {
        let (found, cut) = runtime.block_on(run(seed)).with_context(|| format!("seed {seed}"))?;
        rows += found;
        cuts += cut;
    }
    println!("server: {cuts} power cuts, {rows} acknowledged rows, 0 lost");
    ensure!(rows > cuts * 20, "the cuts left little to find: {rows}");
    Ok(())
}

#[test]
fn a_write_or_sync_that_fails_fails_the_transaction_and_the_next_one_goes_through() -> Result<()> {
    runtime()?.block_on(async {
        for (op, failure) in [(Op::Write, Failure::Full), (Op::Write, Failure::Io), (Op::Sync, Failure::Io)] {
            for after in 0..6 {
                let disk = Disk::new();
                let store = open(&disk).await?;
                let mut acknowledged = [0; 3];
                merge(&store, 0, &mut acknowledged[0]).await?;
                disk.fail(Fault { op, after, failure, lasting: true });
                let error = loop {
                    if let Err(error) = merge(&store, 0, &mut acknowledged[0]).await {
                        break error;
                    }
                };
                let right = match failure {
                    Failure::Full => matches!(error, StoreError::DiskFull),
                    Failure::Io => matches!(error, StoreError::Io { .. }),
                };
                ensure!(right && error.is_transient(), "{op:?} {failure:?}: {error}");
                disk.mend();
                merge(&store, 0, &mut acknowledged[0]).await.context("there is room again")?;
                drop(store);
                disk.power_cut(Loss::Torn(after));
                disk.power_on();
                let before = acknowledged;
                examine(&disk, &mut acknowledged).await?;
                ensure!(acknowledged == before, "{op:?} {failure:?}: a failed transaction is there");
            }
        }
        Ok(())
    })
}
