//! Synthetic frames of a camera at a gate: real codes on phones' displays, as a lens and a sensor see them.
//!
//! Invariants: a frame is a function of its condition, number and seed, to the last bit and on every machine; the whole
//! of every code is in view; no frame is left out because nobody can read it.

mod camera;
mod codes;
mod conditions;
mod cracks;
mod dice;
mod glass;
mod look;
mod optics;
mod page;
mod scene;
mod sensor;
mod session;

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::Path;

use anyhow::{Context, Result};
use image::{ExtendedColorType, ImageEncoder as _, codecs::png::PngEncoder};

pub use self::conditions::{Condition, FRAMES_A_RUNG, LADDER_PX, TUNING_SEED};
use self::dice::Dice;
pub use self::session::{SESSIONS, session};

/// A picture in luma with the texts that are in view.
pub struct Frame {
    pub name: String,
    pub width: usize,
    pub height: usize,
    pub luma: Vec<u8>,
    pub texts: Vec<String>,
}

/// Streams of numbers that a frame is drawn from; what one draws does not shift another.
const LOOK: u64 = 1;
const SCENE: u64 = 2;
const NOISE: u64 = 3;

/// The frame `at` of a condition.
pub fn draw(condition: Condition, at: usize, seed: u64) -> Result<Frame> {
    let dice = |stream| Dice::of(&[seed, condition as u64, at as u64, stream]);
    let look = condition.look(at, &mut dice(LOOK));
    let (scene, texts) = look.scene(&mut dice(SCENE))?;
    let luma = look.expose(&scene, &mut dice(NOISE));
    let name = name(condition, at);
    Ok(Frame { name, width: look.size.0, height: look.size.1, luma, texts })
}

fn name(condition: Condition, at: usize) -> String {
    match condition {
        Condition::Distance => format!(
            "{}-{:.2}-{:02}",
            condition.name(),
            LADDER_PX[at / FRAMES_A_RUNG % LADDER_PX.len()],
            at % FRAMES_A_RUNG
        ),
        _ => format!("{}-{at:02}", condition.name()),
    }
}

/// All frames of a condition, drawn by two threads.
pub fn draw_all(condition: Condition, seed: u64) -> Result<Vec<Frame>> {
    let half = |first: usize| (first..condition.frames()).step_by(2).map(|at| Ok((at, draw(condition, at, seed)?)));
    let mut frames = std::thread::scope(|scope| -> Result<Vec<(usize, Frame)>> {
        let other = scope.spawn(move || half(1).collect::<Result<Vec<_>>>());
        let mut frames = half(0).collect::<Result<Vec<_>>>()?;
        frames.extend(other.join().map_err(|_| anyhow::anyhow!("drawing frames panicked"))??);
        Ok(frames)
    })?;
    frames.sort_by_key(|(at, _)| *at);
    Ok(frames.into_iter().map(|(_, frame)| frame).collect())
}

/// Writes the frame as `NAME.png`, with its texts in `NAME.txt`, one a line.
pub fn write(frame: &Frame, folder: &Path) -> Result<()> {
    let path = folder.join(format!("{}.png", frame.name));
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    PngEncoder::new(BufWriter::new(file)).write_image(
        &frame.luma,
        frame.width as u32,
        frame.height as u32,
        ExtendedColorType::L8,
    )?;
    let path = folder.join(format!("{}.txt", frame.name));
    let lines: String = frame.texts.iter().map(|text| format!("{text}\n")).collect();
    fs::write(&path, lines).with_context(|| format!("cannot write {}", path.display()))
}

/// All frames of a condition, as [`write`] left them in a folder: quicker than drawing them again.
pub fn read_all(condition: Condition, folder: &Path) -> Result<Vec<Frame>> {
    let read = |at| {
        let path = folder.join(name(condition, at));
        let (picture, texts) = (path.with_added_extension("png"), path.with_added_extension("txt"));
        let luma = image::open(&picture).with_context(|| format!("cannot read {}", picture.display()))?.into_luma8();
        let texts = fs::read_to_string(&texts).with_context(|| format!("cannot read {}", texts.display()))?;
        Ok(Frame {
            name: name(condition, at),
            width: luma.width() as usize,
            height: luma.height() as usize,
            luma: luma.into_raw(),
            texts: texts.lines().map(str::to_owned).collect(),
        })
    };
    (0..condition.frames()).map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(bytes: &[u8]) -> u64 {
        bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01B3))
    }

    /// Frozen: whoever changes these frames changes what every published figure was measured on.
    #[test]
    fn frames_are_the_same_on_every_machine_and_for_ever() {
        for (condition, at, expected) in [
            (Condition::Distance, 165, 0x0D85_0F51_A24A_6BC3),
            (Condition::Mixed, 7, 0x74EB_E5E3_FEBE_C704),
            (Condition::Cracked, 30, 0x1C69_020F_AD82_08AE),
        ] {
            let frame = draw(condition, at, TUNING_SEED).unwrap();
            assert_eq!(hash(&frame.luma), expected, "{}: {:#018x}", frame.name, hash(&frame.luma));
        }
    }

    #[test]
    fn a_held_out_seed_draws_other_frames() {
        let first = draw(Condition::Easy, 0, TUNING_SEED).unwrap();
        let other = draw(Condition::Easy, 0, TUNING_SEED + 1).unwrap();
        assert_ne!(first.texts, other.texts);
        assert_ne!(first.luma, other.luma);
    }
}
