//! For blur: a module then holds some of its neighbours' light. How much of which, the function patterns tell, whose
//! true colours are known; taking it away again is a filter of nine numbers, fitted to this very symbol.

use super::super::grid::Grid;
use super::super::linear::Normal;

/// Neighbours in the filter: the module itself, the eight about it, and one for the mean.
const TAPS: usize = 10;

/// Luma with the blur taken out, dark as low as before; `None` when the patterns do not determine a filter.
pub(in crate::core::decode) fn equalise(grid: &Grid, luma: &[f32]) -> Option<Vec<f32>> {
    let side = grid.version.side();
    let mean = luma.iter().sum::<f32>() / luma.len() as f32;
    let taps = |x: usize, y: usize| -> [f64; TAPS] {
        std::array::from_fn(|tap| {
            if tap == TAPS - 1 {
                return 1.0;
            }
            let (dx, dy) = (tap % 3, tap / 3);
            let (nx, ny) = (x + dx, y + dy);
            // Outside is the light margin.
            if nx == 0 || ny == 0 || nx > side || ny > side {
                return 1.0;
            }
            f64::from((luma[(ny - 1) * side + nx - 1] - mean) / 64.0)
        })
    };
    let mut normal = Normal::<TAPS>::new();
    let mut learn = |x: usize, y: usize, dark: bool| {
        normal.add(&taps(x, y), if dark { -1.0 } else { 1.0 }, 1.0);
    };
    let far = side - 7;
    for (left, top) in [(0, 0), (far, 0), (0, far)] {
        for y in 0..7usize {
            for x in 0..7usize {
                let ring = x.abs_diff(3).max(y.abs_diff(3));
                learn(left + x, top + y, ring != 2);
            }
        }
        // The light strip beside it, on the sides that the symbol has.
        for i in 0..7 {
            learn(if left == 0 { 7 } else { far - 1 }, top + i, false);
            learn(left + i, if top == 0 { 7 } else { far - 1 }, false);
        }
    }
    for at in 8..side - 8 {
        learn(at, 6, at.is_multiple_of(2));
        learn(6, at, at.is_multiple_of(2));
    }
    for (x, y) in grid.version.alignment().centres(side) {
        for dy in 0..5usize {
            for dx in 0..5usize {
                learn(x + dx - 2, y + dy - 2, dx.abs_diff(2).max(dy.abs_diff(2)) != 1);
            }
        }
    }
    // A little weight against extreme filters, which noise would ask for.
    (0..TAPS).for_each(|tap| normal.hold(tap, 0.5));
    let filter = normal.solve()?;
    let scale = 64.0 * 0.5;
    let mut out = Vec::with_capacity(luma.len());
    for y in 0..side {
        for x in 0..side {
            let sum: f64 = taps(x, y).iter().zip(filter).map(|(tap, weight)| tap * weight).sum();
            out.push(mean + scale * (sum as f32).clamp(-2.0, 2.0));
        }
    }
    Some(out)
}
