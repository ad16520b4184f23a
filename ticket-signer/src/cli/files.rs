//! Files, the clock and the random source: all that the command line takes from outside.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use ticket_signer::{Credential, HolderKey, HolderSecret, PublicKey, SecretKey, keyfile};
use zeroize::Zeroizing;

use super::failure::{Failure, Result};
use super::output::Output;
use super::parse;

/// No artefact of ours is larger; lists come in chunks far below it.
pub const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// Unix seconds.
#[expect(clippy::disallowed_methods, reason = "the command line is where time comes in")]
pub fn now_s() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}

pub fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(&mut bytes[..]).map_err(Failure::Random)?;
    Ok(bytes)
}

/// A file's bytes; `-` is standard input.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let failed = |source| Failure::Read { path: path.into(), source };
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().lock().take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    } else {
        File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes)).map_err(failed)?;
    }
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Failure::content(path, "larger than anything of ours (64 MiB)"));
    }
    Ok(bytes)
}

/// A file's text, without a byte order mark.
pub fn read_text(path: &Path) -> Result<String> {
    let text = String::from_utf8(read(path)?).map_err(|_| Failure::content(path, "this is not text in UTF-8"))?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// A new file that others may read. One that exists is left as it is.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    write(path, bytes, 0o644)
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let failed = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::AlreadyExists => Failure::Exists { path: path.into() },
        _ => Failure::Write { path: path.into(), source },
    };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(failed)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    written.map_err(|error| {
        // Half a key or certificate is worse than none; it was made a moment ago, by us.
        let _ = std::fs::remove_file(path);
        failed(error)
    })
}

pub fn public_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".pub");
    name.into()
}

/// Writes a key pair: `path` with mode 0600, and its public half beside it.
pub fn write_pair(path: &Path, secret: &HolderSecret) -> Result<()> {
    let public = public_path(path);
    if let Some(taken) = [path, &public].into_iter().find(|path| path.exists()) {
        return Err(Failure::Exists { path: taken.into() });
    }
    write(path, keyfile::write_holder_secret(secret).as_bytes(), 0o600)?;
    write_new(&public, keyfile::write_holder_public(&secret.public()).as_bytes())
}

/// The private key of a root or an authority.
pub fn secret_key(path: &Path, output: &Output) -> Result<SecretKey> {
    keyfile::read_secret(&secret_text(path, output)?).map_err(|error| Failure::key_file(path, error))
}

/// The private key of a holder.
pub fn holder_secret(path: &Path, output: &Output) -> Result<HolderSecret> {
    keyfile::read_holder_secret(&secret_text(path, output)?).map_err(|error| Failure::key_file(path, error))
}

fn secret_text(path: &Path, output: &Output) -> Result<Zeroizing<String>> {
    let failed = |source| Failure::Read { path: path.into(), source };
    let file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        let (path, mode) = (path.display(), mode & 0o777);
        output.warn(&format!("{path} has mode {mode:03o}, so that others can read this key; run: chmod 600 {path}"));
    }
    // Room for all of it at once: a string that grows leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(2 * keyfile::MAX_LENGTH));
    file.take(keyfile::MAX_LENGTH as u64 + 1)
        .read_to_string(&mut text)
        .map_err(|_| Failure::key_file(path, keyfile::KeyFileError::NotAKeyFile))?;
    Ok(text)
}

/// The public key of a root or an authority.
pub fn public_key(path: &Path) -> Result<PublicKey> {
    keyfile::read_public(&key_text(path)?).map_err(|error| Failure::key_file(path, error))
}

/// The public key of a holder.
pub fn holder_key(path: &Path) -> Result<HolderKey> {
    keyfile::read_holder_public(&key_text(path)?).map_err(|error| Failure::key_file(path, error))
}

fn key_text(path: &Path) -> Result<Zeroizing<String>> {
    String::from_utf8(read(path)?)
        .map(Zeroizing::new)
        .map_err(|_| Failure::key_file(path, keyfile::KeyFileError::NotAKeyFile))
}

/// A credential from its 131 bytes, or from their base64url as the server's API gives it.
pub fn credential(path: &Path) -> Result<Credential> {
    let bytes = read(path)?;
    let bytes = if bytes.len() == Credential::LENGTH {
        bytes
    } else {
        let text = std::str::from_utf8(&bytes).ok().map(str::trim);
        text.and_then(parse::base64url)
            .ok_or_else(|| Failure::content(path, "no credential: it must be 131 bytes, or their base64url"))?
    };
    Credential::from_bytes(&bytes)
        .map_err(|error| Failure::refused(error.reason(), format!("{}: {error}", path.display())))
}
