//! What a confirmed handheld needs to work: whom to believe, where it stands, the policy, the time.

use gate_core::staff::SealedStaff;
use gate_core::wire::v1::{SignedTime, StationBundle};
use serde_bytes::ByteBuf;
use ticket_signer::{EventId, Role};

use super::model::{Device, GateError};
use super::{Gate, Result, devices, edges, policies, store};
use crate::platform::Tx;
use crate::{accounts, catalog, tickets};

/// Puts the bundle together, and renews the device's lease.
pub(super) async fn bundle(gate: &Gate, tx: &mut Tx, device: &Device) -> Result<StationBundle> {
    let event_id = device.event_id;
    let missing = |role| GateError::KeyMissing { role, event: event_id };
    let event = catalog::event(tx, event_id).await?;
    let policy = policies::current(gate, tx, event_id).await?;
    if let Some(policy) = &policy {
        store::note_policy(tx, device.id, policy.version).await?;
    }
    let lease_s = policy.as_ref().map_or(12 * 3_600, |policy| policy.lease_s);
    let certificate = devices::renew_lease(gate, tx, device, lease_s).await?;
    let bytes = |certificate: &ticket_signer::Certificate| ByteBuf::from(certificate.to_bytes());
    Ok(StationBundle {
        organiser: gate.keys.organiser().ok_or_else(|| missing("issue"))?.to_owned(),
        root: gate.keys.root().ok_or_else(|| missing("root"))?.to_bytes().into(),
        certificates: gate.keys.certificates().map(bytes).collect(),
        revocations: gate.keys.revocations().iter().map(|revocation| ByteBuf::from(revocation.to_bytes())).collect(),
        device_certificate: ByteBuf::from(certificate.to_bytes()),
        event: edges::event_info(event),
        lane: device.lane_id,
        policy: policy.map(|policy| ByteBuf::from(policy.bytes)),
        time: signed_time(gate, event_id)?,
        minimum_list_version: tickets::list_state(tx, event_id).await?.version,
        staff: staff(gate, tx, device).await?.map(ByteBuf::from),
    })
}

/// The event's staff, sealed to the device. While no key may sign, the device keeps what it has.
async fn staff(gate: &Gate, tx: &mut Tx, device: &Device) -> Result<Option<Vec<u8>>> {
    let Some(roster) = accounts::roster(tx, device.event_id).await? else { return Ok(None) };
    let event = EventId(device.event_id);
    let may = gate.keys.may_sign(Role::Policy, event, gate.platform.clock.now_ms().div_euclid(1_000));
    let Some(key) = gate.keys.signing_key(Role::Policy).filter(|_| may) else {
        tracing::warn!(event = event.0, "no key may sign the staff of the lanes; the handhelds keep what they have");
        return Ok(None);
    };
    let place = (event, device.id, roster.version);
    let sealed = SealedStaff::seal(&roster.members, place, &device.key, &gate.platform.random.bytes(), key);
    sealed.map(Some).map_err(|error| GateError::Fault(format!("the staff could not be sealed: {error}")))
}

/// The time of this moment, signed; at an edge that has not compared clocks yet, the last that the upstream signed.
pub(super) fn signed_time(gate: &Gate, event_id: u32) -> Result<SignedTime> {
    if let Some(standing) = gate.edge.as_ref().filter(|standing| standing.offset_ms().is_none())
        && let Some(time) = standing.last_time(event_id)
    {
        return Ok(time);
    }
    let key = gate.keys.signing_key(Role::Time).ok_or(GateError::KeyMissing { role: "time", event: event_id })?;
    Ok(SignedTime::seal(gate.now_ms(), key)?)
}
