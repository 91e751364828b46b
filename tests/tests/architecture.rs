//! The shape of the source: who may depend on whom, and who may touch what. See docs/STYLE.md.

use std::{fs, path::Path};

use vlm_tests::repository;

/// Each package of ours, and those of ours that it may depend on.
const MAY_DEPEND: &[(&str, &str, &[&str])] = &[
    ("crates/vlm-lab", "vlm-lab", &[]),
    ("crates/vlm-engine", "vlm-engine", &["vlm-lab"]),
    ("crates/vlm-cli", "vlm-cli", &["vlm-engine", "vlm-lab"]),
    ("src-tauri", "vlm-app", &["vlm-engine", "vlm-lab"]),
    ("tests", "vlm-tests", &["vlm-engine"]),
];

#[test]
fn dependencies_point_one_way() {
    let workspace = manifest(Path::new(""));
    let members: Vec<&str> =
        workspace["workspace"]["members"].as_array().expect("a list").iter().filter_map(|member| member.as_str()).collect();
    assert_eq!(
        {
            let mut sorted = members.clone();
            sorted.sort_unstable();
            sorted
        },
        {
            let mut known: Vec<_> = MAY_DEPEND.iter().map(|(dir, ..)| *dir).collect();
            known.sort_unstable();
            known
        },
        "a package came or went: say here what it may depend on"
    );
    for (dir, name, may) in MAY_DEPEND {
        let manifest = manifest(Path::new(dir));
        assert_eq!(manifest["package"]["name"].as_str(), Some(*name));
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(dependencies) = manifest.get(section).and_then(|section| section.as_table()) else { continue };
            for on in dependencies.keys().filter(|on| on.starts_with("vlm-")) {
                assert!(may.contains(&on.as_str()), "{name} may not depend on {on} ({section})");
            }
        }
    }
}

/// Below a folder, words that stand only in certain files, and why.
const ONLY_IN: &[(&str, &str, &[&str], &str)] = &[
    (
        "crates/vlm-engine/src",
        "Command::new",
        &["process.rs"],
        "children get their environment, their group and their end from one place",
    ),
    ("crates/vlm-engine/src", "rusqlite", &["store/"], "SQL is the store's"),
    ("crates/vlm-engine/src", "roxmltree", &["libvirt/xml.rs"], "libvirt's XML is read in one place"),
    ("crates/vlm-engine/src", "use virt::", &["libvirt/"], "no handle of libvirt's leaves its module"),
    ("crates/vlm-engine/src", "russh::", &["ssh/"], "SSH is one module's"),
    ("crates/vlm-engine/src", "dbus_secret_service", &["secrets.rs"], "secrets are kept by one module"),
    ("crates/vlm-engine/src", "hyper::", &["download/"], "one module asks servers, and judges where they lead"),
    (
        "crates/vlm-engine/src",
        "Program::new(\"qemu-img\"",
        &["disk.rs"],
        "QEMU reads no image before its format is known, nor without limits",
    ),
    ("crates/vlm-engine/src", "println!", &["ports.rs"], "the engine does not print; the keeper of ports speaks to its parent"),
    ("crates/vlm-lab/src", "std::fs", &[], "vlm-lab computes: no files"),
    ("crates/vlm-lab/src", "std::env", &[], "vlm-lab computes: no environment"),
    ("crates/vlm-lab/src", "std::process", &[], "vlm-lab computes: no processes"),
    ("crates/vlm-lab/src", "SystemTime", &[], "vlm-lab computes: no clock"),
    ("crates/vlm-lab/src", "Instant", &[], "vlm-lab computes: no clock"),
    ("crates/vlm-lab/src", "async fn", &[], "vlm-lab computes: nothing to wait for"),
    ("crates/vlm-cli/src", "rusqlite", &[], "what is stored is asked from the engine"),
    ("src-tauri/src", "rusqlite", &[], "what is stored is asked from the engine"),
    ("src-tauri/src", "Command::new", &[], "programs are run by the engine"),
    (
        "ui/src",
        "@tauri-apps/",
        &["ipc.ts", "bindings.ts", "lib/ipc.ts", "lib/bindings.ts", "testing/"],
        "one file speaks to the shell",
    ),
];

#[test]
fn the_world_is_touched_where_it_may_be() {
    let mut wrong = Vec::new();
    for (folder, words, files, why) in ONLY_IN {
        let root = repository().join(folder);
        for (path, text) in sources(&root) {
            let name = path.strip_prefix(&root).expect("it lies below").to_str().expect("names are text");
            if files.iter().any(|file| name == *file || file.ends_with('/') && name.starts_with(file)) {
                continue;
            }
            // A module's own tests may do as they like; words in comments do nothing.
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            for (index, line) in code.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
                // `eprintln!` ends with the same word.
                if line.replace("eprintln!", "").contains(words) {
                    wrong.push(format!("{folder}/{name}:{}: `{words}`: {why}", index + 1));
                }
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}

fn manifest(dir: &Path) -> toml::Table {
    let path = repository().join(dir).join("Cargo.toml");
    fs::read_to_string(&path).expect("every package has a manifest").parse().expect("manifests are TOML")
}

/// All source files below a folder, with their text; none when it is not there (yet).
fn sources(dir: &Path) -> Vec<(std::path::PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| ["rs", "ts", "tsx"].iter().any(|known| e == *known))
            && !path.to_string_lossy().contains(".test.")
        {
            found.push((path.clone(), fs::read_to_string(&path).expect("sources are text")));
        }
    }
    found.sort();
    found
}
