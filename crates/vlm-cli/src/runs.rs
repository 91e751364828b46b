//! `vlm plan|up|start|stop|destroy`

use std::{
    io::{IsTerminal, Write},
    path::Path,
    time::Duration,
};

use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use vlm_engine::{
    Engine,
    deploy::{Error, PlannedRun},
    runs::RunKind,
};
use vlm_lab::{
    plan::{ChangeKind, Disruption},
    problems::Severity,
};

use crate::{End, follow, images, labs, print_json, print_line};

/// A token that Ctrl+C or SIGTERM cancels; a second one ends us at once, and our children with us. Needs a runtime.
pub fn cancel_on_interrupt() -> CancellationToken {
    let cancel = CancellationToken::new();
    let told = cancel.clone();
    tokio::spawn(async move {
        let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else {
            return;
        };
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if told.is_cancelled() {
                std::process::exit(130);
            }
            told.cancel();
        }
    });
    cancel
}

/// What `work` comes to; cancelled, it gets a moment to end by itself. A libvirt that hangs must not hold us.
async fn unless_cancelled<T, E: Into<End>>(
    work: impl Future<Output = Result<T, E>>,
    cancel: &CancellationToken,
) -> Result<T, End> {
    let given_up = async {
        cancel.cancelled().await;
        tokio::time::sleep(Duration::from_secs(5)).await;
    };
    tokio::select! {
        result = work => result.map_err(Into::into),
        () = given_up => Err(End::Cancelled),
    }
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

/// Plans, without hanging when cancelled.
async fn planned(
    engine: &Engine,
    lab: &str,
    hosts: &[String],
    cancel: &CancellationToken,
) -> Result<Result<PlannedRun, Error>, End> {
    unless_cancelled(async { Ok::<_, End>(engine.runs().plan(lab, hosts, cancel).await) }, cancel).await
}

/// What stopped a plan; the stored document's problems are shown line by line.
fn stopped(error: Error, target: &str) -> End {
    match error {
        Error::Problems { problems, .. } => {
            for problem in &problems {
                eprintln!("{}", labs::problem_line(target, problem));
            }
            End::Status(2)
        }
        Error::ImagesToBuild(_) => {
            End::Refused(error.to_string(), "build them with `vlm image build NAME`; `vlm up` does it by itself".into())
        }
        error => error.into(),
    }
}

/// `vlm plan`
pub async fn plan(engine: &Engine, target: &str, hosts: &[String], json: bool) -> Result<(), End> {
    let lab = lab_of(engine, target)?;
    let cancel = cancel_on_interrupt();
    let planned = planned(engine, &lab, hosts, &cancel).await?.map_err(|error| stopped(error, target))?;
    if json {
        return print_json(&json!({
            "lab": planned.lab,
            "empty": planned.is_empty(),
            "changes": planned.planned,
            "terraform": planned.changes,
            "starts": planned.starts,
            "configures": planned.configures,
            "ports": planned.ports,
            "hosts": planned.hosts,
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
    if planned.settles() {
        return print_line("  nothing is missing; the lab counts as deployed again");
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
        for share in planned.hosts.iter().filter(|share| share.needs_memory_mib > 0) {
            let (needs, has) = (share.needs_memory_mib, share.has_memory_mib);
            print_line(&format!("  needs {needs} MiB of memory, host {} has {has} MiB", share.host))?;
            print_line(&format!(
                "  host {} runs them on {}: {}",
                share.host,
                accelerator(share.acceleration.kvm),
                share.acceleration.why
            ))?;
        }
    }
    if planned.ports {
        print_line("  ports of this computer that lead to the machines are opened or closed as the lab says")?;
    }
    if !planned.configures.is_empty() {
        print_line(&format!("  configures {}", planned.configures.join(", ")))?;
    }
    Ok(())
}

/// What guests run on, in words.
pub fn accelerator(kvm: bool) -> &'static str {
    if kvm { "KVM" } else { "TCG (emulation, slow)" }
}

/// `vlm up`
pub async fn up(engine: &Engine, target: &str, hosts: &[String], yes: bool) -> Result<(), End> {
    let lab = lab_of(engine, target)?;
    deploy(engine, &lab, target, hosts, yes, &cancel_on_interrupt()).await
}

async fn deploy(
    engine: &Engine,
    lab: &str,
    target: &str,
    hosts: &[String],
    yes: bool,
    cancel: &CancellationToken,
) -> Result<(), End> {
    let planned = loop {
        match planned(engine, lab, hosts, cancel).await? {
            Ok(planned) => break planned,
            Err(Error::ImagesToBuild(names)) => {
                for name in names {
                    let _ = print_line(&format!(
                        "image {name} is not here yet: building it from packages, this takes some minutes"
                    ));
                    images::build(engine, &name, cancel).await?;
                }
            }
            Err(Error::ImagesToPull(names)) => {
                let catalog = engine.images().catalog()?;
                let entries: Vec<_> = names.iter().filter_map(|name| catalog.get(name)).collect();
                for entry in &entries {
                    let _ = print_line(&format!("image {} is not here yet: {}, from {}", entry.name, entry.title, entry.url));
                }
                confirm(&format!("Download {}?", names.join(", ")), yes, cancel).await?;
                for entry in entries {
                    images::pull(engine, entry, &entry.name, cancel).await?;
                }
            }
            Err(error) => return Err(stopped(error, target)),
        }
    };
    let _ = show(&planned); // whether somebody reads it does not change what is to be done
    if planned.is_empty() {
        return Ok(());
    }
    confirm(&format!("Deploy {lab}?"), yes, cancel).await?;
    follow::run(engine, engine.runs().begin(planned, false)?, cancel).await
}

/// `vlm resume`: takes up what the last run of a lab has left undone.
pub async fn resume(engine: &Engine, lab: &str, yes: bool) -> Result<(), End> {
    let Some(run) = engine.runs().unfinished(lab)? else {
        return print_line(&format!("{lab}: nothing to resume, its last run ended well or is at work"));
    };
    print_line(&format!("run {} ({}) was left undone: {}", run.id, run.kind.as_str(), run.sentence))?;
    let revision = engine.labs().get(lab)?.revision;
    if revision != run.revision && matches!(run.kind, RunKind::Deploy | RunKind::Start) {
        print_line(&format!("the lab was saved since: it goes on to revision {revision}, not {}", run.revision))?;
    }
    let cancel = cancel_on_interrupt();
    match run.kind {
        RunKind::Deploy => deploy(engine, lab, lab, &[], yes, &cancel).await,
        RunKind::Start => power_on(engine, lab, &cancel).await,
        RunKind::Stop => shut_down(engine, lab, false, &cancel).await,
        RunKind::Destroy => take_away(engine, lab, yes, &cancel).await,
    }
}

/// `vlm adopt`: takes what an earlier deploy left on a host as the lab's again.
pub async fn adopt(engine: &Engine, lab: &str, hosts: &[String], yes: bool) -> Result<(), End> {
    let cancel = cancel_on_interrupt();
    let adoption = unless_cancelled(engine.runs().plan_adoption(lab, hosts, &cancel), &cancel).await?;
    for (host, thing) in &adoption.stays {
        print_line(&format!("  {thing} on host {host} bears the lab's marks and is not in its design: it stays as it is"))?;
    }
    if adoption.is_known {
        print_line(&format!("  Terraform's state knows more of {lab} than our database, where it is not deployed"))?;
    } else if adoption.things.is_empty() {
        return print_line(&format!("{lab}: nothing to adopt, nothing else on its hosts bears its marks"));
    }
    for (host, thing) in &adoption.things {
        print_line(&format!("  {thing} on host {host}"))?;
    }
    confirm(&format!("Adopt what is there into {lab}? Nothing of it is changed."), yes, &cancel).await?;
    engine.runs().adopt(adoption, &cancel).await?;
    print_line(&format!("adopted; `vlm plan {lab}` shows what differs from the design"))
}

/// `vlm start`
pub async fn start(engine: &Engine, lab: &str) -> Result<(), End> {
    power_on(engine, lab, &cancel_on_interrupt()).await
}

async fn power_on(engine: &Engine, lab: &str, cancel: &CancellationToken) -> Result<(), End> {
    let planned = unless_cancelled(engine.runs().plan_start(lab), cancel).await?;
    if planned.is_empty() {
        return print_line(&format!("{lab}: nothing to do, every machine is on"));
    }
    follow::run(engine, engine.runs().begin(planned, false)?, cancel).await
}

/// `vlm stop`
pub async fn stop(engine: &Engine, lab: &str, force: bool) -> Result<(), End> {
    shut_down(engine, lab, force, &cancel_on_interrupt()).await
}

async fn shut_down(engine: &Engine, lab: &str, force: bool, cancel: &CancellationToken) -> Result<(), End> {
    let planned = unless_cancelled(engine.runs().plan_stop(lab), cancel).await?;
    follow::run(engine, engine.runs().begin(planned, force)?, cancel).await
}

/// `vlm destroy`
pub async fn destroy(engine: &Engine, lab: &str, yes: bool) -> Result<(), End> {
    take_away(engine, lab, yes, &cancel_on_interrupt()).await
}

async fn take_away(engine: &Engine, lab: &str, yes: bool, cancel: &CancellationToken) -> Result<(), End> {
    let planned = unless_cancelled(engine.runs().plan_destroy(lab, cancel), cancel).await?;
    for warning in &planned.warnings {
        let _ = print_line(&format!("warning: {warning}"));
    }
    for thing in &planned.planned {
        let _ = print_line(&format!("  - {} {} {}", thing.noun, thing.name, thing.sentence));
    }
    let machines = planned.planned.iter().filter(|thing| thing.noun == "machine").count();
    confirm(&format!("Destroy {lab}? {machines} machines and their disks go. The design stays."), yes, cancel).await?;
    follow::run(engine, engine.runs().begin(planned, false)?, cancel).await
}

/// Asks a person; where there is none to ask, `--yes` must have said so.
pub async fn confirm(question: &str, yes: bool, cancel: &CancellationToken) -> Result<(), End> {
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(End::Refused("nobody is here to ask".into(), "say --yes to go on without asking".into()));
    }
    ask(question, cancel).await
}

/// Asks a person at the terminal; anything but a yes is a no, and ends as cancelled.
pub async fn ask(question: &str, cancel: &CancellationToken) -> Result<(), End> {
    print!("{question} [y/N] ");
    let _ = std::io::stdout().flush();
    let (tell, answer) = tokio::sync::oneshot::channel();
    // A thread of its own: it may wait for a line that never comes.
    std::thread::spawn(move || {
        let mut line = String::new();
        let _ = std::io::stdin().read_line(&mut line);
        let _ = tell.send(line);
    });
    tokio::select! {
        Ok(line) = answer => if matches!(line.trim(), "y" | "Y" | "yes") { Ok(()) } else { Err(End::Cancelled) },
        () = cancel.cancelled() => {
            println!();
            Err(End::Cancelled)
        }
    }
}
