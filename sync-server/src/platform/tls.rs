//! The server's TLS key and certificate: the operator's own, or one that the server makes for itself.
//!
//! Handhelds pin the key, not the certificate: the enrolment code carries SHA-256 of the key's SubjectPublicKeyInfo. So the
//! self-made key lives as long as the data directory does, and the certificate around it is only paper: it is valid for 820
//! days, because phones refuse a longer one (the limit of some is 825), and is made anew from the same key when less than a
//! year of it is left or the server's name has changed. No handheld notices; a phone that was told to trust the old
//! certificate has to be told once more.
//!
//! Files in DATA/tls: `key.pem` (0600), `cert.pem`, `cert.json` (names and end of validity of the self-made certificate).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::config::TlsFiles;
use super::files;

const DAY_MS: i64 = 24 * 3_600 * 1_000;
const VALID_DAYS: i64 = 820;
const RENEW_DAYS: i64 = 365;

/// Why there is no usable TLS key and certificate.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("cannot read {path} ({reason}): check the path and its permissions")]
    Read { path: PathBuf, reason: String },
    #[error("{path} holds no usable {what}: it must be PEM text")]
    Content { path: PathBuf, what: &'static str },
    #[error("the certificate and the key do not belong together, or are of a kind that is not supported ({reason})")]
    Unusable { reason: String },
    #[error("cannot make a certificate ({reason})")]
    Make { reason: String },
    #[error(transparent)]
    File(#[from] files::FileError),
}

/// A key with its certificate, ready to serve.
#[derive(Debug, Clone)]
pub struct Identity {
    pub config: Arc<rustls::ServerConfig>,
    /// SHA-256 of the certificate's SubjectPublicKeyInfo.
    pub spki_sha256: [u8; 32],
}

/// Reads what the operator brought.
///
/// # Errors
/// [`TlsError`], which says what to do.
pub fn from_files(tls: &TlsFiles) -> Result<Identity, TlsError> {
    identity(&read(&tls.certificate)?, &tls.certificate, &read(&tls.key)?, &tls.key)
}

/// The self-made identity in `data`, made or renewed as needed. `host` is a name or an IP address by which clients come.
///
/// # Errors
/// [`TlsError`].
pub fn self_made(data: &Path, host: &str, now_ms: i64) -> Result<Identity, TlsError> {
    let directory = data.join("tls");
    files::make_private_directory(&directory)?;
    let (key_path, certificate_path, note_path) =
        (directory.join("key.pem"), directory.join("cert.pem"), directory.join("cert.json"));
    let make = |error: rcgen::Error| TlsError::Make { reason: error.to_string() };
    let key_pem = if key_path.exists() {
        read(&key_path)?
    } else {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(make)?;
        let pem = key.serialize_pem();
        files::write_private(&key_path, pem.as_bytes())?;
        pem
    };
    let note = Note::wanted(host);
    let renew_after_ms = now_ms + RENEW_DAYS * DAY_MS;
    let current = std::fs::read(&note_path).ok().and_then(|bytes| serde_json::from_slice::<Note>(&bytes).ok());
    let keep = current.is_some_and(|found| found.names == note.names && found.not_after_ms > renew_after_ms);
    if !keep || !certificate_path.exists() {
        let key = rcgen::KeyPair::from_pem(&key_pem).map_err(make)?;
        let note = Note { not_after_ms: now_ms + VALID_DAYS * DAY_MS, ..note };
        let certificate = certificate(&note, now_ms)?.self_signed(&key).map_err(make)?;
        files::write_public(&certificate_path, certificate.pem().as_bytes())?;
        let note = serde_json::to_vec(&note).map_err(|error| TlsError::Make { reason: error.to_string() })?;
        files::write_public(&note_path, &note)?;
    }
    identity(&read(&certificate_path)?, &certificate_path, &key_pem, &key_path)
}

#[derive(Debug, Serialize, Deserialize)]
struct Note {
    names: Vec<String>,
    not_after_ms: i64,
}

impl Note {
    fn wanted(host: &str) -> Self {
        let mut names = vec![host.to_owned(), "localhost".into(), "127.0.0.1".into(), "::1".into()];
        names.sort();
        names.dedup();
        Self { names, not_after_ms: 0 }
    }
}

fn certificate(note: &Note, now_ms: i64) -> Result<rcgen::CertificateParams, TlsError> {
    let make = |reason: String| TlsError::Make { reason };
    let mut params = rcgen::CertificateParams::new(note.names.clone()).map_err(|error| make(error.to_string()))?;
    let time = |ms: i64| {
        let seconds = std::time::Duration::from_millis(u64::try_from(ms).unwrap_or(0));
        std::time::SystemTime::UNIX_EPOCH + seconds
    };
    // A day earlier, for clients whose clock is behind.
    params.not_before = time(now_ms - DAY_MS).into();
    params.not_after = time(note.not_after_ms).into();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "Turnstone server");
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

fn read(path: &Path) -> Result<String, TlsError> {
    std::fs::read_to_string(path).map_err(|error| TlsError::Read { path: path.to_owned(), reason: error.to_string() })
}

fn identity(certificate: &str, certificate_path: &Path, key: &str, key_path: &Path) -> Result<Identity, TlsError> {
    let content = |path: &Path, what| TlsError::Content { path: path.to_owned(), what };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(certificate.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|_| content(certificate_path, "certificate"))?;
    let first = chain.first().ok_or_else(|| content(certificate_path, "certificate"))?;
    let parsed =
        rustls::server::ParsedCertificate::try_from(first).map_err(|_| content(certificate_path, "certificate"))?;
    let spki_sha256 = Sha256::digest(parsed.subject_public_key_info().as_ref()).into();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| content(key_path, "private key"))?;
    let unusable = |error: rustls::Error| TlsError::Unusable { reason: error.to_string() };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(unusable)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Identity { config: Arc::new(config), spki_sha256 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_outlives_certificates_and_new_names() {
        let data = tempfile::tempdir().unwrap();
        let now_ms = 1_790_000_000_000;
        let first = self_made(data.path(), "tickets.example.org", now_ms).unwrap();
        let file = data.path().join("tls/cert.pem");
        let certificate = std::fs::read(&file).unwrap();
        self_made(data.path(), "tickets.example.org", now_ms + 100 * DAY_MS).unwrap();
        assert_eq!(certificate, std::fs::read(&file).unwrap(), "a certificate with time left stays");
        let renewed = self_made(data.path(), "tickets.example.org", now_ms + 500 * DAY_MS).unwrap();
        assert_ne!(certificate, std::fs::read(&file).unwrap(), "one that nears its end is made anew");
        let renamed = self_made(data.path(), "10.0.0.5", now_ms + 500 * DAY_MS).unwrap();
        assert_eq!(first.spki_sha256, renewed.spki_sha256);
        assert_eq!(first.spki_sha256, renamed.spki_sha256);
        let other = self_made(tempfile::tempdir().unwrap().path(), "localhost", now_ms).unwrap();
        assert_ne!(first.spki_sha256, other.spki_sha256);
    }

    #[test]
    fn the_key_is_private_to_its_user() {
        use std::os::unix::fs::PermissionsExt as _;
        let data = tempfile::tempdir().unwrap();
        self_made(data.path(), "localhost", 1_790_000_000_000).unwrap();
        let mode = std::fs::metadata(data.path().join("tls/key.pem")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn what_is_no_pem_is_named() {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join("cert.pem");
        std::fs::write(&path, "not a certificate").unwrap();
        let error = from_files(&TlsFiles { certificate: path.clone(), key: path }).unwrap_err();
        assert!(error.to_string().contains("no usable certificate"), "{error}");
    }
}
