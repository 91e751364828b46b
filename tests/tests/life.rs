//! A lab's whole life on a real host: deployed, changed, stopped, started and taken away without a trace; and two at once.

use std::time::Duration;

use serde_json::{Value, json};
use vlm_tests::{Host, Image, check_documented, check_documented_event};

const SMALL: &str = "defaults: { image: tiny, memory: 128 MiB, disk: 64 MiB }";

const TWO: &str = r#"
networks:
  lan: { cidr: 10.71.1.0/24 }
  back: { mode: isolated, cidr: 10.71.2.0/24, dhcp: false }
machines:
  web:
    nics: [ lan, { network: back, address: 10.71.2.20 } ]
    disks: { data: 32 MiB }
    ports: { "2222": 22 }
  db:
    nics: [ lan, { network: back, address: 10.71.2.9 } ]
"#;

fn lab(name: &str, rest: &str) -> String {
    format!("version: 1\nname: {name}\n{SMALL}{rest}")
}

/// The machines of a lab as `vlm status --json` has them, without what a run leaves open.
fn machines(host: &Host, lab: &str) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or("none").to_owned();
    let status = host.status(lab);
    let machines = status["machines"].as_array().expect("a lab has machines").iter();
    machines.map(|machine| (text(&machine["name"]), text(&machine["state"]), text(&machine["address"]))).collect()
}

#[track_caller]
fn check_machines(host: &Host, lab: &str, expected: &[(&str, &str, &str)]) {
    let expected: Vec<_> = expected.iter().map(|(a, b, c)| (a.to_string(), b.to_string(), c.to_string())).collect();
    assert_eq!(machines(host, lab), expected);
}

/// The UUID of a domain: another one means that it was made anew.
fn uuid(host: &Host, domain: &str) -> String {
    host.virsh(&["domuuid", domain]).trim().to_owned()
}

/// What a program on this computer reads first from the published port; nothing when nobody listens.
fn port_2222(host: &Host) -> String {
    host.run(["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/2222 && timeout 20 head -c 7 <&3"]).out
}

#[test]
fn a_lab_is_deployed_changed_stopped_started_and_leaves_no_trace() {
    let Some(host) = Host::new(&[Image::Tiny]) else { return };
    let before = host.inventory();
    let file = host.write("life.yaml", lab("life", TWO));

    // --- deploy
    host.vlm(["up", &file]).ends(2).says(&["nobody is here to ask", "say --yes to go on without asking"]);
    assert_eq!(host.inventory(), before);
    host.vlm(["up", &file, "--yes"]).ends(0).says(&[
        "network lan is created",
        "machine web is created",
        "2 machines ready after",
    ]);
    host.terraform_finds_nothing("life");
    let all = machines(&host, "life");
    let (web, db) = (all[0].2.clone(), all[1].2.clone());
    check_machines(&host, "life", &[("web", "running", &web), ("db", "running", &db)]);
    assert_eq!(host.ssh("life/web", "hostname"), "web\n");
    assert_eq!(host.ssh("life/db", "hostname"), "db\n");
    assert_eq!(host.ssh("life/web", "cat /sys/block/vdb/size"), "65536\n", "the extra disk, in sectors");
    assert!(host.ssh("life/web", "ip addr").contains("inet 10.71.2.20/24"), "the fixed address on the network without DHCP");
    host.ssh("life/web", "sudo ping -c 1 -w 20 10.71.2.9");
    host.ssh("life/web", &format!("sudo ping -c 1 -w 20 {db}"));
    assert_eq!(port_2222(&host), "SSH-2.0", "the published port leads to the guest");
    host.vlm(["ssh", "life/web", "--", "exit 7"]).ends(7);
    host.vlm(["ssh", "life/web", "--", "sudo sh -c 'echo kept >/dev/vdb'"]).ends(0);

    // --- again: nothing to do
    let uuids = [uuid(&host, "life.web"), uuid(&host, "life.db")];
    let state = std::fs::read(host.terraform_dir("life").join("terraform.tfstate")).expect("there is a state");
    host.vlm(["up", &file, "--yes"]).ends(0).says(&["life: nothing to do, everything is as designed"]);
    host.vlm(["up", "life"]).ends(0).says(&["nothing to do"]); // there is nothing to ask about
    let plan = host.vlm(["plan", "life", "--json"]).ends(0).json();
    assert_eq!((&plan["empty"], &plan["changes"], &plan["starts"]), (&json!(true), &json!([]), &json!([])));
    assert_eq!(std::fs::read(host.terraform_dir("life").join("terraform.tfstate")).expect("there is a state"), state);
    assert_eq!([uuid(&host, "life.web"), uuid(&host, "life.db")], uuids);
    host.terraform_finds_nothing("life");

    // --- more memory, and one machine more: addresses and disks stay
    let grown = TWO.replace("web:\n", "web:\n    memory: 160 MiB\n") + "  extra: {}\n";
    host.write("life.yaml", lab("life", &grown));
    host.vlm(["plan", &file])
        .ends(0)
        .says(&["machine extra is created", "machine web is switched off and defined again (changed: memory)"]);
    host.vlm(["up", &file, "--yes"]).ends(0).says(&["3 machines ready after"]);
    host.terraform_finds_nothing("life");
    let extra = machines(&host, "life")[2].2.clone();
    check_machines(&host, "life", &[("web", "running", &web), ("db", "running", &db), ("extra", "running", &extra)]);
    assert_eq!(host.ssh("life/web", "sudo head -n 1 /dev/vdb"), "kept\n");
    assert!(host.virsh(&["dominfo", "life.web"]).contains("163840 KiB"), "the memory that was asked for");
    assert_eq!(uuid(&host, "life.db"), uuids[1], "a machine of which nothing was changed");

    // --- one machine less: only that goes
    let shrunk = lab("life", &grown).replace("  extra: {}\n", "");
    host.write("life.yaml", &shrunk);
    host.vlm(["up", &file, "--yes"]).ends(0).says(&["machine extra is destroyed with its disks"]);
    host.terraform_finds_nothing("life");
    check_machines(&host, "life", &[("web", "running", &web), ("db", "running", &db)]);
    assert!(
        !host.of_lab("life").iter().any(|thing| thing.contains("extra")),
        "left of a removed machine: {:?}",
        host.of_lab("life")
    );

    // --- stop and start
    host.vlm(["stop", "life"]).ends(0).says(&["2 machines stopped"]);
    check_machines(&host, "life", &[("web", "shut_off", &web), ("db", "shut_off", &db)]);
    host.terraform_finds_nothing("life");
    host.vlm(["stop", "life"]).ends(0).says(&["nothing to do: no machine is on"]);
    host.vlm(["start", "life"]).ends(0).says(&["2 machines started"]);
    check_machines(&host, "life", &[("web", "running", &web), ("db", "running", &db)]);
    assert_eq!(host.ssh("life/db", "hostname"), "db\n");
    host.vlm(["start", "life"]).ends(0).says(&["life: nothing to do, every machine is on"]);
    host.terraform_finds_nothing("life");

    // --- what a machine lost on the host comes back
    host.virsh(&["destroy", "life.db"]);
    host.virsh(&["undefine", "life.db"]);
    host.vlm(["up", "life", "--yes"]).ends(0).says(&["machine db is created"]);
    check_machines(&host, "life", &[("web", "running", &web), ("db", "running", &db)]);
    host.terraform_finds_nothing("life");

    // --- destroy: as if it had never been there
    host.destroy("life");
    assert_eq!(host.inventory(), before);
    assert_eq!(port_2222(&host), "", "the published port of a lab that is gone");
    host.vlm(["destroy", "life", "--yes"]).ends(0); // again: nothing is left to take away
    host.vlm(["ssh", "life/web", "--", "true"]).ends(2).says(&["lab `life` is not deployed"]);
    host.vlm(["start", "life"]).ends(2).says(&["lab `life` is not deployed"]);
    host.vlm(["forget", "life"]).ends(0);
    assert_eq!(host.vlm(["list", "--json"]).ends(0).json(), json!([]));
    check_audit(&host);
}

/// Every change has its row, with what was changed.
fn check_audit(host: &Host) {
    let rows = "import sqlite3, sys\nfor row in sqlite3.connect(sys.argv[1]).execute('SELECT action, object FROM audit ORDER BY id'): print(*row)";
    let database = host.data().join("vlm.sqlite3");
    let told = host.run([vlm_tests::python().as_os_str(), "-c".as_ref(), rows.as_ref(), database.as_os_str()]).ends(0).out;
    for expected in [
        "add_image tiny",
        "save_lab life",
        "deploy life",
        "done run 1",
        "stop life",
        "start life",
        "destroy life",
        "remove_lab life",
    ] {
        assert!(told.lines().any(|row| row == expected), "no audit row {expected:?} in\n{told}");
    }
}

#[test]
fn what_a_run_prints_is_what_the_log_keeps() {
    let Some(host) = Host::new(&[Image::Tiny]) else { return };
    let file = host.write("told.yaml", lab("told", "\nnetworks: { lan: { cidr: 10.71.3.0/24 } }\nmachines: { one: {} }\n"));
    // Events are lines that begin with a time; before them stands the plan.
    let events = |text: &str| -> Vec<String> {
        let line = |line: &str| {
            line.trim_start().split_once("s  ").filter(|(time, _)| time.parse::<f64>().is_ok()).map(|(_, rest)| rest.to_owned())
        };
        text.lines().filter_map(line).collect()
    };
    check_documented("image list --json", &host.vlm(["image", "list", "--json"]).ends(0).json());
    check_documented("plan --json", &host.vlm(["plan", &file, "--json"]).ends(0).json());
    for command in [&["up", &file, "--yes"][..], &["stop", "told"], &["start", "told"], &["destroy", "told", "--yes"]] {
        let printed = host.vlm(command).ends(0).out;
        let kept = host.vlm(["logs", "told"]).ends(0).out;
        assert_eq!(
            events(&printed),
            events(&kept),
            "left: what `vlm {}` printed; right: what `vlm logs` says of it",
            command[0]
        );
        let numbers: Vec<u64> = host
            .vlm(["logs", "told", "--json"])
            .ends(0)
            .out
            .lines()
            .map(|line| {
                let event: Value = serde_json::from_str(line).expect("a line is an event");
                check_documented_event(&event);
                event["seq"].as_u64().expect("events are numbered")
            })
            .collect();
        assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
        check_documented("status --json", &host.status("told"));
        check_documented("list --json", &host.vlm(["list", "--json"]).ends(0).json());
    }
}

#[test]
fn two_labs_at_once_do_not_disturb_each_other_and_one_lab_has_one_run() {
    let Some(host) = Host::new(&[Image::Tiny]) else { return };
    let before = host.inventory();
    let one =
        |name: &str, cidr: &str| lab(name, &format!("\nnetworks: {{ lan: {{ cidr: {cidr} }} }}\nmachines: {{ m: {{}} }}\n"));
    let left = host.write("left.yaml", one("left", "10.71.4.0/24"));
    let right = host.write("right.yaml", one("right", "10.71.5.0/24"));
    let limit = Duration::from_secs(300);

    let (first, second) = (host.start_vlm(["up", &left, "--yes"]), host.start_vlm(["up", &right, "--yes"]));
    // The same lab from a second process: refused before anything is touched, and told who is at it.
    first.until_it_says("applying", limit);
    for command in [&["up", "left", "--yes"][..], &["plan", "left"], &["destroy", "left", "--yes"], &["stop", "left"]] {
        let refused = host.vlm(command).ends(2).says(&["lab `left` is being changed by another process (process "]);
        let holder = refused.err.split("(process ").nth(1).and_then(|rest| rest.split(')').next()).expect("a process is named");
        let holder = host.run(["cat", &format!("/proc/{holder}/cmdline")]).ends(0).out;
        assert!(holder.contains(left.as_str()), "the named process is {holder:?}");
    }
    // Looking on is no change.
    assert_eq!(host.status("left")["state"], "changing");
    let followed = host.start_vlm(["logs", "left", "-f"]);
    first.end(limit).ends(0).says(&["1 machine ready after"]);
    second.end(limit).ends(0).says(&["1 machine ready after"]);
    followed.end(limit).ends(0).says(&["applying", "configured", "1 machine ready after"]);
    for lab in ["left", "right"] {
        host.terraform_finds_nothing(lab);
        assert_eq!(host.ssh(&format!("{lab}/m"), "hostname"), "m\n");
    }

    let (first, second) = (host.start_vlm(["destroy", "left", "--yes"]), host.start_vlm(["destroy", "right", "--yes"]));
    first.end(limit).ends(0);
    second.end(limit).ends(0);
    assert_eq!(host.inventory(), before);
}
