//! The JSON lines that Terraform prints with `-json`, as far as we use them.
//!
//! See <https://developer.hashicorp.com/terraform/internals/machine-readable-ui> and, for plans,
//! <https://developer.hashicorp.com/terraform/internals/json-format>. Fields and types that we do not know are ignored.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use vlm_lab::plan::{Change, ChangeKind};

use super::{Known, Planned};

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
    Ok(Planned { changes, makes })
}

#[derive(Deserialize)]
struct PlannedValues {
    terraform_version: String,
    planned_values: Values,
}

#[derive(Deserialize)]
struct Values {
    root_module: Module,
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

/// The state `before` (null: there is none) with what a plan's JSON would make at the addresses of `ids`, as if it had been made.
///
/// The format of states is Terraform's own, version 4 since Terraform 0.12; OpenTofu has the same.
pub fn adopted(plan: &str, before: Value, ids: &BTreeMap<String, String>) -> Result<Value, serde_json::Error> {
    let document: PlannedValues = serde_json::from_str(plan)?;
    let mut state = before;
    if state.is_null() {
        state = json!({ "version": 4, "serial": 0, "lineage": format!("{:032x}", rand::random::<u128>()), "outputs": {}, "resources": [] });
    }
    state["terraform_version"] = document.terraform_version.into();
    state["serial"] = (state["serial"].as_u64().unwrap_or_default() + 1).into();
    for planned in document.planned_values.root_module.resources {
        let Some(id) = ids.get(&planned.address) else { continue };
        let mut attributes = planned.values;
        attributes["id"] = id.as_str().into();
        let instance = json!({
            "index_key": planned.index,
            "schema_version": planned.schema_version,
            "attributes": attributes,
            "sensitive_attributes": [],
        });
        let resources = state["resources"].as_array_mut().into_iter().flatten();
        let same = |resource: &&mut Value| {
            resource["mode"] == planned.mode && resource["type"] == planned.kind && resource["name"] == planned.name
        };
        match { resources }.find(same).and_then(|resource| resource["instances"].as_array_mut()) {
            Some(instances) => instances.push(instance),
            None => {
                let resource = json!({
                    "mode": planned.mode,
                    "type": planned.kind,
                    "name": planned.name,
                    "provider": format!("provider[\"{}\"]", planned.provider_name),
                    "instances": [instance],
                });
                state["resources"].as_array_mut().expect("a state that was read has resources").push(resource);
            }
        }
    }
    Ok(state)
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
