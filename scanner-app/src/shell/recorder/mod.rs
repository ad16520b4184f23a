//! The recorder: keeps the last frames in which no code was read, when a supervisor asks, so that a gate's failures can be
//! studied and become tests.
//!
//! Invariants:
//! - It never holds up a scan: frames go through a bounded channel to a thread of its own, and what finds no room is left
//!   out.
//! - A frame in which a code was read is never handed to it; a frame in which none was may be readable one day, so none
//!   outlives its retention (`ring`).
//! - It records only while asked to, and says so on the screen and in the event lines for as long as it does.

mod pace;
mod request;
mod ring;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};

use self::pace::Pace;
pub use self::request::Request;
use self::ring::Ring;
pub use self::ring::{BYTES_MAX, Bounds, FOLDER, Kept, RingError};
use super::camera::{ClockMs, RawFrame};

/// The most frames that can be asked for.
pub const FRAMES_MAX: u32 = 10_000;
/// The frames kept where nobody says how many.
pub const FRAMES_USUAL: u32 = 200;
/// How long a frame is kept where nobody says how long, and at most, in hours.
pub const HOURS_USUAL: u32 = 24;
pub const HOURS_MAX: u32 = 168;
/// Frames that wait for the disk. More would only be memory.
const WAITING_MAX: usize = 4;
/// How often the request is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often the recordings are swept, in looks: their time runs out while nothing is recorded, too.
const SWEEP_LOOKS: u32 = 60;
/// How long the last frames may take to reach the disk when the handheld ends.
const LAST_WRITES: Duration = Duration::from_secs(2);

/// What the handheld is started with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Record this many frames, until a request says otherwise.
    pub frames: Option<u32>,
    /// How long a frame is kept after it was taken.
    pub kept_hours: u32,
}

impl Default for Options {
    fn default() -> Self {
        Options { frames: None, kept_hours: HOURS_USUAL }
    }
}

impl Options {
    /// What may be kept of `frames_max` frames.
    pub fn bounds(&self, frames_max: u32) -> Bounds {
        Bounds { frames_max, bytes_max: BYTES_MAX, kept_ms: i64::from(self.kept_hours) * 3_600_000 }
    }
}

/// What the recorder tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// It records now, at most so many frames.
    On(u32),
    Off,
    /// A frame could not be kept. Told once until one was.
    Trouble(String),
    Mended,
}

/// Where frames and requests lie: the data folder, or a simulated one.
pub trait Shelf: Send {
    /// What was asked for last, if anybody has asked.
    fn asked(&mut self) -> std::io::Result<Option<Request>>;
    fn put(&mut self, frame: &RawFrame, bounds: &Bounds, now_ms: i64) -> Result<(), RingError>;
    /// Looks through what is kept, and lets go what is over.
    fn sweep(&mut self, bounds: &Bounds, now_ms: i64) -> Result<(), RingError>;
}

/// The recordings of a data folder.
struct Folder {
    data: PathBuf,
    ring: Ring,
}

impl Shelf for Folder {
    fn asked(&mut self) -> std::io::Result<Option<Request>> {
        request::read(&self.data)
    }

    fn put(&mut self, frame: &RawFrame, bounds: &Bounds, now_ms: i64) -> Result<(), RingError> {
        self.ring.put(frame, bounds, now_ms)
    }

    fn sweep(&mut self, bounds: &Bounds, now_ms: i64) -> Result<(), RingError> {
        self.ring.look()?;
        self.ring.sweep(bounds, now_ms)
    }
}

/// A frame in which no code was read.
struct Unread {
    frame: RawFrame,
    /// Something in it looks like a code.
    likely: bool,
}

/// The running recorder, as the gate sees it. Dropping it ends its thread, after the frames that wait.
pub struct Recorder {
    frames: Option<Sender<Unread>>,
    on: Arc<AtomicBool>,
    behind_told: AtomicBool,
    done: Receiver<()>,
}

impl Recorder {
    /// Starts the recorder of a data folder. `tell` gets its news, from this thread at first and then from its own.
    ///
    /// Errors: no thread could be started.
    pub fn start(
        data: &Path,
        options: Options,
        clock: ClockMs,
        tell: Box<dyn FnMut(News) + Send>,
    ) -> std::io::Result<Recorder> {
        let ring = Ring::new(data);
        if let Err(error) = ring.remove_halves() {
            tracing::warn!(%error, "halves of recorded frames are left");
        }
        Recorder::with_shelf(Box::new(Folder { data: data.to_owned(), ring }), options, clock, tell)
    }

    /// Starts a recorder on any shelf: the one way in for the real one and for simulated ones.
    pub fn with_shelf(
        shelf: Box<dyn Shelf>,
        options: Options,
        clock: ClockMs,
        tell: Box<dyn FnMut(News) + Send>,
    ) -> std::io::Result<Recorder> {
        let (frames, inbox) = bounded(WAITING_MAX);
        let (finished, done) = bounded(1);
        let on = Arc::new(AtomicBool::new(false));
        let mut work = Work {
            shelf,
            options,
            clock,
            tell,
            on: Arc::clone(&on),
            seen: None,
            frames_max: options.frames.unwrap_or(0).min(FRAMES_MAX),
            pace: Pace::default(),
            troubled: false,
            look_failed: false,
        };
        work.begin();
        std::thread::Builder::new().name("recorder".to_owned()).spawn(move || {
            work.run(&inbox);
            // Whoever waited has given up, or hears it now.
            let _ = finished.send(());
        })?;
        Ok(Recorder { frames: Some(frames), on, behind_told: AtomicBool::new(false), done })
    }

    /// Takes a frame in which no code was read, and whether something in it looks like one. Never waits.
    pub fn offer(&self, frame: RawFrame, likely: bool) {
        if !self.on.load(Ordering::Relaxed) {
            return;
        }
        let Some(frames) = &self.frames else { return };
        if let Err(TrySendError::Full(_)) = frames.try_send(Unread { frame, likely })
            && !self.behind_told.swap(true, Ordering::Relaxed)
        {
            tracing::warn!("the disk is slower than the camera; frames are left out of the recording");
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.frames = None;
        let _ = self.done.recv_timeout(LAST_WRITES);
    }
}

/// The recorder's thread.
struct Work {
    shelf: Box<dyn Shelf>,
    options: Options,
    clock: ClockMs,
    tell: Box<dyn FnMut(News) + Send>,
    on: Arc<AtomicBool>,
    /// The last request seen; another one takes over from the option.
    seen: Option<Request>,
    frames_max: u32,
    pace: Pace,
    troubled: bool,
    look_failed: bool,
}

impl Work {
    /// An option holds from the start, whatever was asked before; without one, what was asked last goes on.
    fn begin(&mut self) {
        self.seen = self.asked();
        if self.options.frames.is_none() {
            self.frames_max = self.seen.map_or(0, |request| request.frames);
        }
        self.sweep();
        if self.frames_max > 0 {
            self.switch(self.frames_max);
        }
    }

    fn run(&mut self, inbox: &Receiver<Unread>) {
        let mut look_at = Instant::now() + LOOK_EVERY;
        let mut looks = 0;
        loop {
            match inbox.recv_timeout(look_at.saturating_duration_since(Instant::now())) {
                Ok(unread) => self.take(&unread),
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if Instant::now() >= look_at {
                look_at = Instant::now() + LOOK_EVERY;
                self.look();
                looks = (looks + 1) % SWEEP_LOOKS;
                if looks == 0 {
                    self.sweep();
                }
            }
        }
    }

    fn look(&mut self) {
        let asked = self.asked();
        if asked != self.seen {
            self.seen = asked;
            self.switch(asked.map_or(0, |request| request.frames));
            self.sweep();
        }
    }

    fn asked(&mut self) -> Option<Request> {
        match self.shelf.asked() {
            Ok(asked) => {
                self.look_failed = false;
                asked.map(Request::bounded)
            }
            Err(error) => {
                if !std::mem::replace(&mut self.look_failed, true) {
                    tracing::warn!(%error, "what was asked of the recorder cannot be read; it goes on as before");
                }
                self.seen
            }
        }
    }

    fn switch(&mut self, frames_max: u32) {
        self.frames_max = frames_max;
        self.on.store(frames_max > 0, Ordering::Relaxed);
        (self.tell)(if frames_max > 0 { News::On(frames_max) } else { News::Off });
        if frames_max == 0 {
            self.mended();
        }
    }

    fn take(&mut self, Unread { frame, likely }: &Unread) {
        if self.frames_max == 0 || !self.pace.is_due(frame.taken_ms, *likely) {
            return;
        }
        match self.shelf.put(frame, &self.options.bounds(self.frames_max), (self.clock)()) {
            Ok(()) => self.mended(),
            Err(error) => self.trouble(&error),
        }
    }

    /// While nothing is recorded, what was is kept until its time is over.
    fn sweep(&mut self) {
        let frames_max = if self.frames_max == 0 { FRAMES_MAX } else { self.frames_max };
        if let Err(error) = self.shelf.sweep(&self.options.bounds(frames_max), (self.clock)()) {
            self.trouble(&error);
        }
    }

    fn trouble(&mut self, error: &RingError) {
        if !std::mem::replace(&mut self.troubled, true) {
            tracing::warn!(%error, "recorder");
            (self.tell)(News::Trouble(error.to_string()));
        }
    }

    fn mended(&mut self) {
        if std::mem::take(&mut self.troubled) {
            (self.tell)(News::Mended);
        }
    }
}

/// What `scanner-app recorder` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    On(u32),
    Off,
    Status,
    /// Lets go of all recordings.
    Clear,
}

/// Lets go of every picture in a data folder.
pub fn forget(data: &Path) -> Result<(), RingError> {
    let mut ring = Ring::new(data);
    ring.look()?;
    ring.clear()?;
    ring.remove_halves()
}

/// Does what was asked in a data folder, which a handheld may be running on, and returns how its recordings stand: what was
/// asked last, and what is kept. What is past its retention goes, but not where somebody only looks.
pub fn ask(
    data: &Path,
    ask: Ask,
    options: Options,
    now_ms: i64,
    asked_at_ms: i64,
) -> Result<(Option<Request>, Kept), RingError> {
    let failed = |error| RingError::Folder { folder: data.join(FOLDER).display().to_string(), error };
    let mut ring = Ring::new(data);
    match ask {
        Ask::On(frames) => request::leave(data, &Request { frames, asked_at_ms }).map_err(failed)?,
        Ask::Off => request::leave(data, &Request { frames: 0, asked_at_ms }).map_err(failed)?,
        Ask::Status => {}
        Ask::Clear => {
            ring.look()?;
            ring.clear()?;
            ring.remove_halves()?;
        }
    }
    ring.look()?;
    // Whoever only looks takes nothing away.
    if ask != Ask::Status {
        ring.sweep(&options.bounds(FRAMES_MAX), now_ms)?;
    }
    Ok((request::read(data).map_err(failed)?.map(Request::bounded), ring.kept()))
}

#[cfg(test)]
mod tests;
