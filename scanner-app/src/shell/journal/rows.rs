//! The journal's own rows: what waits for a receipt, what was shown, and the check of the whole chain.

use gate_core::chain::ChainHead;
use gate_core::row::{RowBody, SignedRow};
use gate_core::wire::v1::{Receipt, ReceiptPayload};
use rusqlite::{OptionalExtension as _, params};
use ticket_signer::{DeviceId, PublicKey};

use super::{Journal, JournalError, bits, tx};

/// How far this journal is, how far a screen, how far the cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub head: ChainHead,
    /// The last row whose verdict a screen has shown; 0 for none.
    pub shown_seq: u64,
    /// The last row that the cloud has signed for; 0 for none.
    pub receipted_seq: u64,
}

/// Why a chain of rows is not what a device wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChainFault {
    #[error("row {0} is missing")]
    Missing(u64),
    #[error("row {0} does not follow the one before it")]
    Broken(u64),
    #[error("row {0} is not signed by this device or cannot be read")]
    Forged(u64),
}

impl Journal {
    pub fn progress(&self) -> Result<Progress, JournalError> {
        let head = self.head()?;
        let of = |sql: &str| -> Result<u64, JournalError> {
            let seq: Option<i64> =
                self.connection.prepare_cached(sql)?.query_row([bits(head.epoch)], |row| row.get(0)).optional()?;
            Ok(seq.unwrap_or(0) as u64)
        };
        Ok(Progress {
            head,
            shown_seq: of("SELECT seq FROM shown WHERE epoch = ?1")?,
            receipted_seq: of("SELECT seq FROM receipt WHERE epoch = ?1")?,
        })
    }

    /// A screen has shown the verdict of row `seq` and all before it.
    pub fn mark_shown(&mut self, epoch: u64, seq: u64) -> Result<(), JournalError> {
        self.write(|tx| {
            let sql = "INSERT INTO shown (id, epoch, seq) VALUES (1, ?1, ?2) ON CONFLICT (id) DO UPDATE
                       SET epoch = excluded.epoch, seq = excluded.seq WHERE epoch <> excluded.epoch OR seq < excluded.seq";
            tx.prepare_cached(sql)?.execute(params![bits(epoch), bits(seq)])?;
            Ok(())
        })
    }

    /// Rows after `seq`, in order, at most `count`.
    pub fn rows_after(&self, seq: u64, count: usize) -> Result<Vec<SignedRow>, JournalError> {
        let sql = "SELECT bytes, signature FROM journal WHERE epoch = (SELECT epoch FROM chain) AND seq > ?1
                   ORDER BY seq LIMIT ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params![bits(seq), count as i64], tx::signed_row)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The hash of this journal's row `seq`.
    pub fn row_hash(&self, epoch: u64, seq: u64) -> Result<Option<[u8; 32]>, JournalError> {
        let sql = "SELECT hash FROM journal WHERE epoch = ?1 AND seq = ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_row(params![bits(epoch), bits(seq)], |row| row.get(0)).optional()?)
    }

    /// Keeps a receipt whose signature and hash were checked. One for less than is receipted already changes nothing.
    pub fn keep_receipt(&mut self, payload: &ReceiptPayload, receipt: &Receipt) -> Result<(), JournalError> {
        self.write(|tx| {
            let sql = "INSERT INTO receipt (epoch, seq, bytes) VALUES (?1, ?2, ?3) ON CONFLICT (epoch) DO UPDATE
                       SET seq = excluded.seq, bytes = excluded.bytes WHERE seq < excluded.seq";
            tx.prepare_cached(sql)?.execute(params![bits(payload.epoch), bits(payload.seq), receipt.0.as_slice()])?;
            Ok(())
        })
    }

    /// The newest receipt of each chain, as it was signed.
    pub fn receipts(&self) -> Result<Vec<Vec<u8>>, JournalError> {
        let mut statement = self.connection.prepare_cached("SELECT bytes FROM receipt ORDER BY epoch")?;
        let receipts = statement.query_map([], |row| row.get(0))?;
        Ok(receipts.collect::<Result<_, _>>()?)
    }

    /// How many guests this device has admitted.
    pub fn admitted_here(&self, device: DeviceId) -> Result<u64, JournalError> {
        let sql = "SELECT coalesce(sum(guests), 0) FROM passage WHERE device = ?1 AND direction = 1";
        let count: i64 = self.connection.prepare_cached(sql)?.query_row([bits(device.0)], |row| row.get(0))?;
        Ok(count as u64)
    }

    /// Reads every row in order and checks numbers, chain and signatures, from where the journal begins. `each` gets the
    /// rows that stand; the answer is the last one's number.
    pub fn audit(
        &self,
        key: &PublicKey,
        mut each: impl FnMut(&RowBody, &SignedRow),
    ) -> Result<Result<u64, ChainFault>, JournalError> {
        let mut last = self.base()?;
        loop {
            let rows = self.rows_after(last.seq, 1_000)?;
            if rows.is_empty() {
                return Ok(Ok(last.seq));
            }
            for row in rows {
                let seq = last.seq + 1;
                let Ok(body) = row.open(key) else { return Ok(Err(ChainFault::Forged(seq))) };
                if body.seq != seq {
                    return Ok(Err(ChainFault::Missing(seq)));
                }
                if body.epoch != last.epoch || body.prev != last.hash {
                    return Ok(Err(ChainFault::Broken(seq)));
                }
                each(&body, &row);
                last = ChainHead { seq, hash: row.hash(), ..last };
            }
        }
    }
}
