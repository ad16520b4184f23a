//! The SQL of what handhelds tell of themselves, and of the newest scans.

use gate_core::wire::v1::DeviceStatus;
use gate_core::wire::{from_cbor, to_cbor};
use ticket_signer::DeviceId;

use super::shape;
use crate::platform::Tx;
use crate::platform::store::{Result, params};

/// A handheld's word about itself, and when it was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptStatus {
    pub told_at_ms: i64,
    pub status: DeviceStatus,
}

pub async fn keep_status(tx: &mut Tx, id: DeviceId, event_id: u32, status: &DeviceStatus, now_ms: i64) -> Result<()> {
    let document = to_cbor(status).map_err(shape)?;
    tx.execute(
        "INSERT INTO device_status (device_id, event_id, told_at_ms, document) VALUES ($1, $2, $3, $4)
         ON CONFLICT (device_id) DO UPDATE SET event_id = $2, told_at_ms = $3, document = $4",
        params![id.0, event_id, now_ms, document],
    )
    .await?;
    Ok(())
}

/// By device. What cannot be read was written by another version and is left out.
pub async fn statuses(tx: &mut Tx, event_id: u32) -> Result<Vec<(u64, KeptStatus)>> {
    let rows: Vec<(u64, i64, Vec<u8>)> = tx
        .query("SELECT device_id, told_at_ms, document FROM device_status WHERE event_id = $1", params![event_id])
        .await?;
    let kept = |(device, told_at_ms, document): (u64, i64, Vec<u8>)| {
        Some((device, KeptStatus { told_at_ms, status: from_cbor(&document).ok()? }))
    };
    Ok(rows.into_iter().filter_map(kept).collect())
}

/// One scan by which guests may pass: lane, device, time.
pub type ScanTime = (u32, u64, i64);

/// The newest scans of a span, the newest first, at most `limit`.
pub async fn scan_times(
    tx: &mut Tx,
    event_id: u32,
    (from_ms, until_ms): (i64, i64),
    limit: u32,
) -> Result<Vec<ScanTime>> {
    tx.query(
        "SELECT lane_id, device_id, at_ms FROM scans
         WHERE event_id = $1 AND at_ms BETWEEN $2 AND $3 AND quarantined = 0 AND act <= 3
         ORDER BY at_ms DESC LIMIT $4",
        params![event_id, from_ms, until_ms, limit],
    )
    .await
}
