//! Lists down: signature before anything, hash before unpacking, version before staging, one commit to show.

use gate_core::pack;
use gate_core::wire::v1::ListAnswer;
use ticket_signer::{EventId, ListManifest, Purpose, envelope};

use super::{Message, Shared, SyncError, Talk, current};
use crate::core::engine::Trouble;
use crate::core::station::Station;
use crate::core::sync_plan::{Cursors, ListRefusal, Live, Take, take};
use crate::shell::clock::boot_ms;
use crate::shell::http::{HttpError, Server};
use crate::shell::journal::ListState;

/// When a list that could not be taken is asked for again, in milliseconds.
const RETRY_MS: i64 = 15_000;

/// When a list that was announced and did not come is asked for again, in milliseconds.
const LATE_MS: i64 = 3_000;

/// Where chunks come from: the server, or a test.
type Chunks<'a> = &'a mut dyn FnMut(&[u8; 32], u64) -> Result<Vec<u8>, HttpError>;

impl Talk {
    pub(super) fn step_list(
        &mut self,
        server: &Server,
        shared: &Shared,
        cursor: u64,
        cursors: &mut Cursors,
    ) -> Result<(), SyncError> {
        let station = current(shared);
        let event = station.event_id();
        let done = match self.fetch_list(server, &station, cursor) {
            // What it builds on is not what we have: all of it, then.
            Err(SyncError::List(ListRefusal::OtherBase { .. })) if cursor > 0 => self.fetch_list(server, &station, 0),
            done => done,
        };
        match done {
            Ok(taken) => {
                cursors.list_at_ms = Some(boot_ms());
                // What was announced and did not come yet is asked for again, not at once.
                if self.journal.live_list(event)?.map_or(0, |list| list.version) < cursors.list_announced {
                    cursors.list_not_before_ms = boot_ms() + LATE_MS;
                }
                self.outlet.mended(Trouble::List);
                if taken.is_some() {
                    self.outlet.send(Message::Reload);
                }
                Ok(())
            }
            Err(error @ SyncError::Journal(_)) => Err(error),
            Err(SyncError::Http(error)) if error.status().is_none() => Err(error.into()),
            Err(error) => {
                tracing::warn!(%error, event = event.0, cursor, "list");
                cursors.list_not_before_ms = boot_ms() + RETRY_MS;
                self.outlet.trouble(Trouble::List, &error);
                Err(error)
            }
        }
    }

    fn fetch_list(&mut self, server: &Server, station: &Station, cursor: u64) -> Result<Option<ListState>, SyncError> {
        let event = station.event_id();
        let manifest = match server.get(&format!("/gate/v1/events/{event}/list?cursor={cursor}"))? {
            ListAnswer::UpToDate => return Ok(None),
            ListAnswer::Manifest(bytes) => bytes.into_vec(),
        };
        let mut chunks = |hash: &[u8; 32], bytes_max: u64| {
            let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
            server.get_bytes(&format!("/gate/v1/events/{event}/chunks/{hash}"), bytes_max)
        };
        self.take_list(&manifest, station, &mut chunks).map(Some)
    }

    /// Takes a list: everything is checked before it is looked into.
    pub(super) fn take_list(
        &mut self,
        bytes: &[u8],
        station: &Station,
        chunks: Chunks<'_>,
    ) -> Result<ListState, SyncError> {
        let event: EventId = station.event_id();
        let now_s = self.settings.clock.read().now_s();
        let payload =
            envelope::open(Purpose::List, bytes, &station.trust, event, now_s).map_err(SyncError::ListEnvelope)?;
        let manifest = ListManifest::from_bytes(payload).map_err(SyncError::ListContent)?;
        let live = self.journal.live_list(event)?.map(|list| Live { version: list.version, tickets: list.tickets });
        if take(&manifest, event, live, station.minimum_list_version, now_s)? == Take::Renewal {
            return Ok(self.journal.renew(&manifest)?);
        }
        let mut staging = self.journal.stage(bytes, &manifest)?;
        while let Some(named) = manifest.chunks.get(staging.next_chunk) {
            let bytes = chunks(&named.hash, u64::from(named.compressed))?;
            let chunk = pack::open(named, &bytes)?;
            self.journal.stage_chunk(&mut staging, &chunk)?;
        }
        Ok(self.journal.make_live(staging, &manifest)?)
    }
}
