//! What a lane makes of the feed: whom it believes, and when it has heard the others. Pure; the shell brings the events.
//!
//! Invariants: the cursor passes another lane's row only when it is kept, or can never be believed; this lane does not hear
//! the others while one of their rows waits for a certificate.

use std::collections::BTreeMap;
use std::sync::Arc;

use gate_core::mutant::{Mutant, planted};
use gate_core::row::{RowBody, SignedRow};
use gate_core::wire::v1::{FeedMessage, Receipt, WireRow};
use ticket_signer::{AuthorityError, DeviceCertificate, KeyId};

use super::station::Station;

/// A device may have gone on for this long after its lease, by its own clock; milliseconds.
const LEASE_TOLERANCE_MS: i64 = 10 * 60_000;
/// How many bundles may come without an authority's certificate before its rows are passed over: the first may have been on
/// its way already when the row came.
const BUNDLES_AWAITED: u8 = 2;
/// The most authorities without a certificate that are remembered.
const UNHEARD_MAX: usize = 16;

/// Another device's entry or exit, checked: certificate by the trust store, row by the certificate's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedPassage {
    pub row: SignedRow,
    pub body: RowBody,
    pub certificate: DeviceCertificate,
}

/// Why another device's row was not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Disbelief {
    #[error("the device's certificate cannot be read: {0}")]
    Certificate(ticket_signer::FormatError),
    #[error("the device's certificate: {0}")]
    Authority(AuthorityError),
    #[error("{0}")]
    Row(gate_core::row::RowError),
    #[error("the row is of another device or event than its certificate")]
    Misplaced,
    #[error("the row was made after its device's lease")]
    AfterLease,
    #[error("nobody passed by the row")]
    NoPassage,
}

/// Checks another device's entry or exit: certificate by the trust store, row by the certificate's key.
pub fn believe(row: WireRow, certificate: &[u8], station: &Station) -> Result<ReceivedPassage, Disbelief> {
    let certificate = DeviceCertificate::from_bytes(certificate).map_err(Disbelief::Certificate)?;
    station.trust.device(&certificate).map_err(Disbelief::Authority)?;
    let row = SignedRow::from(row);
    let fields = certificate.fields();
    let body = row.open(&fields.key).map_err(Disbelief::Row)?;
    if body.device != fields.device || body.event != fields.event || fields.event != station.event_id() {
        return Err(Disbelief::Misplaced);
    }
    // The certificate at hand may be younger than the row (a lease is renewed), so only its end is compared.
    if body.at_ms > i64::from(fields.not_after_s) * 1000 + LEASE_TOLERANCE_MS {
        return Err(Disbelief::AfterLease);
    }
    if body.passage().is_none() {
        return Err(Disbelief::NoPassage);
    }
    Ok(ReceivedPassage { row, body, certificate })
}

/// Authorities that signed for other devices and that no certificate names: how many bundles came since without one, and the
/// station of the last. Their rows wait, and not for ever.
#[derive(Debug, Default)]
pub struct Unheard {
    keys: BTreeMap<KeyId, (u8, Arc<Station>)>,
}

impl Unheard {
    /// Whether rows under `key` are to wait for another bundle than `station`'s.
    fn waits(&mut self, key: KeyId, station: &Arc<Station>) -> bool {
        if planted(Mutant::UnheardPassedOver) {
            return false;
        }
        if !self.keys.contains_key(&key) && self.keys.len() >= UNHEARD_MAX {
            self.keys.pop_first();
        }
        let (bundles, last) = self.keys.entry(key).or_insert_with(|| (0, Arc::clone(station)));
        if *bundles < BUNDLES_AWAITED && !Arc::ptr_eq(last, station) {
            *bundles += 1;
            *last = Arc::clone(station);
            if *bundles == BUNDLES_AWAITED {
                tracing::warn!(%key, "no bundle names the authority of another lane; that lane's rows are passed over");
            }
        }
        *bundles < BUNDLES_AWAITED
    }
}

/// The authority that has no certificate yet, if that is why a row was not believed. A key that has one, and did not sign, is
/// reported by the same error.
fn unheard_of(error: &Disbelief, station: &Station) -> Option<KeyId> {
    let Disbelief::Authority(AuthorityError::UnknownKey(key)) = error else { return None };
    let named = station.trust.certificates().any(|certificate| certificate.fields().key.key_id() == *key);
    (!named).then_some(*key)
}

/// What a batch of events came to.
#[derive(Debug, Default)]
pub struct Batch {
    pub passages: Vec<ReceivedPassage>,
    pub cursor: Option<u64>,
    pub heard: bool,
    pub list: Option<u64>,
    pub bundle: bool,
    /// Receipts of this lane's own rows, to be checked.
    pub receipts: Vec<Receipt>,
    /// The next row waits for a bundle: the cursor stays before it, and nothing after it was taken.
    pub waits: bool,
}

impl Batch {
    /// Takes one event in: the cursor to come back with, and the message, where this version understands it.
    pub fn take(
        &mut self,
        id: Option<u64>,
        message: Option<FeedMessage>,
        station: &Arc<Station>,
        unheard: &mut Unheard,
    ) {
        if self.waits {
            return;
        }
        match message {
            Some(FeedMessage::Admission { row, device_certificate }) => {
                match believe(row, &device_certificate, station) {
                    Ok(admission) if admission.body.device == station.device => {}
                    Ok(passage) => self.passages.push(passage),
                    Err(error) => match unheard_of(&error, station) {
                        Some(key) if unheard.waits(key, station) => {
                            (self.waits, self.bundle, self.heard) = (true, true, false);
                            return;
                        }
                        // Said when it was given up.
                        Some(_) => tracing::debug!(%error, cursor = id, "a row from the feed was passed over"),
                        None => tracing::warn!(%error, cursor = id, "a row from the feed was not believed"),
                    },
                }
            }
            Some(FeedMessage::List { version }) => self.list = self.list.max(Some(version)),
            Some(FeedMessage::Policy { version }) => self.bundle |= version > station.policy_version(),
            Some(FeedMessage::Staff { version }) => self.bundle |= version > station.staff_version(),
            Some(FeedMessage::Trust) => self.bundle = true,
            Some(FeedMessage::Time(time)) => match time.open(&station.trust, station.event_id()) {
                Ok(_) => self.heard = true,
                Err(error) => tracing::warn!(%error, "the feed's time was not believed"),
            },
            Some(FeedMessage::Receipt(receipt)) => self.receipts.push(receipt),
            // The line is alive, and nobody says that all others are heard.
            Some(FeedMessage::Alive(_)) => {}
            // A newer server may say more than this version understands.
            None => tracing::debug!(cursor = id, "an unknown feed message"),
        }
        // The server's word, also where it is less: one that was restored from a backup counts anew.
        self.cursor = id.or(self.cursor);
    }
}
