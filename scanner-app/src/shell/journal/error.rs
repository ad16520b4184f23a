//! Why the database did not do what was asked, in words that say what to do.

use rusqlite::ErrorCode;

/// A failure of the handheld's database. Nobody is admitted on one.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("The handheld's storage is full. Free some space on it (old logs, pictures), then tap Try again")]
    Full,
    #[error(
        "The handheld's storage is read-only, so nothing can be recorded. Restart the handheld; if that is no help, use \
         another one and keep this one for its records"
    )]
    ReadOnly,
    #[error(
        "The handheld's database is damaged ({0}). Use another handheld, and keep this one: its scans may be saved from \
         the folder given by --data"
    )]
    Corrupt(String),
    #[error(
        "The handheld's database was written by a newer version (schema {found}; this one knows {known}). Install that \
         version again, or start with another folder after --data"
    )]
    Newer { found: u32, known: u32 },
    #[error("The file gate.db in the folder given by --data is not a handheld's database. Choose another folder")]
    Foreign,
    #[error("The handheld's storage reports a fault ({0}). Use another handheld and keep this one for its records")]
    Io(String),
    #[error("The handheld's database is held by another program. Close the other scanner-app, then tap Try again")]
    Busy,
    #[error("The folder {folder} cannot be used for data ({error}). Create it, or choose another one with --data")]
    Folder { folder: String, error: String },
    #[error(
        "The database does not keep `{pragma}` at `{wanted}` (it says `{found}`), so nothing would be safe from a power \
         cut. Put the data folder on a local disk"
    )]
    Pragma { pragma: &'static str, wanted: &'static str, found: String },
    #[error(
        "This folder plays another handheld's recordings and never talks with a server. Start the handheld with another \
         folder after --data"
    )]
    Replay,
    #[error(
        "This folder is a handheld's own, and recordings are played into a folder of their own only. Name a new folder after \
         --data; scanner-app replay makes it"
    )]
    Live,
    #[error(
        "The handheld that recorded has no confirmed place, so there is nothing to judge its codes by. Enrol it first"
    )]
    NoPlace,
    #[error("The handheld's database holds something that this version does not understand ({0}). Keep the handheld")]
    Content(&'static str),
    #[error("The list in the database changed meanwhile: {0}")]
    List(&'static str),
    #[error("The handheld's database refused a statement ({0}). Restart the handheld; keep it if this happens again")]
    Sql(String),
}

impl From<rusqlite::Error> for JournalError {
    fn from(error: rusqlite::Error) -> Self {
        let text = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => JournalError::Full,
            Some(ErrorCode::ReadOnly) => JournalError::ReadOnly,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => JournalError::Corrupt(text),
            Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) => JournalError::Io(text),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => JournalError::Busy,
            _ => JournalError::Sql(text),
        }
    }
}
