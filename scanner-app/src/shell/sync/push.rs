//! Rows up, receipts down.

use gate_core::wire::v1::{Receipt, ScanAnswer, ScanUpload};
use ticket_signer::EnvelopeError;

use super::{Shared, SyncError, Talk, current};
use crate::core::engine::{Input, SyncNews, Trouble};
use crate::core::station::Station;
use crate::core::sync_plan::{Cursors, WITHHELD_MS};
use crate::shell::clock::boot_ms;
use crate::shell::http::Server;
use crate::shell::journal::Journal;

/// Why a receipt was not believed.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptFault {
    #[error("{0}")]
    Envelope(EnvelopeError),
    #[error("it is made out to another device")]
    OtherDevice,
    #[error("it names a scan that this handheld did not make")]
    OtherRow,
}

impl Talk {
    pub(super) fn step_push(
        &mut self,
        server: &Server,
        shared: &Shared,
        after: u64,
        count: usize,
        cursors: &mut Cursors,
    ) -> Result<(), SyncError> {
        let station = current(shared);
        let rows = self.journal.rows_after(after, count)?;
        let last = after + rows.len() as u64;
        let upload = ScanUpload { event: station.event.id, rows: rows.into_iter().map(Into::into).collect() };
        let answered: Result<ScanAnswer, _> = server.post("/gate/v1/scans", &upload);
        let done = match answered {
            Ok(answer) => self.take_answer(&answer, &station),
            Err(error) if error.status().is_some() => Err(error.into()),
            Err(error) => return Err(error.into()),
        };
        let receipted = self.journal.progress()?.receipted_seq;
        if receipted < last {
            cursors.withheld_seq = last;
            cursors.withheld_until_ms = boot_ms() + WITHHELD_MS;
        }
        if let Err(error) = &done {
            self.outlet.trouble(Trouble::Rows, error);
        }
        done
    }

    fn take_answer(&mut self, answer: &ScanAnswer, station: &Station) -> Result<(), SyncError> {
        let mut seq = None;
        let now_s = self.settings.clock.read().now_s();
        for receipt in &answer.receipts {
            seq = seq.max(take_receipt(&mut self.journal, station, now_s, receipt)?);
        }
        for incident in &answer.incidents {
            tracing::warn!(seq = incident.seq, code = incident.code, "the server has an incident about this handheld");
        }
        if let Some(seq) = seq {
            self.outlet.input(Input::Sync(SyncNews::Receipt { seq }));
        }
        if answer.quarantined {
            let message =
                "This handheld was revoked. Its scans wait until a supervisor has looked at them; use another one";
            self.outlet.trouble(Trouble::Rows, &message);
        } else if !answer.incidents.is_empty() {
            let message = "The server found scans of this handheld that do not fit. Take it out of use and keep it";
            self.outlet.trouble(Trouble::Rows, &message);
        }
        Ok(())
    }
}

/// Keeps a receipt that names this device, and a row of its journal by its hash. Returns the row's number, where it is one of
/// the present chain.
pub(super) fn take_receipt(
    journal: &mut Journal,
    station: &Station,
    now_s: i64,
    receipt: &Receipt,
) -> Result<Option<u64>, SyncError> {
    let payload = receipt
        .open(&station.trust, station.event_id(), now_s)
        .map_err(|error| SyncError::Receipt(ReceiptFault::Envelope(error)))?;
    if payload.device != station.device.0 {
        return Err(SyncError::Receipt(ReceiptFault::OtherDevice));
    }
    // Before the first row there is nothing to sign for, and what was forgotten had its receipt. A server that was restored
    // from a backup may say so little.
    let base = journal.base()?;
    if payload.seq == 0 || (payload.epoch == base.epoch && payload.seq < base.seq) {
        return Ok(None);
    }
    if (payload.epoch, payload.seq, payload.hash.into_array()) == (base.epoch, base.seq, base.hash) {
        return Ok(Some(payload.seq));
    }
    let own = journal.row_hash(payload.epoch, payload.seq)?;
    if own != Some(payload.hash.into_array()) {
        return Err(SyncError::Receipt(ReceiptFault::OtherRow));
    }
    journal.keep_receipt(&payload, receipt)?;
    let present = journal.head()?.epoch == payload.epoch;
    Ok(present.then_some(payload.seq))
}
