//! How handhelds say they are: kept as the newest word of each, and shown as old as it is.
//!
//! Invariant: nothing is decided by it. A handheld that tells nothing works as well, and the page says that it tells nothing.

use gate_core::wire::v1::DeviceStatus;
use serde::Serialize;
use utoipa::ToSchema;

use super::model::Device;
use super::store::{self, KeptStatus};
use super::{Gate, Result};

/// A status so much older than the last contact is of a program that tells none any more.
const LATE_MS: i64 = 180_000;

/// Keeps what a confirmed device tells.
pub(super) async fn keep(gate: &Gate, device: &Device, status: DeviceStatus) -> Result<()> {
    let now_ms = gate.platform.clock.now_ms();
    let mut tx = gate.platform.store.write().await?;
    store::keep_status(&mut tx, device.id, device.event_id, &status.tidied(), now_ms).await?;
    store::note_contact(&mut tx, device.id, now_ms).await?;
    tx.commit().await?;
    gate.news.tell(device.event_id);
    Ok(())
}

/// What a handheld told of itself.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(super) struct StatusBody {
    /// When it told so; what follows was so then.
    pub told_at_ms: i64,
    pub version: String,
    /// From 0 to 100; none where the device does not know.
    pub battery_percent: Option<u8>,
    pub charging: bool,
    /// Scans that the cloud has not signed for.
    pub waiting_rows: u64,
    /// How long the oldest of them had waited.
    pub oldest_waiting_ms: u64,
    /// The list that it decides by.
    pub list_version: Option<u64>,
    pub list_issued_at_ms: Option<i64>,
    pub list_expires_at_ms: Option<i64>,
    /// The policy that it decides by; 0 for none.
    pub policy_version: u64,
    pub clock_in_doubt: bool,
    pub clock_offset_ms: i64,
    /// For how long it had not heard the feed; none while it did.
    pub cut_off_s: Option<u64>,
}

impl From<&KeptStatus> for StatusBody {
    fn from(kept: &KeptStatus) -> Self {
        let status = &kept.status;
        Self {
            told_at_ms: kept.told_at_ms,
            version: status.version.clone(),
            battery_percent: status.battery.map(|battery| battery.percent),
            charging: status.battery.is_some_and(|battery| battery.charging),
            waiting_rows: status.waiting_rows,
            oldest_waiting_ms: status.oldest_waiting_ms,
            list_version: status.list.map(|list| list.version),
            list_issued_at_ms: status.list.map(|list| list.issued_at_ms),
            list_expires_at_ms: status.list.map(|list| list.expires_at_ms),
            policy_version: status.policy_version,
            clock_in_doubt: status.clock.in_doubt,
            clock_offset_ms: status.clock.offset_ms,
            cut_off_s: status.cut_off_s,
        }
    }
}

/// The status that still speaks for the device: not one from before its program was replaced by one that tells none.
pub(super) fn current(kept: Option<&KeptStatus>, last_contact_ms: Option<i64>) -> Option<&KeptStatus> {
    kept.filter(|kept| last_contact_ms.is_none_or(|contact| contact - kept.told_at_ms <= LATE_MS))
}

/// Whether the device decides by all that was decided: by its own word, and else by what it was sent. A gate sets aside a
/// policy that it cannot believe, and only its own word tells.
pub(super) fn knows_decisions(status: Option<&KeptStatus>, sent: Option<u64>, decided: Option<u64>) -> bool {
    let has = status.map(|kept| kept.status.policy_version).or(sent);
    has >= decided
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(told_at_ms: i64, policy_version: u64) -> KeptStatus {
        KeptStatus { told_at_ms, status: DeviceStatus { policy_version, ..DeviceStatus::default() } }
    }

    #[test]
    fn its_own_word_goes_over_what_it_was_sent() {
        let (old, new) = (told(0, 4), told(0, 5));
        assert!(knows_decisions(None, None, None), "nothing was decided");
        assert!(!knows_decisions(None, None, Some(5)));
        assert!(knows_decisions(None, Some(5), Some(5)));
        assert!(!knows_decisions(Some(&old), Some(5), Some(5)), "it was sent it and set it aside");
        assert!(knows_decisions(Some(&new), Some(4), Some(5)), "it had it from elsewhere");
    }

    #[test]
    fn a_word_from_before_the_program_was_replaced_counts_no_more() {
        let kept = told(100_000, 1);
        assert!(current(Some(&kept), Some(280_000)).is_some());
        assert!(current(Some(&kept), Some(280_001)).is_none());
        assert!(current(Some(&kept), None).is_some());
        assert!(current(None, Some(1)).is_none());
    }
}
