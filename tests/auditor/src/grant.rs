//! A grant: the owner's word under the strict rule that one row may let so many guests in on one ticket.

use minicbor::Decoder;

use crate::envelope::{Envelope, Purpose};
use crate::fault::Fault;
use crate::ids::{DeviceId, EventId, RowId, TicketId};
use crate::trust::Trust;

/// What is granted, to whom, until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    pub event: EventId,
    pub ticket: TicketId,
    /// The only row that may use it.
    pub row: RowId,
    pub guests: u8,
    /// The ownership's epoch under which it was given.
    pub epoch: u64,
    /// Unix milliseconds, exclusive.
    pub until_ms: i64,
}

impl Grant {
    /// Checks form, signer and signature; the signer must have been certified for `event` at `at_s`.
    pub fn open(bytes: &[u8], trust: &Trust, event: EventId, at_s: i64) -> Result<Self, Fault> {
        let envelope = Envelope::read(Purpose::Grant, bytes)?;
        envelope.verify(trust, event, Some(at_s))?;
        let mut decoder = Decoder::new(envelope.payload);
        let grant = read(&mut decoder).map_err(|_| Fault::Payload)?;
        let whole = decoder.position() == envelope.payload.len();
        if whole && grant.guests > 0 { Ok(grant) } else { Err(Fault::Payload) }
    }
}

fn read(d: &mut Decoder<'_>) -> Result<Grant, minicbor::decode::Error> {
    if d.array()? != Some(8) {
        return Err(minicbor::decode::Error::message("8 places are wanted"));
    }
    Ok(Grant {
        event: d.u32()?,
        ticket: TicketId(d.u64()?),
        row: RowId { device: DeviceId(d.u64()?), epoch: d.u64()?, seq: d.u64()? },
        guests: d.u8()?,
        epoch: d.u64()?,
        until_ms: d.i64()?,
    })
}
