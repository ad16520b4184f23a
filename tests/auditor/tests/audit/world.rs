//! An organiser, tickets and handhelds whose journals `gate-core` writes, and the export of it all, to be spoilt line by line.

use std::collections::BTreeMap;

use gate_core::policy::ClassPartition;
use gate_core::record::{Scan, StaffAct, Station, record_act};
use gate_core::{ClockReading, Direction, Grant, LanePolicy, Partition, Policy, Reach, record};
use serde_json::{Value, json};
use ticket_signer::certificate::CertificateFields;
use ticket_signer::code::{ShortCode, parse};
use ticket_signer::presentation::Presentation;
use ticket_signer::{
    Certificate, Challenge, ClassEntry, ClassId, Credential, CredentialFields, DeviceId, EventId, EventRange,
    HolderAlgorithm, HolderSecret, LaneId, ListedTicket, Role, SecretKey, Serial, TicketId, TicketStatus, TimeStep,
    TrustStore, UntrustedCode, VerifyContext, verify,
};

mod device;
mod lines;

pub use device::Device;
use device::Tx;
pub use lines::*;

pub const EVENT: EventId = EventId(7);
/// Unix milliseconds: the middle of the event.
pub const NOW_MS: i64 = 1_800_000_000_000;
pub const ORGANISER: &str = "Test Hall";

/// Classes: one guest, four guests, paper, and one under the strict rule.
pub const ONE: ClassId = ClassId(3);
pub const FOUR: ClassId = ClassId(4);
pub const PAPER: ClassId = ClassId(5);
pub const STRICT: ClassId = ClassId(6);

pub fn key(seed: u8) -> SecretKey {
    SecretKey::from_bytes(&[seed; 32])
}

pub fn root() -> SecretKey {
    key(1)
}

const ROLES: [(Role, u8); 4] = [(Role::Issue, 2), (Role::Policy, 3), (Role::Receipt, 4), (Role::Device, 5)];

pub fn authority(role: Role) -> SecretKey {
    key(ROLES.iter().find(|(known, _)| *known == role).unwrap().1)
}

pub fn certificate(role: Role, key: &SecretKey) -> Vec<u8> {
    let fields = CertificateFields {
        role,
        key: key.public(),
        organiser: ORGANISER.to_owned(),
        events: vec![EventRange { first: EVENT, last: EventId(9) }],
        not_before_s: 1_700_000_000,
        not_after_s: 1_900_000_000,
    };
    Certificate::issue(fields, &root()).unwrap().to_bytes()
}

/// Everything.
pub struct World {
    pub policy: Policy,
    pub list: BTreeMap<u64, ListedTicket>,
    pub classes: Vec<ClassEntry>,
    pub devices: Vec<Device>,
    pub now_ms: i64,
    pub uncertainty_ms: u32,
}

impl World {
    /// Lanes 1 and 2 let in, lane 3 lets out.
    pub fn new() -> Self {
        let lane = |lane: u32, direction| LanePolicy {
            lane,
            name: format!("Lane {lane}"),
            entrance: "North".to_owned(),
            direction,
            ..LanePolicy::default()
        };
        let class = |class: ClassId, admissions| ClassEntry {
            class,
            name: format!("Class {class}"),
            valid_from_s: (NOW_MS / 1000 - 3600) as u32,
            valid_until_s: (NOW_MS / 1000 + 3600) as u32,
            admissions,
            flags: 0,
        };
        let policy = Policy {
            event: EVENT.0,
            version: 4,
            issued_at_ms: NOW_MS - 3_600_000,
            partition: Partition::Open,
            class_partitions: vec![ClassPartition { class: STRICT.0, partition: Partition::Strict }],
            printed_classes: vec![PAPER.0],
            lanes: vec![lane(1, Direction::In), lane(2, Direction::In), lane(3, Direction::Out)],
            ..Policy::default()
        };
        let device = |nth: u8| Device {
            id: DeviceId(0xD0 + u64::from(nth)),
            lane: LaneId(u32::from(nth)),
            seed: 20 + nth,
            rows: Vec::new(),
            heard: Vec::new(),
            lease_until_s: (NOW_MS / 1000 + 7200) as u32,
            reach: Reach::Server,
        };
        World {
            policy,
            list: BTreeMap::new(),
            classes: vec![class(ONE, 1), class(FOUR, 4), class(PAPER, 1), class(STRICT, 1)],
            devices: vec![device(1), device(2), device(3)],
            now_ms: NOW_MS,
            uncertainty_ms: 20,
        }
    }

    /// A ticket on a phone; the odd ones have P-256.
    pub fn holder(ticket: u64) -> HolderSecret {
        let algorithm = if ticket.is_multiple_of(2) { HolderAlgorithm::Ed25519 } else { HolderAlgorithm::P256 };
        HolderSecret::from_bytes(algorithm, &[100 + (ticket % 50) as u8; 32]).unwrap()
    }

    /// Lists a ticket on a phone, with serial 2.
    pub fn list(&mut self, ticket: u64, class: ClassId) {
        let holder = Some(Self::holder(ticket).public());
        let serial = Serial::new(2).unwrap();
        let entry = ListedTicket { ticket: TicketId(ticket), serial, class, status: TicketStatus::Active, holder };
        self.list.insert(ticket, entry);
    }

    /// Lists a printed ticket, with serial 1.
    pub fn list_printed(&mut self, ticket: u64) {
        let ticket_id = TicketId(ticket);
        let entry = ListedTicket {
            ticket: ticket_id,
            serial: Serial::FIRST,
            class: PAPER,
            status: TicketStatus::Active,
            holder: None,
        };
        self.list.insert(ticket, entry);
    }

    fn moment(&self, ticket: u64) -> Presentation {
        let step = TimeStep::at(self.now_ms / 1000);
        let serial = Serial::new(2).unwrap();
        Presentation::sign(EVENT, TicketId(ticket), serial, step, Challenge::NONE, &Self::holder(ticket))
    }

    pub fn short(&self, ticket: u64) -> String {
        let presentation = self.moment(ticket);
        let serial = Serial::new(2).unwrap();
        UntrustedCode::Short(ShortCode { ticket: TicketId(ticket), serial, presentation }).to_text()
    }

    pub fn credential(ticket: u64, class: ClassId, bound: bool, issuer: &SecretKey) -> Box<Credential> {
        let fields = CredentialFields {
            event: EVENT,
            ticket: TicketId(ticket),
            serial: Serial::new(if bound { 2 } else { 1 }).unwrap(),
            flags: 0,
            class,
            valid_from_s: 1_799_000_000,
            valid_until_s: 1_801_000_000,
            holder: bound.then(|| Self::holder(ticket).public()),
        };
        Box::new(Credential::issue(fields, issuer).unwrap())
    }

    pub fn full(&self, ticket: u64, class: ClassId) -> String {
        let credential = Self::credential(ticket, class, true, &authority(Role::Issue));
        UntrustedCode::Full { credential, presentation: self.moment(ticket) }.to_text()
    }

    pub fn printed(&self, ticket: u64) -> String {
        let credential = Self::credential(ticket, PAPER, false, &authority(Role::Issue));
        UntrustedCode::Printed { credential }.to_text()
    }

    pub fn wait_s(&mut self, seconds: i64) {
        self.now_ms += seconds * 1000;
    }

    fn trust() -> TrustStore {
        let mut trust = TrustStore::new(root().public(), ORGANISER);
        for (role, seed) in ROLES {
            trust.add_certificate(&certificate(role, &key(seed))).unwrap();
        }
        trust
    }

    /// Runs `act` at a lane, as its handheld would.
    fn at_lane<T>(&mut self, nth: usize, act: impl FnOnce(Tx<'_>, &Station<'_>) -> T) -> T {
        let World { policy, list, classes, devices, now_ms, uncertainty_ms } = self;
        let device = &mut devices[nth - 1];
        let (id, lane, reach, key) = (device.id, device.lane, device.reach, device.key());
        let now = ClockReading { now_ms: *now_ms, uncertainty_ms: *uncertainty_ms, in_doubt: false, offset_ms: -7 };
        let station = Station { device: id, key: &key, event: EVENT, lane, policy: Some(policy), reach, now };
        act(Tx { device, list, classes }, &station)
    }

    /// Scans a code at lane `nth`, and returns the reason.
    pub fn scan(&mut self, nth: usize, text: &str) -> &'static str {
        self.scan_with(nth, text, None)
    }

    pub fn scan_with(&mut self, nth: usize, text: &str, grant: Option<(&Grant, &[u8])>) -> &'static str {
        let trust = Self::trust();
        let verified = parse(text).map_err(Into::into).and_then(|code| {
            let entry = self.list.get(&code.ticket().0);
            let now_s = self.now_ms / 1000;
            verify(&code, &VerifyContext { event: EVENT, trust: &trust, entry, now_s, freshness_steps: 2 })
        });
        let scan = Scan { text: text.as_bytes().to_vec(), verified };
        let Ok(recorded) = self.at_lane(nth, |tx, station| record(tx, &scan, grant, station));
        recorded.decision().reason.code()
    }

    pub fn act(&mut self, nth: usize, act: StaffAct) -> &'static str {
        let Ok(recorded) = self.at_lane(nth, |tx, station| record_act(tx, &act, None, station));
        recorded.expect("the row that it follows is there").decision().reason.code()
    }

    /// The owner's grant for the next row of lane `nth`.
    pub fn grant(&self, nth: usize, ticket: u64) -> (Grant, Vec<u8>) {
        let device = &self.devices[nth - 1];
        let grant = Grant {
            event: EVENT,
            ticket: TicketId(ticket),
            device: device.id,
            chain: device.epoch(),
            seq: device.head().seq + 1,
            guests: 1,
            epoch: 0,
            until_ms: self.now_ms + 10_000,
        };
        (grant, grant.seal(&authority(Role::Policy)))
    }

    /// Everybody hears what everybody did.
    pub fn share(&mut self) {
        (1..=self.devices.len()).for_each(|nth| self.hear(nth));
    }

    /// Lane `nth` hears what the others did.
    pub fn hear(&mut self, nth: usize) {
        let rows = self.devices.iter().flat_map(|device| &device.rows);
        let id = self.devices[nth - 1].id;
        let heard = rows.filter_map(|row| row.passage).filter(|(_, passage)| passage.device != id).collect();
        self.devices[nth - 1].heard = heard;
    }

    /// A receipt for a device's row.
    pub fn receipt(&self, nth: usize, seq: u64) -> Vec<u8> {
        let device = &self.devices[nth - 1];
        let row = &device.rows[seq as usize - 1];
        receipt(device.id, row.body.epoch, seq, row.hash, self.now_ms)
    }

    /// The export: what is signed, then each row as the cloud's and as the device's, with a receipt for all.
    pub fn export(&self) -> Vec<Value> {
        let mut lines = self.export_without_rows();
        for (nth, device) in self.devices.iter().enumerate() {
            for row in &device.rows {
                for source in ["cloud", "device"] {
                    lines.push(row_line(&row.row, source));
                }
            }
            if !device.rows.is_empty() {
                lines
                    .push(json!({ "kind": "receipt", "bytes": b64(&self.receipt(nth + 1, device.rows.len() as u64)) }));
            }
        }
        lines
    }

    /// As [`export`](Self::export) without receipts: of rows that were made up.
    pub fn export_as_it_is(&self) -> Vec<Value> {
        let mut lines = self.export_without_rows();
        let rows = self.devices.iter().flat_map(|device| &device.rows);
        lines.extend(rows.flat_map(|row| ["cloud", "device"].map(|source| row_line(&row.row, source))));
        lines
    }

    pub fn export_without_rows(&self) -> Vec<Value> {
        let mut lines =
            vec![json!({ "kind": "root", "organiser": ORGANISER, "key": b64(&root().public().to_bytes()) })];
        let mut signed = |kind: &str, bytes: &[u8]| lines.push(json!({ "kind": kind, "bytes": b64(bytes) }));
        for (role, seed) in ROLES {
            signed("certificate", &certificate(role, &key(seed)));
        }
        for device in &self.devices {
            let from = (NOW_MS / 1000 - 60) as u32;
            signed("device_certificate", &device.certificate(from, device.lease_until_s, &authority(Role::Device)));
        }
        signed("policy", &self.policy.seal(&authority(Role::Policy)).unwrap());
        for class in &self.classes {
            lines.push(json!({
                "kind": "class", "event": EVENT.0, "class": class.class.0, "name": class.name, "flags": class.flags,
                "valid_from_s": class.valid_from_s, "valid_until_s": class.valid_until_s, "admissions": class.admissions,
            }));
        }
        lines.extend(self.list.values().map(listed_line));
        lines
    }
}
