//! Enrolment: a code is read, a place asked for, and the supervisor's word waited for.

use std::time::Duration;

use crossbeam_channel::RecvTimeoutError;
use gate_core::wire::v1::{EnrolAnswer, EnrolRequest, EnrolmentCode, EnrolmentStatus};
use ticket_signer::DeviceId;

use super::{Message, Order, SyncError, Talk};
use crate::core::engine::{Input, PlaceNews, Trouble};
use crate::shell::clock::{boot_ms, random_u64};
use crate::shell::http::Server;
use crate::shell::journal::StationRecord;
use crate::shell::keystore;

/// The code is good for two minutes: no use in asking longer.
const ASK_MS: i64 = 120_000;
/// How often the supervisor's word is asked for.
const POLL: Duration = Duration::from_millis(700);

impl Talk {
    pub(super) fn wait_for_code(&mut self) -> Result<(), SyncError> {
        self.outlet.input(Input::Place(PlaceNews::None));
        loop {
            match self.inbox.recv() {
                Ok(Order::Enrol(code)) => return self.ask(&code),
                Ok(_) => {}
                Err(_) => self.pause(),
            }
        }
    }

    /// Asks for a place. The server answers the same request the same way, so a lost reply is asked for again.
    fn ask(&mut self, code: &EnrolmentCode) -> Result<(), SyncError> {
        let address = self.address(&code.server).to_owned();
        self.outlet.input(Input::Place(PlaceNews::Asking { server: code.server.clone() }));
        let key = keystore::read_or_make(&self.settings.folder)?;
        let server = Server::new(&address, code.tls_pin, None)?;
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let request = EnrolRequest::new(code.one_time, &key, self.settings.name.clone(), version);
        let until = boot_ms() + ASK_MS;
        let answer: EnrolAnswer = loop {
            match server.post("/gate/v1/enrol", &request) {
                Ok(answer) => break answer,
                Err(error) if error.status().is_none() && boot_ms() < until => {
                    tracing::warn!(%error, "enrolment");
                    self.outlet.trouble(Trouble::Server, &error);
                    if matches!(error, crate::shell::http::HttpError::OtherKey) {
                        return self.failed(&error);
                    }
                    self.pause();
                }
                Err(error) => return self.failed(&error),
            }
        };
        self.backoff.succeeded();
        self.outlet.mended(Trouble::Server);
        let record = StationRecord {
            server: code.server.clone(),
            tls_pin: code.tls_pin,
            root_fingerprint: code.root_fingerprint,
            device: DeviceId(answer.device),
            confirmed: None,
        };
        self.journal.keep_pending(&record)?;
        Ok(())
    }

    fn failed(&mut self, error: &impl std::fmt::Display) -> Result<(), SyncError> {
        let message = format!("{error}. Ask the supervisor for a new code");
        self.outlet.input(Input::Place(PlaceNews::Failed { message }));
        Ok(())
    }

    pub(super) fn wait_for_supervisor(&mut self, record: &StationRecord) -> Result<(), SyncError> {
        let key = std::sync::Arc::new(keystore::read_or_make(&self.settings.folder)?);
        let fingerprint = key.public().spoken_fingerprint();
        self.outlet.input(Input::Place(PlaceNews::Pending { fingerprint, server: record.server.clone() }));
        let server = self.client(record, &key)?;
        loop {
            let sent = self.settings.clock.device();
            match server.get("/gate/v1/enrolment") {
                Ok(EnrolmentStatus::Pending) => {
                    self.backoff.succeeded();
                    self.outlet.mended(Trouble::Server);
                    self.wait(POLL);
                }
                Ok(EnrolmentStatus::Confirmed(bundle)) => {
                    return match self.take_bundle(&bundle, sent, record, &key, None) {
                        Ok(_) => {
                            self.outlet.mended(Trouble::Server);
                            self.outlet.send(Message::Reload);
                            Ok(())
                        }
                        Err(error @ SyncError::Journal(_)) => Err(error),
                        Err(error) => {
                            self.journal.forget_pending()?;
                            self.failed(&error)
                        }
                    };
                }
                Ok(EnrolmentStatus::Refused) => {
                    self.journal.forget_pending()?;
                    return self.failed(&"The supervisor did not confirm this handheld");
                }
                Err(error) if matches!(error.status(), Some(400..=499)) => {
                    self.journal.forget_pending()?;
                    return self.failed(&error);
                }
                Err(error) => {
                    self.outlet.trouble(Trouble::Server, &error);
                    let pause = self.backoff.failed(random_u64());
                    self.wait(Duration::from_millis(pause));
                }
            }
        }
    }

    fn wait(&self, pause: Duration) {
        match self.inbox.recv_timeout(pause) {
            Ok(_) | Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
    }
}
