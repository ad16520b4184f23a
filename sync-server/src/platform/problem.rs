//! Every error that a client can see: its stable code, status and title in one table, its detail where it happens.
//!
//! Invariant: a code never changes its meaning or status once released. Answers are `application/problem+json` (RFC 9457).
//! No detail carries a secret, a path of this machine or an engine's own error text.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use super::store::StoreError;
use super::writer::WriteError;

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $name:ident = $code:literal, $status:ident, $title:literal;)*) => {
        /// The stable code of a problem.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[doc = $doc])* $name,)* }

        impl Code {
            /// Every code there is, for the documentation and for tests.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The code as clients see it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            #[must_use]
            pub fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

codes! {
    // The request itself.
    Malformed = "malformed", BAD_REQUEST, "The request cannot be read";
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "The body is of the wrong type";
    TooLarge = "too_large", PAYLOAD_TOO_LARGE, "The request is too large";
    Invalid = "invalid", UNPROCESSABLE_ENTITY, "A value is not allowed";
    NotFound = "not_found", NOT_FOUND, "There is no such thing";
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "This address does not know that method";
    Conflict = "conflict", CONFLICT, "This contradicts what is already there";
    IdempotencyKeyMissing = "idempotency_key_missing", BAD_REQUEST, "The request needs an Idempotency-Key";
    IdempotencyKeyReused = "idempotency_key_reused", UNPROCESSABLE_ENTITY, "The Idempotency-Key belongs to another request";
    AnswerExpired = "answer_expired", GONE, "The stored answer has expired";
    // Who asks.
    Unauthenticated = "unauthenticated", UNAUTHORIZED, "Not signed in";
    SignInFailed = "sign_in_failed", UNAUTHORIZED, "Name or password is wrong";
    Forbidden = "forbidden", FORBIDDEN, "Not allowed";
    RateLimited = "rate_limited", TOO_MANY_REQUESTS, "Too many requests";
    // The server's state.
    Busy = "busy", SERVICE_UNAVAILABLE, "The server is busy";
    StorageFull = "storage_full", INSUFFICIENT_STORAGE, "The server's disk is full";
    Timeout = "timeout", REQUEST_TIMEOUT, "The request took too long";
    Internal = "internal", INTERNAL_SERVER_ERROR, "The server made a mistake";
    KeysMissing = "keys_missing", SERVICE_UNAVAILABLE, "The server lacks a signing key";
    // Catalog.
    EventNotCertified = "event_not_certified", UNPROCESSABLE_ENTITY, "The issue certificate does not name this event";
    // Tickets and holders.
    LinkInvalid = "link_invalid", FORBIDDEN, "The link is not valid";
    LinkUsed = "link_used", CONFLICT, "The link was used on another phone";
    LinkSuperseded = "link_superseded", GONE, "A newer link was sent";
    TicketRevoked = "ticket_revoked", GONE, "The ticket was revoked";
    KeyRefused = "key_refused", UNPROCESSABLE_ENTITY, "The phone's key is refused";
    BindingRate = "binding_rate", TOO_MANY_REQUESTS, "Bound too often";
    // Devices.
    EnrolmentInvalid = "enrolment_invalid", FORBIDDEN, "The enrolment code is not valid";
    EnrolmentExpired = "enrolment_expired", GONE, "The enrolment code is used or expired";
    EdgeReadOnly = "edge_read_only", CONFLICT, "A venue's edge decides nothing";
    FingerprintMismatch = "fingerprint_mismatch", CONFLICT, "The fingerprint is another device's";
    DeviceUnknown = "device_unknown", UNAUTHORIZED, "The device is not enrolled";
    DeviceUnconfirmed = "device_unconfirmed", FORBIDDEN, "The device is not confirmed yet";
    DeviceRevoked = "device_revoked", FORBIDDEN, "The device was revoked";
    DeviceWiped = "device_wiped", FORBIDDEN, "The device is to be wiped";
    DeviceSignature = "device_signature", UNAUTHORIZED, "The device's signature does not fit";
}

/// One problem, ready to be an answer. Handlers return it as their error.
#[derive(Debug, Clone)]
pub struct Problem {
    code: Code,
    detail: String,
    retry_after_ms: Option<u64>,
    members: Map<String, Value>,
}

/// The result of a handler.
pub type Answer<T> = Result<T, Problem>;

impl Problem {
    /// `detail`: what is wrong and what to do, in the reader's words.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), retry_after_ms: None, members: Map::new() }
    }

    /// The same request is welcome again after that time.
    #[must_use]
    pub fn retry_after_ms(mut self, retry_after_ms: u64) -> Self {
        self.retry_after_ms = Some(retry_after_ms);
        self
    }

    /// One more member for programs to read.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// A value that the rules do not allow: its field, and what would be allowed.
    #[must_use]
    pub fn invalid(field: &str, detail: impl Into<String>) -> Self {
        Self::new(Code::Invalid, detail).with("field", field)
    }

    /// What was asked for is not there: `what` as in "event 7".
    #[must_use]
    pub fn not_found(what: impl std::fmt::Display) -> Self {
        Self::new(Code::NotFound, format!("There is no {what} here."))
    }

    /// A fault of the server's own, logged here, once; the client learns nothing but that it happened.
    #[must_use]
    pub fn internal(fault: impl std::fmt::Display) -> Self {
        tracing::error!(%fault, "a request failed by a fault of the server");
        Self::new(
            Code::Internal,
            "The request failed by a fault of the server, which has noted it. Nothing was changed.",
        )
    }

    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Busy => Self::new(Code::Busy, "The database is busy; send the same request again in a moment.")
                .retry_after_ms(1_000),
            StoreError::DiskFull => {
                tracing::error!(%error, "the disk is full");
                Self::new(
                    Code::StorageFull,
                    "The server's disk is full, so nothing was changed. Its operator has to free space.",
                )
            }
            other => Self::internal(other),
        }
    }
}

impl<R: Into<Self>> From<WriteError<R>> for Problem {
    fn from(error: WriteError<R>) -> Self {
        match error {
            WriteError::Refused(refusal) => refusal.into(),
            WriteError::Store(error) => error.into(),
            WriteError::Busy { retry_after_ms } => {
                Self::new(Code::Busy, "Too many requests wait for this event; send the same request again later.")
                    .retry_after_ms(retry_after_ms)
            }
            WriteError::Stopped => {
                Self::new(Code::Busy, "The server is stopping; send the same request again.").retry_after_ms(2_000)
            }
            WriteError::Poisoned => Self::internal("an operation could not be planned"),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut members = self.members;
        members.insert("type".into(), format!("urn:turnstone:problem:{}", self.code.as_str()).into());
        members.insert("title".into(), self.code.title().into());
        members.insert("status".into(), self.code.status().as_u16().into());
        members.insert("code".into(), self.code.as_str().into());
        members.insert("detail".into(), self.detail.into());
        if let Some(retry_after_ms) = self.retry_after_ms {
            members.insert("retry_after_ms".into(), retry_after_ms.into());
        }
        let mut response = (self.code.status(), Json(Value::Object(members))).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(retry_after_ms) = self.retry_after_ms {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_after_ms.div_ceil(1_000).max(1)));
        }
        response
    }
}

/// The shape of a problem, for the OpenAPI document.
#[derive(utoipa::ToSchema)]
#[schema(as = Problem)]
#[expect(dead_code, reason = "describes JSON that is built by hand")]
pub struct ProblemDocument {
    /// `urn:turnstone:problem:<code>`
    r#type: String,
    title: String,
    status: u16,
    /// Stable; programs branch on it.
    code: String,
    /// What is wrong and what to do.
    detail: String,
    /// The field at fault, when one is.
    field: Option<String>,
    /// When the same request is welcome again.
    retry_after_ms: Option<u64>,
}
