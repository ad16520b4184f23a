//! Keys, an event and codes for this crate's tests. Seeds are fixed; nothing here is secret.

use ticket_signer::certificate::{CertificateFields, EventRange};
use ticket_signer::code::ShortCode;
use ticket_signer::presentation::Presentation;
use ticket_signer::{
    Certificate, Challenge, ClassEntry, ClassId, Credential, CredentialFields, EventId, HolderAlgorithm, HolderKey,
    HolderSecret, ListedTicket, Role, SecretKey, Serial, TicketId, TicketStatus, TimeStep, TrustStore, UntrustedCode,
};

use crate::policy::{LanePolicy, Partition, Policy, UnlistedPrinted};

pub(crate) const EVENT: EventId = EventId(7);
pub(crate) const TICKET: TicketId = TicketId(0xABCD);
pub(crate) const CLASS: ClassId = ClassId(3);
/// Unix seconds: the middle of the event.
pub(crate) const NOW_S: i64 = 1_800_000_000;

pub(crate) fn issuer() -> SecretKey {
    SecretKey::from_bytes(&[11; 32])
}

pub(crate) fn holder(which: u8) -> HolderSecret {
    HolderSecret::from_bytes(HolderAlgorithm::Ed25519, &[100 + which; 32]).unwrap()
}

pub(crate) fn trust() -> TrustStore {
    let root = SecretKey::from_bytes(&[1; 32]);
    let mut trust = TrustStore::new(root.public(), "Organiser");
    let fields = CertificateFields {
        role: Role::Issue,
        key: issuer().public(),
        organiser: "Organiser".to_owned(),
        events: vec![EventRange { first: EventId(7), last: EventId(8) }],
        not_before_s: 0,
        not_after_s: u32::MAX,
    };
    trust.add_certificate(&Certificate::issue(fields, &root).unwrap().to_bytes()).unwrap();
    trust
}

pub(crate) fn serial(serial: u8) -> Serial {
    Serial::new(serial).unwrap()
}

pub(crate) fn class(admissions: u8) -> ClassEntry {
    ClassEntry {
        class: CLASS,
        name: "Standing".to_owned(),
        valid_from_s: (NOW_S - 3600) as u32,
        valid_until_s: (NOW_S + 3600) as u32,
        admissions,
        flags: 0,
    }
}

pub(crate) fn listed(listed: Serial, key: Option<u8>) -> ListedTicket {
    let holder: Option<HolderKey> = key.map(|which| holder(which).public());
    ListedTicket { ticket: TICKET, serial: listed, class: CLASS, status: TicketStatus::Active, holder }
}

pub(crate) fn short(shown: Serial, key: u8, at_s: i64) -> UntrustedCode {
    let presentation = Presentation::sign(EVENT, TICKET, shown, TimeStep::at(at_s), Challenge::NONE, &holder(key));
    UntrustedCode::Short(ShortCode { ticket: TICKET, serial: shown, presentation })
}

pub(crate) fn credential(shown: Serial, key: Option<u8>) -> Box<Credential> {
    let fields = CredentialFields {
        event: EVENT,
        ticket: TICKET,
        serial: shown,
        flags: 0,
        class: CLASS,
        valid_from_s: (NOW_S - 3600) as u32,
        valid_until_s: (NOW_S + 3600) as u32,
        holder: key.map(|which| holder(which).public()),
    };
    Box::new(Credential::issue(fields, &issuer()).unwrap())
}

pub(crate) fn full(shown: Serial, key: u8, at_s: i64) -> UntrustedCode {
    let presentation = Presentation::sign(EVENT, TICKET, shown, TimeStep::at(at_s), Challenge::NONE, &holder(key));
    UntrustedCode::Full { credential: credential(shown, Some(key)), presentation }
}

pub(crate) fn printed(shown: Serial) -> UntrustedCode {
    UntrustedCode::Printed { credential: credential(shown, None) }
}

/// Lane 1 (group 0) admits everything; lane 2 (group 1) admits class 9 only.
pub(crate) fn policy() -> Policy {
    let lane = |lane: u32, group, classes| LanePolicy {
        lane,
        name: format!("Lane {lane}"),
        entrance: "North".to_owned(),
        group,
        classes,
        ..LanePolicy::default()
    };
    Policy {
        event: EVENT.0,
        version: 4,
        issued_at_ms: 0,
        partition: Partition::Open,
        class_partitions: Vec::new(),
        freshness_steps: 2,
        hold_off_ms: 5_000,
        lease_s: 43_200,
        printed_classes: vec![CLASS.0],
        unlisted_printed: UnlistedPrinted::Review,
        home_groups: 2,
        lanes: vec![lane(1, 0, vec![]), lane(2, 1, vec![9])],
        ..Policy::default()
    }
}
