//! What handhelds tell of themselves, and what the times of scans say, on the supervisor's page.

use gate_core::wire::v1::{Battery, ClockState, DeviceStatus, ListInUse};

use super::*;

const STATUS: &str = "/gate/v1/events/1/status";

async fn snapshot(server: &Server, cookie: &str) -> Value {
    let request = Request::get("/api/v1/events/1/live").header("cookie", cookie).body(Body::empty()).unwrap();
    let response = server.send(request).await;
    assert_eq!(response.status(), StatusCode::OK);
    let mut body = response.into_body();
    let mut text = String::new();
    while !text.contains("\n\n") {
        let frame = body.frame().await.expect("a snapshot comes").unwrap();
        text.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
    }
    let data = text.lines().find_map(|line| line.strip_prefix("data: ").or(line.strip_prefix("data:"))).unwrap();
    serde_json::from_str(data).unwrap()
}

fn told(policy_version: u64) -> Vec<u8> {
    let status = DeviceStatus {
        version: "0.3.0".to_owned(),
        battery: Some(Battery { percent: 18, charging: false }),
        waiting_rows: 4,
        oldest_waiting_ms: 75_000,
        list: Some(ListInUse { version: 9, issued_at_ms: NOW_MS - 60_000, expires_at_ms: NOW_MS + 60_000 }),
        policy_version,
        clock: ClockState { in_doubt: true, offset_ms: -7_000, uncertainty_ms: 20_000 },
        cut_off_s: Some(12),
    };
    to_cbor(&status).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handhelds_word_about_itself_is_shown_and_one_that_tells_nothing_works_as_well() {
    let server = Server::with_event().await;
    let cookie = server.sign_in().await;
    let talks = Handheld::confirmed(&server, &cookie, 5, 1).await;
    let _silent = Handheld::confirmed(&server, &cookie, 6, 2).await;
    assert_eq!(talks.ask(&server, "POST", STATUS, told(3)).await.0, StatusCode::NO_CONTENT);
    let shown = snapshot(&server, &cookie).await;
    assert_eq!(shown["lanes"][1]["devices"][0]["status"], Value::Null);
    let status = &shown["lanes"][0]["devices"][0]["status"];
    assert_eq!(
        *status,
        json!({
            "told_at_ms": NOW_MS, "version": "0.3.0", "battery_percent": 18, "charging": false, "waiting_rows": 4,
            "oldest_waiting_ms": 75_000, "list_version": 9, "list_issued_at_ms": NOW_MS - 60_000,
            "list_expires_at_ms": NOW_MS + 60_000, "policy_version": 3, "clock_in_doubt": true,
            "clock_offset_ms": -7_000, "cut_off_s": 12,
        })
    );
    let stranger = Handheld { key: SecretKey::from_bytes(&[9; 32]), id: talks.id, rows: Vec::new() };
    assert_eq!(stranger.ask(&server, "POST", STATUS, told(9)).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(talks.ask(&server, "POST", STATUS, vec![0xFF]).await.0, StatusCode::BAD_REQUEST);
    let kept = snapshot(&server, &cookie).await;
    assert_eq!(kept["lanes"][0]["devices"][0]["status"]["policy_version"], 3, "neither changed anything");
    // Since then it works on without a word: its program was replaced by one that tells none.
    server.site.platform.clock.advance_ms(181_000);
    talks.bundle(&server).await;
    assert_eq!(snapshot(&server, &cookie).await["lanes"][0]["devices"][0]["status"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_a_handheld_sets_aside_does_not_count_as_heard() {
    let server = Server::with_event().await;
    let cookie = server.sign_in().await;
    let handheld = Handheld::confirmed(&server, &cookie, 5, 1).await;
    let decision = json!({ "decision": { "kind": "lane_closed", "lane_id": 2 }, "minutes": 10 });
    let (status, made) = office(&server, &cookie, "POST", "/api/v1/events/1/decisions", decision).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let current = async || snapshot(&server, &cookie).await["lanes"][0]["devices"][0]["policy_current"].clone();
    assert_eq!(current().await, false);
    let bundle = handheld.bundle(&server).await;
    let policy = Policy::open(bundle.policy.as_ref().unwrap(), &trust(&bundle), EVENT, NOW_MS / 1_000, 0).unwrap();
    assert_eq!(current().await, true, "it was sent it, and says nothing else");
    handheld.ask(&server, "POST", STATUS, told(policy.version - 1)).await;
    assert_eq!(current().await, false, "it says that it goes by an older one");
    handheld.ask(&server, "POST", STATUS, told(policy.version)).await;
    assert_eq!(current().await, true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_without_pauses_is_shown_with_its_gap_and_its_queue() {
    let server = Server::with_event().await;
    let cookie = server.sign_in().await;
    let mut busy = Handheld::confirmed(&server, &cookie, 5, 1).await;
    let mut idle = Handheld::confirmed(&server, &cookie, 6, 2).await;
    for number in 0..30 {
        busy.admit(1, 100 + number, NOW_MS - 200_000 + number as i64 * 6_500);
    }
    for number in 0..6 {
        idle.admit(2, 200 + number, NOW_MS - 300_000 + number as i64 * 50_000);
    }
    // A clock far ahead says nothing of now.
    idle.admit(2, 300, NOW_MS + 3_600_000);
    busy.push(&server, &busy.rows).await;
    idle.push(&server, &idle.rows).await;
    let shown = snapshot(&server, &cookie).await;
    assert_eq!(shown["lanes"][0]["gaps"], json!({ "median_ms": 6_500, "queue": true }));
    assert_eq!(shown["lanes"][1]["gaps"], json!({ "median_ms": 50_000, "queue": null }));
}
