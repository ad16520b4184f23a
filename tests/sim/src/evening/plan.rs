//! An organiser's plan and what `sync-server plan --json` made of it, read from their JSON: the words of `docs/planning.md`
//! alone, none of the planner's code.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

/// Why the files cannot be played.
#[derive(Debug)]
pub enum PlanError {
    Json(serde_json::Error),
    /// Nothing, or nothing that can be read so, stands under this name.
    Missing(&'static str),
}

impl fmt::Display for PlanError {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PlanError::Json(error) => write!(to, "it is not JSON: {error}"),
            PlanError::Missing(name) => write!(to, "it has no {name} that can be read; see docs/planning.md"),
        }
    }
}

/// How guests of a class come, as points of minute and value.
#[derive(Debug, Clone)]
pub enum Curve {
    Density(Vec<(f64, f64)>),
    Arrived(Vec<(f64, f64)>),
}

#[derive(Debug, Clone)]
pub struct Class {
    pub id: u16,
    pub guests: u64,
    pub curve: Curve,
    /// By entrance; empty where guests follow the lanes.
    pub shares: Vec<(u32, f64)>,
}

#[derive(Debug, Clone)]
pub struct Lane {
    pub id: u32,
    pub entrance: u32,
    pub takes: Vec<u16>,
    pub open_ms: i64,
    pub close_ms: i64,
}

#[derive(Debug, Clone)]
pub enum Service {
    Lognormal { mean_s: f64, p95_s: f64 },
    Measured { gaps_s: Vec<f64> },
}

/// What the organiser expects.
#[derive(Debug, Clone)]
pub struct Expected {
    pub classes: Vec<Class>,
    pub entrances: Vec<(u32, String)>,
    pub lanes: Vec<Lane>,
    pub service: Service,
    pub shared_queue: bool,
}

/// What the plan says of one entrance's waits, in seconds; none where some never get in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Told {
    pub p50_s: Option<f64>,
    pub p95_s: Option<f64>,
}

/// Milliseconds since the doors' opening.
pub fn minutes_ms(minutes: f64) -> i64 {
    (minutes * 60_000.0).round() as i64
}

fn parse(text: &str) -> Result<Value, PlanError> {
    serde_json::from_str(text).map_err(PlanError::Json)
}

fn list<'a>(value: &'a Value, name: &'static str) -> Result<&'a Vec<Value>, PlanError> {
    value[name].as_array().ok_or(PlanError::Missing(name))
}

fn number(value: &Value, name: &'static str) -> Result<f64, PlanError> {
    value[name].as_f64().ok_or(PlanError::Missing(name))
}

fn id<T: TryFrom<u64>>(value: &Value, name: &'static str) -> Result<T, PlanError> {
    value[name].as_u64().and_then(|id| T::try_from(id).ok()).ok_or(PlanError::Missing(name))
}

fn points(value: &Value, name: &'static str) -> Option<Vec<(f64, f64)>> {
    value[name].as_array()?.iter().map(|point| Some((point[0].as_f64()?, point[1].as_f64()?))).collect()
}

fn ids(value: &Value) -> Vec<u16> {
    value.as_array().into_iter().flatten().filter_map(|id| u16::try_from(id.as_u64()?).ok()).collect()
}

impl Expected {
    pub fn read(text: &str) -> Result<Self, PlanError> {
        let plan = parse(text)?;
        let classes = list(&plan, "classes")?.iter().map(class).collect::<Result<Vec<_>, _>>()?;
        let all: Vec<u16> = classes.iter().map(|class| class.id).collect();
        let entrances = list(&plan, "entrances")?.iter();
        let named = |one: &Value| Ok((id(one, "entrance_id")?, one["name"].as_str().unwrap_or_default().to_owned()));
        let lanes = list(&plan, "lanes")?.iter().map(|one| lane(one, &all)).collect::<Result<_, _>>()?;
        Ok(Expected {
            entrances: entrances.map(named).collect::<Result<_, _>>()?,
            lanes,
            service: service(&plan["service"])?,
            shared_queue: plan["discipline"] == "shared_queue",
            classes,
        })
    }

    /// Makes the changes that the plan's answer recommends.
    pub fn advised(mut self, answer: &str) -> Result<Self, PlanError> {
        let answer = parse(answer)?;
        for change in list(&answer["recommendation"], "changes")? {
            let class = || id::<u16>(change, "class");
            match change["change"].as_str() {
                Some("give_class") => {
                    let class = class()?;
                    self.lane(id(change, "lane_id")?)?.takes.push(class);
                }
                Some("withdraw_class") => {
                    let class = class()?;
                    self.lane(id(change, "lane_id")?)?.takes.retain(|own| *own != class);
                }
                Some("open_longer") => {
                    let lane = self.lane(id(change, "lane_id")?)?;
                    (lane.open_ms, lane.close_ms) = (minutes_ms(number(change, "from_min")?), i64::MAX);
                }
                Some("open_lane") => {
                    let like = self.lane(id(change, "like_lane_id")?)?.clone();
                    let open_ms = minutes_ms(number(change, "from_min")?);
                    let next = self.lanes.iter().map(|lane| lane.id).max().unwrap_or(0) + 1;
                    let more = (0..id::<u32>(change, "lanes")?).map(|at| Lane {
                        id: next + at,
                        open_ms,
                        close_ms: i64::MAX,
                        ..like.clone()
                    });
                    self.lanes.extend(more);
                }
                _ => return Err(PlanError::Missing("change")),
            }
        }
        Ok(self)
    }

    fn lane(&mut self, id: u32) -> Result<&mut Lane, PlanError> {
        self.lanes.iter_mut().find(|lane| lane.id == id).ok_or(PlanError::Missing("lane_id"))
    }
}

fn class(one: &Value) -> Result<Class, PlanError> {
    let curve = match (points(&one["arrivals"], "density"), points(&one["arrivals"], "arrived")) {
        (Some(density), _) => Curve::Density(density),
        (None, Some(arrived)) => Curve::Arrived(arrived),
        (None, None) => return Err(PlanError::Missing("arrivals")),
    };
    let shares = one["entrance_shares"].as_array().into_iter().flatten();
    Ok(Class {
        id: id(one, "class")?,
        guests: id(one, "guests")?,
        curve,
        shares: shares.map(|part| Ok((id(part, "entrance_id")?, number(part, "share")?))).collect::<Result<_, _>>()?,
    })
}

fn lane(one: &Value, all: &[u16]) -> Result<Lane, PlanError> {
    let some = [ids(&one["takes"]), ids(&one["may_take"]), all.to_vec()];
    Ok(Lane {
        id: id(one, "lane_id")?,
        entrance: id(one, "entrance_id")?,
        takes: some.into_iter().find(|classes| !classes.is_empty()).unwrap_or_default(),
        open_ms: minutes_ms(one["open_from_min"].as_f64().unwrap_or(0.0)),
        close_ms: one["open_until_min"].as_f64().map_or(i64::MAX, minutes_ms),
    })
}

fn service(one: &Value) -> Result<Service, PlanError> {
    if let Some(gaps) = one["measured"]["gaps_s"].as_array() {
        let gaps_s: Vec<f64> = gaps.iter().filter_map(Value::as_f64).collect();
        return if gaps_s.is_empty() { Err(PlanError::Missing("gaps_s")) } else { Ok(Service::Measured { gaps_s }) };
    }
    let lognormal = &one["lognormal"];
    Ok(Service::Lognormal { mean_s: number(lognormal, "mean_s")?, p95_s: number(lognormal, "p95_s")? })
}

/// What the plan's answer tells of each entrance: as planned, or with its own changes made.
pub fn told(answer: &str, advised: bool) -> Result<BTreeMap<u32, Told>, PlanError> {
    let answer = parse(answer)?;
    let outlook = if advised { &answer["recommendation"]["after"] } else { &answer["forecast"]["outlook"] };
    let entrance = |one: &Value| {
        let waits = &one["waits"];
        Ok((id(one, "entrance_id")?, Told { p50_s: waits["p50_s"].as_f64(), p95_s: waits["p95_s"].as_f64() }))
    };
    list(outlook, "entrances")?.iter().map(entrance).collect()
}
