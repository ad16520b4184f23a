//! A V4L2 camera.
//!
//! nokhwa lists the cameras. The frames are read through `v4l`, which nokhwa itself stands on, because nokhwa waits for
//! a frame without end and then holds the device, so that it could not be opened again; hides the length of a row and of
//! a JPEG; and asks for grey by a name that V4L2 does not know.
//!
//! Not run against hardware here: the port is tested with simulated drivers, this adapter only as far as a machine
//! without a camera allows.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use v4l::buffer::{Flags, Type};
use v4l::io::traits::CaptureStream;
use v4l::prelude::MmapStream;
use v4l::video::Capture;
use v4l::{Device, Format, FourCC};

use super::watch::{CameraDriver, CameraError, CameraStream};
use super::{PixelFormat, RawFrame};

/// Cheapest to convert first.
const PREFERRED: [PixelFormat; 4] = [PixelFormat::Grey, PixelFormat::Nv12, PixelFormat::Yuyv, PixelFormat::Mjpeg];
/// What is asked for; the driver gives the nearest it has.
const WIDTH: u32 = 640;
const HEIGHT: u32 = 480;
const BUFFERS: u32 = 4;
/// A quarter of the watchdog's patience, so that a thread never hangs while the camera does.
const FRAME_WAIT: Duration = Duration::from_millis(500);
/// Nodes looked at when none was named: a camera has several, and not each of them gives pictures.
const NODES_MAX: usize = 16;

const ENODEV: i32 = 19;
const EBUSY: i32 = 16;

pub(super) struct V4l {
    /// The device to use; without one, the first that gives pictures.
    path: Option<PathBuf>,
}

impl V4l {
    pub(super) fn new(path: Option<PathBuf>) -> V4l {
        V4l { path }
    }
}

impl CameraDriver for V4l {
    fn open(&self) -> Result<Box<dyn CameraStream>, CameraError> {
        if let Some(path) = &self.path {
            return Ok(Box::new(open(path)?));
        }
        let listed = nokhwa::query(nokhwa::utils::ApiBackend::Video4Linux)
            .map_err(|error| CameraError::Driver(error.to_string()))?;
        let mut nodes: Vec<u32> = listed.iter().filter_map(|camera| camera.index().as_index().ok()).collect();
        nodes.sort_unstable();
        let mut trouble = CameraError::NoDevice;
        for node in nodes.into_iter().take(NODES_MAX) {
            match open(Path::new(&format!("/dev/video{node}"))) {
                Ok(stream) => return Ok(Box::new(stream)),
                // The first node's trouble is the telling one; later nodes only carry metadata.
                Err(error) if trouble == CameraError::NoDevice => trouble = error,
                Err(_) => {}
            }
        }
        Err(trouble)
    }
}

struct Stream {
    stream: MmapStream<'static>,
    format: PixelFormat,
    width: u32,
    height: u32,
    stride: u32,
}

fn open(path: &Path) -> Result<Stream, CameraError> {
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
    let mut stream = MmapStream::with_buffers(&device, Type::VideoCapture, BUFFERS).map_err(fault)?;
    stream.set_timeout(FRAME_WAIT);
    tracing::info!(device = %path.display(), ?format, given.width, given.height, given.stride, "camera opened");
    // Some drivers leave the row length at 0 and mean "no padding".
    let stride = given.stride.max(format.row_bytes_min(given.width) as u32);
    Ok(Stream { stream, format, width: given.width, height: given.height, stride })
}

impl CameraStream for Stream {
    fn next_raw(&mut self) -> Result<RawFrame, CameraError> {
        let (bytes, about) = match self.stream.next() {
            Ok(frame) => frame,
            Err(error) if error.kind() == io::ErrorKind::TimedOut => return Err(CameraError::NoFrameYet),
            Err(error) if error.raw_os_error() == Some(ENODEV) => return Err(CameraError::Unplugged),
            Err(error) => return Err(CameraError::Driver(error.to_string())),
        };
        if about.flags.contains(Flags::ERROR) {
            return Err(CameraError::NoFrameYet);
        }
        let used = match about.bytesused as usize {
            0 => bytes,
            used => bytes.get(..used).unwrap_or(bytes),
        };
        Ok(RawFrame {
            format: self.format,
            width: self.width,
            height: self.height,
            stride: self.stride,
            taken_ms: 0,
            data: used.to_vec(),
        })
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
        let error = V4l::new(Some("/dev/video-none".into())).open().err();
        assert_eq!(error, Some(CameraError::NoSuchDevice("/dev/video-none".into())));
    }

    #[test]
    fn what_is_no_camera_is_refused_without_a_panic() {
        let error = V4l::new(Some("/dev/null".into())).open().err();
        assert_eq!(error, Some(CameraError::NoPictures("/dev/null".into())));
    }
}
