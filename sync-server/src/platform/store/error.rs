//! The ways in which a store can fail, each with a sentence that says what to do.
//!
//! Everything below `platform::store` returns [`StoreError`] and nothing else; contexts wrap it in their own errors with
//! `#[from]`. The engine's own error text appears only in the `detail` fields, which are logged and never sent to a client.

use std::path::PathBuf;

/// A failure of the store. `is_transient` tells those after which the same request may succeed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// A row with the same key exists. `constraint` is the engine's name for it, as in `venues.name`.
    #[error("another row already has this value of {constraint}")]
    Unique { constraint: String },
    /// A foreign key, CHECK or NOT NULL constraint refused the row: a fault of the program, not of its user.
    #[error("the database refused a row: {detail}")]
    Constraint { detail: String },
    /// Another process holds the write lock, or the wait for the writer grew too long.
    #[error("the database is busy with other work; try again in a moment")]
    Busy,
    #[error(
        "the disk that holds the database is full: free some space on it. Nothing that was acknowledged is lost, and work \
         goes on by itself once there is room"
    )]
    DiskFull,
    #[error("the database at {path} is damaged ({detail}): stop the server and restore the latest backup to this path")]
    Corrupt { path: PathBuf, detail: String },
    #[error(
        "{path} is not a Turnstone server's database, or its beginning is damaged: choose another --data directory, or restore \
         the latest backup to this path"
    )]
    Foreign { path: PathBuf },
    #[error(
        "the database was last used by a newer version (migration {found}; this version knows up to {known}): install that \
         version again, or restore a backup made before the upgrade"
    )]
    NewerSchema { found: i64, known: i64 },
    #[error(
        "migration {number} was changed after this database had applied it: install the release that this database was \
         made with"
    )]
    ChangedMigration { number: i64 },
    #[error(
        "migration {number} comes before migration {applied}, which this database already has: a migration may only be \
         added at the end"
    )]
    MigrationOrder { number: i64, applied: i64 },
    #[error(
        "cannot open the database at {path} ({detail}): check that the directory exists and that this user may write to it"
    )]
    CannotOpen { path: PathBuf, detail: String },
    #[error("there is no database at {path}: name the server's data directory with --data")]
    Missing { path: PathBuf },
    #[error("{path} exists already, and a backup never overwrites a file: choose another name")]
    BackupExists { path: PathBuf },
    #[error("the database cannot be written ({detail}): check the permissions of its files and directory")]
    ReadOnly { detail: String },
    #[error("reading or writing the database failed ({detail}): check the disk and the system log")]
    Io { detail: String },
    #[error(
        "the database connection did not take the setting {name} (wanted {wanted}, found {found}); refusing to run without it"
    )]
    Setting { name: &'static str, wanted: String, found: String },
    /// A row did not have the expected shape: a fault of the program.
    #[error("a row did not have the expected shape: {detail}")]
    Shape { detail: String },
    /// Anything else the engine said: a fault of the program.
    #[error("the database engine failed: {detail}")]
    Engine { detail: String },
}

impl StoreError {
    /// The same request may well succeed later, without anyone changing it: the fault is not in the request.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Busy | Self::DiskFull | Self::Io { .. } | Self::ReadOnly { .. } | Self::CannotOpen { .. })
    }

    /// Whether a row with the same key exists; `constraint` is part of the engine's name for it, as in `venues.name`.
    #[must_use]
    pub fn is_unique(&self, constraint: &str) -> bool {
        matches!(self, Self::Unique { constraint: found } if found.contains(constraint))
    }
}
