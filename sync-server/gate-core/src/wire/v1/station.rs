//! What a confirmed handheld needs to work: whom to believe, where it stands, the policy, the time.

use serde::{Deserialize, Serialize};
use serde_bytes::{ByteArray, ByteBuf};
use ticket_signer::{EnvelopeError, EventId, Purpose, SecretKey, TrustStore, envelope};

/// `GET /gate/v1/events/{event}/bundle` (device-signed). The handheld checks every part against the root it pinned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StationBundle {
    pub organiser: String,
    /// The root's public key; its fingerprint was in the enrolment code.
    pub root: ByteArray<32>,
    /// Root-signed certificates of every role.
    pub certificates: Vec<ByteBuf>,
    /// Root-signed key revocations.
    pub revocations: Vec<ByteBuf>,
    /// This device's certificate: its lease.
    pub device_certificate: ByteBuf,
    pub event: EventInfo,
    pub lane: u32,
    /// The signed policy; absent until the organiser has made one.
    pub policy: Option<ByteBuf>,
    pub time: SignedTime,
    /// A gate takes no list below this version.
    pub minimum_list_version: u64,
    /// The event's staff, sealed to this device ([`crate::staff::SealedStaff`]); absent where the event never had any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staff: Option<ByteBuf>,
}

/// The event as staff know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventInfo {
    pub id: u32,
    pub name: String,
    pub venue: String,
    /// IANA name; times are shown in it.
    pub time_zone: String,
    pub starts_at_ms: i64,
    pub ends_at_ms: i64,
}

/// A signed time: an envelope around a [`TimePayload`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SignedTime(pub ByteBuf);

/// What is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimePayload {
    pub unix_ms: i64,
}

impl SignedTime {
    pub fn seal(unix_ms: i64, key: &SecretKey) -> Result<Self, crate::wire::WireError> {
        let payload = crate::wire::to_cbor(&TimePayload { unix_ms })?;
        Ok(SignedTime(ByteBuf::from(envelope::seal(Purpose::Time, &payload, key))))
    }

    /// Checks signature and certificate, and returns the time in unix milliseconds. The certificate's validity is compared
    /// with the signed time itself: a gate whose clock is wrong could not otherwise be set right.
    pub fn open(&self, trust: &TrustStore, event: EventId) -> Result<i64, EnvelopeError> {
        let payload = envelope::open_kept(Purpose::Time, &self.0, trust, event)?;
        let format = EnvelopeError::Format { expected: Purpose::Time };
        let time: TimePayload = crate::wire::from_cbor(payload).map_err(|_| format)?;
        envelope::signed_within(Purpose::Time, &self.0, trust, event, time.unix_ms.div_euclid(1000))?;
        Ok(time.unix_ms)
    }
}
