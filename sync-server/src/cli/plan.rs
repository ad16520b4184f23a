//! `plan`: what an organiser expects, as JSON, to how long guests will wait and what to change. Touches no data.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;

use super::{CliResult, say};
use crate::gate::planning::{self, Change, Outlook, PlanInput, Recommendation, Waits};

/// Reads the plan, plays it, and prints what comes of it.
pub fn run(file: &Path, seed: u64, as_json: bool) -> CliResult {
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("The plan {} cannot be read: {error}. Name a JSON file.", file.display()))?;
    let input: PlanInput = serde_json::from_str(&text)
        .map_err(|error| format!("The plan {} is not as it must be: {error}. See docs/planning.md.", file.display()))?;
    let plan = planning::check(&input).map_err(|error| format!("{}: {error}", file.display()))?;
    let advice = planning::recommend(&plan, seed);
    if as_json {
        let forecast = planning::simulate(&plan, seed);
        say(serde_json::json!({ "forecast": forecast, "recommendation": advice }))?;
    } else {
        say(report(&input, &advice).trim_end())?;
    }
    Ok(0)
}

/// What things are called.
struct Names {
    entrances: HashMap<u32, String>,
    lanes: HashMap<u32, String>,
    classes: HashMap<u16, String>,
}

impl Names {
    fn new(input: &PlanInput) -> Self {
        Names {
            entrances: input.entrances.iter().map(|one| (one.entrance_id, one.name.clone())).collect(),
            lanes: input.lanes.iter().map(|one| (one.lane_id, one.name.clone())).collect(),
            classes: input.classes.iter().map(|one| (one.class, one.name.clone())).collect(),
        }
    }

    fn entrance(&self, id: u32) -> &str {
        self.entrances.get(&id).map_or("?", String::as_str)
    }

    fn lane(&self, id: u32) -> &str {
        self.lanes.get(&id).map_or("?", String::as_str)
    }

    fn class(&self, id: u16) -> &str {
        self.classes.get(&id).map_or("?", String::as_str)
    }
}

fn report(input: &PlanInput, advice: &Recommendation) -> String {
    let names = Names::new(input);
    let mut out = String::new();
    outlook(&mut out, "As planned", &advice.before, &names);
    if advice.changes.is_empty() {
        out.push_str("\nNothing needs to change.\n");
    } else {
        out.push_str("\nChange:\n");
        for change in &advice.changes {
            let _ = writeln!(out, "  - {}", sentence(change, &names));
        }
        out.push('\n');
        outlook(&mut out, "With that", &advice.after, &names);
    }
    out.push('\n');
    for need in &advice.needs {
        let entrance = names.entrance(need.entrance_id);
        let _ = match need.lanes_needed {
            Some(needed) => writeln!(out, "{entrance}: {needed} lanes are needed, {} are planned.", need.lanes_planned),
            None => writeln!(out, "{entrance}: no number of lanes keeps the wanted wait."),
        };
        if !need.spare_lane_ids.is_empty() {
            let spare: Vec<&str> = need.spare_lane_ids.iter().map(|id| names.lane(*id)).collect();
            let _ = writeln!(out, "  Can stay shut: {}.", spare.join(", "));
        }
    }
    out
}

fn outlook(out: &mut String, title: &str, outlook: &Outlook, names: &Names) {
    let _ = writeln!(out, "{title}:");
    let _ = writeln!(out, "  {:<24} {:>9} {:>9} {:>9}  queue", "", "half", "95 %", "longest");
    let waits = |name: &str, waits: &Waits, queue: &str| {
        let (half, most, longest) = (span(waits.p50_s), span(waits.p95_s), span(waits.max_s));
        format!("{}\n", format!("  {name:<24} {half:>9} {most:>9} {longest:>9}  {queue}").trim_end())
    };
    out.push_str(&waits("everybody", &outlook.waits, &format!("{:.0}", outlook.longest_queue.typical)));
    for entrance in &outlook.entrances {
        let queue = format!("{:.0}", entrance.longest_queue.typical);
        if let Some(own) = &entrance.waits {
            out.push_str(&waits(names.entrance(entrance.entrance_id), own, &queue));
        }
    }
    for class in &outlook.classes {
        if let Some(own) = &class.waits {
            out.push_str(&waits(names.class(class.class), own, ""));
        }
    }
    let _ = writeln!(
        out,
        "  The last guest is in at minute {:.0}; {} of {} evenings keep the wanted wait.",
        outlook.last_in_min.typical, outlook.evenings_kept, outlook.evenings
    );
    if outlook.left_outside > 0.0 {
        let _ = writeln!(out, "  {:.0} guests find no open lane that takes them.", outlook.left_outside);
    }
}

/// A wait as people say it; some wait without end where no lane that takes them opens again.
fn span(seconds: Option<f64>) -> String {
    match seconds {
        None => "no end".to_owned(),
        Some(seconds) if seconds < 90.0 => format!("{seconds:.0} s"),
        Some(seconds) => format!("{:.1} min", seconds / 60.0),
    }
}

fn sentence(change: &Change, names: &Names) -> String {
    match change {
        Change::GiveClass { class, lane_id } => {
            format!("let {} take {} too", names.lane(*lane_id), names.class(*class))
        }
        Change::WithdrawClass { class, lane_id } => {
            format!("let {} take {} no longer", names.lane(*lane_id), names.class(*class))
        }
        Change::OpenLonger { lane_id, from_min } => {
            format!("open {} from minute {from_min:.0} and keep it open", names.lane(*lane_id))
        }
        Change::OpenLane { entrance_id, lanes, like_lane_id, from_min } => format!(
            "at {}, put up {lanes} more like {} and keep them open from minute {from_min:.0}",
            names.entrance(*entrance_id),
            names.lane(*like_lane_id)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_told_with_the_organisers_names() {
        let input: PlanInput =
            serde_json::from_str(include_str!("../gate/planning/tests/stadium.json")).expect("the example is a plan");
        let plan = planning::check(&input).expect("the example is sound");
        let told = report(&input, &planning::recommend(&plan, 1));
        for words in ["As planned:", "Main gate", "Wheelchair", "let Main 4 take Stand too", "Can stay shut: South 4."]
        {
            assert!(told.contains(words), "{words} is not in:\n{told}");
        }
    }

    #[test]
    fn waits_read_as_people_say_them() {
        let table = [(Some(0.0), "0 s"), (Some(89.4), "89 s"), (Some(90.0), "1.5 min"), (None, "no end")];
        for (seconds, told) in table {
            assert_eq!(span(seconds), told);
        }
    }
}
