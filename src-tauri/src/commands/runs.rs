//! Runs: plans that are shown and then carried out, and what runs say while they work.

use std::time::Duration;

use serde::Serialize;
use specta::Type;
use tauri::{AppHandle, State, WebviewWindow, ipc::Channel};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use vlm_engine::{
    Engine,
    deploy::{self, PlannedRun},
    runs::{RunEvent, RunId, RunKind, RunSummary},
};
use vlm_lab::{
    model::Size,
    plan::{self, Change, Disruption, Planned},
};

use super::blocking;
use crate::{
    desk::{Desk, Followed, PlanId},
    error::{CommandError, CommandResult},
    notifications,
};

/// A plan as a window shows it. It is kept here, with its lab's lock, until it is carried out or discarded.
#[derive(Debug, Serialize, Type)]
pub struct Plan {
    /// Its id.
    pub id: PlanId,
    /// What it does.
    pub kind: RunKind,
    /// The lab.
    pub lab: String,
    /// What becomes of each machine and network.
    pub things: Vec<PlannedThing>,
    /// Machines that will be powered on.
    pub starts: Vec<String>,
    /// Machines that are waited for and configured.
    pub configures: Vec<String>,
    /// The worst that it does to what is there.
    pub disruption: Disruption,
    /// Whether guests run on KVM.
    pub kvm: bool,
    /// How we know.
    pub why: String,
    /// Memory that the machines to be started take, in MiB.
    pub needs_memory_mib: u32,
    /// Memory that the host could give them, in MiB.
    pub has_memory_mib: u32,
    /// Size of the disks that are taken away, in words; none when none is.
    pub disks_lost: Option<String>,
    /// What the user should know before.
    pub warnings: Vec<String>,
    /// Where Terraform's files and the saved plan lie.
    pub terraform_dir: String,
    /// Whether there is nothing to do.
    pub empty: bool,
    /// What each host is asked for.
    pub hosts: Vec<HostShare>,
    /// What Terraform itself says of the plan.
    pub raw: String,
}

/// What a plan asks of a host.
#[derive(Debug, Serialize, Type)]
pub struct HostShare {
    /// Its name.
    pub host: String,
    /// Whether guests run on KVM there.
    pub kvm: bool,
    /// How we know.
    pub why: String,
    /// Memory that the machines to be started there take, in MiB.
    pub needs_memory_mib: u32,
    /// Memory that the host could give them, in MiB.
    pub has_memory_mib: u32,
}

/// How a run that did not end well is taken up again.
#[derive(Debug, Serialize, Type)]
pub struct ResumePlan {
    /// The run.
    pub run: RunSummary,
    /// What is left to do, to be confirmed as any plan; none where the run is begun anew as it is.
    pub plan: Option<Plan>,
}

/// A machine or network in a plan, with the resources that stand behind it.
#[derive(Debug, Serialize, Type)]
pub struct PlannedThing {
    /// What becomes of it.
    pub planned: Planned,
    /// Terraform's changes for it.
    pub changes: Vec<Change>,
}

/// How often a follower looks for news.
const FOLLOW_EVERY: Duration = Duration::from_millis(100);
/// How many events go to a window at once.
const FOLLOW_BATCH: u32 = 2_000;

/// Plans what a deploy of a lab would do, its machines placed on `hosts` where they name none.
#[tauri::command]
#[specta::specta]
pub async fn start_plan(
    engine: State<'_, Engine>,
    desk: State<'_, Desk>,
    lab: String,
    hosts: Vec<String>,
) -> CommandResult<Plan> {
    plan(&engine, &desk, &lab, RunKind::Deploy, &hosts).await
}

/// Plans to take a lab away.
#[tauri::command]
#[specta::specta]
pub async fn plan_destroy(engine: State<'_, Engine>, desk: State<'_, Desk>, lab: String) -> CommandResult<Plan> {
    plan(&engine, &desk, &lab, RunKind::Destroy, &[]).await
}

/// Plans how the last run of a lab is taken up, which did not end well. A start or a stop needs no plan.
#[tauri::command]
#[specta::specta]
pub async fn plan_resume(engine: State<'_, Engine>, desk: State<'_, Desk>, lab: String) -> CommandResult<ResumePlan> {
    let of = lab.clone();
    let run = blocking(&engine, move |engine| engine.runs().unfinished(&of)).await?;
    let Some(run) = run else {
        let message = format!("nothing of `{lab}` is to be taken up: its last run ended well or is at work");
        return Err(CommandError::refused(message, ""));
    };
    let plan = match run.kind {
        RunKind::Deploy | RunKind::Destroy => Some(plan(&engine, &desk, &lab, run.kind, &[]).await?),
        RunKind::Start | RunKind::Stop => None,
    };
    Ok(ResumePlan { run, plan })
}

/// Gives a lab free whose plan is no longer shown.
#[tauri::command]
#[specta::specta]
pub async fn discard_plan(desk: State<'_, Desk>, lab: String, plan: PlanId) -> CommandResult<()> {
    desk.discard_plan(&lab, plan).await;
    Ok(())
}

/// Applies the deploy that was shown as `plan`, and follows it through to configured guests.
#[tauri::command]
#[specta::specta]
pub async fn start_deploy(
    app: AppHandle,
    engine: State<'_, Engine>,
    desk: State<'_, Desk>,
    lab: String,
    plan: PlanId,
) -> CommandResult<RunId> {
    carry_out(&app, &engine, &desk, &lab, plan, RunKind::Deploy).await
}

/// Takes a lab away as it was shown in `plan`.
#[tauri::command]
#[specta::specta]
pub async fn start_destroy(
    app: AppHandle,
    engine: State<'_, Engine>,
    desk: State<'_, Desk>,
    lab: String,
    plan: PlanId,
) -> CommandResult<RunId> {
    carry_out(&app, &engine, &desk, &lab, plan, RunKind::Destroy).await
}

/// Powers on the machines of a deployed lab that are off. Answers no run when all are on.
#[tauri::command]
#[specta::specta]
pub async fn start_lab(
    app: AppHandle,
    engine: State<'_, Engine>,
    desk: State<'_, Desk>,
    lab: String,
) -> CommandResult<Option<RunId>> {
    let slot = desk.slot(&lab);
    slot.lock().await.take();
    let planned = engine.runs().plan_start(&lab).await.map_err(|error| CommandError::of_lab(error, &lab))?;
    if planned.is_empty() {
        return Ok(None);
    }
    Ok(Some(begin(&app, &engine, &desk, &lab, planned, false)?))
}

/// Shuts the machines of a deployed lab down; with `force`, takes their power at once.
#[tauri::command]
#[specta::specta]
pub async fn stop_lab(
    app: AppHandle,
    engine: State<'_, Engine>,
    desk: State<'_, Desk>,
    lab: String,
    force: bool,
) -> CommandResult<RunId> {
    let slot = desk.slot(&lab);
    slot.lock().await.take();
    let planned = engine.runs().plan_stop(&lab).await.map_err(|error| CommandError::of_lab(error, &lab))?;
    begin(&app, &engine, &desk, &lab, planned, force)
}

/// Asks a run of this process to end. Answers whether there was one: runs of other processes are cancelled there.
#[tauri::command]
#[specta::specta]
pub async fn cancel_run(engine: State<'_, Engine>, run: RunId) -> CommandResult<bool> {
    Ok(engine.runs().cancel(run))
}

/// Sends a run's events from `from_seq` on, then what comes, in batches. Answers when the run has ended or is no longer followed.
#[tauri::command]
#[specta::specta]
pub async fn follow_run(
    window: WebviewWindow,
    engine: State<'_, Engine>,
    desk: State<'_, Desk>,
    run: RunId,
    from_seq: u32,
    on_events: Channel<Vec<RunEvent>>,
) -> CommandResult<()> {
    let unfollowed = desk.follow(window.label(), Followed::Run(run));
    let mut every = interval(FOLLOW_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut next = from_seq;
    loop {
        tokio::select! {
            _ = every.tick() => {}
            () = unfollowed.cancelled() => return Ok(()),
        }
        let (running, events) = blocking(&engine, move |engine| {
            // Asked before the events are read: a run that ended in between has all its events there.
            let running = engine.runs().is_running(run)?;
            Ok::<_, deploy::Error>((running, engine.runs().events(run, next, FOLLOW_BATCH)?))
        })
        .await?;
        match events.last() {
            Some(last) => {
                next = last.seq + 1;
                if on_events.send(events).is_err() {
                    return Ok(());
                }
            }
            None if !running => return Ok(()),
            None => {}
        }
    }
}

/// Ends the calling window's follow of a run.
#[tauri::command]
#[specta::specta]
pub async fn unfollow_run(window: WebviewWindow, desk: State<'_, Desk>, run: RunId) -> CommandResult<()> {
    desk.unfollow(window.label(), Followed::Run(run));
    Ok(())
}

/// The newest runs of a lab, newest first.
#[tauri::command]
#[specta::specta]
pub async fn list_runs(engine: State<'_, Engine>, lab: String) -> CommandResult<Vec<RunSummary>> {
    blocking(&engine, move |engine| engine.runs().list(&lab, 100)).await
}

/// The newest runs of all labs, newest first. Those at work are among them.
#[tauri::command]
#[specta::specta]
pub async fn recent_runs(engine: State<'_, Engine>, limit: u32) -> CommandResult<Vec<RunSummary>> {
    blocking(&engine, move |engine| engine.runs().recent(limit)).await
}

/// Plans, and keeps the plan in the place of the lab's.
async fn plan(engine: &Engine, desk: &Desk, lab: &str, kind: RunKind, hosts: &[String]) -> CommandResult<Plan> {
    let slot = desk.slot(lab);
    let mut slot = slot.lock().await;
    *slot = None; // its lock is needed
    let cancel = CancellationToken::new();
    let of_lab = |error| CommandError::of_lab(error, lab);
    let planned = match kind {
        RunKind::Destroy => engine.runs().plan_destroy(lab, &cancel).await,
        _ => engine.runs().plan(lab, hosts, &cancel).await,
    };
    let planned = planned.map_err(of_lab)?;
    let raw = planned.raw(&cancel).await.map_err(of_lab)?;
    let shown = shown(engine, desk.new_plan_id(), &planned, raw);
    *slot = Some((shown.id, planned));
    Ok(shown)
}

async fn carry_out(
    app: &AppHandle,
    engine: &Engine,
    desk: &Desk,
    lab: &str,
    plan: PlanId,
    kind: RunKind,
) -> CommandResult<RunId> {
    let planned = desk.take_plan(lab, plan).await?;
    if planned.kind != kind {
        return Err(CommandError::no_plan(lab));
    }
    begin(app, engine, desk, lab, planned, false)
}

fn begin(app: &AppHandle, engine: &Engine, desk: &Desk, lab: &str, planned: PlannedRun, force: bool) -> CommandResult<RunId> {
    let kind = planned.kind;
    let running = engine.runs().begin(planned, force).map_err(|error| CommandError::of_lab(error, lab))?;
    let (app, of) = (app.clone(), lab.to_owned());
    Ok(desk.note_run(lab, running, move |ended, took| notifications::of_end(&app, &of, kind, ended, took)))
}

fn shown(engine: &Engine, id: PlanId, planned: &PlannedRun, raw: String) -> Plan {
    let mut things: Vec<PlannedThing> =
        planned.planned.iter().map(|planned| PlannedThing { planned: planned.clone(), changes: Vec::new() }).collect();
    for change in &planned.changes {
        // A change alone is planned for the thing that it belongs to.
        let belongs = plan::planned(std::slice::from_ref(change)).pop();
        let of = |thing: &&mut PlannedThing| {
            belongs.as_ref().is_some_and(|other| (&other.noun, &other.name) == (&thing.planned.noun, &thing.planned.name))
        };
        if let Some(thing) = things.iter_mut().find(of) {
            thing.changes.push(change.clone());
        }
    }
    let share = |share: &deploy::HostShare| HostShare {
        host: share.host.clone(),
        kvm: share.acceleration.kvm,
        why: share.acceleration.why.clone(),
        needs_memory_mib: share.needs_memory_mib as u32,
        has_memory_mib: share.has_memory_mib as u32,
    };
    Plan {
        id,
        kind: planned.kind,
        lab: planned.lab.clone(),
        things,
        starts: planned.starts.clone(),
        configures: planned.configures.clone(),
        disruption: planned.disruption(),
        // A lab over several hosts: of the first, the sums of all.
        kvm: planned.hosts[0].acceleration.kvm,
        why: planned.hosts[0].acceleration.why.clone(),
        needs_memory_mib: planned.hosts.iter().map(|share| share.needs_memory_mib as u32).sum(),
        has_memory_mib: planned.hosts.iter().map(|share| share.has_memory_mib as u32).sum(),
        disks_lost: if planned.kind == RunKind::Destroy { disks_of(engine, planned) } else { None },
        warnings: planned.warnings.clone(),
        terraform_dir: planned.terraform_dirs().map(|dir| dir.display().to_string()).collect::<Vec<_>>().join(", "),
        empty: planned.is_empty(),
        hosts: planned.hosts.iter().map(share).collect(),
        raw,
    }
}

/// Size of the disks of a plan's machines, as designed.
fn disks_of(engine: &Engine, planned: &PlannedRun) -> Option<String> {
    let (_, lab) = engine.labs().read(&planned.lab).ok()?;
    let gone = |name: &str| planned.planned.iter().any(|thing| thing.noun == "machine" && thing.name == name);
    let machines = lab.machines();
    let bytes: u64 = machines
        .iter()
        .filter(|machine| gone(&machine.name))
        .flat_map(|machine| std::iter::once(&machine.disk).chain(machine.disks.values()))
        .map(|size| size.as_bytes())
        .sum();
    (bytes > 0).then(|| Size::bytes(bytes).to_string())
}
