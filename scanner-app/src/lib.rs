//! The handheld at a turnstile: it reads codes, decides alone, records durably, and only then shows the verdict.
//!
//! `core` is pure (no I/O, no clock, no threads); `shell` does the I/O.
//!
//! Architecture Invariant: `core` never imports `shell`.

pub mod core;
pub mod shell;
#[cfg(test)]
mod testkit;
