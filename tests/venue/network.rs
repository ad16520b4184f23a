//! The network: the cloud's namespace, the edge's, one for each lane, and the links between them.
//!
//! Cloud 10.77.0.1 - 10.77.0.2 edge 10.78.0.1 - 10.78.0.(10 + n) lanes. The edge's machine is the venue's router as well.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};

/// The names of the namespaces; those that this process made are removed with it.
pub struct Network {
    name: String,
    made: Vec<String>,
}

fn ip(arguments: &[&str]) -> Result<()> {
    let output = Command::new("ip").args(arguments).stdin(Stdio::null()).output()?;
    ensure!(
        output.status.success(),
        "`ip {}` failed: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

impl Network {
    pub fn of(name: String) -> Self {
        Network { name, made: Vec::new() }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn cloud(&self) -> String {
        format!("{}-cloud", self.name)
    }

    pub fn edge(&self) -> String {
        format!("{}-edge", self.name)
    }

    pub fn lane(&self, at: usize) -> String {
        format!("{}-lane{at}", self.name)
    }

    pub fn cloud_ip() -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(10, 77, 0, 1))
    }

    pub fn edge_address() -> SocketAddr {
        SocketAddr::from(([10, 78, 0, 1], 8443))
    }

    /// Makes all of it.
    pub fn make(lanes: usize) -> Result<Self> {
        let mut network = Self::of(format!("ts{}", std::process::id()));
        let (cloud, edge) = (network.cloud(), network.edge());
        let names = [cloud.clone(), edge.clone()].into_iter().chain((0..lanes).map(|at| network.lane(at)));
        for namespace in names.collect::<Vec<_>>() {
            ip(&["netns", "add", &namespace])?;
            network.made.push(namespace.clone());
            ip(&["-n", &namespace, "link", "set", "lo", "up"])?;
        }
        ip(&["-n", &edge, "link", "add", "internet", "type", "veth", "peer", "name", "venue", "netns", &cloud])?;
        ip(&["-n", &cloud, "address", "add", "10.77.0.1/24", "dev", "venue"])?;
        ip(&["-n", &edge, "address", "add", "10.77.0.2/24", "dev", "internet"])?;
        ip(&["-n", &edge, "link", "set", "internet", "up"])?;
        network.internet(true)?;
        ip(&["-n", &edge, "link", "add", "lanes", "type", "bridge"])?;
        ip(&["-n", &edge, "address", "add", "10.78.0.1/24", "dev", "lanes"])?;
        ip(&["-n", &edge, "link", "set", "lanes", "up"])?;
        let forward = "echo 1 > /proc/sys/net/ipv4/ip_forward";
        ip(&["netns", "exec", &edge, "sh", "-c", forward])?;
        for at in 0..lanes {
            let (lane, port) = (network.lane(at), format!("port{at}"));
            ip(&["-n", &edge, "link", "add", &port, "type", "veth", "peer", "name", "lan", "netns", &lane])?;
            ip(&["-n", &edge, "link", "set", &port, "master", "lanes"])?;
            ip(&["-n", &edge, "link", "set", &port, "up"])?;
            ip(&["-n", &lane, "address", "add", &format!("10.78.0.{}/24", 10 + at), "dev", "lan"])?;
            ip(&["-n", &lane, "link", "set", "lan", "up"])?;
            ip(&["-n", &lane, "route", "add", "default", "via", "10.78.0.1"])?;
        }
        Ok(network)
    }

    /// Cuts the venue off from the cloud, without a word to either side; or mends that.
    pub fn internet(&self, is_up: bool) -> Result<()> {
        let cloud = self.cloud();
        ip(&["-n", &cloud, "link", "set", "venue", if is_up { "up" } else { "down" }])?;
        if is_up {
            // The route went with the link.
            ip(&["-n", &cloud, "route", "replace", "10.78.0.0/24", "via", "10.77.0.2"])?;
        }
        Ok(())
    }

    /// Cuts one lane off from everything, or mends that.
    pub fn lane_link(&self, at: usize, is_up: bool) -> Result<()> {
        ip(&["-n", &self.edge(), "link", "set", &format!("port{at}"), if is_up { "up" } else { "down" }])
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for namespace in &self.made {
            // What a killed test left running in a namespace of ours.
            if let Ok(output) = Command::new("ip").args(["netns", "pids", namespace]).output() {
                for pid in String::from_utf8_lossy(&output.stdout).split_whitespace() {
                    let _ = Command::new("kill").args(["-9", pid]).status();
                }
            }
            let _ = ip(&["netns", "del", namespace]);
        }
    }
}
