//! The command: reads exports, writes the report, and says by its exit status what came out.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{BufReader, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use turnstone_auditor::{Export, ExportError, Report, audit, to_json, to_text};

const AFTER: &str = "\
Exit status: 0 when nothing differs, 1 when something does, 2 when the input cannot be read.
Tickets with more guests inside than they allow, at lanes that could not hear each other, are conflicts and no differences; overrides are listed apart.

Examples:
  turnstone-auditor cloud.jsonl lane-1.jsonl lane-2.jsonl
  turnstone-auditor --root KVQZ-75MK-YZWQ-TZPT --json cloud.jsonl > audit.json";

/// Checks what Turnstone's gates have journalled, with code that shares nothing with theirs.
///
/// Give it the cloud's export and the export of each device: JSON Lines, as the crate's module `export` describes them. It
/// verifies every certificate, row, chain, receipt, grant and code again, counts again who was inside on each ticket, and
/// names each difference in a sentence.
#[derive(Parser)]
#[command(name = "turnstone-auditor", version, after_help = AFTER)]
struct Arguments {
    /// Exports; `-` is the standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The root key's fingerprint as you know it, `XXXX-XXXX-XXXX-XXXX` or hex. Without it the export's own root is
    /// believed, and the report says which that was.
    #[arg(long, value_name = "FINGERPRINT")]
    root: Option<String>,
    /// Write one JSON object instead of a report for people.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let report = match run(&arguments) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("turnstone-auditor: {error}");
            return ExitCode::from(2);
        }
    };
    let text = if arguments.json { format!("{:#}\n", to_json(&report)) } else { to_text(&report) };
    if let Err(error) = std::io::stdout().lock().write_all(text.as_bytes()) {
        // Whoever reads has enough; the status still says what came out.
        if error.kind() != std::io::ErrorKind::BrokenPipe {
            eprintln!("turnstone-auditor: the report could not be written: {error}");
            return ExitCode::from(2);
        }
    }
    ExitCode::from(u8::from(!report.is_sound()))
}

fn run(arguments: &Arguments) -> Result<Report, ExportError> {
    let mut export = Export::default();
    for path in &arguments.files {
        let name = path.display().to_string();
        if name == "-" {
            export.read("standard input", std::io::stdin().lock())?;
        } else {
            let file = File::open(path).map_err(|error| ExportError::File { file: name.clone(), error })?;
            export.read(&name, BufReader::new(file))?;
        }
    }
    audit(&export, arguments.root.as_deref())
}
