//! Tickets over HTTP, for the guest's phone. The secret in the body is the authority; nobody signs in.

use axum::Json;
use axum::extract::State;
use gate_core::wire::v1::SignedTime;
use serde::{Deserialize, Serialize};
use ticket_signer::{HolderAlgorithm, Role, TicketId, UntrustedCode};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::http::TicketsState;
use super::{BindRequest, HolderTicket, TicketError};
use crate::platform::http::RequestBody;
use crate::platform::ids::{base64url, parse_base64url};
use crate::platform::problem::ProblemDocument;
use crate::platform::{Answer, Code, Problem};

/// For how long after binding the page shows the full code by itself: lanes that are connected have the list by then.
const FULL_CODE_MS: i64 = 10 * 60 * 1_000;

pub(super) fn routes() -> OpenApiRouter<TicketsState> {
    OpenApiRouter::new().routes(routes!(open_link)).routes(routes!(bind)).routes(routes!(time))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LinkBody {
    ticket_id: String,
    /// From the link's fragment.
    secret: String,
}

#[derive(Serialize, ToSchema)]
struct EventOfTicketBody {
    id: u32,
    name: String,
    venue: String,
    time_zone: String,
    starts_at_ms: i64,
    ends_at_ms: i64,
}

#[derive(Serialize, ToSchema)]
struct ClassOfTicketBody {
    id: u16,
    name: String,
    valid_from_ms: i64,
    valid_until_ms: i64,
}

#[derive(Serialize, ToSchema)]
struct LinkedTicketBody {
    ticket_id: String,
    serial: u8,
    /// `unbound` or `bound`.
    state: String,
    event: EventOfTicketBody,
    class: ClassOfTicketBody,
    /// While the ticket is unbound: its code for paper.
    printed_code: Option<String>,
    server_time_ms: i64,
}

#[derive(Serialize, ToSchema)]
struct BoundTicketBody {
    ticket_id: String,
    serial: u8,
    event: EventOfTicketBody,
    class: ClassOfTicketBody,
    /// The credential's 131 bytes.
    credential: String,
    server_time_ms: i64,
    /// Until then the page shows the full code by itself, for a gate that may not have heard of the binding.
    full_code_until_ms: i64,
}

fn event_body(held: &HolderTicket) -> EventOfTicketBody {
    let event = &held.event;
    EventOfTicketBody {
        id: event.id,
        name: event.name.clone(),
        venue: event.venue.name.clone(),
        time_zone: event.venue.time_zone.clone(),
        starts_at_ms: event.starts_at_ms,
        ends_at_ms: event.ends_at_ms,
    }
}

fn class_body(held: &HolderTicket) -> ClassOfTicketBody {
    let class = &held.class;
    ClassOfTicketBody {
        id: class.id,
        name: class.name.clone(),
        valid_from_ms: class.valid_from_ms,
        valid_until_ms: class.valid_until_ms,
    }
}

/// A wrong id or secret is a wrong link; which of the two is nobody's business.
fn link(ticket_id: &str, secret: &str) -> Answer<(TicketId, Vec<u8>)> {
    let parts = ticket_id.parse().ok().zip(parse_base64url(secret));
    parts.ok_or_else(|| TicketError::LinkInvalid.into())
}

/// What a link is for. No side effect: previews may call it.
#[utoipa::path(post, path = "/api/v1/holder/ticket", tag = "holder", request_body = LinkBody,
    responses((status = 200, body = LinkedTicketBody), (status = "4XX", body = ProblemDocument)))]
async fn open_link(State(state): State<TicketsState>, body: RequestBody) -> Answer<Json<LinkedTicketBody>> {
    let LinkBody { ticket_id, secret } = body.json()?;
    let (id, secret) = link(&ticket_id, &secret)?;
    let mut tx = state.platform.store.read().await?;
    let held = super::open_link(&mut tx, &state.issuer, id, &secret).await?;
    let unbound = held.ticket.holder.is_none();
    Ok(Json(LinkedTicketBody {
        ticket_id: held.ticket.id.to_string(),
        serial: held.ticket.serial.get(),
        state: held.ticket.state().to_owned(),
        event: event_body(&held),
        class: class_body(&held),
        printed_code: unbound
            .then(|| UntrustedCode::Printed { credential: Box::new(held.credential.clone()) }.to_text()),
        server_time_ms: state.platform.clock.now_ms(),
    }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BindBody {
    ticket_id: String,
    secret: String,
    /// `ed25519` or `p256`.
    algorithm: String,
    /// 32 bytes for Ed25519, the compressed point of 33 for P-256.
    public_key: String,
    /// The key's signature over the binding (see docs/ticket-format.md): 64 bytes.
    proof: String,
}

/// Puts a ticket on a phone. The same secret and key get the same answer again.
#[utoipa::path(post, path = "/api/v1/holder/binding", tag = "holder", request_body = BindBody,
    responses((status = 200, body = BoundTicketBody), (status = "4XX", body = ProblemDocument)))]
async fn bind(State(state): State<TicketsState>, body: RequestBody) -> Answer<Json<BoundTicketBody>> {
    let BindBody { ticket_id, secret, algorithm, public_key, proof } = body.json()?;
    let (ticket, secret) = link(&ticket_id, &secret)?;
    let algorithm = [HolderAlgorithm::Ed25519, HolderAlgorithm::P256]
        .into_iter()
        .find(|known| known.name() == algorithm)
        .ok_or_else(|| Problem::invalid("algorithm", "The algorithm is `ed25519` or `p256`."))?;
    let bytes = |field: &'static str, text: &str| {
        parse_base64url(text).ok_or_else(|| Problem::invalid(field, format!("`{field}` is base64url without padding.")))
    };
    let public_key = bytes("public_key", &public_key)?;
    let proof = bytes("proof", &proof)?;
    let request = BindRequest { ticket, secret, algorithm, public_key, proof };
    let now_ms = state.platform.clock.now_ms();
    let mut tx = state.platform.store.write().await?;
    let held = super::bind(&mut tx, &state.issuer, &request, now_ms).await?;
    tx.commit().await?;
    Ok(Json(BoundTicketBody {
        ticket_id: held.ticket.id.to_string(),
        serial: held.ticket.serial.get(),
        event: event_body(&held),
        class: class_body(&held),
        credential: base64url(&held.credential.to_bytes()),
        server_time_ms: now_ms,
        full_code_until_ms: now_ms + FULL_CODE_MS,
    }))
}

#[derive(Serialize, ToSchema)]
struct TimeBody {
    unix_ms: i64,
    /// The same, signed by the `time` key.
    signed: String,
}

/// The server's time.
#[utoipa::path(get, path = "/api/v1/time", tag = "holder",
    responses((status = 200, body = TimeBody), (status = 503, body = ProblemDocument)))]
async fn time(State(state): State<TicketsState>) -> Answer<Json<TimeBody>> {
    let key = state.issuer.keys.signing_key(Role::Time);
    let key = key.ok_or_else(|| Problem::new(Code::KeysMissing, "The server has no key that may sign the time."))?;
    let unix_ms = state.platform.clock.now_ms();
    let signed = SignedTime::seal(unix_ms, key).map_err(Problem::internal)?;
    Ok(Json(TimeBody { unix_ms, signed: base64url(&signed.0) }))
}
