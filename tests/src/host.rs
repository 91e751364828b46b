//! Isolated libvirt hosts, one network, process and mount world each, made by `rig/host`.

use std::{
    ffi::OsStr,
    fs,
    os::{
        fd::OwnedFd,
        linux::net::SocketAddrExt,
        unix::{
            net::{SocketAddr, UnixDatagram},
            process::CommandExt,
        },
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{Image, Output, Running, image, real_tests_run, repository, search_path, tools, vlm};

/// How long a command may take that boots guests, on a slow and busy machine.
const LIMIT: Duration = Duration::from_secs(300);
/// The numbers of hosts that tests may take; lower ones are for people.
const NUMBERS: std::ops::RangeInclusive<u8> = 150..=249;

/// A host of a test's own, with a store and settings of its own.
///
/// It does not outlive the test: a process of its own waits for a pipe to close, which the kernel does also for a test that was
/// killed, and then takes the host down. That process also holds the host's number until then.
pub struct Host {
    number: u8,
    scratch: PathBuf,
    keeper: Child,
    begun: Instant,
}

impl Host {
    /// A new host whose store holds `images`; none when real tests do not run.
    pub fn new(images: &[Image]) -> Option<Host> {
        if !real_tests_run() {
            return None;
        }
        // Before a host is up: building takes minutes the first time.
        let files: Vec<_> = images.iter().map(|which| (which.name(), image(*which))).collect();
        let (number, lock) = NUMBERS.clone().find_map(take_number).expect("a number for a host is free");
        let scratch = scratch(number);
        let _ = fs::remove_dir_all(&scratch); // of a test that was killed together with its keeper
        fs::create_dir_all(&scratch).expect("the temporary folder can be written");
        let keeper = Command::new("sh")
            .args(["-c", "trap '' HUP INT TERM; cat; \"$0\" down \"$1\" >&2; rm -rf \"$2\""])
            .args([rig().as_os_str(), number.to_string().as_ref(), scratch.as_os_str()])
            .stdin(Stdio::piped())
            .stdout(Stdio::from(OwnedFd::from(lock)))
            .process_group(0)
            .spawn()
            .expect("a shell can be started");
        let host = Host { number, scratch, keeper, begun: Instant::now() };
        let mut up = Command::new(rig());
        up.args(["up", &number.to_string()]);
        Running::start(up).end(Duration::from_secs(120)).ends(0);
        for (name, file) in files {
            host.vlm(["image".as_ref(), "add".as_ref(), OsStr::new(name), file.as_os_str()]).ends(0);
        }
        Some(host)
    }

    /// Its address, as a remote machine.
    pub fn address(&self) -> String {
        format!("10.200.{}.2", self.number)
    }

    /// The private key that lets `root` in there.
    pub fn identity(&self) -> PathBuf {
        rig_state().join("id_ed25519")
    }

    /// Its sshd's public host key: type and base64.
    pub fn host_key(&self) -> String {
        let text = fs::read_to_string(rig_state().join(format!("vlm-h{}/hostkey.pub", self.number))).expect("a host has a key");
        text.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
    }

    /// Its libvirt's socket, as this computer's processes reach it.
    pub fn libvirt_socket(&self) -> PathBuf {
        let first = fs::read_to_string(rig_state().join(format!("vlm-h{}/pid", self.number))).expect("a host is up");
        format!("/proc/{}/root/run/libvirt/libvirt-sock", first.trim()).into()
    }

    /// A folder for the test's files.
    pub fn scratch(&self) -> &Path {
        &self.scratch
    }

    /// `$XDG_DATA_HOME/vlm` of this host's `vlm`.
    pub fn data(&self) -> PathBuf {
        self.scratch.join("data/vlm")
    }

    /// The rendered folder of a lab.
    pub fn lab_dir(&self, lab: &str) -> PathBuf {
        self.data().join("labs").join(lab)
    }

    /// The lab's Terraform directory.
    pub fn terraform_dir(&self, lab: &str) -> PathBuf {
        self.lab_dir(lab).join("local/terraform")
    }

    /// Writes a file into the test's folder.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        let path = self.scratch.join(name);
        fs::write(&path, text).expect("the test's folder can be written");
        path.to_str().expect("temporary paths are text").to_owned()
    }

    /// A command that runs as if this host were the computer.
    pub fn command<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(rig());
        command
            .args(["exec", &self.number.to_string()])
            .args(words)
            .current_dir(&self.scratch)
            .env("PATH", search_path())
            .env("HOME", &self.scratch)
            .env("XDG_DATA_HOME", self.scratch.join("data"))
            .env("XDG_CONFIG_HOME", self.scratch.join("config"))
            .env("XDG_STATE_HOME", self.scratch.join("state"))
            .env("XDG_CACHE_HOME", self.scratch.join("cache"))
            .env("VLM_TOOLS", tools());
        command
    }

    /// Runs a program on the host to its end.
    pub fn run<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Output {
        Running::start(self.command(words)).end(LIMIT)
    }

    /// Runs a shell script inside the host's own process world, where process names mean its processes alone.
    pub fn inside(&self, script: &str) -> Output {
        let mut command = Command::new(rig());
        command.args(["ssh", &self.number.to_string(), script]);
        Running::start(command).end(LIMIT)
    }

    /// Pulls (or plugs) its network cable.
    pub fn cable(&self, plugged: bool) {
        let mut command = Command::new(rig());
        command.args([if plugged { "mend" } else { "cut" }, &self.number.to_string()]);
        Running::start(command).end(LIMIT).ends(0);
    }

    /// Starts `vlm`.
    pub fn start_vlm<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Running {
        let mut command = self.command([vlm()]);
        command.args(args);
        Running::start(command)
    }

    /// Runs `vlm` to its end.
    #[track_caller]
    pub fn vlm<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Output {
        self.start_vlm(args).end(LIMIT)
    }

    /// Runs `virsh`, which must succeed; what it printed.
    #[track_caller]
    pub fn virsh(&self, args: &[&str]) -> String {
        self.run(["virsh", "-q", "-c", "qemu:///system"].iter().chain(args)).ends(0).out
    }

    /// `vlm status LAB --json`.
    #[track_caller]
    pub fn status(&self, lab: &str) -> Value {
        self.vlm(["status", lab, "--json"]).ends(0).json()
    }

    /// Runs a command in a guest through `vlm ssh`; what it printed.
    #[track_caller]
    pub fn ssh(&self, machine: &str, command: &str) -> String {
        self.vlm(["ssh", machine, "--", command]).ends(0).out
    }

    /// Insists that Terraform itself finds nothing to change about a lab.
    #[track_caller]
    pub fn terraform_finds_nothing(&self, lab: &str) {
        let terraform = crate::program(&["terraform", "tofu"], &tools().join("bin")).expect("it was looked for");
        let mut command = self.command([terraform.as_os_str()]);
        command
            .args(["plan", "-detailed-exitcode", "-input=false", "-no-color"])
            .env("TF_CLI_CONFIG_FILE", "../terraform.rc")
            .current_dir(self.terraform_dir(lab));
        Running::start(command).end(LIMIT).ends(0).says(&["No changes"]);
    }

    /// Everything on the host that a lab could leave there, a thing a line: domains, networks, volumes, network devices. Our
    /// pool and the images in it are not counted.
    pub fn inventory(&self) -> Vec<String> {
        let names = |kind: &str, text: String| -> Vec<String> {
            text.lines().filter_map(|line| line.split_whitespace().next()).map(|name| format!("{kind} {name}")).collect()
        };
        let mut all = names("domain", self.virsh(&["list", "--all", "--name"]));
        all.extend(names("network", self.virsh(&["net-list", "--all", "--name"])));
        for pool in self.virsh(&["pool-list", "--name"]).split_whitespace() {
            self.virsh(&["pool-refresh", pool]);
            let volumes = names(&format!("volume {pool}"), self.virsh(&["vol-list", pool]));
            all.extend(volumes.into_iter().filter(|volume| !is_base_image(volume)));
        }
        let devices = self.run(["ip", "-brief", "link"]).ends(0).out;
        all.extend(names("device", devices).into_iter().filter(|device| !device.starts_with("device eth0")));
        all.sort();
        all
    }

    /// What the host has that bears a lab's name.
    pub fn of_lab(&self, lab: &str) -> Vec<String> {
        let named = |thing: &String| thing.split_whitespace().any(|word| word.starts_with(&format!("{lab}.")));
        self.inventory().into_iter().filter(named).collect()
    }

    /// Takes a lab away, and insists that nothing of it stays.
    #[track_caller]
    pub fn destroy(&self, lab: &str) {
        self.vlm(["destroy", lab, "--yes"]).ends(0);
        assert_eq!(self.of_lab(lab), [""; 0], "things that `vlm destroy {lab}` left on the host");
        assert!(!self.lab_dir(lab).exists(), "`vlm destroy {lab}` left {}", self.lab_dir(lab).display());
        assert_eq!(self.status(lab)["state"], "designed", "`vlm destroy {lab}` ended well, but the lab's state is another");
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait(); // it has said on standard error what went wrong
        eprintln!("host {} was there for {:.0} s", self.number, self.begun.elapsed().as_secs_f64());
    }
}

fn is_base_image(volume: &str) -> bool {
    let digest = volume.strip_prefix("volume vlm ").and_then(|name| name.strip_suffix(".qcow2"));
    digest.is_some_and(|digest| digest.len() == 64 && digest.chars().all(|c| c.is_ascii_hexdigit()))
}

/// Where `rig/host` keeps what it made.
fn rig_state() -> PathBuf {
    std::env::var_os("VLM_RIG").map_or_else(|| "/tmp/vlm-rig".into(), PathBuf::from)
}

fn rig() -> PathBuf {
    repository().join("tests/rig/host")
}

fn scratch(number: u8) -> PathBuf {
    std::env::temp_dir().join(format!("vlm-tests-{number}"))
}

/// Takes a number that no other test has, in any user's checkout: the kernel gives a name of this kind to one socket at a time.
fn take_number(number: u8) -> Option<(u8, UnixDatagram)> {
    let name = SocketAddr::from_abstract_name(format!("vlm-tests-host-{number}")).expect("the name is short");
    let lock = UnixDatagram::bind_addr(&name).ok()?;
    // A host that is there already is a person's, unless its test was killed together with its keeper.
    let namespaces = Command::new("ip").args(["netns", "list"]).env("PATH", search_path()).output().expect("ip can be started");
    let there = String::from_utf8_lossy(&namespaces.stdout)
        .lines()
        .any(|line| line.split(' ').next() == Some(&format!("vlm-h{number}")));
    (!there || scratch(number).exists()).then_some((number, lock))
}
