//! Why a command did not do what it was asked, and the exit code that says so.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ticket_signer::Rejection;
use ticket_signer::keyfile::KeyFileError;

#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A thing is not to be believed, or cannot be signed: exit code 1.
    #[error("{message}")]
    Refused { reason: &'static str, message: String },
    /// The command line asks for what cannot be: exit code 2.
    #[error("{0}")]
    Usage(String),
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("{} exists already and is left as it is; choose another name, or move it away first", path.display())]
    Exists { path: PathBuf },
    #[error("{}: {what}", path.display())]
    Content { path: PathBuf, what: String },
    #[error("cannot write the output: {0}")]
    Output(io::Error),
    #[error("the operating system gives no random bytes: {0}")]
    Random(getrandom::Error),
}

pub type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    pub fn refused(reason: &'static str, message: impl Into<String>) -> Self {
        Failure::Refused { reason, message: message.into() }
    }

    pub fn content(path: &Path, what: impl std::fmt::Display) -> Self {
        Failure::Content { path: path.into(), what: what.to_string() }
    }

    /// The same failure, with the line of an input file that led to it.
    pub fn at_line(self, path: &Path, line: usize) -> Self {
        let told = |message: String| format!("{}: line {line}: {message}", path.display());
        match self {
            Failure::Refused { reason, message } => Failure::Refused { reason, message: told(message) },
            Failure::Usage(message) => Failure::content(path, format!("line {line}: {message}")),
            other => other,
        }
    }

    pub fn key_file(path: &Path, error: KeyFileError) -> Self {
        Failure::content(path, error)
    }

    pub fn rejected(rejection: &Rejection) -> Self {
        Failure::refused(rejection.reason(), rejection.to_string())
    }

    /// The stable name that `--json` gives.
    pub fn reason(&self) -> &'static str {
        match self {
            Failure::Refused { reason, .. } => reason,
            Failure::Usage(_) => "usage",
            Failure::Read { .. } => "file_unreadable",
            Failure::Write { .. } => "file_unwritable",
            Failure::Exists { .. } => "file_exists",
            Failure::Content { .. } => "file_content",
            Failure::Output(_) => "output",
            Failure::Random(_) => "no_randomness",
        }
    }

    pub fn exit_code(&self) -> ExitCode {
        match self {
            Failure::Refused { .. } => ExitCode::from(1),
            Failure::Usage(_) => ExitCode::from(2),
            _ => ExitCode::from(3),
        }
    }
}
