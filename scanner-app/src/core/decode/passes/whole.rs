//! The frame as it is. At half size first: codes that fill the view are read there at a quarter of the cost and with
//! less noise. Then at full size, for codes at arm's length.
//!
//! Bought: half size 716 and full size 218 of 1,080 codes in gate frames, 103 and 28 of 142 photos (docs/decode.md).

use std::rc::Rc;

use super::super::meter::Stop;
use super::super::picture::Picture;
use super::{Pass, Place, Search, USUAL};

impl Search<'_, '_> {
    pub(super) fn half(&mut self, half: &Rc<Picture>) -> Result<(), Stop> {
        self.look(Pass::Half, half, Place::whole(self.base * 2), USUAL)
    }

    pub(super) fn full(&mut self, full: &Rc<Picture>) -> Result<(), Stop> {
        self.look(Pass::Full, full, Place::whole(self.base), USUAL)
    }
}
