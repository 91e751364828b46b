//! Terraform (or OpenTofu): a program and the directory of one lab on one host.
//!
//! Arguments are pure functions of what is wanted; everything is asked for as JSON. The directory is private
//! to the user: the seeds in it hold the guests' host keys.

pub mod message;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use message::{Diagnostic, Message};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;
use vlm_lab::plan::Change;

use crate::{
    process::{self, Ended, Line, Program},
    tools::{self, PIN_FILE, Pin, short},
};

/// The saved plan's file, in the lab's directory.
pub const PLAN_FILE: &str = "plan.tfplan";
const STATE_FILE: &str = "terraform.tfstate";
/// Our copy of the state: a line with its SHA-256 in hex, then the state.
const COPY_FILE: &str = "../terraform.tfstate.kept";
const COPY_OF_NONE: u64 = 65;
/// Which program and provider the directory was initialised with: beside it, with the rest that is not the author's.
const STAMP_FILE: &str = "../terraform.stamp";
/// The provider's version, as in main.tf.
pub(crate) const PROVIDER_VERSION: &str = "0.8.3";
/// How long an interrupted apply may take for the resource that it is at: killed, it would forget what it has made.
const APPLY_GRACE: Duration = Duration::from_secs(10 * 60);

/// Why Terraform could not do something.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No terraform and no tofu was found.
    #[error("neither terraform nor tofu was found")]
    Missing,
    /// The one that the settings name is not there.
    #[error("`terraform` in settings.toml names {}, which is not there", path.display())]
    NotThere {
        /// What they name.
        path: PathBuf,
    },
    /// It or its provider is of a version that labs do not work with, or not the one that the lab was deployed with.
    #[error(transparent)]
    Tool(#[from] tools::Error),
    /// It could not be run.
    #[error(transparent)]
    Process(#[from] process::Error),
    /// It failed; what it said.
    #[error("terraform {verb} failed: {}", summary(diagnostics, stderr))]
    Failed {
        /// `init`, `plan`, `apply` …
        verb: &'static str,
        /// Its errors.
        diagnostics: Vec<Diagnostic>,
        /// The end of what it printed on standard error.
        stderr: String,
    },
    /// It was ended, as nothing it waited for could come any more: the provider does not notice a connection that is gone.
    #[error("terraform {verb} was ended, because the connection to libvirt was lost while it was at work")]
    Lost {
        /// `apply` …
        verb: &'static str,
    },
    /// It was interrupted because the run was cancelled.
    #[error("terraform {verb} was cancelled")]
    Cancelled {
        /// `init`, `plan`, `apply` …
        verb: &'static str,
    },
    /// Its output is not what its documentation promises.
    #[error("could not read what terraform {verb} printed")]
    Output {
        /// `show` …
        verb: &'static str,
        /// Why.
        source: serde_json::Error,
    },
    /// The state is there and says nothing: another step on such a state could make everything twice.
    #[error(
        "terraform's state {} cannot be read",
        path.display()
    )]
    State {
        /// The file.
        path: PathBuf,
    },
    /// What is there was made by another program, which is gone.
    #[error("this lab was deployed with {}, which is not there any more; name it as `terraform` in settings.toml", path.display())]
    OtherProgram {
        /// The program.
        path: PathBuf,
    },
    /// A file of the directory could not be written.
    #[error("could not write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What Terraform said of a failure: its errors; where it named none, the end of its standard error. One that could not write its
/// state prints all of that there, which is nobody's evidence.
pub fn said(diagnostics: &[Diagnostic], stderr: &str) -> String {
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.is_error());
    let errors: String = errors.map(|error| error.text() + "\n").collect();
    if errors.is_empty() { stderr.to_owned() } else { errors }
}

fn summary(diagnostics: &[Diagnostic], stderr: &str) -> String {
    let errors: Vec<String> = diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).map(Diagnostic::text).collect();
    match (errors.is_empty(), stderr.trim()) {
        (false, _) => errors.join("; "),
        (true, "") => "it did not say why".to_owned(),
        (true, words) => words.to_owned(),
    }
}

/// A thing on the host, as Terraform knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Terraform's address, such as `libvirt_network.network["lan"]`.
    pub address: String,
    /// Terraform's resource type, such as `libvirt_network`.
    pub resource_type: String,
    /// Its name on the host, such as `hello.lan`.
    pub name: String,
    /// The pool that a volume is in.
    pub pool: Option<String>,
    /// The provider's name of it: the UUID of a domain or a network.
    pub id: Option<String>,
}

impl Known {
    /// Reads it from the attributes of a state or of a plan; none where they have no name.
    fn of(address: String, resource_type: &str, attributes: &serde_json::Value) -> Option<Known> {
        let text = |name: &str| attributes[name].as_str().map(str::to_owned);
        Some(Known {
            address,
            resource_type: resource_type.to_owned(),
            name: text("name")?,
            pool: text("pool"),
            id: text("id"),
        })
    }
}

/// What is on a host and unknown to Terraform.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// The provider's names of it, by the address that it is to have.
    pub ids: BTreeMap<String, String>,
    /// Those of the addresses whose thing is not wired as the design says.
    pub unlike: BTreeSet<String>,
}

/// What a saved plan does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Resource by resource.
    pub changes: Vec<Change>,
    /// What it makes on the host, or makes anew.
    pub makes: Vec<Known>,
    /// Whether the state's outputs are to be written: an apply that was killed at its end has made all and not said so there.
    pub outputs: bool,
}

/// Terraform in one directory.
#[derive(Debug, Clone)]
pub struct Terraform {
    /// The program: terraform or tofu.
    pub program: PathBuf,
    /// Where providers are found without a registry, if we brought them.
    pub mirror: Option<PathBuf>,
    /// The directory with `main.tf`.
    pub dir: PathBuf,
    /// The program and the provider, by their bytes.
    pub pin: Pin,
}

impl Terraform {
    /// Installs the provider: once, and again when the program or the provider became another one. A provider that is not the
    /// one that the lab's things were made with is refused.
    pub async fn init(&self, cancel: &CancellationToken) -> Result<(), Error> {
        let has_state = self.has_state()?;
        if has_state
            && let Some(Pin { provider: Some(then), .. }) = self.pinned()
            && let Some(now) = &self.pin.provider
            && now.digest != then.digest
        {
            return Err(tools::Error::OtherProvider { now: Box::new(now.clone()), then: Box::new(then) }.into());
        }
        let stamp_path = self.dir.join(STAMP_FILE);
        let stamp = serde_json::to_vec(&self.pin).expect("paths that were read as text are JSON");
        let (installed, lock) = (self.dir.join(".terraform"), self.dir.join(".terraform.lock.hcl"));
        if fs::read(&stamp_path).is_ok_and(|found| found == stamp) && installed.is_dir() && lock.is_file() {
            return Ok(());
        }
        let _ = fs::remove_dir_all(&installed);
        // The lock names the provider that was, by its digest. It is kept while the lab has things that were made with that one:
        // also where the provider comes from a registry, Terraform then refuses other bytes under the same version.
        if !has_state {
            let _ = fs::remove_file(&lock);
        }
        self.messages("init", &["init", "-input=false", "-no-color"], cancel, |_| {}).await?;
        write_private(&stamp_path, stamp).map(drop).map_err(|source| Error::Write { path: stamp_path, source })
    }

    /// A sentence about the program, if it is not the one that the lab was deployed with. That is no reason to refuse: Terraform
    /// itself refuses a state that is too new for it.
    pub fn changed(&self) -> Option<String> {
        let (then, now) = (self.pinned()?.program, &self.pin.program);
        if then.digest == now.digest {
            return None;
        }
        Some(format!(
            "Terraform is not the one that this lab was deployed with: {} {} ({}), before {} {} ({})",
            now.path.display(),
            now.version,
            short(&now.digest),
            then.path.display(),
            then.version,
            short(&then.digest)
        ))
    }

    /// What the lab's things were made with, if it was noted.
    fn pinned(&self) -> Option<Pin> {
        tools::read_pin(&self.dir.join("..").join(PIN_FILE))
    }

    /// The program that a lab in `dir` stays with: what terraform made, tofu does not read, and the other way round. None where
    /// any will do.
    pub fn program_of(dir: &Path) -> Result<Option<PathBuf>, Error> {
        let Ok(stamp) = fs::read_to_string(dir.join(STAMP_FILE)) else { return Ok(None) };
        let path = match serde_json::from_str::<Pin>(&stamp) {
            Ok(pin) => pin.program.path,
            // As it was written before programs were known by their bytes.
            Err(_) => PathBuf::from(stamp.lines().next().unwrap_or_default()),
        };
        if !holds_anything(&state(dir)?) {
            return Ok(None);
        }
        if path.is_file() { Ok(Some(path)) } else { Err(Error::OtherProgram { path }) }
    }

    /// Plans into [`PLAN_FILE`]: to reach the directory's configuration, or to destroy everything. `uri` is where libvirt is
    /// found from this process; the one in the variables file is for people.
    pub async fn plan(
        &self,
        destroy: bool,
        uri: &str,
        cancel: &CancellationToken,
        on_message: impl FnMut(Message),
    ) -> Result<(), Error> {
        let uri = format!("-var=libvirt_uri={uri}");
        let mut args = vec!["plan", "-input=false", "-json", &uri, "-out", PLAN_FILE];
        if destroy {
            args.push("-destroy");
        }
        self.messages("plan", &args, cancel, on_message).await
    }

    /// What the saved plan changes and makes.
    pub async fn planned(&self, cancel: &CancellationToken) -> Result<Planned, Error> {
        let (ended, text) = self.program(&["show", "-json", PLAN_FILE]).capture(cancel).await?;
        self.check("show", ended, Vec::new())?;
        message::planned(&text).map_err(|source| Error::Output { verb: "show", source })
    }

    /// The saved plan in Terraform's own words.
    pub async fn show(&self, cancel: &CancellationToken) -> Result<String, Error> {
        let (ended, text) = self.program(&["show", "-no-color", PLAN_FILE]).capture(cancel).await?;
        self.check("show", ended, Vec::new())?;
        Ok(text)
    }

    /// Applies the saved plan, `at_once` resources at a time: Terraform itself refuses one that no longer fits the state. Notes
    /// first what it is done with. When `give_up` is cancelled it is ended at once, and not when it is done with what it is at.
    pub async fn apply(
        &self,
        at_once: usize,
        cancel: &CancellationToken,
        give_up: &CancellationToken,
        on_message: impl FnMut(Message),
    ) -> Result<(), Error> {
        self.note_pin()?;
        let parallelism = format!("-parallelism={at_once}");
        Self::keep_state(&self.dir)?;
        let program = self.program(&["apply", "-input=false", "-json", &parallelism, PLAN_FILE]).give_up(give_up.clone());
        let applied = self.follow("apply", program, cancel, on_message).await;
        let kept = Self::keep_state(&self.dir);
        applied.and(kept)
    }

    /// Notes what the lab's things are made with.
    fn note_pin(&self) -> Result<(), Error> {
        let path = self.dir.join("..").join(PIN_FILE);
        let pin = serde_json::to_vec(&self.pin).expect("paths that were read as text are JSON");
        write_private(&path, pin).map(drop).map_err(|source| Error::Write { path, source })
    }

    /// Takes what the saved plan would make, and is there already, into the state. What else there is to know of each is the plan's
    /// word, until the next plan asks the host.
    ///
    /// `terraform import` asks the host for all of it. This provider then leaves out which base a volume has, and the next plan
    /// would make the volume anew.
    pub async fn adopt(&self, found: &Found, uri: &str, cancel: &CancellationToken) -> Result<(), Error> {
        self.note_pin()?;
        self.write_adopted(found, false, cancel).await?;
        // Main.tf's own records hold names that Terraform knows only now.
        self.plan(false, uri, cancel, |_| {}).await?;
        self.write_adopted(found, true, cancel).await?;
        Self::keep_state(&self.dir)
    }

    async fn write_adopted(&self, found: &Found, records: bool, cancel: &CancellationToken) -> Result<(), Error> {
        let (ended, plan) = self.program(&["show", "-json", PLAN_FILE]).capture(cancel).await?;
        self.check("show", ended, Vec::new())?;
        let adopted = message::adopted(&plan, state(&self.dir)?, found, records);
        let text = adopted.map_err(|source| Error::Output { verb: "show", source })?.to_string();
        let path = self.dir.join(STATE_FILE);
        write_private(&path, text).map(drop).map_err(|source| Error::Write { path, source })
    }

    /// Puts a state that cannot be read aside.
    pub(crate) fn put_damaged_aside(dir: &Path) -> Result<(), Error> {
        let path = dir.join(STATE_FILE);
        match fs::read(&path) {
            Ok(bytes) if Stamp::of(&bytes).is_none() => {
                let aside = dir.join(format!("{STATE_FILE}.{}", crate::store::now_ms()));
                fs::rename(&path, &aside).map_err(|source| Error::Write { path: aside, source })
            }
            _ => Ok(()),
        }
    }

    /// Copies the state, if it is whole and not older than the copy: Terraform writes its own in place, and takes what a full
    /// disk leaves of one for "nothing is there". That there is none yet is worth a copy as well.
    fn keep_state(dir: &Path) -> Result<(), Error> {
        let kept = Self::kept_state(dir);
        let bytes = match fs::read(dir.join(STATE_FILE)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound && kept.is_none() => Vec::new(),
            Err(_) => return Ok(()),
        };
        let Some(found) = Stamp::of(&bytes).or(bytes.is_empty().then(Stamp::default).filter(|_| kept.is_none())) else {
            return Ok(());
        };
        if kept.is_some_and(|(kept, _)| found.lineage == kept.lineage && found.serial < kept.serial) {
            return Ok(());
        }
        let digest = digest_of(&bytes);
        let path = dir.join(COPY_FILE);
        let copy = [digest.as_bytes(), b"\n", &bytes].concat();
        write_private(&path, copy).map(drop).map_err(|source| Error::Write { path, source })
    }

    /// The copy of the state, if there is a whole one.
    fn kept_state(dir: &Path) -> Option<(Stamp, Vec<u8>)> {
        let copy = fs::read(dir.join(COPY_FILE)).ok()?;
        let (digest, bytes) = copy.split_at_checked(65)?;
        (digest.strip_suffix(b"\n")? == digest_of(bytes).as_bytes()).then_some(())?;
        let stamp = if bytes.is_empty() { Stamp::default() } else { Stamp::of(bytes)? };
        Some((stamp, bytes.to_vec()))
    }

    /// Whether neither the state in `dir` nor our copy of it says what was made: gone or damaged, both.
    pub(crate) fn is_lost(dir: &Path) -> bool {
        let is_whole = || fs::read(dir.join(STATE_FILE)).is_ok_and(|bytes| Stamp::of(&bytes).is_some());
        Self::kept_state(dir).is_none() && !is_whole()
    }

    /// Whether there is a state in `dir`, or a copy, be they good or not.
    pub(crate) fn was_kept(dir: &Path) -> bool {
        dir.join(STATE_FILE).exists() || dir.join(COPY_FILE).exists()
    }

    /// Puts the copy of the state in `dir` in its place when the state is gone, damaged, older than the copy, of another lab, or was edited.
    /// What was there is put aside. Says what was wrong; none where all is well, or where there is no copy to go by.
    pub fn mend_state(dir: &Path) -> Result<Option<String>, Error> {
        let path = dir.join(STATE_FILE);
        let Some((kept, copy)) = Self::kept_state(dir) else {
            // Without either it is for the caller to know whether anything was made: see `is_lost`.
            return if Self::is_lost(dir) { Ok(None) } else { Self::keep_state(dir).map(|()| None) };
        };
        let bytes = fs::read(&path);
        let wrong = match bytes.as_ref().map(|bytes| (bytes, Stamp::of(bytes))) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && copy.is_empty() => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => "was gone",
            Err(_) => "could not be read",
            Ok((bytes, _)) if bytes.is_empty() => "was empty",
            Ok((_, None)) => "was damaged",
            Ok((_, Some(found))) if found.lineage != kept.lineage && !copy.is_empty() => "was another one's",
            Ok((_, Some(found))) if found.serial < kept.serial => "was an older one",
            Ok((bytes, Some(found))) if found.serial == kept.serial && *bytes != copy => "was edited",
            // A newer one: of an apply that was cut off, or of somebody who ran Terraform by hand.
            Ok((_, Some(_))) => return Self::keep_state(dir).map(|()| None),
        };
        let write = |source| Error::Write { path: path.clone(), source };
        // Of the first apply: what it made is claimed by name.
        if copy.is_empty() {
            fs::remove_file(&path).map_err(write)?;
            return Ok(Some(format!("terraform's state {wrong}, and was taken away: there was none before")));
        }
        let mut aside = String::new();
        if bytes.is_ok_and(|bytes| !bytes.is_empty()) {
            let name = format!("{STATE_FILE}.{}", crate::store::now_ms());
            fs::rename(&path, dir.join(&name)).map_err(write)?;
            aside = format!("; what was there is kept as {name}");
        }
        write_private(&path, copy).map_err(write)?;
        Ok(Some(format!(
            "terraform's state {wrong}, and the last good copy (serial {}) was put in its place{aside}",
            kept.serial
        )))
    }

    /// What Terraform's state here holds of libvirt's things; nothing when there is no state.
    pub fn resources(&self) -> Result<Vec<Known>, Error> {
        let state = state(&self.dir)?;
        let mut known = Vec::new();
        for resource in state["resources"].as_array().into_iter().flatten() {
            let (Some(resource_type), Some(name)) = (resource["type"].as_str(), resource["name"].as_str()) else { continue };
            for instance in resource["instances"].as_array().into_iter().flatten() {
                let address = format!("{resource_type}.{name}[{}]", instance["index_key"]);
                known.extend(Known::of(address, resource_type, &instance["attributes"]));
            }
        }
        Ok(known)
    }

    /// Whether `dir` may be one with something on a host: with a state that holds anything, or that cannot be read.
    pub(crate) fn may_hold(dir: &Path) -> bool {
        fs::metadata(dir.join(COPY_FILE)).is_ok_and(|copy| copy.len() > COPY_OF_NONE)
            || state(dir).map_or(true, |state| holds_anything(&state))
    }

    /// Whether Terraform's state here holds anything.
    pub fn has_state(&self) -> Result<bool, Error> {
        Ok(holds_anything(&state(&self.dir)?))
    }

    /// Takes resources out of the state; nothing on the host changes.
    pub async fn forget(&self, addresses: &[String], cancel: &CancellationToken) -> Result<(), Error> {
        if addresses.is_empty() {
            return Ok(());
        }
        let args: Vec<&str> = ["state", "rm"].into_iter().chain(addresses.iter().map(String::as_str)).collect();
        let (ended, _) = self.program(&args).capture(cancel).await?;
        self.check("state rm", ended, Vec::new())?;
        Self::keep_state(&self.dir)
    }

    async fn messages(
        &self,
        verb: &'static str,
        args: &[&str],
        cancel: &CancellationToken,
        on_message: impl FnMut(Message),
    ) -> Result<(), Error> {
        self.follow(verb, self.program(args), cancel, on_message).await
    }

    async fn follow(
        &self,
        verb: &'static str,
        program: Program,
        cancel: &CancellationToken,
        mut on_message: impl FnMut(Message),
    ) -> Result<(), Error> {
        let mut diagnostics = Vec::new();
        let ended = program
            .run(cancel, |line| {
                let message = match line {
                    Line::Out(line) => message::parse(&line),
                    Line::Err(line) => Message::Text(line),
                };
                if let Message::Diagnostic(diagnostic) = &message {
                    diagnostics.push(diagnostic.clone());
                }
                on_message(message);
            })
            .await?;
        self.check(verb, ended, diagnostics)
    }

    fn check(&self, verb: &'static str, ended: Ended, diagnostics: Vec<Diagnostic>) -> Result<(), Error> {
        if ended.cancelled {
            return Err(Error::Cancelled { verb });
        }
        if ended.given_up {
            return Err(Error::Lost { verb });
        }
        if !ended.status.success() {
            return Err(Error::Failed { verb, diagnostics, stderr: ended.stderr });
        }
        Ok(())
    }

    fn program(&self, args: &[&str]) -> Program {
        Program::new(&self.program, &self.dir)
            .fetching()
            .args(args)
            .grace(APPLY_GRACE)
            .env("TF_IN_AUTOMATION", "1")
            .env("TF_INPUT", "0")
            .env("CHECKPOINT_DISABLE", "1")
            .env("TF_CLI_CONFIG_FILE", self.dir.join("../terraform.rc"))
    }

    /// Writes the directory's files and Terraform's own configuration beside it. Files that are right already are not
    /// touched; returns whether any was.
    pub fn write(&self, files: &vlm_lab::render::Files) -> Result<bool, Error> {
        let write = |path: PathBuf, text: &str| write_private(&path, text).map_err(|source| Error::Write { path, source });
        let mut changed = write(self.dir.join("../terraform.rc"), &cli_config(self.mirror.as_deref()))?;
        for (name, text) in files {
            changed |= write(self.dir.join(name), text)?;
        }
        Ok(changed)
    }
}

/// SHA-256 in hex.
fn digest_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Which state of which series. The default is of no state at all.
#[derive(Default)]
struct Stamp {
    lineage: String,
    serial: u64,
}

impl Stamp {
    /// None where `bytes` are no state.
    fn of(bytes: &[u8]) -> Option<Stamp> {
        let state: serde_json::Value = serde_json::from_slice(bytes).ok()?;
        state["resources"].as_array()?;
        Some(Stamp { lineage: state["lineage"].as_str()?.to_owned(), serial: state["serial"].as_u64()? })
    }
}

/// Terraform's state in `dir`; null when there is none.
fn state(dir: &Path) -> Result<serde_json::Value, Error> {
    let path = dir.join(STATE_FILE);
    match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(serde_json::Value::Null),
        Err(_) => Err(Error::State { path }),
        // Terraform takes a state of no bytes as "nothing is there", and a full disk leaves one like that.
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|_| Error::State { path }),
    }
}

fn holds_anything(state: &serde_json::Value) -> bool {
    state["resources"].as_array().is_some_and(|resources| !resources.is_empty())
}

/// Terraform's CLI configuration: providers from our mirror where we have one, for the rest its registry.
fn cli_config(mirror: Option<&Path>) -> String {
    match mirror {
        None => "# Providers come from Terraform's registry.\n".to_owned(),
        Some(mirror) => format!(
            "provider_installation {{\n  filesystem_mirror {{\n    path = {}\n  }}\n}}\n",
            serde_json::Value::from(mirror.to_string_lossy().replace("${", "$${").replace("%{", "%%{"))
        ),
    }
}

/// Writes `bytes` to `path` if they are not there already, through a temporary file, readable by the user alone.
pub(crate) fn write_private(path: &Path, bytes: impl AsRef<[u8]>) -> io::Result<bool> {
    let bytes = bytes.as_ref();
    if fs::read(path).is_ok_and(|found| found == bytes) {
        return Ok(false);
    }
    let dir = path.parent().expect("a file lies in a folder");
    create_private_dir(dir)?;
    let mut file = tempfile::NamedTempFile::new_in(dir)?; // made with mode 0600
    io::Write::write_all(&mut file, bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(true)
}

/// Makes a folder, and those above it, for the user alone.
pub(crate) fn create_private_dir(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// The first of `names` on PATH or in `extra`. Folders of PATH that depend on where we are do not count: a program in a
/// folder that somebody sent us is none of ours.
pub fn find_program(names: &[&str], extra: &Path) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    names
        .iter()
        .flat_map(|name| std::env::split_paths(&path).filter(|dir| dir.is_absolute()).map(move |dir| dir.join(name)))
        .chain(names.iter().map(|name| extra.join(name)))
        .find(|path| tools::is_program(path))
}
