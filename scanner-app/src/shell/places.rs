//! The handheld's place between its rows, its meaning and its names.

use std::sync::Arc;

use gate_core::Policy;
use gate_core::staff::SealedStaff;
use jiff::tz::TimeZone;
use ticket_signer::{DeviceId, EventId, PublicKey, TrustStore};

use super::journal::{ConfirmedRecord, Journal, JournalError, StationRecord};
use crate::core::engine::{Engine, ListNews, Place};
use crate::core::present::{LaneName, Naming, named_conflict};
use crate::core::station::{Checked, Station};

/// Where the handheld stands, by its database.
#[derive(Debug, Clone)]
pub enum Standing {
    Nowhere,
    /// A place was asked for.
    Pending(StationRecord),
    Placed(StationRecord, Arc<Station>),
    /// Wiped, and some of its rows may still wait for their receipts.
    Wiped(StationRecord, Arc<Station>),
}

/// Reads it. What was kept was checked when it came; keys and policy are checked again all the same.
pub fn load(journal: &Journal) -> Result<Standing, JournalError> {
    let Some(record) = journal.station()? else { return Ok(Standing::Nowhere) };
    let Some(confirmed) = &record.confirmed else { return Ok(Standing::Pending(record)) };
    let root = PublicKey::from_bytes(&confirmed.root).map_err(|_| JournalError::Content("the root's key"))?;
    if root.fingerprint() != record.root_fingerprint {
        return Err(JournalError::Content("a root's key other than the pinned one"));
    }
    let mut trust = TrustStore::new(root, confirmed.organiser.clone());
    for bytes in &confirmed.certificates {
        trust.add_certificate(bytes).map_err(|_| JournalError::Content("a certificate"))?;
    }
    for bytes in &confirmed.revocations {
        trust.add_revocation(bytes).map_err(|_| JournalError::Content("a key revocation"))?;
    }
    let event = EventId(confirmed.event.id);
    // A policy whose key was revoked since is no policy: the gate then says that it is not ready.
    let policy = confirmed.policy.as_deref().and_then(|bytes| match Policy::open_kept(bytes, &trust, event) {
        Ok(policy) => Some(policy),
        Err(error) => {
            tracing::warn!(%error, "the kept policy no longer holds");
            None
        }
    });
    let station = Station {
        staff: staff(journal, &trust, event, record.device)?,
        device: record.device,
        server: record.server.clone(),
        trust,
        event: confirmed.event.clone(),
        lane: confirmed.lane,
        lease_until_ms: confirmed.lease_until_ms,
        minimum_list_version: confirmed.minimum_list_version,
        policy,
    };
    let station = Arc::new(station);
    Ok(match journal.wiped()? {
        Some(_) => Standing::Wiped(record, station),
        None => Standing::Placed(record, station),
    })
}

/// The list of staff that was kept, if it is still this device's and its signer believed.
fn staff(
    journal: &Journal,
    trust: &TrustStore,
    event: EventId,
    device: DeviceId,
) -> Result<Option<SealedStaff>, JournalError> {
    let Some(bytes) = journal.staff()? else { return Ok(None) };
    let opened = SealedStaff::open_kept(&bytes, trust, event, device);
    Ok(opened.inspect_err(|error| tracing::warn!(%error, "the kept list of staff no longer holds")).ok())
}

/// The rows of a bundle that was checked.
pub fn record(checked: &Checked, device_certificate: &[u8]) -> ConfirmedRecord {
    let station = &checked.station;
    ConfirmedRecord {
        root: checked.root,
        organiser: station.trust.organiser().to_owned(),
        event: station.event.clone(),
        lane: station.lane,
        device_certificate: device_certificate.to_vec(),
        lease_until_ms: station.lease_until_ms,
        minimum_list_version: station.minimum_list_version,
        policy: checked.policy.clone(),
        certificates: checked.certificates.clone(),
        revocations: checked.revocations.clone(),
    }
}

/// What things are called here.
pub fn naming(journal: &Journal, station: &Station) -> Result<Naming, JournalError> {
    let lanes = station.policy.iter().flat_map(|policy| &policy.lanes);
    Ok(Naming {
        event: station.event.name.clone(),
        venue: station.event.venue.clone(),
        zone: TimeZone::get(&station.event.time_zone).unwrap_or(TimeZone::UTC),
        lane: station.lane,
        lanes: lanes
            .map(|lane| LaneName {
                lane: ticket_signer::LaneId(lane.lane),
                name: lane.name.clone(),
                entrance: lane.entrance.clone(),
            })
            .collect(),
        classes: journal.classes(station.event_id())?,
        device: station.device,
    })
}

/// The place as the engine sees it. `counting`: with conflicts and counts, which cost a look at every admission.
pub fn place(journal: &Journal, station: &Station, counting: Option<i64>) -> Result<Place, JournalError> {
    let event = station.event_id();
    let naming = naming(journal, station)?;
    let progress = journal.progress()?;
    let mut conflicts = Vec::new();
    let mut admitted_here = 0;
    if let Some(now_ms) = counting {
        let found = journal.conflicts(event, Engine::CONFLICTS_MAX)?;
        conflicts = found.into_iter().map(|(class, found)| named_conflict(class, found, &naming, now_ms)).collect();
        admitted_here = journal.admitted_here(station.device)?;
    }
    let list = journal.live_list(event)?.map(|list| ListNews {
        version: list.version,
        tickets: list.tickets,
        revoked: list.revoked,
        issued_at_ms: list.issued_at_s * 1000,
        expires_at_ms: list.expires_at_s * 1000,
    });
    Ok(Place {
        naming,
        server: station.server.clone(),
        policy: station.policy.clone(),
        hold_off_ms: station.policy.as_ref().map_or(5_000, |policy| policy.hold_off_ms),
        list,
        head_seq: progress.head.seq,
        receipted_seq: progress.receipted_seq,
        admitted_here,
        conflicts,
    })
}
