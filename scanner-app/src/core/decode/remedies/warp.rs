//! For symbols that are not flat: bent paper, cracked glass, a shutter that rolls over a moving phone. The symbol is cut
//! into tiles, and each tile is moved a little, until its modules are as clearly dark or light as they can be. A tile
//! starts where its neighbours, nearer to the finders, have ended.

use super::super::grid::Grid;
use super::super::meter::{Meter, Stop};
use super::super::picture::{Point, Shades};

/// Modules to a tile's side, about.
const TILE: usize = 6;
/// How far a tile may lie from where its neighbours suggest, in modules.
const REACH: f32 = 0.6;
const STEP: f32 = 0.2;

/// Luma of every module, row by row, each looked at where its tile has moved.
pub(in crate::core::decode) fn sample(
    shades: &Shades<'_>,
    grid: &Grid,
    meter: &mut Meter<'_>,
) -> Result<Vec<f32>, Stop> {
    let side = grid.version.side();
    let tiles = side.div_ceil(TILE);
    let mut shifts: Vec<Option<Point>> = vec![None; tiles * tiles];
    let mut order: Vec<(usize, usize)> = (0..tiles).flat_map(|y| (0..tiles).map(move |x| (x, y))).collect();
    let last = tiles - 1;
    order.sort_by_key(|&(x, y)| (x + y).min(last - x + y).min(x + last - y));
    for (x, y) in order {
        let neighbours = [(-1, 0), (1, 0), (0, -1), (0, 1)].into_iter().filter_map(|(dx, dy)| {
            let (x, y) = (x.checked_add_signed(dx)?, y.checked_add_signed(dy)?);
            (x < tiles && y < tiles).then(|| shifts[y * tiles + x])?
        });
        let (sum, count) =
            neighbours.fold((Point::default(), 0.0f32), |(sum, count), p| (sum.along(p, 1.0), count + 1.0));
        let start = if count > 0.0 { Point::new(sum.x / count, sum.y / count) } else { Point::default() };
        shifts[y * tiles + x] = Some(settle(shades, grid, (x * TILE, y * TILE), start, meter)?);
    }
    meter.spend((side * side * 3) as u64)?;
    let shift = |x: usize, y: usize| shifts[y.min(last) * tiles + x.min(last)].unwrap_or_default();
    let mut out = Vec::with_capacity(side * side);
    for y in 0..side {
        for x in 0..side {
            // Between the middles of tiles the shift goes over smoothly.
            let place = |v: usize| ((v as f32 + 0.5) / TILE as f32 - 0.5).clamp(0.0, last as f32);
            let (px, py) = (place(x), place(y));
            let (left, top) = (px as usize, py as usize);
            let (fx, fy) = (px - left as f32, py - top as f32);
            let mut by = Point::default();
            for (dx, dy, weight) in
                [(0, 0, (1.0 - fx) * (1.0 - fy)), (1, 0, fx * (1.0 - fy)), (0, 1, (1.0 - fx) * fy), (1, 1, fx * fy)]
            {
                by = by.along(shift(left + dx, top + dy), weight);
            }
            let at = Point::new(x as f32 + 0.5 + by.x, y as f32 + 0.5 + by.y);
            out.push(shades.picture.at(grid.to_pixels.map(at)));
        }
    }
    Ok(out)
}

/// Where a tile's modules are clearest, as a shift in modules.
fn settle(
    shades: &Shades<'_>,
    grid: &Grid,
    (left, top): (usize, usize),
    start: Point,
    meter: &mut Meter<'_>,
) -> Result<Point, Stop> {
    let side = grid.version.side();
    // A border of one module about the tile keeps lone tiles from running away.
    let columns = left.saturating_sub(1)..(left + TILE + 1).min(side);
    let rows = top.saturating_sub(1)..(top + TILE + 1).min(side);
    let steps = (REACH / STEP) as i32;
    let mut best = (f32::MIN, start);
    for j in -steps..=steps {
        for i in -steps..=steps {
            meter.spend((columns.len() * rows.len()) as u64)?;
            let by = Point::new(start.x + i as f32 * STEP, start.y + j as f32 * STEP);
            let mut clear = 0.0;
            for y in rows.clone() {
                for x in columns.clone() {
                    let at = Point::new(x as f32 + 0.5 + by.x, y as f32 + 0.5 + by.y);
                    clear += shades.darkness(grid.to_pixels.map(at)).abs();
                }
            }
            let far = ((i * i + j * j) as f32).sqrt() * STEP;
            let clear = clear * (1.0 - 0.12 * far);
            if clear > best.0 {
                best = (clear, by);
            }
        }
    }
    Ok(best.1)
}
