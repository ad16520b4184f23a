//! The feed: what other lanes did, as it happens. While it is alive this lane hears the server.
//!
//! Invariants: the cursor passes an admission only when it is kept, or can never be believed; this lane does not hear the
//! others while one of their admissions waits for a certificate.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gate_core::row::SignedRow;
use gate_core::wire::v1::{FeedMessage, WireRow};
use ticket_signer::{AuthorityError, DeviceCertificate, KeyId};

use super::sse::{Event, Events};
use super::{Handle, Order, Outlet, Shared, SyncError, current};
use crate::core::engine::{Input, SyncNews, Trouble};
use crate::core::present::named_conflict;
use crate::core::station::Station;
use crate::core::sync_plan::Backoff;
use crate::shell::clock::{Clock, random_u64};
use crate::shell::http::{HttpError, Server, Signer, plain};
use crate::shell::journal::{Journal, JournalError, ReceivedPassage};
use crate::shell::places;

/// The most admissions kept in one transaction.
const BATCH_MAX: usize = 128;
/// A device may have gone on for this long after its lease, by its own clock; milliseconds.
const LEASE_TOLERANCE_MS: i64 = 10 * 60_000;
/// How many bundles may come without an authority's certificate before its rows are passed over: the first may have been on
/// its way already when the row came.
const BUNDLES_AWAITED: u8 = 2;
/// The most authorities without a certificate that are remembered.
const UNHEARD_MAX: usize = 16;

pub(super) struct Feed {
    pub(super) base: String,
    pub(super) pin: [u8; 32],
    pub(super) signer: Signer,
    pub(super) station: Shared,
    pub(super) orders: Handle,
    pub(super) outlet: Outlet,
    pub(super) clock: Clock,
}

/// Why another device's row was not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Disbelief {
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
pub(super) fn believe(row: WireRow, certificate: &[u8], station: &Station) -> Result<ReceivedPassage, Disbelief> {
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
pub(super) struct Unheard {
    keys: BTreeMap<KeyId, (u8, Arc<Station>)>,
}

impl Unheard {
    /// Whether rows under `key` are to wait for another bundle than `station`'s.
    fn waits(&mut self, key: KeyId, station: &Arc<Station>) -> bool {
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
pub(super) struct Batch {
    pub(super) passages: Vec<ReceivedPassage>,
    pub(super) cursor: Option<u64>,
    pub(super) heard: bool,
    pub(super) list: Option<u64>,
    pub(super) bundle: bool,
    /// The next row waits for a bundle: the cursor stays before it, and nothing after it was taken.
    pub(super) waits: bool,
}

impl Batch {
    pub(super) fn take(&mut self, event: &Event, station: &Arc<Station>, unheard: &mut Unheard) {
        if self.waits {
            return;
        }
        let message = URL_SAFE_NO_PAD.decode(&event.data).ok();
        match message.and_then(|bytes| gate_core::wire::from_cbor::<FeedMessage>(&bytes).ok()) {
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
                        Some(_) => tracing::debug!(%error, cursor = event.id, "a row from the feed was passed over"),
                        None => tracing::warn!(%error, cursor = event.id, "a row from the feed was not believed"),
                    },
                }
            }
            Some(FeedMessage::List { version }) => self.list = self.list.max(Some(version)),
            Some(FeedMessage::Policy { version }) => self.bundle |= version > station.policy_version(),
            Some(FeedMessage::Trust) => self.bundle = true,
            Some(FeedMessage::Time(time)) => match time.open(&station.trust, station.event_id()) {
                Ok(_) => self.heard = true,
                Err(error) => tracing::warn!(%error, "the feed's time was not believed"),
            },
            // A newer server may say more than this version understands.
            None => tracing::debug!(cursor = event.id, "an unknown feed message"),
        }
        // The server's word, also where it is less: one that was restored from a backup counts anew.
        self.cursor = event.id.or(self.cursor);
    }
}

/// Why listening ended without a failure.
#[derive(Debug)]
pub(super) enum End {
    Stream,
    /// A row waits for another bundle than this station's.
    Waits(Arc<Station>),
}

impl Feed {
    pub(super) fn start(self, mut journal: Journal) -> Result<(), SyncError> {
        let spawned = std::thread::Builder::new().name("feed".to_owned()).spawn(move || self.run(&mut journal));
        spawned.map(|_| ()).map_err(|error| JournalError::Io(format!("no thread could be started: {error}")).into())
    }

    fn run(&self, journal: &mut Journal) {
        let mut backoff = Backoff::default();
        let mut unheard = Unheard::default();
        let mut logged = String::new();
        // Nobody sends here: it is waited on, for a pause that ends.
        let (_never, pause) = crossbeam_channel::bounded::<()>(1);
        loop {
            let mut heard = false;
            let ended = self.listen(journal, &mut unheard, &mut heard);
            self.outlet.input(Input::Sync(SyncNews::Silent));
            if heard {
                backoff.succeeded();
            }
            let mut waited_with = None;
            match ended {
                Ok(End::Stream) => tracing::info!("the feed ended"),
                Ok(End::Waits(station)) => {
                    tracing::info!("another lane's admission waits for its authority's certificate");
                    waited_with = Some(station);
                }
                Err(error) => {
                    // Each failure is told; it is logged when it is another one.
                    let text = error.to_string();
                    if heard || text != logged {
                        tracing::warn!(%error, "feed");
                        logged = text;
                    }
                    let kind = if matches!(error, SyncError::Journal(_)) { Trouble::Storage } else { Trouble::Server };
                    self.outlet.trouble(kind, &error);
                }
            }
            loop {
                let _ = pause.recv_timeout(Duration::from_millis(backoff.failed(random_u64())));
                match &waited_with {
                    // Orders that come while the other thread pauses are not kept.
                    Some(station) if Arc::ptr_eq(station, &current(&self.station)) => {
                        self.orders.order(Order::BundleWanted);
                    }
                    _ => break,
                }
            }
        }
    }

    /// Listens until the stream ends or fails, or a row has to wait for a bundle.
    pub(super) fn listen(
        &self,
        journal: &mut Journal,
        unheard: &mut Unheard,
        heard: &mut bool,
    ) -> Result<End, SyncError> {
        let event = current(&self.station).event_id();
        let server = Server::for_feed(&self.base, self.pin, self.signer.clone())?;
        let (cursor, known) = journal.feed_place(event)?;
        let known_part = known.map(|generation| format!("&generation={generation}")).unwrap_or_default();
        let (stream, generation) =
            server.stream(&format!("/gate/v1/events/{event}/feed?cursor={cursor}{known_part}"))?;
        if let Some(generation) = generation.filter(|generation| known != Some(*generation)) {
            journal.keep_feed_generation(event, generation)?;
        }
        let mut events = Events::new(stream);
        // The other thread may be in its pause after a failure; the server is back.
        self.orders.order(Order::Now);
        loop {
            let Some(first) = events.next().map_err(|error| self.cut_off(&error))? else { return Ok(End::Stream) };
            let station = current(&self.station);
            let mut batch = Batch::default();
            batch.take(&first, &station, unheard);
            while !batch.waits && batch.passages.len() < BATCH_MAX && events.at_hand() {
                let Some(next) = events.next().map_err(|error| self.cut_off(&error))? else { break };
                batch.take(&next, &station, unheard);
            }
            *heard |= batch.heard;
            let waits = batch.waits;
            self.act(journal, &station, batch)?;
            if waits {
                return Ok(End::Waits(station));
            }
        }
    }

    pub(super) fn act(&self, journal: &mut Journal, station: &Arc<Station>, batch: Batch) -> Result<(), SyncError> {
        let event = station.event_id();
        if !batch.passages.is_empty() || batch.cursor.is_some() {
            let tickets = journal.receive(event, &batch.passages, batch.cursor)?;
            if !tickets.is_empty() {
                let naming = places::naming(journal, station)?;
                for ticket in tickets {
                    if let Some((class, found)) = journal.conflict(event, ticket)? {
                        let named = named_conflict(class, found, &naming, self.clock.read().now_ms);
                        self.outlet.input(Input::Sync(SyncNews::Conflict(Box::new(named))));
                    }
                }
            }
        }
        // After what was waiting for us is kept: from now on this lane knows what the others did.
        if batch.heard {
            self.outlet.input(Input::Sync(SyncNews::Heard));
        }
        if let Some(version) = batch.list {
            self.orders.order(Order::Announced { version });
        }
        if batch.bundle {
            self.orders.order(Order::BundleWanted);
        }
        Ok(())
    }

    fn cut_off(&self, error: &std::io::Error) -> HttpError {
        HttpError::Unreachable { server: self.base.clone(), error: plain(error) }
    }
}
