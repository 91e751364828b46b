//! Activity: who changed what.

use tauri::{State, WebviewWindow};
use vlm_engine::{
    Engine,
    store::{AuditRow, backups::check_audit},
};

use super::blocking;
use crate::{
    dialogs::{self, TABLES, shown},
    error::CommandResult,
};

/// The newest lines of the audit, newest first: of a lab and its runs, and with a text in any column.
#[tauri::command]
#[specta::specta]
pub async fn audit(engine: State<'_, Engine>, lab: Option<String>, text: String, limit: u32) -> CommandResult<Vec<AuditRow>> {
    blocking(&engine, move |engine| engine.audit(lab.as_deref(), text.trim(), limit)).await
}

/// The first line of the audit that does not fit, in a sentence; none when all do.
#[tauri::command]
#[specta::specta]
pub async fn verify_audit(engine: State<'_, Engine>) -> CommandResult<Option<String>> {
    let check = blocking(&engine, |engine| check_audit(&engine.dirs().database())).await?;
    Ok(check.misfit.map(|misfit| misfit.to_string()))
}

/// Writes the whole audit where a person wants it. Answers that place.
#[tauri::command]
#[specta::specta]
pub async fn export_audit(window: WebviewWindow, engine: State<'_, Engine>) -> CommandResult<Option<String>> {
    let Some(path) = dialogs::save_file(&window, TABLES, "audit.csv").await else { return Ok(None) };
    let answer = shown(&path);
    blocking(&engine, move |engine| engine.export_audit(&path)).await?;
    Ok(Some(answer))
}
