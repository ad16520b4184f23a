//! Wiping: the cloud's word that one handheld is to forget its lists and its place.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use ticket_signer::{DeviceId, EnvelopeError, EventId, Purpose, SecretKey, TrustStore, envelope};

use crate::wire::WireError;

/// A signed wipe: an envelope around a [`WipePayload`], by a `device` key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Wipe(pub ByteBuf);

/// What is signed. A handheld that is enrolled again is another device, so an old wipe says nothing to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WipePayload {
    pub device: u64,
    pub event: u32,
    /// Unix milliseconds.
    pub at_ms: i64,
}

/// `GET /gate/v1/wipe` (device-signed, in every state): whether this device is to be wiped. A handheld asks when it is
/// refused a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WipeAnswer {
    No,
    Wipe(Wipe),
}

/// Why a wipe was not believed. Nothing was wiped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WipeError {
    #[error("{0}")]
    Envelope(#[from] EnvelopeError),
    #[error("it is written for another device or event")]
    OtherDevice,
    #[error("it is older than this handheld's enrolment")]
    Older,
}

impl Wipe {
    pub fn seal(payload: &WipePayload, key: &SecretKey) -> Result<Self, WireError> {
        Ok(Wipe(ByteBuf::from(envelope::seal(Purpose::Wipe, &crate::wire::to_cbor(payload)?, key))))
    }

    /// Checks that it is this device's, and not from before it was enrolled (`since_s`, unix seconds). The certificate's
    /// validity is compared with the wipe's own time: a wipe must reach a handheld whose clock is wrong.
    pub fn open(
        &self,
        trust: &TrustStore,
        event: EventId,
        device: DeviceId,
        since_s: i64,
    ) -> Result<WipePayload, WipeError> {
        let payload = envelope::open_kept(Purpose::Wipe, &self.0, trust, event)?;
        let format = EnvelopeError::Format { expected: Purpose::Wipe };
        let wipe: WipePayload = crate::wire::from_cbor(payload).map_err(|_| format)?;
        let at_s = wipe.at_ms.div_euclid(1000);
        envelope::open(Purpose::Wipe, &self.0, trust, event, at_s)?;
        if wipe.device != device.0 || wipe.event != event.0 {
            return Err(WipeError::OtherDevice);
        }
        if at_s < since_s { Err(WipeError::Older) } else { Ok(wipe) }
    }
}

#[cfg(test)]
mod tests {
    use ticket_signer::certificate::CertificateFields;
    use ticket_signer::{Certificate, EventRange, Role};

    use super::*;

    const EVENT: EventId = EventId(7);
    const DEVICE: DeviceId = DeviceId(3);

    #[test]
    fn only_a_device_keys_word_for_this_device_is_a_wipe() {
        let root = SecretKey::from_bytes(&[1; 32]);
        let mut trust = TrustStore::new(root.public(), "Harbour");
        let mut certified = |role: Role, seed: u8, not_after_s: u32| {
            let key = SecretKey::from_bytes(&[seed; 32]);
            let fields = CertificateFields {
                role,
                key: key.public(),
                organiser: "Harbour".to_owned(),
                events: vec![EventRange { first: EVENT, last: EVENT }],
                not_before_s: 0,
                not_after_s,
            };
            trust.add_certificate(&Certificate::issue(fields, &root).unwrap().to_bytes()).unwrap();
            key
        };
        let (key, policy) = (certified(Role::Device, 2, 5_000), certified(Role::Policy, 3, 5_000));
        let payload = WipePayload { device: DEVICE.0, event: EVENT.0, at_ms: 1_000_000 };
        let open = |payload: &WipePayload, key: &SecretKey| {
            Wipe::seal(payload, key).unwrap().open(&trust, EVENT, DEVICE, 1_000)
        };
        assert_eq!(open(&payload, &key), Ok(payload));
        assert!(matches!(open(&payload, &policy), Err(WipeError::Envelope(EnvelopeError::Authority(_)))));
        assert_eq!(open(&WipePayload { device: 4, ..payload }, &key), Err(WipeError::OtherDevice));
        assert_eq!(open(&WipePayload { event: 8, ..payload }, &key), Err(WipeError::OtherDevice));
        assert_eq!(open(&WipePayload { at_ms: 999_999, ..payload }, &key), Err(WipeError::Older));
        assert!(open(&WipePayload { at_ms: 6_000_000, ..payload }, &key).is_err(), "after the key's certificate");
        let Wipe(mut bytes) = Wipe::seal(&payload, &key).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        assert_eq!(
            Wipe(bytes).open(&trust, EVENT, DEVICE, 0),
            Err(WipeError::Envelope(EnvelopeError::Signature)),
            "every byte is signed"
        );
    }
}
