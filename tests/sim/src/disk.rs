//! A handheld's database, as its transactions leave it: what the journal of `scanner-app` keeps in SQLite.
//!
//! A commit is all or nothing and durable when it returns; a crash can be armed at each step around it.

use std::collections::BTreeMap;

use gate_core::chain::ChainHead;
use gate_core::clock::Anchor;
use gate_core::mutant::{Mutant, planted};
use gate_core::record::{JournalTx, NewRow};
use gate_core::{GateView, Passage, SignedRow, TicketView};
use ticket_signer::{ClassEntry, ListManifest, ListedTicket, Serial, TicketId, TicketStatus};

/// Everything that is durable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Disk {
    pub chain: u64,
    pub rows: Vec<NewRow>,
    pub passages: BTreeMap<TicketId, Vec<Passage>>,
    pub floor: BTreeMap<TicketId, Serial>,
    pub revoked: BTreeMap<TicketId, Serial>,
    pub listed: BTreeMap<TicketId, ListedTicket>,
    pub list_version: Option<u64>,
    pub list_expires_at_s: i64,
    pub classes: Vec<ClassEntry>,
    pub lease_until_ms: i64,
    pub cursor: u64,
    /// Whose cursor it is.
    pub generation: u64,
    pub receipted_seq: u64,
    pub shown_seq: u64,
    pub anchor: Option<Anchor>,
}

/// Where a process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    BeforeCommit,
    /// The commit was being written: its tail is torn, and recovery drops it.
    WithinCommit,
    AfterCommit,
    AfterShow,
}

/// The process ended in the transaction.
#[derive(Debug, PartialEq, Eq)]
pub struct Crashed;

/// One transaction of a scan.
pub struct Tx<'a> {
    pub disk: &'a mut Disk,
    pub crash: Option<Point>,
    pub pending: Option<NewRow>,
}

impl JournalTx for Tx<'_> {
    type Error = Crashed;

    fn ticket(&mut self, ticket: TicketId) -> Result<TicketView, Crashed> {
        Ok(TicketView {
            entry: self.disk.listed.get(&ticket).cloned(),
            floor: self.disk.floor.get(&ticket).copied(),
            revoked_to: self.disk.revoked.get(&ticket).copied(),
            passages: self.disk.passages.get(&ticket).cloned().unwrap_or_default(),
        })
    }

    fn gate(&mut self) -> Result<GateView, Crashed> {
        Ok(GateView {
            list_version: self.disk.list_version,
            list_expires_at_s: self.disk.list_expires_at_s,
            lease_until_ms: self.disk.lease_until_ms,
            cursor: self.disk.cursor,
            classes: self.disk.classes.clone(),
        })
    }

    fn head(&mut self) -> Result<ChainHead, Crashed> {
        Ok(self.disk.head())
    }

    fn row(&mut self, seq: u64) -> Result<Option<SignedRow>, Crashed> {
        Ok(self.disk.rows.iter().find(|row| row.body.seq == seq).map(|row| row.row.clone()))
    }

    fn append(&mut self, row: &NewRow) -> Result<(), Crashed> {
        self.pending = Some(row.clone());
        Ok(())
    }

    fn commit(self) -> Result<(), Crashed> {
        if matches!(self.crash, Some(Point::BeforeCommit | Point::WithinCommit)) {
            return Err(Crashed);
        }
        if let Some(row) = self.pending {
            self.disk.take(row);
        }
        if self.crash == Some(Point::AfterCommit) { Err(Crashed) } else { Ok(()) }
    }
}

impl Disk {
    pub fn head(&self) -> ChainHead {
        let start = ChainHead::start(self.chain);
        self.rows.last().map_or(start, |row| ChainHead { seq: row.body.seq, hash: row.hash, ..start })
    }

    fn take(&mut self, row: NewRow) {
        if let Some((ticket, passage)) = row.passage {
            self.add_passage(ticket, passage);
        }
        if let Some((ticket, serial)) = row.raise_floor {
            let floor = self.floor.entry(ticket).or_insert(serial);
            *floor = serial.max(*floor);
        }
        self.rows.push(row);
    }

    /// The same passage again changes nothing.
    pub fn add_passage(&mut self, ticket: TicketId, passage: Passage) {
        let known = self.passages.entry(ticket).or_default();
        if known.iter().all(|one| one.row() != passage.row()) {
            known.push(passage);
        }
    }

    /// Makes a list live, with its revocations.
    pub fn make_live(&mut self, manifest: &ListManifest, tickets: Vec<ListedTicket>) {
        if manifest.base == 0 {
            self.listed.clear();
        }
        for ticket in tickets {
            let lost = planted(Mutant::RevocationLostOnDelta) && manifest.base > 0;
            if ticket.status == TicketStatus::Revoked && !lost {
                let revoked = self.revoked.entry(ticket.ticket).or_insert(ticket.serial);
                *revoked = ticket.serial.max(*revoked);
            }
            self.listed.insert(ticket.ticket, ticket);
        }
        self.list_version = Some(manifest.version);
        self.list_expires_at_s = self.list_expires_at_s.max(i64::from(manifest.expires_at_s));
        self.classes.clone_from(&manifest.classes);
    }

    /// Takes the live list of another handheld, which has checked it.
    pub fn copy_list(&mut self, of: &Disk) {
        self.listed.clone_from(&of.listed);
        self.classes.clone_from(&of.classes);
        (self.list_version, self.list_expires_at_s) = (of.list_version, of.list_expires_at_s);
    }

    /// How many guests a ticket lets in, by the class of one of its rows or its list line.
    pub fn allowed(&self, class: ticket_signer::ClassId) -> u8 {
        self.classes.iter().find(|entry| entry.class == class).map_or(1, |entry| entry.admissions)
    }
}
