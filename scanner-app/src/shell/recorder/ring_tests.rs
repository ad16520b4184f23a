//! The ring: its bounds at every moment, its retention, and what it leaves on the disk.

use std::os::unix::fs::PermissionsExt as _;

use proptest::prelude::*;

use super::*;
use crate::shell::camera::PixelFormat;

const NOW_MS: i64 = 1_794_225_600_000;
const HOUR_MS: i64 = 3_600_000;

fn frame(taken_ms: i64, pixels: usize) -> RawFrame {
    let (width, data) = (pixels as u32, vec![7; pixels]);
    RawFrame { format: PixelFormat::Grey, width, height: 1, stride: width, taken_ms, data }
}

fn bounds(frames_max: u32, bytes_max: u64) -> Bounds {
    Bounds { frames_max, bytes_max, kept_ms: 24 * HOUR_MS }
}

/// When the frames on the disk were taken, in the order in which they would be played.
fn on_disk(data: &Path) -> Vec<i64> {
    let mut names = names(&data.join(FOLDER), SUFFIX).unwrap();
    names.sort_unstable();
    names.iter().map(|name| frames::read(&data.join(FOLDER).join(name)).unwrap().taken_ms).collect()
}

#[test]
fn the_oldest_goes_when_there_are_too_many() {
    let data = tempfile::tempdir().unwrap();
    let mut ring = Ring::new(data.path());
    for at in 0..7 {
        ring.put(&frame(NOW_MS + at, 10), &bounds(3, 1_000), NOW_MS).unwrap();
    }
    assert_eq!(on_disk(data.path()), [4, 5, 6].map(|at| NOW_MS + at));
    let kept = ring.kept();
    assert_eq!((kept.frames, kept.bytes), (3, 3 * 42));
    assert_eq!((kept.oldest_ms, kept.newest_ms), (Some(NOW_MS + 4), Some(NOW_MS + 6)));
}

#[test]
fn the_oldest_go_when_a_large_one_needs_their_room() {
    let data = tempfile::tempdir().unwrap();
    let mut ring = Ring::new(data.path());
    for at in 0..4 {
        ring.put(&frame(NOW_MS + at, 68), &bounds(9, 400), NOW_MS).unwrap();
    }
    assert_eq!(on_disk(data.path()).len(), 4, "a hundred bytes each");
    ring.put(&frame(NOW_MS + 4, 168), &bounds(9, 400), NOW_MS).unwrap();
    assert_eq!(on_disk(data.path()), [2, 3, 4].map(|at| NOW_MS + at));
    ring.put(&frame(NOW_MS + 5, 400), &bounds(9, 400), NOW_MS).unwrap();
    assert_eq!(on_disk(data.path()).len(), 3, "what is larger than all the room pushes nothing out");
}

#[test]
fn frames_go_when_their_own_time_is_over() {
    let data = tempfile::tempdir().unwrap();
    let mut ring = Ring::new(data.path());
    let bounds = bounds(99, 99_999);
    for hours in 0..30 {
        ring.put(&frame(NOW_MS - hours * HOUR_MS, 5), &bounds, NOW_MS).unwrap();
    }
    assert_eq!(on_disk(data.path()).len(), 25, "what is too old already is not kept");
    ring.sweep(&bounds, NOW_MS + 10 * HOUR_MS).unwrap();
    assert_eq!(on_disk(data.path())[0], NOW_MS - 14 * HOUR_MS);
    // A frame that a wrong clock dated years ahead does not stay for years.
    ring.sweep(&bounds, NOW_MS - 400 * 24 * HOUR_MS).unwrap();
    assert_eq!(on_disk(data.path()), [0; 0]);
}

#[test]
fn a_later_process_finds_what_is_kept_and_whose_time_is_over() {
    let data = tempfile::tempdir().unwrap();
    for (at, taken_ms) in [NOW_MS - 30 * HOUR_MS, NOW_MS - HOUR_MS, NOW_MS].into_iter().enumerate() {
        let bounds = Bounds { kept_ms: 99 * HOUR_MS, ..bounds(9, 999) };
        let mut ring = Ring::new(data.path());
        ring.next = at as u32;
        ring.put(&frame(taken_ms, 5), &bounds, NOW_MS).unwrap();
    }
    std::fs::write(data.path().join(FOLDER).join("undated.tsf"), b"TSFRAME1").unwrap();
    std::fs::write(data.path().join(FOLDER).join(".half.tsf.part"), b"TSFRAME1").unwrap();
    std::fs::create_dir(data.path().join(FOLDER).join("folder.tsf")).unwrap();
    let mut ring = Ring::new(data.path());
    ring.remove_halves().unwrap();
    ring.look().unwrap();
    assert_eq!(ring.kept().frames, 3);
    ring.sweep(&bounds(9, 999), NOW_MS).unwrap();
    assert_eq!(on_disk(data.path()), [NOW_MS - HOUR_MS, NOW_MS]);
    assert_eq!(
        std::fs::read_dir(data.path().join(FOLDER)).unwrap().count(),
        3,
        "no half, nothing undated, and the folder"
    );
}

#[test]
fn only_this_user_may_read_and_what_somebody_cleared_is_no_trouble() {
    let data = tempfile::tempdir().unwrap();
    let mut ring = Ring::new(data.path());
    ring.put(&frame(NOW_MS, 5), &bounds(2, 999), NOW_MS).unwrap();
    let folder = data.path().join(FOLDER);
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    let file = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    assert_eq!((mode(&folder), mode(&file)), (0o700, 0o600));
    std::fs::remove_file(file).unwrap();
    for at in 1..4 {
        ring.put(&frame(NOW_MS + at, 5), &bounds(2, 999), NOW_MS).unwrap();
    }
    assert_eq!(on_disk(data.path()), [NOW_MS + 2, NOW_MS + 3]);
    ring.clear().unwrap();
    assert_eq!((on_disk(data.path()), ring.kept()), (vec![], Kept::default()));
}

#[test]
fn a_folder_that_cannot_be_used_is_named() {
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join(FOLDER), b"in the way").unwrap();
    let error = Ring::new(data.path()).put(&frame(NOW_MS, 5), &bounds(2, 999), NOW_MS).unwrap_err().to_string();
    assert!(error.contains("recordings cannot be used"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever comes, in whatever order of times: the bounds hold after every frame, and what goes is older than what stays.
    #[test]
    fn bounds_hold_at_every_moment(
        frames in proptest::collection::vec((-50i64..50, 0usize..200), 1..30), frames_max in 0u32..6, bytes_max in 0u64..900,
    ) {
        let data = tempfile::tempdir().unwrap();
        let mut ring = Ring::new(data.path());
        let bounds = Bounds { frames_max, bytes_max, kept_ms: 40 };
        // By their times they are told apart here.
        let mut seen = std::collections::BTreeSet::new();
        for (taken_ms, pixels) in frames.into_iter().filter(|(taken_ms, _)| seen.insert(*taken_ms)) {
            let before = on_disk(data.path());
            ring.put(&frame(taken_ms, pixels), &bounds, 0).unwrap();
            let after = on_disk_unordered(data.path());
            prop_assert!(after.len() <= frames_max as usize);
            let bytes: u64 = std::fs::read_dir(data.path().join(FOLDER)).into_iter().flatten()
                .map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
            prop_assert!(bytes <= bytes_max);
            prop_assert_eq!((ring.kept().frames, ring.kept().bytes), (after.len(), bytes));
            prop_assert!(after.iter().all(|taken_ms| taken_ms.abs() <= 40));
            let stayed = before.iter().filter(|taken_ms| after.contains(taken_ms)).min();
            let gone = before.iter().filter(|taken_ms| !after.contains(taken_ms)).max();
            prop_assert!(stayed.is_none() || gone <= stayed);
        }
    }
}

/// As `on_disk`; times before 1970 do not sort by their names.
fn on_disk_unordered(data: &Path) -> Vec<i64> {
    let mut times = on_disk(data);
    times.sort_unstable();
    times
}
