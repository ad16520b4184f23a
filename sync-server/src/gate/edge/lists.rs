//! The upstream's lists, as it signed them: each step that was fetched is kept, so that a lane finds its own next step here
//! while the upstream is away. A lane checks signature and hashes as ever.

use gate_core::wire::v1::ListAnswer;
use ticket_signer::{EventId, ListManifest, Purpose, envelope};

use super::error::EdgeError;
use super::store::{self, KeptManifest};
use super::{Edge, Place};

/// A full list that is older than this is fetched anew when there is a newer one, in milliseconds: lanes that begin while the
/// upstream is away begin with it.
const FULL_AFTER_MS: i64 = 5 * 60_000;

/// A full list is fetched anew when it is good for no longer than this, in milliseconds.
const RENEW_MS: i64 = 6 * 3_600_000;

/// Fetches what is new: the step from the newest list that is here, and now and then all of it.
pub(super) async fn refresh(edge: &Edge, place: &Place) -> Result<(), EdgeError> {
    let newest = {
        let mut tx = edge.gate.platform.store.read().await?;
        store::newest_list(&mut tx, place.event_id).await?
    };
    let version = newest.map_or(0, |(version, _)| version);
    fetch(edge, place, version).await?;
    if version == 0 {
        return Ok(());
    }
    let (full, newest) = {
        let mut tx = edge.gate.platform.store.read().await?;
        let full = store::manifest(&mut tx, place.event_id, 0).await?;
        (full, store::newest_list(&mut tx, place.event_id).await?)
    };
    let newest = newest.map_or(0, |(version, _)| version);
    let stale = full.is_none_or(|full| {
        let outgrown = full.version < newest && edge.now_ms() - full.kept_at_ms >= FULL_AFTER_MS;
        outgrown || full.expires_at_ms - edge.gate.now_ms() < RENEW_MS
    });
    if stale {
        fetch(edge, place, 0).await?;
    }
    Ok(())
}

/// Fetches the step from `base`, its chunks first: a manifest that is here has all that it names.
pub(super) async fn fetch(edge: &Edge, place: &Place, base: u64) -> Result<(), EdgeError> {
    let event_id = place.event_id;
    let answer = place.upstream.get(&format!("/gate/v1/events/{event_id}/list?cursor={base}")).await?;
    let ListAnswer::Manifest(bytes) = answer else { return Ok(()) };
    let event = EventId(event_id);
    let trust = edge.standing.trust(event_id).ok_or(EdgeError::NotEnrolled)?;
    let now_s = edge.gate.now_ms().div_euclid(1_000);
    let manifest = ListManifest::from_bytes(envelope::open(Purpose::List, &bytes, &trust, event, now_s)?)?;
    let store = &edge.gate.platform.store;
    // One moment for manifest and chunks: neither is forgotten before the other.
    let kept_at_ms = edge.now_ms();
    for named in &manifest.chunks {
        let mut tx = store.read().await?;
        let here = store::chunk(&mut tx, event_id, &named.hash).await?;
        drop(tx);
        let chunk = match here {
            Some(chunk) => chunk,
            None => {
                let hash: String = named.hash.iter().map(|byte| format!("{byte:02x}")).collect();
                place.upstream.get_bytes(&format!("/gate/v1/events/{event_id}/chunks/{hash}")).await?
            }
        };
        named.check(&chunk)?;
        let mut tx = store.write().await?;
        store::keep_chunk(&mut tx, event_id, &named.hash, (&chunk, kept_at_ms)).await?;
        tx.commit().await?;
    }
    let kept = KeptManifest {
        version: manifest.version,
        expires_at_ms: i64::from(manifest.expires_at_s) * 1_000,
        kept_at_ms,
        bytes: bytes.into_vec(),
    };
    let mut tx = store.write().await?;
    store::keep_manifest(&mut tx, (event_id, base), manifest.tickets, &kept).await?;
    tx.commit().await?;
    Ok(())
}

/// The manifest with which a lane that has `cursor` goes on; `None` where it has the newest that is here.
pub(super) async fn step(edge: &Edge, place: &Place, cursor: u64) -> Result<Option<KeptManifest>, EdgeError> {
    if let Some(found) = kept_step(edge, place, cursor).await? {
        return Ok(Some(found));
    }
    // The upstream makes any step, while it is there.
    match fetch(edge, place, cursor).await {
        Ok(()) => {}
        Err(EdgeError::Upstream(error)) if error.is_away() => {}
        Err(error) => return Err(error),
    }
    if let Some(found) = kept_step(edge, place, cursor).await? {
        return Ok(Some(found));
    }
    let mut tx = edge.gate.platform.store.read().await?;
    let full = store::manifest(&mut tx, place.event_id, 0).await?;
    Ok(full.filter(|full| full.version > cursor))
}

/// The step from `cursor`, if it is here and good for something: a full list only while it is the newest.
async fn kept_step(edge: &Edge, place: &Place, cursor: u64) -> Result<Option<KeptManifest>, EdgeError> {
    let mut tx = edge.gate.platform.store.read().await?;
    let found = store::manifest(&mut tx, place.event_id, cursor).await?;
    let newest = store::newest_list(&mut tx, place.event_id).await?.map_or(0, |(version, _)| version);
    let fresh = |kept: &KeptManifest| kept.expires_at_ms > edge.gate.now_ms() && (cursor > 0 || kept.version == newest);
    Ok(found.filter(fresh))
}
