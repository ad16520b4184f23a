//! Lines for machines: one JSON object a line, each flushed at once, since somebody waits for it.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

use crate::core::report::Report;

/// Where lines go.
pub struct Output {
    sink: Option<Box<dyn Write + Send>>,
}

impl Output {
    /// Nowhere.
    pub fn none() -> Self {
        Output { sink: None }
    }

    pub fn stdout() -> Self {
        Output { sink: Some(Box::new(io::stdout())) }
    }

    /// Appends to a file; `-` is standard output.
    pub fn open(path: &Path) -> io::Result<Self> {
        if path == Path::new("-") {
            return Ok(Output::stdout());
        }
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Output { sink: Some(Box::new(file)) })
    }

    /// Anything that takes bytes, for tests.
    pub fn to(sink: Box<dyn Write + Send>) -> Self {
        Output { sink: Some(sink) }
    }

    /// Writes a line. When nobody reads any more, that is said once and the gate goes on.
    pub fn line(&mut self, report: &Report) {
        let Some(sink) = &mut self.sink else { return };
        let line = format!("{}\n", report.to_line());
        if let Err(error) = sink.write_all(line.as_bytes()).and_then(|()| sink.flush()) {
            tracing::warn!(%error, "nobody reads the event lines any more; no more are written");
            self.sink = None;
        }
    }
}
