//! The doctor: what stands in the way on a host, and what is left there.

use serde::Serialize;
use specta::Type;
use tauri::State;
use tokio_util::sync::CancellationToken;
use vlm_engine::{Engine, doctor::Report, libvirt::Thing};

use crate::{
    desk::Desk,
    error::{CommandError, CommandResult},
};

/// What is taken into a lab again of what lies on its hosts.
#[derive(Debug, Serialize, Type)]
pub struct Adoption {
    /// What is, or would be, adopted.
    pub things: Vec<AdoptedThing>,
    /// What bears the lab's marks and is not in its design, so that it stays as it is.
    pub stays: Vec<AdoptedThing>,
    /// Whether Terraform knows what is there, and only our database does not.
    pub is_known: bool,
}

/// Something on a host.
#[derive(Debug, Serialize, Type)]
pub struct AdoptedThing {
    /// The host.
    pub host: String,
    /// What it is, in words.
    pub what: String,
}

/// Looks at a host; `deep` also tries a network for some seconds.
#[tauri::command]
#[specta::specta]
pub async fn doctor(engine: State<'_, Engine>, host: String, deep: bool) -> CommandResult<Report> {
    Ok(engine.doctor().look(&host, deep).await?)
}

/// Does what helps against a finding, which is looked for again. Answers what is found after.
#[tauri::command]
#[specta::specta]
pub async fn doctor_fix(engine: State<'_, Engine>, host: String, check: String, message: String) -> CommandResult<Report> {
    let report = engine.doctor().look(&host, false).await?;
    match report.findings.iter().find(|finding| finding.check == check && finding.message == message) {
        Some(finding) => engine.doctor().fix(&host, finding).await?,
        // It has gone by itself.
        None => return Ok(report),
    }
    Ok(engine.doctor().look(&host, false).await?)
}

/// Removes for good what is called `name` among what is left of labs on a host, unless a guest runs in it.
#[tauri::command]
#[specta::specta]
pub async fn remove_orphan(engine: State<'_, Engine>, host: String, name: String) -> CommandResult<()> {
    for (orphan, _) in engine.doctor().orphans(&host, &name).await? {
        engine.doctor().remove_orphan(&host, &orphan.thing, false).await?;
    }
    Ok(())
}

/// Finds what could be taken into a lab again on its hosts, and does it with `carry_out`. Only our records change.
#[tauri::command]
#[specta::specta]
pub async fn adopt_lab(
    engine: State<'_, Engine>,
    desk: State<'_, Desk>,
    lab: String,
    hosts: Vec<String>,
    carry_out: bool,
) -> CommandResult<Adoption> {
    let slot = desk.slot(&lab);
    let mut slot = slot.lock().await;
    *slot = None; // its lock is needed
    let cancel = CancellationToken::new();
    let of_lab = |error| CommandError::of_lab(error, &lab);
    let found = engine.runs().plan_adoption(&lab, &hosts, &cancel).await.map_err(of_lab)?;
    let things = |things: &[(String, Thing)]| {
        things.iter().map(|(host, thing)| AdoptedThing { host: host.clone(), what: thing.to_string() }).collect()
    };
    let adoption = Adoption { things: things(&found.things), stays: things(&found.stays), is_known: found.is_known };
    if carry_out {
        engine.runs().adopt(found, &cancel).await.map_err(of_lab)?;
    }
    Ok(adoption)
}
