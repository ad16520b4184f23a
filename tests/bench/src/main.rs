//! `make bench`: measures what the design promises and prints it beside the goals.
//!
//! Everything is seeded, so that two runs do the same work. It reports and does not judge: a missed goal is printed as
//! missed, and the program still ends with 0, because a loaded machine is no defect.

mod decision;
mod decode;
mod frames;
mod gate_frames;
mod handheld;
mod lists;
mod machine;
mod metered;
mod report;
mod scans;
mod server;
mod server_lists;
mod site;

use std::sync::Arc;

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};
use serde_json::json;

use crate::report::Section;

/// Measures frame to durable verdict, the decision alone, lists and merging, and prints the figures beside the goals.
#[derive(Parser)]
#[command(name = "turnstone-bench", args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    part: Option<Part>,
    /// Run this one alone; may be given several times. Without it, all run.
    #[arg(long, value_enum)]
    only: Vec<Bench>,
    /// Print one JSON object in place of the table.
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
enum Part {
    /// Measures the decoder beside its peers.
    Decode(decode::Options),
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Bench {
    /// Frame to durable verdict, with 100,000 tickets listed.
    Frames,
    /// Signature check and rules alone.
    Decision,
    /// The full list and a delta: bytes and times.
    Lists,
    /// 100,000 scans merged by the server.
    Scans,
}

/// What no figure here says, printed with every table.
const NOT_MEASURED: [&str; 5] = [
    "The camera itself and the hand-over of its frame: a measurement begins with the frame in memory.",
    "The screen and the sound: it ends with the commit, before the verdict is drawn.",
    "The handheld's own processor: this machine's figures do not carry over to an ARM board.",
    "The network: bytes are counted without HTTP and TLS, and nothing travels.",
    "Power cuts: the disk's word that it has synced is taken; tests/crash asks what survives.",
];

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let Some(Part::Decode(options)) = arguments.part {
        return decode::run(&options);
    }
    let wanted = |bench| arguments.only.is_empty() || arguments.only.contains(&bench);
    let load_at_start = machine::load();
    let data = machine::data_folder("machine")?;
    let file_system = machine::file_system(&data);
    if !arguments.json {
        println!("Turnstone bench, version {}", env!("CARGO_PKG_VERSION"));
        println!(
            "machine: {}; data on {file_system}, below target; load at start {load_at_start}",
            machine::processor()
        );
    }
    eprintln!("making {} tickets with a key each ...", site::LISTED);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let guests = site::crowd(site::LISTED, 1)?;
    let mut sections: Vec<Section> = Vec::new();
    let mut done = |section: Section| {
        if !arguments.json {
            section.print();
        }
        sections.push(section);
    };
    if wanted(Bench::Decision) {
        eprintln!("decision ...");
        done(decision::run(&guests)?);
    }
    if wanted(Bench::Lists) {
        eprintln!("lists ...");
        let mut section = lists::run(&guests)?;
        runtime.block_on(async {
            let server = server::Server::start(&machine::data_folder("server-lists")?).await?;
            server_lists::run(&server, &guests, &mut section).await
        })?;
        done(section);
    }
    if wanted(Bench::Frames) {
        eprintln!("frames ...");
        done(frames::run(&guests)?);
    }
    if wanted(Bench::Scans) {
        eprintln!("scans ...");
        let section = runtime.block_on(async {
            let server = server::Server::start(&machine::data_folder("server-scans")?).await?;
            scans::run(Arc::new(server), &guests).await
        })?;
        done(section);
    }
    let load_at_end = machine::load();
    let (goals, met) = sections.iter().map(Section::goals).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    if arguments.json {
        let object = json!({
            "version": env!("CARGO_PKG_VERSION"), "processor": machine::processor(), "file_system": file_system,
            "load_at_start": load_at_start, "load_at_end": load_at_end, "goals": goals, "goals_met": met,
            "sections": sections.iter().map(Section::json).collect::<Vec<_>>(), "not_measured": NOT_MEASURED,
        });
        println!("{object}");
    } else {
        println!("\nNot measured");
        NOT_MEASURED.iter().for_each(|line| println!("  - {line}"));
        println!("\n{met} of {goals} goals met; load at end {load_at_end} (1, 5, 15 minutes)");
    }
    Ok(())
}
