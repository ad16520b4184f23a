//! Wiping: one commit after which nobody is admitted, then everything goes but the rows that wait for their receipts, and
//! with the last receipt those as well.
//!
//! Invariants: what the first commit leaves behind is swept at any later start too, so a crash in the middle ends in a whole
//! wipe; no row goes without its receipt; what is deleted is overwritten in the file.

use rusqlite::{OptionalExtension as _, Transaction, params};

use super::{Journal, JournalError, bits};

/// What a handheld knows of others and of its event. Lists go in steps, which takes longer: they are only retired here.
const FORGET: &str = "
    UPDATE list SET state = 'retired';
    DELETE FROM class;
    DELETE FROM floor;
    DELETE FROM revocation;
    DELETE FROM passage;
    DELETE FROM received;
    DELETE FROM device_certificate;
    DELETE FROM feed_cursor;
    DELETE FROM staff;";

/// What sending rows and believing their receipts needed.
const FORGET_PLACE: &str = "
    DELETE FROM journal;
    DELETE FROM journal_base;
    DELETE FROM shown;
    DELETE FROM receipt;
    DELETE FROM station;
    DELETE FROM authority_certificate;
    DELETE FROM key_revocation;
    DELETE FROM unlock_failures;
    DELETE FROM clock_by_hand;
    UPDATE wipe SET done = 1;";

impl Journal {
    /// Takes a wipe whose signature was checked. From this commit on there is no policy, no list and no lease.
    pub fn wipe(&mut self, bytes: &[u8], at_ms: i64) -> Result<(), JournalError> {
        self.overwrite()?;
        self.write(|tx| {
            let sql = "INSERT INTO wipe (id, at_ms, bytes, done) VALUES (1, ?1, ?2, 0) ON CONFLICT DO NOTHING";
            tx.execute(sql, params![at_ms, bytes])?;
            tx.execute("UPDATE station SET policy = NULL, lease_until_ms = 0", [])?;
            Ok(tx.execute_batch(FORGET)?)
        })
    }

    /// Whether this handheld was wiped and not enrolled since, and if so, whether nothing is left of what it had.
    pub fn wiped(&self) -> Result<Option<bool>, JournalError> {
        Ok(self.connection.query_row("SELECT done FROM wipe", [], |row| row.get(0)).optional()?)
    }

    /// Takes the lists away that the wipe retired.
    pub fn sweep_wiped(&mut self) -> Result<(), JournalError> {
        self.overwrite()?;
        while self.sweep()? {}
        Ok(())
    }

    /// Ends a wipe whose rows have their receipts: rows and place go, and the next chain is another one. `epoch` names it.
    /// False while a row waits for its receipt.
    pub fn finish_wipe(&mut self, epoch: u64) -> Result<bool, JournalError> {
        self.sweep_wiped()?;
        let finished = self.write(|tx| {
            if waiting(tx)? {
                return Ok(false);
            }
            // The feed may have brought something while it was being stopped.
            tx.execute_batch(FORGET)?;
            tx.execute_batch(FORGET_PLACE)?;
            tx.execute("UPDATE chain SET epoch = ?1", [bits(epoch)])?;
            Ok(true)
        })?;
        // The log has the old pages still. Another reader may hinder this; then it happens by itself later.
        let _: i64 = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        Ok(finished)
    }

    /// What is deleted from now on is overwritten with zeros.
    fn overwrite(&self) -> Result<(), JournalError> {
        Ok(self.connection.pragma_update(None, "secure_delete", true)?)
    }
}

fn waiting(tx: &Transaction<'_>) -> Result<bool, JournalError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM journal WHERE seq > coalesce(
               (SELECT seq FROM receipt WHERE receipt.epoch = journal.epoch), 0))";
    Ok(tx.query_row(sql, [], |row| row.get(0))?)
}
