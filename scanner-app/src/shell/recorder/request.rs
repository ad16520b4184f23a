//! What a supervisor has asked of the recorder: a small file in the data folder, which the running handheld notices.
//!
//! A file and no row of the database, so that asking never makes a scan wait for the journal.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::FRAMES_MAX;
use super::ring::{FOLDER, make_folder};

/// The file's name in the folder of recordings.
const FILE: &str = "request.json";
/// The longest that it is read.
const BYTES_MAX: u64 = 1_024;

/// What was asked for last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// How many frames to keep; 0 for none.
    pub frames: u32,
    /// When it was asked, by the asker's clock: asking the same again is another request.
    pub asked_at_ms: i64,
}

impl Request {
    /// As it can be done: the file is anybody's who may write into the folder.
    pub(super) fn bounded(self) -> Request {
        Request { frames: self.frames.min(FRAMES_MAX), ..self }
    }
}

/// Reads the request; `None` where nobody has asked. What cannot be read counts as not asked.
pub fn read(data: &Path) -> io::Result<Option<Request>> {
    let mut text = Vec::new();
    match fs::File::open(data.join(FOLDER).join(FILE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?.take(BYTES_MAX).read_to_end(&mut text)?,
    };
    Ok(serde_json::from_slice(&text).ok())
}

/// Leaves a request, in place of the one before.
pub fn leave(data: &Path, request: &Request) -> io::Result<()> {
    let folder = data.join(FOLDER);
    make_folder(&folder)?;
    let part = folder.join(format!(".{FILE}.new"));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
    file.write_all(&serde_json::to_vec(request)?)?;
    drop(file);
    fs::rename(&part, folder.join(FILE))
}
