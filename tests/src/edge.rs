//! A venue's edge: a real `sync-server serve --role edge` between lanes and the organiser's server.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result};

use crate::api::Client;
use crate::office::Office;
use crate::process::{Process, inside, program};
use crate::server::{ORGANISER, PASSWORD, SUPERVISOR, run};
use crate::site::Site;

/// An edge's folder, address and process.
pub struct Edge {
    folder: PathBuf,
    listen: SocketAddr,
    /// The network namespace that it runs in, if it is not this one.
    namespace: Option<String>,
    /// The organiser's server as the edge reaches it.
    upstream: String,
    process: Option<Process>,
}

impl Edge {
    /// Makes the edge's time key, has the root certify it, enrols the edge and confirms it. Does not start it.
    pub fn enrol(site: &Site, office: &mut Office) -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        Self::enrol_at(site, office, SocketAddr::from(([127, 0, 0, 1], port)), None)
    }

    /// For an edge that is to listen there, in a network namespace of its own.
    pub fn enrol_at(site: &Site, office: &mut Office, listen: SocketAddr, namespace: Option<String>) -> Result<Self> {
        let edge = Edge {
            folder: site.folder.join("edge"),
            listen,
            namespace,
            upstream: site.server.public_url().to_owned(),
            process: None,
        };
        std::fs::create_dir_all(edge.data())?;
        edge.make_key(&site.server.root_key())?;
        let mut account = edge.command(&["account", "supervisor", "--name", SUPERVISOR])?;
        account.env("TURNSTONE_PASSWORD", PASSWORD);
        run(account)?;
        let code = office.edge_enrolment()?;
        let log = File::options().create(true).append(true).open(edge.log())?;
        let enrolling = edge.command(&["edge", "enrol", &code])?;
        let mut enrolling = Process::start("sync-server edge enrol", enrolling, Stdio::from(log))?;
        let fingerprint = enrolling.wait_for("the fingerprint", |line| {
            line.strip_prefix("This edge's fingerprint is ").map(|rest| rest.trim().to_owned())
        })?;
        office.confirm(&fingerprint)?;
        enrolling.wait_for("its place", |line| line.starts_with("enrolled for event").then_some(()))?;
        enrolling.wait_until_ended()?;
        Ok(edge)
    }

    fn make_key(&self, root: &Path) -> Result<()> {
        run(self.command(&["key", "init", "--role", "time"])?)?;
        let certificate = self.folder.join("time.cert");
        let mut certify = program("ticket-signer")?;
        certify.arg("certify").arg("--root").arg(root).arg("--key").arg(self.data().join("keys/time.pub"));
        certify.args(["--role", "time", "--organiser", ORGANISER, "--events", "1-9", "--days", "30", "--out"]);
        run({
            certify.arg(&certificate);
            certify
        })?;
        let mut import = self.command(&["key", "import"])?;
        import.arg("--certificate").arg(&certificate).arg("--root").arg(root.with_extension("key.pub"));
        run(import)?;
        Ok(())
    }

    /// `sync-server` on the edge's data.
    pub fn command(&self, arguments: &[&str]) -> Result<std::process::Command> {
        let mut command = program("sync-server")?;
        command.args(arguments).arg("--data").arg(self.data());
        Ok(command)
    }

    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn log(&self) -> PathBuf {
        self.folder.join("edge.log")
    }

    /// Starts the process and waits until it listens.
    pub fn start(&mut self) -> Result<()> {
        let ip = self.listen.ip();
        let host = if ip.is_loopback() { "localhost".to_owned() } else { ip.to_string() };
        let url = format!("https://{host}:{}", self.listen.port());
        let mut command = self.command(&["serve", "--role", "edge", "--upstream", &self.upstream])?;
        command.args(["--listen", &self.listen.to_string(), "--public-url", &url]);
        if let Some(namespace) = &self.namespace {
            command = inside(namespace, &command);
        }
        let log = File::options().create(true).append(true).open(self.log())?;
        let mut process = Process::start("the edge", command, Stdio::from(log))?;
        process.wait_for("the line that it listens", |line| line.contains("listening").then_some(()))?;
        self.process = Some(process);
        Ok(())
    }

    /// SIGKILL.
    pub fn kill(&mut self) -> Result<()> {
        self.process.take().context("the edge does not run")?.kill()
    }

    /// A supervisor's client of the edge's own page.
    pub fn office(&self, event: u32) -> Result<Office> {
        let base = format!("https://localhost:{}", self.listen.port());
        let mut api = Client::new(&base, &self.data().join("tls/cert.pem"))?;
        api.log_in(SUPERVISOR, PASSWORD)?;
        Ok(Office::of(api, event))
    }
}
