//! Our view of libvirt, on its own test driver: a world in this process, with one running domain, a network and a pool.

use vlm_engine::libvirt::{Connection, Target};
use vlm_lab::lifecycle::DomainState;

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
