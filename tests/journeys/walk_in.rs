//! From an issued ticket to an offline admission to a reconciled scan.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use ticket_signer::HolderAlgorithm;
use turnstone_tests::guest::{Guest, now_s, random};
use turnstone_tests::lane::Lane;
use turnstone_tests::process::program;
use turnstone_tests::server::run;
use turnstone_tests::site::{EVENT, SEATED, STANDING, Site};

use crate::open_site;

#[test]
fn a_ticket_admitted_offline_is_reconciled_once_and_a_conflict_reaches_everyone() -> Result<()> {
    let (_folder, mut site, mut office) = open_site()?;
    let issued = site.issue(EVENT, "batch", &[STANDING, STANDING])?;
    let guest = Guest::bind(&site.server.client()?, EVENT, &issued[0], HolderAlgorithm::Ed25519)?;
    let mut lanes = [site.enrol(&mut office, 0, &[])?, site.enrol(&mut office, 1, &[])?];
    site.relay.cut();
    site.server.kill()?;
    for lane in &mut lanes {
        lane.event("reach", |event| event["state"] == "alone")?;
        let verdict = lane.scan(&guest.short())?;
        ensure!(verdict["outcome"] == "admit" && verdict["flagged"] == true, "{verdict}");
        let verdict = lane.scan(&issued[1].printed)?;
        ensure!(verdict["outcome"] == "admit", "{verdict}");
    }
    site.server.start()?;
    site.relay.restore();
    let ticket = guest.ticket().to_string();
    for lane in &mut lanes {
        lane.event("receipt", |event| event["seq"] == 2)?;
        let told = lane.event("conflict", |event| event["ticket"] == ticket)?;
        ensure!(told["passages"].as_array().is_some_and(|passages| passages.len() == 2), "{told}");
    }
    let conflicts = office.conflicts()?;
    ensure!(conflicts.len() == 2, "both tickets were admitted at both lanes: {conflicts:?}");
    let snapshot = office.snapshot()?;
    let totals: Vec<_> =
        snapshot["lanes"].as_array().into_iter().flatten().map(|lane| &lane["totals"]["admitted"]).collect();
    ensure!(totals == [&json!(2), &json!(2)], "each scan once: {snapshot}");
    audit(&site, &mut lanes)?;
    Ok(())
}

/// Exports the server's and the lanes' journals, and has them checked by the program that shares no code with them.
fn audit(site: &Site, lanes: &mut [Lane]) -> Result<()> {
    let folder = site.server.data();
    let mut files = vec![folder.join("cloud.jsonl")];
    let event = EVENT.to_string();
    let mut command = program("sync-server")?;
    command.arg("--data").arg(&folder).args(["export", "--event", &event]).arg(&files[0]);
    ensure!(run(command)?.contains("wrote 4 rows"));
    for (at, lane) in lanes.iter_mut().enumerate() {
        let file = folder.join(format!("lane-{at}.jsonl"));
        let mut command = program("scanner-app")?;
        command.arg("export").arg(&file).arg("--data").arg(lane.data());
        ensure!(run(command)?.contains("wrote 2 rows"));
        let mut again = program("scanner-app")?;
        again.arg("export").arg(&file).arg("--data").arg(lane.data());
        ensure!(run(again).is_err(), "an export was overwritten");
        files.push(file);
    }
    let mut auditor = program("turnstone-auditor")?;
    auditor.arg("--json").args(&files);
    let report: serde_json::Value = serde_json::from_str(&run(auditor)?)?;
    ensure!(report["totals"]["rows"] == 4 && report["totals"]["codes_verified"] == 4, "{report:#}");
    ensure!(report["conflicts"].as_array().is_some_and(|conflicts| conflicts.len() == 2), "{report:#}");
    // A row that the cloud does not have is found.
    let cloud = std::fs::read_to_string(&files[0])?;
    let kept = cloud.lines().collect::<Vec<_>>();
    std::fs::write(&files[0], kept[..kept.len() - 1].join("\n"))?;
    let mut auditor = program("turnstone-auditor")?;
    auditor.args(&files);
    ensure!(run(auditor).is_err(), "rows that were lost were not missed");
    Ok(())
}

#[test]
fn binding_can_be_repeated_with_the_same_key_and_not_with_another() -> Result<()> {
    let (_folder, site, _office) = open_site()?;
    let issued = site.issue(EVENT, "batch", &[STANDING])?;
    let phones = site.server.client()?;
    let key = ticket_signer::HolderSecret::from_bytes(HolderAlgorithm::Ed25519, &random()?)?;
    let first = Guest::ask(&phones, EVENT, &issued[0], &key)?.ok()?;
    let again = Guest::ask(&phones, EVENT, &issued[0], &key)?.ok()?;
    ensure!(first["credential"] == again["credential"], "a lost reply could not be had again");
    let other = ticket_signer::HolderSecret::from_bytes(HolderAlgorithm::Ed25519, &random()?)?;
    let refused = Guest::ask(&phones, EVENT, &issued[0], &other)?;
    ensure!((refused.status, refused.code()) == (409, "link_used"), "{refused:?}");
    // A lost phone is mended by the back end: a new link, and the old ones are worth nothing.
    let path = format!("/api/v1/tickets/{}/reissue", issued[0].ticket);
    let renewed = turnstone_tests::guest::Issued::read(&site.back_end.post(&path, "reissue-1", &json!({}))?.ok()?)?;
    let refused = Guest::ask(&phones, EVENT, &issued[0], &key)?;
    ensure!(refused.status == 410, "{refused:?}");
    let renewed = Guest::bind(&phones, EVENT, &renewed, HolderAlgorithm::P256)?;
    ensure!(renewed.ticket() == issued[0].ticket, "a re-issue keeps the ticket's id");
    Ok(())
}

#[test]
fn a_re_issue_retires_the_old_phone_and_an_online_lane_hears_of_it() -> Result<()> {
    let (_folder, site, mut office) = open_site()?;
    let issued = site.issue(EVENT, "batch", &[SEATED])?;
    let old = Guest::bind(&site.server.client()?, EVENT, &issued[0], HolderAlgorithm::Ed25519)?;
    let mut lane = site.enrol(&mut office, 0, &[])?;
    let path = format!("/api/v1/tickets/{}/reissue", old.ticket());
    let renewed = turnstone_tests::guest::Issued::read(&site.back_end.post(&path, "reissue-1", &json!({}))?.ok()?)?;
    let renewed = Guest::bind(&site.server.client()?, EVENT, &renewed, HolderAlgorithm::Ed25519)?;
    // The full code is good at once, before any list; it retires the old phone durably.
    let verdict = lane.scan(&renewed.full())?;
    ensure!(verdict["outcome"] == "admit", "{verdict}");
    let verdict = lane.scan(&old.short())?;
    ensure!(verdict["reason"] == "retired", "{verdict}");
    Ok(())
}

#[test]
fn a_code_of_another_time_is_refused_on_both_sides_of_now() -> Result<()> {
    let (_folder, site, mut office) = open_site()?;
    let issued = site.issue(EVENT, "batch", &[STANDING])?;
    let guest = Guest::bind(&site.server.client()?, EVENT, &issued[0], HolderAlgorithm::Ed25519)?;
    let mut lane = site.enrol(&mut office, 0, &[])?;
    let verdict = lane.scan(&guest.short_at(now_s() - 60).to_text())?;
    ensure!(verdict["reason"] == "stale", "{verdict}");
    let verdict = lane.scan(&guest.short_at(now_s() + 75).to_text())?;
    ensure!(verdict["reason"] == "early", "{verdict}");
    // The phone's clock is put right, and the very same guest walks in.
    let verdict = lane.scan(&guest.short())?;
    ensure!(verdict["outcome"] == "admit", "{verdict}");
    let journal = turnstone_tests::server::run({
        let mut command = turnstone_tests::process::program("scanner-app")?;
        command.args(["journal", "--json", "--data"]).arg(lane.data());
        command
    })?;
    let rows = journal.lines().filter(|line| line.contains("\"outcome\"")).count();
    ensure!(rows == 3, "refusals are rows as well: {journal}");
    lane.process().context("the lane runs")?;
    Ok(())
}
