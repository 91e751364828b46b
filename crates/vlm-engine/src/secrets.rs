//! Passwords and passphrases: in the desktop's keyring, or, where there is none, in this process's memory and nowhere else.
//!
//! What must stay true: a secret is not part of anything that is stored, logged, serialised or given to a program by argument
//! or environment; [`Secret`] has no such traits, shows itself as `[redacted]`, and is wiped when it goes. The keyring is asked
//! in threads of their own with a time limit, because a session bus may be there and answer nothing.

use std::{
    collections::HashMap,
    env, fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, mpsc},
    thread,
    time::Duration,
};

use dbus_secret_service::{EncryptionType, Error as Fault, Item, SecretService};
use zeroize::{Zeroize, Zeroizing};

/// How long the keyring may take to say that it is there.
const PROBE_LIMIT: Duration = Duration::from_secs(3);
/// How long a person may take to unlock the keyring, in seconds.
const PROMPT_LIMIT_S: u64 = 60;
/// How long anything asked of the keyring may take.
const CALL_LIMIT: Duration = Duration::from_secs(PROMPT_LIMIT_S + 10);

/// A secret text. Wiped when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a text over.
    pub fn new(text: impl Into<Zeroizing<String>>) -> Secret {
        Secret(text.into())
    }

    /// The text, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// What a secret opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A user's password on a host, by the host's name.
    HostPassword,
    /// The passphrase of a private key, by the key's path.
    KeyPassphrase,
    /// The password of a machine's screen, by `LAB/MACHINE`.
    VncPassword,
    /// The password of an Ansible vault, by the lab's name.
    VaultPassword,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 4] = [Kind::HostPassword, Kind::KeyPassphrase, Kind::VncPassword, Kind::VaultPassword];

    /// The word in the keyring.
    fn as_str(self) -> &'static str {
        match self {
            Kind::HostPassword => "host_password",
            Kind::KeyPassphrase => "key_passphrase",
            Kind::VncPassword => "vnc_password",
            Kind::VaultPassword => "vault_password",
        }
    }

    /// What people read in the keyring's own window.
    fn label(self, name: &str) -> String {
        let what = match self {
            Kind::HostPassword => "password of host",
            Kind::KeyPassphrase => "passphrase of key",
            Kind::VncPassword => "screen of machine",
            Kind::VaultPassword => "Ansible vault of lab",
        };
        format!("Virtual Lab Manager: {what} {name}")
    }
}

/// Where secrets are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the desktop's keyring, until they are deleted.
    Keyring,
    /// In this process's memory, until it ends.
    Memory,
}

/// Why the keyring did not do what was asked. It never says what the secret is.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is locked, and nobody unlocked it.
    #[error("the desktop keyring stayed locked; unlock it and try again")]
    Locked,
    /// It answers nothing.
    #[error("the desktop keyring did not answer within {} s", limit.as_secs())]
    Silent {
        /// How long it was waited for.
        limit: Duration,
    },
    /// It said no.
    #[error("the desktop keyring could not {what}: {reason}")]
    Refused {
        /// What was asked.
        what: &'static str,
        /// What it said.
        reason: String,
    },
}

/// The user's secrets. Cheap to clone.
#[derive(Clone, Default)]
pub struct Secrets {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    place: OnceLock<Place>,
    memory: Mutex<HashMap<(Kind, String), Secret>>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Secrets {
    /// The desktop's keyring if there is one when a secret is first asked for or kept, else this process's memory.
    pub fn of_user() -> Secrets {
        Secrets::default()
    }

    /// This process's memory.
    pub fn in_memory() -> Secrets {
        let secrets = Secrets::default();
        secrets.inner.place.get_or_init(|| Place::Memory);
        secrets
    }

    /// Where secrets are kept; looks for the keyring when that is not known yet.
    pub async fn place(&self) -> Place {
        let inner = self.inner.clone();
        blocking(move || inner.place()).await
    }

    /// The secret of that kind and name; none when none is kept. May wait for a person to unlock the keyring.
    pub async fn get(&self, kind: Kind, name: &str) -> Result<Option<Secret>, Error> {
        let (inner, name) = (self.inner.clone(), name.to_owned());
        blocking(move || match inner.place() {
            Place::Memory => Ok(inner.memory().get(&(kind, name)).cloned()),
            Place::Keyring => asked("give a secret", move |service| {
                let Some(item) = find(service, kind, &name)? else { return Ok(None) };
                let mut bytes = item.get_secret()?;
                let text = std::str::from_utf8(&bytes).map(|text| Secret::new(Zeroizing::new(text.to_owned())));
                bytes.zeroize();
                text.map(Some).map_err(|_| Fault::UnsupportedSecretFormat)
            }),
        })
        .await
    }

    /// Keeps a secret, in place of one that is kept.
    pub async fn set(&self, kind: Kind, name: &str, secret: Secret) -> Result<Place, Error> {
        let (inner, name) = (self.inner.clone(), name.to_owned());
        blocking(move || {
            let place = inner.place();
            match place {
                Place::Memory => drop(inner.memory().insert((kind, name), secret)),
                Place::Keyring => asked("keep a secret", move |service| {
                    let collection = service.get_any_collection()?;
                    if collection.is_locked()? {
                        collection.unlock()?;
                    }
                    let (label, bytes) = (kind.label(&name), secret.expose().as_bytes());
                    collection.create_item(&label, attributes(kind, &name), bytes, true, "text/plain").map(drop)
                })?,
            }
            Ok(place)
        })
        .await
    }

    /// Forgets a secret. False when none was kept.
    pub async fn delete(&self, kind: Kind, name: &str) -> Result<bool, Error> {
        let (inner, name) = (self.inner.clone(), name.to_owned());
        blocking(move || match inner.place() {
            Place::Memory => Ok(inner.memory().remove(&(kind, name)).is_some()),
            Place::Keyring => asked("delete a secret", move |service| match find(service, kind, &name)? {
                Some(item) => item.delete().map(|()| true),
                None => Ok(false),
            }),
        })
        .await
    }
}

impl Inner {
    fn memory(&self) -> std::sync::MutexGuard<'_, HashMap<(Kind, String), Secret>> {
        self.memory.lock().expect("no panic while a secret is put down")
    }

    fn place(&self) -> Place {
        *self.place.get_or_init(|| match probe() {
            Ok(()) => {
                log::info!("secrets are kept in the desktop keyring");
                Place::Keyring
            }
            Err(why) => {
                log::info!("secrets are kept in memory: {why}");
                Place::Memory
            }
        })
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("asking for a secret does not panic")
}

/// Says why there is no keyring, if there is none.
fn probe() -> Result<(), String> {
    // Looked for here, because libdbus would start a bus of its own.
    if env::var_os("DBUS_SESSION_BUS_ADDRESS").is_none_or(|address| address.is_empty()) {
        let socket = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).map(|dir| dir.join("bus"));
        if !socket.as_deref().is_some_and(Path::exists) {
            return Err("there is no session bus".into());
        }
    }
    let found = within(PROBE_LIMIT, || {
        SecretService::connect(EncryptionType::Plain).and_then(|service| service.get_any_collection().map(drop))
    });
    match found {
        Some(Ok(())) => Ok(()),
        Some(Err(error)) => Err(error.to_string()),
        None => Err(format!("the keyring did not answer within {} s", PROBE_LIMIT.as_secs())),
    }
}

/// Asks the keyring, with a connection for this question. It goes over a socket that only this user can reach, as it is.
fn asked<T: Send + 'static>(
    what: &'static str,
    question: impl FnOnce(&SecretService) -> Result<T, Fault> + Send + 'static,
) -> Result<T, Error> {
    let answer = within(CALL_LIMIT, move || {
        question(&SecretService::connect_with_max_prompt_timeout(EncryptionType::Plain, PROMPT_LIMIT_S)?)
    });
    match answer {
        None => Err(Error::Silent { limit: CALL_LIMIT }),
        Some(Err(Fault::Locked | Fault::Prompt)) => Err(Error::Locked),
        Some(Err(error)) => Err(Error::Refused { what, reason: error.to_string() }),
        Some(Ok(value)) => Ok(value),
    }
}

/// Works in a thread of its own, which is left behind when it takes too long.
fn within<T: Send + 'static>(limit: Duration, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (tell, answer) = mpsc::channel();
    let started = thread::Builder::new().name("keyring".into()).spawn(move || drop(tell.send(work())));
    started.ok()?;
    answer.recv_timeout(limit).ok()
}

fn attributes(kind: Kind, name: &str) -> HashMap<&str, &str> {
    HashMap::from([("application", "vlm"), ("kind", kind.as_str()), ("name", name)])
}

fn find<'a>(service: &'a SecretService, kind: Kind, name: &str) -> Result<Option<Item<'a>>, Fault> {
    let found = service.search_items(attributes(kind, name))?;
    if let Some(item) = found.unlocked.into_iter().next() {
        return Ok(Some(item));
    }
    let Some(item) = found.locked.into_iter().next() else { return Ok(None) };
    item.unlock()?;
    Ok(Some(item))
}
