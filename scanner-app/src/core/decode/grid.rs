//! Lays a symbol's grid of modules over the picture: from three finders, then along the timing patterns, then onto the
//! alignment patterns. Each step only adds measurements to one least-squares fit, so a missing one does no harm.

use super::corner::Corner;
use super::finder::{Finder, ring_edges};
use super::homography::{Fit, Homography};
use super::meter::{Meter, Stop};
use super::picture::{Point, Shades};
use super::symbol::Version;

/// Directions in which each finder's edges are measured.
const RAYS: usize = 16;
/// What fitting three finders costs, in units.
const UNITS_PER_FIT: u64 = 1_600;
/// How much the fit is held back from perspective: enough against noise, too little to matter otherwise.
const STIFFNESS: f64 = 1e-3;
/// The first version whose symbols say which they are.
const FIRST_WITH_CODE: usize = 7;
/// The least agreement with a version's code, from -1 to 1, that is believed.
const VERSION_AGREEMENT_MIN: f32 = 0.7;
/// What a module of difference between a size and the measured one takes from its timing patterns' agreement.
const SIZE_DOUBT: f32 = 0.015;

/// A symbol's grid: where each module is.
#[derive(Clone)]
pub(super) struct Grid {
    pub(super) version: Version,
    /// From modules (x to the right, y down, 0.5 the middle of the first) to pixels.
    pub(super) to_pixels: Homography,
    /// Which share of the timing patterns' modules has the right colour.
    pub(super) timing: f32,
    /// Whether the lower right alignment pattern was found.
    pub(super) aligned: bool,
}

/// What the frame before says of a symbol whose finders are found again.
pub(super) struct Expected {
    pub(super) version: Version,
    /// Where the place is that makes a square with the finders' middles, in pixels.
    pub(super) far: Point,
}

/// A finder's place in the symbol and in the picture.
#[derive(Clone, Copy)]
struct Anchor {
    module: Point,
    pixel: Point,
    pixels_per_module: f32,
}

impl Grid {
    /// The middle of the module in column `x` and row `y`, in pixels.
    pub(super) fn middle(&self, x: usize, y: usize) -> Point {
        self.to_pixels.map(Point::new(x as f32 + 0.5, y as f32 + 0.5))
    }

    /// The symbol's corners: top left, top right, bottom right, bottom left.
    pub(super) fn corners(&self) -> [Point; 4] {
        let side = self.version.side() as f32;
        [(0.0, 0.0), (side, 0.0), (side, side), (0.0, side)].map(|(x, y)| self.to_pixels.map(Point::new(x, y)))
    }

    /// The middles of three finders and the place that makes a square with them, in the order of `corners`.
    pub(super) fn square(&self) -> [Point; 4] {
        let far = self.version.side() as f32 - 3.5;
        [(3.5, 3.5), (far, 3.5), (far, far), (3.5, far)].map(|(x, y)| self.to_pixels.map(Point::new(x, y)))
    }

    /// A module's side in the symbol's middle, in pixels.
    pub(super) fn module_px(&self) -> f32 {
        let middle = self.version.side() as f32 / 2.0;
        let here = self.to_pixels.map(Point::new(middle, middle));
        let right = self.to_pixels.map(Point::new(middle + 1.0, middle));
        let below = self.to_pixels.map(Point::new(middle, middle + 1.0));
        ((right.x - here.x) * (below.y - here.y) - (right.y - here.y) * (below.x - here.x)).abs().sqrt()
    }

    /// This grid with its lower right corner moved, in modules; the other three stay.
    pub(super) fn with_corner_moved(&self, by: Point) -> Option<Grid> {
        let far = self.version.side() as f32 - 3.5;
        let from = [(3.5, 3.5), (far, 3.5), (3.5, far), (far, far)].map(|(x, y)| Point::new(x, y));
        let mut to = from;
        to[3] = Point::new(far + by.x, far + by.y);
        let to_pixels = Homography::of_quad(from, to.map(|p| self.to_pixels.map(p)))?;
        Some(Grid { to_pixels, ..self.clone() })
    }

    /// Whether the grid lies in the picture, or nearly.
    fn plausible(&self, shades: &Shades<'_>) -> bool {
        let (width, height) = (shades.picture.width as f32, shades.picture.height as f32);
        let inside = self
            .corners()
            .iter()
            .all(|p| p.x > -0.1 * width && p.y > -0.1 * height && p.x < 1.1 * width && p.y < 1.1 * height);
        inside && (0.7..400.0).contains(&self.module_px())
    }
}

/// The grid over three finders; `None` when no size fits them.
pub(super) fn lay(
    shades: &Shades<'_>,
    finders: &[Finder],
    corner: &Corner,
    timing_min: f32,
    meter: &mut Meter<'_>,
) -> Result<Option<Grid>, Stop> {
    let mut best: Option<(f32, Grid, Fit)> = None;
    // No number beyond these can be meant; it bounds the loop, whatever was measured.
    let guess = ((corner.side - 17.0) / 4.0).round().clamp(1.0, 60.0) as isize;
    // The measured size is off by more, the larger the symbol.
    let reach = 1 + guess / 12;
    for number in guess - reach..=guess + reach {
        let Some(version) = usize::try_from(number).ok().and_then(Version::new) else { continue };
        if (version.side() as f32 - corner.side).abs() > 3.2 + corner.side * 0.06 {
            continue;
        }
        // The fit, and both timing patterns looked at.
        meter.spend(UNITS_PER_FIT + 2 * version.side() as u64)?;
        let anchors = anchors(version, finders, corner);
        let Some((to_pixels, fit)) = fit_finders(shades, &anchors) else { continue };
        let mut grid = Grid { version, to_pixels, timing: 0.0, aligned: false };
        if !grid.plausible(shades) {
            continue;
        }
        grid.timing = timing_agreement(shades, &grid);
        // Of two sizes that fit alike, the one nearer to what was measured.
        let score = grid.timing - SIZE_DOUBT * (version.side() as f32 - corner.side).abs();
        if best.as_ref().is_none_or(|(known, ..)| score > *known) {
            best = Some((score, grid, fit));
        }
    }
    let Some((_, mut grid, mut fit)) = best else { return Ok(None) };
    if grid.timing < timing_min {
        return Ok(None);
    }
    // The version's places, the timing patterns' edges in four steps a module, and their colours once more.
    meter.spend(UNITS_PER_FIT + 10 * grid.version.side() as u64)?;
    if grid.version.number() >= FIRST_WITH_CODE {
        grid = with_version_read(shades, finders, corner, grid, &mut fit);
    }
    add_timing(shades, &grid, &mut fit);
    refit(&mut grid, &fit);
    let side = grid.version.side() as f32;
    let (base, slope) = if grid.version.number() < FIRST_WITH_CODE { (1.0 + 0.07 * side, 0.0) } else { (1.0, 2.5) };
    // What lies far from all finders is known less well.
    align(shades, &mut grid, &mut fit, |far| base + slope * far, meter)?;
    grid.timing = timing_agreement(shades, &grid);
    Ok(grid.plausible(shades).then_some(grid))
}

/// The grid over the three finders of a symbol that was read in the frame before.
pub(super) fn lay_again(
    shades: &Shades<'_>,
    finders: &[Finder],
    corner: &Corner,
    expected: &Expected,
    meter: &mut Meter<'_>,
) -> Result<Option<Grid>, Stop> {
    const EXPECTED_WEIGHT: f32 = 4.0;
    let version = expected.version;
    meter.spend(UNITS_PER_FIT + version.side() as u64)?;
    let Some((to_pixels, mut fit)) = fit_finders(shades, &anchors(version, finders, corner)) else { return Ok(None) };
    let far = version.side() as f32 - 3.5;
    fit.is_at_x(expected.far, far, EXPECTED_WEIGHT);
    fit.is_at_y(expected.far, far, EXPECTED_WEIGHT);
    let mut grid = Grid { version, to_pixels, timing: 0.0, aligned: false };
    refit(&mut grid, &fit);
    align(shades, &mut grid, &mut fit, |_| 0.5, meter)?;
    grid.timing = timing_agreement(shades, &grid);
    Ok(grid.plausible(shades).then_some(grid))
}

fn refit(grid: &mut Grid, fit: &Fit) {
    if let Some(to_pixels) = fit.solve(STIFFNESS).and_then(|to_modules| to_modules.inverse()) {
        grid.to_pixels = to_pixels;
    }
}

fn anchors(version: Version, finders: &[Finder], corner: &Corner) -> [Anchor; 3] {
    let far = version.side() as f32 - 3.5;
    let anchor = |index: usize, x: f32, y: f32| Anchor {
        module: Point::new(x, y),
        pixel: finders[index].centre,
        pixels_per_module: finders[index].module,
    };
    [anchor(corner.top_left, 3.5, 3.5), anchor(corner.top_right, far, 3.5), anchor(corner.bottom_left, 3.5, far)]
}

/// Fits the grid to the finders' edges. Each edge that a ray meets lies on a side of a square of known size, which says
/// one of its coordinates; which side it is, the fit before tells.
fn fit_finders(shades: &Shades<'_>, anchors: &[Anchor; 3]) -> Option<(Homography, Fit)> {
    let origin =
        Point::new((anchors[1].pixel.x + anchors[2].pixel.x) / 2.0, (anchors[1].pixel.y + anchors[2].pixel.y) / 2.0);
    let centres = |fit: &mut Fit, weight: f32| {
        for anchor in anchors {
            fit.is_at_x(anchor.pixel, anchor.module.x, weight);
            fit.is_at_y(anchor.pixel, anchor.module.y, weight);
        }
    };
    let mut first = Fit::new(origin);
    centres(&mut first, 1.0);
    let mut to_modules = first.solve(1e3)?;

    let mut edges = Vec::with_capacity(3 * RAYS);
    for anchor in anchors {
        let step = (anchor.pixels_per_module * 0.5).clamp(0.4, 1.0);
        for ray in 0..RAYS {
            let (sin, cos) = (ray as f32 / RAYS as f32 * std::f32::consts::TAU).sin_cos();
            let direction = Point::new(cos, sin);
            let found = ring_edges(shades, anchor.pixel, direction, step, anchor.pixels_per_module * 8.0);
            if let Some(distances) = found {
                edges.push((*anchor, distances.map(|d| anchor.pixel.along(direction, d))));
            }
        }
    }
    let mut fit = Fit::new(origin);
    for round in 0..2 {
        fit = Fit::new(origin);
        centres(&mut fit, 4.0);
        let tolerance = if round == 0 { 1.6 } else { 0.8 };
        for (anchor, places) in &edges {
            for (place, radius) in places.iter().zip([1.5f32, 2.5, 3.5]) {
                let at = to_modules.map(*place);
                let (dx, dy) = (at.x - anchor.module.x, at.y - anchor.module.y);
                if dx.abs() > 1.15 * dy.abs() && (dx.abs() - radius).abs() < tolerance {
                    fit.is_at_x(*place, anchor.module.x + radius * dx.signum(), 1.0);
                } else if dy.abs() > 1.15 * dx.abs() && (dy.abs() - radius).abs() < tolerance {
                    fit.is_at_y(*place, anchor.module.y + radius * dy.signum(), 1.0);
                }
            }
        }
        to_modules = fit.solve(STIFFNESS)?;
    }
    Some((to_modules.inverse()?, fit))
}

/// Which share of the modules between the finders, along row 6 and column 6, has the timing pattern's colour.
fn timing_agreement(shades: &Shades<'_>, grid: &Grid) -> f32 {
    let side = grid.version.side();
    let mut right = 0;
    for at in 8..side - 8 {
        for place in [grid.middle(at, 6), grid.middle(6, at)] {
            right += usize::from((shades.darkness(place) > 0.0) == at.is_multiple_of(2));
        }
    }
    right as f32 / (2 * (side - 16)) as f32
}

/// Adds the timing patterns' edges: they alternate at every module, so each crossing says where it is along the row.
fn add_timing(shades: &Shades<'_>, grid: &Grid, fit: &mut Fit) {
    const STEPS_PER_MODULE: usize = 4;
    const WEIGHT: f32 = 0.7;
    let side = grid.version.side();
    for down in [false, true] {
        let mut before: Option<f32> = None;
        for step in 0..=(side - 14) * STEPS_PER_MODULE {
            let along = 7.0 + (step as f32 - 0.5) / STEPS_PER_MODULE as f32;
            let place = |along: f32| {
                let module = if down { Point::new(6.5, along) } else { Point::new(along, 6.5) };
                grid.to_pixels.map(module)
            };
            let darkness = shades.darkness(place(along));
            if let Some(known) = before
                && (known > 0.0) != (darkness > 0.0)
            {
                let back = darkness.abs() / (darkness.abs() + known.abs()).max(1e-6) / STEPS_PER_MODULE as f32;
                let edge = along - back;
                // Dark modules begin at even numbers and end at odd ones.
                let begins = if darkness > 0.0 { 0.0 } else { 1.0 };
                let whole = ((edge - begins) / 2.0).round() * 2.0 + begins;
                if (edge - whole).abs() < 0.6 {
                    if down {
                        fit.is_at_y(place(edge), whole, WEIGHT);
                    } else {
                        fit.is_at_x(place(edge), whole, WEIGHT);
                    }
                }
            }
            before = Some(darkness);
        }
    }
}

/// Looks for the alignment patterns, nearest to what is known first, and pulls the grid onto them. `reach` says how far
/// about its place one is looked for, in modules, by how far that is from all finders, in sides.
fn align(
    shades: &Shades<'_>,
    grid: &mut Grid,
    fit: &mut Fit,
    reach: impl Fn(f32) -> f32,
    meter: &mut Meter<'_>,
) -> Result<(), Stop> {
    let side = grid.version.side();
    let alignment = grid.version.alignment();
    let mut centres: Vec<(usize, usize)> = alignment.centres(side).collect();
    centres.sort_by_key(|(x, y)| x + y);
    let last = (side - 7, side - 7);
    for (x, y) in centres {
        let reach = reach((x + y).saturating_sub(side) as f32 / side as f32);
        let Some(found) = find_alignment(shades, grid, (x, y), reach, meter)? else { continue };
        let weight = if (x, y) == last { 30.0 } else { 12.0 };
        fit.is_at_x(found, x as f32 + 0.5, weight);
        fit.is_at_y(found, y as f32 + 0.5, weight);
        refit(grid, fit);
        grid.aligned |= (x, y) == last;
    }
    Ok(())
}

/// How much the modules about a place look like an alignment pattern: contrast of its light ring to the dark, in luma.
fn alignment_contrast(shades: &Shades<'_>, grid: &Grid, middle: Point) -> f32 {
    // So small a part of the plane is seen as good as undistorted.
    let here = grid.to_pixels.map(middle);
    let far = |x, y| grid.to_pixels.map(Point::new(middle.x + x, middle.y + y));
    let (right, below) = (far(2.0, 0.0), far(0.0, 2.0));
    let column = Point::new((right.x - here.x) / 2.0, (right.y - here.y) / 2.0);
    let row = Point::new((below.x - here.x) / 2.0, (below.y - here.y) / 2.0);
    let (mut dark, mut light, mut ring) = (0.0, 0.0, 0.0f32);
    for dy in -2i32..=2 {
        for dx in -2i32..=2 {
            let luma = shades.picture.at(here.along(column, dx as f32).along(row, dy as f32));
            match dx.abs().max(dy.abs()) {
                0 => dark += 2.0 * luma,
                1 => light += luma,
                _ => ring += luma,
            }
        }
    }
    light / 8.0 - (dark + ring) / 18.0
}

/// The alignment pattern about (x, y), in pixels.
fn find_alignment(
    shades: &Shades<'_>,
    grid: &Grid,
    (x, y): (usize, usize),
    reach: f32,
    meter: &mut Meter<'_>,
) -> Result<Option<Point>, Stop> {
    let expected = Point::new(x as f32 + 0.5, y as f32 + 0.5);
    if !shades.picture.holds(grid.to_pixels.map(expected)) {
        return Ok(None);
    }
    // What light and dark differ by in this symbol, from a finder's ring and heart.
    let heart = shades.picture.at(grid.middle(3, 3));
    let ring = (0..4).map(|i| shades.picture.at(grid.middle([1, 5, 3, 3][i], [3, 3, 1, 5][i]))).sum::<f32>() / 4.0;
    let contrast = (ring - heart).max(1.0);
    let mut best = (0.36 * contrast, None);
    let mut search = |around: Point, reach: f32, step: f32, best: &mut (f32, Option<Point>)| -> Result<(), Stop> {
        let steps = (reach / step).ceil() as i32;
        meter.spend(25 * (2 * steps + 1).pow(2) as u64)?;
        for j in -steps..=steps {
            for i in -steps..=steps {
                let here = Point::new(around.x + i as f32 * step, around.y + j as f32 * step);
                let score = alignment_contrast(shades, grid, here) - 0.02 * contrast * here.distance(expected);
                if score > best.0 {
                    *best = (score, Some(here));
                }
            }
        }
        Ok(())
    };
    search(expected, reach.min(1.5), 0.5, &mut best)?;
    if best.0 < 0.6 * contrast && reach > 1.5 {
        search(expected, reach, 0.5, &mut best)?;
    }
    let Some(coarse) = best.1 else { return Ok(None) };
    search(coarse, 0.25, 0.25, &mut best)?;
    search(best.1.unwrap_or(coarse), 0.125, 0.125, &mut best)?;
    Ok(best.1.map(|found| grid.to_pixels.map(found)))
}

/// Reads the version that symbols from 7 on carry, and lays the grid anew if it says another one.
fn with_version_read(shades: &Shades<'_>, finders: &[Finder], corner: &Corner, grid: Grid, fit: &mut Fit) -> Grid {
    let side = grid.version.side();
    let mut likely: Option<(f32, Version)> = None;
    for mirrored in [false, true] {
        let values: [f32; 18] = std::array::from_fn(|bit| {
            let (far, near) = (side - 11 + bit % 3, bit / 3);
            let place = |x, y| shades.darkness(if mirrored { grid.middle(y, x) } else { grid.middle(x, y) });
            place(far, near) + place(near, far)
        });
        let size: f32 = values.iter().map(|v| v.abs()).sum::<f32>().max(1e-6);
        for version in (FIRST_WITH_CODE..).map_while(Version::new) {
            let code = version.code();
            let agreement: f32 =
                (0..18).map(|bit| if code >> bit & 1 == 1 { values[bit] } else { -values[bit] }).sum::<f32>() / size;
            if likely.is_none_or(|(known, _)| agreement > known) {
                likely = Some((agreement, version));
            }
        }
    }
    let Some((agreement, version)) = likely else { return grid };
    if agreement <= VERSION_AGREEMENT_MIN || version == grid.version {
        return grid;
    }
    let Some((to_pixels, other)) = fit_finders(shades, &anchors(version, finders, corner)) else { return grid };
    let mut moved = Grid { version, to_pixels, ..grid.clone() };
    moved.timing = timing_agreement(shades, &moved);
    if moved.timing < grid.timing {
        return grid;
    }
    *fit = other;
    moved
}
