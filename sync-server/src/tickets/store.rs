//! The SQL of tickets.

use ticket_signer::{Credential, EventId, HolderAlgorithm, HolderKey, Serial, TicketId};

use super::holder_columns;
use super::model::{ListRow, ListState, Ticket};
use crate::platform::store::{FromRow, Result, Row, Value, params};
use crate::platform::{StoreError, Tx};

fn shape(detail: impl std::fmt::Display) -> StoreError {
    StoreError::Shape { detail: detail.to_string() }
}

fn serial(byte: u8) -> Result<Serial> {
    Serial::new(byte).ok_or_else(|| shape("a serial outside 1 to 254"))
}

/// Takes the event's next list version, and counts `added` tickets in. Version 1 is the empty list.
pub async fn next_list_version(tx: &mut Tx, event_id: u32, added: u64) -> Result<u64> {
    let (version,) = tx
        .query_one(
            "INSERT INTO list_versions (event_id, version, tickets) VALUES ($1, 2, $2)
             ON CONFLICT (event_id) DO UPDATE SET version = list_versions.version + 1,
                                                  tickets = list_versions.tickets + $2
             RETURNING version",
            params![event_id, added],
        )
        .await?;
    Ok(version)
}

pub async fn insert_tickets(tx: &mut Tx, tickets: &[Ticket], change: u64, now_ms: i64) -> Result<()> {
    let sets: Vec<Vec<Value>> = tickets
        .iter()
        .map(|ticket| {
            let (algorithm, slot) = holder_columns(ticket.holder.as_ref());
            params![
                ticket.id.0,
                ticket.event.0,
                ticket.class,
                ticket.serial.get(),
                ticket.revoked_to.map(Serial::get),
                algorithm,
                slot,
                ticket.link_number,
                ticket.reference.as_ref(),
                change,
                now_ms
            ]
            .to_vec()
        })
        .collect();
    tx.execute_each(
        "INSERT INTO tickets (id, event_id, class_id, serial, revoked_to, holder_algorithm, holder_key, link_number,
                              reference, change, created_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        &sets,
    )
    .await?;
    Ok(())
}

pub async fn update_ticket(tx: &mut Tx, ticket: &Ticket, change: u64) -> Result<()> {
    let (algorithm, slot) = holder_columns(ticket.holder.as_ref());
    tx.execute(
        "UPDATE tickets SET serial = $2, revoked_to = $3, holder_algorithm = $4, holder_key = $5, link_number = $6,
                            change = $7
         WHERE id = $1",
        params![
            ticket.id.0,
            ticket.serial.get(),
            ticket.revoked_to.map(Serial::get),
            algorithm,
            slot,
            ticket.link_number,
            change
        ],
    )
    .await?;
    Ok(())
}

pub async fn insert_credentials(tx: &mut Tx, credentials: &[Credential], now_ms: i64) -> Result<()> {
    let row = |credential: &Credential| {
        let fields = credential.fields();
        params![fields.ticket.0, fields.serial.get(), credential.to_bytes(), now_ms].to_vec()
    };
    let sets: Vec<Vec<Value>> = credentials.iter().map(row).collect();
    tx.execute_each("INSERT INTO credentials (ticket_id, serial, bytes, issued_at_ms) VALUES ($1, $2, $3, $4)", &sets)
        .await?;
    Ok(())
}

impl FromRow for Ticket {
    fn from_row(row: Row) -> Result<Self> {
        type Columns = (u64, u32, u16, u8, Option<u8>, u8, Option<Vec<u8>>, u32, Option<String>);
        let (id, event, class, at, revoked_to, algorithm, slot, link_number, reference): Columns =
            FromRow::from_row(row)?;
        let holder = match slot {
            None => None,
            Some(slot) => {
                let slot = slot.as_slice().try_into().map_err(|_| shape("a key slot of another length"))?;
                let algorithm = HolderAlgorithm::from_byte(algorithm).map_err(shape)?;
                HolderKey::from_slot(algorithm, slot).map_err(shape)?
            }
        };
        Ok(Ticket {
            id: TicketId(id),
            event: EventId(event),
            class,
            serial: serial(at)?,
            revoked_to: revoked_to.map(serial).transpose()?,
            holder,
            link_number,
            reference,
        })
    }
}

pub async fn ticket(tx: &mut Tx, id: TicketId) -> Result<Option<Ticket>> {
    tx.query_optional(
        "SELECT id, event_id, class_id, serial, revoked_to, holder_algorithm, holder_key, link_number, reference
         FROM tickets WHERE id = $1 /*LOCK*/",
        params![id.0],
    )
    .await
}

pub async fn credential(tx: &mut Tx, ticket: TicketId, at: Serial) -> Result<Option<Credential>> {
    let found: Option<(Vec<u8>,)> = tx
        .query_optional(
            "SELECT bytes FROM credentials WHERE ticket_id = $1 AND serial = $2",
            params![ticket.0, at.get()],
        )
        .await?;
    found.map(|(bytes,)| Credential::from_bytes(&bytes).map_err(shape)).transpose()
}

pub async fn credentials_since(tx: &mut Tx, ticket: TicketId, since_ms: i64) -> Result<i64> {
    let (count,) = tx
        .query_one(
            "SELECT COUNT(*) FROM credentials WHERE ticket_id = $1 AND issued_at_ms > $2",
            params![ticket.0, since_ms],
        )
        .await?;
    Ok(count)
}

pub async fn list_state(tx: &mut Tx, event_id: u32) -> Result<ListState> {
    let found: Option<(u64, u64)> =
        tx.query_optional("SELECT version, tickets FROM list_versions WHERE event_id = $1", params![event_id]).await?;
    Ok(found.map_or(ListState { version: 1, tickets: 0 }, |(version, tickets)| ListState { version, tickets }))
}

impl FromRow for ListRow {
    fn from_row(row: Row) -> Result<Self> {
        type Columns = (u64, u8, u16, Option<u8>, u8, Option<Vec<u8>>);
        let (ticket, serial, class, revoked_to, algorithm, slot): Columns = FromRow::from_row(row)?;
        let revoked = revoked_to.is_some_and(|revoked| serial <= revoked);
        Ok(ListRow { ticket: TicketId(ticket), serial, class, revoked, algorithm, slot })
    }
}

pub async fn changed_since(tx: &mut Tx, event_id: u32, since: u64) -> Result<Vec<ListRow>> {
    let mut rows: Vec<ListRow> = tx
        .query(
            "SELECT id, serial, class_id, revoked_to, holder_algorithm, holder_key FROM tickets
             WHERE event_id = $1 AND change > $2",
            params![event_id, since],
        )
        .await?;
    // Ids are unsigned, and the database would order them as signed.
    rows.sort_unstable_by_key(|row| row.ticket);
    Ok(rows)
}

pub async fn list_counts(tx: &mut Tx) -> Result<Vec<(u32, i64, i64)>> {
    tx.query(
        "SELECT list_versions.event_id, list_versions.tickets, COUNT(tickets.id)
         FROM list_versions LEFT JOIN tickets ON tickets.event_id = list_versions.event_id
         GROUP BY list_versions.event_id, list_versions.tickets",
        params![],
    )
    .await
}

pub async fn tickets_without_credential(tx: &mut Tx) -> Result<Vec<TicketId>> {
    let rows: Vec<(u64,)> = tx
        .query(
            "SELECT tickets.id FROM tickets
             LEFT JOIN credentials ON credentials.ticket_id = tickets.id AND credentials.serial = tickets.serial
             WHERE credentials.ticket_id IS NULL",
            params![],
        )
        .await?;
    Ok(rows.into_iter().map(|(id,)| TicketId(id)).collect())
}
