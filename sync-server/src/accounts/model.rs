//! Types of accounts.

use crate::platform::{StaffRole, StoreError};

/// How long a supervisor stays signed in: a long event day.
pub const SESSION_LIFE_MS: i64 = 12 * 3_600 * 1_000;

/// An account of staff as stored.
#[derive(Debug, Clone)]
pub(super) struct StaffAccount {
    pub id: i64,
    pub name: String,
    pub role: StaffRole,
    pub password_hash: String,
}

/// A session just opened. `token` goes into the cookie and nowhere else.
pub struct Session {
    pub token: String,
    pub name: String,
    pub role: StaffRole,
    pub expires_at_ms: i64,
}

/// What can go wrong with accounts.
#[derive(Debug, thiserror::Error)]
pub enum AccountsError {
    #[error(
        "Name or password is wrong. A forgotten password is replaced by the operator with `sync-server account supervisor`."
    )]
    SignInFailed,
    #[error("Too many failed sign-ins. Wait {} minutes, then try again.", (retry_after_ms + 59_999) / 60_000)]
    TooManyFailures { retry_after_ms: i64 },
    #[error("the name must have 1 to 64 characters, no control characters, and no space at its ends")]
    Name,
    #[error("another one has the name {name:?}: choose a different name")]
    NameTaken { name: String },
    #[error("the password {0}")]
    Password(&'static str),
    #[error("an API key needs at least one scope")]
    NoScope,
    #[error("the staff number is from 1 to 65535")]
    StaffNumber,
    #[error("a new member of staff needs a PIN")]
    PinMissing,
    #[error("{0}")]
    Pin(#[from] gate_core::staff::PinError),
    #[error("an event has at most 500 members of staff: take one away first")]
    StaffFull,
    #[error("passwords cannot be hashed on this machine just now: try again")]
    Hashing,
    #[error(transparent)]
    Store(#[from] StoreError),
}
