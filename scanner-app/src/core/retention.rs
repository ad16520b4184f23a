//! Which journal rows a handheld may forget: those that the cloud has signed for, once the policy's time is over.
//!
//! Invariants: nothing is forgotten without its receipt, while its event runs, or while the clock is in doubt; the chain's
//! head stays for ever, so that the chain goes on; rows go in their order, so that what is left is a chain without gaps.

use gate_core::ClockReading;
use gate_core::row::RowBody;

use super::station::Station;

/// What a handheld keeps its rows by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    event: u32,
    ends_at_ms: i64,
    keep_ms: i64,
    /// The earliest that it can be now, unix milliseconds.
    now_ms: i64,
}

impl Retention {
    /// `None` where nothing may be forgotten: without a policy, or while the clock is in doubt.
    pub fn of(station: &Station, now: ClockReading) -> Option<Retention> {
        let policy = station.policy.as_ref().filter(|_| !now.in_doubt)?;
        Some(Retention {
            event: station.event.id,
            ends_at_ms: station.event.ends_at_ms,
            keep_ms: i64::from(policy.keep_rows_s) * 1000,
            now_ms: now.now_ms - i64::from(now.uncertainty_ms),
        })
    }

    /// Whether a row's time is over. It counts from the event's end, and from the row itself where that is later.
    pub fn is_over(&self, row: &RowBody) -> bool {
        let from_ms = if row.event.0 == self.event { row.at_ms.max(self.ends_at_ms) } else { row.at_ms };
        from_ms.saturating_add(self.keep_ms) <= self.now_ms
    }

    /// Whether what other lanes did at this event is over.
    pub fn event_is_over(&self) -> bool {
        self.ends_at_ms.saturating_add(self.keep_ms) <= self.now_ms
    }
}

#[cfg(test)]
mod tests {
    use gate_core::chain::ChainHead;
    use ticket_signer::{EventId, TrustStore};

    use super::*;
    use crate::testkit::{DEVICE, EVENT, LANE, NOW_MS, Organiser};

    #[test]
    fn a_row_goes_when_receipts_policy_and_clock_allow_it() {
        let organiser = Organiser::default();
        let key = ticket_signer::SecretKey::from_bytes(&[9; 32]);
        let policy = gate_core::Policy { keep_rows_s: 60, ..organiser.policy(1) };
        let mut station = Station {
            device: DEVICE,
            server: String::new(),
            trust: TrustStore::new(organiser.root.public(), "Harbour"),
            event: organiser.bundle(DEVICE, &key, None, NOW_MS).event,
            lane: LANE,
            lease_until_ms: 0,
            minimum_list_version: 0,
            staff: None,
            policy: Some(policy),
        };
        let ends = station.event.ends_at_ms;
        let row = |event: u32, at_ms: i64| RowBody {
            at_ms,
            ..RowBody::after(ChainHead::start(1), DEVICE, EventId(event), LANE)
        };
        let at = |now_ms: i64, uncertainty_ms: u32, in_doubt: bool| {
            Retention::of(&station, ClockReading { now_ms, uncertainty_ms, in_doubt, offset_ms: 0 })
        };
        let over = |retention: Option<Retention>, row: &RowBody| retention.is_some_and(|at| at.is_over(row));
        let early = row(EVENT.0, NOW_MS);
        assert!(!over(at(ends + 59_999, 0, false), &early), "a minute after the event's end, not after the row");
        assert!(over(at(ends + 60_000, 0, false), &early));
        assert!(!over(at(ends + 60_000, 10, false), &early), "by the clock at its worst");
        assert!(!over(at(ends + 90_000_000, 0, true), &early), "not by a clock in doubt");
        assert!(!over(at(ends + 60_000, 0, false), &row(EVENT.0, ends + 1)), "a row after the end has its own time");
        assert!(over(at(NOW_MS + 60_000, 0, false), &row(EVENT.0 + 1, NOW_MS)), "another event is not served here");
        assert!(at(ends + 60_000, 0, false).unwrap().event_is_over() && !at(ends, 0, false).unwrap().event_is_over());
        station.policy = None;
        assert!(
            Retention::of(
                &station,
                ClockReading { now_ms: i64::MAX, uncertainty_ms: 0, in_doubt: false, offset_ms: 0 }
            )
            .is_none()
        );
    }
}
