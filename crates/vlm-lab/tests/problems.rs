//! What `vlm check` says about lab files: the file goes in, `LINE:COLUMN: sentence` comes out.

use std::collections::{BTreeMap, BTreeSet};

use expect_test::{Expect, expect, expect_file};
use vlm_lab::{
    file::{self, Place},
    model::Size,
    problems::{ImageFacts, Severity, Surroundings, problems},
};

/// A computer that has two images and two hosts, and a folder with a few files.
fn surroundings() -> Surroundings {
    let image = |gib, uefi| ImageFacts { virtual_size: Size::gib(gib), uefi };
    let files = [
        ("playbooks/good.yml", Ok("- hosts: all\n  tasks:\n    - debug: { msg: !unsafe hi }\n- import_playbook: other.yml\n")),
        ("playbooks/tasks.yml", Ok("# Only tasks\n- name: A task\n  apt: { name: nginx }\n")),
        ("playbooks/no-hosts.yml", Ok("- hosts: all\n- tasks: []\n")),
        ("playbooks/mapping.yml", Ok("hosts: all\ntasks: []\n")),
        ("playbooks/text.yml", Ok("just text")),
        ("playbooks/list-of-text.yml", Ok("- one\n- two\n")),
        ("playbooks/empty.yml", Ok("# Nothing yet\n")),
        ("playbooks/no-plays.yml", Ok("[]\n")),
        ("playbooks/broken.yml", Ok("- hosts: all\n  tasks: [\n")),
        ("playbooks/missing.yml", Err("there is no such file")),
        ("roles/web", Ok("")),
        ("roles/gone", Err("there is no such folder")),
    ];
    Surroundings {
        images: Some(BTreeMap::from([("debian-12".into(), image(2, Some(true))), ("tiny".into(), image(1, Some(false)))])),
        hosts: Some(BTreeSet::from(["local".into(), "attic".into()])),
        files: files.into_iter().map(|(path, text)| (path.into(), text.map(str::to_owned).map_err(str::to_owned))).collect(),
    }
}

fn lines(text: &str, surroundings: &Surroundings) -> String {
    let checked = file::check(text, surroundings);
    let mut out = String::new();
    for problem in &checked.problems {
        let Place { line, column } = problem.place.expect("a problem of a file has a place");
        let warning = if problem.severity == Severity::Warning { "warning: " } else { "" };
        out += &format!("{line}:{column}: {warning}{}\n", problem.message);
        assert!(!problem.message.ends_with('.') && !problem.message.contains('\n'), "{}", problem.message);
    }
    out
}

/// Checks a whole file.
fn check_file(text: &str, expected: Expect) {
    expected.assert_eq(&lines(text, &surroundings()));
}

/// Checks what follows a good beginning of four lines; lines count from there.
fn check(text: &str, expected: Expect) {
    let start = "version: 1\nname: test\ndefaults: { image: debian-12 }\nnetworks: { lan: { cidr: 10.77.1.0/24 }, br: { mode: bridge, bridge: br0 } }\n";
    let all = lines(&format!("{start}{text}"), &surroundings());
    let moved = all.lines().map(|line| {
        let (number, rest) = line.split_once(':').unwrap();
        format!("{}:{rest}\n", number.parse::<i32>().unwrap() - 4)
    });
    expected.assert_eq(&moved.collect::<String>());
}

/// Checks networks, with a machine on the first.
fn check_networks(text: &str, expected: Expect) {
    let text = format!(
        "\
version: 1
name: test
machines: {{ web: {{ image: debian-12 }} }}
networks:
{text}"
    );
    let all = lines(&text, &surroundings());
    let moved = all.lines().map(|line| {
        let (number, rest) = line.split_once(':').unwrap();
        format!("{}:{rest}\n", number.parse::<i32>().unwrap() - 4)
    });
    expected.assert_eq(&moved.collect::<String>());
}

#[test]
fn a_good_file_has_no_problem() {
    check_file(
        "\
version: 1
name: good
networks: { lan: { cidr: 10.77.1.0/24 } }
machines: { web: { image: debian-12 } }
",
        expect![[""]],
    );
}

#[test]
fn many_problems_are_told_at_once_in_the_order_of_the_file() {
    check_file(
        "version: 1
name: Many Things
defaults: { image: debain-12, memroy: 1 GiB, vcpus: many }
networks:
  lan: { cidr: 10.77.1.7/24 }
  lab: { cidr: 10.77.1.128/25, mode: natt }
machines:
  web:
    memory: 512
    disk: 1 GiB
    nics: [ lna, { network: lan, adress: 10.77.1.9 }, { network: lan, address: 10.77.2.9 } ]
    depends_on: [ db ]
    ports: { \"80\": 80 }
  db:
    depends_on: [ web ]
    cloud_config: { package_update: maybe }
    ansible: [ { name: Nothing } ]
",
        expect![[r#"
            2:7: lab name `Many Things` cannot be used; use lower-case letters, digits and hyphens, at most 40, with a letter or digit at both ends, such as `many-things`
            3:20: image `debain-12` is unknown, did you mean `debian-12`?
            3:31: unknown field `memroy`, did you mean `memory`?
            3:53: `vcpus` is the text `many`; write a whole number from 1 to 255
            5:16: `10.77.1.7/24` is an address in the subnet of network `lan`, not the subnet; write `10.77.1.0/24`
            6:16: network `lab` (10.77.1.128/25) overlaps network `lan` (10.77.1.0/24); give it another subnet, such as `10.77.2.0/24`
            6:38: `mode` is the text `natt`, did you mean `nat`?
            9:13: `memory` is the number 512, did you mean `512 MiB`?
            11:13: machine `web` is on the network `lna`, which the lab does not have, did you mean `lan`?
            11:34: unknown field `adress`, did you mean `address`?
            11:80: address 10.77.2.9 of machine `web` is outside network `lan` (10.77.1.0/24); write one from 10.77.1.2 to 10.77.1.254
            12:19: machines wait for each other: web -> db -> web; take one `depends_on` out
            13:14: warning: port 80 of this computer takes a privilege that ordinary users lack; a port from 1024 up, such as 8080, takes none
            16:37: `package_update` is the text `maybe`, and cloud-init takes `true` or `false`
            17:16: task `Nothing` has no module, only `name`; add one, such as `apt: { name: nginx }`
        "#]],
    );
}

#[test]
fn text_that_is_no_yaml() {
    check_file(
        "",
        expect![[r#"
        1:1: the file is empty; start with `version: 1` and `name: my-lab`
    "#]],
    );
    check_file(
        "# only a comment\n",
        expect![[r#"
        1:1: the file is empty; start with `version: 1` and `name: my-lab`
    "#]],
    );
    check_file(
        "just text\n",
        expect![[r#"
        1:1: the file holds the text `just text`; a lab is a mapping that starts with `version: 1` and `name: my-lab`
    "#]],
    );
    check_file(
        "- a\n- list\n",
        expect![[r#"
        1:1: the file holds a list; a lab is a mapping that starts with `version: 1` and `name: my-lab`
    "#]],
    );
    check_file(
        "\
version: 1
name: a
\tmachines: {}
",
        expect![[r#"
        3:1: a tab is used for indentation; YAML wants spaces
    "#]],
    );
    check_file(
        "\
version: 1
name: a
machines:
\tweb: {}
",
        expect![[r#"
        4:1: a tab is used for indentation; YAML wants spaces
    "#]],
    );
    check_file(
        "version: 1\nname: \"a\n",
        expect![[r#"
        2:7: the quoted text is not closed, or has an escape that YAML does not know; check its quotes and backslashes
    "#]],
    );
    check_file(
        "version: 1\nname: a: b\n",
        expect![[r#"
        2:8: a colon is where no key can be; check the indentation and the brackets above it, and put text with `: ` in it in quotes
    "#]],
    );
    check_file(
        "\
version: 1
name: [ a
machines: {}
",
        expect![[r#"
        3:9: a colon is where no key can be; check the indentation and the brackets above it, and put text with `: ` in it in quotes
    "#]],
    );
    check_file(
        "version: 1\nname: @home\n",
        expect![[r#"
        2:7: no value can start so; put text with special characters in quotes
    "#]],
    );
    check_file(
        "version: 1\n  name: a\n",
        expect![[r#"
        2:7: a colon is where no key can be; check the indentation and the brackets above it, and put text with `: ` in it in quotes
    "#]],
    );
    check_file(
        "version: 1\nname: \"\\q\"\n",
        expect![[r#"
        2:7: the quoted text is not closed, or has an escape that YAML does not know; check its quotes and backslashes
    "#]],
    );
    check_file(
        "version: 1\nname: *nobody\n",
        expect![[r#"
        2:7: the alias refers to an anchor that is not above it; write `&NAME` before the value to repeat
    "#]],
    );
}

#[test]
fn yaml_that_says_things_twice_or_in_ways_of_its_own() {
    check(
        "machines: { web: {} }\nmachines: { db: {} }\n",
        expect![[r#"
        2:1: `machines` is here twice, first in line 5; keep one
    "#]],
    );
    check(
        "\
machines:
  web: { vcpus: 1, vcpus: 2 }
  \"web\": {}
",
        expect![[r#"
        2:20: `vcpus` is here twice, first in line 6; keep one
        3:3: `web` is here twice, first in line 6; keep one
    "#]],
    );
    check(
        "\
machines: { web: {} }
---
version: 1
",
        expect![[r#"
        2:1: a second document starts here; keep one lab per file
    "#]],
    );
    check(
        "machines:\n  web: { user: !secret x }\n",
        expect![[r#"
        2:16: the tag `!secret` has no meaning in a lab file; leave it out, or put what needs it into a playbook file
    "#]],
    );
    check(
        "machines:\n  web: { ansible: [ { debug: { msg: {{ x }} } } ] }\n",
        expect![[r#"
        2:38: a mapping cannot be the key of another; put text that starts with `{` in quotes
    "#]],
    );
    check(
        "\
machines:
  ? [ a, b ]
  : {}
",
        expect![[r#"
        1:1: warning: the lab has no machine; add one, such as `machines: { web: { image: debian-12 } }`
        2:5: only text can be a key; put it in quotes
    "#]],
    );
    check(
        "machines:\n  web: { <<: nothing }\n",
        expect![[r#"
        2:10: `<<` takes a mapping, or a list of mappings, such as `<<: *base`
    "#]],
    );
    check(
        "machines: &m\n  web: { depends_on: *m }\n",
        expect![[r#"
        2:22: the alias refers to an anchor that it lies in itself; leave it out
        2:22: `depends_on` is empty; write a list of machines, such as `[ db ]`
    "#]],
    );
}

#[test]
fn anchors_and_merge_keys_are_told_where_they_are_written() {
    check(
        "\
machines:
  web: &base { memory: 1 GiB, vcpus: 2 }
  db: { <<: *base, memory: 2 GiB }
",
        expect![[""]],
    );
    check(
        "\
machines:
  web: &base { memory: 1 MiB }
  db: { <<: *base }
  c: *base
",
        expect![[r#"
        2:24: machine `web` has 1 MiB of memory, in which no system boots; write at least `64 MiB`
        2:24: machine `db` has 1 MiB of memory, in which no system boots; write at least `64 MiB`
        2:24: machine `c` has 1 MiB of memory, in which no system boots; write at least `64 MiB`
    "#]],
    );
    let text = "\
version: 1
name: a
networks: { lan: { cidr: 10.77.1.0/24 } }
machines:
  a: &a { image: debian-12, vcpus: 3 }
  b: &b { disk: 9 GiB, vcpus: 4 }
  c: { <<: [ *b, *a ], memory: 2 GiB }
";
    let lab = file::read(text).unwrap();
    let c = &lab.machines["c"];
    assert_eq!(
        (c.vcpus, c.image.as_deref(), c.disk, c.memory),
        (Some(4), Some("debian-12"), Some(Size::gib(9)), Some(Size::gib(2)))
    );
}

#[test]
fn words_mean_what_their_readers_take_them_for() {
    // Ansible and cloud-init read YAML 1.1, the rest is 1.2; a mode is text for all.
    let lab = file::read(
        "\
version: 1
name: a
machines:
  web:
    description: yes
    cloud_config: { package_update: yes, a: \"yes\" }
    ansible: [ { copy: { mode: 0644, x: 0x10, y: 1.5, z: off, t: 12:30:45, e: [ 1e3, 4e8, 1.5e3, 1.5e+3, 1.e-1 ] }, become: yes } ]
",
    )
    .unwrap();
    let web = serde_json::to_value(&lab.machines["web"]).unwrap();
    expect![[r#"{"description":"yes","cloud_config":{"package_update":true,"a":"yes"},"ansible":[{"copy":{"mode":"0644","x":16,"y":1.5,"z":false,"t":"12:30:45","e":["1e3","4e8","1.5e3",1500.0,0.1]},"become":true}]}"#]].assert_eq(&web.to_string());
    check(
        "machines: { web: {} }\nacceleration: yes\n",
        expect![[r#"
        2:15: `acceleration` is the text `yes`; write `auto`, `kvm` or `tcg`
    "#]],
    );
}

#[test]
fn versions() {
    check_file(
        "\
version: 2
name: Nonsense
future: true
",
        expect![[r#"
        1:10: the lab file has version 2, and this program reads version 1; update the program
    "#]],
    );
    check_file(
        "\
name: a
machines: {}
x: 1
",
        expect![[r#"
        1:1: `version` is missing; write `version: 1`
        2:1: warning: the lab has no machine; add one, such as `machines: { web: { image: debian-12 } }`
        3:1: unknown field `x`; fields here are `version`, `name`, `description`, `host`, `acceleration`, `defaults`, `networks` and `machines`
    "#]],
    );
    check_file(
        "\
version: \"1\"
name: a
machines: {}
",
        expect![[r#"
        1:10: `version` is the text `1`; write `version: 1`
        3:1: warning: the lab has no machine; add one, such as `machines: { web: { image: debian-12 } }`
    "#]],
    );
    check_file(
        "\
version: 1.0
name: a
machines: {}
",
        expect![[r#"
        1:10: `version` is the number 1.0; write `version: 1`
        3:1: warning: the lab has no machine; add one, such as `machines: { web: { image: debian-12 } }`
    "#]],
    );
    check_file(
        "\
version: 0
name: a
machines: {}
",
        expect![[r#"
        1:10: `version` is the number 0; write `version: 1`
        3:1: warning: the lab has no machine; add one, such as `machines: { web: { image: debian-12 } }`
    "#]],
    );
}

#[test]
fn unknown_and_missing_fields() {
    check(
        "machine: { web: {} }\n",
        expect![[r#"
        1:1: unknown field `machine`, did you mean `machines`?
    "#]],
    );
    check(
        "machines:\n  web: { memroy: 1 GiB, cpus: 2, networks: [ lan ], cloud-config: {}, foo: 1 }\n",
        expect![[r#"
        2:10: unknown field `memroy`, did you mean `memory`?
        2:25: unknown field `cpus`, did you mean `vcpus`?
        2:34: unknown field `networks`, did you mean `nics`?
        2:53: unknown field `cloud-config`, did you mean `cloud_config`?
        2:71: unknown field `foo`; fields here are `description`, `replicas`, `host`, `image`, `vcpus`, `memory`, `disk`, `disks`, `nics`, `firmware`, `user`, `ssh_keys`, `packages`, `cloud_config`, `ansible`, `depends_on` and `ports`
    "#]],
    );
    check(
        "\
machines:
  web:
    nics:
      - { adress: 10.77.1.9, network: lan }
      - { address: 10.77.1.9 }
",
        expect![[r#"
        4:11: unknown field `adress`, did you mean `address`?
        5:9: `network` is missing; write the name of a network, such as `network: lan`
    "#]],
    );
    check(
        "\
machines:
  web: { ansible: { role: [ a ] } }
  db: { ansible: { roles: [ web ], folder: x } }
",
        expect![[r#"
        2:21: unknown field `role`, did you mean `roles`?
        3:36: unknown field `folder`; fields here are `roles` and `path`
    "#]],
    );
    check_file(
        "version: 1\nmachines: {}\n",
        expect![[r#"
        1:1: `name` is missing; write a name for the lab, such as `name: my-lab`
        2:1: warning: the lab has no machine; add one, such as `machines: { web: { image: debian-12 } }`
    "#]],
    );
    check_networks(
        "  lan: { subnet: 10.77.1.0/24 }\n",
        expect![[r#"
        1:10: unknown field `subnet`, did you mean `cidr`?
    "#]],
    );
}

#[test]
fn wrong_types() {
    check(
        "machines: [ web, db ]\n",
        expect![[r#"
        1:11: `machines` is a list; write a mapping from names to machines, such as `{ web: { image: debian-12 } }`
    "#]],
    );
    check(
        "machines:\n",
        expect![[r#"
        1:9: `machines` is empty; write a mapping from names to machines, such as `{ web: { image: debian-12 } }`
    "#]],
    );
    check(
        "\
description:
machines:
  web:
    description:
    image:
    memory:
    firmware:
    user:
    nics:
    ansible:
    cloud_config: { runcmd: }
  db:
    nics: [ { network: lan, address: , mac: } ]
    ansible: { roles: [ web ], path: }
",
        expect![[r#"
            1:12: `description` is empty; write text
            4:16: `description` is empty; write text
            5:10: `image` is empty; write the name of an image, such as `debian-12`
            6:11: `memory` is empty; write a size with its unit, such as `512 MiB`
            7:13: `firmware` is empty; write `bios` or `uefi`
            8:9: `user` is empty; write the name of an account, such as `lab`
            9:9: `nics` is empty; write a list of networks, such as `[ lan ]`
            10:12: `ansible` is empty; write a list of tasks, the path of a playbook, or `{ roles: [ web ] }`
            11:27: `runcmd` is empty, and cloud-init takes a list
            13:36: `address` is empty; write an IPv4 address, such as `10.77.1.10`, or `10.77.1.10+` for replicas to count up from
            13:43: `mac` is empty; write six pairs of hex digits, such as `52:54:00:12:34:56`
            14:36: `path` is empty; write the path of a folder beside the lab file, such as `roles`
        "#]],
    );
    check_networks(
        "  lan: { cidr: , dhcp: , domain: , bridge: , mode: }\n",
        expect![[r#"
        1:14: `cidr` is empty; write an IPv4 subnet with its prefix length, such as `10.77.1.0/24`
        1:22: `dhcp` is empty; write `true` or `false`
        1:32: `domain` is empty; write a DNS domain, such as `corp.lab`
        1:42: `bridge` is empty; write the name of a bridge of the host, such as `br0`
        1:50: `mode` is empty; write `nat`, `isolated`, `routed` or `bridge`
    "#]],
    );
    check(
        "\
machines:
  web:
  db: { depends_on: [ web ] }
",
        expect![[r#"
        2:6: machine `web` is empty; write a mapping, such as `{ image: debian-12 }`, or `{}` for a machine of defaults only
    "#]],
    );
    check(
        "machines:\n  web: { vcpus: two, replicas: \"3\", image: 12, user: [ me ], depends_on: db, packages: nginx }\n",
        expect![[r#"
        2:17: `vcpus` is the text `two`; write a whole number from 1 to 255
        2:32: `replicas` is the text `3`; write 3 without quotes
        2:44: `image` is the number 12; write the name of an image, such as `debian-12`
        2:54: `user` is a list; write the name of an account, such as `lab`
        2:74: `depends_on` is the text `db`; write a list of machines, such as `[ db ]`
        2:88: `packages` is the text `nginx`; write a list of names, such as `[ nginx, curl ]`
    "#]],
    );
    check(
        "\
machines:
  web: { vcpus: 0, replicas: 0 }
  db: { vcpus: 2.0, replicas: 1001 }
",
        expect![[r#"
        2:17: `vcpus` is the number 0; write a whole number from 1 to 255
        2:30: `replicas` is the number 0; write a whole number from 1 to 1000
        3:16: `vcpus` is the number 2.0; write a whole number from 1 to 255
        3:31: `replicas` is the number 1001; write a whole number from 1 to 1000
    "#]],
    );
    check(
        "\
machines:
  web: { nics: lan }
  db: { nics: [ lan, 5, [ lan ], { network: 7 } ] }
",
        expect![[r#"
        2:16: `nics` is the text `lan`; write a list of networks, such as `[ lan ]`
        3:22: item 2 of `nics` is the number 5; write the name of a network, or a mapping such as `{ network: lan, address: 10.77.1.10 }`
        3:25: item 3 of `nics` is a list; write the name of a network, or a mapping such as `{ network: lan, address: 10.77.1.10 }`
        3:45: `network` is the number 7; write the name of a network, such as `network: lan`
    "#]],
    );
    check(
        "machines:\n  web: { firmware: efi, ports: [ \"8080:80\" ], disks: [ 10 GiB ] }\n",
        expect![[r#"
        2:20: `firmware` is the text `efi`, did you mean `uefi`?
        2:32: `ports` is a list; write a mapping from this computer's ports to the machine's, such as `{ "8080": 80 }`
        2:54: `disks` is a list; write a mapping from names to sizes, such as `{ data: 10 GiB }`
    "#]],
    );
    check(
        "\
machines:
  web: { ansible: 5 }
  db: { ansible: [ apt ] }
  c: { ansible: { roles: web } }
  d: { cloud_config: text }
",
        expect![[r#"
        2:19: `ansible` is the number 5; write a list of tasks, the path of a playbook, or `{ roles: [ web ] }`
        3:20: task 1 is the text `apt`; write a mapping, such as `{ apt: { name: nginx } }`
        4:26: `roles` is the text `web`; write a list of roles, such as `roles: [ web ]`
        5:22: `cloud_config` is the text `text`; write a mapping, such as `{ timezone: Europe/Paris }`
    "#]],
    );
    check(
        "\
acceleration: kvmm
host: 5
description: [ a ]
machines: { web: {} }
",
        expect![[r#"
        1:15: `acceleration` is the text `kvmm`, did you mean `kvm`?
        2:7: `host` is the number 5; write the name of a host, such as `local`
        3:14: `description` is a list; write text
    "#]],
    );
    check_networks(
        "  lan: 10.77.1.0/24\n",
        expect![[r#"
        1:8: network `lan` is the text `10.77.1.0/24`; write a mapping, such as `{ cidr: 10.77.1.0/24 }`
    "#]],
    );
    check_networks(
        "  lan: { cidr: 10.77.1.0, dhcp: \"yes\", mode: bridged }\n",
        expect![[r#"
        1:16: `cidr` is the text `10.77.1.0`; write an IPv4 subnet with its prefix length, such as `10.77.1.0/24`
        1:33: `dhcp` is the text `yes`, did you mean `true`?
        1:46: `mode` is the text `bridged`, did you mean `bridge`?
    "#]],
    );
}

#[test]
fn sizes_addresses_and_ports_that_do_not_read() {
    check(
        "\
machines:
  web: { memory: 512, disk: 20, disks: { a: 5G, b: lots, c: 0 GiB } }
  db: { memory: 512 MB, disk: 1.5 GB }
",
        expect![[r#"
        2:18: `memory` is the number 512, did you mean `512 MiB`?
        2:29: `disk` is the number 20, did you mean `20 GiB`?
        2:45: disk `a` is the text `5G`, did you mean `5 GiB`?
        2:52: disk `b` is the text `lots`; write a size with its unit, such as `4 GiB`
        2:61: disk `c` is the text `0 GiB`; write a size with its unit, such as `4 GiB`
        3:17: `memory` is the text `512 MB`, did you mean `512 MiB`?
        3:31: `disk` is the text `1.5 GB`, did you mean `1.5 GiB`?
    "#]],
    );
    check(
        "\
machines:
  web:
    nics: [ { network: lan, address: 10.77.1.300 }, { network: lan, mac: 52:54:00 }, { network: lan, address: 10.77.1.9/24 } ]
",
        expect![[r#"
        3:38: `address` is the text `10.77.1.300`; write an IPv4 address, such as `10.77.1.10`, or `10.77.1.10+` for replicas to count up from
        3:74: `mac` is the text `52:54:00`; write six pairs of hex digits, such as `52:54:00:12:34:56`
        3:111: `address` is the text `10.77.1.9/24`; write an IPv4 address, such as `10.77.1.10`, or `10.77.1.10+` for replicas to count up from
    "#]],
    );
    check(
        "machines:\n  web: { ports: { http: 80, 70000: 80, 8080: 70000, 8081: \"80\", 8082: 80, 0: 80, 08080: 80 } }\n",
        expect![[r#"
        2:19: `http` is no TCP port of this computer; write a number from 1 to 65535
        2:29: `70000` is no TCP port of this computer; write a number from 1 to 65535
        2:46: port `8080` is the number 70000; write a port of the machine, a whole number from 1 to 65535
        2:59: port `8081` is the text `80`; write 80 without quotes
        2:75: `0` is no TCP port of this computer; write a number from 1 to 65535
        2:82: `08080` is no TCP port of this computer; write a number from 1 to 65535
    "#]],
    );
}

#[test]
fn names() {
    check_file(
        "\
version: 1
name: Hello World
machines: {}
",
        expect![[r#"
        2:7: lab name `Hello World` cannot be used; use lower-case letters, digits and hyphens, at most 40, with a letter or digit at both ends, such as `hello-world`
        3:1: warning: the lab has no machine; add one, such as `machines: { web: { image: debian-12 } }`
    "#]],
    );
    check_file(
        "\
version: 1
name: 5
machines: {}
",
        expect![[r#"
        2:7: `name` is the number 5; write a name for the lab, such as `name: my-lab`
        3:1: warning: the lab has no machine; add one, such as `machines: { web: { image: debian-12 } }`
    "#]],
    );
    check_file(
        "\
version: 1
name: this-name-is-longer-than-forty-characters-are
machines: {}
",
        expect![[r#"
        2:7: lab name `this-name-is-longer-than-forty-character…` has 45 characters; use at most 40
        3:1: warning: the lab has no machine; add one, such as `machines: { web: { image: debian-12 } }`
    "#]],
    );
    check(
        "\
machines:
  Web_1: {}
  -a: {}
  \"\": {}
  ünïcode: {}
",
        expect![[r#"
        2:3: machine name `Web_1` cannot be used; use lower-case letters, digits and hyphens, at most 63, with a letter or digit at both ends, such as `web-1`
        3:3: machine name `-a` cannot be used; use lower-case letters, digits and hyphens, at most 63, with a letter or digit at both ends, such as `a`
        4:3: machine has an empty name; use lower-case letters, digits and hyphens
        5:3: machine name `ünïcode` cannot be used; use lower-case letters, digits and hyphens, at most 63, with a letter or digit at both ends, such as `n-code`
    "#]],
    );
    check(
        "\
machines:
  1: {}
  yes: {}
  null: {}
  on: {}
  1e3: {}
  true: {}
  localhost: {}
",
        expect![[r#"
        2:3: machine name `1` reads as a number in YAML; choose another, such as `machine-1`
        3:3: machine name `yes` reads as true or false in YAML; choose another, such as `machine-yes`
        4:3: machine name `null` reads as nothing in YAML; choose another, such as `machine-null`
        5:3: machine name `on` reads as true or false in YAML; choose another, such as `machine-on`
        6:3: machine name `1e3` reads as a number in YAML; choose another, such as `machine-1e3`
        7:3: machine name `true` reads as true or false in YAML; choose another, such as `machine-true`
        8:3: machine name `localhost` has a meaning of its own in Ansible's inventory; choose another, such as `localhost-1`
    "#]],
    );
    check(
        &format!("machines:\n  {}: {{ replicas: 10 }}\n", "a".repeat(61)),
        expect![[r#"
        2:3: machine `aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa` and the number of its last replica have 64 characters; use at most 63
    "#]],
    );
    check(
        &format!("machines:\n  {}: {{}}\n", "a".repeat(64)),
        expect![[r#"
        2:3: machine name `aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…` has 64 characters; use at most 63
    "#]],
    );
    check(
        "machines:\n  web: { disks: { Data: 1 GiB, a-name-beyond-twenty-characters: 1 GiB } }\n",
        expect![[r#"
        2:19: disk name `Data` cannot be used; use lower-case letters, digits and hyphens, at most 20, with a letter or digit at both ends, such as `data`
        2:32: disk name `a-name-beyond-twenty-characters` has 31 characters; use at most 20
    "#]],
    );
    check_networks(
        "  my lan: { cidr: 10.77.1.0/24 }\n  off: { cidr: 10.77.2.0/24 }\n",
        expect![[r#"
        1:3: network name `my lan` cannot be used; use lower-case letters, digits and hyphens, at most 40, with a letter or digit at both ends, such as `my-lan`
        2:3: network name `off` reads as true or false in YAML; choose another, such as `network-off`
    "#]],
    );
    check(
        "\
machines:
  web: { replicas: 2 }
  web-1: {}
",
        expect![[r#"
        3:3: machine `web-1` has the name of a replica of `web`; rename one of them
    "#]],
    );
    check(
        "\
machines:
  web-2: {}
  web: { replicas: 2 }
",
        expect![[r#"
        2:3: machine `web-2` has the name of a replica of `web`; rename one of them
    "#]],
    );
}

#[test]
fn networks() {
    check_networks(
        "  lan: {}\n  other: { cidr: 10.77.1.0/24 }\n",
        expect![[r#"
        1:3: network `lan` has no subnet; add `cidr: 10.77.2.0/24`
    "#]],
    );
    check_networks(
        "  lan: { cidr: 10.77.1.5/24 }\n",
        expect![[r#"
        1:16: `10.77.1.5/24` is an address in the subnet of network `lan`, not the subnet; write `10.77.1.0/24`
    "#]],
    );
    check_networks(
        "  a: { cidr: 10.77.1.0/24 }
  b: { cidr: 10.77.0.0/16 }
  c: { cidr: 10.77.1.128/25, mode: isolated }
  d: { cidr: 10.77.1.0/24, mode: bridge, bridge: br0 }
",
        expect![[r#"
            1:14: network `a` (10.77.1.0/24) overlaps network `d` (10.77.1.0/24); give it another subnet, such as `10.78.2.0/24`
            2:14: network `b` (10.77.0.0/16) overlaps network `d` (10.77.1.0/24); give it another subnet, such as `10.78.1.0/24`
            3:14: network `c` (10.77.1.128/25) overlaps network `a` (10.77.1.0/24); give it another subnet, such as `10.78.3.0/24`
        "#]],
    );
    check_networks(
        "  a: { cidr: 127.0.0.0/24 }
  b: { cidr: 224.0.0.0/24 }
  c: { cidr: 169.254.3.0/24 }
  d: { cidr: 8.8.8.0/24 }
  e: { cidr: 10.0.0.0/12 }
  f: { cidr: 0.0.0.0/0, mode: isolated }
",
        expect![[r#"
            1:14: network `a` (127.0.0.0/24) is in a range of loopback addresses, which machines cannot have; use a private one, such as `10.77.1.0/24`
            2:14: network `b` (224.0.0.0/24) is in a range of multicast addresses, which machines cannot have; use a private one, such as `10.77.1.0/24`
            3:14: network `c` (169.254.3.0/24) is in a range of link-local addresses, which machines cannot have; use a private one, such as `10.77.1.0/24`
            4:14: warning: network `d` (8.8.8.0/24) has public addresses, whose owners its machines cannot reach; a private one would be `10.77.1.0/24`
            5:14: warning: network `e` (10.0.0.0/12) has 1048576 addresses, and may hide networks that the host needs; `/16` is large already
            6:14: network `f` (0.0.0.0/0) takes too much of all addresses; use a private subnet, such as `10.77.1.0/24`
            6:14: network `f` (0.0.0.0/0) overlaps network `d` (8.8.8.0/24); give it another subnet, such as `10.77.1.0/24`
        "#]],
    );
    check_networks(
        "  a: { cidr: 10.77.1.0/30 }
  b: { cidr: 10.77.2.0/31 }
  c: { cidr: 10.77.3.0/32 }
",
        expect![[r#"
            1:14: network `a` (10.77.1.0/30) is too small for machines; use `/29` or larger, such as `10.77.4.0/24`
            2:14: network `b` (10.77.2.0/31) is too small for machines; use `/29` or larger, such as `10.77.4.0/24`
            3:14: network `c` (10.77.3.0/32) is too small for machines; use `/29` or larger, such as `10.77.4.0/24`
        "#]],
    );
    check_file(
        "\
version: 1
name: a
defaults: { image: tiny }
networks: { lan: { cidr: 10.77.1.0/29 } }
machines: { web: { replicas: 9 } }
",
        expect![[r#"
        4:26: network `lan` (10.77.1.0/29) has no address left for 4 of the 9 interfaces on it; widen it to `/27`
    "#]],
    );
    check_networks(
        "  a: { mode: bridge }
  b: { cidr: 10.77.1.0/24, bridge: br0 }
  c: { mode: bridge, bridge: br0, dhcp: false }
  d: { mode: bridge, bridge: \"br 0\" }
",
        expect![[r#"
            1:3: network `a` is a bridge and does not say which; add `bridge: br0`, with the name of a bridge of the host
            2:28: network `b` names the bridge `br0` and is no bridge; add `mode: bridge`, or leave `bridge` out
            3:35: network `c` is a bridge, where addresses come from what is there already; leave `dhcp` out
            4:30: network `d` names the bridge `br 0`, which no device can be called; write a name of at most 15 letters, digits, `-`, `_` and `.`, such as `br0`
        "#]],
    );
    check_networks(
        "  a: { cidr: 10.77.1.0/24, dhcp: false, domain: corp.lab }\n",
        expect![[r#"
        1:41: warning: network `a` has no DHCP, and so the host knows no machine by a name in `corp.lab`; leave `domain` or `dhcp: false` out
    "#]],
    );
    check_networks(
        "  office: { mode: bridge, bridge: br0, cidr: 192.168.7.0/24 }
  same: { mode: bridge, bridge: br1, cidr: 192.168.7.0/24 }
  lan: { cidr: 192.168.7.0/25 }
  around: { cidr: 192.168.0.0/16, mode: isolated }
",
        expect![[r#"
            3:16: network `lan` (192.168.7.0/25) overlaps network `same` (192.168.7.0/24); give it another subnet, such as `10.77.2.0/24`
            4:19: network `around` (192.168.0.0/16) overlaps network `office` (192.168.7.0/24); give it another subnet, such as `10.77.1.0/24`
        "#]],
    );
    check_networks(
        "  a: { cidr: 10.77.1.0/24, domain: Corp Lab }\n",
        expect![[r#"
        1:36: network `a` has the domain `Corp Lab`, which is none; write labels of lower-case letters, digits and hyphens, such as `corp.lab`
    "#]],
    );
    check_file(
        "\
version: 1
name: a
machines: { web: { image: tiny }, db: { image: tiny } }
",
        expect![[r#"
        3:13: machine `web` is on no network, as the lab has none; add one, such as `networks: { lan: { cidr: 10.77.1.0/24 } }`
    "#]],
    );
}

#[test]
fn nics_and_addresses() {
    check(
        "machines:\n  web: { nics: [ wan, lam, { network: lann, address: 10.0.0.1 } ] }\n",
        expect![[r#"
        2:18: machine `web` is on the network `wan`, which the lab does not have, did you mean `lan`?
        2:23: machine `web` is on the network `lam`, which the lab does not have, did you mean `lan`?
        2:39: machine `web` is on the network `lann`, which the lab does not have, did you mean `lan`?
    "#]],
    );
    check_file(
        "\
version: 1
name: a
machines: { web: { image: tiny, nics: [ lan ] } }
",
        expect![[r#"
        3:41: machine `web` is on the network `lan`, and the lab has none; add it under `networks`, such as `lan: { cidr: 10.77.1.0/24 }`
    "#]],
    );
    check(
        "\
machines:
  web:
    nics:
      - { network: lan, address: 10.77.2.9 }
      - { network: lan, address: 10.77.1.0 }
      - { network: lan, address: 10.77.1.1 }
      - { network: lan, address: 10.77.1.255 }
      - { network: br, address: 10.77.1.9 }
",
        expect![[r#"
        4:34: address 10.77.2.9 of machine `web` is outside network `lan` (10.77.1.0/24); write one from 10.77.1.2 to 10.77.1.254
        5:34: address 10.77.1.0 of machine `web` is the network's own address on network `lan`; write one from 10.77.1.2 to 10.77.1.254
        6:34: address 10.77.1.1 of machine `web` is the host's own address on network `lan`; write one from 10.77.1.2 to 10.77.1.254
        7:34: address 10.77.1.255 of machine `web` is the broadcast address on network `lan`; write one from 10.77.1.2 to 10.77.1.254
        8:33: address 10.77.1.9 of machine `web` has no prefix length, as network `br` has no `cidr`; add it, with the subnet of the bridge
    "#]],
    );
    check(
        "\
machines:
  web: { nics: [ { network: lan, address: 10.77.1.9 } ] }
  db: { nics: [ { network: lan, address: 10.77.1.9 } ] }
  c: { nics: [ { network: lan, address: 10.77.1.8 }, { network: lan, address: 10.77.1.8 } ] }
",
        expect![[r#"
        3:42: address 10.77.1.9 of machine `db` is that of machine `web` too; give each its own
        4:79: machine `c` has the address 10.77.1.8 twice on network `lan`; give each interface its own
    "#]],
    );
    check(
        "machines:\n  web: { replicas: 3, nics: [ { network: lan, address: 10.77.1.9 } ] }\n",
        expect![[r#"
        2:56: address 10.77.1.9 would be that of all 3 replicas of machine `web`; write `10.77.1.9+` to count up from it
    "#]],
    );
    check(
        "machines:\n  web: { replicas: 9, nics: [ { network: lan, address: 10.77.1.250+ } ] }\n",
        expect![[r#"
        2:56: address 10.77.1.250+ of machine `web` counts up to 10.77.2.2 over 9 replicas, past the end of network `lan` (10.77.1.0/24); start lower, or widen the network
    "#]],
    );
    check(
        "\
machines:
  web: { replicas: 3, nics: [ { network: lan, address: 10.77.1.9+ } ] }
  db: { nics: [ { network: lan, address: 10.77.1.11 } ] }
",
        expect![[r#"
        3:42: address 10.77.1.11 of machine `db` is that of machine `web-3` too; give each its own
    "#]],
    );
    check(
        "\
machines:
  web: { nics: [ { network: lan, mac: 52:54:00:00:00:01 } ] }
  db: { nics: [ { network: lan, mac: 52:54:00:00:00:01 }, { network: lan, mac: 52:54:00:00:00:01 } ] }
",
        expect![[r#"
        3:38: MAC address 52:54:00:00:00:01 of machine `db` is that of machine `web` too; give each its own
        3:80: MAC address 52:54:00:00:00:01 of machine `db` is that of machine `web` too; give each its own
    "#]],
    );
    check("\
machines:
  web: { nics: [ { network: lan, mac: 53:54:00:00:00:01 }, { network: lan, mac: ff:ff:ff:ff:ff:ff }, { network: lan, mac: 00:00:00:00:00:00 }, { network: lan, mac: fe:54:00:00:00:01 } ] }
  db: { replicas: 2, nics: [ { network: lan, mac: 52:54:00:00:00:01 } ] }
", expect![[r#"
        2:39: MAC address 53:54:00:00:00:01 of machine `web` is one of a group; the first byte of a single interface is even, such as `52:54:00:00:00:01`
        2:81: MAC address ff:ff:ff:ff:ff:ff of machine `web` is the broadcast address; write one such as `52:54:00:12:34:56`
        2:123: MAC address 00:00:00:00:00:00 of machine `web` is none; write one such as `52:54:00:12:34:56`, or leave it out
        2:165: MAC address fe:54:00:00:00:01 of machine `web` starts with `fe`, which libvirt keeps for the host's end; write one such as `52:54:00:12:34:56`
        3:51: MAC address 52:54:00:00:00:01 would be that of all 2 replicas of machine `db`; leave it out, and each gets its own
    "#]]);
    check(
        &format!(
            "\
machines:
  web: {{ nics: [ {} ] }}
  db: {{ nics: [] }}
",
            ["lan"; 17].join(", ")
        ),
        expect![[r#"
        2:10: machine `web` has 17 network interfaces; have at most 16
        3:9: warning: machine `db` has no network interface, so nothing can log in or configure it; leave `nics` out for the lab's first network
    "#]],
    );
}

#[test]
fn images_and_hosts() {
    check(
        "\
machines:
  web: { image: debain-12 }
  db: { image: windows }
",
        expect![[r#"
        2:17: image `debain-12` is unknown, did you mean `debian-12`?
        3:16: image `windows` is unknown; there are `debian-12` and `tiny`
    "#]],
    );
    check_file(
        "\
version: 1
name: a
networks: { lan: { cidr: 10.77.1.0/24 } }
machines: { web: {}, db: { image: tiny } }
",
        expect![[r#"
        4:13: machine `web` has no image to start from; add `image: NAME` to it or to `defaults`
    "#]],
    );
    check(
        "\
machines:
  web: { image: tiny, firmware: uefi }
  db: { firmware: uefi }
",
        expect![[r#"
        2:33: machine `web` boots with UEFI, which its image `tiny` cannot; write `firmware: bios`, or choose another image
    "#]],
    );
    check(
        "\
host: atic
machines:
  web: { host: cellar }
",
        expect![[r#"
        1:7: host `atic` is unknown, did you mean `attic`?
        3:16: host `cellar` is unknown; there are `attic` and `local`
    "#]],
    );
    let nothing = Surroundings { images: Some(BTreeMap::new()), hosts: Some(BTreeSet::new()), ..Surroundings::default() };
    let text = "\
version: 1
name: a
host: x
networks: { lan: { cidr: 10.77.1.0/24 } }
machines: { web: { image: tiny } }
";
    expect![[r#"
        3:7: host `x` is unknown, and no other is there yet; add it first
        5:27: image `tiny` is unknown, and no other is there yet; add or build it first
    "#]]
    .assert_eq(&lines(text, &nothing));
    expect![[""]].assert_eq(&lines(text, &Surroundings::default()));
}

#[test]
fn dependencies() {
    check(
        "\
machines:
  web: { depends_on: [ bd, web, storage ] }
  bd-: {}
  db: {}
",
        expect![[r#"
        2:24: machine `web` depends on `bd`, which the lab does not have; add it, or leave it out
        2:28: machine `web` depends on itself; leave it out
        2:33: machine `web` depends on `storage`, which the lab does not have; add it, or leave it out
        3:3: machine name `bd-` cannot be used; use lower-case letters, digits and hyphens, at most 63, with a letter or digit at both ends, such as `bd`
    "#]],
    );
    check(
        "\
machines:
  web: { depends_on: [ app-1 ] }
  app: { replicas: 2 }
",
        expect![[r#"
        2:24: machine `web` depends on `app-1`, one replica; depend on all of them with `app`
    "#]],
    );
    check(
        "\
machines:
  c: { depends_on: [ a ] }
  a: { depends_on: [ b ] }
  b: { depends_on: [ c ] }
  x: { depends_on: [ c, y ] }
  y: { depends_on: [ x ] }
",
        expect![[r#"
        2:22: machines wait for each other: c -> a -> b -> c; take one `depends_on` out
        5:25: machines wait for each other: x -> y -> x; take one `depends_on` out
        6:3: machine name `y` reads as true or false in YAML; choose another, such as `machine-y`
    "#]],
    );
    let chain: String = (0..12).map(|n| format!("  m{n}: {{ depends_on: [ m{} ] }}\n", (n + 1) % 12)).collect();
    check(
        &format!("machines:\n{chain}"),
        expect![[r#"
        2:23: machines wait for each other: m0 -> m1 -> m2 -> m3 -> m4 -> m5 -> … -> m0, 12 machines in all; take one `depends_on` out
    "#]],
    );
}

#[test]
fn sizes() {
    check(
        "\
machines:
  web: { memory: 32 MiB, disk: 65 TiB, disks: { a: 100 KiB, b: 65 TiB } }
  db: { memory: 17 TiB, disk: 1 GiB }
",
        expect![[r#"
        2:18: machine `web` has 32 MiB of memory, in which no system boots; write at least `64 MiB`
        2:32: the disk of machine `web` has 65 TiB; write at most `64 TiB`
        2:52: disk `a` of machine `web` has 100 KiB; write at least `1 MiB`
        2:64: disk `b` of machine `web` has 65 TiB; write at most `64 TiB`
        3:17: machine `db` has 17 TiB of memory, more than any host gives; write at most `16 TiB`
        3:31: the disk of machine `db` has 1 GiB, and its image `debian-12` needs 2 GiB; write `disk: 2 GiB` or more
    "#]],
    );
    check_file(
        "\
version: 1
name: a
defaults: { image: debian-12, disk: 1 GiB, memory: 16 MiB, vcpus: 0 }
networks: { lan: { cidr: 10.77.1.0/24 } }
machines: { web: {}, db: {} }
",
        expect![[r#"
        3:37: the disk of machine `web` has 1 GiB, and its image `debian-12` needs 2 GiB; write `disk: 2 GiB` or more
        3:52: machines have 16 MiB of memory, in which no system boots; write at least `64 MiB`
        3:67: `vcpus` is the number 0; write a whole number from 1 to 255
    "#]],
    );
    check(
        "\
machines:
  web: { memory: 1.1 GiB, disk: 4.7 GiB, disks: { a: 0.5 KiB }, vcpus: 255 }
  db: { vcpus: 256 }
",
        expect![[r#"
            2:54: disk `a` of machine `web` has 1 KiB; write at least `1 MiB`
            3:16: `vcpus` is the number 256; write a whole number from 1 to 255
        "#]],
    );
    for (written, kib) in [("1.1 GiB", 1_153_434), ("1.5 GiB", 1_572_864), ("0.1 MiB", 103)] {
        assert_eq!(written.parse(), Ok(Size::bytes(kib << 10)), "{written}");
    }
    let disks: String = (0..21).map(|n| format!("d{n}: 1 GiB, ")).collect();
    check(
        &format!("machines:\n  web: {{ disks: {{ {disks} }} }}\n"),
        expect![[r#"
        2:10: machine `web` has 21 extra disks; have at most 20
    "#]],
    );
}

#[test]
fn ports() {
    check(
        "\
machines:
  web: { ports: { \"8080\": 80, \"443\": 443, \"8081\": 0 } }
  db: { ports: { \"8080\": 5432 } }
",
        expect![[r#"
        2:31: warning: port 443 of this computer takes a privilege that ordinary users lack; a port from 1024 up, such as 8443, takes none
        2:51: port `8081` is the number 0; write a port of the machine, a whole number from 1 to 65535
        3:18: port 8080 of this computer is published by machine `web` and by machine `db`; choose another
    "#]],
    );
    check(
        "\
machines:
  web: { replicas: 3, ports: { \"8080\": 80, \"8082\": 81, \"65534\": 82 } }
  db: { ports: { \"8081\": 5432 } }
",
        expect![[r#"
        2:44: port 8082 of this computer is published twice by machine `web`, as its replicas count up; leave 3 ports between
        2:56: port 65534 of machine `web` counts up to 65536 over 3 replicas; ports end at 65535, start lower
        3:18: port 8081 of this computer is published by machine `web` and by machine `db`; choose another
    "#]],
    );
    check(
        "\
machines:
  web: { nics: [ br ], ports: { \"8080\": 80 } }
  db: { nics: [], ports: { \"8081\": 80 } }
",
        expect![[r#"
        2:24: warning: machine `web` publishes ports and its address is not known before it runs; add a NAT network to its `nics`, or a fixed `address`
        3:9: warning: machine `db` has no network interface, so nothing can log in or configure it; leave `nics` out for the lab's first network
        3:19: machine `db` publishes ports and has no network interface; add `nics: [ NETWORK ]`
    "#]],
    );
}

#[test]
fn users_keys_and_packages() {
    let key = "AAAAC3NzaC1lZDI1NTE5AAAAIGJtYWNoaW5lLWtleS1mb3ItdGVzdHMtb25seS0wMDAw";
    check(
        "\
machines:
  web: { user: root }
  db: { user: My Name }
  c: { user: \"\" }
  d: { user: backup }
  e: { user: systemd-network }
  f: { user: sudo }
  g: { user: backups }
",
        expect![[r#"
            2:16: user `root` cannot be the account to log in with; choose another, such as `lab`: it may become root with sudo
            3:15: user `My Name` is no account name; write lower-case letters, digits, `-` and `_`, at most 32, beginning with a letter
            4:14: user `` is no account name; write lower-case letters, digits, `-` and `_`, at most 32, beginning with a letter
            5:14: user `backup` is an account or group that Debian brings; choose another, such as `lab`
            6:14: user `systemd-network` is an account or group that Debian brings; choose another, such as `lab`
            7:14: user `sudo` is an account or group that Debian brings; choose another, such as `lab`
        "#]],
    );
    check(
        &format!(
            "\
machines:
  web:
    ssh_keys:
      - ssh-ed25519 {key} me@home
      - ssh-ed25519 {key} the same again
      - ssh-ed25519 AAAA
      - ~/.ssh/id_ed25519.pub
      - hello
      - ssh-dss {key}
      - |
        -----BEGIN OPENSSH PRIVATE KEY-----
        b3Blb
      - |
        ssh-ed25519 {key} a
        ssh-ed25519 {key} b
      - from=\"10.0.0.1\" ssh-ed25519 {key}x
"
        ),
        expect![[r#"
            5:9: warning: `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJt…` is there twice; one is enough
            6:9: `ssh-ed25519 AAAA` is not a whole public key; copy all of the line from the file that ends in `.pub`
            7:9: `~/.ssh/id_ed25519.pub` is no public SSH key; write the text in that file, not its name
            8:9: `hello` is no public SSH key; write a line such as `ssh-ed25519 AAAA… me@home`
            9:9: this is a DSA key, which today's OpenSSH refuses; make another with `ssh-keygen -t ed25519`
            11:9: this is a private key, which nobody but its owner may have; put the public key here (the file that ends in `.pub`), and make a new pair if this file was shared
            14:9: `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJt…` has several lines; write each public key as an item of its own
        "#]],
    );
    check(
        "machines:\n  web: { packages: [ nginx, \"curl wget\", --force, \"\", \"a;b\", nginx=1.2-3, libstdc++6 ] }\n",
        expect![[r#"
        2:29: package `curl wget` has blanks in it; write each package as an item of its own
        2:42: package `--force` would be taken for an option; write only the name
        2:51: the name of a package is empty; leave it out
        2:55: package `a;b` is no package name; write letters, digits and `+-._`, such as `nginx`
    "#]],
    );
}

#[test]
fn control_characters() {
    check("\
description: \"a\\0b\"
machines:
  web: { description: \"a\\eb\", packages: [ \"a\\0\" ], user: \"a\\x07\", cloud_config: { runcmd: [ \"a\\0\" ] }, ansible: [ { shell: \"a\\0\" } ] }
", expect![[r#"
        1:14: the text has the control character U+0000, which cannot reach a machine unharmed; take it out
        3:23: the text has the control character U+001B, which cannot reach a machine unharmed; take it out
        3:43: package `a\u{0}` is no package name; write letters, digits and `+-._`, such as `nginx`
        3:58: user `a\u{7}` is no account name; write lower-case letters, digits, `-` and `_`, at most 32, beginning with a letter
        3:93: the text has the control character U+0000, which cannot reach a machine unharmed; take it out
        3:124: the text has the control character U+0000, which cannot reach a machine unharmed; take it out
    "#]]);
}

#[test]
fn a_lab_without_machines_is_odd() {
    check(
        "",
        expect![[r#"
        -3:1: warning: the lab has no machine; add one, such as `machines: { web: { image: debian-12 } }`
    "#]],
    );
    check(
        "machines: {}\n",
        expect![[r#"
        1:1: warning: the lab has no machine; add one, such as `machines: { web: { image: debian-12 } }`
    "#]],
    );
}

#[test]
fn labs_that_would_unfold_into_too_many() {
    let many: String = (0..11).map(|n| format!("  m{n}: {{ replicas: 1000 }}\n")).collect();
    check(
        &format!("machines:\n{many}"),
        expect![[r#"
        1:1: the lab has 11000 machines; have at most 10000 in one lab
    "#]],
    );
    check(
        "\
machines:
  web: { replicas: 1000, depends_on: [ a, b ] }
  a: { replicas: 1000 }
  b: { replicas: 1000 }
",
        expect![[r#"
            2:38: machine `web` waits 2000000 times for another, counting replicas, and a lab has room for 1000000 such waits; have fewer replicas, or depend on fewer
        "#]],
    );
    let mut lab = file::read(
        "\
version: 1
name: a
machines: { web: { image: x } }
",
    )
    .unwrap();
    lab.machines["web"].replicas = Some(u32::MAX);
    lab.machines["web"].depends_on = vec!["web".into()];
    let found: Vec<String> = problems(&lab, &Surroundings::default())
        .into_iter()
        .map(|problem| format!("{}: {}\n", problem.path, problem.message))
        .collect();
    expect![[r#"
        machines.web.replicas: machine `web` has 4294967295 replicas; write a number from 1 to 1000
        machines.web: machine `web` is on no network, as the lab has none; add one, such as `networks: { lan: { cidr: 10.77.1.0/24 } }`
        machines.web.depends_on[0]: machine `web` depends on itself; leave it out
    "#]].assert_eq(&found.concat());
}

#[test]
fn cloud_config() {
    check(
        "\
machines:
  web:
    cloud_config:
      timezone: Europe/Paris
      package_update: maybe
      timezon: x
      whatever: 1
      write_files:
        - { path: /a, contents: x }
        - { content: x }
        - { path: /a, encoding: base65 }
      runcmd: ls
      users: [ { name: a, sudo: 5 } ]
      mounts: []
",
        expect![[r#"
        5:23: `package_update` is the text `maybe`, and cloud-init takes `true` or `false`
        6:7: warning: cloud-init has no module that reads `timezon`, did you mean `timezone`?
        7:7: warning: cloud-init has no module that reads `whatever`, and ignores it; leave it out
        9:23: cloud-init knows no `contents` here, did you mean `content`?
        10:11: cloud-init needs `path` here; add it
        11:33: `encoding` is the text `base65`, did you mean `base64`?
        12:15: `runcmd` is the text `ls`, and cloud-init takes a list
        13:33: `sudo` is the number 5, and cloud-init takes text, `true` or `false`
        14:15: `mounts` is an empty list; add an item, or leave it out
    "#]],
    );
    check(
        "\
machines:
  web:
    cloud_config:
      ntp: { enabled: yes, servers: one, pools: [ a, a ] }
      power_state: { mode: stop }
      growpart: { mode: auto, devices: / }
      locale: 5
      bootcmd: []
      swap: { size: [] }
",
        expect![[r#"
        4:37: `servers` is the text `one`, and cloud-init takes a list
        4:49: `pools` has an entry twice; keep one
        5:28: `mode` is the text `stop`, and cloud-init takes `poweroff`, `reboot` or `halt`
        6:40: `devices` is the text `/`, and cloud-init takes a list
        7:15: `locale` is the number 5, and cloud-init takes text
        8:16: `bootcmd` is an empty list; add an item, or leave it out
        9:21: `size` is a list, and cloud-init takes `auto`
    "#]],
    );
}

#[test]
fn cloud_config_that_would_lock_us_out() {
    check(
        "\
machines:
  text: { cloud_config: { users: default } }
  mapping: { cloud_config: { users: { ada: true } } }
  number: { cloud_config: { users: 5 } }
  list: { cloud_config: { users: [ default ] } }
  keys: { cloud_config: { ssh_keys: { ed25519_private: x, ed25519_public: y, rsa_private: z } } }
",
        expect![[r#"
            2:34: `users` is the text `default`, which would replace the account that we log in with; write a list, and ours is joined in front
            3:37: `users` is a mapping, which would replace the account that we log in with; write a list, and ours is joined in front
            4:36: `users` is the number 5, and cloud-init takes text, a list or a mapping
            6:39: `ed25519_private` would replace the machine's host key, which is made for it and checked at every login; leave it out
            6:59: `ed25519_public` would replace the machine's host key, which is made for it and checked at every login; leave it out
        "#]],
    );
}

#[test]
fn cloud_config_that_nothing_reads() {
    check(
        "\
machines:
  web: { cloud_config: { password: x, ssh_authorized_keys: [ x ], ssh_import_id: [ x ], network: { config: disabled } } }
  listed: { cloud_config: { password: x, users: [ ada, default ] } }
  named: { cloud_config: { password: x, user: ada } }
",
        expect![[r#"
            2:26: warning: `password` is for the image's own account, which is not made where we make another; write `chpasswd: { users: [ … ] }`
            2:39: warning: `ssh_authorized_keys` is for the image's own account, which is not made where we make another; write `ssh_keys` of the machine
            2:67: warning: `ssh_import_id` is for the image's own account, which is not made where we make another; write it into an entry of `users`
            2:89: warning: cloud-init has no module that reads `network`, and ignores it; leave it out
        "#]],
    );
}

#[test]
fn ansible_tasks() {
    check(
        "\
machines:
  web:
    ansible:
      - name: Nothing
        when: true
      - apt: { name: a }
        copy: { dest: /a }
      - apt: { name: a }
        whn: x
      - {}
      - hosts: all
        tasks: []
      - block:
          - debug:
          - name: Empty
          - 5
        rescue: x
      - rescue: []
      - Apt: { name: a }
      - become it: true
        apt: {}
      - block: []
        apt: {}
      - ansible.builtin.apt: { name: a }
        with_items: [ a ]
",
        expect![[r#"
        4:9: task `Nothing` has no module, only `name` and `when`; add one, such as `apt: { name: nginx }`
        7:9: task 2 has the modules `apt` and `copy`; a task runs one, so make each a task of its own
        9:9: task 3 has `whn`, which is no keyword of a task, did you mean `when`?
        10:9: task 4 is empty; write a module, such as `apt: { name: nginx }`
        11:9: task 5 is a play, as it has `hosts`; write only its tasks here, or put it into a file and write `ansible: playbook.yml`
        15:13: task `Empty` has no module, only `name`; add one, such as `apt: { name: nginx }`
        16:13: task 3 of `block` is the number 5; write a mapping such as `{ apt: { name: nginx } }`
        17:17: `rescue` of task 6 is the text `x`; write a list of tasks
        18:9: task 7 has `rescue` and no `block`; add the block that it belongs to
        19:9: task 8 has `Apt`, which is neither a module nor a keyword; write the name of a module, such as `apt`
        20:9: task 9 has `become it`, which is neither a module nor a keyword; write the name of a module, such as `apt`
        23:9: task 10 has `block` and the module `apt`; put it into the block
    "#]],
    );
    check(
        "machines:\n  web: { ansible: [] }\n",
        expect![[r#"
        2:19: warning: machine `web` has an empty list of tasks; add one, or leave `ansible` out
    "#]],
    );
}

#[test]
fn handlers_are_where_they_can_be() {
    check(
        "\
machines:
  web:
    ansible:
      - name: Configure
        copy: { dest: /etc/a }
        notify: restart
      - block:
          - copy: { dest: /etc/b }
            notify: restart
      - service: { name: a, state: restarted }
        listen: restart
  role:
    ansible:
      - copy: { dest: /etc/a }
        notify: restart
      - block: [ { ansible.builtin.import_role: { name: web } } ]
",
        expect![[r#"
            6:9: `notify` finds no handler here; handlers need a playbook file, such as `ansible: playbooks/web.yml`
            9:13: `notify` finds no handler here; handlers need a playbook file, such as `ansible: playbooks/web.yml`
            11:9: `listen` is a handler's, and this is a task; handlers need a playbook file, such as `ansible: playbooks/web.yml`
        "#]],
    );
}

#[test]
fn ansible_playbooks() {
    let names = [
        "good",
        "tasks",
        "no-hosts",
        "mapping",
        "text",
        "list-of-text",
        "empty",
        "no-plays",
        "broken",
        "missing",
        "not-listed",
    ];
    let machines: String = names.map(|name| format!("  {name}: {{ ansible: playbooks/{name}.yml }}\n")).concat();
    check(
        &format!("machines:\n{machines}"),
        expect![[r#"
        3:21: playbook `playbooks/tasks.yml`, line 2: this is a task, and a playbook is a list of plays; put the tasks below `- hosts: all` and `tasks:`
        4:24: playbook `playbooks/no-hosts.yml`, line 2: the play has neither `hosts` nor `import_playbook`; add `hosts: all`
        5:23: playbook `playbooks/mapping.yml` is a single mapping; a playbook is a list of plays, so write `- ` before `hosts`
        6:20: playbook `playbooks/text.yml` is the text `just text`; write a list of plays, such as `- hosts: all`
        7:28: playbook `playbooks/list-of-text.yml`, line 1: a play is a mapping with `hosts`, and this is the text `one`
        8:21: playbook `playbooks/empty.yml` is empty; write a list of plays, such as `- hosts: all`
        9:24: playbook `playbooks/no-plays.yml` has no play; write one, such as `- hosts: all`
        10:22: playbook `playbooks/broken.yml` cannot be read, line 3: the file ends while something is still open; check brackets, braces and quotes
        11:23: playbook `playbooks/missing.yml` cannot be read: there is no such file
    "#]],
    );
    check(
        "\
machines:
  a: { ansible: /etc/x.yml }
  b: { ansible: ../x.yml }
  c: { ansible: ~/x.yml }
  d: { ansible: \"a b.yml\" }
  e: { ansible: \"\" }
  f: { ansible: \"{{ x }}\" }
",
        expect![[r#"
        2:17: playbook `/etc/x.yml` is no path relative to the lab file; write a path below the lab file's folder, such as `playbooks/web.yml`
        3:17: playbook `../x.yml` leads out of the lab's folder; write a path below the lab file's folder, such as `playbooks/web.yml`
        4:17: playbook `~/x.yml` is no path relative to the lab file; write a path below the lab file's folder, such as `playbooks/web.yml`
        5:17: playbook `a b.yml` has a name in it that Ansible would take apart: use letters, digits and `. _ - + @`; write a path below the lab file's folder, such as `playbooks/web.yml`
        6:17: playbook `` is no path; write a path below the lab file's folder, such as `playbooks/web.yml`
        7:17: playbook `{{ x }}` has a name in it that Ansible would take apart: use letters, digits and `. _ - + @`; write a path below the lab file's folder, such as `playbooks/web.yml`
    "#]],
    );
}

#[test]
fn ansible_roles() {
    check(
        "\
machines:
  web: { ansible: { roles: [ web, gone, { role: web, vars: { a: 1 } }, { vars: {} }, 5, \"a b\", a.b.c ] } }
  db: { ansible: { roles: [ web ], path: ../roles } }
  c: { ansible: { roles: [] } }
",
        expect![[r#"
        2:35: role folder `roles/gone` cannot be read: there is no such folder
        2:72: item 4 of `roles` is a mapping without `role`; write the name of a role, or a mapping such as `{ role: web }`
        2:86: item 5 of `roles` is the number 5; write the name of a role, or a mapping such as `{ role: web }`
        2:89: role `a b` has no name that a role can have; write letters, digits, `_`, `-` and `.`
        3:42: the folder of roles `../roles` leads out of the lab's folder; write a path below the lab file's folder, such as `roles`
        4:26: warning: machine `c` has an empty list of roles; add one, or leave `ansible` out
    "#]],
    );
    let lab = file::read(
        "\
version: 1
name: a
machines:
  a: { ansible: p/a.yml }
  b: { ansible: { roles: [ x, { role: y }, a.b.c ], path: more } }
  c: { ansible: { roles: [ x ] } }
  d: { ansible: ../../etc/passwd }
  e: { ansible: p/a.yml }
",
    )
    .unwrap();
    assert_eq!(file::referenced_files(&lab), ["more/x", "more/y", "p/a.yml", "roles/x"]);
}

#[test]
fn deep_and_large_files_are_refused_quickly() {
    check_file(
        &"[".repeat(100_000),
        expect![[r#"
        1:256: lists and mappings lie too deep in each other here; no lab needs that
    "#]],
    );
    check_file(
        &format!("version: 1\nname: {}a{}\n", "[".repeat(100), "]".repeat(100)),
        expect![[r#"
        2:70: lists and mappings lie too deep in each other here; no lab needs that
    "#]],
    );
    check_file(
        &format!("a: {}", "{a: ".repeat(50_000)),
        expect![[r#"
        1:256: lists and mappings lie too deep in each other here; no lab needs that
    "#]],
    );
    let mut bomb = "a0: &a0 [ x, x, x, x, x, x, x, x, x, x ]\n".to_owned();
    for n in 1..30 {
        bomb += &format!("a{n}: &a{n} [ {} ]\n", vec![format!("*a{}", n - 1); 10].join(", "));
    }
    check_file(
        &bomb,
        expect![[r#"
        5:5: anchors repeat too much here; write out what the lab needs, or use `replicas`
    "#]],
    );
    // Each only as deep as may be, and deeper by what it repeats.
    let deep = |inner: &str| format!("{}{inner}{}", "[".repeat(60), "]".repeat(60));
    let mut stairs = format!("machines:\n  web:\n    cloud_config:\n      a0: &a0 {}\n", deep("x"));
    for n in 1..56 {
        stairs += &format!("      a{n}: &a{n} {}\n", deep(&format!("*a{}", n - 1)));
    }
    check(
        &stairs,
        expect![[r#"
        5:75: lists and mappings lie too deep in each other here; no lab needs that
    "#]],
    );
    check_file(
        &format!(
            "\
version: 1
name: a
description: {}
",
            "x".repeat(17 << 20)
        ),
        expect![[r#"
        1:1: the file is larger than 16 MiB; split it into several labs
    "#]],
    );
}

#[test]
fn a_file_of_nothing_but_mistakes_is_read_too() {
    let fields: String = (0..4_000).map(|n| format!("  field-{n}: x\n")).collect();
    let list = "5, ".repeat(4_000);
    let text = format!("version: 1\nname: a\ndefaults:\n{fields}machines: {{ web: {{ nics: [ {list} ] }} }}\n");
    let start = std::time::Instant::now();
    assert_eq!(file::check(&text, &Surroundings::default()).problems.len(), 8_001);
    assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
}

#[test]
fn paths_name_the_place_in_the_lab() {
    let text = "\
version: 1
name: a
machines:
  web:
    nics: [ 5, { network: lan, address: 10.0.0.9 }, 6, wan ]
    cloud_config: { \"a b\": 1 }
networks: { lan: { cidr: 10.77.1.0/24 } }
defaults: { image: tiny }
";
    let found: Vec<String> =
        file::check(text, &surroundings()).problems.into_iter().map(|problem| problem.path + "\n").collect();
    expect![[r#"
        machines.web.nics[0]
        machines.web.nics[1].address
        machines.web.nics[2]
        machines.web.nics[3]
        machines.web.cloud_config["a b"]
    "#]]
    .assert_eq(&found.concat());
}

#[test]
fn the_committed_schema_is_that_of_the_model() {
    let schema = serde_json::to_string_pretty(&sorted(file::schema())).unwrap() + "\n";
    expect_file!["../schemas/lab.schema.json"].assert_eq(&schema);
}

/// The order of fields says nothing, and must not change with it.
fn sorted(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::Object(fields) => {
            let fields: BTreeMap<String, Value> = fields.into_iter().map(|(name, value)| (name, sorted(value))).collect();
            Value::Object(fields.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

#[test]
fn the_examples_have_no_problem() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            seen += 1;
            let text = std::fs::read_to_string(&path).unwrap();
            assert_eq!(lines(&text, &surroundings()), "", "{}", path.display());
            let lab = file::read(&text).unwrap();
            assert_eq!(file::read(&file::write(&lab)).unwrap(), lab);
        }
    }
    assert!(seen >= 4, "{seen} examples");
}

#[test]
fn the_guide_shows_what_check_says() {
    let guide = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/lab-file.md")).unwrap();
    let blocks: Vec<&str> = guide.split("```").skip(1).step_by(2).collect();
    let [good, _, bad, said] = blocks[..] else { panic!("{} blocks", blocks.len()) };
    let yaml = |block: &str| block.strip_prefix("yaml\n").unwrap().to_owned();
    assert_eq!(lines(&yaml(good), &surroundings()), "");
    let found: String = lines(&yaml(bad), &surroundings()).lines().map(|line| format!("bad.yaml:{line}\n")).collect();
    assert_eq!(found, said.trim_start());
}
