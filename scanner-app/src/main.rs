//! The handheld's program: reads the command line, and runs what it asks for.

mod cli;

fn main() -> std::process::ExitCode {
    cli::run()
}
