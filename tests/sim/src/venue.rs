//! The edge in its evening: its lanes' requests, its talk with the cloud, and what goes wrong with it.

use std::collections::BTreeSet;
use std::sync::Arc;

use gate_core::ownership::{Owner, Ownership};
use gate_core::wire::v1::GrantAnswer;
use ticket_signer::DeviceId;

use crate::chance::Chance;
use crate::cloud::Cloud;
use crate::edge::{Edge, Sync, Synced};
use crate::handheld::{Down, Handheld, Up};
use crate::organiser::START_MS;
use crate::scenario::Kind;
use crate::world::{Luck, Parcel, World};

/// What an edge sends to the cloud.
#[derive(Debug, Clone)]
pub(crate) enum EdgeUp {
    Sync(Sync),
    /// A lane's question, which the cloud answers.
    Relay {
        device: usize,
        number: u64,
        up: Up,
    },
}

pub(crate) enum EdgeDown {
    Sync(Box<Synced>),
    Relayed { device: usize, number: u64, down: Down },
}

/// An edge between the cloud and about this share of the lanes, with what it needs to begin.
pub(crate) fn venue_edge(cloud: &mut Cloud, devices: &[Handheld], share: u64, chance: &mut Chance) -> Edge {
    let lanes: BTreeSet<DeviceId> = devices.iter().filter(|_| chance.percent(share)).map(|device| device.id).collect();
    let mut edge = Edge::new(lanes.clone(), START_MS);
    for device in devices.iter().filter(|device| lanes.contains(&device.id)) {
        let bundle = cloud.bundle(device.id, &device.key, START_MS);
        edge.keep_bundle(device.id, bundle);
    }
    if chance.percent(60) {
        // The venue owns everything from the doors on.
        for own in &mut cloud.policy.owners {
            let until_ms = START_MS + chance.between(30_000, 300_000);
            *own = Ownership { owner: Owner::Node(edge.node()), epoch: 1, until_ms, ..*own };
        }
        cloud.policy.version += 1;
    }
    if let Some(first) = edge.talk(START_MS) {
        edge.hear(cloud.sync(first, START_MS), START_MS);
    }
    edge
}

impl World {
    /// The place of the edge's own link.
    fn edge_place(&self) -> usize {
        self.devices.len()
    }

    pub(crate) fn serve_at_edge(&mut self, at_ms: i64, device: usize, number: u64, up: Up) {
        let id = self.devices[device].id;
        let Some(edge) = self.edge.as_mut().filter(|edge| edge.is_running()) else { return };
        let down = match up {
            Up::Upload { upload, .. } => edge.upload(id, upload, at_ms).map(Down::Scans),
            Up::List { .. } => {
                edge.list().map(|list| Down::List { envelope: list.envelope.clone(), chunks: list.chunks.clone() })
            }
            Up::Listen { cursor, generation } => {
                let cursor = if generation == edge.node() { cursor } else { 0 };
                self.listen(at_ms, device, number, cursor);
                None
            }
            Up::Bundle if !edge.hears_cloud(at_ms) => {
                edge.bundle(id, at_ms).map(|bundle| Down::Bundle(Box::new(bundle)))
            }
            Up::Ask(question) => match edge.grant(id, &question, at_ms) {
                Some(answer) => Some(Down::Grant(answer)),
                None if edge.hears_cloud(at_ms) => {
                    self.edge_sends(at_ms, EdgeUp::Relay { device, number, up: Up::Ask(question) });
                    None
                }
                None => Some(Down::Grant(GrantAnswer::Refused { reason: "the owner is not reached".to_owned() })),
            },
            Up::Bundle => {
                self.edge_sends(at_ms, EdgeUp::Relay { device, number, up: Up::Bundle });
                None
            }
        };
        if let Some(down) = down {
            self.answer(at_ms, device, number, down);
        }
    }

    fn edge_sends(&mut self, at_ms: i64, up: EdgeUp) {
        let place = self.edge_place();
        if !self.links[place].up || self.befalls(place, 2, Kind::Lost) {
            return;
        }
        let arrives_ms = at_ms + self.delay_ms(place);
        if self.befalls(place, 4, Kind::Twice) {
            let again_ms = arrives_ms + self.delay_ms(place);
            self.post(again_ms, place, 0, Parcel::EdgeUp(up.clone()));
        }
        self.post(arrives_ms, place, 0, Parcel::EdgeUp(up));
    }

    /// The cloud answers an edge, if the way back is open.
    pub(crate) fn serve_edge(&mut self, at_ms: i64, up: EdgeUp) {
        let down = match up {
            EdgeUp::Sync(sync) => EdgeDown::Sync(Box::new(self.cloud.sync(sync, at_ms))),
            EdgeUp::Relay { device, number, up } => {
                let (id, key) = (self.devices[device].id, Arc::clone(&self.devices[device].key));
                let down = match up {
                    Up::Ask(question) => Down::Grant(self.cloud.grant(id, &question, at_ms)),
                    _ => {
                        let bundle = self.cloud.bundle(id, &key, at_ms);
                        bundle.map_or(Down::Refused, |bundle| Down::Bundle(Box::new(bundle)))
                    }
                };
                EdgeDown::Relayed { device, number, down }
            }
        };
        let place = self.edge_place();
        if self.links[place].down && !self.befalls(place, 2, Kind::Lost) {
            let arrives_ms = at_ms + self.delay_ms(place);
            self.post(arrives_ms, place, 0, Parcel::EdgeDown(Box::new(down)));
        }
    }

    pub(crate) fn edge_hears(&mut self, at_ms: i64, down: EdgeDown) {
        let Some(edge) = self.edge.as_mut().filter(|edge| edge.is_running()) else { return };
        match down {
            EdgeDown::Sync(synced) => edge.hear(*synced, at_ms),
            EdgeDown::Relayed { device, number, down } => {
                let id = self.devices[device].id;
                let down = match down {
                    Down::Bundle(bundle) => {
                        edge.keep_bundle(id, Some(*bundle));
                        edge.bundle(id, at_ms).map(|bundle| Down::Bundle(Box::new(bundle)))
                    }
                    Down::Refused => {
                        edge.keep_bundle(id, None);
                        Some(Down::Refused)
                    }
                    other => Some(other),
                };
                if let Some(down) = down {
                    self.answer(at_ms, device, number, down);
                }
            }
        }
    }

    /// The edge starts again when it is time, and talks to the cloud.
    pub(crate) fn edge_ticks(&mut self) {
        let now_ms = self.now_ms;
        let Some(edge) = &mut self.edge else { return };
        edge.wake(now_ms);
        if let Some(sync) = edge.talk(now_ms) {
            self.edge_sends(now_ms, EdgeUp::Sync(sync));
        }
    }

    /// The edge's link, its process and its store.
    pub(crate) fn edge_mishaps(&mut self) {
        let place = self.edge_place();
        let running = self.edge.as_ref().is_some_and(Edge::is_running);
        if self.edge.is_none() {
            return;
        }
        let mut luck = self.luck(Luck::Fault, place);
        let trouble = 1 + self.trouble as i64;
        let mut often = |share: i64| luck.between(0, 10_000) < share * trouble;
        let [up, down, mend, crash, loss] = [often(8), often(8), often(8), often(5), often(2)];
        let pause_ms = luck.between(2_000, 40_000);
        if up && self.happens(place, Kind::Up) {
            self.links[place].up = !self.links[place].up;
        }
        if down && self.happens(place, Kind::Down) {
            self.links[place].down = !self.links[place].down;
        }
        if mend && self.happens(place, Kind::Mend) {
            (self.links[place].up, self.links[place].down) = (true, true);
        }
        let loses = loss && running && self.happens(place, Kind::EdgeLoss);
        let crashes = crash && running && self.happens(place, Kind::EdgeCrash);
        if loses || crashes {
            let until_ms = self.now_ms + pause_ms;
            if let Some(edge) = &mut self.edge {
                edge.stop(until_ms, loses);
            }
            for device in 0..self.devices.len() {
                if self.is_behind(device) {
                    self.links[device].session = None;
                    self.drop_stream(device);
                }
            }
        }
    }
}
