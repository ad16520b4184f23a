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

/// Reads a symbol that `read` could not, with everything there is.
pub(super) fn read_thoroughly(
    shades: &Shades<'_>,
    grid: &Grid,
    meter: &mut Meter<'_>,
) -> Result<Option<Reading>, Stop> {
    let straight = straighten::straighten(shades, grid, meter)?;
    if let Some(grid) = &straight
        && let Some(reading) = read(shades, grid, meter)?
    {
        return Ok(Some(Reading { remedy: "straightened", ..reading }));
    }
    let grid = straight.unwrap_or_else(|| grid.clone());
    let modules = vote::vote(shades, &grid, meter)?;
    if let Some(text) = symbol::read(&modules, meter)? {
        return Ok(Some(Reading { text, grid, remedy: "voted" }));
    }
    let luma = warp::sample(shades, &grid, meter)?;
    if let Some(text) = judge_and_read(&grid, &luma, meter)? {
        return Ok(Some(Reading { text, grid, remedy: "warped" }));
    }
    meter.spend(sampling_units(&grid) * 4)?;
    if let Some(luma) = equalise::equalise(&grid, &luma)
        && let Some(text) = judge_and_read(&grid, &luma, meter)?
    {
        return Ok(Some(Reading { text, grid, remedy: "warped and equalised" }));
    }
    Ok(None)
}

fn judge_and_read(grid: &Grid, luma: &[f32], meter: &mut Meter<'_>) -> Result<Option<Vec<u8>>, Stop> {
    symbol::read(&sample::judge(grid, luma), meter)
}
