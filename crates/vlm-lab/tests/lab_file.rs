//! Any lab can be written and read back, and no text makes the reader fail other than in words.

use std::{fmt::Write, net::Ipv4Addr};

use expect_test::expect;
use proptest::{collection::vec, option, prelude::*};
use serde_json::{Map, Value, json};
use vlm_lab::{
    file,
    model::*,
    problems::{Surroundings, problems},
};

/// Enough to find what is wrong within a few runs, few enough to stay in seconds.
const CASES: u32 = 100;

fn text() -> impl Strategy<Value = String> {
    let awkward = [
        "",
        "yes",
        "null",
        "~",
        "1",
        "0644",
        "1.5",
        "1e3",
        "0x10",
        "12:30:45",
        "2024-01-01",
        "a: b",
        "a #b",
        "- a",
        "{a}",
        "*a",
        "&a",
        "!a",
        "%a",
        "@a",
        "`a`",
        "<<",
        "'a'",
        "\"a\"",
        "a\nb",
        "a\n\nb\n",
        " a",
        "a ",
        "a\n ",
        "\n",
        "\ta",
        "a\n\tb\n",
        "a\\b",
        "${file(\"/x\")}",
        "{{ x }}",
        "é",
        "\u{85}",
        "\u{2028}a",
        "\u{feff}",
        "\u{0}",
        "😀",
        "a\r\nb",
        "---",
        "...",
        "--- a",
        "[",
        "a,b",
        "?",
        "? a",
        ":",
        "a:",
        "|",
        ">",
    ];
    prop_oneof![
        3 => "[a-z][a-z0-9-]{0,12}",
        2 => proptest::sample::select(awkward.to_vec()).prop_map(str::to_owned),
        1 => any::<String>(),
        1 => "[ -~\n]{0,60}",
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e9f64..1e9).prop_map(Value::from),
        proptest::sample::select(vec![1e20, -1.5e300, 1e-7]).prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((text(), inner), 0..4).prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn fields() -> impl Strategy<Value = Map<String, Value>> {
    vec((text(), value()), 0..4).prop_map(|fields| fields.into_iter().collect())
}

fn size() -> impl Strategy<Value = Size> {
    (1u64..1 << 33).prop_map(|kib| Size::bytes(kib << 10))
}

fn network() -> impl Strategy<Value = Network> {
    let mode =
        proptest::sample::select(vec![NetworkMode::Nat, NetworkMode::Isolated, NetworkMode::Routed, NetworkMode::Bridge]);
    let cidr =
        (any::<u32>(), 0u8..=32).prop_map(|(address, prefix)| ipnet::Ipv4Net::new(Ipv4Addr::from(address), prefix).unwrap());
    (mode, option::of(cidr), option::of(any::<bool>()), option::of(text()), option::of(text()), option::of(text()))
        .prop_map(|(mode, cidr, dhcp, domain, bridge, description)| Network { mode, cidr, dhcp, domain, bridge, description })
}

fn nic() -> impl Strategy<Value = NicSpec> {
    let address =
        (any::<u32>(), any::<bool>()).prop_map(|(address, counts_up)| FixedAddress { address: address.into(), counts_up });
    let full = (text(), option::of(address), option::of(any::<[u8; 6]>().prop_map(Mac)))
        .prop_map(|(network, address, mac)| NicSpec::Full(NicFields { network, address, mac }));
    prop_oneof![text().prop_map(NicSpec::Network), full]
}

fn ansible() -> impl Strategy<Value = Ansible> {
    prop_oneof![
        text().prop_map(Ansible::Playbook),
        vec(fields(), 0..3).prop_map(Ansible::Tasks),
        (vec(value(), 0..3), option::of(text())).prop_map(|(roles, path)| Ansible::Roles(AnsibleRoles { roles, path })),
    ]
}

fn firmware() -> impl Strategy<Value = Option<Firmware>> {
    proptest::sample::select(vec![None, Some(Firmware::Bios), Some(Firmware::Uefi)])
}

fn machine() -> impl Strategy<Value = MachineSpec> {
    let size_and_place = (
        option::of(1u32..=3),
        option::of(1u32..=255),
        option::of(size()),
        option::of(size()),
        option::of(text()),
        option::of(text()),
    );
    let devices = (vec((text(), size()), 0..3), option::of(vec(nic(), 0..3)), firmware(), vec((1u16.., 1u16..), 0..3));
    let inside = (
        option::of(text()),
        option::of(text()),
        vec(text(), 0..3),
        vec(text(), 0..3),
        fields(),
        option::of(ansible()),
        vec(text(), 0..3),
    );
    (size_and_place, devices, inside).prop_map(
        |(
            (replicas, vcpus, memory, disk, host, image),
            (disks, nics, firmware, ports),
            (description, user, ssh_keys, packages, cloud_config, ansible, depends_on),
        )| {
            MachineSpec {
                description,
                replicas,
                host,
                image,
                vcpus,
                memory,
                disk,
                nics,
                firmware,
                user,
                ssh_keys,
                packages,
                cloud_config,
                ansible,
                depends_on,
                disks: disks.into_iter().collect(),
                ports: ports.into_iter().map(|(port, guest)| (Port(port), guest)).collect(),
            }
        },
    )
}

fn lab() -> impl Strategy<Value = Lab> {
    let defaults = (
        option::of(text()),
        option::of(1u32..=255),
        option::of(size()),
        option::of(size()),
        firmware(),
        option::of(text()),
        vec(text(), 0..2),
    )
        .prop_map(|(image, vcpus, memory, disk, firmware, user, ssh_keys)| Defaults {
            image,
            vcpus,
            memory,
            disk,
            firmware,
            user,
            ssh_keys,
        });
    let acceleration = proptest::sample::select(vec![Acceleration::Auto, Acceleration::Kvm, Acceleration::Tcg]);
    (
        text(),
        option::of(text()),
        option::of(text()),
        acceleration,
        defaults,
        vec((text(), network()), 0..3),
        vec((text(), machine()), 0..3),
    )
        .prop_map(|(name, description, host, acceleration, defaults, networks, machines)| Lab {
            version: VERSION,
            name,
            description,
            host,
            acceleration,
            defaults,
            networks: networks.into_iter().collect(),
            machines: machines.into_iter().collect(),
        })
}

fn check_round_trip(lab: &Lab) -> Result<(), TestCaseError> {
    let written = file::write(lab);
    let read = file::read(&written).map_err(|problems| TestCaseError::fail(format!("{problems:?}\n{written}")))?;
    // As text, so that the order counts.
    prop_assert_eq!(serde_json::to_string(&read).unwrap(), serde_json::to_string(lab).unwrap(), "{}", written);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(CASES) })]

    #[test]
    fn what_is_written_is_read_back(lab in lab()) {
        check_round_trip(&lab)?;
    }

    /// The reader of Ansible's and cloud-init's files takes the same for it.
    #[test]
    fn another_reader_of_yaml_reads_the_same(lab in lab()) {
        let written = file::write(&lab);
        // The other reader refuses what its own limits and YAML's rules on keys forbid; what it reads must be the same.
        if let Ok(read) = serde_saphyr::from_str::<Value>(&written) {
            prop_assert_eq!(&read["machines"], &serde_json::to_value(&lab).unwrap()["machines"], "{}", written);
        }
    }

    #[test]
    fn no_lab_makes_the_rules_panic(lab in lab()) {
        problems(&lab, &Surroundings::default());
        file::referenced_files(&lab);
    }

    #[test]
    fn no_text_makes_check_panic(text in any::<String>()) {
        file::check(&text, &Surroundings::default());
    }

    #[test]
    fn no_yaml_makes_check_panic(parts in vec(proptest::sample::select(vec![
        "version: 1\n", "name: a\n", "machines:\n", "networks:\n", "  web:\n", "    nics: ", "    ports: ", "    ansible: ", "[", "]", "{", "}", ", ",
        "- ", ": ", "? ", "&a ", "*a", "<<: ", "!t ", "|\n", ">\n", "'", "\"", "#", "\n", "  ", "\t", "---\n", "...\n", "%YAML 1.2\n", "0", "x", "~", "\u{feff}", "\r\n", "é",
    ]), 0..24)) {
        file::check(&parts.concat(), &Surroundings::default());
    }

    /// Whatever stands in one place of a lab, the rest is read, and a lab is made.
    #[test]
    fn one_wrong_value_spoils_no_lab(place in 0usize..200, wrong in value()) {
        let mut lab = full_lab();
        let mut places = 0;
        count(&lab, &mut places);
        let mut place = 1 + place % (places - 1);
        replace(&mut lab, &mut place, &wrong);
        // JSON is YAML.
        let checked = file::check(&lab.to_string(), &Surroundings::default());
        let is_future = lab["version"].as_u64().is_some_and(|version| version > 1);
        prop_assert!(checked.lab.is_some() || is_future, "{lab}\n{:?}", checked.problems);
        prop_assert!(!checked.problems.iter().any(|problem| problem.message.contains("mistake in the program")));
    }
}

fn full_lab() -> Value {
    json!({
        "version": 1, "name": "full", "description": "d", "host": "local", "acceleration": "tcg",
        "defaults": { "image": "debian-12", "vcpus": 1, "memory": "512 MiB", "disk": "4 GiB", "firmware": "bios", "user": "lab", "ssh_keys": ["k"] },
        "networks": { "lan": { "mode": "nat", "cidr": "10.77.1.0/24", "dhcp": true, "domain": "a.lab" }, "br": { "mode": "bridge", "bridge": "br0" } },
        "machines": {
            "web": {
                "description": "d", "replicas": 2, "host": "h", "image": "i", "vcpus": 1, "memory": "1 GiB", "disk": "1 GiB", "disks": { "a": "1 GiB" },
                "nics": ["lan", { "network": "lan", "address": "10.77.1.9+", "mac": "52:54:00:00:00:01" }], "firmware": "uefi", "user": "u",
                "ssh_keys": ["k"], "packages": ["p"], "cloud_config": { "runcmd": ["x"] }, "ansible": [{ "apt": { "name": "x" } }],
                "depends_on": ["db"], "ports": { "8080": 80 }
            },
            "db": { "ansible": { "roles": ["r", { "role": "x" }], "path": "roles" } },
            "c": { "ansible": "p.yml" }
        }
    })
}

fn children(value: &mut Value) -> Vec<&mut Value> {
    match value {
        Value::Array(items) => items.iter_mut().collect(),
        Value::Object(fields) => fields.values_mut().collect(),
        _ => Vec::new(),
    }
}

fn count(value: &Value, places: &mut usize) {
    *places += 1;
    children(&mut value.clone()).into_iter().for_each(|child| count(child, places));
}

fn replace(value: &mut Value, place: &mut usize, wrong: &Value) {
    if *place == 0 {
        *value = wrong.clone();
        *place = usize::MAX;
        return;
    }
    for child in children(value) {
        if *place == usize::MAX {
            return;
        }
        *place -= 1;
        replace(child, place, wrong);
    }
}

#[test]
fn a_lab_is_written_as_a_person_would() {
    let lab = file::read(
        r#"{ "version": 1, "name": "web-and-db", "description": "two\nlines\n", "defaults": { "image": "debian-12", "memory": "512 MiB" },
        "networks": { "lan": { "cidr": "10.77.1.0/24" }, "back": { "mode": "isolated", "cidr": "10.77.2.0/24", "dhcp": false } },
        "machines": {
            "plain": {},
            "web": { "replicas": 2, "memory": "1536 MiB", "disks": { "data": "10 GiB" },
                "nics": ["lan", { "network": "back", "address": "10.77.2.10+", "mac": "52:54:00:12:34:56" }],
                "ssh_keys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJtYWNoaW5lLWtleS1mb3ItdGVzdHMtb25seS0wMDAw a-key-that-does-not-fit@here"],
                "cloud_config": { "timezone": "Europe/Paris", "write_files": [{ "path": "/etc/x", "permissions": "0644", "content": "a\n\n  b\n" }] },
                "ansible": [{ "name": "Say: hello", "copy": { "dest": "/a", "content": "x\n" }, "become": true }],
                "depends_on": ["plain"], "ports": { "8080": 80 } },
            "other": { "ansible": { "roles": ["a", { "role": "b", "vars": { "x": "yes" } }] } } } }"#,
    )
    .unwrap();
    expect![[r#"
        version: 1
        name: web-and-db
        description: |
          two
          lines
        defaults: { image: debian-12, memory: 512 MiB }
        networks:
          lan: { cidr: 10.77.1.0/24 }
          back: { mode: isolated, cidr: 10.77.2.0/24, dhcp: false }
        machines:
          plain: {}
          web:
            replicas: 2
            memory: 1536 MiB
            disks: { data: 10 GiB }
            nics: [ lan, { network: back, address: 10.77.2.10+, mac: "52:54:00:12:34:56" } ]
            ssh_keys:
              - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJtYWNoaW5lLWtleS1mb3ItdGVzdHMtb25seS0wMDAw a-key-that-does-not-fit@here
            cloud_config:
              timezone: Europe/Paris
              write_files:
                - path: /etc/x
                  permissions: "0644"
                  content: |
                    a

                      b
            ansible:
              - name: "Say: hello"
                copy: { dest: /a, content: "x\n" }
                become: true
            depends_on: [ plain ]
            ports: { "8080": 80 }
          other:
            ansible:
              roles: [ a, { role: b, vars: { x: "yes" } } ]
    "#]]
    .assert_eq(&file::write(&lab));
}

#[test]
fn a_thousand_machines_are_checked_in_no_time() {
    let text = thousand();
    let start = std::time::Instant::now();
    let checked = file::check(&text, &Surroundings::default());
    let took = start.elapsed();
    assert_eq!((checked.problems.len(), checked.lab.map(|lab| lab.machines.len())), (0, Some(1000)));
    // Far above what it takes, also unoptimised and on a busy computer: only a rule that looks at every pair gets here.
    assert!(took.as_secs() < 10, "{took:?}");
}

fn thousand() -> String {
    let mut text = "version: 1\nname: thousand\ndefaults: { image: debian-12 }\nnetworks:\n  lan: { cidr: 10.77.0.0/16 }\n  back: { mode: isolated, cidr: 10.78.0.0/16, dhcp: false }\nmachines:\n".to_owned();
    for n in 0..1000 {
        let (high, low) = (1 + n / 200, 10 + n % 200);
        let _ = write!(
            text,
            "  machine-{n}:\n    memory: 1 GiB\n    disks: {{ data: 10 GiB }}\n    nics: [ lan, {{ network: back, address: 10.78.{high}.{low} }} ]\n    ports: {{ \"{}\": 80 }}\n    packages: [ nginx, curl ]\n    cloud_config:\n      timezone: Europe/Paris\n      write_files:\n        - path: /etc/motd\n          content: |\n            This is machine {n}\n    ansible:\n      - name: nginx\n        apt: {{ name: nginx }}\n      - name: Page\n        copy: {{ dest: /var/www/html/index.html, content: hello }}\n",
            2000 + n
        );
        if n > 0 {
            let _ = writeln!(text, "    depends_on: [ machine-{} ]", n / 2);
        }
    }
    text
}

#[test]
fn a_lab_is_renamed_and_else_stays_as_its_author_wrote_it() {
    for (written, expected) in [
        ("name: old # why\nversion: 1\n", "name: new # why\nversion: 1\n"),
        ("version: 1\nname:   \"old\"\n# end", "version: 1\nname:   new\n# end"),
        ("version: 1\nname: 'old'   # it's ours\n", "version: 1\nname: new   # it's ours\n"),
        ("{version: 1, name: old, description: old}", "{version: 1, name: new, description: old}"),
        ("version: 1\r\nname: old\r\n", "version: 1\r\nname: new\r\n"),
        ("\u{feff}version: 1\nname: old\n", "\u{feff}version: 1\nname: new\n"),
    ] {
        assert_eq!(file::renamed(written, "new").as_deref(), Some(expected), "{written}");
    }
    // Where the name is written in a way of its own, comments are lost, and nothing else.
    let odd = "version: 1 # one\nname: >-\n  old\ndescription: |\n  a\n";
    let renamed = file::renamed(odd, "new").unwrap();
    let (mut before, after) = (file::read(odd).unwrap(), file::read(&renamed).unwrap());
    before.name = "new".into();
    assert_eq!(before, after);
    assert_eq!(file::renamed("machines: [", "new"), None);
}
