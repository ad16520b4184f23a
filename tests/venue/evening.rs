//! One evening: guests at every lane while the venue fails, and then the reckoning.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use turnstone_test_vfs::Chance;
use turnstone_tests::edge::Edge;
use turnstone_tests::guest::Issued;
use turnstone_tests::office::Office;
use turnstone_tests::process::{PATIENCE, program};
use turnstone_tests::server::run as run_command;
use turnstone_tests::site::{EVENT, STANDING, Site};

use crate::Size;
use crate::faults::Stage;
use crate::lane::Handheld;
use crate::network::Network;
use crate::watch::{self, Calm, Page, Sample};

/// Of the lanes, so many talk to the cloud itself.
const DIRECT: usize = 5;
/// The mean time between two guests at a lane: a tenth of an opening hour's 6 s.
const GUEST_EVERY_MS: u64 = 600;
/// A ticket is shown again at another lane after at least this many others.
const AGAIN_AFTER: usize = 12;
/// A lane is not shown any of its last tickets again: it holds them off for seconds.
const HELD_OFF: usize = 10;
/// How long everything may take to come together after the last fault.
const HEALING: Duration = Duration::from_secs(150);

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub fn run(network: &Network, size: Size) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let site = Site::open_at(folder.path(), Network::cloud_ip())?;
    let mut office = Office::log_in(&site.server, EVENT.0)?;
    let lane_ids = make_lanes(&site, size.lanes)?;
    let tickets = issue(&site, size.scans * 7 / 10)?;
    let mut edge = Edge::enrol_at(&site, &mut office, Network::edge_address(), Some(network.edge()))?;
    edge.start()?;
    let lanes = enrol(network, &mut office, &lane_ids, folder.path())?;
    let data: Vec<PathBuf> = lanes.iter().map(|lane| lock(lane).data()).collect();

    let (page, calm) = (Page::new(), Arc::new(Calm::default()));
    let watched_office = Office::log_in(&site.server, EVENT.0)?;
    let (site, edge) = (Mutex::new(site), Mutex::new(edge));
    let (samples, followed) = sync_channel(64);
    let (ending, ended) = channel();
    let left = AtomicUsize::new(size.scans);
    let begun = Instant::now();
    let mut at_lanes = std::thread::scope(|scope| -> Result<Vec<u128>> {
        let following = scope.spawn({
            let (calm, data) = (Arc::clone(&calm), data.clone());
            move || watch::lanes(followed, data, calm)
        });
        let looking = scope.spawn({
            let (page, calm) = (&page, &*calm);
            move || page.watch(&watched_office, calm)
        });
        let failing = scope.spawn({
            let (site, edge, lanes, calm) = (&site, &edge, &lanes, &*calm);
            move || -> Result<()> {
                let stage = Stage { network, site, edge, lanes, calm, pace: size.pace, ended: &ended };
                for round in 0..size.rounds {
                    if !stage.play(round)? {
                        break;
                    }
                }
                Ok(())
            }
        });
        let scanning: Vec<_> = lanes
            .iter()
            .enumerate()
            .map(|(at, lane)| {
                let gate = Gate { at, lane, tickets: &tickets, left: &left, page: &page, calm: &calm };
                let samples = samples.clone();
                scope.spawn(move || gate.work(&samples))
            })
            .collect();
        drop(samples);
        let worked: Result<Vec<()>> = scanning.into_iter().map(joined).collect();
        drop(ending);
        page.ended.store(true, Ordering::SeqCst);
        joined(failing)?;
        looking.join().ok().context("the page's watcher panicked")?;
        worked?;
        joined(following)
    })?;
    let took = begun.elapsed();
    let rows = together(&site, &data)?;
    let least = i64::try_from(size.scans * 95 / 100)?;
    ensure!(rows >= least, "{} scans left {rows} rows", size.scans);
    println!("{rows} rows of {} scans at {} lanes in {took:.0?}", size.scans, size.lanes);
    reckon(&lanes, &data, folder.path(), rows)?;
    report("an admission is at another lane", &mut at_lanes);
    report("the cloud's page shows what was admitted", &mut page.samples());
    Ok(())
}

fn joined<T>(handle: std::thread::ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    handle.join().ok().context("a thread panicked")?
}

fn report(what: &str, samples: &mut [u128]) {
    let count = samples.len();
    let (p50, p99) = (watch::quantile(samples, 0.5), watch::quantile(samples, 0.99));
    println!("{what}, while connected: p50 {p50:?} ms, p99 {p99:?} ms, n {count}");
}

/// Lanes in all; the first two are the site's.
fn make_lanes(site: &Site, lanes: usize) -> Result<Vec<u32>> {
    let base = format!("/api/v1/events/{EVENT}");
    let entrance = site.back_end.post(&format!("{base}/entrances"), "south", &json!({ "name": "South" }))?.ok()?;
    let mut ids = site.lane_ids.to_vec();
    for at in ids.len()..lanes {
        let body = json!({ "entrance_id": entrance["id"], "name": format!("South {at}") });
        let made = site.back_end.post(&format!("{base}/lanes"), &format!("south-{at}"), &body)?.ok()?;
        ids.push(u32::try_from(made["id"].as_u64().context("a lane without id")?)?);
    }
    Ok(ids)
}

fn issue(site: &Site, count: usize) -> Result<Vec<Issued>> {
    let mut tickets = Vec::new();
    while tickets.len() < count {
        let part = (count - tickets.len()).min(500);
        tickets.extend(site.issue(EVENT, &format!("batch-{}", tickets.len()), &vec![STANDING; part])?);
    }
    Ok(tickets)
}

fn enrol(network: &Network, office: &mut Office, lane_ids: &[u32], folder: &Path) -> Result<Vec<Mutex<Handheld>>> {
    let mut lanes = Vec::new();
    for (at, id) in lane_ids.iter().enumerate() {
        let mut lane = Handheld::new(at, network.lane(at), folder)?;
        lane.start()?;
        let code = if at % DIRECT == DIRECT - 1 {
            office.enrolment(*id, "", &folder.join("unused.png"))?
        } else {
            edge_code(office, *id)?
        };
        lane.enrol(office, &code)?;
        lanes.push(Mutex::new(lane));
    }
    Ok(lanes)
}

/// An enrolment code that names the edge, once the edge has said where it is.
fn edge_code(office: &mut Office, lane: u32) -> Result<String> {
    let (_never, pause) = channel::<()>();
    let until = Instant::now() + PATIENCE;
    loop {
        match office.enrolment_at_edge(lane) {
            Ok(code) => return Ok(code),
            Err(error) if Instant::now() > until => return Err(error),
            Err(_) => {
                let _ = pause.recv_timeout(Duration::from_millis(200));
            }
        }
    }
}

/// A lane with its guests.
struct Gate<'a> {
    at: usize,
    lane: &'a Mutex<Handheld>,
    tickets: &'a [Issued],
    left: &'a AtomicUsize,
    page: &'a Page,
    calm: &'a Calm,
}

impl Gate<'_> {
    fn work(&self, samples: &SyncSender<Sample>) -> Result<()> {
        let mut chance = Chance::new(0x7e57 + self.at as u64);
        let mut recent = VecDeque::new();
        let (_never, pause) = channel::<()>();
        while let Ok(left) = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)) {
            self.next(left, (&mut chance, &mut recent), samples, &pause)?;
            let _ = pause.recv_timeout(Duration::from_millis(chance.below(2 * GUEST_EVERY_MS)));
        }
        Ok(())
    }

    /// Seven of ten guests are new; the others show a ticket that was shown before, somewhere.
    fn next(
        &self,
        left: usize,
        (chance, recent): (&mut Chance, &mut VecDeque<usize>),
        samples: &SyncSender<Sample>,
        pause: &Receiver<()>,
    ) -> Result<()> {
        let done = self.tickets.len().saturating_sub(left * 7 / 10).min(self.tickets.len() - 1);
        let mut ticket = done;
        // What this lane was shown a moment ago it holds off.
        while recent.contains(&ticket) || (done > AGAIN_AFTER && ticket == done && chance.below(10) >= 7) {
            ticket = usize::try_from(chance.below(done as u64 + 1)).unwrap_or(0);
        }
        recent.push_back(ticket);
        if recent.len() > HELD_OFF {
            recent.pop_front();
        }
        let issued = &self.tickets[ticket];
        let before = self.calm.now();
        let scanned = loop {
            let mut lane = lock(self.lane);
            match lane.scan(&issued.printed, &issued.ticket.to_string()) {
                Ok(scanned) => break scanned,
                // It was killed: the guest waits for it to come back.
                Err(_) => drop(lane),
            }
            let _ = pause.recv_timeout(Duration::from_millis(200));
        };
        if let Some((seq, outcome, at)) = scanned
            && outcome == "admit"
        {
            self.page.admitted.fetch_add(1, Ordering::SeqCst);
            if let Some(calm) = before.filter(|_| chance.below(20) == 0) {
                let _ = samples.try_send(Sample { lane: self.at, seq, at, calm });
            }
        }
        Ok(())
    }
}

fn count(database: &Path, sql: &str) -> Result<i64> {
    let database = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    Ok(database.query_row(sql, [], |row| row.get(0))?)
}

/// Waits until the cloud has as many rows as the lanes; how many.
fn together(site: &Mutex<Site>, data: &[PathBuf]) -> Result<i64> {
    let cloud = lock(site).server.data().join("turnstone.db");
    let until = Instant::now() + HEALING;
    let (_never, pause) = channel::<()>();
    loop {
        let here: i64 = data
            .iter()
            .map(|lane| count(&lane.join("gate.db"), "SELECT COUNT(*) FROM journal"))
            .sum::<Result<i64>>()?;
        let there = count(&cloud, "SELECT COUNT(*) FROM scans")?;
        if here == there {
            return Ok(here);
        }
        ensure!(Instant::now() < until, "after {HEALING:?} the lanes have {here} rows and the cloud has {there}");
        let _ = pause.recv_timeout(Duration::from_millis(500));
    }
}

/// What was shown is in the journals, and the auditor finds every row of them at the cloud, once.
fn reckon(lanes: &[Mutex<Handheld>], data: &[PathBuf], folder: &Path, rows: i64) -> Result<()> {
    let mut files = vec![folder.join("cloud.jsonl")];
    let mut export = program("sync-server")?;
    export.arg("--data").arg(folder.join("organiser/server")).args(["export", "--event", &EVENT.to_string()]);
    export.arg(&files[0]);
    run_command(export)?;
    for (at, data) in data.iter().enumerate() {
        let file = folder.join(format!("lane-{at}.jsonl"));
        let mut export = program("scanner-app")?;
        export.arg("export").arg(&file).arg("--data").arg(data);
        run_command(export)?;
        files.push(file);
    }
    let mut auditor = program("turnstone-auditor")?;
    auditor.arg("--json").args(&files);
    let report: Value = serde_json::from_str(&run_command(auditor).context("the auditor found a difference")?)?;
    ensure!(report["totals"]["rows"] == rows, "{rows} rows, and the auditor counts {}", report["totals"]);
    let mut shown = BTreeMap::new();
    for lane in lanes {
        let mut lane = lock(lane);
        lane.listen()?;
        for (outcome, _) in lane.shown.values() {
            *shown.entry(outcome.clone()).or_insert(0) += 1;
        }
        let journal = lane.data().join("gate.db");
        let head = count(&journal, "SELECT COALESCE(MAX(seq), 0) FROM journal")?;
        let beyond = lane.shown.keys().find(|seq| i64::try_from(**seq).is_ok_and(|seq| seq > head));
        ensure!(beyond.is_none(), "lane {} showed row {beyond:?} and has {head}", lane.at);
    }
    println!("verdicts shown: {shown:?}; the auditor: {}", report["totals"]);
    Ok(())
}
