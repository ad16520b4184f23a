//! What the holder's phone signs: a moment ([`Presentation`]) at the gate, and once the proof that it has its key.

use sha2::{Digest as _, Sha256};

use crate::domain;
use crate::ids::{Challenge, EventId, Serial, TicketId, TimeStep};
use crate::keys::{BadSignature, HolderKey, HolderSecret, SIGNATURE_LENGTH, SLOT_LENGTH};

/// The signed moment. The event is signed and not sent: a gate puts its own event in, and another event's code fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Presentation {
    pub step: TimeStep,
    pub challenge: Challenge,
    pub signature: [u8; SIGNATURE_LENGTH],
}

impl Presentation {
    pub fn sign(
        event: EventId,
        ticket: TicketId,
        serial: Serial,
        step: TimeStep,
        challenge: Challenge,
        key: &HolderSecret,
    ) -> Self {
        let signature = key.sign(domain::PRESENTATION, &message(event, ticket, serial, step, challenge));
        Presentation { step, challenge, signature }
    }

    pub fn verify(
        &self,
        event: EventId,
        ticket: TicketId,
        serial: Serial,
        key: &HolderKey,
    ) -> Result<(), BadSignature> {
        let message = message(event, ticket, serial, self.step, self.challenge);
        key.verify(domain::PRESENTATION, &message, &self.signature)
    }
}

fn message(event: EventId, ticket: TicketId, serial: Serial, step: TimeStep, challenge: Challenge) -> [u8; 19] {
    let mut bytes = [0; 19];
    bytes[0..4].copy_from_slice(&event.0.to_be_bytes());
    bytes[4..12].copy_from_slice(&ticket.0.to_be_bytes());
    bytes[12] = serial.get();
    bytes[13..17].copy_from_slice(&step.0.to_be_bytes());
    bytes[17..19].copy_from_slice(&challenge.get().to_be_bytes());
    bytes
}

/// Signs the proof that the one who binds has the key. `secret` is the link's single-use secret; only its hash is signed.
pub fn prove_binding(event: EventId, ticket: TicketId, secret: &[u8], key: &HolderSecret) -> [u8; SIGNATURE_LENGTH] {
    key.sign(domain::BINDING, &binding_message(event, ticket, secret, &key.public()))
}

/// Checks a proof made by [`prove_binding`].
pub fn verify_binding(
    event: EventId,
    ticket: TicketId,
    secret: &[u8],
    key: &HolderKey,
    proof: &[u8; SIGNATURE_LENGTH],
) -> Result<(), BadSignature> {
    key.verify(domain::BINDING, &binding_message(event, ticket, secret, key), proof)
}

fn binding_message(event: EventId, ticket: TicketId, secret: &[u8], key: &HolderKey) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(4 + 8 + 1 + SLOT_LENGTH + 32);
    bytes.extend_from_slice(&event.0.to_be_bytes());
    bytes.extend_from_slice(&ticket.0.to_be_bytes());
    bytes.push(key.algorithm().to_byte());
    bytes.extend_from_slice(&key.to_slot());
    bytes.extend_from_slice(&Sha256::digest(secret));
    bytes
}
