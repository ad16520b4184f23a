//! The gate's thread: source, decoding, verification, the journal. It drives the engine and does what it says.
//!
//! Invariants: one thread, so that a scan is decided, recorded and shown before the next is looked at; a verdict leaves this
//! thread only after its commit returned; nothing here waits for the network.

mod staff;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};
use gate_core::crowd::Vote;
use gate_core::record::{self, Scan, Station as Here, recall};
use gate_core::row::RowBody;
use gate_core::wire::v1::GrantRequest;
use gate_core::{JournalTx as _, Reach, decide};
use ticket_signer::{Rejection, SecretKey, Serial, TicketId, UntrustedCode, VerifiedCode, VerifyContext, code, verify};

use super::camera::{ClockMs, RawFrame, Source, SourceEvent, SourceSpec, Torch, frames};
use super::clock::{Clock, system_ms};
use super::crash;
use super::journal::{Database, Journal, JournalError, Use};
use super::keystore::{self, KeyStoreError};
use super::output::Output;
use super::places::{self, Standing};
use super::recorder::{self, Recorder};
use super::sync::{self, Handle, Message, Order, Outlet, Settings, SyncError};
use crate::core::crowd_news::crowd_news;
use crate::core::decode::luma::{LumaView, to_luma};
use crate::core::decode::{Code, Decoder};
use crate::core::engine::{Effect, Engine, Input, Moment, PlaceNews, SignedGrant, SourceNews, SyncNews, Trouble};
use crate::core::present::Tone;
use crate::core::present::view::View;
use crate::core::report::Report;
use crate::core::station::Station;

/// How long this thread waits at most: clocks on the screen move on.
const TICK: Duration = Duration::from_millis(250);
/// How long one frame of a camera may be searched; the next is on its way.
const DEADLINE_CAMERA: Duration = Duration::from_millis(100);
/// A recorded frame comes once: it is searched to the end, within reason.
const DEADLINE_FRAMES: Duration = Duration::from_secs(5);
/// How long a handheld without a window waits for receipts when its source has ended.
const LAST_PUSH: Duration = Duration::from_secs(5);
/// Freshness in steps where no policy says otherwise.
const FRESHNESS_STEPS: u32 = 2;

/// Why the handheld did not start.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Key(#[from] KeyStoreError),
    #[error(transparent)]
    Sync(#[from] SyncError),
    #[error(transparent)]
    Source(#[from] super::camera::SourceError),
    #[error("No thread could be started ({0}). Free some memory and start again")]
    Thread(std::io::Error),
    #[error("{0}")]
    Device(&'static str),
}

/// What the handheld is started with.
pub struct Options {
    pub folder: PathBuf,
    pub source: SourceSpec,
    /// What staff call it.
    pub name: String,
    /// In place of the address on the enrolment code.
    pub server: Option<String>,
    pub recorder: recorder::Options,
    /// When a camera's lamp burns.
    pub torch: Torch,
}

/// Where the gate's outcomes are seen and heard.
#[derive(Default)]
pub struct Front {
    /// Shows a view. It answers with [`Input::Shown`] through the outlet when a verdict has been seen; without it, writing
    /// the verdict's line is showing it.
    pub screen: Option<Box<dyn FnMut(View) + Send>>,
    /// Gets the frames that were looked at, with what was found.
    pub preview: Option<Preview>,
    pub sound: Option<Box<dyn FnMut(Tone) + Send>>,
}

/// Takes a frame's luma and the codes found in it.
pub type Preview = Box<dyn FnMut(&LumaView<'_>, &[Code]) + Send>;

/// The running gate.
pub struct Gate {
    journal: Journal,
    folder: PathBuf,
    clock: Clock,
    engine: Engine,
    source: Source,
    spec: SourceSpec,
    decoder: Decoder,
    inbox: Receiver<Message>,
    sync: Handle,
    output: Output,
    front: Front,
    recorder: Option<Recorder>,
    played: Played,
    staff: staff::Staff,
    standing: Option<(Arc<Station>, Arc<SecretKey>)>,
    shown_view: Option<View>,
    /// What the engine was told last of the crowd's clock.
    crowd_told: Option<SyncNews>,
    /// When the present frame or text was taken.
    taken: Instant,
    frame_faults: u32,
    ended: Option<Instant>,
}

/// Counts a replay's frames.
#[derive(Default)]
struct Played {
    frames: u64,
    /// Those in which a code was read.
    read: u64,
}

/// What is still to be done for one input.
enum Work {
    Input(Input),
    Effect(Effect),
}

impl Gate {
    /// Opens everything. `make_front` gets the way back into the gate.
    pub fn open(
        options: Options,
        output: Output,
        make_front: impl FnOnce(&Outlet) -> Front,
    ) -> Result<Self, GateError> {
        let database = Database::open(&options.folder, None, super::clock::random_u64())?;
        // Before anything is shown: a replay must not sync, and a handheld's own journal must not take in a replay.
        let (synced, clock) = match &options.source {
            SourceSpec::Replay(recordings) => {
                database.expect_replay()?;
                (None, Clock::recorded(frames::first_taken_ms(recordings).unwrap_or_else(system_ms)))
            }
            _ => (Some(database.for_sync()?), Clock::new(None)),
        };
        let journal = database.connect(Use::Gate)?;
        clock.restore(journal.anchor()?);
        clock.restore_by_hand(journal.clock_by_hand()?);
        let stamp = clock.clone();
        let stamp: ClockMs = Arc::new(move || stamp.read().now_ms);
        let source = Source::open(&options.source, options.torch, Arc::clone(&stamp))?;
        let (sender, inbox): (Sender<Message>, Receiver<Message>) = unbounded();
        let outlet = Outlet::new(sender, Arc::new(source.nudge()));
        let front = make_front(&outlet);
        let recorder = match &synced {
            // What was recorded is recorded: a replay would only make copies of it.
            None => None,
            Some(_) => Some(Recorder::start(&options.folder, options.recorder, stamp, telling(outlet.clone()))),
        };
        let settings = synced.map(|database| Settings {
            folder: options.folder.clone(),
            database,
            clock: clock.clone(),
            name: options.name.clone(),
            server: options.server,
        });
        let mut gate = Gate {
            journal,
            folder: options.folder,
            clock,
            engine: Engine::new(options.name),
            source,
            spec: options.source,
            decoder: Decoder::default(),
            inbox,
            // Replaced below, but for a replay: the last verdict is shown before anything new can happen.
            sync: Handle::silent(),
            output,
            front,
            recorder: recorder.transpose().map_err(GateError::Thread)?,
            played: Played::default(),
            staff: staff::Staff::start(outlet.clone())?,
            standing: None,
            shown_view: None,
            crowd_told: None,
            taken: Instant::now(),
            frame_faults: 0,
            ended: None,
        };
        gate.begin()?;
        if let Some(settings) = settings {
            gate.sync = sync::start(settings, outlet)?;
        }
        Ok(gate)
    }

    /// Takes up what was there before: place, list, and the verdict that nobody may have seen.
    fn begin(&mut self) -> Result<(), GateError> {
        if matches!(self.spec, SourceSpec::Wedge(_)) {
            self.give(Input::Source(SourceNews::Imager));
        }
        self.reload(true)?;
        let Some((station, _)) = &self.standing else { return Ok(()) };
        let progress = self.journal.progress()?;
        if progress.head.seq > progress.shown_seq {
            let event = station.event_id();
            let mut tx = self.journal.begin(event)?;
            let last = tx.row(progress.head.seq)?.and_then(|row| RowBody::from_bytes(&row.bytes).ok());
            let recalled = recall(&mut tx)?;
            drop(tx);
            if let Some(recorded) = recalled {
                let text = last.and_then(|body| body.code).map(String::into_bytes);
                self.give(Input::Recorded { recorded: Box::new(recorded), text, latency_us: None });
            }
        }
        self.give(Input::Tick);
        Ok(())
    }

    /// Works until the source has ended (without a window) or the process is ended.
    pub fn run(mut self) -> Result<(), GateError> {
        loop {
            let event = self.source.next(TICK);
            self.taken = Instant::now();
            if let Some(event) = event {
                self.heard(event);
            }
            while let Ok(message) = self.inbox.try_recv() {
                match message {
                    Message::Input(input) => self.give(*input),
                    Message::Reload => {
                        if let Err(error) = self.reload(false) {
                            tracing::error!(%error, "the place could not be read again");
                            let message = error.to_string();
                            self.give(Input::Sync(SyncNews::Trouble { kind: Trouble::Storage, message }));
                        }
                    }
                }
            }
            let news = crowd_news(self.clock.crowd());
            if self.crowd_told.as_ref() != Some(&news) {
                self.give(Input::Sync(news.clone()));
                self.crowd_told = Some(news);
            }
            self.give(Input::Tick);
            if self.finished()? {
                return Ok(());
            }
        }
    }

    /// Without a window and with a source that has ended there is nothing left to do but to send what was scanned.
    fn finished(&self) -> Result<bool, GateError> {
        let Some(ended) = self.ended.filter(|_| self.front.screen.is_none()) else { return Ok(false) };
        let progress = self.journal.progress()?;
        let silent = matches!(self.spec, SourceSpec::Replay(_));
        let sent = silent || self.standing.is_none() || progress.receipted_seq >= progress.head.seq;
        Ok(sent || ended.elapsed() >= LAST_PUSH || self.engine.is_cut_off())
    }

    fn heard(&mut self, event: SourceEvent) {
        match event {
            SourceEvent::Frame(frame) => self.look(frame),
            SourceEvent::Text(text) => self.give(Input::Seen(vec![text])),
            SourceEvent::Missing(message) | SourceEvent::Stalled(message) => {
                self.give(Input::Source(SourceNews::Lost(message)));
            }
            SourceEvent::Recovered => {
                let imager = matches!(self.spec, SourceSpec::Wedge(_));
                self.give(Input::Source(if imager { SourceNews::Imager } else { SourceNews::Live }));
            }
            SourceEvent::Ended => {
                self.ended = Some(Instant::now());
                if matches!(self.spec, SourceSpec::Replay(_)) {
                    let Played { frames, read } = self.played;
                    self.output.line(&Report::Replayed { frames, read });
                }
                self.give(Input::Source(SourceNews::Ended));
            }
        }
    }

    fn look(&mut self, frame: RawFrame) {
        self.clock.at_frame(frame.taken_ms);
        self.played.frames += 1;
        let luma = match to_luma(&frame) {
            Ok(luma) => luma,
            Err(error) => {
                self.frame_faults += 1;
                // One bad frame is nothing; a row of them is a loose cable.
                if self.frame_faults == 5 || self.is_recorded() {
                    let text = error.to_string();
                    let (what, advice) = text.split_once(": ").unwrap_or((&text, "check the camera"));
                    let message = format!("A picture cannot be read ({what}). {}.", sentence(advice));
                    self.give(Input::Source(SourceNews::Lost(message)));
                }
                return;
            }
        };
        if std::mem::take(&mut self.frame_faults) > 0 || self.shown_view.as_ref().is_none_or(|view| !live(view)) {
            self.give(Input::Source(SourceNews::Live));
        }
        let patience = if self.is_recorded() { DEADLINE_FRAMES } else { DEADLINE_CAMERA };
        let until = self.taken + patience;
        let decoded = self.decoder.decode(&luma.view(), &mut || Instant::now() >= until);
        if let Some(preview) = &mut self.front.preview {
            preview(&luma.view(), &decoded.codes);
        }
        let likely = decoded.likely;
        let texts = nearest_first(decoded.codes, luma.view().width(), luma.view().height());
        let unread = texts.is_empty();
        self.give(Input::Seen(texts));
        self.played.read += u64::from(!unread);
        // Before it has a place a handheld sees the supervisor's page, which is nobody's business.
        if let Some(recorder) = self.recorder.as_ref().filter(|_| unread && self.standing.is_some()) {
            recorder.offer(frame, likely);
        }
    }

    /// The source's frames come from files, each once.
    fn is_recorded(&self) -> bool {
        matches!(self.spec, SourceSpec::Frames(_) | SourceSpec::Replay(_))
    }

    /// Gives the engine an input and does what it says, until it has nothing more to say. What one effect leads to is done
    /// before the next effect, so that the engine is never brought anything else between a question and its answer.
    fn give(&mut self, input: Input) {
        let mut work = std::collections::VecDeque::from([Work::Input(input)]);
        while let Some(next) = work.pop_front() {
            match next {
                Work::Input(input) => {
                    let at = self.moment();
                    for effect in self.engine.step(at, input).into_iter().rev() {
                        work.push_front(Work::Effect(effect));
                    }
                }
                Work::Effect(effect) => {
                    if let Some(input) = self.act(effect) {
                        work.push_front(Work::Input(input));
                    }
                }
            }
        }
        self.draw();
    }

    fn act(&mut self, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Enrol(code) => self.sync.order(Order::Enrol(code)),
            Effect::Verify { text } => return Some(self.check(text)),
            Effect::Ask { question, ticket, serial } => return self.ask(question, ticket, serial),
            Effect::Record { scan, reach, grant } => return Some(self.record(*scan, reach, grant)),
            Effect::Show { verdict, latency_us } => {
                crash::point(crash::Point::AfterCommitBeforeShow);
                let seq = verdict.recorded().seq();
                self.output.line(&Report::Verdict { verdict, latency_us });
                if self.front.screen.is_none() {
                    return Some(Input::Shown { seq });
                }
            }
            Effect::MarkShown { seq } => {
                crash::point(crash::Point::AfterShowBeforeMark);
                let marked = self.journal.head().and_then(|head| self.journal.mark_shown(head.epoch, seq));
                if let Err(error) = marked {
                    tracing::error!(%error, seq, "the verdict was shown, and the mark that says so was not kept");
                }
            }
            Effect::Sound(tone) => {
                if let Some(sound) = &mut self.front.sound {
                    sound(tone);
                }
            }
            Effect::Staff(effect) => return self.serve_staff(effect),
            Effect::Push => self.sync.order(Order::Push),
            Effect::SyncNow => self.sync.order(Order::Now),
            Effect::Report(report) => self.output.line(&report),
        }
        None
    }

    /// Checks a code against trust store and list.
    fn check(&self, text: Vec<u8>) -> Input {
        match self.verify(&text) {
            Ok(verified) => {
                let must_ask = verified.as_ref().is_ok_and(|code| self.must_ask(code));
                Input::Verified { text, verified: Box::new(verified), must_ask }
            }
            Err(error) => Input::NotRecorded { text, message: error.to_string() },
        }
    }

    fn must_ask(&self, code: &VerifiedCode) -> bool {
        let Some((station, _)) = &self.standing else { return false };
        let Some(policy) = &station.policy else { return false };
        let now = self.clock.read();
        decide::must_ask(code.ticket(), code.class(), station.device, &policy.at(now.now_ms), &now)
    }

    /// Asks the ticket's owner about the row that comes next. Where nobody can be asked, that is the answer.
    fn ask(&self, question: u64, ticket: TicketId, serial: Serial) -> Option<Input> {
        let request = self.journal.head().map(|head| GrantRequest {
            ticket: ticket.0,
            serial: serial.get(),
            chain: head.epoch,
            seq: head.seq + 1,
            guests: 1,
        });
        let asked = request.is_ok_and(|request| self.sync.ask(question, request));
        (!asked).then_some(Input::Granted { question, grant: None })
    }

    fn verify(&self, text: &[u8]) -> Result<Result<VerifiedCode, Rejection>, GateError> {
        let Some((station, _)) = &self.standing else { return Err(GateError::Device(NO_PLACE)) };
        let parsed: Result<UntrustedCode, _> = match std::str::from_utf8(text) {
            Ok(text) => code::parse(text),
            Err(_) => Err(code::ParseError::Foreign),
        };
        let untrusted = match parsed {
            Ok(untrusted) => untrusted,
            Err(error) => return Ok(Err(error.into())),
        };
        let event = station.event_id();
        let entry = self.journal.listed(event, untrusted.ticket())?;
        let verified_now = || {
            let (now, policy) = (self.clock.read(), station.policy.as_ref());
            let context = VerifyContext {
                event,
                trust: &station.trust,
                entry: entry.as_ref(),
                now_s: now.now_s(),
                freshness_steps: policy.map_or(FRESHNESS_STEPS, |policy| policy.at(now.now_ms).freshness_steps),
            };
            verify(&untrusted, &context)
        };
        let verified = verified_now();
        // The guest whose vote moves the clock is judged by the clock as it then is.
        let moved = Vote::of(&verified, entry.as_ref()).is_some_and(|vote| self.clock.hear(vote));
        Ok(if moved { verified_now() } else { verified })
    }

    /// Decides and commits.
    fn record(&mut self, scan: Scan, reach: Reach, grant: Option<Box<SignedGrant>>) -> Input {
        let now = self.clock.read();
        let done = match &self.standing {
            None => Err(GateError::Device(NO_PLACE)),
            Some((station, key)) => {
                let here = Here {
                    device: station.device,
                    key,
                    event: station.event_id(),
                    lane: station.lane,
                    policy: station.policy.as_ref(),
                    reach,
                    now,
                };
                crash::point(crash::Point::BeforeCommit);
                let grant = grant.as_ref().map(|signed| (&signed.grant, &signed.bytes[..]));
                let begun = self.journal.begin(station.event_id());
                begun.and_then(|tx| record::record(tx, &scan, grant, &here)).map_err(GateError::from)
            }
        };
        let latency_us = u64::try_from(self.taken.elapsed().as_micros()).unwrap_or(u64::MAX);
        match done {
            Ok(recorded) => {
                Input::Recorded { recorded: Box::new(recorded), text: Some(scan.text), latency_us: Some(latency_us) }
            }
            Err(error) => {
                tracing::error!(%error, "a scan could not be recorded");
                Input::NotRecorded { text: scan.text, message: error.to_string() }
            }
        }
    }

    /// Reads place, policy, names and list again.
    fn reload(&mut self, first: bool) -> Result<(), GateError> {
        let news = match places::load(&self.journal)? {
            Standing::Nowhere => {
                self.standing = None;
                if self.journal.wiped()?.is_some() { PlaceNews::Wiped { waiting: 0 } } else { PlaceNews::None }
            }
            Standing::Wiped(..) => {
                self.standing = None;
                let progress = self.journal.progress()?;
                PlaceNews::Wiped { waiting: progress.head.seq.saturating_sub(progress.receipted_seq) }
            }
            Standing::Pending(record) => match keystore::read(&self.folder)? {
                Some(key) => {
                    PlaceNews::Pending { fingerprint: key.public().spoken_fingerprint(), server: record.server }
                }
                None => PlaceNews::None,
            },
            Standing::Placed(_, station) => {
                let key = keystore::read(&self.folder)?.ok_or(GateError::Device(NO_KEY))?;
                let counting = (first || self.standing.is_none()).then(|| self.clock.read().now_ms);
                let place = places::place(&self.journal, &station, counting)?;
                self.standing = Some((station, Arc::new(key)));
                PlaceNews::Confirmed(Box::new(place))
            }
        };
        self.give(Input::Place(news));
        self.load_staff()
    }

    fn draw(&mut self) {
        let at = self.moment();
        let view = self.engine.view(at);
        if self.shown_view.as_ref() != Some(&view) {
            if let Some(screen) = &mut self.front.screen {
                screen(view.clone());
            }
            self.shown_view = Some(view);
        }
    }

    fn moment(&self) -> Moment {
        let reading = self.clock.read();
        Moment { steady_ms: self.clock.steady_ms(), now_ms: reading.now_ms, in_doubt: reading.in_doubt }
    }
}

/// The recorder's way to staff.
fn telling(outlet: Outlet) -> Box<dyn FnMut(recorder::News) + Send> {
    Box::new(move |news| {
        outlet.input(match news {
            recorder::News::On(frames_max) => Input::Recording(Some(frames_max)),
            recorder::News::Off => Input::Recording(None),
            recorder::News::Trouble(message) => Input::Sync(SyncNews::Trouble { kind: Trouble::Recorder, message }),
            recorder::News::Mended => Input::Sync(SyncNews::Mended(Trouble::Recorder)),
        });
    })
}

const NO_PLACE: &str = "This handheld has no place. Enrol it with the QR code on the supervisor's page";
const NO_KEY: &str = "The device's key is missing from the folder given by --data, so no scan can be signed. Take the file \
                      gate.db away too, and enrol the handheld again";

fn live(view: &View) -> bool {
    view.eye == crate::core::present::view::Eye::Live
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Texts by their distance from the middle of the view, which is where staff aim.
fn nearest_first(mut codes: Vec<Code>, width: usize, height: usize) -> Vec<Vec<u8>> {
    let aim = (width as f32 / 2.0, height as f32 / 2.0);
    let from_aim = |code: &Code| {
        let centre = code.centre();
        (centre.0 - aim.0).hypot(centre.1 - aim.1)
    };
    codes.sort_by(|a, b| from_aim(a).total_cmp(&from_aim(b)));
    codes.into_iter().map(|code| code.text).collect()
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
