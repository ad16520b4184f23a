//! The recordings on the disk: a ring of frame files, bounded by their number, their bytes and their age.
//!
//! Invariants: the bounds hold before and after every write, the frame being written counted in; the oldest frame goes
//! first, by the frames' own times; a frame past its retention is not written and does not stay; only this user may read
//! a frame; the journal's disk comes first, so nothing is written to one that is nearly full.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use crate::shell::camera::RawFrame;
use crate::shell::camera::frames::{self, FrameFileError, SUFFIX};

/// The folder's name in the data folder.
pub const FOLDER: &str = "recordings";
/// The bytes that all recordings may take: some hundred frames of 640x480.
pub const BYTES_MAX: u64 = 128 << 20;
/// What is left free on the disk, in bytes: the journal must always be able to grow.
const DISK_FREE_MIN: u64 = 256 << 20;
/// The latest time that a name can carry, in unix milliseconds; later ones only sort badly.
const NAMED_MS_MAX: i64 = 999_999_999_999_999;

/// What may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub frames_max: u32,
    pub bytes_max: u64,
    /// How long a frame is kept after it was taken, in milliseconds.
    pub kept_ms: i64,
}

/// Why a frame was not kept. Each message is for staff.
#[derive(Debug, thiserror::Error)]
pub enum RingError {
    #[error("Pictures are not recorded: less than {} MiB are free, which the journal needs. Free some space", DISK_FREE_MIN >> 20)]
    DiskNearlyFull,
    #[error("Pictures are not recorded: the folder {folder} cannot be used ({error})")]
    Folder { folder: String, error: io::Error },
    #[error("A picture was not recorded: {0}")]
    Frame(#[from] FrameFileError),
}

/// What is kept now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    pub frames: usize,
    pub bytes: u64,
    /// When the oldest and the newest were taken, in unix milliseconds.
    pub oldest_ms: Option<i64>,
    pub newest_ms: Option<i64>,
}

/// The frames of one folder, oldest first.
pub struct Ring {
    folder: PathBuf,
    kept: Vec<Entry>,
    /// Tells frames of one millisecond apart.
    next: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    taken_ms: i64,
    name: String,
    bytes: u64,
}

impl Ring {
    /// The recordings of a data folder. Nothing is looked at yet.
    pub fn new(data: &Path) -> Ring {
        Ring { folder: data.join(FOLDER), kept: Vec::new(), next: 0 }
    }

    /// Looks through the folder, which somebody else may have cleared. Files whose time cannot be read are removed: nobody
    /// could say when they are to go.
    pub fn look(&mut self) -> Result<(), RingError> {
        self.kept = list(&self.folder).map_err(|error| self.trouble(error))?;
        Ok(())
    }

    /// Removes halves of frames that a killed process has left. One that is being written now goes as well.
    pub fn remove_halves(&self) -> Result<(), RingError> {
        halves(&self.folder).map_err(|error| self.trouble(error))
    }

    /// Keeps a frame, and lets go what it has no room beside. A frame that is past its retention already, or larger than
    /// all the room there is, is not kept.
    pub fn put(&mut self, frame: &RawFrame, bounds: &Bounds, now_ms: i64) -> Result<(), RingError> {
        let bytes = (frames::HEADER_BYTES + frame.data.len()) as u64;
        if bounds.frames_max == 0 || bytes > bounds.bytes_max || is_past(frame.taken_ms, now_ms, bounds.kept_ms) {
            return Ok(());
        }
        let room = Bounds { frames_max: bounds.frames_max - 1, bytes_max: bounds.bytes_max - bytes, ..*bounds };
        self.sweep(&room, now_ms)?;
        self.make_folder()?;
        if disk_free(&self.folder).is_some_and(|free| free < DISK_FREE_MIN) {
            return Err(RingError::DiskNearlyFull);
        }
        let name = format!("{:015}-{:04}", frame.taken_ms.clamp(0, NAMED_MS_MAX), self.next % 10_000);
        self.next = self.next.wrapping_add(1);
        let path = frames::write(&self.folder, &name, frame)?;
        let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let entry = Entry { taken_ms: frame.taken_ms, name, bytes };
        let at = self.kept.partition_point(|kept| *kept < entry);
        self.kept.insert(at, entry);
        Ok(())
    }

    /// Lets go what is past its retention, then the oldest until the rest is within the bounds.
    pub fn sweep(&mut self, bounds: &Bounds, now_ms: i64) -> Result<(), RingError> {
        let going = going(&self.kept, bounds, now_ms);
        for (at, gone) in going.iter().enumerate().rev() {
            if *gone {
                let path = self.folder.join(&self.kept[at].name);
                remove(&path).map_err(|error| self.trouble(error))?;
                self.kept.remove(at);
            }
        }
        Ok(())
    }

    /// Lets go of everything.
    pub fn clear(&mut self) -> Result<(), RingError> {
        self.sweep(&Bounds { frames_max: 0, bytes_max: 0, kept_ms: 0 }, 0)
    }

    pub fn kept(&self) -> Kept {
        Kept {
            frames: self.kept.len(),
            bytes: self.kept.iter().map(|entry| entry.bytes).sum(),
            oldest_ms: self.kept.first().map(|entry| entry.taken_ms),
            newest_ms: self.kept.last().map(|entry| entry.taken_ms),
        }
    }

    fn make_folder(&self) -> Result<(), RingError> {
        make_folder(&self.folder).map_err(|error| self.trouble(error))
    }

    fn trouble(&self, error: io::Error) -> RingError {
        RingError::Folder { folder: self.folder.display().to_string(), error }
    }
}

/// Makes the folder, for this user alone.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Which entries go, oldest first in, in the same order out.
fn going(kept: &[Entry], bounds: &Bounds, now_ms: i64) -> Vec<bool> {
    let mut going: Vec<bool> = kept.iter().map(|entry| is_past(entry.taken_ms, now_ms, bounds.kept_ms)).collect();
    let (mut frames, mut bytes) = (0u32, 0u64);
    for (entry, gone) in kept.iter().zip(&mut going).rev() {
        if !*gone {
            frames += 1;
            bytes = bytes.saturating_add(entry.bytes);
            *gone = frames > bounds.frames_max || bytes > bounds.bytes_max;
        }
    }
    going
}

/// Whether a frame's time is over. A frame from far ahead was taken under a wrong clock, by which it would stay for years.
fn is_past(taken_ms: i64, now_ms: i64, kept_ms: i64) -> bool {
    now_ms.saturating_sub(taken_ms).saturating_abs() > kept_ms
}

fn list(folder: &Path) -> io::Result<Vec<Entry>> {
    let mut kept = Vec::new();
    for name in names(folder, SUFFIX)? {
        let path = folder.join(&name);
        match dated(&path)? {
            Dated::At { taken_ms, bytes } => kept.push(Entry { taken_ms, name, bytes }),
            Dated::Undated => remove(&path)?,
            Dated::Gone => {}
        }
    }
    kept.sort_unstable();
    Ok(kept)
}

fn halves(folder: &Path) -> io::Result<()> {
    names(folder, ".part")?.iter().try_for_each(|name| remove(&folder.join(name)))
}

/// The names of a folder's files that end so; none where there is no folder.
fn names(folder: &Path, ending: &str) -> io::Result<Vec<String>> {
    let listed = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed?,
    };
    let mut names = Vec::new();
    for entry in listed {
        let entry = entry?;
        // What is no file was put there by nobody of ours.
        if entry.file_type()?.is_file() {
            names.extend(entry.file_name().into_string().ok().filter(|name| name.ends_with(ending)));
        }
    }
    Ok(names)
}

/// What a frame file says of itself.
enum Dated {
    /// When its frame was taken, and how long the file is.
    At { taken_ms: i64, bytes: u64 },
    /// It is no frame file.
    Undated,
    /// Somebody has taken it away.
    Gone,
}

fn dated(path: &Path) -> io::Result<Dated> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Dated::Gone),
        opened => opened?,
    };
    let bytes = file.metadata()?.len();
    let mut header = Vec::with_capacity(frames::HEADER_BYTES);
    file.take(frames::HEADER_BYTES as u64).read_to_end(&mut header)?;
    Ok(frames::parse(header).map_or(Dated::Undated, |frame| Dated::At { taken_ms: frame.taken_ms, bytes }))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Bytes free for this user; `None` where the file system does not say.
fn disk_free(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(test)]
#[path = "ring_tests.rs"]
mod tests;
