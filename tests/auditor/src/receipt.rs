//! A receipt: the cloud's signature that it keeps a device's journal up to a row.

use crate::envelope::{Envelope, Purpose};
use crate::fault::Fault;
use crate::ids::{DeviceId, EventId, RowId};
use crate::payload::Map;
use crate::trust::Trust;

/// What the cloud signed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    pub event: EventId,
    /// The last row that is kept, and every one before it.
    pub row: RowId,
    /// That row's chain hash.
    pub hash: [u8; 32],
    pub at_ms: i64,
}

impl Receipt {
    /// Checks form, signer and signature. The signer must have been certified when it signed.
    pub fn open(bytes: &[u8], trust: &Trust) -> Result<Self, Fault> {
        let envelope = Envelope::read(Purpose::Receipt, bytes)?;
        let mut map = Map::read(envelope.payload)?;
        let receipt = Receipt {
            event: map.int("event")?,
            row: RowId { device: DeviceId(map.int("device")?), epoch: map.int("epoch")?, seq: map.int("seq")? },
            hash: map.bytes("hash")?.try_into().map_err(|_| Fault::Payload)?,
            at_ms: map.int("at_ms")?,
        };
        envelope.verify(trust, receipt.event, Some(receipt.at_ms.div_euclid(1000)))?;
        Ok(receipt)
    }
}
