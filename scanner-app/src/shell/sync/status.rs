//! This handheld's word about itself, for the supervisor's page.
//!
//! Invariant: nothing else waits for it or fails with it. A server that has no place for it is an older one, and is asked
//! again much later.

use std::path::Path;
use std::sync::atomic::Ordering;

use gate_core::RowBody;
use gate_core::wire::v1::{ClockState, DeviceStatus, ListInUse};

use super::{Shared, SyncError, Talk, current};
use crate::core::status::{cut_off_s, is_news};
use crate::core::sync_plan::{Cursors, STATUS_EVERY_MS};
use crate::shell::battery;
use crate::shell::clock::boot_ms;
use crate::shell::http::Server;
use crate::shell::journal::{JournalError, Progress};

/// How long after one word another may follow, in milliseconds.
const PAUSE_MS: i64 = 2_000;
/// When a server that knows no such word is asked again, and one that refused it otherwise, in milliseconds.
const UNKNOWN_MS: i64 = 600_000;
const REFUSED_MS: i64 = 60_000;

impl Talk {
    /// How this handheld is. The age of what waits is looked up when it is told.
    pub(super) fn status(&self, shared: &Shared, progress: &Progress) -> Result<DeviceStatus, JournalError> {
        let station = current(shared);
        let reading = self.settings.clock.read();
        let list = self.journal.live_list(station.event_id())?;
        Ok(DeviceStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            battery: battery::read(Path::new(battery::SUPPLIES)),
            waiting_rows: progress.head.seq.saturating_sub(progress.receipted_seq),
            oldest_waiting_ms: 0,
            list: list.map(|list| ListInUse {
                version: list.version,
                issued_at_ms: list.issued_at_s * 1_000,
                expires_at_ms: list.expires_at_s * 1_000,
            }),
            policy_version: station.policy_version(),
            clock: ClockState {
                in_doubt: reading.in_doubt,
                offset_ms: reading.offset_ms,
                uncertainty_ms: reading.uncertainty_ms,
            },
            cut_off_s: cut_off_s(self.heard_ms.load(Ordering::Relaxed), boot_ms()),
        })
    }

    /// Notes in the cursors whether there is news.
    pub(super) fn look_at_self(
        &self,
        shared: &Shared,
        progress: &Progress,
        cursors: &mut Cursors,
    ) -> Result<(), JournalError> {
        let Some(told) = &self.told else { return Ok(()) };
        cursors.status_changed = is_news(told, &self.status(shared, progress)?);
        Ok(())
    }

    pub(super) fn step_status(
        &mut self,
        server: &Server,
        shared: &Shared,
        cursors: &mut Cursors,
    ) -> Result<(), SyncError> {
        let progress = self.journal.progress()?;
        let mut status = self.status(shared, &progress)?;
        status.oldest_waiting_ms = self.oldest_waiting_ms(&progress)?;
        let event = current(shared).event_id();
        let told = server.tell(&format!("/gate/v1/events/{event}/status"), &status);
        let now = boot_ms();
        match told {
            Ok(()) => {
                self.told = Some(status);
                cursors.status_changed = false;
                cursors.status_at_ms = Some(now);
                cursors.status_not_before_ms = now + PAUSE_MS;
                Ok(())
            }
            Err(error) => {
                // Not reached: rows and lists are tried before this is tried again.
                let wait_ms = match error.status() {
                    Some(404 | 405) => UNKNOWN_MS,
                    Some(_) => REFUSED_MS,
                    None => STATUS_EVERY_MS,
                };
                cursors.status_not_before_ms = now + wait_ms;
                if error.status().is_none() {
                    return Err(error.into());
                }
                // The page is not this lane's staff: they have nothing to do about it.
                tracing::info!(%error, "the server takes no word about this handheld");
                Ok(())
            }
        }
    }

    fn oldest_waiting_ms(&self, progress: &Progress) -> Result<u64, JournalError> {
        let oldest = self.journal.rows_after(progress.receipted_seq, 1)?.into_iter().next();
        let made_ms = oldest.and_then(|row| RowBody::from_bytes(&row.bytes).ok()).map(|body| body.at_ms);
        let age_ms = made_ms.map_or(0, |made_ms| self.settings.clock.read().now_ms.saturating_sub(made_ms));
        Ok(u64::try_from(age_ms).unwrap_or(0))
    }
}
