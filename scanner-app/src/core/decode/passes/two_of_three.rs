//! For symbols with a damaged finder pattern: cracked glass, a thumb, a glare right over it. Where two finders are, the
//! third can only be in one of a few places; there the best likeness of a finder is taken for it, however poor.
//!
//! Bought: 5 of 1,080 codes in gate frames and 0 of 142 photos (docs/decode.md).

use std::rc::Rc;

use super::super::corner::Corner;
use super::super::finder::{Finder, profile};
use super::super::grid;
use super::super::meter::{Meter, Stop};
use super::super::picture::{Picture, Point, Shades};
use super::super::reading;
use super::{Pass, Search, TIMING_MIN};

/// Finders of which pairs are formed.
const FINDERS_MAX: usize = 8;
/// Guesses that are followed up.
const GUESSES_MAX: usize = 48;
/// The least likeness of a finder, as a share of a whole one's contrast.
const LIKENESS_MIN: f32 = 0.3;

/// What measuring a pair costs, in units.
const UNITS_PER_PAIR: u64 = 200;

/// A place where the third finder may be, and what it would be: the corner, then the ends of its legs.
struct Guess {
    corner: [Finder; 3],
    side: f32,
    likeness: f32,
}

impl Search<'_, '_> {
    pub(super) fn two_of_three(&mut self) -> Result<(), Stop> {
        let mut guesses = Vec::new();
        for look in &self.looks {
            let finders = &look.finders[..look.finders.len().min(FINDERS_MAX)];
            for (index, a) in finders.iter().enumerate() {
                for b in &finders[index + 1..] {
                    let found = guess(&look.shades(), a, b, &mut self.meter)?;
                    guesses.extend(found.into_iter().map(|guess| (Rc::clone(look), guess)));
                }
            }
        }
        guesses.sort_by(|(_, a), (_, b)| b.likeness.total_cmp(&a.likeness));
        for (look, guess) in guesses.iter().take(GUESSES_MAX) {
            let corner = Corner { top_left: 0, top_right: 1, bottom_left: 2, side: guess.side, misfit: 0.0 };
            let laid = grid::lay(&look.shades(), &guess.corner, &corner, TIMING_MIN, &mut self.meter)?;
            let Some(grid) = laid else { continue };
            self.watch_grid(Pass::TwoOfThree, look, &grid);
            match reading::read(&look.shades(), &grid, &mut self.meter)? {
                Some(reading) => {
                    self.add(Pass::TwoOfThree, look, reading);
                    return Ok(());
                }
                None => self.keep_failed(look, grid),
            }
        }
        self.remedies(Pass::TwoOfThree)
    }
}

/// Where the third of two finders may be.
fn guess(shades: &Shades<'_>, a: &Finder, b: &Finder, meter: &mut Meter<'_>) -> Result<Vec<Guess>, Stop> {
    let mut guesses = Vec::new();
    if !(0.5..2.0).contains(&(a.module / b.module)) {
        return Ok(guesses);
    }
    meter.spend(UNITS_PER_PAIR)?;
    let direction = a.centre.towards(b.centre);
    let half = std::f32::consts::FRAC_1_SQRT_2;
    let slanted = Point::new((direction.x - direction.y) * half, (direction.x + direction.y) * half);
    let lengths = [direction, turned(direction), slanted, turned(slanted)].map(|along| length(shades, a, along));
    let [Some(along), Some(across), Some(up), Some(down)] = lengths else { return Ok(guesses) };
    let distance = a.centre.distance(b.centre);
    // Through a square's middle the way along its sides is shorter than from corner to corner.
    let module = ((along * across).min(up * down)).sqrt() / 7.0;
    for sign in [1.0, -1.0] {
        let aside = Point::new(-direction.y * sign, direction.x * sign);
        if along * across < up * down {
            // They are the ends of one leg: the third is the end of the other, at the one or the other of them.
            let side = distance / module + 7.0;
            for (corner, other) in [(a, b), (b, a)] {
                let place = corner.centre.along(aside, distance);
                if let Some((third, likeness)) = likest(shades, corner, place, module, (direction, aside), meter)? {
                    guesses.push(Guess { corner: clockwise(*corner, *other, third), side, likeness });
                }
            }
        } else {
            // They are the ends of both legs: the third is the corner between.
            let side = distance / (module * std::f32::consts::SQRT_2) + 7.0;
            let place = a.centre.along(direction, distance / 2.0).along(aside, distance / 2.0);
            let axes = (place.towards(a.centre), place.towards(b.centre));
            if let Some((third, likeness)) = likest(shades, a, place, module, axes, meter)? {
                guesses.push(Guess { corner: clockwise(third, *a, *b), side, likeness });
            }
        }
    }
    Ok(guesses)
}

/// A corner with its legs' ends in the order right, below.
fn clockwise(corner: Finder, a: Finder, b: Finder) -> [Finder; 3] {
    if corner.centre.turn(a.centre, b.centre) > 0.0 { [corner, a, b] } else { [corner, b, a] }
}

/// What looks most like a finder about a place.
fn likest(
    shades: &Shades<'_>,
    known: &Finder,
    place: Point,
    module: f32,
    axes: (Point, Point),
    meter: &mut Meter<'_>,
) -> Result<Option<(Finder, f32)>, Stop> {
    let distance = known.centre.distance(place);
    let reach = (0.16 * distance / module).clamp(2.0, 8.0);
    let whole = likeness(shades.picture, known.centre, module, axes).max(8.0);
    let mut best = (LIKENESS_MIN * whole, None);
    let mut around = place;
    for (reach, step) in [(reach, 0.8), (0.8, 0.25)] {
        let steps = (reach / step).ceil() as i32;
        meter.spend(49 * (2 * steps + 1).pow(2) as u64)?;
        for j in -steps..=steps {
            for i in -steps..=steps {
                let at = around.along(axes.0, i as f32 * step * module).along(axes.1, j as f32 * step * module);
                let score = likeness(shades.picture, at, module, axes);
                if shades.picture.holds(at) && score > best.0 {
                    best = (score, Some(at));
                }
            }
        }
        let Some(found) = best.1 else { return Ok(None) };
        around = found;
    }
    Ok(best.1.map(|centre| (Finder { centre, module, rows: 1 }, best.0 / whole)))
}

fn turned(direction: Point) -> Point {
    Point::new(-direction.y, direction.x)
}

/// A finder's length through its middle, in pixels.
fn length(shades: &Shades<'_>, finder: &Finder, direction: Point) -> Option<f32> {
    profile(shades, finder.centre, direction, finder.module * 1.3).map(|edges| edges[5] - edges[0])
}

/// The contrast between a finder's light ring and its dark ones, if one stood here.
fn likeness(picture: &Picture, centre: Point, module: f32, axes: (Point, Point)) -> f32 {
    let (mut dark, mut light) = (0.0, 0.0);
    for y in -3i32..=3 {
        for x in -3i32..=3 {
            let at = centre.along(axes.0, x as f32 * module).along(axes.1, y as f32 * module);
            let luma = picture.at(at);
            if x.abs().max(y.abs()) == 2 {
                light += luma;
            } else {
                dark += luma;
            }
        }
    }
    light / 16.0 - dark / 33.0
}
