//! Times as staff read them: in the event's zone, the day only where it is another one.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// `20:14`.
pub fn clock(at_ms: i64, zone: &TimeZone) -> String {
    format(at_ms, zone, "%H:%M")
}

/// `20:14:05`, or `Sat 14 Nov 20:14:05` where that was not today.
pub fn moment(at_ms: i64, now_ms: i64, zone: &TimeZone) -> String {
    format(at_ms, zone, if same_day(at_ms, now_ms, zone) { "%H:%M:%S" } else { "%a %-d %b %H:%M:%S" })
}

/// `20:14`, or `Sat 14 Nov, 20:14` where that is not today.
pub fn appointment(at_ms: i64, now_ms: i64, zone: &TimeZone) -> String {
    format(at_ms, zone, if same_day(at_ms, now_ms, zone) { "%H:%M" } else { "%a %-d %b, %H:%M" })
}

/// `8 s`, `3 min`, `2 h`, `4 days`: one unit, rounded down.
pub fn span(ms: i64) -> String {
    let s = ms.max(0) / 1000;
    match s {
        0..60 => format!("{s} s"),
        60..3_600 => format!("{} min", s / 60),
        3_600..172_800 => format!("{} h", s / 3_600),
        _ => format!("{} days", s / 86_400),
    }
}

fn same_day(a_ms: i64, b_ms: i64, zone: &TimeZone) -> bool {
    format(a_ms, zone, "%F") == format(b_ms, zone, "%F")
}

fn format(at_ms: i64, zone: &TimeZone, pattern: &str) -> String {
    match Timestamp::from_millisecond(at_ms) {
        Ok(at) => at.to_zoned_datetime(zone.clone()).strftime(pattern).to_string(),
        Err(_) => "at an impossible time".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_794_225_600_000; // 2026-11-09 12:00 UTC

    #[test]
    fn times_are_in_the_events_zone_and_days_are_named_when_they_differ() {
        let zone = TimeZone::get("Asia/Kolkata").unwrap();
        assert_eq!(clock(NOON, &zone), "17:30");
        assert_eq!(moment(NOON, NOON + 1_000, &zone), "17:30:00");
        assert_eq!(moment(NOON, NOON + 7 * 3_600_000, &zone), "Mon 9 Nov 17:30:00", "past midnight there");
        assert_eq!(appointment(NOON + 86_400_000, NOON, &zone), "Tue 10 Nov, 17:30");
        assert_eq!(moment(i64::MAX, NOON, &zone), "at an impossible time");
    }

    #[test]
    fn spans_have_one_unit() {
        assert_eq!(
            [span(-5), span(59_999), span(60_000), span(7_200_000), span(200_000_000)],
            ["0 s", "59 s", "1 min", "2 h", "2 days"]
        );
    }
}
