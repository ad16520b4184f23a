//! The SQL of accounts.

use gate_core::staff::{PinVerifier, Role};

use super::AccountsError;
use super::lane_staff::LaneStaff;
use super::model::StaffAccount;
use crate::platform::store::{Result, params};
use crate::platform::{Actor, Scope, StaffRole, StoreError, Tx};

pub async fn insert_api_key(
    tx: &mut Tx,
    name: &str,
    secret_sha256: &[u8; 32],
    scopes: &[Scope],
    now_ms: i64,
) -> Result<(), AccountsError> {
    let id = tx.next_number("api_key").await?;
    let scopes: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
    tx.execute(
        "INSERT INTO api_keys (id, name, secret_sha256, scopes, created_at_ms) VALUES ($1, $2, $3, $4, $5)",
        params![id, name, secret_sha256, scopes.join(" "), now_ms],
    )
    .await
    .map_err(|error| match error {
        error if error.is_unique("api_keys.name") => AccountsError::NameTaken { name: name.into() },
        error => error.into(),
    })?;
    Ok(())
}

pub async fn api_key(tx: &mut Tx, secret_sha256: &[u8; 32]) -> Result<Option<Actor>> {
    let found: Option<(i64, String, String)> = tx
        .query_optional(
            "SELECT id, name, scopes FROM api_keys WHERE secret_sha256 = $1 AND revoked_at_ms IS NULL",
            params![secret_sha256],
        )
        .await?;
    Ok(found.map(|(id, name, scopes)| Actor::ApiKey {
        id,
        name,
        scopes: scopes.split(' ').filter_map(Scope::parse).collect(),
    }))
}

pub async fn staff_by_name(tx: &mut Tx, name: &str) -> Result<Option<StaffAccount>> {
    let found: Option<(i64, String, String, String)> = tx
        .query_optional(
            "SELECT id, name, role, password_hash FROM staff WHERE name = $1 AND disabled_at_ms IS NULL",
            params![name],
        )
        .await?;
    found
        .map(|(id, name, role, password_hash)| Ok(StaffAccount { id, name, role: parse_role(&role)?, password_hash }))
        .transpose()
}

fn parse_role(role: &str) -> Result<StaffRole> {
    StaffRole::parse(role).ok_or_else(|| StoreError::Shape { detail: format!("an unknown role of staff: {role}") })
}

/// Whether the account is new. An old one loses its sessions with its old password.
pub async fn upsert_staff(tx: &mut Tx, name: &str, role: StaffRole, password_hash: &str, now_ms: i64) -> Result<bool> {
    let existing: Option<(i64,)> =
        tx.query_optional("SELECT id FROM staff WHERE name = $1 /*LOCK*/", params![name]).await?;
    if let Some((id,)) = existing {
        tx.execute(
            "UPDATE staff SET password_hash = $2, role = $3, disabled_at_ms = NULL WHERE id = $1",
            params![id, password_hash, role.as_str()],
        )
        .await?;
        tx.execute("DELETE FROM staff_sessions WHERE staff_id = $1", params![id]).await?;
        return Ok(false);
    }
    let id = tx.next_number("staff").await?;
    tx.execute(
        "INSERT INTO staff (id, name, role, password_hash, created_at_ms) VALUES ($1, $2, $3, $4, $5)",
        params![id, name, role.as_str(), password_hash, now_ms],
    )
    .await?;
    Ok(true)
}

pub async fn insert_session(
    tx: &mut Tx,
    token_sha256: &[u8; 32],
    staff_id: i64,
    now_ms: i64,
    expires_at_ms: i64,
) -> Result<()> {
    tx.execute(
        "INSERT INTO staff_sessions (token_sha256, staff_id, created_at_ms, expires_at_ms) VALUES ($1, $2, $3, $4)",
        params![token_sha256, staff_id, now_ms, expires_at_ms],
    )
    .await?;
    Ok(())
}

pub async fn session(tx: &mut Tx, token_sha256: &[u8; 32], now_ms: i64) -> Result<Option<Actor>> {
    let found: Option<(i64, String, String)> = tx
        .query_optional(
            "SELECT staff.id, staff.name, staff.role FROM staff_sessions JOIN staff ON staff.id = staff_sessions.staff_id
             WHERE staff_sessions.token_sha256 = $1 AND staff_sessions.expires_at_ms > $2 AND staff.disabled_at_ms IS NULL",
            params![token_sha256, now_ms],
        )
        .await?;
    found.map(|(id, name, role)| Ok(Actor::Staff { id, name, role: parse_role(&role)? })).transpose()
}

pub async fn delete_session(tx: &mut Tx, token_sha256: &[u8; 32]) -> Result<()> {
    tx.execute("DELETE FROM staff_sessions WHERE token_sha256 = $1", params![token_sha256]).await?;
    Ok(())
}

/// How many failures the counter holds since then, and when the oldest of them was.
pub async fn failures_since(tx: &mut Tx, bucket: &str, since_ms: i64) -> Result<(i64, i64)> {
    tx.query_one(
        "SELECT COUNT(*), COALESCE(MIN(at_ms), 0) FROM sign_in_failures WHERE bucket = $1 AND at_ms > $2",
        params![bucket, since_ms],
    )
    .await
}

pub async fn note_failure(tx: &mut Tx, bucket: &str, now_ms: i64) -> Result<()> {
    let id = tx.next_number("sign_in_failure").await?;
    tx.execute("INSERT INTO sign_in_failures (id, bucket, at_ms) VALUES ($1, $2, $3)", params![id, bucket, now_ms])
        .await?;
    Ok(())
}

pub async fn delete_expired(tx: &mut Tx, now_ms: i64, failures_before_ms: i64) -> Result<u64> {
    let sessions = tx.execute("DELETE FROM staff_sessions WHERE expires_at_ms <= $1", params![now_ms]).await?;
    let failures = tx.execute("DELETE FROM sign_in_failures WHERE at_ms <= $1", params![failures_before_ms]).await?;
    Ok(sessions + failures)
}

pub async fn lane_staff(tx: &mut Tx, event_id: u32) -> Result<Vec<LaneStaff>> {
    let found: Vec<(u16, String, String, Vec<u8>, i64)> = tx
        .query(
            "SELECT number, name, role, pin_verifier, changed_at_ms FROM lane_staff WHERE event_id = $1 ORDER BY number",
            params![event_id],
        )
        .await?;
    let shape = |detail: String| StoreError::Shape { detail };
    let member = |(number, name, role, verifier, changed_at_ms): (u16, String, String, Vec<u8>, i64)| {
        Ok(LaneStaff {
            number,
            name,
            role: lane_role(&role).ok_or_else(|| shape(format!("an unknown role at a lane: {role}")))?,
            verifier: gate_core::wire::from_cbor(&verifier)
                .map_err(|error| shape(format!("a PIN verifier: {error}")))?,
            changed_at_ms,
        })
    };
    found.into_iter().map(member).collect()
}

fn lane_role(role: &str) -> Option<Role> {
    [Role::Steward, Role::Supervisor].into_iter().find(|known| lane_role_name(*known) == role)
}

fn lane_role_name(role: Role) -> &'static str {
    match role {
        Role::Steward => "steward",
        Role::Supervisor => "supervisor",
    }
}

fn verifier_bytes(verifier: &PinVerifier) -> Result<Vec<u8>> {
    gate_core::wire::to_cbor(verifier).map_err(|error| StoreError::Shape { detail: error.to_string() })
}

pub async fn put_lane_staff(tx: &mut Tx, event_id: u32, member: &LaneStaff, by: &str) -> Result<()> {
    tx.execute(
        "INSERT INTO lane_staff (event_id, number, name, role, pin_verifier, changed_at_ms, changed_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (event_id, number) DO UPDATE SET name = excluded.name, role = excluded.role,
             pin_verifier = excluded.pin_verifier, changed_at_ms = excluded.changed_at_ms, changed_by = excluded.changed_by",
        params![
            event_id,
            member.number,
            &member.name,
            lane_role_name(member.role),
            verifier_bytes(&member.verifier)?,
            member.changed_at_ms,
            by
        ],
    )
    .await?;
    Ok(())
}

pub async fn delete_lane_staff(tx: &mut Tx, event_id: u32, number: u16) -> Result<bool> {
    let deleted =
        tx.execute("DELETE FROM lane_staff WHERE event_id = $1 AND number = $2", params![event_id, number]).await?;
    Ok(deleted == 1)
}

pub async fn lane_staff_version(tx: &mut Tx, event_id: u32) -> Result<Option<u64>> {
    let found: Option<(u64,)> =
        tx.query_optional("SELECT version FROM lane_staff_versions WHERE event_id = $1", params![event_id]).await?;
    Ok(found.map(|(version,)| version))
}

/// At least the time in seconds: a server that was restored from an older copy gives no version twice.
pub async fn raise_lane_staff_version(tx: &mut Tx, event_id: u32, now_ms: i64) -> Result<()> {
    let known: Option<(i64,)> = tx
        .query_optional("SELECT version FROM lane_staff_versions WHERE event_id = $1 /*LOCK*/", params![event_id])
        .await?;
    let version = known.map_or(1, |(known,)| known + 1).max(now_ms.div_euclid(1_000));
    tx.execute(
        "INSERT INTO lane_staff_versions (event_id, version) VALUES ($1, $2)
         ON CONFLICT (event_id) DO UPDATE SET version = excluded.version",
        params![event_id, version],
    )
    .await?;
    Ok(())
}
