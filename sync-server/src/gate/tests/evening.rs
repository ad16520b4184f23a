//! The plan of an evening, and the evening against it.

use super::*;

/// Doors opened half an hour ago; 1,200 guests in 90 minutes at one entrance of two lanes, which can take 1,800.
const DOORS_MS: i64 = NOW_MS / 60_000 * 60_000 - 30 * 60_000;

fn plan() -> Value {
    json!({
        "classes": [{ "class": 1, "name": "All", "guests": 1_200, "arrivals": { "arrived": [[0, 0], [90, 1]] } }],
        "entrances": [{ "entrance_id": 1, "name": "North" }],
        "lanes": [
            { "lane_id": 1, "name": "Lane 1", "entrance_id": 1 },
            { "lane_id": 2, "name": "Lane 2", "entrance_id": 1 },
        ],
        "service": { "lognormal": { "mean_s": 6, "p95_s": 14 } },
        "evenings": 5,
    })
}

async fn put(server: &Server, plan: Value) -> (StatusCode, Value) {
    server.call("PUT", "/api/v1/events/1/plan", json!({ "doors_open_at_ms": DOORS_MS, "plan": plan })).await
}

async fn evening(server: &Server, cookie: &str) -> (StatusCode, Value) {
    office(server, cookie, "GET", "/api/v1/events/1/plan/evening", Value::Null).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_kept_as_it_was_put_and_mistakes_are_named() {
    let server = Server::with_event().await;
    let (status, problem) = server.call("GET", "/api/v1/events/1/plan", Value::Null).await;
    assert_eq!((status, &problem["code"]), (StatusCode::NOT_FOUND, &json!("not_found")));
    let (status, kept) = put(&server, plan()).await;
    assert_eq!(status, StatusCode::OK, "{kept}");
    let (_, read) = server.call("GET", "/api/v1/events/1/plan", Value::Null).await;
    assert_eq!(read, kept);
    assert_eq!((&read["plan"]["p95_wait_s"], &read["doors_open_at_ms"]), (&json!(600.0), &json!(DOORS_MS)));
    let wrong = |change: &dyn Fn(&mut Value)| {
        let mut plan = plan();
        change(&mut plan);
        plan
    };
    for (plan, says) in [
        (wrong(&|plan| plan["classes"][0]["guests"] = json!(0)), "No guests are expected"),
        (wrong(&|plan| plan["classes"][0]["class"] = json!(9)), "class 9, which the event does not have"),
        (wrong(&|plan| plan["lanes"][1]["lane_id"] = json!(7)), "lane 7, which the event does not have"),
        (
            wrong(&|plan| {
                plan["entrances"] = json!([{ "entrance_id": 1, "name": "N" }, { "entrance_id": 3, "name": "S" }]);
            }),
            "no lane at an entrance 3",
        ),
    ] {
        let (status, problem) = put(&server, plan).await;
        assert_eq!((status, &problem["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("plan")), "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(says), "{problem}");
    }
    let odd = json!({ "doors_open_at_ms": DOORS_MS + 1, "plan": plan() });
    let (_, problem) = server.call("PUT", "/api/v1/events/1/plan", odd).await;
    assert_eq!(problem["field"], "doors_open_at_ms");
    let (status, _) = put(&server, json!({ "classes": [], "lane": [] })).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "a field that nobody knows");
    assert_eq!(server.call("GET", "/api/v1/events/1/plan", Value::Null).await.1, kept, "the plan stays");
}

async fn shut_lane_2(server: &Server, cookie: &str) {
    let shut = json!({ "decision": { "kind": "lane_closed", "lane_id": 2 }, "minutes": 60 });
    assert_eq!(office(server, cookie, "POST", "/api/v1/events/1/decisions", shut).await.0, StatusCode::CREATED);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_that_is_shut_before_the_doors_is_warned_of_while_there_is_time() {
    let server = Server::with_event().await;
    let cookie = server.sign_in().await;
    let doors_ms = DOORS_MS + 60 * 60_000;
    let body = json!({ "doors_open_at_ms": doors_ms, "plan": plan() });
    assert_eq!(server.call("PUT", "/api/v1/events/1/plan", body).await.0, StatusCode::OK);
    let (_, told) = evening(&server, &cookie).await;
    assert_eq!((&told["warnings"], &told["entrances"][0]["real"]), (&json!([]), &json!([])), "two lanes are enough");
    shut_lane_2(&server, &cookie).await;
    assert_eq!(evening(&server, &cookie).await.1["warnings"], json!([]), "played a moment ago");
    server.site.platform.clock.advance_ms(20_000);
    let (_, told) = evening(&server, &cookie).await;
    let warning = &told["warnings"][0];
    assert_eq!((&warning["lanes_more"], &warning["like_lane"]), (&json!(1), &json!("Lane 1")), "{told}");
    assert!(
        warning["from_ms"].as_i64().unwrap() > doors_ms && warning["expected_p95_wait_s"].as_f64().unwrap() > 600.0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_evening_is_told_against_its_plan() {
    let server = Server::with_event().await;
    let cookie = server.sign_in().await;
    assert_eq!(evening(&server, &cookie).await.0, StatusCode::NOT_FOUND);
    put(&server, plan()).await;
    let mut one = Handheld::confirmed(&server, &cookie, 5, 1).await;
    // One guest each 6 s at the one lane without a pause, in the last ten minutes.
    for number in 0..100 {
        one.admit(1, 1_000 + number, NOW_MS - 601_000 + number as i64 * 6_000);
    }
    one.push(&server, &one.rows).await;
    let (status, told) = evening(&server, &cookie).await;
    assert_eq!(status, StatusCode::OK, "{told}");
    let entrance = &told["entrances"][0];
    let planned: f64 = entrance["planned"].as_array().unwrap().iter().map(|guests| guests.as_f64().unwrap()).sum();
    let real: i64 = entrance["real"].as_array().unwrap().iter().map(|guests| guests.as_i64().unwrap()).sum();
    assert!((1_190.0..=1_210.0).contains(&planned) && real == 100, "{planned} {real}");
    assert_eq!(entrance["real"].as_array().unwrap().len() as i64 + entrance["first_minute"].as_i64().unwrap(), 31);
    // 400 should have come, and 100 are in: by plan and pauses a queue stands there, which the page says.
    let standing = &entrance["standing"];
    assert_eq!((&standing["pace"], &standing["admitted"]), (&json!("behind"), &json!(100.0)), "{standing}");
    assert_eq!(told["service_measured"], true);
    // The second lane is shut by a supervisor: then the other one was as busy as the entrance can be, and the queue is known.
    shut_lane_2(&server, &cookie).await;
    server.site.platform.clock.advance_ms(20_000);
    let (_, told) = evening(&server, &cookie).await;
    let standing = &told["entrances"][0]["standing"];
    assert!(standing["waiting"].as_f64().unwrap() > 250.0, "{standing}");
    let wait_s = standing["wait_s"].as_f64().unwrap();
    assert!((1_200.0..=2_400.0).contains(&wait_s), "about 300 at ten a minute: {standing}");
    let warning = &told["warnings"][0];
    assert_eq!((&warning["entrance"], &warning["like_lane"]), (&json!("North"), &json!("Lane 1")), "{told}");
    assert_eq!(warning["lanes_more"], Value::Null, "who stands there has waited too long already");
    // Two days later the plan speaks of now no more.
    server.site.platform.clock.advance_ms(48 * 3_600_000);
    let cookie = server.sign_in().await;
    let (_, told) = evening(&server, &cookie).await;
    assert_eq!((&told["warnings"], &told["entrances"][0]["standing"]), (&json!([]), &Value::Null));
}
