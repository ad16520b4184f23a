//! What staff at the lane leave in the database: their sealed list, how many wrong PINs there were, the time they set.

use gate_core::clock::DeviceTime;
use gate_core::row::{Act, RowBody};
use gate_core::{Outcome, clock::HandSet};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{Journal, JournalError};

impl Journal {
    /// The event's staff, as they were signed.
    pub fn staff(&self) -> Result<Option<Vec<u8>>, JournalError> {
        Ok(self.connection.query_row("SELECT bytes FROM staff", [], |row| row.get(0)).optional()?)
    }

    /// Keeps a list of staff that was checked.
    pub fn keep_staff(&mut self, bytes: &[u8]) -> Result<(), JournalError> {
        self.write(|tx| {
            let sql =
                "INSERT INTO staff (id, bytes) VALUES (1, ?1) ON CONFLICT (id) DO UPDATE SET bytes = excluded.bytes";
            tx.prepare_cached(sql)?.execute([bytes])?;
            Ok(())
        })
    }

    /// How many PINs were wrong since the last right one.
    pub fn unlock_failures(&self) -> Result<u32, JournalError> {
        let found = self.connection.query_row("SELECT count FROM unlock_failures", [], |row| row.get(0));
        Ok(found.optional()?.unwrap_or(0))
    }

    /// The time that a supervisor set, if no signed time has come since.
    pub fn clock_by_hand(&self) -> Result<Option<HandSet>, JournalError> {
        let sql = "SELECT set_ms, system_ms, boot_ms, boot_id FROM clock_by_hand";
        let found = self.connection.query_row(sql, [], |row| {
            let boot_id: [u8; 16] = row.get(3)?;
            let at = DeviceTime { system_ms: row.get(1)?, boot_ms: row.get(2)?, boot_id: u128::from_be_bytes(boot_id) };
            Ok(HandSet { set_ms: row.get(0)?, at })
        });
        Ok(found.optional()?)
    }

    pub fn keep_clock_by_hand(&mut self, hand: &HandSet) -> Result<(), JournalError> {
        self.write(|tx| {
            tx.execute("DELETE FROM clock_by_hand", [])?;
            let sql = "INSERT INTO clock_by_hand (id, set_ms, system_ms, boot_ms, boot_id) VALUES (1, ?1, ?2, ?3, ?4)";
            let HandSet { set_ms, at } = hand;
            tx.execute(sql, params![set_ms, at.system_ms, at.boot_ms, at.boot_id.to_be_bytes()])?;
            Ok(())
        })
    }
}

/// Counts a try to unlock, in the transaction of its row.
pub(super) fn count_unlock(connection: &Connection, row: &RowBody) -> Result<(), JournalError> {
    if row.act() != Some(Act::Unlock) {
        return Ok(());
    }
    let sql = "INSERT INTO unlock_failures (id, count) VALUES (1, ?1)
               ON CONFLICT (id) DO UPDATE SET count = CASE excluded.count WHEN 0 THEN 0 ELSE count + 1 END";
    let wrong = row.outcome() != Some(Outcome::Admit);
    connection.prepare_cached(sql)?.execute([u32::from(wrong)])?;
    Ok(())
}
