//! Planned changes, as people read them: what is made, changed, taken away, and what each change costs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One change of a Terraform plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Change {
    /// Terraform's address, such as `libvirt_domain.machine["web"]`.
    pub address: String,
    /// Terraform's resource type, such as `libvirt_domain`.
    pub resource_type: String,
    /// The key in `for_each`: a machine's or a network's name, `MACHINE/DISK` for an extra disk.
    pub key: String,
    /// What happens to it.
    pub kind: ChangeKind,
    /// The attributes that make it happen; empty where a thing is made or taken away.
    pub attributes: Vec<String>,
}

impl Change {
    /// The resource without its key: `libvirt_volume.system`.
    pub fn resource(&self) -> &str {
        self.address.split('[').next().unwrap_or_default()
    }

    /// The machine that the resource belongs to, where it belongs to one.
    pub fn machine(&self) -> &str {
        self.key.split('/').next().unwrap_or_default()
    }

    /// Whether what was on it is lost: a disk that is taken away or made anew.
    fn loses_disk(&self) -> bool {
        matches!(self.resource(), "libvirt_volume.system" | "libvirt_volume.disk")
            && matches!(self.kind, ChangeKind::Replace | ChangeKind::Delete)
    }
}

/// What happens to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub enum ChangeKind {
    /// Made.
    Create,
    /// Changed where it is.
    Update,
    /// Taken away and made again.
    Replace,
    /// Taken away.
    Delete,
}

/// What a change of a machine or network costs its users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub enum Disruption {
    /// Nobody notices.
    None,
    /// Seen by the guest at its next boot.
    NextBoot,
    /// The machine is switched off and on; its disks stay.
    PowerCycle,
    /// Data on a disk is lost.
    DataLoss,
}

/// What a plan does to one machine, network or other thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Planned {
    /// `machine`, `network` or `image`.
    pub noun: String,
    /// Its name.
    pub name: String,
    /// What happens to it.
    pub kind: ChangeKind,
    /// What that costs.
    pub disruption: Disruption,
    /// In words: what changes, what is lost.
    pub sentence: String,
}

/// Gathers Terraform's changes by the machine or network they belong to, in the order networks, machines, and by name.
pub fn planned(changes: &[Change]) -> Vec<Planned> {
    let mut by_thing: BTreeMap<(u8, String), Vec<&Change>> = BTreeMap::new();
    for change in changes {
        let thing = match change.resource() {
            "libvirt_network.network" | "terraform_data.services" => (0, change.key.clone()),
            _ => (1, change.machine().to_owned()),
        };
        by_thing.entry(thing).or_default().push(change);
    }
    by_thing
        .into_iter()
        .map(|((order, name), changes)| describe(if order == 0 { "network" } else { "machine" }, name, &changes))
        .collect()
}

fn describe(noun: &str, name: String, changes: &[&Change]) -> Planned {
    let main = if noun == "network" { "libvirt_network" } else { "libvirt_domain" };
    let kind = match changes.iter().find(|change| change.resource_type == main) {
        Some(change) => change.kind,
        // What is left of a machine that was not made whole.
        None if changes.iter().all(|change| change.kind == ChangeKind::Delete) => ChangeKind::Delete,
        None => ChangeKind::Update,
    };
    let (disruption, sentence) = match (noun, kind) {
        (_, ChangeKind::Create) if noun == "network" => (Disruption::None, "is created".to_owned()),
        // Volumes that outlived their machine (a run that was cut off) are kept and used.
        (_, ChangeKind::Create) if lost_disks(changes).is_empty() => (Disruption::None, "is created".to_owned()),
        (_, ChangeKind::Create) => (Disruption::DataLoss, format!("is created; {} started anew", lost_disks(changes))),
        ("network", ChangeKind::Delete) => (Disruption::PowerCycle, "is removed".to_owned()),
        (_, ChangeKind::Delete) => (Disruption::DataLoss, "is destroyed with its disks".to_owned()),
        ("network", ChangeKind::Replace) => {
            (Disruption::PowerCycle, format!("is recreated ({}); machines on it lose their connection", causes(changes)))
        }
        (_, ChangeKind::Replace) if lost_disks(changes).is_empty() => {
            let seed = if changes.iter().any(|change| change.resource() == "libvirt_volume.seed") {
                "; a guest that has run cloud-init keeps the network settings that it has (destroy and deploy to rebuild it)"
            } else {
                ""
            };
            (Disruption::PowerCycle, format!("is switched off and defined again ({}); its disks stay, snapshots go{seed}", causes(changes)))
        }
        (_, ChangeKind::Replace | ChangeKind::Update) if !lost_disks(changes).is_empty() => {
            (Disruption::DataLoss, format!("is recreated ({}); {} lost", causes(changes), lost_disks(changes)))
        }
        (_, _) if changes.iter().all(|change| is_seed(change)) => (
            Disruption::NextBoot,
            "gets a new cloud-init seed; a guest that has run it already does not run it again (destroy and deploy to rebuild it)".to_owned(),
        ),
        (_, _) => (Disruption::None, format!("is changed in place ({})", causes(changes))),
    };
    Planned { noun: noun.to_owned(), name, kind, disruption, sentence }
}

/// Whether a change is only about what cloud-init reads: the seed, and, after UEFI, the disk that it is.
fn is_seed(change: &Change) -> bool {
    change.resource() == "libvirt_volume.seed"
        || change.resource_type == "libvirt_domain" && change.kind == ChangeKind::Update && change.attributes == ["disk"]
}

/// The disks whose data a change loses, in words; empty when none is.
fn lost_disks(changes: &[&Change]) -> String {
    let lost: Vec<&str> = changes
        .iter()
        .filter(|change| change.loses_disk())
        .map(|change| change.key.split_once('/').map_or("the system disk", |(_, disk)| disk))
        .collect();
    match lost[..] {
        [] => String::new(),
        ["the system disk"] => "the data of the system disk is".to_owned(),
        _ => format!("the data of {} is", lost.join(", ")),
    }
}

fn causes(changes: &[&Change]) -> String {
    // Our own records (`terraform_data`) say that something changed; what did, the other resources say.
    let told = changes.iter().filter(|change| change.resource_type != "terraform_data");
    let mut causes: Vec<&str> = told.flat_map(|change| change.attributes.iter().map(String::as_str)).map(attribute).collect();
    // Interfaces are compared by our record alone: without a lost disk, that is what has changed in it.
    let rewired = |change: &&Change| change.resource() == "terraform_data.hardware" && change.kind != ChangeKind::Delete;
    if changes.iter().any(rewired) && lost_disks(changes).is_empty() && !causes.contains(&"disks") {
        causes.push("nics");
    }
    causes.sort_unstable();
    causes.dedup();
    if causes.is_empty() { "its definition changed".to_owned() } else { format!("changed: {}", causes.join(", ")) }
}

/// The lab file's word for an attribute of the provider's.
fn attribute(name: &str) -> &str {
    match name {
        "vcpu" => "vcpus",
        "network_interface" => "nics",
        // A seed is a volume that is made from a file.
        "source" | "cloudinit" => "cloud-init seed",
        "disk" => "disks",
        "base_volume_name" | "base_volume_id" => "image",
        "size" => "disk size",
        "addresses" => "cidr",
        other => other,
    }
}
