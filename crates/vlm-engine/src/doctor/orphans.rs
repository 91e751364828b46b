//! What is on a host of labs that are not there any more: told by our marks, never by a name alone.
//!
//! A domain's mark is its system disk, a network's the device that its name makes, a volume's its name in our pool. Of labs that we do
//! not know something may be another person's: that is said, and nothing is ever removed but what somebody names.

use std::collections::{BTreeMap, BTreeSet};

use vlm_lab::address;

use super::packets;
use crate::libvirt::{Network, Thing, Uses, VolumeFile};

/// Something that no lab owns up to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    /// What it is.
    pub thing: Thing,
    /// Why nobody owns it: the end of a sentence that begins with it.
    pub why: String,
    /// What tells that it was ours.
    pub evidence: String,
    /// Whether the lab is one of ours: then it is no other person's.
    pub is_known_lab: bool,
}

/// What we know.
pub(crate) struct Known<'a> {
    /// Our labs, and whether something of each may be on a host.
    pub labs: BTreeMap<&'a str, bool>,
    /// Digests of the images in the store.
    pub digests: BTreeSet<String>,
    /// The pool that labs use.
    pub pool: &'a str,
}

/// What may be called so and is no lab's.
enum Whose {
    /// Of a lab that is there: no orphan.
    Alive,
    /// Of a lab of ours of which nothing should be on a host.
    Gone,
    /// Of a lab that we do not know.
    Unknown,
}

impl Known<'_> {
    /// Whether a closer look is worth it.
    pub fn may_have_orphans(&self, networks: &[Network], volumes: &[VolumeFile]) -> bool {
        !self.orphans(networks, volumes, &[]).is_empty()
    }

    /// What nobody owns. Volumes that a domain uses which is not itself an orphan are not among them.
    pub fn orphans(&self, networks: &[Network], volumes: &[VolumeFile], uses: &[Uses]) -> Vec<Orphan> {
        let mut all = Vec::new();
        for Uses { domain, disks, .. } in uses {
            let system = format!("{domain}.system.qcow2");
            let mark = disks.iter().find(|disk| **disk == system || disk.ends_with(&format!("/{system}")));
            if let (Some(mark), Some((lab, _))) = (mark, named(domain)) {
                all.extend(self.orphan(Thing::Domain { name: domain.clone() }, lab, format!("its disk is {mark}")));
            }
        }
        let orphaned: BTreeSet<String> = all.iter().map(|orphan: &Orphan| orphan.thing.name().to_owned()).collect();
        let in_use = |name: &str, path: &str| {
            let others = uses.iter().filter(|uses| !orphaned.contains(&uses.domain));
            others.flat_map(|uses| &uses.disks).any(|disk| disk == name || disk == path)
        };
        for network in networks {
            let bridge = network.bridge.as_deref().unwrap_or_default();
            let used = uses.iter().filter(|uses| !orphaned.contains(&uses.domain)).flat_map(|uses| &uses.networks);
            if used.into_iter().any(|used| *used == network.name) {
                continue;
            }
            let thing = Thing::Network { name: network.name.clone() };
            if network.name == packets::NETWORK {
                all.push(Orphan {
                    thing,
                    why: "is left of a look at this host that was cut off".into(),
                    evidence: format!("its device is {bridge}"),
                    is_known_lab: true,
                });
                continue;
            }
            match named(&network.name) {
                Some((lab, rest)) if address::bridge_name(lab, rest) == bridge => {
                    all.extend(self.orphan(thing, lab, format!("its device is {bridge}")));
                }
                _ => {}
            }
        }
        for volume in volumes.iter().filter(|volume| !in_use(&volume.name, &volume.path)) {
            let thing = || Thing::Volume { pool: self.pool.to_owned(), name: volume.name.clone() };
            let evidence = format!("{}, {} MiB", volume.path, volume.allocated_bytes >> 20);
            if let Some(digest) = volume.name.strip_suffix(".qcow2").filter(|name| is_digest(name)) {
                let is_base = volumes.iter().any(|other| other.backing.as_deref() == Some(volume.path.as_str()));
                if !self.digests.contains(digest) && !is_base {
                    let why = "is a base that no image in your store has and no disk stands on".to_owned();
                    all.push(Orphan { thing: thing(), why, evidence, is_known_lab: false });
                }
            } else if let Some((lab, rest)) = named(&volume.name)
                && is_of_machine(rest)
            {
                all.extend(self.orphan(thing(), lab, evidence));
            }
        }
        all
    }

    fn orphan(&self, thing: Thing, lab: &str, evidence: String) -> Option<Orphan> {
        let whose = match self.labs.get(lab) {
            Some(true) => Whose::Alive,
            Some(false) => Whose::Gone,
            None => Whose::Unknown,
        };
        let (why, is_known_lab) = match whose {
            Whose::Alive => return None,
            Whose::Gone => {
                (format!("is left of the lab `{lab}`, which is not deployed: `vlm adopt {lab}` takes it in again"), true)
            }
            Whose::Unknown => (
                format!("is of a lab `{lab}` that you do not have: another person's, or left of one that was forgotten"),
                false,
            ),
        };
        Some(Orphan { thing, why, evidence, is_known_lab })
    }
}

/// `LAB.REST`.
fn named(name: &str) -> Option<(&str, &str)> {
    name.split_once('.').filter(|(lab, rest)| is_lab_name(lab) && !rest.is_empty())
}

/// Whether a lab may be called so: see the rule for names in vlm-lab.
pub(super) fn is_lab_name(name: &str) -> bool {
    let plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    plain && !name.is_empty() && name.len() <= 40 && !name.starts_with('-') && !name.ends_with('-')
}

/// `MACHINE.system.qcow2`, `MACHINE.disk-NAME.qcow2` or `MACHINE.seed.iso`.
fn is_of_machine(rest: &str) -> bool {
    let Some((machine, kind)) = rest.split_once('.') else { return false };
    let disk = kind.strip_prefix("disk-").is_some_and(|name| name.ends_with(".qcow2"));
    !machine.is_empty() && (disk || kind == "system.qcow2" || kind == "seed.iso")
}

fn is_digest(name: &str) -> bool {
    name.len() == 64 && name.chars().all(|c| c.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(name: &str, backing: Option<&str>) -> VolumeFile {
        VolumeFile {
            name: name.into(),
            path: format!("/pool/{name}"),
            backing: backing.map(Into::into),
            allocated_bytes: 3 << 20,
            capacity_bytes: 4 << 30,
        }
    }

    fn network(name: &str, bridge: &str) -> Network {
        Network { name: name.into(), bridge: Some(bridge.into()), ..Network::default() }
    }

    #[test]
    fn only_what_bears_our_marks_and_no_lab_owns() {
        let (base, used, other) = ("a".repeat(64), "b".repeat(64), "c".repeat(64));
        let known = Known { labs: [("up", true), ("down", false)].into(), digests: [base.clone()].into(), pool: "vlm" };
        let uses = |domain: &str, disk: &str, network: &str| Uses {
            domain: domain.into(),
            disks: vec![disk.into()],
            networks: vec![network.into()],
            nics: Vec::new(),
        };
        let networks = [
            network("default", "virbr0"),
            network("up.lan", &address::bridge_name("up", "lan")),
            network("down.lan", &address::bridge_name("down", "lan")),
            network("down.other", "virbr7"), // somebody else's, only called so
            network("strange.lan", &address::bridge_name("strange", "lan")),
            network("vlm-doctor", "vlmdoctor0"),
        ];
        let volumes = [
            volume("up.web.system.qcow2", Some(&format!("/pool/{used}.qcow2"))),
            volume("down.web.system.qcow2", None),
            volume("down.web.disk-data.qcow2", None),
            volume("strange.db.seed.iso", None),
            volume("down.kept.seed.iso", None), // in a domain that is no orphan
            volume("notes.txt", None),
            volume(&format!("{base}.qcow2"), None),
            volume(&format!("{used}.qcow2"), None),
            volume(&format!("{other}.qcow2"), None),
        ];
        let domains = [
            uses("up.web", "up.web.system.qcow2", "up.lan"),
            uses("down.web", "/pool/down.web.system.qcow2", "down.lan"),
            uses("down.mine", "/srv/mine.qcow2", "default"),
            uses("keeper", "/pool/down.kept.seed.iso", "default"),
        ];
        let found = known.orphans(&networks, &volumes, &domains);
        let found: Vec<String> = found.iter().map(|orphan| format!("{} {}", orphan.is_known_lab, orphan.thing)).collect();
        assert_eq!(
            found,
            [
                "true domain `down.web`".to_owned(),
                "true network `down.lan`".into(),
                "false network `strange.lan`".into(),
                "true network `vlm-doctor`".into(),
                "true volume `down.web.system.qcow2` in pool `vlm`".into(),
                "true volume `down.web.disk-data.qcow2` in pool `vlm`".into(),
                "false volume `strange.db.seed.iso` in pool `vlm`".into(),
                format!("false volume `{other}.qcow2` in pool `vlm`"),
            ]
        );
    }
}
