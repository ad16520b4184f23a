//! The supervisor: through the page in Chromium where it can run, through the page's own API calls elsewhere.

use std::io::{BufRead as _, BufReader};
use std::path::Path;

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gate_core::wire::v1::EnrolmentCode;
use serde_json::{Value, json};

use crate::api::Client;
use crate::browser::{self, OfficePage};
use crate::server::{PASSWORD, SUPERVISOR, Server};

/// A logged-in supervisor of one event.
pub struct Office {
    pub api: Client,
    event: u32,
    page: Option<OfficePage>,
    calls: u32,
}

impl Office {
    pub fn log_in(server: &Server, event: u32) -> Result<Self> {
        let mut api = server.client()?;
        api.log_in(SUPERVISOR, PASSWORD)?;
        Ok(Self::of(api, event))
    }

    /// With a client that is logged in.
    pub fn of(api: Client, event: u32) -> Self {
        Office { api, event, page: None, calls: 0 }
    }

    /// An enrolment code for a venue's edge, as text.
    pub fn edge_enrolment(&mut self) -> Result<String> {
        self.enrolment_of(&json!({}))
    }

    /// An enrolment code for a lane that talks to the event's edge; waits until the edge has said where it is.
    pub fn enrolment_at_edge(&mut self, lane: u32) -> Result<String> {
        let edge = self.device(|device| device["kind"] == "edge" && device["state"] == "confirmed")?;
        self.enrolment_of(&json!({ "lane_id": lane, "edge_id": edge["id"] }))
    }

    fn enrolment_of(&mut self, body: &Value) -> Result<String> {
        self.calls += 1;
        let path = format!("/api/v1/events/{}/enrolments", self.event);
        let answer = self.api.post(&path, &format!("enrol-{}", self.calls), body)?.ok()?;
        Ok(answer["qr_text"].as_str().context("no qr_text in the answer")?.to_owned())
    }

    /// Opens the supervisor's page in Chromium; from then on enrolment goes through it.
    pub fn open_page(&mut self, spki: &str) -> Result<()> {
        let page = OfficePage::log_in(self.api.base(), spki, SUPERVISOR, PASSWORD, self.event)?;
        self.page = Some(page);
        Ok(())
    }

    pub fn has_page(&self) -> bool {
        self.page.is_some()
    }

    /// An enrolment code for a lane, as text. With a page it is read from the QR code's pixels.
    pub fn enrolment(&mut self, lane: u32, lane_name: &str, picture: &Path) -> Result<String> {
        if let Some(page) = &mut self.page {
            page.ask(&json!({ "do": "enrol", "lane": lane_name, "png": picture }))?;
            return browser::read_qr(picture);
        }
        self.enrolment_of(&json!({ "lane_id": lane }))
    }

    /// Confirms the device that shows this fingerprint.
    pub fn confirm(&mut self, fingerprint: &str) -> Result<()> {
        if let Some(page) = &mut self.page {
            page.ask(&json!({ "do": "confirm", "fingerprint": fingerprint }))?;
            return Ok(());
        }
        let device = self.device(|device| device["fingerprint"] == fingerprint)?;
        let id = device["id"].as_str().context("a device without id")?;
        let body = json!({ "fingerprint": fingerprint });
        self.api.post(&format!("/api/v1/devices/{id}/confirm"), &format!("confirm-{id}"), &body)?.ok()?;
        Ok(())
    }

    pub fn device(&self, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        let answer = self.api.get(&format!("/api/v1/events/{}/devices", self.event))?.ok()?;
        let devices = answer["devices"].as_array().context("no devices in the answer")?;
        devices.iter().find(|device| wanted(device)).cloned().with_context(|| format!("no such device in {answer}"))
    }

    pub fn conflicts(&self) -> Result<Vec<Value>> {
        let answer = self.api.get(&format!("/api/v1/events/{}/conflicts", self.event))?.ok()?;
        Ok(answer["conflicts"].as_array().context("no conflicts in the answer")?.clone())
    }

    /// The first snapshot of the live stream: what the page draws.
    pub fn snapshot(&self) -> Result<Value> {
        let answer = self.api.send("GET", &format!("/api/v1/events/{}/live", self.event), None, None)?;
        for line in BufReader::new(answer).lines() {
            if let Some(data) = line?.strip_prefix("data:") {
                return Ok(serde_json::from_str(data.trim())?);
            }
        }
        anyhow::bail!("the live stream ended before its first snapshot")
    }

    /// Waits until the page shows a conflict about this ticket, and saves a picture of it.
    pub fn see_conflict(&mut self, ticket: &str, picture: &Path) -> Result<Option<Value>> {
        let Some(page) = &mut self.page else { return Ok(None) };
        page.ask(&json!({ "do": "lanes", "png": picture, "conflict": ticket })).map(Some)
    }

    pub fn picture_of_devices(&mut self, picture: &Path) -> Result<()> {
        if let Some(page) = &mut self.page {
            page.ask(&json!({ "do": "devices", "png": picture }))?;
        }
        Ok(())
    }
}

/// The server's TLS key hash as Chromium wants it, from an enrolment code.
pub fn spki(enrolment: &str) -> Result<String> {
    Ok(STANDARD.encode(EnrolmentCode::parse(enrolment)?.tls_pin))
}
