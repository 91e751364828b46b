//! Hosts: computers that run libvirt. This one is named `local`; others are reached by SSH.

use std::{collections::BTreeSet, fs, net::Ipv4Addr, path::Path, sync::Arc, time::Duration};

use ipnet::Ipv4Net;
use serde::Serialize;
use tokio::sync::broadcast;
use vlm_lab::lifecycle::DomainState;

use crate::{
    Engine, Event, Resource, acceleration,
    libvirt::{self, Connection, DefinedPool, HostFacts, Target},
    secrets::{Kind, Secret, Secrets},
    ssh::{
        Target as SshTarget, Way,
        ask::{Answer, Asker, Person, Question},
        kept::{Kept, NoLink},
        link::{self, Link, Remote, Trust},
    },
    store::{self, HostRow, LabState, LabSummary},
};

/// Changes of a host that come together are told of once.
const ANNOUNCE_AT_MOST_EVERY: Duration = Duration::from_millis(100);

/// The name of this computer as a host.
pub const LOCAL: &str = "local";

/// The name of this computer's libvirt of the user's own account, for who has no rights on the system's. It can make no networks:
/// its machines are on bridges that are there, or on nothing.
pub const SESSION: &str = "session";

/// Why something about a host could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// libvirt.
    #[error(transparent)]
    Libvirt(#[from] libvirt::Error),
    /// The way there.
    #[error(transparent)]
    Link(#[from] link::Error),
    /// The way there, once it was added.
    #[error(transparent)]
    NoLink(#[from] NoLink),
    /// No host of that name.
    #[error("there is no host `{0}`; `vlm host list` shows those there are")]
    Unknown(String),
    /// There is one of that name.
    #[error("there is a host `{0}` already; remove it first, or choose another name")]
    Taken(String),
    /// A name that no host can have.
    #[error("`{0}` is no name for a host: use lower-case letters, digits and hyphens, at most 63")]
    Name(String),
    /// This computer is always there.
    #[error("`local` and `session` are this computer: they are always there, and stay")]
    IsLocal,
    /// A lab is on it, or is to be.
    #[error("lab `{lab}` names host `{host}`; forget the lab or take the host out of it first")]
    InUse {
        /// The host.
        host: String,
        /// The lab.
        lab: String,
    },
}

impl Error {
    /// What is wrong with the way there, if that is it.
    pub fn link(&self) -> Option<&link::Error> {
        match self {
            Error::Link(error) => Some(error),
            Error::NoLink(error) => Some(error.error()),
            _ => None,
        }
    }
}

/// A host as lists show it.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct HostStatus {
    /// Its name.
    pub name: String,
    /// libvirt's version.
    pub libvirt: String,
    /// Logical processors.
    pub cpus: u32,
    /// Memory, in MiB.
    pub memory_mib: u32,
    /// Memory that new machines could take, in MiB.
    pub free_memory_mib: u32,
    /// Whether guests run on KVM.
    pub kvm: bool,
    /// How we know.
    pub why: String,
    /// Memory of our labs' machines that are on, in MiB.
    pub reserved_memory_mib: u32,
    /// Domains that run, ours and others.
    pub domains_running: u32,
    /// All domains.
    pub domains: u32,
    /// Size of the file system of the pool that labs use, in MiB; none where there is no such pool.
    pub pool_mib: Option<u32>,
    /// What is free there, in MiB.
    pub pool_free_mib: Option<u32>,
    /// Average of the last minute's load, where it is known.
    pub load: Option<f64>,
}

/// A host in a list, before anybody asks it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct HostSummary {
    /// Its name.
    pub name: String,
    /// Its address or alias; none for this computer.
    pub address: Option<String>,
    /// The account there.
    pub user: Option<String>,
    /// sshd's TCP port.
    pub port: Option<u16>,
    /// Whether it is this computer.
    pub is_local: bool,
    /// Labs with a place on it.
    pub labs: Vec<String>,
}

/// What is on a host, ours and others'.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct HostThings {
    /// All domains, by name.
    pub domains: Vec<HostDomain>,
    /// All networks, by name.
    pub networks: Vec<HostNetwork>,
    /// All pools, by name.
    pub pools: Vec<HostPool>,
}

/// A domain on a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct HostDomain {
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: DomainState,
    /// The lab of ours that it belongs to.
    pub lab: Option<String>,
    /// The machine that it is there.
    pub machine: Option<String>,
    /// Virtual CPUs; 0 where libvirt does not say.
    pub vcpus: u32,
    /// Memory, in MiB; 0 where libvirt does not say.
    pub memory_mib: u32,
}

/// A network on a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct HostNetwork {
    /// Its name.
    pub name: String,
    /// Its bridge device.
    pub bridge: Option<String>,
    /// Its IPv4 subnets.
    pub subnets: Vec<String>,
    /// Whether it is on.
    pub active: bool,
    /// The lab of ours that it belongs to.
    pub lab: Option<String>,
}

/// A storage pool on a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct HostPool {
    /// Its name.
    pub name: String,
    /// Its folder.
    pub path: String,
    /// Size of its file system, in MiB; 0 while it is off.
    pub capacity_mib: u32,
    /// What is free there, in MiB.
    pub available_mib: u32,
    /// Whether it is on.
    pub active: bool,
    /// Whether it is the one that labs use.
    pub is_ours: bool,
}

/// A host in use: the way to it, and its libvirt. One of each host for all who use it.
pub(crate) struct Host {
    pub(crate) name: String,
    /// The way to it and to its guests.
    pub(crate) way: Way,
    connection: tokio::sync::Mutex<Option<Connection>>,
    events: broadcast::Sender<Event>,
}

impl Host {
    fn new(name: &str, way: Way, engine: &Engine) -> Host {
        Host { name: name.to_owned(), way, connection: Default::default(), events: engine.event_sender() }
    }

    /// One that is reached by `connection`, for tests.
    #[cfg(test)]
    pub(crate) fn of(connection: Connection) -> Arc<Host> {
        let (events, _) = broadcast::channel(1);
        let connection = tokio::sync::Mutex::new(Some(connection));
        Arc::new(Host { name: "test".to_owned(), way: Way::Direct, connection, events })
    }

    /// `USER@ADDRESS[:PORT]`; none for this computer.
    pub(crate) fn address(&self) -> Option<String> {
        match &self.way {
            Way::Direct => None,
            Way::Through(kept) => Some(kept.remote().to_string()),
        }
    }

    /// Its libvirt for Terraform's provider, reachable as long as this process lives.
    pub(crate) async fn target(&self) -> Result<Target, Error> {
        Ok(match &self.way {
            Way::Direct if self.name == SESSION => Target::LocalSession,
            Way::Direct => Target::LocalSystem,
            Way::Through(kept) => Target::Socket(kept.libvirt_socket().await?),
        })
    }

    /// The connection to its libvirt, opened when it is first needed.
    pub(crate) async fn connection(&self) -> Result<Connection, Error> {
        let mut open = self.connection.lock().await;
        if let Some(connection) = open.as_ref()
            && connection.is_alive().await
        {
            return Ok(connection.clone());
        }
        // Where it is lost, this says what is wrong with the way there; the connection itself opens anew.
        let target = self.target().await?;
        match open.as_ref() {
            Some(connection) => Ok(connection.clone()),
            None => {
                let opened = Connection::open(&target).await;
                let connection = opened.map_err(|error| self.named(&target, error))?;
                self.announce_changes(&connection);
                Ok(open.insert(connection).clone())
            }
        }
    }

    /// libvirt's words with the host in place of our socket, which nobody knows.
    fn named(&self, target: &Target, error: libvirt::Error) -> libvirt::Error {
        match &self.way {
            Way::Direct => error,
            Way::Through(kept) => error.instead_of(&target.uri(), &format!("{} ({})", self.name, kept.remote())),
        }
    }

    /// What happens to machines by whatever hand makes what windows show stale.
    fn announce_changes(&self, connection: &Connection) {
        let (mut changes, events) = (connection.changes(), self.events.clone());
        tokio::spawn(async move {
            // Ends with the connection.
            while changes.changed().await.is_ok() {
                let _ = events.send(Event::Stale(Resource::Labs)); // nobody may be listening
                tokio::time::sleep(ANNOUNCE_AT_MOST_EVERY).await;
            }
        });
    }

    /// What it is and has.
    pub(crate) async fn facts(&self) -> Result<HostFacts, Error> {
        let mut facts = self.connection().await?.facts().await?;
        // libvirt counts the page cache as used, and does not see memory that was added to a running computer; the kernel
        // tells what there is and what can be had.
        let meminfo = self.read("/proc/meminfo").await;
        if let (Some(total), Some(available)) = (memory_mib(&meminfo, "MemTotal:"), memory_mib(&meminfo, "MemAvailable:")) {
            (facts.memory_mib, facts.free_memory_mib) = (total, available);
        }
        Ok(facts)
    }

    /// Subnets that it reaches, and through which device (the default route aside).
    pub(crate) async fn routes(&self) -> Vec<(String, Ipv4Net)> {
        parse_routes(&self.read("/proc/net/route").await)
    }

    /// Whether it has a bridge of that name; none when it does not say.
    pub(crate) async fn has_bridge(&self, bridge: &str) -> Option<bool> {
        // The only text in a command that is not ours: what a device cannot be called is none.
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if bridge.is_empty() || bridge.starts_with(['-', '.']) || !bridge.chars().all(plain) {
            return Some(false);
        }
        match &self.way {
            Way::Direct => Some(Path::new("/sys/class/net").join(bridge).join("bridge").is_dir()),
            Way::Through(kept) => {
                match kept.exec(&format!("test -d /sys/class/net/{bridge}/bridge"), b"").await.ok()?.status? {
                    0 => Some(true),
                    1 => Some(false),
                    _ => None,
                }
            }
        }
    }

    /// A file of the kernel's. Empty where it cannot be read: an account there may be without a shell.
    async fn read(&self, path: &'static str) -> String {
        match &self.way {
            Way::Direct => fs::read_to_string(path).unwrap_or_default(),
            Way::Through(kept) => match kept.exec(&format!("cat {path}"), b"").await {
                Ok(output) if output.status == Some(0) => String::from_utf8_lossy(&output.stdout).into_owned(),
                _ => String::new(),
            },
        }
    }

    async fn status(&self, engine: &Engine) -> Result<HostStatus, Error> {
        let facts = self.facts().await?;
        let auto = vlm_lab::model::Acceleration::Auto;
        let accelerated = acceleration::decide(auto, self, &facts, engine).await.expect("auto is always met");
        let connection = self.connection().await?;
        let domains = connection.measured().await?;
        let on = || domains.iter().filter(|measured| measured.domain.state.is_active());
        let owners = Owners::on(engine, &self.name)?;
        let ours = on().filter(|measured| owners.of(&measured.domain.name).is_some());
        let pool = connection.defined_pool(engine.settings().pool()).await?;
        let mib = |bytes: Option<u64>| bytes.map(|bytes| (bytes >> 20) as u32);
        let load = self.read("/proc/loadavg").await;
        Ok(HostStatus {
            name: self.name.clone(),
            libvirt: connection.version().await?,
            cpus: facts.cpus,
            memory_mib: facts.memory_mib as u32,
            free_memory_mib: facts.free_memory_mib as u32,
            kvm: accelerated.kvm,
            why: accelerated.why,
            reserved_memory_mib: ours.map(|measured| measured.memory_mib() as u32).sum(),
            domains_running: on().count() as u32,
            domains: domains.len() as u32,
            pool_mib: mib(pool.as_ref().and_then(|pool| pool.capacity_bytes)),
            pool_free_mib: mib(pool.as_ref().and_then(|pool| pool.available_bytes)),
            load: load.split_whitespace().next().and_then(|number| number.parse().ok()),
        })
    }

    async fn things(&self, engine: &Engine) -> Result<HostThings, Error> {
        let connection = self.connection().await?;
        let owners = Owners::on(engine, &self.name)?;
        let mut domains: Vec<HostDomain> = connection
            .measured()
            .await?
            .into_iter()
            .map(|measured| {
                let owner = owners.of(&measured.domain.name);
                HostDomain {
                    lab: owner.map(|(lab, _)| lab.to_owned()),
                    machine: owner.map(|(_, machine)| machine.to_owned()),
                    vcpus: measured.vcpus(),
                    memory_mib: measured.memory_mib() as u32,
                    state: measured.domain.state,
                    name: measured.domain.name,
                }
            })
            .collect();
        domains.sort_by(|a, b| a.name.cmp(&b.name));
        let active = connection.active_networks().await?;
        let mut networks: Vec<HostNetwork> = connection
            .networks()
            .await?
            .into_iter()
            .map(|network| HostNetwork {
                active: active.contains(&network.name),
                lab: owners.of(&network.name).map(|(lab, _)| lab.to_owned()),
                subnets: network.subnets.iter().map(Ipv4Net::to_string).collect(),
                bridge: network.bridge,
                name: network.name,
            })
            .collect();
        networks.sort_by(|a, b| a.name.cmp(&b.name));
        let mib = |bytes: Option<u64>| (bytes.unwrap_or(0) >> 20) as u32;
        let pool = |(name, pool): (String, DefinedPool)| HostPool {
            is_ours: name == engine.settings().pool(),
            name,
            path: pool.path.display().to_string(),
            capacity_mib: mib(pool.capacity_bytes),
            available_mib: mib(pool.available_bytes),
            active: pool.active,
        };
        let pools = connection.pools().await?.into_iter().map(pool).collect();
        Ok(HostThings { domains, networks, pools })
    }
}

/// Our labs that have something on a host.
struct Owners(BTreeSet<String>);

impl Owners {
    fn on(engine: &Engine, host: &str) -> Result<Owners, store::Error> {
        let there = |lab: &LabSummary| lab.state != LabState::Designed && lab.hosts.split(',').any(|name| name == host);
        Ok(Owners(engine.store().labs()?.into_iter().filter(there).map(|lab| lab.name).collect()))
    }

    /// The lab, and what it calls the thing of this name.
    fn of<'a>(&self, name: &'a str) -> Option<(&'a str, &'a str)> {
        name.split_once('.').filter(|(lab, _)| self.0.contains(*lab))
    }
}

/// Asks a person once for what the secrets do not know yet, and remembers it there: a link that is opened again, here or by a
/// keeper of ports, needs nobody at the terminal. What was wrong is forgotten.
pub(crate) struct Remembering {
    pub(crate) secrets: Secrets,
    pub(crate) asker: Asker,
}

impl Remembering {
    async fn find(&self, question: &Question) -> Option<Vec<Secret>> {
        let (kind, name, again) = match question {
            Question::Passphrase { path, again } => (Kind::KeyPassphrase, path.display().to_string(), *again),
            Question::Password { host, again } => (Kind::HostPassword, host.clone(), *again),
            // A yes is remembered by the host's record, and a code is good once.
            Question::HostKey { .. } | Question::Interactive { .. } => return self.asker.ask(question, NO_LIMIT).await,
        };
        if again {
            let _ = self.secrets.delete(kind, &name).await; // it may never have been there
        } else if let Ok(Some(known)) = self.secrets.get(kind, &name).await {
            return Some(vec![known]);
        }
        let answers = self.asker.ask(question, NO_LIMIT).await?;
        if let Some(answer) = answers.first() {
            // A keyring that is locked keeps nothing: then it is asked for again.
            let _ = self.secrets.set(kind, &name, answer.clone()).await;
        }
        Some(answers)
    }
}

/// The limit is that of whoever asks.
const NO_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

impl Person for Remembering {
    fn answer<'a>(&'a self, question: &'a Question) -> Answer<'a> {
        Box::pin(self.find(question))
    }

    fn tell(&self, note: &str) {
        self.asker.tell(note);
    }
}

/// What can be asked of hosts.
pub struct Hosts<'a> {
    pub(crate) engine: &'a Engine,
}

impl Hosts<'_> {
    /// Names of all hosts that a lab may name.
    pub fn names(&self) -> Result<BTreeSet<String>, store::Error> {
        Ok(self.list()?.into_iter().map(|host| host.name).chain([SESSION.to_owned()]).collect())
    }

    /// All hosts, by name, but for the user's own session, which is always there.
    pub fn list(&self) -> Result<Vec<HostRow>, store::Error> {
        self.engine.store().hosts()
    }

    /// All hosts and the labs on them: this computer first, then by name. The user's own session is among them when a lab is there.
    pub fn summaries(&self) -> Result<Vec<HostSummary>, store::Error> {
        let labs = self.engine.store().labs()?;
        let summary = |name: String, remote: Option<Remote>| HostSummary {
            labs: labs.iter().filter(|lab| lab.hosts.split(',').any(|host| host == name)).map(|lab| lab.name.clone()).collect(),
            name,
            is_local: remote.is_none(),
            user: remote.as_ref().map(|remote| remote.user.clone()),
            port: remote.as_ref().map(|remote| remote.port),
            address: remote.map(|remote| remote.address),
        };
        let mut hosts: Vec<HostSummary> = self.list()?.into_iter().map(|row| summary(row.name, row.remote)).collect();
        let session = summary(SESSION.to_owned(), None);
        hosts.extend(Some(session).filter(|session| !session.labs.is_empty()));
        hosts.sort_by_key(|host| (!host.is_local, host.name.clone()));
        Ok(hosts)
    }

    /// What is on a host, ours and others'.
    pub async fn things(&self, name: &str) -> Result<HostThings, Error> {
        self.get(name)?.things(self.engine).await
    }

    /// Adds a host that is reached by SSH: connects, looks at its libvirt, and pins the key that it has shown and that `trust`, the
    /// user's known_hosts or a person accepts.
    pub async fn add(&self, name: &str, target: &SshTarget, trust: Trust<'_>) -> Result<(Remote, HostStatus), Error> {
        let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || name.len() > 63 || !name.chars().all(valid) || name.starts_with('-') || name.ends_with('-') {
            return Err(Error::Name(name.to_owned()));
        }
        if name == LOCAL || name == SESSION {
            return Err(Error::IsLocal);
        }
        if self.names()?.contains(name) {
            return Err(Error::Taken(name.to_owned()));
        }
        let remote = target.remote()?;
        let (link, host_key) = Link::open(&remote, trust, self.engine.asker()).await?;
        let remote = Remote { host_key: Some(host_key), ..remote };
        let kept = Kept::of(remote.clone(), link, self.engine.asker().clone());
        let host = Host::new(name, Way::Through(kept), self.engine);
        let status = host.status(self.engine).await?;
        if !self.engine.store().add_host(name, &remote)? {
            return Err(Error::Taken(name.to_owned()));
        }
        self.engine.stale(Resource::Hosts);
        Ok((remote, status))
    }

    /// Forgets a host that no lab names.
    pub fn remove(&self, name: &str) -> Result<(), Error> {
        if name == LOCAL || name == SESSION {
            return Err(Error::IsLocal);
        }
        if !self.names()?.contains(name) {
            return Err(Error::Unknown(name.to_owned()));
        }
        if let Some(lab) = self.engine.store().labs()?.into_iter().find(|lab| lab.hosts.split(',').any(|host| host == name)) {
            return Err(Error::InUse { host: name.to_owned(), lab: lab.name });
        }
        self.engine.store().remove_host(name)?;
        self.engine.used_hosts().lock().expect("no panic while hosts are looked up").remove(name);
        self.engine.stale(Resource::Hosts);
        Ok(())
    }

    /// Connects to a host and looks at it.
    pub async fn check(&self, name: &str) -> Result<HostStatus, Error> {
        self.get(name)?.status(self.engine).await
    }

    /// The host that a machine of a lab is on, if that is not this computer.
    pub fn of_machine(&self, lab: &str, machine: &str) -> Result<Option<String>, crate::labs::Error> {
        let (row, design) = self.engine.labs().read(lab)?;
        let machines = crate::labs::placed(&row, &design);
        let host = machines.into_iter().find(|known| known.name == machine).map(|machine| machine.host);
        Ok(host.filter(|host| host != LOCAL && host != SESSION))
    }

    /// The host of that name, for use.
    pub(crate) fn get(&self, name: &str) -> Result<Arc<Host>, Error> {
        let mut hosts = self.engine.used_hosts().lock().expect("no panic while hosts are looked up");
        if let Some(host) = hosts.get(name) {
            return Ok(host.clone());
        }
        let remote = match name {
            SESSION => None,
            _ => self.list()?.into_iter().find(|row| row.name == name).ok_or_else(|| Error::Unknown(name.to_owned()))?.remote,
        };
        let way = remote.map_or(Way::Direct, |remote| Way::Through(Kept::new(remote, self.engine.asker().clone())));
        let host = Arc::new(Host::new(name, way, self.engine));
        hosts.insert(name.to_owned(), host.clone());
        Ok(host)
    }
}

/// A line of /proc/meminfo, in MiB.
fn memory_mib(meminfo: &str, what: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(what))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib / 1024)
}

/// `/proc/net/route`, without the default route.
fn parse_routes(text: &str) -> Vec<(String, Ipv4Net)> {
    let number = |field: Option<&&str>| u32::from_str_radix(field?, 16).ok().map(u32::from_be);
    text.lines()
        .skip(1)
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            // Columns: Iface Destination Gateway Flags RefCnt Use Metric Mask …; addresses are little-endian hex.
            let (destination, mask) = (number(fields.get(1))?, number(fields.get(7))?);
            let subnet = Ipv4Net::with_netmask(Ipv4Addr::from(destination), Ipv4Addr::from(mask)).ok()?;
            (subnet.prefix_len() > 0).then(|| (fields[0].to_owned(), subnet.trunc()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says `old` the first time it is asked, then `new`.
    #[derive(Clone, Default)]
    struct Forgetful(Arc<std::sync::atomic::AtomicUsize>);

    impl Person for Forgetful {
        fn answer<'a>(&'a self, question: &'a Question) -> Answer<'a> {
            let words = if self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0 { "old" } else { "new" };
            let answers = (0..question.answers()).map(|_| Secret::new(words.to_owned())).collect();
            Box::pin(std::future::ready(Some(answers)))
        }

        fn tell(&self, _: &str) {}
    }

    #[tokio::test]
    async fn a_password_is_asked_for_once_and_forgotten_when_it_was_wrong() {
        let person = Forgetful::default();
        let remembering = Remembering { secrets: Secrets::in_memory(), asker: Asker::new(person.clone()) };
        let password = |again| Question::Password { host: "ada@lab1".into(), again };
        let ask = async |question| remembering.answer(&question).await.unwrap()[0].expose().to_owned();
        assert_eq!(ask(password(false)).await, "old");
        assert_eq!(ask(password(false)).await, "old");
        assert_eq!(person.0.load(std::sync::atomic::Ordering::Relaxed), 1, "how often the person was asked");
        assert_eq!(ask(password(true)).await, "new");
        assert_eq!(ask(password(false)).await, "new");
        assert_eq!(person.0.load(std::sync::atomic::Ordering::Relaxed), 2, "how often the person was asked");
        // Another host, and a code that is good once.
        ask(Question::Password { host: "ada@lab2".into(), again: false }).await;
        let prompt = crate::ssh::ask::Prompt { text: "Code:".into(), echo: false };
        let code = || Question::Interactive {
            host: "h".into(),
            name: "".into(),
            instruction: "".into(),
            prompts: vec![prompt.clone()],
        };
        ask(code()).await;
        ask(code()).await;
        assert_eq!(person.0.load(std::sync::atomic::Ordering::Relaxed), 5, "how often the person was asked");
    }

    #[test]
    fn routes_are_read_from_the_kernels_table() {
        let text = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
                    eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
                    virbr0\t007AA8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
        assert_eq!(parse_routes(text), [("virbr0".to_owned(), "192.168.122.0/24".parse().unwrap())]);
    }
}
