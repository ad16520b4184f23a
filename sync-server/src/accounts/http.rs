//! Signing in and out, and finding out who asks.

use axum::Json;
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Accounts, AccountsError, SESSION_LIFE_MS};
use crate::platform::http::{ClientAddress, RequestBody};
use crate::platform::problem::ProblemDocument;
use crate::platform::{Actor, Answer, Code, Problem};

/// `__Host-`: a browser takes it only over HTTPS, for this host alone and all its paths.
const COOKIE: &str = "__Host-turnstone";

pub fn routes() -> OpenApiRouter<Accounts> {
    OpenApiRouter::new().routes(routes!(sign_in, who, sign_out))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SignIn {
    name: String,
    password: String,
}

#[derive(Serialize, ToSchema)]
struct SignedIn {
    name: String,
    /// `supervisor`
    role: String,
}

/// Signs a supervisor in; the answer sets the session's cookie, which lasts twelve hours.
#[utoipa::path(post, path = "/api/v1/session", tag = "session", request_body = SignIn,
    responses((status = 200, body = SignedIn), (status = 401, body = ProblemDocument), (status = 429, body = ProblemDocument)))]
async fn sign_in(
    State(accounts): State<Accounts>,
    client: Option<Extension<ClientAddress>>,
    body: RequestBody,
) -> Answer<Response> {
    let SignIn { name, password } = body.json()?;
    let address = client.map(|Extension(ClientAddress(address))| address.ip());
    let session = accounts.sign_in(&name, &password, address).await?;
    let cookie = format!(
        "{COOKIE}={}; Path=/; Max-Age={}; HttpOnly; Secure; SameSite=Strict",
        session.token,
        SESSION_LIFE_MS / 1_000
    );
    let mut cookie = HeaderValue::from_str(&cookie).map_err(Problem::internal)?;
    cookie.set_sensitive(true);
    let answer = SignedIn { name: session.name, role: session.role.as_str().into() };
    Ok(([(header::SET_COOKIE, cookie)], Json(answer)).into_response())
}

/// Who is signed in.
#[utoipa::path(get, path = "/api/v1/session", tag = "session",
    responses((status = 200, body = SignedIn), (status = 401, body = ProblemDocument)))]
async fn who(actor: Actor) -> Answer<Json<SignedIn>> {
    match actor {
        Actor::Staff { name, role, .. } => Ok(Json(SignedIn { name, role: role.as_str().into() })),
        _ => Err(Problem::new(Code::Unauthenticated, "Nobody is signed in here; sign in first.")),
    }
}

/// Ends the session.
#[utoipa::path(delete, path = "/api/v1/session", tag = "session", responses((status = 204)))]
async fn sign_out(State(accounts): State<Accounts>, headers: HeaderMap) -> Answer<Response> {
    if let Some(token) = session_token(&headers) {
        accounts.sign_out(token).await?;
    }
    let expired = format!("{COOKIE}=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Strict");
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, expired)]).into_response())
}

/// Middleware: finds out who asks and hands it on as an [`Actor`]. A bad API key is refused here; an expired session is
/// nobody's, so that pages can say "sign in" in their own way.
///
/// # Errors
/// `unauthenticated` for an API key that is not known, the store's.
pub async fn identify(State(accounts): State<Accounts>, mut request: Request, next: Next) -> Answer<Response> {
    let headers = request.headers();
    let actor = if let Some(authorization) = headers.get(header::AUTHORIZATION) {
        let secret = authorization.to_str().ok().and_then(|text| text.strip_prefix("Bearer ")).unwrap_or("");
        let found = accounts.actor_of_api_key(secret.trim()).await?;
        Some(found.ok_or_else(|| {
            Problem::new(
                Code::Unauthenticated,
                "This API key is not known here. Check that it is complete (`Authorization: Bearer tsk_...`) and was not revoked.",
            )
        })?)
    } else if let Some(token) = session_token(headers) {
        accounts.actor_of_session(token).await?
    } else {
        None
    };
    if let Some(actor) = actor {
        request.extensions_mut().insert(actor);
    }
    Ok(next.run(request).await)
}

fn session_token(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    cookies
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == COOKIE && !value.is_empty()).then_some(value))
}

impl From<AccountsError> for Problem {
    fn from(error: AccountsError) -> Self {
        match error {
            AccountsError::Store(error) => error.into(),
            AccountsError::SignInFailed => Self::new(Code::SignInFailed, error.to_string()),
            AccountsError::TooManyFailures { retry_after_ms } => Self::new(Code::RateLimited, error.to_string())
                .retry_after_ms(u64::try_from(retry_after_ms).unwrap_or(1_000)),
            AccountsError::Hashing => Self::new(Code::Busy, error.to_string()).retry_after_ms(1_000),
            AccountsError::Name | AccountsError::NameTaken { .. } => Self::invalid("name", error.to_string()),
            AccountsError::Password(_) => Self::invalid("password", error.to_string()),
            AccountsError::StaffNumber | AccountsError::StaffFull => Self::invalid("number", error.to_string()),
            AccountsError::Pin(_) | AccountsError::PinMissing => Self::invalid("pin", error.to_string()),
            AccountsError::NoScope => Self::invalid("scopes", error.to_string()),
        }
    }
}
