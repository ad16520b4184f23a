//! `turnstone-bench decode`: the decoder beside its peers, on the same pixels.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::gate_frames::{self, Condition};

#[derive(clap::Args)]
pub struct Options {
    /// Draw the gate frames of this seed in place of those that decoders are tuned with.
    #[arg(long, value_name = "SEED")]
    held_out: Option<u64>,
    /// Only this condition; may be given several times.
    #[arg(long, value_enum)]
    only: Vec<Condition>,
    /// Write the gate frames into this folder, as PNG with their texts beside them, and measure nothing.
    #[arg(long, value_name = "DIR")]
    write_frames: Option<PathBuf>,
}

impl Options {
    fn wants(&self, condition: Condition) -> bool {
        self.only.is_empty() || self.only.contains(&condition)
    }
}

pub fn run(options: &Options) -> Result<()> {
    let seed = options.held_out.unwrap_or(gate_frames::TUNING_SEED);
    if let Some(folder) = &options.write_frames {
        return write_frames(folder, options, seed);
    }
    Ok(())
}

fn write_frames(folder: &Path, options: &Options, seed: u64) -> Result<()> {
    let sessions = folder.join("sessions");
    fs::create_dir_all(&sessions).with_context(|| format!("cannot make {}", sessions.display()))?;
    for condition in Condition::ALL.into_iter().filter(|condition| options.wants(*condition)) {
        eprintln!("{} ...", condition.name());
        for frame in gate_frames::draw_all(condition, seed)? {
            gate_frames::write(&frame, folder)?;
        }
    }
    for at in 0..gate_frames::SESSIONS {
        for frame in gate_frames::session(at, seed)? {
            gate_frames::write(&frame, &sessions)?;
        }
    }
    Ok(())
}
