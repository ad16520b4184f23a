//! A ticket admitted more often than it allows: what no partitioned system can prevent, found by everyone who has the rows.

use ticket_signer::{DeviceId, LaneId, TicketId};

/// One admission of a ticket, by this device or another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Admission {
    /// Unix milliseconds by the admitting device's clock.
    pub at_ms: i64,
    /// How far that clock may have been off, in milliseconds.
    pub uncertainty_ms: u32,
    pub device: DeviceId,
    pub lane: LaneId,
    /// Names the journal row together with the device.
    pub epoch: u64,
    pub seq: u64,
}

/// A ticket that was admitted `admissions.len()` times where `allowed` are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    pub ticket: TicketId,
    pub allowed: u8,
    /// Oldest first; the same for every order in which the rows arrived.
    pub admissions: Vec<Admission>,
}

/// Finds the conflict, if there is one. The same row twice counts once.
pub fn conflict(ticket: TicketId, allowed: u8, admissions: &[Admission]) -> Option<Conflict> {
    let mut all = admissions.to_vec();
    all.sort_unstable();
    all.dedup_by_key(|admission| (admission.device, admission.epoch, admission.seq));
    (all.len() > usize::from(allowed)).then_some(Conflict { ticket, allowed, admissions: all })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(at_ms: i64, device: u64, seq: u64) -> Admission {
        Admission { at_ms, uncertainty_ms: 5, device: DeviceId(device), lane: LaneId(1), epoch: 1, seq }
    }

    #[test]
    fn counts_rows_not_arrivals_and_ignores_their_order() {
        let (a, b) = (admission(10, 1, 1), admission(20, 2, 1));
        assert_eq!(conflict(TicketId(1), 1, &[a, a]), None);
        assert_eq!(conflict(TicketId(1), 2, &[a, b]), None);
        let found = conflict(TicketId(1), 1, &[b, a, b]);
        assert_eq!(found, conflict(TicketId(1), 1, &[a, b]));
        assert_eq!(found.map(|conflict| conflict.admissions), Some(vec![a, b]));
    }
}
