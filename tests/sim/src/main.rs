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
    /// Plant each known fault in turn, and say after how many seeds it was found
    #[cfg(feature = "mutants")]
    #[arg(long)]
    mutants: bool,
    /// Only faults whose name has this in it
    #[cfg(feature = "mutants")]
    #[arg(long, default_value = "")]
    only: String,
    /// Threads; the order of the seeds changes nothing
    #[arg(long, default_value_t = std::thread::available_parallelism().map_or(1, usize::from))]
    threads: usize,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    #[cfg(feature = "mutants")]
    if arguments.mutants {
        return mutants(&arguments);
    }
    let Arguments { seeds, first, threads, .. } = arguments;
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

/// Plants every fault in turn; fails where one was not found.
#[cfg(feature = "mutants")]
fn mutants(arguments: &Arguments) -> ExitCode {
    use gate_core::mutant::{Mutant, plant};
    let next = AtomicU64::new(0);
    let missed = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..arguments.threads.max(1) {
            scope.spawn(|| {
                while let Some(mutant) = Mutant::ALL.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
                    if !format!("{mutant:?}").contains(&arguments.only) {
                        continue;
                    }
                    plant(Some(*mutant));
                    let mut seeds = arguments.first..arguments.first.saturating_add(arguments.seeds);
                    match seeds.find_map(|seed| run(seed).err().map(|violation| (seed, violation))) {
                        Some((seed, violation)) => {
                            println!("{mutant:?}: found after {} seeds, {violation:?}", seed - arguments.first + 1);
                        }
                        None => {
                            println!("{mutant:?}: NOT FOUND in {} seeds", arguments.seeds);
                            missed.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                    plant(None);
                }
            });
        }
    });
    let missed = missed.into_inner();
    println!("{} faults, {missed} not found", Mutant::ALL.len());
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
