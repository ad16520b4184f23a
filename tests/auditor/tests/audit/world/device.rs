//! A handheld and its journal in memory.

use std::collections::BTreeMap;

use gate_core::chain::{ChainHead, row_hash};
use gate_core::record::NewRow;
use gate_core::{GateView, JournalTx, Passage, Reach, RowBody, SignedRow, TicketView};
use ticket_signer::certificate::DeviceCertificateFields;
use ticket_signer::{ClassEntry, DeviceCertificate, DeviceId, LaneId, ListedTicket, SecretKey, TicketId};

use super::{EVENT, key};

/// A handheld with its journal.
pub struct Device {
    pub id: DeviceId,
    pub lane: LaneId,
    pub seed: u8,
    pub rows: Vec<NewRow>,
    /// What it has heard of other lanes.
    pub(super) heard: Vec<(TicketId, Passage)>,
    pub lease_until_s: u32,
    pub reach: Reach,
}

pub(super) struct Tx<'a> {
    pub(super) device: &'a mut Device,
    pub(super) list: &'a BTreeMap<u64, ListedTicket>,
    pub(super) classes: &'a [ClassEntry],
}

impl JournalTx for Tx<'_> {
    type Error = std::convert::Infallible;

    fn ticket(&mut self, ticket: TicketId) -> Result<TicketView, Self::Error> {
        let own = self.device.rows.iter().filter_map(|row| row.passage);
        let heard = self.device.heard.iter().copied();
        let passages = own.chain(heard).filter(|(of, _)| *of == ticket).map(|(_, passage)| passage).collect();
        Ok(TicketView { entry: self.list.get(&ticket.0).cloned(), floor: None, revoked_to: None, passages })
    }

    fn gate(&mut self) -> Result<GateView, Self::Error> {
        Ok(GateView {
            list_version: Some(3),
            list_expires_at_s: i64::MAX,
            lease_until_ms: i64::from(self.device.lease_until_s) * 1000,
            cursor: 0,
            classes: self.classes.to_vec(),
        })
    }

    fn head(&mut self) -> Result<ChainHead, Self::Error> {
        Ok(self.device.head())
    }

    fn row(&mut self, seq: u64) -> Result<Option<SignedRow>, Self::Error> {
        Ok(self.device.rows.iter().find(|row| row.body.seq == seq).map(|row| row.row.clone()))
    }

    fn append(&mut self, row: &NewRow) -> Result<(), Self::Error> {
        self.device.rows.push(row.clone());
        Ok(())
    }

    fn commit(self) -> Result<(), Self::Error> {
        Ok(())
    }
}

impl Device {
    pub fn epoch(&self) -> u64 {
        u64::from(self.seed) << 32 | 42
    }

    pub fn head(&self) -> ChainHead {
        let start = ChainHead::start(self.epoch());
        self.rows.last().map_or(start, |row| ChainHead { seq: row.body.seq, hash: row.hash, ..start })
    }

    pub fn key(&self) -> SecretKey {
        key(self.seed)
    }

    pub fn certificate(&self, from_s: u32, until_s: u32, authority: &SecretKey) -> Vec<u8> {
        let fields = DeviceCertificateFields {
            device: self.id,
            key: self.key().public(),
            event: EVENT,
            not_before_s: from_s,
            not_after_s: until_s,
        };
        DeviceCertificate::issue(fields, authority).unwrap().to_bytes().to_vec()
    }

    /// Writes row `at` (from 0) anew, as a device would that lies, and chains what follows to it.
    pub fn rewrite(&mut self, at: usize, change: impl FnOnce(&mut RowBody)) {
        change(&mut self.rows[at].body);
        self.rechain(at);
    }

    pub fn rechain(&mut self, from: usize) {
        let key = self.key();
        for at in from..self.rows.len() {
            if at > from {
                self.rows[at].body.prev = self.rows[at - 1].hash;
            }
            let row = &mut self.rows[at];
            row.row = row.body.sign(&key);
            row.hash = row_hash(&row.row.bytes);
        }
    }
}
