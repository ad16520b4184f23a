//! What every context stands on: clock, random numbers, store, writer, HTTP frame, TLS, configuration, logging.
//!
//! Owns the tables `schema_migrations`, `counters` and `idempotency`. Invariants: nothing here knows a venue, a ticket or a
//! gate; no other module reads the machine's clock or draws random numbers.

pub mod actor;
pub mod clock;
pub mod config;
pub mod files;
pub mod http;
pub mod ids;
pub mod keys;
pub mod problem;
pub mod shutdown;
pub mod store;
pub mod telemetry;
pub mod tls;
pub mod writer;

use std::sync::Arc;

pub use actor::{Actor, Scope, StaffRole};
pub use clock::Clock;
pub use ids::Random;
pub use problem::{Answer, Code, Problem};
pub use shutdown::Shutdown;
pub use store::{Store, StoreError, Tx};

/// What handlers and jobs work with. Cheap to clone.
#[derive(Clone)]
pub struct Platform {
    pub store: Store,
    pub clock: Clock,
    pub random: Random,
    pub shutdown: Shutdown,
    pub site: Arc<Site>,
}

/// How this server is reached from outside.
#[derive(Debug, Clone)]
pub struct Site {
    /// The address in links and enrolment codes: `https://host` or `https://host:port`, no slash at the end.
    pub public_url: String,
    /// SHA-256 of the TLS key (its SubjectPublicKeyInfo), which handhelds pin.
    pub spki_sha256: [u8; 32],
}
