//! Tickets through the router, on a real database.

use axum::http::StatusCode;
use serde_json::{Value, json};
use ticket_signer::presentation::prove_binding;
use ticket_signer::{Credential, EventId, HolderAlgorithm, HolderKey, HolderSecret, TicketId, UntrustedCode, code};

use crate::platform::ids::{base64url, parse_base64url};
use crate::testing::Server;

async fn issue(server: &Server, count: usize) -> Vec<Value> {
    let tickets = vec![json!({ "class": 1, "reference": "order 7" }); count];
    let (status, answer) = server.call("POST", "/api/v1/events/1/tickets:batch", json!({ "tickets": tickets })).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    answer["tickets"].as_array().unwrap().clone()
}

fn secret(issued: &Value) -> String {
    issued["link"].as_str().unwrap().rsplit_once('.').unwrap().1.to_owned()
}

fn binding(issued: &Value, key: &HolderSecret) -> Value {
    let ticket: TicketId = issued["ticket_id"].as_str().unwrap().parse().unwrap();
    let proof = prove_binding(EventId(1), ticket, &parse_base64url(&secret(issued)).unwrap(), key);
    let slot = key.public().to_slot();
    let public = if matches!(key.public(), HolderKey::Ed25519(_)) { &slot[1..] } else { &slot[..] };
    json!({
        "ticket_id": issued["ticket_id"], "secret": secret(issued), "algorithm": key.public().algorithm().name(),
        "public_key": base64url(public), "proof": base64url(&proof),
    })
}

fn phone(which: u8) -> HolderSecret {
    HolderSecret::from_bytes(HolderAlgorithm::Ed25519, &[which; 32]).unwrap()
}

async fn bind(server: &Server, issued: &Value, key: &HolderSecret) -> (StatusCode, Value) {
    server.call("POST", "/api/v1/holder/binding", binding(issued, key)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_ticket_of_a_call_is_counted_from_one_and_its_field_named() {
    let server = Server::with_event().await;
    let wrong_class = json!([{ "class": 1 }, { "class": 77 }]);
    let long = json!([{ "class": 1, "reference": "x".repeat(201) }]);
    for (tickets, field, words) in [
        (wrong_class, "tickets[1].class", "Ticket 2 of the call"),
        (long, "tickets[0].reference", "ticket 1 of the call"),
    ] {
        let (status, problem) =
            server.call("POST", "/api/v1/events/1/tickets:batch", json!({ "tickets": tickets })).await;
        assert_eq!((status.as_u16(), &problem["code"], &problem["field"]), (422, &json!("invalid"), &json!(field)));
        assert!(problem["detail"].as_str().unwrap().contains(words), "{problem}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_issue_gives_the_same_links_and_stores_no_secret() {
    let server = Server::with_event().await;
    let send = || async {
        let request = axum::http::Request::post("/api/v1/events/1/tickets:batch")
            .header("authorization", format!("Bearer {}", server.api_key))
            .header("content-type", "application/json")
            .header("idempotency-key", "one")
            .body(axum::body::Body::from(json!({ "tickets": [{ "class": 1 }, { "class": 2 }] }).to_string()))
            .unwrap();
        crate::testing::json_of(server.send(request).await).await
    };
    let (first, again) = (send().await, send().await);
    assert_eq!(first, again);
    assert_eq!(first.0, StatusCode::CREATED);
    let secrets: Vec<String> = first.1["tickets"].as_array().unwrap().iter().map(secret).collect();
    let mut tx = server.site.platform.store.read().await.unwrap();
    let stored: Vec<(Vec<u8>,)> = tx.query("SELECT answer FROM idempotency", &[]).await.unwrap();
    for secret in secrets {
        assert!(!stored.iter().any(|(answer,)| String::from_utf8_lossy(answer).contains(&secret)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_bound_once_and_a_lost_reply_can_be_had_again() {
    let server = Server::with_event().await;
    let issued = issue(&server, 1).await.remove(0);
    let (status, bound) = bind(&server, &issued, &phone(1)).await;
    assert_eq!(status, StatusCode::OK, "{bound}");
    let bytes = parse_base64url(bound["credential"].as_str().unwrap()).unwrap();
    let credential = Credential::from_bytes(&bytes).unwrap();
    assert_eq!(credential.fields().serial.get(), 2, "binding retires the printed serial");
    assert_eq!(credential.fields().holder, Some(phone(1).public()));
    let (status, again) = bind(&server, &issued, &phone(1)).await;
    assert_eq!((status, &again["credential"]), (StatusCode::OK, &bound["credential"]));
    let (status, other) = bind(&server, &issued, &phone(2)).await;
    assert_eq!((status, &other["code"]), (StatusCode::CONFLICT, &json!("link_used")));
    let path = format!("/api/v1/tickets/{}", issued["ticket_id"].as_str().unwrap());
    let (_, ticket) = server.call("GET", &path, Value::Null).await;
    assert_eq!(
        (&ticket["state"], &ticket["serial"], &ticket["reference"]),
        (&json!("bound"), &json!(2), &json!("order 7"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_opened_without_any_effect() {
    let server = Server::with_event().await;
    let issued = issue(&server, 1).await.remove(0);
    let link = json!({ "ticket_id": issued["ticket_id"], "secret": secret(&issued) });
    for _ in 0..2 {
        let (status, opened) = server.call("POST", "/api/v1/holder/ticket", link.clone()).await;
        assert_eq!((status, &opened["state"]), (StatusCode::OK, &json!("unbound")), "{opened}");
        assert_eq!(opened["printed_code"], issued["printed_code"]);
        assert_eq!(opened["event"]["time_zone"], "Europe/Berlin");
    }
    let wrong = json!({ "ticket_id": issued["ticket_id"], "secret": base64url(&[9; 16]) });
    let (status, refused) = server.call("POST", "/api/v1/holder/ticket", wrong).await;
    assert_eq!((status, &refused["code"]), (StatusCode::FORBIDDEN, &json!("link_invalid")));
    let nobody = json!({ "ticket_id": "00000000000000ff", "secret": secret(&issued) });
    let (_, unknown) = server.call("POST", "/api/v1/holder/ticket", nobody).await;
    assert_eq!(unknown["code"], "link_invalid", "an unknown ticket looks like a wrong secret");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_prove_nothing_are_refused() {
    let server = Server::with_event().await;
    let issued = issue(&server, 1).await.remove(0);
    let good = binding(&issued, &phone(1));
    let mut identity = [0; 32];
    identity[0] = 1;
    let mut small_order = good.clone();
    small_order["public_key"] = json!(base64url(&identity));
    let mut others_proof = good.clone();
    others_proof["proof"] = binding(&issued, &phone(2))["proof"].clone();
    for wrong in [small_order, others_proof] {
        let (status, refused) = server.call("POST", "/api/v1/holder/binding", wrong).await;
        assert_eq!((status, &refused["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("key_refused")), "{refused}");
    }
    assert_eq!(bind(&server, &issued, &phone(1)).await.0, StatusCode::OK, "the ticket is still to be had");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reissue_supersedes_the_link_and_a_revocation_ends_the_ticket() {
    let server = Server::with_event().await;
    let issued = issue(&server, 1).await.remove(0);
    bind(&server, &issued, &phone(1)).await;
    let path = format!("/api/v1/tickets/{}", issued["ticket_id"].as_str().unwrap());
    let (status, renewed) = server.call("POST", &format!("{path}/reissue"), json!({})).await;
    assert_eq!((status, &renewed["serial"]), (StatusCode::CREATED, &json!(3)), "{renewed}");
    let (status, old) = bind(&server, &issued, &phone(1)).await;
    assert_eq!((status, &old["code"]), (StatusCode::GONE, &json!("link_superseded")));
    let (status, _) = bind(&server, &renewed, &phone(3)).await;
    assert_eq!(status, StatusCode::OK);
    for _ in 0..2 {
        let (status, revoked) = server.call("POST", &format!("{path}/revoke"), json!({})).await;
        assert_eq!((status, &revoked["state"]), (StatusCode::OK, &json!("revoked")));
    }
    let (status, gone) = bind(&server, &renewed, &phone(3)).await;
    assert_eq!((status, &gone["code"]), (StatusCode::GONE, &json!("ticket_revoked")));
    // A re-issue after a revocation is another matter: the ticket lives again under a higher serial.
    let (_, again) = server.call("POST", &format!("{path}/reissue"), json!({})).await;
    assert_eq!(bind(&server, &again, &phone(4)).await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn binding_is_rate_limited_and_the_limit_passes() {
    let server = Server::with_event().await;
    let mut issued = issue(&server, 1).await.remove(0);
    let path = format!("/api/v1/tickets/{}/reissue", issued["ticket_id"].as_str().unwrap());
    let mut statuses = Vec::new();
    for which in 1..=4 {
        statuses.push(bind(&server, &issued, &phone(which)).await.0);
        issued = server.call("POST", &path, json!({})).await.1;
    }
    assert_eq!(statuses.last(), Some(&StatusCode::TOO_MANY_REQUESTS), "{statuses:?}");
    server.site.platform.clock.advance_ms(super::BINDING_WINDOW_MS + 1);
    assert_eq!(bind(&server, &issued, &phone(9)).await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_printed_code_parses_and_names_its_ticket() {
    let server = Server::with_event().await;
    let issued = issue(&server, 1_000).await;
    assert_eq!(issued.len(), 1_000);
    let code = code::parse(issued[0]["printed_code"].as_str().unwrap()).unwrap();
    assert!(matches!(code, UntrustedCode::Printed { .. }));
    assert_eq!(code.ticket().to_string(), issued[0]["ticket_id"].as_str().unwrap());
    let mut tx = server.site.platform.store.read().await.unwrap();
    assert_eq!(super::check(&mut tx).await.unwrap(), Vec::<String>::new());
}
