//! The strict rule on the owner's side: a lane asks, and gets this server's word or none.
//!
//! Invariant: the grant is durable before it is answered, in the transaction that saw the ticket. The ticket's row is locked
//! in it, so that two lanes that ask at once are decided one after the other, by whatever process.

use gate_core::clock::ClockReading;
use gate_core::owner::{self, Ask, GrantRefusal, Owned};
use gate_core::wire::v1::{GrantAnswer, GrantRequest};
use serde_bytes::ByteBuf;
use ticket_signer::{ClassId, EventId, Role, Serial, TicketId};

use super::model::{Device, GateError};
use super::{Gate, Result, lists, policies, store};
use crate::platform::Tx;
use crate::tickets::{self, TicketError};

/// This server's number as an owner: the cloud's.
const NODE: u64 = 0;

/// Decides about one request of a confirmed device.
pub(super) async fn give(gate: &Gate, device: &Device, request: &GrantRequest) -> Result<GrantAnswer> {
    let event = EventId(device.event_id);
    let now_ms = gate.platform.clock.now_ms();
    let may = gate.keys.may_sign(Role::Policy, event, now_ms.div_euclid(1_000));
    let key = gate.keys.signing_key(Role::Policy).filter(|_| may);
    let key = key.ok_or(GateError::KeyMissing { role: "policy", event: event.0 })?;
    let refused = |refusal: GrantRefusal| GrantAnswer::Refused { reason: refusal.to_string() };
    let Some(serial) = Serial::new(request.serial) else { return Ok(refused(GrantRefusal::Unknown)) };
    let ask = Ask {
        event,
        ticket: TicketId(request.ticket),
        serial,
        device: device.id,
        chain: request.chain,
        seq: request.seq,
        guests: request.guests,
    };
    let mut tx = gate.platform.store.write().await?;
    let Some((class, owned)) = owned(&mut tx, &ask).await? else { return Ok(refused(GrantRefusal::Unknown)) };
    let policy = policies::composed(&mut tx, event.0, now_ms).await?;
    let ownership = policy.ownership(policy.home_group(class, ask.ticket));
    let now = ClockReading { now_ms, uncertainty_ms: 0, in_doubt: false, offset_ms: 0 };
    let grant = match owner::give(&ask, NODE, &ownership, &owned, &now) {
        Ok(grant) => grant,
        Err(refusal) => return Ok(refused(refusal)),
    };
    store::keep_grant(&mut tx, &grant).await?;
    tx.commit().await?;
    Ok(GrantAnswer::Granted(ByteBuf::from(grant.seal(key))))
}

/// What this server knows of the ticket, which stays as it is until the transaction ends; `None` where it is not this
/// event's.
async fn owned(tx: &mut Tx, ask: &Ask) -> Result<Option<(ClassId, Owned)>> {
    let ticket = match tickets::ticket(tx, ask.ticket).await {
        Ok(ticket) => ticket,
        Err(TicketError::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if ticket.event != ask.event {
        return Ok(None);
    }
    let event_id = ticket.event.0;
    let allowed = lists::admissions_by_class(tx, event_id).await?.get(&ticket.class).copied().unwrap_or(1);
    let owned = Owned {
        allowed,
        serial: Some(ticket.serial),
        revoked_to: ticket.revoked_to,
        passages: store::passages(tx, event_id, ask.ticket).await?,
        outstanding: store::grants(tx, ask).await?,
    };
    Ok(Some((ClassId(ticket.class), owned)))
}
