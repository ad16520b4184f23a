//! Where this device stands and whom it believes, as rows. What it means is `core::station`'s.

use gate_core::wire::v1::EventInfo;
use rusqlite::{Connection, OptionalExtension as _, params};
use ticket_signer::{DeviceId, EventId, LaneId};

use super::{Journal, JournalError, bits};

/// What is kept from the moment that the device asked for a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StationRecord {
    /// `https://host[:port]`.
    pub server: String,
    pub tls_pin: [u8; 32],
    pub root_fingerprint: [u8; 32],
    pub device: DeviceId,
    /// There once a supervisor has confirmed.
    pub confirmed: Option<ConfirmedRecord>,
}

/// What a confirmation brings. The signed parts are bytes as they were signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfirmedRecord {
    pub root: [u8; 32],
    pub organiser: String,
    pub event: EventInfo,
    pub lane: LaneId,
    pub device_certificate: Vec<u8>,
    pub lease_until_ms: i64,
    pub minimum_list_version: u64,
    pub policy: Option<Vec<u8>>,
    pub certificates: Vec<Vec<u8>>,
    pub revocations: Vec<Vec<u8>>,
}

impl Journal {
    pub fn station(&self) -> Result<Option<StationRecord>, JournalError> {
        let sql =
            "SELECT server, tls_pin, root_fingerprint, device, root, organiser, event, event_name, venue, time_zone,
                   starts_at_ms, ends_at_ms, lane, device_certificate, lease_until_ms, minimum_list_version, policy
                   FROM station";
        let found = self.connection.query_row(sql, [], |row| {
            let root: Option<[u8; 32]> = row.get(4)?;
            let confirmed = match root {
                None => None,
                Some(root) => Some(ConfirmedRecord {
                    root,
                    organiser: row.get(5)?,
                    event: EventInfo {
                        id: row.get(6)?,
                        name: row.get(7)?,
                        venue: row.get(8)?,
                        time_zone: row.get(9)?,
                        starts_at_ms: row.get(10)?,
                        ends_at_ms: row.get(11)?,
                    },
                    lane: LaneId(row.get(12)?),
                    device_certificate: row.get(13)?,
                    lease_until_ms: row.get(14)?,
                    minimum_list_version: row.get::<_, i64>(15)? as u64,
                    policy: row.get(16)?,
                    certificates: Vec::new(),
                    revocations: Vec::new(),
                }),
            };
            Ok(StationRecord {
                server: row.get(0)?,
                tls_pin: row.get(1)?,
                root_fingerprint: row.get(2)?,
                device: DeviceId(row.get::<_, i64>(3)? as u64),
                confirmed,
            })
        });
        let Some(mut station) = found.optional()? else { return Ok(None) };
        if let Some(confirmed) = &mut station.confirmed {
            confirmed.certificates = blobs(&self.connection, "SELECT bytes FROM authority_certificate")?;
            confirmed.revocations = blobs(&self.connection, "SELECT bytes FROM key_revocation")?;
        }
        Ok(Some(station))
    }

    /// The device has asked for a place and waits for a supervisor.
    pub fn keep_pending(&mut self, station: &StationRecord) -> Result<(), JournalError> {
        self.write(|tx| {
            tx.execute("DELETE FROM station", [])?;
            tx.execute("DELETE FROM wipe", [])?;
            let sql = "INSERT INTO station (id, server, tls_pin, root_fingerprint, device) VALUES (1, ?1, ?2, ?3, ?4)";
            let StationRecord { server, tls_pin, root_fingerprint, device, .. } = station;
            tx.execute(sql, params![server, tls_pin, root_fingerprint, bits(device.0)])?;
            Ok(())
        })
    }

    /// The supervisor refused, or the code ran out before anybody confirmed. A confirmed place is not forgotten.
    pub fn forget_pending(&mut self) -> Result<(), JournalError> {
        self.write(|tx| {
            tx.execute("DELETE FROM station WHERE root IS NULL", [])?;
            Ok(())
        })
    }

    /// Keeps a bundle that was checked against the pinned root. Certificates and revocations are added, never taken away.
    pub fn keep_confirmed(&mut self, confirmed: &ConfirmedRecord) -> Result<(), JournalError> {
        self.write(|tx| {
            for bytes in &confirmed.certificates {
                tx.prepare_cached("INSERT INTO authority_certificate (bytes) VALUES (?1) ON CONFLICT DO NOTHING")?
                    .execute([bytes])?;
            }
            for bytes in &confirmed.revocations {
                tx.prepare_cached("INSERT INTO key_revocation (bytes) VALUES (?1) ON CONFLICT DO NOTHING")?
                    .execute([bytes])?;
            }
            let sql = "UPDATE station SET root = ?1, organiser = ?2, event = ?3, event_name = ?4, venue = ?5,
                       time_zone = ?6, starts_at_ms = ?7, ends_at_ms = ?8, lane = ?9, device_certificate = ?10,
                       lease_until_ms = ?11, minimum_list_version = max(coalesce(minimum_list_version, 0), ?12),
                       policy = coalesce(?13, policy)";
            let ConfirmedRecord { root, organiser, event, lane, device_certificate, .. } = confirmed;
            let changed = tx.execute(
                sql,
                params![
                    root,
                    organiser,
                    event.id,
                    event.name,
                    event.venue,
                    event.time_zone,
                    event.starts_at_ms,
                    event.ends_at_ms,
                    lane.0,
                    device_certificate,
                    confirmed.lease_until_ms,
                    bits(confirmed.minimum_list_version),
                    confirmed.policy
                ],
            )?;
            if changed == 1 { Ok(()) } else { Err(JournalError::Content("no place to confirm")) }
        })
    }
}

impl ConfirmedRecord {
    pub fn event_id(&self) -> EventId {
        EventId(self.event.id)
    }
}

fn blobs(connection: &Connection, sql: &str) -> Result<Vec<Vec<u8>>, JournalError> {
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement.query_map([], |row| row.get(0))?;
    Ok(found.collect::<Result<_, _>>()?)
}
