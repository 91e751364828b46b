//! Hosts that are reached by SSH: from this computer, with nothing but their sshd.

use std::{fs, process::Command, time::Duration};

use vlm_tests::{Host, Output, Running, check_documented, vlm};

const LIMIT: Duration = Duration::from_secs(60);

/// `vlm` on this computer, as a user whose home is the test's folder and who has no agent.
fn user(host: &Host, args: &[&str]) -> Output {
    let mut command = Command::new(vlm());
    command
        .args(args)
        .env("HOME", host.scratch())
        .env("XDG_DATA_HOME", host.scratch().join("data"))
        .env("XDG_CONFIG_HOME", host.scratch().join("config"))
        .env("XDG_RUNTIME_DIR", host.scratch())
        .env_remove("SSH_AUTH_SOCK");
    Running::start(command).end(LIMIT)
}

#[test]
fn a_host_is_added_by_its_key_checked_and_removed() {
    let Some(host) = Host::new(&[]) else { return };
    let there = format!("root@{}", host.address());
    let identity = host.identity().to_str().expect("it is text").to_owned();
    let key = host.host_key();
    let public = host.write("host.pub", &key);
    let fingerprint = host.run(["ssh-keygen", "-lf", &public]).ends(0).out;
    let fingerprint = fingerprint.split(' ').nth(1).expect("ssh-keygen prints it").to_owned();
    let add = |more: &[&str]| user(&host, &[&["host", "add", "lab1", &there, "--identity", &identity][..], more].concat());
    let known_hosts = host.scratch().join(".ssh/known_hosts");
    fs::create_dir_all(host.scratch().join(".ssh")).expect("the test's folder can be written");
    let knows = |text: String| fs::write(&known_hosts, text).expect("the test's folder can be written");

    // A key that nobody has accepted is named, and nothing is sent.
    add(&[]).ends(2).says(&[&format!("the host key of {there} is not known: {fingerprint}"), "then say --host-key"]);
    add(&["--host-key", "SHA256:another"]).ends(2).says(&[&format!("shows the host key {fingerprint}, not SHA256:another")]);
    // Another key in known_hosts, or a revoked one, is refused, whatever --host-key says.
    host.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "other"]).ends(0);
    let other = fs::read_to_string(host.scratch().join("other.pub")).expect("a key was made");
    knows(format!("{} {other}", host.address()));
    add(&["--host-key", &fingerprint]).ends(2).says(&["known_hosts:1 has another for it: somebody may be in between"]);
    knows(format!("@revoked * {key}\n"));
    add(&["--host-key", &fingerprint]).ends(2).says(&["known_hosts:1 revokes"]);
    assert_eq!(user(&host, &["host", "list"]).ends(0).out.lines().count(), 1, "nothing was added");

    // Known by a hashed line, as OpenSSH writes them.
    knows(format!("{} {key}\n", host.address()));
    host.run(["ssh-keygen", "-q", "-H", "-f", known_hosts.to_str().expect("it is text")]).ends(0);
    assert!(fs::read_to_string(&known_hosts).expect("it was hashed").starts_with("|1|"));
    add(&[]).ends(0).says(&[&format!("added host `lab1`: {there}"), "libvirt "]);
    add(&[]).ends(2).says(&["there is a host `lab1` already"]);

    // From now on the key that was accepted counts, and no file.
    knows(String::new());
    user(&host, &["host", "check", "lab1"]).ends(0).says(&["guests run on TCG"]);
    check_documented("host check --json", &user(&host, &["host", "check", "lab1", "--json"]).ends(0).json());
    check_documented("host list --json", &user(&host, &["host", "list", "--json"]).ends(0).json());
    let left = fs::read_dir(host.scratch()).expect("it is there").flatten();
    let left: Vec<_> = left.filter(|entry| entry.file_name().to_string_lossy().starts_with("vlm-")).collect();
    assert!(left.is_empty(), "sockets that were left: {left:?}");

    // A lab may name it, and then it stays.
    let file = host.write(
        "far.yaml",
        "version: 1\nname: far\nnetworks: { lan: { cidr: 10.76.1.0/24 } }\nmachines: { m: { image: debian-12, host: lab1 } }\n",
    );
    user(&host, &["check", &file]).ends(0);
    user(&host, &["plan", &file]).ends(2).says(&["images that must be built first: debian-12"]);
    user(&host, &["host", "remove", "lab1"]).ends(2).says(&["lab `far` names host `lab1`"]);
    user(&host, &["forget", "far"]).ends(0);

    // What is wrong over there is told apart.
    user(&host, &["host", "add", "lab2", &there, "--host-key", &fingerprint]).ends(1).says(&["lets in none of our keys"]);
    let port = format!("{there}:1");
    user(&host, &["host", "add", "lab2", &port]).ends(1).says(&[&format!("could not reach {port}: Connection refused")]);
    host.inside("kill $(pidof libvirtd)").ends(0);
    host.run(["sh", "-c", "for _ in $(seq 100); do virsh -q uri >/dev/null 2>&1 || exit 0; sleep 0.1; done; exit 1"]).ends(0);
    user(&host, &["host", "check", "lab1"]).ends(1).says(&["no libvirt listens on", "install libvirt there and start it"]);

    user(&host, &["host", "remove", "lab1"]).ends(0);
    user(&host, &["host", "remove", "lab1"]).ends(2).says(&["there is no host `lab1`"]);
    user(&host, &["host", "remove", "local"]).ends(2).says(&["`local` is this computer, and stays"]);
    user(&host, &["host", "add", "x", "root@-oProxyCommand=x"]).ends(2).says(&["is no [USER@]ADDRESS[:PORT]"]);
}
