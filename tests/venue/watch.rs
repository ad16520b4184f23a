//! What is measured while all is connected: how soon other lanes have an admission, and how soon the cloud's page shows it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use rusqlite::{Connection, OpenFlags};
use turnstone_tests::office::Office;

/// An admission is given up after this long: it was made while something was cut off after all.
const GIVEN_UP: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// An admission whose way is followed.
pub struct Sample {
    pub lane: usize,
    pub seq: u64,
    pub at: Instant,
    /// The epoch of disturbances in which it was made; a later one makes the sample worthless.
    pub calm: u64,
}

/// Counts disturbances: while the number is odd, something is cut off or restarting.
#[derive(Default)]
pub struct Calm(AtomicU64);

impl Calm {
    pub fn disturb(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    pub fn now(&self) -> Option<u64> {
        Some(self.0.load(Ordering::SeqCst)).filter(|count| count % 2 == 0)
    }

    fn is(&self, calm: u64) -> bool {
        self.0.load(Ordering::SeqCst) == calm
    }
}

fn device_and_epoch(journal: &Connection) -> rusqlite::Result<(i64, i64)> {
    journal.query_row("SELECT device, epoch FROM chain JOIN station", [], |row| Ok((row.get(0)?, row.get(1)?)))
}

fn open(folder: &Path) -> rusqlite::Result<Connection> {
    Connection::open_with_flags(folder.join("gate.db"), OpenFlags::SQLITE_OPEN_READ_ONLY)
}

/// Follows samples through the lanes' own databases, until the samples end.
pub fn lanes(samples: Receiver<Sample>, folders: Vec<PathBuf>, calm: Arc<Calm>) -> Result<Vec<u128>> {
    let journals = folders.iter().map(|folder| open(folder)).collect::<Result<Vec<_>, _>>()?;
    let names = journals.iter().map(device_and_epoch).collect::<Result<Vec<_>, _>>()?;
    let mut taken = Vec::new();
    let (_never, pause) = channel::<()>();
    for sample in samples {
        let (device, epoch) = names[sample.lane];
        for (_, journal) in journals.iter().enumerate().filter(|(at, _)| *at != sample.lane) {
            let mut known =
                journal.prepare_cached("SELECT 1 FROM received WHERE device = ?1 AND epoch = ?2 AND seq = ?3")?;
            while calm.is(sample.calm) && sample.at.elapsed() < GIVEN_UP {
                if known.exists((device, epoch, sample.seq as i64)).unwrap_or(false) {
                    taken.push(sample.at.elapsed().as_millis());
                    break;
                }
                let _ = pause.recv_timeout(LOOK_EVERY);
            }
        }
    }
    Ok(taken)
}

/// Guests that verdicts have let in, and what the page says of them.
pub struct Page {
    pub admitted: AtomicI64,
    pub ended: AtomicBool,
    samples: Mutex<Vec<u128>>,
}

impl Page {
    pub fn new() -> Self {
        Page { admitted: AtomicI64::new(0), ended: AtomicBool::new(false), samples: Mutex::new(Vec::new()) }
    }

    pub fn samples(&self) -> Vec<u128> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks at the page again and again: how long it takes until it shows at least as many as had been let in.
    pub fn watch(&self, office: &Office, calm: &Calm) {
        let (_never, pause) = channel::<()>();
        while !self.ended.load(Ordering::SeqCst) {
            let Some(before) = calm.now() else {
                let _ = pause.recv_timeout(Duration::from_millis(100));
                continue;
            };
            let (wanted, at) = (self.admitted.load(Ordering::SeqCst), Instant::now());
            let mut shown = false;
            while calm.is(before) && at.elapsed() < GIVEN_UP && !shown {
                shown = office.snapshot().is_ok_and(|snapshot| admitted(&snapshot) >= wanted);
            }
            if shown && calm.is(before) {
                self.samples.lock().unwrap_or_else(PoisonError::into_inner).push(at.elapsed().as_millis());
            }
            if let Err(RecvTimeoutError::Disconnected) = pause.recv_timeout(Duration::from_millis(500)) {
                return;
            }
        }
    }
}

pub fn admitted(snapshot: &serde_json::Value) -> i64 {
    let lanes = snapshot["lanes"].as_array().into_iter().flatten();
    lanes.filter_map(|lane| lane["totals"]["admitted"].as_i64()).sum()
}

/// The value below which this share of the samples lies.
pub fn quantile(samples: &mut [u128], share: f64) -> Option<u128> {
    samples.sort_unstable();
    let last = samples.len().checked_sub(1)?;
    Some(samples[(last as f64 * share).round() as usize])
}
