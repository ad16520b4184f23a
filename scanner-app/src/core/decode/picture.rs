//! Luma without padding, looked at between its pixels, and its local thresholds.
//!
//! Invariant: every look is clamped into the picture, so no grid, however distorted, can leave it.

use super::luma::LumaView;
use super::meter::{Meter, Stop};

/// How many pixels' means are made for a unit.
const MEAN_PIXELS_PER_UNIT: u64 = 3;
/// How many pixels are added up, or turned over, for a unit.
const COPIED_PIXELS_PER_UNIT: usize = 16;

#[cfg(test)]
thread_local! {
    /// Looks between pixels on this thread: what a meter is to be paid for, counted apart from any meter.
    pub(super) static LOOKS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Luma without padding; pixel (x, y) covers x..x+1, so its middle is at x + 0.5.
#[derive(Clone, Default)]
pub(super) struct Picture {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) pixels: Vec<u8>,
}

/// A place in a picture, in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Point {
    pub(super) x: f32,
    pub(super) y: f32,
}

impl Point {
    pub(super) fn new(x: f32, y: f32) -> Point {
        Point { x, y }
    }

    pub(super) fn distance(self, other: Point) -> f32 {
        ((self.x - other.x).powi(2) + (self.y - other.y).powi(2)).sqrt()
    }

    /// Which way one turns at this corner from the first place to the second: above 0 clockwise, its size the sine.
    pub(super) fn turn(self, first: Point, second: Point) -> f32 {
        let (a, b) = (self.towards(first), self.towards(second));
        a.x * b.y - a.y * b.x
    }

    /// The place `by` steps of `direction` away.
    pub(super) fn along(self, direction: Point, by: f32) -> Point {
        Point::new(self.x + direction.x * by, self.y + direction.y * by)
    }

    /// The direction from here to there, of length 1; nothing useful if they are one place.
    pub(super) fn towards(self, other: Point) -> Point {
        let distance = self.distance(other).max(1e-6);
        Point::new((other.x - self.x) / distance, (other.y - self.y) / distance)
    }
}

impl Picture {
    /// The picture at one `factor`-th of its width and height, each pixel the mean of its block: that takes out noise,
    /// too. Blocks that the edge cuts off are left out.
    pub(super) fn shrunk(frame: &LumaView<'_>, factor: usize, meter: &mut Meter<'_>) -> Result<Picture, Stop> {
        let factor = factor.max(1);
        let (width, height) = (frame.width() / factor, frame.height() / factor);
        let mut pixels = Vec::with_capacity(width * height);
        let units_per_row = (frame.width() * factor / COPIED_PIXELS_PER_UNIT) as u64 + 1;
        if factor == 1 {
            for y in 0..height {
                meter.spend(units_per_row)?;
                pixels.extend_from_slice(frame.row(y));
            }
            return Ok(Picture { width, height, pixels });
        }
        let area = (factor * factor) as u32;
        let mut sums = vec![0u32; width];
        for y in 0..height {
            meter.spend(units_per_row)?;
            sums.fill(0);
            for dy in 0..factor {
                let row = frame.row(y * factor + dy);
                // Written out for the usual factor, which is several times faster.
                if factor == 2 {
                    for (sum, block) in sums.iter_mut().zip(row.chunks_exact(2)) {
                        *sum += u32::from(block[0]) + u32::from(block[1]);
                    }
                } else {
                    for (sum, block) in sums.iter_mut().zip(row.chunks_exact(factor)) {
                        *sum += block.iter().map(|&v| u32::from(v)).sum::<u32>();
                    }
                }
            }
            let mean = |sum: u32, area: u32| ((sum + area / 2) / area) as u8;
            // As is a division by a number that is known here.
            if factor == 2 {
                pixels.extend(sums.iter().map(|&sum| mean(sum, 4)));
            } else {
                pixels.extend(sums.iter().map(|&sum| mean(sum, area)));
            }
        }
        Ok(Picture { width, height, pixels })
    }

    /// Luma between the pixels' middles.
    #[inline]
    pub(super) fn at(&self, p: Point) -> f32 {
        #[cfg(test)]
        LOOKS.with(|looks| looks.set(looks.get() + 1));
        let x = (p.x - 0.5).min(self.width as f32 - 1.001).max(0.0);
        let y = (p.y - 0.5).min(self.height as f32 - 1.001).max(0.0);
        let (left, top) = (x as usize, y as usize);
        let (dx, dy) = (x - left as f32, y - top as f32);
        let index = top * self.width + left;
        let (Some(upper), Some(lower)) =
            (self.pixels.get(index..index + 2), self.pixels.get(index + self.width..index + self.width + 2))
        else {
            return 0.0;
        };
        let above = f32::from(upper[0]) + (f32::from(upper[1]) - f32::from(upper[0])) * dx;
        let below = f32::from(lower[0]) + (f32::from(lower[1]) - f32::from(lower[0])) * dx;
        above + (below - above) * dy
    }

    /// The pixel that covers a place.
    #[inline]
    pub(super) fn nearest(&self, p: Point) -> u8 {
        let x = (p.x.max(0.0) as usize).min(self.width - 1);
        let y = (p.y.max(0.0) as usize).min(self.height - 1);
        self.pixels[y * self.width + x]
    }

    pub(super) fn holds(&self, p: Point) -> bool {
        p.x >= 0.0 && p.y >= 0.0 && p.x < self.width as f32 && p.y < self.height as f32
    }

    /// The picture `factor` times as large and with a white margin of `margin` small pixels.
    pub(super) fn enlarged(&self, factor: usize, margin: usize, meter: &mut Meter<'_>) -> Result<Picture, Stop> {
        let (width, height) = ((self.width + 2 * margin) * factor, (self.height + 2 * margin) * factor);
        let mut pixels = vec![255u8; width * height];
        for y in 0..self.height * factor {
            meter.spend((self.width * factor) as u64)?;
            for x in 0..self.width * factor {
                let from = Point::new((x as f32 + 0.5) / factor as f32, (y as f32 + 0.5) / factor as f32);
                pixels[(y + margin * factor) * width + x + margin * factor] = (self.at(from) + 0.5) as u8;
            }
        }
        Ok(Picture { width, height, pixels })
    }

    /// The square about a place, as far as it lies in the picture, and where it begins; `None` when none of it does.
    pub(super) fn about(&self, middle: Point, radius: f32) -> Option<(Picture, usize, usize)> {
        let (left, top) = ((middle.x - radius).max(0.0) as usize, (middle.y - radius).max(0.0) as usize);
        let right = ((middle.x + radius).max(0.0) as usize).min(self.width);
        let bottom = ((middle.y + radius).max(0.0) as usize).min(self.height);
        if left >= right || top >= bottom {
            return None;
        }
        let rows = (top..bottom).flat_map(|y| &self.pixels[y * self.width + left..y * self.width + right]);
        Some((Picture { width: right - left, height: bottom - top, pixels: rows.copied().collect() }, left, top))
    }

    /// One threshold for the whole picture: halfway between its dark and its light, of which a part's glare or grey is
    /// neither.
    pub(super) fn halfway(&self, meter: &mut Meter<'_>) -> Result<Picture, Stop> {
        /// The share of pixels that are darker than its dark, and lighter than its light.
        const BEYOND: usize = 20;
        meter.spend((2 * self.pixels.len() / COPIED_PIXELS_PER_UNIT) as u64 + 1)?;
        let mut counts = [0usize; 256];
        self.pixels.iter().for_each(|&v| counts[usize::from(v)] += 1);
        let beyond = self.pixels.len() / BEYOND;
        let first_over = |mut counts: std::slice::Iter<'_, usize>| {
            let mut sum = 0;
            counts.position(|count| {
                sum += count;
                sum > beyond
            })
        };
        let dark = first_over(counts.iter()).unwrap_or(0);
        counts.reverse();
        let light = 255 - first_over(counts.iter()).unwrap_or(0);
        Ok(Picture { pixels: vec![((dark + light) / 2).max(1) as u8; self.pixels.len()], ..*self })
    }

    /// Puts a smaller picture over this one. What nothing was put over yet takes its mean.
    pub(super) fn paste(&mut self, part: &Picture, left: usize, top: usize) {
        if self.pixels.is_empty() {
            let sum: usize = part.pixels.iter().map(|&v| usize::from(v)).sum();
            self.pixels = vec![(sum / part.pixels.len().max(1)) as u8; self.width * self.height];
        }
        for (y, row) in part.pixels.chunks_exact(part.width.max(1)).enumerate() {
            let start = (top + y) * self.width + left;
            self.pixels[start..start + part.width].copy_from_slice(row);
        }
    }

    /// Black for white.
    pub(super) fn inverted(&self, meter: &mut Meter<'_>) -> Result<Picture, Stop> {
        meter.spend((self.pixels.len() / COPIED_PIXELS_PER_UNIT) as u64)?;
        Ok(Picture { pixels: self.pixels.iter().map(|&v| 255 - v).collect(), ..*self })
    }

    /// The mean of the square of `2 * radius + 1` pixels about each pixel, less `bias`; the edge is repeated outwards. Two
    /// rows share the second one's means, which differ little.
    pub(super) fn local_means(&self, radius: usize, bias: i32, meter: &mut Meter<'_>) -> Result<Picture, Stop> {
        let (width, height) = (self.width, self.height);
        let mut pixels = vec![0; width * height];
        if pixels.is_empty() {
            return Ok(Picture { width, height, pixels });
        }
        // Column sums are kept in 16 bits.
        let radius = radius.min(120);
        let row = |y: isize| {
            let y = y.clamp(0, height as isize - 1) as usize;
            &self.pixels[y * width..(y + 1) * width]
        };
        let reach = radius as isize;
        let mut columns = vec![0u16; width];
        for y in -reach..=reach {
            columns.iter_mut().zip(row(y)).for_each(|(sum, &v)| *sum += u16::from(v));
        }
        let area = (2 * radius + 1).pow(2) as u32;
        let inverse = (1u64 << 32) / u64::from(area);
        let mut padded = vec![0u16; width + 2 * radius + 1];
        let mut top = 0;
        for rows in pixels.chunks_mut(2 * width) {
            meter.spend(rows.len() as u64 / MEAN_PIXELS_PER_UNIT)?;
            let (first, second) = rows.split_at_mut(width);
            for passed in 0..=second.len() / width {
                let y = top + passed as isize;
                if y > 0 {
                    let (leaves, enters) = (row(y - 1 - reach), row(y + reach));
                    for (sum, (&leaves, &enters)) in columns.iter_mut().zip(leaves.iter().zip(enters)) {
                        *sum = *sum + u16::from(enters) - u16::from(leaves);
                    }
                }
            }
            padded[radius..radius + width].copy_from_slice(&columns);
            padded[..radius].fill(columns[0]);
            padded[radius + width..].fill(columns[width - 1]);
            let mut sum: u32 = padded[..2 * radius].iter().map(|&v| u32::from(v)).sum();
            let moves = padded[2 * radius..2 * radius + width].iter().zip(&padded[..width]);
            for (pixel, (&enters, &leaves)) in first.iter_mut().zip(moves) {
                sum += u32::from(enters);
                let mean = ((u64::from(sum) * inverse) >> 32) as i32;
                *pixel = (mean - bias).clamp(1, 255) as u8;
                sum -= u32::from(leaves);
            }
            second.copy_from_slice(&first[..second.len()]);
            top += 2;
        }
        Ok(Picture { width, height, pixels })
    }
}

/// A picture with the threshold that holds at each of its pixels.
pub(super) struct Shades<'p> {
    pub(super) picture: &'p Picture,
    pub(super) threshold: &'p Picture,
}

impl Shades<'_> {
    /// How much darker than its surroundings a place is; below 0 it is light.
    #[inline]
    pub(super) fn darkness(&self, p: Point) -> f32 {
        f32::from(self.threshold.nearest(p)) - self.picture.at(p)
    }
}
