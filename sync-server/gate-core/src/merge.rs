//! How a server takes in journal rows: any order, any repetition, the same state.
//!
//! Pure: the server loads what it knows of a device's chain, plans here, and writes the plan in one transaction. The same
//! bytes at a known place are a duplicate and get the same answer; other bytes there are an incident; the rest of the batch
//! is taken in either way. A receipt covers the chain up to its first gap.

use std::collections::BTreeMap;

use ticket_signer::{DeviceId, EventId, PublicKey};

use crate::chain::ChainHead;
use crate::mutant::{Mutant, planted};
use crate::row::{RowBody, RowError, SignedRow};

/// Something about a row that a person must look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IncidentKind {
    /// Not a row of a format that this version knows.
    Unreadable,
    /// Not signed by the device that sent it.
    Signature,
    /// A row of another device or event.
    Misplaced,
    /// Other bytes at a sequence number that is known.
    Fork,
    /// The row does not follow the one before it.
    BrokenChain,
}

impl IncidentKind {
    /// The stable code, as on the wire and on the supervisor's page.
    pub fn code(self) -> &'static str {
        match self {
            IncidentKind::Unreadable => "unreadable",
            IncidentKind::Signature => "signature",
            IncidentKind::Misplaced => "misplaced",
            IncidentKind::Fork => "fork",
            IncidentKind::BrokenChain => "broken_chain",
        }
    }

    /// What happened, for a supervisor.
    pub fn sentence(self) -> &'static str {
        match self {
            IncidentKind::Unreadable => "The handheld sent a row that this server cannot read. Update the server.",
            IncidentKind::Signature => {
                "A row was not signed by the handheld that sent it. Take the handheld out of use."
            }
            IncidentKind::Misplaced => "The handheld sent a row of another handheld or event. Take it out of use.",
            IncidentKind::Fork => {
                "The handheld sent two different rows with one number. Take it out of use and keep it."
            }
            IncidentKind::BrokenChain => {
                "The handheld's journal has a row that does not follow the one before it. Keep the handheld."
            }
        }
    }
}

/// One incident; `seq` 0 where the row could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Incident {
    pub epoch: u64,
    pub seq: u64,
    pub kind: IncidentKind,
}

/// A row whose signature was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedRow {
    pub body: RowBody,
    pub row: SignedRow,
    pub hash: [u8; 32],
}

/// An upload after checking: rows by chain, and what was wrong with the others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Upload {
    /// By epoch.
    pub chains: BTreeMap<u64, Vec<CheckedRow>>,
    pub incidents: Vec<Incident>,
}

/// Checks each row's signature, device and event. Costs one signature check a row; do it before the transaction.
pub fn check(device: DeviceId, event: EventId, key: &PublicKey, rows: Vec<SignedRow>) -> Upload {
    let mut upload = Upload::default();
    for row in rows {
        let checked = match row.open(key) {
            Ok(body) if body.device == device && body.event == event => {
                let hash = row.hash();
                upload.chains.entry(body.epoch).or_default().push(CheckedRow { body, row, hash });
                continue;
            }
            Ok(body) => Incident { epoch: body.epoch, seq: body.seq, kind: IncidentKind::Misplaced },
            Err(RowError::Encoding) => Incident { epoch: 0, seq: 0, kind: IncidentKind::Unreadable },
            Err(RowError::Signature) => Incident { epoch: 0, seq: 0, kind: IncidentKind::Signature },
        };
        upload.incidents.push(checked);
    }
    upload
}

/// A stored row, as far as merging looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownRow {
    pub hash: [u8; 32],
    pub prev: [u8; 32],
}

/// What the server knows of one chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainState {
    /// The last row before the first gap.
    pub head: ChainHead,
    /// The stored rows that this upload names, and all stored rows beyond `head`, by sequence number.
    pub known: BTreeMap<u64, KnownRow>,
}

/// What to write, and what to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergePlan {
    /// Rows to store, ascending.
    pub accepted: Vec<CheckedRow>,
    pub duplicates: u32,
    pub incidents: Vec<Incident>,
    /// The new head: what the receipt covers.
    pub head: ChainHead,
}

/// Plans the merge of one chain's rows.
pub fn plan(state: &ChainState, rows: Vec<CheckedRow>) -> MergePlan {
    let epoch = state.head.epoch;
    let mut known = state.known.clone();
    let mut accepted: BTreeMap<u64, CheckedRow> = BTreeMap::new();
    let mut duplicates = 0;
    let mut incidents = Vec::new();
    for row in rows {
        let seq = row.body.seq;
        match known.get(&seq) {
            Some(stored) if stored.hash == row.hash && !planted(Mutant::DuplicateStored) => duplicates += 1,
            Some(stored) if stored.hash == row.hash => {
                accepted.insert(seq, row);
            }
            Some(_) => incidents.push(Incident { epoch, seq, kind: IncidentKind::Fork }),
            None => {
                known.insert(seq, KnownRow { hash: row.hash, prev: row.body.prev });
                accepted.insert(seq, row);
            }
        }
    }
    let mut head = state.head;
    while let Some((seq, next)) = following(&known, head.seq) {
        if planted(Mutant::ReceiptOverGap) && seq > head.seq + 1 {
            head = ChainHead { epoch, seq, hash: next.hash };
            continue;
        }
        if next.prev != head.hash {
            incidents.push(Incident { epoch, seq: head.seq + 1, kind: IncidentKind::BrokenChain });
            break;
        }
        head = ChainHead { epoch, seq: head.seq + 1, hash: next.hash };
    }
    MergePlan { accepted: accepted.into_values().collect(), duplicates, incidents, head }
}

/// The row that follows `seq`, if it is known.
fn following(known: &BTreeMap<u64, KnownRow>, seq: u64) -> Option<(u64, KnownRow)> {
    let (next, row) = known.range(seq.checked_add(1)?..).next()?;
    (*next == seq + 1 || planted(Mutant::ReceiptOverGap)).then_some((*next, *row))
}

#[cfg(test)]
mod tests;
