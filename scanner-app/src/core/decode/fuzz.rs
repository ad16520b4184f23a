//! What must hold for any bytes at all: the bodies of the fuzz targets in `fuzz/`, run by tests with seeded input as well.
//!
//! Each function makes whatever the bytes say (modules, points, pictures, frames) and panics where an invariant of the
//! decoder is broken: nothing panics by itself, no meter pays more than its units, and once a deadline has passed it is not
//! asked about again. Not a part of the library that others use: it is compiled for tests and with feature `fuzzing` alone.

use std::sync::LazyLock;

use qrcodegen::{Mask, QrCode, QrCodeEcc, QrSegment, Version as QrVersion};

use super::corner::{self, Corner};
use super::finder::{self, Finder};
use super::grid::{self, Grid};
use super::homography::{Fit, Homography};
use super::luma::LumaView;
use super::meter::Meter;
use super::picture::{Picture, Point, Shades};
use super::remedies::{equalise, straighten, vote, warp};
use super::symbol::Version;
use super::{Decoder, Limits, Stop, reading, sample};

/// Any bytes as modules, as Reed-Solomon blocks and as segments.
///
/// # Panics
/// Where an invariant of the bit-level reader is broken.
pub fn bits(data: &[u8]) {
    super::symbol::fuzz::bits(&mut Input::new(data));
}

/// Any bytes as points, and as small pictures with finders anywhere.
///
/// # Panics
/// Where an invariant of locating and sampling is broken.
pub fn geometry(data: &[u8]) {
    let mut input = Input::new(data);
    match input.byte() % 4 {
        0 => mappings(&mut input),
        1 => candidates(&mut input),
        2 => threes_of_finders(&mut input),
        _ => grids(&mut input),
    }
}

/// Any bytes as up to three frames of at most 640x480, one after the other before one decoder.
///
/// # Panics
/// Where an invariant of the decoder is broken.
pub fn frame(data: &[u8]) {
    let mut input = Input::new(data);
    let limits = limits(&mut input);
    let mut decoder = Decoder::new(limits);
    let mut canvas = Canvas::sized(&mut input, 640, 480);
    for _ in 0..2 + input.below(2) {
        if input.one_in(8) {
            canvas = Canvas::sized(&mut input, 640, 480);
        }
        canvas.paint(&mut input);
        let Picture { width, height, .. } = canvas.picture;
        let whole = LumaView::new(width, height, width, &canvas.picture.pixels).expect("a canvas is a picture");
        // A part has a stride of its own, and moves what is tracked.
        let (left, top) = if input.one_in(2) { (0, 0) } else { (input.below(40), input.below(40)) };
        let view = whole.part(left, top, width.saturating_sub(left), height.saturating_sub(top)).unwrap_or(whole);
        // Mostly never; else after that many looks at the deadline.
        let looks_left = if input.one_in(4) { input.below(200) } else { usize::MAX };
        let mut asked = 0;
        let decoded = decoder.decode(&view, &mut || {
            asked += 1;
            assert!(asked <= looks_left.saturating_add(1), "the deadline was asked about after it had passed");
            asked > looks_left
        });
        assert!(decoded.units <= limits.units_max, "{} of {} units", decoded.units, limits.units_max);
        assert!(decoded.codes.len() <= limits.codes_max);
        assert_eq!(decoded.stopped == Some(Stop::Deadline), asked > looks_left);
        assert_eq!(decoded.codes.is_empty(), decoded.pass.is_none());
        assert!(decoded.codes.iter().all(|code| !code.text.is_empty()), "a code says something");
    }
    let (left, top, width, height) = (input.word(), input.word(), input.word(), input.word());
    let Picture { width: across, height: down, ref pixels } = canvas.picture;
    let whole = LumaView::new(across, down, across, pixels).expect("a canvas is a picture");
    let at = |v: u16| if v > 0xFF00 { usize::MAX - usize::from(v & 0xFF) } else { usize::from(v) };
    if let Some(part) = whole.part(at(left), at(top), at(width), at(height)) {
        assert_eq!(part.row(part.height() - 1).len(), part.width());
    }
}

fn limits(input: &mut Input<'_>) -> Limits {
    let usual = Limits { units_max: 2_000_000, ..Limits::default() };
    if !input.one_in(4) {
        return usual;
    }
    Limits {
        side_px_max: input.below(700),
        side_px_min: input.below(60),
        units_max: [0, 1, 1_000, 30_000, 300_000, 2_000_000][input.below(6)] + input.below(30_000) as u64,
        codes_max: input.below(5),
    }
}

/// Homographies and fits through any points.
fn mappings(input: &mut Input<'_>) {
    let mut point = || {
        let (x, y) = (input.any_float(), input.any_float());
        Point::new(x, y)
    };
    let (from, to): ([Point; 4], [Point; 4]) = (std::array::from_fn(|_| point()), std::array::from_fn(|_| point()));
    let (probe, origin, direction) = (point(), point(), point());
    if let Some(there) = Homography::of_quad(from, to) {
        let _ = there.map(probe);
        if let Some(back) = there.inverse() {
            let _ = back.map(there.map(probe));
        }
    }
    let _ = probe.along(direction, origin.x).towards(from[0]).distance(to[0]);
    let mut fit = Fit::new(origin);
    for _ in 0..input.below(24) {
        let (place, value) = (Point::new(input.any_float(), input.any_float()), input.any_float());
        let weight = if input.one_in(8) { input.any_float() } else { 1.0 };
        if input.one_in(2) {
            fit.is_at_x(place, value, weight);
        } else {
            fit.is_at_y(place, value, weight);
        }
    }
    let stiffness = f64::from(if input.one_in(4) { input.any_float() } else { 1e-3 });
    if let Some(mapping) = fit.solve(stiffness) {
        let _ = mapping.map(probe);
        let _ = mapping.inverse().map(|back| back.map(probe));
    }
}

/// A small picture, and what looks like a finder in it.
fn candidates(input: &mut Input<'_>) {
    let mut canvas = Canvas::sized(input, 90, 90);
    canvas.paint(input);
    let inverted = input.one_in(4);
    metered(input, |input, meter| {
        let picture = if inverted { canvas.picture.inverted(meter)? } else { canvas.picture };
        let (radius, bias) = (input.below(150), input.below(600) as i32 - 300);
        let threshold = picture.local_means(radius, bias, meter)?;
        assert_eq!(threshold.pixels.len(), picture.pixels.len());
        let shades = Shades { picture: &picture, threshold: &threshold };
        for _ in 0..input.below(6) {
            let finder = any_finder(input, &[]);
            let _ = finder::confirm(&shades, finder.centre, finder.module);
            let direction = Point::default().towards(Point::new(input.any_float(), input.any_float()));
            let _ = finder::profile(&shades, finder.centre, direction, finder.module);
            let _ = (picture.at(finder.centre), picture.nearest(finder.centre));
        }
        let found = finder::find(&shades, 1 + input.below(3), meter)?;
        assert!(found.len() <= finder::FINDERS_MAX);
        for finder in &found {
            assert!(finder.centre.x.is_finite() && finder.centre.y.is_finite() && finder.module > 0.0, "{finder:?}");
        }
        corner::corners(&shades, &found, meter).map(|_| ())
    });
}

/// A small picture with finders wherever the bytes say, on the symbols that it shows or not.
fn threes_of_finders(input: &mut Input<'_>) {
    let mut canvas = Canvas::sized(input, 90, 90);
    canvas.paint(input);
    let (picture, shown) = (canvas.picture, canvas.shown);
    metered(input, |input, meter| {
        let threshold = picture.local_means(20, 3, meter)?;
        let shades = Shades { picture: &picture, threshold: &threshold };
        let mut finders: Vec<Finder> = shown.clone();
        for _ in 0..3 + input.below(8) {
            finders.push(any_finder(input, &shown));
        }
        let mut threes = if input.one_in(2) { corner::corners(&shades, &finders, meter)? } else { Vec::new() };
        threes.truncate(3);
        let mut index = || input.below(finders.len());
        let (top_left, top_right, bottom_left) = (index(), index(), index());
        let side = if input.one_in(2) { 17.0 + 4.0 * input.within(0.0, 12.0) } else { input.any_float() };
        threes.push(Corner { top_left, top_right, bottom_left, side, misfit: 0.0 });
        if shown.len() >= 3 {
            let side = [21.0, 25.0, 29.0][input.below(3)];
            threes.push(Corner { top_left: 0, top_right: 1, bottom_left: 2, side, misfit: 0.0 });
        }
        for three in &threes {
            let timing_min = input.within(0.0, 1.0) * 0.7;
            let Some(grid) = grid::lay(&shades, &finders, three, timing_min, meter)? else {
                continue;
            };
            assert!(grid.corners().iter().all(|p| p.x.is_finite() && p.y.is_finite()));
            if reading::read(&shades, &grid, meter)?.is_none() {
                reading::read_thoroughly(&shades, &grid, meter)?;
            }
        }
        Ok(())
    });
}

/// A small picture under a grid of any size laid anywhere, and every remedy for it.
fn grids(input: &mut Input<'_>) {
    let mut canvas = Canvas::sized(input, 90, 90);
    canvas.paint(input);
    let (picture, shown) = (canvas.picture, canvas.shown);
    let version = any_version(input);
    let far = version.side() as f32 - 3.5;
    let from = [(3.5, 3.5), (far, 3.5), (3.5, far), (far, far)].map(|(x, y)| Point::new(x, y));
    let to = std::array::from_fn(|_| any_finder(input, &shown).centre);
    let Some(to_pixels) = Homography::of_quad(from, to) else { return };
    let grid = Grid { version, to_pixels, timing: input.any_float(), aligned: input.one_in(2) };
    metered(input, |input, meter| {
        let threshold = picture.local_means(20, 3, meter)?;
        let shades = Shades { picture: &picture, threshold: &threshold };
        let by = Point::new(input.any_float(), input.any_float());
        let moved = grid.with_corner_moved(by).unwrap_or_else(|| grid.clone());
        match input.byte() % 6 {
            0 => _ = reading::read(&shades, &moved, meter)?,
            1 => _ = reading::read_thoroughly(&shades, &moved, meter)?,
            2 => _ = straighten::straighten(&shades, &moved, meter)?,
            3 => _ = vote::vote(&shades, &moved, meter)?,
            4 => _ = warp::sample(&shades, &moved, meter)?,
            _ => {
                let mut luma = sample::luma(&picture, &moved, by);
                for _ in 0..input.below(4) {
                    let at = input.below(luma.len());
                    luma[at] = input.any_float();
                }
                let _ = sample::judge(&moved, &luma);
                let _ = equalise::equalise(&moved, &luma);
            }
        }
        Ok(())
    });
}

/// Runs `body` with few units, and holds the meter to them.
fn metered(input: &mut Input<'_>, body: impl FnOnce(&mut Input<'_>, &mut Meter<'_>) -> Result<(), Stop>) {
    // Few are enough to find and to read; now and then there are enough for every remedy.
    let units_max = match input.byte() {
        0..64 => input.below(20_000) as u64,
        64..240 => 60_000,
        _ => 250_000,
    };
    let mut never = || false;
    let mut meter = Meter::new(units_max, &mut never);
    let stopped = body(input, &mut meter).err();
    assert!(meter.spent() <= units_max, "{} of {units_max} units", meter.spent());
    assert_ne!(stopped, Some(Stop::Deadline));
}

/// Mostly one of the small ones, which cost least.
pub(super) fn any_version(input: &mut Input<'_>) -> Version {
    let byte = usize::from(input.byte());
    Version::new(1 + if byte < 232 { byte % 6 } else { byte % 40 }).expect("1 to 40")
}

/// On or near a finder that is shown, or anywhere at all.
fn any_finder(input: &mut Input<'_>, shown: &[Finder]) -> Finder {
    let rows = u32::from(input.byte());
    if !shown.is_empty() && !input.one_in(4) {
        let known = shown[input.below(shown.len())];
        let centre = known.centre.along(Point::new(input.within(-2.0, 2.0), input.within(-2.0, 2.0)), known.module);
        return Finder { centre, module: known.module * input.within(0.5, 2.0), rows };
    }
    let centre = Point::new(input.any_float(), input.any_float());
    let module = if input.one_in(4) { input.any_float() } else { input.within(0.5, 12.0) };
    Finder { centre, module, rows }
}

/// A real code of the given version, as an encoder other than ours makes it.
pub(super) struct Real {
    pub(super) text: String,
    pub(super) level: QrCodeEcc,
    pub(super) code: QrCode,
}

/// Four levels of each version, smallest first.
pub(super) static REAL: LazyLock<Vec<Real>> = LazyLock::new(|| {
    let levels = [QrCodeEcc::Low, QrCodeEcc::Medium, QrCodeEcc::Quartile, QrCodeEcc::High];
    let each = (1..=40u8).flat_map(|number| levels.map(|level| (number, level)));
    each.map(|(number, level)| {
        let (version, mask) = (QrVersion::new(number), Mask::new((number + level as u8) % 8));
        let text = format!("V{number}L{}", level as u8);
        let segments = QrSegment::make_segments(&text);
        let code = QrCode::encode_segments_advanced(&segments, level, version, version, Some(mask), false);
        Real { text, level, code: code.expect("four letters fit") }
    })
    .collect()
});

/// Luma to draw on, and the finders of the symbols drawn last.
struct Canvas {
    picture: Picture,
    shown: Vec<Finder>,
}

/// A part of a canvas.
struct Area {
    left: usize,
    top: usize,
    right: usize,
    bottom: usize,
}

impl Canvas {
    fn sized(input: &mut Input<'_>, width_max: usize, height_max: usize) -> Canvas {
        // Mostly smaller than it may be, and large enough for a symbol: more frames in the same time.
        let any = input.one_in(5);
        let mut side = |max: usize| if any { 1 + input.below(max) } else { 50 + input.below(max / 3) };
        let (width, height) = (side(width_max), side(height_max));
        let pixels = vec![input.byte(); width * height];
        Canvas { picture: Picture { width, height, pixels }, shown: Vec::new() }
    }

    fn paint(&mut self, input: &mut Input<'_>) {
        for _ in 0..input.below(9) {
            let area = self.area(input);
            match input.byte() % 8 {
                0 => {
                    let value = input.byte();
                    self.change(&area, |_, _, _| value);
                }
                1 => {
                    let (mut dice, shift) = (input.dice(), input.byte() % 8);
                    self.change(&area, |_, _, v| v.wrapping_add(dice.next() as u8 >> shift));
                }
                2 => {
                    let (across, down, value) = (1 + input.below(12), 1 + input.below(12), input.byte());
                    self.change(&area, |x, y, v| if (x / across + y / down).is_multiple_of(2) { v } else { value });
                }
                3 => {
                    let (by_x, by_y) = (input.byte() as i8, input.byte() as i8);
                    let slope = move |at: usize, by: i8| at as i32 * i32::from(by) / 64;
                    self.change(&area, |x, y, v| (i32::from(v) + slope(x, by_x) + slope(y, by_y)).clamp(0, 255) as u8);
                }
                4 => self.change(&area, |_, _, v| 255 - v),
                5 => {
                    let (dark, light) = (input.byte(), input.byte());
                    let module = 1 + input.below(5);
                    let lone = input.one_in(2);
                    self.change(&area, |x, y, v| match (x / module, y / module) {
                        (x, y) if lone && (x > 6 || y > 6) => v,
                        (x, y) => {
                            if in_finder(x % 8, y % 8) {
                                dark
                            } else {
                                light
                            }
                        }
                    });
                }
                _ => self.symbol(input, &area),
            }
        }
    }

    /// A real code, seen at an angle.
    fn symbol(&mut self, input: &mut Input<'_>, area: &Area) {
        let small = if input.one_in(16) { 40 } else { 3 };
        let code = &REAL[input.below(4 * small)].code;
        let side = code.size();
        let module = if input.one_in(2) { 3.0 } else { input.within(0.8, 7.0) };
        let corner = Point::new(area.left as f32, area.top as f32);
        let angle = if input.one_in(2) { 0.0 } else { input.within(0.0, std::f32::consts::TAU) };
        let (right, down) = (Point::new(angle.cos(), angle.sin()), Point::new(-angle.sin(), angle.cos()));
        let reach = side as f32 * module;
        let bend = if input.one_in(2) { 1.0 } else { input.within(0.7, 1.4) };
        let side_f = side as f32;
        let from = [(0.0, 0.0), (side_f, 0.0), (0.0, side_f), (side_f, side_f)].map(|(x, y)| Point::new(x, y));
        let place = |x: f32, y: f32| corner.along(right, x * reach).along(down, y * reach);
        let to = [place(0.0, 0.0), place(1.0, 0.0), place(0.0, 1.0), place(bend, bend)];
        let Some(to_pixels) = Homography::of_quad(from, to) else { return };
        let Some(to_modules) = to_pixels.inverse() else { return };
        let (dark, light) = if input.one_in(4) { (input.byte(), input.byte()) } else { (20, 230) };
        let whole = Area { left: 0, top: 0, right: self.picture.width, bottom: self.picture.height };
        self.change(&whole, |x, y, v| {
            let at = to_modules.map(Point::new(x as f32 + 0.5, y as f32 + 0.5));
            // A margin of two modules.
            let inside = |v: f32| v >= -2.0 && v < side_f + 2.0;
            if !inside(at.x) || !inside(at.y) {
                return v;
            }
            if code.get_module(at.x.floor() as i32, at.y.floor() as i32) { dark } else { light }
        });
        let far = side_f - 3.5;
        let finders = [(3.5, 3.5), (far, 3.5), (3.5, far)];
        let seen = finders.map(|(x, y)| Finder { centre: to_pixels.map(Point::new(x, y)), module, rows: 3 });
        self.shown.splice(0..0, seen);
        self.shown.truncate(6);
    }

    fn area(&self, input: &mut Input<'_>) -> Area {
        let (width, height) = (self.picture.width, self.picture.height);
        let (left, top) = (input.below(width), input.below(height));
        Area { left, top, right: left + 1 + input.below(width - left), bottom: top + 1 + input.below(height - top) }
    }

    /// Gives each pixel of an area a new value, by its place in the area and the value that it has.
    fn change(&mut self, area: &Area, mut value: impl FnMut(usize, usize, u8) -> u8) {
        for y in area.top..area.bottom {
            let row = &mut self.picture.pixels[y * self.picture.width..(y + 1) * self.picture.width];
            for (x, pixel) in row[area.left..area.right].iter_mut().enumerate() {
                *pixel = value(x, y - area.top, *pixel);
            }
        }
    }
}

/// Whether a module of a finder with its margin is dark.
fn in_finder(x: usize, y: usize) -> bool {
    x < 7 && y < 7 && x.abs_diff(3).max(y.abs_diff(3)) != 2
}

/// Takes bytes apart. When they have run out, zeros come.
pub(super) struct Input<'d> {
    rest: &'d [u8],
}

impl<'d> Input<'d> {
    fn new(data: &'d [u8]) -> Input<'d> {
        Input { rest: data }
    }

    /// All that is left.
    pub(super) fn rest(&mut self) -> &'d [u8] {
        std::mem::take(&mut self.rest)
    }

    pub(super) fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        first
    }

    pub(super) fn word(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    /// Takes one byte where that is enough.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        let value = if bound <= 256 { usize::from(self.byte()) } else { usize::from(self.word()) };
        value % bound.max(1)
    }

    /// Whether one of `many` came up; not so when the bytes have run out.
    pub(super) fn one_in(&mut self, many: u8) -> bool {
        self.byte() % many == many - 1
    }

    pub(super) fn within(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * f32::from(self.word()) / f32::from(u16::MAX)
    }

    /// Mostly a place in or about a small picture; else whatever four bytes may mean.
    pub(super) fn any_float(&mut self) -> f32 {
        const ODD: [f32; 8] =
            [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, f32::MIN_POSITIVE, -0.0, 1e18];
        match self.byte() % 8 {
            6 => ODD[self.below(8)],
            7 => f32::from_bits(u32::from(self.word()) << 16 | u32::from(self.word())),
            5 => self.within(-3_000.0, 3_000.0),
            _ => self.within(-10.0, 100.0),
        }
    }

    pub(super) fn dice(&mut self) -> Dice {
        Dice(u64::from(self.word()) << 1 | 1)
    }
}

/// xorshift64*: the same numbers on every run.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }
}
