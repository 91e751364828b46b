//! cloud-config that cloud-init would refuse, or silently ignore, found before a machine boots with it.

use std::{collections::BTreeSet, sync::LazyLock};

use jsonschema::Validator;
use serde_json::{Map, Value};

use super::{
    Report,
    mismatch::{Complaint, Mismatch, all_of, mismatches, nearest, one_of, shorten, what_is},
    path::{Path, Step, at},
};

/// cloud-init's own schema; `schemas/README.md` says where it is from.
static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../schemas/cloud-config.json")).expect("the schema is JSON, and a test reads it")
});

static VALIDATOR: LazyLock<Validator> =
    LazyLock::new(|| jsonschema::validator_for(&SCHEMA).expect("the schema is valid, and a test compiles it"));

/// Keys that cloud-init reads and its schema leaves out.
const BEYOND_THE_SCHEMA: [&str; 21] = [
    "cloud_config_modules",
    "cloud_final_modules",
    "cloud_init_modules",
    "datasource",
    "datasource_list",
    "debug",
    "def_log_file",
    "disable_root",
    "disable_root_opts",
    "log_cfgs",
    "manual_cache_clean",
    "merge_how",
    "merge_type",
    "output",
    "preserve_hostname",
    "reporting",
    "resize_rootfs",
    "ssh_svcname",
    "stages",
    "system_info",
    "vendor_data",
];

/// Every key that a module of cloud-init reads.
static KEYS: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let modules = SCHEMA["allOf"].as_array().into_iter().flatten();
    let modules = modules.filter_map(|module| SCHEMA.pointer(module["$ref"].as_str()?.trim_start_matches('#')));
    let keys = modules.filter_map(|module| module["properties"].as_object()).flat_map(|keys| keys.keys().cloned());
    keys.chain(BEYOND_THE_SCHEMA.map(str::to_owned)).collect()
});

pub(super) fn fits_its_schema(report: &mut Report) {
    for (name, spec) in report.specs() {
        if spec.cloud_config.is_empty() {
            continue;
        }
        let base = at!["machines", name, "cloud_config"];
        for key in spec.cloud_config.keys().filter(|key| !KEYS.contains(*key)) {
            let shown = shorten(key);
            let message = match nearest(key, KEYS.iter().map(String::as_str)) {
                Some(near) => format!("cloud-init has no module that reads `{shown}`, did you mean `{near}`?"),
                None => format!("cloud-init has no module that reads `{shown}`, and ignores it; leave it out"),
            };
            report.warning(base.then(key).key(), message);
        }
        let config = Value::Object(spec.cloud_config.clone());
        if VALIDATOR.is_valid(&config) {
            continue;
        }
        for Mismatch { path, complaint } in mismatches(&VALIDATOR, &SCHEMA, &config) {
            let message = sentence(&config, &path, &complaint);
            let mut steps = base.steps.clone();
            steps.extend(path.steps);
            report.error(Path { steps, on_key: path.on_key }, message);
        }
    }
}

/// We log in with the account that we make, at the host key that we made.
pub(super) fn leaves_our_way_in(report: &mut Report) {
    for (name, spec) in report.specs() {
        let base = at!["machines", name, "cloud_config"];
        // What is none of these, cloud-init does not take either.
        if let Some(users @ (Value::String(_) | Value::Object(_))) = spec.cloud_config.get("users") {
            let message = format!(
                "`users` is {}, which would replace the account that we log in with; write a list, and ours is joined in front",
                what_is(users)
            );
            report.error(base.then("users"), message);
        }
        let keys = spec.cloud_config.get("ssh_keys").and_then(Value::as_object);
        for key in keys.into_iter().flat_map(|keys| keys.keys()).filter(|key| key.starts_with("ed25519_")) {
            let message = format!(
                "`{}` would replace the machine's host key, which is made for it and checked at every login; leave it out",
                shorten(key)
            );
            report.error(base.then("ssh_keys").then(key).key(), message);
        }
    }
}

/// What goes to the image's own account does nothing: the list of users that we give leaves it out.
pub(super) fn is_for_somebody(report: &mut Report) {
    for (name, spec) in report.specs().filter(|(_, spec)| !makes_default_user(&spec.cloud_config)) {
        for (key, remedy) in [
            ("password", "write `chpasswd: { users: [ … ] }`"),
            ("ssh_authorized_keys", "write `ssh_keys` of the machine"),
            ("ssh_import_id", "write it into an entry of `users`"),
        ] {
            if spec.cloud_config.contains_key(key) {
                let message =
                    format!("`{key}` is for the image's own account, which is not made where we make another; {remedy}");
                report.warning(at!["machines", name, "cloud_config", key].key(), message);
            }
        }
    }
}

fn makes_default_user(config: &Map<String, Value>) -> bool {
    let is_default = |user: &Value| match user {
        Value::String(names) => names.split(',').any(|name| name.trim() == "default"),
        Value::Object(fields) => fields.get("name").is_none_or(|name| name == "default"),
        _ => false,
    };
    config.contains_key("user")
        || config.get("users").and_then(Value::as_array).is_some_and(|users| users.iter().any(is_default))
}

fn sentence(config: &Value, path: &Path, complaint: &Complaint) -> String {
    let value = path.steps.iter().try_fold(config, |value, step| match step {
        Step::Key(name) => value.get(name),
        Step::Index(index) => value.get(*index),
    });
    let what = what_is(value.unwrap_or(&Value::Null));
    let label = match path.steps.as_slice() {
        [] => "cloud_config".to_owned(),
        [.., Step::Key(list), Step::Index(index)] => format!("item {} of `{list}`", index + 1),
        [.., Step::Key(name)] => format!("`{name}`"),
        [.., Step::Index(index)] => format!("item {}", index + 1),
    };
    match complaint {
        Complaint::Unknown { field, known } => match nearest(field, known.iter().map(String::as_str)) {
            Some(near) => format!("cloud-init knows no `{}` here, did you mean `{near}`?", shorten(field)),
            None if known.is_empty() => format!("cloud-init knows no `{}` here; leave it out", shorten(field)),
            None => {
                format!("cloud-init knows no `{}` here; it reads {}", shorten(field), all_of(known.iter().map(String::as_str)))
            }
        },
        Complaint::Missing { field } => format!("cloud-init needs `{field}` here; add it"),
        Complaint::Type { types } => format!("{label} is {what}, and cloud-init takes {}", types_in_words(types)),
        Complaint::Choice { options } => {
            let words: Vec<String> =
                options.iter().map(|option| option.as_str().map_or_else(|| option.to_string(), str::to_owned)).collect();
            match value.and_then(Value::as_str).and_then(|text| nearest(text, words.iter().map(String::as_str))) {
                Some(near) => format!("{label} is {what}, did you mean `{near}`?"),
                None => format!("{label} is {what}, and cloud-init takes {}", one_of(words.iter().map(String::as_str))),
            }
        }
        Complaint::TooSmall { limit } => format!("{label} is {what}, and cloud-init takes {limit} or more"),
        Complaint::TooLarge { limit } => format!("{label} is {what}, and cloud-init takes {limit} or less"),
        Complaint::Form { pattern } => format!("{label} is {what}, and cloud-init takes text of the form `{pattern}`"),
        Complaint::Length if matches!(value, Some(Value::Array(items)) if items.is_empty()) => {
            format!("{label} is an empty list; add an item, or leave it out")
        }
        Complaint::Length if matches!(value, Some(Value::Object(fields)) if fields.is_empty()) => {
            format!("{label} is an empty mapping; add a field, or leave it out")
        }
        Complaint::Length => {
            format!("{label} has too few or too many entries for cloud-init; see its documentation of `{}`", first(path))
        }
        Complaint::Twice => format!("{label} has an entry twice; keep one"),
        Complaint::Name { name } => format!("cloud-init takes no `{}` as a name here", shorten(name)),
        Complaint::Other => {
            format!("{label} is {what}, which cloud-init does not take; see its documentation of `{}`", first(path))
        }
    }
}

fn first(path: &Path) -> &str {
    match path.steps.first() {
        Some(Step::Key(name)) => name,
        _ => "cloud-config",
    }
}

fn types_in_words(types: &[String]) -> String {
    // `true` or `false` comes last, as it has an "or" of its own.
    let (flags, others): (Vec<&String>, Vec<&String>) = types.iter().partition(|name| *name == "boolean");
    let words: Vec<&str> = others
        .into_iter()
        .chain(flags)
        .filter(|name| name.as_str() != "null" || types.len() == 1)
        .map(|name| match name.as_str() {
            "string" => "text",
            "boolean" => "`true` or `false`",
            "integer" => "a whole number",
            "number" => "a number",
            "array" => "a list",
            "object" => "a mapping",
            _ => "nothing",
        })
        .collect();
    match words.split_last() {
        None => "something else".to_owned(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) if last.contains(" or ") => format!("{}, {last}", others.join(", ")),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
    }
}
