//! What journeys, crash tests and the demo share: real processes, real HTTPS, real frames.
//!
//! Everything here waits for a thing to happen and gives up after a stated time; nothing waits for a time to pass, except
//! where the passing of time is the story (a hold-off, a stale code).

pub mod api;
pub mod browser;
pub mod edge;
pub mod guest;
pub mod lane;
pub mod office;
pub mod painter;
pub mod process;
pub mod relay;
pub mod server;
pub mod site;
