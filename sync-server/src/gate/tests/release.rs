//! A revoked device's rows: apart until a supervisor releases what precedes the revocation.

use super::*;

async fn release(server: &Server, cookie: &str, device: DeviceId, body: Value) -> (StatusCode, Value) {
    office(server, cookie, "POST", &format!("/api/v1/devices/{device}/release"), body).await
}

async fn listed(server: &Server, cookie: &str, device: DeviceId) -> Value {
    let (_, answer) = office(server, cookie, "GET", "/api/v1/events/1/devices", Value::Null).await;
    let devices = answer["devices"].as_array().unwrap();
    devices.iter().find(|known| known["id"] == device.to_string()).unwrap().clone()
}

async fn conflicts(server: &Server, cookie: &str) -> usize {
    let (_, answer) = office(server, cookie, "GET", "/api/v1/events/1/conflicts", Value::Null).await;
    answer["conflicts"].as_array().unwrap().len()
}

/// A handheld that was cut off, and then lost and revoked: four rows come, of which the third says a time after that.
async fn lost(server: &Server, cookie: &str) -> Handheld {
    let mut lost = Handheld::confirmed(server, cookie, 5, 1).await;
    for (ticket, at_ms) in [(42, -60_000), (43, -50_000), (44, 10_000), (45, -40_000)] {
        lost.admit(1, ticket, NOW_MS + at_ms);
    }
    lost.bundle(server).await;
    let revoke = format!("/api/v1/devices/{}/revoke", lost.id);
    assert_eq!(office(server, cookie, "POST", &revoke, json!({})).await.0, StatusCode::OK);
    assert_eq!(lost.push(server, &lost.rows).await.0, StatusCode::ACCEPTED);
    lost
}

#[tokio::test(flavor = "multi_thread")]
async fn what_precedes_the_revocation_counts_once_it_is_released() {
    let server = Server::with_event().await;
    let cookie = server.sign_in().await;
    let mut other = Handheld::confirmed(&server, &cookie, 6, 2).await;
    other.admit(2, 42, NOW_MS - 30_000);
    other.push(&server, &other.rows).await;
    let lost = lost(&server, &cookie).await;
    let before = listed(&server, &cookie, lost.id).await;
    assert_eq!((&before["quarantined"], &before["revoked_at_ms"]), (&json!(4), &json!(NOW_MS)));
    assert_eq!(conflicts(&server, &cookie).await, 0, "rows that wait count for nothing");
    let store = server.site.platform.store.clone();
    let cursor = crate::gate::store::merged(&mut store.read().await.unwrap(), 1).await.unwrap();

    let (status, answer) = release(&server, &cookie, lost.id, json!({})).await;
    assert_eq!((status, answer), (StatusCode::OK, json!({ "released": 2, "waiting": 2 })));
    assert_eq!(conflicts(&server, &cookie).await, 1, "the ticket was admitted at both lanes");
    let mut tx = store.read().await.unwrap();
    let fed = crate::gate::store::passages_after(&mut tx, 1, cursor, other.id, 9).await.unwrap();
    let hashes: Vec<[u8; 32]> = fed.iter().map(|passage| passage.row.hash()).collect();
    assert_eq!(hashes, [row_hash(&lost.rows[0].bytes), row_hash(&lost.rows[1].bytes)], "lanes past them hear of them");
    let totals = crate::gate::store::lane_totals(&mut tx, 1).await.unwrap();
    assert_eq!(totals, [(1, 1, 2, 2), (2, 1, 1, 1)]);
    assert_eq!(crate::gate::check(&mut tx).await.unwrap(), Vec::<String>::new());
    drop(tx);
    let after = listed(&server, &cookie, lost.id).await;
    let noted = json!([{ "released_at_ms": NOW_MS, "scans": 2, "released_by": "anna" }]);
    assert_eq!((&after["quarantined"], &after["releases"]), (&json!(2), &noted));
}

#[tokio::test(flavor = "multi_thread")]
async fn releasing_again_changes_nothing_and_takes_what_has_come_since() {
    let server = Server::with_event().await;
    let cookie = server.sign_in().await;
    let lost = lost(&server, &cookie).await;
    let until = json!({ "until_ms": NOW_MS - 55_000 });
    let (_, answer) = release(&server, &cookie, lost.id, until.clone()).await;
    assert_eq!(answer, json!({ "released": 1, "waiting": 3 }), "it was out of sight since then");
    let (_, answer) = release(&server, &cookie, lost.id, until).await;
    assert_eq!(answer, json!({ "released": 0, "waiting": 3 }));
    assert_eq!(listed(&server, &cookie, lost.id).await["releases"].as_array().unwrap().len(), 1);
    let late = json!({ "until_ms": NOW_MS + 3_600_000 });
    let (_, answer) = release(&server, &cookie, lost.id, late).await;
    assert_eq!(answer, json!({ "released": 1, "waiting": 2 }), "nothing from after the revocation is released");
    assert_eq!(lost.push(&server, &lost.rows).await.1.duplicates, 4, "the same rows again change nothing");
    let (_, answer) = release(&server, &cookie, lost.id, json!({})).await;
    assert_eq!(answer, json!({ "released": 0, "waiting": 2 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_supervisor_releases_and_only_of_a_revoked_device() {
    let server = Server::with_event().await;
    let cookie = server.sign_in().await;
    let handheld = Handheld::confirmed(&server, &cookie, 5, 1).await;
    let (status, answer) = release(&server, &cookie, handheld.id, json!({})).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(answer["detail"].as_str().unwrap().contains("is not revoked"), "{answer}");
    assert_eq!(release(&server, &cookie, DeviceId(1), json!({})).await.0, StatusCode::NOT_FOUND);
    assert_eq!(release(&server, &cookie, handheld.id, json!({ "all": true })).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(release(&server, "", handheld.id, json!({})).await.0, StatusCode::UNAUTHORIZED);
}
