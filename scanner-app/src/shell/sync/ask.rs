//! Asks the server that owns a ticket for its word, while the guest stands there: a thread and a client of its own, so that
//! it waits behind no upload. It always answers, in time or too late; the engine knows which.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};
use gate_core::Grant;
use gate_core::wire::v1::{GrantAnswer, GrantRequest};

use super::{Outlet, Shared, SyncError, current};
use crate::core::engine::{Input, SignedGrant};
use crate::core::station::Station;
use crate::shell::clock::Clock;
use crate::shell::http::{Server, Signer};
use crate::shell::journal::JournalError;

/// A question with the engine's number.
pub(super) type Question = (u64, GrantRequest);

pub(super) struct Asker {
    pub(super) base: String,
    pub(super) pin: [u8; 32],
    pub(super) signer: Signer,
    pub(super) station: Shared,
    pub(super) outlet: Outlet,
    pub(super) clock: Clock,
    pub(super) questions: Receiver<Question>,
    pub(super) over: Arc<AtomicBool>,
}

/// How often a thread without questions looks whether its place is no more.
const LOOK: Duration = Duration::from_secs(1);

impl Asker {
    pub(super) fn start(self) -> Result<(), SyncError> {
        let server = Server::for_question(&self.base, self.pin, self.signer.clone())?;
        let spawned = std::thread::Builder::new().name("ask".to_owned()).spawn(move || {
            while !self.over.load(Ordering::Relaxed) {
                match self.questions.recv_timeout(LOOK) {
                    Ok((question, request)) => {
                        let grant = self.ask(&server, &request).map(Box::new);
                        self.outlet.input(Input::Granted { question, grant });
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        });
        spawned.map(|_| ()).map_err(|error| JournalError::Io(format!("no thread could be started: {error}")).into())
    }

    fn ask(&self, server: &Server, request: &GrantRequest) -> Option<SignedGrant> {
        let station = current(&self.station);
        let target = format!("/gate/v1/events/{}/grants", station.event.id);
        match server.post(&target, request) {
            Ok(GrantAnswer::Granted(bytes)) => open(bytes.into_vec(), &station, self.clock.read().now_s()),
            Ok(GrantAnswer::Refused { reason }) => {
                tracing::info!(reason, ticket = request.ticket, "the ticket's owner grants nothing");
                None
            }
            Err(error) => {
                tracing::warn!(%error, "the ticket's owner could not be asked");
                None
            }
        }
    }
}

fn open(bytes: Vec<u8>, station: &Station, now_s: i64) -> Option<SignedGrant> {
    match Grant::open(&bytes, &station.trust, station.event_id(), now_s) {
        Ok(grant) => Some(SignedGrant { grant, bytes }),
        Err(error) => {
            tracing::warn!(%error, "a grant was not believed");
            None
        }
    }
}
