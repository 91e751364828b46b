//! Hosts: computers that run labs.

use tauri::State;
use vlm_engine::{
    Engine,
    hosts::{HostStatus, HostSummary, HostThings},
    ssh::{self, Target, config::SshConfigHost, link::Trust},
};

use super::blocking;
use crate::{
    dialogs::shown,
    error::{CommandError, CommandResult},
    questions::Questions,
};

/// All hosts, this computer first.
#[tauri::command]
#[specta::specta]
pub async fn list_hosts(engine: State<'_, Engine>) -> CommandResult<Vec<HostSummary>> {
    blocking(&engine, |engine| engine.hosts().summaries()).await
}

/// Connects to a host and looks at it.
#[tauri::command]
#[specta::specta]
pub async fn check_host(engine: State<'_, Engine>, name: String) -> CommandResult<HostStatus> {
    Ok(engine.hosts().check(&name).await?)
}

/// What is on a host, ours and others'.
#[tauri::command]
#[specta::specta]
pub async fn host_things(engine: State<'_, Engine>, name: String) -> CommandResult<HostThings> {
    Ok(engine.hosts().things(&name).await?)
}

/// Adds a host that is reached by SSH. What only a person knows is asked meanwhile.
#[tauri::command]
#[specta::specta]
pub async fn add_host(
    engine: State<'_, Engine>,
    name: String,
    address: String,
    user: Option<String>,
    port: Option<u16>,
    identity: Option<String>,
) -> CommandResult<HostStatus> {
    let identity = match identity {
        None => None,
        Some(wanted) => {
            let known = ssh::identities().into_iter().find(|path| shown(path) == wanted);
            let refused =
                || CommandError::refused(format!("`{wanted}` is no private key in ~/.ssh"), "choose one that is there");
            Some(known.ok_or_else(refused)?)
        }
    };
    let target = Target::of(user.as_deref(), address.trim(), port, identity);
    let target = target.map_err(|wrong| CommandError::refused(wrong, ""))?;
    let (_, status) = engine.hosts().add(name.trim(), &target, Trust::Known).await?;
    Ok(status)
}

/// Forgets a host that no lab names.
#[tauri::command]
#[specta::specta]
pub async fn remove_host(engine: State<'_, Engine>, name: String) -> CommandResult<()> {
    blocking(&engine, move |engine| engine.hosts().remove(&name)).await
}

/// Hosts that the user's ssh configuration names.
#[tauri::command]
#[specta::specta]
pub async fn ssh_config_hosts(engine: State<'_, Engine>) -> CommandResult<Vec<SshConfigHost>> {
    blocking(&engine, |_| ssh::config_hosts().map_err(vlm_engine::hosts::Error::from)).await
}

/// Files of private keys in the user's `~/.ssh`.
#[tauri::command]
#[specta::specta]
pub async fn ssh_identities(engine: State<'_, Engine>) -> CommandResult<Vec<String>> {
    blocking(&engine, |_| Ok::<_, CommandError>(ssh::identities().iter().map(|path| shown(path)).collect())).await
}

/// Answers a question; none means no.
#[tauri::command]
#[specta::specta]
pub async fn answer_question(questions: State<'_, Questions>, id: u32, answers: Option<Vec<String>>) -> CommandResult<()> {
    match questions.answer(id, answers) {
        true => Ok(()),
        false => Err(CommandError::not_found("nobody waits for this answer any more")),
    }
}
