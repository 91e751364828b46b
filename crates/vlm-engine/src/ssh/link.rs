//! The link to a host: one SSH connection that carries everything, libvirt's socket first of all.
//!
//! Nothing but sshd is needed over there: sockets are reached by OpenSSH's own forwarding (`direct-streamlocal`). One session
//! channel stays open for as long as the link: without one sshd leaves Nagle's algorithm on, and each large reply stalls for 40 ms.

use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use russh::{
    AlgorithmKind, ChannelMsg, ChannelOpenFailure, Preferred, cipher,
    client::{self, Handle},
    keys::{
        HashAlg, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate,
        agent::{AgentIdentity, client::AgentClient},
    },
};
use tokio::net::TcpStream;

use super::known_hosts::{self, Verdict};

/// How long a host may take to answer, and how long for key exchange and login.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
const LOGIN_LIMIT: Duration = Duration::from_secs(20);
/// A host that has said nothing for so long is asked, three times; then the link is down: within 15 s.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(4);
const KEEPALIVES: usize = 3;
/// How long a host that is asked whether it is still there may take, and a command of ours.
const PROBE_LIMIT: Duration = Duration::from_secs(5);
const COMMAND_LIMIT: Duration = Duration::from_secs(60);
/// How much of a command's output is kept, in bytes.
const OUTPUT_LIMIT: usize = 1 << 20;
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

impl Remote {
    /// The URI with which libvirt's own programs find the system daemon there. For people: we go through our link.
    pub fn libvirt_uri(&self) -> String {
        let open = if self.address.contains(':') { ("[", "]") } else { ("", "") };
        let port = if self.port == 22 { String::new() } else { format!(":{}", self.port) };
        format!("qemu+ssh://{}@{}{}{}{port}/system", self.user, open.0, self.address, open.1)
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
    /// Its SSH server does not let us through.
    #[error("the SSH server of {remote} forbids forwarding; it needs `{what} yes` in its sshd_config")]
    Forbidden {
        /// Who was asked.
        remote: String,
        /// OpenSSH's name of the setting.
        what: &'static str,
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

impl Error {
    /// What a person can do about it; empty where the error says all.
    pub fn remedy(&self) -> String {
        match self {
            Error::UnknownHostKey { fingerprint, .. } => {
                format!("compare it with `ssh-keygen -lf` of the host's key over there, then say --host-key {fingerprint}")
            }
            Error::WrongHostKey { .. } => {
                "if the host was installed anew, remove its old key, or the host here, first".to_owned()
            }
            Error::NotLetIn { .. } | Error::Identity { .. } => {
                "`ssh` with the same user and key has to work without a question".to_owned()
            }
            Error::NoLibvirt { .. } => {
                "install libvirt there and start it, and let this user use its socket (group libvirt)".to_owned()
            }
            Error::Unreachable { .. } | Error::Protocol { .. } | Error::Forbidden { .. } | Error::Socket { .. } => {
                String::new()
            }
        }
    }
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

impl Drop for Link {
    fn drop(&mut self) {
        log::info!("ssh link to {} closed{}", self.remote, if self.is_open() { "" } else { ", after it broke" });
    }
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
        log::info!("ssh link to {remote} opened");
        Ok((Link { remote: remote.clone(), handle: Arc::new(handle), _session: session }, host_key))
    }

    /// Whether the connection stands, as far as we know.
    pub fn is_open(&self) -> bool {
        !self.handle.is_closed()
    }

    /// Opens a stream to a TCP address as the host sees it.
    pub async fn tcp(&self, to: SocketAddr) -> Result<Channel, Refused> {
        let (host, port) = (to.ip().to_string(), u32::from(to.port()));
        let opened = self.handle.channel_open_direct_tcpip(host, port, "127.0.0.1", 0).await;
        Ok(opened.map_err(Refused::of)?.into_stream())
    }

    /// Opens a stream to a unix socket of the host.
    pub async fn unix(&self, path: &str) -> Result<Channel, Refused> {
        Ok(self.handle.channel_open_direct_streamlocal(path).await.map_err(Refused::of)?.into_stream())
    }

    /// The socket that libvirt listens at there.
    pub async fn libvirt_socket(&self) -> Result<&'static str, Error> {
        let remote = || self.remote.to_string();
        for path in LIBVIRT_SOCKETS {
            match self.unix(path).await {
                Ok(_) => return Ok(path),
                Err(Refused::Forbidden) => {
                    return Err(Error::Forbidden { remote: remote(), what: "AllowStreamLocalForwarding" });
                }
                Err(Refused::NotReached) => {}
                Err(Refused::Lost) => {
                    return Err(Error::Unreachable { remote: remote(), reason: "the connection was lost".into() });
                }
            }
        }
        Err(Error::NoLibvirt { remote: remote() })
    }

    /// Runs a command of ours there, fed with `input`. Nothing that a user wrote belongs into `command`: a shell reads it.
    pub async fn exec(&self, command: &str, input: &[u8]) -> Result<Output, Error> {
        let work = async {
            let mut channel = self.handle.channel_open_session().await?;
            channel.exec(true, command).await?;
            channel.data(input).await?;
            channel.eof().await?;
            let mut output = Output { status: None, stdout: Vec::new(), stderr: Vec::new() };
            while let Some(message) = channel.wait().await {
                match message {
                    ChannelMsg::Data { data } => keep(&mut output.stdout, &data),
                    ChannelMsg::ExtendedData { data, ext: 1 } => keep(&mut output.stderr, &data),
                    ChannelMsg::ExitStatus { exit_status } => output.status = Some(exit_status),
                    _ => {}
                }
            }
            Ok::<_, russh::Error>(output)
        };
        let failed = |reason: String| Error::Protocol { remote: self.remote.to_string(), reason };
        match tokio::time::timeout(COMMAND_LIMIT, work).await {
            Ok(done) => done.map_err(|error| failed(error.to_string())),
            Err(_) => Err(failed(format!("a command did not end within {} s", COMMAND_LIMIT.as_secs()))),
        }
    }

    /// Asks whether the other end still answers; closes the link if it does not.
    pub async fn probe(&self) {
        if !matches!(tokio::time::timeout(PROBE_LIMIT, self.handle.send_ping()).await, Ok(Ok(()))) {
            let bye = self.handle.disconnect(russh::Disconnect::ByApplication, "", "");
            let _ = tokio::time::timeout(PROBE_LIMIT, bye).await;
        }
    }
}

/// A stream through a link.
pub type Channel = russh::ChannelStream<client::Msg>;

/// Why a host opens no stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Its SSH server's settings forbid it.
    Forbidden,
    /// Nobody listens there, or nothing answers.
    NotReached,
    /// The link has ended.
    Lost,
}

impl Refused {
    fn of(error: russh::Error) -> Refused {
        match error {
            russh::Error::ChannelOpenFailure(ChannelOpenFailure::AdministrativelyProhibited) => Refused::Forbidden,
            russh::Error::ChannelOpenFailure(_) => Refused::NotReached,
            _ => Refused::Lost,
        }
    }
}

/// What a command on a host came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Its exit status; none when it was ended by a signal.
    pub status: Option<u32>,
    /// Its standard output, at most a MiB of it.
    pub stdout: Vec<u8>,
    /// Its standard error, likewise.
    pub stderr: Vec<u8>,
}

fn keep(kept: &mut Vec<u8>, data: &[u8]) {
    let room = OUTPUT_LIMIT.saturating_sub(kept.len());
    kept.extend_from_slice(&data[..data.len().min(room)]);
}

/// AES-GCM first: with the processor's own instructions it is the fastest.
const CIPHERS: &[cipher::Name] =
    &[cipher::AES_256_GCM, cipher::CHACHA20_POLY1305, cipher::AES_256_CTR, cipher::AES_192_CTR, cipher::AES_128_CTR];

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
