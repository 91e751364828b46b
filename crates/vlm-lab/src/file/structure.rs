//! From a tree to a [`Lab`]: what does not fit the schema becomes a sentence and is taken out of the tree, and the rest is read.

use std::{
    collections::{BTreeMap, BTreeSet},
    str::FromStr,
    sync::LazyLock,
};

use ipnet::Ipv4Net;
use jsonschema::Validator;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    Place, SCHEMA,
    yaml::{self, Inside, Reading, Spot},
};
use crate::{
    model::{FixedAddress, Lab, Mac, Size, VERSION},
    problems::{
        Problem, Severity,
        mismatch::{Complaint, all_of, mismatches, nearest, one_of, shorten, what_is},
        path::{Path, Step, at},
    },
};

static VALIDATOR: LazyLock<Validator> =
    LazyLock::new(|| jsonschema::validator_for(&SCHEMA).expect("the schema is generated, and a test compiles it"));

/// A lab file as far as it could be read.
pub(super) struct Read {
    pub lab: Option<Lab>,
    pub spot: Option<Spot>,
    pub unread: Unread,
    pub problems: Vec<Problem>,
    /// Whether enough of it was there to say what it means.
    pub is_whole: bool,
}

/// What the file says and the lab lacks, because it does not fit.
#[derive(Debug, Default)]
pub(crate) struct Unread(BTreeSet<Vec<Step>>);

impl Unread {
    /// Whether `path`, or something above it, was left out: then nothing more is to be said about it.
    pub fn covers(&self, path: &Path) -> bool {
        (1..=path.steps.len()).any(|length| self.0.contains(&path.steps[..length]))
    }

    /// Whether something in `path` was left out: then one cannot say that it lacks something.
    pub fn touches(&self, path: &Path) -> bool {
        let below = self.0.range(path.steps.clone()..).next();
        self.covers(path) || below.is_some_and(|found| found.starts_with(&path.steps))
    }
}

pub(super) fn read(text: &str) -> Read {
    let mut read = Read { lab: None, spot: None, unread: Unread::default(), problems: Vec::new(), is_whole: false };
    let document = match yaml::load(text, Reading::Lab) {
        Ok(document) => document,
        Err(slip) => {
            read.problems.push(problem(slip.path, slip.place, slip.message));
            return read;
        }
    };
    let start = Place { line: 1, column: 1 };
    let mut value = match document.value {
        Value::Object(fields) => Value::Object(fields),
        Value::Null => {
            let message = "the file is empty; start with `version: 1` and `name: my-lab`".to_owned();
            read.problems.push(problem(Path::default(), start, message));
            return read;
        }
        other => {
            let message = format!(
                "the file holds {}; a lab is a mapping that starts with `version: 1` and `name: my-lab`",
                what_is(&other)
            );
            read.problems.push(problem(Path::default(), document.spot.place, message));
            return read;
        }
    };
    let mut spot = document.spot;
    if let Some(version) = value["version"].as_u64().filter(|version| *version > VERSION.into()) {
        let message =
            format!("the lab file has version {version}, and this program reads version {VERSION}; update the program");
        read.problems.push(problem(at!["version"], spot.find(&at!["version"]).0, message));
        return read;
    }
    read.problems.extend(document.slips.into_iter().map(|slip| problem(slip.path, slip.place, slip.message)));

    for pass in [wrong_texts, wrong_parts] {
        let wrong = pass(&value);
        read.unread.0.extend(wrong.iter().filter_map(|wrong| wrong.meant.clone()));
        for wrong in wrong {
            // What was there and made no sense, or was there under another name, is not missing.
            let is_told = wrong.is_missing && read.unread.covers(&wrong.path);
            let place = spot.find(&wrong.path).0;
            read.unread.0.insert(goes_with(&wrong.path).to_vec());
            if !is_told {
                read.problems.push(problem(wrong.path, place, wrong.message));
            }
        }
        let mut cut = Cut::default();
        read.unread.0.iter().for_each(|path| cut.add(path));
        cut.apply(&mut value, &mut spot, "");
    }
    let fields = value.as_object_mut().expect("it was matched above, and nothing takes out the whole");
    fields.entry("version").or_insert(VERSION.into());
    fields.entry("name").or_insert("".into());
    read.is_whole = !["networks", "machines"].into_iter().any(|section| read.unread.0.contains(&at![section].steps));
    read.lab = Lab::deserialize(value).ok();
    if read.lab.is_none() && read.problems.is_empty() {
        let message = "the lab cannot be read, and no part of it shows why; this is a mistake in the program".to_owned();
        read.problems.push(problem(Path::default(), start, message));
    }
    read.spot = Some(spot);
    read
}

fn problem(path: Path, place: Place, message: String) -> Problem {
    Problem { path: path.to_string(), place: Some(place), severity: Severity::Error, message }
}

struct Wrong {
    path: Path,
    message: String,
    is_missing: bool,
    /// The field that an unknown one was most likely meant to be.
    meant: Option<Vec<Step>>,
}

impl Wrong {
    fn new(path: Path, message: String) -> Wrong {
        Wrong { path, message, is_missing: false, meant: None }
    }
}

/// What has to mean something and does not: of text, the schema knows only roughly what it looks like, and to it 2.0 is an
/// integer.
fn wrong_texts(lab: &Value) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    let mut look = |path: Path, value: Option<&Value>, fits: fn(&Value) -> bool| {
        if let Some(value) = value.filter(|value| !fits(value)) {
            let message = sentence(&path, value);
            wrong.push(Wrong::new(path, message));
        }
    };
    let is_size = |value: &Value| reads::<Size>(value);
    look(at!["version"], lab.get("version"), |value| value.as_u64() == Some(VERSION.into()));
    look(at!["defaults", "vcpus"], lab["defaults"].get("vcpus"), is_no_fraction);
    for field in ["memory", "disk"] {
        look(at!["defaults", field], lab["defaults"].get(field), is_size);
    }
    for (name, network) in fields(&lab["networks"]) {
        look(at!["networks", name, "cidr"], network.get("cidr"), reads::<Ipv4Net>);
    }
    for (name, machine) in fields(&lab["machines"]) {
        for (field, fits) in [
            ("vcpus", is_no_fraction as fn(&Value) -> bool),
            ("replicas", is_no_fraction),
            ("memory", is_size),
            ("disk", is_size),
        ] {
            look(at!["machines", name, field], machine.get(field), fits);
        }
        for (disk, size) in fields(&machine["disks"]) {
            look(at!["machines", name, "disks", disk], Some(size), is_size);
        }
        for (index, nic) in machine["nics"].as_array().into_iter().flatten().enumerate() {
            look(at!["machines", name, "nics", index, "address"], nic.get("address"), reads::<FixedAddress>);
            look(at!["machines", name, "nics", index, "mac"], nic.get("mac"), reads::<Mac>);
        }
        for (port, guest) in fields(&machine["ports"]) {
            let is_port = port.bytes().all(|b| b.is_ascii_digit()) && !port.starts_with('0') && port.parse::<u16>().is_ok();
            match is_port {
                true => look(at!["machines", name, "ports", port], Some(guest), is_no_fraction),
                false => look(at!["machines", name, "ports", port].key(), Some(&Value::String(port.clone())), |_| false),
            }
        }
    }
    wrong
}

/// Whether a text means a `T`. What is no text is the schema's business.
fn reads<T: FromStr>(value: &Value) -> bool {
    value.as_str().is_none_or(|text| text.parse::<T>().is_ok())
}

fn is_no_fraction(value: &Value) -> bool {
    !value.is_f64()
}

/// What has to be taken out with the part at `path`, because it cannot do without it.
fn goes_with(path: &Path) -> &[Step] {
    match &keys(path)[..] {
        ["machines", _, "nics", "#", "network"] | ["machines", _, "ansible", "roles"] => &path.steps[..path.steps.len() - 1],
        _ => &path.steps,
    }
}

fn fields(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// What does not fit the schema.
fn wrong_parts(lab: &Value) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    for mismatch in mismatches(&VALIDATOR, &SCHEMA, lab) {
        // A rule says better what is wrong with the text of a name.
        if let (["name"], Complaint::Form { .. }) = (&keys(&mismatch.path)[..], &mismatch.complaint) {
            continue;
        }
        let message = match &mismatch.complaint {
            Complaint::Unknown { field, known } => {
                let meant = meant(field, known);
                let message = match meant {
                    Some(meant) => format!("unknown field `{field}`, did you mean `{meant}`?"),
                    None => format!("unknown field `{field}`; fields here are {}", all_of(known.iter().map(String::as_str))),
                };
                let steps = &mismatch.path.steps;
                let meant = meant.map(|meant| [&steps[..steps.len() - 1], &[meant.into()]].concat());
                wrong.push(Wrong { meant, ..Wrong::new(mismatch.path, message) });
                continue;
            }
            Complaint::Missing { field } => format!("`{field}` is missing; write {}", expected(&mismatch.path)),
            Complaint::Choice { options } => {
                let options: Vec<&str> = options.iter().filter_map(Value::as_str).collect();
                let value = get(lab, &mismatch.path).unwrap_or(&Value::Null);
                match value.as_str().and_then(|text| nearest(text, options.iter().copied())) {
                    Some(option) => format!("{} is {}, did you mean `{option}`?", label(&mismatch.path), what_is(value)),
                    None if options.is_empty() => sentence(&mismatch.path, value),
                    None => format!("{} is {}; write {}", label(&mismatch.path), what_is(value), one_of(options)),
                }
            }
            Complaint::Type { .. }
            | Complaint::TooSmall { .. }
            | Complaint::TooLarge { .. }
            | Complaint::Form { .. }
            | Complaint::Length
            | Complaint::Twice
            | Complaint::Name { .. }
            | Complaint::Other => sentence(&mismatch.path, get(lab, &mismatch.path).unwrap_or(&Value::Null)),
        };
        let is_missing = matches!(mismatch.complaint, Complaint::Missing { .. });
        wrong.push(Wrong { is_missing, ..Wrong::new(mismatch.path, message) });
    }
    wrong
}

/// What to take out, as a tree: in one walk, however much it is.
#[derive(Default)]
struct Cut {
    is_whole: bool,
    below: BTreeMap<Step, Cut>,
}

impl Cut {
    fn add(&mut self, path: &[Step]) {
        match path.split_first() {
            Some((step, rest)) => self.below.entry(step.clone()).or_default().add(rest),
            None => self.is_whole = true,
        }
    }

    fn apply(&self, value: &mut Value, spot: &mut Spot, section: &str) {
        let is_out = |step: Step| self.below.get(&step).is_some_and(|cut| cut.is_whole);
        match (value, &mut spot.inside) {
            (Value::Object(fields), Inside::Map(spots)) => {
                for (name, _, spot) in spots.iter_mut() {
                    let (Some(cut), Some(value)) = (self.below.get(&Step::from(&*name)), fields.get_mut(name)) else {
                        continue;
                    };
                    // A machine that cannot be read is still there for those that depend on it.
                    match cut.is_whole && (section == "machines" || section == "networks") {
                        true => *value = Value::Object(Map::new()),
                        false => cut.apply(value, spot, if section.is_empty() { name } else { "-" }),
                    }
                }
                if section != "machines" && section != "networks" {
                    fields.retain(|name, _| !is_out(name.into()));
                    spots.retain(|(name, ..)| !is_out(name.into()));
                }
            }
            (Value::Array(items), Inside::List(spots)) => {
                for (index, (item, (_, spot))) in items.iter_mut().zip(spots.iter_mut()).enumerate() {
                    if let Some(cut) = self.below.get(&Step::Index(index)) {
                        cut.apply(item, spot, "-");
                    }
                }
                let mut index = 0..;
                items.retain(|_| !is_out(Step::Index(index.next().unwrap_or_default())));
                let mut index = 0..;
                spots.retain(|_| !is_out(Step::Index(index.next().unwrap_or_default())));
            }
            _ => {}
        }
    }
}

fn get<'a>(value: &'a Value, path: &Path) -> Option<&'a Value> {
    path.steps.iter().try_fold(value, |value, step| match step {
        Step::Key(name) => value.get(name),
        Step::Index(index) => value.get(*index),
    })
}

/// What people call a field elsewhere, and what it is called here.
const HABITS: [(&str, &str); 24] = [
    ("mem", "memory"),
    ("ram", "memory"),
    ("cpu", "vcpus"),
    ("cpus", "vcpus"),
    ("vcpu", "vcpus"),
    ("cores", "vcpus"),
    ("subnet", "cidr"),
    ("type", "mode"),
    ("kind", "mode"),
    ("forward", "mode"),
    ("ip", "address"),
    ("ipv4", "address"),
    ("addr", "address"),
    ("networks", "nics"),
    ("interfaces", "nics"),
    ("count", "replicas"),
    ("scale", "replicas"),
    ("size", "disk"),
    ("volumes", "disks"),
    ("user_data", "cloud_config"),
    ("tasks", "ansible"),
    ("playbook", "ansible"),
    ("vms", "machines"),
    ("nodes", "machines"),
];

/// The known field that `field` was most likely meant to be.
fn meant<'a>(field: &str, known: &'a [String]) -> Option<&'a str> {
    let known = || known.iter().map(String::as_str);
    // `cloud-config` and `cloud_config` are one word to people.
    let same = field.replace('-', "_").to_lowercase();
    let habit = HABITS.iter().find(|(theirs, _)| *theirs == same).map(|(_, ours)| *ours);
    known().find(|name| *name == same).or_else(|| known().find(|name| Some(*name) == habit)).or_else(|| nearest(field, known()))
}

/// "`memory` is the number 512; write a size with its unit, such as `512 MiB`"
fn sentence(path: &Path, value: &Value) -> String {
    if let (["machines", _, "ports", port], true) = (&keys(path)[..], path.on_key) {
        return format!("`{}` is no TCP port of this computer; write a number from 1 to 65535", shorten(port));
    }
    let (label, what) = (label(path), what_is(value));
    match guess(path, value) {
        Some(guess) if value.as_str() == Some(&guess) => format!("{label} is {what}; write {guess} without quotes"),
        Some(guess) => format!("{label} is {what}, did you mean `{guess}`?"),
        None => format!("{label} is {what}; write {}", expected(path)),
    }
}

fn label(path: &Path) -> String {
    match &keys(path)[..] {
        ["machines", name] => format!("machine `{name}`"),
        ["networks", name] => format!("network `{name}`"),
        ["machines", _, "disks", name] => format!("disk `{name}`"),
        ["machines", _, "ports", name] => format!("port `{name}`"),
        [.., list, "#"] => match path.steps.last() {
            Some(Step::Index(index)) if *list == "ansible" => format!("task {}", index + 1),
            Some(Step::Index(index)) => format!("item {} of `{list}`", index + 1),
            _ => format!("`{list}`"),
        },
        [.., name] => format!("`{name}`"),
        [] => "the file".to_owned(),
    }
}

/// Steps as text, with `#` for every index.
fn keys(path: &Path) -> Vec<&str> {
    path.steps
        .iter()
        .map(|step| match step {
            Step::Key(name) => name.as_str(),
            Step::Index(_) => "#",
        })
        .collect()
}

/// The right way to say what the author most likely meant.
fn guess(path: &Path, value: &Value) -> Option<String> {
    let keys = keys(path);
    match (&keys[..], value) {
        (["version"], _) => None,
        ([.., "memory" | "disk"] | [_, _, "disks", _], Value::Number(number)) => {
            let number = number.as_u64()?;
            let unit = if keys.last() == Some(&"memory") && number >= 64 { "MiB" } else { "GiB" };
            (1..=16384).contains(&number).then(|| format!("{number} {unit}"))
        }
        ([.., "memory" | "disk"] | [_, _, "disks", _], Value::String(text)) => {
            let split = text.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
            let unit = match text[split..].trim().to_lowercase().as_str() {
                "k" | "kb" | "ki" | "kib" => "KiB",
                "m" | "mb" | "mi" | "mib" => "MiB",
                "g" | "gb" | "gi" | "gib" => "GiB",
                "t" | "tb" | "ti" | "tib" => "TiB",
                _ => return None,
            };
            let guess = format!("{} {unit}", &text[..split]);
            guess.parse::<Size>().is_ok().then_some(guess)
        }
        ([.., "dhcp"], Value::String(text)) => match text.to_lowercase().as_str() {
            "yes" | "on" | "y" | "true" => Some("true".to_owned()),
            "no" | "off" | "n" | "false" => Some("false".to_owned()),
            _ => None,
        },
        (_, Value::String(text)) if matches!(&keys[..], [.., "vcpus" | "replicas"] | [_, _, "ports", _]) => {
            text.parse::<u16>().ok().filter(|number| *number > 0).map(|number| number.to_string())
        }
        _ => None,
    }
}

/// What belongs at `path`, as it goes on after "write".
fn expected(path: &Path) -> &'static str {
    match &keys(path)[..] {
        ["version"] => "`version: 1`",
        ["name"] => "a name for the lab, such as `name: my-lab`",
        [.., "description"] => "text",
        ["host"] | ["machines", _, "host"] => "the name of a host, such as `local`",
        ["acceleration"] => "`auto`, `kvm` or `tcg`",
        ["defaults"] => "a mapping, such as `{ image: debian-12, memory: 512 MiB }`",
        ["networks"] => "a mapping from names to networks, such as `{ lan: { cidr: 10.77.1.0/24 } }`",
        ["networks", _] => "a mapping, such as `{ cidr: 10.77.1.0/24 }`",
        ["networks", _, "mode"] => "`nat`, `isolated`, `routed` or `bridge`",
        ["networks", _, "cidr"] => "an IPv4 subnet with its prefix length, such as `10.77.1.0/24`",
        ["networks", _, "dhcp"] => "`true` or `false`",
        ["networks", _, "domain"] => "a DNS domain, such as `corp.lab`",
        ["networks", _, "bridge"] => "the name of a bridge of the host, such as `br0`",
        ["machines"] => "a mapping from names to machines, such as `{ web: { image: debian-12 } }`",
        ["machines", _] => "a mapping, such as `{ image: debian-12 }`, or `{}` for a machine of defaults only",
        ["machines", _, "replicas"] => "a whole number from 1 to 1000",
        [.., "image"] => "the name of an image, such as `debian-12`",
        [.., "vcpus"] => "a whole number from 1 to 255",
        [.., "memory"] => "a size with its unit, such as `512 MiB`",
        [.., "disk"] | ["machines", _, "disks", _] => "a size with its unit, such as `4 GiB`",
        ["machines", _, "disks"] => "a mapping from names to sizes, such as `{ data: 10 GiB }`",
        ["machines", _, "nics"] => "a list of networks, such as `[ lan ]`",
        ["machines", _, "nics", "#"] => "the name of a network, or a mapping such as `{ network: lan, address: 10.77.1.10 }`",
        ["machines", _, "nics", "#", "network"] => "the name of a network, such as `network: lan`",
        ["machines", _, "nics", "#", "address"] => {
            "an IPv4 address, such as `10.77.1.10`, or `10.77.1.10+` for replicas to count up from"
        }
        ["machines", _, "nics", "#", "mac"] => "six pairs of hex digits, such as `52:54:00:12:34:56`",
        [.., "firmware"] => "`bios` or `uefi`",
        [.., "user"] => "the name of an account, such as `lab`",
        [.., "ssh_keys"] => "a list of public keys, such as `[ ssh-ed25519 AAAA… me@home ]`",
        [.., "ssh_keys", "#"] => "a public key on one line, such as `ssh-ed25519 AAAA… me@home`",
        ["machines", _, "packages"] => "a list of names, such as `[ nginx, curl ]`",
        ["machines", _, "packages", "#"] => "the name of a package, such as `nginx`",
        ["machines", _, "cloud_config"] => "a mapping, such as `{ timezone: Europe/Paris }`",
        ["machines", _, "ansible"] => "a list of tasks, the path of a playbook, or `{ roles: [ web ] }`",
        ["machines", _, "ansible", "#"] => "a mapping, such as `{ apt: { name: nginx } }`",
        ["machines", _, "ansible", "roles"] => "a list of roles, such as `roles: [ web ]`",
        ["machines", _, "ansible", "path"] => "the path of a folder beside the lab file, such as `roles`",
        ["machines", _, "depends_on"] => "a list of machines, such as `[ db ]`",
        ["machines", _, "depends_on", "#"] => "the name of a machine, such as `db`",
        ["machines", _, "ports"] => "a mapping from this computer's ports to the machine's, such as `{ \"8080\": 80 }`",
        ["machines", _, "ports", _] => "a port of the machine, a whole number from 1 to 65535",
        _ => "something else",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every field of the schema, with `*` for a name and a first item for a list.
    fn places(schema: &Value, part: &Value, path: Path, found: &mut Vec<Path>) {
        found.push(path.clone());
        let target = part.get("$ref").and_then(Value::as_str).and_then(|name| schema.pointer(name.trim_start_matches('#')));
        for part in [Some(part), target].into_iter().flatten() {
            for (name, part) in fields(&part["properties"]) {
                places(schema, part, path.then(name), found);
            }
            for form in ["anyOf", "oneOf"].into_iter().flat_map(|key| part[key].as_array()).flatten() {
                places(schema, form, path.clone(), found);
            }
            if part["additionalProperties"].is_object() {
                places(schema, &part["additionalProperties"], path.then("*"), found);
            }
            if part["items"].is_object() {
                places(schema, &part["items"], path.then(0), found);
            }
        }
    }

    #[test]
    fn every_field_says_what_it_expects() {
        let mut found = Vec::new();
        places(&SCHEMA, &SCHEMA, Path::default(), &mut found);
        assert!(found.len() > 40, "{found:?}");
        let silent = |path: &&Path| {
            expected(path) == "something else"
                && !path.steps.is_empty()
                && keys(path) != ["machines", "*", "ansible", "roles", "#"]
        };
        assert_eq!(found.iter().filter(silent).map(Path::to_string).collect::<Vec<_>>(), Vec::<String>::new());
    }
}
