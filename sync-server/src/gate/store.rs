//! The SQL of the gate.

mod plan;
mod release;
mod status;

use std::collections::{BTreeMap, BTreeSet};

use gate_core::chain::ChainHead;
use gate_core::decide::Outcome;
use gate_core::grant::Grant;
use gate_core::merge::{CheckedRow, Incident, KnownRow};
use gate_core::owner::Ask;
use gate_core::passage::{Direction, Passage};
use gate_core::row::{Act, RowBody, SignedRow};
use ticket_signer::{DeviceId, EventId, PublicKey, TicketId};

use super::decisions::{Decision, Kept};
use super::model::{Device, DeviceKind, DeviceState};
use crate::platform::store::{FromRow, Result, Row, Value, params};
use crate::platform::{Actor, StoreError, Tx};
pub use plan::{KeptPlan, keep_plan, plan};
pub use release::{
    chain_marks, note_release, quarantined, quarantined_rows, quarantines, release_rows, releases, revocation,
};
pub use status::{KeptStatus, keep_status, scan_times, statuses};

/// Tickets looked up in one statement: lists are padded to this length, so that the statement is prepared once.
const TICKETS_AT_ONCE: usize = 64;
const MINUTE_MS: i64 = 60_000;

fn shape(detail: impl std::fmt::Display) -> StoreError {
    StoreError::Shape { detail: detail.to_string() }
}

// --- Enrolment and devices -------------------------------------------------------------------------------------------

/// An enrolment code as it is kept.
pub struct KeptEnrolment {
    pub id: i64,
    pub kind: DeviceKind,
    pub event_id: u32,
    pub lane_id: u32,
    pub expires_at_ms: i64,
    /// The device that used it.
    pub device: Option<DeviceId>,
}

pub async fn insert_enrolment(
    tx: &mut Tx,
    id: i64,
    code_sha256: &[u8; 32],
    (kind, event_id, lane_id): (DeviceKind, u32, u32),
    by: &str,
    expires_at_ms: i64,
) -> Result<()> {
    tx.execute(
        "INSERT INTO enrolments (id, code_sha256, event_id, lane_id, made_by, expires_at_ms, kind)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        params![id, code_sha256, event_id, lane_id, by, expires_at_ms, kind.as_str()],
    )
    .await?;
    Ok(())
}

pub async fn enrolment(tx: &mut Tx, code_sha256: &[u8; 32]) -> Result<Option<KeptEnrolment>> {
    type Columns = (i64, String, u32, u32, i64, Option<u64>);
    let found: Option<Columns> = tx
        .query_optional(
            "SELECT id, kind, event_id, lane_id, expires_at_ms, device_id FROM enrolments
             WHERE code_sha256 = $1 /*LOCK*/",
            params![code_sha256],
        )
        .await?;
    let kept = |(id, kind, event_id, lane_id, expires_at_ms, device): Columns| {
        let kind = DeviceKind::parse(&kind).ok_or_else(|| shape("an unknown kind of device"))?;
        Ok(KeptEnrolment { id, kind, event_id, lane_id, expires_at_ms, device: device.map(DeviceId) })
    };
    found.map(kept).transpose()
}

pub async fn use_enrolment(tx: &mut Tx, id: i64, device: DeviceId) -> Result<()> {
    tx.execute("UPDATE enrolments SET device_id = $2 WHERE id = $1", params![id, device.0]).await?;
    Ok(())
}

pub async fn insert_device(tx: &mut Tx, device: &Device) -> Result<()> {
    tx.execute(
        "INSERT INTO devices (id, event_id, lane_id, name, version, public_key, state, enrolled_at_ms, last_contact_ms, kind)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        params![
            device.id.0,
            device.event_id,
            device.lane_id,
            &device.name,
            &device.version,
            device.key.to_bytes(),
            device.state.as_str(),
            device.enrolled_at_ms,
            device.last_contact_ms,
            device.kind.as_str()
        ],
    )
    .await?;
    Ok(())
}

const DEVICE: &str = "SELECT id, event_id, lane_id, name, version, public_key, state, enrolled_at_ms, last_contact_ms,
                             list_version, list_sent_at_ms, lease_until_ms, certificate, wiped_at_ms, wipe_sent_at_ms,
                             kind, edge_id
                      FROM devices";

impl FromRow for Device {
    fn from_row(row: Row) -> Result<Self> {
        let (state, kind): (String, String) = (row.get(6)?, row.get(15)?);
        let edge: Option<u64> = row.get(16)?;
        Ok(Device {
            id: DeviceId(row.get(0)?),
            kind: DeviceKind::parse(&kind).ok_or_else(|| shape("an unknown kind of device"))?,
            edge: edge.map(DeviceId),
            event_id: row.get(1)?,
            lane_id: row.get(2)?,
            name: row.get(3)?,
            version: row.get(4)?,
            key: PublicKey::from_bytes(&row.get(5)?).map_err(shape)?,
            state: DeviceState::parse(&state).ok_or_else(|| shape("an unknown state of a device"))?,
            enrolled_at_ms: row.get(7)?,
            last_contact_ms: row.get(8)?,
            list_version: row.get(9)?,
            list_sent_at_ms: row.get(10)?,
            lease_until_ms: row.get(11)?,
            certificate: row.get(12)?,
            wiped_at_ms: row.get(13)?,
            wipe_sent_at_ms: row.get(14)?,
        })
    }
}

pub async fn device(tx: &mut Tx, id: DeviceId) -> Result<Option<Device>> {
    tx.query_optional(&format!("{DEVICE} WHERE id = $1"), params![id.0]).await
}

pub async fn devices(tx: &mut Tx, event_id: u32) -> Result<Vec<Device>> {
    tx.query(&format!("{DEVICE} WHERE event_id = $1 ORDER BY enrolled_at_ms, id"), params![event_id]).await
}

/// The device's state, which stays as it is until the transaction ends.
pub async fn device_state(tx: &mut Tx, id: DeviceId) -> Result<Option<DeviceState>> {
    let found: Option<(String,)> =
        tx.query_optional("SELECT state FROM devices WHERE id = $1 /*LOCK*/", params![id.0]).await?;
    found.map(|(state,)| DeviceState::parse(&state).ok_or_else(|| shape("an unknown state of a device"))).transpose()
}

pub async fn confirm_device(tx: &mut Tx, id: DeviceId) -> Result<()> {
    tx.execute("UPDATE devices SET state = 'confirmed' WHERE id = $1", params![id.0]).await?;
    Ok(())
}

/// The time of the first revocation stays: rows made before it may be released one day.
pub async fn revoke_device(tx: &mut Tx, id: DeviceId, now_ms: i64) -> Result<()> {
    tx.execute(
        "UPDATE devices SET state = 'revoked', revoked_at_ms = COALESCE(revoked_at_ms, $2) WHERE id = $1",
        params![id.0, now_ms],
    )
    .await?;
    Ok(())
}

pub async fn wipe_device(tx: &mut Tx, id: DeviceId, now_ms: i64, wipe: &[u8]) -> Result<()> {
    tx.execute("UPDATE devices SET wiped_at_ms = $2, wipe = $3 WHERE id = $1", params![id.0, now_ms, wipe]).await?;
    Ok(())
}

/// The signed word by which a device is wiped.
pub async fn wipe(tx: &mut Tx, id: DeviceId) -> Result<Option<Vec<u8>>> {
    let found: Option<(Vec<u8>,)> =
        tx.query_optional("SELECT wipe FROM devices WHERE id = $1 AND wipe IS NOT NULL", params![id.0]).await?;
    Ok(found.map(|(wipe,)| wipe))
}

pub async fn note_wipe_sent(tx: &mut Tx, id: DeviceId, now_ms: i64) -> Result<()> {
    tx.execute(
        "UPDATE devices SET wipe_sent_at_ms = COALESCE(wipe_sent_at_ms, $2), last_contact_ms = $2 WHERE id = $1",
        params![id.0, now_ms],
    )
    .await?;
    Ok(())
}

pub async fn set_lease(tx: &mut Tx, id: DeviceId, certificate: &[u8], until_ms: i64) -> Result<()> {
    tx.execute(
        "UPDATE devices SET certificate = $2, lease_until_ms = $3 WHERE id = $1",
        params![id.0, certificate, until_ms],
    )
    .await?;
    Ok(())
}

/// Notes which way a lane's rows come: by this edge, or by itself.
pub async fn note_edge(tx: &mut Tx, id: DeviceId, edge: Option<DeviceId>) -> Result<()> {
    tx.execute("UPDATE devices SET edge_id = $2 WHERE id = $1", params![id.0, edge.map(|edge| edge.0)]).await?;
    Ok(())
}

/// An edge has said that everything its lanes had brought is here.
pub async fn note_settled(tx: &mut Tx, edge: DeviceId, now_ms: i64) -> Result<()> {
    tx.execute("UPDATE devices SET settled_at_ms = $2 WHERE id = $1", params![edge.0, now_ms]).await?;
    Ok(())
}

/// Where lanes reach an edge: its address and the hash of its TLS key.
pub async fn note_address(tx: &mut Tx, edge: DeviceId, server: &str, tls_pin: &[u8; 32]) -> Result<()> {
    tx.execute("UPDATE devices SET server = $2, tls_pin = $3 WHERE id = $1", params![edge.0, server, tls_pin]).await?;
    Ok(())
}

/// What an edge said of its address.
pub async fn edge_address(tx: &mut Tx, edge: DeviceId) -> Result<Option<(String, [u8; 32])>> {
    let sql = "SELECT server, tls_pin FROM devices WHERE id = $1 AND kind = 'edge' AND state = 'confirmed'
                 AND server IS NOT NULL AND tls_pin IS NOT NULL";
    tx.query_optional(sql, params![edge.0]).await
}

/// Edges with lanes that work, which have not said for a while that all is here: since before `since_ms`.
pub async fn silent_edges(tx: &mut Tx, event_id: u32, (since_ms, now_ms): (i64, i64)) -> Result<i64> {
    let (edges,): (i64,) = tx
        .query_one(
            "SELECT COUNT(*) FROM devices WHERE event_id = $1 AND kind = 'edge' AND COALESCE(settled_at_ms, 0) < $2
               AND EXISTS (SELECT 1 FROM devices AS lane WHERE lane.edge_id = devices.id AND lane.state = 'confirmed'
                             AND lane.lease_until_ms > $3)",
            params![event_id, since_ms, now_ms],
        )
        .await?;
    Ok(edges)
}

pub async fn note_contact(tx: &mut Tx, id: DeviceId, now_ms: i64) -> Result<()> {
    tx.execute("UPDATE devices SET last_contact_ms = $2 WHERE id = $1", params![id.0, now_ms]).await?;
    Ok(())
}

pub async fn note_list(tx: &mut Tx, id: DeviceId, version: u64, now_ms: i64) -> Result<()> {
    tx.execute(
        "UPDATE devices SET list_version = $2, list_sent_at_ms = $3, last_contact_ms = $3 WHERE id = $1",
        params![id.0, version, now_ms],
    )
    .await?;
    Ok(())
}

// --- Policies --------------------------------------------------------------------------------------------------------

/// Version, hash of what it says, and signed bytes.
pub type KeptPolicy = (u64, [u8; 32], Vec<u8>);

pub async fn newest_policy(tx: &mut Tx, event_id: u32) -> Result<Option<KeptPolicy>> {
    tx.query_optional(
        "SELECT version, content_sha256, bytes FROM signed_policies WHERE event_id = $1 ORDER BY version DESC LIMIT 1",
        params![event_id],
    )
    .await
}

/// Every version that was signed, in order.
pub async fn policies(tx: &mut Tx, event_id: u32) -> Result<Vec<Vec<u8>>> {
    let rows: Vec<(Vec<u8>,)> =
        tx.query("SELECT bytes FROM signed_policies WHERE event_id = $1 ORDER BY version", params![event_id]).await?;
    Ok(rows.into_iter().map(|(bytes,)| bytes).collect())
}

pub async fn insert_policy(tx: &mut Tx, event_id: u32, version: u64, content: &[u8; 32], bytes: &[u8]) -> Result<()> {
    tx.execute(
        "INSERT INTO signed_policies (event_id, version, content_sha256, bytes) VALUES ($1, $2, $3, $4)",
        params![event_id, version, content, bytes],
    )
    .await?;
    Ok(())
}

pub async fn note_policy(tx: &mut Tx, id: DeviceId, version: u64) -> Result<()> {
    tx.execute("UPDATE devices SET policy_version = $2 WHERE id = $1", params![id.0, version]).await?;
    Ok(())
}

/// Each device of an event with the version of the policy that it was sent last.
pub async fn sent_policies(tx: &mut Tx, event_id: u32) -> Result<Vec<(u64, u64)>> {
    tx.query(
        "SELECT id, policy_version FROM devices WHERE event_id = $1 AND policy_version IS NOT NULL",
        params![event_id],
    )
    .await
}

pub async fn insert_decision(
    tx: &mut Tx,
    event_id: u32,
    decision: &Decision,
    (made_at_ms, until_ms): (i64, i64),
    by: &Actor,
) -> Result<u64> {
    let document = serde_json::to_string(decision).map_err(shape)?;
    let id = tx.next_number("decision").await?.unsigned_abs();
    tx.execute(
        "INSERT INTO decisions (id, event_id, document, made_at_ms, until_ms, made_by, made_by_name)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        params![id, event_id, document, made_at_ms, until_ms, by.reference(), by.name()],
    )
    .await?;
    Ok(id)
}

type DecisionRow = (u64, u32, String, i64, i64, String);

fn kept_decision((id, event_id, document, made_at_ms, until_ms, made_by): DecisionRow) -> Result<Kept> {
    let decision = serde_json::from_str(&document).map_err(shape)?;
    Ok(Kept { id, event_id, decision, made_at_ms, until_ms, made_by })
}

pub async fn decision(tx: &mut Tx, id: u64) -> Result<Option<Kept>> {
    let found: Option<DecisionRow> = tx
        .query_optional(
            "SELECT id, event_id, document, made_at_ms, until_ms, made_by_name FROM decisions WHERE id = $1 /*LOCK*/",
            params![id],
        )
        .await?;
    found.map(kept_decision).transpose()
}

/// The decisions whose time is not over, the oldest first.
pub async fn decisions(tx: &mut Tx, event_id: u32, now_ms: i64) -> Result<Vec<Kept>> {
    let found: Vec<DecisionRow> = tx
        .query(
            "SELECT id, event_id, document, made_at_ms, until_ms, made_by_name FROM decisions
             WHERE event_id = $1 AND until_ms > $2 ORDER BY id",
            params![event_id, now_ms],
        )
        .await?;
    found.into_iter().map(kept_decision).collect()
}

pub async fn note_decision(tx: &mut Tx, id: u64, policy_version: u64) -> Result<()> {
    tx.execute("UPDATE decisions SET policy_version = $2 WHERE id = $1", params![id, policy_version]).await?;
    Ok(())
}

/// The version of the policy that has everything that was decided; `None` when nothing ever was.
pub async fn decided_version(tx: &mut Tx, event_id: u32) -> Result<Option<u64>> {
    let (version,): (Option<u64>,) =
        tx.query_one("SELECT MAX(policy_version) FROM decisions WHERE event_id = $1", params![event_id]).await?;
    Ok(version)
}

pub async fn end_decision(tx: &mut Tx, id: u64, now_ms: i64, by: &str) -> Result<()> {
    tx.execute("UPDATE decisions SET until_ms = $2, ended_by = $3 WHERE id = $1", params![id, now_ms, by]).await?;
    Ok(())
}

// --- Chains and rows -------------------------------------------------------------------------------------------------

pub async fn chain_head(tx: &mut Tx, device: DeviceId, epoch: u64) -> Result<Option<ChainHead>> {
    let found: Option<(u64, [u8; 32])> = tx
        .query_optional(
            "SELECT head_seq, head_hash FROM chains WHERE device_id = $1 AND epoch = $2 /*LOCK*/",
            params![device.0, epoch],
        )
        .await?;
    Ok(found.map(|(seq, hash)| ChainHead { epoch, seq, hash }))
}

pub async fn set_chain_head(tx: &mut Tx, device: DeviceId, head: ChainHead) -> Result<()> {
    tx.execute(
        "INSERT INTO chains (device_id, epoch, head_seq, head_hash) VALUES ($1, $2, $3, $4)
         ON CONFLICT (device_id, epoch) DO UPDATE SET head_seq = $3, head_hash = $4",
        params![device.0, head.epoch, head.seq, head.hash],
    )
    .await?;
    Ok(())
}

/// The stored rows of a chain from `first` to `last`.
pub async fn known_rows(
    tx: &mut Tx,
    device: DeviceId,
    epoch: u64,
    (first, last): (u64, u64),
) -> Result<BTreeMap<u64, KnownRow>> {
    let rows: Vec<(u64, [u8; 32], [u8; 32])> = tx
        .query(
            "SELECT seq, hash, prev FROM scans WHERE device_id = $1 AND epoch = $2 AND seq BETWEEN $3 AND $4",
            params![device.0, epoch, first, last],
        )
        .await?;
    Ok(rows.into_iter().map(|(seq, hash, prev)| (seq, KnownRow { hash, prev })).collect())
}

/// Takes so many places in the event's order of merging, and returns the last of them.
async fn next_merged(tx: &mut Tx, event_id: u32, rows: usize) -> Result<i64> {
    let (last,): (i64,) = tx
        .query_one(
            "INSERT INTO merge_counts (event_id, merged) VALUES ($1, $2)
             ON CONFLICT (event_id) DO UPDATE SET merged = merge_counts.merged + $2 RETURNING merged",
            params![event_id, rows as u64],
        )
        .await?;
    Ok(last)
}

/// Stores rows; `true` beside a row keeps it apart.
pub async fn insert_rows(tx: &mut Tx, rows: &[(CheckedRow, bool)]) -> Result<()> {
    let Some((first, _)) = rows.first() else { return Ok(()) };
    let event = first.body.event.0;
    let last = next_merged(tx, event, rows.len()).await?;
    let before = last - rows.len() as i64;
    let sets: Vec<Vec<Value>> = (before + 1..)
        .zip(rows)
        .map(|(merged, (row, apart))| {
            let body = &row.body;
            params![
                body.device.0,
                body.epoch,
                body.seq,
                event,
                body.lane.0,
                body.at_ms,
                body.uncertainty_ms,
                body.outcome,
                &body.reason,
                body.ticket.map(|ticket| ticket.0),
                *apart,
                row.hash,
                body.prev,
                &row.row.bytes,
                row.row.signature,
                merged,
                body.act,
                guests(body, Direction::In),
                guests(body, Direction::Out)
            ]
            .to_vec()
        })
        .collect();
    tx.execute_each(
        "INSERT INTO scans (device_id, epoch, seq, event_id, lane_id, at_ms, uncertainty_ms, outcome, reason, ticket_id,
                            quarantined, hash, prev, bytes, signature, merged, act, guests_in, guests_out)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
        &sets,
    )
    .await?;
    Ok(())
}

pub async fn insert_incidents(tx: &mut Tx, incidents: &[(DeviceId, u32, Incident, i64)]) -> Result<()> {
    let sets: Vec<Vec<Value>> = incidents
        .iter()
        .map(|(device, event, incident, now_ms)| {
            params![device.0, incident.epoch, incident.seq, incident.kind.code(), *event, *now_ms].to_vec()
        })
        .collect();
    tx.execute_each(
        "INSERT INTO incidents (device_id, epoch, seq, kind, event_id, found_at_ms) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (device_id, epoch, seq, kind) DO NOTHING",
        &sets,
    )
    .await?;
    Ok(())
}

/// The guests who went this way by a row, on a verified ticket.
fn guests(body: &RowBody, way: Direction) -> u8 {
    body.passage().filter(|(_, passage)| passage.direction == way).map_or(0, |(_, passage)| passage.guests)
}

/// Guests who came in by a row, with a ticket or by a supervisor's word alone.
fn guests_in(body: &RowBody) -> i64 {
    let came = body.outcome() == Some(Outcome::Admit) && body.direction == Direction::In.to_byte();
    if came { i64::from(body.guests) } else { 0 }
}

/// Counts rows by which guests may pass into their lanes' minutes: scans, and guests who came in.
pub async fn count_minutes(tx: &mut Tx, rows: &[&CheckedRow]) -> Result<()> {
    type Line<'a> = (u32, u32, i64, u8, &'a str);
    let mut counts: BTreeMap<Line<'_>, (i64, i64)> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.body.act().is_some_and(Act::moves_guests)) {
        let body = &row.body;
        // Saturating, for the time is whatever the device says it is.
        let minute_ms = body.at_ms.div_euclid(MINUTE_MS).saturating_mul(MINUTE_MS);
        let count = counts.entry((body.event.0, body.lane.0, minute_ms, body.outcome, &body.reason)).or_default();
        count.0 += 1;
        count.1 += guests_in(body);
    }
    let sets: Vec<Vec<Value>> = counts
        .into_iter()
        .map(|((event, lane, minute_ms, outcome, reason), (scans, guests))| {
            params![event, lane, minute_ms, outcome, reason, scans, guests].to_vec()
        })
        .collect();
    tx.execute_each(
        "INSERT INTO lane_minutes (event_id, lane_id, minute_ms, outcome, reason, scans, guests)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (event_id, lane_id, minute_ms, outcome, reason)
         DO UPDATE SET scans = lane_minutes.scans + $6, guests = lane_minutes.guests + $7",
        &sets,
    )
    .await?;
    Ok(())
}

/// Notes the tickets of `event_id` among these on which more guests came in by now than the number beside them allows;
/// whether some left in between is for [`gate_core::conflict`] to say.
pub async fn note_repeated(tx: &mut Tx, event_id: u32, admitted: &BTreeMap<u8, BTreeSet<TicketId>>) -> Result<()> {
    let names: Vec<String> = (0..TICKETS_AT_ONCE).map(|at| format!("${}", at + 3)).collect();
    let sql = format!(
        "INSERT INTO repeated_tickets (event_id, ticket_id)
         SELECT event_id, ticket_id FROM scans
         WHERE event_id = $1 AND quarantined = 0 AND ticket_id IN ({})
         GROUP BY event_id, ticket_id HAVING SUM(guests_in) > $2
         ON CONFLICT (event_id, ticket_id) DO NOTHING",
        names.join(", ")
    );
    for (allowed, tickets) in admitted {
        let tickets: Vec<TicketId> = tickets.iter().copied().collect();
        for part in tickets.chunks(TICKETS_AT_ONCE) {
            let Some(first) = part.first() else { continue };
            let mut values = params![event_id, *allowed].to_vec();
            let padded = part.iter().chain(std::iter::repeat(first));
            values.extend(padded.take(TICKETS_AT_ONCE).map(|ticket| Value::from(ticket.0)));
            tx.execute(&sql, &values).await?;
        }
    }
    Ok(())
}

// --- Grants ----------------------------------------------------------------------------------------------------------

type GrantColumns = (u64, u64, u64, u32, u64, u8, u64, i64);
const GRANT: &str = "SELECT device_id, chain, seq, event_id, ticket_id, guests, owner_epoch, until_ms FROM grants";

fn to_grant((device, chain, seq, event, ticket, guests, epoch, until_ms): GrantColumns) -> Grant {
    let (event, ticket) = (EventId(event), TicketId(ticket));
    Grant { event, ticket, device: DeviceId(device), chain, seq, guests, epoch, until_ms }
}

pub async fn keep_grant(tx: &mut Tx, grant: &Grant) -> Result<()> {
    tx.execute(
        "INSERT INTO grants (device_id, chain, seq, event_id, ticket_id, guests, owner_epoch, until_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (device_id, chain, seq) DO NOTHING",
        params![
            grant.device.0,
            grant.chain,
            grant.seq,
            grant.event.0,
            grant.ticket.0,
            grant.guests,
            grant.epoch,
            grant.until_ms
        ],
    )
    .await?;
    Ok(())
}

/// The grants of a ticket whose rows have not come, and the grant of the row that is asked about, if it has one.
pub async fn grants(tx: &mut Tx, ask: &Ask) -> Result<Vec<Grant>> {
    let sql =
        format!("{GRANT} WHERE (event_id = $1 AND ticket_id = $2) OR (device_id = $3 AND chain = $4 AND seq = $5)");
    let values = params![ask.event.0, ask.ticket.0, ask.device.0, ask.chain, ask.seq];
    let rows: Vec<GrantColumns> = tx.query(&sql, values).await?;
    Ok(rows.into_iter().map(to_grant).collect())
}

/// The rows of some grants have come: each was used, and is a passage, or was not, and is void. Most devices wait for none,
/// so what a device waits for is looked up first.
pub async fn settle_grants(tx: &mut Tx, rows: &[&CheckedRow]) -> Result<()> {
    let devices: BTreeSet<DeviceId> = rows.iter().map(|row| row.body.device).collect();
    let mut waiting: BTreeSet<(u64, u64, u64)> = BTreeSet::new();
    for device in devices {
        let sql = "SELECT device_id, chain, seq FROM grants WHERE device_id = $1";
        let own: Vec<(u64, u64, u64)> = tx.query(sql, params![device.0]).await?;
        waiting.extend(own);
    }
    let come = rows.iter().map(|row| (row.body.device.0, row.body.epoch, row.body.seq));
    let sets: Vec<Vec<Value>> = come
        .filter(|row| waiting.contains(row))
        .map(|(device, chain, seq)| params![device, chain, seq].to_vec())
        .collect();
    tx.execute_each("DELETE FROM grants WHERE device_id = $1 AND chain = $2 AND seq = $3", &sets).await?;
    Ok(())
}

/// Every entry and exit on a ticket, quarantined rows left out.
pub async fn passages(tx: &mut Tx, event_id: u32, ticket: TicketId) -> Result<Vec<Passage>> {
    let rows: Vec<(Vec<u8>,)> = tx
        .query(
            "SELECT bytes FROM scans
             WHERE event_id = $1 AND ticket_id = $2 AND guests_in + guests_out > 0 AND quarantined = 0",
            params![event_id, ticket.0],
        )
        .await?;
    let read = |(bytes,): (Vec<u8>,)| Ok(RowBody::from_bytes(&bytes).map_err(shape)?.passage());
    let passages: Vec<_> = rows.into_iter().map(read).collect::<Result<_>>()?;
    Ok(passages.into_iter().flatten().map(|(_, passage)| passage).collect())
}

// --- What the pages and the feed read --------------------------------------------------------------------------------

/// How many rows of the event were merged: the feed's newest cursor.
pub async fn merged(tx: &mut Tx, event_id: u32) -> Result<u64> {
    let found: Option<(u64,)> =
        tx.query_optional("SELECT merged FROM merge_counts WHERE event_id = $1", params![event_id]).await?;
    Ok(found.map_or(0, |(merged,)| merged))
}

/// An entry or exit for the feed: its place, its row, its device's certificate.
pub struct FedPassage {
    pub merged: u64,
    pub row: SignedRow,
    pub certificate: Vec<u8>,
}

/// Entries and exits at other devices after the cursor, in the order of their merging.
pub async fn passages_after(
    tx: &mut Tx,
    event_id: u32,
    cursor: u64,
    except: DeviceId,
    limit: u32,
) -> Result<Vec<FedPassage>> {
    type Columns = (u64, Vec<u8>, [u8; 64], Vec<u8>);
    let rows: Vec<Columns> = tx
        .query(
            "SELECT scans.merged, scans.bytes, scans.signature, devices.certificate
             FROM scans JOIN devices ON devices.id = scans.device_id
             WHERE scans.event_id = $1 AND scans.merged > $2 AND scans.guests_in + scans.guests_out > 0
               AND scans.quarantined = 0 AND scans.device_id <> $3 AND devices.certificate IS NOT NULL
             ORDER BY scans.merged LIMIT $4",
            params![event_id, cursor, except.0, limit],
        )
        .await?;
    let fed = |(merged, bytes, signature, certificate)| FedPassage {
        merged,
        row: SignedRow { bytes, signature },
        certificate,
    };
    Ok(rows.into_iter().map(fed).collect())
}

/// A row's place in the order of merging, its bytes and its signature.
pub type ExportedRow = (u64, Vec<u8>, [u8; 64]);

/// Rows that count after a place in the order of their merging.
pub async fn rows_after(tx: &mut Tx, event_id: u32, merged: u64, limit: u32) -> Result<Vec<ExportedRow>> {
    tx.query(
        "SELECT merged, bytes, signature FROM scans WHERE event_id = $1 AND merged > $2 AND quarantined = 0
         ORDER BY merged LIMIT $3",
        params![event_id, merged, limit],
    )
    .await
}

/// One line of the lanes' minutes: lane, minute, outcome, reason, scans, guests who came in.
pub type MinuteLine = (u32, i64, u8, String, i64, i64);

pub async fn minutes_since(tx: &mut Tx, event_id: u32, since_ms: i64) -> Result<Vec<MinuteLine>> {
    tx.query(
        "SELECT lane_id, minute_ms, outcome, reason, scans, guests FROM lane_minutes WHERE event_id = $1 AND minute_ms >= $2",
        params![event_id, since_ms],
    )
    .await
}

/// Scans of each lane by outcome, over all time, and guests who came in.
pub async fn lane_totals(tx: &mut Tx, event_id: u32) -> Result<Vec<(u32, u8, i64, i64)>> {
    tx.query(
        "SELECT lane_id, outcome, SUM(scans), SUM(guests) FROM lane_minutes WHERE event_id = $1 GROUP BY lane_id, outcome",
        params![event_id],
    )
    .await
}

/// The newest head of each device's chains.
pub async fn head_seqs(tx: &mut Tx, event_id: u32) -> Result<Vec<(u64, i64)>> {
    tx.query(
        "SELECT chains.device_id, MAX(chains.head_seq) FROM chains JOIN devices ON devices.id = chains.device_id
         WHERE devices.event_id = $1 GROUP BY chains.device_id",
        params![event_id],
    )
    .await
}

/// Every row of the tickets on which more guests came in than they allow.
pub async fn repeated_rows(tx: &mut Tx, event_id: u32) -> Result<Vec<RowBody>> {
    let rows: Vec<(Vec<u8>,)> = tx
        .query(
            "SELECT scans.bytes FROM repeated_tickets
             JOIN scans ON scans.event_id = repeated_tickets.event_id AND scans.ticket_id = repeated_tickets.ticket_id
             WHERE repeated_tickets.event_id = $1 AND scans.guests_in + scans.guests_out > 0 AND scans.quarantined = 0",
            params![event_id],
        )
        .await?;
    // What another version wrote is not read here; the page shows the rest.
    Ok(rows.into_iter().filter_map(|(bytes,)| RowBody::from_bytes(&bytes).ok()).collect())
}

/// An incident: device, sequence number, kind, time.
pub type KeptIncident = (u64, u64, String, i64);

pub async fn incidents(tx: &mut Tx, event_id: u32) -> Result<Vec<KeptIncident>> {
    tx.query(
        "SELECT device_id, seq, kind, found_at_ms FROM incidents WHERE event_id = $1 ORDER BY found_at_ms DESC LIMIT 100",
        params![event_id],
    )
    .await
}

// --- Checks ----------------------------------------------------------------------------------------------------------

/// Chains that do not have as many rows up to their head as it says: device, epoch, head, rows.
pub async fn chain_gaps(tx: &mut Tx) -> Result<Vec<(DeviceId, u64, i64, i64)>> {
    let rows: Vec<(u64, u64, i64, i64)> = tx
        .query(
            "SELECT chains.device_id, chains.epoch, chains.head_seq, COUNT(scans.seq)
             FROM chains LEFT JOIN scans ON scans.device_id = chains.device_id AND scans.epoch = chains.epoch
                                        AND scans.seq <= chains.head_seq
             GROUP BY chains.device_id, chains.epoch, chains.head_seq HAVING COUNT(scans.seq) <> chains.head_seq",
            params![],
        )
        .await?;
    Ok(rows.into_iter().map(|(device, epoch, head, rows)| (DeviceId(device), epoch, head, rows)).collect())
}

/// Events whose minutes do not count their scans: event, minutes' sum, scans.
pub async fn minute_gaps(tx: &mut Tx) -> Result<Vec<(u32, i64, i64)>> {
    let said: Vec<(u32, i64)> =
        tx.query("SELECT event_id, SUM(scans) FROM lane_minutes GROUP BY event_id", params![]).await?;
    let counted: Vec<(u32, i64)> = tx
        .query("SELECT event_id, COUNT(*) FROM scans WHERE quarantined = 0 AND act <= 3 GROUP BY event_id", params![])
        .await?;
    let said: BTreeMap<u32, i64> = said.into_iter().collect();
    let gap = |(event, counted): (u32, i64)| {
        let said = said.get(&event).copied().unwrap_or(0);
        (said != counted).then_some((event, said, counted))
    };
    Ok(counted.into_iter().filter_map(gap).collect())
}
