//! HTTPS to the one server that this handheld was enrolled with: its TLS key is pinned, whatever its certificate says.
//!
//! Invariants: no request leaves over a connection whose key is another one; nothing waits without a bound, and no answer is
//! read beyond a bound; each request is signed with the device's key; redirects are not followed.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use gate_core::wire::MEDIA_TYPE;
use gate_core::wire::v1::GENERATION_HEADER;
use gate_core::{pin, request};
use reqwest::blocking::{Client, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use ticket_signer::{DeviceId, SecretKey};

use super::clock::system_ms;

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an answer may take to begin, and each part of it to come.
const ANSWER: Duration = Duration::from_secs(10);
/// The feed says something at least every 15 seconds; after three times that it is dead.
pub const FEED_SILENCE: Duration = Duration::from_secs(45);
/// The most bytes of an answer that is no list.
const ANSWER_BYTES_MAX: u64 = 8 << 20;
/// The most bytes of an error's description.
const PROBLEM_BYTES_MAX: u64 = 16 << 10;

/// Why a request brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    #[error(
        "This is not the server that this handheld was enrolled with: its TLS key is another one. Check the network (a \
         guest network may stand in between); if the server has a new key, enrol this handheld again"
    )]
    OtherKey,
    #[error("The server {server} cannot be reached ({error}). The lane goes on without it; check network and server")]
    Unreachable { server: String, error: String },
    #[error("The server refused: {detail} ({code}, status {status})")]
    Refused { status: u16, code: String, detail: String },
    #[error("The server's answer cannot be read ({0}). Update this handheld or the server")]
    Unreadable(String),
    #[error("The server's answer is larger than {0} bytes and was not read. Ask the organiser's administrator")]
    TooLarge(u64),
    #[error("TLS cannot be set up on this handheld ({0}). Reinstall the program")]
    Setup(String),
}

impl HttpError {
    /// The status that the server refused with.
    pub fn status(&self) -> Option<u16> {
        match self {
            HttpError::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }
}

/// Who signs the requests.
#[derive(Clone)]
pub struct Signer {
    pub device: DeviceId,
    pub key: Arc<SecretKey>,
}

/// A client of one server.
pub struct Server {
    base: String,
    client: Client,
    signer: Option<Signer>,
    other_key: pin::Alarm,
}

impl Server {
    /// A client of `https://host[:port]` whose TLS key has this SHA-256 (of its SubjectPublicKeyInfo).
    pub fn new(base: &str, pin: [u8; 32], signer: Option<Signer>) -> Result<Self, HttpError> {
        Self::build(base, pin, signer, ANSWER)
    }

    /// A client for the feed: patient with silence, as long as the feed's rules allow.
    pub fn for_feed(base: &str, pin: [u8; 32], signer: Signer) -> Result<Self, HttpError> {
        Self::build(base, pin, Some(signer), FEED_SILENCE)
    }

    /// A client for a question that is worth nothing when its answer comes late.
    pub fn for_question(base: &str, pin: [u8; 32], signer: Signer) -> Result<Self, HttpError> {
        Self::build(base, pin, Some(signer), Duration::from_millis(crate::core::engine::ASK_MS.unsigned_abs()))
    }

    fn build(base: &str, pin: [u8; 32], signer: Option<Signer>, patience: Duration) -> Result<Self, HttpError> {
        let setup = |error: &dyn std::fmt::Display| HttpError::Setup(error.to_string());
        let (tls, other_key) = pin::client_config(pin).map_err(|error| setup(&error))?;
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(true)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .timeout(patience)
            .pool_idle_timeout(Duration::from_secs(30))
            .tcp_keepalive(Duration::from_secs(15))
            .user_agent(concat!("turnstone-scanner/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| setup(&error))?;
        Ok(Server { base: base.trim_end_matches('/').to_owned(), client, signer, other_key })
    }

    /// A CBOR message from the server.
    pub fn get<T: DeserializeOwned>(&self, target: &str) -> Result<T, HttpError> {
        read_cbor(self.send("GET", target, Vec::new())?, ANSWER_BYTES_MAX)
    }

    /// Bytes as they are, at most `bytes_max`.
    pub fn get_bytes(&self, target: &str, bytes_max: u64) -> Result<Vec<u8>, HttpError> {
        read_bounded(self.send("GET", target, Vec::new())?, bytes_max)
    }

    /// Sends a CBOR message and reads another one.
    pub fn post<T: DeserializeOwned>(&self, target: &str, message: &impl Serialize) -> Result<T, HttpError> {
        let body = gate_core::wire::to_cbor(message).map_err(|error| HttpError::Unreadable(error.to_string()))?;
        read_cbor(self.send("POST", target, body)?, ANSWER_BYTES_MAX)
    }

    /// Sends a CBOR message whose answer says nothing.
    pub fn tell(&self, target: &str, message: &impl Serialize) -> Result<(), HttpError> {
        let body = gate_core::wire::to_cbor(message).map_err(|error| HttpError::Unreadable(error.to_string()))?;
        // Read to its end, so that the connection serves again.
        read_bounded(self.send("POST", target, body)?, PROBLEM_BYTES_MAX).map(|_| ())
    }

    /// Opens a stream of server-sent events, with the generation that its cursors are of, if the server names one: reading it
    /// fails after [`FEED_SILENCE`] without a byte.
    pub fn stream(&self, target: &str) -> Result<(impl Read + use<>, Option<u64>), HttpError> {
        let answer = self.send("GET", target, Vec::new())?;
        let generation = answer.headers().get(GENERATION_HEADER).and_then(|value| value.to_str().ok()?.parse().ok());
        Ok((answer, generation))
    }

    fn send(&self, method: &'static str, target: &str, body: Vec<u8>) -> Result<Response, HttpError> {
        let url = format!("{}{target}", self.base);
        let mut request = match method {
            "POST" => self.client.post(url).header("Content-Type", MEDIA_TYPE),
            _ => self.client.get(url),
        };
        if let Some(Signer { device, key }) = &self.signer {
            request = request.header(request::HEADER, request::sign(key, *device, method, target, system_ms(), &body));
        }
        if method == "POST" {
            request = request.body(body);
        }
        let answer = request.send().map_err(|error| self.failed(&error))?;
        let status = answer.status().as_u16();
        if (200..300).contains(&status) { Ok(answer) } else { Err(refused(status, answer)) }
    }

    fn failed(&self, error: &reqwest::Error) -> HttpError {
        if self.other_key.take() {
            return HttpError::OtherKey;
        }
        let error = if error.is_timeout() { "it does not answer in time".to_owned() } else { plain(error) };
        HttpError::Unreachable { server: self.base.clone(), error }
    }
}

/// What staff can make of a failure: the innermost cause, in plain words where it is one of the usual.
pub fn plain(error: &(dyn std::error::Error + 'static)) -> String {
    use std::io::ErrorKind;
    let mut cause = error;
    loop {
        let io = cause.downcast_ref::<std::io::Error>();
        match io.map(std::io::Error::kind) {
            Some(ErrorKind::ConnectionRefused) => return "it does not run, or another address is meant".to_owned(),
            Some(
                ErrorKind::UnexpectedEof
                | ErrorKind::ConnectionReset
                | ErrorKind::ConnectionAborted
                | ErrorKind::BrokenPipe,
            ) => {
                return "the connection breaks off".to_owned();
            }
            Some(ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable | ErrorKind::NetworkDown) => {
                return "this handheld has no network".to_owned();
            }
            Some(ErrorKind::TimedOut | ErrorKind::WouldBlock) => return "it does not answer in time".to_owned(),
            _ => {}
        }
        // An I/O error that wraps another one hides it from `source`.
        let wrapped = io.and_then(std::io::Error::get_ref).map(|inner| inner as &(dyn std::error::Error + 'static));
        match wrapped.or_else(|| cause.source()) {
            Some(inner) => cause = inner,
            None => return cause.to_string(),
        }
    }
}

fn read_bounded(answer: Response, bytes_max: u64) -> Result<Vec<u8>, HttpError> {
    let mut bytes = Vec::new();
    let read = answer.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|error| HttpError::Unreadable(format!("it was cut off: {error}")))?;
    if bytes.len() as u64 > bytes_max { Err(HttpError::TooLarge(bytes_max)) } else { Ok(bytes) }
}

fn read_cbor<T: DeserializeOwned>(answer: Response, bytes_max: u64) -> Result<T, HttpError> {
    let bytes = read_bounded(answer, bytes_max)?;
    gate_core::wire::from_cbor(&bytes).map_err(|error| HttpError::Unreadable(error.to_string()))
}

fn refused(status: u16, answer: Response) -> HttpError {
    #[derive(serde::Deserialize, Default)]
    struct Problem {
        #[serde(default)]
        code: String,
        #[serde(default)]
        detail: String,
        #[serde(default)]
        title: String,
    }
    let bytes = read_bounded(answer, PROBLEM_BYTES_MAX).unwrap_or_default();
    let problem: Problem = serde_json::from_slice(&bytes).unwrap_or_default();
    let code = if problem.code.is_empty() { "no code".to_owned() } else { problem.code };
    let detail = [problem.detail, problem.title].into_iter().find(|text| !text.is_empty());
    HttpError::Refused { status, code, detail: detail.unwrap_or_else(|| "it gave no reason".to_owned()) }
}

#[cfg(test)]
#[path = "http_tests.rs"]
pub(super) mod tests;
