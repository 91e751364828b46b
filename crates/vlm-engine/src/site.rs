//! A lab on its hosts: what all steps of a run share. [`Site`] is the lab here, [`Place`] its part on one host.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs, io,
    net::Ipv4Addr,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use sha2::{Digest, Sha256};
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;
use vlm_lab::{
    Lab, Machine,
    lifecycle::DomainState,
    model::{Firmware, NetworkMode},
    plan::{Change, ChangeKind},
    problems::Severity,
    render::{self, Context, KeyPair},
};

use crate::{
    Engine,
    acceleration::{self, Accelerated},
    ansible::message::TaskEvent,
    deploy::{Error, LetGo},
    hosts::{self, Host},
    images,
    journal::{Journal, fault},
    labs,
    libvirt::{Connection, HostFacts, Thing},
    lock::Lock,
    ports,
    readiness::States,
    runs::{EventBody, TaskOutcome},
    ssh::{self, Way},
    store::{LabRow, MachineRow},
    terraform::{Known, Planned, Terraform, create_private_dir, write_private},
};

/// How long a machine may take to be ready under KVM and under TCG, unless the settings say otherwise.
const READY_LIMIT_KVM: Duration = Duration::from_secs(5 * 60);
/// An emulated guest on a busy computer takes minutes for what KVM does in seconds.
const READY_LIMIT_TCG: Duration = Duration::from_secs(20 * 60);
/// How often a host's domains are listed when libvirt tells of no change: should an event have been lost.
const LOOK_AT_LEAST_EVERY: Duration = Duration::from_secs(5);

/// A lab in the hands of one process: everything that the steps of a run share.
pub(crate) struct Site {
    pub(crate) engine: Engine,
    pub(crate) row: LabRow,
    pub(crate) lab: Lab,
    pub(crate) machines: Vec<Machine>,
    pub(crate) dir: PathBuf,
    pub(crate) key: Arc<KeyPair>,
    /// At least one. In the order of the machines; then hosts that only an earlier design used.
    pub(crate) places: Vec<Place>,
    _lock: Lock,
}

/// What a lab is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To make it as it is designed, or to power it on.
    Deploy,
    /// To find what is there of it, whatever Terraform's state has become.
    Adopt,
    /// To stop it or to take it away, however its design reads by now.
    TakeAway,
}

/// One host's part of a lab.
pub(crate) struct Place {
    pub(crate) engine: Engine,
    pub(crate) host: Arc<Host>,
    lab: String,
    /// Where its directory of Terraform's and its claims lie.
    dir: PathBuf,
    pub(crate) terraform: Terraform,
    /// libvirt's URI for the provider, in this process.
    pub(crate) uri: String,
    pub(crate) connection: Connection,
    pub(crate) facts: HostFacts,
    pub(crate) acceleration: Accelerated,
    pub(crate) context: Context,
    /// What was wrong with Terraform's state, if it had to be mended.
    pub(crate) mended: Option<String>,
    /// Whether nothing says any more what was made here: what bears the lab's names is all that is known.
    pub(crate) lost: bool,
}

impl Site {
    /// Opens a lab for a run that needs a lab without errors, its machines placed on `hosts` where they name none.
    pub(crate) async fn open(engine: &Engine, name: &str, hosts: &[String], purpose: Purpose) -> Result<Site, Error> {
        let lock = Lock::take(&engine.dirs().data.join("locks"), name)?;
        engine.runs().note_cut_off(name)?;
        let (row, lab) = engine.labs().read(name)?;
        let problems = engine.labs().check(&row.document, Path::new(&row.dir))?.problems;
        if problems.iter().any(|problem| problem.severity == Severity::Error) {
            return Err(Error::Problems { lab: name.to_owned(), problems });
        }
        let row = engine.labs().settle(row, &lab, hosts).await?;
        Self::open_with(engine, row, lab, lock, purpose).await
    }

    /// Opens a lab whose document may have errors by now: what is there of it can still be stopped and taken away.
    pub(crate) async fn open_any(engine: &Engine, name: &str) -> Result<Site, Error> {
        let lock = Lock::take(&engine.dirs().data.join("locks"), name)?;
        engine.runs().note_cut_off(name)?;
        let (row, lab) = engine.labs().read(name)?;
        Self::open_with(engine, row, lab, lock, Purpose::TakeAway).await
    }

    async fn open_with(engine: &Engine, row: LabRow, lab: Lab, lock: Lock, purpose: Purpose) -> Result<Site, Error> {
        let whatever = purpose == Purpose::TakeAway;
        let machines = labs::placed(&row, &lab);
        let images: BTreeMap<String, String> = engine.store().images()?.into_iter().map(|row| (row.name, row.digest)).collect();
        let mut missing: Vec<String> =
            machines.iter().map(|m| m.image.clone()).filter(|image| !images.contains_key(image)).collect();
        missing.sort();
        missing.dedup();
        if !missing.is_empty() && !whatever {
            // What a recipe can build is built, also where the catalog has that name, too.
            let recipe = |image: &String| images::RECIPES.iter().any(|(name, ..)| name == image);
            let (build, pull): (Vec<_>, Vec<_>) = missing.into_iter().partition(recipe);
            return Err(if build.is_empty() { Error::ImagesToPull(pull) } else { Error::ImagesToBuild(build) });
        }
        let dir = engine.dirs().lab(&row.name);
        if !whatever && machines.iter().any(|machine| machine.ansible.is_some()) {
            engine.ansible(&dir.join("ansible")).await?;
        }
        let keys = Keys::open(&dir)?;
        let context = Context {
            host: String::new(),
            libvirt_uri: String::new(),
            pool: engine.settings().pool().to_owned(),
            domain_type: render::DomainType::Qemu,
            base_volumes: images.iter().map(|(name, digest)| (name.clone(), format!("{digest}.qcow2"))).collect(),
            host_keys: if whatever { BTreeMap::new() } else { keys.of_machines(&machines)? },
            lab_key: keys.lab.public.clone(),
            uefi: None,
            ssh_ports: engine.store().ssh_ports(row.id)?,
            lab_dir: PathBuf::from(&row.dir),
        };
        let mut hosts: Vec<String> = Vec::new();
        for host in machines.iter().map(|machine| machine.host.clone()).chain(with_state(&dir)) {
            if !hosts.contains(&host) {
                hosts.push(host);
            }
        }
        if hosts.is_empty() {
            hosts.push(hosts::LOCAL.to_owned());
        }
        let rows = engine.store().machines(row.id)?;
        let mut places = Vec::new();
        for host in hosts {
            let remembered = rows.iter().any(|row| row.host == host);
            let context = Context { host, ..context.clone() };
            places.push(Place::open(engine, &lab, &machines, &dir, context, remembered, purpose).await?);
        }
        Ok(Site { engine: engine.clone(), row, lab, machines, dir, key: Arc::new(keys.lab), places, _lock: lock })
    }

    /// The place that a machine is in, or is to be.
    pub(crate) fn place_of(&self, machine: &Machine) -> &Place {
        self.places.iter().find(|place| place.host.name == machine.host).expect("each machine's host is a place")
    }

    /// The place where the domain of a machine is, be it one that the design has no more.
    pub(crate) async fn place_of_domain(&self, machine: &str) -> Result<&Place, Error> {
        if let Some(machine) = self.machines.iter().find(|known| known.name == machine) {
            return Ok(self.place_of(machine));
        }
        for place in &self.places {
            if place.states().await?.contains_key(machine) {
                return Ok(place);
            }
        }
        Ok(&self.places[0])
    }

    /// Names of the lab's machines in a place: of the design, and those that we remember to have made.
    pub(crate) fn names_on(&self, place: &Place) -> Result<BTreeSet<String>, Error> {
        let rows = self.engine.store().machines(self.row.id)?.into_iter().map(|row| (row.name, row.host));
        let designed = self.machines.iter().map(|machine| (machine.name.clone(), machine.host.clone()));
        Ok(rows.chain(designed).filter(|(_, host)| *host == place.host.name).map(|(name, _)| name).collect())
    }

    /// Whether it matters to say which host is meant.
    pub(crate) fn spans_hosts(&self) -> bool {
        self.places.len() > 1
    }

    /// How many machines may come up at once.
    pub(crate) fn starts_at_once(&self) -> usize {
        let each = self.places.iter().map(|place| {
            let cpus = place.facts.cpus.max(1) as usize;
            // An emulated guest that boots takes a whole processor; under KVM it mostly waits for its disk.
            if place.acceleration.kvm { cpus * 2 } else { cpus.max(2) }
        });
        self.engine.settings().starts_at_once.map(NonZeroUsize::get).unwrap_or(each.sum())
    }

    /// Writes what Terraform and Ansible read.
    pub(crate) fn write(&self) -> Result<(), Error> {
        for place in &self.places {
            place.terraform.write(&render::terraform::terraform(&self.lab, &self.machines, &place.context))?;
            write_seeds(&self.lab, &self.machines, &place.context, &place.terraform.dir)?;
        }
        self.write_project()
    }

    /// Writes the Ansible project, with the addresses that became known only at run time.
    pub(crate) fn write_project(&self) -> Result<(), Error> {
        let machines = &self.machines_with_addresses()?;
        // It is the same for all hosts.
        let context = &self.places[0].context;
        let project = self.dir.join("ansible");
        let io = |what: String| move |source| Error::Io { what, source };
        let mut files = render::ansible::ansible(&self.lab, machines, context);
        files.insert("ssh_config".into(), render::ansible::ssh_config(machines, &context.ssh_ports, Some(&project)));
        files.insert("ssh/id_ed25519".into(), self.key.private.clone());
        for (name, text) in &files {
            let path = project.join(name);
            write_private(&path, text).map_err(io(format!("write {}", path.display())))?;
        }
        // Plays of specs that are gone, so that the folder is what the lab says.
        for entry in fs::read_dir(project.join("plays")).into_iter().flatten().flatten() {
            let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
            if is_file && !files.contains_key(&format!("plays/{}", entry.file_name().to_string_lossy())) {
                fs::remove_file(entry.path()).map_err(io(format!("delete {}", entry.path().display())))?;
            }
        }
        let link = project.join("lab");
        if fs::read_link(&link).ok().as_deref() != Some(Path::new(&self.row.dir)) {
            let _ = fs::remove_file(&link);
            std::os::unix::fs::symlink(&self.row.dir, &link).map_err(io(format!("make {}", link.display())))?;
        }
        link_plays(&project)
    }

    /// The machines, those without a derived address with the one that they were last seen at.
    fn machines_with_addresses(&self) -> Result<Vec<Machine>, Error> {
        let known: BTreeMap<String, Ipv4Addr> = self
            .engine
            .store()
            .machines(self.row.id)?
            .into_iter()
            .filter_map(|row| Some((row.name, row.address?.parse().ok()?)))
            .collect();
        let mut machines = self.machines.clone();
        for machine in machines.iter_mut().filter(|machine| machine.address().is_none()) {
            if let (Some(nic), Some(address)) = (machine.nics.first_mut(), known.get(&machine.name)) {
                nic.address = Some(*address);
            }
        }
        Ok(machines)
    }

    /// Gives each machine behind a remote host a port of this computer that leads to its SSH server.
    pub(crate) fn assign_ssh_ports(&mut self) -> Result<(), Error> {
        let remote = |machine: &&Machine| matches!(self.place_of(machine).host.way, Way::Through(_));
        let names: Vec<&str> = self.machines.iter().filter(remote).map(|machine| machine.name.as_str()).collect();
        let ports = self.engine.store().assign_ssh_ports(self.row.id, &names, ports::SSH, ports::is_free)?;
        if ports.len() < names.len() {
            return Err(Error::Refused {
                message: format!("no port of {} to {} is left for SSH to the machines", ports::SSH.start(), ports::SSH.end()),
                remedy: "destroy labs that you do not need".into(),
            });
        }
        for place in &mut self.places {
            place.context.ssh_ports = ports.clone();
        }
        Ok(())
    }

    /// States of the lab's own domains, by machine name, each on the host that it belongs to.
    pub(crate) async fn states(&self) -> Result<HashMap<String, DomainState>, Error> {
        let mut states = HashMap::new();
        for place in &self.places {
            let here: BTreeSet<&str> = self
                .machines
                .iter()
                .filter(|machine| machine.host == place.host.name)
                .map(|machine| machine.name.as_str())
                .collect();
            let elsewhere = |name: &String| self.machines.iter().any(|machine| machine.name == *name);
            let domains = place.states().await?.into_iter();
            states.extend(domains.filter(|(name, _)| here.contains(name.as_str()) || !elsewhere(name)));
        }
        Ok(states)
    }

    /// Machines that must be started, and machines that must be waited for and configured, once `work` is applied: a plan for
    /// each place, or none at all.
    pub(crate) async fn to_do(&self, work: &[Planned]) -> Result<(Vec<String>, Vec<String>), Error> {
        let states = self.states().await?;
        let rows: BTreeMap<String, MachineRow> =
            self.engine.store().machines(self.row.id)?.into_iter().map(|row| (row.name.clone(), row)).collect();
        let mut made = BTreeSet::new();
        for (place, planned) in self.places.iter().zip(work) {
            let anew = planned.changes.iter().filter(|change| {
                matches!(change.kind, ChangeKind::Create | ChangeKind::Replace)
                    && matches!(change.resource(), "libvirt_domain.machine" | "libvirt_volume.system")
            });
            made.extend(anew.map(|change| (place.host.name.as_str(), change.machine())));
        }
        let (mut starts, mut configures) = (Vec::new(), Vec::new());
        for machine in &self.machines {
            // One that is held goes on: a run that was cut off may have left it so.
            let on = states.get(&machine.name).is_some_and(|state| state.is_active() && *state != DomainState::Paused);
            if !on || made.contains(&(machine.host.as_str(), machine.name.as_str())) {
                starts.push(machine.name.clone());
            } else if rows.get(&machine.name).is_none_or(|row| !row.ready)
                || rows.get(&machine.name).and_then(|row| row.configured.clone()) != Some(self.fingerprint(machine).await?)
            {
                configures.push(machine.name.clone());
            }
        }
        Ok((starts, configures))
    }

    /// What a machine's configuration is made of: its play, and the files that it names.
    pub(crate) async fn fingerprint(&self, machine: &Machine) -> Result<String, Error> {
        let mut hasher = Sha256::new();
        let play = self.dir.join("ansible/plays").join(format!("{}.yaml", machine.spec));
        hasher.update(fs::read(play).unwrap_or_default());
        for (path, bytes) in labs::configuration_files(&self.lab, machine, Path::new(&self.row.dir)) {
            hasher.update(path.as_os_str().as_encoded_bytes());
            hasher.update((bytes.len() as u64).to_be_bytes());
            hasher.update(bytes);
        }
        Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Refuses what would collide with things on the hosts, or on this computer, that are not this lab's.
    pub(crate) async fn refuse_conflicts(&self) -> Result<(), Error> {
        for place in &self.places {
            place.refuse_conflicts(&self.lab, &self.machines).await?;
        }
        let ports = self.machines.iter().flat_map(|machine| machine.ports.iter().map(|(ours, _)| *ours));
        if let Err(error @ ports::Error::Port { .. }) = self.engine.ports().check(&self.lab.name, ports) {
            return Err(Error::Refused {
                message: error.to_string(),
                remedy: "choose another port under `ports`, or end the program that has it".into(),
            });
        }
        Ok(())
    }

    /// Opens the lab's published ports, or closes those that the lab no longer has.
    pub(crate) async fn publish(&self, journal: &Journal) -> Result<(), Error> {
        let lab = &self.lab.name;
        self.engine.ports().open(lab).await?;
        for (port, to) in self.engine.ports().of(lab)?.into_iter().filter(|(_, to)| to.published) {
            journal.say(EventBody::step(format!("127.0.0.1:{port} leads to {to}")));
        }
        Ok(())
    }

    pub(crate) async fn configure(
        &self,
        machine: &Machine,
        journal: &Journal,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let name = &machine.name;
        journal.say_of(name, EventBody::step("configuring with Ansible"));
        let ansible = self.engine.ansible(&self.dir.join("ansible")).await?;
        ansible
            .play(&format!("plays/{}.yaml", machine.spec), name, cancel, |event| {
                let (task, outcome) = match event {
                    TaskEvent::Started { task } => (task, TaskOutcome::Started),
                    TaskEvent::Done { task, changed } => (task, if changed { TaskOutcome::Changed } else { TaskOutcome::Ok }),
                    TaskEvent::Skipped { task } => (task, TaskOutcome::Skipped),
                    TaskEvent::Failed { task, .. } => (task, TaskOutcome::Failed),
                };
                journal.say_of(name, EventBody::Task { task, outcome });
            })
            .await?;
        Ok(())
    }
}

/// Hosts on which something of the lab in `dir` may be: a folder each.
fn with_state(dir: &Path) -> Vec<String> {
    let mut hosts: Vec<String> = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| {
            let claims = fs::read(entry.path().join(CLAIMS)).is_ok_and(|text| text != NO_CLAIMS);
            claims || Terraform::may_hold(&entry.path().join("terraform"))
        })
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    hosts.sort();
    hosts
}

/// Names that a run was about to make on a host: beside the directory of Terraform's.
const CLAIMS: &str = "claims.json";
const NO_CLAIMS: &[u8] = b"[]";

impl Place {
    async fn open(
        engine: &Engine,
        lab: &Lab,
        machines: &[Machine],
        dir: &Path,
        context: Context,
        remembered: bool,
        purpose: Purpose,
    ) -> Result<Place, Error> {
        let whatever = purpose == Purpose::TakeAway;
        let name = &*context.host.clone();
        let dir = dir.join(name);
        let terraform_dir = dir.join("terraform");
        let lost = (remembered || Terraform::was_kept(&terraform_dir)) && Terraform::is_lost(&terraform_dir);
        if lost && purpose == Purpose::Deploy {
            return Err(Error::Refused {
                message: format!(
                    "terraform's state of lab `{0}` ({1}) is gone or damaged, and so is our copy of it: nothing says what was made on host `{name}`",
                    lab.name,
                    terraform_dir.join("terraform.tfstate").display()
                ),
                remedy: format!(
                    "`vlm adopt {0}` takes what bears the lab's marks there as the lab's again; `vlm destroy {0}` shows and removes it",
                    lab.name
                ),
            });
        }
        let (mended, terraform) = if lost {
            // As if it were new: which program made it is not known either.
            let terraform = engine.terraform(&dir.join("lost")).await?;
            (None, Terraform { dir: terraform_dir, ..terraform })
        } else {
            (Terraform::mend_state(&terraform_dir)?, engine.terraform(&terraform_dir).await?)
        };
        let failed = |error| Error::of_host(name, error);
        let host = engine.hosts().get(name).map_err(failed)?;
        let connection = host.connection().await.map_err(failed)?;
        let facts = host.facts().await.map_err(failed)?;
        let machines: Vec<&Machine> = machines.iter().filter(|machine| machine.host == name).collect();
        let refused = |message, remedy: &str| Error::Refused { message, remedy: remedy.to_owned() };
        let acceleration = if whatever || machines.is_empty() {
            Accelerated { kvm: false, why: "no machine is started".into() }
        } else {
            acceleration::decide(lab.acceleration, &host, &facts, engine)
                .await
                .map_err(|message| refused(message, &format!("set `acceleration: auto`, or make KVM work on host `{name}`")))?
        };
        if facts.uefi.is_none() && machines.iter().any(|machine| machine.firmware == Firmware::Uefi) && !whatever {
            return Err(refused(
                format!("a machine wants UEFI, but host `{name}` has no UEFI firmware"),
                "install the package ovmf there",
            ));
        }
        let target = host.target().await.map_err(failed)?;
        let context = Context {
            libvirt_uri: match &host.way {
                Way::Direct => target.uri(),
                Way::Through(kept) => kept.remote().libvirt_uri(),
            },
            domain_type: acceleration.domain_type(),
            uefi: facts.uefi.clone(),
            ..context
        };
        let lab = lab.name.clone();
        Ok(Place {
            engine: engine.clone(),
            host,
            lab,
            dir,
            terraform,
            uri: target.uri(),
            connection,
            facts,
            acceleration,
            context,
            mended,
            lost,
        })
    }

    /// The name of a machine's domain.
    pub(crate) fn domain(&self, machine: &str) -> String {
        format!("{}.{machine}", self.lab)
    }

    /// The host, in sentences.
    fn whose(&self) -> String {
        match self.host.way {
            Way::Direct if self.host.name == hosts::SESSION => "your own session".to_owned(),
            Way::Direct => "this computer".to_owned(),
            Way::Through(_) => format!("host `{}`", self.host.name),
        }
    }

    /// A journalled step that concerns this host.
    pub(crate) fn step(&self, what: &str) -> String {
        format!("{what}/{}", self.host.name)
    }

    pub(crate) fn ready_limit(&self) -> Duration {
        match self.engine.settings().ready_limit_s {
            Some(seconds) => Duration::from_secs(seconds),
            None if self.acceleration.kvm => READY_LIMIT_KVM,
            None => READY_LIMIT_TCG,
        }
    }

    /// Making a domain takes libvirt and QEMU a processor for a moment; more at once only lengthens each.
    pub(crate) fn resources_at_once(&self) -> usize {
        (self.facts.cpus as usize).clamp(2, 10)
    }

    /// Suspends each domain that `changes` make as soon as it runs, unless it is `let_go`, until the result is dropped.
    ///
    /// The provider starts every domain that it makes; `Connection::start` lets it go on when the machine's turn has come.
    pub(crate) async fn hold_back(&self, changes: &[Change], let_go: Arc<LetGo>) -> Result<JoinSet<()>, Error> {
        let mut tasks = JoinSet::new();
        let mut coming: HashMap<String, String> = changes
            .iter()
            .filter(|change| change.resource() == "libvirt_domain.machine")
            .filter(|change| matches!(change.kind, ChangeKind::Create | ChangeKind::Replace))
            .map(|change| (self.domain(change.machine()), change.machine().to_owned()))
            .collect();
        if coming.is_empty() {
            return Ok(tasks);
        }
        // A domain that is to be replaced runs on until Terraform takes it away: only another UUID is the new one.
        let old: BTreeSet<String> = self.connection.domains().await?.into_iter().map(|domain| domain.uuid).collect();
        let connection = self.connection.clone();
        tasks.spawn(async move {
            let is_let_go = |machine: &String| let_go.lock().expect("nobody panics with it").contains(machine);
            let mut looks = connection.looks(LOOK_AT_LEAST_EVERY);
            while !coming.is_empty() {
                looks.next().await;
                let Ok(domains) = connection.domains().await else { continue };
                for domain in domains.iter().filter(|one| one.state == DomainState::Running && !old.contains(&one.uuid)) {
                    let Some(machine) = coming.get(&domain.name) else { continue };
                    let held = if is_let_go(machine) { Ok(()) } else { connection.suspend(&domain.name).await };
                    // Let go since it was looked at, perhaps: then nobody else would wake it.
                    if is_let_go(machine) {
                        let _ = connection.resume(&domain.name).await;
                    }
                    if held.is_ok() {
                        coming.remove(&domain.name);
                    }
                }
            }
        });
        Ok(tasks)
    }

    /// States of the lab's domains here, by machine name.
    pub(crate) async fn states(&self) -> Result<HashMap<String, DomainState>, Error> {
        let prefix = self.domain("");
        let domains = self.connection.domains().await?;
        Ok(domains
            .into_iter()
            .filter_map(|domain| Some((domain.name.strip_prefix(&prefix)?.to_owned(), domain.state)))
            .collect())
    }

    /// Lists the host's domains over and over, for all who watch a machine.
    pub(crate) fn follow_states(&self) -> FollowedStates {
        let (sender, receiver) = watch::channel(Arc::new(HashMap::new()));
        let connection = self.connection.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut looks = connection.looks(LOOK_AT_LEAST_EVERY);
            loop {
                looks.next().await;
                // A daemon that does not answer now may answer the next time; what was seen last stays.
                if let Ok(domains) = connection.domains().await {
                    let states = domains.into_iter().map(|domain| (domain.name, domain.state)).collect();
                    if sender.send(Arc::new(states)).is_err() {
                        return;
                    }
                }
            }
        });
        FollowedStates { receiver, _tasks: tasks }
    }

    /// Refuses what would collide with things on the host that are not this lab's.
    async fn refuse_conflicts(&self, lab: &Lab, machines: &[Machine]) -> Result<(), Error> {
        let mut ours: BTreeSet<String> = self.ours()?.iter().map(|thing| thing.name().to_owned()).collect();
        // What is called as ours would be is refused for its name, or is an earlier deploy's: it does not overlap with itself.
        ours.extend(lab.networks.keys().map(|key| self.domain(key)));
        let refused = |message: String, remedy: String| Err(Error::Refused { message, remedy });
        let here = |network: &str| {
            let on_it = |machine: &&Machine| machine.nics.iter().any(|nic| nic.network == network);
            machines.iter().filter(on_it).any(|machine| machine.host == self.host.name)
        };
        let whose = self.whose();
        if self.host.name == hosts::SESSION
            && let Some((key, _)) = lab.networks.iter().find(|(key, network)| network.mode != NetworkMode::Bridge && here(key))
        {
            return refused(
                format!("network `{key}` cannot be made on host `session`: libvirt of your own account has no rights to make networks"),
                "join the group libvirt and use host `local`; or join a bridge that is there (`mode: bridge`; QEMU's bridge helper must allow it)".into(),
            );
        }
        let networks = self.connection.networks().await?;
        let bridges: BTreeSet<&str> = networks
            .iter()
            .filter(|network| ours.contains(&network.name))
            .filter_map(|network| network.bridge.as_deref())
            .collect();
        let routes = self.host.routes().await;
        for (key, network) in lab.networks.iter().filter(|(key, network)| network.mode != NetworkMode::Bridge && here(key)) {
            let Some(cidr) = network.cidr else { continue };
            let overlaps = |other: &ipnet::Ipv4Net| other.contains(&cidr.network()) || cidr.contains(&other.network());
            if let Some(other) = networks.iter().find(|other| !ours.contains(&other.name) && other.subnets.iter().any(overlaps))
            {
                return refused(
                    format!("network `{key}` ({cidr}) overlaps with network `{}` of {whose}", other.name),
                    "choose another `cidr`".into(),
                );
            }
            if let Some((device, route)) =
                routes.iter().find(|(device, route)| !bridges.contains(device.as_str()) && overlaps(route))
            {
                return refused(
                    format!("network `{key}` ({cidr}) overlaps with {route}, which {whose} reaches through {device}"),
                    "choose another `cidr`".into(),
                );
            }
        }
        for (key, network) in lab.networks.iter().filter(|(key, network)| network.mode == NetworkMode::Bridge && here(key)) {
            let bridge = network.bridge.as_deref().unwrap_or_default();
            if self.host.has_bridge(bridge).await == Some(false) {
                return refused(
                    format!("network `{key}` needs the bridge `{bridge}`, which {whose} does not have"),
                    "make the bridge first, or name one that is there".into(),
                );
            }
        }
        Ok(())
    }

    /// Makes sure that the pool is there, and that each image that machines start from lies in it.
    pub(crate) async fn place_images(
        &self,
        machines: &[Machine],
        journal: &Journal,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let settings = self.engine.settings();
        // One process at a time: another would take a half sent image for a whole one.
        let _turn =
            Lock::wait(&self.engine.dirs().data.join("locks"), &format!("images-{}", self.host.name), cancel, |holder| {
                journal.say(EventBody::step(format!("waiting for {holder}, which sends images to the host")));
            })
            .await?;
        if self.connection.pool(settings.pool()).await?.is_none() {
            let ours = self.engine.dirs().data.join("pool");
            let path = if self.host.name == hosts::SESSION { &ours } else { settings.pool_path() };
            self.connection.ensure_pool(settings.pool(), path).await?;
        }
        let here = machines.iter().filter(|machine| machine.host == self.host.name);
        let used: BTreeSet<&str> = here.map(|machine| machine.image.as_str()).collect();
        for image in self.engine.store().images()?.into_iter().filter(|image| used.contains(image.name.as_str())) {
            let volume = format!("{}.qcow2", image.digest);
            if self.connection.volume_length(settings.pool(), &volume).await? == Some(image.file_bytes as u64) {
                continue;
            }
            let what = match self.host.way {
                Way::Direct => format!("image `{}` to libvirt", image.name),
                Way::Through(_) => format!("image `{}` to host `{}`", image.name, self.host.name),
            };
            let total_mib = (image.file_bytes as u64).div_ceil(1 << 20) as u32;
            journal.say(EventBody::step(format!("sending {what} ({total_mib} MiB)")));
            let (told, mut last) = (journal.clone(), 0);
            let step = self.step("images");
            let last = move |done: u64| {
                let done_mib = (done >> 20) as u32;
                if done_mib * 2 > total_mib {
                    fault(&step, "middle");
                }
                // A step of 16 MiB is what a person sees move.
                if done_mib >= last + 16 {
                    last = done_mib;
                    told.say(EventBody::Transfer { what: what.clone(), done_mib, total_mib });
                }
            };
            let last = std::sync::Mutex::new(last);
            let progress = move |done| (last.lock().expect("no panic while telling"))(done);
            let path = self.engine.images().path(&image.digest);
            let sent =
                self.connection.upload(settings.pool(), &volume, &path, image.virtual_bytes as u64, cancel, progress).await?;
            if sent > 0 {
                journal.say(EventBody::step(format!("{} MiB of it had come before", sent >> 20)));
            }
        }
        Ok(())
    }

    /// Takes networks and volumes that somebody removed by hand out of Terraform's state: the provider's refresh fails on them,
    /// where it should find that they are to be made again.
    pub(crate) async fn forget_what_is_gone(&self, cancel: &CancellationToken) -> Result<(), Error> {
        let known = self.terraform.resources()?;
        if known.is_empty() {
            return Ok(());
        }
        let things: BTreeSet<Thing> = known.iter().filter_map(thing).collect();
        let there = self.on_host(&things).await?;
        let pools: BTreeSet<&str> = there.iter().filter_map(Thing::pool).collect();
        let is_gone = |thing: Thing| match &thing {
            Thing::Domain { .. } => false, // the provider sees that by itself
            Thing::Network { .. } => !there.contains(&thing),
            // Of a pool that is not there now, or holds nothing at all, nobody knows what became of it.
            Thing::Volume { pool, .. } => pools.contains(pool.as_str()) && !there.contains(&thing),
        };
        let gone: Vec<String> =
            known.into_iter().filter(|known| thing(known).is_some_and(is_gone)).map(|known| known.address).collect();
        Ok(self.terraform.forget(&gone, cancel).await?)
    }

    /// Refuses to make what is on the host already and is not this lab's.
    pub(crate) async fn refuse_taken(&self, makes: &BTreeSet<Thing>) -> Result<(), Error> {
        let ours = self.ours()?;
        match self.on_host(makes).await?.iter().find(|thing| makes.contains(thing) && !ours.contains(thing)) {
            None => Ok(()),
            Some(thing) => Err(Error::Refused {
                message: format!("{} already has a {thing} that is not this lab's", self.whose()),
                remedy: format!(
                    "rename it in the lab file or rename the lab, or remove it from the host; if an earlier deploy of this lab left it there, `vlm adopt {}`",
                    self.lab
                ),
            }),
        }
    }

    /// Writes down what is about to be made, and has just been found free: see [`Site::remove_strays`].
    pub(crate) async fn claim(&self, makes: &BTreeSet<Thing>, journal: &Journal) -> Result<(), Error> {
        self.remove_strays(journal).await?;
        self.refuse_taken(makes).await?;
        self.write_claims(makes)
    }

    /// Removes what an apply made and Terraform does not know: the provider forgets a domain that it defined and could not
    /// start, and a killed apply whatever it was at. Such things are told by their names, which were free before the apply and
    /// written down then; what Terraform knows is left to it.
    pub(crate) async fn remove_strays(&self, journal: &Journal) -> Result<(), Error> {
        let mut claims = self.claims()?;
        if claims.is_empty() || self.lost {
            return Ok(());
        }
        let known: BTreeMap<Thing, Option<String>> =
            self.terraform.resources()?.into_iter().filter_map(|known| Some((thing(&known)?, known.id))).collect();
        let uuids = self.connection.uuids().await?;
        // Of the same name as one that Terraform knows, and another all the same: of an apply that was killed while it
        // replaced that one.
        let is_another = |thing: &Thing| match (uuids.get(thing), known.get(thing)) {
            (Some(there), Some(Some(known))) => there != known,
            _ => false,
        };
        claims.retain(|thing| !known.contains_key(thing) || is_another(thing));
        let strays: BTreeSet<Thing> = self.on_host(&claims).await?.intersection(&claims).cloned().collect();
        self.remove(&strays, journal).await?;
        self.write_claims(&BTreeSet::new())
    }

    pub(crate) fn claims_path(&self) -> PathBuf {
        self.dir.join(CLAIMS)
    }

    pub(crate) fn claims(&self) -> Result<BTreeSet<Thing>, Error> {
        let io = |source| Error::Io { what: format!("read {}", self.claims_path().display()), source };
        match fs::read(self.claims_path()) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| io(error.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeSet::new()),
            Err(error) => Err(io(error)),
        }
    }

    pub(crate) fn write_claims(&self, claims: &BTreeSet<Thing>) -> Result<(), Error> {
        let text = serde_json::to_vec(claims).expect("names are JSON");
        write_private(&self.claims_path(), text)
            .map(drop)
            .map_err(|source| Error::Io { what: format!("write {}", self.claims_path().display()), source })
    }

    /// Removes things from the host, domains first, before what they use.
    pub(crate) async fn remove(&self, things: &BTreeSet<Thing>, journal: &Journal) -> Result<(), Error> {
        for thing in things {
            journal.say(EventBody::step(format!("removing {thing}, which Terraform does not know")));
            self.connection.remove(thing).await?;
        }
        Ok(())
    }

    /// Why the host is out of reach, if it is.
    pub(crate) async fn out_of_reach(&self) -> Option<Error> {
        let Way::Through(kept) = &self.host.way else { return None };
        let error = kept.link().await.err()?;
        Some(Error::of_host(&self.host.name, error.into()))
    }

    /// What on the host bears the lab's names: those of its design and of the machines that we remember.
    pub(crate) async fn of_names(&self, lab: &Lab, machines: &BTreeSet<String>) -> Result<BTreeSet<Thing>, Error> {
        let networks = lab.networks.iter().filter(|(_, network)| network.mode != NetworkMode::Bridge);
        let networks: BTreeSet<String> = networks.map(|(key, _)| self.domain(key)).collect();
        let ours = |thing: &Thing| match thing {
            Thing::Domain { name } => machines.iter().any(|machine| *name == self.domain(machine)),
            Thing::Network { name } => networks.contains(name),
            Thing::Volume { name, .. } => {
                machines.iter().any(|machine| name.starts_with(&format!("{}.", self.domain(machine))))
            }
        };
        Ok(self.on_host(&BTreeSet::new()).await?.into_iter().filter(ours).collect())
    }

    /// What on the host is this lab's: what Terraform knows, and what a run was about to make.
    pub(crate) fn ours(&self) -> Result<BTreeSet<Thing>, Error> {
        let mut ours = self.claims()?;
        ours.extend(self.terraform.resources()?.iter().filter_map(thing));
        Ok(ours)
    }

    /// All domains, networks and, in our pool and in those of `things`, volumes.
    pub(crate) async fn on_host(&self, things: &BTreeSet<Thing>) -> Result<BTreeSet<Thing>, Error> {
        let pools = things.iter().filter_map(Thing::pool).chain([self.engine.settings().pool()]);
        Ok(self.connection.things(pools.map(str::to_owned).collect()).await?)
    }
}

/// What a resource of Terraform's is on the host; none for those that only Terraform has.
pub(crate) fn thing(known: &Known) -> Option<Thing> {
    let name = known.name.clone();
    match (known.resource_type.as_str(), &known.pool) {
        ("libvirt_domain", _) => Some(Thing::Domain { name }),
        ("libvirt_network", _) => Some(Thing::Network { name }),
        ("libvirt_volume", Some(pool)) => Some(Thing::Volume { pool: pool.clone(), name }),
        _ => None,
    }
}

/// The states of a host's domains, followed until this is dropped.
pub(crate) struct FollowedStates {
    pub(crate) receiver: States,
    _tasks: JoinSet<()>,
}

/// Writes the CD image of each machine's seed that is not there yet, and deletes those that no machine reads any more.
pub(crate) fn write_seeds(lab: &Lab, machines: &[Machine], context: &Context, dir: &Path) -> Result<(), Error> {
    let io = |what: String| move |source| Error::Io { what, source };
    let mut wanted = BTreeSet::new();
    for machine in machines.iter().filter(|machine| machine.host == context.host) {
        let seed = render::cloud_init::seed(lab, machine, context);
        let path = dir.join(&seed.path);
        // The name says the content.
        if !path.exists() {
            write_private(&path, seed.image()).map_err(io(format!("write {}", path.display())))?;
        }
        wanted.insert(path);
    }
    for entry in fs::read_dir(dir.join("seeds")).into_iter().flatten().flatten() {
        if !wanted.contains(&entry.path()) {
            fs::remove_file(entry.path()).map_err(io(format!("delete {}", entry.path().display())))?;
        }
    }
    Ok(())
}

/// Lets inline tasks find files beside the lab file: Ansible looks for those of a play in these folders beside it.
pub(crate) fn link_plays(project: &Path) -> Result<(), Error> {
    for name in ["files", "templates", "tasks"] {
        let link = project.join("plays").join(name);
        if fs::symlink_metadata(&link).is_err() {
            let made = create_private_dir(&project.join("plays")).and_then(|()| std::os::unix::fs::symlink("../lab", &link));
            made.map_err(|source| Error::Io { what: format!("make {}", link.display()), source })?;
        }
    }
    Ok(())
}

/// The lab's own key, and its guests' host keys, in files of the user alone.
pub(crate) struct Keys {
    dir: PathBuf,
    pub(crate) lab: KeyPair,
}

impl Keys {
    pub(crate) fn open(lab_dir: &Path) -> Result<Keys, Error> {
        let dir = lab_dir.join("keys");
        let lab = key(&dir.join("id_ed25519"))?;
        Ok(Keys { dir, lab })
    }

    pub(crate) fn of_machines(&self, machines: &[Machine]) -> Result<BTreeMap<String, KeyPair>, Error> {
        machines
            .iter()
            .map(|machine| Ok((machine.name.clone(), key(&self.dir.join(format!("host-{}", machine.name)))?)))
            .collect()
    }
}

/// The key in that file, made if there is none.
fn key(path: &Path) -> Result<KeyPair, Error> {
    if path.exists() {
        return Ok(ssh::read_key(path)?);
    }
    let key = ssh::generate_key()?;
    write_private(path, &key.private).map_err(|source| Error::Io { what: format!("write {}", path.display()), source })?;
    Ok(key)
}
