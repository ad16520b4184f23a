//! What goes wrong, in its order: one thing at a time and some together, with calm between.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use anyhow::Result;
use turnstone_tests::edge::Edge;
use turnstone_tests::site::Site;

use crate::Pace;
use crate::evening::lock;
use crate::lane::Handheld;
use crate::network::Network;
use crate::watch::Calm;

pub struct Stage<'a> {
    pub network: &'a Network,
    pub site: &'a Mutex<Site>,
    pub edge: &'a Mutex<Edge>,
    pub lanes: &'a [Mutex<Handheld>],
    pub calm: &'a Calm,
    pub pace: Pace,
    /// Told when the scans are over.
    pub ended: &'a Receiver<()>,
}

impl Stage<'_> {
    /// Waits; false when the scans are over.
    fn wait(&self, seconds: u64) -> bool {
        matches!(self.ended.recv_timeout(Duration::from_secs(seconds)), Err(RecvTimeoutError::Timeout))
    }

    fn disturbed(
        &self,
        what: &str,
        fault: impl FnOnce() -> Result<()>,
        mend: impl FnOnce() -> Result<()>,
    ) -> Result<bool> {
        println!("fault: {what}");
        self.calm.disturb();
        fault()?;
        let went_on = self.wait(self.pace.fault);
        mend()?;
        let went_on = went_on && self.wait(self.pace.settling);
        self.calm.disturb();
        Ok(went_on && self.wait(self.pace.calm))
    }

    /// Every fault once, or as many as there is time for; at the end all is mended.
    pub fn play(&self, round: u32) -> Result<bool> {
        let lane = round as usize % self.lanes.len();
        let other = (lane + 1) % self.lanes.len();
        Ok(self.wait(self.pace.calm)
            && self.disturbed(
                "the internet is cut",
                || self.network.internet(false),
                || self.network.internet(true),
            )?
            && self.disturbed(
                "a lane's link is cut",
                || self.network.lane_link(lane, false),
                || self.network.lane_link(lane, true),
            )?
            && self.disturbed("the edge is killed", || lock(self.edge).kill(), || lock(self.edge).start())?
            && self.disturbed(
                "a handheld is killed",
                || lock(&self.lanes[other]).kill(),
                || lock(&self.lanes[other]).start(),
            )?
            && self.disturbed(
                "the cloud is killed",
                || lock(self.site).server.kill(),
                || lock(self.site).server.start(),
            )?
            && self.disturbed(
                "the line to the cloud is slow and breaks off",
                || {
                    let site = lock(self.site);
                    site.relay.delay(Duration::from_millis(150));
                    site.relay.cut_uploads_after(60_000);
                    Ok(())
                },
                || {
                    let site = lock(self.site);
                    site.relay.delay(Duration::ZERO);
                    site.relay.restore();
                    Ok(())
                },
            )?
            && self.disturbed(
                "the internet is cut, and the edge is killed meanwhile",
                || {
                    self.network.internet(false)?;
                    lock(self.edge).kill()
                },
                || {
                    lock(self.edge).start()?;
                    self.network.internet(true)
                },
            )?)
    }
}
