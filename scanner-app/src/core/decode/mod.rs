//! Luma frame in, code texts out.
//!
//! Anytime: cheap passes come first, and `expired` is asked often enough that a frame ends soon after its deadline. The
//! work is also counted, so that no frame, however hostile, costs more than `Limits::units_max`.
//!
//! Invariants: pure (no clock, no I/O, no threads); never panics; the same frame and the same answers of `expired`
//! give the same result; a text is only ever returned after its error correction came out clean.
//!
//! Locating, sampling and bits are all rqrr's for now, behind `rqrr_pass`; a pass of our own takes a `LumaView` and a
//! `Meter` and adds `Code`s, as that one does.

pub mod luma;
mod meter;
pub mod raw;
mod rqrr_pass;
mod shrink;
#[cfg(test)]
mod tests;

use self::luma::LumaView;
use self::meter::Meter;

pub use self::meter::Stop;

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
}

/// The passes, in the order in which they are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// For codes that fill the view: a quarter of the cost, and less noise.
    Half,
    /// For codes at arm's length.
    Full,
}

impl Pass {
    /// A stable name for logs and tools.
    pub fn name(self) -> &'static str {
        match self {
            Pass::Half => "half",
            Pass::Full => "full",
        }
    }
}

/// What came out of a frame.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decoded {
    /// Every code that the successful pass read, in the order found; two phones may show the same text.
    pub codes: Vec<Code>,
    /// The pass that read them; `None` if nothing was read.
    pub pass: Option<Pass>,
    /// Why the last pass ended early, if it did. Not an error: the next frame is on its way.
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
    /// Things that look like finder patterns in one pass. Three belong to a symbol.
    pub finders_max: u32,
    /// Codes returned of one frame.
    pub codes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { side_px_max: 1920, side_px_min: 42, units_max: 40_000_000, finders_max: 120, codes_max: 16 }
    }
}

/// Reads codes from one frame after another.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    limits: Limits,
}

impl Decoder {
    pub fn new(limits: Limits) -> Self {
        Decoder { limits }
    }

    /// Reads the codes of a frame. `expired` says whether the frame's deadline has passed; once it has said so, decode
    /// returns within a step, with what it has.
    ///
    /// The first pass that reads something ends the search.
    pub fn decode(&mut self, frame: &LumaView<'_>, expired: &mut dyn FnMut() -> bool) -> Decoded {
        let limits = &self.limits;
        let meter = Meter::new(limits.units_max, limits.finders_max, expired);
        let base = frame.width().max(frame.height()).div_ceil(limits.side_px_max.max(1));
        let mut decoded = Decoded::default();
        for (pass, factor) in [(Pass::Half, base * 2), (Pass::Full, base)] {
            if frame.width().min(frame.height()) / factor < limits.side_px_min {
                continue;
            }
            if meter.deadline_passed() {
                decoded.stopped = Some(Stop::Deadline);
                break;
            }
            let picture = shrink::shrink(frame, factor);
            decoded.stopped = rqrr_pass::read(picture, factor, limits, &meter, &mut decoded.codes).err();
            if !decoded.codes.is_empty() {
                decoded.pass = Some(pass);
                break;
            }
            if matches!(decoded.stopped, Some(Stop::Deadline | Stop::Budget)) {
                break;
            }
        }
        decoded.units = meter.spent();
        decoded
    }
}

/// Reads one frame that has nothing to do with the one before, within the default limits.
pub fn decode(frame: &LumaView<'_>, expired: &mut dyn FnMut() -> bool) -> Decoded {
    Decoder::default().decode(frame, expired)
}
