//! The way to a host, tried on SSH servers in this process: what is offered, what is asked, what is said when it fails.

use std::{
    borrow::Cow,
    collections::VecDeque,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use russh::{
    Channel, ChannelOpenFailure, MethodKind, MethodSet,
    keys::{
        Algorithm, Certificate, HashAlg, PrivateKey, PublicKey,
        signature::Signer,
        ssh_key::{
            Cipher, Kdf, LineEnding,
            certificate::{Builder, CertType},
        },
    },
    server::{self, Auth, ChannelOpenHandle, Msg, PublicKeyOffer, Response, Session, VerifiedPublicKey},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, UnixListener},
};

use super::{
    ask::{Answer, Asker, Person, Prompt, Question, Secret},
    config::{Config, Here},
    link::{Error, Limits, Link, Remote, Trust},
    route::{Route, Target},
};

fn new_key() -> PrivateKey {
    PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).unwrap()
}

fn line_of(key: &PrivateKey) -> String {
    PublicKey::new(key.public_key().key_data().clone(), "").to_openssh().unwrap()
}

fn fingerprint(key: &PrivateKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

/// Questions, whether their answers may be seen, and the right answers.
type Round = (Vec<(&'static str, bool)>, Vec<&'static str>);

/// What a server lets in, and what it was told.
#[derive(Clone, Default)]
struct Door {
    keys: Vec<PublicKey>,
    /// Whose certificates count.
    authority: Option<PublicKey>,
    /// Whether a key is not enough.
    and_questions: bool,
    password: Option<&'static str>,
    /// Rounds of questions, each with the right answers.
    rounds: Vec<Round>,
    banner: Option<&'static str>,
    /// Whether it connects further.
    forwards: bool,
    told: Arc<Mutex<Vec<String>>>,
}

impl Door {
    fn tell(&self, what: impl Into<String>) {
        self.told.lock().unwrap().push(what.into());
    }

    fn methods(&self) -> Vec<MethodKind> {
        let mut methods = Vec::new();
        if !self.keys.is_empty() || self.authority.is_some() {
            methods.push(MethodKind::PublicKey);
        }
        if !self.rounds.is_empty() && !self.and_questions {
            methods.push(MethodKind::KeyboardInteractive);
        }
        if self.password.is_some() {
            methods.push(MethodKind::Password);
        }
        methods
    }
}

/// One connection to it.
struct Visit {
    door: Door,
    round: usize,
}

impl Visit {
    fn ask(&self) -> Auth {
        let prompts: Vec<_> = self.door.rounds[self.round].0.iter().map(|(text, echo)| (Cow::Borrowed(*text), *echo)).collect();
        Auth::Partial { name: "Two\u{1b}[2Jsteps".into(), instructions: "".into(), prompts: prompts.into() }
    }
}

impl server::Handler for Visit {
    type Error = russh::Error;

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, Self::Error> {
        self.door.tell(format!("{user} says {password}"));
        // As sshd does, it takes another try; russh's own answer would not.
        let again = Some(MethodSet::from(&self.door.methods()[..]));
        let right = self.door.password == Some(password);
        Ok(if right { Auth::Accept } else { Auth::Reject { proceed_with_methods: again, partial_success: false } })
    }

    async fn auth_publickey_offered(&mut self, _: &str, offer: PublicKeyOffer<'_>) -> Result<Auth, Self::Error> {
        self.door.tell(format!("offered {}", offer.public_key.fingerprint(HashAlg::Sha256)));
        let known = self.door.keys.iter().any(|key| key.key_data() == offer.public_key.key_data());
        // Of a certificate, its key is all that is seen here.
        Ok(if known || self.door.authority.is_some() { Auth::Accept } else { Auth::reject() })
    }

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        self.door.tell(format!("{user} has {}", key.public_key.fingerprint(HashAlg::Sha256)));
        if !self.door.and_questions {
            return Ok(Auth::Accept);
        }
        let rest = MethodSet::from(&[MethodKind::KeyboardInteractive][..]);
        Ok(Auth::Reject { proceed_with_methods: Some(rest), partial_success: true })
    }

    async fn auth_openssh_certificate(&mut self, user: &str, certificate: &Certificate) -> Result<Auth, Self::Error> {
        self.door.tell(format!("{user} has the certificate {}", certificate.key_id()));
        let known = self.door.authority.as_ref().is_some_and(|key| key.key_data() == certificate.signature_key());
        Ok(if known { Auth::Accept } else { Auth::reject() })
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _: &str,
        _: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, Self::Error> {
        let Some(response) = response else {
            self.round = 0;
            return Ok(if self.door.rounds.is_empty() { Auth::reject() } else { self.ask() });
        };
        let answers: Vec<_> = response.map(|answer| String::from_utf8_lossy(&answer).into_owned()).collect();
        self.door.tell(format!("answers {answers:?}"));
        if answers != self.door.rounds[self.round].1 {
            return Ok(Auth::reject());
        }
        self.round += 1;
        Ok(if self.round == self.door.rounds.len() { Auth::Accept } else { self.ask() })
    }

    async fn authentication_banner(&mut self) -> Result<Option<String>, Self::Error> {
        Ok(self.door.banner.map(str::to_owned))
    }

    async fn channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        self.door.tell(format!("to {host} at {port}"));
        if !self.door.forwards {
            reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
            return Ok(());
        }
        match tokio::net::TcpStream::connect((host, port as u16)).await {
            Err(_) => reply.reject(ChannelOpenFailure::ConnectFailed).await,
            Ok(mut further) => {
                reply.accept().await;
                tokio::spawn(async move {
                    let _ = tokio::io::copy_bidirectional(&mut channel.into_stream(), &mut further).await;
                });
            }
        }
        Ok(())
    }
}

/// A server at work.
struct Server {
    port: u16,
    key: PrivateKey,
    told: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn new(door: Door) -> Server {
        Server::with(door, new_key(), Vec::new()).await
    }

    async fn with(door: Door, key: PrivateKey, certificates: Vec<Certificate>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, told) = (listener.local_addr().unwrap().port(), door.told.clone());
        let config = Arc::new(server::Config {
            methods: MethodSet::from(&door.methods()[..]),
            auth_rejection_time: Duration::ZERO,
            keys: vec![key.clone()],
            certificates,
            max_auth_attempts: 6,
            ..server::Config::default()
        });
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let visit = Visit { door: door.clone(), round: 0 };
                let config = config.clone();
                tokio::spawn(async move {
                    if let Ok(session) = server::run_stream(config, stream, visit).await {
                        let _ = session.await;
                    }
                });
            }
        });
        Server { port, key, told }
    }

    /// Its line of known_hosts.
    fn known(&self) -> String {
        format!("[127.0.0.1]:{} {}\n", self.port, line_of(&self.key))
    }

    fn told(&self) -> Vec<String> {
        std::mem::take(&mut self.told.lock().unwrap())
    }
}

/// Somebody who gives the answers of a list, and then none.
#[derive(Default)]
struct Script {
    answers: Mutex<VecDeque<Vec<&'static str>>>,
    asked: Mutex<Vec<Question>>,
}

impl Person for Arc<Script> {
    fn answer<'a>(&'a self, question: &'a Question) -> Answer<'a> {
        self.asked.lock().unwrap().push(question.clone());
        let answers = self.answers.lock().unwrap().pop_front();
        Box::pin(async move { answers.map(|all| all.into_iter().map(|one| Secret::new(one.to_owned())).collect()) })
    }

    fn tell(&self, _: &str) {}
}

/// A user's home, and the user.
struct Home {
    dir: tempfile::TempDir,
    config: String,
    script: Arc<Script>,
    limits: Limits,
}

impl Home {
    fn new(known_hosts: &str) -> Home {
        let home = Home {
            dir: tempfile::tempdir().unwrap(),
            config: String::new(),
            script: Arc::default(),
            // The hosts are near, and the machine may be busy.
            limits: Limits {
                connect: Duration::from_secs(20),
                login: Duration::from_secs(20),
                answer: Duration::from_secs(20),
            },
        };
        home.write(".ssh/known_hosts", known_hosts, 0o600);
        home
    }

    fn write(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    /// Writes a private key, with a passphrase or without.
    fn write_key(&self, name: &str, key: &PrivateKey, passphrase: Option<&str>) -> PathBuf {
        let key = match passphrase {
            Some(passphrase) => {
                // One round of hashing: a test needs no more.
                let kdf = Kdf::Bcrypt { salt: vec![7; 16], rounds: 1 };
                key.encrypt_with(Cipher::Aes256Ctr, kdf, 7, passphrase).unwrap()
            }
            None => key.clone(),
        };
        self.write(name, &key.to_openssh(LineEnding::LF).unwrap(), 0o600)
    }

    fn answers<const N: usize>(&self, answers: [&[&'static str]; N]) {
        *self.script.answers.lock().unwrap() = answers.iter().map(|one| one.to_vec()).collect();
    }

    fn asked(&self) -> Vec<Question> {
        std::mem::take(&mut self.script.asked.lock().unwrap())
    }

    async fn enter(&self, remote: &Remote, trust: Trust<'_>) -> Result<(Link, String), Error> {
        let variable = |_: &str| None;
        let here = Here { home: self.dir.path(), user: "ada", uid: 1000, variable: &variable };
        let mut config = Config::default();
        config.add(Path::new("config"), &self.config, &|_| Ok(Vec::new()))?;
        let route = Route::to(remote, &config, &here)?;
        Link::along(remote, route, trust, &Asker::new(self.script.clone()), &self.limits).await
    }

    /// Enters a server at its address.
    async fn go(&self, server: &Server, identity: Option<&Path>) -> Result<String, String> {
        let remote = Remote { identity: identity.map(Path::to_owned), ..remote(server.port) };
        match self.enter(&remote, Trust::Known).await {
            Ok((link, pins)) => {
                assert!(link.is_open());
                Ok(pins)
            }
            Err(error) => Err(crate::chain(&error).replace(&format!(":{}", server.port), ":PORT")),
        }
    }
}

fn remote(port: u16) -> Remote {
    Remote { address: "127.0.0.1".into(), port, user: "ada".into(), identity: None, host_key: None }
}

fn public(keys: &[&PrivateKey]) -> Vec<PublicKey> {
    keys.iter().map(|key| key.public_key().clone()).collect()
}

#[tokio::test]
async fn keys_are_offered_in_order_and_the_first_that_fits_is_used() {
    let (mine, other) = (new_key(), new_key());
    let server = Server::new(Door { keys: public(&[&mine]), ..Door::default() }).await;
    let home = Home::new(&server.known());
    // The usual files, in OpenSSH's order.
    home.write_key(".ssh/id_ecdsa", &other, None);
    home.write_key(".ssh/id_ed25519", &mine, None);
    assert_eq!(home.go(&server, None).await.unwrap(), line_of(&server.key));
    let used = [
        format!("offered {}", fingerprint(&other)),
        format!("offered {}", fingerprint(&mine)),
        format!("ada has {}", fingerprint(&mine)),
    ];
    let mut told = server.told();
    told.dedup();
    assert_eq!(told, used);
    // One that was named is the only one.
    let named = home.write_key("named", &other, None);
    assert_eq!(
        home.go(&server, Some(&named)).await.unwrap_err(),
        format!("ada@127.0.0.1:PORT does not let us in: tried {}; it takes publickey", named.display())
    );
    assert_eq!(server.told(), [format!("offered {}", fingerprint(&other))]);
    assert_eq!(home.asked(), []);
}

#[tokio::test]
async fn a_key_file_that_is_of_no_use_is_named_with_its_reason() {
    let mine = new_key();
    let server = Server::new(Door { keys: public(&[&mine]), ..Door::default() }).await;
    let home = Home::new(&server.known());
    let path = home.dir.path().join("key");
    let say = |reason: &str| format!("could not use the key {}: {reason}", path.display());
    assert_eq!(home.go(&server, Some(&path)).await.unwrap_err(), say("there is no such file"));
    home.write("key", "hello\n", 0o600);
    let error = home.go(&server, Some(&path)).await.unwrap_err();
    assert!(error.starts_with(&say("it is no private key that vlm can read (")), "{error}");
    home.write("key.pub", &line_of(&mine), 0o644);
    fs::remove_file(&path).unwrap();
    let error = home.go(&server, Some(&path)).await.unwrap_err();
    assert!(error.contains(&format!("{}: it is a public key, and no agent has the private one", path.display())), "{error}");
    home.write_key("key", &mine, None);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(
        home.go(&server, Some(&path)).await.unwrap_err(),
        say("its mode is 0640, so others may read it; `chmod 600` it")
    );
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    home.go(&server, Some(&path)).await.unwrap();
}

#[tokio::test]
async fn a_passphrase_is_asked_for_a_key_that_the_server_wants() {
    let (mine, other) = (new_key(), new_key());
    let server = Server::new(Door { keys: public(&[&mine]), ..Door::default() }).await;
    let home = Home::new(&server.known());
    home.write_key(".ssh/id_rsa", &other, Some("closed"));
    let path = home.write_key(".ssh/id_ed25519", &mine, Some("open sesame"));
    let question = |again| Question::Passphrase { path: path.clone(), again };
    home.answers([&["wrong"], &["open sesame"]]);
    home.go(&server, None).await.unwrap();
    assert_eq!(home.asked(), [question(false), question(true)]);
    // Wrong for good, and nobody there.
    home.answers([&["wrong"], &["wrong"], &["wrong"], &["open sesame"]]);
    assert_eq!(
        home.go(&server, Some(&path)).await.unwrap_err(),
        format!("could not use the key {}: its passphrase was wrong, 3 times", path.display())
    );
    assert_eq!(home.asked(), [question(false), question(true), question(true)]);
    home.answers([]);
    let reason = "it has a passphrase, and nobody answered; `ssh-add` it to your agent, or say the passphrase";
    assert_eq!(home.go(&server, Some(&path)).await.unwrap_err(), format!("could not use the key {}: {reason}", path.display()));
    let error = home.go(&server, None).await.unwrap_err();
    assert!(error.contains(&format!("{}: {reason}", path.display())), "{error}");
}

#[tokio::test]
async fn a_password_is_asked_three_times_at_most() {
    let server =
        Server::new(Door { password: Some("secret"), banner: Some("Only for\u{1b}[2J staff\r\n"), ..Door::default() }).await;
    let home = Home::new(&server.known());
    let host = format!("ada@127.0.0.1:{}", server.port);
    let question = |again| Question::Password { host: host.clone(), again };
    home.answers([&["first"], &["secret"]]);
    home.go(&server, None).await.unwrap();
    assert_eq!(home.asked(), [question(false), question(true)]);
    assert_eq!(server.told(), ["ada says first", "ada says secret"]);
    home.answers([&["a"], &["b"], &["c"], &["secret"]]);
    assert_eq!(
        home.go(&server, None).await.unwrap_err(),
        "ada@127.0.0.1:PORT does not let us in: tried a password; it takes password; it says: Only for\u{fffd}[2J staff"
    );
    assert_eq!(server.told(), ["ada says a", "ada says b", "ada says c"]);
    home.answers([]);
    let error = home.go(&server, None).await.unwrap_err();
    assert!(error.contains("tried a password: nobody answered; it takes password"), "{error}");
    assert_eq!(server.told(), [""; 0]);
}

#[tokio::test]
async fn a_server_asks_in_its_own_words_and_rounds() {
    let door = Door {
        rounds: vec![
            (vec![("Password: ", false), ("City\u{7}? ", true)], vec!["secret", "Turin"]),
            (vec![], vec![]),
            (vec![("Code: ", false)], vec!["123456"]),
        ],
        ..Door::default()
    };
    let server = Server::new(door.clone()).await;
    let home = Home::new(&server.known());
    let host = format!("ada@127.0.0.1:{}", server.port);
    let question = |prompts: &[(&str, bool)]| Question::Interactive {
        host: host.clone(),
        name: "Two\u{fffd}[2Jsteps".into(),
        instruction: String::new(),
        prompts: prompts.iter().map(|(text, echo)| Prompt { text: text.to_string(), echo: *echo }).collect(),
    };
    let first = question(&[("Password: ", false), ("City\u{fffd}? ", true)]);
    home.answers([&["secret", "Turin"], &["123456"]]);
    home.go(&server, None).await.unwrap();
    assert_eq!(home.asked(), [first.clone(), question(&[("Code: ", false)])]);
    // From the beginning after a wrong answer, and three times at most.
    home.answers([&["secret", "Rome"], &["secret", "Turin"], &["0"], &["secret", "Oslo"], &["secret", "Turin"]]);
    assert_eq!(
        home.go(&server, None).await.unwrap_err(),
        "ada@127.0.0.1:PORT does not let us in: tried the server's questions; it takes keyboard-interactive"
    );
    assert_eq!(home.asked().len(), 4);
    // A key, and then questions.
    let mine = new_key();
    let server = Server::new(Door { keys: public(&[&mine]), and_questions: true, told: Arc::default(), ..door }).await;
    let home = Home::new(&server.known());
    home.write_key(".ssh/id_ed25519", &mine, None);
    home.answers([&["secret", "Turin"], &["123456"]]);
    home.go(&server, None).await.unwrap();
    assert!(server.told().contains(&format!("ada has {}", fingerprint(&mine))));
}

/// An agent that holds keys; what it was asked to sign with is counted.
fn agent(path: &Path, keys: Vec<PrivateKey>) -> Arc<Mutex<usize>> {
    let listener = UnixListener::bind(path).unwrap();
    let signed = Arc::new(Mutex::new(0));
    let counted = signed.clone();
    let string = |bytes: &[u8]| [&(bytes.len() as u32).to_be_bytes()[..], bytes].concat();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            while let Ok(length) = stream.read_u32().await {
                let mut request = vec![0; length as usize];
                stream.read_exact(&mut request).await.unwrap();
                let reply = match request[0] {
                    11 => {
                        let mut reply = [&[12][..], &(keys.len() as u32).to_be_bytes()].concat();
                        for (number, key) in keys.iter().enumerate() {
                            reply.extend(string(&key.public_key().to_bytes().unwrap()));
                            reply.extend(string(format!("key {number}").as_bytes()));
                        }
                        reply
                    }
                    13 => {
                        let (blob, rest) =
                            request[5..].split_at(u32::from_be_bytes(request[1..5].try_into().unwrap()) as usize);
                        let data = &rest[4..][..u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize];
                        let key = keys.iter().find(|key| key.public_key().to_bytes().unwrap() == blob).unwrap();
                        *counted.lock().unwrap() += 1;
                        [vec![14], string(&Vec::try_from(key.try_sign(data).unwrap()).unwrap())].concat()
                    }
                    _ => vec![5],
                };
                stream.write_all(&string(&reply)).await.unwrap();
            }
        }
    });
    signed
}

#[tokio::test]
async fn an_agent_with_many_keys_ends_a_login_unless_one_is_named() {
    let keys: Vec<_> = (0..9).map(|_| new_key()).collect();
    let mine = keys[8].clone();
    let server = Server::new(Door { keys: public(&[&mine]), ..Door::default() }).await;
    let mut home = Home::new(&server.known());
    let socket = home.dir.path().join("agent");
    let signed = agent(&socket, keys.clone());
    home.config = format!("IdentityAgent {}\n", socket.display());
    let error = home.go(&server, None).await.unwrap_err();
    assert!(error.starts_with("ada@127.0.0.1:PORT ended the connection after "), "{error}");
    assert!(
        error.contains("key 0 of the agent, key 1 of the agent") && error.ends_with("Too many authentication attempts"),
        "{error}"
    );
    assert_eq!(*signed.lock().unwrap(), 0);
    server.told();
    // A file names it: its own key comes first, and the private part is the agent's.
    let named = home.write("mine.pub", &line_of(&mine), 0o644);
    home.config += &format!("IdentityFile {}\n", named.display());
    home.go(&server, None).await.unwrap();
    assert_eq!(server.told()[0], format!("offered {}", fingerprint(&mine)));
    assert_eq!(*signed.lock().unwrap(), 1);
    // An encrypted file whose key the agent holds is not asked about.
    let encrypted = home.write_key("encrypted", &mine, Some("closed"));
    home.go(&server, Some(&encrypted)).await.unwrap();
    assert_eq!((home.asked(), *signed.lock().unwrap()), (Vec::new(), 2));
    // With IdentitiesOnly the others are not offered at all.
    let other = home.write("other.pub", &line_of(&keys[3]), 0o644);
    home.config = format!("IdentityAgent {}\nIdentitiesOnly yes\nIdentityFile {}\n", socket.display(), other.display());
    server.told();
    assert!(home.go(&server, None).await.is_err());
    assert_eq!(server.told(), [format!("offered {}", fingerprint(&keys[3]))]);
}

#[tokio::test]
async fn a_users_certificate_is_offered_before_its_key() {
    let (mine, authority) = (new_key(), new_key());
    let server = Server::new(Door { authority: Some(authority.public_key().clone()), ..Door::default() }).await;
    let home = Home::new(&server.known());
    let path = home.write_key("key", &mine, Some("open"));
    home.write("key-cert.pub", &certify(&mine, &authority, CertType::User, "ada", u64::MAX).to_openssh().unwrap(), 0o644);
    home.answers([&["open"]]);
    home.go(&server, Some(&path)).await.unwrap();
    assert_eq!(server.told().last().unwrap(), "ada has the certificate test");
}

fn certify(subject: &PrivateKey, authority: &PrivateKey, kind: CertType, principal: &str, until: u64) -> Certificate {
    let mut builder = Builder::new_with_random_nonce(&mut rand::rng(), subject.public_key(), 0, until).unwrap();
    builder.key_id("test").unwrap().cert_type(kind).unwrap().valid_principal(principal).unwrap();
    builder.sign(authority).unwrap()
}

#[tokio::test]
async fn an_unknown_host_key_is_asked_about_and_pinned() {
    let mine = new_key();
    let server = Server::new(Door { keys: public(&[&mine]), ..Door::default() }).await;
    let home = Home::new("");
    let named = home.write_key("key", &mine, None);
    let question = Question::HostKey {
        host: format!("ada@127.0.0.1:{}", server.port),
        fingerprint: fingerprint(&server.key),
        key_type: "ssh-ed25519".into(),
        other_types: Vec::new(),
    };
    // Nobody, or no: nothing was sent.
    assert_eq!(
        home.go(&server, Some(&named)).await.unwrap_err(),
        format!("the host key of ada@127.0.0.1:PORT is not known: {}", fingerprint(&server.key))
    );
    assert_eq!((home.asked(), server.told()), (vec![question.clone()], Vec::new()));
    home.answers([&[]]);
    let pins = home.go(&server, Some(&named)).await.unwrap();
    assert_eq!(pins, line_of(&server.key));
    assert_eq!(home.asked(), [question]);
    // From now on it is this key or none.
    let pinned =
        |server: &Server| Remote { identity: Some(named.clone()), host_key: Some(pins.clone()), ..remote(server.port) };
    home.enter(&pinned(&server), Trust::Known).await.unwrap();
    let stranger = Server::new(Door::default()).await;
    fs::write(home.dir.path().join(".ssh/known_hosts"), stranger.known()).unwrap();
    let error = home.enter(&pinned(&stranger), Trust::Known).await.err().unwrap();
    assert!(matches!(&error, Error::WrongHostKey { why, .. } if why == "which is not the one that was accepted"), "{error}");
    assert_eq!(home.asked(), []);
    // A key that is named by its fingerprint needs no question.
    let home = Home::new("");
    let named = Remote { identity: Some(home.write_key("key", &mine, None)), ..remote(server.port) };
    home.enter(&named, Trust::Fingerprint(&fingerprint(&server.key))).await.unwrap();
    let error = home.enter(&named, Trust::Fingerprint("SHA256:x")).await.err().unwrap();
    assert!(matches!(&error, Error::WrongHostKey { why, .. } if why == "not SHA256:x"), "{error}");
}

#[tokio::test]
async fn a_hosts_certificate_stands_for_every_key_that_its_authority_gives_it() {
    let (mine, authority) = (new_key(), new_key());
    let door = Door { keys: public(&[&mine]), ..Door::default() };
    let serve = async |principal, until| {
        let key = new_key();
        let certificate = certify(&key, &authority, CertType::Host, principal, until);
        Server::with(door.clone(), key, vec![certificate]).await
    };
    let home = Home::new(&format!("@cert-authority [127.0.0.*]:* {}\n", line_of(&authority)));
    home.write_key(".ssh/id_ed25519", &mine, None);
    let server = serve("127.0.0.1", u64::MAX).await;
    let pins = home.go(&server, None).await.unwrap();
    assert_eq!(pins, format!("@cert-authority {}", line_of(&authority)));
    // The host has a new key, and the line is gone: the authority was accepted.
    home.write(".ssh/known_hosts", "", 0o600);
    let server = serve("127.0.0.1", u64::MAX).await;
    let pinned = |server: &Server| Remote { host_key: Some(pins.clone()), ..remote(server.port) };
    home.enter(&pinned(&server), Trust::Known).await.unwrap();
    for (server, why) in [
        (
            serve("127.0.0.1", 1_000_000_000).await,
            "with a certificate that does not count: it has expired at 2001-09-09T01:46:40Z",
        ),
        (serve("lab2", u64::MAX).await, "with a certificate that does not count: it is for lab2, not for 127.0.0.1"),
        (
            Server::new(door.clone()).await,
            &format!("without a certificate of {}, by which it was accepted", fingerprint(&authority)),
        ),
    ] {
        server.told();
        let error = home.enter(&pinned(&server), Trust::Known).await.err().unwrap();
        assert!(matches!(&error, Error::WrongHostKey { why: said, .. } if said == why), "{error}");
        assert_eq!(server.told(), [""; 0], "nothing was sent");
    }
}

#[tokio::test]
async fn a_jump_host_is_asked_about_and_remembered_with_the_host() {
    let (mine, near) = (new_key(), new_key());
    let jump = Server::new(Door { keys: public(&[&near]), forwards: true, ..Door::default() }).await;
    let far = Server::new(Door { keys: public(&[&mine]), ..Door::default() }).await;
    let mut home = Home::new(&far.known());
    home.write_key(".ssh/near", &near, None);
    home.write_key(".ssh/id_ed25519", &mine, None);
    home.config = format!(
        "Host far\n HostName 127.0.0.1\n ProxyJump jump\nHost jump\n HostName 127.0.0.1\n Port {}\n User bob\n IdentityFile ~/.ssh/near\n",
        jump.port
    );
    let remote = Remote { address: "far".into(), ..remote(far.port) };
    let error = home.enter(&remote, Trust::Known).await.err().unwrap();
    let label = format!("bob@jump:{}", jump.port);
    assert_eq!(
        crate::chain(&error),
        format!(
            "{remote} is reached through {label}, and that failed: the host key of {label} is not known: {}",
            fingerprint(&jump.key)
        )
    );
    home.asked();
    home.answers([&[]]);
    let (link, pins) = home.enter(&remote, Trust::Known).await.unwrap();
    assert_eq!(pins, format!("{}\n[127.0.0.1]:{} {}", line_of(&far.key), jump.port, line_of(&jump.key)));
    assert!(link.is_open());
    assert_eq!(jump.told().last().unwrap(), &format!("to 127.0.0.1 at {}", far.port));
    assert_eq!(far.told().last().unwrap(), &format!("ada has {}", fingerprint(&mine)));
    // Stored, nobody is asked again.
    home.asked();
    let stored = Remote { host_key: Some(pins), ..remote.clone() };
    home.enter(&stored, Trust::Known).await.unwrap();
    assert_eq!(home.asked(), []);
    // What was accepted for the way is nothing for the host itself.
    let error = home.enter(&Remote { host_key: Some(line_of(&jump.key)), ..remote }, Trust::Known).await;
    home.answers([&[]]);
    assert!(matches!(error, Err(Error::Through { .. })));
}

#[tokio::test]
async fn a_way_that_fails_names_the_hop() {
    let mine = new_key();
    let door = Door { keys: public(&[&mine]), ..Door::default() };
    let (first, second) = (Server::new(Door { forwards: true, ..door.clone() }).await, Server::new(door.clone()).await);
    let target = Server::new(door).await;
    let mut home = Home::new(&format!("{}{}{}", first.known(), second.known(), target.known()));
    home.write_key(".ssh/id_ed25519", &mine, None);
    let way = |jumps: &str| format!("Host far\n HostName 127.0.0.1\n ProxyJump {jumps}\n");
    let (one, two) = (format!("127.0.0.1:{}", first.port), format!("127.0.0.1:{}", second.port));
    let remote = Remote { address: "far".into(), ..remote(target.port) };
    let enter = async |home: &Home, remote: &Remote| {
        home.enter(remote, Trust::Known).await.err().map(|error| crate::chain(&error)).unwrap_or_default()
    };
    // Through the first, the second is reached; it goes no further.
    home.config = way(&format!("{one},{two}"));
    assert_eq!(
        enter(&home, &remote).await,
        format!("could not reach {remote}: ada@{two} forbids connections through it (AllowTcpForwarding in its sshd_config)")
    );
    // The jump does not reach the host.
    home.config = way(&one);
    assert_eq!(enter(&home, &remote).await, "");
    let closed = Remote { port: 1, ..remote.clone() };
    assert_eq!(
        enter(&home, &closed).await,
        format!("could not reach {closed}: ada@{one} cannot connect to 127.0.0.1 at port 1")
    );
    // The jump is not there.
    home.config = way("127.0.0.1:1");
    let error = enter(&home, &remote).await;
    assert!(
        error.starts_with(&format!(
            "{remote} is reached through ada@127.0.0.1:1, and that failed: could not reach ada@127.0.0.1:1: Connection refused"
        )),
        "{error}"
    );
    // The jump is none.
    home.config = way("a/b");
    assert_eq!(
        enter(&home, &remote).await,
        format!("ProxyJump names `a/b` on the way to {remote}, which is no [USER@]ADDRESS[:PORT]")
    );
    home.config = "Host a\n ProxyJump b\nHost b\n ProxyJump a\n".into();
    let circle = Remote { address: "a".into(), ..remote };
    assert!(enter(&home, &circle).await.ends_with("ProxyJump in your ssh configuration leads round in a circle"));
}

#[tokio::test]
async fn what_is_no_ssh_server_or_says_nothing_is_told_apart() {
    let mut home = Home::new("");
    let enter = async |home: &Home, port| crate::chain(&home.enter(&remote(port), Trust::Known).await.err().unwrap());
    let answer = |text: &'static [u8], closes: bool| async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(text).await.unwrap();
            if !closes {
                std::future::pending::<()>().await;
            }
            // To the end of what it says: closed early it would be reset.
            let mut gone = vec![0; 1000];
            let _ = stream.read(&mut gone).await;
        });
        port
    };
    let port = answer(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", true).await;
    assert_eq!(enter(&home, port).await, format!("what answers at ada@127.0.0.1:{port} is no SSH server"));
    home.limits.login = Duration::from_millis(50);
    for text in [&b""[..], b"SSH-2.0-OpenSSH_9.2p1\r\n"] {
        let port = answer(text, false).await;
        assert_eq!(
            enter(&home, port).await,
            format!("could not reach ada@127.0.0.1:{port}: it did not go on with SSH within 0.05 s")
        );
    }
    // No name at all, so that no network is asked.
    let nowhere = Remote { address: "no..host".into(), ..remote(22) };
    let error = crate::chain(&home.enter(&nowhere, Trust::Known).await.err().unwrap());
    assert!(error.contains("no address is known for `no..host`, and no `Host no..host` in ~/.ssh/config names one"), "{error}");
}

#[test]
fn targets_are_read_as_they_are_typed() {
    let read = |text: &str| text.parse::<Target>().map(|target| (target.user, target.address, target.port));
    let of = |user: Option<&str>, address: &str, port| Ok((user.map(str::to_owned), address.to_owned(), port));
    assert_eq!(read("lab1"), of(None, "lab1", None));
    assert_eq!(read("root@lab1:2222"), of(Some("root"), "lab1", Some(2222)));
    assert_eq!(read("ada@[fd00::7]:2222"), of(Some("ada"), "fd00::7", Some(2222)));
    assert_eq!(read("[fd00::7%eth0]"), of(None, "fd00::7%eth0", None));
    for wrong in [
        "",
        "@lab1",
        "root@",
        "lab1:",
        "lab1:0",
        "lab1:x",
        "lab1:70000",
        "[fd00::7",
        "[fd00::7]2",
        "fd00::7",
        "-oX=y",
        "root@-o",
        "a b",
        "a/b",
        "a'b",
    ] {
        assert!(read(wrong).unwrap_err().contains("is no [USER@]ADDRESS[:PORT]"), "{wrong}");
    }
}
