//! The engine's state as the window's contents.

use gate_core::Reach;
use jiff::tz::TimeZone;

use super::{Engine, IN_VIEW_MS, Moment, OnScreen, Overlay, Phase, Place};
use crate::core::present::view::{Page, View};
use crate::core::present::{Tone, times};

/// A list of this age is worth a look, in milliseconds.
const LIST_OLD_MS: i64 = 30 * 60_000;

impl Engine {
    /// What the window shows now.
    pub fn view(&self, at: Moment) -> View {
        let place = match &self.phase {
            Phase::Placed(place) => Some(&**place),
            _ => None,
        };
        let zone = place.map_or(TimeZone::UTC, |place| place.naming.zone.clone());
        let naming = place.map(|place| &place.naming);
        let lane = naming.map_or_else(String::new, |naming| naming.lane_name(naming.lane));
        let online = self.reach(at) == Reach::Server;
        View {
            page: self.page(at),
            sequence: self.sequence,
            staff_offered: self.staff_offered(),
            group_left: self.group_left(),
            event_name: naming.map_or_else(String::new, |naming| naming.event.clone()),
            entrance: naming.map_or_else(String::new, |naming| naming.entrance(naming.lane).to_owned()),
            lane,
            clock: if place.is_some() { times::clock(at.now_ms, &zone) } else { String::new() },
            clock_doubt: place.is_some() && at.in_doubt,
            online,
            connection_text: self.connection_text(online, at),
            list_text: list_text(place, at),
            list_old: !online
                && place.and_then(|place| place.list).is_some_and(|list| at.now_ms - list.issued_at_ms > LIST_OLD_MS),
            waiting_text: waiting_text(place),
            tally_text: place
                .map_or_else(String::new, |place| format!("Admitted here: {}", grouped(place.admitted_here))),
            last_text: self.last.clone().unwrap_or_default(),
            notices: self.notices(at),
            questions: self.questions(at),
            conflicts: place.map_or_else(Vec::new, |place| place.conflicts.clone()),
            eye: self.eye.clone(),
            code_in_view: self.code_seen_ms.is_some_and(|seen| at.steady_ms - seen < IN_VIEW_MS),
            device_name: self.name.clone(),
            device_id: naming.map_or_else(String::new, |naming| naming.device.to_string()),
        }
    }

    /// What the lane asks of every guest: while it waits for one, and when one is let in.
    fn questions(&self, at: Moment) -> Vec<String> {
        let asks = match self.page(at) {
            Page::Ready => true,
            Page::Verdict(verdict) => verdict.tone() == Tone::Admit,
            _ => false,
        };
        let Phase::Placed(place) = &self.phase else { return Vec::new() };
        let policy = place.policy.as_ref().filter(|_| asks).map(|policy| policy.at(at.now_ms));
        let lane = policy.as_deref().and_then(|policy| policy.lane(place.naming.lane));
        lane.map_or_else(Vec::new, |lane| lane.questions.clone())
    }

    fn page(&self, at: Moment) -> Page {
        if let Some(staff) = self.staff_view(at) {
            return Page::Staff(Box::new(staff));
        }
        match self.overlay {
            Some(Overlay::About) => return Page::About,
            Some(Overlay::Conflicts) => return Page::Conflicts,
            None => {}
        }
        match (&self.on_screen, &self.phase) {
            (OnScreen::Verdict { verdict, .. }, _) => Page::Verdict(verdict.clone()),
            (OnScreen::Fault { message }, _) => {
                let (sentence, next_step) = message.split_once(". ").unwrap_or((message.as_str(), ""));
                Page::Fault {
                    sentence: format!("{}.", sentence.trim_end_matches('.')),
                    next_step: next_step.to_owned(),
                }
            }
            (OnScreen::Nothing, Phase::Starting) => Page::Starting { text: "Opening the journal".to_owned() },
            (OnScreen::Nothing, Phase::Unenrolled { error }) => {
                Page::Enrol { text: "Show the QR code on the supervisor's page".to_owned(), error: error.clone() }
            }
            (OnScreen::Nothing, Phase::Asking { server }) => {
                Page::Enrol { text: format!("Asking {} for a place", host(server)), error: String::new() }
            }
            (OnScreen::Nothing, Phase::Wiped { waiting }) => Page::Wiped { text: wiped_text(*waiting) },
            (OnScreen::Nothing, Phase::Pending { fingerprint, server }) => Page::Confirm {
                fingerprint: fingerprint.split('-').map(str::to_owned).collect(),
                server: host(server).to_owned(),
            },
            (OnScreen::Nothing, Phase::Placed(place)) if !self.ready => {
                let text = match (&place.policy, place.list) {
                    (None, _) => "Waiting for the organiser's policy",
                    (Some(_), None) => "Fetching the list of tickets",
                    (Some(_), Some(_)) => "Starting",
                };
                Page::Starting { text: text.to_owned() }
            }
            (OnScreen::Nothing, Phase::Placed(_)) => Page::Ready,
        }
    }

    fn connection_text(&self, online: bool, at: Moment) -> String {
        match (online, self.alone_since_ms) {
            (true, _) => "Online".to_owned(),
            (false, Some(since)) if at.steady_ms - since >= 60_000 => {
                format!("Offline for {}", times::span(at.steady_ms - since))
            }
            (false, _) => "Offline".to_owned(),
        }
    }
}

fn list_text(place: Option<&Place>, at: Moment) -> String {
    match place.map(|place| place.list) {
        None => String::new(),
        Some(None) => "No list yet".to_owned(),
        Some(Some(list)) => match at.now_ms - list.issued_at_ms {
            ..60_000 => "List up to date".to_owned(),
            age => format!("List {} old", times::span(age)),
        },
    }
}

fn wiped_text(waiting: u64) -> String {
    let scans = if waiting == 1 { "1 scan waits".to_owned() } else { format!("{} scans wait", grouped(waiting)) };
    format!(
        "The organiser had this handheld wiped. {scans} for a receipt: leave it on and connected until it asks for an \
         enrolment code."
    )
}

fn waiting_text(place: Option<&Place>) -> String {
    match place.map_or(0, |place| place.head_seq.saturating_sub(place.receipted_seq)) {
        0 => String::new(),
        1 => "1 scan waiting for receipt".to_owned(),
        count => format!("{} scans waiting for receipt", grouped(count)),
    }
}

/// `1,204`.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn host(server: &str) -> &str {
    server.strip_prefix("https://").unwrap_or(server)
}
