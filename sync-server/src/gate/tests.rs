//! The gate through the router, on a real database, with a handheld's key.

mod bad_messages;
mod edges;
mod evening;
mod frozen;
mod old_and_new;
mod profile;
mod release;
mod status;
mod wipes;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use gate_core::Grant;
use gate_core::chain::{ChainHead, row_hash};
use gate_core::row::{RowBody, SignedRow};
use gate_core::wire::v1::{
    EnrolAnswer, EnrolRequest, EnrolmentCode, EnrolmentStatus, FeedMessage, GENERATION_HEADER, GrantAnswer,
    GrantRequest, ListAnswer, ScanAnswer, ScanUpload, StationBundle,
};
use gate_core::wire::{from_cbor, to_cbor};
use gate_core::{Policy, pack, request};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use ticket_signer::list::ListLine;
use ticket_signer::{
    DeviceCertificate, DeviceId, EventId, LaneId, ListManifest, PublicKey, Purpose, SecretKey, TicketId, TrustStore,
    envelope,
};

use crate::testing::{NOW_MS, ORGANISER, Server, json_of};

mod staff;

const EVENT: EventId = EventId(1);
const EPOCH: u64 = 77;

/// A handheld without a screen.
struct Handheld {
    key: SecretKey,
    id: DeviceId,
    rows: Vec<SignedRow>,
}

async fn office(server: &Server, cookie: &str, method: &str, path: &str, body: Value) -> (StatusCode, Value) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("cookie", cookie)
        .header("content-type", "application/json")
        .header("idempotency-key", server.site.platform.random.token(""))
        .body(if body.is_null() { Body::empty() } else { Body::from(body.to_string()) })
        .unwrap();
    json_of(server.send(request).await).await
}

async fn enrolment_code(server: &Server, cookie: &str, lane: u32) -> EnrolmentCode {
    let (status, made) =
        office(server, cookie, "POST", "/api/v1/events/1/enrolments", json!({ "lane_id": lane })).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    EnrolmentCode::parse(made["qr_text"].as_str().unwrap()).unwrap()
}

async fn post_cbor(server: &Server, path: &str, body: Vec<u8>) -> (StatusCode, Vec<u8>) {
    let response = server.send(Request::post(path).body(Body::from(body)).unwrap()).await;
    let status = response.status();
    (status, response.into_body().collect().await.unwrap().to_bytes().to_vec())
}

async fn enrol(server: &Server, code: &EnrolmentCode, which: u8) -> (StatusCode, Vec<u8>) {
    let key = SecretKey::from_bytes(&[which; 32]);
    let request = EnrolRequest::new(code.one_time, &key, format!("H{which}"), "0.1.0".to_owned());
    post_cbor(server, "/gate/v1/enrol", to_cbor(&request).unwrap()).await
}

impl Handheld {
    async fn confirmed(server: &Server, cookie: &str, which: u8, lane: u32) -> Self {
        let code = enrolment_code(server, cookie, lane).await;
        let (status, body) = enrol(server, &code, which).await;
        assert_eq!(status, StatusCode::OK);
        let answer: EnrolAnswer = from_cbor(&body).unwrap();
        let key = SecretKey::from_bytes(&[which; 32]);
        let id = DeviceId(answer.device);
        let confirm = json!({ "fingerprint": key.public().spoken_fingerprint() });
        let (status, answer) = office(server, cookie, "POST", &format!("/api/v1/devices/{id}/confirm"), confirm).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        Handheld { key, id, rows: Vec::new() }
    }

    async fn ask(&self, server: &Server, method: &str, path: &str, body: Vec<u8>) -> (StatusCode, Vec<u8>) {
        let header = request::sign(&self.key, self.id, method, path, NOW_MS, &body);
        let request =
            Request::builder().method(method).uri(path).header(request::HEADER, header).body(Body::from(body)).unwrap();
        let response = server.send(request).await;
        let status = response.status();
        (status, response.into_body().collect().await.unwrap().to_bytes().to_vec())
    }

    async fn bundle(&self, server: &Server) -> StationBundle {
        let (status, body) = self.ask(server, "GET", "/gate/v1/events/1/bundle", Vec::new()).await;
        assert_eq!(status, StatusCode::OK, "{}", String::from_utf8_lossy(&body));
        from_cbor(&body).unwrap()
    }

    async fn push(&self, server: &Server, rows: &[SignedRow]) -> (StatusCode, ScanAnswer) {
        let upload = ScanUpload { event: 1, rows: rows.iter().cloned().map(Into::into).collect() };
        let (status, body) = self.ask(server, "POST", "/gate/v1/scans", to_cbor(&upload).unwrap()).await;
        (status, from_cbor(&body).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&body))))
    }

    /// One more row in the chain: an admission of `ticket` at `at_ms`.
    fn admit(&mut self, lane: u32, ticket: u64, at_ms: i64) {
        self.admit_as(1, lane, ticket, at_ms);
    }

    fn admit_as(&mut self, class: u16, lane: u32, ticket: u64, at_ms: i64) {
        let prev = self.rows.last().map_or([0; 32], |row| row_hash(&row.bytes));
        let before = ChainHead { epoch: EPOCH, seq: self.rows.len() as u64, hash: prev };
        let body = RowBody {
            at_ms,
            uncertainty_ms: 5,
            code: Some("T1S".to_owned()),
            code_length: 3,
            outcome: 1,
            reason: "admitted".to_owned(),
            ticket: Some(TicketId(ticket)),
            serial: ticket_signer::Serial::new(2),
            class: Some(ticket_signer::ClassId(class)),
            list_version: 1,
            policy_version: 1,
            ..RowBody::after(before, self.id, EVENT, LaneId(lane))
        };
        self.rows.push(body.sign(&self.key));
    }
}

fn trust(bundle: &StationBundle) -> TrustStore {
    let mut trust = TrustStore::new(PublicKey::from_bytes(&bundle.root).unwrap(), ORGANISER);
    for certificate in &bundle.certificates {
        trust.add_certificate(certificate).unwrap();
    }
    trust
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handheld_enrols_once_and_gets_what_it_can_check() {
    let server = Server::with_event().await;
    let cookie = server.sign_in().await;
    let code = enrolment_code(&server, &cookie, 1).await;
    let (status, first) = enrol(&server, &code, 5).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(enrol(&server, &code, 5).await, (StatusCode::OK, first.clone()), "a lost reply is had again");
    assert_eq!(enrol(&server, &code, 6).await.0, StatusCode::GONE, "the code is used");
    let answer: EnrolAnswer = from_cbor(&first).unwrap();
    let handheld = Handheld { key: SecretKey::from_bytes(&[5; 32]), id: DeviceId(answer.device), rows: Vec::new() };
    let (_, status) = handheld.ask(&server, "GET", "/gate/v1/enrolment", Vec::new()).await;
    assert_eq!(from_cbor::<EnrolmentStatus>(&status).unwrap(), EnrolmentStatus::Pending);
    assert_eq!(handheld.ask(&server, "GET", "/gate/v1/events/1/bundle", Vec::new()).await.0, StatusCode::FORBIDDEN);
    let path = format!("/api/v1/devices/{}/confirm", handheld.id);
    let wrong = json!({ "fingerprint": "0000-0000-0000-0000" });
    assert_eq!(office(&server, &cookie, "POST", &path, wrong).await.0, StatusCode::CONFLICT);
    let right = json!({ "fingerprint": handheld.key.public().spoken_fingerprint() });
    assert_eq!(office(&server, &cookie, "POST", &path, right).await.0, StatusCode::OK);
    let bundle = handheld.bundle(&server).await;
    let trust = trust(&bundle);
    assert_eq!(trust.root().fingerprint(), code.root_fingerprint);
    let certificate = DeviceCertificate::from_bytes(&bundle.device_certificate).unwrap();
    trust.device(&certificate).unwrap();
    assert_eq!(i64::from(certificate.fields().not_after_s) * 1_000, NOW_MS + 12 * 3_600_000);
    assert_eq!(bundle.time.open(&trust, EVENT), Ok(NOW_MS));
    let policy = Policy::open(bundle.policy.as_ref().unwrap(), &trust, EVENT, NOW_MS / 1_000, 0).unwrap();
    assert_eq!(
        (policy.version, policy.lanes.len(), policy.printed_classes),
        (NOW_MS.unsigned_abs() / 1_000, 2, vec![1])
    );
    assert_eq!(handheld.bundle(&server).await.policy, bundle.policy, "the same policy is not signed again");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_enrolment_code_runs_out() {
    let server = Server::with_event().await;
    let cookie = server.sign_in().await;
    let code = enrolment_code(&server, &cookie, 1).await;
    server.site.platform.clock.advance_ms(super::devices::CODE_LIFE_MS);
    assert_eq!(enrol(&server, &code, 5).await.0, StatusCode::GONE);
    let unknown = EnrolmentCode { one_time: [9; 16], ..code };
    assert_eq!(enrol(&server, &unknown, 5).await.0, StatusCode::FORBIDDEN);
}

/// Fetches the list from `cursor`, checks everything, and returns manifest and lines.
async fn fetch_list(
    server: &Server,
    handheld: &Handheld,
    trust: &TrustStore,
    cursor: u64,
) -> (ListManifest, Vec<ListLine>) {
    let path = format!("/gate/v1/events/1/list?cursor={cursor}");
    let (status, body) = handheld.ask(server, "GET", &path, Vec::new()).await;
    assert_eq!(status, StatusCode::OK, "{}", String::from_utf8_lossy(&body));
    let ListAnswer::Manifest(signed) = from_cbor(&body).unwrap() else { panic!("up to date") };
    let payload = envelope::open(Purpose::List, &signed, trust, EVENT, NOW_MS / 1_000).unwrap();
    let manifest = ListManifest::from_bytes(payload).unwrap();
    let mut lines = Vec::new();
    for named in &manifest.chunks {
        let hash: String = named.hash.iter().map(|byte| format!("{byte:02x}")).collect();
        let (status, bytes) =
            handheld.ask(server, "GET", &format!("/gate/v1/events/1/chunks/{hash}"), Vec::new()).await;
        assert_eq!(status, StatusCode::OK);
        lines.extend(pack::open(named, &bytes).unwrap());
    }
    (manifest, lines)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_cannot_be_read_is_told_in_plain_words() {
    let server = Server::with_event().await;
    let whole = to_cbor(&EnrolRequest::new([0; 16], &SecretKey::from_bytes(&[5; 32]), "H".to_owned(), "0".to_owned()));
    let whole = whole.unwrap();
    let cases = [
        (whole[..whole.len() - 9].to_vec(), "it ends too early"),
        (Vec::new(), "it ends too early"),
        (b"{\"name\": 1}".to_vec(), "it is not what this version expects"),
        ([&b"\xa1\x61x"[..], &[0x81; 100]].concat(), "it is nested too deeply"),
        ([&whole[..], &[0]].concat(), "more bytes follow it"),
    ];
    for (body, words) in cases {
        let (status, answer) = post_cbor(&server, "/gate/v1/enrol", body.clone()).await;
        let problem: Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &json!("malformed")), "{body:?}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(words) && detail.contains("Send the whole message again"), "{body:?}: {detail}");
        assert!(!["Error", "Semantic", "Io(", "Some("].iter().any(|word| detail.contains(word)), "{detail}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_enrolment_code_is_not_kept_longer_than_it_is_good_for() {
    let server = Server::with_event().await;
    let cookie = server.sign_in().await;
    let ask = |body: &'static str| {
        let request = Request::post("/api/v1/events/1/enrolments")
            .header("cookie", &cookie)
            .header("content-type", "application/json")
            .header("idempotency-key", "one")
            .body(Body::from(body))
            .unwrap();
        async { json_of(server.send(request).await).await }
    };
    let first = ask(r#"{"lane_id": 1}"#).await;
    server.site.platform.clock.advance_ms(119_000);
    assert_eq!((ask(r#"{"lane_id": 1}"#).await, first.0), (first.clone(), StatusCode::CREATED), "a reply may be lost");
    server.site.platform.clock.advance_ms(1_000);
    for _ in 0..2 {
        let (status, problem) = ask(r#"{"lane_id": 1}"#).await;
        assert_eq!((status, &problem["code"]), (StatusCode::GONE, &json!("answer_expired")), "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains("Ask for a new one"), "{problem}");
        let mut tx = server.site.platform.store.write().await.unwrap();
        crate::platform::http::idempotency::forget_old(&mut tx, server.site.platform.clock.now_ms()).await.unwrap();
        tx.commit().await.unwrap();
    }
    assert_eq!(ask(r#"{"lane_id": 2}"#).await.1["code"], "idempotency_key_reused", "the key is remembered");
    let mut tx = server.site.platform.store.read().await.unwrap();
    let stored: Vec<(Vec<u8>,)> =
        tx.query("SELECT answer FROM idempotency WHERE idempotency_key = 'one'", &[]).await.unwrap();
    assert_eq!(stored, [(Vec::new(),)], "the code lies nowhere any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_full_at_first_then_a_delta_then_a_renewal() {
    let server = Server::with_event().await;
    let cookie = server.sign_in().await;
    let handheld = Handheld::confirmed(&server, &cookie, 5, 1).await;
    let trust = trust(&handheld.bundle(&server).await);
    let (empty, lines) = fetch_list(&server, &handheld, &trust, 0).await;
    assert_eq!((empty.version, empty.tickets, empty.classes.len(), lines.len()), (1, 0, 2, 0));
    let tickets = json!({ "tickets": vec![json!({ "class": 1 }); 30] });
    let (_, issued) = server.call("POST", "/api/v1/events/1/tickets:batch", tickets).await;
    let (full, lines) = fetch_list(&server, &handheld, &trust, 0).await;
    assert_eq!((full.version, full.base, full.tickets, lines.len()), (2, 0, 30, 30));
    let revoke = format!("/api/v1/tickets/{}/revoke", issued["tickets"][4]["ticket_id"].as_str().unwrap());
    server.call("POST", &revoke, json!({})).await;
    let (delta, lines) = fetch_list(&server, &handheld, &trust, 2).await;
    assert_eq!((delta.version, delta.base, delta.tickets, lines.len()), (3, 2, 30, 1));
    assert_eq!(lines[0].status, ticket_signer::TicketStatus::Revoked);
    assert_eq!(lines[0].ticket.to_string(), issued["tickets"][4]["ticket_id"].as_str().unwrap());
    let (_, body) = handheld.ask(&server, "GET", "/gate/v1/events/1/list?cursor=3", Vec::new()).await;
    assert_eq!(from_cbor::<ListAnswer>(&body).unwrap(), ListAnswer::UpToDate);
    server.site.platform.clock.advance_ms(3_600_000);
    let (renewal, lines) = fetch_list(&server, &handheld, &trust, 3).await;
    assert_eq!((renewal.version, renewal.tickets, lines.len()), (3, 30, 0));
    assert_eq!(renewal.base, 3, "it must not pass for a full list without tickets");
    assert!(renewal.expires_at_s > delta.expires_at_s);
    let (status, _) = handheld.ask(&server, "GET", "/gate/v1/events/1/list?cursor=99", Vec::new()).await;
    assert_eq!(status, StatusCode::CONFLICT, "a list from the future");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_stored_once_in_any_order_and_a_receipt_covers_them() {
    let server = Server::with_event().await;
    let cookie = server.sign_in().await;
    let mut handheld = Handheld::confirmed(&server, &cookie, 5, 1).await;
    let trust = trust(&handheld.bundle(&server).await);
    for ticket in 1..=6 {
        handheld.admit(1, ticket, NOW_MS + ticket as i64);
    }
    let rows = handheld.rows.clone();
    let (status, answer) = handheld.push(&server, &rows[3..]).await;
    assert_eq!((status, answer.stored, answer.duplicates), (StatusCode::OK, 3, 0));
    let receipt = answer.receipts[0].open(&trust, EVENT, NOW_MS / 1_000).unwrap();
    assert_eq!(receipt.seq, 0, "the first rows are missing");
    let (_, answer) = handheld.push(&server, &rows[..4]).await;
    assert_eq!((answer.stored, answer.duplicates), (3, 1));
    let receipt = answer.receipts[0].open(&trust, EVENT, NOW_MS / 1_000).unwrap();
    assert_eq!((receipt.seq, receipt.hash.into_array()), (6, row_hash(&rows[5].bytes)));
    let (_, again) = handheld.push(&server, &rows).await;
    assert_eq!((again.stored, again.duplicates, again.incidents.len()), (0, 6, 0));
    let mut forked = Handheld { key: SecretKey::from_bytes(&[5; 32]), id: handheld.id, rows: rows[..1].to_vec() };
    forked.admit(1, 999, NOW_MS);
    let (status, answer) = handheld.push(&server, &forked.rows[1..]).await;
    assert_eq!((status, answer.stored, answer.incidents[0].code.as_str()), (StatusCode::OK, 0, "fork"));
    let mut tx = server.site.platform.store.read().await.unwrap();
    assert_eq!(super::check(&mut tx).await.unwrap(), Vec::<String>::new());
    let (kept,): (i64,) = tx.query_one("SELECT COUNT(*) FROM scans", &[]).await.unwrap();
    assert_eq!(kept, 6);
    assert_eq!(super::store::incidents(&mut tx, 1).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_admitted_at_two_lanes_is_a_conflict_and_reaches_the_feed() {
    let server = Server::with_event().await;
    let cookie = server.sign_in().await;
    let mut one = Handheld::confirmed(&server, &cookie, 5, 1).await;
    let mut two = Handheld::confirmed(&server, &cookie, 6, 2).await;
    one.bundle(&server).await;
    two.bundle(&server).await;
    one.admit(1, 42, NOW_MS + 1_000);
    one.admit(1, 43, NOW_MS + 2_000);
    two.admit(2, 42, NOW_MS + 500);
    one.push(&server, &one.rows).await;
    two.push(&server, &two.rows).await;
    let (status, answer) = office(&server, &cookie, "GET", "/api/v1/events/1/conflicts", Value::Null).await;
    assert_eq!(status, StatusCode::OK);
    let conflicts = answer["conflicts"].as_array().unwrap();
    assert_eq!((conflicts.len(), &conflicts[0]["ticket_id"]), (1, &json!("000000000000002a")));
    let lanes: Vec<&Value> =
        conflicts[0]["passages"].as_array().unwrap().iter().map(|admission| &admission["lane"]).collect();
    assert_eq!(lanes, [&json!("Lane 2"), &json!("Lane 1")], "oldest first");
    let mut tx = server.site.platform.store.read().await.unwrap();
    let fed = super::store::passages_after(&mut tx, 1, 0, two.id, 10).await.unwrap();
    assert_eq!(fed.iter().map(|fed| fed.row.clone()).collect::<Vec<_>>(), one.rows, "what others did, not one's own");
    assert_eq!(super::store::passages_after(&mut tx, 1, fed[0].merged, two.id, 10).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_devices_rows_are_kept_and_count_for_nothing() {
    let server = Server::with_event().await;
    let cookie = server.sign_in().await;
    let mut handheld = Handheld::confirmed(&server, &cookie, 5, 1).await;
    handheld.bundle(&server).await;
    let revoke = format!("/api/v1/devices/{}/revoke", handheld.id);
    assert_eq!(office(&server, &cookie, "POST", &revoke, json!({})).await.0, StatusCode::OK);
    handheld.admit(1, 42, NOW_MS);
    handheld.admit(1, 42, NOW_MS + 1);
    let (status, answer) = handheld.push(&server, &handheld.rows).await;
    assert_eq!((status, answer.quarantined, answer.stored), (StatusCode::ACCEPTED, true, 2));
    let (_, conflicts) = office(&server, &cookie, "GET", "/api/v1/events/1/conflicts", Value::Null).await;
    assert_eq!(conflicts["conflicts"], json!([]));
    assert_eq!(handheld.ask(&server, "GET", "/gate/v1/events/1/bundle", Vec::new()).await.0, StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_not_the_devices_or_not_readable_change_nothing() {
    let server = Server::with_event().await;
    let cookie = server.sign_in().await;
    let mut handheld = Handheld::confirmed(&server, &cookie, 5, 1).await;
    handheld.admit(1, 42, NOW_MS);
    let upload = ScanUpload { event: 1, rows: handheld.rows.iter().cloned().map(Into::into).collect() };
    let body = to_cbor(&upload).unwrap();
    let forger = Handheld { key: SecretKey::from_bytes(&[66; 32]), id: handheld.id, rows: Vec::new() };
    assert_eq!(forger.ask(&server, "POST", "/gate/v1/scans", body.clone()).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(post_cbor(&server, "/gate/v1/scans", body.clone()).await.0, StatusCode::UNAUTHORIZED, "no signature");
    let cut = body[..body.len() / 2].to_vec();
    assert_eq!(handheld.ask(&server, "POST", "/gate/v1/scans", cut).await.0, StatusCode::BAD_REQUEST);
    let many = ScanUpload { event: 1, rows: vec![upload.rows[0].clone(); ScanUpload::MAX_ROWS + 1] };
    let (status, _) = handheld.ask(&server, "POST", "/gate/v1/scans", to_cbor(&many).unwrap()).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let elsewhere = ScanUpload { event: 2, ..upload };
    let (status, _) = handheld.ask(&server, "POST", "/gate/v1/scans", to_cbor(&elsewhere).unwrap()).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let nobody = office(&server, "", "GET", "/api/v1/events/1/devices", Value::Null).await;
    assert_eq!(nobody.0, StatusCode::UNAUTHORIZED);
    let mut tx = server.site.platform.store.read().await.unwrap();
    let (kept,): (i64,) = tx.query_one("SELECT COUNT(*) FROM scans", &[]).await.unwrap();
    assert_eq!(kept, 0);
}

/// The next events of a stream, up to and with the first for which `last` holds.
async fn events(body: &mut Body, last: impl Fn(&str) -> bool) -> Vec<(Option<u64>, String)> {
    let mut text = String::new();
    loop {
        let frame = body.frame().await.expect("the stream goes on").unwrap();
        text.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
        let whole = text.rfind("\n\n").map_or("", |end| &text[..end]);
        let field = |event: &str, name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        let events: Vec<_> = whole
            .split("\n\n")
            .filter_map(|event| {
                let id = field(event, "id: ").and_then(|id| id.parse().ok());
                Some((id, field(event, "data: ")?))
            })
            .collect();
        if events.iter().any(|(_, data)| last(data)) {
            return events;
        }
    }
}

fn message(data: &str) -> FeedMessage {
    from_cbor(&crate::platform::ids::parse_base64url(data).unwrap()).unwrap()
}

async fn open_feed(server: &Server, handheld: &Handheld, cursor: u64) -> Body {
    feed_at(server, handheld, &cursor.to_string()).await.0
}

/// The feed from `place` on (a cursor, and what else stands in the query), and its generation.
async fn feed_at(server: &Server, handheld: &Handheld, place: &str) -> (Body, u64) {
    let path = format!("/gate/v1/events/1/feed?cursor={place}");
    let header = request::sign(&handheld.key, handheld.id, "GET", &path, NOW_MS, &[]);
    let request = Request::get(path).header(request::HEADER, header).body(Body::empty()).unwrap();
    let response = server.send(request).await;
    assert_eq!(response.status(), StatusCode::OK);
    let generation = response.headers()[GENERATION_HEADER].to_str().unwrap().parse().unwrap();
    (response.into_body(), generation)
}

/// What a feed says up to its first time: kinds by name, and the cursor to come back with.
async fn until_time(feed: &mut Body) -> (Vec<&'static str>, Option<u64>) {
    let events = events(feed, |data| matches!(message(data), FeedMessage::Time(_))).await;
    let kind = |data: &str| match message(data) {
        FeedMessage::Admission { .. } => "admission",
        FeedMessage::List { .. } => "list",
        FeedMessage::Policy { .. } => "policy",
        FeedMessage::Staff { .. } => "staff",
        FeedMessage::Trust => "trust",
        FeedMessage::Time(_) => "time",
        FeedMessage::Alive(_) => "alive",
        FeedMessage::Receipt(_) => "receipt",
    };
    (events.iter().map(|(_, data)| kind(data)).collect(), events.last().unwrap().0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_tells_the_time_after_all_that_was_before_it() {
    let server = Server::with_event().await;
    let cookie = server.sign_in().await;
    let mut one = Handheld::confirmed(&server, &cookie, 5, 1).await;
    let mut two = Handheld::confirmed(&server, &cookie, 6, 2).await;
    one.bundle(&server).await;
    two.bundle(&server).await;
    for ticket in 0..600 {
        one.admit(1, ticket, NOW_MS);
    }
    two.admit(2, 999, NOW_MS);
    one.push(&server, &one.rows).await;
    two.push(&server, &two.rows).await;

    let mut feed = open_feed(&server, &two, 0).await;
    let (kinds, cursor) = until_time(&mut feed).await;
    assert!(kinds[..600].iter().all(|kind| *kind == "admission"), "more than one part, without waiting between them");
    assert_eq!(kinds[600..], ["list", "policy", "time"]);
    assert_eq!(cursor, Some(601), "the lane's own row is passed over");
    let (kinds, _) = until_time(&mut open_feed(&server, &two, 601).await).await;
    assert_eq!(kinds, ["list", "policy", "time"]);
    let (kinds, _) = until_time(&mut open_feed(&server, &two, 9_999).await).await;
    assert_eq!(kinds.len(), 603, "a cursor from before a backup was restored begins again");
    let (_, generation) = feed_at(&server, &two, "601").await;
    let (mut same, again) = feed_at(&server, &two, &format!("601&generation={generation}")).await;
    assert_eq!((until_time(&mut same).await.0.len(), again), (3, generation));
    let (mut other, _) = feed_at(&server, &two, &format!("601&generation={}", generation ^ 1)).await;
    assert_eq!(until_time(&mut other).await.0.len(), 603, "also when this server has as many rows by now");

    // It hears at once what another lane sends, and nothing more once it is revoked.
    one.admit(1, 777, NOW_MS);
    one.push(&server, &one.rows[600..]).await;
    let heard = events(&mut feed, |data| matches!(message(data), FeedMessage::Admission { .. })).await;
    assert_eq!(heard.last().unwrap().0, Some(602));
    let revoke = format!("/api/v1/devices/{}/revoke", two.id);
    office(&server, &cookie, "POST", &revoke, json!({})).await;
    assert!(feed.frame().await.is_none(), "the feed of a revoked handheld ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_page_has_a_snapshot_at_once() {
    let server = Server::with_event().await;
    let cookie = server.sign_in().await;
    let mut handheld = Handheld::confirmed(&server, &cookie, 5, 1).await;
    handheld.bundle(&server).await;
    handheld.admit(1, 42, NOW_MS - 600_000);
    handheld.admit(1, 43, NOW_MS);
    handheld.push(&server, &handheld.rows).await;
    let snapshot = || async {
        let cookie = server.sign_in().await;
        let request = Request::get("/api/v1/events/1/live").header("cookie", &cookie).body(Body::empty()).unwrap();
        let mut body = server.send(request).await.into_body();
        serde_json::from_str::<Value>(&events(&mut body, |_| true).await[0].1).unwrap()
    };
    let first = snapshot().await;
    let lane = &first["lanes"][0];
    assert_eq!(lane["totals"], json!({ "admitted": 2, "refused": 0, "review": 0 }));
    assert_eq!(lane["per_minute"]["admitted"], 1);
    let history = lane["history"].as_array().unwrap();
    let admitted: Vec<i64> = history.iter().map(|minute| minute["admitted"].as_i64().unwrap()).collect();
    assert_eq!((history.len(), admitted.iter().sum::<i64>(), admitted[19], admitted[29]), (30, 2, 1, 1));
    assert_eq!((&lane["devices"][0]["state"], &lane["devices"][0]["head_seq"]), (&json!("confirmed"), &json!(2)));
    server.site.platform.clock.advance_ms(13 * 3_600_000);
    assert_eq!(snapshot().await["lanes"][0]["devices"][0]["state"], "expired", "its lease has run out");
}

async fn live(server: &Server) -> Value {
    let cookie = server.sign_in().await;
    let request = Request::get("/api/v1/events/1/live").header("cookie", &cookie).body(Body::empty()).unwrap();
    let mut body = server.send(request).await.into_body();
    serde_json::from_str(&events(&mut body, |_| true).await[0].1).unwrap()
}

async fn decide(server: &Server, decision: Value, minutes: u32) -> (StatusCode, Value) {
    let cookie = server.sign_in().await;
    let body = json!({ "decision": decision, "minutes": minutes });
    office(server, &cookie, "POST", "/api/v1/events/1/decisions", body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_supervisor_decides_reaches_the_lanes_signed_and_ends_by_itself() {
    let server = Server::with_event().await;
    let cookie = server.sign_in().await;
    let handheld = Handheld::confirmed(&server, &cookie, 5, 1).await;
    let signed = || async {
        let bundle = handheld.bundle(&server).await;
        let now_s = server.site.platform.clock.now_ms() / 1_000;
        Policy::open(bundle.policy.as_ref().unwrap(), &trust(&bundle), EVENT, now_s, 0).unwrap()
    };
    let before = signed().await;
    assert_eq!(live(&server).await["lanes"][0]["devices"][0]["policy_current"], true);

    let (status, closed) = decide(&server, json!({ "kind": "lane_closed", "lane_id": 1 }), 30).await;
    assert_eq!((status, &closed["until_ms"]), (StatusCode::CREATED, &json!(NOW_MS + 1_800_000)), "{closed}");
    let (status, said) =
        decide(&server, json!({ "kind": "message", "lanes": [1], "text": "Doors in 5 minutes" }), 10).await;
    assert_eq!(status, StatusCode::CREATED, "{said}");
    let page = live(&server).await;
    assert_eq!((&page["lanes"][0]["closed"], &page["lanes"][1]["closed"]), (&json!(true), &json!(false)));
    assert_eq!(page["lanes"][0]["devices"][0]["policy_current"], false, "it was sent nothing yet");
    assert_eq!((&page["lanes"][0]["direction"], &page["lanes"][0]["classes"]), (&json!("in"), &json!([])));
    assert_eq!(page["decisions"], json!([closed, said]));

    let policy = signed().await;
    assert!(policy.version > before.version);
    assert!(policy.at(NOW_MS).lane(LaneId(1)).unwrap().closed);
    assert!(!policy.at(NOW_MS + 1_800_000).lane(LaneId(1)).unwrap().closed, "its end is on board");
    let texts = |at_ms, lane| policy.messages_for(LaneId(lane), at_ms).map(|m| m.text.clone()).collect::<Vec<_>>();
    assert_eq!(texts(NOW_MS, 1), ["Doors in 5 minutes"]);
    assert_eq!((texts(NOW_MS, 2).len(), texts(NOW_MS + 600_000, 1).len()), (0, 0));
    assert_eq!(live(&server).await["lanes"][0]["devices"][0]["policy_current"], true);

    // By time: ten minutes later the message has left the policy, without anybody's doing.
    server.site.platform.clock.advance_ms(600_000);
    let page = live(&server).await;
    assert_eq!(page["decisions"].as_array().unwrap().len(), 1);
    assert_eq!(page["lanes"][0]["devices"][0]["policy_current"], true, "what ends by itself needs no word");
    // By hand, twice.
    let end = format!("/api/v1/decisions/{}/end", closed["id"]);
    for _ in 0..2 {
        let (status, ended) = office(&server, &cookie, "POST", &end, json!({})).await;
        assert_eq!((status, &ended["until_ms"]), (StatusCode::OK, &json!(NOW_MS + 600_000)), "{ended}");
    }
    assert_eq!(live(&server).await["lanes"][0]["closed"], false);
    let after = signed().await;
    assert!(after.version > policy.version && after.temporary.is_empty() && after.messages.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_restored_from_an_older_copy_signs_above_what_it_had_signed() {
    let server = Server::with_event().await;
    let cookie = server.sign_in().await;
    let handheld = Handheld::confirmed(&server, &cookie, 5, 1).await;
    let version = || async {
        let bundle = handheld.bundle(&server).await;
        Policy::open(bundle.policy.as_ref().unwrap(), &trust(&bundle), EVENT, NOW_MS / 1_000, 0).unwrap().version
    };
    let mut before = version().await;
    for text in ["One", "Two", "Three"] {
        let (status, _) = decide(&server, json!({ "kind": "message", "lanes": [], "text": text }), 30).await;
        assert_eq!(status, StatusCode::CREATED);
        assert!(version().await > before);
        before = version().await;
    }
    // As an older copy knows it, a minute later.
    let mut tx = server.site.platform.store.write().await.unwrap();
    for table in ["decisions", "signed_policies"] {
        tx.execute(&format!("DELETE FROM {table}"), &[]).await.unwrap();
    }
    tx.commit().await.unwrap();
    server.site.platform.clock.advance_ms(60_000);
    decide(&server, json!({ "kind": "lane_closed", "lane_id": 1 }), 30).await;
    assert!(version().await > before);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_nothing_can_be_decided_and_the_gates_keep_what_they_have() {
    let server = Server::with_event().await;
    let gate = |keys| super::Gate::new(server.site.platform.clone(), std::sync::Arc::new(keys));
    let (here, nowhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let keyed = gate(crate::testing::keys(here.path()));
    let keyless = gate(crate::platform::keys::KeyRing::load(nowhere.path()).unwrap());
    let mut tx = server.site.platform.store.write().await.unwrap();
    let signed = super::policies::current(&keyed, &mut tx, 1).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    let mut tx = server.site.platform.store.write().await.unwrap();
    let by = crate::platform::Actor::Staff { id: 1, name: "anna".into(), role: crate::platform::StaffRole::Supervisor };
    let closed = (super::decisions::Decision::LaneClosed { lane_id: 1 }, 30);
    let refused = super::decisions::make(&keyless, &mut tx, 1, closed, &by).await;
    assert!(refused.unwrap_err().to_string().contains("key"), "nobody could sign it");
    // Even if it were there, the handhelds go on with what was signed.
    let kept = super::policies::current(&keyless, &mut tx, 1).await.unwrap().unwrap();
    assert_eq!((kept.version, kept.bytes), (signed.version, signed.bytes));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_that_cannot_hold_is_refused_and_changes_nothing() {
    let server = Server::with_event().await;
    let refused = [
        (json!({ "kind": "lane_closed", "lane_id": 99 }), 30, "The event has no lane 99."),
        (json!({ "kind": "lane_classes", "lane_id": 1, "classes": [77] }), 30, "The event has no class 77."),
        (json!({ "kind": "message", "lanes": [1, 1], "text": "Rain" }), 30, "named twice"),
        (json!({ "kind": "lane_closed", "lane_id": 1 }), 0, "`minutes` is from 1 to 1440."),
        (json!({ "kind": "lane_closed", "lane_id": 1 }), 1_441, "`minutes` is from 1 to 1440."),
        (json!({ "kind": "message", "lanes": [], "text": " " }), 30, "a message to the lanes is empty"),
        (json!({ "kind": "freshness_steps", "freshness_steps": 41 }), 30, "more than ten minutes"),
        (json!({ "kind": "lane_closed", "lane_id": 1, "why": "rain" }), 30, "why"),
        (json!({ "kind": "lane_moved", "lane_id": 1 }), 30, "lane_moved"),
        (json!({ "kind": "lane_direction", "lane_id": 1, "direction": "up" }), 30, "up"),
    ];
    for (decision, minutes, says) in refused {
        let (status, problem) = decide(&server, decision.clone(), minutes).await;
        assert!(status.is_client_error(), "{decision}: {status} {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(says), "{decision}: {problem}");
    }
    assert_eq!(live(&server).await["decisions"], json!([]));
    let cookie = server.sign_in().await;
    let (status, _) = office(&server, &cookie, "POST", "/api/v1/decisions/7/end", json!({})).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, _) = server.call("POST", "/api/v1/events/9/decisions", json!({})).await;
    assert!(status.is_client_error());
}

#[tokio::test(flavor = "multi_thread")]
async fn only_admissions_above_the_classes_number_are_looked_at_for_conflicts() {
    let server = Server::with_event().await;
    let class = json!({
        "id": 3, "name": "Season", "valid_from_ms": NOW_MS, "valid_until_ms": NOW_MS + 60_000, "admissions": 2,
    });
    assert_eq!(server.call("POST", "/api/v1/events/1/classes", class).await.0, StatusCode::CREATED);
    let cookie = server.sign_in().await;
    let mut handheld = Handheld::confirmed(&server, &cookie, 5, 1).await;
    handheld.bundle(&server).await;
    let counts = || async {
        let (_, answer) = office(&server, &cookie, "GET", "/api/v1/events/1/conflicts", Value::Null).await;
        let mut tx = server.site.platform.store.read().await.unwrap();
        let (looked_at,): (i64,) = tx.query_one("SELECT COUNT(*) FROM repeated_tickets", &[]).await.unwrap();
        (answer["conflicts"].as_array().unwrap().len(), looked_at)
    };
    for pass in 0..3 {
        handheld.admit_as(3, 1, 42, NOW_MS + pass);
        handheld.push(&server, &handheld.rows[pass as usize..]).await;
        assert_eq!(counts().await, if pass < 2 { (0, 0) } else { (1, 1) }, "after admission {}", pass + 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lanes_that_ask_together_share_one_list() {
    let server = Server::with_event().await;
    let cookie = server.sign_in().await;
    let handheld = Handheld::confirmed(&server, &cookie, 5, 1).await;
    let trust = trust(&handheld.bundle(&server).await);
    let tickets = json!({ "tickets": vec![json!({ "class": 1 }); 500] });
    server.call("POST", "/api/v1/events/1/tickets:batch", tickets).await;
    let ask = || fetch_list(&server, &handheld, &trust, 0);
    let (a, b, c) = tokio::join!(ask(), ask(), ask());
    assert_eq!((a.0.chunks.len(), a.1.len()), (1, 500));
    assert!(a.0.chunks == b.0.chunks && b.0.chunks == c.0.chunks, "the same tickets give the same bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_counts_for_an_upload_that_was_let_in_before_it() {
    let server = Server::with_event().await;
    let cookie = server.sign_in().await;
    let mut handheld = Handheld::confirmed(&server, &cookie, 5, 1).await;
    handheld.admit(1, 42, NOW_MS);
    let rows = handheld.rows.clone();
    let upload = gate_core::merge::check(handheld.id, EVENT, &handheld.key.public(), rows);
    let op = super::ScanOp {
        device: handheld.id,
        event_id: 1,
        chains: upload.chains,
        incidents: upload.incidents,
        now_ms: NOW_MS,
        is_contact: true,
        counted_upstream: false,
    };
    let revoke = format!("/api/v1/devices/{}/revoke", handheld.id);
    assert_eq!(office(&server, &cookie, "POST", &revoke, json!({})).await.0, StatusCode::OK);
    let store = server.site.platform.store.clone();
    let writer = crate::platform::writer::GroupWriter::new(store.clone(), super::ScanBatch, Default::default());
    let merged = writer.submit(1, op).await.unwrap_or_else(|_| panic!("the rows are kept"));
    assert_eq!((merged.quarantined, merged.stored), (true, 1));
    let mut tx = store.read().await.unwrap();
    let (revoked_at_ms,): (i64,) = tx.query_one("SELECT revoked_at_ms FROM devices", &[]).await.unwrap();
    let (apart,): (i64,) = tx.query_one("SELECT COUNT(*) FROM scans WHERE quarantined = 1", &[]).await.unwrap();
    assert_eq!((revoked_at_ms, apart), (NOW_MS, 1));
}

/// Under the strict rule two lanes that ask for one ticket get one grant between them, until the row says otherwise.
#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_granted_to_one_lane_until_its_row_has_come() {
    let server = Server::with_event().await;
    let cookie = server.sign_in().await;
    let (mut one, two) =
        (Handheld::confirmed(&server, &cookie, 5, 1).await, Handheld::confirmed(&server, &cookie, 6, 2).await);
    let tickets = json!({ "tickets": [{ "class": 1 }] });
    let (_, issued) = server.call("POST", "/api/v1/events/1/tickets:batch", tickets).await;
    let ticket: TicketId = issued["tickets"][0]["ticket_id"].as_str().unwrap().parse().unwrap();
    let trust = trust(&one.bundle(&server).await);
    let ask = async |lane: &Handheld, seq: u64| -> Option<Grant> {
        let question = GrantRequest { ticket: ticket.0, serial: 1, chain: EPOCH, seq, guests: 1 };
        let body = to_cbor(&question).unwrap();
        let (status, body) = lane.ask(&server, "POST", "/gate/v1/events/1/grants", body).await;
        assert_eq!(status, StatusCode::OK, "{}", String::from_utf8_lossy(&body));
        match from_cbor::<GrantAnswer>(&body).unwrap() {
            GrantAnswer::Granted(bytes) => Some(Grant::open(&bytes, &trust, EVENT, NOW_MS / 1_000).unwrap()),
            GrantAnswer::Refused { .. } => None,
        }
    };
    let first = ask(&one, 1).await.unwrap();
    assert_eq!((first.device, first.seq, first.ticket), (one.id, 1, ticket));
    assert_eq!(ask(&one, 1).await, Some(first), "a lost answer is had again");
    assert_eq!(ask(&two, 1).await, None, "the first lane may have admitted it");
    // The first lane did something else in that row: its grant is void.
    one.admit(1, 0x999, NOW_MS);
    one.push(&server, &one.rows).await;
    assert!(ask(&two, 1).await.is_some());
    assert_eq!(ask(&one, 2).await, None);
}
