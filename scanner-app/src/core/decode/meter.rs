//! The work that one frame may cost, and the pixel buffer through which the work is counted.
//!
//! rqrr has no limits of its own: its search for an alignment pattern, for one, may circle outside the picture for half
//! a minute. But it does nothing without asking its buffer for pixels or sizes, so the buffer counts the questions and
//! ends the search when the budget or the deadline is used up. It ends it by unwinding, which the caller catches:
//! there is no other way out of rqrr.
//!
//! Invariants: the count depends on the picture alone, so tests of it are exact; the deadline is asked about every
//! `LOOK_EVERY_UNITS`; unwinding never runs the panic hook, so that a gate's log stays clean.

use std::cell::{Cell, RefCell};
use std::panic::resume_unwind;

use image::{GenericImage, GenericImageView, Luma, Pixel};

/// How many units pass between two looks at the deadline: about a tenth of a millisecond.
const LOOK_EVERY_UNITS: u64 = 65_536;
/// What a copy of the picture costs, per pixel, as a divisor: copying is that much cheaper than asking.
const COPY_PIXELS_PER_UNIT: u64 = 16;
/// What rqrr copies beside the pixels.
const COPY_UNITS: u64 = 2_048;
/// rqrr's names for pixels while it measures a finder pattern (`Tmp1`) and once it has found one (`CapStone`).
const MEASURING: u8 = 4;
const FINDER: u8 = 2;

/// Why a pass was ended before it was through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The caller's deadline has passed.
    Deadline,
    /// The frame has used up its units of work.
    Budget,
    /// More things look like finder patterns than a real view can hold.
    TooManyFinders,
    /// rqrr panicked. Nothing was lost but this pass.
    Panicked,
}

/// Counts the work of one frame, over all its passes.
pub(super) struct Meter<'e> {
    /// Units left until the next slow look.
    fuel: Cell<u64>,
    /// Units left after that.
    reserve: Cell<u64>,
    units_max: u64,
    finders: Cell<u32>,
    finders_max: u32,
    stopped: Cell<Option<Stop>>,
    expired: RefCell<&'e mut dyn FnMut() -> bool>,
}

impl<'e> Meter<'e> {
    pub(super) fn new(units_max: u64, finders_max: u32, expired: &'e mut dyn FnMut() -> bool) -> Self {
        Meter {
            fuel: Cell::new(0),
            reserve: Cell::new(units_max),
            units_max,
            finders: Cell::new(0),
            finders_max,
            stopped: Cell::new(None),
            expired: RefCell::new(expired),
        }
    }

    /// Units spent so far.
    pub(super) fn spent(&self) -> u64 {
        self.units_max - self.fuel.get() - self.reserve.get()
    }

    pub(super) fn stopped(&self) -> Option<Stop> {
        self.stopped.get()
    }

    /// Forgets the finder patterns and the end of the pass before.
    pub(super) fn begin_pass(&self) {
        self.finders.set(0);
        self.stopped.set(None);
    }

    /// Asks the deadline, between steps that are not counted.
    pub(super) fn deadline_passed(&self) -> bool {
        let passed = (self.expired.borrow_mut())();
        if passed {
            self.stopped.set(Some(Stop::Deadline));
        }
        passed
    }

    /// Pays for work outside the buffer; false when the frame may cost no more.
    pub(super) fn afford(&self, units: u64) -> bool {
        self.take(units).is_ok()
    }

    #[inline]
    fn spend(&self, units: u64) {
        let fuel = self.fuel.get();
        if fuel >= units {
            self.fuel.set(fuel - units);
        } else {
            self.refuel(units);
        }
    }

    #[cold]
    fn refuel(&self, units: u64) {
        if let Err(stop) = self.take(units) {
            self.give_up(stop);
        }
    }

    fn take(&self, units: u64) -> Result<(), Stop> {
        if self.deadline_passed() {
            return Err(Stop::Deadline);
        }
        let left = self.fuel.get() + self.reserve.get();
        let Some(left) = left.checked_sub(units) else {
            self.fuel.set(0);
            self.reserve.set(0);
            self.stopped.set(Some(Stop::Budget));
            return Err(Stop::Budget);
        };
        let fuel = left.min(LOOK_EVERY_UNITS);
        self.fuel.set(fuel);
        self.reserve.set(left - fuel);
        Ok(())
    }

    fn found_finder(&self) {
        self.finders.set(self.finders.get() + 1);
        if self.finders.get() > self.finders_max {
            self.stopped.set(Some(Stop::TooManyFinders));
            self.give_up(Stop::TooManyFinders);
        }
    }

    fn give_up(&self, stop: Stop) -> ! {
        resume_unwind(Box::new(stop))
    }
}

/// The picture rqrr works on: it reads luma from it, then writes its own marks over it.
pub(super) struct MeteredImage<'m, 'e> {
    width: u32,
    height: u32,
    pixels: Vec<Luma<u8>>,
    last_mark: u8,
    meter: &'m Meter<'e>,
}

impl<'m, 'e> MeteredImage<'m, 'e> {
    /// `pixels` are rows of `width` without padding.
    pub(super) fn new(width: usize, pixels: Vec<Luma<u8>>, meter: &'m Meter<'e>) -> Self {
        let height = pixels.len() / width.max(1);
        MeteredImage { width: width as u32, height: height as u32, pixels, last_mark: 0, meter }
    }

    #[inline]
    fn index(&self, x: u32, y: u32) -> usize {
        if x >= self.width || y >= self.height {
            // rqrr follows a distorted grid out of the picture; an index would panic, loudly.
            self.meter.stopped.set(Some(Stop::Panicked));
            self.meter.give_up(Stop::Panicked);
        }
        y as usize * self.width as usize + x as usize
    }
}

impl Clone for MeteredImage<'_, '_> {
    fn clone(&self) -> Self {
        self.meter.spend(COPY_UNITS + self.pixels.len() as u64 / COPY_PIXELS_PER_UNIT);
        MeteredImage { pixels: self.pixels.clone(), ..*self }
    }
}

impl GenericImageView for MeteredImage<'_, '_> {
    type Pixel = Luma<u8>;

    /// Counted as well: a search that has left the picture asks for nothing else.
    #[inline]
    fn dimensions(&self) -> (u32, u32) {
        self.meter.spend(1);
        (self.width, self.height)
    }

    #[inline]
    fn get_pixel(&self, x: u32, y: u32) -> Luma<u8> {
        self.meter.spend(1);
        self.pixels[self.index(x, y)]
    }
}

impl GenericImage for MeteredImage<'_, '_> {
    fn get_pixel_mut(&mut self, x: u32, y: u32) -> &mut Luma<u8> {
        let index = self.index(x, y);
        &mut self.pixels[index]
    }

    #[inline]
    fn put_pixel(&mut self, x: u32, y: u32, pixel: Luma<u8>) {
        self.meter.spend(1);
        let mark = pixel.0[0];
        if self.last_mark == MEASURING && mark == FINDER {
            self.meter.found_finder();
        }
        self.last_mark = mark;
        let index = self.index(x, y);
        self.pixels[index] = pixel;
    }

    fn blend_pixel(&mut self, x: u32, y: u32, pixel: Luma<u8>) {
        let index = self.index(x, y);
        self.pixels[index].blend(&pixel);
    }
}
