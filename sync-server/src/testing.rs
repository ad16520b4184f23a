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

/// The organiser that [`keys`] names.
pub const ORGANISER: &str = "Organiser";

/// A key of every role, certified by a test root for events 1 to 9.
pub fn keys(directory: &std::path::Path) -> KeyRing {
    use ticket_signer::certificate::{CertificateFields, EventRange};
    use ticket_signer::{Certificate, EventId, Role, SecretKey, keyfile};
    let root = SecretKey::from_bytes(&[1; 32]);
    let directory = directory.join("keys");
    crate::platform::keys::init(&directory, &Role::ALL, &Random::seeded(2)).unwrap();
    std::fs::write(directory.join("root.pub"), keyfile::write_public(&root.public())).unwrap();
    for role in Role::ALL {
        let public = std::fs::read_to_string(directory.join(format!("{}.pub", role.name()))).unwrap();
        let fields = CertificateFields {
            role,
            key: keyfile::read_public(&public).unwrap(),
            organiser: ORGANISER.to_owned(),
            events: vec![EventRange { first: EventId(1), last: EventId(9) }],
            not_before_s: 0,
            not_after_s: u32::MAX,
        };
        let certificate = Certificate::issue(fields, &root).unwrap();
        std::fs::write(directory.join(format!("{}.cert", role.name())), certificate.to_bytes()).unwrap();
    }
    KeyRing::load(&directory).unwrap()
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

    /// With keys of every role, and event 1 with two lanes, the classes 1 and 2 (one admission), and the policy `open`.
    pub async fn with_event() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let server = Self::with_keys(keys(directory.path())).await;
        let (from, until) = (NOW_MS - 3_600_000, NOW_MS + 3_600_000);
        let made = [
            ("POST", "venues", serde_json::json!({ "name": "Pier", "time_zone": "Europe/Berlin" })),
            (
                "POST",
                "events",
                serde_json::json!({ "id": 1, "venue_id": 1, "name": "Night", "starts_at_ms": from, "ends_at_ms": until }),
            ),
            ("POST", "events/1/entrances", serde_json::json!({ "name": "North" })),
            ("POST", "events/1/lanes", serde_json::json!({ "entrance_id": 1, "name": "Lane 1" })),
            ("POST", "events/1/lanes", serde_json::json!({ "entrance_id": 1, "name": "Lane 2" })),
            ("POST", "events/1/classes", class(1, from, until)),
            ("POST", "events/1/classes", class(2, from, until)),
            (
                "PUT",
                "events/1/policy",
                serde_json::json!({ "partition": "open", "printed_classes": [1], "lanes": [
                    { "lane_id": 1, "classes": [] }, { "lane_id": 2, "classes": [] }] }),
            ),
        ];
        for (method, path, body) in made {
            let (status, answer) = server.call(method, &format!("/api/v1/{path}"), body).await;
            assert!(status.is_success(), "{path}: {answer}");
        }
        server
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

fn class(id: u16, from: i64, until: i64) -> Value {
    let name = format!("Class {id}");
    serde_json::json!({
        "id": id, "name": name, "valid_from_ms": from, "valid_until_ms": until, "admissions": 1, "flags": 0,
    })
}
