//! A seeded organiser and the crowd that holds its tickets: the same on every machine and in every run.
//!
//! Every key is a real point with its own secret: half Ed25519, half P-256, drawn like random ones, so that a list of them
//! compresses no better than a real one.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use gate_core::policy::LanePolicy;
use gate_core::{ClockReading, Partition, Policy, UnlistedPrinted};
use ticket_signer::certificate::{CertificateFields, DeviceCertificateFields};
use ticket_signer::code::ShortCode;
use ticket_signer::presentation::Presentation;
use ticket_signer::{
    Certificate, Challenge, ClassEntry, ClassId, Credential, CredentialFields, DeviceCertificate, DeviceId, EventId,
    EventRange, HolderAlgorithm, HolderSecret, LaneId, ListManifest, ListedTicket, PublicKey, Role, SecretKey, Serial,
    TicketId, TicketStatus, TimeStep, TrustStore, UntrustedCode,
};
use turnstone_tests::painter::Random;

pub const EVENT: EventId = EventId(7);
pub const LANE: LaneId = LaneId(1);
pub const DEVICE: DeviceId = DeviceId(0xD0);
pub const ORGANISER: &str = "Harbour";
/// 2026-11-09 12:00 UTC, in unix seconds: the middle of the event.
pub const NOW_S: i64 = 1_794_225_600;
/// How many tickets are listed: what the goals speak of.
pub const LISTED: usize = 100_000;
/// Classes of ticket, and how many of a hundred tickets each has.
const CLASSES: [(u16, &str, u64); 6] =
    [(1, "Standing", 55), (2, "Seated", 25), (3, "Balcony", 9), (4, "Child", 6), (5, "Crew", 3), (6, "Guest list", 2)];

/// One ticket with its phone.
#[derive(Debug, Clone)]
pub struct Guest {
    pub listed: ListedTicket,
    algorithm: HolderAlgorithm,
    seed: [u8; 32],
}

impl Guest {
    /// A bound ticket of this id, its phone's key drawn from `random`.
    pub fn draw(ticket: u64, algorithm: HolderAlgorithm, random: &mut Random) -> Result<Self> {
        let (seed, secret) = loop {
            let mut seed = [0; 32];
            for part in seed.chunks_exact_mut(8) {
                part.copy_from_slice(&random.next_u64().to_be_bytes());
            }
            // A vanishing few numbers are no P-256 key.
            if let Ok(secret) = HolderSecret::from_bytes(algorithm, &seed) {
                break (seed, secret);
            }
        };
        let percent = random.next_u64() % 100;
        let mut below = 0;
        let class = CLASSES.iter().find(|(_, _, share)| {
            below += share;
            percent < below
        });
        // Binding makes serial 2; some were bound again.
        let serial =
            2 + u8::from(random.next_u64().is_multiple_of(20)) + u8::from(random.next_u64().is_multiple_of(200));
        let listed = ListedTicket {
            ticket: TicketId(ticket),
            serial: Serial::new(serial).context("a serial")?,
            class: ClassId(class.map_or(1, |(class, _, _)| *class)),
            status: TicketStatus::Active,
            holder: Some(secret.public()),
        };
        Ok(Guest { listed, algorithm, seed })
    }

    pub fn algorithm(&self) -> HolderAlgorithm {
        self.algorithm
    }

    fn moment(&self, at_s: i64) -> Result<Presentation> {
        let phone = HolderSecret::from_bytes(self.algorithm, &self.seed)?;
        let ListedTicket { ticket, serial, .. } = self.listed;
        Ok(Presentation::sign(EVENT, ticket, serial, TimeStep::at(at_s), Challenge::NONE, &phone))
    }

    /// The short code that the phone shows at `at_s`.
    pub fn short(&self, at_s: i64) -> Result<UntrustedCode> {
        let ListedTicket { ticket, serial, .. } = self.listed;
        Ok(UntrustedCode::Short(ShortCode { ticket, serial, presentation: self.moment(at_s)? }))
    }

    /// The full code that the phone shows at `at_s`.
    pub fn full(&self, issuer: &SecretKey, at_s: i64) -> Result<UntrustedCode> {
        let ListedTicket { ticket, serial, class, holder, .. } = self.listed.clone();
        let (valid_from_s, valid_until_s) = window();
        let fields =
            CredentialFields { event: EVENT, ticket, serial, flags: 0, class, valid_from_s, valid_until_s, holder };
        let credential = Box::new(Credential::issue(fields, issuer)?);
        Ok(UntrustedCode::Full { credential, presentation: self.moment(at_s)? })
    }
}

/// Guests with distinct random ticket ids, ascending by id; every other one of the draw has a P-256 phone.
pub fn crowd(count: usize, seed: u64) -> Result<Vec<Guest>> {
    let mut random = Random(seed);
    let mut ids = BTreeSet::new();
    while ids.len() < count {
        ids.insert(random.next_u64());
    }
    // Which phone a ticket has must not follow from its place in the list, or the list would compress too well.
    let mut phones: Vec<HolderAlgorithm> =
        (0..count).map(|at| if at % 2 == 0 { HolderAlgorithm::Ed25519 } else { HolderAlgorithm::P256 }).collect();
    for at in (1..count).rev() {
        phones.swap(at, (random.next_u64() % (at as u64 + 1)) as usize);
    }
    let mut guests = Vec::with_capacity(count);
    for (id, algorithm) in ids.into_iter().zip(phones) {
        guests.push(Guest::draw(id, algorithm, &mut random)?);
    }
    // One in a hundred was revoked.
    for guest in guests.iter_mut().skip(50).step_by(100) {
        guest.listed.status = TicketStatus::Revoked;
    }
    Ok(guests)
}

/// A shuffled order of those who may enter.
pub fn queue(guests: &[Guest], seed: u64) -> Vec<&Guest> {
    let mut random = Random(seed);
    let mut queue: Vec<&Guest> = guests.iter().filter(|guest| guest.listed.status == TicketStatus::Active).collect();
    for at in (1..queue.len()).rev() {
        queue.swap(at, (random.next_u64() % (at as u64 + 1)) as usize);
    }
    queue
}

/// The key that the organiser has for a role.
pub fn key(role: Role) -> SecretKey {
    SecretKey::from_bytes(&[role.to_byte() + 10; 32])
}

pub fn root() -> SecretKey {
    SecretKey::from_bytes(&[1; 32])
}

pub fn device_key(which: u8) -> SecretKey {
    SecretKey::from_bytes(&[100 + which; 32])
}

/// The root's certificate of the organiser's own key for a role.
pub fn certificate(role: Role) -> Result<Vec<u8>> {
    certificate_of(role, key(role).public())
}

/// The root's certificate of this key.
pub fn certificate_of(role: Role, key: PublicKey) -> Result<Vec<u8>> {
    let fields = CertificateFields {
        role,
        key,
        organiser: ORGANISER.to_owned(),
        events: vec![EventRange { first: EventId(1), last: EventId(9) }],
        not_before_s: 0,
        not_after_s: u32::MAX,
    };
    Ok(Certificate::issue(fields, &root())?.to_bytes())
}

pub fn device_certificate(device: DeviceId, key_of: &SecretKey) -> Result<Vec<u8>> {
    let fields =
        DeviceCertificateFields { device, key: key_of.public(), event: EVENT, not_before_s: 1, not_after_s: u32::MAX };
    Ok(DeviceCertificate::issue(fields, &key(Role::Device))?.to_bytes().to_vec())
}

/// A gate that believes the root, and the organiser's keys through it.
pub fn trust() -> Result<TrustStore> {
    let mut trust = TrustStore::new(root().public(), ORGANISER);
    for role in Role::ALL {
        trust.add_certificate(&certificate(role)?)?;
    }
    Ok(trust)
}

fn window() -> (u32, u32) {
    ((NOW_S - 86_400) as u32, (NOW_S + 86_400) as u32)
}

pub fn classes() -> Vec<ClassEntry> {
    let (valid_from_s, valid_until_s) = window();
    let entry = |(class, name, _): &(u16, &str, u64)| ClassEntry {
        class: ClassId(*class),
        name: (*name).to_owned(),
        valid_from_s,
        valid_until_s,
        admissions: 1,
        flags: 0,
    };
    CLASSES.iter().map(entry).collect()
}

/// The `open` rule over ten lanes, so that a lane which hears nobody admits.
pub fn policy() -> Policy {
    let lane = |lane: u32| LanePolicy {
        lane,
        name: format!("Lane {lane}"),
        entrance: "North".to_owned(),
        group: 0,
        ..LanePolicy::default()
    };
    Policy {
        event: EVENT.0,
        version: 1,
        issued_at_ms: NOW_S * 1000,
        partition: Partition::Open,
        class_partitions: Vec::new(),
        freshness_steps: 2,
        hold_off_ms: 5_000,
        lease_s: 43_200,
        printed_classes: vec![1],
        unlisted_printed: UnlistedPrinted::Review,
        home_groups: 1,
        lanes: (1..=10).map(lane).collect(),
        ..Policy::default()
    }
}

/// A manifest over these chunks; `base` 0 for a full list.
pub fn manifest(version: u64, base: u64, tickets: usize, chunks: &[gate_core::pack::PackedChunk]) -> ListManifest {
    ListManifest {
        event: EVENT,
        version,
        base,
        issued_at_s: NOW_S as u32,
        expires_at_s: (NOW_S + 43_200) as u32,
        tickets: tickets as u32,
        classes: classes(),
        chunks: chunks.iter().map(|chunk| chunk.named.clone()).collect(),
    }
}

/// A gate's clock that is sure of itself.
pub fn clock(at_s: i64) -> ClockReading {
    ClockReading { now_ms: at_s * 1000, uncertainty_ms: 20, in_doubt: false, offset_ms: 5 }
}
