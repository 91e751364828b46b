//! Subnets, bridges and firewalls: whether packets of guests get anywhere.
//!
//! What decides is how libvirt filters. With its iptables backend its own rules accept what its networks forward, before any policy of
//! the same chain: docker's or ufw's DROP then does no harm. With its nftables backend (from 10.4 on, where both are there) its rules
//! lie in a table of their own, and a packet has to be accepted by every table.

use ipnet::Ipv4Net;
use vlm_lab::{address, model::NetworkMode};

use crate::doctor::{
    Facts, Finding, Fix, Packets,
    Severity::{self, Note, Problem, Warning},
    checks::{finding, ok, quoted},
    facts::Seen,
};

/// All devices of our networks, as iptables and ufw name several.
const OURS: &str = "vlm+";

pub fn subnets(facts: &Facts) -> Vec<Finding> {
    let mut all = Vec::new();
    let overlap = |a: &Ipv4Net, b: &Ipv4Net| a.contains(&b.network()) || b.contains(&a.network());
    let of_labs: Vec<(String, String, Ipv4Net, bool)> = facts
        .labs
        .iter()
        .flat_map(|lab| {
            let own = lab.networks.iter().filter(|network| network.mode != NetworkMode::Bridge);
            own.filter_map(|network| {
                let device = address::bridge_name(&lab.name, &network.name);
                Some((format!("{}.{}", lab.name, network.name), device, network.cidr?, lab.is_there))
            })
        })
        .collect();
    let known = facts.libvirt.as_ref().map_or(&[][..], |libvirt| &libvirt.networks);
    let routes = facts.computer.routes();
    for (index, (name, device, cidr, _)) in of_labs.iter().enumerate() {
        for (other, _, theirs, _) in of_labs[index + 1..].iter().filter(|(_, _, theirs, _)| overlap(cidr, theirs)) {
            let message =
                format!("the networks `{name}` ({cidr}) and `{other}` ({theirs}) overlap: they cannot be up together");
            all.push(finding(Note, message));
        }
        // What a lab of ours has there is told above.
        let foreign = |network: &&crate::libvirt::Network| !of_labs.iter().any(|(ours, ..)| *ours == network.name);
        let clash = known.iter().filter(foreign).find(|network| network.subnets.iter().any(|subnet| overlap(cidr, subnet)));
        if let Some(other) = clash {
            let message = format!(
                "the network `{name}` ({cidr}) overlaps with the host's network `{}`: choose another `cidr`",
                other.name
            );
            let subnets: Vec<String> = other.subnets.iter().map(Ipv4Net::to_string).collect();
            all.push(finding(Warning, message).because(format!("`{}` has {}", other.name, subnets.join(", "))));
        }
        let of_libvirt = |through: &str| {
            through == device
                || of_labs.iter().any(|(_, other, ..)| other == through)
                || known.iter().any(|network| network.bridge.as_deref() == Some(through))
        };
        if let Some((through, route)) = routes.iter().find(|(through, route)| overlap(cidr, route) && !of_libvirt(through)) {
            let message = format!(
                "the network `{name}` ({cidr}) overlaps with {route}, which the host reaches through {through}: choose another `cidr`"
            );
            all.push(finding(Warning, message).because(format!("route {route} dev {through}")));
        }
    }
    if all.is_empty() && facts.computer.is_complete() {
        let count = of_labs.len();
        all.extend(ok(match count {
            0 => "no lab has a network here that could clash".to_owned(),
            _ => format!("the subnets of {count} networks of labs are free"),
        }));
    }
    all
}

pub fn bridges(facts: &Facts) -> Vec<Finding> {
    let there = facts.computer.lines("bridges");
    let mut all = Vec::new();
    let mut found = Vec::new();
    for (lab, bridge) in bridges_of_labs(facts) {
        if there.iter().any(|name| name == bridge) {
            found.push(bridge);
        } else {
            let message = format!("the lab `{lab}` needs the bridge `{bridge}`, which the host does not have");
            all.push(finding(Warning, message).because(format!("bridges there: {}", there.join(", "))));
        }
    }
    found.sort_unstable();
    found.dedup();
    if !found.is_empty() {
        all.extend(ok(format!("bridges that labs name are there: {}", found.join(", "))));
    }
    all
}

/// Labs, and the host's bridges that their networks name.
fn bridges_of_labs(facts: &Facts) -> Vec<(&str, &str)> {
    let all = facts.labs.iter().flat_map(|lab| lab.networks.iter().map(|network| (lab.name.as_str(), network)));
    all.filter_map(|(lab, network)| Some((lab, network.bridge.as_deref()?))).collect()
}

pub fn ip_forward(facts: &Facts) -> Vec<Finding> {
    match facts.computer.sysctl("ipv4/ip_forward") {
        None => Vec::new(),
        Some(true) => ok("the kernel forwards packets (net.ipv4.ip_forward)"),
        Some(false) => {
            if active_networks(facts) == 0 {
                return ok("the kernel does not forward packets yet; libvirt switches that on with the first network");
            }
            let fix =
                Fix::undoable(true, ["sysctl -w net.ipv4.ip_forward=1".into()], ["sysctl -w net.ipv4.ip_forward=0".into()]);
            let message = "the kernel does not forward packets, so guests do not get out: somebody switched it off";
            vec![finding(Problem, message).because("net.ipv4.ip_forward = 0").with(fix)]
        }
    }
}

/// How many of libvirt's networks are up: their devices are there.
fn active_networks(facts: &Facts) -> usize {
    let there = |bridge: &String| facts.computer.lines("bridges").contains(bridge);
    let known = facts.libvirt.as_ref().map_or(&[][..], |libvirt| &libvirt.networks);
    known.iter().filter(|network| network.bridge.as_ref().is_some_and(there)).count()
}

/// How libvirt filters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Backend {
    Iptables,
    Nftables,
}

fn backend(facts: &Facts) -> Backend {
    let computer = &facts.computer;
    let has = |name: &str, text: &str| computer.lines(name).iter().any(|line| line.starts_with(text));
    let newer = facts.libvirt.as_ref().is_ok_and(|libvirt| libvirt.version >= (10, 4, 0));
    match computer.setting("network-conf", "firewall_backend") {
        _ if has("nft", "table ip libvirt_network") => Backend::Nftables,
        _ if has("iptables", "-N LIBVIRT_FWI") && !newer => Backend::Iptables,
        Some("nftables") => Backend::Nftables,
        Some("iptables") => Backend::Iptables,
        _ if newer && computer.has("nft") => Backend::Nftables,
        _ => Backend::Iptables,
    }
}

/// Who drops forwarded packets that no rule of iptables accepts.
fn dropper(rules: &[String]) -> Option<&'static str> {
    if !rules.iter().any(|rule| rule == "-P FORWARD DROP") {
        return None;
    }
    let has = |chain: &str| rules.iter().any(|rule| rule == &format!("-N {chain}"));
    Some(match () {
        () if has("ufw-user-forward") => "ufw",
        () if has("DOCKER-USER") => "docker",
        () => "the policy",
    })
}

pub fn forward(facts: &Facts) -> Vec<Finding> {
    let computer = &facts.computer;
    let mut all = Vec::new();
    all.extend(tables_that_drop(computer.lines("nft")).into_iter().map(|table| {
        let message = format!(
            "the nftables table `{table}` drops forwarded packets that it does not accept, whatever libvirt's rules accept"
        );
        finding(Warning, message).because(format!("table {table}: hook forward, policy drop"))
    }));
    let rules = match computer.seen("iptables") {
        Seen::NotThere if computer.is_complete() && all.is_empty() => {
            return ok("there are no iptables that could drop forwarded packets");
        }
        Seen::NotThere => return all,
        Seen::Hidden => {
            let suspect = if computer.has("docker") { "; docker runs, which drops forwarded packets" } else { "" };
            let message =
                format!("whether forwarded packets are dropped was not looked at: only root may see the rules{suspect}");
            all.push(finding(Note, message));
            return all;
        }
        Seen::Lines(rules) => rules,
    };
    let Some(who) = dropper(rules) else {
        return if all.is_empty() { ok("forwarded packets are accepted unless a rule says otherwise") } else { all };
    };
    let chain = if who == "ufw" { "ufw-user-forward" } else { "FORWARD" };
    let accepts = |way: &str| rules.iter().any(|rule| rule == &format!("-A {chain} {way} {OURS} -j ACCEPT"));
    let jumps = rules.iter().any(|rule| rule == "-A FORWARD -j LIBVIRT_FWI");
    all.extend(match backend(facts) {
        Backend::Iptables if jumps => {
            ok(format!("{who} drops forwarded packets that no rule accepts, and libvirt's own rules accept those of its networks"))
        }
        Backend::Iptables if active_networks(facts) == 0 => {
            ok(format!("{who} drops forwarded packets that no rule accepts; libvirt's rules come with its first network"))
        }
        Backend::Iptables => {
            let message = format!("{who} drops forwarded packets, and libvirt's rules are gone: somebody flushed them, and guests do not get out");
            let fix = Fix::by_hand(["systemctl restart libvirtd   # guests go on running"]);
            vec![finding(Problem, message).because("-P FORWARD DROP; no LIBVIRT_FWI in FORWARD").with(fix)]
        }
        Backend::Nftables if accepts("-i") && accepts("-o") => {
            ok(format!("{who} drops forwarded packets that no rule accepts, and rules accept those of labs' networks"))
        }
        Backend::Nftables => {
            let message = format!(
                "{who} drops forwarded packets that no rule accepts, and libvirt's rules lie in a table of their own that cannot accept \
                 for it: guests do not get out. The new rules come last, so that all others still count, as do libvirt's"
            );
            // At the end of the chain: what somebody refuses on purpose stays refused.
            let (commands, undo) = if who == "ufw" {
                let rule = |verb: &str, way: &str| format!("ufw route {verb}allow {way} on {OURS}");
                (["in", "out"].map(|way| rule("", way)), ["in", "out"].map(|way| rule("delete ", way)))
            } else {
                let rule = |verb: &str, way: &str| format!("iptables -{verb} FORWARD {way} {OURS} -j ACCEPT");
                (["-i", "-o"].map(|way| rule("A", way)), ["-i", "-o"].map(|way| rule("D", way)))
            };
            let evidence = format!("-P FORWARD DROP; no `-A {chain} -i {OURS} -j ACCEPT`");
            vec![finding(Problem, message).because(evidence).with(Fix::undoable(true, commands, undo))]
        }
    });
    all
}

/// Tables of nftables, other than those of iptables and libvirt, whose forwarding drops what they do not accept.
fn tables_that_drop(lines: &[String]) -> Vec<&str> {
    let mut table = "";
    let mut found = Vec::new();
    for line in lines.iter().map(|line| line.trim()) {
        if let Some(name) = line.strip_prefix("table ") {
            table = name.trim_end_matches(" {");
        }
        let sees_ipv4 = table.starts_with("ip ") || table.starts_with("inet ");
        let is_judged_elsewhere = ["ip filter", "ip libvirt_network"].contains(&table);
        if line.contains("hook forward") && line.contains("policy drop") && sees_ipv4 && !is_judged_elsewhere {
            found.push(table);
        }
    }
    found
}

pub fn bridge_netfilter(facts: &Facts) -> Vec<Finding> {
    let computer = &facts.computer;
    let mut bridges: Vec<&str> = bridges_of_labs(facts).into_iter().map(|(_, bridge)| bridge).collect();
    bridges.sort_unstable();
    bridges.dedup();
    match (computer.sysctl("bridge/bridge-nf-call-iptables"), computer.seen("iptables")) {
        (None, _) => Vec::new(),
        (Some(false), _) => ok("packets within a bridge do not pass iptables"),
        (Some(true), Seen::NotThere) => ok("packets within a bridge pass iptables, of which there are none"),
        (Some(true), Seen::Hidden) if !bridges.is_empty() => {
            vec![finding(Note, "packets within a bridge pass iptables (br_netfilter), whose rules only root may see")]
        }
        (Some(true), Seen::Hidden) => {
            ok("packets within a bridge pass iptables (br_netfilter); no lab uses a bridge of the host")
        }
        (Some(true), Seen::Lines(rules)) => {
            let Some(who) = dropper(rules) else {
                return ok("packets within a bridge pass iptables (br_netfilter), which accept them");
            };
            let rule = |bridge: &str| format!("FORWARD -i {bridge} -o {bridge} -j ACCEPT");
            bridges.retain(|bridge| !rules.iter().any(|is| *is == format!("-A {}", rule(bridge))));
            if bridges.is_empty() {
                return ok("packets within a bridge pass iptables (br_netfilter); no bridge that labs name is hurt by that");
            }
            let problem = |bridge: &&str| {
                let message = format!(
                    "packets within the bridge `{bridge}` pass iptables (br_netfilter), where {who} drops them: machines on it are cut off. \
                     The new rule comes last, and counts until the next boot"
                );
                let word = quoted(bridge);
                let fix =
                    Fix::undoable(true, [format!("iptables -A {}", rule(&word))], [format!("iptables -D {}", rule(&word))]);
                finding(Problem, message).because("net.bridge.bridge-nf-call-iptables = 1; -P FORWARD DROP").with(fix)
            };
            bridges.iter().map(problem).collect()
        }
    }
}

pub fn ufw(facts: &Facts) -> Vec<Finding> {
    let computer = &facts.computer;
    let is = |key: &str, value: &str| {
        computer
            .lines("ufw")
            .iter()
            .any(|line| line.strip_prefix(key).is_some_and(|is| is.trim_matches('"').eq_ignore_ascii_case(value)))
    };
    if !computer.has("ufw") {
        return Vec::new();
    }
    if !is("ENABLED=", "yes") {
        return ok("ufw is off");
    }
    let refuses = is("DEFAULT_INPUT_POLICY=", "DROP") || is("DEFAULT_INPUT_POLICY=", "REJECT");
    if !refuses || backend(facts) == Backend::Iptables {
        return ok("ufw is on, and lets guests ask the host for addresses and names");
    }
    let open = |port: &str| {
        let rule = |is: &String| {
            is.starts_with("-A ufw-user-input")
                && is.contains(&format!("-i {OURS}"))
                && is.contains(&format!("--dport {port} "))
        };
        computer.lines("iptables").iter().any(rule)
    };
    if open("67") && open("53") {
        return ok("ufw is on, and lets labs' networks ask the host for addresses and names");
    }
    let message = "ufw refuses what guests ask of the host: they get no address (DHCP) and no names (DNS). The rules let them, and nobody else";
    let rules = [format!("allow in on {OURS} to any port 67 proto udp"), format!("allow in on {OURS} to any port 53")];
    let fix =
        Fix::undoable(true, rules.clone().map(|rule| format!("ufw {rule}")), rules.map(|rule| format!("ufw delete {rule}")));
    vec![finding(Problem, message).because(computer.lines("ufw").join("\n")).with(fix)]
}

pub fn firewalld(facts: &Facts) -> Vec<Finding> {
    let computer = &facts.computer;
    if !computer.has("firewalld") {
        return Vec::new();
    }
    if computer.first("firewalld") != Some("running") {
        return ok("firewalld does not run");
    }
    if computer.lines("firewalld").iter().skip(1).any(|line| line.split(' ').any(|zone| zone == "libvirt")) {
        return ok("firewalld runs, and has libvirt's zone for its networks");
    }
    let message =
        "firewalld runs and lacks the zone `libvirt`: guests get no address and no names. libvirt's packages bring it";
    let fix = Fix::by_hand(["dnf reinstall libvirt-daemon-driver-network", "firewall-cmd --reload"]);
    vec![finding(Problem, message).because(computer.lines("firewalld").join("\n")).with(fix)]
}

pub fn packets(facts: &Facts) -> Vec<Finding> {
    match &facts.packets {
        Packets::NotLooked(why) => {
            if !facts.computer.is_complete() {
                return vec![finding(Note, format!("whether a network passes packets was not tried: {why}"))];
            }
            let said = forward(facts).iter().chain(&ufw(facts)).all(|finding| finding.severity == Severity::Ok);
            let guess = if said { "; the rules that could be seen do not forbid it" } else { "; see the rules above" };
            vec![finding(Note, format!("whether a network passes packets was not tried: {why}{guess}"))]
        }
        Packets::Passed(how) => ok(format!("a network of libvirt's passes packets: {how}")),
        Packets::Failed { what, evidence } => {
            vec![finding(Problem, format!("a network of libvirt's does not pass packets: {what}")).because(evidence.clone())]
        }
    }
}
