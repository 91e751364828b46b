//! Labs: designs with revisions, and what is there of them on hosts.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Component, Path, PathBuf},
};

use serde::Serialize;
use serde_json::{Map, Value};
use vlm_lab::{
    Lab, Machine,
    file::{self, Checked},
    lifecycle::DomainState,
    model::{Ansible, MachineSpec},
    place::{Offer, Placement, place},
    problems::{Problem, Surroundings},
};

use crate::{
    Engine, Resource, chain, deploy, hosts, images,
    lock::{self, Lock},
    runs::RunSummary,
    store::{self, LabRow, LabState, LabSummary, LabToSave},
};

/// Why something about a lab could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Images.
    #[error(transparent)]
    Images(#[from] images::Error),
    /// No lab of that name.
    #[error("there is no lab `{0}`; `vlm list` shows those there are")]
    Unknown(String),
    /// The file makes no lab at all.
    #[error("the lab file cannot be read")]
    Unreadable(Vec<Problem>),
    /// The lab's lock.
    #[error(transparent)]
    Lock(#[from] lock::Error),
    /// It is on a host.
    #[error("lab `{0}` is deployed; destroy it first")]
    Deployed(String),
    /// A file.
    #[error("could not {what}")]
    Io {
        /// What was attempted.
        what: String,
        /// Why.
        source: io::Error,
    },
}

/// A lab with its machines as they are now.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct LabStatus {
    /// Its name.
    pub name: String,
    /// What the last run left.
    pub state: LabState,
    /// Revision of the design.
    pub revision: u32,
    /// Its machines, in the order of the file.
    pub machines: Vec<MachineStatus>,
    /// The last run.
    pub last_run: Option<RunSummary>,
    /// Why the machines' states are not known, if they are not.
    pub unknown: Option<String>,
}

/// A machine as it is now.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct MachineStatus {
    /// Its name.
    pub name: String,
    /// The host it is placed on.
    pub host: String,
    /// Its domain's state; none when there is no domain, or none is known.
    pub state: Option<DomainState>,
    /// Whether it was ready and configured after it was last started.
    pub configured: bool,
    /// The address it is reached at.
    pub address: Option<String>,
    /// Its image.
    pub image: String,
    /// Virtual CPUs.
    pub vcpus: u32,
    /// Memory, in MiB.
    pub memory_mib: u32,
}

/// What can be asked of labs.
pub struct Labs<'a> {
    pub(crate) engine: &'a Engine,
}

impl Labs<'_> {
    /// Reads a lab file's text against what is known here: images, hosts, and the files it names below `dir`.
    pub fn check(&self, text: &str, dir: &Path) -> Result<Checked, Error> {
        let mut surroundings = Surroundings {
            images: Some(self.engine.images().known()?),
            hosts: Some(self.engine.hosts().names()?),
            files: BTreeMap::new(),
        };
        // What a file with mistakes names is looked at as well, as far as it can be read: all problems are told at once.
        let lab = file::read(text).ok().or_else(|| file::check(text, &surroundings).lab);
        if let Some(lab) = lab {
            surroundings.files = read_referenced(&lab, dir);
        }
        Ok(file::check(text, &surroundings))
    }

    /// Saves a lab, also an imperfect one. With `expected`, only over that revision. Returns its name and new revision.
    pub fn save(&self, text: &str, dir: &Path, expected: Option<u32>) -> Result<(String, u32), Error> {
        let checked = self.check(text, dir)?;
        let Some(lab) = checked.lab else { return Err(Error::Unreadable(checked.problems)) };
        let machines = match self.engine.store().lab(&lab.name)? {
            Some(row) => placed(&row, &lab),
            None => lab.machines(),
        };
        let revision = self.engine.store().save_lab(
            &LabToSave {
                name: &lab.name,
                document: text,
                dir: &dir.to_string_lossy(),
                machine_count: machines.len() as u32,
                hosts: &hosts_of(&machines),
            },
            expected,
        )?;
        self.engine.stale(Resource::Labs);
        Ok((lab.name, revision))
    }

    /// All labs, by name.
    pub fn list(&self) -> Result<Vec<LabSummary>, Error> {
        Ok(self.engine.store().labs()?)
    }

    /// The stored lab of that name.
    pub fn get(&self, name: &str) -> Result<LabRow, Error> {
        self.engine.store().lab(name)?.ok_or_else(|| Error::Unknown(name.to_owned()))
    }

    /// The stored lab of that name, read.
    pub fn read(&self, name: &str) -> Result<(LabRow, Lab), Error> {
        let row = self.get(name)?;
        let lab = file::read(&row.document).map_err(Error::Unreadable)?;
        Ok((row, lab))
    }

    /// A lab's machines as they are now. A host that cannot be asked is no failure: what is remembered is shown.
    pub async fn status(&self, name: &str) -> Result<LabStatus, Error> {
        let (row, lab) = self.read(name)?;
        let rows: BTreeMap<_, _> =
            self.engine.store().machines(row.id)?.into_iter().map(|row| (row.name.clone(), row)).collect();
        let design = placed(&row, &lab);
        let mut states = BTreeMap::new();
        let mut unknown = Vec::new();
        if row.state != LabState::Designed {
            let hosts: BTreeSet<&str> = design.iter().map(|machine| machine.host.as_str()).collect();
            for host in hosts {
                match self.domain_states(&lab, host).await {
                    Ok(found) => states.extend(found.into_iter().map(|(machine, state)| ((host.to_owned(), machine), state))),
                    Err(error) => unknown.push(chain(&error)),
                }
            }
        }
        let unknown = Some(unknown.join("; ")).filter(|reasons| !reasons.is_empty());
        let machines = design
            .into_iter()
            .map(|machine| {
                let known = rows.get(&machine.name);
                MachineStatus {
                    state: states.get(&(machine.host.clone(), machine.name.clone())).copied(),
                    configured: known.is_some_and(|row| row.ready && row.configured.is_some()),
                    address: known.and_then(|row| row.address.clone()).or(machine.address().map(|a| a.to_string())),
                    name: machine.name,
                    host: machine.host,
                    image: machine.image,
                    vcpus: machine.vcpus,
                    memory_mib: machine.memory.as_mib() as u32,
                }
            })
            .collect();
        let last_run = self.engine.store().runs(name, 1)?.pop().map(|run| self.engine.runs().as_it_is(name, run));
        Ok(LabStatus { name: row.name, state: row.state, revision: row.revision, machines, last_run, unknown })
    }

    async fn domain_states(&self, lab: &Lab, host: &str) -> Result<BTreeMap<String, DomainState>, hosts::Error> {
        let prefix = format!("{}.", lab.name);
        let domains = self.engine.hosts().get(host)?.connection().await?.domains().await?;
        Ok(domains
            .into_iter()
            .filter_map(|domain| Some((domain.name.strip_prefix(&prefix)?.to_owned(), domain.state)))
            .collect())
    }

    /// Decides where machines stand that name no host: where they are, else on one of `hosts`, else where others of the lab are.
    pub(crate) async fn settle(&self, row: LabRow, lab: &Lab, hosts: &[String]) -> Result<LabRow, deploy::Error> {
        let rows = self.engine.store().machines(row.id)?;
        let mut settled: Placement = rows.into_iter().map(|row| (row.name, row.host)).collect();
        let named = |name: &str| lab.machines().iter().any(|machine| machine.name == name && names_host(lab, machine));
        if let Some((machine, host)) =
            settled.iter().find(|(machine, host)| !hosts.is_empty() && !hosts.contains(host) && !named(machine))
        {
            return Err(deploy::Error::Refused {
                message: format!("machine `{machine}` of lab `{}` is on host `{host}` already", row.name),
                remedy:
                    "destroy the lab first, or name its new host in the lab file: it is made anew there, and its disks are lost"
                        .into(),
            });
        }
        let mut offers = Vec::new();
        for host in hosts {
            let of_host = |error| deploy::Error::of_host(host, error);
            let found = self.engine.hosts().get(host).map_err(of_host)?;
            // One host needs no comparing; it is asked soon enough.
            let free_memory_mib = if hosts.len() > 1 { found.facts().await.map_err(of_host)?.free_memory_mib } else { 0 };
            offers.push(Offer { host: host.clone(), free_memory_mib });
        }
        // What an earlier plan thought of a lab that was not deployed then does not bind.
        if hosts.is_empty() && row.state != LabState::Designed {
            let known: BTreeSet<&String> = row.placement.values().collect();
            offers.extend(known.into_iter().map(|host| Offer { host: host.clone(), free_memory_mib: 0 }));
            settled = row.placement.iter().map(|(machine, host)| (machine.clone(), host.clone())).chain(settled).collect();
        }
        let placement = place(lab, &settled, &offers).map_err(|spans| deploy::Error::Refused {
            message: spans.to_string(),
            remedy: "destroy the lab first, or name hosts in the lab file".into(),
        })?;
        self.engine.store().set_placement(row.id, &placement)?;
        Ok(LabRow { placement, ..row })
    }

    /// Forgets a lab that is on no host, with what was rendered of it.
    pub fn remove(&self, name: &str) -> Result<(), Error> {
        // Whoever has planned a deploy of it is about to begin.
        let _lock = Lock::take(&self.engine.dirs().data.join("locks"), name)?;
        if self.get(name)?.state != LabState::Designed {
            return Err(Error::Deployed(name.to_owned()));
        }
        let dir = self.engine.dirs().lab(name);
        if dir.exists() {
            let what = || format!("delete {}", dir.display());
            fs::remove_dir_all(&dir).map_err(|source| Error::Io { what: what(), source })?;
        }
        self.engine.store().remove_lab(name)?;
        self.engine.stale(Resource::Labs);
        Ok(())
    }

    /// The folder of a deployed lab's Ansible project, with the `ssh_config` that enters its machines.
    pub fn project_dir(&self, name: &str) -> PathBuf {
        self.engine.dirs().lab(name).join("ansible")
    }
}

/// The machines of a lab, each on its host: where the file says, or where it was decided.
pub(crate) fn placed(row: &LabRow, lab: &Lab) -> Vec<Machine> {
    let mut machines = lab.machines();
    for machine in &mut machines {
        if let Some(host) = row.placement.get(&machine.name).filter(|_| !names_host(lab, machine)) {
            machine.host.clone_from(host);
        }
    }
    machines
}

/// Names of the machines' hosts, separated by commas.
pub(crate) fn hosts_of(machines: &[Machine]) -> String {
    let hosts: BTreeSet<&str> = machines.iter().map(|machine| machine.host.as_str()).collect();
    hosts.into_iter().collect::<Vec<_>>().join(",")
}

fn names_host(lab: &Lab, machine: &Machine) -> bool {
    lab.host.is_some() || lab.machines[&machine.spec].host.is_some()
}

/// The playbooks and role folders that a lab names, as far as they can be read.
pub(crate) fn read_referenced(lab: &Lab, dir: &Path) -> BTreeMap<String, Result<String, String>> {
    let read = |path: &str| {
        let full = dir.join(path);
        if full.is_dir() { Ok(String::new()) } else { fs::read_to_string(&full).map_err(|error| error.to_string()) }
    };
    file::referenced_files(lab).into_iter().map(|path| (path.clone(), read(&path))).collect()
}

/// Folders that Ansible looks for beside a playbook.
const BESIDE_A_PLAYBOOK: [&str; 8] = ["roles", "templates", "files", "vars", "tasks", "handlers", "group_vars", "host_vars"];

/// What the machines' configuration is made of beside their plays, relative to `dir`, the lab file's folder, as far as it is
/// there: playbooks with the folders beside them, role folders, and files that inline tasks name.
pub(crate) fn authors_files<'a>(specs: impl IntoIterator<Item = &'a MachineSpec>, dir: &Path) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for ansible in specs.into_iter().filter_map(|spec| spec.ansible.as_ref()) {
        paths.extend(file::files_of(ansible).into_iter().map(PathBuf::from));
        match ansible {
            Ansible::Playbook(playbook) => {
                let folder = Path::new(playbook).parent().unwrap_or(Path::new(""));
                paths.extend(BESIDE_A_PLAYBOOK.iter().map(|name| folder.join(name)).filter(|path| dir.join(path).is_dir()));
            }
            Ansible::Tasks(tasks) => tasks.iter().flat_map(Map::values).for_each(|value| named_files(value, dir, &mut paths)),
            Ansible::Roles(_) => {}
        }
    }
    paths.sort();
    paths.dedup();
    paths
}

/// Texts in `value` that are paths of files below `dir`.
fn named_files(value: &Value, dir: &Path, paths: &mut Vec<PathBuf>) {
    match value {
        Value::String(text) => {
            let path = Path::new(text);
            let below = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
            if !text.is_empty() && below && dir.join(path).is_file() {
                paths.push(path.to_owned());
            }
        }
        Value::Array(values) => values.iter().for_each(|value| named_files(value, dir, paths)),
        Value::Object(fields) => fields.values().for_each(|value| named_files(value, dir, paths)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// All files that one machine's configuration is made of beside its play, for its fingerprint.
pub(crate) fn configuration_files(lab: &Lab, machine: &Machine, dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut open: Vec<PathBuf> =
        authors_files(lab.machines.get(&machine.spec), dir).into_iter().map(|path| dir.join(path)).collect();
    let mut files = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).into_iter().flatten().flatten();
            // A link to a folder may lead in circles.
            open.extend(entries.map(|entry| entry.path()).filter(|path| !(path.is_symlink() && path.is_dir())));
        } else if let Ok(bytes) = fs::read(&path) {
            files.push((path, bytes));
        }
    }
    files.sort();
    files
}
