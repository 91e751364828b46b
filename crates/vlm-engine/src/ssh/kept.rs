//! A host's link that is kept: opened when it is first needed, opened again when it was lost.
//!
//! Whoever needs a stream asks for one here and never holds the link itself, so that all go on over the next one. libvirt's
//! socket is forwarded at a path that stays the same meanwhile: libvirt's client and Terraform's provider find it there.

use std::{
    fs::File,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Weak},
    time::Duration,
};

use rustix::{
    fs::{FlockOperation, flock},
    time::{ClockId, clock_gettime},
};
use tokio::{
    net::UnixListener,
    sync::{Mutex, OnceCell},
    time::{Instant, MissedTickBehavior, interval},
};

use super::{
    ask::Asker,
    link::{Channel, Error, Link, Output, Refused, Remote, Trust},
};

/// After a failed attempt others wait, twice as long each time, up to this: who asks meanwhile hears of that failure.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often we look whether this computer was asleep.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// A link to one host, in whatever state it is. Shared by all who use the host.
pub struct Kept {
    remote: Remote,
    asker: Asker,
    state: Mutex<State>,
    socket: OnceCell<Socket>,
    me: Weak<Kept>,
}

#[derive(Default)]
struct State {
    link: Option<Arc<Link>>,
    /// How often in a row it could not be opened, when it may be tried again, and why it failed.
    failed: Option<(u32, Instant, Arc<Error>)>,
}

/// libvirt's socket over there, forwarded to one of ours.
struct Socket {
    path: PathBuf,
    task: tokio::task::JoinHandle<()>,
    _dir: PrivateDir,
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Why there is no link, for all who asked.
#[derive(Debug, Clone, thiserror::Error)]
#[error(transparent)]
pub struct NoLink(Arc<Error>);

impl NoLink {
    /// What went wrong.
    pub fn error(&self) -> &Error {
        &self.0
    }
}

impl From<Error> for NoLink {
    fn from(error: Error) -> NoLink {
        NoLink(Arc::new(error))
    }
}

impl Kept {
    /// A link to `remote`, not opened yet.
    pub fn new(remote: Remote, asker: Asker) -> Arc<Kept> {
        Arc::new_cyclic(|me| Kept { remote, asker, state: Mutex::default(), socket: OnceCell::new(), me: me.clone() })
    }

    /// One that is open already.
    pub fn of(remote: Remote, link: Link, asker: Asker) -> Arc<Kept> {
        let state = Mutex::new(State { link: Some(Arc::new(link)), failed: None });
        let kept = Arc::new_cyclic(|me| Kept { remote, asker, state, socket: OnceCell::new(), me: me.clone() });
        kept.watch_for_sleep();
        kept
    }

    /// Which computer.
    pub fn remote(&self) -> &Remote {
        &self.remote
    }

    /// The link as it is now, opened if there is none.
    pub async fn link(&self) -> Result<Arc<Link>, NoLink> {
        let mut state = self.state.lock().await;
        if let Some(link) = state.link.as_ref().filter(|link| link.is_open()) {
            return Ok(link.clone());
        }
        let first = state.link.take().is_none() && state.failed.is_none();
        let times = match &state.failed {
            Some((_, again, error)) if Instant::now() < *again => return Err(NoLink(error.clone())),
            Some((times, ..)) => *times,
            None => 0,
        };
        match Link::open(&self.remote, Trust::Known, &self.asker).await {
            Ok((link, _)) => {
                let link = Arc::new(link);
                *state = State { link: Some(link.clone()), failed: None };
                if first {
                    self.watch_for_sleep();
                }
                Ok(link)
            }
            Err(error) => {
                let error = Arc::new(error);
                let pause = PATIENCE.min(Duration::from_secs(1 << times.min(5)));
                state.failed = Some((times + 1, Instant::now() + pause, error.clone()));
                Err(NoLink(error))
            }
        }
    }

    /// Opens a stream to a TCP address as the host sees it.
    pub async fn tcp(&self, to: SocketAddr) -> Result<Channel, Refused> {
        self.link().await.map_err(|_| Refused::Lost)?.tcp(to).await
    }

    /// Runs a command of ours there: see [`Link::exec`].
    pub async fn exec(&self, command: &str, input: &[u8]) -> Result<Output, NoLink> {
        Ok(self.link().await?.exec(command, input).await?)
    }

    /// Where libvirt over there is found on this computer: a socket in a folder that only this user enters.
    pub async fn libvirt_socket(&self) -> Result<PathBuf, NoLink> {
        // Asked every time: a host without libvirt is to be told at once, and not by a connection that ends.
        let there = self.link().await?.libvirt_socket().await?;
        let socket = self.socket.get_or_try_init(async || {
            self.forward(there).map_err(|source| Error::Socket { remote: self.remote.to_string(), source })
        });
        Ok(socket.await?.path.clone())
    }

    fn forward(&self, there: &'static str) -> io::Result<Socket> {
        let dir = private_dir()?;
        let path = dir.dir.path().join("libvirt-sock");
        let listener = UnixListener::bind(&path)?;
        let me = self.me.clone();
        let task = tokio::spawn(async move {
            while let Ok((mut ours, _)) = listener.accept().await {
                let Some(kept) = me.upgrade() else { return };
                tokio::spawn(async move {
                    // A host that is gone: libvirt's client sees its connection closed.
                    let Ok(link) = kept.link().await else { return };
                    // The folder goes with the last one who keeps us, which is no stream.
                    drop(kept);
                    if let Ok(mut channel) = link.unix(there).await {
                        super::join(&mut ours, &mut channel).await;
                    }
                });
            }
        });
        Ok(Socket { path, task, _dir: dir })
    }

    /// A computer that wakes up has a dead connection, perhaps, and would notice only by and by.
    fn watch_for_sleep(&self) {
        let me = self.me.clone();
        tokio::spawn(async move {
            let mut every = interval(LOOK_EVERY);
            every.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut asleep = slept();
            loop {
                every.tick().await;
                let Some(kept) = me.upgrade() else { return };
                let now = slept();
                if now > asleep + Duration::from_secs(1) {
                    let link = kept.state.lock().await.link.clone();
                    if let Some(link) = link {
                        link.probe().await;
                    }
                }
                asleep = now;
            }
        });
    }
}

/// How long this computer has been asleep since it was switched on: see "CLOCK_BOOTTIME" in clock_gettime(2).
fn slept() -> Duration {
    let since = |clock| {
        let time = clock_gettime(clock);
        Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
    };
    since(ClockId::Boottime).saturating_sub(since(ClockId::Monotonic))
}

/// A folder of ours, locked while we live.
struct PrivateDir {
    dir: tempfile::TempDir,
    _lock: File,
}

const PREFIX: &str = "vlm-link-";
/// A folder younger than this may be one that is not locked yet.
const YOUNG: Duration = Duration::from_secs(60);

/// A folder of mode 0700, at a short path: that of a unix socket has 108 bytes at most.
fn private_dir() -> io::Result<PrivateDir> {
    let base = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|dir| dir.is_dir());
    let base = base.unwrap_or_else(std::env::temp_dir);
    sweep(&base);
    let dir = tempfile::Builder::new().prefix(PREFIX).tempdir_in(base)?;
    let lock = File::open(dir.path())?;
    flock(&lock, FlockOperation::LockExclusive)?;
    Ok(PrivateDir { dir, _lock: lock })
}

/// Removes folders of processes that were killed.
fn sweep(base: &Path) {
    for entry in std::fs::read_dir(base).into_iter().flatten().flatten() {
        let is_old =
            || entry.metadata().and_then(|meta| meta.modified()).is_ok_and(|at| at.elapsed().is_ok_and(|age| age > YOUNG));
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) || !is_old() {
            continue;
        }
        // Another user's cannot be opened, and stays.
        if File::open(entry.path()).is_ok_and(|dir| flock(&dir, FlockOperation::NonBlockingLockExclusive).is_ok()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
