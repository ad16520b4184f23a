//! Why a gate decided as it did: one stable code, a sentence for staff, and what to do next.
//!
//! Codes are part of the journal and of reports: they are never renamed and never given another meaning.

/// The reason of one decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    Admitted,
    Exited,
    Overridden,
    Noted,
    NotATicket,
    Damaged,
    Unknown,
    NewerThanList,
    Retired,
    IssuerUntrusted,
    WrongEvent,
    BadSignature,
    PresentationMissing,
    NotBound,
    Stale,
    Early,
    ListChanged,
    KeyMismatch,
    Revoked,
    ClassUnknown,
    WrongLane,
    LaneClosed,
    NotYetValid,
    NoLongerValid,
    PrintedNotAccepted,
    PrintedUnlisted,
    Used,
    NotInside,
    TooManyGuests,
    OtherGroup,
    NoGrant,
    OwnedElsewhere,
    OwnerUnsure,
    ClockInDoubt,
    ListExpired,
    LeaseExpired,
    NotReady,
}

impl Reason {
    pub const ALL: [Reason; 37] = [
        Reason::Admitted,
        Reason::Exited,
        Reason::Overridden,
        Reason::Noted,
        Reason::NotATicket,
        Reason::Damaged,
        Reason::Unknown,
        Reason::NewerThanList,
        Reason::Retired,
        Reason::IssuerUntrusted,
        Reason::WrongEvent,
        Reason::BadSignature,
        Reason::PresentationMissing,
        Reason::NotBound,
        Reason::Stale,
        Reason::Early,
        Reason::ListChanged,
        Reason::KeyMismatch,
        Reason::Revoked,
        Reason::ClassUnknown,
        Reason::WrongLane,
        Reason::LaneClosed,
        Reason::NotYetValid,
        Reason::NoLongerValid,
        Reason::PrintedNotAccepted,
        Reason::PrintedUnlisted,
        Reason::Used,
        Reason::NotInside,
        Reason::TooManyGuests,
        Reason::OtherGroup,
        Reason::NoGrant,
        Reason::OwnedElsewhere,
        Reason::OwnerUnsure,
        Reason::ClockInDoubt,
        Reason::ListExpired,
        Reason::LeaseExpired,
        Reason::NotReady,
    ];

    /// The stable code, as in the journal, in `--headless` output and in reports.
    pub fn code(self) -> &'static str {
        self.text().0
    }

    /// What is the matter, in a few words for the top of the screen.
    pub fn title(self) -> &'static str {
        self.text().1
    }

    /// What is the matter, in a sentence.
    pub fn sentence(self) -> &'static str {
        self.text().2
    }

    /// What staff do now.
    pub fn next_step(self) -> &'static str {
        self.text().3
    }

    pub fn from_code(code: &str) -> Option<Self> {
        Reason::ALL.into_iter().find(|reason| reason.code() == code)
    }

    fn text(self) -> (&'static str, &'static str, &'static str, &'static str) {
        match self {
            Reason::Admitted => ("admitted", "Welcome", "The ticket is valid.", "Let the guest through."),
            Reason::Exited => ("exited", "Goodbye", "The guest has left.", "Let the guest out."),
            Reason::Overridden => {
                ("overridden", "Admitted by supervisor", "A supervisor lets the guest in.", "Let the guest through.")
            }
            Reason::Noted => ("noted", "Noted", "It is in the journal, and no guest passes by it.", "Go on."),
            Reason::NotATicket => (
                "not_a_ticket",
                "Not a ticket",
                "This code is not one of our tickets.",
                "Ask for the ticket page or the printed ticket.",
            ),
            Reason::Damaged => (
                "damaged",
                "Cannot be read",
                "The ticket's code is damaged or incomplete.",
                "Ask the guest to open the ticket page again, or to flatten the paper.",
            ),
            Reason::Unknown => (
                "unknown",
                "Not on the list",
                "Not on this list: maybe another date, or a very new ticket.",
                "Ask for the full code: on the ticket page, tap \u{201c}Full code\u{201d}.",
            ),
            Reason::NewerThanList => (
                "newer_than_list",
                "Newer than the list",
                "This ticket was issued again after this list was made.",
                "Ask for the full code: on the ticket page, tap \u{201c}Full code\u{201d}.",
            ),
            Reason::Retired => (
                "retired",
                "Replaced",
                "This ticket was replaced by a newer one.",
                "Ask for the newest ticket: the latest link or e-mail.",
            ),
            Reason::IssuerUntrusted => (
                "issuer_untrusted",
                "Not our ticket",
                "Nobody we trust has issued this ticket.",
                "Do not admit. Send the guest to the service desk.",
            ),
            Reason::WrongEvent => (
                "wrong_event",
                "Other event",
                "This ticket is for another event or date.",
                "Ask the guest for the ticket of this event.",
            ),
            Reason::BadSignature => (
                "bad_signature",
                "Not genuine",
                "The ticket's signature does not fit.",
                "Scan once more. If it stays, send the guest to the service desk.",
            ),
            Reason::PresentationMissing => (
                "presentation_missing",
                "Copy of a ticket",
                "This ticket lives on a phone, and this is only a copy of it.",
                "Ask for the phone that has the ticket.",
            ),
            Reason::NotBound => (
                "not_bound",
                "Not on a phone yet",
                "This ticket was not put on a phone, so this code cannot be right.",
                "Ask the guest to open the ticket's link, or for the printed ticket.",
            ),
            Reason::Stale => (
                "stale",
                "Old code",
                "This code has run out: a picture of it, or a stopped phone.",
                "Ask the guest to open the live ticket page.",
            ),
            Reason::Early => (
                "early",
                "Phone clock wrong",
                "This code is for a later time: the phone's clock is ahead.",
                "Ask the guest to set the phone's time to automatic and open the page again.",
            ),
            Reason::ListChanged => {
                ("list_changed", "Scan again", "The list changed during this scan.", "Scan the ticket once more.")
            }
            Reason::KeyMismatch => (
                "key_mismatch",
                "Not genuine",
                "The list knows another phone for this ticket.",
                "Do not admit. Send the guest to the service desk.",
            ),
            Reason::Revoked => {
                ("revoked", "Cancelled", "This ticket was cancelled.", "Send the guest to the service desk.")
            }
            Reason::ClassUnknown => (
                "class_unknown",
                "Unknown kind of ticket",
                "This gate does not know this kind of ticket yet.",
                "Call the supervisor.",
            ),
            Reason::WrongLane => {
                ("wrong_lane", "Other lane", "This ticket enters at another lane.", "Send the guest to the lane shown.")
            }
            Reason::LaneClosed => {
                ("lane_closed", "Lane closed", "This lane is closed for now.", "Send the guest to the lane shown.")
            }
            Reason::NotYetValid => (
                "not_yet_valid",
                "Too early",
                "This ticket is not valid yet.",
                "Ask the guest to come back at the time shown.",
            ),
            Reason::NoLongerValid => {
                ("no_longer_valid", "Too late", "This ticket's time has passed.", "Send the guest to the service desk.")
            }
            Reason::PrintedNotAccepted => (
                "printed_not_accepted",
                "Phone ticket needed",
                "Tickets of this kind are not accepted on paper.",
                "Ask the guest to open the ticket's link on a phone.",
            ),
            Reason::PrintedUnlisted => (
                "printed_unlisted",
                "Supervisor decides",
                "A printed ticket that is not on this gate's list.",
                "Call the supervisor.",
            ),
            Reason::Used => {
                ("used", "Already used", "This ticket was admitted before.", "Send the guest to the service desk.")
            }
            Reason::NotInside => (
                "not_inside",
                "No way back",
                "Nobody is known to be inside on this ticket.",
                "Let the guest out. The ticket does not let anyone in again.",
            ),
            Reason::TooManyGuests => (
                "too_many_guests",
                "Too many guests",
                "The ticket is not for so many guests.",
                "Let in only as many as the number shown.",
            ),
            Reason::OtherGroup => (
                "other_group",
                "Supervisor decides",
                "This lane is cut off, and the ticket belongs to other lanes.",
                "Send the guest to the entrance shown, or call the supervisor.",
            ),
            Reason::NoGrant => (
                "no_grant",
                "Supervisor decides",
                "This ticket needs the server's word, and it has not come.",
                "Scan once more. If it stays, call the supervisor.",
            ),
            Reason::OwnedElsewhere => (
                "owned_elsewhere",
                "Other lane",
                "Only one lane may admit this ticket now, and it is another one.",
                "Send the guest to the lane shown, or call the supervisor.",
            ),
            Reason::OwnerUnsure => (
                "owner_unsure",
                "Supervisor decides",
                "It is not settled who may admit this ticket.",
                "Call the supervisor. Connect the handheld to the network if you can.",
            ),
            Reason::ClockInDoubt => (
                "clock_in_doubt",
                "Supervisor decides",
                "This handheld is not sure of the time.",
                "Call the supervisor. Connect the handheld to the network if you can.",
            ),
            Reason::ListExpired => (
                "list_expired",
                "Supervisor decides",
                "This gate's list is too old.",
                "Call the supervisor. Connect the handheld to the network.",
            ),
            Reason::LeaseExpired => (
                "lease_expired",
                "Handheld locked",
                "This handheld's permission has run out.",
                "Use another handheld. Connect this one to the network.",
            ),
            Reason::NotReady => (
                "not_ready",
                "Handheld not ready",
                "This handheld has no list or no policy yet.",
                "Connect it to the network and wait for \u{201c}Ready\u{201d}.",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_code_of_its_own_and_words() {
        for (at, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(Reason::from_code(reason.code()), Some(reason));
            assert!(
                !reason.title().is_empty() && reason.sentence().ends_with('.') && reason.next_step().ends_with('.')
            );
            assert!(Reason::ALL[at + 1..].iter().all(|other| other.code() != reason.code()));
        }
    }
}
