//! The work that one frame may cost.
//!
//! Every loop over pixels, rays or candidates pays before it runs. Invariants: the count depends on the picture alone,
//! so tests of it are exact; the deadline is asked about every `LOOK_EVERY_UNITS`.

/// How many units pass between two looks at the deadline: about a third of a millisecond on a handheld.
const LOOK_EVERY_UNITS: u64 = 20_000;

/// Why a search was ended before it was through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The caller's deadline has passed.
    Deadline,
    /// The frame has used up its units of work.
    Budget,
}

/// Counts the work of one frame, over all its passes. A unit is about the looking at one pixel between pixels.
pub(super) struct Meter<'e> {
    spent: u64,
    units_max: u64,
    look_at: u64,
    stopped: Option<Stop>,
    expired: &'e mut dyn FnMut() -> bool,
}

impl<'e> Meter<'e> {
    pub(super) fn new(units_max: u64, expired: &'e mut dyn FnMut() -> bool) -> Self {
        Meter { spent: 0, units_max, look_at: 0, stopped: None, expired }
    }

    /// Units spent so far.
    pub(super) fn spent(&self) -> u64 {
        self.spent
    }

    /// Pays for work about to be done.
    #[inline]
    pub(super) fn spend(&mut self, units: u64) -> Result<(), Stop> {
        if self.spent + units < self.look_at {
            self.spent += units;
            return Ok(());
        }
        self.look(units)
    }

    #[cold]
    fn look(&mut self, units: u64) -> Result<(), Stop> {
        if self.stopped.is_none() {
            if self.spent.saturating_add(units) > self.units_max {
                self.stopped = Some(Stop::Budget);
            } else if (self.expired)() {
                self.stopped = Some(Stop::Deadline);
            }
        }
        if let Some(stop) = self.stopped {
            // Whoever asks again is told the same.
            self.look_at = 0;
            return Err(stop);
        }
        self.spent += units;
        self.look_at = (self.spent + LOOK_EVERY_UNITS).min(self.units_max);
        Ok(())
    }
}
