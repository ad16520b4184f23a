//! A whole server without its network: the router that `sync-server serve` serves, on a real database, with enrolled devices.
//!
//! Requests go in as they would arrive after TLS and HTTP parsing, and answers come out the same way.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, ensure};
use bytes::Bytes;
use gate_core::request;
use gate_core::wire::v1::{EnrolAnswer, EnrolRequest, EnrolmentCode};
use gate_core::wire::{MEDIA_TYPE, from_cbor, to_cbor};
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use serde_json::{Value, json};
use sync_server::accounts::{self, Accounts};
use sync_server::api::{self, Parts};
use sync_server::platform::keys::{self, KeyRing};
use sync_server::platform::{Clock, Platform, Random, Scope, Shutdown, Site, Store};
use sync_server::tickets::links::LinkKey;
use ticket_signer::{DeviceId, Role, SecretKey, TrustStore, keyfile};
use tower::ServiceExt as _;
use tower::util::BoxCloneSyncService;

use crate::metered::{self, Meter};
use crate::site::{self, EVENT, NOW_S};

pub const NOW_MS: i64 = NOW_S * 1000;
const PASSWORD: &str = "correct horse battery staple";

type Service = BoxCloneSyncService<Request<Full<Bytes>>, Response<Bytes>, anyhow::Error>;

/// An enrolled, confirmed handheld.
pub struct Device {
    pub id: DeviceId,
    pub lane: u32,
    pub key: Arc<SecretKey>,
}

/// The server, and what its organiser set up: one event with its classes, ten lanes and a device at each.
pub struct Server {
    service: Service,
    pub store: Store,
    pub meter: Meter,
    pub trust: TrustStore,
    pub devices: Vec<Device>,
}

impl Server {
    pub async fn start(folder: &Path) -> Result<Self> {
        let random = Random::seeded(6);
        let ring = key_ring(folder, &random)?;
        let trust = ring.trust_store().context("the server's keys have no certificates")?;
        let meter = Meter::default();
        let store = metered::open(&folder.join("server.db"), NOW_MS, &meter).await?;
        let site = Site { public_url: "https://gate.example".to_owned(), spki_sha256: [7; 32] };
        let platform = Platform {
            store: store.clone(),
            clock: Clock::manual(NOW_MS),
            random: random.clone(),
            shutdown: Shutdown::default(),
            site: Arc::new(site),
        };
        let mut tx = store.write().await?;
        let api_key = accounts::create_api_key(&mut tx, &random, "bench", &Scope::ALL, NOW_MS).await?;
        accounts::set_supervisor(&mut tx, &random, "anna", PASSWORD, NOW_MS).await?;
        tx.commit().await?;
        let accounts = Accounts::new(platform.clone());
        let parts = Parts { platform, accounts, keys: Arc::new(ring), links: LinkKey::new([8; 32]) };
        let mut server = Server { service: service(api::router(&parts)), store, meter, trust, devices: Vec::new() };
        let lanes = server.set_up_event(&api_key).await?;
        server.enrol(&lanes).await?;
        Ok(server)
    }

    /// Sends a request and waits for the whole answer.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes)> {
        let answer = self.service.clone().oneshot(request).await?;
        Ok((answer.status(), answer.into_body()))
    }

    async fn json(&self, method: &str, path: &str, credential: (&str, &str), body: &Value) -> Result<Value> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(credential.0, credential.1)
            .header(header::CONTENT_TYPE, "application/json")
            .header("idempotency-key", format!("{:016x}", Random::system().id64()))
            .body(Full::from(body.to_string()))?;
        let (status, bytes) = self.send(request).await?;
        ensure!(status.is_success(), "{method} {path}: {status} {}", String::from_utf8_lossy(&bytes));
        Ok(if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes)? })
    }

    async fn set_up_event(&self, api_key: &str) -> Result<Vec<u32>> {
        let bearer = format!("Bearer {api_key}");
        let credential = ("authorization", bearer.as_str());
        let id = |made: &Value| made["id"].as_u64().context("an answer without an id");
        let venue = json!({ "name": "Pier", "time_zone": "Asia/Kolkata" });
        let venue = id(&self.json("POST", "/api/v1/venues", credential, &venue).await?)?;
        let (from_ms, until_ms) = (NOW_MS - 86_400_000, NOW_MS + 86_400_000);
        let event = json!({
            "id": EVENT.0, "venue_id": venue, "name": "Harbour Nights", "starts_at_ms": from_ms, "ends_at_ms": until_ms,
        });
        self.json("POST", "/api/v1/events", credential, &event).await?;
        let base = format!("/api/v1/events/{EVENT}");
        let entrance = self.json("POST", &format!("{base}/entrances"), credential, &json!({ "name": "North" })).await?;
        let mut lanes = Vec::new();
        for policy in site::policy().lanes {
            let lane = json!({ "entrance_id": id(&entrance)?, "name": policy.name });
            let made = self.json("POST", &format!("{base}/lanes"), credential, &lane).await?;
            lanes.push(u32::try_from(id(&made)?)?);
        }
        for class in site::classes() {
            let body = json!({
                "id": class.class.0, "name": class.name, "admissions": class.admissions, "flags": class.flags,
                "valid_from_ms": i64::from(class.valid_from_s) * 1000,
                "valid_until_ms": i64::from(class.valid_until_s) * 1000,
            });
            self.json("POST", &format!("{base}/classes"), credential, &body).await?;
        }
        let policy = json!({
            "partition": "open", "printed_classes": [1],
            "lanes": lanes.iter().map(|lane| json!({ "lane_id": lane, "classes": [] })).collect::<Vec<_>>(),
        });
        self.json("PUT", &format!("{base}/policy"), credential, &policy).await?;
        Ok(lanes)
    }

    /// A device at each lane, from its enrolment code to the supervisor's confirmation.
    async fn enrol(&mut self, lanes: &[u32]) -> Result<()> {
        let sign_in = Request::post("/api/v1/session")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(json!({ "name": "anna", "password": PASSWORD }).to_string()))?;
        let answer = self.service.clone().oneshot(sign_in).await?;
        let cookie = answer.headers().get(header::SET_COOKIE).and_then(|cookie| cookie.to_str().ok());
        let cookie =
            cookie.and_then(|cookie| cookie.split(';').next()).context("signing in gave no cookie")?.to_owned();
        let credential = ("cookie", cookie.as_str());
        for (which, lane) in (1..).zip(lanes) {
            let path = format!("/api/v1/events/{EVENT}/enrolments");
            let made = self.json("POST", &path, credential, &json!({ "lane_id": lane })).await?;
            let code = EnrolmentCode::parse(made["qr_text"].as_str().context("no enrolment code")?)?;
            let key = site::device_key(which);
            let enrol = EnrolRequest::new(code.one_time, &key, format!("Handheld {which}"), "bench".to_owned());
            let request = Request::post("/gate/v1/enrol")
                .header(header::CONTENT_TYPE, MEDIA_TYPE)
                .body(Full::from(to_cbor(&enrol)?))?;
            let (status, bytes) = self.send(request).await?;
            ensure!(status.is_success(), "enrolling: {status} {}", String::from_utf8_lossy(&bytes));
            let id = DeviceId(from_cbor::<EnrolAnswer>(&bytes)?.device);
            let fingerprint = json!({ "fingerprint": key.public().spoken_fingerprint() });
            self.json("POST", &format!("/api/v1/devices/{id}/confirm"), credential, &fingerprint).await?;
            self.devices.push(Device { id, lane: *lane, key: Arc::new(key) });
        }
        Ok(())
    }
}

impl Device {
    /// A request as this device signs it.
    pub fn request(&self, method: &str, target: &str, body: Vec<u8>) -> Result<Request<Full<Bytes>>> {
        let signed = request::sign(&self.key, self.id, method, target, NOW_MS, &body);
        let request = Request::builder()
            .method(method)
            .uri(target)
            .header(request::HEADER, signed)
            .header(header::CONTENT_TYPE, MEDIA_TYPE);
        Ok(request.body(Full::from(body))?)
    }
}

/// The router as a service whose answers come in one piece.
fn service<R, B>(router: R) -> Service
where
    R: tower::Service<Request<Full<Bytes>>, Response = Response<B>, Error = Infallible>,
    R: Clone + Send + Sync + 'static,
    R::Future: Send,
    B: http_body_util::BodyExt<Data = Bytes, Error: std::fmt::Display> + Send + 'static,
{
    let whole = |answer: Response<B>| async {
        let (head, body) = answer.into_parts();
        let body = body.collect().await.map_err(|error| anyhow!("an answer broke off: {error}"))?;
        Ok(Response::from_parts(head, body.to_bytes()))
    };
    BoxCloneSyncService::new(router.map_err(|never| match never {}).and_then(whole))
}

/// The server's own keys, certified by the site's root.
fn key_ring(folder: &Path, random: &Random) -> Result<KeyRing> {
    let directory = keys::directory(folder);
    keys::init(&directory, &ticket_signer::Role::ALL, random)?;
    std::fs::write(directory.join("root.pub"), keyfile::write_public(&site::root().public()))?;
    let ring = KeyRing::load(&directory)?;
    for role in Role::ALL {
        let key = ring.key(role).with_context(|| format!("no {} key was made", role.name()))?;
        let certificate = site::certificate_of(role, key.secret.public())?;
        std::fs::write(directory.join(format!("{}.cert", role.name())), certificate)?;
    }
    Ok(KeyRing::load(&directory)?)
}
