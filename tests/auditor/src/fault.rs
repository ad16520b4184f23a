//! Why one piece of a ticket, a certificate or an envelope is not to be believed: one closed list, with the stable names of
//! `ticket-signer/vectors/README.md` and a sentence each.

/// What is wrong with a signed thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Fault {
    #[error("the text does not begin with T1S, T1F or T1P")]
    NotATicket,
    #[error("it is too short, too long or cut off")]
    WrongLength,
    #[error("it is not written in the one accepted form of base45")]
    NotBase45,
    #[error("its format number is not known")]
    UnknownFormat,
    #[error("its role is not known")]
    UnknownRole,
    #[error("its holder algorithm is not known")]
    UnknownAlgorithm,
    #[error("its serial is outside 1 to 254")]
    SerialOutOfRange,
    #[error("it sets a flag that has no meaning yet")]
    ReservedFlag,
    #[error("its challenge is above 9999")]
    ChallengeOutOfRange,
    #[error("its validity ends before it begins")]
    ValidityInverted,
    #[error("its organiser's name is not 1 to 64 bytes of plain text")]
    OrganiserInvalid,
    #[error("its event ranges are not 1 to 16, ascending and apart")]
    EventRangesInvalid,
    #[error("a key in it is no key of its algorithm")]
    NotAKey,
    #[error("a key in it is of small order: anybody could sign for it")]
    SmallOrderKey,
    #[error("a key in it is not written in its one form")]
    NotCanonical,
    #[error("an id in it is not 16 lower-case hex digits")]
    NotAnId,
    #[error("its signature does not fit")]
    BadSignature,
    #[error("the ticket is not on the list")]
    Unknown,
    #[error("its serial is below the list's")]
    Retired,
    #[error("its serial is above the list's")]
    NewerThanList,
    #[error("the ticket is not bound to a phone, and this is a phone's code")]
    NotBound,
    #[error("the ticket is bound to a phone, and the phone's signature is missing")]
    PresentationMissing,
    #[error("it was too old when it was read")]
    Stale,
    #[error("it was for a later time than when it was read")]
    Early,
    #[error("the ticket is for another event")]
    WrongEvent,
    #[error("no certificate in the export names its signer's key")]
    AuthorityUnknown,
    #[error("its signer's key was taken back by the root")]
    AuthorityRevoked,
    #[error("its signer's key is certified for another role")]
    AuthorityWrongRole,
    #[error("its signer's key is not certified for this event")]
    AuthorityWrongEvent,
    #[error("its signer's certificate was not valid yet at that time")]
    AuthorityNotYetValid,
    #[error("its signer's certificate had expired at that time")]
    AuthorityExpired,
    #[error("the root did not sign it")]
    NotFromRoot,
    #[error("it was made for another organiser")]
    OtherOrganiser,
    #[error("it is no signed message of the kind that it is given as")]
    NotThisEnvelope,
    #[error("what is signed in it is not written as this version expects")]
    Payload,
}

impl Fault {
    /// The stable name, as the vectors and `--json` have it.
    pub fn name(self) -> &'static str {
        match self {
            Fault::NotATicket => "not_a_ticket",
            Fault::WrongLength => "wrong_length",
            Fault::NotBase45 => "not_base45",
            Fault::UnknownFormat => "unknown_format",
            Fault::UnknownRole => "unknown_role",
            Fault::UnknownAlgorithm => "unknown_algorithm",
            Fault::SerialOutOfRange => "serial_out_of_range",
            Fault::ReservedFlag => "reserved_flag",
            Fault::ChallengeOutOfRange => "challenge_out_of_range",
            Fault::ValidityInverted => "validity_inverted",
            Fault::OrganiserInvalid => "organiser_invalid",
            Fault::EventRangesInvalid => "event_ranges_invalid",
            Fault::NotAKey => "not_a_key",
            Fault::SmallOrderKey => "small_order_key",
            Fault::NotCanonical => "not_canonical",
            Fault::NotAnId => "not_an_id",
            Fault::BadSignature => "bad_signature",
            Fault::Unknown => "unknown",
            Fault::Retired => "retired",
            Fault::NewerThanList => "newer_than_list",
            Fault::NotBound => "not_bound",
            Fault::PresentationMissing => "presentation_missing",
            Fault::Stale => "stale",
            Fault::Early => "early",
            Fault::WrongEvent => "wrong_event",
            Fault::AuthorityUnknown => "authority_unknown",
            Fault::AuthorityRevoked => "authority_revoked",
            Fault::AuthorityWrongRole => "authority_wrong_role",
            Fault::AuthorityWrongEvent => "authority_wrong_event",
            Fault::AuthorityNotYetValid => "authority_not_yet_valid",
            Fault::AuthorityExpired => "authority_expired",
            Fault::NotFromRoot => "not_from_root",
            Fault::OtherOrganiser => "other_organiser",
            Fault::NotThisEnvelope => "not_this_envelope",
            Fault::Payload => "payload_unreadable",
        }
    }
}
