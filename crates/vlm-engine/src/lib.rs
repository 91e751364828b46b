//! The engine of Virtual Lab Manager. [`Engine`] is the only door: its nouns are what a caller can ask for.
//!
//! It knows no window, no terminal and no wording of either; it never prompts. What changes is announced as
//! [`Event::Stale`]; whoever shows something asks again.

pub mod acceleration;
pub mod ansible;
pub mod catalog;
pub mod deploy;
pub mod disk;
pub mod download;
pub mod export;
pub mod hosts;
pub mod images;
pub mod journal;
pub mod labs;
pub mod libvirt;
pub mod lock;
pub mod ports;
pub mod process;
pub mod readiness;
pub mod runs;
pub mod settings;
pub mod ssh;
pub mod store;
pub mod terraform;

use std::{
    collections::HashMap,
    env, fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use crate::{
    deploy::Runs, hosts::Hosts, images::Images, labs::Labs, ports::Ports, runs::RunId, settings::Settings, store::Store,
};

/// Where our files lie.
#[derive(Debug, Clone)]
pub struct Dirs {
    /// The database, images, tools and what is rendered: `$XDG_DATA_HOME/vlm`.
    pub data: PathBuf,
    /// Settings: `$XDG_CONFIG_HOME/vlm`.
    pub config: PathBuf,
}

impl Dirs {
    /// The user's folders, after the XDG base directory specification.
    pub fn of_user() -> Dirs {
        let home = env::var_os("HOME").map(PathBuf::from).unwrap_or_else(|| "/".into());
        // The specification: a relative path in these variables is to be ignored.
        let dir = |variable: &str, default: &str| {
            let set = env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
            set.unwrap_or_else(|| home.join(default)).join("vlm")
        };
        Dirs { data: dir("XDG_DATA_HOME", ".local/share"), config: dir("XDG_CONFIG_HOME", ".config") }
    }

    /// The folder of everything that is rendered and kept for a lab while it is deployed.
    pub fn lab(&self, name: &str) -> PathBuf {
        self.data.join("labs").join(name)
    }
}

/// What a caller may have to read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub enum Resource {
    /// Hosts.
    Hosts,
    /// Labs and their machines.
    Labs,
    /// Runs.
    Runs,
    /// Images.
    Images,
}

/// What the engine announces.
#[derive(Debug, Clone)]
pub enum Event {
    /// Something changed: ask again.
    Stale(Resource),
}

/// Why the engine could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A folder of ours.
    #[error("could not use {}", path.display())]
    Dir {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The database.
    #[error("could not open the database {}", path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// Why.
        source: store::Error,
    },
    /// The settings.
    #[error(transparent)]
    Settings(#[from] settings::Error),
}

/// The engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    dirs: Dirs,
    settings: Settings,
    store: Store,
    events: broadcast::Sender<Event>,
    connections: tokio::sync::Mutex<HashMap<String, libvirt::Connection>>,
    active: Mutex<HashMap<RunId, CancellationToken>>,
}

impl Engine {
    /// Opens the engine on `dirs`, making them where they are missing.
    pub fn open(dirs: Dirs) -> Result<Engine, OpenError> {
        terraform::create_private_dir(&dirs.data).map_err(|source| OpenError::Dir { path: dirs.data.clone(), source })?;
        // Whoever made the folder, such as a set-up that put tools there: keys and the database are the user's alone.
        fs::set_permissions(&dirs.data, fs::Permissions::from_mode(0o700))
            .map_err(|source| OpenError::Dir { path: dirs.data.clone(), source })?;
        let settings = Settings::read(&dirs.config.join("settings.toml"))?;
        let path = dirs.data.join("vlm.sqlite3");
        let store = Store::open(&path).map_err(|source| OpenError::Store { path, source })?;
        let (events, _) = broadcast::channel(256);
        let inner = Inner { dirs, settings, store, events, connections: Default::default(), active: Default::default() };
        Ok(Engine { inner: Arc::new(inner) })
    }

    /// The same engine, with another limit for machines to be ready in.
    pub fn with_ready_limit(self, limit: std::time::Duration) -> Engine {
        let mut inner = Arc::into_inner(self.inner).expect("an engine's limits are set before it is shared");
        inner.settings.ready_limit_s = Some(limit.as_secs());
        Engine { inner: Arc::new(inner) }
    }

    /// What changes, from now on.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.inner.events.subscribe()
    }

    /// Hosts that run machines.
    pub fn hosts(&self) -> Hosts<'_> {
        Hosts { engine: self }
    }

    /// Labs: designs, and what is there of them.
    pub fn labs(&self) -> Labs<'_> {
        Labs { engine: self }
    }

    /// Plans, deploys and their like.
    pub fn runs(&self) -> Runs<'_> {
        Runs { engine: self }
    }

    /// Published ports.
    pub fn ports(&self) -> Ports<'_> {
        Ports { engine: self }
    }

    /// Base images.
    pub fn images(&self) -> Images<'_> {
        Images { engine: self }
    }

    /// The newest lines of the audit, newest first.
    pub fn audit(&self, limit: u32) -> Result<Vec<store::AuditRow>, store::Error> {
        self.inner.store.audit_rows(limit)
    }

    /// Where our files lie.
    pub fn dirs(&self) -> &Dirs {
        &self.inner.dirs
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    pub(crate) fn store(&self) -> &Store {
        &self.inner.store
    }

    pub(crate) fn stale(&self, resource: Resource) {
        let _ = self.inner.events.send(Event::Stale(resource)); // nobody may be listening
    }

    pub(crate) fn active(&self) -> &Mutex<HashMap<RunId, CancellationToken>> {
        &self.inner.active
    }

    /// The open connection to a host, made when it is first needed.
    pub(crate) async fn connection(&self, host: &str) -> Result<libvirt::Connection, libvirt::Error> {
        let mut connections = self.inner.connections.lock().await;
        if let Some(connection) = connections.get(host)
            && connection.is_alive().await
        {
            return Ok(connection.clone());
        }
        let connection = libvirt::Connection::open(&libvirt::Target::LocalSystem).await?;
        connections.insert(host.to_owned(), connection.clone());
        Ok(connection)
    }

    pub(crate) fn tools_dir(&self) -> PathBuf {
        env::var_os("VLM_TOOLS").map_or_else(|| self.inner.dirs.data.join("tools"), PathBuf::from)
    }

    /// terraform or tofu, with the provider's mirror if we have one.
    pub(crate) fn terraform(&self, dir: &Path) -> Result<terraform::Terraform, terraform::Error> {
        let tools = self.tools_dir();
        let program = match (&self.settings().terraform, terraform::Terraform::program_of(dir)) {
            (Some(path), _) if path.is_file() => path.clone(),
            (Some(path), _) => return Err(terraform::Error::NotThere { path: path.clone() }),
            (None, Ok(Some(path))) => path,
            (None, Ok(None)) => {
                terraform::find_program(&["terraform", "tofu"], &tools.join("bin")).ok_or(terraform::Error::Missing)?
            }
            (None, Err(error)) => return Err(error),
        };
        let mirror = Some(tools.join("mirror")).filter(|path| path.is_dir());
        Ok(terraform::Terraform { program, mirror, dir: dir.to_owned() })
    }

    /// ansible-playbook: ours before the system's, whose version we do not know.
    pub(crate) fn ansible(&self, dir: &Path) -> Result<ansible::Ansible, ansible::Error> {
        let ours = self.tools_dir().join("ansible/bin/ansible-playbook");
        let program = match &self.settings().ansible_playbook {
            Some(path) if path.is_file() => path.clone(),
            Some(path) => return Err(ansible::Error::NotThere { path: path.clone() }),
            None if ours.is_file() => ours,
            None => terraform::find_program(&["ansible-playbook"], Path::new("/usr/bin")).ok_or(ansible::Error::Missing)?,
        };
        Ok(ansible::Ansible { program, dir: dir.to_owned() })
    }
}

/// An error with its causes, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        let source_text = source.to_string();
        if !text.contains(&source_text) {
            text = format!("{text}: {source_text}");
        }
        cause = source.source();
    }
    text
}
