//! Ports of this computer, on its loopback interface, that lead into a lab's machines: those that the lab publishes, and one to the
//! SSH server of each machine that is behind a remote host.
//!
//! They outlive the run that made them, so a small process of its own keeps them: `vlm keep LAB`. A file lock says that it lives
//! and who it is; `stop` and `destroy` end it, and it ends by itself when the lab's folder is gone.

use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, File},
    io::{self, Write as _},
    net::Ipv4Addr,
    ops::RangeInclusive,
    os::fd::AsFd,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::{
    fs::FlockOperation,
    process::{Pid, Signal},
};
use serde::Serialize;
use tokio::{
    net::{TcpListener, TcpStream},
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};

use crate::{Engine, hosts::LOCAL, labs, process, ssh, store, terraform::create_private_dir};

/// How long a keeper may take to be ready, and to end.
const LIMIT: Duration = Duration::from_secs(10);
/// How long a guest on a network of this computer may take to answer.
const CONNECT_LIMIT: Duration = Duration::from_secs(60);
/// How often a keeper looks whether its lab is still there.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// What a keeper prints when all its ports are open.
const READY: &str = "ready";

/// Why ports could not be published.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The lab.
    #[error(transparent)]
    Labs(#[from] Box<labs::Error>),
    /// The keeper could not be started.
    #[error(transparent)]
    Process(#[from] process::Error),
    /// A port is taken.
    #[error("port {port} of this computer cannot be opened: {source}")]
    Port {
        /// The port.
        port: u16,
        /// Why.
        source: io::Error,
    },
    /// A file.
    #[error("could not use {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The program that keeps ports is not where the engine looks for it.
    #[error("published ports need the program `vlm` beside this one or on PATH")]
    NoKeeper,
    /// The keeper ended instead of being ready.
    #[error("the ports could not be published: {0}")]
    Keeper(String),
}

/// What can be asked of published ports.
pub struct Ports<'a> {
    pub(crate) engine: &'a Engine,
}

/// Ports that lead to machines' SSH servers.
pub const SSH: RangeInclusive<u16> = 22000..=22999;

/// Where a port of ours leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Door {
    /// The machine.
    pub machine: String,
    /// The host it is on.
    pub host: String,
    /// Its address, once it is known, and the port there.
    pub to: (Option<Ipv4Addr>, u16),
    /// Whether the lab publishes it; else it is our way to the machine's SSH server.
    pub published: bool,
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (address, port) = self.to;
        match address {
            Some(address) => write!(f, "{address}:{port}")?,
            None => write!(f, "port {port} of {}", self.machine)?,
        }
        if self.host == LOCAL { Ok(()) } else { write!(f, " on host {}", self.host) }
    }
}

/// A port of this computer that leads into a lab, as windows show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct LabPort {
    /// This computer's port.
    pub local: u16,
    /// The machine.
    pub machine: String,
    /// The host it is on.
    pub host: String,
    /// The guest's port.
    pub guest: u16,
    /// The guest's address, once it is known.
    pub address: Option<String>,
    /// Whether the lab publishes it; else it is our way to the machine's SSH server.
    pub published: bool,
    /// Whether somebody keeps it open now.
    pub open: bool,
}

/// Whether a port of the loopback interface can be had.
pub(crate) fn is_free(port: u16) -> bool {
    std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Ports that are open as long as this is kept.
pub(crate) struct Held(#[allow(dead_code, reason = "its tasks end with it")] JoinSet<()>);

impl Ports<'_> {
    /// Where each port of a lab leads.
    pub fn of(&self, lab: &str) -> Result<BTreeMap<u16, Door>, Error> {
        let (row, design) = self.engine.labs().read(lab).map_err(Box::new)?;
        let rows = self.engine.store().machines(row.id)?;
        let known = |name: &str| rows.iter().find(|row| row.name == name)?.address.as_deref()?.parse::<Ipv4Addr>().ok();
        let ssh = self.engine.store().ssh_ports(row.id)?;
        let mut doors = BTreeMap::new();
        for machine in labs::placed(&row, &design) {
            let address = known(&machine.name).or(machine.address());
            let door = |port, published| Door {
                machine: machine.name.clone(),
                host: machine.host.clone(),
                to: (address, port),
                published,
            };
            doors.extend(machine.ports.iter().map(|(ours, guests)| (*ours, door(*guests, true))));
            doors.extend(ssh.get(&machine.name).map(|ours| (*ours, door(22, false))));
        }
        Ok(doors)
    }

    /// The ports of a lab, and which of them are open.
    pub fn list(&self, lab: &str) -> Result<Vec<LabPort>, Error> {
        let open = self.kept(lab)?;
        let port = |(local, door): (u16, Door)| LabPort {
            open: open.contains(&local),
            local,
            machine: door.machine,
            host: door.host,
            guest: door.to.1,
            address: door.to.0.map(|address| address.to_string()),
            published: door.published,
        };
        Ok(self.of(lab)?.into_iter().map(port).collect())
    }

    /// The ports that the lab's keeper holds open.
    fn kept(&self, lab: &str) -> Result<Vec<u16>, Error> {
        if self.keeper(lab)?.is_none() {
            return Ok(Vec::new());
        }
        let path = self.lock_path(lab);
        let text = fs::read_to_string(&path).map_err(|source| Error::Io { path, source })?;
        // As `describe` has it, behind the keeper's number.
        Ok(text.lines().skip(1).filter_map(|line| line.split_once(' ')?.0.parse().ok()).collect())
    }

    /// Makes sure that a machine's SSH server can be reached from this computer: after a restart of it nobody keeps the port.
    pub async fn reach(&self, lab: &str, machine: &str) -> Result<(), Error> {
        let (row, _) = self.engine.labs().read(lab).map_err(Box::new)?;
        match self.engine.store().ssh_ports(row.id)?.get(machine) {
            // One that is taken is kept by a keeper, or by a run at work.
            Some(port) if is_free(*port) => self.open(lab).await,
            _ => Ok(()),
        }
    }

    /// Opens the ways to SSH servers in this process, while a run needs them and no keeper holds them yet.
    pub(crate) async fn hold(&self, lab: &str) -> Result<Held, Error> {
        let mut work = JoinSet::new();
        if self.keeper(lab)?.is_some() {
            if self.are_open(lab)? {
                return Ok(Held(work));
            }
            self.close(lab).await?;
        }
        for (port, door) in self.of(lab)?.into_iter().filter(|(_, door)| !door.published) {
            self.serve(lab, port, door, &mut work).await?;
        }
        Ok(Held(work))
    }

    async fn serve(&self, lab: &str, port: u16, door: Door, work: &mut JoinSet<()>) -> Result<(), Error> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|source| Error::Port { port, source })?;
        let (engine, lab) = (self.engine.clone(), lab.to_owned());
        work.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let _ = client.set_nodelay(true);
                let (engine, lab, door) = (engine.clone(), lab.clone(), door.clone());
                tokio::spawn(async move {
                    // An address that was not known when the port was opened may be known by now.
                    let door = match door.to.0 {
                        Some(_) => Some(door),
                        None => engine.ports().of(&lab).ok().and_then(|mut doors| doors.remove(&port)),
                    };
                    if let Some(door) = door {
                        lead(&engine, client, &door).await;
                    }
                });
            }
        });
        Ok(())
    }

    /// Refuses ports that something else on this computer has. Those that the lab's own keeper holds are fine.
    pub fn check(&self, lab: &str, ports: impl IntoIterator<Item = u16>) -> Result<(), Error> {
        let ours = if self.keeper(lab)?.is_some() { self.of(lab)? } else { BTreeMap::new() };
        for port in ports.into_iter().filter(|port| !ours.contains_key(port)) {
            std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|source| Error::Port { port, source })?;
        }
        Ok(())
    }

    /// Whether the ports that are open are those that the lab says.
    pub fn are_open(&self, lab: &str) -> Result<bool, Error> {
        let wanted = self.of(lab)?;
        if self.keeper(lab)?.is_none() {
            return Ok(wanted.is_empty());
        }
        let path = self.lock_path(lab);
        let text = fs::read_to_string(&path).map_err(|source| Error::Io { path, source })?;
        Ok(text.split_once('\n').is_some_and(|(_, open)| open == describe(&wanted)))
    }

    /// Opens the lab's ports anew, in a process of their own that goes on when this one ends.
    pub async fn open(&self, lab: &str) -> Result<(), Error> {
        self.close(lab).await?;
        if self.of(lab)?.is_empty() {
            return Ok(());
        }
        let keeper = keeper_program().ok_or(Error::NoKeeper)?;
        let line = process::spawn_detached(&keeper, &["keep", lab], LIMIT).await?;
        if line.trim() == READY { Ok(()) } else { Err(Error::Keeper(line.trim().to_owned())) }
    }

    /// Closes the lab's ports.
    pub async fn close(&self, lab: &str) -> Result<(), Error> {
        let begun = tokio::time::Instant::now();
        while let Some(keeper) = self.keeper(lab)? {
            let signal = if begun.elapsed() < LIMIT { Signal::TERM } else { Signal::KILL };
            let _ = rustix::process::kill_process(keeper, signal); // it may have ended in this moment
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Keeps the lab's ports until SIGTERM, or until the lab is gone. `said` gets one line: ready, or why not.
    pub async fn keep(&self, lab: &str, said: impl Fn(&str)) -> Result<(), Error> {
        let result = self.listen(lab).await;
        let (_work, _lock) = match result {
            Ok(listening) => listening,
            Err(error) => {
                said(&error.to_string());
                return Err(error);
            }
        };
        said(READY);
        let dir = self.engine.dirs().lab(lab);
        let mut terminate = signal(SignalKind::terminate()).map_err(|source| Error::Io { path: dir.clone(), source })?;
        let mut look = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                _ = terminate.recv() => return Ok(()),
                _ = look.tick() => if !dir.is_dir() { return Ok(()) },
            }
        }
    }

    async fn listen(&self, lab: &str) -> Result<(JoinSet<()>, File), Error> {
        let path = self.lock_path(lab);
        let io = |source| Error::Io { path: path.clone(), source };
        let mut lock = open_lock(&path).map_err(io)?;
        // Somebody may be looking in this moment whether it is held.
        let mut tries = 0;
        while let Err(error) = rustix::fs::flock(lock.as_fd(), FlockOperation::NonBlockingLockExclusive) {
            tries += 1;
            if tries > 50 {
                return Err(io(error.into()));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let ports = self.of(lab)?;
        lock.set_len(0).and_then(|()| write!(lock, "{}\n{}", std::process::id(), describe(&ports))).map_err(io)?;
        let mut work = JoinSet::new();
        for (port, door) in ports {
            self.serve(lab, port, door, &mut work).await?;
        }
        Ok((work, lock))
    }

    fn lock_path(&self, lab: &str) -> PathBuf {
        self.engine.dirs().data.join("locks").join(format!("{lab}.ports.lock"))
    }

    /// The process that keeps the lab's ports, if one does: only a held lock makes the number in the file true.
    pub(crate) fn keeper(&self, lab: &str) -> Result<Option<Pid>, Error> {
        let path = self.lock_path(lab);
        if !path.exists() {
            return Ok(None);
        }
        let io = |source| Error::Io { path: path.clone(), source };
        let lock = open_lock(&path).map_err(io)?;
        // Shared, so that two who look do not take each other for the keeper.
        if rustix::fs::flock(lock.as_fd(), FlockOperation::NonBlockingLockShared).is_ok() {
            return Ok(None);
        }
        let text = fs::read_to_string(&path).map_err(io)?;
        Ok(text.lines().next().and_then(|pid| pid.parse().ok()).and_then(Pid::from_raw))
    }
}

/// The ports as the lock file lists them: a line each.
fn describe(ports: &BTreeMap<u16, Door>) -> String {
    ports.iter().map(|(port, door)| format!("{port} {door}\n")).collect()
}

fn open_lock(path: &Path) -> io::Result<File> {
    create_private_dir(path.parent().expect("a lock lies in a folder"))?;
    File::options().read(true).write(true).create(true).truncate(false).open(path)
}

async fn lead(engine: &Engine, mut client: TcpStream, door: &Door) {
    let (Ok(host), (Some(address), port)) = (engine.hosts().get(&door.host), door.to) else { return };
    // A guest that does not listen yet: the client sees its connection closed, as it would there.
    if let Ok(mut guest) = host.way.tcp((address, port).into(), CONNECT_LIMIT).await {
        ssh::join(&mut client, &mut guest).await;
    }
}

/// `vlm`: this very program, or the one beside it, or the one on PATH.
fn keeper_program() -> Option<PathBuf> {
    let ours = std::env::current_exe().ok()?;
    if ours.file_name().is_some_and(|name| name == "vlm") {
        return Some(ours);
    }
    Some(ours.with_file_name("vlm"))
        .filter(|path| path.is_file())
        .or_else(|| crate::terraform::find_program(&["vlm"], Path::new("/usr/bin")))
}
