//! Everything the handheld decides, as pure functions of its inputs: no I/O, no clock, no threads, no randomness.

pub mod crowd_news;
pub mod decode;
pub mod engine;
pub mod hear;
pub mod present;
pub mod report;
pub mod retention;
pub mod station;
pub mod status;
pub mod sync_plan;
