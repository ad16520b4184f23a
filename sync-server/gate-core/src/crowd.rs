//! The crowd's clock: what the guests' phones, taken together, say of the time.
//!
//! A gate that was cut off or rebooted may be wrong, and so may any one phone; half of a crowd is not. Each code with a
//! valid signature votes with the moment it was signed for, before its freshness is looked at, once per ticket. With a
//! quorum of votes that agree, the median is the gate's correction, clamped in total. What a crowd of stolen codes could do
//! with it is bounded by that clamp (`docs/security.md`).

use std::collections::VecDeque;

use ticket_signer::{TicketId, TimeStep};

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
/// A correction smaller than this is left alone, in milliseconds: the steps are as coarse.
const CORRECTION_MIN_MS: i64 = 15_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Vote {
    ticket: TicketId,
    /// The code's moment minus the uncorrected clock, in milliseconds.
    skew_ms: i64,
    boot_ms: i64,
}

/// The votes of late.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Crowd {
    votes: VecDeque<Vote>,
}

impl Crowd {
    /// Counts one code with a valid signature. `now_ms` is the gate's clock without the crowd's correction.
    pub fn vote(&mut self, ticket: TicketId, shown: TimeStep, now_ms: i64, boot_ms: i64) {
        // The middle of the step.
        let skew_ms = shown.starts_at_s() * 1000 + 7_500 - now_ms;
        self.votes.retain(|vote| vote.ticket != ticket && (0..VOTE_LIFE_MS).contains(&(boot_ms - vote.boot_ms)));
        if self.votes.len() == VOTES_MAX {
            self.votes.pop_front();
        }
        self.votes.push_back(Vote { ticket, skew_ms, boot_ms });
    }

    /// The correction that the crowd agrees on; `None` without a quorum that agrees.
    pub fn correction_ms(&self, boot_ms: i64) -> Option<i64> {
        let lives = |vote: &&Vote| (0..VOTE_LIFE_MS).contains(&(boot_ms - vote.boot_ms));
        let mut skews: Vec<i64> = self.votes.iter().filter(lives).map(|vote| vote.skew_ms).collect();
        if skews.len() < QUORUM {
            return None;
        }
        skews.sort_unstable();
        let at = |share: usize| skews[(skews.len() - 1) * share / 4];
        if at(3) - at(1) > SPREAD_MAX_MS {
            return None;
        }
        let median = at(2);
        Some(if median.abs() < CORRECTION_MIN_MS { 0 } else { median.clamp(-CORRECTION_MAX_MS, CORRECTION_MAX_MS) })
    }

    /// Forgets all votes: the clock was set.
    pub fn clear(&mut self) {
        self.votes.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_S: i64 = 1_800_000_000;

    fn crowd(skews_s: &[i64]) -> Crowd {
        let mut crowd = Crowd::default();
        for (at, skew_s) in skews_s.iter().enumerate() {
            crowd.vote(TicketId(at as u64), TimeStep::at(NOW_S + skew_s), NOW_S * 1000 + 7_500, 0);
        }
        crowd
    }

    #[test]
    fn a_quorum_that_agrees_moves_the_clock_and_nothing_less_does() {
        assert_eq!(crowd(&[300; QUORUM - 1]).correction_ms(0), None, "no quorum");
        assert_eq!(crowd(&[300; QUORUM]).correction_ms(0), Some(300_000));
        assert_eq!(crowd(&[-300; QUORUM]).correction_ms(0), Some(-300_000));
        assert_eq!(crowd(&[0; QUORUM]).correction_ms(0), Some(0));
        assert_eq!(crowd(&[86_400; QUORUM]).correction_ms(0), Some(CORRECTION_MAX_MS), "clamped");
        let two_crowds: Vec<i64> = (0..12).map(|at| if at % 2 == 0 { 0 } else { 300 }).collect();
        assert_eq!(crowd(&two_crowds).correction_ms(0), None, "they do not agree");
        let a_few_wrong = [0, 0, 0, 0, 0, 0, 0, 0, 900, -900];
        assert_eq!(crowd(&a_few_wrong).correction_ms(0), Some(0));
    }

    #[test]
    fn a_ticket_has_one_vote_and_votes_grow_old() {
        let mut one = Crowd::default();
        for _ in 0..20 {
            one.vote(TicketId(1), TimeStep::at(NOW_S + 300), NOW_S * 1000, 0);
        }
        assert_eq!(one.correction_ms(0), None);
        assert_eq!(crowd(&[300; QUORUM]).correction_ms(VOTE_LIFE_MS), None);
    }
}
