//! The stable name of every refusal of this crate: what the vectors, the command line's JSON and other programs compare.
//!
//! Names are snake case; they are never renamed and never given another meaning. Where `gate-core` has a reason code for the
//! same thing, both use the same word; this crate tells more kinds of damage apart than staff need to know.

use crate::code::ParseError;
use crate::credential::FormatError;
use crate::envelope::EnvelopeError;
use crate::ids::IdError;
use crate::keys::{BadSignature, KeyError};
use crate::list::ListError;
use crate::sealed::SealedError;
use crate::trust::{AuthorityError, TrustError};
use crate::verify::Rejection;

impl KeyError {
    /// The stable name of this refusal.
    pub fn reason(&self) -> &'static str {
        match self {
            KeyError::NotAKey => "not_a_key",
            KeyError::SmallOrder => "small_order_key",
            KeyError::NotCanonical => "not_canonical",
            KeyError::UnknownAlgorithm(_) => "unknown_algorithm",
            KeyError::NotASecret => "not_a_secret",
        }
    }
}

impl BadSignature {
    /// The stable name of this refusal.
    pub fn reason(&self) -> &'static str {
        "bad_signature"
    }
}

impl IdError {
    /// The stable name of this refusal.
    pub fn reason(&self) -> &'static str {
        "not_an_id"
    }
}

impl FormatError {
    /// The stable name of this refusal.
    pub fn reason(&self) -> &'static str {
        match self {
            FormatError::Length => "wrong_length",
            FormatError::UnknownFormat(_) => "unknown_format",
            FormatError::UnknownRole(_) => "unknown_role",
            FormatError::Serial(_) => "serial_out_of_range",
            FormatError::Flags => "reserved_flag",
            FormatError::Validity => "validity_inverted",
            FormatError::Challenge(_) => "challenge_out_of_range",
            FormatError::Organiser => "organiser_invalid",
            FormatError::EventRanges => "event_ranges_invalid",
            FormatError::Key(error) => error.reason(),
        }
    }
}

impl ParseError {
    /// The stable name of this refusal.
    pub fn reason(&self) -> &'static str {
        match self {
            ParseError::Foreign => "not_a_ticket",
            ParseError::Length => "wrong_length",
            ParseError::Encoding => "not_base45",
            ParseError::Format(error) => error.reason(),
        }
    }
}

impl AuthorityError {
    /// The stable name of this refusal.
    pub fn reason(&self) -> &'static str {
        match self {
            AuthorityError::UnknownKey(_) => "authority_unknown",
            AuthorityError::Revoked(_) => "authority_revoked",
            AuthorityError::WrongRole { .. } => "authority_wrong_role",
            AuthorityError::WrongEvent { .. } => "authority_wrong_event",
            AuthorityError::NotYetValid(_) => "authority_not_yet_valid",
            AuthorityError::Expired(_) => "authority_expired",
        }
    }
}

impl TrustError {
    /// The stable name of this refusal.
    pub fn reason(&self) -> &'static str {
        match self {
            TrustError::Format(error) => error.reason(),
            TrustError::NotFromRoot => "not_from_root",
            TrustError::OtherOrganiser { .. } => "other_organiser",
        }
    }
}

impl EnvelopeError {
    /// The stable name of this refusal.
    pub fn reason(&self) -> &'static str {
        match self {
            EnvelopeError::Format { .. } => "not_this_envelope",
            EnvelopeError::Authority(error) => error.reason(),
            EnvelopeError::Signature => "bad_signature",
        }
    }
}

impl SealedError {
    /// The stable name of this refusal.
    pub fn reason(&self) -> &'static str {
        match self {
            SealedError::Format => "not_a_sealed_box",
            SealedError::SmallOrder => "small_order_key",
            SealedError::NotForThisKey => "not_for_this_key",
        }
    }
}

impl ListError {
    /// The stable name of this refusal.
    pub fn reason(&self) -> &'static str {
        match self {
            ListError::Encoding(_) => "list_encoding",
            ListError::Hash => "chunk_hash",
            ListError::Key(error) => error.reason(),
        }
    }
}

impl Rejection {
    /// The stable name of this refusal. A code of a step after now is `early`, one before now `stale`.
    pub fn reason(&self) -> &'static str {
        match self {
            Rejection::Unreadable(error) => error.reason(),
            Rejection::Unknown { .. } => "unknown",
            Rejection::NewerThanList { .. } => "newer_than_list",
            Rejection::Retired { .. } => "retired",
            Rejection::Issuer { error, .. } => error.reason(),
            Rejection::WrongEvent { .. } => "wrong_event",
            Rejection::Signature { .. } => BadSignature.reason(),
            Rejection::PresentationMissing { .. } => "presentation_missing",
            Rejection::NotBound { .. } => "not_bound",
            Rejection::Stale { shown, now, .. } if shown > now => "early",
            Rejection::Stale { .. } => "stale",
        }
    }
}
