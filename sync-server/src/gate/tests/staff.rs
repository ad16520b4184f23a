//! The staff of the lanes: from the supervisor's page to the one handheld that can read them.

use gate_core::staff::{Pin, Role, SealedStaff};

use super::*;

const STAFF: &str = "/api/v1/events/1/staff";

async fn put(server: &Server, cookie: &str, number: u16, body: Value) -> (StatusCode, Value) {
    office(server, cookie, "PUT", &format!("{STAFF}/{number}"), body).await
}

fn sealed(handheld: &Handheld, bundle: &StationBundle, known: u64) -> SealedStaff {
    let bytes = bundle.staff.as_ref().expect("the event has staff");
    SealedStaff::open(bytes, &trust(bundle), (EVENT, handheld.id, known), NOW_MS / 1_000).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_are_listed_changed_and_taken_away_by_number() {
    let server = Server::with_event().await;
    let cookie = server.sign_in().await;
    assert_eq!(office(&server, &cookie, "GET", STAFF, Value::Null).await, (StatusCode::OK, json!({ "staff": [] })));
    let ava = json!({ "name": "North door", "role": "supervisor", "pin": "482915" });
    let (status, made) = put(&server, &cookie, 7, ava.clone()).await;
    assert_eq!((status, &made["number"], &made["role"]), (StatusCode::CREATED, &json!(7), &json!("supervisor")));
    assert!(made.get("pin").is_none() && made.get("pin_verifier").is_none(), "{made}");
    assert_eq!(put(&server, &cookie, 7, ava).await.0, StatusCode::OK, "the same again");
    let (_, steward) = put(&server, &cookie, 7, json!({ "name": "North door", "role": "steward" })).await;
    assert_eq!(steward["role"], "steward", "the PIN stays");
    put(&server, &cookie, 3, json!({ "name": "South door", "role": "steward", "pin": "73915208" })).await;
    let (_, listed) = office(&server, &cookie, "GET", STAFF, Value::Null).await;
    let numbers: Vec<_> = listed["staff"].as_array().unwrap().iter().map(|one| one["number"].clone()).collect();
    assert_eq!(numbers, [json!(3), json!(7)]);
    for _ in 0..2 {
        let gone = office(&server, &cookie, "DELETE", &format!("{STAFF}/3"), Value::Null).await;
        assert_eq!(gone.0, StatusCode::NO_CONTENT);
    }
    assert_eq!(office(&server, &cookie, "GET", STAFF, Value::Null).await.1["staff"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_member_of_staff_is_refused_with_what_to_mend() {
    let server = Server::with_event().await;
    let cookie = server.sign_in().await;
    let member = |name: &str, role: &str, pin: Value| json!({ "name": name, "role": role, "pin": pin });
    let table = [
        (7, member("Door", "supervisor", json!("48291")), "pin"),
        (7, member("Door", "supervisor", json!("123456")), "pin"),
        (7, member("Door", "supervisor", Value::Null), "pin"),
        (7, member("", "supervisor", json!("482915")), "name"),
        (0, member("Door", "supervisor", json!("482915")), "number"),
    ];
    for (number, body, field) in table {
        let (status, problem) = put(&server, &cookie, number, body.clone()).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body} {problem}");
        assert!(problem.to_string().contains(field), "{body} {problem}");
        assert!(!problem.to_string().contains("4829"), "a PIN is in no error: {problem}");
    }
    let sound = member("Door", "supervisor", json!("482915"));
    assert_eq!(put(&server, "", 7, sound.clone()).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(server.call("PUT", &format!("{STAFF}/7"), sound.clone()).await.0, StatusCode::FORBIDDEN, "an API key");
    let elsewhere = office(&server, &cookie, "PUT", "/api/v1/events/9/staff/7", sound).await;
    assert_eq!(elsewhere.0, StatusCode::NOT_FOUND);
    assert_eq!(office(&server, &cookie, "GET", STAFF, Value::Null).await.1, json!({ "staff": [] }));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_handheld_gets_the_staff_for_itself_alone() {
    let server = Server::with_event().await;
    let cookie = server.sign_in().await;
    let first = Handheld::confirmed(&server, &cookie, 5, 1).await;
    let second = Handheld::confirmed(&server, &cookie, 6, 2).await;
    assert_eq!(first.bundle(&server).await.staff, None, "an event without staff says nothing");
    put(&server, &cookie, 7, json!({ "name": "North door", "role": "supervisor", "pin": "482915" })).await;
    let (kinds, _) = until_time(&mut open_feed(&server, &first, 0).await).await;
    assert_eq!(kinds, ["list", "policy", "staff", "time"], "a lane hears of it");
    let bundle = first.bundle(&server).await;
    let staff = sealed(&first, &bundle, 0);
    let members = staff.unseal(&first.key).unwrap();
    assert_eq!((members.len(), members[0].number, members[0].role), (1, 7, Role::Supervisor));
    assert_eq!(members[0].verifier.fits(&Pin::parse("482915").unwrap()), Ok(true));
    assert!(staff.unseal(&second.key).is_err());
    let others = second.bundle(&server).await.staff.unwrap();
    let taken = SealedStaff::open(&others, &trust(&bundle), (EVENT, first.id, 0), NOW_MS / 1_000);
    assert!(taken.is_err(), "another device's letter");
    // A new PIN is a new version, and so is the end of the last member: a device must forget as well.
    put(&server, &cookie, 7, json!({ "name": "North door", "role": "supervisor", "pin": "915482" })).await;
    let changed = sealed(&first, &first.bundle(&server).await, staff.version() + 1);
    assert_eq!(changed.unseal(&first.key).unwrap()[0].verifier.fits(&Pin::parse("482915").unwrap()), Ok(false));
    office(&server, &cookie, "DELETE", &format!("{STAFF}/7"), Value::Null).await;
    let emptied = sealed(&first, &first.bundle(&server).await, changed.version() + 1);
    assert_eq!(emptied.unseal(&first.key).unwrap(), []);
}
