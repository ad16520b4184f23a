//! `scanner-app replay` as a process, with the oldest handheld's database as the station.

#![allow(clippy::unwrap_used, reason = "a panic in a test is its report")]

use std::path::Path;
use std::process::{Command, Output, Stdio};

use qrcodegen::{QrCode, QrCodeEcc};
use scanner_app::core::decode::raw::{PixelFormat, RawFrame};
use scanner_app::shell::camera::frames;
use serde_json::Value;

const THEN_MS: i64 = 1_700_000_000_000;

fn scanner(arguments: &[&str], data: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scanner-app"));
    command.args(arguments).arg("--data").arg(data).stdin(Stdio::null()).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A handheld's data folder whose recordings show a code that is no ticket.
fn station() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/0.1.0/gate.db");
    std::fs::copy(fixture, folder.path().join("gate.db")).unwrap();
    let recordings = folder.path().join("recordings");
    std::fs::create_dir(&recordings).unwrap();
    let code = QrCode::encode_text("https://restaurant.example/menu", QrCodeEcc::Medium).unwrap();
    let mut data = vec![255; 240 * 240];
    for (at, value) in data.iter_mut().enumerate() {
        let module = |v: usize| (v as i32 - 30).div_euclid(5);
        *value = if code.get_module(module(at % 240), module(at / 240)) { 0 } else { 255 };
    }
    let frame = RawFrame { format: PixelFormat::Grey, width: 240, height: 240, stride: 240, taken_ms: THEN_MS, data };
    frames::write(&recordings, "0001", &frame).unwrap();
    folder
}

#[test]
fn recordings_give_verdicts_with_their_own_time_and_the_folder_never_becomes_a_handheld() {
    let station = station();
    let recordings = station.path().join("recordings");
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("friday");
    let output = scanner(&["replay", recordings.to_str().unwrap()], &data);
    assert!(output.status.success(), "{output:?}");
    let lines = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let verdict = lines.iter().find(|line| line["outcome"].is_string()).unwrap();
    assert_eq!((&verdict["reason"], &verdict["at_ms"]), (&"not_a_ticket".into(), &THEN_MS.into()));
    assert!(lines.iter().any(|line| line["event"] == "replayed" && line["frames"] == 1 && line["read"] == 1));

    let found: Value = serde_json::from_slice(&scanner(&["check", "--json"], &data).stdout).unwrap();
    assert_eq!((&found["replay"], &found["journal"]["rows"]), (&true.into(), &1.into()));
    let output = scanner(&["--headless", "--source", "wedge"], &data);
    assert!(output.status.code() == Some(1) && said(&output).contains("never talks with a server"), "{output:?}");
}

#[test]
fn what_cannot_be_played_or_played_into_is_said() {
    let station = station();
    let recordings = station.path().join("recordings");
    let refused = |arguments: &[&str], data: &Path, word: &str| {
        let output = scanner(arguments, data);
        assert!(output.status.code() == Some(1) && said(&output).contains(word), "{word}: {output:?}");
    };
    let folder = tempfile::tempdir().unwrap();
    let (new, moved) = (folder.path().join("new"), folder.path().join("moved"));
    let recordings = recordings.to_str().unwrap();
    refused(&["replay", recordings], station.path(), "a handheld's own");
    refused(&["replay", folder.path().to_str().unwrap()], &new, "no recorded picture");
    std::fs::create_dir(&moved).unwrap();
    std::fs::copy(Path::new(recordings).join("0001.tsf"), moved.join("0001.tsf")).unwrap();
    let moved = moved.to_str().unwrap();
    refused(&["replay", moved], &new, "--station");
    assert!(!new.exists(), "nothing was made");
    let station = station.path().to_str().unwrap();
    assert!(scanner(&["replay", moved, "--station", station], &new).status.success());
    assert!(scanner(&["replay", moved], &new).status.success(), "into the same again");
    refused(&["replay", moved, "--station", station], &new, "a replay already");
}
