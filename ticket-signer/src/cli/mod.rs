//! The command line: keys, certificates, tickets and lists by hand, from files.
//!
//! One file per group of commands. This is the crate's only place with files, a clock and a random source (`files`).
//! Invariants: no file that exists is overwritten; a private key is written with mode 0600 and never shown; each failure says
//! what to do, and ends with one of the exit codes below.

mod check;
mod failure;
mod files;
mod inspect;
mod keys;
mod lists;
mod output;
mod parse;
mod policy;
mod tickets;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use failure::Failure;
use output::Output;

const AFTER_HELP: &str = "\
Exit codes:
  0  done; for `verify`: the code is good
  1  refused: a signature, a right, a time or a format is not as it must be
  2  the command line is wrong
  3  a file could not be read or written, or exists already

Times are RFC 3339 (2026-08-01T18:00:00Z) or unix seconds. Options with [env: ...] can be given that way too.
A code has spaces and signs that a shell reads: quote it, or give `-` and write it to standard input.

A ticket from nothing:
  ticket-signer keygen root --out root.key
  ticket-signer keygen authority --out issue.key
  ticket-signer certify --root root.key --key issue.key.pub --role issue --organiser \"My festival\" \\
      --events 1-10 --days 400 --out issue.cert
  ticket-signer keygen holder --out phone.key
  ticket-signer issue --key issue.key --event 7 --class 3 --valid-from 2026-08-01T16:00:00Z \\
      --valid-until 2026-08-02T02:00:00Z --holder phone.key.pub --out ticket.cred
  ticket-signer present --key phone.key --credential ticket.cred --full
  ticket-signer verify 'CODE' --root root.key.pub --certificate issue.cert --event 7";

/// Keys, tickets and signed lists of Turnstone.
#[derive(Debug, Parser)]
#[command(name = "ticket-signer", version, after_help = AFTER_HELP)]
struct Cli {
    /// Write JSON on standard output instead of text; failures too
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a key pair: FILE (private, mode 0600) and FILE.pub
    Keygen(keys::Keygen),
    /// Have the root certify an authority's key for one role
    Certify(keys::Certify),
    /// Have the root take a key back, for good
    RevokeKey(keys::RevokeKey),
    /// Sign a ticket's credential, or many from JSON lines
    Issue(tickets::Issue),
    /// Make the code that a guest shows
    Present(tickets::Present),
    /// Check a code as a gate would
    Verify(check::Verify),
    /// Say what a file or text is, WITHOUT checking who signed it
    Inspect(inspect::Inspect),
    /// Make or look into a signed list of tickets
    List(lists::List),
    /// Sign a policy given as JSON
    Policy(policy::Policy),
}

/// Runs the command line that this process was started with.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let output = Output::new(cli.json);
    let done = match cli.command {
        Command::Keygen(command) => command.run(&output),
        Command::Certify(command) => command.run(&output),
        Command::RevokeKey(command) => command.run(&output),
        Command::Issue(command) => command.run(&output),
        Command::Present(command) => command.run(&output),
        Command::Verify(command) => command.run(&output),
        Command::Inspect(command) => command.run(&output),
        Command::List(command) => command.run(&output),
        Command::Policy(command) => command.run(&output),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads our output has closed it (`| head`): nobody is left to be told.
        Err(Failure::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure);
            failure.exit_code()
        }
    }
}
