//! The right to change something: one process at a time. The kernel takes it back when a process dies.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, Write as _},
    os::{
        fd::AsFd,
        unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    },
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::{fs::FlockOperation, io::Errno};
use tokio_util::sync::CancellationToken;

use crate::terraform::create_private_dir;

/// Pause between two attempts of one who waits for its turn.
const TRY_EVERY: Duration = Duration::from_millis(200);

/// How long and how often those may be in the way who only look whether a lock is held.
const LOOK: Duration = Duration::from_millis(5);
const LOOKS_TAKE: u32 = 10;

/// Why a lock could not be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process has it.
    #[error("lab `{name}` is being changed by another process ({holder}); wait for it or cancel it there")]
    Busy {
        /// What is locked: a lab's name.
        name: String,
        /// Who has it, as far as known.
        holder: String,
    },
    /// The database is being restored.
    #[error("the database is being restored by another process; wait for it")]
    Restoring,
    /// Others have the database open.
    #[error("the database is open in {}; end that first", holders.join(", "))]
    Open {
        /// Who, as far as known.
        holders: Vec<String>,
    },
    /// Its file.
    #[error("could not use {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The wait for it was cancelled.
    #[error("cancelled")]
    Cancelled,
}

/// A lock that is held until it is dropped.
pub(crate) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing alone would leave it to a child of ours that is between fork and exec in this moment.
        let _ = rustix::fs::flock(self.0.as_fd(), FlockOperation::Unlock);
    }
}

impl Lock {
    /// Takes the lock `name` in the folder `dir`, or says who has it.
    pub(crate) fn take(dir: &Path, name: &str) -> Result<Lock, Error> {
        let path = dir.join(format!("{name}.lock"));
        let io = |source| Error::Io { path: path.clone(), source };
        create_private_dir(dir).map_err(io)?;
        let mut file = File::options().read(true).write(true).create(true).truncate(false).open(&path).map_err(io)?;
        let mut tries = 0..LOOKS_TAKE;
        let taken = loop {
            match rustix::fs::flock(file.as_fd(), FlockOperation::NonBlockingLockExclusive) {
                // Somebody may only be looking in this moment whether it is held.
                Err(Errno::WOULDBLOCK) if tries.next().is_some() => std::thread::sleep(LOOK),
                taken => break taken,
            }
        };
        match taken {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                return Err(Error::Busy { name: name.to_owned(), holder: format!("process {}", holder.trim()) });
            }
            Err(error) => return Err(io(error.into())),
        }
        file.set_len(0).and_then(|()| file.rewind()).and_then(|()| write!(file, "{}", std::process::id())).map_err(io)?;
        Ok(Lock(file))
    }

    /// The process that holds the lock `name`, if one does. It is looked for by a lock that may be shared, for a moment: `take`
    /// bears with that. (`/proc/locks` would tell without, but leaves lines out when locks come and go while it is read.)
    pub(crate) fn holder(dir: &Path, name: &str) -> Option<u32> {
        let mut file = File::open(dir.join(format!("{name}.lock"))).ok()?;
        if rustix::fs::flock(file.as_fd(), FlockOperation::NonBlockingLockShared).is_ok() {
            let _ = rustix::fs::flock(file.as_fd(), FlockOperation::Unlock);
            return None;
        }
        let mut text = String::new();
        file.read_to_string(&mut text).ok()?;
        text.trim().parse().ok()
    }

    /// Takes the lock together with others who share it; refused while somebody has it alone.
    pub(crate) fn share(dir: &Path, name: &str) -> Result<Lock, Error> {
        Self::take_as(dir, name, FlockOperation::NonBlockingLockShared)?.ok_or(Error::Restoring)
    }

    /// Takes a lock that others share, alone, or says who they are.
    pub(crate) fn alone(dir: &Path, name: &str) -> Result<Lock, Error> {
        match Self::take_as(dir, name, FlockOperation::NonBlockingLockExclusive)? {
            Some(lock) => Ok(lock),
            None => Err(Error::Open { holders: holders(&dir.join(format!("{name}.lock"))) }),
        }
    }

    fn take_as(dir: &Path, name: &str, how: FlockOperation) -> Result<Option<Lock>, Error> {
        let path = dir.join(format!("{name}.lock"));
        let io = |source| Error::Io { path: path.clone(), source };
        create_private_dir(dir).map_err(io)?;
        let file = File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(io)?;
        match rustix::fs::flock(file.as_fd(), how) {
            Ok(()) => Ok(Some(Lock(file))),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(io(error.into())),
        }
    }

    /// Waits for its turn; `on_wait` is told once for whom.
    pub(crate) async fn wait(
        dir: &Path,
        name: &str,
        cancel: &CancellationToken,
        on_wait: impl FnOnce(&str),
    ) -> Result<Lock, Error> {
        let mut on_wait = Some(on_wait);
        loop {
            match Self::take(dir, name) {
                Err(Error::Busy { holder, .. }) => {
                    if let Some(on_wait) = on_wait.take() {
                        on_wait(&holder);
                    }
                }
                taken => return taken,
            }
            tokio::select! {
                () = tokio::time::sleep(TRY_EVERY) => {}
                () = cancel.cancelled() => return Err(Error::Cancelled),
            }
        }
    }
}

/// The processes that hold a lock on a file, as the kernel lists them: `process 123 (vlm up hello)`.
fn holders(path: &Path) -> Vec<String> {
    let Ok(meta) = std::fs::metadata(path) else { return Vec::new() };
    let locks = std::fs::read_to_string("/proc/locks").unwrap_or_default();
    // 1: FLOCK  ADVISORY  READ 1234 fe:01:123456 0 EOF
    let inode = format!(":{}", meta.ino());
    let pids = locks.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let at = words.iter().position(|word| *word == "FLOCK")?;
        (!words.contains(&"->") && words.get(at + 4)?.ends_with(&inode)).then(|| words[at + 3].to_owned())
    });
    let mut holders: Vec<String> = pids.map(|pid| process(&pid)).collect();
    holders.sort();
    holders.dedup();
    if holders.is_empty() { vec!["another process".into()] } else { holders }
}

fn process(pid: &str) -> String {
    let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words: Vec<String> = words
        .split(|byte| *byte == 0)
        .filter(|word| !word.is_empty())
        .map(|word| String::from_utf8_lossy(word).into())
        .collect();
    let Some((program, args)) = words.split_first() else { return format!("process {pid}") };
    let program = Path::new(program).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let said: Vec<&str> = std::iter::once(program.as_str()).chain(args.iter().map(String::as_str)).take(3).collect();
    format!("process {pid} ({})", said.join(" "))
}
