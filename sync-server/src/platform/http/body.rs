//! Reading a request: its body, path and query, each failure a [`Problem`].

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, OriginalUri, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use bytes::BytesMut;
use http_body_util::BodyExt as _;
use serde::de::DeserializeOwned;

use super::frame::MAX_BODY_BYTES;
use super::idempotency::IdempotentCall;
use crate::platform::{Actor, Answer, Code, Problem};

/// How many bytes of a body are taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyLimit(pub usize);

/// Reads a body to its end. What is too large is read on and thrown away, within bounds, for a client that is still sending
/// would never see the answer.
async fn read(mut body: Body, limit: usize) -> Answer<Bytes> {
    const PATIENCE: usize = 8;
    let mut bytes = BytesMut::new();
    let mut total = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| {
            Problem::new(Code::Malformed, "The body ended early or could not be read; send the request again.")
        })?;
        let Ok(data) = frame.into_data() else { continue };
        total += data.len();
        if total <= limit {
            bytes.extend_from_slice(&data);
        } else if total > limit.saturating_mul(PATIENCE) {
            break;
        }
    }
    if total > limit {
        return Err(Problem::new(
            Code::TooLarge,
            "The body is larger than this address takes; send less at once (a batch can be split).",
        ));
    }
    Ok(bytes.freeze())
}

/// A request's body as it came, with what an idempotency key is bound to. The handler checks rights first, then reads it.
#[derive(Debug)]
pub struct RequestBody {
    method: Method,
    path: String,
    headers: HeaderMap,
    bytes: Bytes,
}

impl<S: Send + Sync> FromRequest<S> for RequestBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Answer<Self> {
        let method = request.method().clone();
        let path = request
            .extensions()
            .get::<OriginalUri>()
            .map_or_else(|| request.uri().path().to_owned(), |original| original.path().to_owned());
        let headers = request.headers().clone();
        let limit = request.extensions().get::<BodyLimit>().map_or(MAX_BODY_BYTES, |limit| limit.0);
        let bytes = read(request.into_body(), limit).await?;
        Ok(Self { method, path, headers, bytes })
    }
}

impl RequestBody {
    /// The body as JSON of the type `T`. The content type must say JSON, which no plain HTML form can.
    ///
    /// # Errors
    /// `unsupported_media_type`, `malformed` with the place of the fault.
    pub fn json<T: DeserializeOwned>(&self) -> Answer<T> {
        let content_type = self.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
        if !content_type.split(';').next().unwrap_or("").trim().eq_ignore_ascii_case("application/json") {
            return Err(Problem::new(Code::UnsupportedMediaType, "Send the body as `Content-Type: application/json`."));
        }
        serde_json::from_slice(&self.bytes).map_err(|error| {
            Problem::new(Code::Malformed, format!("The body is not the JSON that this address expects: {error}."))
        })
    }

    /// The body of a creating call as JSON, and the idempotency key that it is bound to.
    ///
    /// # Errors
    /// `idempotency_key_missing`, and those of [`RequestBody::json`].
    pub fn creating<T: DeserializeOwned>(&self, actor: &Actor) -> Answer<(T, IdempotentCall)> {
        let key = self.headers.get("idempotency-key").and_then(|value| value.to_str().ok()).unwrap_or("");
        if !(1..=64).contains(&key.len()) || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Problem::new(
                Code::IdempotencyKeyMissing,
                "Send `Idempotency-Key` with 1 to 64 visible characters, a new one for each thing to be made, and the same \
                 one when you repeat a request whose answer was lost.",
            ));
        }
        let call = IdempotentCall::new(actor, key, self.method.as_str(), &self.path, &self.bytes);
        Ok((self.json()?, call))
    }

    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }
}

/// Path parameters; what does not parse is a thing that is not there.
#[derive(Debug)]
pub struct PathParams<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for PathParams<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Answer<Self> {
        let Path(value) = Path::<T>::from_request_parts(parts, state).await.map_err(|_| {
            Problem::new(Code::NotFound, "There is nothing at this address: an id in it is not of the right form.")
        })?;
        Ok(Self(value))
    }
}

/// Query parameters; what does not parse is malformed.
#[derive(Debug)]
pub struct QueryParams<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for QueryParams<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Answer<Self> {
        let Query(value) = Query::<T>::from_request_parts(parts, state).await.map_err(|rejection| {
            Problem::new(Code::Malformed, format!("The query cannot be read: {}.", rejection.body_text()))
        })?;
        Ok(Self(value))
    }
}

/// `api` has found out who asks before any handler runs; where it has not, nobody asks.
impl<S: Send + Sync> FromRequestParts<S> for Actor {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or(Self::Anonymous))
    }
}
