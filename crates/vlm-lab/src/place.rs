//! Which host each machine goes to.
//!
//! A lab's own network is one host's: machines that share one stand together, wherever they stand. Only a bridge, which is
//! there before the lab, may join machines of several hosts.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Lab, Machine, NetworkMode};

/// The host of each machine, by the machine's name.
pub type Placement = BTreeMap<String, String>;

/// What a host has left for machines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Its name.
    pub host: String,
    /// Memory that new machines could take, in MiB.
    pub free_memory_mib: u64,
}

/// A network whose machines are bound to several hosts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "network `{network}` cannot span hosts yet: machine `{}` is on host `{}`, machine `{}` on host `{}`; put them on one \
     host, or join them by a bridge that both hosts have (`mode: bridge`)", first.0, first.1, second.0, second.1
)]
pub struct Spans {
    /// The network; it joins both, perhaps by way of others.
    pub network: String,
    /// A machine and its host.
    pub first: (String, String),
    /// One on another host.
    pub second: (String, String),
}

/// Places all machines of `lab`. Those that share networks go where the file says of any of them, else where any is `settled`,
/// else where most memory is left. Without an offer that is the host `local`.
///
/// Same input, same placement: groups go in the order of their size, then of the file.
pub fn place(lab: &Lab, settled: &Placement, offers: &[Offer]) -> Result<Placement, Spans> {
    let machines = lab.machines();
    let named = |machine: &Machine| lab.machines[&machine.spec].host.clone().or_else(|| lab.host.clone());
    let mut left: Vec<(&str, i128)> =
        offers.iter().map(|offer| (offer.host.as_str(), i128::from(offer.free_memory_mib))).collect();
    let mut placement = Placement::new();
    let mut open = Vec::new();
    for group in groups(lab, &machines) {
        let bound = |host: &dyn Fn(&Machine) -> Option<String>| -> Vec<(String, String)> {
            group.iter().filter_map(|machine| Some((machine.name.clone(), host(machine)?))).collect()
        };
        let mut named = bound(&named);
        if named.is_empty() {
            named = bound(&|machine| settled.get(&machine.name).cloned());
        }
        let mut bound = named.into_iter();
        let Some(first) = bound.next() else {
            open.push(group);
            continue;
        };
        if let Some(second) = bound.find(|other| other.1 != first.1) {
            let networks =
                own_networks(lab, group.iter().find(|machine| machine.name == second.0).expect("it is of the group"));
            let network = networks.into_iter().next().expect("it is of the group by a network").to_owned();
            return Err(Spans { network, first, second });
        }
        take(&mut left, &first.1, &group);
        placement.extend(group.iter().map(|machine| (machine.name.clone(), first.1.clone())));
    }
    open.sort_by_key(|group| std::cmp::Reverse(memory_mib(group)));
    for group in open {
        // The first of those with most left, in the order of the offers.
        let host = left.iter().rev().max_by_key(|(_, memory)| *memory).map_or("local", |(host, _)| *host).to_owned();
        take(&mut left, &host, &group);
        placement.extend(group.iter().map(|machine| (machine.name.clone(), host.clone())));
    }
    Ok(placement)
}

fn take(left: &mut [(&str, i128)], host: &str, group: &[&Machine]) {
    for (_, memory) in left.iter_mut().filter(|(name, _)| *name == host) {
        *memory -= i128::from(memory_mib(group));
    }
}

fn memory_mib(group: &[&Machine]) -> u64 {
    group.iter().map(|machine| machine.memory.as_mib()).sum()
}

/// Networks of a machine that the lab makes itself.
fn own_networks<'a>(lab: &'a Lab, machine: &'a Machine) -> BTreeSet<&'a str> {
    let own = |network: &&str| lab.networks.get(*network).is_some_and(|network| network.mode != NetworkMode::Bridge);
    machine.nics.iter().map(|nic| nic.network.as_str()).filter(own).collect()
}

/// Machines that are joined by networks of the lab's own, in the order of the file.
fn groups<'a>(lab: &'a Lab, machines: &'a [Machine]) -> Vec<Vec<&'a Machine>> {
    let mut groups: Vec<(BTreeSet<&str>, Vec<&Machine>)> = Vec::new();
    for machine in machines {
        let mut networks = own_networks(lab, machine);
        let (joined, apart): (Vec<_>, Vec<_>) = groups.into_iter().partition(|(theirs, _)| !theirs.is_disjoint(&networks));
        groups = apart;
        let mut members: Vec<&Machine> = Vec::new();
        for (theirs, group) in joined {
            networks.extend(theirs);
            members.extend(group);
        }
        members.push(machine);
        groups.push((networks, members));
    }
    groups.into_iter().map(|(_, group)| group).collect()
}
