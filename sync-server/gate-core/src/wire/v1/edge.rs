//! A venue's edge and its upstream: to the upstream it is one more gate, and it brings other gates' rows.

use serde::{Deserialize, Serialize};
use serde_bytes::{ByteArray, ByteBuf};

use super::station::EventInfo;

/// The header with which an edge says that it hands a lane's request on: as `Turnstone-Device`, over the same request, signed
/// by the edge.
pub const EDGE_HEADER: &str = "turnstone-edge";

/// `POST /gate/v1/events/{event}/edge` (signed by an edge): what it has heard. It is sent every few seconds, so that silence
/// means that the edge's lanes are not heard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdgeReport {
    /// Where lanes reach the edge, `https://host[:port]`, and the SHA-256 of its TLS key: for enrolment codes.
    pub server: String,
    pub tls_pin: ByteArray<32>,
    /// Every row that lanes had brought when this was written is with the upstream.
    pub settled: bool,
    pub lanes: Vec<EdgeContact>,
}

/// When an edge last heard a lane's device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdgeContact {
    pub device: u64,
    pub at_ms: i64,
}

/// The answer to an [`EdgeReport`]: what an edge needs to know lanes and to show their work. None of it is trusted by a gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdgeAnswer {
    pub event: EventInfo,
    pub classes: Vec<EdgeClass>,
    pub lanes: Vec<EdgeLane>,
    pub devices: Vec<EdgeDevice>,
}

/// A class of ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdgeClass {
    pub id: u16,
    pub name: String,
    pub valid_from_ms: i64,
    pub valid_until_ms: i64,
    pub admissions: u8,
    pub flags: u8,
}

/// A lane and its entrance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdgeLane {
    pub id: u32,
    pub name: String,
    pub entrance_id: u32,
    pub entrance: String,
}

/// A lane's device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdgeDevice {
    pub id: u64,
    pub lane: u32,
    pub name: String,
    pub version: String,
    pub key: ByteArray<32>,
    /// `pending`, `confirmed` or `revoked`.
    pub state: String,
    pub enrolled_at_ms: i64,
    /// Its newest certificate.
    pub certificate: Option<ByteBuf>,
    pub lease_until_ms: Option<i64>,
    /// It talks to this edge; the others talk to the upstream, or to another edge.
    pub here: bool,
}
