//! The gate protocol over HTTP: CBOR in and out, each request signed by its device. Parse, call, map.

use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use gate_core::merge;
use gate_core::request;
use gate_core::wire::v1::{
    DeviceStatus, EnrolAnswer, EnrolRequest, EnrolmentStatus, GENERATION_HEADER, GrantRequest, IncidentReport,
    ListAnswer, Receipt, ReceiptPayload, ScanAnswer, ScanUpload,
};
use gate_core::wire::{MEDIA_TYPE, from_cbor, to_cbor};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use ticket_signer::{EventId, Role};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::model::{Device, DeviceKind, DeviceState, GateError};
use super::{
    Gate, Merged, Result as GateResult, ScanOp, devices, edges, feed, grants, lists, office_http, plan_http,
    staff_http, stations, status, store, wipes,
};
use crate::platform::http::{MAX_SCAN_BODY_BYTES, PathParams, QueryParams, RequestBody, max_body};
use crate::platform::problem::ProblemDocument;
use crate::platform::{Answer, Code, Problem};

pub fn routes() -> OpenApiRouter<Gate> {
    let scans = OpenApiRouter::new().routes(routes!(scans)).layer(max_body(MAX_SCAN_BODY_BYTES));
    OpenApiRouter::new()
        .routes(routes!(enrol))
        .routes(routes!(enrolment))
        .routes(routes!(bundle))
        .routes(routes!(wipe))
        .routes(routes!(list))
        .routes(routes!(chunk))
        .routes(routes!(lane_feed))
        .routes(routes!(grant))
        .routes(routes!(edge_report))
        .routes(routes!(tell_status))
        .merge(scans)
        .merge(office_http::routes())
        .merge(plan_http::routes())
        .merge(staff_http::routes())
}

/// The supervisors' page alone: what a venue's edge has of these.
pub fn office_routes() -> OpenApiRouter<Gate> {
    office_http::routes()
}

/// A request as its device signed it.
pub(super) struct SignedRequest<'a> {
    pub method: &'a Method,
    pub target: &'a OriginalUri,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
}

impl SignedRequest<'_> {
    /// Path and query, as they are signed.
    pub(super) fn target(&self) -> &str {
        self.target.path_and_query().map_or("/", |target| target.as_str())
    }
}

/// Whose request this is. The device may be in any state; see [`confirmed`].
pub(super) async fn device_of(gate: &Gate, request: &SignedRequest<'_>) -> GateResult<Device> {
    let header = request.headers.get(request::HEADER).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let claim = request::parse(header)?;
    let mut tx = gate.platform.store.read().await?;
    let device = store::device(&mut tx, claim.device).await?.ok_or(GateError::DeviceUnknown)?;
    claim.verify(&device.key, request.method.as_str(), request.target(), request.body)?;
    edges::note_way(gate, &mut tx, &device, request).await?;
    Ok(device)
}

/// A confirmed device of this event.
pub(super) async fn confirmed(gate: &Gate, event: u32, request: &SignedRequest<'_>) -> GateResult<Device> {
    let device = device_of(gate, request).await?;
    if device.wiped_at_ms.is_some() {
        return Err(GateError::DeviceWiped);
    }
    may_work(&device, event)?;
    Ok(device)
}

fn may_work(device: &Device, event: u32) -> GateResult<()> {
    match device.state {
        DeviceState::Confirmed if device.event_id == event => Ok(()),
        DeviceState::Confirmed => Err(GateError::OtherEvent { own: device.event_id, asked: event }),
        DeviceState::Pending => Err(GateError::DeviceUnconfirmed),
        DeviceState::Revoked => Err(GateError::DeviceRevoked),
    }
}

pub(super) fn cbor<T: Serialize>(status: StatusCode, message: &T) -> Answer<Response> {
    let bytes = to_cbor(message).map_err(Problem::internal)?;
    Ok((status, [(header::CONTENT_TYPE, MEDIA_TYPE)], bytes).into_response())
}

/// Takes in a handheld that read an enrolment code. The same request again gets the same answer.
#[utoipa::path(post, path = "/gate/v1/enrol", tag = "gate", request_body(content = Vec<u8>, content_type = "application/cbor"),
    responses((status = 200, content_type = "application/cbor", body = Vec<u8>), (status = "4XX", body = ProblemDocument)))]
async fn enrol(State(gate): State<Gate>, body: RequestBody) -> Answer<Response> {
    let request: EnrolRequest = from_cbor(body.bytes()).map_err(GateError::from)?;
    let key = devices::proven(&request)?;
    let mut tx = gate.platform.store.write().await?;
    let device = devices::enrol(&gate, &mut tx, &request, key).await?;
    tx.commit().await?;
    gate.news.tell(device.event_id);
    cbor(StatusCode::OK, &EnrolAnswer { device: device.id.0, fingerprint: device.key.spoken_fingerprint() })
}

/// Whether a supervisor has confirmed the device; if so, all that it needs.
#[utoipa::path(get, path = "/gate/v1/enrolment", tag = "gate", params(("Turnstone-Device" = String, Header)),
    responses((status = 200, content_type = "application/cbor", body = Vec<u8>), (status = "4XX", body = ProblemDocument)))]
async fn enrolment(
    State(gate): State<Gate>,
    method: Method,
    target: OriginalUri,
    headers: HeaderMap,
) -> Answer<Response> {
    let request = SignedRequest { method: &method, target: &target, headers: &headers, body: &[] };
    let device = device_of(&gate, &request).await?;
    let status = match device.state {
        _ if device.wiped_at_ms.is_some() => EnrolmentStatus::Refused,
        DeviceState::Pending => EnrolmentStatus::Pending,
        DeviceState::Revoked => EnrolmentStatus::Refused,
        DeviceState::Confirmed => EnrolmentStatus::Confirmed(Box::new(fresh_bundle(&gate, &device).await?)),
    };
    cbor(StatusCode::OK, &status)
}

async fn fresh_bundle(gate: &Gate, device: &Device) -> GateResult<gate_core::wire::v1::StationBundle> {
    let mut tx = gate.platform.store.write().await?;
    store::note_contact(&mut tx, device.id, gate.platform.clock.now_ms()).await?;
    let bundle = stations::bundle(gate, &mut tx, device).await?;
    tx.commit().await?;
    Ok(bundle)
}

/// Certificates, revocations, the signed policy, the time, and a renewed lease.
#[utoipa::path(get, path = "/gate/v1/events/{event}/bundle", tag = "gate",
    params(("event" = u32, Path), ("Turnstone-Device" = String, Header)),
    responses((status = 200, content_type = "application/cbor", body = Vec<u8>), (status = "4XX", body = ProblemDocument)))]
async fn bundle(
    State(gate): State<Gate>,
    PathParams(event): PathParams<u32>,
    method: Method,
    target: OriginalUri,
    headers: HeaderMap,
) -> Answer<Response> {
    let request = SignedRequest { method: &method, target: &target, headers: &headers, body: &[] };
    let device = confirmed(&gate, event, &request).await?;
    cbor(StatusCode::OK, &fresh_bundle(&gate, &device).await?)
}

/// The signed word by which this device is wiped, if there is one: a device in any state asks for it when it is refused a
/// bundle.
#[utoipa::path(get, path = "/gate/v1/wipe", tag = "gate", params(("Turnstone-Device" = String, Header)),
    responses((status = 200, content_type = "application/cbor", body = Vec<u8>), (status = "4XX", body = ProblemDocument)))]
async fn wipe(State(gate): State<Gate>, method: Method, target: OriginalUri, headers: HeaderMap) -> Answer<Response> {
    let request = SignedRequest { method: &method, target: &target, headers: &headers, body: &[] };
    let device = device_of(&gate, &request).await?;
    let mut tx = gate.platform.store.write().await?;
    let answer = wipes::answer(&gate, &mut tx, device.id).await?;
    tx.commit().await?;
    cbor(StatusCode::OK, &answer)
}

#[derive(Deserialize)]
pub(super) struct Cursor {
    #[serde(default)]
    pub cursor: u64,
}

/// The signed manifest from list version `cursor` (0: none) to the newest.
#[utoipa::path(get, path = "/gate/v1/events/{event}/list", tag = "gate",
    params(("event" = u32, Path), ("cursor" = Option<u64>, Query), ("Turnstone-Device" = String, Header)),
    responses((status = 200, content_type = "application/cbor", body = Vec<u8>), (status = "4XX", body = ProblemDocument)))]
async fn list(
    State(gate): State<Gate>,
    PathParams(event): PathParams<u32>,
    QueryParams(Cursor { cursor }): QueryParams<Cursor>,
    method: Method,
    target: OriginalUri,
    headers: HeaderMap,
) -> Answer<Response> {
    let request = SignedRequest { method: &method, target: &target, headers: &headers, body: &[] };
    let device = confirmed(&gate, event, &request).await?;
    let now_ms = gate.platform.clock.now_ms();
    let (version, manifest) = lists::manifest(&gate, event, cursor).await?;
    let has_it = device.list_version == Some(version) && lists::is_recent(device.list_sent_at_ms, now_ms);
    let mut tx = gate.platform.store.write().await?;
    let answer = if version == cursor && has_it {
        store::note_contact(&mut tx, device.id, now_ms).await?;
        ListAnswer::UpToDate
    } else {
        store::note_list(&mut tx, device.id, version, now_ms).await?;
        ListAnswer::Manifest(ByteBuf::from(manifest))
    };
    tx.commit().await?;
    cbor(StatusCode::OK, &answer)
}

/// A chunk that a manifest named, compressed.
#[utoipa::path(get, path = "/gate/v1/events/{event}/chunks/{hash}", tag = "gate",
    params(("event" = u32, Path), ("hash" = String, Path), ("Turnstone-Device" = String, Header)),
    responses((status = 200, content_type = "application/zstd", body = Vec<u8>), (status = "4XX", body = ProblemDocument)))]
async fn chunk(
    State(gate): State<Gate>,
    PathParams((event, hash)): PathParams<(u32, String)>,
    method: Method,
    target: OriginalUri,
    headers: HeaderMap,
) -> Answer<Response> {
    let request = SignedRequest { method: &method, target: &target, headers: &headers, body: &[] };
    confirmed(&gate, event, &request).await?;
    let hash = parse_hash(&hash).ok_or(GateError::ChunkGone)?;
    let bytes = gate.lists.chunk(event, &hash).ok_or(GateError::ChunkGone)?;
    Ok(([(header::CONTENT_TYPE, "application/zstd")], bytes).into_response())
}

pub(super) fn parse_hash(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut hash = [0; 32];
    for (at, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(hash)
}

/// A device's upload, if it may send one and its outside is sound.
pub(super) fn upload_of(device: &Device, body: &[u8]) -> GateResult<ScanUpload> {
    if device.state == DeviceState::Pending {
        return Err(GateError::DeviceUnconfirmed);
    }
    let upload: ScanUpload = from_cbor(body)?;
    if upload.event != device.event_id {
        return Err(GateError::OtherEvent { own: device.event_id, asked: upload.event });
    }
    if upload.rows.len() > ScanUpload::MAX_ROWS {
        return Err(GateError::TooManyRows { most: ScanUpload::MAX_ROWS, found: upload.rows.len() });
    }
    Ok(upload)
}

/// Takes journal rows in. The same rows again get the same answer; a revoked device gets 202, and its rows wait.
#[utoipa::path(post, path = "/gate/v1/scans", tag = "gate", params(("Turnstone-Device" = String, Header)),
    request_body(content = Vec<u8>, content_type = "application/cbor"),
    responses((status = 200, content_type = "application/cbor", body = Vec<u8>),
              (status = 202, content_type = "application/cbor", body = Vec<u8>), (status = "4XX", body = ProblemDocument)))]
async fn scans(State(gate): State<Gate>, method: Method, target: OriginalUri, body: RequestBody) -> Answer<Response> {
    let request = SignedRequest { method: &method, target: &target, headers: body.headers(), body: body.bytes() };
    let device = device_of(&gate, &request).await?;
    let upload = upload_of(&device, body.bytes())?;
    let is_contact = device.kind == DeviceKind::Lane;
    let device = edges::rows_device(&gate, device, &upload).await?;
    let answer = take_rows(&gate, &device, upload, is_contact).await?;
    let status = if answer.quarantined { StatusCode::ACCEPTED } else { StatusCode::OK };
    cbor(status, &answer)
}

/// Checks rows, each by its device's key, off the runtime's threads: a signature a row.
pub(super) async fn check_rows(device: &Device, upload: ScanUpload) -> Answer<merge::Upload> {
    let (id, event, public) = (device.id, EventId(device.event_id), device.key.clone());
    let rows: Vec<_> = upload.rows.into_iter().map(Into::into).collect();
    tokio::task::spawn_blocking(move || merge::check(id, event, &public, rows)).await.map_err(Problem::internal)
}

/// Merges checked rows. `is_contact`: the device is there itself.
pub(super) async fn merge_rows(
    gate: &Gate,
    device: &Device,
    checked: merge::Upload,
    (now_ms, is_contact): (i64, bool),
) -> Answer<Merged> {
    let event_id = device.event_id;
    let merge::Upload { chains, incidents } = checked;
    let op = ScanOp { device: device.id, event_id, chains, incidents, now_ms, is_contact, counted_upstream: false };
    let merged = gate.merging.submit(event_id.into(), op).await?;
    gate.news.tell(event_id);
    Ok(merged)
}

async fn take_rows(gate: &Gate, device: &Device, upload: ScanUpload, is_contact: bool) -> Answer<ScanAnswer> {
    let now_ms = gate.platform.clock.now_ms();
    let event = EventId(device.event_id);
    let missing = GateError::KeyMissing { role: "receipt", event: event.0 };
    let may = gate.keys.may_sign(Role::Receipt, event, now_ms.div_euclid(1_000));
    let key = gate.keys.signing_key(Role::Receipt).filter(|_| may).ok_or(missing)?;
    let checked = check_rows(device, upload).await?;
    let merged = merge_rows(gate, device, checked, (now_ms, is_contact)).await?;
    let receipt = |head: &gate_core::chain::ChainHead| {
        let payload = ReceiptPayload {
            device: device.id.0,
            event: event.0,
            epoch: head.epoch,
            seq: head.seq,
            hash: head.hash.into(),
            at_ms: now_ms,
        };
        payload.seal(key).map_err(Problem::internal)
    };
    let receipts = merged.heads.iter().map(receipt).collect::<Answer<_>>()?;
    Ok(scan_answer(&merged, receipts))
}

/// What a device hears of its rows.
pub(super) fn scan_answer(merged: &Merged, receipts: Vec<Receipt>) -> ScanAnswer {
    let report = |incident: &merge::Incident| IncidentReport {
        epoch: incident.epoch,
        seq: incident.seq,
        code: incident.kind.code().to_owned(),
    };
    ScanAnswer {
        receipts,
        stored: merged.stored,
        duplicates: merged.duplicates,
        incidents: merged.incidents.iter().map(report).collect(),
        quarantined: merged.quarantined,
    }
}

/// Takes an edge's report: what its lanes brought is here, and it is told of lanes and devices.
#[utoipa::path(post, path = "/gate/v1/events/{event}/edge", tag = "gate",
    params(("event" = u32, Path), ("Turnstone-Device" = String, Header)),
    request_body(content = Vec<u8>, content_type = "application/cbor"),
    responses((status = 200, content_type = "application/cbor", body = Vec<u8>), (status = "4XX", body = ProblemDocument)))]
async fn edge_report(
    State(gate): State<Gate>,
    PathParams(event): PathParams<u32>,
    method: Method,
    target: OriginalUri,
    body: RequestBody,
) -> Answer<Response> {
    let request = SignedRequest { method: &method, target: &target, headers: body.headers(), body: body.bytes() };
    let edge = confirmed(&gate, event, &request).await?;
    let report = from_cbor(body.bytes()).map_err(GateError::from)?;
    let answer = edges::report(&gate, &edge, &report).await?;
    gate.news.tell(event);
    cbor(StatusCode::OK, &answer)
}

/// Under the strict rule: this server's word that the device may admit a ticket in its next row.
#[utoipa::path(post, path = "/gate/v1/events/{event}/grants", tag = "gate",
    params(("event" = u32, Path), ("Turnstone-Device" = String, Header)),
    request_body(content = Vec<u8>, content_type = "application/cbor"),
    responses((status = 200, content_type = "application/cbor", body = Vec<u8>), (status = "4XX", body = ProblemDocument)))]
async fn grant(
    State(gate): State<Gate>,
    PathParams(event): PathParams<u32>,
    method: Method,
    target: OriginalUri,
    body: RequestBody,
) -> Answer<Response> {
    let request = SignedRequest { method: &method, target: &target, headers: body.headers(), body: body.bytes() };
    let device = confirmed(&gate, event, &request).await?;
    if device.kind == DeviceKind::Edge {
        return Err(GateError::NotALane.into());
    }
    let asked: GrantRequest = from_cbor(body.bytes()).map_err(GateError::from)?;
    cbor(StatusCode::OK, &grants::give(&gate, &device, &asked).await?)
}

/// How the handheld is: battery, rows that wait, list and policy in use, clock. For the supervisor's page.
#[utoipa::path(post, path = "/gate/v1/events/{event}/status", tag = "gate",
    params(("event" = u32, Path), ("Turnstone-Device" = String, Header)),
    request_body(content = Vec<u8>, content_type = "application/cbor"),
    responses((status = 204), (status = "4XX", body = ProblemDocument)))]
async fn tell_status(
    State(gate): State<Gate>,
    PathParams(event): PathParams<u32>,
    method: Method,
    target: OriginalUri,
    body: RequestBody,
) -> Answer<StatusCode> {
    let request = SignedRequest { method: &method, target: &target, headers: body.headers(), body: body.bytes() };
    let device = confirmed(&gate, event, &request).await?;
    let told: DeviceStatus = from_cbor(body.bytes()).map_err(GateError::from)?;
    status::keep(&gate, &device, told).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Where a lane stands in the feed.
#[derive(Deserialize)]
pub(super) struct FeedPlace {
    #[serde(default)]
    cursor: u64,
    /// The generation that the cursor is of, if the handheld knows it.
    generation: Option<u64>,
}

/// What other lanes did and what has changed, as it happens.
#[utoipa::path(get, path = "/gate/v1/events/{event}/feed", tag = "gate",
    params(("event" = u32, Path), ("cursor" = Option<u64>, Query), ("generation" = Option<u64>, Query),
           ("Turnstone-Device" = String, Header)),
    responses((status = 200, content_type = "text/event-stream", body = String), (status = "4XX", body = ProblemDocument)))]
async fn lane_feed(
    State(gate): State<Gate>,
    PathParams(event): PathParams<u32>,
    QueryParams(place): QueryParams<FeedPlace>,
    method: Method,
    target: OriginalUri,
    headers: HeaderMap,
) -> Answer<Response> {
    let request = SignedRequest { method: &method, target: &target, headers: &headers, body: &[] };
    let device = device_of(&gate, &request).await?;
    if device.wiped_at_ms.is_none() {
        may_work(&device, event)?;
    }
    open_feed(gate, device, place).await
}

/// The lane's stream from its place on, and whose cursors it has.
pub(super) async fn open_feed(gate: Gate, device: Device, place: FeedPlace) -> Answer<Response> {
    let FeedPlace { cursor, generation } = place;
    let own = gate.platform.store.incarnation(gate.platform.random.id64()).await?;
    // A cursor of another generation counts other rows. What the lane has already, it takes for known.
    let cursor = if generation.is_some_and(|generation| generation != own) { 0 } else { cursor };
    Ok(([(GENERATION_HEADER, own.to_string())], feed::lane(gate, device, cursor)).into_response())
}

impl From<GateError> for Problem {
    fn from(error: GateError) -> Self {
        let detail = error.to_string();
        let code = match error {
            GateError::Store(error) => return error.into(),
            GateError::Catalog(error) => return error.into(),
            GateError::Ticket(error) => return error.into(),
            GateError::Fault(fault) => return Self::internal(fault),
            GateError::EnrolmentUnknown | GateError::EnrolmentProof => Code::EnrolmentInvalid,
            GateError::EnrolmentExpired => Code::EnrolmentExpired,
            GateError::Decision { field, .. } | GateError::Plan { field, .. } => return Self::invalid(field, detail),
            GateError::DeviceName => return Self::invalid("name", detail),
            GateError::DeviceNotFound(_)
            | GateError::DecisionNotFound(_)
            | GateError::PlanNotFound
            | GateError::ChunkGone => Code::NotFound,
            GateError::DeviceUnknown => Code::DeviceUnknown,
            GateError::DeviceUnconfirmed => Code::DeviceUnconfirmed,
            GateError::DeviceRevoked => Code::DeviceRevoked,
            GateError::DeviceWiped => Code::DeviceWiped,
            GateError::DeviceNotRevoked => Code::Conflict,
            GateError::DeviceSignature(_) => Code::DeviceSignature,
            GateError::OtherEvent { .. } => Code::Forbidden,
            GateError::FingerprintMismatch => Code::FingerprintMismatch,
            GateError::Message(_) => Code::Malformed,
            GateError::TooManyRows { .. } => Code::Invalid,
            GateError::NotAnEdge | GateError::NotALane => Code::Forbidden,
            GateError::EdgeAddress => Code::Invalid,
            GateError::EdgeNotFound(_) => Code::NotFound,
            GateError::ListFromTheFuture { .. } => Code::Conflict,
            GateError::KeyMissing { .. } => Code::KeysMissing,
            GateError::Policy(_) => Code::Invalid,
        };
        Self::new(code, detail)
    }
}
