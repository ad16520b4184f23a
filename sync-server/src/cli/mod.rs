//! The command line: every option is also an environment variable, and `--help` teaches.
//!
//! Exit codes: 0 done, 1 failed or found wanting (the reason is on standard error), 2 used wrongly.

mod admin;
mod plan;

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use ticket_signer::Role;

use crate::platform::config::{Config, ConfigError, DatabaseUrl, PublicUrl, ServeRole, TlsFiles};
use crate::platform::telemetry::{self, LogFormat};
use crate::platform::{Scope, Shutdown};
use crate::{api, server};

#[derive(Parser)]
#[command(
    name = "sync-server",
    version,
    about = "Turnstone's server: issues tickets, lists them for the gates, and merges what the gates saw",
    after_help = "A first run, on one machine:\n\n  \
        sync-server key init                                  make the signing keys\n  \
        ticket-signer certify --role issue ...                certify each DATA/keys/ROLE.pub with your root key\n  \
        sync-server key import --root root.pub --certificate issue.cert\n  \
        sync-server account api-key --name box-office         for the back end that issues tickets\n  \
        sync-server account supervisor --name anna            for signing in at /office\n  \
        sync-server serve --public-url https://tickets.example.org\n\n\
        Everything lives in the data directory. Back up the database with `sync-server backup FILE`, and keep a copy of \
        DATA/keys and DATA/tls in a safe place."
)]
pub struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Args)]
struct Common {
    /// Directory of database, keys and TLS certificate; made when it does not exist
    #[arg(long, global = true, env = "TURNSTONE_DATA", default_value = "turnstone-data", value_name = "DIR")]
    data: PathBuf,
    /// Where the database is, as sqlite:PATH [default: turnstone.db in the data directory]
    #[arg(long, global = true, env = "TURNSTONE_DATABASE", value_name = "URL", hide_env_values = true)]
    database: Option<String>,
    /// How much to log, as in `warn`, `info` or `info,sync_server=debug`
    #[arg(long, global = true, env = "TURNSTONE_LOG", default_value = "info", value_name = "FILTER")]
    log: String,
    /// How log lines look; `auto` is for people on a terminal and JSON elsewhere
    #[arg(long, global = true, env = "TURNSTONE_LOG_FORMAT", default_value = "auto")]
    log_format: LogFormat,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server until SIGTERM or Ctrl-C
    Serve(Serve),
    /// Bring the database up to this version (serve does so too)
    Migrate,
    /// Check the database, the catalog and the keys; exit code 1 when something is wrong
    Check,
    /// Copy the database to a new file, while the server runs
    Backup {
        /// The new file; one that exists is never overwritten
        file: PathBuf,
    },
    /// Write an event's journal for an auditor, while the server runs: JSON Lines, as `turnstone-auditor` reads them
    ///
    /// The file holds the codes of printed tickets, which stay good: it is readable for its owner alone.
    Export {
        /// The event's number
        #[arg(long, env = "TURNSTONE_EVENT", value_name = "N")]
        event: u32,
        /// The new file; one that exists is never overwritten
        file: PathBuf,
    },
    /// Make accounts: API keys for back ends, supervisors for the office
    #[command(subcommand)]
    Account(Account),
    /// Make, certify and list the server's signing keys
    #[command(subcommand)]
    Key(Key),
    /// Enrol a venue's edge
    #[command(subcommand)]
    Edge(EdgeCommand),
    /// Say how long guests will wait at the gates, how many lanes that takes, and which should take whom
    ///
    /// The file is JSON; docs/planning.md describes it. Evenings are played guest by guest, the same for the same seed.
    Plan {
        file: PathBuf,
        /// Other chance, to see how much hangs on it
        #[arg(long, default_value_t = 1, env = "TURNSTONE_SEED")]
        seed: u64,
        /// One JSON object, with every minute of the evening
        #[arg(long, env = "TURNSTONE_JSON")]
        json: bool,
    },
    /// Print the OpenAPI document of the HTTP API
    Openapi,
}

#[derive(Args)]
struct Serve {
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, env = "TURNSTONE_LISTEN", default_value = "127.0.0.1:8443", value_name = "ADDR")]
    listen: SocketAddr,
    /// How phones and handhelds reach this server, as in https://tickets.example.org; it is in every link and enrolment
    /// code [default: https://localhost with the port]
    #[arg(long, env = "TURNSTONE_PUBLIC_URL", value_name = "URL")]
    public_url: Option<String>,
    /// What this process does: everything, or the edge of a venue, whose lanes go on sharing while the internet is down
    #[arg(long, env = "TURNSTONE_ROLE", default_value = "all", value_name = "ROLE")]
    role: RoleName,
    /// For --role edge: the server that it belongs to, as in https://tickets.example.org
    #[arg(long, env = "TURNSTONE_UPSTREAM", value_name = "URL")]
    upstream: Option<String>,
    /// Your TLS certificate chain (PEM); without it the server makes a certificate of its own
    #[arg(long, env = "TURNSTONE_TLS_CERT", value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// The private key of --tls-cert (PEM)
    #[arg(long, env = "TURNSTONE_TLS_KEY", value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// Write the public address to this file once the server listens, for scripts that wait for it
    #[arg(long, env = "TURNSTONE_READY_FILE", value_name = "PATH")]
    ready_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RoleName {
    All,
    Edge,
}

#[derive(Subcommand)]
enum EdgeCommand {
    /// Give this edge its place, with an edge's code from the supervisor's page
    ///
    /// Prints the fingerprint of this edge's key, which the supervisor compares, and waits for the supervisor to confirm it.
    Enrol {
        /// The code, as the page shows it in letters: T1E...
        #[arg(env = "TURNSTONE_ENROLMENT_CODE", hide_env_values = true)]
        code: String,
        /// What supervisors call this edge
        #[arg(long, env = "TURNSTONE_NAME", default_value = "Venue edge")]
        name: String,
    },
}

#[derive(Subcommand)]
enum Account {
    /// Make a supervisor's account, or give an existing one a new password (which signs it out everywhere)
    ///
    /// The password is read from the environment variable TURNSTONE_PASSWORD, else asked for, else read as one line from
    /// standard input. It is never an option, since options are seen by everyone on the machine.
    Supervisor {
        #[arg(long, env = "TURNSTONE_NAME")]
        name: String,
    },
    /// Make an API key and print it, once: only its hash is stored
    ApiKey {
        /// What the key is for, as in box-office
        #[arg(long, env = "TURNSTONE_NAME")]
        name: String,
        /// What the key may do; repeat for several [default: all]
        #[arg(long = "scope", value_parser = parse_scope, env = "TURNSTONE_SCOPES", value_delimiter = ',')]
        scopes: Vec<Scope>,
    },
}

fn parse_scope(text: &str) -> Result<Scope, String> {
    let known = Scope::ALL.map(Scope::as_str).join(", ");
    Scope::parse(text).ok_or_else(|| format!("there is no such scope; there are {known}"))
}

fn parse_role(text: &str) -> Result<Role, String> {
    let known = Role::ALL.map(Role::name).join(", ");
    Role::from_name(text).ok_or_else(|| format!("there is no such role; there are {known}"))
}

#[derive(Subcommand)]
enum Key {
    /// Make the private keys that are missing, and write the public halves beside them
    Init {
        /// Only the keys of these roles; a venue's edge has `time` alone [default: all]
        #[arg(long = "role", value_parser = parse_role, env = "TURNSTONE_KEY_ROLES", value_delimiter = ',')]
        roles: Vec<Role>,
    },
    /// Take in what the root signed, after checking it
    Import {
        /// The certificate that `ticket-signer certify` wrote
        #[arg(long, env = "TURNSTONE_CERTIFICATE", value_name = "FILE", required_unless_present = "revocation")]
        certificate: Option<PathBuf>,
        /// A revocation of a key that `ticket-signer revoke-key` wrote
        #[arg(long, env = "TURNSTONE_REVOCATION", value_name = "FILE")]
        revocation: Option<PathBuf>,
        /// The root's public key; the first import pins it, later ones need not name it
        #[arg(long, env = "TURNSTONE_ROOT", value_name = "FILE")]
        root: Option<PathBuf>,
    },
    /// Show roles, key ids, what the certificates name and how long they are valid
    List,
}

/// Runs one command; the process's exit code.
pub async fn run(cli: Cli) -> u8 {
    telemetry::start(cli.common.log_format, &cli.common.log);
    match dispatch(cli).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("sync-server: {error}");
            1
        }
    }
}

/// Prints a line. A reader that is gone (`| head`) wants no more, and the command does its work all the same.
fn say(line: impl std::fmt::Display) -> std::io::Result<()> {
    match writeln!(std::io::stdout().lock(), "{line}") {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

type CliResult = Result<u8, Box<dyn std::error::Error + Send + Sync>>;

async fn dispatch(cli: Cli) -> CliResult {
    let Common { data, database, .. } = cli.common;
    let database = match database {
        Some(url) => DatabaseUrl::parse(&url)?,
        None => DatabaseUrl::in_data(&data),
    };
    let place = admin::Place { data, database };
    match cli.command {
        Command::Serve(options) => serve(options, place).await,
        Command::Migrate => admin::migrate(&place).await,
        Command::Check => admin::check(&place).await,
        Command::Backup { file } => admin::backup(&place, &file).await,
        Command::Export { event, file } => admin::export(&place, event, &file).await,
        Command::Account(Account::Supervisor { name }) => admin::supervisor(&place, &name).await,
        Command::Account(Account::ApiKey { name, scopes }) => admin::api_key(&place, &name, &scopes).await,
        Command::Key(Key::Init { roles }) => admin::key_init(&place, &roles),
        Command::Edge(EdgeCommand::Enrol { code, name }) => admin::edge_enrol(&place, &code, &name).await,
        Command::Key(Key::Import { certificate, revocation, root }) => {
            admin::key_import(&place, certificate.as_deref(), revocation.as_deref(), root.as_deref())
        }
        Command::Key(Key::List) => admin::key_list(&place),
        Command::Plan { file, seed, json } => plan::run(&file, seed, json),
        Command::Openapi => {
            say(serde_json::to_string_pretty(&api::document())?)?;
            Ok(0)
        }
    }
}

fn upstream(url: &str) -> Result<PublicUrl, ConfigError> {
    PublicUrl::parse(url).map_err(|error| match error {
        ConfigError::PublicUrl { url, reason } => ConfigError::Upstream { url, reason },
        other => other,
    })
}

async fn serve(options: Serve, place: admin::Place) -> CliResult {
    let tls = match (options.tls_cert, options.tls_key) {
        (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key }),
        (None, None) => None,
        _ => return Err(ConfigError::HalfTls.into()),
    };
    let role = match (options.role, options.upstream) {
        (RoleName::All, None) => ServeRole::All,
        (RoleName::All, Some(_)) => return Err(ConfigError::UpstreamOfAll.into()),
        (RoleName::Edge, None) => return Err(ConfigError::NoUpstream.into()),
        (RoleName::Edge, Some(url)) => ServeRole::Edge { upstream: upstream(&url)? },
    };
    let config = Config {
        role,
        data: place.data,
        listen: options.listen,
        public_url: options.public_url.as_deref().map(PublicUrl::parse).transpose()?,
        database: place.database,
        tls,
        ready_file: options.ready_file,
    };
    let shutdown = Shutdown::default();
    shutdown.on_signals().map_err(server::RunError::Signals)?;
    server::run(config, shutdown, |ready| {
        let spki: String = ready.spki_sha256.iter().map(|byte| format!("{byte:02x}")).collect();
        let told = say(format_args!("listening on {} ({})", ready.public_url, ready.address));
        if let Err(error) = told.and_then(|()| say(format_args!("tls key sha256 {spki}"))) {
            tracing::warn!(%error, "the address could not be printed");
        }
    })
    .await?;
    Ok(0)
}
