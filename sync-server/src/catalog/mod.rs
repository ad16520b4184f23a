//! What there is to be admitted to: venues, events, their entrances and lanes, classes of ticket, and the gates' policy.
//!
//! Owns the tables `venues`, `events`, `entrances`, `lanes`, `classes` and `policies`. Calls the platform only. Other
//! contexts read the catalog through the functions here, within their own transaction.
//!
//! Invariants: ids of entrances and lanes are unique over all events. An event's id never changes and lies within the
//! ranges that the issue certificate named when the event was made (they are an argument: this context knows no keys). A
//! policy is never changed but replaced by one of a higher version, and whatever it names exists. Times lie within what a
//! credential can carry: whole seconds from 1970 to 2106.

pub mod http;
mod model;
mod policy_http;
mod rules;
mod store;
#[cfg(test)]
mod tests;

use std::ops::RangeInclusive;

use crate::platform::Tx;
pub use model::{
    CatalogError, Class, Entrance, Event, Lane, LaneDirection, LaneRules, NewClass, NewEvent, Partition, Policy,
    PolicyRules, UnlistedPrinted, Venue,
};

type Result<T> = std::result::Result<T, CatalogError>;

/// Makes a venue. `time_zone` is a name of the IANA database, as in `Europe/Vienna`.
///
/// # Errors
/// [`CatalogError::Invalid`], [`CatalogError::NameTaken`].
pub async fn create_venue(tx: &mut Tx, name: &str, time_zone: &str, now_ms: i64) -> Result<Venue> {
    rules::check_name("name", name)?;
    let time_zone = rules::check_time_zone(time_zone)?;
    let venue = Venue { id: store::next_id(tx, "venue").await?, name: name.into(), time_zone };
    store::insert_venue(tx, &venue, now_ms).await?;
    Ok(venue)
}

/// Makes an event. `allowed` are the ranges of event ids that the issue certificate names; without an id of the caller's
/// own the lowest free one of them is taken.
///
/// # Errors
/// [`CatalogError::EventNotCertified`], [`CatalogError::EventTaken`], [`CatalogError::NoEventIdLeft`],
/// [`CatalogError::NotFound`] for the venue, [`CatalogError::Invalid`].
pub async fn create_event(tx: &mut Tx, new: &NewEvent, allowed: &[RangeInclusive<u32>], now_ms: i64) -> Result<Event> {
    rules::check_new_event(new)?;
    let venue = store::venue(tx, new.venue_id)
        .await?
        .ok_or(CatalogError::NotFound { what: "venue", id: new.venue_id.into() })?;
    let id = match new.id {
        Some(id) => rules::check_certified(id, allowed)?,
        None => {
            let taken = store::event_ids(tx).await?;
            rules::lowest_free(allowed, &taken).ok_or(CatalogError::NoEventIdLeft)?
        }
    };
    let event = Event { id, venue, name: new.name.clone(), starts_at_ms: new.starts_at_ms, ends_at_ms: new.ends_at_ms };
    store::insert_event(tx, &event, now_ms).await?;
    Ok(event)
}

/// Makes an entrance of an event.
///
/// # Errors
/// [`CatalogError::NotFound`], [`CatalogError::NameTaken`], [`CatalogError::Invalid`].
pub async fn create_entrance(tx: &mut Tx, event_id: u32, name: &str, now_ms: i64) -> Result<Entrance> {
    rules::check_name("name", name)?;
    require_event(tx, event_id).await?;
    let entrance = Entrance { id: store::next_id(tx, "entrance").await?, event_id, name: name.into() };
    store::insert_entrance(tx, &entrance, now_ms).await?;
    Ok(entrance)
}

/// Makes a lane at an entrance of the same event.
///
/// # Errors
/// [`CatalogError::NotFound`], [`CatalogError::NameTaken`], [`CatalogError::TooMany`], [`CatalogError::Invalid`].
pub async fn create_lane(tx: &mut Tx, event_id: u32, entrance_id: u32, name: &str, now_ms: i64) -> Result<Lane> {
    rules::check_name("name", name)?;
    require_event(tx, event_id).await?;
    let lanes = store::lanes(tx, event_id).await?;
    rules::check_lane_count(lanes.len())?;
    let entrance = store::entrance(tx, event_id, entrance_id)
        .await?
        .ok_or(CatalogError::NotFound { what: "entrance", id: entrance_id.into() })?;
    let lane = Lane {
        id: store::next_id(tx, "lane").await?,
        event_id,
        name: name.into(),
        entrance_id,
        entrance: entrance.name,
    };
    store::insert_lane(tx, &lane, now_ms).await?;
    Ok(lane)
}

/// Makes a class of ticket.
///
/// # Errors
/// [`CatalogError::NotFound`], [`CatalogError::ClassTaken`], [`CatalogError::NameTaken`], [`CatalogError::Invalid`].
pub async fn create_class(tx: &mut Tx, event_id: u32, new: &NewClass, now_ms: i64) -> Result<Class> {
    rules::check_new_class(new)?;
    require_event(tx, event_id).await?;
    if store::class(tx, event_id, new.id).await?.is_some() {
        return Err(CatalogError::ClassTaken { id: new.id });
    }
    let class = Class {
        id: new.id,
        event_id,
        name: new.name.clone(),
        valid_from_ms: new.valid_from_ms,
        valid_until_ms: new.valid_until_ms,
        admissions: new.admissions,
        flags: new.flags,
    };
    store::insert_class(tx, &class, now_ms).await?;
    Ok(class)
}

/// Puts a new policy in force. `by` is the actor's reference, for the record.
///
/// # Errors
/// [`CatalogError::NotFound`], [`CatalogError::Invalid`] when it names what does not exist or lies outside its bounds.
pub async fn put_policy(tx: &mut Tx, event_id: u32, rules: PolicyRules, by: &str, now_ms: i64) -> Result<Policy> {
    require_event(tx, event_id).await?;
    let classes: Vec<u16> = store::classes(tx, event_id).await?.iter().map(|class| class.id).collect();
    let lanes: Vec<u32> = store::lanes(tx, event_id).await?.iter().map(|lane| lane.id).collect();
    rules::check_policy(&rules, &lanes, &classes)?;
    let version = store::newest_policy(tx, event_id).await?.map_or(1, |newest| newest.version + 1);
    let policy = Policy { event_id, version, put_at_ms: now_ms, rules };
    store::insert_policy(tx, &policy, by, now_ms).await?;
    Ok(policy)
}

/// The policy in force: the newest that was put, or the default (version 0, `bounded`, as many home groups as the event
/// has entrances) when none was. Every lane of the event is in it, those made after the policy with the default rules.
///
/// # Errors
/// [`CatalogError::NotFound`] for the event.
pub async fn policy(tx: &mut Tx, event_id: u32) -> Result<Policy> {
    require_event(tx, event_id).await?;
    let lanes = store::lanes(tx, event_id).await?;
    let mut policy = match store::newest_policy(tx, event_id).await? {
        Some(policy) => policy,
        None => Policy { event_id, version: 0, put_at_ms: 0, rules: rules::default_policy(&lanes) },
    };
    rules::add_missing_lanes(&mut policy.rules, &lanes);
    Ok(policy)
}

/// Takes an event over from another server's catalog, with its lanes and classes: what has changed there changes here. The
/// venue is known by its name.
///
/// # Errors
/// The store's.
pub async fn mirror(tx: &mut Tx, mut event: Event, lanes: &[Lane], classes: &[Class], now_ms: i64) -> Result<()> {
    event.venue.id = match store::venue_named(tx, &event.venue.name).await? {
        Some(id) => id,
        None => {
            let venue = Venue { id: store::next_id(tx, "venue").await?, ..event.venue.clone() };
            store::insert_venue(tx, &venue, now_ms).await?;
            venue.id
        }
    };
    Ok(store::mirror(tx, &event, lanes, classes, now_ms).await?)
}

/// # Errors
/// [`CatalogError::NotFound`].
pub async fn event(tx: &mut Tx, event_id: u32) -> Result<Event> {
    store::event(tx, event_id).await?.ok_or(CatalogError::NotFound { what: "event", id: event_id.into() })
}

/// All events, those that start first in front.
///
/// # Errors
/// The store's.
pub async fn events(tx: &mut Tx) -> Result<Vec<Event>> {
    Ok(store::events(tx).await?)
}

/// The lanes of an event, by id.
///
/// # Errors
/// [`CatalogError::NotFound`] for the event.
pub async fn lanes(tx: &mut Tx, event_id: u32) -> Result<Vec<Lane>> {
    require_event(tx, event_id).await?;
    Ok(store::lanes(tx, event_id).await?)
}

/// # Errors
/// [`CatalogError::NotFound`] when the event has no such lane.
pub async fn lane(tx: &mut Tx, event_id: u32, lane_id: u32) -> Result<Lane> {
    let lane = store::lane(tx, event_id, lane_id).await?;
    lane.ok_or(CatalogError::NotFound { what: "lane", id: lane_id.into() })
}

/// The classes of an event, by id.
///
/// # Errors
/// [`CatalogError::NotFound`] for the event.
pub async fn classes(tx: &mut Tx, event_id: u32) -> Result<Vec<Class>> {
    require_event(tx, event_id).await?;
    Ok(store::classes(tx, event_id).await?)
}

/// # Errors
/// [`CatalogError::NotFound`] when the event has no such class.
pub async fn class(tx: &mut Tx, event_id: u32, class_id: u16) -> Result<Class> {
    let class = store::class(tx, event_id, class_id).await?;
    class.ok_or(CatalogError::NotFound { what: "class", id: class_id.into() })
}

/// What is wrong with the stored catalog; empty when all is well. For `sync-server check`.
///
/// # Errors
/// The store's.
pub async fn check(tx: &mut Tx) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for (event_id, lane_id) in store::lanes_at_foreign_entrances(tx).await? {
        findings.push(format!("lane {lane_id} of event {event_id} stands at an entrance of another event"));
    }
    for event in store::events(tx).await? {
        if let Err(error) = policy(tx, event.id).await {
            findings.push(format!("the policy of event {} cannot be read: {error}", event.id));
        }
    }
    Ok(findings)
}

async fn require_event(tx: &mut Tx, event_id: u32) -> Result<()> {
    event(tx, event_id).await.map(|_| ())
}
