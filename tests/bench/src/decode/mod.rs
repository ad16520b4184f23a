//! `turnstone-bench decode`: the decoder beside its peers, on the same pixels; what tracking saves; what hostile frames
//! cost.
//!
//! It reports and does not judge: a missed goal is printed as missed. A part that cannot run is skipped loudly.

mod board;
mod curve;
mod hostile;
mod picture;
mod readers;
mod tracking;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;

use self::board::Board;
use self::picture::Picture;
use self::readers::Reader;
use crate::gate_frames::{self, Condition, FRAMES_A_RUNG, LADDER_PX};
use crate::machine;

#[derive(clap::Args)]
pub struct Options {
    /// Real photos with their texts beside them (`N.txt` beside `N.png`); without the folder they are skipped.
    #[arg(long, value_name = "DIR", env = "QR_PHOTOS")]
    photos: Option<PathBuf>,
    /// Draw the gate frames of this seed in place of those that decoders are tuned with.
    #[arg(long, value_name = "SEED")]
    held_out: Option<u64>,
    /// Only this part; may be given several times.
    #[arg(long, value_enum)]
    part: Vec<Part>,
    /// Only gate frames of this condition; may be given several times.
    #[arg(long, value_enum, value_name = "CONDITION")]
    only: Vec<Condition>,
    /// Leave the peers out: quick, while tuning.
    #[arg(long)]
    alone: bool,
    /// Name every picture that was not read, and who reads it.
    #[arg(long)]
    list_failures: bool,
    /// Draw the read rate against pixels a module into this SVG file.
    #[arg(long, visible_alias = "svg", value_name = "FILE")]
    curve: Option<PathBuf>,
    /// Take the gate frames from this folder, where --write-frames has put them, in place of drawing them: quick.
    #[arg(long, value_name = "DIR", conflicts_with = "held_out")]
    frames: Option<PathBuf>,
    /// Write the gate frames into this folder, as PNG with their texts beside them, and measure nothing.
    #[arg(long, value_name = "DIR")]
    write_frames: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Synthetic frames of a gate's camera.
    Gate,
    /// Real photos.
    Photos,
    /// Frames that follow each other.
    Tracking,
    /// Frames made to cost as much as they can.
    Hostile,
}

impl Options {
    fn seed(&self) -> u64 {
        self.held_out.unwrap_or(gate_frames::TUNING_SEED)
    }

    fn wants(&self, condition: Condition) -> bool {
        self.only.is_empty() || self.only.contains(&condition)
    }

    /// Naming conditions asks for gate frames alone.
    fn runs(&self, part: Part) -> bool {
        if self.part.is_empty() { self.only.is_empty() || part == Part::Gate } else { self.part.contains(&part) }
    }
}

pub fn run(options: &Options) -> Result<()> {
    if let Some(folder) = &options.write_frames {
        return write_frames(folder, options);
    }
    let draws_curve = options.runs(Part::Gate) && options.wants(Condition::Distance);
    ensure!(options.curve.is_none() || draws_curve, "--curve needs the gate frames of `distance`: leave them in");
    readers::quiet_guarded_panics();
    let mut readers = readers::all(!options.alone)?;
    println!("Turnstone decode bench, version {}", env!("CARGO_PKG_VERSION"));
    println!("machine: {}; load at start {}", machine::processor(), machine::load());
    readers::NOTES.iter().for_each(|note| println!("  - {note}"));
    if options.runs(Part::Gate) {
        let board = gate(options, &mut readers)?;
        board.print(options.list_failures);
        GATE.print(&board);
        if let Some(path) = &options.curve {
            curve::draw(&board, path)?;
            println!("  the curve of distance is in {}", path.display());
        }
    }
    if options.runs(Part::Photos) {
        match options.photos.as_deref().filter(|folder| folder.is_dir()) {
            Some(folder) => {
                let board = photos(folder, &mut readers)?;
                board.print(options.list_failures);
                PHOTOS.print(&board);
            }
            None => println!("\nPhotos: SKIPPED, no folder of them: name it with --photos or QR_PHOTOS"),
        }
    }
    if options.runs(Part::Tracking) {
        tracking::run(options.seed())?;
    }
    if options.runs(Part::Hostile) {
        hostile::run()?;
    }
    println!("\nload at end {}", machine::load());
    Ok(())
}

/// How a goal is said to have been met.
fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "MISSED" }
}

/// The name of a distance's row.
fn rung(px: f32) -> String {
    format!("distance, {px} px a module")
}

fn gate(options: &Options, readers: &mut [Box<dyn Reader>]) -> Result<Board> {
    let seed = options.seed();
    let from = match (&options.frames, options.held_out) {
        (Some(folder), _) => format!("from {}", folder.display()),
        (None, Some(_)) => format!("seed {seed} (held out)"),
        (None, None) => format!("seed {seed} (for tuning)"),
    };
    let mut board = Board::new(format!("Gate frames, {from}: codes read by condition"), readers);
    for condition in Condition::ALL.into_iter().filter(|condition| options.wants(*condition)) {
        eprintln!("{} ...", condition.name());
        let frames = match &options.frames {
            Some(folder) => gate_frames::read_all(condition, folder)?,
            None => gate_frames::draw_all(condition, seed)?,
        };
        for (at, frame) in frames.into_iter().enumerate() {
            let group = match condition {
                Condition::Distance => rung(LADDER_PX[at / FRAMES_A_RUNG]),
                _ => condition.name().to_owned(),
            };
            board.show(&Picture::of_frame(frame, group), readers);
        }
    }
    board.close(readers);
    Ok(board)
}

fn photos(folder: &Path, readers: &mut [Box<dyn Reader>]) -> Result<Board> {
    eprintln!("photos ...");
    let pictures = picture::photos(folder)?;
    let mut board = Board::new(format!("Photos: {} of {}", pictures.len(), folder.display()), readers);
    for picture in &pictures {
        board.show(picture, readers);
    }
    board.close(readers);
    Ok(board)
}

/// What is promised against zxing-cpp.
struct Goal {
    what: &'static str,
    /// Whether its very rate is not enough.
    better: bool,
    /// How many times its median a picture may cost.
    times: f64,
}

const GATE: Goal = Goal { what: "gate frames", better: false, times: 1.0 };
const PHOTOS: Goal = Goal { what: "photos", better: true, times: 2.0 };

impl Goal {
    fn print(&self, board: &Board) {
        const OURS: usize = 0;
        const ZXING_CPP: usize = 1;
        let misreads = board.misreads(OURS);
        println!("  goal: no misreads of {}: {misreads}, {}", self.what, verdict(misreads == 0));
        if board.names().len() <= ZXING_CPP {
            return;
        }
        let (ours, theirs) = (board.rate(OURS) * 100.0, board.rate(ZXING_CPP) * 100.0);
        let met = if self.better { ours > theirs } else { ours >= theirs };
        let than = if self.better { "better than" } else { "at least" };
        println!("  goal: {than} zxing-cpp's rate: {ours:.1} % against {theirs:.1} %, {}", verdict(met));
        let (ours, theirs) = (board.median_ms(OURS), board.median_ms(ZXING_CPP) * self.times);
        println!(
            "  goal: at most {} of its median: {ours:.2} ms against {theirs:.2} ms, {}",
            self.times,
            verdict(ours <= theirs)
        );
    }
}

fn write_frames(folder: &Path, options: &Options) -> Result<()> {
    let sessions = folder.join("sessions");
    fs::create_dir_all(&sessions).with_context(|| format!("cannot make {}", sessions.display()))?;
    for condition in Condition::ALL.into_iter().filter(|condition| options.wants(*condition)) {
        eprintln!("{} ...", condition.name());
        for frame in gate_frames::draw_all(condition, options.seed())? {
            gate_frames::write(&frame, folder)?;
        }
    }
    for at in 0..gate_frames::SESSIONS {
        for frame in gate_frames::session(at, options.seed())? {
            gate_frames::write(&frame, &sessions)?;
        }
    }
    Ok(())
}
