//! A small file beside the database that says how we left it: `vlm.sqlite3.seal`.
//!
//! It serves twice. Where size and times of the database's files are the ones in it, nobody but us touched them, and opening
//! need not read everything. And it knows the newest change and the newest line of the audit: a database that has fewer was
//! cut, or put back to an older state, which nothing inside it could tell. It is written after the commit, so it may lag behind
//! the database after a crash, and never runs ahead of it. One that is gone or torn costs a full look, no more.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::integrity::hex;

/// What the file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seal {
    /// Changes that the database has seen.
    pub changes: i64,
    /// Number of the audit's newest line; 0 for none.
    pub line: i64,
    /// Hash of that line.
    pub head: String,
    /// The database's files as we left them; none when we are not sure that nobody else touched them.
    pub stamp: Option<Stamp>,
}

/// What the file system says of the database and of its journal: number, size, times of the last change in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    database: File,
    journal: Option<File>,
}

type File = (u64, u64, i64, i64);

impl Stamp {
    /// The files as they are now; none when there is no database.
    pub(super) fn of(database: &Path) -> Option<Stamp> {
        let file = |path: &Path| {
            let meta = fs::metadata(path).ok()?;
            let ns = |s: i64, ns: i64| s * 1_000_000_000 + ns;
            Some((meta.ino(), meta.len(), ns(meta.mtime(), meta.mtime_nsec()), ns(meta.ctime(), meta.ctime_nsec())))
        };
        // Whoever reads makes an empty journal and takes it away again.
        Some(Stamp { database: file(database)?, journal: file(&journal(database)).filter(|file| file.1 > 0) })
    }
}

/// Where SQLite keeps what is not yet in the database itself.
pub(super) fn journal(database: &Path) -> PathBuf {
    with_end(database, "-wal")
}

/// `PATH` with something at its end.
pub(super) fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// Where the seal of a database lies.
pub(super) fn path_of(database: &Path) -> PathBuf {
    with_end(database, ".seal")
}

impl Seal {
    /// Reads the seal of a database; none when there is none that is whole.
    pub(super) fn read(database: &Path) -> Option<Seal> {
        // A writer may be at it in this moment: look again.
        (0..3).find_map(|_| {
            let text = fs::read_to_string(path_of(database)).ok()?;
            let (body, sum) = text.trim_end().split_once('\n')?;
            if sum != hex(&Sha256::digest(body)) { None } else { serde_json::from_str(body).ok() }
        })
    }

    /// Writes the seal of a database.
    pub(super) fn write(&self, database: &Path) -> io::Result<()> {
        let body = serde_json::to_string(self).expect("a seal serialises");
        let text = format!("{body}\n{}\n", hex(&Sha256::digest(&body)));
        let path = path_of(database);
        let file = fs::File::options().write(true).create(true).truncate(false).mode(0o600).open(path)?;
        // In one call, over what is there: a reader sees the old one, the new one, or one whose sum is wrong.
        std::os::unix::fs::FileExt::write_all_at(&file, text.as_bytes(), 0)?;
        file.set_len(text.len() as u64)
    }
}
