//! What cloud-init reads in a machine: user-data, meta-data and network-config, on the CD image of a NoCloud seed.
//!
//! A guest runs its seed once. The instance id therefore depends on names alone: a changed cloud-config is not run again by a
//! machine that exists, only by a new one.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{
    Context,
    ansible::is_plain_name,
    iso,
    terraform::serves_dhcp,
    yaml::{self, Yaml},
};
use crate::{
    address,
    model::{Lab, Machine, Network, NetworkMode, Nic},
};

/// What one machine's cloud-init reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seed {
    /// Where its image lies in the Terraform directory; another content is another path.
    pub path: String,
    /// See [`user_data`].
    pub user_data: String,
    /// See [`meta_data`].
    pub meta_data: String,
    /// See [`network_config`].
    pub network_config: String,
}

impl Seed {
    /// The CD image, which holds the guest's private host key: whoever writes it lets only its owner read it.
    pub fn image(&self) -> Vec<u8> {
        // In the order of their names, as a folder of a CD has them.
        let files =
            [("meta-data", &*self.meta_data), ("network-config", &*self.network_config), ("user-data", &*self.user_data)];
        iso::image("cidata", &files)
    }
}

/// The seed of `machine`.
pub fn seed(lab: &Lab, machine: &Machine, context: &Context) -> Seed {
    let (user_data, meta_data) = (user_data(lab, machine, context), meta_data(lab, machine));
    let network_config = network_config(lab, machine);
    let mut hasher = Sha256::new();
    for text in [&user_data, &meta_data, &network_config] {
        hasher.update((text.len() as u64).to_be_bytes());
        hasher.update(text);
    }
    let digest = u64::from_be_bytes(hasher.finalize()[..8].try_into().expect("a SHA-256 has 32 bytes"));
    // A name with a slash is a problem, told elsewhere; it must not lead a draft's file astray.
    let name = if is_plain_name(&machine.name) { format!("{}.", machine.name) } else { String::new() };
    Seed { path: format!("seeds/{name}{digest:016x}.iso"), user_data, meta_data, network_config }
}

/// The cloud-config of `machine`: an account for us and the author, our SSH host key, packages; the author's own merged over it.
///
/// It holds the guest's private host key.
pub fn user_data(lab: &Lab, machine: &Machine, context: &Context) -> String {
    let mut config = ours(lab, machine, context);
    merge(&mut config, &machine.cloud_config);
    join_our_account(&mut config, &machine.user);
    let lists_packages = config.get("packages").and_then(Value::as_array).is_some_and(|packages| !packages.is_empty());
    if lists_packages && !config.contains_key("package_update") {
        config.insert("package_update".into(), true.into());
    }
    // Exactly this first line: with `## template: jinja` there, cloud-init would evaluate the text.
    format!("#cloud-config\n{}", yaml::document(Yaml(&Value::Object(config))))
}

/// The meta-data of `machine`: its identity, the same for as long as its disk lives.
pub fn meta_data(lab: &Lab, machine: &Machine) -> String {
    yaml::document(Yaml(&json!({
        "instance-id": format!("{}.{}", lab.name, machine.name),
        "local-hostname": machine.name,
    })))
}

/// The network configuration of `machine`, in netplan's version 2, each interface found by its MAC address.
///
/// Every interface may bring a default route; the earlier one has the lower metric and is used while it is there.
pub fn network_config(lab: &Lab, machine: &Machine) -> String {
    let ethernets: Map<String, Value> = machine
        .nics
        .iter()
        .enumerate()
        .filter_map(|(index, nic)| Some((index, nic, lab.networks.get(&nic.network)?)))
        .map(|(index, nic, network)| (format!("nic{index}"), ethernet(lab, index, nic, network)))
        .collect();
    yaml::document(Yaml(&json!({ "version": 2, "ethernets": ethernets })))
}

fn ours(lab: &Lab, machine: &Machine, context: &Context) -> Map<String, Value> {
    let domain = machine.nics.first().and_then(|nic| lab.networks.get(&nic.network)).map(|network| lab.domain_of(network));
    let keys: Vec<&str> =
        std::iter::once(context.lab_key.trim_end()).chain(machine.ssh_keys.iter().map(String::as_str)).collect();
    let mut config = object(json!({
        "hostname": machine.name,
        "fqdn": match &domain {
            Some(domain) => format!("{}.{domain}", machine.name),
            None => machine.name.clone(),
        },
        // sudo looks the host name up: without this line it waits for a DNS server that may not be there.
        "manage_etc_hosts": "localhost",
        // As text, which every version's schema takes. Making a locale costs a minute of a small machine.
        "locale": "false",
        "users": [{
            "name": machine.user,
            "shell": "/bin/bash",
            "sudo": "ALL=(ALL) NOPASSWD:ALL",
            "lock_passwd": true,
            "ssh_authorized_keys": keys,
        }],
        "ssh_deletekeys": true,
        "ssh_genkeytypes": ["ed25519"],
    }));
    if machine.user == "root" {
        config.insert("disable_root".into(), false.into());
    }
    if let Some(pair) = context.host_keys.get(&machine.name) {
        config.insert("ssh_keys".into(), json!({ "ed25519_private": pair.private, "ed25519_public": pair.public }));
    }
    if !machine.packages.is_empty() {
        config.insert("packages".into(), json!(machine.packages));
    }
    config
}

/// Lays `over` on `base`: mappings deep, lists joined with ours first, and else the author's value.
fn merge(base: &mut Map<String, Value>, over: &Map<String, Value>) {
    for (key, value) in over {
        match (base.get_mut(key), value) {
            (Some(Value::Object(ours)), Value::Object(theirs)) => merge(ours, theirs),
            (Some(Value::Array(ours)), Value::Array(theirs)) => ours.extend(theirs.iter().cloned()),
            (Some(ours), theirs) => *ours = theirs.clone(),
            (None, theirs) => drop(base.insert(key.clone(), theirs.clone())),
        }
    }
}

/// Of two entries for an account, cloud-init keeps the first: what the author says of ours belongs into ours.
fn join_our_account(config: &mut Map<String, Value>, user: &str) {
    let Some(Value::Array(users)) = config.get_mut("users") else { return };
    // Ours is the first.
    let (theirs, others): (Vec<Value>, Vec<Value>) = users.drain(1..).partition(|entry| entry["name"] == user);
    users.extend(others);
    for entry in theirs {
        if let (Value::Object(ours), Value::Object(theirs)) = (&mut users[0], entry) {
            merge(ours, &theirs);
        }
    }
}

fn ethernet(lab: &Lab, index: usize, nic: &Nic, network: &Network) -> Value {
    let metric = 100 * (index + 1);
    // Machines know each other by name alone where the host answers what they ask.
    let search = [lab.domain_of(network)];
    let mut config = object(json!({ "match": { "macaddress": nic.mac.to_string() } }));
    let fixed = nic.address.zip(network.cidr).filter(|_| !serves_dhcp(network));
    match fixed {
        Some((address, cidr)) => {
            config.insert("addresses".into(), json!([format!("{address}/{}", cidr.prefix_len())]));
            // A bridge's router is not ours to know, an isolated network has none.
            if matches!(network.mode, NetworkMode::Nat | NetworkMode::Routed) {
                let gateway = address::gateway(cidr).to_string();
                config.insert("routes".into(), json!([{ "to": "0.0.0.0/0", "via": gateway, "metric": metric }]));
                config.insert("nameservers".into(), json!({ "addresses": [gateway], "search": search }));
            }
        }
        None => {
            let is_ours = serves_dhcp(network);
            let asks = is_ours || network.mode == NetworkMode::Bridge;
            config.insert("dhcp4".into(), asks.into());
            if is_ours {
                config.insert("dhcp4-overrides".into(), json!({ "route-metric": metric, "use-domains": true }));
                config.insert("nameservers".into(), json!({ "search": search }));
            } else if asks {
                config.insert("dhcp4-overrides".into(), json!({ "route-metric": metric }));
            }
        }
    }
    Value::Object(config)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => unreachable!("only called with mappings"),
    }
}
