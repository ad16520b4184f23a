//! An organiser's set-up: server, line, two events with two lanes and two classes each, a signed policy.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use ticket_signer::EventId;

use crate::api::Client;
use crate::guest::{Issued, now_s};
use crate::lane::Lane;
use crate::office::Office;
use crate::relay::Relay;
use crate::server::Server;

/// The event that the lanes admit to, and another under the same issuer certificate.
pub const EVENT: EventId = EventId(1);
pub const OTHER_EVENT: EventId = EventId(2);
/// Printed tickets of this class are accepted.
pub const STANDING: u16 = 1;
/// Printed tickets of this class are not.
pub const SEATED: u16 = 2;
/// The lanes' names, in the order of `Site::lane_ids`.
pub const LANES: [&str; 2] = ["Lane 1", "Lane 2"];

/// A running server with its events, reached by phones and lanes through a relay that can be cut.
pub struct Site {
    pub folder: PathBuf,
    pub server: Server,
    pub relay: Relay,
    pub back_end: Client,
    /// Of [`EVENT`].
    pub lane_ids: [u32; 2],
}

impl Site {
    pub fn open(folder: &Path) -> Result<Self> {
        let server = Server::prepare(&folder.join("organiser"))?;
        let relay = Relay::start(server.listen())?;
        let url = format!("https://localhost:{}", relay.address().port());
        Self::open_behind(folder, server, relay, url)
    }

    /// Reached at another of this machine's addresses.
    pub fn open_at(folder: &Path, own: IpAddr) -> Result<Self> {
        let server = Server::prepare(&folder.join("organiser"))?;
        let relay = Relay::start_at(own, server.listen())?;
        let url = format!("https://{}", relay.address());
        Self::open_behind(folder, server, relay, url)
    }

    fn open_behind(folder: &Path, mut server: Server, relay: Relay, url: String) -> Result<Self> {
        // Links and enrolment codes name the relay: to phones and lanes it is the network.
        server.set_public_url(url);
        server.start()?;
        let back_end = server.back_end()?;
        let mut site = Site { folder: folder.to_path_buf(), server, relay, back_end, lane_ids: [0; 2] };
        site.lane_ids = site.make_event(EVENT, "Harbour Nights, Friday")?;
        site.make_event(OTHER_EVENT, "Harbour Nights, Saturday")?;
        Ok(site)
    }

    fn create(&self, path: &str, key: &str, body: &Value) -> Result<Value> {
        self.back_end.post(path, key, body)?.ok()
    }

    fn make_event(&self, event: EventId, name: &str) -> Result<[u32; 2]> {
        let (from, until) = ((now_s() - 3600) * 1000, (now_s() + 6 * 3600) * 1000);
        let venue = json!({ "name": format!("Pier {}", 3 + event.0), "time_zone": "Europe/Berlin" });
        let venue = self.create("/api/v1/venues", &format!("venue-{event}"), &venue)?;
        let body = json!({
            "id": event.0, "venue_id": venue["id"], "name": name, "starts_at_ms": from, "ends_at_ms": until,
        });
        self.create("/api/v1/events", &format!("event-{event}"), &body)?;
        let base = format!("/api/v1/events/{event}");
        let entrance = json!({ "name": "North" });
        let entrance = self.create(&format!("{base}/entrances"), &format!("entrance-{event}"), &entrance)?;
        let mut lanes = [0; 2];
        for (name, lane) in LANES.iter().zip(&mut lanes) {
            let body = json!({ "entrance_id": entrance["id"], "name": name });
            let key = format!("{}-{event}", name.replace(' ', "-"));
            let made = self.create(&format!("{base}/lanes"), &key, &body)?;
            *lane = u32::try_from(made["id"].as_u64().context("a lane without id")?)?;
        }
        for (id, name) in [(STANDING, "Standing"), (SEATED, "Seated")] {
            let body = json!({
                "id": id, "name": name, "valid_from_ms": from, "valid_until_ms": until, "admissions": 1, "flags": 0,
            });
            self.create(&format!("{base}/classes"), &format!("class-{event}-{id}"), &body)?;
        }
        let policy = json!({
            "partition": "open", "printed_classes": [STANDING],
            "lanes": lanes.iter().map(|lane| json!({ "lane_id": lane, "classes": [] })).collect::<Vec<_>>(),
        });
        self.back_end.put(&format!("{base}/policy"), &format!("policy-{event}"), &policy)?.ok()?;
        Ok(lanes)
    }

    /// Issues one ticket for each class named.
    pub fn issue(&self, event: EventId, key: &str, classes: &[u16]) -> Result<Vec<Issued>> {
        let tickets: Vec<Value> = classes.iter().map(|class| json!({ "class": class })).collect();
        let path = format!("/api/v1/events/{event}/tickets:batch");
        let answer = self.create(&path, key, &json!({ "tickets": tickets }))?;
        answer["tickets"].as_array().context("no tickets in the answer")?.iter().map(Issued::read).collect()
    }

    /// Starts a handheld without a window and enrols it for lane `at` (0 or 1). Returns once it has a list.
    pub fn enrol(&self, office: &mut Office, at: usize, environment: &[(&str, &str)]) -> Result<Lane> {
        let mut lane = Lane::new(LANES[at], &self.folder.join(format!("lane-{}", at + 1)), false, None)?;
        lane.start(environment)?;
        self.confirm(office, at, &mut lane)?;
        Ok(lane)
    }

    /// As [`enrol`](Self::enrol), for a handheld that talks to the event's edge.
    pub fn enrol_at_edge(&self, office: &mut Office, at: usize) -> Result<Lane> {
        let mut lane = Lane::new(LANES[at], &self.folder.join(format!("lane-{}", at + 1)), false, None)?;
        lane.start(&[])?;
        let code = office.enrolment_at_edge(self.lane_ids[at])?;
        self.confirm_with(office, &code, &mut lane)?;
        Ok(lane)
    }

    /// Shows an enrolment code to a handheld that runs, and confirms it.
    pub fn confirm(&self, office: &mut Office, at: usize, lane: &mut Lane) -> Result<()> {
        let picture = self.folder.join(format!("enrolment-{}.png", at + 1));
        let code = office.enrolment(self.lane_ids[at], LANES[at], &picture)?;
        self.confirm_with(office, &code, lane)
    }

    fn confirm_with(&self, office: &mut Office, code: &str, lane: &mut Lane) -> Result<()> {
        lane.show(code)?;
        let pending = lane.event("enrol_pending", |_| true)?;
        office.confirm(pending["fingerprint"].as_str().context("the handheld shows no fingerprint")?)?;
        lane.event("ready", |_| true)?;
        Ok(())
    }
}
