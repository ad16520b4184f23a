//! What other devices did, and the cursors and clocks that go with it.

use gate_core::clock::{Anchor, DeviceTime};
use gate_core::conflict::{Conflict, conflict};
use rusqlite::{OptionalExtension as _, params};
use ticket_signer::{ClassId, EventId, TicketId};

use super::{Journal, JournalError, bits, tx};
use crate::core::hear::ReceivedPassage;

impl Journal {
    /// Keeps a batch of passages and the feed's cursor in one transaction. Returns the tickets that were new to us.
    pub fn receive(
        &mut self,
        event: EventId,
        batch: &[ReceivedPassage],
        cursor: Option<u64>,
    ) -> Result<Vec<TicketId>, JournalError> {
        self.write(|tx| {
            let mut tickets = Vec::new();
            for received in batch {
                let (body, row) = (&received.body, &received.row);
                let (Some((ticket, passage)), Some(class)) = (body.passage(), body.class) else { continue };
                let certificate = received.certificate.to_bytes();
                tx.prepare_cached("INSERT INTO device_certificate (bytes) VALUES (?1) ON CONFLICT DO NOTHING")?
                    .execute([&certificate[..]])?;
                let sql = "INSERT INTO received (device, epoch, seq, bytes, signature, certificate)
                           VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING";
                let new = tx.prepare_cached(sql)?.execute(params![
                    bits(body.device.0),
                    bits(body.epoch),
                    bits(body.seq),
                    row.bytes,
                    row.signature,
                    &certificate[..]
                ])?;
                if new > 0 {
                    tx::add_passage(tx, event, ticket, class, &passage)?;
                    tickets.push(ticket);
                }
            }
            if let Some(cursor) = cursor {
                let sql = "INSERT INTO feed_cursor (event, cursor) VALUES (?1, ?2)
                           ON CONFLICT DO UPDATE SET cursor = excluded.cursor";
                tx.prepare_cached(sql)?.execute(params![event.0, bits(cursor)])?;
            }
            Ok(tickets)
        })
    }

    /// The feed's cursor, and the generation that it is of, if the server has named one.
    pub fn feed_place(&self, event: EventId) -> Result<(u64, Option<u64>), JournalError> {
        let sql = "SELECT cursor, generation FROM feed_cursor WHERE event = ?1";
        let place: Option<(i64, Option<i64>)> =
            self.connection.query_row(sql, [event.0], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let (cursor, generation) = place.unwrap_or_default();
        Ok((cursor as u64, generation.map(|generation| generation as u64)))
    }

    /// Keeps the feed's generation. A cursor of another one is worth nothing and begins anew.
    pub fn keep_feed_generation(&mut self, event: EventId, generation: u64) -> Result<(), JournalError> {
        self.write(|tx| {
            let sql = "INSERT INTO feed_cursor (event, cursor, generation) VALUES (?1, 0, ?2)
                       ON CONFLICT DO UPDATE SET generation = excluded.generation,
                       cursor = CASE WHEN generation <> excluded.generation THEN 0 ELSE cursor END";
            tx.prepare_cached(sql)?.execute(params![event.0, bits(generation)])?;
            Ok(())
        })
    }

    /// The conflict over one ticket, if there is one, and the ticket's class.
    pub fn conflict(&self, event: EventId, ticket: TicketId) -> Result<Option<(ClassId, Conflict)>, JournalError> {
        let sql = "SELECT passage.class, coalesce(class.admissions, 1) FROM passage
                   LEFT JOIN class ON class.event = passage.event AND class.class = passage.class
                   WHERE passage.event = ?1 AND passage.ticket = ?2 LIMIT 1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let found: Option<(u16, u8)> =
            statement.query_row(params![event.0, bits(ticket.0)], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let Some((class, allowed)) = found else { return Ok(None) };
        let passages = tx::passages(&self.connection, event, ticket)?;
        Ok(conflict(ticket, allowed, &passages).map(|conflict| (ClassId(class), conflict)))
    }

    /// Every ticket on which more guests were inside than it allows, at most `count`.
    pub fn conflicts(&self, event: EventId, count: usize) -> Result<Vec<(ClassId, Conflict)>, JournalError> {
        let sql = "SELECT passage.ticket FROM passage
                   LEFT JOIN class ON class.event = passage.event AND class.class = passage.class
                   WHERE passage.event = ?1 AND direction = 1 GROUP BY passage.ticket
                   HAVING sum(guests) > coalesce(min(class.admissions), 1)";
        let mut statement = self.connection.prepare_cached(sql)?;
        let tickets: Vec<i64> = statement.query_map([event.0], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let found = tickets.into_iter().filter_map(|ticket| self.conflict(event, TicketId(ticket as u64)).transpose());
        found.take(count).collect()
    }

    pub fn anchor(&self) -> Result<Option<Anchor>, JournalError> {
        let sql = "SELECT signed_ms, system_ms, boot_ms, boot_id, uncertainty_ms FROM clock_anchor";
        let found = self.connection.query_row(sql, [], |row| {
            let boot_id: [u8; 16] = row.get(3)?;
            let at = DeviceTime { system_ms: row.get(1)?, boot_ms: row.get(2)?, boot_id: u128::from_be_bytes(boot_id) };
            Ok(Anchor { signed_ms: row.get(0)?, at, uncertainty_ms: row.get(4)? })
        });
        Ok(found.optional()?)
    }

    pub fn keep_anchor(&mut self, anchor: &Anchor) -> Result<(), JournalError> {
        self.write(|tx| {
            let sql = "INSERT INTO clock_anchor (id, signed_ms, system_ms, boot_ms, boot_id, uncertainty_ms)
                       VALUES (1, ?1, ?2, ?3, ?4, ?5) ON CONFLICT (id) DO UPDATE SET signed_ms = excluded.signed_ms,
                       system_ms = excluded.system_ms, boot_ms = excluded.boot_ms, boot_id = excluded.boot_id,
                       uncertainty_ms = excluded.uncertainty_ms";
            tx.prepare_cached(sql)?.execute(params![
                anchor.signed_ms,
                anchor.at.system_ms,
                anchor.at.boot_ms,
                anchor.at.boot_id.to_be_bytes(),
                anchor.uncertainty_ms
            ])?;
            // What a supervisor set was for want of this.
            tx.execute("DELETE FROM clock_by_hand", [])?;
            Ok(())
        })
    }
}
