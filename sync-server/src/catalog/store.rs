//! The SQL of the catalog. Policies are stored as JSON in the shape below; a version once stored is never rewritten, so
//! every field added later has a default.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::model::{
    CatalogError, Class, Entrance, Event, Lane, LaneDirection, LaneRules, Partition, Policy, PolicyRules,
    UnlistedPrinted, Venue,
};
use crate::platform::store::{FromRow, Result, Row, params};
use crate::platform::{StoreError, Tx};

pub async fn next_id(tx: &mut Tx, of: &str) -> Result<u32> {
    let number = tx.next_number(of).await?;
    u32::try_from(number).map_err(|_| StoreError::Shape { detail: format!("the ids of {of} have run out") })
}

fn name_taken(error: StoreError, what: &'static str, name: &str) -> CatalogError {
    if error.is_unique(".name") { CatalogError::NameTaken { what, name: name.into() } } else { error.into() }
}

pub async fn insert_venue(tx: &mut Tx, venue: &Venue, now_ms: i64) -> Result<(), CatalogError> {
    tx.execute(
        "INSERT INTO venues (id, name, time_zone, created_at_ms) VALUES ($1, $2, $3, $4)",
        params![venue.id, &venue.name, &venue.time_zone, now_ms],
    )
    .await
    .map_err(|error| name_taken(error, "venue", &venue.name))?;
    Ok(())
}

pub async fn venue(tx: &mut Tx, id: u32) -> Result<Option<Venue>> {
    let found = tx.query_optional("SELECT id, name, time_zone FROM venues WHERE id = $1", params![id]).await?;
    Ok(found.map(|(id, name, time_zone)| Venue { id, name, time_zone }))
}

pub async fn venue_named(tx: &mut Tx, name: &str) -> Result<Option<u32>> {
    let found: Option<(u32,)> = tx.query_optional("SELECT id FROM venues WHERE name = $1", params![name]).await?;
    Ok(found.map(|(id,)| id))
}

/// Writes an event of another server's catalog with its lanes and classes, over what is here of it.
pub async fn mirror(tx: &mut Tx, event: &Event, lanes: &[Lane], classes: &[Class], now_ms: i64) -> Result<()> {
    let Event { id, venue, name, starts_at_ms, ends_at_ms } = event;
    tx.execute(
        "INSERT INTO events (id, venue_id, name, starts_at_ms, ends_at_ms, created_at_ms) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (id) DO UPDATE SET venue_id = $2, name = $3, starts_at_ms = $4, ends_at_ms = $5",
        params![*id, venue.id, name, *starts_at_ms, *ends_at_ms, now_ms],
    )
    .await?;
    let entrance = |lane: &Lane| params![lane.entrance_id, *id, &lane.entrance, now_ms].to_vec();
    tx.execute_each(
        "INSERT INTO entrances (id, event_id, name, created_at_ms) VALUES ($1, $2, $3, $4)
         ON CONFLICT (id) DO UPDATE SET name = $3",
        &lanes.iter().map(entrance).collect::<Vec<_>>(),
    )
    .await?;
    let lane = |lane: &Lane| params![lane.id, *id, lane.entrance_id, &lane.name, now_ms].to_vec();
    tx.execute_each(
        "INSERT INTO lanes (id, event_id, entrance_id, name, created_at_ms) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (id) DO UPDATE SET entrance_id = $3, name = $4",
        &lanes.iter().map(lane).collect::<Vec<_>>(),
    )
    .await?;
    let class = |class: &Class| {
        let Class { id: number, name, valid_from_ms, valid_until_ms, admissions, flags, .. } = class;
        params![*id, *number, name, *valid_from_ms, *valid_until_ms, *admissions, *flags, now_ms].to_vec()
    };
    tx.execute_each(
        "INSERT INTO classes (event_id, id, name, valid_from_ms, valid_until_ms, admissions, flags, created_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (event_id, id) DO UPDATE SET name = $3, valid_from_ms = $4, valid_until_ms = $5, admissions = $6,
             flags = $7",
        &classes.iter().map(class).collect::<Vec<_>>(),
    )
    .await?;
    Ok(())
}

pub async fn insert_event(tx: &mut Tx, event: &Event, now_ms: i64) -> Result<(), CatalogError> {
    tx.execute(
        "INSERT INTO events (id, venue_id, name, starts_at_ms, ends_at_ms, created_at_ms) VALUES ($1, $2, $3, $4, $5, $6)",
        params![event.id, event.venue.id, &event.name, event.starts_at_ms, event.ends_at_ms, now_ms],
    )
    .await
    .map_err(|error| if error.is_unique("events.id") { CatalogError::EventTaken { id: event.id } } else { error.into() })?;
    Ok(())
}

pub async fn event_ids(tx: &mut Tx) -> Result<BTreeSet<u32>> {
    let rows: Vec<(u32,)> = tx.query("SELECT id FROM events", params![]).await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

const EVENT: &str = "SELECT events.id, events.name, events.starts_at_ms, events.ends_at_ms,
                            venues.id, venues.name, venues.time_zone
                     FROM events JOIN venues ON venues.id = events.venue_id";

impl FromRow for Event {
    fn from_row(row: Row) -> Result<Self> {
        let (id, name, starts_at_ms, ends_at_ms, venue_id, venue_name, time_zone) = FromRow::from_row(row)?;
        let venue = Venue { id: venue_id, name: venue_name, time_zone };
        Ok(Self { id, venue, name, starts_at_ms, ends_at_ms })
    }
}

pub async fn event(tx: &mut Tx, id: u32) -> Result<Option<Event>> {
    tx.query_optional(&format!("{EVENT} WHERE events.id = $1"), params![id]).await
}

pub async fn events(tx: &mut Tx) -> Result<Vec<Event>> {
    tx.query(&format!("{EVENT} ORDER BY events.starts_at_ms, events.id"), params![]).await
}

pub async fn insert_entrance(tx: &mut Tx, entrance: &Entrance, now_ms: i64) -> Result<(), CatalogError> {
    tx.execute(
        "INSERT INTO entrances (id, event_id, name, created_at_ms) VALUES ($1, $2, $3, $4)",
        params![entrance.id, entrance.event_id, &entrance.name, now_ms],
    )
    .await
    .map_err(|error| name_taken(error, "entrance", &entrance.name))?;
    Ok(())
}

pub async fn entrance(tx: &mut Tx, event_id: u32, id: u32) -> Result<Option<Entrance>> {
    let found = tx
        .query_optional(
            "SELECT id, event_id, name FROM entrances WHERE event_id = $1 AND id = $2",
            params![event_id, id],
        )
        .await?;
    Ok(found.map(|(id, event_id, name)| Entrance { id, event_id, name }))
}

pub async fn insert_lane(tx: &mut Tx, lane: &Lane, now_ms: i64) -> Result<(), CatalogError> {
    tx.execute(
        "INSERT INTO lanes (id, event_id, entrance_id, name, created_at_ms) VALUES ($1, $2, $3, $4, $5)",
        params![lane.id, lane.event_id, lane.entrance_id, &lane.name, now_ms],
    )
    .await
    .map_err(|error| name_taken(error, "lane", &lane.name))?;
    Ok(())
}

const LANE: &str = "SELECT lanes.id, lanes.event_id, lanes.name, lanes.entrance_id, entrances.name
                    FROM lanes JOIN entrances ON entrances.id = lanes.entrance_id";

impl FromRow for Lane {
    fn from_row(row: Row) -> Result<Self> {
        let (id, event_id, name, entrance_id, entrance) = FromRow::from_row(row)?;
        Ok(Self { id, event_id, name, entrance_id, entrance })
    }
}

pub async fn lane(tx: &mut Tx, event_id: u32, id: u32) -> Result<Option<Lane>> {
    tx.query_optional(&format!("{LANE} WHERE lanes.event_id = $1 AND lanes.id = $2"), params![event_id, id]).await
}

pub async fn lanes(tx: &mut Tx, event_id: u32) -> Result<Vec<Lane>> {
    tx.query(&format!("{LANE} WHERE lanes.event_id = $1 ORDER BY lanes.id"), params![event_id]).await
}

pub async fn lanes_at_foreign_entrances(tx: &mut Tx) -> Result<Vec<(u32, u32)>> {
    tx.query(
        "SELECT lanes.event_id, lanes.id FROM lanes JOIN entrances ON entrances.id = lanes.entrance_id
         WHERE entrances.event_id <> lanes.event_id",
        params![],
    )
    .await
}

pub async fn insert_class(tx: &mut Tx, class: &Class, now_ms: i64) -> Result<(), CatalogError> {
    tx.execute(
        "INSERT INTO classes (event_id, id, name, valid_from_ms, valid_until_ms, admissions, flags, created_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        params![
            class.event_id,
            class.id,
            &class.name,
            class.valid_from_ms,
            class.valid_until_ms,
            class.admissions,
            class.flags,
            now_ms
        ],
    )
    .await
    .map_err(|error| match error {
        error if error.is_unique("classes.id") => CatalogError::ClassTaken { id: class.id },
        error => name_taken(error, "class", &class.name),
    })?;
    Ok(())
}

const CLASS: &str = "SELECT id, event_id, name, valid_from_ms, valid_until_ms, admissions, flags FROM classes";

impl FromRow for Class {
    fn from_row(row: Row) -> Result<Self> {
        let (id, event_id, name, valid_from_ms, valid_until_ms, admissions, flags) = FromRow::from_row(row)?;
        Ok(Self { id, event_id, name, valid_from_ms, valid_until_ms, admissions, flags })
    }
}

pub async fn class(tx: &mut Tx, event_id: u32, id: u16) -> Result<Option<Class>> {
    tx.query_optional(&format!("{CLASS} WHERE event_id = $1 AND id = $2"), params![event_id, id]).await
}

pub async fn classes(tx: &mut Tx, event_id: u32) -> Result<Vec<Class>> {
    tx.query(&format!("{CLASS} WHERE event_id = $1 ORDER BY id"), params![event_id]).await
}

pub async fn insert_policy(tx: &mut Tx, policy: &Policy, by: &str, now_ms: i64) -> Result<()> {
    let document = serde_json::to_string(&StoredPolicy::from(&policy.rules))
        .map_err(|error| StoreError::Shape { detail: error.to_string() })?;
    tx.execute(
        "INSERT INTO policies (event_id, version, document, created_at_ms, created_by) VALUES ($1, $2, $3, $4, $5)",
        params![policy.event_id, policy.version, document, now_ms, by],
    )
    .await?;
    Ok(())
}

pub async fn newest_policy(tx: &mut Tx, event_id: u32) -> Result<Option<Policy>> {
    let found: Option<(u64, String, i64)> = tx
        .query_optional(
            "SELECT version, document, created_at_ms FROM policies WHERE event_id = $1 ORDER BY version DESC LIMIT 1",
            params![event_id],
        )
        .await?;
    let Some((version, document, put_at_ms)) = found else { return Ok(None) };
    let stored: StoredPolicy = serde_json::from_str(&document)
        .map_err(|error| StoreError::Shape { detail: format!("the policy of event {event_id}: {error}") })?;
    Ok(Some(Policy { event_id, version, put_at_ms, rules: stored.into() }))
}

#[derive(Serialize, Deserialize)]
struct StoredPolicy {
    partition: StoredPartition,
    class_partitions: Vec<(u16, StoredPartition)>,
    freshness_steps: u32,
    printed_classes: Vec<u16>,
    unlisted_printed: StoredUnlisted,
    hold_off_ms: u32,
    lease_hours: u32,
    /// Policies that were put before there was a choice have what holds where nobody says otherwise.
    #[serde(default = "keep_rows_days")]
    keep_rows_days: u32,
    home_groups: u16,
    lanes: Vec<StoredLane>,
}

fn keep_rows_days() -> u32 {
    super::rules::KEEP_ROWS_DAYS
}

#[derive(Serialize, Deserialize)]
struct StoredLane {
    lane_id: u32,
    home_group: u16,
    classes: Vec<u16>,
    /// Absent from what was put before lanes had profiles.
    #[serde(default)]
    out: bool,
    #[serde(default)]
    closed: bool,
    #[serde(default)]
    questions: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", remote = "Partition")]
enum PartitionName {
    Strict,
    Bounded,
    Open,
}

#[derive(Serialize, Deserialize)]
struct StoredPartition(#[serde(with = "PartitionName")] Partition);

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", remote = "UnlistedPrinted")]
enum UnlistedName {
    Refuse,
    Review,
    Admit,
}

#[derive(Serialize, Deserialize)]
struct StoredUnlisted(#[serde(with = "UnlistedName")] UnlistedPrinted);

impl From<&PolicyRules> for StoredPolicy {
    fn from(rules: &PolicyRules) -> Self {
        let lane = |lane: &LaneRules| StoredLane {
            lane_id: lane.lane_id,
            home_group: lane.home_group,
            classes: lane.classes.clone(),
            out: lane.direction == LaneDirection::Out,
            closed: lane.closed,
            questions: lane.questions.clone(),
        };
        Self {
            partition: StoredPartition(rules.partition),
            class_partitions: rules
                .class_partitions
                .iter()
                .map(|(class, own)| (*class, StoredPartition(*own)))
                .collect(),
            freshness_steps: rules.freshness_steps,
            printed_classes: rules.printed_classes.clone(),
            unlisted_printed: StoredUnlisted(rules.unlisted_printed),
            hold_off_ms: rules.hold_off_ms,
            lease_hours: rules.lease_hours,
            keep_rows_days: rules.keep_rows_days,
            home_groups: rules.home_groups,
            lanes: rules.lanes.iter().map(lane).collect(),
        }
    }
}

impl From<StoredPolicy> for PolicyRules {
    fn from(stored: StoredPolicy) -> Self {
        let lane = |lane: StoredLane| LaneRules {
            lane_id: lane.lane_id,
            home_group: lane.home_group,
            classes: lane.classes,
            direction: if lane.out { LaneDirection::Out } else { LaneDirection::In },
            closed: lane.closed,
            questions: lane.questions,
        };
        Self {
            partition: stored.partition.0,
            class_partitions: stored.class_partitions.into_iter().map(|(class, own)| (class, own.0)).collect(),
            freshness_steps: stored.freshness_steps,
            printed_classes: stored.printed_classes,
            unlisted_printed: stored.unlisted_printed.0,
            hold_off_ms: stored.hold_off_ms,
            lease_hours: stored.lease_hours,
            keep_rows_days: stored.keep_rows_days,
            home_groups: stored.home_groups,
            lanes: stored.lanes.into_iter().map(lane).collect(),
        }
    }
}
