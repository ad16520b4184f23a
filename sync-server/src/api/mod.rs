//! Composes the contexts' routers into the server's one router, finds out who asks, and publishes the OpenAPI document.
//!
//! Invariant: every request passes the frame (limits, panics, log) and the actor's identification, in that order, before any
//! context sees it. Contexts never see each other's routers.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::extract::Request;
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router, middleware};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::accounts::{self, Accounts};
use crate::catalog::http::CatalogState;
use crate::gate::Gate;
use crate::gate::edge::{self, Edge};
use crate::platform::http::frame;
use crate::platform::keys::KeyRing;
use crate::platform::{Answer, Code, Platform, Problem};
use crate::tickets::http::TicketsState;
use crate::tickets::links::LinkKey;
use crate::tickets::{self, Issuer};
use crate::{catalog, gate, web};

/// What the server is composed of.
#[derive(Clone)]
pub struct Parts {
    pub platform: Platform,
    pub accounts: Accounts,
    pub keys: Arc<KeyRing>,
    pub links: LinkKey,
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Turnstone",
        description = "Sells tickets and checks them at the gate. Times are unix milliseconds (`*_ms`), bytes are base64url \
                       without padding, ids of tickets and devices are 16 lower-case hex digits. Errors are \
                       `application/problem+json`. Every creating call takes an `Idempotency-Key`: the same request with \
                       the same key gets the same answer again.",
        license(name = "MIT OR Apache-2.0")
    ),
    modifiers(&Security)
)]
struct Document;

struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("api_key", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
        let cookie = ApiKey::Cookie(ApiKeyValue::new("__Host-turnstone"));
        components.add_security_scheme("session", SecurityScheme::ApiKey(cookie));
    }
}

fn health_routes() -> OpenApiRouter<Platform> {
    OpenApiRouter::new().routes(routes!(healthz)).routes(routes!(readyz))
}

/// The server's router, complete.
pub fn router(parts: &Parts) -> Router {
    let keys = parts.keys.clone();
    let catalog =
        CatalogState { platform: parts.platform.clone(), allowed_events: Arc::new(move || keys.event_ranges()) };
    let issuer = Issuer { keys: parts.keys.clone(), links: parts.links.clone(), random: parts.platform.random.clone() };
    let tickets = TicketsState { platform: parts.platform.clone(), issuer };
    let gate = Gate::new(parts.platform.clone(), parts.keys.clone());
    let contexts: OpenApiRouter = OpenApiRouter::new()
        .merge(accounts::http::routes().with_state(parts.accounts.clone()))
        .merge(catalog::http::routes().with_state(catalog))
        .merge(tickets::http::routes().with_state(tickets))
        .merge(gate::http::routes().with_state(gate))
        .merge(health_routes().with_state(parts.platform.clone()));
    let api = Router::from(contexts).route("/api/v1/openapi.json", get(document_json));
    let identified = api.layer(middleware::from_fn_with_state(parts.accounts.clone(), accounts::http::identify));
    frame(identified.merge(web::router()), &parts.platform)
}

/// The router of a venue's edge: the gate protocol, and the supervisors' page to look at. What is decided is decided at the
/// upstream.
pub fn edge_router(edge: &Edge, accounts: &Accounts, platform: &Platform) -> Router {
    let catalog = CatalogState { platform: platform.clone(), allowed_events: Arc::new(Vec::new) };
    let looked_at: OpenApiRouter = OpenApiRouter::new()
        .merge(catalog::http::routes().with_state(catalog))
        .merge(gate::http::office_routes().with_state(edge.gate().clone()));
    let looked_at = Router::from(looked_at).layer(middleware::from_fn(only_looking));
    let own: OpenApiRouter = OpenApiRouter::new()
        .merge(accounts::http::routes().with_state(accounts.clone()))
        .merge(health_routes().with_state(platform.clone()));
    let api = Router::from(own).merge(looked_at).merge(edge::routes().with_state(edge.clone()));
    let identified = api.layer(middleware::from_fn_with_state(accounts.clone(), accounts::http::identify));
    frame(identified.merge(web::router()), platform)
}

async fn only_looking(request: Request, next: Next) -> Answer<Response> {
    if request.method() == Method::GET || request.method() == Method::HEAD {
        return Ok(next.run(request).await);
    }
    Err(Problem::new(
        Code::EdgeReadOnly,
        "This is the venue's edge: it shows what happens at the lanes. Open the page of the organiser's server to change \
         anything; what is decided there reaches the lanes through this edge.",
    ))
}

/// The OpenAPI document of this version. It needs no running server.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    let mut document = Document::openapi();
    for context in [
        accounts::http::routes().into_openapi(),
        catalog::http::routes().into_openapi(),
        tickets::http::routes().into_openapi(),
        gate::http::routes().into_openapi(),
        health_routes().into_openapi(),
    ] {
        document.merge(context);
    }
    document
}

async fn document_json() -> Json<utoipa::openapi::OpenApi> {
    Json(document())
}

/// The process runs.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200)))]
async fn healthz() -> Json<serde_json::Value> {
    Json(serde_json::json!({ "status": "up" }))
}

/// The server can work: its database answers.
#[utoipa::path(get, path = "/readyz", tag = "health", responses((status = 200), (status = 503)))]
async fn readyz(axum::extract::State(platform): axum::extract::State<Platform>) -> Answer<Json<serde_json::Value>> {
    let mut tx = platform.store.read().await?;
    let (_,): (i64,) = tx.query_one("SELECT COUNT(*) FROM schema_migrations", &[]).await?;
    Ok(Json(serde_json::json!({ "status": "ready" })))
}
