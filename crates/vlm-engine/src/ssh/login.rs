//! Logging in, in OpenSSH's order: keys (certificates first, then the agent's that a file names, the agent's other ones, files),
//! the server's own questions, a password. A person is asked last, and never more often than is of use.

use std::{
    collections::{HashSet, VecDeque},
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use russh::{
    MethodKind, MethodSet, SendError,
    client::{AuthResult, Handle, KeyboardInteractiveAuthResponse},
    keys::{
        Certificate, HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey,
        agent::{AgentIdentity, client::AgentClient},
    },
};
use tokio::net::UnixStream;
use zeroize::Zeroizing;

use super::{
    ask::{Asker, Prompt, Question, Secret, printable},
    link::{Error, Limits},
    route::{Hop, Keys},
    trust::{Checker, Seen},
};

/// How often a person may be wrong: OpenSSH's own number.
const TRIES: usize = 3;
/// How many questions in a row a server may ask.
const MOST_ROUNDS: usize = 20;

/// Logs in.
pub(super) async fn log_in(
    handle: &mut Handle<Checker>,
    hop: &Hop,
    seen: &Mutex<Seen>,
    asker: &Asker,
    limits: &Limits,
) -> Result<(), Error> {
    let mut login = Login { handle, hop, seen, asker, limits, tried: Vec::new(), rsa_hash: None };
    match login.run().await {
        // What came to us as an error of the protocol is the end of the connection, about which more is known.
        Err(Error::Protocol { .. }) if login.handle.is_closed() => Err(login.ended().await),
        result => result,
    }
}

struct Login<'a> {
    handle: &'a mut Handle<Checker>,
    hop: &'a Hop,
    seen: &'a Mutex<Seen>,
    asker: &'a Asker,
    limits: &'a Limits,
    /// What was tried and did not help, in words.
    tried: Vec<String>,
    /// The hash for signatures of RSA keys, once it was asked for.
    rsa_hash: Option<HashAlg>,
}

/// A key to offer.
enum Offer {
    /// The agent signs.
    Agent(AgentIdentity),
    /// A private key's file, whose public part is known.
    File { path: PathBuf, public: Option<PublicKey>, certificate: Option<Certificate> },
}

impl Login<'_> {
    async fn run(&mut self) -> Result<(), Error> {
        let none = self.handle.authenticate_none(&self.hop.user);
        let mut last = within(self.hop, self.limits.login, none).await?;
        let mut agent = connect_agent(self.hop.keys.agent.as_deref()).await;
        let mut offers: Option<VecDeque<Offer>> = None;
        // How often a person may still answer, and what is not worth another question.
        let mut tries = TRIES;
        let mut useless = HashSet::new();
        loop {
            let (methods, partial) = match last {
                AuthResult::Success => return Ok(()),
                AuthResult::Failure { remaining_methods, partial_success } => (remaining_methods, partial_success),
            };
            if methods.is_empty() {
                return Err(self.ended().await);
            }
            if partial {
                // One of several things that it wants was right: the next is a matter of its own.
                (tries, useless) = (TRIES, HashSet::new());
            }
            let may = |method: MethodKind| methods.contains(&method) && !useless.contains(&format!("{method:?}"));
            if may(MethodKind::PublicKey) {
                if offers.is_none() {
                    offers = Some(self.offers(agent.as_mut()).await?);
                }
                if let Some(offer) = offers.as_mut().and_then(VecDeque::pop_front) {
                    last = self.offer(offer, agent.as_mut(), &methods).await?;
                    continue;
                }
            }
            let (method, what) = if may(MethodKind::KeyboardInteractive) {
                (MethodKind::KeyboardInteractive, "the server's questions")
            } else if may(MethodKind::Password) {
                (MethodKind::Password, "a password")
            } else {
                return Err(self.not_let_in(&methods));
            };
            if tries == 0 {
                return Err(self.not_let_in(&methods));
            }
            let again = tries < TRIES;
            let answered = match method {
                MethodKind::Password => self.password(again).await?,
                _ => self.interactive().await?,
            };
            last = match answered {
                Answered::Said(result) => {
                    tries -= 1;
                    if !result.success() {
                        self.tried.retain(|tried| tried != what);
                        self.tried.push(what.to_owned());
                    }
                    result
                }
                // It did not even ask: another time would be the same.
                Answered::NotAsked(result) => {
                    useless.insert(format!("{method:?}"));
                    result
                }
                Answered::Nobody => {
                    self.tried.push(format!("{what}: nobody answered"));
                    return Err(self.not_let_in(&methods));
                }
            };
        }
    }

    /// Why the connection is over.
    async fn ended(&mut self) -> Error {
        // The session's task ends by itself, and leaves what was said to us at the end.
        let _ = tokio::time::timeout(self.limits.login, &mut *self.handle).await;
        let (remote, seen) = (self.hop.label.clone(), self.seen.lock().expect("no panic while it is held"));
        match &seen.farewell {
            None if self.tried.is_empty() => {
                Error::Protocol { remote, reason: "it has closed the connection before we could log in".into() }
            }
            farewell => Error::Ended {
                remote,
                said: farewell.clone().unwrap_or_else(|| "it closed the connection".into()),
                tried: self.tried.clone(),
            },
        }
    }

    fn not_let_in(&self, methods: &MethodSet) -> Error {
        let banner = self.seen.lock().expect("no panic while it is held").banner.trim().to_owned();
        Error::NotLetIn {
            remote: self.hop.label.clone(),
            tried: self.tried.clone(),
            takes: methods.iter().map(|method| <&str>::from(method).to_owned()).collect(),
            banner,
        }
    }

    fn key_error(&self, path: &Path, reason: impl Into<String>) -> Error {
        Error::Identity { path: path.to_owned(), reason: reason.into() }
    }

    /// The keys to offer, in OpenSSH's order. A file that cannot be used is remembered; if it is the only one, that is an error.
    async fn offers(&mut self, agent: Option<&mut Agent>) -> Result<VecDeque<Offer>, Error> {
        let Keys { files, named, only, .. } = &self.hop.keys;
        let held = match agent {
            Some(agent) => within(self.hop, self.limits.answer, agent.request_identities()).await.unwrap_or_default(),
            None => Vec::new(),
        };
        let mut readable = Vec::new();
        for path in files {
            match Identity::read(path) {
                Ok(identity) => readable.push(identity),
                // The usual files need not be there, and one of several is not worth giving up.
                Err(Unusable::Missing) if !named => {}
                Err(reason) if files.len() == 1 && *named && *only => return Err(self.key_error(path, reason.to_string())),
                Err(reason) => self.tried.push(format!("{}: {reason}", path.display())),
            }
        }
        let (mut certified, mut of_agent, mut of_files) = (VecDeque::new(), Vec::new(), Vec::new());
        let holds = |held: &[AgentIdentity], public: &PublicKey| {
            held.iter().position(|one| one.public_key().key_data() == public.key_data())
        };
        let mut held = held;
        for Identity { path, public, certificate, private } in readable {
            if let Some(certificate) = certificate.filter(|_| private) {
                certified.push_back(Offer::File { path: path.clone(), public: public.clone(), certificate: Some(certificate) });
            }
            match public.as_ref().and_then(|public| holds(&held, public)) {
                Some(index) => of_agent.push(Offer::Agent(held.remove(index))),
                None if private => of_files.push(Offer::File { path, public, certificate: None }),
                None => self.tried.push(format!("{}: it is a public key, and no agent has the private one", path.display())),
            }
        }
        if !only {
            of_agent.extend(held.into_iter().map(Offer::Agent));
        }
        certified.extend(of_agent.into_iter().chain(of_files));
        Ok(certified)
    }

    async fn offer(&mut self, offer: Offer, agent: Option<&mut Agent>, methods: &MethodSet) -> Result<AuthResult, Error> {
        let refused = || AuthResult::Failure { remaining_methods: methods.clone(), partial_success: false };
        let (hop, user, answer) = (self.hop, self.hop.user.clone(), self.limits.answer);
        match offer {
            Offer::Agent(identity) => {
                let Some(agent) = agent else { return Ok(refused()) };
                self.tried.push(format!("{} of the agent", printable(identity.comment())));
                let hash = self.hash_for(&identity.public_key()).await?;
                // The agent may ask its own person first.
                let result = match identity {
                    AgentIdentity::PublicKey { key, .. } => {
                        timeout(hop, answer, self.handle.authenticate_publickey_with(user, key, hash, agent)).await?
                    }
                    AgentIdentity::Certificate { certificate, .. } => {
                        timeout(hop, answer, self.handle.authenticate_certificate_with(user, certificate, hash, agent)).await?
                    }
                };
                // An agent that does not sign is no reason to stop.
                Ok(result.unwrap_or_else(|_| refused()))
            }
            Offer::File { path, public, certificate } => {
                let name = path.display().to_string();
                self.tried.push(if certificate.is_some() { format!("{name} with its certificate") } else { name.clone() });
                let text = read_private(&path).map_err(|reason| self.key_error(&path, reason.to_string()))?;
                let key = match decode(&text, None) {
                    Ok(key) => key,
                    Err(Unusable::Encrypted) => {
                        // Asked for only once the server wants this key.
                        if let Some(public) = public {
                            let hash = self.hash_for(&public).await?;
                            let mut probe = Probe { wanted: false };
                            let asked = match certificate.clone() {
                                Some(it) => {
                                    timeout(
                                        hop,
                                        answer,
                                        self.handle.authenticate_certificate_with(user.clone(), it, hash, &mut probe),
                                    )
                                    .await?
                                }
                                None => {
                                    timeout(
                                        hop,
                                        answer,
                                        self.handle.authenticate_publickey_with(user.clone(), public, hash, &mut probe),
                                    )
                                    .await?
                                }
                            };
                            if !probe.wanted {
                                return Ok(asked.unwrap_or_else(|_| refused()));
                            }
                        }
                        match self.unlock(&path, &text).await {
                            Ok(key) => key,
                            Err(reason) if self.hop.keys.only && self.hop.keys.files.len() == 1 => {
                                return Err(self.key_error(&path, reason));
                            }
                            Err(reason) => {
                                self.tried.pop();
                                self.tried.push(format!("{name}: {reason}"));
                                return Ok(refused());
                            }
                        }
                    }
                    Err(reason) => return Err(self.key_error(&path, reason.to_string())),
                };
                let hash = self.hash_for(key.public_key()).await?;
                let key = Arc::new(key);
                let login = self.limits.login;
                match certificate {
                    Some(certificate) => {
                        within(hop, login, self.handle.authenticate_openssh_cert(user, key, certificate)).await
                    }
                    None => {
                        let key = PrivateKeyWithHashAlg::new(key, hash);
                        within(hop, login, self.handle.authenticate_publickey(user, key)).await
                    }
                }
            }
        }
    }

    /// Asks for a key's passphrase until it fits; otherwise why there is no key.
    async fn unlock(&self, path: &Path, text: &str) -> Result<PrivateKey, String> {
        for attempt in 0..TRIES {
            let question = Question::Passphrase { path: path.to_owned(), again: attempt > 0 };
            let Some(mut answer) = self.asker.ask(&question, self.limits.answer).await else {
                return Err(
                    "it has a passphrase, and nobody answered; `ssh-add` it to your agent, or say the passphrase".into()
                );
            };
            if let Ok(key) = decode(text, answer.pop().as_ref()) {
                return Ok(key);
            }
        }
        Err(format!("its passphrase was wrong, {TRIES} times"))
    }

    /// Only RSA has a choice of hashes, and SHA-1 is none.
    async fn hash_for(&mut self, key: &PublicKey) -> Result<Option<HashAlg>, Error> {
        if !key.algorithm().is_rsa() {
            return Ok(None);
        }
        if self.rsa_hash.is_none() {
            let best = within(self.hop, self.limits.login, self.handle.best_supported_rsa_hash()).await?;
            self.rsa_hash = Some(best.flatten().unwrap_or(HashAlg::Sha512));
        }
        Ok(self.rsa_hash)
    }

    async fn password(&mut self, again: bool) -> Result<Answered, Error> {
        let question = Question::Password { host: self.hop.label.clone(), again };
        let Some(mut answer) = self.asker.ask(&question, self.limits.answer).await else { return Ok(Answered::Nobody) };
        let password = answer.pop().expect("a password is one answer");
        let sent = self.handle.authenticate_password(&self.hop.user, password.expose());
        Ok(Answered::Said(within(self.hop, self.limits.login, sent).await?))
    }

    async fn interactive(&mut self) -> Result<Answered, Error> {
        let (hop, login) = (self.hop, self.limits.login);
        let started = self.handle.authenticate_keyboard_interactive_start(&hop.user, None);
        let mut reply = within(hop, login, started).await?;
        let mut asked = false;
        for _ in 0..MOST_ROUNDS {
            let (name, instructions, prompts) = match reply {
                KeyboardInteractiveAuthResponse::Success => return Ok(Answered::Said(AuthResult::Success)),
                KeyboardInteractiveAuthResponse::Failure { remaining_methods, partial_success } => {
                    let result = AuthResult::Failure { remaining_methods, partial_success };
                    return Ok(if asked { Answered::Said(result) } else { Answered::NotAsked(result) });
                }
                KeyboardInteractiveAuthResponse::InfoRequest { name, instructions, prompts } => (name, instructions, prompts),
            };
            // A round without a question wants an answer without answers.
            let mut answers = Vec::new();
            if !prompts.is_empty() {
                asked = true;
                let prompts = prompts.iter().map(|prompt| Prompt { text: printable(&prompt.prompt), echo: prompt.echo });
                let question = Question::Interactive {
                    host: hop.label.clone(),
                    name: printable(&name),
                    instruction: printable(&instructions),
                    prompts: prompts.collect(),
                };
                match self.asker.ask(&question, self.limits.answer).await {
                    Some(given) => answers = given,
                    None => return Ok(Answered::Nobody),
                }
            }
            let answers = answers.iter().map(|answer| answer.expose().to_owned()).collect();
            reply = within(hop, login, self.handle.authenticate_keyboard_interactive_respond(answers)).await?;
        }
        Err(Error::Protocol { remote: hop.label.clone(), reason: format!("it asked more than {MOST_ROUNDS} times in a row") })
    }
}

/// What came of asking a person.
enum Answered {
    /// The server's word on what was answered.
    Said(AuthResult),
    /// The server refused without a question.
    NotAsked(AuthResult),
    Nobody,
}

async fn timeout<T>(hop: &Hop, limit: Duration, work: impl Future<Output = T>) -> Result<T, Error> {
    tokio::time::timeout(limit, work).await.map_err(|_| Error::Unreachable {
        remote: hop.label.clone(),
        reason: format!("it did not answer our login within {} s", limit.as_secs_f32()),
    })
}

async fn within<T, E: std::fmt::Display>(
    hop: &Hop,
    limit: Duration,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, Error> {
    let result = timeout(hop, limit, work).await?;
    result.map_err(|error| Error::Protocol { remote: hop.label.clone(), reason: error.to_string() })
}

type Agent = AgentClient<UnixStream>;

/// An agent that is not there has no keys.
async fn connect_agent(socket: Option<&Path>) -> Option<Agent> {
    AgentClient::connect_uds(socket?).await.ok()
}

/// Asks whether the server wants a key, and signs nothing.
struct Probe {
    wanted: bool,
}

impl russh::Signer for Probe {
    type Error = SendError;

    async fn auth_sign(&mut self, _: &AgentIdentity, _: Option<HashAlg>, _: Vec<u8>) -> Result<Vec<u8>, SendError> {
        self.wanted = true;
        Err(SendError {})
    }
}

/// What can be known of a private key without its passphrase.
struct Identity {
    path: PathBuf,
    public: Option<PublicKey>,
    certificate: Option<Certificate>,
    /// Whether the private part is there.
    private: bool,
}

/// Why a key's file is of no use.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("there is no such file")]
    Missing,
    #[error("it has a passphrase")]
    Encrypted,
    #[error("its mode is {0:04o}, so others may read it; `chmod 600` it")]
    Open(u32),
    #[error("it is no private key that vlm can read ({0})")]
    Format(String),
    #[error("{0}")]
    Read(io::Error),
}

impl Identity {
    fn read(path: &Path) -> Result<Identity, Unusable> {
        let beside = |suffix: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            fs::read_to_string(name).ok()
        };
        let public = || beside(".pub").and_then(|text| PublicKey::from_openssh(&text).ok());
        let certificate = beside("-cert.pub").and_then(|text| Certificate::from_openssh(&text).ok());
        let path = path.to_owned();
        let text = match read_private(&path) {
            Ok(text) => text,
            // The agent may have what the public part is left of.
            Err(Unusable::Missing) => {
                let public = public().ok_or(Unusable::Missing)?;
                return Ok(Identity { path, public: Some(public), certificate, private: false });
            }
            Err(reason) => return Err(reason),
        };
        // `IdentityFile KEY.pub` means the agent's key.
        if let Ok(public) = PublicKey::from_openssh(&text) {
            return Ok(Identity { path, public: Some(public), certificate: None, private: false });
        }
        let public = match decode(&text, None) {
            Ok(key) => Some(key.public_key().clone()),
            // OpenSSH's own format tells the public part all the same.
            Err(Unusable::Encrypted) => {
                PrivateKey::from_openssh(text.as_str()).ok().map(|key| key.public_key().clone()).or_else(public)
            }
            Err(reason) => return Err(reason),
        };
        Ok(Identity { path, public, certificate, private: true })
    }
}

/// A private key's file, unless others may read it, too: as OpenSSH has it.
fn read_private(path: &Path) -> Result<Zeroizing<String>, Unusable> {
    let missing = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Unusable::Missing,
        _ => Unusable::Read(error),
    };
    let about = fs::metadata(path).map_err(missing)?;
    let bytes = Zeroizing::new(fs::read(path).map_err(missing)?);
    let text = std::str::from_utf8(&bytes).map_err(|_| Unusable::Format("it is not text".into()))?;
    let is_public = PublicKey::from_openssh(text).is_ok();
    if !is_public && about.uid() == rustix::process::getuid().as_raw() && about.mode() & 0o077 != 0 {
        return Err(Unusable::Open(about.mode() & 0o7777));
    }
    Ok(Zeroizing::new(text.to_owned()))
}

fn decode(text: &str, passphrase: Option<&Secret>) -> Result<PrivateKey, Unusable> {
    russh::keys::decode_secret_key(text, passphrase.map(Secret::expose)).map_err(|error| match error {
        russh::keys::Error::KeyIsEncrypted => Unusable::Encrypted,
        error => Unusable::Format(error.to_string()),
    })
}
