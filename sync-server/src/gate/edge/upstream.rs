//! HTTPS to the upstream: its TLS key is pinned, requests are signed with the edge's key, nothing waits without a bound.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use gate_core::wire::v1::{EDGE_HEADER, GENERATION_HEADER};
use gate_core::wire::{MEDIA_TYPE, from_cbor, to_cbor};
use gate_core::{pin, request};
use reqwest::Response;
use serde::Serialize;
use serde::de::DeserializeOwned;
use ticket_signer::{DeviceId, SecretKey};

use crate::platform::{Clock, Code, Problem};

const CONNECT: Duration = Duration::from_secs(5);
/// Each part of an answer comes within this time. The feed says something at least every 15 seconds.
const PART: Duration = Duration::from_secs(30);
/// The most bytes of an answer.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Why the upstream gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    #[error("{server} is not the server that this edge was enrolled with: its TLS key is another one")]
    OtherKey { server: String },
    #[error("{server} cannot be reached ({reason})")]
    Away { server: String, reason: String },
    #[error("the upstream refused: {detail} ({code}, status {status})")]
    Refused { status: u16, code: String, detail: String },
    #[error("the upstream's answer cannot be read ({0}); compare the versions of edge and upstream")]
    Unreadable(String),
    #[error("TLS cannot be set up ({0})")]
    Setup(String),
}

impl UpstreamError {
    /// The upstream did not answer at all.
    pub fn is_away(&self) -> bool {
        matches!(self, Self::Away { .. } | Self::OtherKey { .. })
    }
}

impl From<UpstreamError> for Problem {
    fn from(error: UpstreamError) -> Self {
        let detail = format!("This venue's edge cannot ask its server: {error}. Try again when the internet is back.");
        Self::new(Code::Busy, detail).retry_after_ms(5_000)
    }
}

const DEVICE: HeaderName = HeaderName::from_static("turnstone-device");

/// An answer that is handed on as it came.
pub(super) struct Handed {
    pub status: u16,
    pub content_type: Option<HeaderValue>,
    pub body: Vec<u8>,
}

/// A client of the upstream.
pub(super) struct Upstream {
    base: String,
    client: reqwest::Client,
    alarm: pin::Alarm,
    signer: Option<(DeviceId, Arc<SecretKey>)>,
    clock: Clock,
}

type Result<T> = std::result::Result<T, UpstreamError>;

impl Upstream {
    pub fn new(
        base: &str,
        tls_pin: [u8; 32],
        signer: Option<(DeviceId, Arc<SecretKey>)>,
        clock: &Clock,
    ) -> Result<Self> {
        let setup = |error: &dyn std::fmt::Display| UpstreamError::Setup(error.to_string());
        let (tls, alarm) = pin::client_config(tls_pin).map_err(|error| setup(&error))?;
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(true)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .read_timeout(PART)
            .pool_idle_timeout(Duration::from_secs(30))
            .tcp_keepalive(Duration::from_secs(15))
            .user_agent(concat!("turnstone-edge/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| setup(&error))?;
        Ok(Self { base: base.trim_end_matches('/').to_owned(), client, alarm, signer, clock: clock.clone() })
    }

    pub async fn get<T: DeserializeOwned>(&self, target: &str) -> Result<T> {
        self.read(self.own(Method::GET, target, Vec::new()).await?).await
    }

    pub async fn get_bytes(&self, target: &str) -> Result<Vec<u8>> {
        let answer = self.own(Method::GET, target, Vec::new()).await?;
        self.whole(self.checked(answer).await?).await
    }

    pub async fn post<T: DeserializeOwned>(&self, target: &str, message: &impl Serialize) -> Result<T> {
        let body = to_cbor(message).map_err(|error| UpstreamError::Unreadable(error.to_string()))?;
        self.read(self.own(Method::POST, target, body).await?).await
    }

    /// Opens the feed, with the generation that its cursors are of.
    pub async fn stream(&self, target: &str) -> Result<(Response, Option<u64>)> {
        let answer = self.own(Method::GET, target, Vec::new()).await?;
        let answer = self.checked(answer).await?;
        let generation = answer.headers().get(GENERATION_HEADER).and_then(|value| value.to_str().ok()?.parse().ok());
        Ok((answer, generation))
    }

    /// The next part of a stream; `None` at its end.
    pub async fn part(&self, stream: &mut Response) -> Result<Option<Bytes>> {
        stream.chunk().await.map_err(|error| self.away(&error))
    }

    /// Hands a lane's own request on, as it was signed, and the answer back. The edge's signature stands beside the lane's and
    /// never in its place: a request that nobody signed goes on unsigned.
    pub async fn hand_on(&self, method: Method, target: &str, headers: &HeaderMap, body: &[u8]) -> Result<Handed> {
        let mut kept = HeaderMap::new();
        for name in [DEVICE, header::CONTENT_TYPE] {
            if let Some(value) = headers.get(&name) {
                kept.insert(name, value.clone());
            }
        }
        if kept.contains_key(&DEVICE)
            && let Some(signed) = self.signed(&method, target, body)?
        {
            kept.insert(HeaderName::from_static(EDGE_HEADER), signed);
        }
        let answer = self.send(method, target, body.to_vec(), kept).await?;
        let (status, content_type) = (answer.status().as_u16(), answer.headers().get(header::CONTENT_TYPE).cloned());
        Ok(Handed { status, content_type, body: self.whole(answer).await? })
    }

    /// A request of the edge's own.
    async fn own(&self, method: Method, target: &str, body: Vec<u8>) -> Result<Response> {
        let mut headers = HeaderMap::new();
        if let Some(signed) = self.signed(&method, target, &body)? {
            headers.insert(DEVICE, signed);
        }
        self.send(method, target, body, headers).await
    }

    fn signed(&self, method: &Method, target: &str, body: &[u8]) -> Result<Option<HeaderValue>> {
        let Some((device, key)) = &self.signer else { return Ok(None) };
        let signed = request::sign(key, *device, method.as_str(), target, self.clock.now_ms(), body);
        HeaderValue::from_str(&signed).map(Some).map_err(|error| UpstreamError::Setup(error.to_string()))
    }

    async fn send(&self, method: Method, target: &str, body: Vec<u8>, mut headers: HeaderMap) -> Result<Response> {
        if method == Method::POST {
            headers.entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static(MEDIA_TYPE));
        }
        let request = self.client.request(method, format!("{}{target}", self.base)).headers(headers).body(body);
        request.send().await.map_err(|error| self.away(&error))
    }

    fn away(&self, error: &reqwest::Error) -> UpstreamError {
        let server = self.base.clone();
        if self.alarm.take() {
            return UpstreamError::OtherKey { server };
        }
        let mut cause: &dyn std::error::Error = error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        let reason = if error.is_timeout() { "it does not answer in time".to_owned() } else { cause.to_string() };
        UpstreamError::Away { server, reason }
    }

    async fn checked(&self, answer: Response) -> Result<Response> {
        #[derive(serde::Deserialize, Default)]
        struct Problem {
            #[serde(default)]
            code: String,
            #[serde(default)]
            detail: String,
        }
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let body = self.whole(answer).await?;
        let Problem { code, detail } = serde_json::from_slice(&body).unwrap_or_default();
        Err(UpstreamError::Refused { status: status.as_u16(), code, detail })
    }

    async fn read<T: DeserializeOwned>(&self, answer: Response) -> Result<T> {
        let body = self.whole(self.checked(answer).await?).await?;
        from_cbor(&body).map_err(|error| UpstreamError::Unreadable(error.to_string()))
    }

    async fn whole(&self, mut answer: Response) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        while let Some(part) = self.part(&mut answer).await? {
            if bytes.len() + part.len() > ANSWER_BYTES_MAX {
                return Err(UpstreamError::Unreadable(format!("it is longer than {ANSWER_BYTES_MAX} bytes")));
            }
            bytes.extend_from_slice(&part);
        }
        Ok(bytes)
    }
}
