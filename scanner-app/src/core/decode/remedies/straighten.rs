//! For symbols whose lower right corner nothing marks: version 1, or an alignment pattern that is covered. A grid that
//! lies right looks into the middles of modules, where luma is far from the threshold; so the corner is moved until the
//! modules are as clearly dark or light as they can be.

use super::super::grid::Grid;
use super::super::meter::{Meter, Stop};
use super::super::picture::{Point, Shades};

/// The grid with its lower right corner where the modules are clearest; `None` when it was there already.
pub(in crate::core::decode) fn straighten(
    shades: &Shades<'_>,
    grid: &Grid,
    meter: &mut Meter<'_>,
) -> Result<Option<Grid>, Stop> {
    let side = grid.version.side();
    let units = (side * side / 8) as u64;
    let reach = if grid.aligned { 1.0 } else { 1.5 + side as f32 * 0.06 };
    let mut best = (clearness(shades, grid), None);
    let mut at = Point::default();
    let mut step = if grid.aligned { 0.5 } else { 0.75 };
    let mut round_reach = reach;
    while step > 0.1 {
        let steps = (round_reach / step).ceil() as i32;
        let around = at;
        for j in -steps..=steps {
            for i in -steps..=steps {
                let by = Point::new(around.x + i as f32 * step, around.y + j as f32 * step);
                meter.spend(units)?;
                let Some(moved) = grid.with_corner_moved(by) else { continue };
                let clear = clearness(shades, &moved);
                if clear > best.0 {
                    best = (clear, Some(moved));
                    at = by;
                }
            }
        }
        round_reach = step;
        step /= 2.5;
    }
    Ok(best.1)
}

/// How far from the threshold the modules of the far half lie, summed over every fourth of them.
fn clearness(shades: &Shades<'_>, grid: &Grid) -> f32 {
    let side = grid.version.side();
    let mut sum = 0.0;
    for y in (1..side).step_by(2) {
        for x in ((side - y).max(side / 3)..side).step_by(2) {
            sum += shades.darkness(grid.middle(x, y)).abs();
        }
    }
    sum
}
