//! What every file owes its reader.

use crate::sources::{files, none, top};

const RUST: [&str; 6] = ["ticket-signer", "sync-server", "scanner-app", "ui", "tests", "tools"];

fn rust_sources() -> Vec<(String, String)> {
    RUST.iter()
        .filter(|folder| top().join(folder).is_dir() && **folder != "tools")
        .flat_map(|folder| files(folder, &[".rs"]))
        .collect()
}

#[test]
fn every_module_opens_by_saying_what_it_owns() {
    let silent = rust_sources().into_iter().filter(|(_, text)| !text.trim_start().starts_with("//!"));
    none(silent.map(|(path, _)| path).collect(), "Files that do not open with `//!`:");
}

#[test]
fn no_file_is_over_800_lines() {
    let mut sources = rust_sources();
    sources.extend(files("ui", &[".slint", ".svelte", ".ts", ".css", ".mjs"]));
    let long = sources.into_iter().filter(|(_, text)| text.lines().count() > 800);
    none(
        long.map(|(path, text)| format!("{path}: {} lines", text.lines().count())).collect(),
        "Two subjects in one file?",
    );
}

#[test]
fn the_project_names_no_machine_and_no_registry() {
    let mut sources = rust_sources();
    sources.extend(files("ui", &[".slint", ".svelte", ".ts", ".css", ".mjs", ".json", ".html"]));
    sources.extend(files("docs", &[".md"]));
    // Written in two parts, so that this file does not find itself.
    let words = [["/wo", "rk/main"], ["/ro", "ot/."], ["registry.np", "mjs.org"], ["index.cra", "tes.io"]]
        .map(|parts| parts.concat());
    let mut breaches = Vec::new();
    for (path, text) in sources {
        for word in &words {
            if text.contains(word) {
                breaches.push(format!("{path}: {word}"));
            }
        }
    }
    none(breaches, "Names of machines or registries:");
}

#[test]
fn documents_named_in_the_readme_exist() {
    let readme = std::fs::read_to_string(top().join("README.md")).expect("README.md");
    let named: Vec<&str> = readme.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    let missing =
        named.iter().filter(|link| !link.contains("://") && !link.starts_with('#') && !top().join(link).exists());
    none(missing.map(|link| (*link).to_owned()).collect(), "Links to nothing in README.md:");
}
