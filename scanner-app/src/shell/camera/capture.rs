//! An open camera as a stream of frames: waiting, taking, and what a driver's errors mean.
//!
//! Invariants: no call waits longer than `FRAME_WAIT`; a buffer is only asked for when one is ready, because a driver to
//! which a buffer is given twice refuses everything from then on; frames that the driver itself calls damaged go no
//! further.

use std::io;
use std::time::Duration;

use super::controls::{Controls, Lamp, Torch, settle};
use super::watch::{CameraError, CameraStream};
use super::{PixelFormat, RawFrame};

/// A quarter of the watchdog's patience, so that a thread never hangs while the camera does.
pub(super) const FRAME_WAIT: Duration = Duration::from_millis(475);

const ENODEV: i32 = 19;

/// A started camera's buffers: V4L2's, or simulated ones.
pub(super) trait Buffers {
    /// Waits for a filled buffer, at most so long; false if there is none yet.
    fn ready(&mut self, wait: Duration) -> io::Result<bool>;
    /// Takes the filled buffer, and gives back the one taken before.
    fn take(&mut self) -> io::Result<Filled<'_>>;
}

/// A filled buffer.
pub(super) struct Filled<'a> {
    pub(super) bytes: &'a [u8],
    /// How many of the bytes are the frame's; 0 where the driver does not say.
    pub(super) used: usize,
    /// The driver says that the frame is damaged.
    pub(super) damaged: bool,
}

/// How the frames are laid out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub(super) format: PixelFormat,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) stride: u32,
}

impl Layout {
    /// Some drivers leave the length of a row at 0 and mean "no padding".
    pub(super) fn new(format: PixelFormat, width: u32, height: u32, stride: u32) -> Layout {
        Layout { format, width, height, stride: stride.max(format.row_bytes_min(width) as u32) }
    }
}

/// The frames of one open camera.
pub(super) struct Frames<C: Buffers + Controls> {
    camera: C,
    layout: Layout,
    lamp: Lamp,
}

impl<C: Buffers + Controls> Frames<C> {
    /// Sets what the camera can be told, and begins.
    pub(super) fn begin(camera: C, layout: Layout, torch: Torch) -> Frames<C> {
        settle(&camera);
        let lamp = Lamp::new(torch, &camera);
        Frames { camera, layout, lamp }
    }
}

impl<C: Buffers + Controls> CameraStream for Frames<C> {
    fn next_raw(&mut self) -> Result<RawFrame, CameraError> {
        if !self.camera.ready(FRAME_WAIT).map_err(fault)? {
            return Err(CameraError::NoFrameYet);
        }
        let Filled { bytes, used, damaged } = self.camera.take().map_err(fault)?;
        if damaged {
            return Err(CameraError::NoFrameYet);
        }
        let data = if used == 0 { bytes } else { bytes.get(..used).unwrap_or(bytes) };
        let Layout { format, width, height, stride } = self.layout;
        let frame = RawFrame { format, width, height, stride, taken_ms: 0, data: data.to_vec() };
        self.lamp.see(&frame, &self.camera);
        Ok(frame)
    }
}

impl<C: Buffers + Controls> Drop for Frames<C> {
    fn drop(&mut self) {
        self.lamp.put_out(&self.camera);
    }
}

fn fault(error: io::Error) -> CameraError {
    match (error.kind(), error.raw_os_error()) {
        (io::ErrorKind::Interrupted, _) => CameraError::NoFrameYet,
        (_, Some(ENODEV)) => CameraError::Unplugged,
        _ => CameraError::Driver(error.to_string()),
    }
}

#[cfg(test)]
#[path = "capture_tests.rs"]
mod tests;
