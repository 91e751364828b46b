//! Recorded streams of Terraform and Ansible, read as the engine reads them.

use std::{fs, path::Path};

use expect_test::expect_file;
use vlm_engine::{ansible, terraform::message};
use vlm_lab::plan;

fn fixture(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn names(folder: &str, begin: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(folder);
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name.starts_with(begin));
    names.sort();
    assert!(!names.is_empty());
    names
}

/// What people read of a recorded plan.
#[test]
fn plans_in_words() {
    let mut text = String::new();
    for name in names("terraform", "show-plan") {
        let changes = message::planned(&fixture(&format!("terraform/{name}"))).unwrap().changes;
        text += &format!("{name}\n");
        for thing in plan::planned(&changes) {
            text += &format!("  {} {}: {} [{:?}]\n", thing.noun, thing.name, thing.sentence, thing.disruption);
        }
    }
    expect_file!["expected/plans.txt"].assert_eq(&text);
}

/// What the engine makes of each line of an apply, and of each kind of failure.
#[test]
fn applies_and_errors() {
    let mut text = String::new();
    for name in names("terraform", "apply").into_iter().chain(names("terraform", "error-")) {
        text += &format!("{name}\n");
        for line in fixture(&format!("terraform/{name}")).lines() {
            match message::parse(line) {
                message::Message::Text(_) => {}
                message => text += &format!("  {message:?}\n"),
            }
        }
    }
    expect_file!["expected/applies.txt"].assert_eq(&text);
}

#[test]
fn ansible_events() {
    let text = fixture("ansible/two-machines.jsonl");
    let lines: Vec<String> = text.lines().filter_map(ansible::message::parse).map(|event| format!("{event:?}")).collect();
    expect_file!["expected/ansible.txt"].assert_eq(&(lines.join("\n") + "\n"));
}

/// Terraform prints plain text when it crashes; Ansible's warnings come between our lines.
#[test]
fn what_is_no_json_is_kept_or_skipped() {
    assert_eq!(message::parse("panic: runtime error"), message::Message::Text("panic: runtime error".into()));
    assert_eq!(ansible::message::parse("[WARNING]: something"), None);
}
