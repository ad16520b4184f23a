//! What the decoder sees at each stage, for whoever must understand a bad evening's frames.

use super::finder::Finder;
use super::grid::Grid;
use super::passes::Pass;
use super::picture::{Picture, Point};
use super::sample;

/// One thing the decoder did.
pub enum Stage<'a> {
    /// A pass looked at a picture.
    Look(LookView<'a>),
    /// A grid was laid over three finders.
    Grid(GridView<'a>),
}

/// A picture as one pass saw it. Places are in pixels of this picture, which may be a part of the frame, or smaller.
pub struct LookView<'a> {
    pub pass: Pass,
    pub(super) picture: &'a Picture,
    pub(super) threshold: &'a Picture,
    pub(super) finders: &'a [Finder],
}

impl LookView<'_> {
    /// Width and height in pixels.
    pub fn size(&self) -> (usize, usize) {
        (self.picture.width, self.picture.height)
    }

    /// Luma, row by row.
    pub fn luma(&self) -> &[u8] {
        &self.picture.pixels
    }

    /// The threshold of each pixel: what is below it is dark.
    pub fn threshold(&self) -> &[u8] {
        &self.threshold.pixels
    }

    /// What looks like a finder pattern: x, y and a module's size.
    pub fn finders(&self) -> impl Iterator<Item = (f32, f32, f32)> + '_ {
        self.finders.iter().map(|finder| (finder.centre.x, finder.centre.y, finder.module))
    }
}

/// A grid, in pixels of the picture that the pass looked at.
pub struct GridView<'a> {
    pub pass: Pass,
    pub(super) picture: &'a Picture,
    pub(super) grid: &'a Grid,
}

impl GridView<'_> {
    /// Modules a side.
    pub fn side(&self) -> usize {
        self.grid.version.side()
    }

    /// Which share of the timing patterns has the right colour; half of it does by chance.
    pub fn timing(&self) -> f32 {
        self.grid.timing
    }

    /// Whether the lower right alignment pattern was found.
    pub fn aligned(&self) -> bool {
        self.grid.aligned
    }

    /// The middle of the module in column `x` and row `y`.
    pub fn middle(&self, x: usize, y: usize) -> (f32, f32) {
        let middle = self.grid.middle(x, y);
        (middle.x, middle.y)
    }

    /// Luma of every module as sampled, row by row.
    pub fn sampled(&self) -> Vec<u8> {
        sample::luma(self.picture, self.grid, Point::default())
            .into_iter()
            .map(|luma| luma.clamp(0.0, 255.0) as u8)
            .collect()
    }
}
