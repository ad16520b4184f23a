//! Reads the symbol under a grid: first as it lies, then with one remedy after another.

use super::grid::Grid;
use super::meter::{Meter, Stop};
use super::picture::{Point, Shades};
use super::remedies::{equalise, straighten, vote, warp};
use super::sample;
use super::symbol;

/// A text, and the grid through which it was read.
pub(super) struct Reading {
    pub(super) text: Vec<u8>,
    pub(super) grid: Grid,
}

/// Reads a symbol as it lies, or with its blur taken out.
pub(super) fn read(shades: &Shades<'_>, grid: &Grid, meter: &mut Meter<'_>) -> Result<Option<Reading>, Stop> {
    meter.spend(sample::units(grid))?;
    let luma = sample::luma(shades.picture, grid, Point::default());
    read_luma(grid, &luma, meter)
}

/// Reads a symbol that `read` could not, with everything there is: as it lies, then with its far corner put right.
pub(super) fn read_thoroughly(
    shades: &Shades<'_>,
    grid: &Grid,
    meter: &mut Meter<'_>,
) -> Result<Option<Reading>, Stop> {
    if let Some(reading) = vote_or_warp(shades, grid, meter)? {
        return Ok(Some(reading));
    }
    let Some(straight) = straighten::straighten(shades, grid, meter)? else { return Ok(None) };
    if let Some(reading) = read(shades, &straight, meter)? {
        return Ok(Some(reading));
    }
    vote_or_warp(shades, &straight, meter)
}

fn vote_or_warp(shades: &Shades<'_>, grid: &Grid, meter: &mut Meter<'_>) -> Result<Option<Reading>, Stop> {
    let modules = vote::vote(shades, grid, meter)?;
    if let Some(text) = symbol::read(&modules, meter)? {
        return Ok(Some(Reading { text, grid: grid.clone() }));
    }
    let luma = warp::sample(shades, grid, meter)?;
    read_luma(grid, &luma, meter)
}

/// Reads modules by their luma, then by what it is without its blur.
fn read_luma(grid: &Grid, luma: &[f32], meter: &mut Meter<'_>) -> Result<Option<Reading>, Stop> {
    let mut text = symbol::read(&sample::judge(grid, luma), meter)?;
    if text.is_none() {
        meter.spend(sample::units(grid) * 4)?;
        if let Some(sharp) = equalise::equalise(grid, luma) {
            text = symbol::read(&sample::judge(grid, &sharp), meter)?;
        }
    }
    Ok(text.map(|text| Reading { text, grid: grid.clone() }))
}
