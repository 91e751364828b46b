//! Machines of labs, one by one.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use tauri::{State, WebviewWindow, ipc::Channel};
use vlm_engine::{
    Engine,
    machines::{MachineDetails, PowerAction, PowerResult, SerialPiece},
    meters::MachineSample,
};

use super::blocking;
use crate::{
    desk::{Desk, Followed},
    error::{CommandError, CommandResult},
};

/// A machine with all that there is to know of it.
#[tauri::command]
#[specta::specta]
pub async fn machine_details(engine: State<'_, Engine>, lab: String, machine: String) -> CommandResult<MachineDetails> {
    engine.machines().details(&lab, &machine).await.map_err(|error| CommandError::of_lab(error, &lab))
}

/// Does something to the power of machines, and tells of each what became of it.
#[tauri::command]
#[specta::specta]
pub async fn power_machines(
    engine: State<'_, Engine>,
    desk: State<'_, Desk>,
    lab: String,
    machines: Vec<String>,
    action: PowerAction,
) -> CommandResult<Vec<PowerResult>> {
    let slot = desk.slot(&lab);
    slot.lock().await.take(); // its lock is needed
    engine.machines().power(&lab, &machines, action).await.map_err(|error| CommandError::of_lab(error, &lab))
}

/// Sends what the machines of a lab use: what is remembered, then what comes. Answers when nobody follows any more.
#[tauri::command]
#[specta::specta]
pub async fn follow_stats(
    window: WebviewWindow,
    engine: State<'_, Engine>,
    desk: State<'_, Desk>,
    lab: String,
    on_samples: Channel<Vec<MachineSample>>,
) -> CommandResult<()> {
    let unfollowed = desk.follow(window.label(), Followed::Stats(lab.clone()));
    let mut usage = engine.machines().follow_usage(&lab).await.map_err(|error| CommandError::of_lab(error, &lab))?;
    loop {
        let samples = tokio::select! {
            samples = usage.next() => samples,
            () = unfollowed.cancelled() => return Ok(()),
        };
        let Some(samples) = samples else { return Ok(()) };
        if on_samples.send(samples).is_err() {
            return Ok(());
        }
    }
}

/// Ends the calling window's follow of what a lab uses.
#[tauri::command]
#[specta::specta]
pub async fn unfollow_stats(window: WebviewWindow, desk: State<'_, Desk>, lab: String) -> CommandResult<()> {
    desk.unfollow(window.label(), Followed::Stats(lab));
    Ok(())
}

/// What a machine's screen shows, as the address of a PNG.
#[tauri::command]
#[specta::specta]
pub async fn machine_screenshot(engine: State<'_, Engine>, lab: String, machine: String) -> CommandResult<String> {
    let picture = engine.machines().screenshot(&lab, &machine).await.map_err(|error| CommandError::of_lab(error, &lab))?;
    let none = || CommandError::not_found(format!("machine `{machine}` is off or has no screen"));
    Ok(format!("data:image/png;base64,{}", STANDARD.encode(picture.ok_or_else(none)?)))
}

/// What a machine wrote on its serial console while it came up, from a byte on; from before 0, its end.
#[tauri::command]
#[specta::specta]
pub async fn serial_log(engine: State<'_, Engine>, lab: String, machine: String, from: i32) -> CommandResult<SerialPiece> {
    blocking(&engine, move |engine| engine.machines().serial(&lab, &machine, from.into())).await
}
