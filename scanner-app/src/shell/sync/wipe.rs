//! A wiped handheld: it forgets, hands in what it scanned, and is then as if it had never been enrolled.
//!
//! Invariants: only the pinned root's `device` key can wipe, and only this device; the device's key goes before the place
//! does, so that no crash leaves a key without a reason to keep it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use gate_core::wire::v1::{Wipe, WipeAnswer};
use ticket_signer::DeviceCertificate;

use super::{Message, Shared, SyncError, Talk};
use crate::core::engine::Trouble;
use crate::core::station::Station;
use crate::core::sync_plan::{Cursors, PUSH_ROWS};
use crate::shell::clock::random_u64;
use crate::shell::http::{HttpError, Server};
use crate::shell::journal::{JournalError, StationRecord};
use crate::shell::{keystore, recorder};

/// Whether a refusal may mean that there is a wipe to ask for.
pub(super) fn may_be_wiped(error: &SyncError) -> bool {
    matches!(error, SyncError::Http(HttpError::Refused { code, .. }) if code == "device_wiped" || code == "device_revoked")
}

impl Talk {
    /// Whether the device is to be wiped, and now is. A server that cannot say so is asked again with the next bundle.
    pub(super) fn was_wiped(
        &mut self,
        server: &Server,
        record: &StationRecord,
        station: &Station,
    ) -> Result<bool, SyncError> {
        match self.ask_for_wipe(server, record, station) {
            Err(error @ SyncError::Journal(_)) => Err(error),
            Err(error) => {
                tracing::warn!(%error, "whether this handheld is to be wiped");
                Ok(false)
            }
            asked => asked,
        }
    }

    /// Asks whether this device is to be wiped, and does it if the answer is to be believed. True if it was.
    fn ask_for_wipe(&mut self, server: &Server, record: &StationRecord, station: &Station) -> Result<bool, SyncError> {
        match server.get("/gate/v1/wipe")? {
            WipeAnswer::No => Ok(false),
            WipeAnswer::Wipe(wipe) => self.take_wipe(&wipe, record, station).map(|()| true),
        }
    }

    /// Wipes this handheld, if the order is to be believed.
    pub(super) fn take_wipe(
        &mut self,
        wipe: &Wipe,
        record: &StationRecord,
        station: &Station,
    ) -> Result<(), SyncError> {
        let certificate = record.confirmed.as_ref().map(|confirmed| confirmed.device_certificate.as_slice());
        let certificate = certificate.and_then(|bytes| DeviceCertificate::from_bytes(bytes).ok());
        let since_s = certificate.map_or(0, |certificate| i64::from(certificate.fields().not_before_s));
        let wiped = wipe.open(&station.trust, station.event_id(), station.device, since_s)?;
        self.journal.wipe(&wipe.0, wiped.at_ms)?;
        tracing::warn!(at_ms = wiped.at_ms, "this handheld was wiped");
        self.end_listening();
        self.outlet.send(Message::Reload);
        Ok(())
    }

    /// Ends the threads that work for the place that was.
    fn end_listening(&mut self) {
        std::mem::take(&mut self.over).store(true, Ordering::Relaxed);
        self.feed = None;
    }

    /// Hands in what waits for a receipt, and then forgets the rest. Returns when nothing is left.
    pub(super) fn hand_in(&mut self, record: &StationRecord, station: Arc<Station>) -> Result<(), SyncError> {
        self.end_listening();
        self.journal.sweep_wiped()?;
        recorder::forget(&self.settings.folder).map_err(|error| JournalError::Io(error.to_string()))?;
        let shared: Shared = Arc::new(Mutex::new(station));
        let mut cursors = Cursors::default();
        loop {
            let progress = self.journal.progress()?;
            self.outlet.send(Message::Reload);
            if progress.receipted_seq >= progress.head.seq {
                break;
            }
            let pushed = match keystore::read(&self.settings.folder)? {
                Some(key) => self.client(record, &Arc::new(key)).and_then(|server| {
                    self.step_push(&server, &shared, progress.receipted_seq, PUSH_ROWS, &mut cursors)
                }),
                None => Err(SyncError::Journal(JournalError::Content("rows without the key that signed them"))),
            };
            match pushed {
                Err(error @ SyncError::Journal(_)) => return Err(error),
                Err(SyncError::Http(error)) if error.status().is_none() => {
                    self.outlet.trouble(Trouble::Server, &error);
                    self.pause();
                }
                Ok(()) if self.journal.progress()?.receipted_seq > progress.receipted_seq => self.backoff.succeeded(),
                // It was said why; the server may think better of it.
                Ok(()) | Err(_) => self.pause(),
            }
        }
        keystore::forget(&self.settings.folder)?;
        if self.journal.finish_wipe(random_u64())? {
            self.outlet.send(Message::Reload);
        }
        Ok(())
    }
}
