//! The JSON lines that Terraform prints with `-json`, as far as we use them.
//!
//! See <https://developer.hashicorp.com/terraform/internals/machine-readable-ui> and, for plans,
//! <https://developer.hashicorp.com/terraform/internals/json-format>. Fields and types that we do not know are ignored.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use vlm_lab::plan::{Change, ChangeKind};

use super::{Found, Known, Planned};

/// A line of `plan -json` or `apply -json`.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// Work on a resource began, goes on, or ended.
    Resource {
        /// Its address, such as `libvirt_domain.machine["web"]`.
        address: String,
        /// `create`, `update`, `delete` …
        action: String,
        /// How far it is.
        progress: Progress,
    },
    /// An error or a warning.
    Diagnostic(Diagnostic),
    /// Anything else, in Terraform's words.
    Text(String),
}

impl Message {
    /// The machine whose domain was just made, if it says that.
    pub fn made_machine(&self) -> Option<&str> {
        match self {
            Message::Resource { address, action, progress: Progress::Complete(_) } if action == "create" => {
                address.strip_prefix("libvirt_domain.machine[\"")?.strip_suffix("\"]")
            }
            _ => None,
        }
    }
}

/// How far the work on a resource is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It began.
    Started,
    /// It goes on, for so many seconds.
    Going(u32),
    /// It is done, after so many seconds.
    Complete(u32),
    /// It failed.
    Failed,
}

/// An error or a warning of Terraform or of its provider.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Diagnostic {
    /// `error` or `warning`.
    pub severity: String,
    /// In a line.
    pub summary: String,
    /// More.
    #[serde(default)]
    pub detail: String,
    /// The resource concerned.
    #[serde(default)]
    pub address: Option<String>,
}

impl Diagnostic {
    /// Whether it ends the run.
    pub fn is_error(&self) -> bool {
        self.severity == "error"
    }

    /// Summary and detail in one text.
    pub fn text(&self) -> String {
        let detail = self.detail.trim();
        if detail.is_empty() { self.summary.clone() } else { format!("{}: {detail}", self.summary) }
    }
}

#[derive(Deserialize)]
struct RawMessage {
    #[serde(rename = "@message", default)]
    message: String,
    #[serde(rename = "type", default)]
    kind: String,
    hook: Option<Hook>,
    diagnostic: Option<Diagnostic>,
}

#[derive(Deserialize)]
struct Hook {
    resource: Option<Resource>,
    #[serde(default)]
    action: String,
    #[serde(default)]
    elapsed_seconds: f64,
}

#[derive(Deserialize)]
struct Resource {
    addr: String,
}

/// Reads one line. Text that is no JSON, which Terraform prints when it crashes, is kept as text.
pub fn parse(line: &str) -> Message {
    let Ok(raw) = serde_json::from_str::<RawMessage>(line) else { return Message::Text(line.to_owned()) };
    if let Some(diagnostic) = raw.diagnostic {
        return Message::Diagnostic(diagnostic);
    }
    let progress = |elapsed: f64| match raw.kind.as_str() {
        "apply_start" => Some(Progress::Started),
        "apply_progress" => Some(Progress::Going(elapsed as u32)),
        "apply_complete" => Some(Progress::Complete(elapsed as u32)),
        "apply_errored" => Some(Progress::Failed),
        _ => None,
    };
    match raw.hook {
        Some(Hook { resource: Some(resource), action, elapsed_seconds }) => match progress(elapsed_seconds) {
            Some(progress) => Message::Resource { address: resource.addr, action, progress },
            None => Message::Text(raw.message),
        },
        _ => Message::Text(raw.message),
    }
}

#[derive(Deserialize)]
struct PlanDocument {
    #[serde(default)]
    resource_changes: Vec<ResourceChange>,
    #[serde(default)]
    output_changes: BTreeMap<String, OutputChange>,
}

#[derive(Deserialize)]
struct OutputChange {
    actions: Vec<String>,
}

#[derive(Deserialize)]
struct ResourceChange {
    address: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    index: Option<Value>,
    #[serde(default)]
    mode: String,
    change: RawChange,
}

#[derive(Deserialize)]
struct RawChange {
    actions: Vec<String>,
    #[serde(default)]
    before: Option<Value>,
    #[serde(default)]
    after: Option<Value>,
    #[serde(default)]
    replace_paths: Vec<Vec<Value>>,
}

/// What a plan's JSON (`terraform show -json PLAN`) says, without changes that do nothing.
pub fn planned(plan: &str) -> Result<Planned, serde_json::Error> {
    let document: PlanDocument = serde_json::from_str(plan)?;
    let raw = document.resource_changes.iter().filter(|raw| raw.change.actions.iter().any(|action| action == "create"));
    let makes = raw.filter_map(|raw| Known::of(raw.address.clone(), &raw.kind, raw.change.after.as_ref()?)).collect();
    let changes = document.resource_changes.into_iter().filter(|raw| raw.mode != "data").filter_map(change).collect();
    let outputs = document.output_changes.values().any(|change| change.actions.iter().any(|action| action != "no-op"));
    Ok(Planned { changes, makes, outputs })
}

#[derive(Deserialize)]
struct PlannedValues {
    terraform_version: String,
    planned_values: Values,
}

#[derive(Deserialize)]
struct Values {
    #[serde(default)]
    outputs: BTreeMap<String, PlannedOutput>,
    root_module: Module,
}

#[derive(Deserialize)]
struct PlannedOutput {
    #[serde(default)]
    value: Value,
    #[serde(default, rename = "type")]
    kind: Value,
}

#[derive(Deserialize)]
struct Module {
    #[serde(default)]
    resources: Vec<PlannedResource>,
}

#[derive(Deserialize)]
struct PlannedResource {
    address: String,
    mode: String,
    #[serde(rename = "type")]
    kind: String,
    name: String,
    #[serde(default)]
    index: Value,
    provider_name: String,
    schema_version: u64,
    values: Value,
}

/// The state `before` (null: there is none) with what a plan's JSON would make of what was found, as if it had been made; with
/// `records`, with main.tf's own records of it instead.
///
/// The format of states is Terraform's own, version 4 since Terraform 0.12; OpenTofu has the same.
pub(super) fn adopted(plan: &str, before: Value, found: &Found, records: bool) -> Result<Value, serde_json::Error> {
    let document: PlannedValues = serde_json::from_str(plan)?;
    let mut state = before;
    if state.is_null() {
        let lineage = format!("{:032x}", rand::random::<u128>());
        state = json!({ "version": 4, "serial": 0, "lineage": lineage, "outputs": {}, "resources": [] });
    }
    state["terraform_version"] = document.terraform_version.into();
    state["serial"] = (state["serial"].as_u64().unwrap_or_default() + 1).into();
    if records {
        for (name, output) in document.planned_values.outputs {
            state["outputs"][name] = json!({ "value": output.value, "type": output.kind });
        }
    }
    for planned in document.planned_values.root_module.resources {
        let attributes = if records {
            // The record, and whose it is: see main.tf.
            let of = match (planned.kind.as_str(), planned.name.as_str()) {
                ("terraform_data", "hardware") => "libvirt_domain.machine",
                ("terraform_data", "services") => "libvirt_network.network",
                _ => continue,
            };
            let of = format!("{of}[{}]", planned.index);
            if !found.ids.contains_key(&of) {
                continue;
            }
            // A record of nothing differs from any design: then the thing is made anew, as after any change of it.
            let input = if found.unlike.contains(&of) { json!({}) } else { planned.values["input"].clone() };
            let dynamic = json!({ "value": input, "type": type_of(&input) });
            json!({ "id": format!("{:032x}", rand::random::<u128>()), "input": dynamic, "output": dynamic, "triggers_replace": null })
        } else {
            let Some(id) = found.ids.get(&planned.address) else { continue };
            let mut attributes = planned.values;
            attributes["id"] = id.as_str().into();
            attributes
        };
        let instance = json!({
            "index_key": planned.index,
            "schema_version": planned.schema_version,
            "attributes": attributes,
            "sensitive_attributes": [],
        });
        let Some(resources) = state["resources"].as_array_mut() else { continue };
        let same = |there: &&mut Value| {
            there["mode"] == planned.mode && there["type"] == planned.kind && there["name"] == planned.name
        };
        match resources.iter_mut().find(same).and_then(|there| there["instances"].as_array_mut()) {
            Some(instances) => {
                instances.retain(|there| there["index_key"] != planned.index);
                instances.push(instance);
            }
            None => resources.push(json!({
                "mode": planned.mode,
                "type": planned.kind,
                "name": planned.name,
                "provider": format!("provider[\"{}\"]", planned.provider_name),
                "instances": [instance],
            })),
        }
    }
    Ok(state)
}

/// The type that Terraform writes beside a value of any type. All that may be null in main.tf's records is text.
fn type_of(value: &Value) -> Value {
    match value {
        Value::Null | Value::String(_) => json!("string"),
        Value::Bool(_) => json!("bool"),
        Value::Number(_) => json!("number"),
        Value::Array(values) => json!(["tuple", values.iter().map(type_of).collect::<Vec<_>>()]),
        Value::Object(fields) => {
            json!([
                "object",
                fields.iter().map(|(name, value)| (name.clone(), type_of(value))).collect::<serde_json::Map<_, _>>()
            ])
        }
    }
}

fn change(raw: ResourceChange) -> Option<Change> {
    let actions: Vec<&str> = raw.change.actions.iter().map(String::as_str).collect();
    let kind = match actions[..] {
        ["create"] => ChangeKind::Create,
        ["update"] => ChangeKind::Update,
        ["delete"] => ChangeKind::Delete,
        ["delete", "create"] | ["create", "delete"] => ChangeKind::Replace,
        _ => return None,
    };
    let mut attributes: Vec<String> =
        raw.change.replace_paths.iter().filter_map(|path| Some(path.first()?.as_str()?.to_owned())).collect();
    if kind == ChangeKind::Update
        && let (Some(before), Some(after)) = (raw.change.before.as_ref(), raw.change.after.as_ref())
    {
        let (before, after) = (before.as_object()?, after.as_object()?);
        attributes.extend(after.iter().filter(|(name, value)| before.get(*name) != Some(value)).map(|(name, _)| name.clone()));
    }
    attributes.sort();
    attributes.dedup();
    Some(Change {
        address: raw.address,
        resource_type: raw.kind,
        key: raw.index.and_then(|index| index.as_str().map(str::to_owned)).unwrap_or_default(),
        kind,
        attributes,
    })
}
