//! A small organiser for tests: one root, keys of every role, an event with classes, lanes and tickets. Seeded, no files.

use gate_core::pack;
use gate_core::policy::{LanePolicy, Policy};
use gate_core::wire::v1::{EventInfo, SignedTime, StationBundle};
use qrcodegen::{QrCode, QrCodeEcc};
use serde_bytes::ByteBuf;
use ticket_signer::certificate::{CertificateFields, DeviceCertificateFields};
use ticket_signer::code::ShortCode;
use ticket_signer::presentation::Presentation;
use ticket_signer::{
    Certificate, Challenge, ClassEntry, ClassId, Credential, CredentialFields, DeviceCertificate, DeviceId, EventId,
    EventRange, HolderAlgorithm, HolderSecret, LaneId, ListManifest, ListedTicket, Purpose, Role, SecretKey, Serial,
    TicketId, TicketStatus, TimeStep, UntrustedCode, envelope,
};

use crate::core::decode::raw::{PixelFormat, RawFrame};

/// 2026-11-09 12:00 UTC.
pub const NOW_MS: i64 = 1_794_225_600_000;
pub const NOW_S: i64 = NOW_MS / 1000;
pub const EVENT: EventId = EventId(7);
pub const CLASS: ClassId = ClassId(3);
pub const DEVICE: DeviceId = DeviceId(0xD0);

/// Everything an organiser signs with.
pub struct Organiser {
    pub root: SecretKey,
}

/// A list as a server has it.
pub struct Packed {
    pub manifest: ListManifest,
    pub envelope: Vec<u8>,
    pub chunks: Vec<pack::PackedChunk>,
}

impl Packed {
    /// Serves chunks by hash.
    pub fn chunk(&self, hash: &[u8; 32]) -> Vec<u8> {
        self.chunks.iter().find(|chunk| chunk.named.hash == *hash).map(|chunk| chunk.bytes.clone()).unwrap()
    }
}

impl Default for Organiser {
    fn default() -> Self {
        Organiser { root: SecretKey::from_bytes(&[1; 32]) }
    }
}

impl Organiser {
    pub fn key(&self, role: Role) -> SecretKey {
        SecretKey::from_bytes(&[role.to_byte() + 10; 32])
    }

    pub fn certificate(&self, role: Role, key: &SecretKey) -> Vec<u8> {
        let fields = CertificateFields {
            role,
            key: key.public(),
            organiser: "Harbour".to_owned(),
            events: vec![EventRange { first: EventId(1), last: EventId(9) }],
            not_before_s: 0,
            not_after_s: u32::MAX,
        };
        Certificate::issue(fields, &self.root).unwrap().to_bytes()
    }

    pub fn device_certificate(&self, device: DeviceId, key: &SecretKey, until_s: i64) -> Vec<u8> {
        let fields = DeviceCertificateFields {
            device,
            key: key.public(),
            event: EVENT,
            not_before_s: 1,
            not_after_s: u32::try_from(until_s).unwrap(),
        };
        DeviceCertificate::issue(fields, &self.key(Role::Device)).unwrap().to_bytes().to_vec()
    }

    pub fn policy(&self, version: u64) -> Policy {
        let lane = |lane: u32, name: &str| LanePolicy {
            lane,
            name: name.to_owned(),
            entrance: "North".to_owned(),
            group: 0,
            ..LanePolicy::default()
        };
        Policy {
            event: EVENT.0,
            version,
            issued_at_ms: NOW_MS,
            partition: gate_core::Partition::Open,
            class_partitions: Vec::new(),
            freshness_steps: 2,
            hold_off_ms: 5_000,
            lease_s: 3_600,
            printed_classes: vec![CLASS.0],
            unlisted_printed: gate_core::UnlistedPrinted::Review,
            home_groups: 1,
            lanes: vec![lane(1, "Lane 1"), lane(2, "Lane 2")],
            ..Policy::default()
        }
    }

    /// A bundle for `device` with `key`, whose time is `now_ms`.
    pub fn bundle(&self, device: DeviceId, key: &SecretKey, policy: Option<&Policy>, now_ms: i64) -> StationBundle {
        let until_s = now_ms / 1000 + 12 * 3600;
        StationBundle {
            organiser: "Harbour".to_owned(),
            root: self.root.public().to_bytes().into(),
            certificates: Role::ALL.map(|role| ByteBuf::from(self.certificate(role, &self.key(role)))).to_vec(),
            revocations: Vec::new(),
            device_certificate: ByteBuf::from(self.device_certificate(device, key, until_s)),
            event: EventInfo {
                id: EVENT.0,
                name: "Harbour Nights".to_owned(),
                venue: "Pier".to_owned(),
                time_zone: "Asia/Kolkata".to_owned(),
                starts_at_ms: now_ms,
                ends_at_ms: now_ms + 7_200_000,
            },
            lane: 1,
            policy: policy.map(|policy| ByteBuf::from(policy.seal(&self.key(Role::Policy)).unwrap())),
            time: SignedTime::seal(now_ms, &self.key(Role::Time)).unwrap(),
            minimum_list_version: 1,
            staff: None,
        }
    }

    pub fn class(&self, admissions: u8) -> ClassEntry {
        ClassEntry {
            class: CLASS,
            name: "Standing".to_owned(),
            valid_from_s: 0,
            valid_until_s: u32::MAX,
            admissions,
            flags: 0,
        }
    }

    /// A signed list; `base` 0 for a full one.
    pub fn list(&self, version: u64, base: u64, tickets: &[ListedTicket]) -> Packed {
        let lines: Vec<_> = tickets.iter().map(ticket_signer::list::ListLine::from).collect();
        let chunks = pack::pack(&lines).unwrap();
        let manifest = ListManifest {
            event: EVENT,
            version,
            base,
            issued_at_s: 1,
            expires_at_s: u32::MAX,
            tickets: tickets.len() as u32,
            classes: vec![self.class(1)],
            chunks: chunks.iter().map(|chunk| chunk.named.clone()).collect(),
        };
        let envelope = self.seal_list(&manifest);
        Packed { manifest, envelope, chunks }
    }

    pub fn seal_list(&self, manifest: &ListManifest) -> Vec<u8> {
        envelope::seal(Purpose::List, &manifest.to_bytes(), &self.key(Role::List))
    }
}

/// A guest's phone.
pub fn phone(ticket: u64) -> HolderSecret {
    let mut seed = [7; 32];
    seed[..8].copy_from_slice(&ticket.to_be_bytes());
    HolderSecret::from_bytes(HolderAlgorithm::Ed25519, &seed).unwrap()
}

pub fn listed(ticket: u64, serial: u8, status: TicketStatus) -> ListedTicket {
    ListedTicket {
        ticket: TicketId(ticket),
        serial: Serial::new(serial).unwrap(),
        class: CLASS,
        status,
        holder: Some(phone(ticket).public()),
    }
}

/// The short code that the phone shows at `now_s`.
pub fn short(ticket: u64, serial: u8, now_s: i64) -> UntrustedCode {
    let (ticket_id, serial) = (TicketId(ticket), Serial::new(serial).unwrap());
    let presentation =
        Presentation::sign(EVENT, ticket_id, serial, TimeStep::at(now_s), Challenge::NONE, &phone(ticket));
    UntrustedCode::Short(ShortCode { ticket: ticket_id, serial, presentation })
}

/// The full code that the phone shows at `now_s`.
pub fn full(organiser: &Organiser, ticket: u64, serial: u8, now_s: i64) -> UntrustedCode {
    let fields = CredentialFields {
        event: EVENT,
        ticket: TicketId(ticket),
        serial: Serial::new(serial).unwrap(),
        flags: 0,
        class: CLASS,
        valid_from_s: 0,
        valid_until_s: u32::MAX,
        holder: Some(phone(ticket).public()),
    };
    let credential = Box::new(Credential::issue(fields, &organiser.key(Role::Issue)).unwrap());
    let UntrustedCode::Short(ShortCode { presentation, .. }) = short(ticket, serial, now_s) else { unreachable!() };
    UntrustedCode::Full { credential, presentation }
}

pub const LANE: LaneId = LaneId(1);

/// A code held before a camera: luma, five pixels a module; an empty view without a text.
pub fn picture(text: Option<&str>, taken_ms: i64) -> RawFrame {
    let (width, height) = (320, 240);
    let mut data = vec![200; width * height];
    if let Some(text) = text {
        let code = QrCode::encode_text(text, QrCodeEcc::Medium).expect("tests show texts that fit a symbol");
        for (at, value) in data.iter_mut().enumerate() {
            let (x, y) = ((at % width) as i32 - 40, (at / width) as i32 - 25);
            *value = if code.get_module(x.div_euclid(5), y.div_euclid(5)) { 20 } else { 230 };
        }
    }
    let (width, height) = (width as u32, height as u32);
    RawFrame { format: PixelFormat::Grey, width, height, stride: width, taken_ms, data }
}
