//! Tickets over HTTP, for the sales back end: parse, call, map.

use axum::Json;
use axum::body::to_bytes;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use ticket_signer::{Serial, TicketId};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Issued, Issuer, NewTicket, Ticket, TicketError, holder_http};
use crate::platform::http::{Begun, PathParams, RequestBody};
use crate::platform::ids::base64url;
use crate::platform::problem::ProblemDocument;
use crate::platform::{Actor, Answer, Code, Platform, Problem, Scope};

/// What the tickets' handlers work with.
#[derive(Clone)]
pub struct TicketsState {
    pub platform: Platform,
    pub issuer: Issuer,
}

pub fn routes() -> OpenApiRouter<TicketsState> {
    OpenApiRouter::new()
        .routes(routes!(issue_batch))
        .routes(routes!(ticket))
        .routes(routes!(revoke))
        .routes(routes!(reissue))
        .merge(holder_http::routes())
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BatchBody {
    /// 1 to 1,000.
    tickets: Vec<NewTicketBody>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewTicketBody {
    class: u16,
    /// The back end's own name for the ticket, up to 200 characters; it comes back with every answer.
    reference: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct IssuedBatchBody {
    tickets: Vec<IssuedBody>,
}

#[derive(Serialize, ToSchema)]
struct IssuedBody {
    ticket_id: String,
    serial: u8,
    class: u16,
    reference: Option<String>,
    /// For the guest. Its fragment holds a single-use secret: whoever has an unused link has the ticket.
    link: String,
    /// The printed ticket's code, for a QR symbol in alphanumeric mode.
    printed_code: String,
}

impl IssuedBody {
    fn new(issued: Issued, public_url: &str) -> Self {
        let secret = base64url(&issued.secret);
        Self {
            link: format!("{public_url}/t#{}.{secret}", issued.ticket),
            ticket_id: issued.ticket.to_string(),
            serial: issued.serial.get(),
            class: issued.class,
            reference: issued.reference,
            printed_code: issued.printed_code,
        }
    }
}

/// What is stored of an issuing call's answer: enough to derive links and codes again, and no secret.
#[derive(Serialize, Deserialize)]
struct StoredIssue {
    tickets: Vec<(u64, u8, u32)>,
}

impl StoredIssue {
    fn of(issued: &[Issued]) -> Self {
        let one = |issued: &Issued| (issued.ticket.0, issued.serial.get(), issued.link_number);
        Self { tickets: issued.iter().map(one).collect() }
    }

    /// The answer that was stored, made whole again.
    async fn restore(state: &TicketsState, stored: Response) -> Answer<Vec<Issued>> {
        let bytes = to_bytes(stored.into_body(), 1 << 20).await.map_err(Problem::internal)?;
        let stored: Self = serde_json::from_slice(&bytes).map_err(Problem::internal)?;
        let serial = |byte| Serial::new(byte).ok_or_else(|| Problem::internal("a stored serial outside 1 to 254"));
        let named: Vec<_> = stored
            .tickets
            .into_iter()
            .map(|(id, at, link)| Ok((TicketId(id), serial(at)?, link)))
            .collect::<Answer<_>>()?;
        let mut tx = state.platform.store.read().await?;
        Ok(super::issued_again(&mut tx, &state.issuer, &named).await?)
    }
}

fn replayed(answer: impl IntoResponse) -> Response {
    let mut response = answer.into_response();
    response.headers_mut().insert("idempotent-replayed", HeaderValue::from_static("true"));
    response
}

/// Issues tickets, all or none, each with a link for the guest and a code for paper.
#[utoipa::path(post, path = "/api/v1/events/{event}/tickets:batch", tag = "tickets", request_body = BatchBody,
    security(("api_key" = [])), params(("event" = u32, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 201, body = IssuedBatchBody), (status = "4XX", body = ProblemDocument)))]
async fn issue_batch(
    State(state): State<TicketsState>,
    PathParams(event): PathParams<u32>,
    actor: Actor,
    body: RequestBody,
) -> Answer<Response> {
    actor.require_scope(Scope::Tickets)?;
    let (new, call) = body.creating::<BatchBody>(&actor)?;
    let whole = |issued: Vec<Issued>| {
        let url = &state.platform.site.public_url;
        Json(IssuedBatchBody { tickets: issued.into_iter().map(|issued| IssuedBody::new(issued, url)).collect() })
    };
    let mut creation = match call.begin(&state.platform).await? {
        Begun::New(creation) => creation,
        Begun::Replayed(stored) => {
            return Ok(replayed((StatusCode::CREATED, whole(StoredIssue::restore(&state, stored).await?))));
        }
    };
    let batch: Vec<NewTicket> =
        new.tickets.into_iter().map(|new| NewTicket { class: new.class, reference: new.reference }).collect();
    let now_ms = state.platform.clock.now_ms();
    let issued = super::issue(&mut creation.tx, &state.issuer, event, &batch, now_ms).await?;
    creation.finish(StatusCode::CREATED, &StoredIssue::of(&issued)).await?;
    Ok((StatusCode::CREATED, whole(issued)).into_response())
}

#[derive(Serialize, ToSchema)]
struct TicketBody {
    ticket_id: String,
    event_id: u32,
    class: u16,
    serial: u8,
    /// `unbound`, `bound` or `revoked`.
    state: String,
    /// `none`, `ed25519` or `p256`.
    holder_algorithm: String,
    reference: Option<String>,
}

impl From<Ticket> for TicketBody {
    fn from(ticket: Ticket) -> Self {
        Self {
            ticket_id: ticket.id.to_string(),
            event_id: ticket.event.0,
            class: ticket.class,
            serial: ticket.serial.get(),
            state: ticket.state().to_owned(),
            holder_algorithm: ticket.holder.as_ref().map_or("none", |key| key.algorithm().name()).to_owned(),
            reference: ticket.reference,
        }
    }
}

fn ticket_id(text: &str) -> Answer<TicketId> {
    text.parse().map_err(|_| Problem::not_found("ticket of that id (16 lower-case hex digits)"))
}

/// One ticket as it stands.
#[utoipa::path(get, path = "/api/v1/tickets/{ticket}", tag = "tickets", security(("api_key" = [])),
    params(("ticket" = String, Path)),
    responses((status = 200, body = TicketBody), (status = "4XX", body = ProblemDocument)))]
async fn ticket(
    State(state): State<TicketsState>,
    PathParams(id): PathParams<String>,
    actor: Actor,
) -> Answer<Json<TicketBody>> {
    actor.require_scope(Scope::Tickets)?;
    let mut tx = state.platform.store.read().await?;
    Ok(Json(super::ticket(&mut tx, ticket_id(&id)?).await?.into()))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RevokeBody {
    /// For the log; at most 200 characters.
    reason: Option<String>,
}

/// Cancels a ticket for good. Doing it again changes nothing.
#[utoipa::path(post, path = "/api/v1/tickets/{ticket}/revoke", tag = "tickets", request_body = RevokeBody,
    security(("api_key" = [])), params(("ticket" = String, Path)),
    responses((status = 200, body = TicketBody), (status = "4XX", body = ProblemDocument)))]
async fn revoke(
    State(state): State<TicketsState>,
    PathParams(id): PathParams<String>,
    actor: Actor,
    body: RequestBody,
) -> Answer<Json<TicketBody>> {
    actor.require_scope(Scope::Tickets)?;
    let RevokeBody { reason } = body.json()?;
    if reason.as_ref().is_some_and(|reason| reason.chars().count() > 200) {
        return Err(Problem::invalid("reason", "The reason is longer than 200 characters."));
    }
    let mut tx = state.platform.store.write().await?;
    let ticket = super::revoke(&mut tx, ticket_id(&id)?).await?;
    tx.commit().await?;
    tracing::info!(ticket = %ticket.id, by = actor.reference(), reason, "ticket revoked");
    Ok(Json(ticket.into()))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReissueBody {}

/// Gives a ticket a new serial and a new link; the phone or paper that had it is retired.
#[utoipa::path(post, path = "/api/v1/tickets/{ticket}/reissue", tag = "tickets", request_body = ReissueBody,
    security(("api_key" = [])), params(("ticket" = String, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 201, body = IssuedBody), (status = "4XX", body = ProblemDocument)))]
async fn reissue(
    State(state): State<TicketsState>,
    PathParams(id): PathParams<String>,
    actor: Actor,
    body: RequestBody,
) -> Answer<Response> {
    actor.require_scope(Scope::Tickets)?;
    let (ReissueBody {}, call) = body.creating(&actor)?;
    let url = &state.platform.site.public_url;
    let mut creation = match call.begin(&state.platform).await? {
        Begun::New(creation) => creation,
        Begun::Replayed(stored) => {
            let issued = StoredIssue::restore(&state, stored).await?.pop();
            let issued = issued.ok_or_else(|| Problem::internal("a stored re-issue without a ticket"))?;
            return Ok(replayed((StatusCode::CREATED, Json(IssuedBody::new(issued, url)))));
        }
    };
    let now_ms = state.platform.clock.now_ms();
    let issued = super::reissue(&mut creation.tx, &state.issuer, ticket_id(&id)?, now_ms).await?;
    creation.finish(StatusCode::CREATED, &StoredIssue::of(std::slice::from_ref(&issued))).await?;
    Ok((StatusCode::CREATED, Json(IssuedBody::new(issued, url))).into_response())
}

impl From<TicketError> for Problem {
    fn from(error: TicketError) -> Self {
        let detail = error.to_string();
        match error {
            TicketError::Store(error) => error.into(),
            TicketError::Catalog(error) => error.into(),
            TicketError::Batch(_) => Self::invalid("tickets", detail),
            TicketError::Reference { at, .. } => Self::invalid(&format!("tickets[{at}].reference"), detail),
            TicketError::UnknownClass { at, .. } => Self::invalid(&format!("tickets[{at}].class"), detail),
            TicketError::NotFound { .. } => Self::new(Code::NotFound, detail),
            TicketError::SerialsUsedUp { .. } => Self::new(Code::Conflict, detail),
            TicketError::NoIssueKey { .. } => Self::new(Code::KeysMissing, detail),
            TicketError::LinkInvalid => Self::new(Code::LinkInvalid, detail),
            TicketError::LinkSuperseded => Self::new(Code::LinkSuperseded, detail),
            TicketError::LinkUsed => Self::new(Code::LinkUsed, detail),
            TicketError::Revoked => Self::new(Code::TicketRevoked, detail),
            TicketError::KeyRefused { .. } => Self::new(Code::KeyRefused, detail),
            TicketError::BindingRate { retry_after_ms } => {
                Self::new(Code::BindingRate, detail).retry_after_ms(retry_after_ms.unsigned_abs())
            }
            TicketError::Format(_) => Self::internal(detail),
        }
    }
}
