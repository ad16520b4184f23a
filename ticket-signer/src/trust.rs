//! Whom a gate believes: one pinned root, the certificates it signed for one organiser, and the keys it took back.
//!
//! Invariants: nothing gets in without the root's signature; a revocation is never undone; every question names role,
//! event and time, so that no caller can forget one of the four checks.

use std::collections::{BTreeMap, BTreeSet};

use crate::certificate::{Certificate, DeviceCertificate, KeyRevocation, Role};
use crate::credential::FormatError;
use crate::ids::{EventId, KeyId};
use crate::keys::PublicKey;

/// Why a certificate or a revocation was not taken in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    #[error("not readable: {0}")]
    Format(#[from] FormatError),
    #[error("not signed by the root key that was pinned at enrolment")]
    NotFromRoot,
    #[error("made for the organiser \"{found}\", and this one is \"{expected}\"")]
    OtherOrganiser { expected: String, found: String },
}

/// Why a key may not sign what it signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityError {
    #[error("no certificate names the key {0}")]
    UnknownKey(KeyId),
    #[error("the key {0} was revoked")]
    Revoked(KeyId),
    #[error("the key {key} is certified, but not for the role `{}`", needed.name())]
    WrongRole { key: KeyId, needed: Role },
    #[error("the key {key} is not certified for event {event}")]
    WrongEvent { key: KeyId, event: EventId },
    #[error("the certificate of the key {0} is not valid yet")]
    NotYetValid(KeyId),
    #[error("the certificate of the key {0} has expired")]
    Expired(KeyId),
}

/// A pinned root and what it signed.
#[derive(Debug, Clone)]
pub struct TrustStore {
    root: PublicKey,
    organiser: String,
    certificates: BTreeMap<KeyId, Vec<Certificate>>,
    revoked: BTreeSet<KeyId>,
}

impl TrustStore {
    /// Believes `root`, for `organiser` alone.
    pub fn new(root: PublicKey, organiser: impl Into<String>) -> Self {
        TrustStore { root, organiser: organiser.into(), certificates: BTreeMap::new(), revoked: BTreeSet::new() }
    }

    pub fn root(&self) -> &PublicKey {
        &self.root
    }

    pub fn organiser(&self) -> &str {
        &self.organiser
    }

    /// Takes a certificate in, after checking the root's signature and the organiser. The same one twice is one.
    pub fn add_certificate(&mut self, bytes: &[u8]) -> Result<Certificate, TrustError> {
        let certificate = Certificate::from_bytes(bytes)?;
        // The very same one was checked when it came first; every bundle brings all of them again.
        if self.certificates.get(&certificate.fields().key.key_id()).is_some_and(|known| known.contains(&certificate)) {
            return Ok(certificate);
        }
        certificate.verify(&self.root).map_err(|_| TrustError::NotFromRoot)?;
        let found = &certificate.fields().organiser;
        if *found != self.organiser {
            return Err(TrustError::OtherOrganiser { expected: self.organiser.clone(), found: found.clone() });
        }
        self.certificates.entry(certificate.fields().key.key_id()).or_default().push(certificate.clone());
        Ok(certificate)
    }

    /// Takes a key back, for good.
    pub fn add_revocation(&mut self, bytes: &[u8]) -> Result<KeyRevocation, TrustError> {
        let revocation = KeyRevocation::from_bytes(bytes)?;
        revocation.verify(&self.root).map_err(|_| TrustError::NotFromRoot)?;
        self.revoked.insert(revocation.key());
        Ok(revocation)
    }

    pub fn is_revoked(&self, key: KeyId) -> bool {
        self.revoked.contains(&key)
    }

    pub fn certificates(&self) -> impl Iterator<Item = &Certificate> {
        self.certificates.values().flatten()
    }

    /// The key named `key`, if it may act as `role` for `event` at `now_s`. Revocation is final, whatever the time.
    pub fn authority(&self, key: KeyId, role: Role, event: EventId, now_s: i64) -> Result<&PublicKey, AuthorityError> {
        self.find(key, role, Some(event), Some(now_s))
    }

    /// As [`authority`](Self::authority) without the time: for signatures that were made long ago and kept, such as the
    /// device certificate of an old journal row, whose own validity is compared with the row's time.
    pub fn authority_at_any_time(&self, key: KeyId, role: Role, event: EventId) -> Result<&PublicKey, AuthorityError> {
        self.find(key, role, Some(event), None)
    }

    /// Checks a device certificate's signature and its authority's right to sign it. The lease is the caller's to compare.
    pub fn device(&self, certificate: &DeviceCertificate) -> Result<(), AuthorityError> {
        let key = certificate.authority();
        let authority = self.authority_at_any_time(key, Role::Device, certificate.fields().event)?;
        certificate.verify(authority).map_err(|_| AuthorityError::UnknownKey(key))
    }

    fn find(
        &self,
        key: KeyId,
        role: Role,
        event: Option<EventId>,
        now_s: Option<i64>,
    ) -> Result<&PublicKey, AuthorityError> {
        if self.is_revoked(key) {
            return Err(AuthorityError::Revoked(key));
        }
        // Of several certificates, the one that failed the latest check says most about what is wrong.
        let mut closest = (0, AuthorityError::UnknownKey(key));
        for certificate in self.certificates.get(&key).into_iter().flatten() {
            let fields = certificate.fields();
            let failed = if fields.role != role {
                (1, AuthorityError::WrongRole { key, needed: role })
            } else if let Some(event) = event.filter(|event| !certificate.names_event(*event)) {
                (2, AuthorityError::WrongEvent { key, event })
            } else if now_s.is_some_and(|now| now >= i64::from(fields.not_after_s)) {
                (3, AuthorityError::Expired(key))
            } else if now_s.is_some_and(|now| now < i64::from(fields.not_before_s)) {
                (4, AuthorityError::NotYetValid(key))
            } else {
                return Ok(&fields.key);
            };
            if failed.0 > closest.0 {
                closest = failed;
            }
        }
        Err(closest.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::{CertificateFields, EventRange};
    use crate::keys::SecretKey;

    #[test]
    fn a_certificate_that_is_known_is_taken_again_and_a_forged_copy_of_it_is_not() {
        let (root, key) = (SecretKey::from_bytes(&[1; 32]), SecretKey::from_bytes(&[2; 32]));
        let fields = CertificateFields {
            role: Role::List,
            key: key.public(),
            organiser: "Harbour".to_owned(),
            events: vec![EventRange { first: EventId(7), last: EventId(7) }],
            not_before_s: 0,
            not_after_s: 100,
        };
        let real = Certificate::issue(fields, &root).expect("the fields are sound").to_bytes();
        let mut forged = real.clone();
        *forged.last_mut().expect("a signature") ^= 1;
        let mut trust = TrustStore::new(root.public(), "Harbour");
        assert_eq!(trust.add_certificate(&forged), Err(TrustError::NotFromRoot));
        for _ in 0..2 {
            assert!(trust.add_certificate(&real).is_ok());
            assert_eq!(
                trust.add_certificate(&forged),
                Err(TrustError::NotFromRoot),
                "the same fields, not the signature"
            );
        }
        assert_eq!(trust.certificates().count(), 1);
    }
}
