//! What rendering writes, byte for byte, and that no text of the author's is changed or evaluated on the way.

use std::collections::BTreeMap;

use expect_test::{Expect, expect};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use vlm_lab::{
    Lab,
    render::{Context, DomainType, Files, KeyPair, UefiFirmware, ansible, cloud_init, terraform},
};

const TWO_MACHINES: &str = r#"
version: 1
name: pair
defaults: { image: debian-12 }
networks:
  lan: { cidr: 10.77.1.0/24 }
  back: { mode: isolated, cidr: 10.77.2.0/24, dhcp: false }
machines:
  web:
    description: the "front"
    replicas: 1
    firmware: uefi
    nics: [ lan, { network: back, address: 10.77.2.10+ } ]
    packages: [ nginx ]
    depends_on: [ db ]
    cloud_config:
      timezone: Europe/Paris
      runcmd: [ [ echo, "on" ] ]
      write_files: [ { path: /etc/motd, content: "one\n  two\n" } ]
      users: [ { name: guest } ]
    ansible: playbooks/web.yml
  db:
    memory: 1 GiB
    disks: { data: 10 GiB }
    nics: [ lan ]
    user: admin
    ssh_keys: [ ssh-ed25519 AAAAauthor me ]
    ansible: [ { name: PostgreSQL, apt: { name: postgresql } } ]
"#;

#[test]
fn terraform_reads_all_that_differs_from_a_variables_file() {
    check(
        &terraform_files(&lab(TWO_MACHINES)),
        "terraform.tfvars.json",
        expect![[r#"
            {
              "libvirt_uri": "qemu:///system",
              "pool": "vlm",
              "domain_type": "qemu",
              "networks": {
                "lan": {
                  "name": "pair.lan",
                  "bridge": "vlm06bd5261",
                  "mode": "nat",
                  "addresses": [
                    "10.77.1.0/24"
                  ],
                  "domain": "pair.lab",
                  "dhcp": true,
                  "dns": true
                },
                "back": {
                  "name": "pair.back",
                  "bridge": "vlmae402c90",
                  "mode": "none",
                  "addresses": [
                    "10.77.2.0/24"
                  ],
                  "domain": "pair.lab",
                  "dhcp": false,
                  "dns": true
                }
              },
              "machines": {
                "web-1": {
                  "name": "pair.web-1",
                  "description": "the \"front\"",
                  "vcpus": 1,
                  "memory_mib": 512,
                  "base_volume": "sha256-0123.qcow2",
                  "system_disk_bytes": 4294967296,
                  "disks": [],
                  "seed": "seeds/web-1.79026d3a9a548e47.iso",
                  "firmware": {
                    "code": "/firmware/CODE.fd",
                    "nvram_template": "/firmware/VARS.fd"
                  },
                  "nics": [
                    {
                      "network": "lan",
                      "bridge": null,
                      "mac": "52:54:00:09:fc:ad",
                      "address": "10.77.1.211",
                      "hostname": "web-1"
                    },
                    {
                      "network": "back",
                      "bridge": null,
                      "mac": "52:54:00:84:75:69",
                      "address": null,
                      "hostname": null
                    }
                  ]
                },
                "db": {
                  "name": "pair.db",
                  "description": null,
                  "vcpus": 1,
                  "memory_mib": 1024,
                  "base_volume": "sha256-0123.qcow2",
                  "system_disk_bytes": 4294967296,
                  "disks": [
                    {
                      "name": "data",
                      "size_bytes": 10737418240
                    }
                  ],
                  "seed": "seeds/db.98d5138b24ca9792.iso",
                  "firmware": null,
                  "nics": [
                    {
                      "network": "lan",
                      "bridge": null,
                      "mac": "52:54:00:90:3c:f1",
                      "address": "10.77.1.112",
                      "hostname": "db"
                    }
                  ]
                }
              }
            }
        "#]],
    );
}

#[test]
fn user_data_is_ours_with_the_authors_merged_over_it() {
    check_seed(
        "web-1",
        "user_data",
        expect![[r##"
        #cloud-config
        hostname: web-1
        fqdn: web-1.pair.lab
        manage_etc_hosts: localhost
        locale: "false"
        users:
        - name: lab
          shell: /bin/bash
          sudo: ALL=(ALL) NOPASSWD:ALL
          lock_passwd: true
          ssh_authorized_keys:
          - ssh-ed25519 AAAAlab
        - name: guest
        ssh_deletekeys: true
        ssh_genkeytypes:
        - ed25519
        ssh_keys:
          ed25519_private: |
            -----BEGIN OPENSSH PRIVATE KEY-----
            AAAA
            -----END OPENSSH PRIVATE KEY-----
          ed25519_public: ssh-ed25519 AAAAweb-1
        packages:
        - nginx
        timezone: Europe/Paris
        runcmd:
        - - echo
          - "on"
        write_files:
        - path: /etc/motd
          content: |
            one
              two
        package_update: true
    "##]],
    );
    check_seed(
        "db",
        "user_data",
        expect![[r##"
        #cloud-config
        hostname: db
        fqdn: db.pair.lab
        manage_etc_hosts: localhost
        locale: "false"
        users:
        - name: admin
          shell: /bin/bash
          sudo: ALL=(ALL) NOPASSWD:ALL
          lock_passwd: true
          ssh_authorized_keys:
          - ssh-ed25519 AAAAlab
          - ssh-ed25519 AAAAauthor me
        ssh_deletekeys: true
        ssh_genkeytypes:
        - ed25519
        ssh_keys:
          ed25519_private: |
            -----BEGIN OPENSSH PRIVATE KEY-----
            AAAA
            -----END OPENSSH PRIVATE KEY-----
          ed25519_public: ssh-ed25519 AAAAdb
    "##]],
    );
}

#[test]
fn what_the_author_says_of_our_account_is_said_of_ours() {
    let lab = lab(r#"
        version: 1
        name: account
        networks: { lan: { cidr: 10.1.0.0/24 } }
        machines:
          one:
            cloud_config:
              users:
              - ada
              - { name: lab, shell: /bin/zsh, groups: [ docker ], ssh_authorized_keys: [ ssh-ed25519 AAAAmore ] }
              - { name: eve }
    "#);
    let user_data = read(&cloud_init::user_data(&lab, &lab.machines()[0], &context(&lab)));
    expect![[r#"
        [
          {
            "name": "lab",
            "shell": "/bin/zsh",
            "sudo": "ALL=(ALL) NOPASSWD:ALL",
            "lock_passwd": true,
            "ssh_authorized_keys": [
              "ssh-ed25519 AAAAlab",
              "ssh-ed25519 AAAAmore"
            ],
            "groups": [
              "docker"
            ]
          },
          "ada",
          {
            "name": "eve"
          }
        ]"#]]
    .assert_eq(&format!("{:#}", user_data["users"]));
}

#[test]
fn numbers_stay_numbers_to_a_reader_of_yaml_1_1() {
    let mut lab = lab(TWO_MACHINES);
    lab.machines["db"].cloud_config.insert("x".into(), json!([1e20, 1e-7, 1.5e300, 0.5, 2.0]));
    let user_data = cloud_init::user_data(&lab, &lab.machines()[1], &context(&lab));
    expect![[r#"
        - 1.0e+20
        - 1.0e-7
        - 1.5e+300
        - 0.5
        - 2.0
    "#]]
    .assert_eq(user_data.split_once("x:\n").unwrap().1);
}

#[test]
fn meta_data_names_the_machine() {
    check_seed(
        "web-1",
        "meta_data",
        expect![[r#"
        instance-id: pair.web-1
        local-hostname: web-1
    "#]],
    );
}

#[test]
fn network_config_asks_where_there_is_dhcp_and_sets_the_address_elsewhere() {
    check_seed(
        "web-1",
        "network_config",
        expect![[r#"
        version: 2
        ethernets:
          nic0:
            match:
              macaddress: 52:54:00:09:fc:ad
            dhcp4: true
            dhcp4-overrides:
              route-metric: 100
              use-domains: true
            nameservers:
              search:
              - pair.lab
          nic1:
            match:
              macaddress: 52:54:00:84:75:69
            addresses:
            - 10.77.2.10/24
    "#]],
    );
}

#[test]
fn a_seed_is_named_after_what_is_in_it() {
    let lab = lab(TWO_MACHINES);
    let (machines, mut context) = (lab.machines(), context(&lab));
    let before = cloud_init::seed(&lab, &machines[0], &context);
    assert_eq!(before, cloud_init::seed(&lab, &machines[0], &context));
    context.lab_key.push('x');
    let after = cloud_init::seed(&lab, &machines[0], &context);
    assert_ne!(before.path, after.path);
    assert_eq!(before.meta_data, after.meta_data, "the guest must not take itself for a new one");
}

#[test]
fn a_seed_is_an_image_that_holds_its_texts() {
    let lab = lab(TWO_MACHINES);
    let seed = cloud_init::seed(&lab, &lab.machines()[0], &context(&lab));
    let image = seed.image();
    assert_eq!(image.len() % 2048, 0);
    // Both volumes carry the label that cloud-init looks for.
    assert_eq!(&image[16 * 2048..][..8], b"\x01CD001\x01\0");
    assert_eq!(&image[16 * 2048 + 40..][..8], b"cidata  ");
    assert_eq!(&image[17 * 2048..][..8], b"\x02CD001\x01\0");
    assert_eq!(&image[17 * 2048 + 40..][..14], b"\0c\0i\0d\0a\0t\0a\0 ");
    assert_eq!(&image[17 * 2048 + 88..][..3], b"%/E");
    let mut files = Vec::new();
    let mut at = 23 * 2048;
    while image[at] != 0 {
        let record = &image[at..at + usize::from(image[at])];
        let number = |at: usize| u32::from_le_bytes(record[at..at + 4].try_into().unwrap()) as usize;
        if let Some(name) = record.windows(2).position(|pair| pair == b"NM") {
            let name = String::from_utf8(record[name + 5..name + usize::from(record[name + 2])].into()).unwrap();
            files.push((name, String::from_utf8(image[number(2) * 2048..][..number(10)].into()).unwrap()));
        }
        at += record.len();
    }
    let expected = [("meta-data", seed.meta_data), ("network-config", seed.network_config), ("user-data", seed.user_data)];
    assert_eq!(files, expected.map(|(name, text)| (name.to_owned(), text)));
}

#[test]
fn ansible_is_a_project_of_its_own() {
    let lab = lab(TWO_MACHINES);
    let files = ansible::ansible(&lab, &lab.machines(), &context(&lab));
    let all: String = files.iter().map(|(path, text)| format!("=== {path}\n{text}")).collect();
    expect![[r#"
        === ansible.cfg
        [defaults]
        inventory = inventory.yaml
        roles_path = ~/.ansible/roles:/usr/share/ansible/roles:/etc/ansible/roles
        host_key_checking = True
        interpreter_python = auto_silent
        retry_files_enabled = False
        forks = 20
        timeout = 30

        [ssh_connection]
        pipelining = True
        # A connection is kept for the next task, but not so long that it outlives the machine.
        ssh_args = -F ssh_config -o ControlMaster=auto -o ControlPersist=15s
        === inventory.yaml
        all:
          hosts:
            web-1:
              ansible_host: "10.77.1.211"
              ansible_user: !unsafe lab
            db:
              ansible_host: "10.77.1.112"
              ansible_user: !unsafe admin
          children:
            web:
              hosts:
                web-1: {}
        === plays/db.yaml
        - name: db
          hosts: db
          become: true
          tasks:
          - name: PostgreSQL
            apt:
              name: postgresql
        === plays/web.yaml
        - import_playbook: ../lab/playbooks/web.yml
        === site.yaml
        - import_playbook: plays/db.yaml
        - import_playbook: plays/web.yaml
        === ssh/known_hosts
        web-1,10.77.1.211 ssh-ed25519 AAAAweb-1
        db,10.77.1.112 ssh-ed25519 AAAAdb
        === ssh_config
        Host web-1 10.77.1.211
          HostName 10.77.1.211
          User lab

        Host db 10.77.1.112
          HostName 10.77.1.112
          User admin

        Host *
          IdentityFile ssh/id_ed25519
          IdentitiesOnly yes
          UserKnownHostsFile ssh/known_hosts
          GlobalKnownHostsFile none
          StrictHostKeyChecking yes
          PasswordAuthentication no
    "#]]
    .assert_eq(&all);
}

#[test]
fn a_chain_as_long_as_a_lab_may_be_is_played_from_its_end() {
    let mut lab = lab(TWO_MACHINES);
    let link = lab.machines.shift_remove("db").unwrap();
    lab.machines.clear();
    for n in 0..10_000 {
        let mut machine = link.clone();
        machine.depends_on = vec![format!("m{}", n + 1)];
        lab.machines.insert(format!("m{n}"), machine);
    }
    let (machines, context) = (lab.machines(), context(&lab));
    // Few of the callers' threads have a large stack.
    let render = move || ansible::ansible(&lab, &machines[9_998..], &context);
    let files = std::thread::Builder::new().stack_size(256 << 10).spawn(render).unwrap().join().unwrap();
    expect![[r#"
        - import_playbook: plays/m9999.yaml
        - import_playbook: plays/m9998.yaml
    "#]]
    .assert_eq(&files["site.yaml"]);
}

#[test]
fn a_machine_is_rendered_where_it_is_placed() {
    let mut lab = lab(TWO_MACHINES);
    lab.machines["db"].host = Some("elsewhere".into());
    let variables = variables(&lab);
    assert_eq!(variables["machines"].as_object().unwrap().keys().collect::<Vec<_>>(), ["web-1"]);
}

#[test]
fn a_static_interface_that_leads_outside_gets_a_route_and_a_bridge_asks_its_own_dhcp() {
    let lab = lab(r#"
        version: 1
        name: ways
        networks:
          out: { cidr: 10.1.0.0/24, dhcp: false }
          office: { mode: bridge, bridge: br0, cidr: 192.168.7.0/24 }
          wire: { mode: isolated }
        machines:
          one:
            nics:
            - { network: wire, mac: "52:54:00:12:34:56" }
            - { network: out, address: 10.1.0.9, mac: "52:54:00:12:34:57" }
            - { network: office, mac: "52:54:00:12:34:58" }
            - { network: office, address: 192.168.7.9, mac: "52:54:00:12:34:59" }
    "#);
    expect![[r#"
        version: 2
        ethernets:
          nic0:
            match:
              macaddress: "52:54:00:12:34:56"
            dhcp4: false
          nic1:
            match:
              macaddress: "52:54:00:12:34:57"
            addresses:
            - 10.1.0.9/24
            routes:
            - to: 0.0.0.0/0
              via: "10.1.0.1"
              metric: 200
            nameservers:
              addresses:
              - "10.1.0.1"
              search:
              - ways.lab
          nic2:
            match:
              macaddress: "52:54:00:12:34:58"
            dhcp4: true
            dhcp4-overrides:
              route-metric: 300
          nic3:
            match:
              macaddress: "52:54:00:12:34:59"
            addresses:
            - 192.168.7.9/24
    "#]]
    .assert_eq(&cloud_init::network_config(&lab, &lab.machines()[0]));
    expect![[r#"
        {
          "network": null,
          "bridge": "br0",
          "mac": "52:54:00:12:34:58",
          "address": null,
          "hostname": null
        }"#]]
    .assert_eq(&format!("{:#}", variables(&lab)["machines"]["one"]["nics"][2]));
}

#[test]
fn paths_that_ansible_would_split_or_expand_are_refused_in_words() {
    for path in ["a b.yml", "{{ x }}.yml", "../up.yml", "/etc/x.yml", "~/x.yml", "$HOME/x.yml", "a:b", "", "a//b", "x\n"] {
        assert!(!ansible::is_plain_path(path), "{path}");
    }
    for path in ["web.yml", "playbooks/web.yml", "rôles/web-1_2.yaml"] {
        assert!(ansible::is_plain_path(path), "{path}");
    }
    let mut lab = lab(TWO_MACHINES);
    lab.machines["web"].ansible = Some(vlm_lab::model::Ansible::Playbook("{{ lookup('pipe','touch x') }}".into()));
    let files = ansible::ansible(&lab, &lab.machines(), &context(&lab));
    expect![[r#"
        - name: web
          hosts: web
          gather_facts: false
          tasks:
          - name: Find the lab's Ansible files
            ansible.builtin.fail:
              msg: "the path in the lab file cannot be given to Ansible: it starts at the lab file's folder and stays below it, in names of letters, digits and . _ - + @"
    "#]].assert_eq(&files["plays/web.yaml"]);
}

#[test]
fn ssh_finds_its_files_from_everywhere_when_told_where_they_are() {
    let last_lines = |project: &str| {
        let text = ansible::ssh_config(&[], &BTreeMap::new(), Some(project.as_ref()));
        text.lines().map(str::trim).filter(|line| line.contains("File ")).collect::<Vec<_>>().join("\n")
    };
    expect![[r#"
        IdentityFile "/home/me/My 100%% labs/ssh/id_ed25519"
        UserKnownHostsFile "/home/me/My 100%% labs/ssh/known_hosts"
        GlobalKnownHostsFile none"#]]
    .assert_eq(&last_lines("/home/me/My 100% labs"));
    expect![[r#"
        IdentityFile ssh/id_ed25519
        UserKnownHostsFile ssh/known_hosts
        GlobalKnownHostsFile none"#]]
    .assert_eq(&last_lines("/home/${USER}/\"x"));
}

// Hostile text in every field that is the author's.

/// Text that some reader, template or shell would like to take for more than text.
const HOSTILE: &[&str] = &[
    "${file(\"/etc/hostname\")}",
    "%{if true}x%{endif}",
    "{{ lookup('pipe','touch x') }}",
    "{% raw %}",
    "## template: jinja",
    "#cloud-config",
    "it's \"quoted\"",
    "a\nb",
    "a\n\nb\n",
    "\na",
    "a\n\n",
    "a \nb",
    "  a\nb",
    "a\n  b\n c",
    "a\n\tb",
    "\n",
    "a\r\nb",
    " lead",
    "trail ",
    "\ttab",
    "a\tb",
    "a: b",
    "a:",
    ": a",
    "a #b",
    "#a",
    "---",
    "--- a",
    "...",
    "a\n---\nb",
    "a\n...\n",
    "!tag",
    "!!int 3",
    "&a",
    "*a",
    "- a",
    "-",
    "?",
    "? a",
    "[a",
    "{a",
    "}",
    ",",
    "|",
    ">",
    "%TAG",
    "@a",
    "`a",
    "'",
    "\"",
    "\\",
    "",
    "~",
    "null",
    "Null",
    "yes",
    "No",
    "on",
    "OFF",
    "y",
    "n",
    "true",
    "1",
    "-1",
    "+1",
    "1e3",
    "1E3",
    "1.",
    ".5",
    "._1",
    "0x10",
    "0o17",
    "012",
    "0b1",
    "1_000",
    "1:30",
    "190:20:30",
    "1:30.5",
    "08",
    ".inf",
    "-.INF",
    ".nan",
    "=",
    "<<",
    "2024-01-01",
    "2024-01-01 10:00:00",
    "2024-1-1T1:2:3Z",
    "\u{0}",
    "\u{7f}",
    "\u{85}",
    "\u{2028}",
    "\u{2029}",
    "\u{feff}",
    "\u{fffe}",
    "\u{a0}",
    "é",
    "🦀",
    "a\u{85}\nb",
    "52:54:00:12:34:56",
    "$(touch x)",
    "`touch x`",
    "../../x",
    "web[1:3]",
];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => proptest::sample::select(HOSTILE).prop_map(str::to_owned),
        2 => proptest::collection::vec(proptest::sample::select(HOSTILE), 2..4).prop_map(|parts| parts.concat()),
        2 => proptest::collection::vec(proptest::sample::select(HOSTILE), 2..4).prop_map(|parts| parts.join("\n")),
        2 => proptest::collection::vec(any::<char>(), 0..12).prop_map(String::from_iter),
    ]
}

/// A cloud-config of the author's that shares no key with ours, so that it has to come back as it is.
fn tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        6 => text().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(text(), inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// A lab with `text[i]` in its fields, and `config` as cloud-config.
fn hostile_lab(text: &[String], config: &BTreeMap<String, Value>) -> Lab {
    let mut lab =
        lab("{ version: 1, name: x, networks: { lan: { cidr: 10.9.0.0/24 }, br: { mode: bridge } }, machines: { m: {} } }");
    lab.name = text[0].clone();
    lab.networks["lan"].domain = Some(text[1].clone());
    lab.networks["br"].bridge = Some(text[2].clone());
    let machine = &mut lab.machines["m"];
    machine.description = Some(text[3].clone());
    machine.image = Some(text[4].clone());
    machine.user = Some(text[5].clone());
    machine.ssh_keys = vec![text[6].clone()];
    machine.packages = vec![text[7].clone()];
    machine.disks.insert(text[8].clone(), "1 GiB".parse().unwrap());
    machine.nics = Some(vec![vlm_lab::model::NicSpec::Network(text[9].clone()), vlm_lab::model::NicSpec::Network("br".into())]);
    machine.cloud_config = config.iter().map(|(key, value)| (format!("x{key}"), value.clone())).collect();
    let (lan, machine) = (lab.networks.shift_remove("lan").unwrap(), lab.machines.shift_remove("m").unwrap());
    lab.networks.insert(text[9].clone(), lan);
    lab.machines.insert(text[10].clone(), machine);
    lab
}

proptest! {
    #[test]
    fn the_authors_text_arrives_byte_for_byte(
        text in proptest::collection::vec(text(), 11),
        config in proptest::collection::btree_map(text(), tree(), 0..4),
    ) {
        let lab = hostile_lab(&text, &config);
        prop_assume!(text[9] != "br");
        let variables = variables(&lab);
        let machine = &variables["machines"][&text[10]];
        prop_assert_eq!(&machine["name"], &json!(format!("{}.{}", text[0], text[10])));
        prop_assert_eq!(&machine["description"], &json!(text[3]));
        prop_assert_eq!(&machine["disks"][0]["name"], &json!(text[8]));
        prop_assert_eq!(&machine["nics"][0]["network"], &json!(text[9]));
        prop_assert_eq!(&machine["nics"][1]["bridge"], &json!(text[2]));
        let network = &variables["networks"][&text[9]];
        prop_assert_eq!(&network["name"], &json!(format!("{}.{}", text[0], text[9])));
        prop_assert_eq!(&network["domain"], &json!(text[1]));

        let seed = cloud_init::seed(&lab, &lab.machines()[0], &context(&lab));
        prop_assert_eq!(read(&seed.meta_data), json!({
            "instance-id": format!("{}.{}", text[0], text[10]),
            "local-hostname": text[10],
        }));
        prop_assert_eq!(seed.path.matches('/').count(), 1);
        prop_assert_eq!(&machine["seed"], &json!(seed.path));
        prop_assert!(seed.user_data.starts_with("#cloud-config\nhostname:"));
        let user_data = read(&seed.user_data);
        let mut expected: Map<String, Value> = [
            ("hostname", json!(text[10])),
            ("fqdn", json!(format!("{}.{}", text[10], text[1]))),
            ("manage_etc_hosts", json!("localhost")),
            ("locale", json!("false")),
            ("users", json!([{
                "name": text[5],
                "shell": "/bin/bash",
                "sudo": "ALL=(ALL) NOPASSWD:ALL",
                "lock_passwd": true,
                "ssh_authorized_keys": ["ssh-ed25519 AAAAlab", text[6]],
            }])),
            ("ssh_deletekeys", json!(true)),
            ("ssh_genkeytypes", json!(["ed25519"])),
            ("ssh_keys", json!({
                "ed25519_private": key_pair("").private,
                "ed25519_public": key_pair(&text[10]).public,
            })),
            ("packages", json!([text[7]])),
            ("package_update", json!(true)),
        ].map(|(key, value)| (key.to_owned(), value)).into_iter().collect();
        expected.extend(config.iter().map(|(key, value)| (format!("x{key}"), value.clone())));
        if text[5] == "root" { expected.insert("disable_root".into(), json!(false)); }
        prop_assert_eq!(user_data, Value::Object(expected));
    }

    #[test]
    fn ansible_evaluates_no_text_but_tasks_and_roles(text in proptest::collection::vec(text(), 11)) {
        let lab = hostile_lab(&text, &BTreeMap::new());
        let mut machines = lab.machines();
        let files = ansible::ansible(&lab, &machines, &context(&lab));
        prop_assert!(files.keys().all(|path| ["ansible.cfg", "inventory.yaml", "site.yaml", "ssh/known_hosts", "ssh_config"].contains(&path.as_str())));

        // With a plain name, what is left of the author's text is the account.
        machines[0].name = "m".into();
        machines[0].spec = "m".into();
        let files = ansible::ansible(&lab, &machines, &context(&lab));
        let inventory: Value = serde_saphyr::from_str(&files["inventory.yaml"]).unwrap();
        prop_assert_eq!(&inventory["all"]["hosts"]["m"]["ansible_user"], &json!(text[5]));
        let user_is_tagged = files["inventory.yaml"].contains("ansible_user: !unsafe ");
        prop_assert!(user_is_tagged);
        let lines: Vec<&str> = files["ssh_config"].lines().filter(|line| !line.trim().is_empty()).collect();
        prop_assert!(lines.iter().all(|line| ["Host m", "Host *", "  "].iter().any(|start| line.starts_with(start))), "{:?}", lines);
        prop_assert!(lines.len() <= 10);
    }
}

fn read(yaml: &str) -> Value {
    serde_saphyr::from_str(yaml).unwrap()
}

fn check(files: &Files, path: &str, expected: Expect) {
    expected.assert_eq(&files[path]);
}

fn check_seed(machine: &str, part: &str, expected: Expect) {
    let lab = lab(TWO_MACHINES);
    let machines = lab.machines();
    let machine = machines.iter().find(|candidate| candidate.name == machine).unwrap();
    let seed = cloud_init::seed(&lab, machine, &context(&lab));
    expected.assert_eq(match part {
        "user_data" => &seed.user_data,
        "meta_data" => &seed.meta_data,
        _ => &seed.network_config,
    });
}

fn variables(lab: &Lab) -> Value {
    serde_json::from_str(&terraform_files(lab)["terraform.tfvars.json"]).unwrap()
}

fn terraform_files(lab: &Lab) -> Files {
    terraform::terraform(lab, &lab.machines(), &context(lab))
}

fn lab(yaml: &str) -> Lab {
    serde_saphyr::from_str(yaml).unwrap()
}

fn context(lab: &Lab) -> Context {
    let machines = lab.machines();
    Context {
        host: "local".into(),
        libvirt_uri: "qemu:///system".into(),
        pool: "vlm".into(),
        domain_type: DomainType::Qemu,
        base_volumes: machines.iter().map(|machine| (machine.image.clone(), "sha256-0123.qcow2".into())).collect(),
        host_keys: machines.iter().map(|machine| (machine.name.clone(), key_pair(&machine.name))).collect(),
        lab_key: "ssh-ed25519 AAAAlab".into(),
        uefi: Some(UefiFirmware { code: "/firmware/CODE.fd".into(), nvram_template: "/firmware/VARS.fd".into() }),
        ssh_ports: BTreeMap::new(),
        lab_dir: "/labs/pair".into(),
    }
}

fn key_pair(machine: &str) -> KeyPair {
    KeyPair {
        private: "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n".into(),
        public: format!("ssh-ed25519 AAAA{machine}"),
    }
}
