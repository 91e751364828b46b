//! Our own log, for whoever has to find out later what happened: `$XDG_STATE_HOME/vlm/vlm.log`.
//!
//! Several processes write to one file: each line is opened for appending and written in one call, so lines never mix and a
//! file that was rotated in between is no trouble. No secret goes in: values are redacted where they are kept (`secrets.rs`),
//! arguments are cut by [`words`], and of programs only names and arguments without values are told. A log that cannot be
//! written stops nobody.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::{fd::AsFd, unix::fs::OpenOptionsExt},
    path::{Path, PathBuf},
    sync::OnceLock,
};

use log::{LevelFilter, Log, Metadata, Record};

use crate::terraform::create_private_dir;

/// Size at which a log is put aside, in bytes.
const FULL: u64 = 1 << 20;
/// How many logs that were put aside stay.
const KEPT: u32 = 5;

/// The file, for whoever is started first in this process.
static LOG: OnceLock<Target> = OnceLock::new();

#[derive(Debug)]
struct Target {
    path: PathBuf,
    ours: LevelFilter,
}

/// Begins to log to `vlm.log` in the folder `state`. The first call in a process counts.
pub(crate) fn start(state: &Path, level: LevelFilter) {
    if level == LevelFilter::Off || LOG.get().is_some() {
        return;
    }
    let log = LOG.get_or_init(|| Target { path: state.join("vlm.log"), ours: level });
    // Somebody else's logger stays, such as a test's.
    if log::set_logger(log).is_ok() {
        log::set_max_level(level);
    }
}

/// A level by its name; none for a word that is none.
pub fn level(word: &str) -> Option<LevelFilter> {
    word.parse().ok()
}

impl Log for Target {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Libraries may print what they send and receive: of them only what went wrong.
        let limit = if metadata.target().starts_with("vlm") { self.ours } else { self.ours.min(LevelFilter::Warn) };
        metadata.level() <= limit
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let _ = append(&self.path, &line(record)); // there is nobody to tell
        }
    }

    fn flush(&self) {}
}

/// `2026-11-25T10:20:30.123Z info  4711 store: words`
fn line(record: &Record<'_>) -> String {
    let ms = crate::store::now_ms();
    let seconds = crate::store::rfc3339(ms);
    let time = format!("{}.{:03}Z", seconds.trim_end_matches('Z'), ms.rem_euclid(1000));
    let module = record.target().trim_start_matches("vlm_engine::");
    let level = record.level().as_str().to_lowercase();
    // A record is a line, whatever it says.
    let words = record.args().to_string().replace('\n', "\\n").replace('\r', "\\r");
    format!("{time} {level:<5} {} {module}: {words}\n", std::process::id())
}

fn append(path: &Path, line: &str) -> io::Result<()> {
    let open = || File::options().append(true).create(true).mode(0o600).open(path);
    let mut file = open().or_else(|_| {
        create_private_dir(path.parent().unwrap_or(Path::new("/")))?;
        open()
    })?;
    file.write_all(line.as_bytes())?;
    if file.metadata()?.len() > FULL {
        rotate(path)?;
    }
    Ok(())
}

/// Puts the log aside as `vlm.log.1`, the one before as `vlm.log.2`, and so on. One process does it; others go on writing.
fn rotate(path: &Path) -> io::Result<()> {
    let numbered = |n: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{n}"));
        PathBuf::from(name)
    };
    let lock = File::options().write(true).create(true).truncate(false).mode(0o600).open(path.with_extension("log.lock"))?;
    if rustix::fs::flock(lock.as_fd(), rustix::fs::FlockOperation::NonBlockingLockExclusive).is_err() {
        return Ok(()); // somebody is at it
    }
    // It may be gone: somebody was faster, and nobody has written since.
    if !fs::metadata(path).is_ok_and(|log| log.len() > FULL) {
        return Ok(());
    }
    for n in (1..KEPT).rev() {
        match fs::rename(numbered(n), numbered(n + 1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::rename(path, numbered(1))
}

/// Arguments as they may stand in a log: without user, password and query of addresses, and without what follows `--`, which
/// is somebody's own command.
pub fn words<S: AsRef<str>>(args: impl IntoIterator<Item = S>) -> String {
    let mut words = Vec::new();
    for arg in args {
        let arg = arg.as_ref();
        words.push(redacted(arg));
        if arg == "--" {
            words.push("…".into());
            break;
        }
    }
    words.join(" ")
}

fn redacted(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else { return word.to_owned() };
    let rest = rest.split_once(['?', '#']).map_or(rest.to_owned(), |(before, _)| format!("{before}?…"));
    let (authority, path) = rest.split_once('/').map_or((rest.as_str(), None), |(authority, path)| (authority, Some(path)));
    let authority = authority.rsplit_once('@').map_or(authority.to_owned(), |(_, host)| format!("…@{host}"));
    format!("{scheme}://{authority}{}", path.map_or(String::new(), |path| format!("/{path}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_told_without_secrets() {
        for (args, expected) in [
            (&["up", "hello", "--yes"][..], "up hello --yes"),
            (&["ssh", "hello/web", "--", "mysql", "-psecret"], "ssh hello/web -- …"),
            (&["image", "add", "a", "https://ada:pw@host/x?sig=abc#f"], "image add a https://…@host/x?…"),
            (&["https://host"], "https://host"),
            (&["https://host?token=1"], "https://host?…"),
            (&["https://a:b/c@host/x"], "https://a:b/c@host/x"), // no password may hold a bare slash: this is a path
        ] {
            assert_eq!(words(args), expected);
        }
    }

    #[test]
    fn a_full_log_is_put_aside_by_one_of_many_and_no_line_is_lost_or_torn() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state/vlm.log");
        let line = |writer: usize, n: usize| format!("{writer} {n} {}\n", "x".repeat(200));
        std::thread::scope(|scope| {
            for writer in 0..8 {
                let path = &path;
                scope.spawn(move || (0..1500).for_each(|n| append(path, &line(writer, n)).unwrap()));
            }
        });
        let mut seen = Vec::new();
        for entry in fs::read_dir(path.parent().unwrap()).unwrap().flatten() {
            assert_eq!(std::os::unix::fs::MetadataExt::mode(&entry.metadata().unwrap()) & 0o777, 0o600, "{entry:?}");
            seen.extend(fs::read_to_string(entry.path()).unwrap().lines().map(|line| format!("{line}\n")));
        }
        let mut expected: Vec<String> =
            (0..8).flat_map(|writer| (0..1500).map(move |n| (writer, n))).map(|(w, n)| line(w, n)).collect();
        seen.sort();
        expected.sort();
        assert!(seen == expected, "{} lines of {}", seen.len(), expected.len());
        assert!(path.with_extension("log.1").exists());
    }

    #[test]
    fn the_oldest_log_goes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("vlm.log");
        for n in 0..8 {
            fs::write(&path, format!("{n}{}", "x".repeat(FULL as usize))).unwrap();
            rotate(&path).unwrap();
        }
        let first = |n: u32| fs::read(dir.path().join(format!("vlm.log.{n}"))).unwrap()[0];
        assert_eq!((1..=KEPT).map(first).collect::<Vec<_>>(), b"76543");
        assert!(!dir.path().join("vlm.log.6").exists());
    }
}
