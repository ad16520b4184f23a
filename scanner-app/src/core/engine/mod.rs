//! The handheld's main loop as a pure state machine: what happened goes in, what to do comes out. No I/O, no clock.
//!
//! Invariants:
//! - A code is recorded at most once while it is held in view; the rules are `hold`'s.
//! - Nothing is shown green that did not come in as a `Recorded`, and those are made after the commit alone.
//! - Enrolment codes are read only while the handheld has no place.
//! - The shell answers every `Verify` and `Record` before it brings anything else.
//! - While a ticket's owner is asked, no other code is taken; the wait is bounded, and ends in a recorded decision.

pub mod hold;
mod notices;
mod show;
pub mod staff;
#[cfg(test)]
mod tests;
mod wiped;

use std::collections::BTreeMap;

use gate_core::mutant::{Mutant, planted};
use gate_core::policy::Policy;
use gate_core::record::Scan;
use gate_core::row::text_hash;
use gate_core::wire::v1::{EnrolmentCode, EnrolmentCodeError};
use gate_core::{Direction, Grant, Outcome, Reach, Recorded};
use ticket_signer::{Rejection, Serial, TicketId, VerifiedCode};

use self::hold::HoldOff;
use self::staff::{Desk, StaffEffect, StaffInput};
use super::present::view::Eye;
use super::present::{self, NamedConflict, Naming, Tone, Verdict};
use super::report::Report;

/// When something happened, by two clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Milliseconds of a steady clock.
    pub steady_ms: i64,
    /// The gate's clock, unix milliseconds.
    pub now_ms: i64,
    /// The gate's clock is in doubt.
    pub in_doubt: bool,
}

/// Everything that can happen to a handheld.
#[derive(Debug, Clone)]
pub enum Input {
    /// What one frame or one trigger of an imager said, what staff aim at first; a frame without codes says nothing.
    Seen(Vec<Vec<u8>>),
    /// The answer to [`Effect::Verify`].
    Verified {
        text: Vec<u8>,
        verified: Box<Result<VerifiedCode, Rejection>>,
        /// The strict rule holds for the ticket, and a server owns it ([`gate_core::decide::must_ask`]).
        must_ask: bool,
    },
    /// The answer to the [`Effect::Ask`] with this number: the owner's word, or none.
    Granted {
        question: u64,
        grant: Option<Box<SignedGrant>>,
    },
    /// The answer to [`Effect::Record`], or to the start: a verdict that nobody may have seen (`latency_us` none).
    Recorded {
        recorded: Box<Recorded>,
        text: Option<Vec<u8>>,
        latency_us: Option<u64>,
    },
    /// The other answer to `Verify` and `Record`: the database failed. The message says what to do.
    NotRecorded {
        text: Vec<u8>,
        message: String,
    },
    /// A screen has shown this verdict.
    Shown {
        seq: u64,
    },
    Source(SourceNews),
    /// Frames in which no code is read are kept from now on, at most so many; `None`: they are not, any more.
    Recording(Option<u32>),
    Place(PlaceNews),
    Sync(SyncNews),
    /// A tap on a verdict, or on "Try again".
    Dismiss,
    Retry,
    Open(Overlay),
    Close,
    Staff(StaffInput),
    /// Time has passed; at least once a second.
    Tick,
}

/// News of the source of codes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceNews {
    Live,
    Imager,
    /// With what to do.
    Lost(String),
    Ended,
}

/// News of the handheld's place.
#[derive(Debug, Clone, PartialEq)]
pub enum PlaceNews {
    /// None, and none asked for.
    None,
    Asking {
        server: String,
    },
    Pending {
        fingerprint: String,
        server: String,
    },
    Failed {
        message: String,
    },
    /// The organiser had it wiped; so many rows wait for their receipts. Without any it can be enrolled anew.
    Wiped {
        waiting: u64,
    },
    /// Confirmed, or changed: names, lanes, policy, list. Conflicts and counts are read the first time only.
    Confirmed(Box<Place>),
}

/// A confirmed place, as far as showing and holding off need it.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    pub naming: Naming,
    pub server: String,
    /// `None` until the organiser has made a policy.
    pub policy: Option<Policy>,
    pub hold_off_ms: u32,
    pub list: Option<ListNews>,
    pub head_seq: u64,
    pub receipted_seq: u64,
    pub admitted_here: u64,
    pub conflicts: Vec<NamedConflict>,
}

/// The live list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListNews {
    pub version: u64,
    pub tickets: u64,
    pub revoked: u64,
    pub issued_at_ms: i64,
    pub expires_at_ms: i64,
}

/// News of the talk with the server.
#[derive(Debug, Clone, PartialEq)]
pub enum SyncNews {
    /// The feed is alive.
    Heard,
    /// The feed is dead.
    Silent,
    Receipt {
        seq: u64,
    },
    Conflict(Box<NamedConflict>),
    Trouble {
        kind: Trouble,
        message: String,
    },
    Mended(Trouble),
}

/// Kinds of lasting trouble; of each kind there is at most one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    Storage,
    Device,
    Source,
    Clock,
    Server,
    List,
    Bundle,
    Rows,
    Recorder,
    Sound,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlay {
    About,
    Conflicts,
}

/// An owner's grant, checked, with the bytes that it was signed as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedGrant {
    pub grant: Grant,
    pub bytes: Vec<u8>,
}

/// Everything a handheld can do.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Ask the code's server for a place.
    Enrol(Box<EnrolmentCode>),
    /// Check the code, and come back with [`Input::Verified`].
    Verify {
        text: Vec<u8>,
    },
    /// Ask the server that owns this ticket, and come back with [`Input::Granted`] when it has answered.
    Ask {
        /// Counts, so that the answer to a question that was given up is not taken for another's.
        question: u64,
        ticket: TicketId,
        serial: Serial,
    },
    /// Decide and commit, and come back with [`Input::Recorded`].
    Record {
        scan: Box<Scan>,
        reach: Reach,
        grant: Option<Box<SignedGrant>>,
    },
    /// Show this, and come back with [`Input::Shown`] once a screen has done so.
    Show {
        verdict: Box<Verdict>,
        latency_us: Option<u64>,
    },
    /// Remember that this verdict and all before it were shown.
    MarkShown {
        seq: u64,
    },
    Sound(Tone),
    Staff(StaffEffect),
    /// There is something new to send.
    Push,
    /// Try to send and fetch at once.
    SyncNow,
    Report(Report),
}

/// How long verdicts stay when nothing else happens, in milliseconds: a green one for as long as a guest needs to pass, others
/// until staff have read them.
const ADMIT_STAYS_MS: i64 = 4_000;
const OTHER_STAYS_MS: i64 = 15_000;
/// Without a word from the feed for this long, nobody is heard.
const REACH_MS: i64 = 20_000;
/// How long the owner of a ticket may take to answer, while a guest stands there.
pub const ASK_MS: i64 = 1_500;
/// A code seen this recently lights the aim frame.
const IN_VIEW_MS: i64 = 700;

#[derive(Debug, Clone, PartialEq)]
enum Phase {
    Starting,
    Unenrolled { error: String },
    Asking { server: String },
    Pending { fingerprint: String, server: String },
    Wiped { waiting: u64 },
    Placed(Box<Place>),
}

#[derive(Debug, Clone, PartialEq)]
enum OnScreen {
    Nothing,
    Verdict { verdict: Box<Verdict>, since_ms: i64 },
    Fault { message: String },
}

/// The handheld's state.
#[derive(Debug, Clone)]
pub struct Engine {
    phase: Phase,
    ready: bool,
    hold: HoldOff,
    /// A scan whose ticket's owner is asked, and since when.
    asking: Option<(Box<Scan>, i64)>,
    /// The number of the last question.
    question: u64,
    on_screen: OnScreen,
    overlay: Option<Overlay>,
    sequence: u32,
    /// The last verdict in a few words.
    last: Option<String>,
    eye: Eye,
    desk: Desk,
    code_seen_ms: Option<i64>,
    heard_ms: Option<i64>,
    reach_told: Option<Reach>,
    alone_since_ms: Option<i64>,
    troubles: BTreeMap<Trouble, String>,
    /// How many unread frames are kept at most, while they are.
    recording: Option<u32>,
    name: String,
    fingerprint: String,
}

impl Engine {
    /// `name`: what staff call this handheld.
    pub fn new(name: String) -> Self {
        Engine {
            phase: Phase::Starting,
            ready: false,
            hold: HoldOff::default(),
            asking: None,
            question: 0,
            on_screen: OnScreen::Nothing,
            overlay: None,
            sequence: 0,
            last: None,
            eye: Eye::Starting,
            desk: Desk::new(),
            code_seen_ms: None,
            heard_ms: None,
            reach_told: None,
            alone_since_ms: None,
            troubles: BTreeMap::new(),
            recording: None,
            name,
            fingerprint: String::new(),
        }
    }

    /// Whom this lane can hear.
    pub fn reach(&self, at: Moment) -> Reach {
        match self.heard_ms {
            Some(heard) if at.steady_ms - heard < REACH_MS || planted(Mutant::HearsForEver) => Reach::Server,
            _ => Reach::Alone,
        }
    }

    /// The server is known not to be reached.
    pub fn is_cut_off(&self) -> bool {
        self.troubles.contains_key(&Trouble::Server)
    }

    /// Takes one input, and says what to do about it, in order.
    pub fn step(&mut self, at: Moment, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        match input {
            Input::Seen(texts) => self.seen(at, texts, &mut effects),
            Input::Verified { text, verified, must_ask } => {
                self.verified(at, text, *verified, must_ask, &mut effects);
            }
            Input::Granted { question, grant } => {
                if question == self.question
                    && let Err(grant) = self.staff_granted(at, grant, &mut effects)
                {
                    self.answered(at, grant, &mut effects);
                }
            }
            Input::Recorded { recorded, text, latency_us } => {
                self.recorded(at, *recorded, text.as_deref(), latency_us, &mut effects);
            }
            Input::NotRecorded { text, message } => self.not_recorded(at, &text, message, &mut effects),
            Input::Shown { seq } => effects.push(Effect::MarkShown { seq }),
            Input::Source(news) => self.source(news, &mut effects),
            Input::Recording(frames_max) => {
                if self.recording != frames_max {
                    self.recording = frames_max;
                    effects.push(Effect::Report(Report::Recorder { frames_max }));
                }
            }
            Input::Place(news) => self.place(news, &mut effects),
            Input::Sync(news) => self.sync(at, news, &mut effects),
            Input::Dismiss => self.on_screen = OnScreen::Nothing,
            Input::Retry => {
                self.on_screen = OnScreen::Nothing;
                self.hold.clear();
                effects.push(Effect::SyncNow);
            }
            Input::Open(overlay) => self.overlay = Some(overlay),
            Input::Close => self.overlay = None,
            Input::Staff(input) => self.staff(at, input, &mut effects),
            Input::Tick => {
                if self.asking.as_ref().is_some_and(|(_, since_ms)| at.steady_ms - since_ms >= ASK_MS) {
                    self.answered(at, None, &mut effects);
                }
                self.age(at);
                self.staff_age(at, &mut effects);
                self.tell_ready(&mut effects);
            }
        }
        self.tell_reach(at, &mut effects);
        effects
    }

    /// Takes the code nearest the aim: what stands beside it is the next guest's, and has not been chosen. That others are
    /// still in view only prolongs their holds.
    fn seen(&mut self, at: Moment, texts: Vec<Vec<u8>>, effects: &mut Vec<Effect>) {
        for other in texts.iter().skip(1) {
            self.hold.holds_text(&text_hash(other), at.steady_ms, self.hold_ms());
        }
        let Some(text) = texts.into_iter().next() else { return };
        self.code_seen_ms = Some(at.steady_ms);
        if self.asking.is_some() || self.desk.is_asking() {
            return;
        }
        if self.desk.is_open() {
            // Not taken, and kept held off where it is: a page for staff is open.
            let held = self.hold.holds_text(&text_hash(&text), at.steady_ms, self.hold_ms());
            if !held && self.eye == Eye::Imager {
                self.desk.keep_waiting(text, at);
            }
            return;
        }
        let enrolment = std::str::from_utf8(&text).map(EnrolmentCode::parse);
        match (&self.phase, enrolment) {
            (Phase::Unenrolled { .. }, Ok(Ok(code))) => {
                if self.hold.holds_text(&text_hash(&text), at.steady_ms, self.hold_ms()) {
                    return;
                }
                self.hold.begin(None, text_hash(&text), at.steady_ms);
                self.phase = Phase::Asking { server: code.server.clone() };
                effects.push(Effect::Enrol(Box::new(code)));
            }
            (Phase::Unenrolled { .. }, failed) => self.not_enrolment(at, &text, failed, effects),
            (Phase::Placed(_), Ok(Err(EnrolmentCodeError::Foreign)) | Err(_)) => {
                if !self.hold.holds_text(&text_hash(&text), at.steady_ms, self.hold_ms()) {
                    effects.push(Effect::Verify { text });
                }
            }
            // An enrolment code in front of a handheld that has its place: the supervisor's page is still in view.
            (Phase::Placed(_), Ok(_)) => {}
            (Phase::Starting | Phase::Asking { .. } | Phase::Pending { .. } | Phase::Wiped { .. }, _) => {}
        }
    }

    /// A code that enrols nobody, while a code is waited for.
    fn not_enrolment(
        &mut self,
        at: Moment,
        text: &[u8],
        failed: Result<Result<EnrolmentCode, EnrolmentCodeError>, std::str::Utf8Error>,
        effects: &mut Vec<Effect>,
    ) {
        if self.hold.holds_text(&text_hash(text), at.steady_ms, self.hold_ms()) {
            return;
        }
        self.hold.begin(None, text_hash(text), at.steady_ms);
        let message = match failed {
            Ok(Err(error @ (EnrolmentCodeError::Damaged | EnrolmentCodeError::Newer))) => capital(&error.to_string()),
            _ => "This handheld has no place yet. Show it the QR code on the supervisor's page".to_owned(),
        };
        effects.push(Effect::Report(Report::EnrolFailed { message: message.clone() }));
        self.phase = Phase::Unenrolled { error: message };
    }

    fn verified(
        &mut self,
        at: Moment,
        text: Vec<u8>,
        verified: Result<VerifiedCode, Rejection>,
        must_ask: bool,
        effects: &mut Vec<Effect>,
    ) {
        let held = verified
            .as_ref()
            .is_ok_and(|code| self.hold.holds_ticket(code.ticket(), text_hash(&text), at.steady_ms, self.hold_ms()));
        if held {
            return;
        }
        let reach = self.reach(at);
        let ask = verified.as_ref().ok().filter(|_| must_ask && reach == Reach::Server);
        let ask = ask.map(|code| (code.ticket(), code.serial()));
        let scan = Box::new(Scan { text, verified });
        match ask {
            Some((ticket, serial)) => {
                self.asking = Some((scan, at.steady_ms));
                self.question += 1;
                effects.push(Effect::Ask { question: self.question, ticket, serial });
            }
            None => effects.push(Effect::Record { scan, reach, grant: None }),
        }
    }

    /// The owner's word has come, or its time is over. A word that comes later is for nobody.
    fn answered(&mut self, at: Moment, grant: Option<Box<SignedGrant>>, effects: &mut Vec<Effect>) {
        if let Some((scan, _)) = self.asking.take() {
            effects.push(Effect::Record { scan, reach: self.reach(at), grant });
        }
    }

    fn recorded(
        &mut self,
        at: Moment,
        recorded: Recorded,
        text: Option<&[u8]>,
        latency_us: Option<u64>,
        effects: &mut Vec<Effect>,
    ) {
        let Phase::Placed(place) = &mut self.phase else { return };
        let decision = recorded.decision();
        let admitted: Option<TicketId> = decision.ticket.filter(|_| decision.outcome == Outcome::Admit);
        place.head_seq = place.head_seq.max(recorded.seq());
        if admitted.is_some() && decision.direction == Direction::In && !recorded.is_recalled() {
            place.admitted_here += u64::from(decision.guests);
        }
        let verdict = Box::new(present::verdict(recorded, &place.naming, at.now_ms));
        if let Some(text) = text {
            self.hold.begin(admitted, text_hash(text), at.steady_ms);
        }
        self.mend(Trouble::Storage, effects);
        self.sequence = self.sequence.wrapping_add(1);
        self.overlay = None;
        self.subject_of(verdict.recorded(), &format!("{} {}", verdict.at(), verdict.title()), verdict.class(), at);
        self.last = Some(format!("{} {}", verdict.at(), verdict.title()));
        effects.push(Effect::Sound(verdict.tone()));
        effects.push(Effect::Show { verdict: verdict.clone(), latency_us });
        effects.push(Effect::Push);
        self.on_screen = OnScreen::Verdict { verdict, since_ms: at.steady_ms };
    }

    fn not_recorded(&mut self, at: Moment, text: &[u8], message: String, effects: &mut Vec<Effect>) {
        self.hold.begin(None, text_hash(text), at.steady_ms);
        self.sequence = self.sequence.wrapping_add(1);
        self.overlay = None;
        self.on_screen = OnScreen::Fault { message: message.clone() };
        self.troubles.insert(Trouble::Storage, message.clone());
        effects.push(Effect::Sound(Tone::Fault));
        effects.push(Effect::Report(Report::CannotRecord { message }));
    }

    fn source(&mut self, news: SourceNews, effects: &mut Vec<Effect>) {
        match news {
            SourceNews::Live => {
                self.eye = Eye::Live;
                self.mend(Trouble::Source, effects);
            }
            SourceNews::Imager => {
                self.eye = Eye::Imager;
                self.mend(Trouble::Source, effects);
            }
            SourceNews::Lost(message) => {
                self.eye = Eye::Lost(message.clone());
                self.trouble(Trouble::Source, message, effects);
            }
            SourceNews::Ended => effects.push(Effect::Report(Report::Ended)),
        }
    }

    fn place(&mut self, news: PlaceNews, effects: &mut Vec<Effect>) {
        match news {
            PlaceNews::None => {
                if !matches!(self.phase, Phase::Unenrolled { .. }) {
                    effects.push(Effect::Report(Report::EnrolWanted));
                    self.phase = Phase::Unenrolled { error: String::new() };
                }
            }
            PlaceNews::Asking { server } => self.phase = Phase::Asking { server },
            PlaceNews::Pending { fingerprint, server } => {
                let report = Report::EnrolPending { fingerprint: fingerprint.clone(), server: server.clone() };
                self.fingerprint.clone_from(&fingerprint);
                let pending = Phase::Pending { fingerprint, server };
                if self.phase != pending {
                    effects.push(Effect::Report(report));
                    self.phase = pending;
                }
            }
            PlaceNews::Failed { message } => {
                effects.push(Effect::Report(Report::EnrolFailed { message: message.clone() }));
                self.phase = Phase::Unenrolled { error: message };
                self.hold.clear();
            }
            PlaceNews::Wiped { waiting } => self.wiped(waiting, effects),
            PlaceNews::Confirmed(place) => self.confirmed(place, effects),
        }
    }

    fn confirmed(&mut self, mut place: Box<Place>, effects: &mut Vec<Effect>) {
        if let Phase::Placed(known) = &mut self.phase {
            let known_version = known.policy.as_ref().map(|policy| policy.version);
            if let Some(policy) = place.policy.as_ref().filter(|policy| known_version != Some(policy.version)) {
                effects.push(Effect::Report(Report::Policy { version: policy.version }));
            }
            if let Some(list) = place.list.filter(|list| known.list.is_none_or(|known| known.version != list.version)) {
                let ListNews { version, tickets, revoked, .. } = list;
                effects.push(Effect::Report(Report::List { version, tickets, revoked }));
            }
            // Counted here since the start; the reload does not count again.
            place.conflicts = std::mem::take(&mut known.conflicts);
            place.admitted_here = known.admitted_here;
            place.head_seq = place.head_seq.max(known.head_seq);
            place.receipted_seq = place.receipted_seq.max(known.receipted_seq);
        } else {
            let told = place.conflicts.iter().map(|named| Report::Conflict(Box::new(named.clone())));
            effects.extend(told.map(Effect::Report));
        }
        self.phase = Phase::Placed(place);
    }

    fn sync(&mut self, at: Moment, news: SyncNews, effects: &mut Vec<Effect>) {
        match news {
            SyncNews::Heard => {
                self.heard_ms = Some(at.steady_ms);
                self.mend(Trouble::Server, effects);
            }
            SyncNews::Silent => self.heard_ms = self.heard_ms.filter(|_| planted(Mutant::HearsForEver)),
            SyncNews::Receipt { seq } => {
                let Phase::Placed(place) = &mut self.phase else { return };
                place.receipted_seq = place.receipted_seq.max(seq);
                self.mend(Trouble::Rows, effects);
                effects.push(Effect::Report(Report::Receipt { seq }));
            }
            SyncNews::Conflict(named) => {
                let Phase::Placed(place) = &mut self.phase else { return };
                let ticket = named.conflict.ticket;
                if place.conflicts.iter().any(|known| known.conflict == named.conflict) {
                    return;
                }
                place.conflicts.retain(|known| known.conflict.ticket != ticket);
                place.conflicts.insert(0, (*named).clone());
                place.conflicts.truncate(Self::CONFLICTS_MAX);
                effects.push(Effect::Report(Report::Conflict(named)));
            }
            SyncNews::Trouble { kind, message } => self.trouble(kind, message, effects),
            SyncNews::Mended(kind) => self.mend(kind, effects),
        }
    }

    /// Conflicts shown at once; the dashboard has all of them.
    pub const CONFLICTS_MAX: usize = 50;

    fn tell_ready(&mut self, effects: &mut Vec<Effect>) {
        let Phase::Placed(place) = &self.phase else { return };
        let (Some(list), Some(_), false) = (place.list, &place.policy, self.ready) else { return };
        self.ready = true;
        effects.push(Effect::Report(Report::Ready {
            event: place.naming.event.clone(),
            lane: place.naming.lane_name(place.naming.lane),
            list_version: list.version,
            tickets: list.tickets,
        }));
    }

    fn tell_reach(&mut self, at: Moment, effects: &mut Vec<Effect>) {
        if !matches!(self.phase, Phase::Placed(_)) {
            return;
        }
        let reach = self.reach(at);
        if self.reach_told != Some(reach) {
            self.reach_told = Some(reach);
            self.alone_since_ms = (reach == Reach::Alone).then_some(at.steady_ms);
            effects.push(Effect::Report(Report::Reach { server: reach == Reach::Server }));
        }
    }

    fn age(&mut self, at: Moment) {
        if let OnScreen::Verdict { verdict, since_ms } = &self.on_screen {
            let stays = if verdict.tone() == Tone::Admit { ADMIT_STAYS_MS } else { OTHER_STAYS_MS };
            if at.steady_ms - since_ms >= stays && !self.desk.is_open() {
                self.on_screen = OnScreen::Nothing;
            }
        }
    }

    fn trouble(&mut self, kind: Trouble, message: String, effects: &mut Vec<Effect>) {
        if self.troubles.get(&kind) != Some(&message) {
            effects.push(Effect::Report(Report::Warning { message: message.clone() }));
            self.troubles.insert(kind, message);
        }
    }

    fn mend(&mut self, kind: Trouble, effects: &mut Vec<Effect>) {
        if let Some(message) = self.troubles.remove(&kind) {
            effects.push(Effect::Report(Report::Mended { message }));
        }
    }

    fn hold_ms(&self) -> i64 {
        match &self.phase {
            Phase::Placed(place) => i64::from(place.hold_off_ms),
            _ => 5_000,
        }
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
