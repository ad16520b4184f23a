//! The upstream's feed: what happened at lanes that do not talk to this edge, and what has changed.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gate_core::merge;
use gate_core::row::SignedRow;
use gate_core::wire::from_cbor;
use gate_core::wire::v1::{FeedMessage, WireRow};
use std::sync::Arc;
use ticket_signer::{DeviceCertificate, DeviceId, EventId};

use super::error::EdgeError;
use super::{Edge, Place, keep, store};
use crate::gate::{GateError, ScanOp, store as gate_store};
use crate::platform::writer::WriteError;

/// The longest event; an admission takes about 2 KB.
const EVENT_BYTES_MAX: usize = 64 << 10;
const PAUSE: Duration = Duration::from_secs(1);
/// How often the feed is begun anew for a row whose authority has no certificate yet.
const AWAITED: u32 = 3;

/// Listens until the server stops.
pub(super) async fn run(edge: Edge, place: Arc<Place>) {
    let shutdown = edge.gate.platform.shutdown.clone();
    let mut logged = String::new();
    let mut patience = AWAITED;
    while !shutdown.is_requested() {
        let ended = tokio::select! {
            () = shutdown.requested() => return,
            ended = listen(&edge, &place, &mut patience) => ended,
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

async fn listen(edge: &Edge, place: &Place, patience: &mut u32) -> Result<(), EdgeError> {
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
        if !take(edge, place, events, &mut cursor, patience).await? {
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
    patience: &mut u32,
) -> Result<bool, EdgeError> {
    let mut rows: BTreeMap<DeviceId, (DeviceCertificate, Vec<SignedRow>)> = BTreeMap::new();
    let (mut upto, mut heard, mut waits) = (*cursor, false, false);
    for (id, message) in events {
        match message {
            Some(FeedMessage::Admission { row, device_certificate }) => {
                match believed(edge, place, &device_certificate) {
                    Ok(certificate) => add(&mut rows, certificate, row),
                    Err(error) if *patience > 0 => {
                        tracing::info!(%error, "another lane's row waits for its authority's certificate");
                        *patience -= 1;
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
            Some(FeedMessage::Alive(_) | FeedMessage::Receipt(_)) | None => {}
        }
        upto = id.unwrap_or(upto);
    }
    merge_rows(edge, place, rows).await?;
    *cursor = upto;
    if waits {
        place.want(|wants| &wants.bundle);
        return Ok(false);
    }
    *patience = AWAITED;
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
            keep::report(edge, place).await?;
            break;
        }
    }
    let now_ms = edge.now_ms();
    let ops = rows.into_iter().map(|(device, (certificate, rows))| {
        let upload = merge::check(device, EventId(place.event_id), &certificate.fields().key, rows);
        ScanOp {
            device,
            event_id: place.event_id,
            chains: upload.chains,
            incidents: upload.incidents,
            now_ms,
            is_contact: false,
        }
    });
    let merged = ops.map(|op| edge.gate.merging.submit(place.event_id.into(), op));
    for merged in futures_util::future::join_all(merged).await {
        merged.map_err(|error| match error {
            WriteError::Refused(error) => error,
            WriteError::Store(error) => error.into(),
            other => GateError::Fault(other.to_string()),
        })?;
    }
    edge.gate.news.tell(place.event_id);
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
