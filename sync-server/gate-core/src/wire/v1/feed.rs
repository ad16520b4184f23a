//! The feed: what other lanes did and what has changed, as it happens.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::scans::{Receipt, WireRow};
use super::station::SignedTime;

/// The answer's header that names the feed's generation, a decimal u64: cursors of another one mean nothing. A server that was
/// restored from a backup has a new one. A handheld sends the one it knows as `&generation=` behind its cursor, and is told
/// everything from the beginning when it is another.
pub const GENERATION_HEADER: &str = "turnstone-feed-generation";

/// One event of `GET /gate/v1/events/{event}/feed?cursor=N` (device-signed, server-sent events). The event's `id` is the
/// cursor to come back with; its data is this message in CBOR and base64url without padding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedMessage {
    /// Another lane's admission: its signed row and the device's certificate, both to be checked.
    Admission { row: WireRow, device_certificate: ByteBuf },
    /// A list of this version can be fetched.
    List { version: u64 },
    /// A policy of this version can be fetched (with the bundle).
    Policy { version: u64 },
    /// A list of staff of this version can be fetched (with the bundle).
    Staff { version: u64 },
    /// Certificates or revocations changed: fetch the bundle.
    Trust,
    /// The server's time; sent at once and then at least every 15 seconds, so that silence means a dead line.
    Time(SignedTime),
    /// The server's time, in place of [`Time`](Self::Time) while this server does not hear all others: the line is alive, and
    /// what happens elsewhere may be missing.
    Alive(SignedTime),
    /// A receipt of this lane's own rows that came after they were brought: at a venue's edge the cloud's word takes longer.
    Receipt(Receipt),
}
