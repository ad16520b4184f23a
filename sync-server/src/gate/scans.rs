//! Merging of journal rows: many uploads share one commit, planned by `gate_core::merge`.

use std::collections::{BTreeMap, BTreeSet};

use gate_core::chain::ChainHead;
use gate_core::merge::{self, ChainState, CheckedRow, Incident, KnownRow};
use ticket_signer::DeviceId;

use super::model::GateError;
use super::store;
use crate::platform::writer::Batch;
use crate::platform::{StoreError, Tx};

/// One upload whose rows' signatures were checked.
#[derive(Debug, Clone)]
pub struct ScanOp {
    pub device: DeviceId,
    pub event_id: u32,
    /// The device is revoked: its rows are kept apart.
    pub quarantined: bool,
    /// By epoch.
    pub chains: BTreeMap<u64, Vec<CheckedRow>>,
    /// Rows that could not be believed.
    pub incidents: Vec<Incident>,
    pub now_ms: i64,
}

/// What an upload came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// Of each chain that the upload named: what a receipt may cover.
    pub heads: Vec<ChainHead>,
    pub stored: u32,
    pub duplicates: u32,
    pub incidents: Vec<Incident>,
}

/// A chain's name: device and epoch.
type ChainKey = (u64, u64);

/// The state of a batch: what was known, and what is to be written.
#[derive(Default)]
pub struct ScanState {
    chains: BTreeMap<ChainKey, ChainState>,
    rows: Vec<(CheckedRow, bool)>,
    moved: BTreeSet<ChainKey>,
    incidents: Vec<(DeviceId, u32, Incident, i64)>,
    contacts: BTreeMap<u64, i64>,
}

/// Merges uploads of one event.
pub struct ScanBatch;

impl Batch for ScanBatch {
    type Op = ScanOp;
    type State = ScanState;
    type Answer = Merged;
    type Refusal = GateError;

    fn weight(&self, op: &ScanOp) -> usize {
        op.chains.values().map(Vec::len).sum::<usize>().max(1)
    }

    async fn load(&self, tx: &mut Tx, ops: &[&ScanOp]) -> Result<ScanState, StoreError> {
        let mut named: BTreeMap<ChainKey, BTreeSet<u64>> = BTreeMap::new();
        for op in ops {
            for (epoch, rows) in &op.chains {
                named.entry((op.device.0, *epoch)).or_default().extend(rows.iter().map(|row| row.body.seq));
            }
        }
        let mut state = ScanState::default();
        for ((device, epoch), seqs) in named {
            let head = store::chain_head(tx, DeviceId(device), epoch).await?.unwrap_or(ChainHead::start(epoch));
            let first = seqs.first().copied().unwrap_or(head.seq).min(head.seq + 1);
            let known = store::known_rows(tx, DeviceId(device), epoch, first).await?;
            state.chains.insert((device, epoch), ChainState { head, known });
        }
        Ok(state)
    }

    fn plan(&self, state: &mut ScanState, op: &ScanOp) -> Result<Merged, GateError> {
        let mut merged = Merged { heads: Vec::new(), stored: 0, duplicates: 0, incidents: op.incidents.clone() };
        for (epoch, rows) in &op.chains {
            let key = (op.device.0, *epoch);
            let chain = state
                .chains
                .entry(key)
                .or_insert_with(|| ChainState { head: ChainHead::start(*epoch), known: BTreeMap::new() });
            let plan = merge::plan(chain, rows.clone());
            for row in &plan.accepted {
                chain.known.insert(row.body.seq, KnownRow { hash: row.hash, prev: row.body.prev });
            }
            if chain.head != plan.head {
                chain.head = plan.head;
                state.moved.insert(key);
            }
            merged.heads.push(plan.head);
            merged.stored += u32::try_from(plan.accepted.len()).unwrap_or(u32::MAX);
            merged.duplicates += plan.duplicates;
            merged.incidents.extend(plan.incidents);
            state.rows.extend(plan.accepted.into_iter().map(|row| (row, op.quarantined)));
        }
        let found = merged.incidents.iter().map(|incident| (op.device, op.event_id, *incident, op.now_ms));
        state.incidents.extend(found);
        state.contacts.insert(op.device.0, op.now_ms);
        Ok(merged)
    }

    async fn write(&self, tx: &mut Tx, state: ScanState) -> Result<(), StoreError> {
        store::insert_rows(tx, &state.rows).await?;
        for key in &state.moved {
            if let Some(chain) = state.chains.get(key) {
                store::set_chain_head(tx, DeviceId(key.0), chain.head).await?;
            }
        }
        store::insert_incidents(tx, &state.incidents).await?;
        for (device, now_ms) in &state.contacts {
            store::note_contact(tx, DeviceId(*device), *now_ms).await?;
        }
        let counted: Vec<&CheckedRow> = state.rows.iter().filter(|(_, apart)| !apart).map(|(row, _)| row).collect();
        store::count_minutes(tx, &counted).await?;
        store::note_repeated(tx, &counted).await
    }
}
