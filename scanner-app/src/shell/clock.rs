//! The device's two clocks, and the gate's clock made of them: the one place in the handheld that asks what time it is.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gate_core::clock::{Anchor, ClockReading, DeviceTime, GateClock, HandSet};
use gate_core::crowd::{CrowdSays, Vote};

/// The gate's clock, shared by all threads.
#[derive(Clone)]
pub struct Clock {
    boot_id: u128,
    gate: Arc<Mutex<GateClock>>,
    /// The time of the recorded frame that is played now, in place of all clocks.
    recorded: Option<Arc<Recorded>>,
}

/// Times of recorded frames, unix milliseconds.
struct Recorded {
    now_ms: AtomicI64,
    /// The latest so far: what counts on must not run back.
    latest_ms: AtomicI64,
}

impl Clock {
    /// A clock with the anchor that was kept from before, if any.
    pub fn new(anchor: Option<Anchor>) -> Self {
        Clock { boot_id: boot_id(), gate: Arc::new(Mutex::new(GateClock::new(anchor))), recorded: None }
    }

    /// A clock that stands at the time of recorded frames, and moves when it is told.
    pub fn recorded(start_ms: i64) -> Self {
        let recorded = Recorded { now_ms: AtomicI64::new(start_ms), latest_ms: AtomicI64::new(start_ms) };
        Clock { recorded: Some(Arc::new(recorded)), ..Clock::new(None) }
    }

    /// A recorded frame is looked at. A clock of the present takes no notice.
    pub fn at_frame(&self, taken_ms: i64) {
        if let Some(recorded) = &self.recorded {
            recorded.now_ms.store(taken_ms, Ordering::Relaxed);
            recorded.latest_ms.fetch_max(taken_ms, Ordering::Relaxed);
        }
    }

    /// Milliseconds that only count on.
    pub fn steady_ms(&self) -> i64 {
        self.recorded.as_ref().map_or_else(boot_ms, |recorded| recorded.latest_ms.load(Ordering::Relaxed))
    }

    /// Takes the anchor that was kept from before.
    pub fn restore(&self, anchor: Option<Anchor>) {
        *self.lock() = GateClock::new(anchor);
    }

    /// What the device's clocks say now.
    pub fn device(&self) -> DeviceTime {
        DeviceTime { system_ms: system_ms(), boot_ms: boot_ms(), boot_id: self.boot_id }
    }

    pub fn read(&self) -> ClockReading {
        if let Some(recorded) = &self.recorded {
            // The recording handheld stamped its frames by its gate's clock, which is taken at its word.
            let now_ms = recorded.now_ms.load(Ordering::Relaxed);
            return ClockReading { now_ms, uncertainty_ms: 0, in_doubt: false, offset_ms: 0 };
        }
        self.lock().read(self.device())
    }

    /// Takes a signed time in, and returns the anchor to keep if it was taken.
    pub fn take_signed(&self, signed_ms: i64, sent: DeviceTime, received: DeviceTime) -> Option<Anchor> {
        let mut gate = self.lock();
        if gate.take_signed(signed_ms, sent, received) { gate.anchor() } else { None }
    }

    /// Counts what a guest's code says of the time. Returns whether the clock is another for it. A recorded time is no clock.
    pub fn hear(&self, vote: Vote) -> bool {
        self.recorded.is_none() && self.lock().hear(vote, self.device())
    }

    /// What the crowd says of this clock, where it agrees on something.
    pub fn crowd(&self) -> Option<CrowdSays> {
        self.lock().crowd(self.device())
    }

    /// Goes by the time that a supervisor set before, in this boot.
    pub fn restore_by_hand(&self, hand: Option<HandSet>) {
        if let Some(hand) = hand {
            self.lock().set_by_hand(hand);
        }
    }

    /// A time to be set by hand from now on, unless it is before the last signed one.
    pub fn by_hand(&self, set_ms: i64) -> Option<HandSet> {
        let hand = HandSet { set_ms, at: self.device() };
        let mut tried = self.lock().clone();
        tried.set_by_hand(hand).then_some(hand)
    }

    fn lock(&self) -> MutexGuard<'_, GateClock> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The system's wall clock in unix milliseconds: a guess.
#[expect(clippy::disallowed_methods, reason = "the handheld's one reading of the wall clock")]
pub fn system_ms() -> i64 {
    match std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
    }
}

/// Milliseconds since boot, sleep included.
pub fn boot_ms() -> i64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    time.tv_sec * 1_000 + time.tv_nsec / 1_000_000
}

/// This boot's id. Where the kernel gives none, every start counts as a boot: the clock is then only less sure of itself.
fn boot_id() -> u128 {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let hex: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    u128::from_str_radix(&hex, 16).unwrap_or_else(|_| u128::from(random_u64()))
}

/// 64 random bits, from the system. Zero only if the system has none, which the kernels we run on do not do.
pub fn random_u64() -> u64 {
    getrandom::u64().unwrap_or(0)
}
