//! The machine that is measured on: its load, its disk, and the folder that the databases go to.
//!
//! Invariant: every figure that waits for a disk is taken in [`data_folder`], below `target`, never in a RAM disk unless
//! the report says so.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::report::Samples;

/// The load averages of 1, 5 and 15 minutes, as the kernel says them.
pub fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let averages: Vec<&str> = text.split_whitespace().take(3).collect();
    if averages.is_empty() { "unknown".to_owned() } else { averages.join(" ") }
}

/// The processor's name and how many cores this process may use.
pub fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let named = text.lines().find_map(|line| line.strip_prefix("model name")).and_then(|rest| rest.split(':').nth(1));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{}, {cores} cores", named.map_or("unknown processor", str::trim))
}

/// The processor time that this thread has used: what a step costs on a machine that does nothing else.
pub fn thread_time() -> Duration {
    since_zero(rustix::time::ClockId::ThreadCPUTime)
}

/// The processor time that all threads of this process have used.
pub fn process_time() -> Duration {
    since_zero(rustix::time::ClockId::ProcessCPUTime)
}

fn since_zero(clock: rustix::time::ClockId) -> Duration {
    let time = rustix::time::clock_gettime(clock);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// A fresh, empty folder of this name beside the program: `target/.../bench-data/NAME`.
pub fn data_folder(name: &str) -> Result<PathBuf> {
    let program = std::env::current_exe().context("the program does not know where it lies")?;
    let folder = program.parent().context("the program lies in no folder")?.join("bench-data").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

/// The kind of file system that `folder` is on, such as `ext4`.
pub fn file_system(folder: &Path) -> String {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mounted = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        Some((words.next()?, words.next()?))
    });
    let nearest = mounted.filter(|(at, _)| folder.starts_with(at)).max_by_key(|(at, _)| at.len());
    nearest.map_or("unknown", |(_, kind)| kind).to_owned()
}

/// What the disk alone takes to keep 8 KiB more: write and sync, `count` times.
pub fn disk_sync(folder: &Path, count: usize) -> Result<Samples> {
    let path = folder.join("sync-probe");
    let mut file = fs::File::create(&path).context("cannot write the disk probe")?;
    let block = [0x5A; 8192];
    let mut samples = Samples::default();
    for _ in 0..count {
        let began = Instant::now();
        file.write_all(&block)?;
        file.sync_data()?;
        samples.push(began.elapsed());
    }
    fs::remove_file(&path)?;
    Ok(samples)
}
