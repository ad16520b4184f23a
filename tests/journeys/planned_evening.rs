//! The plan's waits are those that guests have at real lanes: `sync-server plan` against the simulator's evening, which shares
//! no code with it and plays other guests.

use anyhow::{Result, ensure};
use serde_json::json;
use turnstone_tests::process::program;

#[test]
fn guests_wait_as_long_as_the_plan_says() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lane = |id: u32| json!({ "lane_id": id, "name": format!("Lane {id}"), "entrance_id": id / 100 });
    let lanes: Vec<_> = (101..=105).chain(201..=205).map(lane).collect();
    let plan = json!({
        "classes": [{
            "class": 1, "name": "Everybody", "guests": 6_000,
            "arrivals": { "density": [[0, 0], [45, 2], [90, 0]] }
        }],
        "entrances": [{ "entrance_id": 1, "name": "North" }, { "entrance_id": 2, "name": "South" }],
        "lanes": lanes,
        "service": { "lognormal": { "mean_s": 6, "p95_s": 14 } }
    });
    let (file, answer) = (folder.path().join("plan.json"), folder.path().join("answer.json"));
    std::fs::write(&file, plan.to_string())?;
    let told = program("sync-server")?.arg("plan").arg(&file).args(["--seed", "1", "--json"]).output()?;
    ensure!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    std::fs::write(&answer, &told.stdout)?;
    // A few evenings: 6,000 codes are signed and verified in each. `turnstone-sim evening` plays twenty.
    let measured =
        program("turnstone-sim")?.arg("evening").arg(&file).arg(&answer).args(["--evenings", "8"]).output()?;
    let (said, complaint) = (String::from_utf8_lossy(&measured.stdout), String::from_utf8_lossy(&measured.stderr));
    ensure!(measured.status.success() && said.contains("48000 guests let in, 0 left outside"), "{said}{complaint}");
    Ok(())
}
