//! An open camera with simulated buffers that are as strict as a driver's, behind the watchdog and alone.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use super::*;
use crate::core::decode::luma::{LumaError, to_luma};
use crate::shell::camera::{CameraDriver, Patience, Source, SourceEvent};

const EIO: i32 = 5;
const SOON: Duration = Duration::from_secs(20);

/// What the driver does, one after another; at the end it is silent.
enum Act {
    Fill(Vec<u8>),
    /// A filled buffer of which only so many bytes are the frame's.
    FillPart(Vec<u8>, usize),
    FillDamaged,
    Silence,
    Fail(io::Error),
}

/// The controls that were set.
type Told = Arc<Mutex<Vec<(u32, i64)>>>;

/// Gives a buffer only when one is ready, and never after a refusal, as V4L2 does.
struct Simulated {
    acts: VecDeque<Act>,
    taken: Vec<u8>,
    told: Told,
}

impl Buffers for Simulated {
    fn ready(&mut self, wait: Duration) -> io::Result<bool> {
        assert!(
            wait < Duration::from_millis(Patience::default().stall_ms / 3),
            "a wait that the watchdog would mistake"
        );
        match self.acts.pop_front() {
            None | Some(Act::Silence) => {
                // As a driver does, it waits; the sender is held, so nothing ever comes.
                let (_held, nothing) = std::sync::mpsc::channel::<()>();
                Ok(nothing.recv_timeout(Duration::from_millis(2)).is_ok())
            }
            Some(Act::Fail(error)) => Err(error),
            Some(filled) => {
                self.acts.push_front(filled);
                Ok(true)
            }
        }
    }

    fn take(&mut self) -> io::Result<Filled<'_>> {
        let (bytes, used, damaged) = match self.acts.pop_front() {
            Some(Act::Fill(bytes)) => (bytes, 0, false),
            Some(Act::FillPart(bytes, used)) => (bytes, used, false),
            Some(Act::FillDamaged) => (vec![0; 12], 0, true),
            _ => panic!("asked for a buffer when none was ready"),
        };
        self.taken = bytes;
        Ok(Filled { bytes: &self.taken, used, damaged })
    }
}

impl Controls for Simulated {
    fn set(&self, id: u32, value: i64) -> io::Result<()> {
        self.told.lock().unwrap().push((id, value));
        Ok(())
    }
    fn range(&self, _id: u32) -> Option<(i64, i64)> {
        None
    }
}

fn begin(layout: Layout, acts: Vec<Act>) -> (Frames<Simulated>, Told) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let camera = Simulated { acts: acts.into(), taken: Vec::new(), told: Arc::clone(&told) };
    (Frames::begin(camera, layout, Torch::On), told)
}

fn layout(format: PixelFormat, stride: u32) -> Layout {
    Layout::new(format, 2, 2, stride)
}

#[test]
fn frames_keep_their_rows_padding_and_end_where_the_driver_says() {
    let rows = |format, stride, bytes: &[u8]| {
        let (mut frames, _) = begin(layout(format, stride), vec![Act::Fill(bytes.to_vec())]);
        let frame = frames.next_raw().unwrap();
        let luma = to_luma(&frame).unwrap();
        [luma.view().row(0), luma.view().row(1)].concat()
    };
    assert_eq!(rows(PixelFormat::Grey, 3, &[1, 2, 99, 3, 4, 99]), [1, 2, 3, 4]);
    assert_eq!(rows(PixelFormat::Nv12, 4, &[1, 2, 9, 9, 3, 4, 9, 9, 128, 128, 9, 9]), [1, 2, 3, 4]);
    assert_eq!(rows(PixelFormat::Yuyv, 6, &[1, 128, 2, 128, 9, 9, 3, 128, 4, 128, 9, 9]), [1, 2, 3, 4]);
    assert_eq!(rows(PixelFormat::Grey, 0, &[1, 2, 3, 4]), [1, 2, 3, 4], "no length means no padding");

    let (mut frames, _) =
        begin(layout(PixelFormat::Mjpeg, 0), vec![Act::FillPart(vec![0xFF, 0xD8, 0xFF, 0xDA, 7, 7], 4)]);
    let frame = frames.next_raw().unwrap();
    assert_eq!(frame.data, [0xFF, 0xD8, 0xFF, 0xDA]);
    assert_eq!(to_luma(&frame).err(), Some(LumaError::JpegTruncated));
    let (mut frames, _) = begin(layout(PixelFormat::Grey, 2), vec![Act::FillPart(vec![1, 2, 3, 4], 99)]);
    assert_eq!(frames.next_raw().unwrap().data, [1, 2, 3, 4], "a driver that claims more than there is");
}

#[test]
fn a_pause_is_no_fault_and_a_fault_has_its_name() {
    let acts = vec![
        Act::Silence,
        Act::Silence,
        Act::FillDamaged,
        Act::Fail(io::ErrorKind::Interrupted.into()),
        Act::Fill(vec![1, 2, 3, 4]),
        Act::Silence,
        Act::Fail(io::Error::from_raw_os_error(EIO)),
        Act::Fail(io::Error::from_raw_os_error(ENODEV)),
    ];
    let (mut frames, _) = begin(layout(PixelFormat::Grey, 2), acts);
    for _ in 0..4 {
        assert_eq!(frames.next_raw().err(), Some(CameraError::NoFrameYet));
    }
    assert!(frames.next_raw().is_ok());
    assert_eq!(frames.next_raw().err(), Some(CameraError::NoFrameYet));
    assert!(matches!(frames.next_raw().err(), Some(CameraError::Driver(_))));
    assert_eq!(frames.next_raw().err(), Some(CameraError::Unplugged));
}

#[test]
fn a_camera_is_set_when_it_opens_and_its_torch_put_out_when_it_closes() {
    let (frames, told) = begin(layout(PixelFormat::Grey, 2), Vec::new());
    let opened = told.lock().unwrap().len();
    assert!(opened >= 4, "exposure, its priority, focus, torch");
    let lit = *told.lock().unwrap().last().unwrap();
    drop(frames);
    let told = told.lock().unwrap();
    assert_eq!((told.len(), told[opened].0), (opened + 1, lit.0));
    assert_ne!(told[opened].1, lit.1);
}

/// Each opening takes the next script.
struct Driver(Mutex<VecDeque<Vec<Act>>>);

impl CameraDriver for Driver {
    fn open(&self) -> Result<Box<dyn CameraStream>, CameraError> {
        let acts = self.0.lock().unwrap().pop_front().ok_or(CameraError::NoDevice)?;
        Ok(Box::new(begin(layout(PixelFormat::Grey, 2), acts).0))
    }
}

#[test]
fn a_camera_that_falls_silent_or_is_unplugged_is_opened_again() {
    let frame = |value: u8| Act::Fill(vec![value; 4]);
    let openings =
        vec![vec![frame(1)], vec![frame(2), Act::Fail(io::Error::from_raw_os_error(ENODEV))], vec![frame(3)]];
    let driver = Arc::new(Driver(Mutex::new(openings.into())));
    let patience = Patience { stall_ms: 30, pause_ms_min: 1, pause_ms_max: 2, stuck_max: 2 };
    let source = Source::with_driver(driver, patience, Arc::new(|| 0)).unwrap();
    // What is told in between is the guard's, and may be overtaken; the third opening's frame comes of two openings more.
    let third = |event| matches!(event, SourceEvent::Frame(frame) if frame.data == [3; 4]);
    while !third(source.next(SOON).expect("an event")) {}
}
