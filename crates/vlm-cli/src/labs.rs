//! `vlm check|list|status|ssh|export`

use std::{
    fs,
    io::Write as _,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::json;
use vlm_engine::{Engine, runs::RunStatus, store::LabState};
use vlm_lab::problems::{Problem, Severity};

use crate::{End, print_json, print_line};

/// A lab file's text and its folder.
pub fn read_file(path: &Path) -> Result<(String, PathBuf), End> {
    let failed = |error: std::io::Error| End::Refused(format!("could not read {}: {error}", path.display()), String::new());
    let text = fs::read_to_string(path).map_err(failed)?;
    let full = fs::canonicalize(path).map_err(failed)?;
    Ok((text, full.parent().unwrap_or(Path::new("/")).to_owned()))
}

/// A problem as compilers print theirs, so that editors find the place.
pub fn problem_line(file: &str, problem: &Problem) -> String {
    let kind = match problem.severity {
        Severity::Error => "",
        Severity::Warning => "warning: ",
    };
    match problem.place {
        Some(place) => format!("{file}:{}:{}: {kind}{}", place.line, place.column, problem.message),
        None => format!("{file}: {kind}{}", problem.message),
    }
}

/// `vlm check`
pub fn check(engine: &Engine, path: &Path, json: bool) -> Result<(), End> {
    let (text, dir) = read_file(path)?;
    let checked = engine.labs().check(&text, &dir)?;
    if json {
        print_json(&json!({ "file": path, "problems": checked.problems }))?;
    } else {
        for problem in &checked.problems {
            print_line(&problem_line(&path.display().to_string(), problem))?;
        }
        if checked.problems.is_empty() {
            print_line(&format!("{}: no problems", path.display()))?;
        }
    }
    if checked.problems.iter().any(|problem| problem.severity == Severity::Error) { Err(End::Status(2)) } else { Ok(()) }
}

/// `vlm list`
pub fn list(engine: &Engine, json: bool) -> Result<(), End> {
    let labs = engine.labs().list()?;
    if json {
        return print_json(&labs);
    }
    if labs.is_empty() {
        return print_line("no labs yet; `vlm up examples/hello.yaml` makes one");
    }
    let mut out = std::io::stdout().lock();
    for lab in labs {
        let line = writeln!(
            out,
            "{:<32} {:<11} {:>4} machines  on {:<12} {}",
            lab.name,
            lab.state.as_str(),
            lab.machines,
            lab.hosts,
            lab.updated
        );
        if line.is_err() {
            return Err(End::Status(0));
        }
    }
    Ok(())
}

/// `vlm status`
pub async fn status(engine: &Engine, lab: &str, json: bool) -> Result<(), End> {
    let status = engine.labs().status(lab).await?;
    if json {
        return print_json(&status);
    }
    print_line(&format!("{}  {}  revision {}", status.name, status.state.as_str(), status.revision))?;
    for machine in &status.machines {
        let state = match machine.state {
            Some(state) => state.as_str(),
            None if status.state == LabState::Designed => "not deployed",
            None if status.unknown.is_some() => "unknown",
            None => "no domain",
        };
        let configured = if machine.configured && state != "unknown" { "configured" } else { "" };
        let address = machine.address.as_deref().unwrap_or("no address");
        print_line(&format!(
            "  {:<24} {:<13} {:<11} {:<15} {:>3} vcpus {:>7} MiB  {}",
            machine.name, state, configured, address, machine.vcpus, machine.memory_mib, machine.image
        ))?;
    }
    if let Some(reason) = &status.unknown {
        print_line(&format!("  states are not known: {reason}"))?;
    }
    if let Some(run) = &status.last_run {
        print_line(&format!(
            "last run: {} {}, {}",
            run.kind.as_str(),
            run.id,
            match run.status {
                RunStatus::Running => "at work".to_owned(),
                RunStatus::Done => run.sentence.clone(),
                RunStatus::Failed | RunStatus::Cancelled => format!("{}: {}", run.status.as_str(), run.sentence),
                RunStatus::CutOff => format!("{}; `vlm resume {lab}` finishes it", run.sentence),
            }
        ))?;
    }
    Ok(())
}

/// `vlm ssh`: becomes OpenSSH, with the lab's key and the pinned host keys.
pub fn ssh(engine: &Engine, target: &str, command: &[String]) -> Result<(), End> {
    let Some((lab, machine)) = target.split_once('/') else {
        return Err(End::Refused(format!("`{target}` is no LAB/MACHINE"), "write, for example, hello/web".into()));
    };
    let (row, design) = engine.labs().read(lab)?;
    if !design.machines().iter().any(|known| known.name == machine) {
        let names: Vec<String> = design.machines().into_iter().map(|machine| machine.name).collect();
        return Err(End::Refused(format!("lab `{lab}` has no machine `{machine}`"), format!("it has {}", names.join(", "))));
    }
    let config = engine.labs().project_dir(lab).join("ssh_config");
    // A plan alone writes that file, too.
    if row.state == LabState::Designed || !config.is_file() {
        return Err(End::Refused(format!("lab `{lab}` is not deployed"), format!("deploy it with `vlm up {lab}`")));
    }
    let reached = crate::block_on(engine.ports().reach(lab, machine));
    reached.map_err(|error| End::Failed(vlm_engine::chain(&error), String::new()))?;
    let mut ssh = Command::new("ssh");
    ssh.arg("-F").arg(config).arg(machine).arg("--").args(command);
    let failed = |error| End::Failed(format!("could not start ssh: {error}"), "install openssh-client".into());
    let Some(host) = engine.hosts().of_machine(lab, machine)? else { return Err(failed(ssh.exec())) };
    // Behind another host: OpenSSH sees a port of this computer's, and cannot tell what is wrong beyond it.
    let status = ssh.status().map_err(failed)?;
    if status.code() == Some(255) {
        crate::block_on(engine.hosts().check(&host)).map_err(|error| {
            let hint = error.link().map(vlm_engine::ssh::link::Error::remedy).filter(|hint| !hint.is_empty());
            let message = format!("host `{host}`, which `{lab}/{machine}` is on: {}", vlm_engine::chain(&error));
            End::Failed(message, hint.unwrap_or(format!("`vlm host check {host}` tries again")))
        })?;
    }
    match status.code() {
        Some(0) => Ok(()),
        code => Err(End::Status(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(255))),
    }
}

/// `vlm export`
pub fn export(engine: &Engine, lab: &str, dir: &Path) -> Result<(), End> {
    let written = vlm_engine::export::export(engine, lab, dir)?;
    for path in &written {
        print_line(&dir.join(path).display().to_string())?;
    }
    Ok(())
}

/// `vlm logs --serial`
pub fn serial(engine: &Engine, lab: &str, machine: &str) -> Result<(), End> {
    engine.labs().get(lab)?;
    let path = engine.dirs().lab(lab).join("serial").join(format!("{machine}.log"));
    let bytes = fs::read(&path).map_err(|_| {
        End::Refused(
            format!("there is no serial log of `{lab}/{machine}`"),
            "it is written while a run starts the machine".into(),
        )
    })?;
    std::io::stdout().write_all(&bytes).map_err(|_| End::Status(0))
}
