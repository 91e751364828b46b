//! What we remember: SQLite in the data directory, in WAL mode so that `vlm` and the application share it.
//!
//! All SQL of the product is in this module. Times are milliseconds since 1970 (UTC).

pub mod backups;
mod integrity;
mod schema;
mod seal;

use std::{
    collections::BTreeMap,
    fs,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{SystemTime, UNIX_EPOCH},
};

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use vlm_lab::place::Placement;

pub use integrity::Misfit;
use integrity::Watch;
use seal::{Seal, Stamp};

use crate::{
    journal::{StepRecord, StepState},
    lock::{self, Lock},
    runs::{RunEvent, RunId, RunKind, RunStatus, RunSummary},
    ssh::link::Remote,
};

/// Why the store could not do something.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// SQLite said no.
    #[error("the database could not be used")]
    Sqlite(#[from] rusqlite::Error),
    /// The database was written by a newer build.
    #[error("the database is of version {found}, this build knows {known}: use a newer vlm")]
    TooNew {
        /// The database's version.
        found: u32,
        /// The newest version this build knows.
        known: u32,
    },
    /// The database does not hold what was written to it.
    #[error("the database is damaged: {what}")]
    Damaged {
        /// What was found.
        what: String,
    },
    /// A change that the audit would not know of: a mistake in this program.
    #[error("a change without its line in the audit was refused; nothing was changed")]
    Unaudited,
    /// A copy could not be made or used.
    #[error("could not use the copy {}", path.display())]
    Copy {
        /// The copy.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// No copy was made before a migration, which therefore was not begun.
    #[error("the database is of an older version and could not be copied before it is brought up to date; nothing was changed")]
    NoCopy {
        /// Why.
        source: Box<Error>,
    },
    /// The database is being restored, or is open elsewhere.
    #[error(transparent)]
    Lock(#[from] lock::Error),
    /// It was closed for a restore, and what is there now does not open.
    #[error("the database could not be opened again after it was closed for a restore; start the application again")]
    Closed,
    /// A run of this process would go on without its record.
    #[error("a run is at work here; wait for it or cancel it, then restore")]
    RunAtWork,
    /// Somebody saved the lab since the caller read it.
    #[error("lab `{lab}` was saved by somebody else meanwhile (revision {found}, not {expected})")]
    Conflict {
        /// The lab.
        lab: String,
        /// The revision the caller started from.
        expected: u32,
        /// The revision in the store.
        found: u32,
    },
}

/// A stored lab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabRow {
    /// Row id.
    pub id: i64,
    /// Its name, unique.
    pub name: String,
    /// Counts up with every save.
    pub revision: u32,
    /// The lab file, as its author wrote it.
    pub document: String,
    /// The folder that the lab file lies in.
    pub dir: String,
    /// What the last run left.
    pub state: LabState,
    /// Where its machines stand, as far as that was decided.
    pub placement: Placement,
    /// When it was last saved.
    pub updated_at_ms: i64,
}

/// What the last run left of a lab.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub enum LabState {
    /// Only designed: nothing of it is on a host.
    Designed,
    /// Deployed as designed when it was deployed.
    Deployed,
    /// A run is at work, or was cut off.
    Changing,
    /// A run failed or was cancelled: something may be on the host.
    Incomplete,
    /// Deployed, and its machines were shut down by `stop`.
    Stopped,
}

impl LabState {
    /// The word in the database and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            LabState::Designed => "designed",
            LabState::Deployed => "deployed",
            LabState::Changing => "changing",
            LabState::Incomplete => "incomplete",
            LabState::Stopped => "stopped",
        }
    }

    fn from_text(text: &str) -> LabState {
        match text {
            "designed" => LabState::Designed,
            "deployed" => LabState::Deployed,
            "changing" => LabState::Changing,
            "stopped" => LabState::Stopped,
            _ => LabState::Incomplete,
        }
    }
}

/// A lab in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct LabSummary {
    /// Its name.
    pub name: String,
    /// What the last run left.
    pub state: LabState,
    /// Number of machines.
    pub machines: u32,
    /// Host, or hosts separated by commas.
    pub hosts: String,
    /// Revision of the design.
    pub revision: u32,
    /// When it was last saved, RFC 3339 in UTC.
    pub updated: String,
    /// What its author says of it.
    pub description: Option<String>,
    /// Machines that were ready when a run last saw them.
    pub running: u32,
    /// The last run.
    pub last_run: Option<RunSummary>,
}

/// What we know of a deployed machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineRow {
    /// Host name.
    pub name: String,
    /// Host it is placed on.
    pub host: String,
    /// Address we reach it at, if any.
    pub address: Option<String>,
    /// Fingerprint of the configuration that was last applied successfully.
    pub configured: Option<String>,
    /// Whether it was ready after it was last started by us.
    pub ready: bool,
}

/// A host that we know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRow {
    /// Its name in lab files.
    pub name: String,
    /// How it is reached; none for this computer.
    pub remote: Option<Remote>,
}

/// What opens windows that are locked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassphraseRow {
    /// Argon2's text of the passphrase: how it was hashed, the salt, the hash.
    pub hash: String,
    /// After how many minutes without a hand windows lock by themselves; never, where it is none.
    pub idle_minutes: Option<u32>,
}

/// An image in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageRow {
    /// Its name in lab files.
    pub name: String,
    /// SHA-256 of the qcow2 file, in hex.
    pub digest: String,
    /// Where it came from: a path, or `recipe NAME`.
    pub source: String,
    /// Size of the disk it holds, in bytes.
    pub virtual_bytes: i64,
    /// Size of the file, in bytes.
    pub file_bytes: i64,
    /// When it was added.
    pub added_at_ms: i64,
}

/// A line of the audit: who changed what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct AuditRow {
    /// Its number; counts up from 1.
    pub line: u32,
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// The user's name on this computer.
    pub who: String,
    /// What was done: `save_lab`, `deploy`, `destroy`, `add_image` …
    pub action: String,
    /// To what.
    pub object: String,
    /// More, in words.
    pub detail: String,
}

/// The database. Cheap to clone; one connection behind a lock.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    open: Mutex<Open>,
    /// Where it lies; none in memory.
    path: Option<PathBuf>,
}

struct Open {
    /// None only while it is being closed, or restored.
    connection: Option<Connection>,
    watch: Arc<Watch>,
    /// Held for as long as we have it open, together with others; `vlm restore` wants it alone.
    lock: Option<Lock>,
    /// The files as we left them.
    stamp: Option<Stamp>,
    /// The day, since 1970, for which we know that there is a copy.
    copied_on: i64,
}

impl Store {
    /// Opens (and creates or migrates) the database at `path`, after making sure that it holds what was written to it.
    pub fn open(path: &Path) -> Result<Store, Error> {
        use std::os::unix::fs::OpenOptionsExt;
        let lock = Lock::share(backups::folder_of(path), &backups::name_of(path))?;
        // The seal before the database: it never knows more than what is read after it.
        let seal = Seal::read(path);
        let stamp = Stamp::of(path);
        let length = |path: &Path| fs::metadata(path).map_or(0, |meta| meta.len());
        if length(path) == 0 {
            // SQLite would make a new one, and throw away a journal that still holds something.
            if seal.is_some() || length(&seal::journal(path)) > 0 {
                let what = if path.exists() { "it is empty" } else { "it is gone" };
                let seal = seal::path_of(path);
                return Err(Error::Damaged { what: format!("{what} (to begin anew, delete {}, too)", seal.display()) });
            }
            // SQLite gives its journals the mode of the database. If this fails, opening says why.
            let _ = fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(path);
        }
        let mut connection = Connection::open(path)?;
        let untouched = stamp.is_some() && seal.as_ref().is_some_and(|seal| seal.stamp == stamp);
        if let Err(error) = Self::examine(&connection, seal.as_ref(), untouched) {
            // Not even closing may change what is there: it is evidence, and more may be saved from it.
            let _ = connection.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
            return Err(error);
        }
        let watch = Self::prepare(&mut connection, |connection| {
            backups::keep(connection, path, backups::Reason::Migration)
                .map(drop)
                .map_err(|source| Error::NoCopy { source: Box::new(source) })
        })?;
        let migrated = watch.take_committed();
        let mut open = Open { connection: Some(connection), watch, lock: Some(lock), stamp: None, copied_on: 0 };
        if !untouched || migrated {
            // What was just read, unless somebody wrote meanwhile: then it is read once more next time.
            open.note(path, migrated || stamp == Stamp::of(path))?;
            log::debug!("the database was read as a whole");
        } else {
            open.stamp = stamp;
        }
        Ok(Store { inner: Arc::new(Inner { open: Mutex::new(open), path: Some(path.to_owned()) }) })
    }

    /// A database that ends with the process, for tests.
    pub fn in_memory() -> Result<Store, Error> {
        let mut connection = Connection::open_in_memory()?;
        let watch = Self::prepare(&mut connection, |_| Ok(()))?;
        let open = Open { connection: Some(connection), watch, lock: None, stamp: None, copied_on: 0 };
        Ok(Store { inner: Arc::new(Inner { open: Mutex::new(open), path: None }) })
    }

    /// Refuses a database that is damaged, without changing it.
    fn examine(connection: &Connection, seal: Option<&Seal>, untouched: bool) -> Result<(), Error> {
        // Another process may hold the lock for a moment; a busy database is not an error.
        connection.busy_timeout(std::time::Duration::from_secs(10))?;
        if untouched {
            return Ok(());
        }
        let damaged = |what| Err(Error::Damaged { what });
        if let Some(what) = integrity::damage(connection)? {
            return damaged(what);
        }
        if connection.is_readonly("main")? {
            return damaged("it says that it can only be read".into());
        }
        if let Some(seal) = seal
            && let Some(what) = integrity::cut_off(connection, seal)?
        {
            let path = connection.path().unwrap_or_default();
            return damaged(format!("{what}; what is left is whole, and `vlm restore {path}` goes on with it"));
        }
        Ok(())
    }

    fn prepare(connection: &mut Connection, copy: impl FnOnce(&Connection) -> Result<(), Error>) -> Result<Arc<Watch>, Error> {
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // What was said to be done is on the disk: the seal may rely on it, and so may a resumed run.
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        let watch = integrity::attach(connection)?;
        schema::migrate(connection, copy)?;
        Ok(watch)
    }

    /// All use of the connection goes through here: what was committed is noted in the seal.
    fn with<T>(&self, f: impl FnOnce(&mut Connection) -> Result<T, Error>) -> Result<T, Error> {
        let mut open = self.inner.open.lock().expect("no panic while the database is locked");
        let Some(path) = &self.inner.path else { return f(open.connection()).map_err(named) };
        if open.connection.is_none() {
            return Err(Error::Closed);
        }
        let ours = open.is_as_left(path);
        let result = f(open.connection()).map_err(named);
        if open.watch.take_committed() {
            open.note(path, ours)?;
            open.copy_daily(path)?;
        }
        result
    }

    /// Makes a verified copy of the database: at `to`, which must not be there, or among the copies that we keep.
    pub fn copy(&self, to: Option<&Path>) -> Result<backups::Copy, Error> {
        self.with(|connection| match (to, &self.inner.path) {
            (Some(to), _) => backups::make(connection, to),
            (None, Some(path)) => backups::keep(connection, path, backups::Reason::Manual),
            (None, None) => Err(Error::Copy { path: PathBuf::new(), source: std::io::ErrorKind::NotFound.into() }),
        })
    }

    /// Puts the copy `from` in the database's place, while whoever uses this store waits, and goes on with it. What cannot be done
    /// leaves the present one. Returns where that is kept.
    pub fn restore(&self, from: &Path) -> Result<Option<PathBuf>, Error> {
        let Some(path) = &self.inner.path else {
            return Err(Error::Copy { path: from.to_owned(), source: std::io::ErrorKind::Unsupported.into() });
        };
        let mut open = self.inner.open.lock().expect("no panic while the database is locked");
        open.close(path);
        let restored = backups::Restore::prepare(path, Some(from)).and_then(backups::Restore::carry_out);
        let now = Store::open(path)?;
        std::mem::swap(&mut *open, &mut *now.inner.open.lock().expect("nobody else has it"));
        restored
    }

    // --- labs -------------------------------------------------------------------------------------------------------

    /// Saves a lab's document. With `expected`, only when that is still its revision. Returns the new revision; an
    /// unchanged document keeps its revision.
    pub fn save_lab(&self, lab: &LabToSave<'_>, expected: Option<u32>) -> Result<u32, Error> {
        self.with(|connection| {
            let tx = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            let found: Option<(i64, u32, String, String)> = tx
                .query_row("SELECT id, revision, document, dir FROM labs WHERE name = ?1", [lab.name], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
                })
                .optional()?;
            if let (Some(expected), Some((_, found, ..))) = (expected, &found)
                && expected != *found
            {
                return Err(Error::Conflict { lab: lab.name.into(), expected, found: *found });
            }
            if let Some((_, revision, document, dir)) = &found
                && document == lab.document
                && dir == lab.dir
            {
                return Ok(*revision);
            }
            let now = now_ms();
            let (id, revision) = match found {
                Some((id, revision, ..)) => {
                    tx.execute(
                        "UPDATE labs SET revision = ?2, document = ?3, dir = ?4, machine_count = ?5, hosts = ?6, updated_at = ?7, \
                         description = ?8 WHERE id = ?1",
                        params![id, revision + 1, lab.document, lab.dir, lab.machine_count, lab.hosts, now, lab.description],
                    )?;
                    (id, revision + 1)
                }
                None => {
                    tx.execute(
                        "INSERT INTO labs (name, revision, document, dir, machine_count, hosts, state, created_at, updated_at, description) \
                         VALUES (?1, 1, ?2, ?3, ?4, ?5, 'designed', ?6, ?6, ?7)",
                        params![lab.name, lab.document, lab.dir, lab.machine_count, lab.hosts, now, lab.description],
                    )?;
                    (tx.last_insert_rowid(), 1)
                }
            };
            tx.execute(
                "INSERT INTO lab_revisions (lab_id, revision, document, saved_at) VALUES (?1, ?2, ?3, ?4)",
                params![id, revision, lab.document, now],
            )?;
            audit(&tx, "save_lab", lab.name, &format!("revision {revision}"))?;
            tx.commit()?;
            Ok(revision)
        })
    }

    /// The lab of that name.
    pub fn lab(&self, name: &str) -> Result<Option<LabRow>, Error> {
        self.with(|connection| {
            Ok(connection
                .query_row(
                    "SELECT id, name, revision, document, dir, state, updated_at, placement FROM labs WHERE name = ?1",
                    [name],
                    lab_row,
                )
                .optional()?)
        })
    }

    /// All labs, by name.
    pub fn labs(&self) -> Result<Vec<LabSummary>, Error> {
        self.with(|connection| {
            let mut statement = connection.prepare(&format!(
                "SELECT {RUN}, l.name, l.state, l.machine_count, l.hosts, l.revision, l.updated_at, l.description, \
                 (SELECT count(*) FROM machines WHERE lab_id = l.id AND ready AND l.state NOT IN ('designed', 'stopped')) \
                 FROM labs l LEFT JOIN runs r ON r.id = (SELECT max(id) FROM runs WHERE lab = l.name) ORDER BY l.name"
            ))?;
            let rows = statement.query_map([], |row| {
                let run: Option<u32> = row.get(0)?;
                Ok(LabSummary {
                    name: row.get(9)?,
                    state: LabState::from_text(row.get_ref(10)?.as_str()?),
                    machines: row.get(11)?,
                    hosts: row.get(12)?,
                    revision: row.get(13)?,
                    updated: rfc3339(row.get(14)?),
                    description: row.get(15)?,
                    running: row.get(16)?,
                    last_run: run.map(|_| run_summary(row)).transpose()?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Notes where a lab's machines stand.
    pub fn set_placement(&self, lab_id: i64, placement: &Placement) -> Result<(), Error> {
        self.with(|connection| {
            let mut hosts: Vec<&str> = placement.values().map(String::as_str).collect();
            hosts.sort_unstable();
            hosts.dedup();
            let text = serde_json::to_string(placement).expect("texts serialise");
            let tx = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            let changed = tx.execute(
                "UPDATE labs SET placement = ?2, hosts = CASE ?3 WHEN '' THEN hosts ELSE ?3 END WHERE id = ?1 AND placement <> ?2",
                params![lab_id, text, hosts.join(",")],
            )?;
            if changed > 0 {
                audit(&tx, "place_lab", &name_of_lab(&tx, lab_id)?, &text)?;
            }
            Ok(tx.commit()?)
        })
    }

    /// Notes what a run left of a lab.
    pub fn set_lab_state(&self, name: &str, state: LabState) -> Result<(), Error> {
        self.with(|connection| {
            let tx = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            let changed =
                tx.execute("UPDATE labs SET state = ?2 WHERE name = ?1 AND state <> ?2", params![name, state.as_str()])?;
            if changed > 0 {
                audit(&tx, "set_state", name, state.as_str())?;
            }
            Ok(tx.commit()?)
        })
    }

    /// Forgets a lab's design and history.
    pub fn remove_lab(&self, name: &str) -> Result<(), Error> {
        self.with(|connection| {
            let tx = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            tx.execute("DELETE FROM labs WHERE name = ?1", [name])?;
            audit(&tx, "remove_lab", name, "")?;
            Ok(tx.commit()?)
        })
    }

    /// Notes how a lab lies on its canvas. What the text means is the canvas' own business.
    pub fn save_layout(&self, lab_id: i64, layout: &str) -> Result<(), Error> {
        self.with(|connection| {
            connection.execute(
                "INSERT INTO layouts (lab_id, layout) VALUES (?1, ?2) ON CONFLICT (lab_id) DO UPDATE SET layout = excluded.layout \
                 WHERE layout <> excluded.layout",
                params![lab_id, layout],
            )?;
            Ok(())
        })
    }

    /// How a lab lies on its canvas, if it was ever told.
    pub fn layout(&self, lab_id: i64) -> Result<Option<String>, Error> {
        self.with(|connection| {
            Ok(connection.query_row("SELECT layout FROM layouts WHERE lab_id = ?1", [lab_id], |row| row.get(0)).optional()?)
        })
    }

    // --- machines ---------------------------------------------------------------------------------------------------

    /// The machines of a lab that a run has made, by name.
    pub fn machines(&self, lab_id: i64) -> Result<Vec<MachineRow>, Error> {
        self.with(|connection| {
            let mut statement = connection
                .prepare("SELECT name, host, address, configured, ready FROM machines WHERE lab_id = ?1 ORDER BY name")?;
            let rows = statement.query_map([lab_id], |row| {
                Ok(MachineRow {
                    name: row.get(0)?,
                    host: row.get(1)?,
                    address: row.get(2)?,
                    configured: row.get(3)?,
                    ready: row.get(4)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Notes a machine as made or changed.
    pub fn save_machine(&self, lab_id: i64, machine: &MachineRow) -> Result<(), Error> {
        self.with(|connection| {
            connection.execute(
                "INSERT INTO machines (lab_id, name, host, address, configured, updated_at, ready) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
                 ON CONFLICT (lab_id, name) DO UPDATE SET host = excluded.host, address = excluded.address, ready = excluded.ready, \
                 configured = excluded.configured, updated_at = excluded.updated_at",
                params![lab_id, machine.name, machine.host, machine.address, machine.configured, now_ms(), machine.ready],
            )?;
            Ok(())
        })
    }

    /// Forgets machines of a lab: all, or all but `keep`.
    pub fn keep_machines(&self, lab_id: i64, keep: &[&str]) -> Result<(), Error> {
        self.with(|connection| {
            let keep = serde_json::to_string(keep).expect("texts serialise");
            connection.execute(
                "DELETE FROM machines WHERE lab_id = ?1 AND name NOT IN (SELECT value FROM json_each(?2))",
                params![lab_id, keep],
            )?;
            Ok(())
        })
    }

    /// Forgets all that a deployment of a lab was: its machines, where they stood, and its ports. `hosts` are those of the design.
    pub fn forget_deployment(&self, lab_id: i64, hosts: &str) -> Result<(), Error> {
        self.with(|connection| {
            let tx = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            tx.execute("DELETE FROM machines WHERE lab_id = ?1", [lab_id])?;
            tx.execute("DELETE FROM ssh_ports WHERE lab_id = ?1", [lab_id])?;
            let changed = tx.execute(
                "UPDATE labs SET placement = '{}', hosts = ?2 WHERE id = ?1 AND (placement <> '{}' OR hosts <> ?2)",
                params![lab_id, hosts],
            )?;
            if changed > 0 {
                audit(&tx, "place_lab", &name_of_lab(&tx, lab_id)?, "nowhere")?;
            }
            Ok(tx.commit()?)
        })
    }

    /// This computer's ports that lead to the SSH servers of a lab's machines, by machine.
    pub fn ssh_ports(&self, lab_id: i64) -> Result<BTreeMap<String, u16>, Error> {
        self.with(|connection| {
            let mut statement = connection.prepare("SELECT machine, port FROM ssh_ports WHERE lab_id = ?1")?;
            let rows = statement.query_map([lab_id], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Gives each of `machines` a port of `range` that no other machine has and that `is_free`, and forgets those of others.
    /// One that has a port keeps it. Fewer come back than were asked for when there are no more.
    pub fn assign_ssh_ports(
        &self,
        lab_id: i64,
        machines: &[&str],
        mut range: RangeInclusive<u16>,
        is_free: impl Fn(u16) -> bool,
    ) -> Result<BTreeMap<String, u16>, Error> {
        let had = self.ssh_ports(lab_id)?;
        if had.len() == machines.len() && machines.iter().all(|machine| had.contains_key(*machine)) {
            return Ok(had);
        }
        self.with(|connection| {
            let tx = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            let names = serde_json::to_string(machines).expect("texts serialise");
            tx.execute(
                "DELETE FROM ssh_ports WHERE lab_id = ?1 AND machine NOT IN (SELECT value FROM json_each(?2))",
                params![lab_id, names],
            )?;
            let taken: Vec<u16> =
                tx.prepare("SELECT port FROM ssh_ports")?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
            let mut free = range.by_ref().filter(|port| !taken.contains(port) && is_free(*port));
            for machine in machines.iter().filter(|machine| !had.contains_key(**machine)) {
                let Some(port) = free.next() else { break };
                tx.execute(
                    "INSERT INTO ssh_ports (port, lab_id, machine) VALUES (?1, ?2, ?3)",
                    params![port, lab_id, machine],
                )?;
            }
            Ok(tx.commit()?)
        })?;
        self.ssh_ports(lab_id)
    }

    // --- runs -------------------------------------------------------------------------------------------------------

    /// Begins a run; its process id tells later readers whether it is still at work.
    pub fn begin_run(&self, lab: &str, kind: RunKind, revision: u32) -> Result<RunId, Error> {
        self.with(|connection| {
            let tx = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            tx.execute(
                "INSERT INTO runs (lab, kind, status, revision, pid, started_at) VALUES (?1, ?2, 'running', ?3, ?4, ?5)",
                params![lab, kind.as_str(), revision, std::process::id(), now_ms()],
            )?;
            let id = RunId(tx.last_insert_rowid() as u32);
            audit(&tx, kind.as_str(), lab, &format!("run {id}"))?;
            tx.commit()?;
            log::info!("run {id} began: {} {lab}, revision {revision}", kind.as_str());
            Ok(id)
        })
    }

    /// Notes how a run ended, with a sentence.
    pub fn end_run(&self, run: RunId, status: RunStatus, sentence: &str) -> Result<(), Error> {
        self.with(|connection| {
            let tx = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            tx.execute(
                "UPDATE runs SET status = ?2, sentence = ?3, ended_at = ?4 WHERE id = ?1",
                params![run.0, status.as_str(), sentence, now_ms()],
            )?;
            audit(&tx, status.as_str(), &format!("run {run}"), sentence)?;
            tx.commit()?;
            log::info!("run {run} ended, {}: {sentence}", status.as_str());
            Ok(())
        })
    }

    /// Runs of a lab that have not ended.
    pub fn open_runs(&self, lab: &str) -> Result<Vec<RunId>, Error> {
        self.with(|connection| {
            let mut statement = connection.prepare("SELECT id FROM runs WHERE lab = ?1 AND status = 'running'")?;
            let rows = statement.query_map([lab], |row| Ok(RunId(row.get(0)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// The newest runs of a lab, newest first.
    pub fn runs(&self, lab: &str, limit: u32) -> Result<Vec<RunSummary>, Error> {
        self.with(|connection| {
            let mut statement =
                connection.prepare(&format!("SELECT {RUN} FROM runs r WHERE r.lab = ?1 ORDER BY r.id DESC LIMIT ?2"))?;
            let rows = statement.query_map(params![lab, limit], run_summary)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// The newest runs of all labs, newest first, and whichever older ones have not ended.
    pub fn recent_runs(&self, limit: u32) -> Result<Vec<RunSummary>, Error> {
        self.with(|connection| {
            let mut statement = connection.prepare(&format!(
                "SELECT {RUN} FROM runs r WHERE r.id IN (SELECT id FROM runs ORDER BY id DESC LIMIT ?1) OR r.status = 'running' \
                 ORDER BY r.id DESC"
            ))?;
            let rows = statement.query_map([limit], run_summary)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// One run.
    pub fn run(&self, run: RunId) -> Result<Option<RunSummary>, Error> {
        self.with(|connection| {
            let query = format!("SELECT {RUN} FROM runs r WHERE r.id = ?1");
            Ok(connection.query_row(&query, [run.0], run_summary).optional()?)
        })
    }

    /// Stores events of runs, in one transaction.
    pub fn append_events<'a>(&self, events: impl IntoIterator<Item = &'a RunEvent>) -> Result<(), Error> {
        self.with(|connection| {
            let tx = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            {
                let mut statement =
                    tx.prepare_cached("INSERT INTO run_events (run_id, seq, at, machine, body) VALUES (?1, ?2, ?3, ?4, ?5)")?;
                for event in events {
                    let body = serde_json::to_string(&event.body).expect("events serialise");
                    statement.execute(params![event.run.0, event.seq, event.at_ms, event.machine, body])?;
                }
            }
            Ok(tx.commit()?)
        })
    }

    /// The events of a run from `seq` on, at most `limit`.
    pub fn events(&self, run: RunId, from_seq: u32, limit: u32) -> Result<Vec<RunEvent>, Error> {
        self.with(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT seq, at, machine, body FROM run_events WHERE run_id = ?1 AND seq >= ?2 ORDER BY seq LIMIT ?3",
            )?;
            let rows = statement.query_map(params![run.0, from_seq, limit], |row| {
                let body: String = row.get(3)?;
                Ok(RunEvent {
                    run,
                    seq: row.get(0)?,
                    at_ms: row.get(1)?,
                    machine: row.get(2)?,
                    body: serde_json::from_str(&body).map_err(|source| {
                        rusqlite::Error::FromSqlConversionFailure(3, rusqlite::types::Type::Text, Box::new(source))
                    })?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    // --- journal ----------------------------------------------------------------------------------------------------

    /// Notes that a step begins or has ended. Durable when it returns: this is what a resumed run trusts.
    pub fn journal(&self, run: RunId, step: &str, state: StepState) -> Result<(), Error> {
        self.with(|connection| {
            connection.execute(
                "INSERT INTO journal (run_id, step, state, at) VALUES (?1, ?2, ?3, ?4)",
                params![run.0, step, state.as_str(), now_ms()],
            )?;
            Ok(())
        })
    }

    /// The journal of a run, oldest first.
    pub fn journal_of(&self, run: RunId) -> Result<Vec<StepRecord>, Error> {
        self.with(|connection| {
            let mut statement = connection.prepare("SELECT step, state, at FROM journal WHERE run_id = ?1 ORDER BY id")?;
            let rows = statement.query_map([run.0], |row| {
                Ok(StepRecord { step: row.get(0)?, state: StepState::from_text(row.get_ref(1)?.as_str()?), at_ms: row.get(2)? })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// When a step was last done by a run of a lab.
    pub fn last_done(&self, lab: &str, step: &str) -> Result<Option<i64>, Error> {
        self.with(|connection| {
            let query = "SELECT max(j.at) FROM journal j JOIN runs r ON r.id = j.run_id \
                         WHERE r.lab = ?1 AND j.step = ?2 AND j.state = 'done'";
            Ok(connection.query_row(query, [lab, step], |row| row.get(0))?)
        })
    }

    // --- images -----------------------------------------------------------------------------------------------------

    /// All images, by name.
    pub fn images(&self) -> Result<Vec<ImageRow>, Error> {
        self.with(|connection| {
            let mut statement = connection
                .prepare("SELECT name, digest, source, virtual_bytes, file_bytes, added_at FROM images ORDER BY name")?;
            let rows = statement.query_map([], |row| {
                Ok(ImageRow {
                    name: row.get(0)?,
                    digest: row.get(1)?,
                    source: row.get(2)?,
                    virtual_bytes: row.get(3)?,
                    file_bytes: row.get(4)?,
                    added_at_ms: row.get(5)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Adds an image, or points its name at a new file.
    pub fn save_image(&self, image: &ImageRow) -> Result<(), Error> {
        self.with(|connection| {
            let tx = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            tx.execute(
                "INSERT INTO images (name, digest, source, virtual_bytes, file_bytes, added_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
                 ON CONFLICT (name) DO UPDATE SET digest = excluded.digest, source = excluded.source, \
                 virtual_bytes = excluded.virtual_bytes, file_bytes = excluded.file_bytes, added_at = excluded.added_at",
                params![image.name, image.digest, image.source, image.virtual_bytes, image.file_bytes, image.added_at_ms],
            )?;
            audit(&tx, "add_image", &image.name, &format!("{} from {}", image.digest, image.source))?;
            Ok(tx.commit()?)
        })
    }

    /// Forgets an image.
    pub fn remove_image(&self, name: &str) -> Result<(), Error> {
        self.with(|connection| {
            let tx = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            tx.execute("DELETE FROM images WHERE name = ?1", [name])?;
            audit(&tx, "remove_image", name, "")?;
            Ok(tx.commit()?)
        })
    }

    // --- hosts ------------------------------------------------------------------------------------------------------

    /// The hosts we know, by name.
    pub fn hosts(&self) -> Result<Vec<HostRow>, Error> {
        self.with(|connection| {
            let mut statement =
                connection.prepare("SELECT name, address, port, user, identity, host_key FROM hosts ORDER BY name")?;
            let rows = statement.query_map([], |row| {
                let address: Option<String> = row.get(1)?;
                let remote = address.map(|address| {
                    Ok::<_, rusqlite::Error>(Remote {
                        address,
                        port: row.get(2)?,
                        user: row.get(3)?,
                        identity: row.get::<_, Option<String>>(4)?.map(PathBuf::from),
                        host_key: row.get(5)?,
                    })
                });
                Ok(HostRow { name: row.get(0)?, remote: remote.transpose()? })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Adds a host that is reached by SSH. False when there is one of that name.
    pub fn add_host(&self, name: &str, remote: &Remote) -> Result<bool, Error> {
        self.with(|connection| {
            let tx = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            let identity = remote.identity.as_ref().map(|path| path.to_string_lossy());
            let added = tx.execute(
                "INSERT INTO hosts (name, added_at, address, port, user, identity, host_key) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
                 ON CONFLICT (name) DO NOTHING",
                params![name, now_ms(), remote.address, remote.port, remote.user, identity, remote.host_key],
            )?;
            if added == 1 {
                audit(&tx, "add_host", name, &remote.to_string())?;
            }
            tx.commit()?;
            Ok(added == 1)
        })
    }

    /// Forgets a host.
    pub fn remove_host(&self, name: &str) -> Result<(), Error> {
        self.with(|connection| {
            let tx = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            tx.execute("DELETE FROM hosts WHERE name = ?1", [name])?;
            audit(&tx, "remove_host", name, "")?;
            Ok(tx.commit()?)
        })
    }

    /// Something measured about a host, if it was measured under the same `basis` (kernel, QEMU version, boot).
    pub fn host_fact(&self, host: &str, fact: &str, basis: &str) -> Result<Option<String>, Error> {
        self.with(|connection| {
            Ok(connection
                .query_row(
                    "SELECT value FROM host_facts WHERE host = ?1 AND fact = ?2 AND basis = ?3",
                    [host, fact, basis],
                    |row| row.get(0),
                )
                .optional()?)
        })
    }

    /// Notes something measured about a host.
    pub fn save_host_fact(&self, host: &str, fact: &str, basis: &str, value: &str) -> Result<(), Error> {
        self.with(|connection| {
            connection.execute(
                "INSERT INTO host_facts (host, fact, basis, value, at) VALUES (?1, ?2, ?3, ?4, ?5) \
                 ON CONFLICT (host, fact) DO UPDATE SET basis = excluded.basis, value = excluded.value, at = excluded.at",
                params![host, fact, basis, value, now_ms()],
            )?;
            Ok(())
        })
    }

    // --- audit ------------------------------------------------------------------------------------------------------

    /// Adds a line to the audit.
    pub fn audit(&self, action: &str, object: &str, detail: &str) -> Result<(), Error> {
        self.with(|connection| {
            let tx = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            audit(&tx, action, object, detail)?;
            Ok(tx.commit()?)
        })
    }

    /// The newest lines of the audit, newest first; with `lab`, those about the lab and its runs; with a `text` that is not empty,
    /// those with it in any column, whatever the case of its letters.
    pub fn audit_rows(&self, lab: Option<&str>, text: &str, limit: u32) -> Result<Vec<AuditRow>, Error> {
        self.with(|connection| {
            let mut statement = connection.prepare(
                "SELECT id, at, who, action, object, detail FROM audit \
                 WHERE (?1 IS NULL OR object = ?1 OR object IN (SELECT 'run ' || id FROM runs WHERE lab = ?1)) \
                 AND instr(lower(id || char(10) || strftime('%Y-%m-%dT%H:%M:%SZ', at / 1000, 'unixepoch') || char(10) || who \
                 || char(10) || action || char(10) || object || char(10) || detail), ?3) > 0 \
                 ORDER BY id DESC LIMIT ?2",
            )?;
            // As SQLite's `lower` has it.
            let rows = statement.query_map(params![lab, limit, text.to_ascii_lowercase()], |row| {
                Ok(AuditRow {
                    line: row.get(0)?,
                    at: rfc3339(row.get(1)?),
                    who: row.get(2)?,
                    action: row.get(3)?,
                    object: row.get(4)?,
                    detail: row.get(5)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    // --- the passphrase ---------------------------------------------------------------------------------------------

    /// The passphrase that opens windows, if there is one.
    pub fn passphrase(&self) -> Result<Option<PassphraseRow>, Error> {
        self.with(|connection| {
            let query = "SELECT hash, idle_minutes FROM passphrase";
            let row = connection.query_row(query, [], |row| Ok(PassphraseRow { hash: row.get(0)?, idle_minutes: row.get(1)? }));
            Ok(row.optional()?)
        })
    }

    /// Sets the passphrase that opens windows, or takes it away.
    pub fn set_passphrase(&self, passphrase: Option<&PassphraseRow>) -> Result<(), Error> {
        self.with(|connection| {
            let tx = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            tx.execute("DELETE FROM passphrase", [])?;
            if let Some(PassphraseRow { hash, idle_minutes }) = passphrase {
                tx.execute("INSERT INTO passphrase (id, hash, idle_minutes) VALUES (1, ?1, ?2)", params![hash, idle_minutes])?;
            }
            audit(&tx, if passphrase.is_some() { "set_lock" } else { "remove_lock" }, "application", "")?;
            Ok(tx.commit()?)
        })
    }
}

impl Open {
    fn connection(&mut self) -> &mut Connection {
        self.connection.as_mut().expect("it is closed last of all")
    }

    /// Whether nobody but us has touched the files.
    fn is_as_left(&self, path: &Path) -> bool {
        let now = Stamp::of(path);
        self.stamp == now || now.is_some() && Seal::read(path).is_some_and(|seal| seal.stamp == now)
    }

    /// Notes outside the database what was committed. `sure`: the files were as we left them before.
    fn note(&mut self, path: &Path, sure: bool) -> Result<(), Error> {
        let connection = self.connection.as_ref().expect("it is closed last of all");
        let (line, head) = integrity::head(connection)?;
        let changes = integrity::changes(connection)?.unwrap_or(0);
        self.stamp = Stamp::of(path).filter(|_| sure);
        let seal = Seal { changes, line, head, stamp: self.stamp };
        if let Err(error) = seal.write(path) {
            log::warn!("could not write {}: {error}", seal::path_of(path).display());
        }
        Ok(())
    }

    /// Closes the database, unless it is closed.
    fn close(&mut self, path: &Path) {
        let Some(connection) = self.connection.take() else { return };
        let ours = self.is_as_left(path);
        // The last one to close moves the journal into the database.
        drop(connection);
        let now = Stamp::of(path);
        if ours
            && let Some(seal) = Seal::read(path)
            && seal.stamp != now
        {
            let _ = Seal { stamp: now, ..seal }.write(path); // if it fails, everything is read next time
        }
        self.lock = None;
    }

    /// Makes a copy when there is none of today. One that cannot be made stops nobody, unless it is for the database's sake.
    fn copy_daily(&mut self, path: &Path) -> Result<(), Error> {
        let connection = self.connection.as_ref().expect("it is closed last of all");
        let today = now_ms() / DAY_MS;
        if self.copied_on != today {
            self.copied_on = today;
            match backups::keep_daily(connection, path) {
                Err(error @ Error::Damaged { .. }) => return Err(error),
                Err(error) => log::warn!("today's copy of the database failed: {}", crate::chain(&error)),
                Ok(()) => {}
            }
        }
        Ok(())
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let (Ok(open), Some(path)) = (self.open.get_mut(), &self.path) {
            open.close(path);
        }
    }
}

/// Lines of the audit as CSV (RFC 4180), in the opposite order.
pub(crate) fn csv(rows: &[AuditRow]) -> String {
    let field = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let mut text = "line,at,who,action,object,detail\r\n".to_owned();
    for row in rows.iter().rev() {
        let texts = [&row.at, &row.who, &row.action, &row.object, &row.detail].map(|text| field(text));
        text += &format!("{},{}\r\n", row.line, texts.join(","));
    }
    text
}

/// Milliseconds of a day.
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Gives errors of SQLite that mean something of ours their name.
fn named(error: Error) -> Error {
    match error {
        Error::Sqlite(error) => match error.sqlite_error() {
            Some(code) if code.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_COMMITHOOK => Error::Unaudited,
            Some(code) if matches!(code.code, rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => {
                Error::Damaged { what: error.to_string() }
            }
            _ => Error::Sqlite(error),
        },
        error => error,
    }
}

/// A lab to save.
#[derive(Debug, Clone, Copy)]
pub struct LabToSave<'a> {
    /// Its name.
    pub name: &'a str,
    /// The lab file's text.
    pub document: &'a str,
    /// The folder that the lab file lies in.
    pub dir: &'a str,
    /// Number of machines, for lists.
    pub machine_count: u32,
    /// Hosts, separated by commas, for lists.
    pub hosts: &'a str,
    /// What its author says of it, for lists.
    pub description: Option<&'a str>,
}

fn lab_row(row: &Row<'_>) -> rusqlite::Result<LabRow> {
    Ok(LabRow {
        id: row.get(0)?,
        name: row.get(1)?,
        revision: row.get(2)?,
        document: row.get(3)?,
        dir: row.get(4)?,
        state: LabState::from_text(row.get_ref(5)?.as_str()?),
        updated_at_ms: row.get(6)?,
        placement: serde_json::from_str(row.get_ref(7)?.as_str()?)
            .map_err(|source| rusqlite::Error::FromSqlConversionFailure(7, rusqlite::types::Type::Text, Box::new(source)))?,
    })
}

fn name_of_lab(connection: &Connection, id: i64) -> rusqlite::Result<String> {
    connection.query_row("SELECT name FROM labs WHERE id = ?1", [id], |row| row.get(0))
}

/// What [`run_summary`] reads of a run `r`, first of all columns.
const RUN: &str = "r.id, r.kind, r.status, r.sentence, r.started_at, r.ended_at, r.revision, r.pid, r.lab";

fn run_summary(row: &Row<'_>) -> rusqlite::Result<RunSummary> {
    Ok(RunSummary {
        lab: row.get(8)?,
        id: RunId(row.get(0)?),
        kind: RunKind::from_text(row.get_ref(1)?.as_str()?),
        status: RunStatus::from_text(row.get_ref(2)?.as_str()?),
        sentence: row.get(3)?,
        started: rfc3339(row.get(4)?),
        ended: row.get::<_, Option<i64>>(5)?.map(rfc3339),
        revision: row.get(6)?,
        pid: row.get(7)?,
    })
}

/// Adds a line to the audit, inside the transaction of the change.
fn audit(connection: &Connection, action: &str, object: &str, detail: &str) -> Result<(), Error> {
    let who = user_name();
    let (last, before) = integrity::head(connection)?;
    let (id, at) = (last + 1, now_ms());
    let hash = integrity::line_hash(&before, id, at, [&who, action, object, detail]);
    connection.execute(
        "INSERT INTO audit (id, at, who, action, object, detail, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![id, at, who, action, object, detail, hash],
    )?;
    Ok(())
}

/// The name of whoever runs us, by the system's list of users and not by what the environment says; the number where it has none.
fn user_name() -> String {
    let id = rustix::process::getuid().as_raw().to_string();
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    // name:password:uid:…
    let mut users = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
    users.find(|fields| fields.get(2) == Some(&id.as_str())).map_or(id.clone(), |fields| fields[0].to_owned())
}

/// Milliseconds since 1970 (UTC).
pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis() as i64)
}

/// A time as people and tools read it, in whole seconds: `2026-11-24T10:20:30Z`.
pub fn rfc3339(ms: i64) -> String {
    jiff::Timestamp::from_second(ms.div_euclid(1000)).map(|time| time.to_string()).unwrap_or_default()
}
