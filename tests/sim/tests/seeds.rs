//! A few seeds in every test run; `make sim` runs many.

use turnstone_sim::run;

#[test]
fn a_few_evenings_break_no_promise() {
    let seeds: u64 = std::env::var("SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(40);
    let mut total = turnstone_sim::Summary::default();
    for seed in 1..=seeds {
        match run(seed) {
            Ok(one) => {
                total.admitted += one.admitted;
                total.crashes += one.crashes;
                total.conflicts += one.conflicts;
                total.decided += one.decided;
                total.by_crowd += one.by_crowd;
                total.edge_granted += one.edge_granted;
            }
            Err(violation) => panic!("seed {seed}: {violation:?}"),
        }
    }
    // An evening on which nothing happens proves nothing.
    assert!(total.admitted > 10 * seeds && total.crashes > seeds && total.conflicts > 0, "{total:?}");
    assert!(total.decided > seeds && total.by_crowd > 0 && total.edge_granted > 0, "{total:?}");
}

#[test]
fn a_seed_is_one_run() {
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}
