//! The SQL of quarantine and of releasing from it.

use gate_core::merge::CheckedRow;
use gate_core::row::{RowBody, SignedRow};
use ticket_signer::DeviceId;

use super::shape;
use crate::platform::store::{Result, Value, params};
use crate::platform::{Actor, Tx};

/// Event and time of a device's revocation.
pub async fn revocation(tx: &mut Tx, id: DeviceId) -> Result<Option<(u32, i64)>> {
    tx.query_optional(
        "SELECT event_id, revoked_at_ms FROM devices WHERE id = $1 AND revoked_at_ms IS NOT NULL",
        params![id.0],
    )
    .await
}

/// Of each chain of a device: epoch, the last row before a gap, the last row that counts.
pub async fn chain_marks(tx: &mut Tx, id: DeviceId) -> Result<Vec<(u64, u64, u64)>> {
    tx.query(
        "SELECT chains.epoch, chains.head_seq, COALESCE(MAX(scans.seq), 0)
         FROM chains LEFT JOIN scans ON scans.device_id = chains.device_id AND scans.epoch = chains.epoch
                                    AND scans.quarantined = 0
         WHERE chains.device_id = $1 GROUP BY chains.epoch, chains.head_seq ORDER BY chains.epoch",
        params![id.0],
    )
    .await
}

/// A device's rows that are kept apart, in the order of their chains.
pub async fn quarantined_rows(tx: &mut Tx, id: DeviceId, limit: u32) -> Result<Vec<CheckedRow>> {
    let rows: Vec<(Vec<u8>, [u8; 64], [u8; 32])> = tx
        .query(
            "SELECT bytes, signature, hash FROM scans WHERE device_id = $1 AND quarantined = 1
             ORDER BY epoch, seq LIMIT $2",
            params![id.0, limit],
        )
        .await?;
    let checked = |(bytes, signature, hash): (Vec<u8>, [u8; 64], [u8; 32])| {
        let body = RowBody::from_bytes(&bytes).map_err(shape)?;
        Ok(CheckedRow { body, row: SignedRow { bytes, signature }, hash })
    };
    rows.into_iter().map(checked).collect()
}

pub async fn quarantined(tx: &mut Tx, id: DeviceId) -> Result<u64> {
    let (rows,): (u64,) =
        tx.query_one("SELECT COUNT(*) FROM scans WHERE device_id = $1 AND quarantined = 1", params![id.0]).await?;
    Ok(rows)
}

/// Lets rows count, each at a new place in the order of merging: the lanes' cursors are past the old one.
pub async fn release_rows(tx: &mut Tx, event_id: u32, rows: &[CheckedRow]) -> Result<()> {
    let last = super::next_merged(tx, event_id, rows.len()).await?;
    let before = last - rows.len() as i64;
    let sets: Vec<Vec<Value>> = (before + 1..)
        .zip(rows)
        .map(|(merged, row)| params![row.body.device.0, row.body.epoch, row.body.seq, merged].to_vec())
        .collect();
    tx.execute_each(
        "UPDATE scans SET quarantined = 0, merged = $4
         WHERE device_id = $1 AND epoch = $2 AND seq = $3 AND quarantined = 1",
        &sets,
    )
    .await?;
    Ok(())
}

pub async fn note_release(
    tx: &mut Tx,
    (device, event_id): (DeviceId, u32),
    rows: u64,
    (until_ms, now_ms): (i64, i64),
    by: &Actor,
) -> Result<()> {
    let id = tx.next_number("release").await?;
    tx.execute(
        "INSERT INTO releases (id, device_id, event_id, released_at_ms, until_ms, rows_released, released_by, released_by_name)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        params![id, device.0, event_id, now_ms, until_ms, rows, by.reference(), by.name()],
    )
    .await?;
    Ok(())
}

/// Of each revoked device of an event: when it was revoked, and how many of its rows wait.
pub async fn quarantines(tx: &mut Tx, event_id: u32) -> Result<Vec<(u64, i64, u64)>> {
    tx.query(
        "SELECT devices.id, devices.revoked_at_ms, COUNT(scans.seq)
         FROM devices LEFT JOIN scans ON scans.event_id = devices.event_id AND scans.device_id = devices.id
                                     AND scans.quarantined = 1
         WHERE devices.event_id = $1 AND devices.revoked_at_ms IS NOT NULL
         GROUP BY devices.id, devices.revoked_at_ms",
        params![event_id],
    )
    .await
}

/// The releases of an event, the oldest first: device, time, rows, the name of who released.
pub async fn releases(tx: &mut Tx, event_id: u32) -> Result<Vec<(u64, i64, u64, String)>> {
    tx.query(
        "SELECT device_id, released_at_ms, rows_released, released_by_name FROM releases WHERE event_id = $1 ORDER BY id",
        params![event_id],
    )
    .await
}
