//! Whom an edge believes: what the root on its enrolment code vouches for.

use gate_core::wire::from_cbor;
use gate_core::wire::v1::StationBundle;
use ticket_signer::{DeviceCertificate, DeviceId, EventId, PublicKey, TrustStore};

use super::error::EdgeError;
use super::store::KeptPlace;

/// The trust that the last kept bundle gives.
pub(super) fn kept(place: &KeptPlace) -> Result<TrustStore, EdgeError> {
    let bundle: StationBundle = from_cbor(&place.bundle)?;
    believe(&bundle, place.device, &place.root_fingerprint, None)
}

/// Checks the edge's own bundle, and adds what it vouches for to what was believed before.
pub(super) fn believe(
    bundle: &StationBundle,
    device: DeviceId,
    root_fingerprint: &[u8; 32],
    known: Option<TrustStore>,
) -> Result<TrustStore, EdgeError> {
    let root = PublicKey::from_bytes(&bundle.root).map_err(EdgeError::Root)?;
    if root.fingerprint() != *root_fingerprint {
        return Err(EdgeError::OtherRoot);
    }
    let mut trust = match known {
        Some(known) if known.organiser() == bundle.organiser => known,
        _ => TrustStore::new(root, bundle.organiser.clone()),
    };
    for bytes in &bundle.certificates {
        if let Err(error) = trust.add_certificate(bytes) {
            tracing::warn!(%error, "a certificate from the upstream was left aside");
        }
    }
    for bytes in &bundle.revocations {
        if let Err(error) = trust.add_revocation(bytes) {
            tracing::warn!(%error, "a key revocation from the upstream was left aside");
        }
    }
    let certificate = DeviceCertificate::from_bytes(&bundle.device_certificate).map_err(|_| EdgeError::OtherDevice)?;
    trust.device(&certificate).map_err(EdgeError::Authority)?;
    let fields = certificate.fields();
    if fields.device != device || fields.event != EventId(bundle.event.id) {
        return Err(EdgeError::OtherDevice);
    }
    Ok(trust)
}
