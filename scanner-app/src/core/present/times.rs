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

/// The day that many days from today: `Sat 14 Nov`.
pub fn day(now_ms: i64, days: i32, zone: &TimeZone) -> String {
    format(now_ms.saturating_add(i64::from(days) * 86_400_000), zone, "%a %-d %b")
}

/// The moment at which clocks there show `digits` (`2014` for 20:14), that many days from today.
pub fn at_clock(now_ms: i64, days: i32, digits: &str, zone: &TimeZone) -> Option<i64> {
    if digits.len() != 4 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let (hour, minute) = (digits[..2].parse().ok()?, digits[2..].parse().ok()?);
    let today = Timestamp::from_millisecond(now_ms).ok()?.to_zoned_datetime(zone.clone()).date();
    let day = today.checked_add(jiff::Span::new().days(i64::from(days))).ok()?;
    let time = jiff::civil::Time::new(hour, minute, 0, 0).ok()?;
    Some(day.to_datetime(time).to_zoned_datetime(zone.clone()).ok()?.timestamp().as_millisecond())
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
    fn a_time_that_was_typed_is_in_the_events_zone() {
        let zone = TimeZone::get("Asia/Kolkata").unwrap();
        assert_eq!(at_clock(NOON, 0, "1731", &zone), Some(NOON + 60_000));
        assert_eq!(at_clock(NOON, -1, "1730", &zone), Some(NOON - 86_400_000));
        assert_eq!(day(NOON, 1, &zone), "Tue 10 Nov");
        for wrong in ["", "173", "2460", "1260", "12:3", "99999"] {
            assert_eq!(at_clock(NOON, 0, wrong, &zone), None, "{wrong}");
        }
    }

    #[test]
    fn spans_have_one_unit() {
        assert_eq!(
            [span(-5), span(59_999), span(60_000), span(7_200_000), span(200_000_000)],
            ["0 s", "59 s", "1 min", "2 h", "2 days"]
        );
    }
}
