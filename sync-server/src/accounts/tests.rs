//! Accounts: their rules by table, and signing in over HTTP.

use axum::body::Body;
use axum::extract::Extension;
use axum::http::{Request, StatusCode, header};
use serde_json::json;

use super::*;
use crate::platform::http::ClientAddress;
use crate::platform::keys::KeyRing;
use crate::testing::{NOW_MS, PASSWORD, Server, json_of};

fn sign_in(name: &str, password: &str, from: &str) -> Request<Body> {
    let mut request = Request::post("/api/v1/session")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(json!({"name": name, "password": password}).to_string()))
        .unwrap();
    request.extensions_mut().insert(Extension(ClientAddress(from.parse().unwrap())).0);
    request
}

fn who(cookie: &str) -> Request<Body> {
    Request::get("/api/v1/session").header(header::COOKIE, cookie).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn a_session_begins_ends_and_expires() {
    let server = Server::with_keys(KeyRing::default()).await;
    assert_eq!(server.send(who("")).await.status(), StatusCode::UNAUTHORIZED);
    let response = server.send(sign_in("anna", PASSWORD, "192.0.2.1:5000")).await;
    let set = response.headers()[header::SET_COOKIE].to_str().unwrap().to_owned();
    for part in ["__Host-turnstone=", "; HttpOnly", "; Secure", "; SameSite=Strict", "; Path=/", "; Max-Age=43200"] {
        assert!(set.contains(part), "{part} in the cookie");
    }
    assert_eq!(json_of(response).await.1, json!({"name": "anna", "role": "supervisor"}));
    let cookie = server.sign_in().await;
    let both = format!("theme=dark; {cookie}; a=b");
    assert_eq!(
        json_of(server.send(who(&both)).await).await,
        (StatusCode::OK, json!({"name": "anna", "role": "supervisor"}))
    );
    let out = Request::delete("/api/v1/session").header(header::COOKIE, &cookie).body(Body::empty()).unwrap();
    assert_eq!(server.send(out).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(server.send(who(&cookie)).await.status(), StatusCode::UNAUTHORIZED);

    let cookie = server.sign_in().await;
    server.site.platform.clock.advance_ms(SESSION_LIFE_MS);
    assert_eq!(server.send(who(&cookie)).await.status(), StatusCode::UNAUTHORIZED);
    let mut tx = server.site.platform.store.write().await.unwrap();
    assert_eq!(jobs::delete_expired(&mut tx, server.site.platform.clock.now_ms()).await.unwrap(), 2);
}

#[tokio::test]
async fn a_new_password_ends_old_sessions() {
    let server = Server::with_keys(KeyRing::default()).await;
    let cookie = server.sign_in().await;
    let mut tx = server.site.platform.store.write().await.unwrap();
    let random = Random::seeded(9);
    assert!(!set_supervisor(&mut tx, &random, "anna", "another long password", NOW_MS).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(server.send(who(&cookie)).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(server.send(sign_in("anna", PASSWORD, "192.0.2.1:1")).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(server.send(sign_in("anna", "another long password", "192.0.2.1:1")).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn failures_are_alike_and_limited() {
    let server = Server::with_keys(KeyRing::default()).await;
    let unknown = json_of(server.send(sign_in("nobody", PASSWORD, "198.51.100.1:1")).await).await;
    let wrong = json_of(server.send(sign_in("anna", "wrong password", "198.51.100.1:1")).await).await;
    assert_eq!(unknown, wrong, "an answer must not tell whether the name exists");
    assert_eq!(wrong.1["code"], "sign_in_failed");
    for _ in 0..7 {
        assert_eq!(
            server.send(sign_in("anna", "wrong password", "198.51.100.1:1")).await.status(),
            StatusCode::UNAUTHORIZED
        );
    }
    let limited = server.send(sign_in("anna", PASSWORD, "198.51.100.1:2")).await;
    assert!(limited.headers().contains_key(header::RETRY_AFTER));
    assert_eq!(json_of(limited).await.1["code"], "rate_limited", "even the right password waits");
    assert_eq!(
        server.send(sign_in("anna", PASSWORD, "192.0.2.9:1")).await.status(),
        StatusCode::OK,
        "from elsewhere it works"
    );
    server.site.platform.clock.advance_ms(rules::FAILURE_WINDOW_MS);
    assert_eq!(server.send(sign_in("anna", PASSWORD, "198.51.100.1:1")).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn secrets_are_stored_as_hashes_only() {
    let server = Server::with_keys(KeyRing::default()).await;
    let cookie = server.sign_in().await;
    let token = cookie.split_once('=').unwrap().1;
    let copy = server.site.directory.path().join("copy.db");
    server.site.platform.store.backup(&copy).await.unwrap();
    let bytes = std::fs::read(copy).unwrap();
    for secret in [token, PASSWORD, &server.api_key] {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "a secret is in the database");
    }
    assert!(bytes.windows(9).any(|window| window == b"$argon2id"));
}

#[tokio::test]
async fn api_keys_by_table() {
    let server = Server::with_keys(KeyRing::default()).await;
    let mut tx = server.site.platform.store.write().await.unwrap();
    let random = server.site.platform.random.clone();
    let tickets_only = create_api_key(&mut tx, &random, "tickets", &[Scope::Tickets], NOW_MS).await.unwrap();
    assert!(matches!(
        create_api_key(&mut tx, &random, "tickets", &[Scope::Tickets], NOW_MS).await,
        Err(AccountsError::NameTaken { .. })
    ));
    assert!(matches!(create_api_key(&mut tx, &random, "x", &[], NOW_MS).await, Err(AccountsError::NoScope)));
    tx.commit().await.unwrap();
    let revoked = {
        let mut tx = server.site.platform.store.write().await.unwrap();
        let secret = create_api_key(&mut tx, &random, "old", &Scope::ALL, NOW_MS).await.unwrap();
        tx.execute("UPDATE api_keys SET revoked_at_ms = 1 WHERE name = 'old'", &[]).await.unwrap();
        tx.commit().await.unwrap();
        secret
    };
    let cookie = server.sign_in().await;
    let good = format!("Bearer {}", server.api_key);
    for (authorization, cookie, status) in [
        (Some(good.as_str()), "", 200),
        (None, cookie.as_str(), 200),
        (None, "", 401),
        (Some("Bearer tsk_wrong"), "", 401),
        (Some("Bearer tsk_wrong"), cookie.as_str(), 401),
        (Some("Basic abc"), "", 401),
        (Some(&format!("Bearer {tickets_only}")), "", 403),
        (Some(&format!("Bearer {revoked}")), "", 401),
    ] {
        let mut request = Request::get("/api/v1/events").header(header::COOKIE, cookie);
        if let Some(authorization) = authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let response = server.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(response.status().as_u16(), status, "{authorization:?} {}", !cookie.is_empty());
    }
}

#[test]
fn names_and_passwords_by_table() {
    for (name, sound) in
        [("anna", true), ("Zoë K.", true), ("", false), (" a", false), ("a\n", false), (&"x".repeat(65)[..], false)]
    {
        assert_eq!(rules::check_name(name).is_ok(), sound, "{name:?}");
    }
    for (password, sound) in
        [("0123456789", true), ("012345678", false), ("ANNA-ANNA-ANNA", false), (&"x".repeat(257)[..], false)]
    {
        assert_eq!(rules::check_password("anna-anna-anna", password).is_ok(), sound, "{password}");
    }
}

#[test]
fn failure_counters_by_table() {
    let keys = |name: &str, address: &str| -> Vec<String> {
        rules::failure_buckets(name, address.parse().ok()).into_iter().map(|bucket| bucket.key).collect()
    };
    assert_eq!(keys("Anna", "192.0.2.1"), keys("anna", "::ffff:192.0.2.1"));
    assert_eq!(keys("a", "2001:db8::1"), keys("a", "2001:db8::ffff:2"));
    assert_ne!(keys("a", "2001:db8::1"), keys("a", "2001:db8:0:1::1"));
    assert!(keys(&"n".repeat(100_000), "192.0.2.1").iter().all(|key| key.len() < 100));
    for (failures, waits) in
        [(7, None), (8, Some(rules::FAILURE_WINDOW_MS - 10)), (9, Some(rules::FAILURE_WINDOW_MS - 10))]
    {
        assert_eq!(rules::must_wait_ms(failures, 8, 100, 110), waits);
    }
}
