//! `scanner-app recorder` as a process, on a handheld's data folder.

#![allow(clippy::unwrap_used, reason = "a panic in a test is its report")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn recorder(data: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scanner-app"));
    command.arg("recorder").args(arguments).arg("--data").arg(data).output().unwrap()
}

fn status(data: &Path) -> Value {
    let output = recorder(data, &["status", "--json"]);
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The data folder of a handheld that has its place.
fn station() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/0.1.0/gate.db");
    std::fs::copy(fixture, folder.path().join("gate.db")).unwrap();
    folder
}

#[test]
fn it_is_switched_on_and_off_and_says_how_it_stands() {
    let station = station();
    assert_eq!(status(station.path())["state"], "off");
    let output = recorder(station.path(), &["on", "--frames", "50"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("the last 50 pictures"), "{output:?}");
    let found = status(station.path());
    assert_eq!((&found["state"], &found["frames_max"], &found["frames"]), (&"on".into(), &50.into(), &0.into()));
    let said = String::from_utf8(recorder(station.path(), &["off"]).stdout).unwrap();
    assert!(said.contains("Recording is off"), "{said}");
    assert_eq!(status(station.path())["frames_max"], Value::Null);
    assert!(recorder(station.path(), &["clear"]).status.success());
}

#[test]
fn wrong_folders_and_numbers_are_refused_in_plain_words() {
    let empty = tempfile::tempdir().unwrap();
    let output = recorder(empty.path(), &["on"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("no handheld's database"), "{said}");
    assert_eq!(std::fs::read_dir(empty.path()).unwrap().count(), 0);
    for arguments in [&["on", "--frames", "0"][..], &["on", "--frames", "10001"], &["on", "--record-hours", "169"]] {
        assert_eq!(recorder(empty.path(), arguments).status.code(), Some(2), "{arguments:?}");
    }
}
