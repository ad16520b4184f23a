//! Whom the auditor believes: one root, what it signed for one organiser, and the keys that it took back.

use std::collections::{BTreeMap, BTreeSet};

use crate::certificate::{Certificate, DeviceCertificate, KeyRevocation, Role};
use crate::fault::Fault;
use crate::ids::{EventId, KeyId};
use crate::keys::PublicKey;

/// A root and what it signed.
#[derive(Debug, Clone)]
pub struct Trust {
    root: PublicKey,
    organiser: String,
    certificates: BTreeMap<KeyId, Vec<Certificate>>,
    revoked: BTreeSet<KeyId>,
}

impl Trust {
    pub fn new(root: PublicKey, organiser: impl Into<String>) -> Self {
        Trust { root, organiser: organiser.into(), certificates: BTreeMap::new(), revoked: BTreeSet::new() }
    }

    pub fn root(&self) -> &PublicKey {
        &self.root
    }

    pub fn organiser(&self) -> &str {
        &self.organiser
    }

    pub fn add_certificate(&mut self, bytes: &[u8]) -> Result<Certificate, Fault> {
        let certificate = Certificate::read(bytes)?;
        certificate.verify(&self.root)?;
        if certificate.organiser != self.organiser {
            return Err(Fault::OtherOrganiser);
        }
        let known = self.certificates.entry(certificate.key.id()).or_default();
        if !known.contains(&certificate) {
            known.push(certificate.clone());
        }
        Ok(certificate)
    }

    pub fn add_revocation(&mut self, bytes: &[u8]) -> Result<KeyRevocation, Fault> {
        let revocation = KeyRevocation::read(bytes)?;
        revocation.verify(&self.root)?;
        self.revoked.insert(revocation.key);
        Ok(revocation)
    }

    /// The key of this id, if it might act as `role` for `event`, and at this moment (unix seconds) where one is given.
    pub fn authority(&self, id: KeyId, role: Role, event: EventId, at_s: Option<i64>) -> Result<&PublicKey, Fault> {
        if self.revoked.contains(&id) {
            return Err(Fault::AuthorityRevoked);
        }
        let mut nearest: Option<(u8, Fault)> = None;
        for certificate in self.certificates.get(&id).into_iter().flatten() {
            let miss = match at_s {
                _ if certificate.role != role => (1, Fault::AuthorityWrongRole),
                _ if !certificate.names(event) => (2, Fault::AuthorityWrongEvent),
                Some(at) if at >= i64::from(certificate.not_after_s) => (3, Fault::AuthorityExpired),
                Some(at) if at < i64::from(certificate.not_before_s) => (4, Fault::AuthorityNotYetValid),
                _ => return Ok(&certificate.key),
            };
            // The certificate that came nearest to fitting says most about what is wrong.
            if nearest.is_none_or(|(steps, _)| steps < miss.0) {
                nearest = Some(miss);
            }
        }
        Err(nearest.map_or(Fault::AuthorityUnknown, |(_, fault)| fault))
    }

    /// Whether a certified `device` key signed this device certificate. Its lease is compared with each row's time.
    pub fn device(&self, certificate: &DeviceCertificate) -> Result<(), Fault> {
        let authority = self.authority(certificate.authority, Role::Device, certificate.event, None)?;
        certificate.verify(authority)
    }
}
