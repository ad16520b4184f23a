//! Power cuts, full disks and kills: what was acknowledged is there, once, and nobody passes unrecorded.
//!
//! Power cuts happen to `turnstone-test-vfs`'s disk, since a killed process leaves its page cache behind; kills happen to
//! real processes. All is seeded. `SOAK=1` runs the long form.

mod disk_faults;
mod handheld;
mod handheld_power;
mod kills;
mod server_power;
mod world;

/// How often a campaign repeats: `usual`, or `soak` with `SOAK=1`.
fn scaled(usual: u64, soak: u64) -> u64 {
    if std::env::var_os("SOAK").is_some_and(|set| set == "1") { soak } else { usual }
}
