//! For light modules on dark ground: ticket pages in dark mode.
//!
//! Bought: 31 of 1,080 codes in gate frames and 0 of 142 photos (docs/decode.md).

use std::rc::Rc;

use super::super::meter::Stop;
use super::{Method, Pass, Pictures, Place, Search, USUAL};

impl Search<'_, '_> {
    pub(super) fn inverted(&mut self, pictures: &Pictures) -> Result<(), Stop> {
        for (picture, factor) in [(&pictures.half, 2), (&pictures.full, 1)] {
            if !self.codes.is_empty() && !self.complete {
                return Ok(());
            }
            let picture = Rc::new(picture.inverted(&mut self.meter)?);
            self.look(Pass::Inverted, &picture, Place::whole(self.base * factor), Method { inverted: true, ..USUAL })?;
        }
        Ok(())
    }
}
