//! What the signed policy says at a lane and a moment, worked out once more: the checks do not ask the product's own
//! `Policy::at`, which may be wrong.

use gate_core::policy::Change;
use gate_core::{Direction, Partition, Policy};
use ticket_signer::{ClassId, LaneId};

/// The rules for one class at one lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    pub closed: bool,
    /// The lane takes this class.
    pub takes: bool,
    pub direction: Direction,
    pub partition: Partition,
    pub freshness_steps: u32,
}

/// A rule that an admission broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    Closed,
    OtherClass,
    OtherWay,
    NotFresh,
    /// At no moment at which it may have been by its clock did the rules let anybody in here.
    AtNoMoment,
}

/// The rules by the signed policy at this moment; `None` for a lane that it does not name.
pub fn rules(policy: &Policy, lane: LaneId, class: ClassId, at_ms: i64) -> Option<Rules> {
    let own = policy.lanes.iter().find(|own| own.lane == lane.0)?;
    let takes = |classes: &[u16]| classes.is_empty() || classes.contains(&class.0);
    let of_class = policy.class_partitions.iter().find(|own| own.class == class.0);
    let mut rules = Rules {
        closed: own.closed,
        takes: takes(&own.classes),
        direction: own.direction,
        partition: of_class.map_or(policy.partition, |own| own.partition),
        freshness_steps: policy.freshness_steps,
    };
    // A rule for the class itself goes over one for all, whichever came first.
    let mut named = of_class.is_some();
    for temporary in &policy.temporary {
        if at_ms < temporary.from_ms || at_ms >= temporary.until_ms {
            continue;
        }
        match &temporary.change {
            Change::LaneClosed { lane: of, closed } if *of == lane.0 => rules.closed = *closed,
            Change::LaneClasses { lane: of, classes } if *of == lane.0 => rules.takes = takes(classes),
            Change::LaneDirection { lane: of, direction } if *of == lane.0 => rules.direction = *direction,
            Change::FreshnessSteps { freshness_steps } => rules.freshness_steps = *freshness_steps,
            Change::Partition { class: Some(of), partition } if *of == class.0 => {
                (rules.partition, named) = (*partition, true);
            }
            Change::Partition { class: None, partition } if !named => rules.partition = *partition,
            _ => {}
        }
    }
    Some(rules)
}

impl Rules {
    /// The rule that an admission in this direction, by a code so many steps from now, breaks.
    pub fn breaks(&self, direction: Direction, age_steps: Option<i64>) -> Option<Broken> {
        if age_steps.is_some_and(|steps| steps.unsigned_abs() > u64::from(self.freshness_steps)) {
            return Some(Broken::NotFresh);
        }
        if direction != self.direction {
            return Some(Broken::OtherWay);
        }
        // Nobody is kept in by a rule.
        match direction {
            Direction::In if self.closed => Some(Broken::Closed),
            Direction::In if !self.takes => Some(Broken::OtherClass),
            _ => None,
        }
    }
}

/// Every moment from `from_ms` to `until_ms` at which the rules may differ from the moment before.
pub fn moments(policy: &Policy, from_ms: i64, until_ms: i64) -> Vec<i64> {
    let ends = policy.temporary.iter().flat_map(|temporary| [temporary.from_ms, temporary.until_ms]);
    let mut moments: Vec<i64> = ends.filter(|at_ms| (from_ms..=until_ms).contains(at_ms)).collect();
    moments.push(from_ms);
    moments
}
