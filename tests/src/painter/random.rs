//! Randomness from a seed.

/// SplitMix64: small, seeded, and the same on every machine.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Even in `low..high`.
    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * ((self.next_u64() >> 40) as f32 / (1u64 << 24) as f32)
    }

    /// About normal: mean 0, deviation 1.
    pub(super) fn bell(&mut self) -> f32 {
        // Four even numbers of variance 1/12 each: their sum has deviation 1/sqrt(3).
        (0..4).map(|_| self.between(-0.5, 0.5)).sum::<f32>() * 3f32.sqrt()
    }
}
