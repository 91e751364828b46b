//! The link to a host: one SSH connection that carries everything, libvirt's socket first of all.
//!
//! Nothing but sshd is needed over there: sockets are reached by OpenSSH's own forwarding (`direct-streamlocal`). One session
//! channel stays open for as long as the link: without one sshd leaves Nagle's algorithm on, and each large reply stalls for 40 ms.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use russh::{
    AlgorithmKind, Preferred, cipher,
    client::{self, Handle},
    keys::{
        HashAlg, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate,
        agent::{AgentIdentity, client::AgentClient},
    },
};
use tokio::net::{TcpStream, UnixListener};

use super::known_hosts::{self, Verdict};

/// How long a host may take to answer, and how long for key exchange and login.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
const LOGIN_LIMIT: Duration = Duration::from_secs(20);
/// A host that has said nothing for so long is asked, three times; then the link is down: within 15 s.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(4);
const KEEPALIVES: usize = 3;
/// Where libvirt's system daemon listens: the one of libvirtd, and that of the modular daemons.
const LIBVIRT_SOCKETS: [&str; 2] = ["/run/libvirt/libvirt-sock", "/run/libvirt/virtqemud-sock"];

/// Which computer, as whom, and how we know it. Typed fields: no text of a user's becomes part of a command or a URI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// Host name or address.
    pub address: String,
    /// sshd's TCP port.
    pub port: u16,
    /// The account there.
    pub user: String,
    /// The private key's file; without one the agent's keys and the user's usual files are offered.
    pub identity: Option<PathBuf>,
    /// The host's key, once it was accepted: a line in OpenSSH's form.
    pub host_key: Option<String>,
}

impl std::fmt::Display for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let colons = self.address.contains(':');
        let (open, close) = if colons { ("[", "]") } else { ("", "") };
        write!(f, "{}@{open}{}{close}", self.user, self.address)?;
        if self.port == 22 { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

/// Why there is no link.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection.
    #[error("could not reach {remote}: {reason}")]
    Unreachable {
        /// Who was called.
        remote: String,
        /// Why.
        reason: String,
    },
    /// Nobody has accepted the host's key yet.
    #[error("the host key of {remote} is not known: {fingerprint}{}", if other_types.is_empty() { String::new() } else { format!(" (known by keys of other types: {})", other_types.join(", ")) })]
    UnknownHostKey {
        /// Who was called.
        remote: String,
        /// The key's, in OpenSSH's form: `SHA256:…`.
        fingerprint: String,
        /// Types of keys that known_hosts has of this host.
        other_types: Vec<String>,
    },
    /// The host shows another key than the one that was accepted, or one that was revoked.
    #[error("{remote} shows the host key {fingerprint}, {why}: somebody may be in between, and nothing was sent")]
    WrongHostKey {
        /// Who was called.
        remote: String,
        /// The key's, in OpenSSH's form.
        fingerprint: String,
        /// What is wrong with it.
        why: String,
    },
    /// No key of ours lets us in.
    #[error("{remote} lets in none of our keys (tried: {})", if tried.is_empty() { "none, as there is none".to_owned() } else { tried.join(", ") })]
    NotLetIn {
        /// Who was called.
        remote: String,
        /// Names of the keys.
        tried: Vec<String>,
    },
    /// A private key's file.
    #[error("could not use the key {}: {reason}", path.display())]
    Identity {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// SSH itself.
    #[error("ssh to {remote} failed: {reason}")]
    Protocol {
        /// Who was called.
        remote: String,
        /// Why.
        reason: String,
    },
    /// libvirt does not listen there.
    #[error("no libvirt listens on {remote} (looked at {})", LIBVIRT_SOCKETS.join(" and "))]
    NoLibvirt {
        /// Who was asked.
        remote: String,
    },
    /// The local end of a forwarded socket.
    #[error("could not make a socket for {remote}")]
    Socket {
        /// For whom.
        remote: String,
        /// Why.
        source: io::Error,
    },
}

/// What becomes of a host key that no one has accepted.
#[derive(Debug, Clone, Copy)]
pub enum Trust<'a> {
    /// Only what is known: our own record, else the user's known_hosts.
    Known,
    /// Also the key with this fingerprint, `SHA256:…`.
    Fingerprint(&'a str),
}

/// An open link. It ends when it is dropped.
pub struct Link {
    remote: Remote,
    handle: Arc<Handle<Checker>>,
    /// Keeps Nagle off at the other end.
    _session: russh::Channel<client::Msg>,
}

struct Checker {
    expected: Expected,
    seen: Arc<Mutex<Option<Judged>>>,
}

/// The key that was shown, and what we made of it.
type Judged = (PublicKey, Result<(), Refusal>);

enum Expected {
    /// The key that was accepted when the host was added.
    Pinned(PublicKey),
    /// What known_hosts files say, else a fingerprint.
    Files { host: String, port: u16, fingerprint: Option<String> },
}

enum Refusal {
    Unknown(Vec<String>),
    Wrong(String),
}

impl client::Handler for Checker {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        let PublicKeyOrCertificate::PublicKey { key, .. } = shown else { return Ok(false) };
        let verdict = self.expected.judge(key);
        let accepted = verdict.is_ok();
        *self.seen.lock().expect("no panic while a key is judged") = Some((key.clone(), verdict));
        Ok(accepted)
    }
}

impl Expected {
    fn judge(&self, key: &PublicKey) -> Result<(), Refusal> {
        let (host, port, fingerprint) = match self {
            Expected::Pinned(pinned) if pinned.key_data() == key.key_data() => return Ok(()),
            Expected::Pinned(_) => return Err(Refusal::Wrong("which is not the one that was accepted".into())),
            Expected::Files { host, port, fingerprint } => (host, *port, fingerprint),
        };
        let mut types = Vec::new();
        let mut known = false;
        for file in known_hosts_files() {
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            match known_hosts::check(&text, host, port, key) {
                Verdict::Known => known = true,
                Verdict::Unknown => {}
                Verdict::OtherTypes(found) => types.extend(found),
                Verdict::Changed(line) => {
                    return Err(Refusal::Wrong(format!("and {}:{line} has another for it", file.display())));
                }
                Verdict::Revoked(line) => return Err(Refusal::Wrong(format!("which {}:{line} revokes", file.display()))),
            }
        }
        let named = fingerprint.as_ref().is_some_and(|wanted| *wanted == fingerprint_of(key));
        match (known || named, fingerprint) {
            (true, _) => Ok(()),
            // Whoever names a key wants that key.
            (false, Some(wanted)) => Err(Refusal::Wrong(format!("not {wanted}"))),
            (false, None) => Err(Refusal::Unknown(types)),
        }
    }
}

fn fingerprint_of(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

fn home() -> Option<PathBuf> {
    std::env::var_os("HOME").map(PathBuf::from)
}

fn known_hosts_files() -> Vec<PathBuf> {
    let ours = home().into_iter().flat_map(|home| [".ssh/known_hosts", ".ssh/known_hosts2"].map(|name| home.join(name)));
    ours.chain(["/etc/ssh/ssh_known_hosts".into(), "/etc/ssh/ssh_known_hosts2".into()]).collect()
}

impl Link {
    /// Connects and logs in. Returns the link and the key that the host has shown, which was accepted.
    pub async fn open(remote: &Remote, trust: Trust<'_>) -> Result<(Link, String), Error> {
        let unreachable = |reason: String| Error::Unreachable { remote: remote.to_string(), reason };
        let stream = tokio::time::timeout(CONNECT_LIMIT, TcpStream::connect((remote.address.as_str(), remote.port)))
            .await
            .map_err(|_| unreachable(format!("no answer within {} s", CONNECT_LIMIT.as_secs())))?
            .map_err(|error| unreachable(error.to_string()))?;
        let _ = stream.set_nodelay(true);
        let login = Self::log_in(remote, trust, stream);
        tokio::time::timeout(LOGIN_LIMIT, login)
            .await
            .unwrap_or_else(|_| Err(unreachable(format!("no login within {} s", LOGIN_LIMIT.as_secs()))))
    }

    async fn log_in(remote: &Remote, trust: Trust<'_>, stream: TcpStream) -> Result<(Link, String), Error> {
        let protocol = |reason: String| Error::Protocol { remote: remote.to_string(), reason };
        let pinned = remote.host_key.as_deref().map(PublicKey::from_openssh).transpose();
        let pinned = pinned.map_err(|error| protocol(format!("the key that was accepted cannot be read: {error}")))?;
        let mut preferred = Preferred { cipher: CIPHERS.into(), ..Preferred::default() };
        if let Some(key) = &pinned {
            preferred.key = vec![key.algorithm()].into();
        }
        let expected = match pinned {
            Some(key) => Expected::Pinned(key),
            None => Expected::Files {
                host: remote.address.clone(),
                port: remote.port,
                fingerprint: match trust {
                    Trust::Known => None,
                    Trust::Fingerprint(fingerprint) => Some(fingerprint.to_owned()),
                },
            },
        };
        let seen = Arc::new(Mutex::new(None));
        let config = client::Config {
            preferred,
            nodelay: true,
            keepalive_interval: Some(KEEPALIVE_EVERY),
            keepalive_max: KEEPALIVES,
            ..client::Config::default()
        };
        let connected = client::connect_stream(Arc::new(config), stream, Checker { expected, seen: seen.clone() }).await;
        let shown = seen.lock().expect("no panic while a key is judged").take();
        let host_key = match (shown, &connected) {
            (Some((key, Err(refusal))), _) => {
                let (remote, fingerprint) = (remote.to_string(), fingerprint_of(&key));
                return Err(match refusal {
                    Refusal::Unknown(other_types) => Error::UnknownHostKey { remote, fingerprint, other_types },
                    Refusal::Wrong(why) => Error::WrongHostKey { remote, fingerprint, why },
                });
            }
            // A host that cannot even offer the type of key that was accepted has another one.
            (None, Err(russh::Error::NoCommonAlgo { kind: AlgorithmKind::Key, .. })) => {
                let why = "of another type than the one that was accepted".to_owned();
                return Err(Error::WrongHostKey {
                    remote: remote.to_string(),
                    fingerprint: "of no type that we know".into(),
                    why,
                });
            }
            (Some((key, Ok(()))), _) => key.to_openssh().map_err(|error| protocol(error.to_string()))?,
            (None, _) => String::new(),
        };
        let mut handle = connected.map_err(|error| protocol(error.to_string()))?;
        authenticate(&mut handle, remote).await?;
        let session = handle.channel_open_session().await.map_err(|error| protocol(error.to_string()))?;
        Ok((Link { remote: remote.clone(), handle: Arc::new(handle), _session: session }, host_key))
    }

    /// Whether the connection stands, as far as we know.
    pub fn is_open(&self) -> bool {
        !self.handle.is_closed()
    }

    /// Forwards libvirt's socket to one of ours, in a folder that only this user enters.
    pub async fn forward_libvirt(&self) -> Result<Forward, Error> {
        for path in LIBVIRT_SOCKETS {
            // Asked first: a refused channel tells that nobody listens there.
            if let Ok(channel) = self.handle.channel_open_direct_streamlocal(path).await {
                let _ = channel.close().await;
                return self.forward(path).map_err(|source| Error::Socket { remote: self.remote.to_string(), source });
            }
        }
        Err(Error::NoLibvirt { remote: self.remote.to_string() })
    }

    fn forward(&self, there: &'static str) -> io::Result<Forward> {
        // Short: the path of a unix socket has 108 bytes at most.
        let base = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|dir| dir.is_dir());
        let base = base.unwrap_or_else(std::env::temp_dir);
        let dir = tempfile::Builder::new().prefix("vlm-").tempdir_in(base)?; // mode 0700
        let path = dir.path().join("libvirt-sock");
        let listener = UnixListener::bind(&path)?;
        let handle = self.handle.clone();
        let task = tokio::spawn(async move {
            while let Ok((mut ours, _)) = listener.accept().await {
                let handle = handle.clone();
                tokio::spawn(async move {
                    // A host that is gone: libvirt's client sees its connection closed.
                    if let Ok(channel) = handle.channel_open_direct_streamlocal(there).await {
                        let _ = tokio::io::copy_bidirectional(&mut ours, &mut channel.into_stream()).await;
                    }
                });
            }
        });
        Ok(Forward { path, task, _dir: dir })
    }
}

/// AES-GCM first: with the processor's own instructions it is the fastest.
const CIPHERS: &[cipher::Name] =
    &[cipher::AES_256_GCM, cipher::CHACHA20_POLY1305, cipher::AES_256_CTR, cipher::AES_192_CTR, cipher::AES_128_CTR];

/// A forwarded socket, for as long as it is kept.
pub struct Forward {
    path: PathBuf,
    task: tokio::task::JoinHandle<()>,
    _dir: tempfile::TempDir,
}

impl Forward {
    /// Our end.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Offers the identity that was named, or else the agent's keys and then the usual files.
async fn authenticate(handle: &mut Handle<Checker>, remote: &Remote) -> Result<(), Error> {
    let protocol = |error: russh::Error| Error::Protocol { remote: remote.to_string(), reason: error.to_string() };
    // Only RSA has a choice of hashes.
    let rsa_hash = handle.best_supported_rsa_hash().await.map_err(protocol)?.flatten();
    let mut tried = Vec::new();
    if remote.identity.is_none()
        && let Ok(mut agent) = AgentClient::connect_env().await
    {
        for identity in agent.request_identities().await.unwrap_or_default() {
            let AgentIdentity::PublicKey { key, comment } = identity else { continue };
            let hash = rsa_hash.filter(|_| key.algorithm().is_rsa());
            tried.push(format!("{comment} of the agent"));
            match handle.authenticate_publickey_with(&remote.user, key, hash, &mut agent).await {
                Ok(result) if result.success() => return Ok(()),
                _ => {}
            }
        }
    }
    let usual =
        || home().into_iter().flat_map(|home| ["id_ed25519", "id_ecdsa", "id_rsa"].map(|name| home.join(".ssh").join(name)));
    let files: Vec<PathBuf> = match &remote.identity {
        Some(path) => vec![path.clone()],
        None => usual().filter(|path| path.is_file()).collect(),
    };
    for path in files {
        let key = match russh::keys::load_secret_key(&path, None) {
            Ok(key) => key,
            // One of several: the next may do. The one that was named has to.
            Err(_) if remote.identity.is_none() => continue,
            Err(russh::keys::Error::KeyIsEncrypted) => {
                let reason = "it has a passphrase; add it to your agent (ssh-add), and leave the identity out".to_owned();
                return Err(Error::Identity { path, reason });
            }
            Err(error) => return Err(Error::Identity { path, reason: error.to_string() }),
        };
        tried.push(path.display().to_string());
        let hash = rsa_hash.filter(|_| key.algorithm().is_rsa());
        let key = PrivateKeyWithHashAlg::new(Arc::new(key), hash);
        if handle.authenticate_publickey(&remote.user, key).await.map_err(protocol)?.success() {
            return Ok(());
        }
    }
    Err(Error::NotLetIn { remote: remote.to_string(), tried })
}
