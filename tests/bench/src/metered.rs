//! A store whose time is counted: SQLite as the server opens it, with the time that statements and commits take.
//!
//! The adapter runs a statement on the thread that asks, within one poll, so that thread's processor time is the statement's.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use sync_server::platform::store::{Engine, Result, Row, SqliteEngine, Store, Transaction, Value};

use crate::machine::thread_time;

/// What the store's transactions took so far. Cheap to clone; clones share the count.
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    statements_ns: AtomicU64,
    statements_processor_ns: AtomicU64,
    commits_ns: AtomicU64,
    commits_processor_ns: AtomicU64,
    commits: AtomicU64,
}

/// A moment's counts.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    pub statements: Duration,
    pub statements_processor: Duration,
    pub commit: Duration,
    pub commit_processor: Duration,
    pub commits: u64,
}

impl Meter {
    pub fn read(&self) -> Reading {
        let ns = |count: &AtomicU64| Duration::from_nanos(count.load(Ordering::Relaxed));
        Reading {
            statements: ns(&self.0.statements_ns),
            statements_processor: ns(&self.0.statements_processor_ns),
            commit: ns(&self.0.commits_ns),
            commit_processor: ns(&self.0.commits_processor_ns),
            commits: self.0.commits.load(Ordering::Relaxed),
        }
    }
}

impl Reading {
    /// What was added since `before`.
    pub fn since(&self, before: &Reading) -> Reading {
        Reading {
            statements: self.statements - before.statements,
            statements_processor: self.statements_processor - before.statements_processor,
            commit: self.commit - before.commit,
            commit_processor: self.commit_processor - before.commit_processor,
            commits: self.commits - before.commits,
        }
    }
}

fn add(count: &AtomicU64, time: Duration) {
    count.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
}

/// Opens the database in the file `path`, all its migrations applied.
pub async fn open(path: &Path, now_ms: i64, meter: &Meter) -> Result<Store> {
    let store = Store::new(Metered { engine: SqliteEngine::open(path)?, meter: meter.clone() });
    store.migrate(now_ms).await?;
    Ok(store)
}

struct Metered {
    engine: SqliteEngine,
    meter: Meter,
}

impl Metered {
    fn wrap(&self, transaction: Box<dyn Transaction>) -> Box<dyn Transaction> {
        Box::new(MeteredTransaction { transaction, meter: self.meter.clone() })
    }
}

impl Engine for Metered {
    fn begin_read(&self) -> BoxFuture<'_, Result<Box<dyn Transaction>>> {
        Box::pin(async { Ok(self.wrap(self.engine.begin_read().await?)) })
    }

    fn begin_write(&self) -> BoxFuture<'_, Result<Box<dyn Transaction>>> {
        Box::pin(async { Ok(self.wrap(self.engine.begin_write().await?)) })
    }

    fn backup<'a>(&'a self, to: &'a Path) -> BoxFuture<'a, Result<()>> {
        self.engine.backup(to)
    }

    fn integrity_check(&self) -> BoxFuture<'_, Result<Vec<String>>> {
        self.engine.integrity_check()
    }
}

struct MeteredTransaction {
    transaction: Box<dyn Transaction>,
    meter: Meter,
}

impl MeteredTransaction {
    fn timed<'a, T: Send + 'a>(
        meter: &Meter,
        work: impl FnOnce() -> BoxFuture<'a, Result<T>> + Send + 'a,
    ) -> BoxFuture<'a, Result<T>> {
        let meter = meter.clone();
        Box::pin(async move {
            let (began, used) = (Instant::now(), thread_time());
            let done = work().await;
            add(&meter.0.statements_ns, began.elapsed());
            add(&meter.0.statements_processor_ns, thread_time().saturating_sub(used));
            done
        })
    }
}

impl Transaction for MeteredTransaction {
    fn query<'a>(&'a mut self, sql: &'a str, params: &'a [Value]) -> BoxFuture<'a, Result<Vec<Row>>> {
        let transaction = &mut self.transaction;
        Self::timed(&self.meter, move || transaction.query(sql, params))
    }

    fn execute<'a>(&'a mut self, sql: &'a str, params: &'a [Value]) -> BoxFuture<'a, Result<u64>> {
        let transaction = &mut self.transaction;
        Self::timed(&self.meter, move || transaction.execute(sql, params))
    }

    fn execute_each<'a>(&'a mut self, sql: &'a str, sets: &'a [Vec<Value>]) -> BoxFuture<'a, Result<u64>> {
        let transaction = &mut self.transaction;
        Self::timed(&self.meter, move || transaction.execute_each(sql, sets))
    }

    fn execute_script<'a>(&'a mut self, sql: &'a str) -> BoxFuture<'a, Result<()>> {
        let transaction = &mut self.transaction;
        Self::timed(&self.meter, move || transaction.execute_script(sql))
    }

    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<()>> {
        Box::pin(async move {
            let (began, used) = (Instant::now(), thread_time());
            let done = self.transaction.commit().await;
            add(&self.meter.0.commits_ns, began.elapsed());
            add(&self.meter.0.commits_processor_ns, thread_time().saturating_sub(used));
            self.meter.0.commits.fetch_add(1, Ordering::Relaxed);
            done
        })
    }
}
