//! Addresses are derived: the same for the same lab, each used once, and steady when the lab grows.

use std::{
    collections::{HashMap, HashSet},
    net::Ipv4Addr,
};

use vlm_lab::{
    address::gateway,
    file,
    model::{Lab, Mac},
};

fn lab(machines: &str) -> Lab {
    file::read(&format!(
        "version: 1\nname: steady\nnetworks: {{ lan: {{ cidr: 10.77.0.0/21 }}, back: {{ mode: isolated, cidr: 10.78.1.0/24 }} }}\nmachines:\n{machines}"
    ))
    .unwrap()
}

fn addresses(lab: &Lab) -> HashMap<String, Vec<(Mac, Option<Ipv4Addr>)>> {
    lab.machines()
        .into_iter()
        .map(|machine| (machine.name, machine.nics.iter().map(|nic| (nic.mac, nic.address)).collect()))
        .collect()
}

#[test]
fn the_same_lab_has_the_same_addresses() {
    let lab = lab("  web: { nics: [ lan, back ] }\n  db: {}\n");
    assert_eq!(addresses(&lab), addresses(&lab.clone()));
    // These are the addresses of labs that are deployed: when they change, so do those.
    let shown: Vec<String> =
        lab.machines().iter().flat_map(|machine| &machine.nics).map(|nic| format!("{} {:?}", nic.mac, nic.address)).collect();
    expect_test::expect![[r#"
        52:54:00:2e:95:ae Some(10.77.4.146)
        52:54:00:8d:55:4c Some(10.78.1.84)
        52:54:00:ce:29:d5 Some(10.77.2.176)"#]]
    .assert_eq(&shown.join("\n"));
}

#[test]
fn a_machine_at_the_end_moves_no_other() {
    let many = |count: usize| (0..count).map(|n| format!("  m{n}: {{}}\n")).collect::<String>();
    let (before, after) = (addresses(&lab(&many(1000))), addresses(&lab(&many(1001))));
    assert!(before.iter().all(|(name, nics)| after[name] == *nics));
}

#[test]
fn a_machine_in_between_moves_no_other_unless_it_takes_its_place() {
    let before = addresses(&lab("  a: {}\n  b: { nics: [ lan, back ] }\n  c: {}\n"));
    let after = addresses(&lab("  a: {}\n  new: { nics: [ lan, back ] }\n  b: { nics: [ lan, back ] }\n  c: {}\n"));
    assert!(before.iter().all(|(name, nics)| after[name] == *nics));
    // Neither does another order, nor more replicas beside it.
    let after = addresses(&lab("  c: {}\n  web: { replicas: 9 }\n  b: { nics: [ lan, back ] }\n  a: {}\n"));
    assert!(before.iter().all(|(name, nics)| after[name] == *nics));
}

#[test]
fn a_thousand_machines_have_addresses_of_their_own_in_range() {
    let lab = lab("  web: { replicas: 1000 }\n  fixed: { nics: [ { network: lan, address: 10.77.3.3 } ] }\n");
    let cidr = lab.networks["lan"].cidr.unwrap();
    let (mut macs, mut ips) = (HashSet::new(), HashSet::new());
    for nic in lab.machines().iter().flat_map(|machine| &machine.nics) {
        let address = nic.address.unwrap();
        assert!(
            cidr.contains(&address) && address != cidr.network() && address != cidr.broadcast() && address != gateway(cidr),
            "{address}"
        );
        assert!(ips.insert(address), "{address} twice");
        assert!(macs.insert(nic.mac), "{} twice", nic.mac);
        assert_eq!(nic.mac.0[..3], [0x52, 0x54, 0x00]);
    }
    assert_eq!(ips.len(), 1001);
}

#[test]
fn a_full_subnet_gives_no_more_and_never_the_gateway() {
    let text = "version: 1\nname: full\nnetworks: { lan: { cidr: 10.77.1.0/29 } }\nmachines: { web: { replicas: 8 } }\n";
    let mut found: Vec<u8> =
        file::read(text).unwrap().machines().iter().filter_map(|machine| Some(machine.address()?.octets()[3])).collect();
    found.sort();
    assert_eq!(found, [2, 3, 4, 5, 6]);
}
