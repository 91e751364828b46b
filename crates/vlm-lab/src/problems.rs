//! What is wrong with a lab, all at once.
//!
//! A lab may be wrong while it is being designed: every rule here looks at the whole draft, reports what it finds, and
//! leaves the others to report theirs. Only a deploy insists on an empty list.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    file::Place,
    model::{Lab, Machine, MachineSpec, Network, NicSpec, Size},
};
use path::Path;

mod addresses;
pub(crate) mod ansible;
mod cloud_config;
mod machines;
pub(crate) mod mismatch;
mod names;
mod networks;
pub(crate) mod path;

pub(crate) use crate::file::Unread;
pub use names::wrong_lab_name;

/// How many machines a lab may have: enough for any one that this is made for, and few enough to be told at once.
const MAX_MACHINES: u64 = 10_000;

/// One thing that is wrong with a lab, or that its author should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Problem {
    /// Where in the lab: `machines.web.nics[0].address`. Empty for the lab as a whole.
    pub path: String,
    /// Where in the file, when the lab came from one.
    pub place: Option<Place>,
    /// Whether it stands in the way of a deploy.
    pub severity: Severity,
    /// What is wrong and what to do, as a sentence without its full stop.
    pub message: String,
}

/// How bad a [`Problem`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub enum Severity {
    /// A deploy would fail, or do what nobody wants.
    Error,
    /// A deploy works, and its author should know.
    Warning,
}

/// What the caller knows of the world; `None` means not known, and so not checked.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// The images that a machine can start from, by name.
    pub images: Option<BTreeMap<String, ImageFacts>>,
    /// Names of the hosts that a machine can run on.
    pub hosts: Option<BTreeSet<String>>,
    /// Text of the files that the lab names (see [`crate::file::referenced_files`]), or why one cannot be read. A role's
    /// folder that is there has an empty text. A file that is not listed is not checked.
    pub files: BTreeMap<String, Result<String, String>>,
}

/// What matters about an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFacts {
    /// The size of the disk inside: a machine's disk cannot be smaller.
    pub virtual_size: Size,
    /// Whether it boots with UEFI; `None` when nobody knows.
    pub uefi: Option<bool>,
}

/// Everything that is wrong with `lab`, in the order of the rules.
pub fn problems(lab: &Lab, surroundings: &Surroundings) -> Vec<Problem> {
    let problem = |Finding { path, severity, message }| Problem { path: path.to_string(), place: None, severity, message };
    findings(lab, surroundings, &Unread::default()).into_iter().map(problem).collect()
}

/// A [`Problem`] whose place in the file is still to be found.
#[derive(Debug)]
pub(crate) struct Finding {
    pub path: Path,
    pub severity: Severity,
    pub message: String,
}

/// What every rule sees of the lab, and where it puts what it finds.
struct Report<'a> {
    lab: &'a Lab,
    /// The machines that follow from the lab; none when there are too many to unfold.
    machines: Vec<Machine>,
    surroundings: &'a Surroundings,
    /// What the file says and the lab lacks: its absence is not to be held against the lab.
    unread: &'a Unread,
    found: Vec<Finding>,
}

impl<'a> Report<'a> {
    fn error(&mut self, path: Path, message: String) {
        self.found.push(Finding { path, severity: Severity::Error, message });
    }

    fn warning(&mut self, path: Path, message: String) {
        self.found.push(Finding { path, severity: Severity::Warning, message });
    }

    fn specs(&self) -> impl Iterator<Item = (&'a String, &'a MachineSpec)> + use<'a> {
        self.lab.machines.iter()
    }

    fn networks(&self) -> impl Iterator<Item = (&'a String, &'a Network)> + use<'a> {
        self.lab.networks.iter()
    }

    /// Every interface that the file writes out, with its path.
    fn nics(&self) -> impl Iterator<Item = (Path, &'a String, &'a MachineSpec, &'a NicSpec)> + use<'a> {
        self.specs().flat_map(|(name, spec)| {
            let nics = spec.nics.as_deref().unwrap_or_default().iter().enumerate();
            nics.map(move |(index, nic)| (path::at!["machines", name, "nics", index], name, spec, nic))
        })
    }
}

pub(crate) fn findings(lab: &Lab, surroundings: &Surroundings, unread: &Unread) -> Vec<Finding> {
    let mut report = Report { lab, machines: Vec::new(), surroundings, unread, found: Vec::new() };
    if machines::are_few_enough(&mut report) {
        report.machines = lab.machines();
    }
    for rule in RULES {
        rule(&mut report);
    }
    report.found
}

const RULES: &[fn(&mut Report)] = &[
    names::lab_name,
    names::network_names,
    names::machine_names,
    names::disk_names,
    names::replicas_do_not_clash,
    networks::there_is_one_where_one_is_needed,
    networks::have_a_subnet,
    networks::subnets_are_networks,
    networks::subnets_are_for_machines,
    networks::subnets_do_not_overlap,
    networks::have_room,
    networks::fields_fit_the_mode,
    networks::domains_are_domains,
    networks::domains_have_names,
    networks::stay_on_one_host,
    addresses::networks_are_known,
    addresses::fixed_addresses_are_on_the_network,
    addresses::fixed_addresses_of_replicas_count_up,
    addresses::addresses_are_used_once,
    addresses::macs_are_of_one_machine,
    machines::there_is_one,
    machines::images_are_known,
    machines::images_boot,
    machines::hosts_are_known,
    machines::dependencies_are_known,
    machines::dependencies_end,
    machines::sizes_can_be,
    machines::disks_hold_their_image,
    machines::devices_fit,
    machines::ports_are_free,
    machines::ports_lead_somewhere,
    machines::users_can_be_made,
    machines::ssh_keys_are_public_keys,
    machines::packages_are_names,
    machines::text_is_text,
    cloud_config::fits_its_schema,
    cloud_config::leaves_our_way_in,
    cloud_config::is_for_somebody,
    ansible::tasks_are_tasks,
    ansible::handlers_are_there,
    ansible::playbooks_are_plays,
    ansible::roles_are_roles,
];
