//! `lab.yaml` in and out, with the place of every value, and its JSON Schema.
//!
//! A file is read in three steps that each say all they can: the text becomes a tree with places ([`yaml`]), the tree is held
//! against the schema and what does not fit is taken out ([`structure`]), and the lab that remains goes through the rules of
//! [`crate::problems`]. So one misspelt field hides nothing else that is wrong.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    model::{Ansible, Lab},
    problems::{self, Finding, Problem, Surroundings, path::at},
};

mod structure;
mod write;
pub(crate) mod yaml;

pub(crate) use structure::Unread;

/// A place in a file. Lines and columns count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Place {
    /// The line.
    pub line: u32,
    /// The column, in characters.
    pub column: u32,
}

/// What [`check`] found.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The lab, whenever one could be made, even of a file with problems.
    pub lab: Option<Lab>,
    /// What is wrong, in the order of the file.
    pub problems: Vec<Problem>,
}

/// Reads a lab file and everything that is wrong with it.
pub fn check(text: &str, surroundings: &Surroundings) -> Checked {
    let read = structure::read(text);
    let mut problems = read.problems;
    if let (Some(lab), Some(spot), true) = (&read.lab, &read.spot, read.is_whole) {
        for Finding { path, severity, message } in problems::findings(lab, surroundings, &read.unread) {
            let (place, path) = spot.find(&path);
            if !read.unread.covers(&path) {
                problems.push(Problem { path: path.to_string(), place: Some(place), severity, message });
            }
        }
    }
    problems.sort_by_key(|problem| (problem.place, problem.severity));
    // A part that an anchor repeats is wrong once, however often it is used.
    let mut seen = std::collections::HashSet::new();
    problems.retain(|problem| seen.insert((problem.place, problem.message.clone())));
    Checked { lab: read.lab, problems }
}

/// Reads a lab file that was checked before: what it means is not looked at again.
pub fn read(text: &str) -> Result<Lab, Vec<Problem>> {
    let read = structure::read(text);
    match read.lab {
        Some(lab) if read.problems.is_empty() => Ok(lab),
        _ => Err(read.problems),
    }
}

/// Writes a lab file for a lab that was made elsewhere.
pub fn write(lab: &Lab) -> String {
    write::write(lab)
}

/// The text of a lab file with another name of the lab, and else as it is. None where the text makes no lab.
pub fn renamed(text: &str, name: &str) -> Option<String> {
    let read = structure::read(text);
    let (mut lab, spot) = (read.lab?, read.spot?);
    let (place, _) = spot.find(&at!["name"]);
    let line_start: usize = text.split_inclusive('\n').take(place.line as usize - 1).map(str::len).sum();
    let line = text[line_start..].lines().next().unwrap_or_default();
    let start = line.char_indices().nth(place.column as usize - 1).map_or(line.len(), |(at, _)| at);
    let value = &line[start..];
    let end = match value.chars().next() {
        Some(quote @ ('"' | '\'')) => value[1..].find(quote).map_or(value.len(), |end| end + 2),
        _ => value.find([' ', '\t', ',', '}', '#']).unwrap_or(value.len()),
    };
    let at = line_start + start;
    let written = format!("{}{name}{}", &text[..at], &text[at + end..]);
    lab.name = name.to_owned();
    // Where the name is written in a way of its own, the lab as a whole is written anew.
    Some(if structure::read(&written).lab.as_ref() == Some(&lab) { written } else { write(&lab) })
}

/// The JSON Schema of the lab file, generated from the model.
pub fn schema() -> Value {
    SCHEMA.clone()
}

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let mut schema = schemars::schema_for!(Lab).to_value();
    refuse_null(&mut schema);
    schema
});

/// A field that is there and empty was forgotten; one that is not meant is not there.
fn refuse_null(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            fields.values_mut().for_each(refuse_null);
            if let Some(Value::Array(types)) = fields.get_mut("type") {
                types.retain(|name| name != "null");
                if types.len() == 1 {
                    fields["type"] = types.remove(0);
                }
            }
            if let Some(Value::Array(forms)) = fields.get_mut("anyOf") {
                forms.retain(|form| form["type"] != "null");
                if let [Value::Object(only)] = &mut forms[..] {
                    let only = std::mem::take(only);
                    fields.shift_remove("anyOf");
                    fields.extend(only);
                }
            }
        }
        Value::Array(parts) => parts.iter_mut().for_each(refuse_null),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Files and folders that the lab names, relative to it: playbooks, and the folder of every role. Sorted, each once.
///
/// Only paths that stay in the lab's own folder: whoever reads them for [`Surroundings::files`] cannot be led elsewhere.
pub fn referenced_files(lab: &Lab) -> Vec<String> {
    let mut files: Vec<String> = lab.machines.values().filter_map(|spec| spec.ansible.as_ref()).flat_map(files_of).collect();
    files.sort();
    files.dedup();
    files
}

/// The playbook, or the role folders, that a machine's configuration names, without those outside the lab file's folder.
pub fn files_of(ansible: &Ansible) -> Vec<String> {
    let mut files: Vec<String> = match ansible {
        Ansible::Playbook(path) => vec![path.clone()],
        Ansible::Roles(roles) => problems::ansible::role_folders(roles).map(|(_, folder)| folder).collect(),
        Ansible::Tasks(_) => Vec::new(),
    };
    files.retain(|path| problems::ansible::outside(path).is_none());
    files
}
