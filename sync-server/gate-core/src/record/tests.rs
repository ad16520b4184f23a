//! Nothing is recorded that was not committed, and what was committed comes back.

use ticket_signer::{TrustStore, VerifyContext, verify};

use super::*;
use crate::fixture::{EVENT, NOW_S, class, full, listed, policy, serial, short, trust};

#[derive(Debug, Clone, Default)]
struct Disk {
    rows: Vec<NewRow>,
    fail_append: bool,
    fail_commit: bool,
    commits: usize,
    allowed: u8,
    no_lease: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct DiskFull;

struct Tx<'a> {
    disk: &'a mut Disk,
    pending: Vec<NewRow>,
}

impl JournalTx for Tx<'_> {
    type Error = DiskFull;

    fn ticket(&mut self, ticket: TicketId) -> Result<TicketView, DiskFull> {
        let mine = |row: &&NewRow| row.body.ticket == Some(ticket);
        Ok(TicketView {
            entry: Some(listed(serial(2), Some(1))),
            floor: self.disk.rows.iter().filter(mine).filter_map(|row| row.raise_floor.map(|(_, at)| at)).max(),
            revoked_to: None,
            passages: self
                .disk
                .rows
                .iter()
                .filter_map(|row| row.passage)
                .filter(|(of, _)| *of == ticket)
                .map(|(_, passage)| passage)
                .collect(),
        })
    }

    fn gate(&mut self) -> Result<GateView, DiskFull> {
        Ok(GateView {
            list_version: Some(3),
            list_expires_at_s: i64::MAX,
            lease_until_ms: if self.disk.no_lease { 0 } else { i64::MAX },
            cursor: 0,
            classes: vec![class(self.disk.allowed.max(1))],
        })
    }

    fn head(&mut self) -> Result<ChainHead, DiskFull> {
        let start = ChainHead::start(42);
        Ok(self.disk.rows.last().map_or(start, |row| ChainHead { epoch: 42, seq: row.body.seq, hash: row.hash }))
    }

    fn row(&mut self, seq: u64) -> Result<Option<SignedRow>, DiskFull> {
        Ok(self.disk.rows.iter().find(|row| row.body.seq == seq).map(|row| row.row.clone()))
    }

    fn append(&mut self, row: &NewRow) -> Result<(), DiskFull> {
        if self.disk.fail_append {
            return Err(DiskFull);
        }
        self.pending.push(row.clone());
        Ok(())
    }

    fn commit(self) -> Result<(), DiskFull> {
        if self.disk.fail_commit {
            return Err(DiskFull);
        }
        self.disk.rows.extend(self.pending);
        self.disk.commits += 1;
        Ok(())
    }
}

fn scan(trust: &TrustStore, code: &ticket_signer::UntrustedCode) -> Scan {
    let entry = listed(serial(2), Some(1));
    let context = VerifyContext { event: EVENT, trust, entry: Some(&entry), now_s: NOW_S, freshness_steps: 2 };
    Scan { text: code.to_text().into_bytes(), verified: verify(code, &context) }
}

/// The station of these tests, which `with` may use.
fn at_lane<T>(with: impl FnOnce(&Station<'_>) -> T) -> T {
    let key = SecretKey::from_bytes(&[9; 32]);
    let policy = policy();
    with(&Station {
        device: DeviceId(4),
        key: &key,
        event: EVENT,
        lane: LaneId(1),
        policy: Some(&policy),
        reach: Reach::Alone,
        now: ClockReading { now_ms: NOW_S * 1000, uncertainty_ms: 1, in_doubt: false, offset_ms: 0 },
    })
}

fn run(disk: &mut Disk, scan: &Scan) -> Result<Recorded, DiskFull> {
    at_lane(|station| record(Tx { disk, pending: Vec::new() }, scan, None, station))
}

fn act(disk: &mut Disk, act: &StaffAct) -> Option<Recorded> {
    at_lane(|station| record_act(Tx { disk, pending: Vec::new() }, act, None, station)).unwrap()
}

#[test]
fn a_verdict_exists_only_after_its_commit() {
    let trust = trust();
    let code = scan(&trust, &short(serial(2), 1, NOW_S));
    for (fail_append, fail_commit) in [(true, false), (false, true)] {
        let mut disk = Disk { fail_append, fail_commit, ..Disk::default() };
        assert_eq!(run(&mut disk, &code), Err(DiskFull));
        assert!(disk.rows.is_empty());
    }
    let mut disk = Disk::default();
    let recorded = run(&mut disk, &code).unwrap();
    assert_eq!(recorded.decision().outcome, Outcome::Admit);
    assert_eq!((disk.commits, disk.rows.len(), recorded.seq()), (1, 1, 1));
}

#[test]
fn the_second_scan_of_a_ticket_is_used_and_both_are_chained_and_signed() {
    let trust = trust();
    let code = scan(&trust, &short(serial(2), 1, NOW_S));
    let mut disk = Disk::default();
    run(&mut disk, &code).unwrap();
    let second = run(&mut disk, &code).unwrap();
    assert_eq!(second.decision().reason, Reason::Used);
    let key = SecretKey::from_bytes(&[9; 32]).public();
    let rows: Vec<RowBody> = disk.rows.iter().map(|row| row.row.open(&key).unwrap()).collect();
    assert_eq!((rows[0].seq, rows[1].seq, rows[1].prev), (1, 2, disk.rows[0].hash));
    assert_eq!(rows[0].code.as_deref().map(str::as_bytes), Some(&code.text[..]), "anyone can check the code again");
}

#[test]
fn what_is_no_ticket_is_kept_as_hash_and_length_only() {
    let text = b"https://restaurant.example/menu".to_vec();
    let verified = Err(Rejection::from(ticket_signer::code::parse("https://restaurant.example/menu").unwrap_err()));
    let mut disk = Disk::default();
    let recorded = run(&mut disk, &Scan { text: text.clone(), verified }).unwrap();
    assert_eq!(recorded.decision().reason, Reason::NotATicket);
    let body = &disk.rows[0].body;
    assert_eq!((&body.code, body.code_length, body.code_hash), (&None, 31, text_hash(&text)));
}

#[test]
fn a_higher_serial_in_a_valid_credential_raises_the_floor_in_the_same_commit() {
    let trust = trust();
    let mut disk = Disk::default();
    run(&mut disk, &scan(&trust, &full(serial(3), 1, NOW_S))).unwrap();
    assert_eq!(disk.rows[0].raise_floor.map(|(_, at)| at), Some(serial(3)));
    let old = run(&mut disk, &scan(&trust, &short(serial(2), 1, NOW_S))).unwrap();
    assert_eq!(old.decision().reason, Reason::Retired);
}

#[test]
fn a_recalled_verdict_is_the_recorded_one_and_marked() {
    let trust = trust();
    let mut disk = Disk::default();
    assert_eq!(recall(&mut Tx { disk: &mut disk, pending: Vec::new() }), Ok(None));
    let code = scan(&trust, &full(serial(2), 1, NOW_S));
    run(&mut disk, &code).unwrap();
    let shown = run(&mut disk, &code).unwrap();
    let recalled = recall(&mut Tx { disk: &mut disk, pending: Vec::new() }).unwrap().unwrap();
    assert!(recalled.is_recalled() && !shown.is_recalled());
    assert_eq!(recalled.decision(), shown.decision());
    assert_eq!((recalled.seq(), recalled.at_ms()), (shown.seq(), shown.at_ms()));
}

#[test]
fn staff_admit_the_rest_of_a_group_in_one_row() {
    let trust = trust();
    let mut disk = Disk { allowed: 4, ..Disk::default() };
    run(&mut disk, &scan(&trust, &short(serial(2), 1, NOW_S))).unwrap();
    let more = act(&mut disk, &StaffAct::More { of: 1, guests: 3 }).unwrap();
    assert_eq!((more.decision().outcome, more.decision().guests), (Outcome::Admit, 3));
    let body = &disk.rows[1].body;
    assert_eq!((body.act(), body.of, body.guests), (Some(Act::More), Some(1), 3));
    assert_eq!(disk.rows[1].passage.map(|(_, passage)| passage.guests), Some(3));
    let beyond = act(&mut disk, &StaffAct::More { of: 1, guests: 1 }).unwrap();
    assert_eq!(beyond.decision().reason, Reason::Used);
    assert_eq!(act(&mut disk, &StaffAct::More { of: 3, guests: 1 }), None, "that row admitted nobody");
    assert_eq!(act(&mut disk, &StaffAct::More { of: 99, guests: 1 }), None, "there is no such row");
    assert_eq!(disk.rows.len(), 3);
}

#[test]
fn an_override_counts_for_a_verified_ticket_and_for_no_claimed_one() {
    let trust = trust();
    let mut disk = Disk::default();
    let code = scan(&trust, &short(serial(2), 1, NOW_S));
    run(&mut disk, &code).unwrap();
    run(&mut disk, &code).unwrap();
    let word = |of| StaffAct::Override { of, guests: 1, staff: 7, note: "Guest of the band, known to us".repeat(9) };
    let over = act(&mut disk, &word(Some(2))).unwrap();
    assert_eq!((over.decision().reason, over.act()), (Reason::Overridden, Act::Override));
    assert!(disk.rows[2].passage.is_some_and(|(ticket, _)| Some(ticket) == disk.rows[0].body.ticket));
    assert_eq!(disk.rows[2].body.staff, Some(7));
    assert!(disk.rows[2].body.note.as_ref().is_some_and(|note| note.len() <= RowBody::MAX_NOTE));
    assert_eq!(act(&mut disk, &word(Some(1))), None, "that guest is in already");
    // A code whose signature does not fit claims a ticket, and no word of anybody makes it that ticket's.
    let forged = scan(&trust, &short(serial(2), 5, NOW_S));
    assert_eq!(run(&mut disk, &forged).unwrap().decision().reason, Reason::BadSignature);
    act(&mut disk, &word(Some(4))).unwrap();
    assert_eq!(disk.rows[4].passage, None);
    // Nor does a guest without any code.
    act(&mut disk, &word(None)).unwrap();
    assert_eq!((disk.rows[5].passage, disk.rows[5].body.outcome()), (None, Some(Outcome::Admit)));
}

#[test]
fn other_acts_are_rows_that_move_nobody() {
    let mut disk = Disk::default();
    let acts = [
        StaffAct::ClockReset { staff: 7, from_ms: 5, to_ms: 6 },
        StaffAct::Unlock { staff: 7, unlocked: false },
        StaffAct::Released { group: 1, epoch: 4 },
    ];
    for one in &acts {
        act(&mut disk, one).unwrap();
    }
    let key = SecretKey::from_bytes(&[9; 32]).public();
    for row in &disk.rows {
        let body = row.row.open(&key).unwrap();
        assert_eq!((body.guests, row.passage), (0, None), "{:?}", body.act());
    }
    assert_eq!(disk.rows[2].body.note.as_deref(), Some("1 4"));
    assert_eq!(recall(&mut Tx { disk: &mut disk, pending: Vec::new() }), Ok(None), "no screen shows it");
}

#[test]
fn without_its_lease_a_handheld_takes_no_supervisors_word() {
    let mut disk = Disk { no_lease: true, ..Disk::default() };
    let word = StaffAct::Override { of: None, guests: 1, staff: 7, note: String::new() };
    let refused = act(&mut disk, &word).unwrap();
    assert_eq!((refused.decision().outcome, refused.decision().reason), (Outcome::Refuse, Reason::LeaseExpired));
}
