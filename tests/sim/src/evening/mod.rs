//! A planned evening, measured: the guests of `sync-server plan` come to lanes at which the product's own handhelds stand, and
//! how long they wait is compared with what the plan has told. No code is shared with the planner.

mod guests;
mod lanes;
mod plan;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

pub use lanes::Evening;
pub use plan::{Expected, PlanError, Told, told};

use crate::chance::Chance;

/// A plan's figure holds where it is within this share of what is measured, or within so many seconds.
const SHARE: f64 = 0.15;
const SECONDS: f64 = 20.0;

/// An entrance's waits: as the plan tells them, and as measured over all evenings.
#[derive(Debug, Clone)]
pub struct Compared {
    pub entrance: String,
    pub guests: u64,
    pub p50_s: (Option<f64>, f64),
    pub p95_s: (Option<f64>, f64),
    pub holds: bool,
}

/// Plays so many evenings of consecutive seeds on so many threads, all their waits together.
pub fn measure(expected: &Expected, first_seed: u64, evenings: u64, threads: usize) -> Evening {
    let next = AtomicU64::new(first_seed);
    let all: Mutex<Vec<Evening>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first_seed.saturating_add(evenings) {
                        return;
                    }
                    let mut chance = Chance::new(seed);
                    let guests = guests::evening(expected, &mut chance);
                    let evening = lanes::play(expected, &guests, chance);
                    all.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(evening);
                }
            });
        }
    });
    let mut sum = Evening::default();
    for one in all.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        for (entrance, waits_ms) in one.waits_ms {
            sum.waits_ms.entry(entrance).or_default().extend(waits_ms);
        }
        sum.admitted += one.admitted;
        sum.outside += one.outside;
        sum.shown_again += one.shown_again;
    }
    sum
}

/// Compares what was measured with what the plan told.
pub fn compare(expected: &Expected, told: &BTreeMap<u32, Told>, measured: &Evening) -> Vec<Compared> {
    let entrance = |(id, name): &(u32, String)| {
        let mut waits_ms = measured.waits_ms.get(id).cloned().unwrap_or_default();
        waits_ms.sort_unstable();
        let share = |percent: usize| {
            let rank = (waits_ms.len() * percent).div_ceil(100).max(1);
            waits_ms.get(rank - 1).map_or(0.0, |ms| *ms as f64 / 1000.0)
        };
        let planned = told.get(id).copied().unwrap_or(Told { p50_s: None, p95_s: None });
        let (p50_s, p95_s) = ((planned.p50_s, share(50)), (planned.p95_s, share(95)));
        Compared {
            entrance: name.clone(),
            guests: waits_ms.len() as u64,
            p50_s,
            p95_s,
            holds: near(p50_s) && near(p95_s),
        }
    };
    expected.entrances.iter().map(entrance).collect()
}

fn near((planned, measured): (Option<f64>, f64)) -> bool {
    planned.is_some_and(|planned| (planned - measured).abs() <= (SHARE * measured).max(SECONDS))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: &str = r#"{
        "classes": [{ "class": 1, "name": "All", "guests": 60, "arrivals": { "density": [[0, 1], [2, 1]] } }],
        "entrances": [{ "entrance_id": 1, "name": "North" }],
        "lanes": [
            { "lane_id": 11, "name": "N1", "entrance_id": 1 },
            { "lane_id": 12, "name": "N2", "entrance_id": 1, "open_from_min": 1 }
        ],
        "service": { "measured": { "gaps_s": [6] } }
    }"#;

    #[test]
    fn every_guest_is_let_in_once_by_a_real_engine() {
        let expected = Expected::read(PLAN).expect("a plan");
        let evening = measure(&expected, 1, 2, 1);
        assert_eq!((evening.admitted, evening.outside, evening.shown_again), (120, 0, 0));
        let waits_ms = &evening.waits_ms[&1];
        // One lane takes 10 guests a minute, two take 20, and 30 a minute come: the last of 60 waits 1.5 minutes or so.
        let longest_s = waits_ms.iter().max().map_or(0, |ms| ms / 1000);
        assert!(waits_ms.len() == 120 && (75..140).contains(&longest_s), "{longest_s}");
    }

    #[test]
    fn one_queue_for_all_lanes_is_played_too() {
        let mut expected = Expected::read(PLAN).expect("a plan");
        expected.shared_queue = true;
        assert_eq!(measure(&expected, 1, 1, 1).admitted, 60);
        expected.lanes.iter_mut().for_each(|lane| lane.close_ms = 90_000);
        let closed = measure(&expected, 1, 1, 1);
        assert!(closed.admitted + closed.outside == 60 && closed.outside > 20, "{closed:?}");
    }

    #[test]
    fn a_plan_that_is_far_off_does_not_hold() {
        assert!(near((Some(100.0), 81.0)) && !near((Some(100.0), 79.0)));
        assert!(near((Some(460.0), 400.0)) && !near((Some(461.0), 400.0)) && !near((None, 0.0)));
    }
}
