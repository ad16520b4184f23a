//! What lasts, in words for staff: troubles, what a supervisor decided for this lane, and that frames are being recorded.

use gate_core::passage::Direction;
use gate_core::policy::Change;
use ticket_signer::ClassId;

use super::{Engine, Moment, Phase, Place, Trouble};
use crate::core::present::times;
use crate::core::present::view::{Notice, Severity};

impl Engine {
    /// Lasting troubles, the worst first, and what staff should know is going on.
    pub(super) fn notices(&self, at: Moment) -> Vec<Notice> {
        let notice = |(kind, text): (&Trouble, &String)| Notice {
            severity: match kind {
                Trouble::Storage | Trouble::Source | Trouble::Device => Severity::Error,
                Trouble::Server | Trouble::List | Trouble::Bundle | Trouble::Rows | Trouble::Clock => Severity::Warning,
                Trouble::Recorder | Trouble::Sound => Severity::Info,
            },
            title: match kind {
                Trouble::Storage => "Storage trouble",
                Trouble::Device => "Handheld trouble",
                Trouble::Source => "No codes come in",
                Trouble::Clock => "Clock",
                Trouble::Server => "Server not reached",
                Trouble::List => "List not updated",
                Trouble::Bundle => "Keys not updated",
                Trouble::Rows => "Scans not received",
                Trouble::Recorder => "Not recording",
                Trouble::Sound => "No sound",
            },
            text: text.clone(),
        };
        // Of notices that are equally bad the first is shown in full: what a supervisor says is news, the rest staff know.
        let mut notices = match &self.phase {
            Phase::Placed(place) => decided(place, at.now_ms),
            _ => Vec::new(),
        };
        notices.extend(self.troubles.iter().map(notice));
        notices.extend(self.recording.map(|frames_max| Notice {
            severity: Severity::Info,
            title: "Recording",
            text: format!("Pictures in which no code is read are kept on this handheld, the last {frames_max} of them"),
        }));
        notices.sort_by_key(|notice| notice.severity);
        notices
    }
}

/// What supervisors said to this lane, the newest first, and decided for it. The organiser's usual rules are no news.
fn decided(place: &Place, now_ms: i64) -> Vec<Notice> {
    let Some(policy) = &place.policy else { return Vec::new() };
    let lane = place.naming.lane;
    let warning = |title, text| Notice { severity: Severity::Warning, title, text };
    let messages: Vec<_> = policy.messages_for(lane, now_ms).collect();
    let mut notices: Vec<_> =
        messages.iter().rev().map(|message| warning("From the supervisor", message.text.clone())).collect();
    let in_force = policy.at(now_ms);
    let (Some(usual), Some(rules)) = (policy.lane(lane), in_force.lane(lane)) else { return notices };
    let until = |concerns: fn(&Change) -> bool| {
        let last = policy.changes_at(lane, now_ms).rev().find(|temporary| concerns(&temporary.change));
        last.map_or_else(String::new, |last| {
            format!(" until {}", times::appointment(last.until_ms, now_ms, &place.naming.zone))
        })
    };
    if rules.closed {
        let until = until(|change| matches!(change, Change::LaneClosed { .. }));
        notices.push(warning("Lane closed", format!("No guest passes here{until}")));
        return notices;
    }
    if rules.direction != usual.direction {
        let until = until(|change| matches!(change, Change::LaneDirection { .. }));
        let way = match rules.direction {
            Direction::In => "Guests come in here",
            Direction::Out => "Guests leave here",
        };
        notices.push(warning("Other way", format!("{way}{until}")));
    }
    if rules.classes != usual.classes {
        let until = until(|change| matches!(change, Change::LaneClasses { .. }));
        let names: Vec<_> = rules.classes.iter().map(|id| place.naming.class_name(ClassId(*id))).collect();
        let who =
            if names.is_empty() { "All classes pass".to_owned() } else { format!("Only {} pass", names.join(", ")) };
        notices.push(warning("Other classes", format!("{who} here{until}")));
    }
    notices
}
