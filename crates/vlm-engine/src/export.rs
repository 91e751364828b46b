//! A lab as plain files: a Terraform directory and an Ansible project that work without us.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use vlm_lab::{
    Lab, Machine,
    model::Acceleration,
    render::{self, Context, DomainType, UefiFirmware},
};

use crate::{
    Engine,
    deploy::Error,
    hosts::LOCAL,
    labs::{self, LabFile, authors_files},
    libvirt::Target,
    site::{Keys, link_plays, write_seeds},
    ssh::link::Remote,
    store::LabRow,
    terraform::{create_private_dir, write_private},
};

/// Writes lab `name` to `dir`, which must not exist or be empty. Needs no host; the images must be in our store, because the
/// files name them by their digest. Returns the paths written, relative to `dir`.
pub fn export(engine: &Engine, name: &str, dir: &Path) -> Result<Vec<String>, Error> {
    let refused = |message: String, remedy: &str| Error::Refused { message, remedy: remedy.to_owned() };
    if fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(refused(format!("{} is not empty", dir.display()), "name a new folder"));
    }
    let (row, lab) = engine.labs().read(name)?;
    let machines = labs::placed(&row, &lab);
    let hosts: BTreeSet<&str> = machines.iter().map(|machine| machine.host.as_str()).collect();
    if hosts.len() > 1 {
        let hosts = hosts.into_iter().collect::<Vec<_>>().join(", ");
        let remedy = "a Terraform directory is for one host: give the lab one `host`, and export that";
        return Err(refused(format!("lab `{name}` is over several hosts ({hosts})"), remedy));
    }
    let host = hosts.first().copied().unwrap_or(LOCAL);
    let remote = engine.store().hosts()?.into_iter().find(|row| row.name == host).and_then(|row| row.remote);
    let images = engine.store().images()?;
    let keys = Keys::open(&engine.dirs().lab(name))?;
    let mut missing: Vec<String> =
        machines.iter().map(|m| m.image.clone()).filter(|image| !images.iter().any(|row| row.name == *image)).collect();
    missing.sort();
    missing.dedup();
    if !missing.is_empty() {
        return Err(Error::ImagesToBuild(missing));
    }
    let context = Context {
        host_keys: keys.of_machines(&machines)?,
        lab_key: keys.lab.public.clone(),
        ..context(engine, &row, &lab, host, remote.as_ref())?
    };
    let mut files: Vec<(String, String)> = vec![("lab.yaml".into(), row.document.clone())];
    files.extend(
        render::terraform::terraform(&lab, &machines, &context)
            .into_iter()
            .map(|(path, text)| (format!("terraform/{path}"), text)),
    );
    files.extend(
        render::ansible::ansible(&lab, &machines, &context).into_iter().map(|(path, text)| (format!("ansible/{path}"), text)),
    );
    files.push(("ansible/ssh/id_ed25519".into(), keys.lab.private.clone()));
    let used: Vec<_> = images.iter().filter(|row| machines.iter().any(|machine| machine.image == row.name)).collect();
    let volumes: String = used
        .iter()
        .map(|row| {
            let volume = format!("{}.qcow2", row.digest);
            format!(
                "virsh vol-create-as {pool} {volume} {bytes} --format qcow2   # image {name}\n\
                 virsh vol-upload --pool {pool} {volume} {file}\n",
                pool = context.pool,
                bytes = row.virtual_bytes,
                name = row.name,
                file = engine.images().path(&row.digest).display(),
            )
        })
        .collect();
    files.push(("README.md".into(), readme(name, &context.pool, &volumes, remote.as_ref())));
    for (path, text) in &files {
        let path = dir.join(path);
        write_private(&path, text).map_err(|source| Error::Io { what: format!("write {}", path.display()), source })?;
    }
    write_seeds(&lab, &machines, &context, &dir.join("terraform"))?;
    let mut written: Vec<String> = files.into_iter().map(|(path, _)| path).collect();
    link_plays(&dir.join("ansible"))?;
    for path in authors_files(lab.machines.values(), Path::new(&row.dir)) {
        copy(&Path::new(&row.dir).join(&path), &dir.join("ansible/lab").join(&path))?;
        written.push(format!("ansible/lab/{}", path.display()));
    }
    written.sort();
    Ok(written)
}

/// What the files of a lab on a host are rendered with, as far as no host is asked and no key is needed.
fn context(engine: &Engine, row: &LabRow, lab: &Lab, host: &str, remote: Option<&Remote>) -> Result<Context, Error> {
    let images = engine.store().images()?;
    Ok(Context {
        host: host.to_owned(),
        libvirt_uri: remote.map_or(Target::LocalSystem.uri(), Remote::libvirt_uri),
        pool: engine.settings().pool().to_owned(),
        domain_type: if lab.acceleration == Acceleration::Tcg { DomainType::Qemu } else { DomainType::Kvm },
        base_volumes: images.iter().map(|row| (row.name.clone(), format!("{}.qcow2", row.digest))).collect(),
        host_keys: Default::default(),
        lab_key: "(the lab's own public key)".to_owned(),
        // Debian's and Ubuntu's place; a reader on another system changes it in terraform.tfvars.json.
        uefi: Some(UefiFirmware {
            code: "/usr/share/OVMF/OVMF_CODE_4M.fd".into(),
            nvram_template: "/usr/share/OVMF/OVMF_VARS_4M.fd".into(),
        }),
        ssh_ports: engine.store().ssh_ports(row.id)?,
        lab_dir: PathBuf::from(&row.dir),
    })
}

/// The files that a deploy of a lab would write now, for people to read: what Terraform, cloud-init and Ansible get, without any
/// key. Paths are relative to the lab's folder of what is rendered.
pub fn files(engine: &Engine, name: &str) -> Result<Vec<LabFile>, Error> {
    let (row, lab) = engine.labs().read(name)?;
    let machines = labs::placed(&row, &lab);
    let mut hosts: Vec<&str> = machines.iter().map(|machine| machine.host.as_str()).collect();
    hosts.sort_unstable();
    hosts.dedup();
    if hosts.is_empty() {
        hosts.push(LOCAL);
    }
    let known = engine.store().hosts()?;
    let mut files = BTreeMap::new();
    for host in hosts {
        let remote = known.iter().find(|row| row.name == host).and_then(|row| row.remote.as_ref());
        let context = context(engine, &row, &lab, host, remote)?;
        let rendered = render::terraform::terraform(&lab, &machines, &context);
        files.extend(rendered.into_iter().map(|(path, text)| (format!("{host}/terraform/{path}"), text)));
        for machine in machines.iter().filter(|machine| machine.host == host) {
            let seed = render::cloud_init::seed(&lab, machine, &context);
            let parts = [("user-data", seed.user_data), ("meta-data", seed.meta_data), ("network-config", seed.network_config)];
            let dir = format!("{host}/cloud-init/{}", machine.name);
            files.extend(parts.map(|(part, text)| (format!("{dir}/{part}"), text)));
        }
        // It is the same for all hosts.
        let project = render::ansible::ansible(&lab, &machines, &context).into_iter();
        let shown = project.filter(|(path, _)| path != "ssh/known_hosts");
        files.extend(shown.map(|(path, text)| (format!("ansible/{path}"), text)));
    }
    Ok(files.into_iter().map(|(path, text)| LabFile { path, text }).collect())
}

/// What a machine's cloud-init reads, without keys, and the play that Ansible configures it by.
pub(crate) fn of_machine(
    engine: &Engine,
    row: &LabRow,
    lab: &Lab,
    machine: &Machine,
) -> Result<(String, Option<String>), Error> {
    let context = context(engine, row, lab, &machine.host, None)?;
    let user_data = render::cloud_init::user_data(lab, machine, &context);
    let mut project = render::ansible::ansible(lab, std::slice::from_ref(machine), &context);
    Ok((user_data, project.remove(&format!("plays/{}.yaml", machine.spec))))
}

/// Writes the lab file alone.
pub fn export_file(engine: &Engine, name: &str, to: &Path) -> Result<(), Error> {
    let row = engine.labs().get(name)?;
    fs::write(to, row.document).map_err(|source| Error::Io { what: format!("write {}", to.display()), source })
}

/// Copies a file, or a folder with all that is in it.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), labs::Error> {
    let io = |source| labs::Error::Io { what: format!("copy {}", from.display()), source };
    if from.is_dir() {
        create_private_dir(to).map_err(io)?;
        for entry in fs::read_dir(from).map_err(io)? {
            let entry = entry.map_err(io)?;
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
        return Ok(());
    }
    create_private_dir(to.parent().expect("a file lies in a folder")).map_err(io)?;
    fs::copy(from, to).map(|_| ()).map_err(io)
}

fn readme(name: &str, pool: &str, volumes: &str, remote: Option<&Remote>) -> String {
    let jump = remote.map_or(String::new(), |remote| {
        format!("\nThe machines are behind {remote}: `ssh -J {remote} -F ssh_config MACHINE`, and `ProxyJump {remote}` in `ssh_config` for Ansible.\n")
    });
    format!(
        "# {name}\n\n\
         `lab.yaml` is the design; the two folders were made from it and work without Virtual Lab Manager. They hold private\n\
         keys (`ansible/ssh/id_ed25519`, and the guests' host keys in `terraform/seeds`): keep them to yourself.\n\n\
         ## Make the machines\n\n\
         The libvirt host needs a storage pool `{pool}` with the base images:\n\n\
         ```sh\nvirsh pool-define-as {pool} dir --target /var/lib/libvirt/images/{pool} && virsh pool-build {pool} && virsh pool-start {pool}\n\
         {volumes}```\n\n\
         Then:\n\n\
         ```sh\ncd terraform && terraform init && terraform apply\n```\n\n\
         On a host without working KVM set `domain_type` to `qemu` in `terraform/terraform.tfvars.json`. `libvirt_uri` there says\n\
         which host it is.\n\n\
         ## Configure and enter them\n\n\
         ```sh\ncd ansible && ansible-playbook site.yaml\nssh -F ssh_config MACHINE\n```\n{jump}"
    )
}
