//! One seed's evening: who stands where, and the loop of virtual time.

use std::collections::BTreeMap;

use gate_core::Direction;
use gate_core::SignedRow;
use gate_core::mutant::{Mutant, planted};
use gate_core::ownership::Ownership;
use gate_core::policy::{ClassPartition, LanePolicy, Partition, Policy};
use ticket_signer::{ClassEntry, ClassId, DeviceId, LaneId, Serial, TicketId};

use crate::chance::Chance;
use crate::check::{Checks, Violation};
use crate::cloud::{Cloud, Enrolled, forget_rows};
use crate::edge::{Edge, HEARD_MS};
use crate::handheld::{Clocks, Down, Handheld, Happened, Up};
use crate::organiser::{Issued, START_MS};
use crate::scenario::{Kind, Played, Scenario};
use crate::venue::{EdgeDown, EdgeUp, venue_edge};

/// Virtual time between two looks at everything, in milliseconds.
const STEP_MS: i64 = 200;
/// How long everything works at the end, in milliseconds: longer than any pause of the product.
const HEALING_MS: i64 = 240_000;

/// The feed says the time at least this often.
const TIME_EVERY_MS: i64 = 15_000;

/// What a run came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    pub admitted: u64,
    pub refused: u64,
    pub reviewed: u64,
    pub conflicts: u64,
    pub rows: u64,
    pub crashes: u64,
    /// Scans that were decided while a supervisor's decision held.
    pub decided: u64,
    /// Scans whose time was the phones'.
    pub by_crowd: u64,
    /// Grants that an edge gave.
    pub edge_granted: u64,
}

/// A message that is under way.
pub(crate) enum Parcel {
    Up(Up),
    Down(Down),
    EdgeUp(EdgeUp),
    EdgeDown(Box<EdgeDown>),
}

pub(crate) struct Link {
    pub up: bool,
    pub down: bool,
    /// The feed that the server sends on this link, by the number of the request that opened it.
    pub session: Option<u64>,
    /// A stream keeps its order: nothing of it arrives before this.
    stream_ms: i64,
    told: (u64, u64, u64),
    /// The feed's cursor then, and when it last said the time.
    told_cursor: u64,
    told_ms: i64,
    /// Chance of this link within the present step.
    luck: Chance,
}

/// What chance is drawn for, so that each has its own.
#[derive(Clone, Copy)]
pub(crate) enum Luck {
    Setting,
    Link,
    Guest,
    Fault,
    Server,
    Order,
}

pub(crate) struct World {
    pub scenario: Scenario,
    pub played: Played,
    pub now_ms: i64,
    pub step: u32,
    end_ms: i64,
    pub cloud: Cloud,
    pub devices: Vec<Handheld>,
    /// Of each lane, and last the edge's to the cloud.
    pub links: Vec<Link>,
    pub edge: Option<Edge>,
    /// Many guests with phones, two of which are wrong.
    pub crowd: bool,
    /// By arrival and number: the device's index, the request's number, what.
    parcels: BTreeMap<(i64, u64), (usize, u64, Parcel)>,
    parcel: u64,
    pub checks: Checks,
    /// Codes that guests photographed.
    pub photos: Vec<Vec<u8>>,
    restarts: Vec<Option<i64>>,
    crashes: u64,
    pub trouble: u64,
}

/// Runs one seed.
///
/// # Errors
/// The first violation.
pub fn run(seed: u64) -> Result<Summary, Violation> {
    play(&Scenario::of(seed)).0
}

/// Plays a scenario, and says what came upon it until the first violation or the end.
pub fn play(scenario: &Scenario) -> (Result<Summary, Violation>, Played) {
    forget_rows();
    let mut world = World::new(scenario);
    let result = world.evening();
    (result, world.played)
}

pub(crate) fn allowed(classes: &[ClassEntry], tickets: &[Issued], ticket: TicketId) -> i64 {
    let class = tickets.iter().find(|issued| issued.id == ticket).map(|issued| issued.class);
    let entry = classes.iter().find(|entry| Some(entry.class) == class);
    entry.map_or(1, |entry| i64::from(entry.admissions))
}

impl World {
    fn new(scenario: &Scenario) -> Self {
        let mut chance = Chance::of(&[scenario.seed, Luck::Setting as u64]);
        let class = |id: u16, admissions: u8| ClassEntry {
            class: ClassId(id),
            name: format!("Class {id}"),
            valid_from_s: 0,
            valid_until_s: u32::MAX,
            admissions,
            flags: 0,
        };
        let group = chance.between(2, 6) as u8;
        let tickets = (0..chance.between(3, 8) as u64).map(|at| Issued {
            id: TicketId(0xA000 + at),
            class: ClassId(1 + (at % 2) as u16),
            serial: Serial::FIRST,
            revoked_to: None,
            changed: 1,
        });
        let mut cloud = Cloud {
            classes: vec![class(1, 1), class(2, group)],
            tickets: tickets.collect(),
            list_version: 1,
            ..Cloud::default()
        };
        let lanes = chance.between(2, 6) as u32;
        let minutes = chance.between(4, 12) as u32;
        let trouble = chance.between(0, 4) as u64;
        let crowd = chance.percent(20) && !scenario.without.contains(&Kind::Phones);
        if crowd {
            let more = (0..12).map(|at| Issued { id: TicketId(0xB000 + at), ..cloud.tickets[at as usize % 2].clone() });
            cloud.tickets.extend(more.collect::<Vec<_>>());
        }
        let (venue, share) = (chance.percent(40), chance.between(30, 101) as u64);
        let lanes = scenario.lanes.map_or(lanes, |most| lanes.min(most.max(1)));
        let minutes = scenario.minutes.map_or(minutes, |most| minutes.min(most));
        cloud.policy = policy(&mut chance, lanes);
        let mut devices = Vec::new();
        for lane in 1..=lanes {
            let mut chance = Chance::of(&[scenario.seed, Luck::Setting as u64, u64::from(lane)]);
            let clocks = Clocks {
                boot_at_ms: START_MS - chance.between(1_000, 3_600_000),
                boot_id: u128::from(lane),
                drift_ppm: chance.between(-40, 41),
                system_offset_ms: if chance.percent(30) { chance.between(-900_000, 900_000) } else { 0 },
            };
            let id = DeviceId(0xD00 + u64::from(lane));
            let root = cloud.organiser.root_fingerprint();
            devices.push(Handheld::new(id, LaneId(lane), root, clocks));
        }
        for device in &mut devices {
            let enrolled =
                Enrolled { key: device.key.public(), lane: device.lane, certificate: Vec::new(), revoked: false };
            cloud.devices.insert(device.id, enrolled);
            device.start(START_MS);
            let bundle = cloud.bundle(device.id, &device.key, START_MS).expect("nobody is revoked yet");
            let sent = device.device_time(START_MS);
            device.take_bundle(START_MS, &bundle, sent);
        }
        let edge = venue && !scenario.without.contains(&Kind::Edge);
        let edge = edge.then(|| venue_edge(&mut cloud, &devices, share, &mut chance));
        let link = |_| Link {
            up: true,
            down: true,
            session: None,
            stream_ms: 0,
            told: (0, 0, 0),
            told_cursor: 0,
            told_ms: 0,
            luck: Chance::new(0),
        };
        World {
            end_ms: START_MS + i64::from(minutes) * 60_000 + HEALING_MS,
            now_ms: START_MS,
            step: 0,
            links: (0..=lanes).map(link).collect(),
            restarts: devices.iter().map(|_| None).collect(),
            played: Played { lanes, minutes, ..Played::default() },
            scenario: scenario.clone(),
            cloud,
            devices,
            edge,
            crowd,
            parcels: BTreeMap::new(),
            parcel: 0,
            checks: Checks::default(),
            photos: Vec::new(),
            crashes: 0,
            trouble,
        }
    }

    /// The chance of one matter, at this moment and place.
    pub fn luck(&self, of: Luck, place: usize) -> Chance {
        Chance::of(&[self.scenario.seed, of as u64, place as u64, u64::from(self.step)])
    }

    /// Whether this may go wrong now; then it is noted.
    pub fn happens(&mut self, device: usize, kind: Kind) -> bool {
        let fault = (self.step, device as u8, kind);
        let happens = self.scenario.happens(fault);
        if happens {
            Scenario::note(&mut self.played, fault);
        }
        happens
    }

    fn evening(&mut self) -> Result<Summary, Violation> {
        while self.now_ms < self.end_ms {
            self.now_ms += STEP_MS;
            self.step += 1;
            for at in 0..self.links.len() {
                self.links[at].luck = self.luck(Luck::Link, at);
            }
            let healing = self.now_ms >= self.end_ms - HEALING_MS;
            self.deliver()?;
            if !healing {
                self.mishaps()?;
                self.guests()?;
            }
            self.heal_if(healing);
            self.tick()?;
        }
        let (classes, tickets) = (self.cloud.classes.clone(), self.cloud.tickets.clone());
        let allowed_of = |ticket: TicketId| allowed(&classes, &tickets, ticket);
        self.checks.healed(&self.devices, &self.cloud, self.edge.as_ref(), allowed_of)?;
        self.any_order()?;
        Ok(Summary {
            admitted: self.checks.admitted,
            refused: self.checks.refused,
            reviewed: self.checks.reviewed,
            conflicts: self.checks.conflicts,
            rows: self.cloud.merged.len() as u64,
            crashes: self.crashes,
            decided: self.checks.decided,
            by_crowd: self.checks.by_crowd,
            edge_granted: self.edge.as_ref().map_or(0, Edge::granted),
        })
    }

    pub fn post(&mut self, at_ms: i64, device: usize, number: u64, parcel: Parcel) {
        self.parcel += 1;
        self.parcels.insert((at_ms, self.parcel), (device, number, parcel));
    }

    pub fn delay_ms(&mut self, device: usize) -> i64 {
        let luck = &mut self.links[device].luck;
        let (slow, slow_ms, usual_ms) = (luck.percent(3), luck.between(1_000, 9_000), luck.between(20, 600));
        if slow && self.happens(device, Kind::Slow) { slow_ms } else { usual_ms }
    }

    /// Whether something of this share of messages happens to the next one.
    pub fn befalls(&mut self, device: usize, share: u64, kind: Kind) -> bool {
        self.links[device].luck.percent(share) && self.happens(device, kind)
    }

    fn deliver(&mut self) -> Result<(), Violation> {
        while let Some(entry) = self.parcels.first_entry().filter(|entry| entry.key().0 <= self.now_ms) {
            let ((at_ms, _), (device, number, parcel)) = entry.remove_entry();
            match parcel {
                Parcel::Up(up) if self.is_behind(device) => self.serve_at_edge(at_ms, device, number, up),
                Parcel::Up(up) => self.serve(at_ms, device, number, up),
                Parcel::EdgeUp(up) => self.serve_edge(at_ms, up),
                Parcel::EdgeDown(down) => self.edge_hears(at_ms, *down),
                Parcel::Down(down) => {
                    self.devices[device].receive(at_ms.max(self.now_ms), number, down);
                    self.look(device)?;
                }
            }
        }
        Ok(())
    }

    /// The server answers one request, if the way back is open.
    fn serve(&mut self, at_ms: i64, device: usize, number: u64, up: Up) {
        let id = self.devices[device].id;
        let key = std::sync::Arc::clone(&self.devices[device].key);
        let down = match up {
            Up::Bundle => {
                self.cloud.bundle(id, &key, at_ms).map_or(Down::Refused, |bundle| Down::Bundle(Box::new(bundle)))
            }
            Up::Upload { upload, .. } => Down::Scans(self.cloud.upload(id, upload, at_ms)),
            Up::List { cursor } => {
                let cursor = if cursor > self.cloud.list_version { 0 } else { cursor };
                let (envelope, chunks) = self.cloud.list(cursor, at_ms);
                Down::List { envelope, chunks }
            }
            Up::Ask(question) => Down::Grant(self.cloud.grant(id, &question, at_ms)),
            Up::Listen { cursor, generation } => {
                self.listen(at_ms, device, number, if generation == 0 { cursor } else { 0 });
                return;
            }
        };
        self.answer(at_ms, device, number, down);
    }

    /// Sends a server's answer to a lane, if the way back is open.
    pub fn answer(&mut self, at_ms: i64, device: usize, number: u64, down: Down) {
        if self.links[device].down && !self.befalls(device, 2, Kind::Lost) {
            let arrives_ms = at_ms + self.delay_ms(device);
            if self.befalls(device, 4, Kind::Twice) {
                let again_ms = arrives_ms + self.delay_ms(device);
                self.post(again_ms, device, number, Parcel::Down(down.clone()));
            }
            self.post(arrives_ms, device, number, Parcel::Down(down));
        }
    }

    /// The server that a lane talks to.
    fn server(&self, device: usize) -> &Cloud {
        let edge = self.edge.as_ref().filter(|_| self.is_behind(device));
        edge.map_or(&self.cloud, Edge::site)
    }

    pub fn is_behind(&self, device: usize) -> bool {
        self.edge.as_ref().is_some_and(|edge| edge.lanes.contains(&self.devices[device].id))
    }

    /// Whether the server would talk to this device.
    fn heeds(&self, device: usize) -> bool {
        let up = !self.is_behind(device) || self.edge.as_ref().is_some_and(Edge::is_running);
        let enrolled = self.server(device).devices.get(&self.devices[device].id);
        up && enrolled.is_some_and(|enrolled| !enrolled.revoked)
    }

    pub fn listen(&mut self, at_ms: i64, device: usize, number: u64, cursor: u64) {
        if self.heeds(device) {
            self.links[device].session = Some(number);
            self.links[device].stream_ms = at_ms;
            self.tell(device, number, cursor, true);
        }
    }

    /// The other side of an edge, seen from this lane: when what it did was last brought over. `None`: there is none.
    fn other_side_ms(&self, device: usize) -> Option<i64> {
        let edge = self.edge.as_ref()?;
        let behind = self.is_behind(device);
        let works = |other: &Handheld| !self.cloud.devices[&other.id].revoked;
        let others = self.devices.iter().filter(|other| works(other)).any(|o| edge.lanes.contains(&o.id) != behind);
        others.then_some(if behind { edge.took_ever_ms } else { self.cloud.edge_brought_ms })
    }

    /// Whether the server of this lane may say that all others are heard.
    fn may_say_time(&self, device: usize) -> bool {
        match &self.edge {
            Some(edge) if self.is_behind(device) => edge.hears_all(self.now_ms),
            Some(_) => {
                let heard = self.other_side_ms(device).is_none_or(|at_ms| self.now_ms - at_ms < HEARD_MS);
                heard || planted(Mutant::EdgeSaysAllAreHeard)
            }
            None => true,
        }
    }

    /// The feed's next part, in order.
    fn tell(&mut self, device: usize, number: u64, cursor: u64, wants_time: bool) {
        let with_time = wants_time && self.may_say_time(device);
        let server = self.server(device);
        let events = server.feed(self.devices[device].id, cursor, with_time.then_some(self.now_ms));
        let (generation, end) = (server.node, server.merged.len() as u64);
        let told = (server.fed, server.list_version, server.policy.version);
        let delay_ms = self.delay_ms(device);
        let link = &mut self.links[device];
        (link.told, link.told_cursor) = (told, end);
        if wants_time {
            // Where it may not be said, it is tried again soon.
            link.told_ms = if with_time { self.now_ms } else { self.now_ms - TIME_EVERY_MS * 2 / 3 };
        }
        link.stream_ms = link.stream_ms.max(self.now_ms + delay_ms);
        let at_ms = link.stream_ms;
        self.post(at_ms, device, number, Parcel::Down(Down::Feed(generation, events)));
    }

    fn tick(&mut self) -> Result<(), Violation> {
        self.edge_ticks();
        for device in 0..self.devices.len() {
            if self.restarts[device].is_some_and(|at_ms| self.now_ms >= at_ms) {
                self.restarts[device] = None;
                self.devices[device].start(self.now_ms);
            }
            let jitter = self.links[device].luck.draw();
            self.devices[device].tick(self.now_ms, jitter);
            self.look(device)?;
            self.stream(device);
            let out = std::mem::take(&mut self.devices[device].out);
            for (number, up) in out {
                let open = self.links[device].up && !self.befalls(device, 2, Kind::Lost);
                if open {
                    let at_ms = self.now_ms + self.delay_ms(device);
                    if self.befalls(device, 4, Kind::Twice) {
                        let again_ms = at_ms + self.delay_ms(device);
                        self.post(again_ms, device, number, Parcel::Up(up.clone()));
                    }
                    self.post(at_ms, device, number, Parcel::Up(up));
                }
            }
        }
        Ok(())
    }

    /// The feed of a device that listens: it breaks with the link, and says what is new.
    fn stream(&mut self, device: usize) {
        let Some(number) = self.devices[device].listening() else { return };
        let heeded = self.heeds(device);
        let server = self.server(device);
        let state = (server.fed, server.list_version, server.policy.version);
        let now_ms = self.now_ms;
        let link = &mut self.links[device];
        let open = link.session == Some(number);
        let broken = open && (!link.down || !heeded);
        let due = now_ms - link.told_ms;
        if broken {
            // Not at once: a dead line is noticed when nothing comes.
            if link.luck.percent(10) {
                self.hang_up(device);
            }
        } else if open && (link.told != state || due >= TIME_EVERY_MS) {
            let cursor = link.told_cursor;
            self.tell(device, number, cursor, due >= TIME_EVERY_MS / 3);
        } else if !open && link.luck.percent(1) {
            // The request to listen, or its answer, was lost.
            self.hang_up(device);
        }
    }

    pub fn hang_up(&mut self, device: usize) {
        let jitter = self.links[device].luck.draw();
        self.devices[device].deafen(self.now_ms, jitter);
        self.links[device].session = None;
        self.drop_stream(device);
    }

    /// What of the feed was under way is lost with its connection.
    pub fn drop_stream(&mut self, device: usize) {
        self.parcels.retain(|_, (to, _, parcel)| *to != device || !matches!(parcel, Parcel::Down(Down::Feed(..))));
    }

    /// What a device did since the last look, and what it has on its disk.
    pub fn look(&mut self, device: usize) -> Result<(), Violation> {
        let happened = std::mem::take(&mut self.devices[device].happened);
        for one in happened {
            let handheld = &self.devices[device];
            match one {
                Happened::Committed(committed) => {
                    let allowed = committed
                        .class
                        .and_then(|class| self.cloud.classes.iter().find(|entry| entry.class == class))
                        .map_or(1, |entry| i64::from(entry.admissions));
                    let apart_ms = self.other_side_ms(device).map_or(0, |at_ms| self.now_ms - at_ms);
                    self.checks.committed(handheld.id, (self.now_ms, apart_ms), allowed, &committed)?;
                }
                Happened::Shown { seq, green } => self.checks.shown(handheld, seq, green)?,
                Happened::Crashed => {
                    self.crashes += 1;
                    let luck = &mut self.links[device].luck;
                    let pause_ms = luck.between(1_000, 20_000);
                    let reboots = luck.percent(if self.crowd { 80 } else { 40 });
                    self.restarts[device] = Some(self.now_ms + pause_ms);
                    let handheld = &mut self.devices[device];
                    if reboots {
                        handheld.clocks.boot_id += 1_000;
                        handheld.clocks.boot_at_ms = self.now_ms + pause_ms - 500;
                    }
                    self.links[device].session = None;
                    self.drop_stream(device);
                }
            }
        }
        self.checks.durable(&self.devices[device])
    }

    /// At the end everything works again: links, processes, clocks.
    fn heal_if(&mut self, healing: bool) {
        if !healing {
            return;
        }
        for link in &mut self.links {
            (link.up, link.down) = (true, true);
        }
        for device in &mut self.devices {
            device.crash = None;
        }
    }

    /// The server's rows, sent to another server in another order and some twice, come to the same.
    fn any_order(&mut self) -> Result<(), Violation> {
        let mut luck = self.luck(Luck::Order, 0);
        let mut rows: Vec<(DeviceId, SignedRow)> =
            self.cloud.merged.iter().map(|(row, _)| (row.body.device, row.row.clone())).collect();
        for at in (1..rows.len()).rev() {
            let with = luck.between(0, at as i64 + 1) as usize;
            rows.swap(at, with);
        }
        let twice = rows.iter().take(5).cloned().collect::<Vec<_>>();
        rows.extend(twice);
        let mut other = Cloud { devices: self.cloud.devices.clone(), ..Cloud::default() };
        for (device, row) in rows {
            let apart = other.devices[&device].revoked;
            other.merge(device, vec![row], apart);
            let covered = other.heads.iter().find(|((of, _), _)| *of == device.0).map(|(key, head)| (*key, head.seq));
            let Some(((of, epoch), head)) = covered else { continue };
            let there = other.known.range((of, epoch, 0)..=(of, epoch, head)).count() as u64;
            if there != head {
                return Err(Violation::ReceiptTooFar { device, receipted: head, there });
            }
        }
        let same = other.known == self.cloud.known && other.heads == self.cloud.heads;
        if same && other.incidents == self.cloud.incidents { Ok(()) } else { Err(Violation::OrderMatters) }
    }
}

fn policy(chance: &mut Chance, lanes: u32) -> Policy {
    let home_groups = chance.between(1, 3) as u16;
    let partition =
        *chance.pick(&[Partition::Open, Partition::Bounded, Partition::Bounded, Partition::Strict, Partition::Strict]);
    let own = *chance.pick(&[Partition::Strict, Partition::Bounded]);
    let class_partitions =
        if chance.percent(40) { vec![ClassPartition { class: 1, partition: own }] } else { Vec::new() };
    let exits = chance.between(1, i64::from(lanes.div_ceil(2)) + 1) as u32;
    let exits = if chance.percent(50) { exits } else { 0 };
    let lane = |lane: u32| LanePolicy {
        lane,
        name: format!("Lane {lane}"),
        entrance: "North".to_owned(),
        group: (lane % u32::from(home_groups)) as u16,
        direction: if lane + exits > lanes { Direction::Out } else { Direction::In },
        ..LanePolicy::default()
    };
    let lane_policies: Vec<LanePolicy> = (1..=lanes).map(lane).collect();
    let owned = (0..home_groups).map(Ownership::of_the_cloud).collect();
    Policy {
        event: crate::organiser::EVENT.0,
        version: 1,
        issued_at_ms: START_MS,
        partition,
        class_partitions,
        lease_s: chance.between(60, 900) as u32,
        home_groups,
        lanes: lane_policies,
        owners: owned,
        ..Policy::default()
    }
}
