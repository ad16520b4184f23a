//! A venue's edge between lanes and the organiser's server: with the internet gone its lanes go on sharing.

use anyhow::{Result, ensure};
use rusqlite::{Connection, OpenFlags};
use ticket_signer::HolderAlgorithm;
use turnstone_tests::edge::Edge;
use turnstone_tests::guest::Guest;
use turnstone_tests::lane::Lane;
use turnstone_tests::office::Office;
use turnstone_tests::process::PATIENCE;
use turnstone_tests::site::{EVENT, STANDING};

use crate::open_site;

/// Asks until `wanted` says what it saw; each question waits for the server's next snapshot or answer.
fn until<T>(what: &str, mut wanted: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let begun = std::time::Instant::now();
    loop {
        if let Some(found) = wanted()? {
            return Ok(found);
        }
        ensure!(begun.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
        std::thread::yield_now();
    }
}

fn admitted(office: &Office) -> Result<i64> {
    let snapshot = office.snapshot()?;
    let lanes = snapshot["lanes"].as_array().into_iter().flatten();
    Ok(lanes.filter_map(|lane| lane["totals"]["admitted"].as_i64()).sum())
}

/// Rows of other lanes that a handheld has durably.
fn received(lane: &Lane) -> Result<i64> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let journal = Connection::open_with_flags(lane.data().join("gate.db"), flags)?;
    Ok(journal.query_row("SELECT COUNT(*) FROM received", [], |row| row.get(0))?)
}

#[test]
fn lanes_share_admissions_through_their_edge_while_the_internet_is_down() -> Result<()> {
    let (_folder, site, mut office) = open_site()?;
    let issued = site.issue(EVENT, "batch", &[STANDING, STANDING, STANDING])?;
    let guests = [0, 1, 2].map(|at| Guest::bind(&site.server.client()?, EVENT, &issued[at], HolderAlgorithm::Ed25519));
    let [first, second, third] = guests;
    let (first, second, third) = (first?, second?, third?);
    let mut edge = Edge::enrol(&site, &mut office)?;
    edge.start()?;
    until("the edge's address", || Ok(office.enrolment_at_edge(site.lane_ids[0]).ok()))?;
    let mut north = site.enrol_at_edge(&mut office, 0)?;
    let mut south = site.enrol_at_edge(&mut office, 1)?;
    // With the internet: the row goes through, and the receipt that comes back is the cloud's.
    let verdict = north.scan(&first.short())?;
    ensure!(verdict["outcome"] == "admit", "{verdict}");
    north.event("receipt", |event| event["seq"] == 1)?;
    ensure!(admitted(&office)? == 1, "the organiser's server has the row");
    // Without: the other lane refuses what this one admitted, and the edge's page shows it.
    site.relay.cut();
    let page = edge.office(EVENT.0)?;
    let verdict = north.scan(&second.short())?;
    ensure!(verdict["outcome"] == "admit", "{verdict}");
    until("the admission at the edge", || Ok((admitted(&page)? == 2).then_some(())))?;
    until("both admissions at the other lane", || Ok((received(&south)? == 2).then_some(())))?;
    let verdict = south.scan(&second.short())?;
    ensure!(verdict["reason"] == "used", "{verdict}");
    let snapshot = page.snapshot()?;
    ensure!(snapshot["upstream"]["waiting_rows"].as_u64().is_some_and(|rows| rows > 0), "{snapshot}");
    // A lane that begins anew finds its bundle, its list and the others' rows at the edge.
    south.kill()?;
    south.start(&[])?;
    south.event("reach", |event| event["state"] == "server")?;
    let verdict = south.scan(&third.short())?;
    ensure!(verdict["outcome"] == "admit", "{verdict}");
    // The edge itself is killed and comes back: nothing of what it had answered for is lost.
    edge.kill()?;
    edge.start()?;
    site.relay.restore();
    north.event("receipt", |event| event["seq"] == 2)?;
    until("every row at the organiser's server", || Ok((admitted(&office)? == 3).then_some(())))?;
    until("no row that waits, and the server heard again", || {
        let snapshot = edge.office(EVENT.0)?.snapshot()?;
        let upstream = &snapshot["upstream"];
        Ok((upstream["waiting_rows"] == 0 && upstream["heard_at_ms"].is_i64()).then_some(()))
    })?;
    Ok(())
}
