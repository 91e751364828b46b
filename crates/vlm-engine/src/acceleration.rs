//! Whether KVM really runs a guest here: measured, not believed.
//!
//! Some machines offer a `/dev/kvm` on which a guest never starts, and libvirt lists KVM all the same. A boot sector of a few
//! bytes that ends QEMU through a debug port tells within a second.

use std::{fs, path::Path, time::Duration};

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use vlm_lab::{model::Acceleration, render::DomainType};

use crate::{libvirt::HostFacts, process::Program, store::Store};

/// How long the probe may take: on KVM it needs tens of milliseconds.
const LIMIT: Duration = Duration::from_secs(5);
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
    let is_device =
        fs::metadata("/dev/kvm").is_ok_and(|meta| std::os::unix::fs::FileTypeExt::is_char_device(&meta.file_type()));
    if !is_device {
        return tcg("there is no /dev/kvm".into());
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
    let basis = format!("{} {} {built:?}", boot_id.trim(), emulator.display());
    if let Ok(Some(known)) = store.host_fact("local", "kvm", &basis)
        && let Ok(known) = serde_json::from_str(&known)
    {
        return known;
    }
    let found = match probe(&emulator, scratch).await {
        Ok(took) => Accelerated { kvm: true, why: format!("a probe guest ran on KVM within {} ms", took.as_millis()) },
        Err(why) => tcg(format!("KVM is offered but does not run a guest: {why}")),
    };
    // Not remembering costs a second at the next plan, no more.
    let _ = store.save_host_fact("local", "kvm", &basis, &serde_json::to_string(&found).expect("it serialises"));
    found
}

/// Boots the probe; how long it took, or why it did not work.
async fn probe(emulator: &Path, scratch: &Path) -> Result<Duration, String> {
    let mut sector = [0u8; 512];
    // mov al, EXIT_VALUE; out 0xf4, al; hlt; jmp to the hlt
    sector[..7].copy_from_slice(&[0xb0, EXIT_VALUE, 0xe6, 0xf4, 0xf4, 0xeb, 0xfd]);
    sector[510..].copy_from_slice(&[0x55, 0xaa]);
    crate::terraform::create_private_dir(scratch).map_err(|error| error.to_string())?;
    let disk = tempfile::NamedTempFile::new_in(scratch).map_err(|error| error.to_string())?;
    fs::write(disk.path(), sector).map_err(|error| error.to_string())?;
    let program = Program::new(emulator, scratch)
        .args(["-accel", "kvm", "-machine", "pc", "-m", "16", "-nodefaults", "-no-user-config", "-display", "none"])
        .args(["-device", "isa-debug-exit,iobase=0xf4,iosize=0x04", "-drive"])
        .args([format!("file={},format=raw,if=floppy,readonly=on", disk.path().display().to_string().replace(',', ",,"))]);
    let cancel = CancellationToken::new();
    let started = std::time::Instant::now();
    match tokio::time::timeout(LIMIT, program.run(&cancel, |_| {})).await {
        Err(_) => Err(format!("it did not reach its first instruction within {} s", LIMIT.as_secs())),
        Ok(Err(error)) => Err(error.to_string()),
        Ok(Ok(ended)) if ended.status.code() == Some(EXIT_STATUS) => Ok(started.elapsed()),
        Ok(Ok(ended)) => Err(ended.stderr.lines().next().unwrap_or("QEMU ended early").to_owned()),
    }
}
