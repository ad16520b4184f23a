//! Streams: the lanes' feed and the supervisors' live page.
//!
//! A stream reads the store from its cursor on, whoever merged the rows: it is woken at once by merges of this process and
//! looks by itself every second for those of others and for changed lists. Nothing is queued for a slow reader: it is
//! handed the next part when it has taken the last.
//!
//! Invariant: a lane hears the time only after every admission that was there before it. The time is what tells a lane that
//! it hears the others, and a lane that believed so too early would admit a ticket that was used meanwhile.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{Event, Sse};
use futures_util::Stream;
use gate_core::wire::to_cbor;
use gate_core::wire::v1::FeedMessage;
use serde_bytes::ByteBuf;
use tokio::sync::watch;

use super::model::{Device, DeviceState};
use super::{Gate, Result, edge, edges, lists, live, policies, stations, store};
use crate::accounts;
use crate::platform::ids::base64url;

/// How often a stream looks by itself.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The most entries and exits sent in one part.
const PART: u32 = 256;
/// Signed time goes out at least this often, in milliseconds: silence means a dead line.
const TIME_EVERY_MS: i64 = 15_000;
/// A live page hears at least this often, in milliseconds.
const SNAPSHOT_EVERY_MS: i64 = 5_000;
/// A live page is not drawn more often than this, however many uploads come in.
const SNAPSHOT_GAP: Duration = Duration::from_millis(200);

type Events = Sse<std::pin::Pin<Box<dyn Stream<Item = std::result::Result<Event, Infallible>> + Send>>>;

/// Waits for news of the event, a second at most; `false` when the server is stopping.
async fn wait(gate: &Gate, news: &mut watch::Receiver<u64>) -> bool {
    tokio::select! {
        () = gate.platform.shutdown.requested() => false,
        changed = news.changed() => changed.is_ok(),
        () = gate.platform.clock.pause(LOOK_EVERY) => true,
    }
}

struct LaneFeed {
    gate: Gate,
    device: Device,
    news: watch::Receiver<u64>,
    cursor: u64,
    list: u64,
    policy: u64,
    staff: u64,
    time_ms: i64,
    /// The lane was last told that not all others are heard.
    waits_for_others: bool,
    /// At an edge: up to where the lane was told of receipts, by chain.
    receipted: BTreeMap<u64, u64>,
    /// A device that is to be wiped was told to ask for its bundle, in whose place it gets the wipe.
    wipe_told: bool,
    /// There is more to say than fitted into the last part, or nothing was said yet.
    behind: bool,
}

/// The feed of a lane from `cursor` on.
pub(super) fn lane(gate: Gate, device: Device, cursor: u64) -> Events {
    let news = gate.news.of(device.event_id).subscribe();
    let receipted = BTreeMap::new();
    let feed = LaneFeed {
        gate,
        device,
        news,
        cursor,
        list: 0,
        policy: 0,
        staff: 0,
        time_ms: 0,
        receipted,
        waits_for_others: false,
        wipe_told: false,
        behind: true,
    };
    let parts = futures_util::stream::unfold(feed, |mut feed| async move {
        let events = feed.next().await?;
        Some((futures_util::stream::iter(events.into_iter().map(Ok)), feed))
    });
    Sse::new(Box::pin(futures_util::StreamExt::flatten(parts)))
}

impl LaneFeed {
    /// The next events; `None` ends the stream, and the lane comes back with its cursor.
    async fn next(&mut self) -> Option<Vec<Event>> {
        loop {
            let stopping = self.gate.platform.shutdown.is_requested();
            if stopping || (!self.behind && !wait(&self.gate, &mut self.news).await) {
                return None;
            }
            match self.gather().await {
                Ok(Some(events)) if events.is_empty() => {}
                Ok(Some(events)) => return Some(events),
                Ok(None) => return None,
                Err(error) => {
                    tracing::warn!(%error, device = %self.device.id, "a lane's feed ended");
                    return None;
                }
            }
        }
    }

    /// What there is to say now; `None` when the device may hear no more.
    async fn gather(&mut self) -> Result<Option<Vec<Event>>> {
        let now_ms = self.gate.platform.clock.now_ms();
        let mut events = Vec::new();
        // Before the rows are read: what is heard afterwards may be newer than they are.
        let heard = self.gate.edge.as_ref().is_some_and(|edge| edge.is_heard(self.device.event_id, now_ms));
        let mut tx = self.gate.platform.store.read().await?;
        let device = store::device(&mut tx, self.device.id).await?;
        if device.as_ref().is_some_and(|device| device.wiped_at_ms.is_some()) {
            self.behind = false;
            let told = std::mem::replace(&mut self.wipe_told, true);
            return if told { Ok(None) } else { Ok(Some(vec![self.event(&FeedMessage::Trust)?])) };
        }
        if device.is_none_or(|device| device.state != DeviceState::Confirmed) {
            return Ok(None);
        }
        let merged = store::merged(&mut tx, self.device.event_id).await?;
        if self.cursor > merged {
            // This server was restored from a backup and counts anew. What the lane has already, it takes for known.
            self.cursor = 0;
        }
        let part = store::passages_after(&mut tx, self.device.event_id, self.cursor, self.device.id, PART).await?;
        self.behind = part.len() == PART as usize;
        for passage in part {
            self.cursor = passage.merged;
            let certificate = ByteBuf::from(passage.certificate);
            let message = FeedMessage::Admission { row: passage.row.into(), device_certificate: certificate };
            events.push(self.event(&message)?);
        }
        if self.behind {
            return Ok(Some(events));
        }
        // Refusals and the lane's own rows are passed over once, and not looked at again every second.
        self.cursor = merged;
        let (list, _) = lists::newest(&self.gate, &mut tx, self.device.event_id).await?;
        let time_is_due = now_ms - self.time_ms >= TIME_EVERY_MS;
        let look = time_is_due || self.waits_for_others;
        let all_heard = look && edges::all_heard(&self.gate, &mut tx, self.device.event_id, (heard, now_ms)).await?;
        let receipts = match &self.gate.edge {
            Some(_) => edge::receipts(&mut tx, self.device.id).await?,
            None => Vec::new(),
        };
        let staff = match &self.gate.edge {
            Some(standing) => standing.staff_version(self.device.event_id),
            None => accounts::roster_version(&mut tx, self.device.event_id).await?,
        };
        drop(tx);
        for (epoch, seq, receipt) in receipts {
            if self.receipted.insert(epoch, seq).is_none_or(|told| told < seq) {
                events.push(self.event(&FeedMessage::Receipt(receipt))?);
            }
        }
        if list != self.list {
            self.list = list;
            events.push(self.event(&FeedMessage::List { version: list })?);
        }
        if let Some(policy) = self.policy().await?.filter(|policy| *policy != self.policy) {
            self.policy = policy;
            events.push(self.event(&FeedMessage::Policy { version: policy })?);
        }
        if let Some(staff) = staff.filter(|staff| *staff != self.staff) {
            self.staff = staff;
            events.push(self.event(&FeedMessage::Staff { version: staff })?);
        }
        if time_is_due || (self.waits_for_others && all_heard) {
            self.time_ms = now_ms;
            self.waits_for_others = !all_heard;
            let time = stations::signed_time(&self.gate, self.device.event_id)?;
            let message = if all_heard { FeedMessage::Time(time) } else { FeedMessage::Alive(time) };
            events.push(self.event(&message)?);
        }
        Ok(Some(events))
    }

    /// The policy's version. A changed policy is signed at the first look, so this may write; mostly it only reads.
    async fn policy(&self) -> Result<Option<u64>> {
        let now_ms = self.gate.platform.clock.now_ms();
        let mut tx = self.gate.platform.store.read().await?;
        if self.gate.edge.is_some() || !policies::is_outdated(&mut tx, self.device.event_id, now_ms).await? {
            return Ok(store::newest_policy(&mut tx, self.device.event_id).await?.map(|(version, _, _)| version));
        }
        drop(tx);
        let mut tx = self.gate.platform.store.write().await?;
        let policy = policies::current(&self.gate, &mut tx, self.device.event_id).await?;
        tx.commit().await?;
        Ok(policy.map(|policy| policy.version))
    }

    fn event(&self, message: &FeedMessage) -> Result<Event> {
        Ok(Event::default().id(self.cursor.to_string()).data(base64url(&to_cbor(message)?)))
    }
}

struct LivePage {
    gate: Gate,
    event_id: u32,
    news: watch::Receiver<u64>,
    last: Option<live::Snapshot>,
}

/// The supervisors' stream: a snapshot at once, then with every change, and at least every five seconds.
pub(super) fn live(gate: Gate, event_id: u32) -> Events {
    let news = gate.news.of(event_id).subscribe();
    let page = LivePage { gate, event_id, news, last: None };
    let events = futures_util::stream::unfold(page, |mut page| async move {
        let event = page.next().await?;
        Some((Ok(event), page))
    });
    Sse::new(Box::pin(events))
}

impl LivePage {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if self.last.is_some() && !(self.gap().await && wait(&self.gate, &mut self.news).await) {
                return None;
            }
            let snapshot = match self.snapshot().await {
                Ok(snapshot) => snapshot,
                Err(error) => {
                    tracing::warn!(%error, event = self.event_id, "a live page's stream ended");
                    return None;
                }
            };
            let due = self.last.as_ref().is_none_or(|last| {
                let same = live::Snapshot { now_ms: snapshot.now_ms, ..last.clone() };
                same != snapshot || snapshot.now_ms - last.now_ms >= SNAPSHOT_EVERY_MS
            });
            if due {
                let event = Event::default().event("snapshot").json_data(&snapshot).ok()?;
                self.last = Some(snapshot);
                return Some(event);
            }
        }
    }

    /// Waits the least time between two snapshots; `false` when the server is stopping.
    async fn gap(&self) -> bool {
        tokio::select! {
            () = self.gate.platform.shutdown.requested() => false,
            () = self.gate.platform.clock.pause(SNAPSHOT_GAP) => true,
        }
    }

    async fn snapshot(&self) -> Result<live::Snapshot> {
        let mut tx = self.gate.platform.store.read().await?;
        live::snapshot(&self.gate, &mut tx, self.event_id).await
    }
}
