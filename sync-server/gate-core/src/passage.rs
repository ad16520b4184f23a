//! Guests going in and out on a ticket, and how many of them are inside: the one count that every rule uses.
//!
//! The order of arrival must not matter, and clocks differ. So passages are walked by time, an entry as early and an exit as
//! late as its clock allows: the count is never too low, and a ticket that was used too often is never hidden by a wrong
//! clock. A walk never goes below nobody inside: an exit that nobody's entry precedes gives nothing back.

use ticket_signer::{DeviceId, LaneId};

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

    /// Where this stands in the walk.
    fn place(&self) -> (i64, Direction, DeviceId, u64, u64) {
        let uncertainty_ms = i64::from(self.uncertainty_ms);
        let at_ms = match self.direction {
            Direction::In => self.at_ms.saturating_sub(uncertainty_ms),
            Direction::Out => self.at_ms.saturating_add(uncertainty_ms),
        };
        (at_ms, self.direction, self.device, self.epoch, self.seq)
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
    let mut walk: Vec<&Passage> = passages.iter().collect();
    walk.sort_unstable_by_key(|passage| passage.place());
    walk.dedup_by_key(|passage| passage.row());
    let mut usage = Usage::default();
    for passage in walk {
        let guests = u32::from(passage.guests);
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
        assert_eq!(inside(&[first, exit, second]), (1, 2), "the exit may have been after the second entry");
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
