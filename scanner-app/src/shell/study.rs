//! `scanner-app decode`: what the decoder reads in picture files, one JSON line a file, for whoever studies it.
//!
//! Files are studied at leisure: there is no deadline unless one is asked for, while the decoder's own budget of work
//! stays, so that what is read here is what a fast enough handheld reads. Every file is a frame of its own: nothing is
//! carried over from the one before.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::picture::{self, PictureError};
use crate::core::decode::{self, Decoded};

/// One file's line. Part of the public interface: keys are added, never renamed.
#[derive(Debug, Serialize)]
struct Line {
    file: String,
    /// In the order found: UTF-8 where they are, else each byte as the character of that number (Latin-1).
    codes: Vec<String>,
    /// Microseconds that decoding took, without reading the file.
    us: u64,
    /// The pass that read them.
    pass: Option<&'static str>,
    /// Why the file could not be looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Decodes each file and writes its line at once. False if some file could not be looked at; the others are all the same.
///
/// Errors: the lines cannot be written.
pub fn decode(files: &[PathBuf], deadline: Option<Duration>, out: &mut dyn Write) -> std::io::Result<bool> {
    let mut sound = true;
    for file in files {
        let line = line(file, deadline);
        sound &= line.error.is_none();
        serde_json::to_writer(&mut *out, &line)?;
        writeln!(out)?;
        out.flush()?;
    }
    Ok(sound)
}

fn line(file: &Path, deadline: Option<Duration>) -> Line {
    let name = file.to_string_lossy().into_owned();
    match look(file, deadline) {
        Ok((Decoded { codes, pass, .. }, us)) => Line {
            file: name,
            codes: codes.into_iter().map(|code| text(code.text)).collect(),
            us,
            pass: pass.map(|pass| pass.name()),
            error: None,
        },
        Err(error) => Line { file: name, codes: Vec::new(), us: 0, pass: None, error: Some(error.to_string()) },
    }
}

fn look(file: &Path, deadline: Option<Duration>) -> Result<(Decoded, u64), PictureError> {
    let picture = picture::read(file)?;
    let view = picture.view()?;
    let begun = Instant::now();
    let decoded = decode::decode(&view, &mut || deadline.is_some_and(|deadline| begun.elapsed() >= deadline));
    Ok((decoded, u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX)))
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| error.into_bytes().into_iter().map(char::from).collect())
}
