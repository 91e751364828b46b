//! What `vlm` prints as JSON, held against docs/cli.md.

use std::{collections::BTreeSet, fs};

use serde_json::Value;

/// Insists that `value` has the fields that docs/cli.md lists under `### SECTION`, and no others.
#[track_caller]
pub fn check_documented(section: &str, value: &Value) {
    let documented = rows(section).into_iter().flat_map(|row| quoted(&row[0])).collect::<BTreeSet<_>>();
    let mut printed = BTreeSet::new();
    let top = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    assert!(!top.is_empty(), "nothing was printed to hold against docs/cli.md");
    top.iter().for_each(|object| fields(object, "", &mut printed));
    // A group of fields is documented by its fields; one of these may be absent where a list is empty or an object null.
    let is_group = |path: &&String| documented.iter().any(|other| other.starts_with(&format!("{path}.")));
    let unknown: Vec<_> = printed.iter().filter(|path| !documented.contains(*path) && !is_group(path)).collect();
    assert!(unknown.is_empty(), "docs/cli.md, {section}, does not have {unknown:?}");
    let missing: Vec<_> = documented.iter().filter(|path| !path.contains(['.', '[']) && !printed.contains(*path)).collect();
    assert!(missing.is_empty(), "`vlm {section}` does not print {missing:?}");
}

/// Insists that an event is one that docs/cli.md lists under `### logs --json`, with its fields and no others.
#[track_caller]
pub fn check_documented_event(event: &Value) {
    let kind = event["body"]["kind"].as_str().unwrap_or_else(|| panic!("no kind in {event}"));
    let row = rows("logs --json").into_iter().find(|row| quoted(&row[0]).iter().any(|word| word == kind));
    let row = row.unwrap_or_else(|| panic!("docs/cli.md has no event `{kind}`"));
    let body = event["body"].as_object().expect("a body is an object");
    for field in body.keys().filter(|field| *field != "kind") {
        assert!(quoted(&row[1]).contains(field), "docs/cli.md has no `{field}` in event `{kind}`");
    }
    for field in ["run", "seq", "at_ms", "machine"] {
        assert!(event.get(field).is_some(), "no `{field}` in {event}");
    }
}

/// The rows of the tables under a heading, a cell each.
fn rows(section: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(crate::repository().join("docs/cli.md")).expect("the guide is there");
    let heading = format!("### {section}");
    let lines = text.lines().skip_while(|line| *line != heading).skip(1).take_while(|line| !line.starts_with('#'));
    let rows = lines.filter(|line| line.starts_with("| `"));
    let rows: Vec<Vec<String>> = rows.map(|line| line.trim_matches('|').split(" | ").map(str::to_owned).collect()).collect();
    assert!(!rows.is_empty(), "docs/cli.md has no {heading}");
    rows
}

/// Words between backticks.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn fields(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                found.insert(path.clone());
                fields(value, &path, found);
            }
        }
        // Elements that are no objects have no fields.
        Value::Array(values) => {
            values.iter().filter(|value| value.is_object()).for_each(|value| fields(value, &format!("{path}[]"), found));
        }
        _ => {}
    }
}
