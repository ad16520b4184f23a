//! Keeps an edge in step: rows up at once, and every few seconds a report, by which the upstream knows that the edge's lanes
//! are heard; now and then keys, policy and lists.

use std::time::Duration;

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

const REPORT_EVERY_MS: i64 = 5_000;
const BUNDLE_EVERY_MS: i64 = 60_000;
const LIST_EVERY_MS: i64 = 60_000;
/// A lane that was not heard here for this long is not reported, in milliseconds.
const CONTACT_MS: i64 = 60_000;
/// The pause after a failure; doubled up to the second.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(8));
/// A round trip that takes longer says too little about the clocks, in milliseconds.
const ROUND_TRIP_MAX_MS: i64 = 4_000;

/// When each thing was done last.
#[derive(Default)]
struct Done {
    report_ms: Option<i64>,
    bundle_ms: Option<i64>,
    list_ms: Option<i64>,
}

/// Runs until the server stops.
pub(super) async fn run(edge: Edge, place: Arc<Place>) {
    let (mut done, mut offered) = (Done::default(), Offered::default());
    let mut pause = PAUSES.0;
    let mut logged = String::new();
    let shutdown = edge.gate.platform.shutdown.clone();
    while !shutdown.is_requested() {
        let wait = match round(&edge, &place, &mut done, &mut offered).await {
            Ok(wait) => {
                pause = PAUSES.0;
                if !std::mem::take(&mut logged).is_empty() {
                    tracing::info!(event = place.event_id, "the upstream answers again");
                }
                wait
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

/// Does what is due; how long there is nothing to do.
async fn round(edge: &Edge, place: &Place, done: &mut Done, offered: &mut Offered) -> Result<Duration, EdgeError> {
    let due = |at_ms: Option<i64>, every_ms: i64, now_ms: i64| at_ms.is_none_or(|at| now_ms - at >= every_ms);
    if place.is_wanted(|wants| &wants.bundle) || due(done.bundle_ms, BUNDLE_EVERY_MS, edge.now_ms()) {
        bundle(edge, place).await?;
        done.bundle_ms = Some(edge.now_ms());
    }
    forward::all(edge, place, offered).await?;
    if place.is_wanted(|wants| &wants.report) || due(done.report_ms, REPORT_EVERY_MS, edge.now_ms()) {
        report(edge, place).await?;
        done.report_ms = Some(edge.now_ms());
    }
    if place.is_wanted(|wants| &wants.list) || due(done.list_ms, LIST_EVERY_MS, edge.now_ms()) {
        lists::refresh(edge, place).await?;
        done.list_ms = Some(edge.now_ms());
        edge.gate.news.tell(place.event_id);
    }
    let next = done.report_ms.map_or(0, |at| at + REPORT_EVERY_MS - edge.now_ms());
    Ok(Duration::from_millis(u64::try_from(next).unwrap_or(0).max(1)))
}

/// Reports, and takes in what the upstream tells of lanes and devices. Everything that lanes brought before is there.
pub(super) async fn report(edge: &Edge, place: &Place) -> Result<(), EdgeError> {
    let store = &edge.gate.platform.store;
    let contacts = {
        let mut tx = store.read().await?;
        store::contacts(&mut tx, place.event_id, edge.now_ms() - CONTACT_MS).await?
    };
    let offset_ms = edge.standing.offset_ms();
    let lanes = contacts.into_iter().map(|(device, at_ms)| EdgeContact { device, at_ms: at_ms + offset_ms });
    let site = &edge.gate.platform.site;
    let report = EdgeReport {
        server: site.public_url.clone(),
        tls_pin: site.spki_sha256.into(),
        settled: true,
        lanes: lanes.collect(),
    };
    let target = format!("/gate/v1/events/{}/edge", place.event_id);
    let answer: EdgeAnswer = place.upstream.post(&target, &report).await?;
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
    edge.gate.news.tell(event.0);
    Ok(())
}
