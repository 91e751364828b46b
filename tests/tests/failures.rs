//! What goes wrong on real hosts ends in a sentence that says so, with the right exit status, and can be taken away.

use std::{fs, time::Duration};

use rustix::process::Signal;
use vlm_tests::{Host, Image};

const LIMIT: Duration = Duration::from_secs(300);

/// A lab of one machine on one network.
fn one(name: &str, cidr: &str) -> String {
    format!(
        "version: 1\nname: {name}\ndefaults: {{ image: tiny, memory: 128 MiB, disk: 64 MiB }}\n\
         networks: {{ lan: {{ cidr: {cidr} }} }}\nmachines: {{ m: {{}} }}\n"
    )
}

#[test]
fn guests_that_do_not_come_up_are_told_apart() {
    let Some(host) = Host::new(&[Image::Tiny]) else { return };
    // A boot sector that halts the processor, and a disk that is empty.
    let mut halts = vec![0; 1 << 20];
    halts[..3].copy_from_slice(&[0xf4, 0xeb, 0xfd]);
    halts[510..512].copy_from_slice(&[0x55, 0xaa]);
    let halts = host.write("halts.raw", halts);
    host.vlm(["image", "add", "halts", &halts]).ends(0);
    let empty = host.scratch().join("empty.qcow2");
    host.run(["qemu-img", "create", "-q", "-f", "qcow2", empty.to_str().expect("it is text"), "64M"]).ends(0);
    host.vlm(["image", "add", "empty", empty.to_str().expect("it is text")]).ends(0);
    let file = host.write(
        "dead.yaml",
        "version: 1\nname: dead\ndefaults: { image: tiny, memory: 128 MiB, disk: 64 MiB }\n\
         networks: { lan: { cidr: 10.72.1.0/24 } }\n\
         machines:\n  halted: { image: halts }\n  blank: { image: empty }\n  alone: { nics: [] }\n  after: { depends_on: [ halted ] }\n",
    );
    host.vlm(["check", &file]).ends(0).says(&[&format!("{file}:8:12: warning: machine `alone` has no network interface")]);

    let nothing = "nothing came over its serial console and it has no address";
    let output = host.vlm(["up", &file, "--yes", "--wait", "20s"]).ends(1).says(&[
        &format!("halted is stuck at booting: {nothing}"),
        &format!("blank is stuck at booting: {nothing}"),
        "to do: the guest does not boot, or has no console on ttyS0: open its console to see",
        "not started, because `halted`, which it depends on, failed",
        "to do: mend `halted`, then deploy again",
        "failed: 4 of 4 machines not ready: after, alone, blank, halted",
    ]);
    // How far it got in the time depends on the machine's speed; that it has no address does not.
    let alone = output
        .out
        .lines()
        .find(|line| line.contains("alone is stuck at booting"))
        .unwrap_or_else(|| panic!("nothing about `alone`\n{output}"));
    assert!(alone.contains("address"), "{alone}");
    // It boots, and its console is the evidence.
    let evidence = output.out.split("alone is stuck").nth(1).expect("it was just found");
    assert!(evidence.contains("the end of its serial console:\n"), "{evidence}");

    let status = host.status("dead");
    assert_eq!((&status["state"], &status["last_run"]["status"]), (&"incomplete".into(), &"failed".into()));
    host.terraform_finds_nothing("dead");

    // Mended, the same lab goes on from where it is.
    let mended = fs::read_to_string(&file)
        .expect("it was written")
        .replace("  halted: { image: halts }\n  blank: { image: empty }\n  alone: { nics: [] }\n", "  halted: {}\n");
    host.write("dead.yaml", mended);
    host.vlm(["up", &file, "--yes"]).ends(0).says(&["2 machines ready"]);
    host.terraform_finds_nothing("dead");
    host.destroy("dead");
}

#[test]
fn another_host_key_is_not_trusted() {
    let Some(host) = Host::new(&[Image::Tiny]) else { return };
    let file = host.write("key.yaml", one("key", "10.72.2.0/24"));
    host.vlm(["up", &file, "--yes"]).ends(0);
    host.vlm(["stop", "key", "--force"]).ends(0);
    let pinned = host.lab_dir("key").join("keys/host-m");
    fs::rename(&pinned, pinned.with_extension("given")).expect("the guest's key is pinned");
    host.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", pinned.to_str().expect("it is text")]).ends(0);
    host.vlm(["start", "key"]).ends(1).says(&[
        "m is stuck at address: its SSH host key is not the one that this lab gave it",
        "to do: another machine answers at its address, or cloud-init did not run; nothing was sent to it",
    ]);

    // The lab's own key is another one now: the guest does not let it in.
    host.vlm(["stop", "key", "--force"]).ends(0);
    let dir = host.lab_dir("key").join("keys");
    fs::rename(dir.join("host-m.given"), &pinned).expect("it was kept");
    let ours = dir.join("id_ed25519");
    fs::remove_file(&ours).expect("the lab has a key");
    host.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", ours.to_str().expect("it is text")]).ends(0);
    host.vlm(["start", "key"]).ends(1).says(&["m is stuck at address: its SSH server does not accept the lab's key"]);
    host.destroy("key");
}

#[test]
fn a_file_that_is_no_image_is_refused() {
    let Some(host) = Host::new(&[]) else { return };
    let base = host.scratch().join("base.qcow2").to_str().expect("it is text").to_owned();
    let over = host.scratch().join("over.qcow2").to_str().expect("it is text").to_owned();
    host.run(["qemu-img", "create", "-q", "-f", "qcow2", &base, "1M"]).ends(0);
    host.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", &base, &over]).ends(0);
    let mut cut = fs::read(&base).expect("it was just made");
    cut.truncate(40);
    let whole = fs::read(vlm_tests::image(Image::Tiny)).expect("it was built");
    let short = host.write("short.qcow2", &whole[..whole.len() / 2]);
    let cases = [
        ("text", host.write("text", "hello\n"), "it is neither qcow2 nor a raw disk with a boot sector"),
        ("nothing", host.write("nothing", ""), "it is neither qcow2 nor a raw disk with a boot sector"),
        (
            "packed",
            host.write("disk.gz", b"\x1f\x8b\x08\x00\x00\x00\x00\x00"),
            "it is compressed, and not by xz; unpack it first",
        ),
        ("page", host.write("page", "<!DOCTYPE html><html>"), "it looks like a web page"),
        ("over", over, "it needs another file"),
        ("cut", host.write("cut", cut), "is no disk image"),
        ("short", short, "it is cut short or damaged"),
        ("folder", host.scratch().to_str().expect("it is text").to_owned(), "it is no regular file"),
        ("missing", "not-there.qcow2".to_owned(), "could not read not-there.qcow2: No such file or directory"),
        ("Wrong Name", base, "`Wrong Name` is no name for an image"),
    ];
    for (name, file, sentence) in cases {
        // A run that never was has no logs.
        host.vlm(["image", "add", name, &file]).ends(2).says(&[sentence]).does_not_say("vlm logs");
    }
    assert_eq!(host.vlm(["image", "list", "--json"]).ends(0).json(), serde_json::json!([]));
    let files = || -> Vec<String> {
        let entries = fs::read_dir(host.data().join("images")).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    };
    assert_eq!(files(), [""; 0], "left in the image store");

    // A name means what was added last, and nothing else of it stays.
    for size in ["1M", "2M"] {
        let own = host.scratch().join("own.qcow2").to_str().expect("it is text").to_owned();
        host.run(["qemu-img", "create", "-q", "-f", "qcow2", &own, size]).ends(0);
        host.vlm(["image", "add", "own", &own]).ends(0);
        let digest = host.vlm(["image", "list", "--json"]).ends(0).json()[0]["digest"].as_str().expect("it has one").to_owned();
        assert_eq!(files(), [format!("{digest}.qcow2")]);
    }
}

/// What is on the host already, what the lab wants, and how it is refused.
const TAKEN: &[(&str, &[&str], &str, &str)] = &[
    (
        "dom",
        &["virsh", "define", "domain.xml"],
        "10.72.3.0/24",
        "this computer already has a domain `dom.m` that is not this lab's",
    ),
    (
        "net",
        &["virsh", "net-define", "network.xml"],
        "10.72.4.0/24",
        "this computer already has a network `net.lan` that is not this lab's",
    ),
    ("same", &["true"], "10.72.200.0/24", "network `lan` (10.72.200.0/24) overlaps with network `net.lan` of this computer"),
    ("around", &["true"], "10.72.0.0/16", "network `lan` (10.72.0.0/16) overlaps with network `net.lan` of this computer"),
    (
        "within",
        &["true"],
        "10.72.200.128/26",
        "network `lan` (10.72.200.128/26) overlaps with network `net.lan` of this computer",
    ),
    (
        "route",
        &["ip", "route", "add", "10.73.1.0/24", "dev", "eth0"],
        "10.73.0.0/16",
        "network `lan` (10.73.0.0/16) overlaps with 10.73.1.0/24, which this computer reaches through eth0",
    ),
];

#[test]
fn what_is_taken_on_the_host_is_refused_and_stays_as_it_is() {
    let Some(host) = Host::new(&[Image::Tiny]) else { return };
    host.write(
        "domain.xml",
        "<domain type='qemu'><name>dom.m</name><memory unit='MiB'>64</memory><os><type arch='x86_64'>hvm</type></os></domain>",
    );
    host.write(
        "network.xml",
        "<network><name>net.lan</name><bridge name='vbr9'/><ip address='10.72.200.1' netmask='255.255.255.0'/></network>",
    );
    for (lab, taken, cidr, sentence) in TAKEN {
        host.run(*taken).ends(0);
        let file = host.write(&format!("{lab}.yaml"), one(lab, cidr));
        let before = host.inventory();
        for command in [&["plan", &file][..], &["up", &file, "--yes"]] {
            host.vlm(command).ends(2).says(&[sentence]);
        }
        assert_eq!(host.inventory(), before, "changed by the refused lab `{lab}`");
        assert_eq!(host.status(lab)["state"], "designed");
    }
}

#[test]
fn a_lab_that_was_refused_can_be_destroyed_and_forgotten_without_touching_what_is_not_ours() {
    let Some(host) = Host::new(&[Image::Tiny]) else { return };
    host.write(
        "domain.xml",
        "<domain type='qemu'><name>dom.m</name><memory unit='MiB'>64</memory><os><type arch='x86_64'>hvm</type></os></domain>",
    );
    host.run(["virsh", "define", "domain.xml"]).ends(0);
    let before = host.inventory();
    let file = host.write("dom.yaml", one("dom", "10.72.3.0/24"));
    host.vlm(["up", &file, "--yes"]).ends(2);
    assert_eq!(host.status("dom")["machines"][0]["state"], serde_json::Value::Null, "the state of somebody else's domain");
    host.vlm(["destroy", "dom", "--yes"]).ends(0);
    assert_eq!(host.inventory(), before);
    host.vlm(["forget", "dom"]).ends(0);
}

#[test]
fn a_deploy_can_be_interrupted_taken_up_again_and_taken_away() {
    let Some(host) = Host::new(&[Image::Tiny]) else { return };
    let before = host.inventory();
    let file = host.write("stop.yaml", one("stop", "10.72.5.0/24"));
    // While Terraform works; while a guest boots.
    for (moment, last) in [("create libvirt_volume", false), ("booting", true)] {
        let up = host.start_vlm(["up", &file, "--yes"]);
        up.until_it_says(moment, LIMIT);
        up.signal(Signal::INT);
        up.end(LIMIT).ends(130).says(&["cancelling", "cancelled: `vlm resume stop` goes on, `vlm destroy stop` takes it away"]);
        let status = host.status("stop");
        assert_eq!((&status["state"], &status["last_run"]["status"]), (&"incomplete".into(), &"cancelled".into()));
        if !last {
            host.vlm(["up", &file, "--yes"]).ends(0).says(&["1 machine ready"]);
            host.terraform_finds_nothing("stop");
            assert_eq!(host.ssh("stop/m", "hostname"), "m\n");
        }
        host.destroy("stop");
        assert_eq!(host.inventory(), before);
    }
}

#[test]
fn a_machine_that_the_host_cannot_start_leaves_nothing_behind() {
    let Some(host) = Host::new(&[Image::Tiny]) else { return };
    let before = host.inventory();
    let text = one("big", "10.72.8.0/24") + "  huge: { memory: 8 TiB }\n";
    let text = text.replace("machines: { m: {} }\n", "machines:\n  m: {}\n");
    let file = host.write("big.yaml", &text);
    host.vlm(["up", &file, "--yes"]).ends(1).says(&[
        "the machines to start take 8388736 MiB of memory",
        "error creating libvirt domain",
        "removing domain `big.huge`, which Terraform does not know",
    ]);
    assert!(!host.of_lab("big").contains(&"domain big.huge".to_owned()), "{:?}", host.of_lab("big"));

    // Mended, it goes on from where it is; given up, it goes.
    host.write("big.yaml", text.replace("8 TiB", "128 MiB"));
    host.vlm(["up", &file, "--yes"]).ends(0).says(&["machine huge is created", "2 machines ready"]);
    host.terraform_finds_nothing("big");
    host.destroy("big");
    assert_eq!(host.inventory(), before);
}

#[test]
fn what_was_removed_by_hand_comes_back_or_goes_for_good() {
    let Some(host) = Host::new(&[Image::Tiny]) else { return };
    let before = host.inventory();
    let file = host.write("hand.yaml", one("hand", "10.72.9.0/24"));
    host.vlm(["up", &file, "--yes"]).ends(0);
    let remove = || {
        host.virsh(&["destroy", "hand.m"]);
        host.virsh(&["undefine", "hand.m"]);
        host.virsh(&["vol-delete", "--pool", "vlm", "hand.m.system.qcow2"]);
        host.virsh(&["net-destroy", "hand.lan"]);
        host.virsh(&["net-undefine", "hand.lan"]);
    };
    remove();
    host.vlm(["up", &file, "--yes"]).ends(0).says(&["network lan is created", "machine m is created", "1 machine ready"]);
    host.terraform_finds_nothing("hand");
    assert_eq!(host.ssh("hand/m", "hostname"), "m\n");
    remove();
    host.destroy("hand");
    assert_eq!(host.inventory(), before);
}

#[test]
fn a_killed_deploy_takes_its_children_along_and_is_taken_up_again() {
    let Some(host) = Host::new(&[Image::Tiny]) else { return };
    let before = host.inventory();
    let file = host.write("kill.yaml", one("kill", "10.72.10.0/24"));
    let up = host.start_vlm(["up", &file, "--yes"]);
    up.until_it_says("create libvirt_network", LIMIT);
    host.inside("kill -9 $(pidof vlm)").ends(0);
    up.end(LIMIT);
    // Terraform and its provider end by themselves, soon.
    host.run([
        "sh",
        "-c",
        "for _ in $(seq 300); do pgrep -f '[t]erraform' >/dev/null || exit 0; sleep 0.1; done; pgrep -af '[t]erraform'; exit 1",
    ])
    .ends(0);
    host.vlm(["up", &file, "--yes"]).ends(0).says(&["1 machine ready"]);
    host.terraform_finds_nothing("kill");
    assert_eq!(host.ssh("kill/m", "hostname"), "m\n");
    host.destroy("kill");
    assert_eq!(host.inventory(), before);
}

#[test]
fn what_only_bears_a_labs_name_stays_when_the_lab_goes() {
    let Some(host) = Host::new(&[Image::Tiny]) else { return };
    let file = host.write("state.yaml", one("state", "10.72.11.0/24"));
    host.vlm(["up", &file, "--yes"]).ends(0);
    // Somebody else's domain that only looks like the lab's by its name is no reason to fail, and stays.
    host.write(
        "other.xml",
        "<domain type='qemu'><name>state.windows</name><memory unit='MiB'>64</memory><os><type arch='x86_64'>hvm</type></os></domain>",
    );
    host.virsh(&["define", "other.xml"]);
    host.vlm(["destroy", "state", "--yes"])
        .ends(0)
        .says(&["left alone, because this lab did not make it: domain `state.windows`"]);
    assert_eq!(host.of_lab("state"), ["domain state.windows"]);
}

#[test]
fn a_reader_that_goes_away_does_not_end_a_run() {
    let Some(host) = Host::new(&[Image::Tiny]) else { return };
    let file = host.write("pipe.yaml", one("pipe", "10.72.12.0/24"));
    let vlm = vlm_tests::vlm();
    let piped = format!("set -o pipefail; '{}' up '{file}' --yes | head -n 1", vlm.display());
    host.run(["bash", "-c", &piped]).ends(0);
    assert_eq!(host.status("pipe")["state"], "deployed");
    assert_eq!(host.ssh("pipe/m", "hostname"), "m\n");
    host.destroy("pipe");
}

#[test]
fn a_machine_that_was_not_ready_after_its_last_start_is_waited_for_again() {
    let Some(host) = Host::new(&[Image::Tiny]) else { return };
    let file = host.write("again.yaml", one("again", "10.72.13.0/24"));
    host.vlm(["up", &file, "--yes"]).ends(0);
    assert_eq!(host.status("again")["machines"][0]["configured"], true);
    host.write("again.yaml", one("again", "10.72.13.0/24").replace("m: {}", "m: { memory: 160 MiB }"));
    let up = host.start_vlm(["up", &file, "--yes"]);
    up.until_it_says("booting", LIMIT);
    up.signal(Signal::INT);
    up.end(LIMIT).ends(130);
    let status = host.status("again");
    assert_eq!((&status["state"], &status["machines"][0]["configured"]), (&"incomplete".into(), &false.into()));
    host.vlm(["plan", "again"]).ends(0).says(&["configures m"]);
    host.vlm(["up", "again", "--yes"]).ends(0).says(&["configured", "1 machine ready"]);
    assert_eq!(host.status("again")["state"], "deployed");
    // Of a run by its number only the lab's own.
    host.vlm(["logs", "again", "--run", "99"]).ends(2).says(&["lab `again` has had no run 99", "its last ones: "]);
    host.destroy("again");
}

#[test]
fn a_host_without_libvirt_is_named_as_the_reason() {
    let Some(host) = Host::new(&[Image::Tiny]) else { return };
    let file = host.write("none.yaml", one("none", "10.72.6.0/24"));
    host.inside("kill $(pidof libvirtd)").ends(0);
    host.run(["sh", "-c", "for _ in $(seq 100); do virsh -q uri >/dev/null 2>&1 || exit 0; sleep 0.1; done; exit 1"]).ends(0);
    for command in [&["up", &file, "--yes"][..], &["plan", "none"], &["destroy", "none", "--yes"]] {
        host.vlm(command).ends(1).says(&[
            "could not reach libvirt at qemu:///system: libvirt is not running on the host",
            "systemctl start libvirtd",
        ]);
    }
    // What needs no libvirt goes on.
    host.vlm(["check", &file]).ends(0);
    host.vlm(["list"]).ends(0).says(&["none"]);
    assert_eq!(host.status("none")["state"], "designed");
}

#[test]
fn a_lab_file_with_problems_is_refused_line_by_line() {
    let Some(host) = Host::new(&[Image::Tiny]) else { return };
    let file = host.write("wrong.yaml", one("wrong", "10.72.7.0/24").replace("m: {}", "m: { image: tinny, memry: 1 GiB }"));
    let lines = [&format!("{file}:5:"), "`tinny`", "`memry`"];
    host.vlm(["check", &file]).ends(2).says(&lines);
    for command in [&["up", &file, "--yes"][..], &["plan", &file]] {
        host.vlm(command).ends(2).says(&lines);
    }
    assert_eq!(
        host.inventory(),
        host.inventory().into_iter().filter(|thing| thing.starts_with("device lo")).collect::<Vec<_>>()
    );
    assert_eq!(host.vlm(["list", "--json"]).ends(0).json(), serde_json::json!([]));
}
