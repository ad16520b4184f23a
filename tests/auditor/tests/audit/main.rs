//! The auditor against the frozen vectors, against journals that gates wrote, and against each fault that there may be.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

mod command;
mod count;
mod evenings;
mod export;
mod faults;
mod fixtures;
mod fuzz;
mod journals;
mod material;
mod sound;
mod vectors;
mod world;
