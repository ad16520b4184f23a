//! `scanner-app replay`: makes the folder in which another handheld's recordings are played.
//!
//! The folder is a handheld's data folder with the station's list, policy and trust, a key of its own, an empty journal,
//! and a mark that keeps it from ever syncing (`journal::SyncDatabase`). Playing is the gate's own work, with the
//! source `replay:`.

use std::path::{Path, PathBuf};

use super::camera::frames;
use super::clock::{random_u64, system_ms};
use super::journal::{Database, FILE, JournalError};
use super::keystore::{self, KeyStoreError};

/// Why nothing can be played.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error("There is no recorded picture in {0}. Name the folder with the .tsf files, such as lane-1/recordings")]
    NoRecordings(String),
    #[error(
        "It is not known which handheld recorded {recordings}: the folder above it is no data folder. Name the handheld's \
         data folder with --station"
    )]
    NoStation { recordings: String },
    #[error(
        "The folder {0} is a replay already, and keeps what it was made from. Leave --station out to play into it again, or \
         name a new folder after --data"
    )]
    Made(String),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Key(#[from] KeyStoreError),
}

/// Makes `folder` a replay of the station that recorded, or finds that it is one already. `station` is the recording
/// handheld's data folder, in place of the one in which the recordings lie.
///
/// Played into a second time, a replay knows what was played before, as a journal does: a ticket is then used.
pub fn prepare(recordings: &Path, station: Option<&Path>, folder: &Path) -> Result<(), ReplayError> {
    if frames::first_taken_ms(recordings).is_none() {
        return Err(ReplayError::NoRecordings(recordings.display().to_string()));
    }
    if folder.join(FILE).exists() {
        Database::open(folder, None, random_u64())?.expect_replay()?;
        return match station {
            None => Ok(()),
            Some(_) => Err(ReplayError::Made(folder.display().to_string())),
        };
    }
    let station = station.map(Path::to_owned).or_else(|| above(recordings));
    let Some(station) = station.filter(|station| station.join(FILE).exists()) else {
        return Err(ReplayError::NoStation { recordings: recordings.display().to_string() });
    };
    Database::make_replay(&station, folder, random_u64(), system_ms())?;
    // Not the station's: what this folder signs must never pass for what the station scanned.
    keystore::read_or_make(folder)?;
    Ok(())
}

/// The folder that a folder lies in, wherever it was named from.
fn above(folder: &Path) -> Option<PathBuf> {
    folder.canonicalize().ok()?.parent().map(Path::to_owned)
}
