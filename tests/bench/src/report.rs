//! What was measured, beside what was promised: samples, percentiles, and the table.
//!
//! Invariant: no sample is left out. Percentiles are nearest-rank over everything that was measured after the warm-up.

use std::time::Duration;

use serde_json::{Value, json};

/// Durations of one step, each measured on its own.
#[derive(Debug, Clone, Default)]
pub struct Samples(Vec<Duration>);

impl Samples {
    pub fn push(&mut self, took: Duration) {
        self.0.push(took);
    }

    pub fn extend(&mut self, other: &Samples) {
        self.0.extend_from_slice(&other.0);
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The smallest sample that at least `percent` of them do not exceed; zero of nothing.
    pub fn percentile(&self, percent: usize) -> Duration {
        percentile(&self.sorted(), percent)
    }

    fn sorted(&self) -> Vec<Duration> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        sorted
    }
}

/// The smallest value that at least `percent` of `sorted` do not exceed; zero of nothing.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

/// A length of time's unit in the table.
#[derive(Debug, Clone, Copy)]
pub enum Unit {
    Microseconds,
    Milliseconds,
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Unit::Microseconds => "us",
            Unit::Milliseconds => "ms",
        }
    }

    fn of(self, time: Duration) -> f64 {
        match self {
            Unit::Microseconds => time.as_secs_f64() * 1e6,
            Unit::Milliseconds => time.as_secs_f64() * 1e3,
        }
    }
}

/// What a line says.
#[derive(Debug, Clone)]
enum Content {
    /// A step that was measured many times; `goal` bounds its p99.
    Spread { unit: Unit, samples: Samples, goal: Option<Duration> },
    /// One number; `goal` is the most that it may be.
    Figure { value: f64, unit: &'static str, goal: Option<f64> },
}

/// One line of the table.
#[derive(Debug, Clone)]
pub struct Line {
    name: String,
    content: Content,
}

/// One bench's result.
#[derive(Debug, Clone, Default)]
pub struct Section {
    pub title: String,
    pub lines: Vec<Line>,
    /// What a reader must know to believe the lines: conditions, shares, what was left out.
    pub notes: Vec<String>,
}

impl Section {
    pub fn new(title: impl Into<String>) -> Self {
        Section { title: title.into(), ..Section::default() }
    }

    pub fn spread(&mut self, name: impl Into<String>, unit: Unit, samples: &Samples, goal: Option<Duration>) {
        let content = Content::Spread { unit, samples: samples.clone(), goal };
        self.lines.push(Line { name: name.into(), content });
    }

    pub fn figure(&mut self, name: impl Into<String>, value: f64, unit: &'static str, goal: Option<f64>) {
        self.lines.push(Line { name: name.into(), content: Content::Figure { value, unit, goal } });
    }

    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// How many goals there are and how many were met.
    pub fn goals(&self) -> (usize, usize) {
        let met: Vec<bool> = self.lines.iter().filter_map(Line::met).collect();
        (met.len(), met.iter().filter(|met| **met).count())
    }

    pub fn print(&self) {
        println!("\n{}", self.title);
        println!("  {:<66} {:>7} {:>10} {:>10} {:>10}  goal", "", "n", "p50", "p99", "worst");
        for line in &self.lines {
            println!("  {}", line.text());
        }
        for note in &self.notes {
            println!("  - {note}");
        }
    }

    pub fn json(&self) -> Value {
        let lines: Vec<Value> = self.lines.iter().map(Line::json).collect();
        json!({ "title": self.title, "lines": lines, "notes": self.notes })
    }
}

impl Line {
    fn met(&self) -> Option<bool> {
        match &self.content {
            Content::Spread { samples, goal, .. } => goal.map(|goal| percentile(&samples.sorted(), 99) <= goal),
            Content::Figure { value, goal, .. } => goal.map(|goal| *value <= goal),
        }
    }

    fn verdict(&self) -> &'static str {
        match self.met() {
            Some(true) => "met",
            Some(false) => "MISSED",
            None => "",
        }
    }

    fn text(&self) -> String {
        match &self.content {
            Content::Spread { unit, samples, goal } => {
                let sorted = samples.sorted();
                let name = format!("{} ({})", self.name, unit.name());
                let digits = if matches!(unit, Unit::Microseconds) { 1 } else { 2 };
                let shown = |percent| format!("{:.digits$}", unit.of(percentile(&sorted, percent)));
                let goal = goal.map(|goal| format!("p99 <= {} {}  ", unit.of(goal), unit.name())).unwrap_or_default();
                let (p50, p99, worst) = (shown(50), shown(99), shown(100));
                format!("{name:<66} {:>7} {p50:>10} {p99:>10} {worst:>10}  {goal}{}", sorted.len(), self.verdict())
            }
            Content::Figure { value, unit, goal } => {
                let shown = |value: f64| {
                    if unit.is_empty() || *unit == "bytes" { grouped(value) } else { format!("{value:.2}") }
                };
                let name =
                    format!("{}{}", self.name, if unit.is_empty() { String::new() } else { format!(" ({unit})") });
                let goal = goal
                    .map(|goal| {
                        format!("<= {} {unit}  ", if goal.fract() > 0.0 { goal.to_string() } else { grouped(goal) })
                    })
                    .unwrap_or_default();
                format!("{name:<66} {:>40}  {goal}{}", shown(*value), self.verdict())
            }
        }
    }

    fn json(&self) -> Value {
        match &self.content {
            Content::Spread { unit, samples, goal } => {
                let sorted = samples.sorted();
                let at = |percent| unit.of(percentile(&sorted, percent));
                json!({
                    "name": self.name, "unit": unit.name(), "n": sorted.len(), "p50": at(50), "p99": at(99),
                    "worst": at(100), "goal_p99_max": goal.map(|goal| unit.of(goal)), "met": self.met(),
                })
            }
            Content::Figure { value, unit, goal } => {
                json!({ "name": self.name, "unit": unit, "value": value, "goal_max": goal, "met": self.met() })
            }
        }
    }
}

/// A whole number in groups of three digits.
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_rank_and_leave_nothing_out() {
        let sorted: Vec<Duration> = (1..=200).map(Duration::from_millis).collect();
        let ms = |percent| percentile(&sorted, percent).as_millis();
        assert_eq!((ms(50), ms(99), ms(100)), (100, 198, 200));
        assert_eq!(percentile(&sorted[..1], 99).as_millis(), 1);
        assert_eq!(percentile(&[], 99), Duration::ZERO);
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(grouped(5_000_000.0), "5,000,000");
        assert_eq!(grouped(999.0), "999");
    }

    #[test]
    fn a_missed_goal_is_said() {
        let mut section = Section::new("t");
        section.figure("bytes", 61_000.0, "bytes", Some(60_000.0));
        section.figure("bytes", 60_000.0, "bytes", Some(60_000.0));
        section.figure("bytes", 1.0, "bytes", None);
        assert_eq!(section.goals(), (2, 1));
        assert!(section.lines[0].text().contains("MISSED"));
    }
}
