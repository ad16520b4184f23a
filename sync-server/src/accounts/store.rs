//! The SQL of accounts.

use super::AccountsError;
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
