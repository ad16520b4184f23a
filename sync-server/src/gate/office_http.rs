//! The supervisor's page over HTTP: enrolment, devices, the live stream and conflicts.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use ticket_signer::DeviceId;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::decisions::Decision;
use super::live::{ConflictBody, DecisionBody, DeviceBody, Quarantine};
use super::{Gate, decisions, devices, feed, live, release, store, wipes};
use crate::catalog;
use crate::platform::http::{Begun, PathParams, RequestBody};
use crate::platform::problem::ProblemDocument;
use crate::platform::{Actor, Answer, Problem};

pub(super) fn routes() -> OpenApiRouter<Gate> {
    OpenApiRouter::new()
        .routes(routes!(begin_enrolment))
        .routes(routes!(list_devices))
        .routes(routes!(confirm_device))
        .routes(routes!(revoke_device))
        .routes(routes!(wipe_device))
        .routes(routes!(release_device))
        .routes(routes!(make_decision))
        .routes(routes!(end_decision))
        .routes(routes!(live_stream))
        .routes(routes!(list_conflicts))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewEnrolmentBody {
    /// The lane that a handheld is for; left away, the code is for a venue's edge.
    lane_id: Option<u32>,
    /// The venue's edge that the handheld talks to; left away, it talks to this server.
    edge_id: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct EnrolmentBody {
    id: i64,
    /// For a QR symbol in alphanumeric mode. Single use.
    qr_text: String,
    expires_at_ms: i64,
}

/// Makes an enrolment code for a lane, or for a venue's edge: good for two minutes, and once.
#[utoipa::path(post, path = "/api/v1/events/{event}/enrolments", tag = "devices", request_body = NewEnrolmentBody,
    security(("session" = [])), params(("event" = u32, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 201, body = EnrolmentBody), (status = "4XX", body = ProblemDocument)))]
async fn begin_enrolment(
    State(gate): State<Gate>,
    PathParams(event): PathParams<u32>,
    actor: Actor,
    body: RequestBody,
) -> Answer<Response> {
    actor.require_supervisor()?;
    let (new, call) = body.creating::<NewEnrolmentBody>(&actor)?;
    let mut creation = match call.begin(&gate.platform).await? {
        Begun::New(creation) => creation,
        Begun::Replayed(answer) => return Ok(answer),
    };
    let edge = new.edge_id.as_deref().map(device_id).transpose()?;
    let whom = (new.lane_id, edge);
    let enrolment = devices::begin(&gate, &mut creation.tx, event, whom, &actor.reference()).await?;
    let body = EnrolmentBody { id: enrolment.id, qr_text: enrolment.text, expires_at_ms: enrolment.expires_at_ms };
    // The code is a secret: it is not kept longer than it is good for.
    creation.finish_until(StatusCode::CREATED, &body, enrolment.expires_at_ms).await
}

#[derive(Serialize, ToSchema)]
struct DevicesBody {
    devices: Vec<DeviceBody>,
}

/// The event's handhelds, oldest first.
#[utoipa::path(get, path = "/api/v1/events/{event}/devices", tag = "devices", security(("session" = [])),
    params(("event" = u32, Path)),
    responses((status = 200, body = DevicesBody), (status = "4XX", body = ProblemDocument)))]
async fn list_devices(
    State(gate): State<Gate>,
    PathParams(event): PathParams<u32>,
    actor: Actor,
) -> Answer<Json<DevicesBody>> {
    actor.require_supervisor()?;
    let mut tx = gate.platform.store.read().await?;
    let lanes = catalog::lanes(&mut tx, event).await?;
    let now_ms = gate.platform.clock.now_ms();
    let devices = store::devices(&mut tx, event).await?;
    let quarantine = Quarantine::of(&mut tx, event).await?;
    let body = |device| DeviceBody::new(device, &lanes, &quarantine, now_ms);
    Ok(Json(DevicesBody { devices: devices.iter().map(body).collect() }))
}

fn device_id(text: &str) -> Answer<DeviceId> {
    text.parse().map_err(|_| Problem::not_found("device of that id (16 lower-case hex digits)"))
}

async fn answer_device(gate: &Gate, device: &super::Device) -> Answer<Json<DeviceBody>> {
    gate.news.tell(device.event_id);
    let mut tx = gate.platform.store.read().await?;
    let lanes = catalog::lanes(&mut tx, device.event_id).await?;
    let quarantine = Quarantine::of(&mut tx, device.event_id).await?;
    Ok(Json(DeviceBody::new(device, &lanes, &quarantine, gate.platform.clock.now_ms())))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ConfirmBody {
    /// As the handheld shows it: `XXXX-XXXX-XXXX-XXXX`.
    fingerprint: String,
}

/// Lets a handheld work, once its fingerprint was compared.
#[utoipa::path(post, path = "/api/v1/devices/{device}/confirm", tag = "devices", request_body = ConfirmBody,
    security(("session" = [])), params(("device" = String, Path)),
    responses((status = 200, body = DeviceBody), (status = "4XX", body = ProblemDocument)))]
async fn confirm_device(
    State(gate): State<Gate>,
    PathParams(device): PathParams<String>,
    actor: Actor,
    body: RequestBody,
) -> Answer<Json<DeviceBody>> {
    actor.require_supervisor()?;
    let ConfirmBody { fingerprint } = body.json()?;
    let mut tx = gate.platform.store.write().await?;
    let device = devices::confirm(&mut tx, device_id(&device)?, &fingerprint).await?;
    tx.commit().await?;
    tracing::info!(device = %device.id, by = actor.reference(), "device confirmed");
    answer_device(&gate, &device).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RevokeDeviceBody {}

/// Takes a handheld out of use, for good. What it sends from then on is kept apart.
#[utoipa::path(post, path = "/api/v1/devices/{device}/revoke", tag = "devices", request_body = RevokeDeviceBody,
    security(("session" = [])), params(("device" = String, Path)),
    responses((status = 200, body = DeviceBody), (status = "4XX", body = ProblemDocument)))]
async fn revoke_device(
    State(gate): State<Gate>,
    PathParams(device): PathParams<String>,
    actor: Actor,
    body: RequestBody,
) -> Answer<Json<DeviceBody>> {
    actor.require_supervisor()?;
    let RevokeDeviceBody {} = body.json()?;
    let mut tx = gate.platform.store.write().await?;
    let device = devices::revoke(&mut tx, device_id(&device)?, gate.platform.clock.now_ms()).await?;
    tx.commit().await?;
    tracing::info!(device = %device.id, by = actor.reference(), "device revoked");
    answer_device(&gate, &device).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WipeDeviceBody {}

/// Has a handheld forget lists, policy and place, once it has handed in its scans. Doing it again changes nothing.
#[utoipa::path(post, path = "/api/v1/devices/{device}/wipe", tag = "devices", request_body = WipeDeviceBody,
    security(("session" = [])), params(("device" = String, Path)),
    responses((status = 200, body = DeviceBody), (status = "4XX", body = ProblemDocument)))]
async fn wipe_device(
    State(gate): State<Gate>,
    PathParams(device): PathParams<String>,
    actor: Actor,
    body: RequestBody,
) -> Answer<Json<DeviceBody>> {
    actor.require_supervisor()?;
    let WipeDeviceBody {} = body.json()?;
    let mut tx = gate.platform.store.write().await?;
    let device = wipes::order(&gate, &mut tx, device_id(&device)?).await?;
    tx.commit().await?;
    tracing::info!(device = %device.id, by = actor.reference(), "device is to be wiped");
    answer_device(&gate, &device).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReleaseDeviceBody {
    /// Only scans from before this time, where it is earlier than the revocation: since then nobody of yours had the device.
    #[serde(default)]
    until_ms: Option<i64>,
}

#[derive(Serialize, ToSchema)]
struct ReleasedBody {
    /// Scans that count from now on.
    released: u64,
    /// Scans that stay apart: they say a time after the revocation, follow one that does, or their chain has a gap.
    waiting: u64,
}

/// Lets a revoked handheld's scans from before its revocation count. Doing it again releases what has come since.
#[utoipa::path(post, path = "/api/v1/devices/{device}/release", tag = "devices", request_body = ReleaseDeviceBody,
    security(("session" = [])), params(("device" = String, Path)),
    responses((status = 200, body = ReleasedBody), (status = "4XX", body = ProblemDocument)))]
async fn release_device(
    State(gate): State<Gate>,
    PathParams(device): PathParams<String>,
    actor: Actor,
    body: RequestBody,
) -> Answer<Json<ReleasedBody>> {
    actor.require_supervisor()?;
    let ReleaseDeviceBody { until_ms } = body.json()?;
    let device = device_id(&device)?;
    let mut tx = gate.platform.store.write().await?;
    let released = release::release(&gate, &mut tx, device, until_ms, &actor).await?;
    tx.commit().await?;
    tracing::info!(%device, rows = released.rows, by = actor.reference(), "scans released from quarantine");
    gate.news.tell(released.event_id);
    Ok(Json(ReleasedBody { released: released.rows, waiting: released.waiting }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewDecisionBody {
    decision: Decision,
    /// How long it holds: from 1 to 1,440.
    minutes: u32,
}

/// Decides something for a while: a lane is closed, a class moves, a rule is another one, staff are told. Connected lanes
/// obey within seconds.
#[utoipa::path(post, path = "/api/v1/events/{event}/decisions", tag = "devices", request_body = NewDecisionBody,
    security(("session" = [])), params(("event" = u32, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 201, body = DecisionBody), (status = "4XX", body = ProblemDocument)))]
async fn make_decision(
    State(gate): State<Gate>,
    PathParams(event): PathParams<u32>,
    actor: Actor,
    body: RequestBody,
) -> Answer<Response> {
    actor.require_supervisor()?;
    let (new, call) = body.creating::<NewDecisionBody>(&actor)?;
    let mut creation = match call.begin(&gate.platform).await? {
        Begun::New(creation) => creation,
        Begun::Replayed(answer) => return Ok(answer),
    };
    let decided = (new.decision, new.minutes);
    let kept = decisions::make(&gate, &mut creation.tx, event, decided, &actor).await?;
    let answer = creation.finish(StatusCode::CREATED, &DecisionBody::from(kept)).await?;
    gate.news.tell(event);
    Ok(answer)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct EndDecisionBody {}

/// Ends a decision before its time: the organiser's policy holds again. Ending it twice changes nothing.
#[utoipa::path(post, path = "/api/v1/decisions/{decision}/end", tag = "devices", request_body = EndDecisionBody,
    security(("session" = [])), params(("decision" = u64, Path)),
    responses((status = 200, body = DecisionBody), (status = "4XX", body = ProblemDocument)))]
async fn end_decision(
    State(gate): State<Gate>,
    PathParams(decision): PathParams<u64>,
    actor: Actor,
    body: RequestBody,
) -> Answer<Json<DecisionBody>> {
    actor.require_supervisor()?;
    let EndDecisionBody {} = body.json()?;
    let mut tx = gate.platform.store.write().await?;
    let kept = decisions::end(&gate, &mut tx, decision, &actor).await?;
    tx.commit().await?;
    gate.news.tell(kept.event_id);
    Ok(Json(kept.into()))
}

/// Lanes, minutes, devices and conflicts: server-sent events `snapshot`, the first at once, then with every change and at
/// least every five seconds.
#[utoipa::path(get, path = "/api/v1/events/{event}/live", tag = "devices", security(("session" = [])),
    params(("event" = u32, Path)),
    responses((status = 200, content_type = "text/event-stream", body = live::Snapshot), (status = "4XX", body = ProblemDocument)))]
async fn live_stream(State(gate): State<Gate>, PathParams(event): PathParams<u32>, actor: Actor) -> Answer<Response> {
    actor.require_supervisor()?;
    let mut tx = gate.platform.store.read().await?;
    catalog::event(&mut tx, event).await?;
    drop(tx);
    Ok(feed::live(gate, event).into_response())
}

#[derive(Serialize, ToSchema)]
struct ConflictsBody {
    conflicts: Vec<ConflictBody>,
}

/// Tickets that were admitted more often than they allow.
#[utoipa::path(get, path = "/api/v1/events/{event}/conflicts", tag = "devices", security(("session" = [])),
    params(("event" = u32, Path)),
    responses((status = 200, body = ConflictsBody), (status = "4XX", body = ProblemDocument)))]
async fn list_conflicts(
    State(gate): State<Gate>,
    PathParams(event): PathParams<u32>,
    actor: Actor,
) -> Answer<Json<ConflictsBody>> {
    actor.require_supervisor()?;
    let mut tx = gate.platform.store.read().await?;
    let lanes = catalog::lanes(&mut tx, event).await?;
    let devices = store::devices(&mut tx, event).await?;
    Ok(Json(ConflictsBody { conflicts: live::conflicts(&mut tx, event, &lanes, &devices).await? }))
}
