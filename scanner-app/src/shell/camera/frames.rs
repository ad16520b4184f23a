//! Recorded frames: the file format, its writer, and the source that plays a folder of them.
//!
//! A frame file is a header of 32 bytes and the frame's bytes as the camera gave them:
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | `TSFRAME1` |
//! | 8 | 4 | format: `YUYV`, `NV12`, `GREY` or `MJPG` |
//! | 12 | 4 | width in pixels |
//! | 16 | 4 | height in pixels |
//! | 20 | 4 | stride in bytes (0 for MJPG) |
//! | 24 | 8 | when it was taken, unix milliseconds, signed |
//! | 32 | rest | the frame |
//!
//! Numbers are big-endian. A file is named `NAME.tsf` and appears by a rename, so that nobody ever reads half of one.
//!
//! The player takes files in the order of their names, each once, and waits for later ones; a file that replaces the
//! one played last is played again. A file named `END` ends the source once all are played. Unlike a camera's, no
//! recorded frame is skipped: the next is put when the one before was taken.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::mailbox::Mailbox;
use super::{PixelFormat, RawFrame, SourceEvent};

/// How a frame file begins.
pub const MAGIC: &[u8; 8] = b"TSFRAME1";
/// How long the header is.
pub const HEADER_BYTES: usize = 32;
/// How a frame file's name ends.
pub const SUFFIX: &str = ".tsf";
/// The name of the file that ends the source.
pub const END: &str = "END";

/// The largest frame that is read: 4096 x 4096 in two bytes a pixel, with room for padding.
const FRAME_BYTES_MAX: u64 = 40 << 20;
/// How often a folder is looked at while nothing new is in it.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Why a frame file cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum FrameFileError {
    #[error(
        "\"{0}\" cannot name a frame file: use letters, digits, '-', '_' and '.', and begin with a letter or digit"
    )]
    Name(String),
    #[error("it does not begin with TSFRAME1 and a full header: record it again")]
    Header,
    #[error("its format \"{0}\" is not one of YUYV, NV12, GREY, MJPG: record it again")]
    Format(String),
    #[error("it is larger than {FRAME_BYTES_MAX} bytes: record it in a smaller camera mode")]
    TooLarge,
    #[error("it cannot be read or written: {0}")]
    Io(#[from] io::Error),
}

/// Writes a frame into `folder` as `NAME.tsf`, in place of one of that name. It appears whole or not at all, and only this
/// user may read it: a frame may show a ticket.
pub fn write(folder: &Path, name: &str, frame: &RawFrame) -> Result<PathBuf, FrameFileError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || !name.chars().all(allowed) {
        return Err(FrameFileError::Name(name.to_owned()));
    }
    let path = folder.join(format!("{name}{SUFFIX}"));
    let part = folder.join(format!(".{name}{SUFFIX}.part"));
    let written = write_whole(&part, frame).and_then(|()| fs::rename(&part, &path));
    if let Err(error) = written {
        // Half a frame on a full disk would take room from whoever needs it more.
        let _ = fs::remove_file(&part);
        return Err(error.into());
    }
    Ok(path)
}

fn write_whole(part: &Path, frame: &RawFrame) -> io::Result<()> {
    // One left behind may have other rights, which opening it would keep.
    let _ = fs::remove_file(part);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(part)?;
    file.write_all(&header(frame))?;
    file.write_all(&frame.data)
}

/// Marks the end of a folder's frames.
pub fn end(folder: &Path) -> Result<(), FrameFileError> {
    File::create(folder.join(END))?;
    Ok(())
}

/// Reads one frame file. What its numbers say about its bytes is judged later, where frames are converted.
pub fn read(path: &Path) -> Result<RawFrame, FrameFileError> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FRAME_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FRAME_BYTES_MAX {
        return Err(FrameFileError::TooLarge);
    }
    parse(bytes)
}

/// Parses the bytes of a frame file.
pub fn parse(mut bytes: Vec<u8>) -> Result<RawFrame, FrameFileError> {
    let Some(header) = bytes.first_chunk::<HEADER_BYTES>().copied() else {
        return Err(FrameFileError::Header);
    };
    let (magic, rest) = header.split_at(MAGIC.len());
    if magic != MAGIC {
        return Err(FrameFileError::Header);
    }
    let word = |at: usize| [rest[at], rest[at + 1], rest[at + 2], rest[at + 3]];
    let format =
        PixelFormat::from_fourcc(word(0)).ok_or_else(|| FrameFileError::Format(word(0).escape_ascii().to_string()))?;
    let taken = (u64::from(u32::from_be_bytes(word(16))) << 32) | u64::from(u32::from_be_bytes(word(20)));
    let (width, height, stride) =
        (u32::from_be_bytes(word(4)), u32::from_be_bytes(word(8)), u32::from_be_bytes(word(12)));
    bytes.drain(..HEADER_BYTES);
    Ok(RawFrame { format, width, height, stride, taken_ms: taken as i64, data: bytes })
}

fn header(frame: &RawFrame) -> Vec<u8> {
    let mut header = Vec::with_capacity(HEADER_BYTES);
    header.extend_from_slice(MAGIC);
    header.extend_from_slice(&frame.format.fourcc());
    for number in [frame.width, frame.height, frame.stride] {
        header.extend_from_slice(&number.to_be_bytes());
    }
    header.extend_from_slice(&frame.taken_ms.to_be_bytes());
    header
}

/// Tells one file from another that has taken its name.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Played {
    name: String,
    inode: u64,
    written_ns: (i64, i64),
}

/// What a look into the folder found.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Frame(Played),
    NothingYet,
    End,
}

/// What a player does when it has played every file there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AtEnd {
    /// It waits for later ones, until there is a file named `END`.
    Wait,
    Stop,
}

/// When the first frame that will be played was taken, unix milliseconds; `None` if there is none that can be read.
pub fn first_taken_ms(folder: &Path) -> Option<i64> {
    let mut last = None;
    while let Ok(Found::Frame(next)) = look(folder, last.as_ref()) {
        if let Ok(frame) = read(&folder.join(&next.name)) {
            return Some(frame.taken_ms);
        }
        last = Some(next);
    }
    None
}

/// Plays a folder until its end or until the mailbox is closed.
pub(super) fn play(folder: &Path, at_end: AtEnd, mailbox: &Mailbox) {
    let mut last = None;
    let mut troubled = false;
    loop {
        match look(folder, last.as_ref()) {
            Ok(Found::Frame(next)) => {
                let frame = read(&folder.join(&next.name));
                last = Some(next);
                match frame {
                    Ok(frame) => {
                        if std::mem::take(&mut troubled) {
                            mailbox.tell(SourceEvent::Recovered);
                        }
                        if !mailbox.put_in_turn(frame) {
                            return;
                        }
                    }
                    Err(error) => {
                        let name = last.as_ref().map_or("", |played| played.name.as_str());
                        tracing::warn!(file = name, %error, "frame file skipped");
                        mailbox.tell(SourceEvent::Stalled(format!("The frame file {name} was skipped: {error}.")));
                        troubled = true;
                    }
                }
                continue;
            }
            Ok(Found::End) => return mailbox.end(),
            Ok(Found::NothingYet) if at_end == AtEnd::Stop => return mailbox.end(),
            Ok(Found::NothingYet) => {}
            Err(error) if !troubled => {
                tracing::warn!(folder = %folder.display(), %error, "frames folder cannot be read");
                let advice = "Create it, or start with another folder after frames:";
                mailbox.tell(SourceEvent::Missing(format!(
                    "The frames folder {} cannot be read ({error}). {advice}.",
                    folder.display()
                )));
                troubled = true;
            }
            Err(_) => {}
        }
        if mailbox.closed_within(LOOK_EVERY) {
            return;
        }
    }
}

/// Finds the file to play after `last`.
fn look(folder: &Path, last: Option<&Played>) -> io::Result<Found> {
    let mut first: Option<Played> = None;
    let mut end = false;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        end |= name == END;
        let candidate = name.ends_with(SUFFIX)
            && !name.starts_with('.')
            && last.is_none_or(|last| name >= last.name)
            && first.as_ref().is_none_or(|first| name < first.name);
        if !candidate {
            continue;
        }
        // A file that is taken away between the listing and this look is as good as never there.
        let Ok(meta) = entry.metadata() else { continue };
        let found = Played { name, inode: meta.ino(), written_ns: (meta.mtime(), meta.mtime_nsec()) };
        if last != Some(&found) {
            first = Some(found);
        }
    }
    Ok(match first {
        Some(found) => Found::Frame(found),
        None if end => Found::End,
        None => Found::NothingYet,
    })
}

#[cfg(test)]
#[path = "frames_tests.rs"]
mod tests;
