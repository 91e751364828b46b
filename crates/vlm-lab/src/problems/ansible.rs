//! Ansible that is none: tasks without a module, playbooks that are no plays, paths that lead out of the lab's folder.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{
    Report,
    mismatch::{all_of, nearest, shorten, what_is},
    path::{Path, at},
};
use crate::{
    file::yaml::{self, Reading},
    model::{Ansible, AnsibleRoles},
    render::ansible::is_plain_path,
};

/// What a task may say beside its module.
const TASK_KEYWORDS: [&str; 41] = [
    "any_errors_fatal",
    "args",
    "async",
    "become",
    "become_exe",
    "become_flags",
    "become_method",
    "become_user",
    "changed_when",
    "check_mode",
    "collections",
    "connection",
    "debugger",
    "delay",
    "delegate_facts",
    "delegate_to",
    "diff",
    "environment",
    "failed_when",
    "ignore_errors",
    "ignore_unreachable",
    "loop",
    "loop_control",
    "module_defaults",
    "name",
    "no_log",
    "notify",
    "poll",
    "port",
    "register",
    "remote_user",
    "retries",
    "run_once",
    "tags",
    "throttle",
    "timeout",
    "until",
    "vars",
    "when",
    "rescue",
    "always",
];

/// What only a play says.
const PLAY_KEYWORDS: [&str; 12] = [
    "hosts",
    "tasks",
    "roles",
    "pre_tasks",
    "post_tasks",
    "handlers",
    "gather_facts",
    "vars_files",
    "vars_prompt",
    "serial",
    "strategy",
    "import_playbook",
];

/// Modules that people write often, to tell a misspelt one from a misspelt keyword.
const COMMON_MODULES: [&str; 30] = [
    "apt",
    "apt_key",
    "apt_repository",
    "assert",
    "command",
    "copy",
    "cron",
    "debug",
    "dnf",
    "fail",
    "fetch",
    "file",
    "get_url",
    "git",
    "group",
    "hostname",
    "import_tasks",
    "include_role",
    "include_tasks",
    "lineinfile",
    "package",
    "pip",
    "reboot",
    "service",
    "set_fact",
    "shell",
    "systemd",
    "template",
    "user",
    "wait_for",
];

pub(super) fn tasks_are_tasks(report: &mut Report) {
    for (name, spec) in report.specs() {
        let Some(Ansible::Tasks(list)) = &spec.ansible else { continue };
        let path = at!["machines", name, "ansible"];
        if list.is_empty() && !report.unread.touches(&path) {
            report.warning(path, format!("machine `{name}` has an empty list of tasks; add one, or leave `ansible` out"));
            continue;
        }
        for (index, fields) in list.iter().enumerate() {
            task(report, path.then(index), index, fields);
        }
    }
}

fn task(report: &mut Report, path: Path, index: usize, fields: &Map<String, Value>) {
    let what = match fields.get("name").and_then(Value::as_str) {
        Some(name) => format!("task `{}`", shorten(name)),
        None => format!("task {}", index + 1),
    };
    if let Some(keyword) = PLAY_KEYWORDS.iter().find(|keyword| fields.contains_key(**keyword)) {
        let message = format!(
            "{what} is a play, as it has `{keyword}`; write only its tasks here, or put it into a file and write `ansible: playbook.yml`"
        );
        report.error(path.then(*keyword).key(), message);
        return;
    }
    let is_block = fields.contains_key("block");
    for part in ["block", "rescue", "always"] {
        let Some(value) = fields.get(part) else { continue };
        let path = path.then(part);
        match value {
            _ if !is_block => {
                report.error(path.key(), format!("{what} has `{part}` and no `block`; add the block that it belongs to"))
            }
            Value::Array(list) => {
                for (index, inner) in list.iter().enumerate() {
                    match inner {
                        Value::Object(fields) => task(report, path.then(index), index, fields),
                        other => report.error(
                            path.then(index),
                            format!(
                                "task {} of `{part}` is {}; write a mapping such as `{{ apt: {{ name: nginx }} }}`",
                                index + 1,
                                what_is(other)
                            ),
                        ),
                    }
                }
            }
            other => report.error(path, format!("`{part}` of {what} is {}; write a list of tasks", what_is(other))),
        }
    }
    // `listen` is a handler's, which is told elsewhere.
    let is_keyword = |key: &str| TASK_KEYWORDS.contains(&key) || key.starts_with("with_") || matches!(key, "block" | "listen");
    let modules: Vec<&str> = fields.keys().map(String::as_str).filter(|key| !is_keyword(key)).collect();
    if let Some(module) = modules.iter().find(|module| !is_module(module)) {
        let message = match nearest(module, TASK_KEYWORDS) {
            Some(near) => {
                format!("{what} has `{}`, which is neither a module nor a keyword, did you mean `{near}`?", shorten(module))
            }
            None => format!(
                "{what} has `{}`, which is neither a module nor a keyword; write the name of a module, such as `apt`",
                shorten(module)
            ),
        };
        report.error(path.then(*module).key(), message);
        return;
    }
    match modules.as_slice() {
        [] if is_block || fields.contains_key("rescue") || fields.contains_key("always") => {}
        [] if fields.is_empty() => {
            report.error(path, format!("{what} is empty; write a module, such as `apt: {{ name: nginx }}`"))
        }
        [] => {
            let keywords = all_of(fields.keys().map(String::as_str));
            report.error(path, format!("{what} has no module, only {keywords}; add one, such as `apt: {{ name: nginx }}`"));
        }
        [_] if !is_block => {}
        several => {
            // The one that looks like a keyword, and is no module that we know, is a slip of the pen.
            let slip = several.iter().find_map(|key| {
                let near = nearest(key, TASK_KEYWORDS).filter(|_| !COMMON_MODULES.contains(key))?;
                Some((key, near))
            });
            match slip {
                Some((key, near)) => report.error(
                    path.then(*key).key(),
                    format!("{what} has `{key}`, which is no keyword of a task, did you mean `{near}`?"),
                ),
                None if is_block => {
                    let message = format!("{what} has `block` and the module `{}`; put it into the block", several[0]);
                    report.error(path.then(several[0]).key(), message);
                }
                None => {
                    let message = format!(
                        "{what} has the modules {}; a task runs one, so make each a task of its own",
                        all_of(several.iter().copied())
                    );
                    report.error(path.then(several[1]).key(), message);
                }
            }
        }
    }
}

/// A list of tasks has no handlers, unless it brings a role that has some.
pub(super) fn handlers_are_there(report: &mut Report) {
    for (name, spec) in report.specs() {
        let Some(Ansible::Tasks(list)) = &spec.ansible else { continue };
        let mut tasks = Vec::new();
        for (index, task) in list.iter().enumerate() {
            with_inner(at!["machines", name, "ansible", index], task, &mut tasks);
        }
        let is_role = |key: &String| matches!(key.rsplit('.').next(), Some("include_role" | "import_role"));
        let has_role = tasks.iter().any(|(_, task)| task.keys().any(is_role));
        for (path, task) in tasks {
            if task.contains_key("listen") {
                let message = "`listen` is a handler's, and this is a task; handlers need a playbook file, such as `ansible: playbooks/web.yml`";
                report.error(path.then("listen").key(), message.to_owned());
            }
            if task.contains_key("notify") && !has_role {
                let message =
                    "`notify` finds no handler here; handlers need a playbook file, such as `ansible: playbooks/web.yml`";
                report.error(path.then("notify").key(), message.to_owned());
            }
        }
    }
}

/// The task at `path`, and those of its block.
fn with_inner<'a>(path: Path, task: &'a Map<String, Value>, found: &mut Vec<(Path, &'a Map<String, Value>)>) {
    for part in ["block", "rescue", "always"] {
        for (index, inner) in task.get(part).and_then(Value::as_array).into_iter().flatten().enumerate() {
            if let Value::Object(inner) = inner {
                with_inner(path.then(part).then(index), inner, found);
            }
        }
    }
    found.push((path, task));
}

/// `apt`, `ansible.builtin.apt`.
fn is_module(key: &str) -> bool {
    key.split('.').all(|part| {
        part.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
            && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    })
}

pub(super) fn playbooks_are_plays(report: &mut Report) {
    let mut known: HashMap<&str, Option<String>> = HashMap::new();
    for (name, spec) in report.specs() {
        let Some(Ansible::Playbook(playbook)) = &spec.ansible else { continue };
        let path = at!["machines", name, "ansible"];
        if let Some(reason) = outside(playbook) {
            report.error(
                path,
                format!(
                    "playbook `{}` {reason}; write a path below the lab file's folder, such as `playbooks/web.yml`",
                    shorten(playbook)
                ),
            );
            continue;
        }
        let files = &report.surroundings.files;
        let message = known.entry(playbook).or_insert_with(|| match files.get(playbook)? {
            Ok(text) => not_a_playbook(playbook, text),
            Err(reason) => Some(format!("playbook `{playbook}` cannot be read: {reason}")),
        });
        if let Some(message) = message.clone() {
            report.error(path, message);
        }
    }
}

fn not_a_playbook(playbook: &str, text: &str) -> Option<String> {
    let document = match yaml::load(text, Reading::Ansible) {
        Ok(document) => document,
        Err(slip) => return Some(format!("playbook `{playbook}` cannot be read, line {}: {}", slip.place.line, slip.message)),
    };
    let plays = match &document.value {
        Value::Array(plays) => plays,
        Value::Null => return Some(format!("playbook `{playbook}` is empty; write a list of plays, such as `- hosts: all`")),
        Value::Object(fields) if fields.contains_key("hosts") => {
            return Some(format!(
                "playbook `{playbook}` is a single mapping; a playbook is a list of plays, so write `- ` before `hosts`"
            ));
        }
        other => {
            return Some(format!("playbook `{playbook}` is {}; write a list of plays, such as `- hosts: all`", what_is(other)));
        }
    };
    let wrong = plays.iter().enumerate().find_map(|(index, play)| {
        let line = document.spot.find(&at![index]).0.line;
        let Some(fields) = play.as_object() else {
            return Some(format!("playbook `{playbook}`, line {line}: a play is a mapping with `hosts`, and this is {}", what_is(play)));
        };
        let is_play = ["hosts", "import_playbook", "ansible.builtin.import_playbook"].iter().any(|key| fields.contains_key(*key));
        let is_task = !is_play && !PLAY_KEYWORDS.iter().any(|key| fields.contains_key(*key));
        match (is_play, is_task && !fields.is_empty()) {
            (true, _) => None,
            (false, true) => Some(format!("playbook `{playbook}`, line {line}: this is a task, and a playbook is a list of plays; put the tasks below `- hosts: all` and `tasks:`")),
            (false, false) => Some(format!("playbook `{playbook}`, line {line}: the play has neither `hosts` nor `import_playbook`; add `hosts: all`")),
        }
    });
    match wrong {
        None if plays.is_empty() => Some(format!("playbook `{playbook}` has no play; write one, such as `- hosts: all`")),
        wrong => wrong,
    }
}

pub(super) fn roles_are_roles(report: &mut Report) {
    for (name, spec) in report.specs() {
        let Some(Ansible::Roles(roles)) = &spec.ansible else { continue };
        let base = at!["machines", name, "ansible"];
        if roles.roles.is_empty() && !report.unread.touches(&base) {
            report.warning(
                base.then("roles"),
                format!("machine `{name}` has an empty list of roles; add one, or leave `ansible` out"),
            );
        }
        if let Some((path, reason)) = roles.path.as_ref().and_then(|path| Some((path, outside(path)?))) {
            let message = format!(
                "the folder of roles `{}` {reason}; write a path below the lab file's folder, such as `roles`",
                shorten(path)
            );
            report.error(base.then("path"), message);
            continue;
        }
        for (index, role) in roles.roles.iter().enumerate() {
            let path = base.then("roles").then(index);
            match role_name(role) {
                None => report.error(
                    path,
                    format!(
                        "item {} of `roles` is {}; write the name of a role, or a mapping such as `{{ role: web }}`",
                        index + 1,
                        without_role(role)
                    ),
                ),
                Some(role) if !is_role(role) => {
                    report.error(
                        path,
                        format!(
                            "role `{}` has no name that a role can have; write letters, digits, `_`, `-` and `.`",
                            shorten(role)
                        ),
                    );
                }
                Some(_) => {}
            }
        }
        for (index, folder) in role_folders(roles) {
            if let Some(Err(reason)) = report.surroundings.files.get(&folder) {
                let path = base.then("roles").then(index);
                report.error(path, format!("role folder `{folder}` cannot be read: {reason}"));
            }
        }
    }
}

/// The folder of every role that lies beside the lab file, with its index. A collection's role (`a.b.c`) lies elsewhere.
pub(crate) fn role_folders(roles: &AnsibleRoles) -> impl Iterator<Item = (usize, String)> + '_ {
    let folder = roles.path.as_deref().unwrap_or("roles").trim_end_matches('/');
    let names = roles.roles.iter().enumerate().filter_map(|(index, role)| Some((index, role_name(role)?)));
    names
        .filter(|(_, name)| is_role(name) && name.matches('.').count() < 2)
        .map(move |(index, name)| (index, format!("{folder}/{name}")))
}

fn role_name(role: &Value) -> Option<&str> {
    match role {
        Value::String(name) => Some(name),
        Value::Object(fields) => fields.get("role").or_else(|| fields.get("name"))?.as_str(),
        _ => None,
    }
}

fn without_role(role: &Value) -> String {
    if role.is_object() { "a mapping without `role`".to_owned() } else { what_is(role) }
}

fn is_role(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
        && !name.contains("..")
}

/// Why a path is not one inside the lab's folder.
pub(crate) fn outside(path: &str) -> Option<&'static str> {
    if path.trim().is_empty() {
        Some("is no path")
    } else if path.contains(|c: char| c.is_control()) {
        Some("has a control character")
    } else if path.starts_with(['/', '~']) || path.contains('\\') || path.contains("://") {
        Some("is no path relative to the lab file")
    } else if path.split('/').any(|part| part == "..") {
        Some("leads out of the lab's folder")
    } else if !is_plain_path(path) {
        Some("has a name in it that Ansible would take apart: use letters, digits and `. _ - + @`")
    } else {
        None
    }
}
