//! A real server: keys made and certified by the real command, a process that can be killed and started again.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::api::Client;
use crate::process::{Process, program};

/// The organiser that every test's certificates name.
pub const ORGANISER: &str = "Harbour Nights";
/// The supervisor's name and password on a test's server.
pub const SUPERVISOR: &str = "gate-office";
pub const PASSWORD: &str = "correct horse battery staple";

/// A server's folder, address and process.
pub struct Server {
    folder: PathBuf,
    listen: SocketAddr,
    public_url: String,
    process: Option<Process>,
}

/// Runs a command to its end, and returns what it printed.
pub fn run(mut command: Command) -> Result<String> {
    let shown = format!("{command:?}");
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{shown} could not be started"))?;
    if !output.status.success() {
        bail!("{shown} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8(output.stdout)?)
}

fn tool(name: &str, arguments: &[&str]) -> Result<String> {
    let mut command = program(name)?;
    command.args(arguments);
    run(command)
}

impl Server {
    /// Makes keys and certificates for events 1 to 9 in `folder`, and accounts. Does not start the process.
    pub fn prepare(folder: &Path) -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let server = Server {
            folder: folder.to_path_buf(),
            listen: SocketAddr::from(([127, 0, 0, 1], port)),
            public_url: format!("https://localhost:{port}"),
            process: None,
        };
        std::fs::create_dir_all(server.data())?;
        server.make_keys()?;
        let mut account = program("sync-server")?;
        account.args(["account", "supervisor", "--name", SUPERVISOR, "--data"]).arg(server.data());
        account.env("TURNSTONE_PASSWORD", PASSWORD);
        run(account)?;
        Ok(server)
    }

    /// The address that links and enrolment codes name: where the lanes' relay listens.
    pub fn set_public_url(&mut self, url: String) {
        self.public_url = url;
    }

    fn make_keys(&self) -> Result<()> {
        let text = |path: &Path| path.to_str().map(str::to_owned).context("the folder's name is not UTF-8");
        let (root, data) = (text(&self.root_key())?, text(&self.data())?);
        tool("ticket-signer", &["keygen", "root", "--out", &root])?;
        tool("sync-server", &["key", "init", "--data", &data])?;
        for role in ticket_signer::Role::ALL {
            let role = role.name();
            let key = text(&self.data().join("keys").join(format!("{role}.pub")))?;
            let certificate = text(&self.folder.join(format!("{role}.cert")))?;
            let (signer, events) = ("ticket-signer", "1-9");
            let certify = ["certify", "--root", &root, "--key", &key, "--role", role, "--organiser", ORGANISER];
            tool(signer, &[&certify[..], &["--events", events, "--days", "30", "--out", &certificate]].concat())?;
            let root_public = format!("{root}.pub");
            let import = ["key", "import", "--data", &data, "--certificate", &certificate, "--root", &root_public];
            tool("sync-server", &import)?;
        }
        Ok(())
    }

    pub fn data(&self) -> PathBuf {
        self.folder.join("server")
    }

    pub fn root_key(&self) -> PathBuf {
        self.folder.join("root.key")
    }

    pub fn listen(&self) -> SocketAddr {
        self.listen
    }

    pub fn public_url(&self) -> &str {
        &self.public_url
    }

    pub fn certificate(&self) -> PathBuf {
        self.data().join("tls/cert.pem")
    }

    /// Starts the process and waits until it listens.
    pub fn start(&mut self) -> Result<()> {
        self.start_with(&[])
    }

    pub fn start_with(&mut self, environment: &[(&str, &str)]) -> Result<()> {
        let mut command = program("sync-server")?;
        command.arg("serve").arg("--data").arg(self.data());
        command.args(["--listen", &self.listen.to_string(), "--public-url", &self.public_url]);
        command.envs(environment.iter().copied());
        let log = File::options().create(true).append(true).open(self.folder.join("server.log"))?;
        let mut process = Process::start("sync-server", command, Stdio::from(log))?;
        process.wait_for("the line that it listens", |line| line.contains("listening").then_some(()))?;
        self.process = Some(process);
        Ok(())
    }

    /// SIGKILL.
    pub fn kill(&mut self) -> Result<()> {
        self.process.take().context("the server does not run")?.kill()
    }

    pub fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// A new API key for a back end of this name.
    pub fn api_key(&self, name: &str) -> Result<String> {
        let mut command = program("sync-server")?;
        command.args(["account", "api-key", "--name", name, "--data"]).arg(self.data());
        let printed = run(command)?;
        let key = printed.split_whitespace().find(|word| word.starts_with("tsk_"));
        Ok(key.context("no API key was printed")?.to_owned())
    }

    /// A client with the sales back end's key, straight to the server.
    pub fn back_end(&self) -> Result<Client> {
        Ok(self.client()?.with_key(self.api_key("sales")?))
    }

    /// A client without any rights, straight to the server.
    pub fn client(&self) -> Result<Client> {
        Client::new(&format!("https://localhost:{}", self.listen.port()), &self.certificate())
    }
}
