//! The owner's word under the strict rule: one device may let so many guests in on one ticket, in one journal row.
//!
//! The owner keeps the grant durably before it sends it, and counts it as used until it has the row with that number: the
//! row either used it, and is a passage, or did not, and the grant is void. A device that asks again for the same row, since
//! the answer was lost, gets the same grant.

use ticket_signer::{DeviceId, EnvelopeError, EventId, Purpose, SecretKey, TicketId, TrustStore, envelope};

/// What is granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, minicbor::Encode, minicbor::Decode)]
#[cbor(array)]
pub struct Grant {
    #[n(0)]
    pub event: EventId,
    #[n(1)]
    pub ticket: TicketId,
    /// The only device that may use it.
    #[n(2)]
    pub device: DeviceId,
    /// The only row that may use it: the device's journal and the row's number in it.
    #[n(3)]
    pub chain: u64,
    #[n(4)]
    pub seq: u64,
    #[n(5)]
    pub guests: u8,
    /// The ownership's epoch under which it was given.
    #[n(6)]
    pub epoch: u64,
    /// Unix milliseconds by the owner's clock; from then on it admits nobody.
    #[n(7)]
    pub until_ms: i64,
}

impl Grant {
    /// Signs it with the owner's `policy` key.
    pub fn seal(&self, key: &SecretKey) -> Vec<u8> {
        let payload =
            minicbor::to_vec(self).unwrap_or_else(|never: minicbor::encode::Error<std::convert::Infallible>| {
                unreachable!("writing to memory does not fail: {never}")
            });
        envelope::seal(Purpose::Grant, &payload, key)
    }

    /// Checks signature, role, event and time.
    pub fn open(bytes: &[u8], trust: &TrustStore, event: EventId, now_s: i64) -> Result<Self, EnvelopeError> {
        let payload = envelope::open(Purpose::Grant, bytes, trust, event, now_s)?;
        let format = EnvelopeError::Format { expected: Purpose::Grant };
        let mut decoder = minicbor::Decoder::new(payload);
        let grant: Grant = decoder.decode().map_err(|_| format)?;
        let sound = decoder.position() == payload.len() && grant.event == event && grant.guests > 0;
        if sound { Ok(grant) } else { Err(format) }
    }
}
