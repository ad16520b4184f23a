//! Who may call: API keys of back ends, accounts and sessions of staff; and who may unlock a handheld at a lane.
//!
//! Owns the tables `api_keys`, `staff`, `staff_sessions`, `sign_in_failures`, `lane_staff` and `lane_staff_versions`. Calls the platform only.
//!
//! Invariants: of an API key and of a session's token only SHA-256 is stored (they are 256 random bits, so a slow hash
//! would protect nothing); a password is stored as argon2id; an API key is shown once, when it is made. A name that does not
//! exist takes a sign-in as long as one that does. Sign-ins that fail are limited per name and address.

pub mod http;
pub mod jobs;
mod lane_staff;
mod model;
mod password;
mod rules;
mod store;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use crate::platform::{Actor, Platform, Random, Scope, StaffRole, StoreError, Tx};
pub use lane_staff::{
    LaneStaff, LaneStaffChange, Roster, lane_staff, pin_verifier, put_lane_staff, remove_lane_staff, roster,
    roster_version,
};
pub use model::{AccountsError, SESSION_LIFE_MS, Session};

/// What an API key begins with, so that a leaked one is recognised.
pub const API_KEY_PREFIX: &str = "tsk_";

/// Password hashes computed at once; each takes a core and 19 MiB for some tens of milliseconds.
const HASHES_AT_ONCE: usize = 2;

/// The context's working parts. Cheap to clone.
#[derive(Clone)]
pub struct Accounts {
    platform: Platform,
    hashing: Arc<Semaphore>,
}

impl Accounts {
    #[must_use]
    pub fn new(platform: Platform) -> Self {
        Self { platform, hashing: Arc::new(Semaphore::new(HASHES_AT_ONCE)) }
    }

    /// The actor that holds this API key, if the key is good.
    ///
    /// # Errors
    /// The store's.
    pub async fn actor_of_api_key(&self, secret: &str) -> Result<Option<Actor>, StoreError> {
        if !secret.starts_with(API_KEY_PREFIX) {
            return Ok(None);
        }
        let mut tx = self.platform.store.read().await?;
        store::api_key(&mut tx, &sha256(secret)).await
    }

    /// The member of staff whose session this token opens, if it has not expired.
    ///
    /// # Errors
    /// The store's.
    pub async fn actor_of_session(&self, token: &str) -> Result<Option<Actor>, StoreError> {
        let mut tx = self.platform.store.read().await?;
        store::session(&mut tx, &sha256(token), self.platform.clock.now_ms()).await
    }

    /// Checks name and password and opens a session. `address`: where the request came from, for the rate limit.
    ///
    /// # Errors
    /// [`AccountsError::SignInFailed`], [`AccountsError::TooManyFailures`], [`AccountsError::Hashing`], the store's.
    pub async fn sign_in(&self, name: &str, password: &str, address: Option<IpAddr>) -> Result<Session, AccountsError> {
        let platform = &self.platform;
        let now_ms = platform.clock.now_ms();
        let buckets = rules::failure_buckets(name, address);
        let mut tx = platform.store.read().await?;
        for bucket in &buckets {
            let (failures, oldest_ms) =
                store::failures_since(&mut tx, &bucket.key, now_ms - rules::FAILURE_WINDOW_MS).await?;
            if let Some(retry_after_ms) = rules::must_wait_ms(failures, bucket.allowed, oldest_ms, now_ms) {
                return Err(AccountsError::TooManyFailures { retry_after_ms });
            }
        }
        let account = store::staff_by_name(&mut tx, name).await?;
        drop(tx);
        let stored = account.as_ref().map(|account| account.password_hash.clone());
        let fits = self.check_password(password.to_owned(), stored).await?;
        let mut tx = platform.store.write().await?;
        let Some(account) = account.filter(|_| fits) else {
            for bucket in &buckets {
                store::note_failure(&mut tx, &bucket.key, now_ms).await?;
            }
            tx.commit().await?;
            return Err(AccountsError::SignInFailed);
        };
        let session = Session {
            token: platform.random.token(""),
            name: account.name,
            role: account.role,
            expires_at_ms: now_ms + SESSION_LIFE_MS,
        };
        store::insert_session(&mut tx, &sha256(&session.token), account.id, now_ms, session.expires_at_ms).await?;
        tx.commit().await?;
        Ok(session)
    }

    /// Ends the session that this token opens; one that is over already stays so.
    ///
    /// # Errors
    /// The store's.
    pub async fn sign_out(&self, token: &str) -> Result<(), StoreError> {
        let mut tx = self.platform.store.write().await?;
        store::delete_session(&mut tx, &sha256(token)).await?;
        tx.commit().await
    }

    async fn check_password(&self, password: String, stored: Option<String>) -> Result<bool, AccountsError> {
        let Ok(_permit) = self.hashing.acquire().await else { return Err(AccountsError::Hashing) };
        let random = self.platform.random.clone();
        tokio::task::spawn_blocking(move || password::fits(&password, stored.as_deref(), &random))
            .await
            .map_err(|_| AccountsError::Hashing)?
    }
}

/// Makes an API key and returns its secret, which is not stored and can't be shown again.
///
/// # Errors
/// [`AccountsError::NameTaken`], [`AccountsError::Name`], [`AccountsError::NoScope`], the store's.
pub async fn create_api_key(
    tx: &mut Tx,
    random: &Random,
    name: &str,
    scopes: &[Scope],
    now_ms: i64,
) -> Result<String, AccountsError> {
    rules::check_name(name)?;
    if scopes.is_empty() {
        return Err(AccountsError::NoScope);
    }
    let secret = random.token(API_KEY_PREFIX);
    store::insert_api_key(tx, name, &sha256(&secret), scopes, now_ms).await?;
    Ok(secret)
}

/// Makes a supervisor's account, or gives an existing one a new password and ends its sessions. Whether it is new.
///
/// # Errors
/// [`AccountsError::Name`], [`AccountsError::Password`], the store's.
pub async fn set_supervisor(
    tx: &mut Tx,
    random: &Random,
    name: &str,
    password: &str,
    now_ms: i64,
) -> Result<bool, AccountsError> {
    rules::check_name(name)?;
    rules::check_password(name, password)?;
    let hash = password::hash(password, random)?;
    Ok(store::upsert_staff(tx, name, StaffRole::Supervisor, &hash, now_ms).await?)
}

fn sha256(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}
