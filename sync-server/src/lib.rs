//! The Turnstone sync server, as a library that its binary and the tests compose.

pub mod accounts;
pub mod api;
pub mod catalog;
pub mod platform;
pub mod web;
