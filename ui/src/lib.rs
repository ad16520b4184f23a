//! The handheld's screens, compiled from `handheld/*.slint` and exported: nothing else lives here.
//!
//! Invariants: no rule, no formatting and no I/O. `GateWindow` shows what the global `Gate` holds, and `handheld/api.slint`
//! is the whole contract. This is one crate of its own because every target that includes the generated code compiles it
//! again, which takes minutes.
//!
//! Linking this crate links Slint, so a binary that does is GPL-3.0-only; the sources here stay MIT OR Apache-2.0.

mod generated {
    #![allow(unsafe_code, missing_docs, clippy::all, clippy::unwrap_used)]
    slint::include_modules!();
}

pub use generated::*;
pub use slint;
