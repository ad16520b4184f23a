//! A venue's edge: to its lanes it is the server, to the upstream it is one more gate that brings its lanes' rows.
//!
//! While the internet is down the lanes still share their admissions through it, and its page still shows their work. It can
//! forge neither ticket nor scan: it has no key that issues, lists, receipts or certifies devices ([`forbidden`]), and rows,
//! lists and policies pass through as they were signed. It can withhold and delay, so what is old is shown as old.
//!
//! Owns the tables `edge_places`, `edge_chains`, `edge_bundles`, `edge_manifests` and `edge_chunks`; lanes, devices and rows
//! are in the tables that the upstream's own contexts have, as it told them or as lanes brought them.
//!
//! Invariants:
//! - A lane hears a receipt that the upstream signed, and none but that.
//! - A row that a lane brought is durable here before the lane is answered, and is offered upstream until its receipt is here.
//! - The lanes are told that all others are heard only while the upstream says so, or every lane of the event is here.

mod error;
mod forward;
mod http;
mod keep;
mod listen;
mod lists;
mod places;
mod store;
mod trust;
mod upstream;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use gate_core::wire::from_cbor;
use gate_core::wire::v1::{Receipt, SignedTime, StationBundle};
use ticket_signer::{DeviceId, Role, SecretKey, TrustStore};
use tokio::sync::{Notify, watch};

use super::Gate;
use crate::platform::keys::KeyRing;
use crate::platform::{Platform, Store, Tx};
pub use error::EdgeError;
pub use places::{Enrolled, enrol};
pub use upstream::UpstreamError;

/// Without the upstream's word for this long, it is not heard; milliseconds.
const HEARD_MS: i64 = 20_000;

/// The roles whose keys must not be on an edge.
#[must_use]
pub fn forbidden(keys: &KeyRing) -> Vec<Role> {
    let allowed = [Role::Time, Role::Policy];
    Role::ALL.into_iter().filter(|role| !allowed.contains(role) && keys.key(*role).is_some()).collect()
}

/// What an edge knows of its upstream, shared by its tasks and the streams of its lanes.
#[derive(Default)]
pub struct Standing {
    /// How far the upstream's clock is ahead of this machine's, in milliseconds; none before they were compared.
    offset_ms: Mutex<Option<i64>>,
    /// When the upstream last answered.
    reached_ms: AtomicI64,
    /// The time that the upstream signed last, by event, and how many bundles came.
    bundles: Mutex<HashMap<u32, (SignedTime, u64)>>,
    /// When the upstream last said that it hears all, by event.
    heard: Mutex<HashMap<u32, i64>>,
    trust: Mutex<HashMap<u32, TrustStore>>,
    /// The version of the lanes' staff that the upstream told of last, by event.
    staff: Mutex<HashMap<u32, u64>>,
    /// Counts receipts that came.
    receipts: watch::Sender<u64>,
}

impl Standing {
    fn set_offset(&self, offset_ms: i64) {
        *self.offset_ms.lock().unwrap_or_else(PoisonError::into_inner) = Some(offset_ms);
    }

    pub(super) fn offset_ms(&self) -> Option<i64> {
        *self.offset_ms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_reached(&self, now_ms: i64) {
        self.reached_ms.store(now_ms, Ordering::Relaxed);
    }

    /// The upstream answered a moment ago: it is worth asking while a lane waits.
    fn is_reached(&self, now_ms: i64) -> bool {
        (0..HEARD_MS).contains(&(now_ms - self.reached_ms.load(Ordering::Relaxed)))
    }

    fn note_bundle(&self, event_id: u32, time: SignedTime) {
        let mut bundles = self.bundles.lock().unwrap_or_else(PoisonError::into_inner);
        let count = bundles.get(&event_id).map_or(0, |(_, count)| count + 1);
        bundles.insert(event_id, (time, count));
    }

    /// How many bundles came since this edge was started.
    fn bundles(&self, event_id: u32) -> u64 {
        self.bundles.lock().unwrap_or_else(PoisonError::into_inner).get(&event_id).map_or(0, |(_, count)| *count)
    }

    /// The last time that the upstream signed: what is told while this edge's own is not to be believed.
    pub(super) fn last_time(&self, event_id: u32) -> Option<SignedTime> {
        let bundles = self.bundles.lock().unwrap_or_else(PoisonError::into_inner);
        bundles.get(&event_id).map(|(time, _)| time.clone())
    }

    fn forget_heard(&self, event_id: u32) {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).remove(&event_id);
    }

    fn note_heard(&self, event_id: u32, now_ms: i64) {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).insert(event_id, now_ms);
    }

    /// When the upstream said last that it hears all.
    pub(super) fn heard_at_ms(&self, event_id: u32) -> Option<i64> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).get(&event_id).copied()
    }

    pub(super) fn is_heard(&self, event_id: u32, now_ms: i64) -> bool {
        self.heard_at_ms(event_id).is_some_and(|at| (0..HEARD_MS).contains(&(now_ms - at)))
    }

    fn note_staff(&self, event_id: u32, version: u64) {
        self.staff.lock().unwrap_or_else(PoisonError::into_inner).insert(event_id, version);
    }

    pub(super) fn staff_version(&self, event_id: u32) -> Option<u64> {
        self.staff.lock().unwrap_or_else(PoisonError::into_inner).get(&event_id).copied()
    }

    pub(super) fn trust(&self, event_id: u32) -> Option<TrustStore> {
        self.trust.lock().unwrap_or_else(PoisonError::into_inner).get(&event_id).cloned()
    }

    fn set_trust(&self, event_id: u32, trust: TrustStore) {
        self.trust.lock().unwrap_or_else(PoisonError::into_inner).insert(event_id, trust);
    }
}

/// Whether all others are heard: the upstream said so (`heard`, from before the rows were read), or there are no others. A
/// handheld that was enrolled elsewhere since the upstream fell silent is not known here.
pub(super) async fn all_heard(
    standing: &Standing,
    tx: &mut Tx,
    event_id: u32,
    heard: bool,
) -> crate::platform::store::Result<bool> {
    if standing.offset_ms().is_none() {
        return Ok(false);
    }
    Ok(heard || store::lanes_elsewhere(tx, event_id).await? == 0)
}

/// The newest list that the upstream gave: version and tickets.
pub(super) async fn list_state(tx: &mut Tx, event_id: u32) -> crate::platform::store::Result<(u64, u64)> {
    Ok(store::newest_list(tx, event_id).await?.unwrap_or_default())
}

/// The upstream's last receipt of each of a device's chains: epoch, up to which row, receipt.
pub(super) async fn receipts(
    tx: &mut Tx,
    device: DeviceId,
) -> crate::platform::store::Result<Vec<(u64, u64, Receipt)>> {
    let kept = store::receipts(tx, device).await?;
    Ok(kept.into_iter().map(|(epoch, seq, bytes)| (epoch, seq, Receipt(bytes.into()))).collect())
}

/// Rows that lanes brought and that the upstream has not signed for.
pub(super) async fn waiting_rows(tx: &mut Tx, event_id: u32) -> crate::platform::store::Result<u64> {
    store::waiting_rows(tx, event_id).await
}

/// One event's place at the upstream, with its tasks' bells.
struct Place {
    event_id: u32,
    device: DeviceId,
    root_fingerprint: [u8; 32],
    upstream: upstream::Upstream,
    /// Something is wanted before its time.
    wants: Wants,
    /// There is something to do.
    wake: Notify,
    /// The upstream was heard after a silence.
    back: Notify,
    /// When it was last asked about a device that is not known here.
    asked_ms: AtomicI64,
}

#[derive(Default)]
struct Wants {
    bundle: AtomicBool,
    list: AtomicBool,
    report: AtomicBool,
}

impl Place {
    fn want(&self, what: impl Fn(&Wants) -> &AtomicBool) {
        what(&self.wants).store(true, Ordering::SeqCst);
        self.wake.notify_one();
    }

    /// Whether the upstream may be asked about a device that is not known here: not more often than every five seconds.
    fn may_ask(&self, now_ms: i64) -> bool {
        const EVERY_MS: i64 = 5_000;
        let before = self.asked_ms.load(Ordering::Relaxed);
        let may = !(0..EVERY_MS).contains(&(now_ms - before));
        may && self.asked_ms.compare_exchange(before, now_ms, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Whether it was wanted since this was asked last.
    fn is_wanted(&self, what: impl Fn(&Wants) -> &AtomicBool) -> bool {
        what(&self.wants).swap(false, Ordering::SeqCst)
    }
}

/// A running edge.
#[derive(Clone)]
pub struct Edge {
    gate: Gate,
    standing: Arc<Standing>,
    places: Arc<BTreeMap<u32, Arc<Place>>>,
}

impl Edge {
    /// Takes up the places that this edge is enrolled at. `base` is the upstream's address, in place of the one on the
    /// enrolment codes.
    ///
    /// # Errors
    /// [`EdgeError`], which says what to do.
    pub async fn open(platform: Platform, keys: Arc<KeyRing>, key: SecretKey, base: &str) -> Result<Self, EdgeError> {
        let held = forbidden(&keys);
        if let Some(role) = held.first() {
            return Err(EdgeError::ForbiddenKey { role: role.name() });
        }
        let key = Arc::new(key);
        let kept = {
            let mut tx = platform.store.read().await?;
            store::places(&mut tx).await?
        };
        if kept.is_empty() {
            return Err(EdgeError::NotEnrolled);
        }
        let now_s = platform.clock.now_ms().div_euclid(1_000);
        let standing = Arc::new(Standing::default());
        let mut places = BTreeMap::new();
        for place in kept {
            let event_id = place.event_id;
            if !keys.may_sign(Role::Time, ticket_signer::EventId(event_id), now_s) {
                return Err(EdgeError::NoTimeKey { event_id });
            }
            standing.set_trust(event_id, trust::kept(&place)?);
            let bundle: StationBundle = from_cbor(&place.bundle)?;
            standing.note_bundle(event_id, bundle.time);
            let upstream =
                upstream::Upstream::new(base, place.tls_pin, Some((place.device, Arc::clone(&key))), &platform.clock)?;
            let (device, root_fingerprint) = (place.device, place.root_fingerprint);
            let (wants, wake, back) = (Wants::default(), Notify::new(), Notify::new());
            let place =
                Place { event_id, device, root_fingerprint, upstream, wants, wake, back, asked_ms: AtomicI64::new(0) };
            places.insert(event_id, Arc::new(place));
        }
        let gate = Gate::at_edge(platform, keys, Arc::clone(&standing));
        Ok(Self { gate, standing, places: Arc::new(places) })
    }

    /// Starts the tasks that keep in step with the upstream; they end with the server.
    pub fn start(&self) {
        for place in self.places.values() {
            tokio::spawn(keep::run(self.clone(), Arc::clone(place)));
            tokio::spawn(listen::run(self.clone(), Arc::clone(place)));
        }
    }

    #[must_use]
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    fn place(&self, event_id: u32) -> Option<&Arc<Place>> {
        self.places.get(&event_id)
    }

    fn now_ms(&self) -> i64 {
        self.gate.platform.clock.now_ms()
    }
}

pub use http::routes;

/// Forgets lists that nobody can need any more.
///
/// # Errors
/// The store's.
pub async fn forget_old(store: &Store, now_ms: i64) -> Result<(), crate::platform::StoreError> {
    const KEEP_MS: i64 = 24 * 3_600_000;
    let mut tx = store.write().await?;
    store::forget_lists(&mut tx, now_ms - KEEP_MS).await?;
    tx.commit().await
}
