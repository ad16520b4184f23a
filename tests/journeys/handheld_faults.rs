//! What goes wrong with a handheld itself: no camera, a damaged or newer database.

use std::process::{Command, Stdio};

use anyhow::{Result, ensure};
use turnstone_tests::process::{Process, program};

fn handheld(data: &std::path::Path, source: &str) -> Result<Command> {
    let mut command = program("scanner-app")?;
    command.args(["--headless", "--source", source, "--data"]).arg(data);
    Ok(command)
}

#[test]
fn a_missing_camera_is_said_with_what_to_do() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut process = Process::start("handheld", handheld(folder.path(), "camera")?, Stdio::null())?;
    let said = process.wait_for("a warning about the camera", |line| {
        line.contains("\"warning\"").then(|| line.to_owned()).filter(|line| line.to_lowercase().contains("camera"))
    })?;
    ensure!(said.to_lowercase().contains("plug"), "it must say what to do: {said}");
    Ok(())
}

#[test]
fn a_database_that_is_none_or_too_new_is_left_as_it_is() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut process = Process::start("handheld", handheld(folder.path(), "wedge")?, Stdio::null())?;
    process.wait_for("the handheld's first line", |_| Some(()))?;
    process.kill()?;
    let database = folder.path().join("gate.db");
    ensure!(database.exists(), "the handheld keeps its database in gate.db");
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(folder.path().join(format!("gate.db{suffix}")));
    }
    std::fs::write(&database, [0x5a; 8192])?;
    let output = handheld(folder.path(), "wedge")?.stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    ensure!(
        !output.status.success() && said.contains("database is damaged") && said.contains("Use another handheld"),
        "a damaged database: {said}"
    );
    ensure!(!said.contains("panicked"), "{said}");
    ensure!(std::fs::read(&database)? == [0x5a; 8192], "the damaged file was changed");
    Ok(())
}

#[test]
fn unknown_options_and_sources_teach() -> Result<()> {
    let output = handheld(std::path::Path::new("nowhere"), "telepathy")?.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(!output.status.success() && said.contains("frames:") && said.contains("wedge"), "{said}");
    let output = program("scanner-app")?.arg("--help").output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    for option in ["--data", "--source", "--headless", "TURNSTONE_SCANNER"] {
        ensure!(said.contains(option), "--help does not explain {option}: {said}");
    }
    Ok(())
}
