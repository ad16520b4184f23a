//! The plan of an event's evening over HTTP.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::evening::{self, EveningBody};
use super::model::GateError;
use super::planning::PlanInput;
use super::store::{self, KeptPlan};
use super::{Gate, Result as GateResult};
use crate::catalog;
use crate::platform::http::{PathParams, RequestBody};
use crate::platform::problem::ProblemDocument;
use crate::platform::{Actor, Answer, Scope};

pub(super) fn routes() -> OpenApiRouter<Gate> {
    OpenApiRouter::new().routes(routes!(put_plan)).routes(routes!(plan)).routes(routes!(evening_now))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPlanBody {
    /// Minute 0 of the plan: a whole minute.
    doors_open_at_ms: i64,
    /// As `docs/planning.md` describes it.
    #[schema(value_type = Object)]
    plan: PlanInput,
}

#[derive(Serialize, ToSchema)]
struct PlanBody {
    doors_open_at_ms: i64,
    put_at_ms: i64,
    /// The name of who put it.
    put_by: String,
    #[schema(value_type = Object)]
    plan: PlanInput,
}

impl From<KeptPlan> for PlanBody {
    fn from(kept: KeptPlan) -> Self {
        let KeptPlan { input, doors_open_at_ms, put_at_ms, put_by } = kept;
        Self { doors_open_at_ms, put_at_ms, put_by, plan: input }
    }
}

/// Keeps the plan of the evening, in place of the one before. Repeating it harms nothing.
#[utoipa::path(put, path = "/api/v1/events/{event}/plan", tag = "planning", request_body = NewPlanBody,
    security(("session" = []), ("api_key" = [])), params(("event" = u32, Path)),
    responses((status = 200, body = PlanBody), (status = "4XX", body = ProblemDocument)))]
async fn put_plan(
    State(gate): State<Gate>,
    PathParams(event): PathParams<u32>,
    actor: Actor,
    body: RequestBody,
) -> Answer<Json<PlanBody>> {
    actor.require_supervisor_or(Scope::Catalog)?;
    let NewPlanBody { doors_open_at_ms, plan } = body.json()?;
    let mut tx = gate.platform.store.write().await?;
    let kept = evening::put(&gate, &mut tx, event, (plan, doors_open_at_ms), &actor).await?;
    tx.commit().await?;
    Ok(Json(kept.into()))
}

async fn kept(gate: &Gate, event: u32) -> GateResult<KeptPlan> {
    let mut tx = gate.platform.store.read().await?;
    catalog::event(&mut tx, event).await?;
    store::plan(&mut tx, event).await?.ok_or(GateError::PlanNotFound)
}

/// The plan of the evening.
#[utoipa::path(get, path = "/api/v1/events/{event}/plan", tag = "planning", security(("session" = []), ("api_key" = [])),
    params(("event" = u32, Path)),
    responses((status = 200, body = PlanBody), (status = "4XX", body = ProblemDocument)))]
async fn plan(State(gate): State<Gate>, PathParams(event): PathParams<u32>, actor: Actor) -> Answer<Json<PlanBody>> {
    actor.require_supervisor_or(Scope::Catalog)?;
    Ok(Json(kept(&gate, event).await?.into()))
}

/// The evening against its plan: planned and real admissions by entrance, how it stands, and warnings while there is time.
#[utoipa::path(get, path = "/api/v1/events/{event}/plan/evening", tag = "planning", security(("session" = [])),
    params(("event" = u32, Path)),
    responses((status = 200, body = EveningBody), (status = "4XX", body = ProblemDocument)))]
async fn evening_now(
    State(gate): State<Gate>,
    PathParams(event): PathParams<u32>,
    actor: Actor,
) -> Answer<Json<EveningBody>> {
    actor.require_supervisor()?;
    Ok(Json(evening::now(&gate, event).await?))
}
