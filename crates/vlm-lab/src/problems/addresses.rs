//! Interfaces: networks that exist, and addresses that can be had and are had once.

use std::{
    collections::{HashMap, HashSet},
    net::Ipv4Addr,
};

use super::{
    Report,
    mismatch::{all_of, nearest},
    names::is_several,
    path::{Path, at},
};
use crate::{
    address::gateway,
    model::{Mac, Machine, NetworkMode, NicSpec},
};

pub(super) fn networks_are_known(report: &mut Report) {
    for (path, machine, _, nic) in report.nics() {
        let name = nic.network();
        if report.lab.networks.contains_key(name) {
            continue;
        }
        let known = || report.lab.networks.keys().map(String::as_str);
        let message = match nearest(name, known()) {
            Some(near) => {
                format!("machine `{machine}` is on the network `{name}`, which the lab does not have, did you mean `{near}`?")
            }
            None if report.lab.networks.is_empty() => {
                format!(
                    "machine `{machine}` is on the network `{name}`, and the lab has none; add it under `networks`, such as `{name}: {{ cidr: 10.77.1.0/24 }}`"
                )
            }
            None => format!(
                "machine `{machine}` is on the network `{name}`, which the lab does not have; its networks are {}",
                all_of(known())
            ),
        };
        report.error(network_path(path, nic), message);
    }
}

pub(super) fn fixed_addresses_are_on_the_network(report: &mut Report) {
    for (path, machine, spec, nic) in report.nics() {
        let (Some(fixed), Some(network)) = (nic.address(), report.lab.networks.get(nic.network())) else { continue };
        let (path, name) = (path.then("address"), nic.network());
        let Some(cidr) = network.cidr else {
            if network.mode == NetworkMode::Bridge {
                let message = format!(
                    "address {} of machine `{machine}` has no prefix length, as network `{name}` has no `cidr`; add it, with the subnet of the bridge",
                    fixed.address
                );
                report.error(path, message);
            }
            continue;
        };
        let last_replica = spec.replicas.unwrap_or(1).clamp(1, 1000) - 1;
        let (first, last) = (fixed.address, fixed.of_replica(last_replica));
        let reserved = |address: Ipv4Addr| {
            if address == cidr.network() {
                Some("the network's own address")
            } else if address == cidr.broadcast() {
                Some("the broadcast address")
            } else if address == gateway(cidr) && network.mode != NetworkMode::Bridge {
                Some("the host's own address")
            } else {
                None
            }
        };
        let usable = || {
            format!(
                "write one from {} to {}",
                Ipv4Addr::from(u32::from(cidr.network()).saturating_add(2)),
                Ipv4Addr::from(u32::from(cidr.broadcast()).saturating_sub(1))
            )
        };
        if !cidr.contains(&first) {
            let message =
                format!("address {first} of machine `{machine}` is outside network `{name}` ({}); {}", cidr.trunc(), usable());
            report.error(path, message);
        } else if let Some(role) = reserved(first) {
            let message = format!("address {first} of machine `{machine}` is {role} on network `{name}`; {}", usable());
            report.error(path, message);
        } else if !cidr.contains(&last) || last == cidr.broadcast() {
            let message = format!(
                "address {first}+ of machine `{machine}` counts up to {last} over {} replicas, past the end of network `{name}` ({}); start lower, or widen the network",
                last_replica + 1,
                cidr.trunc()
            );
            report.error(path, message);
        }
    }
}

pub(super) fn fixed_addresses_of_replicas_count_up(report: &mut Report) {
    for (path, machine, spec, nic) in report.nics() {
        let Some(fixed) = nic.address().filter(|fixed| !fixed.counts_up && is_several(spec)) else { continue };
        let message = format!(
            "address {fixed} would be that of all {} replicas of machine `{machine}`; write `{fixed}+` to count up from it",
            spec.replicas.unwrap_or(1)
        );
        report.error(path.then("address"), message);
    }
}

pub(super) fn addresses_are_used_once(report: &mut Report) {
    let machines = std::mem::take(&mut report.machines);
    let mut owners: HashMap<(&str, Ipv4Addr), &Machine> = HashMap::new();
    let mut told = HashSet::new();
    for machine in &machines {
        let nics = report.lab.machines.get(&machine.spec).and_then(|spec| spec.nics.as_deref()).unwrap_or_default();
        for (index, (nic, spec)) in machine.nics.iter().zip(nics).enumerate() {
            let (Some(address), Some(fixed)) = (nic.address, spec.address()) else { continue };
            let Some(owner) = owners.insert((&nic.network, address), machine) else { continue };
            // Replicas that share one are told so by their own rule; a range that meets another is told once.
            let is_told = owner.spec == machine.spec && owner.name != machine.name && !fixed.counts_up;
            if is_told || !told.insert((&machine.spec, index)) {
                continue;
            }
            let message = match owner.name == machine.name {
                true => format!(
                    "machine `{}` has the address {address} twice on network `{}`; give each interface its own",
                    owner.name, nic.network
                ),
                false => format!(
                    "address {address} of machine `{}` is that of machine `{}` too; give each its own",
                    machine.name, owner.name
                ),
            };
            report.error(at!["machines", &machine.spec, "nics", index, "address"], message);
        }
    }
    report.machines = machines;
}

pub(super) fn macs_are_of_one_machine(report: &mut Report) {
    let mut owners: HashMap<Mac, &String> = HashMap::new();
    for (path, machine, spec, nic) in report.nics() {
        let Some(mac) = nic.mac() else { continue };
        let path = path.then("mac");
        if mac.0[0] & 1 == 1 {
            let [first, rest @ ..] = mac.0;
            let mut single = [if first == 0xff { 0x52 } else { first & !1 }, 0, 0, 0, 0, 0];
            single[1..].copy_from_slice(&rest);
            let message = match mac.0 == [0xff; 6] {
                true => format!(
                    "MAC address {mac} of machine `{machine}` is the broadcast address; write one such as `52:54:00:12:34:56`"
                ),
                false => format!(
                    "MAC address {mac} of machine `{machine}` is one of a group; the first byte of a single interface is even, such as `{}`",
                    Mac(single)
                ),
            };
            report.error(path, message);
        } else if mac.0[0] == 0xfe {
            let message = format!(
                "MAC address {mac} of machine `{machine}` starts with `fe`, which libvirt keeps for the host's end; write one such as `52:54:00:12:34:56`"
            );
            report.error(path, message);
        } else if mac.0 == [0; 6] {
            report.error(
                path,
                format!(
                    "MAC address {mac} of machine `{machine}` is none; write one such as `52:54:00:12:34:56`, or leave it out"
                ),
            );
        } else if is_several(spec) {
            let message = format!(
                "MAC address {mac} would be that of all {} replicas of machine `{machine}`; leave it out, and each gets its own",
                spec.replicas.unwrap_or(1)
            );
            report.error(path, message);
        } else if let Some(owner) = owners.get(&mac) {
            let message = match *owner == machine {
                true => format!("machine `{machine}` has the MAC address {mac} twice; give each interface its own"),
                false => {
                    format!("MAC address {mac} of machine `{machine}` is that of machine `{owner}` too; give each its own")
                }
            };
            report.error(path, message);
        }
        owners.entry(mac).or_insert(machine);
    }
}

fn network_path(path: Path, nic: &NicSpec) -> Path {
    match nic {
        NicSpec::Network(_) => path,
        NicSpec::Full(_) => path.then("network"),
    }
}
