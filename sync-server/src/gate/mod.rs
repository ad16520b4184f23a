//! The gates: enrolment of handhelds, the lists and policies they work by, the rows they send, and the conflicts in them.
//!
//! Owns the tables `enrolments`, `devices`, `chains`, `scans`, `merge_counts`, `lane_minutes`, `repeated_tickets`,
//! `incidents`, `signed_policies`, `grants`, `decisions`, `device_status`, `releases` and `plans`, and an edge's own (see
//! `edge`). Calls catalog, the signer and `gate-core`, tickets for the lists alone, and accounts for the staff of the lanes.
//!
//! Invariants:
//! - A row is stored once by (device, epoch, sequence), as it came, and never overwritten; a receipt is signed after the
//!   commit that stored what it covers.
//! - Rows of a revoked device are stored and count for nothing until a supervisor releases them.
//! - A gate's list and policy are signed here for one event, with the key of their role.

mod decisions;
mod devices;
pub mod edge;
mod edges;
mod evening;
mod export;
mod feed;
mod gaps;
mod grants;
pub mod http;
mod lists;
mod live;
mod model;
mod office_http;
mod plan_http;
pub mod planning;
mod policies;
mod release;
mod scans;
mod staff_http;
mod stations;
mod status;
mod store;
#[cfg(test)]
mod tests;
mod waiting;
mod wipes;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::platform::keys::KeyRing;
use crate::platform::writer::{GroupWriter, Limits};
use crate::platform::{Platform, Tx};
pub use export::export;
pub use model::{Device, DeviceState, GateError};
pub use scans::{Merged, ScanBatch, ScanOp};

type Result<T> = std::result::Result<T, GateError>;

/// What the gate's handlers work with. Cheap to clone.
#[derive(Clone)]
pub struct Gate {
    pub platform: Platform,
    pub keys: Arc<KeyRing>,
    merging: Arc<GroupWriter<ScanBatch>>,
    lists: Arc<lists::ListCache>,
    news: Arc<News>,
    evenings: Arc<evening::Evenings>,
    /// At a venue's edge: what is known of the upstream.
    edge: Option<Arc<edge::Standing>>,
}

impl Gate {
    #[must_use]
    pub fn new(platform: Platform, keys: Arc<KeyRing>) -> Self {
        let merging = GroupWriter::new(platform.store.clone(), ScanBatch, Limits { queue: 256, batch_weight: 4_000 });
        Self {
            platform,
            keys,
            merging: Arc::new(merging),
            lists: Arc::default(),
            news: Arc::default(),
            evenings: Arc::default(),
            edge: None,
        }
    }

    /// The gate of a venue's edge.
    fn at_edge(platform: Platform, keys: Arc<KeyRing>, standing: Arc<edge::Standing>) -> Self {
        Self { edge: Some(standing), ..Self::new(platform, keys) }
    }

    /// The time as lanes are told it: an edge goes by its upstream's.
    fn now_ms(&self) -> i64 {
        self.platform.clock.now_ms() + self.edge.as_ref().and_then(|standing| standing.offset_ms()).unwrap_or(0)
    }
}

/// Wakes the streams of an event when rows of it were merged in this process. What other processes merged is found by the
/// streams' own clock.
#[derive(Default)]
struct News(Mutex<HashMap<u32, watch::Sender<u64>>>);

impl News {
    fn of(&self, event_id: u32) -> watch::Sender<u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(event_id).or_default().clone()
    }

    fn tell(&self, event_id: u32) {
        self.of(event_id).send_modify(|count| *count += 1);
    }
}

/// What is wrong with the stored rows; empty when all is well. For `sync-server check`.
///
/// # Errors
/// The store's.
pub async fn check(tx: &mut Tx) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for (device, epoch, head, rows) in store::chain_gaps(tx).await? {
        findings.push(format!("the chain {epoch:016x} of device {device} says {head} rows and has {rows} of them"));
    }
    for (event, said, counted) in store::minute_gaps(tx).await? {
        findings.push(format!("the minutes of event {event} count {said} scans and there are {counted}"));
    }
    Ok(findings)
}
