//! YAML that every reader reads alike.
//!
//! cloud-init and Ansible read with PyYAML, which follows YAML 1.1: there `on`, `012`, `1:30` and `2024-01-01` are not text.
//! The emitter quotes those. Text of several lines becomes a literal block, so that people can read scripts and keys, but only
//! where no reader could differ about its blanks.

use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_saphyr::{LitStr, SerializerOptions, Tagged, ser_options};

/// `value` as a YAML document in block style.
pub(super) fn document(value: impl Serialize) -> String {
    serde_saphyr::to_string_with_options(&value, options()).expect("text, numbers and maps with text keys are YAML")
}

/// A JSON value as YAML.
pub(super) struct Yaml<'a>(pub &'a Value);

impl Serialize for Yaml<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::String(text) if is_plain_block(text) => LitStr(text).serialize(serializer),
            Value::Array(items) => serializer.collect_seq(items.iter().map(Yaml)),
            Value::Object(fields) => serializer.collect_map(fields.iter().map(|(key, value)| (key, Yaml(value)))),
            other => other.serialize(serializer),
        }
    }
}

/// Text that Ansible never takes for a template.
pub(super) fn never_evaluated(text: &str) -> Tagged<&str> {
    Tagged(text, Some("!unsafe".into()))
}

fn options() -> SerializerOptions {
    // Folding long lines is exact on paper only, and hides where a line ends.
    ser_options! { prefer_block_scalars: false }
}

/// Whether `text` has several lines and can stand as it is: no line of blanks, none that ends in one, and a first line that
/// cannot be taken for indentation. (The emitter itself refuses what is not printable.)
fn is_plain_block(text: &str) -> bool {
    text.contains('\n')
        && text.starts_with(|c: char| !c.is_whitespace())
        && !text.ends_with("\n\n")
        && text.split('\n').all(|line| !line.ends_with([' ', '\t']))
}
