//! What `vlm` says and how it ends where no libvirt is needed.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use expect_test::{Expect, expect};
use tempfile::TempDir;
use vlm_tests::{Output, Running, check_documented, repository, vlm};

const GOOD: &str = "version: 1\nname: good\ndefaults: { image: debian-12 }\nnetworks: { lan: { cidr: 10.75.1.0/24 } }\nmachines: { web: {}, db: {} }\n";
const BAD: &str = "version: 1\nname: Bad_Name\nnetworks:\n  lan: { cidr: 10.75.1.0/30 }\nmachines:\n  web: { image: debian-12, memry: 1 GiB }\n  db: { image: nothing, nics: [ wan ] }\n";

/// A user with files of their own, in an empty world.
struct User(TempDir);

impl User {
    fn new(files: &[(&str, &str)]) -> User {
        let dir = tempfile::tempdir().expect("the temporary folder can be written");
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("the test's folder can be written");
            fs::write(path, text).expect("the test's folder can be written");
        }
        User(dir)
    }

    fn dir(&self) -> &Path {
        self.0.path()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(vlm());
        command
            .args(args)
            .current_dir(self.dir())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.dir().join("home"))
            .env("XDG_DATA_HOME", self.dir().join("data"))
            .env("XDG_CONFIG_HOME", self.dir().join("config"))
            .env("XDG_STATE_HOME", self.dir().join("state"));
        command
    }

    fn vlm(&self, args: &[&str]) -> Output {
        Running::start(self.command(args)).end(Duration::from_secs(60))
    }

    /// Checks exit status, standard output and standard error at once.
    #[track_caller]
    fn check(&self, args: &[&str], expected: Expect) {
        let output = self.vlm(args);
        let streams = format!("{}{}", output.out, output.err.lines().map(|line| format!("! {line}\n")).collect::<String>());
        let text = streams.replace(self.dir().to_str().expect("temporary paths are text"), "USER");
        expected.assert_eq(&format!("{}{}\n", masked(&text), output.status));
    }
}

/// Times differ from run to run.
fn masked(text: &str) -> String {
    let digits = |word: &str, mask: &str| {
        word.len() == mask.len()
            && word.chars().zip(mask.chars()).all(|(c, m)| if m == '0' { c.is_ascii_digit() } else { c == m })
    };
    let mut out = text.to_owned();
    let mask = "0000-00-00T00:00:00Z";
    let times: Vec<String> = (0..text.len())
        .filter_map(|at| text.get(at..at + mask.len()))
        .filter(|word| digits(word, mask))
        .map(str::to_owned)
        .collect();
    for time in times {
        out = out.replace(&time, "TIME");
    }
    out
}

#[test]
fn check_says_what_is_wrong_and_where() {
    let future = "version: 2\nname: future\nmachines: { web: { teleports: true } }\n";
    let user = User::new(&[
        ("good.yaml", GOOD),
        ("bad.yaml", BAD),
        ("future.yaml", future),
        ("torn.yaml", "name: [\n"),
        ("empty.yaml", ""),
        ("list.yaml", "- a\n"),
    ]);
    user.check(
        &["check", "good.yaml"],
        expect![[r#"
        good.yaml: no problems
        0
    "#]],
    );
    user.check(
        &["check", "good.yaml", "--json"],
        expect![[r#"
        {
          "file": "good.yaml",
          "problems": []
        }
        0
    "#]],
    );
    user.check(&["check", "bad.yaml"], expect![[r#"
        bad.yaml:2:7: lab name `Bad_Name` cannot be used; use lower-case letters, digits and hyphens, at most 40, with a letter or digit at both ends, such as `bad-name`
        bad.yaml:4:16: network `lan` (10.75.1.0/30) is too small for machines; use `/29` or larger, such as `10.77.1.0/24`
        bad.yaml:6:28: unknown field `memry`, did you mean `memory`?
        bad.yaml:7:16: image `nothing` is unknown; there are `almalinux-10`, `almalinux-9`, `alpine-3.22`, `alpine-3.23`, `arch`, `debian-12`, `debian-13`, `fedora-43`, `fedora-44`, `freebsd-14.4`, `freebsd-15.1`, `opensuse-leap-15.6`, `opensuse-leap-16.0`, `rocky-10`, `rocky-9`, `ubuntu-22.04` and `ubuntu-24.04`
        bad.yaml:7:33: machine `db` is on the network `wan`, which the lab does not have, did you mean `lan`?
        2
    "#]]);
    user.check(&["check", "bad.yaml", "--json"], expect![[r#"
        {
          "file": "bad.yaml",
          "problems": [
            {
              "path": "name",
              "place": {
                "line": 2,
                "column": 7
              },
              "severity": "error",
              "message": "lab name `Bad_Name` cannot be used; use lower-case letters, digits and hyphens, at most 40, with a letter or digit at both ends, such as `bad-name`"
            },
            {
              "path": "networks.lan.cidr",
              "place": {
                "line": 4,
                "column": 16
              },
              "severity": "error",
              "message": "network `lan` (10.75.1.0/30) is too small for machines; use `/29` or larger, such as `10.77.1.0/24`"
            },
            {
              "path": "machines.web.memry",
              "place": {
                "line": 6,
                "column": 28
              },
              "severity": "error",
              "message": "unknown field `memry`, did you mean `memory`?"
            },
            {
              "path": "machines.db.image",
              "place": {
                "line": 7,
                "column": 16
              },
              "severity": "error",
              "message": "image `nothing` is unknown; there are `almalinux-10`, `almalinux-9`, `alpine-3.22`, `alpine-3.23`, `arch`, `debian-12`, `debian-13`, `fedora-43`, `fedora-44`, `freebsd-14.4`, `freebsd-15.1`, `opensuse-leap-15.6`, `opensuse-leap-16.0`, `rocky-10`, `rocky-9`, `ubuntu-22.04` and `ubuntu-24.04`"
            },
            {
              "path": "machines.db.nics[0]",
              "place": {
                "line": 7,
                "column": 33
              },
              "severity": "error",
              "message": "machine `db` is on the network `wan`, which the lab does not have, did you mean `lan`?"
            }
          ]
        }
        2
    "#]]);
    user.check(
        &["check", "future.yaml"],
        expect![[r#"
        future.yaml:1:10: the lab file has version 2, and this program reads version 1; update the program
        2
    "#]],
    );
    user.check(
        &["up", "future.yaml", "--yes"],
        expect![[r#"
        ! future.yaml:1:10: the lab file has version 2, and this program reads version 1; update the program
        2
    "#]],
    );
    user.check(
        &["check", "torn.yaml"],
        expect![[r#"
        torn.yaml:2:1: the file ends while something is still open; check brackets, braces and quotes
        2
    "#]],
    );
    user.check(
        &["check", "empty.yaml"],
        expect![[r#"
        empty.yaml:1:1: the file is empty; start with `version: 1` and `name: my-lab`
        2
    "#]],
    );
    user.check(
        &["check", "list.yaml"],
        expect![[r#"
        list.yaml:1:1: the file holds a list; a lab is a mapping that starts with `version: 1` and `name: my-lab`
        2
    "#]],
    );
    user.check(
        &["check", "missing.yaml"],
        expect![[r#"
        ! vlm: could not read missing.yaml: No such file or directory (os error 2)
        2
    "#]],
    );
    user.check(
        &["list"],
        expect![[r#"
        no labs yet; `vlm up examples/hello.yaml` makes one
        0
    "#]],
    ); // a refused file is not kept
}

#[test]
fn the_examples_have_no_problems() {
    let examples = fs::read_dir(repository().join("examples")).expect("there are examples").flatten().map(|entry| entry.path());
    let user = User::new(&[]);
    for example in examples.filter(|path| path.extension().is_some_and(|e| e == "yaml")) {
        user.vlm(&["check", example.to_str().expect("it is text")]).ends(0).says(&["no problems"]);
    }
}

#[test]
fn an_empty_store_has_nothing_and_says_how_to_begin() {
    let user = User::new(&[]);
    user.check(
        &["list"],
        expect![[r#"
        no labs yet; `vlm up examples/hello.yaml` makes one
        0
    "#]],
    );
    user.check(
        &["list", "--json"],
        expect![[r#"
        []
        0
    "#]],
    );
    user.check(
        &["image", "list"],
        expect![[r#"
        debian-12            not built: minimal Debian 12 with cloud-init, from packages (vlm image build debian-12; or vlm image pull debian-12)
        0
    "#]],
    );
    user.check(
        &["image", "list", "--json"],
        expect![[r#"
        []
        0
    "#]],
    );
}

#[test]
fn an_unknown_lab_is_refused_by_every_command() {
    let user = User::new(&[]);
    for command in [
        &["status"][..],
        &["status", "--json"],
        &["logs"],
        &["plan"],
        &["up", "--yes"],
        &["start"],
        &["stop"],
        &["destroy", "--yes"],
        &["forget"],
    ] {
        let mut args = command.to_vec();
        args.insert(1, "nowhere");
        user.vlm(&args).ends(2).says(&["vlm: there is no lab `nowhere`; `vlm list` shows those there are"]);
    }
    user.vlm(&["ssh", "nowhere/web"]).ends(2).says(&["there is no lab `nowhere`"]);
    user.vlm(&["export", "nowhere", "out"]).ends(2).says(&["there is no lab `nowhere`"]);
    user.check(
        &["ssh", "web"],
        expect![[r#"
        ! vlm: `web` is no LAB/MACHINE
        !      write, for example, hello/web
        2
    "#]],
    );
    user.check(
        &["image", "remove", "nothing"],
        expect![[r#"
        ! vlm: there is no image `nothing`; `vlm image list` shows those there are
        2
    "#]],
    );
    user.check(
        &["image", "build", "nothing"],
        expect![[r#"
        ! vlm: there is no recipe `nothing`; recipes: debian-12
        2
    "#]],
    );
}

#[test]
fn a_lab_that_is_only_designed_is_listed_and_can_be_forgotten() {
    let user = User::new(&[("good.yaml", GOOD)]);
    // The image is not built: a plan keeps the design and touches nothing.
    user.check(
        &["plan", "good.yaml"],
        expect![[r#"
        ! vlm: images that must be built first: debian-12
        !      build them with `vlm image build NAME`; `vlm up` does it by itself
        2
    "#]],
    );
    user.check(
        &["list"],
        expect![[r#"
        good                             designed       2 machines  on local        TIME
        0
    "#]],
    );
    user.check(
        &["list", "--json"],
        expect![[r#"
            [
              {
                "name": "good",
                "state": "designed",
                "machines": 2,
                "hosts": "local",
                "revision": 1,
                "updated": "TIME",
                "description": null,
                "running": 0,
                "last_run": null
              }
            ]
            0
        "#]],
    );
    user.check(
        &["status", "good"],
        expect![[r#"
        good  designed  revision 1
          web                      not deployed              10.75.1.203       1 vcpus     512 MiB  debian-12
          db                       not deployed              10.75.1.119       1 vcpus     512 MiB  debian-12
        0
    "#]],
    );
    user.check(
        &["status", "good", "--json"],
        expect![[r#"
            {
              "name": "good",
              "state": "designed",
              "revision": 1,
              "machines": [
                {
                  "name": "web",
                  "host": "local",
                  "state": null,
                  "configured": false,
                  "address": "10.75.1.203",
                  "image": "debian-12",
                  "vcpus": 1,
                  "memory_mib": 512,
                  "spec": "web",
                  "description": null,
                  "nics": [
                    {
                      "network": "lan",
                      "mac": "52:54:00:9a:0e:66",
                      "address": "10.75.1.203"
                    }
                  ],
                  "disk": "4 GiB",
                  "firmware": "bios"
                },
                {
                  "name": "db",
                  "host": "local",
                  "state": null,
                  "configured": false,
                  "address": "10.75.1.119",
                  "image": "debian-12",
                  "vcpus": 1,
                  "memory_mib": 512,
                  "spec": "db",
                  "description": null,
                  "nics": [
                    {
                      "network": "lan",
                      "mac": "52:54:00:24:5d:87",
                      "address": "10.75.1.119"
                    }
                  ],
                  "disk": "4 GiB",
                  "firmware": "bios"
                }
              ],
              "last_run": null,
              "unknown": null
            }
            0
        "#]],
    );
    user.check(
        &["logs", "good"],
        expect![[r#"
        ! vlm: lab `good` has had no run yet
        !      `vlm up good` is one
        2
    "#]],
    );
    user.check(
        &["logs", "good", "--serial", "web"],
        expect![[r#"
        ! vlm: there is no serial log of `good/web`
        !      it is written while a run starts the machine
        2
    "#]],
    );
    user.check(
        &["ssh", "good/web"],
        expect![[r#"
        ! vlm: lab `good` is not deployed
        !      deploy it with `vlm up good`
        2
    "#]],
    );
    user.check(
        &["ssh", "good/nobody"],
        expect![[r#"
        ! vlm: lab `good` has no machine `nobody`
        !      it has web, db
        2
    "#]],
    );
    // What is not there cannot be stopped or started, whether its image is built or not.
    user.check(
        &["stop", "good"],
        expect![[r#"
        ! vlm: lab `good` is not deployed
        !      deploy it with `vlm up good`
        2
    "#]],
    );
    user.check(
        &["start", "good"],
        expect![[r#"
        ! vlm: lab `good` is not deployed
        !      deploy it with `vlm up good`
        2
    "#]],
    );
    user.check(
        &["export", "good", "out"],
        expect![[r#"
        ! vlm: images that must be built first: debian-12
        2
    "#]],
    );
    assert!(!user.dir().join("out").exists());
    user.check(
        &["forget", "good"],
        expect![[r#"
        0
    "#]],
    );
    user.check(
        &["list"],
        expect![[r#"
        no labs yet; `vlm up examples/hello.yaml` makes one
        0
    "#]],
    );
}

#[test]
fn settings_that_are_not_right_are_named() {
    for (settings, expected) in [
        (
            "pool = \"vlm\"\nready_limit_s = 60\n",
            expect![[r#"
            no labs yet; `vlm up examples/hello.yaml` makes one
            0
        "#]],
        ),
        (
            "poool = \"vlm\"\n",
            expect![[r#"
                ! vlm: USER/config/vlm/settings.toml:1:1: unknown field `poool`, expected one of `terraform`, `ansible_playbook`, `pool`, `pool_path`, `starts_at_once`, `ready_limit_s`, `log`
                2
            "#]],
        ),
        (
            "ready_limit_s = \"soon\"\n",
            expect![[r#"
                ! vlm: USER/config/vlm/settings.toml:1:17: invalid type: string "soon", expected u64
                2
            "#]],
        ),
        (
            "= 1\n",
            expect![[r#"
                ! vlm: USER/config/vlm/settings.toml:1:1: unquoted keys cannot be empty, expected letters, numbers, `-`, `_`
                2
            "#]],
        ),
        (
            "log = \"loud\"\n",
            expect![[r#"
                ! vlm: USER/config/vlm/settings.toml:1:7: `loud` is no level: off, error, warn, info, debug or trace
                2
            "#]],
        ),
    ] {
        User::new(&[("config/vlm/settings.toml", settings)]).check(&["list"], expected);
    }
}

#[test]
fn files_lie_where_xdg_says_and_are_the_users_alone() {
    let user = User::new(&[]);
    user.vlm(&["list"]).ends(0);
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&user.dir().join("data/vlm")), 0o700);
    assert!(!user.dir().join("home").exists());

    // A relative path in these variables is to be ignored, as one that is not set.
    let user = User::new(&[]);
    for relative in [true, false] {
        let mut command = user.command(&["list"]);
        if relative {
            command.env("XDG_DATA_HOME", "data");
        } else {
            command.env_remove("XDG_DATA_HOME");
        }
        Running::start(command).end(Duration::from_secs(60)).ends(0);
        assert!(user.dir().join("home/.local/share/vlm/vlm.sqlite3").is_file());
        assert!(!user.dir().join("data").exists());
        fs::remove_dir_all(user.dir().join("home")).expect("it can be deleted");
    }
}

#[test]
fn the_schema_is_the_committed_one_and_completions_and_man_pages_need_no_store() {
    let user = User::new(&[]);
    let committed = fs::read_to_string(repository().join("crates/vlm-lab/schemas/lab.schema.json")).expect("it is committed");
    let committed: serde_json::Value = serde_json::from_str(&committed).expect("it is JSON");
    assert_eq!(user.vlm(&["schema"]).ends(0).json(), committed);
    for (shell, words) in [("bash", "complete -F _vlm"), ("zsh", "#compdef vlm"), ("fish", "complete -c vlm")] {
        user.vlm(&["completions", shell]).ends(0).says(&[words]);
    }
    user.vlm(&["man", "."]).ends(0);
    for (page, words) in [("vlm.1", "vlm\\-destroy(1)"), ("vlm-up.1", "vlm up hello"), ("vlm-host-add.1", "ProxyJump")] {
        let text = fs::read_to_string(user.dir().join(page)).expect("each command has its page");
        assert!(text.contains(words), "{page}: {text}");
    }
    assert!(!user.dir().join("vlm-keep.1").exists(), "what is hidden has none");
    user.vlm(&["man", "nowhere"]).ends(1).says(&["nowhere: No such file"]);
    assert!(!user.dir().join("data").exists());
}

#[test]
fn the_doctor_needs_nothing_to_say_what_is_missing() {
    let user = User::new(&[("data/vlm/labs/gone/keys/id_ed25519", "")]);
    let output = user.vlm(&["doctor", "local", "--json"]);
    check_documented("doctor --json", &output.json());
    let left = output.json()[0]["findings"].to_string();
    assert!(left.contains("vlm/labs/gone is of a lab `gone` that you do not have, with its keys"), "{left}");
    let findings = output.json()[0]["findings"].as_array().expect("a list").clone();
    let says = |check: &str| findings.iter().any(|finding| finding["check"] == check);
    assert!(says("tools") && says("libvirt") && says("memory"), "{findings:#?}");
    let problems = findings.iter().any(|finding| finding["severity"] == "problem");
    let output = output.ends(i32::from(problems));
    output.does_not_say("vlm: ");
    user.check(
        &["doctor", "nowhere"],
        expect![[r#"
        ! vlm: there is no host `nowhere`; `vlm host list` shows those there are
        2
    "#]],
    );
    user.check(
        &["doctor", "local", "--fix"],
        expect![[r#"
        ! vlm: nobody is here to ask
        !      say --yes to go on without asking
        2
    "#]],
    );
}

#[test]
fn help_shows_examples_and_slips_are_refused() {
    let user = User::new(&[]);
    user.vlm(&["--help"]).ends(0).says(&[
        "Examples:",
        "vlm up lab.yaml",
        "Exit status: 0 done, 1 failed, 2 refused",
        "130 cancelled",
    ]);
    for command in ["check", "plan", "up", "logs", "ssh", "completions"] {
        user.vlm(&[command, "--help"]).ends(0).says(&["Example"]);
    }
    for command in ["list", "status", "stop", "start", "destroy", "forget", "export", "image", "schema"] {
        user.vlm(&[command, "--help"]).ends(0).says(&["Usage: vlm"]);
    }
    user.vlm(&["--version"]).ends(0).says(&[env!("CARGO_PKG_VERSION")]);
    user.vlm(&["lst"]).ends(2).says(&["list"]);
    user.vlm(&["up", "x", "--wait", "soon"]).ends(2).says(&["`soon` is no time"]);
    user.vlm(&["up", "x", "--wait", "99999999999999999999h"]).ends(2);
    user.vlm(&["up", "x", "--wait", "9999999999999999999h"]).ends(2);
    assert!(!user.dir().join("data").exists());
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let user = User::new(&[]);
    let mut command = user.command(&["schema"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it can be started");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}

/// A user with a saved lab: its image is not built, so the plan is refused and the design stays.
fn user_with_a_lab() -> User {
    let user = User::new(&[("good.yaml", GOOD)]);
    user.vlm(&["plan", "good.yaml"]).ends(2);
    user
}

/// The one copy that is there.
fn only_copy(user: &User) -> serde_json::Value {
    let copies = user.vlm(&["backup", "--list", "--json"]).ends(0).json();
    let [copy] = copies.as_array().expect("a list").as_slice() else { panic!("not one copy: {copies}") };
    copy.clone()
}

#[test]
fn a_database_is_copied_and_put_back() {
    let user = User::new(&[("good.yaml", GOOD), ("other.yaml", &GOOD.replace("name: good", "name: other"))]);
    user.check(
        &["backup", "--list"],
        expect![[r#"
        no copies yet; one is made with the first change of a day, and by `vlm backup`
        0
    "#]],
    );
    user.vlm(&["restore", "last", "--yes"]).ends(2).says(&["there is no good copy of the database", "name a file"]);
    user.vlm(&["plan", "good.yaml"]).ends(2);
    let copies = user.vlm(&["backup", "--list", "--json"]).ends(0).json();
    check_documented("backup --list --json", &copies);
    assert_eq!((only_copy(&user)["reason"].as_str(), only_copy(&user)["audit_line"].as_u64()), (Some("daily"), Some(1)));
    user.check(
        &["backup", "kept.sqlite3"],
        expect![[r#"
        copied and verified: kept.sqlite3
        0
    "#]],
    );
    user.vlm(&["backup", "kept.sqlite3"]).ends(2).says(&["could not use the copy kept.sqlite3", "exists"]);
    user.vlm(&["backup", "nowhere/kept.sqlite3"])
        .ends(2)
        .says(&["could not use the copy nowhere/kept.sqlite3", "No such file"]);
    let mode = fs::metadata(user.dir().join("kept.sqlite3")).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    user.vlm(&["plan", "other.yaml"]).ends(2);
    user.vlm(&["restore", "kept.sqlite3"]).ends(2).says(&["nobody is here to ask", "--yes"]);
    user.vlm(&["list"]).ends(0).says(&["other"]);
    user.vlm(&["restore", "kept.sqlite3", "--yes"]).ends(0).says(&[
        "kept.sqlite3 is whole, of 2",
        "lost would be: lab other, 1 revision, 2 lines of the audit",
        "keys, Terraform states and images are not part of it and stay as they are",
        "restored; the database of before is kept as",
        "vlm.sqlite3.before-restore-2",
    ]);
    user.vlm(&["list"]).ends(0).says(&["good"]).does_not_say("other");
    user.vlm(&["audit", "--verify"]).ends(0).says(&["3 lines, each follows from the one before it"]);
    fs::write(user.dir().join("torn"), "no database").expect("the test's folder can be written");
    user.vlm(&["restore", "torn", "--yes"]).ends(2).says(&["vlm: torn is no good copy: file is not a database"]);
    user.vlm(&["restore", "nowhere", "--yes"]).ends(2).says(&["could not use the copy nowhere"]);
}

#[test]
fn nothing_is_restored_under_somebody_else() {
    let user = user_with_a_lab();
    let copy = only_copy(&user)["path"].as_str().expect("a path").to_owned();
    fs::create_dir_all(user.dir().join("data/vlm/locks")).expect("the test's folder can be written");
    for (how, lock, expected) in [
        // As whoever follows a run, and as the application.
        ("--shared", "vlm.sqlite3.lock", "the database is open in process "),
        // As a child that outlived its vlm.
        ("--exclusive", "locks/good.lock", "lab `good` is being changed by another process"),
    ] {
        let mut holder = Command::new("flock")
            .arg(how)
            .arg(user.dir().join("data/vlm").join(lock))
            .args(["-c", "echo held; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("flock is there");
        let mut line = String::new();
        let mut out = std::io::BufReader::new(holder.stdout.take().expect("it is piped"));
        std::io::BufRead::read_line(&mut out, &mut line).expect("flock speaks");
        user.vlm(&["restore", &copy, "--yes"]).ends(2).says(&[expected]);
        drop(holder.stdin.take()); // cat ends, and the lock with it
        holder.wait().expect("it ends");
    }
    user.vlm(&["restore", &copy, "--yes"]).ends(0);
}

#[test]
fn a_damaged_database_is_refused_with_what_to_do() {
    let user = user_with_a_lab();
    let database = user.dir().join("data/vlm/vlm.sqlite3");
    let mut bytes = fs::read(&database).expect("it can be read");
    let at = bytes.windows(11).position(|window| window == b"image: debi").expect("the lab's text is in it");
    bytes[at] = b'X';
    fs::write(&database, &bytes).expect("it can be written");
    for command in [&["list"][..], &["image", "list"], &["backup"], &["audit"]] {
        user.vlm(command).ends(1).says(&[
            "the database",
            "vlm.sqlite3 is damaged: table `lab",
            "does not hold what was written to it; `vlm restore last` puts back the copy of 2",
            "what would be lost: ",
        ]);
    }
    assert!(fs::read(&database).expect("it can be read") == bytes, "it is left as it is");
    user.vlm(&["restore", "last", "--yes"]).ends(0).says(&["what else of the present database cannot be read", "restored"]);
    user.vlm(&["list"]).ends(0).says(&["good"]);
}

#[test]
fn the_audit_tells_who_changed_what_and_notices_a_forged_line() {
    let user = User::new(&[("good.yaml", GOOD), ("other.yaml", &GOOD.replace("name: good", "name: other"))]);
    user.check(
        &["audit"],
        expect![[r#"
        nothing was changed yet
        0
    "#]],
    );
    user.vlm(&["plan", "good.yaml"]).ends(2);
    user.vlm(&["plan", "other.yaml"]).ends(2);
    user.vlm(&["forget", "other"]).ends(0);
    let rows = user.vlm(&["audit", "--json"]).ends(0).json();
    check_documented("audit --json", &rows);
    let actions = |rows: &serde_json::Value| -> Vec<String> {
        rows.as_array()
            .expect("a list")
            .iter()
            .map(|row| format!("{} {} {}", row["line"], row["action"], row["object"]))
            .collect()
    };
    assert_eq!(
        actions(&rows),
        [
            r#"5 "remove_lab" "other""#,
            r#"4 "place_lab" "other""#,
            r#"3 "save_lab" "other""#,
            r#"2 "place_lab" "good""#,
            r#"1 "save_lab" "good""#
        ]
    );
    let some = user.vlm(&["audit", "--lab", "other", "--limit", "1", "--json"]).ends(0).json();
    assert_eq!(actions(&some), [r#"5 "remove_lab" "other""#]);
    user.check(
        &["audit", "--verify"],
        expect![[r#"
        5 lines, each follows from the one before it
        0
    "#]],
    );
    check_documented("audit --verify --json", &user.vlm(&["audit", "--verify", "--json"]).ends(0).json());
    let database = user.dir().join("data/vlm/vlm.sqlite3");
    let mut bytes = fs::read(&database).expect("it can be read");
    let at = bytes.windows(10).position(|window| window == b"remove_lab").expect("the action is in it");
    bytes[at..at + 10].copy_from_slice(b"create_lab");
    fs::write(&database, bytes).expect("it can be written");
    user.vlm(&["audit", "--verify"]).ends(1).says(&["vlm: line 5 of the audit is not as it was written"]);
    let told = user.vlm(&["audit", "--verify", "--json"]).ends(1).json();
    check_documented("audit --verify --json", &told);
    assert_eq!(told["first_misfit"], 5);
    user.vlm(&["audit"]).ends(1).says(&["is damaged"]);
}

#[test]
fn the_log_tells_what_was_done_and_no_secret() {
    let user = User::new(&[]);
    user.vlm(&["list"]).ends(0);
    user.vlm(&["ssh", "nowhere/web", "--", "mysql", "-pCANARY"]).ends(2);
    user.vlm(&["image", "add", "x", "https://ada:CANARY@example.org/x?sig=CANARY"]).ends(2);
    let path = user.dir().join("state/vlm/vlm.log");
    let log = fs::read_to_string(&path).expect("there is a log");
    assert_eq!(fs::metadata(&path).expect("it is there").permissions().mode() & 0o777, 0o600);
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines.len(), 3, "a line for each: {log}");
    assert!(lines[0].ends_with("vlm list") && lines[0].contains(" info "), "{log}");
    assert!(lines[1].ends_with("ssh nowhere/web -- …") && lines[2].ends_with("image add x https://…@example.org/x?…"), "{log}");
    assert!(!log.contains("CANARY"), "{log}");
    let mut loud = user.command(&["list"]);
    loud.env("VLM_LOG", "loud").env("XDG_STATE_HOME", user.dir().join("other"));
    Running::start(loud).end(Duration::from_secs(60)).ends(0);
    let other = fs::read_to_string(user.dir().join("other/vlm/vlm.log")).expect("there is a log");
    assert!(other.contains("VLM_LOG is `loud`, which is no level"), "{other}");
    let mut quiet = user.command(&["list"]);
    quiet.env("VLM_LOG", "error");
    Running::start(quiet).end(Duration::from_secs(60)).ends(0);
    assert_eq!(fs::read_to_string(&path).expect("there is a log"), log);
}

/// A program that prints `text`.
fn program(user: &User, name: &str, text: &str) {
    let path = user.dir().join(name);
    fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("the test's folder can be written");
    fs::write(&path, format!("#!/bin/sh\necho '{text}'\n")).expect("the test's folder can be written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
}

/// The provider in the mirror that a set-up would have made.
fn provider(user: &User, version: &str) {
    program(
        user,
        &format!(
            "tools/mirror/registry.terraform.io/dmacvicar/libvirt/{version}/linux_amd64/terraform-provider-libvirt_v{version}"
        ),
        "",
    );
}

#[test]
fn tools_are_found_and_their_versions_checked() {
    let user = User::new(&[("home/.ansible.cfg", "[defaults]\nstrategy = none\n"), ("good.yaml", GOOD)]);
    let settings = |text: &str| {
        fs::create_dir_all(user.dir().join("config/vlm")).expect("the test's folder can be written");
        fs::write(user.dir().join("config/vlm/settings.toml"), text.replace("USER", user.dir().to_str().expect("text")))
            .expect("the test's folder can be written");
    };
    let tools = |arguments: &[&str]| {
        let mut command = user.command(arguments);
        command.env("PATH", user.dir().join("bin")).env("VLM_TOOLS", user.dir().join("tools"));
        Running::start(command).end(Duration::from_secs(60))
    };
    program(&user, "bin/terraform", "Terraform v1.5.7");
    program(&user, "bin/ssh", "OpenSSH_9.2p1 Debian-2+deb12u10, OpenSSL 3.0.19 27 Jan 2026");
    // Not a program, though it has the name.
    fs::write(user.dir().join("bin/qemu-img"), "").expect("the test's folder can be written");
    program(&user, "tools/ansible/bin/ansible-playbook", "ansible-playbook [core 2.19.14]");
    provider(&user, "0.8.2");
    provider(&user, "0.8.3");
    provider(&user, "0.9.1");
    let list = tools(&["tools", "--json"]).ends(0).json();
    vlm_tests::check_documented("tools --json", &list);
    let shown = |list: &serde_json::Value| -> Vec<String> {
        let list = list.as_array().expect("a list").iter();
        list.map(|tool| {
            let text = |name: &str| tool[name].as_str().unwrap_or("-").replace(user.dir().to_str().expect("text"), "USER");
            format!("{} {} {} {}", text("name"), text("version"), text("source"), text("problem"))
        })
        .collect()
    };
    let fine =
        ["terraform 1.5.7 system -", "libvirt provider 0.8.3 ours -", "ansible-playbook 2.19.14 ours -", "ssh 9.2 system -"];
    assert_eq!(shown(&list)[..4], fine);
    let digest = list[0]["digest"].as_str().expect("it was read");
    assert_eq!(digest.len(), 64);
    tools(&["tools"]).ends(0).says(&[&format!("terraform          1.5.7      {}  ", &digest[..12])]);

    // Another file at the same place is looked at again; what does not fit is said, with what would.
    program(&user, "bin/terraform", "Terraform v1.3.9");
    program(&user, "tools/ansible/bin/ansible-playbook", "ansible-playbook 2.9.27");
    for version in ["0.8.3", "0.8.2"] {
        let folder = format!("tools/mirror/registry.terraform.io/dmacvicar/libvirt/{version}");
        fs::remove_dir_all(user.dir().join(folder)).expect("it was just made");
    }
    assert_eq!(
        shown(&tools(&["tools", "--json"]).ends(0).json())[..3],
        [
            "terraform 1.3.9 system USER/bin/terraform is terraform 1.3.9, and labs need 1.4 or newer",
            "libvirt provider 0.9.1 ours USER/tools/mirror/registry.terraform.io/dmacvicar/libvirt/0.9.1/linux_amd64/\
             terraform-provider-libvirt_v0.9.1 is libvirt provider 0.9.1, and labs need exactly 0.8.3",
            "ansible-playbook 2.9.27 ours USER/tools/ansible/bin/ansible-playbook is ansible-playbook 2.9.27, and labs need 2.14 or newer",
        ]
    );
    program(&user, "mine/tofu", "OpenTofu v1.6.2");
    settings("terraform = \"USER/mine/tofu\"\n");
    assert_eq!(
        shown(&tools(&["tools", "--json"]).ends(0).json())[..2],
        ["tofu 1.6.2 settings -", "libvirt provider - - libvirt provider was not found"]
    );
    program(&user, "mine/tofu", "nothing to see");
    tools(&["tools"]).ends(0).says(&["mine/tofu is: nothing to see", "run it with --version by hand"]);

    // Of labs that were not deployed nothing is noted.
    tools(&["tools", "nobody"]).ends(2).says(&["there is no lab `nobody`"]);
    tools(&["tools", "--accept"]).ends(2).says(&["LAB"]);
}
