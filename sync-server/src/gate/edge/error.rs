//! What can go wrong between an edge and its upstream.

use gate_core::wire::WireError;
use gate_core::wire::v1::EnrolmentCodeError;
use ticket_signer::{AuthorityError, EnvelopeError, KeyError};

use super::upstream::UpstreamError;
use crate::gate::GateError;
use crate::platform::{Problem, StoreError};

#[derive(Debug, thiserror::Error)]
pub enum EdgeError {
    #[error(
        "there is a {role} key in the keys directory, and an edge must not hold one: move {role}.key to the server that \
         issues tickets. An edge needs a time key alone"
    )]
    ForbiddenKey { role: &'static str },
    #[error(
        "this edge is not enrolled: show an edge's code on the supervisor's page, and run `sync-server edge enrol CODE`"
    )]
    NotEnrolled,
    #[error(
        "the edge has no time key that may sign for event {event_id}: run `sync-server key init --role time`, have the root \
         certify time.pub, and take the certificate in with `sync-server key import`"
    )]
    NoTimeKey { event_id: u32 },
    #[error("the enrolment code cannot be used: {0}")]
    Code(#[from] EnrolmentCodeError),
    #[error("the supervisor did not confirm this edge")]
    NotConfirmed,
    #[error("the upstream's root key is not the one on the enrolment code; ask the supervisor for a new code")]
    OtherRoot,
    #[error("the upstream's root key is not usable ({0})")]
    Root(KeyError),
    #[error("the upstream's keys are not to be believed: {0}")]
    Authority(AuthorityError),
    #[error("what the upstream signed is not to be believed: {0}")]
    Envelope(#[from] EnvelopeError),
    #[error("the upstream gave this edge another device's certificate; enrol it again")]
    OtherDevice,
    #[error("the upstream's list is not as it was signed: {0}")]
    List(#[from] ticket_signer::list::ListError),
    #[error("the policy is not to be believed: {0}")]
    Policy(#[from] gate_core::policy::PolicyError),
    #[error("what the upstream sent cannot be read: {0}")]
    Wire(#[from] WireError),
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    #[error(transparent)]
    Gate(#[from] GateError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<EdgeError> for Problem {
    fn from(error: EdgeError) -> Self {
        match error {
            EdgeError::Gate(error) => error.into(),
            EdgeError::Store(error) => error.into(),
            EdgeError::Upstream(error) => error.into(),
            other => Self::internal(other),
        }
    }
}
