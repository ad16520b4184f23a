//! Everything the handheld does to the world: cameras, disk, network, screen and sound.

pub mod camera;
