//! A handheld's database for the benches: a confirmed place, and lists taken in as `shell/sync` takes them.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use gate_core::pack::{self, PackedChunk};
use gate_core::wire::v1::EventInfo;
use scanner_app::core::sync_plan::{Live, Take, take};
use scanner_app::shell::journal::{ConfirmedRecord, Database, Journal, ListState, StationRecord, Use};
use ticket_signer::{ListManifest, ListedTicket, Purpose, Role, TrustStore, envelope};

use crate::site::{self, EVENT, NOW_S};

/// A list as it travels.
pub struct Packed {
    pub envelope: Vec<u8>,
    pub chunks: Vec<PackedChunk>,
}

impl Packed {
    /// Packs and signs; `base` 0 for a full list. `tickets` ascend by id; `in_all` is the number once it is applied.
    pub fn make(version: u64, base: u64, tickets: &[ListedTicket], in_all: usize) -> Result<Self> {
        let lines: Vec<_> = tickets.iter().map(ticket_signer::list::ListLine::from).collect();
        let chunks = pack::pack(&lines)?;
        let manifest = site::manifest(version, base, in_all, &chunks);
        let envelope = envelope::seal(Purpose::List, &manifest.to_bytes(), &site::key(Role::List));
        Ok(Packed { envelope, chunks })
    }

    /// Checks everything and unpacks it, without keeping it.
    pub fn open(&self, trust: &TrustStore) -> Result<(ListManifest, Vec<ListedTicket>)> {
        let payload = envelope::open(Purpose::List, &self.envelope, trust, EVENT, NOW_S)?;
        let manifest = ListManifest::from_bytes(payload)?;
        let mut tickets = Vec::new();
        for (named, chunk) in manifest.chunks.iter().zip(&self.chunks) {
            for line in pack::open(named, &chunk.bytes)? {
                tickets.push(line.open()?);
            }
        }
        Ok((manifest, tickets))
    }
}

/// A database in `folder` with a confirmed place, and no list yet.
pub fn database(folder: &Path) -> Result<Database> {
    const EPOCH: u64 = 0x5EED;
    let database = Database::open(folder, None, EPOCH)?;
    let mut journal = database.connect(Use::Background)?;
    let policy = site::policy().seal(&site::key(Role::Policy))?;
    journal.keep_pending(&StationRecord {
        server: "https://gate.example".to_owned(),
        tls_pin: [0; 32],
        root_fingerprint: site::root().public().fingerprint(),
        device: site::DEVICE,
        confirmed: None,
    })?;
    journal.keep_confirmed(&ConfirmedRecord {
        root: site::root().public().to_bytes(),
        organiser: site::ORGANISER.to_owned(),
        event: EventInfo {
            id: EVENT.0,
            name: "Harbour Nights".to_owned(),
            venue: "Pier".to_owned(),
            time_zone: "Asia/Kolkata".to_owned(),
            starts_at_ms: NOW_S * 1000,
            ends_at_ms: (NOW_S + 7_200) * 1000,
        },
        lane: site::LANE,
        device_certificate: site::device_certificate(site::DEVICE, &site::device_key(0))?,
        lease_until_ms: (NOW_S + 43_200) * 1000,
        minimum_list_version: 1,
        policy: Some(policy),
        certificates: Role::ALL.into_iter().map(site::certificate).collect::<Result<_>>()?,
        revocations: Vec::new(),
    })?;
    let settings = journal.settings()?;
    ensure!(settings == ["wal", "2", "1"], "a connection does not keep what it commits: {settings:?}");
    Ok(database)
}

/// Takes a list in: signature, versions, hashes, staging in small transactions, one commit to show.
pub fn take_list(journal: &mut Journal, packed: &Packed, trust: &TrustStore) -> Result<ListState> {
    let payload = envelope::open(Purpose::List, &packed.envelope, trust, EVENT, NOW_S)?;
    let manifest = ListManifest::from_bytes(payload)?;
    let live = journal.live_list(EVENT)?.map(|list| Live { version: list.version, tickets: list.tickets });
    ensure!(take(&manifest, EVENT, live, 1, NOW_S)? != Take::Renewal, "the list says nothing new");
    let mut staging = journal.stage(&packed.envelope, &manifest)?;
    while let Some(named) = manifest.chunks.get(staging.next_chunk) {
        let chunk = packed.chunks.get(staging.next_chunk).context("a chunk is missing")?;
        journal.stage_chunk(&mut staging, &pack::open(named, &chunk.bytes)?)?;
    }
    Ok(journal.make_live(staging, &manifest)?)
}

/// Deletes what no list needs any more, step by step.
pub fn sweep(journal: &mut Journal) -> Result<()> {
    while journal.sweep()? {}
    Ok(())
}
