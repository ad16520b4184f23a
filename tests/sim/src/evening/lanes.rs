//! The queues of a planned evening, played with a handheld of the product at each lane: every guest shows a code that a phone
//! signed then, the engine has it verified, decided and recorded, and the guest passes when the lane has shown green.
//!
//! Guests do what `docs/planning.md` says: each joins the shortest queue of their entrance among the open lanes that take
//! them, and whoever waits lines up anew when a lane opens or closes.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use gate_core::Policy;
use gate_core::policy::LanePolicy;
use scanner_app::core::engine::Input;
use ticket_signer::{ClassEntry, ClassId, DeviceId, LaneId, Serial, TicketId};

use super::guests::Guest;
use super::plan::Expected;
use crate::chance::Chance;
use crate::cloud::{Cloud, Enrolled};
use crate::handheld::{Clocks, Handheld, Happened};
use crate::organiser::{EVENT, Issued, START_MS};

/// When the doors open: early guests have come by then.
const DOORS_MS: i64 = START_MS + 4 * 3_600_000;
/// Who is not let in at once shows the phone again after this long.
const AGAIN_MS: i64 = 3_000;

/// What an evening came to.
#[derive(Debug, Default)]
pub struct Evening {
    /// By entrance, in milliseconds, of those who got in.
    pub waits_ms: BTreeMap<u32, Vec<i64>>,
    pub admitted: u64,
    /// Whom no lane was left for.
    pub outside: u64,
    /// How often a code had to be shown again.
    pub shown_again: u64,
}

/// What happens next; of one moment in this order.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Free(usize),
    Turn,
    Come(usize),
    Show(usize),
}

struct Post {
    handheld: Handheld,
    /// Those who wait, the first in front; whom the lane is busy with stands beside it.
    line: VecDeque<usize>,
    serving: Option<usize>,
}

struct Night<'a> {
    expected: &'a Expected,
    guests: &'a [Guest],
    posts: Vec<Post>,
    cloud: &'a Cloud,
    /// In front of each entrance, for want of an open lane; with one queue for all lanes, that queue.
    outside: BTreeMap<u32, VecDeque<usize>>,
    begun_ms: Vec<Option<i64>>,
    events: BinaryHeap<Reverse<(i64, Event)>>,
    chance: Chance,
    told: Evening,
}

/// Ticket of each guest: they come with one each.
fn ticket(guest: usize) -> TicketId {
    TicketId(0xE000 + guest as u64)
}

/// An event with a ticket for each guest and a lane for each of the plan's.
fn opened(expected: &Expected, guests: &[Guest]) -> Cloud {
    let class = |class: &super::plan::Class| ClassEntry {
        class: ClassId(class.id),
        name: format!("Class {}", class.id),
        valid_from_s: 0,
        valid_until_s: u32::MAX,
        admissions: 1,
        flags: 0,
    };
    let issued = |(at, guest): (usize, &Guest)| Issued {
        id: ticket(at),
        class: ClassId(guest.class),
        serial: Serial::FIRST,
        revoked_to: None,
        changed: 1,
    };
    let lane = |lane: &super::plan::Lane| LanePolicy {
        lane: lane.id,
        name: format!("Lane {}", lane.id),
        entrance: lane.entrance.to_string(),
        classes: lane.takes.clone(),
        ..LanePolicy::default()
    };
    Cloud {
        classes: expected.classes.iter().map(class).collect(),
        tickets: guests.iter().enumerate().map(issued).collect(),
        list_version: 1,
        policy: Policy {
            event: EVENT.0,
            version: 1,
            issued_at_ms: START_MS,
            lanes: expected.lanes.iter().map(lane).collect(),
            ..Policy::default()
        },
        ..Cloud::default()
    }
}

/// A handheld at each lane, with its bundle, and the list that one of them has taken for all.
fn stand(cloud: &mut Cloud, expected: &Expected, chance: &mut Chance) -> Vec<Post> {
    let root = cloud.organiser.root_fingerprint();
    let mut posts: Vec<Post> = Vec::new();
    for lane in &expected.lanes {
        let boot_at_ms = START_MS - chance.between(1_000, 3_600_000);
        let drift_ppm = chance.between(-40, 41);
        let clocks = Clocks { boot_at_ms, boot_id: u128::from(lane.id), drift_ppm, system_offset_ms: 0 };
        let mut handheld = Handheld::new(DeviceId(0xD00 + u64::from(lane.id)), LaneId(lane.id), root, clocks);
        let (key, lane) = (handheld.key.public(), handheld.lane);
        cloud.devices.insert(handheld.id, Enrolled { key, lane, certificate: Vec::new(), revoked: false });
        handheld.start(START_MS);
        let sent = handheld.device_time(START_MS);
        let bundle = cloud.bundle(handheld.id, &handheld.key, START_MS).expect("nobody is revoked");
        handheld.take_bundle(START_MS, &bundle, sent);
        match posts.first() {
            Some(first) => handheld.disk.copy_list(&first.handheld.disk),
            None => {
                let (envelope, chunks) = cloud.list(0, START_MS);
                handheld.take_list(START_MS, &envelope, &chunks);
            }
        }
        posts.push(Post { handheld, line: VecDeque::new(), serving: None });
    }
    posts
}

/// Plays one evening.
pub fn play(expected: &Expected, guests: &[Guest], mut chance: Chance) -> Evening {
    let mut cloud = opened(expected, guests);
    let posts = stand(&mut cloud, expected, &mut chance);
    let mut events = BinaryHeap::new();
    for (at, guest) in guests.iter().enumerate() {
        events.push(Reverse((guest.at_ms, Event::Come(at))));
    }
    for at_ms in expected.lanes.iter().flat_map(|lane| [lane.open_ms, lane.close_ms]) {
        if at_ms < i64::MAX {
            events.push(Reverse((at_ms, Event::Turn)));
        }
    }
    let mut night = Night {
        expected,
        guests,
        posts,
        cloud: &cloud,
        outside: expected.entrances.iter().map(|(id, _)| (*id, VecDeque::new())).collect(),
        begun_ms: vec![None; guests.len()],
        events,
        chance,
        told: Evening::default(),
    };
    while let Some(Reverse((now_ms, event))) = night.events.pop() {
        match event {
            Event::Come(guest) => night.join(guest, now_ms),
            Event::Turn => night.turn(now_ms),
            Event::Show(post) => night.show(post, now_ms),
            Event::Free(post) => {
                night.posts[post].serving = None;
                night.call(post, now_ms);
            }
        }
    }
    night.told.outside = night.begun_ms.iter().filter(|begun| begun.is_none()).count() as u64;
    night.told
}

impl Night<'_> {
    fn takes(&self, post: usize, guest: usize, now_ms: i64) -> bool {
        let (lane, guest) = (&self.expected.lanes[post], &self.guests[guest]);
        let open = lane.open_ms <= now_ms && now_ms < lane.close_ms;
        open && lane.entrance == guest.entrance && lane.takes.contains(&guest.class)
    }

    fn join(&mut self, guest: usize, now_ms: i64) {
        let entrance = self.guests[guest].entrance;
        let stands = |post: &Post| post.line.len() + usize::from(post.serving.is_some());
        let open: Vec<usize> = (0..self.posts.len()).filter(|post| self.takes(*post, guest, now_ms)).collect();
        let shortest = open.iter().map(|post| stands(&self.posts[*post])).min();
        match shortest {
            Some(length) if !self.expected.shared_queue || length == 0 => {
                let equal: Vec<usize> = open.into_iter().filter(|post| stands(&self.posts[*post]) == length).collect();
                let post = *self.chance.pick(&equal);
                self.posts[post].line.push_back(guest);
                self.call(post, now_ms);
            }
            _ => self.outside.entry(entrance).or_default().push_back(guest),
        }
    }

    /// Lanes have opened or closed: whoever waits lines up anew.
    fn turn(&mut self, now_ms: i64) {
        let mut waiting: Vec<usize> = self.outside.values_mut().flat_map(|queue| queue.drain(..)).collect();
        waiting.extend(self.posts.iter_mut().flat_map(|post| post.line.drain(..)));
        // By when they came.
        waiting.sort_unstable();
        for guest in waiting {
            self.join(guest, now_ms);
        }
    }

    /// The next guest steps up to a lane that is free.
    fn call(&mut self, post: usize, now_ms: i64) {
        if self.posts[post].serving.is_some() {
            return;
        }
        let next = self.posts[post].line.pop_front().or_else(|| {
            let queue = self.expected.shared_queue.then(|| self.outside.get(&self.expected.lanes[post].entrance))??;
            let at = queue.iter().position(|guest| self.takes(post, *guest, now_ms))?;
            self.outside.get_mut(&self.expected.lanes[post].entrance)?.remove(at)
        });
        let Some(guest) = next else { return };
        self.posts[post].serving = Some(guest);
        let one = self.guests[guest];
        if self.begun_ms[guest].replace(now_ms).is_none() {
            let doors = self
                .expected
                .lanes
                .iter()
                .filter(|lane| lane.entrance == one.entrance && lane.takes.contains(&one.class));
            let counts_ms = doors.map(|lane| lane.open_ms).min().unwrap_or(0).min(0);
            let wait_ms = (now_ms - one.at_ms.max(counts_ms)).max(0);
            self.told.waits_ms.entry(one.entrance).or_default().push(wait_ms);
        }
        // Half of the time goes by before the phone is held up.
        self.events.push(Reverse((now_ms + one.service_ms / 2, Event::Show(post))));
    }

    /// The guest's phone is held before the lane's camera.
    fn show(&mut self, post: usize, now_ms: i64) {
        let Some(guest) = self.posts[post].serving else { return };
        let true_ms = DOORS_MS + now_ms;
        let code = self.cloud.organiser.code(&self.cloud.tickets[guest], true_ms, false);
        let handheld = &mut self.posts[post].handheld;
        handheld.give(true_ms, Input::Tick);
        handheld.give(true_ms, Input::Seen(vec![code.to_text().into_bytes()]));
        let happened = std::mem::take(&mut handheld.happened);
        let green = happened.iter().any(|one| matches!(one, Happened::Shown { green: true, .. }));
        let own = happened
            .iter()
            .any(|one| matches!(one, Happened::Committed(committed) if committed.ticket == Some(ticket(guest))));
        if green && own {
            self.told.admitted += 1;
            let service_ms = self.guests[guest].service_ms;
            self.events.push(Reverse((now_ms + service_ms - service_ms / 2, Event::Free(post))));
        } else {
            self.told.shown_again += 1;
            self.events.push(Reverse((now_ms + AGAIN_MS, Event::Show(post))));
        }
    }
}
