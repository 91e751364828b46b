//! MAC and IPv4 addresses of every interface, derived from names: the same lab always gets the same addresses, and adding
//! a machine does not move the others.
//!
//! A derived address is a hash of (lab, machine, interface) that picks a place in the range, and the next free one when two
//! meet. Counting up instead would look tidier and would move every later machine when one is inserted.

use std::{
    collections::{HashMap, HashSet},
    net::Ipv4Addr,
};

use ipnet::Ipv4Net;
use sha2::{Digest, Sha256};

use crate::model::{Lab, Mac, Machine, NetworkMode};

/// Gives every interface without a fixed address its derived one.
///
/// Fixed addresses are taken first. An interface on an unknown network, on one without a CIDR, or on a full one keeps `None`.
pub(crate) fn assign(lab: &Lab, machines: &mut [Machine]) {
    let mut macs: HashSet<Mac> = machines.iter().flat_map(|m| &m.nics).map(|nic| nic.mac).collect();
    let mut taken: HashMap<String, HashSet<u32>> = HashMap::new();
    for nic in machines.iter().flat_map(|machine| &machine.nics) {
        if let Some(address) = nic.address {
            taken.entry(nic.network.clone()).or_default().insert(address.into());
        }
    }
    for machine in machines {
        for (index, nic) in machine.nics.iter_mut().enumerate() {
            let hash = hash(&[&lab.name, &machine.name, &nic.network, &index.to_string()]);
            if nic.mac == Mac([0; 6]) {
                nic.mac = free_mac(hash, &mut macs);
            }
            let cidr = lab.networks.get(&nic.network).filter(|network| network.mode != NetworkMode::Bridge);
            if let (None, Some(cidr)) = (nic.address, cidr.and_then(|network| network.cidr)) {
                nic.address = free_address(hash, cidr, taken.entry(nic.network.clone()).or_default());
            }
        }
    }
}

/// The host's own address on a network: the first of the subnet, as libvirt's dnsmasq takes it.
pub fn gateway(cidr: Ipv4Net) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(cidr.network()).saturating_add(1))
}

/// A bridge device name for a network, within Linux' 15 characters, from the lab's and the network's name.
pub fn bridge_name(lab: &str, network: &str) -> String {
    format!("vlm{:08x}", hash(&[lab, network]) as u32)
}

/// First and last address that a machine may get: the first few stay free for what people fix by hand.
fn range(cidr: Ipv4Net) -> Option<(u32, u32)> {
    let (first, last) = (u32::from(cidr.network()), u32::from(cidr.broadcast()));
    let skip = if last - first >= 31 { 10 } else { 2 };
    (first.checked_add(skip)? < last).then(|| (first + skip, last - 1))
}

fn free_address(hash: u64, cidr: Ipv4Net, taken: &mut HashSet<u32>) -> Option<Ipv4Addr> {
    let (first, last) = range(cidr)?;
    let span = u64::from(last - first) + 1;
    (0..span)
        .map(|step| first + ((hash % span + step) % span) as u32)
        .find(|address| taken.insert(*address))
        .map(Ipv4Addr::from)
}

/// 52:54:00 is QEMU's own prefix, which tools and people know as "a virtual machine".
fn free_mac(hash: u64, taken: &mut HashSet<Mac>) -> Mac {
    let mut low = (hash >> 32) as u32;
    loop {
        let [_, a, b, c] = low.to_be_bytes();
        let mac = Mac([0x52, 0x54, 0x00, a, b, c]);
        if taken.insert(mac) {
            return mac;
        }
        low = low.wrapping_add(1);
    }
}

fn hash(parts: &[&str]) -> u64 {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    u64::from_be_bytes(hasher.finalize()[..8].try_into().expect("a SHA-256 has 32 bytes"))
}
