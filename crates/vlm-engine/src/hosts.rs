//! Hosts: computers that run libvirt. For now there is one, this computer, named `local`.

use std::{collections::BTreeSet, fs, net::Ipv4Addr};

use ipnet::Ipv4Net;
use serde::Serialize;

use crate::{
    Engine,
    acceleration::{self, Accelerated},
    libvirt::{self, HostFacts},
    store,
};

/// The name of this computer as a host.
pub const LOCAL: &str = "local";

/// Why a host could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// libvirt.
    #[error(transparent)]
    Libvirt(#[from] libvirt::Error),
}

/// A host as lists show it.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct HostStatus {
    /// Its name.
    pub name: String,
    /// Logical processors.
    pub cpus: u32,
    /// Memory, in MiB.
    pub memory_mib: u32,
    /// Memory that new machines could take, in MiB.
    pub free_memory_mib: u32,
    /// Whether guests run on KVM.
    pub kvm: bool,
    /// How we know.
    pub why: String,
}

/// What can be asked of hosts.
pub struct Hosts<'a> {
    pub(crate) engine: &'a Engine,
}

impl Hosts<'_> {
    /// Names of all hosts.
    pub fn names(&self) -> Result<BTreeSet<String>, store::Error> {
        Ok(self.engine.store().hosts()?.into_iter().collect())
    }

    /// Connects to a host and looks at it.
    pub async fn check(&self, name: &str) -> Result<HostStatus, Error> {
        let facts = self.facts(name).await?;
        let accelerated = self.accelerated(&facts).await;
        Ok(HostStatus {
            name: name.to_owned(),
            cpus: facts.cpus,
            memory_mib: facts.memory_mib as u32,
            free_memory_mib: facts.free_memory_mib as u32,
            kvm: accelerated.kvm,
            why: accelerated.why,
        })
    }

    pub(crate) async fn facts(&self, name: &str) -> Result<HostFacts, libvirt::Error> {
        let mut facts = self.engine.connection(name).await?.facts().await?;
        // libvirt counts the page cache as used, and does not see memory that was added to a running computer; of this one the
        // kernel tells what there is and what can be had.
        if let (Some(total), Some(available)) = (memory_mib("MemTotal:"), memory_mib("MemAvailable:")) {
            (facts.memory_mib, facts.free_memory_mib) = (total, available);
        }
        Ok(facts)
    }

    async fn accelerated(&self, facts: &HostFacts) -> Accelerated {
        let scratch = self.engine.dirs().data.join("probe");
        let auto = vlm_lab::model::Acceleration::Auto;
        acceleration::decide(auto, facts, self.engine.store(), &scratch).await.expect("auto is always met")
    }
}

/// A line of /proc/meminfo, in MiB.
fn memory_mib(what: &str) -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(what))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib / 1024)
}

/// Subnets that this computer reaches, and through which device, out of `/proc/net/route` (the default route aside).
pub(crate) fn routes() -> Vec<(String, Ipv4Net)> {
    fs::read_to_string("/proc/net/route").map(|text| parse_routes(&text)).unwrap_or_default()
}

fn parse_routes(text: &str) -> Vec<(String, Ipv4Net)> {
    let number = |field: Option<&&str>| u32::from_str_radix(field?, 16).ok().map(u32::from_be);
    text.lines()
        .skip(1)
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            // Columns: Iface Destination Gateway Flags RefCnt Use Metric Mask …; addresses are little-endian hex.
            let (destination, mask) = (number(fields.get(1))?, number(fields.get(7))?);
            let subnet = Ipv4Net::with_netmask(Ipv4Addr::from(destination), Ipv4Addr::from(mask)).ok()?;
            (subnet.prefix_len() > 0).then(|| (fields[0].to_owned(), subnet.trunc()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_read_from_the_kernels_table() {
        let text = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
                    eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
                    virbr0\t007AA8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
        assert_eq!(parse_routes(text), [("virbr0".to_owned(), "192.168.122.0/24".parse().unwrap())]);
    }
}
