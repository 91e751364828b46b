//! Secrets are kept where they belong and come out nowhere else.
//!
//! Each test starts this program again as a process of its own, with a world of its own, and looks at what that one left.

use std::{
    env, fs,
    os::unix::net::UnixListener,
    path::Path,
    process::{Command, Output},
};

use tokio_util::sync::CancellationToken;
use vlm_engine::{
    Dirs, Engine,
    process::Program,
    runs::{EventBody, RunKind, RunStatus},
    secrets::{Kind, Place, Secret, Secrets},
    ssh::link::Trust,
};

/// What no file may hold; each kind has its own.
fn canary(kind: Kind) -> String {
    format!("canary-of-{kind:?}-Zq7")
}
const CANARY: &str = "canary-of-";

/// This program again, in an empty home: `body` is the ignored test that it runs. `before` are words that start it.
fn again(before: &[&str], body: &str, home: &Path, settle: impl FnOnce(&mut Command)) -> Output {
    let this = env::current_exe().unwrap();
    let mut words: Vec<&str> = before.to_vec();
    words.extend([this.to_str().unwrap(), "--exact", body, "--ignored", "--nocapture"]);
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).env_clear().env("PATH", "/usr/bin:/bin").env("HOME", home).env("VLM_LOG", "trace");
    for (variable, dir) in
        [("XDG_DATA_HOME", "data"), ("XDG_CONFIG_HOME", "config"), ("XDG_STATE_HOME", "state"), ("XDG_RUNTIME_DIR", "run")]
    {
        fs::create_dir_all(home.join(dir)).unwrap();
        command.env(variable, home.join(dir));
    }
    settle(&mut command);
    command.output().unwrap_or_else(|error| panic!("could not start {words:?}: {error}"))
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[track_caller]
fn check_ends_well(output: &Output) {
    assert!(output.status.success() && text(output).contains("1 passed"), "{:?}\n{}", output.status, text(output));
}

/// Every file below a folder that holds a canary.
fn found_in(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(found_in(&entry.path()));
        } else if kind.is_file() && fs::read(entry.path()).unwrap().windows(CANARY.len()).any(|w| w == CANARY.as_bytes()) {
            found.push(entry.path().display().to_string());
        }
    }
    found
}

async fn keep_and_forget(secrets: &Secrets, place: Place) {
    assert_eq!(secrets.place().await, place);
    for kind in Kind::ALL {
        assert_eq!(secrets.get(kind, "one").await.unwrap(), None);
        assert_eq!(secrets.set(kind, "one", Secret::new("before".to_owned())).await.unwrap(), place);
        secrets.set(kind, "one", Secret::new(canary(kind))).await.unwrap();
        secrets.set(kind, "two", Secret::new("another".to_owned())).await.unwrap();
    }
    for kind in Kind::ALL {
        assert_eq!(secrets.get(kind, "one").await.unwrap().unwrap().expose(), canary(kind));
        assert!(secrets.delete(kind, "one").await.unwrap());
        assert!(!secrets.delete(kind, "one").await.unwrap());
        assert_eq!(secrets.get(kind, "one").await.unwrap(), None);
        assert_eq!(secrets.get(kind, "two").await.unwrap().unwrap().expose(), "another");
    }
}

#[tokio::test]
async fn memory_keeps_and_forgets() {
    let secrets = Secrets::in_memory();
    keep_and_forget(&secrets, Place::Memory).await;
    let secret = Secret::new(canary(Kind::HostPassword));
    assert_eq!(format!("{secret:?} {secrets:?}"), "[redacted] [redacted]");
}

#[test]
fn the_keyring_keeps_and_forgets() {
    if !Path::new("/usr/bin/gnome-keyring-daemon").exists() || !Path::new("/usr/bin/dbus-run-session").exists() {
        assert_ne!(env::var("VLM_E2E").as_deref(), Ok("require"), "gnome-keyring and dbus are needed: run `make test`");
        println!("skipped: gnome-keyring-daemon or dbus-run-session is not there; `scripts/setup tests` brings them");
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let unlocked = "printf password | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1; exec \"$0\" \"$@\"";
    let output = again(&["dbus-run-session", "--", "sh", "-c", unlocked], "in_the_keyring", home.path(), |_| {});
    check_ends_well(&output);
    assert_eq!(found_in(home.path()), [""; 0], "the keyring's own files are encrypted");
}

#[tokio::test]
#[ignore = "started by the_keyring_keeps_and_forgets"]
async fn in_the_keyring() {
    keep_and_forget(&Secrets::of_user(), Place::Keyring).await;
    // Another process would find what this one kept.
    Secrets::of_user().set(Kind::HostPassword, "three", Secret::new(canary(Kind::HostPassword))).await.unwrap();
    let found = Secrets::of_user().get(Kind::HostPassword, "three").await.unwrap();
    assert_eq!(found, Some(Secret::new(canary(Kind::HostPassword))));
}

#[test]
fn without_a_keyring_that_answers_memory_does() {
    let home = tempfile::tempdir().unwrap();
    check_ends_well(&again(&[], "in_memory_after_all", home.path(), |_| {}));
    // A bus that takes connections and says nothing.
    let silent = home.path().join("silent");
    let _listener = UnixListener::bind(&silent).unwrap();
    let output = again(&[], "in_memory_after_all", home.path(), |command| {
        command.env("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", silent.display()));
    });
    check_ends_well(&output);
    // One that nobody listens on.
    let output = again(&[], "in_memory_after_all", home.path(), |command| {
        command.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere/at/all");
    });
    check_ends_well(&output);
}

#[tokio::test]
#[ignore = "started by without_a_keyring_that_answers_memory_does"]
async fn in_memory_after_all() {
    keep_and_forget(&Secrets::of_user(), Place::Memory).await;
}

#[test]
fn no_secret_comes_out_whatever_fails() {
    let home = tempfile::tempdir().unwrap();
    let output = again(&[], "what_can_fail_without_libvirt", home.path(), |command| {
        command.env("EXPORTED_BY_THE_USER", canary(Kind::VaultPassword));
    });
    check_ends_well(&output);
    assert!(!text(&output).contains(CANARY), "printed: {}", text(&output));
    let log = fs::read_to_string(home.path().join("state/vlm/vlm.log")).unwrap();
    assert!(log.contains("secrets are kept in memory") && log.contains("run 1 began"), "the log tells what happened: {log}");
    assert!(home.path().join("data/vlm/vlm.sqlite3").exists());
    assert_eq!(found_in(home.path()), [""; 0]);
}

#[tokio::test]
#[ignore = "started by no_secret_comes_out_whatever_fails"]
async fn what_can_fail_without_libvirt() {
    let engine = Engine::open(Dirs::of_user()).unwrap();
    let secrets = engine.secrets();
    for kind in Kind::ALL {
        for name in ["far", "/home/ada/.ssh/id_ed25519", "hello/web", "hello"] {
            secrets.set(kind, name, Secret::new(canary(kind))).await.unwrap();
        }
    }
    println!("{secrets:?} {:?}", secrets.get(Kind::HostPassword, "far").await);

    // A host that refuses connections, and one whose key nobody knows.
    let remote = "ada@127.0.0.1:1".parse().expect("it names a host");
    let failed = engine.hosts().add("far", &remote, Trust::Known).await.unwrap_err();
    println!("{failed:?} {}", vlm_engine::chain(&failed));
    // A lab whose image nobody has, with all that a plan and an export say.
    let lab = "version: 1\nname: hello\ndefaults: { image: nothing }\nnetworks: { lan: { cidr: 10.75.1.0/24 } }\nmachines: { web: {} }\n";
    engine.labs().save(lab, Path::new("/"), None).unwrap();
    let Err(failed) = engine.runs().plan("hello", &[], &CancellationToken::new()).await else { panic!("planned") };
    println!("{failed:?} {}", vlm_engine::chain(&failed));
    let failed = vlm_engine::export::export(&engine, "hello", Path::new("/nowhere/at/all")).unwrap_err();
    println!("{failed:?} {}", vlm_engine::chain(&failed));
    let failed = engine.images().add("x", Path::new("/nowhere"), &CancellationToken::new()).await.unwrap_err();
    println!("{failed:?} {}", vlm_engine::chain(&failed));
    // A run that fails, a program that fails, a copy that cannot be written.
    let store = vlm_engine::store::Store::open(&engine.dirs().database()).unwrap();
    let run = store.begin_run("hello", RunKind::Deploy, 1).unwrap();
    let journal = vlm_engine::journal::Journal::new(store.clone(), run);
    journal.say(EventBody::step(format!("{secrets:?}")));
    journal.flush().await;
    store.end_run(run, RunStatus::Failed, "it failed").unwrap();
    let (ended, environment) = Program::new("/usr/bin/env", "/").capture(&CancellationToken::new()).await.unwrap();
    println!("{ended:?} {environment}");
    println!("{:?}", engine.backup(Some(Path::new("/nowhere/at/all"))));
    engine.backup(None).unwrap();
}
