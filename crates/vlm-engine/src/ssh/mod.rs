//! SSH to guests: keys that we make, and a connection that accepts the pinned host key and no other.

pub mod ask;
pub mod config;
pub mod kept;
pub mod known_hosts;
pub mod link;
mod login;
mod route;
mod trust;

pub use route::{Target, config_hosts, identities};

use std::{
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use russh::{
    ChannelMsg, client,
    keys::{Algorithm, PrivateKey, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate, ssh_key::LineEnding},
};
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional_with_sizes};
use vlm_lab::render::KeyPair;

use self::{kept::Kept, link::Refused};

/// How long a connection attempt may take before it counts as silence. Guests are near: a new attempt finds one that has just
/// come up sooner than TCP's own repetition after a second would.
const CONNECT_LIMIT: Duration = Duration::from_millis(400);
/// The same through a link, where the host's kernel decides, and how soon it hears of a refusal.
const THROUGH_LIMIT: Duration = Duration::from_secs(10);
const REFUSES_WITHIN: Duration = Duration::from_secs(2);
/// How long a guest may take for key exchange and authentication: an emulated one is slow.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(30);
/// How long a short command may take.
const COMMAND_LIMIT: Duration = Duration::from_secs(30);

/// Why there is no SSH session.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing came back.
    #[error("no answer from {0}")]
    Silence(SocketAddr),
    /// Nobody listens.
    #[error("connection to {0} refused")]
    Refused(SocketAddr),
    /// The server shows another host key than the pinned one.
    #[error("{0} shows another host key than the one it was given")]
    OtherHostKey(SocketAddr),
    /// The server does not let our key in.
    #[error("{0} does not accept the lab's key")]
    KeyRejected(SocketAddr),
    /// The protocol failed.
    #[error("ssh failed: {0}")]
    Protocol(String),
    /// The host that the guest is behind does not let us through.
    #[error("the host's SSH server forbids forwarding; it needs `AllowTcpForwarding yes` in its sshd_config")]
    Forbidden,
    /// A key could not be read or made.
    #[error("a key could not be used: {0}")]
    Key(String),
}

/// Makes an ed25519 key pair.
pub fn generate_key() -> Result<KeyPair, Error> {
    let key = PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).map_err(key_error)?;
    Ok(KeyPair {
        private: key.to_openssh(LineEnding::LF).map_err(key_error)?.to_string(),
        public: key.public_key().to_openssh().map_err(key_error)?.trim().to_owned(),
    })
}

/// Reads a key pair from the private key's file.
pub fn read_key(path: &Path) -> Result<KeyPair, Error> {
    let private = std::fs::read_to_string(path).map_err(|error| Error::Key(format!("{}: {error}", path.display())))?;
    let key = PrivateKey::from_openssh(&private).map_err(key_error)?;
    Ok(KeyPair { public: key.public_key().to_openssh().map_err(key_error)?.trim().to_owned(), private })
}

fn key_error(error: impl std::fmt::Display) -> Error {
    Error::Key(error.to_string())
}

/// The way to the guests of a host.
#[derive(Clone)]
pub enum Way {
    /// They are on this computer's own networks.
    Direct,
    /// Through the link to their host.
    Through(Arc<Kept>),
}

/// A stream of bytes to a guest, whichever way it goes.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl Way {
    /// Opens a stream to a TCP address of a guest. How long that may take through a link is not for us to say.
    pub async fn tcp(&self, to: SocketAddr, limit: Duration) -> Result<Box<dyn Stream>, Error> {
        match self {
            Way::Direct => match tokio::time::timeout(limit, tokio::net::TcpStream::connect(to)).await {
                Err(_) => Err(Error::Silence(to)),
                Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => Err(Error::Refused(to)),
                Ok(Err(_)) => Err(Error::Silence(to)),
                Ok(Ok(stream)) => {
                    let _ = stream.set_nodelay(true);
                    Ok(Box::new(stream))
                }
            },
            Way::Through(kept) => {
                let begun = Instant::now();
                match tokio::time::timeout(THROUGH_LIMIT, kept.tcp(to)).await {
                    Ok(Ok(channel)) => Ok(Box::new(channel)),
                    Ok(Err(Refused::Forbidden)) => Err(Error::Forbidden),
                    // SSH does not tell the reasons apart. A guest that refuses does so at once; one that is not there is
                    // given up by its host's kernel after three seconds.
                    Ok(Err(Refused::NotReached)) if begun.elapsed() < REFUSES_WITHIN => Err(Error::Refused(to)),
                    _ => Err(Error::Silence(to)),
                }
            }
        }
    }
}

/// As much as two packets of SSH: what a channel holds when its reader was busy goes on in one piece.
const PIECE: usize = 64 * 1024;

/// Passes on what either side says, until both have ended: how all that is forwarded goes through a link.
pub async fn join(one: &mut (impl AsyncRead + AsyncWrite + Unpin), other: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    // A side that breaks off ends the other, too, whose user sees that by itself.
    let _ = copy_bidirectional_with_sizes(one, other, PIECE, PIECE).await;
}

/// An authenticated connection to a guest.
pub struct Session {
    handle: client::Handle<Pinned>,
}

struct Pinned {
    expected: PublicKey,
    mismatch: Arc<std::sync::atomic::AtomicBool>,
}

impl client::Handler for Pinned {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        let same = match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => key.key_data() == self.expected.key_data(),
            PublicKeyOrCertificate::Certificate(_) => false,
        };
        self.mismatch.store(!same, std::sync::atomic::Ordering::Relaxed);
        Ok(same)
    }
}

impl Session {
    /// Connects to `address` as `user` with `key`, insisting on `host_key` (OpenSSH's one-line form).
    pub async fn connect(way: &Way, address: SocketAddr, user: &str, key: &KeyPair, host_key: &str) -> Result<Session, Error> {
        let stream = way.tcp(address, CONNECT_LIMIT).await?;
        let attempt = Self::handshake(stream, address, user, key, host_key);
        tokio::time::timeout(HANDSHAKE_LIMIT, attempt).await.unwrap_or(Err(Error::Silence(address)))
    }

    async fn handshake(
        stream: Box<dyn Stream>,
        address: SocketAddr,
        user: &str,
        key: &KeyPair,
        host_key: &str,
    ) -> Result<Session, Error> {
        let expected = PublicKey::from_openssh(host_key).map_err(key_error)?;
        let private = PrivateKey::from_openssh(&key.private).map_err(key_error)?;
        // Only the pinned key's own algorithm: a server that has others as well must show this one.
        let config = client::Config {
            preferred: russh::Preferred { key: vec![expected.algorithm()].into(), ..Default::default() },
            ..Default::default()
        };
        let mismatch = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let handler = Pinned { expected, mismatch: mismatch.clone() };
        let mut handle = client::connect_stream(Arc::new(config), stream, handler).await.map_err(|error| {
            // A server that cannot offer the pinned algorithm has another key, too.
            if mismatch.load(std::sync::atomic::Ordering::Relaxed) || matches!(error, russh::Error::NoCommonAlgo { .. }) {
                Error::OtherHostKey(address)
            } else {
                Error::Protocol(error.to_string())
            }
        })?;
        let key = PrivateKeyWithHashAlg::new(Arc::new(private), None);
        let result = handle.authenticate_publickey(user, key).await.map_err(|error| Error::Protocol(error.to_string()))?;
        if result.success() { Ok(Session { handle }) } else { Err(Error::KeyRejected(address)) }
    }

    /// Runs `command` in the guest: its exit status and what it printed on standard output.
    pub async fn command(&self, command: &str) -> Result<(u32, String), Error> {
        let work = async {
            let mut channel = self.handle.channel_open_session().await?;
            channel.exec(true, command).await?;
            let (mut status, mut out) = (None, Vec::new());
            while let Some(message) = channel.wait().await {
                match message {
                    ChannelMsg::Data { data } => out.extend_from_slice(&data),
                    ChannelMsg::ExitStatus { exit_status } => status = Some(exit_status),
                    _ => {}
                }
            }
            Ok::<_, russh::Error>((status.unwrap_or(255), String::from_utf8_lossy(&out).into_owned()))
        };
        match tokio::time::timeout(COMMAND_LIMIT, work).await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(error)) => Err(Error::Protocol(error.to_string())),
            Err(_) => Err(Error::Protocol(format!("`{command}` did not end within {} s", COMMAND_LIMIT.as_secs()))),
        }
    }
}

#[cfg(test)]
mod tests;
