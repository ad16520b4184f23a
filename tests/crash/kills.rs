//! SIGKILLs of handhelds and server while codes flow: nothing that was shown is unrecorded, nothing recorded is lost on its
//! way, nothing is there twice.
//!
//! Two lanes are typed printed codes, one ticket each, and texts that are no tickets. A handheld dies at a random moment or
//! at a crash point; what it had not answered is shown to it again after its restart, as a guest would.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use gate_core::row::text_hash;
use serde_json::Value;
use turnstone_test_vfs::Chance;
use turnstone_tests::guest::Issued;
use turnstone_tests::office::Office;
use turnstone_tests::process::{PATIENCE, program};
use turnstone_tests::server::run;
use turnstone_tests::site::{EVENT, LANES, STANDING, Site};

use crate::handheld::Handheld;

const POINTS: [&str; 3] = ["before-commit", "after-commit-before-show", "after-show-before-mark"];
/// How long a handheld with a crash point is given to reach it.
const DEATH: Duration = Duration::from_millis(500);
/// Codes that may wait at a lane before it is waited for.
const PENDING_MAX: usize = 8;

/// A lane, and what it was typed.
struct Lane {
    handheld: Handheld,
    /// Typed and not answered, in order: a handheld answers one after the other.
    pending: VecDeque<String>,
    /// How many of the handheld's lines were looked at.
    read: usize,
    fresh: BTreeSet<u64>,
    /// Every text that was typed, and the ticket that it is a code of.
    typed: BTreeMap<String, Option<String>>,
}

impl Lane {
    fn enrol(site: &Site, office: &mut Office, at: usize) -> Result<Self> {
        let folder = site.folder.join(format!("wedge-{at}"));
        std::fs::create_dir_all(&folder)?;
        let mut handheld = Handheld::new(&folder.join("data"), &folder.join("handheld.log"));
        handheld.enrol(site, office, at)?;
        let read = handheld.lines.len();
        Ok(Lane { handheld, pending: VecDeque::new(), read, fresh: BTreeSet::new(), typed: BTreeMap::new() })
    }

    fn show(&mut self, text: &str, ticket: Option<String>) {
        self.handheld.type_code(text);
        self.pending.push_back(text.to_owned());
        self.typed.insert(text.to_owned(), ticket);
    }

    /// Takes the answers out of `pending`.
    fn settle(&mut self) -> Result<()> {
        for line in &self.handheld.lines[self.read..] {
            if !line["outcome"].is_string() {
                continue;
            }
            let seq = line["seq"].as_u64().context("a verdict without its row")?;
            // One shown again was answered before, unless nobody had seen it.
            if line["recalled"] == false || !self.fresh.contains(&seq) {
                self.pending.pop_front().with_context(|| format!("a verdict that nothing asked for: {line}"))?;
                self.fresh.insert(seq);
            }
        }
        self.read = self.handheld.lines.len();
        Ok(())
    }

    fn wait_until_answered(&mut self, left: usize) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        while self.pending.len() > left {
            ensure!(Instant::now() < until, "not answered: {:?}", self.pending);
            self.handheld.listen(Duration::from_millis(20));
            self.settle()?;
        }
        Ok(())
    }

    /// Starts it again and shows it what it had not answered.
    fn restart(&mut self, crash_at: Option<&str>) -> Result<()> {
        self.handheld.start(crash_at)?;
        if let Err(error) = self.handheld.event("ready") {
            // A crash point may come before: a verdict is shown again first.
            ensure!(crash_at.is_some() && self.handheld.ends_within(DEATH)?, error);
        }
        self.settle()?;
        for text in self.pending.clone() {
            self.handheld.type_code(&text);
        }
        Ok(())
    }

    fn kill(&mut self) -> Result<()> {
        self.handheld.kill()?;
        self.settle()
    }
}

/// What happened.
#[derive(Debug, Default)]
struct Tally {
    of_handhelds: usize,
    at_crash_points: usize,
    of_server: usize,
    scans: usize,
    admitted: usize,
    recalled: usize,
}

struct Campaign {
    site: Site,
    lanes: Vec<Lane>,
    deck: Vec<Issued>,
    chance: Chance,
    tally: Tally,
    menu: u64,
}

impl Campaign {
    fn open(folder: &Path, seed: u64, tickets: usize) -> Result<Self> {
        let site = Site::open(folder)?;
        let mut office = Office::log_in(&site.server, EVENT.0)?;
        let mut deck = Vec::new();
        for (at, count) in (0..tickets).step_by(1_000).map(|from| (from, (tickets - from).min(1_000))) {
            deck.extend(site.issue(EVENT, &format!("batch-{at}"), &vec![STANDING; count])?);
        }
        let lanes = (0..LANES.len()).map(|at| Lane::enrol(&site, &mut office, at)).collect::<Result<_>>()?;
        Ok(Campaign { site, lanes, deck, chance: Chance::new(seed), tally: Tally::default(), menu: 0 })
    }

    /// Some codes in front of each lane.
    fn flow(&mut self) -> Result<()> {
        for lane in &mut self.lanes {
            lane.wait_until_answered(PENDING_MAX)?;
            for _ in 0..2 + self.chance.below(3) {
                if self.chance.once_in(6) {
                    self.menu += 1;
                    lane.show(&format!("https://example.com/menu/{}", self.menu), None);
                } else {
                    let issued = self.deck.pop().context("the campaign needs more tickets")?;
                    lane.show(&issued.printed, Some(issued.ticket.to_string()));
                }
            }
        }
        Ok(())
    }

    fn moment(&mut self, most_ms: u64) -> Duration {
        Duration::from_micros(self.chance.below(most_ms * 1000))
    }

    fn kill(&mut self, number: u64) -> Result<()> {
        self.flow()?;
        match number % 3 {
            2 => {
                let moment = self.moment(80);
                self.lanes[0].handheld.listen(moment);
                self.site.server.kill()?;
                self.flow()?;
                self.site.server.start()?;
                self.tally.of_server += 1;
            }
            at => {
                let moment = self.moment(25);
                let crash = (number / 3).is_multiple_of(2);
                let point = format!("{}:{}", POINTS[self.chance.below(3) as usize], 1 + self.chance.below(3));
                let lane = &mut self.lanes[at as usize];
                lane.handheld.listen(moment);
                lane.kill()?;
                self.tally.of_handhelds += 1;
                if crash {
                    lane.restart(Some(&point))?;
                    self.flow()?;
                    let lane = &mut self.lanes[at as usize];
                    self.tally.at_crash_points += usize::from(lane.handheld.ends_within(DEATH)?);
                    lane.kill()?;
                }
                self.lanes[at as usize].restart(None)?;
            }
        }
        Ok(())
    }

    /// Every row is receipted.
    fn wait_until_synced(&mut self) -> Result<()> {
        for lane in &mut self.lanes {
            lane.wait_until_answered(0)?;
            let until = Instant::now() + PATIENCE;
            loop {
                let (rows, summary) = lane.handheld.journal()?;
                if summary["receipted_seq"] == rows.len() {
                    break;
                }
                ensure!(Instant::now() < until, "rows wait for their receipt: {summary}");
                lane.handheld.listen(Duration::from_millis(100));
            }
        }
        Ok(())
    }

    /// Each lane's rows against what was typed and shown; returns the rows of all by device, epoch and number.
    fn check_lanes(&mut self) -> Result<BTreeMap<(String, String, u64), Value>> {
        let mut all = BTreeMap::new();
        for lane in &mut self.lanes {
            let rows = lane.handheld.check_verdicts()?;
            self.tally.recalled += lane.handheld.verdicts().filter(|verdict| verdict["recalled"] == true).count();
            let recorded: BTreeSet<&str> = rows.iter().filter_map(|row| row["code_sha256"].as_str()).collect();
            for (text, ticket) in &lane.typed {
                let hash: String = text_hash(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
                ensure!(recorded.contains(hash.as_str()), "a scan is lost: {text}");
                let Some(ticket) = ticket else { continue };
                let admitted =
                    rows.iter().filter(|row| row["ticket"] == ticket.as_str() && row["outcome"] == "admit").count();
                ensure!(admitted == 1, "ticket {ticket} was admitted {admitted} times");
                self.tally.admitted += 1;
            }
            self.tally.scans += rows.len();
            let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
            for row in rows {
                let key = (text(&row, "device"), text(&row, "epoch"), row["seq"].as_u64().unwrap_or(0));
                ensure!(all.insert(key, row).is_none(), "two rows with one number");
            }
        }
        Ok(all)
    }

    /// The server has each row once, and nothing else.
    fn check_server(&mut self, rows: &BTreeMap<(String, String, u64), Value>) -> Result<()> {
        let office = Office::log_in(&self.site.server, EVENT.0)?;
        let snapshot = office.snapshot()?;
        for (outcome, name) in [("admit", "admitted"), ("refuse", "refused"), ("review", "review")] {
            let here = rows.values().filter(|row| row["outcome"] == outcome).count() as u64;
            let there: u64 = snapshot["lanes"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|lane| lane["totals"][name].as_u64())
                .sum();
            ensure!(here == there, "{here} rows say {outcome}, and the supervisor sees {there}: {snapshot}");
        }
        ensure!(snapshot["conflicts"].as_array().is_some_and(Vec::is_empty), "each ticket was at one lane: {snapshot}");
        self.site.server.kill()?;
        let data = self.site.server.data();
        let mut command = program("sync-server")?;
        command.args(["check", "--data"]).arg(&data);
        run(command)?;
        let database = std::fs::read_dir(&data)?
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .find(|path| path.extension().is_some_and(|ending| ending == "db"))
            .context("the server's database")?;
        let connection = rusqlite::Connection::open(database)?;
        let incidents: i64 = connection.query_row("SELECT count(*) FROM incidents", [], |row| row.get(0))?;
        ensure!(incidents == 0, "{incidents} incidents");
        let mut statement = connection.prepare("SELECT device_id, epoch, seq, lower(hex(hash)) FROM scans")?;
        let stored = statement.query_map([], |row| {
            let number = |at| row.get::<_, i64>(at).map(|number| number as u64);
            let key = (format!("{:016x}", number(0)?), format!("{:016x}", number(1)?), number(2)?);
            Ok((key, row.get::<_, String>(3)?))
        })?;
        let mut found = 0;
        for row in stored {
            let (key, hash) = row?;
            let sent = rows.get(&key).with_context(|| format!("a row that no handheld has: {key:?}"))?;
            ensure!(sent["hash"] == hash.as_str(), "row {key:?} is another one");
            found += 1;
        }
        ensure!(found == rows.len(), "{found} of {} rows reached the server", rows.len());
        Ok(())
    }

    /// What was admitted once is used, at its lane, after all those deaths.
    fn check_used(&mut self) -> Result<()> {
        for lane in &mut self.lanes {
            // A code just shown is held off; a new life has seen none.
            lane.kill()?;
            lane.restart(None)?;
            let texts: Vec<String> =
                lane.typed.iter().filter(|(_, ticket)| ticket.is_some()).map(|(text, _)| text.clone()).collect();
            for text in texts.iter().step_by(texts.len() / 5 + 1) {
                let verdict = lane.handheld.scan(text)?;
                ensure!(verdict["reason"] == "used", "admitted twice: {verdict}");
                lane.read = lane.handheld.lines.len();
            }
        }
        Ok(())
    }
}

#[test]
fn kills_lose_nothing_double_nothing_and_show_nothing_unrecorded() -> Result<()> {
    let kills = crate::scaled(12, 200);
    let folder = tempfile::tempdir()?;
    let began = Instant::now();
    let mut campaign = Campaign::open(folder.path(), 3, kills as usize * 14 + 40)?;
    let mut done = 0;
    for number in 0..kills {
        // The long form ends after a quarter of an hour on a slow machine, and says how far it came.
        if began.elapsed() > Duration::from_secs(15 * 60) {
            break;
        }
        campaign.kill(number).with_context(|| format!("kill {number}"))?;
        done += 1;
    }
    campaign.wait_until_synced()?;
    let rows = campaign.check_lanes()?;
    campaign.check_server(&rows)?;
    campaign.check_used()?;
    let Tally { of_handhelds, at_crash_points, of_server, scans, admitted, recalled } = campaign.tally;
    println!(
        "kills: {} SIGKILLs ({of_handhelds} of handhelds at random, {at_crash_points} more at crash points, {of_server} of \
         the server) in {} s; {scans} scans, {admitted} guests admitted; lost 0, doubled 0, shown without a row 0; {recalled} \
         verdicts shown again after a death, marked; each row once at the server",
        of_handhelds + at_crash_points + of_server,
        began.elapsed().as_secs(),
    );
    ensure!(done == kills, "only {done} of {kills} kills within a quarter of an hour");
    Ok(())
}
