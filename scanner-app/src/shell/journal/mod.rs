//! The handheld's database: the journal of every scan, the lists it checks against, and where it stands.
//!
//! Invariants:
//! - A scan's row, its admission and its raised floor are written in one transaction that returns after the sync.
//! - Journal rows are only ever added. What the cloud has signed for is marked by its receipt, and leaves when the policy's
//!   time for it is over; the head never does.
//! - A list becomes visible with its revocations in one commit; versions, floors and revocations never go down.
//! - No connection is made but by [`Database::connect`].

mod error;
mod list;
mod open;
mod receive;
mod replay;
mod retain;
mod rows;
mod staff;
mod station;
#[cfg(test)]
mod tests;
mod turn;
mod tx;
mod wipe;

use std::sync::Arc;

use rusqlite::{Connection, Transaction, TransactionBehavior};

pub use self::error::JournalError;
pub use self::list::{ListState, Staging};
pub use self::open::{Database, FILE, Use};
pub use self::replay::SyncDatabase;
pub use self::rows::{ChainFault, Progress};
pub use self::station::{ConfirmedRecord, StationRecord};
use self::turn::Turns;
pub use self::tx::Tx;

/// One connection to the handheld's database.
pub struct Journal {
    connection: Connection,
    turns: Arc<Turns>,
    own_use: Use,
}

impl Journal {
    /// Begins the transaction that records a scan for `event`.
    pub fn begin(&mut self, event: ticket_signer::EventId) -> Result<Tx<'_>, JournalError> {
        let turn = self.turns.take(self.own_use);
        let tx = Transaction::new(&mut self.connection, TransactionBehavior::Immediate)?;
        Ok(Tx::new(tx, turn, event))
    }

    /// Runs `work` in a write transaction.
    fn write<T>(&mut self, work: impl FnOnce(&Transaction<'_>) -> Result<T, JournalError>) -> Result<T, JournalError> {
        let _turn = self.turns.take(self.own_use);
        let tx = Transaction::new(&mut self.connection, TransactionBehavior::Immediate)?;
        let done = work(&tx)?;
        tx.commit()?;
        Ok(done)
    }

    /// Carries the log into the file as far as no reader hinders; for a quiet moment.
    pub fn checkpoint(&mut self) -> Result<(), JournalError> {
        Ok(self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?)
    }

    /// What this connection does with a power cut, read back: `journal_mode`, `synchronous`, `foreign_keys`.
    pub fn settings(&self) -> Result<[String; 3], JournalError> {
        let read = |pragma| open::pragma_text(&self.connection, pragma);
        Ok([read("journal_mode")?, read("synchronous")?, read("foreign_keys")?])
    }
}

/// An id of 64 bits as SQLite keeps it: the same bits, signed.
fn bits(id: u64) -> i64 {
    id as i64
}
