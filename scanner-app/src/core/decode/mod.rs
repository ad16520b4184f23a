//! Luma frame in, code texts out.
//!
//! Anytime: cheap passes come first, and `expired` is asked often enough that a frame ends soon after its deadline. The
//! work is also counted, so that no frame, however hostile, costs more than `Limits::units_max`.
//!
//! Invariants: pure (no clock, no I/O, no threads); never panics; the same frames and the same answers of `expired` give
//! the same results; a text is only ever returned after its error correction came out clean.

mod corner;
mod explain;
mod finder;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzz;
#[cfg(test)]
mod fuzz_tests;
mod grid;
mod homography;
mod linear;
pub mod luma;
mod meter;
mod passes;
mod picture;
pub mod raw;
mod reading;
mod remedies;
mod sample;
mod symbol;
#[cfg(test)]
mod tests;

use self::luma::LumaView;
use self::meter::Meter;
use self::passes::{Method, Search};

pub use self::explain::{GridView, LookView, Stage};
pub use self::meter::Stop;
pub use self::passes::Pass;

/// A code that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Code {
    /// The symbol's content, byte for byte. Not checked to be UTF-8, nor to be a ticket.
    pub text: Vec<u8>,
    /// Its corners in pixels of the frame: top left, top right, bottom right, bottom left as the symbol is turned.
    pub corners: [(f32, f32); 4],
}

impl Code {
    /// The middle of the symbol, in pixels of the frame.
    pub fn centre(&self) -> (f32, f32) {
        let sum = self.corners.iter().fold((0.0, 0.0), |sum, c| (sum.0 + c.0, sum.1 + c.1));
        (sum.0 / 4.0, sum.1 / 4.0)
    }

    /// Whether a place of the frame lies inside the symbol.
    fn covers(&self, (x, y): (f32, f32)) -> bool {
        let sides = (0..4).map(|i| {
            let (a, b) = (self.corners[i], self.corners[(i + 1) % 4]);
            (b.0 - a.0) * (y - a.1) - (b.1 - a.1) * (x - a.0)
        });
        let (left, right) = sides.fold((true, true), |(left, right), side| (left && side >= 0.0, right && side <= 0.0));
        left || right
    }
}

/// What came out of a frame.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decoded {
    /// Every code that was read, in the order found; two phones may show the same text.
    pub codes: Vec<Code>,
    /// The pass that read the last of them; `None` if nothing was read.
    pub pass: Option<Pass>,
    /// Whether something in the frame looks like a code, read or not.
    pub likely: bool,
    /// Why the search ended early, if it did. Not an error: the next frame is on its way.
    pub stopped: Option<Stop>,
    /// Units of work spent; some hundred thousand take a millisecond on a desktop.
    pub units: u64,
}

/// How much one frame may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The longest side that is searched, in pixels; larger frames are shrunk by a whole factor first.
    pub side_px_max: usize,
    /// The shortest side worth a pass, in pixels: below it no readable symbol fits.
    pub side_px_min: usize,
    /// Work over all passes, in units.
    pub units_max: u64,
    /// Codes returned of one frame.
    pub codes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { side_px_max: 1920, side_px_min: 21, units_max: 40_000_000, codes_max: 16 }
    }
}

/// Where a code was and how it was read, for the next frame.
#[derive(Clone, Copy, Debug)]
struct Track {
    version: symbol::Version,
    /// The middles of its finders, and the place that makes a square with them: in pixels of the frame, as in `Code`.
    square: [(f32, f32); 4],
    /// A module's side, in pixels of the frame.
    module_px: f32,
    /// How far it moved since the frame before.
    moved: (f32, f32),
    /// Frame pixels to a pixel of the picture that read it.
    scale: f32,
    method: Method,
}

/// After so many frames in which only tracked codes were looked for, the whole frame is searched again, and completely.
const TRACKED_FRAMES_MAX: u32 = 6;

/// Reads codes from one frame after another.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    limits: Limits,
    tracks: Vec<Track>,
    tracked_frames: u32,
    /// The later pass that the next frame begins with.
    first_pass: usize,
}

impl Decoder {
    pub fn new(limits: Limits) -> Self {
        Decoder { limits, ..Decoder::default() }
    }

    /// Reads the codes of a frame. `expired` says whether the frame's deadline has passed; once it has said so, decode
    /// returns within a step, with what it has.
    ///
    /// Codes of the frame before are looked for where they were, first; while they are all there, other codes are only
    /// looked for every few frames.
    pub fn decode(&mut self, frame: &LumaView<'_>, expired: &mut dyn FnMut() -> bool) -> Decoded {
        self.explain(frame, expired, &mut |_| {})
    }

    /// As `decode`, and tells `watch` what it sees on the way.
    pub fn explain(
        &mut self,
        frame: &LumaView<'_>,
        expired: &mut dyn FnMut() -> bool,
        watch: &mut dyn FnMut(Stage<'_>),
    ) -> Decoded {
        let before = std::mem::take(&mut self.tracks);
        let mut search = Search::new(&self.limits, *frame, Meter::new(self.limits.units_max, expired), watch, &before);
        if self.tracked_frames >= TRACKED_FRAMES_MAX {
            search = search.completely();
        }
        let stopped = search.run(&mut self.first_pass).err();
        let likely = search.is_likely();
        let (codes, pass, units) = (search.codes, search.pass, search.meter.spent());
        self.tracks = search.tracks;
        self.tracked_frames = if pass == Some(Pass::Tracked) { self.tracked_frames + 1 } else { 0 };
        Decoded { codes, pass, likely, stopped, units }
    }
}

/// Reads one frame that has nothing to do with the one before, within the default limits.
pub fn decode(frame: &LumaView<'_>, expired: &mut dyn FnMut() -> bool) -> Decoded {
    Decoder::default().decode(frame, expired)
}
