//! The venue's edge: a server between some lanes and the cloud. It keeps their rows, feeds rows to its lanes, forwards them
//! to the cloud, and passes on what the cloud has signed: receipts, lists, policies, leases. It signs the time and grants
//! itself. When the cloud is away its lanes still hear each other; its store can be lost.
//!
//! A store has a name of its own, which is the node that may own groups, and the feed's generation: an edge whose store was
//! lost is another node, and grants nothing of what the old one owned.

use std::collections::{BTreeMap, BTreeSet};

use gate_core::mutant::{Mutant, planted};
use gate_core::ownership::Owner;
use gate_core::wire::v1::{GrantAnswer, GrantRequest, Receipt, ScanAnswer, ScanUpload, StationBundle, WireRow};
use gate_core::{Grant, Policy, SignedRow, pack};
use ticket_signer::{ClassEntry, DeviceId, TicketId};

use crate::cloud::{Cloud, Enrolled};
use crate::organiser::{EVENT, Issued};

/// Rows of one lane in one talk with the cloud.
const ROWS_MAX: usize = 200;
/// How often it talks to the cloud, how long it waits for an answer, and when it takes the cloud for gone; milliseconds.
const EVERY_MS: i64 = 1_000;
const PATIENCE_MS: i64 = 6_000;
const GONE_MS: i64 = 8_000;
/// Lanes are told that the others are heard only while the other side was heard this lately, in milliseconds.
pub const HEARD_MS: i64 = 20_000;

/// An edge's word that it has stopped to own a group, with all that it granted.
#[derive(Debug, Clone)]
pub struct Word {
    pub group: u16,
    pub epoch: u64,
    pub given: Vec<Grant>,
}

/// What the edge says to the cloud.
#[derive(Debug, Clone)]
pub struct Sync {
    pub node: u64,
    pub rows: Vec<(DeviceId, ScanUpload)>,
    pub cursor: u64,
    pub list_version: u64,
    pub words: Vec<Word>,
    /// These are all rows that it had.
    pub all: bool,
}

/// What the cloud answers.
#[derive(Debug, Clone)]
pub struct Synced {
    pub node: u64,
    /// The rows of others from this cursor on, and the cursor behind them.
    pub from: u64,
    pub rows: Vec<(DeviceId, SignedRow)>,
    pub end: u64,
    /// By device: up to which row, and the cloud's word for it.
    pub receipts: Vec<(DeviceId, u64, Receipt)>,
    pub devices: BTreeMap<DeviceId, Enrolled>,
    pub policy: Policy,
    /// Which keys are in use: an edge never passes a row on before the certificates that it is believed by.
    pub generation: u8,
    pub list: Option<Copied>,
}

/// The cloud's signed list as the edge keeps it, and what it reads in it.
#[derive(Debug, Clone)]
pub struct Copied {
    pub version: u64,
    pub envelope: Vec<u8>,
    pub chunks: Vec<pack::PackedChunk>,
    pub tickets: Vec<Issued>,
    pub classes: Vec<ClassEntry>,
}

/// What is durable at the edge.
#[derive(Default)]
struct Store {
    /// Rows, devices, policy and outstanding grants: a server's, as the cloud's are.
    site: Cloud,
    cursor: u64,
    list: Option<Copied>,
    receipts: BTreeMap<DeviceId, (u64, Receipt)>,
    bundles: BTreeMap<DeviceId, StationBundle>,
    /// All that was granted, by group and epoch.
    given: BTreeMap<(u16, u64), Vec<Grant>>,
    /// Groups and epochs that it has stopped to own.
    stopped: BTreeSet<(u16, u64)>,
}

pub struct Edge {
    /// Its lanes' devices.
    pub lanes: BTreeSet<DeviceId>,
    store: Store,
    running: bool,
    restart_ms: i64,
    loses: bool,
    heard_ms: i64,
    /// When it took in what the others did, since it runs; and ever, for the checks.
    took_ms: Option<i64>,
    pub took_ever_ms: i64,
    /// When it talks next, and when it gives the present talk up.
    next_ms: i64,
    waits_until_ms: Option<i64>,
    /// Rows that were there before a restart, for a planted fault.
    forgets_before: usize,
}

impl Edge {
    pub fn new(lanes: BTreeSet<DeviceId>, now_ms: i64) -> Self {
        let store = Store { site: Cloud { node: 1, ..Cloud::default() }, ..Store::default() };
        Edge {
            lanes,
            store,
            running: true,
            restart_ms: 0,
            loses: false,
            heard_ms: now_ms,
            took_ms: None,
            took_ever_ms: now_ms,
            next_ms: now_ms,
            waits_until_ms: None,
            forgets_before: 0,
        }
    }

    pub fn node(&self) -> u64 {
        self.store.site.node
    }

    pub fn is_running(&self) -> bool {
        self.running
    }

    /// The cloud has answered lately.
    pub fn hears_cloud(&self, now_ms: i64) -> bool {
        now_ms - self.heard_ms < GONE_MS
    }

    /// Whether its lanes may be told that all others are heard: the cloud was, or there are no others.
    pub fn hears_all(&self, now_ms: i64) -> bool {
        let here = |(id, device): (&DeviceId, &Enrolled)| device.revoked || self.lanes.contains(id);
        self.took_ms.is_some_and(|took_ms| now_ms - took_ms < HEARD_MS)
            || (!self.store.site.devices.is_empty() && self.store.site.devices.iter().all(here))
            || planted(Mutant::EdgeSaysAllAreHeard)
    }

    pub fn site(&self) -> &Cloud {
        &self.store.site
    }

    pub fn granted(&self) -> u64 {
        self.store.given.values().map(|given| given.len() as u64).sum()
    }

    /// How much of the cloud's feed it has heard.
    pub fn cursor(&self) -> u64 {
        self.store.cursor
    }

    /// It ends here; `loses`: and comes back with an empty store.
    pub fn stop(&mut self, restart_ms: i64, loses: bool) {
        self.running = false;
        self.restart_ms = restart_ms;
        self.loses |= loses;
    }

    /// Starts again when it is time.
    pub fn wake(&mut self, now_ms: i64) {
        if self.running || now_ms < self.restart_ms {
            return;
        }
        self.running = true;
        (self.next_ms, self.waits_until_ms) = (now_ms, None);
        self.heard_ms = now_ms - GONE_MS;
        self.took_ms = None;
        if self.loses {
            let node = if planted(Mutant::LostStoreKeepsItsName) { self.node() } else { self.node() + 1 };
            self.store = Store { site: Cloud { node, ..Cloud::default() }, ..Store::default() };
            self.loses = false;
        }
        if planted(Mutant::NothingForwardedAfterRestart) {
            self.forgets_before = self.store.site.merged.len();
        }
    }

    /// What it has to say to the cloud, when it is time.
    pub fn talk(&mut self, now_ms: i64) -> Option<Sync> {
        if self.waits_until_ms.is_some_and(|until_ms| now_ms >= until_ms) {
            self.waits_until_ms = None;
        }
        if !self.running || self.waits_until_ms.is_some() || now_ms < self.next_ms {
            return None;
        }
        self.waits_until_ms = Some(now_ms + PATIENCE_MS);
        self.next_ms = now_ms + EVERY_MS;
        let mut rows: BTreeMap<DeviceId, Vec<(u64, WireRow)>> = BTreeMap::new();
        // Of one lane's rows only so many go at a time.
        let mut all = true;
        for (row, _) in self.store.site.merged.iter().skip(self.forgets_before) {
            let device = row.body.device;
            let receipted = self.store.receipts.get(&device).map_or(0, |(seq, _)| *seq);
            if self.lanes.contains(&device) && row.body.seq > receipted {
                rows.entry(device).or_default().push((row.body.seq, row.row.clone().into()));
            }
        }
        let upload = |(device, mut rows): (DeviceId, Vec<(u64, WireRow)>)| {
            rows.sort_by_key(|(seq, _)| *seq);
            all &= rows.len() <= ROWS_MAX;
            rows.truncate(ROWS_MAX);
            (device, ScanUpload { event: EVENT.0, rows: rows.into_iter().map(|(_, row)| row).collect() })
        };
        let word = |(group, epoch): &(u16, u64)| Word {
            group: *group,
            epoch: *epoch,
            given: self.store.given.get(&(*group, *epoch)).cloned().unwrap_or_default(),
        };
        let rows = rows.into_iter().map(upload).collect();
        Some(Sync {
            node: self.node(),
            rows,
            all,
            cursor: self.store.cursor,
            list_version: self.store.list.as_ref().map_or(0, |list| list.version),
            words: self.store.stopped.iter().map(word).collect(),
        })
    }

    /// Takes the cloud's answer in.
    pub fn hear(&mut self, synced: Synced, now_ms: i64) {
        if !self.running || synced.node != self.node() {
            return;
        }
        self.waits_until_ms = None;
        self.heard_ms = now_ms;
        let store = &mut self.store;
        if synced.policy.version >= store.site.policy.version {
            store.site.policy = synced.policy;
            store.site.devices = synced.devices;
        }
        store.site.organiser.generation = store.site.organiser.generation.max(synced.generation);
        if synced.from == store.cursor {
            for (device, row) in synced.rows {
                store.site.merge(device, vec![row], false);
            }
            store.cursor = synced.end;
            self.took_ms = Some(now_ms);
            self.took_ever_ms = now_ms;
        }
        for (device, seq, receipt) in synced.receipts {
            if seq > store.receipts.get(&device).map_or(0, |(known, _)| *known) {
                store.receipts.insert(device, (seq, receipt));
            }
        }
        if let Some(list) = synced.list.filter(|list| store.list.as_ref().is_none_or(|own| own.version < list.version))
        {
            store.site.classes.clone_from(&list.classes);
            store.site.tickets.clone_from(&list.tickets);
            store.site.list_version = list.version;
            store.list = Some(list);
        }
        // Asked to stop, it stops, and says so from now on.
        let node = store.site.node;
        let asked = store.site.policy.owners.iter().filter(|own| own.owner == Owner::Node(node) && own.releasing);
        store.stopped.extend(asked.map(|own| (own.group, own.epoch)));
    }

    /// A lane's rows: kept, and answered with what the cloud has signed for.
    pub fn upload(&mut self, device: DeviceId, upload: ScanUpload, now_ms: i64) -> Option<ScanAnswer> {
        let revoked = self.store.site.devices.get(&device)?.revoked;
        let rows = upload.rows.into_iter().map(Into::into).collect();
        let own = self.store.site.merge(device, rows, revoked);
        if planted(Mutant::EdgeReceiptsItself) {
            return Some(self.store.site.answer(device, own, now_ms));
        }
        let receipts = self.store.receipts.get(&device).map(|(_, receipt)| receipt.clone());
        Some(ScanAnswer { receipts: receipts.into_iter().collect(), ..self.store.site.answer(device, own, now_ms) })
    }

    pub fn list(&self) -> Option<&Copied> {
        self.store.list.as_ref()
    }

    /// The bundle that the cloud made last, with this edge's time, and with all certificates that the edge has: a lane gives
    /// the rows of an authority up when two bundles have not named it.
    pub fn bundle(&self, device: DeviceId, now_ms: i64) -> Option<StationBundle> {
        let bundle = self.store.bundles.get(&device)?.clone();
        let own = &self.store.site.organiser;
        let certificates = [bundle.certificates, own.certificates()].into_iter().max_by_key(Vec::len);
        let certificates = certificates.unwrap_or_default();
        Some(StationBundle { time: own.time(now_ms), certificates, ..bundle })
    }

    pub fn keep_bundle(&mut self, device: DeviceId, bundle: Option<StationBundle>) {
        match bundle {
            Some(bundle) => self.store.bundles.insert(device, bundle),
            None => self.store.bundles.remove(&device),
        };
    }

    /// Its word on a question, where it owns the ticket's group; `None` where the cloud is to be asked.
    pub fn grant(&mut self, device: DeviceId, asked: &GrantRequest, now_ms: i64) -> Option<GrantAnswer> {
        let site = &mut self.store.site;
        let ticket = TicketId(asked.ticket);
        let class = site.tickets.iter().find(|issued| issued.id == ticket)?.class;
        let own = site.policy.ownership(site.policy.home_group(class, ticket));
        if own.owner != Owner::Node(site.node) && !planted(Mutant::OtherNodeGrants) {
            return None;
        }
        if !own.heard(self.store.cursor) || self.store.stopped.contains(&(own.group, own.epoch)) {
            return Some(GrantAnswer::Refused { reason: "not settled".to_owned() });
        }
        let before = site.grants.clone();
        let answer = site.grant(device, asked, now_ms);
        let new = site.grants.iter().filter(|grant| !before.contains(grant)).copied();
        self.store.given.entry((own.group, own.epoch)).or_default().extend(new);
        Some(answer)
    }
}

impl Cloud {
    /// What the cloud answers to an edge.
    pub fn sync(&mut self, asked: Sync, now_ms: i64) -> Synced {
        let mut receipts = Vec::new();
        for (device, upload) in asked.rows {
            let answer = self.upload(device, upload, now_ms);
            let head =
                self.heads.range((device.0, 0)..=(device.0, u64::MAX)).next_back().map_or(0, |(_, head)| head.seq);
            receipts.extend(answer.receipts.into_iter().map(|receipt| (device, head, receipt)));
        }
        for word in asked.words {
            self.take_word(word);
        }
        self.edge_node = asked.node;
        if asked.all {
            self.edge_brought_ms = now_ms;
        }
        let from = asked.cursor.min(self.merged.len() as u64);
        let counted = self.merged.iter().skip(from as usize).filter(|(_, apart)| !apart);
        let list = (asked.list_version != self.list_version).then(|| {
            let (envelope, chunks) = self.list(0, now_ms);
            let (tickets, classes) = (self.tickets.clone(), self.classes.clone());
            Copied { version: self.list_version, envelope, chunks, tickets, classes }
        });
        Synced {
            node: asked.node,
            from,
            rows: counted.map(|(row, _)| (row.body.device, row.row.clone())).collect(),
            end: self.merged.len() as u64,
            receipts,
            devices: self.devices.clone(),
            policy: self.policy.clone(),
            generation: self.organiser.generation,
            list,
        }
    }

    /// An edge has stopped: what it granted counts here until the rows have come.
    fn take_word(&mut self, word: Word) {
        if !self.words.insert((word.group, word.epoch)) {
            return;
        }
        for grant in word.given {
            let key = (grant.device.0, grant.chain, grant.seq);
            let same = |row: &gate_core::RowBody| (row.device.0, row.epoch, row.seq) == key;
            let counted = self.merged.iter().any(|(row, apart)| !apart && same(&row.body));
            if !counted && !self.grants.contains(&grant) {
                self.grants.push(grant);
            }
        }
    }
}
