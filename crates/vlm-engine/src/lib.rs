//! The engine of Virtual Lab Manager. [`Engine`] is the only door: its nouns are what a caller can ask for.
//!
//! It knows no window, no terminal and no wording of either; it never prompts. What changes is announced as
//! [`Event::Stale`]; whoever shows something asks again.

pub mod acceleration;
pub mod adopt;
pub mod ansible;
pub mod catalog;
pub mod deploy;
pub mod disk;
pub mod doctor;
pub mod download;
pub mod export;
pub mod failures;
pub mod hosts;
pub mod images;
pub mod journal;
pub mod labs;
pub mod libvirt;
pub mod lock;
pub mod logs;
pub mod machines;
pub mod meters;
pub mod passphrase;
mod picture;
pub mod ports;
pub mod process;
pub mod readiness;
pub mod runs;
pub mod secrets;
pub mod settings;
mod site;
pub mod ssh;
pub mod store;
pub mod templates;
pub mod terraform;
pub mod tools;

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
    deploy::Runs,
    doctor::Doctor,
    hosts::Hosts,
    images::Images,
    labs::Labs,
    machines::Machines,
    passphrase::Passphrase,
    ports::Ports,
    runs::RunId,
    settings::{AppSettings, Settings},
    ssh::ask::Asker,
    store::Store,
    templates::Templates,
    tools::Tools,
};

/// Where our files lie.
#[derive(Debug, Clone)]
pub struct Dirs {
    /// The database, images, tools and what is rendered: `$XDG_DATA_HOME/vlm`.
    pub data: PathBuf,
    /// Settings: `$XDG_CONFIG_HOME/vlm`.
    pub config: PathBuf,
    /// Logs: `$XDG_STATE_HOME/vlm`.
    pub state: PathBuf,
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
        Dirs {
            data: dir("XDG_DATA_HOME", ".local/share"),
            config: dir("XDG_CONFIG_HOME", ".config"),
            state: dir("XDG_STATE_HOME", ".local/state"),
        }
    }

    /// The database.
    pub fn database(&self) -> PathBuf {
        self.data.join("vlm.sqlite3")
    }

    /// The folder of a lab that was designed here, and not read from a file somewhere.
    pub fn design(&self, name: &str) -> PathBuf {
        self.data.join("designs").join(name)
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
    /// Settings.
    Settings,
    /// The audit.
    Activity,
}

impl Resource {
    /// All of them.
    pub const ALL: [Resource; 6] =
        [Resource::Hosts, Resource::Labs, Resource::Runs, Resource::Images, Resource::Settings, Resource::Activity];
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
    /// The database does not hold what was written to it. It is left as it is.
    #[error("the database {} is damaged: {what}; {}", path.display(), offer(copy))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        what: String,
        /// The newest copy that is good, and what it lacks of the database; none when there is no such copy.
        copy: Option<Box<(store::backups::Copy, store::backups::Loss)>>,
    },
    /// The settings.
    #[error(transparent)]
    Settings(#[from] settings::Error),
}

fn offer(copy: &Option<Box<(store::backups::Copy, store::backups::Loss)>>) -> String {
    match copy.as_deref() {
        Some((copy, loss)) => {
            let path = copy.path.display();
            format!("`vlm restore last` puts back the copy of {} ({path}); what would be lost: {loss}", copy.made)
        }
        None => "there is no good copy of it; `vlm restore FILE` takes one from elsewhere".into(),
    }
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
    secrets: secrets::Secrets,
    events: broadcast::Sender<Event>,
    hosts: Mutex<HashMap<String, Arc<hosts::Host>>>,
    active: Mutex<HashMap<RunId, CancellationToken>>,
    asker: Asker,
    meters: meters::Meters,
}

impl Engine {
    /// Opens the engine on `dirs`, making them where they are missing.
    pub fn open(dirs: Dirs) -> Result<Engine, OpenError> {
        terraform::create_private_dir(&dirs.data).map_err(|source| OpenError::Dir { path: dirs.data.clone(), source })?;
        // Whoever made the folder, such as a set-up that put tools there: keys and the database are the user's alone.
        fs::set_permissions(&dirs.data, fs::Permissions::from_mode(0o700))
            .map_err(|source| OpenError::Dir { path: dirs.data.clone(), source })?;
        let settings = Settings::read(&dirs.config.join("settings.toml"))?;
        logs::start(&dirs.state, settings.log_level());
        if let Ok(word) = env::var("VLM_LOG")
            && logs::level(&word).is_none()
        {
            log::warn!("VLM_LOG is `{word}`, which is no level: off, error, warn, info, debug or trace");
        }
        log::info!("vlm {} opened on {}: {}", env!("CARGO_PKG_VERSION"), dirs.data.display(), logs::words(env::args()));
        let path = dirs.database();
        let store = Store::open(&path).map_err(|error| match error {
            store::Error::Damaged { what } => {
                log::error!("the database is damaged: {what}");
                OpenError::Damaged { copy: store::backups::last_good(&path).map(Box::new), path, what }
            }
            source => OpenError::Store { path, source },
        })?;
        let (events, _) = broadcast::channel(256);
        let secrets = secrets::Secrets::of_user();
        let inner = Inner {
            dirs,
            settings,
            store,
            events,
            hosts: Default::default(),
            active: Default::default(),
            asker: Asker::new(hosts::Remembering { secrets: secrets.clone(), asker: Asker::default() }),
            secrets,
            meters: Default::default(),
        };
        Ok(Engine { inner: Arc::new(inner) })
    }

    /// The same engine, with another limit for machines to be ready in.
    pub fn with_ready_limit(self, limit: std::time::Duration) -> Engine {
        let mut inner = Arc::into_inner(self.inner).expect("an engine's limits are set before it is shared");
        inner.settings.ready_limit_s = Some(limit.as_secs());
        Engine { inner: Arc::new(inner) }
    }

    /// The same engine, with somebody who can be asked for passwords and about keys.
    pub fn with_asker(self, asker: Asker) -> Engine {
        let mut inner = Arc::into_inner(self.inner).expect("an engine's asker is set before it is shared");
        inner.asker = Asker::new(hosts::Remembering { secrets: inner.secrets.clone(), asker });
        Engine { inner: Arc::new(inner) }
    }

    pub(crate) fn asker(&self) -> &Asker {
        &self.inner.asker
    }

    /// What changes, from now on.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.inner.events.subscribe()
    }

    pub(crate) fn event_sender(&self) -> broadcast::Sender<Event> {
        self.inner.events.clone()
    }

    /// Hosts that run machines.
    pub fn hosts(&self) -> Hosts<'_> {
        Hosts { engine: self }
    }

    /// What stands in the way of labs on a host.
    pub fn doctor(&self) -> Doctor<'_> {
        Doctor { engine: self }
    }

    /// Labs: designs, and what is there of them.
    pub fn labs(&self) -> Labs<'_> {
        Labs { engine: self }
    }

    /// Machines of labs, one by one.
    pub fn machines(&self) -> Machines<'_> {
        Machines { engine: self }
    }

    /// The passphrase that opens windows.
    pub fn passphrase(&self) -> Passphrase<'_> {
        Passphrase { engine: self }
    }

    pub(crate) fn meters(&self) -> &meters::Meters {
        &self.inner.meters
    }

    /// Plans, deploys and their like.
    pub fn runs(&self) -> Runs<'_> {
        Runs { engine: self }
    }

    /// Published ports.
    pub fn ports(&self) -> Ports<'_> {
        Ports { engine: self }
    }

    /// Templates of labs.
    pub fn templates(&self) -> Templates<'_> {
        Templates { engine: self }
    }

    /// Base images.
    pub fn images(&self) -> Images<'_> {
        Images { engine: self }
    }

    /// The programs that labs need.
    pub fn tools(&self) -> Tools<'_> {
        Tools { engine: self }
    }

    /// The newest lines of the audit, newest first: with `lab`, those about the lab and its runs; with a `text`, those that have it.
    pub fn audit(&self, lab: Option<&str>, text: &str, limit: u32) -> Result<Vec<store::AuditRow>, store::Error> {
        self.inner.store.audit_rows(lab, text, limit)
    }

    /// Writes the whole audit into a file, as CSV (RFC 4180), oldest line first.
    pub fn export_audit(&self, to: &Path) -> Result<(), store::Error> {
        let rows = self.inner.store.audit_rows(None, "", u32::MAX)?;
        let text = store::csv(&rows);
        terraform::write_private(to, text).map(drop).map_err(|source| store::Error::Copy { path: to.to_owned(), source })
    }

    /// Puts one of our copies of the database in its place. Returns where the present one is kept. Everything that was read from
    /// the database is out of date then; whoever shows something does best to start again.
    pub fn restore(&self, copy: &Path) -> Result<Option<PathBuf>, store::Error> {
        if !self.active().lock().expect("no panic while runs are noted").is_empty() {
            return Err(store::Error::RunAtWork);
        }
        let kept = self.inner.store.restore(copy);
        for resource in Resource::ALL {
            self.stale(resource);
        }
        kept
    }

    /// Makes a verified copy of the database: at `to`, which must not be there yet, or among the copies that we keep.
    pub fn backup(&self, to: Option<&Path>) -> Result<store::backups::Copy, store::Error> {
        self.inner.store.copy(to)
    }

    /// Passwords and passphrases.
    pub fn secrets(&self) -> &secrets::Secrets {
        &self.inner.secrets
    }

    /// Where our files lie.
    pub fn dirs(&self) -> &Dirs {
        &self.inner.dirs
    }

    /// The settings as their file has them now; what of them is at work was read when the engine was opened.
    pub fn read_settings(&self) -> Result<AppSettings, settings::Error> {
        AppSettings::read(&self.settings_path())
    }

    /// Writes settings into their file. They count when the engine is opened the next time.
    pub fn save_settings(&self, settings: &AppSettings) -> Result<(), settings::Error> {
        let changed = settings.write(&self.settings_path())?;
        if !changed.is_empty() {
            if let Err(error) = self.inner.store.audit("save_settings", "settings.toml", &changed.join(", ")) {
                log::warn!("the audit does not know that settings were saved: {}", chain(&error));
            }
            self.stale(Resource::Settings);
        }
        Ok(())
    }

    fn settings_path(&self) -> PathBuf {
        self.inner.dirs.config.join("settings.toml")
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    pub(crate) fn store(&self) -> &Store {
        &self.inner.store
    }

    pub(crate) fn stale(&self, resource: Resource) {
        let _ = self.inner.events.send(Event::Stale(resource)); // nobody may be listening
        // What changes has its line in the audit.
        if !matches!(resource, Resource::Activity) {
            let _ = self.inner.events.send(Event::Stale(Resource::Activity));
        }
    }

    pub(crate) fn active(&self) -> &Mutex<HashMap<RunId, CancellationToken>> {
        &self.inner.active
    }

    pub(crate) fn used_hosts(&self) -> &Mutex<HashMap<String, Arc<hosts::Host>>> {
        &self.inner.hosts
    }

    pub(crate) fn tools_dir(&self) -> PathBuf {
        env::var_os("VLM_TOOLS").map_or_else(|| self.inner.dirs.data.join("tools"), PathBuf::from)
    }

    /// Where the provider lies for Terraform to find it, if we brought it.
    pub(crate) fn tools_mirror(&self) -> Option<PathBuf> {
        Some(self.tools_dir().join("mirror")).filter(|path| path.is_dir())
    }

    /// terraform or tofu, with the provider's mirror if we have one, both of versions that labs work with.
    pub(crate) async fn terraform(&self, dir: &Path) -> Result<terraform::Terraform, terraform::Error> {
        let program = match (&self.settings().terraform, terraform::Terraform::program_of(dir)) {
            (Some(path), _) if path.is_file() => path.clone(),
            (Some(path), _) => return Err(terraform::Error::NotThere { path: path.clone() }),
            (None, Ok(Some(path))) => path,
            (None, Ok(None)) => terraform::find_program(&["terraform", "tofu"], &self.tools_dir().join("bin"))
                .ok_or(terraform::Error::Missing)?,
            (None, Err(error)) => return Err(error),
        };
        let mirror = self.tools_mirror();
        let pin = self.tools().pin(&program, mirror.as_deref()).await?;
        Ok(terraform::Terraform { program, mirror, dir: dir.to_owned(), pin })
    }

    /// ansible-playbook, of a version that labs work with.
    pub(crate) async fn ansible(&self, dir: &Path) -> Result<ansible::Ansible, ansible::Error> {
        let program = match &self.settings().ansible_playbook {
            Some(path) if path.is_file() => path.clone(),
            Some(path) => return Err(ansible::Error::NotThere { path: path.clone() }),
            None => self.found_ansible().ok_or(ansible::Error::Missing)?,
        };
        self.tools().check_ansible(&program).await?;
        Ok(ansible::Ansible { program, dir: dir.to_owned() })
    }

    /// ansible-playbook: ours before the system's.
    pub(crate) fn found_ansible(&self) -> Option<PathBuf> {
        let ours = self.tools_dir().join("ansible/bin/ansible-playbook");
        if ours.is_file() { Some(ours) } else { terraform::find_program(&["ansible-playbook"], Path::new("/usr/bin")) }
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
