//! The transaction of one scan: `gate_core`'s port to a journal, on SQLite.

use gate_core::chain::ChainHead;
use gate_core::record::{JournalTx, NewRow};
use gate_core::{Direction, GateView, Passage, SignedRow, TicketView};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};
use ticket_signer::{
    ClassEntry, ClassId, DeviceId, EventId, HolderAlgorithm, HolderKey, LaneId, ListedTicket, Serial, TicketId,
    TicketStatus,
};

use super::turn::Turn;
use super::{Journal, JournalError, bits};

/// A `BEGIN IMMEDIATE` transaction; dropping it rolls back.
pub struct Tx<'a> {
    tx: Transaction<'a>,
    /// Released after the transaction has ended: fields drop in this order.
    _turn: Turn,
    event: EventId,
}

impl<'a> Tx<'a> {
    pub(super) fn new(tx: Transaction<'a>, turn: Turn, event: EventId) -> Self {
        Tx { tx, _turn: turn, event }
    }
}

impl JournalTx for Tx<'_> {
    type Error = JournalError;

    fn ticket(&mut self, ticket: TicketId) -> Result<TicketView, JournalError> {
        let key = params![self.event.0, bits(ticket.0)];
        let serial = |sql: &str| -> Result<Option<Serial>, JournalError> {
            let found: Option<u8> = self.tx.prepare_cached(sql)?.query_row(key, |row| row.get(0)).optional()?;
            found.map(to_serial).transpose()
        };
        Ok(TicketView {
            entry: listed(&self.tx, self.event, ticket)?,
            floor: serial("SELECT serial FROM floor WHERE event = ?1 AND ticket = ?2")?,
            revoked_to: serial("SELECT serial FROM revocation WHERE event = ?1 AND ticket = ?2")?,
            passages: passages(&self.tx, self.event, ticket)?,
        })
    }

    fn gate(&mut self) -> Result<GateView, JournalError> {
        let sql = "SELECT version, expires_at_s FROM list WHERE event = ?1 AND state = 'live'";
        let list: Option<(i64, i64)> =
            self.tx.prepare_cached(sql)?.query_row([self.event.0], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let lease = "SELECT lease_until_ms FROM station WHERE event = ?1";
        let lease_until_ms: Option<i64> =
            self.tx.prepare_cached(lease)?.query_row([self.event.0], |row| row.get(0)).optional()?.flatten();
        let heard = "SELECT cursor FROM feed_cursor WHERE event = ?1";
        let cursor: Option<i64> =
            self.tx.prepare_cached(heard)?.query_row([self.event.0], |row| row.get(0)).optional()?;
        Ok(GateView {
            list_version: list.map(|(version, _)| version as u64),
            list_expires_at_s: list.map_or(0, |(_, expires)| expires),
            lease_until_ms: lease_until_ms.unwrap_or(0),
            cursor: cursor.map_or(0, |cursor| cursor as u64),
            classes: classes(&self.tx, self.event)?,
        })
    }

    fn head(&mut self) -> Result<ChainHead, JournalError> {
        head(&self.tx)
    }

    fn row(&mut self, seq: u64) -> Result<Option<SignedRow>, JournalError> {
        let sql = "SELECT bytes, signature FROM journal WHERE epoch = (SELECT epoch FROM chain) AND seq = ?1";
        Ok(self.tx.prepare_cached(sql)?.query_row([bits(seq)], signed_row).optional()?)
    }

    fn append(&mut self, new: &NewRow) -> Result<(), JournalError> {
        let sql = "INSERT INTO journal (epoch, seq, hash, bytes, signature) VALUES (?1, ?2, ?3, ?4, ?5)";
        self.tx.prepare_cached(sql)?.execute(params![
            bits(new.body.epoch),
            bits(new.body.seq),
            new.hash,
            new.row.bytes,
            new.row.signature
        ])?;
        if let (Some((ticket, passage)), Some(class)) = (new.passage, new.body.class) {
            add_passage(&self.tx, self.event, ticket, class, &passage)?;
        }
        super::staff::count_unlock(&self.tx, &new.body)?;
        if let Some((ticket, serial)) = new.raise_floor {
            let sql = "INSERT INTO floor (event, ticket, serial) VALUES (?1, ?2, ?3)
                       ON CONFLICT DO UPDATE SET serial = max(serial, excluded.serial)";
            self.tx.prepare_cached(sql)?.execute(params![self.event.0, bits(ticket.0), serial.get()])?;
        }
        Ok(())
    }

    fn commit(self) -> Result<(), JournalError> {
        Ok(self.tx.commit()?)
    }
}

impl Journal {
    /// The live list's entry for a ticket: what a short code is verified with, before its transaction.
    pub fn listed(&self, event: EventId, ticket: TicketId) -> Result<Option<ListedTicket>, JournalError> {
        listed(&self.connection, event, ticket)
    }

    /// The event's table of classes.
    pub fn classes(&self, event: EventId) -> Result<Vec<ClassEntry>, JournalError> {
        classes(&self.connection, event)
    }

    /// The newest row's place in the chain.
    pub fn head(&self) -> Result<ChainHead, JournalError> {
        head(&self.connection)
    }
}

fn head(connection: &Connection) -> Result<ChainHead, JournalError> {
    let epoch: i64 = connection.prepare_cached("SELECT epoch FROM chain")?.query_row([], |row| row.get(0))?;
    let sql = "SELECT seq, hash FROM journal WHERE epoch = ?1 ORDER BY seq DESC LIMIT 1";
    let last: Option<(i64, [u8; 32])> =
        connection.prepare_cached(sql)?.query_row([epoch], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let start = ChainHead::start(epoch as u64);
    Ok(last.map_or(start, |(seq, hash)| ChainHead { seq: seq as u64, hash, ..start }))
}

fn listed(connection: &Connection, event: EventId, ticket: TicketId) -> Result<Option<ListedTicket>, JournalError> {
    let sql = "SELECT serial, class, revoked, algorithm, holder FROM listed
               WHERE list = (SELECT id FROM list WHERE event = ?1 AND state = 'live') AND ticket = ?2";
    let found = connection
        .prepare_cached(sql)?
        .query_row(params![event.0, bits(ticket.0)], |row| {
            Ok((row.get::<_, u8>(0)?, row.get::<_, u16>(1)?, row.get::<_, bool>(2)?, row.get::<_, u8>(3)?, row.get(4)?))
        })
        .optional()?;
    let Some((serial, class, revoked, algorithm, slot)) = found else { return Ok(None) };
    let algorithm = HolderAlgorithm::from_byte(algorithm).map_err(|_| JournalError::Content("a holder's algorithm"))?;
    let slot: [u8; 33] = slot;
    Ok(Some(ListedTicket {
        ticket,
        serial: to_serial(serial)?,
        class: ClassId(class),
        status: if revoked { TicketStatus::Revoked } else { TicketStatus::Active },
        holder: HolderKey::from_slot(algorithm, &slot).map_err(|_| JournalError::Content("a holder's key"))?,
    }))
}

fn classes(connection: &Connection, event: EventId) -> Result<Vec<ClassEntry>, JournalError> {
    let sql = "SELECT class, name, valid_from_s, valid_until_s, admissions, flags FROM class WHERE event = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let classes = statement.query_map([event.0], |row| {
        Ok(ClassEntry {
            class: ClassId(row.get(0)?),
            name: row.get(1)?,
            valid_from_s: row.get(2)?,
            valid_until_s: row.get(3)?,
            admissions: row.get(4)?,
            flags: row.get(5)?,
        })
    })?;
    Ok(classes.collect::<Result<_, _>>()?)
}

pub(super) fn passages(
    connection: &Connection,
    event: EventId,
    ticket: TicketId,
) -> Result<Vec<Passage>, JournalError> {
    let sql = "SELECT at_ms, uncertainty_ms, device, lane, epoch, seq, direction, guests FROM passage
               WHERE event = ?1 AND ticket = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![event.0, bits(ticket.0)])?;
    let mut passages = Vec::new();
    while let Some(row) = rows.next()? {
        passages.push(Passage {
            at_ms: row.get(0)?,
            uncertainty_ms: row.get(1)?,
            device: DeviceId(row.get::<_, i64>(2)? as u64),
            lane: LaneId(row.get(3)?),
            epoch: row.get::<_, i64>(4)? as u64,
            seq: row.get::<_, i64>(5)? as u64,
            direction: Direction::from_byte(row.get(6)?).ok_or(JournalError::Content("a direction"))?,
            guests: row.get(7)?,
        });
    }
    Ok(passages)
}

/// The same passage again changes nothing.
pub(super) fn add_passage(
    connection: &Connection,
    event: EventId,
    ticket: TicketId,
    class: ClassId,
    passage: &Passage,
) -> Result<(), JournalError> {
    let sql =
        "INSERT INTO passage (event, ticket, device, epoch, seq, class, lane, at_ms, uncertainty_ms, direction, guests)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT DO NOTHING";
    connection.prepare_cached(sql)?.execute(params![
        event.0,
        bits(ticket.0),
        bits(passage.device.0),
        bits(passage.epoch),
        bits(passage.seq),
        class.0,
        passage.lane.0,
        passage.at_ms,
        passage.uncertainty_ms,
        passage.direction.to_byte(),
        passage.guests,
    ])?;
    Ok(())
}

pub(super) fn signed_row(row: &Row<'_>) -> rusqlite::Result<SignedRow> {
    Ok(SignedRow { bytes: row.get(0)?, signature: row.get(1)? })
}

fn to_serial(serial: u8) -> Result<Serial, JournalError> {
    Serial::new(serial).ok_or(JournalError::Content("a serial outside 1 to 254"))
}
