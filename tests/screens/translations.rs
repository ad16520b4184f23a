//! Checks that every static label of the screens is translated: a missing one would show English in a German hall.

use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn every_label_is_translated_to_german() {
    let ui =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("screens").canonicalize().expect("the screens' folder is there");
    let ui = ui.join("../../ui");
    let catalogue = fs::read_to_string(ui.join("lang/de/LC_MESSAGES/ui.po")).expect("the German catalogue is there");
    let mut labels = 0;
    for path in slint_files(&ui.join("handheld")) {
        let source = fs::read_to_string(&path).expect("a screen can be read");
        for call in source.split("@tr(\"").skip(1) {
            let label = call.split('"').next().expect("a label ends");
            labels += 1;
            let entry = catalogue.split(&format!("\nmsgid \"{label}\"\n")).nth(1);
            let entry = entry.unwrap_or_else(|| panic!("{}: \"{label}\" is not in ui.po", path.display()));
            let translated = entry.lines().find(|line| line.starts_with("msgstr")).unwrap_or_default();
            assert!(!translated.ends_with(" \"\""), "{}: \"{label}\" has an empty translation", path.display());
        }
    }
    assert!(labels > 20, "found only {labels} labels: the search is broken");
}

fn slint_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the screens' folder can be read") {
        let path = entry.expect("an entry can be read").path();
        if path.is_dir() {
            found.extend(slint_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "slint") {
            found.push(path);
        }
    }
    found
}
