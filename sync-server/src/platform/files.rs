//! Files that must be there whole or not at all, after a crash too: written beside, synced, renamed, directory synced.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Why a file could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path} ({reason}): check the directory's permissions and its free space")]
pub struct FileError {
    path: PathBuf,
    reason: std::io::Error,
}

/// Makes the directory and its parents, so that only this user may look into them; one that exists keeps its permissions.
///
/// # Errors
/// [`FileError`].
pub fn make_private_directory(path: &Path) -> Result<(), FileError> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|reason| FileError { path: path.to_owned(), reason })
}

/// Writes a file that only this user may read.
///
/// # Errors
/// [`FileError`]; the old content, if any, is still there.
pub fn write_private(path: &Path, content: &[u8]) -> Result<(), FileError> {
    write(path, content, 0o600).map_err(|reason| FileError { path: path.to_owned(), reason })
}

/// Writes a file that others may read.
///
/// # Errors
/// [`FileError`]; the old content, if any, is still there.
pub fn write_public(path: &Path, content: &[u8]) -> Result<(), FileError> {
    write(path, content, 0o644).map_err(|reason| FileError { path: path.to_owned(), reason })
}

fn write(path: &Path, content: &[u8], mode: u32) -> std::io::Result<()> {
    let partial = path.with_extension("partial");
    let _ = std::fs::remove_file(&partial);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&partial)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&partial, path)?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}
