//! How many guests were inside on a ticket: the auditor's own count.
//!
//! Entries are taken as early and exits as late as their clock allows, an entry before an exit of the same moment. An exit
//! that no entry precedes gives nothing back. With `s` the sum of guests in and out up to a moment, those inside are `s`
//! less the lowest that `s` has been, or zero where it was never below: no step needs to know how many were inside before.

use crate::ids::{EventId, LaneId, RowId, TicketId};
use crate::row::{Direction, Row};

/// Guests who went through by one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passage {
    pub row: RowId,
    pub lane: LaneId,
    pub at_ms: i64,
    pub uncertainty_ms: u32,
    pub direction: Direction,
    pub guests: u8,
    /// A supervisor let them in.
    pub by_override: bool,
}

impl Passage {
    /// The passage that a row is, if guests went through on a verified ticket.
    pub fn of(row: &Row) -> Option<((EventId, TicketId), Self)> {
        let ticket = row.verified_ticket().filter(|_| row.passed())?;
        let passage = Passage {
            row: row.id,
            lane: row.lane,
            at_ms: row.at_ms,
            uncertainty_ms: row.uncertainty_ms,
            direction: row.direction,
            guests: row.guests,
            by_override: row.act == crate::row::Act::Override,
        };
        Some(((row.event, ticket), passage))
    }

    /// The earliest and the latest moment that it may have been.
    pub fn span_ms(&self) -> (i64, i64) {
        let unsure = i64::from(self.uncertainty_ms);
        (self.at_ms.saturating_sub(unsure), self.at_ms.saturating_add(unsure))
    }

    /// Guests who came in by it; those who went out are below zero.
    fn change(&self) -> i64 {
        let guests = i64::from(self.guests);
        if self.direction == Direction::In { guests } else { -guests }
    }
}

/// Puts passages into the order of the walk.
pub fn in_order(passages: &mut [Passage]) {
    passages.sort_by_key(|passage| {
        let (earliest, latest) = passage.span_ms();
        let place = if passage.direction == Direction::In { (earliest, 0) } else { (latest, 1) };
        (place, passage.row)
    });
}

/// Guests inside at the end, and the most that were inside at any time. The passages stand in the walk's order.
pub fn inside<'a>(passages: impl IntoIterator<Item = &'a Passage>) -> (i64, i64) {
    let (mut sum, mut lowest, mut most) = (0i64, 0i64, 0i64);
    for passage in passages {
        sum += passage.change();
        lowest = lowest.min(sum);
        most = most.max(sum - lowest);
    }
    (sum - lowest, most)
}

/// As [`inside`], where an exit that may have come while nobody was inside gives nothing back: how many may have been inside,
/// and the most. The gates count so.
pub fn possibly_inside<'a>(passages: impl IntoIterator<Item = &'a Passage>) -> (i64, i64) {
    let mut all: Vec<Passage> = passages.into_iter().copied().collect();
    all.sort_by_key(|passage| {
        let (earliest, latest) = passage.span_ms();
        let place = if passage.direction == Direction::In { (latest, 0) } else { (earliest, 1) };
        (place, passage.row)
    });
    let (mut sum, mut lowest) = (0i64, 0i64);
    for passage in &mut all {
        let before = sum - lowest;
        sum += passage.change();
        lowest = lowest.min(sum);
        if passage.direction == Direction::Out {
            passage.guests = passage.guests.min(u8::try_from(before).unwrap_or(u8::MAX));
        }
    }
    in_order(&mut all);
    inside(&all)
}

/// How many were inside at a time however the clocks were off: at some moment so many more had surely come in than may
/// have gone out.
pub fn surely_inside<'a>(passages: impl IntoIterator<Item = &'a Passage>) -> i64 {
    let mut moments: Vec<(i64, i64)> = passages
        .into_iter()
        .map(|passage| {
            let (earliest, latest) = passage.span_ms();
            (if passage.direction == Direction::In { latest } else { earliest }, passage.change())
        })
        .collect();
    // Of one moment, those who may have gone out first.
    moments.sort_unstable();
    let mut sum = 0;
    moments.into_iter().fold(0, |most: i64, (_, change)| {
        sum += change;
        most.max(sum)
    })
}
