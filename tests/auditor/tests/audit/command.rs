//! The command: its exit status, and what it writes where.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::sound::evening;
use crate::world::*;

fn file(name: &str, text: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_turnstone-auditor"));
    command.args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_sound_export_is_0() {
    let path = file("sound.jsonl", &to_lines(&evening().export()));
    let path = path.to_str().unwrap();
    let output = run(&[path]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).starts_with("No difference was found.\n"), "{}", text(&output.stdout));
    assert!(output.stderr.is_empty());
    let output = run(&["--json", "--root", &root().public().spoken_fingerprint(), path]);
    assert_eq!(output.status.code(), Some(0));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["sound"], &json["files"][0]), (&Value::Bool(true), &Value::from(path)));
}

#[test]
fn a_difference_is_1() {
    let mut world = evening();
    world.devices[0].rewrite(2, |body| body.ticket = Some(ticket_signer::TicketId(77)));
    let path = file("different.jsonl", &to_lines(&world.export()));
    let output = run(&[path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("its code is of ticket 0000000000000001."), "{}", text(&output.stdout));
    let output = run(&["--json", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["differences"][0]["kind"], "code_of_other_ticket");
}

#[test]
fn what_cannot_be_read_is_2() {
    let path = file("cut.jsonl", "{\"kind\":\"ro");
    let output = run(&[path.to_str().unwrap()]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    assert!(
        text(&output.stderr).contains("cut.jsonl, line 1: this is not one JSON object"),
        "{}",
        text(&output.stderr)
    );
    let output = run(&["there-is-no-such-file.jsonl"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("Check the path"), "{}", text(&output.stderr));
    assert_eq!(run(&["-"]).status.code(), Some(2), "nothing on the standard input");
    assert_eq!(run(&[]).status.code(), Some(2), "nothing to read");
}
