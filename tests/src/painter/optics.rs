//! A lens and a sensor: light in, luma out.
//!
//! Light is linear, 1 is what the sensor just shows as white. Blur mixes light and not luma, and it comes before the sensor
//! clips: a lamp's reflection out of focus is a large white spot, as it is at a gate, and not a grey one.

use super::random::Random;
use super::{Blur, Picture, Smear};

/// By what power of light a camera's luma grows: its tone curve.
const TONE: f32 = 1.0 / 2.2;
/// Light that even a black pixel is read as, by its noise.
const DARK_NOISE: f32 = 0.02;
/// How many deviations of a Gaussian are worth adding up.
const GAUSSIAN_REACH: f32 = 3.0;
/// Light gathered along a smear, samples a pixel.
const SMEAR_SAMPLES: f32 = 2.0;

/// What falls onto the sensor, rows without padding.
pub(super) struct Light {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) amounts: Vec<f32>,
}

impl Light {
    /// At a pixel; beyond the edge, what the edge shows.
    fn at(&self, x: isize, y: isize) -> f32 {
        let x = x.clamp(0, self.width as isize - 1) as usize;
        let y = y.clamp(0, self.height as isize - 1) as usize;
        self.amounts[y * self.width + x]
    }

    /// Each pixel becomes the weighted mean of its neighbours at these offsets.
    fn gather(&self, taps: &[(isize, isize, f32)]) -> Light {
        let total: f32 = taps.iter().map(|tap| tap.2).sum();
        let mut amounts = Vec::with_capacity(self.amounts.len());
        for y in 0..self.height as isize {
            for x in 0..self.width as isize {
                let sum: f32 = taps.iter().map(|&(dx, dy, weight)| self.at(x + dx, y + dy) * weight).sum();
                amounts.push(sum / total);
            }
        }
        Light { width: self.width, height: self.height, amounts }
    }

    /// What a lens makes of it.
    pub(super) fn blurred(&self, blur: Blur, module_px: f32) -> Light {
        match blur {
            Blur::Gaussian { modules } => {
                let deviation = modules * module_px;
                let reach = (deviation * GAUSSIAN_REACH).ceil() as isize;
                let weight = |at: isize| (-0.5 * (at as f32 / deviation).powi(2)).exp();
                let across: Vec<_> = (-reach..=reach).map(|at| (at, 0, weight(at))).collect();
                let down: Vec<_> = (-reach..=reach).map(|at| (0, at, weight(at))).collect();
                self.gather(&across).gather(&down)
            }
            Blur::Defocus { modules } => {
                let radius = modules * module_px;
                let reach = radius.ceil() as isize;
                let square = (-reach..=reach).flat_map(|y| (-reach..=reach).map(move |x| (x, y)));
                // A disc, its rim cut through pixels.
                let taps = square.map(|(x, y)| (x, y, (radius + 0.5 - (x as f32).hypot(y as f32)).clamp(0.0, 1.0)));
                self.gather(&taps.filter(|tap| tap.2 > 0.0).collect::<Vec<_>>())
            }
        }
    }

    /// What a hand's movement while the shutter is open makes of it.
    pub(super) fn smeared(&self, smear: Smear, module_px: f32) -> Light {
        let length = smear.modules * module_px;
        let (sin, cos) = smear.direction_deg.to_radians().sin_cos();
        let samples = (length * SMEAR_SAMPLES).ceil() as i32;
        let mut taps = Vec::new();
        for sample in 0..=samples {
            let along = (sample as f32 / samples as f32 - 0.5) * length;
            let (x, y) = (along * cos, along * sin);
            let (left, top) = (x.floor(), y.floor());
            let (right_share, bottom_share) = (x - left, y - top);
            let (left, top) = (left as isize, top as isize);
            taps.push((left, top, (1.0 - right_share) * (1.0 - bottom_share)));
            taps.push((left + 1, top, right_share * (1.0 - bottom_share)));
            taps.push((left, top + 1, (1.0 - right_share) * bottom_share));
            taps.push((left + 1, top + 1, right_share * bottom_share));
        }
        taps.retain(|tap| tap.2 > 0.0);
        self.gather(&taps)
    }

    /// What the sensor makes of it. Noise grows with the root of the light, as that of photons does; `noise` is its
    /// deviation at white.
    pub(super) fn developed(&self, noise: f32, random: &mut Random) -> Picture {
        let luma = self.amounts.iter().map(|&amount| {
            let read = amount.min(1.0) + random.bell() * noise * (amount.min(1.0) + DARK_NOISE).sqrt();
            (read.clamp(0.0, 1.0).powf(TONE) * 255.0).round() as u8
        });
        Picture { width: self.width, height: self.height, luma: luma.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(amount: f32) -> Light {
        let mut light = Light { width: 21, height: 21, amounts: vec![0.0; 21 * 21] };
        light.amounts[10 * 21 + 10] = amount;
        light
    }

    /// Deviation of a point's light, across and down.
    fn spread(light: &Light) -> (f32, f32) {
        let (mut across, mut down, mut total) = (0.0, 0.0, 0.0);
        for (at, amount) in light.amounts.iter().enumerate() {
            across += amount * ((at % 21) as f32 - 10.0).powi(2);
            down += amount * ((at / 21) as f32 - 10.0).powi(2);
            total += amount;
        }
        assert!((total - 1.0).abs() < 0.01, "no light is made or lost: {total}");
        ((across / total).sqrt(), (down / total).sqrt())
    }

    #[test]
    fn blurs_spread_light_as_far_as_they_say() {
        let (across, down) = spread(&point(1.0).blurred(Blur::Gaussian { modules: 0.5 }, 4.0));
        assert!((across - 2.0).abs() < 0.1 && (down - 2.0).abs() < 0.1, "{across} {down}");
        // A disc's deviation in one direction is half its radius.
        let (across, down) = spread(&point(1.0).blurred(Blur::Defocus { modules: 1.0 }, 4.0));
        assert!((across - 2.0).abs() < 0.2 && (down - 2.0).abs() < 0.2, "{across} {down}");
        // A line's is its length by the root of twelve, and only along it.
        let (across, down) = spread(&point(1.0).smeared(Smear { modules: 2.0, direction_deg: 0.0 }, 4.0));
        assert!((across - 8.0 / 12f32.sqrt()).abs() < 0.4 && down < 0.1, "{across} {down}");
        let (across, down) = spread(&point(1.0).smeared(Smear { modules: 2.0, direction_deg: 90.0 }, 4.0));
        assert!(across < 0.1 && down > 1.9, "{across} {down}");
    }

    #[test]
    fn too_much_light_is_white_and_spreads_white() {
        let blurred = point(400.0).blurred(Blur::Defocus { modules: 1.0 }, 4.0);
        let white = blurred.developed(0.0, &mut Random(1)).luma.iter().filter(|&&luma| luma == 255).count();
        assert!(white > 45, "a disc of radius 4 is all white: {white}");
    }
}
