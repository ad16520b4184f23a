//! The demo's cast and props, and how a checked line is told.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use turnstone_tests::lane::Lane;
use turnstone_tests::painter::View;
use turnstone_tests::site::{LANES, Site};

use crate::display::Display;

/// Everything that the scenes act with.
pub struct Story {
    pub display: Display,
    pub site: Site,
    pub lanes: [Lane; 2],
    /// How each scan's code was shown.
    pub shown: Vec<View>,
    pictures: PathBuf,
}

/// Tells one line that was checked.
pub fn say(line: impl AsRef<str>) {
    println!("  \u{2713} {}", line.as_ref());
}

/// Begins a scene.
pub fn scene(number: u32, title: &str) {
    println!("\n{number}. {title}");
}

/// Checks a verdict, and tells it.
pub fn expect(verdict: &Value, outcome: &str, reason: &str, line: &str) -> Result<()> {
    ensure!(
        verdict["outcome"] == outcome && verdict["reason"] == reason,
        "{line}: expected {outcome}/{reason}, and the lane said {verdict}"
    );
    let title = verdict["title"].as_str().unwrap_or_default();
    let shown = if outcome == "admit" { "GREEN" } else { "RED" };
    say(format!("{line}: {shown} \u{201c}{title}\u{201d} ({reason})"));
    Ok(())
}

impl Story {
    /// Makes keys, starts the server, and opens a sales back end.
    pub fn prepare(folder: &Path, display: Display) -> Result<Self> {
        scene(1, "Keys, server, event, tickets");
        let site = Site::open(folder)?;
        say("root, issue, list, policy, time, receipt and device keys made; the root certified each for events 1 to 9");
        say(format!("the server listens with its own TLS certificate on {}", site.server.listen()));
        say("two events; two lanes; standing (paper accepted) and seated (phones only); policy `open`, signed");
        let pictures = folder.join("pictures");
        std::fs::create_dir_all(&pictures)?;
        let window = display.has_windows();
        let lane = |at: usize| {
            let id = format!("lane-{}", at + 1);
            let mut lane = Lane::new(LANES[at], &folder.join(&id), window, window.then(|| pictures.join(&id)))?;
            lane.keep_hard_frames(pictures.join("frames"))?;
            anyhow::Ok(lane)
        };
        let lanes = [lane(0)?, lane(1)?];
        Ok(Story { display, site, lanes, shown: Vec::new(), pictures })
    }

    /// Holds a code in front of a lane's camera, and checks and tells what comes of it.
    pub fn scan(&mut self, lane: usize, text: &str, outcome: &str, reason: &str, line: &str) -> Result<Value> {
        let lane = &mut self.lanes[lane];
        let view = lane.show(text)?;
        self.shown.push(view);
        let verdict = lane.verdict().with_context(|| format!("{line}, shown {view}"))?;
        expect(&verdict, outcome, reason, &format!("{line} [{view}]"))?;
        Ok(verdict)
    }

    /// Checks that at least half of all scans were hard to read, and tells it.
    pub fn check_views(&self) -> Result<()> {
        let (hard, all) = (self.shown.iter().filter(|view| view.is_hard()).count(), self.shown.len());
        ensure!(hard * 2 >= all, "only {hard} of {all} scans were shown tilted, blurred or glaring");
        say(format!(
            "{hard} of {all} scans were shown tilted, blurred or glaring, and each was read from its one frame"
        ));
        Ok(())
    }

    pub fn picture(&self, name: &str) -> PathBuf {
        self.pictures.join(name)
    }
}
