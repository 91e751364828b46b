//! Crashes and faults: whatever is cut off wherever, `vlm resume` finishes it, or `vlm destroy` takes it away.
//!
//! docs/reliability.md lists the cells of these tests. A handful of them runs with the other real tests; all of them with
//! `make test-faults` (`VLM_FAULTS=all`).

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use vlm_tests::{Host, Image, Output, Running, Workstation, python};

const LIMIT: Duration = Duration::from_secs(300);

/// A lab of one machine that Ansible configures without Python.
const LAB: &str = "version: 1\nname: f\nnetworks: { lan: { cidr: 10.73.1.0/24 } }\nmachines:\n  \
    a: { image: tiny, memory: 128 MiB, disk: 64 MiB, ansible: a.yml, ports: { \"22923\": 22 } }\n";
const PLAYBOOK: &str = "- hosts: all\n  gather_facts: false\n  tasks: [ { name: Mark, raw: echo done >>mark } ]\n";

fn all_cells() -> bool {
    std::env::var("VLM_FAULTS").is_ok_and(|value| value == "all")
}

/// A host, and the lab's file on it.
fn lab() -> Option<(Host, String)> {
    let host = Host::new(&[Image::Tiny])?;
    host.write("a.yml", PLAYBOOK);
    let file = host.write("f.yaml", LAB);
    Some((host, file))
}

/// `vlm`, which dies at `point` of `step` as if its power was cut.
#[track_caller]
fn dies(host: &Host, fault: &str, args: &[&str]) {
    let mut command = host.command([vlm_tests::vlm()]);
    command.args(args).env("VLM_FAULT", fault);
    Running::start(command).end(LIMIT).ends(128 + 9);
}

/// Insists that the lab is as it was asked for: once, whole, known to all who have to know, and with nothing beside it.
#[track_caller]
fn is_whole(host: &Host, expected: &[String], what: &str) {
    let status = host.status("f");
    assert_eq!(status["state"], "deployed", "{what}");
    assert_eq!(status["machines"][0]["state"], "running", "{what}");
    assert_eq!(status["machines"][0]["configured"], true, "{what}");
    assert_eq!(host.of_lab("f"), expected, "{what}: what is on the host");
    // Where the lab's folder is not of the host alone.
    if host.terraform_dir("f").is_dir() {
        host.terraform_finds_nothing("f");
    }
    assert_eq!(host.ssh("f/a", "cat mark"), "done\n", "{what}: configured once");
    host.vlm(["resume", "f"]).ends(0).says(&["nothing to resume"]);
    host.vlm(["plan", "f"]).ends(0).says(&["nothing to do"]);
    store_is_sound(host, what);
}

/// The database is whole, nobody works on, and what is secret is the user's alone.
#[track_caller]
fn store_is_sound(host: &Host, what: &str) {
    let check = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('pragma integrity_check').fetchone()[0])";
    let database = host.data().join("vlm.sqlite3");
    let output = host.run([python().as_os_str(), "-c".as_ref(), check.as_ref(), database.as_os_str()]).ends(0);
    assert_eq!(output.out, "ok\n", "{what}");
    let left = host.inside("pgrep -l 'terraform|tofu|ansible|mkisofs' || true").ends(0).out;
    assert_eq!(left, "", "{what}: processes that were left");
    for path in files(&host.data()) {
        let mode = fs::symlink_metadata(&path).expect("it is there").permissions().mode();
        let text = fs::read(&path).unwrap_or_default();
        let secret = text.windows(27).any(|words| words == b"OPENSSH PRIVATE KEY-----\nb3");
        assert!(!secret || mode & 0o077 == 0, "{what}: a key in {} of mode {mode:o}", path.display());
        let expected = path.starts_with(host.lab_dir("f"));
        assert!(!secret || expected, "{what}: a key in {}", path.display());
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(files(&entry.path())),
            Ok(kind) if kind.is_file() && entry.path().extension().is_none_or(|name| name != "qcow2") => {
                found.push(entry.path())
            }
            _ => {}
        }
    }
    found
}

/// What the lab is on a host when all went well.
fn expected() -> Vec<String> {
    let of = |thing: &str| format!("{thing} f.a");
    vec![of("domain"), "network f.lan".into(), of("volume vlm") + ".seed.iso", of("volume vlm") + ".system.qcow2"]
}

/// Takes base images away where a cell is about sending them.
fn without_bases(host: &Host, cell: &str) {
    if cell.starts_with("images/") {
        host.inside("virsh -q pool-refresh vlm 2>/dev/null; rm -f /var/lib/libvirt/images/vlm/*.qcow2").ends(0);
    }
}

const DEPLOY: [&str; 7] = ["images/local", "claim/local", "apply/local", "start/a", "ready/a", "configure/a", "publish"];
const DESTROY: [&str; 4] = ["close", "strays/local", "destroy/local", "forget"];
/// At the first: nothing of the step was done; then: all of it, but nobody has noted that; then: that it was done is noted.
const POINTS: [&str; 3] = ["begun", "worked", "after"];

/// Those of the cells that are always tried.
const FEW: [&str; 5] = ["claim/local:worked", "apply/local:worked", "start/a:after", "destroy/local:worked", "forget:worked"];

fn cells(steps: &[&str]) -> Vec<String> {
    let middle = steps.contains(&"images/local").then(|| "images/local:middle".to_owned()).into_iter();
    let cells = steps.iter().flat_map(|step| POINTS.map(|point| format!("{step}:{point}"))).chain(middle);
    cells.filter(|cell| all_cells() || FEW.contains(&cell.as_str())).collect()
}

#[test]
fn a_deploy_killed_anywhere_is_finished_by_resume() {
    let Some((host, file)) = lab() else { return };
    for cell in cells(&DEPLOY) {
        eprintln!("deploy, killed at {cell}, resumed");
        without_bases(&host, &cell);
        dies(&host, &cell, &["up", &file, "--yes"]);
        let resumed = host.start_vlm(["resume", "f", "--yes"]).end(LIMIT).ends(0);
        let step = cell.split_once(':').expect("a step and a point").0;
        // Where it was cut off; the machine may be on its way, and its start be over, before the apply was noted as done.
        let where_cut_off = resumed.out.lines().next().unwrap_or_default();
        let names = |step: &str| where_cut_off.contains(step);
        let is_beside_apply = || step == "start/a" && names("apply/local");
        assert!(
            names("(deploy) was left undone: cut off ") && (names(step) || names("start/a") || is_beside_apply()),
            "{cell}: {where_cut_off}"
        );
        is_whole(&host, &expected(), &cell);
        host.destroy("f");
        store_is_sound(&host, &cell);
    }
}

#[test]
fn a_deploy_killed_anywhere_can_be_taken_away() {
    let Some((host, file)) = lab() else { return };
    let before = host.inventory();
    for cell in cells(&DEPLOY) {
        eprintln!("deploy, killed at {cell}, destroyed");
        without_bases(&host, &cell);
        dies(&host, &cell, &["up", &file, "--yes"]);
        host.destroy("f");
        assert_eq!(host.inventory(), before, "{cell}");
        store_is_sound(&host, &cell);
    }
}

#[test]
fn a_destroy_killed_anywhere_is_finished_by_resume() {
    let Some((host, file)) = lab() else { return };
    let before = host.inventory();
    for cell in cells(&DESTROY) {
        eprintln!("destroy, killed at {cell}, resumed");
        host.start_vlm(["up", &file, "--yes"]).end(LIMIT).ends(0);
        dies(&host, &cell, &["destroy", "f", "--yes"]);
        host.vlm(["resume", "f", "--yes"]).ends(0).says(&["(destroy) was left undone"]);
        assert_eq!(host.inventory(), before, "{cell}");
        assert_eq!(host.status("f")["state"], "designed", "{cell}");
        assert!(!host.lab_dir("f").exists(), "{cell}");
        store_is_sound(&host, &cell);
    }
}

#[test]
fn a_start_and_a_stop_that_are_killed_are_finished_by_resume() {
    let Some((host, file)) = lab() else { return };
    host.start_vlm(["up", &file, "--yes"]).end(LIMIT).ends(0);
    for point in POINTS.iter().filter(|point| all_cells() || **point == "worked") {
        dies(&host, &format!("stop/a:{point}"), &["stop", "f", "--force"]);
        host.start_vlm(["resume", "f"]).end(LIMIT).ends(0).says(&["(stop) was left undone"]);
        assert_eq!(host.status("f")["state"], "stopped");
        dies(&host, &format!("ready/a:{point}"), &["start", "f"]);
        host.start_vlm(["resume", "f"]).end(LIMIT).ends(0).says(&["(start) was left undone"]);
        host.run(["sh", "-c", "true"]).ends(0);
        assert_eq!(host.status("f")["machines"][0]["configured"], true);
    }
    host.destroy("f");
}

#[test]
fn terraform_or_ansible_killed_is_told_and_finished_by_resume() {
    let Some((host, file)) = lab() else { return };
    // Terraform, while it makes the first things; then Ansible, at its task.
    // What a guest was told goes on in it.
    host.write("a.yml", PLAYBOOK.replace("raw: echo done >>mark", "raw: sleep 3; echo done >>other"));
    let up = host.start_vlm(["up", &file, "--yes"]);
    up.until_it_says("create libvirt_volume.s", LIMIT);
    host.inside("pkill -9 -x 'terraform|tofu'").ends(0);
    up.end(LIMIT).ends(1).says(&["terraform apply", "FAILED"]);
    store_is_sound(&host, "terraform killed");
    let resumed = host.start_vlm(["resume", "f", "--yes"]);
    resumed.until_it_says("task `Mark`", LIMIT);
    host.inside("pkill -9 -f ansible-playbook").ends(0);
    resumed.end(LIMIT).ends(1).says(&["FAILED", "ansible"]);
    host.write("a.yml", PLAYBOOK);
    host.start_vlm(["resume", "f", "--yes"]).end(LIMIT).ends(0).does_not_say("applying");
    is_whole(&host, &expected(), "tools killed");
    host.destroy("f");
}

#[test]
fn a_daemon_that_restarts_or_is_stopped_does_not_lose_a_lab() {
    let Some((host, file)) = lab() else { return };
    let restart = "kill $(pidof libvirtd); while pidof libvirtd >/dev/null; do sleep 0.1; done; libvirtd -d; \
        for _ in $(seq 100); do virsh -q uri >/dev/null 2>&1 && exit 0; sleep 0.1; done; exit 1";
    // Restarted while a guest boots: the run goes on by itself.
    let up = host.start_vlm(["up", &file, "--yes"]);
    up.until_it_says("booting", LIMIT);
    host.inside(restart).ends(0);
    up.end(LIMIT).ends(0);
    is_whole(&host, &expected(), "restarted while booting");
    host.destroy("f");
    // Restarted while Terraform applies: that fails or not, as it comes; a resume finishes it.
    let up = host.start_vlm(["up", &file, "--yes"]);
    up.until_it_says("applying", LIMIT);
    host.inside(restart).ends(0);
    if up.end(LIMIT).status != 0 {
        host.start_vlm(["resume", "f", "--yes"]).end(LIMIT).ends(0);
    }
    is_whole(&host, &expected(), "restarted while applying");
    // Stopped: whoever asks is told within a limit; when it goes on, so does everything.
    host.inside("kill -STOP $(pidof libvirtd)").ends(0);
    host.vlm(["status", "f"]).ends(0).says(&["states are not known"]);
    host.vlm(["plan", "f"]).ends(1).says(&["libvirt"]);
    host.inside("kill -CONT $(pidof libvirtd)").ends(0);
    is_whole(&host, &expected(), "stopped and continued");
    host.destroy("f");
}

#[test]
fn a_link_that_is_cut_loses_no_lab() {
    let Some(host) = Host::new(&[]) else { return };
    let before = host.inventory();
    let desk = Workstation::new(&[Image::Tiny], &[("far", &host)]);
    desk.file("a.yml", PLAYBOOK);
    let file = desk.file("f.yaml", LAB);
    let reset = || host.run(["pkill", "-f", "^sshd: root"]).ends(0);
    // By reset, while a guest boots: the run goes on over another connection.
    let up = desk.start_vlm(["up", &file, "--host", "far", "--yes"]);
    up.until_it_says("booting", LIMIT);
    reset();
    up.end(LIMIT).ends(0);
    assert_eq!(desk.ssh("f/a", "cat mark"), "done\n");
    desk.destroy("f", &host);
    // By reset, while Terraform applies.
    let up = desk.start_vlm(["up", &file, "--host", "far", "--yes"]);
    up.until_it_says("create libvirt_volume.s", LIMIT);
    reset();
    up.end(LIMIT).ends(1);
    desk.start_vlm(["resume", "f", "--yes"]).end(LIMIT).ends(0);
    assert_eq!(host.of_lab("f"), expected());
    assert_eq!(desk.ssh("f/a", "cat mark"), "done\n");
    desk.destroy("f", &host);
    // By silence, while Terraform applies, and while a guest boots.
    for words in ["create libvirt_volume.s", "booting"] {
        let up = desk.start_vlm(["up", &file, "--host", "far", "--yes"]);
        up.until_it_says(words, LIMIT);
        host.cable(false);
        desk.vlm(["host", "check", "far"]).ends(1).says(&["could not reach"]);
        if words == "booting" {
            host.cable(true);
        }
        let ended = up.end(LIMIT);
        host.cable(true);
        if words == "booting" {
            ended.ends(0);
        } else {
            ended.ends(1);
            desk.start_vlm(["resume", "f", "--yes"]).end(LIMIT).ends(0);
        }
        assert_eq!(host.of_lab("f"), expected(), "{words}");
        assert_eq!(desk.ssh("f/a", "cat mark"), "done\n", "{words}");
        desk.destroy("f", &host);
    }
    assert_eq!(host.inventory(), before);
}

#[test]
fn terraforms_state_is_mended_from_our_copy() {
    let Some((host, file)) = lab() else { return };
    host.start_vlm(["up", &file, "--yes"]).end(LIMIT).ends(0);
    let path = host.terraform_dir("f").join("terraform.tfstate");
    let good = fs::read_to_string(&path).expect("there is a state");
    let serial = |text: &str| -> u64 {
        serde_json::from_str::<serde_json::Value>(text).expect("it is JSON")["serial"].as_u64().expect("it has one")
    };
    let older = good.replacen(&format!("\"serial\": {}", serial(&good)), "\"serial\": 1", 1);
    let edited = good.replace("f.a.system.qcow2", "f.b.system.qcow2");
    let lineage = serde_json::from_str::<serde_json::Value>(&good).expect("it is JSON")["lineage"].clone();
    let foreign = good.replace(lineage.as_str().expect("it is text"), "00000000-0000-0000-0000-000000000000");
    assert!(older != good && edited != good && foreign != good);
    let cases = [
        ("was empty", Some(String::new())),
        ("was damaged", Some(good[..good.len() / 2].to_owned())),
        ("was gone", None),
        ("was an older one", Some(older)),
        ("was edited", Some(edited)),
        ("was another one's", Some(foreign)),
    ];
    for (words, text) in cases {
        match &text {
            Some(text) => fs::write(&path, text).expect("the state can be written"),
            None => fs::remove_file(&path).expect("the state can be deleted"),
        }
        host.vlm(["plan", "f"]).ends(0).says(&[words, "the last good copy", "nothing to do"]);
        assert_eq!(fs::read_to_string(&path).expect("there is a state"), good, "{words}");
        host.vlm(["plan", "f"]).ends(0).does_not_say(words);
    }
    // Neither state nor copy is good: nothing is touched.
    fs::write(&path, "{").expect("the state can be written");
    fs::write(host.lab_dir("f").join("local/terraform.tfstate.kept"), "x").expect("the copy can be written");
    host.vlm(["plan", "f"]).ends(2).says(&[
        "is gone or damaged, and so is our copy of it",
        "`vlm destroy f` shows and removes",
        "`vlm adopt f` takes",
    ]);
    fs::write(&path, &good).expect("the state can be written");
    is_whole(&host, &expected(), "mended");
    // One that goes as an apply ends.
    fs::write(&path, "").expect("the state can be written");
    host.vlm(["destroy", "f", "--yes"]).ends(0).says(&["was empty"]);
    assert_eq!(host.of_lab("f"), [""; 0]);
    // Both gone for good: what bears the lab's names is shown and taken away, and what is not of it stays.
    host.start_vlm(["up", &file, "--yes"]).end(LIMIT).ends(0);
    host.write(
        "other.xml",
        "<domain type='qemu'><name>f.other</name><memory unit='MiB'>64</memory><os><type arch='x86_64'>hvm</type></os></domain>",
    );
    host.virsh(&["define", "other.xml"]);
    fs::remove_file(&path).expect("the state can be deleted");
    fs::remove_file(host.lab_dir("f").join("local/terraform.tfstate.kept")).expect("the copy can be deleted");
    host.vlm(["up", "f", "--yes"]).ends(2).says(&["is gone or damaged"]);
    host.vlm(["destroy", "f", "--yes"]).ends(0).says(&[
        "terraform's state is lost on host `local`: what bears the lab's names goes, domain `f.a`, network `f.lan`, volume `f.a.",
        "left alone, because this lab did not make it: domain `f.other`",
    ]);
    assert_eq!(host.of_lab("f"), ["domain f.other"]);
}

#[test]
fn what_all_records_of_are_lost_is_adopted_as_it_is() {
    let Some((host, file)) = lab() else { return };
    // The domain, and the very file of its disk.
    let identity = || host.inside("virsh domuuid f.a; stat -c %i /var/lib/libvirt/images/vlm/f.a.system.qcow2").ends(0).out;
    host.vlm(["plan", &file]).ends(0);
    let copy = host.scratch().join("before.sqlite3");
    let copy = copy.to_str().expect("it is text");
    host.vlm(["backup", copy]).ends(0);
    host.start_vlm(["up", &file, "--yes"]).end(LIMIT).ends(0);
    let made = identity();
    let lose_state = || {
        fs::remove_file(host.terraform_dir("f").join("terraform.tfstate")).expect("the state can be deleted");
        fs::remove_file(host.lab_dir("f").join("local/terraform.tfstate.kept")).expect("the copy can be deleted");
    };
    lose_state();
    // Somebody else's of such a name is none of ours.
    host.write(
        "other.xml",
        "<domain type='qemu'><name>f.other</name><memory unit='MiB'>64</memory><os><type arch='x86_64'>hvm</type></os></domain>",
    );
    host.virsh(&["define", "other.xml"]);
    host.virsh(&["vol-create-as", "vlm", "f.b.system.qcow2", "1M", "--format", "qcow2"]);
    host.vlm(["up", "f", "--yes"]).ends(2).says(&["is gone or damaged"]);
    host.vlm(["adopt", "f"]).ends(2).says(&["  domain `f.a` on host local\n", "nobody is here to ask"]);
    host.vlm(["adopt", "f", "--yes"])
        .ends(0)
        .says(&[
            "volume `f.b.system.qcow2` in pool `vlm` on host local bears the lab's marks and is not in its design: it stays",
            "  network `f.lan` on host local\n",
            "adopted; `vlm plan f` shows what differs",
        ])
        .does_not_say("f.other");
    host.vlm(["plan", "f"]).ends(0).says(&["nothing is missing; the lab counts as deployed again"]);
    host.virsh(&["undefine", "f.other"]);
    host.virsh(&["vol-delete", "f.b.system.qcow2", "--pool", "vlm"]);
    host.start_vlm(["up", "f", "--yes"]).end(LIMIT).ends(0);
    assert_eq!(identity(), made);
    is_whole(&host, &expected(), "adopted");

    // A database from before the deploy, and no state either: the doctor tells what is there.
    host.vlm(["stop", "f"]).ends(0);
    host.vlm(["restore", copy, "--yes"]).ends(0);
    host.vlm(["adopt", "f", "--yes"]).ends(0).says(&["Terraform's state knows more of f than our database"]);
    host.start_vlm(["up", "f", "--yes"]).end(LIMIT).ends(0);
    host.vlm(["stop", "f"]).ends(0);
    host.vlm(["restore", copy, "--yes"]).ends(0);
    lose_state();
    host.vlm(["doctor", "local"])
        .says(&["domain `f.a` is left of the lab `f`, which is not deployed: `vlm adopt f` takes it in"]);
    host.vlm(["up", "f", "--yes"]).ends(2).says(&["already has a domain `f.a` that is not this lab's", "`vlm adopt f`"]);
    let keys = host.lab_dir("f").join("keys");
    fs::rename(&keys, keys.with_extension("away")).expect("a folder can be renamed");
    host.vlm(["adopt", "f", "--yes"]).ends(2).says(&["the keys of domain `f.a` on host `local` are not in"]);
    fs::remove_dir_all(&keys).expect("a folder can be deleted");
    fs::rename(keys.with_extension("away"), &keys).expect("a folder can be renamed");
    host.vlm(["adopt", "f", "--yes"]).ends(0);
    host.start_vlm(["up", "f", "--yes"]).end(LIMIT).ends(0);
    assert_eq!(identity(), made);
    host.vlm(["plan", "f"]).ends(0).says(&["nothing to do"]);
    // What is wired otherwise than the design says is made anew, as it would have been without the loss.
    lose_state();
    host.write("f.yaml", LAB.replace("ansible:", "nics: [ { network: lan, mac: \"52:54:00:12:34:56\" } ], ansible:"));
    host.vlm(["plan", &file]).ends(2).says(&["is gone or damaged"]);
    host.vlm(["adopt", "f", "--yes"]).ends(0);
    host.vlm(["plan", "f"]).ends(0).says(&["machine a is switched off and defined again", "its disks stay"]);
    host.vlm(["destroy", "f", "--yes"]).ends(0);
    assert_eq!(host.of_lab("f"), [""; 0]);
}

/// Fills the file system at `folder` on the host, but for `left_kib`.
fn fill(host: &Host, folder: &str, left_kib: u32) -> Output {
    let script = format!(
        "free=$(df -k --output=avail {folder} | tail -1); head -c $(((free - {left_kib}) * 1024)) /dev/zero >{folder}/filler"
    );
    host.run(["sh", "-c", &script])
}

#[test]
fn a_disk_that_is_full_here_or_there_is_told_and_nothing_is_lost() {
    let Some((host, file)) = lab() else { return };
    // There: the pool's.
    let pool = "/var/lib/libvirt/images/vlm";
    host.inside(&format!("mkdir -p {pool} && mount -t tmpfs -o size=24m,mode=711 none {pool}")).ends(0);
    fill(&host, pool, 2048).ends(0);
    host.start_vlm(["up", &file, "--yes"]).end(LIMIT).ends(1).says(&["FAILED"]);
    host.inside(&format!("rm {pool}/filler")).ends(0);
    host.start_vlm(["resume", "f", "--yes"]).end(LIMIT).ends(0);
    is_whole(&host, &expected(), "the pool was full");
    host.destroy("f");
    // Here: where the database and Terraform's state lie.
    let labs = host.data().join("labs");
    let labs = labs.to_str().expect("it is text");
    for left_kib in [64, 24, 8] {
        host.inside(&format!("mkdir -p {labs} && mount -t tmpfs -o size=2m,mode=700 none {labs}")).ends(0);
        host.vlm(["plan", &file]).ends(0);
        fill(&host, labs, left_kib).ends(0);
        let up = host.start_vlm(["up", &file, "--yes"]).end(LIMIT);
        host.inside(&format!("rm {labs}/filler")).ends(0);
        if up.status != 0 {
            host.start_vlm(["resume", "f", "--yes"]).end(LIMIT).ends(0);
        }
        host.vlm(["up", &file, "--yes"]).ends(0);
        is_whole(&host, &expected(), &format!("{left_kib} KiB left here"));
        host.destroy("f");
        host.inside(&format!("umount -l {labs}")).ends(0);
    }
}

#[test]
fn two_processes_on_one_lab_and_a_clock_that_jumps() {
    let Some((host, file)) = lab() else { return };
    let first = host.start_vlm(["up", &file, "--yes"]);
    first.until_it_says("booting", LIMIT);
    for second in [&["up", "f", "--yes"][..], &["destroy", "f", "--yes"], &["stop", "f"], &["resume", "f", "--yes"]] {
        let second = host.vlm(second);
        if second.out.contains("nothing to resume") {
            second.ends(0).says(&["is at work"]);
        } else {
            second.ends(2).says(&["lab `f` is being changed by another process (process "]);
        }
    }
    first.end(LIMIT).ends(0);
    is_whole(&host, &expected(), "two at once");
    // The clock goes a year back, and a year ahead.
    for shift in ["-1y", "+1y"] {
        let at = |args: &[&str]| {
            let words = ["faketime", "-f", shift].map(std::ffi::OsStr::new);
            let mut command = host.command(words.into_iter().chain([vlm_tests::vlm().as_os_str()]));
            // The clock that tells how much time has passed does not jump.
            command.args(args).env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
            Running::start(command).end(LIMIT)
        };
        at(&["stop", "f", "--force"]).ends(0);
        at(&["start", "f"]).ends(0);
        at(&["plan", "f"]).ends(0).says(&["nothing to do"]);
        at(&["status", "f"]).ends(0).says(&["running"]);
    }
    host.ssh("f/a", "echo done >mark");
    is_whole(&host, &expected(), "the clock jumped");
    host.destroy("f");
}
