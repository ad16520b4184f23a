//! Reads the symbol under a grid: first as it lies, then with one remedy after another.

use super::grid::Grid;
use super::meter::{Meter, Stop};
use super::picture::{Point, Shades};
use super::remedies::{equalise, straighten, vote, warp};
use super::sample;
use super::symbol;

/// A text and what it took.
pub(super) struct Reading {
    pub(super) text: Vec<u8>,
    pub(super) grid: Grid,
    /// The remedy's name, for whoever wants to know what helps.
    pub(super) remedy: &'static str,
}

/// What sampling a symbol once costs, in units.
pub(super) fn sampling_units(grid: &Grid) -> u64 {
    (grid.version.side() as u64).pow(2) * if grid.module_px() > 4.0 { 7 } else { 2 }
}

/// Reads a symbol as it lies, or with its blur taken out.
pub(super) fn read(shades: &Shades<'_>, grid: &Grid, meter: &mut Meter<'_>) -> Result<Option<Reading>, Stop> {
    meter.spend(sampling_units(grid))?;
    let luma = sample::luma(shades.picture, grid, Point::default());
    if let Some(text) = judge_and_read(grid, &luma, meter)? {
        return Ok(Some(Reading { text, grid: grid.clone(), remedy: "plain" }));
    }
    meter.spend(sampling_units(grid) * 4)?;
    if let Some(luma) = equalise::equalise(grid, &luma)
        && let Some(text) = judge_and_read(grid, &luma, meter)?
    {
        return Ok(Some(Reading { text, grid: grid.clone(), remedy: "equalised" }));
    }
    Ok(None)
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
        return Ok(Some(Reading { remedy: "straightened", ..reading }));
    }
    vote_or_warp(shades, &straight, meter)
}

fn vote_or_warp(shades: &Shades<'_>, grid: &Grid, meter: &mut Meter<'_>) -> Result<Option<Reading>, Stop> {
    let modules = vote::vote(shades, grid, meter)?;
    if let Some(text) = symbol::read(&modules, meter)? {
        return Ok(Some(Reading { text, grid: grid.clone(), remedy: "voted" }));
    }
    let luma = warp::sample(shades, grid, meter)?;
    if let Some(text) = judge_and_read(grid, &luma, meter)? {
        return Ok(Some(Reading { text, grid: grid.clone(), remedy: "warped" }));
    }
    meter.spend(sampling_units(grid) * 4)?;
    if let Some(luma) = equalise::equalise(grid, &luma)
        && let Some(text) = judge_and_read(grid, &luma, meter)?
    {
        return Ok(Some(Reading { text, grid: grid.clone(), remedy: "warped and equalised" }));
    }
    Ok(None)
}

fn judge_and_read(grid: &Grid, luma: &[f32], meter: &mut Meter<'_>) -> Result<Option<Vec<u8>>, Stop> {
    symbol::read(&sample::judge(grid, luma), meter)
}
