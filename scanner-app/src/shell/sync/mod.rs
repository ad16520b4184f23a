//! The talk with the server: enrolment, then rows up, lists and keys down, and the feed. Threads of their own.
//!
//! Invariants: never blocks a scan (own connections, small transactions); believes nothing that the pinned root does not
//! vouch for; cannot be started on a replay folder (`SyncDatabase`); every wait is bounded and ends when there is something
//! to do; a failure is told once and tried again.

mod ask;
mod enrol;
mod feed;
mod lists;
mod push;
mod sse;
mod status;
#[cfg(test)]
mod tests;
mod wipe;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use gate_core::wire::v1::{DeviceStatus, EnrolmentCode, GrantRequest, StationBundle};
use ticket_signer::{EnvelopeError, SecretKey};

use super::clock::{Clock, boot_ms, random_u64};
use super::http::{HttpError, Server, Signer};
use super::journal::{Journal, JournalError, StationRecord, SyncDatabase};
use super::keystore::{self, KeyStoreError};
use super::places::{self, Standing};
use crate::core::engine::{Input, SyncNews, Trouble};
use crate::core::retention::Retention;
use crate::core::station::{self, BundleError, Known, Station};
use crate::core::sync_plan::{Backoff, Cursors, ListRefusal, Step, plan};

/// What the gate, or the feed, asks of this thread.
#[derive(Debug)]
pub enum Order {
    Enrol(Box<EnrolmentCode>),
    /// There are new rows.
    Push,
    /// Try again at once.
    Now,
    /// The feed told of a list.
    Announced {
        version: u64,
    },
    /// The feed told of keys or a policy.
    BundleWanted,
}

/// What this thread tells the gate.
#[derive(Debug)]
pub enum Message {
    Input(Box<Input>),
    /// Place, policy, keys or list changed in the database.
    Reload,
}

/// The way to the gate's thread, which may be waiting for its source.
#[derive(Clone)]
pub struct Outlet {
    sender: Sender<Message>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl Outlet {
    pub fn new(sender: Sender<Message>, wake: Arc<dyn Fn() + Send + Sync>) -> Self {
        Outlet { sender, wake }
    }

    pub fn send(&self, message: Message) {
        // The gate's thread is gone only when the process ends.
        let _ = self.sender.send(message);
        (self.wake)();
    }

    pub fn input(&self, input: Input) {
        self.send(Message::Input(Box::new(input)));
    }

    fn trouble(&self, kind: Trouble, error: &impl std::fmt::Display) {
        self.input(Input::Sync(SyncNews::Trouble { kind, message: error.to_string() }));
    }

    fn mended(&self, kind: Trouble) {
        self.input(Input::Sync(SyncNews::Mended(kind)));
    }
}

/// What the sync threads are told at the start.
#[derive(Clone)]
pub struct Settings {
    pub folder: PathBuf,
    /// Of a handheld that syncs: a replay has none to give.
    pub database: SyncDatabase,
    pub clock: Clock,
    /// What staff call this handheld.
    pub name: String,
    /// In place of the address on the enrolment code.
    pub server: Option<String>,
}

/// Orders that wait; all but enrolment say the same when said twice, so what finds no room is not missed.
const ORDERS_MAX: usize = 256;

/// The running threads, as the gate sees them.
#[derive(Clone)]
pub struct Handle {
    orders: Sender<Order>,
    questions: Sender<ask::Question>,
}

impl Handle {
    /// A handle whose orders nobody takes, until the threads run.
    pub fn silent() -> Self {
        Handle { orders: bounded(1).0, questions: bounded(1).0 }
    }

    /// Asks a ticket's owner; false where nobody is there to ask.
    pub fn ask(&self, question: u64, request: GrantRequest) -> bool {
        self.questions.try_send((question, request)).is_ok()
    }

    pub fn order(&self, order: Order) {
        // Disconnected: the threads do not run yet.
        if let Err(TrySendError::Full(_)) = self.orders.try_send(order) {
            tracing::warn!("the sync thread is behind; it looks at everything when it comes to it");
        }
    }
}

/// Why something was not synchronised.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Key(#[from] KeyStoreError),
    #[error(transparent)]
    Bundle(#[from] BundleError),
    #[error("The server's list was not taken: {0}. The gate goes on with the list it has; call the administrator")]
    List(#[from] ListRefusal),
    #[error("The server's list was not taken: {0}. The gate goes on with the list it has; call the administrator")]
    ListEnvelope(EnvelopeError),
    #[error("The server's list was not taken: {0}. The gate goes on with the list it has; call the administrator")]
    ListContent(ticket_signer::list::ListError),
    #[error("A part of the server's list was not taken: {0}. The gate goes on with the list it has")]
    Chunk(#[from] gate_core::pack::PackError),
    #[error(
        "The server's receipt is not to be believed ({0}). The scans stay on this handheld; call the administrator"
    )]
    Receipt(push::ReceiptFault),
    #[error("The server's order to wipe this handheld is not to be believed ({0}). Call the administrator")]
    Wipe(#[from] gate_core::wire::v1::WipeError),
    #[error("This handheld was wiped")]
    Wiped,
}

/// Starts the threads.
pub fn start(settings: Settings, outlet: Outlet) -> Result<Handle, SyncError> {
    let (orders, inbox) = bounded(ORDERS_MAX);
    let (questions, asked) = bounded(1);
    let journal = settings.database.connect()?;
    let handle = Handle { orders, questions };
    let mut this = Talk::new(settings, journal, outlet, (inbox, asked), handle.clone());
    let spawned = std::thread::Builder::new().name("sync".to_owned()).spawn(move || this.run());
    spawned.map_err(|error| JournalError::Io(format!("no thread could be started: {error}")))?;
    Ok(handle)
}

struct Talk {
    settings: Settings,
    journal: Journal,
    outlet: Outlet,
    inbox: Receiver<Order>,
    asked: Receiver<ask::Question>,
    orders: Handle,
    backoff: Backoff,
    /// What the feed's thread sees, once it runs.
    feed: Option<Shared>,
    /// Set when the place that the feed's threads work for is no more.
    over: Arc<AtomicBool>,
    /// The database failed here and has not worked again yet.
    storage_failed: bool,
    /// When the feed was heard last, of the steady clock; this thread's start before that.
    heard_ms: Arc<AtomicI64>,
    /// What was told last of this handheld.
    told: Option<DeviceStatus>,
}

/// The station as the feed's thread sees it: replaced whole when a bundle brings another.
type Shared = Arc<Mutex<Arc<Station>>>;

fn current(shared: &Shared) -> Arc<Station> {
    Arc::clone(&shared.lock().unwrap_or_else(PoisonError::into_inner))
}

impl Talk {
    fn new(
        settings: Settings,
        journal: Journal,
        outlet: Outlet,
        (inbox, asked): (Receiver<Order>, Receiver<ask::Question>),
        orders: Handle,
    ) -> Self {
        let backoff = Backoff::default();
        let over = Arc::default();
        let heard_ms = Arc::new(AtomicI64::new(boot_ms()));
        let (feed, storage_failed, told) = (None, false, None);
        Talk { settings, journal, outlet, inbox, asked, orders, backoff, feed, over, storage_failed, heard_ms, told }
    }

    fn run(&mut self) {
        loop {
            let standing = places::load(&self.journal);
            let failed = match standing {
                Ok(Standing::Nowhere) => self.wait_for_code(),
                Ok(Standing::Pending(record)) => self.wait_for_supervisor(&record),
                Ok(Standing::Placed(record, station)) => self.work(&record, station),
                Ok(Standing::Wiped(record, station)) => self.hand_in(&record, station),
                Err(error) => Err(error.into()),
            };
            if let Err(error) = failed {
                tracing::error!(%error, "synchronisation stopped; it is started again");
                self.outlet.trouble(Trouble::Storage, &error);
                self.storage_failed = true;
                self.pause();
            }
        }
    }

    /// Waits a growing while after a failure, or until told to try at once.
    fn pause(&mut self) {
        let mut left = self.backoff.failed(random_u64());
        let until = boot_ms() + left as i64;
        while left > 0 {
            match self.inbox.recv_timeout(Duration::from_millis(left)) {
                Ok(Order::Now) => return,
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
            }
            left = u64::try_from(until - boot_ms()).unwrap_or(0);
        }
    }

    fn client(&self, record: &StationRecord, key: &Arc<SecretKey>) -> Result<Server, SyncError> {
        let signer = Signer { device: record.device, key: Arc::clone(key) };
        Ok(Server::new(self.address(&record.server), record.tls_pin, Some(signer))?)
    }

    fn address<'a>(&'a self, server: &'a str) -> &'a str {
        self.settings.server.as_deref().unwrap_or(server)
    }

    /// Starts the feed's thread, once: this life may begin anew after a failure of the database, and the feed goes on.
    fn listen(
        &mut self,
        record: &StationRecord,
        station: Arc<Station>,
        key: &Arc<SecretKey>,
    ) -> Result<Shared, SyncError> {
        if let Some(shared) = &self.feed {
            *shared.lock().unwrap_or_else(PoisonError::into_inner) = station;
            return Ok(Arc::clone(shared));
        }
        let shared: Shared = Arc::new(Mutex::new(station));
        let feed = feed::Feed {
            base: self.address(&record.server).to_owned(),
            pin: record.tls_pin,
            signer: Signer { device: record.device, key: Arc::clone(key) },
            station: Arc::clone(&shared),
            orders: self.orders.clone(),
            outlet: self.outlet.clone(),
            clock: self.settings.clock.clone(),
            over: Arc::clone(&self.over),
            heard_ms: Arc::clone(&self.heard_ms),
        };
        feed.start(self.settings.database.connect()?)?;
        let asker = ask::Asker {
            base: self.address(&record.server).to_owned(),
            pin: record.tls_pin,
            signer: Signer { device: record.device, key: Arc::clone(key) },
            station: Arc::clone(&shared),
            outlet: self.outlet.clone(),
            clock: self.settings.clock.clone(),
            questions: self.asked.clone(),
            over: Arc::clone(&self.over),
        };
        asker.start()?;
        self.feed = Some(Arc::clone(&shared));
        Ok(shared)
    }

    /// The working life: plan, do, and again. Returns only when the database fails.
    fn work(&mut self, record: &StationRecord, station: Arc<Station>) -> Result<(), SyncError> {
        let key = Arc::new(keystore::read_or_make(&self.settings.folder)?);
        let server = self.client(record, &key)?;
        let event = station.event_id();
        let shared = self.listen(record, station, &key)?;
        let mut cursors = Cursors { tells: true, ..Cursors::default() };
        loop {
            while let Ok(order) = self.inbox.try_recv() {
                heed(&mut cursors, &order);
            }
            let progress = self.journal.progress()?;
            cursors.head_seq = progress.head.seq;
            cursors.receipted_seq = progress.receipted_seq;
            cursors.list_version = self.journal.live_list(event)?.map(|list| list.version);
            self.look_at_self(&shared, &progress, &mut cursors)?;
            let now = boot_ms();
            let done = match plan(&cursors, now) {
                Step::FetchBundle => self.step_bundle(&server, record, &key, &shared, &mut cursors),
                Step::TellStatus => self.step_status(&server, &shared, &mut cursors),
                Step::PushRows { after, count } => self.step_push(&server, &shared, after, count, &mut cursors),
                Step::FetchList { cursor } => self.step_list(&server, &shared, cursor, &mut cursors),
                Step::Wait { until_ms } => {
                    self.forget(&current(&shared))?;
                    self.rest(&mut cursors, until_ms)?;
                    continue;
                }
            };
            match done {
                Ok(()) => {
                    self.backoff.succeeded();
                    if std::mem::take(&mut self.storage_failed) {
                        self.outlet.mended(Trouble::Storage);
                    }
                }
                Err(SyncError::Http(error)) if error.status().is_none() => {
                    self.outlet.trouble(Trouble::Server, &error);
                    self.forget(&current(&shared))?;
                    self.wait_out(&mut cursors);
                }
                Err(error @ (SyncError::Journal(_) | SyncError::Key(_))) => return Err(error),
                Err(SyncError::Wiped) => return Ok(()),
                Err(error) => {
                    // The step has said when it is due again.
                    tracing::warn!(%error, "synchronisation");
                }
            }
        }
    }

    /// Forgets what the policy says is over, while nothing else is due.
    fn forget(&mut self, station: &Station) -> Result<(), JournalError> {
        let Some(retention) = Retention::of(station, self.settings.clock.read()) else { return Ok(()) };
        while self.inbox.is_empty() && self.journal.forget(&retention)? {}
        Ok(())
    }

    /// Waits until something is due, and uses the quiet for what can wait.
    fn rest(&mut self, cursors: &mut Cursors, until_ms: i64) -> Result<(), JournalError> {
        while self.inbox.is_empty() && self.journal.sweep()? {}
        if self.inbox.is_empty() {
            self.journal.checkpoint()?;
        }
        let wait = u64::try_from(until_ms - boot_ms()).unwrap_or(0);
        if let Ok(order) = self.inbox.recv_timeout(Duration::from_millis(wait)) {
            heed(cursors, &order);
        }
        Ok(())
    }

    fn wait_out(&mut self, cursors: &mut Cursors) {
        let until = boot_ms() + self.backoff.failed(random_u64()) as i64;
        loop {
            let left = u64::try_from(until - boot_ms()).unwrap_or(0);
            match self.inbox.recv_timeout(Duration::from_millis(left)) {
                Ok(order) => {
                    heed(cursors, &order);
                    // The feed got through, or staff asked: so may we.
                    if matches!(order, Order::Now) {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn step_bundle(
        &mut self,
        server: &Server,
        record: &StationRecord,
        key: &Arc<SecretKey>,
        shared: &Shared,
        cursors: &mut Cursors,
    ) -> Result<(), SyncError> {
        let known = current(shared);
        let target = format!("/gate/v1/events/{}/bundle", known.event.id);
        let fetched = self.fetch_bundle(server, &target);
        let done = match fetched {
            Ok((bundle, sent)) => self.take_bundle(&bundle, sent, record, key, Some(&known)),
            Err(error) => Err(error.into()),
        };
        match done {
            Ok(station) => {
                *shared.lock().unwrap_or_else(PoisonError::into_inner) = station;
                cursors.bundle_wanted = false;
                cursors.bundle_at_ms = Some(boot_ms());
                self.outlet.mended(Trouble::Bundle);
                self.outlet.send(Message::Reload);
                Ok(())
            }
            Err(SyncError::Http(error)) if error.status().is_none() => Err(error.into()),
            Err(error @ SyncError::Journal(_)) => Err(error),
            Err(error) if wipe::may_be_wiped(&error) && self.was_wiped(server, record, &known)? => {
                Err(SyncError::Wiped)
            }
            Err(error) => {
                // Rows must go up all the same: a revoked device hands in what it has.
                cursors.bundle_wanted = false;
                cursors.bundle_at_ms = Some(boot_ms() - crate::core::sync_plan::BUNDLE_EVERY_MS + BUNDLE_RETRY_MS);
                self.outlet.trouble(Trouble::Bundle, &error);
                Err(error)
            }
        }
    }

    fn fetch_bundle(
        &self,
        server: &Server,
        target: &str,
    ) -> Result<(StationBundle, gate_core::clock::DeviceTime), HttpError> {
        let sent = self.settings.clock.device();
        Ok((server.get(target)?, sent))
    }

    /// Checks a bundle, takes its time, and keeps it.
    fn take_bundle(
        &mut self,
        bundle: &StationBundle,
        sent: gate_core::clock::DeviceTime,
        record: &StationRecord,
        key: &SecretKey,
        known: Option<&Station>,
    ) -> Result<Arc<Station>, SyncError> {
        let clock = &self.settings.clock;
        let received = clock.device();
        let public = key.public();
        let known = Known {
            device: record.device,
            key: &public,
            root_fingerprint: &record.root_fingerprint,
            server: &record.server,
            station: known,
        };
        let mut anchor = None;
        let checked = station::check(bundle, known, |signed_ms| {
            anchor = clock.take_signed(signed_ms, sent, received);
            clock.read().now_ms
        })?;
        for remark in &checked.remarks {
            tracing::warn!(remark, "bundle");
        }
        if let Some(anchor) = anchor {
            self.journal.keep_anchor(&anchor)?;
        }
        if let Some(staff) = &checked.staff {
            self.journal.keep_staff(staff)?;
        }
        self.journal.keep_confirmed(&places::record(&checked, &bundle.device_certificate))?;
        Ok(Arc::new(checked.station))
    }
}

/// When a bundle that was refused is asked for again, in milliseconds.
const BUNDLE_RETRY_MS: i64 = 20_000;

fn heed(cursors: &mut Cursors, order: &Order) {
    match order {
        Order::Announced { version } => cursors.list_announced = cursors.list_announced.max(*version),
        Order::BundleWanted => cursors.bundle_wanted = true,
        Order::Now => {
            cursors.list_not_before_ms = 0;
            cursors.withheld_until_ms = 0;
            cursors.list_at_ms = None;
        }
        // Rows are seen in the journal itself; a handheld with a place asks for no other.
        Order::Push | Order::Enrol(_) => {}
    }
}
