//! Lists for gates: a signed manifest and its chunks, full or from the version that the gate has.
//!
//! A hundred lanes ask for the same list in the same minute, so what was built is kept for a while, bounded in bytes. The
//! same tickets give the same bytes: a gate that was cut off in the middle goes on where it stopped.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use gate_core::pack::{self, PackedChunk};
use ticket_signer::keys::SLOT_LENGTH;
use ticket_signer::{
    ClassEntry, ClassId, EventId, HolderAlgorithm, ListManifest, Purpose, Role, Serial, TicketStatus, envelope, list,
};

use super::model::GateError;
use super::{Gate, Result};
use crate::tickets::{self, ListRow, ListState};
use crate::{catalog, platform};

/// How long a list is good for.
const LIST_LIFE_S: i64 = 12 * 3_600;
/// How many bytes of chunks are kept.
const CACHE_BYTES: usize = 64 << 20;

/// A list as it was built: the chunks of one step from `base` to `version`.
#[derive(Clone)]
struct Built {
    event_id: u32,
    base: u64,
    version: u64,
    chunks: std::sync::Arc<Vec<PackedChunk>>,
}

/// The lists built of late, newest last.
#[derive(Default)]
pub(super) struct ListCache {
    built: Mutex<Vec<Built>>,
}

impl ListCache {
    fn find(&self, event_id: u32, base: u64, version: u64) -> Option<Built> {
        let built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        built.iter().find(|b| (b.event_id, b.base, b.version) == (event_id, base, version)).cloned()
    }

    fn keep(&self, new: Built) {
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        built.push(new);
        let bytes = |built: &Built| built.chunks.iter().map(|chunk| chunk.bytes.len()).sum::<usize>();
        let mut total: usize = built.iter().map(bytes).sum();
        while total > CACHE_BYTES && built.len() > 1 {
            total -= bytes(&built.remove(0));
        }
    }

    /// The chunk of this event with this hash, while it is kept.
    pub(super) fn chunk(&self, event_id: u32, hash: &[u8; 32]) -> Option<Bytes> {
        let built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        let chunks = built.iter().filter(|built| built.event_id == event_id).flat_map(|built| built.chunks.iter());
        chunks.into_iter().find(|chunk| chunk.named.hash == *hash).map(|chunk| Bytes::copy_from_slice(&chunk.bytes))
    }
}

/// The signed manifest that brings a gate from list `cursor` (0: none) to the newest. A gate that has the newest gets one
/// without chunks, whose expiry is later.
pub(super) async fn manifest(gate: &Gate, event_id: u32, cursor: u64) -> Result<(u64, Vec<u8>)> {
    let mut tx = gate.platform.store.read().await?;
    let state = tickets::list_state(&mut tx, event_id).await?;
    let classes = catalog::classes(&mut tx, event_id).await?;
    if cursor > state.version {
        return Err(GateError::ListFromTheFuture { cursor, version: state.version });
    }
    let chunks = if cursor == state.version {
        std::sync::Arc::default()
    } else if let Some(built) = gate.lists.find(event_id, cursor, state.version) {
        built.chunks
    } else {
        let rows = tickets::changed_since(&mut tx, event_id, cursor).await?;
        drop(tx);
        let chunks = std::sync::Arc::new(build(rows).await?);
        gate.lists.keep(Built { event_id, base: cursor, version: state.version, chunks: chunks.clone() });
        chunks
    };
    let bytes = sign(gate, event_id, cursor, state, &classes, &chunks)?;
    Ok((state.version, bytes))
}

fn sign(
    gate: &Gate,
    event_id: u32,
    cursor: u64,
    state: ListState,
    classes: &[catalog::Class],
    chunks: &[PackedChunk],
) -> Result<Vec<u8>> {
    let now_s = gate.platform.clock.now_ms().div_euclid(1_000);
    let may = gate.keys.may_sign(Role::List, EventId(event_id), now_s);
    let key = gate.keys.signing_key(Role::List).filter(|_| may);
    let key = key.ok_or(GateError::KeyMissing { role: "list", event: event_id })?;
    let seconds = |at: i64| u32::try_from(at).unwrap_or(u32::MAX);
    let class = |class: &catalog::Class| ClassEntry {
        class: ClassId(class.id),
        name: class.name.clone(),
        valid_from_s: seconds(class.valid_from_ms.div_euclid(1_000)),
        valid_until_s: seconds(class.valid_until_ms.div_euclid(1_000)),
        admissions: class.admissions,
        flags: class.flags,
    };
    let manifest = ListManifest {
        event: EventId(event_id),
        version: state.version,
        base: if cursor == state.version { 0 } else { cursor },
        issued_at_s: seconds(now_s),
        expires_at_s: seconds(now_s + LIST_LIFE_S),
        tickets: u32::try_from(state.tickets).unwrap_or(u32::MAX),
        classes: classes.iter().map(class).collect(),
        chunks: chunks.iter().map(|chunk| chunk.named.clone()).collect(),
    };
    Ok(envelope::seal(Purpose::List, &manifest.to_bytes(), key))
}

/// Packs rows into chunks, off the runtime's threads: a hundred thousand take most of a second.
async fn build(rows: Vec<ListRow>) -> Result<Vec<PackedChunk>> {
    let packed = tokio::task::spawn_blocking(move || {
        let lines = rows.iter().map(line).collect::<Result<Vec<_>>>()?;
        pack::pack(&lines).map_err(|error| GateError::Fault(format!("a list cannot be packed: {error}")))
    });
    packed.await.map_err(|error| GateError::Fault(format!("a list cannot be packed: {error}")))?
}

fn line(row: &ListRow) -> Result<list::ListLine> {
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
