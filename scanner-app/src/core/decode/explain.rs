//! What the decoder sees at each stage, for whoever must understand a bad evening's frames.

use super::finder::Finder;
use super::grid::Grid;
use super::passes::Pass;
use super::picture::{Picture, Point};

/// One thing the decoder did.
pub enum Stage<'a> {
    /// A pass looked at a picture: its luma, the threshold of each pixel, and what looks like a finder pattern.
    #[allow(private_interfaces)]
    Look { pass: Pass, picture: &'a Picture, threshold: &'a Picture, finders: &'a [Finder] },
    /// A grid was laid over three finders.
    #[allow(private_interfaces)]
    Grid { pass: Pass, picture: &'a Picture, grid: &'a Grid },
}
