//! The lens: what it blurs, and what light it spills. Works on linear light, before any of it is clipped.

/// Linear light in rows.
#[derive(Clone)]
pub struct Light {
    pub width: usize,
    pub height: usize,
    pub values: Vec<f32>,
}

/// A lens and how still it is held. Lengths are in pixels of the frame.
#[derive(Clone, Copy, Debug)]
pub struct Optics {
    /// Deviation of the lens's own softness.
    pub softness_px: f32,
    /// Radius of the disc that a point out of focus becomes.
    pub defocus_px: f32,
    /// The path of a point while the shutter is open.
    pub motion_px: (f32, f32),
    /// The part of all light that is scattered about, and how far.
    pub bloom: f32,
    pub bloom_px: f32,
}

impl Optics {
    /// Blurs `light`, which has `samples` samples a pixel and direction, and gathers it into pixels.
    pub fn apply(&self, mut light: Light, samples: usize) -> Light {
        let scale = samples as f32;
        soften(&mut light, self.softness_px * scale);
        if self.defocus_px * scale > 0.7 {
            light = disc(&light, self.defocus_px * scale);
        }
        let (dx, dy) = self.motion_px;
        if dx.abs().max(dy.abs()) * scale > 1.0 {
            light = smear(&light, dx * scale, dy * scale);
        }
        let mut pixels = gather(&light, samples);
        if self.bloom > 0.0 {
            bloom(&mut pixels, self.bloom, self.bloom_px);
        }
        pixels
    }
}

/// Blurs with a bell of this deviation, in samples.
fn soften(light: &mut Light, deviation: f32) {
    let reach = (deviation * 3.0).ceil() as usize;
    if reach == 0 {
        return;
    }
    let weight = |at: usize| libm::expf(-((at * at) as f32) / (2.0 * deviation * deviation));
    let mut kernel: Vec<f32> = (0..=reach).map(weight).collect();
    let sum = kernel[0] + 2.0 * kernel[1..].iter().sum::<f32>();
    kernel.iter_mut().for_each(|w| *w /= sum);
    let (width, height) = (light.width, light.height);
    let mut padded = vec![0.0; width + 2 * reach];
    for row in light.values.chunks_exact_mut(width) {
        padded[..reach].fill(row[0]);
        padded[reach..reach + width].copy_from_slice(row);
        padded[reach + width..].fill(row[width - 1]);
        for (x, value) in row.iter_mut().enumerate() {
            let at = x + reach;
            let pairs = (1..=reach).map(|k| kernel[k] * (padded[at - k] + padded[at + k])).sum::<f32>();
            *value = kernel[0] * padded[at] + pairs;
        }
    }
    let before = light.values.clone();
    let row = |y: usize| &before[y * width..(y + 1) * width];
    for y in 0..height {
        let out = &mut light.values[y * width..(y + 1) * width];
        out.iter_mut().zip(row(y)).for_each(|(value, middle)| *value = kernel[0] * middle);
        for (k, weight) in kernel.iter().enumerate().skip(1) {
            let (above, below) = (row(y.saturating_sub(k)), row((y + k).min(height - 1)));
            for ((value, above), below) in out.iter_mut().zip(above).zip(below) {
                *value += weight * (above + below);
            }
        }
    }
}

/// Spreads each point evenly over a disc, by running sums along its rows.
fn disc(light: &Light, radius: f32) -> Light {
    let (width, height) = (light.width, light.height);
    let reach = radius.floor() as isize;
    let spans: Vec<usize> =
        (-reach..=reach).map(|dy| (radius * radius - (dy * dy) as f32).max(0.0).sqrt().floor() as usize).collect();
    let count: usize = spans.iter().map(|span| 2 * span + 1).sum();
    // f64, since a row's sum is large beside one value's last digits.
    let mut sums = vec![0.0f64; (width + 1) * height];
    for (y, row) in light.values.chunks_exact(width).enumerate() {
        let mut sum = 0.0;
        for (x, value) in row.iter().enumerate() {
            sum += f64::from(*value);
            sums[y * (width + 1) + x + 1] = sum;
        }
    }
    let mut values = vec![0.0f64; width * height];
    for y in 0..height {
        let out = &mut values[y * width..(y + 1) * width];
        for (at, &span) in spans.iter().enumerate() {
            let from = (y as isize + at as isize - reach).clamp(0, height as isize - 1) as usize;
            let sums = &sums[from * (width + 1)..(from + 1) * (width + 1)];
            for (x, value) in out.iter_mut().enumerate() {
                let (first, last) = (x.saturating_sub(span), (x + span + 1).min(width));
                // At the frame's edge the rest of the span repeats what is inside.
                let inside = (last - first) as f64;
                *value += (sums[last] - sums[first]) * ((2 * span + 1) as f64 / inside);
            }
        }
    }
    let scale = 1.0 / count as f64;
    Light { width, height, values: values.iter().map(|value| (value * scale) as f32).collect() }
}

/// Draws each point out along a line.
fn smear(light: &Light, dx: f32, dy: f32) -> Light {
    let (width, height) = (light.width, light.height);
    let steps = dx.abs().max(dy.abs()).ceil() as usize + 1;
    let mut values = vec![0.0; width * height];
    for step in 0..steps {
        let share = step as f32 / (steps - 1).max(1) as f32 - 0.5;
        let (shift_x, shift_y) = ((dx * share).round() as isize, (dy * share).round() as isize);
        for y in 0..height {
            let from = (y as isize + shift_y).clamp(0, height as isize - 1) as usize;
            let row = &light.values[from * width..(from + 1) * width];
            for (x, value) in values[y * width..(y + 1) * width].iter_mut().enumerate() {
                *value += row[(x as isize + shift_x).clamp(0, width as isize - 1) as usize];
            }
        }
    }
    let scale = 1.0 / steps as f32;
    values.iter_mut().for_each(|value| *value *= scale);
    Light { width, height, values }
}

/// The mean over each pixel.
fn gather(light: &Light, samples: usize) -> Light {
    let (width, height) = (light.width / samples, light.height / samples);
    let mut values = vec![0.0; width * height];
    for (y, row) in light.values.chunks_exact(light.width).enumerate() {
        for (x, value) in row.iter().enumerate() {
            values[y / samples * width + x / samples] += value;
        }
    }
    let scale = 1.0 / (samples * samples) as f32;
    values.iter_mut().for_each(|value| *value *= scale);
    Light { width, height, values }
}

/// Scatters a part of the light widely: boxes on a coarse copy, which is smooth enough to be read between its points.
fn bloom(light: &mut Light, part: f32, reach_px: f32) {
    const COARSE: usize = 4;
    let (width, height) = (light.width / COARSE, light.height / COARSE);
    let cropped = crop(light, width * COARSE, height * COARSE);
    let mut coarse = gather(&cropped, COARSE);
    soften(&mut coarse, reach_px / COARSE as f32);
    for y in 0..light.height {
        let fy = ((y as f32 + 0.5) / COARSE as f32 - 0.5).clamp(0.0, height as f32 - 1.001);
        for x in 0..light.width {
            let fx = ((x as f32 + 0.5) / COARSE as f32 - 0.5).clamp(0.0, width as f32 - 1.001);
            let (column, row) = (fx as usize, fy as usize);
            let (right, down) = (fx - column as f32, fy - row as f32);
            let at = |dx: usize, dy: usize| coarse.values[(row + dy) * width + column + dx];
            let upper = at(0, 0) * (1.0 - right) + at(1, 0) * right;
            let lower = at(0, 1) * (1.0 - right) + at(1, 1) * right;
            let value = &mut light.values[y * light.width + x];
            *value = *value * (1.0 - part) + part * (upper * (1.0 - down) + lower * down);
        }
    }
}

fn crop(light: &Light, width: usize, height: usize) -> Light {
    let rows = light.values.chunks_exact(light.width).take(height);
    Light { width, height, values: rows.flat_map(|row| &row[..width]).copied().collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point() -> Light {
        let mut values = vec![0.0; 41 * 41];
        values[20 * 41 + 20] = 1.0;
        Light { width: 41, height: 41, values }
    }

    #[test]
    fn blurring_loses_no_light() {
        let mut soft = point();
        soften(&mut soft, 2.0);
        for light in [soft, disc(&point(), 5.5), smear(&point(), 6.0, -3.0)] {
            let sum: f32 = light.values.iter().sum();
            assert!((sum - 1.0).abs() < 1e-3, "{sum}");
        }
    }

    #[test]
    fn a_disc_is_even_and_round() {
        let light = disc(&point(), 5.0);
        let at = |x: usize, y: usize| light.values[y * 41 + x];
        assert!((at(20, 20) - at(24, 20)).abs() < 1e-6 && (at(20, 20) - at(20, 16)).abs() < 1e-6);
        assert!(at(25, 25).abs() < 1e-6);
    }
}
