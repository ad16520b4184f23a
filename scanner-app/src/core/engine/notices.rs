//! What lasts, in words for staff: troubles, what a supervisor decided for this lane, and that frames are being recorded.

use gate_core::passage::Direction;
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
                Trouble::Server | Trouble::List | Trouble::Bundle | Trouble::Rows => Severity::Warning,
                Trouble::Recorder | Trouble::Sound => Severity::Info,
            },
            title: match kind {
                Trouble::Storage => "Storage trouble",
                Trouble::Device => "Handheld trouble",
                Trouble::Source => "No codes come in",
                Trouble::Server => "Server not reached",
                Trouble::List => "List not updated",
                Trouble::Bundle => "Keys not updated",
                Trouble::Rows => "Scans not received",
                Trouble::Recorder => "Not recording",
                Trouble::Sound => "No sound",
            },
            text: text.clone(),
        };
        let mut notices: Vec<Notice> = self.troubles.iter().map(notice).collect();
        notices.extend(self.recording.map(|frames_max| Notice {
            severity: Severity::Info,
            title: "Recording",
            text: format!("Pictures in which no code is read are kept on this handheld, the last {frames_max} of them"),
        }));
        if let Phase::Placed(place) = &self.phase {
            notices.extend(decided(place, at.now_ms));
        }
        notices.sort_by_key(|notice| notice.severity);
        notices
    }
}

/// What supervisors decided for this lane and said to it. The organiser's usual rules are no news.
fn decided(place: &Place, now_ms: i64) -> Vec<Notice> {
    let Some(policy) = &place.policy else { return Vec::new() };
    let lane = place.naming.lane;
    let mut notices = Vec::new();
    let in_force = policy.at(now_ms);
    if let (Some(usual), Some(rules)) = (policy.lane(lane), in_force.lane(lane)) {
        let until = policy.changes_until(lane, now_ms).map_or_else(String::new, |until_ms| {
            format!(" until {}", times::appointment(until_ms, now_ms, &place.naming.zone))
        });
        if rules.closed {
            let text = format!("No guest passes here{until}");
            notices.push(Notice { severity: Severity::Warning, title: "Lane closed", text });
        } else if rules.direction != usual.direction {
            let way = match rules.direction {
                Direction::In => "Guests come in here",
                Direction::Out => "Guests leave here",
            };
            notices.push(Notice { severity: Severity::Warning, title: "Other way", text: format!("{way}{until}") });
        }
        if !rules.closed && rules.classes != usual.classes {
            let names: Vec<String> = rules.classes.iter().map(|id| place.naming.class_name(ClassId(*id))).collect();
            let who = if names.is_empty() {
                "All classes pass".to_owned()
            } else {
                format!("Only {} pass", names.join(", "))
            };
            notices.push(Notice {
                severity: Severity::Warning,
                title: "Other classes",
                text: format!("{who} here{until}"),
            });
        }
    }
    notices.extend(policy.messages_for(lane, now_ms).map(|message| Notice {
        severity: Severity::Warning,
        title: "From the supervisor",
        text: message.text.clone(),
    }));
    notices
}
