//! A child process whose output lines can be waited for, and which never outlives its owner.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// How long anything in a test may take before it counts as failed.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The folder that cargo builds programs into.
pub fn programs() -> Result<PathBuf> {
    let own = std::env::current_exe().context("where this program is")?;
    let folder =
        own.parent().filter(|folder| !folder.ends_with("deps")).or(own.parent().and_then(|deps| deps.parent()));
    Ok(folder.context("this program lies in no folder")?.to_path_buf())
}

/// A command for one of our programs.
pub fn program(name: &str) -> Result<Command> {
    let path = programs()?.join(name);
    if !path.exists() {
        bail!("{} is not built; run `make test` or `make demo`, which build it first", path.display());
    }
    Ok(Command::new(path))
}

/// The same command in a network namespace.
pub fn inside(namespace: &str, command: &Command) -> Command {
    let mut inside = Command::new("ip");
    inside.args(["netns", "exec", namespace]).arg(command.get_program()).args(command.get_args());
    inside.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    inside
}

/// A running process.
pub struct Process {
    name: String,
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Process {
    /// Starts `command`; `name` stands in messages. What it writes to stderr goes to `stderr`.
    pub fn start(name: &str, mut command: Command, stderr: Stdio) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .with_context(|| format!("{name} could not be started"))?;
        let output = child.stdout.take().context("the process has no output")?;
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Process { name: name.to_owned(), child, lines, seen: Vec::new() })
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn stdin(&mut self) -> Result<&mut ChildStdin> {
        self.child.stdin.as_mut().context("the process has no input")
    }

    /// The next line that `wanted` maps to something. Lines before it are passed over.
    pub fn wait_for<T>(&mut self, what: &str, mut wanted: impl FnMut(&str) -> Option<T>) -> Result<T> {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    let found = wanted(&line);
                    self.seen.push(line);
                    if let Some(found) = found {
                        return Ok(found);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    bail!("{}: waited {PATIENCE:?} for {what}; it said:\n{}", self.name, self.tail())
                }
                Err(RecvTimeoutError::Disconnected) => {
                    bail!("{} ended while we waited for {what}; it said:\n{}", self.name, self.tail())
                }
            }
        }
    }

    /// Lines that came and were not waited for.
    pub fn drain(&mut self) -> Vec<String> {
        let lines: Vec<String> = self.lines.try_iter().collect();
        self.seen.extend(lines.iter().cloned());
        lines
    }

    /// Waits until it has ended by itself, and returns all lines that it still had to say.
    pub fn wait_until_ended(&mut self) -> Result<(std::process::ExitStatus, Vec<String>)> {
        let mut rest = Vec::new();
        let until = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => rest.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => bail!("{} did not end within {PATIENCE:?}", self.name),
            }
        }
        self.seen.extend(rest.iter().cloned());
        Ok((self.child.wait()?, rest))
    }

    /// Closes its input and waits until it has put its own house in order: a browser's script ends its browser.
    pub fn end(&mut self) -> Result<()> {
        drop(self.child.stdin.take());
        self.wait_until_ended().map(|_| ())
    }

    /// Lines up to the first for which `last` holds, or until then; none once it has ended.
    pub fn lines_until(&mut self, until: Instant, last: impl Fn(&str) -> bool) -> Vec<String> {
        let mut lines = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            let is_last = last(&line);
            lines.push(line);
            if is_last {
                break;
            }
        }
        self.seen.extend(lines.iter().cloned());
        lines
    }

    /// Lines that come within `time`; all of them, whether or not somebody waits for more.
    pub fn lines_within(&mut self, time: Duration) -> Vec<String> {
        let until = Instant::now() + time;
        let mut lines = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            lines.push(line);
        }
        self.seen.extend(lines.iter().cloned());
        lines
    }

    /// SIGKILL, and every line that it had written by then.
    pub fn kill_and_read(mut self) -> Result<Vec<String>> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(self.lines.iter().collect())
    }

    /// SIGKILL: no chance to write anything.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    fn tail(&self) -> String {
        let from = self.seen.len().saturating_sub(12);
        self.seen[from..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
