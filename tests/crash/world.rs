//! An event, its keys and its tickets, fixed by seeds: what a handheld on a disk of its own needs to decide.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use gate_core::clock::Anchor;
use gate_core::record::{Scan, Station};
use gate_core::wire::v1::EventInfo;
use gate_core::{ClockReading, LanePolicy, Partition, Policy, Reach, UnlistedPrinted};
use scanner_app::shell::clock::Clock;
use scanner_app::shell::journal::{ConfirmedRecord, Database, Journal, StationRecord, Use};
use scanner_app::shell::keystore;
use ticket_signer::certificate::CertificateFields;
use ticket_signer::code::{self, ShortCode};
use ticket_signer::list::{ListLine, TicketStatus};
use ticket_signer::presentation::Presentation;
use ticket_signer::{
    Certificate, Challenge, ClassEntry, ClassId, Credential, CredentialFields, DeviceId, EventId, EventRange,
    HolderAlgorithm, HolderSecret, LaneId, ListManifest, ListedTicket, Rejection, Role, SecretKey, Serial, TicketId,
    TimeStep, TrustStore, UntrustedCode, VerifyContext, keyfile, verify,
};

pub const EVENT: EventId = EventId(7);
pub const LANE: LaneId = LaneId(1);
pub const CLASS: ClassId = ClassId(3);
/// Unix seconds: the middle of the event, where a test has no clock.
pub const NOW_S: i64 = 1_800_000_000;
/// How many tickets the list names.
pub const TICKETS: u64 = 30;

/// Keys and tickets.
pub struct World {
    pub device: DeviceId,
    pub device_key: SecretKey,
    pub issuer: SecretKey,
    pub trust: TrustStore,
    pub policy: Policy,
    root: SecretKey,
    certificates: Vec<Vec<u8>>,
    sealed_policy: Vec<u8>,
    /// Unix seconds: the middle of the event.
    now_s: i64,
}

fn serial(serial: u8) -> Result<Serial> {
    Serial::new(serial).context("a serial is 1 to 254")
}

fn holder(ticket: TicketId, serial: Serial) -> Result<HolderSecret> {
    let mut seed = [serial.get(); 32];
    seed[..8].copy_from_slice(&ticket.0.to_be_bytes());
    Ok(HolderSecret::from_bytes(HolderAlgorithm::Ed25519, &seed)?)
}

impl World {
    /// An event whose middle is at `now_s`, unix seconds.
    pub fn new(now_s: i64) -> Result<Self> {
        let root = SecretKey::from_bytes(&[1; 32]);
        let issuer = SecretKey::from_bytes(&[11; 32]);
        let policy_key = SecretKey::from_bytes(&[12; 32]);
        let mut trust = TrustStore::new(root.public(), "Organiser");
        let mut certificates = Vec::new();
        for (role, key) in [(Role::Issue, &issuer), (Role::Policy, &policy_key)] {
            let fields = CertificateFields {
                role,
                key: key.public(),
                organiser: "Organiser".to_owned(),
                events: vec![EventRange { first: EVENT, last: EVENT }],
                not_before_s: 0,
                not_after_s: u32::MAX,
            };
            let certificate = Certificate::issue(fields, &root)?.to_bytes();
            trust.add_certificate(&certificate)?;
            certificates.push(certificate);
        }
        let lane = LanePolicy {
            lane: LANE.0,
            name: "Lane 1".to_owned(),
            entrance: "North".to_owned(),
            group: 0,
            ..LanePolicy::default()
        };
        let policy = Policy {
            event: EVENT.0,
            version: 1,
            issued_at_ms: 0,
            partition: Partition::Open,
            class_partitions: Vec::new(),
            freshness_steps: 2,
            hold_off_ms: 5_000,
            lease_s: 43_200,
            printed_classes: Vec::new(),
            unlisted_printed: UnlistedPrinted::Review,
            home_groups: 1,
            lanes: vec![lane],
            ..Policy::default()
        };
        let device_key = SecretKey::from_bytes(&[21; 32]);
        let sealed_policy = policy.seal(&policy_key)?;
        let device = DeviceId(0xD0);
        Ok(World { device, device_key, issuer, trust, policy, root, certificates, sealed_policy, now_s })
    }

    /// The ticket at this place of the list.
    pub fn ticket(&self, at: u64) -> TicketId {
        TicketId(1 + (at % TICKETS) * 0x1_0001)
    }

    /// Gives the handheld its place, as a confirmation would.
    pub fn place(&self, journal: &mut Journal) -> Result<()> {
        if journal.station()?.is_some_and(|station| station.confirmed.is_some()) {
            return Ok(());
        }
        let station = StationRecord {
            server: "https://localhost:1".to_owned(),
            tls_pin: [0; 32],
            root_fingerprint: self.root.public().fingerprint(),
            device: self.device,
            confirmed: None,
        };
        journal.keep_pending(&station)?;
        journal.keep_confirmed(&ConfirmedRecord {
            root: self.root.public().to_bytes(),
            organiser: "Organiser".to_owned(),
            event: EventInfo {
                id: EVENT.0,
                name: "Friday".to_owned(),
                venue: "Pier".to_owned(),
                time_zone: "Europe/Berlin".to_owned(),
                starts_at_ms: (self.now_s - 3600) * 1000,
                ends_at_ms: (self.now_s + 3600) * 1000,
            },
            lane: LANE,
            device_certificate: Vec::new(),
            lease_until_ms: (self.now_s + 36_000) * 1000,
            minimum_list_version: 1,
            policy: Some(self.sealed_policy.clone()),
            certificates: self.certificates.clone(),
            revocations: Vec::new(),
        })?;
        Ok(())
    }

    /// Makes a handheld's data folder: key, place, list and a clock that was told the time just now.
    pub fn install(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder)?;
        let key = folder.join(keystore::FILE);
        std::fs::write(&key, keyfile::write_secret(&self.device_key).as_bytes())?;
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600))?;
        let mut journal = Database::open(folder, None, 0xE90C)?.connect(Use::Background)?;
        self.place(&mut journal)?;
        self.list(&mut journal, 1)?;
        let at = Clock::new(None).device();
        journal.keep_anchor(&Anchor { signed_ms: at.system_ms, at, uncertainty_ms: 20 })?;
        Ok(())
    }

    /// Stages the list of this version and makes it live. Version 1 is the full list; each later one is a delta that revokes
    /// one ticket.
    pub fn list(&self, journal: &mut Journal, version: u64) -> Result<()> {
        let entry = |at: u64, status| -> Result<ListLine> {
            let (ticket, first) = (self.ticket(at), serial(1)?);
            let holder = Some(holder(ticket, first)?.public());
            Ok(ListLine::from(&ListedTicket { ticket, serial: first, class: CLASS, status, holder }))
        };
        let tickets: Vec<ListLine> = match version {
            1 => (0..TICKETS).map(|at| entry(at, TicketStatus::Active)).collect::<Result<_>>()?,
            _ => vec![entry(version, TicketStatus::Revoked)?],
        };
        let manifest = ListManifest {
            event: EVENT,
            version,
            base: version - 1,
            issued_at_s: self.now_s as u32,
            expires_at_s: (self.now_s + 7200) as u32,
            tickets: TICKETS as u32,
            classes: vec![ClassEntry {
                class: CLASS,
                name: "Standing".to_owned(),
                valid_from_s: (self.now_s - 3600) as u32,
                valid_until_s: (self.now_s + 3600) as u32,
                admissions: 2,
                flags: 0,
            }],
            chunks: Vec::new(),
        };
        let mut staging = journal.stage(&manifest.to_bytes(), &manifest)?;
        if staging.next_chunk == 0 {
            journal.stage_chunk(&mut staging, &tickets)?;
        }
        journal.make_live(staging, &manifest)?;
        Ok(())
    }

    fn present(&self, ticket: TicketId, shown: Serial, at_s: i64) -> Result<Presentation> {
        let key = holder(ticket, shown)?;
        Ok(Presentation::sign(EVENT, ticket, shown, TimeStep::at(at_s), Challenge::NONE, &key))
    }

    /// The short code that the ticket's phone shows at `at_s`.
    pub fn short(&self, ticket: TicketId, at_s: i64) -> Result<String> {
        let (shown, presentation) = (serial(1)?, self.present(ticket, serial(1)?, at_s)?);
        Ok(UntrustedCode::Short(ShortCode { ticket, serial: shown, presentation }).to_text())
    }

    /// The full code of a re-issue that no list has: it raises the gate's floor.
    pub fn full(&self, ticket: TicketId, shown: u8, at_s: i64) -> Result<String> {
        let shown = serial(shown)?;
        let fields = CredentialFields {
            event: EVENT,
            ticket,
            serial: shown,
            flags: 0,
            class: CLASS,
            valid_from_s: (self.now_s - 3600) as u32,
            valid_until_s: (self.now_s + 3600) as u32,
            holder: Some(holder(ticket, shown)?.public()),
        };
        let credential = Box::new(Credential::issue(fields, &self.issuer)?);
        Ok(UntrustedCode::Full { credential, presentation: self.present(ticket, shown, at_s)? }.to_text())
    }

    /// Checks a code as the gate does before its transaction.
    pub fn scan(&self, journal: &Journal, text: &str, at_s: i64) -> Result<Scan> {
        let verified = match code::parse(text) {
            Err(error) => Err(Rejection::from(error)),
            Ok(untrusted) => {
                let entry = journal.listed(EVENT, untrusted.ticket())?;
                let context = VerifyContext {
                    event: EVENT,
                    trust: &self.trust,
                    entry: entry.as_ref(),
                    now_s: at_s,
                    freshness_steps: 2,
                };
                verify(&untrusted, &context)
            }
        };
        Ok(Scan { text: text.as_bytes().to_vec(), verified })
    }

    /// Where and when the scan happens.
    pub fn station(&self, at_s: i64) -> Station<'_> {
        Station {
            device: self.device,
            key: &self.device_key,
            event: EVENT,
            lane: LANE,
            policy: Some(&self.policy),
            reach: Reach::Alone,
            now: ClockReading { now_ms: at_s * 1000, uncertainty_ms: 40, in_doubt: false, offset_ms: 0 },
        }
    }
}
