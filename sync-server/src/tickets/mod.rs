//! Tickets: issue, revoke, re-issue, and binding to a guest's phone. The list that gates fetch is made from what is here.
//!
//! Owns the tables `tickets`, `credentials` and `list_versions`. Calls catalog and the signer.
//!
//! Invariants:
//! - One (ticket id, serial) has one credential, ever: the table's key says so, and every change raises the serial.
//! - A revocation is never undone; a re-issue has a higher serial and is another matter.
//! - Every change of a ticket takes the event's next list version in the same transaction.
//! - No link secret is stored: it is derived from the server's link key, the ticket and the number of the link ([`links`]).

mod holder_http;
pub mod http;
pub mod links;
mod model;
mod rules;
mod store;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use ticket_signer::{Credential, EventId, HolderKey, Role, Serial, TicketId, UntrustedCode};

use crate::catalog;
use crate::platform::keys::KeyRing;
use crate::platform::{Random, Tx};
use links::LinkKey;
pub use model::{BindRequest, HolderTicket, Issued, ListRow, ListState, NewTicket, Ticket, TicketError};

type Result<T> = std::result::Result<T, TicketError>;

/// The most tickets that one call issues.
pub const MAX_BATCH: usize = 1_000;
/// The most bindings of a ticket within [`BINDING_WINDOW_MS`].
pub const MAX_BINDINGS: i64 = 5;
/// An hour.
pub const BINDING_WINDOW_MS: i64 = 3_600_000;

/// What this context signs with. Cheap to clone.
#[derive(Clone)]
pub struct Issuer {
    pub keys: Arc<KeyRing>,
    pub links: LinkKey,
    pub random: Random,
}

impl Issuer {
    fn sign(&self, fields: ticket_signer::CredentialFields, now_ms: i64) -> Result<Credential> {
        let event = fields.event;
        let key = self.keys.signing_key(Role::Issue).ok_or(TicketError::NoIssueKey { event: event.0 })?;
        if !self.keys.may_sign(Role::Issue, event, now_ms.div_euclid(1_000)) {
            return Err(TicketError::NoIssueKey { event: event.0 });
        }
        Ok(Credential::issue(fields, key)?)
    }
}

/// Issues tickets, all or none. Each begins unbound with serial 1, which is the printed class.
///
/// # Errors
/// [`TicketError::Batch`], the catalog's for an unknown event or class, [`TicketError::NoIssueKey`].
pub async fn issue(
    tx: &mut Tx,
    issuer: &Issuer,
    event_id: u32,
    batch: &[NewTicket],
    now_ms: i64,
) -> Result<Vec<Issued>> {
    rules::check_batch(batch)?;
    let classes = catalog::classes(tx, event_id).await?;
    let mut tickets = Vec::with_capacity(batch.len());
    let mut credentials = Vec::with_capacity(batch.len());
    for (at, new) in batch.iter().enumerate() {
        let class = classes.iter().find(|class| class.id == new.class);
        let class = class.ok_or(TicketError::UnknownClass { at, class: new.class })?;
        let ticket = Ticket {
            id: TicketId(issuer.random.id64()),
            event: EventId(event_id),
            class: new.class,
            serial: Serial::FIRST,
            revoked_to: None,
            holder: None,
            link_number: 1,
            reference: new.reference.clone(),
        };
        credentials.push(issuer.sign(rules::fields(&ticket, class), now_ms)?);
        tickets.push(ticket);
    }
    let change = store::next_list_version(tx, event_id, tickets.len() as u64).await?;
    store::insert_tickets(tx, &tickets, change, now_ms).await?;
    store::insert_credentials(tx, &credentials, now_ms).await?;
    Ok(tickets.iter().zip(&credentials).map(|(ticket, credential)| issued(issuer, ticket, credential)).collect())
}

/// What [`issue`] answered for these tickets, again. The order is the caller's.
///
/// # Errors
/// [`TicketError::NotFound`].
pub async fn issued_again(tx: &mut Tx, issuer: &Issuer, named: &[(TicketId, Serial, u32)]) -> Result<Vec<Issued>> {
    let mut answer = Vec::with_capacity(named.len());
    for (id, serial, link_number) in named {
        let ticket = ticket(tx, *id).await?;
        let credential = store::credential(tx, *id, *serial).await?.ok_or(TicketError::NotFound { ticket: *id })?;
        answer.push(issued(issuer, &Ticket { serial: *serial, link_number: *link_number, ..ticket }, &credential));
    }
    Ok(answer)
}

fn issued(issuer: &Issuer, ticket: &Ticket, credential: &Credential) -> Issued {
    Issued {
        ticket: ticket.id,
        serial: ticket.serial,
        class: ticket.class,
        reference: ticket.reference.clone(),
        link_number: ticket.link_number,
        secret: issuer.links.secret(ticket.id, ticket.link_number),
        printed_code: UntrustedCode::Printed { credential: Box::new(credential.clone()) }.to_text(),
    }
}

/// # Errors
/// [`TicketError::NotFound`].
pub async fn ticket(tx: &mut Tx, id: TicketId) -> Result<Ticket> {
    store::ticket(tx, id).await?.ok_or(TicketError::NotFound { ticket: id })
}

/// Cancels the ticket up to its present serial, for good. Doing it again changes nothing.
///
/// # Errors
/// [`TicketError::NotFound`].
pub async fn revoke(tx: &mut Tx, id: TicketId) -> Result<Ticket> {
    let mut ticket = ticket(tx, id).await?;
    if ticket.revoked_to != Some(ticket.serial) {
        ticket.revoked_to = Some(ticket.serial);
        let change = store::next_list_version(tx, ticket.event.0, 0).await?;
        store::update_ticket(tx, &ticket, change).await?;
    }
    Ok(ticket)
}

/// Gives a ticket a new serial, unbound, and a new link; whatever was bound or printed before is retired.
///
/// # Errors
/// [`TicketError::NotFound`], [`TicketError::SerialsUsedUp`], [`TicketError::NoIssueKey`].
pub async fn reissue(tx: &mut Tx, issuer: &Issuer, id: TicketId, now_ms: i64) -> Result<Issued> {
    let old = ticket(tx, id).await?;
    let serial = old.serial.next().ok_or(TicketError::SerialsUsedUp { ticket: id })?;
    let renewed = Ticket { serial, holder: None, link_number: old.link_number + 1, ..old };
    let credential = change_credential(tx, issuer, &renewed, now_ms).await?;
    Ok(issued(issuer, &renewed, &credential))
}

/// What the holder of a link sees before binding. No side effect.
///
/// # Errors
/// [`TicketError::LinkInvalid`], [`TicketError::LinkSuperseded`], [`TicketError::Revoked`].
pub async fn open_link(tx: &mut Tx, issuer: &Issuer, id: TicketId, secret: &[u8]) -> Result<HolderTicket> {
    let ticket = linked(tx, issuer, id, secret).await?;
    if ticket.is_revoked() {
        return Err(TicketError::Revoked);
    }
    holder_ticket(tx, ticket).await
}

/// Binds the ticket to a phone's key. The same secret with the same key gets the same answer again, since replies get lost.
///
/// # Errors
/// As [`open_link`]; [`TicketError::KeyRefused`], [`TicketError::LinkUsed`], [`TicketError::BindingRate`].
pub async fn bind(tx: &mut Tx, issuer: &Issuer, request: &BindRequest, now_ms: i64) -> Result<HolderTicket> {
    let ticket = linked(tx, issuer, request.ticket, &request.secret).await?;
    if ticket.is_revoked() {
        return Err(TicketError::Revoked);
    }
    let key = rules::checked_key(&ticket, request)?;
    match &ticket.holder {
        Some(bound) if *bound == key => return holder_ticket(tx, ticket).await,
        Some(_) => return Err(TicketError::LinkUsed),
        None => {}
    }
    if store::credentials_since(tx, ticket.id, now_ms - BINDING_WINDOW_MS).await? > MAX_BINDINGS {
        return Err(TicketError::BindingRate { retry_after_ms: BINDING_WINDOW_MS });
    }
    let serial = ticket.serial.next().ok_or(TicketError::SerialsUsedUp { ticket: ticket.id })?;
    let bound = Ticket { serial, holder: Some(key), ..ticket };
    change_credential(tx, issuer, &bound, now_ms).await?;
    holder_ticket(tx, bound).await
}

/// The ticket whose link has this secret. Tells an outdated link from a wrong one, and nothing else.
async fn linked(tx: &mut Tx, issuer: &Issuer, id: TicketId, secret: &[u8]) -> Result<Ticket> {
    let ticket = store::ticket(tx, id).await?.ok_or(TicketError::LinkInvalid)?;
    match issuer.links.which(id, ticket.link_number, secret) {
        Some(number) if number == ticket.link_number => Ok(ticket),
        Some(_) => Err(TicketError::LinkSuperseded),
        None => Err(TicketError::LinkInvalid),
    }
}

async fn holder_ticket(tx: &mut Tx, ticket: Ticket) -> Result<HolderTicket> {
    let event = catalog::event(tx, ticket.event.0).await?;
    let class = catalog::class(tx, ticket.event.0, ticket.class).await?;
    let credential = store::credential(tx, ticket.id, ticket.serial).await?;
    let credential = credential.ok_or(TicketError::NotFound { ticket: ticket.id })?;
    Ok(HolderTicket { ticket, event, class, credential })
}

/// Signs and stores the credential of a ticket that has a new serial.
async fn change_credential(tx: &mut Tx, issuer: &Issuer, ticket: &Ticket, now_ms: i64) -> Result<Credential> {
    let class = catalog::class(tx, ticket.event.0, ticket.class).await?;
    let credential = issuer.sign(rules::fields(ticket, &class), now_ms)?;
    let change = store::next_list_version(tx, ticket.event.0, 0).await?;
    store::update_ticket(tx, ticket, change).await?;
    store::insert_credentials(tx, std::slice::from_ref(&credential), now_ms).await?;
    Ok(credential)
}

/// The version and size of an event's list; version 1 is the empty one.
///
/// # Errors
/// The store's.
pub async fn list_state(tx: &mut Tx, event_id: u32) -> Result<ListState> {
    Ok(store::list_state(tx, event_id).await?)
}

/// Every ticket of the event that has changed after list version `since`, in ascending order of id.
///
/// # Errors
/// The store's.
pub async fn changed_since(tx: &mut Tx, event_id: u32, since: u64) -> Result<Vec<ListRow>> {
    Ok(store::changed_since(tx, event_id, since).await?)
}

/// What is wrong with the stored tickets; empty when all is well. For `sync-server check`.
///
/// # Errors
/// The store's.
pub async fn check(tx: &mut Tx) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for (event_id, said, counted) in store::list_counts(tx).await? {
        if said != counted {
            findings.push(format!("the list of event {event_id} says {said} tickets and there are {counted}"));
        }
    }
    for id in store::tickets_without_credential(tx).await? {
        findings.push(format!("ticket {id} has no credential for its serial"));
    }
    Ok(findings)
}

/// A key as it is stored: algorithm and slot.
pub(crate) fn holder_columns(holder: Option<&HolderKey>) -> (u8, Option<[u8; ticket_signer::keys::SLOT_LENGTH]>) {
    holder.map_or((0, None), |key| (key.algorithm().to_byte(), Some(key.to_slot())))
}
