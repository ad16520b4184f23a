//! Chooses three finders that may belong to one symbol, and says which is the corner between the two others.
//!
//! The judge is the number of modules a side: along both legs it must come out alike, measured with each finder's own
//! module along that very leg, which perspective and tilt leave alone.

use super::finder::{Finder, profile};
use super::meter::{Meter, Stop};
use super::picture::Shades;

/// Finders looked at together; the triples of more would take too long.
const FINDERS_MAX: usize = 24;
/// What measuring a finder towards another costs, in units.
const UNITS_PER_PAIR: u64 = 100;

/// Three finders of one symbol, as indices: the corner, and the ends of the legs to its right and below.
#[derive(Clone, Copy, Debug)]
pub(super) struct Corner {
    pub(super) top_left: usize,
    pub(super) top_right: usize,
    pub(super) bottom_left: usize,
    /// Modules a side, as measured; not yet one of the sizes that exist.
    pub(super) side: f32,
    /// How badly the three fit together; 0 is perfect.
    pub(super) misfit: f32,
}

/// One finder measured along the line to another: a module's length, in pixels.
fn module_towards(shades: &Shades<'_>, from: &Finder, to: &Finder) -> Option<f32> {
    let edges = profile(shades, from.centre, from.centre.towards(to.centre), from.module)?;
    let module = (edges[5] - edges[0]) / 7.0;
    (0.35..2.2).contains(&(module / from.module)).then_some(module)
}

/// All corners worth trying, the best fitting first.
pub(super) fn corners(shades: &Shades<'_>, finders: &[Finder], meter: &mut Meter<'_>) -> Result<Vec<Corner>, Stop> {
    let finders = &finders[..finders.len().min(FINDERS_MAX)];
    let count = finders.len();
    // Modules between the centres of two finders along the line between them; 0 where they do not belong together.
    let mut apart = vec![0.0f32; count * count];
    for i in 0..count {
        for j in i + 1..count {
            let (a, b) = (&finders[i], &finders[j]);
            let (distance, ratio) = (a.centre.distance(b.centre), a.module / b.module);
            let mean = (a.module * b.module).sqrt();
            if !(0.28..3.5).contains(&ratio) || !(8.0..260.0).contains(&(distance / mean)) {
                continue;
            }
            meter.spend(UNITS_PER_PAIR)?;
            let (Some(here), Some(there)) = (module_towards(shades, a, b), module_towards(shades, b, a)) else {
                continue;
            };
            if (0.28..3.5).contains(&(here / there)) {
                apart[i * count + j] = distance / (here * there).sqrt();
                apart[j * count + i] = apart[i * count + j];
            }
        }
    }
    let mut found = Vec::new();
    for corner in 0..count {
        for right in 0..count {
            for below in right + 1..count {
                let (a, b) = (apart[corner * count + right], apart[corner * count + below]);
                if right == corner || below == corner || a < 10.0 || b < 10.0 || a > 190.0 || b > 190.0 {
                    continue;
                }
                if let Some(found_corner) = judge(finders, corner, right, below, (a, b)) {
                    found.push(found_corner);
                }
            }
        }
        meter.spend((count * count) as u64 / 2)?;
    }
    found.sort_by(|a, b| a.misfit.total_cmp(&b.misfit));
    Ok(found)
}

fn judge(finders: &[Finder], corner: usize, right: usize, below: usize, (a, b): (f32, f32)) -> Option<Corner> {
    let unlike = (a - b).abs() / (a + b) * 2.0;
    if unlike > 0.3 {
        return None;
    }
    let (c, r, d) = (finders[corner].centre, finders[right].centre, finders[below].centre);
    let (to_right, to_below) = (c.towards(r), c.towards(d));
    let turn = c.turn(r, d);
    let cosine = to_right.x * to_below.x + to_right.y * to_below.y;
    // Legs that nearly lie on one line belong to no symbol that can be read.
    if turn.abs() < 0.25 {
        return None;
    }
    let modules = [finders[corner].module, finders[right].module, finders[below].module];
    let spread = modules.iter().fold(0.0f32, |m, &v| m.max(v)) / modules.iter().fold(f32::MAX, |m, &v| m.min(v));
    let rows = finders[corner].rows.min(finders[right].rows).min(finders[below].rows).max(1) as f32;
    let side = (a + b) / 2.0 + 7.0;
    let misfit = unlike * 2.0 + cosine.abs() * 0.5 + (spread - 1.0) * 0.3 + 0.3 / rows + side / 400.0;
    let (top_right, bottom_left) = if turn > 0.0 { (right, below) } else { (below, right) };
    Some(Corner { top_left: corner, top_right, bottom_left, side, misfit })
}
