//! Finds finder patterns: dark, light, dark, light, dark in the proportion 1:1:3:1:1 along every line through the middle.
//!
//! Edges are placed between pixels, where luma crosses the threshold, so that modules of less than two pixels still keep
//! their proportion. What is compared first are distances between like edges (dark to light, light to dark): bloom moves
//! those together, so they keep when bars have become too thick.

use super::meter::{Meter, Stop};
use super::picture::{Point, Shades};

/// Finders kept of one picture; the ones seen on the most rows win.
pub(super) const FINDERS_MAX: usize = 64;
/// The longest finder that is looked for, in pixels: larger ones are found in a smaller picture.
const LENGTH_PX_MAX: f32 = 260.0;
const LENGTH_PX_MIN: f32 = 8.0;
/// The farthest that a ray goes, in pixels. No finder of that length needs it; it bounds a module that is none.
const REACH_PX_MAX: f32 = 4.0 * LENGTH_PX_MAX;
/// How many known finders are compared with for a unit.
const KNOWN_PER_UNIT: u64 = 2;
/// What trying a candidate costs, in units: some rays.
const UNITS_PER_CANDIDATE: u64 = 120;

/// A finder pattern, or something that looks like one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Finder {
    pub(super) centre: Point,
    /// A module's side, in pixels; the mean of several directions.
    pub(super) module: f32,
    /// Rows on which it was seen.
    pub(super) rows: u32,
}

/// Six edges in a row, and whether they have a finder's proportion. `slack` is the tolerance in modules.
fn proportioned(edges: &[f32; 6], slack: f32) -> bool {
    let [a, b, c, d, e, f] = *edges;
    let length = f - a;
    if !(LENGTH_PX_MIN..LENGTH_PX_MAX).contains(&length) {
        return false;
    }
    let module = length / 7.0;
    let loose = slack * module + 0.25;
    ((c - a) - 2.0 * module).abs() < loose
        && ((f - d) - 2.0 * module).abs() < loose
        && ((d - b) - 4.0 * module).abs() < loose * 1.5
        && ((e - c) - 4.0 * module).abs() < loose * 1.5
        && d - c > 1.6 * module
        && d - c < 4.4 * module
        && (b - a).min(c - b).min(e - d).min(f - e) > 0.25 * module
}

/// Walks from a dark place along a direction and finds where it becomes light, dark and light again, as distances.
pub(super) fn ring_edges(
    shades: &Shades<'_>,
    from: Point,
    direction: Point,
    step: f32,
    reach: f32,
) -> Option<[f32; 3]> {
    let reach = reach.min(REACH_PX_MAX);
    let mut edges = [0.0; 3];
    let mut found = 0;
    let mut before = shades.darkness(from);
    if before <= 0.0 {
        return None;
    }
    let mut at = step;
    while at <= reach {
        let here = from.along(direction, at);
        if !shades.picture.holds(here) {
            // A symbol may touch the picture's edge: its outer ring ends there.
            if found == 2 {
                edges[2] = at - step * 0.5;
                return Some(edges);
            }
            return None;
        }
        let darkness = shades.darkness(here);
        if (darkness > 0.0) != (before > 0.0) {
            edges[found] = at - step * darkness.abs() / (darkness.abs() + before.abs()).max(1e-6);
            found += 1;
            if found == 3 {
                return Some(edges);
            }
        }
        before = darkness;
        at += step;
    }
    None
}

/// The edges on both sides of a place along a line, in order, as distances from it.
pub(super) fn profile(shades: &Shades<'_>, from: Point, direction: Point, module: f32) -> Option<[f32; 6]> {
    let (step, reach) = ((module * 0.5).clamp(0.4, 1.0), module * 9.0);
    let back = Point::new(-direction.x, -direction.y);
    let [a, b, c] = ring_edges(shades, from, back, step, reach)?;
    let [d, e, f] = ring_edges(shades, from, direction, step, reach)?;
    Some([-c, -b, -a, d, e, f])
}

/// Finds the picture's finder patterns, the ones seen most often first. Every `row_step`-th row is searched.
pub(super) fn find(shades: &Shades<'_>, row_step: usize, meter: &mut Meter<'_>) -> Result<Vec<Finder>, Stop> {
    let mut finders: Vec<Finder> = Vec::new();
    let (width, height) = (shades.picture.width, shades.picture.height);
    let mut y = row_step / 2;
    while y < height {
        meter.spend(width as u64 / 4 + 16)?;
        let row = y * width..(y + 1) * width;
        search_row(
            shades,
            y,
            (&shades.picture.pixels[row.clone()], &shades.threshold.pixels[row]),
            &mut finders,
            meter,
        )?;
        y += row_step;
    }
    finders.sort_by_key(|finder| std::cmp::Reverse(finder.rows));
    finders.truncate(FINDERS_MAX);
    Ok(finders)
}

fn search_row(
    shades: &Shades<'_>,
    y: usize,
    (luma, threshold): (&[u8], &[u8]),
    finders: &mut Vec<Finder>,
    meter: &mut Meter<'_>,
) -> Result<(), Stop> {
    // The last six edges; the row's start counts as one, for symbols without a margin.
    let mut edges = [f32::NEG_INFINITY; 6];
    let mut dark = luma[0] < threshold[0];
    if dark {
        edges[5] = 0.0;
    }
    let mut x = 0;
    while x < luma.len() {
        x = end_of_run(luma, threshold, x + 1, dark);
        let edge = if x < luma.len() {
            let before = (f32::from(luma[x - 1]) - f32::from(threshold[x - 1])).abs();
            let after = (f32::from(luma[x]) - f32::from(threshold[x])).abs();
            x as f32 - 0.5 + before / (before + after).max(0.5)
        } else {
            x as f32
        };
        edges.copy_within(1.., 0);
        edges[5] = edge;
        dark = !dark;
        if dark || !proportioned(&edges, 0.6) {
            continue;
        }
        meter.spend(1 + finders.len() as u64 / KNOWN_PER_UNIT)?;
        let centre = Point::new((edges[2] + edges[3]) / 2.0, y as f32 + 0.5);
        let module = (edges[5] - edges[0]) / 7.0;
        if let Some(known) = finders.iter_mut().find(|f| f.centre.distance(centre) < 1.6 * f.module.min(module)) {
            known.rows += 1;
            continue;
        }
        meter.spend(UNITS_PER_CANDIDATE)?;
        let Some(finder) = confirm(shades, centre, module) else { continue };
        if let Some(known) = finders.iter_mut().find(|f| f.centre.distance(finder.centre) < 1.6 * f.module) {
            known.rows += 1;
        } else if finders.len() < 4 * FINDERS_MAX {
            finders.push(finder);
        }
    }
    Ok(())
}

/// Pixels that are compared at once: as many as a vector register holds.
const LANES: usize = 16;

/// The first place from `from` on that is not as dark as said; the row's length if there is none.
fn end_of_run(luma: &[u8], threshold: &[u8], from: usize, dark: bool) -> usize {
    let mut x = from.min(luma.len());
    let (here, there) = (luma[x..].chunks_exact(LANES), threshold[x..].chunks_exact(LANES));
    for (luma, threshold) in here.zip(there) {
        let alike: u8 = luma.iter().zip(threshold).map(|(luma, threshold)| u8::from((luma < threshold) == dark)).sum();
        if usize::from(alike) < LANES {
            break;
        }
        x += LANES;
    }
    let ends = |(luma, threshold): (&u8, &u8)| (luma < threshold) != dark;
    x + luma[x..].iter().zip(&threshold[x..]).position(ends).unwrap_or(luma.len() - x)
}

/// Looks at a candidate across: along its column, along its row again, and along the diagonals.
pub(super) fn confirm(shades: &Shades<'_>, centre: Point, module: f32) -> Option<Finder> {
    const DOWN: Point = Point { x: 0.0, y: 1.0 };
    const RIGHT: Point = Point { x: 1.0, y: 0.0 };
    const SLACK: f32 = 0.75;
    let column = profile(shades, centre, DOWN, module)?;
    if !proportioned(&column, SLACK) {
        return None;
    }
    let centre = centre.along(DOWN, (column[0] + column[5] + 2.0 * (column[2] + column[3])) / 6.0);
    let tall = (column[5] - column[0]) / 7.0;
    if !(0.25..4.0).contains(&(tall / module)) {
        return None;
    }
    let row = profile(shades, centre, RIGHT, module)?;
    if !proportioned(&row, SLACK) {
        return None;
    }
    let centre = centre.along(RIGHT, (row[0] + row[5] + 2.0 * (row[2] + row[3])) / 6.0);
    let wide = (row[5] - row[0]) / 7.0;
    let size = (tall * wide).sqrt();
    const HALF: f32 = std::f32::consts::FRAC_1_SQRT_2;
    let diagonals = [Point::new(HALF, HALF), Point::new(HALF, -HALF)];
    let good = diagonals.into_iter().filter_map(|d| profile(shades, centre, d, size * 1.3)).filter(|p| {
        let wide_enough = (p[5] - p[0]) / 7.0 > 0.4 * size;
        wide_enough && proportioned(p, SLACK)
    });
    (good.count() > 0).then_some(Finder { centre, module: size, rows: 1 })
}
