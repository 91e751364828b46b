//! What is looked at, a function a check: facts in, findings out. Nothing here touches the world.

mod libvirt;
mod network;
mod storage;

use super::{Facts, Finding, Fix, Severity};

/// Looks at one thing. Says at least one sentence, so that everybody sees what was looked at; none where there is nothing of the kind.
type Check = fn(&Facts) -> Vec<Finding>;

/// All checks, in the order in which they are shown: what others rest on comes first.
const CHECKS: &[(&str, Check)] = &[
    ("facts", libvirt::facts),
    ("tools", libvirt::tools),
    ("libvirt", libvirt::reached),
    ("access", libvirt::access),
    ("kvm", libvirt::kvm),
    ("nested", libvirt::nested),
    ("memory", libvirt::memory),
    ("pool", storage::pool),
    ("room", storage::room),
    ("pool-path", storage::pool_path),
    ("ownership", storage::ownership),
    ("apparmor", storage::apparmor),
    ("selinux", storage::selinux),
    ("subnets", network::subnets),
    ("bridges", network::bridges),
    ("ip-forward", network::ip_forward),
    ("forward", network::forward),
    ("bridge-netfilter", network::bridge_netfilter),
    ("ufw", network::ufw),
    ("firewalld", network::firewalld),
    ("packets", network::packets),
    ("orphans", storage::orphans),
    ("leftovers", storage::leftovers),
];

/// What there is to say of a host.
pub fn findings(facts: &Facts) -> Vec<Finding> {
    let mut all = Vec::new();
    for (name, check) in CHECKS {
        all.extend(check(facts).into_iter().map(|finding| Finding { check: name, ..finding }));
    }
    for finding in &mut all {
        // As in facts.rs, for what libvirt tells.
        finding.message = plain(&finding.message);
        finding.evidence = plain(&finding.evidence);
        finding.fix.take_if(|fix| fix.commands.iter().chain(&fix.undo).any(|command| command.contains(char::is_control)));
    }
    for fix in all.iter_mut().filter_map(|finding| finding.fix.as_mut()) {
        // Over there we are who logged in, and nobody else; here sudo may help.
        fix.can_be_done &= !fix.root || facts.address.is_none() || facts.computer.is_root();
    }
    all
}

fn ok(message: impl Into<String>) -> Vec<Finding> {
    vec![finding(Severity::Ok, message)]
}

fn finding(severity: Severity, message: impl Into<String>) -> Finding {
    Finding { check: "", severity, message: message.into(), evidence: String::new(), fix: None }
}

impl Finding {
    fn because(self, evidence: impl Into<String>) -> Finding {
        Finding { evidence: evidence.into(), ..self }
    }

    fn with(self, fix: Fix) -> Finding {
        Finding { fix: Some(fix), ..self }
    }
}

/// A text without what a terminal would obey.
pub(super) fn plain(text: &str) -> String {
    text.replace(|c: char| c.is_control() && c != '\n', "?")
}

/// A word for a POSIX shell, whatever is in it.
pub(super) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn words_for_a_shell() {
        for (text, word) in [
            ("/var/lib/libvirt/images/vlm", "/var/lib/libvirt/images/vlm"),
            ("", "''"),
            ("/srv/my labs", "'/srv/my labs'"),
            ("/a'; reboot; '", r"'/a'\''; reboot; '\'''"),
        ] {
            assert_eq!(super::quoted(text), word);
        }
    }
}
