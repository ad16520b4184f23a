//! Replay folders: databases that play another handheld's recordings, and those that sync. No database is both.
//!
//! Invariants: a replay's mark is written in the transaction that fills it and is never taken away; a [`SyncDatabase`] can
//! only be had of a database without the mark, and the sync threads connect through nothing else; a replay takes over
//! whom the station believed and what it knew, and neither its key nor any scan.

use std::path::Path;

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::{Database, FILE, Journal, JournalError, Use};

/// A database that syncs: known not to be a replay.
#[derive(Debug, Clone)]
pub struct SyncDatabase(Database);

impl SyncDatabase {
    /// A connection of the caller's own.
    pub fn connect(&self) -> Result<Journal, JournalError> {
        self.0.connect(Use::Background)
    }
}

/// What a station's database gives a replay: keys, place, policy, live lists with their classes, floors and revocations. The
/// server's name and pin are not among it, so that even a program of another version would reach nobody.
const COPY: &str = "
    INSERT INTO authority_certificate SELECT bytes FROM station.authority_certificate;
    INSERT INTO key_revocation SELECT bytes FROM station.key_revocation;
    INSERT INTO main.station (id, server, tls_pin, root_fingerprint, device, root, organiser, event, event_name, venue,
           time_zone, starts_at_ms, ends_at_ms, lane, device_certificate, lease_until_ms, minimum_list_version, policy)
    SELECT id, 'https://replay.invalid', zeroblob(32), root_fingerprint, device, root, organiser, event, event_name, venue,
           time_zone, starts_at_ms, ends_at_ms, lane, device_certificate, lease_until_ms, minimum_list_version, policy
    FROM station.station WHERE root IS NOT NULL;
    INSERT INTO list (id, event, state, version, base, issued_at_s, expires_at_s, tickets, manifest, next_chunk)
    SELECT id, event, state, version, base, issued_at_s, expires_at_s, tickets, manifest, next_chunk
    FROM station.list WHERE state = 'live';
    INSERT INTO listed (list, ticket, serial, class, revoked, algorithm, holder)
    SELECT list, ticket, serial, class, revoked, algorithm, holder
    FROM station.listed WHERE list IN (SELECT id FROM main.list);
    INSERT INTO class (event, class, name, valid_from_s, valid_until_s, admissions, flags)
    SELECT event, class, name, valid_from_s, valid_until_s, admissions, flags FROM station.class;
    INSERT INTO floor (event, ticket, serial) SELECT event, ticket, serial FROM station.floor;
    INSERT INTO revocation (event, ticket, serial) SELECT event, ticket, serial FROM station.revocation;";

impl Database {
    /// Makes a replay in `folder`, which has no database yet, of the station in the folder `station`. `epoch` names its own
    /// chain; `now_ms` is noted as when it was made.
    ///
    /// Errors: `Live` if there is a database already, `NoPlace` if the station has none confirmed.
    pub fn make_replay(station: &Path, folder: &Path, epoch: u64, now_ms: i64) -> Result<Self, JournalError> {
        if folder.join(FILE).exists() {
            return Err(JournalError::Live);
        }
        // Seen to be a handheld's, by its own door, before anything is attached; a missing one must not be made.
        let source = station.join(FILE);
        if !source.exists() {
            return Err(JournalError::Foreign);
        }
        let placed = "SELECT count(*) > 0 FROM station WHERE root IS NOT NULL";
        let placed: bool = Database::at(source.clone(), None).raw()?.query_row(placed, [], |row| row.get(0))?;
        if !placed {
            return Err(JournalError::NoPlace);
        }
        let this = Database::open(folder, None, epoch)?;
        if let Err(error) = this.fill(&source, now_ms) {
            // Half a replay would look like a handheld's own database from now on.
            for name in [FILE.to_owned(), format!("{FILE}-wal"), format!("{FILE}-shm")] {
                let _ = std::fs::remove_file(folder.join(name));
            }
            return Err(error);
        }
        Ok(this)
    }

    fn fill(&self, source: &Path, now_ms: i64) -> Result<(), JournalError> {
        let mut connection = self.raw()?;
        connection.execute("ATTACH ?1 AS station", [source.to_string_lossy()])?;
        let tx = Transaction::new(&mut connection, TransactionBehavior::Immediate)?;
        tx.execute("INSERT INTO replay (id, made_at_ms) VALUES (1, ?1)", params![now_ms])?;
        tx.execute_batch(COPY)?;
        Ok(tx.commit()?)
    }

    /// Whether this database plays another handheld's recordings.
    pub fn is_replay(&self) -> Result<bool, JournalError> {
        is_replay(&self.raw()?)
    }

    /// Errors: `Live` if this is a handheld's own database.
    pub fn expect_replay(&self) -> Result<(), JournalError> {
        if self.is_replay()? { Ok(()) } else { Err(JournalError::Live) }
    }

    /// The database for whoever talks with a server.
    ///
    /// Errors: `Replay` if it never syncs.
    pub fn for_sync(&self) -> Result<SyncDatabase, JournalError> {
        if self.is_replay()? { Err(JournalError::Replay) } else { Ok(SyncDatabase(self.clone())) }
    }
}

fn is_replay(connection: &Connection) -> Result<bool, JournalError> {
    Ok(connection.query_row("SELECT count(*) > 0 FROM replay", [], |row| row.get(0))?)
}
