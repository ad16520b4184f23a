//! The command line. Every option is an environment variable too; what goes wrong is said in one line that says what to do.
//!
//! Exit codes: 0 done, 1 something is wrong with what was asked for or found, 2 the command line cannot be read.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use scanner_app::shell::camera::{SourceSpec, Torch};
use scanner_app::shell::explain::{self, ExplainError};
use scanner_app::shell::export::{self, ExportError};
use scanner_app::shell::gate::{Front, Gate, GateError, Options};
use scanner_app::shell::inspect::{self, InspectError};
use scanner_app::shell::output::Output;
use scanner_app::shell::recorder::{self, Ask};
use scanner_app::shell::replay::{self, ReplayError};
use scanner_app::shell::study;

/// The handheld at a turnstile: reads codes, decides alone, records durably, and only then shows the verdict.
#[derive(Debug, Parser)]
#[command(name = "scanner-app", version, args_conflicts_with_subcommands = true)]
#[command(
    after_help = "Start it, show it the QR code on the supervisor's page, have the fingerprint confirmed: it fetches \
                        its list and is ready. It goes on without a network."
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    /// The folder of journal, lists and the device's key
    #[arg(long, global = true, env = "TURNSTONE_SCANNER_DATA", value_name = "DIR", default_value = "gate-data")]
    data: PathBuf,

    /// Where codes come from: camera, camera:/dev/videoN, frames:DIR (recorded frames), replay:DIR (the same with their time,
    /// see `replay`), wedge (lines on standard input),
    /// wedge:/dev/ttyACM0
    #[arg(long, env = "TURNSTONE_SCANNER_SOURCE", value_name = "SOURCE", default_value = "camera")]
    source: SourceSpec,

    /// No window: one line of JSON per verdict and event on standard output
    #[arg(long, env = "TURNSTONE_SCANNER_HEADLESS")]
    headless: bool,

    /// With a window: the same lines into this file ("-" is standard output)
    #[arg(long, env = "TURNSTONE_SCANNER_EVENTS", value_name = "FILE")]
    events: Option<PathBuf>,

    /// Talk to this address instead of the one on the enrolment code; its TLS key must be the same
    #[arg(long, env = "TURNSTONE_SCANNER_SERVER", value_name = "URL")]
    server: Option<String>,

    /// What staff call this handheld
    #[arg(long, env = "TURNSTONE_SCANNER_NAME", value_name = "NAME", default_value = "Handheld", value_parser = name)]
    name: String,

    /// With a window: save a picture of each new screen into this folder
    #[arg(long, env = "TURNSTONE_SCANNER_SCREENSHOTS", value_name = "DIR")]
    screenshots: Option<PathBuf>,

    /// When the camera's lamp burns, if it has one
    #[arg(long, env = "TURNSTONE_SCANNER_TORCH", value_name = "WHEN", default_value = "auto")]
    torch: Torch,

    /// Keep the last N pictures in which no code is read, in DIR/recordings, until `recorder` says otherwise
    #[arg(long, env = "TURNSTONE_SCANNER_RECORD", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(recorder::FRAMES_MAX)))]
    record: Option<u32>,

    /// How many hours a recorded picture is kept after it was taken: it may show a ticket that can be read one day
    #[arg(long, global = true, env = "TURNSTONE_SCANNER_RECORD_HOURS", value_name = "H", default_value_t = recorder::HOURS_USUAL,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(recorder::HOURS_MAX)))]
    record_hours: u32,

    /// The language of the screens' labels: en, hi, ...
    #[arg(long, env = "TURNSTONE_SCANNER_LANG", value_name = "LANG", default_value = "en")]
    lang: String,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Prints the journal, and checks its chain and signatures
    Journal {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Writes the journal for an auditor: JSON Lines, as `turnstone-auditor` reads them
    #[command(
        after_help = "The file holds the codes of printed tickets, which stay good: it is readable for its owner alone."
    )]
    Export {
        /// The new file; one that exists is never overwritten
        file: PathBuf,
    },
    /// Checks the data folder: database, key, place, list, clock
    Check {
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// Keeps the last pictures in which no code was read, or stops keeping them; a running handheld notices within a second
    #[command(after_help = "What is recorded lies in DIR/recordings, for this user alone, and goes by itself after \
                            --record-hours. `scanner-app replay` plays it, `scanner-app decode` says what can be read in it.")]
    Recorder {
        #[command(subcommand)]
        ask: RecorderCommand,
    },
    /// Plays recorded pictures as if it were then: the verdicts that a gate would give now, one JSON line each
    #[command(
        long_about = "Plays recorded pictures as if it were then: each is decoded, verified, decided and journalled with \
                            the time at which it was taken. Prints the lines that --headless prints, and at the end how many \
                            pictures were played and in how many a code was read.\n\n\
                            The folder after --data is made for it: a copy of the recording handheld's list, policy and keys \
                            to check by, as they are now, with an empty journal and a key of its own. It never talks with a \
                            server and a handheld cannot be started on it. A handheld's own folder is refused."
    )]
    #[command(after_help = "Example: scanner-app replay lane-1/recordings --data /tmp/friday")]
    Replay {
        /// The recordings
        #[arg(value_name = "DIR")]
        recordings: PathBuf,
        /// The data folder of the handheld that recorded; without it, the folder in which the recordings lie
        #[arg(long, value_name = "DIR")]
        station: Option<PathBuf>,
    },
    /// Reads the codes in picture files: one JSON line a file
    #[command(
        long_about = "Reads the codes in picture files with the decoder of the gate, and prints one JSON line a file:\n\n  \
                            {\"file\":\"a.png\",\"codes\":[\"T1S...\"],\"us\":4180,\"pass\":\"half\"}\n\n\
                            PNG, JPEG, WebP, GIF (its first frame) and recorded frames (.tsf) are told apart by their \
                            contents. \"codes\" holds every code found, as text; bytes that are not UTF-8 stand there as \
                            Latin-1. \"us\" is the time that decoding took in microseconds, without reading the file. \
                            \"pass\" is the step of the decoder that read the codes, null if none did.\n\n\
                            A file that cannot be looked at has an \"error\" that says why, the others are decoded all the \
                            same, and the exit code is 1. A picture in which no code is found is no error. Pictures of more \
                            than 4096 pixels a side are shrunk by a whole factor first, up to 16384."
    )]
    #[command(after_help = "Example: scanner-app decode photos/*.jpg | jq -r 'select(.codes == []) | .file'")]
    Decode {
        /// The pictures
        #[arg(required_unless_present = "explain", value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Leave pictures of every stage of decoding this file in the folder named with --out
        #[arg(long, value_name = "FILE", requires = "out", conflicts_with_all = ["files", "deadline_ms"])]
        explain: Option<PathBuf>,
        /// Where the pictures of --explain go; the folder is made
        #[arg(long, value_name = "DIR", requires = "explain", conflicts_with = "files")]
        out: Option<PathBuf>,
        /// Give a picture no more than N milliseconds, as a gate with a camera does (100 there); without it a picture is
        /// searched to the end, within the decoder's budget of work
        #[arg(long, value_name = "N")]
        deadline_ms: Option<u64>,
    },
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum RecorderCommand {
    /// Keep the last N unread pictures from now on, at most five a second
    On {
        /// How many pictures
        #[arg(long, value_name = "N", default_value_t = recorder::FRAMES_USUAL,
              value_parser = clap::value_parser!(u32).range(1..=i64::from(recorder::FRAMES_MAX)))]
        frames: u32,
    },
    /// Keep no more pictures; those kept stay until their time is over
    Off,
    /// Say what was asked for and what is kept
    Status {
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// Delete all recorded pictures
    Clear,
}

#[derive(Debug, thiserror::Error)]
enum CliError {
    #[error(transparent)]
    Gate(#[from] GateError),
    #[error(transparent)]
    Inspect(#[from] InspectError),
    #[error("The file {file} for event lines cannot be written ({error}). Choose another one after --events")]
    Events { file: String, error: std::io::Error },
    #[error("The output cannot be written: {0}")]
    Output(std::io::Error),
    #[error(transparent)]
    Replay(#[from] ReplayError),
    #[error(transparent)]
    Explain(#[from] ExplainError),
    #[error(transparent)]
    Export(#[from] ExportError),
    #[cfg(not(feature = "window"))]
    #[error("This build has no window. Start it with --headless, or install the package with a window")]
    NoWindow,
    #[cfg(feature = "window")]
    #[error(transparent)]
    Window(#[from] scanner_app::shell::slint::WindowError),
}

/// Runs the program.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_env("TURNSTONE_SCANNER_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match dispatch(cli) {
        Ok(code) => code,
        // Whoever reads the output has closed it (`| head`): nobody is left to be told.
        Err(CliError::Inspect(InspectError::Output(error)) | CliError::Output(error))
            if error.kind() == std::io::ErrorKind::BrokenPipe =>
        {
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("scanner-app: {error}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(cli: Cli) -> Result<ExitCode, CliError> {
    let mut out = std::io::stdout().lock();
    let recorder = recorder::Options { frames: cli.record, kept_hours: cli.record_hours };
    match cli.command {
        Some(Command::Journal { json }) => return Ok(exit(inspect::journal(&cli.data, json, &mut out)?)),
        Some(Command::Export { file }) => {
            let rows = export::export(&cli.data, &file)?;
            writeln!(out, "wrote {rows} rows to {}", file.display()).map_err(CliError::Output)?;
            return Ok(ExitCode::SUCCESS);
        }
        Some(Command::Check { json }) => return Ok(exit(inspect::check(&cli.data, json, &mut out)?)),
        Some(Command::Recorder { ask }) => {
            let (ask, json) = match ask {
                RecorderCommand::On { frames } => (Ask::On(frames), false),
                RecorderCommand::Off => (Ask::Off, false),
                RecorderCommand::Status { json } => (Ask::Status, json),
                RecorderCommand::Clear => (Ask::Clear, false),
            };
            inspect::recorder(&cli.data, ask, recorder, json, &mut out)?;
            return Ok(ExitCode::SUCCESS);
        }
        Some(Command::Replay { recordings, station }) => {
            drop(out);
            replay::prepare(&recordings, station.as_deref(), &cli.data)?;
            let source = SourceSpec::Replay(recordings);
            let options =
                Options { folder: cli.data, source, name: cli.name, server: None, recorder, torch: Torch::Off };
            Gate::open(options, Output::stdout(), |_| Front::default())?.run()?;
            return Ok(ExitCode::SUCCESS);
        }
        Some(Command::Decode { explain: Some(file), out: Some(folder), .. }) => {
            explain::explain(&file, &folder)?;
            return Ok(exit(study::decode(&[file], None, &mut out).map_err(CliError::Output)?));
        }
        Some(Command::Decode { files, deadline_ms, .. }) => {
            let deadline = deadline_ms.map(Duration::from_millis);
            return Ok(exit(study::decode(&files, deadline, &mut out).map_err(CliError::Output)?));
        }
        None => drop(out),
    }
    let options = Options {
        folder: cli.data,
        source: cli.source,
        name: cli.name,
        server: cli.server,
        recorder,
        torch: cli.torch,
    };
    if cli.headless {
        let output = match &cli.events {
            None => Output::stdout(),
            Some(file) => open(file)?,
        };
        Gate::open(options, output, |_| Front::default())?.run()?;
        return Ok(ExitCode::SUCCESS);
    }
    #[cfg(feature = "window")]
    {
        let output = cli.events.as_deref().map(open).transpose()?.unwrap_or_else(Output::none);
        scanner_app::shell::slint::run(options, output, cli.screenshots, &cli.lang)?;
        Ok(ExitCode::SUCCESS)
    }
    #[cfg(not(feature = "window"))]
    Err(CliError::NoWindow)
}

fn open(file: &Path) -> Result<Output, CliError> {
    Output::open(file).map_err(|error| CliError::Events { file: file.display().to_string(), error })
}

fn exit(sound: bool) -> ExitCode {
    if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn name(text: &str) -> Result<String, String> {
    let text = text.trim();
    if (1..=40).contains(&text.chars().count()) && !text.chars().any(char::is_control) {
        Ok(text.to_owned())
    } else {
        Err("use 1 to 40 characters".to_owned())
    }
}
