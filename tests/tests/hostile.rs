//! Text of the user's that looks like code of one of the tools arrives byte for byte and is evaluated nowhere.

use std::fs;

use serde_json::{Value, json};
use vlm_tests::{Host, Image, Running, vlm};

/// Text that some tool on the way would evaluate, or trip over, if it were pasted anywhere. Evaluated, it makes the file `marker`.
fn hostile(marker: &str) -> String {
    format!(
        "${{file(\"/etc/hostname\")}} %{{if true}}x%{{endif}} $${{a}} %%{{b}} {{{{ lookup('pipe', 'touch {marker}') }}}} {{% raw %}} \
         $(touch {marker}) `touch {marker}` ; touch {marker} #\\ \\n \\u0041 \"double\" 'single' <tag a=\"&amp;\"> ]]> &lt; --- !unsafe *a &b \
         %h %n %(ansible_host)s ünïcödé \u{1f5a7} \u{a0}|"
    )
}

/// YAML as cloud-init reads it.
fn as_json(host: &Host, yaml: &str) -> Value {
    let file = host.write("read.yaml", yaml);
    let script = "import json, sys, yaml; json.dump(yaml.safe_load(open(sys.argv[1], encoding='utf-8')), sys.stdout)";
    host.run([vlm_tests::python().as_os_str(), "-c".as_ref(), script.as_ref(), file.as_ref()]).ends(0).json()
}

#[test]
fn hostile_text_arrives_byte_for_byte_and_is_evaluated_nowhere() {
    let Some(host) = Host::new(&[]) else { return };
    let marker = host.scratch().join("evaluated");
    let line = hostile(marker.to_str().expect("it is text"));
    let lines = format!("{line}\n\n  indented {line}\n\ttabbed: {line}\n- {line}\n");
    // Folders, too: the lab's, which Ansible's project links to, and the one in which everything of ours lies.
    let folder = host.scratch().join("it's {{ a }} \"folder\" ${HOME} %{x} #1");
    let data = host.scratch().join("my data %h #2");
    fs::create_dir_all(&folder).expect("the test's folder can be written");
    let start = |args: &[&str]| {
        let mut command = host.command([vlm()]);
        command.args(args).current_dir(&folder).env("XDG_DATA_HOME", &data);
        Running::start(command)
    };
    let run = |args: &[&str]| start(args).end(std::time::Duration::from_secs(300));

    let image = vlm_tests::image(Image::Tiny);
    run(&["image", "add", "tiny", image.to_str().expect("it is text")]).ends(0);
    host.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", &line, "-f", "author"]).ends(0);
    let key = fs::read_to_string(host.scratch().join("author.pub")).expect("a key was made").trim_end_matches('\n').to_owned();
    let lab = json!({
        "version": 1,
        "name": "hostile",
        "description": lines,
        "defaults": { "image": "tiny", "memory": "128 MiB", "disk": "64 MiB" },
        "networks": { "lan": { "cidr": "10.74.1.0/24", "description": lines } },
        "machines": { "m": {
            "description": lines,
            "ssh_keys": [key],
            "cloud_config": {
                "write_files": [{ "path": "/srv/hostile", "content": lines, "permissions": "0600" }],
                "final_message": line,
            },
        } },
    });
    fs::write(folder.join("lab.yaml"), serde_json::to_string_pretty(&lab).expect("it is JSON"))
        .expect("the folder can be written");

    run(&["check", "lab.yaml"]).ends(0);
    run(&["up", "lab.yaml", "--yes"]).ends(0).says(&["1 machine ready"]);

    assert_eq!(
        host.virsh(&["desc", "hostile.m"]).trim_end_matches('\n'),
        lines.trim_end_matches('\n'),
        "the domain's description"
    );
    let seed = run(&["ssh", "hostile/m", "--", "sudo cat /seed/user-data"]).ends(0).out;
    assert_eq!(seed.lines().next(), Some("#cloud-config"));
    let seed = as_json(&host, &seed);
    assert_eq!(seed["write_files"][0]["content"], json!(lines), "the content of a file for the guest");
    assert_eq!(seed["final_message"], json!(line));
    assert_eq!(seed["users"][0]["ssh_authorized_keys"][1], json!(key), "the author's key with its comment");

    run(&["up", "hostile", "--yes"]).ends(0).says(&["nothing to do"]);
    run(&["stop", "hostile", "--force"]).ends(0);
    run(&["start", "hostile"]).ends(0);
    assert_eq!(run(&["ssh", "hostile/m", "--", "hostname"]).ends(0).out, "m\n");
    assert_eq!(
        run(&["ssh", "hostile/m", "--", "ls /tmp/evaluated", marker.to_str().expect("it is text")]).status,
        1,
        "a file in the guest"
    );
    // The words of a command go to the guest as one line, as OpenSSH does it.
    assert_eq!(run(&["ssh", "hostile/m", "--", "printf %s", "'a b'", "$HOME"]).ends(0).out, "a b/home/lab");

    let export = host.scratch().join("export");
    run(&["export", "hostile", export.to_str().expect("it is text")]).ends(0);
    assert_eq!(
        fs::read(export.join("lab.yaml")).expect("it was exported"),
        fs::read(folder.join("lab.yaml")).expect("it was written")
    );
    run(&["destroy", "hostile", "--yes"]).ends(0);
    assert_eq!(host.of_lab("hostile"), [""; 0]);
    assert!(!marker.exists(), "something was evaluated: {} is there", marker.display());
}
