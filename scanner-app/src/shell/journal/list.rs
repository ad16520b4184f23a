//! Lists: staged beside the live one in small transactions, made visible in one short commit.
//!
//! What arrives here was checked: the manifest's signature, each chunk's hash, version against version. The commit looks at
//! the versions once more, since it is the last place where one could go down.

use rusqlite::{Connection, OptionalExtension as _, params};
use ticket_signer::list::ListLine;
use ticket_signer::{EventId, ListManifest, TicketStatus};

use super::{Journal, JournalError, bits};

/// Rows written in one transaction while staging or sweeping: a scan waits no longer than this takes.
const STEP_ROWS: usize = 500;

/// The live list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListState {
    pub version: u64,
    /// Unix seconds.
    pub issued_at_s: i64,
    /// Unix seconds.
    pub expires_at_s: i64,
    /// How many tickets it names.
    pub tickets: u64,
    /// How many tickets of the event are revoked, on the list or not.
    pub revoked: u64,
}

/// A list that is being fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Staging {
    id: i64,
    /// The first chunk that is not staged yet.
    pub next_chunk: usize,
}

impl Journal {
    pub fn live_list(&self, event: EventId) -> Result<Option<ListState>, JournalError> {
        live(&self.connection, event)
    }

    /// Begins to stage the list of this manifest, or goes on where an earlier run of the same one stopped.
    pub fn stage(&mut self, envelope: &[u8], manifest: &ListManifest) -> Result<Staging, JournalError> {
        let known = {
            let sql = "SELECT id, next_chunk FROM list WHERE event = ?1 AND state = 'staging' AND manifest = ?2";
            let mut statement = self.connection.prepare_cached(sql)?;
            let key = params![manifest.event.0, envelope];
            statement.query_row(key, |row| Ok((row.get(0)?, row.get::<_, i64>(1)?))).optional()?
        };
        if let Some((id, next)) = known {
            return Ok(Staging { id, next_chunk: next as usize });
        }
        self.write(|tx| {
            tx.execute("UPDATE list SET state = 'retired' WHERE event = ?1 AND state = 'staging'", [manifest.event.0])?;
            let sql = "INSERT INTO list (event, state, version, base, issued_at_s, expires_at_s, tickets, manifest, next_chunk)
                       VALUES (?1, 'staging', ?2, ?3, ?4, ?5, 0, ?6, 0) RETURNING id";
            let values = params![
                manifest.event.0,
                bits(manifest.version),
                bits(manifest.base),
                manifest.issued_at_s,
                manifest.expires_at_s,
                envelope
            ];
            let id = tx.query_row(sql, values, |row| row.get(0))?;
            Ok(Staging { id, next_chunk: 0 })
        })
    }

    /// Stages the chunk `staging.next_chunk`.
    pub fn stage_chunk(&mut self, staging: &mut Staging, lines: &[ListLine]) -> Result<(), JournalError> {
        for part in lines.chunks(STEP_ROWS) {
            self.write(|tx| part.iter().try_for_each(|line| put(tx, staging.id, line)))?;
        }
        staging.next_chunk += 1;
        self.write(|tx| {
            let values = params![staging.id, staging.next_chunk as i64];
            tx.execute("UPDATE list SET next_chunk = ?2 WHERE id = ?1", values)?;
            Ok(())
        })
    }

    /// Makes the staged list visible with its classes and revocations.
    pub fn make_live(&mut self, staging: Staging, manifest: &ListManifest) -> Result<ListState, JournalError> {
        let event = manifest.event;
        self.write(|tx| {
            let known = live(tx, event)?;
            if known.is_some_and(|known| known.version >= manifest.version) {
                return Err(JournalError::List("a newer one is live"));
            }
            let sql = "INSERT INTO revocation (event, ticket, serial)
                       SELECT ?1, ticket, serial FROM listed WHERE list = ?2 AND revoked = 1
                       ON CONFLICT DO UPDATE SET serial = max(serial, excluded.serial)";
            tx.execute(sql, params![event.0, staging.id])?;
            if manifest.base == 0 {
                tx.execute("UPDATE list SET state = 'retired' WHERE event = ?1 AND state = 'live'", [event.0])?;
                tx.execute("UPDATE list SET state = 'live' WHERE id = ?1", [staging.id])?;
            } else {
                if known.is_none_or(|known| known.version != manifest.base) {
                    return Err(JournalError::List("it builds on another one"));
                }
                let sql = "INSERT INTO listed (list, ticket, serial, class, revoked, algorithm, holder)
                           SELECT (SELECT id FROM list WHERE event = ?1 AND state = 'live'), ticket, serial, class, revoked,
                           algorithm, holder FROM listed WHERE list = ?2
                           ON CONFLICT DO UPDATE SET serial = excluded.serial, class = excluded.class,
                           revoked = excluded.revoked, algorithm = excluded.algorithm, holder = excluded.holder";
                tx.execute(sql, params![event.0, staging.id])?;
                tx.execute("UPDATE list SET state = 'retired' WHERE id = ?1", [staging.id])?;
            }
            describe(tx, manifest)?;
            live(tx, event)?.ok_or(JournalError::List("none is live"))
        })
    }

    /// Takes a later expiry (and the classes) from a manifest of the version that is live.
    pub fn renew(&mut self, manifest: &ListManifest) -> Result<ListState, JournalError> {
        self.write(|tx| {
            describe(tx, manifest)?;
            live(tx, manifest.event)?.ok_or(JournalError::List("none is live"))
        })
    }

    /// Sweeps one step of what no list needs any more; false when nothing is left.
    pub fn sweep(&mut self) -> Result<bool, JournalError> {
        self.write(|tx| {
            let sql = "SELECT id FROM list WHERE state = 'retired' LIMIT 1";
            let retired: Option<i64> = tx.query_row(sql, [], |row| row.get(0)).optional()?;
            let Some(id) = retired else { return Ok(false) };
            let sql = "DELETE FROM listed WHERE list = ?1 AND ticket IN
                       (SELECT ticket FROM listed WHERE list = ?1 LIMIT ?2)";
            if tx.prepare_cached(sql)?.execute(params![id, STEP_ROWS as i64])? == 0 {
                tx.execute("DELETE FROM list WHERE id = ?1", [id])?;
            }
            Ok(true)
        })
    }
}

fn put(connection: &Connection, list: i64, line: &ListLine) -> Result<(), JournalError> {
    let sql = "INSERT INTO listed (list, ticket, serial, class, revoked, algorithm, holder)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE SET serial = excluded.serial,
               class = excluded.class, revoked = excluded.revoked, algorithm = excluded.algorithm, holder = excluded.holder";
    connection.prepare_cached(sql)?.execute(params![
        list,
        bits(line.ticket.0),
        line.serial.get(),
        line.class.0,
        line.status == TicketStatus::Revoked,
        line.algorithm.to_byte(),
        line.slot
    ])?;
    Ok(())
}

/// Writes what the manifest says of the live list: version, times, count, classes.
fn describe(connection: &Connection, manifest: &ListManifest) -> Result<(), JournalError> {
    let sql = "UPDATE list SET version = ?2, issued_at_s = max(issued_at_s, ?3), expires_at_s = max(expires_at_s, ?4),
               tickets = ?5 WHERE event = ?1 AND state = 'live'";
    let event = manifest.event.0;
    connection.execute(
        sql,
        params![event, bits(manifest.version), manifest.issued_at_s, manifest.expires_at_s, manifest.tickets],
    )?;
    connection.execute("DELETE FROM class WHERE event = ?1", [event])?;
    let sql = "INSERT INTO class (event, class, name, valid_from_s, valid_until_s, admissions, flags)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let mut statement = connection.prepare_cached(sql)?;
    for class in &manifest.classes {
        statement.execute(params![
            event,
            class.class.0,
            class.name,
            class.valid_from_s,
            class.valid_until_s,
            class.admissions,
            class.flags
        ])?;
    }
    Ok(())
}

fn live(connection: &Connection, event: EventId) -> Result<Option<ListState>, JournalError> {
    let sql = "SELECT version, issued_at_s, expires_at_s, tickets,
               (SELECT count(*) FROM revocation WHERE revocation.event = list.event)
               FROM list WHERE event = ?1 AND state = 'live'";
    let state = connection.prepare_cached(sql)?.query_row([event.0], |row| {
        Ok(ListState {
            version: row.get::<_, i64>(0)? as u64,
            issued_at_s: row.get(1)?,
            expires_at_s: row.get(2)?,
            tickets: row.get::<_, i64>(3)? as u64,
            revoked: row.get::<_, i64>(4)? as u64,
        })
    });
    Ok(state.optional()?)
}
