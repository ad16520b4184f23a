//! A handheld: the product's engine, planner and rules over a simulated disk, clock and network. It does what the shell of
//! `scanner-app` does, in the same order.

use std::collections::VecDeque;
use std::sync::Arc;

use gate_core::clock::{ClockReading, DeviceTime, GateClock};
use gate_core::conflict::{Conflict, conflict};
use gate_core::crowd::Vote;
use gate_core::mutant::{Mutant, planted};
use gate_core::ownership::{Owner, Ownership};
use gate_core::record::{Recorded, Scan, StaffAct, Station as Here, recall, record, record_act};
use gate_core::wire::v1::{FeedMessage, GrantAnswer, GrantRequest, ScanAnswer, ScanUpload, StationBundle};
use gate_core::{Direction, Grant, Outcome, Passage, Reach, Reason, RowBody, decide, pack};
use jiff::tz::TimeZone;
use scanner_app::core::engine::{Effect, Engine, Input, Moment, Place, PlaceNews, SignedGrant, SyncNews};
use scanner_app::core::hear::{Batch, Unheard};
use scanner_app::core::present::{Naming, Tone};
use scanner_app::core::station::{self, Known, Station};
use scanner_app::core::sync_plan::{Backoff, Cursors, Live, Step, Take, WITHHELD_MS, plan, take};
use ticket_signer::{
    DeviceId, LaneId, ListManifest, Purpose, Rejection, SecretKey, Serial, TicketId, UntrustedCode, VerifiedCode,
    VerifyContext, code, envelope, verify,
};

use crate::disk::{Crashed, Disk, Point, Tx};
use crate::organiser::EVENT;

/// The device's own clocks.
#[derive(Debug, Clone, Copy)]
pub struct Clocks {
    pub boot_at_ms: i64,
    pub boot_id: u128,
    pub drift_ppm: i64,
    /// The system clock minus the truth.
    pub system_offset_ms: i64,
}

/// A request on its way to the server.
#[derive(Debug, Clone)]
pub enum Up {
    Bundle,
    Upload {
        upload: ScanUpload,
        last: u64,
    },
    List {
        cursor: u64,
    },
    Ask(GrantRequest),
    /// Opens the feed.
    Listen {
        cursor: u64,
        generation: u64,
    },
}

/// The server's answer.
#[derive(Debug, Clone)]
pub enum Down {
    Bundle(Box<StationBundle>),
    /// The server knows the device and gives it nothing.
    Refused,
    Scans(ScanAnswer),
    List {
        envelope: Vec<u8>,
        chunks: Vec<pack::PackedChunk>,
    },
    Grant(GrantAnswer),
    /// Of the server's generation.
    Feed(u64, Vec<(u64, FeedMessage)>),
}

/// What a lane did, for the checks.
#[derive(Debug, Clone)]
pub struct Committed {
    pub ticket: Option<TicketId>,
    pub serial: Option<Serial>,
    pub class: Option<ticket_signer::ClassId>,
    pub outcome: Outcome,
    pub reason: Reason,
    pub direction: Direction,
    pub guests: u8,
    pub by_staff: bool,
    pub seq: u64,
    /// What the device durably had of the ticket before.
    pub known: Vec<Passage>,
    pub revoked_to: Option<Serial>,
    pub floor: Option<Serial>,
    pub listed: Option<Serial>,
    /// How long ago the feed last said the time, in true milliseconds.
    pub silence_ms: i64,
    pub lease_until_ms: i64,
    pub reach: Reach,
    pub reading: ClockReading,
    /// What the clock would say without the crowd of phones.
    pub unaided_ms: i64,
    /// The clock runs since a signed time, and not on the system's word after a reboot.
    pub anchored: bool,
    pub at_home: bool,
    /// Where a lane owns the ticket under the strict rule: whose, and until when.
    pub owner: Option<(DeviceId, i64)>,
    /// The policy that the device had, as it was signed.
    pub policy: Option<Arc<Station>>,
    pub lane: LaneId,
    /// How far the code's moment was from now, in steps; none where no code was shown.
    pub age_steps: Option<i64>,
}

/// What happened within a handheld.
#[derive(Debug, Clone)]
pub enum Happened {
    Committed(Box<Committed>),
    /// A verdict was shown; green or not.
    Shown {
        seq: u64,
        green: bool,
    },
    Crashed,
}

struct Request {
    number: u64,
    last: u64,
    sent: DeviceTime,
    until_ms: i64,
}

/// What a process has in memory.
struct Running {
    engine: Engine,
    clock: GateClock,
    cursors: Cursors,
    backoff: Backoff,
    unheard: Unheard,
    request: Option<Request>,
    /// The request's number, and the engine's.
    asking: Option<(u64, u64)>,
    listening: Option<u64>,
    wake_ms: i64,
    listen_ms: i64,
}

pub struct Handheld {
    pub id: DeviceId,
    pub key: Arc<SecretKey>,
    pub lane: LaneId,
    pub root_fingerprint: [u8; 32],
    pub clocks: Clocks,
    pub disk: Disk,
    pub station: Option<Arc<Station>>,
    pub crash: Option<Point>,
    running: Option<Running>,
    /// True time: now, and when the feed last said the time. A process that starts has heard nobody.
    now_ms: i64,
    heard_ms: i64,
    pub happened: Vec<Happened>,
    pub out: Vec<(u64, Up)>,
    numbers: u64,
}

/// Codes are signed for steps of so many seconds.
const STEP_S: i64 = 15;
/// How long a request may take.
const PATIENCE_MS: i64 = 10_000;

impl Handheld {
    pub fn new(id: DeviceId, lane: LaneId, root_fingerprint: [u8; 32], clocks: Clocks) -> Self {
        let mut seed = [3; 32];
        seed[..8].copy_from_slice(&id.0.to_be_bytes());
        Handheld {
            id,
            key: Arc::new(SecretKey::from_bytes(&seed)),
            lane,
            root_fingerprint,
            clocks,
            disk: Disk { chain: id.0 ^ 0xC4A1, ..Disk::default() },
            station: None,
            crash: None,
            running: None,
            now_ms: 0,
            heard_ms: 0,
            happened: Vec::new(),
            out: Vec::new(),
            numbers: 0,
        }
    }

    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    pub fn device_time(&self, now_ms: i64) -> DeviceTime {
        let elapsed = now_ms - self.clocks.boot_at_ms;
        DeviceTime {
            system_ms: now_ms + self.clocks.system_offset_ms,
            boot_ms: elapsed + elapsed * self.clocks.drift_ppm / 1_000_000,
            boot_id: self.clocks.boot_id,
        }
    }

    pub fn reading(&self, now_ms: i64) -> Option<ClockReading> {
        self.running.as_ref().map(|running| running.clock.read(self.device_time(now_ms)))
    }

    /// Starts the process: place and last verdict are taken up.
    pub fn start(&mut self, now_ms: i64) {
        self.running = Some(Running {
            engine: Engine::new("Handheld".to_owned()),
            clock: GateClock::new(self.disk.anchor),
            cursors: Cursors::default(),
            backoff: Backoff::default(),
            unheard: Unheard::default(),
            request: None,
            asking: None,
            listening: None,
            wake_ms: now_ms,
            listen_ms: now_ms,
        });
        self.tell_place(now_ms);
        let head = self.disk.head();
        if head.seq > self.disk.shown_seq {
            let mut tx = Tx { disk: &mut self.disk, crash: None, pending: None };
            let recalled = recall(&mut tx).ok().flatten();
            let last = self.disk.rows.last().and_then(|row| row.body.code.clone());
            if let Some(recorded) = recalled {
                let text = last.map(String::into_bytes);
                self.give(now_ms, Input::Recorded { recorded: Box::new(recorded), text, latency_us: None });
            }
        }
    }

    /// The process ends here; what is on the disk stays.
    pub fn stop(&mut self) {
        if planted(Mutant::CommitNotSynced) {
            self.disk.rows.pop();
        }
        self.running = None;
        self.crash = None;
        self.happened.push(Happened::Crashed);
    }

    fn tell_place(&mut self, now_ms: i64) {
        let Some(station) = &self.station else { return };
        let naming = Naming {
            event: station.event.name.clone(),
            venue: station.event.venue.clone(),
            zone: TimeZone::UTC,
            lane: station.lane,
            lanes: Vec::new(),
            classes: self.disk.classes.clone(),
            device: self.id,
        };
        let place = Place {
            naming,
            server: String::new(),
            policy: station.policy.clone(),
            hold_off_ms: 5_000,
            list: None,
            head_seq: self.disk.head().seq,
            receipted_seq: self.disk.receipted_seq,
            admitted_here: 0,
            conflicts: Vec::new(),
        };
        self.give(now_ms, Input::Place(PlaceNews::Confirmed(Box::new(place))));
    }

    /// Gives the engine an input and does what it says, as the gate's thread does.
    pub fn give(&mut self, now_ms: i64, input: Input) {
        self.now_ms = now_ms;
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let device = self.device_time(now_ms);
            let Some(running) = &mut self.running else { return };
            let reading = running.clock.read(device);
            let at = Moment { steady_ms: device.boot_ms, now_ms: reading.now_ms, in_doubt: reading.in_doubt };
            for effect in running.engine.step(at, input) {
                if let Some(next) = self.act(now_ms, effect) {
                    // What an effect leads to is done before the next effect.
                    self.give(now_ms, next);
                }
                if self.running.is_none() {
                    return;
                }
            }
        }
    }

    fn act(&mut self, now_ms: i64, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Verify { text } => return Some(self.verify(now_ms, text)),
            Effect::Ask { question: asked, ticket, serial } => {
                let head = self.disk.head();
                let question = GrantRequest {
                    ticket: ticket.0,
                    serial: serial.get(),
                    chain: head.epoch,
                    seq: head.seq + 1,
                    guests: 1,
                };
                let number = self.send(Up::Ask(question));
                self.running.as_mut()?.asking = Some((number, asked));
            }
            Effect::Record { scan, reach, grant } => return self.record(now_ms, *scan, reach, grant),
            Effect::Show { verdict, .. } => {
                let seq = verdict.recorded().seq();
                self.happened.push(Happened::Shown { seq, green: verdict.tone() == Tone::Admit });
                if self.crash == Some(Point::AfterShow) {
                    self.stop();
                    return None;
                }
                return Some(Input::Shown { seq });
            }
            Effect::MarkShown { seq } => self.disk.shown_seq = self.disk.shown_seq.max(seq),
            Effect::Push | Effect::SyncNow => self.running.as_mut()?.wake_ms = now_ms,
            Effect::Enrol(_) | Effect::Sound(_) | Effect::Staff(_) | Effect::Report(_) => {}
        }
        None
    }

    fn verify(&mut self, now_ms: i64, text: Vec<u8>) -> Input {
        let parsed = std::str::from_utf8(&text).map_err(|_| code::ParseError::Foreign).and_then(code::parse);
        let missing = |text| Input::NotRecorded { text, message: "no place".to_owned() };
        let Some(mut verified) = self.verified(now_ms, &parsed) else { return missing(text) };
        let device = self.device_time(now_ms);
        if let Ok(untrusted) = &parsed
            && let Some(running) = &mut self.running
            && let Some(vote) = Vote::of(&verified, self.disk.listed.get(&untrusted.ticket()))
            && running.clock.hear(vote, device)
            && let Some(again) = self.verified(now_ms, &parsed)
        {
            // The guest whose vote moves the clock is judged by the clock as it then is.
            verified = again;
        }
        let (Some(station), Some(reading)) = (&self.station, self.reading(now_ms)) else { return missing(text) };
        let policy = station.policy.as_ref().map(|policy| policy.at(reading.now_ms));
        let must_ask = match (&verified, &policy) {
            (Ok(code), Some(policy)) => decide::must_ask(code.ticket(), code.class(), self.id, policy, &reading),
            _ => false,
        };
        Input::Verified { text, verified: Box::new(verified), must_ask }
    }

    /// What the code is worth by the clock as it is.
    fn verified(
        &self,
        now_ms: i64,
        parsed: &Result<UntrustedCode, code::ParseError>,
    ) -> Option<Result<VerifiedCode, Rejection>> {
        let (station, reading) = (self.station.as_ref()?, self.reading(now_ms)?);
        let untrusted = match parsed {
            Err(error) => return Some(Err((*error).into())),
            Ok(untrusted) => untrusted,
        };
        let policy = station.policy.as_ref().map(|policy| policy.at(reading.now_ms));
        let context = VerifyContext {
            event: EVENT,
            trust: &station.trust,
            entry: self.disk.listed.get(&untrusted.ticket()),
            now_s: reading.now_s(),
            freshness_steps: policy.as_ref().map_or(2, |policy| policy.freshness_steps),
        };
        Some(verify(untrusted, &context))
    }

    fn record(&mut self, now_ms: i64, scan: Scan, reach: Reach, grant: Option<Box<SignedGrant>>) -> Option<Input> {
        let station = Arc::clone(self.station.as_ref()?);
        let now = self.reading(now_ms)?;
        let key = Arc::clone(&self.key);
        let here = self.here(&station, &key, reach, now);
        let before = scan.verified.as_ref().ok().map(|code| {
            let steps = |at_s: i64| at_s.div_euclid(STEP_S);
            let age_steps = code.step().map(|step| steps(step.starts_at_s()) - steps(now.now_s()));
            Committed { age_steps, ..self.facts(code.ticket(), code.class(), &here) }
        });
        let grant = grant.as_ref().map(|signed| (&signed.grant, &signed.bytes[..]));
        let tx = Tx { disk: &mut self.disk, crash: self.crash, pending: None };
        match record(tx, &scan, grant, &here) {
            Ok(recorded) => {
                self.committed(&recorded, before, reach, now, false);
                Some(Input::Recorded { recorded: Box::new(recorded), text: Some(scan.text), latency_us: Some(1) })
            }
            Err(Crashed) => {
                let happened = self.disk.rows.last().filter(|_| self.crash == Some(Point::AfterCommit)).cloned();
                if let Some(row) = happened {
                    let mut tx = Tx { disk: &mut self.disk, crash: None, pending: None };
                    if let Some(recorded) = recall(&mut tx).ok().flatten().filter(|one| one.seq() == row.body.seq) {
                        self.committed(&recorded, before, reach, now, false);
                    }
                }
                self.stop();
                None
            }
        }
    }

    /// A member of staff decides at the lane, on top of the newest row.
    pub fn staff(&mut self, now_ms: i64, act: &StaffAct) {
        let (Some(station), Some(now)) = (self.station.clone(), self.reading(now_ms)) else { return };
        let at = Moment { steady_ms: self.device_time(now_ms).boot_ms, now_ms: now.now_ms, in_doubt: now.in_doubt };
        let Some(reach) = self.running.as_ref().map(|running| running.engine.reach(at)) else { return };
        let key = Arc::clone(&self.key);
        let here = self.here(&station, &key, reach, now);
        let of = match act {
            StaffAct::More { of, .. } => Some(*of),
            StaffAct::Override { of, .. } => *of,
            _ => None,
        };
        let followed = of.and_then(|of| self.disk.rows.iter().find(|row| row.body.seq == of));
        let before = followed.and_then(|row| Some((row.body.verified_ticket()?, row.body.class?)));
        let before = before.map(|(ticket, class)| self.facts(ticket, class, &here));
        let tx = Tx { disk: &mut self.disk, crash: None, pending: None };
        if let Ok(Some(recorded)) = record_act(tx, act, None, &here) {
            let by_staff = matches!(act, StaffAct::Override { .. });
            self.committed(&recorded, before, reach, now, by_staff);
            self.disk.shown_seq = self.disk.shown_seq.max(recorded.seq());
            if let Some(running) = &mut self.running {
                running.wake_ms = now_ms;
            }
        }
    }

    fn here<'a>(&self, station: &'a Station, key: &'a SecretKey, reach: Reach, now: ClockReading) -> Here<'a> {
        let policy = station.policy.as_ref();
        Here { device: self.id, key, event: EVENT, lane: self.lane, policy, reach, now }
    }

    /// What is durable of a ticket before it is decided about.
    fn facts(&self, ticket: TicketId, class: ticket_signer::ClassId, here: &Here<'_>) -> Committed {
        let policy = here.policy;
        let home = policy.map(|policy| policy.home_group(class, ticket));
        let group = policy.and_then(|policy| policy.lane(self.lane)).map(|lane| lane.group);
        Committed {
            ticket: Some(ticket),
            serial: None,
            class: Some(class),
            outcome: Outcome::Refuse,
            reason: Reason::NotReady,
            direction: Direction::In,
            guests: 0,
            by_staff: false,
            seq: 0,
            known: self.disk.passages.get(&ticket).cloned().unwrap_or_default(),
            revoked_to: self.disk.revoked.get(&ticket).copied(),
            floor: self.disk.floor.get(&ticket).copied(),
            listed: self.disk.listed.get(&ticket).map(|entry| entry.serial),
            silence_ms: 0,
            lease_until_ms: self.disk.lease_until_ms,
            reach: here.reach,
            reading: here.now,
            unaided_ms: GateClock::new(self.disk.anchor).read(self.device_time(self.now_ms)).now_ms,
            anchored: self.disk.anchor.is_some_and(|anchor| anchor.at.boot_id == self.clocks.boot_id),
            at_home: home == group,
            owner: policy.zip(home).and_then(|(policy, home)| {
                let own = policy.ownership(home);
                match own.owner {
                    Owner::Lane { device, .. } => Some((DeviceId(device), own.until_ms)),
                    Owner::Node(_) => None,
                }
            }),
            policy: self.station.clone(),
            lane: self.lane,
            age_steps: None,
        }
    }

    fn committed(
        &mut self,
        recorded: &Recorded,
        before: Option<Committed>,
        reach: Reach,
        reading: ClockReading,
        by_staff: bool,
    ) {
        let decision = recorded.decision();
        let Some(before) = before else { return };
        self.happened.push(Happened::Committed(Box::new(Committed {
            ticket: decision.ticket,
            serial: decision.serial,
            class: decision.class,
            outcome: decision.outcome,
            reason: decision.reason,
            direction: decision.direction,
            guests: decision.guests,
            by_staff,
            seq: recorded.seq(),
            silence_ms: self.now_ms - self.heard_ms,
            reach,
            reading,
            ..before
        })));
    }

    fn send(&mut self, up: Up) -> u64 {
        self.numbers += 1;
        self.out.push((self.numbers, up));
        self.numbers
    }

    /// Lets time pass: the engine's clock, requests that take too long, the next step of the talk, the feed.
    pub fn tick(&mut self, now_ms: i64, jitter: u64) {
        self.give(now_ms, Input::Tick);
        let steady_ms = self.device_time(now_ms).boot_ms;
        let Some(running) = &mut self.running else { return };
        if running.request.as_ref().is_some_and(|request| now_ms >= request.until_ms) {
            running.request = None;
            running.wake_ms = now_ms + running.backoff.failed(jitter) as i64;
        }
        let listen = running.listening.is_none() && now_ms >= running.listen_ms;
        if listen {
            let cursor = self.disk.cursor;
            let number = self.send(Up::Listen { cursor, generation: self.disk.generation });
            if let Some(running) = &mut self.running {
                running.listening = Some(number);
                running.listen_ms = now_ms + 5_000;
            }
        }
        let Some(running) = &mut self.running else { return };
        if running.request.is_some() || now_ms < running.wake_ms {
            return;
        }
        running.cursors.head_seq = self.disk.head().seq;
        running.cursors.receipted_seq = self.disk.receipted_seq;
        running.cursors.list_version = self.disk.list_version;
        let (up, last) = match plan(&running.cursors, steady_ms) {
            Step::FetchBundle => (Up::Bundle, 0),
            // Nobody looks at a page here, so these handhelds do not tell how they are.
            Step::TellStatus => return,
            Step::PushRows { after, count } => {
                let rows: Vec<_> = self.disk.rows.iter().filter(|row| row.body.seq > after).take(count).collect();
                let last = rows.last().map_or(after, |row| row.body.seq);
                let rows = rows.into_iter().map(|row| row.row.clone().into()).collect();
                (Up::Upload { upload: ScanUpload { event: EVENT.0, rows }, last }, last)
            }
            Step::FetchList { cursor } => (Up::List { cursor }, 0),
            Step::Wait { until_ms } => {
                running.wake_ms = now_ms + (until_ms - steady_ms).clamp(1, 5_000);
                return;
            }
        };
        let sent = self.device_time(now_ms);
        let number = self.send(up);
        if let Some(running) = &mut self.running {
            running.request = Some(Request { number, last, sent, until_ms: now_ms + PATIENCE_MS });
        }
    }

    /// The feed's connection broke.
    pub fn deafen(&mut self, now_ms: i64, jitter: u64) {
        let Some(running) = &mut self.running else { return };
        running.listening = None;
        running.listen_ms = now_ms + running.backoff.failed(jitter) as i64;
        self.give(now_ms, Input::Sync(SyncNews::Silent));
    }

    /// The number of the feed that this handheld listens to.
    pub fn listening(&self) -> Option<u64> {
        self.running.as_ref().and_then(|running| running.listening)
    }

    /// An answer arrives. One that nobody waits for any more is dropped.
    pub fn receive(&mut self, now_ms: i64, number: u64, down: Down) {
        let steady_ms = self.device_time(now_ms).boot_ms;
        let Some(running) = &mut self.running else { return };
        if let Down::Grant(answer) = down {
            if let Some((_, question)) = running.asking.take_if(|(asked, _)| *asked == number) {
                let grant = self.open_grant(now_ms, answer).map(Box::new);
                self.give(now_ms, Input::Granted { question, grant });
            }
            return;
        }
        if let Down::Feed(generation, events) = down {
            if running.listening == Some(number) {
                self.disk.generation = generation;
                self.hear(now_ms, events);
            }
            return;
        }
        let Some(request) = running.request.take_if(|request| request.number == number) else { return };
        running.backoff.succeeded();
        running.wake_ms = now_ms;
        match down {
            Down::Bundle(bundle) => self.take_bundle(now_ms, &bundle, request.sent),
            Down::Refused => {
                running.cursors.bundle_wanted = false;
                running.cursors.bundle_at_ms = Some(steady_ms - 110_000);
            }
            Down::Scans(answer) => self.take_receipts(now_ms, &answer, request.last),
            Down::List { envelope, chunks } => self.take_list(now_ms, &envelope, &chunks),
            Down::Grant(_) | Down::Feed(..) => {}
        }
    }

    fn open_grant(&self, now_ms: i64, answer: GrantAnswer) -> Option<SignedGrant> {
        let GrantAnswer::Granted(bytes) = answer else { return None };
        let (station, now) = (self.station.as_ref()?, self.reading(now_ms)?);
        let bytes = bytes.into_vec();
        let grant = Grant::open(&bytes, &station.trust, EVENT, now.now_s()).ok()?;
        Some(SignedGrant { grant, bytes })
    }

    /// Takes a bundle: enrolment's first, or a later one.
    pub fn take_bundle(&mut self, now_ms: i64, bundle: &StationBundle, sent: DeviceTime) {
        let received = self.device_time(now_ms);
        let Some(running) = &mut self.running else { return };
        let public = self.key.public();
        let known = Known {
            device: self.id,
            key: &public,
            root_fingerprint: &self.root_fingerprint,
            server: "",
            station: self.station.as_deref(),
        };
        let clock = &mut running.clock;
        let checked = station::check(bundle, known, |signed_ms| {
            clock.take_signed(signed_ms, sent, received);
            clock.read(received).now_ms
        });
        running.cursors.bundle_wanted = false;
        running.cursors.bundle_at_ms = Some(received.boot_ms);
        let anchor = running.clock.anchor();
        let Ok(checked) = checked else { return };
        self.disk.anchor = anchor;
        self.disk.lease_until_ms = checked.station.lease_until_ms;
        self.station = Some(Arc::new(checked.station));
        self.release(now_ms);
        self.tell_place(now_ms);
    }

    /// Where a new policy asks this device to stop to own a group, it stops, and says so in its journal.
    fn release(&mut self, now_ms: i64) {
        let Some(station) = self.station.clone() else { return };
        let owners = station.policy.iter().flat_map(|policy| policy.owners.clone());
        let own = |owner: &Ownership| matches!(owner.owner, Owner::Lane { device, .. } if device == self.id.0);
        let wanted: Vec<_> = owners.filter(|owner| owner.releasing).filter(own).collect();
        for owner in wanted {
            let note = format!("{} {}", owner.group, owner.epoch);
            let said = |row: &gate_core::record::NewRow| {
                row.body.act() == Some(gate_core::row::Act::Released) && row.body.note.as_deref() == Some(&note)
            };
            if !self.disk.rows.iter().any(said) {
                self.staff(now_ms, &StaffAct::Released { group: owner.group, epoch: owner.epoch });
            }
        }
    }

    fn take_receipts(&mut self, now_ms: i64, answer: &ScanAnswer, last: u64) {
        let (Some(station), Some(now)) = (self.station.clone(), self.reading(now_ms)) else { return };
        for receipt in &answer.receipts {
            let Ok(payload) = receipt.open(&station.trust, EVENT, now.now_s()) else { continue };
            let own = self.disk.rows.iter().find(|row| row.body.seq == payload.seq).map(|row| row.hash);
            if payload.device == self.id.0 && payload.epoch == self.disk.chain && own == Some(payload.hash.into_array())
            {
                self.disk.receipted_seq = self.disk.receipted_seq.max(payload.seq);
            }
        }
        let steady_ms = self.device_time(now_ms).boot_ms;
        let receipted = self.disk.receipted_seq;
        if let Some(running) = self.running.as_mut().filter(|_| receipted < last) {
            running.cursors.withheld_seq = last;
            running.cursors.withheld_until_ms = steady_ms + WITHHELD_MS;
        }
        self.give(now_ms, Input::Sync(SyncNews::Receipt { seq: receipted }));
    }

    pub fn take_list(&mut self, now_ms: i64, bytes: &[u8], chunks: &[pack::PackedChunk]) {
        let steady_ms = self.device_time(now_ms).boot_ms;
        let (Some(station), Some(now)) = (self.station.clone(), self.reading(now_ms)) else { return };
        let Some(running) = &mut self.running else { return };
        running.cursors.list_at_ms = Some(steady_ms);
        let taken = (|| {
            let payload = envelope::open(Purpose::List, bytes, &station.trust, EVENT, now.now_s()).ok()?;
            let manifest = ListManifest::from_bytes(payload).ok()?;
            let live = self.disk.list_version.map(|version| Live { version, tickets: self.disk.listed.len() as u64 });
            let how = take(&manifest, EVENT, live, station.minimum_list_version, now.now_s()).ok()?;
            let mut tickets = Vec::new();
            if how != Take::Renewal {
                for named in &manifest.chunks {
                    let chunk = chunks.iter().find(|chunk| chunk.named == *named)?;
                    for line in pack::open(named, &chunk.bytes).ok()? {
                        tickets.push(line.open().ok()?);
                    }
                }
            }
            Some((manifest, how, tickets))
        })();
        match taken {
            Some((manifest, Take::Renewal, _)) => {
                self.disk.list_expires_at_s = self.disk.list_expires_at_s.max(i64::from(manifest.expires_at_s));
            }
            Some((manifest, _, tickets)) => self.disk.make_live(&manifest, tickets),
            None => running.cursors.list_not_before_ms = steady_ms + 15_000,
        }
    }

    fn hear(&mut self, now_ms: i64, events: Vec<(u64, FeedMessage)>) {
        let Some(station) = self.station.clone() else { return };
        let Some(running) = &mut self.running else { return };
        let mut batch = Batch::default();
        for (id, message) in events {
            batch.take(Some(id), Some(message), &station, &mut running.unheard);
        }
        if let Some(version) = batch.list {
            running.cursors.list_announced = running.cursors.list_announced.max(version);
        }
        running.cursors.bundle_wanted |= batch.bundle;
        running.wake_ms = now_ms;
        if batch.waits {
            running.listening = None;
            running.listen_ms = now_ms + 1_000;
        }
        for received in &batch.passages {
            if let Some((ticket, passage)) = received.body.passage() {
                self.disk.add_passage(ticket, passage);
            }
        }
        self.disk.cursor = batch.cursor.unwrap_or(self.disk.cursor);
        // After what was waiting is kept: from now on this lane knows what the others did.
        if batch.heard {
            self.heard_ms = now_ms;
            self.give(now_ms, Input::Sync(SyncNews::Heard));
        }
    }

    /// Every conflict that this device knows of.
    pub fn conflicts(&self, class_of: impl Fn(TicketId) -> ticket_signer::ClassId) -> Vec<Conflict> {
        let found = self
            .disk
            .passages
            .iter()
            .filter_map(|(ticket, passages)| conflict(*ticket, self.disk.allowed(class_of(*ticket)), passages));
        found.collect()
    }

    /// The journal as it would be exported.
    pub fn bodies(&self) -> impl Iterator<Item = &RowBody> {
        self.disk.rows.iter().map(|row| &row.body)
    }
}
