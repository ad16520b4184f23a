//! The HTTP frame that all contexts' handlers sit in: reading requests, binding creations to idempotency keys, and the
//! layers around every router (limits, panics, logs, headers).
//!
//! Invariants: whatever goes wrong, the answer is a [`Problem`]; a request's rights are checked before its body is judged;
//! no header, query or body is logged.

mod body;
mod frame;
pub mod idempotency;
mod serve;
#[cfg(test)]
mod tests;

pub use body::{PathParams, QueryParams, RequestBody};
pub(crate) use frame::max_body;
pub use frame::{MAX_BODY_BYTES, MAX_SCAN_BODY_BYTES, frame};
pub use idempotency::{Begun, Creation, IdempotentCall};
pub use serve::{ClientAddress, ServeError, serve};
