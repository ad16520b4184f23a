//! For noise, moiré and grids that are off by a fraction of a module: each module is judged from five places, and the
//! votes are added up with their certainty.

use super::super::grid::Grid;
use super::super::meter::{Meter, Stop};
use super::super::picture::{Point, Shades};
use super::super::sample;
use super::super::symbol::Modules;

const PLACES: [(f32, f32); 5] = [(0.0, 0.0), (-0.22, -0.22), (0.22, -0.22), (-0.22, 0.22), (0.22, 0.22)];

/// The most that one vote counts, in luma.
const VOTE_MAX: f32 = 40.0;

/// The modules by majority.
pub(in crate::core::decode) fn vote(shades: &Shades<'_>, grid: &Grid, meter: &mut Meter<'_>) -> Result<Modules, Stop> {
    let mut values = vec![0.0; grid.version.side().pow(2)];
    for (dx, dy) in PLACES {
        meter.spend(sample::units(grid))?;
        let luma = sample::luma(shades.picture, grid, Point::new(dx, dy));
        let modules = sample::judge(grid, &luma);
        values.iter_mut().zip(modules.values).for_each(|(sum, vote)| *sum += vote.clamp(-VOTE_MAX, VOTE_MAX));
    }
    Ok(Modules { version: grid.version, values })
}
