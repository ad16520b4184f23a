//! The signed policy, as far as a row can be held against it.

use std::borrow::Cow;

use ciborium::Value;
use sha2::{Digest as _, Sha256};

use crate::envelope::{Envelope, Purpose};
use crate::fault::Fault;
use crate::ids::{ClassId, DeviceId, EventId, LaneId, TicketId};
use crate::payload::{Map, int, ints};
use crate::row::Direction;
use crate::trust::Trust;

/// The most steps that any policy may let a code be off: beyond them no gate admits.
pub const MOST_FRESHNESS_STEPS: u32 = 40;

/// What lanes may do while they cannot hear each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partition {
    Strict,
    Bounded,
    Open,
}

/// What happens to a printed ticket that the list does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnlistedPrinted {
    Refuse,
    Review,
    Admit,
}

/// One lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    pub lane: LaneId,
    /// Empty means all.
    pub classes: Vec<ClassId>,
    pub direction: Direction,
    pub closed: bool,
}

/// Who owns a home group under the strict rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// A server; it grants.
    Node,
    /// A device; it admits by itself.
    Device(DeviceId),
}

/// The ownership of one home group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ownership {
    pub owner: Owner,
    pub epoch: u64,
    /// Unix milliseconds, exclusive.
    pub until_ms: i64,
    /// Asked to stop, or not settled: nobody decides alone.
    pub suspended: bool,
}

/// One event's policy of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    pub event: EventId,
    pub version: u64,
    pub freshness_steps: u32,
    pub printed_classes: Vec<ClassId>,
    pub unlisted_printed: UnlistedPrinted,
    partition: Partition,
    class_partitions: Vec<(ClassId, Partition)>,
    home_groups: u16,
    lanes: Vec<Lane>,
    owners: Vec<(u16, Ownership)>,
    temporary: Vec<(i64, i64, Change)>,
}

/// What a supervisor changed for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Change {
    Partition(Option<ClassId>, Partition),
    LaneClosed(LaneId, bool),
    LaneClasses(LaneId, Vec<ClassId>),
    LaneDirection(LaneId, Direction),
    UnlistedPrinted(UnlistedPrinted),
    FreshnessSteps(u32),
    /// Of a newer version; what it changes is not looked at.
    Other,
}

impl Policy {
    /// Checks form, signer and signature; the signer must have been certified when the policy was issued.
    pub fn open(bytes: &[u8], trust: &Trust) -> Result<Self, Fault> {
        let envelope = Envelope::read(Purpose::Policy, bytes)?;
        let mut map = Map::read(envelope.payload)?;
        let event = map.int("event")?;
        let issued_at_ms: i64 = map.int("issued_at_ms")?;
        envelope.verify(trust, event, Some(issued_at_ms.div_euclid(1000)))?;
        let policy = Policy {
            event,
            version: map.int("version")?,
            freshness_steps: map.int_or("freshness_steps", 2)?,
            printed_classes: ints(&map.list("printed_classes")?)?,
            unlisted_printed: map.find("unlisted_printed")?.map_or(Ok(UnlistedPrinted::Review), unlisted_printed)?,
            partition: map.find("partition")?.map_or(Ok(Partition::Bounded), partition)?,
            class_partitions: each(map.list("class_partitions")?, |mut own| {
                Ok((own.int("class")?, partition(own.need("partition")?)?))
            })?,
            home_groups: map.int_or("home_groups", 1)?,
            lanes: each(map.list("lanes")?, lane)?,
            owners: each(map.list("owners")?, ownership)?,
            temporary: each(map.list("temporary")?, |mut own| {
                Ok((own.int("from_ms")?, own.int("until_ms")?, change(own.need("change")?)?))
            })?,
        };
        let steps = policy.temporary.iter().filter_map(|(_, _, change)| match change {
            Change::FreshnessSteps(steps) => Some(*steps),
            _ => None,
        });
        let most = steps.fold(policy.freshness_steps, u32::max);
        if most > MOST_FRESHNESS_STEPS || policy.home_groups == 0 { Err(Fault::Payload) } else { Ok(policy) }
    }

    /// The policy as it holds at a moment, temporary changes in their order.
    pub fn at(&self, now_ms: i64) -> Cow<'_, Policy> {
        let mut policy = Cow::Borrowed(self);
        for (_, _, change) in self.temporary.iter().filter(|(from, until, _)| (*from..*until).contains(&now_ms)) {
            let policy = policy.to_mut();
            match change {
                Change::Partition(None, partition) => policy.partition = *partition,
                Change::Partition(Some(class), partition) => {
                    policy.class_partitions.retain(|(own, _)| own != class);
                    policy.class_partitions.push((*class, *partition));
                }
                Change::LaneClosed(lane, closed) => policy.with_lane(*lane, |own| own.closed = *closed),
                Change::LaneClasses(lane, classes) => policy.with_lane(*lane, |own| own.classes.clone_from(classes)),
                Change::LaneDirection(lane, direction) => policy.with_lane(*lane, |own| own.direction = *direction),
                Change::UnlistedPrinted(unlisted) => policy.unlisted_printed = *unlisted,
                Change::FreshnessSteps(steps) => policy.freshness_steps = *steps,
                Change::Other => {}
            }
        }
        policy
    }

    fn with_lane(&mut self, lane: LaneId, change: impl FnOnce(&mut Lane)) {
        if let Some(own) = self.lanes.iter_mut().find(|own| own.lane == lane) {
            change(own);
        }
    }

    pub fn lane(&self, lane: LaneId) -> Option<&Lane> {
        self.lanes.iter().find(|own| own.lane == lane)
    }

    pub fn partition_of(&self, class: ClassId) -> Partition {
        let own = self.class_partitions.iter().find(|(own, _)| *own == class);
        own.map_or(self.partition, |(_, partition)| *partition)
    }

    /// Who may decide about a ticket under the strict rule.
    pub fn ownership(&self, class: ClassId, ticket: TicketId) -> Ownership {
        let digest = Sha256::new()
            .chain_update(b"turnstone.home-group.v1\0")
            .chain_update(class.to_be_bytes())
            .chain_update(ticket.0.to_be_bytes())
            .finalize();
        // The remainder of the first 8 bytes as one number, taken byte by byte.
        let groups = u32::from(self.home_groups.max(1));
        let group = digest.iter().take(8).fold(0u32, |rest, byte| (rest * 256 + u32::from(*byte)) % groups);
        let own = self.owners.iter().find(|(own, _)| u32::from(*own) == group).map(|(_, ownership)| *ownership);
        own.unwrap_or(Ownership { owner: Owner::Node, epoch: 0, until_ms: i64::MAX, suspended: false })
    }
}

fn each<T>(values: Vec<Value>, read: impl Fn(Map) -> Result<T, Fault>) -> Result<Vec<T>, Fault> {
    values.into_iter().map(|value| Map::of(value).and_then(&read)).collect()
}

fn text(value: &Value) -> Result<&str, Fault> {
    value.as_text().ok_or(Fault::Payload)
}

fn partition(value: Value) -> Result<Partition, Fault> {
    match text(&value)? {
        "strict" => Ok(Partition::Strict),
        "bounded" => Ok(Partition::Bounded),
        "open" => Ok(Partition::Open),
        _ => Err(Fault::Payload),
    }
}

fn unlisted_printed(value: Value) -> Result<UnlistedPrinted, Fault> {
    match text(&value)? {
        "refuse" => Ok(UnlistedPrinted::Refuse),
        "review" => Ok(UnlistedPrinted::Review),
        "admit" => Ok(UnlistedPrinted::Admit),
        _ => Err(Fault::Payload),
    }
}

fn direction(value: Value) -> Result<Direction, Fault> {
    match text(&value)? {
        "in" => Ok(Direction::In),
        "out" => Ok(Direction::Out),
        _ => Err(Fault::Payload),
    }
}

fn lane(mut map: Map) -> Result<Lane, Fault> {
    Ok(Lane {
        lane: map.int("lane")?,
        classes: ints(&map.list("classes")?)?,
        direction: map.find("direction")?.map_or(Ok(Direction::In), direction)?,
        closed: map.bool_or("closed", false)?,
    })
}

fn ownership(mut map: Map) -> Result<(u16, Ownership), Fault> {
    let (kind, value) = Map::of(map.need("owner")?)?.single()?;
    let owner = match kind.as_str() {
        "node" => int::<u64>(&value).map(|_| Owner::Node)?,
        "lane" => Owner::Device(DeviceId(Map::of(value)?.int("device")?)),
        _ => return Err(Fault::Payload),
    };
    let suspended = map.bool_or("releasing", false)? | map.bool_or("unsettled", false)?;
    Ok((map.int("group")?, Ownership { owner, epoch: map.int("epoch")?, until_ms: map.int("until_ms")?, suspended }))
}

fn change(value: Value) -> Result<Change, Fault> {
    let (kind, value) = Map::of(value)?.single()?;
    let mut map = Map::of(value)?;
    Ok(match kind.as_str() {
        "partition" => {
            let class = map.find("class")?.map(|class| int(&class)).transpose()?;
            Change::Partition(class, partition(map.need("partition")?)?)
        }
        "lane_closed" => Change::LaneClosed(map.int("lane")?, map.bool_or("closed", false)?),
        "lane_classes" => Change::LaneClasses(map.int("lane")?, ints(&map.list("classes")?)?),
        "lane_direction" => Change::LaneDirection(map.int("lane")?, direction(map.need("direction")?)?),
        "unlisted_printed" => Change::UnlistedPrinted(unlisted_printed(map.need("unlisted_printed")?)?),
        "freshness_steps" => Change::FreshnessSteps(map.int("freshness_steps")?),
        _ => Change::Other,
    })
}
