//! Rows up: what lanes brought goes to the upstream until its receipt is here.

use std::collections::{HashMap, HashSet};

use futures_util::StreamExt as _;
use gate_core::chain::ChainHead;
use gate_core::wire::v1::{Receipt, ScanAnswer, ScanUpload};
use ticket_signer::{DeviceId, EventId};

use super::error::EdgeError;
use super::store::{self, Waiting};
use super::{Edge, Place};

/// Chains that are brought at once.
const AT_ONCE: usize = 16;
/// Rows in one upload.
const ROWS: u32 = 500;
/// What was brought and not signed for (quarantine, a gap) is offered again after this long, in milliseconds.
const OFFER_AGAIN_MS: i64 = 30_000;

/// What was brought and not signed for: up to which row, and when.
#[derive(Default)]
pub(super) struct Offered(HashMap<(DeviceId, u64), (u64, i64)>);

impl Offered {
    /// The row after which to go on, if there is anything to bring now.
    fn after(&self, waiting: &Waiting, now_ms: i64) -> Option<u64> {
        let offered = self.0.get(&(waiting.device, waiting.epoch));
        let after = match offered {
            Some((seq, at_ms)) if now_ms - at_ms < OFFER_AGAIN_MS => waiting.receipt_seq.max(*seq),
            _ => waiting.receipt_seq,
        };
        (after < waiting.wanted_seq).then_some(after)
    }
}

/// Brings everything that waits; whether the upstream then has all that lanes had brought before. An error says that it is
/// away: what else goes wrong with a chain keeps no other waiting.
pub(super) async fn all(edge: &Edge, place: &Place, offered: &mut Offered) -> Result<bool, EdgeError> {
    let mut settled = true;
    // Chains whose rows are wanted and on their way into the database: their lane's request wakes the next round.
    let mut absent = HashSet::new();
    loop {
        let now_ms = edge.now_ms();
        let waiting = {
            let mut tx = edge.gate.platform.store.read().await?;
            store::waiting(&mut tx, place.event_id).await?
        };
        let due: Vec<_> = waiting
            .into_iter()
            .filter(|chain| !absent.contains(&(chain.device, chain.epoch)))
            .filter_map(|chain| Some((chain, offered.after(&chain, now_ms)?)))
            .collect();
        if due.is_empty() {
            return Ok(settled);
        }
        let brought =
            due.into_iter().map(|(chain, after)| async move { (chain, bring(edge, place, chain, after).await) });
        let mut brought = futures_util::stream::iter(brought).buffer_unordered(AT_ONCE);
        while let Some((chain, done)) = brought.next().await {
            let upto = match done {
                Ok(Some(upto)) => upto,
                Ok(None) => {
                    absent.insert((chain.device, chain.epoch));
                    settled = false;
                    continue;
                }
                Err(EdgeError::Upstream(error)) if error.is_away() => return Err(error.into()),
                Err(error) => {
                    tracing::warn!(%error, device = %chain.device, "a lane's rows were not taken upstream");
                    settled = false;
                    chain.wanted_seq
                }
            };
            offered.0.insert((chain.device, chain.epoch), (upto, now_ms));
        }
        edge.standing.note_reached(edge.now_ms());
        // The lanes' streams have receipts to tell.
        edge.gate.news.tell(place.event_id);
    }
}

/// Brings the next rows of a chain; up to which. `None` where they are not here yet, or not any more: then the lane brings them
/// again.
async fn bring(edge: &Edge, place: &Place, chain: Waiting, after: u64) -> Result<Option<u64>, EdgeError> {
    let rows = {
        let mut tx = edge.gate.platform.store.read().await?;
        let of = (chain.device, chain.epoch);
        store::rows_between(&mut tx, of, (after, chain.wanted_seq), ROWS).await?
    };
    let Some((last, _)) = rows.last() else { return Ok(None) };
    let last = *last;
    let rows = rows.into_iter().map(|(_, row)| row.into()).collect();
    let upload = ScanUpload { event: place.event_id, rows };
    let answer: ScanAnswer = place.upstream.post("/gate/v1/scans", &upload).await?;
    for receipt in &answer.receipts {
        keep(edge, place, receipt).await?;
    }
    for incident in &answer.incidents {
        tracing::warn!(device = %chain.device, seq = incident.seq, code = incident.code, "the upstream has an incident");
    }
    Ok(Some(last))
}

/// Keeps a receipt that the upstream signed for a row that is here.
async fn keep(edge: &Edge, place: &Place, receipt: &Receipt) -> Result<(), EdgeError> {
    let event = EventId(place.event_id);
    let Some(trust) = edge.standing.trust(place.event_id) else { return Ok(()) };
    let now_s = edge.gate.now_ms().div_euclid(1_000);
    let payload = receipt.open(&trust, event, now_s)?;
    let head: ChainHead = payload.head();
    let mut tx = edge.gate.platform.store.write().await?;
    store::keep_receipt(&mut tx, DeviceId(payload.device), &head, &receipt.0).await?;
    tx.commit().await?;
    edge.standing.receipts.send_modify(|count| *count += 1);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_brought_is_offered_again_later_and_new_rows_at_once() {
        let chain = |receipt_seq, wanted_seq| Waiting { device: DeviceId(1), epoch: 9, receipt_seq, wanted_seq };
        let mut offered = Offered::default();
        assert_eq!(offered.after(&chain(0, 5), 0), Some(0));
        offered.0.insert((DeviceId(1), 9), (5, 1_000));
        assert_eq!(offered.after(&chain(0, 5), 2_000), None, "it was brought a moment ago");
        assert_eq!(offered.after(&chain(0, 7), 2_000), Some(5), "new rows go at once");
        assert_eq!(offered.after(&chain(3, 5), 1_000 + OFFER_AGAIN_MS), Some(3));
        assert_eq!(offered.after(&chain(5, 5), 1_000 + OFFER_AGAIN_MS), None);
    }
}
