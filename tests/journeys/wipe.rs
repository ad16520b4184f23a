//! A handheld is wiped: it hands in what it scanned while it was cut off, forgets, and is enrolled again.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use ticket_signer::HolderAlgorithm;
use turnstone_tests::guest::Guest;
use turnstone_tests::process::program;
use turnstone_tests::site::{EVENT, STANDING};

use crate::open_site;

#[test]
fn a_wiped_handheld_hands_in_its_scans_forgets_and_is_enrolled_again() -> Result<()> {
    let (_folder, site, mut office) = open_site()?;
    let issued = site.issue(EVENT, "batch", &[STANDING, STANDING, STANDING])?;
    let guests =
        issued.iter().map(|issued| Guest::bind(&site.server.client()?, EVENT, issued, HolderAlgorithm::Ed25519));
    let guests: Vec<Guest> = guests.collect::<Result<_>>()?;
    let mut lane = site.enrol(&mut office, 0, &[])?;
    let device = office.device(|device| device["lane"] == "Lane 1")?;
    let id = device["id"].as_str().context("a device without id")?.to_owned();

    site.relay.cut();
    lane.event("reach", |event| event["state"] == "alone")?;
    let verdict = lane.scan(&guests[0].short())?;
    ensure!(verdict["outcome"] == "admit", "{verdict}");
    let told = office.api.post(&format!("/api/v1/devices/{id}/wipe"), "wipe", &json!({}))?.ok()?;
    ensure!(told["state"] == "wiped" && told["wipe_sent_at_ms"].is_null(), "{told}");
    // It works on until it hears of it, and what it scans until then counts.
    let verdict = lane.scan(&guests[1].short())?;
    ensure!(verdict["outcome"] == "admit", "{verdict}");

    site.relay.restore();
    lane.event("wiped", |event| event["rows_waiting"] == 0)?;
    let found = check(&lane.data())?;
    ensure!(found["place"] == "wiped" && found["list"].is_null(), "{found:#}");
    ensure!(found["journal"]["rows"] == 0 && found["fingerprint"].is_null(), "{found:#}");
    let device = office.device(|device| device["id"] == id.as_str())?;
    ensure!(device["wipe_sent_at_ms"].is_i64(), "{device}");
    let snapshot = office.snapshot()?;
    ensure!(snapshot["lanes"][0]["totals"]["admitted"] == 2, "both of its scans are here: {snapshot}");

    site.confirm(&mut office, 0, &mut lane)?;
    let other = office.device(|device| device["state"] == "confirmed")?;
    ensure!(other["id"] != id.as_str(), "enrolled again it is another device");
    let verdict = lane.scan(&guests[2].short())?;
    ensure!(verdict["outcome"] == "admit" && verdict["seq"] == 1, "in a journal of its own: {verdict}");
    Ok(())
}

fn check(data: &std::path::Path) -> Result<Value> {
    let mut command = program("scanner-app")?;
    command.args(["check", "--json", "--data"]).arg(data);
    // A handheld without a place is found wanting, and says so with its exit code.
    Ok(serde_json::from_slice(&command.output()?.stdout)?)
}
