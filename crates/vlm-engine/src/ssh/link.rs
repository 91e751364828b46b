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
    AlgorithmKind, ChannelMsg, ChannelOpenFailure, ChannelStream,
    client::{self, Handle, Msg},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

use super::{
    ask::{Asker, Question},
    config,
    login::log_in,
    route::{Hop, Route},
    trust::{Checker, Pin, Refusal, Seen, fingerprint_of},
};

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
    /// By what the host is known, once it was accepted: its key, `TYPE BASE64`, or `@cert-authority` and the key of the authority that
    /// vouches for it. Below, a line each as in known_hosts, the keys of hosts on the way that were accepted with it.
    pub host_key: Option<String>,
}

/// How long things may take.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    /// A host, to answer.
    pub connect: Duration,
    /// Each step of key exchange and login.
    pub login: Duration,
    /// A person.
    pub answer: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { connect: Duration::from_secs(10), login: Duration::from_secs(20), answer: Duration::from_secs(120) }
    }
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

/// How a look at a host's sockets ends; no shell ends so by itself.
const MAY: u32 = 40;
const MAY_NOT: u32 = 41;

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
        /// As OpenSSH names it.
        key_type: String,
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
    /// Something answers, and not in SSH.
    #[error("what answers at {remote} is no SSH server")]
    NotSsh {
        /// Who was called.
        remote: String,
    },
    /// A host on the way.
    #[error("{remote} is reached through {hop}, and that failed")]
    Through {
        /// Who was called.
        remote: String,
        /// Who is on the way.
        hop: String,
        /// Why.
        source: Box<Error>,
    },
    /// The configuration names a host on the way that is none.
    #[error("ProxyJump names `{jump}` on the way to {remote}, which is no [USER@]ADDRESS[:PORT]")]
    JumpName {
        /// Who was called.
        remote: String,
        /// What is in the configuration.
        jump: String,
    },
    /// The way leads back to itself.
    #[error("the way to {remote} has no end: ProxyJump in your ssh configuration leads round in a circle")]
    Circle {
        /// Who was called.
        remote: String,
    },
    /// The user's ssh configuration.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// Nothing of ours lets us in.
    #[error(
        "{remote} does not let us in: {}; it takes {}{}",
        if tried.is_empty() { "there is no key to try".to_owned() } else { format!("tried {}", tried.join(", ")) },
        takes.join(", "),
        if banner.is_empty() { String::new() } else { format!("; it says: {banner}") }
    )]
    NotLetIn {
        /// Who was called.
        remote: String,
        /// What was tried: names of keys, questions.
        tried: Vec<String>,
        /// The ways to log in that it takes.
        takes: Vec<String>,
        /// What it says before anybody is let in.
        banner: String,
    },
    /// The host has ended the connection before anything of ours could let us in.
    #[error("{remote} ended the connection after {} of our keys and answers ({}): {said}", tried.len(), tried.join(", "))]
    Ended {
        /// Who was called.
        remote: String,
        /// Its own words.
        said: String,
        /// What was tried.
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
    /// libvirt is there, and not for this account.
    #[error("{remote} may not use libvirt's socket there")]
    NotOfLibvirt {
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
    /// Whether nothing was touched over there: what was asked for has to change, or somebody has to say yes.
    pub fn is_refusal(&self) -> bool {
        match self {
            Error::Through { source, .. } => source.is_refusal(),
            Error::UnknownHostKey { .. }
            | Error::WrongHostKey { .. }
            | Error::Config(_)
            | Error::JumpName { .. }
            | Error::Circle { .. } => true,
            _ => false,
        }
    }

    /// What a person can do about it; empty where the error says all.
    pub fn remedy(&self) -> String {
        let text = match self {
            Error::Through { source, .. } if matches!(**source, Error::UnknownHostKey { .. }) => {
                "add the host at a terminal, where you are asked, or `ssh` there once, so that your known_hosts has its key"
            }
            Error::Through { source, .. } => return source.remedy(),
            Error::UnknownHostKey { fingerprint, .. } => {
                return format!(
                    "compare it with `ssh-keygen -lf` of the host's key over there, then say --host-key {fingerprint}"
                );
            }
            Error::WrongHostKey { why, .. } if why.contains("revokes") => {
                "whoever revoked it says that it is in the wrong hands: ask them for the host's new key"
            }
            Error::WrongHostKey { why, .. } if why.starts_with("not SHA256:") => {
                "compare with `ssh-keygen -lf` of the host's key over there; --host-key may be mistyped"
            }
            Error::WrongHostKey { .. } => "if the host was installed anew, remove its old key, or the host here, first",
            Error::NotLetIn { takes, .. }
                if takes.iter().any(|method| method == "password" || method == "keyboard-interactive") =>
            {
                "at a terminal you are asked for a password; otherwise your public key has to be in its ~/.ssh/authorized_keys"
            }
            Error::NotLetIn { .. } => "your public key has to be in the ~/.ssh/authorized_keys of that user over there",
            Error::Ended { .. } => {
                "--identity FILE offers one key alone, and so does IdentitiesOnly with IdentityFile in ~/.ssh/config"
            }
            Error::NoLibvirt { .. } => "start libvirt there (`systemctl start libvirtd`), or install it",
            Error::NotOfLibvirt { .. } => "put that account into the group libvirt over there (`usermod -aG libvirt NAME`)",
            Error::Unreachable { .. } => {
                "is it on, is sshd running there, and do address and port fit? `ssh` to it shows the same"
            }
            Error::Config(_)
            | Error::JumpName { .. }
            | Error::Circle { .. }
            | Error::NotSsh { .. }
            | Error::Protocol { .. }
            | Error::Identity { .. }
            | Error::Forbidden { .. }
            | Error::Socket { .. } => "",
        };
        text.to_owned()
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
    /// The hosts on the way, through which the link runs.
    _jumps: Vec<Jump>,
    /// Keeps Nagle off at the other end.
    _session: russh::Channel<Msg>,
}

impl Drop for Link {
    fn drop(&mut self) {
        log::info!("ssh link to {} closed{}", self.remote, if self.is_open() { "" } else { ", after it broke" });
    }
}

impl Link {
    /// Connects and logs in, through the hosts on the way. Returns the link, and what [`Remote::host_key`] is to be from now on: the
    /// key that the host has shown, which was accepted, and below it those of hosts on the way that somebody was asked about.
    pub async fn open(remote: &Remote, trust: Trust<'_>, asker: &Asker) -> Result<(Link, String), Error> {
        let route = Route::of_user(remote)?;
        // Said when a host is new, and not every time.
        if remote.host_key.is_none() {
            route.notes.iter().for_each(|note| asker.tell(note));
        }
        Link::along(remote, route, trust, asker, &Limits::default()).await
    }

    pub(super) async fn along(
        remote: &Remote,
        route: Route,
        trust: Trust<'_>,
        asker: &Asker,
        limits: &Limits,
    ) -> Result<(Link, String), Error> {
        let mut jumps: Vec<Jump> = Vec::new();
        let mut pins = Vec::new();
        let mut hops = route.hops;
        let mut last = hops.pop().expect("a route leads somewhere");
        for hop in hops {
            let entered = enter(&hop, jumps.last(), asker, limits).await;
            let (handle, pin, asked) = entered.map_err(|source| Error::Through {
                remote: remote.to_string(),
                hop: hop.label.clone(),
                source: source.into(),
            })?;
            let session = tokio::time::timeout(limits.login, handle.channel_open_session()).await;
            jumps.push(Jump { label: hop.label.clone(), handle, _session: session.ok().and_then(Result::ok) });
            if asked {
                let line = pin.line();
                let line = match line.strip_prefix("@cert-authority ") {
                    Some(key) => format!("@cert-authority {} {key}", hop.expected.name),
                    None => format!("{} {line}", hop.expected.name),
                };
                pins.push(line);
            }
        }
        if let Trust::Fingerprint(fingerprint) = trust {
            last.expected.fingerprint = Some(fingerprint.to_owned());
        }
        let (handle, pin, _) = enter(&last, jumps.last(), asker, limits).await?;
        let session = tokio::time::timeout(limits.login, handle.channel_open_session()).await;
        let session = session.map_err(|_| last.silent(limits.login))?.map_err(|error| last.protocol(error))?;
        pins.insert(0, pin.line());
        log::info!("ssh link to {remote} opened");
        Ok((Link { remote: remote.clone(), handle: Arc::new(handle), _session: session, _jumps: jumps }, pins.join("\n")))
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
        // OpenSSH answers the same for a socket that it may not forward. A shell over there, if there is one, tells them apart.
        let [one, other] = LIBVIRT_SOCKETS;
        let look = format!(
            "grep -Eq ' 00010000 .* ({one}|{other})$' /proc/net/unix || exit 1; test -w {one} || test -w {other} || exit {MAY_NOT}; exit {MAY}"
        );
        match self.exec(&look, b"").await.ok().and_then(|output| output.status) {
            Some(MAY) => Err(Error::Forbidden { remote: remote(), what: "AllowStreamLocalForwarding" }),
            Some(MAY_NOT) => Err(Error::NotOfLibvirt { remote: remote() }),
            _ => Err(Error::NoLibvirt { remote: remote() }),
        }
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
pub type Channel = ChannelStream<Msg>;

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

/// A host on the way.
struct Jump {
    label: String,
    handle: Handle<Checker>,
    /// As for the link itself; a host that only leads further may refuse it, and is slower then.
    _session: Option<russh::Channel<Msg>>,
}

/// Connects to a host and logs in: directly, or through the one before it. Also tells whether a person has accepted its key.
async fn enter(
    hop: &Hop,
    through: Option<&Jump>,
    asker: &Asker,
    limits: &Limits,
) -> Result<(Handle<Checker>, Pin, bool), Error> {
    let mut expected = hop.expected.clone();
    let mut asked = false;
    loop {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let checker = Checker { expected: expected.clone(), seen: seen.clone() };
        let met = match through {
            None => meet(hop, reach(hop, limits).await?, checker, limits).await,
            Some(before) => meet(hop, reach_through(hop, before, limits).await?, checker, limits).await,
        };
        match met {
            Ok((mut handle, pin)) => {
                log_in(&mut handle, hop, &seen, asker, limits).await?;
                return Ok((handle, pin, asked));
            }
            Err(Error::UnknownHostKey { remote, fingerprint, key_type, other_types }) if expected.fingerprint.is_none() => {
                let question = Question::HostKey {
                    host: remote.clone(),
                    fingerprint: fingerprint.clone(),
                    key_type: key_type.clone(),
                    other_types: other_types.clone(),
                };
                if asker.ask(&question, limits.answer).await.is_none() {
                    return Err(Error::UnknownHostKey { remote, fingerprint, key_type, other_types });
                }
                // Met again, and this time it has to show the key that was accepted: nobody's time to let us in runs out while a
                // person compares.
                asked = true;
                expected.fingerprint = Some(fingerprint);
            }
            Err(error) => return Err(error),
        }
    }
}

/// A connection over the network.
async fn reach(hop: &Hop, limits: &Limits) -> Result<TcpStream, Error> {
    let late = |who: &str| hop.unreachable(format!("{who} within {} s", limits.connect.as_secs_f32()));
    let found = tokio::time::timeout(limits.connect, tokio::net::lookup_host((hop.host.as_str(), hop.port))).await;
    let found = found.map_err(|_| late("no name server answers"))?.map_err(|error| hop.unknown_name(error))?;
    let addresses: Vec<_> = found.collect();
    let stream = tokio::time::timeout(limits.connect, TcpStream::connect(&addresses[..])).await;
    let stream = stream.map_err(|_| late("no answer"))?.map_err(|error| hop.unreachable(error.to_string()))?;
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// A connection that the host before makes for us.
async fn reach_through(hop: &Hop, before: &Jump, limits: &Limits) -> Result<Channel, Error> {
    let open = before.handle.channel_open_direct_tcpip(&hop.host, hop.port.into(), "127.0.0.1", 0);
    let before = &before.label;
    match tokio::time::timeout(limits.connect, open).await {
        Ok(Ok(channel)) => Ok(channel.into_stream()),
        Ok(Err(russh::Error::ChannelOpenFailure(ChannelOpenFailure::AdministrativelyProhibited))) => {
            Err(hop.unreachable(format!("{before} forbids connections through it (AllowTcpForwarding in its sshd_config)")))
        }
        Ok(Err(russh::Error::ChannelOpenFailure(_))) => {
            Err(hop.unreachable(format!("{before} cannot connect to {} at port {}", hop.host, hop.port)))
        }
        Ok(Err(error)) => Err(hop.protocol(error)),
        Err(_) => Err(hop.unreachable(format!("{before} had no answer within {} s", limits.connect.as_secs_f32()))),
    }
}

/// Exchanges keys with whoever is at the other end, and judges who that is.
async fn meet(
    hop: &Hop,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    checker: Checker,
    limits: &Limits,
) -> Result<(Handle<Checker>, Pin), Error> {
    let config = client::Config {
        preferred: checker.expected.preferred(),
        nodelay: true,
        keepalive_interval: Some(KEEPALIVE_EVERY),
        keepalive_max: KEEPALIVES,
        ..client::Config::default()
    };
    let remote = hop.label.clone();
    let seen = checker.seen.clone();
    let connected = tokio::time::timeout(limits.login, client::connect_stream(Arc::new(config), stream, checker)).await;
    let connected = connected.map_err(|_| hop.silent(limits.login))?;
    let judged = seen.lock().expect("no panic while it is held").judged.take();
    match (judged, connected) {
        (Some((key, Err(refusal))), _) => {
            let fingerprint = fingerprint_of(&key);
            Err(match refusal {
                Refusal::Unknown(other_types) => {
                    Error::UnknownHostKey { remote, fingerprint, key_type: key.algorithm().to_string(), other_types }
                }
                Refusal::Wrong(why) => Error::WrongHostKey { remote, fingerprint, why },
            })
        }
        (Some((_, Ok(pin))), Ok(handle)) => Ok((handle, pin)),
        // A host that cannot even offer the type of key that was accepted has another one.
        (None, Err(russh::Error::NoCommonAlgo { kind: AlgorithmKind::Key, .. })) if hop.expected.pin.is_some() => {
            let why = "of another type than the one that was accepted".to_owned();
            Err(Error::WrongHostKey { remote, fingerprint: "of no type that we know".into(), why })
        }
        (None, Err(russh::Error::Version | russh::Error::Disconnect | russh::Error::Utf8(_))) => Err(Error::NotSsh { remote }),
        (_, Err(error)) => Err(hop.protocol(error)),
        (None, Ok(_)) => Err(hop.protocol("it has shown no key")),
    }
}

impl Hop {
    fn unreachable(&self, reason: String) -> Error {
        Error::Unreachable { remote: self.label.clone(), reason }
    }

    fn silent(&self, limit: Duration) -> Error {
        self.unreachable(format!("it did not go on with SSH within {} s", limit.as_secs_f32()))
    }

    fn unknown_name(&self, error: io::Error) -> Error {
        let host = &self.host;
        self.unreachable(format!("no address is known for `{host}`, and no `Host {host}` in ~/.ssh/config names one ({error})"))
    }

    fn protocol(&self, error: impl std::fmt::Display) -> Error {
        Error::Protocol { remote: self.label.clone(), reason: error.to_string() }
    }
}
