//! The rules by table, and against a naive model that collects every objection and takes the first by rank.

use proptest::prelude::*;
use ticket_signer::{TicketStatus, VerifyContext, verify};

use super::*;
use crate::fixture::{CLASS, EVENT, NOW_S, TICKET, class, full, listed, policy, printed, serial, short, trust};
use crate::ownership::{Owner, Ownership};
use ticket_signer::UntrustedCode;

const LANE: LaneId = LaneId(1);

fn now() -> ClockReading {
    ClockReading { now_ms: NOW_S * 1000, uncertainty_ms: 10, in_doubt: false, offset_ms: 0 }
}

fn gate() -> GateView {
    GateView {
        list_version: Some(5),
        list_expires_at_s: NOW_S + 600,
        lease_until_ms: (NOW_S + 600) * 1000,
        cursor: 0,
        classes: vec![class(1)],
    }
}

fn passage(seq: u64) -> Passage {
    Passage {
        at_ms: NOW_S * 1000 - 60_000 + 10 * seq as i64,
        uncertainty_ms: 1,
        device: DeviceId(1),
        lane: LaneId(2),
        epoch: 1,
        seq,
        direction: Direction::In,
        guests: 1,
    }
}

fn exit(seq: u64) -> Passage {
    Passage { direction: Direction::Out, ..passage(seq) }
}

const DEVICE: DeviceId = DeviceId(4);

fn asked(policy: Option<&Policy>, reach: Reach) -> Asked<'_> {
    Asked { device: DEVICE, lane: LANE, policy, reach, head: ChainHead::start(1), grant: None, guests: 1 }
}

/// Verifies against the view's own entry, then decides: what the handheld does when nothing changes in between.
fn scan(
    code: &UntrustedCode,
    view: &TicketView,
    gate: &GateView,
    policy: &Policy,
    reach: Reach,
    now: &ClockReading,
) -> Decision {
    let trust = trust();
    let context = VerifyContext {
        event: EVENT,
        trust: &trust,
        entry: view.entry.as_ref(),
        now_s: now.now_s(),
        freshness_steps: policy.freshness_steps,
    };
    decide(verify(code, &context).as_ref(), view, gate, &asked(Some(policy), reach), now)
}

fn simple(code: &UntrustedCode, view: &TicketView) -> (Outcome, Reason) {
    let decision = scan(code, view, &gate(), &policy(), Reach::Server, &now());
    (decision.outcome, decision.reason)
}

fn view(listed: Option<ticket_signer::ListedTicket>) -> TicketView {
    TicketView { entry: listed, ..TicketView::default() }
}

#[test]
fn a_bound_listed_fresh_ticket_is_admitted() {
    let decision = scan(
        &short(serial(2), 1, NOW_S),
        &view(Some(listed(serial(2), Some(1)))),
        &gate(),
        &policy(),
        Reach::Alone,
        &now(),
    );
    assert_eq!((decision.outcome, decision.reason), (Outcome::Admit, Reason::Admitted));
    assert!(decision.flagged, "cut off under the open rule");
    assert!(!decision.unlisted);
    assert_eq!(decision.raise_floor, None, "a short code vouches for no serial");
}

#[test]
fn an_unlisted_full_code_is_admitted_marked_and_raises_the_floor() {
    let decision = scan(&full(serial(2), 1, NOW_S), &view(None), &gate(), &policy(), Reach::Server, &now());
    assert_eq!(decision.outcome, Outcome::Admit);
    assert!(decision.unlisted && !decision.flagged);
    assert_eq!(decision.raise_floor, Some(serial(2)));
}

#[test]
fn a_raised_floor_retires_lower_serials_even_when_listed() {
    let seen = TicketView { floor: Some(serial(3)), ..view(Some(listed(serial(2), Some(1)))) };
    assert_eq!(simple(&short(serial(2), 1, NOW_S), &seen), (Outcome::Refuse, Reason::Retired));
    assert_eq!(
        simple(&printed(serial(1)), &TicketView { floor: Some(serial(2)), ..view(None) }),
        (Outcome::Refuse, Reason::Retired)
    );
}

#[test]
fn revocation_covers_serials_up_to_its_own_and_not_a_re_issue() {
    let revoked = TicketView { revoked_to: Some(serial(2)), ..view(None) };
    assert_eq!(simple(&full(serial(2), 1, NOW_S), &revoked), (Outcome::Refuse, Reason::Revoked));
    assert_eq!(simple(&full(serial(3), 1, NOW_S), &revoked).0, Outcome::Admit);
}

#[test]
fn the_same_serial_with_another_key_is_refused() {
    let other = view(Some(listed(serial(2), Some(9))));
    assert_eq!(simple(&full(serial(2), 1, NOW_S), &other), (Outcome::Refuse, Reason::KeyMismatch));
}

/// A code that was verified against one entry and meets another in the transaction is never admitted.
#[test]
fn a_list_that_changes_during_the_scan_asks_for_another_scan() {
    let trust = trust();
    let before = listed(serial(2), Some(1));
    let context = VerifyContext { event: EVENT, trust: &trust, entry: Some(&before), now_s: NOW_S, freshness_steps: 2 };
    let verified = verify(&short(serial(2), 1, NOW_S), &context).unwrap();
    let mut revoked = listed(serial(2), Some(1));
    revoked.status = TicketStatus::Revoked;
    let cases = [
        (None, Reason::ListChanged),
        (Some(listed(serial(2), Some(9))), Reason::ListChanged),
        (Some(listed(serial(1), None)), Reason::ListChanged),
        (Some(listed(serial(3), Some(9))), Reason::Retired),
        (Some(revoked), Reason::Revoked),
    ];
    for (entry, reason) in cases {
        let policy = policy();
        let asked = asked(Some(&policy), Reach::Server);
        let decision = decide(Ok(&verified), &view(entry.clone()), &gate(), &asked, &now());
        assert_eq!((decision.outcome, decision.reason), (Outcome::Refuse, reason), "{entry:?}");
    }
}

#[test]
fn a_used_ticket_says_when_and_where() {
    let used = TicketView { passages: vec![passage(1)], ..view(Some(listed(serial(2), Some(1)))) };
    let decision = scan(&short(serial(2), 1, NOW_S), &used, &gate(), &policy(), Reach::Server, &now());
    assert_eq!(decision.reason, Reason::Used);
    assert_eq!(decision.detail, Some(Detail::UsedAt { at_ms: passage(1).at_ms, lane: LaneId(2) }));
}

#[test]
fn a_multiple_ticket_counts_its_admissions() {
    let gate = GateView { classes: vec![class(3)], ..gate() };
    let twice = TicketView { passages: vec![passage(1), passage(2)], ..view(Some(listed(serial(2), Some(1)))) };
    let decision = scan(&short(serial(2), 1, NOW_S), &twice, &gate, &policy(), Reach::Server, &now());
    assert_eq!((decision.outcome, decision.detail), (Outcome::Admit, Some(Detail::Count { nth: 3, of: 3 })));
}

/// A lane for the way out, and what it makes of a ticket with these passages.
fn on_the_way_out(passages: Vec<Passage>) -> Decision {
    let mut policy = policy();
    policy.lanes[0].direction = Direction::Out;
    let entry = TicketView { passages, ..view(Some(listed(serial(2), Some(1)))) };
    scan(&short(serial(2), 1, NOW_S), &entry, &gate(), &policy, Reach::Alone, &now())
}

#[test]
fn an_exit_gives_one_back_where_an_entry_is_known() {
    let out = on_the_way_out(vec![passage(1)]);
    assert_eq!((out.outcome, out.reason, out.direction), (Outcome::Admit, Reason::Exited, Direction::Out));
    assert_eq!(on_the_way_out(vec![]).reason, Reason::NotInside);
    assert_eq!(on_the_way_out(vec![passage(1), exit(2)]).reason, Reason::NotInside, "once");
    let back = TicketView { passages: vec![passage(1), exit(2)], ..view(Some(listed(serial(2), Some(1)))) };
    assert_eq!(simple(&short(serial(2), 1, NOW_S), &back), (Outcome::Admit, Reason::Admitted));
    let again = TicketView { passages: vec![passage(1), exit(2), passage(3)], ..back };
    assert_eq!(simple(&short(serial(2), 1, NOW_S), &again), (Outcome::Refuse, Reason::Used));
}

#[test]
fn a_group_comes_in_together_and_no_more_than_it_has() {
    let gate = GateView { classes: vec![class(6)], ..gate() };
    let policy = policy();
    let more = |inside: u64, guests: u8| {
        let view =
            TicketView { passages: (0..inside).map(passage).collect(), ..view(Some(listed(serial(2), Some(1)))) };
        let asked = Asked { guests, ..asked(Some(&policy), Reach::Server) };
        let decision = decide_more((TICKET, serial(2), CLASS), &view, &gate, &asked, &now());
        (decision.outcome, decision.reason, decision.detail)
    };
    assert_eq!(more(1, 5), (Outcome::Admit, Reason::Admitted, Some(Detail::Count { nth: 6, of: 6 })));
    assert_eq!(more(2, 5), (Outcome::Refuse, Reason::TooManyGuests, Some(Detail::Left { guests: 4 })));
    assert_eq!(more(6, 1).1, Reason::Used);
}

#[test]
fn a_closed_lane_and_a_wrong_one_name_another() {
    let mut policy = policy();
    policy.lanes[1].classes = vec![];
    policy.lanes[0].closed = true;
    let entry = view(Some(listed(serial(2), Some(1))));
    let decision = scan(&short(serial(2), 1, NOW_S), &entry, &gate(), &policy, Reach::Server, &now());
    let other = Some(Detail::GoTo { lane: LaneId(2) });
    assert_eq!((decision.reason, decision.detail), (Reason::LaneClosed, other));
    policy.lanes[1].closed = true;
    let decision = scan(&short(serial(2), 1, NOW_S), &entry, &gate(), &policy, Reach::Server, &now());
    assert_eq!((decision.reason, decision.detail), (Reason::LaneClosed, None), "and never one that is closed");
}

/// Under the strict rule a ticket of a server's group needs a grant for this ticket, this row and this moment.
#[test]
fn a_grant_is_good_for_one_row_of_one_device() {
    let mut strict = policy();
    strict.partition = Partition::Strict;
    let good = Grant {
        event: EVENT,
        ticket: TICKET,
        device: DEVICE,
        chain: 1,
        seq: 1,
        guests: 1,
        epoch: 0,
        until_ms: NOW_S * 1000 + 11,
    };
    let wrong = [
        Grant { ticket: TicketId(1), ..good },
        Grant { device: DeviceId(9), ..good },
        Grant { chain: 2, ..good },
        Grant { seq: 2, ..good },
        Grant { guests: 0, ..good },
        Grant { epoch: 1, ..good },
        // By its own clock's worst, the moment is over.
        Grant { until_ms: NOW_S * 1000 + 10, ..good },
    ];
    let trust = trust();
    let entry = view(Some(listed(serial(2), Some(1))));
    let context =
        VerifyContext { event: EVENT, trust: &trust, entry: entry.entry.as_ref(), now_s: NOW_S, freshness_steps: 2 };
    let verified = verify(&short(serial(2), 1, NOW_S), &context);
    let with = |grant: Option<&Grant>| {
        let asked = Asked { grant, ..asked(Some(&strict), Reach::Server) };
        let decision = decide(verified.as_ref(), &entry, &gate(), &asked, &now());
        (decision.outcome, decision.reason)
    };
    assert_eq!(with(Some(&good)), (Outcome::Admit, Reason::Admitted));
    assert_eq!(with(None), (Outcome::Review, Reason::NoGrant));
    for grant in wrong {
        assert_eq!(with(Some(&grant)), (Outcome::Review, Reason::NoGrant), "{grant:?}");
    }
    assert!(must_ask(TICKET, CLASS, DEVICE, &strict, &now()));
    assert!(!must_ask(TICKET, CLASS, DEVICE, &policy(), &now()));
}

#[test]
fn a_lane_that_owns_the_group_needs_nobody_and_another_sends_the_guest_there() {
    let mut strict = policy();
    strict.partition = Partition::Strict;
    strict.owners = (0..2)
        .map(|group| Ownership {
            owner: Owner::Lane { device: DEVICE.0, lane: 1 },
            until_ms: NOW_S * 1000 + 60_000,
            ..Ownership::of_the_cloud(group)
        })
        .collect();
    let entry = view(Some(listed(serial(2), Some(1))));
    let code = short(serial(2), 1, NOW_S);
    assert_eq!(scan(&code, &entry, &gate(), &strict, Reach::Alone, &now()).outcome, Outcome::Admit);
    for owner in &mut strict.owners {
        owner.owner = Owner::Lane { device: 77, lane: 2 };
    }
    let decision = scan(&code, &entry, &gate(), &strict, Reach::Server, &now());
    let there = Some(Detail::GoTo { lane: LaneId(2) });
    assert_eq!((decision.outcome, decision.reason, decision.detail), (Outcome::Review, Reason::OwnedElsewhere, there));
}

#[test]
fn a_gate_in_doubt_of_its_clock_accuses_nobody() {
    let doubt = ClockReading { in_doubt: true, ..now() };
    let entry = view(Some(listed(serial(2), Some(1))));
    for code in [short(serial(2), 1, NOW_S - 900), short(serial(2), 1, NOW_S)] {
        let decision = scan(&code, &entry, &gate(), &policy(), Reach::Server, &doubt);
        assert_eq!((decision.outcome, decision.reason), (Outcome::Review, Reason::ClockInDoubt));
    }
}

#[test]
fn without_lease_policy_or_list_nobody_is_admitted() {
    let code = short(serial(2), 1, NOW_S);
    let entry = view(Some(listed(serial(2), Some(1))));
    let expired = GateView { lease_until_ms: NOW_S * 1000, ..gate() };
    assert_eq!(scan(&code, &entry, &expired, &policy(), Reach::Server, &now()).reason, Reason::LeaseExpired);
    let bare = GateView { list_version: None, ..gate() };
    assert_eq!(scan(&code, &entry, &bare, &policy(), Reach::Server, &now()).reason, Reason::NotReady);
    let trust = trust();
    let context =
        VerifyContext { event: EVENT, trust: &trust, entry: entry.entry.as_ref(), now_s: NOW_S, freshness_steps: 2 };
    let decision = decide(verify(&code, &context).as_ref(), &entry, &gate(), &asked(None, Reach::Server), &now());
    assert_eq!((decision.outcome, decision.reason), (Outcome::Refuse, Reason::NotReady));
}

/// One situation at a gate, without any cryptography.
#[derive(Debug, Clone)]
struct Case {
    kind: CodeKind,
    shown: u8,
    key: u8,
    listed: Option<(u8, Option<u8>, bool)>,
    floor: Option<u8>,
    revoked_to: Option<u8>,
    steps_off: i64,
    admitted: usize,
    allowed: u8,
    lane_admits: bool,
    early: bool,
    late: bool,
    printed_accepted: bool,
    unlisted_printed: UnlistedPrinted,
    partition: Partition,
    home: bool,
    online: bool,
    in_doubt: bool,
    list_expired: bool,
    lease_expired: bool,
}

fn cases() -> impl Strategy<Value = Case> {
    let code = (
        prop_oneof![Just(CodeKind::Short), Just(CodeKind::Full), Just(CodeKind::Printed)],
        1u8..4,
        0u8..2,
        prop::option::of((1u8..4, prop::option::of(0u8..2), prop::bool::weighted(0.2))),
        prop::option::weighted(0.3, 1u8..4),
        prop::option::weighted(0.2, 1u8..4),
        prop_oneof![4 => Just(0i64), 1 => -4i64..5],
    );
    let rules = (
        0usize..3,
        1u8..3,
        prop::bool::weighted(0.85),
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.7),
        prop_oneof![Just(UnlistedPrinted::Refuse), Just(UnlistedPrinted::Review), Just(UnlistedPrinted::Admit)],
        prop_oneof![2 => Just(Partition::Open), 2 => Just(Partition::Bounded), 1 => Just(Partition::Strict)],
    );
    let gate = (
        any::<bool>(),
        any::<bool>(),
        prop::bool::weighted(0.15),
        prop::bool::weighted(0.15),
        prop::bool::weighted(0.1),
    );
    (code, rules, gate).prop_map(|(code, rules, gate)| Case {
        kind: code.0,
        shown: code.1,
        key: code.2,
        listed: code.3,
        floor: code.4,
        revoked_to: code.5,
        steps_off: code.6,
        admitted: rules.0,
        allowed: rules.1,
        lane_admits: rules.2,
        early: rules.3,
        late: rules.4,
        printed_accepted: rules.5,
        unlisted_printed: rules.6,
        partition: rules.7,
        home: gate.0,
        online: gate.1,
        in_doubt: gate.2,
        list_expired: gate.3,
        lease_expired: gate.4,
    })
}

/// The naive model: every objection that could be raised, and the one that ranks first. Ranks are the order of DESIGN's
/// decision list; the code under test is nested early returns, so a slip in one is not a slip in the other.
fn expected(case: &Case) -> Reason {
    let printed = case.kind == CodeKind::Printed;
    let short = case.kind == CodeKind::Short;
    let entry = case.listed;
    let entry_serial = entry.map(|(serial, _, _)| serial);
    let signed = !printed;
    let mut objections: Vec<(u32, Reason)> = Vec::new();
    let mut object = |rank: u32, holds: bool, reason: Reason| {
        if holds {
            objections.push((rank, reason));
        }
    };
    object(0, case.lease_expired, Reason::LeaseExpired);
    // A short code against the list.
    object(10, short && entry.is_none(), Reason::Unknown);
    object(11, short && entry_serial.is_some_and(|listed| case.shown < listed), Reason::Retired);
    object(11, short && entry_serial.is_some_and(|listed| case.shown > listed), Reason::NewerThanList);
    object(12, short && entry.is_some_and(|(_, key, _)| key.is_none()), Reason::NotBound);
    object(13, short && entry.is_some_and(|(_, key, _)| key != Some(case.key)), Reason::BadSignature);
    let stale = signed && case.steps_off.abs() > 2;
    object(14, stale && case.in_doubt, Reason::ClockInDoubt);
    object(15, stale && case.steps_off < 0, Reason::Stale);
    object(15, stale && case.steps_off > 0, Reason::Early);
    // The ticket's standing.
    object(20, case.revoked_to.is_some_and(|to| case.shown <= to), Reason::Revoked);
    object(21, case.floor.is_some_and(|floor| case.shown < floor), Reason::Retired);
    object(22, entry_serial.is_some_and(|listed| case.shown < listed), Reason::Retired);
    let same = entry.filter(|(serial, _, _)| *serial == case.shown);
    object(23, same.is_some_and(|(_, _, revoked)| revoked), Reason::Revoked);
    let shown_key = (!printed).then_some(case.key);
    object(24, same.is_some_and(|(_, key, _)| key != shown_key), Reason::KeyMismatch);
    // Class, lane, time, paper.
    object(30, !case.lane_admits, Reason::WrongLane);
    object(31, case.early, Reason::NotYetValid);
    object(32, case.late, Reason::NoLongerValid);
    object(33, printed && !case.printed_accepted, Reason::PrintedNotAccepted);
    let asks = case.unlisted_printed != UnlistedPrinted::Admit;
    object(34, printed && entry_serial != Some(case.shown) && asks, Reason::PrintedUnlisted);
    // Admissions, partition, and what the gate itself does not know.
    object(40, case.admitted >= usize::from(case.allowed), Reason::Used);
    object(50, case.partition == Partition::Strict, Reason::NoGrant);
    object(50, case.partition == Partition::Bounded && !case.online && !case.home, Reason::OtherGroup);
    object(60, case.in_doubt, Reason::ClockInDoubt);
    object(61, case.list_expired, Reason::ListExpired);
    objections.into_iter().min_by_key(|(rank, _)| *rank).map_or(Reason::Admitted, |(_, reason)| reason)
}

fn run(case: &Case) -> Decision {
    let code = match case.kind {
        CodeKind::Short => short(serial(case.shown), case.key, NOW_S + 15 * case.steps_off),
        CodeKind::Full => full(serial(case.shown), case.key, NOW_S + 15 * case.steps_off),
        CodeKind::Printed => printed(serial(case.shown)),
    };
    let entry = case.listed.map(|(at, key, revoked)| {
        let mut entry = listed(serial(at), key);
        entry.status = if revoked { TicketStatus::Revoked } else { TicketStatus::Active };
        entry
    });
    let view = TicketView {
        entry,
        floor: case.floor.map(serial),
        revoked_to: case.revoked_to.map(serial),
        passages: (0..case.admitted as u64).map(passage).collect(),
    };
    let mut policy = policy();
    policy.partition = case.partition;
    policy.unlisted_printed = case.unlisted_printed;
    policy.printed_classes = if case.printed_accepted { vec![CLASS.0] } else { vec![] };
    let home = policy.home_group(CLASS, TICKET);
    policy.lanes[0].group = if case.home { home } else { 1 - home };
    policy.lanes[0].classes = if case.lane_admits { vec![] } else { vec![9] };
    let mut entry_class = class(case.allowed);
    if case.early {
        entry_class.valid_from_s = (NOW_S + 60) as u32;
    }
    if case.late {
        entry_class.valid_until_s = NOW_S as u32;
    }
    let gate = GateView {
        classes: vec![entry_class],
        list_expires_at_s: if case.list_expired { NOW_S } else { NOW_S + 1 },
        lease_until_ms: if case.lease_expired { NOW_S * 1000 } else { NOW_S * 1000 + 1 },
        ..gate()
    };
    let now = ClockReading { in_doubt: case.in_doubt, ..now() };
    let reach = if case.online { Reach::Server } else { Reach::Alone };
    scan(&code, &view, &gate, &policy, reach, &now)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn decisions_are_the_naive_models(case in cases()) {
        let decision = run(&case);
        prop_assert_eq!(decision.reason, expected(&case));
        let outcome = match decision.reason {
            Reason::Admitted => Outcome::Admit,
            Reason::OtherGroup | Reason::NoGrant | Reason::ClockInDoubt | Reason::ListExpired => Outcome::Review,
            Reason::PrintedUnlisted if case.unlisted_printed == UnlistedPrinted::Review => Outcome::Review,
            _ => Outcome::Refuse,
        };
        prop_assert_eq!(decision.outcome, outcome);
        // A floor rises only by a verified credential, and only upwards.
        if let Some(raised) = decision.raise_floor {
            prop_assert!(case.kind != CodeKind::Short);
            let known = case.floor.max(case.listed.map(|(at, _, _)| at));
            prop_assert!(known.is_none_or(|known| raised.get() > known));
        }
    }
}
