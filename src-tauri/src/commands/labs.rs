//! Labs: designs, and what is there of them.

use tauri::{State, WebviewWindow};
use vlm_engine::{
    Engine, deploy,
    export::{export, export_file, files},
    labs::{CheckedText, LabDocument, LabFile, LabStatus, SavedLab},
    ports::LabPort,
    store::LabSummary,
};
use vlm_lab::{file, problems::Problem};

use super::blocking;
use crate::{
    dialogs::{self, LABS, shown},
    error::{CommandError, CommandResult},
};

/// All labs, by name.
#[tauri::command]
#[specta::specta]
pub async fn list_labs(engine: State<'_, Engine>) -> CommandResult<Vec<LabSummary>> {
    blocking(&engine, |engine| engine.labs().list()).await
}

/// A lab with its machines as they are now.
#[tauri::command]
#[specta::specta]
pub async fn lab_status(engine: State<'_, Engine>, name: String) -> CommandResult<LabStatus> {
    Ok(engine.labs().status(&name).await?)
}

/// A lab as it is stored.
#[tauri::command]
#[specta::specta]
pub async fn read_lab(engine: State<'_, Engine>, name: String) -> CommandResult<LabDocument> {
    blocking(&engine, move |engine| engine.labs().document(&name)).await
}

/// What is wrong with a lab as it is stored, or good to know.
#[tauri::command]
#[specta::specta]
pub async fn check_lab(engine: State<'_, Engine>, name: String) -> CommandResult<Vec<Problem>> {
    blocking(&engine, move |engine| {
        let document = engine.labs().document(&name)?;
        Ok::<_, CommandError>(engine.labs().check_text(&document.text, Some(&name))?.problems)
    })
    .await
}

/// What a text would be as a lab, whose files lie where those of `lab` do.
#[tauri::command]
#[specta::specta]
pub async fn check_text(engine: State<'_, Engine>, text: String, lab: Option<String>) -> CommandResult<CheckedText> {
    blocking(&engine, move |engine| engine.labs().check_text(&text, lab.as_deref())).await
}

/// Saves a text over the revision `expected` of `lab`, or as a new lab, also an imperfect one.
#[tauri::command]
#[specta::specta]
pub async fn save_lab(
    engine: State<'_, Engine>,
    text: String,
    lab: Option<String>,
    expected: Option<u32>,
    layout: Option<String>,
) -> CommandResult<SavedLab> {
    blocking(&engine, move |engine| engine.labs().save_text(&text, lab.as_deref(), expected, layout.as_deref())).await
}

/// Notes how a lab lies on its canvas; that makes no new revision.
#[tauri::command]
#[specta::specta]
pub async fn save_layout(engine: State<'_, Engine>, name: String, layout: String) -> CommandResult<()> {
    blocking(&engine, move |engine| engine.labs().save_layout(&name, &layout)).await
}

/// Saves a lab file that a person chooses as a lab of its name; none where nothing was chosen.
#[tauri::command]
#[specta::specta]
pub async fn import_lab(window: WebviewWindow, engine: State<'_, Engine>) -> CommandResult<Option<SavedLab>> {
    let Some(path) = dialogs::open_file(&window, Some(LABS)).await else { return Ok(None) };
    let file = path.clone();
    blocking(&engine, move |engine| engine.labs().import(&path)).await.map(Some).map_err(|error| error.of_file(&file))
}

/// Writes a lab as plain files into a folder of its name, in one that a person chooses. Answers that folder.
#[tauri::command]
#[specta::specta]
pub async fn export_lab(window: WebviewWindow, engine: State<'_, Engine>, name: String) -> CommandResult<Option<String>> {
    engine.labs().get(&name)?;
    let Some(folder) = dialogs::open_folder(&window).await else { return Ok(None) };
    let dir = folder.join(&name);
    let answer = shown(&dir);
    blocking(&engine, move |engine| export(engine, &name, &dir).map_err(|error| CommandError::of_lab(error, &name))).await?;
    Ok(Some(answer))
}

/// Writes a lab's file alone where a person wants it. Answers that place.
#[tauri::command]
#[specta::specta]
pub async fn export_lab_file(window: WebviewWindow, engine: State<'_, Engine>, name: String) -> CommandResult<Option<String>> {
    engine.labs().get(&name)?;
    let Some(path) = dialogs::save_file(&window, LABS, &format!("{name}.yaml")).await else { return Ok(None) };
    let answer = shown(&path);
    blocking(&engine, move |engine| export_file(engine, &name, &path)).await?;
    Ok(Some(answer))
}

/// Saves a lab once more under another name.
#[tauri::command]
#[specta::specta]
pub async fn clone_lab(engine: State<'_, Engine>, name: String, new_name: String) -> CommandResult<SavedLab> {
    blocking(&engine, move |engine| engine.labs().clone(&name, &new_name)).await
}

/// Forgets the design of a lab that is on no host.
#[tauri::command]
#[specta::specta]
pub async fn forget_lab(engine: State<'_, Engine>, name: String) -> CommandResult<()> {
    blocking(&engine, move |engine| engine.labs().remove(&name)).await
}

/// What a deploy of a lab would write for Terraform, cloud-init and Ansible, without keys.
#[tauri::command]
#[specta::specta]
pub async fn lab_files(engine: State<'_, Engine>, name: String) -> CommandResult<Vec<LabFile>> {
    blocking(&engine, move |engine| files(engine, &name)).await
}

/// Ports of this computer that lead into a lab.
#[tauri::command]
#[specta::specta]
pub async fn lab_ports(engine: State<'_, Engine>, name: String) -> CommandResult<Vec<LabPort>> {
    blocking(&engine, move |engine| engine.ports().list(&name).map_err(deploy::Error::from)).await
}

/// The JSON Schema of lab files.
#[tauri::command]
#[specta::specta]
pub async fn lab_schema() -> CommandResult<String> {
    Ok(file::schema().to_string())
}
