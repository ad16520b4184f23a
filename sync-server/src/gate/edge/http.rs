//! The gate protocol as an edge speaks it: rows, lists and the feed from here, the rest handed on as it was signed.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use gate_core::request;
use gate_core::wire::v1::{DeviceStatus, EnrolmentStatus, ListAnswer, Receipt, StationBundle};
use gate_core::wire::{from_cbor, to_cbor};
use serde_bytes::ByteBuf;
use std::time::Duration;
use ticket_signer::{DeviceCertificate, DeviceId};

use super::error::EdgeError;
use super::upstream::{Handed, UpstreamError};
use super::{Edge, Place, keep, lists, store};
use crate::gate::http::{
    Cursor, FeedPlace, SignedRequest, cbor, check_rows, confirmed, device_of, merge_rows, open_feed, parse_hash,
    scan_answer, upload_of,
};
use crate::gate::model::{Device, DeviceState, GateError};
use crate::gate::{lists as gate_lists, stations, status, store as gate_store};
use crate::platform::http::{MAX_SCAN_BODY_BYTES, PathParams, QueryParams, RequestBody, max_body};
use crate::platform::{Answer, Problem};

/// How long a lane waits for the upstream's receipt, while the upstream answers.
const RECEIPT_PATIENCE: Duration = Duration::from_millis(800);

pub fn routes() -> Router<Edge> {
    Router::new()
        .route("/gate/v1/scans", post(scans).layer(max_body(MAX_SCAN_BODY_BYTES)))
        .route("/gate/v1/enrolment", get(enrolment))
        .route("/gate/v1/events/{event}/bundle", get(bundle))
        .route("/gate/v1/events/{event}/list", get(list))
        .route("/gate/v1/events/{event}/chunks/{hash}", get(chunk))
        .route("/gate/v1/events/{event}/feed", get(lane_feed))
        .route("/gate/v1/events/{event}/status", post(tell_status))
        .route("/gate/v1/{*rest}", any(other))
}

fn place(edge: &Edge, event_id: u32) -> Result<&Place, Problem> {
    edge.place(event_id).map(AsRef::as_ref).ok_or_else(|| {
        Problem::not_found("event of that number at this edge: enrol the edge for it with `sync-server edge enrol`")
    })
}

/// Whose request this is. A device that is not known here may be new at the upstream.
async fn device(edge: &Edge, request: &SignedRequest<'_>) -> Answer<Device> {
    match device_of(&edge.gate, request).await {
        Err(GateError::DeviceUnknown) => {
            for place in edge.places.values().filter(|place| place.may_ask(edge.now_ms())) {
                if let Err(error) = keep::report(edge, place, false).await {
                    tracing::info!(%error, "an unknown device could not be asked for upstream");
                }
            }
            Ok(device_of(&edge.gate, request).await?)
        }
        known => Ok(known?),
    }
}

/// Hands a request on as it came: one that a device signed, or an enrolment, which has a proof of its own. An edge's own
/// messages are nobody else's, and only plain paths go on.
async fn other(State(edge): State<Edge>, method: Method, target: OriginalUri, body: RequestBody) -> Answer<Response> {
    let path = target.path();
    let plain = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_' | b'-'));
    let signed = body.headers().contains_key(request::HEADER);
    let enrols = method == Method::POST && path == "/gate/v1/enrol";
    if !plain || path.ends_with("/edge") || !(signed || enrols) {
        return Err(Problem::not_found("message of that kind for a venue's edge"));
    }
    let handed = hand_on(&edge, method, &target, body.headers(), body.bytes()).await?;
    Ok(as_it_came(handed))
}

async fn hand_on(
    edge: &Edge,
    method: Method,
    target: &OriginalUri,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Handed, EdgeError> {
    let target = target.path_and_query().map_or("/", |target| target.as_str());
    // Any place's client does: they are clients of the same server, and a lane's request says whose it is.
    let named = target.strip_prefix("/gate/v1/events/").and_then(|rest| rest.split('/').next()?.parse().ok());
    let place = named.and_then(|event: u32| edge.place(event)).or(edge.places.values().next());
    let place = place.ok_or(EdgeError::NotEnrolled)?;
    Ok(place.upstream.hand_on(method, target, headers, body).await?)
}

fn as_it_came(handed: Handed) -> Response {
    let status = StatusCode::from_u16(handed.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut answer = (status, handed.body).into_response();
    if let Some(content_type) = handed.content_type {
        answer.headers_mut().insert(header::CONTENT_TYPE, content_type);
    }
    answer
}

/// Adds this edge's own certificates to a lane's bundle and keeps it for when the upstream is away.
async fn own(edge: &Edge, mut bundle: StationBundle) -> Result<StationBundle, EdgeError> {
    let certificates = edge.gate.keys.certificates().map(|certificate| ByteBuf::from(certificate.to_bytes()));
    for certificate in certificates {
        if !bundle.certificates.contains(&certificate) {
            bundle.certificates.push(certificate);
        }
    }
    let certificate = DeviceCertificate::from_bytes(&bundle.device_certificate).map_err(|_| EdgeError::OtherDevice)?;
    let device = certificate.fields().device;
    let lease_until_ms = i64::from(certificate.fields().not_after_s) * 1_000;
    let mut tx = edge.gate.platform.store.write().await?;
    store::keep_bundle(&mut tx, device, bundle.event.id, &to_cbor(&bundle)?).await?;
    gate_store::set_lease(&mut tx, device, &bundle.device_certificate, lease_until_ms).await?;
    gate_store::note_contact(&mut tx, device, edge.now_ms()).await?;
    tx.commit().await?;
    Ok(bundle)
}

/// The upstream's word about a new lane.
async fn enrolment(
    State(edge): State<Edge>,
    method: Method,
    target: OriginalUri,
    headers: HeaderMap,
) -> Answer<Response> {
    let handed = hand_on(&edge, method, &target, &headers, &[]).await?;
    let status = (handed.status == 200).then(|| from_cbor::<EnrolmentStatus>(&handed.body).ok()).flatten();
    let Some(EnrolmentStatus::Confirmed(bundle)) = status else { return Ok(as_it_came(handed)) };
    let place = place(&edge, bundle.event.id)?;
    // The lane's rows and requests come next: it must be known here by then.
    keep::report(&edge, place, false).await?;
    let bundle = own(&edge, *bundle).await?;
    place.want(|wants| &wants.report);
    cbor(StatusCode::OK, &EnrolmentStatus::Confirmed(Box::new(bundle)))
}

/// The lane's bundle: the upstream's, or while it is away the last one with this edge's time.
async fn bundle(
    State(edge): State<Edge>,
    PathParams(event): PathParams<u32>,
    method: Method,
    target: OriginalUri,
    headers: HeaderMap,
) -> Answer<Response> {
    let request = SignedRequest { method: &method, target: &target, headers: &headers, body: &[] };
    let device = device(&edge, &request).await?;
    // A lane's talk waits for nobody who is not there.
    if !edge.standing.is_reached(edge.now_ms())
        && let Some(bundle) = kept_bundle(&edge, event, &device).await?
    {
        return cbor(StatusCode::OK, &bundle);
    }
    match hand_on(&edge, method.clone(), &target, &headers, &[]).await {
        Ok(handed) if handed.status == 200 => {
            let bundle = from_cbor(&handed.body).map_err(|error| UpstreamError::Unreadable(error.to_string()));
            let bundle = own(&edge, bundle.map_err(EdgeError::from)?).await?;
            cbor(StatusCode::OK, &bundle)
        }
        Ok(handed) => Ok(as_it_came(handed)),
        Err(EdgeError::Upstream(error)) if error.is_away() => {
            let bundle = kept_bundle(&edge, event, &device).await?.ok_or(error)?;
            cbor(StatusCode::OK, &bundle)
        }
        Err(error) => Err(error.into()),
    }
}

/// The last bundle of a confirmed device, with the time of now and the newest policy that is here.
async fn kept_bundle(edge: &Edge, event_id: u32, device: &Device) -> Result<Option<StationBundle>, EdgeError> {
    match device.state {
        DeviceState::Confirmed => {}
        DeviceState::Pending => return Err(GateError::DeviceUnconfirmed.into()),
        DeviceState::Revoked => return Err(GateError::DeviceRevoked.into()),
    }
    let mut tx = edge.gate.platform.store.write().await?;
    let Some(bytes) = store::bundle(&mut tx, device.id).await? else { return Ok(None) };
    gate_store::note_contact(&mut tx, device.id, edge.now_ms()).await?;
    let mut bundle: StationBundle = from_cbor(&bytes)?;
    // Rows of lanes whose authority is newer than this bundle are told as well: the lane must know it.
    if let Some(own) = store::own_bundle(&mut tx, event_id).await? {
        let own: StationBundle = from_cbor(&own)?;
        let StationBundle { certificates, revocations, .. } = &mut bundle;
        for (kept, newer) in [(certificates, own.certificates), (revocations, own.revocations)] {
            kept.extend(newer.into_iter().filter(|bytes| !kept.contains(bytes)).collect::<Vec<_>>());
        }
    }
    if let Some((_, _, policy)) = gate_store::newest_policy(&mut tx, event_id).await? {
        bundle.policy = Some(ByteBuf::from(policy));
    }
    tx.commit().await?;
    // Of the time this edge says nothing that it has not compared with the upstream's since it was started.
    if edge.standing.offset_ms().is_some() {
        bundle.time = stations::signed_time(&edge.gate, event_id)?;
    }
    Ok(Some(bundle))
}

/// What a lane tells of itself, for this edge's page and the upstream's.
async fn tell_status(
    State(edge): State<Edge>,
    PathParams(event): PathParams<u32>,
    method: Method,
    target: OriginalUri,
    body: RequestBody,
) -> Answer<Response> {
    let request = SignedRequest { method: &method, target: &target, headers: body.headers(), body: body.bytes() };
    let device = confirmed(&edge.gate, event, &request).await?;
    let told: DeviceStatus = from_cbor(body.bytes()).map_err(GateError::from)?;
    status::keep(&edge.gate, &device, told).await?;
    if !edge.standing.is_reached(edge.now_ms()) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    match hand_on(&edge, method.clone(), &target, body.headers(), body.bytes()).await {
        Ok(handed) => Ok(as_it_came(handed)),
        // It is told again in a while.
        Err(EdgeError::Upstream(error)) if error.is_away() => Ok(StatusCode::NO_CONTENT.into_response()),
        Err(error) => Err(error.into()),
    }
}

async fn list(
    State(edge): State<Edge>,
    PathParams(event): PathParams<u32>,
    QueryParams(Cursor { cursor }): QueryParams<Cursor>,
    method: Method,
    target: OriginalUri,
    headers: HeaderMap,
) -> Answer<Response> {
    let request = SignedRequest { method: &method, target: &target, headers: &headers, body: &[] };
    device(&edge, &request).await?;
    let device = confirmed(&edge.gate, event, &request).await?;
    let step = lists::step(&edge, place(&edge, event)?, cursor).await?;
    let now_ms = edge.now_ms();
    let mut tx = edge.gate.platform.store.write().await?;
    let has_it = |version| {
        version == cursor
            && device.list_version == Some(version)
            && gate_lists::is_recent(device.list_sent_at_ms, now_ms)
    };
    let answer = match step {
        Some(step) if !has_it(step.version) => {
            gate_store::note_list(&mut tx, device.id, step.version, now_ms).await?;
            ListAnswer::Manifest(ByteBuf::from(step.bytes))
        }
        _ => {
            gate_store::note_contact(&mut tx, device.id, now_ms).await?;
            ListAnswer::UpToDate
        }
    };
    tx.commit().await?;
    cbor(StatusCode::OK, &answer)
}

async fn chunk(
    State(edge): State<Edge>,
    PathParams((event, hash)): PathParams<(u32, String)>,
    method: Method,
    target: OriginalUri,
    headers: HeaderMap,
) -> Answer<Response> {
    let request = SignedRequest { method: &method, target: &target, headers: &headers, body: &[] };
    confirmed(&edge.gate, event, &request).await?;
    let hash = parse_hash(&hash).ok_or(GateError::ChunkGone)?;
    let mut tx = edge.gate.platform.store.read().await?;
    let bytes = store::chunk(&mut tx, event, &hash).await?.ok_or(GateError::ChunkGone)?;
    Ok(([(header::CONTENT_TYPE, "application/zstd")], Bytes::from(bytes)).into_response())
}

/// Takes rows in: durable here, told to the other lanes at once, and answered with what the upstream has signed for.
async fn scans(State(edge): State<Edge>, method: Method, target: OriginalUri, body: RequestBody) -> Answer<Response> {
    let request = SignedRequest { method: &method, target: &target, headers: body.headers(), body: body.bytes() };
    let device = device(&edge, &request).await?;
    let upload = upload_of(&device, body.bytes())?;
    let place = place(&edge, upload.event)?;
    let now_ms = edge.now_ms();
    let checked = check_rows(&device, upload).await?;
    // Wanted before they are merged: what is here is offered upstream, whatever ends in between.
    let chains: Vec<(u64, u64)> = checked
        .chains
        .iter()
        .filter_map(|(epoch, rows)| Some((*epoch, rows.iter().map(|row| row.body.seq).max()?)))
        .collect();
    let mut tx = edge.gate.platform.store.write().await?;
    for (epoch, seq) in &chains {
        store::want_receipt(&mut tx, device.id, device.event_id, *epoch, *seq).await?;
    }
    tx.commit().await?;
    let merged = merge_rows(&edge.gate, &device, checked, (now_ms, true)).await?;
    place.wake.notify_one();
    let receipts = receipts(&edge, device.id, &chains).await?;
    let answer = scan_answer(&merged, receipts);
    let status = if answer.quarantined { StatusCode::ACCEPTED } else { StatusCode::OK };
    cbor(status, &answer)
}

/// The upstream's receipts of these chains; while the upstream answers, those to come are waited for a moment.
async fn receipts(edge: &Edge, device: DeviceId, chains: &[(u64, u64)]) -> Result<Vec<Receipt>, EdgeError> {
    let mut news = edge.standing.receipts.subscribe();
    let is_reached = edge.standing.is_reached(edge.now_ms());
    let until = edge.gate.platform.clock.pause(if is_reached { RECEIPT_PATIENCE } else { Duration::ZERO });
    tokio::pin!(until);
    loop {
        let mut tx = edge.gate.platform.store.read().await?;
        let kept = super::receipts(&mut tx, device).await?;
        let receipt = |epoch: u64| kept.iter().find(|kept| kept.0 == epoch);
        let all = chains.iter().all(|(epoch, wanted)| receipt(*epoch).is_some_and(|(_, seq, _)| seq >= wanted));
        let found: Vec<Receipt> = chains.iter().filter_map(|(epoch, _)| Some(receipt(*epoch)?.2.clone())).collect();
        drop(tx);
        if all {
            return Ok(found);
        }
        tokio::select! {
            () = &mut until => return Ok(found),
            changed = news.changed() => if changed.is_err() { return Ok(found) },
        }
    }
}

async fn lane_feed(
    State(edge): State<Edge>,
    PathParams(event): PathParams<u32>,
    QueryParams(from): QueryParams<FeedPlace>,
    method: Method,
    target: OriginalUri,
    headers: HeaderMap,
) -> Answer<Response> {
    let request = SignedRequest { method: &method, target: &target, headers: &headers, body: &[] };
    device(&edge, &request).await?;
    let device = confirmed(&edge.gate, event, &request).await?;
    open_feed(edge.gate.clone(), device, from).await
}
