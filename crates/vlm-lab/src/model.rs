//! The lab as a person writes it, and the machines that follow from it.
//!
//! [`Lab`] mirrors `lab.yaml` field by field; its doc comments become the descriptions in the JSON Schema, so they address
//! the author of a lab. [`Lab::machines`] fills in defaults and unfolds replicas: everything that renders or deploys reads
//! the resulting [`Machine`]s and never a [`MachineSpec`].

use std::{fmt, net::Ipv4Addr, num::NonZeroU16, str::FromStr};

use indexmap::IndexMap;
use ipnet::Ipv4Net;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::address;

/// The version of the lab file that this build reads and writes.
pub const VERSION: u32 = 1;

/// What a lab without `defaults` gives a machine.
pub const DEFAULT_VCPUS: u32 = 1;
/// Memory of a machine that says nothing, neither itself nor in `defaults`.
pub const DEFAULT_MEMORY: Size = Size::mib(512);
/// System disk of a machine that says nothing, neither itself nor in `defaults`.
pub const DEFAULT_DISK: Size = Size::gib(4);
/// The account made in every machine that names none.
pub const DEFAULT_USER: &str = "lab";

/// A lab: networks, and the machines on them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Virtual Lab Manager lab")]
pub struct Lab {
    /// Version of this file's format: 1.
    #[schemars(extend("const" = VERSION))]
    pub version: u32,
    /// Name of the lab: lower-case letters, digits and hyphens, at most 40 characters.
    #[schemars(extend("pattern" = "^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$"))]
    pub name: String,
    /// What the lab is for, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The host that the lab's machines run on, unless they name one: `local`, or the name of a host you added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// How guests run: `auto` measures whether KVM really works, `kvm` insists on it, `tcg` emulates.
    #[serde(default, skip_serializing_if = "is_default")]
    pub acceleration: Acceleration,
    /// What machines get that say nothing themselves.
    #[serde(default, skip_serializing_if = "is_default")]
    pub defaults: Defaults,
    /// The lab's networks, by name.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub networks: IndexMap<String, Network>,
    /// The lab's machines, by name. A name is the machine's host name.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub machines: IndexMap<String, MachineSpec>,
}

/// How guests are run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Acceleration {
    /// KVM where a probe shows that it runs a guest, else TCG.
    #[default]
    Auto,
    /// KVM, or refuse.
    Kvm,
    /// QEMU's emulator: slow, works everywhere.
    Tcg,
}

/// What machines get that say nothing themselves.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Defaults {
    /// Name of the image to start from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Virtual CPUs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 255))]
    pub vcpus: Option<u32>,
    /// Memory, with its unit: `512 MiB`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Size>,
    /// Size of the system disk, with its unit: `4 GiB`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<Size>,
    /// Firmware that machines boot with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware: Option<Firmware>,
    /// Account made in every machine, with sudo and your SSH keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Public SSH keys that may log in, beside the lab's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ssh_keys: Vec<String>,
}

/// A network of the lab.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// How the network meets the world: `nat` (the default), `isolated`, `routed`, or `bridge`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mode: NetworkMode,
    /// IPv4 subnet, such as `10.77.1.0/24`. The host takes the first address. For a bridge: the subnet that is already there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("pattern" = r"^([0-9]{1,3}\.){3}[0-9]{1,3}/[0-9]{1,2}$"))]
    pub cidr: Option<Ipv4Net>,
    /// Whether the network hands out addresses. On unless said otherwise (never on a bridge, which has its own).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dhcp: Option<bool>,
    /// DNS domain of the machines on this network; unless said otherwise `LAB.lab`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// For `mode: bridge`: the host's existing bridge, such as `br0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bridge: Option<String>,
    /// What the network is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

impl Network {
    /// Whether libvirt's dnsmasq serves addresses on this network.
    pub fn has_dhcp(&self) -> bool {
        self.mode != NetworkMode::Bridge && self.dhcp.unwrap_or(true)
    }
}

/// How a network meets the world.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NetworkMode {
    /// Guests reach out through the host's address.
    #[default]
    Nat,
    /// Guests reach each other and the host, nothing else.
    Isolated,
    /// The host forwards without translation; its routers must know the subnet.
    Routed,
    /// Guests join a bridge that the host already has.
    Bridge,
}

/// A machine, or several alike.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MachineSpec {
    /// What the machine is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// How many alike: 3 makes NAME-1, NAME-2 and NAME-3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub replicas: Option<u32>,
    /// The host that this machine runs on, unless it is the lab's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Name of the image to start from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Virtual CPUs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 255))]
    pub vcpus: Option<u32>,
    /// Memory, with its unit: `512 MiB`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Size>,
    /// Size of the system disk, with its unit: `4 GiB`. It grows from the image's size to this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<Size>,
    /// Extra disks, by name: `{ data: 10 GiB }`.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub disks: IndexMap<String, Size>,
    /// Network interfaces, in the guest's order. A machine that says nothing is on the lab's first network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nics: Option<Vec<NicSpec>>,
    /// Firmware to boot with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware: Option<Firmware>,
    /// Account made in the machine, with sudo and your SSH keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Public SSH keys that may log in, beside the lab's own and those of `defaults`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ssh_keys: Vec<String>,
    /// Packages that cloud-init installs at the first boot.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<String>,
    /// cloud-config merged over ours: your value wins, lists are joined.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub cloud_config: Map<String, Value>,
    /// Configuration by Ansible: a list of tasks, the path of a playbook, or `{ roles: […] }`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ansible: Option<Ansible>,
    /// Machines that must be configured before this one starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
    /// Published ports: this computer's port to the guest's TCP port. A replica takes the next port up.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    #[schemars(with = "IndexMap<Port, NonZeroU16>")]
    pub ports: IndexMap<Port, u16>,
}

/// A network interface: the name of its network, or more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum NicSpec {
    /// Only the network's name.
    Network(String),
    /// The network and what is fixed on it.
    Full(NicFields),
}

/// A network interface with fixed properties.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NicFields {
    /// Name of the network.
    pub network: String,
    /// Fixed IPv4 address. With a trailing `+`, replicas count up from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<FixedAddress>,
    /// Fixed MAC address, such as `52:54:00:12:34:56`. Not for replicas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<Mac>,
}

impl NicSpec {
    /// The name of the network that the interface is on.
    pub fn network(&self) -> &str {
        match self {
            NicSpec::Network(name) => name,
            NicSpec::Full(fields) => &fields.network,
        }
    }

    /// The address that the author fixed.
    pub fn address(&self) -> Option<FixedAddress> {
        match self {
            NicSpec::Network(_) => None,
            NicSpec::Full(fields) => fields.address,
        }
    }

    /// The MAC address that the author fixed.
    pub fn mac(&self) -> Option<Mac> {
        match self {
            NicSpec::Network(_) => None,
            NicSpec::Full(fields) => fields.mac,
        }
    }
}

/// What a machine boots with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Firmware {
    /// SeaBIOS.
    #[default]
    Bios,
    /// OVMF, without secure boot.
    Uefi,
}

/// How Ansible configures a machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Ansible {
    /// The path of a playbook, relative to the lab file.
    Playbook(String),
    /// Tasks, as in a play's `tasks`.
    Tasks(Vec<Map<String, Value>>),
    /// Roles, and where they lie.
    Roles(AnsibleRoles),
}

/// Roles to apply to a machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnsibleRoles {
    /// Roles as in a play's `roles`: names, or mappings with `role`.
    pub roles: Vec<Value>,
    /// The folder of roles, relative to the lab file; `roles` unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// One machine to make: a [`MachineSpec`] with defaults filled in, its replica chosen and its addresses derived.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    /// Host name: the spec's name, with `-1`, `-2` … for replicas.
    pub name: String,
    /// Key of the [`MachineSpec`] in the lab.
    pub spec: String,
    /// See [`MachineSpec::description`].
    pub description: Option<String>,
    /// Name of the host it is placed on; `local` unless said otherwise.
    pub host: String,
    /// Name of its image.
    pub image: String,
    /// Virtual CPUs.
    pub vcpus: u32,
    /// Memory.
    pub memory: Size,
    /// Size of the system disk.
    pub disk: Size,
    /// Extra disks, in order.
    pub disks: IndexMap<String, Size>,
    /// Interfaces, in the guest's order.
    pub nics: Vec<Nic>,
    /// What it boots with.
    pub firmware: Firmware,
    /// The account we log in with.
    pub user: String,
    /// Public keys of the author's, beside the lab's own.
    pub ssh_keys: Vec<String>,
    /// Packages for cloud-init.
    pub packages: Vec<String>,
    /// The author's cloud-config.
    pub cloud_config: Map<String, Value>,
    /// Its configuration.
    pub ansible: Option<Ansible>,
    /// Names of machines (not specs) that must be configured first.
    pub depends_on: Vec<String>,
    /// Published TCP ports: (this computer's, the guest's).
    pub ports: Vec<(u16, u16)>,
}

impl Machine {
    /// The address we reach the machine at: that of its first interface that has one.
    pub fn address(&self) -> Option<Ipv4Addr> {
        self.nics.iter().find_map(|nic| nic.address)
    }
}

/// One interface of a [`Machine`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nic {
    /// Key of the network in the lab.
    pub network: String,
    /// Its MAC address.
    pub mac: Mac,
    /// Its IPv4 address; none on a bridge of which we do not know the subnet, or where a subnet is full.
    pub address: Option<Ipv4Addr>,
}

impl Lab {
    /// The machines that follow from the lab, in the order of the file, replicas counted from 1.
    ///
    /// Works on drafts too: what a problem makes unknowable (an unknown network's address) is left out.
    pub fn machines(&self) -> Vec<Machine> {
        let first_network = self.networks.keys().next();
        let mut machines = Vec::new();
        for (key, spec) in &self.machines {
            let count = spec.replicas.unwrap_or(1).min(1000);
            for index in 0..count {
                let nics = match &spec.nics {
                    Some(nics) => nics.clone(),
                    None => first_network.map(|name| NicSpec::Network(name.clone())).into_iter().collect(),
                };
                machines.push(Machine {
                    name: replica_name(key, spec, index),
                    spec: key.clone(),
                    description: spec.description.clone(),
                    host: spec.host.clone().or_else(|| self.host.clone()).unwrap_or_else(|| "local".into()),
                    image: spec.image.clone().or_else(|| self.defaults.image.clone()).unwrap_or_default(),
                    vcpus: spec.vcpus.or(self.defaults.vcpus).unwrap_or(DEFAULT_VCPUS),
                    memory: spec.memory.or(self.defaults.memory).unwrap_or(DEFAULT_MEMORY),
                    disk: spec.disk.or(self.defaults.disk).unwrap_or(DEFAULT_DISK),
                    disks: spec.disks.clone(),
                    nics: nics
                        .iter()
                        .map(|nic| Nic {
                            network: nic.network().to_owned(),
                            mac: nic.mac().unwrap_or(Mac([0; 6])),
                            address: nic.address().map(|fixed| fixed.of_replica(index)),
                        })
                        .collect(),
                    firmware: spec.firmware.or(self.defaults.firmware).unwrap_or_default(),
                    user: spec.user.clone().or_else(|| self.defaults.user.clone()).unwrap_or_else(|| DEFAULT_USER.into()),
                    ssh_keys: self.defaults.ssh_keys.iter().chain(&spec.ssh_keys).cloned().collect(),
                    packages: spec.packages.clone(),
                    cloud_config: spec.cloud_config.clone(),
                    ansible: spec.ansible.clone(),
                    depends_on: spec
                        .depends_on
                        .iter()
                        .filter_map(|name| self.machines.get_key_value(name))
                        .flat_map(|(name, on)| {
                            (0..on.replicas.unwrap_or(1).min(1000)).map(|index| replica_name(name, on, index))
                        })
                        .collect(),
                    ports: spec.ports.iter().map(|(port, guest)| (port.0.saturating_add(index as u16), *guest)).collect(),
                });
            }
        }
        address::assign(self, &mut machines);
        machines
    }

    /// The DNS domain of `network`: its own, or `LAB.lab`.
    pub fn domain_of(&self, network: &Network) -> String {
        network.domain.clone().unwrap_or_else(|| format!("{}.lab", self.name))
    }
}

fn replica_name(key: &str, spec: &MachineSpec, index: u32) -> String {
    match spec.replicas {
        None => key.to_owned(),
        Some(_) => format!("{key}-{}", index + 1),
    }
}

/// An amount of memory or disk in bytes, written with its unit: `512 MiB`, `1.5 GiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(u64);

impl Size {
    /// The units a size may have, and their bytes.
    pub const UNITS: [(&'static str, u64); 4] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];

    /// `n` MiB.
    pub const fn mib(n: u64) -> Size {
        Size(n << 20)
    }

    /// `n` GiB.
    pub const fn gib(n: u64) -> Size {
        Size(n << 30)
    }

    /// `n` bytes.
    pub const fn bytes(n: u64) -> Size {
        Size(n)
    }

    /// The size in bytes.
    pub const fn as_bytes(self) -> u64 {
        self.0
    }

    /// The size in MiB, rounded up: memory is counted in whole MiB.
    pub const fn as_mib(self) -> u64 {
        self.0.div_ceil(1 << 20)
    }
}

/// Why a text is no [`Size`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no size: write a number and KiB, MiB, GiB or TiB, such as `512 MiB`")]
pub struct SizeError(String);

impl FromStr for Size {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Size, SizeError> {
        let error = || SizeError(text.to_owned());
        let text = text.trim();
        let split = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).ok_or_else(error)?;
        let (number, unit) = (&text[..split], text[split..].trim());
        let (_, bytes) = Size::UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(error)?;
        let number: f64 = number.parse().map_err(|_| error())?;
        // No disk ends within a KiB.
        let kib = (number * *bytes as f64 / 1024.0).ceil();
        // 2^53 bytes: beyond it a product is no longer exact, and no disk is that large.
        if !(1.0..=8_796_093_022_208.0).contains(&kib) {
            return Err(error());
        }
        Ok(Size((kib as u64) << 10))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, bytes) = Size::UNITS.iter().rev().find(|(_, bytes)| self.0.is_multiple_of(*bytes)).unwrap_or(&("B", 1));
        write!(f, "{} {unit}", self.0 / bytes)
    }
}

impl Serialize for Size {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Size, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Size {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? ?(KiB|MiB|GiB|TiB)$", "examples": ["512 MiB", "4 GiB"] })
    }
}

/// A MAC address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

/// Why a text is no [`Mac`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no MAC address: write six pairs of hex digits, such as `52:54:00:12:34:56`")]
pub struct MacError(String);

impl FromStr for Mac {
    type Err = MacError;

    fn from_str(text: &str) -> Result<Mac, MacError> {
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts
                .next()
                .filter(|part| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit()))
                .ok_or_else(|| MacError(text.to_owned()))?;
            *byte = u8::from_str_radix(part, 16).map_err(|_| MacError(text.to_owned()))?;
        }
        if parts.next().is_some() {
            return Err(MacError(text.to_owned()));
        }
        Ok(Mac(bytes))
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl Serialize for Mac {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Mac {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Mac, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Mac {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Mac".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$", "examples": ["52:54:00:12:34:56"] })
    }
}

/// An address that the author fixed: `10.77.2.10`, or `10.77.2.10+` to count up over replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedAddress {
    /// The address, of the first replica where it counts up.
    pub address: Ipv4Addr,
    /// Whether replicas count up from it.
    pub counts_up: bool,
}

impl FixedAddress {
    /// The address of replica `index`, counted from 0.
    pub fn of_replica(self, index: u32) -> Ipv4Addr {
        if self.counts_up { Ipv4Addr::from(u32::from(self.address).saturating_add(index)) } else { self.address }
    }
}

impl FromStr for FixedAddress {
    type Err = std::net::AddrParseError;

    fn from_str(text: &str) -> Result<FixedAddress, Self::Err> {
        let (address, counts_up) = match text.strip_suffix('+') {
            Some(address) => (address, true),
            None => (text, false),
        };
        Ok(FixedAddress { address: address.parse()?, counts_up })
    }
}

impl fmt::Display for FixedAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.address, if self.counts_up { "+" } else { "" })
    }
}

impl Serialize for FixedAddress {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FixedAddress {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<FixedAddress, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|_| serde::de::Error::custom(format!("`{text}` is no IPv4 address")))
    }
}

impl JsonSchema for FixedAddress {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "FixedAddress".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": r"^([0-9]{1,3}\.){3}[0-9]{1,3}\+?$", "examples": ["10.77.1.10", "10.77.1.10+"] })
    }
}

/// A TCP port of this computer, as the key of `ports`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Port(pub u16);

impl Serialize for Port {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Port {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Port, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = Some(&text).filter(|text| text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0'));
        let port = digits.and_then(|text| text.parse().ok()).map(Port);
        port.ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no TCP port (1 to 65535)")))
    }
}

impl JsonSchema for Port {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Port".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[1-9][0-9]{0,4}$" })
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
