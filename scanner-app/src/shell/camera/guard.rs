//! The watchdog over a camera, as a pure state machine: when to open it, when to give it up, what to tell staff.
//!
//! Invariants: no clock (every step is given the time, in milliseconds of any steady clock); a trouble is told once,
//! and its end once; the pause between two tries grows to a bound; no more than `stuck_max` threads ever hang in a
//! driver.

use super::SourceEvent;
use super::watch::CameraError;

/// How long the watchdog waits for what.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Without a frame for this long, a camera has stalled: staff must hear of it within two seconds.
    pub stall_ms: u64,
    /// The pause before the first new try, and the longest one.
    pub pause_ms_min: u64,
    pub pause_ms_max: u64,
    /// Threads that may hang in a driver before no more are started.
    pub stuck_max: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Patience { stall_ms: 1_900, pause_ms_min: 250, pause_ms_max: 5_000, stuck_max: 3 }
    }
}

/// What has happened.
#[derive(Debug)]
pub(super) enum Heard {
    /// Nothing; time has passed.
    Tick,
    /// The camera is open and will send frames.
    Opened,
    /// A frame has come.
    Frame,
    /// The camera could not be opened, or stopped sending for good; its thread has ended.
    Failed(CameraError),
    /// A thread given up before has come back after all, and ended.
    Returned,
}

/// What to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Start a thread that opens the camera.
    Open,
    /// Stop listening to the present thread; it may hang.
    Abandon,
    Tell(SourceEvent),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No thread is at work; the next try is due.
    Waiting { retry_at_ms: u64 },
    /// A thread is opening the camera or waiting for a frame, and this was the last good sign of it.
    Working { good_at_ms: u64 },
}

pub(super) struct Guard {
    patience: Patience,
    state: State,
    pause_ms: u64,
    stuck: u32,
    told: Option<SourceEvent>,
}

impl Guard {
    pub(super) fn new(patience: Patience) -> Guard {
        let pause_ms = patience.pause_ms_min;
        Guard { patience, state: State::Waiting { retry_at_ms: 0 }, pause_ms, stuck: 0, told: None }
    }

    pub(super) fn step(&mut self, now_ms: u64, heard: Heard) -> Vec<Order> {
        let mut orders = Vec::new();
        let working = matches!(self.state, State::Working { .. });
        match heard {
            Heard::Opened if working => self.state = State::Working { good_at_ms: now_ms },
            Heard::Frame if working => {
                self.state = State::Working { good_at_ms: now_ms };
                self.pause_ms = self.patience.pause_ms_min;
                if self.told.take().is_some() {
                    orders.push(Order::Tell(SourceEvent::Recovered));
                }
            }
            // A thread that was given up may still hold the device for a moment: nobody else has it, and it was told of.
            Heard::Failed(CameraError::Busy(_)) if working && self.stuck > 0 => self.wait(now_ms),
            Heard::Failed(error) if working => {
                self.tell(SourceEvent::Missing(error.to_string()), &mut orders);
                self.wait(now_ms);
            }
            Heard::Returned => self.stuck = self.stuck.saturating_sub(1),
            Heard::Tick | Heard::Opened | Heard::Frame | Heard::Failed(_) => {}
        }
        self.act_on_time(now_ms, &mut orders);
        orders
    }

    /// When to step again if nothing is heard.
    pub(super) fn wake_at_ms(&self) -> u64 {
        match self.state {
            State::Waiting { retry_at_ms } => retry_at_ms,
            State::Working { good_at_ms } => good_at_ms + self.patience.stall_ms,
        }
    }

    fn act_on_time(&mut self, now_ms: u64, orders: &mut Vec<Order>) {
        if now_ms < self.wake_at_ms() {
            return;
        }
        match self.state {
            State::Working { .. } => {
                orders.push(Order::Abandon);
                self.stuck += 1;
                let message = "The camera sends no picture and is being started again. If this goes on, unplug it, \
                               wait five seconds and plug it in; then restart the handheld.";
                self.tell(SourceEvent::Stalled(message.to_owned()), orders);
                self.wait(now_ms);
            }
            State::Waiting { .. } if self.stuck >= self.patience.stuck_max => {
                let message = "The camera does not let go and cannot be started again. Restart the handheld; until \
                               then send guests to another lane.";
                self.tell(SourceEvent::Stalled(message.to_owned()), orders);
                self.wait(now_ms);
            }
            State::Waiting { .. } => {
                orders.push(Order::Open);
                self.state = State::Working { good_at_ms: now_ms };
            }
        }
    }

    fn tell(&mut self, event: SourceEvent, orders: &mut Vec<Order>) {
        if self.told.as_ref() != Some(&event) {
            self.told = Some(event.clone());
            orders.push(Order::Tell(event));
        }
    }

    fn wait(&mut self, now_ms: u64) {
        self.state = State::Waiting { retry_at_ms: now_ms + self.pause_ms };
        self.pause_ms = (self.pause_ms * 2).min(self.patience.pause_ms_max);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stalled(orders: &[Order]) -> bool {
        orders.iter().any(|order| matches!(order, Order::Tell(SourceEvent::Stalled(_))))
    }

    #[test]
    fn a_stall_is_noticed_within_two_seconds_and_told_once() {
        let mut guard = Guard::new(Patience::default());
        assert_eq!(guard.step(0, Heard::Tick), [Order::Open]);
        assert_eq!(guard.step(100, Heard::Opened), []);
        assert_eq!(guard.step(130, Heard::Frame), []);
        assert_eq!(guard.wake_at_ms(), 2_030);
        assert_eq!(guard.step(2_029, Heard::Tick), []);
        let orders = guard.step(2_030, Heard::Tick);
        assert_eq!(orders[0], Order::Abandon);
        assert!(stalled(&orders));
        // Opened again after the pause, and silent again: not told again.
        assert_eq!(guard.step(2_279, Heard::Tick), []);
        assert_eq!(guard.step(2_280, Heard::Tick), [Order::Open]);
        assert_eq!(guard.step(4_180, Heard::Tick), [Order::Abandon]);
        // The pause has doubled.
        assert_eq!(guard.wake_at_ms(), 4_680);
        assert_eq!(guard.step(4_680, Heard::Tick), [Order::Open]);
        assert_eq!(guard.step(5_000, Heard::Opened), []);
        assert_eq!(guard.step(5_010, Heard::Frame), [Order::Tell(SourceEvent::Recovered)]);
        assert_eq!(guard.step(5_040, Heard::Frame), []);
    }

    #[test]
    fn a_device_that_a_lost_thread_still_holds_is_nobody_elses() {
        let mut guard = Guard::new(Patience::default());
        guard.step(0, Heard::Tick);
        assert!(stalled(&guard.step(1_900, Heard::Tick)));
        let mut now_ms = guard.wake_at_ms();
        let busy = || Heard::Failed(CameraError::Busy("/dev/video0".into()));
        assert_eq!(guard.step(now_ms, Heard::Tick), [Order::Open]);
        assert_eq!(guard.step(now_ms, busy()), [], "\"close the other program\" would send staff the wrong way");
        assert_eq!(guard.step(now_ms, Heard::Returned), []);
        // With the thread gone, it is somebody else.
        now_ms = guard.wake_at_ms();
        assert_eq!(guard.step(now_ms, Heard::Tick), [Order::Open]);
        assert!(matches!(&guard.step(now_ms, busy())[..], [Order::Tell(SourceEvent::Missing(_))]));
    }

    #[test]
    fn a_missing_camera_is_tried_with_growing_pauses_up_to_a_bound() {
        let mut guard = Guard::new(Patience::default());
        let mut now_ms = 0;
        let mut pauses = Vec::new();
        for round in 0..8 {
            assert_eq!(guard.step(now_ms, Heard::Tick), [Order::Open]);
            let orders = guard.step(now_ms, Heard::Failed(CameraError::NoDevice));
            assert_eq!(orders.len(), usize::from(round == 0), "told once");
            pauses.push(guard.wake_at_ms() - now_ms);
            now_ms = guard.wake_at_ms();
        }
        assert_eq!(pauses, [250, 500, 1_000, 2_000, 4_000, 5_000, 5_000, 5_000]);
        // Plugged in, then pulled out: told anew, and the pause is short again.
        guard.step(now_ms, Heard::Tick);
        assert_eq!(guard.step(now_ms, Heard::Frame), [Order::Tell(SourceEvent::Recovered)]);
        let orders = guard.step(now_ms + 5, Heard::Failed(CameraError::Unplugged));
        assert!(matches!(&orders[..], [Order::Tell(SourceEvent::Missing(_))]));
        assert_eq!(guard.wake_at_ms(), now_ms + 5 + 250);
    }

    #[test]
    fn threads_that_hang_are_bounded() {
        let mut guard = Guard::new(Patience::default());
        let mut opened = 0;
        let mut now_ms = 0;
        for _ in 0..40 {
            opened += guard.step(now_ms, Heard::Tick).iter().filter(|o| **o == Order::Open).count();
            now_ms = guard.wake_at_ms();
        }
        assert_eq!(opened, 3);
        assert_eq!(guard.step(now_ms, Heard::Returned), [Order::Open]);
    }

    proptest! {
        /// Whatever happens: never two cameras open at once, troubles and recoveries alternate, and the next step is
        /// always due.
        #[test]
        fn orders_make_sense(steps in proptest::collection::vec((0u64..3_000, 0u8..5), 1..200)) {
            let patience = Patience::default();
            let mut guard = Guard::new(patience);
            let (mut now_ms, mut open, mut hanging, mut troubled) = (0, false, 0u32, false);
            for (later_ms, what) in steps {
                now_ms += later_ms;
                let heard = match what {
                    1 if open => Heard::Opened,
                    2 if open => Heard::Frame,
                    3 if open => { open = false; Heard::Failed(CameraError::NoDevice) }
                    4 if hanging > 0 => { hanging -= 1; Heard::Returned }
                    _ => Heard::Tick,
                };
                for order in guard.step(now_ms, heard) {
                    match order {
                        Order::Open => { prop_assert!(!open); open = true; }
                        Order::Abandon => { prop_assert!(open); open = false; hanging += 1; }
                        Order::Tell(SourceEvent::Recovered) => { prop_assert!(troubled); troubled = false; }
                        Order::Tell(_) => troubled = true,
                    }
                }
                prop_assert!(hanging <= patience.stuck_max);
                prop_assert!(guard.wake_at_ms() > now_ms);
                prop_assert!(guard.wake_at_ms() <= now_ms + patience.pause_ms_max.max(patience.stall_ms));
            }
        }
    }
}
