//! Names: they become host names, libvirt objects, files and keys in other people's YAML.

use std::collections::{BTreeSet, HashMap};

use super::{Report, mismatch::shorten, path::at};
use crate::{file::yaml::reads_as_other, model::MachineSpec, render::ansible::is_plain_name};

/// A lab's name is part of the names of its objects on the host.
const MAX_LAB: usize = 40;
/// A DNS label.
const MAX_MACHINE: usize = 63;
const MAX_NETWORK: usize = 40;
/// The guest sees a disk's name as its serial number, which has room for this.
const MAX_DISK: usize = 20;

/// Why a lab cannot be called that, as a sentence without its full stop; none where it can.
pub fn wrong_lab_name(name: &str) -> Option<String> {
    wrong("lab", name, MAX_LAB)
}

pub(super) fn lab_name(report: &mut Report) {
    if let Some(message) = wrong_lab_name(&report.lab.name) {
        report.error(at!["name"], message);
    }
}

pub(super) fn network_names(report: &mut Report) {
    for (name, _) in report.networks() {
        if let Some(message) = wrong("network", name, MAX_NETWORK) {
            report.error(at!["networks", name].key(), message);
        }
    }
}

pub(super) fn machine_names(report: &mut Report) {
    for (name, spec) in report.specs() {
        let suffix = spec.replicas.map_or(0, |count| format!("-{count}").len());
        if let Some(message) = wrong("machine", name, MAX_MACHINE) {
            report.error(at!["machines", name].key(), message);
        } else if name.len() + suffix > MAX_MACHINE {
            let message = format!(
                "machine `{name}` and the number of its last replica have {} characters; use at most {MAX_MACHINE}",
                name.len() + suffix
            );
            report.error(at!["machines", name].key(), message);
        } else if !is_plain_name(name) {
            let message = format!(
                "machine name `{name}` has a meaning of its own in Ansible's inventory; choose another, such as `{name}-1`"
            );
            report.error(at!["machines", name].key(), message);
        }
    }
}

pub(super) fn disk_names(report: &mut Report) {
    for (machine, spec) in report.specs() {
        for name in spec.disks.keys() {
            if let Some(message) = wrong("disk", name, MAX_DISK) {
                report.error(at!["machines", machine, "disks", name].key(), message);
            }
        }
    }
}

pub(super) fn replicas_do_not_clash(report: &mut Report) {
    let mut owners: HashMap<String, &String> = HashMap::new();
    let machines = std::mem::take(&mut report.machines);
    let mut told = BTreeSet::new();
    for machine in &machines {
        let Some((spec, _)) = report.lab.machines.get_key_value(&machine.spec) else { continue };
        let Some(other) = owners.insert(machine.name.clone(), spec) else { continue };
        // The one that is written out under this name is the one to rename.
        let (plain, several) = if *other == machine.name { (other, spec) } else { (spec, other) };
        if told.insert((plain, several)) {
            let message = format!("machine `{plain}` has the name of a replica of `{several}`; rename one of them");
            report.error(at!["machines", plain].key(), message);
        }
    }
    report.machines = machines;
}

/// What is wrong with a name of lower-case letters, digits and hyphens.
fn wrong(what: &str, name: &str, max: usize) -> Option<String> {
    let is_inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !is_label(name) || name.len() > max {
        let proposal = proposal(name, max);
        let remedy = match proposal.as_str() {
            "" => String::new(),
            proposal => format!(", such as `{proposal}`"),
        };
        return Some(if name.is_empty() {
            format!("{what} has an empty name; use lower-case letters, digits and hyphens")
        } else if name.len() > max && name.chars().all(is_inner) {
            format!("{what} name `{}` has {} characters; use at most {max}", shorten(name), name.len())
        } else {
            format!(
                "{what} name `{}` cannot be used; use lower-case letters, digits and hyphens, at most {max}, with a letter or digit at both ends{remedy}",
                shorten(name)
            )
        });
    }
    if reads_as_other(name) {
        let kind = match name {
            _ if name.starts_with(|c: char| c.is_ascii_digit()) => "a number",
            "null" => "nothing",
            _ => "true or false",
        };
        return Some(format!("{what} name `{name}` reads as {kind} in YAML; choose another, such as `{what}-{name}`"));
    }
    None
}

/// Whether `name` is a label of lower-case letters, digits and hyphens, with no hyphen at its ends.
pub(super) fn is_label(name: &str) -> bool {
    !name.is_empty()
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// The nearest name that would do.
fn proposal(name: &str, max: usize) -> String {
    let mut proposal = String::new();
    for c in name.chars().flat_map(char::to_lowercase) {
        match c {
            'a'..='z' | '0'..='9' => proposal.push(c),
            _ if proposal.ends_with('-') || proposal.is_empty() => {}
            _ => proposal.push('-'),
        }
    }
    proposal.truncate(max);
    let proposal = proposal.trim_end_matches('-');
    if reads_as_other(proposal) { String::new() } else { proposal.to_owned() }
}

/// Whether `spec` is for more than one machine.
pub(super) fn is_several(spec: &MachineSpec) -> bool {
    spec.replicas.is_some_and(|count| count > 1)
}
