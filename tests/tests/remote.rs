//! Labs on hosts that only their sshd leads to: from a desk without libvirt.

use std::{fs, time::Duration};

use vlm_tests::{Host, Image, Workstation, connections, repository};

/// Two emulated Debians that boot and are configured, on a busy machine.
const LIMIT: Duration = Duration::from_secs(20 * 60);

const SMALL: &str = "defaults: { image: tiny, memory: 128 MiB, disk: 64 MiB }";

#[test]
fn hello_comes_up_on_another_host_through_one_connection() {
    let Some(host) = Host::new(&[]) else { return };
    let before = host.inventory();
    let desk = Workstation::new(&[Image::Debian12], &[("lab1", &host)]);
    let example = fs::read_to_string(repository().join("examples/hello.yaml")).expect("the example is there");
    let file = desk.file("hello.yaml", example);
    let (most, up) =
        desk.connections_during(&host, || desk.start_vlm(["up", &file, "--host", "lab1", "--yes"]).end(LIMIT).ends(0));
    up.says(&["to host `lab1`", "task `Greet`: changed", "2 machines ready after"]);
    assert_eq!(most, 1, "SSH connections to the host while the lab came up");
    assert_eq!(desk.ssh("hello/web", "cat /etc/motd"), "This is web. Its neighbour is db.\n");
    assert_eq!(connections(&host), 1, "the keeper's, which leads to the guests");
    desk.vlm(["up", &file, "--yes"]).ends(0).says(&["hello: nothing to do, everything is as designed"]);
    // OpenSSH by itself, with the files that we wrote.
    let config = desk.lab_dir("hello").join("ansible/ssh_config");
    let alone = desk.command("ssh").args(["-F".as_ref(), config.as_os_str()]).args(["db", "hostname"]).output();
    assert_eq!(String::from_utf8_lossy(&alone.expect("ssh can be started").stdout), "db\n");
    desk.destroy("hello", &host);
    assert_eq!(host.inventory(), before);
    assert_eq!(connections(&host), 0, "connections that were left");
}

#[test]
fn a_lab_elsewhere_lives_like_one_here() {
    let Some(host) = Host::new(&[]) else { return };
    let before = host.inventory();
    let desk = Workstation::new(&[Image::Tiny], &[("lab1", &host)]);
    let text = format!(
        "version: 1\nname: far\nhost: lab1\n{SMALL}\nnetworks: {{ lan: {{ cidr: 10.77.1.0/24 }} }}\n\
         machines:\n  a: {{ ports: {{ \"22922\": 22 }} }}\n  b: {{}}\n"
    );
    let file = desk.file("far.yaml", &text);
    // An image that was half sent goes on from there.
    desk.dies("images/lab1:middle", &["up", &file, "--yes"]);
    let up = desk.start_vlm(["resume", "far", "--yes"]).end(LIMIT).ends(0);
    let image = "/var/lib/libvirt/images/vlm/*.qcow2";
    let sums = host.inside(&format!("for f in {image}; do case $f in */far.*) ;; *) sha256sum $f ;; esac; done")).ends(0).out;
    let (digest, path) = sums.trim().split_once("  ").expect("the pool holds one image");
    assert_eq!(path.rsplit('/').next(), Some(format!("{digest}.qcow2").as_str()), "what came is what was sent");
    up.says(&[
        "sending image `tiny` to host `lab1`",
        "MiB of it had come before",
        "127.0.0.1:22922 leads to 10.77.1.",
        ":22 on host lab1",
    ]);
    assert_eq!(desk.ssh("far/b", "hostname"), "b\n");
    let key = |port: &str| {
        let scan = desk.command("ssh-keyscan").args(["-T", "20", "-p", port, "127.0.0.1"]).output().expect("it can be started");
        String::from_utf8_lossy(&scan.stdout).into_owned()
    };
    assert!(key("22922").contains("ssh-ed25519"), "the published port leads to the guest");

    // A cable that is pulled: told within the time that keepalives need; everything goes on when it is plugged again.
    host.cable(false);
    let cut = desk.vlm(["status", "far"]).ends(0);
    cut.says(&["states are not known", "could not reach root@"]);
    host.cable(true);
    desk.vlm(["status", "far"]).ends(0).does_not_say("not known").says(&["running"]);
    // A connection that is reset: the keeper makes another one by itself.
    host.run(["pkill", "-f", "^sshd: root"]).ends(0);
    assert_eq!(desk.ssh("far/a", "hostname"), "a\n");

    // Stopped and started; what was sent stays there, and nothing is sent again.
    desk.vlm(["stop", "far", "--force"]).ends(0);
    assert_eq!(connections(&host), 0, "a lab that is off needs no connection");
    desk.start_vlm(["start", "far"]).end(LIMIT).ends(0);
    let more = text.replace("  b: {}", "  b: {}\n  c: {}");
    let file = desk.file("far.yaml", more);
    desk.start_vlm(["up", &file, "--yes"]).end(LIMIT).ends(0).does_not_say("sending").says(&["3 machines ready"]);
    assert_eq!(desk.ssh("far/c", "hostname"), "c\n");

    // The same as plain files, for that host.
    let export = desk.scratch().join("export");
    desk.vlm(["export", "far", export.to_str().expect("it is text")]).ends(0);
    let variables = fs::read_to_string(export.join("terraform/terraform.tfvars.json")).expect("it was written");
    assert!(
        variables.contains(&format!("\"qemu+ssh://root@{}/system\"", host.address())) && variables.contains("far.c"),
        "{variables}"
    );

    // It stays where it is.
    desk.vlm(["up", "far", "--host", "local", "--yes"]).ends(0).says(&["nothing to do"]);
    desk.vlm(["host", "remove", "lab1"]).ends(2).says(&["lab `far` names host `lab1`"]);
    desk.destroy("far", &host);
    assert_eq!(host.inventory(), before);
}

#[test]
fn machines_are_placed_over_hosts_and_a_network_stays_on_one() {
    let (Some(one), Some(two)) = (Host::new(&[]), Host::new(&[])) else { return };
    let (before_one, before_two) = (one.inventory(), two.inventory());
    let desk = Workstation::new(&[Image::Tiny], &[("one", &one), ("two", &two)]);
    let head = format!(
        "version: 1\nname: wide\n{SMALL}\nnetworks: {{ a: {{ cidr: 10.77.1.0/24 }}, b: {{ cidr: 10.77.2.0/24 }} }}\nmachines:\n"
    );
    let spans = desk.file("spans.yaml", format!("{head}  m1: {{ host: one }}\n  m2: {{ host: two }}\n"));
    desk.vlm(["up", &spans, "--yes"])
        .ends(2)
        .says(&["network `a` cannot span hosts yet: machine `m1` is on host `one`, machine `m2` on host `two`"]);

    let file = desk.file("wide.yaml", format!("{head}  m1: {{ nics: [a] }}\n  m2: {{ nics: [b] }}\n"));
    desk.start_vlm(["up", &file, "--host", "one", "--host", "two", "--yes"]).end(LIMIT).ends(0);
    assert_eq!((one.of_lab("wide").len(), two.of_lab("wide").len()), (4, 4), "each has half of it");
    for machine in ["m1", "m2"] {
        assert_eq!(desk.ssh(&format!("wide/{machine}"), "hostname"), format!("{machine}\n"));
    }
    desk.vlm(["list"]).ends(0).says(&["on one,two"]);
    desk.vlm(["up", "wide", "--host", "one", "--yes"]).ends(2).says(&["machine `", "is on host `two` already"]);
    // One that the file moves is made anew there, and the plan says what that costs.
    let moved = format!("{head}  m1: {{ nics: [a] }}\n  m2: {{ nics: [b], host: one }}\n");
    let moved = moved.replace("m1: { nics: [a] }", "m1: { nics: [a], host: one }");
    let file = desk.file("wide.yaml", moved);
    desk.vlm(["plan", &file]).ends(0).says(&["(host `one`)", "(host `two`)"]);
    desk.start_vlm(["up", &file, "--yes"]).end(LIMIT).ends(0);
    assert_eq!(two.inventory(), before_two, "nothing stays where it was");
    for machine in ["m1", "m2"] {
        assert_eq!(desk.ssh(&format!("wide/{machine}"), "hostname"), format!("{machine}\n"));
    }
    desk.destroy("wide", &one);
    assert_eq!(one.inventory(), before_one);
}
