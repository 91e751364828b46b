//! libvirt: a connection, and what we ask of it.
//!
//! Every call blocks, some for tens of seconds, and cannot be cancelled. So each runs on a thread of its own, at most four at once
//! per connection (the daemon serves five), and whoever asked waits for a limited time. A call that is not back by then keeps its
//! thread, and its connection is left to it: the next call opens another, as it does after the daemon was restarted. What comes
//! back are plain values: no libvirt handle leaves this module.

mod events;
mod holes;
mod stats;
pub mod xml;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    fs::File,
    net::Ipv4Addr,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{Arc, Weak},
    thread,
    time::Duration,
};

use ipnet::Ipv4Net;
use rustix::{fs::SeekFrom, io::Errno};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::{Mutex, Semaphore, mpsc, oneshot, watch},
    time::{Instant, sleep, sleep_until, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;
use virt::{
    connect::Connect,
    domain::{self, Domain as VirtDomain},
    error::ErrorNumber,
    storage_pool::StoragePool,
    storage_vol::StorageVol,
    stream::Stream,
    sys,
};
use vlm_lab::{lifecycle::DomainState, render::UefiFirmware};

pub use events::Looks;

use events::{End, Registered};

/// The oldest libvirt that serves a host: major, minor, release.
///
/// The newest thing that we ask of a daemon is to undefine a domain with its checkpoints' records (5.6.0). Before that came ARP as
/// a source of addresses (4.2.0), the length of a volume's file (3.0.0), events of pools (2.0.0), and states of all domains in one
/// question (1.2.8). This process itself runs with the library that it was built for, 6.0.0 or newer.
pub const MIN_LIBVIRT: (u32, u32, u32) = (5, 6, 0);

/// How many calls may be under way at once: the daemon serves five requests of a connection.
const CALLS_AT_ONCE: usize = 4;
/// How much of a volume is sent at a time; libvirt's own limit of a stream packet is 256 KiB less its header.
const UPLOAD_CHUNK: usize = 256 * 1024 - 32;
/// The largest picture of a screen that is taken, in bytes: 8K with three bytes a pixel, and some.
const LARGEST_PICTURE: usize = 128 << 20;
/// How long a connection may take to open.
const OPEN_LIMIT: Duration = Duration::from_secs(20);
/// How long the daemon may take to answer a question, or to take a piece of an upload.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);
/// How long it may take to do something: libvirt itself waits half a minute for a QEMU to start or to die, and a busy or emulated
/// host needs minutes to look through a pool.
const WORK_LIMIT: Duration = Duration::from_secs(300);
/// How often a daemon is asked whether it is there, and how long it may then be silent: one that hangs is found within 20 s.
const PING_EVERY: Duration = Duration::from_secs(5);
const SILENCE_LIMIT: Duration = Duration::from_secs(15);
/// How long after a call has failed libvirt may take to say that the connection has ended, and why.
const END_SHOWS_WITHIN: Duration = Duration::from_secs(1);

/// Which libvirt to talk to. A URI is code (`?command=…` runs a program), so it is built from this, never read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// This computer's system daemon.
    LocalSystem,
    /// This user's own daemon, for those who have no rights on the system's. libvirt starts it.
    LocalSession,
    /// A system daemon whose socket is here, by a forward of ours.
    Socket(PathBuf),
    /// libvirt's own test driver, for tests: a world in this process.
    Test,
    /// The test driver with the world that a file describes.
    TestFile {
        /// The file.
        file: PathBuf,
        /// The socket of the daemon that the world is in; it is in this process without one.
        socket: Option<PathBuf>,
    },
}

impl Target {
    /// The URI, for libvirt and for Terraform's provider.
    pub fn uri(&self) -> String {
        match self {
            Target::LocalSystem => "qemu:///system".to_owned(),
            Target::LocalSession => "qemu:///session".to_owned(),
            Target::Socket(path) => format!("qemu+unix:///system?socket={}", escape(path)),
            Target::Test => "test:///default".to_owned(),
            Target::TestFile { file, socket: None } => format!("test://{}", escape(file)),
            Target::TestFile { file, socket: Some(socket) } => {
                format!("test+unix://{}?socket={}", escape(file), escape(socket))
            }
        }
    }
}

/// Why libvirt could not do something.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection.
    #[error("could not reach libvirt at {uri}: {reason}")]
    Connect {
        /// Its URI.
        uri: String,
        /// libvirt's words.
        reason: String,
    },
    /// A daemon that is too old.
    #[error(
        "libvirt at {uri} is {version}, and {}.{}.{} or newer is needed: update it there",
        MIN_LIBVIRT.0,
        MIN_LIBVIRT.1,
        MIN_LIBVIRT.2
    )]
    Old {
        /// Its URI.
        uri: String,
        /// Its version.
        version: String,
    },
    /// A call has not come back.
    #[error(
        "could not {what}: libvirt did not answer within {limit_s} s; its daemon may be stopped or stuck, and a restart of it helps"
    )]
    Hangs {
        /// What was attempted, on what.
        what: String,
        /// How long it was waited for, in seconds.
        limit_s: u64,
    },
    /// The connection ended while a call was under way. What was attempted may have been done or not; the next call connects anew.
    #[error("could not {what}: the connection to libvirt was lost: {why}")]
    Lost {
        /// What was attempted, on what.
        what: String,
        /// How it was lost.
        why: String,
    },
    /// A call failed.
    #[error("could not {what}: {reason}")]
    Call {
        /// What was attempted, on what.
        what: String,
        /// libvirt's words.
        reason: String,
    },
    /// What was being done was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// A file could not be read while it was sent.
    #[error("could not read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl Error {
    /// The same words with `name` wherever `uri` is named.
    pub(crate) fn instead_of(self, uri: &str, name: &str) -> Error {
        match self {
            Error::Connect { uri: of, reason } => Error::Connect { uri: of.replace(uri, name), reason },
            Error::Old { uri: of, version } => Error::Old { uri: of.replace(uri, name), version },
            Error::Hangs { what, limit_s } => Error::Hangs { what: what.replace(uri, name), limit_s },
            error => error,
        }
    }
}

/// A domain as libvirt lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    /// Its name, unique on the host.
    pub name: String,
    /// Its UUID.
    pub uuid: String,
    /// Its state.
    pub state: DomainState,
}

/// A domain, and the numbers that libvirt has of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    /// The domain.
    pub domain: Domain,
    /// By libvirt's names, such as `cpu.time`; see `virConnectGetAllDomainStats`.
    pub numbers: BTreeMap<String, u64>,
}

impl Measured {
    /// The number of that name; 0 where there is none.
    pub fn number(&self, name: &str) -> u64 {
        self.numbers.get(name).copied().unwrap_or(0)
    }

    /// The sum of a number over all of the domain's disks or network cards: `sum("block", "rd.bytes")`.
    pub fn sum(&self, group: &str, name: &str) -> u64 {
        (0..self.number(&format!("{group}.count"))).map(|index| self.number(&format!("{group}.{index}.{name}"))).sum()
    }

    /// The memory that it has, in MiB.
    pub fn memory_mib(&self) -> u64 {
        self.numbers.get("balloon.current").or(self.numbers.get("balloon.maximum")).map_or(0, |kib| kib / 1024)
    }

    /// Its virtual processors.
    pub fn vcpus(&self) -> u32 {
        self.numbers.get("vcpu.current").or(self.numbers.get("vcpu.maximum")).map_or(0, |count| *count as u32)
    }
}

/// A network as libvirt lists it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Network {
    /// Its name, unique on the host.
    pub name: String,
    /// Its UUID.
    pub uuid: String,
    /// Its bridge device, if it has one.
    pub bridge: Option<String>,
    /// Its IPv4 subnets.
    pub subnets: Vec<Ipv4Net>,
    /// Whether it hands out addresses.
    pub has_dhcp: bool,
}

/// What a lab is made of on a host. In this order: what uses another thing comes before it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Thing {
    /// A domain.
    Domain {
        /// Its name, unique on the host.
        name: String,
    },
    /// A network.
    Network {
        /// Its name, unique on the host.
        name: String,
    },
    /// A volume.
    Volume {
        /// Its pool.
        pool: String,
        /// Its name, unique in the pool.
        name: String,
    },
}

impl Thing {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Thing::Domain { name } | Thing::Network { name } | Thing::Volume { name, .. } => name,
        }
    }

    /// The pool that a volume is in.
    pub fn pool(&self) -> Option<&str> {
        match self {
            Thing::Domain { .. } | Thing::Network { .. } => None,
            Thing::Volume { pool, .. } => Some(pool),
        }
    }
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Thing::Domain { name } => write!(f, "domain `{name}`"),
            Thing::Network { name } => write!(f, "network `{name}`"),
            Thing::Volume { pool, name } => write!(f, "volume `{name}` in pool `{pool}`"),
        }
    }
}

/// A storage pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// Its directory on the host.
    pub path: PathBuf,
    /// Free space, in bytes.
    pub available_bytes: u64,
}

/// What a host is and has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostFacts {
    /// Logical processors.
    pub cpus: u32,
    /// Memory, in MiB.
    pub memory_mib: u64,
    /// Memory not in use, in MiB; without what the kernel could give back from its caches.
    pub free_memory_mib: u64,
    /// Whether libvirt lists KVM (which is not yet proof that it works).
    pub kvm_listed: bool,
    /// The emulator for x86-64 guests, on the host.
    pub emulator: Option<PathBuf>,
    /// The account that the emulator runs as.
    pub emulators_account: Option<xml::Account>,
    /// UEFI firmware without secure boot, if the host has it.
    pub uefi: Option<UefiFirmware>,
    /// What keeps guests apart from the host and from each other: `apparmor` or `selinux`, and `dac`.
    pub security_models: Vec<String>,
}

/// A storage pool, whether it is active or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefinedPool {
    /// Its directory on the host.
    pub path: PathBuf,
    /// Whether its volumes can be used.
    pub active: bool,
    /// Whether it starts with the host.
    pub autostart: bool,
    /// Free space, in bytes; none of an inactive one.
    pub available_bytes: Option<u64>,
    /// All space, in bytes; none of an inactive one.
    pub capacity_bytes: Option<u64>,
}

/// A volume, and the file that it stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeFile {
    /// Its name, unique in the pool.
    pub name: String,
    /// Its file on the host.
    pub path: String,
    /// The file that it is a copy-on-write clone of.
    pub backing: Option<String>,
    /// What it takes up, in bytes.
    pub allocated_bytes: u64,
    /// Size of the disk that it holds, in bytes.
    pub capacity_bytes: u64,
}

/// What a domain is made of that it shares with its host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Uses {
    /// The domain.
    pub domain: String,
    /// Paths of files and names of volumes.
    pub disks: Vec<String>,
    /// Names of networks, and bridge devices.
    pub networks: Vec<String>,
    /// Its network cards, in order: the network or the bridge device, and the MAC address in lower case.
    pub nics: Vec<(String, String)>,
}

/// A connection, opened anew by the next call when it has ended. Cheap to clone; clones share it.
#[derive(Clone)]
pub struct Connection {
    shared: Arc<Shared>,
}

struct Shared {
    target: Target,
    slot: Mutex<Slot>,
    changes: watch::Sender<u64>,
}

enum Slot {
    Closed,
    /// A thread is at it. It is left at it when it takes too long: another would hang as well.
    Opening {
        opened: oneshot::Receiver<Result<Session, Error>>,
        by: Instant,
    },
    Open(Arc<Session>),
}

/// What is open between two losses.
struct Session {
    calls: Arc<Semaphore>,
    end: End,
    registered: Option<Registered>,
}

impl Session {
    /// Opens one; blocks.
    fn open(target: &Target, changes: watch::Sender<u64>) -> Result<Session, Error> {
        virt::error::clear_error_callback();
        events::start_loop();
        let uri = target.uri();
        let failed = |error: virt::error::Error| Error::Connect { uri: uri.clone(), reason: error.message().to_owned() };
        let connect = Connect::open(Some(&uri)).map_err(failed)?;
        let version = version_of(&connect).map_err(failed)?;
        if version < MIN_LIBVIRT {
            return Err(Error::Old { uri, version: version_text(version) });
        }
        let end = End::default();
        let registered = Some(Registered::new(connect, changes.clone(), end.clone()));
        // Nobody has seen what happened before.
        changes.send_modify(|count| *count += 1);
        Ok(Session { calls: Arc::new(Semaphore::new(CALLS_AT_ONCE)), end, registered })
    }

    fn connect(&self) -> &Connect {
        &self.registered.as_ref().expect("it is there until the end").connect
    }

    /// Whether libvirt has the connection open. It says so without the daemon.
    fn is_open(&self) -> bool {
        self.connect().is_alive().unwrap_or(false)
    }

    /// Why it was lost. A call finds out a little earlier than the event does, which says more than `reason`.
    async fn lost(&self, reason: &str) -> String {
        let _ = timeout(END_SHOWS_WITHIN, self.end.come()).await;
        self.end.mark(reason);
        self.end.come().await.to_owned()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Closing asks the daemon: not here, this may be an async thread.
        let registered = self.registered.take();
        on_thread(move || drop(registered));
    }
}

/// Ends a connection whose daemon is silent.
///
/// Not by libvirt's keepalive: that ends but one of several calls under way, and when the daemon goes on, the others make libvirt
/// use a main loop that it has freed, of which processes died (libvirt 9.0). Calls that nobody ends are harmless: they end
/// when the daemon goes on, or with it. The question is one that the daemon answers by a worker for short questions, and we
/// leave it one of its five places.
async fn watch_silence(session: Weak<Session>, changes: watch::Sender<u64>) {
    loop {
        sleep(PING_EVERY).await;
        let Some(session) = session.upgrade() else { return };
        let at = session.clone();
        let answer = on_thread(move || drop(at.connect().lib_version()));
        tokio::select! {
            _ = session.end.come() => return,
            answer = timeout(SILENCE_LIMIT, answer) => if answer.is_err() {
                session.end.mark(format!("its daemon has been silent for {} s; it may be stopped or stuck", SILENCE_LIMIT.as_secs()));
                changes.send_modify(|count| *count += 1);
                return;
            }
        }
    }
}

/// Whatever a call says here shows that the daemon goes on with it.
struct Pulse(watch::Sender<()>);

impl Pulse {
    fn beat(&self) {
        self.0.send_replace(());
    }

    /// Whether nobody waits for the call any more.
    fn is_unheard(&self) -> bool {
        self.0.is_closed()
    }
}

impl Connection {
    /// One that the first call opens.
    pub fn to(target: Target) -> Connection {
        let shared = Shared { target, slot: Mutex::new(Slot::Closed), changes: watch::Sender::new(0) };
        Connection { shared: Arc::new(shared) }
    }

    /// Connects to `target`.
    pub async fn open(target: &Target) -> Result<Connection, Error> {
        let connection = Connection::to(target.clone());
        connection.session().await?;
        Ok(connection)
    }

    /// Whether the next call has a connection to use, and need not open one.
    pub async fn is_alive(&self) -> bool {
        match &*self.shared.slot.lock().await {
            Slot::Open(session) => !session.end.has_come(),
            Slot::Opening { .. } | Slot::Closed => false,
        }
    }

    /// Waits until what is open now has ended; at once, where nothing is open.
    pub async fn until_lost(&self) {
        let end = match &*self.shared.slot.lock().await {
            Slot::Open(session) => session.end.clone(),
            Slot::Opening { .. } | Slot::Closed => return,
        };
        end.come().await;
    }

    /// Counts up with each change of a domain, a network or a pool that the host tells of, and when the connection ends or is there
    /// again. It is there again when something is asked: who is told of an end asks.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes.subscribe()
    }

    /// Tells when to look at the host again: now, upon [`Connection::changes`], and `at_most_apart`.
    pub fn looks(&self, at_most_apart: Duration) -> Looks {
        Looks::new(self.changes(), at_most_apart)
    }

    async fn session(&self) -> Result<Arc<Session>, Error> {
        let mut slot = self.shared.slot.lock().await;
        if let Slot::Open(session) = &*slot
            && !session.end.has_come()
        {
            return Ok(session.clone());
        }
        if !matches!(*slot, Slot::Opening { .. }) {
            let (target, changes) = (self.shared.target.clone(), self.shared.changes.clone());
            let opened = on_thread(move || Session::open(&target, changes));
            *slot = Slot::Opening { opened, by: Instant::now() + OPEN_LIMIT };
        }
        let Slot::Opening { opened, by } = &mut *slot else { unreachable!("it was just put there") };
        let opened = match timeout_at(*by, opened).await {
            Ok(opened) => opened.expect("opening a connection does not panic"),
            Err(_) => {
                let what = format!("connect to libvirt at {}", self.shared.target.uri());
                return Err(Error::Hangs { what, limit_s: OPEN_LIMIT.as_secs() });
            }
        };
        let uri = self.shared.target.uri();
        match &opened {
            Ok(_) => log::info!("connected to libvirt at {uri}"),
            Err(error) => log::warn!("could not connect to libvirt at {uri}: {}", crate::chain(error)),
        }
        let opened = opened.map(Arc::new);
        if let Ok(session) = &opened {
            tokio::spawn(watch_silence(Arc::downgrade(session), self.shared.changes.clone()));
        }
        *slot = opened.as_ref().map_or(Slot::Closed, |session| Slot::Open(session.clone()));
        opened
    }

    /// Asks the daemon something.
    async fn call<T: Send + 'static>(
        &self,
        what: impl Into<String>,
        f: impl FnOnce(&Connect) -> Result<T, virt::error::Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.limited(what.into(), ANSWER_LIMIT, f).await
    }

    /// Has the daemon do something.
    async fn work<T: Send + 'static>(
        &self,
        what: impl Into<String>,
        f: impl FnOnce(&Connect) -> Result<T, virt::error::Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.limited(what.into(), WORK_LIMIT, f).await
    }

    async fn limited<T: Send + 'static>(
        &self,
        what: String,
        limit: Duration,
        f: impl FnOnce(&Connect) -> Result<T, virt::error::Error> + Send + 'static,
    ) -> Result<T, Error> {
        let failed = what.clone();
        let f = move |connect: &Connect, _: &Pulse| {
            f(connect).map_err(|error| Error::Call { what: failed, reason: error.message().to_owned() })
        };
        self.blocking(what, limit, f).await
    }

    /// Runs `f` on a thread, and waits for its end as long as no more than `limit` passes between two beats of its pulse.
    async fn blocking<T: Send + 'static>(
        &self,
        what: String,
        limit: Duration,
        mut f: impl FnOnce(&Connect, &Pulse) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (session, mut done, mut pulse) = loop {
            let session = self.session().await?;
            let permit = tokio::select! {
                permit = session.calls.clone().acquire_owned() => permit.expect("the semaphore is never closed"),
                _ = session.end.come() => continue,
            };
            let (pulse, beats) = watch::channel(());
            let (begun, begins) = oneshot::channel();
            let at = session.clone();
            let done = on_thread(move || {
                let _permit = permit;
                // Found dead only now: nothing was attempted, and another connection may be used for it.
                if !at.is_open() {
                    let _ = begun.send(Some(f));
                    return None;
                }
                let _ = begun.send(None);
                let result = f(at.connect(), &Pulse(pulse));
                Some((result, at.is_open()))
            });
            match begins.await.expect("asking whether a connection is open does not panic") {
                Some(again) => {
                    session.lost("it is closed").await;
                    f = again;
                }
                None => break (session, done, beats),
            }
        };
        let mut by = Instant::now() + limit;
        let (result, is_open) = loop {
            tokio::select! {
                done = &mut done => break done.expect("libvirt calls do not panic").expect("it has begun"),
                Ok(()) = pulse.changed() => by = Instant::now() + limit,
                // A call is not ended by silence.
                why = async { let why = session.end.come().await; sleep(END_SHOWS_WITHIN).await; why } => {
                    return Err(Error::Lost { what, why: why.to_owned() });
                }
                () = sleep_until(by) => {
                    session.end.mark(format!("its daemon did not answer within {} s", limit.as_secs()));
                    self.shared.changes.send_modify(|count| *count += 1);
                    return Err(Error::Hangs { what, limit_s: limit.as_secs() });
                }
            }
        };
        match result {
            Err(Error::Call { what, reason }) if !is_open => Err(Error::Lost { what, why: session.lost(&reason).await }),
            result => result,
        }
    }

    /// The daemon's version, such as `9.0.0`.
    pub async fn version(&self) -> Result<String, Error> {
        self.call("ask libvirt's version", |connect| Ok(version_text(version_of(connect)?))).await
    }

    /// What the host is and has.
    pub async fn facts(&self) -> Result<HostFacts, Error> {
        self.call("read the host's capabilities", |connect| {
            let node = connect.node_info()?;
            let capabilities = xml::Capabilities::of(&connect.capabilities()?);
            let uefi = connect
                .domain_capabilities(None, Some("x86_64"), None, None, 0)
                .ok()
                .and_then(|text| xml::uefi_firmware(&text));
            Ok(HostFacts {
                cpus: node.cpus,
                memory_mib: node.memory / 1024,
                free_memory_mib: connect.free_memory()? >> 20,
                kvm_listed: capabilities.kvm,
                emulator: capabilities.emulator,
                emulators_account: capabilities.emulators_account,
                uefi,
                security_models: capabilities.security_models,
            })
        })
        .await
    }

    /// All domains, with their states, in one go.
    pub async fn domains(&self) -> Result<Vec<Domain>, Error> {
        self.call("list domains", stats::domains).await
    }

    /// All domains with their sizes, and with what those that are on have used, in one go.
    pub async fn measured(&self) -> Result<Vec<Measured>, Error> {
        self.call("measure domains", stats::measured).await
    }

    /// Names of the networks that are active.
    pub async fn active_networks(&self) -> Result<BTreeSet<String>, Error> {
        self.call("list networks", |connect| {
            let active = sys::VIR_CONNECT_LIST_NETWORKS_ACTIVE;
            connect.list_all_networks(active)?.iter().map(|network| network.name()).collect()
        })
        .await
    }

    /// All storage pools as they are, by name.
    pub async fn pools(&self) -> Result<BTreeMap<String, DefinedPool>, Error> {
        self.call("list pools", |connect| {
            let pool = |pool: &StoragePool| Ok((pool.name()?, defined_pool(pool)?));
            let all = connect.list_all_storage_pools(0)?.iter().map(pool).collect::<Vec<Result<_, virt::error::Error>>>();
            all.into_iter().filter(|pool| !matches!(pool, Err(error) if is_gone(error))).collect()
        })
        .await
    }

    /// All networks.
    pub async fn networks(&self) -> Result<Vec<Network>, Error> {
        self.call("list networks", |connect| {
            connect
                .list_all_networks(0)?
                .iter()
                .map(|network| Ok(Network { uuid: network.uuid_string()?, ..xml::network(&network.xml_desc(0)?) }))
                .filter(|network: &Result<Network, virt::error::Error>| !matches!(network, Err(error) if is_gone(error)))
                .collect()
        })
        .await
    }

    /// The pool of that name, refreshed, if it is there and active.
    pub async fn pool(&self, name: &str) -> Result<Option<Pool>, Error> {
        let name = name.to_owned();
        self.work(format!("look at pool `{name}`"), move |connect| {
            let Some(pool) = active_pool(connect, &name)? else { return Ok(None) };
            refresh(&pool);
            let path = xml::pool_path(&pool.xml_desc(0)?);
            Ok(Some(Pool { path, available_bytes: pool.info()?.available }))
        })
        .await
    }

    /// The pool of that name as it is, active or not.
    pub async fn defined_pool(&self, name: &str) -> Result<Option<DefinedPool>, Error> {
        let name = name.to_owned();
        self.call(format!("look at pool `{name}`"), move |connect| {
            let pool = match connect.lookup_storage_pool_by_name(&name) {
                Ok(pool) => pool,
                Err(error) if is_gone(&error) => return Ok(None),
                Err(error) => return Err(error),
            };
            defined_pool(&pool).map(Some)
        })
        .await
    }

    /// The volumes of a pool with their files; none where there is no such pool or it is not active.
    pub async fn volume_files(&self, pool: &str) -> Result<Vec<VolumeFile>, Error> {
        let pool = pool.to_owned();
        self.call(format!("look at the volumes of pool `{pool}`"), move |connect| {
            let Some(pool) = active_pool(connect, &pool)? else { return Ok(Vec::new()) };
            refresh(&pool);
            let file = |volume: &StorageVol| Ok(xml::volume(&volume.xml_desc(0)?));
            let files = pool.list_all_volumes(0)?.iter().map(file).collect::<Vec<Result<_, virt::error::Error>>>();
            files.into_iter().filter(|file| !matches!(file, Err(error) if is_gone(error))).collect()
        })
        .await
    }

    /// What each domain uses, one call a domain.
    pub async fn uses(&self) -> Result<Vec<Uses>, Error> {
        self.call("look at what domains use", |connect| {
            let uses = |domain: &VirtDomain| Ok(xml::uses(&domain.xml_desc(0)?));
            let all = connect.list_all_domains(0)?.iter().map(uses).collect::<Vec<Result<_, virt::error::Error>>>();
            all.into_iter().filter(|uses| !matches!(uses, Err(error) if is_gone(error))).collect()
        })
        .await
    }

    /// Starts a network that is forgotten when it is stopped, from its XML.
    pub(crate) async fn start_passing_network(&self, name: &str, xml: String) -> Result<(), Error> {
        self.call(format!("start network `{name}`"), move |connect| connect.create_network_xml(&xml).map(|_| ())).await
    }

    /// Stops a network; that it is not there is fine.
    pub(crate) async fn stop_network(&self, name: &str) -> Result<(), Error> {
        let owned = name.to_owned();
        self.call(format!("stop network `{name}`"), move |connect| match connect.lookup_network_by_name(&owned) {
            Ok(network) => network.destroy(),
            Err(error) if is_gone(&error) => Ok(()),
            Err(error) => Err(error),
        })
        .await
    }

    /// Makes sure that a directory pool of that name exists, is active and starts with the host.
    pub async fn ensure_pool(&self, name: &str, path: &Path) -> Result<(), Error> {
        let (name, path) = (name.to_owned(), path.to_owned());
        self.work(format!("make pool `{name}` at {}", path.display()), move |connect| {
            let pool = match connect.lookup_storage_pool_by_name(&name) {
                Ok(pool) => pool,
                Err(error) if is_gone(&error) => {
                    let account = xml::Capabilities::of(&connect.capabilities()?).emulators_account;
                    let emulators_group = account.map(|account| account.group);
                    connect.define_storage_pool_xml(&xml::directory_pool(&name, &path, emulators_group), 0)?
                }
                Err(error) => return Err(error),
            };
            if !pool.is_active()? {
                match pool.create(sys::VIR_STORAGE_POOL_CREATE_WITH_BUILD) {
                    // Another client of libvirt was quicker.
                    Err(_) if pool.is_active()? => {}
                    created => created?,
                }
            }
            pool.set_autostart(true)
        })
        .await
    }

    /// Names of the volumes in a pool, if it is there and active.
    pub async fn volumes(&self, pool: &str) -> Result<Option<Vec<String>>, Error> {
        let pool = pool.to_owned();
        self.work(format!("list the volumes of pool `{pool}`"), move |connect| {
            let Some(pool) = active_pool(connect, &pool)? else { return Ok(None) };
            refresh(&pool);
            Ok(Some(pool.list_volumes()?))
        })
        .await
    }

    /// The length of a volume's file, in bytes, if there is such a volume.
    pub async fn volume_length(&self, pool: &str, name: &str) -> Result<Option<u64>, Error> {
        let (pool, name) = (pool.to_owned(), name.to_owned());
        self.work(format!("look at volume `{name}`"), move |connect| {
            let pool = connect.lookup_storage_pool_by_name(&pool)?;
            refresh(&pool);
            match pool.lookup_storage_vol_by_name(&name) {
                // With this flag `allocation` is the length of the file.
                Ok(volume) => Ok(Some(volume.info_flags(sys::VIR_STORAGE_VOL_GET_PHYSICAL)?.allocation)),
                Err(error) if is_gone(&error) => Ok(None),
                Err(error) => Err(error),
            }
        })
        .await
    }

    /// Sends the qcow2 file `path` into the volume `name`, and says after each piece how many bytes of it are there. Holes of the
    /// file are not sent. Returns how many bytes had come by an earlier upload, which was cut off.
    ///
    /// What a broken or cancelled upload has left shows by its length (see [`Connection::volume_length`]), and the next one goes
    /// on from there, once the end of it is found to be the file's own.
    pub async fn upload(
        &self,
        pool: &str,
        name: &str,
        path: &Path,
        virtual_bytes: u64,
        cancel: &CancellationToken,
        progress: impl Fn(u64) + Send + 'static,
    ) -> Result<u64, Error> {
        let (pool, name, path, cancel) = (pool.to_owned(), name.to_owned(), path.to_owned(), cancel.clone());
        let what = format!("send {} to pool `{pool}`", path.display());
        let failed = what.clone();
        self.blocking(what, ANSWER_LIMIT, move |connect, pulse| {
            let failed = |error: virt::error::Error| Error::Call { what: failed.clone(), reason: error.message().to_owned() };
            let read = |source| Error::Read { path: path.clone(), source };
            let file = File::open(&path).map_err(read)?;
            let length = file.metadata().map_err(read)?.len();
            let pool_handle = connect.lookup_storage_pool_by_name(&pool).map_err(failed)?;
            let mut had = 0;
            let volume = match pool_handle.lookup_storage_vol_by_name(&name) {
                Ok(begun) => {
                    had = came_before(connect, &begun, &file, length, || pulse.beat()).unwrap_or(0);
                    if had > 0 {
                        begun
                    } else {
                        begun.delete(0).map_err(failed)?;
                        create_volume(&pool_handle, &xml::qcow2_volume(&name, virtual_bytes)).map_err(failed)?
                    }
                }
                Err(_) => create_volume(&pool_handle, &xml::qcow2_volume(&name, virtual_bytes)).map_err(failed)?,
            };
            let stream = Stream::new(connect, 0).map_err(failed)?;
            volume.upload(&stream, had, length - had, sys::VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM).map_err(failed)?;
            let mut buffer = vec![0; UPLOAD_CHUNK];
            let mut at = had;
            while at < length {
                if cancel.is_cancelled() || pulse.is_unheard() {
                    return Err(Error::Cancelled);
                }
                let (data, end) = piece(&file, at, length).map_err(read)?;
                if !data {
                    holes::send(&stream, end - at).map_err(failed)?;
                    pulse.beat();
                    at = end;
                } else {
                    let n = buffer.len().min((end - at) as usize);
                    file.read_exact_at(&mut buffer[..n], at).map_err(read)?;
                    let mut rest = &buffer[..n];
                    while !rest.is_empty() {
                        let n = stream.send(rest).map_err(failed)?;
                        rest = &rest[n.max(0) as usize..];
                        pulse.beat();
                    }
                    at += n as u64;
                }
                progress(at);
            }
            stream.finish().map_err(failed)?;
            // The pool learns the real size of what has come.
            refresh(&pool_handle);
            Ok(had)
        })
        .await
    }

    /// Holds a domain where it is, without a processor, until it is powered off or started.
    pub async fn suspend(&self, domain: &str) -> Result<(), Error> {
        self.on_domain(domain, "suspend", |domain| domain.suspend().map(|_| ())).await
    }

    /// Lets a held domain go on; any other stays as it is.
    pub async fn resume(&self, domain: &str) -> Result<(), Error> {
        self.on_domain(domain, "resume", |domain| match domain_state(domain.state()?.0.to_raw()) {
            DomainState::Paused => domain.resume().map(|_| ()),
            _ => Ok(()),
        })
        .await
    }

    /// Powers a domain on, or lets a held one go on. One that runs already stays as it is.
    pub async fn start(&self, domain: &str) -> Result<(), Error> {
        self.on_domain(domain, "start", |domain| match domain_state(domain.state()?.0.to_raw()) {
            DomainState::ShutOff | DomainState::Crashed => domain.create(),
            DomainState::Paused => domain.resume().map(|_| ()),
            DomainState::Running | DomainState::ShuttingDown | DomainState::Suspended => Ok(()),
        })
        .await
    }

    /// Asks a domain, by ACPI, to power off. A held one goes on first: it could not hear.
    pub async fn shut_down(&self, domain: &str) -> Result<(), Error> {
        self.on_domain(domain, "shut down", |domain| match domain_state(domain.state()?.0.to_raw()) {
            DomainState::ShutOff | DomainState::Crashed => Ok(()),
            DomainState::Paused => domain.resume().and_then(|_| domain.shutdown()),
            DomainState::Running | DomainState::ShuttingDown | DomainState::Suspended => domain.shutdown(),
        })
        .await
    }

    /// Asks a domain, by ACPI, to start anew.
    pub async fn reboot(&self, domain: &str) -> Result<(), Error> {
        self.on_domain(domain, "reboot", |domain| domain.reboot(0)).await
    }

    /// Starts a domain anew as its reset button does.
    pub async fn reset(&self, domain: &str) -> Result<(), Error> {
        self.on_domain(domain, "reset", |domain| domain.reset().map(|_| ())).await
    }

    /// A domain's definition as it is now, without secrets.
    pub async fn definition(&self, domain: &str) -> Result<String, Error> {
        self.on_domain(domain, "look at", |domain| domain.xml_desc(0)).await
    }

    /// What a domain's first screen shows, as PPM or PNG; none where it is off or has no screen.
    pub async fn screenshot(&self, domain: &str) -> Result<Option<Vec<u8>>, Error> {
        let (what, name) = (format!("look at the screen of domain `{domain}`"), domain.to_owned());
        let failed = what.clone();
        self.blocking(what, ANSWER_LIMIT, move |connect, pulse| {
            let failed = |error: virt::error::Error| Error::Call { what: failed.clone(), reason: error.message().to_owned() };
            let domain = connect.lookup_domain_by_name(&name).map_err(failed)?;
            let stream = Stream::new(connect, 0).map_err(failed)?;
            match domain.screenshot(&stream, 0, 0) {
                Ok(_) => {}
                Err(error) if error.code() == ErrorNumber::OperationInvalid.into() => return Ok(None),
                Err(error) => return Err(failed(error)),
            }
            let mut picture = Vec::new();
            let mut buffer = vec![0; UPLOAD_CHUNK];
            loop {
                if pulse.is_unheard() || picture.len() > LARGEST_PICTURE {
                    let _ = stream.abort();
                    return Err(Error::Cancelled);
                }
                match stream.recv(&mut buffer).map_err(failed)? {
                    n @ 1.. => picture.extend_from_slice(&buffer[..n as usize]),
                    _ => break,
                }
                pulse.beat();
            }
            stream.finish().map_err(failed)?;
            Ok(Some(picture))
        })
        .await
    }

    /// Takes the power from a domain.
    pub async fn force_off(&self, domain: &str) -> Result<(), Error> {
        self.on_domain(domain, "force off", |domain| if domain.is_active()? { domain.destroy() } else { Ok(()) }).await
    }

    /// All domains and networks, and the volumes of those `pools` that are there.
    pub async fn things(&self, pools: BTreeSet<String>) -> Result<BTreeSet<Thing>, Error> {
        let mut things: BTreeSet<Thing> =
            self.domains().await?.into_iter().map(|domain| Thing::Domain { name: domain.name }).collect();
        things.extend(self.networks().await?.into_iter().map(|network| Thing::Network { name: network.name }));
        for pool in pools {
            let volumes = self.volumes(&pool).await?.unwrap_or_default();
            things.extend(volumes.into_iter().map(|name| Thing::Volume { pool: pool.clone(), name }));
        }
        Ok(things)
    }

    /// UUIDs of all domains and networks.
    pub async fn uuids(&self) -> Result<BTreeMap<Thing, String>, Error> {
        let domains = self.domains().await?.into_iter().map(|domain| (Thing::Domain { name: domain.name }, domain.uuid));
        let networks = self.networks().await?.into_iter().map(|network| (Thing::Network { name: network.name }, network.uuid));
        Ok(domains.chain(networks).collect())
    }

    /// Removes a thing: a domain with its saved memory, its snapshots' records and its UEFI variables, but not its disks.
    pub async fn remove(&self, thing: &Thing) -> Result<(), Error> {
        let owned = thing.clone();
        self.work(format!("remove {thing}"), move |connect| match owned {
            Thing::Domain { name } => {
                let domain = connect.lookup_domain_by_name(&name)?;
                if domain.is_active()? {
                    domain.destroy()?;
                }
                domain.undefine_flags(
                    sys::VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
                        | sys::VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
                        | sys::VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
                        | sys::VIR_DOMAIN_UNDEFINE_NVRAM,
                )
            }
            Thing::Network { name } => {
                let network = connect.lookup_network_by_name(&name)?;
                if network.is_active()? {
                    network.destroy()?;
                }
                network.undefine()
            }
            Thing::Volume { pool, name } => {
                connect.lookup_storage_pool_by_name(&pool)?.lookup_storage_vol_by_name(&name)?.delete(0)
            }
        })
        .await
    }

    /// IPv4 addresses that the networks' DHCP servers, or else the host's ARP table, know of a domain.
    pub async fn addresses(&self, domain: &str) -> Result<Vec<(AddressSource, Ipv4Addr)>, Error> {
        self.on_domain(domain, "ask the addresses of", |domain| {
            let mut found = Vec::new();
            for (source, raw) in [
                (AddressSource::Lease, sys::VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE),
                (AddressSource::Arp, sys::VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP),
            ] {
                // A source that cannot answer for this domain is no reason not to ask the other.
                for interface in domain.interface_addresses(raw, 0).unwrap_or_default() {
                    found.extend(interface.addrs.iter().filter_map(|a| Some((source, a.addr.parse().ok()?))));
                }
            }
            Ok(found)
        })
        .await
    }

    /// IPv4 addresses that the guest's agent reports. Takes a while when no agent answers.
    pub async fn agent_addresses(&self, domain: &str) -> Result<Vec<Ipv4Addr>, Error> {
        self.on_domain(domain, "ask the agent of", |domain| {
            let interfaces = domain.interface_addresses(sys::VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT, 0)?;
            let addresses = interfaces.iter().flat_map(|interface| &interface.addrs);
            Ok(addresses.filter_map(|a| a.addr.parse().ok()).filter(|a: &Ipv4Addr| !a.is_loopback()).collect())
        })
        .await
    }

    async fn on_domain<T: Send + 'static>(
        &self,
        name: &str,
        verb: &str,
        f: impl FnOnce(&VirtDomain) -> Result<T, virt::error::Error> + Send + 'static,
    ) -> Result<T, Error> {
        let owned = name.to_owned();
        self.work(format!("{verb} domain `{name}`"), move |connect| f(&connect.lookup_domain_by_name(&owned)?)).await
    }

    /// Reads a domain's serial console until the domain ends or the reader is dropped.
    ///
    /// The stream has one reader: opening it takes it from another (`VIR_DOMAIN_CONSOLE_FORCE`).
    pub async fn serial(&self, domain: &str) -> Result<Serial, Error> {
        let name = domain.to_owned();
        let stream = self
            .call(format!("open the serial console of domain `{domain}`"), move |connect| {
                let stream = Stream::new(connect, 0)?;
                connect.lookup_domain_by_name(&name)?.open_console(None, &stream, sys::VIR_DOMAIN_CONSOLE_FORCE)?;
                Ok(stream)
            })
            .await?;
        let (sender, receiver) = mpsc::channel(64);
        let reader = stream.clone();
        thread::Builder::new()
            .name(format!("serial-{domain}"))
            .spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(n @ 1..) = reader.recv(&mut buffer) {
                    if sender.blocking_send(buffer[..n as usize].to_vec()).is_err() {
                        break;
                    }
                }
            })
            .expect("a thread can be started");
        Ok(Serial { bytes: receiver, stream: Some(stream) })
    }
}

/// Where an address was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressSource {
    /// A DHCP lease of the network.
    Lease,
    /// The host's ARP table.
    Arp,
}

/// A domain's serial console being read.
pub struct Serial {
    /// What the guest writes, in pieces.
    pub bytes: mpsc::Receiver<Vec<u8>>,
    stream: Option<Stream>,
}

impl Drop for Serial {
    fn drop(&mut self) {
        if let Some(stream) = self.stream.take() {
            // Ends the reader's blocking `recv`; a stream that has ended already says no, which is as good. Not here: an
            // RPC may take a while, and this may be an async thread.
            on_thread(move || {
                let _ = stream.abort();
            });
        }
    }
}

/// Runs `f` on a thread of its own: the runtime's end would wait for one of its pool, and a call that hangs has no end.
fn on_thread<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> oneshot::Receiver<T> {
    let (sender, receiver) = oneshot::channel();
    let run = move || {
        let _ = sender.send(f()); // nobody may be waiting any more
    };
    thread::Builder::new().name("libvirt".into()).spawn(run).expect("a thread can be started");
    receiver
}

/// The daemon's version: major, minor, release.
fn version_of(connect: &Connect) -> Result<(u32, u32, u32), virt::error::Error> {
    // Three decimal digits each.
    let version = connect.lib_version()?;
    Ok((version / 1_000_000, version / 1_000 % 1_000, version % 1_000))
}

fn version_text((major, minor, release): (u32, u32, u32)) -> String {
    format!("{major}.{minor}.{release}")
}

/// A path as one of a URI, or as the value of its query (RFC 3986): all but the unreserved characters and slashes by their bytes' numbers.
fn escape(path: &Path) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => text.push(char::from(*byte)),
            byte => write!(text, "%{byte:02X}").expect("a String takes all text"),
        }
    }
    text
}

/// How much of what an upload wrote must agree with the file for the next one to go on behind it, in bytes. Less is sent anew.
const AGREES: u64 = 1 << 20;

/// How many bytes of `file` are in the volume already; none where that is not sure.
fn came_before(connect: &Connect, volume: &StorageVol, file: &File, length: u64, beat: impl Fn()) -> Option<u64> {
    let there = volume.info_flags(sys::VIR_STORAGE_VOL_GET_PHYSICAL).ok()?.allocation;
    // A new volume has a header of QEMU's, which is less.
    if there < 2 * AGREES || there > length {
        return None;
    }
    let stream = Stream::new(connect, 0).ok()?;
    volume.download(&stream, there - AGREES, AGREES, 0).ok()?;
    let mut end = Vec::new();
    let mut buffer = vec![0; UPLOAD_CHUNK];
    while let Ok(n @ 1..) = stream.recv(&mut buffer) {
        end.extend_from_slice(&buffer[..n as usize]);
        beat();
    }
    stream.finish().ok()?;
    let mut wanted = vec![0; AGREES as usize];
    file.read_exact_at(&mut wanted, there - AGREES).ok()?;
    (end == wanted).then_some(there)
}

/// Whether data begins at `at` of a file or a hole, and where it ends.
fn piece(file: &File, at: u64, length: u64) -> std::io::Result<(bool, u64)> {
    let data = match rustix::fs::seek(file, SeekFrom::Data(at)) {
        Ok(data) => data,
        Err(Errno::NXIO) => return Ok((false, length)), // no more data
        Err(error) => return Err(error.into()),
    };
    if data > at {
        return Ok((false, data.min(length)));
    }
    Ok((true, rustix::fs::seek(file, SeekFrom::Hole(at))?.min(length)))
}

fn active_pool(connect: &Connect, name: &str) -> Result<Option<StoragePool>, virt::error::Error> {
    match connect.lookup_storage_pool_by_name(name) {
        Ok(pool) => Ok(if pool.is_active()? { Some(pool) } else { None }),
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn defined_pool(pool: &StoragePool) -> Result<DefinedPool, virt::error::Error> {
    let active = pool.is_active()?;
    let info = if active { Some(pool.info()?) } else { None };
    Ok(DefinedPool {
        path: xml::pool_path(&pool.xml_desc(0)?),
        active,
        autostart: pool.autostart()?,
        available_bytes: info.as_ref().map(|info| info.available),
        capacity_bytes: info.as_ref().map(|info| info.capacity),
    })
}

fn create_volume(pool: &StoragePool, xml: &str) -> Result<StorageVol, virt::error::Error> {
    StorageVol::create_xml(pool, xml, 0)
}

/// Looks at the pool's folder anew. A pool in which a volume is being written right now refuses that; what it knows is good
/// enough then.
fn refresh(pool: &StoragePool) {
    let _ = pool.refresh(0);
}

fn is_gone(error: &virt::error::Error) -> bool {
    [ErrorNumber::NoDomain, ErrorNumber::NoNetwork, ErrorNumber::NoStoragePool, ErrorNumber::NoStorageVolume]
        .iter()
        .any(|gone| error.code() == (*gone).into())
}

fn domain_state(raw: sys::virDomainState) -> DomainState {
    match domain::DomainStateEnum::from_raw(raw) {
        virt::enumutil::Enum::Known(state) => match state {
            domain::DomainState::Running | domain::DomainState::Blocked | domain::DomainState::NoState => DomainState::Running,
            domain::DomainState::Paused => DomainState::Paused,
            domain::DomainState::Shutdown => DomainState::ShuttingDown,
            domain::DomainState::Shutoff => DomainState::ShutOff,
            domain::DomainState::Crashed => DomainState::Crashed,
            domain::DomainState::PMSuspended => DomainState::Suspended,
        },
        virt::enumutil::Enum::Unknown(_) => DomainState::Running,
    }
}
