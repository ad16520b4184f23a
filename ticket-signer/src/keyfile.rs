//! Keys as text: what a key file holds. Text only; files are opened by the command line and the server.
//!
//! Two lines: `turnstone-key-v1 <ed25519|p256> <secret|public>`, then the key in base64url without padding (a secret: 32
//! bytes; a public key: 32 for Ed25519, the compressed point of 33 for P-256). The line that says what the key is comes
//! first, so that a private key is never taken for a public one and passed around. Texts with secrets wipe themselves when
//! dropped, and no error repeats what was read.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::{Zeroize as _, Zeroizing};

use crate::keys::{HolderAlgorithm, HolderKey, HolderSecret, KeyError, PublicKey, SecretKey};

/// First word of every key file.
pub const MAGIC: &str = "turnstone-key-v1";
/// The longest text that can be a key file; read no more than this.
pub const MAX_LENGTH: usize = 256;

/// Why a text is not the key that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyFileError {
    #[error("this is no key file: its first line must be `turnstone-key-v1 ed25519 secret` or the like")]
    NotAKeyFile,
    #[error("the key file names an algorithm other than ed25519 and p256")]
    Algorithm,
    #[error("this file holds a public key; the private one is needed here (the file without `.pub`)")]
    PublicGiven,
    #[error("this file holds a PRIVATE key; the public one is needed here (the file with `.pub`)")]
    SecretGiven,
    #[error("roots and authorities have Ed25519 keys; this file holds a key for a holder's phone (P-256)")]
    NotAnAuthority,
    #[error("the key's line is cut or is not base64url of the right length; take the file from its backup")]
    Encoding,
    #[error("{0}")]
    Key(#[from] KeyError),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Half {
    Secret,
    Public,
}

/// A root's or authority's private key as text. Store it with mode 0600.
pub fn write_secret(key: &SecretKey) -> Zeroizing<String> {
    write(HolderAlgorithm::Ed25519, Half::Secret, &key.to_bytes()[..])
}

/// Reads what [`write_secret`] wrote.
pub fn read_secret(text: &str) -> Result<SecretKey, KeyFileError> {
    match read_holder_secret(text)? {
        HolderSecret::Ed25519(key) => Ok(key),
        HolderSecret::P256(_) => Err(KeyFileError::NotAnAuthority),
    }
}

/// A root's or authority's public key as text.
pub fn write_public(key: &PublicKey) -> String {
    write_holder_public(&HolderKey::Ed25519(key.clone()))
}

/// Reads what [`write_public`] wrote.
pub fn read_public(text: &str) -> Result<PublicKey, KeyFileError> {
    match read_holder_public(text)? {
        HolderKey::Ed25519(key) => Ok(key),
        HolderKey::P256(_) => Err(KeyFileError::NotAnAuthority),
    }
}

/// A holder's private key as text, for tests and demos: a phone keeps its own in WebCrypto.
pub fn write_holder_secret(key: &HolderSecret) -> Zeroizing<String> {
    let algorithm = match key {
        HolderSecret::Ed25519(_) => HolderAlgorithm::Ed25519,
        HolderSecret::P256(_) => HolderAlgorithm::P256,
    };
    write(algorithm, Half::Secret, &key.to_bytes()[..])
}

/// Reads what [`write_holder_secret`] or [`write_secret`] wrote.
pub fn read_holder_secret(text: &str) -> Result<HolderSecret, KeyFileError> {
    let (algorithm, key) = read(text, Half::Secret)?;
    let seed = <&[u8; 32]>::try_from(&key[..]).map_err(|_| KeyFileError::Encoding)?;
    Ok(HolderSecret::from_bytes(algorithm, seed)?)
}

/// A holder's public key as text.
pub fn write_holder_public(key: &HolderKey) -> String {
    let slot = key.to_slot();
    let bytes = if key.algorithm() == HolderAlgorithm::Ed25519 { &slot[1..] } else { &slot[..] };
    std::mem::take(&mut *write(key.algorithm(), Half::Public, bytes))
}

/// Reads what [`write_holder_public`] or [`write_public`] wrote.
pub fn read_holder_public(text: &str) -> Result<HolderKey, KeyFileError> {
    let (algorithm, key) = read(text, Half::Public)?;
    Ok(HolderKey::from_public_bytes(algorithm, &key)?)
}

fn write(algorithm: HolderAlgorithm, half: Half, key: &[u8]) -> Zeroizing<String> {
    let half = if half == Half::Secret { "secret" } else { "public" };
    // Room for all of it at once: a string that grows leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(MAX_LENGTH));
    for part in [MAGIC, " ", algorithm.name(), " ", half, "\n"] {
        text.push_str(part);
    }
    URL_SAFE_NO_PAD.encode_string(key, &mut text);
    text.push('\n');
    text
}

fn read(text: &str, wanted: Half) -> Result<(HolderAlgorithm, Zeroizing<Vec<u8>>), KeyFileError> {
    let mut lines = text.lines();
    let mut words = lines.next().unwrap_or_default().split(' ');
    if text.len() > MAX_LENGTH || words.next() != Some(MAGIC) {
        return Err(KeyFileError::NotAKeyFile);
    }
    let algorithm = match words.next() {
        Some("ed25519") => HolderAlgorithm::Ed25519,
        Some("p256") => HolderAlgorithm::P256,
        _ => return Err(KeyFileError::Algorithm),
    };
    match (words.next(), wanted) {
        (Some("secret"), Half::Secret) | (Some("public"), Half::Public) => {}
        (Some("secret"), Half::Public) => return Err(KeyFileError::SecretGiven),
        (Some("public"), Half::Secret) => return Err(KeyFileError::PublicGiven),
        _ => return Err(KeyFileError::NotAKeyFile),
    }
    let (Some(line), None, None) = (lines.next(), lines.next(), words.next()) else {
        return Err(KeyFileError::NotAKeyFile);
    };
    let mut room = [0; MAX_LENGTH];
    let key = URL_SAFE_NO_PAD.decode_slice(line, &mut room).map(|length| Zeroizing::new(room[..length].to_vec()));
    room.zeroize();
    Ok((algorithm, key.map_err(|_| KeyFileError::Encoding)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_as_they_were_written() {
        let authority = SecretKey::from_bytes(&[5; 32]);
        assert_eq!(*read_secret(&write_secret(&authority)).unwrap().to_bytes(), [5; 32]);
        assert_eq!(read_public(&write_public(&authority.public())).unwrap(), authority.public());
        for algorithm in [HolderAlgorithm::Ed25519, HolderAlgorithm::P256] {
            let holder = HolderSecret::from_bytes(algorithm, &[6; 32]).unwrap();
            assert_eq!(*read_holder_secret(&write_holder_secret(&holder)).unwrap().to_bytes(), [6; 32]);
            assert_eq!(read_holder_public(&write_holder_public(&holder.public())).unwrap(), holder.public());
        }
    }

    #[test]
    fn the_format_is_two_lines() {
        let text = write_secret(&SecretKey::from_bytes(&[0; 32]));
        assert_eq!(*text, format!("turnstone-key-v1 ed25519 secret\n{}\n", "A".repeat(43)));
        assert!(read_secret(&text.replace('\n', "\r\n")).is_ok(), "an editor's line ends do no harm");
    }

    #[test]
    fn each_wrong_file_gets_its_own_answer() {
        let secret = write_secret(&SecretKey::from_bytes(&[5; 32]));
        let p256 = write_holder_secret(&HolderSecret::from_bytes(HolderAlgorithm::P256, &[6; 32]).unwrap());
        let public = write_public(&SecretKey::from_bytes(&[5; 32]).public());
        let cases = [
            ("", KeyFileError::NotAKeyFile),
            ("-----BEGIN PRIVATE KEY-----\n", KeyFileError::NotAKeyFile),
            (&public, KeyFileError::PublicGiven),
            (&p256, KeyFileError::NotAnAuthority),
            ("turnstone-key-v1 rsa secret\nAAAA\n", KeyFileError::Algorithm),
            ("turnstone-key-v1 ed25519 secret\n", KeyFileError::NotAKeyFile),
            (&secret[..secret.len() - 3], KeyFileError::Encoding),
            (&format!("{}{}", *secret, "more\n"), KeyFileError::NotAKeyFile),
            (&secret.replace(" secret", " secret x"), KeyFileError::NotAKeyFile),
            (&secret.replace('\n', "=\n"), KeyFileError::NotAKeyFile),
            (&"x".repeat(MAX_LENGTH + 1), KeyFileError::NotAKeyFile),
        ];
        for (text, error) in cases {
            assert_eq!(read_secret(text).map(|_| ()), Err(error), "{text}");
        }
        assert_eq!(read_public(&secret), Err(KeyFileError::SecretGiven));
        let zero = format!("turnstone-key-v1 p256 secret\n{}\n", "A".repeat(43));
        assert_eq!(read_holder_secret(&zero).map(|_| ()), Err(KeyFileError::Key(KeyError::NotASecret)));
    }
}
