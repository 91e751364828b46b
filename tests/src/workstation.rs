//! This computer as somebody's desk: a `vlm` with a store of its own, and no libvirt but that of other hosts.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use crate::{Host, Image, Output, Running, image, search_path, tools, vlm};

/// How long a command may take that boots guests, on a slow and busy machine.
const LIMIT: Duration = Duration::from_secs(300);

/// A desk from which hosts are reached by SSH alone.
pub struct Workstation {
    scratch: tempfile::TempDir,
}

impl Workstation {
    /// A desk whose store holds `images` and knows `hosts`, by the names given.
    pub fn new(images: &[Image], hosts: &[(&str, &Host)]) -> Workstation {
        let desk = Workstation { scratch: tempfile::tempdir().expect("the temporary folder can be written") };
        for which in images {
            let file = image(*which);
            desk.vlm(["image".as_ref(), "add".as_ref(), OsStr::new(which.name()), file.as_os_str()]).ends(0);
        }
        for (name, host) in hosts {
            desk.add_host(name, host);
        }
        desk
    }

    /// `vlm host add`, with the key that the host has.
    pub fn add_host(&self, name: &str, host: &Host) {
        let there = format!("root@{}", host.address());
        let identity = host.identity();
        let identity = identity.to_str().expect("it is text");
        let key = self.file("hostkey.pub", host.host_key());
        let printed = Command::new("ssh-keygen").args(["-l", "-f", &key]).output().expect("ssh-keygen can be started");
        let printed = String::from_utf8_lossy(&printed.stdout).into_owned();
        let fingerprint = printed.split_whitespace().nth(1).expect("a fingerprint");
        self.vlm(["host", "add", name, &there, "--identity", identity, "--host-key", fingerprint]).ends(0);
    }

    /// A file of the test's.
    pub fn file(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        let path = self.scratch.path().join(name);
        fs::write(&path, text).expect("the test's folder can be written");
        path.to_str().expect("temporary paths are text").to_owned()
    }

    /// The test's folder.
    pub fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// The folder of a lab.
    pub fn lab_dir(&self, lab: &str) -> PathBuf {
        self.scratch().join("data/vlm/labs").join(lab)
    }

    /// A program of this computer's.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.scratch())
            .env("PATH", search_path())
            .env("HOME", self.scratch())
            .env("XDG_DATA_HOME", self.scratch().join("data"))
            .env("XDG_CONFIG_HOME", self.scratch().join("config"))
            .env("XDG_CACHE_HOME", self.scratch().join("cache"))
            .env("XDG_STATE_HOME", self.scratch().join("state"))
            .env("XDG_RUNTIME_DIR", self.scratch())
            .env_remove("SSH_AUTH_SOCK")
            .env("VLM_TOOLS", tools());
        command
    }

    /// Starts `vlm`.
    pub fn start_vlm<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Running {
        let mut command = self.command(vlm());
        command.args(args);
        Running::start(command)
    }

    /// Runs `vlm`, which dies at `fault`, a STEP:POINT, as if its power was cut.
    #[track_caller]
    pub fn dies(&self, fault: &str, args: &[&str]) {
        let mut command = self.command(vlm());
        command.args(args).env("VLM_FAULT", fault);
        Running::start(command).end(LIMIT).ends(128 + 9);
    }

    /// Runs `vlm` to its end.
    #[track_caller]
    pub fn vlm<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Output {
        self.start_vlm(args).end(LIMIT)
    }

    /// Runs a command in a guest through `vlm ssh`; what it printed.
    #[track_caller]
    pub fn ssh(&self, machine: &str, command: &str) -> String {
        self.vlm(["ssh", machine, "--", command]).ends(0).out
    }

    /// Takes a lab away, and insists that nothing of it stays on `host` or here.
    #[track_caller]
    pub fn destroy(&self, lab: &str, host: &Host) {
        self.vlm(["destroy", lab, "--yes"]).ends(0);
        assert_eq!(host.of_lab(lab), [""; 0], "things that `vlm destroy {lab}` left on the host");
        assert!(!self.lab_dir(lab).exists(), "`vlm destroy {lab}` left {}", self.lab_dir(lab).display());
    }

    /// The most SSH connections that were open to `host` at once while `work` went on.
    pub fn connections_during<T>(&self, host: &Host, work: impl FnOnce() -> T) -> (usize, T) {
        let (over, most) = (AtomicBool::new(false), AtomicUsize::new(0));
        thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    most.fetch_max(connections(host), Ordering::Relaxed);
                    thread::sleep(Duration::from_millis(20));
                }
            });
            let done = work();
            over.store(true, Ordering::Relaxed);
            (most.load(Ordering::Relaxed), done)
        })
    }
}

/// Established TCP connections of this computer to the host's sshd.
pub fn connections(host: &Host) -> usize {
    let address: std::net::Ipv4Addr = host.address().parse().expect("hosts have IPv4 addresses");
    // Columns: sl local_address rem_address st …; addresses are hex, in the processor's order of bytes.
    let there = format!("{:08X}:0016", u32::from_ne_bytes(address.octets()));
    let table = fs::read_to_string("/proc/net/tcp").expect("the kernel lists its connections");
    table.lines().filter(|line| line.split_whitespace().skip(2).take(2).eq([there.as_str(), "01"])).count()
}
