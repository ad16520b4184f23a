//! The server in memory: rows merged by `gate_core::merge`, grants by `gate_core::owner`, the feed as `sync-server` gives it.
//!
//! What it answers is durable: each message is taken in whole or not at all.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use gate_core::chain::ChainHead;
use gate_core::clock::ClockReading;
use gate_core::merge::{self, ChainState, CheckedRow, Incident, KnownRow};
use gate_core::owner::{self, Ask, Owned};
use gate_core::wire::v1::{
    FeedMessage, GrantAnswer, GrantRequest, ReceiptPayload, ScanAnswer, ScanUpload, StationBundle,
};
use gate_core::{Grant, Passage, Policy, SignedRow};
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
    /// Merged rows that the feed tells.
    pub fed: u64,
    /// Which server it is; the cloud is 0.
    pub node: u64,
    /// The edge's store, as it last called itself.
    pub edge_node: u64,
    /// When it last brought all that it had.
    pub edge_brought_ms: i64,
    /// Groups and epochs that an edge has said to own no longer.
    pub words: BTreeSet<(u16, u64)>,
}

/// By hash and signature.
type Sound = HashMap<([u8; 32], [u8; 64]), CheckedRow>;

thread_local! {
    /// Rows that the product's check has found sound. The same bytes come again and again: while an answer is lost, by way of
    /// the edge, and when everything is merged once more in another order. A signature is as good the second time.
    static SOUND: RefCell<Sound> = RefCell::default();
}

/// Forgets the rows of the run before.
pub(crate) fn forget_rows() {
    SOUND.with_borrow_mut(HashMap::clear);
}

fn checked(device: DeviceId, key: &PublicKey, rows: Vec<SignedRow>) -> merge::Upload {
    let mut known = Vec::new();
    let new = SOUND.with_borrow(|sound| {
        let is_new = |row: &SignedRow| match sound.get(&(row.hash(), row.signature)) {
            Some(checked) if checked.body.device == device => {
                known.push(checked.clone());
                false
            }
            _ => true,
        };
        rows.into_iter().filter(is_new).collect()
    });
    let mut upload = merge::check(device, EVENT, key, new);
    SOUND.with_borrow_mut(|sound| {
        let fresh = upload.chains.values().flatten();
        sound.extend(fresh.map(|row| ((row.hash, row.row.signature), row.clone())));
    });
    for row in known {
        upload.chains.entry(row.body.epoch).or_default().push(row);
    }
    for rows in upload.chains.values_mut() {
        rows.sort_by_key(|row| row.body.seq);
    }
    upload
}

/// What came of rows that were taken in.
#[derive(Debug, Default)]
pub struct Merged {
    stored: u32,
    duplicates: u32,
    heads: Vec<ChainHead>,
}

impl Cloud {
    /// Takes rows in, and gives the receipt.
    pub fn upload(&mut self, device: DeviceId, upload: ScanUpload, now_ms: i64) -> ScanAnswer {
        let rows = upload.rows.into_iter().map(Into::into).collect();
        let merged = self.merge(device, rows, self.devices[&device].revoked);
        self.answer(device, merged, now_ms)
    }

    /// Takes rows in; `apart`: and counts them for nothing.
    pub fn merge(&mut self, device: DeviceId, rows: Vec<SignedRow>, apart: bool) -> Merged {
        let Some(enrolled) = self.devices.get(&device).cloned() else { return Merged::default() };
        let checked = checked(device, &enrolled.key, rows);
        let mut merged = Merged::default();
        self.incidents.extend(checked.incidents.iter().map(|incident| (device.0, *incident)));
        for (epoch, rows) in checked.chains {
            let head = self.heads.get(&(device.0, epoch)).copied().unwrap_or(ChainHead::start(epoch));
            let range = (device.0, epoch, 0)..=(device.0, epoch, u64::MAX);
            let known = self.known.range(range).map(|(key, row)| (key.2, *row)).collect();
            if !apart {
                self.count(&rows);
            }
            let plan = merge::plan(&ChainState { head, known }, rows);
            for row in plan.accepted {
                let key = (device.0, epoch, row.body.seq);
                self.known.insert(key, KnownRow { hash: row.hash, prev: row.body.prev });
                if !apart {
                    self.grants.retain(|grant| (grant.device.0, grant.chain, grant.seq) != key);
                }
                self.fed += u64::from(!apart && row.body.passage().is_some());
                self.merged.push((row, apart));
                merged.stored += 1;
            }
            merged.duplicates += plan.duplicates;
            self.incidents.extend(plan.incidents.iter().map(|incident| (device.0, *incident)));
            self.heads.insert((device.0, epoch), plan.head);
            merged.heads.push(plan.head);
        }
        merged
    }

    /// Rows that an edge had put aside, and that the cloud counts: the cloud had them before the device was revoked.
    fn count(&mut self, rows: &[CheckedRow]) {
        if self.node == 0 {
            return;
        }
        for row in rows {
            let same = |(known, _): &&(CheckedRow, bool)| known.hash == row.hash;
            let mut known = self.merged.iter().filter(same).peekable();
            if known.peek().is_some() && known.all(|(_, apart)| *apart) {
                self.fed += u64::from(row.body.passage().is_some());
                self.merged.push((row.clone(), false));
            }
        }
    }

    /// The answer to an upload, with this server's own receipts.
    pub fn answer(&self, device: DeviceId, merged: Merged, now_ms: i64) -> ScanAnswer {
        let receipt = |head: ChainHead| {
            let payload = ReceiptPayload {
                device: device.0,
                event: EVENT.0,
                epoch: head.epoch,
                seq: head.seq,
                hash: head.hash.into(),
                at_ms: now_ms,
            };
            payload.seal(self.organiser.key(Role::Receipt)).expect("numbers can be written")
        };
        ScanAnswer {
            receipts: merged.heads.into_iter().map(receipt).collect(),
            stored: merged.stored,
            duplicates: merged.duplicates,
            incidents: Vec::new(),
            quarantined: self.devices.get(&device).is_some_and(|enrolled| enrolled.revoked),
        }
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
        match owner::give(&ask, self.node, &ownership, &owned, &now) {
            Ok(grant) => {
                if !self.grants.contains(&grant) {
                    self.grants.push(grant);
                }
                GrantAnswer::Granted(ByteBuf::from(grant.seal(self.organiser.key(Role::Policy))))
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
    /// `time_ms`: and the time, which says that the lane has heard the others.
    pub fn feed(&self, device: DeviceId, cursor: u64, time_ms: Option<i64>) -> Vec<(u64, FeedMessage)> {
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
        events.extend(time_ms.map(|time_ms| (end, FeedMessage::Time(self.organiser.time(time_ms)))));
        events
    }
}
