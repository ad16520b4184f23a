//! A ticket admitted more often than it allows: what no partitioned system can prevent, found by everyone who has the rows.

use ticket_signer::TicketId;

use crate::mutant::{Mutant, planted};
use crate::passage::{Passage, usage};

/// A ticket on which more guests were inside at a time than it allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    pub ticket: TicketId,
    pub allowed: u8,
    /// The most guests that were inside.
    pub most_inside: u32,
    /// Entries and exits, oldest first; the same for every order in which the rows arrived.
    pub passages: Vec<Passage>,
}

/// Finds the conflict, if there is one. The same row twice counts once.
pub fn conflict(ticket: TicketId, allowed: u8, passages: &[Passage]) -> Option<Conflict> {
    let most_inside = usage(passages).most_inside;
    let allowed_here = u32::from(allowed) + u32::from(planted(Mutant::ConflictOneLate));
    if most_inside <= allowed_here {
        return None;
    }
    let mut passages = passages.to_vec();
    passages.sort_unstable();
    passages.dedup_by_key(|passage| passage.row());
    Some(Conflict { ticket, allowed, most_inside, passages })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::passage::Direction;
    use ticket_signer::{DeviceId, LaneId};

    fn passage(at_ms: i64, device: u64, direction: Direction) -> Passage {
        Passage {
            at_ms,
            uncertainty_ms: 5,
            device: DeviceId(device),
            lane: LaneId(1),
            epoch: 1,
            seq: at_ms as u64,
            direction,
            guests: 1,
        }
    }

    #[test]
    fn counts_rows_not_arrivals_and_ignores_their_order() {
        let (a, b) = (passage(10, 1, Direction::In), passage(20, 2, Direction::In));
        assert_eq!(conflict(TicketId(1), 1, &[a, a]), None);
        assert_eq!(conflict(TicketId(1), 2, &[a, b]), None);
        let found = conflict(TicketId(1), 1, &[b, a, b]);
        assert_eq!(found, conflict(TicketId(1), 1, &[a, b]));
        assert_eq!(found.map(|conflict| conflict.passages), Some(vec![a, b]));
    }

    #[test]
    fn a_guest_who_left_in_between_is_no_conflict() {
        let passages = [passage(10, 1, Direction::In), passage(30, 2, Direction::Out), passage(60, 1, Direction::In)];
        assert_eq!(conflict(TicketId(1), 1, &passages), None);
        let late = passage(70, 3, Direction::Out);
        assert_eq!(conflict(TicketId(1), 1, &[passages[0], passages[2], late]).map(|found| found.most_inside), Some(2));
    }
}
