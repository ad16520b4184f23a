//! The journal on a real disk: recording, lists, receipts, and what it refuses.

use gate_core::clock::ClockReading;
use gate_core::record::{Scan, Station, recall, record};
use gate_core::wire::v1::ReceiptPayload;
use gate_core::{JournalTx as _, Outcome, Reach, Reason, Recorded};
use ticket_signer::{
    ListedTicket, Role, SecretKey, TicketId, TicketStatus, TrustStore, UntrustedCode, VerifyContext, verify,
};

use super::*;
use crate::core::hear::ReceivedPassage;
use crate::testkit::{CLASS, DEVICE, EVENT, LANE, NOW_MS, NOW_S, Organiser, Packed, full, listed, short};

struct World {
    folder: tempfile::TempDir,
    database: Database,
    journal: Journal,
    organiser: Organiser,
    key: SecretKey,
}

fn world(tickets: &[ListedTicket]) -> World {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(folder.path(), None, 77).unwrap();
    let journal = database.connect(Use::Gate).unwrap();
    let mut world =
        World { folder, database, journal, organiser: Organiser::default(), key: SecretKey::from_bytes(&[9; 32]) };
    world.settle(tickets);
    world
}

impl World {
    fn settle(&mut self, tickets: &[ListedTicket]) {
        let record = StationRecord {
            server: "https://gate.example".to_owned(),
            tls_pin: [1; 32],
            root_fingerprint: self.organiser.root.public().fingerprint(),
            device: DEVICE,
            confirmed: None,
        };
        self.journal.keep_pending(&record).unwrap();
        let bundle = self.organiser.bundle(DEVICE, &self.key, Some(&self.organiser.policy(1)), NOW_MS);
        let confirmed = ConfirmedRecord {
            root: bundle.root.into_array(),
            organiser: bundle.organiser,
            event: bundle.event,
            lane: LANE,
            device_certificate: bundle.device_certificate.into_vec(),
            lease_until_ms: NOW_MS + 3_600_000,
            minimum_list_version: 1,
            policy: bundle.policy.map(|policy| policy.into_vec()),
            certificates: bundle.certificates.into_iter().map(|bytes| bytes.into_vec()).collect(),
            revocations: Vec::new(),
        };
        self.journal.keep_confirmed(&confirmed).unwrap();
        let list = self.organiser.list(1, 0, tickets);
        take(&mut self.journal, &list).unwrap();
    }

    fn trust(&self) -> TrustStore {
        let mut trust = TrustStore::new(self.organiser.root.public(), "Harbour");
        trust.add_certificate(&self.organiser.certificate(Role::Issue, &self.organiser.key(Role::Issue))).unwrap();
        trust
    }

    fn scan(&mut self, code: &UntrustedCode) -> Result<Recorded, JournalError> {
        let entry = self.journal.listed(EVENT, code.ticket())?;
        let trust = self.trust();
        let context =
            VerifyContext { event: EVENT, trust: &trust, entry: entry.as_ref(), now_s: NOW_S, freshness_steps: 2 };
        let scan = Scan { text: code.to_text().into_bytes(), verified: verify(code, &context) };
        let policy = self.organiser.policy(1);
        let now = ClockReading { now_ms: NOW_MS, uncertainty_ms: 3, in_doubt: false, offset_ms: 0 };
        let station = Station {
            device: DEVICE,
            key: &self.key,
            event: EVENT,
            lane: LANE,
            policy: Some(&policy),
            reach: Reach::Server,
            now,
        };
        record(self.journal.begin(EVENT)?, &scan, None, &station)
    }

    fn reasons(&mut self, codes: &[UntrustedCode]) -> Vec<Reason> {
        codes.iter().map(|code| self.scan(code).unwrap().decision().reason).collect()
    }
}

fn take(journal: &mut Journal, list: &Packed) -> Result<ListState, JournalError> {
    let mut staging = journal.stage(&list.envelope, &list.manifest)?;
    while let Some(named) = list.manifest.chunks.get(staging.next_chunk) {
        let chunk = gate_core::pack::open(named, &list.chunk(&named.hash)).unwrap();
        journal.stage_chunk(&mut staging, &chunk)?;
    }
    journal.make_live(staging, &list.manifest)
}

fn active(ticket: u64) -> ListedTicket {
    listed(ticket, 2, TicketStatus::Active)
}

#[test]
fn every_connection_keeps_what_it_acknowledged() {
    let world = world(&[]);
    let raw = rusqlite::Connection::open(world.database.path()).unwrap();
    let plain: i64 = raw.pragma_query_value(None, "foreign_keys", |row| row.get(0)).unwrap();
    drop(raw);
    for purpose in [Use::Gate, Use::Background] {
        let settings = world.database.connect(purpose).unwrap().settings().unwrap();
        assert_eq!(settings, ["wal", "2", "1"], "journal_mode, synchronous (2 is FULL), foreign_keys for {purpose:?}");
    }
    assert!(plain == 0 || plain == 1, "SQLite's own default is not relied on");
    let dangling =
        "INSERT INTO listed (list, ticket, serial, class, revoked, algorithm, holder) VALUES (99, 1, 1, 1, 0, 0, x'')";
    assert!(world.journal.connection.execute(dangling, []).is_err(), "foreign keys are enforced");
}

#[test]
fn an_admission_is_used_up_after_a_restart_too() {
    let mut world = world(&[active(1)]);
    assert_eq!(world.reasons(&[short(1, 2, NOW_S), short(1, 2, NOW_S)]), [Reason::Admitted, Reason::Used]);
    world.database = Database::open(world.folder.path(), None, 88).unwrap();
    world.journal = world.database.connect(Use::Gate).unwrap();
    assert_eq!(world.reasons(&[short(1, 2, NOW_S)]), [Reason::Used]);
    assert_eq!(world.journal.head().unwrap().epoch, 77, "the chain is the first one's");
    assert_eq!(world.journal.audit(&world.key.public(), |_, _| {}).unwrap(), Ok(3));
    assert_eq!(world.journal.admitted_here(DEVICE).unwrap(), 1);
}

#[test]
fn a_dropped_transaction_leaves_nothing() {
    let mut world = world(&[active(1)]);
    let before = world.journal.progress().unwrap();
    let mut tx = world.journal.begin(EVENT).unwrap();
    tx.head().unwrap();
    drop(tx);
    assert_eq!(world.journal.progress().unwrap(), before);
    assert_eq!(world.reasons(&[short(1, 2, NOW_S)]), [Reason::Admitted]);
}

#[test]
fn a_full_list_replaces_and_a_delta_adds_and_floors_and_revocations_stay() {
    let mut world = world(&[active(1), active(2)]);
    let organiser = Organiser::default();
    // A re-issue seen at the gate raises the floor, durably.
    let seen = full(&organiser, 1, 3, NOW_S);
    assert_eq!(world.reasons(&[seen, short(1, 2, NOW_S)]), [Reason::Admitted, Reason::Retired]);

    let delta =
        organiser.list(2, 1, &[listed(2, 2, TicketStatus::Revoked), active(3), listed(50, 4, TicketStatus::Revoked)]);
    let state = take(&mut world.journal, &delta).unwrap();
    assert_eq!((state.version, state.revoked), (2, 2));
    let codes =
        [short(2, 2, NOW_S), short(3, 2, NOW_S), full(&organiser, 50, 4, NOW_S), full(&organiser, 50, 5, NOW_S)];
    assert_eq!(world.reasons(&codes), [Reason::Revoked, Reason::Admitted, Reason::Revoked, Reason::Admitted]);

    // The full list says that ticket 2 is active and has never heard of ticket 50: what was revoked stays revoked.
    let whole = organiser.list(3, 0, &[active(1), active(2), active(4)]);
    let state = take(&mut world.journal, &whole).unwrap();
    assert_eq!((state.version, state.tickets, state.revoked), (3, 3, 2));
    let codes = [
        short(2, 2, NOW_S),
        full(&organiser, 50, 4, NOW_S),
        short(1, 2, NOW_S),
        short(3, 2, NOW_S),
        short(4, 2, NOW_S),
    ];
    let reasons = [Reason::Revoked, Reason::Revoked, Reason::Retired, Reason::Unknown, Reason::Admitted];
    assert_eq!(world.reasons(&codes), reasons);
    while world.journal.sweep().unwrap() {}
    assert_eq!(world.reasons(&[short(3, 2, NOW_S)]), [Reason::Unknown]);
    let rows: i64 = world.journal.connection.query_row("SELECT count(*) FROM listed", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 3, "old lists are swept away");
}

#[test]
fn versions_never_go_down_even_at_the_last_moment() {
    let mut world = world(&[active(1)]);
    let organiser = Organiser::default();
    let late = organiser.list(2, 0, &[]);
    let staging = world.journal.stage(&late.envelope, &late.manifest).unwrap();
    let mut other = world.database.connect(Use::Background).unwrap();
    take(&mut other, &organiser.list(3, 2, &[active(9)])).unwrap_err();
    // Staging another list retires the first one's place; taking it anyway changes nothing.
    let newer = organiser.list(5, 0, &[active(1), active(9)]);
    take(&mut other, &newer).unwrap();
    let error = world.journal.make_live(staging, &late.manifest).unwrap_err();
    assert!(matches!(error, JournalError::List(_)), "{error}");
    assert_eq!(world.journal.live_list(EVENT).unwrap().unwrap().version, 5);
    assert!(world.journal.listed(EVENT, TicketId(9)).unwrap().is_some());
}

#[test]
fn a_staging_goes_on_where_it_was_interrupted() {
    let mut world = world(&[]);
    let organiser = Organiser::default();
    let many: Vec<_> = (1..=9_000u64).map(|ticket| ListedTicket { holder: None, ..active(ticket) }).collect();
    let list = organiser.list(2, 0, &many);
    assert_eq!(list.chunks.len(), 2);
    let mut staging = world.journal.stage(&list.envelope, &list.manifest).unwrap();
    let named = &list.manifest.chunks[0];
    let chunk = gate_core::pack::open(named, &list.chunk(&named.hash)).unwrap();
    world.journal.stage_chunk(&mut staging, &chunk).unwrap();
    assert!(world.journal.listed(EVENT, TicketId(5)).unwrap().is_none(), "nothing is visible before the commit");
    let again = world.journal.stage(&list.envelope, &list.manifest).unwrap();
    assert_eq!(again.next_chunk, 1);
    let state = take(&mut world.journal, &list).unwrap();
    assert_eq!(state.tickets, 9_000);
    assert!(world.journal.listed(EVENT, TicketId(5)).unwrap().is_some());
}

#[test]
fn a_verdict_nobody_saw_is_recalled_and_a_shown_one_is_not() {
    let mut world = world(&[active(1)]);
    let recorded = world.scan(&short(1, 2, NOW_S)).unwrap();
    let progress = world.journal.progress().unwrap();
    assert_eq!((progress.head.seq, progress.shown_seq), (1, 0));
    let mut tx = world.journal.begin(EVENT).unwrap();
    let recalled = recall(&mut tx).unwrap().unwrap();
    drop(tx);
    assert!(recalled.is_recalled());
    assert_eq!((recalled.seq(), recalled.decision().outcome), (recorded.seq(), Outcome::Admit));
    world.journal.mark_shown(77, 1).unwrap();
    world.journal.mark_shown(77, 0).unwrap();
    assert_eq!(world.journal.progress().unwrap().shown_seq, 1, "the mark never goes back");
}

#[test]
fn receipts_only_rise() {
    let mut world = world(&[active(1), active(2)]);
    world.reasons(&[short(1, 2, NOW_S), short(2, 2, NOW_S)]);
    let mut keep = |seq: u64| {
        let hash = world.journal.row_hash(77, seq).unwrap().unwrap().into();
        let payload = ReceiptPayload { device: DEVICE.0, event: EVENT.0, epoch: 77, seq, hash, at_ms: NOW_MS };
        let receipt = payload.seal(&world.organiser.key(Role::Receipt)).unwrap();
        world.journal.keep_receipt(&payload, &receipt).unwrap();
        world.journal.progress().unwrap().receipted_seq
    };
    assert_eq!([keep(2), keep(1)], [2, 2]);
    assert_eq!(world.journal.rows_after(1, 10).unwrap().len(), 1);
}

#[test]
fn a_changed_row_is_found() {
    let mut world = world(&[active(1), active(2)]);
    world.reasons(&[short(1, 2, NOW_S), short(2, 2, NOW_S), short(2, 2, NOW_S)]);
    let audit = |world: &World| world.journal.audit(&world.key.public(), |_, _| {}).unwrap();
    assert_eq!(audit(&world), Ok(3));
    let connection = &world.journal.connection;
    connection
        .execute("UPDATE journal SET bytes = (SELECT bytes FROM journal WHERE seq = 3) WHERE seq = 2", [])
        .unwrap();
    assert_eq!(audit(&world), Err(ChainFault::Forged(2)));
    world.journal.connection.execute("DELETE FROM journal WHERE seq = 2", []).unwrap();
    assert_eq!(audit(&world), Err(ChainFault::Missing(2)));
    assert!(
        audit(&world).is_err()
            && world.journal.audit(&SecretKey::from_bytes(&[8; 32]).public(), |_, _| {}).unwrap().is_err()
    );
}

#[test]
fn conflicts_come_from_received_admissions() {
    let mut world = world(&[active(1)]);
    world.reasons(&[short(1, 2, NOW_S)]);
    let key = SecretKey::from_bytes(&[33; 32]);
    let device = ticket_signer::DeviceId(0xEE);
    let own = world.journal.rows_after(0, 1).unwrap().remove(0).open(&world.key.public()).unwrap();
    let body = gate_core::RowBody { device, epoch: 5, lane: ticket_signer::LaneId(2), at_ms: NOW_MS + 9_000, ..own };
    let certificate = world.organiser.device_certificate(device, &key, NOW_S + 9);
    let certificate = ticket_signer::DeviceCertificate::from_bytes(&certificate).unwrap();
    let received = ReceivedPassage { row: body.sign(&key), body, certificate };
    let twice = [received.clone(), received];
    assert_eq!(world.journal.receive(EVENT, &twice, Some(4)).unwrap(), [TicketId(1)]);
    assert_eq!(world.journal.receive(EVENT, &twice, Some(3)).unwrap(), []);
    assert_eq!(
        world.journal.feed_place(EVENT).unwrap(),
        (3, None),
        "a restored server counts anew, and it is followed"
    );
    world.journal.keep_feed_generation(EVENT, u64::MAX).unwrap();
    assert_eq!(
        world.journal.feed_place(EVENT).unwrap(),
        (3, Some(u64::MAX)),
        "the first that is named is the cursor's"
    );
    world.journal.keep_feed_generation(EVENT, 8).unwrap();
    assert_eq!(world.journal.feed_place(EVENT).unwrap(), (0, Some(8)), "another one's cursor is worth nothing");
    world.journal.receive(EVENT, &[], Some(4)).unwrap();
    assert_eq!(world.journal.feed_place(EVENT).unwrap(), (4, Some(8)));
    let (class, conflict) = world.journal.conflict(EVENT, TicketId(1)).unwrap().unwrap();
    assert_eq!((class, conflict.allowed, conflict.passages.len()), (CLASS, 1, 2));
    assert_eq!(world.journal.conflicts(EVENT, 10).unwrap(), [(class, conflict)]);
}

#[test]
fn a_newer_a_foreign_and_a_damaged_database_are_left_alone() {
    let open = |folder: &std::path::Path| Database::open(folder, None, 1).map(|_| ()).unwrap_err();
    let world = world(&[]);
    world.journal.connection.pragma_update(None, "user_version", 99).unwrap();
    let error = open(world.folder.path());
    assert!(matches!(error, JournalError::Newer { found: 99, known: 5 }), "{error}");
    assert!(error.to_string().contains("Install that version again"));

    let folder = tempfile::tempdir().unwrap();
    let other = rusqlite::Connection::open(folder.path().join(FILE)).unwrap();
    other.execute_batch("CREATE TABLE cats (name TEXT)").unwrap();
    drop(other);
    assert!(matches!(open(folder.path()), JournalError::Foreign));

    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(FILE), vec![0x5A; 20_000]).unwrap();
    let error = open(folder.path());
    assert!(matches!(error, JournalError::Corrupt(_)), "{error:?}");
    assert!(error.to_string().contains("Use another handheld"), "{error}");

    let error = open(std::path::Path::new("/proc/nowhere"));
    assert!(matches!(error, JournalError::Folder { .. }), "{error:?}");
}

#[test]
fn a_damaged_page_is_found_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let many: Vec<_> = (1..=3_000u64).map(|ticket| ListedTicket { holder: None, ..active(ticket) }).collect();
    {
        let database = Database::open(folder.path(), None, 1).unwrap();
        let mut journal = database.connect(Use::Background).unwrap();
        take(&mut journal, &Organiser::default().list(1, 0, &many)).unwrap();
        journal.checkpoint().unwrap();
    }
    let path = folder.path().join(FILE);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 4096 * 4096 - 8192;
    bytes[middle..middle + 4096].fill(0xA5);
    std::fs::write(&path, bytes).unwrap();
    let error = Database::open(folder.path(), None, 1).map(|_| ()).unwrap_err();
    assert!(matches!(error, JournalError::Corrupt(_)), "{error:?}");
}

/// SQLite's own bound on pages gives the same answer as a full disk, without one.
#[test]
fn a_full_disk_admits_nobody_and_loses_nothing() {
    let mut world = world(&[active(1), active(2)]);
    assert_eq!(world.reasons(&[short(1, 2, NOW_S)]), [Reason::Admitted]);
    world.journal.connection.pragma_update(None, "max_page_count", 1).unwrap();
    let mut error = None;
    for _ in 0..200 {
        match world.scan(&short(1, 2, NOW_S)) {
            Ok(recorded) => assert_ne!(recorded.decision().outcome, Outcome::Admit),
            Err(found) => {
                error = Some(found);
                break;
            }
        }
    }
    let error = error.expect("the disk never filled");
    assert!(matches!(error, JournalError::Full), "{error:?}");
    assert!(error.to_string().contains("Free some space"), "{error}");
    let rows = world.journal.audit(&world.key.public(), |_, _| {}).unwrap().unwrap();
    assert_eq!(world.journal.head().unwrap().seq, rows, "what was acknowledged is there");
    world.journal.connection.pragma_update(None, "max_page_count", 100_000).unwrap();
    assert_eq!(world.reasons(&[short(2, 2, NOW_S)]), [Reason::Admitted], "it goes on when there is room");
}

/// The real thing: a file system of 4 MB. Needs root to mount it.
#[test]
fn a_full_file_system_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"])
        .arg(folder.path())
        .output()
        .is_ok_and(|output| output.status.success());
    if !mounted {
        eprintln!("SKIPPED: a 4 MB file system could not be mounted (needs root); ENOSPC is not tested here");
        return;
    }
    let outcome = std::panic::catch_unwind(|| {
        let database = Database::open(folder.path(), None, 1).unwrap();
        let mut journal = database.connect(Use::Background).unwrap();
        let many: Vec<_> = (1..=60_000u64).map(|ticket| ListedTicket { holder: None, ..active(ticket) }).collect();
        take(&mut journal, &Organiser::default().list(1, 0, &many)).unwrap_err()
    });
    let _ = std::process::Command::new("umount").arg("-l").arg(folder.path()).status();
    let error = outcome.unwrap();
    assert!(matches!(error, JournalError::Full), "{error:?}");
}

#[test]
fn a_read_only_database_says_so() {
    let mut world = world(&[active(1)]);
    world.journal.connection.pragma_update(None, "query_only", true).unwrap();
    let error = world.scan(&short(1, 2, NOW_S)).unwrap_err();
    assert!(matches!(error, JournalError::ReadOnly), "{error:?}");
    assert!(error.to_string().contains("read-only"));
}

#[test]
fn a_replay_takes_over_whom_the_station_believed_and_none_of_its_scans() {
    let mut world = world(&[active(1), active(2)]);
    assert_eq!(world.reasons(&[short(1, 2, NOW_S), short(1, 3, NOW_S)])[0], Reason::Admitted);
    let folder = tempfile::tempdir().unwrap();
    let replay = Database::make_replay(world.folder.path(), folder.path(), 9, NOW_MS).unwrap();
    let copy = replay.connect(Use::Background).unwrap();
    let (mine, theirs) = (copy.station().unwrap().unwrap(), world.journal.station().unwrap().unwrap());
    let (mine, theirs) = (mine.confirmed.unwrap(), theirs.confirmed.unwrap());
    assert_eq!((mine.root, &mine.policy, &mine.revocations), (theirs.root, &theirs.policy, &theirs.revocations));
    assert_eq!(mine.certificates.len(), theirs.certificates.len());
    assert_eq!(copy.live_list(EVENT).unwrap(), world.journal.live_list(EVENT).unwrap());
    assert_eq!(copy.listed(EVENT, TicketId(2)).unwrap(), world.journal.listed(EVENT, TicketId(2)).unwrap());
    assert_eq!(copy.classes(EVENT).unwrap(), world.journal.classes(EVENT).unwrap());
    assert_eq!((copy.head().unwrap().seq, copy.admitted_here(DEVICE).unwrap()), (0, 0));
    assert!(copy.anchor().unwrap().is_none());
    assert!(matches!(Database::make_replay(world.folder.path(), folder.path(), 9, NOW_MS), Err(JournalError::Live)));
}

#[test]
fn a_replay_of_nothing_leaves_nothing_behind() {
    let (empty, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let made = Database::make_replay(empty.path(), folder.path(), 9, NOW_MS);
    assert!(matches!(made, Err(JournalError::Foreign)));
    assert!(!empty.path().join(FILE).exists(), "looking for a database does not make one");
    drop(Database::open(empty.path(), None, 1).unwrap());
    let made = Database::make_replay(empty.path(), folder.path(), 9, NOW_MS);
    assert!(matches!(made, Err(JournalError::NoPlace)));
    assert!(!folder.path().join(FILE).exists());
}
