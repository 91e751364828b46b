//! The programs that labs need: where they are, which versions they are, and which bytes.
//!
//! What must stay true: a version that a lab is known not to work with is refused before anything is touched; a lab keeps a note
//! of the Terraform and the provider that it was last applied with ([`Pin`]); and nothing that is asked of a program here costs
//! more than a look at its file, unless that file is another one than before.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::{
    Engine,
    lock::{self, Lock},
    process::{self, Line, Program},
    terraform::{self, PROVIDER_VERSION, write_private},
};

/// How long a program may take to say its version: an emulated Python on a busy computer takes seconds.
const VERSION_LIMIT: Duration = Duration::from_secs(60);
/// Where it is noted what was found out about programs: a hash of Terraform's 90 MB costs as much as a plan.
const CACHE_FILE: &str = "tools.json";

/// The kinds of programs that labs need.
const KINDS: [Kind; 6] = [
    // `terraform_data`, with which main.tf replaces what the provider cannot change, came with 1.4.
    Kind {
        name: "terraform",
        ask: &["version"],
        at_least: Some("1.4"),
        remedy: "`make run` or the package's `vlm-setup labs` brings OpenTofu, which does as well",
        unfit: OTHER,
    },
    Kind {
        name: "tofu",
        ask: &["version"],
        at_least: Some("1.6"),
        remedy: "`make run` or the package's `vlm-setup labs` brings it",
        unfit: OTHER,
    },
    Kind {
        name: PROVIDER,
        ask: &[],
        at_least: None,
        remedy: "`make run` or the package's `vlm-setup labs` brings it",
        unfit: "`make run` or the package's `vlm-setup labs` brings the right one beside it",
    },
    // The oldest that our callback plugin was tried with.
    Kind {
        name: "ansible-playbook",
        ask: &["--version"],
        at_least: Some("2.14"),
        remedy: "`make run` or the package's `vlm-setup labs` brings ansible-core",
        unfit: "`make run` or the package's `vlm-setup labs` brings a newer ansible-core, which is used unless `ansible_playbook` in settings.toml names another",
    },
    // Its options that we use are older than any release that is still kept.
    Kind { name: "ssh", ask: &["-V"], at_least: None, remedy: "install the package openssh-client", unfit: "" },
    // `qemu-img info` names data files, by which images that need another file are refused, since 4.0.
    Kind {
        name: "qemu-img",
        ask: &["--version"],
        at_least: Some("4.0"),
        remedy: "install the package qemu-utils",
        unfit: "upgrade the package qemu-utils",
    },
];
/// What to do where Terraform is of a wrong version: a set-up does not replace one that is on PATH.
const OTHER: &str = "install a newer one, or name another as `terraform` in settings.toml";
/// What the provider is called where people read it.
const PROVIDER: &str = "libvirt provider";

struct Kind {
    name: &'static str,
    /// Arguments with which it says its version.
    ask: &'static [&'static str],
    at_least: Option<&'static str>,
    /// What to do where there is none.
    remedy: &'static str,
    /// What to do where it is of a wrong version.
    unfit: &'static str,
}

/// A program, or the provider, as it is on this computer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tool {
    /// `terraform`, `tofu`, `libvirt provider`, `ansible-playbook`, `ssh` or `qemu-img`.
    pub name: String,
    /// Its file; none where there is none.
    pub path: Option<PathBuf>,
    /// Its version; none where it could not be found out.
    pub version: Option<String>,
    /// SHA-256 of its file, in hex.
    pub digest: Option<String>,
    /// Who says that it is this one; nobody where there is none.
    pub source: Option<Source>,
    /// Why labs cannot use it; none where they can.
    pub problem: Option<String>,
    /// What to do about the problem.
    pub remedy: Option<String>,
}

/// Who says which file a tool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// settings.toml names it.
    Settings,
    /// scripts/setup brought it.
    Ours,
    /// It was found on PATH.
    System,
    /// `terraform init` fetches it, and keeps its digest in the lab's `.terraform.lock.hcl`.
    Registry,
}

impl Source {
    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Source::Settings => "settings",
            Source::Ours => "ours",
            Source::System => "system",
            Source::Registry => "registry",
        }
    }
}

/// A file that was used, by its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pinned {
    /// Its path.
    pub path: PathBuf,
    /// Its version.
    pub version: String,
    /// Its SHA-256, in hex.
    pub digest: String,
}

/// What a lab's things on a host were made with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// terraform or tofu.
    pub program: Pinned,
    /// The provider; none where `terraform init` fetched it from its registry, whose lock file then holds the digest.
    pub provider: Option<Pinned>,
}

/// Why a tool cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not there.
    #[error("{name} was not found")]
    Missing {
        /// Its name.
        name: &'static str,
        /// What to do.
        remedy: String,
    },
    /// It is of a version that labs do not work with.
    #[error("{} is {name} {version}, and labs need {needs}", path.display())]
    Unfit {
        /// Its name.
        name: &'static str,
        /// Its file.
        path: PathBuf,
        /// Its version.
        version: String,
        /// Which versions would do.
        needs: String,
        /// What to do.
        remedy: String,
    },
    /// It did not say its version.
    #[error("could not find out which version {} is: {words}", path.display())]
    Mute {
        /// Its file.
        path: PathBuf,
        /// What it said instead.
        words: String,
    },
    /// The lab was made with a provider of other bytes.
    #[error(
        "the libvirt provider {} is not the file that this lab was deployed with: its SHA-256 begins with {}, that one's with {}",
        now.path.display(), short(&now.digest), short(&then.digest)
    )]
    OtherProvider {
        /// The provider that is there.
        now: Box<Pinned>,
        /// The one that was.
        then: Box<Pinned>,
    },
    /// A file.
    #[error("could not {what}")]
    Io {
        /// What was attempted.
        what: String,
        /// Why.
        source: io::Error,
    },
    /// The lab's lock.
    #[error(transparent)]
    Lock(#[from] lock::Error),
}

impl Error {
    /// What a person can do about it; empty where the error says it all.
    pub fn remedy(&self) -> String {
        match self {
            Error::Missing { remedy, .. } | Error::Unfit { remedy, .. } => remedy.clone(),
            Error::Mute { .. } => "run it with --version by hand: it must work without a question".into(),
            Error::OtherProvider { .. } => {
                "put the old file back; or, if it was changed on purpose, accept it with `vlm tools LAB --accept`".into()
            }
            Error::Io { .. } | Error::Lock(_) => String::new(),
        }
    }
}

/// The beginning of a digest, which is enough for people to tell two apart.
pub fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

/// What can be asked of tools.
pub struct Tools<'a> {
    pub(crate) engine: &'a Engine,
}

impl Tools<'_> {
    /// All that labs may need, in the order in which a deploy does. Of terraform and tofu only the one that would be used.
    pub async fn list(&self) -> Vec<Tool> {
        let (settings, ours) = (self.engine.settings(), self.engine.tools_dir());
        let terraform = match &settings.terraform {
            Some(path) => Some(path.clone()),
            None => terraform::find_program(&["terraform", "tofu"], &ours.join("bin")),
        };
        let provider = terraform.as_deref().and_then(|program| provider_file(&self.mirror()?, program));
        let ansible = match &settings.ansible_playbook {
            Some(path) => Some(path.clone()),
            None => self.engine.found_ansible(),
        };
        let on_path = |name: &str| terraform::find_program(&[name], Path::new("/usr/bin"));
        let mut tools = vec![
            self.tool(kind(terraform.as_deref().map_or("terraform", terraform_kind)), terraform, settings.terraform.is_some())
                .await,
        ];
        tools.push(match (self.mirror(), provider) {
            (None, _) => Tool {
                name: PROVIDER.into(),
                path: None,
                version: Some(PROVIDER_VERSION.into()),
                digest: None,
                source: Some(Source::Registry),
                problem: None,
                remedy: None,
            },
            (Some(_), provider) => self.tool(kind(PROVIDER), provider, false).await,
        });
        tools.push(self.tool(kind("ansible-playbook"), ansible, settings.ansible_playbook.is_some()).await);
        for name in ["ssh", "qemu-img"] {
            tools.push(self.tool(kind(name), on_path(name), false).await);
        }
        tools
    }

    /// What the things of a lab were made with, as far as it is known.
    pub fn of_lab(&self, lab: &str) -> Vec<Pin> {
        self.lab_folders(lab).iter().filter_map(|folder| read_pin(&folder.join(PIN_FILE))).collect()
    }

    /// Accepts the provider that is there now for a lab that was deployed with another. The next deploy notes it.
    pub fn accept(&self, lab: &str) -> Result<(), Error> {
        let _lock = Lock::take(&self.engine.dirs().data.join("locks"), lab)?;
        for folder in self.lab_folders(lab) {
            for file in [PIN_FILE, "terraform.stamp", "terraform/.terraform.lock.hcl"] {
                let path = folder.join(file);
                match fs::remove_file(&path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        return Err(Error::Io { what: format!("delete {}", path.display()), source: error });
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// The Terraform and the provider that a lab would be made with now, fit for it.
    pub(crate) async fn pin(&self, program: &Path, mirror: Option<&Path>) -> Result<Pin, Error> {
        let provider = match mirror {
            None => None,
            Some(mirror) => {
                let kind = kind(PROVIDER);
                let path = provider_file(mirror, program)
                    .ok_or_else(|| Error::Missing { name: PROVIDER, remedy: kind.remedy.to_owned() })?;
                Some(self.fit(kind, &path).await?)
            }
        };
        Ok(Pin { program: self.fit(kind(terraform_kind(program)), program).await?, provider })
    }

    /// Refuses an Ansible that labs do not work with, or one that has no SSH to reach machines with.
    pub(crate) async fn check_ansible(&self, program: &Path) -> Result<(), Error> {
        self.fit(kind("ansible-playbook"), program).await?;
        let ssh = kind("ssh");
        let path = terraform::find_program(&[ssh.name], Path::new("/usr/bin"))
            .ok_or_else(|| Error::Missing { name: ssh.name, remedy: ssh.remedy.to_owned() })?;
        self.fit(ssh, &path).await.map(drop)
    }

    fn mirror(&self) -> Option<PathBuf> {
        self.engine.tools_mirror()
    }

    /// The folders that a lab keeps for each of its hosts.
    fn lab_folders(&self, lab: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.engine.dirs().lab(lab)).into_iter().flatten().flatten();
        let mut folders: Vec<PathBuf> =
            entries.map(|entry| entry.path()).filter(|path| path.join("terraform").is_dir()).collect();
        folders.sort();
        folders
    }

    async fn tool(&self, kind: &'static Kind, path: Option<PathBuf>, by_settings: bool) -> Tool {
        let looked = match &path {
            None => Err(Error::Missing { name: kind.name, remedy: kind.remedy.to_owned() }),
            Some(path) => self.look(kind, path).await,
        };
        let problem = match &looked {
            Ok(pinned) => check(kind, pinned).err(),
            Err(_) => None,
        };
        let (pinned, error) = match looked {
            Ok(pinned) => (Some(pinned), problem),
            Err(error) => (None, Some(error)),
        };
        let ours = path.as_ref().is_some_and(|path| path.starts_with(self.engine.tools_dir()));
        let source = path.as_ref().map(|_| match (by_settings, ours) {
            (true, _) => Source::Settings,
            (false, true) => Source::Ours,
            (false, false) => Source::System,
        });
        let digest = pinned.as_ref().map(|pinned| pinned.digest.clone());
        let version = pinned.map(|pinned| pinned.version).filter(|version| !version.is_empty());
        let remedy = error.as_ref().map(Error::remedy).filter(|remedy| !remedy.is_empty());
        Tool { name: kind.name.to_owned(), path, version, digest, source, problem: error.map(|e| crate::chain(&e)), remedy }
    }

    async fn fit(&self, kind: &'static Kind, path: &Path) -> Result<Pinned, Error> {
        let pinned = self.look(kind, path).await?;
        check(kind, &pinned)?;
        Ok(pinned)
    }

    /// A file's version and digest: out of our notes, unless it is another file than then.
    async fn look(&self, kind: &'static Kind, path: &Path) -> Result<Pinned, Error> {
        let io = |source| Error::Io { what: format!("read {}", path.display()), source };
        let state = state(&fs::metadata(path).map_err(io)?);
        let cache_path = self.engine.dirs().data.join(CACHE_FILE);
        // A cache that cannot be read or kept costs time, and nothing else.
        let read =
            || fs::read(&cache_path).ok().and_then(|bytes| serde_json::from_slice::<Cache>(&bytes).ok()).unwrap_or_default();
        if let Some(known) = read().get(path)
            && known.state == state
        {
            return Ok(Pinned { path: path.to_owned(), version: known.version.clone(), digest: known.digest.clone() });
        }
        let file = path.to_owned();
        let digest = tokio::task::spawn_blocking(move || digest(&file)).await.expect("hashing does not panic").map_err(io)?;
        let version = match kind.ask {
            [] => provider_version(path),
            ask => version(path, ask).await?,
        };
        let mut cache = read();
        cache.retain(|path, _| path.exists());
        cache.insert(path.to_owned(), Known { state, version: version.clone(), digest: digest.clone() });
        let _ = write_private(&cache_path, serde_json::to_vec_pretty(&cache).expect("paths that were read as text are JSON"));
        Ok(Pinned { path: path.to_owned(), version, digest })
    }
}

/// A lab's note of what it was applied with, in its folder for a host.
pub(crate) const PIN_FILE: &str = "terraform.pin";

pub(crate) fn read_pin(path: &Path) -> Option<Pin> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

type Cache = BTreeMap<PathBuf, Known>;

#[derive(Serialize, Deserialize)]
struct Known {
    state: String,
    version: String,
    digest: String,
}

/// What becomes another one when a file is written or replaced. The time of its inode's change can be set by nobody.
fn state(meta: &fs::Metadata) -> String {
    let (m, c) = ((meta.mtime(), meta.mtime_nsec()), (meta.ctime(), meta.ctime_nsec()));
    format!("{} {} {} {}.{} {}.{}", meta.dev(), meta.ino(), meta.len(), m.0, m.1, c.0, c.1)
}

fn digest(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        match io::Read::read(&mut file, &mut buffer)? {
            0 => return Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            read => hasher.update(&buffer[..read]),
        }
    }
}

fn kind(name: &str) -> &'static Kind {
    KINDS.iter().find(|kind| kind.name == name).expect("every name here is in KINDS")
}

/// OpenTofu counts its versions anew, and is told by its name.
fn terraform_kind(program: &Path) -> &'static str {
    if is_tofu(program) { "tofu" } else { "terraform" }
}

pub(crate) fn is_tofu(program: &Path) -> bool {
    program.file_name().is_some_and(|name| name.to_string_lossy().contains("tofu"))
}

/// The provider in a mirror for that program: the version that labs need, or the newest of those that are there instead.
fn provider_file(mirror: &Path, program: &Path) -> Option<PathBuf> {
    let registry = if is_tofu(program) { "registry.opentofu.org" } else { "registry.terraform.io" };
    let folder = mirror.join(registry).join("dmacvicar/libvirt");
    let files =
        |version: PathBuf| fs::read_dir(version.join("linux_amd64")).into_iter().flatten().flatten().map(|file| file.path());
    let versions = || fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> = versions().flat_map(files).collect();
    found.sort_by_key(|path| {
        let version = provider_version(path);
        (version == PROVIDER_VERSION, numbers(&version))
    });
    found.pop()
}

/// The provider's version, out of its place in the mirror: VERSION/linux_amd64/FILE.
fn provider_version(path: &Path) -> String {
    let folder = path.ancestors().nth(2).and_then(Path::file_name);
    folder.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Asks a program for its version: the first number with a dot in what it prints.
async fn version(path: &Path, ask: &[&str]) -> Result<String, Error> {
    let mute = |words: String| Error::Mute { path: path.to_owned(), words };
    // Where Ansible finds a configuration that says nothing, and may write.
    let dir = tempfile::tempdir().map_err(|error| mute(error.to_string()))?;
    let config = dir.path().join("ansible.cfg");
    fs::write(&config, "").map_err(|error| mute(error.to_string()))?;
    let program = Program::new(path, dir.path()).args(ask).env("CHECKPOINT_DISABLE", "1");
    let program = program.env("ANSIBLE_CONFIG", &config).env("ANSIBLE_HOME", dir.path());
    let mut text = String::new();
    let never = CancellationToken::new();
    let run = program.run(&never, |line| {
        let (Line::Out(line) | Line::Err(line)) = line;
        text.push_str(&line);
        text.push('\n');
    });
    let ended = match tokio::time::timeout(VERSION_LIMIT, run).await {
        Err(_) => return Err(mute(format!("it said nothing within {} s", VERSION_LIMIT.as_secs()))),
        Ok(Err(process::Error::Spawn { source, .. } | process::Error::Lost { source, .. })) => {
            return Err(mute(source.to_string()));
        }
        Ok(Ok(ended)) => ended,
    };
    let last = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it said nothing").trim().to_owned();
    match first_version(&text) {
        _ if !ended.status.success() => Err(mute(last)),
        Some(version) => Ok(version),
        // Whatever it is, it is not the program of that name.
        None => Err(mute(last)),
    }
}

fn first_version(text: &str) -> Option<String> {
    let words = text.split(|c: char| !(c.is_ascii_digit() || c == '.'));
    let is_version = |word: &&str| word.contains('.') && word.split('.').all(|part| !part.is_empty());
    words.map(|word| word.trim_matches('.')).find(is_version).map(str::to_owned)
}

fn numbers(version: &str) -> Vec<u64> {
    version.split(['.', '-']).map_while(|part| part.parse().ok()).collect()
}

fn check(kind: &'static Kind, pinned: &Pinned) -> Result<(), Error> {
    let unfit = |needs: String| Error::Unfit {
        name: kind.name,
        path: pinned.path.clone(),
        version: pinned.version.clone(),
        needs,
        remedy: kind.unfit.to_owned(),
    };
    if kind.name == PROVIDER {
        // 0.9 is a rewrite with another schema; older ones have not all that main.tf says.
        return if pinned.version == PROVIDER_VERSION { Ok(()) } else { Err(unfit(format!("exactly {PROVIDER_VERSION}"))) };
    }
    match kind.at_least {
        Some(least) if numbers(&pinned.version) < numbers(least) => Err(unfit(format!("{least} or newer"))),
        _ => Ok(()),
    }
}

/// Whether a file can be run.
pub(crate) fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_programs_print() {
        for (text, expected) in [
            ("Terraform v1.11.4\non linux_amd64\n", Some("1.11.4")),
            ("OpenTofu v1.11.0\non linux_amd64\n", Some("1.11.0")),
            ("ansible-playbook [core 2.19.14]\n  config file = None\n", Some("2.19.14")),
            ("ansible-playbook 2.10.8\n", Some("2.10.8")),
            ("qemu-img version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)\n", Some("7.2.22")),
            ("OpenSSH_9.2p1 Debian-2+deb12u10, OpenSSL 3.0.19 27 Jan 2026\n", Some("9.2")),
            ("no numbers. None at all...\n", None),
        ] {
            assert_eq!(first_version(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn versions_that_do_not_fit_are_refused() {
        let said = |name: &str, version: &str| {
            let pinned = Pinned { path: format!("/bin/{name}").into(), version: version.into(), digest: "00".into() };
            check(kind(name), &pinned).err().map(|error| error.to_string())
        };
        for (name, fits) in
            [("terraform", "1.4.0"), ("terraform", "1.11.4"), ("tofu", "1.6.2"), ("ansible-playbook", "2.14.18")]
        {
            assert_eq!(said(name, fits), None, "{name} {fits}");
        }
        assert_eq!(said(PROVIDER, "0.8.3"), None);
        assert_eq!(said("terraform", "1.3.9").unwrap(), "/bin/terraform is terraform 1.3.9, and labs need 1.4 or newer");
        assert_eq!(
            said("ansible-playbook", "2.9.27").unwrap(),
            "/bin/ansible-playbook is ansible-playbook 2.9.27, and labs need 2.14 or newer"
        );
        assert_eq!(
            said(PROVIDER, "0.9.1").unwrap(),
            "/bin/libvirt provider is libvirt provider 0.9.1, and labs need exactly 0.8.3"
        );
    }
}
