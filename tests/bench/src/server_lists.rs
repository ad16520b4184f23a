//! Lists at the server: from its database to a signed manifest, through its own handler.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use gate_core::pack;
use gate_core::wire::from_cbor;
use gate_core::wire::v1::ListAnswer;
use sync_server::platform::Store;
use sync_server::platform::store::{Value, params};
use ticket_signer::{ListManifest, Purpose, TicketStatus, envelope};

use crate::report::{Samples, Section, Unit};
use crate::server::{NOW_MS, Server};
use crate::site::{EVENT, Guest, NOW_S};

const TIME_MAX: Duration = Duration::from_secs(2);
const DELTA: usize = 1_000;
const ROUNDS: usize = 5;

/// Adds to `section` what the server takes to answer with the full list and with a delta.
pub async fn run(server: &Server, guests: &[Guest], section: &mut Section) -> Result<()> {
    fill(&server.store, guests).await?;
    let device = server.devices.first().context("no device is enrolled")?;
    let (mut full, mut again, mut delta) = (Samples::default(), Samples::default(), Samples::default());
    for version in 2.. {
        if full.len() == ROUNDS {
            break;
        }
        // A thousand tickets change, so that what was built before is of no use.
        change(&server.store, guests, version).await?;
        let (manifest, took) = ask(server, 0).await?;
        full.push(took);
        again.push(ask(server, 0).await?.1);
        let (changes, took) = ask(server, version - 1).await?;
        delta.push(took);
        ensure!(manifest.version == version && manifest.tickets as usize == guests.len(), "not the list that was made");
        ensure!(changes.base == version - 1, "not the delta that was asked for");
        if full.len() == ROUNDS {
            check(server, device, &manifest, guests.len(), guests).await?;
            check(server, device, &changes, DELTA, guests).await?;
        }
    }
    section.spread("server: full list from the database, request to answer", Unit::Milliseconds, &full, Some(TIME_MAX));
    section.spread("server: the same list for the next gate", Unit::Milliseconds, &again, None);
    section.spread(format!("server: a delta of {DELTA}"), Unit::Milliseconds, &delta, None);
    section.note("The server's times are of its own handler on its own database (the first request after a change), without network; its chunks were fetched and opened.");
    Ok(())
}

/// Stores the crowd as bound tickets of list version 1. (Binding each through the API would take minutes and be no other rows.)
async fn fill(store: &Store, guests: &[Guest]) -> Result<()> {
    let row = |guest: &Guest| -> Vec<Value> {
        let ticket = &guest.listed;
        let slot = ticket.holder.as_ref().map(|holder| holder.to_slot());
        let revoked_to = (ticket.status == TicketStatus::Revoked).then_some(ticket.serial.get());
        params![
            ticket.ticket.0,
            EVENT.0,
            ticket.class.0,
            ticket.serial.get(),
            revoked_to,
            guest.algorithm().to_byte(),
            slot,
            1u32,
            1u64,
            NOW_MS
        ]
        .to_vec()
    };
    let sets: Vec<Vec<Value>> = guests.iter().map(row).collect();
    let mut tx = store.write().await?;
    tx.execute_each(
        "INSERT INTO tickets (id, event_id, class_id, serial, revoked_to, holder_algorithm, holder_key, link_number, change,
                              created_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        &sets,
    )
    .await?;
    tx.execute(
        "INSERT INTO list_versions (event_id, version, tickets) VALUES ($1, 1, $2)",
        params![EVENT.0, guests.len() as u64],
    )
    .await?;
    Ok(tx.commit().await?)
}

/// Marks a thousand tickets, spread over the list, as changed in `version`.
async fn change(store: &Store, guests: &[Guest], version: u64) -> Result<()> {
    let step = guests.len() / DELTA;
    let changed = guests.iter().skip(version as usize % step).step_by(step).take(DELTA);
    let sets: Vec<Vec<Value>> = changed.map(|guest| params![guest.listed.ticket.0, version].to_vec()).collect();
    let mut tx = store.write().await?;
    tx.execute_each("UPDATE tickets SET change = $2 WHERE id = $1", &sets).await?;
    tx.execute("UPDATE list_versions SET version = $2 WHERE event_id = $1", params![EVENT.0, version]).await?;
    Ok(tx.commit().await?)
}

/// Asks for the list from `cursor` on, and opens the manifest.
async fn ask(server: &Server, cursor: u64) -> Result<(ListManifest, Duration)> {
    let device = server.devices.first().context("no device is enrolled")?;
    let request = device.request("GET", &format!("/gate/v1/events/{EVENT}/list?cursor={cursor}"), Vec::new())?;
    let began = Instant::now();
    let (status, bytes) = server.send(request).await?;
    let took = began.elapsed();
    ensure!(status.is_success(), "the list: {status} {}", String::from_utf8_lossy(&bytes));
    let ListAnswer::Manifest(sealed) = from_cbor(&bytes)? else {
        anyhow::bail!("the server says that nothing changed")
    };
    let payload = envelope::open(Purpose::List, &sealed, &server.trust, EVENT, NOW_S)?;
    Ok((ListManifest::from_bytes(payload)?, took))
}

/// Fetches and opens every chunk: so many tickets, each as its guest has it.
async fn check(
    server: &Server,
    device: &crate::server::Device,
    manifest: &ListManifest,
    count: usize,
    guests: &[Guest],
) -> Result<()> {
    let mut found = BTreeSet::new();
    for named in &manifest.chunks {
        let hash: String = named.hash.iter().map(|byte| format!("{byte:02x}")).collect();
        let request = device.request("GET", &format!("/gate/v1/events/{EVENT}/chunks/{hash}"), Vec::new())?;
        let (status, bytes) = server.send(request).await?;
        ensure!(status.is_success(), "a chunk: {status}");
        for line in pack::open(named, &bytes)? {
            let at = guests.binary_search_by_key(&line.ticket, |guest| guest.listed.ticket);
            let guest = &guests[at.ok().context("a ticket that nobody has")?];
            ensure!(line.open()? == guest.listed, "a ticket is listed otherwise than it is");
            found.insert(line.ticket);
        }
    }
    ensure!(found.len() == count, "{} of {count} tickets are listed", found.len());
    Ok(())
}
