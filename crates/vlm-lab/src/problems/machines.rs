//! Machines: what they are made of, what they need first, and who may enter.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{
    ImageFacts, MAX_MACHINES, Report,
    mismatch::{all_of, nearest, shorten},
    path::{Path, at},
};
use crate::model::{Ansible, DEFAULT_DISK, Firmware, Lab, MachineSpec, Size};

const MIN_MEMORY: Size = Size::mib(64);
const MAX_MEMORY: Size = Size::gib(16 << 10);
const MIN_DISK: Size = Size::mib(1);
const MAX_DISK: Size = Size::gib(64 << 10);
/// What the machine type that libvirt takes by itself (i440FX) bears.
const MAX_VCPUS: u32 = 255;
const MAX_REPLICAS: u32 = 1000;
/// Pairs of a machine and one that it waits for.
const MAX_WAITS: u64 = 100 * MAX_MACHINES;
/// Virtio devices that fit beside the others in a guest's PCI slots.
const MAX_DISKS: usize = 20;
const MAX_NICS: usize = 16;
/// Accounts and groups of Debian's base-passwd and of the packages of a cloud image: no account can be made beside them.
const TAKEN: &str = "\
    adm audio backup bin cdrom daemon dialout dip disk fax floppy games gnats irc kmem list lp mail man news nobody nogroup \
    operator plugdev proxy sasl shadow src staff sudo sync sys tape tty users utmp uucp video voice www-data \
    _apt _ssh ssh sshd messagebus netdev input kvm render sgx";

/// Whether the lab's machines can be unfolded: a slip in `replicas` must not cost the computer its memory.
pub(super) fn are_few_enough(report: &mut Report) -> bool {
    let mut all_few = true;
    for (name, spec) in report.specs() {
        let Some(count) = spec.replicas.filter(|count| !(1..=MAX_REPLICAS).contains(count)) else { continue };
        let message = format!("machine `{name}` has {count} replicas; write a number from 1 to {MAX_REPLICAS}");
        report.error(at!["machines", name, "replicas"], message);
        all_few = false;
    }
    let count = |spec: &MachineSpec| u64::from(spec.replicas.unwrap_or(1));
    let total: u64 = report.specs().map(|(_, spec)| count(spec)).sum();
    if all_few && total > MAX_MACHINES {
        report.error(at!["machines"].key(), format!("the lab has {total} machines; have at most {MAX_MACHINES} in one lab"));
        all_few = false;
    }
    if !all_few {
        return false;
    }
    let waits = |spec: &MachineSpec| {
        count(spec) * spec.depends_on.iter().filter_map(|name| report.lab.machines.get(name)).map(count).sum::<u64>()
    };
    let total: u64 = report.specs().map(|(_, spec)| waits(spec)).sum();
    let most = report.specs().max_by_key(|(_, spec)| waits(spec));
    if let Some((name, spec)) = most.filter(|_| total > MAX_WAITS) {
        let message = format!(
            "machine `{name}` waits {} times for another, counting replicas, and a lab has room for {MAX_WAITS} such waits; have fewer replicas, or depend on fewer",
            waits(spec)
        );
        report.error(at!["machines", name, "depends_on"], message);
        return false;
    }
    true
}

pub(super) fn there_is_one(report: &mut Report) {
    if report.lab.machines.is_empty() && !report.unread.touches(&at!["machines"]) {
        report.warning(
            at!["machines"].key(),
            "the lab has no machine; add one, such as `machines: { web: { image: debian-12 } }`".to_owned(),
        );
    }
}

pub(super) fn images_are_known(report: &mut Report) {
    let unread_default = report.unread.covers(&at!["defaults", "image"]);
    for (name, spec) in report.specs() {
        if spec.image.is_none() && report.lab.defaults.image.is_none() && !unread_default {
            let message = format!("machine `{name}` has no image to start from; add `image: NAME` to it or to `defaults`");
            report.error(at!["machines", name, "image"].key(), message);
        }
    }
    let Some(images) = &report.surroundings.images else { return };
    let default = report.lab.defaults.image.as_ref().map(|image| (at!["defaults", "image"], image));
    let own = report.specs().filter_map(|(name, spec)| Some((at!["machines", name, "image"], spec.image.as_ref()?)));
    for (path, image) in default.into_iter().chain(own) {
        if images.contains_key(image) {
            continue;
        }
        let known = || images.keys().map(String::as_str);
        let message = match nearest(image, known()) {
            Some(near) => format!("image `{}` is unknown, did you mean `{near}`?", shorten(image)),
            None if images.is_empty() => {
                format!("image `{}` is unknown, and no other is there yet; add or build it first", shorten(image))
            }
            None => format!("image `{}` is unknown; there are {}", shorten(image), all_of(known())),
        };
        report.error(path, message);
    }
}

pub(super) fn images_boot(report: &mut Report) {
    for (name, spec) in report.specs() {
        let firmware = spec.firmware.or(report.lab.defaults.firmware).unwrap_or_default();
        let Some((image, facts)) = image_of(report, spec) else { continue };
        if firmware == Firmware::Uefi && facts.uefi == Some(false) {
            let path = match spec.firmware {
                Some(_) => at!["machines", name, "firmware"],
                None => at!["defaults", "firmware"],
            };
            report.error(path, format!("machine `{name}` boots with UEFI, which its image `{image}` cannot; write `firmware: bios`, or choose another image"));
        }
    }
}

pub(super) fn hosts_are_known(report: &mut Report) {
    let Some(hosts) = &report.surroundings.hosts else { return };
    let lab = report.lab.host.as_ref().map(|host| (at!["host"], host));
    let own = report.specs().filter_map(|(name, spec)| Some((at!["machines", name, "host"], spec.host.as_ref()?)));
    for (path, host) in lab.into_iter().chain(own) {
        if hosts.contains(host) {
            continue;
        }
        let known = || hosts.iter().map(String::as_str);
        let message = match nearest(host, known()) {
            Some(near) => format!("host `{}` is unknown, did you mean `{near}`?", shorten(host)),
            None if hosts.is_empty() => format!("host `{}` is unknown, and no other is there yet; add it first", shorten(host)),
            None => format!("host `{}` is unknown; there are {}", shorten(host), all_of(known())),
        };
        report.error(path, message);
    }
}

pub(super) fn dependencies_are_known(report: &mut Report) {
    for (name, spec) in report.specs() {
        for (index, on) in spec.depends_on.iter().enumerate() {
            let path = at!["machines", name, "depends_on", index];
            if on == name {
                report.error(path, format!("machine `{name}` depends on itself; leave it out"));
                continue;
            }
            if report.lab.machines.contains_key(on) {
                continue;
            }
            let known = || report.lab.machines.keys().map(String::as_str).filter(|known| known != name);
            let several = on.rsplit_once('-').filter(|(stem, number)| {
                number.parse::<u32>().is_ok() && report.lab.machines.get(*stem).is_some_and(|spec| spec.replicas.is_some())
            });
            let message = match several.map(|(stem, _)| stem).or_else(|| nearest(on, known())) {
                Some(near) if several.is_some() => {
                    format!("machine `{name}` depends on `{on}`, one replica; depend on all of them with `{near}`")
                }
                Some(near) => format!(
                    "machine `{name}` depends on `{}`, which the lab does not have, did you mean `{near}`?",
                    shorten(on)
                ),
                None => format!(
                    "machine `{name}` depends on `{}`, which the lab does not have; add it, or leave it out",
                    shorten(on)
                ),
            };
            report.error(path, message);
        }
    }
}

/// Every cycle is told once, at the machine of it that comes first in the file.
pub(super) fn dependencies_end(report: &mut Report) {
    let lab = report.lab;
    let order: HashMap<&str, usize> = lab.machines.keys().enumerate().map(|(index, name)| (name.as_str(), index)).collect();
    // 0: not seen, 1: on the way, 2: done. Our own stack, as a chain may be as long as the lab.
    let mut state = vec![0u8; lab.machines.len()];
    for start in 0..lab.machines.len() {
        let mut way: Vec<(usize, usize)> = vec![(start, 0)];
        if state[start] != 0 {
            continue;
        }
        state[start] = 1;
        while let Some((current, next)) = way.last_mut() {
            let (name, spec) = lab.machines.get_index(*current).expect("it is an index of the map");
            let Some(on) = spec.depends_on.get(*next) else {
                state[*current] = 2;
                way.pop();
                continue;
            };
            *next += 1;
            let Some(target) = order.get(on.as_str()).copied().filter(|_| on != name) else { continue };
            match state[target] {
                0 => {
                    state[target] = 1;
                    way.push((target, 0));
                }
                1 => {
                    let from = way.iter().position(|(index, _)| *index == target).unwrap_or(0);
                    let mut cycle: Vec<usize> = way[from..].iter().map(|(index, _)| *index).collect();
                    let first = (0..cycle.len()).min_by_key(|place| cycle[*place]).unwrap_or(0);
                    cycle.rotate_left(first);
                    cycle.push(cycle[0]);
                    report_cycle(report, lab, &cycle);
                }
                _ => {}
            }
        }
    }
}

fn report_cycle(report: &mut Report, lab: &Lab, cycle: &[usize]) {
    let names: Vec<&str> =
        cycle.iter().filter_map(|index| lab.machines.get_index(*index)).map(|(name, _)| name.as_str()).collect();
    let first = names.first().copied().unwrap_or_default();
    let next = names.get(1).copied().unwrap_or_default();
    let index = lab.machines[first].depends_on.iter().position(|on| on == next).unwrap_or(0);
    let shown = match names.len() {
        0..=9 => names.join(" -> "),
        many => format!("{} -> … -> {first}, {} machines in all", names[..6].join(" -> "), many - 1),
    };
    report.error(
        at!["machines", first, "depends_on", index],
        format!("machines wait for each other: {shown}; take one `depends_on` out"),
    );
}

pub(super) fn sizes_can_be(report: &mut Report) {
    let lab = report.lab;
    let defaults = (at!["defaults"], "machines".to_owned(), lab.defaults.vcpus, lab.defaults.memory, lab.defaults.disk);
    let own = report
        .specs()
        .map(|(name, spec)| (at!["machines", name], format!("machine `{name}`"), spec.vcpus, spec.memory, spec.disk));
    for (path, who, vcpus, memory, disk) in std::iter::once(defaults).chain(own) {
        let has = if who == "machines" { "have" } else { "has" };
        if let Some(vcpus) = vcpus.filter(|vcpus| !(1..=MAX_VCPUS).contains(vcpus)) {
            report.error(path.then("vcpus"), format!("{who} {has} {vcpus} vCPUs; write a number from 1 to {MAX_VCPUS}"));
        }
        if let Some(memory) = memory.filter(|memory| *memory < MIN_MEMORY) {
            report.error(
                path.then("memory"),
                format!("{who} {has} {memory} of memory, in which no system boots; write at least `{MIN_MEMORY}`"),
            );
        }
        if let Some(memory) = memory.filter(|memory| *memory > MAX_MEMORY) {
            report.error(
                path.then("memory"),
                format!("{who} {has} {memory} of memory, more than any host gives; write at most `{MAX_MEMORY}`"),
            );
        }
        if let Some(disk) = disk {
            disk_can_be(report, path.then("disk"), &format!("the disk of {who}"), disk);
        }
    }
    for (name, spec) in report.specs() {
        for (disk, size) in &spec.disks {
            disk_can_be(report, at!["machines", name, "disks", disk], &format!("disk `{disk}` of machine `{name}`"), *size);
        }
    }
}

fn disk_can_be(report: &mut Report, path: Path, what: &str, size: Size) {
    if size > MAX_DISK {
        report.error(path, format!("{what} has {size}; write at most `{MAX_DISK}`"));
    } else if size < MIN_DISK {
        report.error(path, format!("{what} has {size}; write at least `{MIN_DISK}`"));
    }
}

pub(super) fn disks_hold_their_image(report: &mut Report) {
    let mut told = HashSet::new();
    for (name, spec) in report.specs() {
        let Some((image, facts)) = image_of(report, spec) else { continue };
        let disk = spec.disk.or(report.lab.defaults.disk).unwrap_or(DEFAULT_DISK);
        if disk >= facts.virtual_size {
            continue;
        }
        let path = match (spec.disk, report.lab.defaults.disk) {
            (None, Some(_)) => at!["defaults", "disk"],
            (Some(_), _) | (None, None) => at!["machines", name, "disk"],
        };
        if told.insert((path.clone(), image)) {
            let message = format!(
                "the disk of machine `{name}` has {disk}, and its image `{image}` needs {}; write `disk: {}` or more",
                facts.virtual_size,
                whole_gib(facts.virtual_size)
            );
            report.error(if spec.disk.is_none() && report.lab.defaults.disk.is_none() { path.key() } else { path }, message);
        }
    }
}

/// `size`, rounded up to what a person would write.
fn whole_gib(size: Size) -> Size {
    Size::gib(size.as_bytes().div_ceil(1 << 30))
}

pub(super) fn devices_fit(report: &mut Report) {
    for (name, spec) in report.specs() {
        if spec.disks.len() > MAX_DISKS {
            let message = format!("machine `{name}` has {} extra disks; have at most {MAX_DISKS}", spec.disks.len());
            report.error(at!["machines", name, "disks"].key(), message);
        }
        match spec.nics.as_ref().map(Vec::len) {
            Some(count) if count > MAX_NICS => {
                report.error(
                    at!["machines", name, "nics"].key(),
                    format!("machine `{name}` has {count} network interfaces; have at most {MAX_NICS}"),
                );
            }
            Some(0) if !report.unread.touches(&at!["machines", name, "nics"]) => {
                let message = format!(
                    "machine `{name}` has no network interface, so nothing can log in or configure it; leave `nics` out for the lab's first network"
                );
                report.warning(at!["machines", name, "nics"].key(), message);
            }
            _ => {}
        }
    }
}

pub(super) fn ports_are_free(report: &mut Report) {
    let mut taken: HashMap<u16, &String> = HashMap::new();
    for (name, spec) in report.specs() {
        let replicas = spec.replicas.unwrap_or(1).clamp(1, MAX_REPLICAS);
        for (port, guest) in &spec.ports {
            let path = at!["machines", name, "ports", port.0.to_string().as_str()];
            if *guest == 0 {
                report.error(
                    path.clone(),
                    format!(
                        "port {} of this computer leads to port 0 of machine `{name}`; write a number from 1 to 65535",
                        port.0
                    ),
                );
            }
            if port.0 == 0 {
                report.error(path.key(), format!("machine `{name}` is published at port 0; write a number from 1 to 65535"));
                continue;
            }
            let last = u32::from(port.0) + replicas - 1;
            if last > 65535 {
                let message = format!(
                    "port {} of machine `{name}` counts up to {last} over {replicas} replicas; ports end at 65535, start lower",
                    port.0
                );
                report.error(path.key(), message);
                continue;
            }
            if port.0 < 1024 {
                let message = format!(
                    "port {} of this computer takes a privilege that ordinary users lack; a port from 1024 up, such as {}, takes none",
                    port.0,
                    port.0 + 8000
                );
                report.warning(path.clone().key(), message);
            }
            let clash = (port.0..=last as u16).find_map(|number| Some((number, *taken.get(&number)?)));
            if let Some((number, other)) = clash {
                let message = match other == name {
                    true => format!(
                        "port {number} of this computer is published twice by machine `{name}`, as its replicas count up; leave {replicas} ports between"
                    ),
                    false => format!(
                        "port {number} of this computer is published by machine `{other}` and by machine `{name}`; choose another"
                    ),
                };
                report.error(path.key(), message);
            }
            for number in port.0..=last as u16 {
                taken.entry(number).or_insert(name);
            }
        }
    }
}

pub(super) fn ports_lead_somewhere(report: &mut Report) {
    let machines = std::mem::take(&mut report.machines);
    let mut told = HashSet::new();
    for machine in machines.iter().filter(|machine| !machine.ports.is_empty() && machine.address().is_none()) {
        // Where the network itself is wrong, that is what there is to say.
        let is_known = machine
            .nics
            .iter()
            .all(|nic| report.lab.networks.get(&nic.network).is_some_and(|network| network.bridge.is_some()));
        let unread = report.unread.touches(&at!["machines", &machine.spec, "nics"]);
        if !is_known || unread || !told.insert(&machine.spec) || machine.nics.is_empty() && report.lab.networks.is_empty() {
            continue;
        }
        let path = at!["machines", &machine.spec, "ports"].key();
        if machine.nics.is_empty() {
            report.error(
                path,
                format!("machine `{}` publishes ports and has no network interface; add `nics: [ NETWORK ]`", machine.spec),
            );
        } else {
            let message = format!(
                "machine `{}` publishes ports and its address is not known before it runs; add a NAT network to its `nics`, or a fixed `address`",
                machine.spec
            );
            report.warning(path, message);
        }
    }
    report.machines = machines;
}

pub(super) fn users_can_be_made(report: &mut Report) {
    let default = report.lab.defaults.user.as_ref().map(|user| (at!["defaults", "user"], user));
    let own = report.specs().filter_map(|(name, spec)| Some((at!["machines", name, "user"], spec.user.as_ref()?)));
    for (path, user) in default.into_iter().chain(own) {
        let is_name = (1..=32).contains(&user.len())
            && user.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
            && user.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-'));
        if user == "root" {
            report.error(
                path,
                "user `root` cannot be the account to log in with; choose another, such as `lab`: it may become root with sudo"
                    .to_owned(),
            );
        } else if !is_name {
            let message = format!(
                "user `{}` is no account name; write lower-case letters, digits, `-` and `_`, at most 32, beginning with a letter",
                shorten(user)
            );
            report.error(path, message);
        } else if TAKEN.split(' ').any(|taken| taken == user) || user.starts_with("systemd-") {
            let message = format!("user `{user}` is an account or group that Debian brings; choose another, such as `lab`");
            report.error(path, message);
        }
    }
}

pub(super) fn ssh_keys_are_public_keys(report: &mut Report) {
    let lab = report.lab;
    let mut common: HashSet<&str> = HashSet::new();
    for (index, key) in lab.defaults.ssh_keys.iter().enumerate() {
        ssh_key(report, at!["defaults", "ssh_keys", index], key, &HashSet::new(), &mut common);
    }
    for (name, spec) in report.specs() {
        let mut own = HashSet::new();
        for (index, key) in spec.ssh_keys.iter().enumerate() {
            ssh_key(report, at!["machines", name, "ssh_keys", index], key, &common, &mut own);
        }
    }
}

fn ssh_key<'a>(report: &mut Report, path: Path, line: &'a str, common: &HashSet<&'a str>, own: &mut HashSet<&'a str>) {
    let shown = shorten(line);
    if line.contains("PRIVATE KEY") {
        // Nothing of it is repeated: problems are shown, stored and sent around.
        report.error(path, "this is a private key, which nobody but its owner may have; put the public key here (the file that ends in `.pub`), and make a new pair if this file was shared".to_owned());
        return;
    }
    if line.trim().contains(['\n', '\r']) {
        report.error(path, format!("`{shown}` has several lines; write each public key as an item of its own"));
        return;
    }
    let words: Vec<&str> = line.split_whitespace().collect();
    let is_type = |word: &&str| -> bool {
        matches!(*word, "ssh-ed25519" | "ssh-rsa" | "sk-ssh-ed25519@openssh.com" | "sk-ecdsa-sha2-nistp256@openssh.com")
            || matches!(word.strip_prefix("ecdsa-sha2-"), Some("nistp256" | "nistp384" | "nistp521"))
    };
    if words.first() == Some(&"ssh-dss") {
        report.error(
            path,
            "this is a DSA key, which today's OpenSSH refuses; make another with `ssh-keygen -t ed25519`".to_owned(),
        );
        return;
    }
    let Some(place) = words.iter().position(is_type) else {
        let remedy = match line.trim_end().ends_with(".pub") {
            true => "write the text in that file, not its name",
            false => "write a line such as `ssh-ed25519 AAAA… me@home`",
        };
        report.error(path, format!("`{shown}` is no public SSH key; {remedy}"));
        return;
    };
    let body = words.get(place + 1).copied().unwrap_or_default();
    if !body.starts_with("AAAA")
        || body.len() < 60
        || !body.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '='))
    {
        report.error(
            path,
            format!("`{shown}` is not a whole public key; copy all of the line from the file that ends in `.pub`"),
        );
    } else if common.contains(body) || !own.insert(body) {
        report.warning(path, format!("`{shown}` is there twice; one is enough"));
    }
}

pub(super) fn packages_are_names(report: &mut Report) {
    for (name, spec) in report.specs() {
        for (index, package) in spec.packages.iter().enumerate() {
            let path = at!["machines", name, "packages", index];
            let shown = shorten(package);
            let is_name = package.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '@' | '_'))
                && package.chars().all(|c| c.is_ascii_alphanumeric() || "+-._:=~/@".contains(c));
            if is_name {
                continue;
            }
            report.error(
                path,
                if package.is_empty() {
                    "the name of a package is empty; leave it out".to_owned()
                } else if package.starts_with('-') {
                    format!("package `{shown}` would be taken for an option; write only the name")
                } else if package.trim().contains(char::is_whitespace) {
                    format!("package `{shown}` has blanks in it; write each package as an item of its own")
                } else {
                    format!("package `{shown}` is no package name; write letters, digits and `+-._`, such as `nginx`")
                },
            );
        }
    }
}

/// Text that goes into a guest or into libvirt's XML can have line ends and tabs, and no other control character.
pub(super) fn text_is_text(report: &mut Report) {
    let lab = report.lab;
    let mut texts: Vec<(Path, &str)> = Vec::new();
    texts.extend(lab.description.as_deref().map(|text| (at!["description"], text)));
    texts.extend(lab.host.as_deref().map(|text| (at!["host"], text)));
    texts.extend(lab.defaults.image.as_deref().map(|text| (at!["defaults", "image"], text)));
    texts.extend(
        lab.defaults.ssh_keys.iter().enumerate().map(|(index, key)| (at!["defaults", "ssh_keys", index], key.as_str())),
    );
    for (name, network) in report.networks() {
        texts.extend(network.description.as_deref().map(|text| (at!["networks", name, "description"], text)));
    }
    for (path, text) in texts.iter().filter(|(_, text)| has_control(text)) {
        report.error(path.clone(), control(text));
    }
    for (name, spec) in report.specs() {
        for (field, text) in [("description", &spec.description), ("host", &spec.host), ("image", &spec.image)] {
            if let Some(text) = text.as_deref().filter(|text| has_control(text)) {
                report.error(at!["machines", name, field], control(text));
            }
        }
        for (index, key) in spec.ssh_keys.iter().enumerate().filter(|(_, key)| has_control(key)) {
            report.error(at!["machines", name, "ssh_keys", index], control(key));
        }
        for (field, value) in &spec.cloud_config {
            text_in(report, &|| at!["machines", name, "cloud_config", field], value);
        }
        match &spec.ansible {
            Some(Ansible::Tasks(tasks)) => {
                for (index, task) in tasks.iter().enumerate() {
                    for (field, value) in task {
                        text_in(report, &|| at!["machines", name, "ansible", index, field], value);
                    }
                }
            }
            Some(Ansible::Roles(roles)) => {
                for (index, role) in roles.roles.iter().enumerate() {
                    text_in(report, &|| at!["machines", name, "ansible", "roles", index], role);
                }
            }
            Some(Ansible::Playbook(_)) | None => {}
        }
    }
}

/// The path is made only where something is found: a lab has thousands of texts.
fn text_in(report: &mut Report, path: &dyn Fn() -> Path, value: &serde_json::Value) {
    use serde_json::Value;
    match value {
        Value::String(text) if has_control(text) => report.error(path(), control(text)),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                text_in(report, &|| path().then(index), item);
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                if has_control(name) {
                    report.error(path().then(name).key(), control(name));
                }
                text_in(report, &|| path().then(name), value);
            }
        }
        _ => {}
    }
}

fn has_control(text: &str) -> bool {
    text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t' | '\r'))
}

fn control(text: &str) -> String {
    let found = text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\t' | '\r')).unwrap_or_default();
    format!("the text has the control character U+{:04X}, which cannot reach a machine unharmed; take it out", found as u32)
}

fn image_of<'a>(report: &Report<'a>, spec: &'a MachineSpec) -> Option<(&'a String, &'a ImageFacts)> {
    let images: &'a BTreeMap<String, ImageFacts> = report.surroundings.images.as_ref()?;
    images.get_key_value(spec.image.as_ref().or(report.lab.defaults.image.as_ref())?)
}
