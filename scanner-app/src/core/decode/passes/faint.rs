//! For codes that hardly differ from their ground: a dim screen in the sun, a print that has bleached. The usual
//! threshold lies a little below the mean, so that flat ground is not torn up by noise; here it lies at the mean.
//!
//! Bought: 4 of 1,080 codes in gate frames and 0 of 142 photos (docs/decode.md).

use super::super::meter::Stop;
use super::{Method, Pass, Pictures, Place, Search, USUAL};

impl Search<'_, '_> {
    pub(super) fn faint(&mut self, pictures: &Pictures) -> Result<(), Stop> {
        self.look(Pass::Faint, &pictures.full, Place::whole(self.base), Method { bias: 0, ..USUAL })
    }
}
