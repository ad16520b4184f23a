//! Enrolment: from a one-time code to a confirmed device with a lease.

use gate_core::wire::v1::{EnrolRequest, EnrolmentCode};
use sha2::{Digest as _, Sha256};
use ticket_signer::certificate::DeviceCertificateFields;
use ticket_signer::{DeviceCertificate, DeviceId, EventId, PublicKey, Role};

use super::model::{Device, DeviceKind, DeviceState, GateError};
use super::{Gate, Result, store};
use crate::catalog;
use crate::platform::Tx;

/// How long an enrolment code is good for.
pub(super) const CODE_LIFE_MS: i64 = 120_000;
/// A certificate is good from a little before it is made: clocks differ.
const CERTIFICATE_LEAD_S: i64 = 600;

/// A code for the supervisor's page to show.
pub(super) struct Enrolment {
    pub id: i64,
    pub text: String,
    pub expires_at_ms: i64,
}

/// Makes an enrolment code for a lane, which talks to this server or to the edge that is named, or for a venue's edge (no lane).
pub(super) async fn begin(
    gate: &Gate,
    tx: &mut Tx,
    event_id: u32,
    (lane_id, edge): (Option<u32>, Option<DeviceId>),
    by: &str,
) -> Result<Enrolment> {
    match lane_id {
        Some(lane_id) => {
            catalog::lane(tx, event_id, lane_id).await?;
        }
        None => {
            catalog::event(tx, event_id).await?;
        }
    }
    let site = &gate.platform.site;
    let (server, tls_pin) = match edge {
        Some(edge) => store::edge_address(tx, edge).await?.ok_or(GateError::EdgeNotFound(edge))?,
        None => (site.public_url.clone(), site.spki_sha256),
    };
    let root = gate.keys.root().ok_or(GateError::KeyMissing { role: "root", event: event_id })?;
    let one_time = gate.platform.random.bytes::<16>();
    let code = EnrolmentCode { one_time, tls_pin, root_fingerprint: root.fingerprint(), server };
    let expires_at_ms = gate.platform.clock.now_ms() + CODE_LIFE_MS;
    let id = tx.next_number("enrolment").await?;
    let hash: [u8; 32] = Sha256::digest(one_time).into();
    let kind = if lane_id.is_some() { DeviceKind::Lane } else { DeviceKind::Edge };
    store::insert_enrolment(tx, id, &hash, (kind, event_id, lane_id.unwrap_or(0)), by, expires_at_ms).await?;
    Ok(Enrolment { id, text: code.to_text(), expires_at_ms })
}

/// The key of a handheld that wants to enrol, once the request has proved that it has it. Needs no database, so that nobody
/// without a key costs the writer anything.
pub(super) fn proven(request: &EnrolRequest) -> Result<PublicKey> {
    let key = request.verify().map_err(|_| GateError::EnrolmentProof)?;
    if !(1..=40).contains(&request.name.chars().count()) || request.name.chars().any(char::is_control) {
        return Err(GateError::DeviceName);
    }
    Ok(key)
}

/// Takes a handheld in that read a code; `key` is [`proven`]. The same code with the same key gets the same device again:
/// replies get lost.
pub(super) async fn enrol(gate: &Gate, tx: &mut Tx, request: &EnrolRequest, key: PublicKey) -> Result<Device> {
    let now_ms = gate.platform.clock.now_ms();
    let hash: [u8; 32] = Sha256::digest(*request.code).into();
    let enrolment = store::enrolment(tx, &hash).await?.ok_or(GateError::EnrolmentUnknown)?;
    if let Some(id) = enrolment.device {
        let device = store::device(tx, id).await?.ok_or(GateError::DeviceNotFound(id))?;
        return if device.key == key { Ok(device) } else { Err(GateError::EnrolmentExpired) };
    }
    if now_ms >= enrolment.expires_at_ms {
        return Err(GateError::EnrolmentExpired);
    }
    let device = Device {
        id: DeviceId(gate.platform.random.id64()),
        kind: enrolment.kind,
        edge: None,
        event_id: enrolment.event_id,
        lane_id: enrolment.lane_id,
        name: request.name.clone(),
        version: request.version.chars().filter(|c| !c.is_control()).take(40).collect(),
        key,
        state: DeviceState::Pending,
        enrolled_at_ms: now_ms,
        last_contact_ms: Some(now_ms),
        list_version: None,
        list_sent_at_ms: None,
        lease_until_ms: None,
        certificate: None,
        wiped_at_ms: None,
        wipe_sent_at_ms: None,
    };
    store::insert_device(tx, &device).await?;
    store::use_enrolment(tx, enrolment.id, device.id).await?;
    Ok(device)
}

/// A supervisor has compared the fingerprint.
pub(super) async fn confirm(tx: &mut Tx, id: DeviceId, fingerprint: &str) -> Result<Device> {
    let mut device = store::device(tx, id).await?.ok_or(GateError::DeviceNotFound(id))?;
    if device.state == DeviceState::Revoked {
        return Err(GateError::DeviceRevoked);
    }
    if device.key.spoken_fingerprint() != fingerprint {
        return Err(GateError::FingerprintMismatch);
    }
    device.state = DeviceState::Confirmed;
    store::confirm_device(tx, id).await?;
    Ok(device)
}

/// Takes a device out, for good. What it sends from then on is kept apart.
pub(super) async fn revoke(tx: &mut Tx, id: DeviceId, now_ms: i64) -> Result<Device> {
    let mut device = store::device(tx, id).await?.ok_or(GateError::DeviceNotFound(id))?;
    device.state = DeviceState::Revoked;
    store::revoke_device(tx, id, now_ms).await?;
    Ok(device)
}

/// A new certificate: the device's lease begins anew.
pub(super) async fn renew_lease(gate: &Gate, tx: &mut Tx, device: &Device, lease_s: i64) -> Result<DeviceCertificate> {
    let now_s = gate.platform.clock.now_ms().div_euclid(1_000);
    let event = EventId(device.event_id);
    let missing = GateError::KeyMissing { role: "device", event: device.event_id };
    let key = gate.keys.signing_key(Role::Device).filter(|_| gate.keys.may_sign(Role::Device, event, now_s));
    let seconds = |at: i64| u32::try_from(at).unwrap_or(u32::MAX);
    let until_s = now_s + lease_s;
    let fields = DeviceCertificateFields {
        device: device.id,
        key: device.key.clone(),
        event,
        not_before_s: seconds(device.enrolled_at_ms.div_euclid(1_000).min(now_s) - CERTIFICATE_LEAD_S),
        not_after_s: seconds(until_s),
    };
    let certificate = DeviceCertificate::issue(fields, key.ok_or(missing)?)
        .map_err(|error| GateError::Fault(format!("a device certificate cannot be made: {error}")))?;
    store::set_lease(tx, device.id, &certificate.to_bytes(), until_s * 1_000).await?;
    Ok(certificate)
}
