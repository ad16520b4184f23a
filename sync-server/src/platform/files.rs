//! Files that must be there whole or not at all, after a crash too: written beside, synced, renamed, directory synced.

use std::fs::{File, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Why a file could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path} ({reason}): check the directory's permissions and its free space")]
pub struct FileError {
    path: PathBuf,
    reason: std::io::Error,
}

/// Makes the directory and its parents; only this user may look into it.
///
/// # Errors
/// [`FileError`].
pub fn make_private_directory(path: &Path) -> Result<(), FileError> {
    std::fs::create_dir_all(path)
        .and_then(|()| std::fs::set_permissions(path, Permissions::from_mode(0o700)))
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
