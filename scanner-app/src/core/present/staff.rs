//! The pages for staff as values: the screens have the words, in the chosen language.

use gate_core::staff::Role;

/// What staff can choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// The rest of a group.
    More,
    /// The guest whom the lane would not let in.
    LetIn,
    /// The same guest is turned away: nothing more is decided.
    SendAway,
    WithoutCode,
    Clock,
}

/// Why a supervisor lets somebody in, from a short list: it is read again by people who were not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ground {
    /// The booking was looked up or shown in another way.
    BookingSeen,
    /// The guest's phone or paper cannot be read.
    CodeUnreadable,
    /// The guest was in before, or was scanned by mistake.
    ScannedBefore,
    /// A companion, helper or child of a guest.
    Companion,
    /// Crew, artists, press, guests of the house.
    KnownToUs,
    /// Safety comes first.
    Safety,
}

impl Ground {
    pub const ALL: [Ground; 6] = [
        Ground::BookingSeen,
        Ground::CodeUnreadable,
        Ground::ScannedBefore,
        Ground::Companion,
        Ground::KnownToUs,
        Ground::Safety,
    ];

    /// As it stands in the row's note: never renamed.
    pub fn code(self) -> &'static str {
        match self {
            Ground::BookingSeen => "booking_seen",
            Ground::CodeUnreadable => "code_unreadable",
            Ground::ScannedBefore => "scanned_before",
            Ground::Companion => "companion",
            Ground::KnownToUs => "known_to_us",
            Ground::Safety => "safety",
        }
    }
}

/// What a page says besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Say {
    Nothing,
    NoNumber,
    PinLength,
    Checking,
    /// The PIN could not be checked: try again.
    NotChecked,
    /// Number or PIN is wrong; so many tries before there is a wait.
    Wrong {
        tries: u32,
    },
    /// No PIN is taken for so many seconds.
    Wait {
        s: u32,
    },
    /// The row cannot be decided about any more.
    TooLate,
    NoTime,
    /// Before the server's last time.
    TimeTooEarly,
    ClockSet,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StaffPage {
    Number { digits: String },
    Pin { number: u16, typed: usize },
    Menu { actions: Vec<Action> },
    Guests { guests: u8, most: u8, of_group: bool },
    Reasons { guests: u8 },
    Clock { day: String, digits: String, now: String },
}

/// A page for staff.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaffView {
    pub page: StaffPage,
    pub say: Say,
    /// The verdict that is decided about.
    pub subject: String,
    /// Who is unlocked.
    pub who: Option<(u16, Role)>,
    /// Waits for an answer.
    pub busy: bool,
}
