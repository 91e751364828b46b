//! OpenSSH's client configuration, read as ssh_config(5) has it, as far as it says how to reach a host.
//!
//! Nothing in it is run: a `Match` that asks more than `all`, `host`, `originalhost` and `user` does not apply, and a
//! `ProxyCommand` is refused. Nothing in it makes us trust more: `StrictHostKeyChecking no` is not read.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::known_hosts::fits;

/// Files that are included in files: OpenSSH's own limit.
const DEEPEST: usize = 16;

/// Why a configuration does not say how to reach a host.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A line that cannot be read.
    #[error("{}:{line}: {reason}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line's number, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The way to the host is a program's.
    #[error(
        "{}:{line}: `ProxyCommand` would run a program to reach {host}, which vlm does not do; write `ProxyJump`, or `ProxyCommand none` for this host",
        path.display()
    )]
    ProxyCommand {
        /// The file.
        path: PathBuf,
        /// The line's number, from 1.
        line: usize,
        /// Who was to be reached.
        host: String,
    },
    /// A file that is there and cannot be read.
    #[error("could not read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file of the user's that somebody else may have written.
    #[error("{} is another user's, or may be written by others; make it yours and `chmod 600` it", path.display())]
    Writable {
        /// The file.
        path: PathBuf,
    },
}

/// What the files say, in the order in which they count.
#[derive(Debug, Default)]
pub struct Config {
    files: Vec<File>,
}

#[derive(Debug)]
struct File {
    path: PathBuf,
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    number: usize,
    what: What,
}

#[derive(Debug)]
enum What {
    Host(Vec<String>),
    Match(Vec<Criterion>),
    Include(Vec<File>),
    /// A keyword in lower case, and its words, of which there is at least one.
    Set(String, Vec<String>),
}

#[derive(Debug)]
struct Criterion {
    /// In lower case.
    name: String,
    negated: bool,
    patterns: String,
}

/// Who is at work here, for `~`, `%d`, `%u`, `%i` and `${NAME}`.
pub struct Here<'a> {
    /// The user's home.
    pub home: &'a Path,
    /// The user's name.
    pub user: &'a str,
    /// The user's number.
    pub uid: u32,
    /// Variables of the environment.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
}

/// What was asked for: a host, and what the configuration cannot change any more.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The address, or an alias for it.
    pub address: &'a str,
    /// The account there, if it was said.
    pub user: Option<&'a str>,
    /// The port, if it was said.
    pub port: Option<u16>,
}

/// How a host is reached.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resolved {
    /// Its name or address for the network.
    pub host_name: String,
    /// sshd's TCP port.
    pub port: u16,
    /// The account there.
    pub user: String,
    /// Files of private keys, in order; none means the usual ones.
    pub identity_files: Option<Vec<PathBuf>>,
    /// Whether keys of the agent count that no file names.
    pub identities_only: bool,
    /// The agent's socket; none means no agent.
    pub agent: Option<PathBuf>,
    /// The hosts on the way, nearest first: `[USER@]ADDRESS[:PORT]`.
    pub jumps: Vec<String>,
    /// Files of known hosts, the user's and then the computer's; none means the usual ones.
    pub user_known_hosts: Option<Vec<PathBuf>>,
    /// The computer's own.
    pub global_known_hosts: Option<Vec<PathBuf>>,
    /// The name under which its key is known, instead of its own.
    pub host_key_alias: Option<String>,
    /// What was passed over, in sentences.
    pub notes: Vec<String>,
}

/// Opens the files that an `Include` names.
type Open<'a> = &'a dyn Fn(&str) -> Result<Vec<(PathBuf, String)>, Error>;

impl Config {
    /// The user's configuration, and then the computer's. Files that are not there say nothing.
    pub fn of_user(home: &Path) -> Result<Config, Error> {
        let mut config = Config::default();
        for (dir, name) in [(home.join(".ssh"), "config"), ("/etc/ssh".into(), "ssh_config")] {
            let path = dir.join(name);
            if let Some(text) = read(&path, home)? {
                config.add(&path, &text, &|pattern| included(pattern, &dir, home))?;
            }
        }
        Ok(config)
    }

    /// Adds a file behind those that are there.
    pub fn add(&mut self, path: &Path, text: &str, open: Open<'_>) -> Result<(), Error> {
        self.files.push(File::parse(path, text, open, 0)?);
        Ok(())
    }

    /// How to reach a host: the first value that applies counts, as in OpenSSH.
    pub fn resolve(&self, asked: Asked<'_>, here: &Here<'_>) -> Result<Resolved, Error> {
        let mut got = Got::new(asked, here);
        for file in &self.files {
            got.apply(file, true)?;
        }
        got.finish()
    }
}

/// A host that the configuration names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct SshConfigHost {
    /// Its name there.
    pub alias: String,
    /// Its name or address for the network, where the configuration says another.
    pub host_name: Option<String>,
    /// The account there, where the configuration says one.
    pub user: Option<String>,
    /// sshd's TCP port, where the configuration says one.
    pub port: Option<u16>,
}

impl Config {
    /// The hosts that it names, without patterns, in the order in which they stand there; and what it says of each, as far as that
    /// can be read.
    pub fn hosts(&self, here: &Here<'_>) -> Vec<SshConfigHost> {
        let mut aliases = Vec::new();
        self.files.iter().for_each(|file| file.names(&mut aliases));
        let host = |alias: String| {
            let mut got = Got::new(Asked { address: &alias, user: None, port: None }, here);
            for file in &self.files {
                if got.apply(file, true).is_err() {
                    break; // who adds the host is told
                }
            }
            let host_name = got.host_so_far().ok().filter(|name| *name != alias);
            let (user, port) = (got.user.clone(), got.port);
            SshConfigHost { alias, host_name, user, port }
        };
        aliases.into_iter().map(host).collect()
    }
}

impl File {
    /// Adds the names behind each `Host` that are no patterns, each once.
    fn names(&self, names: &mut Vec<String>) {
        for line in &self.lines {
            match &line.what {
                What::Host(words) => {
                    for word in words.iter().filter(|word| !word.contains(['*', '?', '!'])) {
                        if !names.contains(word) {
                            names.push(word.clone());
                        }
                    }
                }
                What::Include(files) => files.iter().for_each(|file| file.names(names)),
                What::Match(_) | What::Set(..) => {}
            }
        }
    }
}

/// A file's text; none if it is not there. What lies in the user's home is the user's, and nobody else may write it.
fn read(path: &Path, home: &Path) -> Result<Option<String>, Error> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let about = match fs::metadata(path) {
        Ok(about) => about,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let ours = [0, rustix::process::getuid().as_raw()].contains(&about.uid());
    if path.starts_with(home) && (!ours || about.mode() & 0o022 != 0) {
        return Err(Error::Writable { path: path.to_owned() });
    }
    fs::read(path).map(|bytes| Some(String::from_utf8_lossy(&bytes).into_owned())).map_err(failed)
}

/// The files that fit the pattern of an `Include`, by name; a relative one lies in `dir`.
fn included(pattern: &str, dir: &Path, home: &Path) -> Result<Vec<(PathBuf, String)>, Error> {
    let pattern = match pattern.strip_prefix("~/") {
        Some(rest) => home.join(rest),
        None => dir.join(pattern),
    };
    let mut found = vec![PathBuf::new()];
    for part in pattern.components() {
        let Some(name) = part.as_os_str().to_str() else { return Ok(Vec::new()) };
        if !name.contains(['*', '?']) {
            found.iter_mut().for_each(|path| path.push(name));
            continue;
        }
        let mut deeper = Vec::new();
        for path in &found {
            let names =
                fs::read_dir(path).into_iter().flatten().flatten().filter_map(|entry| entry.file_name().into_string().ok());
            // As in a shell, a pattern finds no hidden file that it does not ask for.
            let fitting = names.filter(|entry| fits(name, entry) && (name.starts_with('.') || !entry.starts_with('.')));
            deeper.extend(fitting.map(|entry| path.join(entry)));
        }
        found = deeper;
    }
    found.sort();
    let texts = found.into_iter().filter(|path| !path.is_dir()).map(|path| Ok(read(&path, home)?.map(|text| (path, text))));
    texts.filter_map(Result::transpose).collect()
}

impl File {
    fn parse(path: &Path, text: &str, open: Open<'_>, depth: usize) -> Result<File, Error> {
        let mut lines = Vec::new();
        for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line)) {
            let wrong = |reason: String| Error::Line { path: path.to_owned(), line: number, reason };
            let Some((keyword, words)) = split(line).map_err(wrong)? else { continue };
            if words.is_empty() {
                return Err(wrong(format!("`{keyword}` says nothing; write a value behind it")));
            }
            let what = match keyword.to_ascii_lowercase().as_str() {
                "host" => What::Host(words),
                "match" => What::Match(criteria(words).map_err(wrong)?),
                "include" if depth == DEEPEST => {
                    return Err(wrong(format!("more than {DEEPEST} files include one another; does one include itself?")));
                }
                "include" => {
                    let mut files = Vec::new();
                    for pattern in words {
                        for (path, text) in open(&pattern)? {
                            files.push(File::parse(&path, &text, open, depth + 1)?);
                        }
                    }
                    What::Include(files)
                }
                keyword => What::Set(keyword.to_owned(), words),
            };
            lines.push(Line { number, what });
        }
        Ok(File { path: path.to_owned(), lines })
    }
}

/// The keyword of a line and the words behind it; none for an empty line or a comment.
fn split(line: &str) -> Result<Option<(String, Vec<String>)>, String> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let end = line.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(line.len());
    let (keyword, rest) = line.split_at(end);
    let rest = rest.trim_start();
    let rest = rest.strip_prefix('=').unwrap_or(rest);
    // What follows is a program's line, whose quotes are a shell's.
    if keyword.eq_ignore_ascii_case("proxycommand") {
        return Ok(Some((keyword.to_owned(), rest.split_whitespace().map(str::to_owned).collect())));
    }
    let mut words = Vec::new();
    let mut chars = rest.chars().peekable();
    loop {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        match chars.peek() {
            None | Some('#') => return Ok(Some((keyword.to_owned(), words))),
            Some(_) => {}
        }
        let (mut word, mut quote) = (String::new(), None);
        while let Some(c) = chars.next_if(|c| quote.is_some() || !c.is_whitespace()) {
            match c {
                '\\' if chars
                    .peek()
                    .is_some_and(|next| ['"', '\'', '\\'].contains(next) || *next == ' ' && quote.is_none()) =>
                {
                    word.extend(chars.next());
                }
                '"' | '\'' if quote == Some(c) => quote = None,
                '"' | '\'' if quote.is_none() => quote = Some(c),
                c => word.push(c),
            }
        }
        if let Some(quote) = quote {
            return Err(format!("a quotation mark {quote} is not closed"));
        }
        words.push(word);
    }
}

fn criteria(words: Vec<String>) -> Result<Vec<Criterion>, String> {
    let mut words = words.into_iter();
    let mut all = Vec::new();
    while let Some(word) = words.next() {
        let (name, given) = match word.split_once('=') {
            Some((name, patterns)) => (name, Some(patterns.to_owned())),
            None => (word.as_str(), None),
        };
        let (negated, name) = name.strip_prefix('!').map_or((false, name), |name| (true, name));
        let name = name.to_ascii_lowercase();
        let alone = ["all", "canonical", "final"].contains(&name.as_str());
        let patterns = match given {
            _ if alone => String::new(),
            Some(patterns) => patterns,
            None => words.next().ok_or_else(|| format!("`Match {name}` says nothing; write a value behind it"))?,
        };
        all.push(Criterion { name, negated, patterns });
    }
    Ok(all)
}

/// Where a line is.
type Place<'a> = (&'a Path, usize);

/// What was found so far. The first value of each counts.
struct Got<'a> {
    asked: Asked<'a>,
    here: &'a Here<'a>,
    host_name: Option<(String, Place<'a>)>,
    port: Option<u16>,
    user: Option<String>,
    identity_files: Vec<(String, Place<'a>)>,
    identities_only: Option<bool>,
    identity_agent: Option<(String, Place<'a>)>,
    proxy: Option<(Proxy, Place<'a>)>,
    user_known_hosts: Option<(Vec<String>, Place<'a>)>,
    global_known_hosts: Option<(Vec<String>, Place<'a>)>,
    host_key_alias: Option<String>,
    notes: Vec<String>,
}

/// `ProxyJump` and `ProxyCommand` stand in one place: whichever comes first counts.
enum Proxy {
    Jump(String),
    Command,
    None,
}

impl<'a> Got<'a> {
    fn new(asked: Asked<'a>, here: &'a Here<'a>) -> Got<'a> {
        Got {
            asked,
            here,
            host_name: None,
            port: asked.port,
            user: asked.user.map(str::to_owned),
            identity_files: Vec::new(),
            identities_only: None,
            identity_agent: None,
            proxy: None,
            user_known_hosts: None,
            global_known_hosts: None,
            host_key_alias: None,
            notes: Vec::new(),
        }
    }

    /// Takes what a file says, if the lines that include it apply.
    fn apply(&mut self, file: &'a File, outside: bool) -> Result<(), Error> {
        let mut applies = outside;
        for line in &file.lines {
            let place = (file.path.as_path(), line.number);
            match &line.what {
                What::Host(patterns) => applies = outside && of_list(patterns.iter().map(String::as_str), self.asked.address),
                What::Match(criteria) => applies = outside && self.matches(criteria, place)?,
                What::Include(files) => {
                    for file in files {
                        self.apply(file, applies)?;
                    }
                }
                What::Set(keyword, words) if applies => {
                    self.set(keyword, words, place).map_err(|reason| at(place, reason))?;
                }
                What::Set(..) => {}
            }
        }
        Ok(())
    }

    fn matches(&mut self, criteria: &[Criterion], place: Place<'_>) -> Result<bool, Error> {
        let mut unknown = None;
        for Criterion { name, negated, patterns } in criteria {
            let fits = match name.as_str() {
                "all" => true,
                "host" => of_list(patterns.to_lowercase().split(','), &self.host_so_far()?.to_lowercase()),
                "originalhost" => of_list(patterns.to_lowercase().split(','), &self.asked.address.to_lowercase()),
                "user" => of_list(patterns.split(','), self.user.as_deref().unwrap_or(self.here.user)),
                _ => {
                    unknown = unknown.or(Some(name));
                    continue;
                }
            };
            if fits == *negated {
                return Ok(false);
            }
        }
        if let Some(name) = unknown {
            let (path, line) = (place.0.display(), place.1);
            self.notes
                .push(format!("{path}:{line}: `Match {name}` is not looked at by vlm, so what stands under it does not apply"));
        }
        Ok(unknown.is_none())
    }

    fn set(&mut self, keyword: &str, words: &[String], place: Place<'a>) -> Result<(), String> {
        let first = &words[0];
        let off = first.eq_ignore_ascii_case("none");
        match keyword {
            "hostname" if self.host_name.is_none() => self.host_name = Some((first.clone(), place)),
            "port" if self.port.is_none() => {
                let port = first.parse().ok().filter(|port| *port != 0);
                self.port = Some(port.ok_or_else(|| format!("`{first}` is no port; write a number from 1 to 65535"))?);
            }
            "user" if self.user.is_none() => self.user = Some(first.clone()),
            "identityfile" => self.identity_files.push((first.clone(), place)),
            "identitiesonly" if self.identities_only.is_none() => {
                self.identities_only = Some(match first.to_ascii_lowercase().as_str() {
                    "yes" | "true" => true,
                    "no" | "false" => false,
                    _ => return Err(format!("`IdentitiesOnly {first}` is neither `yes` nor `no`")),
                });
            }
            "identityagent" if self.identity_agent.is_none() => self.identity_agent = Some((first.clone(), place)),
            "proxyjump" if self.proxy.is_none() => {
                self.proxy = Some((if off { Proxy::None } else { Proxy::Jump(first.clone()) }, place));
            }
            "proxycommand" if self.proxy.is_none() => {
                self.proxy = Some((if off { Proxy::None } else { Proxy::Command }, place));
            }
            "userknownhostsfile" if self.user_known_hosts.is_none() => self.user_known_hosts = Some((words.to_vec(), place)),
            "globalknownhostsfile" if self.global_known_hosts.is_none() => {
                self.global_known_hosts = Some((words.to_vec(), place));
            }
            "hostkeyalias" if self.host_key_alias.is_none() => self.host_key_alias = Some(first.clone()),
            _ => {}
        }
        Ok(())
    }

    /// The name for the network, as far as it is known.
    fn host_so_far(&self) -> Result<String, Error> {
        let address = self.asked.address;
        match &self.host_name {
            None => Ok(address.to_owned()),
            Some((text, place)) => {
                expand(text, |token| (token == 'h').then(|| address.to_owned())).map_err(|reason| at(*place, reason))
            }
        }
    }

    fn finish(self) -> Result<Resolved, Error> {
        let host_name = self.host_so_far()?;
        let port = self.port.unwrap_or(22);
        let user = self.user.clone().unwrap_or_else(|| self.here.user.to_owned());
        let (address, here, alias) = (self.asked.address, self.here, self.host_key_alias.clone());
        let token = |token: char| match token {
            'd' => here.home.to_str().map(str::to_owned),
            'h' => Some(host_name.clone()),
            'i' => Some(here.uid.to_string()),
            'k' => Some(alias.clone().unwrap_or_else(|| host_name.clone())),
            'n' => Some(address.to_owned()),
            'p' => Some(port.to_string()),
            'r' => Some(user.clone()),
            'u' => Some(here.user.to_owned()),
            _ => None,
        };
        let file = |text: &str, place: Place<'_>| -> Result<PathBuf, Error> {
            let text =
                variables(text, here.variable).and_then(|text| expand(&text, token)).map_err(|reason| at(place, reason))?;
            Ok(match text.strip_prefix("~/") {
                Some(rest) => here.home.join(rest),
                None => text.into(),
            })
        };
        let files = |list: Option<(Vec<String>, Place<'_>)>| -> Result<Option<Vec<PathBuf>>, Error> {
            let Some((words, place)) = list else { return Ok(None) };
            let named = words.iter().filter(|word| !word.eq_ignore_ascii_case("none"));
            named.map(|word| file(word, place)).collect::<Result<_, _>>().map(Some)
        };
        let environment = || (here.variable)("SSH_AUTH_SOCK").filter(|path| !path.is_empty()).map(PathBuf::from);
        let agent = match &self.identity_agent {
            None => environment(),
            Some((text, _)) if text.eq_ignore_ascii_case("none") => None,
            Some((text, _)) if text == "SSH_AUTH_SOCK" => environment(),
            // Without braces this is a variable's name, too.
            Some((text, place)) => match text.strip_prefix('$').filter(|name| !name.starts_with('{')) {
                Some(name) => (here.variable)(name).map(PathBuf::from),
                None => Some(file(text, *place)?),
            },
        };
        let jumps = match &self.proxy {
            None | Some((Proxy::None, _)) => Vec::new(),
            Some((Proxy::Jump(text), place)) => {
                let text = expand(text, token).map_err(|reason| at(*place, reason))?;
                text.split(',').map(|jump| jump.trim().to_owned()).collect()
            }
            Some((Proxy::Command, (path, line))) => {
                let host = address.to_owned();
                return Err(Error::ProxyCommand { path: path.to_path_buf(), line: *line, host });
            }
        };
        let identity_files = match self.identity_files.as_slice() {
            [] => None,
            some => Some(
                some.iter()
                    .filter(|(text, _)| !text.eq_ignore_ascii_case("none"))
                    .map(|(text, place)| file(text, *place))
                    .collect::<Result<_, _>>()?,
            ),
        };
        Ok(Resolved {
            identity_files,
            identities_only: self.identities_only.unwrap_or(false),
            agent,
            jumps,
            user_known_hosts: files(self.user_known_hosts)?,
            global_known_hosts: files(self.global_known_hosts)?,
            host_key_alias: self.host_key_alias,
            notes: self.notes,
            host_name: host_name.clone(),
            user: user.clone(),
            port,
        })
    }
}

fn at((path, line): Place<'_>, reason: String) -> Error {
    Error::Line { path: path.to_owned(), line, reason }
}

/// Whether a name fits one of the patterns, and none that begins with `!`.
fn of_list<'a>(patterns: impl Iterator<Item = &'a str>, name: &str) -> bool {
    let mut found = false;
    for pattern in patterns {
        match pattern.strip_prefix('!') {
            Some(pattern) if fits(pattern, name) => return false,
            Some(_) => {}
            None => found |= fits(pattern, name),
        }
    }
    found
}

/// Puts in what `%x` stands for; `%%` is a percent sign.
fn expand(text: &str, token: impl Fn(char) -> Option<String>) -> Result<String, String> {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('%') => out.push('%'),
            Some(c) => out += &token(c).ok_or_else(|| format!("vlm does not know what `%{c}` stands for in `{text}`"))?,
            None => return Err(format!("`{text}` ends with a single `%`; write `%%` for a percent sign")),
        }
    }
    Ok(out)
}

/// Puts in what `${NAME}` stands for.
fn variables(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, behind)) = rest.split_once("${") {
        let (name, after) = behind.split_once('}').ok_or_else(|| format!("`${{` in `{text}` is not closed"))?;
        out += before;
        out += &variable(name).ok_or_else(|| format!("the variable `{name}` in `{text}` is not set"))?;
        rest = after;
    }
    Ok(out + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(files: &[(&str, &str)]) -> Result<Config, Error> {
        // The first is the user's, and the others are what it includes.
        let open = |pattern: &str| -> Result<Vec<(PathBuf, String)>, Error> {
            let fitting = files.iter().filter(|(name, _)| fits(pattern, name));
            Ok(fitting.map(|(name, text)| (PathBuf::from(name), text.to_string())).collect())
        };
        let mut config = Config::default();
        config.add(Path::new(files[0].0), files[0].1, &open)?;
        Ok(config)
    }

    /// `asked` is `[USER@]ADDRESS`. What comes back is `USER@HOST:PORT`, and what else is set.
    fn resolve(files: &[(&str, &str)], asked: &str) -> Result<Resolved, Error> {
        let (user, address) = asked.split_once('@').map_or((None, asked), |(user, address)| (Some(user), address));
        let variable = |name: &str| match name {
            "SSH_AUTH_SOCK" => Some("/run/agent".to_owned()),
            "KEYS" => Some("/keys".to_owned()),
            _ => None,
        };
        let here = Here { home: Path::new("/home/ada"), user: "ada", uid: 1000, variable: &variable };
        config(files)?.resolve(Asked { address, user, port: None }, &here)
    }

    fn where_to(text: &str, asked: &str) -> String {
        let got = resolve(&[("config", text)], asked).unwrap();
        format!("{}@{}:{}", got.user, got.host_name, got.port)
    }

    #[test]
    fn the_first_value_that_applies_counts() {
        let cases = [
            ("", "lab1", "ada@lab1:22"),
            ("Host lab1\n HostName 10.0.0.7\n User root\n Port 2222\n", "lab1", "root@10.0.0.7:2222"),
            ("Host lab1\n HostName 10.0.0.7\n", "lab2", "ada@lab2:22"),
            ("Host lab1\n User eve\nHost *\n User bob\n", "lab1", "eve@lab1:22"),
            ("Host *\n User bob\nHost lab1\n User eve\n", "lab1", "bob@lab1:22"),
            ("User bob\nHost lab1\n User eve\n", "lab1", "bob@lab1:22"),
            // What was said aloud counts before everything.
            ("Host *\n User bob\n", "eve@lab1", "eve@lab1:22"),
            // Several patterns, wildcards, negation.
            ("Host lab? web*,db\n User bob\n", "lab1", "bob@lab1:22"),
            ("Host lab? web* db\n User bob\n", "lab12", "ada@lab12:22"),
            ("Host lab* !lab7\n User bob\n", "lab7", "ada@lab7:22"),
            ("Host !lab7\n User bob\n", "lab1", "ada@lab1:22"),
            ("Host lab1\n HostName %h.example.org\n", "lab1", "ada@lab1.example.org:22"),
            ("Host lab1\n HostName a%%b\n", "lab1", "ada@a%b:22"),
            // Ways of writing it.
            ("HOST lab1\n\tuser=bob\n  PORT = 7 # the seventh\n# User eve\n", "lab1", "bob@lab1:7"),
            ("Host \"lab1\"\n User \"bob b\"\n", "lab1", "bob b@lab1:22"),
            ("Host lab1\r\n User bob\r\n", "lab1", "bob@lab1:22"),
            // What is none of our business, and what would make us trust more.
            ("CheckHostIP yes\nStrictHostKeyChecking no\nForwardX11 yes\n", "lab1", "ada@lab1:22"),
            // Match.
            ("Match all\n User bob\n", "lab1", "bob@lab1:22"),
            ("Match host lab*\n User bob\n", "lab1", "bob@lab1:22"),
            ("Host lab1\n HostName web\nMatch host web\n User bob\nMatch host lab1\n User eve\n", "lab1", "bob@web:22"),
            ("Host lab1\n HostName web\nMatch originalhost lab1,lab2\n User bob\n", "lab1", "bob@web:22"),
            ("Match user eve host lab1\n Port 7\n", "eve@lab1", "eve@lab1:7"),
            ("Match user eve\n Port 7\n", "lab1", "ada@lab1:22"),
            ("Match !host lab1\n Port 7\n", "lab1", "ada@lab1:22"),
            ("Match !host lab1\n Port 7\n", "lab2", "ada@lab2:7"),
            ("Match host=\"lab1\"\n Port 7\n", "lab1", "ada@lab1:7"),
            // Not run, and so it does not apply.
            ("Match host lab1 exec \"true\"\n User eve\nHost *\n User bob\n", "lab1", "bob@lab1:22"),
            ("Match !exec false\n User eve\n", "lab1", "ada@lab1:22"),
        ];
        for (text, asked, expected) in cases {
            assert_eq!(where_to(text, asked), expected, "{text}");
        }
    }

    #[test]
    fn what_is_passed_over_is_said() {
        let text = "Host a\nMatch host lab1 exec \"rm -rf /\"\n User eve\nMatch final all\n User eve\n";
        let notes = resolve(&[("config", text)], "lab1").unwrap().notes;
        assert_eq!(
            notes,
            ["exec", "final"]
                .iter()
                .zip([2, 4])
                .map(|(name, line)| format!(
                    "config:{line}: `Match {name}` is not looked at by vlm, so what stands under it does not apply"
                ))
                .collect::<Vec<_>>()
        );
        // Another host's is nobody's concern here.
        assert_eq!(resolve(&[("config", text)], "lab2").unwrap().notes.len(), 1);
    }

    #[test]
    fn keys_agents_and_known_hosts() {
        let text = "Host lab1\n IdentityFile ~/.ssh/one\n IdentityFile %d/.ssh/%r@%h\n IdentityFile ${KEYS}/%u\n IdentitiesOnly yes\n \
                    IdentityAgent ~/agent\n UserKnownHostsFile ~/.ssh/known_%k /etc/more\n GlobalKnownHostsFile none\n HostKeyAlias lab\n\
                    Host *\n IdentityFile /last\n User root\n";
        let got = resolve(&[("config", text)], "lab1").unwrap();
        let paths = |list: &[&str]| Some(list.iter().map(PathBuf::from).collect::<Vec<_>>());
        assert_eq!(got.identity_files, paths(&["/home/ada/.ssh/one", "/home/ada/.ssh/root@lab1", "/keys/ada", "/last"]));
        assert!(got.identities_only);
        assert_eq!(got.agent.as_deref(), Some(Path::new("/home/ada/agent")));
        assert_eq!(got.user_known_hosts, paths(&["/home/ada/.ssh/known_lab", "/etc/more"]));
        assert_eq!(got.global_known_hosts, paths(&[]));
        assert_eq!(got.host_key_alias.as_deref(), Some("lab"));

        let got = resolve(&[("config", text)], "lab2").unwrap();
        assert_eq!((got.identity_files, got.identities_only), (paths(&["/last"]), false));
        assert_eq!(got.user_known_hosts, None);
        let agent = |line: &str| resolve(&[("config", line)], "lab1").unwrap().agent;
        assert_eq!(agent(""), Some("/run/agent".into()));
        assert_eq!(agent("IdentityAgent none"), None);
        assert_eq!(agent("IdentityAgent SSH_AUTH_SOCK"), Some("/run/agent".into()));
        assert_eq!(agent("IdentityAgent $KEYS"), Some("/keys".into()));
        assert_eq!(resolve(&[("config", "IdentityFile none\n")], "lab1").unwrap().identity_files, paths(&[]));
    }

    #[test]
    fn jumps() {
        let jumps = |text: &str| resolve(&[("config", text)], "lab1").unwrap().jumps;
        assert_eq!(jumps("ProxyJump far"), ["far"]);
        assert_eq!(jumps("ProxyJump root@near:2222,far"), ["root@near:2222", "far"]);
        assert_eq!(jumps("ProxyJump none"), [""; 0]);
        assert_eq!(jumps("ProxyJump gate-%h"), ["gate-lab1"]);
        assert_eq!(jumps("Host lab1\n ProxyJump none\nHost *\n ProxyJump far\n"), [""; 0]);
        // Whichever comes first.
        assert_eq!(jumps("ProxyJump far\nProxyCommand nc %h %p"), ["far"]);
        assert_eq!(jumps("ProxyCommand none\nProxyJump far"), [""; 0]);
        let text = "Host lab1\n ProxyCommand sh -c 'nc \"%h\" %p\nHost *\n ProxyJump far\n";
        assert_eq!(
            resolve(&[("config", text)], "lab1").unwrap_err().to_string(),
            "config:2: `ProxyCommand` would run a program to reach lab1, which vlm does not do; write `ProxyJump`, or \
             `ProxyCommand none` for this host"
        );
        resolve(&[("config", text)], "lab2").unwrap();
    }

    #[test]
    fn the_hosts_that_it_names_are_offered_without_patterns() {
        let files = [
            (
                "config",
                "Host lab1 lab2\n HostName 10.0.0.1\n User root\nHost *.lan !lab3\n Port 9\nInclude more\nHost *\n User ada\n",
            ),
            ("more", "Host lab1 far\n Port 2222\n ProxyCommand nc %h %p\nMatch host near\n User never\n"),
        ];
        let here = Here { home: Path::new("/home/ada"), user: "ada", uid: 1000, variable: &|_| None };
        let hosts = config(&files).unwrap().hosts(&here);
        let host = |alias: &str, host_name: Option<&str>, user: &str, port| SshConfigHost {
            alias: alias.into(),
            host_name: host_name.map(Into::into),
            user: Some(user.into()),
            port,
        };
        let ten = Some("10.0.0.1");
        assert_eq!(
            hosts,
            [host("lab1", ten, "root", None), host("lab2", ten, "root", None), host("far", None, "ada", None)],
            "what is included under `Host *.lan` is not of the others"
        );
        assert_eq!(config(&[("config", "User x\n")]).unwrap().hosts(&here), []);
    }

    #[test]
    fn included_files_apply_where_they_are_included() {
        let files = [
            ("config", "Host lab1\n Include only\nInclude all/*\nHost *\n User last\n"),
            ("only", "Port 7\nHost lab2\n User never\n"),
            ("all/a", "Host lab2\n HostName two\n"),
            ("all/b", "Host *\n User b\nHost lab2\n Port 9\n"),
        ];
        let to = |asked| {
            let got = resolve(&files, asked).unwrap();
            format!("{}@{}:{}", got.user, got.host_name, got.port)
        };
        assert_eq!(to("lab1"), "b@lab1:7");
        assert_eq!(to("lab2"), "last@lab2:22");
        // An `Include` in front of every `Host` is for all of them.
        let files = [("config", "Include all/*\nHost *\n User last\n"), files[2], files[3]];
        let got = resolve(&files, "lab2").unwrap();
        assert_eq!((got.host_name.as_str(), got.user.as_str(), got.port), ("two", "b", 9));
        let circle = [("config", "\nInclude config\n")];
        assert_eq!(
            resolve(&circle, "lab1").unwrap_err().to_string(),
            "config:2: more than 16 files include one another; does one include itself?"
        );
    }

    #[test]
    fn slips_are_named_with_their_place() {
        let wrong =
            |text: &str, expected: &str| assert_eq!(resolve(&[("config", text)], "lab1").unwrap_err().to_string(), expected);
        wrong("Host lab1\nPort\n", "config:2: `Port` says nothing; write a value behind it");
        wrong("Host lab1\n  Port ssh\n", "config:2: `ssh` is no port; write a number from 1 to 65535");
        wrong("User \"bob\n", "config:1: a quotation mark \" is not closed");
        wrong("Match host\n", "config:1: `Match host` says nothing; write a value behind it");
        wrong("IdentitiesOnly maybe", "config:1: `IdentitiesOnly maybe` is neither `yes` nor `no`");
        wrong("IdentityFile %y", "config:1: vlm does not know what `%y` stands for in `%y`");
        wrong("\nIdentityFile ${NOWHERE}/x", "config:2: the variable `NOWHERE` in `${NOWHERE}/x` is not set");
        // In another host's part it does no harm.
        assert_eq!(where_to("Host lab2\n Port ssh\n", "lab1"), "ada@lab1:22");
    }

    #[test]
    fn files_are_read_as_they_lie() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str, mode: u32| {
            let path = home.path().join(".ssh").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        };
        let variable = |_: &str| None;
        let here = Here { home: home.path(), user: "ada", uid: 1000, variable: &variable };
        let user = || {
            let asked = Asked { address: "lab1", user: None, port: None };
            Ok::<_, Error>(Config::of_user(home.path())?.resolve(asked, &here)?.user)
        };
        assert_eq!(user().unwrap(), "ada");
        write("config", "Include conf.d/*.conf ~/.ssh/more not-there\n", 0o600);
        write("conf.d/10.conf", "Host lab2\n User eve\n", 0o644);
        write("conf.d/20.conf", "Host lab1\n User bob\n", 0o600);
        write("conf.d/.00.conf", "User hidden\n", 0o600);
        write("more", "User more\n", 0o600);
        assert_eq!(user().unwrap(), "bob");
        write("conf.d/20.conf", "", 0o600);
        assert_eq!(user().unwrap(), "more");
        write("more", "User more\n", 0o666);
        let path = home.path().join(".ssh/more");
        assert_eq!(
            user().unwrap_err().to_string(),
            format!("{} is another user's, or may be written by others; make it yours and `chmod 600` it", path.display())
        );
    }
}
