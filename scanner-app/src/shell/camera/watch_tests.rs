//! The camera port with a simulated driver: missing, unplugged, hanging, panicking, and damaged frames.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};

use super::*;
use crate::core::decode::luma::{LumaError, to_luma};
use crate::shell::camera::{PixelFormat, Source, SourceEvent};

const SOON: Duration = Duration::from_secs(20);

/// What the simulated camera does, one after another.
enum Act {
    Fail(CameraError),
    Frame(RawFrame),
    /// Hangs until the sender of this is dropped.
    Hang(Receiver<()>),
    Panic,
    /// Goes on sending this frame for ever, slowly enough to be heard.
    Idle,
}

/// Each opening takes the next script; without one, there is no device.
struct Simulated {
    openings: Mutex<VecDeque<Vec<Act>>>,
}

struct SimulatedStream(VecDeque<Act>);

impl CameraDriver for Simulated {
    fn open(&self) -> Result<Box<dyn CameraStream>, CameraError> {
        let script = self.openings.lock().unwrap().pop_front().ok_or(CameraError::NoDevice)?;
        let mut acts = VecDeque::from(script);
        if let Some(Act::Fail(_)) = acts.front() {
            let Some(Act::Fail(error)) = acts.pop_front() else { unreachable!() };
            return Err(error);
        }
        Ok(Box::new(SimulatedStream(acts)))
    }
}

impl CameraStream for SimulatedStream {
    fn next_raw(&mut self) -> Result<RawFrame, CameraError> {
        match self.0.pop_front() {
            Some(Act::Frame(frame)) => Ok(frame),
            Some(Act::Fail(error)) => Err(error),
            Some(Act::Hang(until)) => {
                let _ = until.recv();
                Err(CameraError::Unplugged)
            }
            Some(Act::Panic) => std::panic::resume_unwind(Box::new("simulated")),
            Some(Act::Idle) => {
                self.0.push_front(Act::Idle);
                // A camera of a thousand frames a second is enough for a test.
                let (_keep, never) = channel::<()>();
                let _ = never.recv_timeout(Duration::from_millis(1));
                Err(CameraError::NoFrameYet)
            }
            None => Err(CameraError::Unplugged),
        }
    }
}

fn frame(mark: u8) -> RawFrame {
    RawFrame { format: PixelFormat::Grey, width: 2, height: 2, stride: 5, taken_ms: 0, data: vec![mark; 10] }
}

fn hang() -> (Sender<()>, Act) {
    let (keep, until) = channel();
    (keep, Act::Hang(until))
}

const SHORT_PATIENCE: Patience = Patience { stall_ms: 40, pause_ms_min: 1, pause_ms_max: 5, stuck_max: 2 };
/// Of two notices a late reader hears the later one: where a test must hear both, the source leaves it the time.
const LONG_PATIENCE: Patience = Patience { stall_ms: 300, pause_ms_min: 300, pause_ms_max: 300, stuck_max: 2 };

fn open(openings: Vec<Vec<Act>>) -> Source {
    open_with(SHORT_PATIENCE, openings).0
}

fn open_with(patience: Patience, openings: Vec<Vec<Act>>) -> (Source, Arc<Simulated>) {
    let driver = Arc::new(Simulated { openings: Mutex::new(openings.into()) });
    let source = Source::with_driver(Arc::<Simulated>::clone(&driver), patience, Arc::new(|| 1_234)).unwrap();
    (source, driver)
}

/// The next events but frames that say the same, as short words.
fn words(source: &Source, count: usize) -> Vec<String> {
    (0..count)
        .map(|_| match source.next(SOON).expect("an event") {
            SourceEvent::Frame(frame) => format!("frame {} at {}", frame.data[0], frame.taken_ms),
            SourceEvent::Missing(message) => format!("missing: {message}"),
            SourceEvent::Stalled(message) => format!("stalled: {message}"),
            SourceEvent::Recovered => "recovered".to_owned(),
            other => format!("{other:?}"),
        })
        .collect()
}

#[test]
fn a_missing_camera_says_what_to_do_and_is_found_later() {
    let (source, driver) = open_with(SHORT_PATIENCE, Vec::new());
    // Many tries fail before one works; the trouble is told once.
    let told = words(&source, 1).remove(0);
    assert!(told.starts_with("missing: No camera was found. Plug it in"), "{told}");
    driver.openings.lock().unwrap().push_back(vec![Act::Frame(frame(7)), Act::Idle]);
    assert_eq!(words(&source, 2), ["recovered", "frame 7 at 1234"]);
}

#[test]
fn an_unplugged_camera_is_told_of_and_taken_up_again() {
    let source = open(vec![vec![Act::Frame(frame(1)), Act::Fail(CameraError::Unplugged)]]);
    let mut heard = words(&source, 2);
    heard.sort();
    // The frame may be heard before or after, and the notice may already be the later one.
    assert_eq!(heard[0], "frame 1 at 1234");
    assert!(heard[1].starts_with("missing: "), "{heard:?}");
}

#[test]
fn a_hanging_driver_is_noticed_abandoned_and_replaced() {
    let (keep, hanging) = hang();
    let openings = vec![vec![Act::Frame(frame(1)), hanging], vec![Act::Frame(frame(2)), Act::Idle]];
    let (source, _) = open_with(LONG_PATIENCE, openings);
    let heard = words(&source, 2);
    assert_eq!(heard[0], "frame 1 at 1234");
    assert!(heard[1].starts_with("stalled: ") && heard[1].contains("unplug it"), "{heard:?}");
    assert_eq!(words(&source, 2), ["recovered", "frame 2 at 1234"]);
    drop(keep);
}

#[test]
fn drivers_that_never_return_are_not_piled_up() {
    let (kept, scripts): (Vec<_>, Vec<_>) = (0..10).map(|_| hang()).map(|(k, act)| (k, vec![act])).unzip();
    let (source, driver) = open_with(LONG_PATIENCE, scripts);
    let mut last = String::new();
    while !last.contains("Restart the handheld; until then") {
        last = words(&source, 1).remove(0);
    }
    assert_eq!(driver.openings.lock().unwrap().len(), 8);
    drop(kept);
}

#[test]
fn a_panicking_driver_is_a_fault_like_another() {
    let source = open(vec![vec![Act::Panic], vec![Act::Frame(frame(3)), Act::Idle]]);
    let mut heard = Vec::new();
    while heard.last().is_none_or(|word: &String| !word.starts_with("frame")) {
        heard.extend(words(&source, 1));
    }
    assert_eq!(heard.last().unwrap(), "frame 3 at 1234");
}

#[test]
fn padded_rows_and_a_torn_jpeg_pass_through_to_where_they_are_judged() {
    let torn = RawFrame {
        format: PixelFormat::Mjpeg,
        width: 640,
        height: 480,
        stride: 0,
        taken_ms: 0,
        data: vec![0xFF, 0xD8, 0xFF, 0xDA, 0, 2, 9, 9],
    };
    let source = open(vec![vec![Act::Frame(torn), Act::Idle]]);
    let Some(SourceEvent::Frame(torn)) = source.next(SOON) else { panic!("no frame") };
    assert_eq!(to_luma(&torn).err(), Some(LumaError::JpegTruncated));

    let mut padded = frame(9);
    padded.data = vec![1, 2, 99, 99, 99, 3, 4];
    let source = open(vec![vec![Act::Frame(padded), Act::Idle]]);
    let Some(SourceEvent::Frame(padded)) = source.next(SOON) else { panic!("no frame") };
    let luma = to_luma(&padded).unwrap();
    assert_eq!((luma.view().row(0), luma.view().row(1)), (&[1, 2][..], &[3, 4][..]));
}

#[test]
fn every_trouble_tells_staff_what_to_do() {
    let errors = [
        CameraError::NoDevice,
        CameraError::NoSuchDevice("/dev/video1".into()),
        CameraError::Denied("/dev/video1".into()),
        CameraError::Busy("/dev/video1".into()),
        CameraError::NoUsableFormat { device: "/dev/video1".into(), offered: "H264".into() },
        CameraError::NoPictures("/dev/video1".into()),
        CameraError::Unplugged,
        CameraError::Driver("EIO".into()),
    ];
    for error in errors {
        let message = error.to_string();
        let advice =
            ["Plug", "plug", "Add", "Close", "Use another", "Choose another"].iter().any(|word| message.contains(word));
        assert!(advice, "{message}");
    }
}
