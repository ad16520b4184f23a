//! Requests that are malformed, too large, replayed or without rights: a stable code and a sentence each, nothing changed.

use anyhow::{Result, ensure};
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};
use turnstone_tests::site::{EVENT, STANDING};

use crate::open_site;

#[test]
fn every_misuse_has_its_answer() -> Result<()> {
    let (_folder, site, office) = open_site()?;
    let nobody = site.server.client()?;
    let batch = format!("/api/v1/events/{EVENT}/tickets:batch");
    let one = json!({ "tickets": [{ "class": STANDING }] });
    let many = json!({ "tickets": vec![json!({ "class": STANDING }); 1_001] });
    let large = json!({ "tickets": [{ "class": STANDING, "reference": "x".repeat(2 << 20) }] });
    let first = site.back_end.post(&batch, "again", &one)?.ok()?;
    ensure!(site.back_end.post(&batch, "again", &one)?.ok()? == first, "a replay gives the same answer");
    let two = json!({ "tickets": [{ "class": STANDING }, { "class": STANDING }] });
    let cases: [(&str, turnstone_tests::api::Answer, u16); 10] = [
        ("without a key", nobody.post(&batch, "k1", &one)?, 401),
        ("with a wrong key", nobody.clone().with_key("tsk_wrong".to_owned()).post(&batch, "k2", &one)?, 401),
        ("a supervisor issuing tickets", office.api.post(&batch, "k3", &one)?, 403),
        (
            "a back end enrolling devices",
            site.back_end.post(
                &format!("/api/v1/events/{EVENT}/enrolments"),
                "k4",
                &json!({ "lane_id": site.lane_ids[0] }),
            )?,
            403,
        ),
        ("a replayed key with another body", site.back_end.post(&batch, "again", &two)?, 422),
        ("more than 1,000 tickets", site.back_end.post(&batch, "k5", &many)?, 422),
        ("a body that is too large", site.back_end.post(&batch, "k6", &large)?, 413),
        ("an unknown class", site.back_end.post(&batch, "k7", &json!({ "tickets": [{ "class": 77 }] }))?, 422),
        ("an unknown event", site.back_end.post("/api/v1/events/9/tickets:batch", "k8", &one)?, 404),
        ("an unknown path", site.back_end.get("/api/v1/nothing")?, 404),
    ];
    for (what, answer, status) in &cases {
        problem(what, answer.status, &answer.body, *status)?;
    }
    let bearer = site.server.api_key("misuse")?;
    let raw = |body: &'static str, key: Option<&str>| -> Result<(u16, Value)> {
        let client = reqwest::blocking::Client::builder()
            .tls_certs_only(reqwest::Certificate::from_pem_bundle(&std::fs::read(site.server.certificate())?)?)
            .build()?;
        let mut request = client.post(format!("{}{batch}", nobody.base())).header(CONTENT_TYPE, "application/json");
        request = request.bearer_auth(&bearer).body(body);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let answer = request.send()?;
        Ok((answer.status().as_u16(), answer.json().unwrap_or(Value::Null)))
    };
    let (status, body) = raw("{\"tickets\": [", Some("k9"))?;
    problem("half a JSON document", status, &body, 400)?;
    let (status, body) = raw("{\"tickets\": [{\"class\": 1}]}", None)?;
    problem("no Idempotency-Key", status, &body, 400)?;
    Ok(())
}

/// A problem answer has the status, a stable code, and a sentence that is not about our code.
fn problem(what: &str, status: u16, body: &Value, expected: u16) -> Result<()> {
    ensure!(status == expected, "{what}: {status} instead of {expected}: {body}");
    let code = body["code"].as_str().unwrap_or_default();
    let detail = body["detail"].as_str().unwrap_or_default();
    ensure!(!code.is_empty() && detail.len() > 10, "{what}: no code or no sentence: {body}");
    ensure!(!detail.contains("panicked") && !detail.contains("::"), "{what}: our code shows through: {body}");
    Ok(())
}
