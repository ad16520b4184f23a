//! Releasing a revoked device's rows from quarantine: those that precede the revocation count after all.
//!
//! Whoever has the device can write what they like into its rows, the time too; what they cannot do is go behind a row that
//! is in the chain, or make a guest's phone sign for another time. So of each chain, rows are released in its order up to
//! the first that shows signs of having been made later, and nothing after that one, whatever it says of itself:
//!
//! - a row that a row follows which was counted before the revocation, precedes it: that needs no word of the device;
//! - any other must say a time before it, with its uncertainty at its worst, so that a row of a clock in doubt stays;
//! - an admission must not be on a code that a phone signed for a time after it, as far as codes may be off;
//! - and nothing beyond a gap is looked at, since what is missing there may show more.
//!
//! What remains possible: rows that are backdated from the first on, of overrides and printed codes, or of phones' codes that
//! were recorded before. The supervisor bounds it by saying since when the device was out of sight (`until_ms`).

use std::collections::BTreeMap;

use gate_core::decide::Outcome;
use gate_core::merge::CheckedRow;
use gate_core::row::RowBody;
use ticket_signer::{DeviceId, TimeStep, UntrustedCode};

use super::model::{DeviceState, GateError};
use super::{Gate, Result, lists, policies, scans, store};
use crate::platform::{Actor, Tx};

/// The most rows that are looked at in one go.
pub(super) const ROWS_MAX: u32 = 20_000;

/// What a release came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Released {
    pub event_id: u32,
    pub rows: u64,
    /// Rows that stay in quarantine.
    pub waiting: u64,
}

/// A chain's rows that wait, in their order, and what is known of the chain.
struct Chain {
    /// Nothing is missing up to here.
    head_seq: u64,
    /// The last row that counts.
    counted_seq: u64,
    rows: Vec<CheckedRow>,
}

/// Up to when rows are released, and how many seconds a code may be off.
#[derive(Clone, Copy)]
struct Bound {
    until_ms: i64,
    code_slack_ms: i64,
}

/// Releases what precedes the revocation, and `until_ms` where that is earlier. Doing it again releases what has come since.
pub(super) async fn release(
    gate: &Gate,
    tx: &mut Tx,
    id: DeviceId,
    until_ms: Option<i64>,
    by: &Actor,
) -> Result<Released> {
    // Locked as merging locks it: an upload of the same device comes before or after.
    let state = store::device_state(tx, id).await?.ok_or(GateError::DeviceNotFound(id))?;
    let revoked = store::revocation(tx, id).await?;
    let (event_id, revoked_at_ms) =
        revoked.filter(|_| state == DeviceState::Revoked).ok_or(GateError::DeviceNotRevoked)?;
    let now_ms = gate.platform.clock.now_ms();
    let policy = policies::composed(tx, event_id, now_ms).await?;
    let bound = Bound {
        until_ms: until_ms.map_or(revoked_at_ms, |until_ms| until_ms.min(revoked_at_ms)),
        // A code is signed for a step; the gate's clock may be off by as much again.
        code_slack_ms: (i64::from(policy.at(now_ms).freshness_steps) + 1) * TimeStep::SECONDS * 1_000,
    };
    let mut released: Vec<CheckedRow> = Vec::new();
    for chain in chains(tx, id).await? {
        let count = releasable(&chain, bound);
        released.extend(chain.rows.into_iter().take(count));
    }
    if !released.is_empty() {
        store::release_rows(tx, event_id, &released).await?;
        let allowed = lists::admissions_by_class(tx, event_id).await?;
        scans::count(tx, event_id, &released.iter().collect::<Vec<_>>(), &allowed).await?;
        store::note_release(tx, (id, event_id), released.len() as u64, (bound.until_ms, now_ms), by).await?;
    }
    let waiting = store::quarantined(tx, id).await?;
    Ok(Released { event_id, rows: released.len() as u64, waiting })
}

async fn chains(tx: &mut Tx, id: DeviceId) -> Result<Vec<Chain>> {
    let mut chains: BTreeMap<u64, Chain> = BTreeMap::new();
    for (epoch, head_seq, counted_seq) in store::chain_marks(tx, id).await? {
        chains.insert(epoch, Chain { head_seq, counted_seq, rows: Vec::new() });
    }
    for row in store::quarantined_rows(tx, id, ROWS_MAX).await? {
        if let Some(chain) = chains.get_mut(&row.body.epoch) {
            chain.rows.push(row);
        }
    }
    Ok(chains.into_values().collect())
}

/// How many of a chain's waiting rows, from the first on, precede the revocation.
fn releasable(chain: &Chain, bound: Bound) -> usize {
    let precedes = |row: &&CheckedRow| {
        let seq = row.body.seq;
        seq <= chain.head_seq && (seq < chain.counted_seq || claims_to_precede(&row.body, bound))
    };
    chain.rows.iter().take_while(precedes).count()
}

/// Whether neither the row's time nor its code is of after the bound.
fn claims_to_precede(body: &RowBody, bound: Bound) -> bool {
    let latest_ms = body.at_ms.saturating_add(i64::from(body.uncertainty_ms));
    let signed_ms = signed_for_ms(body).unwrap_or(i64::MIN);
    latest_ms < bound.until_ms && signed_ms < bound.until_ms.saturating_add(bound.code_slack_ms)
}

/// When the phone signed the code that was admitted, by its own claim.
fn signed_for_ms(body: &RowBody) -> Option<i64> {
    if body.outcome() != Some(Outcome::Admit) {
        return None;
    }
    let presentation = match ticket_signer::code::parse(body.code.as_deref()?).ok()? {
        UntrustedCode::Short(short) => short.presentation,
        UntrustedCode::Full { presentation, .. } => presentation,
        UntrustedCode::Printed { .. } => return None,
    };
    Some(presentation.step.starts_at_s() * 1_000)
}

#[cfg(test)]
mod tests {
    use gate_core::chain::ChainHead;
    use gate_core::row::SignedRow;
    use ticket_signer::code::ShortCode;
    use ticket_signer::presentation::Presentation;
    use ticket_signer::{Challenge, EventId, LaneId, Serial, TicketId};

    use super::*;

    const UNTIL_MS: i64 = 1_800_000_000_000;
    const BOUND: Bound = Bound { until_ms: UNTIL_MS, code_slack_ms: 45_000 };

    fn row(seq: u64, at_ms: i64) -> CheckedRow {
        let before = ChainHead { epoch: 1, seq: seq - 1, hash: [0; 32] };
        let outcome = Outcome::Admit.to_byte();
        let body = RowBody {
            at_ms,
            outcome,
            uncertainty_ms: 500,
            ..RowBody::after(before, DeviceId(1), EventId(1), LaneId(1))
        };
        CheckedRow { row: SignedRow { bytes: Vec::new(), signature: [0; 64] }, hash: [0; 32], body }
    }

    fn chain(head_seq: u64, counted_seq: u64, rows: Vec<CheckedRow>) -> Chain {
        Chain { head_seq, counted_seq, rows }
    }

    /// An admission on a code that a phone signed for this time.
    fn with_code(seq: u64, at_ms: i64, signed_ms: i64) -> CheckedRow {
        let presentation =
            Presentation { step: TimeStep::at(signed_ms / 1_000), challenge: Challenge::NONE, signature: [0; 64] };
        let short = ShortCode { ticket: TicketId(1), serial: Serial::new(2).unwrap(), presentation };
        let mut row = row(seq, at_ms);
        row.body.code = Some(UntrustedCode::Short(short).to_text());
        row
    }

    #[test]
    fn rows_are_released_up_to_the_first_that_may_be_later() {
        let early = |seq| row(seq, UNTIL_MS - 60_000);
        let late = |seq| row(seq, UNTIL_MS - 500);
        assert_eq!(releasable(&chain(3, 0, vec![early(1), early(2), early(3)]), BOUND), 3);
        assert_eq!(releasable(&chain(3, 0, vec![early(1), late(2), early(3)]), BOUND), 1, "and none behind it");
        assert_eq!(releasable(&chain(1, 0, vec![early(1), early(3)]), BOUND), 1, "nothing beyond a gap");
        let mut doubtful = early(1);
        doubtful.body.uncertainty_ms = u32::MAX;
        assert_eq!(releasable(&chain(1, 0, vec![doubtful]), BOUND), 0);
        assert_eq!(releasable(&chain(1, 0, vec![row(1, i64::MAX)]), BOUND), 0);
    }

    #[test]
    fn a_row_that_a_counted_one_follows_needs_no_word_of_the_device() {
        // Row 2 came late; rows 3 and 4 were there before the revocation.
        let chain = chain(6, 4, vec![row(2, UNTIL_MS + 9), row(5, UNTIL_MS - 9_000), row(6, UNTIL_MS + 9)]);
        assert_eq!(releasable(&chain, BOUND), 2);
    }

    #[test]
    fn a_code_of_a_later_time_betrays_a_backdated_row() {
        let of = |signed_ms| releasable(&chain(1, 0, vec![with_code(1, UNTIL_MS - 3_600_000, signed_ms)]), BOUND);
        assert_eq!(of(UNTIL_MS - 3_600_000), 1);
        assert_eq!(of(UNTIL_MS + 30_000), 1, "clocks differ by as much as codes may");
        assert_eq!(of(UNTIL_MS + 60_000), 0);
        let mut refused = with_code(1, UNTIL_MS - 3_600_000, UNTIL_MS + 60_000);
        refused.body.outcome = Outcome::Refuse.to_byte();
        assert_eq!(releasable(&chain(1, 0, vec![refused]), BOUND), 1, "a phone whose clock is ahead was refused");
    }
}
