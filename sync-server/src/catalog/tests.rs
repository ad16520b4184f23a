//! The catalog: rules by table, and the whole path over HTTP.

use axum::body::Body;
use axum::http::{Request, header};
use serde_json::{Value, json};
use ticket_signer::certificate::CertificateFields;
use ticket_signer::{Certificate, EventId, EventRange, Role, SecretKey, keyfile};

use super::*;
use crate::platform::Random;
use crate::platform::keys::{self, KeyRing};
use crate::testing::{NOW_MS, Server, Site, json_of};

/// Keys whose issue certificate names the events 5 to 6 and 9.
fn keys() -> KeyRing {
    let directory = tempfile::tempdir().unwrap();
    let keys = directory.path().join("keys");
    keys::init(&keys, &ticket_signer::Role::ALL, &Random::seeded(3)).unwrap();
    let root = SecretKey::from_bytes(&[1; 32]);
    let root_file = directory.path().join("root.pub");
    std::fs::write(&root_file, keyfile::write_public(&root.public())).unwrap();
    let range = |first, last| EventRange { first: EventId(first), last: EventId(last) };
    let fields = CertificateFields {
        role: Role::Issue,
        key: KeyRing::load(&keys).unwrap().key(Role::Issue).unwrap().secret.public(),
        organiser: "Hall".into(),
        events: vec![range(5, 6), range(9, 9)],
        not_before_s: 0,
        not_after_s: u32::MAX,
    };
    let file = directory.path().join("issue.cert");
    std::fs::write(&file, Certificate::issue(fields, &root).unwrap().to_bytes()).unwrap();
    keys::import_certificate(&keys, &file, Some(&root_file)).unwrap();
    KeyRing::load(&keys).unwrap()
}

fn class_body(id: u16) -> Value {
    json!({"id": id, "name": format!("Class {id}"), "valid_from_ms": NOW_MS, "valid_until_ms": NOW_MS + 3_600_000, "admissions": 1})
}

async fn event_with_two_lanes(server: &Server) -> u32 {
    server.call("POST", "/api/v1/venues", json!({"name": "Hall", "time_zone": "europe/vienna"})).await;
    let event = json!({"venue_id": 1, "name": "Concert", "starts_at_ms": NOW_MS, "ends_at_ms": NOW_MS + 3_600_000});
    let (status, event) = server.call("POST", "/api/v1/events", event).await;
    assert_eq!(status, 201, "{event}");
    for (entrance, lane) in [("North", "Lane 1"), ("South", "Lane 2")] {
        let (_, entrance) = server.call("POST", "/api/v1/events/5/entrances", json!({"name": entrance})).await;
        let lane = json!({"entrance_id": entrance["id"], "name": lane});
        assert_eq!(server.call("POST", "/api/v1/events/5/lanes", lane).await.0, 201);
    }
    for id in [1, 2] {
        assert_eq!(server.call("POST", "/api/v1/events/5/classes", class_body(id)).await.0, 201);
    }
    5
}

#[tokio::test]
async fn an_event_is_made_and_read() {
    let server = Server::with_keys(keys()).await;
    event_with_two_lanes(&server).await;
    let cookie = server.sign_in().await;
    let get = async |path: &str| {
        let request = Request::get(path).header(header::COOKIE, &cookie).body(Body::empty()).unwrap();
        json_of(server.send(request).await).await.1
    };
    let event = json!({"id": 5, "venue_id": 1, "name": "Concert", "venue": "Hall", "time_zone": "Europe/Vienna",
        "starts_at_ms": NOW_MS, "ends_at_ms": NOW_MS + 3_600_000});
    assert_eq!(get("/api/v1/events").await, json!({"events": [event]}));
    let lanes = json!({"lanes": [{"id": 1, "name": "Lane 1", "entrance_id": 1, "entrance": "North"},
        {"id": 2, "name": "Lane 2", "entrance_id": 2, "entrance": "South"}]});
    assert_eq!(get("/api/v1/events/5/lanes").await, lanes);
    let policy = get("/api/v1/events/5/policy").await;
    assert_eq!(
        (&policy["version"], &policy["partition"], &policy["home_groups"]),
        (&json!(0), &json!("bounded"), &json!(2))
    );

    let put = json!({"partition": "open", "printed_classes": [2], "class_partitions": [{"class": 1, "partition": "strict"}],
        "lanes": [{"lane_id": 2, "classes": [2]}]});
    for version in [1, 2] {
        let (status, policy) = server.call("PUT", "/api/v1/events/5/policy", put.clone()).await;
        assert_eq!((status.as_u16(), &policy["version"]), (200, &json!(version)), "{policy}");
    }
    let policy = get("/api/v1/events/5/policy").await;
    assert_eq!(policy["printed_classes"], json!([2]));
    assert_eq!(policy["class_partitions"], put["class_partitions"]);
    let profile = |lane: u32, classes: Value| json!({ "lane_id": lane, "home_group": 0, "classes": classes, "direction": "in", "closed": false, "questions": [] });
    let lanes = json!([profile(1, json!([])), profile(2, json!([2]))]);
    assert_eq!(policy["lanes"], lanes, "the lane that was not named admits all classes");
    let mut tx = server.site.platform.store.read().await.unwrap();
    assert!(check(&mut tx).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_not_allowed_says_why() {
    let server = Server::with_keys(keys()).await;
    event_with_two_lanes(&server).await;
    let event = |id: Value, name: &str, from: i64, until: i64| json!({"id": id, "venue_id": 1, "name": name, "starts_at_ms": from, "ends_at_ms": until});
    let class = |change: fn(&mut Value)| {
        let mut class = class_body(7);
        change(&mut class);
        class
    };
    let later = NOW_MS + 1_000;
    for (method, path, body, code, field) in [
        ("POST", "/api/v1/venues", json!({"name": "Hall", "time_zone": "UTC"}), "conflict", "name"),
        ("POST", "/api/v1/venues", json!({"name": "B", "time_zone": "Vienna"}), "invalid", "time_zone"),
        ("POST", "/api/v1/venues", json!({"name": " ", "time_zone": "UTC"}), "invalid", "name"),
        ("POST", "/api/v1/venues", json!({"name": "B", "time_zone": "UTC", "x": 1}), "malformed", ""),
        ("POST", "/api/v1/events", event(json!(7), "E", NOW_MS, later), "event_not_certified", "id"),
        ("POST", "/api/v1/events", event(json!(0), "E", NOW_MS, later), "invalid", "id"),
        ("POST", "/api/v1/events", event(json!(5), "E", NOW_MS, later), "conflict", "id"),
        ("POST", "/api/v1/events", event(Value::Null, "E", later, NOW_MS), "invalid", "ends_at_ms"),
        ("POST", "/api/v1/events", event(Value::Null, "E", NOW_MS + 1, later), "invalid", "starts_at_ms"),
        ("POST", "/api/v1/events", event(Value::Null, &"x".repeat(101), NOW_MS, later), "invalid", "name"),
        (
            "POST",
            "/api/v1/events",
            json!({"venue_id": 9, "name": "E", "starts_at_ms": NOW_MS, "ends_at_ms": later}),
            "not_found",
            "",
        ),
        ("POST", "/api/v1/events/6/lanes", json!({"entrance_id": 1, "name": "L"}), "not_found", ""),
        ("POST", "/api/v1/events/5/lanes", json!({"entrance_id": 9, "name": "L"}), "not_found", ""),
        ("POST", "/api/v1/events/5/lanes", json!({"entrance_id": 1, "name": "Lane 1"}), "conflict", "name"),
        ("POST", "/api/v1/events/x/lanes", json!({"entrance_id": 1, "name": "L"}), "not_found", ""),
        ("POST", "/api/v1/events/5/classes", class_body(1), "conflict", "id"),
        ("POST", "/api/v1/events/5/classes", class(|c| c["admissions"] = json!(0)), "invalid", "admissions"),
        ("POST", "/api/v1/events/5/classes", class(|c| c["admissions"] = json!(256)), "malformed", ""),
        ("POST", "/api/v1/events/5/classes", class(|c| c["flags"] = json!(2)), "invalid", "flags"),
        (
            "POST",
            "/api/v1/events/5/classes",
            class(|c| c["valid_until_ms"] = c["valid_from_ms"].clone()),
            "invalid",
            "valid_until_ms",
        ),
        (
            "POST",
            "/api/v1/events/5/classes",
            class(|c| c["valid_until_ms"] = json!(4_294_967_296_000i64)),
            "invalid",
            "valid_until_ms",
        ),
        ("PUT", "/api/v1/events/5/policy", json!({"printed_classes": [3]}), "invalid", "printed_classes"),
        ("PUT", "/api/v1/events/5/policy", json!({"printed_classes": [1, 1]}), "invalid", "printed_classes"),
        (
            "PUT",
            "/api/v1/events/5/policy",
            json!({"class_partitions": [{"class": 3, "partition": "open"}]}),
            "invalid",
            "class_partitions",
        ),
        ("PUT", "/api/v1/events/5/policy", json!({"lanes": [{"lane_id": 9}]}), "invalid", "lanes"),
        ("PUT", "/api/v1/events/5/policy", json!({"lanes": [{"lane_id": 1}, {"lane_id": 1}]}), "invalid", "lanes"),
        ("PUT", "/api/v1/events/5/policy", json!({"lanes": [{"lane_id": 1, "home_group": 1}]}), "invalid", "lanes"),
        ("PUT", "/api/v1/events/5/policy", json!({"lanes": [{"lane_id": 1, "direction": "up"}]}), "malformed", ""),
        ("PUT", "/api/v1/events/5/policy", json!({"lanes": [{"lane_id": 1, "questions": [" "]}]}), "invalid", "lanes"),
        (
            "PUT",
            "/api/v1/events/5/policy",
            json!({"lanes": [{"lane_id": 1, "questions": ["Bag?", "Bag?"]}]}),
            "invalid",
            "lanes",
        ),
        (
            "PUT",
            "/api/v1/events/5/policy",
            json!({"lanes": [{"lane_id": 1, "questions": ["x".repeat(121)]}]}),
            "invalid",
            "lanes",
        ),
        (
            "PUT",
            "/api/v1/events/5/policy",
            json!({"lanes": [{"lane_id": 1, "questions": ["1?", "2?", "3?", "4?", "5?", "6?"]}]}),
            "invalid",
            "lanes",
        ),
        ("PUT", "/api/v1/events/5/policy", json!({"home_groups": 0}), "invalid", "home_groups"),
        ("PUT", "/api/v1/events/5/policy", json!({"freshness_steps": 41}), "invalid", "freshness_steps"),
        ("PUT", "/api/v1/events/5/policy", json!({"hold_off_ms": 60_001}), "invalid", "hold_off_ms"),
        ("PUT", "/api/v1/events/5/policy", json!({"lease_hours": 0}), "invalid", "lease_hours"),
        ("PUT", "/api/v1/events/5/policy", json!({"partition": "closed"}), "malformed", ""),
        ("PUT", "/api/v1/events/6/policy", json!({}), "not_found", ""),
    ] {
        let (status, problem) = server.call(method, path, body.clone()).await;
        assert!(status.is_client_error(), "{path} {body}: {problem}");
        assert_eq!(problem["code"], code, "{path} {body}: {problem}");
        assert_eq!(problem["field"].as_str().unwrap_or(""), field, "{path} {body}: {problem}");
        assert!(problem["detail"].as_str().unwrap().ends_with('.'), "a sentence: {problem}");
    }
}

#[tokio::test]
async fn event_ids_come_from_the_certificate() {
    let server = Server::with_keys(keys()).await;
    server.call("POST", "/api/v1/venues", json!({"name": "Hall", "time_zone": "UTC"})).await;
    let event = |name: &str| json!({"venue_id": 1, "name": name, "starts_at_ms": NOW_MS, "ends_at_ms": NOW_MS + 1_000});
    for id in [5, 6, 9] {
        assert_eq!(server.call("POST", "/api/v1/events", event("E")).await.1["id"], id);
    }
    let (_, problem) = server.call("POST", "/api/v1/events", event("E")).await;
    assert_eq!(problem["code"], "event_not_certified");
    let server = Server::with_keys(KeyRing::default()).await;
    let (status, problem) = server.call("POST", "/api/v1/events", event("E")).await;
    assert_eq!((status.as_u16(), &problem["code"]), (503, &json!("keys_missing")));
}

#[tokio::test]
async fn writing_needs_the_right() {
    let server = Server::with_keys(keys()).await;
    let cookie = server.sign_in().await;
    for (cookie, status) in [("", 401), (&cookie, 403)] {
        for path in [
            "/api/v1/venues",
            "/api/v1/events",
            "/api/v1/events/5/entrances",
            "/api/v1/events/5/lanes",
            "/api/v1/events/5/classes",
        ] {
            let request = Request::post(path).header(header::COOKIE, cookie).body(Body::from("not even JSON")).unwrap();
            assert_eq!(server.send(request).await.status().as_u16(), status, "{path}");
        }
        let request =
            Request::put("/api/v1/events/5/policy").header(header::COOKIE, cookie).body(Body::empty()).unwrap();
        assert_eq!(server.send(request).await.status().as_u16(), status);
    }
}

#[tokio::test]
async fn a_lane_stands_at_an_entrance_of_its_own_event() {
    let site = Site::new().await;
    let mut tx = site.platform.store.write().await.unwrap();
    let venue = create_venue(&mut tx, "Hall", "UTC", NOW_MS).await.unwrap();
    for id in [1, 2] {
        let new = NewEvent { id: Some(id), venue_id: venue.id, name: "E".into(), starts_at_ms: 0, ends_at_ms: 1_000 };
        create_event(&mut tx, &new, &[1..=2], NOW_MS).await.unwrap();
    }
    let entrance = create_entrance(&mut tx, 1, "North", NOW_MS).await.unwrap();
    let foreign = create_lane(&mut tx, 2, entrance.id, "Lane", NOW_MS).await;
    assert!(matches!(foreign, Err(CatalogError::NotFound { what: "entrance", .. })));
    assert_eq!(create_lane(&mut tx, 1, entrance.id, "Lane", NOW_MS).await.unwrap().entrance, "North");
}

#[test]
fn free_ids_by_table() {
    for (allowed, taken, free) in [
        (vec![1..=3], vec![], Some(1)),
        (vec![0..=3], vec![1], Some(2)),
        (vec![1..=2, 7..=9], vec![1, 2], Some(7)),
        (vec![1..=2], vec![1, 2], None),
        (vec![0..=0], vec![], None),
        (vec![], vec![], None),
        (vec![1..=u32::MAX], vec![1, 2, 3], Some(4)),
        (vec![u32::MAX..=u32::MAX], vec![1], Some(u32::MAX)),
    ] {
        assert_eq!(rules::lowest_free(&allowed, &taken.iter().copied().collect()), free, "{allowed:?} {taken:?}");
    }
}
