//! The gates' policy over HTTP.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::http::CatalogState;
use super::{LaneDirection, LaneRules, Partition, Policy, PolicyRules, UnlistedPrinted};
use crate::platform::http::{PathParams, RequestBody};
use crate::platform::problem::ProblemDocument;
use crate::platform::{Actor, Answer, Scope};

#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum PartitionName {
    Strict,
    Bounded,
    Open,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum UnlistedName {
    Refuse,
    Review,
    Admit,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum DirectionName {
    #[default]
    In,
    Out,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ClassPartitionBody {
    class: u16,
    partition: PartitionName,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LaneRulesBody {
    lane_id: u32,
    /// Counted from 0.
    #[serde(default)]
    home_group: u16,
    /// The classes that pass here; empty means all.
    #[serde(default)]
    classes: Vec<u16>,
    /// Which way guests pass: `in` or `out`.
    #[serde(default)]
    direction: DirectionName,
    /// Nobody passes here, until another policy opens the lane.
    #[serde(default)]
    closed: bool,
    /// What staff ask or check of every guest: at most 5, of at most 120 bytes each.
    #[serde(default)]
    questions: Vec<String>,
}

/// What the organiser decides about an event's gates. What is left away has its default.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PolicyRulesBody {
    /// What a lane may do while it cannot hear the others.
    #[serde(default = "defaults::partition")]
    partition: PartitionName,
    /// Classes whose rule differs.
    #[serde(default)]
    class_partitions: Vec<ClassPartitionBody>,
    /// How many 15-second steps a code may be older or newer than now.
    #[serde(default = "defaults::freshness_steps")]
    freshness_steps: u32,
    /// Classes whose printed tickets are accepted.
    #[serde(default)]
    printed_classes: Vec<u16>,
    /// What to do with a printed ticket that a gate's list does not have.
    #[serde(default = "defaults::unlisted_printed")]
    unlisted_printed: UnlistedName,
    /// How long an admitted ticket is ignored after it was last seen.
    #[serde(default = "defaults::hold_off_ms")]
    hold_off_ms: u32,
    /// How long a handheld may work without contact.
    #[serde(default = "defaults::lease_hours")]
    lease_hours: u32,
    /// How many days after the event's end handhelds keep rows (with the codes that they read) that this server has signed
    /// for.
    #[serde(default = "defaults::keep_rows_days")]
    keep_rows_days: u32,
    /// How many groups of lanes share the tickets between them while cut off.
    #[serde(default = "defaults::home_groups")]
    home_groups: u16,
    /// A lane that is not named admits all classes.
    #[serde(default)]
    lanes: Vec<LaneRulesBody>,
}

mod defaults {
    use super::{PartitionName, UnlistedName};

    pub(super) fn partition() -> PartitionName {
        PartitionName::Bounded
    }
    pub(super) fn unlisted_printed() -> UnlistedName {
        UnlistedName::Review
    }
    pub(super) fn freshness_steps() -> u32 {
        2
    }
    pub(super) fn hold_off_ms() -> u32 {
        5_000
    }
    pub(super) fn lease_hours() -> u32 {
        12
    }
    pub(super) fn keep_rows_days() -> u32 {
        super::super::rules::KEEP_ROWS_DAYS
    }
    pub(super) fn home_groups() -> u16 {
        1
    }
}

#[derive(Serialize, ToSchema)]
pub(super) struct PolicyBody {
    /// Rises with every change; 0 for the default that nobody put.
    version: u64,
    #[serde(flatten)]
    rules: PolicyRulesBody,
}

/// Puts a new policy in force. Repeating it puts the same policy under a higher version, which harms nothing.
#[utoipa::path(put, path = "/api/v1/events/{event}/policy", tag = "catalog", request_body = PolicyRulesBody,
    security(("api_key" = [])), params(("event" = u32, Path)),
    responses((status = 200, body = PolicyBody), (status = "4XX", body = ProblemDocument)))]
pub(super) async fn put_policy(
    State(state): State<CatalogState>,
    PathParams(event): PathParams<u32>,
    actor: Actor,
    body: RequestBody,
) -> Answer<Json<PolicyBody>> {
    actor.require_scope(Scope::Catalog)?;
    let rules: PolicyRulesBody = body.json()?;
    let mut tx = state.platform.store.write().await?;
    let now_ms = state.platform.clock.now_ms();
    let policy = super::put_policy(&mut tx, event, rules.into(), &actor.reference(), now_ms).await?;
    tx.commit().await?;
    Ok(Json(policy.into()))
}

/// The policy in force.
#[utoipa::path(get, path = "/api/v1/events/{event}/policy", tag = "catalog", params(("event" = u32, Path)),
    security(("session" = []), ("api_key" = [])),
    responses((status = 200, body = PolicyBody), (status = "4XX", body = ProblemDocument)))]
pub(super) async fn policy(
    State(state): State<CatalogState>,
    PathParams(event): PathParams<u32>,
    actor: Actor,
) -> Answer<Json<PolicyBody>> {
    actor.require_supervisor_or(Scope::Catalog)?;
    let policy = super::policy(&mut state.platform.store.read().await?, event).await?;
    Ok(Json(policy.into()))
}

impl From<PartitionName> for Partition {
    fn from(name: PartitionName) -> Self {
        match name {
            PartitionName::Strict => Self::Strict,
            PartitionName::Bounded => Self::Bounded,
            PartitionName::Open => Self::Open,
        }
    }
}

impl From<Partition> for PartitionName {
    fn from(partition: Partition) -> Self {
        match partition {
            Partition::Strict => Self::Strict,
            Partition::Bounded => Self::Bounded,
            Partition::Open => Self::Open,
        }
    }
}

impl From<DirectionName> for LaneDirection {
    fn from(name: DirectionName) -> Self {
        match name {
            DirectionName::In => Self::In,
            DirectionName::Out => Self::Out,
        }
    }
}

impl From<LaneDirection> for DirectionName {
    fn from(direction: LaneDirection) -> Self {
        match direction {
            LaneDirection::In => Self::In,
            LaneDirection::Out => Self::Out,
        }
    }
}

impl From<UnlistedName> for UnlistedPrinted {
    fn from(name: UnlistedName) -> Self {
        match name {
            UnlistedName::Refuse => Self::Refuse,
            UnlistedName::Review => Self::Review,
            UnlistedName::Admit => Self::Admit,
        }
    }
}

impl From<UnlistedPrinted> for UnlistedName {
    fn from(unlisted: UnlistedPrinted) -> Self {
        match unlisted {
            UnlistedPrinted::Refuse => Self::Refuse,
            UnlistedPrinted::Review => Self::Review,
            UnlistedPrinted::Admit => Self::Admit,
        }
    }
}

impl From<PolicyRulesBody> for PolicyRules {
    fn from(body: PolicyRulesBody) -> Self {
        Self {
            partition: body.partition.into(),
            class_partitions: body.class_partitions.into_iter().map(|own| (own.class, own.partition.into())).collect(),
            freshness_steps: body.freshness_steps,
            printed_classes: body.printed_classes,
            unlisted_printed: body.unlisted_printed.into(),
            hold_off_ms: body.hold_off_ms,
            lease_hours: body.lease_hours,
            keep_rows_days: body.keep_rows_days,
            home_groups: body.home_groups,
            lanes: body
                .lanes
                .into_iter()
                .map(|lane| LaneRules {
                    lane_id: lane.lane_id,
                    home_group: lane.home_group,
                    classes: lane.classes,
                    direction: lane.direction.into(),
                    closed: lane.closed,
                    questions: lane.questions,
                })
                .collect(),
        }
    }
}

impl From<Policy> for PolicyBody {
    fn from(policy: Policy) -> Self {
        let rules = policy.rules;
        let class_partition =
            |(class, partition): (u16, Partition)| ClassPartitionBody { class, partition: partition.into() };
        Self {
            version: policy.version,
            rules: PolicyRulesBody {
                partition: rules.partition.into(),
                class_partitions: rules.class_partitions.into_iter().map(class_partition).collect(),
                freshness_steps: rules.freshness_steps,
                printed_classes: rules.printed_classes,
                unlisted_printed: rules.unlisted_printed.into(),
                hold_off_ms: rules.hold_off_ms,
                lease_hours: rules.lease_hours,
                keep_rows_days: rules.keep_rows_days,
                home_groups: rules.home_groups,
                lanes: rules
                    .lanes
                    .into_iter()
                    .map(|lane| LaneRulesBody {
                        lane_id: lane.lane_id,
                        home_group: lane.home_group,
                        classes: lane.classes,
                        direction: lane.direction.into(),
                        closed: lane.closed,
                        questions: lane.questions,
                    })
                    .collect(),
            },
        }
    }
}
