//! The auditor: a second reader of what Turnstone's gates have journalled, which shares no code with them.
//!
//! It reads an [`export`] (the cloud's and each device's), verifies every certificate, row, chain, receipt, grant and code
//! again, counts again who was inside on each ticket, and names each difference.
//!
//! Invariants:
//! - None of the product's crates is a dependency; tests alone use them, to make journals.
//! - Nothing panics, whatever is read: what cannot be read is an [`ExportError`] with file and line, what is not to be believed
//!   is a [`Finding`].
//! - Work is bounded by the size of the export, and findings by their number.
//! - No clock: a row is held against what held at its own time.
//! - No accusation by guess: where an export does not say enough, a [`Note`] says what was not checked.
#![forbid(unsafe_code)]

mod acts;
mod admission;
mod audit;
mod bytes;
pub mod certificate;
mod chain;
pub mod code;
mod codes;
pub mod credential;
pub mod envelope;
pub mod export;
mod fault;
mod finding;
mod floors;
pub mod grant;
pub mod ids;
mod intake;
mod json;
pub mod keys;
mod material;
mod moment;
pub mod passage;
mod payload;
pub mod policy;
pub mod receipt;
pub mod row;
mod rules;
mod text;
pub mod trust;

pub use acts::Override;
pub use admission::Conflict;
pub use audit::{Note, Report, Totals, audit};
pub use export::{Export, ExportError};
pub use fault::Fault;
pub use finding::{Finding, Kind, Place};
pub use json::to_json;
pub use text::to_text;
