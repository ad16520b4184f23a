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
            admissions: self
                .disk
                .rows
                .iter()
                .filter_map(|row| row.admission)
                .filter(|a| a.0 == ticket)
                .map(|a| a.1)
                .collect(),
        })
    }

    fn gate(&mut self) -> Result<GateView, DiskFull> {
        Ok(GateView {
            list_version: Some(3),
            list_expires_at_s: i64::MAX,
            lease_until_ms: i64::MAX,
            classes: vec![class(1)],
        })
    }

    fn head(&mut self) -> Result<ChainHead, DiskFull> {
        let start = ChainHead::start(42);
        Ok(self.disk.rows.last().map_or(start, |row| ChainHead { epoch: 42, seq: row.body.seq, hash: row.hash }))
    }

    fn last_row(&mut self) -> Result<Option<SignedRow>, DiskFull> {
        Ok(self.disk.rows.last().map(|row| row.row.clone()))
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

fn run(disk: &mut Disk, scan: &Scan) -> Result<Recorded, DiskFull> {
    let key = SecretKey::from_bytes(&[9; 32]);
    let policy = policy();
    let station = Station {
        device: DeviceId(4),
        key: &key,
        event: EVENT,
        lane: LaneId(1),
        policy: Some(&policy),
        reach: Reach::Alone,
        now: ClockReading { now_ms: NOW_S * 1000, uncertainty_ms: 1, in_doubt: false, offset_ms: 0 },
    };
    record(Tx { disk, pending: Vec::new() }, scan, &station)
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
