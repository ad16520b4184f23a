//! For small pictures, down to one pixel a module and without a margin: files from a web page rather than frames from a
//! camera.
//!
//! Bought: 0 of 1,080 codes in gate frames and 6 of 142 photos (docs/decode.md).

use std::rc::Rc;

use super::super::meter::Stop;
use super::{Pass, Pictures, Place, Search, USUAL};

/// The longest side of a picture that is enlarged, in pixels.
const SIDE_PX_MAX: usize = 400;
const FACTOR: usize = 3;
const MARGIN_PX: usize = 4;

impl Search<'_, '_> {
    pub(super) fn enlarged(&mut self, pictures: &Pictures) -> Result<(), Stop> {
        let sides = self.limits.side_px_min..=SIDE_PX_MAX;
        if !sides.contains(&pictures.full.width) || !sides.contains(&pictures.full.height) {
            return Ok(());
        }
        let large = Rc::new(pictures.full.enlarged(FACTOR, MARGIN_PX, &mut self.meter)?);
        let margin = -((MARGIN_PX * self.base) as f32);
        let place = Place { left: margin, top: margin, scale: self.base as f32 / FACTOR as f32 };
        self.look(Pass::Enlarged, &large, place, USUAL)
    }
}
