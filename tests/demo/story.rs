//! The demo's cast and props: server, lanes, guests, the line between them, and how a checked line is told.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use ticket_signer::EventId;
use turnstone_tests::api::Client;
use turnstone_tests::guest::{Issued, now_s};
use turnstone_tests::lane::Lane;
use turnstone_tests::relay::Relay;
use turnstone_tests::server::Server;

use crate::display::Display;

/// The event that the lanes admit to, and another under the same issuer certificate.
pub const EVENT: EventId = EventId(1);
pub const OTHER_EVENT: EventId = EventId(2);
/// Printed tickets of this class are accepted.
pub const STANDING: u16 = 1;
/// Printed tickets of this class are not.
pub const SEATED: u16 = 2;

/// Everything that the scenes act with.
pub struct Story {
    pub folder: PathBuf,
    pub display: Display,
    pub server: Server,
    pub relay: Relay,
    pub back_end: Client,
    pub lanes: [Lane; 2],
    pub lane_ids: [u32; 2],
}

/// Tells one line that was checked.
pub fn say(line: impl AsRef<str>) {
    println!("  \u{2713} {}", line.as_ref());
}

/// Begins a scene.
pub fn scene(number: u32, title: &str) {
    println!("\n{number}. {title}");
}

/// Checks a verdict, and tells it.
pub fn expect(verdict: &Value, outcome: &str, reason: &str, line: &str) -> Result<()> {
    ensure!(
        verdict["outcome"] == outcome && verdict["reason"] == reason,
        "{line}: expected {outcome}/{reason}, and the lane said {verdict}"
    );
    let title = verdict["title"].as_str().unwrap_or_default();
    let shown = if outcome == "admit" { "GREEN" } else { "RED" };
    say(format!("{line}: {shown} \u{201c}{title}\u{201d} ({reason})"));
    Ok(())
}

impl Story {
    /// Makes keys, starts the server, and opens a sales back end.
    pub fn prepare(folder: &Path, display: Display) -> Result<Self> {
        scene(1, "Keys, server, event, tickets");
        let mut server = Server::prepare(&folder.join("organiser"))?;
        say(
            "root, issuer, list, policy, time, receipt and device keys made; each certified by the root for events 1 to 9",
        );
        let relay = Relay::start(server.listen())?;
        // Links and enrolment codes name the relay: to phones and lanes it is the network.
        server.set_public_url(format!("https://localhost:{}", relay.address().port()));
        server.start()?;
        say(format!("the server listens with its own TLS certificate on {}", server.listen()));
        let back_end = server.back_end()?;
        let pictures = folder.join("pictures");
        std::fs::create_dir_all(&pictures)?;
        let window = display.has_windows();
        let lane = |name: &str, id: &str| Lane::new(name, &folder.join(id), window, window.then(|| pictures.join(id)));
        let lanes = [lane("Lane 1", "lane-1")?, lane("Lane 2", "lane-2")?];
        let mut story =
            Story { folder: folder.to_path_buf(), display, server, relay, back_end, lanes, lane_ids: [0; 2] };
        story.make_event(EVENT, "Harbour Nights, Friday")?;
        story.make_event(OTHER_EVENT, "Harbour Nights, Saturday")?;
        say("two events; two lanes; standing (paper accepted) and seated (phones only); policy `open`, signed");
        Ok(story)
    }

    pub fn picture(&self, name: &str) -> PathBuf {
        self.folder.join("pictures").join(name)
    }

    fn create(&self, path: &str, key: &str, body: &Value) -> Result<Value> {
        self.back_end.post(path, key, body)?.ok()
    }

    fn make_event(&mut self, event: EventId, name: &str) -> Result<()> {
        let (from, until) = ((now_s() - 3600) * 1000, (now_s() + 6 * 3600) * 1000);
        let venue = json!({ "name": "Pier 4", "time_zone": "Europe/Berlin" });
        let venue = self.create("/api/v1/venues", &format!("venue-{event}"), &venue)?;
        let body = json!({
            "id": event.0, "venue_id": venue["id"], "name": name, "starts_at_ms": from, "ends_at_ms": until,
        });
        self.create("/api/v1/events", &format!("event-{event}"), &body)?;
        let base = format!("/api/v1/events/{event}");
        let entrance =
            self.create(&format!("{base}/entrances"), &format!("entrance-{event}"), &json!({ "name": "North" }))?;
        let mut lanes = Vec::new();
        for name in ["Lane 1", "Lane 2"] {
            let body = json!({ "entrance_id": entrance["id"], "name": name });
            let lane = self.create(&format!("{base}/lanes"), &format!("{name}-{event}").replace(' ', "-"), &body)?;
            lanes.push(u32::try_from(lane["id"].as_u64().context("a lane without id")?)?);
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
        if event == EVENT {
            self.lane_ids = [lanes[0], lanes[1]];
        }
        Ok(())
    }

    /// Issues one ticket for each class named.
    pub fn issue(&self, event: EventId, key: &str, classes: &[u16]) -> Result<Vec<Issued>> {
        let tickets: Vec<Value> = classes.iter().map(|class| json!({ "class": class })).collect();
        let path = format!("/api/v1/events/{event}/tickets:batch");
        let answer = self.create(&path, key, &json!({ "tickets": tickets }))?;
        answer["tickets"].as_array().context("no tickets in the answer")?.iter().map(Issued::read).collect()
    }
}
