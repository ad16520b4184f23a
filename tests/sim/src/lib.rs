//! A gate evening in virtual time: real engine, real rules, real planner and real merging; simulated clocks, disks, links
//! and guests. One seed is one run, exactly repeatable; a violation names its seed.
//!
//! What is real: `scanner_app::core` (engine, station, hear, sync_plan), `gate_core` (decide, record, passage, merge, owner,
//! ownership, clock, crowd), `ticket_signer` (every signature). What is simulated: the two databases (in memory, with crashes
//! around a commit; SQLite's own durability is `tests/crash`'s), HTTP, and time.

pub mod chance;
pub mod check;
pub mod cloud;
pub mod disk;
pub mod edge;
pub mod evening;
pub mod handheld;
mod in_force;
mod mishaps;
pub mod organiser;
mod people;
pub mod scenario;
pub mod shrink;
mod venue;
pub mod world;

pub use check::Violation;
pub use in_force::Broken;
pub use scenario::Scenario;
pub use world::{Summary, play, run};
