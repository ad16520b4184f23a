//! The layers around every router, outermost last: body limit, time limit, panics, headers, request log.

use std::any::Any;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Extension, MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument;

use super::body::BodyLimit;
use crate::platform::{Code, Platform, Problem, ids};

/// What a body may weigh, unless a router says otherwise.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;
/// What an upload of scans may weigh.
pub const MAX_SCAN_BODY_BYTES: usize = 8 * 1024 * 1024;
/// How long a request may take until its answer begins. An open transaction is rolled back when it runs out.
const MAX_REQUEST_TIME: Duration = Duration::from_secs(60);

/// The layer with which a router allows bodies of another size than [`MAX_BODY_BYTES`].
pub(crate) fn max_body(bytes: usize) -> Extension<BodyLimit> {
    Extension(BodyLimit(bytes))
}

/// Puts the layers around a complete router. Unknown addresses and methods become problems.
pub fn frame(router: Router, platform: &Platform) -> Router {
    router
        .fallback(|| async { Problem::new(Code::NotFound, "There is nothing at this address.") })
        .method_not_allowed_fallback(|| async {
            Problem::new(
                Code::MethodNotAllowed,
                "This address exists, but not for this method; see /api/v1/openapi.json.",
            )
        })
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn(limit_time))
        .layer(CatchPanicLayer::custom(on_panic))
        .layer(middleware::from_fn(add_headers))
        .layer(middleware::from_fn_with_state(platform.clone(), log_request))
}

async fn limit_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(MAX_REQUEST_TIME, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            Problem::new(Code::Timeout, "The request took too long and was undone; send it again.").into_response()
        }
    }
}

/// The panic's own words may hold anything, so only the log has them.
fn on_panic(panic: Box<dyn Any + Send + 'static>) -> Response {
    let words = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    Problem::internal(format_args!("a handler panicked: {words}")).into_response()
}

async fn add_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// One line per request, under an id that the client learns too, so that a report can be matched to the log.
async fn log_request(State(platform): State<Platform>, request: Request, next: Next) -> Response {
    let id = ids::hex16(platform.random.id64());
    let method = request.method().clone();
    // The route's pattern, not the path: a path may hold an id that somebody should not learn from a log.
    let route = request.extensions().get::<MatchedPath>().map_or("unknown", MatchedPath::as_str).to_owned();
    let span = tracing::info_span!("request", id, %method, route);
    let began = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let status = response.status().as_u16();
    span.in_scope(|| tracing::info!(status, elapsed_ms, "answered"));
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HeaderName::from_static("x-request-id"), value);
    }
    response
}
