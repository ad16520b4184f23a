//! What the organiser says of a lane's staff and of rows' keeping reaches the handhelds in the signed policy.

use super::*;

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
