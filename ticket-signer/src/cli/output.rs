//! What a command says: text for people, or one JSON object.

use std::io::Write as _;

use serde_json::{Value, json};

use super::failure::{Failure, Result};

pub struct Output {
    json: bool,
}

impl Output {
    pub fn new(json: bool) -> Self {
        Output { json }
    }

    /// Writes the text for people, or the value for programs.
    pub fn say(&self, text: &str, value: &Value) -> Result<()> {
        if self.json { self.line(&value.to_string()) } else { self.line(text) }
    }

    pub fn line(&self, line: &str) -> Result<()> {
        writeln!(std::io::stdout().lock(), "{line}").map_err(Failure::Output)
    }

    /// A failure is told on standard error; with `--json` as an object on standard output instead.
    pub fn failure(&self, failure: &Failure) {
        let refused = matches!(failure, Failure::Refused { .. });
        if self.json {
            let result = if refused { "refused" } else { "error" };
            let value = json!({ "result": result, "reason": failure.reason(), "message": failure.to_string() });
            // Where standard output is gone, the exit code still says it.
            let _ = self.line(&value.to_string());
            return;
        }
        let _ = if refused {
            writeln!(std::io::stderr().lock(), "refused ({}): {failure}", failure.reason())
        } else {
            writeln!(std::io::stderr().lock(), "error: {failure}")
        };
    }

    /// Something to know that stops nothing.
    pub fn warn(&self, text: &str) {
        let _ = writeln!(std::io::stderr().lock(), "warning: {text}");
    }
}

/// A name and its value per line, the values aligned.
pub fn table(rows: &[(&str, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    rows.iter().map(|(name, value)| format!("{name:width$}  {value}")).collect::<Vec<_>>().join("\n")
}
