//! OpenTofu instead of Terraform: a lab's whole life, and a lab stays with the program that made it.

use std::fs;

use vlm_tests::{Host, Image, tools};

#[test]
fn a_lab_lives_with_opentofu_and_stays_with_it() {
    let Some(host) = Host::new(&[Image::Tiny]) else { return };
    let before = host.inventory();
    let tofu = tools().join("bin/tofu");
    let settings = host.scratch().join("config/vlm/settings.toml");
    fs::create_dir_all(settings.parent().expect("it is in a folder")).expect("the test's folder can be written");
    fs::write(&settings, format!("terraform = {:?}\n", tofu)).expect("the test's folder can be written");
    let file = host.write(
        "tofu.yaml",
        "version: 1\nname: tofu\ndefaults: { image: tiny, memory: 128 MiB, disk: 64 MiB }\n\
         networks: { lan: { mode: routed, cidr: 10.75.1.0/24 } }\nmachines: { m: {} }\n",
    );
    host.vlm(["up", &file, "--yes"]).ends(0).says(&["1 machine ready"]);
    assert_eq!(host.ssh("tofu/m", "hostname"), "m\n");
    let state = || fs::read_to_string(host.terraform_dir("tofu").join("terraform.tfstate")).expect("there is a state");
    assert!(state().contains("registry.opentofu.org/dmacvicar/libvirt"), "{}", state());

    // Without the setting it is still OpenTofu that reads what OpenTofu wrote, whatever is first on PATH.
    fs::remove_file(&settings).expect("it was written");
    host.vlm(["up", "tofu"]).ends(0).says(&["nothing to do"]);
    host.destroy("tofu");
    assert_eq!(host.inventory(), before);
}
