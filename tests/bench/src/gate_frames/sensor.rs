//! The sensor and what its camera makes of it: light becomes electrons, with noise; electrons become 8-bit luma.

use super::dice::Dice;
use super::optics::Light;

/// A sensor and its settings.
#[derive(Clone, Copy, Debug)]
pub struct Sensor {
    /// How much of full scale the light 1 fills: the exposure.
    pub exposure: f32,
    /// Electrons at full scale, after gain: few in the dark.
    pub full_e: f32,
    /// Noise of reading, in electrons.
    pub read_e: f32,
    /// Noise that a whole row shares, in electrons.
    pub row_e: f32,
    /// Light lost at the frame's corners, as a part.
    pub vignette: f32,
    /// How strongly the camera sharpens.
    pub sharpen: f32,
    /// The power that luma is of light: 1/2.2 or so.
    pub gamma: f32,
}

/// Steps of the converter.
const LEVELS: usize = 1024;

impl Sensor {
    /// Exposes a frame.
    pub fn expose(&self, light: &Light, dice: &mut Dice) -> Vec<u8> {
        let (width, height) = (light.width, light.height);
        let curve: Vec<f32> = (0..LEVELS).map(|level| self.tone(level as f32 / (LEVELS - 1) as f32) * 255.0).collect();
        let mut luma = vec![0.0f32; width * height];
        let corner = ((width * width + height * height) as f32) / 4.0;
        for y in 0..height {
            let gain = self.exposure * self.full_e;
            let row_offset = self.row_e * dice.bell();
            let dy = y as f32 - height as f32 / 2.0;
            for x in 0..width {
                let dx = x as f32 - width as f32 / 2.0;
                let lens = 1.0 - self.vignette * (dx * dx + dy * dy) / corner;
                let electrons = (light.values[y * width + x] * gain * lens).max(0.0);
                let noise = (electrons + self.read_e * self.read_e).sqrt() * dice.bell();
                let share = ((electrons + noise + row_offset) / self.full_e).clamp(0.0, 1.0);
                luma[y * width + x] = curve[(share * (LEVELS - 1) as f32).round() as usize];
            }
        }
        self.sharpened(&luma, width, height)
    }

    /// The curve of a camera: a power with a straight foot, so that the dark's noise does not blow up.
    fn tone(&self, share: f32) -> f32 {
        const FOOT: f32 = 0.004;
        let power = |value: f32| libm::powf(value, self.gamma);
        if share < FOOT { share / FOOT * power(FOOT) } else { power(share) }
    }

    /// Adds a part of each pixel's difference to its neighbours' mean, and rounds.
    fn sharpened(&self, luma: &[f32], width: usize, height: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(luma.len());
        for y in 0..height {
            let (above, below) = (y.saturating_sub(1) * width, (y + 1).min(height - 1) * width);
            for x in 0..width {
                let (left, right) = (x.saturating_sub(1), (x + 1).min(width - 1));
                let value = luma[y * width + x];
                let around = luma[above + x] + luma[below + x] + luma[y * width + left] + luma[y * width + right];
                let sharp = value + self.sharpen * (value - around / 4.0);
                out.push(sharp.round().clamp(0.0, 255.0) as u8);
            }
        }
        out
    }
}
