//! Enrolment of an edge: as a handheld's, with a code from the supervisor's page, but typed and not scanned.

use std::sync::Arc;
use std::time::Duration;

use gate_core::wire::v1::{EnrolAnswer, EnrolRequest, EnrolmentCode, EnrolmentStatus};
use ticket_signer::{DeviceId, SecretKey};

use super::error::EdgeError;
use super::store::KeptPlace;
use super::upstream::Upstream;
use super::{store, trust};
use crate::platform::{Clock, Store};

/// How often the supervisor's word is asked for.
const POLL: Duration = Duration::from_secs(1);

/// An edge's new place.
pub struct Enrolled {
    pub event_id: u32,
    pub event: String,
    pub server: String,
}

/// Asks for a place, shows the fingerprint for the supervisor to compare, and waits for the supervisor's word.
///
/// # Errors
/// [`EdgeError`].
pub async fn enrol(
    store: &Store,
    clock: &Clock,
    key: SecretKey,
    (code, name): (&str, &str),
    show_fingerprint: impl FnOnce(&str),
) -> Result<Enrolled, EdgeError> {
    let code = EnrolmentCode::parse(code.trim())?;
    let key = Arc::new(key);
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let request = EnrolRequest::new(code.one_time, &key, name.to_owned(), version);
    let unsigned = Upstream::new(&code.server, code.tls_pin, None, clock)?;
    let EnrolAnswer { device, .. } = unsigned.post("/gate/v1/enrol", &request).await?;
    let device = DeviceId(device);
    show_fingerprint(&key.public().spoken_fingerprint());
    let upstream = Upstream::new(&code.server, code.tls_pin, Some((device, key)), clock)?;
    let bundle = loop {
        match upstream.get("/gate/v1/enrolment").await? {
            EnrolmentStatus::Pending => clock.pause(POLL).await,
            EnrolmentStatus::Refused => return Err(EdgeError::NotConfirmed),
            EnrolmentStatus::Confirmed(bundle) => break bundle,
        }
    };
    trust::believe(&bundle, device, &code.root_fingerprint, None)?;
    let place = KeptPlace {
        event_id: bundle.event.id,
        device,
        server: code.server.clone(),
        tls_pin: code.tls_pin,
        root_fingerprint: code.root_fingerprint,
        bundle: gate_core::wire::to_cbor(&bundle)?,
    };
    let mut tx = store.write().await?;
    store::keep_place(&mut tx, &place).await?;
    tx.commit().await?;
    Ok(Enrolled { event_id: bundle.event.id, event: bundle.event.name, server: code.server })
}
