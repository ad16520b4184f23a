//! Housekeeping of accounts. Idempotent.

use super::{rules, store};
use crate::platform::Tx;
use crate::platform::store::Result;

/// Deletes sessions that have expired and failures that no longer count; how many rows.
///
/// # Errors
/// The store's.
pub async fn delete_expired(tx: &mut Tx, now_ms: i64) -> Result<u64> {
    store::delete_expired(tx, now_ms, now_ms - rules::FAILURE_WINDOW_MS).await
}
