//! The server's signing keys: one per role, in DATA/keys, each with the certificate that the root signed for it.
//!
//! Files: `<role>.key` (0600, made here, never leaves), `<role>.pub` (carried to wherever the root key is kept, to be
//! certified), `<role>.cert` (the root-signed certificate), `root.pub` (the root that the first import pinned) and
//! `*.revocation` (root-signed key revocations, handed on to the gates). `link.key` derives links' secrets; `edge.key` is a
//! venue's edge's own.
//!
//! Invariants: a key is never overwritten; a certificate is taken in only after the root's signature, the organiser and the
//! key in it were checked, and all belong to one root and one organiser. The root's private key is never here.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use ticket_signer::keyfile::{self, KeyFileError};
use ticket_signer::{Certificate, EventId, KeyRevocation, PublicKey, Role, SecretKey, TrustStore};

use super::{Random, files};

/// No certificate or key file is larger.
const MAX_FILE_BYTES: u64 = 4_096;

/// Why a key or certificate can't be used.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    #[error("cannot read {path} ({reason}): check the path and its permissions")]
    Read { path: PathBuf, reason: String },
    #[error("{path}: {reason}")]
    KeyFile { path: PathBuf, reason: KeyFileError },
    #[error("{path} can be read by others on this machine: a private key must not. Run `chmod 600 {path}`")]
    Exposed { path: PathBuf },
    #[error("{path} is no certificate ({reason}): import the file that `ticket-signer certify` wrote")]
    NotACertificate { path: PathBuf, reason: String },
    #[error("{path} was not signed by the root key of {root}: have that root certify the key, or check --root")]
    NotFromRoot { path: PathBuf, root: PathBuf },
    #[error(
        "this server's keys belong to the root {pinned} already, and --root is {given}: a server serves one root; for \
         another one use another --data directory"
    )]
    OtherRoot { pinned: String, given: String },
    #[error("{path} was made for the organiser \"{found}\", and this server's other certificates for \"{expected}\"")]
    OtherOrganiser { path: PathBuf, expected: String, found: String },
    #[error("{path} certifies another {role} key than {key}: certify `{role}.pub` of this server's keys directory")]
    OtherKey { path: PathBuf, role: &'static str, key: PathBuf },
    #[error("there is no {role} key here to be certified: run `sync-server key init` first")]
    NoKey { role: &'static str },
    #[error("there is no root key here yet: give --root FILE with the root's public key")]
    NoRoot,
    #[error(transparent)]
    File(#[from] files::FileError),
}

type Result<T> = std::result::Result<T, KeysError>;

/// A role's key, and its certificate once the root has signed one.
#[derive(Debug)]
pub struct AuthorityKey {
    pub secret: SecretKey,
    pub certificate: Option<Certificate>,
}

/// All keys of this server.
#[derive(Debug, Default)]
pub struct KeyRing {
    root: Option<PublicKey>,
    keys: BTreeMap<Role, AuthorityKey>,
    revocations: Vec<KeyRevocation>,
}

/// Where the keys of a data directory are.
#[must_use]
pub fn directory(data: &Path) -> PathBuf {
    data.join("keys")
}

fn key_path(directory: &Path, role: Role) -> PathBuf {
    directory.join(format!("{}.key", role.name()))
}

fn certificate_path(directory: &Path, role: Role) -> PathBuf {
    directory.join(format!("{}.cert", role.name()))
}

fn root_path(directory: &Path) -> PathBuf {
    directory.join("root.pub")
}

impl KeyRing {
    /// Reads the directory and checks everything in it. A missing directory is an empty ring.
    ///
    /// # Errors
    /// [`KeysError`], which names the file and says what to do.
    pub fn load(directory: &Path) -> Result<Self> {
        let mut ring = Self::default();
        let root = root_path(directory);
        if root.exists() {
            ring.root = Some(read_public(&root)?);
        }
        for role in Role::ALL {
            let path = key_path(directory, role);
            if !path.exists() {
                continue;
            }
            let secret = read_secret(&path)?;
            let certificate = certificate_path(directory, role);
            let certificate =
                if certificate.exists() { Some(ring.checked(&certificate, &root, &secret, &path)?) } else { None };
            ring.keys.insert(role, AuthorityKey { secret, certificate });
        }
        for path in revocation_paths(directory)? {
            let revocation = ring.checked_revocation(&path, &root)?;
            ring.revocations.push(revocation);
        }
        Ok(ring)
    }

    fn checked(&self, path: &Path, root_path: &Path, secret: &SecretKey, key: &Path) -> Result<Certificate> {
        let certificate = read_certificate(path)?;
        let root = self.root.as_ref().ok_or(KeysError::NoRoot)?;
        verify_certificate(&certificate, path, root, root_path)?;
        let fields = certificate.fields();
        if fields.key != secret.public() {
            return Err(KeysError::OtherKey { path: path.into(), role: fields.role.name(), key: key.into() });
        }
        if let Some(expected) = self.organiser().filter(|organiser| *organiser != fields.organiser) {
            let (expected, found) = (expected.to_owned(), fields.organiser.clone());
            return Err(KeysError::OtherOrganiser { path: path.into(), expected, found });
        }
        Ok(certificate)
    }

    fn checked_revocation(&self, path: &Path, root_path: &Path) -> Result<KeyRevocation> {
        let bytes = read_bytes(path)?;
        let revocation = KeyRevocation::from_bytes(&bytes)
            .map_err(|error| KeysError::NotACertificate { path: path.into(), reason: error.to_string() })?;
        let root = self.root.as_ref().ok_or(KeysError::NoRoot)?;
        revocation.verify(root).map_err(|_| KeysError::NotFromRoot { path: path.into(), root: root_path.into() })?;
        Ok(revocation)
    }

    /// The root that this server's certificates come from.
    #[must_use]
    pub fn root(&self) -> Option<&PublicKey> {
        self.root.as_ref()
    }

    /// The organiser that the certificates name.
    #[must_use]
    pub fn organiser(&self) -> Option<&str> {
        self.certificates().next().map(|certificate| certificate.fields().organiser.as_str())
    }

    #[must_use]
    pub fn key(&self, role: Role) -> Option<&AuthorityKey> {
        self.keys.get(&role)
    }

    /// The private key of a role, if it may be used: it has a certificate, and no revocation names it.
    #[must_use]
    pub fn signing_key(&self, role: Role) -> Option<&SecretKey> {
        let key = self.keys.get(&role).filter(|key| key.certificate.is_some())?;
        let id = key.secret.public().key_id();
        let revoked = self.revocations.iter().any(|revocation| revocation.key() == id);
        (!revoked).then_some(&key.secret)
    }

    #[must_use]
    pub fn certificate(&self, role: Role) -> Option<&Certificate> {
        self.keys.get(&role)?.certificate.as_ref()
    }

    /// Every certificate there is, by role.
    pub fn certificates(&self) -> impl Iterator<Item = &Certificate> {
        self.keys.values().filter_map(|key| key.certificate.as_ref())
    }

    /// Root-signed revocations of keys.
    #[must_use]
    pub fn revocations(&self) -> &[KeyRevocation] {
        &self.revocations
    }

    /// What a gate would believe after taking in all certificates and revocations; none while there is no root or
    /// certificate.
    #[must_use]
    pub fn trust_store(&self) -> Option<TrustStore> {
        let mut trust = TrustStore::new(self.root.clone()?, self.organiser()?);
        for certificate in self.certificates() {
            trust.add_certificate(&certificate.to_bytes()).ok()?;
        }
        for revocation in &self.revocations {
            trust.add_revocation(&revocation.to_bytes()).ok()?;
        }
        Some(trust)
    }

    /// The ranges of event ids for which this server may issue.
    #[must_use]
    pub fn event_ranges(&self) -> Vec<RangeInclusive<u32>> {
        let Some(certificate) = self.signing_key(Role::Issue).and_then(|_| self.certificate(Role::Issue)) else {
            return Vec::new();
        };
        certificate.fields().events.iter().map(|range| range.first.0..=range.last.0).collect()
    }

    /// Whether the key of this role may sign for the event at that time (unix seconds).
    #[must_use]
    pub fn may_sign(&self, role: Role, event: EventId, now_s: i64) -> bool {
        self.signing_key(role).is_some()
            && self.certificate(role).is_some_and(|certificate| {
                let fields = certificate.fields();
                certificate.names_event(event)
                    && (i64::from(fields.not_before_s)..i64::from(fields.not_after_s)).contains(&now_s)
            })
    }
}

/// Makes the private keys of these roles that are missing; the roles of those made now.
///
/// # Errors
/// [`KeysError::File`].
pub fn init(directory: &Path, roles: &[Role], random: &Random) -> Result<Vec<Role>> {
    files::make_private_directory(directory)?;
    let mut made = Vec::new();
    for role in roles.iter().copied() {
        let path = key_path(directory, role);
        let secret = if path.exists() {
            read_secret(&path)?
        } else {
            let seed = zeroize::Zeroizing::new(random.bytes::<32>());
            let secret = SecretKey::from_bytes(&seed);
            files::write_private(&path, keyfile::write_secret(&secret).as_bytes())?;
            made.push(role);
            secret
        };
        files::write_public(&path.with_extension("pub"), keyfile::write_public(&secret.public()).as_bytes())?;
    }
    Ok(made)
}

/// The key that links' secrets are derived with (see `tickets::links`): made at the first start, kept in `link.key` (0600).
///
/// # Errors
/// [`KeysError`].
pub fn link_key(directory: &Path, random: &Random) -> Result<[u8; 32]> {
    files::make_private_directory(directory)?;
    let path = directory.join("link.key");
    if !path.exists() {
        let bytes = zeroize::Zeroizing::new(random.bytes::<32>());
        files::write_private(&path, keyfile::write_secret(&SecretKey::from_bytes(&bytes)).as_bytes())?;
    }
    Ok(*read_secret(&path)?.to_bytes())
}

/// The key by which a venue's edge is known to its upstream: made when the edge is enrolled, kept in `edge.key` (0600).
///
/// # Errors
/// [`KeysError`].
pub fn edge_key(directory: &Path, random: &Random) -> Result<SecretKey> {
    files::make_private_directory(directory)?;
    let path = directory.join("edge.key");
    if !path.exists() {
        let bytes = zeroize::Zeroizing::new(random.bytes::<32>());
        files::write_private(&path, keyfile::write_secret(&SecretKey::from_bytes(&bytes)).as_bytes())?;
    }
    read_secret(&path)
}

/// Takes in a certificate after checking it against the root (`root`: the file with its public key; the first import pins
/// it, later ones may leave it away). The role that it is for.
///
/// # Errors
/// [`KeysError`], which says what does not fit.
pub fn import_certificate(directory: &Path, certificate: &Path, root: Option<&Path>) -> Result<Role> {
    pin_root(directory, root)?;
    let ring = KeyRing::load(directory)?;
    let role = read_certificate(certificate)?.fields().role;
    let key = ring.keys.get(&role).ok_or(KeysError::NoKey { role: role.name() })?;
    // The certificate that this one replaces does not bind it to an organiser.
    let others = KeyRing { root: ring.root.clone(), ..KeyRing::default() };
    let organiser = ring.keys.iter().filter(|(other, _)| **other != role).find_map(|(_, key)| key.certificate.as_ref());
    let checked = others.checked(certificate, &root_path(directory), &key.secret, &key_path(directory, role))?;
    if let Some(other) = organiser.filter(|other| other.fields().organiser != checked.fields().organiser) {
        return Err(KeysError::OtherOrganiser {
            path: certificate.into(),
            expected: other.fields().organiser.clone(),
            found: checked.fields().organiser.clone(),
        });
    }
    files::write_public(&certificate_path(directory, role), &checked.to_bytes())?;
    Ok(role)
}

/// Takes in a root-signed revocation of a key, for good; the id of the revoked key.
///
/// # Errors
/// [`KeysError`].
pub fn import_revocation(directory: &Path, revocation: &Path, root: Option<&Path>) -> Result<String> {
    pin_root(directory, root)?;
    let ring = KeyRing::load(directory)?;
    let checked = ring.checked_revocation(revocation, &root_path(directory))?;
    let id = checked.key().to_string();
    files::write_public(&directory.join(format!("{id}.revocation")), &checked.to_bytes())?;
    Ok(id)
}

fn pin_root(directory: &Path, given: Option<&Path>) -> Result<()> {
    let pinned = root_path(directory);
    let given = given.map(read_public).transpose()?;
    match (pinned.exists(), given) {
        (false, None) => Err(KeysError::NoRoot),
        (false, Some(given)) => {
            files::make_private_directory(directory)?;
            Ok(files::write_public(&pinned, keyfile::write_public(&given).as_bytes())?)
        }
        (true, None) => Ok(()),
        (true, Some(given)) => {
            let pinned = read_public(&pinned)?;
            let spoken = |key: &PublicKey| key.spoken_fingerprint();
            if pinned == given {
                Ok(())
            } else {
                Err(KeysError::OtherRoot { pinned: spoken(&pinned), given: spoken(&given) })
            }
        }
    }
}

fn verify_certificate(certificate: &Certificate, path: &Path, root: &PublicKey, root_path: &Path) -> Result<()> {
    certificate.verify(root).map_err(|_| KeysError::NotFromRoot { path: path.into(), root: root_path.into() })
}

fn revocation_paths(directory: &Path) -> Result<Vec<PathBuf>> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Ok(Vec::new()) };
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "revocation"))
        .collect();
    paths.sort();
    Ok(paths)
}

fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    let unreadable = |reason: String| KeysError::Read { path: path.into(), reason };
    let length = std::fs::metadata(path).map_err(|error| unreadable(error.to_string()))?.len();
    if length > MAX_FILE_BYTES {
        return Err(unreadable(format!("it has {length} bytes, which no key or certificate has")));
    }
    std::fs::read(path).map_err(|error| unreadable(error.to_string()))
}

fn read_text(path: &Path) -> Result<zeroize::Zeroizing<String>> {
    let text = String::from_utf8(read_bytes(path)?);
    text.map(zeroize::Zeroizing::new)
        .map_err(|_| KeysError::KeyFile { path: path.into(), reason: KeyFileError::NotAKeyFile })
}

fn read_public(path: &Path) -> Result<PublicKey> {
    keyfile::read_public(&read_text(path)?).map_err(|reason| KeysError::KeyFile { path: path.into(), reason })
}

fn read_secret(path: &Path) -> Result<SecretKey> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata =
        std::fs::metadata(path).map_err(|error| KeysError::Read { path: path.into(), reason: error.to_string() })?;
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(KeysError::Exposed { path: path.into() });
    }
    keyfile::read_secret(&read_text(path)?).map_err(|reason| KeysError::KeyFile { path: path.into(), reason })
}

fn read_certificate(path: &Path) -> Result<Certificate> {
    Certificate::from_bytes(&read_bytes(path)?)
        .map_err(|error| KeysError::NotACertificate { path: path.into(), reason: error.to_string() })
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
