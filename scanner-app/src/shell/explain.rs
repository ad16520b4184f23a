//! `scanner-app decode --explain`: the pictures of every stage of a decoding, numbered in the order in which they came
//! about, so that a bad evening's frames can be understood.
//!
//! `..-look.png`: what a pass looked at, with what it took for finder patterns in red. `..-threshold.png`: what it took
//! for dark. `..-timingNN-aligned-grid.png`: where it thinks the modules are, light ones green and dark ones red; NN percent of
//! the timing patterns' modules have the right colour, and the alignment pattern was found or was not. `..-sampled.png`: their
//! luma.

use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

use image::{GrayImage, Luma, Rgb, RgbImage};

use super::picture::{self, PictureError};
use crate::core::decode::{Decoded, Decoder, GridView, LookView, Stage};

/// Grids that are drawn: a hostile picture may hold hundreds.
const GRIDS_MAX: usize = 40;
/// Pixels a side that a sampled module is drawn with.
const MODULE_PX: u32 = 8;
const RED: Rgb<u8> = Rgb([230, 30, 30]);
const GREEN: Rgb<u8> = Rgb([30, 200, 60]);

/// Why a decoding could not be explained.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    #[error("{}: {error}", .file.display())]
    Picture { file: PathBuf, error: PictureError },
    #[error("{} cannot be written ({error}): name a folder that can, with --out", .path.display())]
    Write { path: PathBuf, error: Error },
}

/// Decodes one file and leaves the pictures of all stages in a folder, which is made. Returns what was read.
///
/// Errors: the file is no picture, or the folder cannot be written.
pub fn explain(file: &Path, folder: &Path) -> Result<Decoded, ExplainError> {
    let unread = |error| ExplainError::Picture { file: file.to_owned(), error };
    let picture = picture::read(file).map_err(unread)?;
    let view = picture.view().map_err(|error| unread(error.into()))?;
    std::fs::create_dir_all(folder).map_err(|error| ExplainError::Write { path: folder.to_owned(), error })?;
    let mut album = Album { folder, pictures: 0, grids: 0, look: RgbImage::default(), failed: None };
    let decoded = Decoder::default().explain(&view, &mut || false, &mut |stage| album.add(&stage));
    match album.failed {
        Some(failed) => Err(failed),
        None => Ok(decoded),
    }
}

struct Album<'a> {
    folder: &'a Path,
    pictures: u32,
    grids: usize,
    /// What the last pass looked at: grids are drawn over it.
    look: RgbImage,
    failed: Option<ExplainError>,
}

impl Album<'_> {
    fn add(&mut self, stage: &Stage<'_>) {
        if self.failed.is_none() {
            self.failed = match stage {
                Stage::Look(look) => self.look(look),
                Stage::Grid(grid) => self.grid(grid),
            }
            .err();
        }
    }

    fn path(&mut self, pass: &str, what: &str) -> PathBuf {
        self.pictures += 1;
        self.folder.join(format!("{:02}-{pass}-{what}.png", self.pictures))
    }

    fn look(&mut self, look: &LookView<'_>) -> Result<(), ExplainError> {
        let (width, height) = (look.size().0 as u32, look.size().1 as u32);
        let dark =
            look.luma().iter().zip(look.threshold()).map(|(luma, threshold)| if luma < threshold { 0 } else { 255 });
        let path = self.path(look.pass.name(), "threshold");
        save(&path, GrayImage::from_raw(width, height, dark.collect()))?;
        self.look = RgbImage::from_fn(width, height, |x, y| {
            let luma = look.luma()[(y * width + x) as usize];
            Rgb([luma; 3])
        });
        let mut drawn = self.look.clone();
        for (x, y, module) in look.finders() {
            for step in 0..64 {
                let angle = step as f32 / 64.0 * std::f32::consts::TAU;
                dot(&mut drawn, (x + 3.5 * module * angle.cos(), y + 3.5 * module * angle.sin()), RED);
            }
            dot(&mut drawn, (x, y), RED);
        }
        let path = self.path(look.pass.name(), "look");
        save(&path, Some(drawn))
    }

    fn grid(&mut self, grid: &GridView<'_>) -> Result<(), ExplainError> {
        self.grids += 1;
        if self.grids > GRIDS_MAX {
            return Ok(());
        }
        let (side, sampled) = (grid.side(), grid.sampled());
        let mean = sampled.iter().map(|&luma| u64::from(luma)).sum::<u64>() / sampled.len().max(1) as u64;
        let mut drawn = self.look.clone();
        for (index, luma) in sampled.iter().enumerate() {
            let colour = if u64::from(*luma) < mean { RED } else { GREEN };
            dot(&mut drawn, grid.middle(index % side, index / side), colour);
        }
        let aligned = if grid.aligned() { "-aligned" } else { "" };
        let what = format!("timing{:.0}{aligned}-grid", grid.timing() * 100.0);
        let path = self.path(grid.pass.name(), &what);
        save(&path, Some(drawn))?;
        let size = side as u32 * MODULE_PX;
        let modules = GrayImage::from_fn(size, size, |x, y| {
            Luma([sampled[(y / MODULE_PX) as usize * side + (x / MODULE_PX) as usize]])
        });
        let path = self.path(grid.pass.name(), "sampled");
        save(&path, Some(modules))
    }
}

fn dot(picture: &mut RgbImage, (x, y): (f32, f32), colour: Rgb<u8>) {
    if x >= 0.0
        && y >= 0.0
        && let Some(pixel) = picture.get_pixel_mut_checked(x as u32, y as u32)
    {
        *pixel = colour;
    }
}

fn save<P>(path: &Path, picture: Option<image::ImageBuffer<P, Vec<u8>>>) -> Result<(), ExplainError>
where
    P: image::Pixel<Subpixel = u8> + image::PixelWithColorType,
{
    let written = match picture {
        Some(picture) => picture.save(path).map_err(Error::other),
        None => Err(Error::new(ErrorKind::InvalidData, "the picture's size is wrong")),
    };
    written.map_err(|error| ExplainError::Write { path: path.to_owned(), error })
}
