//! A bad evening, looked at the next day: what a lane could not read is recorded, replayed with its time, and counts nowhere.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use scanner_app::core::decode::raw::PixelFormat;
use scanner_app::shell::camera::frames;
use serde_json::Value;
use turnstone_tests::guest::now_s;
use turnstone_tests::painter::Picture;
use turnstone_tests::process::{PATIENCE, program};
use turnstone_tests::site::{EVENT, STANDING};

use crate::open_site;

fn status(data: &Path) -> Result<Value> {
    let output = program("scanner-app")?.args(["recorder", "status", "--json", "--data"]).arg(data).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

#[test]
fn what_a_lane_could_not_read_is_kept_replayed_and_counts_nowhere() -> Result<()> {
    let (folder, site, mut office) = open_site()?;
    let issued = site.issue(EVENT, "batch", &[STANDING; 2])?;
    // Not earlier: the keys are no older than this site.
    let then_ms = now_s() * 1000;
    let mut lane = site.enrol(&mut office, 0, &[])?;
    let asked =
        program("scanner-app")?.args(["recorder", "on", "--frames", "20", "--data"]).arg(lane.data()).output()?;
    ensure!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    lane.event("recorder", |event| event["state"] == "on" && event["frames_max"] == 20)?;
    lane.show_picture(&Picture::blank(640, 480, 120))?;
    let verdict = lane.scan(&issued[0].printed)?;
    ensure!(verdict["outcome"] == "admit", "{verdict}");
    let until = Instant::now() + PATIENCE;
    while status(&lane.data())?["frames"] != 1 {
        ensure!(Instant::now() < until, "the unread picture was not kept: {}", status(&lane.data())?);
    }

    // A picture of then that nobody could read then; a better decoder can.
    let unread = Picture::of(&issued[1].printed, 640, 480, 5.0)?.encode(PixelFormat::Grey, 0, then_ms)?;
    let recordings = lane.data().join("recordings");
    frames::write(&recordings, &format!("{then_ms:015}-9999"), &unread)?;
    let replay = folder.path().join("replay");
    let played = program("scanner-app")?.arg("replay").arg(&recordings).arg("--data").arg(&replay).output()?;
    ensure!(played.status.success(), "{}", String::from_utf8_lossy(&played.stderr));
    let lines: Vec<Value> =
        String::from_utf8(played.stdout)?.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let verdicts: Vec<&Value> = lines.iter().filter(|line| line["outcome"].is_string()).collect();
    ensure!(verdicts.len() == 1, "one of the two pictures shows a code, and none was read before: {lines:?}");
    ensure!(verdicts[0]["outcome"] == "admit" && verdicts[0]["at_ms"] == then_ms, "{}", verdicts[0]);
    let told = lines.iter().find(|line| line["event"] == "replayed").context("the replay's sum")?;
    ensure!(told["frames"] == 2 && told["read"] == 1, "{told}");

    // The guest of the replay can still come in, once, and the office has heard of nobody else.
    let verdict = lane.scan(&issued[1].printed)?;
    ensure!(verdict["outcome"] == "admit", "{verdict}");
    lane.event("receipt", |event| event["seq"] == 2)?;
    let snapshot = office.snapshot()?;
    ensure!(snapshot["lanes"][0]["totals"]["admitted"] == 2, "{snapshot}");
    ensure!(snapshot["conflicts"].as_array().is_some_and(Vec::is_empty), "{snapshot}");
    Ok(())
}
