//! What the crate's own tests share: a server's inside without network, on a clock and a random source of their own.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use axum::response::Response;
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::accounts::{self, Accounts};
use crate::api::{self, Parts};
use crate::platform::keys::KeyRing;
use crate::platform::{self, Clock, Platform, Random, Scope, Shutdown, Store};

/// When tests begin: 21 September 2026.
pub const NOW_MS: i64 = 1_790_000_000_000;
pub const PASSWORD: &str = "correct horse battery";

/// A platform on a scratch directory.
pub struct Site {
    pub directory: tempfile::TempDir,
    pub platform: Platform,
}

impl Site {
    pub async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open_sqlite(&directory.path().join("t.db"), NOW_MS).await.unwrap();
        let platform = Platform {
            store,
            clock: Clock::manual(NOW_MS),
            random: Random::seeded(1),
            shutdown: Shutdown::default(),
            site: Arc::new(platform::Site { public_url: "https://test.example".into(), spki_sha256: [7; 32] }),
        };
        Self { directory, platform }
    }
}

/// The whole server without its network.
pub struct Server {
    pub site: Site,
    pub router: Router,
    pub api_key: String,
}

impl Server {
    /// With the supervisor `anna`, and an API key for everything.
    pub async fn with_keys(keys: KeyRing) -> Self {
        let site = Site::new().await;
        let platform = site.platform.clone();
        let mut tx = platform.store.write().await.unwrap();
        let api_key = accounts::create_api_key(&mut tx, &platform.random, "all", &Scope::ALL, NOW_MS).await.unwrap();
        accounts::set_supervisor(&mut tx, &platform.random, "anna", PASSWORD, NOW_MS).await.unwrap();
        tx.commit().await.unwrap();
        let links = crate::tickets::links::LinkKey::new([6; 32]);
        let parts =
            Parts { platform: platform.clone(), accounts: Accounts::new(platform), keys: Arc::new(keys), links };
        Self { site, router: api::router(&parts), api_key }
    }

    pub async fn send(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// A request with the API key and, for a POST, an idempotency key of its own.
    pub async fn call(&self, method: &str, path: &str, body: Value) -> (StatusCode, Value) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.api_key))
            .header(header::CONTENT_TYPE, "application/json")
            .header("idempotency-key", self.site.platform.random.token(""))
            .body(if body.is_null() { Body::empty() } else { Body::from(body.to_string()) })
            .unwrap();
        json_of(self.send(request).await).await
    }

    /// The cookie of a session of `anna`.
    pub async fn sign_in(&self) -> String {
        let request = Request::post("/api/v1/session")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(serde_json::json!({"name": "anna", "password": PASSWORD}).to_string()))
            .unwrap();
        let response = self.send(request).await;
        assert_eq!(response.status(), StatusCode::OK);
        let cookie = response.headers()[header::SET_COOKIE].to_str().unwrap();
        cookie.split(';').next().unwrap().to_owned()
    }
}

/// Status and body; an empty body is null.
pub async fn json_of(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() })
}
