//! An Ansible project that configures a lab's machines, with us or without.
//!
//! Everything is relative to the project's directory, so that it can be copied. Two things there are not rendered:
//!
//! - `ssh/id_ed25519`, the lab's private key;
//! - `lab`, the folder of the lab file: a link in our own directory, a copy in an export. Playbooks and roles are reached through
//!   it, because a path in a playbook is split at blanks and templated, and only paths below `lab` are known to be harmless.
//!
//! Text of the author's is evaluated nowhere, except in what is Ansible by its nature: tasks and roles.

use std::{
    collections::{BTreeMap, HashSet},
    fmt::Write,
    net::Ipv4Addr,
    path::Path,
};

use indexmap::IndexMap;
use serde::Serialize;
use serde_json::{Value, json};
use serde_saphyr::Tagged;

use super::{
    Context, Files,
    yaml::{self, Yaml, never_evaluated},
};
use crate::model::{Ansible, Lab, Machine, MachineSpec};

/// The Ansible project for `machines`: configuration, inventory, SSH files, a play per spec under `plays/`, and `site.yaml`, which
/// runs them all in the order of `depends_on`.
///
/// An address that became known at run time belongs into `machines`. In Ansible a name is also a file name, a pattern and a
/// variable's name, so a machine whose name [`is_plain_name`] refuses is left out (`problems()` refuses it, too).
pub fn ansible(lab: &Lab, machines: &[Machine], context: &Context) -> Files {
    let mut by_spec: IndexMap<&str, Vec<&Machine>> = IndexMap::new();
    for machine in machines.iter().filter(|machine| is_plain_name(&machine.name) && is_plain_name(&machine.spec)) {
        by_spec.entry(&machine.spec).or_default().push(machine);
    }
    let plays: Vec<(&str, Value)> = in_order(lab)
        .into_iter()
        .filter(|(key, _)| by_spec.contains_key(key))
        .filter_map(|(key, spec)| Some((key, play(key, spec)?)))
        .collect();
    let site = plays.iter().map(|(key, _)| json!({ "import_playbook": format!("plays/{key}.yaml") })).collect();

    let mut files = Files::from([
        ("ansible.cfg".into(), configuration(lab)),
        ("inventory.yaml".into(), inventory(lab, &by_spec)),
        ("ssh/known_hosts".into(), known_hosts(by_spec.values().flatten().copied(), context)),
        ("ssh_config".into(), ssh_config(machines, &context.ssh_ports, None)),
        ("site.yaml".into(), yaml::document(Yaml(&site))),
    ]);
    files.extend(plays.iter().map(|(key, play)| (format!("plays/{key}.yaml"), yaml::document(Yaml(play)))));
    files
}

/// An OpenSSH configuration with which `ssh -F ssh_config MACHINE` enters each machine, its host key checked.
///
/// OpenSSH looks for relative paths where it was started: without `project` the file works in the project's directory, wherever
/// that is; with it, from everywhere, as long as the project stays there. A `project` that the format cannot express (quotes,
/// line breaks, `${`) counts as none.
/// Machines in `ports` are reached through that port of this computer, and still known by their own names.
pub fn ssh_config(machines: &[Machine], ports: &BTreeMap<String, u16>, project: Option<&Path>) -> String {
    let project = project.and_then(Path::to_str).filter(|path| !path.contains(['"', '\\', '\n', '\r']) && !path.contains("${"));
    let file = |name: &str| match project {
        Some(project) => format!("\"{}/{name}\"", project.replace('%', "%%")),
        None => name.to_owned(),
    };
    let mut text = String::new();
    for machine in machines.iter().filter(|machine| is_plain_name(&machine.name)) {
        let name = &machine.name;
        match machine.address() {
            Some(address) => writeln!(text, "Host {name} {address}"),
            None => writeln!(text, "Host {name}"),
        }
        .expect("a String takes all text");
        match (ports.get(name), machine.address()) {
            (Some(port), _) => write!(text, "  HostName 127.0.0.1\n  Port {port}\n  HostKeyAlias {name}\n"),
            (None, Some(address)) => writeln!(text, "  HostName {address}"),
            (None, None) => Ok(()),
        }
        .expect("a String takes all text");
        if is_plain_name(&machine.user) {
            writeln!(text, "  User {}", machine.user).expect("a String takes all text");
        }
        text.push('\n');
    }
    let (key, known_hosts) = (file("ssh/id_ed25519"), file("ssh/known_hosts"));
    write!(
        text,
        "Host *\n  IdentityFile {key}\n  IdentitiesOnly yes\n  UserKnownHostsFile {known_hosts}\n  \
         GlobalKnownHostsFile none\n  StrictHostKeyChecking yes\n  PasswordAuthentication no\n"
    )
    .expect("a String takes all text");
    text
}

/// Whether a name of a machine or an account means nothing but itself to Ansible and OpenSSH.
pub fn is_plain_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '.';
    name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && name.chars().all(plain)
        && !["all", "ungrouped", "localhost"].contains(&name)
}

/// Whether the path of a playbook or of a folder of roles can be given to Ansible: below the lab file's folder, and without
/// characters that Ansible splits at or expands.
pub fn is_plain_path(path: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || "._-+@".contains(c);
    path.split('/').all(|part| !part.is_empty() && part != ".." && part.chars().all(plain))
}

/// The specs of a lab, each after those that it depends on; where they depend on each other, in the order of the file.
fn in_order(lab: &Lab) -> Vec<(&str, &MachineSpec)> {
    let (mut seen, mut order) = (HashSet::new(), Vec::with_capacity(lab.machines.len()));
    let mut enter = |name: &str| {
        let (name, spec) = lab.machines.get_key_value(name)?;
        seen.insert(name).then(|| (name.as_str(), spec, spec.depends_on.iter()))
    };
    for start in lab.machines.keys() {
        // Our own stack, as a chain may be as long as the lab.
        let mut way = Vec::from_iter(enter(start));
        while let Some((name, spec, waits_for)) = way.last_mut() {
            match waits_for.next() {
                Some(on) => way.extend(enter(on)),
                None => {
                    order.push((*name, *spec));
                    way.pop();
                }
            }
        }
    }
    order
}

/// What a play addresses: the machine, or the group of a spec's replicas.
fn hosts(key: &str, spec: &MachineSpec) -> String {
    if spec.replicas.is_some() { group(key) } else { key.to_owned() }
}

/// A group's name has to be good as a variable's name.
fn group(key: &str) -> String {
    let name = key.replace(['-', '.'], "_");
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
}

fn play(key: &str, spec: &MachineSpec) -> Option<Value> {
    let hosts = hosts(key, spec);
    let refused = json!([{
        "name": key,
        "hosts": &hosts,
        "gather_facts": false,
        "tasks": [{ "name": "Find the lab's Ansible files", "ansible.builtin.fail": { "msg":
            "the path in the lab file cannot be given to Ansible: it starts at the lab file's folder and stays below it, \
             in names of letters, digits and . _ - + @" } }],
    }]);
    Some(match spec.ansible.as_ref()? {
        Ansible::Tasks(tasks) => json!([{ "name": key, "hosts": hosts, "become": true, "tasks": tasks }]),
        Ansible::Playbook(path) if is_plain_path(path) => json!([{ "import_playbook": format!("../lab/{path}") }]),
        Ansible::Roles(roles) if is_plain_path(roles.path.as_deref().unwrap_or(ROLES)) => {
            json!([{ "name": key, "hosts": hosts, "become": true, "roles": roles.roles }])
        }
        Ansible::Playbook(_) | Ansible::Roles(_) => refused,
    })
}

/// The folder of roles of a spec that names none.
const ROLES: &str = "roles";

fn configuration(lab: &Lab) -> String {
    let mut roles: Vec<&str> = lab
        .machines
        .values()
        .filter_map(|spec| match &spec.ansible {
            Some(Ansible::Roles(roles)) => Some(roles.path.as_deref().unwrap_or(ROLES)),
            _ => None,
        })
        .filter(|path| is_plain_path(path))
        .collect();
    roles.sort_unstable();
    roles.dedup();
    let roles_path: String = roles.iter().map(|path| format!("lab/{path}:")).collect();
    format!(
        "[defaults]\n\
         inventory = inventory.yaml\n\
         roles_path = {roles_path}~/.ansible/roles:/usr/share/ansible/roles:/etc/ansible/roles\n\
         host_key_checking = True\n\
         interpreter_python = auto_silent\n\
         retry_files_enabled = False\n\
         forks = 20\n\
         timeout = 30\n\
         \n\
         [ssh_connection]\n\
         pipelining = True\n\
         # A connection is kept for the next task, but not so long that it outlives the machine.\n\
         ssh_args = -F ssh_config -o ControlMaster=auto -o ControlPersist=15s\n"
    )
}

#[derive(Serialize)]
struct Inventory<'a> {
    all: All<'a>,
}

#[derive(Serialize)]
struct All<'a> {
    hosts: IndexMap<&'a str, Host<'a>>,
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    children: IndexMap<String, Group<'a>>,
}

#[derive(Serialize)]
struct Host<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    ansible_host: Option<Ipv4Addr>,
    ansible_user: Tagged<&'a str>,
}

impl Host<'_> {
    fn of(machine: &Machine) -> Host<'_> {
        Host { ansible_host: machine.address(), ansible_user: never_evaluated(&machine.user) }
    }
}

#[derive(Serialize)]
struct Group<'a> {
    hosts: IndexMap<&'a str, Empty>,
}

#[derive(Serialize)]
struct Empty {}

fn inventory(lab: &Lab, by_spec: &IndexMap<&str, Vec<&Machine>>) -> String {
    let is_group = |key: &str| lab.machines.get(key).is_some_and(|spec| spec.replicas.is_some());
    yaml::document(Inventory {
        all: All {
            hosts: by_spec.values().flatten().map(|machine| (machine.name.as_str(), Host::of(machine))).collect(),
            children: by_spec
                .iter()
                .filter(|(key, _)| is_group(key))
                .map(|(key, machines)| {
                    (group(key), Group { hosts: machines.iter().map(|machine| (machine.name.as_str(), Empty {})).collect() })
                })
                .collect(),
        },
    })
}

fn known_hosts<'a>(machines: impl Iterator<Item = &'a Machine>, context: &Context) -> String {
    let mut text = String::new();
    for machine in machines {
        let Some(pair) = context.host_keys.get(&machine.name) else { continue };
        let address = machine.address().map(|address| format!(",{address}")).unwrap_or_default();
        writeln!(text, "{}{address} {}", machine.name, pair.public.trim_end()).expect("a String takes all text");
    }
    text
}
