//! The owner's side of the strict rule: whether a server that owns a ticket grants it to the lane that asks.
//!
//! Pure: the server loads what it knows of the ticket under a lock, decides here, and keeps the grant in the same
//! transaction, before it answers. A grant counts as used from then on, until the row that it was for has come and says
//! otherwise: a lane that fell silent may have let the guest in.

use ticket_signer::{DeviceId, EventId, Serial, TicketId};

use crate::clock::ClockReading;
use crate::grant::Grant;
use crate::mutant::{Mutant, planted};
use crate::ownership::{Owner, Ownership};
use crate::passage::{Passage, usage};

/// How long a grant is good for, in milliseconds: a guest stands there.
pub const GRANT_LIFE_MS: i64 = 10_000;

/// What a lane asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    pub event: EventId,
    pub ticket: TicketId,
    pub serial: Serial,
    pub device: DeviceId,
    /// The row that the grant is for.
    pub chain: u64,
    pub seq: u64,
    pub guests: u8,
}

/// What the owner knows of the ticket. Everything here is durable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owned {
    /// How many guests the ticket's class lets in; 0 for a ticket that the owner does not know.
    pub allowed: u8,
    /// The serial that is issued now.
    pub serial: Option<Serial>,
    pub revoked_to: Option<Serial>,
    pub passages: Vec<Passage>,
    /// Grants whose rows have not come.
    pub outstanding: Vec<Grant>,
}

/// Why nothing was granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum GrantRefusal {
    #[error("this server does not own the ticket's group")]
    NotOwner,
    #[error("it is not settled who may admit the ticket")]
    Unsettled,
    #[error("no such ticket is issued")]
    Unknown,
    #[error("the ticket was cancelled or replaced")]
    Withdrawn,
    #[error("the ticket is used up, or another lane was just allowed to admit it")]
    UsedUp,
}

/// Grants, or says why not.
pub fn give(
    ask: &Ask,
    node: u64,
    ownership: &Ownership,
    owned: &Owned,
    now: &ClockReading,
) -> Result<Grant, GrantRefusal> {
    let over = now.now_ms.saturating_add(i64::from(now.uncertainty_ms)) >= ownership.until_ms;
    if (ownership.owner != Owner::Node(node) && !planted(Mutant::OtherNodeGrants)) || over {
        return Err(GrantRefusal::NotOwner);
    }
    if ownership.releasing || (ownership.unsettled && !planted(Mutant::UnsettledIgnored)) {
        return Err(GrantRefusal::Unsettled);
    }
    let row = |grant: &&Grant| (grant.device, grant.chain, grant.seq) == (ask.device, ask.chain, ask.seq);
    if let Some(known) = owned.outstanding.iter().find(row) {
        // The answer was lost. For another ticket, or for more guests, the row would need another grant.
        let same = known.ticket == ask.ticket && known.guests == ask.guests && known.epoch == ownership.epoch;
        return if same { Ok(*known) } else { Err(GrantRefusal::UsedUp) };
    }
    let serial = owned.serial.ok_or(GrantRefusal::Unknown)?;
    if ask.serial < serial || owned.revoked_to.is_some_and(|revoked| ask.serial <= revoked) {
        return Err(GrantRefusal::Withdrawn);
    }
    let forgotten = planted(Mutant::GrantForgotten);
    let outstanding = owned.outstanding.iter().filter(|_| !forgotten);
    let granted: u32 = outstanding.map(|grant| u32::from(grant.guests)).sum();
    let inside = usage(&owned.passages).inside.saturating_add(granted);
    if ask.guests == 0 || inside.saturating_add(u32::from(ask.guests)) > u32::from(owned.allowed) {
        return Err(GrantRefusal::UsedUp);
    }
    Ok(Grant {
        event: ask.event,
        ticket: ask.ticket,
        device: ask.device,
        chain: ask.chain,
        seq: ask.seq,
        guests: ask.guests,
        epoch: ownership.epoch,
        until_ms: now.now_ms.saturating_add(GRANT_LIFE_MS).min(ownership.until_ms),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::passage::Direction;
    use ticket_signer::LaneId;

    const T: i64 = 1_800_000_000_000;

    fn ask() -> Ask {
        Ask {
            event: EventId(7),
            ticket: TicketId(1),
            serial: Serial::FIRST,
            device: DeviceId(5),
            chain: 9,
            seq: 3,
            guests: 1,
        }
    }

    fn owned(allowed: u8) -> Owned {
        Owned { allowed, serial: Some(Serial::FIRST), ..Owned::default() }
    }

    fn now() -> ClockReading {
        ClockReading { now_ms: T, uncertainty_ms: 0, in_doubt: false, offset_ms: 0 }
    }

    fn give(ask: &Ask, owned: &Owned) -> Result<Grant, GrantRefusal> {
        super::give(ask, 0, &Ownership::of_the_cloud(0), owned, &now())
    }

    #[test]
    fn a_grant_counts_as_used_until_its_row_has_come() {
        let first = give(&ask(), &owned(1)).expect("the owner grants an issued, unused ticket");
        let waiting = Owned { outstanding: vec![first], ..owned(1) };
        assert_eq!(give(&ask(), &waiting), Ok(first), "the answer was lost");
        let other_lane = Ask { device: DeviceId(6), ..ask() };
        assert_eq!(give(&other_lane, &waiting), Err(GrantRefusal::UsedUp));
        let next_row = Ask { seq: 4, ..ask() };
        assert_eq!(give(&next_row, &waiting), Err(GrantRefusal::UsedUp), "the first may have been used");
        assert!(give(&other_lane, &Owned { allowed: 2, ..waiting.clone() }).is_ok());
        let other_ticket = Ask { ticket: TicketId(2), ..ask() };
        assert_eq!(give(&other_ticket, &waiting), Err(GrantRefusal::UsedUp), "one grant a row");
    }

    #[test]
    fn guests_inside_count_and_those_who_left_do_not() {
        let passage = |direction, at_ms| Passage {
            at_ms,
            uncertainty_ms: 0,
            device: DeviceId(5),
            lane: LaneId(1),
            epoch: 9,
            seq: at_ms as u64,
            direction,
            guests: 1,
        };
        let inside = Owned { passages: vec![passage(Direction::In, 1)], ..owned(1) };
        assert_eq!(give(&ask(), &inside), Err(GrantRefusal::UsedUp));
        let left = Owned { passages: vec![passage(Direction::In, 1), passage(Direction::Out, 2)], ..owned(1) };
        assert!(give(&ask(), &left).is_ok());
    }

    #[test]
    fn only_the_owner_of_an_issued_ticket_grants() {
        let at = |ownership: Ownership| super::give(&ask(), 0, &ownership, &owned(1), &now());
        let cloud = Ownership::of_the_cloud(0);
        assert_eq!(at(Ownership { owner: Owner::Node(1), ..cloud }), Err(GrantRefusal::NotOwner));
        assert_eq!(at(Ownership { until_ms: T, ..cloud }), Err(GrantRefusal::NotOwner));
        assert_eq!(at(Ownership { releasing: true, ..cloud }), Err(GrantRefusal::Unsettled));
        assert_eq!(at(Ownership { unsettled: true, ..cloud }), Err(GrantRefusal::Unsettled));
        assert_eq!(at(Ownership { until_ms: T + 5, ..cloud }).map(|grant| grant.until_ms), Ok(T + 5));
        assert_eq!(give(&ask(), &Owned::default()), Err(GrantRefusal::Unknown));
        let revoked = Owned { revoked_to: Some(Serial::FIRST), ..owned(1) };
        assert_eq!(give(&ask(), &revoked), Err(GrantRefusal::Withdrawn));
        let replaced = Owned { serial: Serial::new(2), ..owned(1) };
        assert_eq!(give(&ask(), &replaced), Err(GrantRefusal::Withdrawn));
    }
}
