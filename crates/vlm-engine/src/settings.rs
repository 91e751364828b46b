//! Settings of the user, in `settings.toml`. All have defaults; unknown ones are refused by name, so that a slip is seen.

use std::{
    fs, io,
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Deserializer, de::Error as _};

use crate::logs;

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
