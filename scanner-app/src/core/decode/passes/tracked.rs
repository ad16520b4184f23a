//! For the second frame of a session and all that follow: a code stays where it was, or nearly. Only its surroundings
//! are looked at, at the size and with the threshold that read it last.
//!
//! Buys no code; it saves most of a frame's cost (docs/decode.md).

use std::rc::Rc;

use super::super::meter::Stop;
use super::super::picture::Picture;
use super::super::{Code, Track};
use super::{Pass, Place, Search};

/// How far a code may have moved, as a share of its size.
const REACH: f32 = 0.3;

impl Search<'_, '_> {
    /// Looks where the last frame's codes were; true when each of them is read again.
    pub(super) fn tracked(&mut self, tracks: &[Track]) -> Result<bool, Stop> {
        for track in tracks {
            let (width, height) = (self.frame.width() as f32, self.frame.height() as f32);
            let reach = REACH * (track.right - track.left).max(track.bottom - track.top);
            let (left, top) = ((track.left - reach).max(0.0) as usize, (track.top - reach).max(0.0) as usize);
            let (right, bottom) =
                ((track.right + reach).min(width) as usize, (track.bottom + reach).min(height) as usize);
            let Some(part) = self.frame.part(left, top, right.saturating_sub(left), bottom.saturating_sub(top)) else {
                return Ok(false);
            };
            let factor = (track.scale.round() as usize).max(1);
            let mut picture = Picture::shrunk(&part, factor, &mut self.meter)?;
            if track.method.inverted {
                picture = picture.inverted(&mut self.meter)?;
            }
            let picture = Rc::new(picture);
            let place = Place { left: left as f32, top: top as f32, scale: factor as f32 };
            let known = self.codes.len();
            self.look(Pass::Tracked, &picture, place, track.method)?;
            if self.codes.len() == known {
                self.looks.clear();
                self.failed.clear();
                return Ok(false);
            }
        }
        Ok(!tracks.is_empty())
    }
}

impl Track {
    pub(super) fn new(code: &Code, scale: f32, method: super::Method) -> Track {
        let (xs, ys) = (code.corners.map(|c| c.0), code.corners.map(|c| c.1));
        let least = |values: [f32; 4]| values.into_iter().fold(f32::MAX, f32::min);
        let most = |values: [f32; 4]| values.into_iter().fold(f32::MIN, f32::max);
        Track { left: least(xs), top: least(ys), right: most(xs), bottom: most(ys), scale, method }
    }
}
