//! The server in memory: rows merged by `gate_core::merge`, grants by `gate_core::owner`, the feed as `sync-server` gives it.
//!
//! What it answers is durable: each message is taken in whole or not at all.

use std::collections::{BTreeMap, BTreeSet};

use gate_core::chain::ChainHead;
use gate_core::clock::ClockReading;
use gate_core::merge::{self, ChainState, CheckedRow, Incident, KnownRow};
use gate_core::owner::{self, Ask, Owned};
use gate_core::wire::v1::{
    FeedMessage, GrantAnswer, GrantRequest, ReceiptPayload, ScanAnswer, ScanUpload, StationBundle,
};
use gate_core::{Grant, Passage, Policy};
use serde_bytes::ByteBuf;
use ticket_signer::{ClassEntry, DeviceId, LaneId, PublicKey, Role, SecretKey, Serial, TicketId};

use crate::organiser::{EVENT, Issued, Organiser};

/// A lane's device as the server knows it.
#[derive(Debug, Clone)]
pub struct Enrolled {
    pub key: PublicKey,
    pub lane: LaneId,
    pub certificate: Vec<u8>,
    pub revoked: bool,
}

/// Which row: device, chain, number.
pub type RowKey = (u64, u64, u64);

#[derive(Default)]
pub struct Cloud {
    pub organiser: Organiser,
    pub policy: Policy,
    pub classes: Vec<ClassEntry>,
    pub tickets: Vec<Issued>,
    pub list_version: u64,
    pub devices: BTreeMap<DeviceId, Enrolled>,
    /// Merged rows in the order of their merging; `true` for those kept apart.
    pub merged: Vec<(CheckedRow, bool)>,
    pub known: BTreeMap<RowKey, KnownRow>,
    pub heads: BTreeMap<(u64, u64), ChainHead>,
    pub incidents: BTreeSet<(u64, Incident)>,
    pub grants: Vec<Grant>,
}

impl Cloud {
    /// Takes rows in, and gives the receipt.
    pub fn upload(&mut self, device: DeviceId, upload: ScanUpload, now_ms: i64) -> ScanAnswer {
        let enrolled = self.devices[&device].clone();
        let rows = upload.rows.into_iter().map(Into::into).collect();
        let checked = merge::check(device, EVENT, &enrolled.key, rows);
        let mut answer = ScanAnswer {
            receipts: Vec::new(),
            stored: 0,
            duplicates: 0,
            incidents: Vec::new(),
            quarantined: enrolled.revoked,
        };
        self.incidents.extend(checked.incidents.iter().map(|incident| (device.0, *incident)));
        for (epoch, rows) in checked.chains {
            let head = self.heads.get(&(device.0, epoch)).copied().unwrap_or(ChainHead::start(epoch));
            let range = (device.0, epoch, 0)..=(device.0, epoch, u64::MAX);
            let known = self.known.range(range).map(|(key, row)| (key.2, *row)).collect();
            let plan = merge::plan(&ChainState { head, known }, rows);
            for row in plan.accepted {
                let key = (device.0, epoch, row.body.seq);
                self.known.insert(key, KnownRow { hash: row.hash, prev: row.body.prev });
                if !enrolled.revoked {
                    self.grants.retain(|grant| (grant.device.0, grant.chain, grant.seq) != key);
                }
                self.merged.push((row, enrolled.revoked));
                answer.stored += 1;
            }
            answer.duplicates += plan.duplicates;
            self.incidents.extend(plan.incidents.iter().map(|incident| (device.0, *incident)));
            self.heads.insert((device.0, epoch), plan.head);
            let payload = ReceiptPayload {
                device: device.0,
                event: EVENT.0,
                epoch,
                seq: plan.head.seq,
                hash: plan.head.hash.into(),
                at_ms: now_ms,
            };
            let receipt = payload.seal(&self.organiser.key(Role::Receipt)).expect("numbers can be written");
            answer.receipts.push(receipt);
        }
        answer
    }

    pub fn passages(&self, ticket: TicketId) -> Vec<Passage> {
        let counted = self.merged.iter().filter(|(_, apart)| !apart);
        counted.filter_map(|(row, _)| row.body.passage()).filter(|(of, _)| *of == ticket).map(|(_, one)| one).collect()
    }

    pub fn grant(&mut self, device: DeviceId, asked: &GrantRequest, now_ms: i64) -> GrantAnswer {
        let refused = |reason: String| GrantAnswer::Refused { reason };
        let ticket = TicketId(asked.ticket);
        let issued = self.tickets.iter().find(|issued| issued.id == ticket);
        let (Some(issued), Some(serial)) = (issued, Serial::new(asked.serial)) else {
            return refused("unknown".to_owned());
        };
        if self.devices[&device].revoked {
            return refused("revoked".to_owned());
        }
        let ask =
            Ask { event: EVENT, ticket, serial, device, chain: asked.chain, seq: asked.seq, guests: asked.guests };
        let row = |grant: &&Grant| {
            grant.ticket == ticket || (grant.device, grant.chain, grant.seq) == (device, asked.chain, asked.seq)
        };
        let owned = Owned {
            allowed: self.classes.iter().find(|class| class.class == issued.class).map_or(1, |class| class.admissions),
            serial: Some(issued.serial),
            revoked_to: issued.revoked_to,
            passages: self.passages(ticket),
            outstanding: self.grants.iter().filter(row).copied().collect(),
        };
        let ownership = self.policy.ownership(self.policy.home_group(issued.class, ticket));
        let now = ClockReading { now_ms, uncertainty_ms: 0, in_doubt: false, offset_ms: 0 };
        match owner::give(&ask, 0, &ownership, &owned, &now) {
            Ok(grant) => {
                if !self.grants.contains(&grant) {
                    self.grants.push(grant);
                }
                GrantAnswer::Granted(ByteBuf::from(grant.seal(&self.organiser.key(Role::Policy))))
            }
            Err(refusal) => refused(refusal.to_string()),
        }
    }

    /// The bundle, with a renewed lease; `None` for a revoked device.
    pub fn bundle(&mut self, device: DeviceId, key: &SecretKey, now_ms: i64) -> Option<StationBundle> {
        let lease_ms = i64::from(self.policy.lease_s) * 1000;
        let certificate = self.organiser.device_certificate(device, key, now_ms + lease_ms);
        let enrolled = self.devices.get_mut(&device).filter(|enrolled| !enrolled.revoked)?;
        enrolled.certificate.clone_from(&certificate);
        let lane = enrolled.lane;
        // A gate that has just enrolled may take the list that is there, and none before it.
        Some(self.organiser.bundle(lane, certificate, &self.policy, 1, now_ms))
    }

    pub fn list(&self, base: u64, now_ms: i64) -> (Vec<u8>, Vec<gate_core::pack::PackedChunk>) {
        self.organiser.list((self.list_version, base), &self.tickets, &self.classes, now_ms)
    }

    /// What a lane has not heard since `cursor`, with the cursor behind each; the time comes after all of it.
    pub fn feed(&self, device: DeviceId, cursor: u64, now_ms: i64) -> Vec<(u64, FeedMessage)> {
        let mut events = Vec::new();
        for (at, (row, apart)) in self.merged.iter().enumerate().skip(cursor as usize) {
            if !apart && row.body.device != device && row.body.passage().is_some() {
                let certificate = self.devices[&row.body.device].certificate.clone();
                let message = FeedMessage::Admission {
                    row: row.row.clone().into(),
                    device_certificate: ByteBuf::from(certificate),
                };
                events.push((at as u64 + 1, message));
            }
        }
        let end = self.merged.len() as u64;
        events.push((end, FeedMessage::List { version: self.list_version }));
        events.push((end, FeedMessage::Policy { version: self.policy.version }));
        events.push((end, FeedMessage::Time(self.organiser.time(now_ms))));
        events
    }
}
