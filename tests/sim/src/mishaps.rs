//! What goes wrong, and what the server's people do meanwhile.

use gate_core::Direction;
use gate_core::clock::ClockReading;
use gate_core::ownership::{Owner, Ownership};
use gate_core::policy::{Change, Partition, Temporary};
use gate_core::row::Act;
use ticket_signer::DeviceId;

use crate::chance::Chance;
use crate::check::Violation;
use crate::disk::Point;
use crate::organiser::GENERATIONS_MAX;
use crate::scenario::Kind;
use crate::world::{Luck, World};

impl World {
    pub(crate) fn mishaps(&mut self) -> Result<(), Violation> {
        self.server_acts();
        self.edge_mishaps();
        for device in 0..self.devices.len() {
            let mut luck = self.luck(Luck::Fault, device);
            let trouble = self.trouble as i64;
            let mut often = |share: i64| luck.between(0, 10_000) < share * trouble;
            let [up, down, mend, feed, crash] = [often(12), often(12), often(8), often(15), often(10)];
            let [power, jump] = if self.crowd { [often(15), often(10)] } else { [often(3), often(3)] };
            let point = *luck.pick(&[Point::BeforeCommit, Point::WithinCommit, Point::AfterCommit, Point::AfterShow]);
            let offset_ms = luck.between(-3_600_000, 3_600_000);
            if up && self.happens(device, Kind::Up) {
                self.links[device].up = !self.links[device].up;
            }
            if down && self.happens(device, Kind::Down) {
                self.links[device].down = !self.links[device].down;
            }
            if mend && self.happens(device, Kind::Mend) {
                (self.links[device].up, self.links[device].down) = (true, true);
            }
            if feed && self.links[device].session.is_some() && self.happens(device, Kind::Feed) {
                self.hang_up(device);
            }
            if crash && self.devices[device].is_running() && self.happens(device, Kind::Crash) {
                self.devices[device].crash = Some(point);
            }
            if power && self.devices[device].is_running() && self.happens(device, Kind::Power) {
                self.devices[device].stop();
                self.look(device)?;
            }
            if jump && self.happens(device, Kind::Jump) {
                self.devices[device].clocks.system_offset_ms = offset_ms;
            }
        }
        Ok(())
    }

    /// Re-issues, revocations, new keys, changed policies, stolen devices, owners that move.
    fn server_acts(&mut self) {
        let mut luck = self.luck(Luck::Server, 0);
        let (change, at) = (luck.between(0, 10_000) < 40, luck.draw() as usize % self.cloud.tickets.len());
        let (revoke, forget) = (luck.percent(40), luck.percent(25));
        let (renew, steal) = (luck.between(0, 10_000) < 3, luck.between(0, 10_000) < 2);
        let stolen = luck.draw() as usize % self.devices.len();
        // A server that was restored from a backup has forgotten a revocation, and its lists are newer all the same.
        let kind = if forget {
            Kind::Forget
        } else if revoke {
            Kind::Revoke
        } else {
            Kind::Reissue
        };
        if change && self.happens(0, kind) {
            self.cloud.list_version += 1;
            let version = self.cloud.list_version;
            let ticket = &mut self.cloud.tickets[at];
            ticket.changed = version;
            match kind {
                Kind::Forget => ticket.revoked_to = None,
                Kind::Revoke => ticket.revoked_to = Some(ticket.serial),
                _ => ticket.serial = ticket.serial.next().unwrap_or(ticket.serial),
            }
        }
        if renew && self.happens(0, Kind::Keys) {
            self.cloud.organiser.generation = (self.cloud.organiser.generation + 1).min(GENERATIONS_MAX);
            self.cloud.policy.version += 1;
        }
        let id: DeviceId = self.devices[stolen].id;
        if steal
            && self.happens(0, Kind::Theft)
            && let Some(device) = self.cloud.devices.get_mut(&id)
        {
            device.revoked = true;
        }
        self.decide(&mut luck);
        self.move_owners();
    }

    /// A supervisor decides for a while, or takes a decision back; those whose time is over are signed away.
    fn decide(&mut self, luck: &mut Chance) {
        let (begins, ends, tidies) = (luck.between(0, 10_000) < 25, luck.between(0, 10_000) < 8, luck.percent(2));
        let until_ms = self.now_ms + luck.between(5_000, 150_000);
        let change = self.change(luck);
        let at = luck.draw() as usize;
        let now_ms = self.now_ms;
        let over = self.cloud.policy.temporary.iter().any(|temporary| temporary.until_ms <= now_ms);
        if over && tidies {
            self.cloud.policy.temporary.retain(|temporary| temporary.until_ms > now_ms);
            self.cloud.policy.version += 1;
        }
        let made = self.cloud.policy.temporary.len();
        if begins && made < 12 && self.happens(0, Kind::Decision) {
            self.cloud.policy.temporary.push(Temporary { from_ms: now_ms, until_ms, change });
            self.cloud.policy.version += 1;
        } else if ends && made > 0 && self.happens(0, Kind::Decision) {
            self.cloud.policy.temporary.remove(at % made);
            self.cloud.policy.version += 1;
        }
    }

    fn change(&self, luck: &mut Chance) -> Change {
        let lane = 1 + (luck.draw() % self.devices.len() as u64) as u32;
        let class = *luck.pick(&[None, Some(1), Some(2)]);
        let rules = [Partition::Open, Partition::Bounded, Partition::Strict];
        match luck.between(0, 10) {
            0..=2 => Change::LaneClosed { lane, closed: luck.percent(80) },
            3..=4 => Change::LaneClasses { lane, classes: luck.pick(&[vec![1], vec![2], Vec::new()]).clone() },
            5 => Change::LaneDirection { lane, direction: *luck.pick(&[Direction::In, Direction::Out]) },
            6..=7 => Change::FreshnessSteps { freshness_steps: luck.between(0, 31) as u32 },
            _ => Change::Partition { class, partition: *luck.pick(&rules) },
        }
    }

    /// A group's owner is asked to stop, and another one is named when it has, or when its time is over at its worst.
    fn move_owners(&mut self) {
        let now = ClockReading { now_ms: self.now_ms, uncertainty_ms: 0, in_doubt: false, offset_ms: 0 };
        let mut owners = self.cloud.policy.owners.clone();
        let mut changed = false;
        for owner in &mut owners {
            let mut luck = self.luck(Luck::Server, 1 + usize::from(owner.group));
            let (names, asks) = (luck.between(0, 10_000) < 60, luck.between(0, 10_000) < 25);
            if owner.unsettled {
                // The old owner's word, and all its rows before, have come after all.
                if self.said_released(owner.group, owner.epoch - 1) {
                    owner.unsettled = false;
                    changed = true;
                }
                continue;
            }
            if owner.owner == Owner::Node(0) {
                // The cloud hands a group over when none of its grants are outstanding.
                if self.cloud.grants.is_empty() && names && self.happens(0, Kind::Owner) {
                    changed |= self.another_owner(owner, &mut luck);
                }
                continue;
            }
            let released = self.said_released(owner.group, owner.epoch);
            if let Some(back) = owner.back_to_the_cloud(released, &now).filter(|_| owner.releasing) {
                *owner = back;
                changed = true;
            } else if !owner.releasing && (now.now_ms >= owner.until_ms || (asks && self.happens(0, Kind::Owner))) {
                owner.releasing = true;
                changed = true;
            }
        }
        if changed {
            self.cloud.policy.owners = owners;
            self.cloud.policy.version += 1;
        }
    }

    /// A lane, or the venue's edge. A lane behind the edge hears another feed, and its cursor says nothing of the cloud's.
    fn another_owner(&self, owner: &mut Ownership, luck: &mut Chance) -> bool {
        let lanes: Vec<usize> = (0..self.devices.len()).filter(|device| !self.is_behind(*device)).collect();
        let (edge, until_ms) = (luck.percent(60), self.now_ms + luck.between(20_000, 120_000));
        let named = if self.edge.is_some() && (edge || lanes.is_empty()) {
            Owner::Node(self.cloud.edge_node)
        } else {
            let Some(device) = lanes.get(luck.draw() as usize % lanes.len().max(1)).map(|at| &self.devices[*at]) else {
                return false;
            };
            Owner::Lane { device: device.id.0, lane: device.lane.0 }
        };
        *owner = Ownership {
            owner: named,
            epoch: owner.epoch + 1,
            until_ms,
            from_cursor: self.cloud.merged.len() as u64,
            ..*owner
        };
        true
    }

    /// Whether the owner of this group and epoch has said in its journal that it stopped, and everything before is here.
    fn said_released(&self, group: u16, epoch: u64) -> bool {
        let note = format!("{group} {epoch}");
        self.cloud.words.contains(&(group, epoch))
            || self.cloud.merged.iter().any(|(row, _)| {
                let head = self.cloud.heads.get(&(row.body.device.0, row.body.epoch)).map_or(0, |head| head.seq);
                row.body.act() == Some(Act::Released) && row.body.note.as_deref() == Some(&note) && row.body.seq <= head
            })
    }
}
