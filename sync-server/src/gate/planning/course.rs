//! The course of an evening by minutes, at each entrance and each lane, from what happened to the guests of all
//! evenings.

use super::model::{Plan, minute_of, number};
use super::report::{EntranceTimeline, LaneTimeline, Minute, Waits};
use super::stage::Visit;
use super::tally::seconds;

/// The first minute that a plan can name.
const FIRST_MINUTE: i64 = -720;
/// A course is told for two days; what comes later is in the totals alone.
const MOST_MINUTES: usize = 2_880;

/// The place of a moment's minute in a course.
fn minute_index(at_ms: i64) -> usize {
    usize::try_from(minute_of(at_ms) - FIRST_MINUTE).unwrap_or(0)
}

/// A wait, with where and in which minute the guest came: sorting these groups them, and orders each group.
fn packed(unit: usize, minute: usize, wait_ms: u32) -> u64 {
    (unit as u64) << 48 | (minute as u64) << 32 | u64::from(wait_ms)
}

/// From a sorted list, the part of one entrance or lane.
fn of_unit(waits: &[u64], unit: usize) -> &[u64] {
    let from = waits.partition_point(|&wait| wait < packed(unit, 0, 0));
    let until = waits.partition_point(|&wait| wait < packed(unit + 1, 0, 0));
    &waits[from..until]
}

/// One entrance's or lane's minutes, summed over evenings.
#[derive(Debug, Clone, Default)]
struct Course {
    arrived: Vec<u32>,
    admitted: Vec<u32>,
    waiting: Vec<u64>,
    waiting_worst: Vec<u32>,
}

impl Course {
    /// Adds one evening's visits. The evening is over after `minutes`, which never shrinks.
    fn add<'a>(&mut self, minutes: usize, visits: impl Iterator<Item = &'a Visit>) {
        self.arrived.resize(minutes, 0);
        self.admitted.resize(minutes, 0);
        // Who still waited when shorter evenings ended waits on.
        self.waiting.resize(minutes, self.waiting.last().copied().unwrap_or(0));
        self.waiting_worst.resize(minutes, self.waiting_worst.last().copied().unwrap_or(0));
        let (mut came, mut begun) = (vec![0_u32; minutes], vec![0_u32; minutes]);
        let count = |counts: &mut [u32], at_ms: i64| {
            if let Some(count) = counts.get_mut(minute_index(at_ms)) {
                *count += 1;
            }
        };
        for visit in visits {
            count(&mut came, visit.at_ms);
            if let Some((_, start_ms, end_ms)) = visit.passage {
                count(&mut begun, start_ms);
                count(&mut self.admitted, end_ms);
            }
        }
        let mut waiting = 0_u32;
        for (minute, (came, begun)) in came.into_iter().zip(begun).enumerate() {
            waiting = (waiting + came).saturating_sub(begun);
            self.arrived[minute] += came;
            self.waiting[minute] += u64::from(waiting);
            self.waiting_worst[minute] = self.waiting_worst[minute].max(waiting);
        }
    }

    /// `waits` are this course's, packed and sorted.
    fn minutes(&self, first: usize, mut waits: &[u64], evenings: u32) -> Vec<Minute> {
        let mean = |count: u64| number(count) / f64::from(evenings.max(1));
        let told = (first..self.arrived.len()).map(|at| {
            let here = waits.partition_point(|wait| (wait >> 32 & 0xFFFF) <= at as u64);
            let (came, later) = waits.split_at(here);
            waits = later;
            let ranked = |percent: usize| {
                let wait = came.get((came.len() * percent).div_ceil(100).saturating_sub(1))?;
                Some(seconds(u32::try_from(wait & u64::from(u32::MAX)).unwrap_or(u32::MAX)))
            };
            let ranks = ranked(50).zip(ranked(95)).zip(ranked(100));
            Minute {
                minute: FIRST_MINUTE + i64::try_from(at).unwrap_or(0),
                arrived: mean(u64::from(self.arrived[at])),
                admitted: mean(u64::from(self.admitted[at])),
                waiting: mean(self.waiting[at]),
                waiting_worst: self.waiting_worst[at],
                waits: ranks.map(|((p50_s, p95_s), max_s)| Waits { p50_s, p95_s, max_s }),
            }
        });
        told.collect()
    }
}

/// Collects evenings.
#[derive(Debug)]
pub(super) struct Courses<'a> {
    plan: &'a Plan,
    evenings: u32,
    minutes: usize,
    entrances: Vec<Course>,
    lanes: Vec<Course>,
    /// Packed by entrance, and by lane.
    entrance_waits: Vec<u64>,
    lane_waits: Vec<u64>,
}

impl<'a> Courses<'a> {
    pub(super) fn new(plan: &'a Plan) -> Self {
        Self {
            plan,
            evenings: 0,
            minutes: 0,
            entrances: vec![Course::default(); plan.entrances.len()],
            lanes: vec![Course::default(); plan.lanes.len()],
            entrance_waits: Vec::new(),
            lane_waits: Vec::new(),
        }
    }

    /// `evening` has the visits by entrance.
    pub(super) fn add(&mut self, evening: &[Vec<Visit>]) {
        self.evenings += 1;
        let last_ms = |visit: &Visit| visit.passage.map_or(visit.at_ms, |(_, _, end_ms)| end_ms);
        let over = evening.iter().flatten().map(|visit| minute_index(last_ms(visit)) + 1).max().unwrap_or(0);
        self.minutes = self.minutes.max(over.min(MOST_MINUTES));
        let mut by_lane: Vec<Vec<Visit>> = vec![Vec::new(); self.lanes.len()];
        for (entrance, visits) in evening.iter().enumerate() {
            self.entrances[entrance].add(self.minutes, visits.iter());
            for visit in visits {
                let minute = minute_index(visit.at_ms);
                self.entrance_waits.push(packed(entrance, minute, visit.wait_ms));
                if let Some((lane, ..)) = visit.passage {
                    self.lane_waits.push(packed(lane, minute, visit.wait_ms));
                    by_lane[lane].push(*visit);
                }
            }
        }
        for (course, visits) in self.lanes.iter_mut().zip(&by_lane) {
            course.add(self.minutes, visits.iter());
        }
    }

    pub(super) fn timelines(mut self) -> (Vec<EntranceTimeline>, Vec<LaneTimeline>) {
        self.entrance_waits.sort_unstable();
        self.lane_waits.sort_unstable();
        let first = self.first_minute();
        let entrances = self.entrances.iter().enumerate().map(|(at, course)| EntranceTimeline {
            entrance_id: self.plan.entrances[at],
            minutes: course.minutes(first, of_unit(&self.entrance_waits, at), self.evenings),
        });
        let lanes = self.lanes.iter().enumerate().map(|(at, course)| LaneTimeline {
            lane_id: self.plan.lanes[at].id,
            entrance_id: self.plan.entrances[self.plan.lanes[at].entrance],
            minutes: course.minutes(first, of_unit(&self.lane_waits, at), self.evenings),
        });
        (entrances.collect(), lanes.collect())
    }

    /// When the first guest comes or the first lane opens.
    fn first_minute(&self) -> usize {
        let opens = self.plan.lanes.iter().map(|lane| minute_index(lane.open_ms));
        let came = self.entrances.iter().filter_map(|course| course.arrived.iter().position(|&came| came > 0));
        opens.chain(came).min().unwrap_or(0)
    }
}
