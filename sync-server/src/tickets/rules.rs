//! The rules of issuing and binding: pure.

use ticket_signer::presentation::verify_binding;
use ticket_signer::{ClassId, CredentialFields, HolderKey};

use super::MAX_BATCH;
use super::model::{BindRequest, NewTicket, Ticket, TicketError};
use crate::catalog::Class;

/// The longest reference, in characters.
const MAX_REFERENCE: usize = 200;

pub(super) fn check_batch(batch: &[NewTicket]) -> Result<(), TicketError> {
    if batch.is_empty() || batch.len() > MAX_BATCH {
        return Err(TicketError::Batch(format!(
            "A call issues 1 to {MAX_BATCH} tickets, and this one asks for {}; split it into several calls.",
            batch.len()
        )));
    }
    let long = |new: &NewTicket| {
        new.reference.as_ref().is_some_and(|reference| {
            reference.chars().count() > MAX_REFERENCE || reference.chars().any(char::is_control)
        })
    };
    match batch.iter().position(long) {
        Some(at) => Err(TicketError::Reference { at, most: MAX_REFERENCE }),
        None => Ok(()),
    }
}

/// What the credential of this issue of the ticket says. The validity is the class's, never another.
pub(super) fn fields(ticket: &Ticket, class: &Class) -> CredentialFields {
    let seconds = |ms: i64| u32::try_from(ms.div_euclid(1_000)).unwrap_or(u32::MAX);
    CredentialFields {
        event: ticket.event,
        ticket: ticket.id,
        serial: ticket.serial,
        flags: class.flags,
        class: ClassId(ticket.class),
        valid_from_s: seconds(class.valid_from_ms),
        valid_until_s: seconds(class.valid_until_ms),
        holder: ticket.holder.clone(),
    }
}

/// The key that a phone wants bound, once it has proved that it has the private half.
pub(super) fn checked_key(ticket: &Ticket, request: &BindRequest) -> Result<HolderKey, TicketError> {
    let refused = |reason: &dyn std::fmt::Display| TicketError::KeyRefused { reason: reason.to_string() };
    let key = HolderKey::from_public_bytes(request.algorithm, &request.public_key).map_err(|error| refused(&error))?;
    let proof = request.proof.as_slice().try_into().map_err(|_| refused(&"the proof must have 64 bytes"))?;
    verify_binding(ticket.event, ticket.id, &request.secret, &key, proof)
        .map_err(|_| refused(&"the proof that the phone has the private key does not fit"))?;
    Ok(key)
}
