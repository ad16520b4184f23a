//! A lane asks the owner of a ticket for its word, while the guest stands there.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// `POST /gate/v1/events/{event}/grants` (device-signed). The same request again gets the same grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantRequest {
    pub ticket: u64,
    /// The serial that the guest showed.
    pub serial: u8,
    /// The journal row that the grant is for: the device's journal and the row's number.
    pub chain: u64,
    pub seq: u64,
    pub guests: u8,
}

/// The answer to a [`GrantRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantAnswer {
    /// A signed grant: an envelope around [`crate::Grant`].
    Granted(ByteBuf),
    /// A word for the log; the lane sends the guest to a supervisor.
    Refused { reason: String },
}
