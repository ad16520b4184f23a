//! Journal rows on their way up, and the receipt that lets a device forget them.

use serde::{Deserialize, Serialize};
use serde_bytes::{ByteArray, ByteBuf};
use ticket_signer::{EnvelopeError, EventId, Purpose, SecretKey, TrustStore, envelope};

use crate::chain::ChainHead;
use crate::row::SignedRow;

/// A row as it travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireRow {
    pub bytes: ByteBuf,
    pub signature: ByteArray<64>,
}

impl From<SignedRow> for WireRow {
    fn from(row: SignedRow) -> Self {
        WireRow { bytes: ByteBuf::from(row.bytes), signature: row.signature.into() }
    }
}

impl From<WireRow> for SignedRow {
    fn from(row: WireRow) -> Self {
        SignedRow { bytes: row.bytes.into_vec(), signature: row.signature.into_array() }
    }
}

/// `POST /gate/v1/scans` (device-signed). Idempotent by (device, epoch, sequence, hash).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanUpload {
    pub event: u32,
    /// At most [`ScanUpload::MAX_ROWS`].
    pub rows: Vec<WireRow>,
}

impl ScanUpload {
    pub const MAX_ROWS: usize = 1_000;
}

/// The answer to a [`ScanUpload`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanAnswer {
    /// One for each chain that the upload named; rows up to its `seq` are the cloud's now.
    pub receipts: Vec<Receipt>,
    pub stored: u32,
    pub duplicates: u32,
    pub incidents: Vec<IncidentReport>,
    /// The device is revoked: its rows wait until a supervisor looks at them (status 202).
    pub quarantined: bool,
}

/// An incident as a device is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentReport {
    pub epoch: u64,
    pub seq: u64,
    pub code: String,
}

/// A signed receipt: an envelope around a [`ReceiptPayload`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Receipt(pub ByteBuf);

/// What is signed: this device's chain is kept up to `seq`, whose row has this hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptPayload {
    pub device: u64,
    pub event: u32,
    pub epoch: u64,
    pub seq: u64,
    pub hash: ByteArray<32>,
    pub at_ms: i64,
}

impl ReceiptPayload {
    pub fn head(&self) -> ChainHead {
        ChainHead { epoch: self.epoch, seq: self.seq, hash: self.hash.into_array() }
    }

    pub fn seal(&self, key: &SecretKey) -> Result<Receipt, crate::wire::WireError> {
        let payload = crate::wire::to_cbor(self)?;
        Ok(Receipt(ByteBuf::from(envelope::seal(Purpose::Receipt, &payload, key))))
    }
}

impl Receipt {
    pub fn open(&self, trust: &TrustStore, event: EventId, now_s: i64) -> Result<ReceiptPayload, EnvelopeError> {
        let payload = envelope::open(Purpose::Receipt, &self.0, trust, event, now_s)?;
        let format = EnvelopeError::Format { expected: Purpose::Receipt };
        let receipt: ReceiptPayload = crate::wire::from_cbor(payload).map_err(|_| format)?;
        if receipt.event == event.0 { Ok(receipt) } else { Err(format) }
    }
}
