//! The oldest databases: every version must open them and find everything in them.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Result, ensure};
use serde_json::Value;
use turnstone_tests::process::program;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

#[test]
fn the_first_handhelds_database_opens_whole() -> Result<()> {
    let folder = tempfile::tempdir()?;
    std::fs::copy(fixture("0.1.0/gate.db"), folder.path().join("gate.db"))?;
    let output = program("scanner-app")?.args(["check", "--json", "--data"]).arg(folder.path()).output()?;
    let found: Value = serde_json::from_slice(&output.stdout)?;
    ensure!(found["journal"]["rows"] == 15 && found["journal"]["receipted_seq"] == 15, "{found}");
    ensure!(found["list"]["tickets"] == 9 && found["list"]["revoked"] == 1, "{found}");
    ensure!(found["place"]["lane"] == "Lane 1" && found["place"]["state"] == "confirmed", "{found}");
    Ok(())
}

#[test]
fn the_first_servers_database_opens_whole() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let database = folder.path().join("turnstone.db");
    std::fs::copy(fixture("0.1.0/server.db"), &database)?;
    for name in ["migrate", "check"] {
        let output =
            program("sync-server")?.arg(name).arg("--data").arg(folder.path()).stdin(Stdio::null()).output()?;
        ensure!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let connection = rusqlite::Connection::open(&database)?;
    let count = |table: &str| -> Result<i64> {
        Ok(connection.query_row(&format!("SELECT COUNT(*) FROM {table}"), [], |row| row.get(0))?)
    };
    ensure!((count("tickets")?, count("scans")?, count("devices")?) == (10, 16, 2), "something is missing");
    Ok(())
}
