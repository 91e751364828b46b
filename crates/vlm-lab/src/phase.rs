//! Phases of a machine on its way from nothing to configured, who may start next, and why one is stuck.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::lifecycle::DomainState;

/// How far a machine is. In order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub enum Phase {
    /// Known to libvirt, not started.
    Defined,
    /// Powered on.
    Booting,
    /// Its address answers: a lease, an ARP entry or a connection was seen.
    Address,
    /// It takes our SSH key and shows the host key that we gave it.
    Ssh,
    /// cloud-init has finished.
    CloudInit,
    /// Ansible has done its part, or there was none to do.
    Configured,
}

impl Phase {
    /// All phases, in order.
    pub const ALL: [Phase; 6] =
        [Phase::Defined, Phase::Booting, Phase::Address, Phase::Ssh, Phase::CloudInit, Phase::Configured];

    /// The phase in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Defined => "defined",
            Phase::Booting => "booting",
            Phase::Address => "address",
            Phase::Ssh => "ssh",
            Phase::CloudInit => "cloud-init done",
            Phase::Configured => "configured",
        }
    }
}

/// Where a machine stands in a run, for deciding what may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Not started yet.
    Waiting,
    /// On its way.
    Under,
    /// Configured.
    Ready,
    /// Given up.
    Failed,
}

/// The machines that may start now: their dependencies are ready, and no more than `at_once` are on their way.
///
/// `machines` is (name, depends_on) in the order of the file; a name that has no standing counts as ready.
pub fn startable<'a>(
    machines: impl IntoIterator<Item = (&'a str, &'a [String])>,
    standing: &BTreeMap<String, Standing>,
    at_once: usize,
) -> Vec<&'a str> {
    let under = standing.values().filter(|standing| **standing == Standing::Under).count();
    machines
        .into_iter()
        .filter(|(name, _)| standing.get(*name) == Some(&Standing::Waiting))
        .filter(|(_, depends_on)| depends_on.iter().all(|on| matches!(standing.get(on), None | Some(Standing::Ready))))
        .map(|(name, _)| name)
        .take(at_once.saturating_sub(under))
        .collect()
}

/// A machine that can no longer start, because one it depends on has failed: (machine, failed dependency).
pub fn blocked<'a>(
    machines: impl IntoIterator<Item = (&'a str, &'a [String])>,
    standing: &BTreeMap<String, Standing>,
) -> Vec<(&'a str, &'a str)> {
    machines
        .into_iter()
        .filter(|(name, _)| standing.get(*name) == Some(&Standing::Waiting))
        .filter_map(|(name, depends_on)| {
            let failed = depends_on.iter().find(|on| standing.get(*on) == Some(&Standing::Failed))?;
            Some((name, failed.as_str()))
        })
        .collect()
}

/// What several watchers have seen of a machine that is not ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// How far it came.
    pub phase: Phase,
    /// Its domain's state.
    pub domain: Option<DomainState>,
    /// How long it has been powered on.
    pub up: Duration,
    /// Whether a lease, an ARP entry or the agent gives it an address.
    pub address_seen: bool,
    /// What its SSH port did last.
    pub ssh: SshAnswer,
    /// What `cloud-init status` said last.
    pub cloud_init: Option<String>,
    /// How many bytes came over its serial console, and how long ago the last one.
    pub serial_bytes: u64,
    /// Time since the last byte on the serial console.
    pub serial_quiet: Duration,
    /// The end of its serial console.
    pub serial_tail: String,
}

/// What a machine's SSH port did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SshAnswer {
    /// Nothing was tried: no address is known.
    NotTried,
    /// Nothing came back.
    Silence,
    /// The guest's kernel answers, nobody listens.
    Refused,
    /// Another host key than the one we gave it.
    OtherHostKey,
    /// Our key is not let in.
    KeyRejected,
    /// Something else went wrong, in words.
    Broken(String),
    /// We are in.
    Accepted,
}

/// Why a machine is stuck, in a sentence, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stuck {
    /// What keeps it.
    pub reason: String,
    /// What to try.
    pub remedy: String,
}

/// Says what keeps a machine, from the strongest evidence down.
pub fn why_stuck(seen: &Observation) -> Stuck {
    let stuck = |reason: String, remedy: &str| Stuck { reason, remedy: remedy.to_owned() };
    match seen.domain {
        None => return stuck("its domain is gone from the host".into(), "somebody else removed it: deploy again"),
        Some(DomainState::ShutOff) => {
            return stuck("it powered itself off".into(), "read its serial log: the guest or its kernel gave up");
        }
        Some(DomainState::Crashed) => return stuck("it crashed".into(), "read its serial log for the kernel's last words"),
        Some(DomainState::Paused) => {
            return stuck("the host paused it".into(), "most often the host's disk is full: make room, then resume the domain");
        }
        Some(DomainState::Running | DomainState::ShuttingDown | DomainState::Suspended) => {}
    }
    if let Some(words) = boot_failure(&seen.serial_tail) {
        return stuck(
            format!("its firmware or kernel stopped: {words}"),
            "the image is not bootable like this: check that it is a disk image for x86-64, and its firmware (bios or uefi)",
        );
    }
    match &seen.ssh {
        SshAnswer::OtherHostKey => {
            return stuck(
                "its SSH host key is not the one that this lab gave it".into(),
                "another machine answers at its address, or cloud-init did not run; nothing was sent to it",
            );
        }
        SshAnswer::KeyRejected => {
            return stuck(
                "its SSH server does not accept the lab's key".into(),
                "cloud-init did not make the account: check `user`, `cloud_config` and that the image has cloud-init",
            );
        }
        SshAnswer::Accepted => {
            let status = seen.cloud_init.as_deref().unwrap_or("it does not answer");
            return stuck(
                format!("cloud-init is not done: {status}"),
                "/var/log/cloud-init-output.log in the guest says what it does",
            );
        }
        SshAnswer::Refused => {
            return stuck(
                "the guest is up, but no SSH server listens".into(),
                "the image may have no SSH server, or it is still generating keys or installing",
            );
        }
        SshAnswer::Broken(words) => {
            return stuck(format!("its SSH server answers strangely: {words}"), "check what listens on port 22");
        }
        SshAnswer::Silence | SshAnswer::NotTried => {}
    }
    if seen.address_seen {
        return stuck(
            "it has an address, but nothing answers there".into(),
            "a firewall in the guest or on the host may drop port 22",
        );
    }
    if seen.serial_bytes == 0 {
        return stuck(
            "nothing came over its serial console and it has no address".into(),
            "the guest does not boot, or has no console on ttyS0: open its console to see",
        );
    }
    if seen.serial_tail.contains("login:") {
        return stuck(
            "the guest is up, but has no address".into(),
            "its network is not configured: check `nics`, the network's `dhcp` and the image's cloud-init",
        );
    }
    stuck(
        format!("it is still booting after {} s, without an address", seen.up.as_secs()),
        "a slow host needs a longer `--wait`; `vlm logs LAB --serial MACHINE` shows its console",
    )
}

/// The line in which firmware, a boot loader or a kernel says that it gives up.
pub fn boot_failure(tail: &str) -> Option<&str> {
    const WORDS: [&str; 9] = [
        "UEFI Interactive Shell",
        "No bootable device",
        "Boot failed: not a bootable disk",
        "Boot failed: could not read the boot disk",
        "Kernel panic",
        "error: no such partition",
        "grub rescue>",
        "Give root password for maintenance",
        "BdsDxe: No bootable option",
    ];
    tail.lines().rev().take(40).find(|line| WORDS.iter().any(|words| line.contains(words))).map(str::trim)
}

/// Steps of a journal that were begun and not ended, in order. Each line of it is a step, and whether it begins there.
pub fn open_steps<'a>(journal: impl IntoIterator<Item = (&'a str, bool)>) -> Vec<&'a str> {
    let mut open = Vec::new();
    for (step, begins) in journal {
        if begins {
            open.push(step);
        } else if let Some(at) = open.iter().rposition(|other| *other == step) {
            open.remove(at);
        }
    }
    open
}
