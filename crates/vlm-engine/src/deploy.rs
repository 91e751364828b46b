//! The story of a run: plan, images, apply, start, readiness, configuration; and the way back.
//!
//! The plan that was shown is the plan that is applied: a [`PlannedRun`] holds the lab's lock, and Terraform refuses a saved
//! plan that no longer fits its state. Every step is journalled before and after.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs, io,
    num::NonZeroUsize,
    path::Path,
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{Instant, interval},
};
use tokio_util::sync::CancellationToken;
use vlm_lab::{
    phase::{self, Phase, Standing},
    plan::{self, Change, Disruption},
    problems::Problem,
};

use crate::{
    Engine, Resource,
    acceleration::Accelerated,
    ansible, chain,
    failures::{self, Tool},
    hosts, images,
    journal::{Journal, StepState},
    labs,
    libvirt::{self, Thing},
    lock::{self, Lock},
    ports,
    readiness::{self, Login, NotReady, Seen, States, Watch},
    runs::{EventBody, ResourceState, RunEvent, RunId, RunKind, RunStatus, RunSummary},
    site::{self, FollowedStates, Place, Purpose, Site},
    ssh,
    store::{self, LabState, MachineRow},
    terraform::{
        self, Known, Planned,
        message::{Message, Progress},
    },
};

/// How long a guest may take to obey the power button before it is forced off.
const SHUT_DOWN_LIMIT: Duration = Duration::from_secs(90);
/// How long Terraform may take to notice that libvirt is gone.
const NOTICES_WITHIN: Duration = Duration::from_secs(10);
/// How long a daemon that is restarted may take to answer again.
const COMES_BACK_WITHIN: Duration = Duration::from_secs(20);
/// How often a stop lists the lab's domains, and a daemon that went is tried again.
const STATES_EVERY: Duration = Duration::from_millis(500);

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
    /// A host, or the way to it.
    #[error("host `{host}`: {error}")]
    Host {
        /// Its name.
        host: String,
        /// What is wrong.
        #[source]
        error: Box<hosts::Error>,
    },
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
    /// What went wrong about a host.
    pub(crate) fn of_host(host: &str, error: hosts::Error) -> Error {
        match error {
            // Of this computer the words of libvirt say enough.
            hosts::Error::Libvirt(error) if host == hosts::LOCAL => Error::Libvirt(error),
            error => Error::Host { host: host.to_owned(), error: Box::new(error) },
        }
    }

    /// Whether nothing was touched.
    pub fn is_refusal(&self) -> bool {
        match self {
            Error::Problems { .. }
            | Error::ImagesToBuild(_)
            | Error::ImagesToPull(_)
            | Error::Refused { .. }
            | Error::Lock(lock::Error::Busy { .. }) => true,
            Error::Host { error, .. } => matches!(**error, hosts::Error::Unknown(_)),
            Error::Images(error) | Error::Labs(labs::Error::Images(error)) => error.is_refusal(),
            Error::Labs(error) => matches!(
                error,
                labs::Error::Unknown(_)
                    | labs::Error::Unreadable(_)
                    | labs::Error::Deployed(_)
                    | labs::Error::NoMachine { .. }
                    | labs::Error::Name(_)
                    | labs::Error::Taken(_)
                    | labs::Error::OtherName { .. }
                    | labs::Error::Store(store::Error::Conflict { .. })
                    | labs::Error::Lock(lock::Error::Busy { .. })
            ),
            Error::Terraform(
                terraform::Error::Missing
                | terraform::Error::NotThere { .. }
                | terraform::Error::State { .. }
                | terraform::Error::OtherProgram { .. }
                | terraform::Error::Tool(_),
            )
            | Error::Ansible(ansible::Error::Missing | ansible::Error::NotThere { .. } | ansible::Error::Tool(_)) => true,
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
    /// What each host is asked for, one at least.
    pub hosts: Vec<HostShare>,
    /// Warnings about the lab, and about what it asks of the hosts.
    pub warnings: Vec<String>,
    /// For each place, what Terraform does there.
    work: Vec<Planned>,
    site: Arc<Site>,
}

/// What a run asks of a host.
#[derive(Debug, Clone, serde::Serialize)]
pub struct HostShare {
    /// Its name.
    pub host: String,
    /// How guests run there, and why.
    pub acceleration: Accelerated,
    /// Memory that the machines to be started take, in MiB.
    pub needs_memory_mib: u64,
    /// Memory that the host could give them, in MiB.
    pub has_memory_mib: u64,
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

    /// The saved plans in Terraform's own words, one after the other.
    pub async fn raw(&self, cancel: &CancellationToken) -> Result<String, Error> {
        let mut raw = Vec::new();
        for (place, _) in self.site.places.iter().zip(&self.work).filter(|(_, work)| !work.changes.is_empty()) {
            let text = place.terraform.show(cancel).await?;
            raw.push(if self.site.spans_hosts() { format!("# {}\n\n{text}", place.host.name) } else { text });
        }
        Ok(raw.join("\n"))
    }

    /// The directories with `main.tf` and the saved plan, one of each host.
    pub fn terraform_dirs(&self) -> impl Iterator<Item = &Path> {
        self.site.places.iter().map(|place| place.terraform.dir.as_path())
    }
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
    /// Plans what a deploy of the stored lab would do, its machines placed on `hosts` where they name none and are nowhere yet.
    /// Writes our own files, changes nothing on a host.
    pub async fn plan(&self, lab: &str, hosts: &[String], cancel: &CancellationToken) -> Result<PlannedRun, Error> {
        let mut site = Site::open(self.engine, lab, hosts, Purpose::Deploy).await?;
        site.assign_ssh_ports()?;
        site.write()?;
        for place in &site.places {
            place.terraform.init(cancel).await?;
            place.forget_what_is_gone(cancel).await?;
        }
        site.refuse_conflicts().await?;
        let mut work = Vec::new();
        for place in &site.places {
            place.terraform.plan(false, &place.uri, cancel, |_| {}).await?;
            let planned = place.terraform.planned(cancel).await?;
            place.refuse_taken(&things(&planned.makes)).await?;
            work.push(planned);
        }
        let (starts, configures) = site.to_do(&work).await?;
        let mut warnings: Vec<String> = self
            .engine
            .labs()
            .check(&site.row.document, Path::new(&site.row.dir))?
            .problems
            .into_iter()
            .map(|p| p.message)
            .collect();
        warnings.extend(site.places.iter().flat_map(|place| place.terraform.changed()));
        let mut run = site.simple(RunKind::Deploy, starts, configures, work);
        for share in run.hosts.iter().filter(|share| share.needs_memory_mib > share.has_memory_mib) {
            warnings.push(format!(
                "the machines to start take {} MiB of memory, host `{}` has {} MiB left",
                share.needs_memory_mib, share.host, share.has_memory_mib
            ));
        }
        run.warnings.extend(warnings);
        run.ports = !self.engine.ports().are_open(lab)?;
        Ok(run)
    }

    /// Plans to power on the machines of a deployed lab that are off.
    pub async fn plan_start(&self, lab: &str) -> Result<PlannedRun, Error> {
        self.deployed(lab)?;
        let site = Site::open(self.engine, lab, &[], Purpose::Deploy).await?;
        // The design may have grown since the deploy: what is not made yet cannot be started.
        let made = site.states().await?;
        let (mut starts, configures) = site.to_do(&[]).await?;
        starts.retain(|machine| made.contains_key(machine));
        let ports = !self.engine.ports().are_open(lab)?;
        Ok(PlannedRun { ports, ..site.simple(RunKind::Start, starts, configures, Vec::new()) })
    }

    /// Plans to shut down the machines of a deployed lab that are on.
    pub async fn plan_stop(&self, lab: &str) -> Result<PlannedRun, Error> {
        self.deployed(lab)?;
        let site = Site::open_any(self.engine, lab).await?;
        Ok(site.simple(RunKind::Stop, Vec::new(), Vec::new(), Vec::new()))
    }

    /// Plans to take a lab away: everything that its Terraform states hold.
    pub async fn plan_destroy(&self, lab: &str, cancel: &CancellationToken) -> Result<PlannedRun, Error> {
        let site = Site::open_any(self.engine, lab).await?;
        let mut work = Vec::new();
        for place in &site.places {
            let mut planned = Planned { changes: Vec::new(), makes: Vec::new(), outputs: false };
            if !place.lost && place.terraform.dir.join("main.tf").is_file() && place.terraform.has_state()? {
                place.terraform.init(cancel).await?;
                place.forget_what_is_gone(cancel).await?;
                place.terraform.plan(true, &place.uri, cancel, |_| {}).await?;
                planned = place.terraform.planned(cancel).await?;
            }
            work.push(planned);
        }
        let mut lost = Vec::new();
        for place in site.places.iter().filter(|place| place.lost) {
            let things = place.of_names(&site.lab, &site.names_on(place)?).await?;
            lost.push(format!(
                "terraform's state is lost on host `{}`: what bears the lab's names goes, {}",
                place.host.name,
                if things.is_empty() { "and nothing does".to_owned() } else { list(things.iter()) }
            ));
        }
        let mut run = site.simple(RunKind::Destroy, Vec::new(), Vec::new(), work);
        run.warnings.extend(lost);
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
                    format!("`vlm resume {lab}` goes on, `vlm destroy {lab}` takes it away"),
                    LabState::Incomplete,
                ),
                Err(error) => {
                    let explained = explain(error, &lab);
                    let message = explained.message.clone();
                    told.say(explained.into());
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
        let runs = self.engine.store().runs(lab, limit)?;
        Ok(runs.into_iter().map(|run| self.as_it_is(run)).collect())
    }

    /// The newest runs of all labs, newest first; those at work are among them, however old.
    pub fn recent(&self, limit: u32) -> Result<Vec<RunSummary>, Error> {
        Ok(self.engine.store().recent_runs(limit)?.into_iter().map(|run| self.as_it_is(run)).collect())
    }

    /// Events of a run from `from_seq` on, at most `limit`, from the store: also of runs of other processes.
    pub fn events(&self, run: RunId, from_seq: u32, limit: u32) -> Result<Vec<RunEvent>, Error> {
        Ok(self.engine.store().events(run, from_seq, limit)?)
    }

    /// A run of a lab; none where the lab has had no run of that number.
    pub fn get(&self, lab: &str, run: RunId) -> Result<Option<RunSummary>, Error> {
        let found = self.engine.store().run(run)?.filter(|run| run.lab == lab);
        Ok(found.map(|run| self.as_it_is(run)))
    }

    /// A run that says it is at work, and whose process is gone, was cut off.
    pub(crate) fn as_it_is(&self, run: RunSummary) -> RunSummary {
        if run.status != RunStatus::Running || Lock::holder(&self.engine.dirs().data.join("locks"), &run.lab) == Some(run.pid) {
            return run;
        }
        RunSummary { status: RunStatus::CutOff, sentence: self.where_cut_off(run.id), ..run }
    }

    fn where_cut_off(&self, run: RunId) -> String {
        let journal = self.engine.store().journal_of(run).unwrap_or_default();
        match phase::open_steps(journal.iter().map(|record| (record.step.as_str(), record.state == StepState::Begun))) {
            steps if steps.is_empty() => match journal.last() {
                None => "cut off before its first step".to_owned(),
                Some(last) => format!("cut off after {}", last.step),
            },
            steps => format!("cut off at {}", steps.join(", ")),
        }
    }

    /// Notes that runs of a lab were cut off. For whoever holds the lab's lock: nobody is at work then.
    pub(crate) fn note_cut_off(&self, lab: &str) -> Result<(), Error> {
        for run in self.engine.store().open_runs(lab)? {
            self.engine.store().end_run(run, RunStatus::CutOff, &self.where_cut_off(run))?;
        }
        Ok(())
    }

    /// The last run of a lab, if it did not end well: what a resume takes up.
    pub fn unfinished(&self, lab: &str) -> Result<Option<RunSummary>, Error> {
        self.engine.labs().get(lab)?;
        let last = self.list(lab, 1)?.pop();
        Ok(last.filter(|run| matches!(run.status, RunStatus::CutOff | RunStatus::Failed | RunStatus::Cancelled)))
    }

    /// Whether a run is still at work, here or in another process.
    pub fn is_running(&self, run: RunId) -> Result<bool, Error> {
        let found = self.engine.store().run(run)?;
        Ok(found.is_some_and(|run| self.as_it_is(run).status == RunStatus::Running))
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
            let (_all, made) = watch::channel(Made::All);
            bring_up(&planned.site, &planned.starts, &planned.configures, made, &LetGo::default(), journal, cancel).await?;
            journal.step("publish", planned.site.publish(journal)).await?;
            Ok(format!("{} started", machines(count)))
        }
        RunKind::Stop => stop(&planned.site, journal, cancel, force).await,
        RunKind::Destroy => destroy(planned, journal, cancel).await,
    }
}

async fn deploy(planned: &PlannedRun, journal: &Journal, cancel: &CancellationToken) -> Result<String, Error> {
    let site = &planned.site;
    let begun = Instant::now();
    let (made, seen) = watch::channel(Made::default());
    let let_go = Arc::new(LetGo::default());
    // All end with this function.
    let mut held = Vec::new();
    for (place, work) in site.places.iter().zip(&planned.work) {
        held.push(place.hold_back(&work.changes, let_go.clone()).await?);
    }
    let applied = async {
        let applied = apply_all(planned, &made, journal, cancel).await;
        made.send_replace(if applied.is_ok() { Made::All } else { Made::NoMore });
        applied
    };
    // Machines come up while others are still being made.
    let up = bring_up(site, &planned.starts, &planned.configures, seen, &let_go, journal, cancel);
    let (applied, up) = tokio::join!(applied, up);
    applied?;
    let names: Vec<&str> = site.machines.iter().map(|machine| machine.name.as_str()).collect();
    site.engine.store().keep_machines(site.row.id, &names)?;
    up?;
    journal.step("publish", site.publish(journal)).await?;
    if !planned.has_work() {
        return Ok(format!("nothing to do: {} as designed", machines(site.machines.len())));
    }
    Ok(format!("{} ready after {} s", machines(site.machines.len()), begun.elapsed().as_secs()))
}

/// New machines whose turn has come; the others are held back.
pub(crate) type LetGo = std::sync::Mutex<BTreeSet<String>>;

/// Which machines are there to be started.
#[derive(Debug)]
pub(crate) enum Made {
    /// These; others may come.
    Only(BTreeSet<String>),
    /// All.
    All,
    /// None any more: the apply failed.
    NoMore,
}

impl Default for Made {
    fn default() -> Made {
        Made::Only(BTreeSet::new())
    }
}

impl Made {
    /// Whether the machine is there.
    pub(crate) fn has(&self, machine: &str) -> bool {
        match self {
            Made::Only(machines) => machines.contains(machine),
            Made::All => true,
            Made::NoMore => false,
        }
    }
}

/// Makes all hosts have what the plan says, and tells of each new machine.
async fn apply_all(
    planned: &PlannedRun,
    made: &watch::Sender<Made>,
    journal: &Journal,
    cancel: &CancellationToken,
) -> Result<(), Error> {
    for (place, work) in planned.site.places.iter().zip(&planned.work) {
        if !work.changes.is_empty() {
            apply(&planned.site, place, work, made, journal, cancel).await?;
            continue;
        }
        // A run that was cut off may have left some all the same, and its outputs unsaid.
        place.remove_strays(journal).await?;
        if work.outputs {
            apply_plan(place, cancel, |message| tell_terraform(journal, message)).await?;
        }
    }
    Ok(())
}

/// Makes one host have what the plan says.
async fn apply(
    site: &Site,
    place: &Place,
    work: &Planned,
    made: &watch::Sender<Made>,
    journal: &Journal,
    cancel: &CancellationToken,
) -> Result<(), Error> {
    journal.step(&place.step("images"), place.place_images(&site.machines, journal, cancel)).await?;
    journal.step(&place.step("claim"), place.claim(&things(&work.makes), journal)).await?;
    let on = if site.spans_hosts() { format!(" on host `{}`", place.host.name) } else { String::new() };
    journal.say(EventBody::step(format!("applying {} changes with Terraform{on}", work.changes.len())));
    // A machine on a new disk has not been configured, whatever its predecessor was.
    let new_disks = work.changes.iter().filter(|change| change.resource() == "libvirt_volume.system");
    let new_disks: BTreeSet<&str> = new_disks.map(Change::machine).collect();
    let is_new = |name: &str| {
        let machine = site.machines.iter().find(|machine| machine.name == name && machine.host == place.host.name);
        let Some(machine) = machine.filter(|_| new_disks.contains(name)) else { return Ok(()) };
        let address = machine.address().map(|address| address.to_string());
        let row = MachineRow { name: name.to_owned(), host: machine.host.clone(), address, configured: None, ready: false };
        site.engine.store().save_machine(site.row.id, &row)
    };
    let tell = |message: Message| {
        if let Some(machine) = message.made_machine()
            && let Ok(()) = is_new(machine)
        {
            made.send_modify(|made| match made {
                Made::Only(machines) => drop(machines.insert(machine.to_owned())),
                Made::All | Made::NoMore => {}
            });
        }
        tell_terraform(journal, message);
    };
    let applied = journal.step(&place.step("apply"), apply_plan(place, cancel, tell)).await;
    // A failure of the apply matters more than one of clearing up, which the next run does again.
    let cleared = clear(place, journal).await;
    applied.and(cleared)?;
    for name in new_disks.iter().filter(|name| !made.borrow().has(name)) {
        is_new(name)?;
    }
    Ok(())
}

/// Removes strays, once more where the daemon was restarted meanwhile: what was applied is whole.
async fn clear(place: &Place, journal: &Journal) -> Result<(), Error> {
    let until = Instant::now() + COMES_BACK_WITHIN;
    loop {
        match place.remove_strays(journal).await {
            Err(Error::Libvirt(libvirt::Error::Lost { .. } | libvirt::Error::Connect { .. })) if Instant::now() < until => {
                tokio::time::sleep(STATES_EVERY).await;
            }
            cleared => return cleared,
        }
    }
}

/// Has Terraform apply the plan of a place. Its provider waits for ever for the answer of a daemon that is gone: we know better.
async fn apply_plan(place: &Place, cancel: &CancellationToken, tell: impl FnMut(Message)) -> Result<(), Error> {
    let give_up = CancellationToken::new();
    let apply = place.terraform.apply(place.resources_at_once(), cancel, &give_up, tell);
    let lost = async {
        place.connection.until_lost().await;
        tokio::time::sleep(NOTICES_WITHIN).await;
        give_up.cancel();
        std::future::pending().await
    };
    let applied = tokio::select! {
        applied = apply => applied,
        never = lost => never,
    };
    match applied {
        Err(error @ (terraform::Error::Failed { .. } | terraform::Error::Lost { .. })) => {
            // Whatever the provider made of it: where the host is out of reach, that is the reason.
            Err(place.out_of_reach().await.unwrap_or(error.into()))
        }
        applied => Ok(applied?),
    }
}

async fn destroy(planned: &PlannedRun, journal: &Journal, cancel: &CancellationToken) -> Result<String, Error> {
    let site = &planned.site;
    let close = async { Ok::<_, Error>(site.engine.ports().close(&site.lab.name).await?) };
    journal.step("close", close).await?;
    let known = site.engine.store().machines(site.row.id)?;
    for (place, work) in site.places.iter().zip(&planned.work) {
        let mut ours = if place.lost {
            let things = place.of_names(&site.lab, &site.names_on(place)?).await?;
            journal.step(&place.step("names"), place.remove(&things, journal)).await?;
            things
        } else {
            place.ours()?
        };
        // Should Terraform's state have been lost, the store still remembers machines.
        let remembered = known.iter().filter(|machine| machine.host == place.host.name);
        ours.extend(remembered.map(|machine| Thing::Domain { name: place.domain(&machine.name) }));
        journal.step(&place.step("strays"), place.remove_strays(journal)).await?;
        if !work.changes.is_empty() {
            journal.say(EventBody::step(format!("destroying {} resources with Terraform", work.changes.len())));
            let destroy = apply_plan(place, cancel, |message| tell_terraform(journal, message));
            journal.step(&place.step("destroy"), destroy).await?;
        }
        journal.say(EventBody::step("looking for what may be left"));
        let there = place.on_host(&ours).await?;
        let left: Vec<&Thing> = there.intersection(&ours).collect();
        if !left.is_empty() {
            return Err(Error::Failed(format!("still on host `{}`: {}", place.host.name, list(left.into_iter()))));
        }
        let prefix = place.domain("");
        let others: Vec<&Thing> = there.iter().filter(|thing| thing.name().starts_with(&prefix)).collect();
        if !others.is_empty() {
            journal.say(EventBody::step(format!("left alone, because this lab did not make it: {}", list(others.into_iter()))));
        }
    }
    let forget = async {
        site.engine.store().forget_deployment(site.row.id, &labs::hosts_of(&site.lab.machines()))?;
        if site.dir.exists() {
            let what = || format!("delete {}", site.dir.display());
            fs::remove_dir_all(&site.dir).map_err(|source| Error::Io { what: what(), source })?;
        }
        Ok::<_, Error>(())
    };
    journal.step("forget", forget).await?;
    Ok("nothing is left on the host; the design stays".to_owned())
}

async fn stop(site: &Site, journal: &Journal, cancel: &CancellationToken, force: bool) -> Result<String, Error> {
    site.engine.ports().close(&site.lab.name).await?;
    // Also what an earlier design made and no deploy has removed yet.
    let mut names: BTreeSet<String> = site.machines.iter().map(|machine| machine.name.clone()).collect();
    for place in &site.places {
        let known = place.terraform.resources().unwrap_or_default();
        let domains = known.iter().filter(|known| known.resource_type == "libvirt_domain");
        names.extend(domains.filter_map(|known| Some(known.name.strip_prefix(&place.domain(""))?.to_owned())));
    }
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
            let place = site.place_of_domain(name).await?;
            let domain = place.domain(name);
            match asked.get(*name) {
                // Machines that others need go last.
                None if !needed => {
                    count += 1;
                    asked.insert(name.to_string(), Instant::now());
                    let step = format!("stop/{}", name);
                    if force {
                        journal.say_of(name, EventBody::step("forcing off"));
                        journal.step(&step, async { Ok::<_, Error>(place.connection.force_off(&domain).await?) }).await?;
                    } else {
                        journal.say_of(name, EventBody::step("shutting down"));
                        journal.step(&step, async { Ok::<_, Error>(place.connection.shut_down(&domain).await?) }).await?;
                    }
                }
                Some(since) if since.elapsed() > SHUT_DOWN_LIMIT => {
                    let text = format!("did not shut down within {} s, forcing off", SHUT_DOWN_LIMIT.as_secs());
                    journal.say_of(name, EventBody::step(text));
                    place.connection.force_off(&domain).await?;
                }
                _ => {}
            }
        }
    }
}

/// Starts machines in their order as soon as they are `made`, follows each until it is configured, and lets the others go on when
/// one fails.
async fn bring_up(
    site: &Arc<Site>,
    starts: &[String],
    configures: &[String],
    mut made: watch::Receiver<Made>,
    let_go: &LetGo,
    journal: &Journal,
    cancel: &CancellationToken,
) -> Result<(), Error> {
    let todo: BTreeSet<&str> = starts.iter().chain(configures).map(String::as_str).collect();
    if todo.is_empty() {
        return Ok(());
    }
    let mut standing: BTreeMap<String, Standing> = todo.iter().map(|name| (name.to_string(), Standing::Waiting)).collect();
    let order = || site.machines.iter().map(|machine| (machine.name.as_str(), machine.depends_on.as_slice()));
    // Machines behind a link are reached through ports of ours, while this goes on and after.
    let _doors = site.engine.ports().hold(&site.lab.name).await?;
    let states: HashMap<&str, FollowedStates> =
        site.places.iter().map(|place| (place.host.name.as_str(), place.follow_states())).collect();
    let at_once = site.starts_at_once();
    // Ansible works on this computer.
    let cpus = std::thread::available_parallelism().map_or(2, NonZeroUsize::get);
    let plays = Arc::new(Semaphore::new(cpus.max(2)));
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
        // More of them may be made by the time that one is ready.
        let more = matches!(*made.borrow_and_update(), Made::Only(_));
        if !cancel.is_cancelled() {
            let startable: Vec<String> = {
                let made = made.borrow();
                let there = order().filter(|(name, _)| made.has(name));
                phase::startable(there, &standing, at_once).into_iter().map(str::to_owned).collect()
            };
            for name in startable {
                standing.insert(name.clone(), Standing::Under);
                let_go.lock().expect("nobody panics with it").insert(name.clone());
                let machine = site.machines.iter().find(|machine| machine.name == name);
                let host = &machine.expect("only the lab's machines are brought up").host;
                let (site, journal, cancel, states, plays) =
                    (site.clone(), journal.clone(), cancel.clone(), states[host.as_str()].receiver.clone(), plays.clone());
                work.spawn(async move {
                    let result = bring_up_one(&site, &name, states, &plays, &journal, &cancel).await;
                    (name, result)
                });
            }
        }
        let done = tokio::select! {
            Some(done) = work.join_next() => done,
            Ok(()) = made.changed(), if more => continue,
            else => break,
        };
        let (name, result) = done.expect("bringing up a machine does not panic");
        match result {
            Ok(()) => {
                standing.insert(name, Standing::Ready);
            }
            Err(error) if error.is_cancel() => {
                standing.insert(name, Standing::Failed);
            }
            Err(error) => {
                if !matches!(error, Error::Failed(_)) {
                    let explained = explain(&error, &site.lab.name);
                    let hint = explained.hint.replace("MACHINE", &name);
                    journal.say_of(&name, Explained { hint, ..explained }.into());
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
    let place = site.place_of(machine);
    let domain = place.domain(name);
    let known = || Ok::<_, Error>(site.engine.store().machines(site.row.id)?.into_iter().find(|row| row.name == name));
    // Until it is ready it is not, whatever it was before: a run that ends in between leaves it to the next one.
    if let Some(row) = known()? {
        site.engine.store().save_machine(site.row.id, &MachineRow { ready: false, ..row })?;
    }
    let start = async { Ok::<_, Error>(place.connection.start(&domain).await?) };
    journal.step(&format!("start/{name}"), start).await?;
    let watch = Watch {
        connection: place.connection.clone(),
        states,
        domain: domain.clone(),
        address: machine.address(),
        way: place.host.way.clone(),
        login: Login {
            user: machine.user.clone(),
            key: site.key.clone(),
            host_key: place.context.host_keys[name].public.clone(),
        },
        serial_log: site.dir.join("serial").join(format!("{name}.log")),
        limit: place.ready_limit(),
    };
    let ready = readiness::until_ready(watch, |seen| match seen {
        Seen::Phase(phase, address) => {
            journal.say_of(name, EventBody::Phase { phase, address: address.map(|address| address.to_string()) });
        }
        Seen::Waiting(stuck) => journal.say_of(name, stuck.into()),
    });
    let ready = async {
        tokio::select! {
            ready = ready => ready.map_err(|not_ready| tell_not_ready(journal, &site.lab.name, name, &not_ready)),
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
            // Noted with it: what was applied whole is not applied again.
            let configure = async {
                site.configure(machine, journal, cancel).await?;
                row.configured = Some(fingerprint.clone());
                Ok::<_, Error>(site.engine.store().save_machine(site.row.id, &row)?)
            };
            journal.step(&format!("configure/{name}"), configure).await?;
            drop(turn);
        }
        row.configured = Some(fingerprint);
        site.engine.store().save_machine(site.row.id, &row)?;
    }
    journal.say_of(name, EventBody::Phase { phase: Phase::Configured, address: row.address });
    Ok(())
}

fn tell_not_ready(journal: &Journal, lab: &str, name: &str, not_ready: &NotReady) -> Error {
    let tail = not_ready.serial_tail.lines().rev().take(20).collect::<Vec<_>>();
    let tail = tail.into_iter().rev().collect::<Vec<_>>().join("\n");
    let mut explained =
        Explained { message: format!("{name} is {not_ready}"), hint: not_ready.stuck.remedy.clone(), evidence: None };
    // One that cannot be reached says why on its console, if at all; of one that can, cloud-init knows more.
    let card = if not_ready.phase < Phase::Ssh {
        failures::card(Tool::Console, &not_ready.serial_tail)
    } else {
        let errors = not_ready.stuck.reason.replace("; (", "\n(");
        failures::card(Tool::CloudInit, &format!("{errors}\n{}", not_ready.serial_tail))
    };
    let mut evidence = String::new();
    if card.is_known() {
        explained.message = format!("{name} is stuck at {}: {}", not_ready.phase.as_str(), card.cause);
        explained.hint = card.remedy.replace("LAB", lab).replace("MACHINE", name);
        evidence = format!("{}\n{}\n", not_ready.stuck.reason, card.evidence);
    }
    if !tail.trim().is_empty() {
        evidence += &format!("the end of its serial console:\n{tail}");
    }
    explained.evidence = Some(evidence.trim_end().to_owned()).filter(|evidence| !evidence.is_empty());
    journal.say_of(name, explained.into());
    Error::Failed(not_ready.to_string())
}

fn tell_terraform(journal: &Journal, message: Message) {
    if let Some(machine) = message.made_machine() {
        journal.say_of(machine, EventBody::Phase { phase: Phase::Defined, address: None });
    }
    match message {
        Message::Resource { address, action, progress } => {
            let (state, seconds) = match progress {
                Progress::Started => (ResourceState::Started, 0),
                Progress::Going(seconds) => (ResourceState::Going, seconds),
                Progress::Complete(seconds) => (ResourceState::Done, seconds),
                Progress::Failed => (ResourceState::Failed, 0),
            };
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

/// A failure in words, for people.
pub struct Explained {
    /// What happened and why.
    pub message: String,
    /// What to do; may be empty.
    pub hint: String,
    /// What a tool said that shows it.
    pub evidence: Option<String>,
}

impl From<Explained> for EventBody {
    fn from(Explained { message, hint, evidence }: Explained) -> EventBody {
        EventBody::Failed { message, hint, evidence }
    }
}

/// What failed, why and what to do, for people. `lab` is empty where no run has begun: it has no log.
pub fn explain(error: &Error, lab: &str) -> Explained {
    let (message, hint) = explain_ourselves(error, lab);
    // What was attempted, and what a tool said of it.
    let (attempt, tool, said) = match error {
        Error::Terraform(terraform::Error::Failed { verb, diagnostics, stderr }) => {
            (format!("terraform {verb} failed"), Tool::Terraform, terraform::said(diagnostics, stderr))
        }
        Error::Ansible(ansible::Error::Failed { task, words, stderr }) => {
            let attempt = task.as_ref().map_or("ansible failed".to_owned(), |task| format!("ansible failed: task `{task}`"));
            (attempt, Tool::Ansible, format!("{words}\n{stderr}"))
        }
        Error::Libvirt(error) => match attempted(error) {
            Some((attempt, reason)) => (attempt, Tool::Libvirt, reason),
            None => return Explained { message, hint, evidence: None },
        },
        Error::Host { host, error } => match &**error {
            hosts::Error::Libvirt(error) => match attempted(error) {
                Some((attempt, reason)) => (format!("host `{host}`: {attempt}"), Tool::Libvirt, reason),
                None => return Explained { message, hint, evidence: None },
            },
            _ => return Explained { message, hint, evidence: None },
        },
        _ => return Explained { message, hint, evidence: None },
    };
    let card = failures::card(tool, &said);
    let named = |text: String| if lab.is_empty() { text } else { text.replace("LAB", lab) };
    let evidence = Some(card.evidence.clone()).filter(|evidence| !evidence.is_empty());
    if card.is_known() {
        return Explained { message: format!("{attempt}: {}", card.cause), hint: named(card.remedy), evidence };
    }
    // Of a failure that nobody knows, the tool's first words say most.
    let first = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("it did not say why").trim();
    let whole = format!("{attempt}: {first}");
    let evidence = evidence.filter(|_| said.trim().lines().count() > 1);
    let hint = if hint.is_empty() { card.remedy } else { format!("{}; {hint}", card.remedy) };
    Explained { message: whole, hint, evidence }
}

/// What was asked of libvirt in vain, and its words; none where the error has words of ours alone.
fn attempted(error: &libvirt::Error) -> Option<(String, String)> {
    match error {
        libvirt::Error::Connect { uri, reason } => Some((format!("could not reach libvirt at {uri}"), reason.clone())),
        libvirt::Error::Call { what, reason } => Some((format!("could not {what}"), reason.clone())),
        libvirt::Error::Old { .. }
        | libvirt::Error::Hangs { .. }
        | libvirt::Error::Lost { .. }
        | libvirt::Error::Read { .. }
        | libvirt::Error::Cancelled => None,
    }
}

fn explain_ourselves(error: &Error, lab: &str) -> (String, String) {
    let message = chain(error);
    let hint = match error {
        Error::Terraform(terraform::Error::Missing) => {
            "`make run` or the package's `vlm-setup labs` installs it; or set `terraform` in settings.toml".to_owned()
        }
        Error::Ansible(ansible::Error::Missing) => {
            "`make run` or the package's `vlm-setup labs` installs it; or set `ansible_playbook` in settings.toml".to_owned()
        }
        Error::Terraform(terraform::Error::NotThere { .. }) | Error::Ansible(ansible::Error::NotThere { .. }) => {
            "correct the path, or take the line out: then it is looked for".to_owned()
        }
        Error::Terraform(terraform::Error::Tool(error)) | Error::Ansible(ansible::Error::Tool(error)) => {
            error.remedy().replace("LAB", if lab.is_empty() { "LAB" } else { lab })
        }
        Error::Ansible(_) => format!("mend the task, then `vlm up {lab}`: only what is not configured yet is done again"),
        Error::Host { error, .. } if error.link().is_some_and(|link| !link.remedy().is_empty()) => {
            error.link().map(ssh::link::Error::remedy).unwrap_or_default()
        }
        Error::Host { error, .. } if matches!(**error, hosts::Error::Unknown(_)) => String::new(),
        Error::Host { host, .. } if lab.is_empty() => format!("`vlm host check {host}` tries again"),
        Error::Host { host, .. } => format!("`vlm host check {host}` tries again; then `vlm resume {lab}` goes on"),
        Error::ImagesToPull(_) => "download them with `vlm image pull NAME`; `vlm up` asks and does it".to_owned(),
        Error::Libvirt(libvirt::Error::Connect { .. }) => {
            "is libvirtd running, and are you in the group libvirt? `virsh -c qemu:///system list` must work".to_owned()
        }
        Error::Failed(_) => format!("`vlm logs {lab}` shows the whole run; the same command tries again what failed"),
        _ if lab.is_empty() => String::new(),
        _ => format!("`vlm logs {lab}` shows the whole run"),
    };
    (message, hint)
}

fn list<'a>(things: impl Iterator<Item = &'a Thing>) -> String {
    things.map(Thing::to_string).collect::<Vec<_>>().join(", ")
}

fn things(known: &[Known]) -> BTreeSet<Thing> {
    known.iter().filter_map(site::thing).collect()
}

impl Site {
    /// A run of this lab that does `work`, a plan for each place (or none at all), and then brings up machines.
    fn simple(self, kind: RunKind, starts: Vec<String>, configures: Vec<String>, work: Vec<Planned>) -> PlannedRun {
        let share = |place: &Place| HostShare {
            host: place.host.name.clone(),
            acceleration: place.acceleration.clone(),
            needs_memory_mib: self
                .machines
                .iter()
                .filter(|machine| machine.host == place.host.name && starts.contains(&machine.name))
                .map(|machine| machine.memory.as_mib())
                .sum(),
            has_memory_mib: place.facts.free_memory_mib,
        };
        let mut planned = Vec::new();
        for (place, work) in self.places.iter().zip(&work) {
            let on = if self.spans_hosts() { format!(" (host `{}`)", place.host.name) } else { String::new() };
            planned.extend(plan::planned(&work.changes).into_iter().map(|mut planned| {
                planned.sentence += &on;
                planned
            }));
        }
        PlannedRun {
            kind,
            lab: self.lab.name.clone(),
            planned,
            changes: work.iter().flat_map(|work| work.changes.clone()).collect(),
            hosts: self.places.iter().map(share).collect(),
            starts,
            configures,
            ports: false,
            warnings: self.places.iter().filter_map(|place| place.mended.clone()).collect(),
            work,
            site: Arc::new(self),
        }
    }
}

fn machines(count: usize) -> String {
    if count == 1 { "1 machine".to_owned() } else { format!("{count} machines") }
}
