//! On the night: how the gates stand against the plan, and a warning while there is time.
//!
//! What is known is who was admitted, and perhaps who was seen waiting. From that the rest of the evening is played
//! again, from the queue that stands there now and with the service times that were measured tonight.
//!
//! The rest of the guests: a ticket that has not come yet comes later. So who is missing is spread over what is left of
//! the curves, more of them where more than planned have come so far; but nowhere less than half of the plan's rest,
//! nor more than twice of it, since some stay away and shares shift only so far.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::arrivals::{Guest, evenings};
use super::chance::Chance;
use super::check::{MOST_GAPS, MOST_GUESTS, wrong_gap};
use super::error::FactsError;
use super::lanes::{MOST_MORE, fewest, more_like, relief, whole_evening_from_ms};
use super::model::{Lane, MINUTE_MS, Plan, length, minute_of, minutes_to_ms, ms_to_minutes, number, whole};
use super::report::{Comparison, Pace, ServiceUsed, Standing, Warning};
use super::score::Cell;
use super::service::Service;
use super::stage::{NEVER_IN_MS, Post, Stage, Visit};
use super::tally::{percentile_ms, seconds, waits};

/// Fewer measured gaps than this say too little.
const FEWEST_GAPS: usize = 30;
/// How far back the lanes' pace is looked at.
const RECENT_MIN: i64 = 10;
/// Lanes that admit so much of what they could have had guests waiting all the while.
const BUSY: f64 = 0.85;
/// How many guests' worth of trust the plan has before tonight's numbers count fully.
const PRIOR_GUESTS: f64 = 50.0;
/// How far an entrance's rest may differ from the plan's.
const REST: std::ops::RangeInclusive<f64> = 0.5..=2.0;
/// How long it takes to get one more lane going.
const OPENING_TAKES_MS: i64 = 5 * MINUTE_MS;
/// The label of what is drawn for the rest of the evening.
const REST_OF_EVENING: u64 = 0x7E57;
/// Guests in all evenings that are played again.
const PLAYED_GUESTS: u32 = 400_000;

/// What is known of the night so far.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// Minutes since the doors' opening.
    pub now_min: f64,
    /// Every entrance of the plan.
    pub entrances: Vec<EntranceFacts>,
    /// Gaps between two admissions at a lane, measured while guests were waiting for it, the newest ones.
    #[serde(default)]
    pub gaps_s: Vec<f64>,
    /// Lanes of the plan that do not work tonight.
    #[serde(default)]
    pub lanes_down: Vec<u32>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntranceFacts {
    pub entrance_id: u32,
    /// `[minute, guests]`, minutes ascending; a minute that is left out had none.
    pub admitted: Vec<(i64, u32)>,
    /// Guests seen waiting now; none where nobody looked.
    #[serde(default)]
    pub waiting: Option<u32>,
}

/// The night so far against its plan, and what is to be expected of its rest.
///
/// # Errors
/// The first mistake in the facts.
pub fn compare(plan: &Plan, facts: &Facts, seed: u64) -> Result<Comparison, FactsError> {
    check(plan, facts)?;
    let tonight = Tonight::new(plan, facts, seed);
    let all_seen: Vec<Situation> = (0..plan.entrances.len()).map(|entrance| tonight.seen(entrance)).collect();
    let rests = tonight.rests(&all_seen);
    let (mut entrances, mut warnings) = (Vec::new(), Vec::new());
    for (entrance, (seen, rest)) in all_seen.iter().zip(rests).enumerate() {
        let crowds = tonight.crowds(entrance, seen, rest);
        let visits = tonight.play(entrance, &crowds, &tonight.lanes);
        entrances.push(tonight.standing(entrance, seen, &visits));
        warnings.extend(tonight.warning(entrance, &crowds, &visits));
    }
    let planned_mean_s = tonight.planned.service.mean_s();
    let mean_s = tonight.plan.service.mean_s();
    let service = ServiceUsed { mean_s, planned_mean_s, measured: facts.gaps_s.len() >= FEWEST_GAPS };
    Ok(Comparison { now_min: facts.now_min, service, entrances, warnings })
}

fn check(plan: &Plan, facts: &Facts) -> Result<(), FactsError> {
    if !(-720.0..=1_440.0).contains(&facts.now_min) {
        return Err(FactsError::Now { now_min: facts.now_min });
    }
    let mut named = BTreeSet::new();
    for said in &facts.entrances {
        let entrance_id = said.entrance_id;
        if !plan.entrances.contains(&entrance_id) {
            return Err(FactsError::EntranceUnknown { entrance_id });
        }
        if !named.insert(entrance_id) {
            return Err(FactsError::EntranceTwice { entrance_id });
        }
        if let Some(pair) = said.admitted.windows(2).find(|pair| pair[0].0 >= pair[1].0) {
            return Err(FactsError::Order { entrance_id, minute: pair[1].0 });
        }
        if let Some(&(minute, _)) = said.admitted.last().filter(|last| last.0 > minute_of(minutes_to_ms(facts.now_min)))
        {
            return Err(FactsError::Future { entrance_id, minute });
        }
    }
    let came = |said: &EntranceFacts| {
        let admitted = said.admitted.iter().map(|(_, guests)| u64::from(*guests));
        admitted.chain(said.waiting.map(u64::from)).sum::<u64>()
    };
    let found: u64 = facts.entrances.iter().map(came).sum();
    if found > MOST_GUESTS.unsigned_abs() {
        return Err(FactsError::Crowd { found });
    }
    if let Some(&entrance_id) = plan.entrances.iter().find(|entrance_id| !named.contains(entrance_id)) {
        return Err(FactsError::EntranceMissing { entrance_id });
    }
    let known = |lane_id: &u32| plan.lanes.iter().any(|lane| lane.id == Some(*lane_id));
    if let Some(&lane_id) = facts.lanes_down.iter().find(|lane_id| !known(lane_id)) {
        return Err(FactsError::LaneUnknown { lane_id });
    }
    if facts.gaps_s.len() > MOST_GAPS {
        return Err(FactsError::TooManyGaps { found: facts.gaps_s.len() });
    }
    wrong_gap(&facts.gaps_s).map_or(Ok(()), |gap_s| Err(FactsError::Gap { gap_s }))
}

/// What was, or was planned to be, at an entrance by now.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Counts {
    admitted: f64,
    waiting: f64,
}

impl Counts {
    fn arrived(self) -> f64 {
        self.admitted + self.waiting
    }
}

/// One entrance tonight.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Situation {
    real: Counts,
    planned: Counts,
    waiting_seen: bool,
    /// Admitted lately.
    per_minute: f64,
}

impl Situation {
    /// How many have come for each who was to come. Small numbers count little.
    fn pace(&self) -> f64 {
        (self.real.arrived() + PRIOR_GUESTS) / (self.planned.arrived() + PRIOR_GUESTS)
    }
}

/// The planned evenings, cut at this moment.
struct Tonight<'a> {
    planned: &'a Plan,
    /// The plan with tonight's service times.
    plan: Plan,
    facts: BTreeMap<u32, &'a EntranceFacts>,
    /// The lanes that work.
    lanes: Vec<Lane>,
    now_ms: i64,
    seed: u64,
    /// The plan's visits, by evening and entrance.
    evenings: Vec<Vec<Vec<Visit>>>,
}

impl<'a> Tonight<'a> {
    fn new(planned: &'a Plan, facts: &'a Facts, seed: u64) -> Self {
        let measured = facts.gaps_s.len() >= FEWEST_GAPS;
        let service = if measured { Service::measured(&facts.gaps_s) } else { planned.service.clone() };
        let works = |lane: &&Lane| lane.id.is_none_or(|id| !facts.lanes_down.contains(&id));
        let waiting: u32 = facts.entrances.iter().filter_map(|said| said.waiting).sum();
        let played = (PLAYED_GUESTS / (planned.guests() + waiting).max(1)).clamp(2, planned.evenings.max(2));
        let stage = Stage::new(planned, &planned.lanes);
        Self {
            planned,
            plan: Plan { service, ..planned.clone() },
            facts: facts.entrances.iter().map(|said| (said.entrance_id, said)).collect(),
            lanes: planned.lanes.iter().filter(works).cloned().collect(),
            now_ms: minutes_to_ms(facts.now_min),
            seed,
            evenings: evenings(planned, seed, played).iter().map(|evening| stage.play(evening)).collect(),
        }
    }

    fn mean(&self, entrance: usize, counts: impl Fn(&Visit) -> bool) -> f64 {
        let visits = self.evenings.iter().flat_map(|evening| &evening[entrance]);
        length(visits.filter(|visit| counts(visit)).count()) / length(self.evenings.len())
    }

    fn seen(&self, entrance: usize) -> Situation {
        let now_ms = self.now_ms;
        let is_in = |visit: &Visit| visit.passage.is_some_and(|(.., end_ms)| end_ms <= now_ms);
        let has_begun = |visit: &Visit| visit.passage.is_some_and(|(_, start_ms, _)| start_ms <= now_ms);
        // Who is being served counts as admitted: it is a matter of seconds.
        let planned = Counts {
            admitted: self.mean(entrance, |visit| is_in(visit) || has_begun(visit)),
            waiting: self.mean(entrance, |visit| visit.at_ms <= now_ms && !has_begun(visit)),
        };
        let said = self.facts.get(&self.plan.entrances[entrance]);
        let admitted = said.map_or(&[][..], |said| &said.admitted);
        let guests =
            |from: i64| number(admitted.iter().filter(|(at, _)| *at >= from).map(|(_, n)| u64::from(*n)).sum());
        let from_ms = self.recent_from_ms(entrance);
        let (all, recent) = (guests(i64::MIN), guests(minute_of(from_ms)));
        let per_minute = recent / ms_to_minutes((now_ms - from_ms).max(MINUTE_MS));
        let waiting = said.and_then(|said| said.waiting);
        let inferred = if self.could_have_admitted(entrance, from_ms) * BUSY <= recent {
            (planned.arrived() - all).max(0.0)
        } else {
            0.0
        };
        let real = Counts { admitted: all, waiting: waiting.map_or(inferred, f64::from) };
        Situation { real, planned, waiting_seen: waiting.is_some(), per_minute }
    }

    /// From when on the lanes' pace is looked at: whole minutes, and none before a lane was open.
    fn recent_from_ms(&self, entrance: usize) -> i64 {
        let open_ms = self.lanes.iter().filter(|lane| lane.entrance == entrance).map(|lane| lane.open_ms).min();
        let recent = (minute_of(self.now_ms) - RECENT_MIN) * MINUTE_MS;
        recent.max(open_ms.unwrap_or(recent)).min(self.now_ms)
    }

    /// How many guests the entrance's lanes could have admitted since then.
    fn could_have_admitted(&self, entrance: usize, from_ms: i64) -> f64 {
        let open_ms = self.lanes.iter().filter(|lane| lane.entrance == entrance).map(|lane| {
            let until_ms = lane.close_ms.min(self.now_ms);
            u64::try_from(until_ms - lane.open_ms.max(from_ms)).unwrap_or(0)
        });
        number(open_ms.sum()) / 1_000.0 / self.plan.service.mean_s()
    }

    /// For each entrance, how many guests come for each who is planned for the rest of the evening.
    fn rests(&self, seen: &[Situation]) -> Vec<f64> {
        let arrived: f64 = seen.iter().map(|seen| seen.real.arrived()).sum();
        let missing = (f64::from(self.plan.guests()) - arrived).max(0.0);
        let planned = |entrance| self.mean(entrance, |visit| visit.at_ms > self.now_ms);
        let weighed: f64 = seen.iter().enumerate().map(|(entrance, seen)| planned(entrance) * seen.pace()).sum();
        let scale = if weighed > 0.0 { missing / weighed } else { 1.0 };
        seen.iter().map(|seen| (seen.pace() * scale).clamp(*REST.start(), *REST.end())).collect()
    }

    /// Who waits at the entrance now and who is still to come, on several evenings.
    fn crowds(&self, entrance: usize, seen: &Situation, rest: f64) -> Vec<Vec<Guest>> {
        let evenings = (0_u64..).zip(&self.evenings);
        let crowds = evenings.map(|(evening, visits)| {
            let mut chance =
                Chance::of(&[self.seed, evening, u64::from(self.plan.entrances[entrance]), REST_OF_EVENING]);
            let visits = &visits[entrance];
            let mut crowd = self.waiting(seen, visits, &mut chance);
            for visit in visits.iter().filter(|visit| visit.at_ms > self.now_ms) {
                let copies = whole(rest.floor()) + i64::from(chance.unit() < rest.fract());
                for copy in 0..copies {
                    // A second guest in place of one comes within a minute of them, not arm in arm.
                    let aside_ms = if copy == 0 { 0 } else { whole((chance.unit() - 0.5) * 120_000.0) };
                    crowd.push(self.guest(visit, (visit.at_ms + aside_ms).max(self.now_ms + 1), &mut chance));
                }
            }
            crowd.sort_by_key(|guest| guest.at_ms);
            crowd
        });
        crowds.collect()
    }

    /// Those who wait now came while the lanes admitted as many; their classes are those of the plan's guests so far.
    fn waiting(&self, seen: &Situation, visits: &[Visit], chance: &mut Chance) -> Vec<Guest> {
        let came = &visits[..visits.partition_point(|visit| visit.at_ms <= self.now_ms)];
        let likely = if came.is_empty() { visits } else { came };
        let curves = self.plan.classes.iter().map(|class| class.curve.first_minute());
        let longest_min = (ms_to_minutes(self.now_ms) - curves.fold(f64::INFINITY, f64::min)).max(0.0);
        let over_min = if seen.per_minute > 0.0 { seen.real.waiting / seen.per_minute } else { longest_min };
        let count = whole(seen.real.waiting);
        let guests = (0..count).filter_map(|place| {
            let share = (number(u64::try_from(count - place).unwrap_or(0)) - 0.5) / seen.real.waiting.max(1.0);
            let ago_ms = minutes_to_ms(over_min.min(longest_min) * share.min(1.0));
            Some(self.guest(likely.get(chance.index(likely.len()))?, self.now_ms - ago_ms, chance))
        });
        guests.collect()
    }

    fn guest(&self, like: &Visit, at_ms: i64, chance: &mut Chance) -> Guest {
        Guest {
            at_ms: i32::try_from(at_ms).unwrap_or(i32::MAX),
            service_ms: self.plan.service.draw_ms(chance),
            choice: 0,
            class: u8::try_from(like.class).unwrap_or(0),
        }
    }

    fn play(&self, entrance: usize, crowds: &[Vec<Guest>], lanes: &[Lane]) -> Vec<Vec<Visit>> {
        let post = Post::new(&self.plan, lanes, entrance).from(self.now_ms);
        crowds.iter().map(|crowd| post.play(&self.plan, crowd)).collect()
    }

    fn standing(&self, entrance: usize, seen: &Situation, visits: &[Vec<Visit>]) -> Standing {
        let (arrived, planned) = (seen.real.arrived(), seen.planned.arrived());
        // Two deviations of what chance does to a count, and a tenth.
        let usual = (planned * 0.1).max(2.0 * planned.sqrt());
        let pace = match arrived - planned {
            more if more > usual => Pace::Ahead,
            more if more < -usual => Pace::Behind,
            _ => Pace::AsPlanned,
        };
        let mut waits_ms: Vec<u32> = visits.iter().flatten().map(|visit| visit.wait_ms).collect();
        let ends =
            visits.iter().filter_map(|evening| evening.iter().filter_map(|visit| visit.passage).map(|p| p.2).max());
        let mut ends: Vec<i64> = ends.collect();
        ends.sort_unstable();
        Standing {
            entrance_id: self.plan.entrances[entrance],
            pace,
            admitted: seen.real.admitted,
            admitted_planned: seen.planned.admitted,
            arrived,
            arrived_planned: planned,
            waiting: seen.real.waiting,
            waiting_planned: seen.planned.waiting,
            waiting_seen: seen.waiting_seen,
            expected_waits: waits(&mut waits_ms),
            last_in_min: ends.get(ends.len() / 2).copied().map(ms_to_minutes),
        }
    }

    fn warning(&self, entrance: usize, crowds: &[Vec<Guest>], visits: &[Vec<Visit>]) -> Option<Warning> {
        if self.is_kept(visits) {
            return None;
        }
        let mut waits_ms: Vec<u32> = visits.iter().flatten().map(|visit| visit.wait_ms).collect();
        let mut by_minute: BTreeMap<i64, Cell> = BTreeMap::new();
        for visit in visits.iter().flatten() {
            let minute = minute_of(visit.at_ms.max(self.now_ms));
            by_minute.entry(minute).or_default().add(visit, self.plan.wanted_ms);
        }
        let late = by_minute.iter().find(|(_, cell)| !cell.is_met());
        let like = self.worst_class(visits).and_then(|class| relief(&self.planned.lanes, entrance, class));
        let opens_ms = whole_evening_from_ms(&self.planned.lanes, entrance).max(self.now_ms + OPENING_TAKES_MS);
        let lanes_more = like.and_then(|like| {
            fewest(MOST_MORE, |count| {
                let more = more_like(&self.planned.lanes[like], count, opens_ms);
                let lanes: Vec<Lane> = self.lanes.iter().cloned().chain(more).collect();
                self.is_kept(&self.play(entrance, crowds, &lanes))
            })
        });
        Some(Warning {
            entrance_id: self.plan.entrances[entrance],
            expected_p95_wait_s: percentile_ms(&mut waits_ms, 95).and_then(seconds),
            left_outside: length(waits_ms.iter().filter(|wait_ms| **wait_ms == NEVER_IN_MS).count())
                / length(visits.len().max(1)),
            at_minute: late.map_or(minute_of(self.now_ms), |(minute, _)| *minute),
            lanes_more,
            like_lane_id: like.and_then(|like| self.planned.lanes[like].id),
        })
    }

    /// Whether 95 % of those who wait now or come later get in and wait no longer than wanted.
    fn is_kept(&self, visits: &[Vec<Visit>]) -> bool {
        let mut all = Cell::default();
        visits.iter().flatten().for_each(|visit| all.add(visit, self.plan.wanted_ms));
        all.is_met()
    }

    /// The class with the most guests who wait too long.
    fn worst_class(&self, visits: &[Vec<Visit>]) -> Option<usize> {
        let mut cells = vec![Cell::default(); self.plan.classes.len()];
        visits.iter().flatten().for_each(|visit| cells[visit.class].add(visit, self.plan.wanted_ms));
        let late = cells.iter().enumerate().filter(|(_, cell)| cell.late > 0);
        late.max_by_key(|(class, cell)| (cell.late, std::cmp::Reverse(*class))).map(|(class, _)| class)
    }
}
