//! The `ticket-signer` command. All of it is in [`cli`]; the library does no I/O.

mod cli;

fn main() -> std::process::ExitCode {
    cli::run()
}
