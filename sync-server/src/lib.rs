//! The Turnstone sync server, as a library that its binary and the tests compose.
//!
//! Contexts (`accounts`, `catalog`, ...) stand on `platform` and on each other only as `docs/architecture.md` says; `api`
//! and `web` compose them; `server` brings it all up; `cli` is the command.

pub mod accounts;
pub mod api;
pub mod catalog;
pub mod cli;
pub mod gate;
pub mod platform;
pub mod server;
#[cfg(test)]
mod testing;
pub mod tickets;
pub mod web;
