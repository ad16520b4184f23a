//! Types of the gate.

use ticket_signer::{DeviceId, PublicKey};

use crate::catalog::CatalogError;
use crate::platform::StoreError;
use crate::tickets::TicketError;

/// How far a device has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceState {
    /// Enrolled; a supervisor has not compared the fingerprint yet.
    Pending,
    Confirmed,
    Revoked,
}

impl DeviceState {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Confirmed => "confirmed",
            Self::Revoked => "revoked",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Pending, Self::Confirmed, Self::Revoked].into_iter().find(|state| state.as_str() == text)
    }
}

/// What a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceKind {
    /// A handheld at a lane.
    Lane,
    /// A venue's edge: it brings its lanes' rows.
    Edge,
}

impl DeviceKind {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lane => "lane",
            Self::Edge => "edge",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Lane, Self::Edge].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// An enrolled handheld, or a venue's edge.
#[derive(Debug, Clone)]
pub struct Device {
    pub id: DeviceId,
    pub kind: DeviceKind,
    /// The edge that brings its rows; `None` while it talks to this server itself.
    pub edge: Option<DeviceId>,
    pub event_id: u32,
    pub lane_id: u32,
    pub name: String,
    pub version: String,
    pub key: PublicKey,
    pub state: DeviceState,
    pub enrolled_at_ms: i64,
    pub last_contact_ms: Option<i64>,
    /// The version of the list that it was sent last.
    pub list_version: Option<u64>,
    pub list_sent_at_ms: Option<i64>,
    pub lease_until_ms: Option<i64>,
    /// Its newest certificate.
    pub certificate: Option<Vec<u8>>,
    /// Since when it is to be wiped.
    pub wiped_at_ms: Option<i64>,
    /// When it was first given the word to wipe itself.
    pub wipe_sent_at_ms: Option<i64>,
}

/// What can go wrong at the gate.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    #[error("This enrolment code is not known here. Show a new one on the supervisor's page and read it.")]
    EnrolmentUnknown,
    #[error("This enrolment code is used or older than two minutes. Show a new one on the supervisor's page.")]
    EnrolmentExpired,
    #[error("The request was not signed by the key that it names. Enrol the handheld again.")]
    EnrolmentProof,
    #[error("A handheld's name has 1 to 40 characters, without control characters.")]
    DeviceName,
    #[error("There is no device {0} here.")]
    DeviceNotFound(DeviceId),
    #[error("This handheld is not enrolled here. Show an enrolment code on the supervisor's page and read it.")]
    DeviceUnknown,
    #[error("A supervisor has not confirmed this handheld yet. Compare its fingerprint on the supervisor's page.")]
    DeviceUnconfirmed,
    #[error("This handheld was revoked. Use another one.")]
    DeviceRevoked,
    #[error("This handheld is to be wiped. It asks for the signed word at /gate/v1/wipe; enrol it again afterwards.")]
    DeviceWiped,
    #[error("This handheld is not revoked, so none of its scans wait. Revoke it first if it is lost.")]
    DeviceNotRevoked,
    #[error("The request's signature is not this handheld's: {0}.")]
    DeviceSignature(#[from] gate_core::request::RequestError),
    #[error("This handheld is enrolled for event {own}, not for event {asked}.")]
    OtherEvent { own: u32, asked: u32 },
    #[error(
        "The fingerprint is not that of the handheld. Do not confirm it; enrol again, and look which device answers."
    )]
    FingerprintMismatch,
    #[error(
        "The message cannot be read: {0}. Send the whole message again; if that does not help, compare the versions of \
         handheld and server."
    )]
    Message(#[from] gate_core::wire::WireError),
    #[error("Only a venue's edge may do this. Enrol it with an edge's code from the supervisor's page.")]
    NotAnEdge,
    #[error("Only a lane's handheld may do this: nobody passes at a venue's edge.")]
    NotALane,
    #[error("The edge's --public-url is not an address like https://10.0.0.5:8443; start the edge with one.")]
    EdgeAddress,
    #[error("There is no confirmed edge {0} here that has said where lanes reach it. Start it, and try again.")]
    EdgeNotFound(DeviceId),
    #[error("An upload has at most {most} rows, and this one has {found}; send them in parts.")]
    TooManyRows { most: usize, found: usize },
    #[error(
        "The handheld has list {cursor}, which is newer than this server's {version}: was the server restored from a backup?"
    )]
    ListFromTheFuture { cursor: u64, version: u64 },
    #[error("This part of a list is no longer kept; ask for the list again.")]
    ChunkGone,
    #[error(
        "The server has no {role} key that may sign for event {event} now; its operator checks `sync-server key list`."
    )]
    KeyMissing { role: &'static str, event: u32 },
    #[error("{detail}")]
    Decision { field: &'static str, detail: String },
    #[error("{detail}")]
    Plan { field: &'static str, detail: String },
    #[error("This event has no plan. Put one, as docs/planning.md describes it.")]
    PlanNotFound,
    #[error("There is no decision {0} here.")]
    DecisionNotFound(u64),
    #[error("The policy cannot be signed: {0}.")]
    Policy(#[from] gate_core::policy::PolicyError),
    #[error("{0}")]
    Fault(String),
    #[error(transparent)]
    Ticket(#[from] TicketError),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Store(#[from] StoreError),
}
