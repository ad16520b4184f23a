//! Opening: the one place where a connection is made, with the settings that keep what was acknowledged.
//!
//! Invariants: every connection has `journal_mode=WAL`, `synchronous=FULL` and `foreign_keys=ON`, read back after they were
//! set; the schema only moves forward, each step in one transaction; a database of a newer version is left alone.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use super::turn::Turns;
use super::{Journal, JournalError};

/// The file's name in the data folder.
pub const FILE: &str = "gate.db";
/// `PRAGMA application_id`: "TSGT".
const APPLICATION_ID: u32 = 0x5453_4754;
/// Every step of the schema, oldest first. Append only.
const MIGRATIONS: [&str; 7] = [
    include_str!("../../../migrations/0001_gate.sql"),
    include_str!("../../../migrations/0002_feed_generation.sql"),
    include_str!("../../../migrations/0003_replay.sql"),
    include_str!("../../../migrations/0004_passage.sql"),
    include_str!("../../../migrations/0005_journal_base.sql"),
    include_str!("../../../migrations/0006_wipe.sql"),
    include_str!("../../../migrations/0007_staff.sql"),
];
/// Pages in the log before a commit carries them into the file. The gate's connection leaves that to the others unless
/// they are far behind, so that a guest does not wait for it.
const CHECKPOINT_PAGES: i64 = 1_000;
const CHECKPOINT_PAGES_GATE: i64 = 10_000;
/// Another process may hold the database for a moment (`scanner-app journal`).
const BUSY: Duration = Duration::from_secs(5);

/// Whose connection it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Decides about guests: never pays for what can wait.
    Gate,
    /// Everything else.
    Background,
}

/// A handheld's database; makes connections to it.
#[derive(Debug, Clone)]
pub struct Database {
    path: PathBuf,
    vfs: Option<String>,
    /// Held around each write transaction, so that threads of one process wait for each other without polling.
    turns: Arc<Turns>,
}

impl Database {
    /// Opens `FOLDER/gate.db`, makes it where there is none, and moves its schema forward. `vfs` names an SQLite file
    /// system other than the default one, for tests. `epoch` names the chain of a new journal: 64 random bits.
    pub fn open(folder: &Path, vfs: Option<&str>, epoch: u64) -> Result<Self, JournalError> {
        let told = |error: std::io::Error| JournalError::Folder {
            folder: folder.display().to_string(),
            error: error.to_string(),
        };
        if vfs.is_none() {
            std::fs::create_dir_all(folder).map_err(told)?;
        }
        let path = folder.join(FILE);
        let this = Database::at(path, vfs);
        let mut connection = this.raw()?;
        migrate(&mut connection)?;
        let checked: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if checked != "ok" {
            return Err(JournalError::Corrupt(checked));
        }
        connection.execute("INSERT INTO chain (id, epoch) VALUES (1, ?1) ON CONFLICT DO NOTHING", [epoch as i64])?;
        Ok(this)
    }

    /// The database in the file `path`, not looked at yet.
    pub(super) fn at(path: PathBuf, vfs: Option<&str>) -> Self {
        Database { path, vfs: vfs.map(str::to_owned), turns: Arc::default() }
    }

    /// A connection of the caller's own.
    pub fn connect(&self, purpose: Use) -> Result<Journal, JournalError> {
        let connection = self.raw()?;
        let pages = if purpose == Use::Gate { CHECKPOINT_PAGES_GATE } else { CHECKPOINT_PAGES };
        connection.pragma_update(None, "wal_autocheckpoint", pages)?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(Journal { connection, turns: Arc::clone(&self.turns), own_use: purpose })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of the database with its log.
    pub fn size_bytes(&self) -> u64 {
        let log = self.path.with_extension("db-wal");
        [self.path.as_path(), &log].iter().filter_map(|path| path.metadata().ok()).map(|meta| meta.len()).sum()
    }

    pub(super) fn raw(&self) -> Result<Connection, JournalError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = match &self.vfs {
            None => Connection::open_with_flags(&self.path, flags)?,
            Some(vfs) => Connection::open_with_flags_and_vfs(&self.path, flags, vfs.as_str())?,
        };
        connection.busy_timeout(BUSY)?;
        recognise(&connection)?;
        settle(&connection)?;
        Ok(connection)
    }
}

/// Sets what every connection must have, and reads it back.
fn settle(connection: &Connection) -> Result<(), JournalError> {
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    let wanted = [("journal_mode", "WAL", "wal"), ("synchronous", "FULL", "2"), ("foreign_keys", "ON", "1")];
    for (pragma, set, wanted) in wanted {
        connection.pragma_update(None, pragma, set)?;
        let found = pragma_text(connection, pragma)?;
        if found != wanted {
            return Err(JournalError::Pragma { pragma, wanted, found });
        }
    }
    Ok(())
}

/// A pragma's value as text.
pub(super) fn pragma_text(connection: &Connection, pragma: &str) -> Result<String, JournalError> {
    let value: rusqlite::types::Value = connection.pragma_query_value(None, pragma, |row| row.get(0))?;
    Ok(match value {
        rusqlite::types::Value::Integer(number) => number.to_string(),
        rusqlite::types::Value::Text(text) => text,
        other => format!("{other:?}"),
    })
}

/// Reads whose database this is, before anything is written to it: settings change another program's file. Returns the
/// schema's version.
fn recognise(connection: &Connection) -> Result<u32, JournalError> {
    let known = MIGRATIONS.len() as u32;
    let application: u32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let found: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let empty: bool = connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))?;
    if application != APPLICATION_ID && !(empty && found == 0) {
        return Err(JournalError::Foreign);
    }
    if found > known { Err(JournalError::Newer { found, known }) } else { Ok(found) }
}

fn migrate(connection: &mut Connection) -> Result<(), JournalError> {
    let known = MIGRATIONS.len() as u32;
    let tx = Transaction::new(connection, TransactionBehavior::Immediate)?;
    let found = recognise(&tx)?;
    for step in &MIGRATIONS[found as usize..] {
        tx.execute_batch(step)?;
    }
    if found < known {
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        tx.pragma_update(None, "user_version", known)?;
    }
    Ok(tx.commit()?)
}
