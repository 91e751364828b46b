//! The pool, its room, who may read its images, and what was left in it.

use crate::doctor::{
    Facts, Finding, Fix, Leftover, Orphan,
    Severity::{Note, Problem, Warning},
    checks::{finding, ok, quoted},
    facts::Folder,
};

/// Below this, in MiB, a deploy or a guest fails soon; and below that it is time to look.
const NO_ROOM_MIB: u64 = 1024;
const LITTLE_ROOM_MIB: u64 = 10 * 1024;

pub fn pool(facts: &Facts) -> Vec<Finding> {
    let Ok(libvirt) = &facts.libvirt else { return Vec::new() };
    let (name, word) = (&facts.pool, quoted(&facts.pool));
    let virsh = |rest: String| format!("virsh -c qemu:///system {rest}");
    match &libvirt.pool {
        None => {
            let path = facts.pool_path.display().to_string();
            let fix = Fix::pool(
                [
                    virsh(format!("pool-define-as {word} dir --target {}", quoted(&path))),
                    virsh(format!("pool-build {word}")),
                    virsh(format!("pool-start {word}")),
                    virsh(format!("pool-autostart {word}")),
                ],
                [virsh(format!("pool-destroy {word}")), virsh(format!("pool-undefine {word}"))],
            );
            vec![finding(Note, format!("there is no pool `{name}` yet; the first deploy makes it, at {path}")).with(fix)]
        }
        Some(pool) if !pool.active => {
            let fix = Fix::pool([virsh(format!("pool-start {word}"))], [virsh(format!("pool-destroy {word}"))]);
            vec![finding(Warning, format!("the pool `{name}` is not active: its volumes cannot be used")).with(fix)]
        }
        Some(pool) if !pool.autostart => {
            let undo = virsh(format!("pool-autostart {word} --disable"));
            let fix = Fix::pool([virsh(format!("pool-autostart {word}"))], [undo]);
            vec![finding(Note, format!("the pool `{name}` does not start with the host")).with(fix)]
        }
        Some(pool) => ok(format!("the pool `{name}` is active, at {}", pool.path.display())),
    }
}

pub fn room(facts: &Facts) -> Vec<Finding> {
    let computer = &facts.computer;
    let pool = facts.libvirt.as_ref().ok().and_then(|libvirt| libvirt.pool.as_ref());
    let told = pool.and_then(|pool| pool.available_bytes).map(|bytes| bytes >> 20);
    let seen = computer.room_mib("pool-room");
    let mut all = Vec::new();
    if let Some(free) = told.or(seen.map(|(free, _)| free)) {
        let place = seen.map_or(String::new(), |(_, mount)| format!(" (file system {mount})"));
        all.extend(amount(
            free,
            &format!("the pool's folder {}{place}", facts.pool_path.display()),
            "disks of machines grow there",
        ));
    }
    if let Some((free, mount)) = computer.room_mib("data-room") {
        all.extend(amount(free, &format!("vlm's own folder (file system {mount})"), "images are kept there"));
    }
    all
}

fn amount(free_mib: u64, place: &str, why: &str) -> Vec<Finding> {
    let message = format!("{free_mib} MiB are free for {place}");
    if free_mib < NO_ROOM_MIB {
        return vec![finding(Problem, format!("{message}: too little, as {why}"))];
    }
    if free_mib < LITTLE_ROOM_MIB {
        return vec![finding(Warning, format!("{message}: not much, as {why}"))];
    }
    ok(message)
}

pub fn pool_path(facts: &Facts) -> Vec<Finding> {
    let computer = &facts.computer;
    let folders = computer.pool_folders();
    let Some(account) = facts.account() else {
        return if folders.is_empty() {
            Vec::new()
        } else {
            vec![finding(Note, "which account QEMU runs as is not known, so neither is whether it gets into the pool's folder")]
        };
    };
    let groups = computer.groups_of(account.user);
    let closed: Vec<&Folder> = folders.iter().filter(|folder| !folder.lets_pass(account, &groups)).collect();
    if closed.is_empty() {
        return ok(format!("QEMU (user {}) gets into {}", account.user, facts.pool_path.display()));
    }
    let closed_ones = closed.iter().map(|folder| {
        // For QEMU's account alone: opening the folder to everybody would be more than is needed.
        let (who, path) = (format!("user:{}", account.user), quoted(&folder.path));
        let commands = [format!("setfacl -m {who}:--x {path}")];
        let fix = if computer.program("setfacl").is_some() {
            Fix::undoable(true, commands, [format!("setfacl -x {who} {path}")])
        } else {
            Fix::by_hand(computer.packages("acl").into_iter().chain(commands))
        };
        let message =
            format!("QEMU (user {}) may not pass through {}, above the images of the pool", account.user, folder.path);
        let evidence = format!("{}: mode {:o}, owner {}, group {}", folder.path, folder.mode, folder.user, folder.group);
        finding(Problem, message).because(evidence).with(fix)
    });
    closed_ones.collect()
}

pub fn ownership(facts: &Facts) -> Vec<Finding> {
    let computer = &facts.computer;
    if !computer.has("qemu-conf") {
        return Vec::new();
    }
    if computer.is_unreadable("qemu-conf") {
        return vec![finding(
            Note,
            "who owns running guests' images was not looked at: only root may read /etc/libvirt/qemu.conf",
        )];
    }
    let mut all = Vec::new();
    if computer.setting("qemu-conf", "dynamic_ownership") == Some("0") {
        let message = "libvirt does not hand images to the account that QEMU runs as, so machines cannot open their disks";
        let fix = Fix::by_hand([
            "sed -i 's/^dynamic_ownership.*/dynamic_ownership = 1/' /etc/libvirt/qemu.conf",
            "systemctl restart libvirtd",
        ]);
        all.push(finding(Problem, message).because("/etc/libvirt/qemu.conf: dynamic_ownership = 0").with(fix));
    }
    if facts.account().is_some_and(|account| account.user == 0) {
        let message = "QEMU runs as root: who breaks out of a guest is root on the host";
        let user = computer.setting("qemu-conf", "user").unwrap_or("not set");
        all.push(finding(Warning, message).because(format!("/etc/libvirt/qemu.conf: user = {user}")));
    }
    if all.is_empty() {
        all.extend(ok("libvirt hands images to the account that QEMU runs as, and back"));
    }
    all
}

pub fn apparmor(facts: &Facts) -> Vec<Finding> {
    let computer = &facts.computer;
    let is_on = computer.first("apparmor") == Some("Y");
    let Some(models) = facts.libvirt.as_ref().ok().map(|libvirt| &libvirt.security_models) else {
        return if is_on {
            vec![finding(Note, "AppArmor is on; whether it confines guests tells libvirt, which is not reached")]
        } else {
            Vec::new()
        };
    };
    if !models.iter().any(|model| model == "apparmor") {
        return if is_on { ok("AppArmor is on and does not confine guests: libvirt does not use it") } else { Vec::new() };
    }
    let path = facts.pool_path.display().to_string();
    if computer.lines("apparmor-local").iter().any(|rule| allows(rule, &path)) {
        return ok(format!("AppArmor confines guests, and a rule of this host lets them use {path}"));
    }
    // libvirt's helper writes each guest's rules from the domain's XML, and finds no file behind a disk that is named by pool and
    // volume, which is how the Terraform provider names disks.
    let denied = computer.lines("apparmor-denied");
    let (severity, more) =
        if denied.is_empty() { (Warning, "may be refused their disks") } else { (Problem, "were refused files") };
    let message = format!(
        "AppArmor confines guests, and machines {more}: libvirt's virt-aa-helper does not see the files behind disks that are named by \
         pool and volume. The rule lets every guest of this host use the pool's files"
    );
    let file = "/etc/apparmor.d/local/abstractions/libvirt-qemu";
    let rule = format!("echo {} >> {file}", quoted(&format!("\"{path}/**\" rwk,")));
    let evidence =
        if denied.is_empty() { format!("libvirt's security models: {}", models.join(", ")) } else { denied.join("\n") };
    // Not done by us: it takes a wall between guests away.
    let fix = Fix::by_hand([format!("mkdir -p {}", &file[..file.len() - "/libvirt-qemu".len()]), rule]);
    vec![finding(severity, message).because(evidence).with(fix)]
}

/// Whether an AppArmor rule such as `"/srv/labs/**" rwk,` lets files below `path` be read, written and locked.
fn allows(rule: &str, path: &str) -> bool {
    let Some((glob, rights)) = rule.trim().trim_start_matches("owner ").rsplit_once(' ') else { return false };
    let below = glob.trim().trim_matches('"').strip_suffix("/**");
    let covers = below.is_some_and(|below| path == below || path.starts_with(&format!("{below}/")));
    covers && ['r', 'w', 'k'].iter().all(|right| rights.contains(*right))
}

pub fn selinux(facts: &Facts) -> Vec<Finding> {
    let computer = &facts.computer;
    match computer.first("selinux") {
        None => return Vec::new(),
        Some("0") => return ok("SELinux is permissive"),
        Some(_) => {}
    }
    let path = facts.pool_path.display().to_string();
    // user:role:type:level
    let kind = computer.first("pool-label").and_then(|label| label.split(':').nth(2));
    match kind {
        Some("virt_image_t" | "svirt_image_t" | "virt_content_t") => {
            ok(format!("SELinux is enforcing, and {path} is labelled for guests' images"))
        }
        // Below libvirt's own folder the policy labels what is made.
        None if path.starts_with("/var/lib/libvirt/images/") => {
            ok("SELinux is enforcing, and the pool's folder will be labelled by it")
        }
        kind => {
            let pattern = quoted(&format!("{path}(/.*)?"));
            let fix = Fix::undoable(
                true,
                [format!("semanage fcontext -a -t virt_image_t {pattern}"), format!("restorecon -R {}", quoted(&path))],
                [format!("semanage fcontext -d {pattern}"), format!("restorecon -R {}", quoted(&path))],
            );
            let message = format!("SELinux is enforcing, and guests may not use {path}: it is not labelled virt_image_t");
            vec![finding(Problem, message).because(format!("its label: {}", kind.unwrap_or("none: it is not there"))).with(fix)]
        }
    }
}

pub fn orphans(facts: &Facts) -> Vec<Finding> {
    if facts.libvirt.is_err() {
        return Vec::new();
    }
    if facts.orphans.is_empty() {
        return ok("nothing is left of labs that are gone");
    }
    let one = |orphan: &Orphan| {
        let name = quoted(orphan.thing.name());
        let hint = format!("vlm doctor {} --remove-orphan {name}", facts.host);
        finding(if orphan.is_known_lab { Warning } else { Note }, format!("{} {}", orphan.thing, orphan.why))
            .because(orphan.evidence.clone())
            .with(Fix::hint(hint))
    };
    facts.orphans.iter().map(one).collect()
}

pub fn leftovers(facts: &Facts) -> Vec<Finding> {
    let one = |left: &Leftover| finding(Note, left.message.clone()).with(Fix::hint(left.command.clone()));
    facts.leftovers.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::allows;

    #[test]
    fn rules_of_apparmor() {
        let pool = "/var/lib/libvirt/images/vlm";
        assert!(allows(r#"  "/var/lib/libvirt/images/vlm/**" rwk,"#, pool));
        assert!(allows("/var/lib/libvirt/images/** rwk,", pool));
        assert!(!allows("/var/lib/libvirt/images/** r,", pool));
        assert!(!allows("/var/lib/libvirt/images/vl/** rwk,", pool));
        assert!(!allows("#include <abstractions/base>", pool));
    }
}
