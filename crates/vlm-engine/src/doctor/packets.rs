//! Whether a network of libvirt's really passes packets: tried with one that is there for a moment.
//!
//! Two network namespaces stand for a guest on the network's bridge and for somebody behind the host. The guest asks the host's
//! name server, as guests do, and connects to the other: what decides is the kernel with all its firewalls, not our reading of
//! their rules. Needs root, and leaves nothing.

use std::{
    fs::File,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::fd::AsFd,
    time::Duration,
};

use ipnet::Ipv4Net;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::{Packets, facts::Computer, run_here};
use crate::{
    chain,
    libvirt::{Connection, xml},
};

const SCRIPT: &str = include_str!("packets.sh");
/// The network's name, and its bridge: rules for all of our devices count for it, too.
pub(super) const NETWORK: &str = "vlm-doctor";
const BRIDGE: &str = "vlmdoctor0";
const GUEST: &str = "/run/netns/vlm-doctor-guest";
const FAR: &str = "/run/netns/vlm-doctor-far";
/// How long a packet may take to be answered on one computer.
const LIMIT: Duration = Duration::from_secs(4);

/// Addresses of the trial.
struct Plan {
    gateway: Ipv4Addr,
    guest: Ipv4Addr,
    near: Ipv4Addr,
    far: Ipv4Addr,
}

impl Plan {
    /// Subnets that nobody here uses, out of 198.18.0.0/15, which RFC 2544 sets aside for trials.
    fn of(taken: &[Ipv4Net]) -> Option<Plan> {
        (0..=255).find_map(|third| {
            let subnets = [Ipv4Addr::new(198, 18, third, 0), Ipv4Addr::new(198, 19, third, 0)];
            let free = |address: &Ipv4Addr| {
                let subnet = Ipv4Net::new(*address, 24).expect("24 is a prefix");
                taken.iter().all(|other| !other.contains(&subnet.network()) && !subnet.contains(&other.network()))
            };
            subnets.iter().all(free).then(|| Plan {
                gateway: Ipv4Addr::new(198, 18, third, 1),
                guest: Ipv4Addr::new(198, 18, third, 2),
                near: Ipv4Addr::new(198, 19, third, 1),
                far: Ipv4Addr::new(198, 19, third, 2),
            })
        })
    }

    fn script(&self, action: &str) -> String {
        let Plan { gateway, guest, near, far } = self;
        format!("action={action} bridge={BRIDGE} guest={guest} gateway={gateway} near={near} far={far}\n{SCRIPT}")
    }
}

/// Tries it, and takes everything away again.
pub(super) async fn tried(connection: &Connection, computer: &Computer) -> Packets {
    let mut taken: Vec<Ipv4Net> = computer.routes().into_iter().map(|(_, subnet)| subnet).collect();
    match connection.networks().await {
        Ok(networks) => taken.extend(networks.into_iter().flat_map(|network| network.subnets)),
        Err(error) => return Packets::NotLooked(chain(&error)),
    }
    let Some(plan) = Plan::of(&taken) else {
        return Packets::NotLooked("all subnets of 198.18.0.0/15 are in use here".into());
    };
    // What a trial that was killed has left would stand in the way.
    let _ = run_here(&plan.script("down")).await;
    let _ = connection.stop_network(NETWORK).await;
    let result = on_network(connection, &plan).await;
    let namespaces = run_here(&plan.script("down")).await;
    let network = connection.stop_network(NETWORK).await;
    match (namespaces, network) {
        (Ok(_), Ok(())) => result,
        (Err(error), _) => failed("its namespaces could not be taken away", error),
        (_, Err(error)) => failed("its network could not be stopped", chain(&error)),
    }
}

fn failed(what: impl Into<String>, evidence: String) -> Packets {
    Packets::Failed { what: what.into(), evidence }
}

async fn on_network(connection: &Connection, plan: &Plan) -> Packets {
    let network = xml::passing_network(NETWORK, BRIDGE, plan.gateway, 24);
    if let Err(error) = connection.start_passing_network(NETWORK, network).await {
        return failed("it does not start", chain(&error));
    }
    if let Err(error) = run_here(&plan.script("up")).await {
        return Packets::NotLooked(format!("a network namespace could not be made: {error}"));
    }
    let (guest, gateway, far) = (plan.guest, plan.gateway, plan.far);
    let tried = tokio::task::spawn_blocking(move || -> io::Result<Packets> {
        // A refusal is an answer, too: the host's name server may be off.
        let host = inside(GUEST, move || connected(gateway, 53))?;
        let host_answers = match &host {
            Ok(_) => true,
            Err(error) => error.kind() == io::ErrorKind::ConnectionRefused,
        };
        if !host_answers {
            let error = host.err().map(|error| error.to_string()).unwrap_or_default();
            return Ok(failed(
                "the host does not answer a guest (no addresses, no names)",
                format!("tcp {guest} -> {gateway}:53: {error}"),
            ));
        }
        let listener = inside(FAR, move || TcpListener::bind((far, 0)))??;
        let port = listener.local_addr()?.port();
        listener.set_nonblocking(true)?;
        match inside(GUEST, move || connected(far, port))? {
            Ok(_) => {
                let seen = listener.accept().map(|(_, peer)| peer.ip());
                let whom = seen.map_or_else(|error| error.to_string(), |ip| ip.to_string());
                Ok(Packets::Passed(format!("a guest at {guest} got an answer of the host, and of {far} behind it, as {whom}")))
            }
            Err(error) => Ok(failed(
                "guests do not get past the host",
                format!("tcp {guest} -> {far}:{port}: {error}; the host itself ({gateway}) answers"),
            )),
        }
    });
    match tried.await {
        Ok(Ok(result)) => result,
        Ok(Err(error)) => Packets::NotLooked(format!("a network namespace could not be entered: {error}")),
        Err(error) => Packets::NotLooked(error.to_string()),
    }
}

fn connected(to: Ipv4Addr, port: u16) -> io::Result<TcpStream> {
    TcpStream::connect_timeout(&SocketAddr::new(IpAddr::V4(to), port), LIMIT)
}

/// Does something in a network namespace: in a thread that ends with it, since a thread does not come back.
fn inside<T: Send + 'static>(namespace: &'static str, work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    let thread = std::thread::spawn(move || -> io::Result<T> {
        let file = File::open(namespace)?;
        move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))?;
        Ok(work())
    });
    thread.join().unwrap_or_else(|_| Err(io::Error::other("the trial broke off")))
}

#[cfg(test)]
mod tests {
    use super::Plan;

    #[test]
    fn a_trial_takes_subnets_that_are_free() {
        let guest = |taken: &[&str]| {
            let taken: Vec<_> = taken.iter().map(|text| text.parse().unwrap()).collect();
            Plan::of(&taken).map(|plan| plan.guest.to_string())
        };
        assert_eq!(guest(&[]).as_deref(), Some("198.18.0.2"));
        assert_eq!(guest(&["198.18.0.0/24", "198.19.1.128/25", "10.0.0.0/8"]).as_deref(), Some("198.18.2.2"));
        assert_eq!(guest(&["198.18.0.0/15"]), None);
    }
}
