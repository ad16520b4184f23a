//! The signed policy: the catalog's rules with the lanes' names, under a version of its own that rises when they change.

use gate_core::passage::Direction;
use gate_core::policy::{ClassPartition, LanePolicy, Partition, Policy, UnlistedPrinted};
use sha2::{Digest as _, Sha256};
use ticket_signer::{EventId, Role};

use super::model::GateError;
use super::{Gate, Result, decisions, store};
use crate::catalog;
use crate::platform::Tx;

/// A policy as gates get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SignedPolicy {
    pub version: u64,
    pub bytes: Vec<u8>,
    pub lease_s: i64,
}

/// The policy in force, signed. While no key may sign it is the one that was signed last: the gates go on with that.
pub(super) async fn current(gate: &Gate, tx: &mut Tx, event_id: u32) -> Result<Option<SignedPolicy>> {
    match signed(gate, tx, event_id).await {
        Err(error @ GateError::KeyMissing { .. }) => {
            let Some((version, _, bytes)) = store::newest_policy(tx, event_id).await? else { return Err(error) };
            tracing::warn!(event_id, version, %error, "the gates keep the policy that was signed last");
            let now_ms = gate.platform.clock.now_ms();
            let lease_s = i64::from(composed(tx, event_id, now_ms).await?.lease_s);
            Ok(Some(SignedPolicy { version, bytes, lease_s }))
        }
        signed => signed,
    }
}

/// The policy in force, signed; signs a new version if what it says has changed since the last. `None` without lanes.
pub(super) async fn signed(gate: &Gate, tx: &mut Tx, event_id: u32) -> Result<Option<SignedPolicy>> {
    let now_ms = gate.platform.clock.now_ms();
    let mut policy = composed(tx, event_id, now_ms).await?;
    let lease_s = i64::from(policy.lease_s);
    if policy.lanes.is_empty() {
        return Ok(None);
    }
    let content: [u8; 32] = Sha256::digest(gate_core::wire::to_cbor(&policy)?).into();
    let newest = store::newest_policy(tx, event_id).await?;
    if let Some((version, _, bytes)) = newest.clone().filter(|(_, known, _)| *known == content) {
        return Ok(Some(SignedPolicy { version, bytes, lease_s }));
    }
    // Above what a server had given that was restored from an older copy: gates take no lower version.
    let now_s = now_ms.div_euclid(1_000).unsigned_abs();
    policy.version = newest.map_or(1, |(version, _, _)| version + 1).max(now_s);
    policy.issued_at_ms = now_ms;
    let may = gate.keys.may_sign(Role::Policy, EventId(event_id), now_ms.div_euclid(1_000));
    let key = gate.keys.signing_key(Role::Policy).filter(|_| may);
    let bytes = policy.seal(key.ok_or(GateError::KeyMissing { role: "policy", event: event_id })?)?;
    store::insert_policy(tx, event_id, policy.version, &content, &bytes).await?;
    Ok(Some(SignedPolicy { version: policy.version, bytes, lease_s }))
}

/// Whether what the policy says has changed since it was signed last.
pub(super) async fn is_outdated(tx: &mut Tx, event_id: u32, now_ms: i64) -> Result<bool> {
    let policy = composed(tx, event_id, now_ms).await?;
    let content: [u8; 32] = Sha256::digest(gate_core::wire::to_cbor(&policy)?).into();
    let newest = store::newest_policy(tx, event_id).await?;
    Ok(!policy.lanes.is_empty() && newest.is_none_or(|(_, known, _)| known != content))
}

/// What the gates go by: what is composed here, or at an edge the upstream's newest signed policy.
pub(super) async fn in_force(gate: &Gate, tx: &mut Tx, event_id: u32, now_ms: i64) -> Result<Policy> {
    let Some(standing) = &gate.edge else { return composed(tx, event_id, now_ms).await };
    let (kept, trust) = (store::newest_policy(tx, event_id).await?, standing.trust(event_id));
    match (kept, trust) {
        (Some((_, _, bytes)), Some(trust)) => Ok(Policy::open_kept(&bytes, &trust, EventId(event_id))?),
        _ => Ok(Policy::default()),
    }
}

/// What the policy says with the decisions whose time is not over; version and time of issue are left at zero.
pub(super) async fn composed(tx: &mut Tx, event_id: u32, now_ms: i64) -> Result<Policy> {
    let rules = catalog::policy(tx, event_id).await?.rules;
    let lanes = catalog::lanes(tx, event_id).await?;
    let lane = |rules: &catalog::LaneRules| {
        let lane = lanes.iter().find(|lane| lane.id == rules.lane_id)?;
        Some(LanePolicy {
            lane: lane.id,
            name: lane.name.clone(),
            entrance: lane.entrance.clone(),
            group: rules.home_group,
            classes: rules.classes.clone(),
            direction: match rules.direction {
                catalog::LaneDirection::In => Direction::In,
                catalog::LaneDirection::Out => Direction::Out,
            },
            closed: rules.closed,
            questions: rules.questions.clone(),
        })
    };
    let partitions = rules.class_partitions.iter();
    let mut policy = Policy {
        event: event_id,
        version: 0,
        issued_at_ms: 0,
        partition: partition(rules.partition),
        class_partitions: partitions
            .map(|(class, own)| ClassPartition { class: *class, partition: partition(*own) })
            .collect(),
        freshness_steps: rules.freshness_steps,
        hold_off_ms: rules.hold_off_ms,
        lease_s: rules.lease_hours.saturating_mul(3_600),
        keep_rows_s: rules.keep_rows_days.saturating_mul(86_400),
        printed_classes: rules.printed_classes.clone(),
        unlisted_printed: match rules.unlisted_printed {
            catalog::UnlistedPrinted::Refuse => UnlistedPrinted::Refuse,
            catalog::UnlistedPrinted::Review => UnlistedPrinted::Review,
            catalog::UnlistedPrinted::Admit => UnlistedPrinted::Admit,
        },
        home_groups: rules.home_groups,
        lanes: rules.lanes.iter().filter_map(lane).collect(),
        ..Policy::default()
    };
    decisions::add(&mut policy, store::decisions(tx, event_id, now_ms).await?);
    Ok(policy)
}

fn partition(rule: catalog::Partition) -> Partition {
    match rule {
        catalog::Partition::Strict => Partition::Strict,
        catalog::Partition::Bounded => Partition::Bounded,
        catalog::Partition::Open => Partition::Open,
    }
}
