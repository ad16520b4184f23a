//! The signed policy: what the organiser and the supervisors have decided about this event's gates.
//!
//! On the wire it is a CBOR map with text keys (so that `ticket-signer policy` can make one from JSON) in an envelope that a
//! `policy` key signed.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use ticket_signer::{ClassId, EventId, LaneId, Purpose, SecretKey, TicketId, TrustStore, envelope};

/// What a lane may do with a ticket while it cannot hear the others. `docs/security.md` states each bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Partition {
    /// Only with the owner's grant.
    Strict,
    /// Lanes of the ticket's home group admit while cut off, others ask a supervisor.
    #[default]
    Bounded,
    /// Any lane admits, and marks it.
    Open,
}

/// What to do with a printed ticket that the list does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum UnlistedPrinted {
    Refuse,
    #[default]
    Review,
    Admit,
}

/// What the policy says of one lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LanePolicy {
    pub lane: u32,
    /// As staff call it.
    pub name: String,
    /// The entrance that it stands at, as staff call it.
    pub entrance: String,
    /// The home group that it belongs to: below `home_groups`.
    #[serde(default)]
    pub group: u16,
    /// Classes that enter here; empty means all.
    #[serde(default)]
    pub classes: Vec<u16>,
}

/// A class whose partition rule differs from the event's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassPartition {
    pub class: u16,
    pub partition: Partition,
}

/// The policy of one event's gates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    pub event: u32,
    /// Rises with every change; a gate never lowers its own.
    pub version: u64,
    pub issued_at_ms: i64,
    #[serde(default)]
    pub partition: Partition,
    #[serde(default)]
    pub class_partitions: Vec<ClassPartition>,
    /// How many 15-second steps a code may be older or newer than now.
    #[serde(default = "defaults::freshness_steps")]
    pub freshness_steps: u32,
    /// How long an admitted ticket is ignored after it was last seen, in milliseconds.
    #[serde(default = "defaults::hold_off_ms")]
    pub hold_off_ms: u32,
    /// How long a handheld may work without contact, in seconds.
    #[serde(default = "defaults::lease_s")]
    pub lease_s: u32,
    /// Classes whose printed tickets are accepted.
    #[serde(default)]
    pub printed_classes: Vec<u16>,
    #[serde(default)]
    pub unlisted_printed: UnlistedPrinted,
    /// How many groups of lanes share the tickets between them while cut off; 1 where the event has one entrance.
    #[serde(default = "defaults::home_groups")]
    pub home_groups: u16,
    pub lanes: Vec<LanePolicy>,
}

mod defaults {
    pub(super) fn freshness_steps() -> u32 {
        2
    }
    pub(super) fn hold_off_ms() -> u32 {
        5_000
    }
    pub(super) fn lease_s() -> u32 {
        12 * 3600
    }
    pub(super) fn home_groups() -> u16 {
        1
    }
}

/// Why a policy was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    #[error("the policy is not to be believed: {0}")]
    Envelope(#[from] ticket_signer::EnvelopeError),
    #[error("the policy is not written as this version expects")]
    Encoding,
    #[error("the policy is for event {found}, and this gate admits to event {expected}")]
    OtherEvent { expected: EventId, found: u32 },
    #[error("the policy is not sound: {0}")]
    Unsound(&'static str),
    #[error("the policy has version {found}, and this gate has {known} already")]
    Older { known: u64, found: u64 },
}

impl Policy {
    /// The most lanes of an event.
    pub const MAX_LANES: usize = 1024;

    pub fn lane(&self, lane: LaneId) -> Option<&LanePolicy> {
        self.lanes.iter().find(|candidate| candidate.lane == lane.0)
    }

    pub fn partition_of(&self, class: ClassId) -> Partition {
        let own = self.class_partitions.iter().find(|own| own.class == class.0);
        own.map_or(self.partition, |own| own.partition)
    }

    pub fn accepts_printed(&self, class: ClassId) -> bool {
        self.printed_classes.contains(&class.0)
    }

    /// The group whose lanes may admit this ticket while cut off: a function of class and ticket id, listed or not.
    pub fn home_group(&self, class: ClassId, ticket: TicketId) -> u16 {
        let hash = Sha256::new()
            .chain_update(b"turnstone.home-group.v1\0")
            .chain_update(class.0.to_be_bytes())
            .chain_update(ticket.0.to_be_bytes())
            .finalize();
        let wide = hash[..8].iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
        (wide % u64::from(self.home_groups.max(1))) as u16
    }

    /// Lanes that admit `class`, to tell a guest where to go.
    pub fn lanes_for(&self, class: ClassId) -> impl Iterator<Item = &LanePolicy> {
        self.lanes.iter().filter(move |lane| lane.admits(class))
    }

    /// Says what is wrong with a policy that somebody wrote.
    pub fn check(&self) -> Result<(), PolicyError> {
        let lanes_apart =
            self.lanes.iter().enumerate().all(|(at, lane)| self.lanes[at + 1..].iter().all(|o| o.lane != lane.lane));
        let problem = if self.lanes.is_empty() {
            "it names no lane"
        } else if self.lanes.len() > Self::MAX_LANES {
            "it names more than 1,024 lanes"
        } else if !lanes_apart {
            "it names a lane twice"
        } else if self.home_groups == 0 {
            "it has no home group; 1 is the least"
        } else if self.lanes.iter().any(|lane| lane.group >= self.home_groups) {
            "a lane belongs to a group that does not exist; groups count from 0"
        } else if self.freshness_steps > 40 {
            "codes would stay fresh for more than ten minutes (40 steps)"
        } else if self.hold_off_ms > 60_000 {
            "the hold-off is longer than a minute (60,000 ms)"
        } else if !(60..=7 * 86_400).contains(&self.lease_s) {
            "the lease must be between one minute and seven days"
        } else {
            return Ok(());
        };
        Err(PolicyError::Unsound(problem))
    }

    pub fn seal(&self, key: &SecretKey) -> Result<Vec<u8>, PolicyError> {
        self.check()?;
        let payload = crate::wire::to_cbor(self).map_err(|_| PolicyError::Encoding)?;
        Ok(envelope::seal(Purpose::Policy, &payload, key))
    }

    /// Opens a signed policy for `event`. `known` is the version that the gate has: an older one is refused.
    pub fn open(bytes: &[u8], trust: &TrustStore, event: EventId, now_s: i64, known: u64) -> Result<Self, PolicyError> {
        let policy = Self::read(envelope::open(Purpose::Policy, bytes, trust, event, now_s)?, event)?;
        if policy.version < known {
            return Err(PolicyError::Older { known, found: policy.version });
        }
        Ok(policy)
    }

    /// As [`open`](Self::open), for the policy that a gate took before and kept: it holds until a newer one comes, so its
    /// signer's certificate is not compared with now.
    pub fn open_kept(bytes: &[u8], trust: &TrustStore, event: EventId) -> Result<Self, PolicyError> {
        Self::read(envelope::open_kept(Purpose::Policy, bytes, trust, event)?, event)
    }

    fn read(payload: &[u8], event: EventId) -> Result<Self, PolicyError> {
        let policy: Policy = crate::wire::from_cbor(payload).map_err(|_| PolicyError::Encoding)?;
        if policy.event != event.0 {
            return Err(PolicyError::OtherEvent { expected: event, found: policy.event });
        }
        policy.check()?;
        Ok(policy)
    }
}

impl LanePolicy {
    pub fn admits(&self, class: ClassId) -> bool {
        self.classes.is_empty() || self.classes.contains(&class.0)
    }
}
