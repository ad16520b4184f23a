//! What a supervisor decides on the night: it holds for a while, and then the organiser's policy holds again.
//!
//! Invariants: a decision is kept with who made it and who ended it, and is never deleted; it reaches the lanes in the signed
//! policy alone, with its end, so that it ends on a lane that is cut off as well.

use std::collections::BTreeSet;

use gate_core::passage::Direction;
use gate_core::policy::{Change, LaneMessage, Partition, Policy, Temporary, UnlistedPrinted};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::model::GateError;
use super::{Gate, Result, policies, store};
use crate::catalog;
use crate::platform::{Actor, Tx};

/// The longest that a decision holds, in minutes.
pub(super) const MINUTES_MAX: u32 = 24 * 60;
const MINUTE_MS: i64 = 60_000;
/// A change holds from this long before it was made: a handheld whose clock is a little behind obeys at once, too.
const CLOCKS_APART_MS: i64 = 60_000;

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Decision {
    /// Nobody passes at this lane.
    LaneClosed { lane_id: u32 },
    /// Guests pass at this lane, which the organiser's policy or an earlier decision has closed.
    LaneOpened { lane_id: u32 },
    /// Only these classes pass at this lane; none named means all.
    LaneClasses { lane_id: u32, classes: Vec<u16> },
    /// `in` or `out`.
    LaneDirection {
        lane_id: u32,
        #[schema(value_type = String)]
        direction: Direction,
    },
    /// `strict`, `bounded` or `open`: of one class, or of all that have no rule of their own.
    Partition {
        class: Option<u16>,
        #[schema(value_type = String)]
        partition: Partition,
    },
    /// `refuse`, `review` or `admit`.
    UnlistedPrinted {
        #[schema(value_type = String)]
        unlisted_printed: UnlistedPrinted,
    },
    /// How many 15-second steps a code may be older or newer than now.
    FreshnessSteps { freshness_steps: u32 },
    /// Shown to the staff of these lanes; none named means all.
    Message { lanes: Vec<u32>, text: String },
}

/// A decision as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Kept {
    pub id: u64,
    pub event_id: u32,
    pub decision: Decision,
    pub made_at_ms: i64,
    pub until_ms: i64,
    /// The name of who made it.
    pub made_by: String,
}

impl Decision {
    /// As a change of the policy; `None` for a message.
    fn change(&self) -> Option<Change> {
        Some(match self.clone() {
            Self::LaneClosed { lane_id } => Change::LaneClosed { lane: lane_id, closed: true },
            Self::LaneOpened { lane_id } => Change::LaneClosed { lane: lane_id, closed: false },
            Self::LaneClasses { lane_id, classes } => Change::LaneClasses { lane: lane_id, classes },
            Self::LaneDirection { lane_id, direction } => Change::LaneDirection { lane: lane_id, direction },
            Self::Partition { class, partition } => Change::Partition { class, partition },
            Self::UnlistedPrinted { unlisted_printed } => Change::UnlistedPrinted { unlisted_printed },
            Self::FreshnessSteps { freshness_steps } => Change::FreshnessSteps { freshness_steps },
            Self::Message { .. } => return None,
        })
    }

    /// The classes and lanes that it names.
    fn names(&self) -> (Vec<u16>, Vec<u32>) {
        match self {
            Self::LaneClosed { lane_id } | Self::LaneOpened { lane_id } | Self::LaneDirection { lane_id, .. } => {
                (Vec::new(), vec![*lane_id])
            }
            Self::LaneClasses { lane_id, classes } => (classes.clone(), vec![*lane_id]),
            Self::Partition { class, .. } => (class.iter().copied().collect(), Vec::new()),
            Self::Message { lanes, .. } => (Vec::new(), lanes.clone()),
            Self::UnlistedPrinted { .. } | Self::FreshnessSteps { .. } => (Vec::new(), Vec::new()),
        }
    }
}

/// Adds what was decided to the organiser's policy; later decisions go over earlier ones.
pub(super) fn add(policy: &mut Policy, decided: Vec<Kept>) {
    for Kept { id, decision, made_at_ms, until_ms, .. } in decided {
        match (decision.change(), decision) {
            (Some(change), _) => {
                policy.temporary.push(Temporary { from_ms: made_at_ms - CLOCKS_APART_MS, until_ms, change });
            }
            (None, Decision::Message { lanes, text }) => {
                policy.messages.push(LaneMessage { id, lanes, text, until_ms })
            }
            (None, _) => {}
        }
    }
}

/// Puts a decision in force.
pub(super) async fn make(
    gate: &Gate,
    tx: &mut Tx,
    event_id: u32,
    (decision, minutes): (Decision, u32),
    by: &Actor,
) -> Result<Kept> {
    if !(1..=MINUTES_MAX).contains(&minutes) {
        return Err(GateError::Decision { field: "minutes", detail: format!("`minutes` is from 1 to {MINUTES_MAX}.") });
    }
    catalog::event(tx, event_id).await?;
    let (classes, lanes) = decision.names();
    let (known_classes, known_lanes) = (catalog::classes(tx, event_id).await?, catalog::lanes(tx, event_id).await?);
    if let Some(class) = classes.iter().find(|class| !known_classes.iter().any(|known| known.id == **class)) {
        let detail = format!("The event has no class {class}.");
        return Err(GateError::Decision { field: "decision", detail });
    }
    if let Some(lane) = lanes.iter().find(|lane| !known_lanes.iter().any(|known| known.id == **lane)) {
        return Err(GateError::Decision { field: "decision", detail: format!("The event has no lane {lane}.") });
    }
    if has_twice(&classes) || has_twice(&lanes) {
        let detail = "A class or lane is named twice.".to_owned();
        return Err(GateError::Decision { field: "decision", detail });
    }
    let now_ms = gate.platform.clock.now_ms();
    let until_ms = now_ms + i64::from(minutes) * MINUTE_MS;
    let id = store::insert_decision(tx, event_id, &decision, (now_ms, until_ms), by).await?;
    sign(gate, tx, event_id, id).await?;
    Ok(Kept { id, event_id, decision, made_at_ms: now_ms, until_ms, made_by: by.name().to_owned() })
}

/// Signs the policy with what was decided, so that a decision which cannot reach the gates is none, and notes its version.
async fn sign(gate: &Gate, tx: &mut Tx, event_id: u32, id: u64) -> Result<()> {
    match policies::signed(gate, tx, event_id).await? {
        Some(policy) => Ok(store::note_decision(tx, id, policy.version).await?),
        None => {
            let detail = "The event has no policy with lanes yet, so there is nothing to change.".to_owned();
            Err(GateError::Decision { field: "decision", detail })
        }
    }
}

fn has_twice<T: Ord + Copy>(ids: &[T]) -> bool {
    ids.iter().copied().collect::<BTreeSet<_>>().len() < ids.len()
}

/// Ends a decision now. Ending it again changes nothing.
pub(super) async fn end(gate: &Gate, tx: &mut Tx, id: u64, by: &Actor) -> Result<Kept> {
    let mut kept = store::decision(tx, id).await?.ok_or(GateError::DecisionNotFound(id))?;
    let now_ms = gate.platform.clock.now_ms();
    if kept.until_ms > now_ms {
        store::end_decision(tx, id, now_ms, &by.reference()).await?;
        sign(gate, tx, kept.event_id, id).await?;
        kept.until_ms = now_ms;
    }
    Ok(kept)
}
