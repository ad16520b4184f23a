//! A real handheld process that is typed codes, as a keyboard-wedge imager would, and whose lines are all kept.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use turnstone_tests::office::Office;
use turnstone_tests::process::{PATIENCE, Process, program};
use turnstone_tests::server::run;
use turnstone_tests::site::{LANES, Site};

/// A handheld's data folder, and its process while it runs.
pub struct Handheld {
    data: PathBuf,
    log: PathBuf,
    process: Option<Process>,
    /// Every line of every run that was JSON, in order.
    pub lines: Vec<Value>,
}

impl Handheld {
    pub fn new(data: &Path, log: &Path) -> Self {
        Handheld { data: data.to_path_buf(), log: log.to_path_buf(), process: None, lines: Vec::new() }
    }

    pub fn command(&self) -> Result<Command> {
        let mut command = program("scanner-app")?;
        command.args(["--headless", "--source", "wedge", "--data"]).arg(&self.data);
        Ok(command)
    }

    /// Starts it; `crash_at` names a crash point as `POINT:N`.
    pub fn start(&mut self, crash_at: Option<&str>) -> Result<()> {
        let mut command = self.command()?;
        if let Some(point) = crash_at {
            command.env("TURNSTONE_CRASH_AT", point);
        }
        let log = File::options().create(true).append(true).open(&self.log)?;
        self.process = Some(Process::start("handheld", command, Stdio::from(log))?);
        Ok(())
    }

    /// Starts it and enrols it for lane `at` (0 or 1). Returns once it has a list.
    pub fn enrol(&mut self, site: &Site, office: &mut Office, at: usize) -> Result<()> {
        self.start(None)?;
        self.event("enrol_wanted")?;
        let code = office.enrolment(site.lane_ids[at], LANES[at], Path::new("unused.png"))?;
        self.type_code(&code);
        let pending = self.event("enrol_pending")?;
        office.confirm(pending["fingerprint"].as_str().context("the handheld shows no fingerprint")?)?;
        self.event("ready")?;
        Ok(())
    }

    fn process(&mut self) -> Result<&mut Process> {
        self.process.as_mut().context("the handheld does not run")
    }

    /// Types a code. A handheld that has died meanwhile takes none.
    pub fn type_code(&mut self, text: &str) {
        if let Some(process) = &mut self.process
            && let Ok(input) = process.stdin()
        {
            let _ = input.write_all(format!("{text}\n").as_bytes()).and_then(|()| input.flush());
        }
    }

    fn keep(&mut self, lines: &[String]) -> usize {
        let from = self.lines.len();
        self.lines.extend(lines.iter().filter_map(|line| serde_json::from_str(line).ok()));
        from
    }

    /// Takes in the lines that come within `time`; returns the new ones.
    pub fn listen(&mut self, time: Duration) -> &[Value] {
        let lines = self.process.as_mut().map(|process| process.lines_within(time)).unwrap_or_default();
        let from = self.keep(&lines);
        &self.lines[from..]
    }

    /// The next line that `wanted` maps to something.
    pub fn wait_for<T>(&mut self, what: &str, mut wanted: impl FnMut(&Value) -> Option<T>) -> Result<T> {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            let log = self.log.clone();
            let line = self.process()?.wait_for(what, |line| Some(line.to_owned()));
            let line = line.with_context(|| std::fs::read_to_string(log).unwrap_or_default())?;
            let from = self.keep(&[line]);
            if let Some(found) = self.lines[from..].iter().find_map(&mut wanted) {
                return Ok(found);
            }
        }
        bail!("waited {PATIENCE:?} for {what}")
    }

    /// The next event of this kind.
    pub fn event(&mut self, kind: &str) -> Result<Value> {
        self.wait_for(kind, |line| (line["event"] == kind).then(|| line.clone()))
    }

    /// Types a code, and waits until it is judged or said to be unrecordable.
    pub fn scan(&mut self, text: &str) -> Result<Value> {
        self.type_code(text);
        self.wait_for("a verdict", |line| {
            (line["outcome"].is_string() || line["event"] == "cannot_record").then(|| line.clone())
        })
    }

    /// SIGKILL. What it had said by then is kept.
    pub fn kill(&mut self) -> Result<()> {
        let lines = self.process.take().context("the handheld does not run")?.kill_and_read()?;
        self.keep(&lines);
        Ok(())
    }

    /// Whether it dies by itself, now or within `time`.
    pub fn ends_within(&mut self, time: Duration) -> Result<bool> {
        let until = Instant::now() + time;
        let id = self.process()?.id();
        loop {
            let status = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
            if status.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('Z')) {
                return Ok(true);
            }
            if Instant::now() >= until {
                return Ok(false);
            }
            self.listen(Duration::from_millis(5));
        }
    }

    /// How many threads it has.
    pub fn threads(&mut self) -> Result<usize> {
        Ok(std::fs::read_dir(format!("/proc/{}/task", self.process()?.id()))?.count())
    }

    /// Every verdict line so far.
    pub fn verdicts(&self) -> impl Iterator<Item = &Value> {
        self.lines.iter().filter(|line| line["outcome"].is_string())
    }

    /// The rows of its journal, by its own command, which checks chain and signatures; and the summary.
    pub fn journal(&self) -> Result<(Vec<Value>, Value)> {
        let mut command = program("scanner-app")?;
        command.args(["journal", "--json", "--data"]).arg(&self.data);
        let printed = run(command)?;
        let mut rows: Vec<Value> = printed.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        let summary = rows.pop().context("the journal prints nothing")?["summary"].clone();
        ensure!(summary["chain"] == "whole" && summary["rows"] == rows.len(), "the journal: {summary}");
        Ok((rows, summary))
    }

    /// Each verdict that was shown has its row, each row was shown, and none was shown twice but marked. Returns the rows.
    pub fn check_verdicts(&self) -> Result<Vec<Value>> {
        let (rows, _) = self.journal()?;
        let mut shown = vec![(0, 0); rows.len() + 1];
        for verdict in self.verdicts() {
            let seq = verdict["seq"].as_u64().context("a verdict without its row's number")? as usize;
            let row = rows.get(seq.wrapping_sub(1)).with_context(|| format!("shown without its row: {verdict}"))?;
            for field in ["seq", "outcome", "reason", "ticket", "serial", "at_ms"] {
                ensure!(row[field] == verdict[field], "{field} was shown as {verdict} and recorded as {row}");
            }
            let (fresh, again) = &mut shown[seq];
            *if verdict["recalled"] == true { again } else { fresh } += 1;
        }
        for (seq, (fresh, again)) in shown.iter().enumerate().skip(1) {
            ensure!(fresh + again > 0, "row {seq} was never shown: {}", rows[seq - 1]);
            ensure!(*fresh <= 1, "row {seq} was shown {fresh} times without a mark: {}", rows[seq - 1]);
        }
        Ok(rows)
    }
}
