//! What the tests of the whole product share: the `vlm` under test, isolated libvirt hosts, images that boot in seconds.
//!
//! Real tests run with `VLM_E2E=1`, say why they are skipped, and fail instead of being skipped with `VLM_E2E=require`. Whatever
//! happens to a test, its host does not outlive it: see [`Host`].

mod command;
mod documented;
mod host;
mod images;
mod workstation;

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

pub use command::{Keyboard, Output, Running};
pub use documented::{check_documented, check_documented_event};
pub use host::Host;
pub use images::{Image, image};
pub use workstation::{Workstation, connections};

/// The repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package lies in the repository")
}

/// The `vlm` under test: `$VLM_BIN`, or this tree's, built where the test itself was built.
pub fn vlm() -> &'static Path {
    static VLM: LazyLock<PathBuf> = LazyLock::new(|| match env::var_os("VLM_BIN") {
        Some(path) => path.into(),
        None => build("vlm-cli", "vlm"),
    });
    &VLM
}

/// Builds `program` of the workspace's `package`, in the profile that the tests have, and says where it is.
pub fn build(package: &str, program: &str) -> PathBuf {
    let test = env::current_exe().expect("the test knows its own path");
    // TARGET/PROFILE/deps/TEST
    let profile = test.ancestors().nth(2).expect("cargo puts tests into target/PROFILE/deps");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--quiet", "--package", package, "--target-dir"])
        .arg(profile.parent().expect("a profile lies in target"));
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    let status = cargo.current_dir(repository()).status().expect("cargo can be started");
    let built = profile.join(program);
    assert!(status.success() && built.is_file(), "the program under test could not be built: run `cargo build -p {package}`");
    built
}

/// Where `scripts/setup` put what labs need.
pub fn tools() -> PathBuf {
    let data = || env::var_os("XDG_DATA_HOME").map_or_else(|| home().join(".local/share"), PathBuf::from).join("vlm/tools");
    env::var_os("VLM_TOOLS").map_or_else(data, PathBuf::from)
}

fn home() -> PathBuf {
    env::var_os("HOME").map_or_else(|| "/root".into(), PathBuf::from)
}

/// A Python with PyYAML, which is what cloud-init reads YAML with: Ansible's.
pub fn python() -> PathBuf {
    let ours = tools().join("ansible/bin/python");
    if ours.is_file() { ours } else { "python3".into() }
}

/// The first of `names` that is on PATH, where the system's own programs are, or in `extra`.
pub fn program(names: &[&str], extra: &Path) -> Option<PathBuf> {
    let path = search_path();
    let places = env::split_paths(&path).chain([extra.to_owned()]).collect::<Vec<_>>();
    names.iter().flat_map(|name| places.iter().map(move |dir| dir.join(name))).find(|path| path.is_file())
}

/// PATH, with the folders that a user's PATH lacks on Debian.
fn search_path() -> String {
    format!("{}:/usr/sbin:/sbin", env::var("PATH").unwrap_or_default())
}

/// Whether real tests are wanted and can run here; else says why not, or fails where they are required.
pub fn real_tests_run() -> bool {
    tests_run(missing)
}

/// The same for tests that need something else, as far as `missing` says that it is not there.
pub fn tests_run(missing: impl FnOnce() -> Option<String>) -> bool {
    let reason = match env::var("VLM_E2E").unwrap_or_default().as_str() {
        "" | "0" => "VLM_E2E=1 is not set".to_owned(),
        wish => match missing() {
            None => return true,
            Some(reason) if wish == "require" => panic!("{reason}, and VLM_E2E=require allows no skips"),
            Some(reason) => reason,
        },
    };
    eprintln!("skipped: {reason}");
    false
}

/// What this machine lacks for isolated hosts and their labs.
fn missing() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("isolated hosts need root".into());
    }
    let nowhere = Path::new("");
    let programs = ["ip", "nsenter", "unshare", "perl", "libvirtd", "virtlogd", "virsh", "sshd", "ssh", "qemu-img", "dnsmasq"];
    let mut missing: Vec<String> =
        programs.iter().filter(|name| program(&[name], nowhere).is_none()).map(|name| name.to_string()).collect();
    if program(&["terraform", "tofu"], &tools().join("bin")).is_none() {
        missing.push("terraform".into());
    }
    if !tools().join("ansible/bin/ansible-playbook").is_file() && program(&["ansible-playbook"], nowhere).is_none() {
        missing.push("ansible-playbook".into());
    }
    (!missing.is_empty()).then(|| format!("missing: {} (`scripts/setup labs tests` installs them)", missing.join(", ")))
}
