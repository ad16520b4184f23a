//! Who holds which lock: on a database file (five levels) and on the slots of its shared memory.
//!
//! Pure. A holder is a number that the glue gives each open file.

/// SQLite's lock levels on a database file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Shared,
    Reserved,
    Pending,
    Exclusive,
}

/// Holders and what each holds; who holds nothing is not in it.
#[derive(Debug)]
pub struct Locks<T>(Vec<(u64, T)>);

impl<T> Default for Locks<T> {
    fn default() -> Self {
        Locks(Vec::new())
    }
}

impl<T: Copy> Locks<T> {
    fn set(&mut self, holder: u64, held: Option<T>) {
        self.0.retain(|(of, _)| *of != holder);
        self.0.extend(held.map(|held| (holder, held)));
    }

    fn others(&self, holder: u64) -> impl Iterator<Item = T> {
        self.0.iter().filter(move |(of, _)| *of != holder).map(|(_, held)| *held)
    }
}

impl Locks<Level> {
    fn held(&self, holder: u64) -> Option<Level> {
        self.0.iter().find(|(of, _)| *of == holder).map(|(_, level)| *level)
    }

    /// Raises the holder's lock to `wanted`; false while others are in the way.
    pub fn raise(&mut self, holder: u64, wanted: Level) -> bool {
        if self.held(holder).is_some_and(|held| held >= wanted) {
            return true;
        }
        let highest = self.others(holder).max();
        let free = match wanted {
            Level::Shared => highest.is_none_or(|other| other < Level::Pending),
            _ => highest.is_none_or(|other| other < Level::Reserved),
        };
        if !free {
            return false;
        }
        // Readers finish and no new ones come: that is what pending means.
        let blocked = wanted == Level::Exclusive && highest.is_some();
        self.set(holder, Some(if blocked { Level::Pending } else { wanted }));
        !blocked
    }

    /// Lowers the holder's lock; `None` gives it up.
    pub fn lower(&mut self, holder: u64, to: Option<Level>) {
        if self.held(holder) > to {
            self.set(holder, to);
        }
    }

    /// Whether anybody means to write.
    pub fn is_reserved(&self) -> bool {
        self.0.iter().any(|(_, level)| *level >= Level::Reserved)
    }
}

/// How a slot of shared memory is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    Shared,
    Exclusive,
}

/// The slots of one shared memory.
#[derive(Debug, Default)]
pub struct Slots([Locks<Hold>; 8]);

impl Slots {
    /// Takes all of `slots`, or none of them.
    pub fn take(&mut self, holder: u64, slots: std::ops::Range<usize>, hold: Hold) -> bool {
        let Some(wanted) = self.0.get_mut(slots) else { return false };
        let free = wanted.iter().all(|slot| match hold {
            Hold::Shared => slot.others(holder).all(|other| other == Hold::Shared),
            Hold::Exclusive => slot.others(holder).next().is_none(),
        });
        if free {
            wanted.iter_mut().for_each(|slot| slot.set(holder, Some(hold)));
        }
        free
    }

    pub fn release(&mut self, holder: u64, slots: std::ops::Range<usize>) {
        self.0.get_mut(slots).into_iter().flatten().for_each(|slot| slot.set(holder, None));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_writer_and_many_readers() {
        let mut locks = Locks::default();
        assert!(locks.raise(1, Level::Shared) && locks.raise(2, Level::Shared));
        assert!(locks.raise(1, Level::Reserved) && !locks.raise(2, Level::Reserved));
        assert!(!locks.raise(1, Level::Exclusive), "2 still reads");
        assert!(!locks.raise(3, Level::Shared), "and nobody else begins to");
        locks.lower(2, None);
        assert!(locks.raise(1, Level::Exclusive) && locks.is_reserved());
        locks.lower(1, Some(Level::Shared));
        assert!(locks.raise(3, Level::Shared) && !locks.is_reserved());
    }

    #[test]
    fn slots_are_taken_together_or_not_at_all() {
        let mut slots = Slots::default();
        assert!(slots.take(1, 3..4, Hold::Shared) && slots.take(2, 3..4, Hold::Shared));
        assert!(!slots.take(1, 2..5, Hold::Exclusive));
        assert!(slots.take(2, 2..3, Hold::Exclusive), "a failed attempt holds nothing");
        slots.release(2, 0..8);
        assert!(slots.take(1, 2..5, Hold::Exclusive) && !slots.take(2, 4..5, Hold::Shared));
        assert!(!slots.take(1, 7..9, Hold::Shared), "there are eight");
    }
}
