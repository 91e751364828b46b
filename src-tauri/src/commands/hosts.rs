//! Hosts: computers that run labs.

use tauri::State;
use vlm_engine::{Engine, hosts::HostStatus};

use super::blocking;
use crate::error::CommandResult;

/// Names of all hosts.
#[tauri::command]
#[specta::specta]
pub async fn list_hosts(engine: State<'_, Engine>) -> CommandResult<Vec<String>> {
    blocking(&engine, |engine| Ok::<_, vlm_engine::store::Error>(engine.hosts().names()?.into_iter().collect())).await
}

/// Connects to a host and looks at it.
#[tauri::command]
#[specta::specta]
pub async fn check_host(engine: State<'_, Engine>, name: String) -> CommandResult<HostStatus> {
    Ok(engine.hosts().check(&name).await?)
}
