//! `vlm plan|up|start|stop|destroy`

use std::{
    io::{IsTerminal, Write},
    path::Path,
};

use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use vlm_engine::{
    Engine,
    deploy::{Error, PlannedRun},
};
use vlm_lab::{
    plan::{ChangeKind, Disruption},
    problems::Severity,
};

use crate::{End, follow, images, labs, print_json, print_line};

/// A token that Ctrl+C or SIGTERM cancels. Needs a runtime.
pub fn cancel_on_interrupt() -> CancellationToken {
    let cancel = CancellationToken::new();
    let told = cancel.clone();
    tokio::spawn(async move {
        let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else {
            return;
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        told.cancel();
    });
    cancel
}

/// The name of the lab that `target` means: a file is saved first.
fn lab_of(engine: &Engine, target: &str) -> Result<String, End> {
    let path = Path::new(target);
    if !(path.is_file() || target.contains('/') || target.ends_with(".yaml") || target.ends_with(".yml")) {
        return Ok(target.to_owned());
    }
    let (text, dir) = labs::read_file(path)?;
    let checked = engine.labs().check(&text, &dir)?;
    if checked.problems.iter().any(|problem| problem.severity == Severity::Error) {
        for problem in &checked.problems {
            eprintln!("{}", labs::problem_line(target, problem));
        }
        return Err(End::Status(2));
    }
    let (name, _) = engine.labs().save(&text, &dir, None)?;
    Ok(name)
}

/// Plans; what stops a plan because of the stored document's problems is shown line by line.
async fn planned(engine: &Engine, lab: &str, target: &str, cancel: &CancellationToken) -> Result<PlannedRun, End> {
    match engine.runs().plan(lab, cancel).await {
        Ok(planned) => Ok(planned),
        Err(Error::Problems { problems, .. }) => {
            for problem in &problems {
                eprintln!("{}", labs::problem_line(target, problem));
            }
            Err(End::Status(2))
        }
        Err(error @ Error::ImagesToBuild(_)) => {
            Err(End::Refused(error.to_string(), "build them with `vlm image build NAME`; `vlm up` does it by itself".into()))
        }
        Err(error) => Err(error.into()),
    }
}

/// `vlm plan`
pub async fn plan(engine: &Engine, target: &str, json: bool) -> Result<(), End> {
    let lab = lab_of(engine, target)?;
    let cancel = cancel_on_interrupt();
    let planned = planned(engine, &lab, target, &cancel).await?;
    if json {
        return print_json(&json!({
            "lab": planned.lab,
            "empty": planned.is_empty(),
            "changes": planned.planned,
            "terraform": planned.changes,
            "starts": planned.starts,
            "configures": planned.configures,
            "ports": planned.ports,
            "acceleration": planned.acceleration,
            "needs_memory_mib": planned.needs_memory_mib,
            "has_memory_mib": planned.has_memory_mib,
            "warnings": planned.warnings,
        }));
    }
    show(&planned)
}

fn show(planned: &PlannedRun) -> Result<(), End> {
    for warning in &planned.warnings {
        print_line(&format!("warning: {warning}"))?;
    }
    if planned.is_empty() {
        return print_line(&format!("{}: nothing to do, everything is as designed", planned.lab));
    }
    for thing in &planned.planned {
        let mark = match (thing.kind, thing.disruption) {
            (_, Disruption::DataLoss) if thing.kind != ChangeKind::Delete => '!',
            (ChangeKind::Create, _) => '+',
            (ChangeKind::Update, _) => '~',
            (ChangeKind::Replace, _) => '!',
            (ChangeKind::Delete, _) => '-',
        };
        print_line(&format!("  {mark} {} {} {}", thing.noun, thing.name, thing.sentence))?;
    }
    if !planned.starts.is_empty() {
        print_line(&format!("  starts {}", planned.starts.join(", ")))?;
        print_line(&format!(
            "  needs {} MiB of memory, the host has {} MiB",
            planned.needs_memory_mib, planned.has_memory_mib
        ))?;
        let how = if planned.acceleration.kvm { "KVM" } else { "TCG (emulation, slow)" };
        print_line(&format!("  runs on {how}: {}", planned.acceleration.why))?;
    }
    if planned.ports {
        print_line("  opens or closes published ports")?;
    }
    if !planned.configures.is_empty() {
        print_line(&format!("  configures {}", planned.configures.join(", ")))?;
    }
    Ok(())
}

/// `vlm up`
pub async fn up(engine: &Engine, target: &str, yes: bool) -> Result<(), End> {
    let lab = lab_of(engine, target)?;
    let cancel = cancel_on_interrupt();
    let planned = loop {
        match engine.runs().plan(&lab, &cancel).await {
            Ok(planned) => break planned,
            Err(Error::ImagesToBuild(names)) => {
                for name in names {
                    print_line(&format!("image {name} is not here yet: building it from packages, this takes some minutes"))?;
                    images::build(engine, &name, &cancel).await?;
                }
            }
            Err(Error::Problems { problems, .. }) => {
                for problem in &problems {
                    eprintln!("{}", labs::problem_line(target, problem));
                }
                return Err(End::Status(2));
            }
            Err(error) => return Err(error.into()),
        }
    };
    show(&planned)?;
    if planned.is_empty() {
        return Ok(());
    }
    confirm(&format!("Deploy {lab}?"), yes)?;
    let running = engine.runs().begin(planned, false)?;
    follow::run(engine, running, &cancel).await
}

/// `vlm start`
pub async fn start(engine: &Engine, lab: &str) -> Result<(), End> {
    let cancel = cancel_on_interrupt();
    let planned = engine.runs().plan_start(lab).await?;
    if planned.is_empty() {
        return print_line(&format!("{lab}: nothing to do, every machine is on"));
    }
    follow::run(engine, engine.runs().begin(planned, false)?, &cancel).await
}

/// `vlm stop`
pub async fn stop(engine: &Engine, lab: &str, force: bool) -> Result<(), End> {
    let cancel = cancel_on_interrupt();
    let planned = engine.runs().plan_stop(lab).await?;
    follow::run(engine, engine.runs().begin(planned, force)?, &cancel).await
}

/// `vlm destroy`
pub async fn destroy(engine: &Engine, lab: &str, yes: bool) -> Result<(), End> {
    let cancel = cancel_on_interrupt();
    let planned = engine.runs().plan_destroy(lab, &cancel).await?;
    for thing in &planned.planned {
        print_line(&format!("  - {} {} {}", thing.noun, thing.name, thing.sentence))?;
    }
    let machines = planned.planned.iter().filter(|thing| thing.noun == "machine").count();
    confirm(&format!("Destroy {lab}? {machines} machines and their disks go. The design stays."), yes)?;
    follow::run(engine, engine.runs().begin(planned, false)?, &cancel).await
}

/// Asks a person; where there is none to ask, `--yes` must have said so.
fn confirm(question: &str, yes: bool) -> Result<(), End> {
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(End::Refused("nobody is here to ask".into(), "say --yes to go on without asking".into()));
    }
    print!("{question} [y/N] ");
    let _ = std::io::stdout().flush();
    let mut answer = String::new();
    let _ = std::io::stdin().read_line(&mut answer);
    if matches!(answer.trim(), "y" | "Y" | "yes") { Ok(()) } else { Err(End::Cancelled) }
}
