//! Other surroundings to judge a pixel by. Smaller ones: blurred and small modules, whose light ring drowns in the mean
//! of a large square, and glare with an edge inside the symbol. Larger ones: modules so large that the heart of a finder
//! fills the usual square.
//!
//! Bought: small squares 15 and large ones 6 of 1,080 codes in gate frames, 1 and 0 of 142 photos (docs/decode.md), and
//! modules of more than 27 pixels.

use super::super::meter::Stop;
use super::{Method, Pass, Pictures, Place, Search, USUAL};

impl Search<'_, '_> {
    pub(super) fn fine(&mut self, pictures: &Pictures) -> Result<(), Stop> {
        self.look(Pass::Fine, &pictures.full, Place::whole(self.base), Method { radius: 9, ..USUAL })
    }

    /// Twice as broad is one look at a quarter of the size.
    pub(super) fn broad(&mut self, pictures: &Pictures) -> Result<(), Stop> {
        let quarter = self.shrunk(4)?;
        self.look(Pass::Broad, &quarter, Place::whole(self.base * 4), USUAL)?;
        if !self.codes.is_empty() {
            return Ok(());
        }
        self.look(Pass::Broad, &pictures.full, Place::whole(self.base), Method { radius: 45, ..USUAL })
    }
}
