//! Everything that the window shows, as one value: the screen adapter copies it and decides nothing.

use super::staff::StaffView;
use super::{NamedConflict, Verdict};

/// What fills the window.
#[derive(Debug, Clone, PartialEq)]
pub enum Page {
    Starting {
        text: String,
    },
    /// `error`: why the last code was not taken.
    Enrol {
        text: String,
        error: String,
    },
    Confirm {
        fingerprint: Vec<String>,
        server: String,
    },
    /// Wiped, with scans that wait for their receipts.
    Wiped {
        text: String,
    },
    Ready,
    Verdict(Box<Verdict>),
    /// Nothing could be recorded, and what to do.
    Fault {
        sentence: String,
        next_step: String,
    },
    Conflicts,
    About,
    /// For staff alone.
    Staff(Box<StaffView>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Error,
    Warning,
    Info,
}

/// A lasting trouble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub severity: Severity,
    pub title: &'static str,
    pub text: String,
}

/// Where codes come from, as far as staff see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Eye {
    Starting,
    Live,
    /// With what to do.
    Lost(String),
    Imager,
}

/// The window's contents.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    pub page: Page,
    /// Raised by one for each verdict or fault.
    pub sequence: u32,
    /// There are staff who may unlock this handheld.
    pub staff_offered: bool,
    /// Guests who may still come in on the group's ticket that is on the screen.
    pub group_left: u8,
    pub event_name: String,
    pub lane: String,
    pub entrance: String,
    pub clock: String,
    pub clock_doubt: bool,
    pub online: bool,
    pub connection_text: String,
    pub list_text: String,
    pub list_old: bool,
    pub waiting_text: String,
    pub tally_text: String,
    pub last_text: String,
    pub notices: Vec<Notice>,
    /// What staff ask or check of every guest at this lane; empty where the page has no place for it.
    pub questions: Vec<String>,
    pub conflicts: Vec<NamedConflict>,
    pub eye: Eye,
    pub code_in_view: bool,
    pub device_name: String,
    pub device_id: String,
}
