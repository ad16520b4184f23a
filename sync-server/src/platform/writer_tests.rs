//! The writer against a naive model: the same operations one after the other, each in its own transaction.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use tokio::sync::Semaphore;

use super::*;
use crate::platform::store::params;

/// Takes seats, of which each exists once: a small stand-in for holds and scans.
#[derive(Default)]
struct Seats {
    /// Batches written so far.
    written: Arc<AtomicUsize>,
    /// When set, `load` waits for a permit, so that a test decides when a batch goes on.
    gate: Option<Arc<Semaphore>>,
    disk_full: Arc<AtomicBool>,
}

#[derive(Debug, Clone, Copy)]
struct Take {
    seat: i64,
    buyer: i64,
}

/// The planner panics on it.
const CURSED_SEAT: i64 = 666;
/// The database refuses it (CHECK).
const FORBIDDEN_SEAT: i64 = 13;
/// Writing it panics.
const EXPLOSIVE_SEAT: i64 = 99;

#[derive(Debug, PartialEq, Eq)]
struct Taken {
    by: i64,
}

/// Rows looked at, and those that are new.
type State = (BTreeMap<i64, i64>, Vec<Take>);

impl Batch for Seats {
    type Op = Take;
    type State = State;
    type Answer = i64;
    type Refusal = Taken;

    async fn load(&self, tx: &mut Tx, ops: &[&Take]) -> Result<State, StoreError> {
        if let Some(gate) = &self.gate {
            gate.acquire().await.map_err(|_| StoreError::Busy)?.forget();
        }
        if self.disk_full.load(Ordering::Relaxed) {
            return Err(StoreError::DiskFull);
        }
        let mut seats = BTreeMap::new();
        for op in ops {
            let found: Option<(i64,)> =
                tx.query_optional("SELECT buyer FROM seats WHERE seat = $1 /*LOCK*/", params![op.seat]).await?;
            if let Some((buyer,)) = found {
                seats.insert(op.seat, buyer);
            }
        }
        Ok((seats, Vec::new()))
    }

    fn plan(&self, (seats, new): &mut State, op: &Take) -> Result<i64, Taken> {
        assert!(op.seat != CURSED_SEAT, "cursed");
        match seats.get(&op.seat) {
            Some(by) => Err(Taken { by: *by }),
            None => {
                seats.insert(op.seat, op.buyer);
                new.push(*op);
                Ok(op.seat)
            }
        }
    }

    async fn write(&self, tx: &mut Tx, (_, new): State) -> Result<(), StoreError> {
        assert!(new.iter().all(|take| take.seat != EXPLOSIVE_SEAT), "explosive");
        let rows: Vec<_> = new.iter().map(|take| params![take.seat, take.buyer].to_vec()).collect();
        tx.execute_each("INSERT INTO seats (seat, buyer) VALUES ($1, $2)", &rows).await?;
        self.written.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

async fn store() -> (tempfile::TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open_sqlite(&directory.path().join("t.db"), 0).await.unwrap();
    let mut tx = store.write().await.unwrap();
    tx.execute("CREATE TABLE seats (seat BIGINT PRIMARY KEY CHECK (seat <> 13), buyer BIGINT NOT NULL)", params![])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    (directory, store)
}

async fn sold(store: &Store) -> Vec<(i64, i64)> {
    store.read().await.unwrap().query("SELECT seat, buyer FROM seats ORDER BY seat", params![]).await.unwrap()
}

/// A number as a word, for comparing outcomes.
fn word(outcome: &Result<i64, WriteError<Taken>>) -> String {
    match outcome {
        Ok(seat) => format!("seat {seat}"),
        Err(WriteError::Refused(Taken { by })) => format!("taken by {by}"),
        Err(WriteError::Poisoned) => "poisoned".into(),
        Err(WriteError::Store(StoreError::Constraint { .. })) => "constraint".into(),
        Err(other) => format!("{other:?}"),
    }
}

/// Submits all at once; the operations' outcomes, in order of submission.
async fn submit_all(writer: &Arc<GroupWriter<Seats>>, ops: &[Take]) -> Vec<String> {
    let waiting: Vec<_> = ops.iter().map(|op| Box::pin(writer.submit(1, *op))).collect();
    futures_util::future::join_all(waiting).await.iter().map(word).collect()
}

/// The naive writer: no batches, no planner state kept.
fn naive(ops: &[Take]) -> (Vec<String>, Vec<(i64, i64)>) {
    let mut seats = BTreeMap::new();
    let words = ops.iter().map(|op| match (op.seat, seats.get(&op.seat)) {
        (CURSED_SEAT | EXPLOSIVE_SEAT, _) => "poisoned".to_owned(),
        (FORBIDDEN_SEAT, _) => "constraint".to_owned(),
        (_, Some(by)) => format!("taken by {by}"),
        (seat, None) => {
            seats.insert(seat, op.buyer);
            format!("seat {seat}")
        }
    });
    let words = words.collect();
    (words, seats.into_iter().collect())
}

#[tokio::test]
async fn batches_decide_as_one_after_the_other_would() {
    let random = crate::platform::Random::seeded(7);
    for round in 0..20 {
        let (_directory, store) = store().await;
        let ops: Vec<Take> = (0..60)
            .map(|buyer| {
                let [dice, seat] = random.bytes::<2>();
                let seat = match dice % 16 {
                    0 => CURSED_SEAT,
                    1 => FORBIDDEN_SEAT,
                    2 => EXPLOSIVE_SEAT,
                    _ => i64::from(seat % 12),
                };
                Take { seat, buyer }
            })
            .collect();
        let writer = Arc::new(GroupWriter::new(store.clone(), Seats::default(), Limits::default()));
        let outcomes = submit_all(&writer, &ops).await;
        let (expected, seats) = naive(&ops);
        assert_eq!(outcomes, expected, "round {round}");
        assert_eq!(sold(&store).await, seats, "round {round}");
    }
}

#[tokio::test]
async fn what_queued_together_is_committed_once() {
    let (_directory, store) = store().await;
    let seats = Seats::default();
    let written = seats.written.clone();
    let writer = Arc::new(GroupWriter::new(store.clone(), seats, Limits::default()));
    let ops: Vec<Take> = (100..200).map(|seat| Take { seat, buyer: 1 }).collect();
    let outcomes = submit_all(&writer, &ops).await;
    assert!(outcomes.iter().all(|word| word.starts_with("seat")), "{outcomes:?}");
    assert_eq!(written.load(Ordering::Relaxed), 1, "one commit for all hundred");
    assert_eq!(sold(&store).await.len(), 100);
}

#[tokio::test]
async fn a_full_queue_says_so_at_once() {
    let (_directory, store) = store().await;
    let gate = Arc::new(Semaphore::new(0));
    let seats = Seats { gate: Some(gate.clone()), ..Seats::default() };
    let limits = Limits { queue: 4, batch_weight: 1 };
    let writer = Arc::new(GroupWriter::new(store.clone(), seats, limits));
    // One is in work, or still queued; the queue holds four; so of ten at least five are turned away without waiting.
    let waiting: Vec<_> = (0..10)
        .map(|seat| {
            tokio::spawn({
                let writer = writer.clone();
                async move { writer.submit(1, Take { seat, buyer: 1 }).await }
            })
        })
        .collect();
    while waiting.iter().filter(|task| task.is_finished()).count() < 5 {
        tokio::task::yield_now().await;
    }
    gate.add_permits(1_000);
    let (mut done, mut busy) = (0, 0);
    for task in waiting {
        match task.await.unwrap() {
            Ok(_) => done += 1,
            Err(WriteError::Busy { retry_after_ms }) => {
                assert!((50..=5_000).contains(&retry_after_ms));
                busy += 1;
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!((4..=5).contains(&done) && done + busy == 10, "{done} done, {busy} busy");
    assert_eq!(sold(&store).await.len(), done);
}

#[tokio::test]
async fn a_full_disk_fails_all_and_later_ones_go_through() {
    let (_directory, store) = store().await;
    let seats = Seats::default();
    let disk_full = seats.disk_full.clone();
    let writer = Arc::new(GroupWriter::new(store.clone(), seats, Limits::default()));
    disk_full.store(true, Ordering::Relaxed);
    let ops = [Take { seat: 1, buyer: 1 }, Take { seat: 2, buyer: 2 }];
    assert_eq!(submit_all(&writer, &ops).await, ["Store(DiskFull)", "Store(DiskFull)"]);
    assert!(sold(&store).await.is_empty());
    disk_full.store(false, Ordering::Relaxed);
    assert_eq!(submit_all(&writer, &ops).await, ["seat 1", "seat 2"]);
}

#[tokio::test]
async fn keys_do_not_wait_for_each_other() {
    let (_directory, store) = store().await;
    let writer = GroupWriter::new(store, Seats::default(), Limits { queue: 1, batch_weight: 1 });
    let (one, two) =
        tokio::join!(writer.submit(1, Take { seat: 1, buyer: 1 }), writer.submit(2, Take { seat: 2, buyer: 2 }));
    assert!(one.is_ok() && two.is_ok(), "each key has a queue of its own");
}
