//! The group-commit writer: many small changes share one transaction, and so one wait for the disk.
//!
//! Each key (an event) has one bounded queue and one task. The task takes what has queued, loads the state these operations
//! need, lets a pure planner decide them one after the other, writes all that changed, commits once and answers everybody.
//!
//! Invariants:
//! - Nobody hears "yes" before the commit that made it true.
//! - A full queue answers at once that it is busy, and when to come back; nothing waits without bound.
//! - One poisoned operation - its planning panics, or its rows are refused - gets an error of its own and never fails the
//!   others: the batch is tried again without it. A fault of the database itself (full disk, busy) fails the whole batch,
//!   because trying again would fail for everyone.
//! - Several servers may write for one event: the rows that `load` reads are locked (`/*LOCK*/`), the queue is only for
//!   speed.

use std::collections::HashMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot};

use super::store::{Store, StoreError, Tx};

/// What a context gives the writer: how to load, decide and write a batch of its operations.
pub trait Batch: Send + Sync + 'static {
    /// One request, with its own time and ids: planning draws neither.
    type Op: Send + Sync + 'static;
    /// The rows that a batch looks at, and what became of them.
    type State: Send;
    /// What the requester hears after the commit.
    type Answer: Send + 'static;
    /// Why the rules turned an operation down.
    type Refusal: Send + 'static;

    /// Loads, in key order, every row that these operations may look at.
    fn load(&self, tx: &mut Tx, ops: &[&Self::Op]) -> impl Future<Output = Result<Self::State, StoreError>> + Send;

    /// Decides one operation and notes its changes in `state`, where the next operation sees them. Pure. When it refuses,
    /// it leaves `state` as it was.
    ///
    /// # Errors
    /// The refusal, by the context's rules.
    fn plan(&self, state: &mut Self::State, op: &Self::Op) -> Result<Self::Answer, Self::Refusal>;

    /// Writes what changed.
    fn write(&self, tx: &mut Tx, state: Self::State) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// How much of a batch this operation fills; an upload of 500 scans counts for 500.
    fn weight(&self, _op: &Self::Op) -> usize {
        1
    }
}

/// Why an operation got no answer.
#[derive(Debug, thiserror::Error)]
pub enum WriteError<R> {
    /// The rules turned it down; nothing changed.
    #[error("refused")]
    Refused(R),
    /// The queue is full. The same request is welcome again after that time.
    #[error("too much is queued; come back in {retry_after_ms} ms")]
    Busy { retry_after_ms: u64 },
    /// The database failed; nothing changed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Planning this operation panicked; nothing changed, and the others went through.
    #[error("this request could not be planned, by a fault of the server")]
    Poisoned,
    /// The writer ended while the operation waited: the server is stopping. It may or may not have been carried out; the
    /// request is repeated under the same idempotency key.
    #[error("the server is stopping; send the request again")]
    Stopped,
}

/// How much may queue and how much one transaction takes.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Operations that may wait, per key.
    pub queue: usize,
    /// Weight after which a batch takes no more.
    pub batch_weight: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { queue: 1_024, batch_weight: 2_000 }
    }
}

/// The writer of one kind of operation, with a queue per key.
pub struct GroupWriter<B: Batch> {
    shared: Arc<Shared<B>>,
    queues: Mutex<HashMap<u64, mpsc::Sender<Queued<B>>>>,
}

struct Shared<B: Batch> {
    store: Store,
    batch: B,
    limits: Limits,
    /// How long a unit of weight took of late, in microseconds: what "come back in" is reckoned from.
    unit_us: AtomicU64,
}

type Reply<B> = oneshot::Sender<Result<<B as Batch>::Answer, WriteError<<B as Batch>::Refusal>>>;

struct Queued<B: Batch> {
    op: B::Op,
    reply: Reply<B>,
}

impl<B: Batch> GroupWriter<B> {
    #[must_use]
    pub fn new(store: Store, batch: B, limits: Limits) -> Self {
        let shared = Shared { store, batch, limits, unit_us: AtomicU64::new(200) };
        Self { shared: Arc::new(shared), queues: Mutex::new(HashMap::new()) }
    }

    /// Queues the operation under `key` (an existing event: each key keeps a task of its own) and waits for its answer.
    ///
    /// # Errors
    /// [`WriteError`]; in every case but `Stopped` nothing changed.
    pub async fn submit(&self, key: u64, op: B::Op) -> Result<B::Answer, WriteError<B::Refusal>> {
        let (reply, answer) = oneshot::channel();
        let queue = self.queue(key);
        queue.try_send(Queued { op, reply }).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => WriteError::Busy { retry_after_ms: self.shared.retry_after_ms() },
            mpsc::error::TrySendError::Closed(_) => WriteError::Stopped,
        })?;
        answer.await.unwrap_or(Err(WriteError::Stopped))
    }

    fn queue(&self, key: u64) -> mpsc::Sender<Queued<B>> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(queue) = queues.get(&key).filter(|queue| !queue.is_closed()) {
            return queue.clone();
        }
        let (queue, waiting) = mpsc::channel(self.shared.limits.queue);
        tokio::spawn(run(self.shared.clone(), waiting));
        queues.insert(key, queue.clone());
        queue
    }
}

impl<B: Batch> Shared<B> {
    fn retry_after_ms(&self) -> u64 {
        let queue_us = self.unit_us.load(Ordering::Relaxed).saturating_mul(self.limits.queue as u64);
        (queue_us / 1_000).clamp(50, 5_000)
    }
}

/// The task of one key: ends when the writer is dropped and the queue is empty.
async fn run<B: Batch>(shared: Arc<Shared<B>>, mut waiting: mpsc::Receiver<Queued<B>>) {
    while let Some(first) = waiting.recv().await {
        let mut weight = shared.batch.weight(&first.op);
        let mut taken = vec![first];
        while weight < shared.limits.batch_weight {
            let Ok(next) = waiting.try_recv() else { break };
            weight += shared.batch.weight(&next.op);
            taken.push(next);
        }
        let began = Instant::now();
        settle(&shared, taken).await;
        let unit_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX) / weight.max(1) as u64;
        shared.unit_us.store(unit_us.max(1), Ordering::Relaxed);
    }
}

/// What became of one try of a batch.
enum Try<B: Batch> {
    Committed(Vec<Result<B::Answer, B::Refusal>>),
    /// Planning the operation at this index panicked.
    PlanPanicked(usize),
    /// The database refused the rows, or loading or writing panicked: some operation is at fault, unknown which.
    SomeAtFault(Option<StoreError>),
    /// The database itself is at fault.
    StoreFailed(StoreError),
}

/// Carries out a batch and answers everybody in it. Each round of the loop either ends a part of it, or takes one operation
/// out, or halves it: at most two tries per operation.
async fn settle<B: Batch>(shared: &Shared<B>, taken: Vec<Queued<B>>) {
    let mut parts = vec![taken];
    while let Some(mut part) = parts.pop() {
        if part.is_empty() {
            continue;
        }
        match attempt(shared, &part).await {
            Try::Committed(outcomes) => {
                for (queued, outcome) in part.into_iter().zip(outcomes) {
                    answer::<B>(queued.reply, outcome.map_err(WriteError::Refused));
                }
            }
            Try::PlanPanicked(index) => {
                let poisoned = part.remove(index);
                tracing::error!("planning an operation panicked; the rest of its batch goes on");
                answer::<B>(poisoned.reply, Err(WriteError::Poisoned));
                parts.push(part);
            }
            Try::SomeAtFault(error) => {
                if part.len() > 1 {
                    // The second half is pushed first, so that the operations keep their order.
                    let second = part.split_off(part.len() / 2);
                    parts.push(second);
                    parts.push(part);
                } else if let Some(queued) = part.pop() {
                    tracing::error!(
                        error = error.as_ref().map(tracing::field::display),
                        "an operation could not be written"
                    );
                    answer::<B>(queued.reply, Err(error.map_or(WriteError::Poisoned, WriteError::Store)));
                }
            }
            Try::StoreFailed(error) => {
                for queued in part {
                    answer::<B>(queued.reply, Err(WriteError::Store(error.clone())));
                }
            }
        }
    }
}

fn answer<B: Batch>(reply: Reply<B>, outcome: Result<B::Answer, WriteError<B::Refusal>>) {
    // Whoever asked may have gone; what was committed stays, and a repeated request finds it.
    let _ = reply.send(outcome);
}

async fn attempt<B: Batch>(shared: &Shared<B>, part: &[Queued<B>]) -> Try<B> {
    // 0 while no planning is under way, else the number of the operation being planned, from 1: read after a panic.
    let planning = AtomicUsize::new(0);
    let work = AssertUnwindSafe(async {
        let ops: Vec<&B::Op> = part.iter().map(|queued| &queued.op).collect();
        let mut tx = shared.store.write().await?;
        let mut state = shared.batch.load(&mut tx, &ops).await?;
        let mut outcomes = Vec::with_capacity(ops.len());
        for op in ops {
            planning.store(outcomes.len() + 1, Ordering::Relaxed);
            outcomes.push(shared.batch.plan(&mut state, op));
        }
        planning.store(0, Ordering::Relaxed);
        shared.batch.write(&mut tx, state).await?;
        tx.commit().await?;
        Ok::<_, StoreError>(outcomes)
    });
    match work.catch_unwind().await {
        Ok(Ok(outcomes)) => Try::Committed(outcomes),
        Ok(Err(error)) if error.is_transient() => Try::StoreFailed(error),
        Ok(Err(error)) => Try::SomeAtFault(Some(error)),
        Err(_) => match planning.load(Ordering::Relaxed) {
            0 => Try::SomeAtFault(None),
            number => Try::PlanPanicked(number - 1),
        },
    }
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
