//! The engine by journeys of inputs: what is held off, shown once, shown again.

mod profile;

use std::collections::BTreeMap;

use gate_core::chain::ChainHead;
use gate_core::clock::ClockReading;
use gate_core::policy::{Change, LaneMessage, Temporary};
use gate_core::record::{NewRow, Station, recall, record};
use gate_core::{GateView, JournalTx, Passage, SignedRow, TicketView};
use jiff::tz::TimeZone;
use proptest::prelude::*;
use ticket_signer::{
    ListedTicket, ParseError, Role, SecretKey, TicketStatus, TrustStore, UntrustedCode, VerifyContext, code, verify,
};

use super::*;
use crate::core::present::view::Page;
use crate::core::present::{LaneName, times};
use crate::testkit::{CLASS, DEVICE, EVENT, LANE, NOW_MS, NOW_S, Organiser, full, listed, short};

mod staff;

/// A journal in memory.
#[derive(Default)]
struct Memory {
    list: BTreeMap<TicketId, ListedTicket>,
    passages: Vec<(TicketId, Passage)>,
    rows: Vec<SignedRow>,
    full: bool,
    /// Of the class; one where nothing is said.
    admissions: u8,
}

struct Full;

impl JournalTx for &mut Memory {
    type Error = Full;
    fn ticket(&mut self, ticket: TicketId) -> Result<TicketView, Full> {
        let passages = self.passages.iter().filter(|(of, _)| *of == ticket).map(|(_, one)| *one).collect();
        Ok(TicketView { entry: self.list.get(&ticket).cloned(), passages, ..TicketView::default() })
    }
    fn gate(&mut self) -> Result<GateView, Full> {
        Ok(GateView {
            list_version: Some(1),
            list_expires_at_s: i64::MAX / 1000,
            lease_until_ms: i64::MAX,
            cursor: 0,
            classes: vec![Organiser::default().class(self.admissions.max(1))],
        })
    }
    fn head(&mut self) -> Result<ChainHead, Full> {
        let hash = self.rows.last().map_or([0; 32], SignedRow::hash);
        Ok(ChainHead { epoch: 1, seq: self.rows.len() as u64, hash })
    }
    fn row(&mut self, seq: u64) -> Result<Option<SignedRow>, Full> {
        Ok(self.rows.get(seq as usize - 1).cloned())
    }
    fn append(&mut self, row: &NewRow) -> Result<(), Full> {
        if self.full {
            return Err(Full);
        }
        self.rows.push(row.row.clone());
        self.passages.extend(row.passage);
        Ok(())
    }
    fn commit(self) -> Result<(), Full> {
        Ok(())
    }
}

/// An engine with its shell in memory.
struct Lane {
    engine: Engine,
    memory: Memory,
    organiser: Organiser,
    steady_ms: i64,
    said: Vec<Effect>,
    /// The strict rule holds, and the cloud owns every ticket.
    strict: bool,
}

impl Lane {
    fn new(tickets: &[u64]) -> Self {
        let list = tickets.iter().map(|id| (TicketId(*id), listed(*id, 2, TicketStatus::Active))).collect();
        let mut lane = Lane {
            engine: Engine::new("Handheld 1".to_owned()),
            memory: Memory { list, ..Memory::default() },
            organiser: Organiser::default(),
            steady_ms: 1_000,
            said: Vec::new(),
            strict: false,
        };
        lane.give(Input::Place(PlaceNews::Confirmed(Box::new(place()))));
        lane.give(Input::Tick);
        lane
    }

    fn at(&self) -> Moment {
        Moment { steady_ms: self.steady_ms, now_ms: NOW_MS + self.steady_ms, in_doubt: false }
    }

    fn give(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            for effect in self.engine.step(self.at(), input) {
                match &effect {
                    Effect::Verify { text } => inputs.push(self.verify(text.clone())),
                    Effect::Record { scan, reach, grant } => inputs.push(self.record(scan, *reach, grant.as_deref())),
                    Effect::Staff(effect) => inputs.extend(self.serve_staff(effect)),
                    _ => {}
                }
                self.said.push(effect);
            }
        }
    }

    fn verify(&self, text: Vec<u8>) -> Input {
        let mut trust = TrustStore::new(self.organiser.root.public(), "Harbour");
        trust.add_certificate(&self.organiser.certificate(Role::Issue, &self.organiser.key(Role::Issue))).unwrap();
        let verified = match code::parse(std::str::from_utf8(&text).unwrap_or("?")) {
            Err(error) => Err(Rejection::Unreadable(error)),
            Ok(untrusted) => {
                let entry = self.memory.list.get(&untrusted.ticket());
                let now_s = self.at().now_ms / 1000;
                verify(&untrusted, &VerifyContext { event: EVENT, trust: &trust, entry, now_s, freshness_steps: 2 })
            }
        };
        Input::Verified { text, verified: Box::new(verified), must_ask: self.strict }
    }

    fn record(&mut self, scan: &Scan, reach: Reach, grant: Option<&SignedGrant>) -> Input {
        let mut policy = self.organiser.policy(1);
        if self.strict {
            policy.partition = gate_core::Partition::Strict;
        }
        let key = SecretKey::from_bytes(&[9; 32]);
        let now = ClockReading { now_ms: self.at().now_ms, uncertainty_ms: 1, in_doubt: false, offset_ms: 0 };
        let station =
            Station { device: DEVICE, key: &key, event: EVENT, lane: LANE, policy: Some(&policy), reach, now };
        match record(&mut self.memory, scan, grant.map(|grant| (&grant.grant, &grant.bytes[..])), &station) {
            Ok(recorded) => {
                Input::Recorded { recorded: Box::new(recorded), text: Some(scan.text.clone()), latency_us: Some(1) }
            }
            Err(Full) => {
                Input::NotRecorded { text: scan.text.clone(), message: "The storage is full. Free it".to_owned() }
            }
        }
    }

    fn see(&mut self, after_ms: i64, code: &UntrustedCode) {
        self.see_text(after_ms, code.to_text().as_bytes());
    }

    fn see_text(&mut self, after_ms: i64, text: &[u8]) {
        self.steady_ms += after_ms;
        self.give(Input::Seen(vec![text.to_vec()]));
    }

    fn now_s(&self) -> i64 {
        self.at().now_ms / 1000
    }

    fn verdicts(&self) -> Vec<&'static str> {
        let shown = self.said.iter().filter_map(|effect| match effect {
            Effect::Show { verdict, .. } => Some(verdict.reason_code()),
            _ => None,
        });
        shown.collect()
    }

    fn reports(&self) -> Vec<String> {
        let told = self.said.iter().filter_map(|effect| match effect {
            Effect::Report(report) => Some(report.to_line()),
            _ => None,
        });
        told.collect()
    }
}

fn place() -> Place {
    Place {
        naming: Naming {
            event: "Harbour Nights".to_owned(),
            venue: "Pier".to_owned(),
            zone: TimeZone::get("Asia/Kolkata").unwrap(),
            lane: LANE,
            lanes: vec![LaneName { lane: LANE, name: "Lane 1".to_owned(), entrance: "North".to_owned() }],
            classes: vec![Organiser::default().class(1)],
            device: DEVICE,
        },
        server: "https://gate.example".to_owned(),
        policy: Some(Organiser::default().policy(1)),
        hold_off_ms: 5_000,
        list: Some(ListNews { version: 1, tickets: 2, revoked: 0, issued_at_ms: NOW_MS, expires_at_ms: i64::MAX }),
        head_seq: 0,
        receipted_seq: 0,
        admitted_here: 0,
        conflicts: Vec::new(),
    }
}

#[test]
fn a_code_held_in_view_is_one_scan_and_five_seconds_after_it_was_away_another() {
    let mut lane = Lane::new(&[1]);
    let code = short(1, 2, NOW_S);
    for _ in 0..40 {
        lane.see(100, &code);
    }
    assert_eq!(lane.verdicts(), ["admitted"]);
    // The phone's page moves on to its next code: the same ticket.
    lane.see(4_000, &short(1, 2, lane.now_s() + 15));
    lane.see(4_999, &short(1, 2, lane.now_s() + 15));
    assert_eq!(lane.verdicts(), ["admitted"]);
    lane.see(5_000, &short(1, 2, lane.now_s()));
    assert_eq!(lane.verdicts(), ["admitted", "used"]);
    assert_eq!(lane.memory.rows.len(), 2);
}

#[test]
fn after_a_refusal_a_fresher_or_fuller_code_is_taken_at_once() {
    let mut lane = Lane::new(&[1]);
    lane.see(100, &short(1, 2, NOW_S - 300));
    lane.see(100, &short(1, 2, NOW_S - 300));
    lane.see(100, &short(1, 2, lane.now_s()));
    assert_eq!(lane.verdicts(), ["stale", "admitted"]);
    let organiser = Organiser::default();
    lane.see(100, &short(5, 2, lane.now_s()));
    lane.see(100, &full(&organiser, 5, 2, lane.now_s()));
    lane.see(100, &short(5, 2, lane.now_s()));
    assert_eq!(lane.verdicts(), ["stale", "admitted", "unknown", "admitted"], "held by its text and by its ticket");
}

#[test]
fn an_unverified_code_of_an_admitted_ticket_is_not_taken_for_it() {
    let mut lane = Lane::new(&[1]);
    lane.see(100, &short(1, 2, NOW_S));
    let mut forged = short(1, 2, lane.now_s() + 15);
    if let UntrustedCode::Short(code) = &mut forged {
        code.presentation.signature[3] ^= 1;
    }
    lane.see(100, &forged);
    assert_eq!(lane.verdicts(), ["admitted", "bad_signature"]);
}

#[test]
fn what_does_not_parse_is_held_by_its_text_and_kept_as_a_hash() {
    let mut lane = Lane::new(&[1]);
    let menu = b"https://restaurant.example/menu";
    for _ in 0..10 {
        lane.see_text(400, menu);
    }
    lane.see_text(100, &[0xFF, 0xFE]);
    assert_eq!(lane.verdicts(), ["not_a_ticket", "not_a_ticket"]);
    let row = gate_core::RowBody::from_bytes(&lane.memory.rows[0].bytes).unwrap();
    assert_eq!((row.code, row.code_length), (None, menu.len() as u32));
}

#[test]
fn of_two_codes_in_view_the_nearer_to_the_aim_is_taken_and_neither_twice() {
    let mut lane = Lane::new(&[1, 2]);
    let [one, two] = [short(1, 2, NOW_S), short(2, 2, NOW_S)].map(|code| code.to_text().into_bytes());
    for _ in 0..30 {
        lane.steady_ms += 400;
        lane.give(Input::Seen(vec![one.clone(), two.clone()]));
    }
    assert_eq!(lane.verdicts(), ["admitted"]);
    // The second guest is aimed at; the first one's code stays in view for longer than the hold-off.
    for _ in 0..30 {
        lane.steady_ms += 400;
        lane.give(Input::Seen(vec![two.clone(), one.clone()]));
    }
    assert_eq!(lane.verdicts(), ["admitted", "admitted"]);
    lane.steady_ms += 400;
    lane.give(Input::Seen(vec![one]));
    assert_eq!(lane.memory.rows.len(), 2);
}

#[test]
fn a_disk_that_cannot_record_has_its_own_screen_and_admits_nobody() {
    let mut lane = Lane::new(&[1]);
    lane.memory.full = true;
    lane.see(100, &short(1, 2, NOW_S));
    lane.see(100, &short(1, 2, NOW_S));
    assert_eq!(lane.verdicts(), [""; 0]);
    let view = lane.engine.view(lane.at());
    assert_eq!(view.page, Page::Fault { sentence: "The storage is full.".to_owned(), next_step: "Free it".to_owned() });
    assert_eq!(lane.reports().iter().filter(|line| line.contains("cannot_record")).count(), 1, "held like a refusal");
    assert!(lane.said.iter().any(|effect| matches!(effect, Effect::Sound(Tone::Fault))));
    lane.memory.full = false;
    lane.give(Input::Retry);
    lane.see(100, &short(1, 2, NOW_S));
    assert_eq!(lane.verdicts(), ["admitted"]);
    assert!(lane.engine.view(lane.at()).notices.is_empty());
}

#[test]
fn a_recalled_verdict_is_shown_marked_and_its_ticket_is_held() {
    let mut before = Lane::new(&[1]);
    before.see(100, &short(1, 2, NOW_S));
    let mut lane = Lane::new(&[1]);
    lane.memory = std::mem::take(&mut before.memory);
    let recorded = Box::new(recall(&mut &mut lane.memory).ok().flatten().unwrap());
    lane.give(Input::Recorded { recorded, text: Some(short(1, 2, NOW_S).to_text().into_bytes()), latency_us: None });
    let line = lane.said.iter().find_map(|effect| match effect {
        Effect::Show { verdict, latency_us } => {
            Some(Report::Verdict { verdict: verdict.clone(), latency_us: *latency_us }.to_json())
        }
        _ => None,
    });
    let line = line.unwrap();
    assert_eq!((&line["recalled"], &line["outcome"]), (&true.into(), &"admit".into()));
    assert!(line["latency_us"].is_null());
    lane.see(100, &short(1, 2, NOW_S));
    lane.see(100, &short(1, 2, lane.now_s() + 15));
    assert_eq!(lane.verdicts(), ["admitted"], "the guest still stands there");
    lane.give(Input::Shown { seq: 1 });
    assert!(matches!(lane.said.last(), Some(Effect::MarkShown { seq: 1 })));
}

#[test]
fn enrolment_codes_are_read_only_without_a_place() {
    let code = EnrolmentCode {
        one_time: [1; 16],
        tls_pin: [2; 32],
        root_fingerprint: [3; 32],
        server: "https://gate.example".to_owned(),
    };
    let text = code.to_text();
    let mut lane = Lane::new(&[]);
    lane.see_text(100, text.as_bytes());
    assert!(lane.memory.rows.is_empty() && !lane.said.iter().any(|effect| matches!(effect, Effect::Enrol(_))));

    lane.engine = Engine::new("Handheld 1".to_owned());
    lane.see_text(100, text.as_bytes());
    assert!(!lane.said.iter().any(|effect| matches!(effect, Effect::Enrol(_))), "not before the database is open");
    lane.give(Input::Place(PlaceNews::None));
    lane.see(100, &short(1, 2, NOW_S));
    assert!(matches!(lane.engine.view(lane.at()).page, Page::Enrol { error, .. } if error.contains("no place yet")));
    assert!(lane.memory.rows.is_empty(), "without a place nothing is decided");
    lane.see_text(100, text.as_bytes());
    lane.see_text(100, text.as_bytes());
    assert_eq!(lane.said.iter().filter(|effect| matches!(effect, Effect::Enrol(_))).count(), 1);
    let (fingerprint, server) = ("AAAA-BBBB-CCCC-DDDD".to_owned(), code.server);
    lane.give(Input::Place(PlaceNews::Pending { fingerprint, server }));
    assert!(matches!(lane.engine.view(lane.at()).page, Page::Confirm { fingerprint, .. } if fingerprint[3] == "DDDD"));
    lane.give(Input::Place(PlaceNews::Failed { message: "No".to_owned() }));
    lane.see_text(100, text.as_bytes());
    assert_eq!(
        lane.said.iter().filter(|effect| matches!(effect, Effect::Enrol(_))).count(),
        2,
        "after a failure again"
    );
    assert!(!lane.reports().iter().any(|line| line.contains(&text)), "a one-time code is never told");
}

#[test]
fn reach_ends_twenty_seconds_after_the_last_word_and_at_once_when_the_feed_dies() {
    let mut lane = Lane::new(&[1, 2, 3]);
    let flagged = |lane: &mut Lane, ticket| {
        lane.see(0, &short(ticket, 2, lane.now_s()));
        lane.said.iter().rev().find_map(|effect| match effect {
            Effect::Show { verdict, .. } => Some(verdict.recorded().decision().flagged),
            _ => None,
        })
    };
    lane.give(Input::Sync(SyncNews::Heard));
    assert_eq!(flagged(&mut lane, 1), Some(false));
    lane.steady_ms += REACH_MS;
    lane.give(Input::Tick);
    assert_eq!(flagged(&mut lane, 2), Some(true));
    lane.give(Input::Sync(SyncNews::Heard));
    lane.give(Input::Sync(SyncNews::Silent));
    assert_eq!(flagged(&mut lane, 3), Some(true));
    let states: Vec<_> = lane.reports().into_iter().filter(|line| line.contains("reach")).collect();
    let state = |name: &str| format!("{{\"event\":\"reach\",\"state\":\"{name}\"}}");
    assert_eq!(states, [state("alone"), state("server"), state("alone"), state("server"), state("alone")]);
}

#[test]
fn a_used_ticket_says_when_and_where() {
    let mut lane = Lane::new(&[1]);
    lane.see(100, &short(1, 2, NOW_S));
    lane.see(9_000, &short(1, 2, lane.now_s()));
    let Some(Effect::Show { verdict, .. }) =
        lane.said.iter().rev().find(|effect| matches!(effect, Effect::Show { .. }))
    else {
        panic!("nothing was shown")
    };
    assert_eq!(verdict.details(), ["Admitted 17:30:01 at Lane 1"]);
    let line = Report::Verdict { verdict: verdict.clone(), latency_us: Some(1) }.to_json();
    assert_eq!((&line["detail"]["lane"], &line["detail"]["at"]), (&"Lane 1".into(), &"17:30:01".into()));
    assert_eq!((&line["class"], &line["class_name"]), (&CLASS.0.into(), &"Standing".into()));
}

#[test]
fn verdicts_leave_by_themselves_or_by_a_tap() {
    let mut lane = Lane::new(&[1]);
    lane.see(100, &short(1, 2, NOW_S));
    assert!(matches!(lane.engine.view(lane.at()).page, Page::Verdict(_)));
    lane.steady_ms += ADMIT_STAYS_MS;
    lane.give(Input::Tick);
    assert_eq!(lane.engine.view(lane.at()).page, Page::Ready);
    lane.see_text(100, b"menu");
    lane.give(Input::Dismiss);
    let view = lane.engine.view(lane.at());
    assert_eq!((view.page, view.tally_text.as_str()), (Page::Ready, "Admitted here: 1"));
    assert_eq!((view.waiting_text.as_str(), view.sequence), ("2 scans waiting for receipt", 2));
}

#[test]
fn troubles_are_told_once_and_their_end_once() {
    let mut lane = Lane::new(&[]);
    for _ in 0..3 {
        let message = "The server cannot be reached".to_owned();
        lane.give(Input::Sync(SyncNews::Trouble { kind: Trouble::Server, message }));
    }
    assert_eq!(lane.engine.view(lane.at()).notices.len(), 1);
    lane.give(Input::Sync(SyncNews::Mended(Trouble::Server)));
    lane.give(Input::Sync(SyncNews::Mended(Trouble::Server)));
    let told: Vec<_> = lane.reports().into_iter().filter(|line| line.contains("reached")).collect();
    assert_eq!(told.len(), 2, "{told:?}");
}

#[test]
fn what_a_supervisor_decided_is_on_the_screen_for_as_long_as_it_holds() {
    let mut lane = Lane::new(&[]);
    let begun_ms = lane.at().now_ms;
    let minutes = |n: i64| begun_ms + n * 60_000;
    let temporary = |until_ms: i64, change: Change| Temporary { from_ms: minutes(0), until_ms, change };
    let message = |id: u64, lanes: &[u32], text: &str| LaneMessage {
        id,
        lanes: lanes.to_vec(),
        text: text.to_owned(),
        until_ms: minutes(10),
    };
    let mut decided = Organiser::default().policy(2);
    decided.temporary = vec![
        temporary(minutes(20), Change::LaneClasses { lane: 1, classes: vec![CLASS.0] }),
        temporary(minutes(40), Change::LaneDirection { lane: 1, direction: Direction::Out }),
        temporary(minutes(5), Change::LaneClosed { lane: 1, closed: true }),
        temporary(minutes(90), Change::LaneClosed { lane: 2, closed: true }),
    ];
    decided.messages = vec![message(1, &[2], "For lane 2"), message(2, &[], "Rain: let them in faster")];
    let usual = place();
    lane.give(Input::Place(PlaceNews::Confirmed(Box::new(Place { policy: Some(decided), ..usual.clone() }))));
    let shown = |lane: &Lane| {
        let notices = lane.engine.view(lane.at()).notices;
        notices.into_iter().map(|notice| format!("{}: {}", notice.title, notice.text)).collect::<Vec<_>>()
    };
    let until = |n: i64| times::clock(minutes(n), &usual.naming.zone);
    let message = "From the supervisor: Rain: let them in faster".to_owned();
    assert_eq!(shown(&lane), [message.clone(), format!("Lane closed: No guest passes here until {}", until(5))]);
    lane.see_text(6 * 60_000, b"menu");
    let class = &usual.naming.classes[0].name;
    let way = format!("Other way: Guests leave here until {}", until(40));
    assert_eq!(shown(&lane), [message, way, format!("Other classes: Only {class} pass here until {}", until(20))]);
    lane.see_text(60 * 60_000, b"menu");
    assert_eq!(shown(&lane), [""; 0], "lane 2 is still closed, which is no business of this one");
}

#[test]
fn a_recording_is_shown_for_as_long_as_it_goes_on_and_told_once() {
    let mut lane = Lane::new(&[]);
    for _ in 0..3 {
        lane.give(Input::Recording(Some(200)));
    }
    let view = lane.engine.view(lane.at());
    assert!(matches!(&view.notices[..], [notice] if notice.title == "Recording" && notice.text.contains("200")));
    lane.give(Input::Recording(None));
    lane.give(Input::Recording(None));
    assert!(lane.engine.view(lane.at()).notices.is_empty());
    let told: Vec<_> = lane.reports().into_iter().filter(|line| line.contains("recorder")).collect();
    assert_eq!(
        told,
        [r#"{"event":"recorder","frames_max":200,"state":"on"}"#, r#"{"event":"recorder","state":"off"}"#]
    );
}

proptest! {
    /// Whatever is seen, in whatever order: no ticket is admitted twice, nothing is shown that was not recorded, each row
    /// is shown once.
    #[test]
    fn nothing_green_without_its_row(sights in proptest::collection::vec((1u64..4, 0i64..7_000, 0u8..4), 1..60)) {
        let mut lane = Lane::new(&[1, 2]);
        for (ticket, after_ms, kind) in sights {
            lane.steady_ms += after_ms;
            let now_s = lane.now_s();
            let text = match kind {
                0 => short(ticket, 2, now_s).to_text(),
                1 => full(&lane.organiser, ticket, 2, now_s).to_text(),
                2 => short(ticket, 2, now_s - 600).to_text(),
                _ => format!("T1S{ticket}"),
            };
            lane.give(Input::Seen(vec![text.into_bytes()]));
            lane.give(Input::Tick);
        }
        let shown: Vec<_> = lane.said.iter().filter_map(|effect| match effect {
            Effect::Show { verdict, .. } => Some(verdict.recorded().clone()),
            _ => None,
        }).collect();
        prop_assert_eq!(shown.len(), lane.memory.rows.len());
        for (at, recorded) in shown.iter().enumerate() {
            prop_assert_eq!(recorded.seq(), at as u64 + 1);
        }
        for ticket in 1..4 {
            let of = |recorded: &&Recorded| recorded.decision().ticket == Some(TicketId(ticket))
                && recorded.decision().outcome == Outcome::Admit;
            prop_assert!(shown.iter().filter(of).count() <= 1);
        }
    }
}

#[test]
fn the_reasons_of_the_parser_reach_the_screen() {
    for (text, reason) in [("T1Sxyz", "damaged"), ("hello", "not_a_ticket"), ("T1E", "not_a_ticket")] {
        let mut lane = Lane::new(&[]);
        lane.see_text(100, text.as_bytes());
        let expected: &[&str] = if text == "T1E" { &[] } else { &[reason] };
        assert_eq!(lane.verdicts(), expected, "{text}");
    }
    let _ = ParseError::Foreign;
}

/// The strict rule: the owner is asked while the guest stands there, and nothing else is looked at meanwhile.
#[test]
fn a_strict_ticket_waits_for_its_owners_word_and_not_for_ever() {
    let mut lane = Lane::new(&[1, 2]);
    lane.strict = true;
    lane.give(Input::Sync(SyncNews::Heard));
    let asked = |lane: &Lane| lane.said.iter().filter(|effect| matches!(effect, Effect::Ask { .. })).count();
    let reasons = |lane: &Lane| -> Vec<&'static str> {
        let verdicts = lane.said.iter().filter_map(|effect| match effect {
            Effect::Show { verdict, .. } => Some(verdict.reason_code()),
            _ => None,
        });
        verdicts.collect()
    };
    let code = short(1, 2, lane.now_s());
    lane.see(10, &code);
    assert_eq!((asked(&lane), reasons(&lane).len()), (1, 0));
    lane.see(10, &short(2, 2, lane.now_s()));
    assert_eq!(asked(&lane), 1, "one guest at a time");
    let grant = gate_core::Grant {
        event: EVENT,
        ticket: TicketId(1),
        device: DEVICE,
        chain: 1,
        seq: 1,
        guests: 1,
        epoch: 0,
        until_ms: i64::MAX,
    };
    let granted = |question| Input::Granted { question, grant: Some(Box::new(SignedGrant { grant, bytes: vec![1] })) };
    lane.give(granted(1));
    assert_eq!(reasons(&lane), ["admitted"]);
    lane.see(10, &short(2, 2, lane.now_s()));
    lane.steady_ms += ASK_MS;
    lane.give(Input::Tick);
    assert_eq!(reasons(&lane), ["admitted", "no_grant"], "the answer did not come");
    lane.give(granted(2));
    assert_eq!(reasons(&lane).len(), 2, "a word that comes too late is for nobody");
    // Nor is the answer to a question that was given up the next guest's.
    lane.steady_ms += 5_000;
    lane.give(Input::Sync(SyncNews::Heard));
    lane.see(10, &short(2, 2, lane.now_s()));
    lane.give(Input::Granted { question: 2, grant: None });
    assert_eq!((asked(&lane), reasons(&lane).len()), (3, 2), "the third question is still open");
    lane.give(Input::Granted { question: 3, grant: None });
    assert_eq!(reasons(&lane)[2], "no_grant");
    lane.give(Input::Sync(SyncNews::Silent));
    lane.steady_ms += 20_000;
    lane.see(10, &short(2, 2, lane.now_s()));
    assert_eq!((asked(&lane), reasons(&lane)[3]), (3, "no_grant"), "nobody to ask");
}
