//! The way to a host: what was typed and what the user's ssh configuration adds to it, one hop after the other.

use std::{
    fs::{self, File},
    io::Read,
    net::Ipv6Addr,
    path::{Path, PathBuf},
    str::FromStr,
};

use super::{
    config::{Asked, Config, Here, Resolved, SshConfigHost},
    known_hosts::Name,
    link::{Error, Remote},
    trust::{Expected, KnownFile, Pin},
};

/// Hosts on the way to a host; more is a circle.
const MOST_HOPS: usize = 8;

/// A host as somebody names it: `[USER@]ADDRESS[:PORT]`, an IPv6 address in brackets where there is a port. The address may be an
/// alias of the user's ssh configuration, which also says what is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The account there.
    pub user: Option<String>,
    /// Host name, address or alias.
    pub address: String,
    /// sshd's TCP port.
    pub port: Option<u16>,
    /// The private key's file.
    pub identity: Option<PathBuf>,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Target, String> {
        let form = || format!("`{text}` is no [USER@]ADDRESS[:PORT], such as root@lab1.example.org or ada@[fd00::7]:2222");
        let (user, place) = match text.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, text),
        };
        let (address, port) = match place.strip_prefix('[') {
            Some(rest) => {
                let (address, rest) = rest.split_once(']').ok_or_else(form)?;
                let port = rest.strip_prefix(':');
                if port.is_none() && !rest.is_empty() {
                    return Err(form());
                }
                (address, port)
            }
            None => place.split_once(':').map_or((place, None), |(address, port)| (address, Some(port))),
        };
        let plain = |text: &str, more: &str| {
            !text.is_empty() && !text.starts_with('-') && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
        };
        // What other programs would take for an option, a path or a part of a URI is no name.
        if user.is_some_and(|user| !plain(user, "._-")) || !plain(address, if place.starts_with('[') { ":.%" } else { ".-_" }) {
            return Err(form());
        }
        let port = port.map(|port| port.parse().ok().filter(|port| *port != 0).ok_or_else(form)).transpose()?;
        Ok(Target { user: user.map(str::to_owned), address: address.to_owned(), port, identity: None })
    }
}

/// The hosts that the user's configuration names.
pub fn config_hosts() -> Result<Vec<SshConfigHost>, Error> {
    let (config, user) = of_user()?;
    Ok(config.hosts(&user.here()))
}

/// Files of private keys in the user's `~/.ssh`, by name.
pub fn identities() -> Vec<PathBuf> {
    let home = std::env::var_os("HOME").map_or_else(|| "/".into(), PathBuf::from);
    identities_in(&home.join(".ssh"))
}

fn identities_in(dir: &Path) -> Vec<PathBuf> {
    let is_key = |path: &PathBuf| {
        let mut head = [0; 64];
        let read = File::open(path).and_then(|mut file| file.read(&mut head)).unwrap_or(0);
        let head = String::from_utf8_lossy(&head[..read]);
        head.lines().next().is_some_and(|line| line.starts_with("-----BEGIN ") && line.ends_with(" PRIVATE KEY-----"))
    };
    let entries = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    // Opening what is no file may wait for ever.
    let mut keys: Vec<PathBuf> = entries.filter(|path| path.is_file()).filter(is_key).collect();
    keys.sort();
    keys
}

impl Target {
    /// What was typed into fields of its own, held to the same rules.
    pub fn of(user: Option<&str>, address: &str, port: Option<u16>, identity: Option<PathBuf>) -> Result<Target, String> {
        let is_ipv6 = address.split('%').next().is_some_and(|bare| bare.parse::<Ipv6Addr>().is_ok());
        if address.contains('@') || address.contains(':') && !is_ipv6 {
            return Err(format!("`{address}` is no address; write user and port into their own fields"));
        }
        let user = user.map_or(String::new(), |user| format!("{user}@"));
        let address = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
        let port = port.map_or(String::new(), |port| format!(":{port}"));
        Ok(Target { identity, ..format!("{user}{address}{port}").parse()? })
    }

    /// The host to store: user and port as they are to stay, by the user's configuration where they were left out. The address
    /// stays as it was typed, so that an alias goes on to mean what the configuration says.
    pub fn remote(&self) -> Result<Remote, Error> {
        let (config, user) = of_user()?;
        let here = user.here();
        let asked = Asked { address: &self.address, user: self.user.as_deref(), port: self.port };
        let resolved = config.resolve(asked, &here)?;
        Ok(Remote {
            address: self.address.clone(),
            port: resolved.port,
            user: resolved.user,
            identity: self.identity.clone(),
            host_key: None,
        })
    }
}

/// One host on the way, the last of which is the one that is meant.
#[derive(Debug, Clone)]
pub(super) struct Hop {
    /// `USER@ADDRESS[:PORT]`, as it was typed.
    pub label: String,
    /// Its name or address for the network.
    pub host: String,
    pub port: u16,
    pub user: String,
    pub expected: Expected,
    pub keys: Keys,
}

/// The keys to log in with.
#[derive(Debug, Clone, Default)]
pub(super) struct Keys {
    /// Files of private keys, in order.
    pub files: Vec<PathBuf>,
    /// Whether somebody has named the files, so that one that is missing is worth a word.
    pub named: bool,
    /// Whether no key counts that no file names.
    pub only: bool,
    /// The agent's socket.
    pub agent: Option<PathBuf>,
}

/// The whole way.
#[derive(Debug)]
pub(super) struct Route {
    /// Nearest first; there is at least one.
    pub hops: Vec<Hop>,
    /// What the configuration says and we pass over.
    pub notes: Vec<String>,
}

/// The user at this computer.
pub(super) struct User {
    home: PathBuf,
    name: String,
}

impl User {
    fn here(&self) -> Here<'_> {
        Here {
            home: &self.home,
            user: &self.name,
            uid: rustix::process::getuid().as_raw(),
            variable: &|name| std::env::var(name).ok(),
        }
    }
}

/// The user's configuration, and who that is.
fn of_user() -> Result<(Config, User), Error> {
    let home = std::env::var_os("HOME").map_or_else(|| "/".into(), PathBuf::from);
    let name = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_else(|_| "root".into());
    Ok((Config::of_user(&home)?, User { home, name }))
}

impl Route {
    /// The way to `remote` by the user's configuration.
    pub fn of_user(remote: &Remote) -> Result<Route, Error> {
        let (config, user) = of_user()?;
        Route::to(remote, &config, &user.here())
    }

    /// The way to `remote`.
    pub fn to(remote: &Remote, config: &Config, here: &Here<'_>) -> Result<Route, Error> {
        let mut pins = remote.host_key.as_deref().unwrap_or_default().splitn(2, '\n');
        let pin = pins.next().filter(|line| !line.is_empty()).map(Pin::read).transpose().map_err(|error| Error::Protocol {
            remote: remote.to_string(),
            reason: format!("the key that was accepted cannot be read: {error}"),
        })?;
        let accepted = KnownFile { label: "what you have accepted".into(), text: pins.next().unwrap_or_default().into() };
        let target = Target {
            user: Some(remote.user.clone()),
            address: remote.address.clone(),
            port: Some(remote.port),
            identity: remote.identity.clone(),
        };
        let mut guide = Guide { config, here, accepted, route: Route { hops: Vec::new(), notes: Vec::new() } };
        guide.add(&target, None, 0)?;
        let mut route = guide.route;
        route.hops.last_mut().expect("a route leads somewhere").expected.pin = pin;
        Ok(route)
    }
}

/// Finds a way.
struct Guide<'a> {
    config: &'a Config,
    here: &'a Here<'a>,
    /// Keys of hosts on the way that were accepted when the host was added.
    accepted: KnownFile,
    route: Route,
}

impl Guide<'_> {
    /// Adds a host with the way to it: through `jumps` where somebody has named them, otherwise through those of its own.
    fn add(&mut self, target: &Target, jumps: Option<&[String]>, depth: usize) -> Result<(), Error> {
        let asked = Asked { address: &target.address, user: target.user.as_deref(), port: target.port };
        let resolved = self.config.resolve(asked, self.here)?;
        let label = Remote {
            address: target.address.clone(),
            port: resolved.port,
            user: resolved.user.clone(),
            identity: None,
            host_key: None,
        }
        .to_string();
        if depth > MOST_HOPS {
            return Err(Error::Circle { remote: label });
        }
        if let Some((near, further)) = jumps.unwrap_or(&resolved.jumps).split_last() {
            let plain = near.strip_prefix("ssh://").unwrap_or(near);
            let jump: Target = plain.parse().map_err(|_| Error::JumpName { remote: label.clone(), jump: near.clone() })?;
            // A `ProxyJump` for all hosts is meant for all but the one that it names; OpenSSH calls that a loop.
            let asked = Asked { address: &jump.address, user: None, port: jump.port };
            let itself = self
                .config
                .resolve(asked, self.here)
                .is_ok_and(|jump| jump.host_name == resolved.host_name && jump.port == resolved.port);
            if !itself {
                // The first of several is reached by what the configuration says of it, the next ones through it.
                self.add(&jump, (!further.is_empty()).then_some(further), depth + 1)?;
            }
        }
        for note in &resolved.notes {
            if !self.route.notes.contains(note) {
                self.route.notes.push(note.clone());
            }
        }
        // What was accepted of hosts on the way says nothing of the host that it leads to.
        let accepted = (depth > 0).then(|| self.accepted.clone());
        let hop = hop(target, label, resolved, accepted, self.here.home);
        self.route.hops.push(hop);
        Ok(())
    }
}

fn hop(target: &Target, label: String, resolved: Resolved, accepted: Option<KnownFile>, home: &Path) -> Hop {
    let ssh = |name: &str| home.join(".ssh").join(name);
    let users = resolved.user_known_hosts.unwrap_or_else(|| ["known_hosts", "known_hosts2"].map(ssh).to_vec());
    let global = resolved
        .global_known_hosts
        .unwrap_or_else(|| ["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"].map(PathBuf::from).to_vec());
    // A file that is not there, or not ours to read, knows nobody.
    let read = |path: &PathBuf| {
        let text = std::fs::read(path).ok()?;
        Some(KnownFile { label: path.display().to_string(), text: String::from_utf8_lossy(&text).into_owned() })
    };
    let files = accepted.into_iter().chain(users.iter().chain(&global).filter_map(read)).collect();
    let keys = match (&target.identity, resolved.identity_files) {
        (Some(path), _) => Keys { files: vec![path.clone()], named: true, only: true, agent: resolved.agent },
        (None, Some(files)) => Keys { files, named: true, only: resolved.identities_only, agent: resolved.agent },
        (None, None) => {
            let files = ["id_rsa", "id_ecdsa", "id_ed25519"].map(ssh).to_vec();
            Keys { files, named: false, only: resolved.identities_only, agent: resolved.agent }
        }
    };
    let name = match &resolved.host_key_alias {
        Some(alias) => Name::alias(alias),
        None => Name::new(&resolved.host_name, resolved.port),
    };
    Hop {
        label,
        host: resolved.host_name,
        port: resolved.port,
        user: resolved.user,
        expected: Expected { name, pin: None, files, fingerprint: None },
        keys,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_into_fields_is_held_to_the_same_rules() {
        let of = |user: Option<&str>, address: &str, port| {
            Target::of(user, address, port, None).map(|target| (target.user, target.address, target.port))
        };
        assert_eq!(of(Some("ada"), "lab1", Some(22)).unwrap(), (Some("ada".into()), "lab1".into(), Some(22)));
        assert_eq!(of(None, "fd00::7", None).unwrap(), (None, "fd00::7".into(), None));
        for (user, address, port) in [
            (None, "", None),
            (None, "-oProxyCommand=x", None),
            (None, "lab1:22", Some(22)),
            (None, "root@lab1", None),
            (Some("a b"), "lab1", None),
            (Some("-l"), "lab1", None),
            (None, "lab1", Some(0)),
        ] {
            assert!(of(user, address, port).is_err(), "{user:?} {address:?} {port:?}");
        }
    }

    #[test]
    fn private_keys_are_told_from_what_else_lies_there() {
        let dir = tempfile::tempdir().unwrap();
        let pair = crate::ssh::generate_key().unwrap();
        for (name, text) in [
            ("lab", pair.private.as_str()),
            ("id_rsa", "-----BEGIN RSA PRIVATE KEY-----\nx\n"),
            ("lab.pub", pair.public.as_str()),
            ("config", "Host *\n"),
            ("empty", ""),
            ("cert.pem", "-----BEGIN CERTIFICATE-----\n"),
        ] {
            fs::write(dir.path().join(name), text).unwrap();
        }
        fs::create_dir(dir.path().join("folder")).unwrap();
        assert_eq!(identities_in(dir.path()), [dir.path().join("id_rsa"), dir.path().join("lab")]);
        assert!(identities_in(Path::new("/nowhere")).is_empty());
    }
}
