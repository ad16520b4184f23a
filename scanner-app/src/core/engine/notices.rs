//! What lasts, in words for staff: troubles, and that frames are being recorded.

use super::{Engine, Trouble};
use crate::core::present::view::{Notice, Severity};

impl Engine {
    /// Lasting troubles, the worst first, and what guests should know is going on.
    pub(super) fn notices(&self) -> Vec<Notice> {
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
        notices.sort_by_key(|notice| notice.severity);
        notices
    }
}
