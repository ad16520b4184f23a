//! Everything the handheld does to the world: cameras, disk, network, screen and sound.

pub mod battery;
pub mod camera;
pub mod clock;
pub mod crash;
pub mod explain;
pub mod export;
pub mod gate;
pub mod http;
pub mod inspect;
pub mod journal;
pub mod keystore;
pub mod output;
pub mod picture;
pub mod places;
pub mod recorder;
pub mod replay;
#[cfg(feature = "window")]
pub mod slint;
#[cfg(feature = "sound")]
pub mod sound;
pub mod study;
pub mod sync;
