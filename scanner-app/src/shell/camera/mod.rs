//! Where codes come from: a camera, a folder of recorded frames, or an imager that types. One port, `Source`, for all.
//!
//! The latest frame wins: a source never makes the decoder work on a view that is already past. Every trouble arrives
//! as an event whose message says what staff can do, and no trouble ends a source that may come back.
//!
//! Invariants: a source owns its threads and never blocks its reader; nothing here looks at what a frame shows.

#[cfg_attr(
    not(feature = "camera"),
    allow(dead_code, reason = "the adapter is left out; its port is tested all the same")
)]
mod capture;
#[cfg_attr(
    not(feature = "camera"),
    allow(dead_code, reason = "the adapter is left out; its port is tested all the same")
)]
mod controls;
#[cfg(feature = "camera")]
mod device;
pub mod frames;
mod guard;
mod hid;
mod mailbox;
mod watch;
mod wedge;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use self::frames::AtEnd;
use self::mailbox::Mailbox;

pub use self::controls::{Controls, Torch};
pub use self::guard::Patience;
pub use self::watch::{CameraDriver, CameraError, CameraStream, ClockMs};
pub use crate::core::decode::raw::{PixelFormat, RawFrame};

/// What a source has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceEvent {
    /// What is in view now.
    Frame(RawFrame),
    /// A code that an imager has read by itself, without its line end.
    Text(Vec<u8>),
    /// There is no camera, folder or imager to read from; it is tried again until there is.
    Missing(String),
    /// It is there and sends nothing of use; it is opened again.
    Stalled(String),
    /// The trouble told before is over.
    Recovered,
    /// Nothing more will come.
    Ended,
}

/// Which source to read, as given on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceSpec {
    /// `camera`, or `camera:/dev/video2`.
    Camera(Option<PathBuf>),
    /// `frames:DIR`.
    Frames(PathBuf),
    /// `replay:DIR`: recorded frames with their recorded time, into a replay folder only.
    Replay(PathBuf),
    /// `wedge` (standard input), or `wedge:/dev/ttyACM0`, or `wedge:/dev/hidraw0`.
    Wedge(Option<PathBuf>),
}

/// Why a source cannot even be tried.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error(
        "\"{0}\" is not a source: use camera, camera:/dev/videoN, frames:FOLDER, replay:FOLDER, wedge, or wedge:/dev/ttyACM0"
    )]
    Unknown(String),
    #[error("this build reads no camera: use frames:FOLDER or wedge, or install the package with camera support")]
    NoCameraSupport,
    #[error("no thread could be started for the source: free some memory and start again")]
    Thread(#[from] std::io::Error),
}

impl FromStr for SourceSpec {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, SourceError> {
        let (kind, place) = match text.split_once(':') {
            Some((kind, place)) => (kind, Some(PathBuf::from(place))),
            None => (text, None),
        };
        match (kind, place) {
            (_, Some(place)) if place.as_os_str().is_empty() => Err(SourceError::Unknown(text.to_owned())),
            ("camera", place) => Ok(SourceSpec::Camera(place)),
            ("frames", Some(folder)) => Ok(SourceSpec::Frames(folder)),
            ("replay", Some(folder)) => Ok(SourceSpec::Replay(folder)),
            ("wedge", place) => Ok(SourceSpec::Wedge(place)),
            _ => Err(SourceError::Unknown(text.to_owned())),
        }
    }
}

impl fmt::Display for SourceSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SourceSpec::Camera(None) => write!(f, "camera"),
            SourceSpec::Camera(Some(path)) => write!(f, "camera:{}", path.display()),
            SourceSpec::Frames(folder) => write!(f, "frames:{}", folder.display()),
            SourceSpec::Replay(folder) => write!(f, "replay:{}", folder.display()),
            SourceSpec::Wedge(None) => write!(f, "wedge"),
            SourceSpec::Wedge(Some(path)) => write!(f, "wedge:{}", path.display()),
        }
    }
}

/// An open source. Dropping it ends its threads (one that waits inside a driver or for a key ends when that returns).
pub struct Source {
    mailbox: Arc<Mailbox>,
}

impl Source {
    /// Starts reading. `clock` gives unix milliseconds and stamps what a camera takes; `torch` is a camera's alone.
    ///
    /// Errors: only what no waiting could mend; a missing camera is an event.
    pub fn open(spec: &SourceSpec, torch: Torch, clock: ClockMs) -> Result<Source, SourceError> {
        match spec {
            SourceSpec::Camera(path) => Source::camera(path.clone(), torch, clock),
            SourceSpec::Frames(folder) => {
                let folder = folder.clone();
                Source::on_thread("frames", move |mailbox| frames::play(&folder, AtEnd::Wait, mailbox))
            }
            SourceSpec::Replay(folder) => {
                let folder = folder.clone();
                Source::on_thread("replay", move |mailbox| frames::play(&folder, AtEnd::Stop, mailbox))
            }
            SourceSpec::Wedge(path) => {
                let path = path.clone();
                Source::on_thread("wedge", move |mailbox| wedge::listen(path.as_deref(), mailbox))
            }
        }
    }

    /// Starts reading a camera through any driver: the one way in for the real one and for simulated ones.
    pub fn with_driver(
        driver: Arc<dyn CameraDriver>,
        patience: Patience,
        clock: ClockMs,
    ) -> Result<Source, SourceError> {
        Source::on_thread("camera", move |mailbox| watch::supervise(driver, patience, clock, mailbox))
    }

    /// Waits up to `wait` for what the source has to say. Trouble comes before texts, texts before the latest frame,
    /// the end last.
    pub fn next(&self, wait: Duration) -> Option<SourceEvent> {
        self.mailbox.next(wait)
    }

    /// What ends a wait in [`next`](Self::next) from another thread, for whoever has sent the reader something else to do.
    pub fn nudge(&self) -> impl Fn() + Send + Sync + Clone + 'static {
        let mailbox = Arc::clone(&self.mailbox);
        move || mailbox.nudge()
    }

    /// How many frames were replaced by a later one before anybody looked.
    pub fn frames_skipped(&self) -> u64 {
        self.mailbox.frames_skipped()
    }

    #[cfg(feature = "camera")]
    fn camera(path: Option<PathBuf>, torch: Torch, clock: ClockMs) -> Result<Source, SourceError> {
        Source::with_driver(Arc::new(device::V4l::new(path, torch)), Patience::default(), clock)
    }

    #[cfg(not(feature = "camera"))]
    fn camera(_path: Option<PathBuf>, _torch: Torch, _clock: ClockMs) -> Result<Source, SourceError> {
        Err(SourceError::NoCameraSupport)
    }

    fn on_thread(name: &str, work: impl FnOnce(&Mailbox) + Send + 'static) -> Result<Source, SourceError> {
        let mailbox = Arc::new(Mailbox::default());
        let theirs = Arc::clone(&mailbox);
        std::thread::Builder::new().name(format!("source-{name}")).spawn(move || work(&theirs))?;
        Ok(Source { mailbox })
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.mailbox.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs_are_read_and_written_alike() {
        for text in ["camera", "camera:/dev/video2", "frames:/tmp/a:b", "replay:/tmp", "wedge", "wedge:/dev/ttyACM0"] {
            assert_eq!(text.parse::<SourceSpec>().unwrap().to_string(), text);
        }
        for text in ["", "frames", "frames:", "replay", "webcam", "camera:", ":x", "Camera"] {
            let error = text.parse::<SourceSpec>().unwrap_err().to_string();
            assert!(error.contains("use camera"), "{error}");
        }
    }
}
