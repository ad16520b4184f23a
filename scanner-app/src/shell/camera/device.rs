//! A V4L2 camera.
//!
//! nokhwa lists the cameras. The frames are read through `v4l`, which nokhwa itself stands on, because nokhwa waits for
//! a frame without end and then holds the device, so that it could not be opened again; hides the length of a row and of
//! a JPEG; and asks for grey by a name that V4L2 does not know.
//!
//! Not run against hardware here: the port is tested with simulated drivers, this adapter only as far as a machine
//! without a camera allows.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use v4l::buffer::{Flags, Type};
use v4l::control::{Control, Value};
use v4l::io::traits::{CaptureStream, Stream as _};
use v4l::prelude::MmapStream;
use v4l::video::Capture;
use v4l::{Device, Format, FourCC};

use super::PixelFormat;
use super::capture::{Buffers, FRAME_WAIT, Filled, Frames, Layout};
use super::controls::{Controls, Torch};
use super::watch::{CameraDriver, CameraError, CameraStream};

/// Cheapest to convert first.
const PREFERRED: [PixelFormat; 4] = [PixelFormat::Grey, PixelFormat::Nv12, PixelFormat::Yuyv, PixelFormat::Mjpeg];
/// What is asked for; the driver gives the nearest it has.
const WIDTH: u32 = 640;
const HEIGHT: u32 = 480;
const BUFFERS: u32 = 4;
/// As many as V4L2 has.
const BUFFERS_MAX: usize = 32;
/// Nodes looked at when none was named: a camera has several, and not each of them gives pictures.
const NODES_MAX: usize = 16;

const ENODEV: i32 = 19;
const EBUSY: i32 = 16;
/// `poll`'s word for "there is something to read".
const POLLIN: i16 = 1;

pub(super) struct V4l {
    /// The device to use; without one, the first that gives pictures.
    path: Option<PathBuf>,
    torch: Torch,
}

impl V4l {
    pub(super) fn new(path: Option<PathBuf>, torch: Torch) -> V4l {
        V4l { path, torch }
    }
}

impl CameraDriver for V4l {
    fn open(&self) -> Result<Box<dyn CameraStream>, CameraError> {
        if let Some(path) = &self.path {
            return Ok(Box::new(open(path, self.torch)?));
        }
        let listed = nokhwa::query(nokhwa::utils::ApiBackend::Video4Linux)
            .map_err(|error| CameraError::Driver(error.to_string()))?;
        let mut nodes: Vec<u32> = listed.iter().filter_map(|camera| camera.index().as_index().ok()).collect();
        nodes.sort_unstable();
        let mut trouble = CameraError::NoDevice;
        for node in nodes.into_iter().take(NODES_MAX) {
            match open(Path::new(&format!("/dev/video{node}")), self.torch) {
                Ok(stream) => return Ok(Box::new(stream)),
                // The first node's trouble is the telling one; later nodes only carry metadata.
                Err(error) if trouble == CameraError::NoDevice => trouble = error,
                Err(_) => {}
            }
        }
        Err(trouble)
    }
}

fn open(path: &Path, torch: Torch) -> Result<Frames<Camera>, CameraError> {
    let fault = |error: io::Error| fault(path, &error);
    let device = Device::with_path(path).map_err(fault)?;
    let offered: Vec<FourCC> = device.enum_formats().map_err(fault)?.iter().map(|format| format.fourcc).collect();
    if offered.is_empty() {
        return Err(CameraError::NoPictures(path.display().to_string()));
    }
    let no_usable_format = || CameraError::NoUsableFormat {
        device: path.display().to_string(),
        offered: offered.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    let wanted = PREFERRED
        .into_iter()
        .find(|format| offered.iter().any(|code| code.repr == format.fourcc()))
        .ok_or_else(no_usable_format)?;
    let given = device.set_format(&Format::new(WIDTH, HEIGHT, FourCC::new(&wanted.fourcc()))).map_err(fault)?;
    let format = PixelFormat::from_fourcc(given.fourcc.repr).ok_or_else(no_usable_format)?;
    let layout = Layout::new(format, given.width, given.height, given.stride);
    let camera = Camera::start(device).map_err(fault)?;
    tracing::info!(device = %path.display(), ?layout, "camera opened");
    Ok(Frames::begin(camera, layout, torch))
}

/// A device that streams.
struct Camera {
    device: Device,
    stream: MmapStream<'static>,
}

impl Camera {
    /// Gives the driver every buffer but the first, and starts it. The first is the one that the stream takes to be in
    /// hand: it gives it back when it takes the next.
    fn start(device: Device) -> io::Result<Camera> {
        let mut stream = MmapStream::with_buffers(&device, Type::VideoCapture, BUFFERS)?;
        stream.set_timeout(FRAME_WAIT);
        // The driver may have made more buffers than were asked for, or fewer; it refuses the first that is not there.
        let queued = (1..BUFFERS_MAX).take_while(|index| CaptureStream::queue(&mut stream, *index).is_ok()).count();
        stream.start()?;
        tracing::debug!(queued, "camera started");
        Ok(Camera { device, stream })
    }
}

impl Buffers for Camera {
    fn ready(&mut self, wait: Duration) -> io::Result<bool> {
        let wait_ms = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
        Ok(self.stream.handle().poll(POLLIN, wait_ms)? > 0)
    }

    fn take(&mut self) -> io::Result<Filled<'_>> {
        let (bytes, about) = CaptureStream::next(&mut self.stream)?;
        Ok(Filled { bytes, used: about.bytesused as usize, damaged: about.flags.contains(Flags::ERROR) })
    }
}

impl Controls for Camera {
    fn set(&self, id: u32, value: i64) -> io::Result<()> {
        self.device.set_control(Control { id, value: Value::Integer(value) })
    }

    /// The catch is for controls of kinds that came after `v4l`: it panics on them while it lists.
    fn range(&self, id: u32) -> Option<(i64, i64)> {
        catch_unwind(AssertUnwindSafe(|| {
            self.device.control(id).ok()?;
            let controls = self.device.query_controls().ok()?;
            controls.iter().find(|control| control.id == id).map(|control| (control.minimum, control.maximum))
        }))
        .ok()
        .flatten()
    }
}

fn fault(path: &Path, error: &io::Error) -> CameraError {
    let device = path.display().to_string();
    match (error.kind(), error.raw_os_error()) {
        (io::ErrorKind::NotFound, _) | (_, Some(ENODEV)) => CameraError::NoSuchDevice(device),
        (io::ErrorKind::PermissionDenied, _) => CameraError::Denied(device),
        (_, Some(EBUSY)) => CameraError::Busy(device),
        _ => CameraError::Driver(format!("{device}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_camera_that_is_not_there_is_named() {
        let error = V4l::new(Some("/dev/video-none".into()), Torch::Auto).open().err();
        assert_eq!(error, Some(CameraError::NoSuchDevice("/dev/video-none".into())));
    }

    #[test]
    fn what_is_no_camera_is_refused_without_a_panic() {
        let error = V4l::new(Some("/dev/null".into()), Torch::On).open().err();
        assert_eq!(error, Some(CameraError::NoPictures("/dev/null".into())));
    }
}
