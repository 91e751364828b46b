//! Hosts that are reached by SSH: from this computer, with nothing but their sshd.

use std::{fs, process::Command, time::Duration};

use vlm_tests::{Host, Output, Running, check_documented, vlm};

const LIMIT: Duration = Duration::from_secs(60);

/// `vlm` on this computer, as a user whose home is the test's folder and who has no agent.
fn user(host: &Host, args: &[&str]) -> Output {
    Running::start(users(host, args)).end(LIMIT)
}

fn users(host: &Host, args: &[&str]) -> Command {
    let mut command = Command::new(vlm());
    command
        .args(args)
        .env("HOME", host.scratch())
        .env("XDG_DATA_HOME", host.scratch().join("data"))
        .env("XDG_CONFIG_HOME", host.scratch().join("config"))
        .env("XDG_STATE_HOME", host.scratch().join("state"))
        .env("XDG_RUNTIME_DIR", host.scratch())
        .env_remove("SSH_AUTH_SOCK");
    command
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
    let another = format!("SHA256:{}", "A".repeat(43));
    add(&["--host-key", &another]).ends(2).says(&[&format!("shows the host key {fingerprint}, not {another}"), "mistyped"]);
    add(&["--host-key", "SHA256:another"]).ends(2).says(&["`SHA256:another` is no fingerprint"]);
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
    user(&host, &["host", "add", "lab2", &there, "--host-key", &fingerprint])
        .ends(1)
        .says(&["does not let us in: tried a password: nobody answered"]);
    let port = format!("{there}:1");
    user(&host, &["host", "add", "lab2", &port]).ends(1).says(&[&format!("could not reach {port}: Connection refused")]);
    host.inside("kill $(pidof libvirtd)").ends(0);
    host.run(["sh", "-c", "for _ in $(seq 100); do virsh -q uri >/dev/null 2>&1 || exit 0; sleep 0.1; done; exit 1"]).ends(0);
    user(&host, &["host", "check", "lab1"]).ends(1).says(&["no libvirt listens on", "start libvirt there"]);

    user(&host, &["host", "remove", "lab1"]).ends(0);
    user(&host, &["host", "remove", "lab1"]).ends(2).says(&["there is no host `lab1`"]);
    user(&host, &["host", "remove", "local"]).ends(2).says(&["are this computer: they are always there, and stay"]);
    user(&host, &["host", "add", "x", "root@-oProxyCommand=x"]).ends(2).says(&["is no [USER@]ADDRESS[:PORT]"]);
}

/// The ways to log in that people have in their ssh configuration, against OpenSSH itself: a jump by a key with a passphrase, and
/// behind it a host that is known by a certificate and entered with an RSA key.
#[test]
fn the_ssh_configuration_leads_to_a_host() {
    let Some(host) = Host::new(&[]) else { return };
    let path = |name: &str| host.scratch().join(name).to_str().expect("it is text").to_owned();
    let make = |words: &[&str]| host.run(words).ends(0);
    let there = host.address();
    fs::copy(host.identity(), path("locked")).expect("the test's folder can be written");
    make(&["chmod", "600", "locked"]);
    make(&["ssh-keygen", "-q", "-p", "-N", "open sesame", "-f", "locked"]);
    make(&["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", "rsa"]);
    for name in ["authority", "inner"] {
        make(&["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", name]);
    }
    make(&["ssh-keygen", "-q", "-s", "authority", "-I", "inner", "-h", "-n", "inner.lab", "inner.pub"]);
    // An sshd that only the host itself reaches.
    let sshd = host.write(
        "sshd_config",
        format!(
            "ListenAddress 127.0.0.1:2022\nHostKey {}\nHostCertificate {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\n\
             PermitRootLogin yes\nPidFile {}\nMaxAuthTries 3\n",
            path("inner"),
            path("inner-cert.pub"),
            path("rsa.pub"),
            path("pid")
        ),
    );
    // It writes its number once it listens.
    let begin = format!("rm -f {0}; /usr/sbin/sshd -f {sshd}; until [ -s {0} ]; do sleep 0.05; done", path("pid"));
    host.inside(&begin).ends(0);
    fs::create_dir_all(host.scratch().join(".ssh")).expect("the test's folder can be written");
    let configure = |more: &str| {
        let text = format!(
            "Host inner\n  HostName 127.0.0.1\n  Port 2022\n  HostKeyAlias inner.lab\n  ProxyJump gate\n{more}\
             Host gate\n  HostName {there}\n  IdentityFile ~/locked\n\
             Host *\n  User root\n  UserKnownHostsFile ~/lab_hosts\n  IdentitiesOnly yes\n"
        );
        host.write(".ssh/config", text);
    };
    let authority = fs::read_to_string(path("authority.pub")).expect("a key was made");
    host.write("lab_hosts", format!("@cert-authority *.lab {authority}"));
    configure("  IdentityFile ~/rsa\n");

    // Without a terminal nothing is asked, and each thing that is missing is named.
    user(&host, &["host", "add", "inner", "inner"]).ends(2).says(&[
        "root@inner:2022 is reached through root@gate, and that failed: the host key of root@gate is not known: SHA256:",
        "add the host at a terminal, where you are asked, or `ssh` there once",
    ]);
    let (adding, mut keyboard) = Running::at_terminal(users(&host, &["host", "add", "inner", "inner"]));
    adding.until_it_asks("root@gate shows the host key SHA256:", LIMIT);
    keyboard.types("n\n");
    adding.end(LIMIT).ends(130);
    // At one, the key of the host on the way is asked about, then the passphrase of the key for it.
    let (adding, mut keyboard) = Running::at_terminal(users(&host, &["host", "add", "inner", "inner"]));
    adding.until_it_asks("root@gate shows the host key SHA256:", LIMIT);
    keyboard.types("y\n");
    adding.until_it_asks("passphrase of ", LIMIT);
    keyboard.types("open\n");
    adding.until_it_asks("that was wrong\npassphrase of ", LIMIT);
    keyboard.types("open sesame\n");
    adding.end(LIMIT).ends(0).says(&["added host `inner`: root@inner:2022", "libvirt "]);
    assert_eq!(keyboard.echoed().trim(), "y", "a passphrase is not seen");
    let (checking, mut keyboard) = Running::at_terminal(users(&host, &["host", "check", "inner"]));
    checking.until_it_asks("passphrase of ", LIMIT);
    keyboard.types("open sesame\n");
    checking.end(LIMIT).ends(0).says(&["guests run on TCG"]);
    let (checking, mut keyboard) = Running::at_terminal(users(&host, &["host", "check", "inner"]));
    checking.until_it_asks("passphrase of ", LIMIT);
    keyboard.types("\u{3}");
    checking.end(LIMIT).ends(130);
    // What was accepted is in our store, and not in the user's files.
    assert_eq!(fs::read_to_string(path("lab_hosts")).expect("it is there").lines().count(), 1);

    // With the key in an agent nobody has to be there.
    let agent = path("agent");
    host.inside(&format!("ssh-agent -a {agent} >/dev/null && cp {0} {0}.open && ssh-keygen -q -p -P 'open sesame' -N '' -f {0}.open && SSH_AUTH_SOCK={agent} ssh-add -q {0}.open && rm {0}.open", path("locked")))
        .ends(0);
    let with_agent = |args: &[&str]| {
        let mut command = users(&host, args);
        command.env("SSH_AUTH_SOCK", &agent);
        Running::start(command).end(LIMIT)
    };
    with_agent(&["host", "check", "inner"]).ends(0).says(&["guests run on TCG"]);
    // The authority may give the host another key; one that it did not sign, or a certificate that has ended, is none.
    let sign = |more: &[&str]| {
        make(&[&["ssh-keygen", "-q", "-s", "authority", "-I", "inner", "-h"], more, &["inner.pub"]].concat());
        let gone = "while kill -0 $pid 2>/dev/null; do sleep 0.05; done";
        host.inside(&format!("pid=$(cat {}); kill $pid; {gone}; {begin}", path("pid"))).ends(0);
    };
    fs::remove_file(path("inner")).expect("it was there");
    make(&["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "inner"]);
    sign(&["-n", "inner.lab"]);
    with_agent(&["host", "check", "inner"]).ends(0);
    sign(&["-n", "inner.lab", "-V", "20200101:20210101"]);
    with_agent(&["host", "check", "inner"]).ends(2).says(&["with a certificate that does not count: it has expired at 202"]);
    sign(&["-n", "outer.lab"]);
    with_agent(&["host", "check", "inner"]).ends(2).says(&["it is for outer.lab, not for inner.lab"]);
    sign(&["-n", "inner.lab"]);

    // An sshd that does not let us through.
    let open = fs::read_to_string(&sshd).expect("it was written");
    host.write("sshd_config", format!("{open}AllowStreamLocalForwarding no\n"));
    sign(&["-n", "inner.lab"]);
    with_agent(&["host", "check", "inner"])
        .ends(1)
        .says(&["the SSH server of root@inner:2022 forbids forwarding; it needs `AllowStreamLocalForwarding yes`"]);
    host.write("sshd_config", open);
    sign(&["-n", "inner.lab"]);

    // What is wrong in the configuration is named with its place.
    configure("  IdentityFile ~/none\n");
    with_agent(&["host", "check", "inner"])
        .ends(1)
        .says(&[&format!("could not use the key {}: there is no such file", path("none"))]);
    for name in ["a", "b", "c", "d"] {
        make(&["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", name]);
    }
    configure("  IdentityFile ~/a\n  IdentityFile ~/b\n  IdentityFile ~/c\n  IdentityFile ~/d\n  IdentityFile ~/rsa\n");
    with_agent(&["host", "check", "inner"])
        .ends(1)
        .says(&["Too many authentication failures", "--identity FILE offers one key alone, and so does IdentitiesOnly"]);
    configure("  Port ssh\n  IdentityFile ~/rsa\n  ProxyCommand nc %h %p\n");
    with_agent(&["host", "check", "inner"]).ends(0); // not the first of its kind, so it does not count
    host.write(".ssh/config", "Host inner\n  ProxyCommand nc %h %p\n");
    with_agent(&["host", "check", "inner"])
        .ends(2)
        .says(&[".ssh/config:2: `ProxyCommand` would run a program to reach inner", "write `ProxyJump`"]);
    host.write(".ssh/config", "Host inner\n  User \"root\n");
    with_agent(&["host", "check", "inner"]).ends(2).says(&[".ssh/config:2: a quotation mark \" is not closed"]);
    host.write(".ssh/config", "");
    user(&host, &["host", "add", "x", "no..host"])
        .ends(1)
        .says(&["no address is known for `no..host`, and no `Host no..host` in ~/.ssh/config names one"]);
}
