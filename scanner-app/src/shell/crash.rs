//! Crash points: places where a test kills the process without warning. Compiled in by the feature `crash-points` alone,
//! which no package enables.

/// Where a process may be told to die.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// The verdict is decided and not on disk.
    BeforeCommit,
    /// The verdict is on disk and no screen has shown it.
    AfterCommitBeforeShow,
    /// The verdict was shown, and the mark that says so is not on disk.
    AfterShowBeforeMark,
}

/// Dies here by SIGKILL if `TURNSTONE_CRASH_AT=POINT:N` names this point and this is the Nth time that it is passed.
#[cfg(feature = "crash-points")]
pub fn point(here: Point) {
    use std::sync::atomic::{AtomicU64, Ordering};
    static PASSED: [AtomicU64; 3] = [AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0)];
    let name = match here {
        Point::BeforeCommit => "before-commit",
        Point::AfterCommitBeforeShow => "after-commit-before-show",
        Point::AfterShowBeforeMark => "after-show-before-mark",
    };
    let passed = PASSED[here as usize].fetch_add(1, Ordering::SeqCst) + 1;
    let told = std::env::var("TURNSTONE_CRASH_AT").unwrap_or_default();
    let Some((point, count)) = told.split_once(':') else { return };
    if point == name && count.parse() == Ok(passed) {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

/// Does nothing: this build has no crash points.
#[cfg(not(feature = "crash-points"))]
pub fn point(_here: Point) {}
