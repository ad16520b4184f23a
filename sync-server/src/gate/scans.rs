//! Merging of journal rows: many uploads share one commit, planned by `gate_core::merge`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use gate_core::chain::ChainHead;
use gate_core::merge::{self, ChainState, CheckedRow, Incident, KnownRow};
use gate_core::passage::Direction;
use ticket_signer::{DeviceId, TicketId};

use super::model::{DeviceState, GateError};
use super::{lists, store};
use crate::platform::writer::Batch;
use crate::platform::{StoreError, Tx};

/// One upload whose rows' signatures were checked.
#[derive(Debug, Clone)]
pub struct ScanOp {
    pub device: DeviceId,
    pub event_id: u32,
    /// By epoch.
    pub chains: BTreeMap<u64, Vec<CheckedRow>>,
    /// Rows that could not be believed.
    pub incidents: Vec<Incident>,
    pub now_ms: i64,
    /// The device itself brought them, and so is there.
    pub is_contact: bool,
    /// At an edge: the upstream has told of them, and it tells of rows that count alone.
    pub counted_upstream: bool,
}

/// What an upload came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// Of each chain that the upload named: what a receipt may cover.
    pub heads: Vec<ChainHead>,
    pub stored: u32,
    pub duplicates: u32,
    pub incidents: Vec<Incident>,
    /// The device is revoked: its rows are kept apart.
    pub quarantined: bool,
}

/// Stored rows beyond a chain's head that one upload looks at. A longer run is taken in with the uploads that follow, for a
/// device sends again what it has no receipt for.
const WALK: u64 = 4_096;
/// The last number that a row can have (`gate_core::row`).
const LAST_SEQ: u64 = i64::MAX as u64;
/// Named rows that lie this close are looked up together.
const NEAR: u64 = 256;

/// A chain's name: device and epoch.
type ChainKey = (u64, u64);

/// The state of a batch: what was known, and what is to be written.
#[derive(Default)]
pub struct ScanState {
    chains: BTreeMap<ChainKey, ChainState>,
    /// Devices that are revoked, as this transaction sees it.
    revoked: BTreeSet<u64>,
    /// How often the event's classes admit, by class.
    allowed: BTreeMap<u16, u8>,
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
            let mut known = BTreeMap::new();
            for run in runs(&seqs, head.seq) {
                let (first, last) = run.into_inner();
                known.append(&mut store::known_rows(tx, DeviceId(device), epoch, (first, last)).await?);
            }
            state.chains.insert((device, epoch), ChainState { head, known });
        }
        let devices: BTreeSet<u64> = ops.iter().map(|op| op.device.0).collect();
        for device in devices {
            if store::device_state(tx, DeviceId(device)).await? == Some(DeviceState::Revoked) {
                state.revoked.insert(device);
            }
        }
        if let Some(op) = ops.first() {
            state.allowed = lists::admissions_by_class(tx, op.event_id).await?;
        }
        Ok(state)
    }

    fn plan(&self, state: &mut ScanState, op: &ScanOp) -> Result<Merged, GateError> {
        let quarantined = state.revoked.contains(&op.device.0) && !op.counted_upstream;
        let incidents = op.incidents.clone();
        let mut merged = Merged { heads: Vec::new(), stored: 0, duplicates: 0, incidents, quarantined };
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
            state.rows.extend(plan.accepted.into_iter().map(|row| (row, quarantined)));
        }
        let found = merged.incidents.iter().map(|incident| (op.device, op.event_id, *incident, op.now_ms));
        state.incidents.extend(found);
        if op.is_contact {
            state.contacts.insert(op.device.0, op.now_ms);
        }
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
        // A revoked device's row says nothing, so its grant stays counted as used.
        let counted: Vec<&CheckedRow> = state.rows.iter().filter(|(_, apart)| !apart).map(|(row, _)| row).collect();
        let Some(first) = counted.first() else { return Ok(()) };
        count(tx, first.body.event.0, &counted, &state.allowed).await
    }
}

/// Lets stored rows of an event count: in the lanes' minutes, against the grants that they were given, and among the tickets
/// on which more guests came in than they allow. `allowed` is by class.
pub(super) async fn count(
    tx: &mut Tx,
    event_id: u32,
    rows: &[&CheckedRow],
    allowed: &BTreeMap<u16, u8>,
) -> Result<(), StoreError> {
    store::count_minutes(tx, rows).await?;
    store::settle_grants(tx, rows).await?;
    let mut admitted: BTreeMap<u8, BTreeSet<TicketId>> = BTreeMap::new();
    for row in rows {
        if let Some((ticket, _)) = row.body.passage().filter(|(_, passage)| passage.direction == Direction::In) {
            let allowed = row.body.class.and_then(|class| allowed.get(&class.0)).copied().unwrap_or(1);
            admitted.entry(allowed).or_default().insert(ticket);
        }
    }
    store::note_repeated(tx, event_id, &admitted).await
}

/// The runs of a chain to look at: the rows that an upload names, and what lies right beyond the head.
fn runs(seqs: &BTreeSet<u64>, head: u64) -> Vec<RangeInclusive<u64>> {
    let mut starts: Vec<(u64, u64)> = seqs.iter().map(|seq| (*seq, *seq)).collect();
    if head < LAST_SEQ {
        starts.push((head + 1, head.saturating_add(WALK).min(LAST_SEQ)));
    }
    starts.sort_unstable();
    let mut runs: Vec<RangeInclusive<u64>> = Vec::new();
    for (first, last) in starts {
        match runs.last_mut() {
            Some(run) if first <= run.end().saturating_add(NEAR) => *run = *run.start()..=last.max(*run.end()),
            _ => runs.push(first..=last),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_looks_at_what_it_names_and_at_what_follows_the_head() {
        let runs = |seqs: &[u64], head| super::runs(&seqs.iter().copied().collect(), head);
        assert_eq!(runs(&[], 0), [1..=WALK]);
        assert_eq!(runs(&[11, 12, 13], 10), [11..=10 + WALK]);
        assert_eq!(runs(&[1, 2, 3], 100_000), [1..=3, 100_001..=100_000 + WALK]);
        assert_eq!(runs(&[1, 90_000], 5), [1..=5 + WALK, 90_000..=90_000]);
        assert_eq!(runs(&[LAST_SEQ], LAST_SEQ), [LAST_SEQ..=LAST_SEQ]);
        assert_eq!(runs(&[], LAST_SEQ - 1), [LAST_SEQ..=LAST_SEQ]);
    }
}
