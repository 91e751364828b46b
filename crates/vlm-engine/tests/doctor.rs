//! What the doctor says of many kinds of computers: facts as `facts.sh` prints them and libvirt tells them, and the findings.
//!
//! A fixture begins with lines on what the script does not see. `isolated-host` is recorded; the others have what is not `like`
//! another one, as the programs of those systems print it.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use expect_test::expect_file;
use vlm_engine::{
    acceleration::Accelerated,
    doctor::{Computer, Facts, LabNetwork, LabOnHost, Leftover, Libvirt, Orphan, Packets, Tool, checks::findings},
    libvirt::{DefinedPool, Network, Thing, xml::Account},
};
use vlm_lab::model::NetworkMode;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/doctor")
}

/// A fixture's own lines, and what the script prints there: what the fixture does not have is that of the one it is like.
fn read(path: &Path) -> (String, String) {
    let text = fs::read_to_string(path).unwrap();
    let (head, script) = text.split_at(text.find("== ").unwrap_or(text.len()));
    let like = head.lines().find_map(|line| line.strip_prefix("like "));
    // The last word on a fact counts.
    let base = like.map(|name| read(&fixtures().join(name).with_extension("txt")).1).unwrap_or_default();
    (head.to_owned(), base + script)
}

/// Reads a fixture's own lines, each a word and what it needs.
fn facts_of(path: &Path) -> Facts {
    let (head, script) = read(path);
    let mut facts = Facts {
        host: "local".into(),
        address: None,
        computer: Computer::of(&script),
        libvirt: Err("libvirt was not asked".into()),
        too_old: None,
        pool: "vlm".into(),
        pool_path: "/var/lib/libvirt/images/vlm".into(),
        kvm: None,
        tools: Vec::new(),
        labs: Vec::new(),
        packets: Packets::NotLooked("`vlm doctor --deep` does it, as root".into()),
        orphans: Vec::new(),
        leftovers: Vec::new(),
    };
    for line in head.lines().filter(|line| !line.starts_with('#')) {
        let (word, rest) = line.split_once(' ').expect("a word and more");
        let words: Vec<&str> = rest.split(' ').collect();
        match word {
            "like" => {}
            "address" => (facts.host, facts.address) = ("lab1".into(), Some(rest.into())),
            "pool-path" => facts.pool_path = rest.into(),
            "too-old" => facts.too_old = Some(version_of(rest)),
            "unreachable" => facts.libvirt = Err(rest.into()),
            "libvirt" => facts.libvirt = Ok(libvirt_of(&words)),
            "network" => {
                let network = Network {
                    name: words[0].into(),
                    bridge: Some(words[1].into()),
                    subnets: vec![words[2].parse().unwrap()],
                    ..Network::default()
                };
                facts.libvirt.as_mut().expect("libvirt comes first").networks.push(network);
            }
            "kvm" => {
                let (kvm, why) = rest.split_once(' ').unwrap();
                facts.kvm = Some(Accelerated { kvm: kvm == "yes", why: why.into() });
            }
            "tool" => facts.tools.push(tool_of(rest)),
            "lab" => facts.labs.push(lab_of(&words)),
            "packets" => {
                let (how, what) = rest.split_once(' ').unwrap();
                facts.packets = match what.split_once('|') {
                    Some((what, evidence)) if how == "failed" => {
                        Packets::Failed { what: what.into(), evidence: evidence.into() }
                    }
                    _ => Packets::Passed(what.into()),
                };
            }
            "left" => {
                let (message, command) = rest.split_once('|').unwrap();
                facts.leftovers.push(Leftover { message: message.into(), command: command.into() });
            }
            "orphan" => {
                let parts: Vec<&str> = rest.split('|').collect();
                let thing: Vec<&str> = parts[0].split(' ').collect();
                let name = thing[2].to_owned();
                let thing = if thing[1] == "domain" { Thing::Domain { name } } else { Thing::Network { name } };
                let is_known_lab = parts[0].starts_with("known");
                facts.orphans.push(Orphan { thing, why: parts[1].into(), evidence: parts[2].into(), is_known_lab });
            }
            other => panic!("a fixture says {other}"),
        }
    }
    if let Ok(libvirt) = &mut facts.libvirt
        && let Some(pool) = &mut libvirt.pool
    {
        pool.path = facts.pool_path.clone();
    }
    facts
}

fn version_of(text: &str) -> (u32, u32, u32) {
    let numbers: Vec<u32> = text.split('.').map(|number| number.parse().unwrap()).collect();
    (numbers[0], numbers[1], numbers[2])
}

fn libvirt_of(words: &[&str]) -> Libvirt {
    let value = |name: &str| words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    let pool = value("pool").map(|text| DefinedPool {
        path: "".into(),
        active: text.contains("active"),
        autostart: text.contains("autostart"),
        available_bytes: text.rsplit(',').next().and_then(|mib| mib.parse::<u64>().ok()).map(|mib| mib << 20),
        capacity_bytes: None,
    });
    let account = value("account").and_then(|text| text.split_once(':'));
    Libvirt {
        version: version_of(words[0]),
        networks: Vec::new(),
        pool,
        kvm_listed: words.contains(&"kvm"),
        emulator: None,
        account: account.map(|(user, group)| Account { user: user.parse().unwrap(), group: group.parse().unwrap() }),
        security_models: value("models").into_iter().flat_map(|text| text.split(',')).map(str::to_owned).collect(),
    }
}

fn tool_of(text: &str) -> Tool {
    let names = [
        ("terraform", "it makes the machines", "terraform"),
        ("ansible", "it configures the machines", "ansible-core"),
        ("qemu-img", "images are looked at with it", "qemu-utils"),
        ("xsltproc", "networks without DNS need it", "xsltproc"),
    ];
    let (name, rest) = text.split_once(' ').unwrap();
    let (how, what) = rest.split_once(' ').unwrap();
    let (name, purpose, package) = *names.iter().find(|(known, ..)| *known == name).unwrap();
    let found = if how == "ok" { Ok(what.to_owned()) } else { Err(what.to_owned()) };
    Tool { name, found, purpose, package, is_needed: name != "xsltproc" }
}

/// `NAME there|designed NETWORK MODE CIDR|BRIDGE`
fn lab_of(words: &[&str]) -> LabOnHost {
    let mode = match words[3] {
        "nat" => NetworkMode::Nat,
        "isolated" => NetworkMode::Isolated,
        "bridge" => NetworkMode::Bridge,
        other => panic!("no mode {other}"),
    };
    let network = LabNetwork {
        name: words[2].into(),
        mode,
        cidr: words[4].parse().ok(),
        bridge: (mode == NetworkMode::Bridge).then(|| words[4].into()),
    };
    LabOnHost { name: words[0].into(), is_there: words[1] == "there", networks: vec![network] }
}

#[test]
fn computers_of_many_kinds() {
    let mut count = 0;
    for path in fs::read_dir(fixtures())
        .unwrap()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension() == Some("txt".as_ref()))
    {
        let facts = facts_of(&path);
        let mut said = String::new();
        for finding in findings(&facts) {
            let severity = format!("{:?}", finding.severity).to_lowercase();
            writeln!(said, "{severity:<8}{:<17}{}", finding.check, finding.message).unwrap();
            finding.evidence.lines().for_each(|line| writeln!(said, "          | {line}").unwrap());
            let Some(fix) = finding.fix else { continue };
            let how = if fix.can_be_done { "done" } else { "by hand" };
            let root = if fix.root { " as root" } else { "" };
            fix.commands.iter().for_each(|command| writeln!(said, "          {how}{root}: {command}").unwrap());
            fix.undo.iter().for_each(|command| writeln!(said, "          undone by: {command}").unwrap());
            // What is done by us has a way back, always.
            assert!(!fix.can_be_done || !fix.undo.is_empty(), "{}: {}", path.display(), finding.check);
        }
        expect_file![path.with_extension("expected")].assert_eq(&said);
        count += 1;
    }
    assert!(count >= 20, "fixtures were found: {count}");
}

#[test]
fn facts_that_were_cut_off_are_absent() {
    let whole = Computer::of("== me\n ada\n 1000\n ada kvm\n-- 0\n== kvm\n-- 127\n== end\n");
    assert!(whole.is_complete() && whole.uid() == Some(1000) && whole.is_in_group("kvm", true) && !whole.has("kvm"));
    let cut = Computer::of("== me\n ada\n 1000\n ada kvm\n-- 0\n== memory\n MemTotal:  1");
    assert!(!cut.is_complete() && cut.memory_mib("MemTotal").is_none() && cut.user() == "ada");
    assert!(!Computer::of("This account is not available.\n").is_complete());
}
