//! Settings of the user, in `settings.toml`. All have defaults; unknown ones are refused by name, so that a slip is seen.

use std::{
    fs, io,
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use toml_edit::{DocumentMut, Value};

use crate::{
    logs,
    terraform::{create_private_dir, write_private},
};

/// The settings.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// terraform or tofu, where it is not on PATH.
    pub terraform: Option<PathBuf>,
    /// ansible-playbook, where ours is not wanted.
    pub ansible_playbook: Option<PathBuf>,
    /// Name of the storage pool on hosts; `vlm` unless said otherwise.
    pub pool: Option<String>,
    /// Folder of that pool on hosts, if it must be made; `/var/lib/libvirt/images/vlm` unless said otherwise.
    pub pool_path: Option<PathBuf>,
    /// How many machines may be coming up at once.
    pub starts_at_once: Option<NonZeroUsize>,
    /// How long a machine may take to be ready, in seconds.
    pub ready_limit_s: Option<u64>,
    /// How much is logged: `off`, `error`, `warn`, `info`, `debug` or `trace`; `info` unless said otherwise. The variable
    /// VLM_LOG goes before it.
    #[serde(deserialize_with = "log_level")]
    #[serde(default)]
    pub log: Option<log::LevelFilter>,
}

/// Why the settings could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file.
    #[error("could not read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file, to be written.
    #[error("could not write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What somebody wants to set, in a sentence.
    #[error("{0}")]
    Value(String),
    /// Its text.
    #[error("{}:{line}:{column}: {message}", path.display())]
    Text {
        /// The file.
        path: PathBuf,
        /// Where, from 1.
        line: usize,
        /// Where, from 1, in characters.
        column: usize,
        /// What is wrong.
        message: String,
    },
}

/// The settings as people read and write them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct AppSettings {
    /// terraform or tofu, where it is not on PATH.
    pub terraform: Option<String>,
    /// ansible-playbook, where ours is not wanted.
    pub ansible_playbook: Option<String>,
    /// Name of the storage pool on hosts.
    pub pool: Option<String>,
    /// Folder of that pool on hosts, if it must be made.
    pub pool_path: Option<String>,
    /// How many machines may be coming up at once.
    pub starts_at_once: Option<u32>,
    /// How long a machine may take to be ready, in seconds.
    pub ready_limit_s: Option<u32>,
    /// How much is logged.
    pub log: Option<String>,
    /// The file.
    pub path: String,
}

impl AppSettings {
    /// Reads the file; none means that nothing is set.
    pub fn read(path: &Path) -> Result<AppSettings, Error> {
        let settings = Settings::read(path)?;
        let text = |path: Option<PathBuf>| path.map(|path| path.display().to_string());
        Ok(AppSettings {
            terraform: text(settings.terraform),
            ansible_playbook: text(settings.ansible_playbook),
            pool: settings.pool,
            pool_path: text(settings.pool_path),
            starts_at_once: settings.starts_at_once.map(|count| count.get() as u32),
            ready_limit_s: settings.ready_limit_s.map(|limit| limit as u32),
            log: settings.log.map(|level| level.to_string().to_lowercase()),
            path: path.display().to_string(),
        })
    }

    /// Writes what differs into the file, and leaves its comments and order alone. Returns the names of what was changed.
    pub fn write(&self, path: &Path) -> Result<Vec<&'static str>, Error> {
        if let Some(wrong) = self.wrong() {
            return Err(Error::Value(wrong));
        }
        let before = AppSettings::read(path)?;
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(Error::Read { path: path.to_owned(), source }),
        };
        let mut document: DocumentMut = text.parse().expect("it was read before");
        let mut changed = Vec::new();
        for ((name, now), (_, then)) in self.values().into_iter().zip(before.values()) {
            if now == then {
                continue;
            }
            changed.push(name);
            match now {
                None => drop(document.remove(name)),
                Some(now) => {
                    let mut value = match now {
                        Set::Text(text) => Value::from(text),
                        Set::Number(number) => Value::from(i64::from(number)),
                    };
                    match document.get_mut(name).and_then(|item| item.as_value_mut()) {
                        Some(old) => {
                            // The comment behind it is its decoration.
                            *value.decor_mut() = old.decor().clone();
                            *old = value;
                        }
                        None => drop(document.insert(name, value.into())),
                    }
                }
            }
        }
        if changed.is_empty() {
            return Ok(changed);
        }
        let io = |source| Error::Write { path: path.to_owned(), source };
        create_private_dir(path.parent().expect("it lies in a folder")).map_err(io)?;
        // Some keep their settings elsewhere, and a link here.
        let to = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        write_private(&to, document.to_string()).map_err(io)?;
        Ok(changed)
    }

    fn values(&self) -> [(&'static str, Option<Set>); 7] {
        let text = |value: &Option<String>| value.clone().map(Set::Text);
        let number = |value: Option<u32>| value.map(Set::Number);
        [
            ("terraform", text(&self.terraform)),
            ("ansible_playbook", text(&self.ansible_playbook)),
            ("pool", text(&self.pool)),
            ("pool_path", text(&self.pool_path)),
            ("starts_at_once", number(self.starts_at_once)),
            ("ready_limit_s", number(self.ready_limit_s)),
            ("log", text(&self.log)),
        ]
    }

    /// What cannot be set, in a sentence.
    fn wrong(&self) -> Option<String> {
        for (name, path) in
            [("terraform", &self.terraform), ("ansible_playbook", &self.ansible_playbook), ("pool_path", &self.pool_path)]
        {
            if let Some(path) = path.as_deref().filter(|path| !Path::new(path).is_absolute()) {
                return Some(format!("`{path}` is no full path; begin `{name}` with /"));
            }
        }
        let plain = |pool: &str| !pool.is_empty() && pool.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        if let Some(pool) = self.pool.as_deref().filter(|pool| !plain(pool)) {
            return Some(format!("`{pool}` is no name for a pool; use letters, digits, dots, hyphens and underscores"));
        }
        if self.starts_at_once == Some(0) {
            return Some("`starts_at_once` is 0, and no machine would ever start; write 1 or more".into());
        }
        if let Some(word) = self.log.as_deref().filter(|word| logs::level(word).is_none()) {
            return Some(format!("`{word}` is no level: off, error, warn, info, debug or trace"));
        }
        None
    }
}

/// A value that is set.
#[derive(PartialEq)]
enum Set {
    Text(String),
    Number(u32),
}

impl Settings {
    /// Reads the file; none means defaults.
    pub fn read(path: &Path) -> Result<Settings, Error> {
        match fs::read_to_string(path) {
            Ok(text) => toml::from_str(&text).map_err(|error| {
                let (line, column) = place(&text, error.span().unwrap_or_default().start);
                Error::Text { path: path.to_owned(), line, column, message: in_a_line(&error) }
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Settings::default()),
            Err(source) => Err(Error::Read { path: path.to_owned(), source }),
        }
    }

    /// How much is logged. A VLM_LOG that is no level counts as none.
    pub fn log_level(&self) -> log::LevelFilter {
        let variable = std::env::var("VLM_LOG").ok().and_then(|word| logs::level(&word));
        variable.or(self.log).unwrap_or(log::LevelFilter::Info)
    }

    /// Name of the storage pool.
    pub fn pool(&self) -> &str {
        self.pool.as_deref().unwrap_or("vlm")
    }

    /// Folder of the storage pool.
    pub fn pool_path(&self) -> &Path {
        self.pool_path.as_deref().unwrap_or(Path::new("/var/lib/libvirt/images/vlm"))
    }
}

/// The line and the column, from 1, of the byte `at`.
pub(crate) fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or_default();
    (before.matches('\n').count() + 1, before.rsplit('\n').next().unwrap_or_default().chars().count() + 1)
}

/// The parser's words in one line.
pub(crate) fn in_a_line(error: &toml::de::Error) -> String {
    error.message().trim().replace('\n', ", ")
}

fn log_level<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<log::LevelFilter>, D::Error> {
    let word = String::deserialize(deserializer)?;
    let level = logs::level(&word);
    level.map(Some).ok_or_else(|| D::Error::custom(format!("`{word}` is no level: off, error, warn, info, debug or trace")))
}
