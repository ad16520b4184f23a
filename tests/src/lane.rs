//! A lane: a real handheld process that reads frames painted for it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use scanner_app::core::decode::raw::PixelFormat;
use scanner_app::shell::camera::frames;
use serde_json::Value;

use crate::guest::now_s;
use crate::painter::{Picture, View};
use crate::process::{Process, program};

/// A handheld's folder and process.
pub struct Lane {
    pub name: String,
    folder: PathBuf,
    screenshots: Option<PathBuf>,
    window: bool,
    painted: u32,
    /// Where a picture of every hard frame is left for people.
    gallery: Option<PathBuf>,
    process: Option<Process>,
    verdicts: Vec<Value>,
    /// Conflicts that were told while something else was waited for: they may come at any time.
    conflicts: Vec<Value>,
}

impl Lane {
    /// `window`: show a real window and save its pictures to `screenshots`.
    pub fn new(name: &str, folder: &Path, window: bool, screenshots: Option<PathBuf>) -> Result<Self> {
        std::fs::create_dir_all(folder.join("frames"))?;
        let name = name.to_owned();
        let folder = folder.to_path_buf();
        Ok(Lane {
            name,
            folder,
            screenshots,
            window,
            painted: 0,
            gallery: None,
            process: None,
            verdicts: Vec::new(),
            conflicts: Vec::new(),
        })
    }

    /// From now on leaves a PNG of every hard frame in this folder.
    pub fn keep_hard_frames(&mut self, folder: PathBuf) -> Result<()> {
        std::fs::create_dir_all(&folder)?;
        self.gallery = Some(folder);
        Ok(())
    }

    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Starts the handheld; `environment` is for crash points.
    pub fn start(&mut self, environment: &[(&str, &str)]) -> Result<()> {
        // The player begins with the oldest file of its folder, and what was shown before is not shown again.
        let frames = self.folder.join("frames");
        std::fs::remove_dir_all(&frames)?;
        std::fs::create_dir_all(&frames)?;
        let mut command = program("scanner-app")?;
        command.arg("--data").arg(self.data()).args(["--name", &self.name]);
        command.arg("--source").arg(format!("frames:{}", self.folder.join("frames").display()));
        if self.window {
            command.args(["--events", "-"]);
            command.env("SLINT_BACKEND", "winit-software");
            if let Some(folder) = &self.screenshots {
                command.arg("--screenshots").arg(folder);
            }
        } else {
            command.arg("--headless");
        }
        command.envs(environment.iter().copied());
        let log = File::options().create(true).append(true).open(self.folder.join("handheld.log"))?;
        self.process = Some(Process::start(&self.name, command, Stdio::from(log))?);
        Ok(())
    }

    pub fn process(&mut self) -> Result<&mut Process> {
        self.process.as_mut().context("the handheld does not run")
    }

    pub fn kill(&mut self) -> Result<()> {
        self.process.take().context("the handheld does not run")?.kill()
    }

    /// Waits until a crash point has ended the process, and returns the verdicts that it still showed.
    pub fn wait_for_crash(&mut self) -> Result<Vec<Value>> {
        let (status, lines) = self.process()?.wait_until_ended()?;
        self.process = None;
        ensure!(!status.success(), "{} was to be killed and ended well", self.name);
        Ok(lines.iter().filter_map(|line| json(line)).filter(is_verdict).collect())
    }

    /// Holds `text` in front of the camera: one frame, 640x480, in the next of the views that lanes have. Says in which.
    pub fn show(&mut self, text: &str) -> Result<View> {
        let view = View::nth(self.painted as usize);
        let seed =
            self.name.bytes().fold(u64::from(self.painted), |seed, byte| seed.wrapping_mul(257) ^ u64::from(byte));
        let picture = view.paint(text, 640, 480, seed)?;
        self.show_picture(&picture)?;
        if let Some(folder) = self.gallery.as_ref().filter(|_| view.is_hard()) {
            let words = format!("{} {:02} {view}", self.name, self.painted).to_lowercase();
            let words: Vec<_> = words.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()).collect();
            std::fs::write(folder.join(format!("{}.png", words.join("-"))), picture.png()?)?;
        }
        Ok(view)
    }

    pub fn show_picture(&mut self, picture: &Picture) -> Result<()> {
        let formats = [PixelFormat::Yuyv, PixelFormat::Nv12, PixelFormat::Mjpeg];
        let format = formats[self.painted as usize % formats.len()];
        self.painted += 1;
        let frame = picture.encode(format, 0, now_s() * 1000)?;
        frames::write(&self.folder.join("frames"), &format!("{:06}", self.painted), &frame)?;
        Ok(())
    }

    /// Holds `text` in front of the camera and waits for the verdict about it.
    pub fn scan(&mut self, text: &str) -> Result<Value> {
        self.show(text)?;
        self.verdict()
    }

    /// The next verdict.
    pub fn verdict(&mut self) -> Result<Value> {
        let verdict = self.process()?.wait_for("a verdict", |line| json(line).filter(is_verdict))?;
        self.verdicts.push(verdict.clone());
        Ok(verdict)
    }

    /// Waits for an event line of this kind for which `wanted` holds.
    pub fn event(&mut self, kind: &str, mut wanted: impl FnMut(&Value) -> bool) -> Result<Value> {
        if kind == "conflict"
            && let Some(at) = self.conflicts.iter().position(&mut wanted)
        {
            return Ok(self.conflicts.remove(at));
        }
        let process = self.process.as_mut().context("the handheld does not run")?;
        let conflicts = &mut self.conflicts;
        process.wait_for(&format!("the event \"{kind}\""), |line| {
            let value = json(line)?;
            if value["event"] == kind && wanted(&value) {
                return Some(value);
            }
            if value["event"] == "conflict" {
                conflicts.push(value);
            }
            None
        })
    }

    /// Frame to durable verdict of every scan so far, in microseconds.
    pub fn latencies_us(&self) -> Vec<u64> {
        self.verdicts.iter().filter_map(|verdict| verdict["latency_us"].as_u64()).collect()
    }
}

fn json(line: &str) -> Option<Value> {
    serde_json::from_str(line).ok()
}

fn is_verdict(value: &Value) -> bool {
    value["outcome"].is_string()
}
