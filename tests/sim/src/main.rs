//! `turnstone-sim`: runs many seeds, and prints the ones that found a violation.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use clap::{Parser, Subcommand};
use turnstone_sim::evening::{self, Expected, PlanError};
use turnstone_sim::shrink::shrink;
use turnstone_sim::{Scenario, Summary, Violation, play, run};

/// Simulates gate evenings in virtual time. A seed that fails is repeated with `--first SEED --seeds 1`.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// How many seeds
    #[arg(long, env = "SEEDS", default_value_t = 1_000)]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// Play this scenario alone: the words that a failure printed
    #[arg(long)]
    scenario: Option<Scenario>,
    /// How many runs may be used to make a violation smaller; 0 for none
    #[arg(long, default_value_t = 400)]
    shrink: u32,
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

#[derive(Subcommand)]
enum Command {
    /// Plays the guests of a plan at real lanes, and compares their waits with what the plan told
    Evening {
        /// The plan, as `sync-server plan` reads it
        plan: PathBuf,
        /// What `sync-server plan --json PLAN` printed
        answer: PathBuf,
        /// How many evenings are played
        #[arg(long, default_value_t = 20)]
        evenings: u64,
        /// The first evening's seed
        #[arg(long, default_value_t = 1_001)]
        seed: u64,
        /// With the changes that the plan's answer recommends
        #[arg(long)]
        advised: bool,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(Command::Evening { plan, answer, evenings, seed, advised }) = &arguments.command {
        return match planned_evening((plan, answer), *evenings, *seed, *advised, arguments.threads) {
            Ok(holds) => {
                if holds {
                    ExitCode::SUCCESS
                } else {
                    ExitCode::FAILURE
                }
            }
            Err((file, error)) => {
                eprintln!("{}: {error}", file.display());
                ExitCode::from(2)
            }
        };
    }
    #[cfg(feature = "mutants")]
    if arguments.mutants {
        return mutants(&arguments);
    }
    if let Some(scenario) = &arguments.scenario {
        return repeated(scenario);
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
        "{seeds} seeds: {} admitted, {} refused, {} for a supervisor, {} tickets admitted too often and surfaced, {} rows, {} crashes, {} scans under a decision, {} by the phones' time, {} grants of edges",
        total.admitted,
        total.refused,
        total.reviewed,
        total.conflicts,
        total.rows,
        total.crashes,
        total.decided,
        total.by_crowd,
        total.edge_granted
    );
    for (seed, violation) in found.iter().take(20) {
        println!("seed {seed}: {violation:?}");
    }
    if let Some((seed, _)) = found.first() {
        smaller(*seed, arguments.shrink);
    }
    println!("violations: {}", found.len());
    if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Why a planned evening could not be played.
#[derive(Debug)]
enum FileError {
    Read(std::io::Error),
    Plan(PlanError),
}

impl std::fmt::Display for FileError {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            FileError::Read(error) => write!(to, "it cannot be read: {error}"),
            FileError::Plan(error) => write!(to, "{error}"),
        }
    }
}

/// Whether the plan's waits are those that were measured.
fn planned_evening<'a>(
    (plan, answer): (&'a Path, &'a Path),
    evenings: u64,
    seed: u64,
    advised: bool,
    threads: usize,
) -> Result<bool, (&'a Path, FileError)> {
    let read = |file: &'a Path| std::fs::read_to_string(file).map_err(|error| (file, FileError::Read(error)));
    let (plan_text, answer_text) = (read(plan)?, read(answer)?);
    let mut expected = Expected::read(&plan_text).map_err(|error| (plan, FileError::Plan(error)))?;
    let of_answer = |error| (answer, FileError::Plan(error));
    if advised {
        expected = expected.advised(&answer_text).map_err(of_answer)?;
    }
    let told = evening::told(&answer_text, advised).map_err(of_answer)?;
    let measured = evening::measure(&expected, seed, evenings, threads);
    println!(
        "{evenings} evenings, first seed {seed}: {} guests let in, {} left outside, {} codes shown again",
        measured.admitted, measured.outside, measured.shown_again
    );
    let compared = evening::compare(&expected, &told, &measured);
    let planned = |seconds: Option<f64>| seconds.map_or("no end".to_owned(), |seconds| format!("{seconds:.0} s"));
    for one in &compared {
        println!(
            "{}: {} guests, half wait {:.0} s (plan {}), 95 % wait {:.0} s (plan {}): {}",
            one.entrance,
            one.guests,
            one.p50_s.1,
            planned(one.p50_s.0),
            one.p95_s.1,
            planned(one.p95_s.0),
            if one.holds { "as planned" } else { "NOT as planned" }
        );
    }
    Ok(compared.iter().all(|one| one.holds))
}

/// Plays one scenario, and says what came of it.
fn repeated(scenario: &Scenario) -> ExitCode {
    let (result, played) = play(scenario);
    println!("{} lanes, {} guests, {} faults", played.lanes, played.guests.len(), played.faults.len());
    match result {
        Ok(summary) => {
            println!("no violation: {summary:?}");
            ExitCode::SUCCESS
        }
        Err(violation) => {
            println!("{violation:?}");
            ExitCode::FAILURE
        }
    }
}

/// Makes a seed's violation smaller, and prints the scenario that is left.
fn smaller(seed: u64, runs_max: u32) {
    let run = |scenario: &Scenario| {
        let (result, played) = play(scenario);
        (result.err(), played)
    };
    if runs_max == 0 {
        return;
    }
    if let Some(shrunk) = shrink(seed, runs_max, run) {
        println!("smaller, after {} runs: {:?}", shrunk.runs, shrunk.violation);
        println!(
            "  {} lanes, {} guests, {} faults: --scenario \"{}\"",
            shrunk.played.lanes,
            shrunk.played.guests.len(),
            shrunk.played.faults.len(),
            shrunk.scenario
        );
    }
}

fn add(total: &mut Summary, one: &Summary) {
    total.admitted += one.admitted;
    total.refused += one.refused;
    total.reviewed += one.reviewed;
    total.conflicts += one.conflicts;
    total.rows += one.rows;
    total.crashes += one.crashes;
    total.decided += one.decided;
    total.by_crowd += one.by_crowd;
    total.edge_granted += one.edge_granted;
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
