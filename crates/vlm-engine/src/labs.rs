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
    model::{Ansible, Firmware, MachineSpec, Nic},
    place::{Offer, Placement, place},
    problems::{Problem, Surroundings, wrong_lab_name},
};

use crate::{
    Engine, Resource, chain, deploy, export, hosts, images,
    lock::{self, Lock},
    runs::RunSummary,
    store::{self, LabRow, LabState, LabSummary, LabToSave},
    terraform::{create_private_dir, write_private},
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
    /// No machine of that name.
    #[error("lab `{lab}` has no machine `{machine}`")]
    NoMachine {
        /// The lab.
        lab: String,
        /// The machine.
        machine: String,
    },
    /// It is on a host.
    #[error("lab `{0}` is deployed; destroy it first")]
    Deployed(String),
    /// A name that no lab can have.
    #[error("{0}")]
    Name(String),
    /// There is one of that name.
    #[error("there is a lab `{0}` already; choose another name")]
    Taken(String),
    /// A lab that is saved under the name of another.
    #[error("this is the lab `{lab}`, and its file says `{name}`; clone it to have it under another name")]
    OtherName {
        /// The lab that is edited.
        lab: String,
        /// The name in its file.
        name: String,
    },
    /// A file.
    #[error("could not {what}")]
    Io {
        /// What was attempted.
        what: String,
        /// Why.
        source: io::Error,
    },
}

/// A lab as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct LabDocument {
    /// Its name.
    pub name: String,
    /// Counts up with every save.
    pub revision: u32,
    /// The lab file, as its author wrote it.
    pub text: String,
    /// The folder that the lab file lies in.
    pub dir: String,
    /// How it lies on its canvas; in the canvas' own words.
    pub layout: Option<String>,
}

/// A lab that was saved out of a file.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct SavedLab {
    /// Its name.
    pub name: String,
    /// Its revision now.
    pub revision: u32,
    /// What is wrong with it, or good to know.
    pub problems: Vec<Problem>,
}

/// What a text would be as a lab.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct CheckedText {
    /// Its name; none where the text makes no lab.
    pub name: Option<String>,
    /// What is wrong with it, or good to know.
    pub problems: Vec<Problem>,
    /// Its machines, in the order of the file, replicas unfolded.
    pub machines: Vec<DesignedMachine>,
}

/// A machine as its design says, with what is derived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct DesignedMachine {
    /// Its name.
    pub name: String,
    /// The machine in the file that it comes from: without the number of a replica.
    pub spec: String,
    /// What its author says of it.
    pub description: Option<String>,
    /// The host that it is, or would be, placed on.
    pub host: String,
    /// Its image.
    pub image: String,
    /// Virtual CPUs.
    pub vcpus: u32,
    /// Memory, in MiB.
    pub memory_mib: u32,
    /// Size of its system disk, in words.
    pub disk: String,
    /// Its network cards, in order.
    pub nics: Vec<DesignedNic>,
    /// How it boots.
    pub firmware: FirmwareKind,
    /// The account that is made in it.
    pub user: String,
    /// Machines that must be configured before it starts.
    pub depends_on: Vec<String>,
    /// Its published ports.
    pub ports: Vec<DesignedPort>,
}

/// A network card of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct DesignedNic {
    /// The network that it is on.
    pub network: String,
    /// Its MAC address.
    pub mac: String,
    /// Its IPv4 address, where it is known beforehand.
    pub address: Option<String>,
}

/// A published port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct DesignedPort {
    /// This computer's.
    pub local: u16,
    /// The guest's.
    pub guest: u16,
}

/// What a machine boots with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub enum FirmwareKind {
    /// SeaBIOS.
    Bios,
    /// OVMF, without secure boot.
    Uefi,
}

impl From<Firmware> for FirmwareKind {
    fn from(firmware: Firmware) -> FirmwareKind {
        match firmware {
            Firmware::Bios => FirmwareKind::Bios,
            Firmware::Uefi => FirmwareKind::Uefi,
        }
    }
}

impl From<Machine> for DesignedMachine {
    fn from(machine: Machine) -> DesignedMachine {
        DesignedMachine {
            memory_mib: machine.memory.as_mib() as u32,
            disk: machine.disk.to_string(),
            nics: nics_of(&machine),
            firmware: machine.firmware.into(),
            ports: machine.ports.iter().map(|(local, guest)| DesignedPort { local: *local, guest: *guest }).collect(),
            name: machine.name,
            spec: machine.spec,
            description: machine.description,
            host: machine.host,
            image: machine.image,
            vcpus: machine.vcpus,
            user: machine.user,
            depends_on: machine.depends_on,
        }
    }
}

/// The network cards of a machine, in order.
pub(crate) fn nics_of(machine: &Machine) -> Vec<DesignedNic> {
    let nic = |nic: &Nic| DesignedNic {
        network: nic.network.clone(),
        mac: nic.mac.to_string(),
        address: nic.address.map(|address| address.to_string()),
    };
    machine.nics.iter().map(nic).collect()
}

/// A rendered file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct LabFile {
    /// Its path in the lab's folder.
    pub path: String,
    /// What it says.
    pub text: String,
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
    /// The machine in the file that it comes from: without the number of a replica.
    pub spec: String,
    /// What its author says of it.
    pub description: Option<String>,
    /// Its network cards, in order.
    pub nics: Vec<DesignedNic>,
    /// Size of its system disk, in words.
    pub disk: String,
    /// How it boots.
    pub firmware: FirmwareKind,
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
                description: lab.description.as_deref(),
            },
            expected,
        )?;
        self.engine.stale(Resource::Labs);
        Ok((lab.name, revision))
    }

    /// What a text would be as a lab: as `lab`, or as a new one. Saves nothing.
    pub fn check_text(&self, text: &str, lab: Option<&str>) -> Result<CheckedText, Error> {
        let row = lab.map(|lab| self.get(lab)).transpose()?;
        let dir = match &row {
            Some(row) => PathBuf::from(&row.dir),
            None => self.folder_of_new(text),
        };
        let Checked { lab, problems } = self.check(text, &dir)?;
        let machines = match (&lab, &row) {
            (Some(lab), Some(row)) if lab.name == row.name => placed(row, lab),
            (Some(lab), _) => lab.machines(),
            (None, _) => Vec::new(),
        };
        Ok(CheckedText { name: lab.map(|lab| lab.name), problems, machines: machines.into_iter().map(Into::into).collect() })
    }

    /// Where the files of a lab are looked for that is not saved yet.
    fn folder_of_new(&self, text: &str) -> PathBuf {
        let name = file::read(text).map(|lab| lab.name).unwrap_or_default();
        match wrong_lab_name(&name) {
            None => self.engine.dirs().design(&name),
            Some(_) => self.engine.dirs().data.join("designs"),
        }
    }

    /// Saves what was edited here: over the revision `expected` of `lab`, or as a new lab in a folder of ours. An imperfect one is
    /// saved as well.
    pub fn save_text(
        &self,
        text: &str,
        lab: Option<&str>,
        expected: Option<u32>,
        layout: Option<&str>,
    ) -> Result<SavedLab, Error> {
        let named = match self.check_text(text, lab)? {
            CheckedText { name: Some(name), .. } => name,
            CheckedText { problems, .. } => return Err(Error::Unreadable(problems)),
        };
        let dir = match lab {
            Some(lab) if lab != named => return Err(Error::OtherName { lab: lab.to_owned(), name: named }),
            Some(lab) => PathBuf::from(self.get(lab)?.dir),
            None => self.new_folder(&named)?,
        };
        let (name, revision) = self.save(text, &dir, expected)?;
        let row = self.get(&name)?;
        if let Some(layout) = layout {
            self.engine.store().save_layout(row.id, layout)?;
        }
        if dir == self.engine.dirs().design(&name) {
            let path = dir.join("lab.yaml");
            let io = |source| Error::Io { what: format!("write {}", path.display()), source };
            create_private_dir(&dir).and_then(|()| write_private(&path, text)).map_err(io)?;
        }
        Ok(SavedLab { name, revision, problems: self.check(text, &dir)?.problems })
    }

    /// The folder of a lab that is not there yet, which a name decides.
    fn new_folder(&self, name: &str) -> Result<PathBuf, Error> {
        if let Some(wrong) = wrong_lab_name(name) {
            return Err(Error::Name(wrong));
        }
        if self.engine.store().lab(name)?.is_some() {
            return Err(Error::Taken(name.to_owned()));
        }
        Ok(self.engine.dirs().design(name))
    }

    /// Saves the lab file at `path` as a lab of its name, also an imperfect one. Its folder stays where it is.
    pub fn import(&self, path: &Path) -> Result<SavedLab, Error> {
        let io = |source| Error::Io { what: format!("read {}", path.display()), source };
        let text = fs::read_to_string(path).map_err(io)?;
        let full = fs::canonicalize(path).map_err(io)?;
        let dir = full.parent().unwrap_or(Path::new("/"));
        let checked = self.check(&text, dir)?;
        let Some(lab) = checked.lab else { return Err(Error::Unreadable(checked.problems)) };
        if let Some(wrong) = wrong_lab_name(&lab.name) {
            return Err(Error::Name(wrong));
        }
        // Its next revision, if it was read from there before; another lab of that name is somebody else's work.
        if self.engine.store().lab(&lab.name)?.is_some_and(|row| Path::new(&row.dir) != dir) {
            return Err(Error::Taken(lab.name));
        }
        let (name, revision) = self.save(&text, dir, None)?;
        Ok(SavedLab { name, revision, problems: checked.problems })
    }

    /// Saves a lab once more under another name, with the files that it names and its canvas.
    pub fn clone(&self, name: &str, new_name: &str) -> Result<SavedLab, Error> {
        let (row, lab) = self.read(name)?;
        let dir = self.new_folder(new_name)?;
        for path in authors_files(lab.machines.values(), Path::new(&row.dir)) {
            let (from, to) = (Path::new(&row.dir).join(&path), dir.join(&path));
            // What a draft names and is not there, is not there in its clone.
            if from.exists() {
                export::copy(&from, &to)?;
            }
        }
        let text = file::renamed(&row.document, new_name).expect("it was read before");
        let layout = self.engine.store().layout(row.id)?;
        self.save_text(&text, None, None, layout.as_deref())
    }

    /// A lab as it is stored.
    pub fn document(&self, name: &str) -> Result<LabDocument, Error> {
        let row = self.get(name)?;
        let layout = self.engine.store().layout(row.id)?;
        Ok(LabDocument { name: row.name, revision: row.revision, text: row.document, dir: row.dir, layout })
    }

    /// Notes how a lab lies on its canvas. That makes no new revision.
    pub fn save_layout(&self, name: &str, layout: &str) -> Result<(), Error> {
        Ok(self.engine.store().save_layout(self.get(name)?.id, layout)?)
    }

    /// All labs, by name.
    pub fn list(&self) -> Result<Vec<LabSummary>, Error> {
        let mut labs = self.engine.store().labs()?;
        for lab in &mut labs {
            lab.last_run = lab.last_run.take().map(|run| self.engine.runs().as_it_is(run));
        }
        Ok(labs)
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
                    nics: nics_of(&machine),
                    disk: machine.disk.to_string(),
                    firmware: machine.firmware.into(),
                    name: machine.name,
                    spec: machine.spec,
                    description: machine.description,
                    host: machine.host,
                    image: machine.image,
                    vcpus: machine.vcpus,
                    memory_mib: machine.memory.as_mib() as u32,
                }
            })
            .collect();
        let last_run = self.engine.store().runs(name, 1)?.pop().map(|run| self.engine.runs().as_it_is(run));
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
        // Of a folder of ours, what we wrote goes; where its author put more, it stays.
        let design = self.engine.dirs().design(name);
        let _ = fs::remove_file(design.join("lab.yaml")).and_then(|()| fs::remove_dir(&design));
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
