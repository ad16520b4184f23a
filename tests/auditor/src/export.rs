//! The export that an audit reads: JSON Lines, one object a line, bytes as base64url without padding.
//!
//! | `kind` | fields | where it comes from |
//! |---|---|---|
//! | `root` | `organiser`, `key` (32 bytes) | the root's public key and the organiser's name that gates pin |
//! | `certificate` | `bytes` | a root-signed certificate; all of them, of every role |
//! | `key_revocation` | `bytes` | a root-signed key revocation |
//! | `device_certificate` | `bytes` | every certificate that a device ever had, renewals of its lease too |
//! | `class` | `event`, `class`, `name`, `valid_from_s`, `valid_until_s`, `admissions`, `flags` | the event's table of classes |
//! | `policy` | `bytes` | the signed envelope of each policy version that a gate may have used |
//! | `row` | `bytes`, `signature` (64 bytes), `source` | a journal row; `source` is `cloud`, `edge` or `device` |
//! | `receipt` | `bytes` | a receipt's signed envelope |
//! | `listed` | `event`, `ticket` (16 hex digits), `serial`, `class`, `algorithm`, `holder` | optional: one issue of a ticket as lists had it |
//!
//! `algorithm` is `none`, `ed25519` or `p256`; `holder` is the phone's public key (32 or 33 bytes), left out or null for
//! `none`. Times are unix seconds. All fields but `holder` must be there, and no others.
//!
//! ```json
//! {"kind":"root","organiser":"Hall","key":"JVmRY4wcAuzNA6Ckw6rU4obvE4Av_f8gC4pDDf80tec"}
//! {"kind":"class","event":7,"class":3,"name":"Standing","valid_from_s":1789900000,"valid_until_s":1790100000,"admissions":1,"flags":0}
//! {"kind":"row","source":"cloud","bytes":"mBw...","signature":"kZ0..."}
//! ```
//!
//! Lines may stand in any order, and in several files: the cloud's and each device's. The same thing twice is one thing. A
//! class that changed has a line for each state that it had, and a ticket that was issued again a `listed` line for each
//! serial. Rows that a server keeps apart because their device was revoked are left out: nothing in an export says when a
//! device was revoked. Nobody signs for `class` and `listed` lines: for these an audit takes the exporter's word, and says so.
//!
//! Reading is bounded by the limits below. What cannot be read is an error with file and line; what can be read and is not
//! to be believed is a finding.

mod fields;

use std::io::{BufRead, Read as _};

use crate::code::Listed;
use crate::ids::{ClassId, EventId, Serial, TicketId};
use crate::keys::{Algorithm, HolderKey, PublicKey, SIGNATURE};
use fields::Fields;

/// The most bytes of a line: the largest policy has less.
pub const MAX_LINE: u64 = 4 * 1024 * 1024;
/// The most lines of all files together.
pub const MAX_LINES: u64 = 20_000_000;

/// Why an export cannot be read, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error("{file} cannot be read: {error}. Check the path and your rights to it.")]
    File { file: String, error: std::io::Error },
    #[error("{file}, line {line}: {problem}")]
    Line { file: String, line: u64, problem: LineProblem },
    #[error(
        "no file has a line of kind `root`, so there is nobody to believe. Add the root's public key and the organiser."
    )]
    NoRoot,
    #[error(
        "the root that the export names has the fingerprint {found}, and you asked for {wanted}. Do not believe this \
         export before you know why."
    )]
    OtherRoot { found: String, wanted: String },
}

/// What is wrong with a line, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineProblem {
    #[error("this is not one JSON object ({0}). If it is the last line, the file was cut off: export it again.")]
    NotJson(String),
    #[error("the line is not text in UTF-8. Export the file again, and copy it as it is.")]
    NotText,
    #[error("the line is longer than 4 MiB, which nothing in an export is. Export the file again.")]
    TooLong,
    #[error("these are more than 20,000,000 lines. Audit fewer events or devices at a time.")]
    TooMany,
    #[error("the kind `{0}` is not known to this version. Update the auditor, or correct the line.")]
    UnknownKind(String),
    #[error("the field `{0}` is missing. Export the file again with a version that writes it.")]
    Missing(&'static str),
    #[error("the field `{0}` does not belong in a line of this kind. Correct the line, or update the auditor.")]
    Unexpected(String),
    #[error("the field `{field}` must be {expected}. Correct the line, or export the file again.")]
    Wrong { field: &'static str, expected: &'static str },
    #[error("it names another root or organiser than an earlier line. Audit the exports of one organiser at a time.")]
    SecondRoot,
}

/// Where something stands: the file, as an index of [`Export::files`], and the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    pub file: usize,
    pub line: u64,
}

/// Something signed, not looked at yet.
#[derive(Debug, Clone)]
pub struct Piece {
    pub bytes: Vec<u8>,
    pub origin: Origin,
}

/// Whose copy of a row it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    Cloud,
    Edge,
    Device,
}

impl Source {
    pub fn name(self) -> &'static str {
        match self {
            Source::Cloud => "cloud",
            Source::Edge => "edge",
            Source::Device => "device",
        }
    }
}

/// A row as it was exported.
#[derive(Debug, Clone)]
pub struct RowLine {
    pub bytes: Vec<u8>,
    pub signature: [u8; SIGNATURE],
    pub source: Source,
    pub origin: Origin,
}

/// One state of a class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    pub event: EventId,
    pub class: ClassId,
    pub name: String,
    /// Unix seconds, inclusive.
    pub valid_from_s: u32,
    /// Unix seconds, exclusive.
    pub valid_until_s: u32,
    /// How many guests a ticket lets in.
    pub admissions: u8,
    pub flags: u8,
}

/// One issue of a ticket as lists had it.
#[derive(Debug, Clone)]
pub struct ListedLine {
    pub event: EventId,
    pub listed: Listed,
    pub origin: Origin,
}

/// Everything that was exported.
#[derive(Debug, Default)]
pub struct Export {
    pub files: Vec<String>,
    pub root: Option<(String, PublicKey)>,
    pub certificates: Vec<Piece>,
    pub revocations: Vec<Piece>,
    pub device_certificates: Vec<Piece>,
    pub policies: Vec<Piece>,
    pub receipts: Vec<Piece>,
    pub classes: Vec<Class>,
    pub listed: Vec<ListedLine>,
    pub rows: Vec<RowLine>,
    lines: u64,
}

impl Export {
    /// Takes one file in. `name` is what people call it.
    pub fn read(&mut self, name: &str, mut reader: impl BufRead) -> Result<(), ExportError> {
        let file = self.files.len();
        self.files.push(name.to_owned());
        let mut buffer = Vec::new();
        for line in 1.. {
            buffer.clear();
            let failed = |error| ExportError::File { file: name.to_owned(), error };
            let read = reader.by_ref().take(MAX_LINE + 1).read_until(b'\n', &mut buffer).map_err(failed)?;
            if read == 0 {
                break;
            }
            let taken = self.line(&buffer, Origin { file, line });
            taken.map_err(|problem| ExportError::Line { file: name.to_owned(), line, problem })?;
        }
        Ok(())
    }

    /// The root to believe. `wanted` is a fingerprint that the caller knows from elsewhere, as people compare it or in hex.
    pub fn root(&self, wanted: Option<&str>) -> Result<&(String, PublicKey), ExportError> {
        let root = self.root.as_ref().ok_or(ExportError::NoRoot)?;
        let spoken = root.1.spoken_fingerprint();
        let plain = |text: &str| text.replace(['-', ' '], "").to_uppercase();
        let known = [plain(&spoken), plain(&crate::bytes::hex(&root.1.fingerprint()))];
        match wanted {
            Some(wanted) if !known.contains(&plain(wanted)) => {
                Err(ExportError::OtherRoot { found: spoken, wanted: wanted.to_owned() })
            }
            _ => Ok(root),
        }
    }

    fn line(&mut self, bytes: &[u8], origin: Origin) -> Result<(), LineProblem> {
        self.lines += 1;
        if self.lines > MAX_LINES {
            return Err(LineProblem::TooMany);
        }
        if bytes.len() as u64 > MAX_LINE {
            return Err(LineProblem::TooLong);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| LineProblem::NotText)?.trim();
        if text.is_empty() {
            return Ok(());
        }
        let mut fields = Fields::read(text)?;
        let kind = fields.text("kind")?;
        match kind.as_str() {
            "root" => self.take_root(&mut fields)?,
            "certificate" => self.certificates.push(piece(&mut fields, origin)?),
            "key_revocation" => self.revocations.push(piece(&mut fields, origin)?),
            "device_certificate" => self.device_certificates.push(piece(&mut fields, origin)?),
            "policy" => self.policies.push(piece(&mut fields, origin)?),
            "receipt" => self.receipts.push(piece(&mut fields, origin)?),
            "class" => self.classes.push(class(&mut fields)?),
            "row" => self.rows.push(row(&mut fields, origin)?),
            "listed" => self.listed.push(listed(&mut fields, origin)?),
            _ => return Err(LineProblem::UnknownKind(kind.chars().take(40).collect())),
        }
        fields.end()
    }

    fn take_root(&mut self, fields: &mut Fields) -> Result<(), LineProblem> {
        let (organiser, key) =
            (fields.text("organiser")?, fields.array::<32>("key", "a key of 32 bytes in base64url")?);
        let expected = "an Ed25519 public key in its one form";
        let key = PublicKey::from_bytes(&key).map_err(|_| LineProblem::Wrong { field: "key", expected })?;
        let root = (organiser, key);
        if self.root.as_ref().is_some_and(|known| *known != root) {
            return Err(LineProblem::SecondRoot);
        }
        self.root = Some(root);
        Ok(())
    }
}

fn piece(fields: &mut Fields, origin: Origin) -> Result<Piece, LineProblem> {
    Ok(Piece { bytes: fields.bytes("bytes")?, origin })
}

fn class(fields: &mut Fields) -> Result<Class, LineProblem> {
    Ok(Class {
        event: fields.int("event", "a number from 0 to 4294967295")?,
        class: fields.int("class", "a number from 0 to 65535")?,
        name: fields.text("name")?,
        valid_from_s: fields.int("valid_from_s", "a unix second")?,
        valid_until_s: fields.int("valid_until_s", "a unix second")?,
        admissions: fields.int("admissions", "a number from 0 to 255")?,
        flags: fields.int("flags", "a number from 0 to 255")?,
    })
}

fn row(fields: &mut Fields, origin: Origin) -> Result<RowLine, LineProblem> {
    let source = fields.text("source")?;
    let known = [Source::Cloud, Source::Edge, Source::Device].into_iter().find(|known| known.name() == source);
    let expected = "`cloud`, `edge` or `device`";
    Ok(RowLine {
        source: known.ok_or(LineProblem::Wrong { field: "source", expected })?,
        bytes: fields.bytes("bytes")?,
        signature: fields.array("signature", "a signature of 64 bytes in base64url")?,
        origin,
    })
}

fn listed(fields: &mut Fields, origin: Origin) -> Result<ListedLine, LineProblem> {
    let event = fields.int("event", "a number from 0 to 4294967295")?;
    let expected = "16 lower-case hex digits";
    let ticket = crate::ids::id_from_text(&fields.text("ticket")?)
        .map(TicketId)
        .map_err(|_| LineProblem::Wrong { field: "ticket", expected })?;
    let expected = "a number from 1 to 254";
    let serial: Serial = fields.int("serial", expected)?;
    if !(1..=254).contains(&serial) {
        return Err(LineProblem::Wrong { field: "serial", expected });
    }
    let class = fields.int("class", "a number from 0 to 65535")?;
    let expected = "`none`, `ed25519` or `p256`";
    let algorithm =
        Algorithm::from_name(&fields.text("algorithm")?).ok_or(LineProblem::Wrong { field: "algorithm", expected })?;
    let expected = "the public key of the stated algorithm in base64url, and left out for `none`";
    let wrong = LineProblem::Wrong { field: "holder", expected };
    let holder = match (algorithm, fields.bytes_or_none("holder")?) {
        (Algorithm::None, None) => None,
        (Algorithm::None, Some(_)) | (_, None) => return Err(wrong),
        (algorithm, Some(bytes)) => Some(HolderKey::from_public(algorithm, &bytes).map_err(|_| wrong)?),
    };
    Ok(ListedLine { event, listed: Listed { ticket, serial, class, holder }, origin })
}
