//! Looks at a symbol's modules through its grid and judges dark from light.

use super::grid::Grid;
use super::picture::{Picture, Point};
use super::symbol::Modules;

/// Larger modules than this, in pixels, are looked at in five places: one pixel of noise must not decide.
const ONE_LOOK_PX_MAX: f32 = 4.0;

/// What looking into all modules once costs, in units.
pub(super) fn units(grid: &Grid) -> u64 {
    (grid.version.side() as u64).pow(2) * if grid.module_px() > ONE_LOOK_PX_MAX { 7 } else { 2 }
}

/// Luma of every module, row by row, looked at `shift` modules from its middle.
pub(super) fn luma(picture: &Picture, grid: &Grid, shift: Point) -> Vec<f32> {
    let side = grid.version.side();
    let mut out = Vec::with_capacity(side * side);
    let spread = if grid.module_px() > ONE_LOOK_PX_MAX { 0.22 } else { 0.0 };
    for y in 0..side {
        for x in 0..side {
            let at = Point::new(x as f32 + 0.5 + shift.x, y as f32 + 0.5 + shift.y);
            let look = |dx: f32, dy: f32| picture.at(grid.to_pixels.map(Point::new(at.x + dx, at.y + dy)));
            let mut value = look(0.0, 0.0);
            if spread > 0.0 {
                value += look(spread, 0.0) + look(-spread, 0.0) + look(0.0, spread) + look(0.0, -spread);
                value /= 5.0;
            }
            out.push(value);
        }
    }
    out
}

/// Modules to each side by whose mean a module is judged.
const JUDGE_RADIUS: usize = 4;

/// Judges each module by the mean of those about it: the masks of QR symbols see to it that half of them are dark. What
/// lies in a shadow or a glare is judged by its own like.
pub(super) fn judge(grid: &Grid, luma: &[f32]) -> Modules {
    let side = grid.version.side();
    let means = box_means(luma, side, JUDGE_RADIUS);
    let values = means.iter().zip(luma).map(|(mean, luma)| mean - luma).collect();
    Modules { version: grid.version, values }
}

/// The mean of the square about each value; at the edges, of the part of it that exists.
fn box_means(values: &[f32], side: usize, radius: usize) -> Vec<f32> {
    let sums = |line: &dyn Fn(usize) -> f32, out: &mut dyn FnMut(usize, f32)| {
        let mut sum: f32 = (0..radius.min(side)).map(line).sum();
        for i in 0..side {
            if i + radius < side {
                sum += line(i + radius);
            }
            if i > radius {
                sum -= line(i - radius - 1);
            }
            let count = (i + radius).min(side - 1) - i.saturating_sub(radius) + 1;
            out(i, sum / count as f32);
        }
    };
    let mut rows = vec![0.0; side * side];
    for y in 0..side {
        sums(&|x| values[y * side + x], &mut |x, mean| rows[y * side + x] = mean);
    }
    let mut out = vec![0.0; side * side];
    for x in 0..side {
        sums(&|y| rows[y * side + x], &mut |y, mean| out[y * side + x] = mean);
    }
    out
}
