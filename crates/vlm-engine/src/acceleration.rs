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
    libvirt::{HostFacts, xml::Account},
    process::Program,
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

/// Decides how the guests of a lab run on this computer. `Err` says why the wish cannot be met.
pub async fn decide(wish: Acceleration, facts: &HostFacts, store: &Store, scratch: &Path) -> Result<Accelerated, String> {
    match wish {
        Acceleration::Tcg => Ok(Accelerated { kvm: false, why: "the lab asks for TCG".into() }),
        Acceleration::Auto => Ok(measured(facts, store, scratch).await),
        Acceleration::Kvm => {
            let measured = measured(facts, store, scratch).await;
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

/// Boots the probe; how long it took, or why it did not work.
async fn probe(emulator: &Path, scratch: &Path, how: &[&str], limit: Duration) -> Result<Duration, String> {
    let mut sector = [0u8; 512];
    // mov al, EXIT_VALUE; out 0xf4, al; hlt; jmp to the hlt
    sector[..7].copy_from_slice(&[0xb0, EXIT_VALUE, 0xe6, 0xf4, 0xf4, 0xeb, 0xfd]);
    sector[510..].copy_from_slice(&[0x55, 0xaa]);
    crate::terraform::create_private_dir(scratch).map_err(|error| error.to_string())?;
    let disk = tempfile::NamedTempFile::new_in(scratch).map_err(|error| error.to_string())?;
    fs::write(disk.path(), sector).map_err(|error| error.to_string())?;
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
