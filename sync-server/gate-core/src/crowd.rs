//! The crowd's clock: what the guests' phones, taken together, say of the time.
//!
//! A gate that was cut off and rebooted may be wrong, and so may any one phone; half of a crowd is not. Each code with a
//! valid signature votes with the moment it was signed for, before its freshness is looked at, once per ticket. With a
//! quorum of votes that agree, their median is the time. [`crate::clock`] says when it is followed, and how far.
//!
//! What bounds the harm of a crowd that is wrong (`docs/security.md` has the whole argument):
//! - It is asked only where the gate's clock does not count on from signed time; signed time ends its word.
//! - It moves the clock by [`CORRECTION_MAX_MS`] at most, in total from what the device's clocks make of the last signed
//!   time, and never behind that signed time. A crowd that is further off moves nothing: the gate is in doubt.
//! - A vote costs a ticket that this gate would know. Codes seen again are older by then, and of one ticket the vote that
//!   lies furthest ahead stays: photographs of codes take back no vote that their tickets' phones have given.
//! - Votes are measured by the boot clock, so the system clock may jump in between.

use std::collections::VecDeque;

use crate::mutant::{Mutant, planted};
use ticket_signer::{ListedTicket, Rejection, TicketId, TicketStatus, TimeStep, VerifiedCode};

/// The fewest tickets that are a crowd.
pub const QUORUM: usize = 9;
/// Votes that are kept; the oldest go first.
const VOTES_MAX: usize = 31;
/// How long a vote counts, in milliseconds of boot time.
const VOTE_LIFE_MS: i64 = 30 * 60 * 1000;
/// The votes' middle half must lie this close together, in milliseconds: codes say the time in steps of 15 s.
const SPREAD_MAX_MS: i64 = 20_000;
/// What the crowd can be wrong by when it agrees: half a step, and a phone's own error.
pub const UNCERTAINTY_MS: u32 = 10_000;
/// The furthest that the crowd moves the clock, in milliseconds, in total from the last signed time.
pub const CORRECTION_MAX_MS: i64 = 10 * 60 * 1000;
/// Less than this is no contradiction, in milliseconds: the steps are as coarse.
pub const CORRECTION_MIN_MS: i64 = 15_000;

/// What one code says of the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vote {
    pub ticket: TicketId,
    pub shown: TimeStep,
}

impl Vote {
    /// The vote of a code whose signature was found valid, fresh or not. `entry` is the ticket's on the gate's list: a
    /// revoked one has no vote.
    pub fn of(verified: &Result<VerifiedCode, Rejection>, entry: Option<&ListedTicket>) -> Option<Vote> {
        let (ticket, shown) = match verified {
            Ok(code) => (code.ticket(), code.step()?),
            Err(Rejection::Stale { ticket, shown, .. }) => (*ticket, *shown),
            Err(_) => return None,
        };
        let revoked = entry.is_some_and(|entry| entry.ticket == ticket && entry.status == TicketStatus::Revoked);
        (!revoked).then_some(Vote { ticket, shown })
    }
}

/// What the crowd says, beside the clock that it speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrowdSays {
    /// By how much the clock follows it, in milliseconds.
    pub moved_ms: i64,
    /// How far it still is from the clock, in milliseconds; positive is ahead.
    pub left_ms: i64,
    /// The clock counts on from signed time, and is not in doubt.
    pub signed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Heard {
    ticket: TicketId,
    /// The code's moment minus boot time when it was read, in milliseconds: for a right phone always the same.
    lead_ms: i64,
    boot_ms: i64,
}

/// The votes of late.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Crowd {
    votes: VecDeque<Heard>,
}

impl Crowd {
    /// Counts a vote. `boot_ms` is boot time when the code was read.
    pub fn hear(&mut self, vote: Vote, boot_ms: i64) {
        // The middle of the step.
        let lead_ms = vote.shown.starts_at_s() * 1000 + 7_500 - boot_ms;
        self.votes.retain(|heard| heard.lives(boot_ms));
        if let Some(at) = self.votes.iter().position(|heard| heard.ticket == vote.ticket) {
            if self.votes[at].lead_ms >= lead_ms {
                return;
            }
            self.votes.remove(at);
        }
        if self.votes.len() == VOTES_MAX {
            self.votes.pop_front();
        }
        self.votes.push_back(Heard { ticket: vote.ticket, lead_ms, boot_ms });
    }

    /// The time that the crowd agrees on, unix milliseconds; `None` without a quorum that agrees.
    pub fn says_ms(&self, boot_ms: i64) -> Option<i64> {
        let mut leads: Vec<i64> =
            self.votes.iter().filter(|heard| heard.lives(boot_ms)).map(|heard| heard.lead_ms).collect();
        let quorum = if planted(Mutant::QuorumIgnored) { 1 } else { QUORUM };
        if leads.len() < quorum {
            return None;
        }
        leads.sort_unstable();
        let at = |share: usize| leads[(leads.len() - 1) * share / 4];
        (at(3) - at(1) <= SPREAD_MAX_MS).then(|| at(2) + boot_ms)
    }

    /// Forgets all votes: the clock was set.
    pub fn clear(&mut self) {
        self.votes.clear();
    }
}

impl Heard {
    fn lives(&self, boot_ms: i64) -> bool {
        (0..VOTE_LIFE_MS).contains(&(boot_ms - self.boot_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_S: i64 = 1_800_000_000;

    fn vote(ticket: u64, skew_s: i64) -> Vote {
        Vote { ticket: TicketId(ticket), shown: TimeStep::at(NOW_S + skew_s) }
    }

    /// What a crowd with these skews says, beside the truth.
    fn said(skews_s: &[i64]) -> Option<i64> {
        let mut crowd = Crowd::default();
        for (at, skew_s) in skews_s.iter().enumerate() {
            crowd.hear(vote(at as u64, *skew_s), 1_000);
        }
        crowd.says_ms(1_000).map(|says| says - (NOW_S * 1000 + 7_500))
    }

    #[test]
    fn a_quorum_that_agrees_says_the_time_and_nothing_less_does() {
        assert_eq!(said(&[300; QUORUM - 1]), None, "no quorum");
        assert_eq!(said(&[300; QUORUM]), Some(300_000));
        assert_eq!(said(&[-300; QUORUM]), Some(-300_000));
        assert_eq!(said(&[0; QUORUM]), Some(0));
        let two_crowds: Vec<i64> = (0..12).map(|at| if at % 2 == 0 { 0 } else { 300 }).collect();
        assert_eq!(said(&two_crowds), None, "they do not agree");
        assert_eq!(said(&[0, 0, 0, 0, 0, 0, 0, 0, 900, -900]), Some(0), "a few are wrong");
        let outvoted: Vec<i64> = [vec![-300; QUORUM], vec![0; 3 * QUORUM]].concat();
        assert_eq!(said(&outvoted), Some(0), "a wrong quorum is outvoted by those who come after");
    }

    #[test]
    fn a_ticket_has_one_vote_and_votes_grow_old() {
        let mut one = Crowd::default();
        (0..20).for_each(|_| one.hear(vote(1, 300), 0));
        assert_eq!(one.says_ms(0), None);
        let mut many = Crowd::default();
        (0..QUORUM as u64).for_each(|ticket| many.hear(vote(ticket, 300), 0));
        assert!(many.says_ms(VOTE_LIFE_MS - 1).is_some());
        assert_eq!(many.says_ms(VOTE_LIFE_MS), None);
        (0..100).for_each(|ticket| many.hear(vote(ticket, 300), 0));
        assert_eq!(many.votes.len(), VOTES_MAX);
    }

    /// Somebody photographed the queue's codes and shows the pictures a few minutes later.
    #[test]
    fn a_photograph_takes_back_no_vote() {
        let mut crowd = Crowd::default();
        (0..QUORUM as u64).for_each(|ticket| crowd.hear(vote(ticket, 0), 0));
        let said = crowd.says_ms(240_000);
        (0..QUORUM as u64).for_each(|ticket| crowd.hear(vote(ticket, 0), 240_000));
        assert_eq!(crowd.says_ms(240_000), said);
        // A phone that was late with its first code is believed in its next.
        let mut late = Crowd::default();
        (0..QUORUM as u64).for_each(|ticket| late.hear(vote(ticket, -60), 0));
        (0..QUORUM as u64).for_each(|ticket| late.hear(vote(ticket, 15), 15_000));
        assert_eq!(late.says_ms(15_000), Some(NOW_S * 1000 + 22_500));
    }
}
