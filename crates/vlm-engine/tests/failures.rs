//! Recorded failures of our tools, made into cards as the engine makes them, and the guide to them.
//!
//! `tests/record-failures` records; `UPDATE_EXPECT=1 cargo test -p vlm-engine --test failures` writes the cards and docs/failures.md.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use expect_test::expect_file;
use vlm_engine::{
    ansible::message::TaskEvent,
    failures::{Card, KNOWN, Tool, card},
    terraform::{
        self,
        message::{Diagnostic, Message},
    },
};

/// Begins the head of a fixture that was recorded.
const RECORDED: &str = "# recorded by tests/record-failures ";
/// Begins the head of one that was not.
const REPORTED: &str = "# from a report, not recorded: https://";

const TOOLS: [(&str, Tool); 5] = [
    ("terraform", Tool::Terraform),
    ("libvirt", Tool::Libvirt),
    ("ansible", Tool::Ansible),
    ("cloud-init", Tool::CloudInit),
    ("console", Tool::Console),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/failures")
}

struct Fixture {
    /// `FOLDER/NAME`.
    name: String,
    recorded: bool,
    card: Card,
}

fn fixtures() -> Vec<Fixture> {
    let mut found = Vec::new();
    for (name, tool) in TOOLS {
        let mut paths: Vec<PathBuf> = fs::read_dir(folder().join(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
        paths.sort();
        for path in paths {
            let name = format!("{name}/{}", path.file_stem().unwrap().to_str().unwrap());
            let text = fs::read_to_string(&path).unwrap();
            let (head, text) = text.split_once('\n').unwrap();
            let recorded = head == format!("{RECORDED}{name}");
            assert!(recorded || head.starts_with(REPORTED), "{name}: where is it from? `{head}`");
            found.push(Fixture { name, recorded, card: card(tool, &as_the_engine_reads(tool, text)) });
        }
    }
    found
}

/// What the engine hands over of a tool's output: see `deploy::explain`. Lines of standard error have a `! ` before them.
fn as_the_engine_reads(tool: Tool, text: &str) -> String {
    let stderr: String = text.lines().filter_map(|line| Some(line.strip_prefix('!')?.trim_start().to_owned() + "\n")).collect();
    let stdout = || text.lines().filter(|line| !line.starts_with('!'));
    match tool {
        Tool::Libvirt | Tool::Console => text.to_owned(),
        Tool::Terraform => {
            let diagnostics: Vec<Diagnostic> = stdout()
                .filter_map(|line| match terraform::message::parse(line) {
                    Message::Diagnostic(diagnostic) => Some(diagnostic),
                    Message::Resource { .. } | Message::Text(_) => None,
                })
                .collect();
            terraform::said(&diagnostics, &stderr)
        }
        Tool::Ansible => {
            let words = stdout().filter_map(vlm_engine::ansible::message::parse).filter_map(|event| match event {
                TaskEvent::Failed { message, .. } => Some(message),
                TaskEvent::Started { .. } | TaskEvent::Done { .. } | TaskEvent::Skipped { .. } => None,
            });
            format!("{}\n{stderr}", words.collect::<Vec<_>>().pop().unwrap_or_default())
        }
        Tool::CloudInit => {
            let (result, console) = text.split_once("console:\n").unwrap();
            let result: serde_json::Value = serde_json::from_str(result.trim_start_matches("result")).unwrap();
            let errors = result["v1"]["errors"].as_array().unwrap();
            errors.iter().map(|error| format!("{}\n", error.as_str().unwrap())).collect::<String>() + console
        }
    }
}

/// Each fixture is what its card says.
#[test]
fn recorded_failures_are_known() {
    let mut wrong = Vec::new();
    for fixture in fixtures() {
        let Card { id, cause, remedy, evidence } = &fixture.card;
        let evidence: String = evidence.lines().map(|line| format!("  | {line}\n")).collect();
        let text = format!("failure: {id}\ncause: {cause}\nremedy: {remedy}\nevidence:\n{evidence}");
        expect_file![folder().join(format!("{}.card", fixture.name))].assert_eq(&text);
        if fixture.card.is_known() == fixture.name.contains("/unknown-") {
            wrong.push(format!("{}: {id}", fixture.name));
        }
    }
    assert_eq!(wrong, [""; 0]);
}

/// A card that nobody's fixture makes any more would be kept for nothing, and thirty failures at least were really seen.
#[test]
fn there_are_enough_of_them() {
    let fixtures = fixtures();
    let names: BTreeSet<String> = fixtures.iter().map(|fixture| fixture.name.clone()).collect();
    for (tool, _) in TOOLS {
        for entry in fs::read_dir(folder().join(tool)).unwrap() {
            let name = format!("{tool}/{}", entry.unwrap().path().file_stem().unwrap().to_str().unwrap());
            assert!(names.contains(&name), "{name} is a card without a fixture");
        }
    }
    let recorded: BTreeSet<&str> =
        fixtures.iter().filter(|fixture| fixture.recorded && fixture.card.is_known()).map(|fixture| fixture.card.id).collect();
    assert!(recorded.len() >= 30, "only {} were recorded: {recorded:?}", recorded.len());
}

/// docs/failures.md is the table.
#[test]
fn the_guide_has_every_failure() {
    let mut seen: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for fixture in fixtures() {
        let name = if fixture.recorded { fixture.name } else { format!("{} (reported)", fixture.name) };
        seen.entry(fixture.card.id).or_default().push(name);
    }
    let mut text = "# Failures that are known\n\n\
        When Terraform, libvirt, QEMU, Ansible, cloud-init or a guest's own boot fails, a card says the cause, what shows it and what to\n\
        do. A card is made from words: a row of `crates/vlm-engine/src/failures/known.rs` that knows them, or none, and then the tool's\n\
        own words stand there as they are. Capital words (LAB, MACHINE) and words in `{}` are filled in.\n\n\
        The fixtures lie in `crates/vlm-engine/fixtures/failures`. `tests/record-failures` makes those again that were recorded; of the\n\
        reported ones, the head names where they are from. Rows without a fixture were not recorded yet.\n\n\
        This page is written by a test: `UPDATE_EXPECT=1 cargo test -p vlm-engine --test failures`.\n\n\
        | failure | cause | what to do | seen in |\n| --- | --- | --- | --- |\n"
        .to_owned();
    for known in KNOWN {
        let cell = |text: &str| text.replace('|', "\\|");
        let fixtures = seen.get(known.id).map(|names| names.join(", ")).unwrap_or_default();
        text += &format!("| `{}` | {} | {} | {fixtures} |\n", known.id, cell(known.cause), cell(known.remedy));
    }
    expect_file!["../../../docs/failures.md"].assert_eq(&text);
}

/// What was attempted comes before the cause; a failure that nobody knows keeps the tool's words.
#[test]
fn failures_are_told_with_what_was_attempted() {
    use vlm_engine::{ansible, deploy, libvirt};
    let mut text = String::new();
    let mut tell = |error: deploy::Error| {
        let deploy::Explained { message, hint, evidence } = deploy::explain(&error, "hello");
        let evidence: String =
            evidence.iter().flat_map(|evidence| evidence.lines()).map(|line| format!("  | {line}\n")).collect();
        text += &format!("{message}\nto do: {hint}\n{evidence}\n");
    };
    let diagnostic = |summary: &str, detail: &str| Diagnostic {
        severity: "error".into(),
        summary: summary.into(),
        detail: detail.into(),
        address: None,
    };
    let terraform = |diagnostics: Vec<Diagnostic>, stderr: &str| {
        deploy::Error::Terraform(terraform::Error::Failed { verb: "apply", diagnostics, stderr: stderr.into() })
    };
    tell(terraform(vec![diagnostic("can't find storage pool 'vlm'", "")], ""));
    // Of what stands on standard error beside an error, nothing is shown: it may be the state.
    tell(terraform(vec![diagnostic("teapot", "short\nand stout")], "{\"private_key\": \"…\"}"));
    tell(terraform(Vec::new(), "terraform: not today\n"));
    tell(terraform(Vec::new(), ""));
    let ansible = |task: Option<&str>, words: &str, stderr: &str| {
        let task = task.map(str::to_owned);
        deploy::Error::Ansible(ansible::Error::Failed { task, words: words.into(), stderr: stderr.into() })
    };
    tell(ansible(Some("Install"), "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 7 (apt)", ""));
    tell(ansible(Some("Fail on purpose"), "this is why", ""));
    tell(ansible(None, "[ERROR]: no hosts", "[ERROR]: no hosts"));
    tell(deploy::Error::Libvirt(libvirt::Error::Call {
        what: "start `hello.web`".into(),
        reason: "Requested operation is not valid: network 'hello.lan' is not active".into(),
    }));
    tell(deploy::Error::Libvirt(libvirt::Error::Call { what: "start `hello.web`".into(), reason: "not today".into() }));
    let error = libvirt::Error::Call { what: "start `hello.web`".into(), reason: "storage pool 'vlm' is not active".into() };
    tell(deploy::Error::Host { host: "away".into(), error: Box::new(error.into()) });
    expect_file!["expected/failures.txt"].assert_eq(&text);
}
