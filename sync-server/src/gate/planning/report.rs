//! What planning answers, ready for JSON: seconds, minutes and counts, no sentences.

use serde::Serialize;

/// How long guests wait. A figure is none where guests that it speaks of are still outside when the last lane that
/// takes them has closed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Waits {
    /// Half of the guests wait no longer.
    pub p50_s: Option<f64>,
    /// 95 % of the guests wait no longer.
    pub p95_s: Option<f64>,
    pub max_s: Option<f64>,
}

/// A figure of many evenings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// Half of the evenings have no more.
    pub typical: f64,
    /// The worst of the evenings.
    pub worst: f64,
}

/// What an evening will be like, with the waits of all evenings taken together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outlook {
    pub waits: Waits,
    /// The most guests waiting at one entrance.
    pub longest_queue: Spread,
    /// The minute in which the last guest is in.
    pub last_in_min: Spread,
    /// Guests of an evening whom no open lane is left for.
    pub left_outside: f64,
    /// In how many of the evenings 95 % of all guests had the wanted wait.
    pub evenings_kept: u32,
    pub evenings: u32,
    pub entrances: Vec<EntranceOutlook>,
    pub classes: Vec<ClassOutlook>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EntranceOutlook {
    pub entrance_id: u32,
    /// Of an evening, on average.
    pub guests: f64,
    /// None where nobody comes.
    pub waits: Option<Waits>,
    pub longest_queue: Spread,
    pub last_in_min: Spread,
    pub left_outside: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassOutlook {
    pub class: u16,
    pub guests: u32,
    /// None where nobody comes.
    pub waits: Option<Waits>,
}

/// What will happen, minute by minute.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Forecast {
    pub outlook: Outlook,
    pub entrances: Vec<EntranceTimeline>,
    pub lanes: Vec<LaneTimeline>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EntranceTimeline {
    pub entrance_id: u32,
    pub minutes: Vec<Minute>,
}

/// The guests whom one lane lets in.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LaneTimeline {
    /// None for a lane that a recommendation adds.
    pub lane_id: Option<u32>,
    pub entrance_id: u32,
    pub minutes: Vec<Minute>,
}

/// One minute, on average over the evenings where nothing else is said.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Minute {
    /// Since the doors' opening.
    pub minute: i64,
    pub arrived: f64,
    /// Whose time at a lane ended: the throughput.
    pub admitted: f64,
    /// When the minute ends, without those who are being served.
    pub waiting: f64,
    /// In the evening with the most.
    pub waiting_worst: u32,
    /// Of those who arrive in this minute; none where nobody did on any evening.
    pub waits: Option<Waits>,
}

/// What to change, and what for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Recommendation {
    /// In the order in which they were found; each is worth it on top of those before it.
    pub changes: Vec<Change>,
    pub needs: Vec<EntranceNeed>,
    pub before: Outlook,
    pub after: Outlook,
    /// If every lane took all that it may take, with nothing else changed: whether separate lanes help or hurt.
    pub pooled: Outlook,
    /// The plan with the changes, to be played minute by minute.
    #[serde(skip)]
    pub plan: super::Plan,
}

/// One thing to do before the evening.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// Let the lane take this class too.
    GiveClass { class: u16, lane_id: u32 },
    /// Let the lane take this class no longer.
    WithdrawClass { class: u16, lane_id: u32 },
    /// Open the lane from this minute and keep it open.
    OpenLonger { lane_id: u32, from_min: f64 },
    /// Put up so many lanes more that take what this one takes, and keep them open from this minute.
    OpenLane { entrance_id: u32, lanes: u32, like_lane_id: u32, from_min: f64 },
}

/// How many lanes an entrance needs for the wanted wait of every class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EntranceNeed {
    pub entrance_id: u32,
    pub lanes_planned: u32,
    /// With the changes made; none where no number of lanes is enough.
    pub lanes_needed: Option<u32>,
    /// Lanes that can stay shut, those of all entrances together, without the wanted wait being missed anywhere.
    pub spare_lane_ids: Vec<u32>,
}

/// The night so far against its plan, and what is to be expected.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    pub now_min: f64,
    pub service: ServiceUsed,
    pub entrances: Vec<Standing>,
    pub warnings: Vec<Warning>,
}

/// How long a lane is taken to be busy with one guest from now on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ServiceUsed {
    pub mean_s: f64,
    pub planned_mean_s: f64,
    /// Too few gaps say nothing: then the plan's time is used.
    pub measured: bool,
}

/// How an entrance stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Standing {
    pub entrance_id: u32,
    pub pace: Pace,
    pub admitted: f64,
    pub admitted_planned: f64,
    /// Admitted or waiting.
    pub arrived: f64,
    pub arrived_planned: f64,
    pub waiting: f64,
    pub waiting_planned: f64,
    /// Whether `waiting` was seen; else it is inferred from how busy the lanes are.
    pub waiting_seen: bool,
    /// Of those who wait now or come later; none where nobody does.
    pub expected_waits: Option<Waits>,
    /// None where nobody is left.
    pub last_in_min: Option<f64>,
}

/// Guests against the plan, beyond what chance explains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// More have come than planned.
    Ahead,
    AsPlanned,
    /// Fewer have come than planned.
    Behind,
}

/// The wanted wait will be missed at an entrance.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Warning {
    pub entrance_id: u32,
    /// Of those who wait now or come later; none where more than 5 % of them will be left outside.
    pub expected_p95_wait_s: Option<f64>,
    /// Guests whom no open lane will be left for: a warning even where the others do not wait too long.
    pub left_outside: f64,
    /// The first minute whose arrivals wait too long; the present one where those waiting now already do.
    pub at_minute: i64,
    /// How many lanes more, opened at once, keep the wanted wait for the rest of the evening; none where no number
    /// does.
    pub lanes_more: Option<u32>,
    /// Whom those lanes should be like; none where no lane of the entrance takes these guests.
    pub like_lane_id: Option<u32>,
}
