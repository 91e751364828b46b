//! Copies of the database: made with SQLite's online backup, verified before older ones go, and put back by `restore`.
//!
//! A copy holds the database and nothing else: designs and their revisions, runs and what they said, hosts, images by name and
//! digest, the audit. It does not hold keys, Terraform states or image files. What is put back never overwrites: the present
//! database is kept beside, under a name with the time.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{
    Connection, OpenFlags, OptionalExtension,
    backup::{Backup, StepResult},
};
use serde::Serialize;

use super::{
    DAY_MS, Error, Seal, Stamp, Store, integrity,
    integrity::is_damage,
    now_ms, rfc3339,
    schema::KNOWN,
    seal::{journal, with_end},
};
use crate::{lock::Lock, terraform::create_private_dir};

/// How many of the newest copies made by ourselves stay in any case.
const NEWEST: usize = 10;
/// For how many days the newest copy of the day stays.
const DAYS: i64 = 14;
/// Names of copies that are not whole yet begin with this.
const COPYING: &str = ".vlm-copy-";
/// Names of folders in which a database is looked at begin with this.
const ASIDE: &str = ".vlm-aside-";

/// Why a copy was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The first change of a day.
    Daily,
    /// A new version of the program was about to change the schema.
    Migration,
    /// Somebody asked for it; it stays until somebody removes it.
    Manual,
}

impl Reason {
    /// The word in names of files and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Daily => "daily",
            Reason::Migration => "migration",
            Reason::Manual => "manual",
        }
    }
}

/// A copy of the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Copy {
    /// The file.
    pub path: PathBuf,
    /// When it was made, RFC 3339 in UTC.
    pub made: String,
    /// Why; none for a file that is not among our copies.
    pub reason: Option<Reason>,
    /// The version of its schema.
    pub version: u32,
    /// Number of the newest line of its audit.
    pub audit_line: u32,
    /// The first 16 hex digits of that line's hash.
    pub audit_head: String,
    /// Its size, in bytes.
    pub bytes: u64,
}

/// What a present database has and a copy has not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Loss {
    /// Labs that the copy does not know.
    pub labs: Vec<String>,
    /// Revisions of designs.
    pub revisions: u32,
    /// Runs.
    pub runs: u32,
    /// Lines of the audit.
    pub audit_lines: u32,
    /// Whether the present database could be read as a whole; if not, more may be lost than could be counted.
    pub known: bool,
}

impl Loss {
    /// Whether nothing would be lost.
    pub fn is_empty(&self) -> bool {
        *self == Loss { known: true, ..Loss::default() }
    }
}

impl std::fmt::Display for Loss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut parts = Vec::new();
        match self.labs.as_slice() {
            [] => {}
            [lab] => parts.push(format!("lab {lab}")),
            labs => parts.push(format!("labs {}", labs.join(", "))),
        }
        for (count, noun) in [(self.revisions, "revision"), (self.runs, "run"), (self.audit_lines, "line")] {
            if count > 0 {
                let of = if noun == "line" { " of the audit" } else { "" };
                parts.push(format!("{count} {noun}{}{of}", if count == 1 { "" } else { "s" }));
            }
        }
        match (parts.is_empty(), self.known) {
            (true, true) => write!(f, "nothing"),
            (true, false) => write!(f, "what is newer than the copy; the present database cannot be read"),
            (false, true) => write!(f, "{}", parts.join(", ")),
            (false, false) => write!(f, "{} and what else of the present database cannot be read", parts.join(", ")),
        }
    }
}

/// The folder that a database lies in.
pub(super) fn folder_of(database: &Path) -> &Path {
    database.parent().unwrap_or(Path::new("."))
}

/// The name of a database's file, which is also the name of its lock.
pub(super) fn name_of(database: &Path) -> String {
    database.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Where copies of a database lie.
pub fn dir_of(database: &Path) -> PathBuf {
    folder_of(database).join("backups")
}

/// The copies among `database`'s, newest first. Files of other names are none of ours.
pub fn list(database: &Path) -> Result<Vec<Copy>, Error> {
    Ok(with_times(database)?.into_iter().map(|(_, copy)| copy).collect())
}

fn with_times(database: &Path) -> Result<Vec<(i64, Copy)>, Error> {
    let dir = dir_of(database);
    let entries = match fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(Error::Copy { path: dir, source }),
    };
    let mut copies: Vec<(i64, Copy)> = entries.flatten().filter_map(|entry| parse(&entry.path())).collect();
    copies.sort_by(|a, b| (b.0, &b.1.path).cmp(&(a.0, &a.1.path)));
    Ok(copies)
}

/// Names say what is in a copy: `vlm-MILLISECONDS-REASON-vVERSION-LINE-HEAD.sqlite3`. So the head of the audit lies outside of
/// the database, too.
fn parse(path: &Path) -> Option<(i64, Copy)> {
    let name = path.file_name()?.to_str()?.strip_prefix("vlm-")?.strip_suffix(".sqlite3")?;
    let [made, reason, version, line, head] = name.split('-').collect::<Vec<_>>().try_into().ok()?;
    let made: i64 = made.parse().ok()?;
    let reason = [Reason::Daily, Reason::Migration, Reason::Manual].into_iter().find(|known| known.as_str() == reason)?;
    let copy = Copy {
        path: path.to_owned(),
        made: rfc3339(made),
        reason: Some(reason),
        version: version.strip_prefix('v')?.parse().ok()?,
        audit_line: line.parse().ok()?,
        audit_head: head.to_owned(),
        bytes: fs::metadata(path).ok()?.len(),
    };
    Some((made, copy))
}

/// Makes a verified copy at `to`, which must not be there yet.
pub(super) fn make(connection: &Connection, to: &Path) -> Result<Copy, Error> {
    let io = |source| Error::Copy { path: to.to_owned(), source };
    let dir = to.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if to.exists() {
        return Err(io(io::ErrorKind::AlreadyExists.into()));
    }
    let made = write(connection, dir, to)?;
    made.0.persist_noclobber(to).map_err(|error| io(error.error))?;
    sync_dir(dir).map_err(io)?;
    Ok(Copy { path: to.to_owned(), ..made.1 })
}

/// Makes a verified copy among those that we keep, then removes old ones.
pub(super) fn keep(connection: &Connection, database: &Path, reason: Reason) -> Result<Copy, Error> {
    let dir = dir_of(database);
    let io = |source| Error::Copy { path: dir.clone(), source };
    create_private_dir(&dir).map_err(io)?;
    let (file, copy) = write(connection, &dir, &dir)?;
    let now = now_ms();
    let name = format!("vlm-{now}-{}-v{}-{}-{}.sqlite3", reason.as_str(), copy.version, copy.audit_line, copy.audit_head);
    let path = dir.join(name);
    file.persist_noclobber(&path).map_err(|error| io(error.error))?;
    sync_dir(&dir).map_err(io)?;
    log::info!("copied the database to {}", path.display());
    prune(database, now)?;
    sweep(&dir);
    Ok(Copy { path, reason: Some(reason), ..copy })
}

/// Makes today's copy, unless there is one.
pub(super) fn keep_daily(connection: &Connection, database: &Path) -> Result<(), Error> {
    let today = now_ms() / DAY_MS;
    let entries = fs::read_dir(dir_of(database)).into_iter().flatten().flatten();
    if entries.filter_map(|entry| parse(&entry.path())).any(|(made, _)| made / DAY_MS == today) {
        return Ok(());
    }
    keep(connection, database, Reason::Daily).map(drop)
}

/// Which copies go: of those made by ourselves, all but the newest ten and the newest of each of the last fourteen days.
fn prune(database: &Path, now: i64) -> Result<(), Error> {
    let mut copies = with_times(database)?;
    copies.retain(|(_, copy)| copy.reason != Some(Reason::Manual));
    let mut days = BTreeSet::new();
    for (index, (made, copy)) in copies.iter().enumerate() {
        let newest_of_day = days.insert(made / DAY_MS);
        if index >= NEWEST && !(newest_of_day && now - made < DAYS * DAY_MS) {
            fs::remove_file(&copy.path).map_err(|source| Error::Copy { path: copy.path.clone(), source })?;
        }
    }
    Ok(())
}

/// Takes away what was left by one who was killed over a copy, an hour ago or more.
fn sweep(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(COPYING) || name.starts_with(ASIDE));
        let age = entry.metadata().and_then(|meta| meta.modified()).map(|time| time.elapsed().unwrap_or_default());
        if ours && age.is_ok_and(|age| age > Duration::from_secs(60 * 60)) {
            let path = entry.path();
            let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }; // the next one tries again
        }
    }
}

/// Copies into a nameless file of `dir`, reads it as a whole, and makes it durable. `shown` stands in errors.
fn write(connection: &Connection, dir: &Path, shown: &Path) -> Result<(tempfile::NamedTempFile, Copy), Error> {
    let io = |source| Error::Copy { path: shown.to_owned(), source };
    let file = tempfile::Builder::new().prefix(COPYING).tempfile_in(dir).map_err(io)?; // its mode is 0600
    {
        let mut copy = Connection::open(file.path())?;
        copy.pragma_update(None, "synchronous", "OFF")?; // one fsync at the end does
        {
            let backup = Backup::new(connection, &mut copy)?;
            while matches!(backup.step(-1)?, StepResult::Busy | StepResult::Locked | StepResult::More) {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        // One file, without a journal beside it.
        copy.pragma_update(None, "journal_mode", "DELETE")?;
    }
    let copy = verified(file.path())?;
    file.as_file().sync_all().map_err(io)?;
    Ok((file, copy))
}

/// Reads a copy as a whole; an error when it is not what was written.
fn verified(path: &Path) -> Result<Copy, Error> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    examined(&connection, path)
}

fn examined(connection: &Connection, path: &Path) -> Result<Copy, Error> {
    if let Some(what) = integrity::damage(connection)? {
        return Err(Error::Damaged { what });
    }
    let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version > KNOWN {
        return Err(Error::TooNew { found: version, known: KNOWN });
    }
    // Before there were sums, lines had no hashes.
    let (line, head) =
        if integrity::changes(connection)?.is_some() { integrity::head(connection)? } else { (0, integrity::NO_HASH.into()) };
    let meta = fs::metadata(path).map_err(|source| Error::Copy { path: path.to_owned(), source })?;
    let made = meta.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    Ok(Copy {
        path: path.to_owned(),
        made: rfc3339(made.map_or(0, |made| made.as_millis() as i64)),
        reason: None,
        version,
        audit_line: line as u32,
        audit_head: head.chars().take(16).collect(),
        bytes: meta.len(),
    })
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    fs::File::open(dir)?.sync_all()
}

/// The newest copy that is good, and what it lacks of the present database.
pub fn last_good(database: &Path) -> Option<(Copy, Loss)> {
    let copies = list(database).ok()?;
    let copy = copies.into_iter().find(|copy| verified(&copy.path).is_ok())?;
    let loss = loss(database, &copy.path).ok()?;
    Some((copy, loss))
}

/// A database opened as a copy of its own, so that nothing done to it reaches the file.
struct Aside {
    connection: Connection,
    _dir: tempfile::TempDir,
}

fn open_aside(path: &Path, scratch: &Path) -> Result<Aside, Error> {
    let io = |source| Error::Copy { path: path.to_owned(), source };
    let dir = tempfile::Builder::new().prefix(ASIDE).tempdir_in(scratch).map_err(io)?; // its mode is 0700
    let to = dir.path().join("database");
    fs::copy(path, &to).map_err(io)?;
    if journal(path).exists() {
        fs::copy(journal(path), journal(&to)).map_err(io)?;
    }
    fs::set_permissions(&to, std::os::unix::fs::PermissionsExt::from_mode(0o600)).map_err(io)?;
    Ok(Aside { connection: Connection::open(to)?, _dir: dir })
}

/// What the copy lacks of what can be read of the database.
fn loss(database: &Path, copy: &Path) -> Result<Loss, Error> {
    let scratch = folder_of(database);
    let copied = open_aside(copy, scratch)?;
    if !database.exists() {
        return Ok(Loss::default());
    }
    let present = open_aside(database, scratch)?;
    let sound = integrity::damage(&present.connection).is_ok_and(|damage| damage.is_none())
        && Seal::read(database).is_none_or(|seal| matches!(integrity::cut_off(&present.connection, &seal), Ok(None)));
    let mut loss = Loss { known: sound, ..Loss::default() };
    let mut lacking = |sql: &str| {
        let (there, whole) = keys(&present.connection, sql);
        loss.known &= whole;
        let (here, _) = keys(&copied.connection, sql);
        there.into_iter().filter(|key| !here.contains(key)).collect::<Vec<_>>()
    };
    let labs = lacking("SELECT name FROM labs");
    let revisions = lacking("SELECT lab_id || ' ' || revision || ' ' || saved_at FROM lab_revisions").len() as u32;
    let runs = lacking("SELECT id || ' ' || lab || ' ' || started_at FROM runs").len() as u32;
    let audit_lines = lacking("SELECT id || ' ' || at || ' ' || action || ' ' || object FROM audit").len() as u32;
    Ok(Loss { labs, revisions, runs, audit_lines, ..loss })
}

/// The keys that a statement yields up to where the database can be read, and whether that was its end.
fn keys(connection: &Connection, sql: &str) -> (BTreeSet<String>, bool) {
    let mut found = BTreeSet::new();
    let mut read = || -> rusqlite::Result<()> {
        let mut statement = connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            found.insert(row.get(0)?);
        }
        Ok(())
    };
    let whole = read().is_ok();
    (found, whole)
}

/// A restore that was looked into and can be done. While it lives, nobody else opens the database.
pub struct Restore {
    database: PathBuf,
    source: Aside,
    /// The copy to be put back.
    pub copy: Copy,
    /// What is lost by that.
    pub loss: Loss,
    lock: Lock,
    labs: Vec<Lock>,
}

impl Restore {
    /// Looks into a restore of `database` from the file `from`, or from the newest copy that is good.
    pub fn prepare(database: &Path, from: Option<&Path>) -> Result<Restore, Error> {
        let dir = folder_of(database);
        create_private_dir(dir).map_err(|source| Error::Copy { path: dir.to_owned(), source })?;
        let lock = Lock::alone(dir, &name_of(database))?;
        sweep(dir);
        let labs = lab_locks(&dir.join("locks"))?;
        let from = match from {
            Some(from) => from.to_owned(),
            None => match list(database)?.into_iter().find(|copy| verified(&copy.path).is_ok()) {
                Some(copy) => copy.path,
                None => return Err(Error::Copy { path: dir_of(database), source: io::ErrorKind::NotFound.into() }),
            },
        };
        if fs::metadata(&from).map_err(|source| Error::Copy { path: from.clone(), source })?.len() == 0 {
            return Err(Error::Damaged { what: "the file is empty".into() });
        }
        let source = open_aside(&from, dir)?;
        let examined = examined(&source.connection, &from).map_err(|error| match error {
            Error::Sqlite(error) if is_damage(&error) => Error::Damaged { what: error.to_string() },
            error => error,
        })?;
        if examined.version == 0 {
            return Err(Error::Damaged { what: "the file is no database of ours".into() });
        }
        let copy = parse(&from).map_or(examined, |(_, copy)| copy);
        let loss = loss(database, &from)?;
        Ok(Restore { database: database.to_owned(), source, copy, loss, lock, labs })
    }

    /// Puts the copy in the database's place. Returns where what was there is kept; none when nothing was there.
    pub fn carry_out(self) -> Result<Option<PathBuf>, Error> {
        let Restore { database, source, copy, lock, labs, .. } = self;
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::Copy { path, source }
        };
        let (file, _) = write(&source.connection, folder_of(&database), &database)?;
        let time = rfc3339(now_ms()).replace([':', '-'], "");
        let kept = (0..).map(|n| {
            with_end(&database, &format!(".before-restore-{time}{}", if n == 0 { String::new() } else { format!("-{n}") }))
        });
        let kept = kept.into_iter().find(|path| !path.exists()).expect("some name is free");
        // In this order: whenever we are cut off, what is there is the old database or the new one, or one whose journal lies
        // aside, which its seal tells.
        let was_there = database.exists();
        if was_there {
            // Where the file system knows no links, a copy does.
            fs::hard_link(&database, &kept).or_else(|_| fs::copy(&database, &kept).map(drop)).map_err(io(&kept))?;
        }
        if journal(&database).exists() {
            fs::rename(journal(&database), journal(&kept)).map_err(io(&kept))?;
        }
        let _ = fs::remove_file(with_end(&database, "-shm")); // SQLite's index of the journal; made anew
        file.persist(&database).map_err(|error| io(&database)(error.error))?;
        let (line, head) = match integrity::changes(&source.connection)? {
            Some(_) => integrity::head(&source.connection)?,
            None => (0, integrity::NO_HASH.to_owned()),
        };
        let changes = integrity::changes(&source.connection)?.unwrap_or(0);
        let stamp = Stamp::of(&database);
        if changes > 0 {
            Seal { changes, line, head, stamp }.write(&database).map_err(io(&database))?;
        } else {
            let _ = fs::remove_file(super::seal::path_of(&database)); // older than seals
        }
        sync_dir(folder_of(&database)).map_err(io(&database))?;
        drop((lock, labs));
        let store = Store::open(&database)?;
        let beside = if was_there { format!("; the one before is kept as {}", name_of(&kept)) } else { String::new() };
        store.audit("restore", "database", &format!("from {}{beside}", copy.path.display()))?;
        log::info!("restored the database from {}{beside}", copy.path.display());
        Ok(was_there.then_some(kept))
    }
}

/// Takes the locks of all labs, or says which lab is being changed and by whom.
fn lab_locks(dir: &Path) -> Result<Vec<Lock>, Error> {
    let names = fs::read_dir(dir).into_iter().flatten().flatten();
    let names = names.filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".lock")?.to_owned()));
    names.map(|name| Ok(Lock::take(dir, &name)?)).collect()
}

/// What somebody finds who checks the audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditCheck {
    /// How many lines there are.
    pub lines: u32,
    /// The first that does not fit; none when all do.
    pub misfit: Option<integrity::Misfit>,
}

/// Follows the audit's chain through the whole database, and holds it against what lies outside: the seal, and the names of the
/// copies. Works on a database that does not open, as far as it can be read.
pub fn check_audit(database: &Path) -> Result<AuditCheck, Error> {
    let io = |source| Error::Copy { path: database.to_owned(), source };
    fs::metadata(database).map_err(io)?;
    // Before the database: neither ever knows more than what is read after it.
    let seal = Seal::read(database);
    let copies = with_times(database)?;
    let aside = open_aside(database, folder_of(database))?;
    let connection = &aside.connection;
    if integrity::changes(connection)?.is_none() {
        return Ok(AuditCheck { lines: 0, misfit: None }); // older than the chain; opening brings it up to date
    }
    let lines: u32 = connection.query_row("SELECT count(*) FROM audit", [], |row| row.get(0))?;
    let mut misfit = integrity::first_misfit(connection)?;
    // Since a restore, copies made before it may know lines that it left behind.
    let mut statement = connection.prepare("SELECT id, at FROM audit WHERE action = 'restore' AND object = 'database'")?;
    let restores: Vec<(i64, i64)> = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    let left_behind = |made: i64, line: i64| restores.iter().any(|(id, at)| made <= *at && line >= *id);
    let known = copies
        .iter()
        .map(|(made, copy)| (*made, i64::from(copy.audit_line), &copy.audit_head, copy.path.display().to_string()));
    let known = known.filter(|(made, line, ..)| !left_behind(*made, *line)).map(|(_, line, head, place)| (line, head, place));
    let sealed = seal.iter().map(|seal| (seal.line, &seal.head, "the seal beside the database".to_owned()));
    for (id, head, place) in sealed.chain(known).filter(|(id, ..)| *id > 0) {
        let hash: Option<String> =
            connection.query_row("SELECT hash FROM audit WHERE id = ?1", [id], |row| row.get(0)).optional()?;
        let what = match hash {
            Some(hash) if hash.starts_with(head.as_str()) => continue,
            Some(_) => format!("is another one than {place} knows"),
            None => format!("is gone; {place} knows it"),
        };
        if misfit.as_ref().is_none_or(|known| id < known.id) {
            misfit = Some(integrity::Misfit { id, what });
        }
    }
    Ok(AuditCheck { lines, misfit })
}
