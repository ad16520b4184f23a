//! From a recorded decision to what staff read, hear and can repeat into a radio.
//!
//! Invariants: a [`Verdict`] is made only from a [`Recorded`], so nothing is green that is not on disk; times are in the
//! event's zone; no rule lives here.

pub mod staff;
pub mod times;
pub mod view;

use gate_core::{Conflict, Detail, Direction, Outcome, Reason, Recorded};
use jiff::tz::TimeZone;
use ticket_signer::{ClassEntry, ClassId, DeviceId, LaneId};

/// What things are called, for everything that is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Naming {
    pub event: String,
    pub venue: String,
    pub zone: TimeZone,
    pub lane: LaneId,
    pub lanes: Vec<LaneName>,
    pub classes: Vec<ClassEntry>,
    pub device: DeviceId,
}

/// A lane as the policy calls it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneName {
    pub lane: LaneId,
    pub name: String,
    pub entrance: String,
}

impl Naming {
    pub fn lane_name(&self, lane: LaneId) -> String {
        let named = self.lanes.iter().find(|named| named.lane == lane);
        named.map_or_else(|| format!("lane no. {lane}"), |named| named.name.clone())
    }

    pub fn entrance(&self, lane: LaneId) -> &str {
        self.lanes.iter().find(|named| named.lane == lane).map_or("", |named| named.entrance.as_str())
    }

    pub fn class_name(&self, class: ClassId) -> String {
        let named = self.classes.iter().find(|named| named.class == class);
        named.map_or_else(|| format!("class no. {class}"), |named| named.name.clone())
    }
}

/// What a lane looks and sounds like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Admit,
    Refuse,
    Review,
    /// Nothing could be recorded.
    Fault,
}

/// A decision ready to be shown. Its fields cannot be set from outside: it says what was recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    recorded: Recorded,
    title: String,
    at: String,
    class: String,
    lane: String,
    count: String,
    details: Vec<String>,
    detail: Option<Named>,
}

/// The fact behind a verdict with its names, for machines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    Used { at_ms: i64, at: String, lane_id: u32, lane: String },
    OtherEvent { event: u32 },
    Window { edge_ms: i64, edge: String },
    GoTo { lane_id: u32, lane: String, entrance: String },
    Skew { seconds: i64 },
    Count { nth: u8, of: u8 },
    Left { guests: u8 },
}

impl Verdict {
    pub fn recorded(&self) -> &Recorded {
        &self.recorded
    }
    pub fn tone(&self) -> Tone {
        match self.recorded.decision().outcome {
            Outcome::Admit => Tone::Admit,
            Outcome::Refuse => Tone::Refuse,
            Outcome::Review => Tone::Review,
        }
    }
    /// A few words for the top of the screen.
    pub fn title(&self) -> &str {
        &self.title
    }
    /// When it was scanned, in the event's zone.
    pub fn at(&self) -> &str {
        &self.at
    }
    pub fn sentence(&self) -> &'static str {
        self.recorded.decision().reason.sentence()
    }
    pub fn next_step(&self) -> &'static str {
        self.recorded.decision().reason.next_step()
    }
    pub fn reason_code(&self) -> &'static str {
        self.recorded.decision().reason.code()
    }
    /// The ticket's class as staff call it; empty where no class is known.
    pub fn class(&self) -> &str {
        &self.class
    }
    /// This lane's name.
    pub fn lane(&self) -> &str {
        &self.lane
    }
    /// `2 of 4`; empty where the ticket admits once.
    pub fn count(&self) -> &str {
        &self.count
    }
    /// More facts, one a line.
    pub fn details(&self) -> &[String] {
        &self.details
    }
    pub fn detail(&self) -> Option<&Named> {
        self.detail.as_ref()
    }
}

/// Words for a recorded decision. `now_ms` is the gate's clock, to name the day where it is another one.
pub fn verdict(recorded: Recorded, naming: &Naming, now_ms: i64) -> Verdict {
    let decision = recorded.decision().clone();
    let zone = &naming.zone;
    let mut details = Vec::new();
    let mut count = String::new();
    let detail = decision.detail.map(|detail| match detail {
        Detail::UsedAt { at_ms, lane } => {
            let (at, lane_name) = (times::moment(at_ms, now_ms, zone), naming.lane_name(lane));
            details.push(format!("Admitted {at} at {lane_name}"));
            Named::Used { at_ms, at, lane_id: lane.0, lane: lane_name }
        }
        Detail::OtherEvent { event } => {
            details.push(format!("It is for event no. {event}"));
            Named::OtherEvent { event: event.0 }
        }
        Detail::Window { edge_s } => {
            let edge_ms = i64::from(edge_s) * 1000;
            let edge = times::appointment(edge_ms, now_ms, zone);
            let word = if decision.reason == Reason::NotYetValid { "from" } else { "until" };
            details.push(format!("Valid {word} {edge}"));
            Named::Window { edge_ms, edge }
        }
        Detail::GoTo { lane } => {
            let (name, entrance) = (naming.lane_name(lane), naming.entrance(lane).to_owned());
            details.push(if entrance.is_empty() {
                format!("Go to {name}")
            } else {
                format!("Go to {name}, {entrance}")
            });
            Named::GoTo { lane_id: lane.0, lane: name, entrance }
        }
        Detail::Skew { seconds } => {
            let side = if seconds < 0 { "old" } else { "ahead" };
            details.push(format!("The code is {} {side}", times::span(seconds.saturating_abs().saturating_mul(1000))));
            Named::Skew { seconds }
        }
        Detail::Count { nth, of } => {
            count = format!("{nth} of {of}");
            Named::Count { nth, of }
        }
        Detail::Left { guests } => {
            details.push(if guests == 1 { "1 guest left".to_owned() } else { format!("{guests} guests left") });
            Named::Left { guests }
        }
    });
    if decision.check_entitlement && decision.outcome == Outcome::Admit {
        details.push("Check the guest's entitlement".to_owned());
    }
    let at = times::moment(recorded.at_ms(), now_ms, zone);
    if recorded.is_recalled() {
        details.push(format!("Scanned {at}"));
    }
    Verdict {
        at,
        title: decision.reason.title().to_owned(),
        class: decision.class.map_or_else(String::new, |class| naming.class_name(class)),
        lane: naming.lane_name(naming.lane),
        count,
        details,
        detail,
        recorded,
    }
}

/// A conflict with its names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedConflict {
    pub conflict: Conflict,
    pub class: String,
    pub passages: Vec<NamedPassage>,
}

/// One entry or exit of a conflict with its names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedPassage {
    pub lane: String,
    /// `20:14:05 ± 2 s`.
    pub at: String,
    /// `out`, `3 guests`; empty for one guest on the way in.
    pub way: String,
}

pub fn named_conflict(class: ClassId, conflict: Conflict, naming: &Naming, now_ms: i64) -> NamedConflict {
    let named = |passage: &gate_core::Passage| NamedPassage {
        lane: naming.lane_name(passage.lane),
        at: match passage.uncertainty_ms.div_ceil(1000) {
            0 | 1 => times::moment(passage.at_ms, now_ms, &naming.zone),
            s => format!("{} \u{b1} {s} s", times::moment(passage.at_ms, now_ms, &naming.zone)),
        },
        way: match (passage.direction, passage.guests) {
            (Direction::In, 1) => String::new(),
            (Direction::In, guests) => format!("{guests} guests"),
            (Direction::Out, 1) => "out".to_owned(),
            (Direction::Out, guests) => format!("{guests} guests out"),
        },
    };
    NamedConflict { class: naming.class_name(class), passages: conflict.passages.iter().map(named).collect(), conflict }
}
