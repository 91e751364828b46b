//! Hosts: computers that run libvirt. This one is named `local`; others are reached by SSH.

use std::{collections::BTreeSet, fs, net::Ipv4Addr};

use ipnet::Ipv4Net;
use serde::Serialize;

use crate::{
    Engine, Resource,
    acceleration::{self, Accelerated},
    libvirt::{self, Connection, HostFacts, Target},
    ssh::{
        Target as SshTarget,
        ask::Asker,
        link::{self, Forward, Link, Remote, Trust},
    },
    store::{self, HostRow},
};

/// The name of this computer as a host.
pub const LOCAL: &str = "local";

/// Why something about a host could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// libvirt.
    #[error(transparent)]
    Libvirt(#[from] libvirt::Error),
    /// The way there.
    #[error(transparent)]
    Link(#[from] link::Error),
    /// No host of that name.
    #[error("there is no host `{0}`; `vlm host list` shows those there are")]
    Unknown(String),
    /// There is one of that name.
    #[error("there is a host `{0}` already; remove it first, or choose another name")]
    Taken(String),
    /// A name that no host can have.
    #[error("`{0}` is no name for a host: use lower-case letters, digits and hyphens, at most 63")]
    Name(String),
    /// This computer is always there.
    #[error("`local` is this computer, and stays")]
    IsLocal,
    /// A lab is on it, or is to be.
    #[error("lab `{lab}` names host `{host}`; forget the lab or take the host out of it first")]
    InUse {
        /// The host.
        host: String,
        /// The lab.
        lab: String,
    },
}

/// A host as lists show it.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct HostStatus {
    /// Its name.
    pub name: String,
    /// libvirt's version.
    pub libvirt: String,
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

impl HostStatus {
    fn of(name: &str, libvirt: String, facts: &HostFacts, accelerated: Accelerated) -> HostStatus {
        HostStatus {
            name: name.to_owned(),
            libvirt,
            cpus: facts.cpus,
            memory_mib: facts.memory_mib as u32,
            free_memory_mib: facts.free_memory_mib as u32,
            kvm: accelerated.kvm,
            why: accelerated.why,
        }
    }
}

/// A host that is reached by SSH, and its libvirt through that.
struct Connected {
    connection: Connection,
    _forward: Forward,
    _link: Link,
}

impl Connected {
    /// Connects; also returns the host's key.
    async fn open(remote: &Remote, trust: Trust<'_>, asker: &Asker) -> Result<(Connected, String), Error> {
        let (link, host_key) = Link::open(remote, trust, asker).await?;
        let forward = link.forward_libvirt().await?;
        let connection = Connection::open(&Target::Socket(forward.path().to_owned())).await?;
        Ok((Connected { connection, _forward: forward, _link: link }, host_key))
    }

    async fn status(&self, name: &str) -> Result<HostStatus, Error> {
        let facts = self.connection.facts().await?;
        let why = if facts.kvm_listed { "libvirt there lists KVM; it was not measured" } else { "libvirt there lists no KVM" };
        let accelerated = Accelerated { kvm: facts.kvm_listed, why: why.into() };
        Ok(HostStatus::of(name, self.connection.version().await?, &facts, accelerated))
    }
}

/// What can be asked of hosts.
pub struct Hosts<'a> {
    pub(crate) engine: &'a Engine,
}

impl Hosts<'_> {
    /// Names of all hosts.
    pub fn names(&self) -> Result<BTreeSet<String>, store::Error> {
        Ok(self.list()?.into_iter().map(|host| host.name).collect())
    }

    /// All hosts, by name.
    pub fn list(&self) -> Result<Vec<HostRow>, store::Error> {
        self.engine.store().hosts()
    }

    /// Adds a host that is reached by SSH: connects, looks at its libvirt, and pins the key that it has shown and that `trust`, the
    /// user's known_hosts or a person accepts.
    pub async fn add(&self, name: &str, target: &SshTarget, trust: Trust<'_>) -> Result<(Remote, HostStatus), Error> {
        let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || name.len() > 63 || !name.chars().all(valid) || name.starts_with('-') || name.ends_with('-') {
            return Err(Error::Name(name.to_owned()));
        }
        if self.names()?.contains(name) {
            return Err(Error::Taken(name.to_owned()));
        }
        let remote = target.remote()?;
        let (connected, host_key) = Connected::open(&remote, trust, self.engine.asker()).await?;
        let status = connected.status(name).await?;
        let remote = Remote { host_key: Some(host_key), ..remote };
        if !self.engine.store().add_host(name, &remote)? {
            return Err(Error::Taken(name.to_owned()));
        }
        self.engine.stale(Resource::Hosts);
        Ok((remote, status))
    }

    /// Forgets a host that no lab names.
    pub fn remove(&self, name: &str) -> Result<(), Error> {
        if name == LOCAL {
            return Err(Error::IsLocal);
        }
        if !self.names()?.contains(name) {
            return Err(Error::Unknown(name.to_owned()));
        }
        if let Some(lab) = self.engine.store().labs()?.into_iter().find(|lab| lab.hosts.split(',').any(|host| host == name)) {
            return Err(Error::InUse { host: name.to_owned(), lab: lab.name });
        }
        self.engine.store().remove_host(name)?;
        self.engine.stale(Resource::Hosts);
        Ok(())
    }

    /// Connects to a host and looks at it.
    pub async fn check(&self, name: &str) -> Result<HostStatus, Error> {
        let host = self.list()?.into_iter().find(|host| host.name == name).ok_or_else(|| Error::Unknown(name.to_owned()))?;
        if let Some(remote) = &host.remote {
            return Connected::open(remote, Trust::Known, self.engine.asker()).await?.0.status(name).await;
        }
        let facts = self.facts(name).await?;
        let accelerated = self.accelerated(&facts).await;
        let libvirt = self.engine.connection(name).await?.version().await?;
        Ok(HostStatus::of(name, libvirt, &facts, accelerated))
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
