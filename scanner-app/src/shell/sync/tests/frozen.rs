//! A handheld and the frozen fixtures (`gate-core/fixtures/v1`): a server of the frozen version is understood, and what
//! is cut, flipped, forged or replayed of its messages is refused and leaves nothing behind (docs/wire.md).

use std::collections::BTreeMap;
use std::path::Path;

use gate_core::Grant;
use gate_core::wire::v1::{EnrolmentCode, GrantAnswer, ListAnswer, Wipe, WipeAnswer, WipeError};
use gate_core::wire::{from_cbor, to_cbor};
use rusqlite::types::Value as Cell;
use serde_json::Value;
use ticket_signer::EventId;

use super::*;

fn case(group: &str, name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sync-server/gate-core/fixtures/v1");
    let document: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.join(format!("{group}.json"))).unwrap()).unwrap();
    let cases = document["cases"].as_array().unwrap();
    cases.iter().find(|case| case["name"] == name).unwrap_or_else(|| panic!("no fixture {group}/{name}")).clone()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn bytes(group: &str, name: &str) -> Vec<u8> {
    unhex(case(group, name)["bytes"].as_str().unwrap())
}

fn message<T: serde::de::DeserializeOwned>(name: &str) -> T {
    from_cbor(&bytes(
        if name.starts_with("newer") || name.starts_with("older") { "versions" } else { "messages" },
        name,
    ))
    .unwrap()
}

fn secret(name: &str) -> SecretKey {
    SecretKey::from_bytes(&unhex(case("trust", name)["secret"].as_str().unwrap()).try_into().unwrap())
}

/// The handheld of the fixtures, with the place that the frozen bundle gives it.
struct Frozen {
    folder: tempfile::TempDir,
    talk: Talk,
    record: StationRecord,
    key: SecretKey,
    station: Arc<Station>,
    _messages: Receiver<Message>,
}

const FROZEN_EVENT: EventId = EventId(1);

fn frozen(bundle: &str) -> Frozen {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(folder.path(), None, 5).unwrap();
    let (sender, messages) = unbounded();
    let (orders, inbox) = bounded(8);
    let settings = Settings {
        folder: folder.path().to_owned(),
        database: database.for_sync().unwrap(),
        clock: Clock::new(None),
        name: "Handheld 1".to_owned(),
        server: None,
    };
    let journal = database.connect(Use::Background).unwrap();
    let mut talk =
        Talk::new(settings, journal, Outlet::new(sender, Arc::new(|| {})), (inbox, bounded(1).1), handle(orders));
    let code = EnrolmentCode::parse(case("messages", "enrolment_code")["text"].as_str().unwrap()).unwrap();
    let record = StationRecord {
        server: code.server,
        tls_pin: code.tls_pin,
        root_fingerprint: code.root_fingerprint,
        device: case("trust", "device")["device"].as_str().unwrap().parse().unwrap(),
        confirmed: None,
    };
    talk.journal.keep_pending(&record).unwrap();
    let key = secret("device");
    let sent = talk.settings.clock.device();
    let station = talk.take_bundle(&message(bundle), sent, &record, &key, None).unwrap();
    Frozen { folder, talk, record, key, station, _messages: messages }
}

type Dump = BTreeMap<String, Vec<String>>;

impl Frozen {
    /// All that the database says, but for the clock's anchor, which each signed time moves.
    fn dump(&self) -> Dump {
        let connection = rusqlite::Connection::open(self.folder.path().join(crate::shell::journal::FILE)).unwrap();
        let mut names = connection.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").unwrap();
        let names: Vec<String> = names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        let table = |name: String| {
            let mut all = connection.prepare(&format!("SELECT * FROM {name}")).unwrap();
            let columns = all.column_count();
            let line = |row: &rusqlite::Row<'_>| {
                Ok((0..columns).map(|at| format!("{:?} ", row.get::<_, Cell>(at).unwrap())).collect::<String>())
            };
            let mut lines: Vec<String> = all.query_map([], line).unwrap().map(Result::unwrap).collect();
            lines.sort();
            (name, lines)
        };
        names.into_iter().filter(|name| name != "clock_anchor").map(table).collect()
    }

    fn take(&mut self, bundle: &StationBundle) -> Result<Arc<Station>, SyncError> {
        let sent = self.talk.settings.clock.device();
        self.talk.take_bundle(bundle, sent, &self.record, &self.key, Some(&self.station))
    }

    /// A list of the fixtures, its envelope and each chunk as `spoil` leaves them.
    fn list(&mut self, name: &str, spoil: impl Fn(Vec<u8>) -> Vec<u8>) -> Result<ListState, SyncError> {
        let ListAnswer::Manifest(envelope) = message(name) else { panic!("no list") };
        self.envelope(&envelope, spoil)
    }

    fn envelope(&mut self, envelope: &[u8], spoil: impl Fn(Vec<u8>) -> Vec<u8>) -> Result<ListState, SyncError> {
        let mut chunks = |hash: &[u8; 32], _: u64| -> Result<Vec<u8>, HttpError> {
            let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
            let named =
                ["chunk_full", "chunk_delta"].into_iter().find(|name| case("lists", name)["sha256"] == hash.as_str());
            Ok(spoil(bytes("lists", named.expect("a chunk of the fixtures"))))
        };
        self.talk.take_list(envelope, &self.station, &mut chunks)
    }

    fn version(&self) -> u64 {
        self.talk.journal.live_list(FROZEN_EVENT).unwrap().map_or(0, |list| list.version)
    }

    fn hear(&self, message: &[u8]) -> Batch {
        let mut batch = Batch::default();
        let event = Event { id: Some(3), data: URL_SAFE_NO_PAD.encode(message) };
        take(&mut batch, &event, &self.station, &mut Unheard::default());
        batch
    }

    fn now_s(&self) -> i64 {
        self.talk.settings.clock.read().now_s()
    }

    /// A receipt of the fixtures' cloud for a row that this handheld writes now.
    fn own_receipt(&mut self) -> Vec<u8> {
        let mut gate = self.talk.settings.database.connect().unwrap();
        let verified = Err(ticket_signer::ParseError::Foreign.into());
        let scan = gate_core::record::Scan { text: b"menu".to_vec(), verified };
        let station = gate_core::record::Station {
            device: self.record.device,
            key: &self.key,
            event: FROZEN_EVENT,
            lane: LANE,
            policy: None,
            reach: gate_core::Reach::Alone,
            now: self.talk.settings.clock.read(),
        };
        gate_core::record(gate.begin(FROZEN_EVENT).unwrap(), &scan, None, &station).unwrap();
        let hash = self.talk.journal.row_hash(5, 1).unwrap().unwrap();
        let (device, event, at_ms) = (self.record.device.0, FROZEN_EVENT.0, self.now_s() * 1_000);
        let payload = ReceiptPayload { device, event, epoch: 5, seq: 1, hash: hash.into(), at_ms };
        payload.seal(&secret("certificate_receipt")).unwrap().0.into_vec()
    }
}

/// What is left of `whole` when it is cut or one bit of it is flipped: a seeded sample.
fn spoilt(whole: &[u8]) -> Vec<Vec<u8>> {
    let mut state = 0x5eed_u64;
    let mut next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    let cuts = (0..whole.len()).filter(|end| *end < 20 || whole.len() - end < 4 || end % 41 == 0);
    let mut all: Vec<Vec<u8>> = cuts.map(|end| whole[..end].to_vec()).collect();
    for _ in 0..40 {
        let mut flipped = whole.to_vec();
        flipped[next() % whole.len()] ^= 1 << (next() % 8);
        all.push(flipped);
    }
    all.push([whole, &[0]].concat());
    all
}

#[test]
fn a_server_of_the_frozen_version_is_understood() {
    let mut world = frozen("bundle");
    assert_eq!((world.station.policy_version(), world.station.staff_version()), (1_790_000_005, 4));
    assert_eq!(world.station.trust.certificates().count(), 6);
    let staff = world.station.staff.as_ref().unwrap().unseal(&world.key).unwrap();
    assert_eq!(staff.iter().map(|member| member.number).collect::<Vec<_>>(), [7, 12]);
    assert_eq!(world.list("list_full", |bytes| bytes).unwrap().tickets, 3);
    world.list("list_delta", |bytes| bytes).unwrap();
    let revoked: TicketId = "2233445566778899".parse().unwrap();
    let listed = world.talk.journal.listed(FROZEN_EVENT, revoked).unwrap().unwrap();
    assert_eq!((world.version(), listed.status), (3, TicketStatus::Revoked));
    world.list("list_renewal", |bytes| bytes).unwrap();
    for (name, heard) in [
        ("feed_admission", (1, None, false, false, 0)),
        ("feed_list", (0, Some(3), false, false, 0)),
        ("feed_policy", (0, None, false, false, 0)),
        ("feed_staff", (0, None, false, false, 0)),
        ("feed_trust", (0, None, true, false, 0)),
        ("feed_time", (0, None, false, true, 0)),
        ("feed_alive", (0, None, false, false, 0)),
        ("feed_receipt", (0, None, false, false, 1)),
    ] {
        let batch = world.hear(&bytes("messages", name));
        let found = (batch.passages.len(), batch.list, batch.bundle, batch.heard, batch.receipts.len());
        assert_eq!((found, batch.cursor), (heard, Some(3)), "{name}");
    }
    let GrantAnswer::Granted(grant) = message("grant_given") else { panic!("no grant") };
    assert_eq!(Grant::open(&grant, &world.station.trust, FROZEN_EVENT, world.now_s()).unwrap().seq, 5);
    let WipeAnswer::Wipe(wipe) = message("wipe_order") else { panic!("no wipe") };
    let station = Arc::clone(&world.station);
    world.talk.take_wipe(&wipe, &world.record, &station).unwrap();
    assert_eq!(world.talk.journal.wiped().unwrap(), Some(false));
}

#[test]
fn an_older_and_a_newer_server_are_understood() {
    let first = frozen("older_bundle_first");
    assert_eq!((first.station.policy_version(), first.station.staff_version()), (1_790_000_000, 0));
    assert_eq!(frozen("older_bundle").station.policy_version(), 1_790_000_005);
    let newer = frozen("newer_bundle");
    assert_eq!((newer.station.policy_version(), newer.station.staff_version()), (1_790_000_005, 4));
    assert_eq!(newer.hear(&bytes("versions", "newer_feed_admission")).passages.len(), 1);
    let unknown = to_cbor(&BTreeMap::from([("turnstile", 7)])).unwrap();
    let batch = newer.hear(&unknown);
    assert_eq!((batch.cursor, batch.heard, batch.waits), (Some(3), false, false), "passed over, and not waited for");
    for policy in ["older_policy", "older_policy_parts", "newer_policy"] {
        let policy =
            gate_core::Policy::open(&bytes("versions", policy), &newer.station.trust, FROZEN_EVENT, newer.now_s(), 0);
        assert!(policy.is_ok(), "{policy:?}");
    }
}

#[test]
fn a_spoilt_part_of_a_bundle_is_refused_or_left_aside_and_the_rest_stays() {
    let mut world = frozen("bundle");
    let whole: StationBundle = message("bundle");
    world.station = world.take(&whole).unwrap();
    let before = world.dump();
    for spoilt in spoilt(&whole.device_certificate) {
        let found = world.take(&StationBundle { device_certificate: ByteBuf::from(spoilt), ..whole.clone() });
        let refused = matches!(
            found,
            Err(SyncError::Bundle(
                BundleError::DeviceFormat(_) | BundleError::DeviceAuthority(_) | BundleError::OtherDevice
            ))
        );
        assert!(refused, "{:?}", found.err());
        assert_eq!(world.dump(), before);
    }
    for spoilt in spoilt(&whole.time.0) {
        let found = world.take(&StationBundle { time: SignedTime(ByteBuf::from(spoilt)), ..whole.clone() });
        assert!(matches!(found, Err(SyncError::Bundle(BundleError::Time(_)))), "{:?}", found.err());
        assert_eq!(world.dump(), before);
    }
    // What a bundle can do without is left aside: what is known already goes on to hold.
    let parts: [fn(&StationBundle, ByteBuf) -> StationBundle; 4] = [
        |whole, bytes| StationBundle { policy: Some(bytes), ..whole.clone() },
        |whole, bytes| StationBundle { staff: Some(bytes), ..whole.clone() },
        |whole, bytes| StationBundle { revocations: vec![bytes], ..whole.clone() },
        |whole, bytes| StationBundle { certificates: [&whole.certificates[1..], &[bytes]].concat(), ..whole.clone() },
    ];
    let sound = [
        whole.policy.clone().unwrap(),
        whole.staff.clone().unwrap(),
        whole.revocations[0].clone(),
        whole.certificates[0].clone(),
    ];
    for (number, (part, sound)) in parts.into_iter().zip(sound).enumerate() {
        for spoilt in spoilt(&sound) {
            let station = world.take(&part(&whole, ByteBuf::from(spoilt))).unwrap();
            assert_eq!(station.policy, world.station.policy, "part {number}");
            assert_eq!(station.staff, world.station.staff, "part {number}");
            assert_eq!(station.trust.certificates().count(), 6, "part {number}");
            assert_eq!(world.dump(), before, "part {number}");
        }
    }
}

#[test]
fn a_spoilt_or_replayed_list_leaves_the_live_one() {
    let mut world = frozen("bundle");
    world.list("list_full", |bytes| bytes).unwrap();
    let ListAnswer::Manifest(delta) = message("list_delta") else { panic!("no list") };
    let before = world.dump();
    for spoilt in spoilt(&delta) {
        let found = world.envelope(&spoilt, |bytes| bytes);
        assert!(matches!(found, Err(SyncError::ListEnvelope(_))), "{:?}", found.err());
        assert_eq!(world.dump(), before, "nothing of it was looked into");
    }
    let chunk = bytes("lists", "chunk_delta");
    for spoilt in spoilt(&chunk) {
        let found = world.envelope(&delta, |_| spoilt.clone());
        assert!(matches!(found, Err(SyncError::Chunk(PackError::List(ListError::Hash)))), "{:?}", found.err());
        assert_eq!(world.version(), 2);
    }
    world.envelope(&delta, |bytes| bytes).unwrap();
    assert_eq!(world.version(), 3, "the right one is taken after all that");
    let live = world.dump();
    let replayed = world.list("list_full", |bytes| bytes);
    assert!(matches!(replayed, Err(SyncError::List(ListRefusal::Older { known: 3, found: 2 }))));
    assert_eq!(world.dump(), live, "a revocation is not undone by a replay");
    let fresh = frozen("bundle").list("list_delta", |bytes| bytes);
    assert!(matches!(fresh, Err(SyncError::List(_))), "a delta without its base");
}

#[test]
fn a_spoilt_admission_time_or_message_of_the_feed_says_nothing() {
    let world = frozen("bundle");
    let before = world.dump();
    let FeedMessage::Admission { row, device_certificate } = message("feed_admission") else { panic!("no row") };
    let feed = |row, device_certificate| to_cbor(&FeedMessage::Admission { row, device_certificate }).unwrap();
    let mut wrong: Vec<Vec<u8>> = Vec::new();
    for spoilt in spoilt(&row.bytes) {
        let row = gate_core::wire::v1::WireRow { bytes: ByteBuf::from(spoilt), ..row.clone() };
        wrong.push(feed(row, device_certificate.clone()));
    }
    for spoilt in spoilt(&device_certificate) {
        wrong.push(feed(row.clone(), ByteBuf::from(spoilt)));
    }
    let FeedMessage::Time(time) = message("feed_time") else { panic!("no time") };
    for spoilt in spoilt(&time.0) {
        wrong.push(to_cbor(&FeedMessage::Time(SignedTime(ByteBuf::from(spoilt)))).unwrap());
    }
    for message in wrong {
        let batch = world.hear(&message);
        assert_eq!((batch.passages.len(), batch.heard, batch.receipts.len()), (0, false, 0));
    }
    // Whole messages: what can still be read is never a row or a time that nobody signed.
    for name in ["feed_admission", "feed_time", "feed_alive", "feed_receipt"] {
        for message in spoilt(&bytes("messages", name)) {
            let batch = world.hear(&message);
            assert!(batch.passages.is_empty() && !batch.heard, "{name}");
        }
    }
    assert_eq!(world.dump(), before);
}

#[test]
fn a_spoilt_foreign_or_replayed_receipt_is_kept_nowhere() {
    let mut world = frozen("bundle");
    let own = world.own_receipt();
    let before = world.dump();
    let (now_s, station) = (world.now_s(), Arc::clone(&world.station));
    let mut taken =
        |bytes: Vec<u8>| take_receipt(&mut world.talk.journal, &station, now_s, &Receipt(ByteBuf::from(bytes)));
    for spoilt in spoilt(&own) {
        assert!(matches!(taken(spoilt), Err(SyncError::Receipt(ReceiptFault::Envelope(_)))));
    }
    for name in ["receipt_five", "receipt_all"] {
        let found = taken(bytes("signed", name));
        assert!(
            matches!(found, Err(SyncError::Receipt(ReceiptFault::OtherRow))),
            "{name}: a row that it did not write"
        );
    }
    assert!(matches!(taken(bytes("signed", "receipt_none")), Ok(None)), "a receipt for nothing");
    assert_eq!(world.dump(), before);
    let mut taken =
        |bytes: &[u8]| take_receipt(&mut world.talk.journal, &station, now_s, &Receipt(ByteBuf::from(bytes)));
    assert!(matches!(taken(&own), Ok(Some(1))));
    assert!(matches!(taken(&own), Ok(Some(1))), "the same receipt again");
    assert_eq!(world.talk.journal.progress().unwrap().receipted_seq, 1);
}

#[test]
fn a_spoilt_grant_admits_nobody_and_a_spoilt_wipe_wipes_nothing() {
    let mut world = frozen("bundle");
    world.list("list_full", |bytes| bytes).unwrap();
    let before = world.dump();
    for spoilt in spoilt(&bytes("signed", "grant")) {
        assert!(Grant::open(&spoilt, &world.station.trust, FROZEN_EVENT, world.now_s()).is_err());
    }
    assert!(Grant::open(&bytes("signed", "grant"), &world.station.trust, EventId(2), world.now_s()).is_err());
    let station = Arc::clone(&world.station);
    for spoilt in spoilt(&bytes("signed", "wipe")) {
        let found = world.talk.take_wipe(&Wipe(ByteBuf::from(spoilt)), &world.record, &station);
        assert!(matches!(found, Err(SyncError::Wipe(WipeError::Envelope(_)))), "{:?}", found.err());
    }
    // Signed things of one kind are not taken for another.
    for name in ["grant", "receipt_all", "time", "policy_full", "staff"] {
        let found = world.talk.take_wipe(&Wipe(ByteBuf::from(bytes("signed", name))), &world.record, &station);
        assert!(matches!(found, Err(SyncError::Wipe(WipeError::Envelope(_)))), "{name}");
    }
    assert_eq!((world.dump(), world.version()), (before, 2));
}

#[test]
fn an_answer_that_is_cut_or_of_another_type_is_unreadable_and_leaves_nothing() {
    let mut world = frozen("bundle");
    world.own_receipt();
    let before = world.dump();
    let whole = bytes("messages", "scan_answer");
    for body in [whole[..whole.len() - 7].to_vec(), bytes("messages", "enrol_answer"), Vec::new(), vec![0xff; 9]] {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        let answer: &'static [u8] = Box::leak([head.as_bytes(), &body].concat().into_boxed_slice());
        let (base, pin, asked) = crate::shell::http::tests::serve(answer, 1);
        let signer = Signer { device: world.record.device, key: Arc::new(secret("device")) };
        let server = Server::new(&base, pin, Some(signer)).unwrap();
        let shared = Arc::new(Mutex::new(Arc::clone(&world.station)));
        let done = world.talk.step_push(&server, &shared, 0, 10, &mut Cursors::default());
        assert!(matches!(done, Err(SyncError::Http(HttpError::Unreadable(_)))), "{:?}", done.err());
        asked.join().unwrap();
        assert_eq!(world.dump(), before);
    }
}
