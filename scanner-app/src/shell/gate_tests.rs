//! The whole handheld without a window: lines in by an imager's file, lines out as JSON, a real database in between.

use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use ticket_signer::TicketStatus;

use super::*;
use crate::shell::camera::frames;
use crate::shell::journal::{ConfirmedRecord, StationRecord};
use crate::testkit::{DEVICE, EVENT, LANE, Organiser, full, listed, picture, short};

#[derive(Clone, Default)]
pub(super) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    pub(super) fn read(&self) -> Vec<Value> {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        String::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

pub(super) fn verdicts(lines: &[Value]) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let verdicts = lines.iter().filter(|line| line["outcome"].is_string());
    verdicts.map(|line| (text(&line["outcome"]), text(&line["reason"]))).collect()
}

/// A data folder of a handheld that was enrolled with a server which does not run.
pub(super) fn placed(folder: &Path) -> i64 {
    placed_with(folder, 2)
}

fn placed_with(folder: &Path, tickets: u64) -> i64 {
    let organiser = Organiser::default();
    let key = keystore::read_or_make(folder).unwrap();
    let database = Database::open(folder, None, 3).unwrap();
    let mut journal = database.connect(Use::Background).unwrap();
    let clock = Clock::new(None);
    let now_ms = clock.device().system_ms;
    let bundle = organiser.bundle(DEVICE, &key, Some(&organiser.policy(1)), now_ms);
    let record = StationRecord {
        server: "https://127.0.0.1:9".to_owned(),
        tls_pin: [1; 32],
        root_fingerprint: organiser.root.public().fingerprint(),
        device: DEVICE,
        confirmed: None,
    };
    journal.keep_pending(&record).unwrap();
    let confirmed = ConfirmedRecord {
        root: bundle.root.into_array(),
        organiser: bundle.organiser,
        event: bundle.event,
        lane: LANE,
        device_certificate: bundle.device_certificate.into_vec(),
        lease_until_ms: now_ms + 3_600_000,
        minimum_list_version: 1,
        policy: bundle.policy.map(|policy| policy.into_vec()),
        certificates: bundle.certificates.into_iter().map(|bytes| bytes.into_vec()).collect(),
        revocations: Vec::new(),
    };
    journal.keep_confirmed(&confirmed).unwrap();
    let at = clock.device();
    journal.keep_anchor(&clock.take_signed(at.system_ms, at, clock.device()).unwrap()).unwrap();
    let list =
        organiser.list(4, 0, &(1..=tickets).map(|ticket| listed(ticket, 2, TicketStatus::Active)).collect::<Vec<_>>());
    let mut staging = journal.stage(&list.envelope, &list.manifest).unwrap();
    let chunk = gate_core::pack::open(&list.manifest.chunks[0], &list.chunks[0].bytes).unwrap();
    journal.stage_chunk(&mut staging, &chunk).unwrap();
    journal.make_live(staging, &list.manifest).unwrap();
    now_ms / 1000
}

fn run(folder: &Path, codes: &[String]) -> Vec<Value> {
    let typed = folder.join("typed");
    std::fs::write(&typed, codes.join("\n")).unwrap();
    run_with(folder, SourceSpec::Wedge(Some(typed)), recorder::Options::default())
}

fn run_with(folder: &Path, source: SourceSpec, recorder: recorder::Options) -> Vec<Value> {
    let lines = Lines::default();
    let name = "Handheld 1".to_owned();
    let options = Options { folder: folder.to_owned(), source, name, server: None, recorder, torch: Torch::Auto };
    Gate::open(options, Output::to(Box::new(lines.clone())), |_| Front::default()).unwrap().run().unwrap();
    lines.read()
}

/// Plays these frames to a handheld that records.
fn show(folder: &Path, shown: &[RawFrame]) -> Vec<Value> {
    let view = folder.join("frames");
    std::fs::create_dir(&view).unwrap();
    for (at, frame) in shown.iter().enumerate() {
        frames::write(&view, &format!("{at:04}"), frame).unwrap();
    }
    frames::end(&view).unwrap();
    run_with(folder, SourceSpec::Frames(view), recorder::Options { frames: Some(9), ..Default::default() })
}

/// When the frames that a handheld has recorded were taken.
fn recorded(folder: &Path) -> Vec<i64> {
    let listed = std::fs::read_dir(folder.join(recorder::FOLDER)).into_iter().flatten();
    let mut times: Vec<i64> = listed.map(|entry| frames::read(&entry.unwrap().path()).unwrap().taken_ms).collect();
    times.sort_unstable();
    times
}

#[test]
fn only_frames_in_which_nothing_is_read_are_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let now_s = placed(folder.path());
    let at = |step: i64| now_s * 1000 + step * 3_000;
    let lines = show(
        folder.path(),
        &[
            picture(None, at(0)),
            picture(Some(&short(1, 2, now_s).to_text()), at(1)),
            picture(Some("https://restaurant.example/menu"), at(2)),
            picture(None, at(3)),
        ],
    );
    assert_eq!(verdicts(&lines).len(), 2, "{lines:?}");
    assert_eq!(recorded(folder.path()), [at(0), at(3)]);
    let told = lines.iter().filter(|line| line["event"] == "recorder").collect::<Vec<_>>();
    assert!(matches!(&told[..], [on] if on["state"] == "on" && on["frames_max"] == 9), "{told:?}");
}

#[test]
fn a_handheld_without_a_place_records_nothing() {
    let folder = tempfile::tempdir().unwrap();
    show(folder.path(), &[picture(None, crate::shell::clock::system_ms())]);
    assert_eq!(recorded(folder.path()), [0; 0]);
}

#[test]
fn an_enrolled_handheld_decides_alone_and_tells_each_verdict_once() {
    let folder = tempfile::tempdir().unwrap();
    let now_s = placed(folder.path());
    let codes = [
        short(1, 2, now_s).to_text(),
        short(1, 2, now_s).to_text(),
        "https://restaurant.example/menu".to_owned(),
        short(2, 2, now_s - 300).to_text(),
        full(&Organiser::default(), 77, 1, now_s).to_text(),
    ];
    let lines = run(folder.path(), &codes);
    let expected = [("admit", "admitted"), ("refuse", "not_a_ticket"), ("refuse", "stale"), ("admit", "admitted")];
    assert_eq!(verdicts(&lines), expected.map(|(outcome, reason)| (outcome.to_owned(), reason.to_owned())));
    let shown: Vec<&Value> = lines.iter().filter(|line| line["outcome"].is_string()).collect();
    assert!(shown.iter().all(|line| line["latency_us"].as_u64().is_some_and(|us| us > 0)));
    assert_eq!((&shown[0]["lane"], &shown[0]["flagged"]), (&Value::from("Lane 1"), &Value::from(true)));
    assert_eq!((&shown[3]["unlisted"], &shown[3]["ticket"]), (&Value::from(true), &Value::from("000000000000004d")));
    let kinds: Vec<&str> = lines.iter().filter_map(|line| line["event"].as_str()).collect();
    assert!(kinds.contains(&"ready") && kinds.contains(&"ended"), "{kinds:?}");

    let lines = run(folder.path(), &[short(1, 2, now_s).to_text()]);
    assert_eq!(verdicts(&lines), [("refuse".to_owned(), "used".to_owned())], "and nothing shown before is shown again");

    let mut out = Vec::new();
    assert!(crate::shell::inspect::journal(folder.path(), true, &mut out).unwrap());
    let rows: Vec<Value> =
        String::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.iter().filter(|row| row["seq"].is_u64()).count(), 5);
    assert_eq!(rows[5]["summary"]["rows"], 5);
    assert!(rows.iter().all(|row| !row.to_string().contains("T1")), "codes are not printed");
    let mut out = Vec::new();
    assert!(crate::shell::inspect::check(folder.path(), true, &mut out).unwrap());
    let found: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!((&found["list"]["tickets"], &found["journal"]["chain"]), (&Value::from(2), &Value::from("whole")));
}

/// The battery fell out: another boot, and a system clock that was wrong before already, so that nothing vouches for it.
fn rebooted(folder: &Path, system_ahead_ms: i64, signed_ago_ms: i64) {
    let mut journal = Database::open(folder, None, 3).unwrap().connect(Use::Background).unwrap();
    let anchor = journal.anchor().unwrap().unwrap();
    let mut at = anchor.at;
    at.boot_id ^= 1;
    // This boot, whose clock says how long it lasts, began after the signed time.
    at.system_ms -= signed_ago_ms + at.boot_ms;
    // What the system clock says now is right; by then it was behind, so its word now counts as ahead.
    let signed_ms = at.system_ms + system_ahead_ms;
    journal.keep_anchor(&gate_core::clock::Anchor { signed_ms, at, ..anchor }).unwrap();
}

#[test]
fn a_crowd_of_guests_puts_a_wrong_clock_right_and_their_codes_are_fresh_again() {
    let folder = tempfile::tempdir().unwrap();
    let now_s = placed_with(folder.path(), 30);
    rebooted(folder.path(), 240_000, 600_000);
    let show = |tickets: std::ops::RangeInclusive<u64>, skew_s: i64| -> Vec<String> {
        tickets.map(|ticket| short(ticket, 2, now_s + skew_s).to_text()).collect()
    };
    // A clock that nobody vouches for accuses nobody: the supervisor decides. The ninth guest makes the quorum.
    let mut codes = show(1..=9, 0);
    // Codes of ten minutes ago stay stale: two pictures outvote nobody.
    codes.extend(show(11..=12, -600));
    codes.extend(show(14..=15, 0));
    let lines = run(folder.path(), &codes);
    let outcome = |outcome: &str, reason: &str| (outcome.to_owned(), reason.to_owned());
    let mut expected = vec![outcome("review", "clock_in_doubt"); 8];
    expected.push(outcome("admit", "admitted"));
    expected.extend(vec![outcome("refuse", "stale"); 2]);
    expected.extend(vec![outcome("admit", "admitted"); 2]);
    assert_eq!(verdicts(&lines), expected);
    let warned = |word: &str| {
        lines
            .iter()
            .any(|line| line["event"] == "warning" && line["message"].as_str().is_some_and(|text| text.contains(word)))
    };
    assert!(warned("moved this handheld's clock back by"), "{lines:?}");

    let rows = rows(folder.path());
    let (doubted, sure) = (&rows[0], &rows[8]);
    assert_eq!((&doubted["clock_in_doubt"], &sure["clock_in_doubt"]), (&Value::from(true), &Value::from(false)));
    let offset = |row: &Value| row["offset_ms"].as_i64().unwrap();
    assert!((230_000..=240_000).contains(&offset(doubted)), "{doubted}");
    assert!(offset(sure).abs() <= 15_000, "a step and a half: {sure}");
    assert_eq!(sure["uncertainty_ms"], gate_core::crowd::UNCERTAINTY_MS);
}

#[test]
fn guests_do_not_move_a_clock_that_counts_on_from_signed_time() {
    let folder = tempfile::tempdir().unwrap();
    let now_s = placed_with(folder.path(), 30);
    let codes: Vec<String> = (1..=20).map(|ticket| short(ticket, 2, now_s - 300).to_text()).collect();
    let lines = run(folder.path(), &codes);
    assert_eq!(verdicts(&lines), vec![("refuse".to_owned(), "stale".to_owned()); 20]);
    let told = lines.iter().find(|line| line["event"] == "warning" && line.to_string().contains("guests' phones"));
    assert!(told.is_some_and(|line| line.to_string().contains("whose time is the server's")), "{lines:?}");
}

#[test]
fn a_verdict_that_nobody_saw_appears_once_before_anything_else() {
    let folder = tempfile::tempdir().unwrap();
    let now_s = placed(folder.path());
    {
        // A process that died after its commit.
        let organiser = Organiser::default();
        let database = Database::open(folder.path(), None, 3).unwrap();
        let mut journal = database.connect(Use::Gate).unwrap();
        let key = keystore::read(folder.path()).unwrap().unwrap();
        let code = short(1, 2, now_s);
        let entry = journal.listed(EVENT, code.ticket()).unwrap();
        let trust = ticket_signer::TrustStore::new(organiser.root.public(), "Harbour");
        let context = VerifyContext { event: EVENT, trust: &trust, entry: entry.as_ref(), now_s, freshness_steps: 2 };
        let scan = Scan { text: code.to_text().into_bytes(), verified: verify(&code, &context) };
        let policy = organiser.policy(1);
        let here = Here {
            device: DEVICE,
            key: &key,
            event: EVENT,
            lane: LANE,
            policy: Some(&policy),
            reach: Reach::Alone,
            now: Clock::new(journal.anchor().unwrap()).read(),
        };
        record::record(journal.begin(EVENT).unwrap(), &scan, None, &here).unwrap();
    }
    let lines = run(folder.path(), &[short(1, 2, now_s).to_text()]);
    let first = lines.iter().find(|line| line["outcome"].is_string() || line["event"] == "ready").unwrap();
    assert_eq!((&first["outcome"], &first["recalled"]), (&Value::from("admit"), &Value::from(true)), "{lines:?}");
    assert!(first["latency_us"].is_null());
    assert_eq!(verdicts(&lines).len(), 1, "the guest still stands there: {lines:?}");
    assert_eq!(verdicts(&run(folder.path(), &[])), [], "exactly once");
}

#[test]
fn without_a_place_nothing_is_decided() {
    let folder = tempfile::tempdir().unwrap();
    let lines = run(folder.path(), &[short(1, 2, 1).to_text()]);
    assert_eq!(verdicts(&lines), []);
    assert!(lines.iter().any(|line| line["event"] == "enrol_wanted"));
    let told = lines.iter().find(|line| line["event"] == "enrol_failed").unwrap();
    assert!(told["message"].as_str().unwrap().contains("QR code on the supervisor's page"));
}

#[test]
fn a_lost_key_is_said_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    placed(folder.path());
    std::fs::remove_file(folder.path().join(keystore::FILE)).unwrap();
    let options = Options {
        folder: folder.path().to_owned(),
        source: SourceSpec::Frames(folder.path().to_owned()),
        name: "Handheld 1".to_owned(),
        server: None,
        recorder: recorder::Options::default(),
        torch: Torch::Auto,
    };
    let error = Gate::open(options, Output::none(), |_| Front::default()).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("enrol the handheld again"), "{error}");
}

/// A station with recordings of these frames, its data folder, and when the first was taken: an hour ago, so that a code of
/// then is stale by now.
fn station(shown: impl FnOnce(i64) -> Vec<RawFrame>) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let then_ms = (placed(folder.path()) - 3_600) * 1000;
    let recordings = folder.path().join(recorder::FOLDER);
    std::fs::create_dir(&recordings).unwrap();
    for frame in shown(then_ms) {
        frames::write(&recordings, &format!("{:015}-0000", frame.taken_ms), &frame).unwrap();
    }
    (folder, recordings)
}

fn rows(folder: &Path) -> Vec<Value> {
    let mut out = Vec::new();
    assert!(crate::shell::inspect::journal(folder, true, &mut out).unwrap());
    let rows = String::from_utf8(out).unwrap();
    rows.lines().map(|line| serde_json::from_str(line).unwrap()).filter(|row: &Value| row["seq"].is_u64()).collect()
}

#[test]
fn a_replay_decides_as_it_would_have_then() {
    let code = |ticket: u64, at_ms: i64| short(ticket, 2, at_ms / 1000).to_text();
    let mut then_ms = 0;
    let (station, recordings) = station(|first_ms| {
        then_ms = first_ms;
        vec![
            picture(Some(&code(1, first_ms)), first_ms),
            // Still in view, then back after the hold-off: by the recorded time, since now all comes at once.
            picture(Some(&code(1, first_ms)), first_ms + 1_000),
            picture(None, first_ms + 2_000),
            picture(Some(&code(1, first_ms + 15_000)), first_ms + 20_000),
            picture(Some(&code(2, first_ms - 300_000)), first_ms + 21_000),
        ]
    });
    let folder = tempfile::tempdir().unwrap();
    crate::shell::replay::prepare(&recordings, None, folder.path()).unwrap();
    let play = || run_with(folder.path(), SourceSpec::Replay(recordings.clone()), recorder::Options::default());
    let lines = play();
    let expected = [("admit", "admitted"), ("refuse", "used"), ("refuse", "stale")];
    assert_eq!(verdicts(&lines), expected.map(|(outcome, reason)| (outcome.to_owned(), reason.to_owned())));
    let times: Vec<i64> = lines.iter().filter_map(|line| line["at_ms"].as_i64()).collect();
    assert_eq!(times, [then_ms, then_ms + 20_000, then_ms + 21_000]);
    let told = lines.iter().find(|line| line["event"] == "replayed").unwrap();
    assert_eq!((&told["frames"], &told["read"]), (&Value::from(5), &Value::from(4)));

    let kept = rows(folder.path());
    assert_eq!(kept.iter().map(|row| row["at_ms"].as_i64().unwrap()).collect::<Vec<_>>(), times);
    assert!(rows(station.path()).is_empty(), "the station's own journal knows nothing of it");
    let key = |folder: &Path| keystore::read(folder).unwrap().unwrap().public();
    assert_ne!(key(folder.path()), key(station.path()), "what a replay signs is not the station's word");
    assert!(!folder.path().join(recorder::FOLDER).exists(), "a replay records nothing");
    assert_eq!(verdicts(&play())[0].1, "used", "played again, it knows what was played before");
    // The same frames as if they were seen now.
    let now = run_with(station.path(), SourceSpec::Frames(end(&recordings)), recorder::Options::default());
    assert!(verdicts(&now).iter().all(|(_, reason)| reason == "stale"), "{now:?}");
}

fn end(folder: &Path) -> std::path::PathBuf {
    frames::end(folder).unwrap();
    folder.to_owned()
}

#[test]
fn a_replay_never_syncs_and_a_handhelds_own_folder_takes_in_no_replay() {
    let (station, recordings) = station(|then_ms| vec![picture(None, then_ms)]);
    let folder = tempfile::tempdir().unwrap();
    crate::shell::replay::prepare(&recordings, None, folder.path()).unwrap();
    let open = |folder: &Path, source: SourceSpec| {
        let (folder, name) = (folder.to_owned(), "Handheld 1".to_owned());
        let options =
            Options { folder, source, name, server: None, recorder: recorder::Options::default(), torch: Torch::Auto };
        Gate::open(options, Output::none(), |_| Front::default()).map(|_| ()).unwrap_err()
    };
    let replay = Database::open(folder.path(), None, 1).unwrap();
    assert!(matches!(replay.for_sync(), Err(JournalError::Replay)), "no sync thread can have its database");
    for source in [SourceSpec::Frames(recordings.clone()), SourceSpec::Wedge(None)] {
        let error = open(folder.path(), source);
        assert!(matches!(error, GateError::Journal(JournalError::Replay)), "{error}");
    }
    // What an attempt to sync would need is not even there.
    let record = replay.connect(Use::Background).unwrap().station().unwrap().unwrap();
    assert_eq!((record.server.as_str(), record.tls_pin), ("https://replay.invalid", [0; 32]));

    let error = open(station.path(), SourceSpec::Replay(recordings.clone()));
    assert!(matches!(error, GateError::Journal(JournalError::Live)), "{error}");
    let error = crate::shell::replay::prepare(&recordings, None, station.path()).unwrap_err().to_string();
    assert!(error.contains("a handheld's own"), "{error}");
    let fresh = tempfile::tempdir().unwrap();
    let error = open(fresh.path(), SourceSpec::Replay(recordings.clone()));
    assert!(matches!(error, GateError::Journal(JournalError::Live)), "{error}");
    assert!(Database::open(station.path(), None, 1).unwrap().for_sync().is_ok());
}
