//! The upstream's side of a venue's edge: whom it brings, what it needs to know, and whether it is heard.
//!
//! Invariant: an edge brings rows and is believed in nothing else. Each row is checked by its own device's key, and what an
//! edge is told is for showing and for knowing its lanes.

use gate_core::request;
use gate_core::row::RowBody;
use gate_core::wire::v1::{
    EDGE_HEADER, EdgeAnswer, EdgeClass, EdgeDevice, EdgeLane, EdgeReport, EventInfo, ScanUpload,
};
use serde_bytes::ByteBuf;
use ticket_signer::DeviceId;

use super::http::SignedRequest;
use super::model::{Device, DeviceKind, DeviceState, GateError};
use super::{Gate, Result, edge, store};
use crate::catalog;
use crate::platform::Tx;
use crate::platform::config::PublicUrl;

/// Without a word from an edge for this long its lanes are not heard, in milliseconds.
const SILENT_MS: i64 = 20_000;

/// The edge that handed the request on; `None` where the device sent it itself.
async fn handed_on_by(tx: &mut Tx, event_id: u32, request: &SignedRequest<'_>) -> Result<Option<DeviceId>> {
    let Some(header) = request.headers.get(EDGE_HEADER) else { return Ok(None) };
    let claim = request::parse(header.to_str().unwrap_or_default())?;
    let edge = store::device(tx, claim.device).await?.ok_or(GateError::DeviceUnknown)?;
    claim.verify(&edge.key, request.method.as_str(), request.target(), request.body)?;
    let is_edge = edge.kind == DeviceKind::Edge && edge.state == DeviceState::Confirmed && edge.event_id == event_id;
    if is_edge { Ok(Some(edge.id)) } else { Err(GateError::NotAnEdge) }
}

/// Notes which way a lane's messages come, when it is another than before.
pub(super) async fn note_way(gate: &Gate, tx: &mut Tx, device: &Device, request: &SignedRequest<'_>) -> Result<()> {
    if device.kind == DeviceKind::Edge || gate.edge.is_some() {
        return Ok(());
    }
    let edge = handed_on_by(tx, device.event_id, request).await?;
    if edge != device.edge {
        let mut tx = gate.platform.store.write().await?;
        store::note_edge(&mut tx, device.id, edge).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Whose rows an upload has: the sender's, or those of a lane that an edge brings. An edge's upload has rows of one device.
pub(super) async fn rows_device(gate: &Gate, sender: Device, upload: &ScanUpload) -> Result<Device> {
    if sender.kind == DeviceKind::Lane {
        return Ok(sender);
    }
    let first = upload.rows.first().and_then(|row| RowBody::from_bytes(&row.bytes).ok());
    let id = first.ok_or(GateError::DeviceUnknown)?.device;
    let mut tx = gate.platform.store.read().await?;
    let device = store::device(&mut tx, id).await?.ok_or(GateError::DeviceNotFound(id))?;
    if device.state == DeviceState::Pending {
        Err(GateError::DeviceUnconfirmed)
    } else if device.event_id == sender.event_id {
        Ok(device)
    } else {
        Err(GateError::OtherEvent { own: device.event_id, asked: sender.event_id })
    }
}

/// Takes an edge's report, and says what it needs to know.
pub(super) async fn report(gate: &Gate, edge: &Device, report: &EdgeReport) -> Result<EdgeAnswer> {
    if edge.kind != DeviceKind::Edge {
        return Err(GateError::NotAnEdge);
    }
    if PublicUrl::parse(&report.server).is_err() {
        return Err(GateError::EdgeAddress);
    }
    let now_ms = gate.platform.clock.now_ms();
    let mut tx = gate.platform.store.write().await?;
    store::note_contact(&mut tx, edge.id, now_ms).await?;
    store::note_address(&mut tx, edge.id, &report.server, &report.tls_pin).await?;
    if report.settled {
        store::note_settled(&mut tx, edge.id, now_ms).await?;
    }
    let devices = store::devices(&mut tx, edge.event_id).await?;
    for contact in &report.lanes {
        let known = devices.iter().find(|device| device.id.0 == contact.device && device.kind == DeviceKind::Lane);
        let Some(known) = known else { continue };
        let at_ms = contact.at_ms.min(now_ms);
        if known.last_contact_ms.is_none_or(|last| last < at_ms) {
            store::note_contact(&mut tx, known.id, at_ms).await?;
            store::note_edge(&mut tx, known.id, Some(edge.id)).await?;
        }
    }
    let answer = answer(&mut tx, edge).await?;
    tx.commit().await?;
    Ok(answer)
}

async fn answer(tx: &mut Tx, edge: &Device) -> Result<EdgeAnswer> {
    let event_id = edge.event_id;
    let class = |class: catalog::Class| EdgeClass {
        id: class.id,
        name: class.name,
        valid_from_ms: class.valid_from_ms,
        valid_until_ms: class.valid_until_ms,
        admissions: class.admissions,
        flags: class.flags,
    };
    let lane = |lane: catalog::Lane| EdgeLane {
        id: lane.id,
        name: lane.name,
        entrance_id: lane.entrance_id,
        entrance: lane.entrance,
    };
    let device = |device: Device| EdgeDevice {
        id: device.id.0,
        lane: device.lane_id,
        name: device.name,
        version: device.version,
        key: device.key.to_bytes().into(),
        state: device.state.as_str().to_owned(),
        enrolled_at_ms: device.enrolled_at_ms,
        certificate: device.certificate.map(ByteBuf::from),
        lease_until_ms: device.lease_until_ms,
        here: device.edge == Some(edge.id),
    };
    let devices = store::devices(tx, event_id).await?;
    Ok(EdgeAnswer {
        event: event_info(catalog::event(tx, event_id).await?),
        classes: catalog::classes(tx, event_id).await?.into_iter().map(class).collect(),
        lanes: catalog::lanes(tx, event_id).await?.into_iter().map(lane).collect(),
        devices: devices.into_iter().filter(|device| device.kind == DeviceKind::Lane).map(device).collect(),
    })
}

/// The event as gates and edges are told of it.
pub(super) fn event_info(event: catalog::Event) -> EventInfo {
    EventInfo {
        id: event.id,
        name: event.name,
        venue: event.venue.name,
        time_zone: event.venue.time_zone,
        starts_at_ms: event.starts_at_ms,
        ends_at_ms: event.ends_at_ms,
    }
}

/// Whether everything that lanes of the event did a moment ago is here, as far as they are in touch with anybody.
pub(super) async fn all_heard(gate: &Gate, tx: &mut Tx, event_id: u32, (heard, now_ms): (bool, i64)) -> Result<bool> {
    if let Some(standing) = &gate.edge {
        return Ok(edge::all_heard(standing, tx, event_id, heard).await?);
    }
    Ok(store::silent_edges(tx, event_id, (now_ms - SILENT_MS, now_ms)).await? == 0)
}
