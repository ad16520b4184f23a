//! Who may depend on whom: between crates, between the server's contexts, and between core and shell.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

use crate::sources::{code_lines, files, none, top};

/// Our crates, and which of ours each may depend on (DESIGN: nothing else may).
fn allowed() -> BTreeMap<&'static str, Vec<&'static str>> {
    BTreeMap::from([
        ("ticket-signer", vec![]),
        ("gate-core", vec!["ticket-signer"]),
        ("ui", vec![]),
        ("scanner-app", vec!["gate-core", "ticket-signer", "ui"]),
        ("sync-server", vec!["gate-core", "ticket-signer"]),
        (
            "turnstone-tests",
            vec!["ticket-signer", "gate-core", "scanner-app", "sync-server", "ui", "turnstone-test-vfs"],
        ),
        ("turnstone-bench", vec!["ticket-signer", "gate-core", "scanner-app", "sync-server", "turnstone-tests"]),
        ("turnstone-test-vfs", vec![]),
        ("turnstone-sim", vec!["ticket-signer", "gate-core", "scanner-app"]),
        // What checks the gates shares no code with them; its tests make journals with the gates' own.
        ("turnstone-auditor", vec![]),
    ])
}

fn metadata() -> Value {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let arguments = ["metadata", "--no-deps", "--offline", "--format-version", "1"];
    let output = Command::new(cargo).args(arguments).current_dir(top()).output().expect("cargo runs");
    serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON")
}

#[test]
fn crates_depend_only_on_what_the_house_allows() {
    let allowed = allowed();
    let metadata = metadata();
    let mut breaches = Vec::new();
    let packages = metadata["packages"].as_array().expect("packages");
    for package in packages {
        let name = package["name"].as_str().expect("a name");
        let Some(may) = allowed.get(name) else {
            breaches
                .push(format!("{name}: a crate that the house does not know; add it to docs/architecture.md and here"));
            continue;
        };
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let on = dependency["name"].as_str().expect("a name");
            let tests_only = name == "turnstone-auditor" && dependency["kind"] == "dev";
            if allowed.contains_key(on) && !tests_only && on != name && !may.contains(&on) {
                breaches.push(format!("{name} depends on {on}"));
            }
        }
    }
    assert!(packages.len() >= 7, "the workspace's crates were not found");
    none(breaches, "Between crates:");
}

#[test]
fn foreign_crates_stay_where_they_belong() {
    let metadata = metadata();
    let only: [(&str, &[&str]); 6] = [
        ("slint", &["ui", "turnstone-tests"]),
        ("axum", &["sync-server"]),
        ("nokhwa", &["scanner-app"]),
        ("rqrr", &["scanner-app", "turnstone-tests", "turnstone-bench"]),
        ("rusqlite", &["sync-server", "scanner-app", "turnstone-tests", "turnstone-bench", "turnstone-test-vfs"]),
        ("serde", &["gate-core", "scanner-app", "sync-server", "turnstone-tests", "turnstone-bench"]),
    ];
    let mut breaches = Vec::new();
    for package in metadata["packages"].as_array().expect("packages") {
        let name = package["name"].as_str().expect("a name");
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let on = dependency["name"].as_str().expect("a name");
            // A command's dependency behind a feature is not the library's.
            let dev = dependency["kind"] == "dev" || (name == "ticket-signer" && dependency["optional"] == true);
            if let Some((_, may)) = only.iter().find(|(crate_name, _)| *crate_name == on)
                && !dev
                && !may.contains(&name)
            {
                breaches.push(format!("{name} depends on {on}"));
            }
        }
    }
    none(breaches, "Crates that belong to others:");
}

#[test]
fn no_package_enables_the_crash_points() {
    let metadata = metadata();
    let scanner =
        metadata["packages"].as_array().into_iter().flatten().find(|package| package["name"] == "scanner-app");
    let features = &scanner.expect("scanner-app")["features"];
    assert!(features["crash-points"].is_array(), "the feature is called `crash-points`");
    let enabling: Vec<_> = features
        .as_object()
        .expect("features")
        .iter()
        .filter(|(name, enables)| *name != "crash-points" && enables.to_string().contains("crash-points"))
        .collect();
    assert!(enabling.is_empty(), "features that enable the crash points: {enabling:?}");
}

/// DESIGN section 5: which contexts a context may call. `platform` is for all.
fn contexts() -> BTreeMap<&'static str, Vec<&'static str>> {
    BTreeMap::from([
        ("catalog", vec![]),
        ("accounts", vec![]),
        ("tickets", vec!["catalog"]),
        ("gate", vec!["accounts", "catalog", "tickets"]),
    ])
}

#[test]
fn the_servers_contexts_call_only_what_they_may() {
    let contexts = contexts();
    let mut breaches = Vec::new();
    for (path, text) in files("sync-server/src", &[".rs"]) {
        let context = path.split('/').nth(2).unwrap_or_default();
        let Some(may) = contexts.get(context) else { continue };
        if path.contains("/tests") {
            continue;
        }
        for (at, line) in code_lines(&text) {
            for other in contexts.keys().chain(["api", "web"].iter()) {
                let named =
                    line.contains(&format!("crate::{other}::")) || line.contains(&format!("use crate::{other};"));
                if named && *other != context && !may.contains(other) {
                    breaches.push(format!("{path}:{at} ({context} uses {other}): {}", line.trim()));
                }
            }
        }
    }
    for (path, text) in files("sync-server/src/platform", &[".rs"]) {
        for (at, line) in code_lines(&text) {
            if contexts.keys().any(|context| line.contains(&format!("crate::{context}::"))) {
                breaches.push(format!("{path}:{at} (platform uses a context): {}", line.trim()));
            }
        }
    }
    none(breaches, "Between contexts:");
}

/// Which context owns a table: the second word of the migration's name (`0103_gate_feed.sql`) is the owner.
fn table_owners() -> BTreeMap<String, String> {
    let mut owners = BTreeMap::new();
    for (path, text) in files("sync-server/migrations", &[".sql"]) {
        let name = path.rsplit('/').next().unwrap_or_default().trim_end_matches(".sql");
        let owner = name.split('_').nth(1).unwrap_or_else(|| panic!("{path} is not called NUMBER_OWNER"));
        for line in text.lines() {
            if let Some(rest) = line.trim().strip_prefix("CREATE TABLE ") {
                let table = rest.trim_start_matches("IF NOT EXISTS ").split(['(', ' ']).next().unwrap_or_default();
                owners.insert(table.to_owned(), owner.to_owned());
            }
        }
    }
    assert!(owners.len() > 5, "the server's tables were not found: {owners:?}");
    owners
}

#[test]
fn no_context_reads_anothers_tables() {
    let owners = table_owners();
    let mut breaches = Vec::new();
    for (path, text) in files("sync-server/src", &[".rs"]) {
        let context = path.split('/').nth(2).unwrap_or_default();
        if path.contains("tests") || context == "cli" {
            continue;
        }
        for (at, line) in code_lines(&text) {
            for (table, owner) in &owners {
                let said = ["FROM", "INTO", "UPDATE", "JOIN"].iter().any(|verb| names(line, verb, table));
                if said && owner != context {
                    breaches.push(format!("{path}:{at}: {table} belongs to {owner}: {}", line.trim()));
                }
            }
        }
    }
    none(breaches, "Tables:");
}

/// Whether `line` has `verb table`, the table's name ending there.
fn names(line: &str, verb: &str, table: &str) -> bool {
    line.split(&format!("{verb} {table}"))
        .skip(1)
        .any(|rest| !rest.starts_with(|next: char| next.is_ascii_alphanumeric() || next == '_'))
}

#[test]
fn the_handhelds_core_does_no_io() {
    let absent = [
        "std::fs",
        "std::net",
        "std::thread",
        "std::process",
        "std::env",
        "SystemTime",
        "Instant::now",
        "rusqlite",
        "reqwest",
        "slint",
        "rodio",
        "nokhwa",
        "crate::shell",
        "println!",
        "getrandom",
    ];
    let mut breaches = Vec::new();
    for (path, text) in files("scanner-app/src/core", &[".rs"]) {
        if path.contains("tests") {
            continue;
        }
        for (at, line) in code_lines(&text) {
            for word in absent {
                if line.contains(word) {
                    breaches.push(format!("{path}:{at}: {word}: {}", line.trim()));
                }
            }
        }
    }
    none(breaches, "I/O in the handheld's core:");
}

#[test]
fn the_signers_library_has_no_clock_no_files_and_no_chance() {
    let absent =
        ["std::fs", "std::net", "std::env", "SystemTime", "Instant", "getrandom", "OsRng", "println!", "serde::"];
    let mut breaches = Vec::new();
    for (path, text) in files("ticket-signer/src", &[".rs"]) {
        if path.contains("/cli/") || path.ends_with("main.rs") || path.contains("tests") {
            continue;
        }
        for (at, line) in code_lines(&text) {
            for word in absent {
                if line.contains(word) {
                    breaches.push(format!("{path}:{at}: {word}: {}", line.trim()));
                }
            }
        }
    }
    none(breaches, "Not bytes only:");
}
