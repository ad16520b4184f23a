//! Who may admit a ticket under the strict rule, as the signed policy says it.
//!
//! A home group has one owner at a time: a server (the cloud or the venue's edge), which grants each admission to the lane
//! that asks, or one lane, which admits by itself, connected or not. The owner is named with an epoch and an end. It moves
//! only when the old owner has said in its journal that it has stopped ([`Ownership::may_move`]), or when its time is over by
//! its own clock at its worst. In the second case rows of the old owner may be missing, and the new one is `unsettled`: it
//! sends everybody to the supervisor until they are in.
//!
//! Bound: without an override a ticket is never admitted more often than it allows (`docs/partition.md`).

use serde::{Deserialize, Serialize};
use ticket_signer::{DeviceId, LaneId};

use crate::clock::{ClockReading, DOUBT_MS};
use crate::mutant::{Mutant, planted};

/// Who owns a home group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// The server with this node id (0: the cloud); it grants.
    Node(u64),
    /// This device at this lane; it admits by itself.
    Lane { device: u64, lane: u32 },
}

/// One home group's owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ownership {
    pub group: u16,
    pub owner: Owner,
    /// Rises with every move.
    pub epoch: u64,
    /// Unix milliseconds; from then on the owner admits and grants nothing.
    pub until_ms: i64,
    /// The owner is asked to stop and to say so.
    #[serde(default)]
    pub releasing: bool,
    /// The old owner's rows may be missing: the new one decides nothing alone.
    #[serde(default)]
    pub unsettled: bool,
    /// Everything that the owner must have heard before it decides: the feed's cursor when it was named.
    #[serde(default)]
    pub from_cursor: u64,
}

/// What this device may do with a ticket of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is the owner: it decides alone.
    Owner,
    /// A server owns it: ask for a grant.
    Ask { epoch: u64 },
    /// Another lane owns it: the guest goes there.
    Elsewhere { lane: LaneId },
    /// Nobody may decide without a supervisor, for now.
    Nobody,
}

impl Ownership {
    /// What holds for a group of which the policy says nothing.
    pub fn of_the_cloud(group: u16) -> Self {
        Ownership {
            group,
            owner: Owner::Node(0),
            epoch: 0,
            until_ms: i64::MAX,
            releasing: false,
            unsettled: false,
            from_cursor: 0,
        }
    }

    /// Whether an owner that has heard everything up to `cursor` of the cloud's feed has heard what it must: a lane before it
    /// admits, an edge before it grants.
    pub fn heard(&self, cursor: u64) -> bool {
        cursor >= self.from_cursor || planted(Mutant::OwnerBeforeItHeard)
    }

    /// Where `device` stands, which has heard everything up to `cursor` of the feed.
    pub fn standing(&self, device: DeviceId, cursor: u64, now: &ClockReading) -> Standing {
        let over = now.now_ms.saturating_add(i64::from(now.uncertainty_ms)) >= self.until_ms
            && !planted(Mutant::OwnerPastItsTime);
        let heard = self.heard(cursor);
        let unsettled = self.unsettled && !planted(Mutant::UnsettledIgnored);
        match self.owner {
            Owner::Node(_) if !self.releasing && !unsettled => Standing::Ask { epoch: self.epoch },
            Owner::Node(_) => Standing::Nobody,
            Owner::Lane { device: owner, lane } if owner != device.0 => Standing::Elsewhere { lane: LaneId(lane) },
            Owner::Lane { .. } => {
                let may = !over && !self.releasing && !unsettled && heard && !now.in_doubt;
                if may { Standing::Owner } else { Standing::Nobody }
            }
        }
    }

    /// Whether a new owner may be named: the old one has stopped, or its time is over even by a clock that is as slow as one
    /// may be without being in doubt.
    pub fn may_move(&self, released: bool, now: &ClockReading) -> bool {
        let worst_ms = self.until_ms.saturating_add(i64::from(DOUBT_MS)).saturating_add(i64::from(now.uncertainty_ms));
        released || now.now_ms >= worst_ms
    }
}

impl Ownership {
    /// The group back in the cloud's hands, once it may move; unsettled where the old owner has not said that it stopped.
    pub fn back_to_the_cloud(&self, released: bool, now: &ClockReading) -> Option<Ownership> {
        let released = released || planted(Mutant::MovedWithoutWord);
        self.may_move(released, now).then(|| Ownership {
            epoch: self.epoch + 1,
            unsettled: !released,
            ..Ownership::of_the_cloud(self.group)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: i64 = 1_800_000_000_000;

    fn at(now_ms: i64) -> ClockReading {
        ClockReading { now_ms, uncertainty_ms: 100, in_doubt: false, offset_ms: 0 }
    }

    fn lane() -> Ownership {
        Ownership {
            group: 0,
            owner: Owner::Lane { device: 5, lane: 2 },
            epoch: 3,
            until_ms: T,
            releasing: false,
            unsettled: false,
            from_cursor: 10,
        }
    }

    #[test]
    fn only_the_named_lane_decides_and_only_while_it_is_sure() {
        let standing = |ownership: Ownership, device, cursor, now: &ClockReading| {
            ownership.standing(DeviceId(device), cursor, now)
        };
        let own = lane();
        assert_eq!(standing(own, 5, 10, &at(T - 1_000)), Standing::Owner);
        assert_eq!(standing(own, 6, 10, &at(T - 1_000)), Standing::Elsewhere { lane: LaneId(2) });
        assert_eq!(standing(own, 5, 9, &at(T - 1_000)), Standing::Nobody, "it has not heard everything");
        assert_eq!(standing(own, 5, 10, &at(T - 100)), Standing::Nobody, "its time may be over");
        assert_eq!(standing(Ownership { releasing: true, ..own }, 5, 10, &at(0)), Standing::Nobody);
        assert_eq!(standing(Ownership { unsettled: true, ..own }, 5, 10, &at(0)), Standing::Nobody);
        assert_eq!(standing(own, 5, 10, &ClockReading { in_doubt: true, ..at(0) }), Standing::Nobody);
        let node = Ownership { owner: Owner::Node(1), ..own };
        assert_eq!(standing(node, 5, 0, &at(T * 2)), Standing::Ask { epoch: 3 });
    }

    #[test]
    fn an_owner_moves_after_its_word_or_after_its_time_at_its_worst() {
        let own = lane();
        assert!(own.may_move(true, &at(0)));
        assert!(!own.may_move(false, &at(T + i64::from(DOUBT_MS) + 99)));
        assert!(own.may_move(false, &at(T + i64::from(DOUBT_MS) + 100)));
        assert_eq!(own.back_to_the_cloud(false, &at(T)), None);
        let told = own.back_to_the_cloud(true, &at(0)).expect("an owner that has stopped may be followed at once");
        assert_eq!((told.owner, told.epoch, told.unsettled), (Owner::Node(0), 4, false));
        let late = own.back_to_the_cloud(false, &at(T * 2)).expect("its time is over even at its worst");
        assert!(late.unsettled, "its rows may be missing");
    }
}
