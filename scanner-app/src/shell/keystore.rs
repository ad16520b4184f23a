//! The device's own key: made once, in a file that only this user may read.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use ticket_signer::SecretKey;
use ticket_signer::keyfile::{self, KeyFileError};

/// The file's name in the data folder.
pub const FILE: &str = "device.key";

/// Why there is no device key.
#[derive(Debug, thiserror::Error)]
pub enum KeyStoreError {
    #[error(
        "The device's key {path} cannot be read or written ({error}). Check the rights of the folder given by --data"
    )]
    Io { path: PathBuf, error: std::io::Error },
    #[error("The device's key {path} can be read by other users. Run: chmod 600 {path}")]
    Open { path: PathBuf },
    #[error("The device's key {path} is not usable: {error}. Take the file away and enrol the handheld again")]
    Content { path: PathBuf, error: KeyFileError },
    #[error("The system gave no random numbers for a key. Restart the handheld")]
    Random,
}

/// Reads the device's key; `None` where there is none yet.
pub fn read(folder: &Path) -> Result<Option<SecretKey>, KeyStoreError> {
    let path = folder.join(FILE);
    let failed = |error| KeyStoreError::Io { path: path.clone(), error };
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    if file.metadata().map_err(failed)?.permissions().mode() & 0o077 != 0 {
        return Err(KeyStoreError::Open { path });
    }
    let mut text = String::with_capacity(keyfile::MAX_LENGTH + 1);
    file.take(keyfile::MAX_LENGTH as u64 + 1).read_to_string(&mut text).map_err(failed)?;
    keyfile::read_secret(&text).map(Some).map_err(|error| KeyStoreError::Content { path, error })
}

/// Reads the device's key, or makes one. It is on the disk before this returns: a server may be told of it at once.
pub fn read_or_make(folder: &Path) -> Result<SecretKey, KeyStoreError> {
    if let Some(key) = read(folder)? {
        return Ok(key);
    }
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|_| KeyStoreError::Random)?;
    let key = SecretKey::from_bytes(&seed);
    let path = folder.join(FILE);
    write(folder, &path, &key).map_err(|error| KeyStoreError::Io { path, error })?;
    Ok(key)
}

/// Forgets the device's key. Without one this does nothing.
pub fn forget(folder: &Path) -> Result<(), KeyStoreError> {
    let path = folder.join(FILE);
    let removed = match std::fs::remove_file(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Ok(()) => File::open(folder).and_then(|folder| folder.sync_all()),
        Err(error) => Err(error),
    };
    removed.map_err(|error| KeyStoreError::Io { path, error })
}

fn write(folder: &Path, path: &Path, key: &SecretKey) -> std::io::Result<()> {
    let part = folder.join(format!(".{FILE}.part"));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
    file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    file.write_all(keyfile::write_secret(key).as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&part, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_only_for_its_user() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read(folder.path()).unwrap().is_none());
        let made = read_or_make(folder.path()).unwrap().public();
        assert_eq!(read_or_make(folder.path()).unwrap().public(), made);
        let path = folder.path().join(FILE);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(read(folder.path()).unwrap_err().to_string().contains("chmod 600"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, "nonsense").unwrap();
        assert!(read_or_make(folder.path()).unwrap_err().to_string().contains("enrol the handheld again"));
    }
}
