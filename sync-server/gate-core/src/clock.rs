//! The gate's time: the last signed server time plus elapsed boot time. The system clock is a first guess only.
//!
//! Invariants: time never runs behind the last signed time; a system clock is believed after a reboot only if it agreed
//! with signed time before, and for a day; otherwise the gate says that it is in doubt.

use crate::mutant::{Mutant, planted};

/// What the clock says, and how sure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockReading {
    /// Unix milliseconds.
    pub now_ms: i64,
    /// How far `now_ms` may be off, in milliseconds.
    pub uncertainty_ms: u32,
    /// The gate cannot vouch for the time: a supervisor decides.
    pub in_doubt: bool,
    /// `now_ms` minus what the system clock said.
    pub offset_ms: i64,
}

impl ClockReading {
    pub fn now_s(&self) -> i64 {
        self.now_ms.div_euclid(1000)
    }
}

/// What the device's two clocks say, read together by the shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceTime {
    /// The system's wall clock, unix milliseconds.
    pub system_ms: i64,
    /// Milliseconds since boot, sleep included (CLOCK_BOOTTIME).
    pub boot_ms: i64,
    /// Changes with every boot (`/proc/sys/kernel/random/boot_id`).
    pub boot_id: u128,
}

/// The last signed time, tied to the device's clocks; durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    /// Signed server time, unix milliseconds.
    pub signed_ms: i64,
    /// When it arrived.
    pub at: DeviceTime,
    /// Half of the round trip that brought it, in milliseconds.
    pub uncertainty_ms: u32,
}

/// The time that a supervisor set for want of a signed one, tied to the device's clocks; durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HandSet {
    /// Unix milliseconds.
    pub set_ms: i64,
    /// When it was set.
    pub at: DeviceTime,
}

/// What a time that was set by hand may be off by, in milliseconds: the minute as it begins on somebody's watch.
pub const HAND_UNCERTAINTY_MS: u32 = 10_000;
/// Two clocks that agree this well, in milliseconds, are taken for one.
pub const AGREEMENT_MS: i64 = 2_000;
/// A system clock that agreed is believed after a reboot for this long, in milliseconds.
pub const TRUST_AFTER_REBOOT_MS: i64 = 24 * 3600 * 1000;
/// The drift of a handheld's oscillator that the uncertainty allows for, in parts per million.
pub const DRIFT_PPM: i64 = 50;
/// Above this the gate is in doubt, in milliseconds: half of the freshness that codes have by default.
pub const DOUBT_MS: u32 = 15_000;

/// The gate's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GateClock {
    anchor: Option<Anchor>,
    hand: Option<HandSet>,
}

impl GateClock {
    /// A clock with the anchor that was kept from before, if any.
    pub fn new(anchor: Option<Anchor>) -> Self {
        GateClock { anchor, hand: None }
    }

    /// Goes by a time that a supervisor set: until the next signed time, in this boot. Never one before the last signed
    /// time; whether it was taken. A signed time is later compared with the last signed one alone, so that a time set far
    /// ahead bricks no lane.
    pub fn set_by_hand(&mut self, hand: HandSet) -> bool {
        let sound = self.anchor.is_none_or(|anchor| hand.set_ms >= anchor.signed_ms);
        if sound {
            self.hand = Some(hand);
        }
        sound
    }

    /// What this boot's time is counted from, where a supervisor set it.
    fn by_hand(&self, at: DeviceTime) -> Option<Anchor> {
        let hand = self.hand.filter(|hand| hand.at.boot_id == at.boot_id && at.boot_ms >= hand.at.boot_ms)?;
        Some(Anchor { signed_ms: hand.set_ms, at: hand.at, uncertainty_ms: HAND_UNCERTAINTY_MS })
    }

    pub fn anchor(&self) -> Option<Anchor> {
        self.anchor
    }

    /// Takes a signed time in. `sent` and `received` are the device's time around the request. Returns whether it was
    /// taken: one from before the last signed time is a replay, and one with a worse round trip than the drift since the
    /// last would make the clock less sure.
    pub fn take_signed(&mut self, signed_ms: i64, sent: DeviceTime, received: DeviceTime) -> bool {
        if sent.boot_id != received.boot_id || received.boot_ms < sent.boot_ms {
            return false;
        }
        let uncertainty_ms = u32::try_from((received.boot_ms - sent.boot_ms) / 2).unwrap_or(u32::MAX);
        let uncertainty_ms = if planted(Mutant::RoundTripIgnored) { 0 } else { uncertainty_ms };
        if let Some(anchor) = self.anchor
            && (signed_ms < anchor.signed_ms
                || (anchor.at.boot_id == received.boot_id && self.read(received).uncertainty_ms < uncertainty_ms))
        {
            return false;
        }
        // The server spoke somewhere between the two; the middle is off by at most half the round trip.
        let signed_ms = signed_ms + i64::from(uncertainty_ms);
        self.anchor = Some(Anchor { signed_ms, at: received, uncertainty_ms });
        self.hand = None;
        true
    }

    pub fn read(&self, at: DeviceTime) -> ClockReading {
        let Some(anchor) = self.by_hand(at).or(self.anchor).filter(|_| !planted(Mutant::SystemClockBelieved)) else {
            let in_doubt = !planted(Mutant::SystemClockBelieved);
            return ClockReading {
                now_ms: at.system_ms,
                uncertainty_ms: if in_doubt { u32::MAX } else { 0 },
                in_doubt,
                offset_ms: 0,
            };
        };
        let (now_ms, uncertainty) = if anchor.at.boot_id == at.boot_id && at.boot_ms >= anchor.at.boot_ms {
            let elapsed = at.boot_ms - anchor.at.boot_ms;
            (anchor.signed_ms + elapsed, i64::from(anchor.uncertainty_ms) + elapsed * DRIFT_PPM / 1_000_000)
        } else {
            let lead = anchor.signed_ms - anchor.at.system_ms;
            let guess = at.system_ms + lead;
            let agreed = lead.abs() <= AGREEMENT_MS
                && (anchor.signed_ms..anchor.signed_ms + TRUST_AFTER_REBOOT_MS).contains(&guess);
            let uncertainty = if agreed {
                AGREEMENT_MS + (guess - anchor.signed_ms) * DRIFT_PPM / 1_000_000
            } else {
                i64::from(u32::MAX)
            };
            (guess.max(anchor.signed_ms), uncertainty)
        };
        let uncertainty_ms = u32::try_from(uncertainty).unwrap_or(u32::MAX);
        ClockReading { now_ms, uncertainty_ms, in_doubt: uncertainty_ms > DOUBT_MS, offset_ms: now_ms - at.system_ms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(system_ms: i64, boot_ms: i64, boot_id: u128) -> DeviceTime {
        DeviceTime { system_ms, boot_ms, boot_id }
    }

    const T: i64 = 1_800_000_000_000;

    #[test]
    fn without_signed_time_the_system_clock_is_a_guess() {
        let reading = GateClock::default().read(time(T, 0, 1));
        assert_eq!((reading.now_ms, reading.in_doubt), (T, true));
    }

    #[test]
    fn a_jump_of_the_system_clock_changes_nothing() {
        let mut clock = GateClock::default();
        assert!(clock.take_signed(T, time(5, 1_000, 1), time(25, 1_020, 1)));
        let reading = clock.read(time(T * 3, 61_020, 1));
        assert_eq!((reading.now_ms, reading.in_doubt), (T + 10 + 60_000, false));
        assert_eq!(reading.uncertainty_ms, 10 + 3);
    }

    #[test]
    fn a_replayed_or_worse_time_is_not_taken() {
        let mut clock = GateClock::default();
        assert!(clock.take_signed(T, time(T, 1_000, 1), time(T, 1_000, 1)));
        assert!(!clock.take_signed(T - 1, time(T, 2_000, 1), time(T, 2_000, 1)), "an older time is a replay");
        assert!(!clock.take_signed(T + 9_000, time(T, 2_000, 1), time(T, 12_000, 1)), "ten seconds of round trip");
        assert!(!clock.take_signed(T + 9_000, time(T, 2_000, 1), time(T, 2_000, 2)), "a reboot in between");
    }

    #[test]
    fn after_a_reboot_only_a_proven_system_clock_counts() {
        let mut proven = GateClock::default();
        assert!(proven.take_signed(T, time(T + 500, 1_000, 1), time(T + 500, 1_000, 1)));
        let reading = proven.read(time(T + 3_600_500, 10, 2));
        assert_eq!((reading.now_ms, reading.in_doubt), (T + 3_600_000, false));
        assert!(proven.read(time(T + TRUST_AFTER_REBOOT_MS + 501, 10, 2)).in_doubt, "a day later");
        let back = proven.read(time(T - 86_400_000, 10, 2));
        assert_eq!((back.now_ms, back.in_doubt), (T, true), "never behind the last signed time");

        let mut wrong = GateClock::default();
        assert!(wrong.take_signed(T, time(T - 60_000, 1_000, 1), time(T - 60_000, 1_000, 1)));
        assert!(wrong.read(time(T, 10, 2)).in_doubt, "its system clock was a minute off");
    }

    #[test]
    fn drift_ends_in_doubt() {
        let mut clock = GateClock::default();
        assert!(clock.take_signed(T, time(T, 0, 1), time(T, 0, 1)));
        assert!(!clock.read(time(T, 3 * 86_400_000, 1)).in_doubt);
        assert!(clock.read(time(T, 4 * 86_400_000, 1)).in_doubt);
    }

    #[test]
    fn a_time_set_by_hand_holds_in_its_boot_until_a_signed_one_comes() {
        let mut clock = GateClock::new(None);
        assert!(clock.take_signed(T, time(T, 1_000, 1), time(T, 1_000, 1)));
        let rebooted = time(T - 9_000_000, 50, 2);
        assert!(clock.read(rebooted).in_doubt);
        assert!(!clock.set_by_hand(HandSet { set_ms: T - 1, at: rebooted }), "never before the last signed time");
        assert!(clock.set_by_hand(HandSet { set_ms: T + 500_000, at: rebooted }));
        let reading = clock.read(time(T - 9_000_000, 1_050, 2));
        let expected = (T + 501_000, HAND_UNCERTAINTY_MS, false);
        assert_eq!((reading.now_ms, reading.uncertainty_ms, reading.in_doubt), expected);
        assert!(clock.read(time(T - 9_000_000, 10, 3)).in_doubt, "another boot knows nothing of it");
        assert!(clock.take_signed(T + 60_000, time(T, 2_000, 2), time(T, 2_100, 2)), "though the hand was ahead of it");
        assert_eq!(clock.read(time(T, 2_100, 2)).now_ms, T + 60_050);
    }
}
