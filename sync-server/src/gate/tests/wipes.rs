//! A device that is wiped gets its wipe in place of everything else, and its rows are still taken in.

use gate_core::wire::v1::{WipeAnswer, WipePayload};

use super::*;

async fn wipe(server: &Server, cookie: &str, id: DeviceId) -> (StatusCode, Value) {
    office(server, cookie, "POST", &format!("/api/v1/devices/{id}/wipe"), json!({})).await
}

async fn asked(server: &Server, handheld: &Handheld) -> WipeAnswer {
    let (status, body) = handheld.ask(server, "GET", "/gate/v1/wipe", Vec::new()).await;
    assert_eq!(status, StatusCode::OK, "{}", String::from_utf8_lossy(&body));
    from_cbor(&body).unwrap()
}

fn code(body: &[u8]) -> String {
    let problem: Value = serde_json::from_slice(body).unwrap();
    problem["code"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_device_gets_its_wipe_and_nothing_else() {
    let server = Server::with_event().await;
    let cookie = server.sign_in().await;
    let mut handheld = Handheld::confirmed(&server, &cookie, 1, 1).await;
    let other = Handheld::confirmed(&server, &cookie, 2, 1).await;
    let trust = trust(&handheld.bundle(&server).await);
    handheld.admit(1, 9, NOW_MS);
    assert_eq!(asked(&server, &handheld).await, WipeAnswer::No);

    let (status, told) = wipe(&server, &cookie, handheld.id).await;
    assert_eq!((status, &told["state"], &told["wipe_sent_at_ms"]), (StatusCode::OK, &"wiped".into(), &Value::Null));
    for path in ["/gate/v1/events/1/bundle", "/gate/v1/events/1/list"] {
        let (status, body) = handheld.ask(&server, "GET", path, Vec::new()).await;
        assert_eq!((status, code(&body).as_str()), (StatusCode::FORBIDDEN, "device_wiped"), "{path}");
    }
    let mut feed = open_feed(&server, &handheld, 0).await;
    let heard = events(&mut feed, |_| true).await;
    assert!(matches!(message(&heard[0].1), FeedMessage::Trust), "it is told to ask for its bundle");

    let WipeAnswer::Wipe(word) = asked(&server, &handheld).await else { panic!("no wipe") };
    let opened = word.open(&trust, EVENT, handheld.id, NOW_MS / 1_000);
    assert_eq!(opened, Ok(WipePayload { device: handheld.id.0, event: EVENT.0, at_ms: NOW_MS }));
    assert!(word.open(&trust, EVENT, other.id, 0).is_err(), "it is nobody else's");
    let (_, again) = wipe(&server, &cookie, handheld.id).await;
    assert_eq!(again["wipe_sent_at_ms"], NOW_MS, "it was told");
    assert_eq!(asked(&server, &handheld).await, WipeAnswer::Wipe(word), "the same word");

    let (status, answer) = handheld.push(&server, &handheld.rows).await;
    assert_eq!((status, answer.stored, answer.quarantined), (StatusCode::OK, 1, false), "it hands in what it has");
    assert_eq!(answer.receipts.len(), 1);
    assert_eq!(asked(&server, &other).await, WipeAnswer::No);
    other.bundle(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_device_is_wiped_too_and_a_pending_one_is_not() {
    let server = Server::with_event().await;
    let cookie = server.sign_in().await;
    let handheld = Handheld::confirmed(&server, &cookie, 1, 1).await;
    office(&server, &cookie, "POST", &format!("/api/v1/devices/{}/revoke", handheld.id), json!({})).await;
    assert_eq!(wipe(&server, &cookie, handheld.id).await.0, StatusCode::OK);
    assert!(matches!(asked(&server, &handheld).await, WipeAnswer::Wipe(_)));

    let code = enrolment_code(&server, &cookie, 1).await;
    let (_, body) = enrol(&server, &code, 3).await;
    let pending: EnrolAnswer = from_cbor(&body).unwrap();
    let (status, problem) = wipe(&server, &cookie, DeviceId(pending.device)).await;
    assert_eq!((status, &problem["code"]), (StatusCode::FORBIDDEN, &"device_unconfirmed".into()));
    assert_eq!(wipe(&server, &cookie, DeviceId(1)).await.0, StatusCode::NOT_FOUND);
    assert_eq!(wipe(&server, "", handheld.id).await.0, StatusCode::UNAUTHORIZED);
}
