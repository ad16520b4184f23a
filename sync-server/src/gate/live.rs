//! What supervisors see: lanes, minutes, devices and conflicts, as one snapshot.

use std::collections::BTreeMap;

use gate_core::conflict;
use gate_core::decide::Outcome;
use gate_core::passage::{Direction, Passage};
use gate_core::reason::Reason;
use serde::Serialize;
use ticket_signer::{LaneId, TicketId};
use utoipa::ToSchema;

use super::decisions::{Decision, Kept};
use super::gaps::{self, Scan};
use super::model::{Device, DeviceState};
use super::status::{self, StatusBody};
use super::{Gate, Result, edge, lists, policies, store};
use crate::catalog;
use crate::platform::Tx;
use crate::platform::ids::hex16;

const MINUTE_MS: i64 = 60_000;
/// How many minutes of history a snapshot has.
const HISTORY: i64 = 30;

/// Everything on the supervisor's live page.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(super) struct Snapshot {
    pub now_ms: i64,
    pub list: ListBody,
    pub lanes: Vec<LaneBody>,
    pub classes: Vec<ClassBody>,
    /// What supervisors decided and still holds, the oldest first.
    pub decisions: Vec<DecisionBody>,
    pub conflicts: Vec<ConflictBody>,
    pub incidents: Vec<IncidentBody>,
    /// At a venue's edge: how it stands with the organiser's server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<UpstreamBody>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(super) struct UpstreamBody {
    /// When that server last said that it hears all.
    pub heard_at_ms: Option<i64>,
    /// Rows that lanes brought here and that server has not signed for.
    pub waiting_rows: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(super) struct ListBody {
    pub version: u64,
    pub tickets: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(super) struct ClassBody {
    pub id: u16,
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(super) struct DecisionBody {
    pub id: u64,
    pub decision: Decision,
    pub made_at_ms: i64,
    pub until_ms: i64,
    /// The name of who made it.
    pub made_by: String,
}

impl From<Kept> for DecisionBody {
    fn from(kept: Kept) -> Self {
        let Kept { id, decision, made_at_ms, until_ms, made_by, .. } = kept;
        Self { id, decision, made_at_ms, until_ms, made_by }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(super) struct LaneBody {
    pub lane_id: u32,
    pub lane: String,
    pub entrance: String,
    /// Nobody passes here now.
    pub closed: bool,
    /// `in` or `out`.
    #[schema(value_type = String)]
    pub direction: Direction,
    /// The classes that pass here now; none named means all.
    pub classes: Vec<u16>,
    pub devices: Vec<LaneDeviceBody>,
    pub totals: TotalsBody,
    /// Over the last 60 seconds' worth of whole minutes: the present minute and the one before, scaled to one.
    pub per_minute: PerMinuteBody,
    /// The last 30 minutes, oldest first.
    pub history: Vec<MinuteBody>,
    pub gaps: GapsBody,
}

/// What the times of the last ten minutes' scans say.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub(super) struct GapsBody {
    /// Half of the scans came sooner after the one before at the same handheld; none where there were few.
    pub median_ms: Option<i64>,
    /// Guests are queueing here: the lane has no pauses. None where the scans do not say.
    pub queue: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(super) struct LaneDeviceBody {
    pub device_id: String,
    pub name: String,
    pub state: String,
    pub last_contact_ms: Option<i64>,
    pub list_version: Option<u64>,
    /// It decides by all that was decided: by its own word, or else it was sent it.
    pub policy_current: bool,
    /// The last of its rows that is here without a gap.
    pub head_seq: i64,
    /// What it told of itself; none where its program tells nothing.
    pub status: Option<StatusBody>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub(super) struct TotalsBody {
    pub admitted: i64,
    pub refused: i64,
    pub review: i64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub(super) struct PerMinuteBody {
    pub admitted: i64,
    pub refused: i64,
    pub review: i64,
    pub refusals: Vec<RefusalBody>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(super) struct RefusalBody {
    pub reason: String,
    pub sentence: String,
    pub count: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(super) struct MinuteBody {
    pub minute_ms: i64,
    pub admitted: i64,
    pub refused: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(super) struct ConflictBody {
    pub ticket_id: String,
    pub class: u16,
    pub class_name: String,
    pub allowed: u8,
    /// The most guests that were inside on it.
    pub most_inside: u32,
    /// Entries and exits, oldest first.
    pub passages: Vec<PassageBody>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(super) struct PassageBody {
    pub device_id: String,
    pub device: String,
    pub lane_id: u32,
    pub lane: String,
    pub at_ms: i64,
    pub uncertainty_ms: u32,
    /// `in` or `out`.
    pub direction: String,
    pub guests: u8,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(super) struct IncidentBody {
    pub device_id: String,
    pub seq: u64,
    pub kind: String,
    pub found_at_ms: i64,
}

impl TotalsBody {
    /// Counts guests who came in, and scans by which nobody did.
    fn count(&mut self, outcome: u8, scans: i64, guests: i64) {
        match Outcome::from_byte(outcome) {
            Some(Outcome::Admit) => self.admitted += guests,
            Some(Outcome::Refuse) => self.refused += scans,
            Some(Outcome::Review) => self.review += scans,
            None => {}
        }
    }
}

pub(super) async fn snapshot(gate: &Gate, tx: &mut Tx, event_id: u32) -> Result<Snapshot> {
    let now_ms = gate.platform.clock.now_ms();
    let lanes = catalog::lanes(tx, event_id).await?;
    let devices = store::devices(tx, event_id).await?;
    let heads: BTreeMap<u64, i64> = store::head_seqs(tx, event_id).await?.into_iter().collect();
    let mut totals: BTreeMap<u32, TotalsBody> = BTreeMap::new();
    for (lane, outcome, scans, guests) in store::lane_totals(tx, event_id).await? {
        totals.entry(lane).or_default().count(outcome, scans, guests);
    }
    let first_ms = now_ms.div_euclid(MINUTE_MS) * MINUTE_MS - (HISTORY - 1) * MINUTE_MS;
    let minutes = store::minutes_since(tx, event_id, first_ms).await?;
    let (list_version, list_tickets) = lists::newest(gate, tx, event_id).await?;
    let policy = policies::in_force(gate, tx, event_id, now_ms).await?;
    let in_force = policy.at(now_ms);
    let decided = match &gate.edge {
        Some(_) => store::newest_policy(tx, event_id).await?.map(|(version, _, _)| version),
        None => store::decided_version(tx, event_id).await?,
    };
    let sent: BTreeMap<u64, u64> = store::sent_policies(tx, event_id).await?.into_iter().collect();
    let statuses: BTreeMap<u64, store::KeptStatus> = store::statuses(tx, event_id).await?.into_iter().collect();
    let scans = lane_scans(tx, event_id, now_ms).await?;
    let device = |d: &Device| {
        let told = status::current(statuses.get(&d.id.0), d.last_contact_ms);
        LaneDeviceBody {
            device_id: d.id.to_string(),
            name: d.name.clone(),
            state: shown_state(d, now_ms).to_owned(),
            last_contact_ms: d.last_contact_ms,
            list_version: d.list_version,
            policy_current: status::knows_decisions(told, sent.get(&d.id.0).copied(), decided),
            head_seq: heads.get(&d.id.0).copied().unwrap_or(0),
            status: told.map(StatusBody::from),
        }
    };
    let incidents = store::incidents(tx, event_id)
        .await?
        .into_iter()
        .map(|(device, seq, kind, found_at_ms)| IncidentBody { device_id: hex16(device), seq, kind, found_at_ms });
    let incidents = incidents.collect();
    let lane_body = |lane: &catalog::Lane| {
        let rules = in_force.lane(LaneId(lane.id));
        let own: Vec<&store::MinuteLine> = minutes.iter().filter(|line| line.0 == lane.id).collect();
        LaneBody {
            lane_id: lane.id,
            lane: lane.name.clone(),
            entrance: lane.entrance.clone(),
            closed: rules.is_some_and(|rules| rules.closed),
            direction: rules.map_or_else(Direction::default, |rules| rules.direction),
            classes: rules.map_or_else(Vec::new, |rules| rules.classes.clone()),
            devices: devices.iter().filter(|d| d.lane_id == lane.id).map(device).collect(),
            totals: totals.get(&lane.id).cloned().unwrap_or_default(),
            per_minute: per_minute(&own, now_ms),
            history: history(&own, first_ms),
            gaps: scans.get(&lane.id).map_or_else(GapsBody::default, |scans| {
                let gaps::Gaps { median_ms, queue } = gaps::gaps(scans, now_ms);
                GapsBody { median_ms, queue }
            }),
        }
    };
    let upstream = match &gate.edge {
        Some(standing) => Some(UpstreamBody {
            heard_at_ms: standing.heard_at_ms(event_id),
            waiting_rows: edge::waiting_rows(tx, event_id).await?,
        }),
        None => None,
    };
    Ok(Snapshot {
        upstream,
        now_ms,
        list: ListBody { version: list_version, tickets: list_tickets },
        lanes: lanes.iter().map(lane_body).collect(),
        classes: catalog::classes(tx, event_id)
            .await?
            .into_iter()
            .map(|c| ClassBody { id: c.id, name: c.name })
            .collect(),
        decisions: store::decisions(tx, event_id, now_ms).await?.into_iter().map(DecisionBody::from).collect(),
        conflicts: conflicts(tx, event_id, &lanes, &devices).await?,
        incidents,
    })
}

/// `pending`, `confirmed`, `revoked`, `expired` where the lease of a confirmed device has run out, or `wiped`.
fn shown_state(device: &Device, now_ms: i64) -> &'static str {
    if device.wiped_at_ms.is_some() {
        return "wiped";
    }
    let lapsed = device.lease_until_ms.is_some_and(|until| now_ms >= until);
    match device.state {
        DeviceState::Confirmed if lapsed => "expired",
        state => state.as_str(),
    }
}

/// The newest scans by lane. Those of a clock that is ahead say nothing of now.
pub(super) async fn lane_scans(tx: &mut Tx, event_id: u32, now_ms: i64) -> Result<BTreeMap<u32, Vec<Scan>>> {
    let mut scans: BTreeMap<u32, Vec<Scan>> = BTreeMap::new();
    let span = (now_ms - gaps::WINDOW_MS, now_ms);
    for (lane, device, at_ms) in store::scan_times(tx, event_id, span, gaps::SCANS_MAX).await? {
        scans.entry(lane).or_default().push(Scan { device, at_ms });
    }
    Ok(scans)
}

/// The rate of now: the present minute so far, and as much of the one before as makes a whole minute with it.
fn per_minute(lines: &[&store::MinuteLine], now_ms: i64) -> PerMinuteBody {
    let present = now_ms.div_euclid(MINUTE_MS) * MINUTE_MS;
    let rest = MINUTE_MS - (now_ms - present);
    let mut body = PerMinuteBody::default();
    let mut sums: BTreeMap<(u8, &str), (i64, i64)> = BTreeMap::new();
    for (_, minute_ms, outcome, reason, scans, guests) in lines {
        let weight = if *minute_ms >= present {
            MINUTE_MS
        } else if *minute_ms == present - MINUTE_MS {
            rest
        } else {
            continue;
        };
        let sum = sums.entry((*outcome, reason)).or_default();
        sum.0 += scans * weight;
        sum.1 += guests * weight;
    }
    let whole = |weighted: i64| (weighted + MINUTE_MS / 2) / MINUTE_MS;
    let mut totals = TotalsBody::default();
    for ((outcome, reason), (scans, guests)) in sums {
        let count = whole(scans);
        totals.count(outcome, count, whole(guests));
        if outcome == Outcome::Refuse.to_byte() && count > 0 {
            let sentence = Reason::from_code(reason).map_or("", Reason::sentence).to_owned();
            body.refusals.push(RefusalBody { reason: reason.to_owned(), sentence, count });
        }
    }
    body.refusals.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.reason.cmp(&b.reason)));
    PerMinuteBody { admitted: totals.admitted, refused: totals.refused, review: totals.review, ..body }
}

/// Every minute from `first_ms` on, those without scans too. Scans of a clock that is ahead belong to none of them.
fn history(lines: &[&store::MinuteLine], first_ms: i64) -> Vec<MinuteBody> {
    let empty = (0..HISTORY).map(|minute| (first_ms + minute * MINUTE_MS, TotalsBody::default()));
    let mut minutes: BTreeMap<i64, TotalsBody> = empty.collect();
    for (_, minute_ms, outcome, _, scans, guests) in lines {
        if let Some(minute) = minutes.get_mut(minute_ms) {
            minute.count(*outcome, *scans, *guests);
        }
    }
    let body = |(minute_ms, totals): (i64, TotalsBody)| MinuteBody {
        minute_ms,
        admitted: totals.admitted,
        refused: totals.refused,
    };
    minutes.into_iter().map(body).collect()
}

/// Every ticket of the event that was admitted more often than its class allows.
pub(super) async fn conflicts(
    tx: &mut Tx,
    event_id: u32,
    lanes: &[catalog::Lane],
    devices: &[Device],
) -> Result<Vec<ConflictBody>> {
    let classes = lists::class_names(tx, event_id).await?;
    let mut found: BTreeMap<TicketId, (u16, Vec<Passage>)> = BTreeMap::new();
    for row in store::repeated_rows(tx, event_id).await? {
        let Some((ticket, passage)) = row.passage() else { continue };
        let entry = found.entry(ticket).or_default();
        entry.0 = row.class.map_or(0, |class| class.0);
        entry.1.push(passage);
    }
    let named = |passage: &Passage| PassageBody {
        device_id: passage.device.to_string(),
        device: devices.iter().find(|d| d.id == passage.device).map_or_else(String::new, |d| d.name.clone()),
        lane_id: passage.lane.0,
        lane: lanes.iter().find(|lane| lane.id == passage.lane.0).map_or_else(String::new, |lane| lane.name.clone()),
        at_ms: passage.at_ms,
        uncertainty_ms: passage.uncertainty_ms,
        direction: if passage.direction == Direction::In { "in" } else { "out" }.to_owned(),
        guests: passage.guests,
    };
    let body = |(ticket, (class, passages)): (TicketId, (u16, Vec<Passage>))| {
        // What no table knows admits once, as at the gates.
        let (class_name, allowed) = classes.get(&class).cloned().unwrap_or_else(|| (String::new(), 1));
        let conflict = conflict::conflict(ticket, allowed, &passages)?;
        let passages = conflict.passages.iter().map(named).collect();
        let most_inside = conflict.most_inside;
        Some(ConflictBody { ticket_id: ticket.to_string(), class, class_name, allowed, most_inside, passages })
    };
    Ok(found.into_iter().filter_map(body).collect())
}

/// A device as the supervisor's page lists it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct DeviceBody {
    pub id: String,
    /// `lane`, or `edge` for a venue's edge, which has no lane.
    pub kind: String,
    /// The edge that brings its rows; null while it talks to this server itself.
    pub edge_id: Option<String>,
    pub name: String,
    pub lane_id: u32,
    pub lane: String,
    /// `pending`, `confirmed`, `revoked`, `expired` or `wiped`.
    pub state: String,
    pub fingerprint: String,
    pub version: String,
    pub enrolled_at_ms: i64,
    pub last_contact_ms: Option<i64>,
    pub list_version: Option<u64>,
    pub lease_until_ms: Option<i64>,
    /// When it was first given the word to wipe itself.
    pub wipe_sent_at_ms: Option<i64>,
    pub revoked_at_ms: Option<i64>,
    /// Its scans that came after the revocation and count for nothing yet.
    pub quarantined: u64,
    /// Those that were released since, the oldest first.
    pub releases: Vec<ReleaseBody>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(super) struct ReleaseBody {
    pub released_at_ms: i64,
    pub scans: u64,
    /// The name of who released them.
    pub released_by: String,
}

/// What waits of an event's revoked devices, and what was released.
pub(super) struct Quarantine {
    waiting: BTreeMap<u64, (i64, u64)>,
    releases: Vec<(u64, i64, u64, String)>,
}

impl Quarantine {
    pub(super) async fn of(tx: &mut Tx, event_id: u32) -> Result<Self> {
        let waiting = store::quarantines(tx, event_id).await?;
        let waiting = waiting.into_iter().map(|(device, revoked_at_ms, rows)| (device, (revoked_at_ms, rows)));
        Ok(Self { waiting: waiting.collect(), releases: store::releases(tx, event_id).await? })
    }
}

impl DeviceBody {
    pub(super) fn new(device: &Device, lanes: &[catalog::Lane], quarantine: &Quarantine, now_ms: i64) -> Self {
        let waiting = quarantine.waiting.get(&device.id.0);
        let releases = quarantine.releases.iter().filter(|(of, ..)| *of == device.id.0);
        let release = |(_, released_at_ms, scans, by): &(u64, i64, u64, String)| ReleaseBody {
            released_at_ms: *released_at_ms,
            scans: *scans,
            released_by: by.clone(),
        };
        let lane = lanes.iter().find(|lane| lane.id == device.lane_id);
        Self {
            id: device.id.to_string(),
            kind: device.kind.as_str().to_owned(),
            edge_id: device.edge.map(|edge| edge.to_string()),
            name: device.name.clone(),
            lane_id: device.lane_id,
            lane: lane.map_or_else(String::new, |lane| lane.name.clone()),
            state: shown_state(device, now_ms).to_owned(),
            fingerprint: device.key.spoken_fingerprint(),
            version: device.version.clone(),
            enrolled_at_ms: device.enrolled_at_ms,
            last_contact_ms: device.last_contact_ms,
            list_version: device.list_version,
            lease_until_ms: device.lease_until_ms,
            wipe_sent_at_ms: device.wipe_sent_at_ms,
            revoked_at_ms: waiting.map(|(revoked_at_ms, _)| *revoked_at_ms),
            quarantined: waiting.map_or(0, |(_, rows)| *rows),
            releases: releases.map(release).collect(),
        }
    }
}
