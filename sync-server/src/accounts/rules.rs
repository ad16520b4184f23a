//! The rules of accounts. Pure.

use std::net::IpAddr;

use super::AccountsError;

/// The time over which failed sign-ins are counted.
pub const FAILURE_WINDOW_MS: i64 = 15 * 60 * 1_000;

/// A counter of failed sign-ins.
#[derive(Debug, PartialEq, Eq)]
pub struct Bucket {
    pub key: String,
    /// Failures allowed within the window.
    pub allowed: i64,
}

/// The counters that a sign-in from `address` as `name` falls under. One person at one place gets few tries; the wider
/// counters are laxer, so that nobody can lock a supervisor out from elsewhere with a handful of tries.
pub fn failure_buckets(name: &str, address: Option<IpAddr>) -> Vec<Bucket> {
    // A name of any length arrives here; the key of its counter must stay short.
    let name: String = name.chars().take(64).collect::<String>().to_lowercase();
    let address = address.map_or_else(|| "unknown".to_owned(), subnet);
    vec![
        Bucket { key: format!("both:{address}:{name}"), allowed: 8 },
        Bucket { key: format!("address:{address}"), allowed: 60 },
        Bucket { key: format!("name:{name}"), allowed: 200 },
    ]
}

/// One subscriber of IPv6 has a whole /64 to come from.
fn subnet(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

/// How long to wait when a counter is full: until its oldest failure leaves the window.
pub fn must_wait_ms(failures: i64, allowed: i64, oldest_ms: i64, now_ms: i64) -> Option<i64> {
    (failures >= allowed).then(|| (oldest_ms + FAILURE_WINDOW_MS - now_ms).clamp(1_000, FAILURE_WINDOW_MS))
}

pub fn check_name(name: &str) -> Result<(), AccountsError> {
    let sound = (1..=64).contains(&name.chars().count()) && name.trim() == name && !name.chars().any(char::is_control);
    if sound { Ok(()) } else { Err(AccountsError::Name) }
}

pub fn check_password(name: &str, password: &str) -> Result<(), AccountsError> {
    let length = password.chars().count();
    if length < 10 {
        return Err(AccountsError::Password("is too short: take at least 10 characters"));
    }
    if length > 256 {
        return Err(AccountsError::Password("is too long: take at most 256 characters"));
    }
    if password.to_lowercase() == name.to_lowercase() {
        return Err(AccountsError::Password("is the name: choose another"));
    }
    Ok(())
}
