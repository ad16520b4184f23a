//! Journeys: real processes, through public interfaces only (HTTP, command line, frames, browser).

mod bad_lines;
mod closed_output;
mod edge;
mod fixtures;
mod handheld_faults;
mod misuse;
mod planned_evening;
mod recordings;
mod ticket_page;
mod walk_in;
mod wipe;

use anyhow::Result;
use turnstone_tests::office::Office;
use turnstone_tests::site::{EVENT, Site};

/// A site in a folder of its own, and its supervisor.
fn open_site() -> Result<(tempfile::TempDir, Site, Office)> {
    let folder = tempfile::tempdir()?;
    let site = Site::open(folder.path())?;
    let office = Office::log_in(&site.server, EVENT.0)?;
    Ok((folder, site, office))
}
