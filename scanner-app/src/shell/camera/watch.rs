//! Runs a camera driver on a thread of its own, under the watchdog.
//!
//! A driver may hang, panic or fail at any call; the thread that called it is then left behind and another one tries.
//!
//! Invariants: one driver thread is listened to at a time (each has a number, and what others say is ignored); frames go
//! into the mailbox and nowhere else.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use super::RawFrame;
use super::guard::{Guard, Heard, Order, Patience};
use super::mailbox::Mailbox;

/// Gives unix milliseconds.
pub type ClockMs = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Why a camera sends no frame. Each message is for staff.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CameraError {
    #[error(
        "No camera was found. Plug it in; if it is built in, restart the handheld. A sensor that only libcamera knows \
         needs its V4L2 bridge"
    )]
    NoDevice,
    #[error("The camera {0} is not there. Plug it in, or choose another one with --source camera:/dev/videoN")]
    NoSuchDevice(String),
    #[error("The camera {0} may not be opened. Add the handheld's user to the group \"video\" and restart it")]
    Denied(String),
    #[error("The camera {0} is in use by another program. Close that program")]
    Busy(String),
    #[error("The camera {device} offers only {offered}, and YUYV, NV12, GREY or MJPG is needed. Use another camera")]
    NoUsableFormat { device: String, offered: String },
    #[error("{0} gives no pictures. Choose another camera with --source camera:/dev/videoN")]
    NoPictures(String),
    #[error("The camera was unplugged. Plug it in again")]
    Unplugged,
    /// No frame within the driver's own short wait. Not yet a trouble: the watchdog counts.
    #[error("The camera has sent no picture for a moment")]
    NoFrameYet,
    #[error(
        "The camera reports a fault ({0}). Unplug it, plug it in again, and restart the handheld if that is no help"
    )]
    Driver(String),
}

/// A kind of camera that can be opened, again and again, from any thread.
pub trait CameraDriver: Send + Sync {
    /// Opens the camera. May hang.
    fn open(&self) -> Result<Box<dyn CameraStream>, CameraError>;
}

/// An open camera. Dropping it closes it.
pub trait CameraStream {
    /// Waits for the next frame. May hang; a good driver returns `NoFrameYet` well within the watchdog's patience.
    fn next_raw(&mut self) -> Result<RawFrame, CameraError>;
}

/// What a driver thread reports; the number is that thread's.
enum Report {
    Opened(u64),
    Frame(u64, RawFrame),
    Ended(u64, CameraError),
}

/// The longest wait, so that a dropped source ends soon.
const WAIT_MAX: Duration = Duration::from_millis(200);

/// Keeps a camera going until the mailbox is closed.
pub(super) fn supervise(driver: Arc<dyn CameraDriver>, patience: Patience, clock: ClockMs, mailbox: &Mailbox) {
    let (reports, inbox) = sync_channel(1);
    let started = Instant::now();
    let now_ms = || started.elapsed().as_millis() as u64;
    let current = Arc::new(AtomicU64::new(0));
    let mut guard = Guard::new(patience);
    let mut orders = guard.step(now_ms(), Heard::Tick);
    let mut taken = None;
    while !mailbox.is_closed() {
        let mut failed = None;
        for order in orders.drain(..) {
            match order {
                Order::Open => {
                    let number = current.fetch_add(1, Ordering::SeqCst) + 1;
                    let worker = Worker { number, current: Arc::clone(&current), reports: reports.clone() };
                    failed = worker.start(Arc::clone(&driver), Arc::clone(&clock)).err();
                }
                Order::Abandon => {
                    current.fetch_add(1, Ordering::SeqCst);
                }
                Order::Tell(event) => {
                    tracing::warn!(?event, "camera");
                    mailbox.tell(event);
                }
            }
        }
        // After the notice that the trouble is over, so that nobody sees them the other way round.
        if let Some(frame) = taken.take() {
            mailbox.put_latest(frame);
        }
        let heard = match failed {
            Some(error) => Heard::Failed(CameraError::Driver(error.to_string())),
            None => {
                let wait = Duration::from_millis(guard.wake_at_ms().saturating_sub(now_ms())).min(WAIT_MAX);
                hear(&inbox, wait, current.load(Ordering::SeqCst), &mut taken)
            }
        };
        orders = guard.step(now_ms(), heard);
    }
    // Threads that still wait for a frame see that they are no longer listened to.
    current.fetch_add(1, Ordering::SeqCst);
}

fn hear(inbox: &Receiver<Report>, wait: Duration, current: u64, taken: &mut Option<RawFrame>) -> Heard {
    match inbox.recv_timeout(wait) {
        Ok(Report::Opened(number)) if number == current => Heard::Opened,
        Ok(Report::Frame(number, frame)) if number == current => {
            *taken = Some(frame);
            Heard::Frame
        }
        Ok(Report::Ended(number, error)) if number == current => Heard::Failed(error),
        Ok(Report::Ended(..)) => Heard::Returned,
        Ok(Report::Opened(_) | Report::Frame(..)) => Heard::Tick,
        // The supervisor holds a sender itself, so the channel never disconnects.
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Heard::Tick,
    }
}

struct Worker {
    number: u64,
    current: Arc<AtomicU64>,
    reports: SyncSender<Report>,
}

impl Worker {
    fn start(self, driver: Arc<dyn CameraDriver>, clock: ClockMs) -> std::io::Result<()> {
        std::thread::Builder::new().name(format!("camera-{}", self.number)).spawn(move || {
            // Drivers panic too: the V4L2 one does when a camera vanishes in the wrong moment.
            let end = catch_unwind(AssertUnwindSafe(|| self.read(&*driver, &clock)))
                .unwrap_or_else(|_| CameraError::Driver("its driver gave up".to_owned()));
            let _ = self.reports.send(Report::Ended(self.number, end));
        })?;
        Ok(())
    }

    /// Reads frames until something is wrong or nobody listens any more.
    fn read(&self, driver: &dyn CameraDriver, clock: &ClockMs) -> CameraError {
        let mut stream = match driver.open() {
            Ok(stream) => stream,
            Err(error) => return error,
        };
        let mut heard = self.reports.send(Report::Opened(self.number)).is_ok();
        while heard && self.current.load(Ordering::SeqCst) == self.number {
            match stream.next_raw() {
                Ok(mut frame) => {
                    frame.taken_ms = clock();
                    heard = self.reports.send(Report::Frame(self.number, frame)).is_ok();
                }
                Err(CameraError::NoFrameYet) => {}
                Err(error) => return error,
            }
        }
        CameraError::NoFrameYet
    }
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
