//! The recorder on a simulated shelf and on a real folder: it never waits, tells each trouble once, and obeys requests.

use std::sync::mpsc;
use std::sync::{Mutex, PoisonError};

use super::*;
use crate::shell::camera::{PixelFormat, frames};

const NOW_MS: i64 = 1_794_225_600_000;
const SOON: Duration = Duration::from_secs(20);

fn frame(taken_ms: i64) -> RawFrame {
    RawFrame { format: PixelFormat::Grey, width: 8, height: 8, stride: 8, taken_ms, data: vec![9; 64] }
}

/// Frames far enough apart for each of them to be kept.
fn frames_from(first: i64, count: i64) -> impl Iterator<Item = RawFrame> {
    (first..first + count).map(|at| frame(NOW_MS + at * 2_500))
}

fn clock() -> ClockMs {
    Arc::new(|| NOW_MS)
}

fn on(frames: u32) -> Options {
    Options { frames: Some(frames), ..Options::default() }
}

type Told = mpsc::Receiver<News>;

fn telling() -> (Box<dyn FnMut(News) + Send>, Told) {
    let (sender, told) = mpsc::channel();
    (Box::new(move |news| sender.send(news).unwrap_or(())), told)
}

/// A shelf whose every write waits for a word, and then does what it says.
struct Slow {
    words: mpsc::Receiver<Result<(), RingError>>,
    written: mpsc::Sender<i64>,
    asked: Arc<Mutex<Option<Request>>>,
}

impl Shelf for Slow {
    fn asked(&mut self) -> std::io::Result<Option<Request>> {
        Ok(*self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }
    fn put(&mut self, frame: &RawFrame, _bounds: &Bounds, _now_ms: i64) -> Result<(), RingError> {
        let done = self.words.recv().unwrap_or(Ok(()));
        if done.is_ok() {
            let _ = self.written.send(frame.taken_ms);
        }
        done
    }
    fn sweep(&mut self, _bounds: &Bounds, _now_ms: i64) -> Result<(), RingError> {
        Ok(())
    }
}

fn slow(told: Box<dyn FnMut(News) + Send>) -> (Recorder, mpsc::Sender<Result<(), RingError>>, mpsc::Receiver<i64>) {
    let (say, words) = mpsc::channel();
    let (written, kept) = mpsc::channel();
    let shelf = Box::new(Slow { words, written, asked: Arc::default() });
    (Recorder::with_shelf(shelf, on(50), clock(), told).unwrap(), say, kept)
}

#[test]
fn a_disk_that_does_not_answer_holds_nobody_up() {
    let (tell, told) = telling();
    let (recorder, say, kept) = slow(tell);
    // The disk hangs in the first write; all offers return, and no more frames wait than there is room for.
    for frame in frames_from(0, 500) {
        recorder.offer(frame, true);
    }
    drop(say);
    drop(recorder);
    let kept: Vec<i64> = kept.iter().collect();
    assert!((1..=1 + WAITING_MAX).contains(&kept.len()), "{kept:?}");
    assert_eq!(told.iter().collect::<Vec<_>>(), [News::On(50)]);
}

#[test]
fn a_full_disk_is_told_of_once_and_its_end_once() {
    let (tell, told) = telling();
    let (recorder, say, kept) = slow(tell);
    let next = |done| {
        say.send(done).unwrap();
    };
    assert_eq!(told.recv_timeout(SOON), Ok(News::On(50)));
    for frame in frames_from(0, 3) {
        recorder.offer(frame, true);
        next(Err(RingError::DiskNearlyFull));
    }
    recorder.offer(frame(NOW_MS + 3 * 2_500), true);
    next(Ok(()));
    assert_eq!(kept.recv_timeout(SOON), Ok(NOW_MS + 3 * 2_500));
    drop(recorder);
    let told: Vec<News> = told.iter().collect();
    assert!(
        matches!(&told[..], [News::Trouble(message), News::Mended] if message.contains("Free some space")),
        "{told:?}"
    );
}

fn on_disk(data: &Path) -> Vec<i64> {
    let listed = std::fs::read_dir(data.join(FOLDER)).into_iter().flatten().map(|entry| entry.unwrap().path());
    let mut frames: Vec<i64> = listed
        .filter(|path| path.extension().is_some_and(|ending| ending == "tsf"))
        .map(|path| frames::read(&path).unwrap().taken_ms)
        .collect();
    frames.sort_unstable();
    frames
}

#[test]
fn without_a_request_nothing_is_kept() {
    let data = tempfile::tempdir().unwrap();
    let (tell, told) = telling();
    let recorder = Recorder::start(data.path(), Options::default(), clock(), tell).unwrap();
    frames_from(0, 3).for_each(|frame| recorder.offer(frame, true));
    drop(recorder);
    assert_eq!((on_disk(data.path()), told.iter().count()), (vec![], 0));
    assert!(!data.path().join(FOLDER).exists());
}

#[test]
fn what_was_asked_holds_for_the_next_start_and_an_option_for_one_run() {
    let data = tempfile::tempdir().unwrap();
    let run = |options: Options, first: i64| {
        let (tell, told) = telling();
        let recorder = Recorder::start(data.path(), options, clock(), tell).unwrap();
        // As many as wait at once, so that none is left out.
        frames_from(first, WAITING_MAX as i64).for_each(|frame| recorder.offer(frame, true));
        drop(recorder);
        told.iter().collect::<Vec<_>>()
    };
    ask(data.path(), Ask::On(2), Options::default(), NOW_MS, 1).unwrap();
    assert_eq!(run(Options::default(), 0), [News::On(2)]);
    assert_eq!(on_disk(data.path()), [2, 3].map(|at| NOW_MS + at * 2_500));
    ask(data.path(), Ask::Off, Options::default(), NOW_MS, 2).unwrap();
    assert_eq!(run(Options::default(), 10), []);
    assert_eq!(run(on(3), 20), [News::On(3)]);
    assert_eq!(on_disk(data.path()), [21, 22, 23].map(|at| NOW_MS + at * 2_500));
}

#[test]
fn a_running_recorder_obeys_also_the_same_word_said_again() {
    let asked: Arc<Mutex<Option<Request>>> = Arc::default();
    let (_say, words) = mpsc::channel();
    let (written, _kept) = mpsc::channel();
    let (tell, told) = telling();
    let shelf = Box::new(Slow { words, written, asked: Arc::clone(&asked) });
    let off = Request { frames: 0, asked_at_ms: 1 };
    *asked.lock().unwrap() = Some(off);
    let recorder = Recorder::with_shelf(shelf, on(50), clock(), tell).unwrap();
    assert_eq!(told.recv_timeout(SOON), Ok(News::On(50)), "the option is younger than the request");
    *asked.lock().unwrap() = Some(Request { asked_at_ms: 2, ..off });
    assert_eq!(told.recv_timeout(SOON), Ok(News::Off));
    *asked.lock().unwrap() = Some(Request { frames: u32::MAX, asked_at_ms: 3 });
    assert_eq!(told.recv_timeout(SOON), Ok(News::On(FRAMES_MAX)));
    drop(recorder);
}

#[test]
fn status_looks_other_requests_sweep_and_clear_clears() {
    let data = tempfile::tempdir().unwrap();
    let (tell, _told) = telling();
    let recorder = Recorder::start(data.path(), on(9), clock(), tell).unwrap();
    frames_from(0, 3).for_each(|frame| recorder.offer(frame, true));
    drop(recorder);
    let status = |now_ms| ask(data.path(), Ask::Status, Options::default(), now_ms, 0).unwrap();
    assert_eq!((status(NOW_MS).0, status(NOW_MS).1.frames), (None, 3));
    let day_over_ms = NOW_MS + 24 * 3_600_000 + 2_500;
    assert_eq!(status(day_over_ms).1.frames, 3, "whoever looks takes nothing away");
    let (asked, kept) = ask(data.path(), Ask::On(7), Options::default(), day_over_ms, 5).unwrap();
    assert_eq!(asked, Some(Request { frames: 7, asked_at_ms: 5 }));
    assert_eq!(kept.frames, 2, "the first one's day is over");
    let (asked, kept) = ask(data.path(), Ask::Clear, Options::default(), NOW_MS, 6).unwrap();
    assert_eq!((asked.map(|asked| asked.frames), kept), (Some(7), Kept::default()));
    assert_eq!(on_disk(data.path()), [0; 0]);
}

#[test]
fn a_request_that_nobody_understands_is_none() {
    let data = tempfile::tempdir().unwrap();
    let asked = |text: &[u8]| {
        std::fs::write(data.path().join(FOLDER).join("request.json"), text).unwrap();
        ask(data.path(), Ask::Status, Options::default(), NOW_MS, 0).unwrap().0.map(|asked| asked.frames)
    };
    ask(data.path(), Ask::On(7), Options::default(), NOW_MS, 1).unwrap();
    assert_eq!((asked(b"garbage"), asked(b"\xff\xfe"), asked(b"")), (None, None, None));
    assert_eq!(asked(br#"{"frames":4000000000,"asked_at_ms":1}"#), Some(FRAMES_MAX), "no more than can be done");
}
