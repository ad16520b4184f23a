//! Version 1 of the gate protocol. Paths and methods are in each message's comment.
//!
//! Frozen with fixtures at `gate-core/fixtures/v1`: what is written today is read for ever, and a field that is added has
//! `#[serde(default)]` and is left out of the older fixtures (`tests/fixtures/versions.rs` looks at that). `docs/wire.md` states
//! the answer to each bad message.
//!
//! Signed things travel as the bytes that were signed; the receiver checks them with `ticket-signer` and never trusts the
//! message around them.

mod edge;
mod enrol;
mod feed;
mod grant;
mod list;
mod scans;
mod station;
mod status;
mod wipe;

pub use edge::{EDGE_HEADER, EdgeAnswer, EdgeClass, EdgeContact, EdgeDevice, EdgeLane, EdgeReport};
pub use enrol::{EnrolAnswer, EnrolRequest, EnrolmentCode, EnrolmentCodeError, EnrolmentStatus};
pub use feed::{FeedMessage, GENERATION_HEADER};
pub use grant::{GrantAnswer, GrantRequest};
pub use list::ListAnswer;
pub use scans::{IncidentReport, Receipt, ReceiptPayload, ScanAnswer, ScanUpload, WireRow};
pub use station::{EventInfo, SignedTime, StationBundle, TimePayload};
pub use status::{Battery, ClockState, DeviceStatus, ListInUse};
pub use wipe::{Wipe, WipeAnswer, WipeError, WipePayload};
