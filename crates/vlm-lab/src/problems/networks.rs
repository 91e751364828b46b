//! Networks: subnets that machines can live in, and settings that mean something in their mode.

use std::{collections::HashSet, net::Ipv4Addr};

use ipnet::Ipv4Net;

use super::{Report, names::is_label, path::at};
use crate::{
    model::{MachineSpec, Network, NetworkMode},
    place::{Placement, place},
};

pub(super) fn there_is_one_where_one_is_needed(report: &mut Report) {
    if !report.lab.networks.is_empty() {
        return;
    }
    let is_lonely =
        |(name, spec): &(&String, &MachineSpec)| spec.nics.is_none() && !report.unread.touches(&at!["machines", *name, "nics"]);
    let lonely = report.specs().find(is_lonely);
    if let Some((first, _)) = lonely {
        let message = format!(
            "machine `{first}` is on no network, as the lab has none; add one, such as `networks: {{ lan: {{ cidr: 10.77.1.0/24 }} }}`"
        );
        report.error(at!["machines", first].key(), message);
    }
}

pub(super) fn have_a_subnet(report: &mut Report) {
    let without = report.networks().filter(|(_, network)| network.cidr.is_none() && network.mode != NetworkMode::Bridge);
    for (nth, (name, _)) in without.enumerate() {
        let message = format!("network `{name}` has no subnet; add `cidr: {}`", free_subnet(report, nth));
        report.error(at!["networks", name, "cidr"].key(), message);
    }
}

pub(super) fn subnets_are_networks(report: &mut Report) {
    for (name, cidr) in subnets(report) {
        if cidr.addr() != cidr.network() {
            let message =
                format!("`{cidr}` is an address in the subnet of network `{name}`, not the subnet; write `{}`", cidr.trunc());
            report.error(at!["networks", name, "cidr"], message);
        }
    }
}

pub(super) fn subnets_are_for_machines(report: &mut Report) {
    for (name, cidr) in subnets(report) {
        let path = at!["networks", name, "cidr"];
        let within = |range: &str| range.parse::<Ipv4Net>().is_ok_and(|range| range.contains(&cidr.trunc()));
        let reserved = [
            ("127.0.0.0/8", "loopback"),
            ("224.0.0.0/4", "multicast"),
            ("169.254.0.0/16", "link-local"),
            ("0.0.0.0/8", "reserved"),
            ("240.0.0.0/4", "reserved"),
        ];
        let private = [
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "100.64.0.0/10",
            "192.0.2.0/24",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "198.18.0.0/15",
        ];
        if let Some((_, kind)) = reserved.iter().find(|(range, _)| within(range)) {
            let message = format!(
                "network `{name}` ({cidr}) is in a range of {kind} addresses, which machines cannot have; use a private one, such as `{}`",
                free_subnet(report, 0)
            );
            report.error(path, message);
        } else if cidr.prefix_len() < 8 {
            let message = format!(
                "network `{name}` ({cidr}) takes too much of all addresses; use a private subnet, such as `{}`",
                free_subnet(report, 0)
            );
            report.error(path, message);
        } else if !private.iter().any(|range| within(range)) {
            let message = format!(
                "network `{name}` ({cidr}) has public addresses, whose owners its machines cannot reach; a private one would be `{}`",
                free_subnet(report, 0)
            );
            report.warning(path, message);
        } else if cidr.prefix_len() < 16 {
            let message = format!(
                "network `{name}` ({cidr}) has {} addresses, and may hide networks that the host needs; `/16` is large already",
                1u64 << (32 - cidr.prefix_len())
            );
            report.warning(path, message);
        }
    }
}

/// Several networks may lead to one bridge, or to several that the world has joined; all others have a subnet of their own.
pub(super) fn subnets_do_not_overlap(report: &mut Report) {
    // A bridge's subnet is what it is, so the other is to be changed: bridges count as those that were there first.
    let mut all: Vec<((bool, usize), &String, Ipv4Net)> = report
        .networks()
        .enumerate()
        .filter_map(|(index, (name, network))| {
            Some(((network.mode != NetworkMode::Bridge, index), name, network.cidr?.trunc()))
        })
        .collect();
    // Sorted, a subnet that holds others comes right before them.
    all.sort_by_key(|(order, _, cidr)| (cidr.network(), cidr.prefix_len(), *order));
    let mut told = HashSet::new();
    let (mut bridges, mut own): (Vec<_>, Vec<_>) = (Vec::new(), Vec::new());
    for current in all {
        for around in [&mut bridges, &mut own] {
            while around.last().is_some_and(|(_, _, cidr): &(_, _, Ipv4Net)| !cidr.contains(&current.2)) {
                around.pop();
            }
        }
        let is_own = current.0.0;
        for other in own.last().into_iter().chain(bridges.last().filter(|_| is_own)) {
            let (first, second) = if other.0 < current.0 { (other, &current) } else { (&current, other) };
            if !told.insert(second.1) {
                continue;
            }
            let message = format!(
                "network `{}` ({}) overlaps network `{}` ({}); give it another subnet, such as `{}`",
                second.1,
                second.2,
                first.1,
                first.2,
                free_subnet(report, told.len() - 1)
            );
            report.error(at!["networks", second.1, "cidr"], message);
        }
        if is_own { own.push(current) } else { bridges.push(current) }
    }
}

pub(super) fn have_room(report: &mut Report) {
    for (name, network) in report.networks() {
        let Some(cidr) = network.cidr.filter(|_| network.mode != NetworkMode::Bridge) else { continue };
        let path = at!["networks", name, "cidr"];
        if cidr.prefix_len() > 29 {
            let message = format!(
                "network `{name}` ({cidr}) is too small for machines; use `/29` or larger, such as `{}`",
                free_subnet(report, 0)
            );
            report.error(path, message);
            continue;
        }
        let nics = || report.machines.iter().flat_map(|machine| &machine.nics).filter(|nic| nic.network == *name);
        let without = nics().filter(|nic| nic.address.is_none()).count();
        if without > 0 {
            let all = nics().count() as u64;
            // The derived ones leave the first ten free for people.
            let prefix = (8..cidr.prefix_len()).rev().find(|prefix| (1u64 << (32 - prefix)) >= all + 16).unwrap_or(8);
            let message = format!(
                "network `{name}` ({cidr}) has no address left for {without} of the {all} interfaces on it; widen it to `/{prefix}`"
            );
            report.error(path, message);
        }
    }
}

pub(super) fn fields_fit_the_mode(report: &mut Report) {
    for (name, network) in report.networks() {
        let is_bridge = network.mode == NetworkMode::Bridge;
        match &network.bridge {
            None if is_bridge => {
                let message = format!(
                    "network `{name}` is a bridge and does not say which; add `bridge: br0`, with the name of a bridge of the host"
                );
                report.error(at!["networks", name, "bridge"].key(), message);
            }
            Some(bridge) if !is_bridge => {
                let message = format!(
                    "network `{name}` names the bridge `{bridge}` and is no bridge; add `mode: bridge`, or leave `bridge` out"
                );
                report.error(at!["networks", name, "bridge"].key(), message);
            }
            Some(bridge) if !is_interface(bridge) => {
                let message = format!(
                    "network `{name}` names the bridge `{bridge}`, which no device can be called; write a name of at most 15 letters, digits, `-`, `_` and `.`, such as `br0`"
                );
                report.error(at!["networks", name, "bridge"], message);
            }
            _ => {}
        }
        if is_bridge && network.dhcp.is_some() {
            let message =
                format!("network `{name}` is a bridge, where addresses come from what is there already; leave `dhcp` out");
            report.error(at!["networks", name, "dhcp"].key(), message);
        }
    }
}

pub(super) fn domains_are_domains(report: &mut Report) {
    for (name, network) in report.networks() {
        let Some(domain) = &network.domain else { continue };
        if domain.len() > 200 || !domain.split('.').all(|label| is_label(label) && label.len() <= 63) {
            let message = format!(
                "network `{name}` has the domain `{}`, which is none; write labels of lower-case letters, digits and hyphens, such as `corp.lab`",
                super::mismatch::shorten(domain)
            );
            report.error(at!["networks", name, "domain"], message);
        }
    }
}

pub(super) fn domains_have_names(report: &mut Report) {
    for (name, network) in report.networks() {
        let (Some(domain), Some(false), true) = (&network.domain, network.dhcp, network.mode != NetworkMode::Bridge) else {
            continue;
        };
        let message = format!(
            "network `{name}` has no DHCP, and so the host knows no machine by a name in `{}`; leave `domain` or `dhcp: false` out",
            super::mismatch::shorten(domain)
        );
        report.warning(at!["networks", name, "domain"].key(), message);
    }
}

/// A device name as Linux takes it.
fn is_interface(name: &str) -> bool {
    (1..=15).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        && !matches!(name, "." | "..")
}

fn subnets<'a>(report: &Report<'a>) -> Vec<(&'a String, Ipv4Net)> {
    report.networks().filter_map(|(name, network): (_, &Network)| Some((name, network.cidr?))).collect()
}

/// A subnet that the lab does not use; the `nth` of those, so that two proposals do not meet (of the first few: nobody reads on).
fn free_subnet(report: &Report, nth: usize) -> Ipv4Net {
    let used: Vec<Ipv4Net> =
        subnets(report).into_iter().map(|(_, cidr)| cidr.trunc()).filter(|cidr| cidr.prefix_len() >= 8).collect();
    let subnet = |second, third| Ipv4Net::new_assert(Ipv4Addr::new(10, second, third, 0), 24);
    let mut all = (77..=255).chain(0..77).flat_map(|second| (1..=255).map(move |third| subnet(second, third)));
    all.by_ref()
        .filter(|free| used.iter().all(|used| !used.contains(free) && !free.contains(used)))
        .nth(nth.min(16))
        .unwrap_or(subnet(77, 1))
}

/// Where machines name their hosts, as far as that binds those on the same network.
pub(super) fn stay_on_one_host(report: &mut Report) {
    // Too many machines to unfold are a problem of their own.
    if report.machines.is_empty() {
        return;
    }
    if let Err(spans) = place(report.lab, &Placement::new(), &[]) {
        report.error(at!["networks", &spans.network].key(), spans.to_string());
    }
}
