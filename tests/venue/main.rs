//! A venue for real: cloud, edge and handhelds as processes, each in a network namespace of its own, while links are cut, a
//! line is slow and breaks off, and processes are killed. Afterwards the auditor compares every journal with the cloud's.
//!
//! Namespaces need root and `ip`; without them this says so and tests nothing. `SOAK=1` runs the long form: 10 handhelds and
//! 20,000 scans, or `VENUE_SCANS`. Scans come at ten times the rate of an opening hour's lane (one in 6 s).

mod evening;
mod faults;
mod lane;
mod network;
mod watch;

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::network::Network;

/// Set in the process that runs inside the cloud's namespace.
const INSIDE: &str = "TURNSTONE_VENUE";

/// How large a run is.
#[derive(Debug, Clone, Copy)]
struct Size {
    lanes: usize,
    scans: usize,
    /// How often the whole series of faults happens.
    rounds: u32,
    pace: Pace,
}

/// How long each fault lasts, how long links and streams are given to come back, and the calm after that, in which times are
/// taken; seconds.
#[derive(Debug, Clone, Copy)]
struct Pace {
    fault: u64,
    settling: u64,
    calm: u64,
}

fn size() -> Size {
    if std::env::var_os("SOAK").is_some_and(|set| set == "1") {
        let scans = std::env::var("VENUE_SCANS").ok().and_then(|scans| scans.parse().ok()).unwrap_or(20_000);
        Size { lanes: 10, scans, rounds: 8, pace: Pace { fault: 6, settling: 14, calm: 6 } }
    } else {
        Size { lanes: 4, scans: 500, rounds: 1, pace: Pace { fault: 2, settling: 6, calm: 2 } }
    }
}

#[test]
fn nothing_is_lost_or_doubled_at_a_venue_whose_links_and_processes_fail() -> Result<()> {
    if let Ok(name) = std::env::var(INSIDE) {
        return evening::run(&Network::of(name), size());
    }
    let network = match Network::make(size().lanes) {
        Ok(network) => network,
        Err(reason) => {
            eprintln!("NOT TESTED: the venue in network namespaces, which need root, iproute2 and bridges ({reason})");
            return Ok(());
        }
    };
    let own = std::env::current_exe()?;
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &network.cloud()]).arg(own);
    command.args(["--exact", "nothing_is_lost_or_doubled_at_a_venue_whose_links_and_processes_fail", "--nocapture"]);
    command.env(INSIDE, network.name()).stdin(Stdio::null());
    let status = command.status().context("the test could not be started in its namespace")?;
    ensure!(status.success(), "the venue's evening failed; see above");
    Ok(())
}
