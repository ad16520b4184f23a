//! For symbols that were found and did not read: bent, cracked, noisy, half covered. The likeliest grids of all looks
//! are read again with every remedy there is.

use super::super::meter::Stop;
use super::super::picture::Shades;
use super::super::reading;
use super::{Failed, Pass, Search, code_of};

/// Grids worth the work.
const GRIDS_MAX: usize = 6;

impl Search<'_, '_> {
    pub(super) fn remedies(&mut self) -> Result<(), Stop> {
        if !self.codes.is_empty() {
            return Ok(());
        }
        let mut failed = std::mem::take(&mut self.failed);
        failed.sort_by(|a, b| b.grid.timing.total_cmp(&a.grid.timing));
        for Failed { look, grid } in failed.into_iter().take(GRIDS_MAX) {
            let look = &self.looks[look];
            let (place, method) = (look.place, look.method);
            let centre = grid.corners().map(|p| place.in_frame(p));
            let middle = ((centre[0].0 + centre[2].0) / 2.0, (centre[0].1 + centre[2].1) / 2.0);
            if self.codes.iter().any(|code| code.covers(middle)) {
                continue;
            }
            let shades = Shades { picture: &look.picture, threshold: &look.threshold };
            if let Some(reading) = reading::read_thoroughly(&shades, &grid, &mut self.meter)? {
                self.add(Pass::Remedies, code_of(&reading, place), place, method);
            }
        }
        Ok(())
    }
}
