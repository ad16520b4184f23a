//! The rules of the catalog. Pure.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::model::{CatalogError, Lane, LaneRules, NewClass, NewEvent, Partition, PolicyRules, UnlistedPrinted};

/// The most lanes of an event: what a signed policy may name.
pub const MAX_LANES: usize = 1_024;
/// The last second that a credential can name (2106).
const LAST_SECOND: i64 = u32::MAX as i64;
/// Class flags with a meaning; the others must be zero, as in a credential.
const KNOWN_FLAGS: u8 = 1;
/// Codes fresh for longer than ten minutes would not be fresh.
const MAX_FRESHNESS_STEPS: u32 = 40;
const MAX_HOLD_OFF_MS: u32 = 60_000;
const MAX_LEASE_HOURS: u32 = 7 * 24;
const MAX_HOME_GROUPS: u16 = 64;
/// How long handhelds keep receipted rows where nobody says otherwise.
pub const KEEP_ROWS_DAYS: u32 = 30;
const MAX_KEEP_ROWS_DAYS: u32 = 3_660;
/// What a signed policy may hold of a lane, and a handheld's screen has room for.
const MAX_QUESTIONS: usize = 5;
const MAX_QUESTION_BYTES: usize = 120;

fn invalid(field: &'static str, detail: impl Into<String>) -> CatalogError {
    CatalogError::Invalid { field, detail: detail.into() }
}

pub fn check_name(field: &'static str, name: &str) -> Result<(), CatalogError> {
    let length = name.chars().count();
    if length == 0 || name.trim().is_empty() {
        return Err(invalid(field, format!("`{field}` is empty; write what people call it.")));
    }
    if length > 100 {
        return Err(invalid(
            field,
            format!("`{field}` has {length} characters; 100 are allowed, since it must fit a screen."),
        ));
    }
    if name.trim() != name || name.chars().any(char::is_control) {
        return Err(invalid(field, format!("`{field}` begins or ends with a space, or holds a control character.")));
    }
    Ok(())
}

/// The time zone's name as the database spells it.
pub fn check_time_zone(name: &str) -> Result<String, CatalogError> {
    let zone = jiff::tz::TimeZone::get(name).ok();
    zone.as_ref().and_then(|zone| zone.iana_name()).map(str::to_owned).ok_or_else(|| {
        invalid(
            "time_zone",
            "`time_zone` is not a name of the IANA time zone database; write it like Europe/Vienna or Asia/Kolkata.",
        )
    })
}

fn check_span(from: (&'static str, i64), until: (&'static str, i64)) -> Result<(), CatalogError> {
    for (field, at_ms) in [from, until] {
        if at_ms % 1_000 != 0 || !(0..=LAST_SECOND).contains(&(at_ms / 1_000)) {
            return Err(invalid(
                field,
                format!(
                    "`{field}` is not a whole second between 1970 and 2106, in unix milliseconds (a multiple of 1000)."
                ),
            ));
        }
    }
    if from.1 >= until.1 {
        return Err(invalid(until.0, format!("`{}` must be later than `{}`.", until.0, from.0)));
    }
    Ok(())
}

pub fn check_new_event(new: &NewEvent) -> Result<(), CatalogError> {
    check_name("name", &new.name)?;
    if new.id == Some(0) {
        return Err(invalid("id", "`id` is 0; event ids begin at 1."));
    }
    check_span(("starts_at_ms", new.starts_at_ms), ("ends_at_ms", new.ends_at_ms))
}

/// The id, when the issue certificate names it.
pub fn check_certified(id: u32, allowed: &[RangeInclusive<u32>]) -> Result<u32, CatalogError> {
    if allowed.iter().any(|range| range.contains(&id)) {
        return Ok(id);
    }
    let named = allowed.iter().map(|range| match (range.start(), range.end()) {
        (first, last) if first == last => first.to_string(),
        (first, last) => format!("{first} to {last}"),
    });
    let named = named.collect::<Vec<_>>().join(", ");
    Err(CatalogError::EventNotCertified { id, named: if named.is_empty() { "none".into() } else { named } })
}

/// The lowest id of the ranges that is not taken. Zero is no id.
pub fn lowest_free(allowed: &[RangeInclusive<u32>], taken: &BTreeSet<u32>) -> Option<u32> {
    // Among any `taken.len() + 2` different ids there is a free one that is not zero, so this ends early.
    allowed.iter().flat_map(|range| range.clone().take(taken.len() + 2)).find(|id| *id != 0 && !taken.contains(id))
}

pub fn check_lane_count(present: usize) -> Result<(), CatalogError> {
    if present < MAX_LANES { Ok(()) } else { Err(CatalogError::TooMany { what: "lanes", most: MAX_LANES }) }
}

pub fn check_new_class(new: &NewClass) -> Result<(), CatalogError> {
    check_name("name", &new.name)?;
    if new.admissions == 0 {
        return Err(invalid("admissions", "`admissions` is 0; a ticket is for 1 to 255 admissions."));
    }
    if new.flags & !KNOWN_FLAGS != 0 {
        return Err(invalid(
            "flags",
            "`flags` has a bit without a meaning; 0 is for none, 1 asks staff to check an entitlement.",
        ));
    }
    check_span(("valid_from_ms", new.valid_from_ms), ("valid_until_ms", new.valid_until_ms))
}

/// What holds where nobody has put a policy: one home group per entrance, all classes at all lanes, nothing printed.
pub fn default_policy(lanes: &[Lane]) -> PolicyRules {
    let entrances: BTreeSet<u32> = lanes.iter().map(|lane| lane.entrance_id).collect();
    let home_groups = u16::try_from(entrances.len()).unwrap_or(MAX_HOME_GROUPS).clamp(1, MAX_HOME_GROUPS);
    let mut rules = PolicyRules {
        partition: Partition::default(),
        class_partitions: Vec::new(),
        freshness_steps: 2,
        printed_classes: Vec::new(),
        unlisted_printed: UnlistedPrinted::default(),
        hold_off_ms: 5_000,
        lease_hours: 12,
        keep_rows_days: KEEP_ROWS_DAYS,
        home_groups,
        lanes: Vec::new(),
    };
    add_missing_lanes(&mut rules, lanes);
    rules
}

/// Gives the lanes that the rules don't name the default: all classes, and the home group of their entrance.
pub fn add_missing_lanes(rules: &mut PolicyRules, lanes: &[Lane]) {
    let entrances: BTreeSet<u32> = lanes.iter().map(|lane| lane.entrance_id).collect();
    for lane in lanes {
        if rules.lanes.iter().any(|known| known.lane_id == lane.id) {
            continue;
        }
        let rank = entrances.iter().take_while(|entrance| **entrance < lane.entrance_id).count();
        let home_group = u16::try_from(rank % usize::from(rules.home_groups.max(1))).unwrap_or(0);
        rules.lanes.push(LaneRules { lane_id: lane.id, home_group, ..LaneRules::default() });
    }
    rules.lanes.sort_by_key(|lane| lane.lane_id);
}

/// Whether the rules lie within their bounds and name only lanes and classes of the event, each once.
pub fn check_policy(rules: &PolicyRules, lanes: &[u32], classes: &[u16]) -> Result<(), CatalogError> {
    let bounds = [
        ("freshness_steps", u64::from(rules.freshness_steps), 0, u64::from(MAX_FRESHNESS_STEPS)),
        ("hold_off_ms", u64::from(rules.hold_off_ms), 0, u64::from(MAX_HOLD_OFF_MS)),
        ("lease_hours", u64::from(rules.lease_hours), 1, u64::from(MAX_LEASE_HOURS)),
        ("keep_rows_days", u64::from(rules.keep_rows_days), 0, u64::from(MAX_KEEP_ROWS_DAYS)),
        ("home_groups", u64::from(rules.home_groups), 1, u64::from(MAX_HOME_GROUPS)),
    ];
    for (field, value, least, most) in bounds {
        if !(least..=most).contains(&value) {
            return Err(invalid(field, format!("`{field}` is {value}; it must lie between {least} and {most}.")));
        }
    }
    let overridden: Vec<u16> = rules.class_partitions.iter().map(|(class, _)| *class).collect();
    check_classes("printed_classes", &rules.printed_classes, classes)?;
    check_classes("class_partitions", &overridden, classes)?;
    let mut seen = BTreeSet::new();
    for lane in &rules.lanes {
        if !lanes.contains(&lane.lane_id) {
            return Err(invalid(
                "lanes",
                format!("`lanes` names the lane {}, which this event does not have.", lane.lane_id),
            ));
        }
        if !seen.insert(lane.lane_id) {
            return Err(invalid("lanes", format!("`lanes` names the lane {} twice.", lane.lane_id)));
        }
        if lane.home_group >= rules.home_groups {
            return Err(invalid(
                "lanes",
                format!(
                    "The lane {} is in home group {}, but there are only {} (counted from 0).",
                    lane.lane_id, lane.home_group, rules.home_groups
                ),
            ));
        }
        check_classes("lanes", &lane.classes, classes)?;
        check_questions(lane)?;
    }
    Ok(())
}

fn check_questions(lane: &LaneRules) -> Result<(), CatalogError> {
    let id = lane.lane_id;
    if lane.questions.len() > MAX_QUESTIONS {
        let found = lane.questions.len();
        let detail = format!("The lane {id} asks {found} questions; {MAX_QUESTIONS} are allowed, since guests wait.");
        return Err(invalid("lanes", detail));
    }
    let mut seen = BTreeSet::new();
    for question in &lane.questions {
        let bytes = question.len();
        let wrong = if question.trim().is_empty() {
            "asks an empty question; write what staff should ask or leave it out.".to_owned()
        } else if bytes > MAX_QUESTION_BYTES {
            format!("asks a question of {bytes} bytes; {MAX_QUESTION_BYTES} are allowed, since it must fit a screen.")
        } else if question.trim() != question || question.chars().any(char::is_control) {
            "asks a question that begins or ends with a space, or holds a control character.".to_owned()
        } else if !seen.insert(question) {
            format!("asks \"{question}\" twice.")
        } else {
            continue;
        };
        return Err(invalid("lanes", format!("The lane {id} {wrong}")));
    }
    Ok(())
}

fn check_classes(field: &'static str, named: &[u16], classes: &[u16]) -> Result<(), CatalogError> {
    let mut seen = BTreeSet::new();
    for class in named {
        if !classes.contains(class) {
            return Err(invalid(field, format!("`{field}` names the class {class}, which this event does not have.")));
        }
        if !seen.insert(class) {
            return Err(invalid(field, format!("`{field}` names the class {class} twice.")));
        }
    }
    Ok(())
}
