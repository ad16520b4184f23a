//! Staff at the lanes of an event: number, name, role and the verifier of a PIN, for the handhelds.
//!
//! Invariants: a PIN is never stored, nor anything that is quicker to try than its verifier (an idempotency key would keep a
//! plain hash of the request, so these calls are idempotent by themselves); each change raises the event's version, above
//! what a server had given that was restored from an older copy.

use gate_core::staff::{Member, Pin, PinVerifier, Role, SealedStaff};

use super::{AccountsError, rules, store};
use crate::platform::{Actor, Random, StoreError, Tx};

/// A member of staff as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneStaff {
    pub number: u16,
    pub name: String,
    pub role: Role,
    pub verifier: PinVerifier,
    pub changed_at_ms: i64,
}

/// What is to be said of a member of staff from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneStaffChange {
    pub number: u16,
    pub name: String,
    pub role: Role,
    /// `None`: the PIN stays.
    pub verifier: Option<PinVerifier>,
}

/// The event's staff as handhelds get them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roster {
    pub version: u64,
    pub members: Vec<Member>,
}

/// The event's staff, by number.
///
/// # Errors
/// The store's.
pub async fn lane_staff(tx: &mut Tx, event_id: u32) -> Result<Vec<LaneStaff>, StoreError> {
    store::lane_staff(tx, event_id).await
}

/// The event's staff and their version; `None` where the event never had any.
///
/// # Errors
/// The store's.
pub async fn roster(tx: &mut Tx, event_id: u32) -> Result<Option<Roster>, StoreError> {
    let Some(version) = store::lane_staff_version(tx, event_id).await? else { return Ok(None) };
    let member = |one: LaneStaff| Member { number: one.number, role: one.role, verifier: one.verifier };
    let members = store::lane_staff(tx, event_id).await?.into_iter().map(member).collect();
    Ok(Some(Roster { version, members }))
}

/// The version of the event's staff; `None` where the event never had any.
///
/// # Errors
/// The store's.
pub async fn roster_version(tx: &mut Tx, event_id: u32) -> Result<Option<u64>, StoreError> {
    store::lane_staff_version(tx, event_id).await
}

/// Makes the verifier of a new PIN, off the runtime's threads.
///
/// # Errors
/// [`AccountsError::Pin`], [`AccountsError::Hashing`].
pub async fn pin_verifier(random: &Random, pin: &str) -> Result<PinVerifier, AccountsError> {
    let pin = Pin::choose(pin)?;
    let salt = random.bytes::<16>();
    let made = tokio::task::spawn_blocking(move || PinVerifier::new(&pin, salt)).await;
    made.map_err(|_| AccountsError::Hashing)?.map_err(|_| AccountsError::Hashing)
}

/// Adds a member of staff, or changes one; whether it is new. The same again changes nothing that matters.
///
/// # Errors
/// [`AccountsError::Name`], [`AccountsError::StaffNumber`], [`AccountsError::PinMissing`], [`AccountsError::StaffFull`], the
/// store's.
pub async fn put_lane_staff(
    tx: &mut Tx,
    event_id: u32,
    change: LaneStaffChange,
    now_ms: i64,
    by: &Actor,
) -> Result<(LaneStaff, bool), AccountsError> {
    rules::check_name(&change.name)?;
    if change.number == 0 {
        return Err(AccountsError::StaffNumber);
    }
    let there = store::lane_staff(tx, event_id).await?;
    let known = there.iter().find(|known| known.number == change.number);
    if known.is_none() && there.len() >= SealedStaff::MAX_MEMBERS {
        return Err(AccountsError::StaffFull);
    }
    let verifier = change.verifier.or_else(|| known.map(|known| known.verifier.clone()));
    let member = LaneStaff {
        number: change.number,
        name: change.name,
        role: change.role,
        verifier: verifier.ok_or(AccountsError::PinMissing)?,
        changed_at_ms: now_ms,
    };
    store::put_lane_staff(tx, event_id, &member, &by.reference()).await?;
    store::raise_lane_staff_version(tx, event_id, now_ms).await?;
    Ok((member, known.is_none()))
}

/// Takes a member of staff away; whether there was one.
///
/// # Errors
/// The store's.
pub async fn remove_lane_staff(tx: &mut Tx, event_id: u32, number: u16, now_ms: i64) -> Result<bool, StoreError> {
    let removed = store::delete_lane_staff(tx, event_id, number).await?;
    if removed {
        store::raise_lane_staff_version(tx, event_id, now_ms).await?;
    }
    Ok(removed)
}
