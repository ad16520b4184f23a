//! Lists: the answer that carries a manifest. Chunks travel as they are, under `GET /gate/v1/events/{event}/chunks/{hash}`.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// `GET /gate/v1/events/{event}/list?cursor=VERSION` (device-signed); `cursor` 0 asks for a full list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListAnswer {
    /// A signed manifest: an envelope around `ticket_signer::ListManifest`. Where nothing has changed since `cursor` it
    /// names no chunks and renews the expiry.
    Manifest(ByteBuf),
    /// The gate has the newest version, and its expiry is not near.
    UpToDate,
}
