//! The feed: what other lanes did, as it happens. While it is alive this lane hears the server.
//!
//! What it says is judged by `core::hear`; here it is read and kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gate_core::wire::v1::FeedMessage;

use super::push::take_receipt;
use super::sse::{Event, Events};
use super::{Handle, Order, Outlet, Shared, SyncError, current};
use crate::core::engine::{Input, SyncNews, Trouble};
use crate::core::hear::{Batch, Unheard};
use crate::core::present::named_conflict;
use crate::core::station::Station;
use crate::core::sync_plan::Backoff;
use crate::shell::clock::{Clock, boot_ms, random_u64};
use crate::shell::http::{HttpError, Server, Signer, plain};
use crate::shell::journal::{Journal, JournalError};
use crate::shell::places;

/// The most admissions kept in one transaction.
const BATCH_MAX: usize = 128;
pub(super) struct Feed {
    pub(super) base: String,
    pub(super) pin: [u8; 32],
    pub(super) signer: Signer,
    pub(super) station: Shared,
    pub(super) orders: Handle,
    pub(super) outlet: Outlet,
    pub(super) clock: Clock,
    pub(super) over: Arc<AtomicBool>,
    /// When the feed was heard last, of the steady clock.
    pub(super) heard_ms: Arc<AtomicI64>,
}

/// Reads an event as it travels, and takes it in. A newer server may say more than this version understands.
pub(super) fn take(batch: &mut Batch, event: &Event, station: &Arc<Station>, unheard: &mut Unheard) {
    let message = URL_SAFE_NO_PAD.decode(&event.data).ok();
    let message = message.and_then(|bytes| gate_core::wire::from_cbor::<FeedMessage>(&bytes).ok());
    batch.take(event.id, message, station, unheard);
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
        while !self.is_over() {
            let mut heard = false;
            let ended = self.listen(journal, &mut unheard, &mut heard);
            if self.is_over() {
                return;
            }
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

    /// The place that this thread listens for is no more.
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
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
            take(&mut batch, &first, &station, unheard);
            while !batch.waits && batch.passages.len() < BATCH_MAX && events.at_hand() {
                let Some(next) = events.next().map_err(|error| self.cut_off(&error))? else { break };
                take(&mut batch, &next, &station, unheard);
            }
            if self.is_over() {
                return Ok(End::Stream);
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
        for receipt in &batch.receipts {
            match take_receipt(journal, station, self.clock.read().now_s(), receipt) {
                Ok(Some(seq)) => self.outlet.input(Input::Sync(SyncNews::Receipt { seq })),
                Ok(None) => {}
                Err(error @ SyncError::Journal(_)) => return Err(error),
                Err(error) => tracing::warn!(%error, "a receipt from the feed was not believed"),
            }
        }
        // After what was waiting for us is kept: from now on this lane knows what the others did.
        if batch.heard {
            self.heard_ms.store(boot_ms(), Ordering::Relaxed);
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
