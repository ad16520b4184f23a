//! What an audit has found: each difference has a kind with a stable name, a place and one sentence.

use crate::export::Origin;
use crate::ids::{DeviceId, EventId, LaneId, RowId, TicketId};
use crate::moment::utc;
use crate::row::Row;

/// The kinds of differences between what was journalled and what may have been.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    CertificateRefused,
    RevocationRefused,
    DeviceCertificateRefused,
    PolicyRefused,
    PolicyTwice,
    ListedTwice,
    CredentialTwice,
    RowUnreadable,
    RowForged,
    RowOfOtherDevice,
    DeviceUnknown,
    RowDoubled,
    RowForked,
    RowMissing,
    ChainBroken,
    RowLost,
    RowGoneFromDevice,
    ReceiptRefused,
    ReceiptWithoutRow,
    ReceiptForOtherRow,
    LeaseOver,
    LeaseNotBegun,
    RowContradictsItself,
    CodeDoesNotVerify,
    CodeOfOtherTicket,
    RetiredAdmitted,
    RefusedInError,
    GrantRefused,
    GrantForOtherRow,
    OverrideWithoutStaff,
    FollowsWrongRow,
    AdmittedAgain,
    OutsideClassTimes,
    AgainstPolicy,
    StrictWithoutRight,
    StrictBoundBroken,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 36] = [
        Kind::CertificateRefused,
        Kind::RevocationRefused,
        Kind::DeviceCertificateRefused,
        Kind::PolicyRefused,
        Kind::PolicyTwice,
        Kind::ListedTwice,
        Kind::CredentialTwice,
        Kind::RowUnreadable,
        Kind::RowForged,
        Kind::RowOfOtherDevice,
        Kind::DeviceUnknown,
        Kind::RowDoubled,
        Kind::RowForked,
        Kind::RowMissing,
        Kind::ChainBroken,
        Kind::RowLost,
        Kind::RowGoneFromDevice,
        Kind::ReceiptRefused,
        Kind::ReceiptWithoutRow,
        Kind::ReceiptForOtherRow,
        Kind::LeaseOver,
        Kind::LeaseNotBegun,
        Kind::RowContradictsItself,
        Kind::CodeDoesNotVerify,
        Kind::CodeOfOtherTicket,
        Kind::RetiredAdmitted,
        Kind::RefusedInError,
        Kind::GrantRefused,
        Kind::GrantForOtherRow,
        Kind::OverrideWithoutStaff,
        Kind::FollowsWrongRow,
        Kind::AdmittedAgain,
        Kind::OutsideClassTimes,
        Kind::AgainstPolicy,
        Kind::StrictWithoutRight,
        Kind::StrictBoundBroken,
    ];

    /// The stable name, as `--json` has it.
    pub fn name(self) -> &'static str {
        self.text().0
    }

    /// What is the matter, as a heading.
    pub fn title(self) -> &'static str {
        self.text().1
    }

    fn text(self) -> (&'static str, &'static str) {
        match self {
            Kind::CertificateRefused => ("certificate_refused", "Certificates that are not to be believed"),
            Kind::RevocationRefused => ("revocation_refused", "Key revocations that are not to be believed"),
            Kind::DeviceCertificateRefused => ("device_certificate_refused", "Device certificates not to be believed"),
            Kind::PolicyRefused => ("policy_refused", "Policies that are not to be believed"),
            Kind::PolicyTwice => ("policy_twice", "Two policies with one version"),
            Kind::ListedTwice => ("listed_twice", "Two lists' entries for one issue of a ticket"),
            Kind::CredentialTwice => ("credential_twice", "Two credentials for one issue of a ticket"),
            Kind::RowUnreadable => ("row_unreadable", "Rows that no gate has written so"),
            Kind::RowForged => ("row_forged", "Rows whose signature is not their device's"),
            Kind::RowOfOtherDevice => ("row_of_other_device", "Rows that another device signed"),
            Kind::DeviceUnknown => ("device_unknown", "Rows of devices without a certificate"),
            Kind::RowDoubled => ("row_doubled", "Rows that stand twice in one export"),
            Kind::RowForked => ("row_forked", "Different rows with one number"),
            Kind::RowMissing => ("row_missing", "Rows that are in no export"),
            Kind::ChainBroken => ("chain_broken", "Rows that do not follow the one before"),
            Kind::RowLost => ("row_lost", "Rows that the cloud has lost"),
            Kind::RowGoneFromDevice => ("row_gone_from_device", "Rows that a device no longer has"),
            Kind::ReceiptRefused => ("receipt_refused", "Receipts that are not to be believed"),
            Kind::ReceiptWithoutRow => ("receipt_without_row", "Receipts for rows that are nowhere"),
            Kind::ReceiptForOtherRow => ("receipt_for_other_row", "Receipts for other rows than there are"),
            Kind::LeaseOver => ("lease_over", "Guests let through after the device's lease"),
            Kind::LeaseNotBegun => ("lease_not_begun", "Guests let through before the device's lease"),
            Kind::RowContradictsItself => ("row_contradicts_itself", "Rows that say what no gate says"),
            Kind::CodeDoesNotVerify => ("code_does_not_verify", "Codes that do not verify"),
            Kind::CodeOfOtherTicket => ("code_of_other_ticket", "Codes of another ticket than the row's"),
            Kind::RetiredAdmitted => ("retired_admitted", "Admissions on an issue that the device knew to be replaced"),
            Kind::RefusedInError => ("refused_in_error", "Guests refused for what is not so"),
            Kind::GrantRefused => ("grant_refused", "Grants that are not to be believed"),
            Kind::GrantForOtherRow => ("grant_for_other_row", "Grants for another row"),
            Kind::OverrideWithoutStaff => ("override_without_staff", "Overrides that nobody answers for"),
            Kind::FollowsWrongRow => ("follows_wrong_row", "Acts that follow a row that they cannot follow"),
            Kind::AdmittedAgain => ("admitted_again", "Admissions beyond what the device itself had let in"),
            Kind::OutsideClassTimes => ("outside_class_times", "Admissions outside the class's times"),
            Kind::AgainstPolicy => ("against_policy", "Admissions against the policy"),
            Kind::StrictWithoutRight => ("strict_without_right", "Admissions without the owner's word"),
            Kind::StrictBoundBroken => ("strict_bound_broken", "Tickets admitted too often under the strict rule"),
        }
    }
}

/// Where and when a row was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub row: RowId,
    pub event: EventId,
    pub lane: LaneId,
    pub at_ms: i64,
    pub uncertainty_ms: u32,
}

impl Place {
    pub(crate) fn of(row: &Row) -> Self {
        Place { row: row.id, event: row.event, lane: row.lane, at_ms: row.at_ms, uncertainty_ms: row.uncertainty_ms }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let RowId { device, epoch, seq } = self.row;
        write!(f, "row {seq} of device {device} (journal {epoch:016x}, lane {}, {})", self.lane, utc(self.at_ms))
    }
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub kind: Kind,
    pub sentence: String,
    pub place: Option<Place>,
    pub device: Option<DeviceId>,
    pub ticket: Option<TicketId>,
    /// Where it stands in the export, where that is what can be said of it.
    pub origin: Option<Origin>,
}

impl Finding {
    pub(crate) fn new(kind: Kind, sentence: impl Into<String>) -> Self {
        Finding { kind, sentence: sentence.into(), place: None, device: None, ticket: None, origin: None }
    }

    /// About a row; the sentence begins with where it was written.
    pub(crate) fn at(kind: Kind, row: &Row, says: impl std::fmt::Display) -> Self {
        let place = Place::of(row);
        Finding {
            place: Some(place),
            device: Some(row.id.device),
            ticket: row.ticket,
            ..Finding::new(kind, capital(&format!("{place}: {says}")))
        }
    }

    pub(crate) fn from(self, origin: Origin) -> Self {
        Finding { origin: Some(origin), ..self }
    }

    pub(crate) fn by(self, device: DeviceId) -> Self {
        Finding { device: Some(device), ..self }
    }

    pub(crate) fn about(self, ticket: TicketId) -> Self {
        Finding { ticket: Some(ticket), ..self }
    }
}

pub(crate) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

/// Findings as they are made, bounded: an export that is all wrong needs no list of all of it.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) list: Vec<Finding>,
    /// How many more there were.
    pub(crate) beyond: u64,
}

impl Findings {
    const MOST: usize = 100_000;

    pub(crate) fn add(&mut self, finding: Finding) {
        if self.list.len() < Self::MOST {
            self.list.push(finding);
        } else {
            self.beyond = self.beyond.saturating_add(1);
        }
    }
}
