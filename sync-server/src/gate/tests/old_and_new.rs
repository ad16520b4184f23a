//! A handheld of the frozen version at today's server: its frozen bytes are taken, and it reads what is answered.
//!
//! The old reader is a copy of the types with the fields that the frozen version must have, and no others: today's
//! server may send more, and must not send less or otherwise. That proves the reading; what an old program then does with
//! what it read is its own tests' to prove.

use serde::Deserialize;
use serde_bytes::{ByteArray, ByteBuf};

use super::frozen::{bytes, case, message, offer_code, server, told};
use super::*;

#[derive(Deserialize)]
#[allow(dead_code, reason = "reading them is what is shown")]
struct OldBundle {
    organiser: String,
    root: ByteArray<32>,
    certificates: Vec<ByteBuf>,
    revocations: Vec<ByteBuf>,
    device_certificate: ByteBuf,
    event: OldEvent,
    lane: u32,
    policy: Option<ByteBuf>,
    time: ByteBuf,
    minimum_list_version: u64,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "reading them is what is shown")]
struct OldEvent {
    id: u32,
    name: String,
    venue: String,
    time_zone: String,
    starts_at_ms: i64,
    ends_at_ms: i64,
}

#[derive(Deserialize)]
struct OldAnswer {
    receipts: Vec<ByteBuf>,
    stored: u32,
    duplicates: u32,
    incidents: Vec<OldIncident>,
    quarantined: bool,
}

#[derive(Deserialize)]
struct OldIncident {
    epoch: u64,
    seq: u64,
    code: String,
}

#[derive(Deserialize)]
struct OldReceipt {
    device: u64,
    event: u32,
    epoch: u64,
    seq: u64,
    hash: ByteArray<32>,
    at_ms: i64,
}

#[derive(Deserialize)]
struct OldPolicy {
    event: u32,
    version: u64,
    issued_at_ms: i64,
    lanes: Vec<OldLane>,
}

#[derive(Deserialize)]
struct OldLane {
    lane: u32,
    name: String,
    entrance: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum OldStatus {
    Pending,
    Confirmed(Box<OldBundle>),
    Refused,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum OldList {
    Manifest(ByteBuf),
    UpToDate,
}

/// The feed as the first version knew it; what it does not know, it passes over.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum OldFeed {
    Admission { row: OldRow, device_certificate: ByteBuf },
    List { version: u64 },
    Policy { version: u64 },
    Trust,
    Time(ByteBuf),
}

#[derive(Deserialize)]
struct OldRow {
    bytes: ByteBuf,
    signature: ByteArray<64>,
}

/// The payload of an envelope whose signature was checked by today's means.
fn payload<'a>(bytes: &'a [u8], purpose: Purpose, trust: &TrustStore) -> &'a [u8] {
    envelope::open(purpose, bytes, trust, EVENT, NOW_MS / 1_000).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_frozen_handheld_enrols_and_reads_its_bundle() {
    let server = Server::with_event().await;
    offer_code(&server).await;
    let (status, body) = post_cbor(&server, "/gate/v1/enrol", message("enrol_request")).await;
    assert_eq!(status, StatusCode::OK);
    #[derive(Deserialize)]
    struct OldEnrolled {
        device: u64,
        fingerprint: String,
    }
    let enrolled: OldEnrolled = from_cbor(&body).unwrap();
    let handheld = Handheld { id: DeviceId(enrolled.device), ..frozen::handheld(false) };
    assert_eq!(enrolled.fingerprint, case("messages", "enrol_answer")["fingerprint"].as_str().unwrap());
    let asked = async || {
        let (_, body) = handheld.ask(&server, "GET", "/gate/v1/enrolment", Vec::new()).await;
        from_cbor::<OldStatus>(&body).unwrap()
    };
    assert!(matches!(asked().await, OldStatus::Pending));
    let cookie = server.sign_in().await;
    let confirm = json!({ "fingerprint": enrolled.fingerprint });
    let path = format!("/api/v1/devices/{}", handheld.id);
    assert_eq!(office(&server, &cookie, "POST", &format!("{path}/confirm"), confirm).await.0, StatusCode::OK);
    // With staff, so that the bundle has what the old reader does not know.
    let member = json!({ "name": "Door", "role": "supervisor", "pin": "482915" });
    office(&server, &cookie, "PUT", "/api/v1/events/1/staff/7", member).await;
    let OldStatus::Confirmed(old) = asked().await else { panic!("not confirmed") };
    let trust = trust(&handheld.bundle(&server).await);
    assert_eq!((old.organiser.as_str(), old.event.id, old.lane, old.certificates.len()), (ORGANISER, 1, 1, 6));
    let policy: OldPolicy = from_cbor(payload(old.policy.as_ref().unwrap(), Purpose::Policy, &trust)).unwrap();
    assert_eq!((policy.event, policy.lanes.len(), policy.lanes[0].lane), (1, 2, 1));
    assert_eq!((policy.lanes[0].name.as_str(), policy.lanes[0].entrance.as_str()), ("Lane 1", "North"));
    assert!(policy.version > 0 && policy.issued_at_ms > 0);
    assert!(gate_core::wire::v1::SignedTime(old.time).open(&trust, EVENT).is_ok());
    office(&server, &cookie, "POST", &format!("{path}/revoke"), json!({})).await;
    assert!(matches!(asked().await, OldStatus::Refused));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_frozen_journal_is_taken_in_by_its_own_signature() {
    let (server, handheld) = server().await;
    let header = case("messages", "request_header");
    let request = Request::post("/gate/v1/scans").header(request::HEADER, header["text"].as_str().unwrap());
    let response = server.send(request.body(Body::from(message("scan_upload"))).unwrap()).await;
    assert_eq!(response.status(), StatusCode::OK);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let answer: OldAnswer = from_cbor(&body).unwrap();
    assert_eq!((answer.stored, answer.duplicates, answer.quarantined), (20, 0, false));
    let trust = trust(&handheld.bundle(&server).await);
    let receipt: OldReceipt = from_cbor(payload(&answer.receipts[0], Purpose::Receipt, &trust)).unwrap();
    assert_eq!((receipt.device, receipt.event, receipt.seq, receipt.at_ms), (handheld.id.0, 1, 20, NOW_MS));
    assert_eq!((receipt.epoch, receipt.hash.into_array()), (0x4a00_0000_0000_0077, handheld.rows[19].hash()));
    // A fork, as an old reader hears of it.
    let first = RowBody::from_bytes(&handheld.rows[0].bytes).unwrap();
    let fork = ScanUpload { event: 1, rows: vec![RowBody { at_ms: 1, ..first }.sign(&handheld.key).into()] };
    let (_, body) = handheld.ask(&server, "POST", "/gate/v1/scans", to_cbor(&fork).unwrap()).await;
    let answer: OldAnswer = from_cbor(&body).unwrap();
    let incident = &answer.incidents[0];
    assert_eq!((incident.code.as_str(), incident.seq, incident.epoch), ("fork", 1, receipt.epoch));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_frozen_messages_are_taken_and_answered() {
    let (server, handheld) = server().await;
    for status in
        [message("device_status"), bytes("versions", "older_status"), bytes("versions", "newer_device_status")]
    {
        let answer = handheld.ask(&server, "POST", "/gate/v1/events/1/status", status).await;
        assert_eq!(told(&answer), (204, String::new()));
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum OldGrant {
        Granted(ByteBuf),
        Refused { reason: String },
    }
    for question in [message("grant_request"), bytes("versions", "newer_grant_request")] {
        let (status, body) = handheld.ask(&server, "POST", "/gate/v1/events/1/grants", question).await;
        assert_eq!(status, StatusCode::OK);
        match from_cbor(&body).unwrap() {
            OldGrant::Refused { reason } => assert!(reason.contains("no such ticket"), "{reason}"),
            OldGrant::Granted(bytes) => panic!("granted {bytes:?}"),
        }
    }
    let (_, newer) = handheld.ask(&server, "POST", "/gate/v1/scans", bytes("versions", "newer_scan_upload")).await;
    assert_eq!(from_cbor::<OldAnswer>(&newer).unwrap().stored, 20, "fields that are not known yet are passed over");
    let (_, body) = handheld.ask(&server, "GET", "/gate/v1/events/1/list?cursor=0", Vec::new()).await;
    let OldList::Manifest(signed) = from_cbor(&body).unwrap() else { panic!("no list") };
    let trust = trust(&handheld.bundle(&server).await);
    assert!(ListManifest::from_bytes(payload(&signed, Purpose::List, &trust)).is_ok());
    let (_, body) = handheld.ask(&server, "GET", "/gate/v1/events/1/list?cursor=1", Vec::new()).await;
    assert!(matches!(from_cbor(&body).unwrap(), OldList::UpToDate));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_reader_hears_the_feed_and_passes_over_what_is_newer() {
    let (server, handheld) = server().await;
    let cookie = server.sign_in().await;
    let mut other = Handheld::confirmed(&server, &cookie, 6, 2).await;
    other.bundle(&server).await;
    other.admit(2, 42, NOW_MS);
    other.push(&server, &other.rows).await;
    handheld.bundle(&server).await;
    let member = json!({ "name": "Door", "role": "supervisor", "pin": "482915" });
    office(&server, &cookie, "PUT", "/api/v1/events/1/staff/7", member).await;
    let mut feed = open_feed(&server, &handheld, 0).await;
    let heard = events(&mut feed, |data| matches!(super::message(data), FeedMessage::Time(_))).await;
    let old: Vec<Option<OldFeed>> =
        heard.iter().map(|(_, data)| from_cbor(&crate::platform::ids::parse_base64url(data).unwrap()).ok()).collect();
    let kinds: Vec<&str> = old
        .iter()
        .map(|message| match message {
            Some(OldFeed::Admission { row, device_certificate }) => {
                assert_eq!(
                    (&row.bytes[..], row.signature.into_array()),
                    (&other.rows[0].bytes[..], other.rows[0].signature)
                );
                assert!(!device_certificate.is_empty());
                "admission"
            }
            Some(OldFeed::List { version }) if *version > 0 => "list",
            Some(OldFeed::Policy { version }) if *version > 0 => "policy",
            Some(OldFeed::Trust) => "trust",
            Some(OldFeed::Time(time)) if !time.is_empty() => "time",
            Some(_) => "empty",
            None => "passed over",
        })
        .collect();
    assert_eq!(kinds, ["admission", "list", "policy", "passed over", "time"]);
}
