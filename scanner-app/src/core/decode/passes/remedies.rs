//! For symbols that were found and did not read: bent, cracked, noisy, half covered. The likeliest grids of all looks
//! are read again with every remedy there is.
//!
//! Bought: 3 of 1,080 codes in gate frames and 3 of 142 photos (docs/decode.md).

use super::super::meter::Stop;
use super::super::reading;
use super::{Failed, Pass, Search};

/// Grids worth the work.
const GRIDS_MAX: usize = 6;
/// Grids of one symbol, from several looks, that are worth it.
const GRIDS_PER_SYMBOL_MAX: usize = 2;

impl Search<'_, '_> {
    pub(super) fn remedies(&mut self, pass: Pass) -> Result<(), Stop> {
        let mut failed = std::mem::take(&mut self.failed);
        failed.sort_by(|a, b| b.grid.timing.total_cmp(&a.grid.timing));
        let mut tried: Vec<(f32, f32)> = Vec::new();
        for Failed { look, grid } in failed {
            let [first, _, third, _] = grid.corners().map(|p| look.place.in_frame(p));
            let middle = ((first.0 + third.0) / 2.0, (first.1 + third.1) / 2.0);
            let size = grid.module_px() * look.place.scale;
            let before = tried.iter().filter(|known| (known.0 - middle.0).hypot(known.1 - middle.1) < 5.0 * size);
            if before.count() >= GRIDS_PER_SYMBOL_MAX || self.codes.iter().any(|code| code.covers(middle)) {
                continue;
            }
            if tried.len() == GRIDS_MAX {
                break;
            }
            tried.push(middle);
            if let Some(reading) = reading::read_thoroughly(&look.shades(), &grid, &mut self.meter)? {
                self.watch_grid(pass, &look, &reading.grid);
                self.add(pass, &look, reading);
            }
        }
        Ok(())
    }
}
