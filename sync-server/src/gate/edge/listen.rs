//! The upstream's feed: what happened at lanes that do not talk to this edge, and what has changed.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gate_core::merge::{self, CheckedRow};
use gate_core::row::SignedRow;
use gate_core::wire::from_cbor;
use gate_core::wire::v1::{FeedMessage, WireRow};
use std::sync::Arc;
use ticket_signer::{DeviceCertificate, DeviceId, EventId};

use super::error::EdgeError;
use super::{Edge, Place, keep, store};
use crate::gate::{GateError, ScanOp, lists as gate_lists, scans, store as gate_store};
use crate::platform::writer::WriteError;

/// The longest event; an admission takes about 2 KB.
const EVENT_BYTES_MAX: usize = 64 << 10;
const PAUSE: Duration = Duration::from_secs(1);
/// How many bundles may come without a certificate of a row's authority before the row is passed over.
const AWAITED: u64 = 2;

/// Listens until the server stops.
pub(super) async fn run(edge: Edge, place: Arc<Place>) {
    let shutdown = edge.gate.platform.shutdown.clone();
    let mut logged = String::new();
    // The bundles that had come when a row was first not believed.
    let mut waits_since = None;
    while !shutdown.is_requested() {
        let ended = tokio::select! {
            () = shutdown.requested() => return,
            ended = listen(&edge, &place, &mut waits_since) => ended,
        };
        match ended {
            Ok(()) => logged.clear(),
            Err(error) => {
                let text = error.to_string();
                if text != logged {
                    tracing::warn!(event = place.event_id, error = text, "the upstream's feed is not heard");
                    logged = text;
                }
            }
        }
        edge.gate.platform.clock.pause(PAUSE).await;
    }
}

async fn listen(edge: &Edge, place: &Place, waits_since: &mut Option<u64>) -> Result<(), EdgeError> {
    let store = &edge.gate.platform.store;
    let (mut cursor, known) = {
        let mut tx = store.read().await?;
        store::feed_place(&mut tx, place.event_id).await?
    };
    let part = known.map(|generation| format!("&generation={generation}")).unwrap_or_default();
    let target = format!("/gate/v1/events/{}/feed?cursor={cursor}{part}", place.event_id);
    let (mut stream, generation) = place.upstream.stream(&target).await?;
    place.back.notify_one();
    let mut buffer = Vec::new();
    while let Some(bytes) = place.upstream.part(&mut stream).await? {
        buffer.extend_from_slice(&bytes);
        let mut events = Vec::new();
        while let Some(end) = buffer.windows(2).position(|end| end == b"\n\n") {
            let event: Vec<u8> = buffer.drain(..end + 2).collect();
            events.extend(read(&event));
        }
        if buffer.len() > EVENT_BYTES_MAX {
            return Err(super::UpstreamError::Unreadable("an event has no end".to_owned()).into());
        }
        if events.is_empty() {
            continue;
        }
        if !take(edge, place, events, &mut cursor, waits_since).await? {
            return Ok(());
        }
        let mut tx = store.write().await?;
        store::keep_feed_place(&mut tx, place.event_id, cursor, generation.or(known)).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// One event: its cursor, and the message where this version understands it.
fn read(event: &[u8]) -> Option<(Option<u64>, Option<FeedMessage>)> {
    let text = std::str::from_utf8(event).ok()?;
    let (mut id, mut data) = (None, String::new());
    for line in text.lines() {
        match line.split_once(':').map(|(field, value)| (field, value.strip_prefix(' ').unwrap_or(value))) {
            Some(("id", value)) => id = value.parse().ok(),
            Some(("data", value)) => data.push_str(value),
            _ => {}
        }
    }
    if data.is_empty() {
        return None;
    }
    let message = URL_SAFE_NO_PAD.decode(&data).ok().and_then(|bytes| from_cbor(&bytes).ok());
    Some((id, message))
}

/// Takes events in, in their order; `false` where a row waits for keys and the feed is begun anew.
async fn take(
    edge: &Edge,
    place: &Place,
    events: Vec<(Option<u64>, Option<FeedMessage>)>,
    cursor: &mut u64,
    waits_since: &mut Option<u64>,
) -> Result<bool, EdgeError> {
    let mut rows: BTreeMap<DeviceId, (DeviceCertificate, Vec<SignedRow>)> = BTreeMap::new();
    let (mut upto, mut heard, mut waits) = (*cursor, false, false);
    let bundles = edge.standing.bundles(place.event_id);
    for (id, message) in events {
        match message {
            Some(FeedMessage::Admission { row, device_certificate }) => {
                match believed(edge, place, &device_certificate) {
                    Ok(certificate) => add(&mut rows, certificate, row),
                    Err(error) if bundles < waits_since.get_or_insert(bundles).saturating_add(AWAITED) => {
                        tracing::info!(%error, "another lane's row waits for its authority's certificate");
                        waits = true;
                        break;
                    }
                    Err(error) => tracing::warn!(%error, "a row from the upstream was not believed"),
                }
            }
            Some(FeedMessage::List { .. }) => place.want(|wants| &wants.list),
            Some(FeedMessage::Policy { .. } | FeedMessage::Trust) => place.want(|wants| &wants.bundle),
            Some(FeedMessage::Staff { version }) => {
                edge.standing.note_staff(place.event_id, version);
                edge.gate.news.tell(place.event_id);
            }
            Some(FeedMessage::Time(time)) => {
                let trust = edge.standing.trust(place.event_id);
                heard = trust.is_some_and(|trust| time.open(&trust, EventId(place.event_id)).is_ok());
            }
            Some(FeedMessage::Alive(_)) => {
                heard = false;
                edge.standing.forget_heard(place.event_id);
            }
            Some(FeedMessage::Receipt(_)) | None => {}
        }
        upto = id.unwrap_or(upto);
    }
    merge_rows(edge, place, rows).await?;
    *cursor = upto;
    if waits {
        place.want(|wants| &wants.bundle);
        return Ok(false);
    }
    *waits_since = None;
    edge.standing.note_reached(edge.now_ms());
    if heard {
        edge.standing.note_heard(place.event_id, edge.now_ms());
    }
    Ok(true)
}

fn believed(edge: &Edge, place: &Place, bytes: &[u8]) -> Result<DeviceCertificate, EdgeError> {
    let certificate = DeviceCertificate::from_bytes(bytes).map_err(|_| EdgeError::OtherDevice)?;
    let trust = edge.standing.trust(place.event_id).ok_or(EdgeError::NotEnrolled)?;
    trust.device(&certificate).map_err(EdgeError::Authority)?;
    if certificate.fields().event == EventId(place.event_id) { Ok(certificate) } else { Err(EdgeError::OtherDevice) }
}

fn add(
    rows: &mut BTreeMap<DeviceId, (DeviceCertificate, Vec<SignedRow>)>,
    certificate: DeviceCertificate,
    row: WireRow,
) {
    let device = certificate.fields().device;
    rows.entry(device).or_insert_with(|| (certificate, Vec::new())).1.push(row.into());
}

/// Merges rows as if their devices had brought them; each was signed by its device.
async fn merge_rows(
    edge: &Edge,
    place: &Place,
    rows: BTreeMap<DeviceId, (DeviceCertificate, Vec<SignedRow>)>,
) -> Result<(), EdgeError> {
    if rows.is_empty() {
        return Ok(());
    }
    for device in rows.keys() {
        let mut tx = edge.gate.platform.store.read().await?;
        let known = gate_store::device(&mut tx, *device).await?;
        drop(tx);
        if known.is_none_or(|known| known.certificate.is_none()) {
            // Lanes would be told of the row without a certificate, and so not at all.
            keep::report(edge, place, false).await?;
            break;
        }
    }
    for (certificate, _) in rows.values() {
        renew(edge, certificate).await?;
    }
    let now_ms = edge.now_ms();
    let mut told = Vec::new();
    let ops = rows.into_iter().map(|(device, (certificate, rows))| {
        let upload = merge::check(device, EventId(place.event_id), &certificate.fields().key, rows);
        told.extend(upload.chains.values().flatten().cloned());
        ScanOp {
            device,
            event_id: place.event_id,
            chains: upload.chains,
            incidents: upload.incidents,
            now_ms,
            is_contact: false,
            counted_upstream: true,
        }
    });
    let merged: Vec<_> = ops.map(|op| edge.gate.merging.submit(place.event_id.into(), op)).collect();
    for merged in futures_util::future::join_all(merged).await {
        merged.map_err(|error| match error {
            WriteError::Refused(error) => error,
            WriteError::Store(error) => error.into(),
            other => GateError::Fault(other.to_string()),
        })?;
    }
    count(edge, place, told).await?;
    edge.gate.news.tell(place.event_id);
    Ok(())
}

/// Keeps a certificate that is good for longer than the one that is here: a row is told to lanes with its device's
/// certificate, and one from after an older lease would not be believed.
async fn renew(edge: &Edge, certificate: &DeviceCertificate) -> Result<(), EdgeError> {
    let fields = certificate.fields();
    let until_ms = i64::from(fields.not_after_s) * 1_000;
    let mut tx = edge.gate.platform.store.write().await?;
    let known = gate_store::device(&mut tx, fields.device).await?;
    if known.is_some_and(|known| known.lease_until_ms.is_none_or(|until| until < until_ms)) {
        gate_store::set_lease(&mut tx, fields.device, &certificate.to_bytes(), until_ms).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Counts rows that were kept apart here and that the upstream counts: it has released them.
async fn count(edge: &Edge, place: &Place, told: Vec<CheckedRow>) -> Result<(), EdgeError> {
    let mut tx = edge.gate.platform.store.write().await?;
    let mut released = Vec::new();
    for row in told {
        if store::is_apart(&mut tx, &row.body).await? {
            released.push(row);
        }
    }
    if released.is_empty() {
        return Ok(());
    }
    gate_store::release_rows(&mut tx, place.event_id, &released).await?;
    let allowed = gate_lists::admissions_by_class(&mut tx, place.event_id).await?;
    scans::count(&mut tx, place.event_id, &released.iter().collect::<Vec<_>>(), &allowed).await?;
    tx.commit().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_cursor_and_message_and_a_comment_is_none() {
        let message = FeedMessage::List { version: 3 };
        let data = URL_SAFE_NO_PAD.encode(gate_core::wire::to_cbor(&message).unwrap());
        assert_eq!(read(format!("id: 7\ndata: {data}\n\n").as_bytes()), Some((Some(7), Some(message))));
        assert_eq!(read(b"id: 8\ndata: ****\n\n"), Some((Some(8), None)), "the cursor goes on");
        assert_eq!(read(b": alive\n\n"), None);
    }
}
