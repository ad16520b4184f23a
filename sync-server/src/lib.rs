//! The Turnstone sync server, as a library that its binary and the tests compose.

pub mod platform;
