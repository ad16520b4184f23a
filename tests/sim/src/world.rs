//! One seed's evening: who stands where, what goes wrong when, and the loop of virtual time.

use std::collections::BTreeMap;

use gate_core::clock::ClockReading;
use gate_core::ownership::{Owner, Ownership};
use gate_core::policy::{ClassPartition, LanePolicy, Partition, Policy};
use gate_core::record::StaffAct;
use gate_core::row::Act;
use gate_core::wire::v1::ScanUpload;
use gate_core::{Direction, Outcome, SignedRow};
use scanner_app::core::engine::Input;
use ticket_signer::{ClassEntry, ClassId, DeviceId, LaneId, Serial, TicketId};

use crate::chance::Chance;
use crate::check::{Checks, Violation};
use crate::cloud::{Cloud, Enrolled};
use crate::disk::Point;
use crate::handheld::{Clocks, Down, Handheld, Happened, Up};
use crate::organiser::{Issued, START_MS};

/// Virtual time between two looks at everything, in milliseconds.
const STEP_MS: i64 = 200;
/// How long everything works at the end, in milliseconds: longer than any pause of the product.
const HEALING_MS: i64 = 240_000;

/// What a run came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    pub admitted: u64,
    pub refused: u64,
    pub reviewed: u64,
    pub conflicts: u64,
    pub rows: u64,
    pub crashes: u64,
}

/// A message that is under way.
enum Parcel {
    Up(Up),
    Down(Down),
}

struct Link {
    up: bool,
    down: bool,
    /// The feed that the server sends on this link, by the number of the request that opened it.
    session: Option<u64>,
    /// A stream keeps its order: nothing of it arrives before this.
    stream_ms: i64,
    told: (u64, u64, u64),
    told_ms: i64,
}

struct World {
    chance: Chance,
    now_ms: i64,
    end_ms: i64,
    cloud: Cloud,
    devices: Vec<Handheld>,
    links: Vec<Link>,
    /// By arrival and number: the device's index, the request's number, what.
    parcels: BTreeMap<(i64, u64), (usize, u64, Parcel)>,
    parcel: u64,
    checks: Checks,
    /// Codes that guests photographed.
    photos: Vec<Vec<u8>>,
    restarts: Vec<Option<i64>>,
    crashes: u64,
    trouble: u64,
}

/// Runs one seed.
///
/// # Errors
/// The first violation.
pub fn run(seed: u64) -> Result<Summary, Violation> {
    let mut world = World::new(seed);
    while world.now_ms < world.end_ms {
        world.now_ms += STEP_MS;
        let healing = world.now_ms >= world.end_ms - HEALING_MS;
        world.deliver()?;
        if !healing {
            world.mishaps()?;
            world.guests()?;
        }
        world.heal_if(healing);
        world.tick()?;
    }
    let classes = world.cloud.classes.clone();
    let tickets = world.cloud.tickets.clone();
    let allowed_of = |ticket: TicketId| allowed(&classes, &tickets, ticket);
    world.checks.healed(&world.devices, &world.cloud, allowed_of)?;
    world.any_order()?;
    Ok(Summary {
        admitted: world.checks.admitted,
        refused: world.checks.refused,
        reviewed: world.checks.reviewed,
        conflicts: world.checks.conflicts,
        rows: world.cloud.merged.len() as u64,
        crashes: world.crashes,
    })
}

fn allowed(classes: &[ClassEntry], tickets: &[Issued], ticket: TicketId) -> i64 {
    let class = tickets.iter().find(|issued| issued.id == ticket).map(|issued| issued.class);
    let entry = classes.iter().find(|entry| Some(entry.class) == class);
    entry.map_or(1, |entry| i64::from(entry.admissions))
}

impl World {
    fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
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
        cloud.policy = policy(&mut chance, lanes);
        let mut devices = Vec::new();
        for lane in 1..=lanes {
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
        let links = devices
            .iter()
            .map(|_| Link { up: true, down: true, session: None, stream_ms: 0, told: (0, 0, 0), told_ms: 0 })
            .collect();
        let minutes = chance.between(4, 12);
        let trouble = chance.between(0, 4) as u64;
        World {
            end_ms: START_MS + minutes * 60_000 + HEALING_MS,
            now_ms: START_MS,
            restarts: devices.iter().map(|_| None).collect(),
            chance,
            cloud,
            devices,
            links,
            parcels: BTreeMap::new(),
            parcel: 0,
            checks: Checks::default(),
            photos: Vec::new(),
            crashes: 0,
            trouble,
        }
    }

    fn post(&mut self, at_ms: i64, device: usize, number: u64, parcel: Parcel) {
        self.parcel += 1;
        self.parcels.insert((at_ms, self.parcel), (device, number, parcel));
    }

    fn delay_ms(&mut self) -> i64 {
        if self.chance.percent(3) { self.chance.between(1_000, 9_000) } else { self.chance.between(20, 600) }
    }

    fn deliver(&mut self) -> Result<(), Violation> {
        while let Some(entry) = self.parcels.first_entry().filter(|entry| entry.key().0 <= self.now_ms) {
            let ((at_ms, _), (device, number, parcel)) = entry.remove_entry();
            match parcel {
                Parcel::Up(up) => self.serve(at_ms, device, number, up),
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
            Up::Listen { cursor } => {
                if self.cloud.devices[&id].revoked {
                    return;
                }
                self.links[device].session = Some(number);
                self.links[device].stream_ms = at_ms;
                self.tell(device, number, cursor);
                return;
            }
        };
        if self.links[device].down && !self.chance.percent(2) {
            let arrives_ms = at_ms + self.delay_ms();
            if self.chance.percent(4) {
                let again_ms = arrives_ms + self.delay_ms();
                self.post(again_ms, device, number, Parcel::Down(down.clone()));
            }
            self.post(arrives_ms, device, number, Parcel::Down(down));
        }
    }

    /// The feed's next part, in order.
    fn tell(&mut self, device: usize, number: u64, cursor: u64) {
        let id = self.devices[device].id;
        let events = self.cloud.feed(id, cursor, self.now_ms);
        let delay_ms = self.delay_ms();
        let link = &mut self.links[device];
        link.told = (self.cloud.merged.len() as u64, self.cloud.list_version, self.cloud.policy.version);
        link.told_ms = self.now_ms;
        link.stream_ms = link.stream_ms.max(self.now_ms + delay_ms);
        let at_ms = link.stream_ms;
        self.post(at_ms, device, number, Parcel::Down(Down::Feed(events)));
    }

    fn tick(&mut self) -> Result<(), Violation> {
        for device in 0..self.devices.len() {
            if self.restarts[device].is_some_and(|at_ms| self.now_ms >= at_ms) {
                self.restarts[device] = None;
                self.devices[device].start(self.now_ms);
            }
            let jitter = self.chance.draw();
            self.devices[device].tick(self.now_ms, jitter);
            self.look(device)?;
            self.stream(device);
            let out = std::mem::take(&mut self.devices[device].out);
            for (number, up) in out {
                let open = self.links[device].up && !self.chance.percent(2);
                if open {
                    let at_ms = self.now_ms + self.delay_ms();
                    if self.chance.percent(4) {
                        let again_ms = at_ms + self.delay_ms();
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
        let id = self.devices[device].id;
        let link = &self.links[device];
        let open = link.session == Some(number);
        let broken = open && (!link.down || self.cloud.devices[&id].revoked);
        if broken {
            // Not at once: a dead line is noticed when nothing comes.
            if self.chance.percent(10) {
                self.hang_up(device);
            }
            return;
        }
        let state = (self.cloud.merged.len() as u64, self.cloud.list_version, self.cloud.policy.version);
        let link = &self.links[device];
        if open && (link.told != state || self.now_ms - link.told_ms >= 15_000) {
            let cursor = link.told.0;
            self.tell(device, number, cursor);
        } else if !open && self.chance.percent(1) {
            // The request to listen, or its answer, was lost.
            self.hang_up(device);
        }
    }

    fn hang_up(&mut self, device: usize) {
        let jitter = self.chance.draw();
        self.devices[device].deafen(self.now_ms, jitter);
        self.links[device].session = None;
        self.drop_stream(device);
    }

    /// What of the feed was under way is lost with its connection.
    fn drop_stream(&mut self, device: usize) {
        self.parcels.retain(|_, (to, _, parcel)| *to != device || !matches!(parcel, Parcel::Down(Down::Feed(_))));
    }

    /// What a device did since the last look, and what it has on its disk.
    fn look(&mut self, device: usize) -> Result<(), Violation> {
        let happened = std::mem::take(&mut self.devices[device].happened);
        for one in happened {
            let handheld = &self.devices[device];
            match one {
                Happened::Committed(committed) => {
                    let allowed = committed
                        .class
                        .and_then(|class| self.cloud.classes.iter().find(|entry| entry.class == class))
                        .map_or(1, |entry| i64::from(entry.admissions));
                    self.checks.committed(handheld.id, self.now_ms, allowed, &committed)?;
                }
                Happened::Shown { seq, green } => self.checks.shown(handheld, seq, green)?,
                Happened::Crashed => {
                    self.crashes += 1;
                    let pause_ms = self.chance.between(1_000, 20_000);
                    self.restarts[device] = Some(self.now_ms + pause_ms);
                    let reboots = self.chance.percent(40);
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

    fn guests(&mut self) -> Result<(), Violation> {
        for device in 0..self.devices.len() {
            if !self.chance.percent(4) || !self.devices[device].is_running() {
                continue;
            }
            let issued = self.chance.pick(&self.cloud.tickets).clone();
            let text = self.shown_code(&issued);
            self.devices[device].give(self.now_ms, Input::Seen(vec![text]));
            self.look(device)?;
            self.staff(device)?;
        }
        Ok(())
    }

    fn shown_code(&mut self, issued: &Issued) -> Vec<u8> {
        let roll = self.chance.between(0, 100);
        let full = self.chance.percent(35);
        let fresh_ms = self.now_ms + self.chance.between(-8_000, 8_000);
        let text = match roll {
            0..=3 => return b"https://menu.example".to_vec(),
            4..=11 if !self.photos.is_empty() => return self.chance.pick(&self.photos).clone(),
            12..=15 => self.cloud.organiser.code(issued, self.now_ms - 300_000, full),
            16..=35 if issued.serial > Serial::FIRST => {
                let old =
                    Issued { serial: Serial::new(issued.serial.get() - 1).unwrap_or(Serial::FIRST), ..issued.clone() };
                self.cloud.organiser.code(&old, fresh_ms, full)
            }
            _ => self.cloud.organiser.code(issued, fresh_ms, full),
        };
        let text = text.to_text().into_bytes();
        if self.chance.percent(30) {
            self.photos.push(text.clone());
        }
        text
    }

    /// Staff admit the rest of a group, or a supervisor overrides what the lane would not decide.
    fn staff(&mut self, device: usize) -> Result<(), Violation> {
        let handheld = &self.devices[device];
        let Some(last) = handheld.bodies().last() else { return Ok(()) };
        let (seq, outcome, way) = (last.seq, last.outcome(), last.direction);
        let group = last.class == Some(ClassId(2)) && way == Direction::In.to_byte();
        let act = if outcome == Some(Outcome::Admit) && group && self.chance.percent(30) {
            StaffAct::More { of: seq, guests: self.chance.between(1, 4) as u8 }
        } else if outcome == Some(Outcome::Review) && self.chance.percent(8) {
            StaffAct::Override { of: Some(seq), guests: 1, staff: 7, note: "Known to us".to_owned() }
        } else {
            return Ok(());
        };
        self.devices[device].staff(self.now_ms, &act);
        self.look(device)
    }

    fn mishaps(&mut self) -> Result<(), Violation> {
        self.server_acts();
        for device in 0..self.devices.len() {
            let often =
                |chance: &mut Chance, share: i64, trouble: u64| chance.between(0, 10_000) < share * trouble as i64;
            let trouble = self.trouble;
            if often(&mut self.chance, 12, trouble) {
                self.links[device].up = !self.links[device].up;
            }
            if often(&mut self.chance, 12, trouble) {
                self.links[device].down = !self.links[device].down;
            }
            if often(&mut self.chance, 8, trouble) {
                (self.links[device].up, self.links[device].down) = (true, true);
            }
            if often(&mut self.chance, 15, trouble) && self.links[device].session.is_some() {
                self.hang_up(device);
            }
            if often(&mut self.chance, 10, trouble) && self.devices[device].is_running() {
                let points = [Point::BeforeCommit, Point::WithinCommit, Point::AfterCommit, Point::AfterShow];
                self.devices[device].crash = Some(*self.chance.pick(&points));
            }
            if often(&mut self.chance, 3, trouble) && self.devices[device].is_running() {
                self.devices[device].stop();
                self.look(device)?;
            }
            if often(&mut self.chance, 3, trouble) {
                self.devices[device].clocks.system_offset_ms = self.chance.between(-3_600_000, 3_600_000);
            }
        }
        Ok(())
    }

    /// Re-issues, revocations, new keys, changed policies, stolen devices, owners that move.
    fn server_acts(&mut self) {
        if self.chance.between(0, 10_000) < 40 {
            let at = self.chance.between(0, self.cloud.tickets.len() as i64) as usize;
            let revoke = self.chance.percent(40);
            // A server that was restored from a backup has forgotten a revocation, and its lists are newer all the same.
            let forget = self.chance.percent(25);
            self.cloud.list_version += 1;
            let version = self.cloud.list_version;
            let ticket = &mut self.cloud.tickets[at];
            ticket.changed = version;
            if forget {
                ticket.revoked_to = None;
            } else if revoke {
                ticket.revoked_to = Some(ticket.serial);
            } else if let Some(next) = ticket.serial.next() {
                ticket.serial = next;
            }
        }
        if self.chance.between(0, 10_000) < 3 {
            self.cloud.organiser.generation = (self.cloud.organiser.generation + 1).min(3);
            self.cloud.policy.version += 1;
        }
        if self.chance.between(0, 10_000) < 2 {
            let ids: Vec<DeviceId> = self.cloud.devices.keys().copied().collect();
            let id = *self.chance.pick(&ids);
            if let Some(device) = self.cloud.devices.get_mut(&id) {
                device.revoked = true;
            }
        }
        self.move_owners();
    }

    /// A group's owner is asked to stop, and another one is named when it has, or when its time is over at its worst.
    fn move_owners(&mut self) {
        let now = ClockReading { now_ms: self.now_ms, uncertainty_ms: 0, in_doubt: false, offset_ms: 0 };
        let mut owners = self.cloud.policy.owners.clone();
        let mut changed = false;
        for owner in &mut owners {
            let released = self.said_released(owner.group, owner.epoch);
            if owner.unsettled {
                // The old owner's word, and all its rows before, have come after all.
                if self.said_released(owner.group, owner.epoch - 1) {
                    owner.unsettled = false;
                    changed = true;
                }
                continue;
            }
            let Owner::Lane { .. } = owner.owner else {
                // The cloud hands a group to a lane when none of its grants are outstanding.
                if self.cloud.grants.is_empty() && self.chance.between(0, 10_000) < 60 {
                    *owner = self.lane_instead_of(owner);
                    changed = true;
                }
                continue;
            };
            if let Some(back) = owner.back_to_the_cloud(released, &now).filter(|_| owner.releasing) {
                *owner = back;
                changed = true;
            } else if !owner.releasing && (self.chance.between(0, 10_000) < 25 || now.now_ms >= owner.until_ms) {
                owner.releasing = true;
                changed = true;
            }
        }
        if changed {
            self.cloud.policy.owners = owners;
            self.cloud.policy.version += 1;
        }
    }

    fn lane_instead_of(&mut self, owner: &Ownership) -> Ownership {
        let at = self.chance.between(0, self.devices.len() as i64) as usize;
        let device = &self.devices[at];
        Ownership {
            owner: Owner::Lane { device: device.id.0, lane: device.lane.0 },
            epoch: owner.epoch + 1,
            until_ms: self.now_ms + self.chance.between(20_000, 120_000),
            from_cursor: self.cloud.merged.len() as u64,
            ..*owner
        }
    }

    /// Whether the owner of this group and epoch has said in its journal that it stopped, and everything before is here.
    fn said_released(&self, group: u16, epoch: u64) -> bool {
        let note = format!("{group} {epoch}");
        self.cloud.merged.iter().any(|(row, _)| {
            let head = self.cloud.heads.get(&(row.body.device.0, row.body.epoch)).map_or(0, |head| head.seq);
            row.body.act() == Some(Act::Released) && row.body.note.as_deref() == Some(&note) && row.body.seq <= head
        })
    }

    /// At the end everything works again: links, processes, clocks.
    fn heal_if(&mut self, healing: bool) {
        if !healing {
            return;
        }
        for (device, link) in self.devices.iter_mut().zip(&mut self.links) {
            (link.up, link.down) = (true, true);
            device.crash = None;
        }
    }

    /// The server's rows, sent to another server in another order and some twice, come to the same.
    fn any_order(&mut self) -> Result<(), Violation> {
        let mut rows: Vec<(DeviceId, SignedRow)> =
            self.cloud.merged.iter().map(|(row, _)| (row.body.device, row.row.clone())).collect();
        for at in (1..rows.len()).rev() {
            let with = self.chance.between(0, at as i64 + 1) as usize;
            rows.swap(at, with);
        }
        let twice = rows.iter().take(5).cloned().collect::<Vec<_>>();
        rows.extend(twice);
        let mut other = Cloud { devices: self.cloud.devices.clone(), ..Cloud::default() };
        for (device, row) in rows {
            let upload = ScanUpload { event: crate::organiser::EVENT.0, rows: vec![row.into()] };
            other.upload(device, upload, self.now_ms);
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
    let class_partitions = if chance.percent(40) {
        vec![ClassPartition { class: 1, partition: *chance.pick(&[Partition::Strict, Partition::Bounded]) }]
    } else {
        Vec::new()
    };
    let exits = if chance.percent(50) { chance.between(1, i64::from(lanes.div_ceil(2)) + 1) as u32 } else { 0 };
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
