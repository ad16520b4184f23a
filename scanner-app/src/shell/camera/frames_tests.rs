//! The frame file and its player: every field survives, half a file is never seen, order is kept.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::shell::camera::{Source, SourceSpec, Torch};

const SOON: Duration = Duration::from_secs(20);

fn frame(taken_ms: i64) -> RawFrame {
    RawFrame { format: PixelFormat::Nv12, width: 3, height: 2, stride: 4, taken_ms, data: vec![7; 12] }
}

fn source(folder: &Path) -> Source {
    Source::open(&SourceSpec::Frames(folder.to_owned()), Torch::Auto, std::sync::Arc::new(|| 0)).unwrap()
}

fn next_taken_ms(source: &Source) -> i64 {
    match source.next(SOON) {
        Some(SourceEvent::Frame(frame)) => frame.taken_ms,
        other => panic!("no frame but {other:?}"),
    }
}

proptest! {
    #[test]
    fn every_field_survives_the_file(
        format in 0usize..4, width: u32, height: u32, stride: u32, taken_ms: i64,
        data in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let frame = RawFrame { format: PixelFormat::ALL[format], width, height, stride, taken_ms, data };
        let mut bytes = header(&frame);
        prop_assert_eq!(bytes.len(), HEADER_BYTES);
        bytes.extend_from_slice(&frame.data);
        prop_assert_eq!(parse(bytes).unwrap(), frame);
    }

    #[test]
    fn any_bytes_parse_or_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..80), magic: bool) {
        let mut file = if magic { MAGIC.to_vec() } else { Vec::new() };
        file.extend(bytes);
        let _ = parse(file);
    }
}

#[test]
fn the_header_is_as_documented() {
    let frame =
        RawFrame { format: PixelFormat::Mjpeg, width: 640, height: 480, stride: 0, taken_ms: -2, data: Vec::new() };
    let mut expected = b"TSFRAME1MJPG".to_vec();
    expected.extend([0, 0, 2, 0x80, 0, 0, 1, 0xE0, 0, 0, 0, 0]);
    expected.extend([0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE]);
    assert_eq!(header(&frame), expected);
}

#[test]
fn names_that_leave_the_folder_or_hide_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["", "../a", "a/b", ".a", "-", "a b", "é"] {
        assert!(matches!(write(folder.path(), name, &frame(0)), Err(FrameFileError::Name(_))), "{name}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn files_are_played_in_order_once_and_later_ones_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["0003", "0001", "0002"] {
        write(folder.path(), name, &frame(name.parse().unwrap())).unwrap();
    }
    let source = source(folder.path());
    for expected in 1..=3 {
        assert_eq!(next_taken_ms(&source), expected);
    }
    assert_eq!(source.next(Duration::from_millis(60)), None);
    // An earlier name comes too late; a later one is played.
    write(folder.path(), "0000", &frame(0)).unwrap();
    write(folder.path(), "0004", &frame(4)).unwrap();
    assert_eq!(next_taken_ms(&source), 4);
    // The view changes: the same name, another picture.
    write(folder.path(), "0004", &frame(44)).unwrap();
    assert_eq!(next_taken_ms(&source), 44);
    write(folder.path(), "0005", &frame(5)).unwrap();
    end(folder.path()).unwrap();
    assert_eq!(next_taken_ms(&source), 5);
    assert_eq!(source.next(SOON), Some(SourceEvent::Ended));
    assert_eq!(source.next(Duration::ZERO), None);
    assert_eq!(source.frames_skipped(), 0);
}

#[test]
fn half_a_file_is_never_seen() {
    let folder = tempfile::tempdir().unwrap();
    let write_half = |name: &str| {
        let half = header(&frame(1));
        fs::write(folder.path().join(name), &half[..20]).unwrap();
    };
    write_half(".0001.tsf.part");
    write_half("0001.tsf.part");
    assert_eq!(look(folder.path(), None).unwrap(), Found::NothingYet);
    // While a frame is being written, the folder holds no name that the player would take.
    write(folder.path(), "0001", &frame(1)).unwrap();
    assert!(matches!(look(folder.path(), None).unwrap(), Found::Frame(_)));
    assert!(!folder.path().join(".0001.tsf.part").exists());
}

#[test]
fn a_damaged_file_is_told_of_and_skipped() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("0001.tsf"), b"TSFRAME1JUNK").unwrap();
    let source = source(folder.path());
    match source.next(SOON) {
        Some(SourceEvent::Stalled(message)) => {
            assert!(message.contains("0001.tsf") && message.contains("record it again"), "{message}");
        }
        other => panic!("{other:?}"),
    }
    write(folder.path(), "0002", &frame(2)).unwrap();
    assert_eq!(source.next(SOON), Some(SourceEvent::Recovered));
    assert_eq!(next_taken_ms(&source), 2);
}

#[test]
fn a_missing_folder_is_told_of_once_and_waited_for() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("later");
    let source = source(&folder);
    match source.next(SOON) {
        Some(SourceEvent::Missing(message)) => assert!(message.contains("Create it"), "{message}"),
        other => panic!("{other:?}"),
    }
    fs::create_dir(&folder).unwrap();
    write(&folder, "0001", &frame(1)).unwrap();
    assert_eq!(source.next(SOON), Some(SourceEvent::Recovered));
    assert_eq!(next_taken_ms(&source), 1);
}

#[test]
fn no_recorded_frame_is_lost_however_fast_they_come() {
    let mailbox = std::sync::Arc::new(Mailbox::default());
    let theirs = std::sync::Arc::clone(&mailbox);
    let player = std::thread::spawn(move || (0..300).all(|taken_ms| theirs.put_in_turn(frame(taken_ms))));
    for expected in 0..300 {
        match mailbox.next(SOON) {
            Some(SourceEvent::Frame(frame)) => assert_eq!(frame.taken_ms, expected),
            other => panic!("no frame but {other:?}"),
        }
    }
    assert!(player.join().unwrap());
}
