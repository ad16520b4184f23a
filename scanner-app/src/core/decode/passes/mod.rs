//! The passes over a frame, cheapest first. One pass a file; what they share is here.
//!
//! A pass looks at one picture of the frame (whole, half, inverted, ...) by one threshold, finds finders, lays grids and
//! reads what reads easily. Grids that do not are kept, and when every look was in vain, the likeliest of them are worth
//! more work (`remedies`).

mod enlarged;
mod faint;
mod inverted;
mod remedies;
#[cfg(test)]
mod tests;
mod thresholds;
mod tracked;
mod two_of_three;
mod whole;

use std::rc::Rc;

use super::corner;
use super::explain::{GridView, LookView, Stage};
use super::finder::{self, Finder};
use super::grid::{self, Grid};
use super::luma::LumaView;
use super::meter::{Meter, Stop};
use super::picture::{Picture, Point, Shades};
use super::reading::{self, Reading};
use super::{Code, Limits, Track};

/// The passes, in the order in which they are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pass {
    Tracked,
    Half,
    Full,
    Fine,
    Inverted,
    Broad,
    Enlarged,
    Faint,
    Remedies,
    TwoOfThree,
}

impl Pass {
    /// A stable name for logs and tools.
    pub fn name(self) -> &'static str {
        match self {
            Pass::Tracked => "tracked",
            Pass::Half => "half",
            Pass::Full => "full",
            Pass::Fine => "fine",
            Pass::Inverted => "inverted",
            Pass::Broad => "broad",
            Pass::Enlarged => "enlarged",
            Pass::Faint => "faint",
            Pass::Remedies => "remedies",
            Pass::TwoOfThree => "two-of-three",
        }
    }
}

/// A pass that a search makes.
type Later<S> = fn(&mut S, &Pictures) -> Result<(), Stop>;

/// What is found so far, and what may still be spent.
pub(super) struct Search<'s, 'e> {
    pub(super) limits: &'s Limits,
    pub(super) frame: LumaView<'s>,
    /// By how much the frame is shrunk before anything looks at it.
    pub(super) base: usize,
    pub(super) meter: Meter<'e>,
    pub(super) watch: &'s mut dyn FnMut(Stage<'_>),
    /// The last frame's codes.
    before: &'s [Track],
    pub(super) codes: Vec<Code>,
    pub(super) pass: Option<Pass>,
    /// For each code, how to find it again.
    pub(super) tracks: Vec<Track>,
    /// The finders of all codes, in pixels of the frame, with their modules' size.
    read_finders: Vec<((f32, f32), f32)>,
    looks: Vec<Rc<Look>>,
    failed: Vec<Failed>,
    /// Whether to look for other codes although one was read.
    complete: bool,
    /// Finders of the last look that belong to no code that was read.
    left_over: usize,
}

/// A picture as one pass sees it.
struct Look {
    picture: Rc<Picture>,
    threshold: Picture,
    place: Place,
    method: Method,
    finders: Vec<Finder>,
}

impl Look {
    fn shades(&self) -> Shades<'_> {
        Shades { picture: &self.picture, threshold: &self.threshold }
    }
}

/// A grid that did not read.
struct Failed {
    look: Rc<Look>,
    grid: Grid,
}

/// The frame in the two sizes that most passes look at.
struct Pictures {
    half: Rc<Picture>,
    full: Rc<Picture>,
}

/// How a picture is looked at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Method {
    /// Half the side of the square by whose mean a pixel is judged, in pixels.
    pub(super) radius: usize,
    /// How much darker than that mean dark is, in luma.
    pub(super) bias: i32,
    /// Whether light and dark are exchanged.
    pub(super) inverted: bool,
}

/// Judges by squares of 41 pixels, which hold a finder pattern with modules of up to six.
const USUAL: Method = Method { radius: 20, bias: 3, inverted: false };

/// Where a picture lies in the frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    left: f32,
    top: f32,
    /// Frame pixels to a pixel of the picture.
    scale: f32,
}

impl Place {
    fn whole(factor: usize) -> Place {
        Place { left: 0.0, top: 0.0, scale: factor as f32 }
    }

    fn in_frame(&self, p: Point) -> (f32, f32) {
        (self.left + p.x * self.scale, self.top + p.y * self.scale)
    }
}

/// The least share of the timing patterns that must look right: half of it does by chance.
const TIMING_MIN: f32 = 0.65;
/// Threes of finders that are tried in one look.
const CORNERS_MAX: usize = 12;
/// Grids that are kept for more work.
const FAILED_MAX: usize = 24;
/// Every how manyeth row is searched for finders.
const ROW_STEP: usize = 2;

impl<'s, 'e> Search<'s, 'e> {
    pub(super) fn new(
        limits: &'s Limits,
        frame: LumaView<'s>,
        meter: Meter<'e>,
        watch: &'s mut dyn FnMut(Stage<'_>),
        before: &'s [Track],
    ) -> Self {
        let base = frame.width().max(frame.height()).div_ceil(limits.side_px_max.max(1));
        Search {
            limits,
            frame,
            base,
            meter,
            watch,
            before,
            codes: Vec::new(),
            pass: None,
            tracks: Vec::new(),
            read_finders: Vec::new(),
            looks: Vec::new(),
            failed: Vec::new(),
            complete: false,
            left_over: 0,
        }
    }

    /// The passes for frames that neither half nor full size has read.
    const LATER: [Later<Self>; 7] = [
        Self::fine,
        Self::inverted,
        Self::broad,
        Self::enlarged,
        Self::faint,
        |search, _| search.remedies(Pass::Remedies),
        |search, _| search.two_of_three(),
    ];

    /// Has every pass run that may find another guest's code beside one that is read easily: in dark mode, or small.
    pub(super) fn completely(mut self) -> Self {
        self.complete = true;
        self
    }

    /// Runs the passes until one reads something. `first` is the later pass to begin with, and is left at the one to
    /// begin with next time: where time runs out on every frame, each pass has its turn all the same.
    pub(super) fn run(&mut self, first: &mut usize) -> Result<(), Stop> {
        let begun = std::mem::take(first);
        if !self.complete && self.tracked()? {
            return Ok(());
        }
        let half = self.shrunk(2)?;
        self.half(&half)?;
        if self.is_done() && !self.complete {
            return Ok(());
        }
        let full = self.shrunk(1)?;
        self.full(&full)?;
        let pictures = Pictures { half, full };
        if self.complete && !self.codes.is_empty() {
            self.fine(&pictures)?;
            return self.inverted(&pictures);
        }
        for step in 0..Self::LATER.len() {
            if !self.codes.is_empty() {
                break;
            }
            let at = (begun + step) % Self::LATER.len();
            // A pass that had the whole frame's time and did not come to its end will not the next time.
            *first = if step == 0 { at + 1 } else { at };
            Self::LATER[at](self, &pictures)?;
            *first = 0;
        }
        Ok(())
    }

    /// Whether anything was seen that looks like a code: a finder, on more than one row.
    pub(super) fn is_likely(&self) -> bool {
        self.looks.iter().any(|look| look.finders.iter().any(|finder| finder.rows > 1))
    }

    /// Whether what was read is likely all there is.
    fn is_done(&self) -> bool {
        !self.codes.is_empty() && self.left_over == 0
    }

    fn shrunk(&mut self, factor: usize) -> Result<Rc<Picture>, Stop> {
        Ok(Rc::new(Picture::shrunk(&self.frame, self.base * factor, &mut self.meter)?))
    }

    /// Looks at one picture by one method and adds what it reads.
    fn look(&mut self, pass: Pass, picture: &Rc<Picture>, place: Place, method: Method) -> Result<(), Stop> {
        if picture.width.min(picture.height) < self.limits.side_px_min.max(1) {
            return Ok(());
        }
        let threshold = picture.local_means(method.radius, method.bias, &mut self.meter)?;
        let shades = Shades { picture, threshold: &threshold };
        let mut finders = finder::find(&shades, ROW_STEP, &mut self.meter)?;
        finders.retain(|finder| !self.is_read(place.in_frame(finder.centre)));
        (self.watch)(Stage::Look(LookView { pass, picture, threshold: &threshold, finders: &finders }));
        let look = Rc::new(Look { picture: Rc::clone(picture), threshold, place, method, finders });
        self.looks.push(Rc::clone(&look));
        self.try_corners(pass, &look)
    }

    /// Tries threes of a look's finders, best first, until no finder is free.
    fn try_corners(&mut self, pass: Pass, look: &Rc<Look>) -> Result<(), Stop> {
        let (shades, finders, place) = (look.shades(), &look.finders, look.place);
        let corners = corner::corners(&shades, finders, &mut self.meter)?;
        let mut taken = vec![false; finders.len()];
        let mut tried = 0;
        for corner in &corners {
            let members = [corner.top_left, corner.top_right, corner.bottom_left];
            if members.iter().any(|&member| taken[member]) {
                continue;
            }
            if tried == CORNERS_MAX || self.codes.len() == self.limits.codes_max {
                break;
            }
            tried += 1;
            let Some(grid) = grid::lay(&shades, finders, corner, TIMING_MIN, &mut self.meter)? else { continue };
            self.watch_grid(pass, look, &grid);
            match reading::read(&shades, &grid, &mut self.meter)? {
                None => self.keep_failed(look, grid),
                Some(reading) => {
                    for member in members {
                        taken[member] = true;
                        let finder = &finders[member];
                        self.read_finders.push((place.in_frame(finder.centre), finder.module * place.scale));
                    }
                    self.add(pass, look, reading);
                }
            }
        }
        // What looks like a finder inside a code that was read is most likely chance.
        let covered = |finder: &Finder| self.codes.iter().any(|code| code.covers(place.in_frame(finder.centre)));
        self.left_over = taken.iter().zip(finders).filter(|(taken, finder)| !**taken && !covered(finder)).count();
        Ok(())
    }

    fn add(&mut self, pass: Pass, look: &Look, reading: Reading) {
        if self.codes.len() < self.limits.codes_max {
            let corners = reading.grid.corners().map(|p| look.place.in_frame(p));
            let code = Code { text: reading.text, corners };
            self.tracks.push(Track::new(&reading.grid, look, self.before));
            self.codes.push(code);
            self.pass = Some(pass);
        }
    }

    fn keep_failed(&mut self, look: &Rc<Look>, grid: Grid) {
        if self.failed.len() < FAILED_MAX {
            self.failed.push(Failed { look: Rc::clone(look), grid });
        }
    }

    fn watch_grid(&mut self, pass: Pass, look: &Look, grid: &Grid) {
        (self.watch)(Stage::Grid(GridView { pass, picture: &look.picture, grid }));
    }

    /// Whether a finder at a place of the frame is one of a code that was read.
    fn is_read(&self, place: (f32, f32)) -> bool {
        self.read_finders.iter().any(|&(known, module)| (known.0 - place.0).hypot(known.1 - place.1) < 3.0 * module)
    }
}
