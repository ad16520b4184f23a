//! What an organiser writes down: the plan as JSON, in the organiser's own units. Nothing here is checked yet.

use serde::{Deserialize, Serialize};

/// What is expected of an evening, and the lanes that stand against it. Minutes count from the doors' opening; what
/// comes before it is negative.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanInput {
    pub classes: Vec<ClassInput>,
    pub entrances: Vec<EntranceInput>,
    pub lanes: Vec<LaneInput>,
    /// How long a lane is busy with one guest.
    pub service: ServiceInput,
    #[serde(default)]
    pub discipline: Discipline,
    /// The wanted wait: 95 % of guests of every class wait no longer at any entrance.
    #[serde(default = "defaults::p95_wait_s")]
    pub p95_wait_s: f64,
    /// How many evenings are played. More of them cost time and steady the figures.
    #[serde(default = "defaults::evenings")]
    pub evenings: i64,
}

/// A class of ticket and the guests expected with it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassInput {
    pub class: u16,
    pub name: String,
    /// Those who come, which is fewer than the tickets sold.
    pub guests: i64,
    pub arrivals: ArrivalsInput,
    /// Which share of the guests uses which entrance; adds up to 1. Left empty, the guests divide over the entrances in
    /// proportion to the lanes that are open and take the class when they come.
    #[serde(default)]
    pub entrance_shares: Vec<EntranceShareInput>,
}

/// When guests come, as points `[minute, value]`, minutes ascending.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArrivalsInput {
    /// How thickly they come at that minute, in any unit; between points it goes along a straight line.
    Density(Vec<(f64, f64)>),
    /// Which share has come by that minute: from 0 at the first point to 1 at the last, evenly between points.
    Arrived(Vec<(f64, f64)>),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntranceShareInput {
    pub entrance_id: u32,
    /// From 0 to 1.
    pub share: f64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntranceInput {
    pub entrance_id: u32,
    pub name: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaneInput {
    pub lane_id: u32,
    pub name: String,
    pub entrance_id: u32,
    /// The classes that enter here, as in the gates' policy; empty means all that it may take.
    #[serde(default)]
    pub takes: Vec<u16>,
    /// The classes that could enter here: no recommendation gives the lane another. Empty means all.
    #[serde(default)]
    pub may_take: Vec<u16>,
    #[serde(default)]
    pub open_from_min: f64,
    /// From this minute the lane takes nobody, and who still waits goes to another. Left away, it stays open.
    #[serde(default)]
    pub open_until_min: Option<f64>,
}

/// How long a lane is busy with one guest, from one guest's turn to the next one's.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ServiceInput {
    /// Many about the mean, a few long ones: 95 % take no longer than `p95_s`.
    Lognormal { mean_s: f64, p95_s: f64 },
    /// Gaps between two admissions at a lane, measured while guests were waiting for it.
    Measured { gaps_s: Vec<f64> },
}

/// How guests line up at an entrance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Discipline {
    /// A queue at each lane; who comes joins the shortest.
    #[default]
    LaneQueues,
    /// One queue for all lanes; its first goes to the first lane that is free and takes the class.
    SharedQueue,
}

mod defaults {
    pub(super) fn p95_wait_s() -> f64 {
        600.0
    }

    pub(super) fn evenings() -> i64 {
        20
    }
}
