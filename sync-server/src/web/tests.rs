//! Pages with their headers, whether or not they were built.

use axum::body::Body;
use axum::http::Request;
use tower::ServiceExt as _;

use super::*;

async fn get_page(path: &str, accept_encoding: &str) -> Response {
    let request = Request::get(path).header(header::ACCEPT_ENCODING, accept_encoding).body(Body::empty()).unwrap();
    router().oneshot(request).await.unwrap()
}

#[tokio::test]
async fn pages_are_locked_down_and_never_stored() {
    for path in ["/", "/t", "/office"] {
        let response = get_page(path, "").await;
        assert_eq!(response.status(), StatusCode::OK);
        let headers = response.headers();
        assert_eq!(headers[header::CACHE_CONTROL], "no-store");
        assert!(headers[header::CONTENT_TYPE].to_str().unwrap().starts_with("text/html"));
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(
            policy.contains("default-src 'none'")
                && policy.contains("frame-ancestors 'none'")
                && !policy.contains("unsafe")
        );
    }
}

#[tokio::test]
async fn assets_are_immutable_and_compressed_once() {
    for path in ["/assets/nothing.js", "/assets/../t.html", "/assets/..%2Ft.html"] {
        assert_eq!(get_page(path, "").await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    for name in Files::iter().filter(|name| name.starts_with("assets/")) {
        let plain = get_page(&format!("/{name}"), "").await;
        if name.ends_with(".br") || name.ends_with(".gz") {
            assert_eq!(plain.status(), StatusCode::NOT_FOUND);
            continue;
        }
        assert_eq!(plain.headers()[header::CACHE_CONTROL], FOR_EVER);
        assert!(!plain.headers().contains_key(header::CONTENT_ENCODING));
        let small = get_page(&format!("/{name}"), "gzip, br;q=1.0").await;
        let encoded = Files::get(&format!("{name}.br")).is_some();
        assert_eq!(small.headers().get(header::CONTENT_ENCODING).is_some_and(|e| e == "br"), encoded, "{name}");
        assert_eq!(small.headers()[header::CONTENT_TYPE], plain.headers()[header::CONTENT_TYPE]);
    }
}

#[test]
fn encodings_by_table() {
    for (offer, brotli) in [
        ("br", true),
        ("gzip, br", true),
        ("gzip;q=1.0, BR;q=0.5", true),
        ("br;q=0", false),
        ("gzip", false),
        ("", false),
        ("brotli", false),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(offer));
        assert_eq!(accepts(&headers, "br"), brotli, "{offer}");
    }
}
