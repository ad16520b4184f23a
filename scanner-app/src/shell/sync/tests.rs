//! What a server may send and a handheld must not believe, and what it must.

mod frozen;
mod status;
mod wipe;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crossbeam_channel::unbounded;
use gate_core::RowBody;
use gate_core::chain::ChainHead;
use gate_core::clock::DeviceTime;
use gate_core::pack::PackError;
use gate_core::row::{SignedRow, text_hash};
use gate_core::staff::SealedStaff;
use gate_core::wire::v1::{FeedMessage, Receipt, ReceiptPayload, SignedTime};
use serde_bytes::ByteBuf;
use ticket_signer::certificate::DeviceCertificateFields;
use ticket_signer::list::{ChunkRef, ListError};
use ticket_signer::{
    ClassId, DeviceCertificate, DeviceId, KeyRevocation, LaneId, ListedTicket, Purpose, Role, TicketId, TicketStatus,
    envelope,
};

use super::feed::take;
use super::push::{ReceiptFault, take_receipt};
use super::sse::Event;
use super::*;
use crate::core::hear::{Batch, Disbelief, Unheard, believe};
use crate::shell::http::HttpError;
use crate::shell::journal::{Database, ListState, Use};
use crate::testkit::{CLASS, DEVICE, EVENT, LANE, NOW_MS, NOW_S, Organiser, Packed, listed};

struct World {
    _folder: tempfile::TempDir,
    talk: Talk,
    messages: Receiver<Message>,
    organiser: Organiser,
    key: SecretKey,
    record: StationRecord,
    station: Arc<Station>,
}

/// A handheld with its place, and nothing running.
fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(folder.path(), None, 5).unwrap();
    let (sender, messages) = unbounded();
    let (orders, inbox) = bounded(8);
    let organiser = Organiser::default();
    let clock = Clock::new(None);
    let settings = Settings {
        folder: folder.path().to_owned(),
        database: database.for_sync().unwrap(),
        clock,
        name: "Handheld 1".to_owned(),
        server: None,
    };
    let journal = database.connect(Use::Background).unwrap();
    let mut talk =
        Talk::new(settings, journal, Outlet::new(sender, Arc::new(|| {})), (inbox, bounded(1).1), handle(orders));
    let record = StationRecord {
        server: "https://gate.example".to_owned(),
        tls_pin: [1; 32],
        root_fingerprint: organiser.root.public().fingerprint(),
        device: DEVICE,
        confirmed: None,
    };
    talk.journal.keep_pending(&record).unwrap();
    let key = SecretKey::from_bytes(&[9; 32]);
    let bundle = organiser.bundle(DEVICE, &key, Some(&organiser.policy(1)), NOW_MS);
    let sent = talk.settings.clock.device();
    let station = talk.take_bundle(&bundle, sent, &record, &key, None).unwrap();
    World { _folder: folder, talk, messages, organiser, key, record, station }
}

/// A handle that gives orders and whose questions nobody hears.
fn handle(orders: crossbeam_channel::Sender<Order>) -> Handle {
    Handle { orders, questions: bounded(1).0 }
}

impl World {
    fn bundle(&mut self, change: impl FnOnce(&Organiser, &mut StationBundle)) -> Result<Arc<Station>, SyncError> {
        let mut bundle = self.organiser.bundle(DEVICE, &self.key, Some(&self.organiser.policy(1)), NOW_MS + 1_000);
        change(&self.organiser, &mut bundle);
        let sent = self.talk.settings.clock.device();
        self.talk.take_bundle(&bundle, sent, &self.record, &self.key, Some(&self.station))
    }

    fn list(&mut self, list: &Packed) -> Result<ListState, SyncError> {
        self.list_with(list, |bytes| bytes)
    }

    fn list_with(&mut self, list: &Packed, spoil: impl Fn(Vec<u8>) -> Vec<u8>) -> Result<ListState, SyncError> {
        let mut chunks = |hash: &[u8; 32], _: u64| -> Result<Vec<u8>, HttpError> { Ok(spoil(list.chunk(hash))) };
        self.talk.take_list(&list.envelope, &self.station, &mut chunks)
    }

    /// The feed of this handheld, with the orders that it gives.
    fn feed(&self) -> (feed::Feed, Receiver<Order>) {
        let (orders, ordered) = bounded(8);
        let feed = feed::Feed {
            base: String::new(),
            pin: [0; 32],
            signer: Signer { device: DEVICE, key: Arc::new(SecretKey::from_bytes(&[9; 32])) },
            station: Arc::new(Mutex::new(Arc::clone(&self.station))),
            orders: handle(orders),
            outlet: self.talk.outlet.clone(),
            clock: self.talk.settings.clock.clone(),
            over: Arc::default(),
            heard_ms: Arc::clone(&self.talk.heard_ms),
        };
        (feed, ordered)
    }

    fn version(&self) -> u64 {
        self.talk.journal.live_list(EVENT).unwrap().map_or(0, |list| list.version)
    }
}

fn active(ticket: u64) -> ListedTicket {
    listed(ticket, 2, TicketStatus::Active)
}

#[test]
fn a_bundle_sets_a_wrong_clock_right_and_is_kept() {
    let world = world();
    let reading = world.talk.settings.clock.read();
    assert!((NOW_MS..NOW_MS + 60_000).contains(&reading.now_ms) && !reading.in_doubt, "{reading:?}");
    assert_ne!(reading.offset_ms, 0, "the system's clock says something else");
    assert_eq!(world.talk.journal.anchor().unwrap().map(|anchor| anchor.signed_ms >= NOW_MS), Some(true));
    let Standing::Placed(record, station) = places::load(&world.talk.journal).unwrap() else { panic!("no place") };
    assert_eq!((record.device, station.lane, station.policy_version()), (DEVICE, LANE, 1));
    assert_eq!(station.lane_name(LaneId(2)), "Lane 2");
}

#[test]
fn staff_are_taken_for_this_device_alone_and_never_older() {
    let mut world = world();
    let device_key = world.key.public();
    let letter = |device: DeviceId, version: u64, role: Role| {
        let signer = Organiser::default().key(role);
        let sealed = SealedStaff::seal(&[], (EVENT, device, version), &device_key, &[3; 32], &signer);
        Some(ByteBuf::from(sealed.unwrap()))
    };
    let mut taken = |staff: Option<ByteBuf>| {
        let station = world.bundle(|_, bundle| bundle.staff = staff).unwrap();
        world.station = Arc::clone(&station);
        station.staff_version()
    };
    assert_eq!(taken(letter(DEVICE, 5, Role::Policy)), 5);
    assert_eq!(taken(letter(DEVICE, 4, Role::Policy)), 5, "an older one");
    assert_eq!(taken(letter(DeviceId(0xD1), 6, Role::Policy)), 5, "another device's");
    assert_eq!(taken(letter(DEVICE, 6, Role::Receipt)), 5, "signed by who may not");
    assert_eq!(taken(Some(ByteBuf::from(vec![1; 90]))), 5, "not signed");
    assert_eq!(taken(None), 5, "a server that says nothing takes nothing away");
    assert_eq!(taken(letter(DEVICE, 7, Role::Policy)), 7);
    let Standing::Placed(_, kept) = places::load(&world.talk.journal).unwrap() else { panic!("no place") };
    assert_eq!(kept.staff_version(), 7);
}

#[test]
fn a_bundle_from_anybody_else_is_not_taken() {
    let mut world = world();
    let other = SecretKey::from_bytes(&[66; 32]);
    let refused = |result: Result<Arc<Station>, SyncError>| match result {
        Err(SyncError::Bundle(error)) => error,
        other => panic!("{:?}", other.map(|_| ())),
    };
    let error = refused(world.bundle(|_, bundle| bundle.root = other.public().to_bytes().into()));
    assert!(matches!(error, BundleError::OtherRoot), "{error}");
    let error = refused(world.bundle(|_, bundle| bundle.organiser = "Else".to_owned()));
    assert!(matches!(error, BundleError::OtherOrganiser { .. }), "{error}");
    let error = refused(world.bundle(|_, bundle| bundle.event.id = 8));
    assert!(matches!(error, BundleError::OtherEvent), "{error}");
    let error = refused(world.bundle(|organiser, bundle| {
        bundle.device_certificate = ByteBuf::from(organiser.device_certificate(DEVICE, &other, NOW_S + 60));
    }));
    assert!(matches!(error, BundleError::OtherDevice), "{error}");
    let error = refused(world.bundle(|_, bundle| bundle.time = SignedTime::seal(NOW_MS, &other).unwrap()));
    assert!(matches!(error, BundleError::Time(_)), "{error}");
    // A certificate of another role does not sign times.
    let error = refused(world.bundle(|organiser, bundle| {
        bundle.time = SignedTime::seal(NOW_MS, &organiser.key(Role::Receipt)).unwrap();
    }));
    assert!(matches!(error, BundleError::Time(EnvelopeError::Authority(_))), "{error}");
    assert_eq!(world.station.policy_version(), 1);
}

#[test]
fn what_the_root_did_not_sign_is_left_aside_and_the_rest_taken() {
    let mut world = world();
    let rogue = Organiser { root: SecretKey::from_bytes(&[67; 32]) };
    let station = world.bundle(|_, bundle| {
        bundle.certificates.push(ByteBuf::from(rogue.certificate(Role::Issue, &SecretKey::from_bytes(&[68; 32]))));
        bundle.revocations.push(ByteBuf::from(vec![1, 2, 3]));
        bundle.minimum_list_version = 4;
    });
    let station = station.unwrap();
    assert_eq!(station.trust.certificates().count(), 6);
    assert_eq!(station.minimum_list_version, 4);
    world.station = station;
    let station = world.bundle(|organiser, bundle| {
        bundle.policy = Some(ByteBuf::from(organiser.policy(3).seal(&organiser.key(Role::Policy)).unwrap()));
    });
    world.station = station.unwrap();
    assert_eq!(
        (world.station.policy_version(), world.station.minimum_list_version),
        (3, 4),
        "a minimum never goes down"
    );
    let older = world.bundle(|_, _| {}).unwrap();
    assert_eq!(older.policy_version(), 3, "an older policy is left aside");
    let forged = world.bundle(|organiser, bundle| {
        bundle.policy = Some(ByteBuf::from(organiser.policy(9).seal(&organiser.key(Role::List)).unwrap()));
    });
    assert_eq!(forged.unwrap().policy_version(), 3, "a policy of another role's key is no policy");
    let Standing::Placed(_, kept) = places::load(&world.talk.journal).unwrap() else { panic!("no place") };
    assert_eq!((kept.policy_version(), kept.minimum_list_version), (3, 4));
}

#[test]
fn a_list_with_a_bad_signature_or_of_another_key_is_not_looked_into() {
    let mut world = world();
    let mut list = world.organiser.list(1, 0, &[active(1)]);
    let last = list.envelope.len() - 1;
    list.envelope[last] ^= 1;
    let error = world.list(&list).unwrap_err();
    assert!(matches!(error, SyncError::ListEnvelope(EnvelopeError::Signature)), "{error}");
    list.envelope = envelope::seal(Purpose::List, &list.manifest.to_bytes(), &world.organiser.key(Role::Policy));
    let error = world.list(&list).unwrap_err();
    assert!(matches!(error, SyncError::ListEnvelope(EnvelopeError::Authority(_))), "{error}");
    assert!(error.to_string().contains("goes on with the list it has"), "{error}");
    assert_eq!(world.version(), 0);
}

#[test]
fn an_older_list_is_refused_and_a_renewal_changes_no_ticket() {
    let mut world = world();
    world.list(&world.organiser.list(5, 0, &[active(1), active(2)])).unwrap();
    let error = world.list(&world.organiser.list(4, 0, &[])).unwrap_err();
    assert!(matches!(error, SyncError::List(ListRefusal::Older { known: 5, found: 4 })), "{error}");
    let mut renewal = world.organiser.list(5, 0, &[]);
    renewal.manifest.tickets = 2;
    renewal.envelope = world.organiser.seal_list(&renewal.manifest);
    assert_eq!(world.list(&renewal).unwrap().tickets, 2);
    assert!(world.talk.journal.listed(EVENT, TicketId(2)).unwrap().is_some());
    world.list(&world.organiser.list(6, 5, &[active(3)])).unwrap();
    assert!(world.talk.journal.listed(EVENT, TicketId(1)).unwrap().is_some());
    assert_eq!(world.version(), 6);
}

#[test]
fn a_list_below_the_minimum_is_refused() {
    let mut world = world();
    world.station = world.bundle(|_, bundle| bundle.minimum_list_version = 8).unwrap();
    let error = world.list(&world.organiser.list(7, 0, &[active(1)])).unwrap_err();
    assert!(matches!(error, SyncError::List(ListRefusal::BelowMinimum { minimum: 8, found: 7 })), "{error}");
}

#[test]
fn a_changed_chunk_and_a_bomb_are_refused_and_the_live_list_stays() {
    let mut world = world();
    world.list(&world.organiser.list(1, 0, &[active(1)])).unwrap();
    let next = world.organiser.list(2, 0, &[active(1), active(2)]);
    let spoil = |mut bytes: Vec<u8>| {
        bytes[5] ^= 1;
        bytes
    };
    let error = world.list_with(&next, spoil).unwrap_err();
    assert!(matches!(error, SyncError::Chunk(PackError::List(ListError::Hash))), "{error}");

    let bomb = zstd::bulk::compress(&vec![0; 40_000_000], 19).unwrap();
    let mut list = world.organiser.list(2, 0, &[active(1)]);
    list.chunks[0].named = ChunkRef::of(&bomb, 1_000);
    list.chunks[0].bytes = bomb;
    list.manifest.chunks = vec![list.chunks[0].named.clone()];
    list.envelope = world.organiser.seal_list(&list.manifest);
    let error = world.list(&list).unwrap_err();
    assert!(matches!(error, SyncError::Chunk(PackError::Unpack)), "{error}");
    list.manifest.chunks[0].unpacked = u32::MAX;
    list.envelope = world.organiser.seal_list(&list.manifest);
    let error = world.list(&list).unwrap_err();
    assert!(matches!(error, SyncError::ListContent(_)), "refused before anything is fetched: {error}");
    assert_eq!(world.version(), 1);
    world.list(&next).unwrap();
    assert_eq!(world.version(), 2, "and the right one is taken after all that");
}

#[test]
fn a_list_whose_parts_do_not_come_is_not_shown_in_part() {
    let mut world = world();
    let list = world.organiser.list(1, 0, &[active(1)]);
    let mut nothing = |_: &[u8; 32], _: u64| -> Result<Vec<u8>, HttpError> { Err(HttpError::TooLarge(1)) };
    world.talk.take_list(&list.envelope, &world.station, &mut nothing).unwrap_err();
    assert_eq!(world.version(), 0);
    assert!(world.talk.journal.listed(EVENT, TicketId(1)).unwrap().is_none());
}

fn body(device: DeviceId, seq: u64, ticket: u64) -> RowBody {
    let before = ChainHead { epoch: 4, seq: seq - 1, hash: [0; 32] };
    RowBody {
        at_ms: NOW_MS,
        uncertainty_ms: 4_000,
        code_hash: text_hash(b"x"),
        code_length: 1,
        outcome: gate_core::Outcome::Admit.to_byte(),
        reason: "admitted".to_owned(),
        ticket: Some(TicketId(ticket)),
        serial: ticket_signer::Serial::new(2),
        class: Some(ClassId(CLASS.0)),
        list_version: 1,
        policy_version: 1,
        ..RowBody::after(before, device, EVENT, LaneId(2))
    }
}

fn feed_event(id: u64, message: &FeedMessage) -> Event {
    let data = URL_SAFE_NO_PAD.encode(gate_core::wire::to_cbor(message).unwrap());
    Event { id: Some(id), data }
}

#[test]
fn another_lanes_admission_counts_only_with_its_devices_certificate() {
    let world = world();
    let (key, device) = (SecretKey::from_bytes(&[44; 32]), DeviceId(0xEE));
    let row = || SignedRow::from(gate_core::wire::v1::WireRow::from(body(device, 1, 9).sign(&key))).into();
    let certificate = world.organiser.device_certificate(device, &key, NOW_S + 60);
    assert!(believe(row(), &certificate, &world.station).is_ok());
    let rogue = Organiser { root: SecretKey::from_bytes(&[67; 32]) };
    let mut forged = certificate.clone();
    forged[70] ^= 1;
    assert!(matches!(believe(row(), &forged, &world.station), Err(Disbelief::Authority(_))));
    let other = rogue.device_certificate(device, &SecretKey::from_bytes(&[45; 32]), NOW_S + 60);
    assert!(believe(row(), &other, &world.station).is_err(), "signed by another key than the certificate's");
    let elsewhere = world.organiser.device_certificate(DeviceId(0xEF), &key, NOW_S + 60);
    assert_eq!(believe(row(), &elsewhere, &world.station), Err(Disbelief::Misplaced));
    let ended = world.organiser.device_certificate(device, &key, NOW_S - 3_600);
    assert_eq!(believe(row(), &ended, &world.station), Err(Disbelief::AfterLease));
    let refusal = RowBody { outcome: gate_core::Outcome::Refuse.to_byte(), ..body(device, 1, 9) };
    assert_eq!(believe(refusal.sign(&key).into(), &certificate, &world.station), Err(Disbelief::NoPassage));
}

#[test]
fn a_batch_of_the_feed_is_kept_and_a_conflict_told_with_names() {
    let mut world = world();
    world.list(&world.organiser.list(1, 0, &[active(9)])).unwrap();
    let (key, device) = (SecretKey::from_bytes(&[44; 32]), DeviceId(0xEE));
    let certificate = ByteBuf::from(world.organiser.device_certificate(device, &key, NOW_S + 60));
    let admission = |seq| FeedMessage::Admission {
        row: body(device, seq, 9).sign(&key).into(),
        device_certificate: certificate.clone(),
    };
    let mut batch = Batch::default();
    let time = SignedTime::seal(NOW_MS, &world.organiser.key(Role::Time)).unwrap();
    let forged_time = SignedTime::seal(NOW_MS, &key).unwrap();
    let mut unheard = Unheard::default();
    feed::take(&mut batch, &feed_event(1, &FeedMessage::Time(forged_time)), &world.station, &mut unheard);
    assert!(!batch.heard, "an unsigned word is no word");
    for (id, message) in [
        (11, admission(1)),
        (12, admission(2)),
        (13, FeedMessage::List { version: 3 }),
        (14, FeedMessage::Policy { version: 1 }),
        (15, FeedMessage::Time(time)),
    ] {
        feed::take(&mut batch, &feed_event(id, &message), &world.station, &mut unheard);
    }
    take(&mut batch, &Event { id: Some(16), data: "nonsense".to_owned() }, &world.station, &mut unheard);
    assert_eq!(
        (batch.passages.len(), batch.cursor, batch.list, batch.heard, batch.bundle),
        (2, Some(16), Some(3), true, false)
    );
    let (feed, announced) = world.feed();
    while world.messages.try_recv().is_ok() {}
    feed.act(&mut world.talk.journal, &world.station, batch).unwrap();
    assert_eq!(world.talk.journal.feed_place(EVENT).unwrap(), (16, None));
    assert!(matches!(announced.try_recv(), Ok(Order::Announced { version: 3 })));
    let told: Vec<String> = world.messages.try_iter().map(|message| format!("{message:?}")).collect();
    assert!(
        told.iter().any(|text| text.contains("Conflict") && text.contains("Lane 2") && text.contains("4 s")),
        "{told:?}"
    );
    assert!(told.last().is_some_and(|text| text.contains("Heard")), "heard only after all is kept: {told:?}");
}

/// An admission at another lane whose device was certified by `authority`.
fn admission_under(authority: &SecretKey) -> FeedMessage {
    let (key, device) = (SecretKey::from_bytes(&[44; 32]), DeviceId(0xEE));
    let fields = DeviceCertificateFields {
        device,
        key: key.public(),
        event: EVENT,
        not_before_s: 1,
        not_after_s: u32::try_from(NOW_S + 60).unwrap(),
    };
    let certificate = DeviceCertificate::issue(fields, authority).unwrap();
    FeedMessage::Admission {
        row: body(device, 1, 9).sign(&key).into(),
        device_certificate: ByteBuf::from(certificate.to_bytes().to_vec()),
    }
}

#[test]
fn an_admission_under_an_authority_not_heard_of_waits_for_the_bundle() {
    let mut world = world();
    world.list(&world.organiser.list(1, 0, &[active(9)])).unwrap();
    let (feed, ordered) = world.feed();
    let authority = SecretKey::from_bytes(&[70; 32]);
    let row = feed_event(12, &admission_under(&authority));
    let time = || SignedTime::seal(NOW_MS, &world.organiser.key(Role::Time)).unwrap();
    let events = [
        feed_event(11, &FeedMessage::List { version: 3 }),
        row.clone(),
        feed_event(13, &FeedMessage::List { version: 4 }),
        feed_event(14, &FeedMessage::Time(time())),
    ];
    let mut unheard = Unheard::default();
    let mut batch = Batch::default();
    for event in &events {
        take(&mut batch, event, &world.station, &mut unheard);
    }
    assert_eq!((batch.cursor, batch.list, batch.heard, batch.passages.len()), (Some(11), Some(3), false, 0));
    assert!(batch.waits && batch.bundle);
    while world.messages.try_recv().is_ok() {}
    feed.act(&mut world.talk.journal, &world.station, batch).unwrap();
    assert_eq!(world.talk.journal.feed_place(EVENT).unwrap(), (11, None), "it comes again");
    assert!(ordered.try_iter().any(|order| matches!(order, Order::BundleWanted)));
    assert!(world.messages.try_iter().all(|message| !format!("{message:?}").contains("Heard")));

    let mut again = Batch::default();
    feed::take(&mut again, &row, &world.station, &mut unheard);
    assert!(again.waits, "no other bundle came meanwhile");
    let bundle = world.bundle(|organiser, bundle| {
        bundle.certificates.push(ByteBuf::from(organiser.certificate(Role::Device, &authority)));
    });
    let mut taken = Batch::default();
    take(&mut taken, &row, &bundle.unwrap(), &mut unheard);
    assert_eq!((taken.passages.len(), taken.cursor, taken.waits), (1, Some(12), false));
}

#[test]
fn a_server_that_counts_anew_is_followed() {
    let mut world = world();
    let mut batch = Batch::default();
    for id in [16, 3] {
        take(&mut batch, &feed_event(id, &FeedMessage::Trust), &world.station, &mut Unheard::default());
    }
    assert_eq!(batch.cursor, Some(3), "from the beginning, after a backup was restored");
    let (mut feed, _ordered) = world.feed();
    world.talk.journal.receive(EVENT, &[], Some(16)).unwrap();
    world.talk.journal.keep_feed_generation(EVENT, 8).unwrap();
    let answer = b"HTTP/1.1 200 OK\r\nTurnstone-Feed-Generation: 9\r\nContent-Length: 16\r\n\r\nid: 5\ndata: x\n\n\n";
    let (base, pin, server) = crate::shell::http::tests::serve(answer, 2);
    (feed.base, feed.pin) = (base, pin);
    for place in [(5, Some(9)), (5, Some(9))] {
        feed.listen(&mut world.talk.journal, &mut Unheard::default(), &mut false).unwrap();
        assert_eq!(world.talk.journal.feed_place(EVENT).unwrap(), place);
    }
    let asked = server.join().unwrap();
    assert!(asked[0].starts_with("GET /gate/v1/events/7/feed?cursor=16&generation=8 "), "{}", asked[0]);
    assert!(asked[1].starts_with("GET /gate/v1/events/7/feed?cursor=5&generation=9 "), "{}", asked[1]);
}

#[test]
fn an_authority_that_no_bundle_names_does_not_hold_the_feed_up_for_ever() {
    let mut world = world();
    let row = feed_event(12, &admission_under(&SecretKey::from_bytes(&[70; 32])));
    let mut unheard = Unheard::default();
    let mut waited = 0;
    loop {
        let mut batch = Batch::default();
        feed::take(&mut batch, &row, &world.station, &mut unheard);
        if !batch.waits {
            assert_eq!((batch.passages.len(), batch.cursor), (0, Some(12)), "passed over");
            break;
        }
        waited += 1;
        assert!(waited < 5, "still waiting");
        world.station = world.bundle(|_, _| {}).unwrap();
    }
    assert_eq!(waited, 2, "the first bundle may have been on its way before the row came");
}

#[test]
fn an_authority_that_is_refused_is_not_waited_for() {
    let mut world = world();
    let revoked = SecretKey::from_bytes(&[71; 32]);
    let mut wrong_role = Batch::default();
    let mut unheard = Unheard::default();
    let row = feed_event(12, &admission_under(&world.organiser.key(Role::Issue)));
    feed::take(&mut wrong_role, &row, &world.station, &mut unheard);
    assert_eq!((wrong_role.waits, wrong_role.cursor), (false, Some(12)));
    let station = world.bundle(|organiser, bundle| {
        bundle.certificates.push(ByteBuf::from(organiser.certificate(Role::Device, &revoked)));
        let revocation = KeyRevocation::issue(revoked.public().key_id(), 1, &organiser.root);
        bundle.revocations.push(ByteBuf::from(revocation.to_bytes().to_vec()));
    });
    let mut batch = Batch::default();
    take(&mut batch, &feed_event(13, &admission_under(&revoked)), &station.unwrap(), &mut unheard);
    assert_eq!((batch.waits, batch.cursor, batch.passages.len()), (false, Some(13), 0));
    // A certificate that a known authority did not sign is a forgery, whatever bundle comes.
    let FeedMessage::Admission { row, mut device_certificate } = admission_under(&world.organiser.key(Role::Device))
    else {
        panic!("an admission")
    };
    device_certificate[70] ^= 1;
    let mut forged = Batch::default();
    feed::take(
        &mut forged,
        &feed_event(14, &FeedMessage::Admission { row, device_certificate }),
        &world.station,
        &mut unheard,
    );
    assert_eq!((forged.waits, forged.cursor, forged.passages.len()), (false, Some(14), 0));
}

#[test]
fn a_receipt_must_name_this_device_and_a_row_it_wrote() {
    let mut world = world();
    world.list(&world.organiser.list(1, 0, &[])).unwrap();
    let mut gate = world.talk.settings.database.connect().unwrap();
    let scan =
        gate_core::record::Scan { text: b"menu".to_vec(), verified: Err(ticket_signer::ParseError::Foreign.into()) };
    let policy = world.organiser.policy(1);
    let station = gate_core::record::Station {
        device: DEVICE,
        key: &world.key,
        event: EVENT,
        lane: LANE,
        policy: Some(&policy),
        reach: gate_core::Reach::Alone,
        now: world.talk.settings.clock.read(),
    };
    gate_core::record(gate.begin(EVENT).unwrap(), &scan, None, &station).unwrap();
    let hash = world.talk.journal.row_hash(5, 1).unwrap().unwrap();
    let right = ReceiptPayload { device: DEVICE.0, event: EVENT.0, epoch: 5, seq: 1, hash: hash.into(), at_ms: NOW_MS };
    let now_s = world.talk.settings.clock.read().now_s();
    let seal = |payload: &ReceiptPayload, role| payload.seal(&Organiser::default().key(role)).unwrap();
    let fault = |world: &mut World, receipt: &Receipt| match take_receipt(
        &mut world.talk.journal,
        &world.station,
        now_s,
        receipt,
    ) {
        Err(SyncError::Receipt(fault)) => fault,
        other => panic!("{other:?}"),
    };
    assert!(matches!(fault(&mut world, &seal(&right, Role::Time)), ReceiptFault::Envelope(_)));
    let other = ReceiptPayload { device: 1, ..right.clone() };
    assert!(matches!(fault(&mut world, &seal(&other, Role::Receipt)), ReceiptFault::OtherDevice));
    for forged in [
        ReceiptPayload { hash: [0; 32].into(), ..right.clone() },
        ReceiptPayload { seq: 2, ..right.clone() },
        ReceiptPayload { epoch: 6, ..right.clone() },
    ] {
        assert!(matches!(fault(&mut world, &seal(&forged, Role::Receipt)), ReceiptFault::OtherRow));
    }
    assert_eq!(world.talk.journal.progress().unwrap().receipted_seq, 0, "nothing forged is kept");
    let kept = take_receipt(&mut world.talk.journal, &world.station, now_s, &seal(&right, Role::Receipt)).unwrap();
    assert_eq!((kept, world.talk.journal.progress().unwrap().receipted_seq), (Some(1), 1));
}

#[test]
fn a_replayed_time_does_not_set_the_clock_back() {
    let mut world = world();
    let before = world.talk.settings.clock.read().now_ms;
    let old = SignedTime::seal(NOW_MS - 86_400_000, &world.organiser.key(Role::Time)).unwrap();
    world.bundle(|_, bundle| bundle.time = old).unwrap();
    assert!(world.talk.settings.clock.read().now_ms >= before);
    let at = DeviceTime { system_ms: 0, boot_ms: 1, boot_id: 1 };
    assert!(world.talk.settings.clock.take_signed(NOW_MS * 2, at, DeviceTime { boot_id: 2, ..at }).is_none());
}
