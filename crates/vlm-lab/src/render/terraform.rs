//! The Terraform directory of a lab on one host: `main.tf`, the same for every lab, and `terraform.tfvars.json`.
//!
//! Everything that makes a lab differ is data in the variables file: Terraform evaluates templates in any string of a
//! configuration, also in JSON syntax, but takes the values of a variables file as they are.

use std::path::Path;

use indexmap::IndexMap;
use ipnet::Ipv4Net;
use serde::Serialize;

use super::{Context, DomainType, Files, UefiFirmware, cloud_init};
use crate::{
    address,
    model::{Firmware, Lab, Machine, Network, NetworkMode},
};

/// The texts of the Terraform directory for the machines that are placed on `context.host`.
///
/// Beside them, each of those machines needs the image of its [`cloud_init::Seed`] there.
pub fn terraform(lab: &Lab, machines: &[Machine], context: &Context) -> Files {
    let variables = Variables {
        libvirt_uri: &context.libvirt_uri,
        pool: &context.pool,
        domain_type: match context.domain_type {
            DomainType::Kvm => "kvm",
            DomainType::Qemu => "qemu",
        },
        networks: lab
            .networks
            .iter()
            .filter(|(key, network)| network.mode != NetworkMode::Bridge && is_here(machines, key, &context.host))
            .map(|(key, network)| (key.as_str(), network_value(lab, key, network)))
            .collect(),
        machines: machines
            .iter()
            .filter(|machine| machine.host == context.host)
            .map(|machine| (machine.name.as_str(), machine_value(lab, machine, context)))
            .collect(),
    };
    let mut text = serde_json::to_string_pretty(&variables).expect("text, numbers and maps with text keys are JSON");
    text.push('\n');
    Files::from([("main.tf".into(), include_str!("main.tf").into()), ("terraform.tfvars.json".into(), text)])
}

/// Whether a network belongs on `host`: where its machines are; without any, where the lab's first machine is.
fn is_here(machines: &[Machine], network: &str, host: &str) -> bool {
    let on_it = |machine: &&Machine| machine.nics.iter().any(|nic| nic.network == network);
    machines.iter().find(on_it).or(machines.first()).is_none_or(|machine| machine.host == host)
}

/// Whether libvirt really hands out addresses on `network`: without a subnet it has none.
pub(super) fn serves_dhcp(network: &Network) -> bool {
    network.has_dhcp() && network.cidr.is_some()
}

// The variables of main.tf, in the order in which a reader wants them.

#[derive(Serialize)]
struct Variables<'a> {
    libvirt_uri: &'a str,
    pool: &'a str,
    domain_type: &'static str,
    networks: IndexMap<&'a str, NetworkValue>,
    machines: IndexMap<&'a str, MachineValue<'a>>,
}

#[derive(Serialize)]
struct NetworkValue {
    name: String,
    bridge: String,
    mode: &'static str,
    addresses: Vec<String>,
    domain: Option<String>,
    dhcp: bool,
    dns: bool,
}

#[derive(Serialize)]
struct MachineValue<'a> {
    name: String,
    description: Option<&'a str>,
    vcpus: u32,
    memory_mib: u64,
    base_volume: &'a str,
    system_disk_bytes: u64,
    disks: Vec<DiskValue<'a>>,
    seed: String,
    firmware: Option<FirmwareValue<'a>>,
    nics: Vec<NicValue<'a>>,
}

#[derive(Serialize)]
struct DiskValue<'a> {
    name: &'a str,
    size_bytes: u64,
}

#[derive(Serialize)]
struct FirmwareValue<'a> {
    code: &'a Path,
    nvram_template: &'a Path,
}

#[derive(Serialize)]
struct NicValue<'a> {
    network: Option<&'a str>,
    bridge: Option<&'a str>,
    mac: String,
    address: Option<String>,
    hostname: Option<&'a str>,
}

fn network_value(lab: &Lab, key: &str, network: &Network) -> NetworkValue {
    NetworkValue {
        name: format!("{}.{key}", lab.name),
        bridge: address::bridge_name(&lab.name, key),
        mode: match network.mode {
            NetworkMode::Nat => "nat",
            NetworkMode::Routed => "route",
            NetworkMode::Isolated | NetworkMode::Bridge => "none",
        },
        addresses: network.cidr.iter().map(Ipv4Net::to_string).collect(),
        domain: network.cidr.map(|_| lab.domain_of(network)),
        dhcp: serves_dhcp(network),
        // Guests with fixed addresses resolve names through the host too, and taking DNS away needs xsltproc.
        dns: true,
    }
}

fn machine_value<'a>(lab: &'a Lab, machine: &'a Machine, context: &'a Context) -> MachineValue<'a> {
    let firmware = match machine.firmware {
        Firmware::Bios => None,
        Firmware::Uefi => context.uefi.as_ref(),
    };
    MachineValue {
        name: format!("{}.{}", lab.name, machine.name),
        description: machine.description.as_deref(),
        vcpus: machine.vcpus,
        memory_mib: machine.memory.as_mib(),
        base_volume: context.base_volumes.get(&machine.image).map_or("", String::as_str),
        system_disk_bytes: machine.disk.as_bytes(),
        disks: machine.disks.iter().map(|(name, size)| DiskValue { name, size_bytes: size.as_bytes() }).collect(),
        seed: cloud_init::seed(lab, machine, context).path,
        firmware: firmware.map(|UefiFirmware { code, nvram_template }| FirmwareValue { code, nvram_template }),
        nics: nic_values(lab, machine),
    }
}

fn nic_values<'a>(lab: &'a Lab, machine: &'a Machine) -> Vec<NicValue<'a>> {
    let mut named: Vec<&str> = Vec::new();
    let mut values = Vec::with_capacity(machine.nics.len());
    for nic in &machine.nics {
        // An unknown network is a problem that is told elsewhere; a draft is rendered without that interface.
        let Some(network) = lab.networks.get(&nic.network) else { continue };
        let joins = network.mode == NetworkMode::Bridge;
        let reserved = nic.address.filter(|_| serves_dhcp(network));
        // libvirt refuses a second reservation of the same name in one network.
        let hostname = reserved.filter(|_| !named.contains(&nic.network.as_str())).map(|_| machine.name.as_str());
        named.extend(hostname.map(|_| nic.network.as_str()));
        values.push(NicValue {
            network: (!joins).then_some(nic.network.as_str()),
            bridge: network.bridge.as_deref().filter(|_| joins),
            mac: nic.mac.to_string(),
            address: reserved.map(|address| address.to_string()),
            hostname,
        });
    }
    values
}
