//! What must never happen, looked at from outside: with true time, and with counting of its own.

use std::collections::{BTreeMap, BTreeSet};

use gate_core::{Direction, Outcome, Partition, Passage, Reach, Reason};
use ticket_signer::{DeviceId, Serial, TicketId, TicketStatus};

use crate::cloud::Cloud;
use crate::edge::Edge;
use crate::handheld::{Committed, Handheld};
use crate::in_force::{Broken, Rules, moments, rules};

/// Something that must never happen has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Violation {
    /// A device admitted guests beyond what it durably knew.
    AdmittedKnownUsed {
        device: DeviceId,
        ticket: TicketId,
        seq: u64,
    },
    /// More guests inside than the strict rule allows.
    StrictBound {
        ticket: TicketId,
        inside: i64,
        allowed: i64,
    },
    /// A lane that hears nobody admitted a ticket of another group under the bounded rule, or more than the ticket's own.
    BoundedBound {
        device: DeviceId,
        ticket: TicketId,
        seq: u64,
    },
    /// A device let more guests in by itself than the ticket allows.
    PerDeviceBound {
        device: DeviceId,
        ticket: TicketId,
    },
    GreenWithoutRow {
        device: DeviceId,
        seq: u64,
    },
    /// A revoked or replaced issue was admitted by a device that knew of it.
    RevokedAdmitted {
        device: DeviceId,
        ticket: TicketId,
        seq: u64,
    },
    /// A strict ticket was admitted by a lane that did not own it, or not any more.
    NotOwner {
        device: DeviceId,
        ticket: TicketId,
        seq: u64,
    },
    /// A receipt covers rows that the server does not have.
    ReceiptTooFar {
        device: DeviceId,
        receipted: u64,
        there: u64,
    },
    /// An older issue was admitted by a device that had seen, or was told of, a newer one.
    RetiredAdmitted {
        device: DeviceId,
        ticket: TicketId,
        seq: u64,
    },
    RevocationUndone {
        device: DeviceId,
        ticket: TicketId,
    },
    FloorLowered {
        device: DeviceId,
        ticket: TicketId,
    },
    NoLease {
        device: DeviceId,
        seq: u64,
    },
    /// Somebody was let in against the policy that the device had, as it held at that moment.
    AgainstPolicy {
        device: DeviceId,
        seq: u64,
        broken: Broken,
    },
    /// Its clock was further off than it said.
    ClockOverconfident {
        device: DeviceId,
        off_ms: i64,
    },
    /// The crowd moved its clock further than it may.
    ClockMovedTooFar {
        device: DeviceId,
        moved_ms: i64,
    },
    RowLost {
        device: DeviceId,
        seq: u64,
    },
    RowStrange {
        device: u64,
        seq: u64,
    },
    ReceiptMissing {
        device: DeviceId,
        receipted: u64,
        head: u64,
    },
    /// A row that was durable is gone or another one.
    RowChanged {
        device: DeviceId,
        seq: u64,
    },
    Incident {
        device: u64,
    },
    ConflictHidden {
        ticket: TicketId,
        from: Option<DeviceId>,
    },
    OrderMatters,
    /// The edge came back and did not catch up.
    EdgeBehind {
        cursor: u64,
        merged: u64,
    },
    /// A device came back and did not catch up.
    Behind {
        device: DeviceId,
        cursor: u64,
        merged: u64,
    },
}

/// After this long without a word the engine says that it hears nobody; drift and a tick are allowed for.
const HEARD_MS_MAX: i64 = 20_500;

/// Behind an edge the other side was heard within two such steps, and two messages may have been slow.
const APART_MS_MAX: i64 = 20_000 + HEARD_MS_MAX + 20_000;
/// The furthest that phones may move a lane's clock.
const CROWD_MS_MAX: i64 = 600_000;

/// A passage in true time.
#[derive(Debug, Clone, Copy)]
struct Fact {
    at_ms: i64,
    device: DeviceId,
    seq: u64,
    guests: i64,
    by_staff: bool,
    strict: bool,
}

#[derive(Default)]
pub struct Checks {
    facts: BTreeMap<TicketId, Vec<Fact>>,
    revoked: BTreeMap<(DeviceId, TicketId), Serial>,
    floors: BTreeMap<(DeviceId, TicketId), Serial>,
    rows: BTreeMap<DeviceId, Vec<[u8; 32]>>,
    /// Revocations that a list has told a device of.
    told: BTreeMap<(DeviceId, TicketId), Serial>,
    /// The newest issue of a ticket whose code a device has verified.
    seen: BTreeMap<(DeviceId, TicketId), Serial>,
    pub admitted: u64,
    pub refused: u64,
    pub reviewed: u64,
    pub conflicts: u64,
    /// Decided while a supervisor's decision held.
    pub decided: u64,
    /// Decided by the phones' time.
    pub by_crowd: u64,
}

/// Guests inside by the plainest count: those who came less those who left.
fn net(passages: &[Passage]) -> i64 {
    let count = |passage: &Passage| match passage.direction {
        Direction::In => i64::from(passage.guests),
        Direction::Out => -i64::from(passage.guests),
    };
    passages.iter().map(count).sum()
}

/// The rules that the device had for this ticket at a moment of its clock.
fn in_force(one: &Committed, at_ms: i64) -> Option<Rules> {
    let policy = one.policy.as_ref()?.policy.as_ref()?;
    rules(policy, one.lane, one.class?, at_ms)
}

/// A clock may be off by what it says. An admission that no moment within that allows came before its decision began, or
/// after it had ended.
fn at_no_moment(one: &Committed, now_ms: i64) -> Option<Broken> {
    if !one.anchored || one.reading.in_doubt {
        return None;
    }
    let policy = one.policy.as_ref()?.policy.as_ref()?;
    let off_ms = i64::from(one.reading.uncertainty_ms) + 2;
    let allows = |at_ms: i64| in_force(one, at_ms).is_none_or(|rules| rules.breaks(one.direction, None).is_none());
    let any = moments(policy, now_ms - off_ms, now_ms + off_ms).into_iter().any(allows);
    (!any).then_some(Broken::AtNoMoment)
}

impl Checks {
    /// A verdict was committed at this true time; so long ago what the other side of an edge did was last brought over.
    pub fn committed(
        &mut self,
        device: DeviceId,
        (now_ms, apart_ms): (i64, i64),
        allowed: i64,
        one: &Committed,
    ) -> Result<(), Violation> {
        let decided = one.policy.as_ref().and_then(|station| station.policy.as_ref()).is_some_and(|policy| {
            policy.temporary.iter().any(|temporary| (temporary.from_ms..temporary.until_ms).contains(&now_ms))
        });
        self.decided += u64::from(decided);
        self.by_crowd += u64::from(one.reading.now_ms != one.unaided_ms);
        match one.outcome {
            Outcome::Admit => self.admitted += 1,
            Outcome::Refuse => self.refused += 1,
            Outcome::Review => self.reviewed += 1,
        }
        let judged = self.judged(device, (now_ms, apart_ms), allowed, one);
        if let (Some(ticket), Some(serial)) = (one.ticket, one.serial) {
            let seen = self.seen.entry((device, ticket)).or_insert(serial);
            *seen = serial.max(*seen);
        }
        judged
    }

    fn judged(
        &mut self,
        device: DeviceId,
        (now_ms, apart_ms): (i64, i64),
        allowed: i64,
        one: &Committed,
    ) -> Result<(), Violation> {
        let (Some(ticket), Outcome::Admit) = (one.ticket, one.outcome) else { return Ok(()) };
        let seq = one.seq;
        let rules = in_force(one, one.reading.now_ms);
        let partition = rules.map_or_else(Partition::default, |rules| rules.partition);
        let guests = i64::from(one.guests);
        let way = if one.direction == Direction::In { guests } else { -guests };
        self.facts.entry(ticket).or_default().push(Fact {
            at_ms: now_ms,
            device,
            seq,
            guests: way,
            by_staff: one.by_staff,
            strict: partition == Partition::Strict,
        });
        if one.by_staff {
            return Ok(());
        }
        if one.reading.now_ms >= one.lease_until_ms {
            return Err(Violation::NoLease { device, seq });
        }
        let broken =
            rules.and_then(|rules| rules.breaks(one.direction, one.age_steps)).or_else(|| at_no_moment(one, now_ms));
        if let Some(broken) = broken {
            return Err(Violation::AgainstPolicy { device, seq, broken });
        }
        if one.direction == Direction::Out {
            // An exit where no entry is known would give back what was never taken.
            let known = one.known.iter().any(|passage| passage.direction == Direction::In);
            return if known { Ok(()) } else { Err(Violation::AdmittedKnownUsed { device, ticket, seq }) };
        }
        if net(&one.known) + guests > allowed {
            return Err(Violation::AdmittedKnownUsed { device, ticket, seq });
        }
        let withdrawn = |known: Option<Serial>| known.is_some_and(|known| one.serial.is_none_or(|own| own <= known));
        let told = self.told.get(&(device, ticket)).copied();
        if withdrawn(one.revoked_to)
            || withdrawn(told)
            || one.floor.is_some_and(|floor| one.serial.is_none_or(|own| own < floor))
        {
            return Err(Violation::RevokedAdmitted { device, ticket, seq });
        }
        let retired = |known: Option<Serial>| known.is_some_and(|known| one.serial.is_none_or(|own| own < known));
        if retired(one.listed) || retired(self.seen.get(&(device, ticket)).copied()) {
            return Err(Violation::RetiredAdmitted { device, ticket, seq });
        }
        let deaf = one.reach == Reach::Alone || one.silence_ms > HEARD_MS_MAX || apart_ms > APART_MS_MAX;
        if partition == Partition::Bounded && !one.at_home && deaf {
            return Err(Violation::BoundedBound { device, ticket, seq });
        }
        if let (Partition::Strict, Some((owner, until_ms))) = (partition, one.owner)
            && (owner != device || one.reading.now_ms + i64::from(one.reading.uncertainty_ms) >= until_ms)
        {
            return Err(Violation::NotOwner { device, ticket, seq });
        }
        let moved_ms = (one.reading.now_ms - one.unaided_ms).abs();
        if moved_ms > CROWD_MS_MAX {
            return Err(Violation::ClockMovedTooFar { device, moved_ms });
        }
        let off_ms = (one.reading.now_ms - now_ms).abs();
        if (one.anchored || moved_ms > 0)
            && one.reason == Reason::Admitted
            && off_ms > i64::from(one.reading.uncertainty_ms) + 2
        {
            return Err(Violation::ClockOverconfident { device, off_ms });
        }
        Ok(())
    }

    pub fn shown(&self, device: &Handheld, seq: u64, green: bool) -> Result<(), Violation> {
        let row = device.bodies().find(|body| body.seq == seq);
        let stands = row.is_some_and(|body| body.outcome() == Some(Outcome::Admit)) || !green;
        if stands { Ok(()) } else { Err(Violation::GreenWithoutRow { device: device.id, seq }) }
    }

    /// What is durable on a device only ever grows.
    pub fn durable(&mut self, device: &Handheld) -> Result<(), Violation> {
        let id = device.id;
        for (ticket, serial) in &self.revoked_of(id) {
            if device.disk.revoked.get(ticket).is_none_or(|now| now < serial) {
                return Err(Violation::RevocationUndone { device: id, ticket: *ticket });
            }
        }
        for ((of, ticket), serial) in &self.floors {
            if *of == id && device.disk.floor.get(ticket).is_none_or(|now| now < serial) {
                return Err(Violation::FloorLowered { device: id, ticket: *ticket });
            }
        }
        for entry in device.disk.listed.values().filter(|entry| entry.status == TicketStatus::Revoked) {
            let told = self.told.entry((id, entry.ticket)).or_insert(entry.serial);
            *told = entry.serial.max(*told);
        }
        self.revoked.extend(device.disk.revoked.iter().map(|(ticket, serial)| ((id, *ticket), *serial)));
        self.floors.extend(device.disk.floor.iter().map(|(ticket, serial)| ((id, *ticket), *serial)));
        let rows = self.rows.entry(id).or_default();
        let changed = rows.iter().zip(&device.disk.rows).position(|(known, now)| *known != now.hash);
        if changed.is_some() || rows.len() > device.disk.rows.len() {
            let seq = changed.unwrap_or(device.disk.rows.len()) as u64 + 1;
            return Err(Violation::RowChanged { device: id, seq });
        }
        let known = rows.len();
        rows.extend(device.disk.rows[known..].iter().map(|row| row.hash));
        Ok(())
    }

    fn revoked_of(&self, id: DeviceId) -> Vec<(TicketId, Serial)> {
        let own = self.revoked.iter().filter(|((of, _), _)| *of == id);
        own.map(|((_, ticket), serial)| (*ticket, *serial)).collect()
    }

    /// After everything has healed.
    pub fn healed(
        &mut self,
        devices: &[Handheld],
        cloud: &Cloud,
        edge: Option<&Edge>,
        allowed_of: impl Fn(TicketId) -> i64,
    ) -> Result<(), Violation> {
        for device in devices {
            rows_arrived(device, cloud)?;
        }
        if let Some((device, _)) = cloud.incidents.first() {
            return Err(Violation::Incident { device: *device });
        }
        let hears = |device: DeviceId| !cloud.devices[&device].revoked;
        let kept_apart: BTreeSet<(DeviceId, u64)> =
            cloud.merged.iter().filter(|(_, apart)| *apart).map(|(row, _)| (row.body.device, row.body.seq)).collect();
        for (ticket, facts) in &self.facts {
            let allowed = allowed_of(*ticket);
            let overridden = facts.iter().any(|fact| fact.by_staff);
            let most = most_inside(facts.iter());
            if facts.iter().all(|fact| fact.strict) && !overridden && most > allowed {
                return Err(Violation::StrictBound { ticket: *ticket, inside: most, allowed });
            }
            for device in devices {
                let own = facts.iter().filter(|fact| fact.device == device.id && !fact.by_staff);
                if !overridden && most_inside_of_entries(own, facts) > allowed {
                    return Err(Violation::PerDeviceBound { device: device.id, ticket: *ticket });
                }
            }
            let most = most_inside(facts.iter().filter(|fact| !kept_apart.contains(&(fact.device, fact.seq))));
            if most > allowed {
                self.conflicts += 1;
                surfaced(*ticket, allowed, devices, cloud)?;
            }
        }
        for device in devices.iter().filter(|device| hears(device.id)) {
            let behind = edge.filter(|edge| edge.lanes.contains(&device.id));
            let merged = behind.map_or(cloud, Edge::site).merged.len() as u64;
            if device.disk.cursor != merged {
                return Err(Violation::Behind { device: device.id, cursor: device.disk.cursor, merged });
            }
        }
        let merged = cloud.merged.len() as u64;
        if let Some(edge) = edge.filter(|edge| edge.cursor() != merged) {
            return Err(Violation::EdgeBehind { cursor: edge.cursor(), merged });
        }
        Ok(())
    }
}

/// The most guests inside, in true time.
fn most_inside<'a>(facts: impl Iterator<Item = &'a Fact>) -> i64 {
    let mut facts: Vec<&Fact> = facts.collect();
    facts.sort_by_key(|fact| fact.at_ms);
    let (mut inside, mut most) = (0i64, 0);
    for fact in facts {
        inside = (inside + fact.guests).max(0);
        most = most.max(inside);
    }
    most
}

/// The most guests that one device's own entries had inside, every exit anywhere given back to it.
fn most_inside_of_entries<'a>(own: impl Iterator<Item = &'a Fact>, all: &'a [Fact]) -> i64 {
    let exits = all.iter().filter(|fact| fact.guests < 0);
    most_inside(own.filter(|fact| fact.guests > 0).chain(exits))
}

/// Every committed row is at the server once, as it was written, and nothing else is.
fn rows_arrived(device: &Handheld, cloud: &Cloud) -> Result<(), Violation> {
    let id = device.id;
    let chain = device.disk.chain;
    for row in &device.disk.rows {
        let key = (id.0, chain, row.body.seq);
        let known = cloud.known.get(&key).is_some_and(|known| known.hash == row.hash);
        let times = cloud.merged.iter().filter(|(merged, _)| merged.hash == row.hash).count();
        if !known || times != 1 {
            return Err(Violation::RowLost { device: id, seq: row.body.seq });
        }
    }
    let there = cloud.known.keys().filter(|key| key.0 == id.0).count();
    if there != device.disk.rows.len() {
        return Err(Violation::RowStrange { device: id.0, seq: there as u64 });
    }
    let head = device.disk.head().seq;
    if device.disk.receipted_seq != head {
        return Err(Violation::ReceiptMissing { device: id, receipted: device.disk.receipted_seq, head });
    }
    Ok(())
}

/// A ticket that was admitted too often is seen by the server and by every device that hears it.
fn surfaced(ticket: TicketId, allowed: i64, devices: &[Handheld], cloud: &Cloud) -> Result<(), Violation> {
    let seen = |passages: &[Passage]| {
        gate_core::conflict::conflict(ticket, u8::try_from(allowed).unwrap_or(u8::MAX), passages).is_some()
    };
    if !seen(&cloud.passages(ticket)) {
        return Err(Violation::ConflictHidden { ticket, from: None });
    }
    for device in devices.iter().filter(|device| !cloud.devices[&device.id].revoked) {
        if !device.disk.passages.get(&ticket).is_some_and(|passages| seen(passages)) {
            return Err(Violation::ConflictHidden { ticket, from: Some(device.id) });
        }
    }
    Ok(())
}
