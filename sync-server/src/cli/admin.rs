//! The commands that are not `serve`: they open the same files, do one thing and say what they did.

use std::io::{IsTerminal as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use ticket_signer::Role;

use super::{CliResult, say};
use crate::gate::edge;
use crate::platform::config::DatabaseUrl;
use crate::platform::keys::{self, KeyRing};
use crate::platform::store::SqliteEngine;
use crate::platform::{Clock, Random, Scope, Store, StoreError, files};
use crate::{accounts, catalog, gate, tickets};

/// Where the server keeps its things.
pub struct Place {
    pub data: PathBuf,
    pub database: DatabaseUrl,
}

impl Place {
    async fn open(&self) -> Result<Store, Box<dyn std::error::Error + Send + Sync>> {
        files::make_private_directory(&self.data)?;
        Ok(Store::open_sqlite(self.database.path(), Clock::system().now_ms()).await?)
    }

    /// The database as it is, for commands that must not change it or make an empty one.
    fn open_existing(&self) -> Result<Store, StoreError> {
        let path = self.database.path();
        if !path.exists() {
            return Err(StoreError::Missing { path: path.into() });
        }
        Ok(Store::new(SqliteEngine::open(path)?))
    }
}

pub async fn migrate(place: &Place) -> CliResult {
    files::make_private_directory(&place.data)?;
    let store = Store::new(SqliteEngine::open(place.database.path())?);
    let report = store.migrate(Clock::system().now_ms()).await?;
    for name in &report.applied {
        say(format_args!("applied {name}"))?;
    }
    say(format_args!("{} migrations were there already, {} applied now", report.present, report.applied.len()))?;
    Ok(0)
}

pub async fn check(place: &Place) -> CliResult {
    let store = place.open_existing()?;
    let mut findings = store.integrity_check().await?;
    if findings.is_empty() {
        let outstanding = store.outstanding_migrations().await?;
        if outstanding == 0 {
            let mut tx = store.read().await?;
            findings.extend(catalog::check(&mut tx).await?);
            findings.extend(tickets::check(&mut tx).await?);
            findings.extend(gate::check(&mut tx).await?);
        } else {
            findings
                .push(format!("{outstanding} migrations are outstanding; run `sync-server migrate`, then check again"));
        }
    }
    if let Err(error) = KeyRing::load(&keys::directory(&place.data)) {
        findings.push(error.to_string());
    }
    for finding in &findings {
        say(format_args!("{finding}"))?;
    }
    if findings.is_empty() {
        say(format_args!("all is well"))?;
        return Ok(0);
    }
    eprintln!("sync-server: {} findings", findings.len());
    Ok(1)
}

pub async fn backup(place: &Place, file: &Path) -> CliResult {
    place.open_existing()?.backup(file).await?;
    say(format_args!(
        "wrote {}; keys and certificates are not in it, copy {}/keys and {}/tls too",
        file.display(),
        place.data.display(),
        place.data.display()
    ))?;
    Ok(0)
}

pub async fn export(place: &Place, event: u32, file: &Path) -> CliResult {
    let keys = KeyRing::load(&keys::directory(&place.data))?;
    let mut tx = place.open_existing()?.read().await?;
    let new = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    let new = new.map_err(|error| format!("{} cannot be made: {error}. Name a new file.", file.display()))?;
    let mut out = std::io::BufWriter::new(new);
    let exported = gate::export(&mut tx, &keys, event, &mut |line| writeln!(out, "{line}")).await;
    let written = exported.map_err(Into::into).and_then(|rows| {
        out.flush()?;
        out.get_ref().sync_all()?;
        Ok(rows)
    });
    match written {
        Ok(rows) => {
            say(format_args!("wrote {rows} rows of event {event} to {}", file.display()))?;
            Ok(0)
        }
        Err(error) => {
            // Half an export would pass for a whole one.
            let _ = std::fs::remove_file(file);
            Err(error)
        }
    }
}

pub async fn supervisor(place: &Place, name: &str) -> CliResult {
    let password = read_password(name)?;
    let store = place.open().await?;
    let mut tx = store.write().await?;
    let is_new =
        accounts::set_supervisor(&mut tx, &Random::system(), name, &password, Clock::system().now_ms()).await?;
    tx.commit().await?;
    say(format_args!(
        "{} can sign in at /office{}",
        name,
        if is_new { "" } else { " with the new password; old sessions have ended" }
    ))?;
    Ok(0)
}

fn read_password(name: &str) -> std::io::Result<zeroize::Zeroizing<String>> {
    if let Ok(password) = std::env::var("TURNSTONE_PASSWORD") {
        return Ok(password.into());
    }
    if std::io::stdin().is_terminal() {
        eprint!("Password for {name}: ");
        std::io::stderr().flush()?;
        return rpassword::read_password().map(Into::into);
    }
    let mut line = zeroize::Zeroizing::new(String::new());
    std::io::stdin().read_line(&mut line)?;
    let length = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(length);
    Ok(line)
}

pub async fn api_key(place: &Place, name: &str, scopes: &[Scope]) -> CliResult {
    let scopes = if scopes.is_empty() { &Scope::ALL[..] } else { scopes };
    let store = place.open().await?;
    let mut tx = store.write().await?;
    let secret = accounts::create_api_key(&mut tx, &Random::system(), name, scopes, Clock::system().now_ms()).await?;
    tx.commit().await?;
    say(format_args!("{secret}"))?;
    eprintln!("This is the only time that the key is shown. Send it as `Authorization: Bearer tsk_...`.");
    Ok(0)
}

/// Gives a venue's edge its place.
pub async fn edge_enrol(place: &Place, code: &str, name: &str) -> CliResult {
    let store = place.open().await?;
    let directory = keys::directory(&place.data);
    let key = keys::edge_key(&directory, &Random::system())?;
    let show = |fingerprint: &str| {
        let told = say(format_args!(
            "This edge's fingerprint is {fingerprint}\nCompare it on the supervisor's page and confirm it there; waiting..."
        ));
        if let Err(error) = told {
            tracing::warn!(%error, "the fingerprint could not be printed");
        }
    };
    let enrolled = edge::enrol(&store, &Clock::system(), key, (code, name), show).await?;
    say(format_args!(
        "enrolled for event {} ({}). Start it with `sync-server serve --role edge --upstream {}`",
        enrolled.event_id, enrolled.event, enrolled.server
    ))?;
    Ok(0)
}

pub fn key_init(place: &Place, roles: &[Role]) -> CliResult {
    files::make_private_directory(&place.data)?;
    let directory = keys::directory(&place.data);
    let roles = if roles.is_empty() { &Role::ALL[..] } else { roles };
    let made = keys::init(&directory, roles, &Random::system())?;
    for role in roles.iter().copied() {
        let state = if made.contains(&role) { "made" } else { "was there already" };
        say(format_args!("{} {state}", directory.join(format!("{}.key", role.name())).display()))?;
    }
    say(format_args!(
        "Now have the root certify each .pub file (`ticket-signer certify --role ROLE ...`), and take the certificates in with \
         `sync-server key import`."
    ))?;
    Ok(0)
}

pub fn key_import(
    place: &Place,
    certificate: Option<&Path>,
    revocation: Option<&Path>,
    root: Option<&Path>,
) -> CliResult {
    let directory = keys::directory(&place.data);
    if let Some(certificate) = certificate {
        let role = keys::import_certificate(&directory, certificate, root)?;
        say(format_args!("the {} key is certified; a running server takes it up when it is restarted", role.name()))?;
    }
    if let Some(revocation) = revocation {
        let id = keys::import_revocation(&directory, revocation, root)?;
        say(format_args!("the key {id} is revoked; a running server takes it up when it is restarted"))?;
    }
    Ok(0)
}

pub fn key_list(place: &Place) -> CliResult {
    let ring = KeyRing::load(&keys::directory(&place.data))?;
    match ring.root() {
        Some(root) => say(format_args!("root     {}  {}", root.key_id(), root.spoken_fingerprint()))?,
        None => say(format_args!("root     none yet: the first `sync-server key import --root FILE` pins it"))?,
    }
    for role in Role::ALL {
        let Some(key) = ring.key(role) else {
            say(format_args!("{:8} none: run `sync-server key init`", role.name()))?;
            continue;
        };
        let id = key.secret.public().key_id();
        let state = match &key.certificate {
            None => "not certified".to_owned(),
            Some(_) if ring.signing_key(role).is_none() => "REVOKED".to_owned(),
            Some(certificate) => {
                let fields = certificate.fields();
                let events: Vec<String> =
                    fields.events.iter().map(|range| format!("{}-{}", range.first, range.last)).collect();
                format!(
                    "{}, events {}, {} to {}",
                    fields.organiser,
                    events.join(" "),
                    day(fields.not_before_s),
                    day(fields.not_after_s)
                )
            }
        };
        say(format_args!("{:8} {id}  {state}", role.name()))?;
    }
    Ok(0)
}

fn day(unix_s: u32) -> String {
    let instant = jiff::Timestamp::from_second(i64::from(unix_s)).unwrap_or_default();
    jiff::tz::TimeZone::UTC.to_datetime(instant).date().to_string()
}
