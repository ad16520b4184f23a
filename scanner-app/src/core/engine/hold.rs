//! The hold-off: a code held in view is one scan.
//!
//! After an admission the same verified ticket is held off, whatever code it shows; after anything else only the same text
//! is, so that a fresher code, a full code or an answered challenge is taken at once. A hold ends when its ticket or text was
//! not seen for the policy's time. Bounded: the oldest hold is dropped for a new one.

use std::collections::VecDeque;

use ticket_signer::TicketId;

/// Holds kept at once. More guests than this do not stand before one camera.
const HOLDS_MAX: usize = 32;
/// Texts remembered of one held ticket: a code changes every 15 seconds.
const TEXTS_MAX: usize = 8;

/// SHA-256 of a text: what does not parse may be anybody's private data and is not kept.
pub type TextHash = [u8; 32];

#[derive(Debug, Clone)]
struct Hold {
    ticket: Option<TicketId>,
    texts: VecDeque<TextHash>,
    seen_at_ms: i64,
}

/// What is held off. Times are milliseconds of a steady clock.
#[derive(Debug, Clone, Default)]
pub struct HoldOff {
    holds: VecDeque<Hold>,
}

impl HoldOff {
    /// Whether this text is held off; seeing it prolongs the hold.
    pub fn holds_text(&mut self, text: &TextHash, now_ms: i64, hold_ms: i64) -> bool {
        self.expire(now_ms, hold_ms);
        let Some(hold) = self.holds.iter_mut().find(|hold| hold.texts.contains(text)) else { return false };
        hold.seen_at_ms = now_ms;
        true
    }

    /// Whether this verified ticket is held off after its admission; seeing it, by whatever text, prolongs the hold.
    pub fn holds_ticket(&mut self, ticket: TicketId, text: TextHash, now_ms: i64, hold_ms: i64) -> bool {
        self.expire(now_ms, hold_ms);
        let Some(hold) = self.holds.iter_mut().find(|hold| hold.ticket == Some(ticket)) else { return false };
        hold.seen_at_ms = now_ms;
        if hold.texts.len() == TEXTS_MAX {
            hold.texts.pop_front();
        }
        hold.texts.push_back(text);
        true
    }

    /// Begins a hold: of the ticket where it was admitted, of the text alone otherwise.
    pub fn begin(&mut self, admitted: Option<TicketId>, text: TextHash, now_ms: i64) {
        if self.holds.len() == HOLDS_MAX {
            self.holds.pop_front();
        }
        self.holds.push_back(Hold { ticket: admitted, texts: VecDeque::from([text]), seen_at_ms: now_ms });
    }

    /// Lets everything be read again: staff asked for it.
    pub fn clear(&mut self) {
        self.holds.clear();
    }

    fn expire(&mut self, now_ms: i64, hold_ms: i64) {
        self.holds.retain(|hold| now_ms - hold.seen_at_ms < hold_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOLD: i64 = 5_000;
    const TICKET: TicketId = TicketId(7);

    #[test]
    fn an_admitted_ticket_is_held_by_any_of_its_codes_until_it_was_away() {
        let mut hold = HoldOff::default();
        hold.begin(Some(TICKET), [1; 32], 0);
        assert!(hold.holds_text(&[1; 32], 4_000, HOLD));
        assert!(hold.holds_ticket(TICKET, [2; 32], 8_000, HOLD), "a fresh code of it");
        assert!(hold.holds_text(&[2; 32], 12_000, HOLD), "now known by its text");
        assert!(!hold.holds_ticket(TicketId(8), [3; 32], 12_000, HOLD), "another ticket");
        assert!(!hold.holds_ticket(TICKET, [4; 32], 17_000, HOLD), "five seconds after it was last seen");
    }

    #[test]
    fn after_a_refusal_only_the_text_is_held() {
        let mut hold = HoldOff::default();
        hold.begin(None, [1; 32], 0);
        assert!(hold.holds_text(&[1; 32], 1_000, HOLD));
        assert!(!hold.holds_ticket(TICKET, [2; 32], 1_000, HOLD));
        assert!(!hold.holds_text(&[2; 32], 1_000, HOLD));
    }

    #[test]
    fn holds_are_bounded() {
        let mut hold = HoldOff::default();
        for at in 0..100u8 {
            hold.begin(None, [at; 32], 0);
        }
        assert_eq!(hold.holds.len(), HOLDS_MAX);
        assert!(hold.holds_text(&[99; 32], 1, HOLD) && !hold.holds_text(&[0; 32], 1, HOLD));
        for at in 0..100u8 {
            hold.begin(Some(TICKET), [at; 32], 0);
            hold.holds_ticket(TICKET, [at; 32], 0, HOLD);
        }
        assert!(hold.holds.iter().all(|hold| hold.texts.len() <= TEXTS_MAX));
    }
}
