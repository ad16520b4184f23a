//! `turnstone-sim`: runs many seeds, and prints the ones that found a violation.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use clap::Parser;
use turnstone_sim::{Summary, Violation, run};

/// Simulates gate evenings in virtual time. A seed that fails is repeated with `--first SEED --seeds 1`.
#[derive(Parser)]
struct Arguments {
    /// How many seeds
    #[arg(long, env = "SEEDS", default_value_t = 1_000)]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// Threads; the order of the seeds changes nothing
    #[arg(long, default_value_t = std::thread::available_parallelism().map_or(1, usize::from))]
    threads: usize,
}

fn main() -> ExitCode {
    let Arguments { seeds, first, threads } = Arguments::parse();
    let next = AtomicU64::new(first);
    let found: Mutex<Vec<(u64, Violation)>> = Mutex::default();
    let total: Mutex<Summary> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first.saturating_add(seeds) {
                        return;
                    }
                    match run(seed) {
                        Ok(one) => add(&mut total.lock().unwrap_or_else(PoisonError::into_inner), &one),
                        Err(violation) => {
                            found.lock().unwrap_or_else(PoisonError::into_inner).push((seed, violation));
                        }
                    }
                }
            });
        }
    });
    let total = total.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.sort_by_key(|(seed, _)| *seed);
    println!(
        "{seeds} seeds: {} admitted, {} refused, {} for a supervisor, {} tickets admitted too often and surfaced, {} rows, {} crashes",
        total.admitted, total.refused, total.reviewed, total.conflicts, total.rows, total.crashes
    );
    for (seed, violation) in found.iter().take(20) {
        println!("seed {seed}: {violation:?}");
    }
    println!("violations: {}", found.len());
    if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn add(total: &mut Summary, one: &Summary) {
    total.admitted += one.admitted;
    total.refused += one.refused;
    total.reviewed += one.reviewed;
    total.conflicts += one.conflicts;
    total.rows += one.rows;
    total.crashes += one.crashes;
}
