//! Makes a scenario that breaks a promise smaller, as long as the same check still breaks: kinds of trouble are switched off,
//! then lanes, minutes, guests and single faults are left out. Bounded by a number of runs.

use std::collections::BTreeSet;

use crate::check::Violation;
use crate::scenario::{Played, Scenario};

/// The smallest scenario that was found.
#[derive(Debug, Clone)]
pub struct Shrunk {
    pub scenario: Scenario,
    pub violation: Violation,
    pub played: Played,
    pub runs: u32,
}

struct Shrinker<F> {
    run: F,
    best: Shrunk,
    runs_max: u32,
}

/// Shrinks. `run` plays a scenario, and gives the violation, if any, and what was played until then.
pub fn shrink(seed: u64, runs_max: u32, run: impl FnMut(&Scenario) -> (Option<Violation>, Played)) -> Option<Shrunk> {
    let mut run = run;
    let scenario = Scenario::of(seed);
    let (violation, played) = run(&scenario);
    let best = Shrunk { scenario, violation: violation?, played, runs: 1 };
    let mut shrinker = Shrinker { run, best, runs_max };
    // What one round has left out may make more of it superfluous in the next.
    for _ in 0..3 {
        let before = shrinker.best.played.size();
        shrinker.kinds();
        shrinker.lanes();
        shrinker.minutes();
        shrinker.guests();
        shrinker.faults();
        if shrinker.best.played.size() == before {
            break;
        }
    }
    Some(shrinker.best)
}

impl<F: FnMut(&Scenario) -> (Option<Violation>, Played)> Shrinker<F> {
    /// Whether the same check breaks in this scenario too; then it is the best now.
    fn breaks(&mut self, scenario: Scenario) -> bool {
        if self.best.runs >= self.runs_max {
            return false;
        }
        self.best.runs += 1;
        let (violation, played) = (self.run)(&scenario);
        let same = |found: &Violation| std::mem::discriminant(found) == std::mem::discriminant(&self.best.violation);
        let Some(violation) = violation.filter(same) else { return false };
        (self.best.scenario, self.best.violation, self.best.played) = (scenario, violation, played);
        true
    }

    fn kinds(&mut self) {
        for kind in crate::scenario::Kind::ALL {
            let mut less = self.best.scenario.clone();
            if less.without.insert(*kind) {
                self.breaks(less);
            }
        }
    }

    fn lanes(&mut self) {
        for lanes in 1..self.best.played.lanes {
            if self.breaks(Scenario { lanes: Some(lanes), ..self.best.scenario.clone() }) {
                return;
            }
        }
    }

    fn minutes(&mut self) {
        for minutes in [1, 2, 3, 5, 8] {
            if minutes < self.best.played.minutes
                && self.breaks(Scenario { minutes: Some(minutes), ..self.best.scenario.clone() })
            {
                return;
            }
        }
    }

    fn guests(&mut self) {
        let all: Vec<_> = self.best.played.guests.iter().copied().collect();
        self.leave_out(all, |scenario, kept| scenario.guests = Some(kept));
    }

    fn faults(&mut self) {
        let all: Vec<_> = self.best.played.faults.iter().copied().collect();
        self.leave_out(all, |scenario, kept| scenario.faults = Some(kept));
    }

    /// Leaves halves, quarters and so on out, down to single ones.
    fn leave_out<T: Copy + Ord>(&mut self, all: Vec<T>, keep: impl Fn(&mut Scenario, BTreeSet<T>)) {
        let mut kept = all;
        let mut size = kept.len();
        while size > 0 {
            let mut from = 0;
            while from < kept.len() {
                let until = (from + size).min(kept.len());
                let rest: Vec<T> = kept[..from].iter().chain(&kept[until..]).copied().collect();
                let mut less = self.best.scenario.clone();
                keep(&mut less, rest.iter().copied().collect());
                if self.breaks(less) { kept = rest } else { from = until }
            }
            size = if size == 1 { 0 } else { size.div_ceil(2) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Fault, Kind, Spot};

    const GUESTS: [Spot; 2] = [(30, 1), (77, 0)];
    const FAULT: Fault = (50, 1, Kind::Down);

    /// Breaks when both guests come, the way back was closed, and two lanes stand there.
    fn world(scenario: &Scenario) -> (Option<Violation>, Played) {
        let lanes = scenario.lanes.unwrap_or(5);
        let faults = (0..200).flat_map(|step| [(step, 0, Kind::Crash), (step, 1, Kind::Down), (step, 2, Kind::Jump)]);
        let played = Played {
            lanes,
            minutes: scenario.minutes.unwrap_or(11),
            guests: (0..100).flat_map(|step| [(step, 0), (step, 1)]).filter(|spot| scenario.comes(*spot)).collect(),
            faults: faults.filter(|fault| scenario.happens(*fault)).collect(),
        };
        let breaks = GUESTS.iter().all(|guest| played.guests.contains(guest))
            && played.faults.contains(&FAULT)
            && lanes >= 2
            && played.minutes >= 2;
        (breaks.then_some(Violation::OrderMatters), played)
    }

    #[test]
    fn what_is_not_needed_is_left_out() {
        let shrunk = shrink(9, 300, world).expect("it breaks");
        assert_eq!(shrunk.played.guests, BTreeSet::from(GUESTS));
        assert_eq!(shrunk.played.faults, BTreeSet::from([FAULT]));
        assert_eq!((shrunk.played.lanes, shrunk.played.minutes), (2, 2));
        assert!(world(&shrunk.scenario).0.is_some() && shrunk.runs <= 300);
    }

    #[test]
    fn it_ends_when_its_runs_are_used_up() {
        let shrunk = shrink(9, 20, world).expect("it breaks");
        assert!(shrunk.runs <= 20 && world(&shrunk.scenario).0.is_some());
        assert!(shrink(9, 20, |scenario| (None, world(scenario).1)).is_none());
    }
}
