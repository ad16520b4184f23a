//! For symbols with a damaged finder pattern: cracked glass, a thumb, a glare right over it. Where two finders are, the
//! third can only be in one of a few places; there the best likeness of a finder is taken for it, however poor.
//!
//! Bought: 5 of 1,080 codes in gate frames and 0 of 142 photos (docs/decode.md).

use std::rc::Rc;

use super::super::corner::Corner;
use super::super::explain::{GridView, Stage};
use super::super::finder::{Finder, profile};
use super::super::grid;
use super::super::meter::{Meter, Stop};
use super::super::picture::{Picture, Point, Shades};
use super::super::reading;
use super::{FAILED_MAX, Failed, Pass, Search, TIMING_MIN, code_of};

/// Finders of which pairs are formed.
const FINDERS_MAX: usize = 8;
/// Guesses that are followed up.
const GUESSES_MAX: usize = 48;
/// The least likeness of a finder, as a share of a whole one's contrast.
const LIKENESS_MIN: f32 = 0.3;

/// A place where the third finder may be, and what it would be.
struct Guess {
    corner: [Finder; 3],
    side: f32,
    likeness: f32,
}

impl Search<'_, '_> {
    pub(super) fn two_of_three(&mut self) -> Result<(), Stop> {
        let mut guesses = Vec::new();
        for (index, look) in self.looks.iter().enumerate() {
            let shades = Shades { picture: &look.picture, threshold: &look.threshold };
            let finders = &look.finders[..look.finders.len().min(FINDERS_MAX)];
            let mut of_look = Vec::new();
            for (index, a) in finders.iter().enumerate() {
                for b in &finders[index + 1..] {
                    guess(&shades, a, b, &mut of_look, &mut self.meter)?;
                }
            }
            guesses.extend(of_look.into_iter().map(|guess: Guess| (index, guess)));
        }
        guesses.sort_by(|(_, a), (_, b)| b.likeness.total_cmp(&a.likeness));
        for (index, guess) in guesses.iter().take(GUESSES_MAX) {
            let look = Rc::clone(&self.looks[*index]);
            let (place, method) = (look.place, look.method);
            let shades = Shades { picture: &look.picture, threshold: &look.threshold };
            let corner = Corner { top_left: 0, top_right: 1, bottom_left: 2, side: guess.side, misfit: 0.0 };
            let Some(grid) = grid::lay(&shades, &guess.corner, &corner, TIMING_MIN, &mut self.meter)? else { continue };
            let picture = &look.picture;
            (self.watch)(Stage::Grid(GridView { pass: Pass::TwoOfThree, picture, grid: &grid }));
            match reading::read(&shades, &grid, &mut self.meter)? {
                Some(reading) => {
                    self.add(Pass::TwoOfThree, code_of(&reading, place), place, method);
                    return Ok(());
                }
                None if self.failed.len() < FAILED_MAX => self.failed.push(Failed { look: *index, grid }),
                None => {}
            }
        }
        self.remedies(Pass::TwoOfThree)
    }
}

fn guess(
    shades: &Shades<'_>,
    a: &Finder,
    b: &Finder,
    guesses: &mut Vec<Guess>,
    meter: &mut Meter<'_>,
) -> Result<(), Stop> {
    let ratio = a.module / b.module;
    if !(0.5..2.0).contains(&ratio) {
        return Ok(());
    }
    meter.spend(200)?;
    let direction = a.centre.towards(b.centre);
    let (Some(along), Some(across)) = (length(shades, a, direction), length(shades, a, turned(direction))) else {
        return Ok(());
    };
    let slanted = Point::new(direction.x - direction.y, direction.x + direction.y);
    let slanted = Point::new(slanted.x * 0.707, slanted.y * 0.707);
    let (Some(up), Some(down)) = (length(shades, a, slanted), length(shades, a, turned(slanted))) else {
        return Ok(());
    };
    let distance = a.centre.distance(b.centre);
    // Through a square's middle the way along its sides is shorter than from corner to corner.
    let module = ((along * across).min(up * down)).sqrt() / 7.0;
    if along * across < up * down {
        let side = distance / module + 7.0;
        for sign in [1.0, -1.0] {
            let down = Point::new(-direction.y * sign, direction.x * sign);
            let axes = (direction, down);
            let places = [(a, b, a.centre.along(down, distance)), (b, a, b.centre.along(down, distance))];
            for (corner, other, place) in places {
                try_place(shades, (corner, other), place, module, axes, side, guesses, meter)?;
            }
        }
    } else {
        let side = distance / (module * std::f32::consts::SQRT_2) + 7.0;
        let middle = a.centre.along(direction, distance / 2.0);
        for sign in [1.0, -1.0] {
            let place = middle.along(turned(direction), sign * distance / 2.0);
            try_corner(shades, (a, b), place, module, side, guesses, meter)?;
        }
    }
    Ok(())
}

/// The missing finder is the end of a leg.
#[allow(clippy::too_many_arguments)]
fn try_place(
    shades: &Shades<'_>,
    (corner, other): (&Finder, &Finder),
    place: Point,
    module: f32,
    axes: (Point, Point),
    side: f32,
    guesses: &mut Vec<Guess>,
    meter: &mut Meter<'_>,
) -> Result<(), Stop> {
    let Some((third, likeness)) = likest(shades, corner, place, module, axes, meter)? else { return Ok(()) };
    let (to_other, to_third) = (corner.centre.towards(other.centre), corner.centre.towards(third.centre));
    let turn = to_other.x * to_third.y - to_other.y * to_third.x;
    let corner = if turn > 0.0 { [*corner, *other, third] } else { [*corner, third, *other] };
    guesses.push(Guess { corner, side, likeness });
    Ok(())
}

/// The missing finder is the corner between the two that are there.
fn try_corner(
    shades: &Shades<'_>,
    (a, b): (&Finder, &Finder),
    place: Point,
    module: f32,
    side: f32,
    guesses: &mut Vec<Guess>,
    meter: &mut Meter<'_>,
) -> Result<(), Stop> {
    let axes = (place.towards(a.centre), place.towards(b.centre));
    let Some((third, likeness)) = likest(shades, a, place, module, axes, meter)? else { return Ok(()) };
    let (to_a, to_b) = (third.centre.towards(a.centre), third.centre.towards(b.centre));
    let turn = to_a.x * to_b.y - to_a.y * to_b.x;
    let corner = if turn > 0.0 { [third, *a, *b] } else { [third, *b, *a] };
    guesses.push(Guess { corner, side, likeness });
    Ok(())
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
