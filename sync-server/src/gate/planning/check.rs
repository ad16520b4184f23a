//! From what an organiser wrote to a [`Plan`] that can be played: every mistake is found here, and named.

use std::collections::BTreeSet;

use super::arrivals::Curve;
use super::error::PlanError;
use super::input::{ArrivalsInput, ClassInput, LaneInput, PlanInput, ServiceInput};
use super::model::{Class, ClassSet, Lane, NEVER_MS, Plan, minutes_to_ms, whole};
use super::service::{LOGNORMAL_P95_PER_MEAN, Service};

pub(super) const MOST_GUESTS: i64 = 200_000;
const MOST_ENTRANCES: usize = 256;
/// As many as an event may have.
const MOST_LANES: usize = 1_024;
const MOST_POINTS: usize = 1_000;
pub(super) const MOST_GAPS: usize = 100_000;
const MOST_EVENINGS: i64 = 200;
/// Evenings times guests: more would take seconds and hundreds of megabytes.
const MOST_PLAYED: i64 = 4_000_000;
/// What minutes may be named: half a day before the doors until a day after them.
const MINUTES: std::ops::RangeInclusive<f64> = -720.0..=1_440.0;
/// How far shares may miss 1 by rounding.
const SHARES_MISS: f64 = 0.001;

type Result<T> = std::result::Result<T, PlanError>;

/// The plan, where nothing is wrong with it.
///
/// # Errors
/// The first mistake found.
pub fn check(input: &PlanInput) -> Result<Plan> {
    let entrances = entrances(input)?;
    counted("classes", input.classes.len(), ClassSet::MOST)?;
    unique("class", input.classes.iter().map(|class| u32::from(class.class)))?;
    let classes = input.classes.iter().map(|written| class(written, &entrances)).collect::<Result<Vec<_>>>()?;
    let guests: i64 = input.classes.iter().map(|class| class.guests).sum();
    if guests > MOST_GUESTS {
        return Err(PlanError::TooManyGuests { found: guests });
    }
    if guests == 0 {
        return Err(PlanError::NoGuests);
    }
    counted("lanes", input.lanes.len(), MOST_LANES)?;
    unique("lane", input.lanes.iter().map(|lane| lane.lane_id))?;
    let lanes = input.lanes.iter().map(|written| lane(written, input, &entrances)).collect::<Result<Vec<_>>>()?;
    covered(input, &classes, &lanes)?;
    if !(1.0..=14_400.0).contains(&input.p95_wait_s) {
        return Err(PlanError::Wait { p95_wait_s: input.p95_wait_s });
    }
    let most = MOST_EVENINGS.min(MOST_PLAYED / guests);
    let evenings = u32::try_from(input.evenings).ok().filter(|evenings| (1..=most).contains(&i64::from(*evenings)));
    Ok(Plan {
        classes,
        entrances,
        lanes,
        service: service(&input.service)?,
        discipline: input.discipline,
        wanted_ms: u32::try_from(whole(input.p95_wait_s * 1_000.0)).unwrap_or(u32::MAX),
        evenings: evenings.ok_or(PlanError::Evenings { evenings: input.evenings, most })?,
    })
}

fn counted(what: &'static str, found: usize, most: usize) -> Result<()> {
    match found {
        0 => Err(PlanError::Nothing(what)),
        found if found > most => Err(PlanError::TooMany { what, found, most }),
        _ => Ok(()),
    }
}

fn unique(what: &'static str, mut ids: impl Iterator<Item = u32>) -> Result<()> {
    let mut seen = BTreeSet::new();
    ids.find(|id| !seen.insert(*id)).map_or(Ok(()), |id| Err(PlanError::Twice { what, id }))
}

fn named(what: &'static str, id: u32, name: &str) -> Result<()> {
    let fits = !name.trim().is_empty() && name.chars().count() <= 100;
    if fits { Ok(()) } else { Err(PlanError::Name { what, id }) }
}

/// The entrances' ids.
fn entrances(input: &PlanInput) -> Result<Vec<u32>> {
    counted("entrances", input.entrances.len(), MOST_ENTRANCES)?;
    unique("entrance", input.entrances.iter().map(|entrance| entrance.entrance_id))?;
    input.entrances.iter().try_for_each(|entrance| named("entrance", entrance.entrance_id, &entrance.name))?;
    Ok(input.entrances.iter().map(|entrance| entrance.entrance_id).collect())
}

fn class(written: &ClassInput, entrances: &[u32]) -> Result<Class> {
    named("class", u32::from(written.class), &written.name)?;
    let guests = u32::try_from(written.guests).ok().filter(|guests| i64::from(*guests) <= MOST_GUESTS);
    let guests = guests.ok_or_else(|| PlanError::Guests { class: written.name.clone(), guests: written.guests })?;
    Ok(Class { id: written.class, guests, curve: curve(written)?, shares: shares(written, entrances)? })
}

fn curve(written: &ClassInput) -> Result<Curve> {
    let class = || written.name.clone();
    let (ArrivalsInput::Density(points) | ArrivalsInput::Arrived(points)) = &written.arrivals;
    if points.len() > MOST_POINTS {
        return Err(PlanError::CurveLong { class: class(), found: points.len() });
    }
    let (Some(first), Some(last), 2..) = (points.first(), points.last(), points.len()) else {
        return Err(PlanError::CurveShort { class: class() });
    };
    if let Some((minute, _)) = points.iter().find(|(minute, _)| !MINUTES.contains(minute)) {
        return Err(PlanError::CurveMinute { class: class(), minute: *minute });
    }
    if let Some(pair) = points.windows(2).find(|pair| pair[0].0 >= pair[1].0) {
        return Err(PlanError::CurveOrder { class: class(), minute: pair[1].0 });
    }
    if let ArrivalsInput::Density(_) = written.arrivals {
        // The upper bound keeps sums finite.
        if let Some(&(minute, weight)) = points.iter().find(|(_, weight)| !(0.0..=1e12).contains(weight)) {
            return Err(PlanError::CurveWeight { class: class(), minute, weight });
        }
        if points.iter().all(|(_, weight)| *weight < 1e-12) {
            return Err(PlanError::CurveFlat { class: class() });
        }
        return Ok(Curve::density(points));
    }
    if let Some(&(minute, share)) = points.iter().find(|(_, share)| !(0.0..=1.0).contains(share)) {
        return Err(PlanError::CurveShare { class: class(), minute, share });
    }
    if let Some(pair) = points.windows(2).find(|pair| pair[0].1 > pair[1].1) {
        return Err(PlanError::CurveFalls { class: class(), minute: pair[1].0 });
    }
    if first.1.abs() > SHARES_MISS || (last.1 - 1.0).abs() > SHARES_MISS {
        return Err(PlanError::CurveEnds { class: class(), first: first.1, last: last.1 });
    }
    Ok(Curve::arrived(points))
}

fn shares(written: &ClassInput, entrances: &[u32]) -> Result<Option<Vec<f64>>> {
    if written.entrance_shares.is_empty() {
        return Ok(None);
    }
    let class = || written.name.clone();
    let mut shares = vec![None; entrances.len()];
    for given in &written.entrance_shares {
        let entrance_id = given.entrance_id;
        let Some(at) = entrances.iter().position(|id| *id == entrance_id) else {
            return Err(PlanError::ShareEntrance { class: class(), entrance_id });
        };
        if !(0.0..=1.0).contains(&given.share) {
            return Err(PlanError::Share { class: class(), entrance_id, share: given.share });
        }
        if shares[at].replace(given.share).is_some() {
            return Err(PlanError::ShareTwice { class: class(), entrance_id });
        }
    }
    let sum: f64 = shares.iter().flatten().sum();
    if (sum - 1.0).abs() > SHARES_MISS {
        return Err(PlanError::SharesSum { class: class(), sum });
    }
    Ok(Some(shares.into_iter().map(|share| share.unwrap_or(0.0) / sum).collect()))
}

fn lane(written: &LaneInput, input: &PlanInput, entrances: &[u32]) -> Result<Lane> {
    named("lane", written.lane_id, &written.name)?;
    let lane = || written.name.clone();
    let Some(entrance) = entrances.iter().position(|id| *id == written.entrance_id) else {
        return Err(PlanError::LaneEntrance { lane: lane(), entrance_id: written.entrance_id });
    };
    let may_take = class_set(written, &written.may_take, input)?.unwrap_or(ClassSet::first(input.classes.len()));
    let takes = class_set(written, &written.takes, input)?.unwrap_or(may_take);
    if let Some(class) = takes.iter().find(|class| !may_take.has(*class)) {
        return Err(PlanError::LaneMayNot { lane: lane(), class: input.classes[class].class });
    }
    let (from_min, until_min) = (written.open_from_min, written.open_until_min);
    if let Some(minute) = std::iter::once(from_min).chain(until_min).find(|minute| !MINUTES.contains(minute)) {
        return Err(PlanError::LaneMinute { lane: lane(), minute });
    }
    let open_ms = minutes_to_ms(from_min);
    let close_ms = until_min.map_or(NEVER_MS, minutes_to_ms);
    match until_min {
        Some(until_min) if close_ms <= open_ms => Err(PlanError::LaneHours { lane: lane(), from_min, until_min }),
        _ => Ok(Lane { id: Some(written.lane_id), entrance, may_take, takes, open_ms, close_ms }),
    }
}

/// None for an empty list.
fn class_set(written: &LaneInput, classes: &[u16], input: &PlanInput) -> Result<Option<ClassSet>> {
    let mut set = ClassSet::NONE;
    for &class in classes {
        let at = input.classes.iter().position(|known| known.class == class);
        set = set.with(at.ok_or_else(|| PlanError::LaneClass { lane: written.name.clone(), class })?);
    }
    Ok((!set.is_empty()).then_some(set))
}

/// Whoever comes finds a lane that takes them.
fn covered(input: &PlanInput, classes: &[Class], lanes: &[Lane]) -> Result<()> {
    for (at, class) in classes.iter().enumerate().filter(|(_, class)| class.guests > 0) {
        let name = || input.classes[at].name.clone();
        let taken_at = |entrance| lanes.iter().any(|lane| lane.takes.has(at) && lane.entrance == entrance);
        let Some(shares) = &class.shares else {
            if lanes.iter().any(|lane| lane.takes.has(at)) {
                continue;
            }
            return Err(PlanError::NoLaneTakes { class: name() });
        };
        let bare = (0..shares.len()).find(|&entrance| shares[entrance] > 0.0 && !taken_at(entrance));
        if let Some(entrance) = bare {
            return Err(PlanError::NoLaneAtEntrance {
                class: name(),
                entrance: input.entrances[entrance].name.clone(),
            });
        }
    }
    Ok(())
}

fn service(written: &ServiceInput) -> Result<Service> {
    match written {
        ServiceInput::Lognormal { mean_s, p95_s } => {
            if !(0.1..=600.0).contains(mean_s) {
                return Err(PlanError::ServiceMean { mean_s: *mean_s });
            }
            if !(1.0..=LOGNORMAL_P95_PER_MEAN).contains(&(p95_s / mean_s)) {
                return Err(PlanError::ServiceP95 { mean_s: *mean_s, p95_s: *p95_s });
            }
            Ok(Service::lognormal(*mean_s, *p95_s))
        }
        ServiceInput::Measured { gaps_s } => {
            if !(1..=MOST_GAPS).contains(&gaps_s.len()) {
                return Err(PlanError::Gaps { found: gaps_s.len() });
            }
            match wrong_gap(gaps_s) {
                Some(gap_s) => Err(PlanError::Gap { gap_s }),
                None => Ok(Service::measured(gaps_s)),
            }
        }
    }
}

/// A gap that no lane makes.
pub(super) fn wrong_gap(gaps_s: &[f64]) -> Option<f64> {
    gaps_s.iter().copied().find(|gap_s| !(*gap_s > 0.0 && *gap_s <= 600.0))
}
