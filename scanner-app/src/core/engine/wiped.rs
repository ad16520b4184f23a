//! A handheld that was wiped: it decides nothing, hands in what it scanned, and then waits for an enrolment code.

use super::{Effect, Engine, Phase, Trouble};
use crate::core::report::Report;

impl Engine {
    /// It was wiped, or has handed in more since. Verdicts stay on the screen until their time is over.
    pub(super) fn wiped(&mut self, waiting: u64, effects: &mut Vec<Effect>) {
        let phase = match waiting {
            0 => Phase::Unenrolled { error: WIPED.to_owned() },
            waiting => Phase::Wiped { waiting },
        };
        if self.phase == phase {
            return;
        }
        let known = matches!(self.phase, Phase::Wiped { .. });
        if !known {
            (self.ready, self.overlay, self.asking, self.last) = (false, None, None, None);
            (self.heard_ms, self.reach_told, self.alone_since_ms) = (None, None, None);
            self.troubles.retain(|kind, _| {
                !matches!(kind, Trouble::Server | Trouble::List | Trouble::Bundle | Trouble::Rows | Trouble::Clock)
            });
            self.hold.clear();
        }
        effects.push(Effect::Report(Report::Wiped { waiting }));
        if waiting == 0 {
            effects.push(Effect::Report(Report::EnrolWanted));
        }
        self.phase = phase;
    }
}

const WIPED: &str = "This handheld was wiped. It can be enrolled again";
