//! Brings the server up and down: opens what it stands on, composes it, serves until it is told to stop.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use crate::accounts::{self, Accounts};
use crate::api::{self, Parts};
use crate::gate::edge::{self, Edge, EdgeError};
use crate::platform::config::{Config, PublicUrl, ServeRole};
use crate::platform::http::{ServeError, idempotency, serve};
use crate::platform::keys::{self, KeyRing, KeysError};
use crate::platform::tls::{self, TlsError};
use crate::platform::{Clock, Platform, Random, Shutdown, Site, Store, StoreError, files};
use crate::tickets::links::LinkKey;

/// How often what has expired is deleted.
const HOUSEKEEPING: Duration = Duration::from_secs(60);

/// Why the server could not be brought up.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Keys(#[from] KeysError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error(transparent)]
    Edge(#[from] EdgeError),
    #[error(transparent)]
    File(#[from] files::FileError),
    #[error("cannot listen for signals ({0})")]
    Signals(std::io::Error),
    #[error("cannot write the ready file {path} ({reason})")]
    Ready { path: PathBuf, reason: files::FileError },
}

/// A server that listens.
#[derive(Debug, Clone)]
pub struct Ready {
    /// The real address, its port chosen by the system when 0 was asked for.
    pub address: SocketAddr,
    pub public_url: String,
    pub spki_sha256: [u8; 32],
}

/// Opens everything, calls `ready` once connections are taken, and serves until `shutdown`.
///
/// # Errors
/// [`RunError`], which says what to do.
pub async fn run(config: Config, shutdown: Shutdown, ready: impl FnOnce(&Ready) + Send) -> Result<(), RunError> {
    let clock = Clock::system();
    let now_ms = clock.now_ms();
    files::make_private_directory(&config.data)?;
    let store = Store::open_sqlite(config.database.path(), now_ms).await?;
    let keys = KeyRing::load(&keys::directory(&config.data))?;
    let random = Random::system();
    let links = LinkKey::new(keys::link_key(&keys::directory(&config.data), &random)?);
    warn_about_keys(&keys, now_ms);

    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(|reason| ServeError::Listen { address: config.listen, reason })?;
    let address = listener.local_addr().map_err(|reason| ServeError::Listen { address: config.listen, reason })?;
    let public_url = config.public_url.clone().unwrap_or_else(|| PublicUrl::local(address.port()));
    let identity = match &config.tls {
        Some(files) => tls::from_files(files)?,
        None => tls::self_made(&config.data, public_url.host(), now_ms)?,
    };
    let site = Site { public_url: public_url.as_str().to_owned(), spki_sha256: identity.spki_sha256 };
    let ready_note = Ready { address, public_url: site.public_url.clone(), spki_sha256: site.spki_sha256 };
    let platform = Platform { store, clock, random, shutdown: shutdown.clone(), site: Arc::new(site) };
    let accounts = Accounts::new(platform.clone());
    let keys = Arc::new(keys);
    let (router, is_edge) = match &config.role {
        ServeRole::All => (api::router(&Parts { platform: platform.clone(), accounts, keys, links }), false),
        ServeRole::Edge { upstream } => {
            let key = keys::edge_key(&keys::directory(&config.data), &platform.random)?;
            let edge = Edge::open(platform.clone(), keys, key, upstream.as_str()).await?;
            edge.start();
            (api::edge_router(&edge, &accounts, &platform), true)
        }
    };

    let housekeeping = tokio::spawn(keep_house(platform, is_edge));
    if let Some(path) = &config.ready_file {
        let text = format!("{}\n", ready_note.public_url);
        files::write_public(path, text.as_bytes()).map_err(|reason| RunError::Ready { path: path.clone(), reason })?;
    }
    tracing::info!(%address, public_url = ready_note.public_url, "listening");
    ready(&ready_note);
    serve(listener, identity.config, router, shutdown).await;
    housekeeping.abort();
    tracing::info!("stopped");
    Ok(())
}

/// Says early what would otherwise surface at the gate.
fn warn_about_keys(keys: &KeyRing, now_ms: i64) {
    const SOON_S: i64 = 30 * 24 * 3_600;
    if keys.root().is_none() {
        tracing::warn!(
            "no signing key is certified yet: nothing can be issued. Run `sync-server key init`, have the root certify the keys, then `sync-server key import`"
        );
    }
    for certificate in keys.certificates() {
        let fields = certificate.fields();
        let left_s = i64::from(fields.not_after_s) - now_ms / 1_000;
        if left_s <= 0 {
            tracing::error!(role = fields.role.name(), "a certificate has expired: have the root certify the key anew");
        } else if left_s < SOON_S {
            tracing::warn!(role = fields.role.name(), days_left = left_s / 86_400, "a certificate expires soon");
        }
    }
}

async fn keep_house(platform: Platform, is_edge: bool) {
    loop {
        platform.clock.pause(HOUSEKEEPING).await;
        if is_edge && let Err(error) = edge::forget_old(&platform.store, platform.clock.now_ms()).await {
            tracing::warn!(%error, "old lists could not be deleted; the next round tries again");
        }
        match delete_expired(&platform).await {
            Ok(rows) => tracing::debug!(rows, "deleted what had expired"),
            Err(error) => tracing::warn!(%error, "what has expired could not be deleted; the next round tries again"),
        }
    }
}

async fn delete_expired(platform: &Platform) -> Result<u64, StoreError> {
    let now_ms = platform.clock.now_ms();
    let mut tx = platform.store.write().await?;
    let answers = idempotency::forget_old(&mut tx, now_ms).await?;
    let accounts = accounts::jobs::delete_expired(&mut tx, now_ms).await?;
    tx.commit().await?;
    Ok(answers + accounts)
}
