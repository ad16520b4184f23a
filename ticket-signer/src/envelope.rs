//! Signed payloads that are not tickets: list manifests, policies, times, receipts.
//!
//! Layout: format 1 | purpose 1 | key id 8 | signature 64 | payload. The signature covers the payload as it is, under the
//! purpose's own domain string, so it is checked before the payload is read or unpacked.

use crate::bytes::Reader;
use crate::certificate::Role;
use crate::domain;
use crate::ids::{EventId, KeyId};
use crate::keys::{SIGNATURE_LENGTH, SecretKey};
use crate::trust::{AuthorityError, TrustStore};

/// What a payload is for: decides the domain string and the role its key must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    List,
    Policy,
    Time,
    Receipt,
    /// The owner's word that one device may admit a ticket.
    Grant,
    /// The word that one device forgets its lists and place.
    Wipe,
    /// The event's staff for one device.
    Staff,
}

impl Purpose {
    pub fn role(self) -> Role {
        match self {
            Purpose::List => Role::List,
            Purpose::Policy | Purpose::Grant | Purpose::Staff => Role::Policy,
            Purpose::Time => Role::Time,
            Purpose::Receipt => Role::Receipt,
            Purpose::Wipe => Role::Device,
        }
    }

    fn domain(self) -> &'static [u8] {
        match self {
            Purpose::List => domain::LIST,
            Purpose::Policy => domain::POLICY,
            Purpose::Time => domain::TIME,
            Purpose::Receipt => domain::RECEIPT,
            Purpose::Grant => domain::GRANT,
            Purpose::Wipe => domain::WIPE,
            Purpose::Staff => domain::STAFF,
        }
    }
}

/// Why a signed payload was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    #[error("this is no signed {} of a format that this version knows", expected.role().name())]
    Format { expected: Purpose },
    #[error("the signer has no right to it: {0}")]
    Authority(#[from] AuthorityError),
    #[error("the signature does not fit: the bytes were changed on their way, or forged")]
    Signature,
}

const FORMAT: u8 = 1;
const HEADER: usize = 10 + SIGNATURE_LENGTH;

/// Signs `payload` for `purpose`.
pub fn seal(purpose: Purpose, payload: &[u8], key: &SecretKey) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + payload.len());
    bytes.push(FORMAT);
    bytes.push(purpose.role().to_byte());
    bytes.extend_from_slice(&key.public().key_id().0);
    bytes.extend_from_slice(&key.sign(purpose.domain(), payload));
    bytes.extend_from_slice(payload);
    bytes
}

/// Checks key, role, event, time and signature, and returns the payload. The caller compares the event inside the payload.
pub fn open<'a>(
    purpose: Purpose,
    bytes: &'a [u8],
    trust: &TrustStore,
    event: EventId,
    now_s: i64,
) -> Result<&'a [u8], EnvelopeError> {
    let (key, signature, payload) = split(purpose, bytes)?;
    let authority = trust.authority(key, purpose.role(), event, now_s)?;
    authority.verify(purpose.domain(), payload, &signature).map_err(|_| EnvelopeError::Signature)?;
    Ok(payload)
}

/// As [`open`], for what was signed in the past and kept: the certificate's validity is not compared with now.
pub fn open_kept<'a>(
    purpose: Purpose,
    bytes: &'a [u8],
    trust: &TrustStore,
    event: EventId,
) -> Result<&'a [u8], EnvelopeError> {
    let (key, signature, payload) = split(purpose, bytes)?;
    let authority = trust.authority_at_any_time(key, purpose.role(), event)?;
    authority.verify(purpose.domain(), payload, &signature).map_err(|_| EnvelopeError::Signature)?;
    Ok(payload)
}

/// Whether the signer's certificate holds at `now_s`; for what [`open_kept`] has opened, whose payload says when it was signed.
pub fn signed_within(
    purpose: Purpose,
    bytes: &[u8],
    trust: &TrustStore,
    event: EventId,
    now_s: i64,
) -> Result<(), EnvelopeError> {
    let (key, _, _) = split(purpose, bytes)?;
    trust.authority(key, purpose.role(), event, now_s)?;
    Ok(())
}

fn split(purpose: Purpose, bytes: &[u8]) -> Result<(KeyId, [u8; SIGNATURE_LENGTH], &[u8]), EnvelopeError> {
    let error = EnvelopeError::Format { expected: purpose };
    let mut reader = Reader::new(bytes);
    let header = (|| Ok::<_, crate::bytes::Short>((reader.u8()?, reader.u8()?, reader.array()?, reader.array()?)))();
    match header {
        Ok((FORMAT, role, key, signature)) if role == purpose.role().to_byte() => {
            Ok((KeyId(key), signature, &bytes[HEADER..]))
        }
        _ => Err(error),
    }
}
