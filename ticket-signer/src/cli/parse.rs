//! Words of the command line and of JSON files: times, event ranges, keys.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer};
use ticket_signer::{EventId, EventRange, HolderAlgorithm, HolderKey, TicketId};

/// A moment in unix seconds, within what the formats can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(pub u32);

impl Moment {
    pub fn seconds(self) -> i64 {
        i64::from(self.0)
    }
}

impl<'de> Deserialize<'de> for Moment {
    /// In JSON: a text as on the command line, or a number of unix seconds.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        };
        moment(&text).map_err(serde::de::Error::custom)
    }
}

/// RFC 3339 or unix seconds.
pub fn moment(text: &str) -> Result<Moment, String> {
    let seconds = if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse::<i64>().ok()
    } else {
        text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second)
    };
    let seconds = seconds.ok_or("write a time as 2026-08-01T18:00:00Z or as unix seconds")?;
    u32::try_from(seconds).map(Moment).map_err(|_| "a ticket's times lie between 1970 and 2106".to_owned())
}

/// Unix seconds for people.
pub fn show_moment(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |moment| format!("{moment} ({seconds})"))
}

/// `1-10,15`: in any order; what touches is joined, for a certificate has one spelling.
pub fn event_ranges(text: &str) -> Result<Events, String> {
    let mut ranges = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let id = |text: &str| text.trim().parse::<EventId>().map_err(|error| error.to_string());
        let (first, last) = (id(first)?, id(last)?);
        if first > last {
            return Err(format!("`{}` ends before it begins", part.trim()));
        }
        ranges.push(EventRange { first, last });
    }
    ranges.sort_by_key(|range| range.first);
    let mut joined: Vec<EventRange> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if u64::from(range.first.0) <= u64::from(last.last.0) + 1 => {
                last.last = last.last.max(range.last)
            }
            _ => joined.push(range),
        }
    }
    if joined.len() > 16 {
        Err("a certificate names at most 16 ranges of events".to_owned())
    } else {
        Ok(Events(joined))
    }
}

/// Ranges of event ids, ascending and apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Events(pub Vec<EventRange>);

pub fn show_events(ranges: &[EventRange]) -> String {
    let show = |range: &EventRange| {
        if range.first == range.last { range.first.to_string() } else { format!("{}-{}", range.first, range.last) }
    };
    ranges.iter().map(show).collect::<Vec<_>>().join(",")
}

pub fn ticket_id(text: &str) -> Result<TicketId, String> {
    text.parse().map_err(|error: ticket_signer::ids::IdError| error.to_string())
}

fn algorithm(name: &str) -> Option<HolderAlgorithm> {
    [HolderAlgorithm::None, HolderAlgorithm::Ed25519, HolderAlgorithm::P256].into_iter().find(|a| a.name() == name)
}

/// A holder's key as JSON names it: both or neither; none is the printed class.
pub fn holder(name: Option<&str>, key: Option<&str>) -> Result<Option<HolderKey>, String> {
    let (name, key) = match (name, key) {
        (None | Some("none"), None) => return Ok(None),
        (Some(name), Some(key)) => (name, key),
        _ => return Err("`algorithm` and `holder_key` go together".to_owned()),
    };
    let algorithm = algorithm(name).ok_or("`algorithm` must be ed25519, p256 or none")?;
    let bytes = base64url(key).ok_or("`holder_key` must be base64url without padding")?;
    HolderKey::from_public_bytes(algorithm, &bytes).map(Some).map_err(|error| error.to_string())
}

pub fn base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

pub fn to_base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The public key as JSON writes it: 32 bytes for Ed25519, 33 for P-256, in base64url.
pub fn show_holder_key(key: &HolderKey) -> String {
    let slot = key.to_slot();
    to_base64url(if key.algorithm() == HolderAlgorithm::Ed25519 { &slot[1..] } else { &slot })
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339_or_unix_seconds() {
        assert_eq!(moment("1790000000"), Ok(Moment(1_790_000_000)));
        assert_eq!(moment("1970-01-01T00:00:01Z"), Ok(Moment(1)));
        assert_eq!(moment("1970-01-01T02:00:00+02:00"), Ok(Moment(0)));
        for wrong in ["", "-1", "tomorrow", "1969-12-31T23:59:59Z", "4294967296", "2026-08-01"] {
            assert!(moment(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn event_ranges_are_sorted_and_joined() {
        let shown = |text: &str| event_ranges(text).map(|events| show_events(&events.0));
        assert_eq!(shown("1-10,15"), Ok("1-10,15".into()));
        assert_eq!(shown("15, 6-10,1-5"), Ok("1-10,15".into()));
        assert_eq!(shown("0-4294967295,7"), Ok("0-4294967295".into()));
        for wrong in ["", "5-1", "a", "1-", "1,,2", "1-2-3"] {
            assert!(event_ranges(wrong).is_err(), "{wrong}");
        }
        let many = (0..17).map(|at| (at * 10).to_string()).collect::<Vec<_>>().join(",");
        assert!(event_ranges(&many).is_err());
    }
}
