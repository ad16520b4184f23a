//! Forgetting: journal rows and other lanes' rows whose time is over, in steps as short as a scan may wait for.
//!
//! `core::retention` says whose time is over; here it is looked at again in the transaction that deletes, together with the
//! receipt. Passages stay: they hold no codes, and decisions count them.

use gate_core::chain::ChainHead;
use gate_core::row::RowBody;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{Journal, JournalError, bits, tx};
use crate::core::retention::Retention;

/// Rows looked at in one transaction.
const STEP_ROWS: usize = 500;

impl Journal {
    /// Forgets one step of what may be forgotten; false when nothing is left to.
    pub fn forget(&mut self, retention: &Retention) -> Result<bool, JournalError> {
        // Looked at outside of a write: mostly there is nothing to do.
        let own = !over(&self.connection, retention)?.is_empty();
        Ok((own && self.forget_own(retention)?) || (retention.event_is_over() && self.forget_received()?))
    }

    fn forget_own(&mut self, retention: &Retention) -> Result<bool, JournalError> {
        self.write(|tx| {
            let Some(last) = over(tx, retention)?.last().copied() else { return Ok(false) };
            let sql = "DELETE FROM journal WHERE epoch = ?1 AND seq <= ?2";
            tx.prepare_cached(sql)?.execute(params![bits(last.epoch), bits(last.seq)])?;
            let sql = "INSERT INTO journal_base (epoch, seq, hash) VALUES (?1, ?2, ?3)
                       ON CONFLICT (epoch) DO UPDATE SET seq = excluded.seq, hash = excluded.hash";
            tx.prepare_cached(sql)?.execute(params![bits(last.epoch), bits(last.seq), last.hash])?;
            Ok(true)
        })
    }

    /// Other lanes' rows hold codes as ours do.
    fn forget_received(&mut self) -> Result<bool, JournalError> {
        let any: bool = self.connection.query_row("SELECT EXISTS (SELECT 1 FROM received)", [], |row| row.get(0))?;
        if !any {
            return Ok(false);
        }
        self.write(|tx| {
            let sql = "DELETE FROM received WHERE (device, epoch, seq) IN
                       (SELECT device, epoch, seq FROM received LIMIT ?1)";
            tx.prepare_cached(sql)?.execute([STEP_ROWS as i64])?;
            Ok(true)
        })
    }

    /// The place in the chain after which this journal begins.
    pub fn base(&self) -> Result<ChainHead, JournalError> {
        base(&self.connection)
    }
}

fn base(connection: &Connection) -> Result<ChainHead, JournalError> {
    let epoch: i64 = connection.prepare_cached("SELECT epoch FROM chain")?.query_row([], |row| row.get(0))?;
    let sql = "SELECT seq, hash FROM journal_base WHERE epoch = ?1";
    let kept: Option<(i64, [u8; 32])> =
        connection.prepare_cached(sql)?.query_row([epoch], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let start = ChainHead::start(epoch as u64);
    Ok(kept.map_or(start, |(seq, hash)| ChainHead { seq: seq as u64, hash, ..start }))
}

/// The first rows of the journal that may go, at most a step of them: receipted, before the head, their time over.
fn over(connection: &Connection, retention: &Retention) -> Result<Vec<ChainHead>, JournalError> {
    let base = base(connection)?;
    let sql = "SELECT bytes, signature FROM journal WHERE epoch = ?1 AND seq > ?2
               AND seq <= (SELECT seq FROM receipt WHERE epoch = ?1)
               AND seq < (SELECT max(seq) FROM journal WHERE epoch = ?1) ORDER BY seq LIMIT ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params![bits(base.epoch), bits(base.seq), STEP_ROWS as i64], tx::signed_row)?;
    let mut over = Vec::new();
    for row in rows {
        let row = row?;
        let body = RowBody::from_bytes(&row.bytes).map_err(|_| JournalError::Content("a row of the journal"))?;
        if !retention.is_over(&body) {
            break;
        }
        over.push(ChainHead { seq: body.seq, hash: row.hash(), ..base });
    }
    Ok(over)
}
