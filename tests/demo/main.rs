//! The whole story once, on real processes: from keys to a reconciled scan. Each line is checked as it is told.
//!
//! `HEADLESS=1`, or no display: as text; the windows are then drawn on a display of the demo's own (Xvfb) where there is
//! one, and their pictures are left in the folder that the last line names. Most codes are shown as gates see them: tilted,
//! blurred or glaring; each line says how, in brackets. Exits 1 at the first thing that is not so.

mod display;
mod scenes;
mod story;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

fn main() {
    let started = std::time::Instant::now();
    match tell() {
        Ok(folder) => {
            println!("\nAll of it came out as told, in {:.0} s.", started.elapsed().as_secs_f32());
            println!(
                "Pictures of every screen and page, and in frames/ of what was hard to read: {}",
                folder.display()
            );
        }
        Err(error) => {
            eprintln!("\nThe demo stopped here: {error:#}");
            eprintln!("Logs and pictures: {}", folder().display());
            std::process::exit(1);
        }
    }
}

/// Where everything of this run is: made anew each time.
fn folder() -> PathBuf {
    std::env::var_os("DEMO_OUT").map_or_else(|| PathBuf::from("demo-out"), PathBuf::from)
}

fn tell() -> Result<PathBuf> {
    let folder = folder();
    if folder.exists() {
        std::fs::remove_dir_all(&folder).context("the last demo's folder could not be removed")?;
    }
    std::fs::create_dir_all(&folder)?;
    let folder = folder.canonicalize()?;
    let display = display::find(Path::new("/usr/bin/Xvfb"))?;
    let mut story = story::Story::prepare(&folder, display)?;
    scenes::tell(&mut story)?;
    Ok(folder.join("pictures"))
}
