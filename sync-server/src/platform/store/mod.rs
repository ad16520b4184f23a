//! The store: transactions over one relational database, behind a small trait with one adapter per engine.
//!
//! Owns the tables `schema_migrations` and `counters`; every other table belongs to the context whose `store.rs` names it.
//!
//! Invariants:
//! - A change exists only after [`Tx::commit`] answered `Ok`; dropping a [`Tx`] rolls it back. What was committed survives
//!   a power cut.
//! - SQL keeps to what SQLite and PostgreSQL both understand: `i64`, text and blob; `$n` parameters; `ON CONFLICT`;
//!   `RETURNING`. Where they must differ, the text carries a hole in a comment that the engine's adapter fills:
//!   `/*LOCK*/` at the end of a SELECT becomes row locks (`FOR UPDATE`), and nothing on SQLite, whose write transactions
//!   exclude each other.
//! - A write transaction reads its own writes; a read transaction sees one moment of the database.
//! - A call from one context into another takes `&mut Tx`, so that it shows where atomicity begins and ends.

mod error;
mod migrate;
mod sqlite;
#[cfg(test)]
mod tests;
mod value;

use std::path::Path;
use std::sync::Arc;

use futures_util::future::BoxFuture;

pub use error::StoreError;
pub use migrate::MigrationReport;
pub use sqlite::SqliteEngine;
pub use value::{FromRow, FromValue, Row, Value, params};

/// The result of anything the store does.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// What an engine does for the store. `begin_*` may wait for a connection, within bounds.
pub trait Engine: Send + Sync + 'static {
    /// A transaction that sees one moment of the database and can't write.
    fn begin_read(&self) -> BoxFuture<'_, Result<Box<dyn Transaction>>>;
    /// A transaction that may write.
    fn begin_write(&self) -> BoxFuture<'_, Result<Box<dyn Transaction>>>;
    /// Writes a consistent copy of the whole database to a new file while others go on working.
    fn backup<'a>(&'a self, to: &'a Path) -> BoxFuture<'a, Result<()>>;
    /// The engine's own check of its files; a list of findings, empty when all is well.
    fn integrity_check(&self) -> BoxFuture<'_, Result<Vec<String>>>;
}

/// One open transaction of an engine. Dropping it rolls back.
pub trait Transaction: Send {
    fn query<'a>(&'a mut self, sql: &'a str, params: &'a [Value]) -> BoxFuture<'a, Result<Vec<Row>>>;
    fn execute<'a>(&'a mut self, sql: &'a str, params: &'a [Value]) -> BoxFuture<'a, Result<u64>>;
    /// The same statement for each set of parameters, prepared once; the total of rows changed.
    fn execute_each<'a>(&'a mut self, sql: &'a str, sets: &'a [Vec<Value>]) -> BoxFuture<'a, Result<u64>>;
    /// Several statements without parameters, for migrations.
    fn execute_script<'a>(&'a mut self, sql: &'a str) -> BoxFuture<'a, Result<()>>;
    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<()>>;
}

/// The counter that names the life of a database.
const INCARNATION: &str = "incarnation";

/// A handle on the database. Cheap to clone; all clones share the connections.
#[derive(Clone)]
pub struct Store {
    engine: Arc<dyn Engine>,
}

impl Store {
    #[must_use]
    pub fn new(engine: impl Engine) -> Self {
        Self { engine: Arc::new(engine) }
    }

    /// Opens (or makes) the SQLite database in the file `path` and applies the migrations it lacks. `now_ms` is noted
    /// beside each migration.
    ///
    /// # Errors
    /// [`StoreError::CannotOpen`], [`StoreError::Corrupt`], [`StoreError::Foreign`], [`StoreError::NewerSchema`] and the
    /// like: each says what to do.
    pub async fn open_sqlite(path: &Path, now_ms: i64) -> Result<Self> {
        let store = Self::new(SqliteEngine::open(path)?);
        store.migrate(now_ms).await?;
        Ok(store)
    }

    /// Applies the migrations that the database lacks, each in a transaction of its own.
    ///
    /// # Errors
    /// [`StoreError::NewerSchema`] when the database knows a migration that this version does not,
    /// [`StoreError::ChangedMigration`] when an applied one's text differs.
    pub async fn migrate(&self, now_ms: i64) -> Result<MigrationReport> {
        migrate::run(self, &migrate::embedded()?, now_ms).await
    }

    /// How many migrations the database lacks. Changes nothing.
    ///
    /// # Errors
    /// As [`Store::migrate`].
    pub async fn outstanding_migrations(&self) -> Result<usize> {
        migrate::outstanding(self, &migrate::embedded()?).await
    }

    /// A transaction that sees one moment of the database and can't write.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when no connection came free within some seconds.
    pub async fn read(&self) -> Result<Tx> {
        Ok(Tx { inner: self.engine.begin_read().await? })
    }

    /// A transaction that may write. Keep it short, and never await anything but the store while it is open.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when the writer did not come free within some seconds.
    pub async fn write(&self) -> Result<Tx> {
        Ok(Tx { inner: self.engine.begin_write().await? })
    }

    /// Names this life of the database: the same number until a backup of it is restored, whose life is another one. Where
    /// there is none yet, it becomes `fresh`, a random number.
    ///
    /// # Errors
    /// The engine's.
    pub async fn incarnation(&self, fresh: u64) -> Result<u64> {
        let known: Option<(u64,)> = self
            .read()
            .await?
            .query_optional("SELECT value FROM counters WHERE name = $1", params![INCARNATION])
            .await?;
        if let Some((known,)) = known {
            return Ok(known);
        }
        let mut tx = self.write().await?;
        let (incarnation,) = tx
            .query_one(
                "INSERT INTO counters (name, value) VALUES ($1, $2)
                 ON CONFLICT (name) DO UPDATE SET value = counters.value RETURNING value",
                params![INCARNATION, fresh],
            )
            .await?;
        tx.commit().await?;
        Ok(incarnation)
    }

    /// Writes a consistent, checked copy of the whole database to the new file `to` while others go on working. The copy lacks
    /// the [incarnation](Store::incarnation), so that a server that is restored from it knows that it was.
    ///
    /// # Errors
    /// [`StoreError::BackupExists`]; [`StoreError::CannotOpen`] when `to` cannot be made; [`StoreError::DiskFull`].
    pub async fn backup(&self, to: &Path) -> Result<()> {
        self.engine.backup(to).await
    }

    /// The engine's own check of its files; a list of findings, empty when all is well.
    ///
    /// # Errors
    /// Those of reading.
    pub async fn integrity_check(&self) -> Result<Vec<String>> {
        self.engine.integrity_check().await
    }
}

/// An open transaction. Dropping it without [`Tx::commit`] rolls it back.
pub struct Tx {
    inner: Box<dyn Transaction>,
}

impl Tx {
    /// All rows of a statement (a SELECT, or a change with RETURNING).
    ///
    /// # Errors
    /// The engine's, as [`StoreError`]; [`StoreError::Shape`] when a row is not a `T`.
    pub async fn query<T: FromRow>(&mut self, sql: &str, params: &[Value]) -> Result<Vec<T>> {
        self.inner.query(sql, params).await?.into_iter().map(T::from_row).collect()
    }

    /// The one row of a statement, or none. More than one is an error: the statement was to find one thing.
    ///
    /// # Errors
    /// As [`Tx::query`]; [`StoreError::Shape`] for more than one row.
    pub async fn query_optional<T: FromRow>(&mut self, sql: &str, params: &[Value]) -> Result<Option<T>> {
        let mut rows = self.inner.query(sql, params).await?;
        match (rows.pop(), rows.is_empty()) {
            (None, _) => Ok(None),
            (Some(row), true) => T::from_row(row).map(Some),
            (Some(_), false) => Err(StoreError::Shape { detail: "more than one row".into() }),
        }
    }

    /// The one row of a statement that always has one, such as `SELECT COUNT(*)` or `INSERT ... RETURNING`.
    ///
    /// # Errors
    /// As [`Tx::query`]; [`StoreError::Shape`] for none or more than one row.
    pub async fn query_one<T: FromRow>(&mut self, sql: &str, params: &[Value]) -> Result<T> {
        self.query_optional(sql, params).await?.ok_or_else(|| StoreError::Shape { detail: "no row".into() })
    }

    /// A change without RETURNING; the number of rows it touched.
    ///
    /// # Errors
    /// The engine's; [`StoreError::Unique`] when a row with the same key exists.
    pub async fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64> {
        self.inner.execute(sql, params).await
    }

    /// The same change for each set of parameters, prepared once (row-wise is what SQLite plans best); the number of rows
    /// touched in all.
    ///
    /// # Errors
    /// As [`Tx::execute`]; earlier sets stay applied within the transaction, so drop it.
    pub async fn execute_each(&mut self, sql: &str, sets: &[Vec<Value>]) -> Result<u64> {
        self.inner.execute_each(sql, sets).await
    }

    /// Makes all changes durable and visible at once.
    ///
    /// # Errors
    /// [`StoreError::DiskFull`], [`StoreError::Io`], [`StoreError::Busy`]: then nothing was changed.
    pub async fn commit(self) -> Result<()> {
        self.inner.commit().await
    }

    /// The next number of the sequence `name`, from 1. A number taken in a transaction that is rolled back comes again.
    ///
    /// # Errors
    /// The engine's.
    pub async fn next_number(&mut self, name: &str) -> Result<i64> {
        let (number,) = self
            .query_one(
                "INSERT INTO counters (name, value) VALUES ($1, 1)
                 ON CONFLICT (name) DO UPDATE SET value = counters.value + 1 RETURNING value",
                params![name],
            )
            .await?;
        Ok(number)
    }

    async fn execute_script(&mut self, sql: &str) -> Result<()> {
        self.inner.execute_script(sql).await
    }
}
