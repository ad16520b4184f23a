//! Keeps an edge in step: rows up at once, and every few seconds a report, by which the upstream knows that the edge's lanes
//! are heard; now and then keys, policy and lists.

use std::time::{Duration, Instant};

use gate_core::policy::Policy;
use gate_core::wire::v1::{EdgeAnswer, EdgeClass, EdgeContact, EdgeLane, EdgeReport, StationBundle};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use ticket_signer::EventId;

use super::error::EdgeError;
use super::forward::{self, Offered};
use super::{Edge, Place, lists, store, trust};
use crate::catalog;
use crate::gate::{GateError, store as gate_store};

const REPORT_EVERY: Duration = Duration::from_secs(5);
const BUNDLE_EVERY: Duration = Duration::from_secs(60);
const LIST_EVERY: Duration = Duration::from_secs(60);
/// A lane that was not heard here for this long is not reported, in milliseconds.
const CONTACT_MS: i64 = 60_000;
/// The pause after a failure; doubled up to the second.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(8));
/// A round trip that takes longer says too little about the clocks, in milliseconds.
const ROUND_TRIP_MAX_MS: i64 = 4_000;

/// A bundle or list that could not be had is asked for again after this long.
const AGAIN: Duration = Duration::from_secs(10);

/// Something that is done every so often, by a clock that nobody sets.
struct Chore {
    every: Duration,
    due: Instant,
}

impl Chore {
    fn new(every: Duration) -> Self {
        Chore { every, due: Instant::now() }
    }

    fn is_due(&self) -> bool {
        Instant::now() >= self.due
    }

    /// Notes how it went; a failure that is not the upstream's silence is logged, and ends nothing else.
    fn done(&mut self, what: &str, done: Result<(), EdgeError>) -> Result<(), EdgeError> {
        self.due = Instant::now() + if done.is_ok() { self.every } else { AGAIN.min(self.every) };
        match done {
            Err(EdgeError::Upstream(error)) if error.is_away() => Err(error.into()),
            Err(error) => {
                tracing::warn!(%error, what, "the edge goes on with what it has");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }
}

struct Chores {
    report: Chore,
    bundle: Chore,
    list: Chore,
}

/// Runs until the server stops.
pub(super) async fn run(edge: Edge, place: Arc<Place>) {
    let mut chores =
        Chores { report: Chore::new(REPORT_EVERY), bundle: Chore::new(BUNDLE_EVERY), list: Chore::new(LIST_EVERY) };
    let mut offered = Offered::default();
    let mut pause = PAUSES.0;
    let mut logged = String::new();
    let shutdown = edge.gate.platform.shutdown.clone();
    while !shutdown.is_requested() {
        let wait = match round(&edge, &place, &mut chores, &mut offered).await {
            Ok(()) => {
                pause = PAUSES.0;
                if !std::mem::take(&mut logged).is_empty() {
                    tracing::info!(event = place.event_id, "the upstream answers again");
                }
                let next = chores.report.due.min(chores.bundle.due).min(chores.list.due);
                next.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
            }
            Err(error) => {
                let text = error.to_string();
                if text != logged {
                    tracing::warn!(event = place.event_id, error = text, "the edge is not in step with its upstream");
                    logged = text;
                }
                let wait = pause;
                pause = (pause * 2).min(PAUSES.1);
                wait
            }
        };
        tokio::select! {
            () = shutdown.requested() => {}
            () = place.back.notified() => {}
            () = place.wake.notified(), if pause == PAUSES.0 => {}
            () = edge.gate.platform.clock.pause(wait) => {}
        }
    }
}

/// Does what is due, rows first. An error says that the upstream is away.
async fn round(edge: &Edge, place: &Place, chores: &mut Chores, offered: &mut Offered) -> Result<(), EdgeError> {
    let settled = forward::all(edge, place, offered).await?;
    if place.is_wanted(|wants| &wants.report) || chores.report.is_due() {
        let reported = report(edge, place, settled).await;
        chores.report.done("report", reported)?;
    }
    if place.is_wanted(|wants| &wants.bundle) || chores.bundle.is_due() {
        let fetched = bundle(edge, place).await;
        chores.bundle.done("bundle", fetched)?;
    }
    if place.is_wanted(|wants| &wants.list) || chores.list.is_due() {
        let refreshed = lists::refresh(edge, place).await;
        chores.list.done("list", refreshed)?;
        edge.gate.news.tell(place.event_id);
    }
    Ok(())
}

/// Reports, and takes in what the upstream tells of lanes and devices. `settled`: everything that lanes had brought is there.
pub(super) async fn report(edge: &Edge, place: &Place, settled: bool) -> Result<(), EdgeError> {
    let store = &edge.gate.platform.store;
    let contacts = {
        let mut tx = store.read().await?;
        store::contacts(&mut tx, place.event_id, edge.now_ms() - CONTACT_MS).await?
    };
    let offset_ms = edge.standing.offset_ms().unwrap_or(0);
    let lanes = contacts.into_iter().map(|(device, at_ms)| EdgeContact { device, at_ms: at_ms + offset_ms });
    let site = &edge.gate.platform.site;
    let report = EdgeReport {
        server: site.public_url.clone(),
        tls_pin: site.spki_sha256.into(),
        settled,
        lanes: lanes.collect(),
    };
    let target = format!("/gate/v1/events/{}/edge", place.event_id);
    let answer: EdgeAnswer = place.upstream.post(&target, &report).await?;
    edge.standing.note_reached(edge.now_ms());
    mirror(edge, place, answer).await
}

async fn mirror(edge: &Edge, place: &Place, answer: EdgeAnswer) -> Result<(), EdgeError> {
    let now_ms = edge.now_ms();
    let mut tx = edge.gate.platform.store.write().await?;
    let (event, lanes, classes) = catalogued(&answer);
    catalog::mirror(&mut tx, event, &lanes, &classes, now_ms).await.map_err(GateError::from)?;
    for device in &answer.devices {
        store::mirror_device(&mut tx, place.event_id, device, (place.device, now_ms)).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// What the upstream tells of the event, in the catalog's types; the venue's number is this catalog's own.
fn catalogued(answer: &EdgeAnswer) -> (catalog::Event, Vec<catalog::Lane>, Vec<catalog::Class>) {
    let event = &answer.event;
    let lane = |lane: &EdgeLane| catalog::Lane {
        id: lane.id,
        event_id: event.id,
        name: lane.name.clone(),
        entrance_id: lane.entrance_id,
        entrance: lane.entrance.clone(),
    };
    let class = |class: &EdgeClass| catalog::Class {
        id: class.id,
        event_id: event.id,
        name: class.name.clone(),
        valid_from_ms: class.valid_from_ms,
        valid_until_ms: class.valid_until_ms,
        admissions: class.admissions,
        flags: class.flags,
    };
    let venue = catalog::Venue { id: 0, name: event.venue.clone(), time_zone: event.time_zone.clone() };
    let (id, name) = (event.id, event.name.clone());
    (
        catalog::Event { id, venue, name, starts_at_ms: event.starts_at_ms, ends_at_ms: event.ends_at_ms },
        answer.lanes.iter().map(lane).collect(),
        answer.classes.iter().map(class).collect(),
    )
}

/// Fetches the edge's own bundle: keys, time, policy.
async fn bundle(edge: &Edge, place: &Place) -> Result<(), EdgeError> {
    let sent_ms = edge.now_ms();
    let bundle: StationBundle = place.upstream.get(&format!("/gate/v1/events/{}/bundle", place.event_id)).await?;
    let received_ms = edge.now_ms();
    let known = edge.standing.trust(place.event_id);
    let trust = trust::believe(&bundle, place.device, &place.root_fingerprint, known)?;
    let event = EventId(place.event_id);
    let round_trip_ms = received_ms - sent_ms;
    if (0..ROUND_TRIP_MAX_MS).contains(&round_trip_ms) {
        let offset_ms = bundle.time.open(&trust, event)? + round_trip_ms / 2 - received_ms;
        edge.standing.set_offset(offset_ms);
    }
    let mut tx = edge.gate.platform.store.write().await?;
    if let Some(bytes) = &bundle.policy {
        let known = gate_store::newest_policy(&mut tx, event.0).await?.map_or(0, |(version, _, _)| version);
        let now_s = edge.gate.now_ms().div_euclid(1_000);
        match Policy::open(bytes, &trust, event, now_s, known) {
            Ok(policy) if policy.version > known => {
                let content: [u8; 32] = Sha256::digest(bytes).into();
                gate_store::insert_policy(&mut tx, event.0, policy.version, &content, bytes).await?;
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "the upstream's policy was left aside"),
        }
    }
    store::keep_own_bundle(&mut tx, event.0, &gate_core::wire::to_cbor(&bundle)?).await?;
    tx.commit().await?;
    edge.standing.set_trust(event.0, trust);
    edge.standing.note_bundle(event.0, bundle.time);
    edge.gate.news.tell(event.0);
    Ok(())
}
