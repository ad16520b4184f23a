//! Guests going in and out on a ticket, and how many of them are inside: the one count that every rule uses.
//!
//! The order of arrival must not matter, and clocks differ. So passages are walked by time, an entry as early and an exit as
//! late as its clock allows: the count is never too low, and a ticket that was used too often is never hidden by a wrong
//! clock. A walk never goes below nobody inside: an exit that may have come before every entry gives nothing back, which a
//! first walk finds out. A guest who comes back within the clocks' uncertainty is therefore refused; it is seconds at most.

use ticket_signer::{DeviceId, LaneId};

use crate::mutant::{Mutant, planted};

/// Which way guests go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    #[default]
    In,
    Out,
}

impl Direction {
    pub fn to_byte(self) -> u8 {
        match self {
            Direction::In => 1,
            Direction::Out => 2,
        }
    }

    pub fn from_byte(byte: u8) -> Option<Self> {
        [Direction::In, Direction::Out].into_iter().find(|direction| direction.to_byte() == byte)
    }
}

/// Guests who went through a lane on one ticket, as one journal row says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Passage {
    /// Unix milliseconds by the device's clock.
    pub at_ms: i64,
    /// How far that clock may have been off, in milliseconds.
    pub uncertainty_ms: u32,
    pub device: DeviceId,
    pub lane: LaneId,
    /// Names the journal row together with the device.
    pub epoch: u64,
    pub seq: u64,
    pub direction: Direction,
    /// How many guests; at least one.
    pub guests: u8,
}

impl Passage {
    /// The journal row that this is.
    pub fn row(&self) -> (DeviceId, u64, u64) {
        (self.device, self.epoch, self.seq)
    }

    fn earliest_ms(&self) -> i64 {
        self.at_ms.saturating_sub(i64::from(self.uncertainty_ms))
    }

    fn latest_ms(&self) -> i64 {
        self.at_ms.saturating_add(i64::from(self.uncertainty_ms))
    }
}

/// What a ticket's passages come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Guests inside now.
    pub inside: u32,
    /// The most that were inside at any time.
    pub most_inside: u32,
}

/// Counts a ticket's passages, in whatever order they came. The same row twice counts once.
pub fn usage(passages: &[Passage]) -> Usage {
    let mut all = passages.to_vec();
    all.sort_unstable_by_key(|passage| (passage.row(), *passage));
    all.dedup_by_key(|passage| passage.row());
    // What each exit gives back at least: exits as early as they may have been, entries as late.
    all.sort_unstable_by_key(|passage| match passage.direction {
        Direction::In => (passage.latest_ms(), Direction::In, passage.row()),
        Direction::Out => (passage.earliest_ms(), Direction::Out, passage.row()),
    });
    let mut inside = 0;
    for passage in &mut all {
        match passage.direction {
            Direction::In => inside += u32::from(passage.guests),
            Direction::Out => {
                let most = if planted(Mutant::ExitAlwaysGives) { u32::from(passage.guests) } else { inside };
                passage.guests = passage.guests.min(u8::try_from(most).unwrap_or(u8::MAX));
                inside = inside.saturating_sub(u32::from(passage.guests));
            }
        }
    }
    // How many may have been inside: entries as early as they may have been, exits as late.
    all.sort_unstable_by_key(|passage| match passage.direction {
        Direction::In => (passage.earliest_ms(), Direction::In, passage.row()),
        Direction::Out => (passage.latest_ms(), Direction::Out, passage.row()),
    });
    let mut usage = Usage::default();
    for passage in all {
        let guests = if planted(Mutant::GroupCountsOnce) { 1 } else { u32::from(passage.guests) };
        match passage.direction {
            Direction::In => usage.inside = usage.inside.saturating_add(guests),
            Direction::Out => usage.inside = usage.inside.saturating_sub(guests),
        }
        usage.most_inside = usage.most_inside.max(usage.inside);
    }
    usage
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn passage(at_ms: i64, device: u64, direction: Direction, guests: u8) -> Passage {
        Passage {
            at_ms,
            uncertainty_ms: 0,
            device: DeviceId(device),
            lane: LaneId(1),
            epoch: 1,
            seq: at_ms as u64,
            direction,
            guests,
        }
    }

    fn inside(passages: &[Passage]) -> (u32, u32) {
        let usage = usage(passages);
        (usage.inside, usage.most_inside)
    }

    #[test]
    fn an_exit_gives_back_what_was_taken_and_no_more() {
        use Direction::{In, Out};
        type Step = (i64, Direction, u8);
        let table: [(&[Step], (u32, u32)); 7] = [
            (&[], (0, 0)),
            (&[(1, In, 1)], (1, 1)),
            (&[(1, In, 1), (2, Out, 1)], (0, 1)),
            (&[(1, In, 1), (2, Out, 1), (3, In, 1)], (1, 1)),
            (&[(1, In, 1), (2, Out, 1), (3, Out, 1), (4, In, 1)], (1, 1)),
            (&[(1, Out, 1), (2, In, 1)], (1, 1)),
            (&[(1, In, 4), (2, In, 2), (3, Out, 5)], (1, 6)),
        ];
        for (passages, expected) in table {
            let passages: Vec<Passage> =
                passages.iter().map(|(at, way, guests)| passage(*at, 1, *way, *guests)).collect();
            assert_eq!(inside(&passages), expected, "{passages:?}");
        }
    }

    #[test]
    fn an_unsure_clock_hides_no_second_guest() {
        let first = passage(100, 1, Direction::In, 1);
        let second = passage(105, 2, Direction::In, 1);
        let exit = Passage { uncertainty_ms: 10, ..passage(102, 3, Direction::Out, 1) };
        let unsure = "the exit may have been after the second entry, or before the first";
        assert_eq!(inside(&[first, exit, second]), (2, 2), "{unsure}");
        let later = Passage { at_ms: 115, ..exit };
        assert_eq!(inside(&[first, second, later]), (1, 2));
    }

    proptest! {
        #[test]
        fn order_and_repetition_change_nothing(
            facts in proptest::collection::vec((0i64..50, 1u64..4, any::<bool>(), 1u8..4, 0u32..20), 0..12),
            turn in 0usize..12,
        ) {
            let passages: Vec<Passage> = facts.iter().enumerate().map(|(seq, (at_ms, device, out, guests, unsure))| Passage {
                seq: seq as u64, uncertainty_ms: *unsure,
                ..passage(*at_ms, *device, if *out { Direction::Out } else { Direction::In }, *guests)
            }).collect();
            let mut other = passages.clone();
            other.reverse();
            other.rotate_left(turn.min(passages.len()));
            other.extend_from_slice(&passages);
            prop_assert_eq!(usage(&passages), usage(&other));
        }
    }
}
