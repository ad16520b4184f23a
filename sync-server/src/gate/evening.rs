//! The evening against its plan: what was planned and what came, by entrance and minute, and what is to be expected.
//!
//! Playing evenings takes a second of a processor where many guests come, so it is done off the runtime's threads, the plan's
//! course once, the comparison with the night at most every [`COMPARED_FOR_MS`], however many pages look.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex as AsyncMutex;
use utoipa::ToSchema;

use super::gaps;
use super::model::GateError;
use super::planning::{self, Comparison, EntranceFacts, EntranceInput, EntranceTimeline, Facts, Pace, PlanInput};
use super::store::{self, KeptPlan};
use super::waiting::{self, RECENT_MIN};
use super::{Gate, Result, live, policies};
use crate::catalog;
use crate::platform::{Actor, Tx};

const MINUTE_MS: i64 = 60_000;
/// How long a comparison is shown before another one is made.
const COMPARED_FOR_MS: i64 = 15_000;
/// The evenings that are kept; a server with more of them plays some again.
const KEPT_MAX: usize = 64;
/// The same evenings each time, so that figures change with the night alone.
const SEED: u64 = 1;
/// Minutes from the doors' opening that a plan can speak of.
const MINUTES: std::ops::RangeInclusive<i64> = -720..=1_440;

/// Evenings that were played, by event.
#[derive(Default)]
pub(super) struct Evenings(Mutex<HashMap<u32, Arc<AsyncMutex<Played>>>>);

#[derive(Default)]
struct Played {
    /// Which plan it was: the hash of all that it says.
    plan: [u8; 32],
    course: Option<Arc<Vec<EntranceTimeline>>>,
    compared: Option<(i64, Arc<Comparison>)>,
}

impl Evenings {
    fn of(&self, event_id: u32) -> Arc<AsyncMutex<Played>> {
        let mut evenings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if evenings.len() >= KEPT_MAX && !evenings.contains_key(&event_id) {
            evenings.clear();
        }
        evenings.entry(event_id).or_default().clone()
    }
}

/// Keeps a plan in place of the one before, if any. It names entrances, lanes and classes of the event.
pub(super) async fn put(
    gate: &Gate,
    tx: &mut Tx,
    event_id: u32,
    (input, doors_open_at_ms): (PlanInput, i64),
    by: &Actor,
) -> Result<KeptPlan> {
    let invalid = |field, detail: String| GateError::Plan { field, detail };
    if doors_open_at_ms <= 0 || doors_open_at_ms % MINUTE_MS != 0 {
        let detail = "`doors_open_at_ms` is not a whole minute in unix milliseconds (a multiple of 60000).";
        return Err(invalid("doors_open_at_ms", detail.to_owned()));
    }
    catalog::event(tx, event_id).await?;
    planning::check(&input).map_err(|error| invalid("plan", error.to_string()))?;
    let lanes = catalog::lanes(tx, event_id).await?;
    let classes = catalog::classes(tx, event_id).await?;
    if let Some(wrong) = foreign(&input, &lanes, &classes) {
        return Err(invalid("plan", wrong));
    }
    let now_ms = gate.platform.clock.now_ms();
    store::keep_plan(tx, event_id, &input, (doors_open_at_ms, now_ms), by).await?;
    Ok(KeptPlan { input, doors_open_at_ms, put_at_ms: now_ms, put_by: by.name().to_owned() })
}

/// The first thing in the plan that the event does not have.
fn foreign(input: &PlanInput, lanes: &[catalog::Lane], classes: &[catalog::Class]) -> Option<String> {
    if let Some(class) = input.classes.iter().find(|class| !classes.iter().any(|known| known.id == class.class)) {
        return Some(format!(
            "The plan names class {}, which the event does not have. Correct its number.",
            class.class
        ));
    }
    if let Some(entrance) =
        input.entrances.iter().find(|entrance| !lanes.iter().any(|lane| lane.entrance_id == entrance.entrance_id))
    {
        let id = entrance.entrance_id;
        return Some(format!("The event has no lane at an entrance {id}. Correct its number, or make the lane first."));
    }
    input.lanes.iter().find_map(|planned| {
        let id = planned.lane_id;
        match lanes.iter().find(|lane| lane.id == id) {
            None => Some(format!("The plan names lane {id}, which the event does not have. Correct its number.")),
            Some(lane) if lane.entrance_id != planned.entrance_id => Some(format!(
                "Lane {id} stands at entrance {} of the event, and the plan has it at {}. Correct the plan.",
                lane.entrance_id, planned.entrance_id
            )),
            Some(_) => None,
        }
    })
}

/// The evening against its plan.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(super) struct EveningBody {
    pub now_ms: i64,
    pub doors_open_at_ms: i64,
    /// The wanted wait: 95 % of the guests shall wait less.
    pub p95_wait_s: f64,
    pub entrances: Vec<EntranceBody>,
    /// Where the wanted wait will be missed. Empty as well while the plan does not speak of now.
    pub warnings: Vec<WarningBody>,
    /// How long a lane is busy with a guest: tonight's measure where enough was measured, and else the plan's.
    pub service_s: Option<f64>,
    pub service_measured: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(super) struct EntranceBody {
    pub entrance_id: u32,
    pub name: String,
    /// The minute, counted from the doors' opening, that the first number of `planned` and of `real` is of.
    pub first_minute: i64,
    /// Guests who were to come in, minute by minute.
    pub planned: Vec<f64>,
    /// Guests who came in, minute by minute until now.
    pub real: Vec<i64>,
    /// None while the plan does not speak of now.
    pub standing: Option<StandingBody>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(super) struct StandingBody {
    /// `ahead`, `as_planned` or `behind`: of the guests who came.
    pub pace: String,
    pub admitted: f64,
    pub admitted_planned: f64,
    /// Guests who should have come by now and are not in, where the lanes are busy.
    pub waiting: f64,
    /// How long somebody waits who comes now; none where plan and lanes do not say the same.
    pub wait_s: Option<f64>,
    /// Of those who wait now or come later.
    pub expected_p95_wait_s: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(super) struct WarningBody {
    pub entrance_id: u32,
    pub entrance: String,
    /// None where more than 5 % of the guests will be left outside.
    pub expected_p95_wait_s: Option<f64>,
    pub left_outside: f64,
    /// When the first guests come who wait too long.
    pub from_ms: i64,
    /// How many lanes more keep the wanted wait; none where no number does.
    pub lanes_more: Option<u32>,
    /// What those lanes should be like.
    pub like_lane: Option<String>,
}

/// What is known of the night, from the store.
struct Night {
    now_ms: i64,
    kept: KeptPlan,
    lanes: Vec<catalog::Lane>,
    /// Guests who came in, by entrance and minute since the doors' opening.
    admitted: BTreeMap<u32, BTreeMap<i64, i64>>,
    /// Whether guests queue, by lane.
    queues: BTreeMap<u32, Option<bool>>,
    gaps_s: Vec<f64>,
    lanes_down: Vec<u32>,
}

/// The evening as it is now.
pub(super) async fn now(gate: &Gate, event_id: u32) -> Result<EveningBody> {
    let mut tx = gate.platform.store.read().await?;
    let night = night(gate, &mut tx, event_id).await?;
    drop(tx);
    let plan = planning::check(&night.kept.input);
    let plan = Arc::new(plan.map_err(|error| GateError::Plan { field: "plan", detail: error.to_string() })?);
    let slot = gate.evenings.of(event_id);
    // One page's request plays; the others wait for it and take what it found.
    let mut played = slot.lock().await;
    let said = fingerprint(&night.kept)?;
    if played.plan != said {
        *played = Played { plan: said, ..Played::default() };
    }
    let course = match played.course.clone() {
        Some(course) => course,
        None => {
            let plan = Arc::clone(&plan);
            let course = aside(move || planning::simulate(&plan, SEED).entrances).await?;
            Arc::clone(played.course.insert(Arc::new(course)))
        }
    };
    let fresh = |at_ms: i64| (0..COMPARED_FOR_MS).contains(&(night.now_ms - at_ms));
    let comparison = match (&played.compared, facts(&night)) {
        (Some((at_ms, comparison)), Some(_)) if fresh(*at_ms) => Some(Arc::clone(comparison)),
        (_, None) => None,
        (_, Some(facts)) => {
            let compared = aside(move || planning::compare(&plan, &facts, SEED)).await?;
            let compared = Arc::new(compared.map_err(|error| GateError::Fault(error.to_string()))?);
            played.compared = Some((night.now_ms, Arc::clone(&compared)));
            Some(compared)
        }
    };
    drop(played);
    Ok(body(&night, &course, comparison.as_deref()))
}

fn fingerprint(kept: &KeptPlan) -> Result<[u8; 32]> {
    let said = serde_json::to_vec(&(&kept.input, kept.doors_open_at_ms));
    Ok(Sha256::digest(said.map_err(|error| GateError::Fault(error.to_string()))?).into())
}

/// Runs it where it holds up nobody.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| GateError::Fault(format!("an evening was not played: {error}")))
}

async fn night(gate: &Gate, tx: &mut Tx, event_id: u32) -> Result<Night> {
    let now_ms = gate.platform.clock.now_ms();
    catalog::event(tx, event_id).await?;
    let kept = store::plan(tx, event_id).await?.ok_or(GateError::PlanNotFound)?;
    let lanes = catalog::lanes(tx, event_id).await?;
    let policy = policies::composed(tx, event_id, now_ms).await?;
    let in_force = policy.at(now_ms);
    let lanes_down = kept.input.lanes.iter().map(|lane| lane.lane_id).filter(|id| {
        let rules = in_force.lane(ticket_signer::LaneId(*id));
        rules.is_some_and(|rules| rules.closed || rules.direction == gate_core::passage::Direction::Out)
    });
    let lanes_down = lanes_down.collect();
    let since_ms = kept.doors_open_at_ms + MINUTES.start() * MINUTE_MS;
    let mut admitted: BTreeMap<u32, BTreeMap<i64, i64>> = BTreeMap::new();
    for (lane, minute_ms, _, _, _, guests) in store::minutes_since(tx, event_id, since_ms).await? {
        let entrance = lanes.iter().find(|known| known.id == lane).map(|known| known.entrance_id);
        // A clock that is ahead says nothing of tonight.
        if let Some(entrance) = entrance.filter(|_| minute_ms <= now_ms && guests > 0) {
            let minute = (minute_ms - kept.doors_open_at_ms).div_euclid(MINUTE_MS);
            *admitted.entry(entrance).or_default().entry(minute).or_default() += guests;
        }
    }
    let scans = live::lane_scans(tx, event_id, now_ms).await?;
    let queues = scans.iter().map(|(lane, scans)| (*lane, gaps::gaps(scans, now_ms).queue)).collect();
    let measured = scans.values().flat_map(|scans| gaps::service_gaps_ms(scans, now_ms));
    let gaps_s = measured.map(|gap_ms| gap_ms as f64 / 1_000.0).filter(|gap_s| (0.1..=600.0).contains(gap_s)).collect();
    Ok(Night { now_ms, kept, lanes, admitted, queues, gaps_s, lanes_down })
}

/// What is compared with the plan; none while the plan does not speak of now.
fn facts(night: &Night) -> Option<Facts> {
    let since_ms = night.now_ms - night.kept.doors_open_at_ms;
    let now_min = since_ms as f64 / MINUTE_MS as f64;
    if !(*MINUTES.start() as f64..=*MINUTES.end() as f64).contains(&now_min) {
        return None;
    }
    let of = |planned: &EntranceInput| {
        let minutes = night.admitted.get(&planned.entrance_id).into_iter().flatten();
        let admitted = minutes.map(|(minute, guests)| (*minute, u32::try_from(*guests).unwrap_or(u32::MAX)));
        EntranceFacts { entrance_id: planned.entrance_id, admitted: admitted.collect(), waiting: None }
    };
    Some(Facts {
        now_min,
        entrances: night.kept.input.entrances.iter().map(of).collect(),
        gaps_s: night.gaps_s.clone(),
        lanes_down: night.lanes_down.clone(),
    })
}

fn body(night: &Night, course: &[EntranceTimeline], comparison: Option<&Comparison>) -> EveningBody {
    let named = |entrance_id: u32| {
        let lane = night.lanes.iter().find(|lane| lane.entrance_id == entrance_id);
        lane.map_or_else(String::new, |lane| lane.entrance.clone())
    };
    let entrances = course.iter().map(|timeline| entrance(night, timeline, named(timeline.entrance_id), comparison));
    let warning = |warning: &planning::Warning| WarningBody {
        entrance_id: warning.entrance_id,
        entrance: named(warning.entrance_id),
        expected_p95_wait_s: warning.expected_p95_wait_s,
        left_outside: warning.left_outside,
        from_ms: night.kept.doors_open_at_ms + warning.at_minute * MINUTE_MS,
        lanes_more: warning.lanes_more,
        like_lane: warning
            .like_lane_id
            .and_then(|id| Some(night.lanes.iter().find(|lane| lane.id == id)?.name.clone())),
    };
    EveningBody {
        now_ms: night.now_ms,
        doors_open_at_ms: night.kept.doors_open_at_ms,
        p95_wait_s: night.kept.input.p95_wait_s,
        entrances: entrances.collect(),
        warnings: comparison.iter().flat_map(|comparison| &comparison.warnings).map(warning).collect(),
        service_s: comparison.map(|comparison| comparison.service.mean_s),
        service_measured: comparison.is_some_and(|comparison| comparison.service.measured),
    }
}

fn entrance(night: &Night, timeline: &EntranceTimeline, name: String, comparison: Option<&Comparison>) -> EntranceBody {
    let entrance_id = timeline.entrance_id;
    let none = BTreeMap::new();
    let real = night.admitted.get(&entrance_id).unwrap_or(&none);
    let now_minute = (night.now_ms - night.kept.doors_open_at_ms).div_euclid(MINUTE_MS).min(*MINUTES.end());
    let planned_from = timeline.minutes.first().map_or(0, |minute| minute.minute);
    let first_minute = real.keys().next().map_or(planned_from, |first| planned_from.min(*first));
    let tenth = |guests: f64| (guests * 10.0).round() / 10.0;
    let before = usize::try_from(planned_from - first_minute).unwrap_or(0);
    let planned = std::iter::repeat_n(0.0, before).chain(timeline.minutes.iter().map(|m| tenth(m.admitted)));
    let standing = comparison.and_then(|comparison| {
        let standing = comparison.entrances.iter().find(|standing| standing.entrance_id == entrance_id)?;
        let queues: Vec<Option<bool>> = night
            .lanes
            .iter()
            .filter(|lane| lane.entrance_id == entrance_id && !night.lanes_down.contains(&lane.id))
            .map(|lane| night.queues.get(&lane.id).copied().flatten())
            .collect();
        // Whole minutes: the present one is not over.
        let lately: i64 = real.range(now_minute - RECENT_MIN..now_minute).map(|(_, guests)| *guests).sum();
        let per_minute = lately as f64 / RECENT_MIN as f64;
        let wait_s = waiting::wait_s(&waiting::Entrance { waiting: standing.waiting, per_minute, queues: &queues });
        let pace = match standing.pace {
            Pace::Ahead => "ahead",
            Pace::AsPlanned => "as_planned",
            Pace::Behind => "behind",
        };
        Some(StandingBody {
            pace: pace.to_owned(),
            admitted: standing.admitted,
            admitted_planned: tenth(standing.admitted_planned),
            waiting: tenth(standing.waiting),
            wait_s: wait_s.map(f64::round),
            expected_p95_wait_s: standing.expected_waits.and_then(|waits| waits.p95_s),
        })
    });
    EntranceBody {
        entrance_id,
        name,
        first_minute,
        planned: planned.collect(),
        real: (first_minute..=now_minute).map(|minute| real.get(&minute).copied().unwrap_or(0)).collect(),
        standing,
    }
}
