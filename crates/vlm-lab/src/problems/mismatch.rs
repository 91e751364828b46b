//! What a JSON Schema has against a value, as facts that a sentence can be made of.
//!
//! The validator's own messages name keywords and dump values. Where a value may take several forms, it lists what every form
//! has against it: here the form that the author most likely meant is found, and only its complaints remain.

use jsonschema::{
    ValidationError, Validator,
    error::{TypeKind, ValidationErrorKind},
};
use serde_json::Value;

use super::path::{Path, Step};

/// One complaint about one value.
#[derive(Debug, Clone)]
pub(crate) struct Mismatch {
    pub path: Path,
    pub complaint: Complaint,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Complaint {
    /// A field that is not known; these are.
    Unknown { field: String, known: Vec<String> },
    /// A field that has to be there.
    Missing { field: String },
    /// Of none of these types.
    Type { types: Vec<String> },
    /// None of these values.
    Choice { options: Vec<Value> },
    /// A number below this one.
    TooSmall { limit: Value },
    /// A number above this one.
    TooLarge { limit: Value },
    /// Text that does not have the form it should have.
    Form { pattern: String },
    /// Too few or too many entries or characters.
    Length,
    /// Entries that are there twice.
    Twice,
    /// A name that cannot be one.
    Name { name: String },
    /// Anything else.
    Other,
}

/// Everything that `validator`, made from `schema`, has against `value`.
pub(crate) fn mismatches(validator: &Validator, schema: &Value, value: &Value) -> Vec<Mismatch> {
    let mut found = Vec::new();
    for error in validator.iter_errors(value) {
        collect(&error, schema, value, &mut found);
    }
    found
}

fn collect(error: &ValidationError, schema: &Value, root: &Value, found: &mut Vec<Mismatch>) {
    let path = path(error, root);
    let complaint = match error.kind() {
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            let mut forms = Vec::new();
            for errors in context {
                let mut form = Vec::new();
                errors.iter().for_each(|error| collect(error, schema, root, &mut form));
                forms.push(form);
            }
            found.extend(best_form(path, forms));
            return;
        }
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let known = known_fields(error, schema);
            found.extend(unexpected.iter().map(|field| Mismatch {
                path: path.then(field).key(),
                complaint: Complaint::Unknown { field: field.clone(), known: known.clone() },
            }));
            return;
        }
        ValidationErrorKind::Required { property } => {
            let field = property.as_str().unwrap_or_default().to_owned();
            found.push(Mismatch { path: path.then(&field).key(), complaint: Complaint::Missing { field } });
            return;
        }
        ValidationErrorKind::PropertyNames { error } => {
            let name = error.instance().as_str().unwrap_or_default().to_owned();
            found.push(Mismatch { path: path.then(&name).key(), complaint: Complaint::Name { name } });
            return;
        }
        ValidationErrorKind::Type { kind } => Complaint::Type {
            types: match kind {
                TypeKind::Single(single) => vec![single.to_string()],
                TypeKind::Multiple(several) => several.iter().map(|one| one.to_string()).collect(),
            },
        },
        ValidationErrorKind::Constant { expected_value } => Complaint::Choice { options: vec![(**expected_value).clone()] },
        ValidationErrorKind::Enum { options } => Complaint::Choice { options: options.as_array().cloned().unwrap_or_default() },
        ValidationErrorKind::Minimum { limit } | ValidationErrorKind::ExclusiveMinimum { limit } => {
            Complaint::TooSmall { limit: limit.clone() }
        }
        ValidationErrorKind::Maximum { limit } | ValidationErrorKind::ExclusiveMaximum { limit } => {
            Complaint::TooLarge { limit: limit.clone() }
        }
        ValidationErrorKind::Pattern { pattern } => Complaint::Form { pattern: pattern.clone() },
        ValidationErrorKind::MinItems { .. }
        | ValidationErrorKind::MaxItems { .. }
        | ValidationErrorKind::MinLength { .. }
        | ValidationErrorKind::MaxLength { .. }
        | ValidationErrorKind::MinProperties { .. }
        | ValidationErrorKind::MaxProperties { .. }
        | ValidationErrorKind::AdditionalItems { .. } => Complaint::Length,
        ValidationErrorKind::UniqueItems => Complaint::Twice,
        _ => Complaint::Other,
    };
    found.push(Mismatch { path, complaint });
}

/// The complaints of the form that the value at `path` was most likely meant to have.
fn best_form(path: Path, forms: Vec<Vec<Mismatch>>) -> Vec<Mismatch> {
    let types = |form: &Vec<Mismatch>| {
        form.iter().find_map(|mismatch| match &mismatch.complaint {
            Complaint::Type { types } if mismatch.path.steps == path.steps => Some(types.clone()),
            _ => None,
        })
    };
    let (other_kinds, same_kind): (Vec<_>, Vec<_>) = forms.into_iter().partition(|form| types(form).is_some());
    if same_kind.is_empty() {
        let mut all: Vec<String> = other_kinds.iter().filter_map(types).flatten().collect();
        all.sort();
        all.dedup();
        return vec![Mismatch { path, complaint: Complaint::Type { types: all } }];
    }
    let choice = |form: &Vec<Mismatch>| match form.as_slice() {
        [Mismatch { path: at, complaint: Complaint::Choice { options } }] if at.steps == path.steps => Some(options.clone()),
        _ => None,
    };
    if let Some(options) = same_kind.iter().map(choice).collect::<Option<Vec<_>>>() {
        return vec![Mismatch { path, complaint: Complaint::Choice { options: options.concat() } }];
    }
    let depth = |form: &Vec<Mismatch>| form.iter().map(|mismatch| mismatch.path.steps.len()).max().unwrap_or(0);
    same_kind.into_iter().min_by_key(|form| (form.len(), usize::MAX - depth(form))).unwrap_or_default()
}

/// The fields that the mapping, in which one is unknown, may have.
fn known_fields(error: &ValidationError, schema: &Value) -> Vec<String> {
    let pointer = error.schema_path().as_str();
    let above = pointer.rsplit_once('/').map_or("", |(above, _)| above);
    let fields = schema.pointer(above).and_then(|mapping| mapping.get("properties")).and_then(Value::as_object);
    fields.map(|fields| fields.keys().cloned().collect()).unwrap_or_default()
}

/// A pointer says `0` for a key and for an index alike: the value tells.
fn path(error: &ValidationError, root: &Value) -> Path {
    let mut path = Path::default();
    let mut value = Some(root);
    for part in error.instance_path().as_str().split('/').skip(1) {
        let name = part.replace("~1", "/").replace("~0", "~");
        match value {
            Some(Value::Array(items)) => {
                let index: usize = name.parse().unwrap_or_default();
                path.steps.push(Step::Index(index));
                value = items.get(index);
            }
            other => {
                value = other.and_then(|fields| fields.get(&name));
                path.steps.push(Step::Key(name));
            }
        }
    }
    path
}

/// A value as a sentence names it: "the number 512", "a list".
pub(crate) fn what_is(value: &Value) -> String {
    match value {
        Value::Null => "empty".to_owned(),
        Value::Bool(flag) => format!("`{flag}`"),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => format!("the text `{}`", shorten(text)),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
    }
}

/// Text that fits into a sentence, on one line.
pub(crate) fn shorten(text: &str) -> String {
    let mut short: String =
        text.chars().take(40).flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect();
    if text.chars().count() > 40 {
        short.push('…');
    }
    short
}

/// The one of `known` that `word` was most likely meant to be.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = match word.chars().count() {
        0..=2 => return None,
        3..=5 => 1,
        6..=9 => 2,
        _ => 3,
    };
    let lower = word.to_lowercase();
    known
        .into_iter()
        .filter(|name| name.len().abs_diff(word.len()) <= 2 * limit)
        .map(|name| (strsim::osa_distance(&lower, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// `a`, `b` or `c`.
pub(crate) fn one_of<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    listed(names, "or")
}

/// `a`, `b` and `c`; a long list is cut short.
pub(crate) fn all_of<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    listed(names, "and")
}

fn listed<'a>(names: impl IntoIterator<Item = &'a str>, word: &str) -> String {
    let mut names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    if names.len() > 24 {
        names.truncate(23);
        names.push("more".to_owned());
    }
    match names.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} {word} {last}", others.join(", ")),
    }
}
