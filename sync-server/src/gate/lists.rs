//! Lists for gates: a signed manifest and its chunks, full or from the version that the gate has.
//!
//! A hundred lanes ask for the same list in the same minute, so what was built is kept for a while, bounded in bytes, and
//! an event's lists are built one at a time: whoever waited takes what was built meanwhile, if it is no older than what the
//! event had when they asked. The same tickets give the same bytes: a gate that was cut off in the middle goes on where it
//! stopped.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use gate_core::pack;
use ticket_signer::keys::SLOT_LENGTH;
use ticket_signer::list::ChunkRef;
use ticket_signer::{
    ClassEntry, ClassId, EventId, HolderAlgorithm, ListManifest, Purpose, Role, Serial, TicketStatus, envelope, list,
};

use super::model::GateError;
use super::{Gate, Result, edge};
use crate::tickets::{self, ListRow, ListState};
use crate::{catalog, platform};

/// How long a list is good for.
const LIST_LIFE_S: i64 = 12 * 3_600;
/// How many bytes of chunks are kept.
const CACHE_BYTES: usize = 64 << 20;
/// How many lists are kept; each step of a busy sale is one.
const CACHE_LISTS: usize = 2_048;

/// A chunk as it is served.
struct Chunk {
    named: ChunkRef,
    bytes: Bytes,
}

/// A list as it was built: the chunks of one step from `base` to `version`.
#[derive(Clone)]
struct Built {
    event_id: u32,
    base: u64,
    state: ListState,
    chunks: Arc<Vec<Chunk>>,
}

/// The lists built of late, newest last.
#[derive(Default)]
pub(super) struct ListCache {
    built: Mutex<Vec<Built>>,
    /// Whose turn it is to build, by event.
    turns: Mutex<HashMap<u32, Arc<tokio::sync::Mutex<()>>>>,
}

impl ListCache {
    /// The newest list from `base`, if it is at least of this version.
    fn find(&self, event_id: u32, base: u64, at_least: u64) -> Option<Built> {
        let built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        let fitting = built.iter().rev().filter(|b| (b.event_id, b.base) == (event_id, base));
        fitting.max_by_key(|b| b.state.version).filter(|b| b.state.version >= at_least).cloned()
    }

    fn turn(&self, event_id: u32) -> Arc<tokio::sync::Mutex<()>> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner).entry(event_id).or_default().clone()
    }

    fn keep(&self, new: Built) {
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        built.push(new);
        let bytes = |built: &Built| built.chunks.iter().map(|chunk| chunk.bytes.len()).sum::<usize>();
        let mut total: usize = built.iter().map(bytes).sum();
        let mut out = 0;
        while (total > CACHE_BYTES || built.len() - out > CACHE_LISTS) && built.len() - out > 1 {
            total -= bytes(&built[out]);
            out += 1;
        }
        built.drain(..out);
    }

    /// The chunk of this event with this hash, while it is kept.
    pub(super) fn chunk(&self, event_id: u32, hash: &[u8; 32]) -> Option<Bytes> {
        let built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        let chunks = built.iter().filter(|built| built.event_id == event_id).flat_map(|built| built.chunks.iter());
        chunks.into_iter().find(|chunk| chunk.named.hash == *hash).map(|chunk| chunk.bytes.clone())
    }
}

/// Version and number of tickets of the newest list: this server's, or at an edge the upstream's.
pub(super) async fn newest(gate: &Gate, tx: &mut platform::Tx, event_id: u32) -> Result<(u64, u64)> {
    if gate.edge.is_some() {
        return Ok(edge::list_state(tx, event_id).await?);
    }
    let state = tickets::list_state(tx, event_id).await?;
    Ok((state.version, state.tickets))
}

/// The signed manifest that brings a gate from list `cursor` (0: none) to the newest. A gate that has the newest gets a
/// renewal: no chunks, and a later expiry.
pub(super) async fn manifest(gate: &Gate, event_id: u32, cursor: u64) -> Result<(u64, Vec<u8>)> {
    let mut tx = gate.platform.store.read().await?;
    let state = tickets::list_state(&mut tx, event_id).await?;
    let classes = catalog::classes(&mut tx, event_id).await?;
    if cursor > state.version {
        return Err(GateError::ListFromTheFuture { cursor, version: state.version });
    }
    drop(tx);
    let (state, chunks) = if cursor == state.version {
        (state, Arc::default())
    } else {
        let built = built(gate, event_id, cursor, state.version).await?;
        (built.state, built.chunks)
    };
    let bytes = sign(gate, event_id, cursor, state, &classes, &chunks)?;
    Ok((state.version, bytes))
}

/// The list from `base` to `at_least` or a newer version: one that is at hand, or a new one.
async fn built(gate: &Gate, event_id: u32, base: u64, at_least: u64) -> Result<Built> {
    if let Some(built) = gate.lists.find(event_id, base, at_least) {
        return Ok(built);
    }
    let turn = gate.lists.turn(event_id);
    let _turn = turn.lock().await;
    if let Some(built) = gate.lists.find(event_id, base, at_least) {
        return Ok(built);
    }
    let mut tx = gate.platform.store.read().await?;
    let state = tickets::list_state(&mut tx, event_id).await?;
    let rows = tickets::changed_since(&mut tx, event_id, base).await?;
    drop(tx);
    let built = Built { event_id, base, state, chunks: Arc::new(build(rows).await?) };
    gate.lists.keep(built.clone());
    Ok(built)
}

fn sign(
    gate: &Gate,
    event_id: u32,
    cursor: u64,
    state: ListState,
    classes: &[catalog::Class],
    chunks: &[Chunk],
) -> Result<Vec<u8>> {
    let now_s = gate.platform.clock.now_ms().div_euclid(1_000);
    let may = gate.keys.may_sign(Role::List, EventId(event_id), now_s);
    let key = gate.keys.signing_key(Role::List).filter(|_| may);
    let key = key.ok_or(GateError::KeyMissing { role: "list", event: event_id })?;
    let seconds = |at: i64| u32::try_from(at).unwrap_or(u32::MAX);
    let manifest = ListManifest {
        event: EventId(event_id),
        version: state.version,
        base: cursor,
        issued_at_s: seconds(now_s),
        expires_at_s: seconds(now_s + LIST_LIFE_S),
        tickets: u32::try_from(state.tickets).unwrap_or(u32::MAX),
        classes: classes.iter().map(class_entry).collect(),
        chunks: chunks.iter().map(|chunk| chunk.named.clone()).collect(),
    };
    Ok(envelope::seal(Purpose::List, &manifest.to_bytes(), key))
}

/// Packs rows into chunks, off the runtime's threads: a hundred thousand take most of a second.
async fn build(rows: Vec<ListRow>) -> Result<Vec<Chunk>> {
    let packed = tokio::task::spawn_blocking(move || {
        let lines = rows.iter().map(line).collect::<Result<Vec<_>>>()?;
        let packed =
            pack::pack(&lines).map_err(|error| GateError::Fault(format!("a list cannot be packed: {error}")))?;
        Ok(packed.into_iter().map(|chunk| Chunk { named: chunk.named, bytes: chunk.bytes.into() }).collect())
    });
    packed.await.map_err(|error| GateError::Fault(format!("a list cannot be packed: {error}")))?
}

/// A class as lists write it.
pub(super) fn class_entry(class: &catalog::Class) -> ClassEntry {
    let seconds = |at_ms: i64| u32::try_from(at_ms.div_euclid(1_000)).unwrap_or(u32::MAX);
    ClassEntry {
        class: ClassId(class.id),
        name: class.name.clone(),
        valid_from_s: seconds(class.valid_from_ms),
        valid_until_s: seconds(class.valid_until_ms),
        admissions: class.admissions,
        flags: class.flags,
    }
}

/// A ticket as lists write it.
pub(super) fn line(row: &ListRow) -> Result<list::ListLine> {
    let fault = || GateError::Fault(format!("ticket {} is stored wrongly", row.ticket));
    let slot = row.slot.as_deref().map_or(Some([0; SLOT_LENGTH]), |slot| slot.try_into().ok());
    Ok(list::ListLine {
        ticket: row.ticket,
        serial: Serial::new(row.serial).ok_or_else(fault)?,
        class: ClassId(row.class),
        status: if row.revoked { TicketStatus::Revoked } else { TicketStatus::Active },
        algorithm: HolderAlgorithm::from_byte(row.algorithm).map_err(|_| fault())?,
        slot: slot.ok_or_else(fault)?,
    })
}

/// Whether a device that was sent this list a moment ago needs another manifest.
pub(super) fn is_recent(sent_at_ms: Option<i64>, now_ms: i64) -> bool {
    const RECENT_MS: i64 = 10 * 60 * 1_000;
    sent_at_ms.is_some_and(|sent| (0..RECENT_MS).contains(&(now_ms - sent)))
}

/// The classes' names, for people.
pub(super) async fn class_names(tx: &mut platform::Tx, event_id: u32) -> Result<HashMap<u16, (String, u8)>> {
    let classes = catalog::classes(tx, event_id).await?;
    Ok(classes.into_iter().map(|class| (class.id, (class.name, class.admissions))).collect())
}

/// How often a ticket of each class may be admitted.
pub(super) async fn admissions_by_class(
    tx: &mut platform::Tx,
    event_id: u32,
) -> std::result::Result<BTreeMap<u16, u8>, platform::StoreError> {
    match catalog::classes(tx, event_id).await {
        Ok(classes) => Ok(classes.into_iter().map(|class| (class.id, class.admissions)).collect()),
        Err(catalog::CatalogError::Store(error)) => Err(error),
        // Rows of an event that is no longer there: what is unknown admits once.
        Err(_) => Ok(BTreeMap::new()),
    }
}
