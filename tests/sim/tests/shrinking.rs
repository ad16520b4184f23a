//! What a planted fault breaks is made smaller, and still breaks the same check. `make sim-mutants` runs it.
#![cfg(feature = "mutants")]

use gate_core::mutant::{Mutant, plant};
use turnstone_sim::scenario::Played;
use turnstone_sim::shrink::shrink;
use turnstone_sim::{Scenario, Violation, play, run};

fn broken(scenario: &Scenario) -> (Option<Violation>, Played) {
    let (result, played) = play(scenario);
    (result.err(), played)
}

#[test]
fn a_planted_faults_scenario_shrinks_and_still_breaks_the_same_check() {
    for mutant in [Mutant::UsedIgnored, Mutant::ClosedLaneIgnored, Mutant::CommitNotSynced, Mutant::ConflictOneLate] {
        plant(Some(mutant));
        let seed = (1..2_000).find(|seed| run(*seed).is_err()).expect("the fault is found");
        let (first, before) = broken(&Scenario::of(seed));
        let shrunk = shrink(seed, 200, broken).expect("it breaks");
        let said = format!("{mutant:?}: {} of {} in {} runs", shrunk.played.size(), before.size(), shrunk.runs);
        println!("{said}: {}", shrunk.scenario);
        assert!(shrunk.runs <= 200 && shrunk.played.size() * 2 < before.size(), "{said}");
        // As somebody repeats it, from the words that were printed.
        let repeated: Scenario = shrunk.scenario.to_string().parse().expect("a scenario that was written");
        let (again, _) = broken(&repeated);
        assert_eq!(again, Some(shrunk.violation.clone()), "{said}");
        let kind = |violation: &Violation| std::mem::discriminant(violation);
        assert_eq!(first.as_ref().map(kind), Some(kind(&shrunk.violation)), "{said}");
        plant(None);
        assert_eq!(broken(&repeated).0, None, "{said}: without the fault nothing is wrong");
    }
}
