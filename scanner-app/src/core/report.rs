//! The lines that the handheld writes for machines: one JSON object a line. Verdicts have `outcome`, everything else `event`.
//!
//! Part of the public interface: keys are added, never renamed.

use serde_json::{Map, Value, json};

use crate::core::present::{Named, NamedConflict, Verdict};

/// Something to tell.
#[derive(Debug, Clone, PartialEq)]
pub enum Report {
    /// A verdict, and the time from frame to durable verdict in microseconds where there was one.
    Verdict {
        verdict: Box<Verdict>,
        latency_us: Option<u64>,
    },
    /// A scan could not be recorded; nobody was admitted.
    CannotRecord {
        message: String,
    },
    /// Waiting for an enrolment code.
    EnrolWanted,
    /// A place was asked for: a supervisor compares the fingerprint.
    EnrolPending {
        fingerprint: String,
        server: String,
    },
    EnrolFailed {
        message: String,
    },
    /// The handheld can decide: it has a place, a policy and a list.
    Ready {
        event: String,
        lane: String,
        list_version: u64,
        tickets: u64,
    },
    List {
        version: u64,
        tickets: u64,
        revoked: u64,
    },
    Policy {
        version: u64,
    },
    Conflict(Box<NamedConflict>),
    Reach {
        server: bool,
    },
    /// The cloud has signed for all rows up to this one.
    Receipt {
        seq: u64,
    },
    Warning {
        message: String,
    },
    /// A trouble that was warned of is over.
    Mended {
        message: String,
    },
    /// Somebody unlocked the handheld as this member of staff, or could not.
    Unlock {
        staff: u16,
        unlocked: bool,
    },
    Locked {
        staff: u16,
    },
    /// A supervisor set the clock; unix milliseconds.
    ClockSet {
        staff: u16,
        from_ms: i64,
        to_ms: i64,
    },
    /// Frames in which no code is read are kept, at most so many; or they are not kept any more.
    Recorder {
        frames_max: Option<u32>,
    },
    /// How many recorded frames were played, and in how many of them a code was read.
    Replayed {
        frames: u64,
        read: u64,
    },
    /// The organiser had the handheld wiped; so many rows wait for their receipts.
    Wiped {
        waiting: u64,
    },
    /// The source has nothing more to say.
    Ended,
}

impl Report {
    /// The line, without its end.
    pub fn to_line(&self) -> String {
        self.to_json().to_string()
    }

    pub fn to_json(&self) -> Value {
        match self {
            Report::Verdict { verdict, latency_us } => verdict_json(verdict, *latency_us),
            Report::CannotRecord { message } => json!({ "event": "cannot_record", "message": message }),
            Report::EnrolWanted => json!({ "event": "enrol_wanted" }),
            Report::EnrolPending { fingerprint, server } => {
                json!({ "event": "enrol_pending", "fingerprint": fingerprint, "server": server })
            }
            Report::EnrolFailed { message } => json!({ "event": "enrol_failed", "message": message }),
            Report::Ready { event, lane, list_version, tickets } => json!({
                "event": "ready", "event_name": event, "lane": lane, "list_version": list_version, "tickets": tickets,
            }),
            Report::List { version, tickets, revoked } => {
                json!({ "event": "list", "version": version, "tickets": tickets, "revoked": revoked })
            }
            Report::Policy { version } => json!({ "event": "policy", "version": version }),
            Report::Conflict(named) => conflict_json(named),
            Report::Reach { server } => {
                json!({ "event": "reach", "state": if *server { "server" } else { "alone" } })
            }
            Report::Receipt { seq } => json!({ "event": "receipt", "seq": seq }),
            Report::Warning { message } => json!({ "event": "warning", "message": message }),
            Report::Mended { message } => json!({ "event": "mended", "message": message }),
            Report::Unlock { staff, unlocked } => json!({ "event": "unlock", "staff": staff, "unlocked": unlocked }),
            Report::Locked { staff } => json!({ "event": "locked", "staff": staff }),
            Report::ClockSet { staff, from_ms, to_ms } => {
                json!({ "event": "clock_set", "staff": staff, "from_ms": from_ms, "to_ms": to_ms })
            }
            Report::Recorder { frames_max: Some(frames_max) } => {
                json!({ "event": "recorder", "state": "on", "frames_max": frames_max })
            }
            Report::Recorder { frames_max: None } => json!({ "event": "recorder", "state": "off" }),
            Report::Replayed { frames, read } => json!({ "event": "replayed", "frames": frames, "read": read }),
            Report::Wiped { waiting } => json!({ "event": "wiped", "rows_waiting": waiting }),
            Report::Ended => json!({ "event": "ended" }),
        }
    }
}

fn verdict_json(verdict: &Verdict, latency_us: Option<u64>) -> Value {
    let recorded = verdict.recorded();
    let decision = recorded.decision();
    json!({
        "seq": recorded.seq(),
        "at": verdict.at(),
        "at_ms": recorded.at_ms(),
        "outcome": decision.outcome.name(),
        "reason": decision.reason.code(),
        "title": verdict.title(),
        "sentence": verdict.sentence(),
        "next": verdict.next_step(),
        "ticket": decision.ticket.map(|ticket| ticket.to_string()),
        "serial": decision.serial.map(|serial| serial.get()),
        "class": decision.class.map(|class| class.0),
        "class_name": verdict.class(),
        "count": verdict.count(),
        "lane": verdict.lane(),
        "unlisted": decision.unlisted,
        "flagged": decision.flagged,
        "check_entitlement": decision.check_entitlement,
        "recalled": recorded.is_recalled(),
        "details": verdict.details(),
        "detail": Value::Object(verdict.detail().map(detail_json).unwrap_or_default()),
        "latency_us": latency_us,
    })
}

fn detail_json(detail: &Named) -> Map<String, Value> {
    let value = match detail {
        Named::Used { at_ms, at, lane_id, lane } => {
            json!({ "at_ms": at_ms, "at": at, "lane_id": lane_id, "lane": lane })
        }
        Named::OtherEvent { event } => json!({ "event_id": event }),
        Named::Window { edge_ms, edge } => json!({ "edge_ms": edge_ms, "edge": edge }),
        Named::GoTo { lane_id, lane, entrance } => json!({ "lane_id": lane_id, "lane": lane, "entrance": entrance }),
        Named::Skew { seconds } => json!({ "skew_s": seconds }),
        Named::Count { nth, of } => json!({ "nth": nth, "of": of }),
        Named::Left { guests } => json!({ "guests_left": guests }),
    };
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn conflict_json(named: &NamedConflict) -> Value {
    let passages: Vec<Value> = std::iter::zip(&named.conflict.passages, &named.passages)
        .map(|(passage, name)| {
            json!({
                "lane": name.lane, "at": name.at, "lane_id": passage.lane.0, "at_ms": passage.at_ms,
                "uncertainty_ms": passage.uncertainty_ms, "device": passage.device.to_string(),
                "direction": passage.direction, "guests": passage.guests,
            })
        })
        .collect();
    json!({
        "event": "conflict", "ticket": named.conflict.ticket.to_string(), "class": named.class,
        "allowed": named.conflict.allowed, "most_inside": named.conflict.most_inside, "passages": passages,
    })
}
