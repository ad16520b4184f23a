//! The staff of an event's lanes over HTTP, for the supervisor's page. Parse, call, map; and wake the lanes.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use gate_core::staff::Role;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Gate;
use crate::accounts::{self, LaneStaff, LaneStaffChange};
use crate::catalog;
use crate::platform::http::{PathParams, RequestBody};
use crate::platform::problem::ProblemDocument;
use crate::platform::{Actor, Answer};

pub(super) fn routes() -> OpenApiRouter<Gate> {
    OpenApiRouter::new().routes(routes!(list_staff)).routes(routes!(put_staff, remove_staff))
}

/// A member of staff at the lanes.
#[derive(Serialize, ToSchema)]
struct LaneStaffBody {
    /// Typed before the PIN.
    number: u16,
    name: String,
    /// `steward` or `supervisor`.
    #[schema(value_type = String)]
    role: Role,
    changed_at_ms: i64,
}

impl From<LaneStaff> for LaneStaffBody {
    fn from(member: LaneStaff) -> Self {
        let LaneStaff { number, name, role, changed_at_ms, .. } = member;
        Self { number, name, role, changed_at_ms }
    }
}

#[derive(Serialize, ToSchema)]
struct LaneStaffListBody {
    staff: Vec<LaneStaffBody>,
}

/// Who may unlock a handheld of this event, by number.
#[utoipa::path(get, path = "/api/v1/events/{event}/staff", tag = "devices", security(("session" = [])),
    params(("event" = u32, Path)),
    responses((status = 200, body = LaneStaffListBody), (status = "4XX", body = ProblemDocument)))]
async fn list_staff(
    State(gate): State<Gate>,
    PathParams(event): PathParams<u32>,
    actor: Actor,
) -> Answer<Json<LaneStaffListBody>> {
    actor.require_supervisor()?;
    let mut tx = gate.platform.store.read().await?;
    catalog::event(&mut tx, event).await?;
    let staff = accounts::lane_staff(&mut tx, event).await?;
    Ok(Json(LaneStaffListBody { staff: staff.into_iter().map(Into::into).collect() }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PutLaneStaffBody {
    name: String,
    /// `steward`: may let the rest of a group in. `supervisor`: may decide everything at a lane.
    #[schema(value_type = String)]
    role: Role,
    /// Six to eight digits; left out, the PIN stays as it is.
    #[serde(default)]
    pin: Option<String>,
}

/// Adds the member of staff with this number, or changes name, role or PIN. Connected handhelds know within seconds. The
/// same again changes nothing, so it needs no `Idempotency-Key`, which would keep a hash of the PIN.
#[utoipa::path(put, path = "/api/v1/events/{event}/staff/{number}", tag = "devices", request_body = PutLaneStaffBody,
    security(("session" = [])), params(("event" = u32, Path), ("number" = u16, Path)),
    responses((status = 200, body = LaneStaffBody), (status = 201, body = LaneStaffBody), (status = "4XX", body = ProblemDocument)))]
async fn put_staff(
    State(gate): State<Gate>,
    PathParams((event, number)): PathParams<(u32, u16)>,
    actor: Actor,
    body: RequestBody,
) -> Answer<Response> {
    actor.require_supervisor()?;
    let PutLaneStaffBody { name, role, pin } = body.json()?;
    let verifier = match &pin {
        Some(pin) => Some(accounts::pin_verifier(&gate.platform.random, pin).await?),
        None => None,
    };
    let mut tx = gate.platform.store.write().await?;
    catalog::event(&mut tx, event).await?;
    let change = LaneStaffChange { number, name, role, verifier };
    let now_ms = gate.platform.clock.now_ms();
    let (member, new) = accounts::put_lane_staff(&mut tx, event, change, now_ms, &actor).await?;
    tx.commit().await?;
    gate.news.tell(event);
    tracing::info!(event, number, by = actor.reference(), new, "staff changed");
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(LaneStaffBody::from(member))).into_response())
}

/// Takes a member of staff away. Who is not there stays away.
#[utoipa::path(delete, path = "/api/v1/events/{event}/staff/{number}", tag = "devices", security(("session" = [])),
    params(("event" = u32, Path), ("number" = u16, Path)),
    responses((status = 204), (status = "4XX", body = ProblemDocument)))]
async fn remove_staff(
    State(gate): State<Gate>,
    PathParams((event, number)): PathParams<(u32, u16)>,
    actor: Actor,
) -> Answer<StatusCode> {
    actor.require_supervisor()?;
    let mut tx = gate.platform.store.write().await?;
    catalog::event(&mut tx, event).await?;
    let removed = accounts::remove_lane_staff(&mut tx, event, number, gate.platform.clock.now_ms()).await?;
    tx.commit().await?;
    if removed {
        gate.news.tell(event);
        tracing::info!(event, number, by = actor.reference(), "staff removed");
    }
    Ok(StatusCode::NO_CONTENT)
}
