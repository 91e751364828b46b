//! `vlm doctor` on isolated hosts: what it finds there, what it mends, and that a look leaves nothing.

use std::{collections::BTreeSet, process::Command, time::Duration};

use serde_json::Value;
use vlm_tests::{Host, Output, Running, check_documented, vlm};

/// What the findings of a report say under a check's name.
#[track_caller]
fn of<'a>(report: &'a Value, check: &str) -> Vec<&'a Value> {
    let all = report["findings"].as_array().expect("a report has findings");
    all.iter().filter(|finding| finding["check"] == check).collect()
}

/// `vlm doctor local … --json` on the host.
#[track_caller]
fn looked(host: &Host, more: &[&str], status: i32) -> Value {
    let output = host.vlm([&["doctor", "local", "--json"], more].concat()).ends(status);
    let reports = output.json();
    check_documented("doctor --json", &reports);
    reports[0].clone()
}

/// `vlm` on this computer, for a user whose home is the test's folder.
fn elsewhere(host: &Host, args: &[&str]) -> Output {
    let mut command = Command::new(vlm());
    command
        .args(args)
        .env("HOME", host.scratch())
        .env("XDG_DATA_HOME", host.scratch().join("elsewhere"))
        .env("XDG_CONFIG_HOME", host.scratch().join("elsewhere-config"))
        .env("XDG_RUNTIME_DIR", host.scratch())
        .env_remove("SSH_AUTH_SOCK");
    Running::start(command).end(Duration::from_secs(90))
}

#[test]
fn a_look_tries_packets_and_leaves_nothing() {
    let Some(host) = Host::new(&[]) else { return };
    let namespaces = || host.run(["ip", "netns", "list"]).ends(0).out;
    let report = looked(&host, &[], 0);
    let checks: BTreeSet<&str> =
        report["findings"].as_array().expect("a list").iter().filter_map(|finding| finding["check"].as_str()).collect();
    for check in ["tools", "libvirt", "access", "kvm", "memory", "pool", "room", "pool-path", "ownership", "subnets", "orphans"]
    {
        assert!(checks.contains(check), "no word on `{check}`: {checks:?}");
    }
    assert_eq!(of(&report, "packets")[0]["severity"], "note", "without --deep nothing is tried");
    let before = (host.inventory(), host.run(["ip", "-brief", "link"]).ends(0).out, namespaces());

    let report = looked(&host, &["--deep"], 0);
    assert_eq!(of(&report, "packets")[0]["severity"], "ok", "{report:#}");

    // A policy of DROP, as docker's and ufw's, does no harm where libvirt's own rules come before it.
    let iptables = |args: &str| host.run(["iptables"].into_iter().chain(args.split(' '))).ends(0);
    iptables("-P FORWARD DROP");
    let report = looked(&host, &["--deep"], 0);
    assert_eq!((&of(&report, "forward")[0]["severity"], &of(&report, "packets")[0]["severity"]), (&"ok".into(), &"ok".into()));
    // Where they are elsewhere, it does, and the remedy's rules are enough, as the last of the chain.
    let jumps = ["LIBVIRT_FWI", "LIBVIRT_FWO", "LIBVIRT_FWX"];
    jumps.iter().for_each(|chain| drop(iptables(&format!("-D FORWARD -j {chain}"))));
    let report = looked(&host, &["--deep"], 1);
    assert_eq!(of(&report, "packets")[0]["severity"], "problem", "{report:#}");
    ["-i", "-o"].iter().for_each(|way| drop(iptables(&format!("-A FORWARD {way} vlm+ -j ACCEPT"))));
    let report = looked(&host, &["--deep"], 0);
    assert_eq!(of(&report, "packets")[0]["severity"], "ok", "{report:#}");
    ["-i", "-o"].iter().for_each(|way| drop(iptables(&format!("-D FORWARD {way} vlm+ -j ACCEPT"))));
    jumps.iter().for_each(|chain| drop(iptables(&format!("-I FORWARD -j {chain}"))));
    iptables("-P FORWARD ACCEPT");

    // Firewalls that libvirt does not know of: found by trying, whatever their rules look like.
    let blocks = |chain: &str| host.run(["iptables", "-I", chain, "-i", "vlmdoctor0", "-j", "DROP"]).ends(0);
    blocks("FORWARD");
    let report = looked(&host, &["--deep"], 1);
    let problem = of(&report, "packets")[0].clone();
    assert!(
        problem["message"].as_str().is_some_and(|message| message.ends_with("guests do not get past the host")),
        "{problem}"
    );
    blocks("INPUT");
    let report = looked(&host, &["--deep"], 1);
    let problem = of(&report, "packets")[0].clone();
    let message = problem["message"].as_str().unwrap_or_default();
    assert!(message.contains("the host does not answer a guest"), "{problem}");

    // Nothing stays, as what was there before a trial that was killed does not: its network is named, and gone with the next.
    let network = "<network><name>vlm-doctor</name><bridge name='vlmdoctor0'/><ip address='198.18.0.1' prefix='24'/></network>";
    let file = host.write("left.xml", network);
    host.virsh(&["net-create", &file]);
    host.run(["ip", "netns", "add", "vlm-doctor-guest"]).ends(0);
    let report = looked(&host, &[], 0);
    assert!(
        of(&report, "orphans")[0]["message"].as_str().is_some_and(|it| it.starts_with("network `vlm-doctor`")),
        "{report:#}"
    );
    host.run(["iptables", "-D", "INPUT", "-i", "vlmdoctor0", "-j", "DROP"]).ends(0);
    host.run(["iptables", "-D", "FORWARD", "-i", "vlmdoctor0", "-j", "DROP"]).ends(0);
    let report = looked(&host, &["--deep"], 0);
    assert_eq!(of(&report, "packets")[0]["severity"], "ok", "{report:#}");
    assert_eq!((host.inventory(), host.run(["ip", "-brief", "link"]).ends(0).out, namespaces()), before);
}

#[test]
fn what_can_be_undone_is_mended_and_undone() {
    let Some(host) = Host::new(&[]) else { return };
    let forwards = || host.run(["cat", "/proc/sys/net/ipv4/ip_forward"]).ends(0).out;
    let file = host.write(
        "net.xml",
        "<network><name>other</name><forward mode='nat'/><bridge name='virbr9'/><ip address='10.99.9.1' prefix='24'/></network>",
    );
    host.virsh(&["net-create", &file]);
    host.run(["sysctl", "-q", "-w", "net.ipv4.ip_forward=0"]).ends(0);
    let report = looked(&host, &[], 1);
    assert_eq!(of(&report, "ip-forward")[0]["severity"], "problem");
    assert_eq!(of(&report, "pool")[0]["fix"]["can_be_done"], true);

    // Nobody is here to ask, and nothing is done.
    host.vlm(["doctor", "local", "--fix"]).ends(2).says(&["nobody is here to ask", "--yes"]);
    assert_eq!(forwards(), "0\n");

    let output = host.vlm(["doctor", "local", "--fix", "--yes"]).ends(0).says(&[
        "looked again",
        "mended:   ip-forward",
        "mended:   pool",
    ]);
    assert_eq!(forwards(), "1\n");
    assert_eq!(host.virsh(&["pool-list", "--all", "--name"]).trim(), "vlm");
    assert_eq!(of(&looked(&host, &[], 0), "pool")[0]["severity"], "ok");

    // Who comes later finds what was done, and the way back.
    host.vlm(["audit"]).ends(0).says(&["doctor_fix", "local/ip-forward", "undo: sysctl -w net.ipv4.ip_forward=0"]);

    // The way back that was printed is one.
    let undo: Vec<&str> = {
        let mut lines = output.out.lines();
        let mut found = Vec::new();
        while lines.any(|line| line.ends_with("To undo it:")) {
            found.extend(lines.clone().take_while(|line| line.starts_with("    ")).map(str::trim));
        }
        found
    };
    assert_eq!(undo.len(), 3, "{undo:?}");
    for command in undo {
        host.run(["sh", "-c", command]).ends(0);
    }
    assert_eq!(forwards(), "0\n");
    assert_eq!(host.virsh(&["pool-list", "--all", "--name"]).trim(), "");
}

#[test]
fn what_is_left_of_labs_is_named_and_removed_by_name() {
    let Some(host) = Host::new(&[]) else { return };
    host.vlm(["doctor", "local", "--fix", "--yes"]).ends(0);
    // As a lab `gone` that was forgotten would leave it: its network's device is made from its name.
    let network = "<network><name>gone.lan</name><bridge name='vlme3b4c2a1'/><ip address='10.99.1.1' prefix='24'/></network>";
    let foreign = host.write("foreign.xml", network);
    host.virsh(&["net-define", &foreign]);
    host.virsh(&["vol-create-as", "vlm", "gone.web.system.qcow2", "1M", "--format", "qcow2"]);
    host.virsh(&["vol-create-as", "vlm", "my-own.qcow2", "1M", "--format", "qcow2"]);
    let base = format!("{}.qcow2", "a".repeat(64));
    host.virsh(&["vol-create-as", "vlm", &base, "1M", "--format", "qcow2"]);
    let domain = host.write(
        "domain.xml",
        "<domain type='qemu'><name>gone.web</name><memory unit='MiB'>16</memory><os><type arch='x86_64'>hvm</type></os><devices>\
         <disk type='volume' device='disk'><driver name='qemu' type='qcow2'/><source pool='vlm' volume='gone.web.system.qcow2'/>\
         <target dev='vda' bus='virtio'/></disk></devices></domain>",
    );
    host.virsh(&["define", &domain]);

    let report = looked(&host, &[], 0);
    let named: Vec<&str> = of(&report, "orphans").iter().filter_map(|finding| finding["message"].as_str()).collect();
    let named = named.join("\n");
    for thing in ["domain `gone.web`", "volume `gone.web.system.qcow2`", &format!("volume `{base}`")] {
        assert!(named.contains(thing), "{named}");
    }
    // Called like a lab's, but not made by one; and somebody's own.
    assert!(!named.contains("gone.lan") && !named.contains("my-own"), "{named}");

    let remove = |more: &[&str]| host.vlm([&["doctor", "local", "--remove-orphan"], more].concat());
    remove(&["gone.web"]).ends(2).says(&["nobody is here to ask"]);
    remove(&["my-own.qcow2", "--yes"]).ends(2).says(&["nothing called `my-own.qcow2` is left of a lab"]);
    host.vlm(["doctor", "--remove-orphan", "gone.web"]).ends(2); // which host?
    remove(&["gone.web", "--yes"]).ends(0).says(&["removed domain `gone.web`"]);
    remove(&["gone.web.system.qcow2", "--yes"]).ends(0);
    remove(&[&base, "--yes"]).ends(0);
    assert_eq!(of(&looked(&host, &[], 0), "orphans")[0]["severity"], "ok");
    host.vlm(["audit"]).ends(0).says(&["remove_orphan", "domain `gone.web`"]);
    assert_eq!(host.virsh(&["vol-list", "vlm"]).lines().filter(|line| line.contains("qcow2")).count(), 1);
}

#[test]
fn a_host_elsewhere_is_looked_at_through_its_link() {
    let Some(host) = Host::new(&[]) else { return };
    let there = format!("root@{}", host.address());
    let key = host.write("host.pub", host.host_key());
    let fingerprint = host.run(["ssh-keygen", "-lf", &key]).ends(0).out;
    let fingerprint = fingerprint.split(' ').nth(1).expect("ssh-keygen prints it").to_owned();
    let identity = host.identity();
    let identity = identity.to_str().expect("it is text");
    elsewhere(&host, &["host", "add", "lab1", &there, "--identity", identity, "--host-key", &fingerprint]).ends(0);

    let output = elsewhere(&host, &["doctor", "lab1", "--json"]).ends(0);
    check_documented("doctor --json", &output.json());
    let report = output.json()[0].clone();
    assert_eq!((report["host"].as_str(), report["address"].as_str()), (Some("lab1"), Some(there.as_str())));
    assert!(of(&report, "libvirt")[0]["message"].as_str().is_some_and(|it| it.contains("answers")), "{report:#}");
    assert!(of(&report, "tools").is_empty(), "tools run here, not there");

    elsewhere(&host, &["doctor", "lab1", "--fix", "--yes"]).ends(0).says(&["mended:   pool"]);
    host.virsh(&["pool-autostart", "vlm", "--disable"]);
    elsewhere(&host, &["doctor", "lab1", "--fix", "--yes"])
        .ends(0)
        .says(&["mended:   pool: the pool `vlm` does not start with the host"]);
    assert!(host.virsh(&["pool-info", "vlm"]).lines().any(|line| line.starts_with("Autostart:") && line.ends_with("yes")));

    // Without libvirt the host still tells why.
    host.inside("kill $(pidof libvirtd)").ends(0);
    host.run(["sh", "-c", "for _ in $(seq 100); do virsh -q uri >/dev/null 2>&1 || exit 0; sleep 0.1; done; exit 1"]).ends(0);
    let output = elsewhere(&host, &["doctor", "lab1"]).ends(1);
    output.says(&["PROBLEM libvirt", "libvirt is installed and does not run"]);

    // Without sshd it is not reached, and holds no other up.
    let reset = ["iptables", "-I", "INPUT", "-p", "tcp", "--dport", "22", "-j", "REJECT", "--reject-with", "tcp-reset"];
    host.run(reset).ends(0);
    elsewhere(&host, &["doctor"]).ends(1).says(&["local: ", "PROBLEM reach", "the host is not reached"]);
    elsewhere(&host, &["doctor", "nowhere"]).ends(2).says(&["there is no host `nowhere`"]);
}
