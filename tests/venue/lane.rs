//! A handheld in its namespace: codes are typed into it, verdicts come out.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::Value;
use turnstone_tests::office::Office;
use turnstone_tests::process::{Process, inside, program};

/// How long a verdict may take on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Handheld {
    pub at: usize,
    namespace: String,
    folder: PathBuf,
    process: Option<Process>,
    /// What was shown of each row, by number: outcome and ticket.
    pub shown: BTreeMap<u64, (String, Option<String>)>,
}

impl Handheld {
    pub fn new(at: usize, namespace: String, folder: &Path) -> Result<Self> {
        let folder = folder.join(format!("lane-{at}"));
        std::fs::create_dir_all(&folder)?;
        Ok(Handheld { at, namespace, folder, process: None, shown: BTreeMap::new() })
    }

    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub fn start(&mut self) -> Result<()> {
        let mut command = program("scanner-app")?;
        command.arg("--data").arg(self.data()).args(["--name", &format!("Lane {}", self.at)]);
        command.args(["--source", "wedge", "--headless"]);
        let log = File::options().create(true).append(true).open(self.folder.join("handheld.log"))?;
        let command = inside(&self.namespace, &command);
        self.process = Some(Process::start(&format!("lane {}", self.at), command, Stdio::from(log))?);
        Ok(())
    }

    pub fn enrol(&mut self, office: &mut Office, code: &str) -> Result<()> {
        let process = self.process.as_mut().context("the handheld does not run")?;
        process.wait_for("that it wants a place", |line| {
            json(line).filter(|event| event["event"] == "enrol_wanted").map(|_| ())
        })?;
        self.type_line(code)?;
        let process = self.process.as_mut().context("the handheld does not run")?;
        let fingerprint = process.wait_for("its fingerprint", |line| {
            let event = json(line).filter(|event| event["event"] == "enrol_pending")?;
            Some(event["fingerprint"].as_str()?.to_owned())
        })?;
        office.confirm(&fingerprint)?;
        process.wait_for("that it is ready", |line| json(line).filter(|event| event["event"] == "ready").map(|_| ()))
    }

    fn type_line(&mut self, text: &str) -> Result<()> {
        let process = self.process.as_mut().context("the handheld does not run")?;
        writeln!(process.stdin()?, "{text}").context("the handheld does not listen")
    }

    /// Types a code and waits for its verdict: outcome, and when it was there. `None` where the code was held off.
    pub fn scan(&mut self, code: &str, ticket: &str) -> Result<Option<(u64, String, Instant)>> {
        self.type_line(code)?;
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            let process = self.process.as_mut().context("the handheld does not run")?;
            for line in process.lines_until(until, |line| json(line).is_some_and(|value| value["outcome"].is_string()))
            {
                if let Some((seq, outcome, of)) = self.note(&line)
                    && of.as_deref() == Some(ticket)
                {
                    return Ok(Some((seq, outcome, Instant::now())));
                }
            }
        }
        Ok(None)
    }

    /// Keeps what a line shows of a row.
    fn note(&mut self, line: &str) -> Option<(u64, String, Option<String>)> {
        let value = json(line)?;
        let (seq, outcome) = (value["seq"].as_u64()?, value["outcome"].as_str()?.to_owned());
        let ticket = value["ticket"].as_str().map(str::to_owned);
        self.shown.insert(seq, (outcome.clone(), ticket.clone()));
        Some((seq, outcome, ticket))
    }

    /// SIGKILL, and what it had said until then.
    pub fn kill(&mut self) -> Result<()> {
        let process = self.process.take().context("the handheld does not run")?;
        for line in process.kill_and_read()? {
            self.note(&line);
        }
        Ok(())
    }

    /// Takes in what it says by itself: verdicts that it shows again.
    pub fn listen(&mut self) -> Result<()> {
        let lines = self.process.as_mut().context("the handheld does not run")?.drain();
        for line in lines {
            self.note(&line);
        }
        Ok(())
    }
}

fn json(line: &str) -> Option<Value> {
    serde_json::from_str(line).ok()
}
