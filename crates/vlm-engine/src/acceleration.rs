//! Whether KVM really runs a guest here: measured, not believed.
//!
//! Some machines offer a `/dev/kvm` that QEMU's account may not open, on which a guest never starts, or on which it is many times
//! slower than emulated; libvirt lists KVM all the same. A boot sector of a few bytes that ends QEMU through a debug port tells
//! within a second.

use std::{
    fs,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::Path,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use vlm_lab::{model::Acceleration, render::DomainType};

use crate::{
    Engine,
    hosts::Host,
    libvirt::{HostFacts, xml::Account},
    process::Program,
    ssh::{Way, kept::Kept},
    store::Store,
};

/// How long the probe may take: on KVM it needs tens of milliseconds, emulated hardly more.
const LIMIT: Duration = Duration::from_secs(5);
/// How much longer than emulated it may take on KVM, for what a busy computer adds.
const LEEWAY: Duration = Duration::from_millis(500);
/// Counts up when the probe becomes another one, so that earlier answers do not count.
const PROBE: u32 = 2;
/// `isa-debug-exit` ends QEMU with `(value << 1) | 1`: see QEMU's hw/misc/debugexit.c.
const EXIT_VALUE: u8 = 0x2a;
const EXIT_STATUS: i32 = ((EXIT_VALUE as i32) << 1) | 1;

/// How guests run on a host, and how we know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accelerated {
    /// Whether KVM is used.
    pub kvm: bool,
    /// Why, in a sentence.
    pub why: String,
}

impl Accelerated {
    /// libvirt's domain type.
    pub fn domain_type(&self) -> DomainType {
        if self.kvm { DomainType::Kvm } else { DomainType::Qemu }
    }
}

/// Decides how the guests of a lab run on a host. `Err` says why the wish cannot be met.
pub(crate) async fn decide(wish: Acceleration, host: &Host, facts: &HostFacts, engine: &Engine) -> Result<Accelerated, String> {
    let measured = async || match &host.way {
        Way::Direct => measured(facts, engine.store(), &engine.dirs().data.join("probe")).await,
        Way::Through(kept) => measured_there(kept, &host.name, facts, engine.store()).await,
    };
    match wish {
        Acceleration::Tcg => Ok(Accelerated { kvm: false, why: "the lab asks for TCG".into() }),
        Acceleration::Auto => Ok(measured().await),
        Acceleration::Kvm => {
            let measured = measured().await;
            if measured.kvm { Ok(measured) } else { Err(format!("the lab insists on KVM, but {}", measured.why)) }
        }
    }
}

/// The probe's answer, from the store when this boot of the computer and this QEMU were probed before.
async fn measured(facts: &HostFacts, store: &Store, scratch: &Path) -> Accelerated {
    let tcg = |why: String| Accelerated { kvm: false, why };
    let Some(emulator) = facts.emulator.clone().filter(|_| facts.kvm_listed) else {
        return tcg("libvirt offers no KVM here".into());
    };
    // A file in its place, as in a container that hides it, is no device.
    let Some(device) = fs::metadata("/dev/kvm").ok().filter(|meta| meta.file_type().is_char_device()) else {
        return tcg("there is no /dev/kvm".into());
    };
    if let Some(account) = facts.emulators_account
        && !may_open((device.mode(), device.uid(), device.gid()), account, &groups_of(account.user))
    {
        return tcg(format!(
            "QEMU, which libvirt runs as user {}, may not open /dev/kvm (`chgrp kvm /dev/kvm; chmod 660 /dev/kvm` as root mends that)",
            account.user
        ));
    }
    if let Err(error) = fs::OpenOptions::new().read(true).write(true).open("/dev/kvm") {
        if error.kind() == std::io::ErrorKind::PermissionDenied {
            let why = "libvirt offers KVM; it could not be measured, because you may not open /dev/kvm (join the group kvm)";
            return Accelerated { kvm: true, why: why.into() };
        }
        return tcg(format!("/dev/kvm cannot be opened: {error}"));
    }
    let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let built = fs::metadata(&emulator).and_then(|meta| meta.modified()).ok();
    let basis = format!("{} {} {built:?} {PROBE}", boot_id.trim(), emulator.display());
    if let Ok(Some(known)) = store.host_fact("local", "kvm", &basis)
        && let Ok(known) = serde_json::from_str(&known)
    {
        return known;
    }
    // A busy moment must not decide for the rest of this boot.
    let compared = match compare(&emulator, scratch).await {
        Err(_) => compare(&emulator, scratch).await,
        fast => fast,
    };
    let found = match compared {
        Ok(took) => Accelerated { kvm: true, why: format!("a probe guest ran on KVM within {} ms", took.as_millis()) },
        Err(why) => tcg(format!("KVM is offered but does not run guests well: {why}")),
    };
    // Not remembering costs a second at the next plan, no more.
    let _ = store.save_host_fact("local", "kvm", &basis, &serde_json::to_string(&found).expect("it serialises"));
    found
}

/// The same on a host behind a link: a script of a few lines boots the probe there.
async fn measured_there(kept: &Kept, host: &str, facts: &HostFacts, store: &Store) -> Accelerated {
    let listed = |why: &str| Accelerated { kvm: true, why: format!("libvirt there lists KVM; it was not measured: {why}") };
    let Some(emulator) = facts.emulator.as_deref().and_then(Path::to_str).filter(|_| facts.kvm_listed) else {
        return Accelerated { kvm: false, why: "libvirt there offers no KVM".into() };
    };
    // A path that a shell would take for more than a path.
    if !emulator.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+".contains(c)) {
        return listed("its emulator has an unusual path");
    }
    let Ok(output) = kept.exec("cat /proc/sys/kernel/random/boot_id", b"").await else { return listed("its link was lost") };
    let basis = format!("{} {emulator} {PROBE}", String::from_utf8_lossy(&output.stdout).trim());
    if let Ok(Some(known)) = store.host_fact(host, "kvm", &basis)
        && let Ok(known) = serde_json::from_str(&known)
    {
        return known;
    }
    let script = format!("emulator={emulator}\n{}", include_str!("probe.sh"));
    let found = match kept.exec(&script, &boot_sector()).await {
        Ok(output) => judge(&String::from_utf8_lossy(&output.stdout)).unwrap_or_else(|why| listed(&why)),
        Err(error) => return listed(&error.to_string()),
    };
    let _ = store.save_host_fact(host, "kvm", &basis, &serde_json::to_string(&found).expect("it serialises"));
    found
}

/// What probe.sh printed: a line for each way, with QEMU's exit status and the milliseconds that it took.
fn judge(printed: &str) -> Result<Accelerated, String> {
    let took = |how: &str| -> Option<(i32, u64)> {
        let line = printed.lines().find_map(|line| line.strip_prefix(how))?;
        let (status, ms) = line.trim().split_once(' ')?;
        Some((status.parse().ok()?, ms.parse().ok()?))
    };
    if printed.contains("no access") {
        return Err("the account there may not open /dev/kvm".into());
    }
    let tcg = |why: String| Accelerated { kvm: false, why: format!("KVM is offered but does not run guests well: {why}") };
    let (status, ms) = took("kvm ").ok_or("the probe said nothing")?;
    let limit = took("tcg ").filter(|(status, _)| *status == EXIT_STATUS).map(|(_, ms)| ms + LEEWAY.as_millis() as u64);
    Ok(match limit {
        _ if status != EXIT_STATUS => tcg(format!("QEMU ended with status {status} after {ms} ms")),
        Some(limit) if ms > limit => tcg(format!("a probe guest took {ms} ms on KVM, more than {limit} ms")),
        _ => Accelerated { kvm: true, why: format!("a probe guest ran on KVM within {ms} ms") },
    })
}

/// Whether `account`, who is also in `groups`, may read and write a file of this mode, owner and group.
fn may_open((mode, owner, group): (u32, u32, u32), account: Account, groups: &[u32]) -> bool {
    let bits = match account {
        Account { user: 0, .. } => return true,
        Account { user, .. } if user == owner => mode >> 6,
        Account { group: own, .. } if own == group || groups.contains(&group) => mode >> 3,
        Account { .. } => mode,
    };
    bits & 0o6 == 0o6
}

/// A user's groups: libvirt gives QEMU those too, beside the one that its configuration names.
fn groups_of(user: u32) -> Vec<u32> {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    groups_in(user, &read("/etc/passwd"), &read("/etc/group"))
}

fn groups_in(user: u32, passwd: &str, group: &str) -> Vec<u32> {
    // name:password:uid:gid:…
    let mut accounts = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let Some(account) = accounts.find(|fields| fields.get(2).and_then(|id| id.parse().ok()) == Some(user)) else {
        return Vec::new();
    };
    // name:password:gid:member,member…
    let groups = group.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let listed = groups.filter(|fields| fields.get(3).is_some_and(|members| members.split(',').any(|name| name == account[0])));
    let ids = listed.map(|fields| fields[2]).chain(account.get(3).copied());
    ids.filter_map(|id| id.parse().ok()).collect()
}

/// Boots the probe emulated and on KVM; how long it took on KVM, or why guests had better not run on it.
async fn compare(emulator: &Path, scratch: &Path) -> Result<Duration, String> {
    // Not every QEMU can emulate.
    let emulated = probe(emulator, scratch, &["-accel", "tcg"], LIMIT).await.ok();
    let limit = emulated.map_or(LIMIT, |emulated| emulated + LEEWAY);
    // The processor that main.tf gives to guests: what it cannot bear shows here.
    let on_kvm = probe(emulator, scratch, &["-accel", "kvm", "-cpu", "host"], limit).await;
    match emulated {
        Some(emulated) => on_kvm.map_err(|why| format!("{why}; emulated it took {} ms", emulated.as_millis())),
        None => on_kvm,
    }
}

fn boot_sector() -> [u8; 512] {
    let mut sector = [0u8; 512];
    // mov al, EXIT_VALUE; out 0xf4, al; hlt; jmp to the hlt
    sector[..7].copy_from_slice(&[0xb0, EXIT_VALUE, 0xe6, 0xf4, 0xf4, 0xeb, 0xfd]);
    sector[510..].copy_from_slice(&[0x55, 0xaa]);
    sector
}

/// Boots the probe; how long it took, or why it did not work.
async fn probe(emulator: &Path, scratch: &Path, how: &[&str], limit: Duration) -> Result<Duration, String> {
    crate::terraform::create_private_dir(scratch).map_err(|error| error.to_string())?;
    let disk = tempfile::NamedTempFile::new_in(scratch).map_err(|error| error.to_string())?;
    fs::write(disk.path(), boot_sector()).map_err(|error| error.to_string())?;
    let program = Program::new(emulator, scratch)
        .args(how)
        .args(["-machine", "pc", "-m", "16", "-nodefaults", "-no-user-config", "-display", "none"])
        .args(["-device", "isa-debug-exit,iobase=0xf4,iosize=0x04", "-drive"])
        .args([format!("file={},format=raw,if=floppy,readonly=on", disk.path().display().to_string().replace(',', ",,"))]);
    let cancel = CancellationToken::new();
    let started = std::time::Instant::now();
    match tokio::time::timeout(limit, program.run(&cancel, |_| {})).await {
        Err(_) => Err(format!("a probe guest did not reach its first instruction within {} ms", limit.as_millis())),
        Ok(Err(error)) => Err(error.to_string()),
        Ok(Ok(ended)) if ended.status.code() == Some(EXIT_STATUS) => Ok(started.elapsed()),
        Ok(Ok(ended)) => Err(ended.stderr.lines().next().unwrap_or("QEMU ended early").to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probe_of_another_host_is_judged_like_ours() {
        let kvm = |printed: &str| judge(printed).map(|found| found.kvm);
        assert_eq!(kvm("tcg 85 300\nkvm 85 90\n"), Ok(true));
        assert_eq!(kvm("tcg 1 300\nkvm 85 4000\n"), Ok(true)); // a QEMU that cannot emulate
        assert_eq!(kvm("tcg 85 70\nkvm 85 4500\n"), Ok(false));
        assert_eq!(kvm("tcg 85 70\nkvm 124 5000\n"), Ok(false));
        assert!(kvm("no access\n").is_err());
        assert!(kvm("").is_err());
    }

    #[test]
    fn groups_of_an_account() {
        let passwd =
            "root:x:0:0:root:/root:/bin/bash\nlibvirt-qemu:x:64055:107:Libvirt Qemu:/var/lib/libvirt:/usr/sbin/nologin\n";
        let group = "root:x:0:\nkvm:x:107:ada\nlibvirt-qemu:x:64055:libvirt-qemu\nvideo:x:44:ada,libvirt-qemu\n";
        assert_eq!(groups_in(64055, passwd, group), [64055, 44, 107]);
        assert_eq!(groups_in(1, passwd, group), [0u32; 0]);
    }

    #[test]
    fn who_may_open_a_device() {
        let check = |mode, user, groups: &[u32], may| {
            let account = Account { user, group: 1000 };
            assert_eq!(may_open((mode, 7, 107), account, groups), may, "{mode:o} for {user} in {groups:?}");
        };
        check(0o600, 64055, &[107], false); // as a kernel makes it where no udev runs
        check(0o660, 64055, &[107], true); // Debian
        check(0o660, 64055, &[], false);
        check(0o666, 64055, &[], true); // Fedora
        check(0o606, 64055, &[107], false);
        check(0o600, 7, &[], true);
        check(0o600, 0, &[], true);
    }
}
