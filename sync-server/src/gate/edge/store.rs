//! The SQL of an edge.

use gate_core::chain::ChainHead;
use gate_core::row::{RowBody, SignedRow};
use gate_core::wire::v1::EdgeDevice;
use ticket_signer::DeviceId;

use crate::platform::Tx;
use crate::platform::store::{Result, params};

// --- Places ----------------------------------------------------------------------------------------------------------

/// Where this edge is enrolled for one event.
pub(super) struct KeptPlace {
    pub event_id: u32,
    pub device: DeviceId,
    pub server: String,
    pub tls_pin: [u8; 32],
    pub root_fingerprint: [u8; 32],
    /// The last bundle, in CBOR.
    pub bundle: Vec<u8>,
}

pub(super) async fn places(tx: &mut Tx) -> Result<Vec<KeptPlace>> {
    type Columns = (u32, u64, String, [u8; 32], [u8; 32], Vec<u8>);
    let rows: Vec<Columns> = tx
        .query(
            "SELECT event_id, device_id, server, tls_pin, root_fingerprint, bundle FROM edge_places
             WHERE bundle IS NOT NULL ORDER BY event_id",
            params![],
        )
        .await?;
    let place = |(event_id, device, server, tls_pin, root_fingerprint, bundle): Columns| KeptPlace {
        event_id,
        device: DeviceId(device),
        server,
        tls_pin,
        root_fingerprint,
        bundle,
    };
    Ok(rows.into_iter().map(place).collect())
}

/// Keeps a place in stead of the one that the event had: the feed is heard from its beginning.
pub(super) async fn keep_place(tx: &mut Tx, place: &KeptPlace) -> Result<()> {
    tx.execute(
        "INSERT INTO edge_places (event_id, device_id, server, tls_pin, root_fingerprint, bundle)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (event_id) DO UPDATE SET device_id = $2, server = $3, tls_pin = $4, root_fingerprint = $5,
             bundle = $6, feed_cursor = 0, feed_generation = NULL",
        params![place.event_id, place.device.0, &place.server, place.tls_pin, place.root_fingerprint, &place.bundle],
    )
    .await?;
    Ok(())
}

pub(super) async fn keep_own_bundle(tx: &mut Tx, event_id: u32, bundle: &[u8]) -> Result<()> {
    tx.execute("UPDATE edge_places SET bundle = $2 WHERE event_id = $1", params![event_id, bundle]).await?;
    Ok(())
}

/// The last bundle that this edge was given itself.
pub(super) async fn own_bundle(tx: &mut Tx, event_id: u32) -> Result<Option<Vec<u8>>> {
    let found: Option<(Option<Vec<u8>>,)> =
        tx.query_optional("SELECT bundle FROM edge_places WHERE event_id = $1", params![event_id]).await?;
    Ok(found.and_then(|(bundle,)| bundle))
}

/// Cursor and generation of the upstream's feed.
pub(super) async fn feed_place(tx: &mut Tx, event_id: u32) -> Result<(u64, Option<u64>)> {
    let sql = "SELECT feed_cursor, feed_generation FROM edge_places WHERE event_id = $1";
    Ok(tx.query_optional(sql, params![event_id]).await?.unwrap_or_default())
}

pub(super) async fn keep_feed_place(tx: &mut Tx, event_id: u32, cursor: u64, generation: Option<u64>) -> Result<()> {
    tx.execute(
        "UPDATE edge_places SET feed_cursor = $2, feed_generation = $3 WHERE event_id = $1",
        params![event_id, cursor, generation],
    )
    .await?;
    Ok(())
}

// --- Devices ---------------------------------------------------------------------------------------------------------

/// Takes a device as the upstream tells of it; when it was last heard here stays.
pub(super) async fn mirror_device(
    tx: &mut Tx,
    event_id: u32,
    device: &EdgeDevice,
    (edge, now_ms): (DeviceId, i64),
) -> Result<()> {
    let revoked_at_ms = (device.state == "revoked").then_some(now_ms);
    tx.execute(
        "INSERT INTO devices (id, event_id, lane_id, name, version, public_key, state, enrolled_at_ms, certificate,
                              lease_until_ms, edge_id, revoked_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
         ON CONFLICT (id) DO UPDATE SET lane_id = $3, name = $4, version = $5,
             state = CASE WHEN devices.state = 'revoked' THEN 'revoked' ELSE $7 END, certificate = $9,
             lease_until_ms = $10, edge_id = $11, revoked_at_ms = COALESCE(devices.revoked_at_ms, $12)",
        params![
            device.id,
            event_id,
            device.lane,
            &device.name,
            &device.version,
            device.key.into_array(),
            &device.state,
            device.enrolled_at_ms,
            device.certificate.as_ref().map(|certificate| certificate.to_vec()),
            device.lease_until_ms,
            device.here.then_some(edge.0),
            revoked_at_ms
        ],
    )
    .await?;
    Ok(())
}

/// Devices with the time when they were last heard here, if that is since then.
pub(super) async fn contacts(tx: &mut Tx, event_id: u32, since_ms: i64) -> Result<Vec<(u64, i64)>> {
    tx.query(
        "SELECT id, last_contact_ms FROM devices WHERE event_id = $1 AND last_contact_ms >= $2",
        params![event_id, since_ms],
    )
    .await
}

/// Lanes' devices that do not talk to this edge. Leases are renewed elsewhere, so theirs say nothing.
pub(super) async fn lanes_elsewhere(tx: &mut Tx, event_id: u32) -> Result<i64> {
    let (devices,): (i64,) = tx
        .query_one(
            "SELECT COUNT(*) FROM devices WHERE event_id = $1 AND state = 'confirmed' AND edge_id IS NULL",
            params![event_id],
        )
        .await?;
    Ok(devices)
}

/// Whether a row is here and kept apart.
pub(super) async fn is_apart(tx: &mut Tx, row: &RowBody) -> Result<bool> {
    let sql = "SELECT quarantined FROM scans WHERE device_id = $1 AND epoch = $2 AND seq = $3";
    let found: Option<(bool,)> = tx.query_optional(sql, params![row.device.0, row.epoch, row.seq]).await?;
    Ok(found.is_some_and(|(apart,)| apart))
}

// --- Bundles ---------------------------------------------------------------------------------------------------------

pub(super) async fn keep_bundle(tx: &mut Tx, device: DeviceId, event_id: u32, bytes: &[u8]) -> Result<()> {
    tx.execute(
        "INSERT INTO edge_bundles (device_id, event_id, bytes) VALUES ($1, $2, $3)
         ON CONFLICT (device_id) DO UPDATE SET event_id = $2, bytes = $3",
        params![device.0, event_id, bytes],
    )
    .await?;
    Ok(())
}

pub(super) async fn bundle(tx: &mut Tx, device: DeviceId) -> Result<Option<Vec<u8>>> {
    let found: Option<(Vec<u8>,)> =
        tx.query_optional("SELECT bytes FROM edge_bundles WHERE device_id = $1", params![device.0]).await?;
    Ok(found.map(|(bytes,)| bytes))
}

// --- Rows and receipts -----------------------------------------------------------------------------------------------

/// A lane wants a receipt of its chain up to `seq`.
pub(super) async fn want_receipt(tx: &mut Tx, device: DeviceId, event_id: u32, epoch: u64, seq: u64) -> Result<()> {
    tx.execute(
        "INSERT INTO edge_chains (device_id, epoch, event_id, wanted_seq) VALUES ($1, $2, $3, $4)
         ON CONFLICT (device_id, epoch) DO UPDATE SET wanted_seq = $4 WHERE edge_chains.wanted_seq < $4",
        params![device.0, epoch, event_id, seq],
    )
    .await?;
    Ok(())
}

/// The upstream's last receipt of each of a device's chains: epoch, up to where it goes, bytes.
pub(super) async fn receipts(tx: &mut Tx, device: DeviceId) -> Result<Vec<(u64, u64, Vec<u8>)>> {
    tx.query(
        "SELECT epoch, receipt_seq, receipt FROM edge_chains WHERE device_id = $1 AND receipt IS NOT NULL ORDER BY epoch",
        params![device.0],
    )
    .await
}

pub(super) async fn keep_receipt(tx: &mut Tx, device: DeviceId, head: &ChainHead, bytes: &[u8]) -> Result<()> {
    tx.execute(
        "UPDATE edge_chains SET receipt_seq = $3, receipt = $4 WHERE device_id = $1 AND epoch = $2 AND receipt_seq <= $3",
        params![device.0, head.epoch, head.seq, bytes],
    )
    .await?;
    Ok(())
}

/// A chain with rows that the upstream has not signed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Waiting {
    pub device: DeviceId,
    pub epoch: u64,
    pub receipt_seq: u64,
    pub wanted_seq: u64,
}

pub(super) async fn waiting(tx: &mut Tx, event_id: u32) -> Result<Vec<Waiting>> {
    let rows: Vec<(u64, u64, u64, u64)> = tx
        .query(
            "SELECT device_id, epoch, receipt_seq, wanted_seq FROM edge_chains
             WHERE event_id = $1 AND wanted_seq > receipt_seq ORDER BY device_id, epoch",
            params![event_id],
        )
        .await?;
    let waiting = |(device, epoch, receipt_seq, wanted_seq)| {
        let device = DeviceId(device);
        Waiting { device, epoch, receipt_seq, wanted_seq }
    };
    Ok(rows.into_iter().map(waiting).collect())
}

pub(super) async fn waiting_rows(tx: &mut Tx, event_id: u32) -> Result<u64> {
    let chains = waiting(tx, event_id).await?;
    let missing = chains.iter().map(|chain| chain.wanted_seq.saturating_sub(chain.receipt_seq));
    Ok(missing.fold(0, u64::saturating_add))
}

/// Rows of a chain after one, up to another, as they came.
pub(super) async fn rows_between(
    tx: &mut Tx,
    (device, epoch): (DeviceId, u64),
    (after, upto): (u64, u64),
    limit: u32,
) -> Result<Vec<(u64, SignedRow)>> {
    let rows: Vec<(u64, Vec<u8>, [u8; 64])> = tx
        .query(
            "SELECT seq, bytes, signature FROM scans WHERE device_id = $1 AND epoch = $2 AND seq > $3 AND seq <= $4
             ORDER BY seq LIMIT $5",
            params![device.0, epoch, after, upto, limit],
        )
        .await?;
    Ok(rows.into_iter().map(|(seq, bytes, signature)| (seq, SignedRow { bytes, signature })).collect())
}

// --- Lists -----------------------------------------------------------------------------------------------------------

/// A manifest as it was signed.
pub(super) struct KeptManifest {
    pub version: u64,
    pub expires_at_ms: i64,
    pub kept_at_ms: i64,
    pub bytes: Vec<u8>,
}

/// Version and number of tickets of the newest list.
pub(super) async fn newest_list(tx: &mut Tx, event_id: u32) -> Result<Option<(u64, u64)>> {
    tx.query_optional(
        "SELECT version, tickets FROM edge_manifests WHERE event_id = $1 ORDER BY version DESC LIMIT 1",
        params![event_id],
    )
    .await
}

/// The newest manifest that builds on `base`.
pub(super) async fn manifest(tx: &mut Tx, event_id: u32, base: u64) -> Result<Option<KeptManifest>> {
    let found: Option<(u64, i64, i64, Vec<u8>)> = tx
        .query_optional(
            "SELECT version, expires_at_ms, kept_at_ms, bytes FROM edge_manifests WHERE event_id = $1 AND base = $2",
            params![event_id, base],
        )
        .await?;
    let kept = |(version, expires_at_ms, kept_at_ms, bytes)| KeptManifest { version, expires_at_ms, kept_at_ms, bytes };
    Ok(found.map(kept))
}

/// Keeps a manifest in place of an older one with the same base.
pub(super) async fn keep_manifest(
    tx: &mut Tx,
    (event_id, base): (u32, u64),
    tickets: u32,
    kept: &KeptManifest,
) -> Result<()> {
    tx.execute(
        "INSERT INTO edge_manifests (event_id, base, version, tickets, expires_at_ms, kept_at_ms, bytes)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (event_id, base) DO UPDATE SET version = $3, tickets = $4, expires_at_ms = $5, kept_at_ms = $6, bytes = $7",
        params![event_id, base, kept.version, tickets, kept.expires_at_ms, kept.kept_at_ms, &kept.bytes],
    )
    .await?;
    Ok(())
}

pub(super) async fn chunk(tx: &mut Tx, event_id: u32, hash: &[u8; 32]) -> Result<Option<Vec<u8>>> {
    let found: Option<(Vec<u8>,)> = tx
        .query_optional("SELECT bytes FROM edge_chunks WHERE event_id = $1 AND hash = $2", params![event_id, hash])
        .await?;
    Ok(found.map(|(bytes,)| bytes))
}

/// Keeps a chunk, or notes that it is still named.
pub(super) async fn keep_chunk(
    tx: &mut Tx,
    event_id: u32,
    hash: &[u8; 32],
    (bytes, now_ms): (&[u8], i64),
) -> Result<()> {
    tx.execute(
        "INSERT INTO edge_chunks (event_id, hash, kept_at_ms, bytes) VALUES ($1, $2, $3, $4)
         ON CONFLICT (event_id, hash) DO UPDATE SET kept_at_ms = $3",
        params![event_id, hash, now_ms, bytes],
    )
    .await?;
    Ok(())
}

/// Forgets manifests and chunks that were kept before then; the newest list of each event stays, however it was come by.
pub(super) async fn forget_lists(tx: &mut Tx, before_ms: i64) -> Result<()> {
    tx.execute(
        "DELETE FROM edge_manifests WHERE kept_at_ms < $1 AND base <> 0
           AND version < (SELECT MAX(newer.version) FROM edge_manifests AS newer WHERE newer.event_id = edge_manifests.event_id)",
        params![before_ms],
    )
    .await?;
    tx.execute(
        "DELETE FROM edge_chunks WHERE kept_at_ms < $1
           AND kept_at_ms < (SELECT MIN(kept.kept_at_ms) FROM edge_manifests AS kept WHERE kept.event_id = edge_chunks.event_id)",
        params![before_ms],
    )
    .await?;
    Ok(())
}
