//! The pages: the built files of `ui/web`, compiled in, with the headers that make them safe and fast.
//!
//! Invariants: files under /assets/ carry a hash in their names and may be kept for ever; pages and the service worker are
//! fetched anew each time. No page loads anything from another host, and none can be framed. Where the pages were not
//! built, a placeholder says how to build them.

#[cfg(test)]
mod tests;

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rust_embed::RustEmbed;

use crate::platform::{Code, Problem};

#[derive(RustEmbed)]
#[folder = "../ui/web/dist"]
struct Files;

const PLACEHOLDER: &str = include_str!("placeholder.html");

/// Only this server's own files; nothing inline. The pages are tested under this very policy.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; \
     img-src 'self'; connect-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const FOR_EVER: &str = "public, max-age=31536000, immutable";

pub fn router() -> Router {
    Router::new()
        .route("/", get(|headers: HeaderMap| async move { page("index.html", &headers) }))
        .route("/t", get(|headers: HeaderMap| async move { page("t.html", &headers) }))
        .route("/office", get(|headers: HeaderMap| async move { page("office.html", &headers) }))
        .route("/sw.js", get(|headers: HeaderMap| async move { service_worker(&headers) }))
        .route("/assets/{*file}", get(asset))
}

fn page(name: &str, headers: &HeaderMap) -> Response {
    let mut response = match embedded(name, headers) {
        Some(response) => response,
        None => ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], PLACEHOLDER).into_response(),
    };
    let answer = response.headers_mut();
    answer.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY));
    answer.insert(
        "permissions-policy",
        HeaderValue::from_static("screen-wake-lock=(self), camera=(), microphone=(), geolocation=()"),
    );
    answer.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    response
}

fn service_worker(headers: &HeaderMap) -> Response {
    let Some(mut response) = embedded("sw.js", headers) else { return missing() };
    let answer = response.headers_mut();
    answer.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    answer.insert("service-worker-allowed", HeaderValue::from_static("/"));
    answer.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY));
    response
}

async fn asset(Path(file): Path<String>, headers: HeaderMap) -> Response {
    // The precompressed siblings are an encoding of a file, not files of their own.
    if file.ends_with(".br") || file.ends_with(".gz") {
        return missing();
    }
    let Some(mut response) = embedded(&format!("assets/{file}"), &headers) else { return missing() };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(FOR_EVER));
    response
}

fn missing() -> Response {
    Problem::new(Code::NotFound, "There is no such file; reload the page, which may be of an older version.")
        .into_response()
}

/// The file in the best encoding that the client takes and the build made.
fn embedded(name: &str, headers: &HeaderMap) -> Option<Response> {
    let encoded = [("br", "br"), ("gz", "gzip")]
        .into_iter()
        .filter(|(_, encoding)| accepts(headers, encoding))
        .find_map(|(suffix, encoding)| Some((Files::get(&format!("{name}.{suffix}"))?, Some(encoding))));
    let (file, encoding) = match encoded {
        Some(found) => found,
        None => (Files::get(name)?, None),
    };
    let mut response = (StatusCode::OK, file.data.into_owned()).into_response();
    let answer = response.headers_mut();
    answer.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(name)));
    answer.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Some(encoding) = encoding {
        answer.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    Some(response)
}

fn accepts(headers: &HeaderMap, encoding: &str) -> bool {
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or("");
    accepted.split(',').any(|offer| {
        let (name, weight) = offer.split_once(';').unwrap_or((offer, ""));
        let refused = weight.split('=').nth(1).and_then(|q| q.trim().parse::<f32>().ok()).is_some_and(|q| q == 0.0);
        name.trim().eq_ignore_ascii_case(encoding) && !refused
    })
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("txt") => "text/plain; charset=utf-8",
        Some("wasm") => "application/wasm",
        _ => "application/octet-stream",
    }
}
