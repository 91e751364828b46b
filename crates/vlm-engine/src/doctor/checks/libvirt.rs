//! Tools, libvirt and its door, KVM, memory.

use crate::{
    doctor::{
        Facts, Finding, Fix,
        Severity::{Note, Problem, Warning},
        checks::{finding, ok, quoted},
        facts::{Computer, Folder},
    },
    libvirt::{MIN_LIBVIRT, xml::Account},
};

/// What we ask of libvirt, and the version that brought it. The oldest of these is not enough; each is used by every deploy or destroy.
const NEEDS: &[((u32, u32, u32), &str)] = &[
    ((1, 3, 1), "making a pool's folder together with the pool (VIR_STORAGE_POOL_CREATE_WITH_BUILD)"),
    ((3, 0, 0), "telling a whole image in the pool from one that was cut off (VIR_STORAGE_VOL_GET_PHYSICAL)"),
    ((4, 2, 0), "addresses of machines on bridges (VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP)"),
    ((5, 6, 0), "removing a domain that has checkpoints (VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA), and so `destroy`"),
];
/// The oldest libvirt that labs were really deployed on.
const TRIED: (u32, u32, u32) = (9, 0, 0);

pub fn facts(facts: &Facts) -> Vec<Finding> {
    if facts.computer.is_complete() {
        return Vec::new();
    }
    let message = "the host did not let us look around (a shell script as this user): what rests on that was left out";
    vec![finding(Warning, message)]
}

pub fn tools(facts: &Facts) -> Vec<Finding> {
    if facts.address.is_some() {
        return Vec::new(); // they run here, whatever host the lab is on
    }
    let mut all = Vec::new();
    let mut found = Vec::new();
    for tool in &facts.tools {
        match &tool.found {
            Ok(what) => found.push(format!("{} ({what})", tool.name)),
            Err(why) => {
                let severity = if tool.is_needed { Problem } else { Warning };
                let fix = match tool.package {
                    // No distribution packages it. It comes into the user's own folder, so not as root.
                    "terraform" => Fix::hint("vlm-setup labs   # in vlm's source: scripts/setup labs".into()),
                    package => Fix::by_hand(facts.computer.packages(package)),
                };
                all.push(finding(severity, format!("{why}: {}", tool.purpose)).with(fix));
            }
        }
    }
    if !found.is_empty() {
        all.extend(ok(format!("found {}", found.join(", "))));
    }
    all
}

pub fn reached(facts: &Facts) -> Vec<Finding> {
    let computer = &facts.computer;
    if let Some(version) = facts.too_old {
        let missing: Vec<&str> = NEEDS.iter().filter(|(since, _)| *since > version).map(|(_, what)| *what).collect();
        let text = |(major, minor, release): (u32, u32, u32)| format!("{major}.{minor}.{release}");
        let message = format!("libvirt {} is too old: vlm needs {} or newer", text(version), text(MIN_LIBVIRT));
        return vec![finding(Problem, message).because(format!("missing in it: {}", missing.join("; ")))];
    }
    let mut all = Vec::new();
    match &facts.libvirt {
        Ok(libvirt) => {
            let (major, minor, release) = libvirt.version;
            let version = format!("{major}.{minor}.{release}");
            let qemu = computer.first("qemu").and_then(|line| line.split(' ').nth(3)).map(|it| format!(", with QEMU {it}"));
            if libvirt.version < TRIED {
                all.push(finding(
                    Note,
                    format!("libvirt {version} has all that vlm asks for; the oldest that labs were tried on is 9.0.0"),
                ));
            } else {
                all.extend(ok(format!("libvirt {version} answers{}", qemu.unwrap_or_default())));
            }
        }
        Err(why) if computer.lines("listening").is_empty() && !computer.has("libvirtd") && !computer.has("virtqemud") => {
            // Without the script's facts nothing is known but the reason.
            if computer.is_complete() {
                let fix = Fix::by_hand(computer.packages("libvirt"));
                all.push(finding(Problem, "libvirt is not installed").because(why.clone()).with(fix));
            } else {
                all.push(finding(Problem, format!("libvirt is not reached: {why}")));
            }
        }
        Err(why) if computer.lines("listening").is_empty() => {
            let units = if computer.has("virtqemud") && !computer.has("libvirtd") {
                "virtqemud.socket virtnetworkd.socket virtstoraged.socket"
            } else {
                "libvirtd.service"
            };
            let fix = if computer.has("units") {
                Fix::undoable(true, [format!("systemctl start {units}")], [format!("systemctl stop {units}")])
            } else {
                Fix::by_hand(["virtlogd -d", "libvirtd -d"])
            };
            all.push(
                finding(Problem, "libvirt is installed and does not run: nobody listens on its socket")
                    .because(why.clone())
                    .with(fix),
            );
        }
        Err(why) => all.push(finding(Problem, format!("libvirt listens and is not reached: {why}"))),
    }
    // The modular daemons come one a driver, and a socket that is missing shows only when a lab needs it.
    let is_active = |unit: &str| computer.lines("units").iter().any(|line| line.starts_with(&format!("{unit} active")));
    if is_active("virtqemud.socket") && !is_active("libvirtd.socket") {
        for unit in ["virtnetworkd.socket", "virtstoraged.socket"].iter().filter(|unit| !is_active(unit)) {
            let what = if unit.starts_with("virtnet") { "networks" } else { "pools" };
            all.push(
                finding(Problem, format!("libvirt's {what} have a daemon of their own here, and {unit} is not active"))
                    .because(computer.lines("units").join("\n"))
                    .with(Fix::undoable(true, [format!("systemctl start {unit}")], [format!("systemctl stop {unit}")])),
            );
        }
    }
    all
}

pub fn access(facts: &Facts) -> Vec<Finding> {
    let computer = &facts.computer;
    let user = computer.user();
    if !computer.is_complete() || computer.lines("listening").is_empty() && facts.libvirt.is_err() {
        return Vec::new(); // a door that is not there: said by `libvirt`
    }
    if facts.libvirt.is_ok() || facts.too_old.is_some() {
        let way = if computer.is_root() {
            "root".to_owned()
        } else if computer.is_in_group("libvirt", true) {
            format!("`{user}`, of the group libvirt,")
        } else {
            format!("`{user}`")
        };
        return ok(format!("{way} may use the system's libvirt"));
    }
    let evidence = || {
        let sockets =
            computer.lines("sockets").iter().filter(|line| line.contains("libvirt-sock") || line.contains("virtqemud"));
        let mut lines: Vec<String> = sockets.map(|line| format!("socket {line}")).collect();
        lines.push(format!("groups of {user}: {}", computer.lines("me").get(2).map_or("", String::as_str)));
        match computer.lines("polkit") {
            [] => lines.push("no polkit rule that this user may read speaks of libvirt".into()),
            rules => lines.push(format!("polkit rules: {}", rules.join(", "))),
        }
        lines.join("\n")
    };
    if computer.is_root() {
        return Vec::new(); // nobody keeps root out: said by `libvirt`
    }
    if computer.is_in_group("libvirt", true) {
        return vec![
            finding(Problem, format!("`{user}` is in the group libvirt, and libvirt does not let you in")).because(evidence()),
        ];
    }
    if computer.is_in_group("libvirt", false) {
        let message = format!("`{user}` was added to the group libvirt after logging in: log out and in again");
        return vec![finding(Problem, message).because(evidence())];
    }
    if !computer.lines("groups").iter().any(|line| line.starts_with("libvirt:")) {
        let message = format!(
            "`{user}` may not use libvirt, and there is no group libvirt; libvirtd.conf names who may (unix_sock_group)"
        );
        return vec![finding(Problem, message).because(evidence())];
    }
    let message = format!(
        "`{user}` may not use libvirt: join the group libvirt, and log in again (its members can do on this host what root can)"
    );
    let word = quoted(user);
    let fix = Fix::undoable(true, [format!("usermod -aG libvirt {word}")], [format!("gpasswd -d {word} libvirt")]);
    vec![finding(Problem, message).because(evidence()).with(fix)]
}

pub fn kvm(facts: &Facts) -> Vec<Finding> {
    let computer = &facts.computer;
    match &facts.kvm {
        Some(measured) if measured.kvm => return ok(format!("guests run on KVM: {}", measured.why)),
        None if facts.libvirt.as_ref().is_ok_and(|libvirt| libvirt.kvm_listed) => {
            return vec![finding(Note, "libvirt lists KVM; whether a guest runs on it was not measured")];
        }
        None if !computer.is_complete() => return Vec::new(),
        _ => {}
    }
    let slow = "guests are emulated, which works and is many times slower";
    let why = facts.kvm.as_ref().map_or(String::new(), |measured| measured.why.clone());
    let evidence = |more: &[String]| {
        let mut lines: Vec<String> = Vec::new();
        lines.extend((!why.is_empty()).then(|| why.clone()));
        lines.push(format!("processor flags: {}", computer.lines("cpu").join(" ")));
        lines.extend_from_slice(more);
        lines.join("\n")
    };
    let off_in_firmware = computer.lines("kvm-log").iter().any(|line| line.to_ascii_lowercase().contains("disabled by bios"));
    let flag = computer.lines("cpu").iter().find(|flag| *flag != "hypervisor");
    let message = match (computer.first("kvm"), flag) {
        (None, _) if off_in_firmware => {
            "virtualisation is switched off in the firmware: switch VT-x (Intel) or SVM (AMD) on in its set-up".to_owned()
        }
        (None, Some(flag)) => {
            let module = if flag == "vmx" { "kvm_intel" } else { "kvm_amd" };
            let fix = Fix::undoable(true, [format!("modprobe {module}")], [format!("modprobe -r {module}")]);
            let message = format!("the processor can virtualise, and {module} is not loaded: {slow}");
            return vec![finding(Warning, message).because(evidence(computer.lines("kvm-log"))).with(fix)];
        }
        (None, None) if computer.lines("cpu").iter().any(|flag| flag == "hypervisor") => {
            "this computer is virtual itself, and what it runs on offers it no virtualisation (nested virtualisation is off there)".to_owned()
        }
        (None, None) => "the processor offers no virtualisation, or the firmware hides it".to_owned(),
        (Some(device), _) => {
            if let Some(fix) = open_device(computer, device, facts.account()) {
                let message = format!("QEMU may not open /dev/kvm: {slow}");
                return vec![finding(Warning, message).because(evidence(&[format!("/dev/kvm: {device}")])).with(fix)];
            }
            if facts.kvm.is_none() {
                return vec![finding(Note, "there is a /dev/kvm; whether a guest runs on it was not measured")];
            }
            "KVM is offered and is no use".to_owned()
        }
    };
    vec![finding(Warning, format!("{message}: {slow}")).because(evidence(computer.lines("kvm-log")))]
}

/// Gives /dev/kvm to the group kvm, as udev does, where QEMU's account would gain by it.
fn open_device(computer: &Computer, device: &str, account: Option<Account>) -> Option<Fix> {
    let words: Vec<&str> = device.split(' ').collect();
    let (mode, user, group) = (words.get(1)?, words.get(2)?.parse().ok()?, words.get(3)?.parse().ok()?);
    let account = account.filter(|account| account.user != 0)?;
    let groups = computer.groups_of(account.user);
    // Read and write, as `lets_pass` asks for execute.
    let bits = u32::from_str_radix(mode, 8).ok()?;
    let both = Folder { mode: (bits >> 1) & (bits >> 2), user, group, path: String::new(), passers: Vec::new() };
    let kvm =
        computer.lines("groups").iter().find_map(|line| line.strip_prefix("kvm:")?.split(':').nth(1)?.parse::<u32>().ok())?;
    if both.lets_pass(account, &groups) || account.group != kvm && !groups.contains(&kvm) {
        return None;
    }
    Some(Fix::undoable(
        true,
        ["chgrp kvm /dev/kvm".to_owned(), "chmod 660 /dev/kvm".to_owned()],
        [format!("chmod {mode} /dev/kvm"), format!("chgrp {group} /dev/kvm")],
    ))
}

pub fn nested(facts: &Facts) -> Vec<Finding> {
    let of = |module: &'static str| {
        let value = facts.computer.lines("nested").iter().find_map(|line| line.strip_prefix(module)?.strip_prefix(' '));
        value.map(|value| (module, value))
    };
    let Some((module, value)) = of("kvm_intel").or_else(|| of("kvm_amd")) else { return Vec::new() };
    if value == "Y" || value == "1" {
        return ok("guests may run guests of their own (nested virtualisation is on)");
    }
    let file = "/etc/modprobe.d/kvm-nested.conf";
    // The module cannot be exchanged under guests that run.
    let fix = Fix::by_hand([
        format!("echo 'options {module} nested=1' > {file}"),
        format!("modprobe -r {module} && modprobe {module}   # with no guest running"),
    ]);
    let message = "guests cannot run guests of their own on KVM (nested virtualisation is off): only labs that do so mind";
    vec![finding(Note, message).because(format!("{module}: nested={value}")).with(fix)]
}

pub fn memory(facts: &Facts) -> Vec<Finding> {
    let computer = &facts.computer;
    let known = (computer.memory_mib("MemTotal"), computer.memory_mib("MemAvailable"));
    let (Some(total), Some(available)) = known else { return Vec::new() };
    let message = format!("{available} of {total} MiB of memory can be had");
    if available < 512 {
        return vec![finding(Problem, format!("{message}: too little for a machine"))];
    }
    if available < 2048 {
        return vec![finding(Warning, format!("{message}: enough for a small machine or two"))];
    }
    ok(message)
}
