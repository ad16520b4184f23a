//! Bad input, made of the frozen fixtures: what is cut, flipped, forged, replayed, out of order or misplaced gets its
//! stated answer (docs/wire.md has the table) and changes nothing else in any table.

use gate_core::wire::v1::{DeviceStatus, EdgeReport, WireRow};

use super::frozen::{Dump, changed, dump, flips, handheld, install, message, offer_code, server, told};
use super::*;
use crate::gate::model::{DeviceKind, DeviceState};

const LIST: &str = "/gate/v1/events/1/list?cursor=0";
const BUNDLE: &str = "/gate/v1/events/1/bundle";
const GRANTS: &str = "/gate/v1/events/1/grants";
const STATUS: &str = "/gate/v1/events/1/status";
const EDGE: &str = "/gate/v1/events/1/edge";
const SCANS: &str = "/gate/v1/scans";
const NO_CHUNK: &str = "/gate/v1/events/1/chunks/0000000000000000000000000000000000000000000000000000000000000000";

/// Every request that a device signs, with a sound body.
fn requests() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let get = |path| ("GET", path, Vec::new());
    let post = |path, fixture| ("POST", path, message(fixture));
    vec![
        get("/gate/v1/enrolment"),
        get("/gate/v1/wipe"),
        get(BUNDLE),
        get(LIST),
        get(NO_CHUNK),
        get("/gate/v1/events/1/feed?cursor=0"),
        post(GRANTS, "grant_request"),
        post(STATUS, "device_status"),
        post(EDGE, "edge_report"),
        post(SCANS, "scan_upload"),
    ]
}

async fn with_header(server: &Server, (method, path): (&str, &str), header: &str, body: &[u8]) -> (u16, String) {
    let request = Request::builder().method(method).uri(path).header(request::HEADER, header);
    let response = server.send(request.body(Body::from(body.to_vec())).unwrap()).await;
    let status = response.status();
    told(&(status, response.into_body().collect().await.unwrap().to_bytes().to_vec()))
}

fn unchanged(before: &Dump, server: &Server, what: &str) {
    assert_eq!(changed(before, &dump(server)), Vec::<String>::new(), "{what}");
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_its_device_did_not_sign_is_refused_on_every_path() {
    let (server, handheld) = server().await;
    let other = frozen::handheld(true);
    let before = dump(&server);
    for (method, path, body) in requests() {
        let place = (method, path);
        let sign = |key: &SecretKey, id, method: &str, path: &str, body: &[u8]| {
            request::sign(key, id, method, path, NOW_MS, body)
        };
        let right = sign(&handheld.key, handheld.id, method, path, &body);
        let turned = |at: usize| {
            let with = if right.as_bytes()[at] == b'0' { '1' } else { '0' };
            format!("{}{with}{}", &right[..at], &right[at + 1..])
        };
        let last = right.len() - 1;
        let wrong = [
            ("no header", String::new()),
            ("the key of another device", sign(&other.key, handheld.id, method, path, &body)),
            ("signed for another method", sign(&handheld.key, handheld.id, "PUT", path, &body)),
            ("signed for another path", sign(&handheld.key, handheld.id, method, "/gate/v1/else", &body)),
            ("signed for another body", sign(&handheld.key, handheld.id, method, path, b"else")),
            ("another time than was signed", turned(17)),
            ("a digit of the signature", turned(last)),
            ("a digit too many", format!("{right}0")),
            ("no digits", "0d00000000000001;1790000000000;zz".to_owned()),
        ];
        for (about, header) in wrong {
            let answer = with_header(&server, place, &header, &body).await;
            assert_eq!(answer, refused(401, "device_signature"), "{path}: {about}");
        }
        for end in 0..right.len() {
            let answer = with_header(&server, place, &right[..end], &body).await;
            assert_eq!(answer, refused(401, "device_signature"), "{path}: the header cut at {end}");
        }
        let stranger = sign(&other.key, other.id, method, path, &body);
        let answer = with_header(&server, place, &stranger, &body).await;
        assert_eq!(answer, refused(401, "device_unknown"), "{path}: a device that nobody enrolled");
        for (at, bit) in flips(body.len().max(1), 12).filter(|_| !body.is_empty()) {
            let mut flipped = body.clone();
            flipped[at] ^= bit;
            let answer = with_header(&server, place, &right, &flipped).await;
            assert_eq!(answer, refused(401, "device_signature"), "{path}: bit {bit} of byte {at}");
        }
        unchanged(&before, &server, path);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_device_may_not_do_in_its_state_is_refused() {
    let states = [(DeviceState::Pending, "device_unconfirmed"), (DeviceState::Revoked, "device_revoked")];
    for (state, code) in states {
        let (server, handheld) = (Server::with_event().await, handheld(false));
        install(&server, &handheld, DeviceKind::Lane, state).await;
        let before = dump(&server);
        for (method, path, body) in requests().into_iter().skip(2).filter(|(_, path, _)| *path != SCANS) {
            let answer = told(&handheld.ask(&server, method, path, body).await);
            assert_eq!(answer, refused(403, code), "{path}");
        }
        unchanged(&before, &server, code);
    }
    let (server, handheld) = (Server::with_event().await, handheld(false));
    install(&server, &handheld, DeviceKind::Lane, DeviceState::Pending).await;
    let before = dump(&server);
    let upload = handheld.ask(&server, "POST", SCANS, message("scan_upload")).await;
    assert_eq!(told(&upload), refused(403, "device_unconfirmed"));
    unchanged(&before, &server, "rows of a device that nobody confirmed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_for_another_event_or_of_another_kind_of_device_is_refused() {
    let (server, handheld) = server().await;
    let elsewhere = ScanUpload { event: 2, ..from_cbor(&message("scan_upload")).unwrap() };
    let many: ScanUpload = from_cbor(&message("scan_upload")).unwrap();
    let many = ScanUpload { rows: vec![many.rows[0].clone(); ScanUpload::MAX_ROWS + 1], ..many };
    let table = [
        ("GET", "/gate/v1/events/2/bundle", Vec::new(), refused(403, "forbidden")),
        ("GET", "/gate/v1/events/2/list?cursor=0", Vec::new(), refused(403, "forbidden")),
        ("GET", "/gate/v1/events/2/feed?cursor=0", Vec::new(), refused(403, "forbidden")),
        ("POST", "/gate/v1/events/2/grants", message("grant_request"), refused(403, "forbidden")),
        ("POST", "/gate/v1/events/2/status", message("device_status"), refused(403, "forbidden")),
        ("POST", SCANS, to_cbor(&elsewhere).unwrap(), refused(403, "forbidden")),
        ("POST", SCANS, to_cbor(&many).unwrap(), refused(422, "invalid")),
        ("POST", SCANS, vec![0x40; crate::platform::http::MAX_SCAN_BODY_BYTES + 1], refused(413, "too_large")),
        ("POST", EDGE, message("edge_report"), refused(403, "forbidden")),
        ("GET", "/gate/v1/events/1/list?cursor=99", Vec::new(), refused(409, "conflict")),
        ("GET", "/gate/v1/events/1/list?cursor=-1", Vec::new(), refused(400, "malformed")),
        ("GET", NO_CHUNK, Vec::new(), refused(404, "not_found")),
        ("GET", "/gate/v1/events/1/chunks/00", Vec::new(), refused(404, "not_found")),
    ];
    let before = dump(&server);
    for (method, path, body, expected) in table {
        let answer = told(&handheld.ask(&server, method, path, body).await);
        assert_eq!(answer, expected, "{method} {path}");
        unchanged(&before, &server, path);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_cut_lengthened_or_of_another_type_is_malformed() {
    let (server, handheld) = server().await;
    let edge = frozen::handheld(true);
    install(&server, &edge, DeviceKind::Edge, DeviceState::Confirmed).await;
    offer_code(&server).await;
    let before = dump(&server);
    let enrol = ("POST", "/gate/v1/enrol", message("enrol_request"));
    let deep = [&b"\xa1\x61x"[..], &[0x81; 100]].concat();
    for (_, path, body) in requests().into_iter().filter(|(method, ..)| *method == "POST").chain([enrol]) {
        let sender = if path == EDGE { &edge } else { &handheld };
        let cuts = (0..body.len()).filter(|end| body.len() < 600 || *end < 40 || end % 97 == 0);
        let mut wrong: Vec<Vec<u8>> = cuts.map(|end| body[..end].to_vec()).collect();
        wrong.push([&body[..], &[0]].concat());
        wrong.extend([vec![0x01], vec![0x40], vec![0x60], vec![0xf6], vec![0xff], deep.clone()]);
        // A status needs no field, so that any map is one.
        if path != STATUS {
            wrong.extend([vec![0xa0], message("enrol_answer")]);
        }
        for (number, bytes) in wrong.into_iter().enumerate() {
            let answer = told(&sender.ask(&server, "POST", path, bytes).await);
            assert_eq!(answer, refused(400, "malformed"), "{path}: number {number}");
        }
        unchanged(&before, &server, path);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_flipped_bit_of_an_enrolment_enrols_anybody_else() {
    let server = Server::with_event().await;
    offer_code(&server).await;
    let whole = message("enrol_request");
    let code = EnrolRequest::new(*b"another code 001", &frozen::handheld(false).key, "H".to_owned(), "0".to_owned());
    let before = dump(&server);
    let unknown = post_cbor(&server, "/gate/v1/enrol", to_cbor(&code).unwrap()).await;
    assert_eq!(told(&unknown), refused(403, "enrolment_invalid"), "a code that nobody showed");
    unchanged(&before, &server, "a code that nobody showed");
    let first = post_cbor(&server, "/gate/v1/enrol", whole.clone()).await;
    assert_eq!(first.0, StatusCode::OK);
    let enrolled = dump(&server);
    for (at, bit) in flips(whole.len(), 200) {
        let mut flipped = whole.clone();
        flipped[at] ^= bit;
        let again = post_cbor(&server, "/gate/v1/enrol", flipped).await;
        // Name and version are not signed; the code is used, and whose it is stays.
        let expected = [refused(400, "malformed"), refused(403, "enrolment_invalid"), refused(422, "invalid")];
        assert!(expected.contains(&told(&again)) || again == first, "bit {bit} of byte {at}: {:?}", told(&again));
    }
    assert_eq!(post_cbor(&server, "/gate/v1/enrol", whole).await, first, "a replay gets the same answer");
    unchanged(&enrolled, &server, "flipped and replayed enrolments");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_flipped_bit_that_the_device_signs_reaches_another_table() {
    let (server, handheld) = server().await;
    let edge = frozen::handheld(true);
    install(&server, &edge, DeviceKind::Edge, DeviceState::Confirmed).await;
    handheld.ask(&server, "POST", SCANS, message("scan_upload")).await;
    let posts = [
        (SCANS, "scan_upload", &handheld, vec!["incidents"]),
        (GRANTS, "grant_request", &handheld, vec!["grants"]),
        (STATUS, "device_status", &handheld, vec!["device_status"]),
        (EDGE, "edge_report", &edge, vec!["devices"]),
    ];
    for (path, fixture, sender, own) in posts {
        let (whole, mut before) = (message(fixture), dump(&server));
        for (at, bit) in flips(whole.len(), 150) {
            let mut flipped = whole.clone();
            flipped[at] ^= bit;
            let (status, body) = sender.ask(&server, "POST", path, flipped).await;
            let expected = [200, 204, 400, 403, 422];
            assert!(expected.contains(&status.as_u16()), "{path}: bit {bit} of byte {at}: {status}");
            if path == SCANS && status == StatusCode::OK {
                let answer: ScanAnswer = from_cbor(&body).unwrap();
                assert_eq!(answer.stored, 0, "bit {bit} of byte {at} made a row");
                let whole = handheld.rows.len();
                assert!(answer.duplicates as usize >= whole - 1, "the rest is taken in");
                assert!(answer.incidents.iter().all(|incident| incident.code == "signature"), "{answer:?}");
            }
            let after = dump(&server);
            let elsewhere: Vec<String> =
                changed(&before, &after).into_iter().filter(|t| !own.contains(&t.as_str())).collect();
            assert_eq!(elsewhere, Vec::<String>::new(), "{path}: bit {bit} of byte {at}");
            before = after;
        }
    }
    assert!(changed(&dump(&server), &dump(&server)).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_rows_again_and_in_another_order_give_the_same_state() {
    let (server, handheld) = server().await;
    let (status, first) = handheld.push(&server, &handheld.rows).await;
    assert_eq!((status, first.stored as usize, first.incidents.len()), (StatusCode::OK, handheld.rows.len(), 0));
    let whole = dump(&server);
    for _ in 0..2 {
        let (status, again) = handheld.push(&server, &handheld.rows).await;
        assert_eq!((status, again.stored, again.duplicates as usize), (StatusCode::OK, 0, handheld.rows.len()));
        assert_eq!((again.receipts, again.incidents), (first.receipts.clone(), Vec::new()), "the same acknowledgement");
    }
    unchanged(&whole, &server, "the same rows again");
    let backwards: Vec<usize> = (0..handheld.rows.len()).rev().collect();
    let shuffled: Vec<usize> = (0..handheld.rows.len()).map(|at| at * 7 % handheld.rows.len()).collect();
    for order in [backwards, shuffled] {
        let (other, _) = frozen::server().await;
        for at in order {
            let (_, answer) = handheld.push(&other, &handheld.rows[at..=at]).await;
            assert_eq!((answer.stored, answer.incidents.len()), (1, 0), "row {at}");
        }
        assert_eq!(changed(&whole, &dump(&other)), Vec::<String>::new(), "the order of arrival says nothing");
        let (_, last) = handheld.push(&other, &handheld.rows).await;
        assert_eq!(last.receipts, first.receipts);
    }
}

/// A row that is no row of this journal, and the incident that it is.
fn bad_rows(handheld: &Handheld) -> Vec<(&'static str, WireRow, &'static str)> {
    let row = |at: usize| handheld.rows[at].clone();
    let body = |at: usize| RowBody::from_bytes(&row(at).bytes).unwrap();
    let signed = |bytes: Vec<u8>| {
        let signature = handheld.key.sign(ticket_signer::domain::ROW, &bytes);
        WireRow::from(SignedRow { bytes, signature })
    };
    let by_other = frozen::handheld(true);
    let mut flipped = row(4);
    flipped.bytes[20] ^= 1;
    let mut other_signature = row(4);
    other_signature.signature[3] ^= 1;
    let cut = SignedRow { bytes: row(4).bytes[..40].to_vec(), ..row(4) };
    let mut more = row(4).bytes;
    more.push(0);
    let swapped = SignedRow { signature: row(3).signature, ..row(4) };
    vec![
        ("a bit of the row", flipped.into(), "signature"),
        ("a bit of its signature", other_signature.into(), "signature"),
        ("a row that is cut", cut.into(), "signature"),
        ("the signature of another row", swapped.into(), "signature"),
        ("signed by another device", body(4).sign(&by_other.key).into(), "signature"),
        ("signed nonsense", signed(b"nonsense".to_vec()), "unreadable"),
        ("a signed row that is cut", signed(row(4).bytes[..40].to_vec()), "unreadable"),
        ("a byte behind a signed row", signed(more), "unreadable"),
        ("another format", signed(RowBody { format: 2, ..body(4) }.to_bytes()), "unreadable"),
        ("row number 0", signed(RowBody { seq: 0, ..body(4) }.to_bytes()), "unreadable"),
        ("an act that nobody knows", signed(RowBody { act: 99, ..body(4) }.to_bytes()), "unreadable"),
        ("guests in a row that moves none", signed(RowBody { act: 5, ..body(4) }.to_bytes()), "unreadable"),
        ("larger than a row is", signed(RowBody { reason: "x".repeat(1_024), ..body(4) }.to_bytes()), "unreadable"),
        ("another device's row", RowBody { device: by_other.id, ..body(4) }.sign(&handheld.key).into(), "misplaced"),
        ("another event's row", RowBody { event: EventId(2), ..body(4) }.sign(&handheld.key).into(), "misplaced"),
        ("other bytes at a known number", RowBody { at_ms: 1, ..body(0) }.sign(&handheld.key).into(), "fork"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn each_bad_row_is_its_incident_and_the_rest_of_the_upload_is_taken_in() {
    let (server, handheld) = server().await;
    let (without, _) = frozen::server().await;
    for to in [&server, &without] {
        handheld.push(to, &handheld.rows[..1]).await;
    }
    for (number, (about, bad, code)) in bad_rows(&handheld).into_iter().enumerate() {
        let good = &handheld.rows[number + 1..=number + 1];
        let upload = ScanUpload { event: 1, rows: vec![bad, good[0].clone().into()] };
        let (status, answer) = handheld.ask(&server, "POST", SCANS, to_cbor(&upload).unwrap()).await;
        let answer: ScanAnswer = from_cbor(&answer).unwrap();
        let codes: Vec<&str> = answer.incidents.iter().map(|incident| incident.code.as_str()).collect();
        assert_eq!((status, answer.stored, codes), (StatusCode::OK, 1, vec![code]), "{about}");
        let (_, plain) = handheld.push(&without, good).await;
        assert_eq!(answer.receipts, plain.receipts, "{about}");
        assert_eq!(changed(&dump(&without), &dump(&server)), ["incidents"], "{about}");
    }
    let mut tx = server.site.platform.store.read().await.unwrap();
    let found = crate::gate::store::incidents(&mut tx, 1).await.unwrap();
    assert_eq!(found.len(), 4, "each kind and place once: {}", found.len());
    assert_eq!(crate::gate::check(&mut tx).await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_does_not_follow_is_kept_and_never_receipted() {
    let (server, handheld) = server().await;
    handheld.push(&server, &handheld.rows[..3]).await;
    let third = RowBody::from_bytes(&handheld.rows[3].bytes).unwrap();
    let broken = RowBody { prev: [9; 32], ..third }.sign(&handheld.key);
    let (status, answer) = handheld.push(&server, &[broken]).await;
    assert_eq!((status, answer.incidents[0].code.as_str()), (StatusCode::OK, "broken_chain"));
    let trust = trust(&handheld.bundle(&server).await);
    assert_eq!(answer.receipts[0].open(&trust, EVENT, NOW_MS / 1_000).unwrap().seq, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_revoked_device_wait_and_count_for_nothing() {
    let (server, handheld) = (Server::with_event().await, handheld(false));
    install(&server, &handheld, DeviceKind::Lane, DeviceState::Revoked).await;
    let before = dump(&server);
    let (status, answer) = handheld.push(&server, &handheld.rows).await;
    assert_eq!((status, answer.quarantined, answer.stored), (StatusCode::ACCEPTED, true, 20));
    assert_eq!(changed(&before, &dump(&server)), ["chains", "merge_counts", "scans"]);
    let kept = dump(&server);
    let (status, again) = handheld.push(&server, &handheld.rows).await;
    assert_eq!((status, again.receipts, again.stored), (StatusCode::ACCEPTED, answer.receipts, 0));
    unchanged(&kept, &server, "the same rows again");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_brings_rows_and_can_make_none() {
    let (server, handheld) = server().await;
    let edge = frozen::handheld(true);
    install(&server, &edge, DeviceKind::Edge, DeviceState::Confirmed).await;
    let before = dump(&server);
    let stranger = RowBody { device: DeviceId(77), ..RowBody::from_bytes(&handheld.rows[0].bytes).unwrap() };
    let upload = |rows: Vec<WireRow>| to_cbor(&ScanUpload { event: 1, rows }).unwrap();
    let table = [
        ("no rows", upload(Vec::new()), refused(401, "device_unknown")),
        ("rows of nobody", upload(vec![stranger.sign(&edge.key).into()]), refused(404, "not_found")),
    ];
    for (about, body, expected) in table {
        assert_eq!(told(&edge.ask(&server, "POST", SCANS, body).await), expected, "{about}");
        unchanged(&before, &server, about);
    }
    let report = EdgeReport { server: "http://plain".to_owned(), ..from_cbor(&message("edge_report")).unwrap() };
    let answer = told(&edge.ask(&server, "POST", EDGE, to_cbor(&report).unwrap()).await);
    assert_eq!(answer, refused(422, "invalid"));
    unchanged(&before, &server, "an address that is none");
    let forged = RowBody::from_bytes(&handheld.rows[0].bytes).unwrap().sign(&edge.key);
    let (status, answer) = edge.push(&server, &[forged]).await;
    assert_eq!((status, answer.stored, answer.incidents[0].code.as_str()), (StatusCode::OK, 0, "signature"));
    assert_eq!(changed(&before, &dump(&server)), ["incidents"]);
    let (_, answer) = edge.push(&server, &handheld.rows).await;
    assert_eq!(answer.stored as usize, handheld.rows.len(), "what its lane signed is taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_cannot_be_given_says_why_and_counts_for_nothing() {
    let (server, handheld) = server().await;
    let tickets = json!({ "tickets": [{ "class": 1 }, { "class": 1 }] });
    let (_, issued) = server.call("POST", "/api/v1/events/1/tickets:batch", tickets).await;
    let ticket = |at: usize| issued["tickets"][at]["ticket_id"].as_str().unwrap().parse::<TicketId>().unwrap();
    server.call("POST", &format!("/api/v1/tickets/{}/revoke", ticket(1)), json!({})).await;
    let sound = GrantRequest { ticket: ticket(0).0, serial: 1, chain: EPOCH, seq: 1, guests: 1 };
    let ask = async |question: &GrantRequest| -> GrantAnswer {
        let (status, body) = handheld.ask(&server, "POST", GRANTS, to_cbor(question).unwrap()).await;
        assert_eq!(status, StatusCode::OK);
        from_cbor(&body).unwrap()
    };
    let table = [
        ("no such ticket is issued", GrantRequest { ticket: 7, ..sound.clone() }),
        ("no such ticket is issued", GrantRequest { serial: 0, ..sound.clone() }),
        ("the ticket was cancelled or replaced", GrantRequest { ticket: ticket(1).0, ..sound.clone() }),
        ("the ticket is used up", GrantRequest { guests: 0, ..sound.clone() }),
        ("the ticket is used up", GrantRequest { guests: 2, ..sound.clone() }),
    ];
    let before = dump(&server);
    for (why, question) in &table {
        let GrantAnswer::Refused { reason } = ask(question).await else { panic!("granted {question:?}") };
        assert!(reason.starts_with(why), "{question:?}: {reason}");
        unchanged(&before, &server, why);
    }
    let given = ask(&sound).await;
    assert!(matches!(given, GrantAnswer::Granted(_)));
    let granted = dump(&server);
    assert_eq!(ask(&sound).await, given, "the same question again");
    let other = GrantRequest { guests: 2, ..sound };
    assert!(matches!(ask(&other).await, GrantAnswer::Refused { .. }), "for the same row, and more guests");
    unchanged(&granted, &server, "what was asked after the grant");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_that_no_device_can_mean_is_tidied() {
    let (server, handheld) = server().await;
    let status = DeviceStatus { version: "x\n".repeat(900), ..from_cbor(&message("device_status")).unwrap() };
    let before = dump(&server);
    let (status, _) = handheld.ask(&server, "POST", STATUS, to_cbor(&status).unwrap()).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(changed(&before, &dump(&server)), ["device_status"]);
}
