//! What our programs see of the world that we were started in: nothing that changes what they do.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    path::{Path, PathBuf},
    process::Command,
};

use tokio_util::sync::CancellationToken;
use vlm_engine::{
    ansible::{Ansible, message::TaskEvent},
    process::Program,
    terraform::{self, Terraform},
    tools::{self, Pin, Pinned},
};

/// Each would change what a program does, or whose code it runs.
const HOSTILE: [(&str, &str); 24] = [
    ("TF_CLI_ARGS", "-no-such-option"),
    ("TF_CLI_ARGS_apply", "-target=nothing"),
    ("TF_VAR_pool", "evil"),
    ("TF_LOG", "TRACE"),
    ("TF_DATA_DIR", "/evil"),
    ("TF_WORKSPACE", "evil"),
    ("TF_PLUGIN_CACHE_DIR", "/evil"),
    ("TF_CLI_CONFIG_FILE", "/evil/terraform.rc"),
    ("TF_REATTACH_PROVIDERS", "{}"),
    ("ANSIBLE_CONFIG", "/evil/ansible.cfg"),
    ("ANSIBLE_STRATEGY_PLUGINS", "/evil"),
    ("ANSIBLE_STRATEGY", "evil"),
    ("ANSIBLE_LIBRARY", "/evil"),
    ("ANSIBLE_SSH_ARGS", "-oProxyCommand=evil"),
    ("ANSIBLE_VAULT_PASSWORD_FILE", "/evil"),
    ("PYTHONPATH", "/evil"),
    ("PYTHONSTARTUP", "/evil"),
    ("LD_PRELOAD", "/evil/evil.so"),
    ("LD_LIBRARY_PATH", "/evil"),
    ("BASH_ENV", "/evil"),
    ("LIBVIRT_DEFAULT_URI", "test:///default"),
    ("GIT_SSH_COMMAND", "evil"),
    ("EDITOR", "evil"),
    ("SSH_AUTH_SOCK", "/evil"),
];
/// What the user says, and programs are to hear.
const WANTED: [(&str, &str); 2] = [("VLM_CI_MARK", "mark-of-a-test-run"), ("https_proxy", "http://proxy.invalid:3128")];

/// Runs an ignored test of this file again, in a world of `home` and of hostile variables, and of a hostile current folder.
fn in_a_hostile_world(test: &str, home: &Path) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "--ignored", "--nocapture", test]).current_dir(home.join("here")).envs(HOSTILE).envs(WANTED);
    let output = command.env("HOME", home).env_remove("VLM_TOOLS").env("SCENE", home).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    assert!(out.contains("1 passed"), "{out}");
}

/// A folder with `here` in it, and a program that notes how it is run.
fn scene() -> tempfile::TempDir {
    let scene = tempfile::tempdir().unwrap();
    fs::create_dir(scene.path().join("here")).unwrap();
    // The shell's own PWD aside, what /proc shows is what it was given.
    let text = "#!/bin/sh\nfolder=${0%/*}\ncat /proc/$$/environ >\"$folder/environ\"\npwd >\"$folder/cwd\"\n";
    let program = scene.path().join("program");
    fs::write(&program, text).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    scene
}

/// The scene that the test which runs us has made.
fn given_scene() -> PathBuf {
    PathBuf::from(std::env::var_os("SCENE").expect("another test runs this one"))
}

/// The environment that the scene's program was run with.
fn environ(scene: &Path) -> BTreeMap<String, String> {
    let bytes = fs::read(scene.join("environ")).unwrap();
    let texts =
        bytes.split(|byte| *byte == 0).filter(|part| !part.is_empty()).map(|part| String::from_utf8(part.to_vec()).unwrap());
    texts.map(|text| text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap()).collect()
}

/// Whatever of these is set, nothing else may be.
fn check(scene: &Path, ours: &[&str]) -> BTreeMap<String, String> {
    let seen = environ(scene);
    let allowed = ["PATH", "HOME", "USER", "TMPDIR", "XDG_RUNTIME_DIR", "LC_ALL", "VLM_CI_MARK"];
    let unknown: Vec<_> =
        seen.keys().filter(|name| !allowed.contains(&name.as_str()) && !ours.contains(&name.as_str())).collect();
    assert_eq!(unknown, [""; 0], "of all that was set");
    assert_eq!(seen["VLM_CI_MARK"], "mark-of-a-test-run");
    assert_eq!(seen["HOME"], scene.to_str().unwrap());
    for (name, hostile) in HOSTILE {
        assert_ne!(seen.get(name).map(String::as_str), Some(hostile), "{name}");
    }
    seen
}

fn pin(program: &Path, digest: &str) -> Pin {
    let pinned = |path: &Path| Pinned { path: path.to_owned(), version: "0.8.3".into(), digest: digest.into() };
    Pin { program: pinned(program), provider: Some(pinned(Path::new("/provider"))) }
}

#[test]
fn nothing_hostile_reaches_a_program() {
    let scene = scene();
    in_a_hostile_world("hostile_variables", scene.path());
}

#[tokio::test]
#[ignore = "run by nothing_hostile_reaches_a_program, in a hostile world"]
async fn hostile_variables() {
    let scene = given_scene();
    let cancel = CancellationToken::new();
    let program = scene.join("program");

    Program::new(&program, "/").run(&cancel, |_| {}).await.unwrap();
    check(&scene, &[]);
    assert_eq!(fs::read_to_string(scene.join("cwd")).unwrap(), "/\n");

    let dir = scene.join("lab/terraform");
    fs::create_dir_all(&dir).unwrap();
    let terraform = Terraform { program: program.clone(), mirror: None, dir: dir.clone(), pin: pin(&program, "00") };
    terraform.init(&cancel).await.unwrap();
    let mut ours = vec!["TF_IN_AUTOMATION", "TF_INPUT", "CHECKPOINT_DISABLE", "TF_CLI_CONFIG_FILE"];
    // The user's way into the internet, as far as this computer's user has one.
    ours.extend(["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy"]);
    ours.extend(["SSL_CERT_FILE", "SSL_CERT_DIR"]);
    let seen = check(&scene, &ours);
    assert_eq!(seen["TF_CLI_CONFIG_FILE"], dir.join("../terraform.rc").to_str().unwrap());
    assert_eq!(seen["https_proxy"], "http://proxy.invalid:3128");
    assert_eq!(fs::read_to_string(scene.join("cwd")).unwrap().trim(), dir.to_str().unwrap());

    let dir = scene.join("lab/ansible");
    fs::create_dir_all(&dir).unwrap();
    Ansible { program, dir: dir.clone() }.play("play.yaml", "web", &cancel, |_| {}).await.unwrap();
    let ours = [
        "ANSIBLE_CALLBACK_PLUGINS",
        "ANSIBLE_STDOUT_CALLBACK",
        "ANSIBLE_CONFIG",
        "ANSIBLE_NOCOLOR",
        "ANSIBLE_LOCALHOST_WARNING",
        "ANSIBLE_HOME",
    ];
    let seen = check(&scene, &ours);
    assert_eq!(seen["ANSIBLE_CONFIG"], dir.join("ansible.cfg").to_str().unwrap());
    assert_eq!(fs::read_to_string(scene.join("cwd")).unwrap().trim(), dir.to_str().unwrap());
}

/// ansible.cfg in the current folder, in the home folder and in the lab file's: with the real Ansible, where it is installed.
#[test]
fn no_ansible_cfg_but_ours_counts() {
    let scene = scene();
    // Any of them would end the play, or write a log.
    let hostile = format!("[defaults]\nstrategy = no_such_strategy\nlog_path = {}/log\n", scene.path().display());
    fs::create_dir_all(scene.path().join("labs")).unwrap();
    for place in ["here/ansible.cfg", ".ansible.cfg", "labs/ansible.cfg"] {
        fs::write(scene.path().join(place), &hostile).unwrap();
    }
    let Some(program) = installed_ansible() else {
        eprintln!("skipped: ansible-playbook is not installed (scripts/setup labs)");
        return;
    };
    fs::write(scene.path().join("ansible-playbook.path"), program.as_os_str().as_bytes()).unwrap();
    in_a_hostile_world("hostile_ansible_cfg", scene.path());
    assert!(!scene.path().join("log").exists(), "a hostile ansible.cfg was read");
}

#[tokio::test]
#[ignore = "run by no_ansible_cfg_but_ours_counts, in a hostile world"]
async fn hostile_ansible_cfg() {
    let scene = given_scene();
    let dir = scene.join("lab/ansible");
    fs::create_dir_all(dir.join("plays")).unwrap();
    std::os::unix::fs::symlink(scene.join("labs"), dir.join("lab")).unwrap();
    fs::write(dir.join("ansible.cfg"), "[defaults]\ninventory = inventory.yaml\n").unwrap();
    fs::write(dir.join("inventory.yaml"), "all: { hosts: { web: { ansible_connection: local } } }\n").unwrap();
    // The playbook lies in the lab file's folder, as an author's own does.
    fs::write(dir.join("plays/web.yaml"), "- import_playbook: ../lab/site.yaml\n").unwrap();
    let config = dir.join("ansible.cfg").canonicalize().unwrap();
    let playbook = "- hosts: web\n  gather_facts: false\n  tasks:\n  - name: Which configuration\n    ansible.builtin.assert:\n      \
                    that: ansible_config_file == 'CONFIG'\n";
    fs::write(scene.join("labs/site.yaml"), playbook.replace("CONFIG", config.to_str().unwrap())).unwrap();
    let program = fs::read_to_string(scene.join("ansible-playbook.path")).unwrap().into();
    let mut done = Vec::new();
    let played =
        Ansible { program, dir }.play("plays/web.yaml", "web", &CancellationToken::new(), |event| done.push(event)).await;
    assert!(played.is_ok(), "{played:?}");
    assert!(done.contains(&TaskEvent::Done { task: "Which configuration".into(), changed: false }), "{done:?}");
}

/// Where `scripts/setup` puts it, or on PATH.
fn installed_ansible() -> Option<PathBuf> {
    let data = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from);
    let data = data.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/share")));
    let tools = std::env::var_os("VLM_TOOLS").map(PathBuf::from).or_else(|| Some(data?.join("vlm/tools")))?;
    let ours = tools.join("ansible/bin/ansible-playbook");
    if ours.is_file() { Some(ours) } else { terraform::find_program(&["ansible-playbook"], Path::new("/usr/bin")) }
}

/// What was made with one provider is not touched with another of the same version; another Terraform is told.
#[tokio::test]
async fn a_provider_of_other_bytes_is_refused() {
    let scene = scene();
    let (cancel, program) = (CancellationToken::new(), scene.path().join("program"));
    let dir = scene.path().join("lab/terraform");
    fs::create_dir_all(&dir).unwrap();
    let terraform =
        |digest: &str| Terraform { program: program.clone(), mirror: None, dir: dir.clone(), pin: pin(&program, digest) };
    terraform("1111111111111111").apply(1, &cancel, &cancel, |_| {}).await.unwrap();
    // Nothing is there that was made with it: any will do.
    terraform("2222222222222222").init(&cancel).await.unwrap();

    fs::write(dir.join("terraform.tfstate"), r#"{"version": 4, "resources": [{"type": "libvirt_domain"}]}"#).unwrap();
    let lock = dir.join(".terraform.lock.hcl");
    fs::write(&lock, "# as init wrote it\n").unwrap();
    let error = terraform("2222222222222222").init(&cancel).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the libvirt provider /provider is not the file that this lab was deployed with: its SHA-256 begins with 222222222222, \
         that one's with 111111111111"
    );
    let terraform::Error::Tool(tools::Error::OtherProvider { .. }) = &error else { panic!("{error:?}") };

    // Another Terraform with the same provider is told, and keeps Terraform's own lock.
    let mut other = terraform("1111111111111111");
    other.pin.program = Pinned { path: "/usr/bin/terraform".into(), version: "1.12.0".into(), digest: "333333333333".into() };
    other.init(&cancel).await.unwrap();
    assert!(lock.is_file());
    assert_eq!(
        other.changed().unwrap(),
        format!(
            "Terraform is not the one that this lab was deployed with: /usr/bin/terraform 1.12.0 (333333333333), before {} 0.8.3 \
             (111111111111)",
            program.display()
        )
    );
    assert_eq!(terraform("1111111111111111").changed(), None);
}
