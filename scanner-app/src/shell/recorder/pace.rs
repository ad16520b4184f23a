//! Which unread frames are worth keeping: those in which something looks like a code, and now and then another.
//!
//! A camera sees an empty gate most of the time, and thirty times a second; a ring of that would hold nothing of the guest
//! whose code did not read. But a code may be unread because nothing of it can be told, so others are kept as well, more
//! rarely. Pure: time is the frames' own.

/// The least time between two frames that are kept, in milliseconds.
const LIKELY_EVERY_MS: i64 = 200;
const OTHER_EVERY_MS: i64 = 2_000;
/// Says of one frame after another whether to keep it.
#[derive(Debug, Default)]
pub struct Pace {
    likely_ms: Option<i64>,
    other_ms: Option<i64>,
}

impl Pace {
    pub fn is_due(&mut self, taken_ms: i64, likely: bool) -> bool {
        let (last, every_ms) = match likely {
            true => (&mut self.likely_ms, LIKELY_EVERY_MS),
            false => (&mut self.other_ms, OTHER_EVERY_MS),
        };
        // Either way: a clock that was set back must not end the recording.
        let due = last.is_none_or(|last| taken_ms.saturating_sub(last).saturating_abs() >= every_ms);
        if due {
            *last = Some(taken_ms);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn likely_frames_are_kept_more_often_and_a_clock_set_back_stops_nothing() {
        let mut pace = Pace::default();
        let kept = |pace: &mut Pace, times: &[i64], likely: bool| {
            times.iter().filter(|taken_ms| pace.is_due(**taken_ms, likely)).count()
        };
        let second: Vec<i64> = (0..30).map(|frame| 1_000_000 + frame * 33).collect();
        assert_eq!(kept(&mut pace, &second, true), 5);
        assert_eq!(kept(&mut pace, &second, false), 1);
        assert_eq!(kept(&mut pace, &[i64::MIN, i64::MAX, 5], true), 3);
    }
}
