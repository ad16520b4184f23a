//! The frame's promises, over a router made for the purpose: malformed, too large, replayed, panicking, unknown.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::*;
use crate::platform::store::params;
use crate::platform::{Actor, Answer, Code, Platform, Problem, StoreError};
use crate::testing;

#[derive(Deserialize)]
struct NewThing {
    name: String,
}

#[derive(Serialize)]
struct Thing {
    id: i64,
}

/// The shape of every creating handler.
async fn create(State(platform): State<Platform>, actor: Actor, body: RequestBody) -> Answer<Response> {
    let (new, call) = body.creating::<NewThing>(&actor)?;
    let mut creation = match call.begin(&platform).await? {
        Begun::New(creation) => creation,
        Begun::Replayed(answer) => return Ok(answer),
    };
    let id = creation.tx.next_number("thing").await?;
    if new.name == "bad" {
        return Err(Problem::invalid("name", "`name` is bad."));
    }
    creation.finish(StatusCode::CREATED, &Thing { id }).await
}

async fn fails(State(platform): State<Platform>) -> Answer<&'static str> {
    let mut tx = platform.store.read().await?;
    tx.query::<(i64,)>("SELECT secret_column FROM nowhere", params![]).await?;
    Ok("unreachable")
}

async fn panics() -> &'static str {
    panic!("the password is hunter2")
}

async fn site() -> (testing::Site, Router) {
    let site = testing::Site::new().await;
    let router = Router::new()
        .route("/things", post(create))
        .route("/others", post(create))
        .route("/panics", get(panics))
        .route("/fails", get(fails))
        .route(
            "/scans",
            post(|body: RequestBody| async move { body.bytes().len().to_string() })
                .layer(max_body(MAX_SCAN_BODY_BYTES)),
        )
        .with_state(site.platform.clone());
    let framed = frame(router, &site.platform);
    (site, framed)
}

async fn call(router: &Router, request: Request<Body>) -> (StatusCode, Value) {
    let response = router.clone().oneshot(request).await.unwrap();
    testing::json_of(response).await
}

fn create_request(path: &str, key: &str, body: &str) -> Request<Body> {
    Request::post(path)
        .header("content-type", "application/json")
        .header("idempotency-key", key)
        .body(Body::from(body.to_owned()))
        .unwrap()
}

#[tokio::test]
async fn bad_requests_by_table() {
    let (_site, router) = site().await;
    let long_key = "k".repeat(65);
    for (key, content_type, body, code) in [
        ("", "application/json", r#"{"name":"a"}"#, "idempotency_key_missing"),
        (&long_key[..], "application/json", r#"{"name":"a"}"#, "idempotency_key_missing"),
        ("a b", "application/json", r#"{"name":"a"}"#, "idempotency_key_missing"),
        ("k", "text/plain", r#"{"name":"a"}"#, "unsupported_media_type"),
        ("k", "application/x-www-form-urlencoded", "name=a", "unsupported_media_type"),
        ("k", "application/json", "", "malformed"),
        ("k", "application/json", r#"{"name":"#, "malformed"),
        ("k", "application/json", r#"{"name":7}"#, "malformed"),
        ("k", "application/json", "[]", "malformed"),
        ("k", "application/json", r#"{"name":"bad"}"#, "invalid"),
    ] {
        let request = Request::post("/things")
            .header("content-type", content_type)
            .header("idempotency-key", key)
            .body(Body::from(body))
            .unwrap();
        let (status, problem) = call(&router, request).await;
        assert_eq!(problem["code"], code, "{body}");
        assert_eq!(problem["status"], status.as_u16());
        assert_eq!(problem["type"], format!("urn:turnstone:problem:{code}"));
        assert!(!problem["detail"].as_str().unwrap().is_empty() && status.is_client_error());
    }
}

#[tokio::test]
async fn too_large_is_a_problem_and_scans_may_be_larger() {
    let (_site, router) = site().await;
    for (path, size, status) in [
        ("/things", MAX_BODY_BYTES + 1, StatusCode::PAYLOAD_TOO_LARGE),
        ("/scans", MAX_BODY_BYTES + 1, StatusCode::OK),
        ("/scans", MAX_SCAN_BODY_BYTES, StatusCode::OK),
        ("/scans", MAX_SCAN_BODY_BYTES + 1, StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        let request = Request::post(path).header("idempotency-key", "k").body(Body::from(vec![b'x'; size])).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status, "{size} bytes to {path}");
        if status != StatusCode::OK {
            assert_eq!(testing::json_of(response).await.1["code"], "too_large");
        }
    }
}

#[tokio::test]
async fn a_body_that_is_cut_is_a_problem() {
    let (_site, router) = site().await;
    let cut = futures_util::stream::iter([Ok("{\"name\""), Err(std::io::Error::other("cut"))]);
    let request = Request::post("/things").header("idempotency-key", "k").body(Body::from_stream(cut)).unwrap();
    let (status, problem) = call(&router, request).await;
    assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &json!("malformed")));
}

#[tokio::test]
async fn unknown_addresses_and_methods_are_problems() {
    let (_site, router) = site().await;
    for (method, path, status, code) in
        [("GET", "/nowhere", 404, "not_found"), ("DELETE", "/things", 405, "method_not_allowed")]
    {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let (found, problem) = call(&router, request).await;
        assert_eq!((found.as_u16(), &problem["code"]), (status, &json!(code)));
    }
}

#[tokio::test]
async fn faults_of_the_server_tell_nothing() {
    let (_site, router) = site().await;
    for path in ["/panics", "/fails"] {
        let response = router.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
        assert!(response.headers().contains_key("x-request-id"));
        let (status, problem) = testing::json_of(response).await;
        assert_eq!((status, &problem["code"]), (StatusCode::INTERNAL_SERVER_ERROR, &json!("internal")));
        let text = problem.to_string();
        assert!(!text.contains("hunter2") && !text.contains("secret_column"), "{text}");
    }
    let next = router.oneshot(create_request("/things", "k", r#"{"name":"a"}"#)).await.unwrap();
    assert_eq!(next.status(), StatusCode::CREATED, "the server goes on after a panic");
}

#[tokio::test]
async fn repeated_creations_get_the_same_answer() {
    let (site, router) = site().await;
    let first = call(&router, create_request("/things", "k1", r#"{"name":"a"}"#)).await;
    assert_eq!(first, (StatusCode::CREATED, json!({"id": 1})));
    let again = router.clone().oneshot(create_request("/things", "k1", r#"{"name":"a"}"#)).await.unwrap();
    assert_eq!(again.headers()["idempotent-replayed"], "true");
    assert_eq!(testing::json_of(again).await, first);
    for (path, body) in [("/things", r#"{"name":"b"}"#), ("/others", r#"{"name":"a"}"#)] {
        let (status, problem) = call(&router, create_request(path, "k1", body)).await;
        assert_eq!((status.as_u16(), &problem["code"]), (422, &json!("idempotency_key_reused")), "{path} {body}");
    }
    let mut others = create_request("/things", "k1", r#"{"name":"a"}"#);
    others.extensions_mut().insert(Actor::Device { id: 7 });
    assert_eq!(
        call(&router, others).await,
        (StatusCode::CREATED, json!({"id": 2})),
        "another actor's key is another key"
    );

    // A failure is not stored: the same key may be tried again, and made nothing.
    for _ in 0..2 {
        assert_eq!(call(&router, create_request("/things", "k2", r#"{"name":"bad"}"#)).await.1["code"], "invalid");
    }
    assert_eq!(call(&router, create_request("/things", "k2", r#"{"name":"good"}"#)).await.1, json!({"id": 3}));

    site.platform.clock.advance_ms(idempotency::KEPT_MS + 1);
    let mut tx = site.platform.store.write().await.unwrap();
    assert_eq!(idempotency::forget_old(&mut tx, site.platform.clock.now_ms()).await.unwrap(), 3);
}

#[tokio::test]
async fn the_same_creation_at_the_same_time_happens_once() {
    let (_site, router) = site().await;
    let calls = (0..20).map(|_| call(&router, create_request("/things", "k", r#"{"name":"a"}"#)));
    for (status, body) in futures_util::future::join_all(calls).await {
        assert_eq!((status, body), (StatusCode::CREATED, json!({"id": 1})));
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_stored_is_not_given() {
    let (site, _) = site().await;
    let call = IdempotentCall::new(&Actor::Anonymous, "k", "POST", "/things", b"");
    let Begun::New(mut creation) = call.clone().begin(&site.platform).await.unwrap() else { panic!("replayed") };
    creation.tx.next_number("thing").await.unwrap();
    drop(creation);
    assert!(matches!(call.begin(&site.platform).await.unwrap(), Begun::New(_)), "the claim went with the transaction");
}

#[test]
fn problem_codes_are_unique_and_store_errors_keep_their_meaning() {
    let mut codes: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), Code::ALL.len());
    assert_eq!(Problem::from(StoreError::Busy).code(), Code::Busy);
    assert_eq!(Problem::from(StoreError::DiskFull).code(), Code::StorageFull);
    let internal = Problem::from(StoreError::Corrupt { path: "/srv/secret/place".into(), detail: "page 7".into() });
    assert_eq!(internal.code(), Code::Internal);
    assert!(!internal.detail().contains("/srv"));
}
