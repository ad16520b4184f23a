//! Forward-only migrations: the numbered files of `migrations/`, compiled in, applied at start.
//!
//! Owns the table `schema_migrations`. Invariants: a migration is applied once, in one transaction with the note that it
//! was; its text never changes afterwards (the note keeps its SHA-256); a new one has a higher number than any applied one.
//! There is no way back but a backup: a "down" script that nobody runs is a promise that nobody tested.

use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

use super::{Result, Store, StoreError, Tx, params};

#[derive(RustEmbed)]
#[folder = "migrations/"]
struct Files;

/// One numbered migration.
#[derive(Debug, Clone)]
pub struct Migration {
    pub number: i64,
    pub name: String,
    pub sql: String,
}

impl Migration {
    fn checksum(&self) -> [u8; 32] {
        Sha256::digest(self.sql.as_bytes()).into()
    }
}

/// What a run of the migrations found and did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MigrationReport {
    /// The names of those applied now, in order.
    pub applied: Vec<String>,
    /// How many the database had already.
    pub present: usize,
}

/// The migrations of this version, by number.
pub fn embedded() -> Result<Vec<Migration>> {
    let mut all = Vec::new();
    for file in Files::iter() {
        let parsed = file.strip_suffix(".sql").and_then(|stem| stem.split_once('_')).and_then(|(number, name)| {
            let sql = String::from_utf8(Files::get(&file)?.data.into_owned()).ok()?;
            Some(Migration { number: number.parse().ok()?, name: name.to_owned(), sql })
        });
        all.push(parsed.ok_or_else(|| StoreError::Engine {
            detail: format!("the migration file {file} is not named like 0001_name.sql"),
        })?);
    }
    all.sort_by_key(|migration| migration.number);
    if let Some(twice) = all.windows(2).find(|pair| pair[0].number == pair[1].number) {
        return Err(StoreError::Engine { detail: format!("two migrations have the number {}", twice[0].number) });
    }
    Ok(all)
}

/// Applies those of `known` that the database lacks.
pub async fn run(store: &Store, known: &[Migration], now_ms: i64) -> Result<MigrationReport> {
    let mut tx = store.write().await?;
    tx.execute_script(
        "CREATE TABLE IF NOT EXISTS schema_migrations (
             number BIGINT PRIMARY KEY, name TEXT NOT NULL, sha256 BLOB NOT NULL, applied_at_ms BIGINT NOT NULL)",
    )
    .await?;
    let applied: Vec<(i64, Vec<u8>)> =
        tx.query("SELECT number, sha256 FROM schema_migrations ORDER BY number", params![]).await?;
    tx.commit().await?;

    let missing = missing(known, &applied)?;
    let mut report = MigrationReport { applied: Vec::new(), present: applied.len() };
    for migration in missing {
        apply(store.write().await?, migration, now_ms).await?;
        report.applied.push(format!("{:04}_{}", migration.number, migration.name));
    }
    Ok(report)
}

/// How many of `known` the database lacks.
pub async fn outstanding(store: &Store, known: &[Migration]) -> Result<usize> {
    let mut tx = store.read().await?;
    match tx.query("SELECT number, sha256 FROM schema_migrations ORDER BY number", params![]).await {
        Ok(applied) => Ok(missing(known, &applied)?.len()),
        // A database without the table has had none applied.
        Err(StoreError::Engine { .. }) => Ok(known.len()),
        Err(error) => Err(error),
    }
}

/// Those of `known` that are not among the applied ones, which must all be known, unchanged, and older.
fn missing<'a>(known: &'a [Migration], applied: &[(i64, Vec<u8>)]) -> Result<Vec<&'a Migration>> {
    let newest_known = known.last().map_or(0, |migration| migration.number);
    let newest_applied = applied.last().map_or(0, |(number, _)| *number);
    for (number, checksum) in applied {
        let Some(migration) = known.iter().find(|migration| migration.number == *number) else {
            return Err(StoreError::NewerSchema { found: *number, known: newest_known });
        };
        if migration.checksum() != checksum.as_slice() {
            return Err(StoreError::ChangedMigration { number: *number });
        }
    }
    let missing: Vec<&Migration> =
        known.iter().filter(|known| !applied.iter().any(|(number, _)| *number == known.number)).collect();
    match missing.first().filter(|first| first.number < newest_applied) {
        Some(first) => Err(StoreError::MigrationOrder { number: first.number, applied: newest_applied }),
        None => Ok(missing),
    }
}

async fn apply(mut tx: Tx, migration: &Migration, now_ms: i64) -> Result<()> {
    // Two processes may start at once: the write lock decides who applies it, and the other finds it done.
    let noted = tx
        .execute(
            "INSERT INTO schema_migrations (number, name, sha256, applied_at_ms) VALUES ($1, $2, $3, $4)
             ON CONFLICT (number) DO NOTHING",
            params![migration.number, &migration.name, migration.checksum(), now_ms],
        )
        .await?;
    if noted == 1 {
        tx.execute_script(&migration.sql).await?;
    }
    tx.commit().await
}
