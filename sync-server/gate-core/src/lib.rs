//! The contract between gate and server: the pure admission rules, the journal's rows and the messages on the wire.
//!
//! Both sides link this crate, so a rule is written once. Invariants:
//! - Nothing here does I/O or reads a clock; time, storage and keys are arguments ([`record::JournalTx`] is the port).
//! - [`record::Recorded`] is made only by [`record::record`] and [`record::recall`], after the commit: a screen that takes
//!   one cannot show green for what is not on disk.
//! - A journal row is bytes: signed and hashed as written, never encoded again.

pub mod chain;
pub mod clock;
pub mod conflict;
pub mod crowd;
pub mod decide;
#[cfg(test)]
mod fixture;
pub mod grant;
pub mod merge;
pub mod mutant;
pub mod owner;
pub mod ownership;
pub mod pack;
pub mod passage;
#[cfg(feature = "pin")]
pub mod pin;
pub mod policy;
pub mod reason;
pub mod record;
pub mod request;
pub mod row;
pub mod staff;
pub mod view;
pub mod wire;

pub use clock::{ClockReading, GateClock};
pub use conflict::Conflict;
pub use decide::{Decision, Detail, Outcome, decide};
pub use grant::Grant;
pub use passage::{Direction, Passage};
pub use policy::{LanePolicy, Partition, Policy, UnlistedPrinted};
pub use reason::Reason;
pub use record::{JournalTx, Recorded, record};
pub use row::{RowBody, SignedRow};
pub use view::{GateView, Reach, TicketView};
