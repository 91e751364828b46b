//! The right to change something: one process at a time. The kernel takes it back when a process dies.

use std::{
    fs::{self, File},
    io::{self, Read as _, Seek as _, Write as _},
    os::fd::AsFd,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::{fs::FlockOperation, io::Errno};
use tokio_util::sync::CancellationToken;

use crate::terraform::create_private_dir;

/// Pause between two attempts of one who waits for its turn.
const TRY_EVERY: Duration = Duration::from_millis(200);

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
pub(crate) struct Lock(#[allow(dead_code, reason = "held for as long as the file is open")] File);

impl Lock {
    /// Takes the lock `name` in the folder `dir`, or says who has it.
    pub(crate) fn take(dir: &Path, name: &str) -> Result<Lock, Error> {
        let path = dir.join(format!("{name}.lock"));
        let io = |source| Error::Io { path: path.clone(), source };
        create_private_dir(dir).map_err(io)?;
        let mut file = File::options().read(true).write(true).create(true).truncate(false).open(&path).map_err(io)?;
        match rustix::fs::flock(file.as_fd(), FlockOperation::NonBlockingLockExclusive) {
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

    /// The process that holds the lock `name`, if one does. Looks without touching the lock: somebody may be about to take it.
    pub(crate) fn holder(dir: &Path, name: &str) -> Option<u32> {
        use std::os::unix::fs::MetadataExt;
        let path = dir.join(format!("{name}.lock"));
        let inode = fs::metadata(&path).ok()?.ino();
        let table = fs::read_to_string("/proc/locks").ok()?;
        // `1: FLOCK  ADVISORY  WRITE 123 08:01:456 0 EOF`, see proc_locks(5); the process is 0 when it is in another namespace.
        let held = table.lines().any(|line| {
            let mut fields = line.split_whitespace();
            fields.nth(1) == Some("FLOCK") && fields.nth(3).and_then(|file| file.rsplit(':').next()) == Some(&inode.to_string())
        });
        held.then(|| fs::read_to_string(path).ok()?.trim().parse().ok())?
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
