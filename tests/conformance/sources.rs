//! Reads the repository's own sources.

use std::path::{Path, PathBuf};

/// The repository's top folder.
pub fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the repository is where it was built")
}

/// Every file below `folder` with one of these endings, as (path from the top, text). Build output is left out.
pub fn files(folder: &str, endings: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    walk(&top().join(folder), endings, &mut found);
    assert!(!found.is_empty(), "no {endings:?} below {folder}: has a folder moved?");
    found.sort();
    found
}

fn walk(folder: &Path, endings: &[&str], found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the repository").flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            let skip = ["target", "node_modules", "dist", "demo-out", "corpus", "artifacts"];
            if !name.starts_with(".git") && !skip.contains(&name.as_str()) {
                walk(&path, endings, found);
            }
        } else if endings.iter().any(|ending| name.ends_with(ending)) {
            let shown = path.strip_prefix(top()).expect("below the top").to_string_lossy().into_owned();
            found.push((shown, std::fs::read_to_string(&path).expect("UTF-8")));
        }
    }
}

/// A source's lines without comments and without its trailing test module, with their numbers.
pub fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    text[..end]
        .lines()
        .enumerate()
        .map(|(at, line)| (at + 1, line))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Fails with every breach, not only the first.
pub fn none(breaches: Vec<String>, rule: &str) {
    assert!(breaches.is_empty(), "{rule}\n{}", breaches.join("\n"));
}
