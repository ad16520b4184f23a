//! Real headless Chromium, driven by the scripts in `ui/web/tools`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::process::Process;

/// Where Debian puts Chromium; `CHROMIUM` names another.
pub fn chromium() -> Option<PathBuf> {
    let path = std::env::var_os("CHROMIUM").map_or_else(|| PathBuf::from("/usr/bin/chromium"), PathBuf::from);
    path.exists().then_some(path)
}

/// The folder of the pages' sources and tools.
pub fn web() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../ui/web")
}

/// Whether the browser's scripts can run: Chromium is there, and the pages' packages are installed.
pub fn available() -> bool {
    chromium().is_some() && web().join("node_modules/puppeteer-core").exists()
}

fn script(name: &str) -> Command {
    let mut command = Command::new("node");
    command.arg(web().join("tools").join(name)).current_dir(web());
    command
}

/// A phone with a ticket on it: Chromium with the ticket page open.
pub struct Phone {
    process: Process,
    /// What the page showed first.
    pub first: Value,
}

impl Phone {
    /// Opens a ticket's link, taps the button and waits for the code. `spki` is the base64 hash of the server's key.
    pub fn bind(link: &str, spki: &str, screenshots: &Path) -> Result<Self> {
        let mut command = script("bind.mjs");
        command.args(["--keep", "--url", link, "--insecure-spki", spki, "--screenshots"]).arg(screenshots);
        let mut process = Process::start("the guest's browser", command, Stdio::inherit())?;
        let first = process.wait_for("the ticket page's code", |line| serde_json::from_str(line).ok())?;
        Ok(Phone { process, first })
    }

    /// The code on the page now: `code` (short), `full` and `step`.
    pub fn code(&mut self) -> Result<Value> {
        use std::io::Write as _;
        writeln!(self.process.stdin()?)?;
        self.process.wait_for("the ticket page's code", |line| serde_json::from_str(line).ok())
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        let _ = self.process.end();
    }
}

/// The supervisor's page in Chromium, logged in.
pub struct OfficePage {
    process: Process,
}

impl Drop for OfficePage {
    fn drop(&mut self) {
        let _ = self.process.end();
    }
}

impl OfficePage {
    pub fn log_in(url: &str, spki: &str, name: &str, password: &str, event: u32) -> Result<Self> {
        let mut command = script("office.mjs");
        command.args(["--url", url, "--name", name, "--insecure-spki", spki, "--event", &event.to_string(), "session"]);
        command.env("TURNSTONE_PASSWORD", password);
        Ok(OfficePage { process: Process::start("the supervisor's browser", command, Stdio::inherit())? })
    }

    /// Gives one command and returns its answer.
    pub fn ask(&mut self, command: &Value) -> Result<Value> {
        use std::io::Write as _;
        writeln!(self.process.stdin()?, "{command}")?;
        let answer: Value = self.process.wait_for("the supervisor's page", |line| serde_json::from_str(line).ok())?;
        match answer["error"].as_str() {
            Some(error) => bail!("the supervisor's page: {error} (asked {command})"),
            None => Ok(answer),
        }
    }
}

/// Reads the one QR code of a picture on disk.
pub fn read_qr(path: &Path) -> Result<String> {
    let luma = image::open(path).with_context(|| format!("read {}", path.display()))?.to_luma8();
    let mut prepared = rqrr::PreparedImage::prepare(luma);
    let grids = prepared.detect_grids();
    let grid = grids.first().with_context(|| format!("no QR code in {}", path.display()))?;
    let (_, text) = grid.decode().map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?;
    Ok(text)
}
