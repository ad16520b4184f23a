//! The organiser of a simulated event: keys of every role, tickets with their phones, and what is signed with them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::LazyLock;

use gate_core::Policy;
use gate_core::pack;
use gate_core::wire::v1::{EventInfo, SignedTime, StationBundle};
use serde_bytes::ByteBuf;
use ticket_signer::certificate::{CertificateFields, DeviceCertificateFields};
use ticket_signer::code::ShortCode;
use ticket_signer::list::ListLine;
use ticket_signer::presentation::Presentation;
use ticket_signer::{
    Certificate, Challenge, ClassEntry, ClassId, Credential, CredentialFields, DeviceCertificate, DeviceId, EventId,
    EventRange, HolderAlgorithm, HolderSecret, LaneId, ListManifest, Purpose, Role, SecretKey, Serial, TicketId,
    TicketStatus, TimeStep, UntrustedCode, envelope,
};

pub const EVENT: EventId = EventId(7);
/// Unix milliseconds at which every simulation begins.
pub const START_MS: i64 = 1_800_000_000_000;

/// A ticket as it was issued last.
#[derive(Debug, Clone)]
pub struct Issued {
    pub id: TicketId,
    pub class: ClassId,
    pub serial: Serial,
    pub revoked_to: Option<Serial>,
    /// The list version of its last change.
    pub changed: u64,
}

/// How often keys are renewed at most.
pub const GENERATIONS_MAX: u8 = 3;

/// What is the same in every run: keys, and what the root has signed.
static ROOT: LazyLock<SecretKey> = LazyLock::new(|| SecretKey::from_bytes(&[1; 32]));
static KEYS: LazyLock<Vec<(Role, u8, SecretKey)>> = LazyLock::new(|| {
    let of = |generation: u8| {
        Role::ALL.map(|role| (role, generation, SecretKey::from_bytes(&[role.to_byte() + 10 + 16 * generation; 32])))
    };
    (0..=GENERATIONS_MAX).flat_map(of).collect()
});
static CERTIFICATES: LazyLock<Vec<(u8, ByteBuf)>> =
    LazyLock::new(|| KEYS.iter().map(|(role, generation, key)| (*generation, certificate(*role, key))).collect());

fn certificate(role: Role, key: &SecretKey) -> ByteBuf {
    let fields = CertificateFields {
        role,
        key: key.public(),
        organiser: "Harbour".to_owned(),
        events: vec![EventRange { first: EVENT, last: EVENT }],
        not_before_s: 0,
        not_after_s: u32::MAX,
    };
    let certificate = Certificate::issue(fields, &ROOT).expect("the fields are sound");
    ByteBuf::from(certificate.to_bytes())
}

pub struct Organiser {
    /// Counts the renewals of the issue and list keys.
    pub generation: u8,
    /// The time that was signed last.
    told: RefCell<Option<(i64, SignedTime)>>,
}

impl Organiser {
    pub fn new() -> Self {
        Organiser { generation: 0, told: RefCell::default() }
    }

    pub fn root_fingerprint(&self) -> [u8; 32] {
        ROOT.public().fingerprint()
    }

    pub fn key(&self, role: Role) -> &'static SecretKey {
        let renewed = if matches!(role, Role::Issue | Role::List | Role::Device) { self.generation } else { 0 };
        let key = KEYS.iter().find(|(of, generation, _)| (*of, *generation) == (role, renewed));
        &key.expect("there is a key for every role and generation").2
    }

    /// Those of all keys that have been in use.
    pub fn certificates(&self) -> Vec<ByteBuf> {
        let used = CERTIFICATES.iter().filter(|(generation, _)| *generation <= self.generation);
        used.map(|(_, certificate)| certificate.clone()).collect()
    }

    pub fn device_certificate(&self, device: DeviceId, key: &SecretKey, until_ms: i64) -> Vec<u8> {
        let not_after_s = u32::try_from(until_ms / 1000).expect("a time of this century");
        let fields = DeviceCertificateFields { device, key: key.public(), event: EVENT, not_before_s: 1, not_after_s };
        let certificate = DeviceCertificate::issue(fields, self.key(Role::Device)).expect("the fields are sound");
        certificate.to_bytes().to_vec()
    }

    pub fn bundle(
        &self,
        lane: LaneId,
        certificate: Vec<u8>,
        policy: &Policy,
        list_version: u64,
        now_ms: i64,
    ) -> StationBundle {
        StationBundle {
            organiser: "Harbour".to_owned(),
            root: ROOT.public().to_bytes().into(),
            certificates: self.certificates(),
            revocations: Vec::new(),
            device_certificate: ByteBuf::from(certificate),
            event: EventInfo {
                id: EVENT.0,
                name: "Harbour Nights".to_owned(),
                venue: "Pier".to_owned(),
                time_zone: "Asia/Kolkata".to_owned(),
                starts_at_ms: START_MS,
                ends_at_ms: START_MS + 7_200_000,
            },
            lane: lane.0,
            policy: Some(ByteBuf::from(policy.seal(self.key(Role::Policy)).expect("the policy is sound"))),
            time: self.time(now_ms),
            minimum_list_version: list_version,
            staff: None,
        }
    }

    pub fn time(&self, now_ms: i64) -> SignedTime {
        let mut told = self.told.borrow_mut();
        if let Some((_, time)) = told.as_ref().filter(|(at_ms, _)| *at_ms == now_ms) {
            return time.clone();
        }
        let time = SignedTime::seal(now_ms, self.key(Role::Time)).expect("a number can be written");
        *told = Some((now_ms, time.clone()));
        time
    }

    /// A signed list of what changed since `base`; 0 for all of it.
    pub fn list(
        &self,
        (version, base): (u64, u64),
        tickets: &[Issued],
        classes: &[ClassEntry],
        now_ms: i64,
    ) -> (Vec<u8>, Vec<pack::PackedChunk>) {
        let line = |ticket: &Issued| {
            let holder = phone(ticket.id, ticket.serial).public();
            ListLine {
                ticket: ticket.id,
                serial: ticket.serial,
                class: ticket.class,
                status: if ticket.revoked_to == Some(ticket.serial) {
                    TicketStatus::Revoked
                } else {
                    TicketStatus::Active
                },
                algorithm: HolderAlgorithm::Ed25519,
                slot: holder.to_slot(),
            }
        };
        let mut lines: Vec<_> = tickets.iter().filter(|ticket| ticket.changed > base).map(line).collect();
        lines.sort_by_key(|line| line.ticket);
        let chunks = if version == base { Vec::new() } else { pack::pack(&lines).expect("few lines") };
        let seconds = |ms: i64| u32::try_from(ms / 1000).expect("a time of this century");
        let manifest = ListManifest {
            event: EVENT,
            version,
            base,
            issued_at_s: seconds(now_ms),
            expires_at_s: seconds(now_ms + 12 * 3_600_000),
            tickets: tickets.len() as u32,
            classes: classes.to_vec(),
            chunks: chunks.iter().map(|chunk| chunk.named.clone()).collect(),
        };
        (envelope::seal(Purpose::List, &manifest.to_bytes(), self.key(Role::List)), chunks)
    }

    /// What a guest's phone shows at `now_ms`: the short code, or the full one.
    pub fn code(&self, ticket: &Issued, now_ms: i64, full: bool) -> UntrustedCode {
        let secret = phone(ticket.id, ticket.serial);
        let step = TimeStep::at(now_ms.div_euclid(1000));
        let presentation = Presentation::sign(EVENT, ticket.id, ticket.serial, step, Challenge::NONE, &secret);
        if !full {
            return UntrustedCode::Short(ShortCode { ticket: ticket.id, serial: ticket.serial, presentation });
        }
        let fields = CredentialFields {
            event: EVENT,
            ticket: ticket.id,
            serial: ticket.serial,
            flags: 0,
            class: ticket.class,
            valid_from_s: 0,
            valid_until_s: u32::MAX,
            holder: Some(secret.public()),
        };
        let credential = Credential::issue(fields, self.key(Role::Issue)).expect("the fields are sound");
        UntrustedCode::Full { credential: Box::new(credential), presentation }
    }
}

impl Default for Organiser {
    fn default() -> Self {
        Organiser::new()
    }
}

thread_local! {
    static PHONES: RefCell<HashMap<(TicketId, Serial), Rc<HolderSecret>>> = RefCell::default();
}

/// The key of the phone that this issue of a ticket is bound to.
fn phone(ticket: TicketId, serial: Serial) -> Rc<HolderSecret> {
    let made = || {
        let mut seed = [7; 32];
        seed[..8].copy_from_slice(&ticket.0.to_be_bytes());
        seed[8] = serial.get();
        Rc::new(HolderSecret::from_bytes(HolderAlgorithm::Ed25519, &seed).expect("any 32 bytes are a key"))
    };
    PHONES.with_borrow_mut(|phones| Rc::clone(phones.entry((ticket, serial)).or_insert_with(made)))
}
