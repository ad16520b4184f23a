//! Makes sure that the folder of built web pages exists, so that the server compiles where the pages were not built:
//! it then embeds nothing and shows a placeholder that says how to build them.

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=../ui/web/dist");
    println!("cargo::rerun-if-changed=migrations");
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ui/web/dist");
    if let Err(error) = std::fs::create_dir_all(&pages) {
        println!("cargo::warning=cannot create {}: {error}", pages.display());
    }
}
