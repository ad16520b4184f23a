//! When this handheld's word about itself is to be told anew before its time. Pure.

use gate_core::wire::v1::DeviceStatus;

/// Below these percentages somebody has to do something: bring power, and at the last take another handheld.
const LOW_PERCENT: [u8; 2] = [20, 10];
/// A lane that has not heard the feed for so long is cut off, in milliseconds; as `core::engine` counts it.
pub const CUT_OFF_MS: i64 = 20_000;

/// For how many seconds the feed was not heard, where that makes the lane cut off. Both of a steady clock.
pub fn cut_off_s(heard_ms: i64, now_ms: i64) -> Option<u64> {
    let silent_ms = now_ms - heard_ms;
    (silent_ms >= CUT_OFF_MS).then_some(silent_ms.unsigned_abs() / 1_000)
}

/// Whether the page should hear at once: another list or policy is in use, the clock came into doubt or out of it, power
/// came, went, or runs low, or the lane was cut off or hears again.
pub fn is_news(told: &DeviceStatus, now: &DeviceStatus) -> bool {
    let list = |status: &DeviceStatus| status.list.map(|list| list.version);
    let power = |status: &DeviceStatus| {
        status.battery.map(|battery| (battery.charging, LOW_PERCENT.map(|low| battery.percent <= low)))
    };
    list(told) != list(now)
        || told.policy_version != now.policy_version
        || told.clock.in_doubt != now.clock.in_doubt
        || told.cut_off_s.is_some() != now.cut_off_s.is_some()
        || power(told) != power(now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gate_core::wire::v1::{Battery, ClockState, ListInUse};

    #[test]
    fn what_somebody_acts_on_is_news_and_the_rest_waits_its_turn() {
        let battery = |percent, charging| Some(Battery { percent, charging });
        let list = |version, issued_at_ms| Some(ListInUse { version, issued_at_ms, expires_at_ms: 9 });
        let doubt = |in_doubt| ClockState { in_doubt, offset_ms: 0, uncertainty_ms: 0 };
        let told = DeviceStatus {
            battery: battery(50, false),
            list: list(4, 1),
            policy_version: 2,
            ..DeviceStatus::default()
        };
        let news = |change: &dyn Fn(&mut DeviceStatus)| {
            let mut now = told.clone();
            change(&mut now);
            is_news(&told, &now)
        };
        assert!(news(&|now| now.list = list(5, 1)));
        assert!(news(&|now| now.policy_version = 3));
        assert!(news(&|now| now.clock = doubt(true)));
        assert!(news(&|now| now.cut_off_s = Some(25)));
        assert!(news(&|now| now.battery = battery(50, true)));
        assert!(news(&|now| now.battery = battery(20, false)));
        assert!(news(&|now| now.battery = None));
        assert!(!news(&|_| {}));
        assert!(!news(&|now| now.battery = battery(21, false)));
        assert!(!news(&|now| now.waiting_rows = 40));
        assert!(!news(&|now| now.list = list(4, 2)), "a renewal changes no ticket");
        let low = DeviceStatus { battery: battery(11, false), ..told.clone() };
        assert!(is_news(&low, &DeviceStatus { battery: battery(10, false), ..told.clone() }));
        assert!(!is_news(&low, &DeviceStatus { battery: battery(12, false), ..told }));
    }

    #[test]
    fn a_lane_is_cut_off_once_the_feed_is_silent_for_twenty_seconds() {
        assert_eq!(
            (cut_off_s(1_000, 20_999), cut_off_s(1_000, 21_000), cut_off_s(1_000, 61_500)),
            (None, Some(20), Some(60))
        );
    }
}
