//! Our view of libvirt, on its own test driver: a world in this process, with one running domain, a network and a pool.

use std::{fmt::Write as _, fs, time::Duration};

use vlm_engine::libvirt::{Connection, Domain, Error, Target};
use vlm_lab::lifecycle::DomainState;

/// How long a test waits for what must come.
const LIMIT: Duration = Duration::from_secs(30);

async fn state(connection: &Connection, name: &str) -> DomainState {
    let domains = connection.domains().await.unwrap();
    domains.iter().find(|domain| domain.name == name).unwrap_or_else(|| panic!("no domain {name}")).state
}

#[tokio::test]
async fn a_domain_goes_off_and_on() {
    let connection = Connection::open(&Target::Test).await.unwrap();
    assert_eq!(state(&connection, "test").await, DomainState::Running);
    connection.start("test").await.unwrap();
    assert_eq!(state(&connection, "test").await, DomainState::Running, "starting what runs changes nothing");
    connection.suspend("test").await.unwrap();
    assert_eq!(state(&connection, "test").await, DomainState::Paused);
    connection.start("test").await.unwrap();
    assert_eq!(state(&connection, "test").await, DomainState::Running, "what was held goes on");
    connection.shut_down("test").await.unwrap();
    assert_eq!(state(&connection, "test").await, DomainState::ShutOff);
    connection.force_off("test").await.unwrap();
    assert_eq!(state(&connection, "test").await, DomainState::ShutOff, "taking the power from what is off is fine");
}

#[tokio::test]
async fn networks_pools_and_volumes_are_listed() {
    let connection = Connection::open(&Target::Test).await.unwrap();
    let networks = connection.networks().await.unwrap();
    assert_eq!(networks[0].name, "default");
    assert_eq!(networks[0].subnets, ["192.168.122.0/24".parse().unwrap()]);
    assert!(connection.pool("default-pool").await.unwrap().is_some());
    assert_eq!(connection.pool("none").await.unwrap(), None);
    assert_eq!(connection.volumes("default-pool").await.unwrap(), Some(Vec::<String>::new()));
    assert_eq!(connection.volumes("none").await.unwrap(), None);
    assert!(connection.is_alive().await);
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let connection = Connection::open(&Target::Test).await.unwrap();
    let error = connection.start("nobody").await.unwrap_err().to_string();
    assert!(error.starts_with("could not start domain `nobody`: "), "{error}");
}

/// A world of that many domains, of which every second is off, and what we are to see of them.
async fn world(count: usize) -> (Connection, Vec<Domain>) {
    let mut text = "<node>".to_owned();
    let mut domains = Vec::new();
    for i in 0..count {
        let (name, uuid) = (format!("d{i:04}"), format!("00000000-0000-4000-8000-{i:012}"));
        let (runstate, state) = if i % 2 == 0 { (1, DomainState::Running) } else { (5, DomainState::ShutOff) };
        let _ = write!(
            text,
            "<domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'><name>{name}</name><uuid>{uuid}</uuid>
             <memory>1024</memory><os><type>hvm</type></os><test:runstate>{runstate}</test:runstate></domain>"
        );
        domains.push(Domain { name, uuid, state });
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a world.xml");
    fs::write(&file, text + "</node>").unwrap();
    (Connection::open(&Target::TestFile { file, socket: None }).await.unwrap(), domains)
}

#[tokio::test]
async fn all_domains_are_listed() {
    for count in [0, 1, 2, 1000] {
        let (connection, expected) = world(count).await;
        let mut domains = connection.domains().await.unwrap();
        domains.sort_by(|a, b| a.name.cmp(&b.name));
        assert_eq!(domains, expected);
    }
}

#[tokio::test]
async fn a_change_is_told() {
    let (connection, _) = world(2).await;
    let mut changes = connection.changes();
    let mut looks = connection.looks(Duration::from_secs(3600));
    looks.next().await; // the first look is at once
    for (name, on) in [("d0000", false), ("d0001", true), ("d0000", true)] {
        changes.mark_unchanged();
        if on {
            connection.start(name).await.unwrap()
        } else {
            connection.force_off(name).await.unwrap()
        }
        tokio::time::timeout(LIMIT, changes.changed()).await.expect("a change of a domain is told").unwrap();
        tokio::time::timeout(LIMIT, looks.next()).await.expect("a change of a domain is looked at");
        assert_eq!(state(&connection, name).await.is_active(), on);
    }
    // And although nothing was told, in the end.
    let mut looks = connection.looks(Duration::ZERO);
    looks.next().await;
    tokio::time::timeout(LIMIT, looks.next()).await.expect("it is looked again after a while");
}

#[tokio::test]
async fn a_call_does_not_wait_for_others_but_for_a_place() {
    let (connection, _) = world(100).await;
    let many = (0..50).map(|_| {
        tokio::spawn({
            let connection = connection.clone();
            async move { connection.domains().await }
        })
    });
    for each in many.collect::<Vec<_>>() {
        assert_eq!(each.await.unwrap().unwrap().len(), 100);
    }
}

#[tokio::test]
async fn a_daemon_that_is_not_there_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("no socket");
    let Err(error) = Connection::open(&Target::Socket(socket)).await else { panic!("nobody listens there") };
    assert!(matches!(error, Error::Connect { .. }), "{error}");
    assert!(error.to_string().starts_with("could not reach libvirt at qemu+unix:///system?socket="), "{error}");
}

#[tokio::test]
async fn a_domain_is_held_goes_on_and_starts_anew() {
    let connection = Connection::open(&Target::Test).await.unwrap();
    connection.suspend("test").await.unwrap();
    assert_eq!(state(&connection, "test").await, DomainState::Paused);
    connection.resume("test").await.unwrap();
    assert_eq!(state(&connection, "test").await, DomainState::Running);
    connection.reboot("test").await.unwrap();
    assert_eq!(state(&connection, "test").await, DomainState::Running);
    let error = connection.resume("nobody").await.unwrap_err().to_string();
    assert!(error.starts_with("could not resume domain `nobody`: "), "{error}");
}

#[tokio::test]
async fn domains_are_measured_in_one_question() {
    let (connection, expected) = world(10).await;
    let mut measured = connection.measured().await.unwrap();
    measured.sort_by(|a, b| a.domain.name.cmp(&b.domain.name));
    assert_eq!(measured.iter().map(|measured| measured.domain.clone()).collect::<Vec<_>>(), expected);
    assert!(measured[0].numbers.contains_key("state.state"), "{:?}", measured[0].numbers);
    assert_eq!(measured[0].sum("block", "rd.bytes"), 0, "this driver tells nothing of disks");
}

#[tokio::test]
async fn a_host_tells_its_pools_networks_and_definitions() {
    let connection = Connection::open(&Target::Test).await.unwrap();
    let pools = connection.pools().await.unwrap();
    let pool = &pools["default-pool"];
    assert!(pool.active && pool.capacity_bytes >= pool.available_bytes && pool.capacity_bytes > Some(0), "{pool:?}");
    assert_eq!(connection.active_networks().await.unwrap().into_iter().collect::<Vec<_>>(), ["default"]);
    assert!(connection.definition("test").await.unwrap().starts_with("<domain"));
}

#[tokio::test]
async fn a_screen_is_shown_while_the_domain_is_on() {
    let connection = Connection::open(&Target::Test).await.unwrap();
    // The driver's own picture is a file that not every package of libvirt has.
    if let Ok(picture) = connection.screenshot("test").await {
        assert!(picture.expect("it is on").starts_with(b"\x89PNG"));
    }
    assert!(connection.screenshot("nobody").await.is_err());
}
