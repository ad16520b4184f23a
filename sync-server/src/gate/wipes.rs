//! Wiping a handheld: the signed word is made once and kept, and the device is given it in place of a bundle.
//!
//! Invariants: a wiped device gets no bundle, list, grant or admission any more; what it scanned is still taken in, as any
//! device's, since it sends what it had; a wipe is not undone (the handheld is enrolled again, as another device).

use gate_core::wire::v1::{Wipe, WipeAnswer, WipePayload};
use serde_bytes::ByteBuf;
use ticket_signer::{DeviceId, EventId, Role};

use super::model::{Device, DeviceState, GateError};
use super::{Gate, Result, store};
use crate::platform::Tx;

/// Orders that a device is wiped. Doing it again changes nothing.
pub(super) async fn order(gate: &Gate, tx: &mut Tx, id: DeviceId) -> Result<Device> {
    let mut device = store::device(tx, id).await?.ok_or(GateError::DeviceNotFound(id))?;
    if device.state == DeviceState::Pending {
        return Err(GateError::DeviceUnconfirmed);
    }
    if device.wiped_at_ms.is_none() {
        let now_ms = gate.platform.clock.now_ms();
        let event = EventId(device.event_id);
        let missing = GateError::KeyMissing { role: "device", event: event.0 };
        let may = gate.keys.may_sign(Role::Device, event, now_ms.div_euclid(1_000));
        let key = gate.keys.signing_key(Role::Device).filter(|_| may).ok_or(missing)?;
        let wipe = Wipe::seal(&WipePayload { device: id.0, event: event.0, at_ms: now_ms }, key)?;
        store::wipe_device(tx, id, now_ms, &wipe.0).await?;
        device.wiped_at_ms = Some(now_ms);
    }
    Ok(device)
}

/// What the device is told when it asks, and that it was told.
pub(super) async fn answer(gate: &Gate, tx: &mut Tx, id: DeviceId) -> Result<WipeAnswer> {
    let Some(bytes) = store::wipe(tx, id).await? else { return Ok(WipeAnswer::No) };
    store::note_wipe_sent(tx, id, gate.platform.clock.now_ms()).await?;
    Ok(WipeAnswer::Wipe(Wipe(ByteBuf::from(bytes))))
}
