//! What the organiser says of lanes, of their staff's questions and of rows' keeping, from the policy to the handhelds.

use gate_core::passage::Direction;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_lanes_profile_reaches_its_handheld_and_the_page() {
    let server = Server::with_event().await;
    let cookie = server.sign_in().await;
    let handheld = Handheld::confirmed(&server, &cookie, 5, 1).await;
    let rules = json!({ "partition": "open", "lanes": [
        { "lane_id": 1, "classes": [2], "direction": "out", "questions": ["Is the bag smaller than A4?"] },
        { "lane_id": 2, "closed": true },
    ] });
    let (status, put) = server.call("PUT", "/api/v1/events/1/policy", rules).await;
    assert_eq!(status, StatusCode::OK, "{put}");
    let (_, read) = server.call("GET", "/api/v1/events/1/policy", Value::Null).await;
    let (exit, shut) = (
        json!({ "lane_id": 1, "home_group": 0, "classes": [2], "direction": "out", "closed": false,
                "questions": ["Is the bag smaller than A4?"] }),
        json!({ "lane_id": 2, "home_group": 0, "classes": [], "direction": "in", "closed": true, "questions": [] }),
    );
    assert_eq!(read["lanes"], json!([exit, shut]));
    let bundle = handheld.bundle(&server).await;
    let policy = Policy::open(bundle.policy.as_ref().unwrap(), &trust(&bundle), EVENT, NOW_MS / 1_000, 0).unwrap();
    let lane = policy.lane(LaneId(1)).unwrap();
    assert_eq!((lane.direction, lane.closed, &lane.classes), (Direction::Out, false, &vec![2]));
    assert_eq!(lane.questions, ["Is the bag smaller than A4?"]);
    assert!(policy.lane(LaneId(2)).unwrap().closed);
    // What the organiser has closed, a supervisor opens for a while.
    let open = json!({ "decision": { "kind": "lane_opened", "lane_id": 2 }, "minutes": 30 });
    assert_eq!(office(&server, &cookie, "POST", "/api/v1/events/1/decisions", open).await.0, StatusCode::CREATED);
    let bundle = handheld.bundle(&server).await;
    let policy = Policy::open(bundle.policy.as_ref().unwrap(), &trust(&bundle), EVENT, NOW_MS / 1_000, 0).unwrap();
    let closed = |at_ms| policy.at(at_ms).lane(LaneId(2)).unwrap().closed;
    assert_eq!((closed(NOW_MS), closed(NOW_MS + 30 * 60_000)), (false, true));
}

async fn put(server: &Server, rules: Value) -> (StatusCode, Value) {
    server.call("PUT", "/api/v1/events/1/policy", rules).await
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_and_keeping_are_in_the_signed_policy() {
    let server = Server::with_event().await;
    let cookie = server.sign_in().await;
    let handheld = Handheld::confirmed(&server, &cookie, 5, 1).await;
    let policy = async || {
        let bundle = handheld.bundle(&server).await;
        Policy::open(&bundle.policy.clone().unwrap(), &trust(&bundle), EVENT, NOW_MS / 1_000, 0).unwrap()
    };
    let usual = policy().await;
    assert_eq!((usual.keep_rows_s, usual.lanes[0].questions.len()), (30 * 86_400, 0), "where nobody said otherwise");
    let asks = |questions: Value| json!({ "keep_rows_days": 2, "lanes": [{ "lane_id": 1, "questions": questions }] });
    let (status, kept) = put(&server, asks(json!(["Ausweis pr\u{fc}fen"]))).await;
    assert_eq!((status, &kept["keep_rows_days"]), (StatusCode::OK, &2.into()), "{kept}");
    assert_eq!(kept["lanes"][0]["questions"], json!(["Ausweis pr\u{fc}fen"]));
    let asked = policy().await;
    assert_eq!(
        (asked.keep_rows_s, &asked.lanes[0].questions[..]),
        (2 * 86_400, &["Ausweis pr\u{fc}fen".to_owned()][..])
    );
    for unfit in [json!(["", "x"]), json!(["a\nb"]), json!(["x".repeat(121)]), json!(["a", "b", "c", "d", "e", "f"])] {
        let (status, problem) = put(&server, asks(unfit)).await;
        assert_eq!((status, &problem["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &"lanes".into()), "{problem}");
    }
    let (status, problem) = put(&server, json!({ "keep_rows_days": 4_000 })).await;
    assert_eq!((status, &problem["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &"keep_rows_days".into()));
}
