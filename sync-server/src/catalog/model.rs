//! Types of the catalog.

use crate::platform::StoreError;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Venue {
    pub id: u32,
    pub name: String,
    /// A name of the IANA time zone database.
    pub time_zone: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub id: u32,
    pub venue: Venue,
    pub name: String,
    pub starts_at_ms: i64,
    pub ends_at_ms: i64,
}

/// An event to be made.
#[derive(Debug, Clone)]
pub struct NewEvent {
    pub id: Option<u32>,
    pub venue_id: u32,
    pub name: String,
    pub starts_at_ms: i64,
    pub ends_at_ms: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entrance {
    pub id: u32,
    pub event_id: u32,
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    pub id: u32,
    pub event_id: u32,
    pub name: String,
    pub entrance_id: u32,
    /// The entrance's name.
    pub entrance: String,
}

/// A class of ticket: what it entitles to, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    pub id: u16,
    pub event_id: u32,
    pub name: String,
    /// Whole seconds, in milliseconds; inclusive.
    pub valid_from_ms: i64,
    /// Whole seconds, in milliseconds.
    pub valid_until_ms: i64,
    /// How often a ticket may be admitted: 1 to 255.
    pub admissions: u8,
    /// As in a credential: bit 0 asks the gate's staff to check an entitlement (a student's card), the others are zero.
    pub flags: u8,
}

/// A class to be made.
#[derive(Debug, Clone)]
pub struct NewClass {
    pub id: u16,
    pub name: String,
    pub valid_from_ms: i64,
    pub valid_until_ms: i64,
    pub admissions: u8,
    pub flags: u8,
}

/// What a lane may do while it can't hear the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Partition {
    /// Only with the owner's grant.
    Strict,
    /// Lanes of the ticket's home group admit, others ask a supervisor.
    #[default]
    Bounded,
    /// Any lane admits, and marks it.
    Open,
}

/// What a gate does with a printed ticket that its list does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnlistedPrinted {
    Refuse,
    #[default]
    Review,
    Admit,
}

/// Which way guests pass at a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LaneDirection {
    #[default]
    In,
    Out,
}

/// What the policy says of one lane: its handhelds' profile.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LaneRules {
    pub lane_id: u32,
    /// Below [`PolicyRules::home_groups`].
    pub home_group: u16,
    /// The classes that pass here; empty means all.
    pub classes: Vec<u16>,
    pub direction: LaneDirection,
    /// Nobody passes here, until the organiser or a supervisor says otherwise.
    pub closed: bool,
    /// What staff ask or check of every guest, as they read it.
    pub questions: Vec<String>,
}

/// What the organiser decided about an event's gates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRules {
    pub partition: Partition,
    /// Classes whose rule differs.
    pub class_partitions: Vec<(u16, Partition)>,
    /// How many 15-second steps a code may be off.
    pub freshness_steps: u32,
    /// Classes whose printed tickets are accepted.
    pub printed_classes: Vec<u16>,
    pub unlisted_printed: UnlistedPrinted,
    pub hold_off_ms: u32,
    pub lease_hours: u32,
    /// How long handhelds keep rows that the server has signed for, after the event's end.
    pub keep_rows_days: u32,
    pub home_groups: u16,
    pub lanes: Vec<LaneRules>,
}

/// A policy in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    pub event_id: u32,
    /// 0 for the default that nobody put; rises by one with each that is put.
    pub version: u64,
    pub put_at_ms: i64,
    pub rules: PolicyRules,
}

/// What can go wrong in the catalog.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    #[error("{detail}")]
    Invalid { field: &'static str, detail: String },
    #[error("There is no {what} {id} here.")]
    NotFound { what: &'static str, id: u64 },
    #[error("Another {what} has the name \"{name}\"; choose a different one.")]
    NameTaken { what: &'static str, name: String },
    #[error("The event {id} exists already; choose another id, or none to get the next free one.")]
    EventTaken { id: u32 },
    #[error("The class {id} exists already in this event; choose another id.")]
    ClassTaken { id: u16 },
    #[error(
        "The server's issue certificate does not name the event {id}; it names {named}. Choose an id among those, or have the root certify the issue key for this one."
    )]
    EventNotCertified { id: u32, named: String },
    #[error(
        "All event ids that the server's issue certificate names are taken; have the root certify the issue key for more."
    )]
    NoEventIdLeft,
    #[error("An event has at most {most} {what}.")]
    TooMany { what: &'static str, most: usize },
    #[error(transparent)]
    Store(#[from] StoreError),
}
