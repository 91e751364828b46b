//! The story of a run: plan, images, apply, start, readiness, configuration; and the way back.
//!
//! The plan that was shown is the plan that is applied: a [`PlannedRun`] holds the lab's lock, and Terraform refuses a saved
//! plan that no longer fits its state. Every step is journalled before and after.

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
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;
use vlm_lab::{
    Lab, Machine,
    lifecycle::DomainState,
    model::{Firmware, NetworkMode},
    phase::{self, Phase, Standing},
    plan::{self, Change, ChangeKind, Disruption},
    problems::{Problem, Severity},
    render::{self, Context, KeyPair},
};

use crate::{
    Engine, Resource,
    acceleration::{self, Accelerated},
    ansible::{self, message::TaskEvent},
    chain,
    hosts::{self, LOCAL},
    images,
    journal::Journal,
    labs,
    libvirt::{self, Connection, HostFacts, Thing},
    lock::{self, Lock},
    ports,
    readiness::{self, Login, NotReady, Seen, States, Watch},
    runs::{EventBody, ResourceState, RunEvent, RunId, RunKind, RunStatus, RunSummary, TaskOutcome},
    ssh,
    store::{self, LabRow, LabState, MachineRow},
    terraform::{
        self, Known, Planned, Terraform, create_private_dir,
        message::{Message, Progress},
        write_private,
    },
};

/// How long a machine may take to be ready under KVM and under TCG, unless the settings say otherwise.
const READY_LIMIT_KVM: Duration = Duration::from_secs(5 * 60);
/// An emulated guest on a busy computer takes minutes for what KVM does in seconds.
const READY_LIMIT_TCG: Duration = Duration::from_secs(20 * 60);
/// How long a guest may take to obey the power button before it is forced off.
const SHUT_DOWN_LIMIT: Duration = Duration::from_secs(90);
/// How often the host's domains are listed while a run waits for them.
const STATES_EVERY: Duration = Duration::from_millis(500);

/// How often the domains that Terraform makes are looked at: a guest needs seconds from power-on to its first program.
const HOLD_BACK_EVERY: Duration = Duration::from_millis(100);

/// Why a run could not be planned, or failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Labs.
    #[error(transparent)]
    Labs(#[from] labs::Error),
    /// Images.
    #[error(transparent)]
    Images(#[from] images::Error),
    /// libvirt.
    #[error(transparent)]
    Libvirt(#[from] libvirt::Error),
    /// Terraform.
    #[error(transparent)]
    Terraform(#[from] terraform::Error),
    /// Ansible.
    #[error(transparent)]
    Ansible(#[from] ansible::Error),
    /// Published ports.
    #[error(transparent)]
    Ports(#[from] ports::Error),
    /// A key.
    #[error(transparent)]
    Ssh(#[from] ssh::Error),
    /// A file.
    #[error("could not {what}")]
    Io {
        /// What was attempted.
        what: String,
        /// Why.
        source: io::Error,
    },
    /// The lab has problems that stand in the way.
    #[error("lab `{lab}` has {} problems", problems.len())]
    Problems {
        /// The lab.
        lab: String,
        /// The problems, each with its place in the stored document.
        problems: Vec<Problem>,
    },
    /// Images that a recipe can build are not built yet.
    #[error("images that must be built first: {}", .0.join(", "))]
    ImagesToBuild(Vec<String>),
    /// Images that the catalog has are not downloaded yet.
    #[error("images that must be downloaded first: {}", .0.join(", "))]
    ImagesToPull(Vec<String>),
    /// The host has what stands in the way, or lacks what is needed. Nothing was touched.
    #[error("{message}; {remedy}")]
    Refused {
        /// What stands in the way.
        message: String,
        /// What to do about it.
        remedy: String,
    },
    /// The lab's lock.
    #[error(transparent)]
    Lock(#[from] lock::Error),
    /// Machines did not come up or could not be configured; their own events say why.
    #[error("{0}")]
    Failed(String),
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled,
}

impl Error {
    /// Whether nothing was touched.
    pub fn is_refusal(&self) -> bool {
        match self {
            Error::Problems { .. }
            | Error::ImagesToBuild(_)
            | Error::ImagesToPull(_)
            | Error::Refused { .. }
            | Error::Lock(lock::Error::Busy { .. }) => true,
            Error::Images(error) | Error::Labs(labs::Error::Images(error)) => error.is_refusal(),
            Error::Labs(error) => matches!(
                error,
                labs::Error::Unknown(_)
                    | labs::Error::Unreadable(_)
                    | labs::Error::Deployed(_)
                    | labs::Error::Lock(lock::Error::Busy { .. })
            ),
            Error::Terraform(
                terraform::Error::Missing
                | terraform::Error::NotThere { .. }
                | terraform::Error::State { .. }
                | terraform::Error::OtherProgram { .. },
            )
            | Error::Ansible(ansible::Error::Missing | ansible::Error::NotThere { .. }) => true,
            _ => false,
        }
    }

    /// Whether it was the user's wish.
    pub fn is_cancel(&self) -> bool {
        matches!(
            self,
            Error::Cancelled
                | Error::Lock(lock::Error::Cancelled)
                | Error::Libvirt(libvirt::Error::Cancelled)
                | Error::Terraform(terraform::Error::Cancelled { .. })
                | Error::Ansible(ansible::Error::Cancelled)
                | Error::Images(images::Error::Cancelled)
        )
    }
}

/// A run that can be carried out: what it will do, and the right to do it. Dropping it gives the lab free.
pub struct PlannedRun {
    /// What it does.
    pub kind: RunKind,
    /// The lab's name.
    pub lab: String,
    /// What becomes of each machine and network.
    pub planned: Vec<plan::Planned>,
    /// Terraform's changes, one by one.
    pub changes: Vec<Change>,
    /// Machines that will be powered on.
    pub starts: Vec<String>,
    /// Machines that Ansible will configure, or that are waited for.
    pub configures: Vec<String>,
    /// Whether published ports are opened or closed.
    pub ports: bool,
    /// How guests run, and why.
    pub acceleration: Accelerated,
    /// Memory that the machines to be started take, in MiB.
    pub needs_memory_mib: u64,
    /// Memory that the host could give them, in MiB.
    pub has_memory_mib: u64,
    /// Warnings about the lab, and about what it asks of the host.
    pub warnings: Vec<String>,
    /// What it makes on the host.
    makes: BTreeSet<Thing>,
    site: Arc<Site>,
}

impl PlannedRun {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        !self.has_work() && !self.settles()
    }

    fn has_work(&self) -> bool {
        !(self.changes.is_empty() && self.starts.is_empty() && self.configures.is_empty()) || self.ports
    }

    /// Whether all is there and on, and only our record says that the last run did not end well.
    pub fn settles(&self) -> bool {
        self.kind == RunKind::Deploy
            && !self.has_work()
            && matches!(self.site.row.state, LabState::Incomplete | LabState::Changing)
    }

    /// The worst that it does to what is there.
    pub fn disruption(&self) -> Disruption {
        self.planned.iter().map(|planned| planned.disruption).max().unwrap_or(Disruption::None)
    }

    /// The directory with `main.tf` and the saved plan.
    pub fn terraform_dir(&self) -> &Path {
        &self.site.terraform.dir
    }
}

/// One lab on one host: everything that the steps of a run share.
struct Site {
    engine: Engine,
    row: LabRow,
    lab: Lab,
    machines: Vec<Machine>,
    dir: PathBuf,
    terraform: Terraform,
    connection: Connection,
    facts: HostFacts,
    acceleration: Accelerated,
    context: Context,
    key: Arc<KeyPair>,
    _lock: Lock,
}

/// A run at work, followed by its events.
pub struct Running {
    /// Its id.
    pub id: RunId,
    journal: Journal,
    from_the_start: std::sync::Mutex<Option<tokio::sync::broadcast::Receiver<RunEvent>>>,
    work: tokio::task::JoinHandle<Result<String, Error>>,
}

impl Running {
    /// Its events: the first who asks gets them from the beginning, others from now on.
    pub fn follow(&self) -> tokio::sync::broadcast::Receiver<RunEvent> {
        let first = self.from_the_start.lock().expect("no panic while a receiver is taken").take();
        first.unwrap_or_else(|| self.journal.follow())
    }

    /// Waits for its end: the sentence it ended with.
    pub async fn end(self) -> Result<String, Error> {
        self.work.await.expect("a run does not panic")
    }
}

/// What can be asked of runs.
pub struct Runs<'a> {
    pub(crate) engine: &'a Engine,
}

impl Runs<'_> {
    /// Plans what a deploy of the stored lab would do. Writes our own files, changes nothing on the host.
    pub async fn plan(&self, lab: &str, cancel: &CancellationToken) -> Result<PlannedRun, Error> {
        let site = Site::open(self.engine, lab).await?;
        site.write()?;
        site.terraform.init(cancel).await?;
        site.forget_what_is_gone(cancel).await?;
        site.refuse_conflicts().await?;
        site.terraform.plan(false, cancel, |_| {}).await?;
        let Planned { changes, makes } = site.terraform.planned(cancel).await?;
        let makes: BTreeSet<Thing> = makes.iter().filter_map(thing).collect();
        site.refuse_taken(&makes).await?;
        let (starts, configures) = site.to_do(&changes).await?;
        let needs_memory_mib = site.machines.iter().filter(|m| starts.contains(&m.name)).map(|m| m.memory.as_mib()).sum();
        let mut warnings: Vec<String> = self
            .engine
            .labs()
            .check(&site.row.document, Path::new(&site.row.dir))?
            .problems
            .into_iter()
            .map(|p| p.message)
            .collect();
        if needs_memory_mib > site.facts.free_memory_mib {
            warnings.push(format!(
                "the machines to start take {needs_memory_mib} MiB of memory, the host has {} MiB left",
                site.facts.free_memory_mib
            ));
        }
        Ok(PlannedRun {
            kind: RunKind::Deploy,
            lab: lab.to_owned(),
            planned: plan::planned(&changes),
            changes,
            starts,
            configures,
            ports: !self.engine.ports().are_open(lab)?,
            acceleration: site.acceleration.clone(),
            needs_memory_mib,
            has_memory_mib: site.facts.free_memory_mib,
            warnings,
            makes,
            site: Arc::new(site),
        })
    }

    /// Plans to power on the machines of a deployed lab that are off.
    pub async fn plan_start(&self, lab: &str) -> Result<PlannedRun, Error> {
        self.deployed(lab)?;
        let site = Site::open(self.engine, lab).await?;
        // The design may have grown since the deploy: what is not made yet cannot be started.
        let made = site.states().await?;
        let (mut starts, configures) = site.to_do(&[]).await?;
        starts.retain(|machine| made.contains_key(machine));
        let ports = !self.engine.ports().are_open(lab)?;
        Ok(PlannedRun { ports, ..site.simple(RunKind::Start, starts, configures) })
    }

    /// Plans to shut down the machines of a deployed lab that are on.
    pub async fn plan_stop(&self, lab: &str) -> Result<PlannedRun, Error> {
        self.deployed(lab)?;
        let site = Site::open_any(self.engine, lab, true).await?;
        Ok(site.simple(RunKind::Stop, Vec::new(), Vec::new()))
    }

    /// Plans to take a lab away: everything that its Terraform state holds.
    pub async fn plan_destroy(&self, lab: &str, cancel: &CancellationToken) -> Result<PlannedRun, Error> {
        let site = Site::open_any(self.engine, lab, true).await?;
        let mut changes = Vec::new();
        if site.terraform.dir.join("main.tf").is_file() && site.terraform.has_state()? {
            site.terraform.init(cancel).await?;
            site.forget_what_is_gone(cancel).await?;
            site.terraform.plan(true, cancel, |_| {}).await?;
            changes = site.terraform.planned(cancel).await?.changes;
        }
        let mut run = site.simple(RunKind::Destroy, Vec::new(), Vec::new());
        run.planned = plan::planned(&changes);
        run.changes = changes;
        Ok(run)
    }

    fn deployed(&self, lab: &str) -> Result<(), Error> {
        if self.engine.labs().get(lab)?.state == LabState::Designed {
            let message = format!("lab `{lab}` is not deployed");
            return Err(Error::Refused { message, remedy: format!("deploy it with `vlm up {lab}`") });
        }
        Ok(())
    }

    /// Begins a planned run. `force` matters to a stop only: power off at once.
    pub fn begin(&self, planned: PlannedRun, force: bool) -> Result<Running, Error> {
        let engine = self.engine.clone();
        let id = engine.store().begin_run(&planned.lab, planned.kind, planned.site.row.revision)?;
        let journal = Journal::new(engine.store().clone(), id);
        let cancel = CancellationToken::new();
        engine.active().lock().expect("no panic while runs are noted").insert(id, cancel.clone());
        engine.stale(Resource::Runs);
        let told = journal.clone();
        // Before the work begins, so that nothing is missed.
        let from_the_start = std::sync::Mutex::new(Some(journal.follow()));
        let work = tokio::spawn(async move {
            let lab = planned.lab.clone();
            let kind = planned.kind;
            engine.store().set_lab_state(&lab, LabState::Changing)?;
            engine.stale(Resource::Labs);
            let result = carry_out(&planned, &told, &cancel, force).await;
            let (status, sentence, state) = match &result {
                Ok(sentence) => (RunStatus::Done, sentence.clone(), state_after(kind, planned.site.row.state)),
                Err(error) if cancel.is_cancelled() || error.is_cancel() => (
                    RunStatus::Cancelled,
                    format!("`vlm up {lab}` goes on, `vlm destroy {lab}` takes it away"),
                    LabState::Incomplete,
                ),
                Err(error) => {
                    let (message, hint) = explain(error, &lab);
                    told.say(EventBody::Failed { message: message.clone(), hint, evidence: None });
                    (RunStatus::Failed, message, LabState::Incomplete)
                }
            };
            engine.store().set_lab_state(&lab, state)?;
            // Whoever follows from another process reads until the run has ended: all its events must be there by then.
            told.say(EventBody::Ended { status, sentence: sentence.clone() });
            told.flush().await;
            engine.store().end_run(id, status, &sentence)?;
            engine.active().lock().expect("no panic while runs are noted").remove(&id);
            engine.stale(Resource::Runs);
            engine.stale(Resource::Labs);
            // The lab's lock goes with it: not before the last word about this run is written.
            drop(planned);
            if status == RunStatus::Cancelled { Err(Error::Cancelled) } else { result }
        });
        Ok(Running { id, journal, from_the_start, work })
    }

    /// Asks a run of this process to end. It interrupts what it does, waits for that, and ends as cancelled.
    pub fn cancel(&self, run: RunId) -> bool {
        let active = self.engine.active().lock().expect("no panic while runs are noted");
        active.get(&run).map(CancellationToken::cancel).is_some()
    }

    /// The newest runs of a lab, newest first.
    pub fn list(&self, lab: &str, limit: u32) -> Result<Vec<RunSummary>, Error> {
        Ok(self.engine.store().runs(lab, limit)?)
    }

    /// Events of a run from `from_seq` on, at most `limit`, from the store: also of runs of other processes.
    pub fn events(&self, run: RunId, from_seq: u32, limit: u32) -> Result<Vec<RunEvent>, Error> {
        Ok(self.engine.store().events(run, from_seq, limit)?)
    }

    /// A run of a lab; none where the lab has had no run of that number.
    pub fn get(&self, lab: &str, run: RunId) -> Result<Option<RunSummary>, Error> {
        Ok(self.engine.store().runs(lab, u32::MAX)?.into_iter().find(|summary| summary.id == run))
    }

    /// Whether a run is still at work, here or in another process.
    pub fn is_running(&self, run: RunId) -> Result<bool, Error> {
        let Some(summary) = self.engine.store().run(run)? else { return Ok(false) };
        Ok(summary.status == RunStatus::Running && Path::new(&format!("/proc/{}", summary.pid)).exists())
    }
}

fn state_after(kind: RunKind, before: LabState) -> LabState {
    match (kind, before) {
        (RunKind::Deploy, _) => LabState::Deployed,
        (RunKind::Destroy, _) => LabState::Designed,
        // Machines that a failed deploy did not make are still missing.
        (RunKind::Start | RunKind::Stop, LabState::Incomplete) => LabState::Incomplete,
        (RunKind::Start, _) => LabState::Deployed,
        (RunKind::Stop, _) => LabState::Stopped,
    }
}

async fn carry_out(planned: &PlannedRun, journal: &Journal, cancel: &CancellationToken, force: bool) -> Result<String, Error> {
    match planned.kind {
        RunKind::Deploy => deploy(planned, journal, cancel).await,
        RunKind::Start => {
            let count = planned.starts.len();
            bring_up(&planned.site, &planned.starts, &planned.configures, journal, cancel).await?;
            planned.site.publish(journal).await?;
            Ok(format!("{} started", machines(count)))
        }
        RunKind::Stop => stop(&planned.site, journal, cancel, force).await,
        RunKind::Destroy => destroy(planned, journal, cancel).await,
    }
}

async fn deploy(planned: &PlannedRun, journal: &Journal, cancel: &CancellationToken) -> Result<String, Error> {
    let site = &planned.site;
    let begun = Instant::now();
    if !planned.changes.is_empty() {
        journal.step("images/local", site.place_images(journal, cancel)).await?;
        journal.step("claim/local", site.claim(&planned.makes, journal)).await?;
        journal.say(EventBody::step(format!("applying {} changes with Terraform", planned.changes.len())));
        let apply = site.terraform.apply(site.resources_at_once(), cancel, |message| tell_terraform(journal, message));
        let apply = async {
            // Ends with this block.
            let _held = site.hold_back(&planned.changes).await?;
            Ok::<_, Error>(apply.await?)
        };
        let applied = journal.step("apply/local", apply).await;
        // A failure of the apply matters more than one of clearing up, which the next run does again.
        let cleared = site.remove_strays(journal).await;
        applied.and(cleared)?;
        let names: Vec<&str> = site.machines.iter().map(|machine| machine.name.as_str()).collect();
        site.engine.store().keep_machines(site.row.id, &names)?;
        // A machine on a new disk has not been configured, whatever its predecessor was.
        let new_disks = planned.changes.iter().filter(|change| change.resource() == "libvirt_volume.system");
        let new_disks: BTreeSet<&str> = new_disks.map(Change::machine).collect();
        for machine in site.machines.iter().filter(|machine| new_disks.contains(machine.name.as_str())) {
            let address = machine.address().map(|address| address.to_string());
            let row =
                MachineRow { name: machine.name.clone(), host: machine.host.clone(), address, configured: None, ready: false };
            site.engine.store().save_machine(site.row.id, &row)?;
        }
    }
    bring_up(site, &planned.starts, &planned.configures, journal, cancel).await?;
    site.publish(journal).await?;
    if !planned.has_work() {
        return Ok(format!("nothing to do: {} as designed", machines(site.machines.len())));
    }
    Ok(format!("{} ready after {} s", machines(site.machines.len()), begun.elapsed().as_secs()))
}

async fn destroy(planned: &PlannedRun, journal: &Journal, cancel: &CancellationToken) -> Result<String, Error> {
    let site = &planned.site;
    site.engine.ports().close(&site.lab.name).await?;
    let mut ours = site.ours()?;
    // Should Terraform's state have been lost, the store still remembers machines.
    let machines = site.engine.store().machines(site.row.id)?.into_iter();
    ours.extend(machines.map(|machine| Thing::Domain { name: site.domain(&machine.name) }));
    journal.step("strays/local", site.remove_strays(journal)).await?;
    if !planned.changes.is_empty() {
        journal.say(EventBody::step(format!("destroying {} resources with Terraform", planned.changes.len())));
        let apply = site.terraform.apply(site.resources_at_once(), cancel, |message| tell_terraform(journal, message));
        journal.step("destroy/local", async { Ok::<_, Error>(apply.await?) }).await?;
    }
    journal.say(EventBody::step("looking for what may be left"));
    let there = site.on_host(&ours).await?;
    let list = |things: Vec<&Thing>| things.into_iter().map(Thing::to_string).collect::<Vec<_>>().join(", ");
    let left: Vec<&Thing> = there.intersection(&ours).collect();
    if !left.is_empty() {
        return Err(Error::Failed(format!("still on the host: {}", list(left))));
    }
    let prefix = format!("{}.", site.lab.name);
    let others: Vec<&Thing> = there.iter().filter(|thing| thing.name().starts_with(&prefix)).collect();
    if !others.is_empty() {
        journal.say(EventBody::step(format!("left alone, because this lab did not make it: {}", list(others))));
    }
    site.engine.store().keep_machines(site.row.id, &[])?;
    if site.dir.exists() {
        let what = || format!("delete {}", site.dir.display());
        fs::remove_dir_all(&site.dir).map_err(|source| Error::Io { what: what(), source })?;
    }
    Ok("nothing is left on the host; the design stays".to_owned())
}

async fn stop(site: &Site, journal: &Journal, cancel: &CancellationToken, force: bool) -> Result<String, Error> {
    site.engine.ports().close(&site.lab.name).await?;
    // Also what an earlier design made and no deploy has removed yet.
    let mut names: BTreeSet<String> = site.machines.iter().map(|machine| machine.name.clone()).collect();
    names.extend(
        site.terraform
            .resources()
            .unwrap_or_default()
            .iter()
            .filter(|known| known.resource_type == "libvirt_domain")
            .filter_map(|known| Some(known.name.strip_prefix(&site.domain(""))?.to_owned())),
    );
    let depends_on =
        |name: &str, on: &String| site.machines.iter().any(|machine| machine.name == name && machine.depends_on.contains(on));
    let mut count = 0;
    let mut asked: HashMap<String, Instant> = HashMap::new();
    let mut every = interval(STATES_EVERY);
    loop {
        tokio::select! {
            _ = every.tick() => {}
            () = cancel.cancelled() => return Err(Error::Cancelled),
        }
        let states = site.states().await?;
        let on = |name: &str| states.get(name).is_some_and(|state| state.is_active());
        let active: Vec<&String> = names.iter().filter(|name| on(name)).collect();
        if active.is_empty() {
            return Ok(if count == 0 {
                "nothing to do: no machine is on".to_owned()
            } else {
                format!("{} stopped", machines(count))
            });
        }
        for name in &active {
            let needed = active.iter().any(|other| depends_on(other, name));
            let domain = site.domain(name);
            match asked.get(*name) {
                // Machines that others need go last.
                None if !needed => {
                    count += 1;
                    asked.insert(name.to_string(), Instant::now());
                    let step = format!("stop/{}", name);
                    if force {
                        journal.say_of(name, EventBody::step("forcing off"));
                        journal.step(&step, async { Ok::<_, Error>(site.connection.force_off(&domain).await?) }).await?;
                    } else {
                        journal.say_of(name, EventBody::step("shutting down"));
                        journal.step(&step, async { Ok::<_, Error>(site.connection.shut_down(&domain).await?) }).await?;
                    }
                }
                Some(since) if since.elapsed() > SHUT_DOWN_LIMIT => {
                    let text = format!("did not shut down within {} s, forcing off", SHUT_DOWN_LIMIT.as_secs());
                    journal.say_of(name, EventBody::step(text));
                    site.connection.force_off(&domain).await?;
                }
                _ => {}
            }
        }
    }
}

/// Starts machines in their order, follows each until it is configured, and lets the others go on when one fails.
async fn bring_up(
    site: &Arc<Site>,
    starts: &[String],
    configures: &[String],
    journal: &Journal,
    cancel: &CancellationToken,
) -> Result<(), Error> {
    let todo: BTreeSet<&str> = starts.iter().chain(configures).map(String::as_str).collect();
    if todo.is_empty() {
        return Ok(());
    }
    let mut standing: BTreeMap<String, Standing> = todo.iter().map(|name| (name.to_string(), Standing::Waiting)).collect();
    let order = || site.machines.iter().map(|machine| (machine.name.as_str(), machine.depends_on.as_slice()));
    let states = site.follow_states();
    let at_once = site.starts_at_once();
    let plays = Arc::new(Semaphore::new(site.facts.cpus.max(2) as usize));
    let mut work = JoinSet::new();
    let mut failed = Vec::new();
    loop {
        loop {
            let blocked = phase::blocked(order(), &standing);
            if blocked.is_empty() {
                break;
            }
            for (name, on) in blocked.into_iter().map(|(name, on)| (name.to_owned(), on.to_owned())).collect::<Vec<_>>() {
                let message = format!("not started, because `{on}`, which it depends on, failed");
                journal.say_of(
                    &name,
                    EventBody::Failed { message, hint: format!("mend `{on}`, then deploy again"), evidence: None },
                );
                failed.push(name.clone());
                standing.insert(name, Standing::Failed);
            }
        }
        if !cancel.is_cancelled() {
            let startable: Vec<String> = phase::startable(order(), &standing, at_once).into_iter().map(str::to_owned).collect();
            for name in startable {
                standing.insert(name.clone(), Standing::Under);
                let (site, journal, cancel, states, plays) =
                    (site.clone(), journal.clone(), cancel.clone(), states.receiver.clone(), plays.clone());
                work.spawn(async move {
                    let result = bring_up_one(&site, &name, states, &plays, &journal, &cancel).await;
                    (name, result)
                });
            }
        }
        let Some(done) = work.join_next().await else { break };
        let (name, result) = done.expect("bringing up a machine does not panic");
        match result {
            Ok(()) => {
                standing.insert(name, Standing::Ready);
            }
            Err(error) if error.is_cancel() => {
                standing.insert(name, Standing::Failed);
            }
            Err(error) => {
                let (message, hint) = explain(&error, &site.lab.name);
                if !matches!(error, Error::Failed(_)) {
                    journal.say_of(&name, EventBody::Failed { message, hint, evidence: None });
                }
                failed.push(name.clone());
                standing.insert(name, Standing::Failed);
            }
        }
        site.engine.stale(Resource::Labs);
    }
    if cancel.is_cancelled() {
        return Err(Error::Cancelled);
    }
    if failed.is_empty() {
        return Ok(());
    }
    failed.sort();
    Err(Error::Failed(format!("{} of {} not ready: {}", failed.len(), machines(todo.len()), failed.join(", "))))
}

async fn bring_up_one(
    site: &Site,
    name: &str,
    states: States,
    plays: &Semaphore,
    journal: &Journal,
    cancel: &CancellationToken,
) -> Result<(), Error> {
    let machine = site.machines.iter().find(|machine| machine.name == name).expect("only the lab's machines are brought up");
    let domain = site.domain(name);
    let known = || Ok::<_, Error>(site.engine.store().machines(site.row.id)?.into_iter().find(|row| row.name == name));
    // Until it is ready it is not, whatever it was before: a run that ends in between leaves it to the next one.
    if let Some(row) = known()? {
        site.engine.store().save_machine(site.row.id, &MachineRow { ready: false, ..row })?;
    }
    let start = async { Ok::<_, Error>(site.connection.start(&domain).await?) };
    journal.step(&format!("start/{name}"), start).await?;
    let watch = Watch {
        connection: site.connection.clone(),
        states,
        domain: domain.clone(),
        address: machine.address(),
        login: Login {
            user: machine.user.clone(),
            key: site.key.clone(),
            host_key: site.context.host_keys[name].public.clone(),
        },
        serial_log: site.dir.join("serial").join(format!("{name}.log")),
        limit: site.ready_limit(),
    };
    let ready = readiness::until_ready(watch, |seen| match seen {
        Seen::Phase(phase, address) => {
            journal.say_of(name, EventBody::Phase { phase, address: address.map(|address| address.to_string()) });
        }
        Seen::Waiting(stuck) => journal.say_of(name, stuck.into()),
    });
    let ready = async {
        tokio::select! {
            ready = ready => ready.map_err(|not_ready| tell_not_ready(journal, name, &not_ready)),
            () = cancel.cancelled() => Err(Error::Cancelled),
        }
    };
    let address = journal.step(&format!("ready/{name}"), ready).await?;
    let fingerprint = site.fingerprint(machine).await?;
    let configured = known()?.and_then(|row| row.configured).filter(|configured| *configured == fingerprint);
    let mut row = MachineRow {
        name: name.to_owned(),
        host: machine.host.clone(),
        address: Some(address.to_string()),
        configured,
        ready: true,
    };
    site.engine.store().save_machine(site.row.id, &row)?;
    if machine.address().is_none() {
        site.write_project()?;
    }
    // What was configured on this disk stays so over a power cycle.
    if row.configured.is_none() {
        if machine.ansible.is_some() {
            let turn = tokio::select! {
                turn = plays.acquire() => turn.expect("the semaphore is never closed"),
                () = cancel.cancelled() => return Err(Error::Cancelled),
            };
            journal.step(&format!("configure/{name}"), site.configure(machine, journal, cancel)).await?;
            drop(turn);
        }
        row.configured = Some(fingerprint);
        site.engine.store().save_machine(site.row.id, &row)?;
    }
    journal.say_of(name, EventBody::Phase { phase: Phase::Configured, address: row.address });
    Ok(())
}

fn tell_not_ready(journal: &Journal, name: &str, not_ready: &NotReady) -> Error {
    let tail = not_ready.serial_tail.lines().rev().take(20).collect::<Vec<_>>();
    let evidence = tail.into_iter().rev().collect::<Vec<_>>().join("\n");
    journal.say_of(
        name,
        EventBody::Failed {
            message: format!("{name} is {not_ready}"),
            hint: not_ready.stuck.remedy.clone(),
            evidence: Some(evidence).filter(|text| !text.trim().is_empty()),
        },
    );
    Error::Failed(not_ready.to_string())
}

fn tell_terraform(journal: &Journal, message: Message) {
    match message {
        Message::Resource { address, action, progress } => {
            let (state, seconds) = match progress {
                Progress::Started => (ResourceState::Started, 0),
                Progress::Going(seconds) => (ResourceState::Going, seconds),
                Progress::Complete(seconds) => (ResourceState::Done, seconds),
                Progress::Failed => (ResourceState::Failed, 0),
            };
            let machine = address.strip_prefix("libvirt_domain.machine[\"").and_then(|rest| rest.strip_suffix("\"]"));
            if let (Some(machine), ResourceState::Done, "create") = (machine, state, action.as_str()) {
                journal.say_of(machine, EventBody::Phase { phase: Phase::Defined, address: None });
            }
            journal.say(EventBody::Resource { address, action, state, seconds });
        }
        Message::Diagnostic(diagnostic) => {
            journal.say(EventBody::Log {
                source: "terraform".into(),
                text: format!("{}: {}", diagnostic.severity, diagnostic.text()),
            });
        }
        Message::Text(text) => journal.say(EventBody::Log { source: "terraform".into(), text }),
    }
}

/// What failed and what to do, for people. `lab` is empty where no run has begun: it has no log.
pub fn explain(error: &Error, lab: &str) -> (String, String) {
    let message = chain(error);
    let hint = match error {
        Error::Terraform(terraform::Error::Missing) => {
            "run `make run`, which installs it, or set `terraform` in settings.toml".to_owned()
        }
        Error::Ansible(ansible::Error::Missing) => {
            "run `make run`, which installs it, or set `ansible_playbook` in settings.toml".to_owned()
        }
        Error::Terraform(terraform::Error::NotThere { .. }) | Error::Ansible(ansible::Error::NotThere { .. }) => {
            "correct the path, or take the line out: then it is looked for".to_owned()
        }
        Error::Ansible(_) => format!("mend the task, then `vlm up {lab}`: only what is not configured yet is done again"),
        Error::ImagesToPull(_) => "download them with `vlm image pull NAME`; `vlm up` asks and does it".to_owned(),
        Error::Libvirt(libvirt::Error::Connect { .. }) => {
            "is libvirtd running, and are you in the group libvirt? `virsh -c qemu:///system list` must work".to_owned()
        }
        Error::Terraform(_) if message.contains("No space left") => "the disk is full: make room, then deploy again".to_owned(),
        Error::Failed(_) => format!("`vlm logs {lab}` shows the whole run; the same command tries again what failed"),
        _ if lab.is_empty() => String::new(),
        _ => format!("`vlm logs {lab}` shows the whole run"),
    };
    (message, hint)
}

fn machines(count: usize) -> String {
    if count == 1 { "1 machine".to_owned() } else { format!("{count} machines") }
}

impl Site {
    /// Opens a lab for a run that needs a lab without errors.
    async fn open(engine: &Engine, name: &str) -> Result<Site, Error> {
        Self::open_any(engine, name, false).await
    }

    /// Opens a lab; with `whatever`, also one whose document has errors by now: what is there of it can still be taken away.
    async fn open_any(engine: &Engine, name: &str, whatever: bool) -> Result<Site, Error> {
        let (row, lab) = engine.labs().read(name)?;
        if !whatever {
            let problems = engine.labs().check(&row.document, Path::new(&row.dir))?.problems;
            if problems.iter().any(|problem| problem.severity == Severity::Error) {
                return Err(Error::Problems { lab: name.to_owned(), problems });
            }
        }
        let lock = Lock::take(&engine.dirs().data.join("locks"), name)?;
        let machines = lab.machines();
        if let Some(machine) = machines.iter().find(|machine| machine.host != LOCAL).filter(|_| !whatever) {
            return Err(Error::Refused {
                message: format!(
                    "machine `{}` is placed on host `{}`, and deploys go to this computer alone so far",
                    machine.name, machine.host
                ),
                remedy: "take `host` out of the lab file".into(),
            });
        }
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
        let dir = engine.dirs().lab(name);
        let terraform = engine.terraform(&dir.join(LOCAL).join("terraform"))?;
        if !whatever && machines.iter().any(|machine| machine.ansible.is_some()) {
            engine.ansible(&dir.join("ansible"))?;
        }
        let connection = engine.connection(LOCAL).await?;
        let facts = engine.hosts().facts(LOCAL).await?;
        let refused = |message, remedy: &str| Error::Refused { message, remedy: remedy.to_owned() };
        let acceleration = if whatever {
            Accelerated { kvm: false, why: "no machine is started".into() }
        } else {
            acceleration::decide(lab.acceleration, &facts, engine.store(), &engine.dirs().data.join("probe"))
                .await
                .map_err(|message| refused(message, "set `acceleration: auto`, or make KVM work on this computer"))?
        };
        if facts.uefi.is_none() && machines.iter().any(|machine| machine.firmware == Firmware::Uefi) && !whatever {
            return Err(refused(
                "a machine wants UEFI, but the host has no UEFI firmware".into(),
                "install the package ovmf there",
            ));
        }
        let keys = Keys::open(&dir)?;
        let context = Context {
            host: LOCAL.to_owned(),
            libvirt_uri: libvirt::Target::LocalSystem.uri(),
            pool: engine.settings().pool().to_owned(),
            domain_type: acceleration.domain_type(),
            start: false,
            base_volumes: images.iter().map(|(name, digest)| (name.clone(), format!("{digest}.qcow2"))).collect(),
            host_keys: if whatever { BTreeMap::new() } else { keys.of_machines(&machines)? },
            lab_key: keys.lab.public.clone(),
            uefi: facts.uefi.clone(),
            lab_dir: PathBuf::from(&row.dir),
        };
        let engine = engine.clone();
        Ok(Site {
            engine,
            row,
            lab,
            machines,
            dir,
            terraform,
            connection,
            facts,
            acceleration,
            context,
            key: Arc::new(keys.lab),
            _lock: lock,
        })
    }

    fn simple(self, kind: RunKind, starts: Vec<String>, configures: Vec<String>) -> PlannedRun {
        PlannedRun {
            kind,
            lab: self.lab.name.clone(),
            planned: Vec::new(),
            changes: Vec::new(),
            starts,
            configures,
            ports: false,
            acceleration: self.acceleration.clone(),
            needs_memory_mib: 0,
            has_memory_mib: self.facts.free_memory_mib,
            warnings: Vec::new(),
            makes: BTreeSet::new(),
            site: Arc::new(self),
        }
    }

    /// The name of a machine's domain on the host.
    fn domain(&self, machine: &str) -> String {
        format!("{}.{machine}", self.lab.name)
    }

    fn ready_limit(&self) -> Duration {
        match self.engine.settings().ready_limit_s {
            Some(seconds) => Duration::from_secs(seconds),
            None if self.acceleration.kvm => READY_LIMIT_KVM,
            None => READY_LIMIT_TCG,
        }
    }

    /// An emulated guest that boots takes a whole processor; under KVM it mostly waits for its disk.
    fn starts_at_once(&self) -> usize {
        let cpus = self.facts.cpus.max(1) as usize;
        self.engine.settings().starts_at_once.map(NonZeroUsize::get).unwrap_or(if self.acceleration.kvm {
            cpus * 2
        } else {
            cpus.max(2)
        })
    }

    /// Making a domain takes libvirt and QEMU a processor for a moment; more at once only lengthens each.
    fn resources_at_once(&self) -> usize {
        (self.facts.cpus as usize).clamp(2, 10)
    }

    /// Suspends each domain that `changes` make as soon as it runs, until the result is dropped.
    ///
    /// The provider starts every domain it makes and then powers it off, `running = false` or not. On a busy host that
    /// takes seconds: enough for cloud-init to begin, and to be cut off, before the machine's turn has come.
    async fn hold_back(&self, changes: &[Change]) -> Result<JoinSet<()>, Error> {
        let made: BTreeSet<String> = changes
            .iter()
            .filter(|change| change.resource() == "libvirt_domain.machine")
            .filter(|change| matches!(change.kind, ChangeKind::Create | ChangeKind::Replace))
            .map(|change| self.domain(change.machine()))
            .collect();
        // A domain that is to be replaced runs on until Terraform takes it away: only another UUID is the new one.
        let old: BTreeSet<String> = self.connection.domains().await?.into_iter().map(|domain| domain.uuid).collect();
        let connection = self.connection.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut every = interval(HOLD_BACK_EVERY);
            every.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while !made.is_empty() {
                every.tick().await;
                let Ok(domains) = connection.domains().await else { continue };
                for domain in domains {
                    if domain.state == DomainState::Running && made.contains(&domain.name) && !old.contains(&domain.uuid) {
                        // Powered off in this moment, perhaps: as good.
                        let _ = connection.suspend(&domain.name).await;
                    }
                }
            }
        });
        Ok(tasks)
    }

    /// Writes what Terraform and Ansible read.
    fn write(&self) -> Result<(), Error> {
        self.terraform.write(&render::terraform::terraform(&self.lab, &self.machines, &self.context))?;
        write_seeds(&self.lab, &self.machines, &self.context, &self.terraform.dir)?;
        self.write_project()
    }

    /// Writes the Ansible project, with the addresses that became known only at run time.
    fn write_project(&self) -> Result<(), Error> {
        let machines = &self.machines_with_addresses()?;
        let project = self.dir.join("ansible");
        let io = |what: String| move |source| Error::Io { what, source };
        let mut files = render::ansible::ansible(&self.lab, machines, &self.context);
        files.insert("ssh_config".into(), render::ansible::ssh_config(machines, Some(&project)));
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

    /// States of the lab's own domains, by machine name.
    async fn states(&self) -> Result<HashMap<String, DomainState>, Error> {
        let prefix = format!("{}.", self.lab.name);
        let domains = self.connection.domains().await?;
        Ok(domains
            .into_iter()
            .filter_map(|domain| Some((domain.name.strip_prefix(&prefix)?.to_owned(), domain.state)))
            .collect())
    }

    /// Lists the host's domains over and over, for all who watch a machine.
    fn follow_states(&self) -> FollowedStates {
        let (sender, receiver) = watch::channel(Arc::new(HashMap::new()));
        let connection = self.connection.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut every = interval(STATES_EVERY);
            every.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                every.tick().await;
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

    /// Machines that must be started, and machines that must be waited for and configured, once `changes` are applied.
    async fn to_do(&self, changes: &[Change]) -> Result<(Vec<String>, Vec<String>), Error> {
        let states = self.states().await?;
        let rows: BTreeMap<String, MachineRow> =
            self.engine.store().machines(self.row.id)?.into_iter().map(|row| (row.name.clone(), row)).collect();
        let made: BTreeSet<&str> = changes
            .iter()
            .filter(|change| matches!(change.kind, ChangeKind::Create | ChangeKind::Replace))
            .filter(|change| matches!(change.resource(), "libvirt_domain.machine" | "libvirt_volume.system"))
            .map(Change::machine)
            .collect();
        let (mut starts, mut configures) = (Vec::new(), Vec::new());
        for machine in &self.machines {
            let on = states.get(&machine.name).is_some_and(|state| state.is_active());
            if !on || made.contains(machine.name.as_str()) {
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
    async fn fingerprint(&self, machine: &Machine) -> Result<String, Error> {
        let mut hasher = Sha256::new();
        let play = self.dir.join("ansible/plays").join(format!("{}.yaml", machine.spec));
        hasher.update(fs::read(play).unwrap_or_default());
        for (path, bytes) in labs::configuration_files(&self.lab, machine, &self.context.lab_dir) {
            hasher.update(path.as_os_str().as_encoded_bytes());
            hasher.update((bytes.len() as u64).to_be_bytes());
            hasher.update(bytes);
        }
        Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Refuses what would collide with things on the host that are not this lab's.
    async fn refuse_conflicts(&self) -> Result<(), Error> {
        let ours: BTreeSet<String> = self.ours()?.iter().map(|thing| thing.name().to_owned()).collect();
        let refused = |message: String, remedy: String| Err(Error::Refused { message, remedy });
        let networks = self.connection.networks().await?;
        let bridges: BTreeSet<&str> = networks
            .iter()
            .filter(|network| ours.contains(&network.name))
            .filter_map(|network| network.bridge.as_deref())
            .collect();
        let routes = hosts::routes();
        for (key, network) in self.lab.networks.iter().filter(|(_, network)| network.mode != NetworkMode::Bridge) {
            let Some(cidr) = network.cidr else { continue };
            let overlaps = |other: &ipnet::Ipv4Net| other.contains(&cidr.network()) || cidr.contains(&other.network());
            if let Some(other) = networks.iter().find(|other| !ours.contains(&other.name) && other.subnets.iter().any(overlaps))
            {
                return refused(
                    format!("network `{key}` ({cidr}) overlaps with the host's network `{}`", other.name),
                    "choose another `cidr`".into(),
                );
            }
            if let Some((device, route)) =
                routes.iter().find(|(device, route)| !bridges.contains(device.as_str()) && overlaps(route))
            {
                return refused(
                    format!("network `{key}` ({cidr}) overlaps with {route}, which this computer reaches through {device}"),
                    "choose another `cidr`".into(),
                );
            }
        }
        let ports = self.machines.iter().flat_map(|machine| machine.ports.iter().map(|(ours, _)| *ours));
        if let Err(error @ ports::Error::Port { .. }) = self.engine.ports().check(&self.lab.name, ports) {
            return refused(error.to_string(), "choose another port under `ports`, or end the program that has it".into());
        }
        for (key, network) in self.lab.networks.iter().filter(|(_, network)| network.mode == NetworkMode::Bridge) {
            let bridge = network.bridge.as_deref().unwrap_or_default();
            if !Path::new("/sys/class/net").join(bridge).join("bridge").is_dir() {
                return refused(
                    format!("network `{key}` needs the bridge `{bridge}`, which the host does not have"),
                    "make the bridge first, or name one that is there".into(),
                );
            }
        }
        Ok(())
    }

    /// Makes sure that the pool is there, and that each image that machines start from lies in it.
    async fn place_images(&self, journal: &Journal, cancel: &CancellationToken) -> Result<(), Error> {
        let settings = self.engine.settings();
        // One process at a time: another would take a half sent image for a whole one.
        let _turn = Lock::wait(&self.engine.dirs().data.join("locks"), "images-local", cancel, |holder| {
            journal.say(EventBody::step(format!("waiting for {holder}, which sends images to the host")));
        })
        .await?;
        if self.connection.pool(settings.pool()).await?.is_none() {
            self.connection.ensure_pool(settings.pool(), settings.pool_path()).await?;
        }
        let used: BTreeSet<&str> = self.machines.iter().map(|machine| machine.image.as_str()).collect();
        for image in self.engine.store().images()?.into_iter().filter(|image| used.contains(image.name.as_str())) {
            let volume = format!("{}.qcow2", image.digest);
            match self.connection.volume_length(settings.pool(), &volume).await? {
                Some(length) if length == image.file_bytes as u64 => continue,
                // What an upload that was cut off has left.
                Some(_) => self.connection.delete_volume(settings.pool(), &volume).await?,
                None => {}
            }
            let what = format!("image `{}` to the host", image.name);
            let total_mib = (image.file_bytes as u64).div_ceil(1 << 20) as u32;
            journal.say(EventBody::step(format!("sending {what} ({total_mib} MiB)")));
            let (told, mut last) = (journal.clone(), 0);
            let last = move |done: u64| {
                let done_mib = (done >> 20) as u32;
                // A step of 16 MiB is what a person sees move.
                if done_mib >= last + 16 {
                    last = done_mib;
                    told.say(EventBody::Transfer { what: what.clone(), done_mib, total_mib });
                }
            };
            let last = std::sync::Mutex::new(last);
            let progress = move |done| (last.lock().expect("no panic while telling"))(done);
            let path = self.engine.images().path(&image.digest);
            self.connection.upload(settings.pool(), &volume, &path, image.virtual_bytes as u64, cancel, progress).await?;
        }
        Ok(())
    }

    /// Opens the lab's published ports, or closes those that the lab no longer has.
    async fn publish(&self, journal: &Journal) -> Result<(), Error> {
        let lab = &self.lab.name;
        self.engine.ports().open(lab).await?;
        for (port, to) in self.engine.ports().of(lab)? {
            journal.say(EventBody::step(format!("127.0.0.1:{port} leads to {to}")));
        }
        Ok(())
    }

    async fn configure(&self, machine: &Machine, journal: &Journal, cancel: &CancellationToken) -> Result<(), Error> {
        let name = &machine.name;
        journal.say_of(name, EventBody::step("configuring with Ansible"));
        let ansible = self.engine.ansible(&self.dir.join("ansible"))?;
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

    /// Takes networks and volumes that somebody removed by hand out of Terraform's state: the provider's refresh fails on them,
    /// where it should find that they are to be made again.
    async fn forget_what_is_gone(&self, cancel: &CancellationToken) -> Result<(), Error> {
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
    async fn refuse_taken(&self, makes: &BTreeSet<Thing>) -> Result<(), Error> {
        let ours = self.ours()?;
        match self.on_host(makes).await?.iter().find(|thing| makes.contains(thing) && !ours.contains(thing)) {
            None => Ok(()),
            Some(thing) => Err(Error::Refused {
                message: format!("the host already has a {thing} that is not this lab's"),
                remedy: "rename it in the lab file or rename the lab, or remove it from the host".into(),
            }),
        }
    }

    /// Writes down what is about to be made, and has just been found free: see [`Site::remove_strays`].
    async fn claim(&self, makes: &BTreeSet<Thing>, journal: &Journal) -> Result<(), Error> {
        self.remove_strays(journal).await?;
        self.refuse_taken(makes).await?;
        self.write_claims(makes)
    }

    /// Removes what an apply made and Terraform does not know: the provider forgets a domain that it defined and could not
    /// start, and a killed apply whatever it was at. Such things are told by their names, which were free before the apply and
    /// written down then; what Terraform knows is left to it.
    async fn remove_strays(&self, journal: &Journal) -> Result<(), Error> {
        let mut claims = self.claims()?;
        if claims.is_empty() {
            return Ok(());
        }
        let known: BTreeSet<Thing> = self.terraform.resources()?.iter().filter_map(thing).collect();
        claims.retain(|thing| !known.contains(thing));
        // Domains come first, before what they use.
        for stray in self.on_host(&claims).await?.intersection(&claims) {
            journal.say(EventBody::step(format!("removing {stray}, which was not made whole")));
            self.connection.remove(stray).await?;
        }
        self.write_claims(&BTreeSet::new())
    }

    fn claims_path(&self) -> PathBuf {
        self.dir.join(LOCAL).join("claims.json")
    }

    fn claims(&self) -> Result<BTreeSet<Thing>, Error> {
        let io = |source| Error::Io { what: format!("read {}", self.claims_path().display()), source };
        match fs::read(self.claims_path()) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| io(error.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeSet::new()),
            Err(error) => Err(io(error)),
        }
    }

    fn write_claims(&self, claims: &BTreeSet<Thing>) -> Result<(), Error> {
        let text = serde_json::to_vec(claims).expect("names are JSON");
        write_private(&self.claims_path(), text)
            .map(drop)
            .map_err(|source| Error::Io { what: format!("write {}", self.claims_path().display()), source })
    }

    /// What on the host is this lab's: what Terraform knows, and what a run was about to make.
    fn ours(&self) -> Result<BTreeSet<Thing>, Error> {
        let mut ours = self.claims()?;
        ours.extend(self.terraform.resources()?.iter().filter_map(thing));
        Ok(ours)
    }

    /// All domains, networks and, in our pool and in those of `things`, volumes.
    async fn on_host(&self, things: &BTreeSet<Thing>) -> Result<BTreeSet<Thing>, Error> {
        let pools = things.iter().filter_map(Thing::pool).chain([self.engine.settings().pool()]);
        Ok(self.connection.things(pools.map(str::to_owned).collect()).await?)
    }
}

/// What a resource of Terraform's is on the host; none for those that only Terraform has.
fn thing(known: &Known) -> Option<Thing> {
    let name = known.name.clone();
    match (known.resource_type.as_str(), &known.pool) {
        ("libvirt_domain", _) => Some(Thing::Domain { name }),
        ("libvirt_network", _) => Some(Thing::Network { name }),
        ("libvirt_volume", Some(pool)) => Some(Thing::Volume { pool: pool.clone(), name }),
        _ => None,
    }
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

struct FollowedStates {
    receiver: States,
    _tasks: JoinSet<()>,
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
