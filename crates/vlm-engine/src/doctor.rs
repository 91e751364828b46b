//! What stands in a lab's way on a computer, with evidence and remedy.
//!
//! Facts first, opinions after: a small script and libvirt say what is there ([`facts`]), pure functions judge it ([`checks`]). A look
//! changes nothing. A remedy is done only when it is asked for, can be undone, and takes no wall away; the audit has it before it
//! begins, with the way back.

pub mod checks;
pub mod facts;
mod orphans;
mod packets;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use ipnet::Ipv4Net;
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use vlm_lab::{
    file,
    lifecycle::DomainState,
    model::{Acceleration, NetworkMode},
};

pub(crate) use self::orphans::Known;
pub use self::{facts::Computer, orphans::Orphan};
use crate::{
    Engine, Resource,
    acceleration::{self, Accelerated},
    chain,
    hosts::{self, Host},
    libvirt::{self, Connection, DefinedPool, Network, Thing, xml::Account},
    lock::{self, Lock},
    process::Program,
    runs::RunStatus,
    ssh::{Way, link},
    store::{self, LabState},
    terraform::{create_private_dir, find_program},
};

/// How long libvirt may take to answer: the first answer after its start takes some 10 s.
const LIBVIRT_LIMIT: Duration = Duration::from_secs(30);
/// How long a script or a remedy may take on this computer.
const HERE_LIMIT: Duration = Duration::from_secs(60);

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
// Pages know the severity of a lab's problem, too.
#[serde(rename = "FindingSeverity", rename_all = "snake_case")]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub enum Severity {
    /// All is well.
    Ok,
    /// Good to know.
    Note,
    /// Some labs will not work, or not well.
    Warning,
    /// Labs do not work.
    Problem,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Finding {
    /// The check: `pool`, `forward` …; see docs/doctor.md.
    pub check: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// A sentence without its full stop.
    pub message: String,
    /// What was seen, in lines; may be empty.
    pub evidence: String,
    /// What helps.
    pub fix: Option<Fix>,
}

/// What helps against a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Fix {
    /// Commands for a shell on that host, in order.
    pub commands: Vec<String>,
    /// Commands that bring back what was; empty where nothing does.
    pub undo: Vec<String>,
    /// Whether they need root.
    pub root: bool,
    /// Whether [`Doctor::fix`] does it.
    pub can_be_done: bool,
    #[serde(skip)]
    how: How,
}

/// How a fix is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// By its commands.
    Commands,
    /// Through libvirt's API, as a deploy does it; the commands do the same.
    Pool,
}

impl Fix {
    fn undoable<const C: usize, const U: usize>(root: bool, commands: [String; C], undo: [String; U]) -> Fix {
        Fix { commands: commands.into(), undo: undo.into(), root, can_be_done: true, how: How::Commands }
    }

    fn by_hand<S: Into<String>>(commands: impl IntoIterator<Item = S>) -> Fix {
        let commands = commands.into_iter().map(Into::into).collect();
        Fix { commands, undo: Vec::new(), root: true, can_be_done: false, how: How::Commands }
    }

    /// Something to say to `vlm` itself.
    fn hint(command: String) -> Fix {
        Fix { root: false, ..Fix::by_hand([command]) }
    }

    fn pool<const C: usize, const U: usize>(commands: [String; C], undo: [String; U]) -> Fix {
        Fix { how: How::Pool, ..Fix::undoable(false, commands, undo) }
    }
}

/// What was found on one computer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Report {
    /// Its name as a host; `local` is this computer.
    pub host: String,
    /// `USER@ADDRESS[:PORT]`; none for this computer.
    pub address: Option<String>,
    /// Its operating system, if it was told.
    pub os: Option<String>,
    /// In the order of the checks.
    pub findings: Vec<Finding>,
}

impl Report {
    /// The worst of what was found.
    pub fn worst(&self) -> Severity {
        self.findings.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Ok)
    }
}

/// Everything that checks judge.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The host's name.
    pub host: String,
    /// Where it is; none for this computer.
    pub address: Option<String>,
    /// What the script saw.
    pub computer: Computer,
    /// What libvirt says, or why it does not.
    pub libvirt: Result<Libvirt, String>,
    /// Its version, where it is too old to be spoken to.
    pub too_old: Option<(u32, u32, u32)>,
    /// The name of the pool that labs use.
    pub pool: String,
    /// The folder of that pool, whether it is there or not.
    pub pool_path: PathBuf,
    /// What the KVM probe measured, where it ran.
    pub kvm: Option<Accelerated>,
    /// Programs that we run on this computer.
    pub tools: Vec<Tool>,
    /// Our labs that have a place on this host.
    pub labs: Vec<LabOnHost>,
    /// Whether packets pass.
    pub packets: Packets,
    /// What is left of labs that are gone, on the host.
    pub orphans: Vec<Orphan>,
    /// And on this computer: processes, folders, runs.
    pub leftovers: Vec<Leftover>,
}

/// Something of a lab's on this computer that should have gone with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// What it is, in a sentence.
    pub message: String,
    /// What takes it away.
    pub command: String,
}

impl Facts {
    /// The account that QEMU runs as, as far as known.
    pub fn account(&self) -> Option<Account> {
        self.libvirt.as_ref().ok().and_then(|libvirt| libvirt.account).or_else(|| self.computer.usual_account())
    }
}

/// What libvirt says of a host.
#[derive(Debug, Clone)]
pub struct Libvirt {
    /// The daemon's version.
    pub version: (u32, u32, u32),
    /// Its networks.
    pub networks: Vec<Network>,
    /// Our pool.
    pub pool: Option<DefinedPool>,
    /// Whether it lists KVM.
    pub kvm_listed: bool,
    /// The emulator's path.
    pub emulator: Option<PathBuf>,
    /// The account that QEMU runs as.
    pub account: Option<Account>,
    /// What keeps guests apart.
    pub security_models: Vec<String>,
}

/// A program that we run on this computer.
#[derive(Debug, Clone)]
pub struct Tool {
    /// Its name.
    pub name: &'static str,
    /// Its version or path, or why there is none.
    pub found: Result<String, String>,
    /// What it is for.
    pub purpose: &'static str,
    /// Debian's package.
    pub package: &'static str,
    /// Whether no lab works without it.
    pub is_needed: bool,
}

/// A lab of ours, as far as it concerns a host.
#[derive(Debug, Clone)]
pub struct LabOnHost {
    /// Its name.
    pub name: String,
    /// Whether something of it may be on a host.
    pub is_there: bool,
    /// Its networks.
    pub networks: Vec<LabNetwork>,
}

/// A network of a lab.
#[derive(Debug, Clone)]
pub struct LabNetwork {
    /// Its name in the lab.
    pub name: String,
    /// How it meets the world.
    pub mode: NetworkMode,
    /// Its subnet.
    pub cidr: Option<Ipv4Net>,
    /// The host's bridge that it is.
    pub bridge: Option<String>,
}

/// Whether a network of libvirt's passes packets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packets {
    /// It was not tried, and why.
    NotLooked(String),
    /// It does; what was tried.
    Passed(String),
    /// It does not.
    Failed {
        /// What does not work.
        what: String,
        /// What was seen.
        evidence: String,
    },
}

/// Why something could not be looked at or mended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// libvirt.
    #[error(transparent)]
    Libvirt(#[from] libvirt::Error),
    /// The host, or the way to it.
    #[error(transparent)]
    Host(#[from] hosts::Error),
    /// A lab's lock.
    #[error(transparent)]
    Lock(#[from] lock::Error),
    /// A finding without a remedy that we carry out.
    #[error("this is for a person to do: it cannot be undone, or needs root on that host")]
    ByHand,
    /// A command of a remedy.
    #[error("could not run `{command}`: {reason}")]
    Command {
        /// The command.
        command: String,
        /// What it said.
        reason: String,
        /// How many of the remedy's commands were done before it.
        done: usize,
    },
    /// No such orphan.
    #[error("nothing called `{name}` is left of a lab on host `{host}`; `vlm doctor` names what is")]
    NoOrphan {
        /// The name.
        name: String,
        /// The host.
        host: String,
    },
    /// A guest is at work in it.
    #[error("{0} runs: it is removed only when a person at a terminal says so")]
    Runs(Thing),
}

impl Error {
    /// What is wrong with the way to the host, if that is it.
    pub fn link(&self) -> Option<&link::Error> {
        match self {
            Error::Host(error) => error.link(),
            _ => None,
        }
    }
}

/// What can be asked of the doctor.
pub struct Doctor<'a> {
    pub(crate) engine: &'a Engine,
}

/// A host that is being looked at.
struct Site {
    host: Arc<Host>,
    libvirt: Result<Connection, String>,
    too_old: Option<(u32, u32, u32)>,
}

impl Doctor<'_> {
    /// Looks at a host. `deep`: also tries a network of libvirt's, which is there for some seconds (root, this computer).
    ///
    /// A host that is not reached is a report that says so.
    pub async fn look(&self, host: &str, deep: bool) -> Result<Report, Error> {
        let error = match self.open(host).await {
            Ok(site) => return self.report(&site, deep).await,
            Err(error) => error,
        };
        let Some(link) = error.link() else { return Err(error) };
        let message = format!("the host is not reached: {}", chain(link));
        let finding = Finding {
            check: "reach",
            severity: Severity::Problem,
            message: checks::plain(&message),
            evidence: link.remedy(),
            fix: None,
        };
        let address = self.engine.hosts().get(host)?.address();
        Ok(Report { host: host.to_owned(), address, os: None, findings: vec![finding] })
    }

    /// Does what helps against a finding of [`Doctor::look`]. Whether it did, the next look tells.
    pub async fn fix(&self, host: &str, finding: &Finding) -> Result<(), Error> {
        let Some(fix) = finding.fix.as_ref().filter(|fix| fix.can_be_done) else { return Err(Error::ByHand) };
        let site = self.open(host).await?;
        let detail = format!("{}; undo: {}", fix.commands.join("; "), fix.undo.join("; "));
        self.engine.store().audit("doctor_fix", &format!("{host}/{}", finding.check), &detail)?;
        match fix.how {
            How::Pool => {
                let settings = self.engine.settings();
                let connection = site.libvirt.as_ref().map_err(|why| Error::Command {
                    command: fix.commands[0].clone(),
                    reason: why.clone(),
                    done: 0,
                })?;
                connection.ensure_pool(settings.pool(), settings.pool_path()).await?;
            }
            How::Commands => {
                for (done, command) in fix.commands.iter().enumerate() {
                    let failed = |reason| Error::Command { command: command.clone(), reason, done };
                    site.run_command(command, fix.root).await.map_err(failed)?;
                }
            }
        }
        self.engine.stale(Resource::Hosts);
        Ok(())
    }

    /// What is called `name` among the orphans of a host, and whether a guest runs in it. Domains come first.
    pub async fn orphans(&self, host: &str, name: &str) -> Result<Vec<(Orphan, bool)>, Error> {
        let site = self.open(host).await?;
        let connection = site.connection()?;
        let mut found = Vec::new();
        for orphan in self.orphans_on(connection).await?.into_iter().filter(|orphan| orphan.thing.name() == name) {
            let runs = runs(connection, &orphan.thing).await?;
            found.push((orphan, runs));
        }
        if found.is_empty() {
            return Err(Error::NoOrphan { name: name.to_owned(), host: host.to_owned() });
        }
        found.sort_by(|(a, _), (b, _)| a.thing.cmp(&b.thing));
        Ok(found)
    }

    /// Removes an orphan for good. It is looked for again, under its lab's lock; `even_running` says that a person agreed to
    /// the end of a guest.
    pub async fn remove_orphan(&self, host: &str, thing: &Thing, even_running: bool) -> Result<(), Error> {
        let lab = thing.name().split_once('.').map(|(lab, _)| lab).filter(|lab| orphans::is_lab_name(lab));
        let locks = self.engine.dirs().data.join("locks");
        let _lock = lab.map(|lab| Lock::take(&locks, lab)).transpose()?;
        let site = self.open(host).await?;
        let connection = site.connection()?;
        if !self.orphans_on(connection).await?.iter().any(|orphan| orphan.thing == *thing) {
            return Err(Error::NoOrphan { name: thing.name().to_owned(), host: host.to_owned() });
        }
        if !even_running && runs(connection, thing).await? {
            return Err(Error::Runs(thing.clone()));
        }
        self.engine.store().audit("remove_orphan", host, &thing.to_string())?;
        // A network that is forgotten when it is stopped cannot be undefined after.
        match thing {
            Thing::Network { name } if name == packets::NETWORK => connection.stop_network(name).await?,
            thing => connection.remove(thing).await?,
        }
        Ok(())
    }

    /// Makes the way to a host, and its libvirt's connection, as far as it can be had.
    async fn open(&self, host: &str) -> Result<Site, Error> {
        let host = self.engine.hosts().get(host)?;
        if let Way::Through(kept) = &host.way {
            kept.link().await.map_err(hosts::Error::from)?;
        }
        let connection = tokio::time::timeout(LIBVIRT_LIMIT, host.connection()).await;
        let connection = connection.unwrap_or_else(|_| Err(slow().into()));
        let too_old = match &connection {
            Err(hosts::Error::Libvirt(libvirt::Error::Old { version, .. })) => Some(numbers(version)),
            _ => None,
        };
        Ok(Site { host, libvirt: connection.map_err(|error| reason(&error)), too_old })
    }

    async fn report(&self, site: &Site, deep: bool) -> Result<Report, Error> {
        let facts = self.facts(site, deep).await?;
        Ok(Report {
            host: facts.host.clone(),
            address: facts.address.clone(),
            os: facts.computer.os().map(str::to_owned),
            findings: checks::findings(&facts),
        })
    }

    async fn facts(&self, site: &Site, deep: bool) -> Result<Facts, Error> {
        let host = site.host.name.clone();
        let settings = self.engine.settings();
        let libvirt = match &site.libvirt {
            Err(why) => Err(why.clone()),
            Ok(connection) => tokio::time::timeout(LIBVIRT_LIMIT, told(connection, settings.pool()))
                .await
                .unwrap_or_else(|_| Err(slow()))
                .map_err(|error| chain(&error)),
        };
        let pool = libvirt.as_ref().ok().and_then(|libvirt| libvirt.pool.as_ref());
        let pool_path = pool.map_or(settings.pool_path(), |pool| pool.path.as_path()).to_owned();
        let script = self.script(site, &pool_path);
        // Without it there is less to judge, and that it did not run is told by what libvirt's checks say.
        let computer = Computer::of(&site.run_script(&script).await.unwrap_or_default());
        let orphans = match (&libvirt, &site.libvirt) {
            (Ok(_), Ok(connection)) => self.orphans_on(connection).await?,
            _ => Vec::new(),
        };
        let packets = match (&site.libvirt, deep) {
            _ if !site.is_here() => Packets::NotLooked("that is done on this computer only".into()),
            (_, false) => Packets::NotLooked("`vlm doctor --deep` does it, as root".into()),
            (_, true) if !computer.is_root() => Packets::NotLooked("it takes root: `sudo vlm doctor --deep`".into()),
            (Err(_), true) => Packets::NotLooked("libvirt is not reached".into()),
            // One at a time: two would take each other's things away.
            (Ok(connection), true) => match Lock::take(&self.engine.dirs().data.join("locks"), "doctor-deep") {
                Ok(_lock) => packets::tried(connection, &computer).await,
                Err(_) => Packets::NotLooked("another `vlm doctor --deep` is at it".into()),
            },
        };
        Ok(Facts {
            too_old: site.too_old,
            kvm: self.measured(site).await,
            tools: if !site.is_here() { Vec::new() } else { self.tools(&computer).await },
            labs: self.labs_on(&host)?,
            address: site.host.address(),
            pool: settings.pool().to_owned(),
            host,
            computer,
            libvirt,
            leftovers: if !site.is_here() { Vec::new() } else { self.leftovers()? },
            pool_path,
            packets,
            orphans,
        })
    }

    fn script(&self, site: &Site, pool_path: &Path) -> String {
        let pool = checks::quoted(&pool_path.to_string_lossy());
        let data = if !site.is_here() { "".into() } else { self.engine.dirs().data.to_string_lossy() };
        format!("pool={pool} data={}\n{}", checks::quoted(&data), facts::SCRIPT)
    }

    /// What acceleration.rs measures, or remembers; nothing without libvirt, which knows the emulator.
    async fn measured(&self, site: &Site) -> Option<Accelerated> {
        site.libvirt.as_ref().ok()?;
        let facts = tokio::time::timeout(LIBVIRT_LIMIT, site.host.facts()).await.ok()?.ok()?;
        acceleration::decide(Acceleration::Auto, &site.host, &facts, self.engine).await.ok()
    }

    /// Our labs with a place on a host.
    fn labs_on(&self, host: &str) -> Result<Vec<LabOnHost>, Error> {
        let mut labs = Vec::new();
        for summary in self.engine.store().labs()?.into_iter().filter(|lab| lab.hosts.split(',').any(|name| name == host)) {
            let Some(row) = self.engine.store().lab(&summary.name)? else { continue };
            // One that cannot be read has no networks to judge; `vlm check` tells why.
            let Ok(lab) = file::read(&row.document) else { continue };
            let network = |(name, network): (&String, &vlm_lab::model::Network)| LabNetwork {
                name: name.clone(),
                mode: network.mode,
                cidr: network.cidr,
                bridge: network.bridge.clone(),
            };
            labs.push(LabOnHost {
                name: summary.name,
                is_there: summary.state != LabState::Designed,
                networks: lab.networks.iter().map(network).collect(),
            });
        }
        Ok(labs)
    }

    /// What we run here, and whether it is there.
    async fn tools(&self, computer: &Computer) -> Vec<Tool> {
        let dir = self.engine.dirs().data.clone();
        // Both are refused by themselves where their version does not fit.
        let terraform = match self.engine.terraform(&dir).await {
            Err(error) => Err(chain(&error)),
            Ok(terraform) => Ok(first_line(&terraform.program, &["version"]).await.unwrap_or_default()),
        };
        let ansible = match self.engine.ansible(&dir).await {
            Err(error) => Err(chain(&error)),
            Ok(ansible) => Ok(first_line(&ansible.program, &["--version"]).await.unwrap_or_default()),
        };
        let seen = |name: &'static str, purpose, package, is_needed| {
            // The script looked, if it ran; we know PATH as well as it does.
            let path = computer.program(name).map(PathBuf::from).or_else(|| find_program(&[name], Path::new("/usr/bin")));
            let found = path.map(|path| path.display().to_string()).ok_or_else(|| format!("{name} is not installed"));
            Tool { name, found, purpose, package, is_needed }
        };
        vec![
            Tool {
                name: "terraform",
                found: terraform,
                purpose: "it makes the machines",
                package: "terraform",
                is_needed: true,
            },
            Tool {
                name: "ansible",
                found: ansible,
                purpose: "it configures the machines",
                package: "ansible-core",
                is_needed: true,
            },
            seen("ssh", "`vlm ssh` and Ansible enter machines with it", "openssh-client", true),
            seen("qemu-img", "images are looked at with it", "qemu-utils", true),
            seen("xsltproc", "networks without DNS need it", "xsltproc", false),
        ]
    }

    /// What is left on this computer of labs that are gone, and of runs that were cut off.
    fn leftovers(&self) -> Result<Vec<Leftover>, Error> {
        let mut found = Vec::new();
        let labs = self.engine.store().labs()?;
        for lab in &labs {
            let name = &lab.name;
            // A keeper that cannot be asked is no finding: `vlm status` says why.
            if let (LabState::Designed, Ok(Some(keeper))) = (lab.state, self.engine.ports().keeper(name)) {
                let pid = keeper.as_raw_nonzero();
                let message = format!("process {pid} keeps published ports of the lab `{name}`, which is not deployed");
                found.push(Leftover { message, command: format!("kill {pid}") });
            }
            let last = self.engine.store().runs(name, 1)?.into_iter().next();
            if let Some(run) = last.filter(|run| {
                run.status == RunStatus::Running && self.engine.runs().as_it_is(run.clone()).status == RunStatus::CutOff
            }) {
                let message = format!("run {} of the lab `{name}` was cut off: its process is gone", run.id);
                found.push(Leftover { message, command: format!("vlm resume {name}") });
            }
        }
        let folders = std::fs::read_dir(self.engine.dirs().data.join("labs"));
        for folder in folders.into_iter().flatten().flatten().map(|entry| entry.path()) {
            let name = folder.file_name().unwrap_or_default().to_string_lossy();
            if !labs.iter().any(|lab| lab.name == name) {
                let path = folder.display().to_string();
                let message = format!("{path} is of a lab `{name}` that you do not have, with its keys");
                found.push(Leftover { message, command: format!("rm -r {}", checks::quoted(&path)) });
            }
        }
        Ok(found)
    }

    /// What is left of labs that are gone, where `connection` leads.
    async fn orphans_on(&self, connection: &Connection) -> Result<Vec<Orphan>, Error> {
        let pool = self.engine.settings().pool();
        let labs = self.engine.store().labs()?;
        let known = orphans::Known {
            labs: labs.iter().map(|lab| (lab.name.as_str(), lab.state != LabState::Designed)).collect(),
            digests: self.engine.store().images()?.into_iter().map(|image| image.digest).collect(),
            pool,
        };
        let networks = connection.networks().await?;
        let volumes = connection.volume_files(pool).await?;
        // One call a domain: only where there may be something to find.
        let uses = if known.may_have_orphans(&networks, &volumes) { connection.uses().await? } else { Vec::new() };
        Ok(known.orphans(&networks, &volumes, &uses))
    }
}

impl Site {
    fn is_here(&self) -> bool {
        matches!(self.host.way, Way::Direct)
    }

    fn connection(&self) -> Result<&Connection, Error> {
        let failed = |why: &String| libvirt::Error::Connect { uri: self.host.name.clone(), reason: why.clone() };
        Ok(self.libvirt.as_ref().map_err(failed)?)
    }

    /// Runs a script of ours; what it printed.
    async fn run_script(&self, script: &str) -> Result<String, String> {
        match &self.host.way {
            Way::Direct => run_here(script).await,
            Way::Through(kept) => {
                let output = kept.exec("sh -s", script.as_bytes()).await.map_err(|error| chain(&error))?;
                Ok(String::from_utf8_lossy(&output.stdout).into_owned())
            }
        }
    }

    /// Runs a command of a remedy: here through sudo where it needs root and we are not; elsewhere as whom we logged in.
    async fn run_command(&self, command: &str, root: bool) -> Result<(), String> {
        match &self.host.way {
            Way::Through(kept) => {
                // The command must not read the rest of the script, which is itself; and the login shell may be any.
                let script = format!("PATH=$PATH:/usr/sbin:/sbin\n{{ {command}\n}} </dev/null\n");
                let output = kept.exec("sh -s", script.as_bytes()).await.map_err(|error| chain(&error))?;
                let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                if output.status == Some(0) { Ok(()) } else { Err(said) }
            }
            Way::Direct if root && !rustix::process::geteuid().is_root() => {
                // Nobody could answer its question: with a password it says that it needs one.
                let done = ended(Program::new("sudo", "/").args(["-n", "sh", "-c", command])).await;
                done.map(|_| ()).map_err(|why| format!("{why} (it takes root: run it yourself, or `sudo -v` first)"))
            }
            Way::Direct => ended(Program::new("/bin/sh", "/").args(["-c", &format!("PATH=$PATH:/usr/sbin:/sbin; {command}")]))
                .await
                .map(|_| ()),
        }
    }
}

/// Runs a script on this computer; what it printed.
async fn run_here(script: &str) -> Result<String, String> {
    ended(Program::new("/bin/sh", "/").args(["-c", script])).await
}

async fn ended(program: Program) -> Result<String, String> {
    let cancel = CancellationToken::new();
    match tokio::time::timeout(HERE_LIMIT, program.capture(&cancel)).await {
        Err(_) => Err(format!("not at its end after {} s", HERE_LIMIT.as_secs())),
        Ok(Err(error)) => Err(chain(&error)),
        Ok(Ok((ended, out))) if ended.status.success() => Ok(out),
        Ok(Ok((ended, _))) => {
            Err(if ended.stderr.is_empty() { ended.status.to_string() } else { ended.stderr.trim().to_owned() })
        }
    }
}

/// The first line that a program prints when it is asked its version.
async fn first_line(program: &Path, args: &[&str]) -> Option<String> {
    let dir = std::env::temp_dir();
    create_private_dir(&dir).ok()?;
    let program = Program::new(program, dir).args(args).env("CHECKPOINT_DISABLE", "1");
    ended(program).await.ok()?.lines().next().map(str::to_owned)
}

async fn told(connection: &Connection, pool: &str) -> Result<Libvirt, libvirt::Error> {
    let version = connection.version().await?;
    let facts = connection.facts().await?;
    Ok(Libvirt {
        version: numbers(&version),
        networks: connection.networks().await?,
        pool: connection.defined_pool(pool).await?,
        kvm_listed: facts.kvm_listed,
        emulator: facts.emulator,
        account: facts.emulators_account,
        security_models: facts.security_models,
    })
}

/// Three numbers between dots; what is missing is 0.
fn numbers(text: &str) -> (u32, u32, u32) {
    let digits = |part: &str| part.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap_or(0);
    let mut parts = text.trim().split('.').map(digits);
    let mut next = || parts.next().unwrap_or(0);
    (next(), next(), next())
}

async fn runs(connection: &Connection, thing: &Thing) -> Result<bool, libvirt::Error> {
    let Thing::Domain { name } = thing else { return Ok(false) };
    let off = [DomainState::ShutOff, DomainState::Crashed];
    Ok(connection.domains().await?.iter().any(|domain| domain.name == *name && !off.contains(&domain.state)))
}

fn slow() -> libvirt::Error {
    libvirt::Error::Call { what: "ask libvirt".into(), reason: format!("no answer within {} s", LIBVIRT_LIMIT.as_secs()) }
}

/// Why libvirt is not reached, without its URI, which nobody typed.
fn reason(error: &hosts::Error) -> String {
    match error {
        hosts::Error::Libvirt(libvirt::Error::Connect { reason, .. }) => reason.clone(),
        hosts::Error::Libvirt(libvirt::Error::Hangs { limit_s, .. }) => {
            format!("no answer within {limit_s} s; its daemon may be stopped or stuck, and a restart of it helps")
        }
        error => chain(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::libvirt::Target;

    #[tokio::test]
    async fn a_running_domain_is_told_from_one_that_is_off() {
        let connection = Connection::open(&Target::Test).await.unwrap();
        let thing = Thing::Domain { name: "test".into() };
        assert!(runs(&connection, &thing).await.unwrap());
        connection.force_off("test").await.unwrap();
        assert!(!runs(&connection, &thing).await.unwrap());
        assert!(!runs(&connection, &Thing::Network { name: "test".into() }).await.unwrap());
    }

    #[tokio::test]
    async fn the_script_comes_to_its_end_here() {
        let path = checks::quoted("/nowhere/it's a pool");
        let computer = Computer::of(&run_here(&format!("pool={path} data=/\n{}", facts::SCRIPT)).await.unwrap());
        assert!(computer.is_complete());
        assert_eq!(computer.uid(), Some(rustix::process::getuid().as_raw()));
        assert!(computer.memory_mib("MemTotal").is_some_and(|mib| mib > 0));
        assert!(computer.room_mib("pool-room").is_some() && computer.room_mib("data-room").is_some());
        let folders: Vec<String> = computer.pool_folders().into_iter().map(|folder| folder.path).collect();
        assert_eq!(folders, ["/"], "of a folder that is not there, those above it are");
    }

    #[test]
    fn versions_are_numbers_between_dots() {
        assert_eq!(numbers("9.0.0"), (9, 0, 0));
        assert_eq!(numbers("1.11.4 on linux_amd64"), (1, 11, 4));
        assert_eq!(numbers("1.14.0-rc1"), (1, 14, 0));
        assert_eq!(numbers("12"), (12, 0, 0));
    }
}
