//! The example that the README begins with, on the image that we build: deployed, configured, exported, broken and mended.

use std::{fs, path::Path, time::Duration};

use vlm_tests::{Host, Image, Output, Running, repository, tools};

/// Two emulated Debians that boot and are configured, on a busy machine.
const LIMIT: Duration = Duration::from_secs(20 * 60);

#[test]
fn hello_is_deployed_configured_exported_broken_and_mended() {
    let Some(host) = Host::new(&[Image::Debian12]) else { return };
    let before = host.inventory();
    let example = fs::read_to_string(repository().join("examples/hello.yaml")).expect("the example is there");
    let file = host.write("hello.yaml", &example);

    // --- deploy and configure
    let up = host.start_vlm(["up", &file, "--yes"]).end(LIMIT).ends(0);
    up.says(&["task `Greet`: changed", "task `Make a place for data`: changed", "cloud-init done", "2 machines ready after"]);
    let status = host.status("hello");
    for machine in status["machines"].as_array().expect("a lab has machines") {
        assert_eq!((&machine["state"], &machine["configured"]), (&"running".into(), &true.into()), "{machine}");
    }
    assert_eq!(host.ssh("hello/web", "hostname"), "web\n");
    assert_eq!(host.ssh("hello/web", "cat /etc/motd"), "This is web. Its neighbour is db.\n");
    assert_eq!(host.ssh("hello/db", "stat -c '%F %a' /srv/data"), "directory 755\n");
    assert_eq!(host.ssh("hello/web", "cloud-init status"), "status: done\n");
    assert_eq!(host.ssh("hello/web", "sudo whoami"), "root\n");
    host.terraform_finds_nothing("hello");
    host.vlm(["up", &file, "--yes"]).ends(0).says(&["hello: nothing to do, everything is as designed"]);

    // --- the same as plain files
    let export = host.scratch().join("export");
    host.vlm(["export", "hello", export.to_str().expect("it is text")]).ends(0);
    exported_files_work_without_us(&host, &export);

    // --- a task that fails, and the same lab mended
    let uuid = host.virsh(&["domuuid", "hello.web"]);
    let broken = example.replace(
        "      - name: Greet\n",
        "      - name: Fail on purpose\n        fail: { msg: \"this is why\" }\n      - name: Greet\n",
    );
    assert_ne!(broken, example);
    host.write("hello.yaml", &broken);
    host.vlm(["plan", &file]).ends(0).says(&["configures web"]).does_not_say("web is").does_not_say("configures web, db");
    let failed = host.start_vlm(["up", &file, "--yes"]).end(LIMIT).ends(1);
    failed
        .says(&["FAILED: ansible failed: task `Fail on purpose`: this is why", "failed: 1 of 1 machine not ready: web"])
        .does_not_say("applying");
    assert_eq!(host.status("hello")["state"], "incomplete");
    assert_eq!(host.status("hello")["machines"][0]["configured"], false);
    assert_eq!(host.status("hello")["machines"][1]["configured"], true);
    // Files that tasks name lie beside the lab file.
    host.write("web.motd", "This is web. Its neighbour is still db.\n");
    let mended = example.replace("content: \"This is web. Its neighbour is db.\\n\"", "src: web.motd");
    assert_ne!(mended, example);
    host.write("hello.yaml", mended);
    host.start_vlm(["up", &file, "--yes"])
        .end(LIMIT)
        .ends(0)
        .says(&["configures web", "task `Greet`: changed"])
        .does_not_say("applying");
    assert_eq!(host.ssh("hello/web", "cat /etc/motd"), "This is web. Its neighbour is still db.\n");
    assert_eq!(host.virsh(&["domuuid", "hello.web"]), uuid);
    assert_eq!(host.status("hello")["state"], "deployed");
    host.terraform_finds_nothing("hello");
    host.vlm(["plan", "hello"]).ends(0).says(&["nothing to do"]);
    host.write("web.motd", "Another greeting.\n");
    host.vlm(["plan", "hello"]).ends(0).says(&["configures web"]);
    host.write("web.motd", "This is web. Its neighbour is still db.\n");

    // --- machines know each other by name, alone or in the network's domain
    let db = status["machines"][1]["address"].as_str().expect("it has one");
    for question in ["hosts db", "ahostsv4 db", "hosts db.hello.lab"] {
        let known =
            host.vlm(["ssh", "hello/web", "--", &format!("getent {question}; echo resolv.conf:; cat /etc/resolv.conf")]);
        assert!(known.out.starts_with(db), "`getent {question}` in `web` does not say {db}\n{known}");
    }

    host.destroy("hello");
    assert_eq!(host.inventory(), before);
}

fn exported_files_work_without_us(host: &Host, export: &Path) {
    let run = |dir: &str, words: &[&Path]| -> Output {
        let mut command = host.command(words);
        command.current_dir(export.join(dir)).env("TF_CLI_CONFIG_FILE", host.terraform_dir("hello").join("../terraform.rc"));
        Running::start(command).end(Duration::from_secs(300))
    };
    let terraform = vlm_tests::program(&["terraform", "tofu"], &tools().join("bin")).expect("it was looked for");
    run("terraform", &[&terraform, "init".as_ref(), "-input=false".as_ref()]).ends(0);
    run("terraform", &[&terraform, "validate".as_ref()]).ends(0).says(&["The configuration is valid"]);
    run("terraform", &[&terraform, "fmt".as_ref(), "-check".as_ref(), "-diff".as_ref()]).ends(0);
    let playbook = tools().join("ansible/bin/ansible-playbook");
    let playbook = if playbook.is_file() { playbook } else { "ansible-playbook".into() };
    run("ansible", &[&playbook, "--syntax-check".as_ref(), "site.yaml".as_ref()]).ends(0).does_not_say("WARNING");
    // The guests that are there are those that it describes: it configures them, and finds that they are.
    run("ansible", &[&playbook, "site.yaml".as_ref()])
        .ends(0)
        .says(&["web", "changed=0", "unreachable=0", "failed=0"])
        .does_not_say("changed=1");
    let entered = run("ansible", &["ssh", "-F", "ssh_config", "web", "hostname"].map(Path::new)).ends(0);
    assert_eq!(entered.out, "web\n");
}
