//! A lab as YAML that a person would have written: sections in block style, and what fits on a line on one line.
//!
//! Whatever is written here is read back as the same lab: text stands without quotes only where no reader of YAML could take
//! it for anything else.

use std::fmt::Write;

use serde_json::Value;

use super::yaml::reads_as_other;
use crate::model::Lab;

/// How long a line may become before a collection is written over several.
const WIDTH: usize = 110;

pub(super) fn write(lab: &Lab) -> String {
    let value = serde_json::to_value(lab).expect("a lab has only what JSON can say");
    let mut out = String::new();
    block(&mut out, &value, 0, &mut Vec::new());
    out
}

/// Writes the fields of a mapping, or the items of a list, each on a line that starts at `indent`.
fn block<'a>(out: &mut String, value: &'a Value, indent: usize, path: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let _ = write!(out, "{:indent$}{}:", "", text(name));
                path.push(name);
                entry(out, value, indent, path);
                path.pop();
            }
        }
        Value::Array(items) => {
            for item in items {
                path.push("-");
                item_of_list(out, item, indent, path);
                path.pop();
            }
        }
        other => {
            let _ = writeln!(out, "{:indent$}{}", "", flow(other));
        }
    }
}

/// Writes what comes after `name:`.
fn entry<'a>(out: &mut String, value: &'a Value, indent: usize, path: &mut Vec<&'a str>) {
    if let Value::String(text) = value
        && let Some(lines) = literal(text, indent + 2)
    {
        out.push_str(&lines);
        return;
    }
    let column = out.len() - out.rfind('\n').map_or(0, |end| end + 1);
    let line = flow(value);
    let is_open = matches!(value, Value::Object(fields) if !fields.is_empty())
        || matches!(value, Value::Array(items) if !items.is_empty());
    if !is_open || !is_section(path) && !has_lines(value) && column + line.len() < WIDTH {
        let _ = writeln!(out, " {line}");
    } else {
        out.push('\n');
        block(out, value, indent + 2, path);
    }
}

/// Writes `- ` and the item; the fields of a mapping line up behind the dash.
fn item_of_list<'a>(out: &mut String, item: &'a Value, indent: usize, path: &mut Vec<&'a str>) {
    let line = flow(item);
    let in_block = match item {
        Value::Object(fields) => {
            !fields.is_empty() && (is_section(path) || has_lines(item) || indent + line.len() + 2 >= WIDTH)
        }
        Value::Array(items) => !items.is_empty() && (has_lines(item) || indent + line.len() + 2 >= WIDTH),
        _ => false,
    };
    if in_block {
        let mut inner = String::new();
        block(&mut inner, item, indent + 2, path);
        let _ = write!(out, "{:indent$}- {}", "", inner.trim_start_matches(' '));
        return;
    }
    match item {
        Value::String(text) if literal(text, indent + 2).is_some() => {
            let _ = write!(out, "{:indent$}-{}", "", literal(text, indent + 2).unwrap_or_default());
        }
        _ => {
            let _ = writeln!(out, "{:indent$}- {line}", "");
        }
    }
}

/// What always gets lines of its own, however short: sections, machines with more than a thing or two, tasks.
fn is_section(path: &[&str]) -> bool {
    matches!(path, ["networks" | "machines"] | ["machines", _] | ["machines", _, "ansible"] | ["machines", _, "ansible", "-"])
}

fn has_lines(value: &Value) -> bool {
    match value {
        Value::String(text) => text.trim_end_matches('\n').contains('\n'),
        Value::Array(items) => items.iter().any(has_lines),
        Value::Object(fields) => fields.values().any(has_lines),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn flow(value: &Value) -> String {
    match value {
        Value::String(content) => text(content),
        Value::Array(items) if items.is_empty() => "[]".to_owned(),
        Value::Array(items) => format!("[ {} ]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) if fields.is_empty() => "{}".to_owned(),
        Value::Object(fields) => {
            let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{}: {}", text(name), flow(value))).collect();
            format!("{{ {} }}", fields.join(", "))
        }
        Value::Number(number) => number_text(&number.to_string()),
        Value::Null | Value::Bool(_) => value.to_string(),
    }
}

/// A number as YAML 1.1 knows it, too: with a point and a sign where there is an exponent.
fn number_text(number: &str) -> String {
    let Some((digits, exponent)) = number.split_once('e') else { return number.to_owned() };
    let point = if digits.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with(['-', '+']) { "" } else { "+" };
    format!("{digits}{point}e{sign}{exponent}")
}

/// Text with quotes where it needs them. What JSON escapes, YAML reads alike; the rest of what is not printable is escaped too.
fn text(content: &str) -> String {
    let is_plain = content.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '.'))
        && content.chars().all(|c| c.is_ascii_alphanumeric() || " _./+@=;$~()-".contains(c) || c.is_alphabetic())
        && !content.ends_with(' ')
        && !reads_as_other(content)
        // Numbers, dates and times, as some reader knows them. An address has a fourth part or a prefix.
        && !content.starts_with("..")
        && (content.contains(|c: char| c.is_alphabetic() || c == '/') || content.split('.').count() == 4 );
    if is_plain {
        return content.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in content.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            c if is_printable(c) => quoted.push(c),
            c if (c as u32) < 0x100 => drop(write!(quoted, "\\x{:02x}", c as u32)),
            c if (c as u32) < 0x10000 => drop(write!(quoted, "\\u{:04x}", c as u32)),
            c => drop(write!(quoted, "\\U{:08x}", c as u32)),
        }
    }
    quoted.push('"');
    quoted
}

fn is_printable(c: char) -> bool {
    matches!(c, ' '..='~' | '\u{a1}'..='\u{ac}' | '\u{ae}'..='\u{1fff}' | '\u{2030}'..='\u{d7ff}' | '\u{f900}'..='\u{fdff}' | '\u{1f300}'..='\u{1faff}')
}

/// Text of several lines as a literal block, where every reader takes its blanks alike.
fn literal(content: &str, indent: usize) -> Option<String> {
    let is_block = content.trim_end_matches('\n').contains('\n')
        && content.starts_with(|c: char| !c.is_whitespace())
        && !content.ends_with("\n\n")
        && content.split('\n').all(|line| !line.ends_with([' ', '\t']) && line.chars().all(|c| is_printable(c) || c == '\t'));
    if !is_block {
        return None;
    }
    let mut out = String::from(if content.ends_with('\n') { " |\n" } else { " |-\n" });
    for line in content.trim_end_matches('\n').split('\n') {
        match line {
            "" => out.push('\n'),
            line => drop(writeln!(out, "{:indent$}{line}", "")),
        }
    }
    Some(out)
}
