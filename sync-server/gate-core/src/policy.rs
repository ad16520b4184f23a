//! The signed policy: what the organiser and the supervisors have decided about this event's gates.
//!
//! On the wire it is a CBOR map with text keys (so that `ticket-signer policy` can make one from JSON) in an envelope that a
//! `policy` key signed.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use ticket_signer::{ClassId, EventId, LaneId, Purpose, SecretKey, TicketId, TrustStore, envelope};

use crate::mutant::{Mutant, planted};
use crate::ownership::{Owner, Ownership};
use crate::passage::Direction;

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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LanePolicy {
    pub lane: u32,
    /// As staff call it.
    pub name: String,
    /// The entrance that it stands at, as staff call it.
    pub entrance: String,
    /// The home group that it belongs to: below `home_groups`.
    #[serde(default)]
    pub group: u16,
    /// Classes that pass here; empty means all.
    #[serde(default)]
    pub classes: Vec<u16>,
    /// Which way guests pass.
    #[serde(default)]
    pub direction: Direction,
    /// No guest passes here for now.
    #[serde(default)]
    pub closed: bool,
    /// What staff ask or check of every guest, as they read it.
    #[serde(default)]
    pub questions: Vec<String>,
}

/// What a supervisor changed for a while: it ends by itself, on a handheld that is cut off too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Temporary {
    /// Unix milliseconds.
    pub from_ms: i64,
    /// Unix milliseconds.
    pub until_ms: i64,
    pub change: Change,
}

/// One change of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Of one class, or of all that have no rule of their own.
    Partition {
        class: Option<u16>,
        partition: Partition,
    },
    LaneClosed {
        lane: u32,
        closed: bool,
    },
    LaneClasses {
        lane: u32,
        classes: Vec<u16>,
    },
    LaneDirection {
        lane: u32,
        direction: Direction,
    },
    UnlistedPrinted {
        unlisted_printed: UnlistedPrinted,
    },
    FreshnessSteps {
        freshness_steps: u32,
    },
}

/// A supervisor's word to the staff at some lanes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneMessage {
    /// Rises; a handheld shows each once.
    pub id: u64,
    /// Empty means all.
    #[serde(default)]
    pub lanes: Vec<u32>,
    pub text: String,
    /// Unix milliseconds; nobody needs to read it afterwards.
    pub until_ms: i64,
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
    /// How long a handheld keeps rows that the cloud has signed for, with the codes in them, after the event's end, in
    /// seconds.
    #[serde(default = "defaults::keep_rows_s")]
    pub keep_rows_s: u32,
    /// Classes whose printed tickets are accepted.
    #[serde(default)]
    pub printed_classes: Vec<u16>,
    #[serde(default)]
    pub unlisted_printed: UnlistedPrinted,
    /// How many groups of lanes share the tickets between them while cut off; 1 where the event has one entrance.
    #[serde(default = "defaults::home_groups")]
    pub home_groups: u16,
    pub lanes: Vec<LanePolicy>,
    /// Who owns each home group under the strict rule; a group without a line is the cloud's.
    #[serde(default)]
    pub owners: Vec<Ownership>,
    #[serde(default)]
    pub temporary: Vec<Temporary>,
    #[serde(default)]
    pub messages: Vec<LaneMessage>,
}

/// As a policy that says nothing is read; it has no lanes yet.
impl Default for Policy {
    fn default() -> Self {
        Policy {
            event: 0,
            version: 0,
            issued_at_ms: 0,
            partition: Partition::default(),
            class_partitions: Vec::new(),
            freshness_steps: defaults::freshness_steps(),
            hold_off_ms: defaults::hold_off_ms(),
            lease_s: defaults::lease_s(),
            keep_rows_s: defaults::keep_rows_s(),
            printed_classes: Vec::new(),
            unlisted_printed: UnlistedPrinted::default(),
            home_groups: defaults::home_groups(),
            lanes: Vec::new(),
            owners: Vec::new(),
            temporary: Vec::new(),
            messages: Vec::new(),
        }
    }
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
    pub(super) fn keep_rows_s() -> u32 {
        30 * 86_400
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
    /// Codes stay fresh for ten minutes at most.
    const MAX_FRESHNESS_STEPS: u32 = 40;
    /// The most temporary changes, and the most messages.
    const MAX_NOTES: usize = 100;

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

    /// Lanes that are open to guests of `class` on their way in, to tell one where to go.
    pub fn lanes_for(&self, class: ClassId) -> impl Iterator<Item = &LanePolicy> {
        let open = |lane: &&LanePolicy| !lane.closed && lane.direction == Direction::In;
        self.lanes.iter().filter(open).filter(move |lane| lane.admits(class))
    }

    /// Who owns a home group under the strict rule.
    pub fn ownership(&self, group: u16) -> Ownership {
        self.owners.iter().find(|own| own.group == group).copied().unwrap_or(Ownership::of_the_cloud(group))
    }

    /// What is to be read at `lane` now, the newest last.
    pub fn messages_for(&self, lane: LaneId, now_ms: i64) -> impl Iterator<Item = &LaneMessage> {
        let concerns = move |message: &&LaneMessage| message.lanes.is_empty() || message.lanes.contains(&lane.0);
        self.messages.iter().filter(concerns).filter(move |message| now_ms < message.until_ms)
    }

    /// The policy as it holds at a moment: temporary changes in their time, in their order.
    pub fn at(&self, now_ms: i64) -> Cow<'_, Policy> {
        if !self.temporary.iter().any(|temporary| temporary.holds(now_ms)) {
            return Cow::Borrowed(self);
        }
        let mut policy = self.clone();
        for temporary in self.temporary.iter().filter(|temporary| temporary.holds(now_ms)) {
            policy.apply(&temporary.change);
        }
        Cow::Owned(policy)
    }

    /// The changes that hold at `lane` alone now; later ones go over earlier ones.
    pub fn changes_at(&self, lane: LaneId, now_ms: i64) -> impl DoubleEndedIterator<Item = &Temporary> {
        let here = move |temporary: &&Temporary| temporary.change.lane() == Some(lane.0);
        self.temporary.iter().filter(move |temporary| temporary.holds(now_ms)).filter(here)
    }

    fn apply(&mut self, change: &Change) {
        match change {
            Change::Partition { class: None, partition } => self.partition = *partition,
            Change::Partition { class: Some(class), partition } => {
                self.class_partitions.retain(|own| own.class != *class);
                self.class_partitions.push(ClassPartition { class: *class, partition: *partition });
            }
            Change::LaneClosed { lane, closed } => self.at_lane(*lane, |lane| lane.closed = *closed),
            Change::LaneClasses { lane, classes } => self.at_lane(*lane, |lane| lane.classes.clone_from(classes)),
            Change::LaneDirection { lane, direction } => self.at_lane(*lane, |lane| lane.direction = *direction),
            Change::UnlistedPrinted { unlisted_printed } => self.unlisted_printed = *unlisted_printed,
            Change::FreshnessSteps { freshness_steps } => self.freshness_steps = *freshness_steps,
        }
    }

    fn at_lane(&mut self, wanted: u32, change: impl FnOnce(&mut LanePolicy)) {
        if let Some(lane) = self.lanes.iter_mut().find(|lane| lane.lane == wanted) {
            change(lane);
        }
    }

    /// Says what is wrong with a policy that somebody wrote.
    pub fn check(&self) -> Result<(), PolicyError> {
        let lanes_apart =
            self.lanes.iter().enumerate().all(|(at, lane)| self.lanes[at + 1..].iter().all(|o| o.lane != lane.lane));
        let known = |lane: u32| self.lane(LaneId(lane)).is_some();
        let names_lane = |change: &Change| change.lane().is_none_or(known);
        let too_fresh = |change: &Change| matches!(change, Change::FreshnessSteps { freshness_steps } if *freshness_steps > Self::MAX_FRESHNESS_STEPS);
        let groups_apart =
            self.owners.iter().enumerate().all(|(at, own)| self.owners[at + 1..].iter().all(|o| o.group != own.group));
        let owner_known = |own: &Ownership| match own.owner {
            Owner::Node(_) => true,
            Owner::Lane { lane, .. } => known(lane),
        };
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
        } else if self.freshness_steps > Self::MAX_FRESHNESS_STEPS
            || self.temporary.iter().any(|temporary| too_fresh(&temporary.change))
        {
            "codes would stay fresh for more than ten minutes (40 steps)"
        } else if self.hold_off_ms > 60_000 {
            "the hold-off is longer than a minute (60,000 ms)"
        } else if !(60..=7 * 86_400).contains(&self.lease_s) {
            "the lease must be between one minute and seven days"
        } else if self.keep_rows_s > 3_660 * 86_400 {
            "handhelds would keep rows for more than ten years"
        } else if !groups_apart || self.owners.iter().any(|own| own.group >= self.home_groups) {
            "the owners name a group twice, or one that does not exist"
        } else if !self.owners.iter().all(owner_known) {
            "an owner stands at a lane that the policy does not name"
        } else if self.temporary.iter().any(|temporary| temporary.from_ms >= temporary.until_ms) {
            "a temporary change ends before it begins"
        } else if !self.temporary.iter().all(|temporary| names_lane(&temporary.change)) {
            "a temporary change names a lane that the policy does not have"
        } else if self.temporary.len() > Self::MAX_NOTES || self.messages.len() > Self::MAX_NOTES {
            "it has more than 100 temporary changes or messages; end some first"
        } else if self.messages.iter().any(|message| message.text.trim().is_empty() || message.text.len() > 500) {
            "a message to the lanes is empty or longer than 500 bytes"
        } else if self.lanes.iter().any(LanePolicy::asks_too_much) {
            "a lane asks more than 5 questions, or one that is empty or longer than 120 bytes"
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

impl Temporary {
    fn holds(&self, now_ms: i64) -> bool {
        (self.from_ms..self.until_ms).contains(&now_ms)
            || (planted(Mutant::TemporaryNeverEnds) && now_ms >= self.from_ms)
    }
}

impl Change {
    /// The one lane that it concerns; `None` when it concerns all.
    fn lane(&self) -> Option<u32> {
        match self {
            Self::LaneClosed { lane, .. } | Self::LaneClasses { lane, .. } | Self::LaneDirection { lane, .. } => {
                Some(*lane)
            }
            Self::Partition { .. } | Self::UnlistedPrinted { .. } | Self::FreshnessSteps { .. } => None,
        }
    }
}

impl LanePolicy {
    pub fn admits(&self, class: ClassId) -> bool {
        self.classes.is_empty() || self.classes.contains(&class.0)
    }

    fn asks_too_much(&self) -> bool {
        let wrong = |question: &String| question.trim().is_empty() || question.len() > 120;
        self.questions.len() > 5 || self.questions.iter().any(wrong)
    }
}
