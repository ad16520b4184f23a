//! Frame to durable verdict: painted camera frames through the handheld's own steps, to a commit on a real disk.
//!
//! The same calls in the same order as `scanner_app::shell::gate` makes for a frame. Painting is not measured; the frame is
//! in memory when a measurement begins, and the verdict's row is synced when it ends.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use gate_core::record::{Scan, Station, record};
use gate_core::{Outcome, Policy, Reach};
use scanner_app::core::decode::luma::to_luma;
use scanner_app::core::decode::raw::{PixelFormat, RawFrame};
use scanner_app::core::decode::{Decoder, Pass};
use scanner_app::shell::journal::{Database, Journal, Use};
use ticket_signer::{Rejection, SecretKey, TrustStore, VerifiedCode, VerifyContext, code, verify};
use turnstone_tests::painter::{Held, Picture, Random, symbol};

use crate::handheld::{self, Packed};
use crate::machine;
use crate::report::{Samples, Section, Unit};
use crate::site::{self, EVENT, Guest, NOW_S};

const GOAL: Duration = Duration::from_millis(50);
/// Sides of a module, in pixels.
const MODULES_PX: [f32; 3] = [4.0, 5.0, 6.0];
/// Frames of each size that count, and before them to warm up.
const FRAMES: usize = 400;
const WARM_UP: usize = 20;
/// The size of modules in frames that are measured while lists are stored.
const BUSY_MODULE_PX: f32 = 5.0;
/// How many times the p99 at rest a scan may take meanwhile.
const BUSY_GOAL: f64 = 1.5;
/// More lists than are stored while the frames are read.
const BUSY_LISTS: u64 = 40;
/// Frames measured while a whole new list is being stored.
const FRAMES_BUSY: usize = 400;
const WIDTH: usize = 640;
const HEIGHT: usize = 480;
/// How long a camera's frame may be searched, as at the gate.
const DEADLINE: Duration = Duration::from_millis(150);
/// A version 5-M symbol, which every short code fits.
const VERSION: u8 = 5;

/// How long each step took; `frame` is all of them.
#[derive(Default)]
struct Steps {
    frame: Samples,
    processor: Samples,
    decode: Samples,
    verify: Samples,
    record: Samples,
    shown: Samples,
    /// Frames in which nothing was found, and how long the search took.
    unread: Samples,
    half: usize,
}

impl Steps {
    fn extend(&mut self, other: &Steps) {
        self.frame.extend(&other.frame);
        self.processor.extend(&other.processor);
        self.decode.extend(&other.decode);
        self.verify.extend(&other.verify);
        self.record.extend(&other.record);
        self.shown.extend(&other.shown);
        self.unread.extend(&other.unread);
        self.half += other.half;
    }
}

pub fn run(guests: &[Guest]) -> Result<Section> {
    let folder = machine::data_folder("frames")?;
    let disk = machine::disk_sync(&folder, 200)?;
    let mut lane = Lane::open(&folder, guests)?;
    let mut queue = site::queue(guests, 4).into_iter();
    let mut section = Section::new(format!(
        "Frame to durable verdict: {WIDTH}x{HEIGHT} YUYV, short codes ({VERSION}-M), {} tickets listed",
        site::LISTED
    ));
    let mut all = Steps::default();
    let mut at_rest = None;
    for module_px in MODULES_PX {
        lane.scan(&mut queue, module_px, WARM_UP)?;
        let steps = lane.scan(&mut queue, module_px, FRAMES)?;
        section.spread(
            format!("frame to verdict, {module_px} px a module"),
            Unit::Milliseconds,
            &steps.frame,
            Some(GOAL),
        );
        section.figure(format!("  frames of {FRAMES} in which nothing was read"), steps.unread.len() as f64, "", None);
        all.extend(&steps);
        if module_px == BUSY_MODULE_PX {
            at_rest = Some(steps.frame.percentile(99));
        }
    }
    section.spread("frame to verdict, all", Unit::Milliseconds, &all.frame, Some(GOAL));
    section.spread("  processor time of this thread", Unit::Milliseconds, &all.processor, None);
    section.spread("  luma and decode", Unit::Milliseconds, &all.decode, None);
    section.spread("  parse, look up, verify", Unit::Milliseconds, &all.verify, None);
    section.spread("  decide, sign the row, record, sync", Unit::Milliseconds, &all.record, None);
    section.spread("after the verdict: mark it as shown, sync", Unit::Milliseconds, &all.shown, None);
    section.spread("frames in which nothing was read: luma and decode", Unit::Milliseconds, &all.unread, None);
    let busy = lane.scan_while_staging(&mut queue, guests)?;
    section.spread("frame to verdict while a full list is stored, 5 px", Unit::Milliseconds, &busy.frame, Some(GOAL));
    section.spread("  decide, sign the row, record, sync", Unit::Milliseconds, &busy.record, None);
    if let Some(at_rest) = at_rest.filter(|at_rest| !at_rest.is_zero()) {
        let times = busy.frame.percentile(99).as_secs_f64() / at_rest.as_secs_f64();
        section.figure("  its p99 in p99s at rest, 5 px", times, "times", Some(BUSY_GOAL));
    }
    section.spread("the disk alone: 8 KiB written and synced", Unit::Milliseconds, &disk, None);
    section.note(format!(
        "Each frame shows another ticket, turned by up to 8 degrees, off the middle, half of them blurred, with noise; {WARM_UP} frames of each size warm up."
    ));
    section.note(format!(
        "{} of {} codes were read at half size. Unread frames are not among the verdicts: the next frame follows.",
        all.half,
        all.frame.len()
    ));
    section.note(format!(
        "Journal: {}, file system {}. Each verdict is an admission in its row, checked.",
        lane.settings()?,
        machine::file_system(&folder)
    ));
    section.note("The engine's own step (hold-off, state) is not among the steps: it does no I/O.");
    Ok(section)
}

/// One handheld at its lane, cut off.
struct Lane {
    database: Database,
    journal: Journal,
    decoder: Decoder,
    trust: TrustStore,
    policy: Policy,
    key: SecretKey,
    random: Random,
    scans: i64,
}

impl Lane {
    fn open(folder: &Path, guests: &[Guest]) -> Result<Self> {
        let trust = site::trust()?;
        let database = handheld::database(folder)?;
        let tickets: Vec<_> = guests.iter().map(|guest| guest.listed.clone()).collect();
        let mut background = database.connect(Use::Background)?;
        handheld::take_list(&mut background, &Packed::make(1, 0, &tickets, tickets.len())?, &trust)?;
        background.checkpoint()?;
        let journal = database.connect(Use::Gate)?;
        Ok(Lane {
            database,
            journal,
            decoder: Decoder::default(),
            trust,
            policy: site::policy(),
            key: site::device_key(0),
            random: Random(5),
            scans: 0,
        })
    }

    fn settings(&self) -> Result<String> {
        let [mode, synchronous, _] = self.journal.settings()?;
        ensure!(synchronous == "2", "the journal does not sync each commit: synchronous={synchronous}");
        Ok(format!("journal_mode={mode}, synchronous={synchronous} (FULL)"))
    }

    /// One scan a second, by the gate's clock.
    fn now_s(&self) -> i64 {
        NOW_S + self.scans % 3_600
    }

    /// Shows `count` guests' codes to the lane.
    fn scan<'a>(&mut self, queue: &mut impl Iterator<Item = &'a Guest>, module_px: f32, count: usize) -> Result<Steps> {
        let mut steps = Steps::default();
        for _ in 0..count {
            let guest = queue.next().context("no guest is left")?;
            self.scans += 1;
            let text = guest.short(self.now_s())?.to_text();
            let frame = self.paint(&text, module_px)?;
            self.measure(&frame, &text, &mut steps)?;
        }
        Ok(steps)
    }

    fn paint(&mut self, text: &str, module_px: f32) -> Result<RawFrame> {
        ensure!(symbol(text)?.version().value() == VERSION, "a short code is no version {VERSION} symbol");
        let random = &mut self.random;
        let mut picture = Picture::blank(WIDTH, HEIGHT, random.between(60.0, 150.0) as u8);
        let mut held = Held::in_the_middle(WIDTH, HEIGHT, module_px);
        held.rotation_deg = random.between(-8.0, 8.0);
        held.centre.0 += random.between(-60.0, 60.0);
        held.centre.1 += random.between(-40.0, 40.0);
        picture.hold(text, &held)?;
        picture.blur((random.next_u64() % 2) as usize);
        picture.noise(4.0, random.next_u64());
        Ok(picture.encode(PixelFormat::Yuyv, 0, self.now_s() * 1000)?)
    }

    fn measure(&mut self, frame: &RawFrame, expected: &str, steps: &mut Steps) -> Result<()> {
        let used = machine::thread_time();
        let began = Instant::now();
        let luma = to_luma(frame)?;
        let until = began + DEADLINE;
        let decoded = self.decoder.decode(&luma.view(), &mut || Instant::now() >= until);
        let read = began.elapsed();
        let Some(found) = decoded.codes.into_iter().next() else {
            steps.unread.push(read);
            return Ok(());
        };
        let verified = self.verify(&found.text)?;
        let checked = began.elapsed();
        let scan = Scan { text: found.text, verified };
        let station = Station {
            device: site::DEVICE,
            key: &self.key,
            event: EVENT,
            lane: site::LANE,
            policy: Some(&self.policy),
            reach: Reach::Alone,
            now: site::clock(self.now_s()),
        };
        let recorded = record(self.journal.begin(EVENT)?, &scan, None, &station)?;
        let done = began.elapsed();
        let used = machine::thread_time() - used;
        ensure!(scan.text == expected.as_bytes(), "a code was read as another one");
        let decision = recorded.decision();
        ensure!(decision.outcome == Outcome::Admit, "a good ticket was not admitted: {:?}", decision.reason);
        steps.frame.push(done);
        steps.processor.push(used);
        steps.decode.push(read);
        steps.verify.push(checked - read);
        steps.record.push(done - checked);
        steps.half += usize::from(decoded.pass == Some(Pass::Half));
        let began = Instant::now();
        let epoch = self.journal.head()?.epoch;
        self.journal.mark_shown(epoch, recorded.seq())?;
        steps.shown.push(began.elapsed());
        Ok(())
    }

    fn verify(&self, text: &[u8]) -> Result<Result<VerifiedCode, Rejection>> {
        let untrusted = match code::parse(std::str::from_utf8(text)?) {
            Ok(untrusted) => untrusted,
            Err(error) => return Ok(Err(error.into())),
        };
        let entry = self.journal.listed(EVENT, untrusted.ticket())?;
        let context = VerifyContext {
            event: EVENT,
            trust: &self.trust,
            entry: entry.as_ref(),
            now_s: self.now_s(),
            freshness_steps: self.policy.freshness_steps,
        };
        Ok(verify(&untrusted, &context))
    }

    /// As [`scan`](Self::scan), while another thread takes full lists in without a pause, each in place of the last. They are
    /// packed beforehand: that is a server's work.
    fn scan_while_staging<'a>(
        &mut self,
        queue: &mut impl Iterator<Item = &'a Guest>,
        guests: &[Guest],
    ) -> Result<Steps> {
        let tickets: Vec<_> = guests.iter().map(|guest| guest.listed.clone()).collect();
        let mut background = self.database.connect(Use::Background)?;
        let trust = self.trust.clone();
        let stop = AtomicBool::new(false);
        let pack = |version| Packed::make(version, 0, &tickets, tickets.len());
        let lists = (2..2 + BUSY_LISTS).map(pack).collect::<Result<Vec<_>>>()?;
        std::thread::scope(|scope| {
            let staging = scope.spawn(|| -> Result<()> {
                for list in &lists {
                    handheld::take_list(&mut background, list, &trust)?;
                    handheld::sweep(&mut background)?;
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                }
                Ok(())
            });
            let steps = self.scan(queue, BUSY_MODULE_PX, FRAMES_BUSY);
            ensure!(!staging.is_finished(), "the lists were all stored before the frames were read");
            stop.store(true, Ordering::Relaxed);
            staging.join().map_err(|_| anyhow!("the thread that stores lists panicked"))??;
            steps
        })
    }
}
