//! The gate's time: the last signed server time plus elapsed boot time. The system clock is a first guess only.
//!
//! Invariants: time never runs behind the last signed time; a system clock is believed after a reboot only if it agreed
//! with signed time before, and for a day; otherwise the gate says that it is in doubt. The crowd of guests' phones corrects
//! a clock that does not count on from signed time, within its clamp ([`crate::crowd`]); signed time ends its word.

use crate::crowd::{self, Crowd, CrowdSays, Vote};
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
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GateClock {
    anchor: Option<Anchor>,
    /// Votes of this boot.
    crowd: Crowd,
    hand: Option<HandSet>,
}

impl GateClock {
    /// A clock with the anchor that was kept from before, if any.
    pub fn new(anchor: Option<Anchor>) -> Self {
        GateClock { anchor, crowd: Crowd::default(), hand: None }
    }

    /// Goes by a time that a supervisor set: until the next signed time, in this boot. Never one before the last signed
    /// time; whether it was taken. A signed time is later compared with the last signed one alone, so that a time set far
    /// ahead bricks no lane.
    pub fn set_by_hand(&mut self, hand: HandSet) -> bool {
        let sound = self.anchor.is_none_or(|anchor| hand.set_ms >= anchor.signed_ms);
        if sound {
            self.hand = Some(hand);
            self.crowd.clear();
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
        self.crowd.clear();
        self.hand = None;
        true
    }

    /// Counts what a guest's code says of the time. Returns whether the clock is another for it.
    pub fn hear(&mut self, vote: Vote, at: DeviceTime) -> bool {
        let before = self.read(at);
        self.crowd.hear(vote, at.boot_ms);
        self.read(at) != before
    }

    /// What the crowd says of this clock, where it agrees on something.
    pub fn crowd(&self, at: DeviceTime) -> Option<CrowdSays> {
        let says_ms = self.crowd.says_ms(at.boot_ms)?;
        let (own, reading) = (self.own(at), self.read(at));
        let signed = self.counts_on(at) && !own.in_doubt;
        Some(CrowdSays { moved_ms: reading.now_ms - own.now_ms, left_ms: says_ms - reading.now_ms, signed })
    }

    pub fn read(&self, at: DeviceTime) -> ClockReading {
        let own = self.own(at);
        self.corrected(own, at).unwrap_or(own)
    }

    /// The clock as the crowd corrects it; `None` where it is not asked, or has nothing to correct.
    fn corrected(&self, own: ClockReading, at: DeviceTime) -> Option<ClockReading> {
        let anchor = self.anchor?;
        // The boot clock does not go wrong by what phones go wrong by, and a supervisor's word is above theirs.
        if (self.counts_on(at) || self.by_hand(at).is_some()) && !own.in_doubt {
            return None;
        }
        let now_ms = self.crowd.says_ms(at.boot_ms)?;
        let correction_ms = now_ms - own.now_ms;
        if !own.in_doubt && correction_ms.abs() < crowd::CORRECTION_MIN_MS {
            return None;
        }
        let too_far = correction_ms.abs() > crowd::CORRECTION_MAX_MS && !planted(Mutant::ClampIgnored);
        if too_far || now_ms < anchor.signed_ms {
            return Some(ClockReading { in_doubt: true, ..own });
        }
        let uncertainty_ms = crowd::UNCERTAINTY_MS;
        Some(ClockReading { now_ms, uncertainty_ms, in_doubt: false, offset_ms: now_ms - at.system_ms })
    }

    /// Boot time has counted on since the last signed time.
    fn counts_on(&self, at: DeviceTime) -> bool {
        self.anchor.is_some_and(|anchor| anchor.at.boot_id == at.boot_id && at.boot_ms >= anchor.at.boot_ms)
    }

    /// The clock by the device's own word.
    fn own(&self, at: DeviceTime) -> ClockReading {
        let by_hand = self.by_hand(at);
        let Some(anchor) = by_hand.or(self.anchor).filter(|_| !planted(Mutant::SystemClockBelieved)) else {
            let in_doubt = !planted(Mutant::SystemClockBelieved);
            return ClockReading {
                now_ms: at.system_ms,
                uncertainty_ms: if in_doubt { u32::MAX } else { 0 },
                in_doubt,
                offset_ms: 0,
            };
        };
        let (now_ms, uncertainty) = if by_hand.is_some() || self.counts_on(at) {
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
            // This boot began after the signed time, so that much has passed at the least; a clock that stands still could
            // not be corrected by anybody.
            (guess.max(anchor.signed_ms + at.boot_ms.max(0)), uncertainty)
        };
        let uncertainty_ms = u32::try_from(uncertainty).unwrap_or(u32::MAX);
        ClockReading { now_ms, uncertainty_ms, in_doubt: uncertainty_ms > DOUBT_MS, offset_ms: now_ms - at.system_ms }
    }
}

#[cfg(test)]
mod tests {
    use ticket_signer::{TicketId, TimeStep};

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
        assert_eq!((back.now_ms, back.in_doubt), (T + 10, true), "never behind the last signed time");

        let mut wrong = GateClock::default();
        assert!(wrong.take_signed(T, time(T - 60_000, 1_000, 1), time(T - 60_000, 1_000, 1)));
        assert!(wrong.read(time(T, 10, 2)).in_doubt, "its system clock was a minute off");
    }

    /// So many guests, whose phones say that it is `now_ms`.
    fn hear(clock: &mut GateClock, guests: std::ops::Range<u64>, now_ms: i64, at: DeviceTime) {
        for ticket in guests {
            let shown = TimeStep::at(now_ms / 1000);
            clock.hear(Vote { ticket: TicketId(ticket), shown }, at);
        }
    }

    /// The middle of the step that `now_ms` is in: what a crowd says.
    fn middle(now_ms: i64) -> i64 {
        now_ms / 15_000 * 15_000 + 7_500
    }

    #[test]
    fn a_crowd_puts_a_rebooted_clock_right_within_its_clamp() {
        // Signed at T; a battery swap of four minutes later the system clock says 1970.
        let mut clock = GateClock::default();
        assert!(clock.take_signed(T, time(T + 500, 1_000, 1), time(T + 500, 1_000, 1)));
        let at = |boot_ms: i64| time(0, boot_ms, 2);
        assert_eq!((clock.read(at(20_000)).now_ms, clock.read(at(20_000)).in_doubt), (T + 20_000, true), "it runs");
        let truth = T + 240_000;
        hear(&mut clock, 0..8, truth, at(20_000));
        assert!(clock.read(at(20_000)).in_doubt, "eight are no crowd");
        hear(&mut clock, 8..9, truth, at(20_000));
        let reading = clock.read(at(20_000));
        assert_eq!((reading.now_ms, reading.in_doubt), (middle(truth), false));
        assert_eq!((reading.uncertainty_ms, reading.offset_ms), (crowd::UNCERTAINTY_MS, middle(truth)));
        let later = clock.read(time(T * 2, 80_000, 2));
        assert!(later.in_doubt, "the system clock was set to some other day, so its word is another");
        let says = clock.crowd(at(20_000)).unwrap();
        assert_eq!((says.moved_ms, says.left_ms, says.signed), (middle(truth) - T - 20_000, 0, false));

        assert!(clock.take_signed(truth, at(30_000), at(30_000)), "signed time comes");
        assert_eq!((clock.read(at(30_000)).now_ms, clock.crowd(at(30_000))), (truth, None));

        let mut behind = GateClock::new(clock.anchor());
        hear(&mut behind, 0..20, truth - 60_000, time(0, 10_000, 3));
        assert!(behind.read(time(0, 10_000, 3)).in_doubt, "never behind the last signed time");
        let mut far = GateClock::new(clock.anchor());
        let before = far.read(time(0, 10_000, 3)).now_ms;
        hear(&mut far, 0..20, truth + crowd::CORRECTION_MAX_MS + 60_000, time(0, 10_000, 3));
        let reading = far.read(time(0, 10_000, 3));
        assert_eq!((reading.now_ms, reading.in_doubt), (before, true), "further than the clamp moves nothing");
        assert!(!far.hear(Vote { ticket: TicketId(99), shown: TimeStep(0) }, time(0, 10_000, 3)));
    }

    #[test]
    fn a_system_clock_that_was_believed_is_corrected_and_one_that_is_right_is_left_alone() {
        let mut clock = GateClock::default();
        assert!(clock.take_signed(T, time(T, 1_000, 1), time(T, 1_000, 1)));
        let rebooted = time(T + 600_000, 20_000, 2);
        hear(&mut clock, 0..9, T + 605_000, rebooted);
        let reading = clock.read(rebooted);
        assert_eq!((reading.now_ms, reading.uncertainty_ms), (T + 600_000, 2_030), "as coarse as the steps");
        // Somebody set it four minutes ahead.
        let set = time(T + 840_000, 20_000, 2);
        let reading = clock.read(set);
        assert_eq!((reading.now_ms, reading.in_doubt), (middle(T + 605_000), false));
        assert_eq!(reading.offset_ms, middle(T + 605_000) - T - 840_000);
    }

    #[test]
    fn a_clock_that_counts_on_from_signed_time_heeds_no_crowd() {
        let mut clock = GateClock::default();
        assert!(clock.take_signed(T, time(T, 1_000, 1), time(T, 1_000, 1)));
        let at = time(T, 61_000, 1);
        hear(&mut clock, 0..31, T + 360_000, at);
        let reading = clock.read(at);
        assert_eq!(
            (reading.now_ms, reading.in_doubt),
            (T + 60_000, false),
            "all phones of a network may be wrong at once"
        );
        let says = clock.crowd(at).unwrap();
        assert_eq!((says.moved_ms, says.left_ms, says.signed), (0, middle(T + 360_000) - T - 60_000, true));
        // Four days later drift has made it unsure, and it takes help.
        let at = time(T, 4 * 86_400_000, 1);
        hear(&mut clock, 0..31, T + 4 * 86_400_000 + 60_000, at);
        let reading = clock.read(at);
        assert_eq!((reading.now_ms, reading.in_doubt), (middle(T + 4 * 86_400_000 + 60_000), false));
    }

    #[test]
    fn without_signed_time_no_crowd_is_believed() {
        let mut clock = GateClock::default();
        hear(&mut clock, 0..31, T, time(T, 0, 1));
        assert_eq!((clock.read(time(T - 9, 0, 1)).now_ms, clock.read(time(T, 0, 1)).in_doubt), (T - 9, true));
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
