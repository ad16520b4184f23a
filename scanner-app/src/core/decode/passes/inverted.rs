//! For light modules on dark ground: ticket pages in dark mode.
//!
//! Bought: 31 of 1,080 codes in gate frames and 0 of 142 photos (docs/decode.md).

use std::rc::Rc;

use super::super::meter::Stop;
use super::super::picture::Picture;
use super::{Method, Pass, Place, Search, USUAL};

impl Search<'_, '_> {
    pub(super) fn inverted(&mut self, half: &Rc<Picture>, full: &Rc<Picture>) -> Result<(), Stop> {
        for (picture, factor) in [(half, 2), (full, 1)] {
            if !self.codes.is_empty() && !self.complete {
                return Ok(());
            }
            self.meter.spend(picture.pixels.len() as u64 / 16)?;
            let picture = Rc::new(picture.inverted());
            self.look(Pass::Inverted, &picture, Place::whole(self.base * factor), Method { inverted: true, ..USUAL })?;
        }
        Ok(())
    }
}
