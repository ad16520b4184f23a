//! The hash chain that a device's journal rows form: a row names the one before it, so that none can be taken out.

use sha2::{Digest as _, Sha256};
use ticket_signer::domain;

/// The last row of a chain that is known without a gap; `seq` 0 is before the first row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainHead {
    /// Random, made anew with every new journal: a device that lost its journal starts another chain, never the same.
    pub epoch: u64,
    pub seq: u64,
    pub hash: [u8; 32],
}

impl ChainHead {
    /// Before the first row of a new journal.
    pub fn start(epoch: u64) -> Self {
        ChainHead { epoch, seq: 0, hash: [0; 32] }
    }
}

/// The hash of a row's bytes: its successor's `prev`.
pub fn row_hash(bytes: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(domain::ROW_CHAIN).chain_update(bytes).finalize().into()
}
