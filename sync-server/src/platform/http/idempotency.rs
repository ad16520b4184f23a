//! Idempotency keys: a creating call that is repeated gets the stored answer, and makes nothing twice.
//!
//! Owns the table `idempotency`. Invariants: a key belongs to one actor and one request (method, path and body); the answer
//! is stored in the same transaction as what it tells of, so both exist or neither does; failures are not stored, so a
//! repeated request tries again. Answers are kept for [`KEPT_MS`]; one that holds a short-lived secret only as long as the
//! secret is of use, and its key is remembered all the same.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::platform::store::{Result as StoreResult, params};
use crate::platform::{Actor, Answer, Code, Platform, Problem, Tx};

/// How long an answer is kept: seven days, so that a back end that was down over a weekend can still repeat its call.
pub const KEPT_MS: i64 = 7 * 24 * 3_600 * 1_000;

/// A creating request, as far as its idempotency key is bound to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotentCall {
    actor: String,
    key: String,
    request_sha256: [u8; 32],
}

impl IdempotentCall {
    #[must_use]
    pub fn new(actor: &Actor, key: &str, method: &str, path: &str, body: &[u8]) -> Self {
        let mut digest = Sha256::new();
        for part in [method.as_bytes(), b" ", path.as_bytes(), b"\n", body] {
            digest.update(part);
        }
        Self { actor: actor.reference(), key: key.to_owned(), request_sha256: digest.finalize().into() }
    }

    /// Opens the transaction of the creation, unless the key was used before: then the stored answer comes back.
    ///
    /// # Errors
    /// `idempotency_key_reused` when the key belongs to another request; the store's.
    pub async fn begin(self, platform: &Platform) -> Answer<Begun> {
        let mut tx = platform.store.write().await?;
        match self.claim(&mut tx, platform.clock.now_ms()).await? {
            Some(stored) => Ok(Begun::Replayed(stored)),
            None => Ok(Begun::New(Creation { call: self, tx })),
        }
    }

    /// Claims the key within `tx`, or finds the answer that it got before. For callers whose transaction is not their own,
    /// such as a group-commit batch; pairs with [`IdempotentCall::settle`].
    ///
    /// # Errors
    /// As [`IdempotentCall::begin`].
    pub async fn claim(&self, tx: &mut Tx, now_ms: i64) -> Answer<Option<Response>> {
        let claimed = tx
            .execute(
                "INSERT INTO idempotency (actor, idempotency_key, request_sha256, status, answer, created_at_ms)
                 VALUES ($1, $2, $3, 0, $4, $5) ON CONFLICT (actor, idempotency_key) DO NOTHING",
                params![&self.actor, &self.key, self.request_sha256, Vec::new(), now_ms],
            )
            .await?;
        if claimed == 1 {
            return Ok(None);
        }
        let (request_sha256, status, answer, kept_until_ms): (Vec<u8>, u16, Vec<u8>, Option<i64>) = tx
            .query_one(
                "SELECT request_sha256, status, answer, kept_until_ms FROM idempotency
                 WHERE actor = $1 AND idempotency_key = $2",
                params![&self.actor, &self.key],
            )
            .await?;
        if request_sha256 != self.request_sha256 {
            return Err(Problem::new(
                Code::IdempotencyKeyReused,
                "This Idempotency-Key was sent with another request before. Use a new key for a new request, and repeat an old \
                 one unchanged.",
            ));
        }
        if kept_until_ms.is_some_and(|kept_until_ms| now_ms >= kept_until_ms) {
            return Err(Problem::new(
                Code::AnswerExpired,
                "This request was done, and what it was answered is of no use any more. Ask for a new one, with a new \
                 Idempotency-Key.",
            ));
        }
        let status = StatusCode::from_u16(status).map_err(Problem::internal)?;
        let mut response = json_response(status, answer);
        response.headers_mut().insert("idempotent-replayed", HeaderValue::from_static("true"));
        Ok(Some(response))
    }

    /// Stores the answer within `tx`, under the key that [`IdempotentCall::claim`] claimed; for good, or until a secret in it
    /// is of no use any more.
    ///
    /// # Errors
    /// The store's.
    pub async fn settle(
        &self,
        tx: &mut Tx,
        status: StatusCode,
        answer: &[u8],
        kept_until_ms: Option<i64>,
    ) -> StoreResult<()> {
        tx.execute(
            "UPDATE idempotency SET status = $3, answer = $4, kept_until_ms = $5 WHERE actor = $1 AND idempotency_key = $2",
            params![&self.actor, &self.key, status.as_u16(), answer, kept_until_ms],
        )
        .await?;
        Ok(())
    }
}

/// What [`IdempotentCall::begin`] found.
pub enum Begun {
    /// The key is new: make the thing within this transaction, then [`Creation::finish`] it.
    New(Creation),
    /// The key was used for the same request: this is the answer it got.
    Replayed(Response),
}

/// The open transaction of a creating call. Dropping it undoes everything, the claim on the key included.
pub struct Creation {
    call: IdempotentCall,
    pub tx: Tx,
}

impl Creation {
    /// Stores the answer, commits, and gives the answer to be sent.
    ///
    /// # Errors
    /// The store's: then nothing was made.
    pub async fn finish(self, status: StatusCode, answer: &impl Serialize) -> Answer<Response> {
        self.store(status, answer, None).await
    }

    /// As [`Creation::finish`], for an answer with a secret that is of no use from `kept_until_ms` on.
    ///
    /// # Errors
    /// As [`Creation::finish`].
    pub async fn finish_until(
        self,
        status: StatusCode,
        answer: &impl Serialize,
        kept_until_ms: i64,
    ) -> Answer<Response> {
        self.store(status, answer, Some(kept_until_ms)).await
    }

    async fn store(
        mut self,
        status: StatusCode,
        answer: &impl Serialize,
        kept_until_ms: Option<i64>,
    ) -> Answer<Response> {
        let bytes = serde_json::to_vec(answer).map_err(Problem::internal)?;
        self.call.settle(&mut self.tx, status, &bytes, kept_until_ms).await?;
        self.tx.commit().await?;
        Ok(json_response(status, bytes))
    }
}

fn json_response(status: StatusCode, body: Vec<u8>) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], body).into_response()
}

/// Forgets answers older than [`KEPT_MS`], and of those with a secret that is of no use any more all but the key; how many.
///
/// # Errors
/// The store's.
pub async fn forget_old(tx: &mut Tx, now_ms: i64) -> StoreResult<u64> {
    let expired = tx
        .execute(
            "UPDATE idempotency SET answer = $2 WHERE kept_until_ms <= $1 AND answer <> $2",
            params![now_ms, Vec::new()],
        )
        .await?;
    let old = tx.execute("DELETE FROM idempotency WHERE created_at_ms < $1", params![now_ms - KEPT_MS]).await?;
    Ok(expired + old)
}
