//! The catalog over HTTP: parse, call, map.

use std::ops::RangeInclusive;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{CatalogError, NewClass, NewEvent, policy_http};
use crate::platform::http::{Begun, PathParams, RequestBody};
use crate::platform::problem::ProblemDocument;
use crate::platform::{Actor, Answer, Code, Platform, Problem, Scope};

/// The ranges of event ids that may be made here: those of the issue certificate. `api` provides it.
pub type AllowedEvents = Arc<dyn Fn() -> Vec<RangeInclusive<u32>> + Send + Sync>;

/// What the catalog's handlers work with.
#[derive(Clone)]
pub struct CatalogState {
    pub platform: Platform,
    pub allowed_events: AllowedEvents,
}

pub fn routes() -> OpenApiRouter<CatalogState> {
    OpenApiRouter::new()
        .routes(routes!(create_venue))
        .routes(routes!(create_event, events))
        .routes(routes!(create_entrance))
        .routes(routes!(create_lane, lanes))
        .routes(routes!(create_class))
        .routes(routes!(policy_http::put_policy, policy_http::policy))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewVenueBody {
    name: String,
    /// A name of the IANA time zone database, as in `Europe/Vienna`.
    time_zone: String,
}

#[derive(Serialize, ToSchema)]
struct VenueBody {
    id: u32,
    name: String,
    time_zone: String,
}

/// Makes a venue.
#[utoipa::path(post, path = "/api/v1/venues", tag = "catalog", request_body = NewVenueBody, security(("api_key" = [])),
    params(("Idempotency-Key" = String, Header)),
    responses((status = 201, body = VenueBody), (status = "4XX", body = ProblemDocument)))]
async fn create_venue(State(state): State<CatalogState>, actor: Actor, body: RequestBody) -> Answer<Response> {
    actor.require_scope(Scope::Catalog)?;
    let (new, call) = body.creating::<NewVenueBody>(&actor)?;
    let mut creation = match call.begin(&state.platform).await? {
        Begun::New(creation) => creation,
        Begun::Replayed(answer) => return Ok(answer),
    };
    let venue = super::create_venue(&mut creation.tx, &new.name, &new.time_zone, state.platform.clock.now_ms()).await?;
    let answer = VenueBody { id: venue.id, name: venue.name, time_zone: venue.time_zone };
    creation.finish(StatusCode::CREATED, &answer).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewEventBody {
    /// One that the server's issue certificate names; without it the lowest free one is taken.
    id: Option<u32>,
    venue_id: u32,
    name: String,
    starts_at_ms: i64,
    ends_at_ms: i64,
}

#[derive(Serialize, ToSchema)]
struct EventBody {
    id: u32,
    venue_id: u32,
    name: String,
    /// The venue's name.
    venue: String,
    time_zone: String,
    starts_at_ms: i64,
    ends_at_ms: i64,
}

impl From<super::Event> for EventBody {
    fn from(event: super::Event) -> Self {
        Self {
            id: event.id,
            venue_id: event.venue.id,
            name: event.name,
            venue: event.venue.name,
            time_zone: event.venue.time_zone,
            starts_at_ms: event.starts_at_ms,
            ends_at_ms: event.ends_at_ms,
        }
    }
}

/// Makes an event at a venue.
#[utoipa::path(post, path = "/api/v1/events", tag = "catalog", request_body = NewEventBody, security(("api_key" = [])),
    params(("Idempotency-Key" = String, Header)),
    responses((status = 201, body = EventBody), (status = "4XX", body = ProblemDocument)))]
async fn create_event(State(state): State<CatalogState>, actor: Actor, body: RequestBody) -> Answer<Response> {
    actor.require_scope(Scope::Catalog)?;
    let (new, call) = body.creating::<NewEventBody>(&actor)?;
    let mut creation = match call.begin(&state.platform).await? {
        Begun::New(creation) => creation,
        Begun::Replayed(answer) => return Ok(answer),
    };
    let NewEventBody { id, venue_id, name, starts_at_ms, ends_at_ms } = new;
    let new = NewEvent { id, venue_id, name, starts_at_ms, ends_at_ms };
    let allowed = (state.allowed_events)();
    if allowed.is_empty() {
        return Err(Problem::new(
            Code::KeysMissing,
            "The server has no issue certificate yet, so it can issue for no event; its operator imports one with \
             `sync-server key import`.",
        ));
    }
    let event = super::create_event(&mut creation.tx, &new, &allowed, state.platform.clock.now_ms()).await?;
    creation.finish(StatusCode::CREATED, &EventBody::from(event)).await
}

#[derive(Serialize, ToSchema)]
struct EventsBody {
    events: Vec<EventBody>,
}

/// All events, those that start first in front.
#[utoipa::path(get, path = "/api/v1/events", tag = "catalog", security(("session" = []), ("api_key" = [])),
    responses((status = 200, body = EventsBody), (status = 401, body = ProblemDocument)))]
async fn events(State(state): State<CatalogState>, actor: Actor) -> Answer<Json<EventsBody>> {
    actor.require_supervisor_or(Scope::Catalog)?;
    let events = super::events(&mut state.platform.store.read().await?).await?;
    Ok(Json(EventsBody { events: events.into_iter().map(EventBody::from).collect() }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewEntranceBody {
    name: String,
}

#[derive(Serialize, ToSchema)]
struct EntranceBody {
    id: u32,
    name: String,
}

/// Makes an entrance of an event.
#[utoipa::path(post, path = "/api/v1/events/{event}/entrances", tag = "catalog", request_body = NewEntranceBody,
    security(("api_key" = [])), params(("event" = u32, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 201, body = EntranceBody), (status = "4XX", body = ProblemDocument)))]
async fn create_entrance(
    State(state): State<CatalogState>,
    PathParams(event): PathParams<u32>,
    actor: Actor,
    body: RequestBody,
) -> Answer<Response> {
    actor.require_scope(Scope::Catalog)?;
    let (new, call) = body.creating::<NewEntranceBody>(&actor)?;
    let mut creation = match call.begin(&state.platform).await? {
        Begun::New(creation) => creation,
        Begun::Replayed(answer) => return Ok(answer),
    };
    let now_ms = state.platform.clock.now_ms();
    let entrance = super::create_entrance(&mut creation.tx, event, &new.name, now_ms).await?;
    creation.finish(StatusCode::CREATED, &EntranceBody { id: entrance.id, name: entrance.name }).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewLaneBody {
    entrance_id: u32,
    name: String,
}

#[derive(Serialize, ToSchema)]
struct LaneBody {
    id: u32,
    name: String,
    entrance_id: u32,
    /// The entrance's name.
    entrance: String,
}

impl From<super::Lane> for LaneBody {
    fn from(lane: super::Lane) -> Self {
        Self { id: lane.id, name: lane.name, entrance_id: lane.entrance_id, entrance: lane.entrance }
    }
}

/// Makes a lane at an entrance.
#[utoipa::path(post, path = "/api/v1/events/{event}/lanes", tag = "catalog", request_body = NewLaneBody,
    security(("api_key" = [])), params(("event" = u32, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 201, body = LaneBody), (status = "4XX", body = ProblemDocument)))]
async fn create_lane(
    State(state): State<CatalogState>,
    PathParams(event): PathParams<u32>,
    actor: Actor,
    body: RequestBody,
) -> Answer<Response> {
    actor.require_scope(Scope::Catalog)?;
    let (new, call) = body.creating::<NewLaneBody>(&actor)?;
    let mut creation = match call.begin(&state.platform).await? {
        Begun::New(creation) => creation,
        Begun::Replayed(answer) => return Ok(answer),
    };
    let now_ms = state.platform.clock.now_ms();
    let lane = super::create_lane(&mut creation.tx, event, new.entrance_id, &new.name, now_ms).await?;
    creation.finish(StatusCode::CREATED, &LaneBody::from(lane)).await
}

#[derive(Serialize, ToSchema)]
struct LanesBody {
    lanes: Vec<LaneBody>,
}

/// The lanes of an event.
#[utoipa::path(get, path = "/api/v1/events/{event}/lanes", tag = "catalog", params(("event" = u32, Path)),
    security(("session" = []), ("api_key" = [])),
    responses((status = 200, body = LanesBody), (status = "4XX", body = ProblemDocument)))]
async fn lanes(
    State(state): State<CatalogState>,
    PathParams(event): PathParams<u32>,
    actor: Actor,
) -> Answer<Json<LanesBody>> {
    actor.require_supervisor_or(Scope::Catalog)?;
    let lanes = super::lanes(&mut state.platform.store.read().await?, event).await?;
    Ok(Json(LanesBody { lanes: lanes.into_iter().map(LaneBody::from).collect() }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewClassBody {
    id: u16,
    name: String,
    valid_from_ms: i64,
    valid_until_ms: i64,
    /// How often a ticket may be admitted, 1 to 255.
    #[serde(default = "one")]
    admissions: u8,
    /// 1 asks the gate's staff to check an entitlement, such as a student's card.
    #[serde(default)]
    flags: u8,
}

fn one() -> u8 {
    1
}

#[derive(Serialize, ToSchema)]
struct ClassBody {
    id: u16,
    name: String,
    valid_from_ms: i64,
    valid_until_ms: i64,
    admissions: u8,
    flags: u8,
}

/// Makes a class of ticket.
#[utoipa::path(post, path = "/api/v1/events/{event}/classes", tag = "catalog", request_body = NewClassBody,
    security(("api_key" = [])), params(("event" = u32, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 201, body = ClassBody), (status = "4XX", body = ProblemDocument)))]
async fn create_class(
    State(state): State<CatalogState>,
    PathParams(event): PathParams<u32>,
    actor: Actor,
    body: RequestBody,
) -> Answer<Response> {
    actor.require_scope(Scope::Catalog)?;
    let (new, call) = body.creating::<NewClassBody>(&actor)?;
    let mut creation = match call.begin(&state.platform).await? {
        Begun::New(creation) => creation,
        Begun::Replayed(answer) => return Ok(answer),
    };
    let NewClassBody { id, name, valid_from_ms, valid_until_ms, admissions, flags } = new;
    let new = NewClass { id, name, valid_from_ms, valid_until_ms, admissions, flags };
    let class = super::create_class(&mut creation.tx, event, &new, state.platform.clock.now_ms()).await?;
    let answer = ClassBody {
        id: class.id,
        name: class.name,
        valid_from_ms: class.valid_from_ms,
        valid_until_ms: class.valid_until_ms,
        admissions: class.admissions,
        flags: class.flags,
    };
    creation.finish(StatusCode::CREATED, &answer).await
}

impl From<CatalogError> for Problem {
    fn from(error: CatalogError) -> Self {
        let detail = error.to_string();
        match error {
            CatalogError::Store(error) => error.into(),
            CatalogError::Invalid { field, .. } => Self::invalid(field, detail),
            CatalogError::NotFound { .. } => Self::new(Code::NotFound, detail),
            CatalogError::NameTaken { .. } => Self::new(Code::Conflict, detail).with("field", "name"),
            CatalogError::EventTaken { .. } | CatalogError::ClassTaken { .. } => {
                Self::new(Code::Conflict, detail).with("field", "id")
            }
            CatalogError::EventNotCertified { .. } | CatalogError::NoEventIdLeft => {
                Self::new(Code::EventNotCertified, detail).with("field", "id")
            }
            CatalogError::TooMany { .. } => Self::new(Code::Conflict, detail),
        }
    }
}
