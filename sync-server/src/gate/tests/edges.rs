//! The upstream's side of a venue's edge: whom it may bring, what it is told, and what silence means.

use gate_core::wire::v1::{EDGE_HEADER, EdgeAnswer, EdgeContact, EdgeReport};

use super::*;

const REPORT: &str = "/gate/v1/events/1/edge";

/// A confirmed edge; the code for it names no lane.
async fn edge(server: &Server, cookie: &str, which: u8) -> Handheld {
    let (status, made) = office(server, cookie, "POST", "/api/v1/events/1/enrolments", json!({})).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let code = EnrolmentCode::parse(made["qr_text"].as_str().unwrap()).unwrap();
    let (status, body) = enrol(server, &code, which).await;
    assert_eq!(status, StatusCode::OK);
    let answer: EnrolAnswer = from_cbor(&body).unwrap();
    let key = SecretKey::from_bytes(&[which; 32]);
    let id = DeviceId(answer.device);
    let confirm = json!({ "fingerprint": key.public().spoken_fingerprint() });
    let (status, device) = office(server, cookie, "POST", &format!("/api/v1/devices/{id}/confirm"), confirm).await;
    assert_eq!((status, &device["kind"]), (StatusCode::OK, &"edge".into()), "{device}");
    Handheld { key, id, rows: Vec::new() }
}

fn report(lanes: &[&Handheld]) -> EdgeReport {
    let lanes = lanes.iter().map(|lane| EdgeContact { device: lane.id.0, at_ms: i64::MAX }).collect();
    EdgeReport { server: "https://10.0.0.5:8443".to_owned(), tls_pin: [4; 32].into(), settled: true, lanes }
}

async fn send(server: &Server, by: &Handheld, report: &EdgeReport) -> Result<EdgeAnswer, (StatusCode, String)> {
    let (status, body) = by.ask(server, "POST", REPORT, to_cbor(report).unwrap()).await;
    if status == StatusCode::OK {
        return Ok(from_cbor(&body).unwrap());
    }
    Err((status, String::from_utf8_lossy(&body).into_owned()))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_brings_its_lanes_rows_and_only_an_edge_does() {
    let server = Server::with_event().await;
    let cookie = server.sign_in().await;
    let edge = edge(&server, &cookie, 9).await;
    let mut lane = Handheld::confirmed(&server, &cookie, 5, 1).await;
    let other = Handheld::confirmed(&server, &cookie, 6, 2).await;
    for handheld in [&edge, &lane, &other] {
        handheld.bundle(&server).await;
    }
    lane.admit(1, 77, NOW_MS);
    lane.admit(1, 78, NOW_MS);
    // Another lane cannot: the rows are not its own.
    let (status, answer) = other.push(&server, &lane.rows).await;
    assert_eq!((status, answer.stored, answer.incidents.len()), (StatusCode::OK, 0, 2));
    let (status, answer) = edge.push(&server, &lane.rows).await;
    assert_eq!((status, answer.stored, answer.incidents.len()), (StatusCode::OK, 2, 0));
    let receipt = answer.receipts[0].open(&trust(&lane.bundle(&server).await), EVENT, NOW_MS / 1_000).unwrap();
    assert_eq!((receipt.device, receipt.seq), (lane.id.0, 2), "made out to the lane, who can check it");
    let (_, again) = lane.push(&server, &lane.rows).await;
    assert_eq!((again.stored, again.duplicates), (0, 2), "the lane itself says nothing new");
    // An edge can make no row: what it signs itself is an incident of the lane's.
    let mut forged = Handheld { key: SecretKey::from_bytes(&[9; 32]), id: lane.id, rows: lane.rows.clone() };
    forged.admit(1, 79, NOW_MS);
    let (_, answer) = edge.push(&server, &forged.rows[2..]).await;
    assert_eq!((answer.stored, answer.incidents[0].code.as_str()), (0, "signature"));
    assert_eq!(send(&server, &lane, &report(&[])).await.unwrap_err().0, StatusCode::FORBIDDEN);
    let unusable = EdgeReport { server: "http://10.0.0.5".to_owned(), ..report(&[]) };
    assert_eq!(send(&server, &edge, &unusable).await.unwrap_err().0, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_for_a_lane_names_the_edge_that_has_said_where_it_is() {
    let server = Server::with_event().await;
    let cookie = server.sign_in().await;
    let edge = edge(&server, &cookie, 9).await;
    let path = "/api/v1/events/1/enrolments";
    let wanted = json!({ "lane_id": 1, "edge_id": edge.id.to_string() });
    let (status, problem) = office(&server, &cookie, "POST", path, wanted.clone()).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{problem}");
    let told = send(&server, &edge, &report(&[])).await.unwrap();
    assert_eq!((told.event.id, told.lanes.len(), told.classes.len(), told.devices.len()), (1, 2, 2, 0));
    let (_, made) = office(&server, &cookie, "POST", path, wanted).await;
    let code = EnrolmentCode::parse(made["qr_text"].as_str().unwrap()).unwrap();
    assert_eq!((code.server.as_str(), code.tls_pin), ("https://10.0.0.5:8443", [4; 32]));
    assert_eq!(code.root_fingerprint, enrolment_code(&server, &cookie, 1).await.root_fingerprint);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_an_edge_with_lanes_is_silent_no_lane_is_told_that_all_are_heard() {
    let server = Server::with_event().await;
    let cookie = server.sign_in().await;
    let edge = edge(&server, &cookie, 9).await;
    let (behind, direct) =
        (Handheld::confirmed(&server, &cookie, 5, 1).await, Handheld::confirmed(&server, &cookie, 6, 2).await);
    behind.bundle(&server).await;
    direct.bundle(&server).await;
    let says = async || {
        let mut feed = open_feed(&server, &direct, 0).await;
        let timely = |data: &str| matches!(message(data), FeedMessage::Time(_) | FeedMessage::Alive(_));
        let events = events(&mut feed, timely).await;
        matches!(message(&events.last().unwrap().1), FeedMessage::Time(_))
    };
    assert!(says().await, "an edge without lanes keeps nobody waiting");
    // A request that the edge hands on says whose lane it is.
    let bundle = "/gate/v1/events/1/bundle";
    let lane_signed = request::sign(&behind.key, behind.id, "GET", bundle, NOW_MS, &[]);
    let handed = |by: &Handheld, target: &str| {
        Request::get(bundle)
            .header(request::HEADER, &lane_signed)
            .header(EDGE_HEADER, request::sign(&by.key, by.id, "GET", target, NOW_MS, &[]))
            .body(Body::empty())
            .unwrap()
    };
    assert_eq!(server.send(handed(&direct, bundle)).await.status(), StatusCode::FORBIDDEN, "no edge");
    let elsewhere = server.send(handed(&edge, "/gate/v1/events/1/list")).await.status();
    assert_eq!(elsewhere, StatusCode::UNAUTHORIZED, "signed for another request");
    assert_eq!(server.send(handed(&edge, bundle)).await.status(), StatusCode::OK);
    assert!(!says().await, "it has not said yet that all is here");
    let told = send(&server, &edge, &report(&[])).await.unwrap();
    assert_eq!(told.devices.iter().map(|device| device.here).collect::<Vec<_>>(), [true, false]);
    assert!(says().await);
    server.site.platform.clock.advance_ms(20_001);
    assert!(!says().await, "silent for longer than 20 s");
    // The lane comes by itself: it is not the edge's any more.
    behind.bundle(&server).await;
    assert!(says().await);
    server.site.platform.clock.advance_ms(1);
    send(&server, &edge, &report(&[&behind])).await.unwrap();
    server.site.platform.clock.advance_ms(20_001);
    assert!(!says().await, "by the report it is back at the edge, which fell silent");
}
