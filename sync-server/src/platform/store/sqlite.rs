//! The SQLite adapter: one writer connection, a small pool of readers, all on one file.
//!
//! Statements run where they are called, on the async worker: each takes microseconds, and handing every one to another
//! thread costs more than it runs. What can wait for the disk or for another process - BEGIN IMMEDIATE, COMMIT, backup,
//! check - runs under `block_in_place` or on a blocking thread, so that it stalls no other request.
//!
//! Invariants: every connection is in WAL mode with `synchronous=FULL` and foreign keys on, which is set and then read back
//! on each, or the connection is not used. One write transaction at a time in this process, first come, first served.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt, ready};
use rusqlite::{Connection, ErrorCode, OpenFlags, types::ValueRef};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

use super::{Engine, Result, Row, StoreError, Transaction, Value};

/// How many read transactions may be open at once. Reads are short; a few connections keep all cores busy.
const READERS: usize = 8;
/// How long to wait for the in-process writer or a reader before saying that the database is busy.
const QUEUE_WAIT: Duration = Duration::from_secs(10);
/// How long SQLite waits for another process (a `backup`, a `check`) to let go of the write lock.
const LOCK_WAIT: Duration = Duration::from_secs(5);
/// Marks the file as ours ("TRNS"), so that another program's database is not mistaken for one.
const APPLICATION_ID: i64 = 0x5452_4E53;
/// Prepared statements kept per connection; the server has fewer distinct ones than this.
const STATEMENT_CACHE: usize = 256;

/// An open SQLite database.
pub struct SqliteEngine {
    path: PathBuf,
    vfs: Option<String>,
    writer: Arc<tokio::sync::Mutex<Connection>>,
    readers: Arc<Readers>,
}

struct Readers {
    free: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

impl SqliteEngine {
    /// Opens the file, making it when it does not exist, and checks that it is a Turnstone database.
    ///
    /// # Errors
    /// [`StoreError::CannotOpen`], [`StoreError::Foreign`], [`StoreError::Corrupt`], [`StoreError::Setting`].
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_on(path, None)
    }

    /// As [`SqliteEngine::open`], on the SQLite file system named `vfs`: for tests that cut the power. Backup and check
    /// know the default one only.
    ///
    /// # Errors
    /// As [`SqliteEngine::open`].
    pub fn open_on(path: &Path, vfs: Option<&str>) -> Result<Self> {
        let writer = open_connection(path, vfs, Access::Write)?;
        claim_file(path, &writer)?;
        let readers = Readers { free: Mutex::new(Vec::new()), permits: Arc::new(Semaphore::new(READERS)) };
        Ok(Self {
            path: path.to_owned(),
            vfs: vfs.map(str::to_owned),
            writer: Arc::new(tokio::sync::Mutex::new(writer)),
            readers: Arc::new(readers),
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

fn open_connection(path: &Path, vfs: Option<&str>, access: Access) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let opened = match vfs {
        None => Connection::open_with_flags(path, flags),
        Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs),
    };
    let connection = opened.map_err(|error| map_error(path, &error))?;
    connection.busy_timeout(LOCK_WAIT).map_err(|error| map_error(path, &error))?;
    is_ours(path, &connection)?;
    configure(path, &connection, access)?;
    Ok(connection)
}

/// Sets what durability and integrity rest on, and reads it back: a build or a VFS that ignores a pragma says nothing.
fn configure(path: &Path, connection: &Connection, access: Access) -> Result<()> {
    let map = |error: rusqlite::Error| map_error(path, &error);
    connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    // A file that is no database says so at the first statement that reads it.
    for (name, set, wanted) in [
        ("journal_mode", "PRAGMA journal_mode = WAL", "wal"),
        ("synchronous", "PRAGMA synchronous = FULL", "2"),
        ("foreign_keys", "PRAGMA foreign_keys = ON", "1"),
        ("cell_size_check", "PRAGMA cell_size_check = ON", "1"),
    ] {
        connection.execute_batch(set).map_err(map)?;
        expect_setting(path, connection, name, wanted)?;
    }
    if access == Access::Read {
        connection.execute_batch("PRAGMA query_only = ON").map_err(map)?;
        expect_setting(path, connection, "query_only", "1")?;
    }
    Ok(())
}

fn pragma(path: &Path, connection: &Connection, name: &str) -> Result<String> {
    connection
        .query_row(&format!("PRAGMA {name}"), [], |row| {
            Ok(match row.get_ref(0)? {
                ValueRef::Integer(integer) => integer.to_string(),
                ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                _ => String::new(),
            })
        })
        .map_err(|error| map_error(path, &error))
}

fn expect_setting(path: &Path, connection: &Connection, name: &'static str, wanted: &str) -> Result<()> {
    let found = pragma(path, connection, name)?;
    if found == wanted { Ok(()) } else { Err(StoreError::Setting { name, wanted: wanted.into(), found }) }
}

/// Whether the file is marked as ours; one that holds another program's tables is refused before any setting changes it.
fn is_ours(path: &Path, connection: &Connection) -> Result<bool> {
    let map = |error: rusqlite::Error| map_error(path, &error);
    let id: i64 = connection.query_row("PRAGMA application_id", [], |row| row.get(0)).map_err(map)?;
    if id == APPLICATION_ID {
        return Ok(true);
    }
    let tables: i64 = connection.query_row("SELECT COUNT(*) FROM sqlite_master", [], |row| row.get(0)).map_err(map)?;
    if id != 0 || tables != 0 { Err(StoreError::Foreign { path: path.to_owned() }) } else { Ok(false) }
}

/// Marks a new file as ours.
fn claim_file(path: &Path, connection: &Connection) -> Result<()> {
    if is_ours(path, connection)? {
        return Ok(());
    }
    let mark = format!("PRAGMA application_id = {APPLICATION_ID}");
    connection.execute_batch(&mark).map_err(|error| map_error(path, &error))
}

impl Engine for SqliteEngine {
    fn begin_read(&self) -> BoxFuture<'_, Result<Box<dyn Transaction>>> {
        async move {
            let permit = tokio::time::timeout(QUEUE_WAIT, self.readers.permits.clone().acquire_owned())
                .await
                .map_err(|_| StoreError::Busy)?
                .map_err(|_| StoreError::Busy)?;
            let free = self.readers.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let connection = match free {
                Some(connection) => connection,
                None => in_place(|| open_connection(&self.path, self.vfs.as_deref(), Access::Read))?,
            };
            let lease = Lease::Reader { connection: Some(connection), readers: self.readers.clone(), _permit: permit };
            begin(self.path.clone(), lease, "BEGIN")
        }
        .boxed()
    }

    fn begin_write(&self) -> BoxFuture<'_, Result<Box<dyn Transaction>>> {
        async move {
            let guard = tokio::time::timeout(QUEUE_WAIT, self.writer.clone().lock_owned())
                .await
                .map_err(|_| StoreError::Busy)?;
            in_place(|| begin(self.path.clone(), Lease::Writer(guard), "BEGIN IMMEDIATE"))
        }
        .boxed()
    }

    fn backup<'a>(&'a self, to: &'a Path) -> BoxFuture<'a, Result<()>> {
        let (from, to) = (self.path.clone(), to.to_owned());
        async move { blocking(move || backup(&from, &to)).await }.boxed()
    }

    fn integrity_check(&self) -> BoxFuture<'_, Result<Vec<String>>> {
        let path = self.path.clone();
        async move { blocking(move || integrity_check(&path)).await }.boxed()
    }
}

/// Runs something that may wait for the disk without stalling the other tasks of this worker. The single-threaded runtime
/// of a test has no other worker to hand them to, so there it simply runs.
fn in_place<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| StoreError::Engine { detail: error.to_string() })?
}

/// A connection on loan to a transaction.
enum Lease {
    Writer(OwnedMutexGuard<Connection>),
    Reader { connection: Option<Connection>, readers: Arc<Readers>, _permit: OwnedSemaphorePermit },
}

impl Lease {
    fn connection(&self) -> Result<&Connection> {
        match self {
            Self::Writer(guard) => Ok(guard),
            Self::Reader { connection: Some(connection), .. } => Ok(connection),
            Self::Reader { connection: None, .. } => {
                Err(StoreError::Engine { detail: "the connection was returned".into() })
            }
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Self::Reader { connection, readers, .. } = self
            && let Some(connection) = connection.take()
            && connection.is_autocommit()
        {
            readers.free.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
    }
}

struct SqliteTransaction {
    path: PathBuf,
    lease: Lease,
}

fn begin(path: PathBuf, lease: Lease, sql: &str) -> Result<Box<dyn Transaction>> {
    lease.connection()?.execute_batch(sql).map_err(|error| map_error(&path, &error))?;
    Ok(Box::new(SqliteTransaction { path, lease }))
}

impl SqliteTransaction {
    fn run<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        work(self.lease.connection()?).map_err(|error| map_error(&self.path, &error))
    }
}

impl Transaction for SqliteTransaction {
    fn query<'a>(&'a mut self, sql: &'a str, params: &'a [Value]) -> BoxFuture<'a, Result<Vec<Row>>> {
        let answer = self.run(|connection| {
            let mut statement = connection.prepare_cached(&render(sql))?;
            bind(&mut statement, params)?;
            let columns = statement.column_count();
            let mut found = Vec::new();
            let mut rows = statement.raw_query();
            while let Some(row) = rows.next()? {
                let values =
                    (0..columns).map(|index| value_of(row.get_ref(index)?)).collect::<rusqlite::Result<_>>()?;
                found.push(Row::new(values));
            }
            Ok(found)
        });
        ready(answer).boxed()
    }

    fn execute<'a>(&'a mut self, sql: &'a str, params: &'a [Value]) -> BoxFuture<'a, Result<u64>> {
        let answer = self.run(|connection| {
            let mut statement = connection.prepare_cached(&render(sql))?;
            bind(&mut statement, params)?;
            statement.raw_execute().map(|rows| rows as u64)
        });
        ready(answer).boxed()
    }

    fn execute_each<'a>(&'a mut self, sql: &'a str, sets: &'a [Vec<Value>]) -> BoxFuture<'a, Result<u64>> {
        let answer = self.run(|connection| {
            let mut statement = connection.prepare_cached(&render(sql))?;
            let mut total = 0;
            for set in sets {
                bind(&mut statement, set)?;
                total += statement.raw_execute()? as u64;
            }
            Ok(total)
        });
        ready(answer).boxed()
    }

    fn execute_script<'a>(&'a mut self, sql: &'a str) -> BoxFuture<'a, Result<()>> {
        ready(self.run(|connection| connection.execute_batch(sql))).boxed()
    }

    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<()>> {
        // The commit happens when the future is polled, and the fsync inside it may take milliseconds.
        async move { in_place(|| self.run(|connection| connection.execute_batch("COMMIT"))) }.boxed()
    }
}

impl Drop for SqliteTransaction {
    fn drop(&mut self) {
        let Ok(connection) = self.lease.connection() else { return };
        if connection.is_autocommit() {
            return;
        }
        if let Err(error) = connection.execute_batch("ROLLBACK") {
            tracing::error!(%error, "a transaction could not be rolled back");
        }
    }
}

/// `$2` becomes `?2`: SQLite would take `$2` for a name and number it by first appearance. Text in quotes stays.
fn render(sql: &str) -> Cow<'_, str> {
    if !sql.contains('$') {
        return Cow::Borrowed(sql);
    }
    let mut quoted = None;
    let rendered = sql.chars().map(|character| {
        match (quoted, character) {
            (None, '\'' | '"') => quoted = Some(character),
            (Some(open), close) if open == close => quoted = None,
            _ => {}
        }
        if character == '$' && quoted.is_none() { '?' } else { character }
    });
    Cow::Owned(rendered.collect())
}

fn bind(statement: &mut rusqlite::Statement<'_>, params: &[Value]) -> rusqlite::Result<()> {
    let wanted = statement.parameter_count();
    if wanted != params.len() {
        return Err(rusqlite::Error::InvalidParameterCount(params.len(), wanted));
    }
    for (index, value) in params.iter().enumerate() {
        match value {
            Value::Null => statement.raw_bind_parameter(index + 1, rusqlite::types::Null)?,
            Value::Integer(integer) => statement.raw_bind_parameter(index + 1, integer)?,
            Value::Text(text) => statement.raw_bind_parameter(index + 1, text.as_str())?,
            Value::Blob(bytes) => statement.raw_bind_parameter(index + 1, bytes.as_slice())?,
        }
    }
    Ok(())
}

fn value_of(value: ValueRef<'_>) -> rusqlite::Result<Value> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(integer) => Value::Integer(integer),
        ValueRef::Text(text) => {
            Value::Text(std::str::from_utf8(text).map_err(|error| rusqlite::Error::Utf8Error(0, error))?.to_owned())
        }
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
        ValueRef::Real(_) => {
            return Err(rusqlite::Error::InvalidColumnType(
                0,
                "a floating-point number".into(),
                rusqlite::types::Type::Real,
            ));
        }
    })
}

fn backup(from: &Path, to: &Path) -> Result<()> {
    let cannot = |detail: String| StoreError::CannotOpen { path: to.to_owned(), detail };
    if to.exists() {
        return Err(StoreError::BackupExists { path: to.to_owned() });
    }
    let partial = to.with_extension("partial");
    let _ = std::fs::remove_file(&partial);
    let source = open_connection(from, None, Access::Read)?;
    let copied = copy(&source, &partial).and_then(|()| {
        let findings = integrity_check(&partial)?;
        match findings.first() {
            None => Ok(()),
            Some(finding) => Err(StoreError::Corrupt { path: from.to_owned(), detail: finding.clone() }),
        }
    });
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(sibling(&partial, suffix));
    }
    if let Err(error) = copied {
        let _ = std::fs::remove_file(&partial);
        return Err(error);
    }
    std::fs::rename(&partial, to)
        .and_then(|()| std::fs::File::open(to)?.sync_all())
        .and_then(|()| {
            std::fs::File::open(to.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")))?.sync_all()
        })
        .map_err(|error| cannot(error.to_string()))
}

fn sibling(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Copies all pages in one step: a read lock that in WAL mode hinders nobody, and a copy of one moment.
fn copy(source: &Connection, to: &Path) -> Result<()> {
    let map = |error: rusqlite::Error| map_error(to, &error);
    let mut target = Connection::open(to).map_err(map)?;
    let backup = rusqlite::backup::Backup::new(source, &mut target).map_err(map)?;
    match backup.step(-1).map_err(map)? {
        rusqlite::backup::StepResult::Done => {}
        _ => return Err(StoreError::Busy),
    }
    drop(backup);
    // What is restored from the copy begins another life; see `Store::incarnation`. An empty database has no counters.
    let sql = "SELECT COUNT(*) FROM sqlite_schema WHERE name = 'counters'";
    if target.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(map)? > 0 {
        target.execute("DELETE FROM counters WHERE name = ?1", [super::INCARNATION]).map_err(map)?;
    }
    target.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").map_err(map)
}

fn integrity_check(path: &Path) -> Result<Vec<String>> {
    let connection = open_connection(path, None, Access::Read)?;
    let map = |error: rusqlite::Error| map_error(path, &error);
    let mut findings = Vec::new();
    let mut statement = connection.prepare("PRAGMA integrity_check").map_err(map)?;
    let lines = statement.query_map([], |row| row.get::<_, String>(0)).map_err(map)?;
    for line in lines {
        let line = line.map_err(map)?;
        if line != "ok" {
            findings.push(line);
        }
    }
    let mut statement = connection.prepare("PRAGMA foreign_key_check").map_err(map)?;
    let broken = statement.query_map([], |row| row.get::<_, String>(0)).map_err(map)?;
    for table in broken {
        findings.push(format!("a row of {} refers to one that does not exist", table.map_err(map)?));
    }
    Ok(findings)
}

/// The engine's error as one of ours. `path` is the database's file.
fn map_error(path: &Path, error: &rusqlite::Error) -> StoreError {
    let rusqlite::Error::SqliteFailure(failure, message) = error else {
        return match error {
            rusqlite::Error::InvalidColumnType(..) | rusqlite::Error::Utf8Error(..) => {
                StoreError::Shape { detail: error.to_string() }
            }
            _ => StoreError::Engine { detail: error.to_string() },
        };
    };
    let detail = message.clone().unwrap_or_else(|| failure.to_string());
    match failure.code {
        ErrorCode::ConstraintViolation => match failure.extended_code {
            rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE
            | rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY
            | rusqlite::ffi::SQLITE_CONSTRAINT_ROWID => {
                let constraint = detail.rsplit("failed: ").next().unwrap_or(&detail).to_owned();
                StoreError::Unique { constraint }
            }
            _ => StoreError::Constraint { detail },
        },
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreError::Busy,
        ErrorCode::DiskFull => StoreError::DiskFull,
        ErrorCode::DatabaseCorrupt => StoreError::Corrupt { path: path.to_owned(), detail },
        // Neither ours nor damaged beyond its header can be told apart: the header is all that is known.
        ErrorCode::NotADatabase => StoreError::Foreign { path: path.to_owned() },
        ErrorCode::CannotOpen => StoreError::CannotOpen { path: path.to_owned(), detail },
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied => StoreError::ReadOnly { detail },
        ErrorCode::SystemIoFailure => StoreError::Io { detail },
        _ => StoreError::Engine { detail },
    }
}
