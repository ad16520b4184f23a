//! Seeded randomness that draws the same frames on every machine: xoshiro256++, and functions of `libm` in place of the
//! platform's own, whose last digits differ from one C library to the next.

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub struct Dice {
    state: [u64; 4],
    /// The second half of the last pair of normal numbers.
    spare: Option<f32>,
}

impl Dice {
    /// The stream that belongs to these labels, unlike that of any others: a frame's numbers do not depend on how many
    /// frames were drawn before it.
    pub fn of(labels: &[u64]) -> Dice {
        let mut mixed = 0x5EED_0F6A_7EF1_2A3Bu64;
        for label in labels {
            mixed = scramble(mixed ^ scramble(*label));
        }
        let state = std::array::from_fn(|at| scramble(mixed.wrapping_add((at as u64 + 1) * 0x9E37_79B9_7F4A_7C15)));
        Dice { state, spare: None }
    }

    pub fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let result = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let (c, d) = (c ^ a, d ^ b);
        self.state = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        result
    }

    /// Even in `0..1`.
    pub fn unit(&mut self) -> f32 {
        (self.next_u64() >> 40) as f32 / (1u64 << 24) as f32
    }

    /// Even in `low..high`.
    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// Even in the logarithm: as many below the geometric mean as above.
    pub fn between_log(&mut self, low: f32, high: f32) -> f32 {
        low * libm::powf(high / low, self.unit())
    }

    pub fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }

    /// One of `0..count`; `count` is not 0.
    pub fn index(&mut self, count: usize) -> usize {
        (self.next_u64() % count as u64) as usize
    }

    /// -1 or 1.
    pub fn sign(&mut self) -> f32 {
        if self.chance(0.5) { 1.0 } else { -1.0 }
    }

    /// An angle, in radians.
    pub fn angle(&mut self) -> f32 {
        self.between(0.0, std::f32::consts::TAU)
    }

    /// Normal: mean 0, deviation 1.
    pub fn bell(&mut self) -> f32 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let radius = (-2.0 * libm::logf(1.0 - self.unit())).sqrt();
        let (sin, cos) = libm::sincosf(self.angle());
        self.spare = Some(radius * sin);
        radius * cos
    }
}

fn scramble(value: u64) -> u64 {
    let z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_choose_the_stream() {
        let first = |labels: &[u64]| Dice::of(labels).next_u64();
        assert_eq!(first(&[1, 2]), first(&[1, 2]));
        assert_ne!(first(&[1, 2]), first(&[2, 1]));
        assert_ne!(first(&[1]), first(&[1, 0]));
    }

    #[test]
    fn numbers_have_the_mean_and_spread_that_they_promise() {
        let mut dice = Dice::of(&[3]);
        let bells: Vec<f32> = (0..20_000).map(|_| dice.bell()).collect();
        let mean = bells.iter().sum::<f32>() / bells.len() as f32;
        let variance = bells.iter().map(|v| (v - mean) * (v - mean)).sum::<f32>() / bells.len() as f32;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
        let units: Vec<f32> = (0..20_000).map(|_| dice.unit()).collect();
        assert!(units.iter().all(|v| (0.0..1.0).contains(v)));
        assert!((units.iter().sum::<f32>() / units.len() as f32 - 0.5).abs() < 0.01);
    }
}
