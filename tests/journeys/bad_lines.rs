//! What the network does to a handheld: cut uploads, another server at the address, a revoked device.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use ticket_signer::HolderAlgorithm;
use turnstone_tests::guest::Guest;
use turnstone_tests::process::program;
use turnstone_tests::relay::Relay;
use turnstone_tests::site::{EVENT, STANDING, Site};

use crate::open_site;

#[test]
fn an_upload_cut_in_the_middle_is_sent_again_and_stored_once() -> Result<()> {
    let (_folder, site, mut office) = open_site()?;
    let issued = site.issue(EVENT, "batch", &[STANDING; 6])?;
    let mut lane = site.enrol(&mut office, 0, &[])?;
    site.relay.cut();
    lane.event("reach", |event| event["state"] == "alone")?;
    for ticket in &issued {
        let verdict = lane.scan(&ticket.printed)?;
        ensure!(verdict["outcome"] == "admit", "{verdict}");
    }
    // Six rows are about 4 KB: each attempt dies inside the body or right after it, the answer lost.
    site.relay.restore();
    site.relay.cut_uploads_after(3_000);
    lane.event("warning", |_| true).context("a handheld whose uploads fail says so")?;
    site.relay.restore();
    lane.event("receipt", |event| event["seq"] == 6)?;
    let snapshot = office.snapshot()?;
    ensure!(snapshot["lanes"][0]["totals"]["admitted"] == 6, "each scan once: {snapshot}");
    Ok(())
}

#[test]
fn another_server_at_the_address_is_not_spoken_to() -> Result<()> {
    let (_folder, site, mut office) = open_site()?;
    let mut lane = site.enrol(&mut office, 0, &[])?;
    lane.kill()?;
    site.relay.cut();
    let folder = tempfile::tempdir()?;
    let impostor = Site::open(folder.path())?;
    let relay = Relay::start(impostor.server.listen())?;
    let mut command = program("scanner-app")?;
    command.args(["--headless", "--source", "wedge", "--server"]);
    command.arg(format!("https://localhost:{}", relay.address().port())).arg("--data").arg(lane.data());
    let mut process = turnstone_tests::process::Process::start("handheld", command, std::process::Stdio::null())?;
    let said = process.wait_for("a warning about the server", |line| {
        line.contains("\"warning\"").then(|| line.to_owned()).filter(|line| line.contains("not the server"))
    })?;
    ensure!(said.contains("enrolled"), "it must say what is the matter: {said}");
    Ok(())
}

#[test]
fn a_revoked_handheld_keeps_its_rows_and_they_count_for_nothing() -> Result<()> {
    let (_folder, site, mut office) = open_site()?;
    let issued = site.issue(EVENT, "batch", &[STANDING])?;
    let mut lane = site.enrol(&mut office, 0, &[])?;
    let device = office.device(|device| device["lane_id"] == site.lane_ids[0])?;
    site.relay.cut();
    lane.event("reach", |event| event["state"] == "alone")?;
    let path = format!("/api/v1/devices/{}/revoke", device["id"].as_str().context("a device's id")?);
    office.api.post(&path, "revoke-device", &json!({}))?.ok()?;
    let guest = Guest::bind(&site.server.client()?, EVENT, &issued[0], HolderAlgorithm::Ed25519)?;
    let verdict = lane.scan(&guest.full())?;
    ensure!(verdict["outcome"] == "admit", "cut off, it cannot know: {verdict}");
    site.relay.restore();
    lane.event("warning", |event| event["message"].as_str().is_some_and(|message| message.contains("revoked")))?;
    let snapshot = office.snapshot()?;
    ensure!(snapshot["lanes"][0]["totals"]["admitted"] == 0, "a revoked device's rows count for nothing: {snapshot}");
    Ok(())
}
